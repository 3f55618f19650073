#!/usr/bin/env python3
"""The way of the money, whole: an invoice, a page at a provider that is simulated, a payer, a signed webhook, paid. What is replayed, forged,
doubled, reordered, late or of another amount pays nothing twice and loses nothing, nor does what a backend was killed over; the browser's
return pays nothing at all."""
import base64
import concurrent.futures
import email
import email.policy
import glob
import http.client
import json
import os
import re
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from libpq import Session  # noqa: E402
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import run  # noqa: E402
from fixture.provider import Agent, Provider  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.webhook import signed_stripe  # noqa: E402

STRIPE = "whsec_simulated_secret"
ANET = "0123456789ABCDEF" * 8
RETURN = "https://pay.example/back"


class World:
    def __init__(self, cluster, gateway, provider):
        self.cluster, self.gateway, self.provider = cluster, gateway, provider
        self.user = Client(gateway)
        self.user.sign_in(LOGIN)
        self.stranger = Client(gateway)
        self.customer = self.post("/api/customers", {"name": "Payer"}, 201)["id"]
        self.stripe, self.anet = (
            self.post("/api/payment-accounts", {"provider": name, "account": account, "currency": currency, "live": False, "destination": name,
                                                "return_url": RETURN, "credential": credential, "offered": True}, 201)["id"]
            for name, account, currency, credential in (("stripe", "acct_shop", "GBP", {"key": "sk_test_canary4711"}),
                                                        ("authorize_net", "merchant", "USD", {"name": "login", "key": "canary4711"})))
        self.paths = {}
        for name, account, secret, currency in (("stripe", "acct_shop", STRIPE, None), ("authorize_net", "merchant", ANET, "USD")):
            self.paths[name] = self.post("/api/webhook-endpoints", {"provider": name, "account": account, "secret": secret, "live": False, "currency": currency}, 201)["path"]
            provider.control("webhook", provider=name, url=f"https://localhost:{gateway.port}{self.paths[name]}", secret=secret, ca=gateway.certificate)
        self.keys = 0

    def post(self, path, body, status, key=None):
        reply = self.user.request("POST", path, body, {"Idempotency-Key": key} if key else None)
        equal(reply.status, status, f"{path}: {reply.body}")
        return reply.json() if reply.body else None

    def get(self, path):
        reply = self.user.request("GET", path)
        equal(reply.status, 200, f"{path}: {reply.body}")
        return reply.json()

    def invoice(self, total, currency="GBP"):
        made = self.post("/api/invoices", {"customer_id": self.customer, "currency": currency,
                                           "lines": [{"description": "work", "unit_minor": str(total)}]}, 201)["id"]
        self.post(f"/api/invoices/{made}/send", {}, 200)
        return made

    def checkout(self, invoice, account=None):
        """A page is made; (the checkout with the way to it, its reference)."""
        begun = self.post(f"/api/invoices/{invoice}/checkouts", {"account_id": account or self.stripe}, 201)
        is_open = until(lambda: (lambda c: c if c["status"] == "open" else None)(self.get(f"/api/checkouts/{begun['id']}")), 20, "a page is made")
        return is_open, self.cluster.sql(f"SELECT reference FROM aegis_app.checkout WHERE id = '{begun['id']}'")

    def money(self, invoice):
        i = self.get(f"/api/invoices/{invoice}")
        m = self.get(f"/api/invoices/{invoice}/payments")
        return i["status"], int(m["paid_minor"]), int(m["unapplied_minor"]), int(m["refunded_minor"])

    def settled(self, event, total):
        """An invoice that was sent, and Stripe's word that it is paid."""
        invoice = self.invoice(total)
        said = {"id": event, "object": "event", "type": "payment_intent.succeeded", "livemode": False, "created": 1900000000, "data": {"object": {
            "id": "pi_of_" + event, "amount_received": total, "currency": "gbp", "status": "succeeded", "metadata": {"aegis_reference": self.checkout(invoice)[1]}}}}
        return invoice, json.dumps(said).encode()

    def deliver(self, body):
        """The status, or none when the connection broke."""
        client = Client(self.gateway, timeout=60)
        try:
            return client.request("POST", self.paths["stripe"], body, signed_stripe(body, STRIPE)).status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()

    def kept(self, event):
        """States of the messages of this id, effects of its payment, entries that it was applied, and that it came again."""
        return self.cluster.sql(f"""SELECT (SELECT string_agg(state, ' ') FROM aegis_app.webhook_event WHERE event_id = '{event}'),
          (SELECT count(*) FROM aegis_app.payment_effect WHERE transaction_id = 'pi_of_{event}'),
          (SELECT count(*) FROM aegis.audit_log WHERE event = 'webhook.received' AND target_id = '{event}'),
          (SELECT count(*) FROM aegis.audit_log WHERE event = 'webhook.duplicate' AND target_id = '{event}')""")

    def states(self):
        return self.cluster.sql("SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM aegis_app.webhook_event GROUP BY 1) s")


