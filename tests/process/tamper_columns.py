# SPDX-License-Identifier: Apache-2.0
"""Changes every column of every table of the ledger, as the catalog knows them, and every row, and asks who finds it.

    tamper_columns.py check FOLDER VERIFY DATABASE [long]
    tamper_columns.py table                prints the second table of docs/tamper-detection.md

Each edit is made past the guard in a transaction of its own, judged there by aegis.verify_ledger() and by aegis-verify with the
head that was kept, and undone. A column that nobody watches must stand in UNSEEN, with the reason; whatever stands there and is
found must be taken out. `long` changes rows at both ends as well, and every byte of one row.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "oracle")]

EVERY = "*"  # every column, and every row
# (table, column): who does not find a change of it, v for aegis.verify_ledger, b for aegis-verify with a kept head; and why.
UNSEEN = {
    ("event_type", EVERY): ("vb", "the catalogue says what may be recorded; each declaration is an entry of the ledger"),
    ("ledger_epoch", EVERY): ("vb", "who began an epoch is an entry of the ledger"),
    ("entry", "xid"): ("b", "repeats the body, which is what the export carries"),
    ("entry", "epoch"): ("b", "repeats the body"),
    ("entry", "ordinal"): ("b", "repeats the body"),
    ("entry", "tenant_id"): ("b", "repeats the body"),
    ("entry", "repeated"): ("b", "the export passes over a second entry with the same number"),
    ("seal", EVERY): ("b", "repeats the body, which is what the export carries"),
    ("seal_leaves", "last_seq"): ("b", "is for looking up"),
    ("seal_leaves", "leaves"): ("b", "is computed again from the bodies"),
    ("tenant_log", EVERY): ("b", "the heads follow from the seals"),
    ("tree_node", EVERY): ("b", "the nodes follow from the entries"),
    ("checkpoint", EVERY): ("b", "the export carries none: an auditor keeps them"),
    ("checkpoint", "signed_at"): ("vb", "when the server stored it, for people; a signature has no time"),
}

# How a value of a type is changed; {c} is the column.
CHANGES = {
    "bytea": ["set_byte({c}, length({c}) / 2, get_byte({c}, length({c}) / 2) # 1)", "{c} || '\\x00'", "substr({c}, 1, length({c}) - 1)", "''"],
    "bigint": ["{c} + 1", "{c} - 1", "-{c}"], "integer": ["{c} + 1", "-{c}"], "smallint": ["({c} + 8)::smallint"],
    "text": ["{c} || 'x'", "''"], "boolean": ["NOT {c}"], "jsonb": ["{c} || '{{\"x\": 1}}'"],
    "uuid": ["gen_random_uuid()"], "xid8": ["(({c}::text)::numeric + 1)::text::xid8"], "pg_lsn": ["{c} + 1"], "pg_snapshot": ["'1:1:'"],
    "timestamp with time zone": ["{c} + interval '1 us'", "{c} - interval '1 day'"], "bigint[]": ["{c} || {c}[1]", "{c}[2:]", "'{{}}'"]}


def tables_of(session):
    """Table -> (columns with types, key columns), of everything that the ledger's trigger guards; partitions count as one."""
    found = {}
    for table, column, kind in session.run(
            "SELECT c.relname, quote_ident(a.attname), format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND c.oid IN (SELECT tgrelid FROM pg_trigger"
            " WHERE tgfoid = 'aegis.refuse_ledger_change'::regproc) ORDER BY c.relname, a.attnum"):
        found.setdefault(table, []).append((column, kind))
    return found


