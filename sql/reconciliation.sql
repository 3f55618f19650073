-- What a provider lists is compared with the records: each difference is found once, recorded without anything else that was listed, and
-- settled by somebody. the checkouts' agent answers.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
SELECT max(seq) AS before FROM aegis.entry \gset
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.body ->> 'id' AS books FROM aegis_app.post_account(regress_body('{"provider": "stripe", "account": "acct_books", "currency": "GBP", "live": false,
  "destination": "regress-stripe", "return_url": "https://pay.example/back", "credential": {"key": "sk_test_canary_books"}}')) r \gset
SELECT (a.made).reference AS same, (b.made).reference AS other_amount, (c.made).reference AS other_currency, (d.made).reference AS extra, (e.made).reference AS missing
  FROM aegis_app.start_checkout(regress_invoice(201), :'books', false) a, aegis_app.start_checkout(regress_invoice(202), :'books', false) b, aegis_app.start_checkout(regress_invoice(203), :'books', false) c,
       aegis_app.start_checkout(regress_invoice(204), :'books', false) d, aegis_app.start_checkout(regress_invoice(205), :'books', false) e \gset
COMMIT;
\c - :administrator
SET client_min_messages = warning;
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound(id) FROM aegis.tenant WHERE slug = 'regress-one' \g /dev/null
SELECT regress_say('settled', t.name, t.reference, t.amount, jsonb_build_object('account', 'acct_books', 'occurred_at', now() - interval '10 min'))
  FROM (VALUES ('pi_same', :'same', 201), ('pi_amount', :'other_amount', 202), ('pi_currency', :'other_currency', 203), ('pi_extra', :'extra', 204)) t(name, reference, amount);
COMMIT;

-- refuses: a user, a stretch that is not over, another's account; allows: a manager
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT aegis_app.start_reconciliation(:'books', now() - interval '1 day', now(), false);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT aegis_app.start_reconciliation(gen_random_uuid(), now() - interval '1 day', now(), false) AS none;
SELECT aegis_app.start_reconciliation(:'books', now() - interval '1 day', now(), false) AS run \gset
SAVEPOINT s;
SELECT aegis_app.start_reconciliation(:'books', now() - interval '1 day', now() + interval '1 day', false);
ROLLBACK TO s;
COMMIT;

-- allows: a list of two pages, with what others do with the account; the last page is compared,
-- and what is missing is fetched, and pays its invoice
\c - :administrator
SET client_min_messages = warning;
CREATE FUNCTION regress_listed(name text, amount integer, currency text, reference text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('object', 'payment_intent', 'id', name, 'status', 'succeeded', 'amount_received', amount, 'currency', currency, 'livemode', false, 'metadata', jsonb_build_object('aegis_reference', reference),
    'created', floor(extract(epoch FROM now() - interval '10 min')), 'latest_charge', jsonb_build_object('created', floor(extract(epoch FROM now() - interval '10 min'))),
    'description', 'Jenny Rosen, 4242 4242 4242 4242') $$;
\c - regress_checkout_agent
SELECT regress_answer('list ' || :'run', jsonb_build_object('object', 'list', 'has_more', true, 'data', jsonb_build_array(
  regress_listed('pi_same', 201, 'gbp', :'same'), regress_listed('pi_foreign', 7, 'gbp', NULL), regress_listed('pi_amount', 302, 'gbp', :'other_amount'))));
SELECT regress_answer('list ' || :'run', jsonb_build_object('object', 'list', 'has_more', false, 'data', jsonb_build_array(
  regress_listed('pi_currency', 203, 'eur', :'other_currency'), regress_listed('pi_missing', 205, 'gbp', :'missing'))));
SELECT regress_answer('details pi_missing', regress_listed('pi_missing', 205, 'gbp', :'missing'));
\c - :administrator
SET client_min_messages = warning;
SELECT listed, differences, ended_at IS NOT NULL AS ended FROM aegis_app.reconciliation WHERE id = :'run';
SELECT i.total_minor, i.status, p.transaction_id FROM aegis_app.payment p JOIN aegis_app.invoice i ON i.id = p.invoice_id WHERE p.account = 'acct_books' ORDER BY 1;

-- allows: a manager settles a difference, once
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT d.value ->> 'kind' AS kind, d.value ->> 'recorded_minor' AS recorded, d.value ->> 'listed_minor' AS listed, d.value ->> 'currency' AS currency
  FROM aegis_app.list_reconciliations(regress_body('{}')) r, jsonb_array_elements(r.body -> 'open') d WHERE d.value ->> 'reconciliation_id' = :'run' ORDER BY 1;
SELECT d.value ->> 'id' AS extra_one FROM aegis_app.list_reconciliations(regress_body('{}')) r, jsonb_array_elements(r.body -> 'open') d WHERE d.value ->> 'kind' = 'extra' \gset
SELECT (aegis_app.post_difference_settled(regress_body('{}', jsonb_build_object('id', :'extra_one')))).status, (aegis_app.post_difference_settled(regress_body('{}', jsonb_build_object('id', :'extra_one')))).status AS again;
COMMIT;

-- survives: each step, and nothing of a card, a credential or a payer
\c - :administrator
SET client_min_messages = warning;
SELECT event, outcome, target_id = :'run' AS run, user_id IS NOT NULL AS by_somebody, detail FROM aegis.audit_log
 WHERE seq > :before AND event LIKE 'payment.reconciliation.%' ORDER BY event, detail ->> 'kind';
SELECT count(*) AS entries FROM aegis.entry e, unnest(ARRAY['4242', 'canary', 'sk_test', 'Jenny']) w WHERE e.seq > :before AND position(w::bytea IN e.body) > 0;
DROP FUNCTION regress_listed, regress_answer, regress_due;
DROP ROLE regress_checkout_agent;
