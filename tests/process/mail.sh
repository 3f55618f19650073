#!/usr/bin/env bash
# Mail from the deciding transaction to a relay: under TLS or not at all, as it was written, and nothing of it left in the database.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

program=$(built aegis-agent)
install -m 0755 -t "$place" "$program"
install -m 0644 -t "$place" tests/process/mail_server.py
chmod 0711 "$place"
if [ "$(id -u)" = 0 ]; then other_user=(setpriv --reuid nobody --regid nogroup --clear-groups); else other_user=(env); fi
as_agent() { "${other_user[@]}" "$@"; }
outside=$(as_agent mktemp -d /tmp/aegis-mail.XXXXXX)
agent=
others=()
finished() {
  for process in $agent "${others[@]}"; do kill -KILL "$process" 2> /dev/null || true; done
  end
  rm -rf "$outside"
}
trap finished EXIT

for name in ours theirs; do
  as_agent openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost" \
    -keyout "$outside/$name.key" -out "$outside/$name.pem" 2> /dev/null
done
# relay NAME CERTIFICATE MODE
relay() {
  as_agent mkdir "$outside/$1"
  # No function: the number must be that of the program.
  "${other_user[@]}" /usr/bin/python3 "$place/mail_server.py" "$outside/$1" "$outside/$2.pem" "$outside/$2.key" "$3" > /dev/null 2>&1 &
  others+=($!)
}
relay good ours starttls
relay false theirs starttls
relay plain ours plain
relay closed ours closed
for name in good false plain closed; do within 10 test -s "$outside/$name/port"; done
printf 'relay secret\n' | as_agent tee "$outside/password" > /dev/null
as_agent chmod 0600 "$outside/password"
as_agent mkdir -m 0700 "$outside/folder"

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE ROLE outbound LOGIN; GRANT aegis_agent TO outbound; UPDATE aegis.outbox_kind SET most_attempts = 2 WHERE name = 'mail';
  CREATE FUNCTION write_to(recipient text, name text, key text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    \$\$ SELECT aegis.queue_mail('greeting', recipient::aegis.sealed_email, pg_catalog.jsonb_build_object('name', name, 'link', 'https://example.com/t/4711token'),
                                 idempotency_key => key) \$\$;
  ALTER FUNCTION write_to OWNER TO aegis_owner" > /dev/null
query "SELECT aegis.set_mail_template('greeting', 'en', 'Grüße an {{name}}, den Kunden mit dem sehr langen Betreff, der über mehrere Zeilen geht',
  E'Hallo {{name}},\n\n.punkt am Anfang: {{link}}\n.\nEnde €\n')" > /dev/null

# configure LINE ...: [mail]
configure() {
  as_agent tee "$outside/agent.toml" > /dev/null << TOML
[agent]
workers = 1
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
[mail]
from = "no-reply@bank.example"
from_name = "Bank of Exämple"
$(printf '%s\n' "$@")
TOML
}
through() { configure 'host = "localhost"' "port = $(cat "$outside/$1/port")" 'user = "relay-user"' "password_file = \"$outside/password\"" "ca = \"$outside/ours.pem\"" 'networks = ["127.0.0.1", "::1"]' "${@:2}"; }
run() { as_agent "$place/aegis-agent" --config "$outside/agent.toml" "$@" 2>&1; }
serve() {
  "${other_user[@]}" "$place/aegis-agent" --config "$outside/agent.toml" > /dev/null 2>&1 &
  agent=$!
}
leave() {
  kill -TERM "$agent"
  wait "$agent" || true
  agent=
}
state() { query "SELECT concat_ws(' ', state, error) FROM aegis.outbox WHERE idempotency_key = '$1'"; }
# ends KEY STATE NAME: waits for it.
ends() { within 15 eval "[ \"\$(state '$1')\" = '$2' ]" || true; is "$3" "$(state "$1")" "$2"; }

through good 'security = "none"'
says "there is no setting for mail in clear" "$(run --check || echo "ended with $?")" 'unknown security "none"' 'ended with 78'
through good
as_agent chmod 0644 "$outside/password"
says "a password that others can read is refused" "$(run --check || echo "ended with $?")" 'open to other users' 'ended with 78'
as_agent chmod 0600 "$outside/password"
says "it carries mail" "$(run --check)" '^carries: mail$'

