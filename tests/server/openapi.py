#!/usr/bin/env python3
"""The OpenAPI document of a running gateway is valid, and what every route answers is what it says."""
import hashlib
import hmac
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Gateway, Report, Signer  # noqa: E402
from fixture import invoice as after_sending  # noqa: E402
from fixture.kyc import check, dump_is_silent, erasure, privacy, second_person, suspicion  # noqa: E402
from fixture.process import ROOT, folder  # noqa: E402
from fixture.issuers import issuers  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.service import Service, ShortWindow  # noqa: E402

LONG = os.environ.get("AEGIS_LONG") == "yes"
PROGRAM = os.path.join(ROOT, "tests", "stock", "openapi.mjs")
NOBODY = "00000000-0000-4000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


class Recorder:
    """Asks, checks the status, and keeps the answer for the check against the document."""

    def __init__(self):
        self.answers = []

    def any(self, client, method, path, body=None):
        reply = client.request(method, path, body)
        assert reply.status < 500, f"{method} {path} {body!r}: {reply.status} {reply.body[:300]!r}"
        # What a lenient handler took although the schema does not allow it is not held against the schema.
        self.keep(method, path, None, reply)

    def keep(self, method, path, body, reply):
        self.answers.append({
            "method": method, "path": path, "request": None if isinstance(body, bytes) else body,
            "status": reply.status, "type": reply.headers.get("content-type"), "body": reply.body.decode(errors="replace")})

    def ask(self, client, status, method, path, body=None, headers=None):
        reply = client.request(method, path, body, headers)
        equal(reply.status, status, f"{method} {path}: {reply.body[:300]!r}")
        self.keep(method, path, body, reply)
        return reply.json() if reply.headers.get("content-type") == "application/json" else reply


