-- Invoices: gapless numbers, one state machine, frozen content, money without floats.
\set VERBOSITY terse
SELECT current_user AS administrator \gset
\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset

-- allows: draft, edit, send, cancel
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Payer"}}'))).body ->> 'id' AS payer \gset
SELECT r.status, r.body ->> 'id' AS invoice, r.body ->> 'total_minor' AS total, r.body ->> 'status' AS state
  FROM aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object(
    'customer_id', :'payer', 'currency', 'GBP', 'due_date', '2030-02-28', 'memo', 'thank you',
    'lines', '[{"description": "work", "quantity": 3, "unit_minor": "12345"}, {"description": "parts", "unit_minor": 1}]'::jsonb)))) r \gset
SELECT :status AS status, :'total' AS total, :'state' AS state;
SELECT r.status, r.body ->> 'total_minor' AS total, r.body -> 'version' AS version, r.body ->> 'number' IS NULL AS no_number
  FROM aegis_app.edit_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice'),
    'body', '{"lines": [{"description": "work", "quantity": 2, "unit_minor": "9007199254"}]}'::jsonb))) r;
SELECT r.status, r.body ->> 'number' AS number, r.body ->> 'status' AS state, length(r.body ->> 'content_sha256') AS hash_digits
  FROM aegis_app.send_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice')))) r;
SELECT r.status, r.body ->> 'number' AS number, r.body ->> 'status' AS state, r.body ->> 'cancel_reason' AS reason
  FROM aegis_app.cancel_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice'),
    'body', '{"reason": "entered twice"}'::jsonb))) r;
COMMIT;

-- refuses: steps that the state machine does not have, and records the attempt
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'detail' AS detail
  FROM aegis_app.send_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice')))) r;
SELECT r.status, r.body ->> 'detail' AS detail
  FROM aegis_app.edit_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice'), 'body', '{}'::jsonb))) r;
COMMIT;

-- survives: a sending that rolls back gives its number back
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', :'payer',
  'currency', 'JPY', 'lines', '[{"description": "a", "unit_minor": 500}]'::jsonb))))).body ->> 'id' AS second \gset
SAVEPOINT s;
SELECT r.body ->> 'number' AS number FROM aegis_app.send_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'second')))) r;
ROLLBACK TO s;
SELECT r.body ->> 'number' AS number FROM aegis_app.send_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'second')))) r;
COMMIT;

-- refuses: bad input, an empty invoice, a customer that the caller does not see
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', :'payer', 'currency', 'pounds'))));
ROLLBACK TO s;
SELECT aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', :'payer', 'currency', 'GBP', 'due_date', '2030-02-31'))));
ROLLBACK TO s;
SELECT aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', :'payer', 'currency', 'GBP',
  'lines', '[{"description": "x", "unit_minor": 1.5}]'::jsonb))));
ROLLBACK TO s;
SELECT aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('name', U&' \200B\2003\202E'))));
ROLLBACK TO s;
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', jsonb_build_object('customer_id', :'payer', 'currency', 'GBP'))))).body ->> 'id' AS empty \gset
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.send_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'empty')))) r;
-- Not an object, though it names a field: nothing is changed, and the memo is not emptied.
SAVEPOINT s;
SELECT aegis_app.edit_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'empty'), 'body', '["memo"]'::jsonb)));
ROLLBACK TO s;
SELECT aegis_app.change_customer(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'payer'), 'body', '["name"]'::jsonb)));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request,
  jsonb_build_object('body', jsonb_build_object('customer_id', :'payer', 'currency', 'GBP')))) r;
SELECT (aegis_app.get_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', :'invoice'))))).status;
SELECT (aegis_app.list_invoices(NULL)).body;
COMMIT;

-- survives: what was done is in the ledger
\c - :administrator
SELECT event, outcome, count(*) FROM aegis.audit_log WHERE event LIKE 'invoice.%' GROUP BY 1, 2 ORDER BY 1, 2;
