-- Every attempt to pay on a provider's page ends, whether or not anybody is told how, and each step is recorded without what was sent.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
SELECT max(seq) AS before FROM aegis.entry \gset
-- The agent opens credentials; its next call is this one, and a provider answers. Each statement is a transaction of the tenant's.
CREATE ROLE regress_checkout_agent LOGIN IN ROLE aegis_agent, aegis_payment_service;
CREATE FUNCTION regress_due(about text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
  UPDATE aegis.outbox o SET not_before = '1999-01-01' WHERE o.kind = 'payment' AND o.state = 'waiting' AND o.target LIKE about || ' %' RETURNING o.id $$;
CREATE FUNCTION regress_answer(about text, answer jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  due bigint := public.regress_due(about);
  job record;
BEGIN
  SELECT c.* INTO STRICT job FROM aegis.claim_outbound(ARRAY['payment'], 1) c;
  ASSERT job.id = due, 'another call was due';
  RETURN aegis.finish_outbound(job.id, job.lease, 'delivered', convert_to(answer::text, 'UTF8'), '{"status": 200}');
END $$;
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT id AS stripe FROM aegis_app.provider_account WHERE account = 'acct_regress' \gset
SELECT regress_invoice(101) AS refused, regress_invoice(102) AS silent, regress_invoice(103) AS twice, regress_invoice(104) AS over, regress_invoice(105) AS unsent, regress_invoice(106) AS reviewed \gset
SELECT (a.made).id AS refused_page, (b.made).id AS silent_page, (c.made).id AS twice_page, (d.made).id AS over_page, (d.made).reference AS over_reference, (e.made).id AS unsent_page,
       (f.made).reference AS reviewed_reference
  FROM aegis_app.start_checkout(:'refused', :'stripe', false) a, aegis_app.start_checkout(:'silent', :'stripe', false) b, aegis_app.start_checkout(:'twice', :'stripe', false) c,
       aegis_app.start_checkout(:'over', :'stripe', false) d, aegis_app.start_checkout(:'unsent', :'stripe', false) e,
       aegis_app.start_checkout(:'reviewed', :'stripe', false) f \gset
COMMIT;

-- allows: a page, or none when the provider refuses it; of the refusal a word is kept
\c - regress_checkout_agent
SELECT regress_answer('create ' || :'refused_page', '{"error": {"code": "amount_too_small", "message": "4242424242424242 is not taken"}}');
SELECT regress_answer('create ' || :'silent_page', '{"id": "cs_silent", "url": "https://checkout.example.test/c/canary", "card": "4242424242424242"}');
SELECT regress_answer('create ' || :'twice_page', '{"id": "cs_twice", "url": "https://checkout.example.test/c/canary"}');
SELECT regress_answer('create ' || :'over_page', '{"id": "cs_over", "url": "https://checkout.example.test/c/canary"}');
\c - :administrator
SET client_min_messages = warning;
SELECT status, error, provider_checkout_id FROM aegis_app.checkout WHERE id IN (:'refused_page', :'silent_page', :'twice_page', :'over_page') ORDER BY amount_minor;

-- survives: its time is over and nobody knows; whoever is asked an hour later and knows of nothing knows that there is nothing
UPDATE aegis_app.checkout SET expires_at = now() - interval '1 hour' WHERE id IN (:'silent_page', :'twice_page');
\c - regress_checkout_agent
SELECT regress_answer('poll ' || :'silent_page', '{"id": "cs_silent", "object": "checkout.session", "status": "open", "payment_status": "unpaid"}');
-- survives: a provider says that it is over
\c - :administrator
SET client_min_messages = warning;
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound(id) FROM aegis.tenant WHERE slug = 'regress-one' \g /dev/null
SELECT regress_say('expired', NULL, :'over_reference'), regress_say('expired', NULL, :'over_reference') AS again;
-- survives: a payment that is looked at, and undone before its money moved
SELECT regress_say('held', 'pi_reviewed', :'reviewed_reference', 106), regress_say('voided', 'pi_reviewed', :'reviewed_reference', 106);
SELECT p.status, s.* FROM aegis_app.payment p, regress_state(p.invoice_id) s WHERE p.transaction_id = 'pi_reviewed';
COMMIT;
-- survives: a call that an operator cancelled
SELECT o.id AS job FROM aegis.outbox o WHERE o.target LIKE 'create ' || :'unsent_page' || ' %' \gset
\c - regress_app_operator
SELECT aegis.cancel_outbound(:job, 'a mistake') \g /dev/null
\c - regress_checkout_agent
SELECT regress_due('create ' || :'unsent_page') = :job AS due, (SELECT count(*) FROM aegis.claim_outbound(ARRAY['payment'], 1)) AS sent;

-- refuses: another attempt while one is not known; a manager lets it begin; allows: one after a page that never was
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT s.refusal FROM aegis_app.start_checkout(:'twice', :'stripe', false) s;
SELECT s.fresh, (s.made).status FROM aegis_app.start_checkout(:'twice', :'stripe', true) s;
SELECT s.fresh, (s.made).status FROM aegis_app.start_checkout(:'unsent', :'stripe', false) s;
SELECT r.status, r.body ->> 'status' AS state FROM aegis_app.cancel_invoice(regress_body('{"reason": "never mind"}', jsonb_build_object('id', :'twice'))) r;
-- allows: an account gets another credential, and goes; the credential comes back to nobody
SELECT r.status, r.body ->> 'id' AS leaving FROM aegis_app.post_account(regress_body('{"provider": "stripe", "account": "acct_leaving", "currency": "GBP", "live": false,
  "destination": "regress-stripe", "return_url": "https://pay.example/back", "credential": {"key": "sk_test_canary_first"}}')) r \gset
SELECT (aegis_app.put_credential(regress_body('{"credential": {"key": "sk_test_canary_second"}}', jsonb_build_object('id', :'leaving')))).status;
SELECT (aegis_app.delete_account(regress_body('{}', jsonb_build_object('id', :'leaving')))).status, (aegis_app.delete_account(regress_body('{}', jsonb_build_object('id', :'leaving')))).status AS again;
SELECT (aegis_app.put_credential(regress_body('{"credential": {"key": "sk_test_canary_third"}}', jsonb_build_object('id', :'leaving')))).status;
COMMIT;

-- survives: each attempt in the order of its steps
\c - :administrator
SET client_min_messages = warning;
SELECT i.total_minor AS invoice, string_agg(concat_ws(' ', split_part(l.event, '.', 3), nullif(l.outcome, 'success'), l.detail ->> 'code', l.detail ->> 'result', l.detail ->> 'status', CASE WHEN l.detail ->> 'forced' = 'true' THEN 'forced' END), ', ' ORDER BY l.seq) AS steps
  FROM aegis.audit_log l JOIN aegis_app.checkout c ON c.id::text = l.target_id JOIN aegis_app.invoice i ON i.id = c.invoice_id
 WHERE l.seq > :before AND l.event ~ '^payment[.](checkout|attempt)[.]' GROUP BY 1, i.id ORDER BY 1;
SELECT DISTINCT event, outcome, target_kind, detail FROM aegis.audit_log WHERE seq > :before AND event ~ '^payment[.](checkout|attempt|held|voided)' AND event <> 'payment.checkout.created' ORDER BY 1, 4;
SELECT event, outcome, target_kind, target_id = :'leaving' AS leaving, detail FROM aegis.audit_log WHERE seq > :before AND event ~ '^payment[.](account|credential)' ORDER BY seq;
-- no card number, no credential, no page
SELECT count(*) AS entries FROM aegis.entry e, unnest(ARRAY['4242424242424242', 'canary', 'sk_test', 'checkout.example.test']) w WHERE e.seq > :before AND position(w::bytea IN e.body) > 0;
