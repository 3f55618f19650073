#!/usr/bin/env bash
# Every declared type of event is written by the code, and its entry is looked for by a test; everything that the code writes is
# declared; no test writes an entry in the product's place. What was written is sql/catalogue_written.sql's to see.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 - << 'PYTHON'
import pathlib
import re
import sys

found = []
read = lambda path: pathlib.Path(path).read_text()
sources = {path: read(path) for folder, kinds in (("extension/src", "cpp hpp"), ("extension/sql", "sql"), ("extension/app", "sql"))
           for kind in kinds.split() for path in sorted(pathlib.Path(folder).rglob("*." + kind))}
listed = read("docs/AUDIT_TRAIL.md").split("<!-- events: begin -->")[1].split("<!-- events: end -->")[0]
declared = set(re.findall(r"^\| `([a-z_.]+)`", listed, re.M))

# Code: what stands in it beside the declarations. 'suspicion.' || state stands for every type that begins so.
written, beginnings = set(), set()
families = "|".join(sorted({name.split(".")[0] for name in declared}))
for path, text in sources.items():
    if path.name == "catalogue.sql":
        continue
    if path.suffix == ".sql":
        # In doubled quotes it is the evidence of a control, which asks for entries and writes none.
        text = re.sub(r"SELECT aegis\.declare_event\(\s*'[a-z_.]+'", "", re.sub(r"--.*", "", text))
        written |= set(re.findall(r"(?<!')'((?:%s)\.[a-z_.]+[a-z])'(?!')" % families, text)) & declared
        beginnings |= set(re.findall(r"'([a-z]+(?:\.[a-z]+)?\.)' \|\| ", text))
        called = re.findall(r"aegis\.(?:record|record_tenant_event|note_issuer)\(\s*'([a-z_.]+)'(?! \|\|)", text)
    else:
        text = re.sub(r"//.*", "", text)
        written |= set(re.findall(r'"((?:%s)\.[a-z_.]+[a-z])"' % families, text)) & declared
        called = re.findall(r'(?:\.type = |event(?: entry)?(?: =)? ?\{|record\(|failed\[\] = |kFailed\[\] = )"([a-z_]+\.[a-z_.]+)"', text, re.I)
    found += [f"{path}: {name} is not declared" for name in called if name not in declared]
dead = {name for name in declared - written if not any(name.startswith(start) for start in beginnings)}
found += [f"{name} is declared, and nothing writes it" for name in sorted(dead)]

# Tests: another suite's, as the list says, or a regression test.
elsewhere = {}
for line in read("tests/events.txt").splitlines():
    if line and not line.startswith("#"):
        name, test, *reason = line.split(None, 2)
        elsewhere[name] = test
        if not reason:
            found.append(f"tests/events.txt: {name} needs a reason")
printed = re.search(r"\n +elsewhere +\n-+\n((?: .*\n)*)\(", read("expected/catalogue_written.out"))
if printed is None or set(printed[1].split()) != set(elsewhere):
    found.append("tests/events.txt does not list what expected/catalogue_written.out has as written elsewhere")
# An assertion takes the entry from the ledger and names what it must be.
for name, test in elsewhere.items():
    looks = re.findall(r"aegis\.audit_log\b.*(?<![\w.])%s(?![\w.])" % re.escape(name), read(test)) if pathlib.Path(test).exists() else []
    if not re.fullmatch(r"tests/(process/\w+\.sh|server/\w+\.py)", test) or not looks:
        found.append(f"tests/events.txt: {test} does not look for {name}")
texts = {path: read(path) for path in sorted([*pathlib.Path("sql").glob("*.sql"), *pathlib.Path("expected").glob("*.out")])}
together = "\n".join(text for path, text in texts.items() if not path.stem.startswith("catalogue"))
# Nor does the evidence of a control look at an entry: it is run, and nobody compares what it finds.
for evidence in re.findall(r"'(SELECT (?:[^']|'')*)'", read("extension/sql/control.sql")):
    together = together.replace(evidence.replace("''", "'"), "")
named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", together))
found += [f"{name}: no regression test names the entry" for name in sorted(declared - named - set(elsewhere))]

# By hand: only what is refused.
for path, text in texts.items():
    if path.suffix != ".out":
        continue
    for call in re.finditer(r"aegis\.(?:record|record_tenant_event)\(\s*(\S[^,)]*)", text):
        argument = call[1].strip()
        if argument == "NULL":
            continue
        name = re.fullmatch(r"'([a-z_.]+)'", argument)
        answer = text[text.find(";\n", call.end()) + 2:]
        if name is None and not argument.startswith("text"):
            found.append(f"{path}: a call of aegis.{call[0][6:]} whose type is no literal")
        elif name and name[1] in declared and not answer.startswith("ERROR:"):
            found.append(f"{path}: {name[1]} is written by hand")

print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found else 0)
PYTHON
