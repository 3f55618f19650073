#!/usr/bin/env bash
# The agent between a database and servers that are slow, huge, false or elsewhere: what is allowed arrives, what is not does not
# leave, and a crash loses nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

program=$(built aegis-agent)
install -m 0755 -t "$place" "$program"
chmod 0711 "$place"
# The agent is somebody else than the server when there are users to choose from.
if [ "$(id -u)" = 0 ]; then other_user=(setpriv --reuid nobody --regid nogroup --clear-groups); else other_user=(env); fi
as_agent() { "${other_user[@]}" "$@"; }
outside=$(as_agent mktemp -d /tmp/aegis-agent.XXXXXX)
agent=
others=()
finished() {
  for process in $agent "${others[@]}"; do kill -KILL "$process" 2> /dev/null || true; done
  end
  rm -rf "$outside"
}
trap finished EXIT

# Two authorities; localhost has a certificate of each.
authority() {
  as_agent openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Test authority $1" -keyout "$outside/$1-ca.key" \
    -out "$outside/$1-ca.pem" -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" 2> /dev/null
  as_agent openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$outside/$1.key" -out "$outside/$1.csr" 2> /dev/null
  printf 'subjectAltName=DNS:%s\n' "$2" | as_agent tee "$outside/$1.ext" > /dev/null
  as_agent openssl x509 -req -in "$outside/$1.csr" -CA "$outside/$1-ca.pem" -CAkey "$outside/$1-ca.key" -CAcreateserial -days 2 \
    -extfile "$outside/$1.ext" -out "$outside/$1.pem" 2> /dev/null
}
authority ours localhost
authority theirs localhost
authority name elsewhere.example
# other NAME CERTIFICATE VERSION
other() {
  # No function: the number must be that of the program.
  "${other_user[@]}" /usr/bin/python3 "$place/agent_server.py" "$outside/$1.log" "$outside/$1.port" "$outside/$2.pem" "$outside/$2.key" "$3" > /dev/null 2>&1 &
  others+=($!)
}
install -m 0644 -t "$place" tests/process/agent_server.py
other good ours 1.3
other false theirs 1.3
other old ours 1.2
for name in good false old; do within 10 test -s "$outside/$name.port"; done
good=https://localhost:$(cat "$outside/good.port")
false=https://localhost:$(cat "$outside/false.port")
old=https://localhost:$(cat "$outside/old.port")

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE ROLE outbound LOGIN; CREATE ROLE nobody_special LOGIN; GRANT USAGE ON SCHEMA aegis TO nobody_special; GRANT aegis_agent TO outbound" > /dev/null
query "CREATE TABLE answer (target text, answer text, detail jsonb);
  GRANT INSERT ON answer TO aegis_owner;
  CREATE FUNCTION take(job aegis.outbox, answer bytea, detail jsonb) RETURNS text LANGUAGE sql AS
    \$\$ INSERT INTO public.answer VALUES (job.target, pg_catalog.convert_from(answer, 'UTF8'), detail) RETURNING 'taken' \$\$;
  INSERT INTO aegis.outbox_kind VALUES ('test_call', 'a call', 'http', 'public.take', true, 9, '100 ms', '200 ms', '1 day'),
    ('test_once', 'a call', 'http', 'public.take', true, 1, '100 ms', '200 ms', '1 day'),
    ('test_file', 'a file', 'file', NULL, true, 1, '100 ms', '200 ms', '1 day');
  SELECT aegis.register_destination('good', '$good/v1'), aegis.register_destination('false', '$false'), aegis.register_destination('old', '$old'),
    aegis.register_destination('walled', 'https://127.0.0.1:$(cat "$outside/good.port")'), aegis.register_destination('unlisted', 'https://localhost:1'),
    aegis.register_destination('worm', 'drop:worm'), aegis.register_destination('elsewhere', 'drop:elsewhere')" > /dev/null

as_agent mkdir -m 0755 "$outside/worm"
# configure LINE ...: what differs
configure() {
  as_agent tee "$outside/agent.toml" > /dev/null << TOML
[agent]
workers = 2
poll_seconds = 1
drain_seconds = 5
[limits]
connect_seconds = 1
call_seconds = 2
[database]
socket = "$place"
name = "postgres"
user = "outbound"
[log]
file = "$outside/agent.log"
[[destination]]
url = "$good"
ca = "$outside/ours-ca.pem"
networks = ["127.0.0.0/8"]
[[destination]]
url = "$false"
ca = "$outside/ours-ca.pem"
networks = ["127.0.0.1"]
[[destination]]
url = "$old"
ca = "$outside/ours-ca.pem"
networks = ["127.0.0.1"]
[[destination]]
url = "https://127.0.0.1:$(cat "$outside/good.port")"
[[drop]]
name = "worm"
folder = "$outside/worm"
$(printf '%s\n' "$@")
TOML
}
run() { as_agent "$place/aegis-agent" --config "$outside/agent.toml" "$@" 2>&1; }
serve() {
  # A proxy and a password of the environment mean nothing.
  HTTPS_PROXY=http://127.0.0.1:1 PGHOST=/nowhere "${other_user[@]}" "$place/aegis-agent" --config "$outside/agent.toml" > /dev/null 2>&1 &
  agent=$!
}

