-- The ledger's pages over HTTP: for admins, of the own tenant; whatever is wrong with a request is said below 500.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE ROLE regress_ledger_gateway LOGIN;
GRANT aegis_gateway TO regress_ledger_gateway;
\c - regress_ledger_gateway
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


-- allows: the newest entries, page by page, and by event and outcome
:get '/api/ledger/entries?limit=2' :as :'ada' :end \gset page_
SELECT :page_status AS status, (b -> 'size')::bigint - 1 = (b #> '{entries,0,leaf}')::bigint AS newest, b -> 'next' = b #> '{entries,1,leaf}' AS next,
       (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(b #> '{entries,0}') k) AS keys
  FROM (SELECT :'page_body'::jsonb) p(b);
SELECT :'page_body'::jsonb ->> 'next' AS next \gset
:get '/api/ledger/entries?limit=1&before=' || :'next' :as :'ada' :end \gset page_
SELECT (:'page_body'::jsonb #> '{entries,0,leaf}')::bigint = :next - 1 AS follows;
:get '/api/ledger/entries?event=invoice.sent&outcome=success' :as :'ada' :end \gset page_
SELECT e ->> 'event' AS event, e ->> 'outcome' AS outcome, e ->> 'user_name' AS user_name, e ->> 'target_kind' AS target_kind, (e -> 'detail') - 'content_hash' AS detail
  FROM jsonb_array_elements(:'page_body'::jsonb -> 'entries') e;
:get '/api/ledger/entries?event=invoice.sent&outcome=denied' :as :'ada' :end \gset page_
SELECT :'page_body'::jsonb - 'size' AS body;
-- allows: one entry with its bytes; they are what was hashed
:get '/api/ledger/entries/0' :as :'ada' :end \gset entry_
SELECT :entry_status AS status, (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(b) k) AS keys, b ->> 'event' AS event,
       encode(sha256('\x00' || decode(b ->> 'body_base64', 'base64')), 'hex') = b ->> 'leaf_hash' AS hashed
  FROM (SELECT :'entry_body'::jsonb) e(b);
:get '/api/ledger/entries/0' :as :'other' :end \gset other_
SELECT :'other_body'::jsonb ->> 'body_base64' <> :'entry_body'::jsonb ->> 'body_base64' AS another;
-- allows: the seals
:get '/api/ledger/seals?limit=3' :as :'ada' :end \gset seals_
SELECT :seals_status AS status, jsonb_array_length(b -> 'seals') AS seals, (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(b #> '{seals,0}') k) AS keys,
       b #> '{seals,0,previous}' = b #> '{seals,1,hash}' AS chained
  FROM (SELECT :'seals_body'::jsonb) s(b);
:get '/api/ledger/seals?before=2' :as :'other' :end \gset seals_
SELECT :seals_status AS status, :'seals_body'::jsonb #> '{seals,0,number}' AS number, jsonb_array_length(:'seals_body'::jsonb -> 'seals') AS seals;
-- allows: the bundle as a file
SELECT h.status, h.headers, length(h.body) > 1000 AS long FROM aegis.handle('GET', '/api/ledger/bundle' :as :'ada' :end;

-- allows: proofs, by default for the log as it is now, that lead to the root
:get '/api/ledger/inclusion?leaf=0&size=1' :as :'ada' :end \gset proof_
SELECT :proof_status AS status, b -> 'proof' AS proof, b -> 'size' AS size, encode(decode(b ->> 'root', 'base64'), 'hex') = :'entry_body'::jsonb ->> 'leaf_hash' AS root
  FROM (SELECT :'proof_body'::jsonb) p(b);
:get '/api/ledger/inclusion?leaf=0&size=2' :as :'ada' :end \gset proof_
SELECT :proof_status AS status, jsonb_array_length(b -> 'proof') AS hashes,
       sha256('\x01' || decode(:'entry_body'::jsonb ->> 'leaf_hash', 'hex') || decode(b #>> '{proof,0}', 'base64')) = decode(b ->> 'root', 'base64') AS root
  FROM (SELECT :'proof_body'::jsonb) p(b);
:get '/api/ledger/inclusion?leaf=1' :as :'ada' :end \gset proof_
SELECT :proof_status AS status, (:'proof_body'::jsonb -> 'size')::bigint > 20 AS size;
:get '/api/ledger/consistency?first=1&second=2' :as :'ada' :end \gset proof_
SELECT :proof_status AS status, jsonb_array_length(:'proof_body'::jsonb -> 'proof') AS hashes;
:get '/api/ledger/consistency?first=1' :as :'ada' :end \gset proof_
SELECT :proof_status AS status, (:'proof_body'::jsonb -> 'size')::bigint > 20 AS size;
-- allows: one verification at a time, to its end
\set post 'SELECT h.status, encode(h.body, ''escape'')::jsonb AS body, h.headers[1:2] AS headers FROM aegis.handle(''POST'', '
:post '/api/ledger/verifications' :as :'ada' :end \gset begun_
SELECT :'begun_body'::jsonb ->> 'id' AS id, :begun_status AS status \gset
SELECT :status AS status, :'begun_headers'::text[] = ARRAY['location', '/api/ledger/verifications/' || :'id'] AS located;
\c - :administrator
SELECT aegis.wait_job(:id, '60 s') AS state;
\c - regress_ledger_gateway
:get '/api/ledger/verifications/' || :'id' :as :'ada' :end \gset verified_
SELECT :verified_status AS status, b ->> 'state' AS state, (b -> 'done')::bigint > 20 AND b -> 'done' = b -> 'total' AS done, b ->> 'findings' AS findings,
       jsonb_array_length(b -> 'rows') > 3 AS "rows"
  FROM (SELECT :'verified_body'::jsonb) v(b);

-- refuses: a receipt while no checkpoint covers the entry
\set ask 'SELECT h.status, encode(h.body, ''escape'') AS body FROM aegis.handle(''GET'', '
:ask '/api/ledger/entries/0/receipt' :as :'ada' :end;

-- nothing: entries that do not exist, and numbers that are none
\pset tuples_only on
:ask '/api/ledger/entries/999999999999999999' :as :'ada' :end;
:ask '/api/ledger/entries/99999999999999999999999999' :as :'ada' :end;
:ask '/api/ledger/entries/-1' :as :'ada' :end;
:ask '/api/ledger/entries/x' :as :'ada' :end;
:ask '/api/ledger/entries/0x1' :as :'ada' :end;
:ask '/api/ledger/entries/1.0' :as :'ada' :end;
:ask '/api/ledger/entries/%27' :as :'ada' :end;
:ask '/api/ledger/entries/0/receipts' :as :'ada' :end;
:ask '/api/ledger/entries/999999/receipt' :as :'ada' :end;
:ask '/api/ledger/entries/x/receipt' :as :'ada' :end;
-- refuses: parameters that are none
:ask '/api/ledger/entries?limit=0' :as :'ada' :end;
:ask '/api/ledger/entries?limit=101' :as :'ada' :end;
:ask '/api/ledger/entries?limit=' :as :'ada' :end;
:ask '/api/ledger/entries?limit=ten' :as :'ada' :end;
:ask '/api/ledger/entries?limit=99999999999999999999' :as :'ada' :end;
:ask '/api/ledger/entries?before=-1' :as :'ada' :end;
:ask '/api/ledger/entries?before=' :as :'ada' :end;
:ask '/api/ledger/entries?before=1e3' :as :'ada' :end;
:ask '/api/ledger/entries?outcome=perhaps' :as :'ada' :end;
:ask '/api/ledger/entries?outcome=' :as :'ada' :end;
:ask '/api/ledger/entries?event=eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee' :as :'ada' :end;
:ask '/api/ledger/entries?limit=1&limit=2' :as :'ada' :end;
:ask '/api/ledger/seals?limit=0' :as :'ada' :end;
:ask '/api/ledger/seals?before=x' :as :'ada' :end;
:ask '/api/ledger/seals?before=1&limit=101' :as :'ada' :end;
:ask '/api/ledger/inclusion' :as :'ada' :end;
:ask '/api/ledger/inclusion?leaf=x' :as :'ada' :end;
:ask '/api/ledger/inclusion?leaf=0&size=999999999' :as :'ada' :end;
:ask '/api/ledger/inclusion?leaf=5&size=5' :as :'ada' :end;
:ask '/api/ledger/inclusion?leaf=0&size=0' :as :'ada' :end;
:ask '/api/ledger/consistency?first=0' :as :'ada' :end;
:ask '/api/ledger/consistency?first=3&second=2' :as :'ada' :end;
:ask '/api/ledger/consistency' :as :'ada' :end;
-- allows: tiles of the own log to an admin, kept by that client; those of the root log to everybody, without its entries
SELECT h.status, octet_length(h.body) AS bytes, h.headers FROM aegis.handle('GET', '/api/ledger/log/tile/0/000.p/2' :as :'ada' :end;
SELECT h.status, octet_length(h.body) > 100 AS entries FROM aegis.handle('GET', '/api/ledger/log/tile/entries/000.p/2' :as :'ada' :end;
SELECT h.status, octet_length(h.body) AS bytes, h.headers FROM aegis.handle('GET', '/api/ledger/root/tile/0/000.p/1', NULL, NULL, NULL, 'r-4') h;
-- nothing: tiles that are not there yet, paths that are none, receipts without a signer
:ask '/api/ledger/log/tile/2/000' :as :'ada' :end;
:ask '/api/ledger/log/tile/0/x999/x999/999' :as :'ada' :end;
:ask '/api/ledger/log/tile/0/0' :as :'ada' :end;
:ask '/api/ledger/log/receipt' :as :'ada' :end;
:ask '/api/ledger/root/checkpoint', NULL, NULL, NULL, 'r-4') h;
-- nothing: no checkpoint without a signer; verifications of nobody, of another tenant
:ask '/api/ledger/checkpoint' :as :'ada' :end;
:ask '/api/ledger/verifications/x' :as :'ada' :end;
:ask '/api/ledger/verifications/0' :as :'ada' :end;
:ask '/api/ledger/verifications/' || :'id' :as :'other' :end;
SELECT h.status, h.headers[3:4] FROM aegis.handle('POST', '/api/ledger/bundle' :as :'ada' :end;
-- refuses: every lower rank, and records it; whoever is not signed in
:ask '/api/ledger/entries' :as :'mia' :end;
:ask '/api/ledger/entries/0' :as :'mia' :end;
:ask '/api/ledger/seals' :as :'mia' :end;
:ask '/api/ledger/entries/0/receipt' :as :'mia' :end;
:ask '/api/ledger/bundle' :as :'mia' :end;
:ask '/api/ledger/checkpoint' :as :'mia' :end;
:ask '/api/ledger/inclusion?leaf=0' :as :'mia' :end;
:ask '/api/ledger/consistency?first=1' :as :'mia' :end;
:ask '/api/ledger/verifications/1' :as :'mia' :end;
:ask '/api/ledger/entries' :as :'uma' :end;
:ask '/api/ledger/entries/0' :as :'uma' :end;
:ask '/api/ledger/seals' :as :'uma' :end;
:ask '/api/ledger/entries/0/receipt' :as :'uma' :end;
:ask '/api/ledger/bundle' :as :'uma' :end;
:ask '/api/ledger/checkpoint' :as :'uma' :end;
:ask '/api/ledger/inclusion?leaf=0' :as :'uma' :end;
:ask '/api/ledger/consistency?first=1' :as :'uma' :end;
:ask '/api/ledger/verifications/1' :as :'uma' :end;
:ask '/api/ledger/entries', NULL, NULL, NULL, 'r-3') h;
:ask '/api/ledger/bundle', NULL, NULL, NULL, 'r-3') h;
\pset tuples_only off
\c - :administrator
SELECT aegis.wait_sealed('30 s') > 0 AS sealed;
\c - regress_ledger_gateway
:get '/api/ledger/entries?event=auth.denied&limit=18' :as :'ada' :end \gset denied_
SELECT e ->> 'user_name' AS user_name, e ->> 'target_id' AS target_id, e -> 'detail' AS detail
  FROM jsonb_array_elements(:'denied_body'::jsonb -> 'entries') e;
:get '/api/ledger/entries?event=ledger.exported&limit=1' :as :'ada' :end \gset exported_
SELECT :'exported_body'::jsonb #>> '{entries,0,user_name}' AS exported_by;
