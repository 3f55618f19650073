-- A refund that was asked for always ends: done, refused, given up, or come back; whatever is said in whatever order.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
SELECT max(seq) AS before FROM aegis.entry \gset
SELECT id AS one FROM aegis.tenant WHERE slug = 'regress-one' \gset
-- Gives up what waits for the agent about a refund or a page: its time is over when it is claimed.
CREATE FUNCTION regress_give_up(about text) RETURNS bigint LANGUAGE sql AS $$
  UPDATE aegis.outbox o SET expires_at = '2000-01-02', not_before = '2000-01-01' WHERE o.kind = 'payment' AND o.target LIKE '% ' || about || ' %' AND o.finished_at IS NULL;
  SELECT count(*) FROM aegis.claim_outbound(ARRAY['payment'], 10) $$;
CREATE FUNCTION regress_refunds() RETURNS TABLE (key text, status text, number text, error text, given_up boolean) LANGUAGE sql AS $$
  SELECT r.idempotency_key, r.status, r.provider_refund_id, r.error, r.given_up FROM aegis_app.refund r WHERE r.idempotency_key LIKE 'regress-%' ORDER BY 1 $$;
GRANT EXECUTE ON FUNCTION regress_refunds TO aegis_owner;
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT id AS stripe FROM aegis_app.provider_account WHERE account = 'acct_regress' \gset
SELECT (aegis_app.create_customer(regress_body('{"name": "Payer of payments"}'))).status;
SELECT regress_invoice(10000) AS asked, regress_invoice(10000) AS never \gset
SELECT count((aegis_app.start_checkout(regress_invoice(7531), :'stripe', false)).made) AS for_orders FROM generate_series(1, 24);
SELECT (s.made).reference AS asked_ref FROM aegis_app.start_checkout(:'asked', :'stripe', false) s \gset
SELECT (s.made).id AS never_page FROM aegis_app.start_checkout(:'never', :'stripe', false) s \gset
COMMIT;

-- survives: the money, one refund that comes back and one that does not, in every order
\c - :administrator
SET client_min_messages = warning;
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound(:'one') \g /dev/null
WITH RECURSIVE orders AS (
  SELECT '{}'::int[] AS taken
  UNION ALL SELECT o.taken || n FROM orders o, generate_series(1, 4) n WHERE n <> ALL (o.taken)),
numbered AS (SELECT o.taken, row_number() OVER (ORDER BY o.taken) AS number FROM orders o WHERE cardinality(o.taken) = 4),
pages AS (SELECT c.reference, c.id, row_number() OVER (ORDER BY c.id) AS number FROM aegis_app.checkout c WHERE c.amount_minor = 7531)
SELECT count(regress_say(m.kind, CASE WHEN m.name IS NULL THEN 'pi_' || p.reference ELSE m.name || p.reference END, CASE WHEN m.name IS NULL THEN p.reference END, m.amount,
         CASE WHEN m.name IS NULL THEN '{}' ELSE jsonb_build_object('parent_transaction_id', 'pi_' || p.reference, 'effect_reference', m.name || p.reference) END)) AS said
  FROM (SELECT n.taken, g.reference FROM numbered n JOIN pages g USING (number) ORDER BY n.number) p, LATERAL unnest(p.taken) WITH ORDINALITY t(message, at),
       LATERAL (VALUES (1, 'settled', NULL, 7531), (2, 'refunded', 're_a_', 500), (3, 'refund_failed', 're_a_', 500), (4, 'refunded', 're_b_', 31)) m(number, kind, name, amount) WHERE m.number = t.message;
SELECT i.status, i.applied_minor, i.refunded_minor, p.status AS payment, p.refunded_minor AS of_payment, m.refunded_minor AS of_money, count(*)
  FROM aegis_app.invoice i JOIN aegis_app.payment p ON p.invoice_id = i.id JOIN aegis_app.invoice_money m ON m.invoice_id = i.id WHERE i.total_minor = 7531 GROUP BY 1, 2, 3, 4, 5, 6;
SELECT regress_say('settled', 'pi_asked', :'asked_ref', 10000);
COMMIT;

