# SPDX-License-Identifier: Apache-2.0
"""Changes every column of every table of the ledger, as the catalog knows them, and every row, and asks who finds it.

    tamper_columns.py check FOLDER VERIFY DATABASE [long]
    tamper_columns.py table                prints the second table of docs/tamper-detection.md

Each edit is made past the guard in a transaction of its own, judged there by aegis.verify_ledger() and by aegis-verify with the
head that was kept, and undone. A column that nobody watches must stand in UNSEEN, with the reason; whatever stands there and is
found must be taken out. `long` changes rows at both ends as well, every byte of one row, columns that nobody watches one by one, and takes out, doubles and
swaps bytes. An empty table, and a column that was never changed, are failures.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "oracle")]

WORKERS = 2  # each with a copy of the database
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
    ("seal_leaves", "root filled"): ("vb", "the last row of a log in a seal has a root; that no other has one is not verified"),
    ("tenant_log", EVERY): ("b", "the heads follow from the seals"),
    ("tree_node", EVERY): ("b", "the nodes follow from the entries"),
    ("checkpoint", EVERY): ("b", "the export carries none: an auditor keeps them"),
    ("checkpoint", "signed_at"): ("vb", "when the server stored it, for people; a signature has no time"),
    ("cosignature", EVERY): ("b", "the export carries none: an auditor keeps them"),
    ("cosignature", "cosigned_at"): ("vb", "for people; the line has the time, and is verified"),
    ("cosignature", "received_at"): ("vb", "when the server stored it, for people"),
    ("cosignature", "deleted"): ("vb", "not every checkpoint is cosigned: no gap is left; the witness still has its newest"),
    ("anchor_receipt", EVERY): ("b", "the export carries none: they are compared with what the anchor holds"),
    ("cosignature", "repeated"): ("vb", "says the same twice"),
    ("anchor_receipt", "repeated"): ("vb", "says the same twice"),
    ("anchor_receipt", "anchor"): ("vb", "a name: digest and time stamp are verified under any"),
    ("anchor_receipt", "kind"): ("vb", "of another kind the digest alone is verified; the registration of the anchor, an entry of the ledger, has its kind"),
    ("anchor_receipt", "receipt filled"): ("vb", "of an anchor that gives no time stamp the digest alone is verified"),
    ("anchor_receipt", "receipt byte changed"): ("vb", "of a time stamp only the bytes that name the signature's algorithm, which OpenSSL takes from the certificate"),
    ("anchor_receipt", "stamped_at"): ("vb", "compared with the time stamp by the second"),
    ("anchor_receipt", "place"): ("vb", "where it was left, for people"),
    ("anchor_receipt", "anchored_at"): ("vb", "when the server stored it, for people; a time stamp has a time of its own, which is verified"),
    ("anchor_receipt", "deleted"): ("vb", "not every checkpoint is anchored: no gap is left; the anchor still has it"),
    ("ledger_cut", EVERY): ("b", "the export tells of a cut by the entry that records it"),
    ("ledger_cut", "repeated"): ("vb", "says the same twice"),
    ("ledger_cut", "cut_at"): ("vb", "for people; the entry that records the cut has the time"),
    ("witness", EVERY): ("vb", "beside the ledger: whom the server asks; each registration is an entry of it, and cosignatures name their key"),
    ("anchor", EVERY): ("vb", "beside the ledger: whom the server asks; each registration is an entry of it"),
    ("ledger_export", EVERY): ("vb", "beside the ledger; each export is an entry of it"),
    ("ledger_hold", EVERY): ("vb", "beside the ledger; a hold and its end are entries of it"),
    ("ledger_retention", EVERY): ("vb", "beside the ledger; each rule is an entry of it"),
    ("tenant_request", EVERY): ("vb", "beside the ledger; who asked and who agreed are entries of it"),
}

# How a value of a type is changed; {c} is the column.
CHANGES = {
    "bytea": ["set_byte({c}, length({c}) / 2, get_byte({c}, length({c}) / 2) # 1)", "{c} || '\\x00'", "substr({c}, 1, length({c}) - 1)", "''"],
    "bigint": ["{c} + 1", "{c} - 1", "-{c}"], "integer": ["{c} + 1", "-{c}"], "smallint": ["({c} + 8)::smallint"],
    "text": ["{c} || 'x'", "''"], "boolean": ["NOT {c}"], "jsonb": ["{c} || '{{\"x\": 1}}'"],
    "uuid": ["gen_random_uuid()"], "xid8": ["(({c}::text)::numeric + 1)::text::xid8"], "pg_lsn": ["{c} + 1"], "pg_snapshot": ["'1:1:'"],
    "interval": ["{c} + interval '1 day'"],
    "timestamp with time zone": ["{c} + interval '1 us'", "{c} - interval '1 day'"], "bigint[]": ["{c} || {c}[1]", "{c}[2:]", "'{{}}'"]}

# What is put where there is nothing.
FILLED = {"bytea": "'\\x78'", "bigint": "7", "integer": "7", "text": "'x'", "uuid": "gen_random_uuid()", "jsonb": "'{{}}'",
          "timestamp with time zone": "'2026-01-01'"}
# What is done to single bytes, or characters, from the place {at} on.
PIECES = {
    "bytea": {"changed": "set_byte({c}, {at}, get_byte({c}, {at}) # 128)",
              "deleted": "substr({c}, 1, {at}) || substr({c}, {at} + 2)",
              "duplicated": "substr({c}, 1, {at} + 1) || substr({c}, {at} + 1)",
              "swapped with the next": "substr({c}, 1, {at}) || substr({c}, {at} + 2, 1) || substr({c}, {at} + 1, 1) || substr({c}, {at} + 3)"},
    "text": {"changed": "overlay({c} PLACING CASE substr({c}, {at} + 1, 1) WHEN 'x' THEN 'y' ELSE 'x' END FROM {at} + 1 FOR 1)",
             "deleted": "substr({c}, 1, {at}) || substr({c}, {at} + 2)",
             "duplicated": "substr({c}, 1, {at} + 1) || substr({c}, {at} + 1)",
             "swapped with the next": "substr({c}, 1, {at}) || substr({c}, {at} + 2, 1) || substr({c}, {at} + 1, 1) || substr({c}, {at} + 3)"}}


def tables_of(session):
    """Table -> columns with types, of everything that the ledger's trigger guards, without numbers of rows; partitions count as one."""
    found = {}
    for table, column, kind in session.run(
            "SELECT c.relname, quote_ident(a.attname), format_type(a.atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND NOT c.relispartition AND c.oid IN (SELECT tgrelid FROM pg_trigger"
            " WHERE tgfoid = 'aegis.refuse_ledger_change'::regproc) ORDER BY c.relname, a.attnum"):
        found.setdefault(table, []).append((column, kind))
    return found


