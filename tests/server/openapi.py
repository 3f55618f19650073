#!/usr/bin/env python3
"""The OpenAPI document of a running gateway is valid, and what every route answers is what it says."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.process import ROOT, folder  # noqa: E402
from fixture.report import equal, until  # noqa: E402

PROGRAM = os.path.join(ROOT, "tests", "stock", "openapi.mjs")
# Answers well only where a signer runs.
UNSIGNED = ["get_checkpoint"]
NOBODY = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


class Recorder:
    """Asks, checks the status, and keeps the answer for the check against the document."""

    def __init__(self):
        self.answers = []

    def ask(self, client, status, method, path, body=None, headers=None):
        reply = client.request(method, path, body, headers)
        equal(reply.status, status, f"{method} {path}: {reply.body[:300]!r}")
        self.answers.append({
            "method": method, "path": path, "request": None if body is None or isinstance(body, bytes) else body,
            "status": reply.status, "type": reply.headers.get("content-type"), "body": reply.body.decode()})
        return reply.json() if reply.headers.get("content-type") == "application/json" else reply


def session(record, gateway):
    client = Client(gateway)
    record.ask(client, 200, "GET", "/api/health")
    record.ask(client, 200, "GET", "/api/openapi.json")
    record.ask(client, 401, "GET", "/api/session")
    record.ask(client, 401, "POST", "/api/session", {**LOGIN, "password": "wrong"})
    record.ask(client, 422, "POST", "/api/session", {"tenant": 7})
    record.ask(client, 400, "POST", "/api/session", b"{", JSON)
    record.ask(client, 400, "POST", "/api/session", b'{"tenant": "a", "tenant": "b"}', JSON)
    record.ask(client, 415, "POST", "/api/session", b"{}", {"Content-Type": "text/plain"})
    record.ask(client, 413, "POST", "/api/session", b'"' + b"a" * 5000 + b'"', JSON)
    record.ask(client, 403, "POST", "/api/session", LOGIN, {"Origin": "https://elsewhere.example"})
    record.ask(client, 201, "POST", "/api/session", LOGIN)
    client.token = record.ask(client, 201, "POST", "/api/session", {**LOGIN, "token": True})["token"]
    record.ask(client, 200, "GET", "/api/session")
    record.ask(client, 400, "GET", "/api/session?a=1&a=2")
    record.ask(client, 204, "DELETE", "/api/session")
    record.ask(client, 401, "GET", "/api/dashboard")
    return client


def organisation(record, ada):
    record.ask(ada, 200, "GET", "/api/organisation")
    team = record.ask(ada, 201, "POST", "/api/teams", {"name": "North"})["id"]
    record.ask(ada, 409, "POST", "/api/teams", {"name": "North"})
    record.ask(ada, 422, "POST", "/api/teams", {})
    record.ask(ada, 422, "POST", "/api/teams", {"name": "x" * 101})
    record.ask(ada, 404, "POST", "/api/teams", {"name": "Under", "parent_id": NOBODY})
    record.ask(ada, 200, "GET", "/api/teams")
    person = {"email": "uma@probe-works.example", "name": "Uma", "rank": 1, "team_id": team, "password": "eleven-slow-herons-sing-27"}
    user = record.ask(ada, 201, "POST", "/api/users", person)["id"]
    record.ask(ada, 409, "POST", "/api/users", person)
    record.ask(ada, 404, "POST", "/api/users", {**person, "email": "x@probe-works.example", "team_id": NOBODY})
    record.ask(ada, 422, "POST", "/api/users", {**person, "email": "y@probe-works.example", "password": "password"})
    record.ask(ada, 422, "POST", "/api/users", {**person, "rank": 5})
    record.ask(ada, 200, "GET", "/api/users")
    record.ask(ada, 200, "PATCH", f"/api/users/{user}", {"team_id": team})
    record.ask(ada, 200, "PATCH", f"/api/users/{user}", {"rank": 1})
    record.ask(ada, 422, "PATCH", f"/api/users/{user}", {"rank": "high"})
    record.ask(ada, 404, "PATCH", "/api/users/nobody", {"rank": 1})
    record.ask(ada, 404, "DELETE", f"/api/users/{NOBODY}")
    return user, person


def customers(record, ada):
    record.ask(ada, 200, "GET", "/api/customers")
    full = {"name": "Grace Example", "email": "grace@example.org", "phone": "+44 20 7946 0000", "address": "1 Mill Lane", "notes": "Pays late"}
    customer = record.ask(ada, 201, "POST", "/api/customers", full)["id"]
    record.ask(ada, 201, "POST", "/api/customers", {"name": "Nameless Ltd"})
    record.ask(ada, 409, "POST", "/api/customers", full)
    record.ask(ada, 422, "POST", "/api/customers", {"name": "X", "email": "nowhere"})
    record.ask(ada, 422, "POST", "/api/customers", {"name": 7})
    record.ask(ada, 200, "GET", "/api/customers?limit=1")
    record.ask(ada, 200, "GET", f"/api/customers?after={customer}")
    record.ask(ada, 200, "GET", "/api/customers?email=grace@example.org")
    record.ask(ada, 422, "GET", "/api/customers?limit=1000")
    record.ask(ada, 200, "GET", f"/api/customers/{customer}")
    record.ask(ada, 404, "GET", f"/api/customers/{NOBODY}")
    record.ask(ada, 200, "PATCH", f"/api/customers/{customer}", {"phone": None, "version": 1})
    record.ask(ada, 409, "PATCH", f"/api/customers/{customer}", {"phone": None, "version": 1})
    record.ask(ada, 422, "PATCH", f"/api/customers/{customer}", {})
    record.ask(ada, 404, "PATCH", f"/api/customers/{NOBODY}", {"phone": None})
    return customer


def invoices(record, ada, customer):
    lines = [{"description": "Check-up", "quantity": 2, "unit_minor": "6500"}, {"description": "Report", "unit_minor": 100}]
    draft = {"customer_id": customer, "currency": "GBP", "due_date": "2020-01-31", "memo": "As agreed", "lines": lines}
    invoice = record.ask(ada, 201, "POST", "/api/invoices", draft)["id"]
    bare = record.ask(ada, 201, "POST", "/api/invoices", {"customer_id": customer, "currency": "JPY"})["id"]
    record.ask(ada, 422, "POST", "/api/invoices", {**draft, "customer_id": NOBODY})
    record.ask(ada, 422, "POST", "/api/invoices", {**draft, "currency": "pounds"})
    record.ask(ada, 422, "POST", "/api/invoices", {**draft, "lines": [{"unit_minor": -1, "description": "Back"}]})
    record.ask(ada, 200, "PATCH", f"/api/invoices/{invoice}", {"memo": None, "version": 1})
    record.ask(ada, 409, "PATCH", f"/api/invoices/{invoice}", {"memo": None, "version": 1})
    record.ask(ada, 422, "POST", f"/api/invoices/{bare}/send")
    sent = record.ask(ada, 200, "POST", f"/api/invoices/{invoice}/send")
    equal((sent["number"], sent["overdue"], sent["customer_name"]), ("INV-000001", True, "Grace Example"), "sent")
    record.ask(ada, 409, "POST", f"/api/invoices/{invoice}/send")
    record.ask(ada, 409, "PATCH", f"/api/invoices/{invoice}", {"memo": "Late"})
    record.ask(ada, 422, "POST", f"/api/invoices/{bare}/cancel", {})
    record.ask(ada, 200, "POST", f"/api/invoices/{bare}/cancel", {"reason": "Empty"})
    record.ask(ada, 409, "POST", f"/api/invoices/{bare}/cancel", {"reason": "Again"})
    for command in ("send", "cancel"):
        record.ask(ada, 404, "POST", f"/api/invoices/{NOBODY}/{command}", {"reason": "None"} if command == "cancel" else None)
    record.ask(ada, 200, "GET", f"/api/invoices/{invoice}")
    record.ask(ada, 404, "GET", f"/api/invoices/{NOBODY}")
    record.ask(ada, 404, "PATCH", f"/api/invoices/{NOBODY}", {"memo": None})
    for query in ("", "?status=sent", f"?customer_id={customer}&limit=1", f"?after={invoice}"):
        record.ask(ada, 200, "GET", f"/api/invoices{query}")
    record.ask(ada, 422, "GET", "/api/invoices?limit=none")
    record.ask(ada, 200, "GET", "/api/dashboard")


def ledger(record, ada):
    until(lambda: ada.request("GET", "/api/ledger/entries?event=invoice.sent").json()["entries"], what="a seal over the invoice")
    page = record.ask(ada, 200, "GET", "/api/ledger/entries?limit=3")
    record.ask(ada, 200, "GET", f"/api/ledger/entries?before={page['next']}&event=user.&outcome=success")
    record.ask(ada, 422, "GET", "/api/ledger/entries?outcome=maybe")
    record.ask(ada, 200, "GET", f"/api/ledger/entries/{page['entries'][0]['leaf']}")
    record.ask(ada, 200, "GET", "/api/ledger/entries/0")
    record.ask(ada, 404, "GET", "/api/ledger/entries/999999999")
    record.ask(ada, 200, "GET", "/api/ledger/seals")
    record.ask(ada, 422, "GET", "/api/ledger/seals?before=now")
    record.ask(ada, 200, "GET", "/api/ledger/inclusion?leaf=3")
    record.ask(ada, 422, "GET", "/api/ledger/inclusion")
    record.ask(ada, 200, "GET", "/api/ledger/consistency?first=2&second=7")
    record.ask(ada, 422, "GET", "/api/ledger/consistency?first=9&second=7")
    record.ask(ada, 404, "GET", "/api/ledger/checkpoint")
    record.ask(ada, 200, "GET", "/api/ledger/bundle")
    job = record.ask(ada, 201, "POST", "/api/ledger/verifications")["id"]
    record.ask(ada, 200, "GET", f"/api/ledger/verifications/{job}")
    until(lambda: ada.request("GET", f"/api/ledger/verifications/{job}").json()["state"] == "done", 30, "the verification")
    done = record.ask(ada, 200, "GET", f"/api/ledger/verifications/{job}")
    equal(done["findings"], 0, done)
    record.ask(ada, 404, "GET", "/api/ledger/verifications/0")


def lower_rank(record, gateway, ada, user, person):
    uma = Client(gateway)
    uma.sign_in({"tenant": LOGIN["tenant"], "email": person["email"], "password": person["password"]})
    record.ask(uma, 200, "GET", "/api/dashboard")
    record.ask(uma, 200, "GET", "/api/users")
    record.ask(uma, 403, "POST", "/api/teams", {"name": "Mine"})
    for page in ("entries", "entries/0", "seals", "bundle", "checkpoint", "inclusion?leaf=0", "consistency?first=1", "verifications/1"):
        record.ask(uma, 403, "GET", f"/api/ledger/{page}")
    record.ask(uma, 403, "POST", "/api/ledger/verifications")
    record.ask(ada, 204, "DELETE", f"/api/users/{user}")
    record.ask(uma, 401, "GET", "/api/dashboard")


def files(report, ada):
    with report.test("a-file-comes-with-its-name-and-is-no-page"):
        reply = ada.request("GET", "/api/ledger/bundle")
        equal((reply.status, reply.headers["content-type"], reply.headers["content-disposition"], reply.headers["x-content-type-options"]),
              (200, "text/plain; charset=utf-8", 'attachment; filename="probe-works.bundle"', "nosniff"), "headers")
        equal(reply.headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", "policy")


def main():
    report = Report("openapi")
    if not os.path.isdir(os.path.join(ROOT, "tests", "npm", "node_modules", "ajv")):
        print("skip openapi (the packages of tests/npm are not installed)")
        return
    with Cluster() as cluster, Gateway(cluster) as gateway:
        record = Recorder()
        ada = None
        with report.test("every-route-answers"):
            ada = session(record, gateway)
            ada.sign_in(LOGIN)
            user, person = organisation(record, ada)
            invoices(record, ada, customers(record, ada))
            ledger(record, ada)
            lower_rank(record, gateway, ada, user, person)
            files(report, ada)
        place = folder("openapi")
        document, answers = os.path.join(place, "openapi.json"), os.path.join(place, "answers")
        with open(document, "wb") as file:
            file.write(Client(gateway).request("GET", "/api/openapi.json").body)
        with open(answers, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(answer) + "\n" for answer in record.answers)
        with report.test("document-and-answers"):
            done = subprocess.run(["node", PROGRAM, document, answers, *UNSIGNED], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            print(done.stdout, end="", flush=True)
            equal(done.returncode, 0, "node")
    report.finish()


main()
