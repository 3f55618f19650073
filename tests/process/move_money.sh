#!/usr/bin/env bash
# A tenant moves while its provider and its people are at work: what anybody was told of is there once afterwards, what nobody was told of
# comes again there, numbers of invoices go on, and where it was it answers that it is gone.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/regions.sh

slug=cedar
facts=$files/facts
work() { python3 tests/process/move_money.py "$1" "$place" "$facts"; }
money="SELECT (SELECT count(*) FROM aegis_app.invoice), (SELECT count(*) FROM aegis_app.payment), (SELECT count(*) FROM aegis_app.payment_effect), (SELECT sum(applied_minor) FROM aegis_app.invoice),
  (SELECT count(*) FROM aegis_app.webhook_event), (SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM (SELECT to_jsonb(i) FROM aegis_app.invoice i UNION ALL SELECT to_jsonb(p) FROM aegis_app.payment p
   UNION ALL SELECT to_jsonb(e) FROM aegis_app.payment_effect e UNION ALL SELECT to_jsonb(c) FROM aegis_app.checkout c UNION ALL SELECT to_jsonb(w) FROM aegis_app.webhook_event w) t)"

begin_regions "CREATE EXTENSION aegis_app; SELECT aegis.register_destination('stripe', 'https://api.stripe.com')"
at UK
within 30 query "SELECT 1 / alive::int FROM aegis.worker_status()"
tenant=$(query "SELECT aegis.create_tenant('$slug', 'Cedar')" -U olga)
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'set up', 'T-1', false);
  SELECT aegis.create_user('ada@cedar.example', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river'); COMMIT" > /dev/null
work begin

# Both go on until they are refused; the tenant is suspended in the midst of it.
work traffic > "$files/said" &
traffic=$!
busy() { [ "$(query "SELECT count(*) FROM aegis_app.payment_effect")" -ge 4 ] && [ "$(query "SELECT max(number_seq) FROM aegis_app.invoice")" -ge 42 ]; }
within 60 busy
query "SELECT aegis.suspend_tenant('$tenant', 'moves')" -U olga > /dev/null
wait "$traffic"
says "both were at work, and both were refused in the end" "$(cat "$files/said")" '^payments [1-9][0-9]* taken, [1-9][0-9]* not, with 503$' '^invoices [1-9][0-9]* sent, 1 not, with 40[13]$'
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
before=$(query "$money")

at SG
key=$(query "SELECT aegis.import_key()" -U olga)
at UK
number=$(asked export "'$key'")
query "COPY (SELECT aegis.export_tenant($number, '$slug')) TO STDOUT" -U olga > "$files/cedar"
chain=$(query "SELECT result FROM aegis.tenant_request WHERE id = $number")
chmod a+r "$files/cedar"
at SG
is "is imported" "$(take "$files/cedar" "$chain" | grep .)" "$tenant"
is "all of it as it was" "$(query "$money")" "$before"
sign 64
query "SELECT aegis.receipt('$tenant', 0)" -U auditor | sed '$d' > "$files/arrived"
key=$(key_of SG 64)
at UK
number=$(asked move "'SG:$key'")
query "SELECT aegis.move_tenant($number, '$slug', \$r\$$(cat "$files/arrived")
\$r\$)" -U olga > /dev/null
is "where it was, nobody is let in and nothing is taken" "$(work gone)" "sign-in 410, session 410, webhook 410"
is "and nothing changed" "$(query "$money")" "$before"

at SG
query "SELECT aegis.reactivate_tenant('$tenant', 'has arrived')" -U olga > /dev/null
# The provider is given the new address, and sends everything again of which it does not know that it arrived.
is "what comes again is taken, or was there" "$(work again)" "$(python3 -c 'import json, sys; f = json.load(open(sys.argv[1])); print("%d taken, %d were there" % (len(f["payments"]) - len(f["taken"]), len(f["taken"])))' "$facts")"
is "each invoice of these is paid once" "$(query "SELECT i.status, i.applied_minor = i.total_minor, count(*) = (SELECT count(*) FROM aegis_app.checkout) FROM aegis_app.invoice i
  WHERE EXISTS (SELECT FROM aegis_app.checkout c WHERE c.invoice_id = i.id) GROUP BY 1, 2")" "paid|t|t"
is "by one payment with one effect" "$(query "SELECT count(*), count(DISTINCT transaction_id), count(DISTINCT event_id) = count(*) FROM aegis_app.payment_effect WHERE effect = 'capture'")" "$(query "SELECT count(*), count(*) FROM aegis_app.checkout")|t"
is "whoever was told a number has it" "$(work numbers)" "every one"
is "numbers go on, without a gap" "$(work next)" "the next, gapless"
is "its ledger verifies" "$(query "SELECT aegis.wait_sealed('60 s'); SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'" | tail -n 1)" 0
finish
