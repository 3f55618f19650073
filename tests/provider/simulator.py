#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A payment provider for tests and demonstrations: Stripe and Authorize.Net as far as Aegis speaks with them, on loopback and in memory.

    simulator.py --port-file FILE --certificate FILE --key FILE

The interfaces stand at /stripe/v1/… and /authorize_net/xml/v1/request.api, the pages for payers at /page/…. Webhooks are signed as the
providers sign theirs. Whoever tests it steers it by POST /control/NAME with a JSON object:

    webhook      {provider, url, secret, ca}      where webhooks go; nothing goes before
    pay          {reference, card?, amount?, currency?, transaction?}   a payer pays; a page does the same
    fail         {reference}                      a card is refused
    expire       {reference}                      a page is closed
    refund       {transaction, amount}            money goes back, outside of Aegis
    dispute      {transaction, result?}           opened, or decided: won, lost
    misbehave    {down?}                          Stripe answers nothing but errors;
                 {hold?, duplicate?, reorder?, malformed?, late?, forged?}      what becomes of webhooks from then on;
                 {refunds: "down", "unheard" or "pending"}      refunds are not made, are made but answered by an error, or take their time
    end_refund   {refund, status}                 one that took its time, or had succeeded, ends: succeeded or failed
    deliver      {}                               what was held goes out; answers with status and body of each
    replay       {number?, same_id?}              a webhook again as it was, or under another id
    post         {provider, body}                 a webhook with this body, signed
    sent         {}                               ids of the webhooks that went out, whatever became of them
    transactions {}                               what there is; refunds: those of both providers

