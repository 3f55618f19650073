#!/usr/bin/env bash
# Messages follow PostgreSQL's style: every error has a code, starts in lower case, ends without a full
# stop; details and hints are sentences. elog is for what cannot happen, as in PostgreSQL itself. docs/errors.md lists
# the SQLSTATEs of pg/report.hpp, all of them and no others.
set -euo pipefail
cd "$(dirname "$0")/../.."
defined=$(sed -nE "s/^#define AEGIS_ERRCODE_.*\('(A)', '(G)', '(.)', '(.)', '(.)'\)$/\1\2\3\4\5/p" extension/src/pg/report.hpp | sort)
listed=$(grep -oE '^\| AG[0-9]{3} \| [^|]+ \|$' docs/errors.md | cut -d' ' -f2 | sort)
if [ "$defined" != "$listed" ]; then
  echo "docs/errors.md (<) and extension/src/pg/report.hpp (>) differ:"
  diff <(echo "$listed") <(echo "$defined") | grep '^[<>]' || true
  exit 1
fi
# shellcheck disable=SC2046 # names without spaces
python3 - $(find extension/src -name '*.cpp' -o -name '*.hpp') << 'PYTHON'
import re, sys

found = 0
def report(path, text, at, what):
    global found
    found = 1
    print(f"{path}:{text.count(chr(10), 0, at) + 1}: {what}")

def call(text, start):
    depth, at, quoted = 0, start, False
    while at < len(text):
        c = text[at]
        if quoted:
            if c == "\\": at += 1
            elif c == '"': quoted = False
        elif c == '"': quoted = True
        elif c == "(": depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0: return text[start:at + 1]
        at += 1
    return text[start:]

proper = ("PostgreSQL", "JSON", "UUID", "UTF8", "IP ", "HTTP", "TLS", "C++", "SQL", "MERGE", "COPY", "TRUNCATE",
          "INSERT", "UPDATE", "DELETE", "SELECT", "ALTER", "CREATE", "DROP", "PREPARE", "EXPLAIN", "SHA", "AES", "OpenSSL")
for path in sys.argv[1:]:
    text = open(path).read()
    for match in re.finditer(r"\bereport\(\s*(ERROR|FATAL|PANIC)", text):
        statement = call(text, match.start() + len("ereport"))
        if not re.search(r"\berrcode", statement):
            report(path, text, match.start(), "error without errcode")
    for match in re.finditer(r'\berrmsg(?:_internal)?\(\s*"((?:\\.|[^"\\])*)"', text):
        message = match.group(1)
        if message.endswith("."):
            report(path, text, match.start(), "message ends with a full stop")
        if message[:1].isupper() and not message.startswith(proper):
            report(path, text, match.start(), "message starts with a capital")
        if re.search(r"\b(unable|illegal|can't|couldn't|bad)\b", message):
            report(path, text, match.start(), "word that PostgreSQL's style avoids")
    for match in re.finditer(r'\b(errhint|errdetail)\(((?:\s*"(?:\\.|[^"\\])*")+)\s*[,)]', text):
        sentence = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', match.group(2)))
        if sentence != "%s" and not sentence.endswith((".", "?")):
            report(path, text, match.start(), f"{match.group(1)} is not a sentence")
sys.exit(found)
PYTHON
