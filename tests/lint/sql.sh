#!/usr/bin/env bash
# Hygiene of the install fragments: nothing adopted, search_path pinned, everything described, nothing in the way of pg_upgrade.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 - extension/sql/*.sql extension/app/*.sql << 'PYTHON'
import re, sys

found = 0
def report(path, text, at, what):
    global found
    found = 1
    print(f"{path}:{text.count(chr(10), 0, at) + 1}: {what}")

created, commented = {}, set()
for path in sys.argv[1:]:
    text = re.sub(r"--[^\n]*", lambda m: " " * len(m.group()), open(path).read())
    for hit in re.finditer(r"\bOR\s+REPLACE\b|\bIF\s+NOT\s+EXISTS\b(?!\s*\()", text, re.I):
        report(path, text, hit.start(), f"{hit.group()}: objects made beforehand would be adopted")
    # A statement ends at a semicolon outside quotes and dollar quotes.
    body = re.compile(r"\$([a-z_]*)\$.*?\$\1\$", re.S)
    flat = body.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    flat = re.sub(r"'(?:[^']|'')*'", lambda m: "'" + re.sub(r"[^\n]", " ", m.group()[1:-1]) + "'", flat)
    for match in re.finditer(r"\bCREATE\s+(FUNCTION|PROCEDURE)\s+([\w.]+)\s*\(", flat, re.I):
        end = flat.find(";", match.start())
        statement = flat[match.start():end]
        atomic = re.search(r"\bBEGIN\s+ATOMIC\b", statement, re.I)
        if atomic:
            statement = flat[match.start():flat.find("END;", match.start())]
        name = match.group(2)
        created.setdefault(name, (path, text, match.start()))
        language = (re.search(r"\bLANGUAGE\s+(\w+)", statement, re.I) or [None, "?"])[1].lower()
        head = statement
        definer = re.search(r"\bSECURITY\s+DEFINER\b", head, re.I)
        # Names in a body that is not a text are bound when the function is made.
        bound = language == "sql" and (atomic or re.search(r"\n\s*RETURN\b", statement))
        if definer or (language in ("sql", "plpgsql") and not bound):
            if not re.search(r"\bSET\s+search_path\s*=\s*pg_catalog\s*,\s*pg_temp\b", head, re.I):
                report(path, text, match.start(), f"{name}: SET search_path = pg_catalog, pg_temp is missing")
        if match.group(1).upper() == "FUNCTION" and not re.search(r"\b(IMMUTABLE|STABLE|VOLATILE)\b", head, re.I):
            report(path, text, match.start(), f"{name}: volatility is not said")
    for match in re.finditer(r"\bCREATE\s+(?:UNLOGGED\s+)?(TABLE|VIEW|TYPE|DOMAIN)\s+([\w.\"]+)(?!\s+PARTITION)", flat, re.I):
        if "PARTITION OF" not in flat[match.start():match.start() + 120]:
            created.setdefault(match.group(2), (path, text, match.start()))
    for table in re.finditer(r"\bCREATE\s+(?:UNLOGGED\s+)?TABLE\s+[\w.]+\s*\((.*?)\n\)", flat, re.I | re.S):
        for match in re.finditer(r"^  \w+\s+reg(?!class\b|type\b|role\b)\w+", table.group(1), re.I | re.M):
            report(path, text, table.start(1) + match.start(), "pg_upgrade refuses this type in a table")
    for match in re.finditer(r"\bCOMMENT\s+ON\s+(?:FUNCTION|PROCEDURE|TABLE|VIEW|TYPE|DOMAIN)\s+([\w.\"]+)", flat, re.I):
        commented.add(match.group(1))

# A shell type (CREATE TYPE x;) and its later definition are one name; internal trigger functions count too.
for name, (path, text, at) in sorted(created.items()):
    if name not in commented and "%" not in name:
        report(path, text, at, f"{name}: COMMENT ON is missing")
sys.exit(found)
PYTHON
