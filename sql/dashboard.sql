-- The first page: each caller sees what the own rank allows.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE ROLE regress_dashboard_gateway LOGIN;
GRANT aegis_gateway TO regress_dashboard_gateway;
\c - regress_dashboard_gateway
\set signed_in 'SELECT (encode(h.body, ''escape'')::jsonb) ->> ''token'' AS token FROM aegis.handle(''POST'', ''/api/session'', ARRAY[''content-type'', ''application/json''], decode('
\set peer ', ''escape''), ''198.51.100.7'', ''r-1'') h'
:signed_in '{"tenant": "regress-one", "email": "ada@one.example", "password": "violet-harbour-paints-11", "token": true}' :peer \gset
\set ada :token
:signed_in '{"tenant": "regress-one", "email": "mia@one.example", "password": "violet-harbour-paints-12", "token": true}' :peer \gset
\set mia :token
:signed_in '{"tenant": "regress-one", "email": "uma@one.example", "password": "violet-harbour-paints-14", "token": true}' :peer \gset
\set uma :token
:signed_in '{"tenant": "regress-one", "email": "sid@one.example", "password": "violet-harbour-paints-15", "token": true}' :peer \gset
\set sid :token
:signed_in '{"tenant": "regress-two", "email": "ada@two.example", "password": "violet-harbour-paints-21", "token": true}' :peer \gset
\set other :token
-- get 'path?query' as 'token': status and body
\set get 'SELECT h.status, encode(h.body, ''escape'')::jsonb AS body FROM aegis.handle(''GET'', '
\set as ', ARRAY[''authorization'', ''Bearer '' || '
\set end '], NULL, ''198.51.100.7'', ''r-1'') h'

-- allows: the dashboard, of all for the admin, of the own rows for others
:get '/api/dashboard' :as :'ada' :end \gset ada_
SELECT :ada_status AS status, :'ada_body'::jsonb - 'recent_invoices' - 'ledger' AS body;
SELECT r ->> 'customer_name' AS customer_name, r ->> 'status' AS status, r ->> 'total_minor' AS total_minor, r -> 'overdue' AS overdue
  FROM jsonb_array_elements(:'ada_body'::jsonb -> 'recent_invoices') r;
SELECT (b -> 'entries')::bigint > 20 AS entries, (b -> 'seal' -> 'number')::bigint > 1 AS seal, b -> 'seal' ? 'sealed_at' AS sealed_at, b ? 'checkpoint' AS checkpoint
  FROM (SELECT :'ada_body'::jsonb -> 'ledger') d(b);
:get '/api/dashboard' :as :'uma' :end \gset uma_
SELECT :uma_status AS status, :'uma_body'::jsonb - 'recent_invoices' AS body, jsonb_array_length(:'uma_body'::jsonb -> 'recent_invoices') AS recent;
:get '/api/dashboard' :as :'sid' :end;
:get '/api/dashboard' :as :'other' :end \gset other_
SELECT :other_status AS status, :'other_body'::jsonb - 'ledger' AS body;
-- refuses: everybody who is not signed in
SELECT h.status, encode(h.body, 'escape')::jsonb ->> 'type' AS problem FROM aegis.handle('GET', '/api/dashboard', NULL, NULL, NULL, 'r-1') h;
