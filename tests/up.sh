#!/usr/bin/env bash
# The newcomer's path, from this clone: up, the guided walk, up again, the other verbs, down with nothing left.
#   tests/up.sh FOLDER     the home to use; an absolute path, removed at the end
# Prints "ok NAME" or "not ok NAME" for each thing tried, and what the programs print in between.
set -euo pipefail
cd "$(dirname "$0")/.."

export AEGIS_HOME=${1:?usage: tests/up.sh FOLDER}
# A port that nobody listens on now.
AEGIS_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export AEGIS_PORT
output=$(mktemp)
listener=
pointer=$(readlink .aegis/home || true)
end() {
  ./aegis clean --yes > /dev/null || true
  # The clone may have an installation of its own: its pointer is put back.
  if [ -n "$pointer" ]; then mkdir -p .aegis && ln -sfn "$pointer" .aegis/home; fi
  if [ -n "$listener" ]; then kill "$listener" 2> /dev/null || true; fi
  rm -f "$output"
}
trap end EXIT
failed=0

# try NAME STATUS COMMAND ...: runs the command, its output goes to $output, and compares its exit code.
try() {
  local name=$1 wanted=$2 status=0
  shift 2
  "$@" > "$output" 2>&1 < /dev/null || status=$?
  cat "$output"
  if [ "$status" = "$wanted" ]; then
    echo "ok $name"
  else
    echo "not ok $name: exit code $status, not $wanted"
    failed=1
  fi
}
# says NAME PATTERN: the last output has a line like this.
says() {
  if grep -qE -- "$2" "$output"; then
    echo "ok $1"
  else
    echo "not ok $1: no line like $2"
    failed=1
  fi
}
processes() { find /proc -maxdepth 2 -name exe -lname "$AEGIS_HOME/*" 2> /dev/null | wc -l; }

./aegis clean --yes > /dev/null  # of an interrupted run
try "down before anything runs" 0 ./aegis down
try "psql before anything runs" 1 ./aegis psql
says "psql says how to start" '^hint: '

try "up" 0 ./aegis up --detach
sed -nE 's/^ *ok: /ok walk: /p; s/^ *WRONG: /not ok walk: /p' "$output"
says "the whole walk" '^The walk is done: [0-9]+ steps, every answer right\.$'
if [ "$failed" != 0 ]; then exit 1; fi
try "status while it runs" 0 ./aegis status
says "status is healthy" '^health +200'
says "the signer runs and has signed" '^signer +runs as .* signed size [1-9][0-9]*$'
says "the witness runs and has cosigned" '^witness +runs as .* cosigned size [1-9][0-9]*$'
says "the simulated provider runs" '^provider +simulated, runs as '
says "the agent runs" '^agent +runs as '
try "psql as the DBA" 0 ./aegis psql -XAtc "SELECT count(*) >= 300 FROM aegis_app.customer"
says "a few hundred customers" '^t$'
try "psql as the auditor" 0 ./aegis psql auditor -XAtc "SELECT DISTINCT outcome FROM aegis.verify_ledger()"
says "the ledger verifies" '^ok$'
try "psql as nobody known" 1 ./aegis psql postmaster
try "logs" 0 ./aegis logs -n 3
says "of the signer too" '"event":"signed"'
says "of the witness" '"event":"cosigned"'
says "and of the agent" '"event":"carried".*"kind":"witness".*"outcome":"delivered"'
# As it stands there, but for the port.
request=$(grep '^curl ' README.md)
try "the README's request" 0 bash -euc "${request//8443/$AEGIS_PORT}"
says "it is answered" '"status":"ok"'

key=$(cat "$AEGIS_HOME/ledger.vkey" "$AEGIS_HOME/witness.vkey")
before=$(./aegis psql -XAtc "SELECT pg_postmaster_start_time()")
try "up again" 0 ./aegis up --detach
says "the walk again" '^The walk is done: '
if [ "$(./aegis psql -XAtc "SELECT pg_postmaster_start_time()")" = "$before" ]; then
  echo "ok the server was kept"
else
  echo "not ok the server was kept"
  failed=1
fi

if [ "$(cat "$AEGIS_HOME/ledger.vkey" "$AEGIS_HOME/witness.vkey")" = "$key" ]; then echo "ok the keys of ledger and witness were kept"; else
  echo "not ok the keys of ledger and witness were kept"
  failed=1
fi

try "down" 0 ./aegis down
if [ "$(processes)" = 0 ]; then echo "ok nothing runs"; else
  echo "not ok nothing runs"
  failed=1
fi
try "status after down" 3 ./aegis status
try "down again" 0 ./aegis down

python3 -m http.server --bind 127.0.0.1 "$AEGIS_PORT" > /dev/null 2>&1 &
listener=$!
for _ in $(seq 100); do if (exec 3<> "/dev/tcp/127.0.0.1/$AEGIS_PORT") 2> /dev/null; then break; fi; sleep 0.1; done
try "up with the port taken" 1 ./aegis up --detach
says "it names the port" "port $AEGIS_PORT is taken"
says "it says what to do" '^hint: .*AEGIS_PORT='
kill "$listener"

try "clean" 0 ./aegis clean --yes
if [ ! -e "$AEGIS_HOME" ]; then echo "ok the home is gone"; else
  echo "not ok the home is gone"
  failed=1
fi
exit "$failed"
