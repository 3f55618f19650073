#!/usr/bin/env bash
# A ledger, its signer and its witnesses: checkpoints are cosigned as the ledger grows, whatever happens to any of them, and
# a ledger that was restored together with its signer is still refused by whoever was not.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

verify=$(built aegis-verify)
make_cluster
preload
begin_signer test.example/ledger
chmod 0711 "$place"
install -m 0755 "$verify" "$place/aegis-verify"
witnesses=()
agent=
finished() {
  if [ -n "$agent" ]; then kill -KILL "$agent" 2> /dev/null || true; fi
  for pid in "${witnesses[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
  end_signer
}
trap finished EXIT
# A witness is somebody else's process, with a state of its own that nothing here restores.
# begin_witness NAME: $address[NAME] and $vkey_of[NAME]; watch NAME starts it.
declare -A address vkey_of
begin_witness() {
  vkey_of[$1]=$("$place/aegis-verify" witness init --state "$place/witness.$1" --name "witness.example/$1")
  "$place/aegis-verify" witness add --state "$place/witness.$1" --log-key "$vkey"
}
root=()
if [ "$(id -u)" = 0 ]; then root=(--allow-root); fi
watch() {
  "$place/aegis-verify" witness serve --state "$place/witness.$1" --listen 127.0.0.1:0 --log "$place/witness.$1.log" "${root[@]}" &
  witnesses+=($!)
  within 10 grep -q '"started"' "$place/witness.$1.log"
  address[$1]=$(sed -nE 's/.*"started","address":"([^"]*)".*/\1/p' "$place/witness.$1.log" | tail -n 1)
}
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
query "SELECT aegis.declare_event('witness.done', 'for the test of witnesses')" > /dev/null
query "CREATE ROLE agent LOGIN IN ROLE aegis_agent INHERIT" > /dev/null
carry() { python3 tests/process/witness_agent.py "$bin/psql" "$place" agent "$@" "one=${address[one]-none}" "two=${address[two]-none}"; }
begin_agent() {
  # exec keeps the process: the number is that of the agent.
  (exec python3 tests/process/witness_agent.py "$bin/psql" "$place" agent loop "one=${address[one]-none}" "two=${address[two]-none}") &
  agent=$!
}
end_agent() {
  kill -TERM "$agent"
  wait "$agent"
  agent=
}
fill() { query "SELECT count(aegis.record('witness.done')) FROM generate_series(1, 10)" > /dev/null; }
cosigned_size() { "$place/aegis-verify" witness status --state "$place/witness.$1" | sed -E 's/.*size ([0-9]+).*/\1/'; }
health() { query "SELECT aegis.health() ->> 'witness'"; }
gives() { [ "$("${@:2}")" = "$1" ]; }

begin_witness one
begin_witness two
watch one
says "nothing to wait for without a witness" "$(query "SELECT aegis.wait_witnessed('1 s')")" 'ERROR: .*no witness is registered'
is "health" "$(health)" off
query "SELECT aegis.register_destination('one', 'https://one.example/w'), aegis.register_destination('two', 'https://two.example/w')" > /dev/null
says "the ledger's own key is no witness" "$(query "SELECT aegis.register_witness('$(python3 - "$vkey" << 'PYTHON'
import sys
sys.path.insert(0, "tests/independent")
import aegis_note as n
print(n.note_key("witness.example/self", n.COSIGNATURE, n.read_note_key(sys.argv[1])[3]))
PYTHON
)', 'one')")" 'ERROR: .*the key that signs the ledger is no witness of it'
is "registered" "$(query "SELECT aegis.register_witness('${vkey_of[one]}', 'one')")" witness.example/one
fill
says "nobody carries the question yet" "$(query "SELECT aegis.wait_witnessed('500 ms')")" 'ERROR: .*no witnessed checkpoint' 'DETAIL: .*"signing", cosigning at "cosigned"'
begin_agent
size=$(query "SELECT aegis.wait_witnessed('30 s')") 
says "the checkpoint that covers it is cosigned" "$size" '^[1-9][0-9]*$'
query "SELECT aegis.witnessed_checkpoint()" > "$place/note"
is "it is the one of that size" "$(sed -n 2p "$place/note")" "$size"
is "a second reader finds both signatures" "$(python3 - "$place/note" "$vkey" "${vkey_of[one]}" << 'PYTHON'
import sys
sys.path.insert(0, "tests/independent")
import aegis_note as n
note = open(sys.argv[1], "rb").read()
note = note[:-1] if note.endswith(b"\n\n") else note
print(n.is_signed(n.read_note(note), n.read_note_key(sys.argv[2])), n.cosigners(note, [n.read_note_key(sys.argv[3])]))
PYTHON
)" "True [0]"
query "SELECT aegis.receipt(NULL, 0)" > "$place/receipt"
says "a receipt carries it" "$("$verify" proof "$place/receipt" --key "$vkey" --witness "${vkey_of[one]}")" '^witnesses +cosigned by "witness.example/one" at ' '^result +ok'
query "SELECT * FROM aegis.export_ledger()" > "$place/bundle"
says "and a bundle is compared with it" "$("$verify" bundle "$place/bundle" --checkpoint "$place/note" --key "$vkey" --witness "${vkey_of[one]}")" 'signed and cosigned checkpoints' '^result +ok'
is "health says so" "$(health)" cosigned
is "the verification counts it" "$(query "SELECT bool_and(outcome = 'ok') FROM aegis.verify_ledger()")" t
is "nothing is recorded of it, so the ledger rests" "$(sleep 1; before=$(query "SELECT max(size) FROM aegis.checkpoint"); sleep 1; [ "$(query "SELECT max(size) FROM aegis.checkpoint")" = "$before" ] && echo rests)" rests

