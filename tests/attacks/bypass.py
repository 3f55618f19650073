# SPDX-License-Identifier: Apache-2.0
"""Around row security: as the owner, past it by what somebody careless made, or by taking it away."""
import time

from catalogue import Succeeded, attack, equal, holds, refuses
from wire import Refused
from world import CANARY, THEIRS

OWN = "SELECT DISTINCT note FROM %s"


def own_only(rows):
    """Own rows, at least one, and none of the other tenant's."""
    notes = {row[0] for row in rows}
    equal(notes, {"own"})


@attack("B1", "Read or change as the table's owner", "owner", "row security is forced; without a context every statement is an error")
def owner_reads(w):
    owner = w.connect("keeper")
    refuses(owner, "AG001", "SELECT * FROM shop.customer", "UPDATE shop.customer SET note = 'x'", "DELETE FROM shop.customer",
            "COPY shop.customer TO STDOUT", "TABLE shop.own_view", "SELECT shop.own_count()")


@attack("B2", "Use a table whose owner is not bound by row security", "member", "default deny", falls=True)
def not_forced(w):
    refuses(w.enter("hera"), "AG009", "SELECT * FROM yard.half", "INSERT INTO yard.half (id) VALUES (1)", "UPDATE yard.half SET note = 'x'")


@attack("B3", "Take a context in a session that bypasses row security", "BYPASSRLS login in `aegis_member`", "no context for such a session")
def bypassing_login(w):
    refuses(w.connect("mighty"), "AG002", w.context("hera"))
    refuses(w.connect("mighty"), "AG010", "SELECT * FROM shop.customer")
    root = w.connect("postgres")
    refuses(root, "AG002", "BEGIN; %s; SELECT * FROM shop.customer" % w.context("hera"))
    equal(root.run("SELECT object FROM aegis.coverage() WHERE finding = 'member-with-powers' AND object ~ 'mighty'"), [["mighty"]])


@attack("B4", "Call a superuser's SECURITY DEFINER function", "member", "nothing of a tenant session passes row security", falls=True)
def definer_of_superuser(w):
    refuses(w.enter("hera"), "AG010", "SELECT yard.past_function()")
    refuses(w.connect("member"), "AG010", "SELECT yard.past_function()")


@attack("B5", "Call the table owner's SECURITY DEFINER function", "member", "policies ask for the context, not for the role")
def definer_of_owner(w):
    equal(w.enter("hera").value("SELECT shop.own_count()"), "20")
    equal(w.enter("ada").value("SELECT shop.own_count()"), "10")


@attack("B6", "Read through a superuser's view", "member", "nothing of a tenant session passes row security", falls=True)
def view_of_superuser(w):
    for session in (w.enter("hera"), w.connect("member")):
        refuses(session, "AG010", "SELECT * FROM yard.past_view", "SELECT count(*) FROM yard.past_view", "UPDATE yard.past_view SET note = 'x'",
                "SELECT 1 WHERE EXISTS (SELECT FROM yard.past_view WHERE id = 500)", "COPY (TABLE yard.past_view) TO STDOUT")


@attack("B7", "Read through the table owner's view", "member", "policies ask for the context, not for the role")
def view_of_owner(w):
    own_only(w.enter("hera").run(OWN % "shop.own_view"))


@attack("B8", "Read a materialized view", "member", "default deny", falls=True)
def materialized(w):
    refuses(w.enter("hera"), "AG009", "SELECT * FROM yard.snapshot", "COPY (TABLE yard.snapshot) TO STDOUT")


@attack("B9", "Read or change a partition behind its parent's back", "member", "default deny", falls=True)
def partition(w):
    refuses(w.enter("hera"), "AG009", "SELECT * FROM yard.part", "INSERT INTO yard.part (id) VALUES (1)", "UPDATE yard.part SET note = 'x'",
            "DELETE FROM yard.part", "COPY yard.part TO STDOUT", "COPY yard.part FROM STDIN")


