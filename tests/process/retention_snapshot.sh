#!/usr/bin/env bash
# Whoever took a snapshot when a cut was recorded, and before its entry was sealed, still sees what was cut: the partition that
# became empty is not dropped under them, and their verification finds nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
preload
settings "fsync = off" "aegis.seal_interval = '500ms'"
begin_signer retention.example
must_start
query "CREATE EXTENSION aegis; CREATE ROLE olga LOGIN IN ROLE aegis_operator; CREATE ROLE otto LOGIN IN ROLE aegis_operator; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
  SELECT aegis.declare_event('retention.done', 'for the test of retention')" > /dev/null
# A receipt of the newest checkpoint, as an agent would bring one: tests/process/anchor.sh has one that does.
query "CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
anchor() {
  query "SELECT tamper(\$\$INSERT INTO aegis.anchor_receipt (anchor, checkpoint, kind, place, digest, anchored_at)
    SELECT 'test', number, 'file', 'test', sha256(convert_to(note, 'UTF8')), now() FROM aegis.checkpoint ORDER BY number DESC LIMIT 1\$\$)" > /dev/null
}
for tenant in acme other; do eval "$tenant=\$(query \"SELECT aegis.create_tenant('$tenant', '$tenant')\")"; done
must_have_worker
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
# fill TENANT COUNT
fill() { query "BEGIN; SELECT aegis.assume_tenant('$1', 'test', 'T-1', false); SELECT count(aegis.record('retention.done')) FROM generate_series(1, $2); COMMIT; SELECT aegis.wait_sealed('60 s')" > /dev/null; }

# A partition that only this tenant writes to.
query "SELECT setval('aegis.entry_seq', 2 * 4194304)" > /dev/null
fill "$acme" 1000
query "SELECT setval('aegis.entry_seq', 3 * 4194304)" > /dev/null
fill "$other" 3
query "SELECT aegis.wait_checkpoint('60 s')" > /dev/null
anchor
as_role olga -c "SELECT aegis.set_ledger_retention('$acme', '0', 'test')" > /dev/null
as_role auditor -c "COPY (SELECT aegis.export_ledger('$acme')) TO STDOUT" > "$place/acme.bundle"
said=$("$verify" bundle "$place/acme.bundle" | sed -n 's/^statement  *//p')
request=$(as_role olga -c "SELECT aegis.request_tenant_action('cut_ledger', '$acme', 'acme', 'policy', until || ':$said') FROM aegis.cuttable('$acme')")
as_role otto -c "SELECT aegis.approve_tenant_action($request, 'acme')" > /dev/null

# The snapshot of the same session, right behind the cut: nobody is faster. It reads nothing yet, so it has no lock on entries.
coproc reader { as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres 2>&1; }
printf '%s\n' "SET SESSION AUTHORIZATION otto;" "SELECT aegis.cut_ledger($request, 'acme');" "RESET SESSION AUTHORIZATION;" \
  "BEGIN ISOLATION LEVEL REPEATABLE READ;" "SELECT count(*) FROM aegis.ledger_cut;" >&"${reader[1]}"
read -r job <&"${reader[0]}"
read -r seen <&"${reader[0]}"
is "the snapshot knows the cut" "$seen" 1
is "the cut is made" "$(query "SELECT aegis.wait_job($job, '60 s')")" 'done'
is "nobody else sees them" "$(query "SELECT count(*) FROM aegis.entry WHERE tenant_id = '$acme' AND seq < 3 * 4194304")" 0
printf '%s\n' "SELECT count(*) >= 1000 FROM aegis.entry WHERE tenant_id = '$acme' AND seq < 3 * 4194304;" \
  "SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding';" "COMMIT;" '\q' >&"${reader[1]}"
read -r seen <&"${reader[0]}"
is "the snapshot shows the entries" "$seen" t
read -r found <&"${reader[0]}"
is "the snapshot verifies" "$found" 0
finish
