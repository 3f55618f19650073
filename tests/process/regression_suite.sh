#!/usr/bin/env bash
# PostgreSQL's own regression tests, in a database without Aegis: a server that loads the library answers every one as a server
# that does not. The tests are those of Debian's source package, or in the folder AEGIS_SUITE (src/test/regress): docs/bystander.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

if [ "${AEGIS_LONG:-no}" != yes ]; then
  echo "skip regression suite (takes minutes: AEGIS_LONG=yes)"
  exit 0
fi

# fetch FOLDER: the source package into the folder, by apt as an ordinary user, from the archive that the server came from;
# of the server's own release, or else of the newest one that is there.
fetch() {
  local key=/usr/share/keyrings/debian-archive-keyring.gpg suite version
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
  printf 'deb-src [signed-by=%s] %s main\n' "$key" "http://deb.debian.org/debian-security $suite-security" \
    "$key" "http://deb.debian.org/debian $suite" > "$1/sources.list"
  local apt=(-qq -o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$1/lists"
    -o "Dir::Cache=$1/cache" -o APT::Sandbox::User= -o Acquire::Retries=1 -o Acquire::http::Timeout=20)
  apt-get "${apt[@]}" update > "$1/log" 2>&1 || return 1
  for version in "$(dpkg-query -W -f '${Version}' postgresql-15)" \
    $(apt-cache "${apt[@]}" showsrc postgresql-15 | sed -n 's/^Version: //p' | sort -rV); do
    (cd "$1" && apt-get "${apt[@]}" source --download-only "postgresql-15=$version") >> "$1/log" 2>&1 && return
    rm -f "$1"/postgresql-15_*
  done
  return 1
}

# close_copies FOLDER: a COPY that fails is followed by its end. psql of newer minor releases reads rows after one as well, and
# would read the statements that follow it in tests of older ones.
close_copies() {
  python3 - "$1"/sql/*.sql << 'PYTHON'
import re, sys

statement = re.compile(r"\s*$|--|\\[a-z]|.*;\s*(--.*)?$", re.I)
copy = re.compile(r"\s*copy\b[^;]*\bfrom\s+stdin\b[^;\\]*;\s*$", re.I)
for path in sys.argv[1:]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = file.read().split("\n")
    closed = []
    for line, following, third in zip(lines, lines[1:] + [""], lines[2:] + ["", ""]):
        closed.append(line)
        if copy.match(line.split("--")[0]) and "\\." not in (following, third) and statement.match(following):
            closed.append("\\.")
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join(closed))
PYTHON
}

suite=${AEGIS_SUITE:-}
release=$suite
if [ -z "$suite" ]; then
  source=$PWD/.aegis/postgresql-source
  if ! compgen -G "$source/postgresql-15_*.orig.tar.bz2" > /dev/null && ! fetch "$source"; then
    echo "skip regression suite (no source package of postgresql-15: $(tail -n 1 "$source/log"))"
    exit 0
  fi
  as_server mkdir "$place/source"
  tar -xjf "$source"/postgresql-15_*.orig.tar.bz2 --strip-components=1 --no-same-owner -C "$place/source" --wildcards '*/src/test/regress'
  suite=$place/source/src/test/regress
  release=$(basename "$source"/postgresql-15_*.orig.tar.bz2 .orig.tar.bz2)
fi
as_server mkdir "$place/suite" "$place/modules"
cp -r "$suite/." "$place/suite"
gcc -shared -fPIC -O2 -w -I"$("$bin/pg_config" --includedir-server)" -o "$place/modules/regress.so" "$suite/regress.c"
cp "$bin/../lib/refint.so" "$bin/../lib/autoinc.so" "$place/modules"
close_copies "$place/suite"
if [ "$(id -u)" = 0 ]; then chown -R postgres: "$place"; fi

make_cluster
settings "fsync = off" "max_prepared_transactions = 2" "timezone = 'UTC'"
as_server mv "$cluster" "$place/template"

# on NAME [LINE ...]: all tests on a fresh copy of one cluster, at the same place.
on() {
  local name=$1
  shift
  as_server cp -a "$place/template" "$cluster"
  settings "$@"
  must_start
  as_server mkdir "$place/out"
  as_server env PGHOST="$place" PGUSER=postgres "$bin/../lib/pgxs/src/test/regress/pg_regress" --bindir="$bin" \
    --inputdir="$place/suite" --outputdir="$place/out" --dlpath="$place/modules" --schedule="$place/suite/parallel_schedule" \
    --max-concurrent-tests=20 > "$place/$name.log" 2>&1 || true
  stop
  as_server mv "$place/out" "$place/$name"
  as_server rm -rf "$cluster"
}

# ended NAME: how each test ended.
ended() { sed -nE 's/^(test | *)([a-z0-9_.]+) +\.\.\. (ok|FAILED).*/\2 \3/p' "$place/$1.log" | sort; }

ok_of() { ended "$1" | grep -c 'ok$'; }

on plain
on loaded "shared_preload_libraries = 'aegis'" "aegis.environment = 'development'" "aegis.key_provider = 'file:$place/keyring'"
echo "regression suite: $(ok_of plain) of $(ended plain | wc -l) tests pass without the library, those of ${release}"
says "regression suite/is run" "$(ok_of plain)" '^[2-9][0-9][0-9]$'
is "regression suite/outcomes" "$(diff <(ended plain) <(ended loaded))" ""
is "regression suite/what they say" "$(diff -r "$place/plain/results" "$place/loaded/results" | head -n "${AEGIS_LINES:-60}")" ""
[ -z "${AEGIS_KEEP:-}" ] || cp -r "$place"/{plain,loaded}* "$AEGIS_KEEP"
finish
