#!/usr/bin/env bash
# A second reader, written from docs/format/ alone, reads a live database: it opens what is sealed, decodes what is recorded,
# builds every tree again, checks proofs and signed checkpoints, and what it seals the database opens.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

make_cluster
# keyring LINE ...: the published test keys, 00..1f and 20..3f.
keyring() {
  as_server rm -f "$place/keyring"
  printf '%s\n' "$@" | as_server sh -c 'umask 0277; cat > "$0"' "$place/keyring"
}
first=1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
second=2:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
keyring "# published, for tests only" "$first"
preload
settings "aegis.seal_interval = '10ms'"
begin_signer independent.example
must_start
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
# One tenant's keys are wrapped under the first master key, the others' under the second.
query "SELECT aegis.create_tenant('independent-one', 'One')" > /dev/null
keyring "$first" "$second"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
both() { [ "$(query "SELECT count(*) FROM aegis.provided_keys()")" = 2 ]; }
within 20 both || { echo "not ok the second master key was not read"; exit 1; }

python3 tests/independent/live.py --psql "$bin/psql" --socket "$place" --keyring "$place/keyring" --vkey "$vkey" \
  --verify "$(built aegis-verify)" || failed=1
finish
