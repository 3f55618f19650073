#!/usr/bin/env bash
# Checkouts, refunds and reconciliation between a database, the agent and a provider that is simulated: pages are made, what is paid is
# found out though no webhook comes, refunds arrive once, and what is missing is found and fetched. No credential waits anywhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

install -m 0755 -t "$place" "$(built aegis-agent)"
install -m 0644 -t "$place" tests/provider/simulator.py
chmod 0711 "$place"
if [ "$(id -u)" = 0 ]; then other_user=(setpriv --reuid nobody --regid nogroup --clear-groups); else other_user=(env); fi
as_agent() { "${other_user[@]}" "$@"; }
outside=$(as_agent mktemp -d /tmp/aegis-checkout.XXXXXX)
agent=''
simulator=''
finished() {
  for process in $agent $simulator; do kill -KILL "$process" 2> /dev/null || true; done
  end
  rm -rf "$outside"
}
trap finished EXIT
as_agent openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=localhost" -keyout "$outside/key.pem" \
  -out "$outside/ca.pem" -addext "subjectAltName=DNS:localhost" 2> /dev/null
"${other_user[@]}" /usr/bin/python3 "$place/simulator.py" --port-file "$outside/port" --certificate "$outside/ca.pem" --key "$outside/key.pem" > "$place/simulator.log" 2>&1 &
simulator=$!
within 10 test -s "$outside/port"
port=$(cat "$outside/port")
# control NAME JSON: the answer of the simulator
control() { as_agent curl -sS --cacert "$outside/ca.pem" -d "$2" "https://localhost:$port/control/$1"; }

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE EXTENSION aegis_app; CREATE ROLE outbound LOGIN; GRANT aegis_agent TO outbound; CREATE ROLE member LOGIN IN ROLE aegis_member;
  SELECT aegis.register_destination('stripe', 'https://localhost:$port/stripe'), aegis.register_destination('anet', 'https://localhost:$port/authorize_net/xml/v1/request.api');
  CREATE FUNCTION body(body jsonb, params jsonb DEFAULT '{}', headers jsonb DEFAULT '{}') RETURNS aegis.request LANGUAGE sql AS
    \$\$ SELECT jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', body, 'params', params, 'query', '{}'::jsonb, 'headers', headers)) \$\$;
  GRANT EXECUTE ON FUNCTION body TO aegis_owner, aegis_member" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('shop', 'Shop')")
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'set up', 'T-1', read_only => false);
  SELECT aegis.create_user('ada@shop.example', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river'); COMMIT" > /dev/null
token=$(as_role member -c "SELECT token FROM aegis.sign_in('shop', 'ada@shop.example', 'plum quartz lantern 47 river', '192.0.2.1', 'test', 't')")
# asked SQL: as a user of the tenant; the last value
asked() { as_role member -c "BEGIN; SELECT aegis.authenticate('$token'); $1; COMMIT" | tail -n 1; }
# inside SQL: as answers of the provider are taken; the last value
inside() { query "BEGIN; SET LOCAL ROLE aegis_owner; SELECT aegis.enter_outbound('$tenant'); $1; COMMIT" | tail -n 1; }
stripe=$(asked "SELECT aegis_app.connect_account('stripe', 'acct_shop', 'GBP', false, 'stripe', 'https://pay.example/back', '{\"key\": \"sk_test_canary4711\"}')")
anet=$(asked "SELECT aegis_app.connect_account('authorize_net', 'merchant', 'USD', false, 'anet', 'https://pay.example/back', '{\"name\": \"login\", \"key\": \"canary4711\"}')")
customer=$(asked "SELECT (aegis_app.create_customer(public.body('{\"name\": \"Payer\"}'))).body ->> 'id'")
# invoice CURRENCY TOTAL: the id of one that was sent
invoice() {
  local id
  id=$(asked "SELECT (aegis_app.create_invoice(public.body('{\"customer_id\": \"$customer\", \"currency\": \"$1\", \"lines\": [{\"description\": \"work\", \"unit_minor\": \"$2\"}]}'))).body ->> 'id'")
  asked "SELECT (aegis_app.send_invoice(public.body('{}', '{\"id\": \"$id\"}'))).status" > /dev/null
  echo "$id"
}
checkout() { asked "SELECT coalesce(s.refusal, (s.made).id::text) FROM aegis_app.start_checkout('$1', '$2', ${3:-false}) s"; }
reference() { query "SELECT reference FROM aegis_app.checkout WHERE id = '$1'"; }
status() { query "SELECT status FROM aegis_app.checkout WHERE id = '$1'"; }
has_status() { [ "$(status "$1")" = "$2" ]; }
now() { query "UPDATE aegis.outbox SET not_before = now() WHERE kind = 'payment' AND target LIKE '$1%' AND state = 'waiting'; NOTIFY aegis_outbox" > /dev/null; }
money() { query "SELECT status, applied_minor, refunded_minor FROM aegis_app.invoice WHERE id = '$1'"; }
has_money() { [ "$(money "$1")" = "$2" ]; }

as_agent tee "$outside/agent.toml" > /dev/null << TOML
[agent]
workers = 2
poll_seconds = 1
[database]
socket = "$place"
name = "postgres"
user = "outbound"
[log]
file = "$outside/agent.log"
[[destination]]
url = "https://localhost:$port"
ca = "$outside/ca.pem"
networks = ["127.0.0.0/8"]
TOML
"${other_user[@]}" "$place/aegis-agent" --config "$outside/agent.toml" > /dev/null 2>&1 &
agent=$!

one=$(invoice GBP 12345)
first=$(checkout "$one" "$stripe")
within 20 eval '[ "$(query "SELECT error FROM aegis.outbox WHERE target LIKE '\''create %'\''")" = agent_lacks_role ]'
is "an agent without the role opens no credential" "$(query "SELECT state, attempts, error FROM aegis.outbox")" 'waiting|0|agent_lacks_role'
query "GRANT aegis_payment_service TO outbound" > /dev/null
now create
within 20 has_status "$first" open
says "a page is made at Stripe" "$(query "SELECT status, provider_checkout_id FROM aegis_app.checkout WHERE id = '$first'")" '^open.cs_test_'
is "asked for again, it is the same" "$(checkout "$one" "$stripe")" "$first"
control pay "{\"reference\": \"$(reference "$first")\"}" > /dev/null
now poll
within 20 has_status "$first" paid
is "what was paid is found out by asking, without any webhook" "$(money "$one")" 'paid|12345|0'
payment=$(query "SELECT id FROM aegis_app.payment WHERE invoice_id = '$one'")
asked "SELECT aegis_app.refetch('$stripe', 'details', (SELECT transaction_id FROM aegis_app.payment WHERE id = '$payment'))" > /dev/null
within 20 eval '[ "$(query "SELECT last_four FROM aegis_app.payment")" = 4242 ]'
is "details are fetched" "$(query "SELECT brand, last_four, authorisation_code, code_result FROM aegis_app.payment WHERE id = '$payment'")" 'visa|4242|123456|pass'
is "and nothing of the card is kept" "$(query "SELECT count(*) FROM aegis_app.payment p WHERE p::text ~ '2034|fingerprint\": \"sim'")" 0

