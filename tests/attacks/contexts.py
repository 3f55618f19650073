# SPDX-License-Identifier: Apache-2.0
"""With another context: forged, left over, taken twice, or none at all."""
import time
import uuid

from catalogue import Succeeded, attack, equal, holds, refuses
from wire import Refused
from world import CANARY, MINE, THEIRS

GETTERS = ("tenant_id", "user_id", "session_id", "rank", "team_ord", "team_lo", "team_hi", "user_lo", "user_hi", "auth_method", "request_id",
           "client_ip", "service_id")
NOTHING = "SELECT " + ", ".join("aegis.%s()" % name for name in GETTERS)
LOGINS = ("member", "plain", "keeper", "operator", "auditor")


def has_none(session, about=""):
    equal(session.run(NOTHING), [[None] * len(GETTERS)], about)


@attack("C1", "Set the setting that carries the context", "everybody, superusers too", "its check refuses every value that no way in produced")
def set_context(w):
    forged = w.tenant[THEIRS]
    for login in (*LOGINS, "postgres"):
        session = w.connect(login)
        states = ("42501", "AG010", "22023", "55P02")
        refuses(session, states, *[sql % forged for sql in (
            "SET aegis.context = '%s'", "SET SESSION aegis.context = '%s'", "BEGIN; SET LOCAL aegis.context = '%s'",
            "SELECT set_config('aegis.context', '%s', false)", "BEGIN; SELECT set_config('aegis.context', '%s', true)",
            "ALTER SYSTEM SET aegis.context = '%s'")])
        session.ask("UPDATE pg_settings SET setting = '%s' WHERE name = 'aegis.context'" % forged)
        has_none(session, login)
    inside = w.enter("hera")
    shown = inside.value("SHOW aegis.context")
    equal(shown, "(set)")
    refuses(inside, ("42501", "AG010"), "SET LOCAL aegis.context = '%s'" % forged, "SET LOCAL aegis.context = '(set)'", "RESET aegis.context")
    inside.run("RESET ALL")
    equal(inside.value("SELECT aegis.tenant_id()"), w.tenant[MINE])


@attack("C2", "Set a setting that looks as if it named the tenant", "everybody", "getters read one struct, no setting")
def look_alikes(w):
    names = ("app.tenant_id", "request.jwt.claims", "request.tenant", "nile.tenant_id", "app.current_tenant")
    for login in ("plain", "keeper", "operator", "postgres"):
        session = w.connect(login)
        for name in names:
            session.run("SELECT set_config('%s', '%s', false)" % (name, w.tenant[THEIRS]))
        has_none(session, login)
        if login != "postgres":
            refuses(session, "AG001", "SELECT aegis.require_tenant()")
    member = w.connect("member", options="-c app.tenant_id=" + w.tenant[THEIRS])
    has_none(member)
    refuses(member, "AG001", "SELECT * FROM shop.customer")


@attack("C3", "Have a role, a database, a function or the server carry a context", "role itself, owner, superuser",
        "the same check, wherever the value comes from")
def stored_settings(w):
    refuses(w.connect("member"), "AG010", "ALTER ROLE member SET aegis.context = 'x'", "ALTER ROLE member SET search_path = yard")
    for login in ("plain", "keeper", "operator", "postgres"):
        refuses(w.connect(login), ("42501", "22023", "55P02"), "ALTER ROLE %s SET aegis.context = 'x'" % login,
                "ALTER ROLE ALL SET aegis.context = 'x'",
                "ALTER DATABASE postgres SET aegis.context = 'x'", "ALTER SYSTEM SET aegis.context = 'x'")
    refuses(w.connect("keeper"), ("42501", "22023"), "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql SET aegis.context = 'x' AS 'SELECT 1'",
            "ALTER FUNCTION shop.own_count() SET aegis.context = 'x'")