# A second one that is required, and away.
is "another" "$(query "SELECT aegis.register_witness('${vkey_of[two]}', 'two')")" witness.example/two
fill
says "one of two is not enough" "$(query "SELECT aegis.wait_witnessed('1 s')")" 'ERROR: .*no witnessed checkpoint'
is "the first went on alone" "$(within 10 gives "$(query "SELECT max(size) FROM aegis.checkpoint")" cosigned_size one && echo yes)" yes
query "SELECT aegis.latest_checkpoint()" > "$place/note.one"
says "who checks says what is enough" "$("$verify" bundle "$place/bundle" --checkpoint "$place/note.one" --key "$vkey" --witness "${vkey_of[one]}" --witness "${vkey_of[two]}" 2>&1 || true)" \
  'cosigned by 1 of 2 witnesses; not by "witness.example/two"'
end_agent
watch two
query "UPDATE aegis.outbox SET not_before = now() WHERE state = 'waiting'" > /dev/null
begin_agent
fill
says "with the second it is" "$(query "SELECT aegis.wait_witnessed('30 s')")" '^[1-9][0-9]*$'
query "SELECT aegis.witnessed_checkpoint()" > "$place/note"
is "both stand in it" "$(grep -c 'witness.example' "$place/note")" 2
is "dropped" "$(query "SELECT aegis.drop_witness('witness.example/two')"; query "SELECT count(*) FROM aegis.witnesses")" "
1"
end_agent

# An answer is lost: the witness is further than the database knows.
fill
query "SELECT aegis.wait_checkpoint('20 s')" > /dev/null
within 10 gives t query "SELECT count(*) > 0 FROM aegis.outbox WHERE destination = 'one' AND state = 'waiting'"
before=$(cosigned_size one)
query "SELECT convert_from(decode(convert_from(payload, 'UTF8')::json ->> 'body', 'base64'), 'UTF8') FROM aegis.claim_outbound(ARRAY['witness'])" > "$place/body"
is "the witness cosigns and nobody hears it" "$(printf '%s\n' "$(cat "$place/body")" > "$place/body.1"; python3 tests/process/witness_client.py "${address[one]}" post "$place/body.1" | head -n 1)" 200
query "UPDATE aegis.outbox SET not_before = now() WHERE state = 'claimed'" > /dev/null
is "asked again it says where it is" "$(carry once)" "one 409 done"
is "and is asked from there" "$(within 10 gives "one 200 done" carry once && echo yes)" yes
is "it extends" "$([ "$(cosigned_size one)" -gt "$before" ] && echo larger)" larger
is "none of this was a refusal" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'ledger.witness_refused'")" 0

# Both the database and the signer are restored to an older state: nobody here can tell, the witness can.
stop
{ kill -KILL "$signer_pid" && wait "$signer_pid"; } 2> /dev/null || true
as_server cp -a "$cluster" "$place/older"
as_server cp -a "$place/signer/state" "$place/signer/older"
sign_again() {
  rm -f "$place/signer/socket"
  # shellcheck disable=SC2016 # its own arguments
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
begin_agent
fill
fill
query "SELECT aegis.wait_witnessed('30 s')" > /dev/null
ahead=$(cosigned_size one)
end_agent
stop
{ kill -KILL "$signer_pid" && wait "$signer_pid"; } 2> /dev/null || true
as_server rm -rf "$cluster" "$place/signer/state"
as_server mv "$place/older" "$cluster"
as_server mv "$place/signer/older" "$place/signer/state"
sign_again
must_start
fill
says "the signer, restored too, signs" "$(query "SELECT aegis.wait_checkpoint('20 s')")" '^[1-9][0-9]*$'
is "the witness refuses what is shorter" "$(within 20 gives "one 409 done" carry once && query "SELECT standing || ', ' || fault FROM aegis.witness")" "refused, shorter"
is "health is degraded" "$(health), $(query "SELECT aegis.health() ->> 'status'")" "refused, degraded"
while [ "$(query "SELECT coalesce(max(size), 0) FROM aegis.checkpoint")" -le "$ahead" ]; do
  fill
  query "SELECT aegis.wait_checkpoint('20 s')" > /dev/null
done
query "SELECT tamper('UPDATE aegis.witness SET next_at = now()')" > /dev/null
is "and what is longer, for it is another history" "$(within 20 gives "one 422 done" carry once && query "SELECT standing || ', ' || fault FROM aegis.witness")" "refused, other history"
is "the witness did not move" "$(cosigned_size one)" "$ahead"
is "it is recorded, once" "$(query "SELECT string_agg(detail ->> 'reason', ',') FROM aegis.audit_log WHERE event = 'ledger.witness_refused'")" shorter
says "the server's log says so" "$(grep -E 'WARNING: .*refused the head of the ledger' "$log")" 'witness "witness.example/one" refused'
finish