# refund PAYMENT AMOUNT KEY
refund() { asked "SELECT coalesce(s.refusal, (s.made).id::text) FROM aegis_app.request_refund('$1', $2, 'too much', '$3') s"; }
back=$(refund "$payment" 2345 k1)
is "the same key is the same refund" "$(refund "$payment" 2345 k1)" "$back"
is "and of another amount it is none" "$(refund "$payment" 2346 k1)" key-used
is "more than is left is refused" "$(refund "$payment" 10001 k2)" not-so-much
within 20 has_money "$one" 'paid|12345|2345'
is "the refund arrived once" "$(query "SELECT r.status, count(*) FROM aegis_app.refund r, aegis_app.payment_effect e WHERE e.effect = 'refund:' || r.provider_refund_id GROUP BY 1")" 'succeeded|1'

two=$(invoice USD 5000)
is "an account that names no currency takes its own only" "$(checkout "$one" "$anet") $(checkout "$(invoice GBP 1)" "$anet")" 'nothing-due other-currency'
second=$(checkout "$two" "$anet")
within 20 has_status "$second" open
says "a page is made at Authorize.Net" "$(asked "SELECT aegis_app.checkout_json(c) ->> 'go' FROM aegis_app.checkout c WHERE c.id = '$second'")" '"POST"' 'test.authorize.net' 'token_'
# Its time is over, and nobody knows what became of it.
query "UPDATE aegis_app.checkout SET expires_at = now() - interval '1 s' WHERE id = '$second'" > /dev/null
is "no other attempt begins while one is not resolved" "$(checkout "$two" "$anet")" attempt-unresolved
control pay "{\"reference\": \"$(reference "$second")\", \"card\": \"5555555555554444\"}" > /dev/null
now poll
within 20 has_status "$second" paid
is "it was paid" "$(money "$two") $(query "SELECT brand, last_four, amount_minor FROM aegis_app.payment WHERE invoice_id = '$two'")" 'paid|5000|0 mastercard|4444|5000'
refund "$(query "SELECT id FROM aegis_app.payment WHERE invoice_id = '$two'")" 5000 k3 > /dev/null
within 20 has_money "$two" 'paid|5000|5000'
is "and given back" "$(query "SELECT status FROM aegis_app.payment WHERE invoice_id = '$two'")" refunded