def edits(session, every):
    """(table, column or None, name, statements)."""
    made = []
    for table, columns in tables_of(session).items():
        count = int(session.value(f"SELECT count(*) FROM aegis.{table}"))
        if count == 0:
            continue
        places = {"middle": count // 2, **({"first": 0, "last": count - 1} if every else {})}
        free = "".join(f"ALTER TABLE aegis.{table} DROP CONSTRAINT {name} CASCADE;" for (name,) in session.run(
            f"SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = 'aegis.{table}'::regclass AND contype IN ('p', 'u', 'c')"))
        free += "".join(f"ALTER TABLE aegis.{table} ALTER {name} DROP NOT NULL;" for (name,) in session.run(
            f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'aegis.{table}'::regclass AND attnum > 0 AND attnotnull"))
        order = {"entry": "seq", "tree_node": "level, log, index", "event_type": "name"}.get(table, columns[0][0])

        def row(offset, order=order, table=table):
            return f"(tableoid, ctid) = (SELECT tableoid, ctid FROM aegis.{table} ORDER BY {order} OFFSET {offset} LIMIT 1)"

        for column, kind in columns:
            for place, offset in places.items():
                for change in CHANGES[kind][:None if every else 1]:
                    made.append((table, column, f"{place}: {change}", free + f"UPDATE aegis.{table} SET {column} = {change.format(c=column)} WHERE {row(offset)}"))
                made.append((table, column, f"{place}: emptied", free + f"UPDATE aegis.{table} SET {column} = NULL WHERE {row(offset)}"))
            if count > 1:
                other = f"(SELECT {column} FROM aegis.{table} x WHERE x.{column}::text IS DISTINCT FROM t.{column}::text ORDER BY x.ctid LIMIT 1)"
                made.append((table, column, "that of another row", free + f"UPDATE aegis.{table} t SET {column} = {other} WHERE {row(count // 2)}"))
            if every and kind == "bytea":
                size = int(session.value(f"SELECT max(length({column})) FROM aegis.{table} WHERE {row(count // 2)}") or 0)
                made += [(table, column, f"byte {at}", f"UPDATE aegis.{table} SET {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 128) WHERE {row(count // 2)}")
                         for at in range(0, size, max(1, size // 256))]
        for place, offset in places.items():
            made.append((table, None, f"{place} row deleted", f"DELETE FROM aegis.{table} WHERE {row(offset)}"))
            made.append((table, None, f"{place} row repeated", free + f"INSERT INTO aegis.{table} SELECT * FROM aegis.{table} WHERE {row(offset)}"))
        made.append((table, None, "all rows deleted", f"TRUNCATE aegis.{table}"))
    return made


# Nothing was changed: of one tenant's rows two have the same value, or the column is empty there.
SAME = "same"
# Nothing is gained by these, and nobody finds them: docs/tamper-detection.md says why.
NOTHING_LOST = {("checkpoint", None, "last row deleted"), ("checkpoint", None, "all rows deleted")}


def unseen_by(table, column, name):
    kind = column or (name.split()[-1] if (table, name.split()[-1]) in UNSEEN else EVERY)
    return UNSEEN.get((table, kind), UNSEEN.get((table, EVERY), ("", "")))[0]


def check(folder, verify, database, every):
    from libpq import Refused, Session
    place = folder
    with open(os.path.join(folder, "kept.note"), encoding="utf-8") as file:
        kept = file.read()
    if not kept:
        sys.exit("no checkpoint was kept")

    def judge(session, table, column, name, sql):
        session.run("BEGIN")
        try:
            before = session.value(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM aegis.{table} t")
            for statement in sql.split(";"):
                session.execute("SELECT pg_temp.tamper($1)", statement)
            if before == session.value(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM aegis.{table} t"):
                return SAME, ""
            said = session.run("SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome = 'finding' LIMIT 3")
            session.run("SAVEPOINT export")
            try:
                bundle = "".join("\t".join(line) + "\n" for line in session.run("COPY (SELECT aegis.export_ledger()) TO STDOUT"))
                done = subprocess.run([verify, "bundle", "-", "--head", os.path.join(folder, "kept.head")], input=bundle, capture_output=True, text=True)
                offline = "" if done.returncode == 0 else done.stdout
            except Refused as refused:
                offline = str(refused)
            found = ("v" if said else "") + ("b" if offline else "")
            return found, f"{said} {offline[:200]}"
        except Refused as refused:
            return "error", f"{refused} after {sql}"
        finally:
            session.run("ROLLBACK")

    session = Session(place, "postgres", database)
    session.run("CREATE FUNCTION pg_temp.tamper(text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT")
    session.run("SET client_min_messages = error")
    answers = []
    for edit in edits(session, every):
        try:
            answers.append((edit, *judge(session, *edit)))
        except Refused as refused:
            sys.exit(f"not ok {edit}\n  {refused}")
    failed = False
    columns = {}
    for (table, column, name, _), found, what in answers:
        if found == SAME:
            continue
        missing = set("vb") - set(found)
        allowed = set("vb") if (table, column, name) in NOTHING_LOST else set(unseen_by(table, column, name))
        columns.setdefault((table, column or name.split()[-1]), []).append(missing)
        if found == "error" or missing - allowed:
            failed = True
            print(f"not ok {table}.{column or EVERY}: {name}\n  wanted: all but {sorted(allowed)}\n  got: {found}\n  {what}", flush=True)
    for (table, column), (blind, _) in UNSEEN.items():
        of_table = [m for (t, c), missing in columns.items() if t == table and column in (c, EVERY) for m in missing]
        idle = [letter for letter in blind if not any(letter in missing for missing in of_table)]
        if idle:
            failed = True
            print(f"not ok {table}.{column} stands in the list of what is not seen, but {idle} sees it")
    tried = [found for _, found, _ in answers if found != SAME]
    print(f"{'not ok' if failed or len(tried) < 60 else 'ok'} {len(tried)} edits of {len(columns)} columns and tables are found or documented")
    return failed


def table():
    print("| table | column, or what happens to a row | not found by | why |\n|---|---|---|---|")
    for (name, column), (blind, why) in UNSEEN.items():
        by = {"v": "`verify_ledger()`", "b": "`aegis-verify --head`"}
        print(f"| `{name}` | {'all' if column == EVERY else column if column == 'repeated' else f'`{column}`'} | {', '.join(by[letter] for letter in blind)} | {why} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        table()
    elif sys.argv[1:2] == ["check"] and len(sys.argv) in (5, 6):
        sys.exit(check(sys.argv[2], sys.argv[3], sys.argv[4], len(sys.argv) == 6))
    else:
        sys.exit(__doc__)