@attack("C4", "Write the setting of a role into the catalog by hand", "superuser", "the same check when the session starts, in parallel workers too")
def written_by_hand(w):
    root = w.connect("postgres")
    root.run("SET allow_system_table_mods = on")
    root.run("UPDATE pg_db_role_setting SET setconfig = setconfig || 'aegis.context=%s'::text WHERE setrole = 'walled_parallel'::regrole" % w.tenant[THEIRS])
    try:
        session = w.connect("walled_parallel")
        equal(session.value("SHOW force_parallel_mode"), "on")
        has_none(session, "in the leader or in a worker")
        refuses(session, "AG001", "SELECT count(*) FROM shop.customer")
        session.run("BEGIN; " + w.context("hera"))
        equal(session.value("SELECT count(*) FROM shop.customer"), "20")
    finally:
        root.run("UPDATE pg_db_role_setting SET setconfig = ARRAY['force_parallel_mode=on'] WHERE setrole = 'walled_parallel'::regrole")


@attack("C5", "Bring a context, or a switch of a wall, in the first packet", "everybody",
        "the same check; walls are read from the configuration file only")
def first_packet(w):
    for login in (*LOGINS, "postgres"):
        for given in ("aegis.context=" + w.tenant[THEIRS], "aegis.default_deny=off", "aegis.restrictive_wall=off", "aegis.statement_guard=off",
                      "aegis.function_guard=off", "aegis.ledger_guard=off", "aegis.restore_mode=on"):
            for parameters in ({"options": "-c " + given}, dict([given.split("=")])):
                try:
                    session = w.connect(login, **parameters)
                except Refused:
                    continue
                raise Succeeded("%s connects with %s: %s" % (login, given, session.run(NOTHING)))


@attack("C6", "Make a setting of the prefix before the library knows it", "everybody", "the library is preloaded and has the prefix reserved")
def placeholder(w):
    for login in ("plain", "member"):
        try:
            session = w.connect(login, options="-c aegis.foo=1")
        except Refused as refused:
            equal(refused.state, "42602")
        else:
            refuses(session, "42704", "SHOW aegis.foo")
    refuses(w.connect("plain"), "42602", "SET aegis.tenant = 'x'", "SELECT set_config('aegis.tenant_id', 'x', false)")


@attack("C7", "Find something left of the transaction before", "member", "the context ends with its transaction; getters are NULL, not empty")
def second_transaction(w):
    session = w.connect("member")
    for end in ("COMMIT", "ROLLBACK", "SELECT 1/0; COMMIT", "PREPARE TRANSACTION 'x'"):
        session.run("BEGIN; " + w.context("hera"))
        equal(session.value("SELECT count(*) FROM shop.customer"), "20")
        session.ask(end)
        session.ask("ROLLBACK")
        has_none(session, end)
        equal(session.value("SELECT current_setting('aegis.context', true) = ''"), "t")
        refuses(session, "AG001", "SELECT * FROM shop.customer", "SELECT aegis.require_tenant()")


@attack("C8", "Ask without any context", "member, owner, plain login, operator", "a missing context is an error, never an empty or a full result")
def without_context(w):
    tables = [row[0] for row in w.connect("postgres").run(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace IN ('shop'::regnamespace, 'aegis_app'::regnamespace) AND relkind = 'r' AND"
        " relrowsecurity AND NOT relispartition")]
    holds(len(tables) > 7, "fewer tables than there are")
    for login in ("member", "keeper", "operator", "plain"):
        session = w.connect(login)
        for name in tables:
            refuses(session, "AG001" if name.startswith("shop.") else ("AG001", "42501"), "SELECT count(*) FROM " + name, "DELETE FROM " + name)
    for login in ("member", "plain"):
        refuses(w.connect(login), "AG001", "SELECT * FROM yard.open_on_null")
    equal(w.enter("hera").run("SELECT DISTINCT note FROM yard.open_on_null"), [["own"]])


