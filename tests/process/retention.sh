#!/usr/bin/env bash
# The beginning of a log is cut: what aegis-verify says of the file is what the database asks for; a crash in the middle
# loses nothing else; kept receipts and later exports verify, here, offline, in the independent reader and in a restored
# dump; who moves the edge of the cut below the library is found. Empty partitions go as a whole.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
files=$(mktemp -d)
make_cluster
preload
settings "fsync = off" "full_page_writes = off" "aegis.seal_interval = '20ms'"
begin_signer retention.example
trap 'end_signer; rm -rf "$files"' EXIT
must_start
query "CREATE EXTENSION aegis; CREATE ROLE olga LOGIN IN ROLE aegis_operator; CREATE ROLE otto LOGIN IN ROLE aegis_operator; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
  SELECT aegis.declare_event('retention.done', 'for the test of retention', '{\"n\": \"clear\"}')" > /dev/null
# A receipt of the newest checkpoint, as an agent would bring one: tests/process/anchor.sh has one that does.
query "CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
anchor() {
  query "SELECT tamper(\$\$INSERT INTO aegis.anchor_receipt (anchor, checkpoint, kind, place, digest, anchored_at)
    SELECT 'test', number, 'file', 'test', sha256(convert_to(note, 'UTF8')), now() FROM aegis.checkpoint ORDER BY number DESC LIMIT 1\$\$)" > /dev/null
}
for tenant in acme other; do eval "$tenant=\$(query \"SELECT aegis.create_tenant('$tenant', '$tenant')\")"; done
# fill TENANT COUNT
fill() {
  query "BEGIN; SELECT aegis.assume_tenant('$1', 'test', 'T-1', false); SELECT count(aegis.record('retention.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, $2) n; COMMIT;
    SELECT aegis.wait_checkpoint('60 s')" > /dev/null
}
statement() { as_role auditor -c "COPY (SELECT aegis.export_ledger('$acme')) TO STDOUT" > "$files/$1.bundle"; "$verify" bundle "$files/$1.bundle" | sed -n 's/^statement  *//p'; }
# cut SIZE STATEMENT: the job.
cut_log() {
  local request
  request=$(as_role olga -c "SELECT aegis.request_tenant_action('cut_ledger', '$acme', 'acme', 'policy', '$1:$2')")
  as_role otto -c "SELECT aegis.approve_tenant_action($request, 'acme')" -c "SELECT aegis.cut_ledger($request, 'acme')" | tail -n 1
}
left() { query "SELECT count(*) FROM aegis.entry WHERE tenant_id = '$acme'"; }
findings() { query "SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome = 'finding' AND detail !~ '^[0-9]+ findings'" | sed 's/[0-9a-f]\{8\}-[0-9a-f-]*/T/g; s/[0-9][0-9]*/N/g' | sort -u; }

# A partition that only this tenant writes to: its own, once the numbers have gone on. More than one step of the job.
must_have_worker
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
query "SELECT setval('aegis.entry_seq', 2 * 4194304)" > /dev/null
query "BEGIN; SELECT aegis.assume_tenant('$acme', 'test', 'T-1', false); SELECT count(aegis.record('retention.done')) FROM generate_series(1, 200000); COMMIT; SELECT aegis.wait_sealed('60 s')" > /dev/null
query "SELECT setval('aegis.entry_seq', 3 * 4194304)" > /dev/null
fill "$other" 300
fill "$acme" 100
as_role auditor -c "SELECT aegis.receipt('$acme', 7)" > "$files/receipt"
as_role olga -c "SELECT aegis.set_ledger_retention('$acme', '0', 'test')" > /dev/null
said=$(statement before)
says "what is signed and proven nowhere else is not cut" "$(as_role olga -c "SELECT aegis.request_tenant_action('cut_ledger', '$acme', 'acme', 'policy', signed || ':$said') FROM aegis.cuttable('$acme')" || true)" \
  'no witnessed or anchored checkpoint covers some of these entries' 'Leaves below 0 are covered'
