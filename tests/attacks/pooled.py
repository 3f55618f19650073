# SPDX-License-Identifier: Apache-2.0
"""Through a pooler: two clients take turns on one connection of the server, and what one leaves there the other must not find."""
from catalogue import attack, equal, holds, refuses
from world import CANARY, MINE

# Everything that a session can hold, read past the walls by a function of the extension's owner.
LOOK = """
CREATE SCHEMA IF NOT EXISTS looks;
GRANT USAGE ON SCHEMA looks TO PUBLIC;
CREATE SEQUENCE IF NOT EXISTS looks.counter START 77;
GRANT ALL ON SEQUENCE looks.counter TO PUBLIC;
CREATE OR REPLACE FUNCTION looks.walk() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  found record;
  met bigint := 0;
BEGIN
  FOR found IN SELECT g FROM generate_series(1, 2) g LOOP met := met + found.g; END LOOP;
  RETURN met;
END $$;
CREATE OR REPLACE FUNCTION looks.session() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  last bigint;
BEGIN
  BEGIN last := lastval(); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END;
  RETURN concat_ws(E'\\n',
    (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name <> 'application_name'),
    'own ' || current_setting('app.tenant', true), 'role ' || current_setting('role'), 'user ' || session_user,
    'cursors ' || (SELECT string_agg(name, ',') FROM pg_cursors WHERE name <> ''),
    'prepared ' || (SELECT string_agg(statement, ',') FROM pg_prepared_statements),
    'locks ' || (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'),
    'listens ' || (SELECT string_agg(c, ',') FROM pg_listening_channels() c),
    'temporary ' || (SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = pg_my_temp_schema()), 'last ' || last);
END $$;
"""


def prepare(w):
    root = w.connect("postgres")
    root.run(LOOK + "CREATE EXTENSION IF NOT EXISTS pg_trgm; ALTER FUNCTION looks.session() OWNER TO aegis_owner; GRANT USAGE, SELECT ON SEQUENCE looks.counter TO aegis_owner")
    if root.run("SELECT FROM pg_database WHERE datname = 'bare'") == []:
        root.run("CREATE DATABASE bare")
    bare = w.connect("postgres", database="bare")
    bare.run(LOOK + "CREATE EXTENSION IF NOT EXISTS pg_trgm; GRANT USAGE ON SCHEMA looks TO plain")


class Pair:
    """Two clients of one connection to the server."""

    def __init__(self, w, login, database):
        self.first, self.second = w.pooled(login, database), w.pooled(login, database)
        pids = {client.value("SELECT pg_backend_pid()") for client in (self.first, self.second)}
        holds(len(pids) == 1, "the clients have a connection each: %s" % pids)
        self.first.run("DISCARD ALL")

    def left(self, *statements):
        """What the second finds that was not there before the first did this."""
        before = set(self.second.value("SELECT looks.session()").replace("\n", " \n").split(" "))
        whole = self.second.value("SELECT looks.session()")
        for sql in statements:
            self.first.ask(sql)
        if self.first.ready != b"I":
            self.first.ask("ROLLBACK")
        after = self.second.value("SELECT looks.session()")
        self.first.run("DISCARD ALL")
        return "" if after == whole else " ".join(sorted(set(after.replace("\n", " \n").split(" ")) - before)) or "less than before"


def crosses(w, *statements, state="AG010"):
    """Refused to a member, and nothing is left; without the walls a plain login leaves it, in a database without Aegis."""
    plain = Pair(w, "plain", "bare")
    holds(plain.left(*statements), "%s leaves nothing where it may: the test is blind" % statements[-1])
    member = Pair(w, "pooled", "postgres")
    equal(member.left("BEGIN; " + w.context("hera"), *statements, "COMMIT"), "", statements[-1])
    equal(member.left(*statements), "", statements[-1])
    if state:
        refuses(member.first, state, statements[-1])


@attack("P1", "Find the context of the client before", "member", "the context ends with its transaction")
def context(w):
    pair = Pair(w, "pooled", "postgres")
    for end in ("COMMIT", "ROLLBACK"):
        pair.first.run("BEGIN; %s; SELECT count(*) FROM shop.customer; %s" % (w.context("mona"), end))
        equal(pair.second.run("SELECT aegis.tenant_id(), aegis.user_id(), aegis.rank()"), [[None, None, None]])
        equal(pair.second.ask("SELECT * FROM shop.customer").state, "AG001")
        equal(pair.second.ask("BEGIN; %s; SELECT DISTINCT note FROM shop.customer" % w.context("hera")).rows[-1], ["own"])
        pair.second.run("COMMIT")


@attack("P2", "Leave a setting", "member", "the guard of statements: session settings only of harmless parameters that poolers restore", falls=True)
def settings(w):
    for sql in ("SET search_path = pg_temp, public", "SET work_mem = '64kB'", "SET statement_timeout = 99999", "SET row_security = off",
                "SET app.tenant = 'x'",
                "SET enable_seqscan = off", "SET default_transaction_read_only = on",
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                "SET extra_float_digits = -15", "SET bytea_output = escape", "SET IntervalStyle = sql_standard", "SET lock_timeout = 99999",
                "SET plan_cache_mode = force_generic_plan", "SET check_function_bodies = off", "SET xmloption = document",
                "SET synchronous_commit = off"):
        crosses(w, sql)