@attack("B10", "Read or change a child behind its parent's back", "member", "default deny", falls=True)
def child(w):
    session = w.enter("hera")
    own_only(session.run(OWN % "yard.whole"))
    refuses(session, "AG009", "SELECT * FROM yard.child", "INSERT INTO yard.child (id) VALUES (1)", "DELETE FROM yard.child")


@attack("B11", "Come back through a foreign table", "member", "default deny", falls=True)
def foreign_table(w):
    refuses(w.enter("hera"), "AG009", "SELECT * FROM yard.far", "UPDATE yard.far SET note = 'x'")


@attack("B12", "Come back through dblink", "member", "the guard of functions", falls=True)
def database_link(w):
    refuses(w.enter("hera"), "AG010", "SELECT * FROM dblink('host=%s user=postgres dbname=postgres', 'TABLE shop.customer') AS t(a uuid)" % w.place,
            "SELECT dblink_connect('x', 'host=%s user=postgres dbname=postgres')" % w.place)


@attack("B13", "Have a rule or an INSTEAD OF trigger of a superuser do it", "member",
        "default deny, which sees what a rule or a trigger reads and writes",
        falls=True)
def rewritten(w):
    refuses(w.enter("hera"), "AG010", "INSERT INTO yard.past_rule VALUES (1)", "INSERT INTO yard.past_instead VALUES (1)")


@attack("B14", "Switch row security off for the session", "member, plain login, operator", "the guard of statements; PostgreSQL refuses the query")
def row_security_off(w):
    refuses(w.connect("member"), "AG010", "SET row_security = off")
    member = w.connect("member", options="-c row_security=off")
    member.run("BEGIN; " + w.context("hera"))
    refuses(member, "42501", "SELECT * FROM shop.customer", "SELECT * FROM shop.own_view")
    refuses(w.connect("plain", options="-c row_security=off"), "42501", "SELECT * FROM shop.customer")
    operator = w.assume("harbour")
    operator.run("SET row_security = off")
    refuses(operator, "42501", "SELECT * FROM shop.customer", "UPDATE shop.customer SET note = 'x'")


@attack("B15", "Become another role", "member, gateway", "the guard of statements; policies ask for no role", falls=True)
def set_role(w):
    for login in ("member", "gateway"):
        refuses(w.connect(login), "AG010", "SET ROLE keeper", "SET ROLE aegis_member", "SET LOCAL ROLE aegis_owner",
                "SET SESSION AUTHORIZATION postgres")
        for setting in ("role=keeper", "role=postgres", "role=aegis_owner", "session_authorization=postgres"):
            try:
                session = w.connect(login, options="-c " + setting)
            except Refused:
                continue
            raise Succeeded("%s connects with %s as %s" % (login, setting, session.value("SELECT current_user")))


@attack("B16", "Read as one role what another one's plan was made for", "login that is a member of two roles",
        "policies ask for the context, not for the role")
def plans_of_roles(w):
    session = w.connect("switcher")
    session.run("GRANT USAGE ON SCHEMA shop TO plain")
    session.prepare("q", "SELECT count(*) FROM shop.customer WHERE id > $1")
    for role in ("keeper", "plain", "keeper", "plain") * 3:
        session.run("SET ROLE " + role)
        equal(session.execute("q", "0").state, "AG001", role)
    member = w.connect("member")
    member.prepare("q", "SELECT count(*), count(*) FILTER (WHERE note <> 'own') FROM shop.customer WHERE id > $1")
    for name, own in (("hera", "20"), ("mona", "10"), ("ada", "10")) * 4:
        member.run("BEGIN; " + w.context(name))
        equal(member.execute("q", "0").rows[0], [own, own if name == "mona" else "0"], name)
        member.run("COMMIT")
    equal(member.execute("q", "0").state, "AG001")