anchor
until=$(as_role olga -c "SELECT until FROM aegis.cuttable('$acme')")
says "without the statement of the file nothing is cut" "$(as_role olga -c "SELECT aegis.request_tenant_action('cut_ledger', '$acme', 'acme', 'policy', '$until:${said//[0-9]/0}')" || true)" \
  'no export of this ledger has this statement'
fill "$acme" 300  # so that a whole bundle lies between the edge and the entry that tells of it
before=$(left)
job=$(cut_log "$until" "$said")

# A crash while entries go: the job goes on where it was.
midway() { [ "$(query "SELECT done > 0 FROM aegis.job WHERE id = $job")" = t ]; }
within 60 midway || echo "not ok the cut begins"
kill -KILL "$(query "SELECT pid FROM pg_stat_activity WHERE backend_type = 'aegis jobs'")" 2> /dev/null || true
is_back() { query "SELECT 1"; }
within 60 is_back
is "the server went down once" "$(as_server grep -c 'terminated by signal 9' "$log")" 1
is "the crash came in the middle" "$(query "SELECT done < $until FROM aegis.job WHERE id = $job")" t
is "and the job ends after it" "$(query "SELECT aegis.wait_job($job, '60 s')")" 'done'
query "SELECT aegis.wait_checkpoint('60 s')" > /dev/null
is "what was cut is gone, and nothing else" "$(query "SELECT count(*) = (SELECT size FROM aegis.tenant_log WHERE tenant_id = '$acme') - $until FROM aegis.entry WHERE tenant_id = '$acme'; SELECT count(*) >= 300 FROM aegis.entry WHERE tenant_id = '$other'") $((before > 200000))" $'t\nt 1'
is "an empty partition is dropped" "$(query "SELECT to_regclass('aegis.entry_p2') IS NULL, to_regclass('aegis.entry_p3') IS NOT NULL")" 't|t'
is "the ledger verifies" "$(findings)" ""
says "and says what was cut" "$(query "SELECT detail FROM aegis.verify_ledger() WHERE checked = 'cuts' AND subject ~ 'log of'")" "^leaves below $until were cut at 2.*, asked for by olga, agreed to by otto: policy"
is "with several processes as well" "$(query "SET max_parallel_maintenance_workers = 2; SET min_parallel_table_scan_size = 0; SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'")" 0

# Offline, and by the second reader.
statement after > "$files/statement"
says "a later export verifies and says it too" "$("$verify" bundle "$files/after.bundle")" "^cut  *the log of tenant $acme below leaf $until, at .*, asked for by olga, agreed to by otto: policy" '^result  *ok'
says "so does the independent reader" "$(/usr/bin/python3 tests/independent/aegis_proof.py bundle "$files/after.bundle")" '^seal [0-9]+ hash'
says "a receipt that was kept still proves its entry" "$("$verify" proof "$files/receipt" --key "$vkey")" '^result  *ok'
says "there is no new one" "$(as_role auditor -c "SELECT aegis.receipt('$acme', 7)" || true)" 'leaf 7 was cut from the log' 'asked for it'

query "CREATE EXTENSION aegis_app" > /dev/null
says "nor an answer under its address, but when and by whom it was cut (410)" "$(query "BEGIN; SELECT aegis.assume_tenant('$acme', 'look', 'T-2'); SELECT aegis_app.get_entry(jsonb_populate_record(NULL::aegis.request, '{\"params\": {\"leaf\": \"7\"}}'))" -v VERBOSITY=verbose || true)" \
  'AG022: leaf 7 was cut from the log' '"olga" asked for it, "otto" agreed'
says "while one that is there is shown" "$(query "BEGIN; SELECT aegis.assume_tenant('$acme', 'look', 'T-2'); SELECT status FROM aegis_app.get_entry(jsonb_populate_record(NULL::aegis.request, '{\"params\": {\"leaf\": \"$until\"}}'))")" '^200$'

# The log as tiles: the bundles of what was cut are gone (410), the hashes are not.
says "a bundle of what was cut says so" "$(as_role auditor -c "SELECT aegis.log_tile('$acme', 'tile/entries/000')" -v VERBOSITY=verbose || true)" \
  'AG022: leaf 0 was cut from the log' "Leaves below $until were cut at 2.*; \"olga\" asked for it, \"otto\" agreed: policy"