@attack("P3", "Leave a setting by a function", "member", "the guard of functions", falls=True)
def settings_by_function(w):
    for name in ("search_path", "work_mem", "app.tenant", "statement_timeout"):
        crosses(w, "SELECT set_config('%s', '99', false)" % name)
    w.connect("postgres", database="bare").run(
        "CREATE OR REPLACE FUNCTION looks.leave() RETURNS void LANGUAGE plpgsql AS $$BEGIN SET work_mem = '77kB'; END$$")
    w.connect("postgres").run("CREATE OR REPLACE FUNCTION looks.leave() RETURNS void LANGUAGE plpgsql AS $$BEGIN SET work_mem = '77kB'; END$$")
    crosses(w, "SELECT looks.leave()")
    crosses(w, "SELECT set_limit(0.9)")


@attack("P4", "Leave a cursor open", "member", "the guard of statements", falls=True)
def held_cursor(w):
    crosses(w, "BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT")
    pair = Pair(w, "pooled", "postgres")
    pair.first.ask("BEGIN; %s; DECLARE c CURSOR FOR TABLE shop.customer; FETCH c; COMMIT" % w.context("mona"))
    equal(pair.second.ask("BEGIN; %s; FETCH c" % w.context("hera")).state, "34000")
    pair.second.run("ROLLBACK")
    pair.first.ask("BEGIN; " + w.context("mona"))
    equal(pair.first.once("", "TABLE shop.customer", portal="c", rows=1).tags, [])
    pair.first.run("COMMIT")
    pair.second.run("BEGIN; " + w.context("hera"))
    equal(pair.second.more("c").state, "34000")
    pair.second.run("ROLLBACK")


@attack("P5", "Leave a temporary table", "member", "the guard of statements", falls=True)
def temporary(w):
    for sql in ("CREATE TEMP TABLE customer AS SELECT 1", "SELECT 1 AS a INTO TEMP customer", "CREATE TEMP VIEW customer AS SELECT 1",
                "CREATE TEMP SEQUENCE customer",
                "CREATE TABLE pg_temp.customer (id int)"):
        crosses(w, sql)


@attack("P6", "Leave a prepared statement of SQL", "member", "the guard of statements", falls=True)
def prepared(w):
    crosses(w, "PREPARE nextq AS SELECT 'attacker'")
    pair = Pair(w, "pooled", "postgres")
    equal(pair.second.ask("EXECUTE nextq").state, "AG010")
    equal(pair.second.ask("DEALLOCATE nextq").state, "AG010")


@attack("P7", "Leave a lock", "member", "the guard of functions", falls=True)
def advisory(w):
    for sql in ("SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(1, 2)", "SELECT pg_advisory_lock_shared(3)"):
        crosses(w, sql)


@attack("P8", "Leave an ear on a channel", "member", "the guard of statements", falls=True)
def listening(w):
    crosses(w, "LISTEN x")
    pair = Pair(w, "pooled", "postgres")
    pair.first.ask("LISTEN x")
    w.connect("postgres").run("NOTIFY x, '%s'" % CANARY)
    equal(pair.second.ask("SELECT 1").notifications + pair.first.ask("SELECT 1").notifications, [])


@attack("P9", "Leave a role", "member", "the guard of statements", falls=False)
def role(w):
    pair = Pair(w, "pooled", "postgres")
    for sql in ("SET ROLE aegis_member", "SET SESSION AUTHORIZATION member", "SET LOCAL ROLE aegis_member"):
        equal(pair.left(sql), "")
        refuses(pair.first, "AG010", sql)


@attack("P10", "Leave the last number of a sequence", "member", "in tenant sessions it is forgotten with the transaction")
def last_number(w):
    crosses(w, "SELECT nextval('looks.counter')", state=None)
    pair = Pair(w, "pooled", "postgres")
    pair.first.run("BEGIN")
    equal(pair.first.run("SELECT nextval('looks.counter') = currval('looks.counter')"), [["t"]])
    equal(pair.first.run("SELECT lastval() = currval('looks.counter')"), [["t"]])
    pair.first.run("COMMIT")
    for sql in ("SELECT lastval()", "SELECT currval('looks.counter')"):
        equal(pair.second.ask(sql).state, "55000", sql)


@attack("P11", "Make the random numbers of the next client one's own", "member", "the guard of functions", falls=True)
def seed(w):
    for login, database, wanted in (("plain", "bare", True), ("pooled", "postgres", False)):
        pair = Pair(w, login, database)
        drawn = []
        for _ in range(2):
            pair.first.ask("SELECT setseed(0.5)")
            drawn.append(pair.second.value("SELECT random()"))
        equal(drawn[0] == drawn[1], wanted, login)


