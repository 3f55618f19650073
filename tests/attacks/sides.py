# SPDX-License-Identifier: Apache-2.0
"""By side channels: what an answer tells beside its rows. What another tenant has, and what nobody has, must answer the same bytes."""
import re

from catalogue import Succeeded, attack, equal, holds, refuses
from wire import Refused
from world import CANARY, HIT, HIT_MAIL, MISS, MISS_MAIL, THEIRS

GUARDED = ("AG010", "42501")  # the walls, or PostgreSQL's own rights before them


def answer(session, template, number, mail):
    """Every byte, with the asked-for value taken out; undone."""
    sql = template.replace("{x}", number).replace("{m}", mail)
    session.run("SAVEPOINT probe")
    said = session.ask(sql).raw + session.ask("SET CONSTRAINTS ALL IMMEDIATE").raw
    session.run("ROLLBACK TO probe; RELEASE probe")
    session.prepare("", "SELECT 1")
    session.run("SAVEPOINT probe")
    said += session.prepare("", sql).raw + session.execute("").raw
    session.run("ROLLBACK TO probe; RELEASE probe")
    said = re.sub(rb"CPU: [^\0]*", b"", said)  # time that a trace tells
    return re.sub(rb"(?<![0-9A-Za-z])(?:%s|%s)(?![0-9A-Za-z])" % (re.escape(number.encode()), re.escape(mail.encode())), b"asked", said)


def tells(session, template):
    """Does the answer tell what another tenant has from what nobody has? Sizes and bytes."""
    return answer(session, template, HIT, HIT_MAIL) != answer(session, template, MISS, MISS_MAIL)


def silent(session, *templates):
    for template in templates:
        hit, miss = answer(session, template, HIT, HIT_MAIL), answer(session, template, MISS, MISS_MAIL)
        if hit != miss:
            raise Succeeded("%s: %r, but %r for what nobody has" % (template, hit[:300], miss[:300]))


UNIQUE = ("INSERT INTO {t} (id, note) VALUES ({x}, 'n') RETURNING id, note", "INSERT INTO {t} (id, email) VALUES (777, '{m}') RETURNING id",
          "INSERT INTO {t} (id) VALUES ({x}) ON CONFLICT DO NOTHING",
          "INSERT INTO {t} (id, email) VALUES (777, '{m}') ON CONFLICT DO NOTHING RETURNING id",
          "UPDATE {t} SET id = {x} WHERE id = 9", "UPDATE {t} SET email = '{m}' WHERE id = 9")
UPSERT = ("INSERT INTO {t} (id) VALUES ({x}) ON CONFLICT ({k}id) DO UPDATE SET note = 'y' RETURNING note",
          "INSERT INTO {t} (id, email) VALUES (777, '{m}') ON CONFLICT ({k}email) DO UPDATE SET note = {t}.note RETURNING note")
REFERENCE = ("INSERT INTO {t} (id, customer_id) VALUES (777, {x})", "UPDATE {t} SET customer_id = {x} WHERE id = 9",
             "SET CONSTRAINTS ALL DEFERRED; INSERT INTO {t} (id, customer_id) VALUES (777, {x}); SET CONSTRAINTS ALL IMMEDIATE",
             "MERGE INTO {t} USING (VALUES (777)) v(n) ON id = v.n WHEN NOT MATCHED THEN INSERT (id, customer_id) VALUES (v.n, {x})")

# The same with PostgreSQL's row security as it is usually made, so that it is seen that these questions tell something.
USUAL = """
CREATE SCHEMA usual AUTHORIZATION keeper;
SET ROLE keeper;
CREATE TABLE usual.customer (tenant_id text, id int PRIMARY KEY, email text UNIQUE, note text);
CREATE TABLE usual.sale (tenant_id text, id int PRIMARY KEY, customer_id int REFERENCES usual.customer DEFERRABLE, note text);
INSERT INTO usual.customer VALUES ('harbour', 9, NULL, 'own'), ('meadow', 500, 'seen@x.example', 'theirs');
INSERT INTO usual.sale VALUES ('harbour', 9, 9, 'own');
ALTER TABLE usual.customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, ALTER tenant_id SET DEFAULT 'harbour';
ALTER TABLE usual.sale ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, ALTER tenant_id SET DEFAULT 'harbour';
CREATE POLICY own ON usual.customer USING (tenant_id = current_setting('app.tenant', true));
CREATE POLICY own ON usual.sale USING (tenant_id = current_setting('app.tenant', true));
GRANT ALL ON ALL TABLES IN SCHEMA usual TO plain;
GRANT USAGE ON SCHEMA usual TO plain;
"""


