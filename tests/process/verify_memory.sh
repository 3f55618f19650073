#!/usr/bin/env bash
# Long entries are verified one by one: a ledger of a hundred entries of a megabyte each takes the memory of a few.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "max_parallel_maintenance_workers = 0"
must_start
query "CREATE EXTENSION aegis; CREATE TABLE long (id integer PRIMARY KEY, body text); SELECT aegis.audit_table('long')" > /dev/null
must_have_worker
query "INSERT INTO long SELECT n, repeat(md5(n::text), 32768) FROM generate_series(1, 100) n" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
# In a session of its own: the most memory that it had before, and after.
peak="SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmPeak:\\s+(\\d+)'))[1]::integer / 1024"
mapfile -t said < <(as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -c "SELECT count(*) FROM aegis.tenant_log" -c "$peak" \
  -c "SELECT bool_and(outcome = 'ok') AND bool_or(items > 100) FROM aegis.verify_ledger()" -c "$peak")
is "the ledger verifies" "${said[2]}" t
is "in a few megabytes of memory" "$((said[3] - said[1] < 48))" 1
finish
