#!/usr/bin/env bash
# aegis-verify witness as a program: its key, its folder, its HTTP, and what logs, strangers and garbage do to it.
#   tests/unit/witness.sh PROGRAM
set -euo pipefail
program=$1
client=$(dirname "$(readlink -f "$0")")/../process/witness_client.py
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
witness() { "$program" witness "$@"; }
speak() { python3 "$client" "$address" "$@"; }
log=log.example/a
log_key=$(python3 "$client" vkey "$log")

key=$(witness init --state "$state" --name witness.example/w1)
is "init prints the vkey" "$(grep -cE '^witness\.example/w1\+[0-9a-f]{8}\+B[A-Za-z0-9+/]{43}$' <<< "$key")" "1"
is "modes" "$(stat -c %a "$state" "$state/key" "$state/heads" | xargs)" "700 400 700"
is "key prints it again" "$(witness key --state "$state")" "$key"
before=$(sha256sum "$state/key")
is "refuses to overwrite" "$(witness init --state "$state" --name other 2>&1 | head -n 1; sha256sum "$state/key"; cat "$state/name")" \
  "aegis-verify: error: \"$state/key\" exists and is not overwritten
$before
witness.example/w1"
is "a name with spaces" "$(witness init --state "$place/none" --name "a b" > /dev/null 2>&1 || echo "exit $?"; ls "$place/none" 2> /dev/null || true)" "exit 78"
witness add --state "$state" --log-key "$log_key"
is "a log does not begin anew" "$(witness add --state "$state" --log-key "$log_key" 2>&1 | head -n 1)" \
  "aegis-verify: error: log \"$log\" is watched already and does not begin anew"
is "a witness is no log" "$(witness add --state "$state" --log-key "$key" 2>&1 | head -n 1)" "aegis-verify: error: this is the key of a witness, not a log's"
is "status" "$(witness status --state "$state" | cut -f 1,2 | xargs)" "$log size 0"

root=()
if [ "$(id -u)" = 0 ]; then
  is "refuses root" "$(witness serve --state "$state" --listen 127.0.0.1:0 2>&1 | head -n 1)" "aegis-verify: error: refusing to run as root"
  root=(--allow-root)
fi
# serve LISTEN [OPTION ...]: $address is where it listens.
serve() {
  : > "$place/log"
  "$program" witness serve --state "$state" --listen "$@" --log "$place/log" "${root[@]}" &
  served=$!
  for _ in $(seq 200); do
    address=$(sed -nE 's/.*"started","address":"([^"]*)".*/\1/p' "$place/log")
    if [ -n "$address" ]; then return; fi
    sleep 0.05
  done
  cat "$place/log"
}
stop() {
  kill "-${1:-TERM}" "$served"
  local status=0
  wait "$served" 2> /dev/null || status=$?
  served=
  return "$status"
}
serve 127.0.0.1:0
is "a second one" "$(witness serve --state "$state" --listen 127.0.0.1:0 "${root[@]}" 2>&1 | head -n 1)" "aegis-verify: error: another process uses \"$state\""
is "nobody else listens there" "$(cp -r "$state" "$place/copy"; witness serve --state "$place/copy" --listen "$address" "${root[@]}" 2>&1 | head -n 1)" \
  "aegis-verify: error: could not listen on \"$address\": Address already in use"
is "no address" "$(witness serve --state "$place/copy" --listen localhost "${root[@]}" 2>&1 | head -n 1)" 'aegis-verify: error: "localhost" is neither an absolute path nor ADDRESS:PORT'
is "the first head" "$(speak log "$log" 0 7 | tee "$place/answer" | head -n 1)" "200"
sed -i 1d "$place/answer"
is "a second reader sees it" "$(python3 "$client" check "$key" "$log" 7 "$place/answer")" "cosigned"
is "grows" "$(speak log "$log" 7 900 | head -n 1)" "200"
is "the same again" "$(speak log "$log" 900 900 | head -n 1)" "200"
is "from another size" "$(speak log "$log" 7 950 | xargs)" "409 900"
is "an older state of the log" "$(speak log "$log" 7 800 | xargs)" "409 900"
is "nothing, to ask for the size" "$(speak log "$log" 0 900 | xargs)" "409 900"
is "shorter than it says to extend" "$(speak log "$log" 900 800 | head -n 1)" "400"
is "a fork" "$(speak fork "$log" 900 900 | head -n 1)" "422"
is "a fork that grew" "$(speak fork "$log" 900 950 | head -n 1)" "422"
is "a proof that does not hold" "$(speak unproven "$log" 900 950 | head -n 1)" "422"
is "no such log" "$(speak log log.example/c 0 7 | head -n 1)" "404"
is "another key under its name" "$(speak stranger "$log" 900 950 | head -n 1)" "403"
is "unmoved" "$(witness status --state "$state" | cut -f 2)" "size 900"
is "the fork is in the log, loudly" "$(grep -c '"level":"error".*FORK' "$place/log")" "1"
is "what it cosigned last, for others to compare" "$(speak get "/$(printf %s "$log" | sha256sum | cut -d ' ' -f 1)/checkpoint" | sed -n '1,3p;6p;7p' | cut -d ' ' -f 1,2 | xargs)" \
  "200 $log 900 — $log — witness.example/w1"