third=$(checkout "$(invoice USD 700)" "$anet")
within 20 has_status "$third" open
query "UPDATE aegis_app.checkout SET expires_at = now() - interval '2 h' WHERE id = '$third'" > /dev/null
now poll
within 20 has_status "$third" expired
is "what is over and known to nobody is over" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'payment.attempt.resolved'")" 3

# A payment of which nobody told, one that only the records know, and one of another amount.
four=$(invoice GBP 800)
fourth=$(checkout "$four" "$stripe")
within 20 has_status "$fourth" open
control pay "{\"reference\": \"$(reference "$fourth")\"}" > /dev/null
inside "SELECT aegis_app.take_event(jsonb_populate_record(NULL::aegis_app.provider_event, jsonb_build_object('provider', 'stripe', 'account', 'acct_shop',
  'kind', 'settled', 'transaction_id', 'pi_nobody', 'reference', '$(reference "$first")', 'amount_minor', 5, 'currency', 'GBP', 'live', false, 'occurred_at', now() - interval '1 min')))" > /dev/null
query "UPDATE aegis_app.payment_effect SET amount_minor = 12346 WHERE payment_id = '$payment' AND effect = 'capture';
  UPDATE aegis_app.payment SET amount_minor = 12346 WHERE id = '$payment'" > /dev/null
run=$(asked "SELECT aegis_app.start_reconciliation('$stripe', now() - interval '1 day', now() - interval '0 s', false)")
ended() { [ -n "$(query "SELECT ended_at FROM aegis_app.reconciliation WHERE id = '$run'")" ]; }
within 20 ended
is "the comparison finds each" "$(query "SELECT string_agg(kind || ' ' || coalesce(recorded_minor::text, '-') || ' ' || coalesce(listed_minor::text, '-'), ', ' ORDER BY kind) FROM aegis_app.reconciliation_difference")" \
  'amount 12346 12345, extra 5 -, missing - 800'
within 20 has_money "$four" 'paid|800|0'
is "and what was missing is fetched" "$(query "SELECT count(*) FROM aegis_app.payment WHERE invoice_id = '$four'")" 1

is "no credential waits anywhere in clear" "$(query "SELECT count(*) FROM aegis.outbox WHERE position('canary4711'::bytea IN payload) > 0") $(as_server grep -rl canary4711 "$log" "$outside/agent.log" 2> /dev/null | wc -l)" '0 0'
says "and each opening is recorded" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'pii.revealed' AND target_id = 'provider_account.credential'")" '^[1-9]'
finish
