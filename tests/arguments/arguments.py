#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls every function and procedure of aegis and aegis_app with hostile arguments, as each login that may execute it.

    arguments.py SOCKET LOG some|all [SEED]      fills a throw-away database first; prints ok and not ok lines"""
import ctypes
import os
import re
import sys
import time
from dataclasses import dataclass, field
from random import Random

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "smith"))
import canaries  # noqa: E402
from libpq import Refused, Session, pq  # noqa: E402
import values  # noqa: E402

SEED = 1504
TIMEOUT = 0.3       # of a statement, in seconds
LATE = 6.0          # a call that is not cancelled by then looks at no interrupts, on a machine that does other things beside
# Bytes of a backend at the end of a run. A function that kept an argument, one in
# twenty of which has a megabyte, would need more. Its memory contexts hold caches and compiled functions, each once: so
# many for a session, and for each function.
HEAP, CONTEXTS, EACH = 128 << 20, 8 << 20, 48 << 10
TIMES = {"some": 1, "all": 30}    # calls of a function by each login, beside one with nothing but NULL
CRASH = re.compile(r"PANIC|TRAP|FATAL|server process .* (was terminated|exited)|terminating any other|stack smashing|AddressSanitizer"
                   r"|leak: |was not closed|leaked|still referenced|buffer refcount")
INTERNAL = re.compile(r"cache lookup failed|could not open relation|unrecognized node|invalid memory alloc")
# PostgreSQL's, of bad values, missing rights, missing objects, states and limits, and of a NULL that may be of several types (42725).
# Not 42601, the syntax error: the arguments are values, so it would be of a statement that a function made of one.
PLAIN = re.compile(r"0A000|2[2-8B-F]...|3[4BDF]...|39P01|40...|42501|426[02]2|4270[1-4]|42710|42725|428[0-9].|428C9|42939|42P[01].|53400|54...|55...|57014|P000[12]")
PARAMETERS = """
SELECT n.nspname, p.proname, p.prokind, p.proretset, p.oid::regprocedure,
       p.proargnames && ARRAY['tenant_from', 'created_by_from', 'team_from'],
       coalesce((SELECT string_agg(t::regtype::text, '|' ORDER BY o) FROM unnest(CASE p.prokind WHEN 'p' THEN coalesce(p.proallargtypes, p.proargtypes)
                  ELSE p.proargtypes END::oid[]) WITH ORDINALITY a(t, o)), ''), p.provariadic <> 0
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname IN ('aegis', 'aegis_app') AND has_function_privilege('%s', p.oid, 'EXECUTE') ORDER BY 1, 5::text
"""
COMPOSITE = """
SELECT t.oid::regtype, string_agg(a.atttypid::regtype::text, '|' ORDER BY a.attnum)
  FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE t.typnamespace IN ('aegis'::regnamespace, 'aegis_app'::regnamespace) AND t.typtype = 'c' GROUP BY 1