def with_usual(w, ask):
    root = w.connect("postgres")
    root.run(USUAL)
    try:
        plain = w.connect("plain")
        plain.run("BEGIN; SET LOCAL app.tenant = 'harbour'")
        ask(plain)
    finally:
        plain.close()
        root.run("RESET ROLE; DROP SCHEMA usual CASCADE")


def filled(templates, table, key=""):
    return [template.replace("{t}", table).replace("{k}", key) for template in templates]


@attack("S1", "Ask the usual row security of PostgreSQL whether a key is taken", "plain login", "nothing: it tells, so the questions below would too")
def usual_tells(w):
    def ask(plain):
        for template in filled(UNIQUE, "usual.customer") + filled(UPSERT, "usual.customer") + filled(REFERENCE, "usual.sale"):
            holds(tells(plain, template), "%s tells nothing" % template)
    with_usual(w, ask)


@attack("S2", "Ask by INSERT or UPDATE whether a key is taken", "member, operator", "every key begins with the tenant: the same bytes")
def unique_keys(w):
    for session in (w.enter("hera"), w.assume("harbour")):
        silent(session, *filled(UNIQUE, "shop.customer"), *filled(UNIQUE, "shop.own_view"))
        silent(session, "INSERT INTO shop.booking (id, room, during) VALUES (777, {x}, '[5,6)') RETURNING id",
               "UPDATE shop.booking SET room = {x}, during = '[5,6)'",
               "INSERT INTO shop.booking (id, room, during) VALUES (777, {x}, '[5,6)') ON CONFLICT DO NOTHING")


@attack("S3", "Ask by ON CONFLICT or MERGE whether a key is taken", "member, operator", "the same")
def upserts(w):
    for session in (w.enter("hera"), w.assume("harbour")):
        silent(session, *filled(UPSERT, "shop.customer", "tenant_id, "),
               "MERGE INTO shop.customer t USING (VALUES ({x})) v(n) ON t.id = v.n WHEN MATCHED THEN UPDATE SET note = 'y' WHEN NOT MATCHED THEN"
               " INSERT (id) VALUES (v.n)",
               "MERGE INTO shop.customer t USING (VALUES ('{m}')) v(m) ON t.email = v.m WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
               "MERGE INTO shop.customer t USING (VALUES ('{m}')) v(m) ON t.email = v.m WHEN MATCHED AND 1 / (t.id - {x}) > 0 THEN DELETE")


@attack("S4", "Ask by a reference whether a row exists", "member, operator",
        "foreign keys pair the tenant with the tenant: the same error, byte by byte")
def references(w):
    for session in (w.enter("hera"), w.assume("harbour"), w.enter("ada")):
        silent(session, *filled(REFERENCE, "shop.sale"), "INSERT INTO shop.line (customer_id, id) VALUES ({x}, 777)",
               "UPDATE shop.line SET customer_id = {x} WHERE id = 2",
               "INSERT INTO shop.sale (tenant_id, id, customer_id) VALUES ('%s', 777, {x})" % w.tenant[THEIRS])


@attack("S5", "Ask by every other statement that names a key", "member, operator",
        "row security comes first: the same rows, tags, notices and errors")
