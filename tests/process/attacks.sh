#!/usr/bin/env bash
# Every known way to another tenant's rows is tried: docs/attacks.md has the list. Then once more with the walls switched off,
# where what they stop must succeed, for a test that nothing can fail says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/attacks/both.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '100ms'"
must_start
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
both_ways "$@"
finish
