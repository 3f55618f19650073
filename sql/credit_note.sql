-- Credit notes take back what was invoiced, and no more: gapless numbers of their own, frozen content, and an invoice that asks for less.
\set VERBOSITY terse
\set of 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice''), ''body'', :''body''::jsonb))'
\set note_of 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''note''), ''body'', :''body''::jsonb))'
\set money 'SELECT r.body ->> ''status'' AS status, r.body -> ''derived'' AS derived, r.body ->> ''due_minor'' AS due, r.body ->> ''credited_minor'' AS credited, r.body ->> ''owed_back_minor'' AS owed_back FROM aegis_app.get_invoice(:of) r;'
SELECT current_user AS administrator \gset
SET client_min_messages = warning;
CREATE SCHEMA t_credit;
CREATE FUNCTION t_credit.settle(invoice uuid, amount bigint, command text DEFAULT NULL) RETURNS text
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT aegis_app.settle_invoice(invoice, amount, ''EUR'', command)';
CREATE FUNCTION t_credit.run(statement text, note uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN EXECUTE statement USING note; END';
GRANT USAGE ON SCHEMA t_credit TO aegis_owner, aegis_member;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t_credit TO aegis_member;
ALTER FUNCTION t_credit.settle OWNER TO aegis_owner;
ALTER FUNCTION t_credit.run OWNER TO aegis_owner;
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset

BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Credited"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'lines', '[{"description": "work", "quantity": 3, "unit_minor": "1000", "tax_rate": 20},
  {"description": "parts", "unit_minor": "500"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
-- refuses: a draft has nothing to take back; a user may not decide it
\set body '{"reason": "mistake"}'
SAVEPOINT s;
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.create_credit_note(:of) r;
ROLLBACK TO s;
SELECT (aegis_app.send_invoice(:of)).status;
SAVEPOINT s;
SELECT aegis_app.create_credit_note(:of);
ROLLBACK TO s;
COMMIT;

-- allows: a part, by a manager; the invoice asks for less
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
\set body '{"reason": "one hour too many", "lines": [{"description": "work", "unit_minor": "1000", "tax_rate": 20}]}'
SELECT r.body ->> 'id' AS note, r.status, r.body ->> 'number' AS number, r.body ->> 'status' AS state, r.body ->> 'total_minor' AS total, r.body ->> 'tax_minor' AS tax,
       r.body ->> 'reason' AS reason, length(r.body ->> 'content_sha256') AS hash_digits, r.headers ->> 'location' LIKE '/api/credit-notes/%' AS located FROM aegis_app.create_credit_note(:of) r \gset
SELECT :status AS status, :'number' AS number, :'state' AS state, :'total' AS total, :'tax' AS tax, :'reason' AS reason, :hash_digits AS hash_digits, :'located' AS located;
:money
SELECT sha256(aegis_app.credit_note_content(c)) = c.content_hash AS content_holds, c.created_by = i.created_by AS whose_invoice_it_is
  FROM aegis_app.credit_note c JOIN aegis_app.invoice i ON i.id = c.invoice_id WHERE c.id = :'note';
-- refuses: more than is left, with and without tax; nothing; all of it, when there was a part; what is no line
SAVEPOINT s;
\set body '{"reason": "x", "lines": [{"description": "work", "quantity": 3, "unit_minor": "1000", "tax_rate": 20}]}'
SELECT r.status, r.body - 'title' AS answer FROM aegis_app.create_credit_note(:of) r;
\set body '{"reason": "x", "lines": [{"description": "work", "unit_minor": "500", "tax_rate": 100}]}'
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.create_credit_note(:of) r;
\set body '{"reason": "x", "lines": []}'
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.create_credit_note(:of) r;
\set body '{"reason": "x"}'
SELECT aegis_app.create_credit_note(:of);
ROLLBACK TO s;
\set body '{"lines": []}'
SELECT aegis_app.create_credit_note(:of);
ROLLBACK TO s;
\set body '{"reason": "x", "lines": [5]}'
SELECT aegis_app.create_credit_note(:of);
ROLLBACK TO s;
-- refuses: to cancel and to void what was credited
\set body '{"reason": "x"}'
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.cancel_invoice(:of) r;
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.void_invoice(:of) r;
COMMIT;

-- allows: what is left is paid, or credited; money that came before is owed back
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT t_credit.settle(:'invoice', 2000, NULL) AS part;
\set body '{"reason": "goodwill", "lines": [{"description": "all the rest", "unit_minor": "900"}]}'
SELECT r.status, r.body ->> 'number' AS number FROM aegis_app.create_credit_note(:of) r;
:money
SELECT t_credit.settle(:'invoice', 1200, NULL) AS late_payment;
:money
SELECT t_credit.settle(:'invoice', -3200, 'reverse') AS lost;
:money
SELECT t_credit.settle(:'invoice', 900, NULL) AS partly, t_credit.settle(:'invoice', 1200, NULL) AS rest;
\set body '{}'
SELECT jsonb_path_query_array(r.body, '$.credit_notes[*].number') AS numbers FROM aegis_app.list_credit_notes(:of) r;
-- allows: a void note gives its amount back to the invoice, and keeps its number
\set body '{"reason": "was right after all"}'
SELECT r.status, r.body ->> 'status' AS state, r.body ->> 'number' AS number, r.body ->> 'void_reason' AS reason FROM aegis_app.void_credit_note(:note_of) r;
:money
-- refuses: twice
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.void_credit_note(:note_of) r;
-- refuses: changes of what was issued, whoever makes them
SAVEPOINT s;
SELECT t_credit.run('UPDATE aegis_app.credit_note SET total_minor = 1, subtotal_minor = 1, tax_minor = 0 WHERE id <> $1', :'note');
ROLLBACK TO s;
SELECT t_credit.run('UPDATE aegis_app.credit_note SET status = ''issued'', voided_at = NULL WHERE id = $1', :'note');
ROLLBACK TO s;
SELECT t_credit.run('DELETE FROM aegis_app.credit_note_line WHERE credit_note_id = $1', :'note');
ROLLBACK TO s;
COMMIT;

-- allows: all of another invoice, as it was sent, by leaving the lines out
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Whole"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'lines', '[{"description": "work", "quantity": "2.5", "unit_minor": "101", "tax_rate": 10}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
SELECT (aegis_app.send_invoice(:of)).status;
\set body '{"reason": "wrong customer"}'
SELECT r.body ->> 'id' AS note, r.status, r.body ->> 'total_minor' AS total, r.body -> 'lines' AS lines FROM aegis_app.create_credit_note(:of) r \gset
SELECT :status AS status, :'total' AS total, :'lines' AS lines;
:money
SELECT r.status FROM aegis_app.void_credit_note(:note_of) r;
:money
COMMIT;

-- refuses: members with SQL of their own; rows of others; a number that is given twice
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT numbered, next_number, missing, gapless FROM aegis_app.check_credit_gapless();
\set VERBOSITY sqlstate
SAVEPOINT s;
INSERT INTO aegis_app.credit_note (invoice_id, number, number_seq, currency, subtotal_minor, tax_minor, total_minor, reason) VALUES (:'invoice', 'CN-9', 9, 'EUR', 1, 0, 1, 'x');
ROLLBACK TO s;
UPDATE aegis_app.credit_note SET status = 'void', voided_at = now();
ROLLBACK TO s;
DELETE FROM aegis_app.credit_note_line;
ROLLBACK TO s;
UPDATE aegis_app.credit_series SET next = 1;
ROLLBACK TO s;
SELECT aegis_app.issue_credit_note(:of);
ROLLBACK TO s;
SELECT aegis_app.write_credit_note(:of, 'whatever');
ROLLBACK;
\set VERBOSITY terse
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
\set body '{"reason": "not mine"}'
SELECT (aegis_app.get_credit_note(:note_of)).status AS read, (aegis_app.list_credit_notes(:of)).status AS listed, (aegis_app.void_credit_note(:note_of)).status AS voided;
SELECT count(*) FROM aegis_app.credit_note;
SELECT aegis_app.check_credit_gapless();
ROLLBACK;

-- survives: what was done is in the ledger
\c - :administrator
SELECT event, outcome, count(*) FROM aegis.audit_log WHERE event LIKE 'credit_note.%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT detail ->> 'number' AS number, detail ->> 'total_minor' AS total, detail ->> 'status' AS invoice_is FROM aegis.audit_log WHERE event = 'credit_note.issued' ORDER BY seq;
SET client_min_messages = warning;
DROP SCHEMA t_credit CASCADE;
