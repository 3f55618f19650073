#!/usr/bin/env bash
# The gateway's login in the hands of whoever has a SQL prompt: of every relation and every function that there is, catalogs
# included, only the documented entry functions and what computes from its arguments alone answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off"
must_start
query "CREATE EXTENSION aegis_app CASCADE; CREATE ROLE gateway LOGIN IN ROLE aegis_gateway" > /dev/null
must_have_worker
python3 tests/process/prompt.py "$place" || failed=1
finish
