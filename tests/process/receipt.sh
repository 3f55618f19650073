#!/usr/bin/env bash
# Receipts that a database gives out, checked where there is no database: by aegis-verify and by the independent reader.
# The entries: of a tenant, of a transaction that outlived seals, of a prepared one, of a bulk load, of another epoch.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

verify=$(built aegis-verify)
files=$(mktemp -d)
trap 'end; rm -rf "$files"' EXIT

make_cluster
preload
settings "max_prepared_transactions = 2" "autovacuum = off"
must_start
query "CREATE EXTENSION aegis; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
  CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")
query "SELECT aegis.declare_event('receipt.done', 'for the test of receipts', '{\"n\": \"clear\"}')" > /dev/null
record="aegis.record('receipt.done', 'thing', detail => jsonb_build_object('n', n), target_id =>"

# The slow transaction is open while others are sealed; the prepared one too.
mkfifo "$files/pipe"
as_server "$bin/psql" -XAtq -h "$place" -U postgres < "$files/pipe" > /dev/null &
exec 3> "$files/pipe"
printf "BEGIN; SELECT %s 'slow') FROM generate_series(1, 3) n;\n" "$record" >&3
is_open() { [ "$(query "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%slow%'")" = 1 ]; }
within 30 is_open
query "BEGIN; SELECT count($record 'prepared')) FROM generate_series(1, 2) n; PREPARE TRANSACTION 'p'" > /dev/null
query "SELECT count($record 'quick')) FROM generate_series(1, 4) n" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
query "SELECT count($record 'bulk')) FROM generate_series(1, 3000) n" > /dev/null
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'test', 'T-1', false); SELECT count($record 'tenant')) FROM generate_series(1, 5) n; COMMIT" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
echo "COMMIT; \\q" >&3
exec 3>&-
wait
query "COMMIT PREPARED 'p'" > /dev/null
query "SELECT aegis.begin_epoch('test')" > /dev/null
query "SELECT count($record 'epoch')) FROM generate_series(1, 2) n" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null  # a transaction of its own: what it waits for has committed

# Signed by a published test key, as aegis-signer would.
origin='receipts.example/postgres'
sign() {
  python3 - "$origin" "$1" "$2" << 'PY'
import sys
sys.path.insert(0, "tests/independent")
import aegis_note as n
seed, origin = bytes(range(0x40, 0x60)), sys.argv[1]
sys.stdout.write(n.signed_note(n.checkpoint(origin, int(sys.argv[2]), bytes.fromhex(sys.argv[3])), origin, seed))
PY
}
key=$(python3 -c 'import sys; sys.path.insert(0, "tests/independent"); import aegis_cipher, aegis_note as n; o = sys.argv[1]
print(n.note_key(o, 1, aegis_cipher.ed25519_sign(bytes(range(0x40, 0x60)), b"")[0]))' "$origin")
read -r seal size root < <(query "SELECT number, root_size, encode(root, 'hex') FROM aegis.seal ORDER BY number DESC LIMIT 1" -F ' ')
sign "$size" "$root" > "$files/note"
query "SELECT tamper(format('INSERT INTO aegis.checkpoint VALUES (1, $seal, $size, %L, now(), %L)', '\\x$root'::bytea, \$note\$$(cat "$files/note")
\$note\$))" > /dev/null
is "the checkpoint is the newest" "$(query "SELECT aegis.latest_checkpoint()")" "$(cat "$files/note")"

# checks NAME TARGET: the receipt of the last entry with the target; two readers.
# psql ends each value with a line end of its own.
receipt() { query "SELECT aegis.receipt(tenant_id, leaf) FROM aegis.audit_log WHERE target_id = '$1' ORDER BY seq DESC LIMIT 1" -U auditor | sed '$d'; }
receipt quick > "$files/quick" && echo >> "$files/quick"
says "as psql writes it" "$("$verify" proof "$files/quick" --key "$key" 2>&1)" '^result +ok'
for target in quick slow prepared bulk tenant epoch; do
  receipt "$target" > "$files/$target"
  output=$("$verify" proof "$files/$target" --key "$key" --origin "$origin" 2>&1) || true
  says "$target: aegis-verify" "$output" '^result +ok' '^event +receipt.done$' "^target_id +$target\$" "^checkpoint +of \"$origin\" at size $size, root $root\$"
  says "$target: the independent reader" "$(python3 tests/independent/aegis_receipt.py "$files/$target" "$key" "$origin" 2>&1)" "^9 \['thing', '$target'\]\$"
done
says "the tenant's, for the tenant" "$("$verify" proof "$files/tenant" --key "$key" --tenant "$tenant" --json 2>&1)" '"result": "ok"' "\"tenant\": \"$tenant\"" '"detail": \{"n": 5\}'

# refuses NAME PATTERN FILE [ARGUMENT ...]
refuses() {
  local name=$1 wanted=$2 file=$3 status=0 output
  shift 3
  output=$("$verify" proof "$file" "$@" 2>&1) || status=$?
  says "$name" "status $status
$output" '^status [12]$' "$wanted"
}
refuses "the system's, for the tenant" '^finding: it is an entry of the system' "$files/slow" --key "$key" --tenant "$tenant"
refuses "another log's checkpoint" '^finding: it is a checkpoint of another log' "$files/slow" --key "$key" --origin receipts.example/other
refuses "the tenant's, for another log" '^finding: it is an entry of another log' "$files/tenant" --key "$key" --log "$(printf '%064d' 1)"
# The entry of one receipt in the other: its extra belongs to another head.
{ head -n 1 "$files/slow"; sed -n 2p "$files/tenant"; tail -n +3 "$files/slow"; } > "$files/mixed"
refuses "another entry under a right head" '^finding: the checkpoint does not cover this entry' "$files/mixed" --key "$key"

# A database that lies has no receipt to give.
read -r seq leaf < <(query "SELECT seq, leaf FROM aegis.audit_log WHERE target_id = 'bulk' ORDER BY seq DESC LIMIT 1" -F ' ')
query "SELECT tamper('UPDATE aegis.entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = $seq')" > /dev/null
says "of a changed entry there is none" "$(query "SELECT aegis.receipt(NULL, $leaf)" || true)" 'the ledger is damaged: the checkpoint does not cover the entry'
finish
