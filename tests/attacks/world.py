# SPDX-License-Identifier: Apache-2.0
"""Two tenants, one table of each shape, everything that somebody careless may have left lying about, and the attackers."""
from wire import Session

PASSWORD = "heron copper lantern 58 river"
MINE, THEIRS = "harbour", "meadow"
# What only the other tenant has, and what nobody has: of equal length, so that answers can be compared byte for byte.
HIT, MISS = "500", "900"
HIT_MAIL, MISS_MAIL = "seen@x.example", "none@x.example"
CANARY = "CANARY-MEADOW"

ROLES = """
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE pooled LOGIN IN ROLE member;
ALTER ROLE pooled SET aegis.pooler = 'transaction';
CREATE ROLE tracked LOGIN IN ROLE member;
ALTER ROLE tracked SET aegis.pooler = 'tracking';
CREATE ROLE gateway LOGIN IN ROLE aegis_gateway;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
CREATE ROLE plain LOGIN;
CREATE ROLE keeper LOGIN;
CREATE ROLE mighty LOGIN BYPASSRLS IN ROLE aegis_member;
CREATE ROLE switcher LOGIN IN ROLE plain, keeper;
CREATE ROLE walled_parallel LOGIN IN ROLE aegis_member;
ALTER ROLE walled_parallel SET force_parallel_mode = on;
GRANT USAGE ON SCHEMA aegis TO keeper, plain;
CREATE SCHEMA shop AUTHORIZATION keeper;
CREATE SCHEMA yard;
GRANT USAGE ON SCHEMA shop, yard TO PUBLIC;
CREATE EXTENSION btree_gist;
CREATE EXTENSION dblink;
CREATE EXTENSION postgres_fdw;
"""

# The owner's own.
SHOP = """
CREATE TABLE shop.customer (tenant_id uuid, id int, email text, note text, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
CREATE TABLE shop.sale (tenant_id uuid, id int, customer_id int, note text, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customer (tenant_id, id) ON DELETE CASCADE DEFERRABLE);
CREATE TABLE shop.line (tenant_id uuid, customer_id int, id int, note text, PRIMARY KEY (tenant_id, customer_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customer (tenant_id, id) ON DELETE CASCADE);
CREATE TABLE shop.booking (tenant_id uuid, id int, room int, during int4range, PRIMARY KEY (tenant_id, id),
  EXCLUDE USING gist (tenant_id WITH =, room WITH =, during WITH &&));
SELECT aegis.protect_table('shop.customer');
SELECT aegis.protect_table('shop.sale');
SELECT aegis.protect_table('shop.line', parent => 'shop.customer');
SELECT aegis.protect_table('shop.booking', created_by => false, team => false);
CREATE TABLE shop.sentinel (tenant_id uuid, id int, seen uuid, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('shop.sentinel', created_by => false, team => false);
CREATE FUNCTION shop.look() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE shop.sentinel SET seen = aegis.tenant_id() WHERE id = NEW.id; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER look AFTER INSERT ON shop.sentinel DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.look();
CREATE TABLE shop.event (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
CREATE TABLE shop.event_low PARTITION OF shop.event FOR VALUES FROM (0) TO (5);
CREATE TABLE shop.event_rest PARTITION OF shop.event DEFAULT;
SELECT aegis.protect_table('shop.event');
CREATE VIEW shop.own_view AS SELECT * FROM shop.customer;
CREATE FUNCTION shop.own_count() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS 'SELECT count(*) FROM shop.customer';
CREATE FUNCTION shop.planned_count() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM shop.customer); END';
CREATE FUNCTION shop.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
  $$ BEGIN RAISE NOTICE 'leaked %', value; RETURN true; END $$;
CREATE FUNCTION shop.compare(a text, b text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
  $$ BEGIN RAISE NOTICE 'compared %', a; RETURN true; END $$;
CREATE OPERATOR shop.<<< (FUNCTION = shop.compare, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel);
CREATE PROCEDURE shop.two_transactions(token text, INOUT before text, INOUT after text) LANGUAGE plpgsql AS
  $$ BEGIN PERFORM aegis.authenticate(token); before := aegis.tenant_id(); COMMIT; after := aegis.tenant_id(); END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO member, mighty, plain, operator, walled_parallel;
"""

