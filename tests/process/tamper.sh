#!/usr/bin/env bash
# Whoever unloads the library can change the ledger. A superuser does, every edit of tamper_edits.py (every second one without
# AEGIS_LONG=yes) in a copy of the database; back under the library it is told who finds it: verification alone, with a checkpoint that was kept,
# aegis-verify with a head that was kept, the signer. docs/tamper-detection.md has the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

# The server's user must be able to run them, wherever the repository lies.
for program in aegis-verify aegis-signer; do
  install -m 0755 "$(built $program)" "$place/$program"
done
install -d -m 0755 "$place/tests" "$place/tests/process" "$place/tests/independent" "$place/tests/oracle"
install -m 0644 -t "$place/tests/process" tests/process/tamper*.py
install -m 0644 -t "$place/tests/oracle" tests/oracle/libpq.py
install -m 0644 -t "$place/tests/independent" tests/independent/*.py
driver() { as_server /usr/bin/python3 "$place/tests/process/tamper.py" "$@"; }

signer=
finished() {
  if [ -n "$signer" ]; then kill "$signer" 2> /dev/null || true; fi
  end
}
trap finished EXIT
origin=tamper.example/ledger
key=$(as_server "$place/aegis-signer" init --state "$place/state" --origin "$origin")
serve=("$place/aegis-signer" serve --state "$place/state" --socket "$place/signer" --log "$place/signer.log")
if [ "$(id -u)" = 0 ]; then serve=(setpriv --reuid postgres --regid postgres --init-groups "${serve[@]}"); fi
"${serve[@]}" &
signer=$!
within 10 test -S "$place/signer"

make_cluster
preload
settings "fsync = off" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" "autovacuum = off" "max_wal_size = '4GB'" \
  "aegis.ledger_key = '$key'" "aegis.seal_interval = '20ms'" "aegis.checkpoint_interval = '100ms'" \
  "aegis.signer = '$place/signer'" "aegis.ledger_origin = 'tamper.example'"
must_start
query "CREATE DATABASE ledger" > /dev/null
query_database=ledger
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('tamper.done', 'for the test of tampering', '{\"n\": \"clear\"}')" > /dev/null
for tenant in one two; do query "SELECT aegis.create_tenant('$tenant', '$tenant')" > /dev/null; done
# fill COUNT: so many entries of each tenant, sealed and signed.
fill() {
  local tenant
  for tenant in one two; do
    query "SELECT aegis.wait_sealed('60 s')" > /dev/null  # a worker is there to take charges
    query "BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenant WHERE slug = '$tenant'), 'tampering', 'T-1', false);
           SELECT count(aegis.record('tamper.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, $1) n; COMMIT" > /dev/null
    query "SELECT aegis.wait_checkpoint('60 s')" > /dev/null
  done
}
fill 300
# What lies beside the ledger.
query "SELECT aegis.hold_ledger(id, 'case'), aegis.set_ledger_retention(id, '7 years', 'policy'), aegis.request_tenant_action('erase', id, slug, 'over') FROM aegis.tenant" > /dev/null
fill 10
query "CREATE DATABASE older TEMPLATE ledger ALLOW_CONNECTIONS false" > /dev/null
fill 220  # so many that a second node of level 8 is stored
# What an auditor keeps.
query "SELECT aegis.latest_checkpoint()" | as_server tee "$place/kept.note" > /dev/null
query "SELECT seal FROM aegis.checkpoint ORDER BY number DESC LIMIT 1" | as_server tee "$place/kept.seal" > /dev/null
query "COPY (SELECT aegis.export_ledger()) TO STDOUT" | as_server "$place/aegis-verify" bundle - --keep "$place/kept.head" > /dev/null
fill 10
query "SELECT size FROM aegis.checkpoint ORDER BY number DESC LIMIT 1" | as_server tee "$place/signed.size" > /dev/null
stop

settings "shared_preload_libraries = ''"
must_start
driver edit "$place" "$bin/psql" || { echo "not ok the edits"; exit 1; }
stop

# Without processes of its own the library only reads: no copy is sealed further.
settings "shared_preload_libraries = 'aegis'" "aegis.signer = ''" "aegis.ledger_origin = ''" "max_worker_processes = 0"
must_start
driver check "$place" "$bin/psql" "$place/aegis-verify" || failed=1
long=()
if [ "${AEGIS_LONG:-no}" = yes ]; then long=(long); else echo "skip every edit, every row and every byte of the ledger (long)"; fi
as_server /usr/bin/python3 "$place/tests/process/tamper_columns.py" check "$place" "$place/aegis-verify" ledger "${long[@]}" || failed=1
finish
