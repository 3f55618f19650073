#!/usr/bin/env bash
# Every function of the extension that somebody may execute, called with hostile arguments by who may: it answers or refuses with
# an error that it may make, in time, in bounded memory, without a word of another tenant.
# With AEGIS_LONG=yes 30 times each.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '1s'" "log_min_messages = notice" "log_error_verbosity = verbose"
must_start "${giving_back[@]}"
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
some=some
if [ "${AEGIS_LONG:-no}" = yes ]; then some=all; else echo "skip arguments thirty times over (takes more than a minute)"; fi
python3 tests/arguments/arguments.py "$place" "$log" $some ${AEGIS_SEED:+"$AEGIS_SEED"} || failed=1
finish
