-- One table of steps decides what an invoice may become, for handlers, for payments and for whoever writes the table.
\set VERBOSITY terse
\set request 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice''), ''body'', :''body''::jsonb))'
SELECT current_user AS administrator \gset

-- allows: the table itself, which docs/invoice.md shows
SELECT * FROM aegis_app.invoice_transitions();
-- survives: a guard that nobody wrote lets nothing pass
SELECT aegis_app.guard_holds('whatever', NULL) AS unknown, aegis_app.guard_holds(NULL, NULL) AS none;

\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset

-- Money moves as aegis_owner, by functions that know of payments; here by one that is told what to do.
\c - :administrator
SET client_min_messages = warning;
CREATE SCHEMA t_state;
CREATE FUNCTION t_state.settle(invoice uuid, amount bigint, currency text, command text DEFAULT NULL) RETURNS text
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT aegis_app.settle_invoice(invoice, amount, currency, command)';
CREATE FUNCTION t_state.dispute(invoice uuid, opened boolean) RETURNS text
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT aegis_app.dispute_invoice(invoice, opened)';
CREATE FUNCTION t_state.run(statement text, invoice uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN EXECUTE statement USING invoice; END';
-- An invoice in each state that there is.
CREATE FUNCTION t_state.every() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  asked aegis.request := jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Every state"}}');
  draft jsonb := jsonb_build_object('customer_id', (aegis_app.create_customer(asked)).body ->> 'id', 'currency', 'EUR', 'due_date', '2031-07-17',
                                    'lines', '[{"description": "work", "unit_minor": "1000"}]'::jsonb);
  state text;
BEGIN
  FOREACH state IN ARRAY '{draft,sent,partially_paid,paid,cancelled,void,uncollectible}'::text[] LOOP
    asked.body := draft;
    asked.params := jsonb_build_object('id', (aegis_app.create_invoice(asked)).body ->> 'id');
    asked.body := '{"reason": "for the test"}';
    IF state NOT IN ('draft', 'cancelled') THEN
      PERFORM aegis_app.send_invoice(asked);
    END IF;
    CASE state WHEN 'partially_paid' THEN PERFORM t_state.settle((asked.params ->> 'id')::uuid, 300, 'EUR');
               WHEN 'paid' THEN PERFORM t_state.settle((asked.params ->> 'id')::uuid, 1000, 'EUR');
               WHEN 'cancelled' THEN PERFORM aegis_app.cancel_invoice(asked);
               WHEN 'void' THEN PERFORM aegis_app.void_invoice(asked);
               WHEN 'uncollectible' THEN PERFORM aegis_app.mark_invoice_uncollectible(asked);
               ELSE END CASE;
  END LOOP;
END $$;
CREATE FUNCTION t_state.ask(invoice uuid, command text) RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT (b.refusal).status || ' ' || ((b.refusal).body ->> 'type')
    FROM aegis_app.begin_command(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', invoice), 'body', '{}'::jsonb)), command) b $$;
GRANT USAGE ON SCHEMA t_state TO aegis_owner, aegis_member;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t_state TO aegis_member;
ALTER FUNCTION t_state.settle OWNER TO aegis_owner;
ALTER FUNCTION t_state.dispute OWNER TO aegis_owner;
ALTER FUNCTION t_state.run OWNER TO aegis_owner;
ALTER FUNCTION t_state.ask OWNER TO aegis_owner;
\c - regress_app

-- allows: payments in parts, refunds that make nothing due again, a lost dispute that does
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Debtor"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'due_date', '2020-01-31', 'lines', '[{"description": "work", "unit_minor": "1000"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
\set body '{"version": 2}'
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.send_invoice(:request) r;
\set body '{"version": 1}'
SELECT r.status, r.body ->> 'status' AS state, r.body -> 'derived' AS derived FROM aegis_app.send_invoice(:request) r;
SELECT t_state.settle(:'invoice', 400, 'EUR') AS part;
SELECT t_state.settle(:'invoice', -150, 'EUR') AS refunded_in_part;
SELECT t_state.settle(:'invoice', 600, 'EUR') AS rest;
SELECT t_state.dispute(:'invoice', true) AS disputed;
SELECT r.body ->> 'status' AS status, r.body -> 'derived' AS derived, r.body ->> 'applied_minor' AS applied, r.body ->> 'refunded_minor' AS refunded,
       r.body ->> 'due_minor' AS due, r.body ->> 'paid_at' IS NOT NULL AS paid FROM aegis_app.get_invoice(:request) r;
SELECT t_state.settle(:'invoice', -600, 'EUR', 'reverse') AS lost, t_state.dispute(:'invoice', false) AS closed;
SELECT r.body ->> 'status' AS status, r.body -> 'derived' AS derived, r.body ->> 'due_minor' AS due, r.body ->> 'paid_at' IS NOT NULL AS paid FROM aegis_app.get_invoice(:request) r;

-- refuses: money that does not fit, and says with which of four codes
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT t_state.settle(:'invoice', 601, 'EUR');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', -251, 'EUR');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 9223372036854775807, 'EUR');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', -9223372036854775807 - 1, 'EUR', 'reverse');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 0, 'EUR');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 5, 'EUR', 'refund');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 5, 'EUR', 'send');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 5, 'USD');
ROLLBACK TO s;
SELECT t_state.settle(:'invoice', 5, NULL);
ROLLBACK TO s;
SELECT t_state.settle(gen_random_uuid(), 5, 'EUR');
ROLLBACK TO s;
SELECT t_state.dispute(:'invoice', false);
ROLLBACK TO s;
-- refuses: steps by hand that the table does not have, a balance that is none, content that was sent
SELECT t_state.run($$UPDATE aegis_app.invoice SET status = 'sent', applied_minor = 0, refunded_minor = 0 WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$UPDATE aegis_app.invoice SET status = 'paid' WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$UPDATE aegis_app.invoice SET applied_minor = 1001 WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$UPDATE aegis_app.invoice SET refunded_minor = 999 WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$UPDATE aegis_app.invoice SET due_date = '2031-01-01' WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$UPDATE aegis_app.invoice SET memo = 'another' WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$DELETE FROM aegis_app.invoice_line WHERE invoice_id = $1$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$INSERT INTO aegis_app.invoice_line (invoice_id, position, description, quantity, unit_minor) VALUES ($1, 2, 'more', 1, 1)$$, :'invoice');
ROLLBACK TO s;
SELECT t_state.run($$DELETE FROM aegis_app.invoice WHERE id = $1$$, :'invoice');
ROLLBACK TO s;
\set VERBOSITY terse
-- refuses: an invoice of which money is kept is not cancelled and not voided, and says why
\set body '{"reason": "mistake"}'
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.status, r.body - 'type' AS answer FROM aegis_app.cancel_invoice(:request) r;
SELECT r.status, r.body - 'type' AS answer FROM aegis_app.void_invoice(:request) r;
SELECT t_state.settle(:'invoice', -250, 'EUR') AS refunded;
COMMIT;
-- refuses: a user may not void
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT aegis_app.void_invoice(:request);
ROLLBACK;
-- allows: given back in full a manager may; void takes no money
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.status, r.body ->> 'status' AS state, r.body ->> 'cancel_reason' AS reason, r.body -> 'derived' AS derived, r.body ->> 'due_minor' AS due FROM aegis_app.void_invoice(:request) r;
SAVEPOINT s;
SELECT t_state.settle(:'invoice', 5, 'EUR');
ROLLBACK TO s;
COMMIT;

