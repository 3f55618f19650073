#!/usr/bin/env python3
"""Card data is sent into every place that takes text, over HTTP and in SQL; afterwards none of it is found in a dump, in files
of the cluster and its WAL, in temporary files, or in what the database and the gateway log. Every published number in every context
comes as webhooks three times: with all layers against card data, without the first, and without the first two."""
import base64
import glob
import json
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scrub"))
from cards import PUBLISHED, luhn  # noqa: E402
from contexts import CONTEXTS  # noqa: E402
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.card_scan import CardScan  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import run  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.webhook import endpoint, signed_stripe  # noqa: E402

CARDS = PUBLISHED[:6]
CODE, EXPIRY, HOLDER = "cvv=9473", "2931-07", "QUENTIN CARDHOLDER"
TRACK = f";{CARDS[0]}=29122015478200000000?"
CONTROL = "Marmalade-Control-4711"
SECRET = "whsec_of_the_card_test"
# What a superuser would have to write to switch off one layer.
WITHOUT = {
    "list": "CREATE OR REPLACE FUNCTION aegis.project_payload(provider text, event text, payload jsonb) RETURNS jsonb LANGUAGE sql STABLE STRICT"
            " PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT payload'",
    "scrubber": "CREATE OR REPLACE FUNCTION aegis.scrub(value jsonb, profile text DEFAULT 'payload') RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT"
                " PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT value'",
    "verifier": "CREATE OR REPLACE FUNCTION aegis.is_free_of_card_data(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT"
                " PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT true'"}
# What the verifier promises to see without the others (docs/scrub.md).
PLAIN = ("bare", "sentence", "json number", "spaces", "hyphens", "no-break space", "full-width", "url query", "base64", "hexadecimal", "track 1", "track 2")


class Canaries(Cluster):
    """Everything that a server can log is logged, parameters of statements as well."""

    def configuration(self, keyring):
        return super().configuration(keyring) + """
log_min_duration_statement = 0
log_min_error_statement = 'info'
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_temp_files = 0
work_mem = '64kB'
"""


def spelled(card):
    """What people and programs make of one number."""
    four = " ".join(card[i:i + 4] for i in range(0, len(card), 4))
    return [card, four, four.replace(" ", "-"), f"my card is {card}, thanks", base64.b64encode(card.encode()).decode(),
            "".join(chr(0xFF10 + int(c)) for c in card), card.encode().hex()]


def over_http(report, client):
    with report.test("http/refuses what people write"):
        for card in CARDS[:3]:
            for text in spelled(card):
                for body in ({"name": text}, {"name": "Ann", "notes": text}, {"name": "Ann", "address": text}):
                    reply = client.request("POST", "/api/customers", body)
                    equal((reply.status, reply.problem()), (422, "pan_detected"), text)
                    assert card.encode() not in reply.body, reply.body
    with report.test("http/refuses memos, lines and reasons"):
        customer = client.request("POST", "/api/customers", {"name": CONTROL}).json()["id"]
        draft = {"customer_id": customer, "currency": "GBP", "lines": [{"description": "Work", "unit_minor": "100"}]}
        for card in CARDS:
            reply = client.request("POST", "/api/invoices", {**draft, "memo": f"pay {card}"})
            equal((reply.status, reply.problem()), (422, "pan_detected"))
            lines = [{"description": card, "unit_minor": "100"}]
            equal(client.request("POST", "/api/invoices", {**draft, "lines": lines}).status, 422)
        invoice = client.request("POST", "/api/invoices", draft).json()["id"]
        equal(client.request("POST", f"/api/invoices/{invoice}/cancel", {"reason": TRACK}).status, 422)
    with report.test("http/answers anything else"):
        for card in CARDS:
            for method, path, body, headers in (
                    ("GET", f"/api/customers?email={card}", None, {}),
                    ("GET", f"/api/customers?after={card}&{CODE}", None, {}),
                    ("GET", f"/api/customers/{card}", None, {}),
                    ("GET", f"/api/{card}", None, {}),
                    ("GET", "/api/customers", None, {"X-Request-Id": card, "User-Agent": f"agent {card}", "Cookie": f"card={card}"}),
                    ("GET", "/api/customers", None, {"Authorization": f"Bearer {card}"}),
                    ("POST", "/api/customers", {card: card, "cvv": "9473", "exp": EXPIRY}, {}),
                    ("POST", "/api/customers", b'{"name": "' + card.encode(), {"Content-Type": "application/json"}),
                    ("POST", "/api/customers", card.encode(), {"Content-Type": card}),
                    ("POST", "/api/teams", {"name": f"team {card}"}, {}),
                    ("POST", "/api/users", {"name": card, "email": f"{card}@a.example", "rank": 1, "password": f"x-{card}-otter"}, {}),
                    ("POST", "/api/session", {"tenant": card, "email": card, "password": card}, {})):
                reply = client.request(method, path, body, headers)
                assert reply.status in (200, 400, 401, 403, 404, 415, 422), (path, reply.status, reply.body)
                assert reply.status == 200 or card.encode() not in reply.body, reply.body


