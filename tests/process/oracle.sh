#!/usr/bin/env bash
# What the database shows and changes for every rank, by every command, is compared with a few lines of Python that
# say what it should: tests/oracle/rule.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '1s'"
must_start
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
python3 tests/oracle/oracle.py "$place" || failed=1
finish
