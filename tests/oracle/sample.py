# SPDX-License-Identifier: Apache-2.0
"""A throw-away database with two tenants, their teams, users of every rank, and protected tables of every shape."""
from libpq import Session
from rule import NOBODY, Actor, Row, Table, Team

PASSWORD = "heron copper lantern 58 river"
OWN = [Table("shop.document", ("tenant_id", "id"), mark="note"),
       Table("shop.page", ("tenant_id", "document_id", "id"), mark="note"),
       Table("shop.board", ("tenant_id", "id"), created_by=False, mark="note"),
       Table("shop.diary", ("tenant_id", "id"), team=False, mark="note"),
       Table("shop.setting", ("tenant_id", "id"), created_by=False, team=False, mark="note"),
       Table("shop.event", ("tenant_id", "id"), mark="note", hollow=True),                      # partitioned, two levels
       Table("shop.memo", ("tenant_id", "id"), mark="note", hollow=True, inherited=True),       # with a child, which has all rows
       Table("shop.urgent_memo", ("tenant_id", "id"), mark="note"),
       Table("shop.parcel", ("tenant_id", "id"), mark="note"),                                  # serial once, keys converted
       Table("shop.box", ("tenant_id", "id"), mark="note")]                                     # its foreign key converted
APPLICATION = [Table("aegis_app.customer", ("tenant_id", "id"), mark="notes", own=False),
               Table("aegis_app.invoice", ("tenant_id", "id"), mark="memo", own=False),
               Table("aegis_app.invoice_line", ("tenant_id", "invoice_id", "position"), own=False),
               Table("aegis_app.invoice_series", ("tenant_id",), created_by=False, team=False, own=False)]
TENANTS = ("oracle-one", "oracle-two")
# name, the team above, and the users: name -> rank
TREE = [("North", None), ("City", "North"), ("Harbour", "City"), ("Coast", "North"), ("South", None)]
USERS = {"admin": (4, None), "manager-north": (3, "North"), "manager-south": (3, "South"), "manager-city": (3, "City"),
         "lead-city": (2, "City"), "lead-north": (2, "North"), "ada-city": (1, "City"), "bob-city": (1, "City"),
         "user-harbour": (1, "Harbour"), "user-south": (1, "South")}
FEW = ("admin", "manager-north", "lead-city", "ada-city")   # all ranks of one team's people; enough for the second tenant

SETUP = """
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE member_parallel LOGIN IN ROLE aegis_member;
ALTER ROLE member_parallel SET force_parallel_mode = on;
ALTER ROLE member_parallel SET parallel_setup_cost = 0;
ALTER ROLE member_parallel SET parallel_tuple_cost = 0;
ALTER ROLE member_parallel SET min_parallel_table_scan_size = 0;
CREATE ROLE member_index LOGIN IN ROLE aegis_member;
ALTER ROLE member_index SET enable_seqscan = off;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE shopkeeper LOGIN;
GRANT USAGE ON SCHEMA aegis TO shopkeeper;
CREATE SCHEMA shop AUTHORIZATION shopkeeper;
CREATE SCHEMA ways AUTHORIZATION shopkeeper;
GRANT USAGE ON SCHEMA shop, ways TO member, member_parallel, member_index, operator;
GRANT USAGE ON SCHEMA aegis_app TO shopkeeper;
GRANT SELECT ON aegis_app.customer, aegis_app.invoice, aegis_app.invoice_line, aegis_app.invoice_series TO shopkeeper;
"""