-- allows: what was given up may still be paid; nothing to pay is paid when it is sent; a draft is removed
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Late"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'lines', '[{"description": "work", "unit_minor": "1000"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
SELECT (aegis_app.send_invoice(:request)).status;
SELECT t_state.settle(:'invoice', 300, 'EUR') AS part;
\set body '{"reason": "bankrupt"}'
SELECT r.status, r.body ->> 'status' AS state, r.body ->> 'due_minor' AS due FROM aegis_app.mark_invoice_uncollectible(:request) r;
SELECT t_state.settle(:'invoice', 300, 'EUR') AS part, t_state.settle(:'invoice', 400, 'EUR') AS rest;
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'lines', '[{"description": "gift", "unit_minor": "0"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
SELECT r.status, r.body ->> 'status' AS state FROM aegis_app.send_invoice(:request) r;
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
SELECT r.status, r.body FROM aegis_app.delete_invoice(:request) r;
SELECT (aegis_app.get_invoice(:request)).status, (SELECT count(*) FROM aegis_app.invoice_line WHERE invoice_id = :'invoice') AS lines;
COMMIT;

-- refuses: from every state each step that the table does not have, with 409
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT t_state.every();
WITH missing AS MATERIALIZED (
  SELECT i.id, i.status, c.command FROM aegis_app.invoice i, (SELECT DISTINCT t.command FROM aegis_app.invoice_transitions() t) c
   WHERE i.due_date = '2031-07-17' AND NOT EXISTS (SELECT FROM aegis_app.invoice_transitions() t WHERE t.from_status = i.status AND t.command = c.command))