# A superuser's, without a thought.
YARD = """
CREATE VIEW yard.past_view AS SELECT * FROM shop.customer;
CREATE VIEW yard.past_rule AS SELECT 1 AS id;
CREATE RULE past AS ON INSERT TO yard.past_rule DO INSTEAD UPDATE shop.customer SET note = 'taken' RETURNING id;
CREATE VIEW yard.past_instead AS SELECT 1 AS id;
CREATE FUNCTION yard.instead() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN UPDATE shop.customer SET note = 'taken'; RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON yard.past_instead FOR EACH ROW EXECUTE FUNCTION yard.instead();
CREATE FUNCTION yard.past_function() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN (SELECT count(*) FROM shop.customer); END';
CREATE TABLE yard.copy AS SELECT * FROM shop.customer;
CREATE MATERIALIZED VIEW yard.snapshot AS SELECT * FROM shop.customer;
CREATE TABLE yard.half AS SELECT * FROM shop.customer;
ALTER TABLE yard.half ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON yard.half USING (tenant_id = aegis.tenant_id());
CREATE TABLE yard.careless AS SELECT tenant_id, id, note FROM shop.customer;
ALTER TABLE yard.careless ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everything ON yard.careless USING (true);
CREATE TABLE yard.open_on_null AS SELECT tenant_id, id, note FROM shop.customer;
ALTER TABLE yard.open_on_null ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON yard.open_on_null USING (aegis.tenant_id() IS NULL OR tenant_id = aegis.tenant_id());
CREATE TABLE yard.strict AS SELECT tenant_id, id, note FROM shop.customer;
ALTER TABLE yard.strict ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON yard.strict AS RESTRICTIVE USING (tenant_id = aegis.tenant_id());
CREATE TABLE yard.parts (tenant_id uuid, id int, note text) PARTITION BY LIST (id);
CREATE TABLE yard.part PARTITION OF yard.parts DEFAULT;
INSERT INTO yard.parts SELECT tenant_id, id, note FROM shop.customer;
ALTER TABLE yard.parts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON yard.parts USING (tenant_id = aegis.tenant_id());
CREATE TABLE yard.whole (tenant_id uuid, id int, note text);
ALTER TABLE yard.whole ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON yard.whole USING (tenant_id = aegis.tenant_id());
CREATE TABLE yard.child () INHERITS (yard.whole);
INSERT INTO yard.child SELECT tenant_id, id, note FROM shop.customer;
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{place}', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'postgres', password_required 'false');
CREATE FOREIGN TABLE yard.far (tenant_id uuid, id int, note text) SERVER loop OPTIONS (schema_name 'shop', table_name 'customer');
CREATE SEQUENCE yard.counter;
GRANT ALL ON ALL TABLES IN SCHEMA yard TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA yard TO PUBLIC;
"""

PEOPLE = ((MINE, "hera", 4), (MINE, "ada", 1), (THEIRS, "mona", 4))


class World:
    POOLER, RESETTING = 6432, 6433  # sockets beside the server's

    def __init__(self, place, port=5432):
        self.place, self.port = place, port
        self.open = []
        self.tenant, self.token, self.user = {}, {}, {}

    def connect(self, login, **startup):
        """A session that is closed when the attack is over."""
        session = Session(self.place, login, port=self.port, **startup)
        self.open.append(session)
        return session

    def pooled(self, login, database, port=POOLER, **startup):
        session = Session(self.place, login, database, port, **startup)
        self.open.append(session)
        return session

    def enter(self, name, login="member", **startup):
        """A session in a transaction that has this person's context."""
        session = self.connect(login, **startup)
        session.run("BEGIN; " + self.context(name))
        return session

    def assume(self, slug, read_only=False):
        session = self.connect("operator")
        session.run("BEGIN; SELECT aegis.assume_tenant('%s', 'a look', 'T-1', read_only => %s)" % (self.tenant[slug], str(read_only).lower()))
        return session

    def context(self, name):
        return "SELECT aegis.authenticate('%s')" % self.token[name]

    def close(self):
        for session in self.open:
            session.close()
        self.open = []

    def fill(self):
        root = self.connect("postgres")
        root.run(ROLES)
        self.connect("keeper").run(SHOP)
        for slug in (MINE, THEIRS):
            self.tenant[slug] = self.connect("operator").value("SELECT aegis.create_tenant('%s', '%s')" % (slug, slug))
        for slug, name, rank in PEOPLE:
            operator = self.assume(slug)
            team = operator.value("SELECT aegis.create_team('%s')" % name)
            self.user[name] = operator.value("SELECT aegis.create_user('%s@%s.example', '%s', %d::smallint, %s, '%s')" % (
                name, slug, name, rank, "'%s'" % team if rank < 4 else "NULL", PASSWORD))
            operator.run("COMMIT")
            self.sign_in(name)
        for name, first, mail, note in (("hera", 1, "hera@x.example", "own"), ("ada", 11, "ada@x.example", "own"), ("mona", 500, HIT_MAIL, CANARY)):
            session = self.enter(name)
            session.run("INSERT INTO shop.customer (id, email, note) SELECT %d + n, CASE n WHEN 0 THEN '%s' END, '%s' FROM generate_series(0, 9) n" % (first, mail, note))
            session.run("INSERT INTO shop.sale (id, customer_id, note) SELECT id, id, note FROM shop.customer")
            session.run("INSERT INTO shop.line (customer_id, id, note) SELECT id, 1, note FROM shop.customer")
            session.run("INSERT INTO shop.event (id, note) SELECT id, note FROM shop.customer")
            session.run("INSERT INTO aegis_app.customer (name, email) VALUES ('%s', '%s')" % (note, mail))
            session.run("INSERT INTO shop.booking (id, room, during) VALUES (%d, %d, '[1,10)')" % (first, first))
            session.run("COMMIT")
        root.run(YARD.format(place=self.place))
        root.run("ANALYZE")
        self.close()

    def find(self):
        """What fill() made, after a restart."""
        root = self.connect("postgres")
        self.tenant = dict(root.run("SELECT slug, id FROM aegis.tenant"))
        for _, name, _ in PEOPLE:
            self.sign_in(name)
        self.close()

    def sign_in(self, name):
        slug = next(slug for slug, person, _ in PEOPLE if person == name)
        session = self.connect("member")
        self.token[name] = session.value("SELECT token FROM aegis.sign_in('%s', '%s@%s.example', '%s', NULL, NULL, NULL)" % (
            slug, name, slug, PASSWORD))
