#!/usr/bin/env bash
# Whoever unloads the library can change the ledger. A superuser does, every edit of tamper_edits.py (every third one without
# AEGIS_LONG=yes) in a copy of the database; back under the library it is told who finds it: verification alone, with a checkpoint that was kept,
# aegis-verify with a head that was kept, the signer. docs/tamper-detection.md has the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

# The server's user must be able to run them, wherever the repository lies.
for program in aegis-verify aegis-signer; do
  install -m 0755 "$(built $program)" "$place/$program"
done
install -d -m 0755 "$place/tests" "$place/tests/process" "$place/tests/independent" "$place/tests/oracle"
install -m 0644 -t "$place/tests/process" tests/process/tamper*.py
install -m 0644 -t "$place/tests/oracle" tests/oracle/libpq.py
install -m 0644 -t "$place/tests/independent" tests/independent/*.py
driver() { as_server /usr/bin/python3 "$place/tests/process/tamper.py" "$@"; }

signer=
files=$(mktemp -d)
finished() {
  rm -rf "$files"
  if [ -n "$signer" ]; then kill "$signer" 2> /dev/null || true; fi
  end
}
trap finished EXIT
origin=tamper.example/ledger
key=$(as_server "$place/aegis-signer" init --state "$place/state" --origin "$origin")
serve=("$place/aegis-signer" serve --state "$place/state" --socket "$place/signer" --log "$place/signer.log")
if [ "$(id -u)" = 0 ]; then serve=(setpriv --reuid postgres --regid postgres --init-groups "${serve[@]}"); fi
"${serve[@]}" &
signer=$!
within 10 test -S "$place/signer"

make_cluster
preload
settings "fsync = off" "full_page_writes = off" "wal_level = minimal" "max_wal_senders = 0" "autovacuum = off" "max_wal_size = '4GB'" \
  "aegis.ledger_key = '$key'" "aegis.seal_interval = '20ms'" "aegis.checkpoint_interval = '100ms'" \
  "aegis.signer = '$place/signer'" "aegis.ledger_origin = 'tamper.example'"
must_start
query "CREATE DATABASE ledger" > /dev/null
query_database=ledger
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('tamper.done', 'for the test of tampering', '{\"n\": \"clear\"}')" > /dev/null
for tenant in one two; do query "SELECT aegis.create_tenant('$tenant', '$tenant')" > /dev/null; done
# fill_tenant TENANT COUNT: so many entries of it, sealed and signed.
fill_tenant() {
  query "SELECT aegis.wait_sealed('60 s')" > /dev/null  # a worker is there to take charges
  query "BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenant WHERE slug = '$1'), 'tampering', 'T-1', false);
         SELECT count(aegis.record('tamper.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, $2) n; COMMIT" > /dev/null
  query "SELECT aegis.wait_checkpoint('60 s')" > /dev/null
}
# fill COUNT: so many of each tenant.
fill() {
  fill_tenant one "$1"
  fill_tenant two "$1"
}
fill 300
# Who keeps checkpoints; the authority of time stamps is made here.
as_server tee "$place/tsa.cnf" > /dev/null << 'CNF'
[tsa]
default_tsa = own
[own]
serial = ./serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
ess_cert_id_alg = sha256
CNF
printf 01 | as_server tee "$place/serial" > /dev/null
as_server openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test authority" -keyout "$place/tsa.key" -out "$place/tsa.pem" \
  -addext "basicConstraints=critical,CA:FALSE" -addext "keyUsage=critical,digitalSignature" -addext "extendedKeyUsage=critical,timeStamping" 2> /dev/null
query "SELECT aegis.register_destination(name, 'https://' || name || '.example/x') FROM unnest('{one,two,store}'::text[]) name;
  SELECT aegis.register_destination('stamp', 'http://127.0.0.1:3161/tsa'), aegis.register_destination('folder', 'drop:folder');
  SELECT aegis.register_anchor('folder', 'file', 'folder', '1 s'), aegis.register_anchor('store', 'http_put', 'store'),
    aegis.register_anchor('stamp', 'rfc3161', 'stamp', '1 s', \$pem\$$(as_server cat "$place/tsa.pem")
\$pem\$)" > /dev/null
beside() { as_server /usr/bin/python3 "$place/tests/process/tamper_beside.py" "$place" ledger; }
# A log whose beginning was cut.
query "CREATE ROLE olga LOGIN IN ROLE aegis_operator; CREATE ROLE otto LOGIN IN ROLE aegis_operator; SELECT aegis.create_tenant('three', 'three')" > /dev/null
three=$(query "SELECT id FROM aegis.tenant WHERE slug = 'three'")
fill_tenant three 300
cut_size=$(query "SELECT size FROM aegis.tenant_log WHERE tenant_id = '$three'")
fill_tenant three 250  # so that a whole bundle of tiles lies between the edge and the entry that tells of it
beside  # a cut wants to be proven outside
as_role olga -c "SELECT aegis.set_ledger_retention('$three', '0', 'test')" > /dev/null
query "COPY (SELECT aegis.export_ledger('$three')) TO STDOUT" > "$files/three"
statement=$("$place/aegis-verify" bundle "$files/three" | sed -n 's/^statement  *//p')
request=$(as_role olga -c "SELECT aegis.request_tenant_action('cut_ledger', '$three', 'three', 'policy', '$cut_size:$statement')")
job=$(as_role otto -c "SELECT aegis.approve_tenant_action($request, 'three')" -c "SELECT aegis.cut_ledger($request, 'three')" | tail -n 1)
is "the beginning of a log is cut" "$(query "SELECT aegis.wait_job($job, '60 s'); SELECT size FROM aegis.ledger_cut")" "done
$cut_size"
# Who cosigns: tests/vectors/cosignature_v1.json has the keys.
query "SELECT aegis.register_witness('witness.example/one+2152e6a7+BM0Us3+VbpUxlP9/tzs9gdzFYdYadTgJS3w+GmQ+5fOq', 'one'),
    aegis.register_witness('witness.example/two+ca4876b6+BE/QmczUfXiT3+nsJEFOyw2bVCAjKq0w2RxGW+M8vmXE', 'two', false)" > /dev/null