configure
says "the configuration and the login are checked" "$(run --check)" 'configuration is valid' 'may claim outbound jobs' 'carries: http, file'
says "a setting that does not exist is named" "$(configure '[agents]'; run --check || echo "ended with $?")" 'agent.toml:[0-9]+: unknown section or setting "agents"' 'ended with 78'
says "so is a destination that is none" "$(configure '[[destination]]' 'url = "http://example.com"'; run --check || echo "ended with $?")" 'no address of a destination' 'ended with 78'
says "and a network that is none" "$(configure '[[destination]]' 'url = "https://example.com"' 'networks = ["10.0.0.1/8"]'; run --check || true)" '"10.0.0.1/8" is no network'
configure
says "a login without the role is refused" "$(AEGIS_AGENT_DATABASE_USER=nobody_special run --check || echo "ended with $?")" 'is not fit' 'GRANT aegis_agent TO nobody_special' 'ended with 78'
says "and a superuser" "$(AEGIS_AGENT_DATABASE_USER=postgres run --check || echo "ended with $?")" 'login is a superuser' 'ended with 78'
as_agent chmod 0777 "$outside/worm"
says "a drop folder that everybody may write to is refused" "$(run --check || echo "ended with $?")" 'everybody may write' 'ended with 78'
as_agent chmod 0755 "$outside/worm"

# queue KIND DESTINATION TARGET PAYLOAD: the number of the job
queue() {
  query "SET ROLE aegis_owner; SELECT aegis.queue_outbound('$1', convert_to('$4', 'UTF8'), '$2', '$3', idempotency_key => '$3')"
}
state() { query "SELECT concat_ws(' ', state, error) FROM aegis.outbox WHERE idempotency_key = '$1'"; }
# ends TARGET STATE: waits for it.
ends() { within 20 eval "[ \"\$(state '$1')\" = '$2' ]" || true; is "$3" "$(state "$1")" "$2"; }
serve
within 10 grep -q '"event":"started"' "$outside/agent.log"

# Delivered, woken by the notification and not by the clock.
queue test_call good first '{"method": "POST", "path": "/calls/ok", "headers": {"x-test": "a value"}, "body": "aGVsbG8="}' > /dev/null
ends first 'done' "a call is delivered"
is "as it was written, with its key" "$(cat "$outside/good.log")" 'POST /v1/calls/ok "first" a value hello'
is "the answer is handed in" "$(query "SELECT target, answer, detail FROM answer")" 'first|well done|{"status": 200, "content_type": "text/plain"}'
is "and what was sent is gone" "$(query "SELECT payload IS NULL FROM aegis.outbox WHERE idempotency_key = 'first'")" t

# Everything that can be wrong, each once.
queue test_call good query '{"method": "GET", "path": "/ok", "query": {"created[gte]": "1", "who": "a b&c=d/é"}}' > /dev/null
queue test_once good nested '{"method": "GET", "path": "/ok", "query": {"a": {"b": "c"}}}' > /dev/null
queue test_once good redirect '{"method": "GET", "path": "/redirect"}' > /dev/null
queue test_once good huge '{"method": "GET", "path": "/huge"}' > /dev/null
queue test_once good headers '{"method": "GET", "path": "/headers"}' > /dev/null
queue test_once good missing '{"method": "GET", "path": "/missing"}' > /dev/null
queue test_once good accepted '{"method": "GET", "path": "/missing", "accept": [404]}' > /dev/null
queue test_once good slow '{"method": "GET", "path": "/slow"}' > /dev/null
queue test_once good drip '{"method": "GET", "path": "/drip"}' > /dev/null
queue test_once false certificate '{"method": "GET", "path": "/ok"}' > /dev/null
queue test_once old version '{"method": "GET", "path": "/ok"}' > /dev/null
queue test_once walled private '{"method": "GET", "path": "/ok"}' > /dev/null
queue test_once unlisted unlisted '{"method": "GET", "path": "/ok"}' > /dev/null
queue test_once good above '{"method": "GET", "path": "/../ok"}' > /dev/null
queue test_once good smuggled '{"method": "GET", "path": "/ok", "headers": {"x-test": "a\r\nHost: b"}}' > /dev/null
queue test_once good host '{"method": "GET", "path": "/ok", "headers": {"Host": "b"}}' > /dev/null
queue test_once good extra '{"method": "GET", "path": "/ok", "proxy": "http://127.0.0.1"}' > /dev/null
queue test_once good text 'not json' > /dev/null
queue test_call good busy '{"method": "GET", "path": "/busy"}' > /dev/null
ends query 'done' "a query is encoded"
ends redirect 'dead redirect_refused' "a redirect is not followed"
ends huge 'dead answer_too_long' "an answer of 3 MB is cut off"
ends headers 'dead answer_too_long' "so are 90 kB of headers"
ends missing 'dead status_404' "404 is for good"
ends accepted 'done' "unless it is an answer"
ends slow 'dead timeout' "a slow server is left"
ends drip 'dead timeout' "so is one that never ends"
ends certificate 'dead certificate_wrong' "a certificate of another authority is refused"
ends version 'dead tls_failed' "TLS 1.2 is refused"
ends private 'dead address_not_allowed' "an address of the own network is refused, unless its destination allows it"
ends unlisted 'dead destination_not_allowed' "a destination that only the database knows is refused"
for target in above smuggled host extra text nested; do ends "$target" 'dead payload_malformed' "a payload with what is not meant is refused: $target"; done
ends busy 'waiting status_503' "503 is tried again"
is "when the server says" "$(query "SELECT not_before - clock_timestamp() BETWEEN '40 s' AND '77 s' FROM aegis.outbox WHERE idempotency_key = 'busy'")" t
is "nothing of this reached another path" "$(cut -d' ' -f2 "$outside/good.log" | sort -u | tr '\n' ' ')" "/v1/busy /v1/calls/ok /v1/drip /v1/headers /v1/huge /v1/missing /v1/ok?created%5Bgte%5D=1&who=a%20b%26c%3Dd%2F%C3%A9 /v1/redirect /v1/slow "
is "nor a server that could not prove who it is" "$(cat "$outside/false.log" "$outside/old.log" 2> /dev/null)" ""