def other_statements(w):
    for session in (w.enter("hera"), w.assume("harbour")):
        silent(session, "SELECT * FROM shop.customer WHERE id = {x}", "SELECT count(*) FROM shop.customer WHERE email = '{m}'",
               "SELECT FROM shop.customer WHERE tenant_id = '%s' AND id = {x}" % w.tenant[THEIRS],
               "SELECT id FROM shop.customer WHERE id = {x} FOR UPDATE NOWAIT",
               "UPDATE shop.customer SET note = 'y' WHERE id = {x}", "DELETE FROM shop.customer WHERE email = '{m}' RETURNING *",
               "DELETE FROM shop.sale USING shop.customer c WHERE c.id = {x}", "SELECT EXISTS (SELECT FROM shop.line WHERE id = {x})",
               "COPY (SELECT * FROM shop.customer WHERE id = {x}) TO STDOUT", "SELECT * FROM shop.own_view WHERE id = {x}",
               "SELECT * FROM yard.careless WHERE id = {x}", "SELECT FROM shop.customer TABLESAMPLE SYSTEM (100) WHERE id = {x}",
               "DECLARE c CURSOR FOR SELECT * FROM shop.customer WHERE id = {x}; FETCH ALL FROM c; MOVE BACKWARD ALL FROM c; CLOSE c",
               "SELECT (SELECT note FROM shop.customer WHERE id = {x})", "SELECT max(id), min(id) FROM shop.customer WHERE id <> {x}",
               "SELECT count(*) FROM aegis_app.customer WHERE email = '{m}'", "UPDATE aegis_app.customer SET notes = NULL WHERE email = '{m}'",
               "SELECT count(*) FROM aegis_app.customer WHERE email <> '{m}'",
               "WITH RECURSIVE r AS (SELECT {x} AS n UNION SELECT c.id FROM r JOIN shop.customer c ON c.id = r.n) SELECT count(*) FROM r")


@attack("S6", "Have a row that is hidden raise an error or a notice", "member, operator", "only leakproof functions run before row security")
def leaky(w):
    for session in (w.enter("hera"), w.assume("harbour")):
        silent(session, "SELECT * FROM shop.customer WHERE 1 / (id - {x}) > 1", "SELECT * FROM shop.customer WHERE shop.leak(note) AND id = {x}",
               "SELECT * FROM shop.customer WHERE id = {x} AND note::int > 0", "UPDATE shop.customer SET note = 'y' WHERE 1 / (id - {x}) > 1",
               "DELETE FROM shop.customer WHERE 1 / (id - {x}) > 1", "SELECT * FROM shop.own_view WHERE 1 / (id - {x}) > 1",
               "SELECT * FROM shop.customer c JOIN shop.sale s ON 1 / (s.customer_id - {x}) > 1",
               "SELECT 1 FROM shop.customer GROUP BY 1 HAVING bool_or(1 / (id - {x}) > 1)",
               "SELECT CASE WHEN id = {x} THEN 1 / 0 END FROM shop.customer", "SELECT * FROM yard.careless WHERE 1 / (id - {x}) > 1")
        # The planner asks an operator's function about the samples of all tenants, unless it is careful.
        said = session.ask("SELECT count(*) FROM shop.customer WHERE note OPERATOR(shop.<<<) 'x'").notices
        holds(said and set(said) == {"compared own"}, "notices %s" % set(said))
        said = session.ask("SELECT count(*) FROM shop.customer WHERE shop.leak(note)").notices
        holds(said and set(said) == {"leaked own"}, "notices %s" % set(said))


@attack("S7", "Have the server say more: debugging messages and traces to the client", "member",
        "what shows plans is a superuser's; the rest says the same", falls=True)
def debugging(w):
    for setting in ("debug_print_plan", "debug_print_parse", "debug_print_rewritten", "log_executor_stats", "log_planner_stats", "log_statement",
                    "log_duration",
                    "log_min_messages", "log_error_verbosity", "log_parameter_max_length", "session_preload_libraries", "track_activities",
                    "client_min_messages"):
        try:
            w.connect("member",
                      options="-c %s=%s" % (setting,
                                            "debug1" if setting == "client_min_messages" else "on" if "debug" in setting or "stats" in setting or "track" in setting else "1"))
        except Refused as refused:
            holds(refused.state in ("42501", "22023"), "%s: %s" % (setting, refused))
        else:
            raise Succeeded("a member sets %s" % setting)
    refuses(w.connect("member"), "22023", "SET client_min_messages = debug1", "BEGIN; SET LOCAL client_min_messages = debug5")
    session = w.connect("member", options="-c client_min_messages=log -c trace_sort=on -c trace_notify=on -c debug_pretty_print=on")
    session.run("BEGIN; " + w.context("hera"))
    silent(session, "SELECT * FROM shop.customer WHERE id = {x}", "SELECT * FROM shop.customer WHERE email >= '{m}' ORDER BY note",
           "INSERT INTO shop.sale (id, customer_id) VALUES (777, {x})",
           "INSERT INTO shop.customer (id) VALUES ({x})", "DELETE FROM shop.customer WHERE id = {x}")


