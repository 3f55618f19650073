#!/usr/bin/env python3
"""Webhooks that the providers' own packages sign are taken once, whole bodies of card data leave nothing behind, and whatever is
changed, late, early, another tenant's or malformed is refused. Secrets are published or made for this test, card numbers published
test numbers."""
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scrub"))
from cards import PUBLISHED  # noqa: E402
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import ROOT, run  # noqa: E402
from fixture.report import equal  # noqa: E402
from fixture import webhook as signed  # noqa: E402
import payloads  # noqa: E402

CARDS = PUBLISHED[:5]
STRIPE, STRIPE_2 = "whsec_test_secret", "whsec_next_secret"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ADYEN = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ANET = "0123456789ABCDEF" * 8
OTHER = {"tenant": "other-works", "email": "eve@other-works.example", "password": "nine-loud-badgers-sleep-17"}
SETUP = """
SELECT aegis.create_tenant('{tenant}', 'Other Works') AS tenant \\gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant'::uuid, 'test of webhooks', 'TEST-1', read_only => false) \\g /dev/null
SELECT aegis.create_user('{email}', 'Eve Other', 4::smallint, NULL, '{password}') \\g /dev/null
COMMIT;
"""
MARK = "Marmalade-Control-4711"


class Loud(Cluster):
    """Everything that a server can log is logged, parameters of statements as well."""

    def configuration(self, keyring):
        return super().configuration(keyring) + """
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
"""


def stock(cases):
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "webhook.mjs")], input="\n".join(map(json.dumps, cases)),
                          stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def signed_stripe(body, secret=STRIPE, at=None):
    return signed.signed_stripe(body, secret, at)


def signed_anet(body):
    return signed.signed_anet(body, ANET)


def stripe_body(event, **more):
    return json.dumps({"id": event, "object": "event", "type": "payment_intent.succeeded", "livemode": True, "created": int(time.time()),
                       "data": {"object": {"id": "pi_3NG8Du2eZvKYlo2C1FKiMyZ5", "object": "payment_intent", "amount": 1200, "amount_received": 1200,
                                           "currency": "eur", "status": "succeeded", "metadata": {"aegis_reference": "AG7Q2M"}}}, **more}).encode()


class World:
    def __init__(self, gateway):
        self.admin, self.other, self.out = Client(gateway), Client(gateway), Client(gateway)
        self.gateway = gateway
        self.admin.sign_in(LOGIN)
        self.other.sign_in(OTHER)
        self.stripe = signed.endpoint(self.admin, "stripe", "acct_one", STRIPE)
        self.adyen = signed.endpoint(self.admin, "adyen", "TestMerchant", ADYEN, live=False)
        self.standard = signed.endpoint(self.admin, "standard", "own", STANDARD)
        self.anet = signed.endpoint(self.admin, "authorize_net", "login1", ANET, currency="USD")
        self.theirs = signed.endpoint(self.other, "stripe", "acct_two", STRIPE_2)

    def send(self, path, body, headers, client=None):
        return (client or self.out).request("POST", path, body, {"Content-Type": "application/json", **headers})

    def kept(self, state=None, client=None):
        return (client or self.admin).request("GET", "/api/webhook-events?limit=100" + (f"&state={state}" if state else "")).json()["events"]


