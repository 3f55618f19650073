#!/usr/bin/env bash
# Anchors of every kind, carried by aegis-agent: a folder, a store over HTTP, and a time stamp authority that is OpenSSL's own.
# What is anchored is checked by openssl and aegis-verify; and a ledger that was restored together with its signer is refused
# by whatever was anchored of the other history.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
preload
begin_signer test.example/ledger
chmod 0711 "$place"
install -m 0755 -t "$place" "$(built aegis-agent)" tests/process/anchor_server.py
if [ "$(id -u)" = 0 ]; then other_user=(setpriv --reuid nobody --regid nogroup --clear-groups); else other_user=(env); fi
as_agent() { "${other_user[@]}" "$@"; }
outside=$(as_agent mktemp -d /tmp/aegis-anchor.XXXXXX)
others=()
finished() {
  for process in "${others[@]}"; do kill -KILL "$process" 2> /dev/null || true; done
  end_signer
  rm -rf "$outside"
}
trap finished EXIT

# Two authorities for time stamps, one for TLS: made here, for this test.
cat > "$place/ts.cnf" << 'CNF'
[tsa]
default_tsa = own
[own]
serial = ./serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
ess_cert_id_alg = sha256
CNF
as_agent install -m 0644 "$place/ts.cnf" "$outside/ts.cnf"
printf 01 | as_agent tee "$outside/serial" > /dev/null
# certify NAME AUTHORITY USAGE ...: a certificate below an authority
authority() {
  as_agent openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test authority $1" -keyout "$outside/$1-ca.key" \
    -out "$outside/$1-ca.pem" -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" 2> /dev/null
  as_agent openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Test $1" -keyout "$outside/$1.key" -out "$outside/$1.csr" 2> /dev/null
  printf '%s\n' "$2" | as_agent tee "$outside/$1.ext" > /dev/null
  as_agent openssl x509 -req -in "$outside/$1.csr" -CA "$outside/$1-ca.pem" -CAkey "$outside/$1-ca.key" -CAcreateserial -days 2 \
    -extfile "$outside/$1.ext" -out "$outside/$1.pem" 2> /dev/null
}
authority one 'extendedKeyUsage=critical,timeStamping'
authority two 'extendedKeyUsage=critical,timeStamping'
authority tls 'subjectAltName=DNS:localhost'
as_agent mkdir -m 0755 "$outside/store" "$outside/worm"
# No function: the numbers must be those of the programs.
"${other_user[@]}" /usr/bin/python3 "$place/anchor_server.py" "$outside" "$outside/plain.port" > /dev/null 2>&1 &
others+=($!)
"${other_user[@]}" /usr/bin/python3 "$place/anchor_server.py" "$outside" "$outside/tls.port" "$outside/tls.pem" "$outside/tls.key" > /dev/null 2>&1 &
others+=($!)
for name in plain tls; do within 10 test -s "$outside/$name.port"; done
plain=http://127.0.0.1:$(cat "$outside/plain.port")
store=https://localhost:$(cat "$outside/tls.port")/store

must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
query "SELECT aegis.declare_event('anchor.done', 'for the test of anchors')" > /dev/null
query "CREATE ROLE outbound LOGIN IN ROLE aegis_agent INHERIT" > /dev/null
query "SELECT aegis.register_destination('worm', 'drop:worm'), aegis.register_destination('store', '$store'), aegis.register_destination('tsa', '$plain/tsa')" > /dev/null
as_agent tee "$outside/agent.toml" > /dev/null << TOML
[agent]
poll_seconds = 1
[limits]
connect_seconds = 2
call_seconds = 5
[database]
socket = "$place"
name = "postgres"
user = "outbound"
[log]
file = "$outside/agent.log"
[[destination]]
url = "$store"
ca = "$outside/tls-ca.pem"
networks = ["127.0.0.1"]
[[destination]]
url = "$plain"
[[drop]]
name = "worm"
folder = "$outside/worm"
TOML
"${other_user[@]}" "$place/aegis-agent" --config "$outside/agent.toml" > /dev/null 2>&1 &
others+=($!)
within 10 grep -q '"event":"started"' "$outside/agent.log"
fill() { query "SELECT count(aegis.record('anchor.done')) FROM generate_series(1, 3)" > /dev/null; }
gives() { [ "$("${@:2}")" = "$1" ]; }
standing() { query "SELECT standing || coalesce(', ' || fault, '') FROM aegis.anchor_status WHERE name = '$1'"; }
health() { query "SELECT aegis.health() ->> 'anchor'"; }
now() { query "SELECT tamper('UPDATE aegis.anchor SET next_at = now()'); UPDATE aegis.outbox SET not_before = now() WHERE state = 'waiting'" > /dev/null; }

