# SPDX-License-Identifier: Apache-2.0
"""Over HTTP, through the gateway: what is another tenant's, a colleague's and nobody's must answer the same bytes."""
import json
import re
import uuid

from catalogue import Succeeded, attack, equal, holds
from world import CANARY

# Differ from one answer to the next, whoever asks for what.
PASSING = ("date", "x-request-id")
BODIES = {("PATCH", "/api/customers/{id}"): {"notes": "x"}, ("PATCH", "/api/invoices/{id}"): {"memo": "x"},
          ("POST", "/api/invoices/{id}/cancel"): {"reason": "x"},
          ("PATCH", "/api/users/{id}"): {"rank": 1}}


def bytes_of(reply, *asked):
    """Status, headers and body without what passes and without what was asked for."""
    body = re.sub(rb'"request_id": *"[^"]*"', b"", reply.body)
    for value in asked:
        body = body.replace(value.encode(), b"asked")
    headers = {name: value for name, value in reply.headers.items() if name not in PASSING}
    return reply.status, sorted(headers.items()), body


def same(client, method, path, hits, miss, body=None):
    """path and body hold {} where the value goes."""
    def ask(value):
        sent = None if body is None else json.loads(json.dumps(body).replace("\"{}\"", json.dumps(value)))
        return bytes_of(client.request(method, path.replace("{}", value), sent), value)
    wanted = ask(miss)
    holds(wanted[0] in (400, 403, 404, 422), "%s %s: nobody's answers %s" % (method, path, wanted))
    for hit in hits:
        got = ask(hit)
        if got != wanted:
            raise Succeeded("%s %s: %s, but %s for what nobody has" % (method, path, got, wanted))


@attack("H1", "Name another tenant's or a colleague's thing in a path", "signed-in user",
        "row security in the handler; hidden and missing are the same bytes, on every route of the document")