@attack("C9", "Take a second context in the transaction of the first", "member, operator", "a context is write-once")
def second_context(w):
    session = w.enter("hera")
    refuses(session, "AG002", w.context("mona"), w.context("ada"), w.context("hera"))
    session.ask("SAVEPOINT a; %s" % w.context("mona"))
    session.run("ROLLBACK TO a")
    equal(session.value("SELECT aegis.tenant_id()"), w.tenant[MINE])
    refuses(w.assume("harbour"), ("25001", "42501", "AG002"), w.context("mona"), "SELECT aegis.assume_tenant('%s', 'x', 'y')" % w.tenant[THEIRS])


@attack("C10", "Undo the first context with a savepoint and take another", "member, operator", "only the end of the transaction clears the mark")
def rolled_back_to(w):
    member = w.connect("member")
    member.run("BEGIN; SAVEPOINT a; %s; ROLLBACK TO a" % w.context("hera"))
    has_none(member)
    refuses(member, "AG002", w.context("mona"))
    refuses(member, "AG001", "SELECT * FROM shop.customer")
    operator = w.connect("operator")
    refuses(operator, "25001", "BEGIN; SAVEPOINT a; SELECT aegis.assume_tenant('%s', 'a look', 'T-1')" % w.tenant[MINE])


@attack("C11", "Fetch from one tenant's cursor under another's context", "member", "cursors end with the transaction, and a context is write-once")
def cursor(w):
    session = w.enter("mona")
    session.run("DECLARE c CURSOR FOR SELECT note FROM shop.customer; FETCH c")
    refuses(session, "AG002", w.context("hera"))
    session.run("COMMIT; BEGIN; " + w.context("hera"))
    refuses(session, "34000", "FETCH ALL FROM c")
    refuses(session, "AG010", "DECLARE c CURSOR WITH HOLD FOR SELECT note FROM shop.customer")
    # A portal of the protocol, left suspended.
    session.run("COMMIT; BEGIN; " + w.context("mona"))
    session.prepare("c", "SELECT note FROM shop.customer")
    session.send(b"B", b"held\0c\0" + b"\0" * 6)
    session.send(b"E", b"held\0" + b"\0\0\0\1")
    session.send(b"S")
    equal(len(session.read().rows), 1)
    session.run("COMMIT; BEGIN; " + w.context("hera"))
    session.send(b"E", b"held\0" + b"\0\0\0\0")
    session.send(b"S")
    equal(session.read().state, "34000")


@attack("C12", "Execute what was planned for another tenant", "member", "plans call the getter and never hold its value")
def cached_plan(w):
    for mode in ("force_generic_plan", "force_custom_plan", "auto"):
        session = w.connect("member", options="-c plan_cache_mode=" + mode)
        session.prepare("all", "SELECT count(*), count(DISTINCT tenant_id), min(tenant_id::text) FROM shop.customer")
        session.prepare("one", "SELECT count(*) FROM shop.customer WHERE id = $1")
        for name, count, hit in (("hera", "20", "0"), ("mona", "10", "1"), ("ada", "10", "0")) * 3:
            session.run("BEGIN; " + w.context(name))
            tenant = session.value("SELECT aegis.tenant_id()")
            equal(session.execute("all").rows, [[count, "1", tenant]], mode)
            equal(session.execute("one", "500").rows, [[hit]], mode)
            equal(session.value("SELECT shop.planned_count()"), count, mode)
            session.run("COMMIT")
            equal(session.execute("all").state, "AG001", mode)
            equal(session.execute("one", "500").state, "AG001", mode)
            refuses(session, "AG001", "SELECT shop.planned_count()")


@attack("C13", "Come again with a token that has ended, was made up, or is another's in part", "member, gateway",
        "tokens are looked up by their hash at every use")