@attack("B17", "Have DROP OWNED take a role out of a policy", "member, superuser", "the guard of statements; policies are for everybody")
def drop_owned(w):
    refuses(w.connect("member"), "AG010", "DROP OWNED BY member", "REASSIGN OWNED BY member TO plain")
    root = w.connect("postgres")
    policies = "SELECT polname, polroles, polpermissive FROM pg_policy WHERE polrelid = 'shop.customer'::regclass ORDER BY 1"
    before = root.run(policies)
    root.run("BEGIN; DROP OWNED BY plain")
    equal(root.run(policies), before)
    holds(all(row[1] == "{0}" for row in before) and len(before) == 4, "policies are not for everybody")


@attack("B18", "Take row security or its triggers away by DDL", "owner, superuser", "refused; `aegis.unprotect_table` leaves an entry")
def unprotect(w):
    for login in ("keeper", "postgres"):
        refuses(w.connect(login), "AG010", "ALTER TABLE shop.customer DISABLE ROW LEVEL SECURITY",
                "ALTER TABLE shop.customer NO FORCE ROW LEVEL SECURITY",
                "ALTER TABLE shop.customer ADD COLUMN x int, NO FORCE ROW LEVEL SECURITY",
                "ALTER TABLE shop.customer DISABLE TRIGGER ALL", "ALTER TABLE shop.customer DISABLE TRIGGER zzy_aegis_stamp",
                "DROP TRIGGER zzy_aegis_stamp ON shop.customer", "ALTER TRIGGER aegis_truncate ON shop.customer RENAME TO x",
                "CREATE OR REPLACE TRIGGER zzy_aegis_stamp BEFORE INSERT OR UPDATE ON shop.customer FOR EACH ROW WHEN (false)"
                " EXECUTE FUNCTION aegis.stamp_row()",
                "ALTER TRIGGER aegis_audit_row ON shop.customer DEPENDS ON EXTENSION btree_gist")
    w.connect("keeper").run("BEGIN; SELECT aegis.unprotect_table('shop.sentinel'); ROLLBACK")
    kept = ("SELECT count(*) FROM aegis.audit_log WHERE event = 'table.unprotected' AND target_id = 'shop.sentinel'"
            " AND detail ->> 'note' = 'transaction rolled back'")
    root = w.connect("postgres")
    for _ in range(100):  # the worker writes it
        if root.value(kept) != "0":
            break
        time.sleep(0.1)
    else:
        raise Succeeded("a rollback takes the entry away")
    refuses(w.connect("member"), "AG010", "ALTER TABLE shop.customer NO FORCE ROW LEVEL SECURITY", "DROP POLICY aegis_select ON shop.customer")
    refuses(w.connect("plain"), ("42501", "AG010"), "ALTER TABLE shop.customer NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY aegis_select ON shop.customer")


@attack("B19", "Widen or drop the policies by DDL", "owner", "a table of tenants' rows needs a context, whatever its policies say")
def other_policies(w):
    for change in ("DROP POLICY aegis_select ON shop.customer", "ALTER POLICY aegis_select ON shop.customer USING (true)",
                   "CREATE POLICY more ON shop.customer USING (true) WITH CHECK (true)"):
        owner = w.connect("keeper")
        owner.run("BEGIN; " + change)
        refuses(owner, "AG001", "SELECT * FROM shop.customer", "UPDATE shop.customer SET note = 'x'")
        owner.run("ROLLBACK")


@attack("B20", "Read a table whose policy says USING (true)", "member, owner, plain login", "the restrictive wall", falls=True)
def careless(w):
    own_only(w.enter("hera").run(OWN % "yard.careless"))
    refuses(w.connect("plain"), "AG001", "SELECT * FROM yard.careless")
    refuses(w.connect("member"), "AG001", "SELECT * FROM yard.careless")


