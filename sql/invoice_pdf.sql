-- An invoice that was sent is the same file each time, for who sees it and for who has its link; what no longer fits its hash is no file.
\set VERBOSITY terse
\set of 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice''), ''body'', :''body''::jsonb))'
SELECT current_user AS administrator \gset
SET client_min_messages = warning;
CREATE ROLE regress_pdf_payer LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_pdf_payer;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_pdf_payer;
\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Zażółć Ltd"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'KWD', 'due_date', '2031-05-31', 'memo', E'Thank you.\nÅ', 'lines', '[{"description": "work", "quantity": "1.5", "unit_minor": "12345", "tax_rate": 20}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
-- refuses: a draft
\set body '{}'
SELECT r.status FROM aegis_app.get_invoice_pdf(:of) r;
SELECT (aegis_app.send_invoice(:of)).status;
-- allows: what was frozen, as rows of paper and as a file
SELECT jsonb_path_query_array(aegis_app.invoice_document(i), '$.rows[*].cells[*].text') - 1 AS texts FROM aegis_app.invoice i WHERE i.id = :'invoice' \gset
SELECT regexp_replace(:'texts', 'INV-[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}', 'X', 'g') AS texts;
SELECT r.status, r.headers ->> 'content-type' AS type, r.headers ->> 'content-disposition' ~ '^attachment; filename="INV-[0-9]{6}\.pdf"$' AS named,
       substr(r.file, 1, 5) = '%PDF-' AS is_pdf, md5(r.file) AS digest FROM aegis_app.get_invoice_pdf(:of) r \gset
SELECT :status AS status, :'type' AS type, :'named' AS named, :'is_pdf' AS is_pdf;
SELECT (aegis_app.create_invoice_link(:of)).body ->> 'token' AS token \gset
COMMIT;
-- allows: the same bytes for the payer, in another session
\c - regress_pdf_payer
SELECT h.status, md5(h.body) = :'digest' AS same FROM aegis.handle('GET', '/api/invoice-view/pdf', ARRAY['authorization', 'Bearer ' || :'token'], NULL, '192.0.2.9', 'r1') h;
-- refuses: who does not see it, and what is no link
SELECT h.status FROM aegis.handle('GET', '/api/invoice-view/pdf', ARRAY['authorization', 'Bearer ' || :'uma'], NULL, '192.0.2.9', 'r1') h;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT r.status FROM aegis_app.get_invoice_pdf(:of) r;
COMMIT;
-- refuses: content that a superuser changed behind the triggers
\c - :administrator
SET client_min_messages = warning;
UPDATE aegis_app.invoice_line SET unit_minor = 12346, amount_minor = 18519, tax_minor = 3704 WHERE invoice_id = :'invoice';
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.get_invoice_pdf(:of) r;
COMMIT;
\c - :administrator
SET client_min_messages = warning;
DROP OWNED BY regress_pdf_payer;
DROP ROLE regress_pdf_payer;
