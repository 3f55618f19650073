#!/usr/bin/env bash
# aegis-signer as a program: its key, its folder, its socket, and what strangers and garbage do to it.
#   tests/unit/signer.sh PROGRAM
set -euo pipefail
signer=$1
client=$(dirname "$(readlink -f "$0")")/../process/signer_client.py
place=$(mktemp -d)
served=
end() {
  if [ -n "$served" ]; then kill -KILL "$served" 2> /dev/null || true; fi
  rm -rf "$place"
}
trap end EXIT
failed=0
is() {
  if [ "$2" = "$3" ]; then echo "ok $1"; else
    printf 'not ok %s\n  wanted: %s\n  got: %s\n' "$1" "$3" "$2"
    failed=1
  fi
}
state=$place/state
socket=$place/socket

key=$("$signer" init --state "$state" --origin log.example/a)
is "init prints the vkey" "$(grep -cE '^log\.example/a\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$' <<< "$key")" "1"
is "modes" "$(stat -c %a "$state" "$state/key" "$state/heads" | xargs)" "700 400 700"
is "key prints it again" "$("$signer" key --state "$state")" "$key"
is "the seed is not printed" "$(grep -cF "$(cut -d : -f 2 "$state/key")" <<< "$key" || true)" "0"
before=$(sha256sum "$state/key")
is "refuses to overwrite" "$("$signer" init --state "$state" --origin log.example/a 2> "$place/error" || echo "exit $?"; head -n 1 "$place/error")" \
  "exit 78
aegis-signer: error: \"$state/key\" exists and is not overwritten"
is "nothing was overwritten" "$(sha256sum "$state/key")" "$before"
is "a log does not begin anew" "$("$signer" add --state "$state" --origin log.example/a 2>&1 | head -n 1)" \
  'aegis-signer: error: log "log.example/a" is known and does not begin anew'
other=$("$signer" add --state "$state" --origin log.example/b)
is "another log has the same key" "$(cut -d + -f 3 <<< "$other")" "$(cut -d + -f 3 <<< "$key")"
is "status" "$("$signer" status --state "$state" | cut -f 1,2 | xargs)" "log.example/a size 0 log.example/b size 0"
is "an origin with spaces" "$("$signer" add --state "$state" --origin "a b" 2>&1 | tail -n 1)" 'hint: An origin has no spaces and no "+".'

# With too few descriptors a crowd would keep it from writing, and from resting.
is "too few open files" "$( (ulimit -n 40; "$signer" serve --state "$state" --socket "$socket" --allow-root 2> "$place/error" & p=$!; sleep 1; kill "$p" 2> /dev/null || true; wait "$p" || echo "exit $?"); head -n 1 "$place/error")" \
  "exit 78
aegis-signer: error: at most 40 files may be open, the signer needs 48"
# As root it serves only when told: the tests may run as root.
root=()
if [ "$(id -u)" = 0 ]; then
  is "refuses root" "$("$signer" serve --state "$state" --socket "$socket" 2>&1 | head -n 1)" "aegis-signer: error: refusing to run as root"
  root=(--allow-root)
fi
serve() {
  "$signer" serve --state "$state" --socket "$socket" "${root[@]}" "$@" 2>> "$place/log" &
  served=$!
  for _ in $(seq 100); do
    if [ -S "$socket" ] && python3 "$client" "$socket" probe > /dev/null 2>&1; then return; fi
    sleep 0.05
  done
}
serve
is "a second signer" "$("$signer" serve --state "$state" --socket "$place/second" "${root[@]}" 2>&1 | head -n 1)" \
  "aegis-signer: error: another process uses \"$state\""
