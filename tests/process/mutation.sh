#!/usr/bin/env bash
# A check that finds nothing may be blind: copies of a protected database are weakened, one way each, and for each is said
# who notices. docs/mutation.md has the table. With AEGIS_LONG=yes all, otherwise every fourth.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '1s'"
must_start
query "CREATE DATABASE origin" > /dev/null
query_database=origin query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
python3 tests/mutation/mutation.py fill "$place"
stop
# Without processes of its own the library leaves the database alone, so that it can be copied.
settings "max_worker_processes = 0"
must_start
some=some
if [ "${AEGIS_LONG:-no}" = yes ]; then some=all; else echo "skip mutation of all kinds (takes more than a minute)"; fi
python3 tests/mutation/mutation.py run "$place" $some || failed=1

# One wall down at a time: coverage names it. What then gets through is in walls_off.sh.
for wall in restrictive_wall default_deny statement_guard function_guard ledger_guard; do
  stop
  as_server sed -i '/^aegis.*= off$/d' "$cluster/postgresql.conf"
  settings "aegis.$wall = off"
  must_start
  is "mutation/aegis.$wall off" "$(query_database=origin query "SELECT severity, object FROM aegis.coverage() WHERE finding = 'wall-off'")" "high|aegis.$wall"
done
# Without the library nothing opens a table: the getters that the policies call are in it.
stop
as_server sed -i '/^aegis\./d' "$cluster/postgresql.conf"
settings "shared_preload_libraries = ''"
must_start
for sql in "SET ROLE shopkeeper; SELECT * FROM shop.document" "SET ROLE shopkeeper; UPDATE shop.document SET note = 'm'" \
  "SELECT * FROM aegis.coverage()"; do
  says "mutation/without the library: $sql" "$(query_database=origin query "$sql" || true)" 'ERROR: +aegis must be loaded via shared_preload_libraries'
done
finish