def in_sql(report, cluster):
    def fails(text, user="postgres"):
        try:
            cluster.sql(text, user=user)
        except RuntimeError as error:
            # psql shows the statement that it sent: its own copy.
            return "\n".join(line for line in str(error).splitlines() if not line.startswith("LINE "))
        raise AssertionError(f"no error: {text}")

    with report.test("sql/no column is named after card data"):
        named = """SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace::regnamespace::text IN ('aegis', 'aegis_app') AND a.attnum > 0
            AND EXISTS (SELECT FROM aegis.scrub_findings(jsonb_build_object(a.attname, 'x')))"""
        equal(cluster.sql(named), "")
        cluster.sql("CREATE TABLE aegis_app.pays (expiry_month text)")
        equal(cluster.sql(named), "aegis_app.pays.expiry_month")
        cluster.sql("DROP TABLE aegis_app.pays")
    with report.test("sql/errors do not show it"):
        cluster.sql("CREATE TABLE public.kept (id int PRIMARY KEY, body jsonb CHECK (aegis.is_free_of_card_data(body)), raw text UNIQUE)")
        for i, card in enumerate(CARDS):
            for text in (f"SELECT '{card}'::uuid", f"SELECT 'card {card}'::integer", f"SELECT jsonb '{{\"a\": {card}'",
                         f"INSERT INTO public.kept (id, body) VALUES (1, '{{\"n\": {card}}}')",
                         f"DO $$ BEGIN RAISE EXCEPTION 'no {card}' USING DETAIL = '{TRACK}', HINT = '{CODE}'; END $$",
                         f"SELECT aegis.scrub('{card}', 'user_field')", f"SELECT \"{card}\" FROM public.kept"):
                assert card not in fails(text), text
            cluster.sql(f"INSERT INTO public.kept SELECT {i}, aegis.scrub('{{\"n\": {card}, \"cvv\": \"9473\", \"name_on_card\": \"{HOLDER}\"}}'::jsonb),"
                        f" aegis.scrub('track {TRACK} and {card} {CODE}') || '{i}'")
            cluster.sql(f"PREPARE p AS SELECT $1::text; EXECUTE p('{card}'); SELECT $q${TRACK}$q$ /* {card} */")
        # A sort that spills to files, of texts that were scrubbed on the way.
        cluster.sql(f"SELECT count(*) FROM (SELECT aegis.scrub('x {CARDS[0]} ' || g) s FROM generate_series(1, 20000) g ORDER BY 1 DESC) t")


def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


class Provider:
    """Sends webhooks that hold whatever it is given, signed."""

    def __init__(self, client, cluster, account):
        self.path, self.cluster = endpoint(client, "stripe", account, SECRET), cluster
        self.client = client

    def send(self, event, texts):
        """The texts as strings, and where they are JSON, as such; the status."""
        parts = [json.dumps(text) for text in texts] + [text for text in texts if is_json(text)]
        body = ('{"id": "%s", "object": "event", "type": "customer.updated", "livemode": true, "data": {"object": {"id": "cus_bulk0001", "seen": [%s]}}}'
                % (event, ", ".join(parts))).encode()
        return self.client.request("POST", self.path, body, {**signed_stripe(body, SECRET), "Authorization": "none"}).status

    def send_all(self, mark):
        for number, card in enumerate(PUBLISHED):
            texts = [make(card) for make in CONTEXTS.values()]
            # 503 until the gateway has its connections again: a provider comes again.
            until(lambda: self.send(f"evt_{mark}{number}", texts) == 200, 20, "a message is taken")

    def kept(self, mark):
        """The documents by event."""
        rows = self.cluster.sql(f"SELECT event_id || ' ' || document FROM aegis_app.webhook_event WHERE event_id LIKE 'evt\\_{mark}%'").splitlines()
        return dict(row.split(" ", 1) for row in rows)

    def quarantined(self):
        return int(self.cluster.sql("SELECT count(*) FROM aegis_app.webhook_event WHERE state = 'quarantined' AND reason = 'card_data' AND event_id IS NULL AND document IS NULL"))