TABLES = """
CREATE TABLE shop.document (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.page (tenant_id uuid, document_id int, id int, note text, PRIMARY KEY (tenant_id, document_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES shop.document (tenant_id, id) ON DELETE CASCADE);
CREATE TABLE shop.board (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.diary (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.setting (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.event (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (id);
CREATE TABLE shop.event_0 PARTITION OF shop.event FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
CREATE TABLE shop.event_0_low (note text, id int NOT NULL, tenant_id uuid NOT NULL);
ALTER TABLE shop.event_0 ATTACH PARTITION shop.event_0_low FOR VALUES FROM (0) TO (50);
CREATE TABLE shop.memo (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.urgent_memo (PRIMARY KEY (tenant_id, id)) INHERITS (shop.memo);
CREATE TABLE shop.parcel (tenant_id uuid, id serial PRIMARY KEY, note text);
CREATE TABLE shop.box (id int PRIMARY KEY, parcel_id int REFERENCES shop.parcel ON DELETE CASCADE, note text);
SELECT aegis.convert_keys('shop.parcel', true);
DO $$ BEGIN EXECUTE (SELECT fix FROM aegis.counter_findings('shop.parcel') WHERE counted = 'serial'); END $$;
SELECT aegis.protect_table('shop.event');
-- those that come later
CREATE TABLE shop.event_0_high PARTITION OF shop.event_0 FOR VALUES FROM (50) TO (maxvalue);
CREATE TABLE shop.event_1 (tenant_id uuid NOT NULL, id int NOT NULL, note text, created_by uuid NOT NULL, team_ord bigint NOT NULL);
ALTER TABLE shop.event ATTACH PARTITION shop.event_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT aegis.protect_table('shop.memo');
SELECT aegis.protect_table('shop.parcel');
SELECT aegis.protect_table('shop.box');
SELECT aegis.protect_table('shop.document');
SELECT aegis.protect_table('shop.page', parent => 'shop.document');
SELECT aegis.protect_table('shop.board', created_by => false);
SELECT aegis.protect_table('shop.diary', team => false);
SELECT aegis.protect_table('shop.setting', created_by => false, team => false);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO aegis_member, operator;
-- Cheap and telling: the planner would run it first if it were allowed to.
CREATE FUNCTION ways.whisper(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 PARALLEL SAFE AS
  $$ BEGIN RAISE NOTICE 'whisper %', value; RETURN true; END $$;
"""

# Other ways to the same rows; {k} is the key of a row, {t} the table, {s} its short name.
WAYS = """
CREATE VIEW ways.invoker_{s} WITH (security_invoker) AS SELECT * FROM {t};
CREATE VIEW ways.owner_{s} AS SELECT * FROM {t};
CREATE VIEW ways.barrier_{s} WITH (security_barrier) AS SELECT * FROM ways.owner_{s};
CREATE FUNCTION ways.sql_{s}() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT {q} FROM {t} t';
CREATE FUNCTION ways.sql_definer_{s}() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'SELECT {q} FROM {t} t';
CREATE FUNCTION ways.plpgsql_{s}() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT {q} FROM {t} t; END';
CREATE FUNCTION ways.dynamic_{s}() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN QUERY EXECUTE ''SELECT {qq} FROM {t} t''; END';
GRANT SELECT ON ways.invoker_{s}, ways.owner_{s}, ways.barrier_{s} TO aegis_member, operator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ways TO aegis_member, operator;
"""
MARKING = """
GRANT UPDATE, INSERT, DELETE ON ways.invoker_{s}, ways.owner_{s} TO aegis_member, operator;
CREATE FUNCTION ways.mark_{s}(value text) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE {t} SET note = value; END';
GRANT EXECUTE ON FUNCTION ways.mark_{s}(text) TO aegis_member, operator;
"""