"""
CONTROLS = """
CREATE FUNCTION aegis_app.broken(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE internal_error USING MESSAGE = 'cache lookup failed for relation 0'; END $$;
CREATE FUNCTION aegis_app.telling(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING DETAIL = '{word}'; END $$;
CREATE FUNCTION aegis_app.building(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT ''' || $1 || '''' INTO $1; RETURN $1; END $$;
CREATE FUNCTION aegis_app.growing() RETURNS void LANGUAGE plpgsql AS $$
  BEGIN EXECUTE format('PREPARE "%s" AS SELECT length(%L)', clock_timestamp(), repeat('x', 2097152)); END $$;
CREATE FUNCTION aegis_app.ending(int) RETURNS bool LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())';
"""


@dataclass
class Run:
    name: str
    login: str
    begin: str = ""
    allowed: tuple = ()     # canaries that this login may see
    again: object = None    # of the socket: another way in when a call that was kept ended the session or suspended the tenant
    commit: bool = False    # what succeeds stays, so that what is done at the end of a transaction is done


@dataclass
class Watch:
    outcomes: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)       # (kind, text)
    functions: int = 0
    answered: set = field(default_factory=set)      # functions that answered at least once
    calls: int = 0
    slowest: float = 0
    memory: list = field(default_factory=list)
    contexts: int = 0


class Caller(Session):
    """A session whose errors are whole: detail, hint, context and the file that raised it."""

    def __init__(self, socket, login):
        super().__init__(socket, login)
        pq.PQsetErrorVerbosity(self.connection, 2)
        self.pid = pq.PQbackendPID(self.connection)

    def ask(self, sql):
        """(SQLSTATE or None, everything the server said)"""
        self.notices.clear()
        result = ctypes.c_void_p(pq.PQexec(self.connection, sql.encode()))
        try:
            if pq.PQstatus(self.connection) != 0:
                raise EOFError(pq.PQerrorMessage(self.connection).decode(errors="replace"))
            state = pq.PQresultErrorField(result, ord("C"))
            if state is None and pq.PQresultStatus(result) == 3:
                raise EOFError("a function began COPY")
            said = [pq.PQresultErrorMessage(result), *(n.encode() for n in self.notices)]
            if state is None:
                said += [pq.PQgetvalue(result, r, c) for r in range(min(pq.PQntuples(result), 500)) for c in range(pq.PQnfields(result))]
            return state and state.decode(), b"\n".join(said)
        finally:
            pq.PQclear(result)

    def size(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+) kB", file.read()).group(1)) * 1024


def statements(random, times, function, known, dropped, composite):
    schema, name, kind, rows, _, _, types, variadic = function
    types = types.split("|") if types else []
    for turn in range(times + 1 if types else 2):
        given = ["NULL::" + t if t not in ("internal", "trigger", "event_trigger") else "NULL" for t in types] if turn == times else [
            values.pick(random, t, known, dropped, composite) for t in types]
        if variadic == "t":
            given[-1] = "VARIADIC " + given[-1]
        call = "%s.%s(%s)" % (schema, name, ", ".join(given))
        if kind == "p":
            yield "CALL " + call
        elif rows == "t" and random.random() < 0.4:
            yield "SELECT * FROM %s AS f%s" % (call, random.choice(["", " LIMIT 1"]))
        else:
            yield "SELECT %s%s" % (call, " LIMIT 1" if rows == "t" and random.random() < 0.5 else "")


def judge(watch, run, needles, pattern, documented, sql, state, said, seconds):
    asked = sql.lower().encode()    # an error may name what the caller named
    for mark in set(pattern.findall(said.lower())):
        if needles[mark] != "an own value" and needles[mark] not in run.allowed and mark not in asked:
            watch.wrong.append(("canary", "%s in: %s" % (needles[mark], said[:400])))
    if state and (state.startswith("XX") or INTERNAL.search(said.decode(errors="replace").split("\n")[0][:200])):
        watch.wrong.append(("internal", said[:600].decode(errors="replace")))
    elif state and state not in documented and not PLAIN.fullmatch(state) and not state.endswith("expression"):
        watch.wrong.append(("state", said[:600].decode(errors="replace")))
    if seconds > TIMEOUT + LATE:
        watch.wrong.append(("late", "%.1f s" % seconds))


def entered(caller, begin):
    """A transaction with its context. A machine may stand still for as long as a statement may take: then once more."""
    for _ in range(3):
        caller.ask("ROLLBACK")
        state, said = caller.ask("BEGIN")
        if begin and not state:
            state, said = caller.ask(begin)
        if state != "57014":
            break
    return state, said


def call_all(socket, run, functions, seed, setting):
    watch, random = Watch(functions=len(functions)), Random("%d %s" % (seed, run.name))
    caller, begin = reconnected(socket, run.login), run.begin
    for function in functions:
        for sql in statements(random, setting["times"], function, *setting["values"]):
            known = len(watch.wrong)
            try:
                procedure = function[2] == "p"
                if not procedure:
                    state, said = entered(caller, begin)
                    if state and run.again:
                        begin = run.again(socket)
                        state, said = entered(caller, begin)
                    if state:
                        watch.wrong.append(("context", said.decode(errors="replace")))
                begun = time.monotonic()
                state, said = caller.ask(sql)
                if state == "42601" and function[5] == "t":
                    state = "42601 of an expression"    # which its caller gave, and which is run with the caller's rights
                judge(watch, run, *setting["judge"], sql, state, said, time.monotonic() - begun)
                watch.slowest = max(watch.slowest, time.monotonic() - begun)
                if not procedure:
                    ended, said = caller.ask("COMMIT" if run.commit else "ROLLBACK")
                    if run.commit:
                        judge(watch, run, *setting["judge"], sql, ended, said, 0)
                    if state == "25001":    # it wants to be the first of a transaction
                        state, said = caller.ask(sql)
                        judge(watch, run, *setting["judge"], sql, state, said, 0)
            except EOFError as lost:
                watch.wrong.append(("lost", str(lost)))
                caller.close()
                caller = reconnected(socket, run.login)
                state = "lost"
            watch.wrong[known:] = [(kind, "%s\n    by: %s" % (" ".join(str(text).split()), sql[:600])) for kind, text in watch.wrong[known:]]
            watch.calls += 1
            outcome = state or "answered"
            watch.outcomes[outcome] = watch.outcomes.get(outcome, 0) + 1
            if not state:
                watch.answered.add(function[4])
            if watch.calls % 25 == 0:
                watch.memory.append(caller.size())
    watch.memory.append(caller.size())
    watch.contexts = setting["contexts"](caller)
    caller.close()
    return watch


def contexts(root, log, caller):
    """Bytes in the memory contexts of a session's backend, which it writes to the log when it is asked to."""
    begun = os.path.getsize(log)
    root.run("SELECT pg_log_backend_memory_contexts(%d)" % caller.pid)
    for _ in range(100):
        caller.ask("SELECT 1")
        if total := re.search(r"Grand total: (\d+) bytes", since(log, begun)):
            return int(total.group(1))
        time.sleep(0.05)
    raise SystemExit("a backend does not say what memory it has")


def sign_in(socket, slug, email):
    """Whatever the calls that were kept asked of the user or of the whole tenant, is asked no more."""
    with Session(socket, "postgres") as root, Session(socket, "member") as member:
        root.run("DELETE FROM aegis.second_factor_policy")
        root.run("UPDATE aegis.user SET password_due = NULL, not_before = NULL, locked_until = NULL, failed_count = 0")
        token, said = member.run("SELECT token, s::text FROM aegis.sign_in('%s', '%s', '%s', NULL, NULL, NULL) s"
                                 % (slug, email, canaries.PASSWORD))[0]
    if token is None:
        raise SystemExit("no way in again: %s" % said)
    return "SELECT aegis.authenticate('%s')" % token


def reconnected(socket, login):
    for _ in range(100):
        try:
            caller = Caller(socket, login)
            caller.ask("SET statement_timeout = '%dms'" % (TIMEOUT * 1000))
            return caller
        except Refused:
            time.sleep(0.1)
    raise SystemExit("the server does not come back")


def grown(watch, functions):
    return watch.memory[-1] > HEAP or watch.contexts > CONTEXTS + EACH * functions


def runs(tokens, tenant):
    def enter(name):
        return "SELECT aegis.authenticate('%s')" % tokens["smith-one", name]
    assume = "SELECT aegis.assume_tenant('%s', 'arguments', 'T-1', read_only => false)" % tenant

    def reactivated(socket):
        with Session(socket, "operator") as operator:
            operator.run("SELECT aegis.reactivate_tenant('%s', 'arguments')" % tenant)
        return assume
    shown = ("a colleague's value", "another tenant's name")
    tenants = (*shown, "another tenant's number")    # operators list tenants
    return [
        Run("a user", "member", enter("user")),
        Run("an admin", "member", enter("admin"), shown[:1]),
        Run("a member without a context", "member"),
        Run("the gateway", "gateway"),
        Run("an operator", "operator", "", tenants),
        Run("an operator in a tenant", "operator", assume, tenants),
        Run("an auditor", "auditor", "", tenants),
        Run("an agent", "agent"),
        Run("an owner of tables", "shopkeeper"),
        Run("anybody", "anybody"),
        Run("an owner of tables, kept", "shopkeeper", commit=True),
        Run("an admin, kept", "member", enter("admin"), shown[:1],
            lambda socket: sign_in(socket, "smith-one", "admin@smith-one.example"), commit=True),
        Run("an operator in a tenant, kept", "operator", assume, tenants, reactivated, commit=True),
    ]


def report(name, wrong, notes):
    print("%sok arguments/%s%s" % ("not " if wrong else "", name, "".join("\n  " + line[:1500] for line in wrong[:12])))
    print("  " + notes, flush=True)
    return bool(wrong)


def since(log, begun):
    with open(log, "rb") as file:
        file.seek(begun)
        return file.read().decode(errors="replace")


def controls(socket, log, root, setting, seed):
    """Deliberate faults of every kind are seen."""
    root.run(CONTROLS.format(word=canaries.OTHER * 3))
    found = {}
    for name in ("broken", "telling", "building", "growing", "ending"):
        functions = [f for f in root.run(PARAMETERS % "anybody") if f[1] == name]
        begun = os.path.getsize(log)
        watch = call_all(socket, Run("control", "anybody"), functions * (30 if name in ("growing", "building") else 1), seed, setting)
        found[name] = {kind for kind, _ in watch.wrong} | ({"grew"} if grown(watch, len(functions)) else set())
        found[name] |= {"log"} if CRASH.search(since(log, begun)) else set()
    wanted = {"broken": "internal", "telling": "canary", "building": "state", "growing": "grew", "ending": "lost"}
    wrong = ["%s is not seen in %s: %s" % (kind, name, found[name]) for name, kind in wanted.items() if kind not in found[name]]
    if "log" not in found["ending"]:
        wrong.append("the end of a backend is not seen in the log")
    if root.value("SELECT is_called FROM shop.injected") != "t":
        wrong.append("a statement made of an argument did not run what the argument held")
    return report("controls: what is broken on purpose is seen", wrong, str(found))


def main(socket, log, which, seed):
    tokens = canaries.fill(socket)
    with Session(socket, "postgres") as root:
        root.run(values.SETUP)
        root.run("RESET ROLE")
        dropped = root.value("SELECT 'shop.dropped'::regclass::oid")
        root.run("DROP TABLE shop.dropped")
        tenant = root.value("SELECT id FROM aegis.tenant WHERE slug = 'smith-one'")
        known = {
            "uuid": [r[0] for r in root.run("SELECT id FROM aegis.tenant UNION ALL SELECT id FROM aegis.user UNION ALL SELECT id FROM aegis.team"
                                            " UNION ALL (SELECT id FROM aegis_app.customer LIMIT 6) UNION ALL (SELECT id FROM aegis_app.invoice LIMIT 6)")],
            # No colleague's: who holds an envelope of the own tenant may open it (docs/field.md), whoever wrote it.
            "text": [*tokens.values(), canaries.PASSWORD], "envelopes": [r[0] for r in root.run(
                "SELECT aegis.armor(secret) FROM shop.document WHERE id < 20 OR tenant_id <> '%s'" % tenant)]}
        composite = {r[0]: r[1].split("|") for r in root.run(COMPOSITE)}
        needles = {n.lower(): kind for kind, group in canaries.needles(socket).items() for n in group}
        pattern = re.compile(b"|".join(re.escape(n) for n in sorted(needles, key=len, reverse=True)))
        with open(os.path.join(HERE, "..", "..", "docs", "errors.md"), encoding="utf-8") as page:
            documented = set(re.findall(r"^\| (AG\d{3}) \|", page.read(), re.M))
        setting = {"values": (known, dropped, composite), "judge": (needles, pattern, documented), "times": TIMES[which],
                   "contexts": lambda caller: contexts(root, log, caller)}
        print("arguments: seed %d" % seed, flush=True)
        failed = False
        for run in runs(tokens, tenant):
            functions = root.run(PARAMETERS % run.login)
            begun, at = os.path.getsize(log), time.monotonic()
            watch = call_all(socket, run, functions, seed, setting)
            wrong = ["%s: %s" % pair for pair in watch.wrong] + ["log: " + line for line in since(log, begun).splitlines() if CRASH.search(line)][:5]
            if grown(watch, len(functions)):
                wrong.append("its memory grew: %s" % [size >> 20 for size in watch.memory])
            if len(watch.answered) * 10 < watch.functions or len(watch.outcomes) < 4:
                wrong.append("only %d functions answered, and with %d errors" % (len(watch.answered), len(watch.outcomes) - 1))
            outcomes = ", ".join("%s %d" % pair for pair in sorted(watch.outcomes.items(), key=lambda p: -p[1]))
            failed |= report("%s (%d functions, %d calls, %.1f s)" % (run.name, watch.functions, watch.calls, time.monotonic() - at), wrong,
                             "%d functions answered; %s; slowest %.1f s; heap %s MB, contexts %d MB" % (
                                 len(watch.answered), outcomes, watch.slowest, [size >> 20 for size in watch.memory[::max(1, len(watch.memory) // 6)]],
                                 watch.contexts >> 20))
        injected = ["an argument was run"] if root.value("SELECT is_called FROM shop.injected") == "t" else []
        failed |= report("no argument was run as a statement", injected, "%d fragments" % len(values.FRAGMENTS))
        failed |= controls(socket, log, root, setting, seed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else SEED))