serve
query "SELECT write_to('olga@client.example', 'Ölga', 'first')" > /dev/null
ends first 'done' "a mail is taken by the relay"
read_mail() {
  python3 - "$1" << 'PYTHON'
import email, email.policy, sys
envelope, raw = open(sys.argv[1], "rb").read().split(b"\n", 1)
mail = email.message_from_bytes(raw, policy=email.policy.default)
print(envelope.decode())
for name in ("From", "To", "Subject", "Auto-Submitted", "Content-Type"):
    print(name + ":", mail[name])
print(mail.get_content().replace("\r\n", "\n"), end="")
print("headers", len(mail.items()), "longest line", max(len(line) for line in raw.split(b"\r\n")), "bare line feeds", raw.replace(b"\r\n", b"").count(b"\n"))
PYTHON
}
is "it is what was written" "$(read_mail "$outside"/good/*.mail)" "MAIL FROM:<no-reply@bank.example> RCPT TO:<olga@client.example>
From: Bank of Exämple <no-reply@bank.example>
To: olga@client.example
Subject: Grüße an Ölga, den Kunden mit dem sehr langen Betreff, der über mehrere Zeilen geht
Auto-Submitted: auto-generated
Content-Type: text/plain; charset=\"utf-8\"
Hallo Ölga,

.punkt am Anfang: https://example.com/t/4711token
.
Ende €
headers 9 longest line 76 bare line feeds 0"
is "under TLS, with a login, and without the name of this machine" "$(tr '\n' ' ' < "$outside/good/log")" \
  "EHLO bank.example STARTTLS EHLO bank.example AUTH MAIL FROM:<no-reply@bank.example> RCPT TO:<olga@client.example> DATA QUIT "
is "nothing of it is left in the database" "$(query "SELECT payload IS NULL, target FROM aegis.outbox WHERE idempotency_key = 'first'")" "t|greeting/en"
is "nor in its ledger" "$(query "SELECT detail ->> 'target' FROM aegis.audit_log WHERE event = 'outbound.delivered'; SELECT count(*) FROM aegis.audit_log WHERE detail::text ~ 'olga|4711'" | tr '\n' ' ')" "greeting/en 0 "
query "SELECT write_to('gone@client.example', 'a', 'gone'), write_to('full@client.example', 'a', 'full')" > /dev/null
ends gone 'dead status_550' "a mailbox that is gone is for good"
ends full 'waiting status_452' "one that is full is not"
is "the secret, the address and the link are not in the log" "$(grep -cE 'secret|olga|4711|client.example' "$outside/agent.log" || true)" 0
leave

# The relay must prove who it is, and must take a password only from whom it knows.
through false
serve
query "SELECT write_to('olga@client.example', 'a', 'false')" > /dev/null
ends false 'waiting certificate_wrong' "a relay with another certificate gets nothing"
leave
through plain
serve
query "SELECT write_to('olga@client.example', 'a', 'plain')" > /dev/null
ends plain 'waiting tls_not_offered' "nor does one without TLS"
leave
is "neither saw a login or a mail" "$(cat "$outside/false/log" "$outside/plain/log" | grep -cE 'AUTH|MAIL|DATA' || true)" 0
printf 'wrong\n' | as_agent tee "$outside/password" > /dev/null
through good
serve
query "SELECT write_to('olga@client.example', 'a', 'login')" > /dev/null
ends login 'waiting login_refused' "a wrong password is tried again later"
leave
# What is wrong with the relay, or with the way there, is not wrong with the mails.
configure 'host = "localhost"' "port = $(cat "$outside/good/port")" "ca = \"$outside/ours.pem\"" 'networks = ["127.0.0.1", "::1"]'
serve
query "SELECT write_to('olga@client.example', 'a', 'unknown')" > /dev/null
ends unknown 'waiting login_refused' "so is a login that is missing"
leave
through closed
serve
query "SELECT write_to('olga@client.example', 'a', 'closed')" > /dev/null
ends closed 'waiting relay_closed' "and a relay that serves nobody"
leave
configure 'host = "localhost"' "port = $(cat "$outside/good/port")" "ca = \"$outside/ours.pem\""
serve
query "SELECT write_to('olga@client.example', 'a', 'private')" > /dev/null
ends private 'dead address_not_allowed' "a relay in the own network must be allowed"
leave

# For development: files.
configure "folder = \"$outside/folder\""
as_agent chmod 0755 "$outside/folder"
says "a folder that others can read is refused" "$(run --check || echo "ended with $?")" 'open to other users' 'ended with 78'
as_agent chmod 0700 "$outside/folder"
serve
query "SELECT write_to('olga@client.example', 'a', 'file')" > /dev/null
ends file 'done' "a mail becomes a file"
is "for the agent's user alone" "$(stat -c '%a' "$outside"/folder/*.eml)" 600
# The id is made of the job's kind and key and nothing else: a mail that is sent again is the same one, and no two others are.
id_of() { printf '%s' "mail/$1" | sha256sum | cut -c1-32; }
query "SELECT write_to('otto@client.example', 'b', 'file-2')" > /dev/null
ends file-2 'done' "another mail becomes another file"
is "each under the hash of its key" "$(basename -s @bank.example.eml -a "$outside"/folder/*.eml | sort)" "$(printf '%s\n' "$(id_of file)" "$(id_of file-2)" | sort)"
says "whole" "$(cat "$outside/folder/$(id_of file)"*.eml)" '^To: olga@client.example' '^Message-ID: <[0-9a-f]{32}@bank.example>'
leave
finish