@attack("S8", "Read estimates of the planner, or rows removed by filters", "member, gateway", "the guard of statements; no function can do it either",
        falls=True)
def explain(w):
    session = w.enter("hera")
    for options in ("", "ANALYZE ", "(ANALYZE, BUFFERS, FORMAT json) ", "(GENERIC_PLAN) "):
        refuses(session, ("AG010", "42601"), "EXPLAIN %sSELECT * FROM shop.customer WHERE id = 500" % options)
    equal(session.prepare("", "EXPLAIN SELECT * FROM shop.customer").state + session.execute("").state, "AG010")
    session.run("ROLLBACK")
    root = w.connect("postgres")
    root.run("CREATE FUNCTION yard.explain(q text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN '"
             " || q; END$$")
    try:
        refuses(w.enter("hera"), "AG010", "SELECT yard.explain('SELECT 1')")
    finally:
        root.run("DROP FUNCTION yard.explain")
    refuses(w.connect("gateway"), "AG010", "EXPLAIN SELECT 1")
    refuses(w.connect("member"), "AG010", "LOAD 'auto_explain'")


@attack("S9", "Read the planner's statistics", "member, owner, plain login", "default deny; PostgreSQL hides them where row security holds",
        falls=True)
def statistics(w):
    session = w.enter("hera")
    refuses(session, GUARDED, "TABLE pg_stats", "TABLE pg_stats_ext", "TABLE pg_stats_ext_exprs", "TABLE pg_statistic_ext",
            "SELECT FROM pg_statistic_ext_data",
            "SELECT FROM pg_stat_user_tables")
    for login in ("plain", "keeper", "operator"):
        other = w.connect(login)
        equal(other.run("SELECT count(*) FROM pg_stats WHERE schemaname = 'shop' AND tablename <> 'sentinel'"), [["0"]], login)
        refuses(other, "42501", "TABLE pg_statistic", "TABLE pg_statistic_ext_data")


SIZES = ("SELECT reltuples FROM pg_class", "SELECT relpages FROM pg_class", "TABLE pg_class", "SELECT c FROM pg_class c",
         "SELECT FROM pg_stat_all_tables", "SELECT FROM pg_statio_user_tables",
         "SELECT pg_relation_size('shop.customer')", "SELECT pg_table_size('shop.customer')", "SELECT pg_indexes_size('shop.customer')",
         "SELECT pg_total_relation_size('shop.customer')", "SELECT pg_database_size('postgres')", "SELECT pg_tablespace_size('pg_default')",
         "SELECT pg_stat_get_live_tuples('shop.customer'::regclass)", "SELECT pg_stat_get_tuples_inserted('shop.customer'::regclass)",
         "SELECT pg_stat_get_xact_tuples_inserted('shop.customer'::regclass)", "SELECT FROM pg_stat_database", "SELECT FROM pg_stat_wal",
         "SELECT FROM pg_stat_bgwriter")
POSITIONS = ("SELECT pg_current_wal_lsn()", "SELECT pg_current_wal_insert_lsn()", "SELECT pg_current_wal_flush_lsn()",
             "SELECT pg_last_wal_replay_lsn()",
             "SELECT pg_walfile_name('0/1')", "SELECT FROM pg_control_checkpoint()", "SELECT pg_switch_wal()", "SELECT txid_current()",
             "SELECT pg_current_xact_id()",
             "SELECT pg_current_snapshot()", "SELECT txid_current_snapshot()", "SELECT txid_current_if_assigned()",
             "SELECT pg_current_xact_id_if_assigned()",
             "SELECT txid_status(1)", "SELECT pg_xact_status('1')", "SELECT pg_xact_commit_timestamp('3'::xid)", "SELECT pg_last_committed_xact()",
             "SELECT age('3'::xid)", "SELECT mxid_age('3'::xid)", "SELECT pg_get_multixact_members('1')", "SELECT pg_last_xact_replay_timestamp()",
             "SELECT FROM pg_get_replication_slots()", "SELECT age(datfrozenxid) FROM pg_database")


