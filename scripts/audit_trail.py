#!/usr/bin/env python3
"""Writes the list of events of docs/AUDIT_TRAIL.md from the catalogues of both extensions.

scripts/audit_trail.py          rewrites the part between the markers
scripts/audit_trail.py check    says whether it is as it would be written"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "AUDIT_TRAIL.md"
BEGIN, END = "<!-- events: begin -->\n", "<!-- events: end -->\n"


def details(fields):
    return ", ".join(f"`{key}` ({kind})" for key, kind in json.loads(fields).items())


def by_aegis():
    text = (ROOT / "extension/sql/catalogue.sql").read_text()
    for name, said, fields in re.findall(r"^  \('([a-z_.]+)', *'((?:[^']|'')*)',\s*'(\{.*?\})'\)", text, re.M):
        yield name, said.replace("''", "'"), "Aegis", details(fields)


def by_applications():
    for path in sorted((ROOT / "extension").glob("*/*.sql")):
        text = re.sub(r"--.*", "", path.read_text())
        for name, said, fields, withheld in re.findall(
                r"SELECT aegis\.declare_event\(\s*'([a-z_.]+)',\s*'((?:[^']|'')*)'(?:,\s*'(\{.*?\})')?(?:,\s*withheld => (true))?\)", text, re.S):
            yield name, said.replace("''", "'"), "aegis_app, [withheld](withheld.md)" if withheld else "aegis_app", details(fields or "{}")


def table():
    rows = sorted([*by_aegis(), *by_applications()])
    lines = [f"| `{name}` | {said} | {writer} | {details} |" for name, said, writer, details in rows]
    return "\n".join(["| event | says | written by | details |", "|---|---|---|---|", *lines]) + "\n"


def main():
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + table() + END + after
    if sys.argv[1:] == ["check"]:
        if text != wanted:
            print("docs/AUDIT_TRAIL.md does not list the events that the extensions declare")
            print("hint: scripts/audit_trail.py")
            sys.exit(1)
    else:
        PAGE.write_text(wanted)


main()