@attack("B21", "Take the column away that the wall looks at", "owner", "the guard of protected tables", falls=True)
def without_column(w):
    drop = "".join("DROP POLICY aegis_%s ON shop.booking; " % command for command in ("select", "insert", "update", "delete"))
    for change in ("ALTER TABLE shop.booking RENAME tenant_id TO tenant", "ALTER TYPE shop.booking RENAME ATTRIBUTE tenant_id TO tenant",
                   "ALTER TABLE shop.booking RENAME COLUMN tenant_id TO tenant",
                   drop + "ALTER TABLE shop.booking DROP tenant_id CASCADE",
                   drop + "ALTER TABLE shop.booking DROP CONSTRAINT booking_pkey, ALTER tenant_id TYPE text USING tenant_id::text"):
        owner = w.connect("keeper")
        answer = owner.ask("BEGIN; %s; CREATE POLICY more ON shop.booking USING (true); SELECT * FROM shop.booking" % change)
        equal(answer.state, "AG010", change)
        equal(answer.rows, [], change)


@attack("B22", "Silence triggers by session_replication_role", "everybody but superusers", "a superuser's setting, granted to nobody")
def replication_role(w):
    for login in ("member", "gateway"):
        refuses(w.connect(login), "AG010", "SET session_replication_role = replica", "SET LOCAL session_replication_role = replica")
    for login in ("plain", "keeper", "operator", "auditor"):
        refuses(w.connect(login), "42501", "SET session_replication_role = replica")
    equal(w.connect("postgres").run("SELECT * FROM pg_parameter_acl"), [])


@attack("B23", "Read without any role of Aegis, with grants on the table", "plain login", "no context, no rows: an error")
def plain_login(w):
    plain = w.connect("plain")
    refuses(plain, "AG001", "SELECT * FROM shop.customer", "SELECT FROM shop.customer LIMIT 0", "INSERT INTO shop.customer (id) VALUES (1)",
            "UPDATE shop.customer SET note = 'x'", "DELETE FROM shop.customer", "COPY shop.customer TO STDOUT",
            "MERGE INTO shop.customer t USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE")
    refuses(plain, "42501", w.context("hera"), "SELECT aegis.assume_tenant(gen_random_uuid(), 'x', 'y')", "TABLE aegis.tenant", "TABLE aegis.session")


@attack("B24", "Read a table, or anything else, from the gateway's SQL prompt", "gateway", "the gateway's allow-list", falls=True)
def gateway_reads(w):
    gateway = w.connect("gateway")
    refuses(gateway, "AG010", "SELECT * FROM yard.copy", "SELECT * FROM yard.careless", "SELECT FROM pg_class",
            "SELECT FROM information_schema.tables",
            "COPY yard.copy TO STDOUT", "SELECT yard.past_function()", "SELECT query_to_xml('TABLE yard.copy', true, true, '')",
            "SELECT current_setting('data_directory')", "TABLE pg_database", "INSERT INTO yard.copy (id) VALUES (1)")


@attack("B25", "Look as an operator at two tenants in one transaction, or at all", "operator",
        "a context is for one tenant, once, with a reason and an entry")
def operator_roams(w):
    operator = w.connect("operator")
    refuses(operator, "AG001", "SELECT * FROM shop.customer", "SELECT * FROM aegis_app.customer")
    session = w.assume("harbour", read_only=True)
    own_only(session.run(OWN % "shop.customer"))
    refuses(session, "25001", "SELECT aegis.assume_tenant('%s', 'more', 'T-1')" % w.tenant[THEIRS])
    refuses(session, "25006", "UPDATE shop.customer SET note = 'x'", "DELETE FROM shop.customer")
    equal(session.ask("SAVEPOINT a; SET LOCAL transaction_read_only = off").state, "25001")
    session.run("ROLLBACK")
    refuses(w.connect("operator"), ("22023", "22004"), "BEGIN; SELECT aegis.assume_tenant('%s', '', 'T-1')" % w.tenant[THEIRS],
            "BEGIN; SELECT aegis.assume_tenant('%s', NULL, NULL)" % w.tenant[THEIRS])
    taken = w.connect("operator")
    taken.run("BEGIN; SELECT aegis.assume_tenant('%s', 'the reason of B25', 'T-25'); ROLLBACK" % w.tenant[THEIRS])
    root = w.connect("postgres")
    holds(CANARY not in str(root.run("SELECT detail FROM aegis.audit_log WHERE event LIKE 'operator.%'")), "an entry says what was read")


