-- A payer sees an invoice by its link: that invoice as it is now, and nothing else of the tenant.
\set VERBOSITY terse
\set of 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice'', ''link'', :''link''), ''body'', :''body''::jsonb))'
\set link ''
SELECT current_user AS administrator \gset
SET client_min_messages = warning;
CREATE ROLE regress_payer LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_payer;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_payer;
-- What a handler for links would read if it asked for everything: registered by an operator for this test.
CREATE SCHEMA t_payer;
GRANT USAGE ON SCHEMA t_payer TO aegis_member;
CREATE FUNCTION t_payer.look(request aegis.request) RETURNS aegis.response LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT aegis.respond(200, jsonb_build_object(
    'invoices', (SELECT jsonb_agg(i.number) FROM aegis_app.invoice i), 'lines', (SELECT count(DISTINCT l.invoice_id) FROM aegis_app.invoice_line l),
    'customers', (SELECT jsonb_agg(aegis.reveal(c.name)) FROM aegis_app.customer c), 'messages', (SELECT count(*) FROM aegis_app.webhook_event),
    'notes', (SELECT count(*) FROM aegis_app.credit_note))) $$;
GRANT EXECUTE ON FUNCTION t_payer.look TO aegis_member;
SELECT aegis.register_route('GET', '/regress/look', 't_payer.look(aegis.request)', public => true, credentials => '{link}', scope => 'invoice');

\c - regress_app
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Payer Ltd", "email": "pay@payer.example", "notes": "pays late"}}'))).body ->> 'id' AS payer \gset
SELECT jsonb_build_object('customer_id', :'payer', 'currency', 'EUR', 'memo', 'Thank you', 'lines', '[{"description": "work", "quantity": "1.5", "unit_minor": "1000", "tax_rate": 20}]'::jsonb) AS body \gset
SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', :'body'::jsonb)))).body ->> 'id' AS invoice \gset
-- refuses: a link to a draft, which may still change
\set body '{}'
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.create_invoice_link(:of) r;
SELECT (aegis_app.send_invoice(:of)).status;
-- allows: links to what was sent, each with its token once
SELECT r.status, r.body ->> 'token' AS token, r.body ->> 'id' AS link, r.body ->> 'path' AS path, (r.body ->> 'expires_at')::timestamptz - now() > interval '89 days' AS lives
  FROM aegis_app.create_invoice_link(:of) r \gset
SELECT :status AS status, :'path' = '/invoice#' || :'token' AS path, :'token' ~ '^agu1_[A-Z0-9-]+_[A-Za-z0-9_-]{43}$' AS token, :'lives' AS lives;
\set body '{"days": 1}'
SELECT r.body ->> 'token' AS other_token FROM aegis_app.create_invoice_link(:of) r \gset
SELECT jsonb_array_length(r.body -> 'links') AS links, r.body::text LIKE '%agu1%' AS with_token FROM aegis_app.list_invoice_links(:of) r;
-- refuses: a term that is none
SAVEPOINT s;
\set body '{"days": 366}'
SELECT aegis_app.create_invoice_link(:of);
ROLLBACK TO s;
COMMIT;
-- refuses: whoever does not see the invoice
\set body '{}'
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT (aegis_app.create_invoice_link(:of)).status AS made, (aegis_app.list_invoice_links(:of)).status AS listed, (aegis_app.revoke_invoice_link(:of)).status AS revoked;
SAVEPOINT s;
SELECT aegis_app.make_invoice_link(NULL, 1);
ROLLBACK;

-- allows: the payer, who sees the invoice and nothing else, however much is asked for
\c - regress_payer
\set ask 'SELECT h.status, convert_from(h.body, ''UTF8'')::jsonb AS body FROM aegis.handle('
\set by ', ARRAY[''authorization'', ''Bearer '' || '
\set end '], NULL, ''192.0.2.9'', ''r1'') h'
:ask 'POST', '/api/invoice-view' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb - '{number,sent_at,content_sha256}'::text[] AS body, :'body'::jsonb ->> 'number' LIKE 'INV-%' AS numbered;
:ask 'POST', '/api/invoice-view' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb -> 'derived' AS derived;
:ask 'GET', '/regress/look' :by :'token' :end \gset
SELECT :status AS status, jsonb_array_length(:'body'::jsonb -> 'invoices') AS invoices, :'body'::jsonb - 'invoices' AS other;
-- refuses: the token elsewhere, another token, a session
:ask 'GET', '/api/invoices' :by :'token' :end \gset
SELECT :status AS status;
:ask 'POST', '/api/invoice-view' :by 'agu1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' :end \gset
SELECT :status AS status, :'body'::jsonb ->> 'type' AS problem;
:ask 'POST', '/api/invoice-view' :by :'uma' :end \gset
SELECT :status AS status;

-- allows: whoever sees the invoice takes a link back, and nobody opens it any more; the other goes on
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status FROM aegis_app.revoke_invoice_link(:of) r;
SELECT r.status AS twice FROM aegis_app.revoke_invoice_link(:of) r;
SELECT l -> 'live' AS live, l ->> 'opened_at' IS NOT NULL AS opened FROM aegis_app.list_invoice_links(:of) r, jsonb_array_elements(r.body -> 'links') l ORDER BY 1 DESC;
-- refuses: more than twenty
SELECT status, count(*) FROM (SELECT (aegis_app.create_invoice_link(:of)).status FROM generate_series(1, 21)) s GROUP BY 1 ORDER BY 1;
COMMIT;
\c - regress_payer
:ask 'POST', '/api/invoice-view' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb ->> 'type' AS problem;
:ask 'POST', '/api/invoice-view' :by :'other_token' :end \gset
SELECT :status AS status;

-- survives: what was done is in the ledger, by which link and by nobody; a table is closed to links unless it says otherwise
\c - :administrator
SET client_min_messages = warning;
SELECT c.relname AS open FROM aegis.protected_table p JOIN pg_class c ON c.oid = p.relation
 WHERE c.relnamespace = 'aegis_app'::regnamespace AND NOT EXISTS (SELECT FROM pg_policy q WHERE q.polrelid = c.oid AND q.polname = 'link_alone' AND NOT q.polpermissive) ORDER BY 1;
SELECT event, outcome, way, user_id IS NULL AS nobody, count(*) FROM aegis.audit_log WHERE event LIKE 'invoice.link%' OR event = 'invoice.viewed' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;
SELECT aegis.drop_route('GET', '/regress/look') \g /dev/null
DROP SCHEMA t_payer CASCADE;
DROP OWNED BY regress_payer;
DROP ROLE regress_payer;