says "nothing to wait for without an anchor" "$(query "SELECT aegis.wait_anchored('1 s')")" 'ERROR: .*no anchor is registered'
is "health" "$(health)" off
query "SELECT aegis.register_anchor('file', 'file', 'worm', '1 s'), aegis.register_anchor('put', 'http_put', 'store', '1 s'),
  aegis.register_anchor('stamp', 'rfc3161', 'tsa', '1 s', '$(cat "$outside/one-ca.pem")')" > /dev/null
fill
size=$(query "SELECT aegis.wait_anchored('30 s')")
says "a checkpoint that covers it is anchored everywhere" "$size" '^[1-9][0-9]*$'
is "health says so" "$(health)" anchored
is "the verification counts the receipts" "$(query "SELECT bool_and(outcome = 'ok') FROM aegis.verify_ledger()")" t
is "a receipt for each" "$(query "SELECT string_agg(DISTINCT kind, ' ') FROM aegis.anchor_receipt")" "file http_put rfc3161"
number=$(query "SELECT max(checkpoint) FROM aegis.anchor_receipt WHERE kind = 'rfc3161'")
query "SELECT note FROM aegis.checkpoint WHERE number = $number" | head -c -1 > "$place/note"
query "SELECT encode(receipt, 'hex') FROM aegis.anchor_receipt WHERE checkpoint = $number AND kind = 'rfc3161'" | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' > "$place/stamp.tsr"
says "OpenSSL verifies the time stamp" "$(openssl ts -verify -in "$place/stamp.tsr" -data "$place/note" -CAfile "$outside/one-ca.pem" 2>&1 || true)" 'Verification: OK'
if [ -d tests/npm/node_modules/@sigstore/verify ]; then
  is "so does @sigstore/verify" "$(node tests/stock/stamp.mjs "$place/stamp.tsr" "$place/note" "$outside/one.pem" "$outside/one-ca.pem")" ok
  is "and takes no other checkpoint for it" "$(node tests/stock/stamp.mjs "$place/stamp.tsr" "$place/stamp.tsr" "$outside/one.pem" "$outside/one-ca.pem")" "refused: timestamp could not be verified"
else
  echo "skip a time stamp by @sigstore/verify (the packages of tests/npm are not installed: ./aegis check does that)"
