#!/usr/bin/env bash
# kill -9 of a backend, of the worker and of the postmaster while clients write: every acknowledged row has its
# entry, every entry is sealed once, and the ledger verifies.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = on" "aegis.seal_interval = '20ms'"
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE TABLE written (id bigint PRIMARY KEY); SELECT aegis.audit_table('written')" > /dev/null

# A client inserts numbers one by one and notes each that the server acknowledged.
client() {
  local number=$1 id=$(($1 * 1000000)) acknowledged=$place/acknowledged.$1
  while [ ! -e "$place/enough" ]; do
    for _ in $(seq 1 200); do
      id=$((id + 1))
      echo "INSERT INTO written VALUES ($id) RETURNING id;"
    done | as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d postgres >> "$acknowledged" 2> /dev/null || sleep 0.2
    id=$((id + 1000))
  done
}

# crash NAME KILL-COMMAND: runs clients, kills in the middle, lets the server come back, compares.
round=0
crash() {
  local name=$1 victim
  round=$((round + 1))
  rm -f "$place/enough"
  local clients=()
  for n in 1 2 3; do
    client $((round * 10 + n)) &
    clients+=($!)
  done
  sleep 1
  victim=$("$2")
  [ -n "$victim" ] && kill -9 "$victim"
  sleep 1
  if [ "$2" = postmaster ]; then
    within 20 sh -c "! kill -0 $victim" || true
    sleep 1
    must_start
  fi
  within 30 query "SELECT 1"
  sleep 1
  touch "$place/enough"
  wait "${clients[@]}" || true
  within 30 query "SELECT aegis.wait_sealed('5 s')"
  cat "$place"/acknowledged.* | grep -E '^[0-9]+$' | as_server tee "$place/all" > /dev/null
  is "$name: clients wrote" "$([ "$(wc -l < "$place/all")" -gt $((100 * round)) ] && echo yes)" yes
  query "CREATE TEMP TABLE acknowledged (id bigint); COPY acknowledged FROM '$place/all';
    CREATE TEMP TABLE captured AS SELECT (image -> 'key' ->> 'id')::bigint AS id, seal, leaf FROM aegis.audit_log
      WHERE event = 'row.changed' AND image ->> 'relation' = 'public.written';
    SELECT 'without row ' || count(*) FROM acknowledged WHERE id NOT IN (SELECT id FROM written);
    SELECT 'without entry ' || count(*) FROM written WHERE id NOT IN (SELECT id FROM captured);
    SELECT 'without row ' || count(*) FROM captured WHERE id NOT IN (SELECT id FROM written);
    SELECT 'twice ' || count(*) - count(DISTINCT id) FROM captured;
    SELECT 'unsealed ' || count(*) FROM captured WHERE seal IS NULL;
    SELECT 'sealed twice ' || count(*) - count(DISTINCT s) FROM aegis.seal_leaves, unnest(seqs) s;
    SELECT checked || ' ' || subject || ' ' || detail FROM aegis.verify_ledger() WHERE outcome <> 'ok';" > "$place/result"
  is "$name: every acknowledged row has its entry, sealed once, and the ledger verifies" "$(grep -v ' 0$' "$place/result" || true)" ""
}

backend() { query "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"; }
worker() { query "SELECT pid FROM pg_stat_activity WHERE backend_type = 'aegis worker' LIMIT 1"; }
postmaster() { as_server head -n 1 "$cluster/postmaster.pid"; }

crash "a backend killed" backend
crash "the worker killed" worker
crash "the postmaster killed" postmaster
finish
