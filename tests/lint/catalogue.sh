#!/usr/bin/env bash
# The page of the catalogue lists exactly the event types that the extension installs. Every declared type says which details its
# entries have, or that they have none, and something writes each of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 - << 'PYTHON'
import json
import pathlib
import re
import sys

found = []
read = lambda path: pathlib.Path(path).read_text()
uncommented = lambda path: re.sub(r"--.*", "", read(path))
catalogue = uncommented("extension/sql/catalogue.sql")
begins = re.findall(r"^  \('([a-z_.]+)',", catalogue, re.M)
rows = {name: (said, fields) for name, said, fields in
        re.findall(r"^  \('([a-z_]+[.][a-z_]+)', *'((?:[^']|'')*)',\s*'(\{.*?\})'\)", catalogue, re.M)}
found += [f"extension/sql/catalogue.sql: {name} does not say which details it has" for name in begins if name not in rows]

page = sorted(re.findall(r"^\| `[a-z_]+\.[a-z_]+` \| .*", read("docs/catalogue.md"), re.M))
wanted = sorted(f"| `{name}` | {said} |" for name, (said, _) in rows.items())
found += [f"docs/catalogue.md lacks: {line}" for line in wanted if line not in page]
found += [f"docs/catalogue.md has what the extension does not: {line}" for line in page if line not in wanted]

applications = {path: uncommented(path) for path in sorted(pathlib.Path("extension/app").glob("*.sql"))}
declaration = r"SELECT aegis\.declare_event\(\s*'([a-z_.]+)',\s*'(?:[^']|'')*'(?:,\s*'(\{.*?\})')?[^;]*;"
types = [(name, fields, "extension/sql/catalogue.sql") for name, (_, fields) in rows.items()]
for path, text in applications.items():
    types += [(name, fields, path) for name, fields in re.findall(declaration, text, re.S)]

own = "\n".join([*(re.sub(r"//.*", "", read(path)) for path in sorted(pathlib.Path("extension/src").rglob("*.cpp"))),
                 *(uncommented(path) for path in sorted(pathlib.Path("extension/sql").glob("*.sql")) if path.name != "catalogue.sql")])
theirs = "\n".join(re.sub(declaration, "", text, flags=re.S) for text in applications.values())
classes = {kind + need for kind in ("clear", "personal") for need in ("", " required")}
for name, fields, path in types:
    if not fields:
        found.append(f"{path}: {name} does not say which details it has")
        continue
    for key, kind in json.loads(fields).items():
        if kind not in classes:
            found.append(f"{path}: {name}: detail {key} is of no class")
        # One that is the name of a column comes with its row.
        if not re.search(rf"""["']{key}["']|OUT {key} """, theirs if path in applications else own):
            found.append(f"{path}: {name}: nothing writes the detail {key}")

print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found else 0)
PYTHON