def replay(w):
    w.sign_in("ada")
    session = w.enter("ada")
    session.run("SELECT aegis.sign_out(); COMMIT")
    refuses(session, "AG016", "BEGIN; " + w.context("ada"))
    own, other = w.token["hera"], w.token["mona"]
    for token in ("", "x", own[:-1], own + "A", own[:30] + other[30:], other[:30] + own[30:], own.swapcase(), "' OR true --", "%", str(uuid.uuid4())):
        refuses(session, ("AG016", "22023"), "BEGIN; SELECT aegis.authenticate('%s')" % token.replace("'", "''"))
    refuses(session, ("AG016", "22004"), "BEGIN; SELECT aegis.authenticate(NULL)")
    refuses(w.connect("gateway"), ("AG010", "42501"), w.context("hera"))
    w.sign_in("ada")


@attack("C14", "Use the context after its user or tenant was shut out", "member", "the look-up at the start of every transaction")
def shut_out(w):
    operator = w.connect("operator")
    operator.run("SELECT aegis.suspend_tenant('%s', 'a test')" % w.tenant[MINE])
    try:
        refuses(w.connect("member"), ("AG008", "AG016"), "BEGIN; " + w.context("hera"))
    finally:
        operator.run("SELECT aegis.reactivate_tenant('%s', 'a test')" % w.tenant[MINE])
        for name in ("hera", "ada"):
            w.sign_in(name)


@attack("C15", "Have a deferred trigger run after the context", "member", "it runs before the transaction ends, under the same context")
def deferred(w):
    session = w.enter("hera")
    session.run("INSERT INTO shop.sentinel (id) VALUES (1); COMMIT")
    equal(w.enter("hera").run("SELECT seen = tenant_id, seen = aegis.tenant_id() FROM shop.sentinel"), [["t", "t"]])


@attack("C16", "Keep the context past a COMMIT inside a procedure", "member", "the context ends with the transaction, wherever it is ended")
def commit_inside(w):
    session = w.connect("member")
    equal(session.run("CALL shop.two_transactions('%s', NULL, NULL)" % w.token["hera"]), [[w.tenant[MINE], None]])
    refuses(session, "AG001", "SELECT * FROM shop.customer")


@attack("C17", "Reach the functions that make contexts by another name", "member, gateway, plain login",
        "nothing of the library can be called that was not granted")
def other_entries(w):
    for login in ("member", "plain", "keeper", "operator", "gateway"):
        refuses(w.connect(login), ("42501", "AG010"), "CREATE FUNCTION f(text) RETURNS text LANGUAGE c AS 'aegis', 'aegis_authenticate'",
                "CREATE FUNCTION shop.f(text) RETURNS text LANGUAGE c AS '$libdir/aegis', 'aegis_authenticate'", "LOAD '/tmp/aegis'")
    refuses(w.connect("member"), "42501", "SELECT aegis.assume_tenant('%s', 'x', 'y')" % w.tenant[THEIRS],
            "SELECT aegis.handle('GET', '/', '{}', NULL, NULL, NULL)")
    refuses(w.connect("auditor"), "42501", w.context("mona"), "SELECT aegis.assume_tenant('%s', 'x', 'y')" % w.tenant[THEIRS])


@attack("C18", "Name a tenant in a request, or sign in twice in one transaction", "gateway, member",
        "entry functions take no tenant, and refuse a transaction block")
def entries_in_blocks(w):
    for login in ("gateway", "member"):
        session = w.connect(login)
        refuses(session, "25001", "BEGIN; SELECT aegis.sign_in('%s', 'x@x.example', 'x', NULL, NULL, NULL)" % THEIRS)
    session = w.connect("gateway")
    refuses(session, "25001", "BEGIN; SELECT aegis.handle('GET', '/api/customers', '{}', NULL, NULL, NULL)")
    for target, header in (("/api/customers", "x-tenant-id"), ("/api/customers", "x-aegis-tenant"), ("/api/customers", "x-forwarded-for"),
                           ("/api/customers?tenant_id=%s" % w.tenant[THEIRS], "x-user-id")):
        status, body = session.run("SELECT status, body FROM aegis.handle('GET', '%s', ARRAY['%s', '%s', 'authorization', 'Bearer %s'], NULL, NULL, NULL)"
                                   % (target, header, w.tenant[THEIRS], w.token["hera"]))[0]
        body = bytes.fromhex(body[2:]).decode()
        holds(status in ("200", "400"), "answered %s" % status)
        holds(CANARY not in body and w.tenant[THEIRS] not in body, body)
        holds(status == "400" or '"own"' in body, body)