def in_webhooks(report, cluster, client):
    provider = Provider(client, cluster, "acct_bulk")
    # Long documents are compressed, and nobody would see what is in them.
    cluster.sql("ALTER TABLE aegis_app.webhook_event ALTER COLUMN document SET STORAGE EXTERNAL")

    def nothing_in(mark, marks):
        kept = provider.kept(mark)
        equal(len(kept), len(PUBLISHED), "messages kept")
        for number, card in enumerate(PUBLISHED):
            document = kept[f"evt_{mark}{number}"]
            equal([name for name, make in CONTEXTS.items() if json.dumps(make(card))[1:-1] in document or make(card) in document], [], card)
            assert card not in "".join(str(int(c)) for c in document if c.isdecimal()), (card, document)
            equal("[scrubbed:" in document, marks, document[:200])
        equal(provider.quarantined(), 0, "what the verifier had to stop")
    with report.test(f"webhooks/{len(PUBLISHED)} numbers in {len(CONTEXTS)} contexts"):
        provider.send_all("all")
        nothing_in("all", False)
    with report.test("webhooks/the same without the list of fields: the scrubber takes them"):
        cluster.sql(WITHOUT["list"])
        provider.send_all("scrubber")
        nothing_in("scrubber", True)
    with report.test("webhooks/the same without the scrubber either: the verifier stops them"):
        cluster.sql(WITHOUT["scrubber"])
        provider.send_all("verifier")
        equal((len(provider.kept("verifier")), provider.quarantined()), (0, len(PUBLISHED)))
    with report.test("webhooks/the verifier alone, one text at a time"):
        for number, name in enumerate(PLAIN):
            equal((provider.send(f"evt_plain{number}", [CONTEXTS[name](PUBLISHED[number])]), provider.quarantined()), (200, len(PUBLISHED) + number + 1), name)
        equal(provider.send("evt_harmless", [CONTROL, "2026-11-28 12:59:07", "AG7Q2M"]), 200)
        assert CONTROL in provider.kept("harmless")["evt_harmless"], "what is no card is kept"
    with report.test("webhooks/each of these is recorded"):
        cluster.sql("SELECT aegis.wait_sealed(interval '20 s')")
        equal(cluster.sql("SELECT count(*) FROM aegis.audit_log WHERE event = 'pci.verifier_rejected' AND outcome = 'failure'"
                          " AND target_kind = 'webhook' AND detail = '{\"provider\": \"stripe\"}'"), str(len(PUBLISHED) + len(PLAIN)))


def digits(text):
    """Every run of digits with nothing but blanks and hyphens between, for the second opinion."""
    return [re.sub(r"[ -]", "", run) for run in re.findall(r"\d(?:[ -]?\d){11,18}", text)]


def holds(data, where):
    """What of the canaries is in these bytes, in which form."""
    found = []
    for name, value in [*((card, card) for card in CARDS), ("track", TRACK[1:-1]), ("code", "9473"), ("expiry", EXPIRY), ("holder", HOLDER)]:
        forms = {"raw": value.encode(), "utf-16": value.encode("utf-16le"), "hex": value.encode().hex().encode()}
        if name == "code":
            forms = {"raw": b'9473"', "assigned": CODE.encode()}
        found += [f"{where}: {name} {form}" for form, needle in forms.items() if needle in data]
        if len(value) == 16:
            four = " ".join(value[i:i + 4] for i in range(0, 16, 4)).encode()
            found += [f"{where}: {name} grouped"] * (four in data)
    return found


