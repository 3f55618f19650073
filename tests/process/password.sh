#!/usr/bin/env bash
# Password hashes give way: each is computed by a thread of the lowest priority in a session that keeps its own,
# and no more of them at once than half of the processors, or than the setting says.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
# The longest hash there is, so that it can be looked at; the server sees one processor.
settings 'fsync = off' 'aegis.password_memory = 64MB' 'aegis.password_iterations = 64'
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE ROLE member LOGIN IN ROLE aegis_member" > /dev/null
postmaster=$(as_server head -n 1 "$cluster/postmaster.pid")
taskset -cp 0 "$postmaster" > /dev/null

# attempt NAME: signs in as somebody who does not exist, which takes as long as for one who does.
attempt() {
  as_server "$bin/psql" -XAtq -h "$place" -U member -d postgres \
    -c "SELECT outcome FROM aegis.sign_in('none', '$1@example.com', 'seven-quiet-otters', '192.0.2.1', 'test', 'test')"
}
session() { query "SELECT pid FROM pg_stat_activity WHERE usename = 'member' AND state = 'active' LIMIT 1"; }
niceness() { sed 's/.*) //' "$1/stat" 2> /dev/null | cut -d ' ' -f 17; }
hashes() {
  local pid task
  pid=$(session)
  [ -n "$pid" ] || return 1
  for task in "/proc/$pid/task"/*; do
    if [ "${task##*/}" != "$pid" ]; then found="$(niceness "/proc/$pid") $(niceness "$task")"; fi
  done
  [ -n "$found" ]
}

# both: what two sign-ins at once are told, sorted.
both() {
  local first second
  attempt one > "$place/one" &
  first=$!
  attempt two > "$place/two" &
  second=$!
  wait "$first" "$second"
  sort "$place/one" "$place/two" | tr '\n' ' '
}

found=
attempt one > "$place/one" &
within 20 hashes || true
wait $!
is "the hash has the lowest priority, the session its own" "$found" "$(niceness /proc/$$) 19"
is "and is answered" "$(cat "$place/one")" failed
is "one processor: one hash at once" "$(both)" "busy failed "
query "ALTER SYSTEM SET aegis.password_concurrency = 2" > /dev/null
query "SELECT pg_reload_conf()" > /dev/null
two() { [ "$(query 'SHOW aegis.password_concurrency')" = 2 ]; }
within 10 two
is "as many as the setting says" "$(both)" "failed failed "
finish
