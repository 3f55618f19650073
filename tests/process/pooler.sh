#!/usr/bin/env bash
# Behind a real pooler in transaction mode two clients take turns on one connection: nothing that one leaves there reaches the
# other. The same is done in a database without Aegis, and once more with the walls switched off, where it does.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/attacks/both.sh

pooler=$(command -v pgbouncer || echo /usr/sbin/pgbouncer)
if [ ! -x "$pooler" ]; then
  echo "skip pooler (pgbouncer is not installed)"
  exit 0
fi
poolers=()
finished() {
  if [ ${#poolers[@]} -gt 0 ]; then kill "${poolers[@]}" 2> /dev/null || true; fi
  end
}
trap finished EXIT

# pool PORT SETTING ...: a pooler with one connection for each login, by socket only.
pool() {
  local port=$1
  shift
  printf '%s\n' '[databases]' "* = host=$place" '[pgbouncer]' 'listen_addr =' "listen_port = $port" "unix_socket_dir = $place" \
    'auth_type = trust' "auth_file = $place/logins" 'pool_mode = transaction' 'default_pool_size = 1' "logfile = $place/pooler.$port.log" "$@" \
    | as_server tee "$place/pooler.$port.ini" > /dev/null
  local run=("$pooler" -q "$place/pooler.$port.ini")
  if [ "$(id -u)" = 0 ]; then run=(setpriv --reuid postgres --regid postgres --init-groups "${run[@]}"); fi
  "${run[@]}" &
  poolers+=($!)
  within 10 test -S "$place/.s.PGSQL.$port"
}

make_cluster
preload
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '100ms'"
must_start
printf '"%s" ""\n' pooled tracked plain | as_server tee "$place/logins" > /dev/null
pool 6432
pool 6433 'server_reset_query = DISCARD ALL' 'server_reset_query_always = 1'
query "CREATE EXTENSION aegis_app CASCADE" > /dev/null
both_ways "${@:-P}"
finish