@attack("S10", "Read sizes and counters", "member", "default deny; the guard of functions", falls=True)
def sizes(w):
    refuses(w.enter("hera"), "AG010", *SIZES)


@attack("S11", "Read how far the server's log and its transactions have come", "member", "the guard of functions", falls=True)
def positions(w):
    refuses(w.enter("hera"), GUARDED, *POSITIONS)
    equal(w.enter("hera").run("SELECT age('2001-02-03'::timestamp, '2001-02-02')::text"), [["1 day"]])


@attack("S12", "See gaps between own rows: their places and transactions", "member", "the system columns of tables with tenants' rows are refused",
        falls=True)
def system_columns(w):
    session = w.enter("hera")
    refuses(session, "AG010", "SELECT ctid FROM shop.customer", "SELECT xmin FROM shop.customer", "SELECT xmax, cmin, cmax FROM shop.customer",
            "SELECT FROM shop.customer WHERE ctid = '(0,1)'", "SELECT FROM shop.customer ORDER BY xmin::text",
            "DELETE FROM shop.customer RETURNING ctid",
            "UPDATE shop.customer SET note = xmin::text", "SELECT ctid FROM yard.careless", "SELECT currtid2('shop.customer', '(0,1)')",
            "COPY (SELECT ctid FROM shop.customer) TO STDOUT", "INSERT INTO shop.customer (id) VALUES (777) RETURNING xmin")
    equal(session.run("SELECT DISTINCT tableoid::regclass::text FROM shop.customer"), [["shop.customer"]])
    session.run("DECLARE c CURSOR FOR SELECT * FROM shop.customer FOR UPDATE; FETCH c; UPDATE shop.customer SET note = 'own' WHERE CURRENT OF c")


@attack("S13", "See what other sessions run, hold or prepare", "member, plain login", "default deny; the guard of functions; other roles see no text",
        falls=True)
def activity(w):
    session = w.enter("hera")
    refuses(session, GUARDED, "TABLE pg_stat_activity", "SELECT FROM pg_stat_get_activity(NULL)", "TABLE pg_locks", "SELECT FROM pg_lock_status()",
            "TABLE pg_prepared_statements",
            "SELECT FROM pg_prepared_statement()", "TABLE pg_cursors", "SELECT FROM pg_cursor()", "TABLE pg_prepared_xacts",
            "SELECT pg_blocking_pids(1)",
            "SELECT pg_stat_get_backend_activity(1)", "TABLE pg_stat_replication", "TABLE pg_stat_progress_analyze", "TABLE pg_shmem_allocations",
            "TABLE pg_backend_memory_contexts", "TABLE pg_stat_ssl", "TABLE pg_stat_gssapi")
    other = w.enter("mona")
    other.run("SELECT '%s'" % CANARY)
    for login in ("plain", "keeper", "operator"):
        shown = w.connect(login).run("SELECT query FROM pg_stat_activity WHERE usename = 'member'")
        holds(shown and all(row[0] == "<insufficient privilege>" for row in shown), "%s reads %s" % (login, shown))


@attack("S14", "Disturb other sessions", "member, plain login", "the guard of functions; PostgreSQL's own rule for other roles", falls=True)
def signals(w):
    other = w.connect("member")
    pid = other.value("SELECT pg_backend_pid()")
    refuses(w.enter("hera"), GUARDED, "SELECT pg_cancel_backend(%s)" % pid, "SELECT pg_terminate_backend(%s, 0)" % pid,
            "SELECT pg_log_backend_memory_contexts(%s)" % pid,
            "SELECT pg_reload_conf()", "SELECT pg_sleep(0)", "SELECT pg_sleep_until(now())", "SELECT pg_sleep_for('0')")
    for login in ("plain", "keeper", "operator"):
        refuses(w.connect(login), "42501", "SELECT pg_cancel_backend(%s)" % pid, "SELECT pg_terminate_backend(%s)" % pid)
    equal(other.value("SELECT 1"), "1")


