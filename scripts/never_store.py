#!/usr/bin/env python3
"""Writes the tables of docs/what-we-never-store.md from what the regression test never_store prints of the schema.

scripts/never_store.py          rewrites the part between the markers
scripts/never_store.py check    says whether it is as it would be written"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "what-we-never-store.md"
SCHEMA = ROOT / "expected" / "never_store.out"
BEGIN, END = "<!-- schema: begin -->\n", "<!-- schema: end -->\n"


def rows(what):
    for line in SCHEMA.read_text().splitlines():
        cells = line.split(" | ")
        if cells[0] == what and len(cells) > 1:
            yield cells[1:]


def table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def generated():
    (columns,), = rows("columns")
    if columns != "0":
        raise SystemExit(f"{SCHEMA.name} lists {columns} columns that are named after card data")
    kept = list(rows("kept"))
    open_ = [f"{where}.{name}" for where, name, _, guard in kept if guard == "NOTHING"]
    if not kept or open_:
        raise SystemExit(f"nothing keeps card data out of {', '.join(open_) or 'the columns, for there are none'}")
    yield f"Columns of `aegis` and `aegis_app` whose names mean any of this: **{columns}**."
    yield ""
    columns = {}
    for where, name, kind, guard in kept:
        columns.setdefault((where, guard), []).append(f"`{name}` {kind}")
    yield from table(("of `aegis_app`", "columns", "what keeps card data out"), ((f"`{w}`", ", ".join(c), g) for (w, g), c in columns.items()))
    yield ""
    yield from table(("provider", "of messages", "field", "[form](payload.md)"),
                     ((p, "all" if e == "%" else f"`{e}`", f"`{f}`", g) for p, e, f, g in rows("field")))


def main():
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + "\n".join(generated()) + "\n" + END + after
    if sys.argv[1:] == ["check"]:
        if page != wanted:
            print(f"{PAGE.relative_to(ROOT)} is not what the schema says: run scripts/never_store.py")
            sys.exit(1)
    else:
        PAGE.write_text(wanted)


main()