def read(path):
    with open(path, "rb") as file:
        return file.read()


def dumped(cluster):
    return run([f"{BIN}/pg_dump", "-h", cluster.folder, "-U", "postgres", cluster.database])


def nothing_is_left(report, cluster, gateway):
    dump = dumped(cluster)
    cluster.sql("CHECKPOINT")
    cluster.stop()
    log, lines = read(cluster.log), gateway.output().encode()
    files = [path for path in glob.glob(f"{cluster.data}/**", recursive=True) if os.path.isfile(path)]
    with report.test("scan/would see what is there"):
        assert CONTROL.encode().hex().encode() in log and b"[scrubbed:pan]" in log and b"[scrubbed:pan]" in dump.encode() and lines
        equal(len(holds(f"x{CARDS[0]} {TRACK} {CODE} {EXPIRY} {HOLDER}".encode(), "")), 5)
        assert len([p for p in files if "pg_wal" in p]) > 0
    for name, data in (("dump", dump.encode()), ("log of the database", log), ("log of the gateway", lines)):
        with report.test(f"scan/{name}"):
            equal(holds(data, name), [])
            cards = [run for run in digits(data.decode(errors="replace")) if run in PUBLISHED and luhn(run)]
            equal(cards, [], "test numbers that the second scanner finds")
    with report.test("scan/files, WAL and temporary files"):
        equal([hit for path in files for hit in holds(read(path), os.path.relpath(path, cluster.data))], [])


def nothing_is_found(report, scan, cluster, gateway):
    """The cluster is stopped; its last dump lies in the folder of the scan."""
    with report.test("grep/would see every text, and digits alone"):
        planted = os.path.join(scan.folder, "planted")
        os.mkdir(planted)
        for number, (name, make) in enumerate(CONTEXTS.items()):
            with open(os.path.join(planted, name), "wb") as file:
                file.write(b"\0before " + make(PUBLISHED[number]).encode() + b" after\0")
        equal({os.path.basename(path).decode() for path, _ in scan.hits(planted)}, set(CONTEXTS))
        shutil.rmtree(planted)
    for name, paths in (("dump", [os.path.join(scan.folder, "dump")]), ("files, WAL and temporary files", [cluster.data]), ("logs", [cluster.log, gateway.log])):
        with report.test(f"grep/{name}"):
            equal(scan.found(*paths), [])


def without_any_layer(report, scan, cluster):
    """What would have been found: the same messages, and nothing that stops them."""
    cluster.start()
    cluster.sql(WITHOUT["verifier"])
    with Gateway(cluster) as gateway:  # The other's connections ended with the server: it repeats no POST that may have arrived.
        client = Client(gateway)
        client.sign_in(LOGIN)
        provider = Provider(client, cluster, "acct_open")
        with report.test("control/without any layer they are kept"):
            provider.send_all("open")
            equal(len(provider.kept("open")), len(PUBLISHED))
        client.close()
    with open(os.path.join(scan.folder, "open"), "w", encoding="utf-8") as file:
        file.write(dumped(cluster))
    cluster.sql("CHECKPOINT")
    cluster.stop()
    for name, path in (("dump", os.path.join(scan.folder, "open")), ("WAL", os.path.join(cluster.data, "pg_wal")), ("files", os.path.join(cluster.data, "base"))):
        with report.test(f"control/and found in {name}"):
            equal(len(scan.found(path)), 10)


def main():
    report = Report("card_data")
    texts = [make(card) for make in CONTEXTS.values() for card in PUBLISHED]
    with Canaries() as cluster, CardScan(texts, PUBLISHED) as scan, Gateway(cluster) as gateway:
        client = Client(gateway)
        client.sign_in(LOGIN)
        over_http(report, client)
        in_sql(report, cluster)
        in_webhooks(report, cluster, client)
        with open(os.path.join(scan.folder, "dump"), "w", encoding="utf-8") as file:
            file.write(dumped(cluster))
        nothing_is_left(report, cluster, gateway)
        nothing_is_found(report, scan, cluster, gateway)
        without_any_layer(report, scan, cluster)
        client.close()
    report.finish()


main()