beside
fill 10
beside
# What else lies beside the ledger.
query "SELECT aegis.hold_ledger(id, 'case'), aegis.set_ledger_retention(id, '7 years', 'policy'), aegis.request_tenant_action('erase', id, slug, 'over') FROM aegis.tenant" > /dev/null
fill 10
query "CREATE DATABASE older TEMPLATE ledger ALLOW_CONNECTIONS false" > /dev/null
fill 220  # so many that a second node of level 8 is stored
beside
# What an auditor keeps.
query "SELECT aegis.latest_checkpoint()" | as_server tee "$place/kept.note" > /dev/null
query "SELECT seal FROM aegis.checkpoint ORDER BY number DESC LIMIT 1" | as_server tee "$place/kept.seal" > /dev/null
query "COPY (SELECT aegis.export_ledger()) TO STDOUT" | as_server "$place/aegis-verify" bundle - --keep "$place/kept.head" > /dev/null
fill 10
query "SELECT size FROM aegis.checkpoint ORDER BY number DESC LIMIT 1" | as_server tee "$place/signed.size" > /dev/null
as_server tee "$place/ledger.key" > /dev/null <<< "$key"
stop

settings "shared_preload_libraries = ''"
must_start
driver edit "$place" "$bin/psql" || { echo "not ok the edits"; exit 1; }
stop

# Without processes of its own the library only reads: no copy is sealed further.
settings "shared_preload_libraries = 'aegis'" "aegis.signer = ''" "aegis.ledger_origin = ''" "max_worker_processes = 0"
must_start
driver check "$place" "$bin/psql" "$place/aegis-verify" || failed=1
long=()
if [ "${AEGIS_LONG:-no}" = yes ]; then long=(long); else echo "skip every edit, every row and every byte of the ledger (long)"; fi
as_server /usr/bin/python3 "$place/tests/process/tamper_columns.py" check "$place" "$place/aegis-verify" ledger "${long[@]}" || failed=1
finish
