#!/usr/bin/env bash
# What providers say, in every order, doubled, lost and sent again, by several sessions at once, some of them killed: the same final
# state, no effect twice, no money dropped, as many entries as effects.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "max_connections = 40" "deadlock_timeout = '200ms'" "log_min_messages = panic"
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE EXTENSION aegis_app; CREATE ROLE member LOGIN IN ROLE aegis_member; SELECT aegis.register_destination('stripe', 'https://api.stripe.com')" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('storm', 'Storm')")
query "CREATE FUNCTION storm_body(body jsonb, params jsonb DEFAULT '{}') RETURNS aegis.request LANGUAGE sql AS
    \$\$ SELECT jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', body, 'params', params, 'query', '{}'::jsonb, 'headers', '{}'::jsonb)) \$\$;
  CREATE FUNCTION storm_invoice(total bigint, OUT invoice uuid, OUT reference text) LANGUAGE plpgsql AS \$\$
  DECLARE
    payer uuid := (SELECT c.id FROM aegis_app.customer c WHERE c.tenant_id = aegis.tenant_id() LIMIT 1);
    account uuid := (SELECT a.id FROM aegis_app.provider_account a WHERE a.tenant_id = aegis.tenant_id());
  BEGIN
    invoice := (aegis_app.create_invoice(public.storm_body(jsonb_build_object('customer_id', payer, 'currency', 'GBP',
      'lines', jsonb_build_array(jsonb_build_object('description', 'work', 'unit_minor', total::text)))))).body ->> 'id';
    PERFORM aegis_app.send_invoice(public.storm_body('{}', jsonb_build_object('id', invoice)));
    reference := ((aegis_app.start_checkout(invoice, account, false)).made).reference;
  END \$\$;
  GRANT EXECUTE ON FUNCTION storm_body, storm_invoice TO aegis_member" > /dev/null
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'set up', 'T-1', read_only => false);
  SELECT aegis.create_user('ada@storm.example', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river'); COMMIT" > /dev/null
token=$(as_role member -c "SELECT token FROM aegis.sign_in('storm', 'ada@storm.example', 'plum quartz lantern 47 river', '192.0.2.1', 'test', 't')")
as_role member -c "BEGIN; SELECT aegis.authenticate('$token');
  SELECT aegis_app.create_customer(public.storm_body('{\"name\": \"Payer\"}'));
  SELECT aegis_app.connect_account('stripe', 'acct_storm', 'GBP', false, 'stripe', 'https://pay.example/back', '{\"key\": \"sk_test_storm\"}'); COMMIT" > /dev/null

cases=100 kills=2
if [ "${AEGIS_LONG:-no}" = yes ]; then cases=2500 kills=25; else echo "skip 2,500 sets of messages with 25 kills (long)"; fi
seed=${AEGIS_SEED:-1504}
if text=$(python3 tests/process/payment_storm.py "$place" "$tenant" "$token" "$cases" "$seed" "$kills" 2>&1); then
  echo "ok every order ends alike: $(tail -n 1 <<< "$text")"
else
  echo "not ok every order ends alike (AEGIS_SEED=$seed)"
  tail -n 60 <<< "$text" | sed 's/^/  got: /'
  failed=1
fi
finish