@attack("S15", "Speak to another tenant by NOTIFY, advisory locks or large objects", "member, gateway", "the guard of statements and of functions",
        falls=True)
def channels(w):
    for session in (w.enter("hera"), w.connect("gateway")):
        refuses(session, GUARDED, "LISTEN x", "NOTIFY x, 'y'", "NOTIFY aegis_route", "SELECT pg_notify('x', 'y')", "SELECT pg_listening_channels()",
                "SELECT pg_notification_queue_usage()",
                "SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1)", "SELECT pg_advisory_xact_lock(1)",
                "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
                "SELECT pg_advisory_unlock_all()", "SELECT lo_create(1)", "SELECT lo_creat(-1)", "SELECT lo_get(1)", "SELECT lo_put(1, 0, '')",
                "SELECT lo_from_bytea(0, '')",
                "SELECT lo_open(1, 262144)", "SELECT lo_unlink(1)", "SELECT lo_import('/etc/passwd')", "SELECT loread(1, 1)",
                "SELECT pg_export_snapshot()")
    for login in ("member", "gateway"):
        session = w.connect(login)
        session.ask("LISTEN aegis_route")
        w.connect("postgres").run("NOTIFY aegis_route, '%s'" % CANARY)
        equal([n for n in session.ask("SELECT 1").notifications if login == "member"], [])


@attack("S16", "Call a refused function by the fast path of the protocol", "member, gateway, plain login", "the guard of functions looks there, too",
        falls=True)
def fast_path(w):
    root = w.connect("postgres")
    number = {name: int(root.value("SELECT '%s'::regprocedure::oid::int" % name)) for name in ("pg_catalog.lo_creat(integer)",
                                                                                               "pg_catalog.pg_reload_conf()",
                                                                                      "pg_catalog.txid_current()", "aegis.tenants()")}
    for login in ("member", "gateway"):
        session = w.connect(login)
        for name, oid in number.items():
            arguments = b"\0\0\0\1\0\0\0\4\0\0\0\0" if "integer" in name else b"\0\0\0\0"
            session.send(b"F", oid.to_bytes(4, "big") + arguments + b"\0\0")
            holds(session.read().state in ("AG010", "42501", "0A000"), "%s calls %s" % (login, name))


@attack("S17", "Count others' rows by a sequence", "member",
        "the sequence cannot be read; numbers that it gives do tell: [coverage](coverage.md) names the grant, use uuid", falls=True)
def sequence(w):
    session = w.enter("hera")
    refuses(session, ("AG009", "AG010"), "SELECT last_value FROM yard.counter", "TABLE pg_sequences", "SELECT pg_sequence_last_value('yard.counter')")
    equal(w.connect("postgres").run("SELECT finding FROM aegis.coverage() WHERE object = 'yard.counter'"), [["grant-on-sequence"]])


@attack("S18", "Shadow a name that a SECURITY DEFINER function looks up", "member, plain login",
        "such functions have their search_path pinned; members make no temporary tables")
def shadowed(w):
    refuses(w.connect("member"), "AG010", "CREATE TEMP TABLE customer (id int)", "CREATE TEMP VIEW customer AS SELECT 1",
            "SELECT 1 AS id INTO TEMP customer")
    plain = w.connect("plain")
    plain.run("CREATE TEMP TABLE tenant AS SELECT '%s'::uuid AS id; CREATE TEMP TABLE session AS SELECT 1 AS id; CREATE TEMP TABLE \"user\" AS"
              " SELECT 1 AS id" % w.tenant[THEIRS])
    plain.run("SET search_path = pg_temp, aegis, public")
    refuses(plain, "42501", w.context("hera"))
    refuses(plain, "AG001", "SELECT shop.own_count()")


@attack("S19", "Find others' values in the server's log", "whoever reads the log",
        "parameters are not logged; errors on protected tables show no values")
def server_log(w):
    session = w.enter("mona")
    session.prepare("p", "INSERT INTO shop.customer (id, note) VALUES ($1::text::int, $2)")
    equal(session.execute("p", "no number of " + CANARY, CANARY).state, "22P02")
    session.run("ROLLBACK; BEGIN; " + w.context("mona"))
    session.prepare("q", "INSERT INTO shop.customer (id, note) VALUES (500, $1)")
    equal(session.execute("q", CANARY + "-2").state, "23505")
    with open(w.place + "/log", encoding="utf-8") as log:
        lines = [line for line in log if CANARY in line and "no number" not in line]
    equal(lines, [])