is "of a log that it does not know" "$(speak get "/$(printf other | sha256sum | cut -d ' ' -f 1)/checkpoint" | head -n 1)" "404"
is "no other page" "$(speak get / | head -n 1)" "404"
is "it is posted to" "$(speak get /add-checkpoint | head -n 1)" "405"
is "garbage is answered" "$(speak garbage "$log" 400)" "400 requests, none cosigned"
is "what is no HTTP is answered or dropped" "$(speak raw 200)" "200 requests, none cosigned"
is "it still cosigns" "$(speak log "$log" 900 901 | head -n 1)" "200"
is "one that stalls is dropped, others are served meanwhile" "$(speak stall "$log" 901 902)" "served while stalled; the stalled one was dropped"
is "more at once than it has places for" "$(speak crowd 100)" "100 answered"
is "the log is JSON" "$(python3 -c 'import json, sys; print(all(json.loads(line) for line in sys.stdin))' < "$place/log")" "True"
is "the seed is not in the log" "$(grep -cF "$(cut -d : -f 2 "$state/key")" "$place/log" || true)" "0"
is "nobody reads its memory" "$(stat -c %U "/proc/$served/mem")" "root"

# Killed while logs submit: what left the process is on disk, and nothing that contradicts it is cosigned afterwards.
for ((size = 903; size <= 1400; size++)); do speak log "$log" $((size - 1)) "$size" | head -n 1; done > "$place/statuses" 2> /dev/null &
submitting=$!
for _ in $(seq 100); do
  if [ "$(wc -l < "$place/statuses")" -ge 5 ]; then break; fi
  sleep 0.05
done
stop KILL || true
{ kill "$submitting" && wait "$submitting"; } 2> /dev/null || true
answered=$((902 + $(grep -c 200 "$place/statuses" || true)))
serve 127.0.0.1:0
kept=$(witness status --state "$state" | cut -f 2 | cut -d ' ' -f 2)
is "after kill -9 it knows at least what it answered" "$([ "$kept" -ge "$answered" ] && [ "$answered" -ge 905 ] && echo yes)" "yes"
is "after kill -9 nothing else is cosigned" "$(speak fork "$log" "$kept" "$kept" | head -n 1)" "422"
is "after kill -9 it goes on" "$(speak log "$log" "$kept" 1500 | head -n 1)" "200"
stop
serve "[::1]:0"
is "IPv6" "$(speak log "$log" 1500 1501 | head -n 1)" "200"
status=0
stop || status=$?
is "ends on SIGTERM" "$status" "0"
serve "$place/socket"
is "a Unix socket" "$(speak log "$log" 1501 1502 | head -n 1)" "200"
stop
is "the socket is gone" "$(ls "$place/socket" 2> /dev/null || true)" ""
if [ "$(id -u)" = 0 ]; then
  serve "$place/socket" --allow-user 65534
  chmod 0711 "$place"
  is "users that were named" "$(speak log "$log" 1502 1503 | head -n 1)" "200"
  is "and others" "$(setpriv --reuid 65533 --regid 65533 --clear-groups /usr/bin/python3 -c "
import socket
s = socket.socket(socket.AF_UNIX); s.connect('$address'); s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'); print(s.recv(12).decode())")" "HTTP/1.1 403"
  stop
fi
is "users on a port" "$(witness serve --state "$state" --listen 127.0.0.1:0 --allow-user 0 "${root[@]}" 2>&1 | head -n 1)" \
  "aegis-verify: error: users can be told apart on a Unix socket only"

rm "$state"/heads/*
is "a lost state does not begin at zero" "$(witness serve --state "$state" --listen 127.0.0.1:0 "${root[@]}" 2>&1 | grep -c "could not open \"$state/heads/")" "1"
cp "$place/copy/heads/"* "$state/heads/"
sed -i 's/^900$/901/; s/^0$/1/' "$state"/heads/*
is "nor goes on from one that it did not cosign" "$(witness status --state "$state" 2>&1 | grep -c "is not the cosigned head of \"$log\"")" "1"
is "help" "$("$program" witness --help | head -n 1)" "Cosign the heads of logs that only grow, for whoever wants to be sure"
exit "$failed"