def fill(socket, database="postgres"):
    """Makes everything; returns nothing, for read() finds it again."""
    with Session(socket, "postgres", database) as root:
        root.run(SETUP)
        root.run("CREATE TABLE token (name text, slug text, token text, user_id uuid)")
    with Session(socket, "postgres", database) as root, Session(socket, "shopkeeper", database) as owner, Session(socket, "operator", database) as operator, \
            Session(socket, "member", database) as member:
        owner.run(TABLES)
        for table in OWN + APPLICATION:
            quoted = table.key.replace("'", "''")
            names = {"s": table.short, "t": table.name, "k": table.key, "q": quoted, "qq": quoted.replace("'", "''")}
            owner.run(WAYS.format(**names))
            if table.own:
                owner.run(MARKING.format(**names))
        for n, slug in enumerate(TENANTS):
            tenant = operator.value("SELECT aegis.create_tenant('%s', '%s')" % (slug, slug))
            operator.run("BEGIN; SELECT aegis.assume_tenant('%s', 'set up', 'T-1', read_only => false)" % tenant)
            teams, user = {None: None}, {}
            for name, above in TREE:
                teams[name] = operator.value("SELECT aegis.create_team('%s'%s)" % (name, ", '%s'" % teams[above] if above else ""))
            people = USERS if n == 0 else {name: USERS[name] for name in FEW}
            for name, (rank, team) in people.items():
                user[name] = operator.value("SELECT aegis.create_user('%s@%s.example', '%s', %d::smallint, %s, '%s')"
                                            % (name, slug, name, rank, "'%s'" % teams[team] if team else "NULL", PASSWORD))
            operator.run("COMMIT")
            for i, name in enumerate(people):
                token = member.value("SELECT token FROM aegis.sign_in('%s', '%s@%s.example', '%s', NULL, NULL, NULL)" % (slug, name, slug, PASSWORD))
                root.run("INSERT INTO token VALUES ('%s', '%s', '%s', '%s')" % (name, slug, token, user[name]))
                member.run("BEGIN; SELECT aegis.authenticate('%s')" % token)
                # The same numbers in both tenants, so that a key without its tenant would be ambiguous.
                for number in (10 * i, 10 * i + 1):
                    for table in ("document", "board", "diary", "setting", "event", "urgent_memo", "parcel"):
                        member.run("INSERT INTO shop.%s (id) VALUES (%d)" % (table, number))
                    member.run("INSERT INTO shop.box (id, parcel_id) VALUES (%d, %d)" % (number, number))
                    member.run("INSERT INTO shop.page (document_id, id) VALUES (%d, 1), (%d, 2)" % (number, number))
                    customer = member.value("INSERT INTO aegis_app.customer (name) VALUES ('%s %d') RETURNING id" % (name, number))
                    invoice = member.value("INSERT INTO aegis_app.invoice (customer_id, currency) VALUES ('%s', 'EUR') RETURNING id" % customer)
                    member.run("INSERT INTO aegis_app.invoice_line (invoice_id, position, description, quantity, unit_minor)"
                               " VALUES ('%s', 1, 'd', 1, 1)" % invoice)
                if name == "admin":
                    member.run("INSERT INTO aegis_app.invoice_series (next) VALUES (1)")
                member.run("COMMIT")
            # A row that has moved belongs to another team than its creator does.
            admin = root.value("SELECT token FROM token WHERE name = 'admin' AND slug = '%s'" % slug)
            south = root.value("SELECT ord FROM aegis.team WHERE tenant_id = '%s' AND name = 'South'" % tenant)
            member.run("BEGIN; SELECT aegis.authenticate('%s'); UPDATE shop.document SET team_ord = %s WHERE id IN (30, 41); COMMIT" % (admin, south))
        root.run("ANALYZE")


class Sample:
    """What a superuser reads of a database that fill() has filled, and the sessions for it."""

    def __init__(self, socket, database="postgres", tables=None):
        self.socket, self.database = socket, database
        self.tables = tables or OWN + APPLICATION
        self.root = Session(socket, "postgres", database)
        self.sessions = {}
        self.teams = [Team(*row) for row in self.root.run("SELECT tenant_id, id, parent_id, ord FROM aegis.team")]
        number = {(t.tenant, t.id): t.number for t in self.teams}
        self.actors = []
        for name, slug, token, tenant, user, rank, team in self.root.run(
                "SELECT o.name, o.slug, o.token, u.tenant_id, u.id, u.rank, u.team_id FROM token o"
                " JOIN aegis.user u ON u.id = o.user_id ORDER BY o.slug, o.name"):
            self.actors.append(Actor("%s of %s" % (name, slug), "member", "SELECT aegis.authenticate('%s')" % token,
                                     tenant, user, int(rank), number[tenant, team]))
        for tenant, slug in self.root.run("SELECT id, slug FROM aegis.tenant WHERE slug LIKE 'oracle-%' ORDER BY slug"):
            top = next(t.number for t in self.teams if t.tenant == tenant and t.parent is None)
            for read_only in ("false", "true"):
                enter = "SELECT aegis.assume_tenant('%s', 'oracle', 'T-1', read_only => %s)" % (tenant, read_only)
                self.actors.append(Actor("operator of %s%s" % (slug, ", read-only" if read_only == "true" else ""), "operator", enter, tenant,
                                         NOBODY, 4, top, read_only == "true"))
        self.actors += [Actor("member without a context", "member", ""), Actor("owner without a context", "shopkeeper", "")]

    def session(self, login):
        """One for all actors of a login, one after the other, as behind a pooler."""
        if login not in self.sessions:
            self.sessions[login] = Session(self.socket, login, self.database)
        return self.sessions[login]

    def rows(self, table):
        sql = "SELECT %s, t.tenant_id, %s, %s FROM %s t" % (table.key, "t.created_by" if table.created_by else "NULL",
                                                         "t.team_ord" if table.team else "NULL", table.name)
        return [Row(*row) for row in self.root.run(sql)]

    def close(self):
        for session in [self.root, *self.sessions.values()]:
            session.close()