python3 tests/process/tile_server.py "$bin/psql" "$place" auditor "$acme" > "$files/port" &
tiles=$!
trap 'kill "$tiles" 2> /dev/null || true; end_signer; rm -rf "$files"' EXIT
within 30 grep -q . "$files/port"
fsck() { "$verify" fsck "http://127.0.0.1:$(cat "$files/port")$1" --tenant-log --key "$vkey" 2>&1 || echo "exit $?"; }
says "and aegis-verify fsck finds nothing, but says what it did not read" "$(fsck "")" \
  "^cut +below leaf $until, at .*, asked for by olga, agreed to by otto: policy \(its leaf [0-9]+ says so\); entries below leaf [0-9]+ were not read" '^result +ok'
says "while entries that nobody cut are a finding" "$(fsck /all-gone)" 'are gone, and no entry that can be read says that they were cut' '^exit 1$'
kill "$tiles"

# A dump of the cut ledger, without the partition that is gone.
as_server "$bin/pg_dumpall" -h "$place" -U postgres --roles-only --no-role-passwords -f "$place/roles.sql"
as_server "$bin/pg_dump" -h "$place" -U postgres -Fc -f "$place/cut.dump" postgres 2> "$files/dump.log" || cat "$files/dump.log"
stop

# Past the library: the edge is moved, and one entry more goes.
settings "shared_preload_libraries = ''"
must_start
query "ALTER EVENT TRIGGER aegis_ddl_end DISABLE; ALTER EVENT TRIGGER aegis_ddl_drop DISABLE; ALTER TABLE aegis.ledger_cut DISABLE TRIGGER ALL; ALTER TABLE aegis.entry DISABLE TRIGGER ALL; ALTER TABLE aegis.entry_p3 DISABLE TRIGGER ALL;
  CREATE TABLE kept AS SELECT * FROM aegis.entry WHERE tenant_id = '$acme' ORDER BY seq LIMIT 30;
  DELETE FROM aegis.entry WHERE seq IN (SELECT seq FROM kept); UPDATE aegis.ledger_cut SET size = size + 30" > /dev/null
stop
settings "shared_preload_libraries = 'aegis'"
must_start
says "a moved edge is found" "$(findings)" '^cuts\|the log of tenant T\|the cut at size N: its columns say something else than its entry$' \
  '^entries\|entry seq N\|leaf N of the log of tenant T, seal N: it is sealed and missing: it was deleted$'
as_role auditor -c "COPY (SELECT aegis.export_ledger('$acme')) TO STDOUT" > "$files/moved.bundle"
says "and in a file, where it cannot be told from a cut otherwise" "$("$verify" bundle "$files/moved.bundle" || true)" 'have no body, and no entry of the log says that they were cut: they were deleted' '^result  *1 findings'
stop

cluster=$place/second
as_server rm -f "$place/keyring"
make_cluster
preload
settings "aegis.restore_mode = on" "fsync = off" "aegis.seal_interval = '20ms'"
must_start
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -f "$place/roles.sql" > /dev/null 2>&1 || true
query "CREATE DATABASE test" > /dev/null
query_database='test'
is "pg_restore of a cut ledger has no complaint" "$(as_server "$bin/pg_restore" -h "$place" -U postgres -d test --exit-on-error "$place/cut.dump" 2>&1)" ""
settings "aegis.restore_mode = off"
stop
must_start
as_role olga -c "SELECT aegis.begin_epoch('restored')" > /dev/null
fill_restored() { query "SELECT aegis.wait_sealed('60 s') > 0"; }
is "it goes on" "$(fill_restored)" t
is "and verifies" "$(findings)" ""
is "and knows the cut" "$(query "SELECT size FROM aegis.ledger_cuts WHERE tenant_id = '$acme'; SELECT to_regclass('aegis.entry_p2') IS NULL")" "$until"$'\nt'
finish