SELECT m.status, string_agg(m.command, ' ' ORDER BY m.command) AS asked, array_agg(DISTINCT t_state.ask(m.id, m.command)) AS answers FROM missing m GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- allows: overdue by the tenant's own calendar
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT (aegis_app.get_invoice_settings(NULL)).body;
SELECT (aegis_app.change_invoice_settings(jsonb_populate_record(NULL::aegis.request, '{"body": {"time_zone": "Pacific/Kiritimati"}}'))).body;
SELECT aegis_app.today() = (now() AT TIME ZONE 'Pacific/Kiritimati')::date AS there;
SELECT (aegis_app.change_invoice_settings(jsonb_populate_record(NULL::aegis.request, '{"body": {"time_zone": "Pacific/Pago_Pago"}}'))).body;
SELECT aegis_app.today() < (now() AT TIME ZONE 'Pacific/Kiritimati')::date AS a_day_before;
SAVEPOINT s;
SELECT aegis_app.change_invoice_settings(jsonb_populate_record(NULL::aegis.request, '{"body": {"time_zone": "+02"}}'));
ROLLBACK;

-- refuses: members with SQL of their own, whatever their rank: money, states, numbers, lines, the counter, the settings
\set VERBOSITY sqlstate
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.settle_invoice(:'invoice', 5, 'EUR');
ROLLBACK TO s;
SELECT aegis_app.dispute_invoice(:'invoice', true);
ROLLBACK TO s;
UPDATE aegis_app.invoice SET applied_minor = total_minor;
ROLLBACK TO s;
UPDATE aegis_app.invoice SET status = 'cancelled', cancelled_at = now() WHERE status = 'sent';
ROLLBACK TO s;
UPDATE aegis_app.invoice SET subtotal_minor = 1, total_minor = 1 WHERE status = 'draft';
ROLLBACK TO s;
INSERT INTO aegis_app.invoice (customer_id, currency) SELECT id, 'EUR' FROM aegis_app.customer LIMIT 1;
ROLLBACK TO s;
DELETE FROM aegis_app.invoice;
ROLLBACK TO s;
INSERT INTO aegis_app.invoice_line (invoice_id, position, description, quantity, unit_minor, amount_minor) VALUES (:'invoice', 9, 'x', 1, 1, 1);
ROLLBACK TO s;
DELETE FROM aegis_app.invoice_line;
ROLLBACK TO s;
UPDATE aegis_app.invoice_series SET next = next + 1;
ROLLBACK TO s;
UPDATE aegis_app.invoice_setting SET rounding = 'half-even';
ROLLBACK TO s;
SELECT aegis_app.close_invoice(:request, 'mark_uncollectible');
ROLLBACK TO s;
-- refuses: commands through the door that are payments', or none
\set VERBOSITY terse
SELECT aegis_app.write_invoice(:request, 'pay');
ROLLBACK TO s;
SELECT aegis_app.write_invoice(:request, 'whatever');
ROLLBACK TO s;
SELECT aegis_app.write_invoice(:request, NULL);
ROLLBACK;
-- refuses: settings by somebody below an admin, past the route
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT aegis_app.set_invoice_settings('{"number_prefix": "X-"}');
ROLLBACK;

-- allows: a team moves with what it sent; the lines follow
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT u.team_id AS team, t.parent_id AS above FROM aegis.users() u JOIN aegis.teams() t ON t.id = u.team_id WHERE u.email LIKE 'uma@%' \gset
SELECT aegis.create_team('Elsewhere') AS elsewhere \gset
SELECT aegis.move_team(:'team', :'elsewhere');
SELECT count(*) > 0 AS lines, bool_and(l.team_ord = i.team_ord) AS together FROM aegis_app.invoice i JOIN aegis_app.invoice_line l ON l.invoice_id = i.id WHERE i.number IS NOT NULL;
SELECT aegis.move_team(:'team', :'above');
COMMIT;

-- survives: every step is in the ledger, what was refused too
\c - :administrator
SET client_min_messages = warning;
DROP SCHEMA t_state CASCADE;
SELECT event, outcome, count(*) FROM aegis.audit_log WHERE event LIKE 'invoice.%' AND event <> 'invoice.created' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT detail FROM aegis.audit_log WHERE event IN ('invoice.payment_applied', 'invoice.refund_applied', 'invoice.payment_reversed', 'invoice.disputed') ORDER BY seq;
