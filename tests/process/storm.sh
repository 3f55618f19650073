#!/usr/bin/env bash
# Sixty-four clients, one busy tenant and sixty-four tenants, savepoints, two-phase commits, every isolation level, statements over
# many tenants, rollbacks and cancels; then immediate shutdowns in the middle of it. Nothing that was acknowledged is lost or there
# twice, no row is without its entry nor the other way round, nobody deadlocks, and the ledger is one chain that verifies.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = on" "aegis.seal_interval = '20ms'" "max_connections = 120" "max_prepared_transactions = 100" "deadlock_timeout = '200ms'" \
  "log_min_messages = panic" "max_locks_per_transaction = 128"
must_start
query "CREATE EXTENSION aegis" > /dev/null
within 20 alive
storm() { python3 tests/process/storm.py "$@"; }
storm fill "$place"

seconds=4 crashes=3 crowd=24
if [ "${AEGIS_LONG:-no}" = yes ]; then seconds=60 crashes=20 crowd=64; else echo "skip a storm of a minute and twenty crashes of 64 clients (long)"; fi
seed=${AEGIS_SEED:-$RANDOM}
lists=$(mktemp -d)
trap 'rm -rf "$lists"; end' EXIT

# tells NAME COMMAND ...: ok when it succeeds; the seed otherwise.
tells() {
  local name=$1 text
  shift
  if text=$("$@"); then echo "ok $name: $(head -n 1 <<< "$text")"; else
    echo "not ok $name (AEGIS_SEED=$seed)"
    sed 's/^/  got: /' <<< "$text"
    failed=1
  fi
}
tells "64 clients" storm run "$place" 64 "$seconds" "$((seed * 100))" "$lists/0"
tells "every number is where it belongs" storm calm "$place" "$lists/0"

# The clients of a round, and whoever asks.
connected() { [ "$(query "SELECT count(*) > $crowd FROM pg_stat_activity WHERE backend_type = 'client backend'")" = t ]; }

for round in $(seq "$crashes"); do
  storm run "$place" "$crowd" 60 "$((seed * 100 + round))" "$lists/$round" > "$lists/said" &
  clients=$!
  within 60 connected || echo "not ok the clients of round $round connect"
  sleep "1.$((RANDOM % 10))"
  stop immediate
  wait "$clients" || { echo "not ok clients of round $round"; cat "$lists/said"; failed=1; }
  must_start
  within 20 alive
  storm resolve "$place" "$lists/$round" "$lists/$round.resolved"
done
tells "after $crashes immediate shutdowns of $crowd clients" storm check "$place" "$lists"/[0-9]*
finish
