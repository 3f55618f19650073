#!/usr/bin/env bash
# A verifier that knows nothing of Aegis, @sigstore/verify from npm, takes its proofs and checkpoints, and refuses changed ones.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -d tests/npm/node_modules/@sigstore/verify ]; then
  echo "skip stock (the packages of tests/npm are not installed: ./aegis check does that)"
  exit 0
fi
. tests/cluster.sh
. tests/signed.sh

python3 tests/stock/cases.py vectors > "$place/vectors"
node tests/stock/verify.mjs < "$place/vectors" | tee "$place/said"
if grep -q '^not ok' "$place/said"; then failed=1; fi

make_cluster
preload
settings "aegis.seal_interval = '10ms'"
begin_signer stock.example
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('stock.done', 'for the test of stock verifiers', '{\"n\": \"clear\"}')" > /dev/null
query "SELECT aegis.create_tenant('acme', 'Acme')" > /dev/null
query "CREATE TABLE thing (tenant_id uuid, id int PRIMARY KEY)" > /dev/null
query "SELECT aegis.audit_table('thing')" > /dev/null
query "INSERT INTO thing SELECT t.id, n FROM aegis.tenants() t, generate_series(1, 300) n" > /dev/null
query "SELECT count(aegis.record('stock.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 700) n" > /dev/null
# Some seals, so that the root log has leaves.
for n in $(seq 301 330); do echo "INSERT INTO thing SELECT id, $n FROM aegis.tenants(); SELECT aegis.wait_sealed('60 s');"; done > "$place/seals"
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -v ON_ERROR_STOP=1 -f "$place/seals" > /dev/null
query "SELECT aegis.wait_checkpoint('60 s')" > /dev/null
python3 tests/stock/cases.py live --psql "$bin/psql" --socket "$place" --vkey "$vkey" > "$place/live"
node tests/stock/verify.mjs < "$place/live" | tee "$place/said"
if grep -q '^not ok' "$place/said"; then failed=1; fi
finish
