#!/usr/bin/env bash
# A ledger and its signer: heads are signed as the ledger grows, whatever happens to either of them, and a ledger that is
# shorter than, or different from, what was signed is refused and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

verify=$(built aegis-verify)
program=$(built aegis-signer)

# The signer is somebody else than the server when there are users to choose from.
as_signer() { if [ "$(id -u)" = 0 ]; then setpriv --reuid nobody --regid nogroup --clear-groups "$@"; else "$@"; fi; }
signing=$(as_signer mktemp -d /tmp/aegis-signer.XXXXXX)
# Both must be able to run them, wherever the repository lies.
install -m 0755 -t "$place" "$program" tests/process/signer_client.py
chmod 0711 "$place" "$signing"
client() { /usr/bin/python3 "$place/signer_client.py" "$@"; }
state=$signing/state
socket=$signing/socket
signer=
helper=
finished() {
  if [ -n "$signer" ]; then kill -KILL "$signer" 2> /dev/null || true; fi
  if [ -n "$helper" ]; then kill -KILL "$helper" 2> /dev/null || true; fi
  end
  rm -rf "$signing"
}
trap finished EXIT
as_signer touch "$signing/log"

serve() {
  # exec keeps the process: the number is that of the signer.
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid nobody --regid nogroup --clear-groups "$place/aegis-signer" serve --state "$state" --socket "$socket" \
      --allow-user postgres --log "$signing/log" &
  else
    "$place/aegis-signer" serve --state "$state" --socket "$socket" --log "$signing/log" &
  fi
  signer=$!
  within 10 test -S "$socket"
}
unserve() {
  kill "-$1" "$signer"
  wait "$signer" 2> /dev/null || true
  signer=
}

key=$(as_signer "$place/aegis-signer" init --state "$state" --origin test.example/ledger/postgres)
make_cluster
preload
# set SIGNER KEY: what the server is to use from now on.
set_signer() {
  printf '%s\n' "aegis.signer = '$1'" "aegis.ledger_origin = 'test.example/ledger'" "aegis.ledger_key = '$2'" \
    "aegis.checkpoint_interval = '200ms'" | as_server tee "$cluster/signer.conf" > /dev/null
  if [ -e "$cluster/postmaster.pid" ]; then as_server "$bin/pg_ctl" reload -s -D "$cluster"; fi
}
settings "include 'signer.conf'"
set_signer "$socket" "$key"
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('signer.done', 'for the test of checkpoints')" > /dev/null
fill() { query "SELECT count(aegis.record('signer.done')) FROM generate_series(1, 10)" > /dev/null && query "SELECT aegis.wait_sealed('20 s')" > /dev/null; }
signed() { query "SELECT aegis.wait_checkpoint('20 s')"; }
rows() { query "SELECT count(*) FROM aegis.checkpoint"; }
# Every stored checkpoint repeats its note, and says of the root log what the seal says.
sound() {
  query "SELECT bool_and(c.note LIKE E'test.example/ledger/postgres\n' || c.size || E'\n' || encode(c.root, 'base64') || E'\n\n%'
         AND c.size = s.root_size AND c.root = s.root) AND bool_and(c.number = n) FROM
         (SELECT *, row_number() OVER (ORDER BY number) AS n FROM aegis.checkpoint) c LEFT JOIN aegis.seal s ON s.number = c.seal"
}
status() { as_signer "$place/aegis-signer" status --state "$state" | sed -E 's/.*size ([0-9]+).*/\1/'; }
health() { query "SELECT aegis.health() ->> 'checkpoint'"; }
# gives TEXT COMMAND ...: true when this is what the command prints.
gives() {
  local wanted=$1
  shift
  [ "$("$@")" = "$wanted" ]
}
warnings() { grep -cE "WARNING: .*$1" "$log" || true; }

is "its key is printed again" "$(as_signer "$place/aegis-signer" key --state "$state" --origin test.example/ledger/postgres)" "$key"
says "a log that was never begun has no key" \
  "$(as_signer "$place/aegis-signer" key --state "$state" --origin test.example/other 2>&1 || true)" 'error: log "test.example/other" is not known here'
# The signer is not there yet: everything else goes on.
fill
within 10 gives 1 warnings 'could not reach the signer'
fill
fill
says "without a signer sealing goes on" "$(query "SELECT aegis.wait_sealed('5 s')")" '^[0-9]+$'
is "nothing is stored" "$(rows)" 0
is "it was said once" "$(warnings 'could not reach the signer')" 1
is "health tells" "$(health)" hindered
says "waiting says how it stands" "$(query "SELECT aegis.wait_checkpoint('100 ms')")" 'ERROR: .*no signed checkpoint' 'DETAIL: .*"hindered"'

