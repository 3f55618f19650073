-- What providers say happens to money once, in whatever order they say it, and no money is dropped.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE FUNCTION regress_body(body jsonb, params jsonb DEFAULT '{}') RETURNS aegis.request LANGUAGE sql AS
  $$ SELECT jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', body, 'params', params, 'query', '{}'::jsonb, 'headers', '{}'::jsonb)) $$;
-- What a provider says; amounts and what it is about vary.
CREATE FUNCTION regress_event(kind text, transaction text, reference text DEFAULT NULL, amount bigint DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS aegis_app.provider_event LANGUAGE sql AS
  $$ SELECT jsonb_populate_record(NULL::aegis_app.provider_event, jsonb_build_object('provider', 'stripe', 'account', 'acct_regress', 'event_id', 'evt_' || gen_random_uuid(),
       'kind', kind, 'transaction_id', transaction, 'reference', reference, 'amount_minor', amount, 'currency', 'GBP', 'occurred_at', '2030-01-01T12:00:00Z',
       'live', false, 'document', '{"object": {"card": {"number": "4242424242424242", "last4": "4242"}}}'::jsonb) || more) $$;
CREATE FUNCTION regress_say(kind text, transaction text, reference text DEFAULT NULL, amount bigint DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
  $$ SELECT aegis_app.apply_payment_event(public.regress_event(kind, transaction, reference, amount, more)) $$;
CREATE FUNCTION regress_invoice(total bigint, currency text DEFAULT 'GBP') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  payer uuid := (SELECT c.id FROM aegis_app.customer c WHERE aegis.legible(c.name) = 'Payer of payments' LIMIT 1);
  made uuid;
BEGIN
  made := (aegis_app.create_invoice(public.regress_body(jsonb_build_object('customer_id', payer, 'currency', currency,
    'lines', jsonb_build_array(jsonb_build_object('description', 'work', 'unit_minor', total::text)))))).body ->> 'id';
  PERFORM aegis_app.send_invoice(public.regress_body('{}', jsonb_build_object('id', made)));
  RETURN made;
END $$;
CREATE FUNCTION regress_state(invoice uuid) RETURNS TABLE (status text, applied bigint, refunded bigint, disputes integer, unapplied bigint) LANGUAGE sql AS
  $$ SELECT i.status, i.applied_minor, i.refunded_minor, i.open_disputes, coalesce((SELECT sum(p.unapplied_minor) FROM aegis_app.payment p WHERE p.invoice_id = i.id), 0)::bigint
       FROM aegis_app.invoice i WHERE i.id = invoice $$;
-- Says five things of one payment in each order that there is, each twice, and undoes it; what it ends in.
CREATE FUNCTION regress_orders(invoice uuid, reference text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  of_it jsonb := '{"parent_transaction_id": "pi_orders"}';
  sayings aegis_app.provider_event[] := ARRAY[public.regress_event('authorised', 'pi_orders', reference, 10000), public.regress_event('settled', 'pi_orders', reference, 10000),
    public.regress_event('refunded', 're_part', NULL, 3000, of_it || '{"effect_reference": "re_part"}'), public.regress_event('refunded', 're_rest', NULL, 7000, of_it || '{"effect_reference": "re_rest"}'),
    public.regress_event('dispute_opened', 'dp_orders', NULL, 10000, of_it || '{"effect_reference": "dp_orders"}')];
  way integer[];
  one integer;
BEGIN
  FOR way IN WITH RECURSIVE ways (steps) AS (SELECT '{}'::integer[] UNION ALL SELECT w.steps || n FROM ways w, generate_series(1, 5) n WHERE n <> ALL (w.steps))
             SELECT w.steps FROM ways w WHERE cardinality(w.steps) = 5 LOOP
    BEGIN
      FOREACH one IN ARRAY way LOOP
        PERFORM aegis_app.apply_payment_event(sayings[one]), aegis_app.apply_payment_event(sayings[one]);
      END LOOP;
      RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = (SELECT format('%s; %s payments %s; %s effects, %s held', s, count(DISTINCT p.id), min(p.status || ' ' || p.amount_minor || ' ' || p.refunded_minor || ' ' || p.disputed_minor),
          count(e), (SELECT count(*) FROM aegis_app.held_event h WHERE h.state = 'held' AND h.transaction_id ~ '^(pi_orders|re_part|re_rest|dp_orders)$'))
        FROM public.regress_state(regress_orders.invoice) s, aegis_app.payment p JOIN aegis_app.payment_effect e ON e.payment_id = p.id WHERE p.transaction_id = 'pi_orders' GROUP BY s);
    EXCEPTION WHEN raise_exception THEN
      RETURN NEXT SQLERRM;
    END;
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION regress_orders, regress_body, regress_event, regress_say, regress_invoice, regress_state TO aegis_member, aegis_owner;
SELECT id AS one FROM aegis.tenant WHERE slug = 'regress-one' \gset
\set by_anet '{"provider": "authorize_net", "account": "merchant", "currency": "USD"}'
\c - regress_app_operator
SELECT aegis.register_destination('regress-stripe', 'https://api.stripe.com'), aegis.register_destination('regress-anet', 'https://apitest.authorize.net/xml/v1/request.api');
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset

-- allows: admins connect accounts; the credential comes back to nobody
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.status, r.body ->> 'id' AS stripe FROM aegis_app.post_account(regress_body('{"provider": "stripe", "account": "acct_regress", "currency": "GBP", "live": false,
  "destination": "regress-stripe", "return_url": "https://pay.example/back", "credential": {"key": "sk_test_regress"}}')) r \gset
SELECT r.status AS anet_status, r.body ->> 'id' AS anet FROM aegis_app.post_account(regress_body('{"provider": "authorize_net", "account": "merchant", "currency": "USD",
  "live": false, "destination": "regress-anet", "return_url": "https://pay.example/back", "credential": {"name": "login", "key": "transaction-key"}}')) r \gset
SELECT :status AS stripe, :anet_status AS authorize_net, jsonb_array_length((aegis_app.list_accounts(NULL)).body -> 'accounts') AS accounts,
       (aegis_app.list_accounts(NULL)).body::text LIKE '%sk_test%' AS shown;
SAVEPOINT s;
SELECT aegis.reveal(a.credential) FROM aegis_app.provider_account a LIMIT 1;
ROLLBACK TO s;
SELECT aegis.masked(a.credential) FROM aegis_app.provider_account a LIMIT 1;
ROLLBACK TO s;
-- refuses: what the provider would not take, addresses that no operator registered, ranks below
SELECT aegis_app.post_account(regress_body('{"provider": "stripe", "account": "x", "currency": "GBP", "live": false, "destination": "regress-stripe",
  "return_url": "https://pay.example/back", "credential": {"name": "sk_test_regress"}}'));
ROLLBACK TO s;
SELECT aegis_app.post_account(regress_body('{"provider": "stripe", "account": "x", "currency": "GBP", "live": false, "destination": "elsewhere",
  "return_url": "https://pay.example/back", "credential": {"key": "sk_test_regress"}}'));
ROLLBACK TO s;
SELECT (aegis_app.post_account(regress_body('{"provider": "stripe", "account": "acct_regress", "currency": "GBP", "live": false, "destination": "regress-stripe",
  "return_url": "https://pay.example/back", "credential": {"key": "sk_test_regress"}}'))).body ->> 'type' AS again;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.connect_account('stripe', 'x', 'GBP', false, 'regress-stripe', 'https://pay.example/back', '{"key": "k"}');
ROLLBACK TO s;
-- refuses: members say nothing in a provider's place, neither by a function nor in a table
SELECT regress_say('settled', 'pi_forged', NULL, 1);
ROLLBACK TO s;
SELECT aegis_app.post_event(regress_event('settled', 'pi_forged', 'agaaaaaaaaaaaaaaaaaa', 1));
ROLLBACK TO s;
INSERT INTO aegis_app.payment (invoice_id, provider, account, transaction_id, currency, occurred_at, verified_by) SELECT id, 'stripe', 'x', 'x', 'GBP', now(), '{}' FROM aegis_app.invoice LIMIT 1;
ROLLBACK TO s;
UPDATE aegis_app.checkout SET status = 'paid';
ROLLBACK TO s;
-- allows: a user begins the checkout of an own invoice; asked again it is the same
SELECT (aegis_app.create_customer(regress_body('{"name": "Payer of payments"}'))).status;
SELECT regress_invoice(10000) AS plain, regress_invoice(10000) AS late, regress_invoice(10000) AS twice, regress_invoice(10000) AS less,
       regress_invoice(10000) AS more, regress_invoice(10000) AS other, regress_invoice(10000) AS fight, regress_invoice(10000) AS early, regress_invoice(500) AS next, regress_invoice(10000, 'USD') AS dollars \gset
SELECT r.status, r.body ->> 'status' AS state, r.body ->> 'amount_minor' AS amount, r.body ->> 'id' AS checkout
  FROM aegis_app.post_checkout(regress_body(jsonb_build_object('account_id', :'stripe'), jsonb_build_object('id', :'plain'))) r \gset
SELECT :status AS status, :'state' AS state, :'amount' AS amount;
SELECT r.status, r.body ->> 'id' = :'checkout' AS the_same
  FROM aegis_app.post_checkout(regress_body(jsonb_build_object('account_id', :'stripe'), jsonb_build_object('id', :'plain'))) r;
-- refuses: another currency where the provider names none, another account while one is open, a user who forces it
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.post_checkout(regress_body(jsonb_build_object('account_id', :'anet'), jsonb_build_object('id', :'late'))) r;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.post_checkout(regress_body(jsonb_build_object('account_id', :'stripe', 'force', true), jsonb_build_object('id', gen_random_uuid()))) r;
SAVEPOINT s;
SELECT aegis_app.post_checkout(regress_body(jsonb_build_object('account_id', :'stripe', 'force', true), jsonb_build_object('id', :'plain')));
ROLLBACK TO s;
SELECT (aegis_app.start_checkout(i, :'stripe', false)).refusal FROM unnest(ARRAY[:'late', :'twice', :'less', :'more', :'other', :'fight', :'early']::uuid[]) i;
SELECT (aegis_app.start_checkout(:'dollars', :'anet', false)).refusal;
COMMIT;
\c - :administrator
-- survives: the reference is opaque and fits every provider; nothing of the credential waits in clear
SELECT count(*), bool_and(length(reference) = 20), bool_and(reference ~ '^ag[a-p]{18}$') FROM aegis_app.checkout;
SELECT count(*) AS calls, bool_or(position('sk_test'::bytea IN payload) > 0) AS clear FROM aegis.outbox WHERE kind = 'payment';
SELECT reference AS plain_ref FROM aegis_app.checkout WHERE invoice_id = :'plain' \gset
SELECT reference AS late_ref FROM aegis_app.checkout WHERE invoice_id = :'late' \gset
SELECT reference AS twice_ref FROM aegis_app.checkout WHERE invoice_id = :'twice' \gset
SELECT reference AS less_ref FROM aegis_app.checkout WHERE invoice_id = :'less' \gset
SELECT reference AS more_ref FROM aegis_app.checkout WHERE invoice_id = :'more' \gset
SELECT reference AS other_ref FROM aegis_app.checkout WHERE invoice_id = :'other' \gset
SELECT reference AS fight_ref FROM aegis_app.checkout WHERE invoice_id = :'fight' \gset
SELECT reference AS dollars_ref FROM aegis_app.checkout WHERE invoice_id = :'dollars' \gset
SELECT reference AS early_ref FROM aegis_app.checkout WHERE invoice_id = :'early' \gset
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
-- survives: an invoice that is cancelled has no page to pay it on
SELECT (aegis_app.cancel_invoice(regress_body('{"reason": "changed their mind"}', jsonb_build_object('id', :'late')))).status;
SELECT c.status FROM aegis_app.checkout c WHERE c.reference = :'late_ref';
COMMIT;

-- allows: authorised, captured, paid; told again it is nothing new, under whatever id
\c - :administrator
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound(:'one') \g /dev/null
SELECT regress_say('authorised', 'pi_plain', :'plain_ref', 10000), status, applied FROM regress_state(:'plain');
SELECT regress_say('settled', 'pi_plain', :'plain_ref', 10000, '{"brand": "American Express", "last_four": "0005", "result_code": "ok"}'), regress_say('settled', 'pi_plain', :'plain_ref', 10000);
SELECT * FROM regress_state(:'plain');
SELECT regress_say('settled', 'pi_plain', :'plain_ref', 9000) AS other_amount, regress_say('failed', 'pi_plain', :'plain_ref') AS failed_after, regress_say('expired', NULL, :'plain_ref') AS expired_after;
SELECT p.status, p.amount_minor, p.brand, p.last_four, p.result_code, p.response, p.scrub_report, p.verified_by FROM aegis_app.payment p WHERE p.transaction_id = 'pi_plain';
SELECT c.status FROM aegis_app.checkout c WHERE c.reference = :'plain_ref';
-- allows: parts given back, and never more than came
SELECT regress_say('refunded', 're_1', NULL, 3000, '{"parent_transaction_id": "pi_plain", "effect_reference": "re_1"}'),
       regress_say('refunded', 're_1', NULL, 3000, '{"parent_transaction_id": "pi_plain", "effect_reference": "re_1"}') AS again;
SELECT * FROM regress_state(:'plain');
SELECT regress_say('refunded', 're_2', NULL, 7000, '{"parent_transaction_id": "pi_plain", "effect_reference": "re_2"}');
SELECT s.*, p.status AS payment FROM regress_state(:'plain') s, aegis_app.payment p WHERE p.transaction_id = 'pi_plain';

-- survives: money for an invoice that takes none; less, more, twice, in another currency
SELECT regress_say('settled', 'pi_late', :'late_ref', 10000) AS late;
SELECT s.*, p.set_aside FROM regress_state(:'late') s, aegis_app.payment p WHERE p.transaction_id = 'pi_late';
SELECT regress_say('settled', 'pi_twice_1', :'twice_ref', 10000) AS once, regress_say('settled', 'pi_twice_2', :'twice_ref', 10000) AS twice;
SELECT * FROM regress_state(:'twice');
-- allows: the first of the two given back leaves the second paying
SELECT regress_say('refunded', 're_3', NULL, 10000, '{"parent_transaction_id": "pi_twice_1", "effect_reference": "re_3"}');
SELECT * FROM regress_state(:'twice');
SELECT regress_say('settled', 'pi_less', :'less_ref', 4000) AS less, regress_say('settled', 'pi_more', :'more_ref', 10100) AS more;
SELECT * FROM regress_state(:'less') UNION ALL SELECT * FROM regress_state(:'more');
SELECT regress_say('settled', 'pi_other', :'other_ref', 10000, '{"currency": "EUR"}') AS other;
SELECT s.*, p.set_aside FROM regress_state(:'other') s, aegis_app.payment p WHERE p.transaction_id = 'pi_other';
-- survives: a dispute, its loss, and a reversal of that
SELECT regress_say('settled', 'pi_fight', :'fight_ref', 10000), regress_say('dispute_opened', 'dp_1', NULL, 10000, '{"parent_transaction_id": "pi_fight", "effect_reference": "dp_1"}');
SELECT s.*, p.status AS payment FROM regress_state(:'fight') s, aegis_app.payment p WHERE p.transaction_id = 'pi_fight';
SELECT regress_say('dispute_lost', 'dp_1', NULL, 10000, '{"parent_transaction_id": "pi_fight", "effect_reference": "dp_1", "occurred_at": "2030-02-01T00:00:00Z"}');
SELECT s.*, p.status AS payment FROM regress_state(:'fight') s, aegis_app.payment p WHERE p.transaction_id = 'pi_fight';
SELECT regress_say('dispute_won', 'dp_1', NULL, 10000, '{"parent_transaction_id": "pi_fight", "effect_reference": "dp_1", "occurred_at": "2030-03-01T00:00:00Z"}');
SELECT s.*, p.status AS payment FROM regress_state(:'fight') s, aegis_app.payment p WHERE p.transaction_id = 'pi_fight';
-- survives: every order of five things that happen to one payment, each told twice
SELECT count(*) AS orders, o.ends_in FROM regress_orders(:'early', :'early_ref') o (ends_in) GROUP BY 2;
-- survives: a refund before its payment waits for it
SELECT regress_say('refunded', 're_4', NULL, 2500, '{"parent_transaction_id": "pi_early", "effect_reference": "re_4"}') AS before,
       regress_say('refunded', 're_4', NULL, 2500, '{"parent_transaction_id": "pi_early", "effect_reference": "re_4"}') AS again;
SELECT regress_say('settled', 'pi_early', :'early_ref', 10000);
SELECT s.*, h.state FROM regress_state(:'early') s, aegis_app.held_event h WHERE h.transaction_id = 'pi_early';
-- survives: a provider that does not say which of two payments a refund is of; it is asked, and the answer says it
SELECT regress_say('settled', '60000000001', :'dollars_ref', 10000, :'by_anet'), regress_say('settled', '60000000002', :'dollars_ref', 10000, :'by_anet'),
       regress_say('refunded', '60000000003', :'dollars_ref', 10000, :'by_anet') AS of_which;
SELECT regress_say('refunded', '60000000003', :'dollars_ref', 10000, :'by_anet'::jsonb || '{"parent_transaction_id": "60000000002"}') AS asked;
SELECT s.*, h.state FROM regress_state(:'dollars') s, aegis_app.held_event h WHERE h.transaction_id = '60000000003';
SELECT p.transaction_id, p.status FROM aegis_app.payment p WHERE p.invoice_id = :'dollars' ORDER BY 1;
SELECT split_part(o.target, ' ', 1) AS call, count(*) FROM aegis.outbox o WHERE o.kind = 'payment' GROUP BY 1 ORDER BY 1;
-- refuses: other business of the account, the other mode, what says nothing; money with a reference that nobody gave is kept
SELECT regress_say('settled', 'pi_alien', NULL, 100) AS not_ours, regress_say('settled', 'pi_alien', 'order-17', 100) AS nor_this,
       regress_say('settled', 'pi_live', :'less_ref', 100, '{"live": true}') AS other_mode, regress_say('ignored', 'pi_x') AS ignored,
       regress_say('settled', 'pi_less', :'less_ref') AS no_amount, regress_say('settled', 'pi_lost', 'agaaaaaaaaaaaaaaaaaa', 500) AS unknown;
-- survives: amounts of another currency: a dispute is then about all of it, a refund needs somebody to look
SELECT regress_say('refunded', 're_yen', NULL, 1500, '{"parent_transaction_id": "pi_twice_2", "effect_reference": "re_yen", "currency": "JPY"}') AS refund,
       regress_say('dispute_lost', 'dp_yen', NULL, 1500, '{"parent_transaction_id": "pi_twice_2", "effect_reference": "dp_yen", "currency": "JPY"}') AS dispute;
SELECT s.*, p.refunded_minor, p.lost_minor, p.status AS payment FROM regress_state(:'twice') s, aegis_app.payment p WHERE p.transaction_id = 'pi_twice_2';
-- refuses: to hold what could never be applied to its payment
SAVEPOINT s;
SELECT regress_say('refunded', 're_less', NULL, -2500, '{"parent_transaction_id": "pi_less_than_nothing", "effect_reference": "re_less"}');
ROLLBACK TO s;
COMMIT;

-- allows: a manager gives unapplied money to other invoices, at most what they lack
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT jsonb_array_length(r.body -> 'payments') AS payments, jsonb_array_length(r.body -> 'held') AS held FROM aegis_app.list_unapplied(regress_body('{}')) r;
SELECT id AS late_payment FROM aegis_app.payment WHERE transaction_id = 'pi_late' \gset
SELECT id AS lost_money FROM aegis_app.held_event WHERE transaction_id = 'pi_lost' \gset
SELECT r.status, r.body FROM aegis_app.post_match(regress_body(jsonb_build_object('invoice_id', :'less', 'amount_minor', '7000'), jsonb_build_object('id', :'late_payment'))) r;
SELECT r.status, r.body FROM aegis_app.post_match(regress_body(jsonb_build_object('invoice_id', :'less'), jsonb_build_object('id', :'late_payment'))) r;
SELECT * FROM regress_state(:'less') UNION ALL SELECT * FROM regress_state(:'late');
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.post_match(regress_body(jsonb_build_object('invoice_id', :'less'), jsonb_build_object('id', :'late_payment'))) r;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.post_match(regress_body(jsonb_build_object('invoice_id', :'next'), jsonb_build_object('id', gen_random_uuid()))) r;
-- refuses: to give back what pays another invoice, and to give to an invoice what was asked back
SELECT (aegis_app.request_refund(:'late_payment', 4001, 'more than is left', 'k1')).refusal;
SELECT (r.made).status, r.refusal FROM aegis_app.request_refund(:'late_payment', 3000, 'came too late', 'k2') r;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.post_match(regress_body(jsonb_build_object('invoice_id', :'other', 'amount_minor', '1001'), jsonb_build_object('id', :'late_payment'))) r;
-- allows: comparisons, daily from now on; begun once
SELECT aegis_app.start_reconciliation(:'stripe', now() - interval '1 day', now(), daily) IS NOT NULL AS begun FROM unnest('{false,true,true}'::boolean[]) daily;
SELECT count(*) AS comparisons, count(*) FILTER (WHERE r.to_time > now()) AS daily FROM aegis_app.reconciliation r;
-- refuses: a manager who would have the agent make another call than one that asks
SELECT c AS call, aegis_app.refetch(:'stripe', c, 'pi_plain') AS made FROM unnest('{create,details,event,expire,list,poll,refund,NULL}'::text[]) c;
SELECT r.status, r.body FROM aegis_app.post_held_match(regress_body(jsonb_build_object('invoice_id', :'next'), jsonb_build_object('id', :'lost_money'))) r;
SELECT * FROM regress_state(:'next');
SELECT r.body - 'payments' - 'matched' AS money FROM aegis_app.list_invoice_payments(regress_body('{}', jsonb_build_object('id', :'less'))) r;
COMMIT;
-- survives: a provider that could not be asked for days; then whoever asks for daily comparisons has them go on
\c - :administrator
UPDATE aegis_app.reconciliation SET from_time = from_time - interval '5 days', to_time = to_time - interval '5 days';
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis_app.start_reconciliation(:'stripe', now() - interval '1 day', now(), true) IS NOT NULL AS begun;
SELECT count(*) AS comparisons, count(*) FILTER (WHERE r.to_time > now()) AS daily FROM aegis_app.reconciliation r;
COMMIT;
-- refuses: money from a snapshot that does not see what others asked for meanwhile
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.request_refund(:'late_payment', 1, 'once more', 'k3');
ROLLBACK TO s;
SELECT aegis_app.match_payment(:'late_payment', :'other', 1);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
-- allows: the creator of an invoice sees its payments, whoever recorded them; others do not
SELECT count(*) FROM aegis_app.payment;
SELECT e ->> 'effect' AS effect, e ->> 'amount_minor' AS amount FROM aegis_app.list_invoice_payments(regress_body('{}', jsonb_build_object('id', :'plain'))) r,
  jsonb_array_elements(r.body #> '{payments,0,effects}') e ORDER BY 1;
SELECT aegis_app.match_payment(:'late_payment', :'next', 1);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT (SELECT count(*) FROM aegis_app.payment) AS payments, (SELECT count(*) FROM aegis_app.held_event) AS held;
ROLLBACK;

-- survives: every effect is one entry, and no money is lost
\c - :administrator
SELECT (SELECT count(*) FROM aegis_app.payment_effect e) =
       (SELECT count(*) FROM aegis.audit_log WHERE event IN ('payment.authorized', 'payment.captured', 'payment.failed', 'payment.held', 'payment.voided',
          'payment.refund.succeeded', 'payment.dispute.opened', 'payment.dispute.closed')) AS entries_are_effects;
SELECT p.currency, sum(p.amount_minor) AS came, sum(p.refunded_minor) AS went_back, sum(p.unapplied_minor) AS unapplied FROM aegis_app.payment p GROUP BY 1 ORDER BY 1;
SELECT event, outcome, count(*) FROM aegis.audit_log WHERE event LIKE 'payment.%' GROUP BY 1, 2 ORDER BY 1, 2;
-- refuses: card data in what is kept, whoever writes it
UPDATE aegis_app.payment SET response = '{"note": "4242 4242 4242 4242"}' WHERE transaction_id = 'pi_plain';
UPDATE aegis_app.payment SET last_four = '42424' WHERE transaction_id = 'pi_plain';
-- survives: a provider that is carrying out the same refund has not refused it
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis_app.take_answer(o, '{"error": {"code": "idempotency_key_in_use"}}'::bytea, '{"status": "409"}') FROM aegis.outbox o WHERE o.target LIKE 'refund %';
ROLLBACK;
