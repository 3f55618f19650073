# SPDX-License-Identifier: Apache-2.0
"""SQL expressions that no caller in his right mind passes, by type; each is a valid value of its type, so the call is reached."""

# What a statement made of an argument without quoting would run: the sequence keeps its step through every ROLLBACK.
FRAGMENTS = ["'||pg_catalog.nextval('shop.injected')||'", "1); SELECT nextval('shop.injected'); --", '"; SELECT nextval(\'shop.injected\'); --',
             "$$||nextval('shop.injected')||$$", "x\\'||nextval('shop.injected')--", "%s%I%L%%n%1$s"]
SETUP = """
CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
CREATE ROLE agent LOGIN IN ROLE aegis_agent;
CREATE ROLE anybody LOGIN;
GRANT USAGE ON SCHEMA aegis, aegis_app, shop TO auditor, agent, anybody;
SET ROLE shopkeeper;
CREATE SEQUENCE shop.injected;
GRANT USAGE ON SEQUENCE shop.injected TO PUBLIC;
CREATE VIEW shop.seen AS SELECT * FROM shop.document;
CREATE MATERIALIZED VIEW shop.stored AS SELECT 1 AS id;
CREATE TYPE shop.pair AS (a int, b text);
CREATE TABLE shop."odd ""name'" (tenant_id uuid, "id "" '" int, PRIMARY KEY (tenant_id, "id "" '"));
CREATE TABLE shop.empty ();
CREATE UNLOGGED TABLE shop.fleeting (tenant_id uuid, id int);
CREATE TABLE shop.child () INHERITS (shop.plain);
CREATE TABLE shop.dropped (id int);
"""
RELATIONS = ["pg_class", "pg_authid", "aegis.audit_log", "aegis.tenant", "aegis_app.invoice", "shop.document", "shop.document_pkey", "shop.page",
             "shop.board", "shop.seen", "shop.stored", "shop.pair", "shop.injected", "shop.event", "shop.event_1", "shop.plain", "shop.child",
             'shop."odd ""name\'"', "shop.empty", "shop.fleeting", "ways.owner_document", "information_schema.tables"]
NUMBERS = {"smallint": (-32768, 32767), "integer": (-2**31, 2**31 - 1), "bigint": (-2**63, 2**63 - 1)}


def quoted(text):
    return "E'%s'" % text.replace("\\", "\\\\").replace("'", "\\'").replace("\x01", "\\x01")


def texts(known):
    odd = ["", " ", "\x01", "\x01" * 40, "a\nb\tc\r", "'", '"', "\\", "$$", "\u202eevil\u202c\u200f", "\ufeff", "\U0001f9ff" * 9, "e\u0301" * 70,
           "aegis1:", "AEGIS1:!!!!", "aegis:v1:" + "A" * 99, "{}", "{", "[[", "NULL", "*", "../../etc/passwd", "file:///etc/passwd", "-1", "1e999", "NaN",
           "2147483648", "id", "tenant_id", "mail", "secret", "ctid", "no such", "email", "text", "aegis.sealed_text", "GET", "/", "/customers",
           "//%00", "a@b", "@", "a@b.example\n", "smith-one", "admin@smith-one.example", "text/event-stream", "pg_catalog.now()", *FRAGMENTS]
    return [quoted(t) for t in odd] + [quoted(t) for t in known] + [
        "repeat('x', 1048576)", "repeat(E'\\n', 1048576)", "repeat('\u00e4', 40000)", "repeat('[', 100000)", "repeat('a.', 9000)", "repeat('''', 70)"]


def jsons():
    return [quoted(t) for t in ("null", "1", '""', "[]", "{}", '{"a": null}', '[[[]]]', '{"":{"":""}}', "1e308", "-1e-300", "true", '"\\u0001"',
                                '{"tenant_id": 1, "id": [], "actor": {}}', '{"rank": "4", "entries": "x", "columns": {"a": 1}, "tables": 7}',
                                '[null, null]', '[{"hash": 1, "leaf": "zz"}]', '"\u202e"')] + [
        "(repeat('[', 3000) || repeat(']', 3000))::jsonb", "to_jsonb(repeat('x', 1048576))", "to_jsonb(ARRAY[%s])" % quoted(FRAGMENTS[0]),
        "(SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 20000) i)", "jsonb_build_object('id', 'NaN'::numeric::text)"]