Cards are published test numbers only; nothing else is taken."""
import argparse
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import ssl
import string
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

CARDS = {"4242424242424242": "visa", "5555555555554444": "mastercard", "378282246310005": "amex", "4000000000000002": None}  # the last is refused


def letters(count):
    """A part of an id: of hexadecimal digits, some would be numbers of cards by chance, and kept from the database as such."""
    return "".join(random.choices(string.ascii_letters, k=count))


class World:
    """Checkouts and transactions of both providers, and the webhooks that tell of them."""

    def __init__(self):
        self.lock = threading.RLock()
        self.checkouts, self.transactions, self.refunds, self.once = {}, {}, {}, {}
        self.hooks, self.sent, self.waiting = {}, [], []
        self.way = {}
        self.number = 60000000000 + random.randrange(10 ** 9)

    def next_number(self):
        self.number += 1
        return str(self.number)

    # What happens -----------------------------------------------------------------------------------

    def begin(self, provider, reference, amount, currency, return_url):
        key = ("cs_test_" if provider == "stripe" else "token_") + letters(32)
        self.checkouts[key] = {"provider": provider, "id": key, "reference": reference, "amount": amount, "currency": currency, "status": "open",
                               "return_url": return_url, "transaction": None, "created": int(time.time())}
        return self.checkouts[key]

    def checkout_of(self, reference):
        return next(c for c in reversed(list(self.checkouts.values())) if c["reference"] == reference)

    def pay(self, checkout, card="4242424242424242", amount=None, currency=None, transaction=None):
        if card not in CARDS:
            raise ValueError("not a published test card")
        if CARDS[card] is None:
            return self.fail(checkout)
        stripe = checkout["provider"] == "stripe"
        new = {"provider": checkout["provider"], "id": transaction or ("pi_" + letters(24) if stripe else self.next_number()),
               "reference": checkout["reference"], "amount": amount or checkout["amount"], "currency": currency or checkout["currency"],
               "brand": CARDS[card], "last_four": card[-4:], "status": "captured", "refunded": 0, "created": int(time.time()), "of": None}
        self.transactions[new["id"]] = new
        checkout.update(status="complete", transaction=new["id"])
        if stripe:
            # Three messages of one settlement, as there.
            self.tell("stripe", "charge.succeeded", self.charge(new))
            self.tell("stripe", "payment_intent.succeeded", self.intent(new))
            self.tell("stripe", "checkout.session.completed", self.session(checkout))
        else:
            self.tell("authorize_net", "net.authorize.payment.authcapture.created", self.notice(new))
        return new

    def fail(self, checkout):
        if checkout["provider"] == "stripe":
            intent = {"id": "pi_" + letters(24), "object": "payment_intent", "amount": checkout["amount"], "currency": checkout["currency"],
                      "status": "requires_payment_method", "metadata": {"aegis_reference": checkout["reference"]},
                      "last_payment_error": {"code": "card_declined", "decline_code": "generic_decline"}}
            self.tell("stripe", "payment_intent.payment_failed", intent)
        else:
            self.tell("authorize_net", "net.authorize.payment.authcapture.created",
                      {"responseCode": 2, "authAmount": checkout["amount"], "invoiceNumber": checkout["reference"], "entityName": "transaction",
                       "id": self.next_number()})
        return {}

    def expire(self, checkout):
        checkout["status"] = "expired"
        if checkout["provider"] == "stripe":
            self.tell("stripe", "checkout.session.expired", self.session(checkout))
        return {}

    def refund(self, transaction, amount):
        paid = self.transactions[transaction]
        if paid["provider"] == "stripe":
            new = {"id": "re_" + letters(24), "object": "refund", "payment_intent": paid["id"], "amount": int(amount), "currency": paid["currency"],
                   "status": "pending" if self.way.get("refunds") == "pending" else "succeeded", "created": int(time.time()), "metadata": {}}
            paid["refunded"] += int(amount)
            self.tell("stripe", "refund.created", new)
        else:
            new = {"provider": "authorize_net", "id": self.next_number(), "reference": paid["reference"], "amount": amount, "currency": paid["currency"],
                   "brand": paid["brand"], "last_four": paid["last_four"], "status": "refund", "refunded": 0, "created": int(time.time()), "of": paid["id"]}
            self.transactions[new["id"]] = new
            self.tell("authorize_net", "net.authorize.payment.refund.created", self.notice(new))
        self.refunds[new["id"]] = new
        return new

    def end_refund(self, refund, status):
        new = self.refunds[refund]
        new["status"] = status
        if status == "failed":
            new["failure_reason"] = "expired_or_canceled_card"
        self.tell("stripe", "refund.failed" if status == "failed" else "refund.updated", new)
        return new

    def dispute(self, transaction, result=None):
        paid = self.transactions[transaction]
        thing = {"id": "dp_" + transaction[3:], "object": "dispute", "payment_intent": paid["id"], "amount": paid["amount"], "currency": paid["currency"],
                 "status": result or "needs_response"}
        self.tell("stripe", "charge.dispute.closed" if result else "charge.dispute.created", thing)
        return thing

    # What it looks like -----------------------------------------------------------------------------

    def card(self, paid):
        return {"brand": paid["brand"], "last4": paid["last_four"], "exp_month": 12, "exp_year": 2034, "fingerprint": "simulated",
                "checks": {"cvc_check": "pass", "address_line1_check": "unchecked"}}

    def charge(self, paid):
        return {"id": "ch_" + paid["id"][3:], "object": "charge", "amount": paid["amount"], "currency": paid["currency"], "payment_intent": paid["id"],
                "paid": True, "captured": True, "status": "succeeded", "created": paid["created"], "authorization_code": "123456",
                "metadata": {"aegis_reference": paid["reference"]}, "payment_method_details": {"type": "card", "card": self.card(paid)}}

    def intent(self, paid, expand=False):
        return {"id": paid["id"], "object": "payment_intent", "amount": paid["amount"], "amount_received": paid["amount"], "currency": paid["currency"],
                "status": "succeeded", "created": paid["created"], "livemode": False, "metadata": {"aegis_reference": paid["reference"]},
                "latest_charge": self.charge(paid) if expand else "ch_" + paid["id"][3:]}

    def session(self, checkout):
        return {"id": checkout["id"], "object": "checkout.session", "client_reference_id": checkout["reference"], "amount_total": checkout["amount"],
                "currency": checkout["currency"], "status": checkout["status"], "created": checkout["created"], "livemode": False,
                "payment_status": "paid" if checkout["transaction"] else "unpaid", "payment_intent": checkout["transaction"],
                "metadata": {"aegis_reference": checkout["reference"]}}

    def notice(self, paid):
        return {"responseCode": 1, "authCode": "A1B2C3", "avsResponse": "Y", "authAmount": paid["amount"], "invoiceNumber": paid["reference"],
                "entityName": "transaction", "id": paid["id"]}

    # Webhooks ---------------------------------------------------------------------------------------

    def tell(self, provider, kind, thing):
        if provider == "stripe":
            body = {"id": "evt_" + letters(24), "object": "event", "type": kind, "created": int(time.time()), "livemode": False, "data": {"object": thing}}
        else:
            body = {"notificationId": str(uuid.uuid4()), "eventType": kind, "eventDate": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                    "webhookId": "simulated", "payload": thing}
        copies = 1 + int(self.way.get("duplicate", 0))
        self.waiting += [(provider, json.dumps(body, separators=(",", ":")))] * copies
        if not self.way.get("hold"):
            self.deliver()

    def headers(self, provider, body, late=0, forged=False):
        secret = self.hooks[provider]["secret"].encode()
        if forged:
            secret = secret[::-1]
        if provider == "stripe":
            moment = int(time.time()) - late
            mac = hmac.new(secret, b"%d." % moment + body, hashlib.sha256).hexdigest()
            return {"Stripe-Signature": f"t={moment},v1={mac}"}
        return {"X-ANET-Signature": "sha512=" + hmac.new(secret, body, hashlib.sha512).hexdigest().upper()}

    def send(self, provider, text):
        hook = self.hooks.get(provider)
        if hook is None:
            return {"status": 0, "body": "no webhook"}
        body = text.encode()
        if self.way.get("malformed"):
            body = body[:-2]
        request = urllib.request.Request(hook["url"], data=body, method="POST", headers={
            "Content-Type": "application/json", **self.headers(provider, body, int(self.way.get("late", 0)), bool(self.way.get("forged")))})
        context = ssl.create_default_context(cafile=hook.get("ca"))
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return {"status": answer.status, "body": answer.read(10000).decode()}
        except urllib.error.HTTPError as refused:
            return {"status": refused.code, "body": refused.read(10000).decode()}
        except OSError as failed:
            return {"status": 0, "body": str(failed)}

    def deliver(self):
        due, self.waiting = self.waiting, []
        if self.way.get("reorder"):
            due.reverse()
        answers = []
        for provider, text in due:
            self.sent.append((provider, text))
            answers.append(self.send(provider, text))
        return answers

    def replay(self, number=-1, same_id=True):
        provider, text = self.sent[number]
        if not same_id:
            body = json.loads(text)
            body["id" if provider == "stripe" else "notificationId"] = "evt_" + letters(24) if provider == "stripe" else str(uuid.uuid4())
            text = json.dumps(body, separators=(",", ":"))
        return self.send(provider, text)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = World()

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", mark=b"", **headers):
        data = mark + (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.handle_one("GET", b"")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.handle_one("POST", self.rfile.read(min(length, 1 << 20)))

    def handle_one(self, method, body):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.world.lock:
            try:
                if url.path.startswith("/stripe/v1/"):
                    self.stripe(method, url.path[len("/stripe/v1/"):], query, dict(urllib.parse.parse_qsl(body.decode())))
                elif url.path == "/authorize_net/xml/v1/request.api" and method == "POST":
                    self.authorize_net(json.loads(body))
                elif url.path.startswith("/page/"):
                    self.page(method, url.path[len("/page/"):], dict(urllib.parse.parse_qsl(body.decode())))
                elif url.path.startswith("/control/") and method == "POST":
                    self.control(url.path[len("/control/"):], json.loads(body or b"{}"))
                else:
                    self.answer(404, {"error": {"code": "not_found"}})
            except (KeyError, StopIteration, ValueError) as wrong:
                self.answer(400, {"error": {"code": "parameter_invalid", "message": str(wrong)}})

    # Stripe -----------------------------------------------------------------------------------------

    def stripe(self, method, path, query, form):
        if not re.fullmatch(r"Bearer sk_test_\w+", self.headers.get("Authorization", "")):
            self.answer(401, {"error": {"code": "api_key_invalid"}})
            return
        if self.world.way.get("down"):
            self.answer(503, {"error": {"code": "api_error"}})
            return
        key = self.headers.get("Idempotency-Key")
        if method == "POST" and key in self.world.once:
            self.answer(200, self.world.once[key])
            return
        parts = path.split("/")
        world = self.world
        if method == "POST" and path == "checkout/sessions":
            made = world.begin("stripe", form["client_reference_id"], int(form["line_items[0][price_data][unit_amount]"]),
                               form["line_items[0][price_data][currency]"], form["success_url"])
            said = dict(world.session(made), url=f"https://{self.headers['Host']}/page/{made['id']}")
        elif method == "POST" and parts[:2] == ["checkout", "sessions"] and parts[3:] == ["expire"] and parts[2] in world.checkouts:
            if world.checkouts[parts[2]]["status"] != "open":
                self.answer(400, {"error": {"code": "resource_invalid_state"}})
                return
            world.expire(world.checkouts[parts[2]])
            said = world.session(world.checkouts[parts[2]])
        elif method == "GET" and parts[:2] == ["checkout", "sessions"] and parts[2] in world.checkouts:
            said = world.session(world.checkouts[parts[2]])
        elif method == "GET" and path == "payment_intents":
            paid = [t for t in world.transactions.values() if t["provider"] == "stripe"
                    and int(query["created[gte]"]) <= t["created"] < int(query["created[lt]"])]
            at = next((n + 1 for n, t in enumerate(paid) if t["id"] == query.get("starting_after")), 0)
            said = {"object": "list", "data": [world.intent(t) for t in paid[at:at + 2]], "has_more": len(paid) > at + 2}
        elif method == "GET" and parts[0] == "payment_intents" and parts[1] in world.transactions:
            said = world.intent(world.transactions[parts[1]], "expand[]" in query)
        elif method == "GET" and parts[0] == "events":
            said = next((json.loads(text) for _, text in world.sent if json.loads(text).get("id") == parts[1]), None)
        elif method == "POST" and path == "refunds":
            said = None if world.way.get("refunds") == "down" else world.refund(form["payment_intent"], int(form["amount"]))
            if world.way.get("refunds") in ("down", "unheard"):
                self.answer(503, {"error": {"code": "api_error"}})
                return
        else:
            said = None
        if said is None:
            self.answer(404, {"error": {"code": "resource_missing"}})
            return
        if method == "POST":
            world.once[key] = said
        self.answer(200, said)

    # Authorize.Net ----------------------------------------------------------------------------------

    def authorize_net(self, asked):
        (name, call), = asked.items()
        good = {"messages": {"resultCode": "Ok", "message": [{"code": "I00001", "text": "Successful."}]}}
        world = self.world
        # The members have an order there, and this is the first.
        if next(iter(call)) != "merchantAuthentication" or not call["merchantAuthentication"].get("transactionKey"):
            said = {"messages": {"resultCode": "Error", "message": [{"code": "E00007", "text": "authentication"}]}}
        elif name == "getHostedPaymentPageRequest":
            order = call["transactionRequest"]
            back = next(json.loads(s["settingValue"])["url"] for s in call["hostedPaymentSettings"]["setting"] if s["settingName"] == "hostedPaymentReturnOptions")
            made = world.begin("authorize_net", order["order"]["invoiceNumber"], float(order["amount"]), "usd", back)
            said = dict(good, token=made["id"])
        elif name in ("getUnsettledTransactionListRequest", "getTransactionListRequest"):
            batch = call.get("batchId")
            said = dict(good, transactions=[self.listed(t) for t in world.transactions.values() if t["provider"] == "authorize_net" and t.get("batch") == batch
                                            and t["status"] != "refund"])
        elif name == "getSettledBatchListRequest":
            said = dict(good, batchList=[{"batchId": b} for b in sorted({t["batch"] for t in world.transactions.values() if t.get("batch")})])
        elif name == "getTransactionDetailsRequest":
            paid = world.transactions[call["transId"]]
            said = dict(good, transaction=dict(
                self.listed(paid), transactionType="refundTransaction" if paid["of"] else "authCaptureTransaction", responseCode=1, authCode="A1B2C3",
                AVSResponse="Y", cardCodeResponse="M", settleAmount=paid["amount"], order={"invoiceNumber": paid["reference"]},
                payment={"creditCard": {"cardNumber": "XXXX" + paid["last_four"], "expirationDate": "XXXX", "cardType": paid["brand"].title()}},
                **({"refTransId": paid["of"]} if paid["of"] else {})))
        elif name == "createTransactionRequest":
            order = call["transactionRequest"]
            made = world.refund(order["refTransId"], float(order["amount"]))
            said = dict(good, transactionResponse={"responseCode": "1", "transId": made["id"], "refTransID": order["refTransId"]})
        else:
            raise ValueError("unknown request")
        self.answer(200, said, mark=b"\xef\xbb\xbf")  # as there

    def listed(self, paid):
        status = "refundPendingSettlement" if paid["of"] else "settledSuccessfully" if paid.get("batch") else "capturedPendingSettlement"
        return {"transId": paid["id"], "transactionStatus": status, "invoiceNumber": paid["reference"], "settleAmount": paid["amount"],
                "accountType": paid["brand"].title(), "accountNumber": "XXXX" + paid["last_four"],
                "submitTimeUTC": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(paid["created"]))}

    # Payers and testers -----------------------------------------------------------------------------

    def page(self, method, path, form):
        key = form.get("token") or path
        checkout = self.world.checkouts[key]
        if method == "GET" or "card" not in form:
            cards = "".join(f'<option value="{n}">{b or "refused"} {n[-4:]}</option>' for n, b in CARDS.items())
            self.answer(200, f'<!doctype html><meta charset="utf-8"><title>Simulated payment</title><h1>Pay {checkout["amount"]} {checkout["currency"]}</h1>'
                             f'<form method="post" action="/page/{key}"><label>Test card <select name="card">{cards}</select></label>'
                             '<button>Pay</button></form>', "text/html; charset=utf-8")
            return
        if checkout["status"] != "open":
            self.answer(409, "<!doctype html><title>Closed</title><p>This page is closed.", "text/html; charset=utf-8")
            return
        self.world.pay(checkout, form["card"])
        self.answer(303, "", "text/plain", Location=checkout["return_url"])

    def control(self, name, given):
        world = self.world
        if name == "webhook":
            world.hooks[given["provider"]] = given
            self.answer(200, {})
        elif name == "misbehave":
            world.way = given
            self.answer(200, {})
        elif name == "pay":
            self.answer(200, world.pay(world.checkout_of(given.pop("reference")), **given))
        elif name in ("fail", "expire"):
            self.answer(200, getattr(world, name)(world.checkout_of(given["reference"])))
        elif name == "refund":
            self.answer(200, world.refund(given["transaction"], given["amount"]))
        elif name == "end_refund":
            self.answer(200, world.end_refund(given["refund"], given["status"]))
        elif name == "refunds":
            self.answer(200, list(world.refunds.values()))
        elif name == "dispute":
            self.answer(200, world.dispute(given["transaction"], given.get("result")))
        elif name == "deliver":
            self.answer(200, world.deliver())
        elif name == "replay":
            self.answer(200, world.replay(given.get("number", -1), given.get("same_id", True)))
        elif name == "sent":
            self.answer(200, [json.loads(text).get("id") or json.loads(text).get("notificationId") for _, text in world.sent])
        elif name == "post":
            self.answer(200, world.send(given["provider"], given["body"]))
        elif name == "transactions":
            self.answer(200, list(world.transactions.values()))
        else:
            self.answer(404, {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port-file", required=True, help="where the port is written when it listens")
    parser.add_argument("--port", type=int, default=0, help="otherwise any that is free")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(options.certificate, options.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(options.port_file + ".new", "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(options.port_file + ".new", options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
