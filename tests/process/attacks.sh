#!/usr/bin/env bash
# Every known way to another tenant's rows is tried: docs/attacks.md has the list. Then once more with the walls switched off,
# where what they stop must succeed, for a test that nothing can fail says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '100ms'"
start || { as_server tail -n 20 "$log"; exit 1; }
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
alive() { [ "$(query 'SELECT alive FROM aegis.worker_status()')" = t ]; }
within 20 alive || { echo "not ok the worker starts"; exit 1; }
python3 tests/attacks/attacks.py run "$place" "$@" || failed=1
stop

settings "aegis.restrictive_wall = off" "aegis.default_deny = off" "aegis.statement_guard = off" "aegis.function_guard = off"
start || { as_server tail -n 20 "$log"; exit 1; }
within 20 alive || { echo "not ok the worker starts again"; exit 1; }
python3 tests/attacks/attacks.py control "$place" "$@" || failed=1
finish
