#!/usr/bin/env bash
# The commands of the auditor's guide run as they stand there, as an auditor who has no other right, and find what was done.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
preload
settings "aegis.coverage_interval = 1"
begin_signer example.com/test
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE ROLE auditor LOGIN IN ROLE aegis_auditor; CREATE ROLE member LOGIN IN ROLE aegis_member; CREATE ROLE boss LOGIN IN ROLE aegis_operator" > /dev/null
must_have_worker
signing() { [ "$(query "SELECT aegis.latest_checkpoint() IS NOT NULL")" = t ]; }
within 30 signing || { echo "not ok auditor/checkpoints are signed"; exit 1; }

# What there is to find.
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'look', 'T-1'); COMMIT" -U boss > /dev/null
query "CREATE TABLE parcel (id int PRIMARY KEY); SELECT aegis.audit_table('parcel'); INSERT INTO parcel VALUES (1); ALTER TABLE parcel ADD note text" > /dev/null
query "CREATE ROLE ghost SUPERUSER; GRANT SELECT ON parcel TO member; ALTER DATABASE postgres SET aegis.pooler = 'none'" > /dev/null
query "SELECT outcome FROM aegis.sign_in('acme', 'a@example.test', 'nonsense', '192.0.2.7', 'probe/1', 'r')" -U member > /dev/null
query "SELECT count(*) FROM pg_stat_activity" -U member > /dev/null || true
written() { [ "$(query "SELECT count(DISTINCT event) FROM aegis.audit_log WHERE event IN ('auth.sign_in_failed', 'access.refused', 'audit.coverage')")" = 3 ]; }
within 30 written || { echo "not ok auditor/what was refused is recorded"; failed=1; }

# Where the auditor works.
desk=$(mktemp -d)
trap 'end_signer; rm -rf "$desk"' EXIT
mkdir "$desk/bin"
ln -s "$verify" "$desk/bin/aegis-verify"
ln -s "$bin/psql" "$desk/bin/psql"
echo "$vkey" > "$desk/log.key"
chmod -R a+rX "$desk"
[ "$(id -u)" != 0 ] || chown -R postgres "$desk"
at_desk() { as_server env -C "$desk" PATH="$desk/bin:$PATH" PGHOST="$place" PGUSER=auditor PGDATABASE=postgres "$@"; }

python3 - docs/auditor.md "$desk" << 'PYTHON'
import re, sys
page, desk = sys.argv[1:]
blocks = re.findall(r"^```(sh|sql)\n(.*?)^```", open(page).read(), re.M | re.S)
for number, (kind, text) in enumerate(blocks):
    open(f"{desk}/{number:02}.{kind}", "w").write(text)
PYTHON
for block in "$desk"/*.s*; do
  name="auditor/block $(basename "$block")"
  if case $block in
    *.sh) at_desk bash -euo pipefail "$block" ;;
    *) at_desk psql -XAt -v ON_ERROR_STOP=1 -f "$block" ;;
  esac > "$block.out" 2>&1; then echo "ok $name"; else
    echo "not ok $name"
    cat "$block" "$block.out"
    failed=1
  fi
done
said() { cat "$desk"/*.out; }
says "auditor/what was done is found" "$(said)" '^entries\|all tenants\|ok' '^compared' '^ok\|[0-9]+$' '^result +ok' '\|192\.0\.2\.7\|probe/1' \
  'boss in aegis_operator' 'ghost, superuser' 'public.parcel.*member: SELECT' 'aegis.pooler in database postgres' 'ddl.changed\|success\|public.parcel' \
  "boss\|$tenant\|success" 'audit_meta\|1$' 'access.refused\|member' 'key.tenant_created' '1 of 1 tables'
is "auditor/nothing that does not fit" "$(said | grep -c '^finding' || true)" 0
is "auditor/an auditor changes nothing" "$(query "INSERT INTO parcel VALUES (2)" -U auditor | head -n 1)" "ERROR:  permission denied for table parcel"
finish
