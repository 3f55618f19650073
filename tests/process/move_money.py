# SPDX-License-Identifier: Apache-2.0
"""A provider and a user of a tenant that moves, as the gateway brings what they ask; for tests/process/move_money.sh:

    move_money.py begin|traffic|gone|again|numbers|next SOCKET FACTS

FACTS is a file that holds what they know: the invoices to be paid, the messages that were answered, the numbers that were given out."""
import json
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, "..", "oracle"), os.path.join(here, "..", "server")]

from fixture.webhook import signed_stripe  # noqa: E402
from libpq import Session  # noqa: E402

COUNT, SECRET = 40, "whsec_of_the_move"
LOGIN = {"tenant": "cedar", "email": "ada@cedar.example", "password": "plum quartz lantern 47 river", "token": True}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Gateway:
    def __init__(self, socket, token=None):
        self.session, self.token = Session(socket, "gateway"), token

    def ask(self, method, path, body=None, headers=None):
        """(status, answer)"""
        fields = {"host": "a.test", **({"content-type": "application/json"} if body is not None else {}), **(headers or {})}
        if self.token:
            fields.setdefault("authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        listed = ", ".join(quoted(part) for pair in fields.items() for part in (pair[0].lower(), pair[1]))
        status, answer = self.session.run(f"SELECT status, encode(body, 'hex') FROM aegis.handle({quoted(method)}, {quoted(path)}, ARRAY[{listed}], "
                                          f"decode('{data.hex()}', 'hex'), '192.0.2.1', 'r-1')")[0]
        return int(status), json.loads(bytes.fromhex(answer)) if answer else None

    def must(self, status, *question):
        got, answer = self.ask(*question)
        if got != status:
            sys.exit(f"{question[:2]}: {got} {answer}")
        return answer

    def sign_in(self):
        self.token = self.must(201, "POST", "/api/session", LOGIN)["token"]


def endpoint(gateway):
    return gateway.must(201, "POST", "/api/webhook-endpoints", {"provider": "stripe", "account": "acct_cedar", "secret": SECRET, "live": False})["path"]


def send_invoice(gateway, customer):
    """(status, id, number) of a new one."""
    status, answer = gateway.ask("POST", "/api/invoices", {"customer_id": customer, "currency": "GBP", "lines": [{"description": "work", "unit_minor": "1000"}]})
    if status != 201:
        return status, None, None
    invoice = answer["id"]
    status, answer = gateway.ask("POST", f"/api/invoices/{invoice}/send", {})
    return status, invoice, answer.get("number")


def message(number, reference):
    return json.dumps({"id": f"evt_move{number}", "object": "event", "type": "payment_intent.succeeded", "livemode": False, "created": 1900000000, "data": {"object": {
        "id": f"pi_move{number:04}", "amount_received": 1000, "currency": "gbp", "status": "succeeded", "metadata": {"aegis_reference": reference}}}}).encode()


def deliver(gateway, path, number, reference):
    body = message(number, reference)
    return gateway.ask("POST", path, body, {**signed_stripe(body, SECRET), "authorization": "none"})[0]


def begin(socket, facts):
    gateway = Gateway(socket)
    gateway.sign_in()
    facts.update(token=gateway.token, customer=gateway.must(201, "POST", "/api/customers", {"name": "Payer"})["id"], path=endpoint(gateway), payments=[], taken=[], numbers={})
    account = gateway.must(201, "POST", "/api/payment-accounts", {"provider": "stripe", "account": "acct_cedar", "currency": "GBP", "live": False, "destination": "stripe",
                                                                "return_url": "https://pay.example/back", "credential": {"key": "sk_test_cedar"}})["id"]
    for _ in range(COUNT):
        _, invoice, number = send_invoice(gateway, facts["customer"])
        facts["numbers"][invoice] = number
        gateway.must(201, "POST", f"/api/invoices/{invoice}/checkouts", {"account_id": account})
    root = Session(socket, "postgres")
    facts["payments"] = [row[0] for row in root.run("SELECT reference FROM aegis_app.checkout ORDER BY reference")]
    root.close()


def traffic(socket, facts):
    refused = {"payments": [], "invoices": []}

    def provider():
        gateway = Gateway(socket)
        for number, reference in enumerate(facts["payments"]):
            status = deliver(gateway, facts["path"], number, reference)
            if status == 200:
                facts["taken"].append(number)
            else:
                refused["payments"].append(status)
            time.sleep(0.03)

    def user():
        gateway = Gateway(socket, facts["token"])
        while not refused["invoices"]:
            status, invoice, number = send_invoice(gateway, facts["customer"])
            if status == 200:
                facts["numbers"][invoice] = number
            else:
                refused["invoices"].append(status)
            time.sleep(0.03)
    both = [threading.Thread(target=work) for work in (provider, user)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    for name, done, count in (("payments", "taken", len(facts["taken"])), ("invoices", "sent", len(facts["numbers"]) - COUNT)):
        print(f"{name} {count} {done}, {len(refused[name])} not, with {' '.join(map(str, sorted(set(refused[name]))))}")


def gone(socket, facts):
    stranger, user = Gateway(socket), Gateway(socket, facts["token"])
    print(f"sign-in {stranger.ask('POST', '/api/session', LOGIN)[0]}, session {user.ask('GET', '/api/session')[0]}, "
          f"webhook {deliver(stranger, facts['path'], 0, facts['payments'][0])}")


def again(socket, facts):
    gateway = Gateway(socket)
    gateway.sign_in()
    facts.update(token=gateway.token, path=endpoint(gateway))
    for number, reference in enumerate(facts["payments"]):
        status = deliver(gateway, facts["path"], number, reference)
        if status != 200:
            sys.exit(f"message {number}: {status}")
    root = Session(socket, "postgres")
    taken, there = (root.value(f"SELECT count(*) FROM aegis.audit_log WHERE event = '{event}'") for event in ("webhook.received", "webhook.duplicate"))
    root.close()
    print(f"{taken} taken, {there} were there")


def numbers(socket, facts):
    root = Session(socket, "postgres")
    there = dict(root.run("SELECT id, number FROM aegis_app.invoice"))
    root.close()
    wrong = {invoice: (number, there.get(invoice)) for invoice, number in facts["numbers"].items() if there.get(invoice) != number}
    print(wrong or "every one")


def following(socket, facts):
    root = Session(socket, "postgres")
    last = int(root.value("SELECT max(number_seq) FROM aegis_app.invoice"))
    status, invoice, _ = send_invoice(Gateway(socket, facts["token"]), facts["customer"])
    new, count = root.run(f"SELECT (SELECT number_seq FROM aegis_app.invoice WHERE id = '{invoice}'), count(DISTINCT number_seq) FROM aegis_app.invoice")[0]
    root.close()
    print("the next, gapless" if status == 200 and int(new) == int(count) == last + 1 else f"{status}: {new} after {last}, {count} numbers")


def main():
    step, socket, path = sys.argv[1:]
    facts = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    {"begin": begin, "traffic": traffic, "gone": gone, "again": again, "numbers": numbers, "next": following}[step](socket, facts)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(facts, file)


main()