def whole(report, w):
    with report.test("the whole way at Stripe"):
        invoice = w.invoice(12345)
        page, _ = w.checkout(invoice)
        equal((page["go"]["method"], page["go"]["url"].startswith(w.provider.address + "/page/"), page["go"]["token"]), ("GET", True, None))
        status, _, form = w.provider.fetch(page["go"]["url"])
        assert status == 200 and b"12345" in form, form
        # A payer; three messages of one settlement follow before the browser is sent back.
        status, headers, _ = w.provider.fetch(page["go"]["url"], urllib.parse.urlencode({"card": "4242424242424242"}).encode())
        equal((status, headers["Location"]), (303, RETURN))
        equal(w.money(invoice), ("paid", 12345, 0, 0))
        paid = w.get(f"/api/invoices/{invoice}/payments")["payments"]
        equal([(p["status"], p["brand"], p["last_four"], [e["effect"] for e in p["effects"]]) for p in paid], [("captured", "visa", "4242", ["capture"])])
        equal(w.get(f"/api/checkouts/{page['id']}")["status"], "paid")
        equal(w.states(), "applied 1, duplicate 2", "what the three messages became")
    with report.test("the whole way at Authorize.Net"):
        invoice = w.invoice(5000, "USD")
        page, _ = w.checkout(invoice, w.anet)
        equal(page["go"]["method"], "POST")
        status, _, _ = w.provider.fetch(f"{w.provider.address}/page/{page['go']['token']}", urllib.parse.urlencode({"card": "5555555555554444"}).encode())
        equal((status, w.money(invoice)), (303, ("paid", 5000, 0, 0)))
        w.cluster.sql("UPDATE aegis.outbox SET not_before = now() WHERE kind = 'payment' AND state = 'waiting' AND target LIKE 'details %'; NOTIFY aegis_outbox")
        until(lambda: w.get(f"/api/invoices/{invoice}/payments")["payments"][0]["last_four"] == "4444", 20, "what the message leaves out is fetched")


def refused(report, w):
    invoice = w.invoice(900)
    page, reference = w.checkout(invoice)
    w.provider.control("misbehave", hold=True)
    w.provider.control("pay", reference=reference)
    with report.test("the browser's return settles nothing"):
        equal(w.money(invoice), ("sent", 0, 0, 0))
        for path in (f"/api/checkouts/{page['id']}?payment_intent=pi_forged&redirect_status=succeeded", f"/api/invoices/{invoice}?transactResponse=%7B%22responseCode%22%3A1%7D"):
            w.user.request("GET", path)
        equal(w.money(invoice), ("sent", 0, 0, 0))
    for name, way, status in (("forged", {"forged": True}, 401), ("an hour late", {"late": 3600}, 401), ("from the future", {"late": -3600}, 401), ("cut", {"malformed": True}, 400)):
        with report.test(f"refused/{name}"):
            w.provider.control("misbehave", hold=True, **way)
            w.provider.control("pay", reference=reference, transaction="pi_" + "refused")
            answers = w.provider.control("deliver")
            equal(({a["status"] for a in answers}, w.money(invoice)), ({status}, ("sent", 0, 0, 0)))
    with report.test("refused/nobody signed it"):
        body = json.dumps({"id": "evt_unsigned", "type": "payment_intent.succeeded", "livemode": False, "data": {"object": {
            "id": "pi_unsigned", "amount_received": 900, "currency": "gbp", "metadata": {"aegis_reference": reference}}}}).encode()
        equal((w.stranger.request("POST", w.paths["stripe"], body, {"Content-Type": "application/json"}).status, w.money(invoice)), (401, ("sent", 0, 0, 0)))
    w.provider.control("misbehave")


