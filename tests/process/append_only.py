# SPDX-License-Identifier: Apache-2.0
"""Tries every command of append_only_commands.py on every object of the ledger that the catalog knows.

    append_only.py SOCKET HEADERS [every]     HEADERS: the folder with the server's header files, which name all commands;
                                              every: as everybody, and on every column and function

As a superuser, as one that fires no triggers and may change catalogs, as the owner of the ledger, and as logins that were
granted everything. A line "ok NAME" or "not ok NAME" for each command and, under the latter, what should not be.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "oracle")]

import append_only_commands as data  # noqa: E402
from libpq import Refused, Session  # noqa: E402

APPEND_ONLY = "AG006"
# Everything that is stored in the ledger, and everything in the catalogs that protects it; not where and how it is stored.
TABLES = "SELECT tgrelid AS relation FROM pg_trigger WHERE tgfoid = 'aegis.refuse_ledger_change'::regproc"
RELATIONS = f"""SELECT relation FROM ({TABLES}) t UNION SELECT indexrelid FROM pg_index WHERE indrelid IN ({TABLES})
  UNION SELECT reltoastrelid FROM pg_class WHERE oid IN ({TABLES}) AND reltoastrelid <> 0
  UNION SELECT oid FROM pg_class WHERE relnamespace = 'aegis'::regnamespace AND relkind IN ('S', 'v')"""
FUNCTIONS = r"""SELECT p.oid FROM pg_proc p WHERE pronamespace = 'aegis'::regnamespace AND (
    proname ~ '(ledger|checkpoint|proof|receipt|entry|entries|log_root|wait_sealed|begin_epoch)' OR proname IN ('record', 'audit_row', 'audit_truncate')
    OR EXISTS (SELECT FROM pg_class c WHERE c.oid IN ({tables}) AND c.relname NOT LIKE 'entry\_%' AND c.relname <> 'event_type' AND p.prosrc ~ ('(FROM|JOIN) aegis[.]' || c.relname || '\M')))
  """.replace("{tables}", TABLES)
PROTECTION = {
    "pg_class": ("oid", "'relpages', 'reltuples', 'relallvisible', 'relfilenode', 'relfrozenxid', 'relminmxid', 'relacl'"),
    "pg_attribute": ("attrelid", "'attacl'"), "pg_attrdef": ("adrelid", "''"), "pg_constraint": ("conrelid", "''"),
    "pg_index": ("indrelid", "'indcheckxmin'"), "pg_inherits": ("inhparent", "''"), "pg_policy": ("polrelid", "''"),
    "pg_rewrite": ("ev_class", "''"), "pg_sequence": ("seqrelid", "''"), "pg_trigger": ("tgrelid", "''"),
    "pg_statistic_ext": ("stxrelid", "''"), "pg_partitioned_table": ("partrelid", "''")}


class Ledger:
    def __init__(self, session):
        self.session = session
        rows = session.run(
            f"SELECT c.oid, c.oid::regclass, c.relname, c.relkind, coalesce(i.inhparent::regclass::text, '') FROM pg_class c"
            f" LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relkind = 'r' WHERE c.oid IN ({RELATIONS}) ORDER BY 2")
        tables = [row for row in rows if row[3] in "rp"]
        self.objects = {
            "table": [{"t": t, "n": n} for _, t, n, _, _ in tables],
            "part": [{"t": t, "n": n, "p": p} for _, t, n, _, p in tables if p],
            "column": [{"t": t, "c": column, "ty": kind} for _, t, _, _, _ in tables for column, kind in session.run(
                "SELECT quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
                f" AND attrelid = '{t}'::regclass ORDER BY attnum")],
            "index": [{"t": t, "i": t, "n": n} for _, t, n, kind, _ in rows if kind in "iI"],
            "sequence": [{"t": t} for _, t, _, kind, _ in rows if kind == "S" and t.endswith("entry_seq")],
            "view": [{"t": t} for (t,) in session.run(
                "SELECT DISTINCT r.ev_class::regclass FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass"
                f" JOIN pg_class c ON c.oid = r.ev_class WHERE d.refobjid IN ({TABLES}) AND c.relkind = 'v' AND c.relnamespace = 'aegis'::regnamespace")],
            "toast": [{"t": t} for _, t, _, kind, _ in rows if kind == "t"],
            "toast index": [{"t": t} for (t,) in session.run(
                "SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN (SELECT reltoastrelid FROM pg_class"
                f" WHERE reltoastrelid <> 0 AND oid IN ({TABLES}))")],
            "trigger": [{"t": t, "o": o} for t, o in session.run(
                f"SELECT tgrelid::regclass, quote_ident(tgname) FROM pg_trigger WHERE tgrelid IN ({TABLES})")],
            "constraint": [{"t": t, "o": o} for t, o in session.run(
                f"SELECT conrelid::regclass, quote_ident(conname) FROM pg_constraint WHERE conrelid IN ({TABLES})")],
            "function": [{"f": f"aegis.{n}({a})", "n": n, "a": a} for n, a in session.run(
                f"SELECT quote_ident(proname), pg_get_function_identity_arguments(oid) FROM pg_proc WHERE oid IN ({FUNCTIONS}) ORDER BY oid")],
            "catalog": [{"t": t, "c": column} for t, column in session.run(
                "SELECT c.oid::regclass, (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum = 1) FROM pg_class c"
                " WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' ORDER BY 1")],
            "once": [{}]}
        self.objects["rule"] = [{"t": view["t"], "o": '"_RETURN"'} for view in self.objects["view"]]
        relations = ", ".join(row[0] for row in rows)
        parts = [f"SELECT '{catalog}' || string_agg((to_jsonb(x) - ARRAY[{without}])::text, '' ORDER BY x::text) FROM {catalog} x WHERE {column} IN ({relations})"
                 for catalog, (column, without) in PROTECTION.items()]
        # What a command adds of its own, because it is recorded, is no change of what was there.
        last = int(session.value("SELECT max(seq) FROM aegis.entry"))
        numbered = {names["t"] for names in self.objects["column"] if names["c"] == "seq"}
        self.row_queries = [f"SELECT '{t}' || count(*) || coalesce(md5(string_agg(x::text, '' ORDER BY x::text)), '') FROM {t} x"
                            + (f" WHERE seq <= {last}" if t in numbered else "") for _, t, _, _, _ in tables]
        parts += self.row_queries
        parts += [f"SELECT '{s['t']}' || (last_value >= {last}) FROM {s['t']}" for s in self.objects["sequence"]]
        functions = ", ".join(oid for (oid,) in session.run(FUNCTIONS))
        parts += [f"SELECT string_agg((to_jsonb(p) - 'proacl')::text, '' ORDER BY oid) FROM pg_proc p WHERE oid IN ({functions})",
                  "SELECT (to_jsonb(n) - 'nspacl')::text FROM pg_namespace n WHERE nspname = 'aegis'",
                  "SELECT string_agg(d::text, '' ORDER BY d::text) FROM pg_depend d WHERE refclassid = 'pg_extension'::regclass"
                  " AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'aegis')"]
        self.state_query = " UNION ALL ".join(f"({part})" for part in parts)

    def state(self):
        return sorted(row[0] or "" for row in self.session.run(self.state_query))

    def rows(self):
        return sorted(row[0] for row in self.session.run(" UNION ALL ".join(f"({part})" for part in self.row_queries)))

    def changed(self, session, before):
        """What another session sees changed, in its transaction."""
        try:
            session.run("RESET SESSION AUTHORIZATION")
            return differences(before, sorted(row[0] or "" for row in session.run(self.state_query)))
        except Refused as refused:  # it cannot even be read any more
            return [str(refused)]


def differences(before, after):
    return [line[:60] for line in set(before) ^ set(after)]


def attempt(session, sql):
    """What refuses it, or None; the transaction stays open."""
    try:
        session.run(sql)
    except Refused as refused:
        return refused
    return None


class Actor:
    def __init__(self, name, session, before, strict):
        self.name, self.session, self.before, self.strict = name, session, before, strict


def is_sampled(command, names, at, objects):
    """Where there is little time: of each table another column for each command, some functions, one of the later partitions."""
    if command.on == "column":
        alike = [other for other in objects if other["t"] == names["t"]]
        return alike.index(names) == len(command.sql) % len(alike)
    return not (command.on == "function" and (at + len(command.sql)) % 6) and not names.get("t", "").endswith(("_p2", "_p3"))


def tried(ledger, actors, command, every, open_catalogs=()):
    """What is wrong, as lines."""
    wrong = []
    refused_once = False
    seen = set()
    objects = ledger.objects[command.on]
    if not every:
        objects = [names for at, names in enumerate(objects) if is_sampled(command, names, at, objects)]
    for names in objects:
        sql = command.sql.format(**names)
        # Who may do little is the same for all columns of a table.
        first = names.get("t") not in seen if every else not seen
        seen.add(names.get("t"))
        for actor in actors if first else actors[:2] if every else actors[1:2]:
            refused = attempt(actor.session, f"BEGIN; {actor.before}; {sql}")
            state = refused.state if refused else None
            if state is None:
                if command.allowed is None and names.get("t") not in open_catalogs:
                    wrong.append(f"{actor.name}: {sql}: done")
                if command.on != "catalog" and actor.strict:
                    changed = ledger.changed(actor.session, actor.ledger_state)
                    if changed:
                        wrong.append(f"{actor.name}: {sql}: changes {changed}")
            elif state == APPEND_ONLY:
                refused_once = True
                if command.allowed:
                    wrong.append(f"{actor.name}: {sql}: {refused}")
            elif actor.strict and state not in command.also and not (command.allowed and state == "42809"):
                wrong.append(f"{actor.name}: {sql}: {refused}")
            actor.session.run("ROLLBACK")
    if not ledger.objects[command.on]:
        wrong.append(f"there is no {command.on}")
    if command.allowed is None and not command.also and not refused_once:
        wrong.append("nobody was refused")
    return wrong


def report(name, wrong):
    print(f"not ok {name}\n  " + "\n  ".join(wrong[:12]) if wrong else f"ok {name}", flush=True)
    return bool(wrong)


def compare(headers):
    """The commands of the server that are in no list of ours."""
    with open(os.path.join(headers, "tcop/cmdtaglist.h"), encoding="utf-8") as file:
        tags = set(re.findall(r'PG_CMDTAG\(\w+, "([A-Z ]+)"', file.read()))
    with open(os.path.join(headers, "nodes/parsenodes.h"), encoding="utf-8") as file:
        kinds = set(re.findall(r"^\tAT_(\w+)", file.read(), re.M))
    known = {command.tag for command in data.COMMANDS + data.ALONE} | data.ELSEWHERE
    return ([f"command {tag}" for tag in tags ^ known] + [f"both {tag}" for tag in {command.tag for command in data.COMMANDS + data.ALONE} & data.ELSEWHERE]
            + [f"ALTER TABLE {kind}" for kind in kinds ^ (set(data.ALTER_TABLE) | set(data.NOT_WRITTEN))])


def compare_functions(place):
    """Functions that are given a relation and may do more than look, of the server and of every extension that came with it."""
    with Session(place, "postgres", "contrib") as session:
        there = {name for (name,) in session.run(
            "SELECT proname FROM pg_proc WHERE provolatile = 'v' AND 'regclass'::regtype = proargtypes[0] AND prolang IN"
            " (SELECT oid FROM pg_language WHERE lanname IN ('c', 'internal'))")}
    tried = {name for command in data.FUNCTIONS for name in re.findall(r"(?:try\.)?(\w+)\('\{t\}'", command.sql)} - {"surgery"}
    return [f"function {name}" for name in there ^ (tried | data.READING)] + [f"both {name}" for name in tried & data.READING]


def guarded_by_both(ledger):
    """Tables that the hooks know and tables that have the triggers must be the same."""
    wrong = []
    for (table,) in ledger.session.run(
            "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'aegis'::regnamespace AND relkind IN ('r', 'p')"):
        ledger.session.run("BEGIN")
        refused = attempt(ledger.session, f"DELETE FROM {table}")
        ledger.session.run("ROLLBACK")
        by_hook = refused is not None and refused.state == APPEND_ONLY
        if by_hook != (table in [names["t"] for names in ledger.objects["table"]] + data.HOOKS_ONLY):
            wrong.append(f"{table}: refused by the hook: {by_hook}")
    modes = ledger.session.run(
        "SELECT t.tgrelid::regclass, string_agg(t.tgenabled || t.tgtype, ' ' ORDER BY t.tgtype) FROM pg_trigger t"
        " WHERE t.tgfoid = 'aegis.refuse_ledger_change'::regproc GROUP BY 1 HAVING string_agg(t.tgenabled || t.tgtype, ' ' ORDER BY t.tgtype) <> 'A31 A34'")
    return wrong + [f"triggers of {table}: {mode}" for table, mode in modes]


def main(place, headers, every):
    admin = Session(place, "postgres")
    failed = report("every command and every form of ALTER TABLE of the server is thought of", compare(headers))
    failed |= report("every function of the server and its extensions that is given a relation is thought of", compare_functions(place))
    ledger = Ledger(admin)
    failed |= report("what the hooks guard has the triggers, always on, and the other way round", guarded_by_both(ledger))
    catalogs = "SET LOCAL allow_system_table_mods = on; SET LOCAL session_replication_role = replica"
    actors = [Actor("superuser", Session(place, "postgres"), "SET LOCAL lock_timeout = '20s'", True),
              Actor("superuser, replica", Session(place, "postgres"), catalogs, True),
              Actor("owner", Session(place, "postgres"), "SET LOCAL ROLE aegis_owner", False)]
    actors += [Actor(login, Session(place, login), "SET LOCAL lock_timeout = '20s'", False) for login in ("auditor", "granted")]
    before = ledger.state()
    for actor in actors:
        actor.ledger_state = before
    for command in data.COMMANDS:
        failed |= report(command.sql, tried(ledger, actors, command, every))
    for command in data.CATALOG:
        failed |= report(command.sql, tried(ledger, actors[:2], command, every, data.OPEN_CATALOGS))
    failed |= report("nothing has changed", differences(before, ledger.state()))
    before = ledger.rows()
    for command in data.ALONE:
        wrong = []
        for names in ledger.objects[command.on]:
            owner = admin.value(f"SELECT indrelid::regclass FROM pg_index WHERE indexrelid = '{names['t']}'::regclass") if command.on == "index" else names["t"]
            refused = attempt(admin, command.sql.format(**{**names, "t": owner}))
            if refused and refused.state not in command.also:
                wrong.append(str(refused))
        failed |= report(command.sql, wrong)
    failed |= report("the rows are the same", differences(before, ledger.rows()))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["every"]))