def vectors(report):
    """What the packages themselves say of the vectors that the database is tested with."""
    item = {"pspReference": "7914073381342284", "originalReference": "", "merchantAccountCode": "TestMerchant",
            "merchantReference": "TestPayment-1407325143704", "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION",
            "success": "true", "additionalData": {"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}
    good = [
        {"scheme": "stripe", "secret": STRIPE, "body": '{"id":"evt_1","type":"checkout.session.completed"}', "verify": True,
         "headers": {"stripe-signature": "t=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf"}},
        {"scheme": "standard", "secret": STANDARD, "body": '{"test": 2432232314}', "verify": True,
         "headers": {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
                     "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
        {"scheme": "adyen", "secret": ADYEN, "body": item, "verify": True}]
    with report.test("vectors/the packages take them"):
        equal(stock(good), [True, True, True])


def stock_signers(report, world):
    body = stripe_body("evt_stock").decode()
    message = json.dumps({"type": "payment.settled", "data": {"transaction_id": "txn_stock", "reference": "AG7Q2M", "amount_minor": 1130, "currency": "EUR"}})
    item = {"pspReference": "8815658961765250", "originalReference": "", "merchantAccountCode": "TestMerchant", "merchantReference": "AG7Q2M",
            "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true", "eventDate": "2026-05-04T10:11:12+02:00",
            "additionalData": {"cardSummary": "1111", "expiryDate": "8/2033", "cardHolderName": "J. De Tester"}}
    now = int(time.time())
    stripe, standard, adyen = stock([{"scheme": "stripe", "secret": STRIPE, "body": body, "at": now},
                                     {"scheme": "standard", "secret": STANDARD, "body": message, "at": now, "id": "msg_stock"},
                                     {"scheme": "adyen", "secret": ADYEN, "body": item}])
    item["additionalData"]["hmacSignature"] = adyen
    notification = json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}).encode()
    for name, path, sent, headers in (("stripe", world.stripe, body.encode(), stripe), ("standard", world.standard, message.encode(), standard),
                                      ("adyen", world.adyen, notification, {})):
        with report.test(f"stock-signer/{name}"):
            reply = world.send(path, sent, headers)
            equal((reply.status, reply.body), (200, b'{"received": true}'))
            equal(world.send(path, sent, headers).status, 200, "the same again")
            changed = sent.replace(b"1130", b"1131").replace(b"1200", b"1201")
            equal((world.send(path, changed, headers).status, changed != sent), (401, True), "changed")
    with report.test("authorize-net"):
        sent = json.dumps({"notificationId": "d0e8e7fe-c3e7-4add-a480-27bc5ce28a18", "eventType": "net.authorize.payment.authcapture.created",
                           "eventDate": "2026-03-29T20:48:02.0080095Z", "payload": {"responseCode": 1, "authAmount": 112.98, "id": "60020981676",
                                                                                   "merchantReferenceId": "AG7Q2M", "entityName": "transaction"}}).encode()
        equal(world.send(world.anet, sent, signed_anet(sent)).status, 200)
    with report.test("each is kept once"):
        kept = world.kept()
        equal(sorted((e["provider"], e["kind"]) for e in kept),
              [("adyen", "settled"), ("authorize_net", "settled"), ("standard", "settled"), ("stripe", "settled")])


def refusals(report, world):
    body = stripe_body("evt_refused")
    good = signed_stripe(body)
    header = good["Stripe-Signature"]
    cases = [
        ("no signature", world.stripe, body, {}, 401), ("another secret", world.stripe, body, signed_stripe(body, STRIPE_2), 401),
        ("too old", world.stripe, body, signed_stripe(body, at=time.time() - 310), 401),
        ("in the future", world.stripe, body, signed_stripe(body, at=time.time() + 310), 401),
        ("another body", world.stripe, body + b" ", good, 401), ("junk behind the time", world.stripe, body, {"Stripe-Signature": header.replace(",", "x,", 1)}, 401),
        ("the endpoint of another tenant", world.theirs, body, good, 401),
        ("another provider", world.stripe.replace("/stripe/", "/standard/"), body, good, 404),
        ("no such endpoint", world.stripe[:-12] + "000000000000", body, good, 404),
        ("another content type", world.stripe, body, {**good, "Content-Type": "text/plain"}, 415),
        ("another account", world.stripe, stripe_body("evt_account", account="acct_two"), None, 404)]
    for name, bad in (("cut", b'{"id": "evt_x"'), ("a key twice", b'{"id": "evt_x", "id": "evt_y", "type": "a"}'), ("NaN", b'{"id": "evt_x", "type": "a", "n": NaN}'),
                      ("no UTF-8", b'{"id": "evt_x", "type": "\xff"}'), ("a depth bomb", b"[" * 200000), ("no object", b'["evt_x"]'), ("no event", b'{"type": "a"}'),
                      ("a card number for an id", json.dumps({"id": CARDS[0], "type": "a"}).encode()), ("a lone surrogate", b'{"id": "evt_x", "type": "\\ud800"}')):
        cases.append((f"malformed, {name}", world.stripe, bad, None, 400))
    for name, path, sent, headers, status in cases:
        with report.test(f"refused/{name}"):
            before = len(world.kept())
            reply = world.send(path, sent, signed_stripe(sent) if headers is None else headers)
            equal(reply.status, status, reply.body)
            left = len(world.kept()) - before
            assert left == 0 or (left == 1 and headers is None), f"{left} rows left"
    with report.test("refused/too large"):  # the gateway does not wait for it
        client = Client(world.gateway)
        client.connection.putrequest("POST", world.stripe)
        for field, value in (("content-type", "application/json"), ("content-length", "262145")):
            client.connection.putheader(field, value)
        client.connection.endheaders()
        equal(client.connection.getresponse().status, 413)
        client.close()
    with report.test("refused/a header twice"):
        client = Client(world.gateway)
        client.connection.putrequest("POST", world.stripe)
        for field, value in (("content-type", "application/json"), ("stripe-signature", header), ("stripe-signature", header), ("content-length", str(len(body)))):
            client.connection.putheader(field, value)
        client.connection.endheaders(body)
        assert client.connection.getresponse().status in (400, 401)
        client.close()
    with report.test("refused/what is quarantined says nothing"):
        for event in world.kept("quarantined"):
            equal((event["event_id"], world.admin.request("GET", f"/api/webhook-events/{event['id']}").json()["document"]), (None, None), event)


def once(report, world):
    with report.test("once/100 deliveries at the same time"):
        body = stripe_body("evt_parallel")

        def deliver(_):
            client = Client(world.gateway)
            try:
                return world.send(world.stripe, body, signed_stripe(body), client).status
            finally:
                client.close()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(deliver, range(100)))
        assert set(statuses) <= {200, 429, 503} and 200 in statuses, sorted(set(statuses))
        equal([e["event_id"] for e in world.kept()].count("evt_parallel"), 1)
    with report.test("once/other content under the same id"):
        body = stripe_body("evt_parallel").replace(b"1200", b"9900")
        reply = world.send(world.stripe, body, signed_stripe(body))
        equal((reply.status, reply.problem() if "request_id" in reply.json() else "conflict"), (409, "conflict"))
    with report.test("once/tests at an address for real money"):
        body = stripe_body("evt_test", livemode=False)
        equal(world.send(world.stripe, body, signed_stripe(body)).status, 200)
        equal([(e["state"], e["reason"]) for e in world.kept() if e["event_id"] == "evt_test"], [("ignored", "test_mode")])


def rotation(report, world):
    with report.test("rotation"):
        endpoint = world.stripe.rsplit("/", 1)[1]
        first = world.admin.request("POST", f"/api/webhook-endpoints/{endpoint}/secrets", {"secret": STRIPE_2})
        equal(first.status, 201, first.body)
        for name, secret in (("evt_old_key", STRIPE), ("evt_new_key", STRIPE_2)):
            body = stripe_body(name)
            equal(world.send(world.stripe, body, signed_stripe(body, secret)).status, 200, name)
        keys = {e["event_id"]: e["key_id"].rsplit(".", 1)[1] for e in world.kept() if e["event_id"]}
        equal((keys["evt_old_key"], keys["evt_new_key"]), ("1", "2"), "which secret signed")
        equal(world.admin.request("POST", f"/api/webhook-endpoints/{endpoint}/secrets", {"secret": STRIPE, "overlap_seconds": 0}).status, 201)
        body = stripe_body("evt_retired")
        equal((world.send(world.stripe, body, signed_stripe(body, STRIPE_2)).status, world.send(world.stripe, body, signed_stripe(body)).status), (401, 200))
    with report.test("other tenants see and change nothing"):
        equal(len(world.kept(client=world.other)), 0)
        equal(world.other.request("DELETE", f"/api/webhook-endpoints/{endpoint}").status, 404)
        equal(world.other.request("GET", f"/api/webhook-events/{world.kept()[0]['id']}").status, 404)


def canaries(report, world):
    """Card data in every place of a message: known fields, unknown ones, names, numbers, nested texts."""
    with report.test("card data in every place"):
        for number, card in enumerate(CARDS):
            body, _, _ = payloads.stripe(card)
            spread = {"mark": MARK, card: card, "n": int(card), "e": float(card), "nested": json.dumps({"pan": card}), "list": [card[:4], card[4:8], card[8:12], card[12:]],
                      "text": f"card {card[:4]} {card[4:8]} {card[8:12]} {card[12:]} exp 11/31 cvv 737"}
            sent = json.dumps({**body, "id": f"evt_card{number}", "livemode": True, "spread": spread,
                               "data": {"object": {**body["data"]["object"], **spread, "captured": True, "paid": True, "metadata": {**spread, "aegis_reference": card},
                                                   "status": card, "failure_code": card, "currency": card}}}).encode()
            reply = world.send(world.stripe, sent, signed_stripe(sent))
            equal(reply.status, 200, reply.body)
            anet, _, _ = payloads.authorize_net(card)
            anet["notificationId"] = f"d0e8e7fe-c3e7-4add-a480-27bc5ce2{number:04x}"
            anet["payload"].update({"merchantReferenceId": card, "invoiceNumber": card, **spread})
            sent = json.dumps(anet).encode()
            equal(world.send(world.anet, sent, signed_anet(sent)).status, 200)
            sent = f'{{"id": "evt_cut{number}", "text": "{card}'.encode()
            equal(world.send(world.stripe, sent, signed_stripe(sent)).status, 400)
        documents = [world.admin.request("GET", f"/api/webhook-events/{e['id']}").body for e in world.kept()]
        assert not any(card.encode() in d or b"Jenny" in d or MARK.encode() in d for card in CARDS for d in documents), "a document holds it"
        assert any(b'"last4": "' in d for d in documents), "nothing was kept"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def nothing_is_left(report, cluster, gateway):
    dump = run([f"{BIN}/pg_dump", "-h", cluster.folder, "-U", "postgres", cluster.database]).encode()
    cluster.sql("CHECKPOINT")
    cluster.stop()
    needles = [form for card in CARDS for form in (card.encode(), card.encode().hex().encode(), " ".join(card[i:i + 4] for i in range(0, 16, 4)).encode())]
    needles += [STRIPE.encode(), STRIPE_2.encode()]

    def found(data):
        return [needle for needle in needles if needle in data]
    with report.test("left/the scan would see it"):
        equal(len(found(f"{CARDS[0]} {STRIPE}".encode())), 2)
        assert b"webhook_event" in dump and b"evt_card0" in dump
    files = [path for path in glob.glob(f"{cluster.data}/**", recursive=True) if os.path.isfile(path)]
    with report.test("left/dump, WAL and files"):
        assert any("pg_wal" in path for path in files)
        # Below these places lie the statement texts of the servers' own start.
        equal(found(dump) + [(os.path.relpath(path, cluster.data), hit) for path in files for hit in found(read(path))], [])
    cards = needles[:-2]
    for name, log in (("database", read(cluster.log)), ("gateway", gateway.output().encode())):
        with report.test(f"left/log of the {name}"):
            equal([needle for needle in cards if needle in log], [])


def main():
    if not os.path.isdir(os.path.join(ROOT, "tests", "npm", "node_modules", "stripe")):
        print("skip webhook (the packages of tests/npm are not installed: run npm ci there)")
        return
    report = Report("webhook")
    with Loud() as cluster:
        cluster.sql(SETUP.format(**OTHER), user="operator")
        with Gateway(cluster) as gateway:
            world = World(gateway)
            vectors(report)
            stock_signers(report, world)
            refusals(report, world)
            once(report, world)
            rotation(report, world)
            canaries(report, world)
            nothing_is_left(report, cluster, gateway)
    report.finish()


main()
