#!/usr/bin/env python3
"""Writes the table of docs/control.md from extension/sql/control.sql, where controls are data, and judges them.

scripts/controls.py          rewrites the part between the markers
scripts/controls.py check    says whether it is as it would be written, whether every test and place that a control names exists,
                             and whether a control is to be compared with its tests again"""
import calendar
import datetime
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "extension/sql/control.sql"
PAGE = ROOT / "docs" / "control.md"
BEGIN, END = "<!-- controls: begin -->\n", "<!-- controls: end -->\n"
COLUMNS = "id status owner statement implementation tests evidence soc2 iso27001 pci stated_on".split()
LISTS = {"implementation", "tests", "soc2", "iso27001", "pci"}


def rows():
    text = DATA.read_text()
    text = text[text.index("INSERT INTO aegis.control "):]
    for line in text[:text.index(";\n")].splitlines()[1:]:
        values = [value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", line)]
        if len(values) != len(COLUMNS):
            sys.exit(f"extension/sql/control.sql: {line[:20].strip()}… is no control on a line of its own")
        row = dict(zip(COLUMNS, values))
        yield {**row, **{name: [part for part in row[name].strip("{}").split(",") if part] for name in LISTS}}


def due(stated, months):
    year, month = divmod(stated.month - 1 + months, 12)
    year, month = stated.year + year, month + 1
    return datetime.date(year, month, min(stated.day, calendar.monthrange(year, month)[1]))


def faults(controls, today):
    sql = "\n".join(path.read_text() for path in sorted((ROOT / "extension").glob("*/*.sql")))
    scheduled = (ROOT / "tests/regress.schedule").read_text().split()
    months = int(re.search(r"months +smallint NOT NULL DEFAULT (\d+)", DATA.read_text()).group(1))
    for row in controls:
        name = f"control {row['id']}"
        for place in row["implementation"]:
            if place.startswith("aegis."):
                if not re.search(rf"CREATE (FUNCTION|PROCEDURE|TABLE|VIEW) {re.escape(place)}\b", sql):
                    yield f"{name}: {place} does not exist"
            elif not (ROOT / place).is_file():
                yield f"{name}: {place} does not exist"
        for test in row["tests"]:
            if not test.startswith(("sql/", "tests/")) or not (ROOT / test).is_file():
                yield f"{name}: {test} is no test"
            elif test.startswith("sql/") and pathlib.PurePath(test).stem not in scheduled:
                yield f"{name}: {test} is not run"
        if (row["status"] == "planned") != row["statement"].startswith("Will "):
            yield f"{name}: what is planned begins with \"Will\", and nothing else does"
        if row["status"] != "planned" and not (row["implementation"] and row["tests"]):
            yield f"{name}: it names no place or no test"
        last = due(datetime.date.fromisoformat(row["stated_on"]), months)
        if last < today:
            yield f"{name}: was to be compared with its tests by {last}"


def table(controls):
    lines = ["| control | says | shown by | SOC 2; ISO 27001; PCI DSS |", "|---|---|---|---|"]
    for row in controls:
        note = "" if row["status"] == "implemented" else f" (**{row['status']}**)"
        tests = ", ".join(f"`{test}`" for test in row["tests"])
        clauses = "; ".join(", ".join(row[name]) or "–" for name in ("soc2", "iso27001", "pci"))
        lines.append(f"| {row['id']}{note} | {row['statement']} | {tests} | {clauses} |")
    return "\n".join(lines) + "\n"


def main():
    controls = list(rows())
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + table(controls) + END + after
    if sys.argv[1:] == ["check"]:
        found = list(faults(controls, datetime.date.today()))
        if text != wanted:
            found.append("docs/control.md does not list the controls of extension/sql/control.sql\nhint: scripts/controls.py")
        if found:
            sys.exit("\n".join(found))
    else:
        PAGE.write_text(wanted)


main()