@attack("B26", "Make the table a child or a partition of one without row security", "owner", "the guard of protected tables", falls=True)
def adopted(w):
    for change in ("CREATE TABLE shop.parent (tenant_id uuid, id int, email text, note text); ALTER TABLE shop.customer INHERIT shop.parent",
                   "CREATE TABLE shop.parent (LIKE shop.customer) PARTITION BY LIST (id); ALTER TABLE shop.parent ATTACH PARTITION shop.customer DEFAULT"):
        owner = w.connect("keeper")
        answer = owner.ask("BEGIN; %s; SELECT * FROM shop.parent" % change)
        equal(answer.rows, [], change)
        equal(answer.state, "AG010", change)


@attack("B27", "Have DDL evaluate code over all rows", "owner",
        "nothing: whoever owns a table is trusted with its definition ([threat model](threat-model.md#what-is-not-defended))")
def ddl_evaluates(w):
    owner = w.connect("keeper")
    said = owner.ask("BEGIN; ALTER TABLE shop.customer ADD CHECK (shop.leak(note)); ROLLBACK").notices
    holds("leaked " + CANARY in said, "is stopped by now: say so")
    refuses(w.connect("plain"), "42501", "ALTER TABLE shop.customer ADD CHECK (shop.leak(note))")
    refuses(w.connect("operator"), "42501", "ALTER TABLE shop.customer ADD CHECK (shop.leak(note))",
            "CREATE INDEX ON shop.customer (shop.leak(note))")
    refuses(w.connect("member"), "AG010", "ALTER TABLE shop.customer ADD CHECK (shop.leak(note))")


@attack("B28", "Have a built-in function run SQL that it is given as text", "member",
        "the walls stand where statements are executed, not where they are sent", falls=True)
def sql_as_text(w):
    session = w.enter("hera")
    for table, state in (("yard.copy", "AG009"), ("yard.past_view", "AG010"), ("pg_catalog.pg_stats", "AG010")):
        refuses(session, state, "SELECT query_to_xml('TABLE %s', true, true, '')" % table, "SELECT table_to_xml('%s', true, true, '')" % table,
                "SELECT * FROM ts_stat('SELECT note::tsvector FROM %s')" % table.replace("pg_catalog.pg_stats",
                                                                                         "(SELECT schemaname AS note FROM pg_stats) s"),
                "SELECT ts_rewrite('a'::tsquery, 'SELECT note::tsquery, note::tsquery FROM %s')"
                % table.replace("pg_catalog.pg_stats", "(SELECT schemaname AS note FROM pg_stats) s"))
    refuses(session, ("AG009", "AG010"), "SELECT schema_to_xml('yard', true, true, '')", "SELECT database_to_xml(true, true, '')")
    for sql in ("SELECT query_to_xml('TABLE shop.customer', true, true, '')", "SELECT table_to_xml('shop.customer', true, true, '')"):
        holds(CANARY not in session.value(sql), sql)


@attack("B29", "Be a tenant session by a detour, so that the walls do not see it", "login in a role that is in `aegis_member`",
        "membership counts through any number of roles, and with NOINHERIT")