def once(report, w):
    invoice = w.invoice(700)
    _, reference = w.checkout(invoice)
    with report.test("once/doubled and in the wrong order"):
        w.provider.control("misbehave", hold=True, duplicate=2, reorder=True)
        paid = w.provider.control("pay", reference=reference)
        w.provider.control("refund", transaction=paid["id"], amount=200)
        equal({a["status"] for a in w.provider.control("deliver")}, {200})
        equal(w.money(invoice), ("paid", 700, 0, 200))
        w.provider.control("misbehave")
    with report.test("once/replayed, and under another id"):
        before = w.cluster.sql("SELECT count(*) FROM aegis_app.payment_effect")
        equal((w.provider.control("replay")["status"], w.provider.control("replay", same_id=False)["status"]), (200, 200))
        equal((w.money(invoice), w.cluster.sql("SELECT count(*) FROM aegis_app.payment_effect")), (("paid", 700, 0, 200), before))
    with report.test("once/another amount under another id"):
        said = {"id": "evt_amount", "object": "event", "type": "payment_intent.succeeded", "livemode": False, "created": 1900000000, "data": {"object": {
            "id": paid["id"], "amount_received": 70000, "currency": "gbp", "status": "succeeded", "metadata": {"aegis_reference": reference}}}}
        equal((w.provider.control("post", provider="stripe", body=json.dumps(said))["status"], w.money(invoice)), (200, ("paid", 700, 0, 200)))
        equal(w.cluster.sql("SELECT state FROM aegis_app.webhook_event WHERE event_id = 'evt_amount'"), "conflict")
    with report.test("once/entries of the ledger"):
        equal(w.cluster.sql("SELECT count(*) FROM aegis.audit_log WHERE event = 'invoice.payment_applied' AND target_id = '%s'" % invoice), "1")


def at_once(report, w):
    with report.test("once/a hundred at once"):
        invoice, body = w.settled("evt_hundred", 600)
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(w.deliver, [body] * 100))
        # Whoever came while there was no room comes again.
        assert set(statuses) <= {200, 429, 503} and 200 in statuses, statuses
        equal((w.money(invoice), w.kept("evt_hundred")), (("paid", 600, 0, 0), f"applied|1|1|{statuses.count(200) - 1}"))