@attack("P12", "Find what the client before asked: plans, notices, statements that failed", "member",
        "plans hold no context; PostgreSQL ends the rest with the transaction")
def leftovers(w):
    pair = Pair(w, "pooled", "postgres")
    for _ in range(8):
        for client, name, count in ((pair.first, "mona", "10"), (pair.second, "hera", "20")):
            client.run("BEGIN; " + w.context(name))
            equal(client.value("SELECT shop.planned_count()"), count)
            equal(client.value("SELECT aegis.tenant_id()"), w.tenant[MINE if name == "hera" else "meadow"])
            client.run("COMMIT")
        pair.first.ask("BEGIN; %s; SELECT note::int FROM shop.customer" % w.context("mona"))
        pair.first.ask("ROLLBACK")
    pair.first.ask("BEGIN; %s; SELECT shop.leak(note) FROM shop.customer" % w.context("mona"))
    pair.first.close()
    holds(CANARY.encode() not in pair.second.ask("SELECT 1").raw, "the notices of another")


@attack("P13", "Leave a named statement of the protocol", "member",
        "`aegis.pooler` of the login: it ends with its transaction; or a pooler that resets the connection each time (`server_reset_query_always`)",
        falls=True)
def protocol_statement(w):
    for login, database, port, left in (("plain", "bare", w.POOLER, True), ("plain", "bare", w.RESETTING, False), ("pooled", "postgres", w.POOLER, False)):
        about = "%s, port %d" % (login, port)
        first, second = (w.pooled(login, database, port) for _ in range(2))
        first.prepare("S_1", "SELECT 'attacker'")
        equal(second.execute("S_1").rows == [["attacker"]], left, about)
        first.run("BEGIN")
        first.prepare("S_2", "")
        first.run("COMMIT")
        equal(second.execute("S_2").state, "" if left else "26000", "one that does nothing, " + about)
        equal(second.prepare("S_2", "SELECT 'own'").state, "42P05" if left else "", "the name taken, " + about)
        first.run("DISCARD ALL")
    # What a client does within its transaction goes on.
    for name in ("mona", "hera"):
        first.run("BEGIN; " + w.context(name))
        first.prepare("own", "SELECT count(*) FROM shop.customer WHERE id > $1")
        holds(all(first.execute("own", "0").rows[0][0] != "0" for _ in range(8)), name)
        first.run("COMMIT" if name == "mona" else "ROLLBACK")
        equal(second.execute("own", "0").state, "26000")


@attack("P14", "Name a tenant, a role or a wall in the pooler's first packet", "member",
        "its check refuses the context; walls are read from the configuration file only")
def first_packet(w):
    for given in ("aegis.context", "aegis.default_deny"):
        # The pooler drops what it does not know, or refuses the client.
        try:
            client = w.pooled("pooled", "postgres", **{given: "off"})
        except ConnectionError:
            continue
        except Exception as refused:  # noqa: BLE001
            holds("08P01" in str(refused), str(refused))
            continue
        equal(client.value("SELECT aegis.tenant_id()"), None)
        equal(client.value("SHOW aegis.default_deny"), "on")


@attack("P15", "Run the unnamed statement of the client before, with what it wrote", "member",
        "`aegis.pooler` of the login: an unnamed statement runs only in the transaction that prepared it", falls=True)
def unnamed(w):
    for login, database, left in (("plain", "bare", True), ("pooled", "postgres", False), ("tracked", "postgres", False)):
        pair = Pair(w, login, database)
        pair.first.prepare("", "SELECT 'written by the first'")
        equal(pair.second.execute("").rows, [["written by the first"]] if left else [], login)
        equal(pair.first.once("", "SELECT 'written in a transaction that fails', 1 / 0").state, "22012")
        holds(pair.second.execute("").state != "", login)
        # What is sent as text drops it, so the second begins its transaction without.
        pair.first.prepare("", "SHOW server_version")
        pair.second.once("begin", "BEGIN")
        equal(pair.second.execute("").state, "" if left else "26000", login)
        pair.second.once("end", "ROLLBACK")
        pair.first.prepare("", "SELECT 'written by the first'")
        pair.second.once("begin again", "BEGIN")
        pair.second.prepare("other", "SELECT 1")
        equal(pair.second.execute("").state, "" if left else "26000", login)
        pair.second.once("end again", "ROLLBACK")
        pair.first.run("DISCARD ALL")
        # One's own goes on, with functions that have queries of their own, and after a part was undone.
        pair.first.run("BEGIN")
        equal(pair.first.once("", "SELECT looks.walk()").rows, [["3"]])
        pair.first.prepare("", "SELECT looks.walk()")
        equal([pair.first.execute("").rows for _ in range(2)], [[["3"]]] * 2)
        pair.first.run("COMMIT")
        equal(pair.second.run("SELECT looks.walk()"), [["3"]])
        pair.second.once("begin", "BEGIN")
        equal(pair.second.once("walk", "SELECT looks.walk()").rows, [["3"]])
        pair.second.once("end", "COMMIT")