def edits(session, every):
    """(table, column or None, name, statements)."""
    made = []
    for table, columns in tables_of(session).items():
        # What is not sealed yet is documented; a copy of which no process takes care has some, written at its start.
        sealed = " WHERE seq <= (SELECT max(last_seq) FROM aegis.seal_leaves)" if table == "entry" else ""
        count = int(session.value(f"SELECT count(*) FROM aegis.{table}{sealed}"))
        if count == 0:
            sys.exit(f"not ok table aegis.{table} is empty: nothing of it was tampered with")
        places = {"middle": count // 2, **({"first": 0, "last": count - 1} if every else {})}
        free = "".join(f"ALTER TABLE aegis.{table} DROP CONSTRAINT {name} CASCADE;" for (name,) in session.run(
            f"SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = 'aegis.{table}'::regclass AND contype IN ('p', 'u', 'c')"))
        free += "".join(f"ALTER TABLE aegis.{table} ALTER {name} SET GENERATED BY DEFAULT;" for (name,) in session.run(
            f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'aegis.{table}'::regclass AND attidentity <> ''"))
        free += "".join(f"ALTER TABLE aegis.{table} ALTER {name} DROP NOT NULL;" for (name,) in session.run(
            f"SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'aegis.{table}'::regclass AND attnum > 0 AND attnotnull AND attidentity = ''"))
        order = {"entry": "seq", "tree_node": "level, log, index", "event_type": "name"}.get(table, columns[0][0])

        def row(offset, condition="true", order=order, table=table, sealed=sealed):
            where = f"{sealed} AND {condition}" if sealed else f" WHERE {condition}"
            return f"(tableoid, ctid) = (SELECT tableoid, ctid FROM aegis.{table}{where} ORDER BY {order} OFFSET {offset} LIMIT 1)"

        def change(column, name, value, where, table=table, free=free):
            made.append((table, column, name, f"{free}UPDATE aegis.{table} SET {column} = {value.format(c=column)} WHERE {where}"))

        for at, (column, kind) in enumerate(columns):
            if not every and is_unwatched(table) and at != len(columns) // 2:
                continue
            filled = int(session.value(f"SELECT count({column}) FROM aegis.{table}{sealed}"))
            middle = row(filled // 2, f"{column} IS NOT NULL")
            if filled:
                for value in CHANGES[kind][:None if every else 1]:
                    change(column, f"middle: {value}", value, middle)
                    for place, offset in {"first": 0, "last": filled - 1}.items() if every else ():
                        change(column, f"{place}: {value}", value, row(offset, f"{column} IS NOT NULL"))
            if every and filled:
                change(column, "emptied", "NULL", middle)
            if filled < count and (every or not filled):
                change(column, "filled", FILLED[kind], row(0, f"{column} IS NULL"))
            if count > 1:
                other = f"(SELECT {column} FROM aegis.{table} x WHERE x.{column}::text IS DISTINCT FROM t.{column}::text ORDER BY x.ctid LIMIT 1)"
                made.append((table, column, "that of another row", free + f"UPDATE aegis.{table} t SET {column} = {other} WHERE {row(filled // 2, f'{column} IS NOT NULL') if filled else row(count // 2)}"))
            if every and kind in PIECES and filled and set(unseen_by(table, column, "")) != set("vb"):
                size = int(session.value(f"SELECT length({column}) FROM aegis.{table} WHERE {middle}"))
                for what, value in PIECES[kind].items():
                    most = 8 if what != "changed" else 256 if kind == "bytea" else 32
                    for place in range(0, size, max(1, size // most)):
                        change(column, f"byte {place} {what}", value.replace("{at}", str(place)), middle)
        for place, offset in places.items():
            made.append((table, None, f"{place} row deleted", f"DELETE FROM aegis.{table} WHERE {row(offset)}"))
            made.append((table, None, f"{place} row repeated", free + f"INSERT INTO aegis.{table} SELECT * FROM aegis.{table} WHERE {row(offset)}"))
        made.append((table, None, "all rows deleted", f"TRUNCATE aegis.{table}"))
    return made


# Nothing was changed: of one tenant's rows two have the same value, or the column is empty there.
SAME = "same"
# Nothing is gained by these, and nobody finds them: docs/tamper-detection.md says why.
NOTHING_LOST = {("checkpoint", None, "last row deleted")}


def is_unwatched(table):
    """Nobody finds any change of it."""
    return set(UNSEEN.get((table, EVERY), ("",))[0]) == set("vb")


def kind_of(table, column, name):
    """What of a table an edit is about, as UNSEEN names it."""
    if column:
        what = f"{column} {re.sub(r'^byte [0-9]+ ', 'byte ', name)}"
        return what if (table, what) in UNSEEN else column
    return name.split()[-1]


def unseen_by(table, column, name):
    return UNSEEN.get((table, kind_of(table, column, name)), UNSEEN.get((table, EVERY), ("", "")))[0]


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

    with Session(place, "postgres", database) as session:
        made = edits(session, every)
        tables = tables_of(session)
    databases = [database] + [f"{database}_{number}" for number in range(1, WORKERS)]
    with Session(place, "postgres") as session:
        for copy in databases[1:]:
            session.run(f"CREATE DATABASE {copy} TEMPLATE {database}")

    def judge_all(at):
        with Session(place, "postgres", databases[at]) as session:
            session.run("CREATE FUNCTION pg_temp.tamper(text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT")
            session.run("SET client_min_messages = error")
            answers = []
            for edit in made[at::WORKERS]:
                try:
                    answers.append((edit, *judge(session, *edit)))
                except Refused as refused:  # it is gone
                    sys.exit(f"not ok {edit}\n  {refused}")
            return answers

    with ThreadPoolExecutor(WORKERS) as pool:
        answers = [answer for share in pool.map(judge_all, range(WORKERS)) for answer in share]
    failed = False
    columns = {}
    for (table, column, name, _), found, what in answers:
        if found == SAME:
            continue
        missing = set("vb") - set(found)
        allowed = set("vb") if (table, column, name) in NOTHING_LOST else set(unseen_by(table, column, name))
        columns.setdefault((table, kind_of(table, column, name)), []).append(missing)
        if found == "error" or missing - allowed:
            failed = True
            print(f"not ok {table}.{column or EVERY}: {name}\n  wanted: all but {sorted(allowed)}\n  got: {found}\n  {what}", flush=True)
    for (table, column), (blind, _) in UNSEEN.items():
        of_table = [m for (t, c), missing in columns.items() if t == table and column in (c, EVERY) for m in missing]
        idle = [letter for letter in blind if not any(letter in missing for missing in of_table)] if every or " " not in column else []  # `long` alone makes single edits
        if idle:
            failed = True
            print(f"not ok {table}.{column} stands in the list of what is not seen, but {idle} sees it")
    changed = {(table, column) for (table, column, *_), found, _ in answers if found != SAME}
    for table, names in tables.items():
        for column, _ in names:
            if (table, column) not in changed and (every or not is_unwatched(table)):
                failed = True
                print(f"not ok {table}.{column} was never changed")
    tried = [found for _, found, _ in answers if found != SAME]
    print(f"{'not ok' if failed or len(tried) < 60 else 'ok'} {len(tried)} edits of {len(columns)} columns and tables are found or documented")
    return failed


def table():
    print("| table | column, or what happens to a row | not found by | why |\n|---|---|---|---|")
    for (name, column), (blind, why) in UNSEEN.items():
        by = {"v": "`verify_ledger()`", "b": "`aegis-verify --head`"}
        print(f"| `{name}` | {'all' if column == EVERY else column if column in ('repeated', 'deleted') else f'`{column.split()[0]}`' + column[len(column.split()[0]):]} | {', '.join(by[letter] for letter in blind)} | {why} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        table()
    elif sys.argv[1:2] == ["check"] and len(sys.argv) in (5, 6):
        sys.exit(check(sys.argv[2], sys.argv[3], sys.argv[4], len(sys.argv) == 6))
    else:
        sys.exit(__doc__)