class Standby:
    """While it is waited for, what committed is not answered."""

    def __init__(self, w):
        self.cluster = w.cluster

    def set(self, name):
        with open(os.path.join(self.cluster.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"synchronous_standby_names = '{name}'\n")

    def reload(self):
        run([f"{BIN}/pg_ctl", "reload", "-D", self.cluster.data])


def answers(w):
    """The database, after its backends were ended."""
    try:
        return w.cluster.sql("SELECT 1") == "1"
    except RuntimeError:
        return False


def killed(report, w):
    """The backend that takes a webhook is killed at a point that is known."""
    def waits_for(event):
        return until(lambda: w.cluster.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event_type || '.' || wait_event IN ({event})"), 20, event)

    def again(body):
        until(lambda: w.deliver(body) == 200, 60, "the message is taken when it comes again")
    (invoice, body), (other, other_body) = w.settled("evt_before", 800), w.settled("evt_after", 850)
    with report.test("killed/between the message and the commit"), concurrent.futures.ThreadPoolExecutor(1) as pool:
        # Its row stands when it waits for that of the invoice.
        with Session(w.cluster.folder, "postgres", w.cluster.database) as holder:
            holder.run(f"BEGIN; SELECT FROM aegis_app.invoice WHERE id = '{invoice}' FOR UPDATE")
            first = pool.submit(w.deliver, body)
            backend = waits_for("'Lock.transactionid', 'Lock.tuple'")
            equal(w.cluster.sql(f"SELECT count(*) FROM pg_locks WHERE pid = {backend} AND relation = 'aegis_app.webhook_event'::regclass AND mode = 'RowExclusiveLock'"), "1")
            w.cluster.crash(backend)
        equal(first.result(60), 503, "the provider is told to come again")
        until(lambda: answers(w), 60, "the database")
        equal(w.kept("evt_before"), "|0|0|0")
        again(body)
        equal((w.money(invoice), w.kept("evt_before")), (("paid", 800, 0, 0), "applied|1|1|0"))
    with report.test("killed/between the commit and the answer"), concurrent.futures.ThreadPoolExecutor(2) as pool:
        standby = Standby(w)
        standby.set("nobody")
        standby.reload()

        def commits_wait():
            # What the checkpointer has read counts, whatever a session shows. Whoever waits then waits on, until the server dies.
            probe = pool.submit(w.cluster.sql, "SELECT pg_logical_emit_message(true, 'probe', '')")
            return until(lambda: probe.done() or w.cluster.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'postgres' AND wait_event = 'SyncRep'"), 20, "a commit") is not True
        until(commits_wait, 20, "a standby is waited for")
        try:
            first = pool.submit(w.deliver, other_body)

            def waiting():
                return w.cluster.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event = 'SyncRep'")
            w.cluster.crash(until(waiting, 20, "the commit waits"))
        finally:
            standby.set("")
            standby.reload()
        equal(first.result(60), 503, "nobody was told that it was taken")
        until(lambda: answers(w), 60, "the database")
        equal((w.cluster.sql("SHOW synchronous_standby_names"), w.kept("evt_after")), ("", "applied|1|1|0"), "it had been taken")
        again(other_body)
        equal((w.money(other), w.kept("evt_after")), (("paid", 850, 0, 0), "applied|1|1|1"))


def kept(report, w):
    with report.test("kept/paid after it was cancelled"):
        invoice = w.invoice(400)
        page, reference = w.checkout(invoice)
        w.post(f"/api/invoices/{invoice}/cancel", {"reason": "changed their mind"}, 200)
        equal(w.get(f"/api/checkouts/{page['id']}")["status"], "cancelled")
        closed = "SELECT result_ref FROM aegis.outbox WHERE kind = 'payment' AND target LIKE 'expire %s %%'" % page["id"]
        until(lambda: w.cluster.sql(closed) == "expired", 20, "the page is closed at the provider")
        equal(w.provider.fetch(page["go"]["url"], urllib.parse.urlencode({"card": "4242424242424242"}).encode())[0], 409, "nobody can pay there")
        w.provider.control("pay", reference=reference)  # whoever was faster
        equal(w.money(invoice), ("cancelled", 0, 400, 0))
        late = next(p for p in w.get("/api/unapplied")["payments"] if p["invoice_id"] == invoice)
        equal((late["set_aside"], late["unapplied_minor"]), ("late", "400"))
    with report.test("kept/and given to another invoice"):
        other = w.invoice(500)
        w.post(f"/api/payments/{late['id']}/match", {"invoice_id": other}, 200, "match-1")
        equal((w.money(other), w.money(invoice)), (("partially_paid", 400, 0, 0), ("cancelled", 0, 0, 0)))
    with report.test("kept/more than was asked for, and in another currency"):
        more, euros = w.invoice(100), w.invoice(100)
        w.provider.control("pay", reference=w.checkout(more)[1], amount=150)
        w.provider.control("pay", reference=w.checkout(euros)[1], currency="eur")
        equal((w.money(more), w.money(euros)[:2]), (("paid", 100, 50, 0), ("sent", 0)))
        equal(w.get(f"/api/invoices/{euros}/payments")["payments"][0]["unapplied_minor"], "100")


def back(report, w):
    with report.test("given back, once"):
        invoice = w.invoice(1000)
        w.provider.control("pay", reference=w.checkout(invoice)[1])
        payment = w.get(f"/api/invoices/{invoice}/payments")["payments"][0]["id"]
        equal(w.user.request("POST", f"/api/payments/{payment}/refunds", {"amount_minor": "300", "reason": "broken"}).status, 400, "without a key")
        for _ in range(2):
            w.post(f"/api/payments/{payment}/refunds", {"amount_minor": "300", "reason": "broken"}, 202, "refund-1")
        until(lambda: w.money(invoice) == ("paid", 1000, 0, 300), 20, "the refund arrives")
        # Its webhook may come before the answer of the call.
        until(lambda: [r["status"] for r in w.get(f"/api/payments/{payment}/refunds")["refunds"]] == ["succeeded"], 20, "the refund is known to have succeeded")
    with report.test("disputed, lost"):
        transaction = w.get(f"/api/payments/{payment}")["transaction_id"]
        w.provider.control("dispute", transaction=transaction)
        assert "disputed" in w.get(f"/api/invoices/{invoice}")["derived"]
        w.provider.control("dispute", transaction=transaction, result="lost")
        equal(w.get(f"/api/payments/{payment}")["status"], "charged_back")
    with report.test("a lost message is fetched by its id"):
        invoice = w.invoice(250)
        w.provider.control("misbehave", forged=True)
        w.provider.control("pay", reference=w.checkout(invoice)[1])
        equal(w.money(invoice)[0], "sent")
        w.provider.control("misbehave")
        event = w.provider.control("sent")[-1]
        w.post("/api/payments/refetch", {"account_id": w.stripe, "event_id": event}, 202)
        until(lambda: w.money(invoice) == ("paid", 250, 0, 0), 20, "the event is applied")


class Payer(Client):
    """Whoever has the link of an invoice, and nothing else."""

    def __init__(self, w, invoice):
        self.link = w.post(f"/api/invoices/{invoice}/links", {}, 201)
        super().__init__(w.gateway, self.link["token"])

    def begin(self):
        reply = self.request("POST", "/api/invoice-view/checkout")
        return reply.status, reply.json()["type"].rsplit(":", 1)[1] if reply.status >= 400 else reply.json()

    def attempt(self):
        return self.request("GET", "/api/invoice-view/checkout").json()

    def page(self):
        return until(lambda: (lambda a: a if a["status"] == "open" else None)(self.attempt()), 20, "a page is made")

    def view(self):
        return self.request("POST", "/api/invoice-view").json()


def linked(report, w):
    def offer(account, offered):
        equal(w.user.request("PATCH", f"/api/payment-accounts/{account}", {"offered": offered}).status, 204)

    with report.test("by a link/refused without one, and where no account is offered"):
        equal(w.stranger.request("POST", "/api/invoice-view/checkout").status, 401)
        invoice = w.invoice(4321)
        payer = Payer(w, invoice)
        equal((payer.view()["payable"], payer.request("GET", "/api/invoice-view/checkout").status), (True, 404))
        offer(w.stripe, False)
        equal((payer.view()["payable"], payer.begin()), (False, (409, "not-payable-here")))
        equal(w.cluster.sql("SELECT string_agg(detail ->> 'offered', ' ') FROM aegis.audit_log WHERE event = 'payment.account_offered'"), "false")
        offer(w.stripe, True)
        equal(w.user.request("PATCH", f"/api/payment-accounts/{w.stripe}", {}).status, 422)
    with report.test("by a link/two clicks are one page"):
        clicks = [Client(w.gateway, payer.token) for _ in range(4)]
        statuses = []
        threads = [threading.Thread(target=lambda c=c: statuses.append(c.request("POST", "/api/invoice-view/checkout").status)) for c in clicks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(statuses, [200] * 4)
        equal(w.cluster.sql(f"SELECT count(*) FROM aegis_app.checkout WHERE invoice_id = '{invoice}'"), "1")
    with report.test("by a link/to the page and back"):
        page = payer.page()
        equal((set(page), page["amount_minor"], page["go"]["method"], page["go"]["url"].startswith(w.provider.address + "/page/")),
              ({"status", "provider", "amount_minor", "currency", "expires_at", "go"}, "4321", "GET", True))
        equal((Payer(w, w.invoice(1)).request("GET", "/api/invoice-view/checkout").status), 404, "of another invoice")
        w.provider.control("misbehave", hold=True)
        status, headers, _ = w.provider.fetch(page["go"]["url"], urllib.parse.urlencode({"card": "4242424242424242"}).encode())
        equal((status, headers["Location"]), (303, "https://localhost/invoice?back"))
        assert payer.token not in w.provider.output()
        # The browser is back, and nobody has told.
        equal((payer.view()["status"], payer.view()["due_minor"], payer.begin()[0]), ("sent", "4321", 200))
        w.provider.control("misbehave")
        w.provider.control("deliver")
        equal((payer.view()["status"], payer.view()["payable"], payer.begin()), ("paid", False, (409, "nothing-due")))
    with report.test("by a link/a form at Authorize.Net"):
        dollars = Payer(w, w.invoice(700, "USD"))
        equal(dollars.begin()[0], 200)
        go = dollars.page()["go"]
        equal((go["method"], go["url"], go["token"].startswith("token_")), ("POST", "https://test.authorize.net/payment/payment", True))
    with report.test("by a link/of a page that a user began, and not while its end is unknown"):
        invoice = w.invoice(600)
        page, _ = w.checkout(invoice)
        payer = Payer(w, invoice)
        equal((payer.begin()[0], payer.attempt()["go"]["url"]), (200, page["go"]["url"]))
        w.cluster.sql(f"UPDATE aegis_app.checkout SET expires_at = now() - interval '1 s' WHERE id = '{page['id']}'")
        equal(payer.begin(), (409, "attempt-unresolved"))
    with report.test("by a link/not as often as one likes"):
        invoice = w.invoice(300)
        payer = Payer(w, invoice)
        for _ in range(5):
            equal(payer.begin()[0], 200)
            w.cluster.sql(f"UPDATE aegis_app.checkout SET status = 'failed', error = 'refused', ended_at = now() WHERE invoice_id = '{invoice}' AND ended_at IS NULL")
        equal(payer.begin(), (409, "too-many-attempts"))
        equal(w.user.request("POST", f"/api/invoices/{invoice}/checkouts", {"account_id": w.stripe}).status, 201, "who has an account may")
    with report.test("by a link/that was taken back, of an invoice that is void"):
        invoice = w.invoice(200)
        payer, other = Payer(w, invoice), Payer(w, invoice)
        equal(w.user.request("DELETE", f"/api/invoices/{invoice}/links/{payer.link['id']}").status, 204)
        equal(payer.begin(), (401, "link-invalid"))
        w.post(f"/api/invoices/{invoice}/void", {"reason": "a mistake"}, 200)
        equal((other.begin(), other.view()["payable"]), ((409, "nothing-due"), False))
    with report.test("by a link/what is not made at the provider ends"):
        w.cluster.sql("UPDATE aegis.outbox_kind SET most_attempts = 1 WHERE name = 'payment'")
        payer = Payer(w, w.invoice(100, "EUR"))
        w.provider.control("misbehave", down=True)
        equal(payer.begin()[0], 200)
        until(lambda: payer.attempt()["status"] == "failed", 20, "the attempt ends")
        w.provider.control("misbehave")
        equal(payer.begin()[0], 200, "and another begins")
        w.cluster.sql("UPDATE aegis.outbox_kind SET most_attempts = 12 WHERE name = 'payment'")


def given_up(report, w):
    """Refunds that are not made, are made though nobody heard of it, fail later, or come back."""
    w.cluster.sql("UPDATE aegis.outbox_kind SET most_attempts = 1 WHERE name = 'payment'")
    invoice = w.invoice(1000)
    w.provider.control("pay", reference=w.checkout(invoice)[1])
    payment = w.get(f"/api/invoices/{invoice}/payments")["payments"][0]["id"]

    def ask(amount, key):
        return w.post(f"/api/payments/{payment}/refunds", {"amount_minor": str(amount), "reason": "broken"}, 202, key)["id"]

    def refund(one):
        return next(r for r in w.get(f"/api/payments/{payment}/refunds")["refunds"] if r["id"] == one)

    def becomes(one, status):
        return until(lambda: (lambda r: r if r["status"] == status else None)(refund(one)), 20, f"the refund is {status}")

    with report.test("a refund/never made: its amount is free again"):
        w.provider.control("misbehave", refunds="down")
        first = ask(600, "down-1")
        equal(becomes(first, "failed")["error"], "status_503")
        equal(w.money(invoice), ("paid", 1000, 0, 0))
        shown = w.get(f"/api/invoices/{invoice}/payments")["payments"][0]["refunds"]
        equal([(r["status"], r["error"], "reason" in r) for r in shown], [("failed", "status_503", False)])
        equal(w.cluster.sql(f"SELECT outcome || ' ' || (detail ->> 'code') FROM aegis.audit_log WHERE event = 'payment.refund.failed' AND target_id = '{first}'"), "failure status_503")
        try:
            w.cluster.sql(f"SELECT aegis.retry_outbound(o.id, 'again') FROM aegis.outbound o WHERE o.target LIKE 'refund {first} %'", user="operator")
            raise AssertionError("a refund that failed was sent again")
        except RuntimeError as refused:
            assert "cannot be tried again" in str(refused), refused
    with report.test("a refund/made, though nobody heard of it"):
        w.provider.control("misbehave", refunds="unheard", hold=True)
        unheard = ask(300, "unheard-1")
        becomes(unheard, "failed")
        w.provider.control("misbehave")
        equal({a["status"] for a in w.provider.control("deliver")}, {200})
        said = becomes(unheard, "succeeded")
        equal((said["error"], said["provider_refund_id"] is not None, w.money(invoice)), (None, True, ("paid", 1000, 0, 300)))
        equal(refund(first)["status"], "failed", "the other one")
        equal(w.user.request("POST", f"/api/payments/{payment}/refunds", {"amount_minor": "701", "reason": "x"}, {"Idempotency-Key": "too-much"}).status, 422)
    with report.test("a refund/that fails at the provider later"):
        w.provider.control("misbehave", refunds="pending")
        slow = ask(200, "slow-1")
        number = becomes(slow, "pending")["provider_refund_id"]
        w.provider.control("end_refund", refund=number, status="failed")
        equal((refund(slow)["status"], refund(slow)["error"], w.money(invoice)), ("failed", "expired_or_canceled_card", ("paid", 1000, 0, 300)))
    with report.test("a refund/that came back after it had succeeded"):
        w.provider.control("misbehave")
        rest = ask(700, "rest-1")
        number = becomes(rest, "succeeded")["provider_refund_id"]
        equal(w.money(invoice), ("paid", 1000, 0, 1000))
        for _ in range(2):
            w.provider.control("end_refund", refund=number, status="failed")
        equal((refund(rest)["status"], w.money(invoice), w.get(f"/api/payments/{payment}")["status"]), ("failed", ("paid", 1000, 0, 300), "partially_refunded"))
    w.cluster.sql("UPDATE aegis.outbox_kind SET most_attempts = 12 WHERE name = 'payment'")


def mailed(report, w, agent):
    customer = w.post("/api/customers", {"name": "Ölga Müller", "email": "olga@client.example"}, 201)["id"]
    invoice = w.post("/api/invoices", {"customer_id": customer, "currency": "GBP", "lines": [{"description": f"line {n}", "unit_minor": "100"} for n in range(120)]}, 201)["id"]
    w.post(f"/api/invoices/{invoice}/send", {}, 200)

    def arrived(count):
        files = until(lambda: (lambda found: found if len(found) == count else None)(sorted(glob.glob(f"{agent.mails}/*.eml"), key=os.path.getmtime)), 20, "the mail is in the folder")
        with open(files[-1], "rb") as file:
            raw = file.read()
        return raw, email.message_from_bytes(raw, policy=email.policy.default)

    with report.test("mail/the invoice goes along, as the file that the interface gives"):
        equal(w.post(f"/api/invoices/{invoice}/mail", {"language": "de"}, 202)["attached"], True)
        raw, mail = arrived(1)
        text, (file,) = mail.get_body().get_content(), list(mail.iter_attachments())
        link = re.search(r"https://localhost/invoice#(agu1_\S+)", text).group(1)
        equal((mail["To"], file.get_content_type(), "Rechnung INV-" in mail["Subject"]), ("olga@client.example", "application/pdf", True))
        pdf = file.get_content()
        own = w.user.request("GET", f"/api/invoices/{invoice}/pdf")
        equal((pdf == own.body, f'filename="{file.get_filename()}"' in own.headers["content-disposition"]), (True, True))
        equal(Client(w.gateway, link).request("GET", "/api/invoice-view/pdf").body == pdf, True, "behind the link")
        # What a reader of PDF begins with: the last table of objects, and the pages.
        start = int(re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", pdf).group(1))
        equal((pdf[:5], pdf[start:start + 4], len(re.findall(rb"/Type\s*/Page\b", pdf)) > 1), (b"%PDF-", b"xref", True))
        assert max(len(line) for line in raw.split(b"\r\n")) <= 78 and raw.replace(b"\r\n", b"").count(b"\n") == 0
        assert base64.b64encode(pdf[:30])[:40] in raw.replace(b"\r\n", b"")
    with report.test("mail/or not"):
        equal(w.post(f"/api/invoices/{invoice}/mail", {"attach": False}, 202)["attached"], False)
        _, mail = arrived(2)
        equal((mail.get_content_type(), list(mail.iter_attachments())), ("text/plain", []))
        equal(w.cluster.sql("SELECT string_agg(detail ->> 'attached', ' ' ORDER BY detail ->> 'attached') FROM aegis.audit_log WHERE event = 'invoice.mailed'"), "false true")
        equal(w.cluster.sql("SELECT count(*) FROM aegis.outbox WHERE kind = 'mail' AND payload IS NOT NULL"), "0", "nothing of it stays")


def nothing_lies_about(report, w, agent, gateway):
    with report.test("no credential and no card in what is kept or logged"):
        for name, text in (("agent", agent.output()), ("gateway", gateway.output())):
            assert "canary4711" not in text and "4242424242424242" not in text, name
        equal(w.cluster.sql("SELECT count(*) FROM aegis_app.payment p WHERE p::text ~ '2034|fingerprint|4242424242424242'"), "0")
        equal(w.cluster.sql("SELECT count(*) FROM aegis.outbox WHERE position('canary4711'::bytea IN payload) > 0"), "0")


def main():
    report = Report("payment")
    with Cluster() as cluster, Provider() as provider, Gateway(cluster) as gateway:
        cluster.sql(f"SELECT aegis.register_destination('stripe', '{provider.address}/stripe'), "
                    f"aegis.register_destination('authorize_net', '{provider.address}/authorize_net/xml/v1/request.api')", user="operator")
        with Agent(cluster, provider) as agent:
            world = World(cluster, gateway, provider)
            for part in (whole, refused, once, at_once, kept, back, linked, given_up):
                part(report, world)
            mailed(report, world, agent)
            killed(report, world)
            nothing_lies_about(report, world, agent, gateway)
    report.finish()


main()
