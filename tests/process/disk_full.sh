#!/usr/bin/env bash
# When the file system has no room for the ledger, a write is one clear error, nothing that was acknowledged is
# lost, and writing goes on as soon as there is room. A limit on the size of files stands in for a full disk.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('disk.note', 'for the test of a full disk', '{\"n\": \"clear\", \"text\": \"clear\"}')" > /dev/null
stop

# Files of the write-ahead log have 16 MB; the table of entries may grow to 24 MB and no further.
as_server bash -c "ulimit -f 24576; exec '$bin/pg_ctl' start -s -w -t 60 -D '$cluster' -l '$log'" || { as_server tail -n 20 "$log"; exit 1; }
note() { query "SELECT count(aegis.record('disk.note', detail => jsonb_build_object('n', n, 'text', repeat('x', 1500)))) FROM generate_series(1, $1) n"; }
acknowledged=0
message=
for _ in $(seq 1 40); do
  if message=$(note 1000); then acknowledged=$((acknowledged + 1000)); else break; fi
done
is "some were written before" "$([ "$acknowledged" -gt 5000 ] && echo yes)" yes
says "no room for entries" "$message" 'ERROR:  could not extend file .*: File too large' 'HINT:  Check free disk space\.'
is "what was acknowledged is there, what failed is not" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'disk.note'")" "$acknowledged"
stop
must_start
is "with room the ledger goes on" "$(note 1)" 1
is "and is sealed" "$(query "SELECT aegis.wait_sealed('60 s') > 0")" t
is "and verifies" "$(query "SELECT bool_and(outcome = 'ok') FROM aegis.verify_ledger()")" t
finish