is "the first log" "$(python3 "$client" "$socket" log log.example/a 0 7 | head -n 1)" "200"
is "grows" "$(python3 "$client" "$socket" log log.example/a 7 900 | head -n 1)" "200"
is "the same again" "$(python3 "$client" "$socket" log log.example/a 900 900 | head -n 1)" "200"
is "from another size" "$(python3 "$client" "$socket" log log.example/a 7 950 | xargs)" "409 900"
is "a fork" "$(python3 "$client" "$socket" fork log.example/a 900 900)" "422"
is "a fork that grew" "$(python3 "$client" "$socket" fork log.example/a 900 950)" "422"
is "no such log" "$(python3 "$client" "$socket" log log.example/c 0 7)" "404"
is "the fork is in the log, loudly" "$(grep -c '"level":"error".*FORK' "$place/log")" "1"
is "every signature is in the log" "$(grep -c '"event":"signed"' "$place/log")" "3"
is "the log is JSON" "$(python3 -c 'import json, sys; print(all(json.loads(line) for line in sys.stdin))' < "$place/log")" "True"
is "the seed is not in the log" "$(grep -cF "$(cut -d : -f 2 "$state/key")" "$place/log" || true)" "0"

is "garbage is answered" "$(python3 "$client" "$socket" garbage 400)" "400 requests, none signed"
is "it still signs" "$(python3 "$client" "$socket" log log.example/a 900 901 | head -n 1)" "200"
is "one that stalls is dropped, others are served meanwhile" "$(python3 "$client" "$socket" stall log.example/a 901 902)" \
  "served while stalled; the stalled one was dropped"
is "more at once than it has places for" "$(python3 "$client" "$socket" crowd 100)" "100 answered"
is "nobody reads its memory" "$(stat -c %U "/proc/$served/mem")" "root"
is "status while it serves" "$("$signer" status --state "$state" | head -n 1 | cut -f 2)" "size 902"

# Ended in order: the socket is gone, the state stays.
kill -TERM "$served"
status=0
wait "$served" || status=$?
is "ends on SIGTERM" "$status" "0"
served=
is "the socket is gone" "$(ls "$socket" 2> /dev/null || true)" ""

# Killed: the next one takes over the socket and knows what was signed.
serve
python3 "$client" "$socket" log log.example/a 902 1000 > "$place/answer"
kill -KILL "$served"
wait "$served" 2> /dev/null || true
serve
is "after kill -9 the same is signed again" "$(python3 "$client" "$socket" log log.example/a 1000 1000)" "$(cat "$place/answer")"
is "after kill -9 nothing else is" "$(python3 "$client" "$socket" fork log.example/a 1000 1000)" "422"
kill -TERM "$served"
wait "$served"
served=

if [ "$(id -u)" = 0 ]; then
  chmod 0711 "$place"
  as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 - "$@" < "$client"; }
  serve
  is "another user is refused" "$(as_nobody "$socket" log log.example/a 1000 1001)" "403"
  kill -TERM "$served"
  wait "$served"
  serve --allow-user 65534
  is "one that was named is served" "$(as_nobody "$socket" log log.example/a 1000 1001 | head -n 1)" "200"
  kill -TERM "$served"
  wait "$served"
  served=
fi
is "a user that does not exist" "$("$signer" serve --state "$state" --socket "$socket" "${root[@]}" --allow-user no-such-user 2>&1 | head -n 1)" \
  'aegis-signer: error: user "no-such-user" does not exist'
echo data > "$place/file"
is "a file in the socket's place stays" "$("$signer" serve --state "$state" --socket "$place/file" "${root[@]}" 2>&1 | head -n 1; cat "$place/file")" \
  "aegis-signer: error: \"$place/file\" is there and is no socket
data"

rm "$state"/heads/*
is "a lost state does not begin at zero" "$("$signer" serve --state "$state" --socket "$socket" "${root[@]}" 2>&1 | grep -c "could not open \"$state/heads/")" "1"
is "nor is the log added again" "$("$signer" add --state "$state" --origin log.example/a > /dev/null 2>&1 || echo "exit $?")" "exit 78"
is "help" "$("$signer" --help | head -n 1)" "Signs the checkpoints of ledgers, outside the database."
exit "$failed"
