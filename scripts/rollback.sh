#!/usr/bin/env bash
# scripts/rollback.sh [FILE]
#
# What a restored backup looks like to the signer: copies the private cluster, lets the cluster do more work, and starts
# the copy with the same settings, as if it had been put in the cluster's place. Prints what the copy's server log says. With
# FILE, the copy's export goes there. The copy is removed; the cluster goes on.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"
. "$scripts/lib/signer.sh"

file=${1:-}
server_running || fail "the server does not run" "Start it with ./aegis up --detach."
signer_running || fail "the signer does not run" "Start it with ./aegis up --detach."
cd "$home"
copy=$(as_server mktemp -d "$home/server/scratch.XXXXXX")
end() {
  as_server "$pg_bin/pg_ctl" stop -s -m immediate -D "$copy/data" > /dev/null 2>&1 || true
  as_server rm -rf "$copy"
}
trap end EXIT

# An entry, sealed: an operator looks at a tenant.
work() {
  sql -U operator -o /dev/null -c "SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants() LIMIT 1), 'work after the backup', 'WALK')" \
    -c "SELECT aegis.wait_sealed()"
}

echo "backing the cluster up"
as_server "$pg_bin/pg_basebackup" -h "$socket" -U postgres -D "$copy/data" -c fast
work
work
work
echo "more work: $(sql -At -U auditor -c "SELECT aegis.wait_checkpoint()") heads are signed now"
echo "starting the backup with the same settings"
as_server "$pg_bin/pg_ctl" start -s -w -t 60 -D "$copy/data" -l "$copy/log" -o "-c unix_socket_directories='$copy'" \
  || { as_server tail -n 20 "$copy/log"; exit 1; }
refused() { as_server grep -A 1 "the signer refused" "$copy/log"; }
for ((tries = 0; tries < 100; tries++)); do
  if refused > /dev/null; then break; fi
  sleep 0.2
done
echo "its server log:"
refused | sed -E 's/^.*(WARNING|DETAIL): +/\1: /' || fail "the signer refused nothing" "./aegis logs signer shows what it was asked."
copy_sql() { as_server "$pg_bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$copy" -U auditor -d "$database" -c "$1"; }
echo "its health: $(copy_sql "SELECT aegis.health()")"
if [ -n "$file" ]; then copy_sql "COPY (SELECT aegis.export_ledger()) TO STDOUT" > "$file"; fi
