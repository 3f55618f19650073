#!/usr/bin/env bash
# sqlsmith's random statements, as members, operators and the gateway: nothing of another tenant comes back by any road,
# and nothing crashes. With AEGIS_LONG=yes 23000 statements.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

if ! command -v sqlsmith > /dev/null; then
  echo "skip smith (sqlsmith is not installed: ./aegis check does that)"
  exit 0
fi
make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '1s'" "log_min_messages = notice" "log_error_verbosity = verbose"
must_start "${giving_back[@]}"
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
some=some
if [ "${AEGIS_LONG:-no}" = yes ]; then some=all; else echo "skip smith with all statements (takes more than a minute)"; fi
python3 tests/smith/smith.py "$place" "$log" $some ${AEGIS_SEED:+"$AEGIS_SEED"} || failed=1
finish
