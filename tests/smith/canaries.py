# SPDX-License-Identifier: Apache-2.0
"""A throw-away database in which every value that a tenant must not see is a canary: a word that comes nowhere else.

Own rows hold another word, so that a run in which nothing was shown can be told from one in which nothing leaked."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from libpq import Session  # noqa: E402

PASSWORD = "heron copper lantern 58 river"
OTHER, HIDDEN, OWN = "qzjxw", "xvqkz", "vkwpy"     # another tenant's; a colleague's; the actor's
NAMES = {"smith-one": "jwvbq", "smith-two": "zpqvx"}    # of the tenants
NUMBERS = {OTHER: "739201846", HIDDEN: "284659317", OWN: "618354079", "jwvbq": "947150263", "zpqvx": "506973128"}
TENANTS = {"smith-one": OWN, "smith-two": OTHER}

SETUP = """
CREATE ROLE shopkeeper LOGIN;
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE gateway LOGIN IN ROLE aegis_gateway;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE careless LOGIN BYPASSRLS;
GRANT USAGE ON SCHEMA aegis TO shopkeeper;
CREATE SCHEMA shop AUTHORIZATION shopkeeper;
CREATE SCHEMA ways AUTHORIZATION shopkeeper;
GRANT USAGE ON SCHEMA shop, ways TO member, gateway, operator, careless;
GRANT USAGE ON SCHEMA aegis_app TO shopkeeper;
GRANT SELECT ON aegis_app.customer, aegis_app.invoice, aegis_app.invoice_line TO shopkeeper;
"""
LOGINS = ("member", "gateway", "operator", "careless")
# Of the shapes of protect_table.
SHAPES = {"document": "", "board": ", created_by => false", "diary": ", team => false", "setting": ", created_by => false, team => false"}
COLUMNS = "body text, data jsonb, raw bytea, number numeric, tags text[], mail aegis.sealed_email, secret aegis.sealed_text"
TABLES = """
CREATE TABLE shop.page (tenant_id uuid, document_id int, id int, {columns}, PRIMARY KEY (tenant_id, document_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES shop.document (tenant_id, id) ON DELETE CASCADE);
SELECT aegis.protect_table('shop.page', parent => 'shop.document');
-- By hand, as somebody may who has partitions; and what nobody has protected.
CREATE TABLE shop.event (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id int, {columns}) PARTITION BY LIST (id);
CREATE TABLE shop.event_1 PARTITION OF shop.event FOR VALUES IN (1);
CREATE TABLE shop.event_2 PARTITION OF shop.event DEFAULT;
CREATE TABLE shop.plain (tenant_id uuid, id int, {columns});
"""
BY_HAND = """
ALTER TABLE {t} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON {t} USING (tenant_id = aegis.tenant_id()) WITH CHECK (tenant_id = aegis.tenant_id());
"""
READ = ["shop.document", "shop.page", "shop.board", "shop.diary", "shop.setting", "shop.event", "shop.plain",
        "aegis_app.customer", "aegis_app.invoice", "aegis_app.invoice_line"]
WAYS = """
CREATE VIEW ways.invoker_{s} WITH (security_invoker) AS SELECT * FROM {t};
CREATE VIEW ways.owner_{s} AS SELECT * FROM {t};
CREATE VIEW ways.barrier_{s} WITH (security_barrier) AS SELECT * FROM {t};
CREATE FUNCTION ways.sql_{s}(n int) RETURNS text LANGUAGE sql STABLE AS 'SELECT t::text FROM {t} t OFFSET abs(n) LIMIT 1';
CREATE FUNCTION ways.first_{s}() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'SELECT string_agg(t::text, ''|'') FROM {t} t';
CREATE FUNCTION ways.dynamic_{s}(condition bool) RETURNS text LANGUAGE plpgsql AS
  'DECLARE r text; BEGIN EXECUTE ''SELECT string_agg(t::text, ''''|'''') FROM {t} t WHERE $1'' INTO r USING condition; RETURN r; END';
"""
ENVELOPES = [("aegis_app.customer", "name"), ("aegis_app.customer", "email"), ("aegis_app.invoice", "memo"),
             ("shop.document", "secret"), ("shop.document", "mail"), ("shop.page", "secret")]
# Cheap and telling: the planner would run them first if it were allowed to. As functions and as operators.
LEAK = """
CREATE FUNCTION ways.leak({type}) RETURNS bool LANGUAGE plpgsql COST 0.0000001 PARALLEL SAFE AS
  $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;
CREATE FUNCTION ways.leak({type}, {type}) RETURNS bool LANGUAGE plpgsql COST 0.0000001 PARALLEL SAFE AS
  $$ BEGIN RAISE NOTICE 'leak % and %', $1, $2; RETURN true; END $$;
CREATE FUNCTION ways.fail({type}) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS
  $$ BEGIN RAISE EXCEPTION 'fail %', $1; END $$;
CREATE OPERATOR ways.<~> (FUNCTION = ways.leak, LEFTARG = {type}, RIGHTARG = {type});
"""
LEAKING = ("text", "jsonb", "bytea", "numeric", "text[]", "uuid", "aegis.sealed_text", "aegis.sealed_email")
# sqlsmith calls no function that gives rows; as views it reads them.
LISTS = ("users", "teams", "current_tenant", "tenant_audit_log", "routes")
PLAIN_LEAK = """
CREATE MATERIALIZED VIEW ways.stored AS SELECT * FROM shop.document;
CREATE VIEW ways.of_superuser AS SELECT * FROM shop.document;
CREATE FUNCTION ways.of_superuser() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT string_agg(t::text, ''|'') FROM shop.document t';
CREATE FUNCTION ways.of_ledger() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT string_agg(t::text, ''|'') FROM aegis.audit_log t';
"""
GRANTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop, ways TO {login};
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ways FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ways TO {login};
GRANT USAGE ON SCHEMA aegis, aegis_app TO careless;
GRANT SELECT ON ALL TABLES IN SCHEMA aegis, aegis_app TO careless, member, gateway;
ALTER ROLE {login} SET statement_timeout = '1s';
ALTER ROLE {login} SET search_path = ways, aegis;
"""
# Members are held back from what is not protected, whatever they were granted; operators by what they are granted.
OPERATOR = """
REVOKE ALL ON shop.plain, ways.stored, ways.of_superuser, ways.invoker_plain, ways.owner_plain, ways.barrier_plain FROM operator;
REVOKE ALL ON FUNCTION ways.of_superuser(), ways.of_ledger(), ways.first_plain() FROM operator;
"""


def values(word):
    """Of the columns, in their order."""
    number = NUMBERS[word]
    return ["'%s'" % (word * 6), "'{\"%s\": [\"%s\", %s]}'" % (word * 3, word * 4, number * 3), "'\\x%s'" % (word * 6).encode().hex(),
            number * 4, "ARRAY['%s', '%s']" % (word * 5, word * 2), "'%s@%s.example'" % (word * 3, word * 3), "'%s'" % (word * 7)]


def forms(word):
    """How a value that holds the word several times in a row shows it, whatever is cut off and however it is coded."""
    text = word.encode()
    found = {text, text[::-1], text.hex().encode(), text.upper().hex().encode(), NUMBERS[word].encode()}
    for shift in range(3):  # base64 groups three bytes: without its ends the word has three forms
        coded = base64.b64encode(b"x" * shift + text * 3)
        found.add(coded[4 * -(-shift // 3) + 4:][:8])
    return found


def fill(socket):
    with Session(socket, "postgres") as root:
        root.run(SETUP)
        with Session(socket, "shopkeeper") as owner:
            for name in SHAPES:
                owner.run("CREATE TABLE shop.%s (tenant_id uuid, id int, %s, PRIMARY KEY (tenant_id, id))" % (name, COLUMNS))
                owner.run("SELECT aegis.protect_table('shop.%s'%s)" % (name, SHAPES[name]))
            owner.run(TABLES.format(columns=COLUMNS))
            for name in ("event", "event_1", "event_2"):
                owner.run(BY_HAND.format(t="shop." + name))
        for name in ("document", "page", "board", "diary", "setting"):
            root.run("SELECT aegis.encrypt_column('shop.%s', 'mail', '%s.mail', 'aegis.sealed_email', 'email')" % (name, name))
            root.run("SELECT aegis.encrypt_column('shop.%s', 'secret', '%s.secret', 'aegis.sealed_text')" % (name, name))
        root.run("ALTER TABLE shop.event DROP mail, DROP secret; ALTER TABLE shop.plain DROP mail, DROP secret")
        with Session(socket, "shopkeeper") as owner:
            for table in READ:
                owner.run(WAYS.format(s=table.split(".")[1], t=table))
            for kind in LEAKING:
                owner.run(LEAK.format(type=kind))
            for name in LISTS:
                root.run("CREATE VIEW ways.list_%s WITH (security_invoker) AS SELECT * FROM aegis.%s()" % (name, name))
        root.run("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA shop TO member")
        tokens = {}
        for slug, word in TENANTS.items():
            tokens.update(fill_tenant(socket, slug, word, root))
        root.run(PLAIN_LEAK)
        for login in LOGINS:
            root.run(GRANTS.format(login=login))
        root.run(OPERATOR)
        root.run("ANALYZE")
    return tokens


def fill_tenant(socket, slug, word, root):
    tokens = {}
    with Session(socket, "operator") as operator, Session(socket, "member") as member:
        tenant = operator.value("SELECT aegis.create_tenant('%s', '%s')" % (slug, NAMES[slug]))
        operator.run("BEGIN; SELECT aegis.assume_tenant('%s', 'set up', 'T-1', read_only => false)" % tenant)
        team = operator.value("SELECT aegis.create_team('%s')" % (word * 2))
        people = {"admin": (4, "NULL"), "user": (1, "'%s'" % team), "colleague": (1, "'%s'" % team)}
        for name, (rank, of) in people.items():
            operator.run("SELECT aegis.create_user('%s@%s.example', '%s', %d::smallint, %s, '%s')" % (name, slug, word * 4, rank, of, PASSWORD))
        operator.run("COMMIT")
        for name in people:
            token = member.value("SELECT token FROM aegis.sign_in('%s', '%s@%s.example', '%s', NULL, NULL, NULL)" % (slug, name, slug, PASSWORD))
            tokens[slug, name] = token
            rows = HIDDEN if word == OWN and name == "colleague" else word
            member.run("BEGIN; SELECT aegis.authenticate('%s')" % token)
            for number in range(2):
                fill_rows(member, 10 * list(people).index(name) + number, rows)
            member.run("COMMIT")
            for table in ("event", "plain"):
                root.run("INSERT INTO shop.%s VALUES ('%s', %d, %s)" % (table, tenant, len(tokens), ", ".join(values(word)[:5])))
    return tokens


def fill_rows(member, number, word):
    """Own rows of one user. What a table without creators holds everybody of the tenant sees: no colleague's word there."""
    shared = OWN if word == HIDDEN else word
    for table in SHAPES:
        member.run("INSERT INTO shop.%s (id, body, data, raw, number, tags, mail, secret) VALUES (%d, %s)"
                   % (table, number, ", ".join(values(shared if table in ("board", "setting") else word))))
    member.run("INSERT INTO shop.page (document_id, id, body, data, raw, number, tags, mail, secret) VALUES (%d, 1, %s)"
               % (number, ", ".join(values(word))))
    customer = member.value("INSERT INTO aegis_app.customer (name, email, notes, phone) VALUES ('%s', '%s%d@%s.example', '%s', '%s') RETURNING id"
                            % (word * 4, word * 3, number, word, word * 5, NUMBERS[word]))
    member.run("SELECT aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', '%s',"
               " 'currency', 'EUR', 'memo', '%s', 'lines', jsonb_build_array(jsonb_build_object('description', '%s', 'unit_minor', '%s'))))))"
               % (customer, word * 5, word * 5, NUMBERS[word]))


def needles(socket):
    """What another tenant's rows hold: the word in all its forms, the numbers of the rows, and the envelopes as they are stored."""
    found = {"another tenant's value": forms(OTHER), "a colleague's value": forms(HIDDEN), "an own value": forms(OWN),
             "another tenant's name": forms(NAMES["smith-two"])}
    with Session(socket, "postgres") as root:
        two = root.value("SELECT id FROM aegis.tenant WHERE slug = 'smith-two'")
        rows = root.run("SELECT id FROM aegis.user WHERE tenant_id = '%s' UNION SELECT id FROM aegis.team WHERE tenant_id = '%s'"
                        " UNION SELECT id FROM aegis_app.customer WHERE tenant_id = '%s'" % (two, two, two))
        found["another tenant's name"] |= {two.encode(), two.replace("-", "").encode()}
        found["another tenant's number"] = {r[0].encode() for r in rows} | {r[0].replace("-", "").encode() for r in rows}
        found["another tenant's envelope"] = {
            row[0].encode() for table, column in ENVELOPES
            for row in root.run("SELECT aegis.armor(%s) FROM %s WHERE tenant_id = '%s'" % (column, table, two))}
    return found
