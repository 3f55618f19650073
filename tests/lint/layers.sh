#!/usr/bin/env bash
# Which file may include and use what: docs/architecture.md, "Layers". Prints each finding.
set -euo pipefail
cd "$(dirname "$0")/../.."

# report RULE: puts the rule in front of each finding.
report() { sed "s|^|$1: |"; }

search() { grep -nE "$@" || [ $? = 1 ]; }  # finding nothing is no error

shell=$(find extension/src -path extension/src/core -prune -o -name '*.[ch]pp' -print)
core=$(find extension/src/core -name '*.[ch]pp')

# shellcheck disable=SC2086 # lists of names without spaces
findings() {
  search '#include "(pg/|postgres|[a-z_]+\.hpp")' $core | report "core includes only core"
  search '\b(palloc|pfree|ereport|elog|Datum)\b' $core | report "core knows nothing of PostgreSQL"
  search '#include [<"](postgres\.h|fmgr\.h|(access|catalog|commands|executor|funcapi|libpq|miscadmin|nodes|optimizer|parser|pgstat|port|postmaster|replication|rewrite|storage|tcop|utils)[./])' $shell \
    | sed '/^extension.src.pg.postgres\.hpp:/d' | report "server headers only in pg/postgres.hpp"
  search 'PG_VERSION_NUM' $shell | sed '/^extension.src.pg.compat\.hpp:/d' | report "versions only in pg/compat.hpp"
  search 'CacheRegister(Relcache|Syscache)Callback' $shell | sed '/^extension.src.pg.invalidation\.cpp:/d' | report "invalidation callbacks only in pg/invalidation.cpp"
  search '#include <openssl' $shell | report "OpenSSL only in core"
  search '#include <(argon2|zxcvbn)' $shell | sed '/^extension.src.password\.cpp:/d' | report "password libraries only in password.cpp"
  search '#include <qrencode' $shell | sed '/^extension.src.second_factor_qr\.cpp:/d' | report "QR codes only in second_factor_qr.cpp"
  search '#include <hpdf' $shell | sed '/^extension.src.pdf\.cpp:/d' | report "PDF only in pdf.cpp"
  if [ -d server ]; then
    search -r '#include "pg/|postgres\.h' server | report "the programs know no server headers"
    search -rl '#include <httplib\.h>' server extension | sed -n '3,$p' | report "httplib in two files at most"
    search -rl '#include <pqxx/|#include <libpq-fe' server | sed -n '4,$p' | report "the database client in three files at most"
    search -rl '#include <curl/' server extension | sed -n '5,$p' | report "libcurl in four files at most"
  fi
  objects $shell | report "C++ object in a shell frame"
}

# Shell files hold no object with a destructor, except inside run([&] { ... }).
objects() {
  python3 - "$@" << 'PYTHON'
import re, sys

forbidden = re.compile(r"\bstd::(string|vector|unique_ptr|shared_ptr|function|lock_guard|map|set|ostringstream)\b"
                       r"|\bnew\b(?!\s*\()|\bthrow\b|\btry\b|\bcatch\b")
for path in sys.argv[1:]:
    # The boundary itself, and what throws across it on purpose.
    if path.endswith(("pg/guard.hpp", "pg/postgres.hpp", "guard_probe.cpp")):
        continue
    text = open(path).read()
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    text = re.sub(r'"(\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)
    # Cut what run( ... ) encloses.
    for call in re.finditer(r"\brun\(", text):
        depth, at = 1, call.end()
        while depth and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        text = text[:call.end()] + re.sub(r"[^\n]", " ", text[call.end():at]) + text[at:]
    for number, line in enumerate(text.split("\n"), 1):
        hit = forbidden.search(line)
        if hit:
            print(f"{path}:{number}: {hit.group()}")
PYTHON
}

found=$(findings)
if [ -n "$found" ]; then
  echo "$found"
  exit 1
fi