serve
size=$(signed)
says "it catches up when the signer comes" "$size" '^[1-9][0-9]*$'
is "the signer has the same head" "$(status)" "$size"
within 5 grep -q 'checkpoints of the ledger are signed again' "$log"
fill
is "it extends" "$([ "$(signed)" -gt "$size" ] && echo larger)" larger
is "the newest is shown" "$(query "SELECT split_part(aegis.latest_checkpoint(), E'\n', 2)")" "$(status)"
is "what is stored is sound" "$(sound)" t
within 5 gives t query "SELECT aegis.health() ->> 'checkpoint_lag_ms' IS NOT NULL"
is "health" "$(query "SELECT aegis.health() ->> 'status', (aegis.health() ->> 'checkpoint_lag_ms')::bigint < 5000")" "ok|t"
before=$(rows)
sleep 1
is "nothing new, no new checkpoint" "$(rows)" "$before"

# The signer goes down, hard, while the ledger grows.
unserve KILL
fill
fill
serve
signed > /dev/null
is "after kill -9 of the signer it goes on" "$(status)" "$(query "SELECT max(root_size) FROM aegis.seal")"

# Signed, kept by the signer, and the answer never arrives: the signer is killed right after.
as_server /usr/bin/python3 "$place/signer_client.py" "$socket" swallow "$place/swallow" > /dev/null &
helper=$!
within 10 test -S "$place/swallow"
before=$(rows)
set_signer "$place/swallow" "$key"
fill
wait "$helper"
helper=
unserve KILL
is "the signer knows a head that the database has not" "$([ "$(status)" -gt "$(query "SELECT max(size) FROM aegis.checkpoint")" ] && echo ahead)" ahead
is "nothing was stored meanwhile" "$(rows)" "$before"
serve
set_signer "$socket" "$key"
fill
signed > /dev/null
is "the database goes on from the signer's size" "$(status)" "$(query "SELECT max(size) FROM aegis.checkpoint")"
is "and what is stored is sound" "$(sound)" t

# The database goes down, hard, in the middle of it.
for _ in 1 2 3; do
  for _ in 1 2 3 4 5; do fill; done &
  filling=$!
  sleep 0.5
  stop immediate
  wait "$filling" 2> /dev/null || true
  start
done
fill
signed > /dev/null
is "after crashes of the server it goes on" "$(sound), $(status)" "t, $(query "SELECT max(size) FROM aegis.checkpoint")"
is "none of this was a refusal" "$(warnings 'the signer refused')" 0

# A signer that takes everything and says nothing.
as_server /usr/bin/python3 "$place/signer_client.py" "$place/hang" hang &
helper=$!
within 10 test -S "$place/hang"
set_signer "$place/hang" "$key"
fill
within 10 grep -q 'it did not answer in time' "$log"
sealed=0
for _ in $(seq 20); do
  query "SELECT aegis.record('signer.done')" > /dev/null
  if query "SELECT aegis.wait_sealed('20 s')" > /dev/null; then sealed=$((sealed + 1)); fi
done
is "sealing goes on under a hanging signer" "$sealed" 20
# The number that the shell knows is that of whoever started it.
as_server kill -KILL "$(cat "$place/hang.pid")"
wait "$helper" 2> /dev/null || true
helper=
set_signer "$socket" "$key"
signed > /dev/null

# Another key than the one that was published.
other=$(as_signer "$place/aegis-signer" init --state "$signing/other" --origin test.example/ledger/postgres)
set_signer "$socket" "$other"
before=$(rows)
fill
within 10 grep -q 'is not a signature by "aegis.ledger_key"' "$log"
is "a signature by another key is not stored" "$(rows)" "$before"
set_signer "$socket" "$key"
signed > /dev/null
is "with the right key again" "$(sound)" t

# The signer's own state is put back: it signs on from there, and the server says so.
unserve TERM
as_signer cp -a "$state" "$signing/kept"
serve
fill
signed > /dev/null
unserve TERM
rm -rf "$state"
as_signer mv "$signing/kept" "$state"
serve
fill
signed > /dev/null
is "a signer that went back is noticed" "$(grep -c 'the signer went back' "$log")" 1
is "and followed" "$(status)" "$(query "SELECT max(size) FROM aegis.checkpoint")"

# Strangers: a user that was not named, and garbage.
if [ "$(id -u)" = 0 ]; then is "a user that was not named" "$(setpriv --reuid daemon --regid daemon --clear-groups /usr/bin/python3 "$place/signer_client.py" "$socket" log test.example/ledger/postgres 0 1)" 403; fi
is "garbage" "$(as_server /usr/bin/python3 "$place/signer_client.py" "$socket" garbage 300)" "300 requests, none signed"

# What an auditor keeps: a checkpoint and the vkey. verified FILE [ARGUMENT ...]: what aegis-verify says of an export.
exported() { query "COPY (SELECT aegis.export_ledger()) TO STDOUT" > "$1"; }
verified() { "$verify" bundle "$@" 2>&1 || echo "status $?"; }
query "SELECT aegis.latest_checkpoint()" > "$place/kept.note"
exported "$place/first"
says "the export holds against the checkpoint" "$(verified "$place/first" --checkpoint "$place/kept.note" --key "$key")" \
  '^compared +with the signed checkpoints$' '^result +ok'