def paths(w):
    document = w.client["hera"].request("GET", "/api/openapi.json").json()
    asked = 0
    for path, methods in document["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        for method in methods:
            if not names or method.upper() not in ("GET", "PATCH", "POST", "DELETE", "PUT", "HEAD"):
                continue
            key = (method.upper(), re.sub(r"\{\w+\}", "{id}", path))
            body = BODIES.get(key, {} if method in ("patch", "post", "put") else None)
            numbers = "/ledger/" in path
            miss = "999999" if numbers else str(uuid.uuid4())
            for name in ("hera", "ada"):
                if numbers:
                    continue
                hits = [i for owner,
                        ids in w.ids.items() if owner == "mona" or owner == "hera" and name == "ada" and "/users" not in path for i in ids]
                same(w.client[name], key[0], re.sub(r"\{\w+\}", "{}", path), hits, miss, body)
                asked += len(hits)
    holds(asked > 30, "only %d" % asked)


@attack("H2", "Name another tenant's thing in a body or a query", "signed-in user", "composite keys and row security; the same bytes")
def bodies(w):
    customer, invoice, user, team = w.ids["mona"]
    client = w.client["hera"]
    line = {"description": "x", "quantity": 1, "unit_minor": "1"}
    miss = str(uuid.uuid4())
    same(client, "POST", "/api/invoices", [customer, invoice], miss, {"customer_id": "{}", "currency": "EUR", "lines": [line]})
    same(client, "POST", "/api/teams", [team, user], miss, {"name": "x", "parent_id": "{}"})
    same(client, "POST", "/api/users", [team, user], miss, {"email": "new@harbour.example", "name": "x", "rank": 1, "team_id": "{}",
                                                            "password": w.password})
    same(client, "PATCH", "/api/users/%s" % w.ids["ada"][2], [team, user], miss, {"team_id": "{}"})
    for query in ("customer_id={}", "after={}"):
        got = {bytes_of(client.request("GET", "/api/invoices?" + query.format(v)), v)[2] for v in (customer, invoice, miss)}
        equal(len(got), 1, query)


@attack("H3", "Ask by creating whether another tenant has an e-mail address", "signed-in user",
        "unique keys begin with the tenant, search tokens are under its keys")
def addresses(w):
    client = w.client["hera"]
    for path, more in (("/api/customers", {"name": "x"}), ("/api/users", {"name": "x", "rank": 4, "password": w.password})):
        shapes = []
        for email in ("mona@meadow.example", "nobody@meadow.example"):
            reply = client.request("POST", path, {**more, "email": email})
            document = reply.json()
            shapes.append((reply.status, sorted(document), sorted(name for name in reply.headers if name != "set-cookie")))
        equal(shapes[0], shapes[1], path)
        equal(shapes[0][0], 201, path)
    for email in ("mona@meadow.example", "none@meadow.example"):
        found = w.client["ada"].request("GET", "/api/customers?email=" + email)
        equal(json.dumps(found.json()).count("id"), 0, email)


@attack("H4", "Ask by signing in who exists", "anybody", "one answer for every failure, and the same work before it")
def sign_in(w):
    got = set()
    for tenant, email in (("harbour", "hera@harbour.example"), ("harbour", "none@harbour.example"), ("nowhere", "hera@harbour.example"),
                          ("meadow", "hera@harbour.example")):
        reply = w.fresh().request("POST", "/api/session", {"tenant": tenant, "email": email, "password": "wrong horse 123"})
        got.add(repr(bytes_of(reply)))
        equal(reply.status, 401)
    equal(len(got), 1, sorted(got))


@attack("H5", "Name a tenant in headers, query or body", "signed-in user", "the tenant follows from the session and from nothing else")
def names(w):
    client = w.client["hera"]
    own = client.request("GET", "/api/customers").json()
    for headers in ({"X-Tenant-Id": w.tenant["meadow"]}, {"X-Aegis-Tenant": "meadow"}, {"X-User-Id": w.ids["mona"][2]}, {"X-Aegis-Rank": "4"},
                    {"X-Forwarded-User": "mona"}):
        equal(client.request("GET", "/api/customers", headers=headers).json(), own, str(headers))
    for query in ("tenant_id=" + w.tenant["meadow"], "tenant=meadow"):
        reply = client.request("GET", "/api/customers?" + query)
        holds(reply.status in (400, 422) or reply.json() == own, query)
    made = client.request("POST", "/api/customers", {"name": "y", "tenant_id": w.tenant["meadow"], "created_by": w.ids["mona"][2]})
    holds(made.status in (201, 400, 422), str(made.status))
    equal(len(w.client["mona"].request("GET", "/api/customers").json()["customers"]), 1)


@attack("H6", "Put SQL where a value is expected", "signed-in user, anybody", "values are parameters; nothing of another tenant comes back")
def injection(w):
    client = w.client["hera"]
    for text in ("' OR true --", "'; SELECT note FROM aegis_app.customer --", "\\x27 OR 1=1", "$$", "%27%20OR%201%3D1", "1) OR (1=1", "{{7*7}}",
                 "\\u0027 or 1=1"):
        quoted = text.replace("%", "%25").replace(" ", "%20").replace("'", "%27").replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")
        for method, path, body in (("GET", "/api/customers?email=" + quoted, None), ("GET", "/api/customers/" + quoted, None),
                                   ("GET", "/api/customers?limit=" + quoted, None),
                                   ("GET", "/api/customers?after=" + quoted, None), ("GET", "/api/invoices?status=" + quoted, None),
                                   ("POST", "/api/customers", {"name": text, "email": text}),
                                   ("POST", "/api/session", {"tenant": text, "email": text, "password": text})):
            reply = client.request(method, path, body)
            holds(reply.status < 500, "%s %s: %d" % (method, path, reply.status))
            holds(CANARY.encode() not in reply.body, path)


@attack("H7", "Read others' data in problems, headers or the gateway's log", "signed-in user, whoever reads the log",
        "details of the database stay in the database")
def leaks(w):
    client = w.client["mona"]
    for method, path, body in (("POST", "/api/customers", {"name": CANARY, "email": "mona@meadow.example"}),
                               ("PATCH", "/api/customers/" + w.ids["mona"][0], {"version": 99, "notes": CANARY}),
                               ("POST", "/api/invoices", {"customer_id": w.ids["mona"][0], "currency": CANARY, "lines": []})):
        reply = client.request(method, path, body)
        holds(reply.status in (400, 409, 422), "%s %s: %d" % (method, path, reply.status))
        for word in (CANARY, "aegis_app.", "constraint", "CONTEXT", "PL/pgSQL", "SELECT"):
            holds(word.encode() not in reply.body, "%s %s says %s: %s" % (method, path, word, reply.body))
    with open(w.log, encoding="utf-8", errors="replace") as log:
        holds(CANARY not in log.read(), "the gateway's log")


@attack("H8", "Read another tenant's part of the ledger", "admin", "one log for each tenant, numbered by itself")
def ledger(w):
    client = w.client["hera"]
    mine = {entry["leaf"] for entry in client.request("GET", "/api/ledger/entries?limit=100").json()["entries"]}
    holds(mine, "no entry of one's own")
    seen = client.request("GET", "/api/ledger/entries?limit=100").body
    for name in (CANARY, *w.ids["mona"], w.tenant["meadow"]):
        holds(name.encode() not in seen, name)
    same(client, "GET", "/api/ledger/entries/{}", ["500000"], "999999")
    for path in ("entries/{}", "entries/{}/receipt", "verifications/{}"):
        got = {bytes_of(client.request("GET", "/api/ledger/" + path.format(n)), n)[:1] for n in ("999999", "123456", "888888")}
        equal(len(got), 1, path)