fi
is "its time is close to ours" "$(query "SELECT abs(date_part('epoch', stamped_at - anchored_at)) < 60 FROM aegis.anchor_receipt WHERE checkpoint = $number AND kind = 'rfc3161'")" t
# What lies in the folder and in the store: every file is the note that its receipt says, and cannot be written.
both() { query "SELECT r.kind || ' ' || r.place || ' ' || encode(r.digest, 'hex') FROM aegis.anchor_receipt r WHERE kind <> 'rfc3161'" |
  while read -r kind name digest; do
    case $kind in file) folder=worm ;; *) folder=store ;; esac
    [ "$(sha256sum < "$outside/$folder/${name##*/}" | cut -d ' ' -f 1)" = "$digest" ] || echo "differs: $name"
  done; }
is "files are what the receipts say" "$(both)" ""
is "nobody can write them" "$(find "$outside/worm" -type f ! -perm 0444)" ""
is "nothing is recorded of it, so the ledger rests" "$(sleep 1; before=$(query "SELECT max(size) FROM aegis.checkpoint"); sleep 1; [ "$(query "SELECT max(size) FROM aegis.checkpoint")" = "$before" ] && echo rests)" rests

# An answer is lost: what is there is looked at, and counts.
as_agent touch "$outside/lose"
fill
within 20 test ! -e "$outside/lose"
query "UPDATE aegis.outbox SET not_before = now() WHERE state = 'waiting'" > /dev/null
says "an answer that was lost is no harm" "$(query "SELECT aegis.wait_anchored('30 s')")" '^[1-9][0-9]*$'
is "and no refusal" "$(standing put)" anchoring
# Half a file under the name of the next checkpoint, as a crash leaves it, and a page of a store that wants a password: no history.
query "SELECT aegis.wait_sealed('20 s')" > /dev/null
held=$(query "SELECT max(size) FROM aegis.checkpoint")
log_hex=$(query "SELECT split_part(note, E'\n', 1) FROM aegis.checkpoint LIMIT 1" | tr -d '\n' | sha256sum | cut -d' ' -f1)
junk() { for next in $(seq $((held + 1)) $((held + 40))); do printf 'test' | as_agent tee "$1/$(printf '%s.%020d.checkpoint' "$log_hex" "$next")" > /dev/null; done; }
for folder in worm store; do junk "$outside/$folder"; done
fill
others_lie() { [ "$(standing file) $(standing put)" = "hindered, something else lies under its name hindered, something else lies under its name" ]; }
is "what nobody signed is no other history" "$(within 20 others_lie && health)" anchored
is "and is not recorded as one" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'ledger.anchor_refused'")" 0
as_agent find "$outside/worm" "$outside/store" -size -5c -type f -delete
now
says "the next one is anchored" "$(query "SELECT aegis.wait_anchored('30 s')")" '^[1-9][0-9]*$'
# Nothing that is written waits for an anchor, and somebody else's stamp is none.
as_agent touch "$outside/busy" "$outside/other"
fill
says "writes go on while anchors do not" "$(query "SELECT aegis.wait_checkpoint('20 s')")" '^[1-9][0-9]*$'
is "the stamp of another authority is none" "$(within 20 gives "hindered, what it sent is no time stamp of the checkpoint that leads to its authorities" standing stamp && echo none)" none
says "and is not waited for" "$(query "SELECT aegis.wait_anchored('500 ms')")" 'ERROR: .*no anchored checkpoint'
as_agent rm "$outside/busy" "$outside/other"
now
says "later it is anchored" "$(query "SELECT aegis.wait_anchored('30 s')")" '^[1-9][0-9]*$'

# Both the database and the signer are restored to an older state, and another history begins: nobody here can tell.
stop
{ kill -KILL "$signer_pid" && wait "$signer_pid"; } 2> /dev/null || true
as_server cp -a "$cluster" "$place/older"
as_server cp -a "$place/signer/state" "$place/signer/older"
sign_again() {
  rm -f "$place/signer/socket"
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid postgres --regid postgres --init-groups "$place/aegis-signer" serve --state "$place/signer/state" --socket "$place/signer/socket" --log "$place/signer/log" &
  else
    "$place/aegis-signer" serve --state "$place/signer/state" --socket "$place/signer/socket" --log "$place/signer/log" &
  fi
  signer_pid=$!
  within 10 test -S "$place/signer/socket"
}
sign_again
must_start
for _ in 1 2 3 4; do
  fill
  query "SELECT aegis.wait_anchored('30 s')" > /dev/null
done
stop
{ kill -KILL "$signer_pid" && wait "$signer_pid"; } 2> /dev/null || true
as_server rm -rf "$cluster" "$place/signer/state"
as_server mv "$place/older" "$cluster"
as_server mv "$place/signer/older" "$place/signer/state"
sign_again
must_start
# Heads of the other history take the sizes that were anchored: one of them meets its file. Each is waited for: the next would
# pass it by.
taken() {
  now
  [ "$(query "SELECT bool_or(standing = 'refused') OR bool_and(behind_since IS NULL) FROM aegis.anchor_status WHERE kind <> 'rfc3161'")" = t ]
}
collide() {
  for _ in $(seq 40); do
    query "SELECT aegis.record('anchor.done')" > /dev/null
    query "SELECT aegis.wait_checkpoint('20 s')" > /dev/null
    within 10 taken
    if [ "$(query "SELECT bool_or(standing = 'refused') FROM aegis.anchor_status")" = t ]; then echo met; return; fi
  done
}
is "the other history meets what was anchored" "$(collide)" met
is "health is degraded" "$(health), $(query "SELECT aegis.health() ->> 'status'")" "refused, degraded"
says "it is recorded" "$(query "SELECT string_agg(DISTINCT detail ->> 'reason', ',') FROM aegis.audit_log WHERE event = 'ledger.anchor_refused'")" '^other history$'
says "the server's log says so" "$(grep -E 'WARNING: .*holds another checkpoint of size' "$log" | head -n 1)" 'anchor "(file|put)" holds another checkpoint'
is "nothing was written over" "$(python3 - "$outside/worm" "$vkey" << 'PYTHON'
import os, sys
sys.path.insert(0, "tests/independent")
import aegis_anchor as a
import aegis_note as n
key = n.read_note_key(sys.argv[2])
for name in sorted(os.listdir(sys.argv[1])):
    note = open(os.path.join(sys.argv[1], name), "rb").read()
    if a.anchored_note(note, key) != note or a.anchor_name(note) != name:
        print(name)
PYTHON
)" ""
finish