# Files are written once.
queue test_file worm file '{"name": "note-1.txt", "body": "aGVsbG8="}' > /dev/null
ends file 'done' "a file is dropped"
is "whole, and for reading only" "$(cat "$outside/worm/note-1.txt") $(stat -c %a "$outside/worm/note-1.txt")" "hello 444"
queue test_file worm same '{"name": "note-1.txt", "body": "aGVsbG8="}' > /dev/null
ends same 'done' "the same once more is the same"
queue test_file worm over '{"name": "note-1.txt", "body": "b3RoZXI="}' > /dev/null
ends over 'dead file_exists' "nothing is written over"
queue test_file worm climb '{"name": "../note-2.txt", "body": "aGVsbG8="}' > /dev/null
ends climb 'dead payload_malformed' "a name leads nowhere else"
queue test_file elsewhere lost '{"name": "note-3.txt", "body": "aGVsbG8="}' > /dev/null
ends lost 'dead destination_not_allowed' "a folder that only the database knows is refused"
is "one file is there" "$(ls "$outside/worm")" note-1.txt

# kill -9 in the middle: the lease ends, the call is made again under the same key, and its answer is taken once.
queue test_call good crash '{"method": "POST", "path": "/ok/slow", "body": ""}' > /dev/null
within 10 grep -q '/ok/slow' "$outside/good.log"
kill -KILL "$agent"
wait "$agent" 2> /dev/null || true
is "what a dead agent had is claimed" "$(query "SELECT state, attempts FROM aegis.outbox WHERE idempotency_key = 'crash'")" "claimed|1"
configure
as_agent sed -i 's/call_seconds = 2/call_seconds = 8/' "$outside/agent.toml"
serve
within 10 eval '[ "$(grep -c "\"event\":\"started\"" "$outside/agent.log")" = 2 ]'
sleep 1
is "nobody takes it under its lease" "$(query "SELECT attempts FROM aegis.outbox WHERE idempotency_key = 'crash'")" 1
query "UPDATE aegis.outbox SET not_before = clock_timestamp() WHERE idempotency_key = 'crash'" > /dev/null
within 10 eval '[ "$(grep -c /ok/slow "$outside/good.log")" = 2 ]'
# The database goes away while the answer is on its way, and comes back.
stop immediate
must_start
ends crash 'done' "after the lease it is called again, over a restart of the database"
is "twice, under one key" "$(grep -c '/ok/slow "crash"' "$outside/good.log")" 2
is "and taken once" "$(query "SELECT count(*) FROM answer WHERE target = 'crash'")" 1

# SIGTERM: what is under way is finished, nothing new is begun.
queue test_call good drain '{"method": "POST", "path": "/drain/slow", "body": ""}' > /dev/null
within 10 grep -q '/drain/slow' "$outside/good.log"
kill -TERM "$agent"
queue test_call good after '{"method": "GET", "path": "/ok"}' > /dev/null
ended=0
wait "$agent" || ended=$?
agent=
is "it ends" "$ended" 0
is "what was under way is done" "$(state drain)" 'done'
is "nothing new was begun" "$(state after)" waiting
# Short of time it is given back.
as_agent sed -i 's/drain_seconds = 5/drain_seconds = 0/' "$outside/agent.toml"
serve
ends after 'done' "the next agent goes on"
queue test_call good stop '{"method": "POST", "path": "/stop/slow", "body": ""}' > /dev/null
within 10 grep -q '/stop/slow' "$outside/good.log"
kill -TERM "$agent"
wait "$agent" || true
agent=
is "without time to finish it is given back" "$(state stop)" "waiting stopping"
is "the log has one object a line, without payloads" "$(python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
print(all("event" in line for line in lines) and "hello" not in open(sys.argv[1]).read())' "$outside/agent.log")" True
finish
