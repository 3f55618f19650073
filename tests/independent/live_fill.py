# SPDX-License-Identifier: Apache-2.0
"""Fills a throw-away database with what a second reader must get right, and remembers what was entered."""
import json

from live_database import literal
from live_fill_kyc import fill_kyc
from live_fill_payment import fill_payments
from live_sealed import CREDENTIALS

PASSWORD = "violet-harbour-paints-%d"
TENANTS = {"independent-one": "One", "independent-two": "Zw\u00f6lf & S\u00f6hne", "independent-three": "\u4e09\u756a\u76ee"}
AGENTS = ["psql", "Agent/1.0 (\u00fcber \u201etypographische\u201c Zeichen)", "x" * 120]
ADDRESSES = ["192.0.2.7", "2001:db8::7", "198.51.100.200"]
NAMES = ["Zo\u00eb Falk", "Zoe\u0308 Falk", "\u0639\u0644\u064a", "\u5c71\u7530\u592a\u90ce", "\U0001F600\U0001F468\u200D\U0001F469",
         "O'Hara \\ \"Bell\"\ttab", "A" * 200]
LONG = "\u00e9\u4e2d\U0001F600 line\n" * 4000           # 60 kB of UTF-8, more than a page

SETUP = r"""
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
CREATE SCHEMA live;
GRANT USAGE ON SCHEMA live TO member, operator;
CREATE TYPE live.mood AS ENUM ('calm', 'héctic');
CREATE TABLE live.record (
  tenant_id uuid, id bigint, label text, mail aegis.sealed_email, secret aegis.sealed_text,
  flag boolean, small smallint, big bigint, number oid, day date, at timestamptz, local timestamp, mood live.mood, other uuid,
  note text, code varchar(20), fixed char(6), short name, amount numeric, doc jsonb, plain json, blob bytea,
  span interval, host inet, ratio double precision, tags text[], PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('live.record');
SELECT aegis.encrypt_column('live.record', 'mail', 'live.mail', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('live.record', 'secret', 'live.secret');
SELECT aegis.unaudit_table('live.record');
SELECT aegis.audit_table('live.record', '{label}');
GRANT SELECT, INSERT, UPDATE, DELETE ON live.record TO member;
CREATE TABLE live.system_row (id int PRIMARY KEY, word text);   -- of no tenant
SELECT aegis.audit_table('live.system_row');
SELECT aegis.declare_event('live.noted', 'for the test of second readers',
  '{"n": "clear", "yes": "clear", "word": "clear", "who": "personal", "age": "personal", "sure": "personal"}');
"""

ROWS = r"""
INSERT INTO live.record (id, label, mail, secret, flag, small, big, number, day, at, local, mood, other, note, code, fixed, short, amount,
    doc, plain, blob, span, host, ratio, tags) VALUES
  (1, 'a label', ' Ann@Example.ORG ', 'secret one', true, -32768, 9223372036854775807, 4294967295, '2026-02-28',
   '2026-02-28 12:34:56.789012+02', '1969-12-31 23:59:59.999999', 'héctic', 'a1a1a1a1-0000-4000-8000-00000000ffff',
   E'note\nwith lines', 'v', 'pad', 'a name', 1234567890.123456789012345678900, '{"b": [1, null, "x"], "a": 1e3}',
   '{"b": 1,   "a": 2}', '\xa1000102', '1 mon -2 days 03:04:05.6', '192.0.2.0/24', 0.1, '{a,NULL,"c d"}'),
  (-2, '', 'b@example.org', '', false, 0, -9223372036854775808, 0, '-infinity', 'infinity', '4713-01-01 00:00:00 BC', 'calm', NULL,
   '', '', '', '', 'NaN', 'null', '[]', '', '0', '::1', 'NaN', '{}'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL);
INSERT INTO live.record (id, secret, amount, day, at) VALUES (4, %(long)s, -0.00, '0044-03-15 BC', '0044-03-15 12:00:00+00 BC');
UPDATE live.record SET mail = 'Carl@example.org', note = 'was null', day = 'infinity', flag = true WHERE id = 3;
UPDATE live.record SET note = NULL, amount = NULL, label = NULL, mail = NULL, at = '-infinity' WHERE id = 1;
UPDATE live.record SET id = 5, big = 5 WHERE id = -2;
SAVEPOINT s;
INSERT INTO live.record (id, secret) VALUES (6, 'rolled back');
ROLLBACK TO s;
INSERT INTO live.record (id, secret, label) VALUES (7, 'deleted', 'd'), (8, 'stays', 'd');
DELETE FROM live.record WHERE id = 7;
"""


