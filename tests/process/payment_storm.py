# SPDX-License-Identifier: Apache-2.0
"""What providers say, in every order, doubled, lost and sent again, by several sessions at once that are killed in between: the state
is what the set of messages means, worked out here by itself. For tests/process/payment.sh:

    payment_storm.py SOCKET TENANT TOKEN CASES SEED KILLS"""
import json
import os
import queue
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
sys.dont_write_bytecode = True

from libpq import Refused, Session  # noqa: E402

SOCKET, TENANT, TOKEN = sys.argv[1:4]
CASES, SEED, KILLS = (int(a) for a in sys.argv[4:7])
TOTAL = 1000
chance = random.Random(SEED)
BEGIN = f"BEGIN; SET LOCAL ROLE aegis_owner; SELECT aegis.enter_outbound('{TENANT}')"


def literal(value):
    return "'" + json.dumps(value).replace("'", "''") + "'"


def message(kind, transaction, reference, amount, number, **more):
    return {"provider": "stripe", "account": "acct_storm", "kind": kind, "transaction_id": transaction, "reference": reference,
            "amount_minor": amount, "currency": "GBP", "live": False, "occurred_at": f"2030-01-01T{number // 60:02}:{number % 60:02}:00Z", **more}


class Case:
    """One invoice, the messages about it, and what they mean."""

    def __init__(self, number):
        self.number, self.messages, self.payments = number, [], {}
        self.cancelled = chance.random() < 0.1
        self.reference = None
        self.moment = 0

    def say(self, kind, transaction, amount=None, **more):
        self.moment += 1
        # The last part of the names: several messages tell of one effect.
        self.messages.append(message(kind, transaction, more.pop("reference", self.reference), amount, self.moment, **more))

    def fill(self):
        count = chance.choice((1, 1, 1, 2, 3))
        for at in range(count):
            transaction = f"pi_{self.number}_{at}"
            paid = {"taken": 0, "back": 0, "lost": 0, "open": 0, "aside": False, "void": False, "failed": False, "held": False, "at": None}
            self.payments[transaction] = paid
            if chance.random() < 0.4:
                self.say("authorised", transaction, TOTAL)
            if chance.random() < 0.2:
                self.say("failed", transaction)
                paid["failed"] = True
            if chance.random() < 0.1:
                self.say("held", transaction)
                paid["held"] = True
            if chance.random() < 0.85:
                self.capture(transaction, paid, count)
            elif not any(m["transaction_id"] == transaction for m in self.messages):
                self.say("authorised", transaction, TOTAL)
        if chance.random() < 0.2:
            self.say("expired", None)

    def capture(self, transaction, paid, count):
        amount = chance.choice((TOTAL, TOTAL, TOTAL // 2, TOTAL + 50, 1))
        currency = "EUR" if chance.random() < 0.08 else "GBP"
        self.say("settled", transaction, amount, currency=currency, last_four="4242")
        paid.update(taken=amount, aside=currency != "GBP" or self.cancelled, at=self.moment)
        for refund in range(chance.choice((0, 0, 1, 2))):
            part = chance.randint(1, amount)
            name = f"re_{transaction}_{refund}"
            if count == 1 and chance.random() < 0.3:  # the provider does not name the payment
                self.say("refunded", name, part, currency=currency, effect_reference=name)
            else:
                self.say("refunded", name, part, currency=currency, effect_reference=name, parent_transaction_id=transaction, reference=None)
            paid["back"] += part
            if chance.random() < 0.2:  # it came back to the provider
                self.say("refund_failed", name, part, effect_reference=name, parent_transaction_id=transaction, reference=None)
                paid["back"] -= part
        if chance.random() < 0.1:
            self.say("voided", transaction)
            paid["void"] = True
        if chance.random() < 0.25:
            about = {"effect_reference": f"dp_{transaction}", "parent_transaction_id": transaction, "reference": None, "currency": currency}
            part = chance.choice((amount, max(1, amount // 3)))
            self.say("dispute_opened", about["effect_reference"], part, **about)
            ends = chance.choice((None, "lost", "won", "lost won", "won lost"))
            paid["open"] = part
            for end in (ends or "").split():
                self.say("dispute_" + end, about["effect_reference"], part, **about)
                paid["open"], paid["lost"] = 0, part if end == "lost" else 0

    def deliveries(self):
        """Every message once at least, most of them more often."""
        return [(self, m, copy) for m in self.messages for copy in range(chance.choice((1, 1, 2, 3)))]

    def means(self):
        for paid in self.payments.values():
            paid["back"] = paid["taken"] if paid["void"] else min(paid["taken"], paid["back"])
        counted = [p for p in self.payments.values() if p["taken"] and not p["aside"]]
        came = sum(p["taken"] - p["lost"] for p in counted)
        back = sum(min(p["back"], p["taken"] - p["lost"]) for p in counted)
        excess = max(0, came - TOTAL)
        aside = sum(max(0, p["taken"] - p["lost"] - p["back"]) for p in self.payments.values() if p["aside"])
        paid = came - excess
        status = "cancelled" if self.cancelled else "paid" if paid == TOTAL else "partially_paid" if paid or any(p["lost"] for p in counted) else "sent"
        disputes = 0 if self.cancelled else sum(p["open"] > 0 for p in counted)
        return {"status": status, "applied": paid, "refunded": max(0, back - excess), "disputes": disputes,
                "unapplied": max(0, excess - back) + aside,
                "payments": {t: [self.status_of(p), p["taken"], p["back"], p["open"], p["lost"]] for t, p in self.payments.items()}}

    @staticmethod
    def status_of(p):
        if p["void"]:
            return "voided"
        if p["taken"]:
            return ("charged_back" if p["lost"] >= p["taken"] else "disputed" if p["open"] else "refunded" if p["back"] >= p["taken"]
                    else "partially_refunded" if p["back"] else "captured")
        return "failed" if p["failed"] else "held" if p["held"] else "authorised"


def connect():
    until = time.monotonic() + 60
    while True:
        try:
            return Session(SOCKET, "postgres")
        except Refused:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def prepare(cases):
    """Invoices that were sent, each with a checkout; some are cancelled then."""
    session = Session(SOCKET, "member")
    session.run(f"BEGIN; SELECT aegis.authenticate('{TOKEN}')")
    for case in cases:
        case.invoice, case.reference = session.run(f"SELECT * FROM public.storm_invoice({TOTAL})")[0]
        if case.cancelled:
            body = literal({"reason": "changed their mind"})
            session.run(f"SELECT aegis_app.cancel_invoice(public.storm_body({body}, {literal({'id': case.invoice})}))")
    session.run("COMMIT")
    session.close()
    for case in cases:
        case.fill()


class Sender(threading.Thread):
    def __init__(self, work, seed):
        super().__init__()
        self.work, self.chance, self.session, self.lost, self.fault = work, random.Random(seed), None, 0, None

    def run(self):
        try:
            while True:
                self.send(self.work.get_nowait())
        except queue.Empty:
            pass
        except Exception as fault:  # the main thread tells of it
            self.fault = fault
        if self.session:
            self.session.close()

    def send(self, delivery):
        case, said, copy = delivery
        event = dict(said, event_id=f"evt_{case.number}_{case.messages.index(said)}_{copy}")
        self.session = self.session or connect()
        try:
            self.session.run(BEGIN)
            self.session.run(f"SELECT aegis_app.apply_payment_event(jsonb_populate_record(NULL::aegis_app.provider_event, {literal(event)}))")
            if self.chance.random() < 0.1:  # as good as never sent
                self.session.run("ROLLBACK")
                self.work.put(delivery)
                return
            self.session.run("COMMIT")
        except Refused as refused:
            # The server ended us, or will in a moment; whoever gets no answer sends again.
            if refused.state not in ("08006", "57P01", "57P02", "57P03"):
                raise
            self.session.close()
            self.session = None
            self.lost += 1
            self.work.put(delivery)


def kill_some(work, kills):
    """Backends of ours, hard, in the middle of it."""
    done, step = 0, max(1, work.qsize() // (kills + 1))
    left = work.qsize()
    while done < kills and work.qsize():
        if work.qsize() > left - step * (done + 1):
            time.sleep(0.01)
            continue
        try:
            session = connect()
            pids = session.run("SELECT pid FROM pg_stat_activity WHERE query LIKE '%apply_payment_event%' AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
            session.close()
            if pids:
                os.kill(int(pids[0][0]), signal.SIGKILL)
                done += 1
        except (Refused, ProcessLookupError):
            time.sleep(0.05)
    return done


def state(session, case):
    i = session.run(f"SELECT status, applied_minor, refunded_minor, open_disputes FROM aegis_app.invoice WHERE id = '{case.invoice}'")[0]
    payments = session.run("SELECT transaction_id, status, amount_minor, refunded_minor, disputed_minor, lost_minor, unapplied_minor FROM aegis_app.payment "
                           f"WHERE invoice_id = '{case.invoice}'")
    return {"status": i[0], "applied": int(i[1]), "refunded": int(i[2]), "disputes": int(i[3]), "unapplied": sum(int(p[6]) for p in payments),
            "payments": {p[0]: [p[1], *map(int, p[2:6])] for p in payments}}


def check(cases):
    session, wrong = connect(), []
    session.run("SET row_security = off")
    for case in cases:
        found, meant = state(session, case), case.means()
        if found != meant:
            wrong.append((case, found, meant))
    totals = session.run(
        "SELECT (SELECT count(*) FROM aegis_app.held_event WHERE state = 'held'), (SELECT count(*) FROM aegis_app.payment_effect), "
        "(SELECT count(*) FROM aegis.audit_log WHERE event IN ('payment.authorized', 'payment.captured', 'payment.failed', 'payment.held', 'payment.voided', "
        "'payment.refund.succeeded', 'payment.refund.failed', 'payment.dispute.opened', 'payment.dispute.closed')), (SELECT count(*) FROM aegis_app.payment_effect WHERE applied_minor > 0), "
        "(SELECT count(*) FROM aegis.audit_log WHERE event = 'invoice.payment_applied')")[0]
    effects = sum(len({(m.get("parent_transaction_id") or m["transaction_id"], m["kind"], m.get("effect_reference")) for m in c.messages if m["kind"] != "expired"})
                  for c in cases)
    session.close()
    return wrong, [int(n) for n in totals], effects


def main():
    cases = [Case(n) for n in range(CASES)]
    prepare(cases)
    deliveries = [d for case in cases for d in case.deliveries()]
    chance.shuffle(deliveries)
    work = queue.Queue()
    for delivery in deliveries:
        work.put(delivery)
    senders = [Sender(work, SEED * 10 + n) for n in range(4)]
    for sender in senders:
        sender.start()
    killed = kill_some(work, KILLS)
    for sender in senders:
        sender.join()
    for sender in senders:
        if sender.fault:
            sys.exit(f"a sender met {type(sender.fault).__name__}: {sender.fault}")
    while work.qsize():  # what a sender that had ended would have sent
        last = Sender(work, SEED)
        last.run()
        if last.fault:
            sys.exit(f"a sender met {last.fault}")
    wrong, (held, effects, entries, applying, applied), meant = check(cases)
    for case, found, wanted in wrong[:3]:
        print(json.dumps({"messages": case.messages, "cancelled": case.cancelled, "found": found, "wanted": wanted}, indent=1))
    if wrong or held or effects != meant or entries != effects or applied != applying or killed < KILLS:
        sys.exit(f"{len(wrong)} of {CASES} cases differ; {held} held; effects {effects}, meant {meant}, entries {entries}; "
                 f"applications {applying}, entries {applied}; {killed} kills of {KILLS}")
    print(f"{CASES} sets of {sum(len(c.messages) for c in cases)} messages in {len(deliveries)} deliveries, {killed} backends killed, "
          f"{sum(s.lost for s in senders)} deliveries lost and sent again: {effects} effects, one entry each")


main()
