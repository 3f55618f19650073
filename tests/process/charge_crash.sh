#!/usr/bin/env bash
# A charge outlives whatever ends its transaction, up to the crash of the whole server, which loses it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
# Commits are asynchronous here, so that a lost one shows: a charge must not trust them.
settings 'fsync = off' 'synchronous_commit = off' 'wal_writer_delay = 10s'
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE FUNCTION probe(kind int, event text, tenant uuid, usr uuid, target text) RETURNS int
         AS 'aegis', 'aegis_test_charge_open' LANGUAGE C VOLATILE STRICT;
       CREATE FUNCTION settle(slot int) RETURNS void AS 'aegis', 'aegis_test_charge_settle' LANGUAGE C VOLATILE STRICT;
       CREATE FUNCTION reveal(tenant uuid, field bigint, amount bigint) RETURNS bigint
         AS 'aegis', 'aegis_test_charge_reveal' LANGUAGE C VOLATILE STRICT;
       CREATE FUNCTION entries(VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS \$\$
         SELECT count(*) FROM aegis.entry e
          WHERE (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w) \$\$" > /dev/null

nil=00000000-0000-0000-0000-000000000000
charge() { echo "SELECT probe(1, 'auth.sign_in_abandoned', '$nil', '$nil', '$1')"; }
collected() { [ "$(query 'SELECT alive AND charges_open = 0 AND charges_waiting = 0 FROM aegis.worker_status()')" = t ]; }
entries() { query "SELECT entries($(printf "'%s'," "$@" | sed 's/,$//'))"; }
open_charges() { query "SELECT charges_open FROM aegis.worker_status()"; }
holds() { [ "$(open_charges)" = "$1" ]; }

# One session that stays, fed line by line. Starts it, or speaks to it.
begin_session() {
  rm -f "$place/in"
  as_server mkfifo "$place/in"
  as_server sh -c 'exec "$0" -XAtq -h "$1" -U postgres -d postgres < "$1/in" > "$1/out" 2>&1' "$bin/psql" "$place" &
  session=$!
  exec 3> "$place/in"
  tell "SELECT 'pid ' || pg_backend_pid();"
  within 10 as_server grep -q '^pid ' "$place/out"
  backend=$(as_server sed -n 's/^pid //p' "$place/out")
}
tell() { echo "$1" >&3; }
end_session() {
  exec 3>&-
  wait "$session" 2> /dev/null || true
}
# must NAME SECONDS COMMAND ...: prints nothing unless the command fails for so long.
must() {
  local name=$1
  shift
  if ! within "$@"; then
    echo "not ok $name"
    failed=1
  fi
}

must_have_worker
echo "ok the worker starts"

query "BEGIN; $(charge rolled-back); ROLLBACK" > /dev/null
query "BEGIN; $(charge failed); SELECT 1 / 0" > /dev/null || true
query "SET statement_timeout = 100; BEGIN; $(charge timed-out); SELECT pg_sleep(30)" > /dev/null || true
must "charges are collected" 20 collected
is "rolled back" "$(entries auth.sign_in_abandoned rolled-back 'transaction rolled back')" 1
is "failed" "$(entries failed 'transaction rolled back')" 1
is "cancelled by a timeout" "$(entries timed-out)" 1

begin_session
tell "BEGIN; $(charge disconnected);"
within 10 holds 1
tell '\q'
end_session
must "charges are collected" 20 collected
is "disconnected" "$(entries disconnected)" 1

begin_session
tell "BEGIN; $(charge terminated);"
within 10 holds 1
query "SELECT pg_terminate_backend($backend, 5000)" > /dev/null
end_session
must "charges are collected" 20 collected
is "terminated by an administrator" "$(entries terminated)" 1

# kill -9 of a backend: PostgreSQL restarts every process, the postmaster and its region stay.
query "BEGIN; SELECT settle(probe(1, 'auth.sign_in_abandoned', '$nil', '$nil', 'settled-before')); COMMIT" > /dev/null
begin_session
tell "BEGIN; $(charge killed); SELECT reveal('$nil', 7, 5);"
within 10 holds 2
kill -9 "$backend"
end_session
must "the server comes back after kill -9 of a backend" 60 alive
must "charges are collected after a crash" 30 collected
is "kill -9 of the backend that holds it" "$(entries auth.sign_in_abandoned killed 'backend lost in a crash')" 1
is "kill -9 of the backend that revealed" "$(entries pii.revealed 00000007 'backend lost in a crash')" 1
is "kill -9: a settled charge is not written again" "$(entries settled-before)" 0

# The transaction wrote its own entry and settled, but never committed: the settlement counts for nothing.
begin_session
tell "BEGIN; SELECT settle(probe(1, 'auth.sign_in_abandoned', '$nil', '$nil', 'unfinished'));"
within 10 holds 1
kill -9 "$backend"
end_session
must "the server comes back after kill -9 of a backend" 60 alive
must "charges are collected after a crash" 30 collected
is "kill -9 between settlement and commit" "$(entries unfinished 'backend lost in a crash')" 1

# Every reveal that a client was told of is in the ledger once, though its commits would have been lost.
begin_session
for number in 1 2 3 4 5; do tell "BEGIN; SELECT reveal('$nil', 256 + $number, 1); COMMIT;"; done
tell "SELECT 'told';"
within 10 as_server grep -q '^told' "$place/out"
kill -9 "$backend"
end_session
must "the server comes back after kill -9 of a backend" 60 alive
must "charges are collected" 30 collected
is "kill -9 after commit: each reveal once" \
  "$(for number in 1 2 3 4 5; do entries pii.revealed "0000010$number"; done | tr '\n' ' ')" "1 1 1 1 1 "

# kill -9 of the worker while it has charges to write.
worker=$(query "SELECT pid FROM aegis.worker_status()")
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -c "BEGIN; $(charge before-worker-died); ROLLBACK" > /dev/null
kill -9 "$worker"
must "the worker comes back after kill -9" 60 alive
must "charges are collected after kill -9 of the worker" 30 collected
is "kill -9 of the worker: exactly one entry" "$(entries before-worker-died)" 1
is "kill -9 of the worker: another one" "$([ "$(query 'SELECT pid FROM aegis.worker_status()')" != "$worker" ] && echo yes)" yes
is "one system.started per start, crashes apart" "$(entries system.started)" 1

# kill -9 of the postmaster takes the region with it: an open charge is lost unless the worker was quick.
before=$(query "SELECT count(*) FROM aegis.entry")
begin_session
tell "BEGIN; $(charge lost-with-the-server);"
within 10 holds 1
postmaster=$(as_server head -n 1 "$cluster/postmaster.pid")
kill -9 "$postmaster"
end_session
# The children notice on their own; the next start waits for the last of them.
starts() { start; }
within 60 starts || { as_server tail -n 20 "$log"; exit 1; }
must "the worker comes back after kill -9 of the postmaster" 60 alive
must "charges are collected" 30 collected
is "kill -9 of the postmaster: an open charge may be lost, never written twice" \
  "$([ "$(entries lost-with-the-server)" -le 1 ] && echo yes)" yes
is "kill -9 of the postmaster: no entry is lost" \
  "$([ "$(query 'SELECT count(*) FROM aegis.entry')" -ge "$before" ] && echo yes)" yes
started_twice() { [ "$(entries system.started)" = 2 ]; }
within 20 started_twice || true
is "a second start is recorded" "$(entries system.started)" 2
finish
