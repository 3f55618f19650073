-- An invoice goes to its customer by mail, as a link; address and link are sealed while the mail waits, and nothing else goes along.
\set VERBOSITY terse
\set of 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice''), ''body'', :''body''::jsonb))'
SELECT current_user AS administrator \gset
SET client_min_messages = warning;
UPDATE aegis.outbox SET state = 'cancelled', lease = NULL, payload = NULL, finished_at = now() WHERE kind = 'mail' AND finished_at IS NULL;
\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Mailed Ltd", "email": "books@mailed.example"}}'))).body ->> 'id' AS payer \gset
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "No Post"}}'))).body ->> 'id' AS silent \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'JPY', 'due_date', '2031-05-31', 'lines', '[{"description": "work", "unit_minor": "12000"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
-- refuses: a draft; a customer without an address; a language that is none
\set body '{}'
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.mail_invoice(:of) r;
SELECT (aegis_app.send_invoice(:of)).status;
SAVEPOINT s;
\set body '{"language": "English"}'
SELECT aegis_app.mail_invoice(:of);
ROLLBACK TO s;
-- allows: the customer gets a link, in the language that is asked for where there is a text
\set body '{"language": "de-AT", "days": 7}'
SELECT r.status, (r.body ->> 'expires_at')::timestamptz - now() > interval '6 days' AS lives, r.body::text LIKE '%agu1%' AS with_token FROM aegis_app.mail_invoice(:of) r;
\set body '{}'
SELECT r.status FROM aegis_app.mail_invoice(:of) r;
-- refuses: too many
SELECT status, count(*) FROM (SELECT (aegis_app.mail_invoice(:of)).status FROM generate_series(1, 4)) s GROUP BY 1 ORDER BY 1;
SELECT jsonb_build_object('customer_id', :'silent', 'currency', 'EUR', 'lines', '[{"description": "work", "unit_minor": "1"}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
\set body '{}'
SELECT (aegis_app.send_invoice(:of)).status;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.mail_invoice(:of) r;
COMMIT;
-- refuses: whoever does not see the invoice
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT (aegis_app.mail_invoice(:of)).status;
ROLLBACK;
-- survives: what waits is sealed; what is sent says who, how much, until when, and where
\c - :administrator
SET client_min_messages = warning;
SELECT count(*) AS waiting, bool_or(position('mailed.example'::bytea IN o.payload) > 0 OR position('agu1_'::bytea IN o.payload) > 0) AS readable
  FROM aegis.outbox o WHERE o.kind = 'mail' AND o.state = 'waiting';
CREATE TEMP TABLE regress_mails AS SELECT c.id, convert_from(c.payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 100) c;
SELECT m.mail ->> 'to' AS "to", regexp_replace(m.mail ->> 'subject', 'INV-[0-9]+', 'INV') AS subject,
       regexp_replace(regexp_replace(m.mail ->> 'text', 'INV-[0-9]+', 'INV'), '#agu1_[A-Z0-9-]+_[A-Za-z0-9_-]{43}', '#TOKEN') AS text FROM regress_mails m ORDER BY m.id LIMIT 2;
SELECT event, count(*) FROM aegis.audit_log WHERE event = 'invoice.mailed' GROUP BY 1;