@attack("C19", "Give a borrowed identity back in the middle of a context", "superuser's login, by SET SESSION AUTHORIZATION",
        "nothing: log in as the member; taking the identity by SET ROLE gets no context")
def borrowed(w):
    root = w.connect("postgres")
    refuses(root, "AG002", "BEGIN; SET ROLE member; " + w.context("hera"))
    root.run("SET SESSION AUTHORIZATION member; BEGIN; " + w.context("hera"))
    refuses(root, "AG009", "TABLE yard.copy")
    root.run("RESET SESSION AUTHORIZATION")
    holds(CANARY in str(root.run("TABLE yard.copy")), "is stopped by now: say so")


@attack("C20", "Execute a statement of an earlier transaction, where a pooler stands before the login", "member", "`aegis.pooler` of the login", falls=True)
def earlier_statement(w):
    session = w.connect("member")
    session.prepare("one", "SELECT 'of a direct connection'")
    for name in ("hera", "mona"):
        session.run("BEGIN; " + w.context(name))
        equal(session.execute("one").state, "")
        session.run("COMMIT")
    session.run("DEALLOCATE one")
    for login, states in (("pooled", ["26000", "26000"]), ("tracked", ["", "26000"])):
        session = w.connect(login)
        session.prepare("one", "SELECT 1")
        session.prepare("", "SELECT 2")
        equal([session.execute(name).state for name in ("one", "")], states, login)


@attack("C21", "Have an answer, and undo what it left in the ledger: by a row that fails, an error that quotes it, a portal left half-way, a cut connection",
        "gateway", "an event of what was read is charged before the answer leaves")
def undone(w):
    root = w.connect("postgres")
    root.run("""CREATE FUNCTION shop.look(aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
                BEGIN PERFORM aegis.record('shop.told'); RETURN aegis.respond(200, to_jsonb(repeat('seen', 10000))); END $$;
                GRANT EXECUTE ON FUNCTION shop.look(aegis.request) TO aegis_member;
                SELECT aegis.declare_event('shop.looked', 'a request'), aegis.declare_event('shop.told', 'its handler');
                SELECT aegis.register_route('GET', '/api/shop/look', 'shop.look(aegis.request)', event => 'shop.looked')""")
    call = "aegis.handle('GET', '/api/shop/look', ARRAY['authorization', 'Bearer %s'], NULL, NULL, NULL) h" % w.token["hera"]
    lone = "SELECT h.status, h.body FROM " + call

    def left_open(session):
        session.once("look", lone, portal="open", rows=1)
        session.ask("SELECT 1 / 0")

    def hung_up(session):
        session.send(b"P", b"\0" + lone.encode() + b"\0\0\0")
        session.send(b"B", b"open\0\0" + b"\0" * 6)
        session.send(b"E", b"open\0" + b"\0\0\0\1")
        session.send(b"H")
        holds(b"736565" in session.take(10000), "no answer")  # in hexadecimal

    ways = [lambda s: refuses(s, "22012", "SELECT h.body, 1 / (2 - g) FROM generate_series(1, 2) g, " + call),
            lambda s: refuses(s, "22P02", "SELECT encode(h.body, 'escape')::int FROM " + call), left_open, hung_up]
    for number, way in enumerate(ways, 1):
        session = w.connect("gateway")
        way(session)
        session.close()
        for _ in range(200):
            found = root.run("SELECT count(*) FILTER (WHERE event = 'shop.looked'), count(*) FILTER (WHERE event = 'shop.told') FROM aegis.audit_log")
            if found == [[str(number), str(number)]]:
                break
            time.sleep(0.05)
        equal(found, [[str(number), str(number)]], "way %d" % number)
