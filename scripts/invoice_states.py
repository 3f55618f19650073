#!/usr/bin/env python3
"""Writes the table of steps of docs/invoice.md from extension/app/invoice_state.sql, where it is data.

scripts/invoice_states.py          rewrites the part between the markers
scripts/invoice_states.py check    says whether it is as it would be written"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "invoice.md"
BEGIN, END = "<!-- steps: begin -->\n", "<!-- steps: end -->\n"
RANKS = {"1": "user", "2": "team lead", "3": "manager", "4": "admin", "NULL": "a payment"}
VALUE = r"(NULL|'[^']*'|\d+)(?:::text)?"


def table():
    text = (ROOT / "extension/app/invoice_state.sql").read_text()
    body = text[text.index("FROM (VALUES"):text.index(") AS transition")]
    rows = [[value.strip("'") for value in row] for row in re.findall(r"\(" + ", ".join([VALUE] * 5) + r"\)", body)]
    if len(rows) != body.count("\n"):
        sys.exit("extension/app/invoice_state.sql: a step is not on a line of its own")
    lines = ["| from | command | only when | to | asked for by |", "|---|---|---|---|---|"]
    for source, command, guard, target, rank in rows:
        lines.append(f"| {source} | {command} | {'' if guard == 'NULL' else guard} | {'removed' if target == 'NULL' else target} | {RANKS[rank]} |")
    return "\n".join(lines) + "\n"


def main():
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + table() + END + after
    if sys.argv[1:] == ["check"]:
        if text != wanted:
            print("docs/invoice.md does not list the steps of extension/app/invoice_state.sql")
            print("hint: scripts/invoice_states.py")
            sys.exit(1)
    else:
        PAGE.write_text(wanted)


main()