def detour(w):
    root = w.connect("postgres")
    root.run("CREATE ROLE crew IN ROLE aegis_member; CREATE ROLE sailor LOGIN NOINHERIT IN ROLE crew; CREATE ROLE gull LOGIN NOINHERIT IN ROLE"
             " aegis_gateway")
    try:
        refuses(w.connect("sailor"), "AG009", "SELECT * FROM yard.copy")
        refuses(w.connect("sailor"), "AG010", "EXPLAIN SELECT 1", "SELECT pg_sleep(0)", "SET ROLE crew", "SET ROLE NONE")
        refuses(w.connect("gull"), "AG010", "SELECT * FROM yard.copy", "SELECT FROM pg_class", "SET ROLE aegis_gateway")
        session = w.connect("sailor")
        session.run("RESET ROLE")
        refuses(session, "AG009", "SELECT * FROM yard.copy")
    finally:
        w.close()
        w.connect("postgres").run("DROP ROLE sailor, gull, crew")


@attack("B30", "Call the function behind a route, past the rank that the route demands", "member of low rank", "the functions below ask again")
def past_the_route(w):
    root = w.connect("postgres")
    handlers = root.run("SELECT method, path, format('%I.%I', handler_schema, handler) FROM aegis.route WHERE minimum_rank > 1 ORDER BY 2, 1")
    holds(len(handlers) > 8, "too few: %d" % len(handlers))
    for method, path, handler in handlers:
        for target in (w.user["hera"], w.user["ada"], w.user["mona"], "1"):
            request = ('{"method": "%s", "path": "%s", "params": {"id": "%s", "leaf": "1"}, "query": {}, "headers": {}, "body": {"name": "x", "rank": 4,'
                       ' "email": "x@x.example", "password": "heron copper lantern 58 river"}}' % (method, path, target))
            before = root.run("SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM aegis.user u")
            session = w.enter("ada")
            answer = session.ask("SELECT (%s(jsonb_populate_record(NULL::aegis.request, '%s'))).*" % (handler, request))
            session.ask("COMMIT")
            session.close()
            holds(answer.state in ("42501", "P0002", "22023", "AG010", "AG013") or answer.rows and int(answer.rows[0][0]) >= 400,
                  "%s %s: %s %s" % (method, path, answer.state, answer.rows))
            equal(root.run("SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM aegis.user u"), before, path)


@attack("B31", "Read the partitions of a protected table, or take one out of it", "member, owner, plain login",
        "members reach it through its parent only; `aegis.protect_table` protects every part, and it stays so when it is taken out")
def protected_parts(w):
    session = w.enter("hera")
    own_only(session.run(OWN % "shop.event"))
    equal(session.ask("UPDATE shop.event SET note = note WHERE id >= 500").tags, ["UPDATE 0"])
    parts = ("shop.event_low", "shop.event_rest")
    refuses(session, "AG010", *[sql % part for part in parts for sql in (
        "SELECT * FROM %s", "UPDATE %s SET note = note", "DELETE FROM %s", "INSERT INTO %s (id) VALUES (4)", "COPY %s TO STDOUT")])
    session.run("ROLLBACK")
    for login in ("keeper", "plain", "operator"):
        refuses(w.connect(login), "AG001", *["SELECT * FROM " + part for part in (*parts, "shop.event")])
    owner = w.connect("keeper")
    for change in ("ALTER TABLE shop.event DETACH PARTITION shop.event_rest", "ALTER TABLE shop.event_rest NO FORCE ROW LEVEL SECURITY",
                   "ALTER TABLE shop.event_rest RENAME tenant_id TO t", "ALTER TABLE shop.event RENAME tenant_id TO t",
                   "ALTER TABLE shop.event DETACH PARTITION shop.event_rest; ALTER TABLE shop.event_rest NO FORCE ROW LEVEL SECURITY",
                   "ALTER TABLE shop.event DETACH PARTITION shop.event_rest; ALTER TABLE shop.event_rest RENAME tenant_id TO t"):
        said = owner.ask("BEGIN; %s; CREATE POLICY more ON shop.event_rest USING (true); SELECT * FROM shop.event_rest" % change)
        holds(said.state in ("AG001", "AG010", "42P16") and CANARY.encode() not in said.raw, "%s: %s" % (change, said.state))
        owner.run("ROLLBACK")