def uuids(known):
    return ["'%s'" % u for u in ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", *known]]


def scalars(known, dropped):
    """Expressions by type. `known` are texts and uuids that exist, of this tenant and of the other."""
    names = [quoted(n) for n in ("", "id", "tenant_id", "mail", "secret", "oid", "no such", "\u202e", 'a"b', "a'b", "x" * 63, *FRAGMENTS[:1])]
    oids = ["0", "1", "4294967295", "1259", "'%s'" % dropped]
    found = {
        "text": texts(known["text"]), "character varying": texts([]), "cstring": texts([])[:20], "name": names, '"char"': ["''", "'x'", "'\\377'"],
        "jsonb": jsons(), "json": jsons(), "uuid": uuids(known["uuid"]), "boolean": ["true", "false"], "anyelement": ["1"],
        "\"any\"": ["1", "''::text", "NULL::uuid", *("%s::aegis.sealed_%s" % (quoted(e), t) for e in known["envelopes"][:6] + ["plain"] for t in ("text", "email"))],
        "record": ["ROW()", "ROW(NULL)", "ROW(1)", "ROW(1, 'x', NULL)", "ROW(ROW(1))", "ROW(%s)" % ", ".join(["1"] * 40), "ROW(repeat('x', 1048576))",
                   "(SELECT d FROM shop.document d LIMIT 1)", "(SELECT a FROM aegis.audit_log a LIMIT 1)"],
        "bytea": ["''", "'\\x00'", "'\\x01'", "decode(repeat('00', 1048576), 'hex')", "decode(repeat('ff', 32), 'hex')", "decode(repeat('a5', 64), 'hex')",
                  "'\\xffffffffffffffffffffff'"],
        "regclass": [quoted(r) for r in RELATIONS] + oids, "oid": oids + ["'shop.document'::regclass::oid", "'aegis.tenant_id()'::regprocedure::oid"],
        "regprocedure": oids + [quoted(p) for p in ("pg_sleep(float8)", "aegis.tenant_id()", "ways.leak(text)", "ways.dynamic_document(bool)", 'count("any")')],
        "regtype": oids + [quoted(t) for t in ("int", "text", "aegis.sealed_text", "aegis.sealed_email", "shop.pair", "trigger", "internal", "record", "int[]")],
        "regnamespace": oids + [quoted(n) for n in ("shop", "aegis", "pg_catalog", "pg_toast")], "regrole": oids + ["'postgres'", "'member'"],
        "interval": [quoted(i) for i in ("0", "-1 s", "-178000000 years", "178000000 years", "2147483647 months", "1 us", "1 day", "-1 month 31 days")],
        "timestamp with time zone": ["'infinity'", "'-infinity'", "'epoch'", "'294276-12-31 23:59:59+00'", "'4713-01-01 00:00:00+00 BC'", "now()"],
        "date": ["'infinity'", "'-infinity'", "'epoch'", "'4713-01-01 BC'"],
        "numeric": ["'NaN'", "'Infinity'", "'-Infinity'", "0", "1e131071", "-1e-16383", "1"],
        "double precision": ["'NaN'", "'Infinity'", "'-Infinity'", "0", "1e308", "-1e-308"], "real": ["'NaN'", "'-Infinity'", "0", "1e38"],
        "tid": ["'(0,0)'", "'(4294967295,65535)'"], "pg_lsn": ["'0/0'", "'FFFFFFFF/FFFFFFFF'"], "xid8": ["0", "'18446744073709551615'"],
    }
    for kind, (low, high) in NUMBERS.items():
        found[kind] = ["'%d'" % n for n in (low, low + 1, high, high - 1, -1, 0, 1, 2, 3, 4, 5, 7, 100, 32767)]
    for kind in ("aegis.sealed_text", "aegis.sealed_email", "aegis.sealed_keyword", "aegis.sealed_phone"):
        found[kind] = [quoted(e) for e in known["envelopes"]] + [quoted(t) for t in ("plain", "a@b.example", "\x01")] + ["repeat('x', 1048576)"]
    for kind, plain in (("bytea", "bytea"), ("jsonb", "jsonb"), ("numeric", "numeric"), ("date", "date"), ("timestamptz", "timestamp with time zone")):
        found["aegis.sealed_" + kind] = [quoted(e) for e in known["envelopes"]] + ["(%s)::%s::aegis.sealed_%s" % (v, plain, kind) for v in found[plain]]
    return found


def arrays(kind, some):
    """Of the expressions of their element."""
    value = "(%s)::%s" % (some, kind)
    return ["'{}'", "ARRAY[NULL]::%s[]" % kind, "ARRAY[%s]" % value, "ARRAY[%s, %s, NULL]" % (value, value), "ARRAY[[%s], [NULL]]" % value,
            "array_fill(%s, ARRAY[2, 2, 2])" % value, "array_fill(NULL::%s, ARRAY[100000])" % kind, "array_fill(%s, ARRAY[3], ARRAY[-2147483648])" % value,
            "array_fill(%s, ARRAY[2], ARRAY[2147483640])" % value, "array_fill(NULL::%s, ARRAY[70000])" % kind]


def pick(random, kind, known, dropped, composite):
    """One expression of the type `kind`; `composite` gives the types of its columns for one that has some."""
    if random.random() < 0.08:
        return "NULL::%s" % kind
    if kind.endswith("[]"):
        element = kind[:-2]
        return "(%s)::%s" % (random.choice(arrays(element, pick(random, element, known, dropped, composite))), kind)
    if kind in composite and random.random() < 0.9:
        fields = ["%s" % pick(random, column, known, dropped, composite) for column in composite[kind]]
        return "ROW(%s)::%s" % (", ".join(fields), kind)
    pool = scalars(known, dropped).get(kind)
    return "(%s)::%s" % (random.choice(pool), kind) if pool else "NULL"