says "not under another key" "$(verified "$place/first" --checkpoint "$place/kept.note" --key "$other")" 'is not signed by "test.example/ledger/postgres"' '^status 2$'
says "nor without one" "$(verified "$place/first" --checkpoint "$place/kept.note")" 'the key is missing' '^status 2$'
says "nor as another log" "$(verified "$place/first" --checkpoint "$place/kept.note" --key "$key" --origin other)" 'is a checkpoint of another log' '^status 2$'
sed 's/^[0-9][0-9]*$/1/' "$place/kept.note" > "$place/forged.note"
says "a forged one is of no use" "$(verified "$place/first" --checkpoint "$place/forged.note" --key "$key")" 'does not verify' '^status 2$'

# The cluster is put back to an older state, with its checkpoints, while the signer is not.
stop
as_server cp -a "$cluster" "$place/older"
start
for _ in 1 2 3 4 5 6; do fill; done
newest=$(signed)
query "SELECT aegis.latest_checkpoint()" > "$place/kept.note"
stop
newer=$cluster
cluster=$place/older
start
set_signer "$socket" "$key"
query "SELECT aegis.record('signer.done')" > /dev/null
within 20 grep -q 'WARNING:.*the signer refused the head of the ledger' "$log"
exported "$place/second"
says "a restored ledger is refused" "$(cat "$log")" "$newest heads were signed, [0-9]+ are here" 'The ledger is shorter than what was signed'
is "health tells of the refusal" "$(query "SELECT aegis.health() ->> 'status'")|$(health)" "degraded|refused"
fill
says "its export does not hold against the newest checkpoint" "$(verified "$place/second" --checkpoint "$place/kept.note" --key "$key")" \
  "the signed checkpoint has $newest heads, the ledger [0-9]+: its end was cut off, or an older state was restored" '^status 1$'
is "sealing goes on there" "$(query "SELECT outcome FROM aegis.verify_ledger() WHERE outcome <> 'ok' AND outcome <> 'note'")" ""
while [ "$(query "SELECT max(root_size) FROM aegis.seal")" -le "$newest" ]; do fill; done
within 30 grep -q 'another history' "$log"
says "nor when it has outgrown what was signed" "$(cat "$log")" "it does not extend the $newest heads that were signed"
is "nothing of it was signed" "$(status)" "$newest"
is "it is in the ledger, once" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'ledger.checkpoint_refused' AND outcome = 'denied'")" 1
says "with the sizes" "$(query "SELECT detail FROM aegis.audit_log WHERE event = 'ledger.checkpoint_refused'")" "\"reason\": \"shorter\"" "\"signed_size\": $newest"
says "waiting tells" "$(query "SELECT aegis.wait_checkpoint('1 s')")" 'ERROR: .*no signed checkpoint' 'DETAIL: .*"refused"'
exported "$place/second"
says "nor does its export then" "$(verified "$place/second" --checkpoint "$place/kept.note" --key "$key")" \
  "the root log at size $newest is not the one that the checkpoint signs" '^status 1$'
stop
cluster=$newer
start
set_signer "$socket" "$key"
fill
is "the true ledger is signed on" "$([ "$(signed)" -gt "$newest" ] && echo larger)" larger
is "every stored checkpoint is sound" "$(sound)" t

# A ledger that is so damaged that nothing can be asked for, by a superuser without the library: health tells.
query "CREATE FUNCTION tamper(statement text) RETURNS bigint AS '\$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT" > /dev/null
newest_seal="number = (SELECT max(number) FROM aegis.seal)"
root=$(query "SELECT encode(root, 'hex') FROM aegis.seal WHERE $newest_seal")
query "SELECT tamper('UPDATE aegis.seal SET root = '''' WHERE $newest_seal')" > /dev/null
is "health tells of a head that cannot be read" "$(within 15 gives hindered health && health)" hindered
query "SELECT tamper('UPDATE aegis.seal SET root = decode(''$root'', ''hex'') WHERE $newest_seal')" > /dev/null
is "and when it can be read again" "$(within 40 gives signing health && health)" signing

# A copy of the same head, and both go on: one of them is signed.
stop
as_server rm -rf "$place/older"
as_server cp -a "$cluster" "$place/older"
cluster=$place/older
start
set_signer "$socket" "$key"
fill
signed > /dev/null
stop
cluster=$newer
start
set_signer "$socket" "$key"
before=$(rows)
fill
within 30 gives refused health
is "of two copies that go on, one is signed" "$(rows)" "$before"
says "and the log of the signer has every refusal" "$(cat "$signing/log")" '"event":"refused","status":"409".*"signed_size":"[0-9]+"' '"event":"signed"'
unserve TERM
finish
