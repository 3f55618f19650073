#!/usr/bin/env bash
# scripts/tamper.sh SEQ [FILE]
#
# What a superuser can do who goes around Aegis, and what it leaves behind: copies the private cluster, starts
# the copy without the library and out of reach of the signer, edits the ledger entry with this number, starts the copy with the library, and
# prints what aegis.verify_ledger() says. With FILE, the copy's export goes there. The cluster itself is not touched; the copy is removed.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"

seq=$1
file=${2:-}
server_running || fail "the server does not run" "Start it with ./aegis up --detach."
cd "$home"
copy=$(as_server mktemp -d "$home/server/scratch.XXXXXX")
end() {
  as_server "$pg_bin/pg_ctl" stop -s -m immediate -D "$copy/data" > /dev/null 2>&1 || true
  as_server rm -rf "$copy"
}
trap end EXIT

start_copy() {
  as_server "$pg_bin/pg_ctl" start -s -w -t 60 -D "$copy/data" -l "$copy/log" \
    -o "-c unix_socket_directories='$copy' -c aegis.signer='' $*" || { as_server tail -n 20 "$copy/log"; exit 1; }
}
copy_sql() { as_server "$pg_bin/psql" -XAtq -F ' | ' -v ON_ERROR_STOP=1 -h "$copy" -U "$1" -d "$database" "${@:2}"; }

echo "copying the cluster"
as_server "$pg_bin/pg_basebackup" -h "$socket" -U postgres -D "$copy/data" -c fast
echo "starting the copy with shared_preload_libraries = ''"
start_copy "-c shared_preload_libraries=''"
echo "editing entry $seq: triggers off, one bit of its last byte"
copy_sql postgres -v seq="$seq" << 'SQL'
SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) FROM pg_event_trigger \gexec
SELECT 'ALTER TABLE ' || tableoid::regclass || ' DISABLE TRIGGER ALL' FROM aegis.entry WHERE seq = :seq \gexec
UPDATE aegis.entry SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1) WHERE seq = :seq;
SQL
as_server "$pg_bin/pg_ctl" stop -s -w -m fast -D "$copy/data"
echo "starting the copy with the library, and verifying as the auditor"
start_copy
copy_sql auditor -c "SELECT * FROM aegis.verify_ledger()"
if [ -n "$file" ]; then copy_sql auditor -c "COPY (SELECT aegis.export_ledger()) TO STDOUT" > "$file"; fi