def example(schema):
    """Something that the schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [example(schema["items"])]
    if kind == "integer":
        return schema.get("minimum", 1)
    return NOBODY if schema.get("format") == "uuid" else "GBP" if "A-Z" in schema.get("pattern", "") else "text"


def garbled(record, ada, document, known):
    """Every parameter and every field with what it cannot be: an answer below 500, of a documented status.

    Every sixth wrong value only, another one for each field, unless there is time."""
    words = ["", "x", "-1", "0", "1.5", "1e9", "99999999999999999999", "%C3%A9", "%27%3B--", "a" * 300, "%5B%5D", "null", NOBODY]
    values = [None, 0, -1, 1.5, 10**30, True, [], {}, [[]], "", "x", "\u0001", "\U0001f600" * 3, "a" * 5000, ["x"], {"a": {}}, "1e9", "2030-02-31"]
    turns = itertools.cycle(range(1 if LONG else 6))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path in ("/api/session", "/api/health", "/api/metrics", "/api/openapi.json", "/api/status"):
                continue
            parameters = operation.get("parameters", [])
            for chosen in parameters:
                for word in [w for w in words if w or chosen["in"] == "query"][next(turns)::1 if LONG else 6]:
                    target, query = path, {}
                    for parameter in parameters:
                        value = word if parameter is chosen else str(example(parameter["schema"]))
                        if parameter["in"] == "path":
                            target = target.replace("{" + parameter["name"] + "}", value)
                        elif parameter is chosen or parameter["required"]:
                            query[parameter["name"]] = value
                    target += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
                    record.any(ada, method.upper(), target, example(operation["requestBody"]["content"]["application/json"]["schema"])
                               if "requestBody" in operation else None)
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                target = next((path.replace("{id}", id) for start, id in known.items() if path.startswith(start)), path)
                bodies = [[], "x", 7, True, {}, [{}], {"unheard": "of"}]
                bodies += [{**example(schema), name: value} for name in schema["properties"] for value in values[next(turns)::1 if LONG else 6]]
                for body in bodies:
                    record.any(ada, method.upper(), target, body)


def session(record, gateway):
    client = Client(gateway)
    record.ask(client, 200, "GET", "/api/health")
    record.ask(client, 404, "GET", "/api/metrics")
    record.ask(client, 200, "GET", "/api/openapi.json")
    record.ask(client, 200, "GET", "/api/demo")
    equal(record.ask(client, 200, "GET", "/api/status")["status"], "ok", "status")
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


def closing(record, ada, draft):
    gone = record.ask(ada, 201, "POST", "/api/invoices", draft)["id"]
    record.ask(ada, 204, "DELETE", f"/api/invoices/{gone}")
    record.ask(ada, 404, "DELETE", f"/api/invoices/{gone}")
    for command in ("void", "mark-uncollectible"):
        closed = record.ask(ada, 201, "POST", "/api/invoices", {**draft, "lines": [{"description": "Half", "quantity": "0.5", "unit_minor": 5, "tax_rate": 20}]})["id"]
        record.ask(ada, 409, "POST", f"/api/invoices/{closed}/{command}", {"reason": "Not sent"})
        record.ask(ada, 200, "POST", f"/api/invoices/{closed}/send", {})
        record.ask(ada, 200, "POST", f"/api/invoices/{closed}/{command}", {"reason": "Closed"})
        record.ask(ada, 409, "DELETE", f"/api/invoices/{closed}")
    record.ask(ada, 200, "GET", "/api/invoice-numbers")
    record.ask(ada, 200, "GET", "/api/invoice-settings")
    record.ask(ada, 200, "PATCH", "/api/invoice-settings", {"time_zone": "Europe/London"})
    record.ask(ada, 409, "PATCH", "/api/invoice-settings", {"rounding": "half-even"})
    record.ask(ada, 422, "PATCH", "/api/invoice-settings", {"time_zone": "Nowhere"})


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
    record.ask(ada, 200, "GET", f"/api/invoices/{invoice}/content")
    record.ask(ada, 404, "GET", f"/api/invoices/{bare}/content")
    closing(record, ada, draft)
    record.ask(ada, 404, "GET", f"/api/invoices/{NOBODY}")
    record.ask(ada, 404, "PATCH", f"/api/invoices/{NOBODY}", {"memo": None})
    for query in ("", "?status=sent", f"?customer_id={customer}&limit=1", f"?after={invoice}"):
        record.ask(ada, 200, "GET", f"/api/invoices{query}")
    record.ask(ada, 422, "GET", "/api/invoices?limit=none")
    record.ask(ada, 200, "GET", "/api/dashboard")


SAY = """
BEGIN; SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound((SELECT id FROM aegis.tenant WHERE slug = '{tenant}')) \\g /dev/null
SELECT aegis_app.apply_payment_event(jsonb_populate_record(NULL::aegis_app.provider_event, '{event}'));
COMMIT;
"""
DIFFER = """
BEGIN; SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound((SELECT id FROM aegis.tenant WHERE slug = '{tenant}')) \\g /dev/null
INSERT INTO aegis_app.reconciliation_difference (reconciliation_id, kind, transaction_id, listed_minor, currency) VALUES ('{run}', 'missing', 'pi_missing', 5, 'EUR') RETURNING id;
COMMIT;
"""


def payments(record, cluster, ada, customer):
    """Everything but the agent's calls: what they bring back is said by the database."""
    cluster.sql("SELECT aegis.register_destination('stripe', 'https://api.stripe.com')", user="operator")
    wanted = {"provider": "stripe", "account": "acct_open", "currency": "EUR", "live": False, "destination": "stripe", "return_url": "https://pay.example/back",
              "credential": {"key": "sk_test_open"}}
    account = record.ask(ada, 201, "POST", "/api/payment-accounts", wanted)["id"]
    record.ask(ada, 409, "POST", "/api/payment-accounts", wanted)
    record.ask(ada, 422, "POST", "/api/payment-accounts", {**wanted, "credential": {"word": "x"}})
    record.ask(ada, 200, "GET", "/api/payment-accounts")
    record.ask(ada, 204, "PUT", f"/api/payment-accounts/{account}/credential", {"credential": {"key": "sk_test_next"}})
    record.ask(ada, 404, "PUT", f"/api/payment-accounts/{NOBODY}/credential", {"credential": {"key": "sk_test_next"}})
    bills = []
    for _ in range(3):
        bills.append(record.ask(ada, 201, "POST", "/api/invoices", {"customer_id": customer, "currency": "EUR", "lines": [{"description": "work", "unit_minor": "500"}]})["id"])
        record.ask(ada, 200, "POST", f"/api/invoices/{bills[-1]}/send", {})
    asked = record.ask(ada, 201, "POST", f"/api/invoices/{bills[0]}/checkouts", {"account_id": account})["id"]
    record.ask(ada, 422, "POST", f"/api/invoices/{bills[0]}/checkouts", {"account_id": NOBODY})
    record.ask(ada, 404, "POST", f"/api/invoices/{NOBODY}/checkouts", {"account_id": account})
    record.ask(ada, 200, "GET", f"/api/checkouts/{asked}")
    record.ask(ada, 404, "GET", f"/api/checkouts/{NOBODY}")
    record.ask(ada, 200, "GET", f"/api/invoices/{bills[0]}/checkouts")
    reference = cluster.sql(f"SELECT reference FROM aegis_app.checkout WHERE id = '{asked}'")

    def say(kind, transaction, about, amount, **more):
        return cluster.sql(SAY.format(tenant=LOGIN["tenant"], event=json.dumps({
            "provider": "stripe", "account": "acct_open", "kind": kind, "transaction_id": transaction, "reference": about, "amount_minor": amount,
            "currency": "EUR", "live": False, "occurred_at": "2026-05-04T10:11:12Z", "document": {"card": {"number": "4242424242424242", "brand": "visa"}}, **more})))
    equal([say("settled", "pi_one", reference, 500), say("settled", "pi_two", reference, 500), say("settled", "pi_three", "ag" + 18 * "a", 500)],
          ["applied", "unapplied", "unapplied"], "said")
    record.ask(ada, 409, "POST", f"/api/invoices/{bills[0]}/checkouts", {"account_id": account})
    paid = record.ask(ada, 200, "GET", f"/api/invoices/{bills[0]}/payments")["payments"]
    record.ask(ada, 404, "GET", f"/api/invoices/{NOBODY}/payments")
    record.ask(ada, 200, "GET", f"/api/payments/{paid[0]['id']}")
    lies = record.ask(ada, 200, "GET", "/api/unapplied?limit=10")
    match = {"Idempotency-Key": "match"}
    record.ask(ada, 400, "POST", f"/api/payments/{lies['payments'][0]['id']}/match", {"invoice_id": bills[1]})
    record.ask(ada, 422, "POST", f"/api/payments/{lies['payments'][0]['id']}/match", {"invoice_id": bills[1], "amount_minor": 501}, match)
    record.ask(ada, 200, "POST", f"/api/payments/{lies['payments'][0]['id']}/match", {"invoice_id": bills[1]}, {"Idempotency-Key": "match-2"})
    record.ask(ada, 200, "POST", f"/api/unapplied/{lies['held'][0]['id']}/match", {"invoice_id": bills[2]}, {"Idempotency-Key": "held"})
    record.ask(ada, 409, "POST", f"/api/unapplied/{lies['held'][0]['id']}/match", {"invoice_id": bills[2]}, {"Idempotency-Key": "held-2"})
    whole = next(p["id"] for p in paid if p["unapplied_minor"] == "0")
    record.ask(ada, 202, "POST", f"/api/payments/{whole}/refunds", {"amount_minor": "100", "reason": "broken"}, {"Idempotency-Key": "back"})
    record.ask(ada, 422, "POST", f"/api/payments/{whole}/refunds", {"amount_minor": "500", "reason": "broken"}, {"Idempotency-Key": "back-2"})
    record.ask(ada, 200, "GET", f"/api/payments/{whole}/refunds")
    record.ask(ada, 202, "POST", "/api/payments/refetch", {"account_id": account, "transaction_id": "pi_one"})
    record.ask(ada, 422, "POST", "/api/payments/refetch", {"account_id": NOBODY, "event_id": "evt_one"})
    run = record.ask(ada, 202, "POST", "/api/reconciliations", {"account_id": account, "from": "2026-05-01", "to": "2026-05-05"})["id"]
    record.ask(ada, 422, "POST", "/api/reconciliations", {"account_id": NOBODY, "from": "2026-05-01", "to": "2026-05-05"})
    differs = cluster.sql(DIFFER.format(tenant=LOGIN["tenant"], run=run))
    record.ask(ada, 200, "GET", "/api/reconciliations")
    record.ask(ada, 204, "POST", f"/api/reconciliation-differences/{differs}/settle")
    record.ask(ada, 404, "POST", f"/api/reconciliation-differences/{differs}/settle")
    record.ask(ada, 204, "DELETE", f"/api/payment-accounts/{account}")
    record.ask(ada, 404, "DELETE", f"/api/payment-accounts/{account}")

