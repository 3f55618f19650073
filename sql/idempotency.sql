-- A request that comes again under its Idempotency-Key does nothing and is answered as the first one was.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
-- Nobody signs in before the worker runs.
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE ROLE regress_idempotency_gateway LOGIN;
GRANT aegis_gateway TO regress_idempotency_gateway;
SELECT aegis.create_tenant('regress-idem', 'Idem') AS tenant, aegis.create_tenant('regress-idem-2', 'Other') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') IS NOT NULL,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, NULL, 'plum quartz lantern 47 river') IS NOT NULL;
COMMIT;
CREATE SCHEMA regress_idem;
GRANT USAGE ON SCHEMA regress_idem TO aegis_member;
CREATE TABLE regress_idem.payment (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id uuid NOT NULL DEFAULT gen_random_uuid(),
                                   what text NOT NULL, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('regress_idem.payment');
GRANT SELECT, INSERT (what) ON regress_idem.payment TO aegis_member;
CREATE TABLE regress_idem.person (tenant_id uuid, id int, who uuid, name text, PRIMARY KEY (tenant_id, id));
INSERT INTO regress_idem.person (tenant_id, id, who, name) VALUES (:'tenant', 1, '00000000-0000-4000-8000-00000000000a', 'Ann');
SELECT aegis.protect_table('regress_idem.person');
SELECT aegis.encrypt_column('regress_idem.person', 'name', 'regress_idem.name', subject => 'who');
CREATE FUNCTION regress_idem.pay(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_id uuid;
BEGIN
  INSERT INTO regress_idem.payment (what) VALUES (request.body ->> 'what') RETURNING id INTO new_id;
  IF request.body ->> 'what' = 'broken' THEN
    PERFORM 1 / 0;
  ELSIF request.body ->> 'what' = 'crash' THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'broken';
  ELSIF request.body ->> 'what' = 'later' THEN
    RETURN aegis.respond(409, '{"type": "later"}', '{"content-type": "application/problem+json", "retry-after": "1"}');
  ELSIF request.body ->> 'what' = 'no' THEN
    RETURN aegis.respond(422, '{"type": "no"}', '{"content-type": "application/problem+json"}');
  END IF;
  RETURN aegis.respond(201, jsonb_build_object('id', new_id, 'z', 1, 'what', request.body -> 'what'), jsonb_build_object('location', '/pay/' || new_id));
END $$;
SELECT aegis.register_route('POST', '/regress/idem/{invoice}/pay', 'regress_idem.pay(aegis.request)', idempotent => true),
       aegis.register_route('POST', '/regress/idem/note', 'regress_idem.pay(aegis.request)'),
       aegis.register_route('GET', '/regress/idem/note', 'regress_idem.pay(aegis.request)'),
       aegis.register_route('POST', '/regress/idem/public', 'regress_idem.pay(aegis.request)', public => true);
\c - regress_idempotency_gateway
\set json 'decode('
\set peer ', ''escape''), ''198.51.100.7'', ''r-1'') h'
\set shown 'SELECT h.status, (SELECT h.headers[i + 1] FROM generate_subscripts(h.headers, 1) i WHERE h.headers[i] = ''idempotency-replayed'') AS replayed, encode(h.body, ''escape'')::jsonb ->> ''type'' AS problem, encode(h.body, ''escape'')::jsonb ->> ''id'' IS NOT NULL AS made FROM aegis.handle('
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS ada FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
  :json '{"tenant": "regress-idem", "email": "ada@example.test", "password": "plum quartz lantern 47 river", "token": true}' :peer \gset
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS uli FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
  :json '{"tenant": "regress-idem", "email": "uli@example.test", "password": "plum quartz lantern 47 river", "token": true}' :peer \gset

-- allows: the first does it, the second is told the same, byte by byte, and nothing is done
SELECT h.status AS first_status, h.headers::text AS first_headers, encode(h.body, 'hex') AS first_body FROM aegis.handle('POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer \gset
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;
SELECT h.status = :first_status AND encode(h.body, 'hex') = :'first_body' AS same, h.headers @> :'first_headers'::text[] AS same_headers
  FROM aegis.handle('POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'Idempotency-Key', 'k-1'], :json '{"what": "seven"}' :peer;
-- allows: another user, another route and another key are other requests; GET has none
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'uli', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-2'], :json '{"what": "seven"}' :peer;
-- allows: a refusal of the request itself is the same refusal again
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-no'], :json '{"what": "no"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-no'], :json '{"what": "no"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-div'], :json '{"what": "broken"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-div'], :json '{"what": "broken"}' :peer;
-- allows: what failed for the moment, or broke, may be tried again under its key
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-5'], :json '{"what": "crash"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-5'], :json '{"what": "later"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-5'], :json '{"what": "now"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-5'], :json '{"what": "now"}' :peer;

-- refuses: the key of another request: another body, another target
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "eight"}' :peer;
:shown 'POST', '/regress/idem/8/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;
-- refuses: no key where money moves, and what is no key
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json'], :json '{"what": "seven"}' :peer;
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', ''], :json '{"what": "seven"}' :peer;
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'two words'], :json '{"what": "seven"}' :peer;
:shown 'POST', '/regress/idem/note', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', repeat('k', 256)], :json '{"what": "seven"}' :peer;
-- refuses: a replay to somebody who is not signed in
:shown 'POST', '/regress/idem/7/pay', ARRAY['content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;

\c - :superuser
SET client_min_messages = warning;
-- survives: each was done once, and one key kept each answer that is final, for a day or thirty
SELECT what, count(*) FROM regress_idem.payment GROUP BY 1 ORDER BY 1;
SELECT k.status, extract(day FROM k.expires_at - k.created_at) AS days, count(*) FROM aegis.idempotency_key k WHERE k.tenant_id = :'tenant' GROUP BY 1, 2 ORDER BY 1, 2;
-- survives: nothing of it can be read
SELECT bool_or(position('seven'::bytea IN k.answer) > 0) AS readable FROM aegis.idempotency_key k WHERE k.tenant_id = :'tenant';
-- refuses: an answer in the place of another
UPDATE aegis.idempotency_key k SET answer = (SELECT o.answer FROM aegis.idempotency_key o WHERE o.tenant_id = :'tenant' AND o.status = 422 LIMIT 1)
 WHERE k.tenant_id = :'tenant' AND k.status = 201;
\c - regress_idempotency_gateway
SELECT h.status FROM aegis.handle('POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "seven"}' :peer;
-- survives: after its time a key is free; what expired goes when others come
\c - :superuser
SET client_min_messages = warning;
UPDATE aegis.idempotency_key k SET expires_at = now() - interval '1 second' WHERE k.tenant_id = :'tenant';
\c - regress_idempotency_gateway
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "again"}' :peer;
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) FROM aegis.idempotency_key k WHERE k.tenant_id = :'tenant';
-- survives: when somebody is erased, no answer is kept, and nothing is done twice all the same
SELECT aegis.shred_subject(:'tenant', '00000000-0000-4000-8000-00000000000a'::uuid, 'asked') \g /dev/null
SELECT count(k.answer) AS answers FROM aegis.idempotency_key k WHERE k.tenant_id = :'tenant';
\c - regress_idempotency_gateway
:shown 'POST', '/regress/idem/7/pay', ARRAY['authorization', 'Bearer ' || :'ada', 'content-type', 'application/json', 'idempotency-key', 'k-1'], :json '{"what": "again"}' :peer;
-- refuses: reading what is kept
SELECT * FROM aegis.idempotency_key;
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) FROM regress_idem.payment WHERE what = 'again';
SELECT count(aegis.drop_route(r.method, r.path)) FROM aegis.route r WHERE r.path LIKE '/regress/idem%';
DROP SCHEMA regress_idem CASCADE;
DELETE FROM aegis.field WHERE name LIKE 'regress_idem.%';
DROP ROLE regress_idempotency_gateway;
