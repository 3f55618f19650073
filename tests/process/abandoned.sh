#!/usr/bin/env bash
# Guesses that the gateway's login ends while the password is looked at, or sends so that it could take them back: each counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.network_failures_per_minute = 0" "aegis.tenant_failures_per_minute = 0"
must_start
query "CREATE EXTENSION aegis_app CASCADE; CREATE ROLE gateway LOGIN IN ROLE aegis_gateway; CREATE ROLE operator LOGIN IN ROLE aegis_operator" > /dev/null
must_have_worker
python3 tests/process/abandoned.py "$place" || failed=1
finish