def webhooks(record, ada):
    secret = "whsec_test_secret"
    endpoint = {"provider": "stripe", "account": "acct_one", "secret": secret}
    made = record.ask(ada, 201, "POST", "/api/webhook-endpoints", endpoint)
    record.ask(ada, 409, "POST", "/api/webhook-endpoints", endpoint)
    record.ask(ada, 422, "POST", "/api/webhook-endpoints", {**endpoint, "provider": "nobody"})
    record.ask(ada, 422, "POST", "/api/webhook-endpoints", {**endpoint, "live": "yes"})
    record.ask(ada, 422, "POST", "/api/webhook-endpoints", {**endpoint, "account": "acct_two", "secret": "none"})

    def deliver(status, body):
        now = str(int(time.time()))
        mac = hmac.new(secret.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
        record.ask(ada, status, "POST", made["path"], body, {**JSON, "Stripe-Signature": f"t={now},v1={mac}"})
    # Of an amount that cannot be: it can be processed again.
    message = (b'{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": true, "data": {"object": '
               b'{"id": "pi_00000001", "amount": 12.5, "currency": "jpy"}}}')
    deliver(200, message)
    deliver(200, message)
    deliver(409, message.replace(b"12.5", b"13.5"))
    deliver(400, b"{")
    record.ask(ada, 401, "POST", made["path"], b"{}", JSON)
    record.ask(ada, 404, "POST", f"/api/webhooks/stripe/{NOBODY}", b"{}", JSON)
    for query in ("", "?state=quarantined", "?limit=1", f"?after={NOBODY}"):
        events = record.ask(ada, 200, "GET", f"/api/webhook-events{query}")["events"]
    events = record.ask(ada, 200, "GET", "/api/webhook-events")["events"]
    again = next(e["id"] for e in events if e["reason"] == "unreadable")
    lost = next(e["id"] for e in events if e["reason"] == "malformed")
    record.ask(ada, 200, "GET", f"/api/webhook-events/{again}")
    record.ask(ada, 404, "GET", f"/api/webhook-events/{NOBODY}")
    record.ask(ada, 200, "POST", f"/api/webhook-events/{again}/reprocess")
    record.ask(ada, 409, "POST", f"/api/webhook-events/{lost}/reprocess")
    record.ask(ada, 201, "POST", f"/api/webhook-endpoints/{made['id']}/secrets", {"secret": "whsec_next_secret"})
    record.ask(ada, 404, "POST", f"/api/webhook-endpoints/{NOBODY}/secrets", {"secret": "whsec_next_secret"})
    record.ask(ada, 200, "GET", "/api/webhook-endpoints")
    record.ask(ada, 204, "DELETE", f"/api/webhook-endpoints/{made['id']}")
    record.ask(ada, 404, "DELETE", f"/api/webhook-endpoints/{made['id']}")


def unsigned(record, ada):
    record.ask(ada, 404, "GET", "/api/ledger/checkpoint")
    record.ask(ada, 409, "GET", "/api/ledger/entries/0/receipt")
    record.ask(ada, 404, "GET", "/api/ledger/root/checkpoint")
    record.ask(ada, 404, "GET", "/api/ledger/log/receipt")
    record.ask(ada, 200, "GET", "/api/ledger/seals?limit=1")


def signed(record, ada):
    until(lambda: ada.request("GET", "/api/dashboard").json()["ledger"]["checkpoint"], 30, "a checkpoint")
    record.ask(ada, 200, "GET", "/api/dashboard")
    record.ask(ada, 200, "GET", "/api/ledger/checkpoint")
    record.ask(ada, 200, "GET", "/api/ledger/entries/0/receipt")
    record.ask(ada, 404, "GET", "/api/ledger/entries/999999999/receipt")
    record.ask(ada, 200, "GET", "/api/ledger/root/checkpoint")
    record.ask(ada, 200, "GET", "/api/ledger/log/receipt")
    seals = record.ask(ada, 200, "GET", "/api/ledger/seals?limit=100")["seals"]
    assert any(seal["checkpoint"] for seal in seals), seals


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
    record.ask(ada, 200, "GET", "/api/ledger/bundle")
    for log in ("root", "log"):
        record.ask(ada, 200, "GET", f"/api/ledger/{log}/tile/0/000.p/1")
        for index in ("000", "x001/000", "x001/x001/000", "x001/x001/x001/000"):
            record.ask(ada, 404, "GET", f"/api/ledger/{log}/tile/0/{index}")
        record.ask(ada, 422, "GET", f"/api/ledger/{log}/tile/zero/000")
    job = record.ask(ada, 201, "POST", "/api/ledger/verifications")["id"]
    record.ask(ada, 200, "GET", f"/api/ledger/verifications/{job}")
    until(lambda: ada.request("GET", f"/api/ledger/verifications/{job}").json()["state"] == "done", 30, "the verification")
    done = record.ask(ada, 200, "GET", f"/api/ledger/verifications/{job}")
    equal(done["findings"], 0, done)
    record.ask(ada, 404, "GET", "/api/ledger/verifications/0")


def totp(secret, away=0):
    """The code of an authenticator of somebody else's making, so many steps from now."""
    now = int(time.time()) + 30 * away
    return subprocess.run(["oathtool", "--totp", "--base32", "--now", f"@{now}", secret], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def security(record, gateway, ada, user, person):
    login = {"tenant": LOGIN["tenant"], "email": person["email"], "password": person["password"]}
    uma = Client(gateway)
    uma.sign_in(login)
    chosen = "forty-two-calm-geese-drift-19"
    record.ask(uma, 401, "PUT", "/api/password", {"old": "wrong", "new": chosen})
    record.ask(uma, 422, "PUT", "/api/password", {"old": login["password"], "new": "password"})
    record.ask(uma, 204, "PUT", "/api/password", {"old": login["password"], "new": chosen})
    login["password"] = chosen
    # The code of a step counts once, so each of the three that are taken is used once: none may pass meanwhile.
    if time.time() % 30 > 20:
        time.sleep(30 - time.time() % 30)
    secret = record.ask(uma, 200, "POST", "/api/second-factor")["secret"]
    record.ask(uma, 422, "PUT", "/api/second-factor", {"code": "none"})
    codes = record.ask(uma, 200, "PUT", "/api/second-factor", {"code": totp(secret, -1)})["recovery_codes"]
    equal(record.ask(uma, 200, "GET", "/api/second-factor")["recovery_codes"], 10, "codes")
    record.ask(uma, 401, "POST", "/api/session/step-up", {"code": codes[0][:-1]})
    record.ask(uma, 204, "POST", "/api/session/step-up", {"code": totp(secret)})
    codes = record.ask(uma, 200, "POST", "/api/second-factor/recovery-codes")["recovery_codes"]
    stranger = Client(gateway)
    challenge = record.ask(stranger, 200, "POST", "/api/session", login)["challenge"]
    record.ask(stranger, 401, "POST", "/api/session/challenge", {"challenge": challenge, "code": totp(secret)})
    record.ask(stranger, 401, "POST", "/api/session/challenge", {"challenge": "none", "code": totp(secret)})
    record.ask(stranger, 401, "POST", "/api/session/enrolment", {"challenge": challenge})
    record.ask(stranger, 422, "POST", "/api/session/challenge", {"challenge": challenge})
    uma.token = record.ask(stranger, 201, "POST", "/api/session/challenge", {"challenge": challenge, "code": totp(secret, 1), "token": True})["token"]
    record.ask(uma, 204, "DELETE", "/api/second-factor")
    record.ask(uma, 409, "POST", "/api/second-factor/recovery-codes")

    record.ask(ada, 204, "PUT", "/api/organisation/second-factor", {"minimum_rank": 1})
    challenge = record.ask(stranger, 200, "POST", "/api/session", login)["challenge"]
    secret = record.ask(stranger, 200, "POST", "/api/session/enrolment", {"challenge": challenge})["secret"]
    made = record.ask(stranger, 201, "POST", "/api/session/challenge", {"challenge": challenge, "code": totp(secret), "token": True})
    equal(len(made["recovery_codes"]), 10, "codes of an enrolment")
    uma.token = made["token"]
    record.ask(uma, 409, "DELETE", "/api/second-factor")
    record.ask(ada, 204, "PUT", "/api/organisation/second-factor", {"minimum_rank": None})
    record.ask(ada, 404, "DELETE", f"/api/users/{NOBODY}/second-factor")
    equal(record.ask(ada, 200, "DELETE", f"/api/users/{user}/second-factor")["outcome"], "done", "reset")
    record.ask(uma, 401, "GET", "/api/second-factor")
    record.ask(ada, 404, "DELETE", f"/api/users/{NOBODY}/password")
    record.ask(ada, 204, "DELETE", f"/api/users/{user}/password")
    pending = record.ask(stranger, 200, "POST", "/api/session", login)
    equal(pending["due"], "password", "what is due")
    record.ask(stranger, 422, "POST", "/api/session/challenge", {"challenge": pending["challenge"], "password": chosen})
    record.ask(stranger, 201, "POST", "/api/session/challenge", {"challenge": pending["challenge"], "password": person["password"]})


def token_of(cluster, address):
    """What is behind "#" in the newest mail to an address."""
    cluster.sql("CREATE TABLE IF NOT EXISTS public.mails AS SELECT 0::bigint AS id, NULL::jsonb AS mail WHERE false")
    cluster.sql("INSERT INTO public.mails SELECT id, convert_from(payload, 'UTF8')::jsonb FROM aegis.claim_outbound(ARRAY['mail'], 100)")
    return cluster.sql("SELECT substring(mail ->> 'text' FROM '#([^[:space:]]+)') FROM public.mails"
                       f" WHERE mail ->> 'to' = '{address}' ORDER BY id DESC LIMIT 1")


def sign_up(record, gateway, cluster):
    stranger = Client(gateway)
    wanted = {"organisation": "Fresh Ltd", "region": "UK", "name": "Fay", "email": "fay@fresh.example"}
    equal(record.ask(stranger, 200, "GET", "/api/sign-up"), {"open": False, "region": "UK"}, "closed")
    record.ask(stranger, 409, "POST", "/api/sign-up", wanted)
    cluster.sql("ALTER SYSTEM SET aegis.sign_up = on")
    cluster.sql("SELECT pg_reload_conf()")
    until(lambda: record.ask(stranger, 200, "GET", "/api/sign-up")["open"], what="the setting")
    record.ask(stranger, 422, "POST", "/api/sign-up", {**wanted, "email": "nowhere"})
    record.ask(stranger, 421, "POST", "/api/sign-up", {**wanted, "region": "MOON"})
    record.ask(stranger, 204, "POST", "/api/sign-up", wanted)
    token, password = token_of(cluster, wanted["email"]), "seven-keen-badgers-row-88"
    record.ask(stranger, 401, "PUT", "/api/sign-up", {"token": "none", "slug": "fresh", "password": password})
    record.ask(stranger, 409, "PUT", "/api/sign-up", {"token": token, "slug": LOGIN["tenant"], "password": password})
    record.ask(stranger, 422, "PUT", "/api/sign-up", {"token": token, "slug": "fresh", "password": "password"})
    record.ask(stranger, 200, "PUT", "/api/sign-up", {"token": token, "slug": "fresh", "password": password})
    Client(gateway).sign_in({"tenant": "fresh", "email": wanted["email"], "password": password})


def links(record, gateway, cluster, ada):
    stranger = Client(gateway)
    guest = {"email": "gil@probe-works.example", "name": "Gil", "rank": 1}
    invited = record.ask(ada, 201, "POST", "/api/invitations", guest)["id"]
    record.ask(ada, 409, "POST", "/api/invitations", guest)
    record.ask(ada, 404, "POST", "/api/invitations", {**guest, "email": "x@probe-works.example", "team_id": NOBODY})
    record.ask(ada, 422, "POST", "/api/invitations", {**guest, "rank": 5})
    equal(len(record.ask(ada, 200, "GET", "/api/invitations")["invitations"]), 1, "invitations")
    record.ask(ada, 204, "PUT", f"/api/invitations/{invited}")
    record.ask(ada, 404, "PUT", f"/api/invitations/{NOBODY}")
    record.ask(ada, 404, "DELETE", f"/api/invitations/{NOBODY}")
    second = record.ask(ada, 201, "POST", "/api/invitations", {**guest, "email": "hal@probe-works.example"})["id"]
    record.ask(ada, 204, "DELETE", f"/api/invitations/{second}")
    token, password = token_of(cluster, guest["email"]), "sixty-one-bold-otters-swim-33"
    record.ask(stranger, 422, "POST", "/api/invitation", {"token": token, "password": "password"})
    record.ask(stranger, 401, "POST", "/api/invitation", {"token": "none", "password": password})
    place = record.ask(stranger, 200, "POST", "/api/invitation", {"token": token, "password": password})["organisation"]
    equal(place, LOGIN["tenant"], "where to sign in")
    gil = Client(gateway)
    gil.sign_in({"tenant": place, "email": guest["email"], "password": password})
    record.ask(stranger, 204, "POST", "/api/password-reset", {"tenant": place, "email": guest["email"]})
    record.ask(stranger, 204, "POST", "/api/password-reset", {"tenant": place, "email": "nobody@probe-works.example"})
    record.ask(stranger, 422, "POST", "/api/password-reset", {"tenant": place})
    token = token_of(cluster, guest["email"])
    record.ask(stranger, 401, "PUT", "/api/password-reset", {"token": "none", "password": password})
    record.ask(stranger, 422, "PUT", "/api/password-reset", {"token": token, "password": password})
    record.ask(stranger, 200, "PUT", "/api/password-reset", {"token": token, "password": "ninety-two-wry-ravens-hop-41"})
    record.ask(gil, 401, "GET", "/api/sessions")
    gil.sign_in({"tenant": place, "email": guest["email"], "password": "ninety-two-wry-ravens-hop-41"})
    mine = record.ask(gil, 200, "GET", "/api/sessions")["sessions"]
    equal([(one["live"], one["current"], one["end_reason"]) for one in mine], [(True, True, None), (False, False, "credentials_changed")], "sessions")
    everybody = record.ask(ada, 200, "GET", "/api/sessions?of=everybody")["sessions"]
    his = next(one["id"] for one in everybody if one["user_id"] == invited)
    record.ask(gil, 404, "DELETE", f"/api/sessions/{NOBODY}")
    record.ask(ada, 204, "DELETE", f"/api/sessions/{his}")
    record.ask(gil, 401, "GET", "/api/sessions")


def lower_rank(record, gateway, ada, user, person):
    uma = Client(gateway)
    uma.sign_in({"tenant": LOGIN["tenant"], "email": person["email"], "password": person["password"]})
    record.ask(uma, 200, "GET", "/api/dashboard")
    record.ask(uma, 200, "GET", "/api/users")
    record.ask(uma, 403, "POST", "/api/teams", {"name": "Mine"})
    for page in ("entries", "entries/0", "entries/0/receipt", "seals", "bundle", "checkpoint", "inclusion?leaf=0", "consistency?first=1", "verifications/1"):
        record.ask(uma, 403, "GET", f"/api/ledger/{page}")
    record.ask(uma, 403, "POST", "/api/ledger/verifications")
    record.ask(ada, 204, "DELETE", f"/api/users/{user}")
    record.ask(uma, 401, "GET", "/api/dashboard")


LARGE = """
CREATE FUNCTION public.large(r aegis.request) RETURNS aegis.response LANGUAGE plpgsql AS $$
BEGIN
  RETURN aegis.respond(200, file => convert_to(repeat('x', (r.query ->> 'bytes')::integer), 'UTF8'));
END $$;
GRANT EXECUTE ON FUNCTION public.large(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/large', 'public.large(aegis.request)', public => true);
"""


def large_files(report, cluster, gateway):
    with report.test("a-file-of-16-MB-arrives-whole-and-a-larger-one-not-at-all"):
        client = Client(gateway, timeout=60)
        cluster.sql(LARGE)
        until(lambda: client.request("GET", "/api/large?bytes=1").status == 200, what="the route at the gateway")
        reply = client.request("GET", f"/api/large?bytes={1 << 24}")
        equal((reply.status, len(reply.body), reply.headers["content-type"], reply.headers["content-disposition"]),
              (200, 1 << 24, "application/octet-stream", "attachment"), "file")
        equal(client.request("GET", f"/api/large?bytes={(1 << 24) + 1}").status, 500, "larger")


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
    with ShortWindow() as cluster, Gateway(cluster) as gateway:
        record = Recorder()
        ada = None
        with report.test("every-route-answers"):
            ada = session(record, gateway)
            ada.sign_in(LOGIN)
            user, person = organisation(record, ada)
            customer = customers(record, ada)
            invoices(record, ada, customer)
            webhooks(record, ada)
            unsigned(record, ada)
            ledger(record, ada)
            with Signer(cluster):
                signed(record, ada)
            payments(record, cluster, ada, customer)  # after the ledger, whose first tile is not full
            mia = second_person(record, ada, Client(gateway), LOGIN["tenant"])
            subject = check(record, ada, mia)
            privacy(record, ada, subject)
            with Signer(cluster):
                erasure(record, cluster, ada, mia)
            suspicion(record, ada, mia, subject)
            security(record, gateway, ada, user, person)
            links(record, gateway, cluster, ada)
            goods = {"customer_id": customer, "currency": "GBP", "lines": [{"description": "Check-up", "unit_minor": "6500"}]}
            after_sending.links(record, ada, Client(gateway), goods)
            after_sending.pay(record, ada, Client(gateway), goods)
            after_sending.credit_notes(record, ada, goods)
            sign_up(record, gateway, cluster)
            issuers(record, cluster, gateway)
            for path, watcher in dict.fromkeys(("/api/metrics", "/api/health"), Service(cluster, gateway, "watcher", "{metrics:read}", "NULL")).items():
                record.ask(Client(gateway), 200, "GET", path, headers=watcher.fields("GET", path))
            lower_rank(record, gateway, ada, user, person)
            files(report, ada)
        with report.test("a-dump-holds-nothing-that-a-person-said"):
            dump_is_silent(cluster)
        with report.test("whatever-is-sent-is-answered-below-500"):
            document = Client(gateway).request("GET", "/api/openapi.json").json()
            draft = record.ask(ada, 201, "POST", "/api/invoices", {"customer_id": customer, "currency": "EUR"})["id"]
            garbled(record, ada, document, {"/api/users/": user, "/api/customers/": customer, "/api/invoices/": draft})
        if not LONG:
            print("skip openapi/every-wrong-value (takes more than a minute)")
        place = folder("openapi")
        document, answers = os.path.join(place, "openapi.json"), os.path.join(place, "answers")
        with open(document, "wb") as file:
            file.write(Client(gateway).request("GET", "/api/openapi.json").body)
        with open(answers, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(answer) + "\n" for answer in record.answers)
        with report.test("document-and-answers"):
            done = subprocess.run(["node", PROGRAM, document, answers], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            print(done.stdout, end="", flush=True)
            shutil.rmtree(place)
            equal(done.returncode, 0, "node")
        with report.test("an-operator-closes-the-document-to-strangers"):
            cluster.sql("SELECT aegis.register_route('GET', '/api/openapi.json', 'aegis.get_openapi(aegis.request)', "
                        "summary => 'This document', tag => 'Service')", user="operator")
            until(lambda: Client(gateway).request("GET", "/api/openapi.json").status == 401, what="the refusal of a stranger")
            equal("/api/customers" in ada.request("GET", "/api/openapi.json").json()["paths"], True, "paths for a member")
        large_files(report, cluster, gateway)
    report.finish()


main()