-- allows: a refund whose call is given up has failed, and its amount is free again
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT id AS payment FROM aegis_app.payment WHERE transaction_id = 'pi_asked' \gset
SELECT (s.made).id AS first FROM aegis_app.request_refund(:'payment', 6000, 'broken', 'regress-1') s \gset
SELECT s.refusal FROM aegis_app.request_refund(:'payment', 4001, 'broken', 'regress-2') s;
COMMIT;
\c - :administrator
SET client_min_messages = warning;
SELECT regress_give_up(:'first') AS sent;
SELECT * FROM regress_refunds();
SELECT o.state, o.error, o.has_payload FROM aegis.outbound o WHERE o.target LIKE 'refund ' || :'first' || ' %';
SELECT event, outcome, detail - 'payment_id' AS detail FROM aegis.audit_log WHERE event = 'payment.refund.failed' AND target_id = :'first';
SELECT event, outcome, detail ->> 'error' AS error FROM aegis.audit_log WHERE event = 'outbound.failed' AND detail ->> 'target' LIKE 'refund ' || :'first' || ' %';
-- refuses: to send it once more, for the amount may have been given to another
SELECT id AS job FROM aegis.outbound o WHERE o.target LIKE 'refund ' || :'first' || ' %' \gset
\c - regress_app_operator
\set VERBOSITY sqlstate
SELECT aegis.retry_outbound(:job, 'again');
\set VERBOSITY terse
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT (s.made).id AS second FROM aegis_app.request_refund(:'payment', 6000, 'broken', 'regress-3') s \gset
SELECT (s.made).id AS third FROM aegis_app.request_refund(:'payment', 1000, 'broken', 'regress-4') s \gset
SELECT s.refusal FROM aegis_app.request_refund(:'payment', 3001, 'broken', 'regress-5') s;
COMMIT;

-- survives: it was made after all; of two of one amount the one that is answered says which is its own
\c - :administrator
SET client_min_messages = warning;
BEGIN;
SET LOCAL ROLE aegis_owner;
SELECT aegis.enter_outbound(:'one') \g /dev/null
SELECT regress_say('refunded', 're_late', NULL, 6000, '{"parent_transaction_id": "pi_asked", "effect_reference": "re_late"}');
SELECT * FROM regress_refunds();
SELECT aegis_app.take_refund(a, (SELECT p.calls -> 'refund' FROM aegis.payment_provider p WHERE p.name = 'stripe'), :'third', '{"id": "re_third", "status": "pending", "amount": 1000, "currency": "gbp"}')
  FROM aegis_app.provider_account a WHERE a.id = :'stripe';
SELECT aegis_app.take_refund(a, (SELECT p.calls -> 'refund' FROM aegis.payment_provider p WHERE p.name = 'stripe'), :'second', '{"error": {"code": "charge_already_refunded"}}')
  FROM aegis_app.provider_account a WHERE a.id = :'stripe';
SELECT regress_say('refund_failed', 're_third', NULL, 1000, '{"parent_transaction_id": "pi_asked", "effect_reference": "re_third", "result_code": "lost_or_stolen_card"}');
SELECT * FROM regress_refunds();
SELECT regress_say('refund_failed', 're_late', NULL, 6000, '{"parent_transaction_id": "pi_asked", "effect_reference": "re_late"}');
SELECT r.*, s.refunded FROM regress_refunds() r, regress_state(:'asked') s WHERE r.key = 'regress-1';
COMMIT;

-- survives: a call that an operator cancels, and a page that cannot be asked for
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT (s.made).id AS fourth FROM aegis_app.request_refund(:'payment', 10000, 'broken', 'regress-6') s \gset
COMMIT;
\c - :administrator
SELECT id AS job FROM aegis.outbound o WHERE o.target LIKE 'refund ' || :'fourth' || ' %' \gset
\c - regress_app_operator
SELECT aegis.cancel_outbound(:job, 'a mistake') \g /dev/null
\c - :administrator
SET client_min_messages = warning;
UPDATE aegis.outbox SET not_before = '2000-01-01' WHERE id = :job;
SELECT count(*) AS sent FROM aegis.claim_outbound(ARRAY['payment'], 10);
SELECT r.*, o.state, o.has_payload FROM regress_refunds() r, aegis.outbound o WHERE r.key = 'regress-6' AND o.id = :job;
SELECT regress_give_up(:'never_page') AS sent;
SELECT status, error FROM aegis_app.checkout WHERE id = :'never_page';
-- survives: what was asked for, refused and counted otherwise is recorded; the reason that somebody gave is sealed
SELECT event, outcome, target_kind, detail - '{payment_id,refund_id,reason}'::text[] AS detail, count(*) FROM aegis.audit_log
 WHERE seq > :before AND event ~ '^payment[.]refund[.](requested|failed|reattributed)' GROUP BY 1, 2, 3, 4 ORDER BY 1, 4;
SELECT count(*) AS reasons FROM aegis.entry e WHERE e.seq > :before AND position('payment.refund.'::bytea IN e.body) > 0 AND position('broken'::bytea IN e.body) > 0;
DROP FUNCTION regress_give_up, regress_refunds;