@attack("S20", "Copy the cluster, or follow its changes", "everybody but superusers", "no role of Aegis may replicate; nothing is published")
def replicate(w):
    for login in ("member", "gateway", "plain", "keeper", "operator", "auditor"):
        for how in ("true", "database"):
            try:
                w.connect(login, replication=how)
            except Refused as refused:
                holds(refused.state in ("42501", "28000"), str(refused))
            else:
                raise Succeeded("%s connects with replication=%s" % (login, how))
    for login in ("plain", "keeper", "operator"):
        refuses(w.connect(login), "42501", "SELECT pg_create_logical_replication_slot('x', 'test_decoding')",
                "CREATE PUBLICATION p FOR TABLE shop.customer")
    refuses(w.connect("member"), GUARDED, "SELECT pg_create_logical_replication_slot('x', 'test_decoding')",
            "CREATE PUBLICATION p FOR TABLE shop.customer",
            "TABLE pg_publication", "TABLE pg_subscription", "TABLE pg_replication_slots", "TABLE pg_foreign_server", "TABLE pg_user_mappings",
            "TABLE pg_largeobject_metadata")


@attack("S21", "Learn that another tenant writes, from serialization failures", "two members, both under SERIALIZABLE",
        "nothing: PostgreSQL watches what was read by whole pages and tables ([walls](wall.md#limits)); READ COMMITTED tells nothing")
def serializable(w):
    for level, told in (("READ COMMITTED", ""), ("SERIALIZABLE", "40001")):
        both = [w.connect("member") for _ in range(2)]
        for session, name in zip(both, ("hera", "mona")):
            session.run("BEGIN ISOLATION LEVEL %s; %s; SELECT count(*) FROM shop.customer" % (level, w.context(name)))
        for session in both:
            session.run("INSERT INTO shop.customer (id) VALUES (780)")
        both[0].run("COMMIT")
        equal(both[1].ask("COMMIT").state, told, level)
        for name in ("hera", "mona"):
            w.enter(name).run("DELETE FROM shop.customer WHERE id = 780; COMMIT")


# One value for each type of parameter; a number and an id are what is asked for.
GIVEN = {"uuid": "'{x}'", "bigint": "1", "integer": "1", "smallint": "1::smallint", "text": "'x'", "boolean": "false", "interval": "'1 ms'",
         "bigint[]": "'{1,2}'",
         "text[]": "'{x}'", "jsonb": "'{\"id\": 500}'", "regclass": "'shop.customer'"}
UNASKED = ("sign_in", "authenticate", "wait_checkpoint")


@attack("S22", "Name another tenant's thing to a function of the extension", "member",
        "each looks within the context; hidden and missing are the same bytes")
def own_functions(w):
    root = w.connect("postgres")
    functions = root.run("SELECT p.oid::regproc::text, array_to_string(ARRAY(SELECT t::regtype::text FROM unnest(proargtypes) t), '|') FROM"
                         " pg_proc p WHERE"
                         " pronamespace = 'aegis'::regnamespace AND has_function_privilege('aegis_member', oid, 'execute') AND 'uuid'::regtype ="
                         " ANY (proargtypes)")
    things = [w.tenant[THEIRS], w.user["mona"], *(row[0] for row in root.run("SELECT id FROM aegis.team WHERE tenant_id = '%s'" % w.tenant[THEIRS]))]
    asked = 0
    for name in ("hera", "ada"):
        session = w.enter(name)
        for function, types in functions:
            if function.split(".")[1] in UNASKED or not set(types.split("|")) <= set(GIVEN):
                continue
            sql = "SELECT * FROM %s(%s)" % (function, ", ".join(GIVEN[kind] for kind in types.split("|")))
            nobody = "00000000-1111-4222-8333-444444444444"
            answer(session, sql, nobody, "-")  # PL/pgSQL words the context of an error differently when it comes first
            miss = answer(session, sql, nobody, "-")
            for thing in things:
                asked += 1
                got = answer(session, sql, thing, "-")
                if got != miss:
                    at = next((i for i, (a, b) in enumerate(zip(got, miss)) if a != b), 0)
                    raise Succeeded("%s: %r, not %r" % (sql, got[at - 80:at + 80], miss[at - 80:at + 80]))
    holds(asked > 40, "only %d questions" % asked)
    silent(w.enter("hera"), "SELECT * FROM aegis.explain_access('shop.customer', '{\"id\": {x}}', '%s')" % w.user["ada"],
           "SELECT * FROM aegis.row_facts('shop.customer', '{\"id\": {x}}', true, true)")