class Fill:
    def __init__(self, database):
        self.database = database
        self.tenants = {}     # slug -> uuid
        self.origins = {}     # request id -> (address, user agent)
        self.notes = {}       # target id -> (clear details, personal details)
        self.logins = []      # (slug, e-mail as entered)
        self.tokens = []      # session tokens
        self.requests = 0

    def origin(self):
        """SQL arguments ip, user_agent, request_id of the next request."""
        request = "request-%d" % self.requests
        self.origins[request] = (ADDRESSES[self.requests % 3], AGENTS[self.requests % len(AGENTS)])
        self.requests += 1
        return ", ".join(literal(v) for v in self.origins[request] + (request,))

    def setup(self):
        self.database.script(SETUP)
        for slug, name in TENANTS.items():
            if self.database.value("SELECT count(*) FROM aegis.tenants() WHERE slug = '%s'" % slug) == "0":
                self.database.value("SELECT aegis.create_tenant('%s', %s)" % (slug, literal(name)))
            self.tenants[slug] = self.database.value("SELECT id FROM aegis.tenants() WHERE slug = '%s'" % slug)
        policies = self.database.value("SELECT pg_catalog.string_agg(pg_catalog.format('SELECT aegis.set_reveal_policy(%L, 0::int2, ''full'');', name), '')"
                                       " FROM aegis.field WHERE name <> ALL (ARRAY[" + ", ".join(map(literal, sorted(CREDENTIALS))) + "])")
        self.database.script(policies)
        for n, (slug, tenant) in enumerate(self.tenants.items()):
            users = [("Ada.%d@Admin.example" % n, "Ada \u00c4", 4), ("  Uma.%d@user.example" % n, NAMES[n], 1)]
            create = "".join("SELECT aegis.create_user(%s, %s, %d::smallint, NULL, '%s');\n"
                             % (literal(mail), literal(name), rank, PASSWORD % n) for mail, name, rank in users)
            self.database.script("BEGIN; SELECT aegis.assume_tenant('%s', 'set up \u00a7 1', 'T-1', read_only => false);\n%sCOMMIT;" % (tenant, create),
                                 "operator")
            self.logins += [(slug, mail) for mail, _, _ in users]

    def as_user(self, n, statements):
        """Signs in and runs the statements in one transaction of the user."""
        slug, mail = self.logins[n]
        sign_in = "SELECT token FROM aegis.sign_in('%s', %s, '%s', %s) \\gset\n\\echo :token\n" % (
            slug, literal(mail), PASSWORD % (n // 2), self.origin())
        text = "%sBEGIN;\nSELECT aegis.authenticate(:'token', %s) \\g /dev/null\n%s\nCOMMIT;\n" % (sign_in, self.origin(), statements)
        self.tokens.append((slug, self.database.script(text, "member")[0]))

    @staticmethod
    def call(handler, into, **request):
        body = literal(json.dumps(request, ensure_ascii=False))
        return "SELECT (aegis_app.%s(jsonb_populate_record(NULL::aegis.request, %s::jsonb))).body ->> 'id' AS %s \\gset\n" % (handler, body, into)

    @staticmethod
    def step(handler, target, body="'{}'"):
        return ("SELECT (aegis_app.%s(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'%s'),"
                " 'body', %s::jsonb)))).status \\g /dev/null\n" % (handler, target, body))

    def customers(self, n):
        out = ""
        for i, name in enumerate(NAMES):
            entered = {"name": name, "email": None if i == 2 else "Kunde.%d.%d@\u00dcBER.example" % (n, i), "phone": "+44 20 7946 %04d" % i,
                       "address": None if i % 2 else "1 Rosenweg\n\u00d6rtchen", "notes": "\u00df" * 4000 if i == 3 else None}
            out += self.call("create_customer", "customer", body=entered)
            lines = json.dumps([{"description": "Krone \u2116 %d" % i, "quantity": 1 + i, "unit_minor": "68000"}])
            out += ("SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object("
                    "'customer_id', :'customer', 'currency', 'EUR', 'due_date', '2027-01-02', 'memo', %s::text, 'lines', %s::jsonb))))).body ->> 'id'"
                    " AS invoice \\gset\n" % (literal("Memo %d \u2014 \u20ac" % i if i % 2 else None), literal(lines)))
            out += self.step("edit_invoice", "invoice", literal(json.dumps({"memo": "neu", "due_date": "2028-02-29"}))) if i == 4 else ""
            out += self.step("send_invoice", "invoice") if i % 3 else ""
            out += self.step("cancel_invoice", "invoice", literal(json.dumps({"reason": "doppelt \u2013 Zo\u00eb"}))) if i == 5 else ""
            out += self.step("send_invoice", "invoice") if i == 1 else ""    # not possible: a failure in the ledger
            out += self.credited() if i == 2 and n % 2 == 0 else ""
        return out + self.step("change_customer", "customer", literal('{"name": "Renamed", "email": "New.%d@example.org", "version": 1}' % n))

    def credited(self):
        """A credit note of the invoice that was sent last, and that it was a mistake; for those who may."""
        return ("SELECT (aegis_app.create_credit_note(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object("
                "'id', :'invoice'), 'body', %s::jsonb)))).body ->> 'id' AS note \\gset\n" % literal(json.dumps({"reason": "zur\u00fcck"}))
                + self.step("void_credit_note", "note", literal(json.dumps({"reason": "doch nicht \u2013"}))))

    def note(self, target, clear, personal):
        self.notes[target] = (clear, personal)
        return "SELECT aegis.record('live.noted', 'thing', %s, 'denied', %s);\n" % (
            literal(target), literal(json.dumps({**clear, **personal}, ensure_ascii=False)))

    def fill(self):
        self.setup()
        for n in range(len(self.logins)):
            self.as_user(n, self.customers(n) + "SELECT aegis.begin_second_factor() \\g /dev/null\n")
            if n % 2:
                self.as_user(n, ROWS % {"long": literal(LONG)})
            self.database.value("SELECT aegis.wait_sealed('60 s')")
        fill_kyc(self)
        fill_payments(self)
        self.as_user(0, self.note("n1", {"n": -1, "yes": True, "word": "caf\u00e9"}, {"who": "\u5c71\u7530", "age": 44, "sure": False})
                     + self.note("n2", {"n": 2 ** 53, "word": "w" * 3000}, {"who": "p" * 5000}))
        self.database.script(self.note("n3", {"n": 0}, {"who": "nobody's", "age": -1}) + self.note("n4", {}, {})
                             + "INSERT INTO live.system_row VALUES (1, 'word'), (2, NULL); UPDATE live.system_row SET word = 'x' WHERE id = 2;"
                             " DELETE FROM live.system_row WHERE id = 1; TRUNCATE live.system_row; INSERT INTO live.system_row VALUES (3, 'last');")
        # Refused, and rolled back after a reveal: the worker writes these entries.
        self.database.script("SELECT * FROM aegis.sign_in('independent-one', 'ada.0@admin.example', 'wrong', %s);" % self.origin(), "member")
        self.database.script("BEGIN; SELECT aegis.assume_tenant('%s', 'look', 'T-2'); SELECT aegis.reveal(name) FROM aegis_app.customer; ROLLBACK;"
                             % self.tenants["independent-two"], "operator")
        for _ in range(200):
            if self.database.value("SELECT charges_open = 0 AND charges_waiting = 0 FROM aegis.worker_status()") == "t":
                break
            self.database.value("SELECT pg_sleep(0.05)")
        # Enough leaves for kept nodes of the trees, in a tenant's log and in the root log: every pass grows four logs.
        rows = ", ".join("('%s', %%d)" % tenant for tenant in self.tenants.values())
        self.database.script("".join("INSERT INTO live.record (tenant_id, id) VALUES %s;\nINSERT INTO live.system_row VALUES (%d);\n"
                                     "SELECT aegis.wait_sealed('60 s') \\g /dev/null\n" % (rows % (i, i, i), i) for i in range(100, 170)))
        self.database.script("INSERT INTO live.system_row SELECT generate_series(1000, 1600);")
        self.database.value("SELECT aegis.wait_sealed('60 s')")