@attack("S23", "Ask by another tenant's number of a job whether it is there", "admin",
        "each looks within the context; hidden and missing are the same bytes")
def jobs(w):
    other = w.enter("mona")
    number = other.value("SELECT aegis.begin_verification()")
    other.run("COMMIT")
    session = w.enter("hera")
    for sql in ("SELECT * FROM aegis.verification({x})", "SELECT * FROM aegis.verification_progress({x})"):
        got = [answer(session, sql.replace("{x}", n), "-", "-") for n in (number, str(10 ** len(number) - 1))]
        equal(got[0], got[1], sql)


@attack("S24", "Read the planner's estimates as an operator", "operator",
        "nothing: operators are no tenant sessions, and may look into every tenant, which leaves an entry; an estimate leaves none")
def operator_explains(w):
    session = w.assume("harbour")
    holds(session.run("EXPLAIN SELECT * FROM shop.customer WHERE id = 500"), "is stopped by now: say so")
    for login in ("keeper", "plain", "operator"):
        refuses(w.connect(login), "AG001", "EXPLAIN SELECT * FROM shop.customer WHERE id = 500", "EXPLAIN ANALYZE SELECT FROM shop.customer")


@attack("S25", "Find another tenant in what the extension's functions tell", "admin", "each tells of the context's tenant")
def told(w):
    root = w.connect("postgres")
    functions = root.run("SELECT oid::regprocedure::text, pronargs - pronargdefaults FROM pg_proc WHERE pronamespace = 'aegis'::regnamespace"
                         " AND has_function_privilege('aegis_member', oid, 'execute') AND pronargs = pronargdefaults AND prokind = 'f'"
                         " AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)")
    asked = ["SELECT * FROM %s()" % name.split("(")[0] for name, needed in functions if needed == "0" and "sign_out" not in name]
    asked += ["SELECT * FROM aegis.tenant_entries(ARRAY(SELECT generate_series(0, 300)))", "SELECT * FROM aegis_app.customer"]
    holds(len(asked) > 15 and any("tenant_bundle" in sql for sql in asked), "too few: %s" % asked)
    own, other = (w.tenant["harbour"], w.user["hera"]), (w.tenant[THEIRS], w.user["mona"])
    seen = set()
    for sql in asked:
        session = w.enter("hera")
        raw = session.ask(sql).raw
        for form in (str.encode, lambda u: u.replace("-", "").encode()):
            seen |= {u for u in own if form(u) in raw}
            for u in other:
                holds(form(u) not in raw, "%s shows %s" % (sql, u))
        holds(CANARY.encode() not in raw and b"meadow" not in raw, sql)
    equal(seen, set(own), "the own are not found either")


@attack("S26", "Have TABLESAMPLE pick rows by the places where they lie", "member", "the guard of statements", falls=True)
def sampled(w):
    refuses(w.enter("hera"), "AG010", "SELECT id FROM shop.customer TABLESAMPLE BERNOULLI (50) REPEATABLE (1)",
            "SELECT id FROM shop.event TABLESAMPLE SYSTEM (100)", "DECLARE c CURSOR FOR SELECT id FROM shop.customer TABLESAMPLE SYSTEM (100)",
            "WITH own AS (SELECT id FROM shop.customer TABLESAMPLE SYSTEM (100)) DELETE FROM shop.sale s USING own o WHERE s.id = o.id",
            "COPY (SELECT id FROM shop.customer TABLESAMPLE SYSTEM (100)) TO STDOUT",
            "SELECT query_to_xml('SELECT id FROM shop.customer TABLESAMPLE SYSTEM (100)', true, true, '')")
