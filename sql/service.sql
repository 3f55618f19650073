-- A service proves each request with a signature over it, made with a secret that only it and the sealed row know; what was
-- seen once is refused for ever, whatever became of it, and a service does no more than its scopes, its rank and its tenant allow.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
-- The nonces are kept from the worker's start on; what was signed aegis.signature_window later is taken.
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_sleep(0.05);
  END LOOP;
  IF now() - pg_postmaster_start_time() < interval '1 minute' THEN
    PERFORM pg_sleep(2 * extract(epoch FROM current_setting('aegis.signature_window')::interval));
  END IF;
END $$;
CREATE ROLE regress_service_gateway LOGIN;
GRANT aegis_gateway TO regress_service_gateway;
CREATE ROLE regress_service_operator LOGIN;
GRANT aegis_operator TO regress_service_operator;
CREATE ROLE regress_service_member LOGIN;
GRANT aegis_member TO regress_service_member;
-- The gateway's login may call nothing but the gateway's functions: another one may sign in this test.
CREATE ROLE regress_service_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_service_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_service_caller;
SELECT aegis.create_tenant('regress-service', 'Regress Service') AS tenant, aegis.create_tenant('regress-service-2', 'Other') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada \gset
COMMIT;

-- HMAC-SHA-256 and the signature of a request, written for this test. Nonces count up: each request is another.
CREATE SCHEMA t_service;
CREATE SEQUENCE t_service.nonce START 1000000000000000;
CREATE FUNCTION t_service.padded(key bytea, pad integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE block bytea := key || decode(repeat('00', 64 - octet_length(key)), 'hex');
BEGIN
  FOR i IN 0 .. 63 LOOP block := set_byte(block, i, get_byte(block, i) # pad); END LOOP;
  RETURN block;
END $$;
CREATE FUNCTION t_service.hmac(key bytea, message bytea) RETURNS bytea LANGUAGE sql AS $$
  SELECT sha256(t_service.padded(key, 92) || sha256(t_service.padded(key, 54) || message)) $$;
CREATE FUNCTION t_service.sign(key_id text, secret text, method text, target text, body text DEFAULT '', skew integer DEFAULT 0,
                               nonce text DEFAULT NULL, more text DEFAULT '') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  digest text := 'sha-256=:' || encode(sha256(convert_to(body, 'UTF8')), 'base64') || ':';
  list text := '("@method" "@target-uri"' || CASE WHEN body <> '' THEN ' "content-digest"' ELSE '' END || ');created='
            || floor(extract(epoch FROM clock_timestamp()) + skew)::bigint || ';nonce="' || coalesce(nonce, nextval('t_service.nonce')::text)
            || '";keyid="' || key_id || '"' || more;
  base text := '"@method": ' || method || E'\n"@target-uri": https://api.example.com' || target || E'\n'
            || CASE WHEN body <> '' THEN '"content-digest": ' || digest || E'\n' ELSE '' END || '"@signature-params": ' || list;
BEGIN
  RETURN ARRAY['host', 'api.example.com', 'content-type', 'application/json', 'signature-input', 's=' || list, 'signature',
               's=:' || encode(t_service.hmac(decode(secret, 'base64'), convert_to(base, 'UTF8')), 'base64') || ':']
      || CASE WHEN body <> '' THEN ARRAY['content-digest', digest] ELSE '{}' END;
END $$;

CREATE TABLE t_service.note (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), body text NOT NULL);
ALTER TABLE t_service.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE t_service.note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON t_service.note USING (tenant_id = aegis.tenant_id()) WITH CHECK (tenant_id = aegis.tenant_id());
INSERT INTO t_service.note VALUES (:'tenant', 'ours'), (:'other', 'theirs');
GRANT USAGE ON SCHEMA t_service TO aegis_member;
GRANT SELECT, INSERT (body) ON t_service.note TO aegis_member;
CREATE FUNCTION t_service.who(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'rank', aegis.rank(), 'user', aegis.user_id(), 'session', aegis.session_id(),
    'service', aegis.service_id() IS NOT NULL, 'tenant', aegis.tenant_id() IS NOT NULL, 'notes', (SELECT jsonb_agg(n.body) FROM t_service.note n)));
END $$;
CREATE FUNCTION t_service.ping(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'tenant', aegis.tenant_id(), 'service', aegis.service_id()));
END $$;
CREATE FUNCTION t_service.add(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO t_service.note (body) VALUES (request.body ->> 'body');
  IF request.query ? 'fail' THEN RAISE EXCEPTION 'it fails'; END IF;
  IF request.query ? 'slow' THEN PERFORM pg_sleep(60); END IF;
  RETURN aegis.respond(201);
END $$;
CREATE FUNCTION t_service.reset(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, to_jsonb(aegis.reset_second_factor((request.query ->> 'user')::uuid)));
END $$;
SELECT aegis.declare_event('t_service.noted', 'a note was made', '{}');
SELECT aegis.register_route('GET', '/t/who', 't_service.who(aegis.request)', credentials => '{session,service}', scope => 'notes:read'),
       aegis.register_route('POST', '/t/notes', 't_service.add(aegis.request)', credentials => '{service}', scope => 'notes:write', event => 't_service.noted'),
       aegis.register_route('GET', '/t/admin', 't_service.who(aegis.request)', 4::smallint, credentials => '{service}', scope => 'notes:read'),
       aegis.register_route('GET', '/t/other', 't_service.who(aegis.request)', credentials => '{service}', scope => 'other'),
       aegis.register_route('POST', '/t/reset', 't_service.reset(aegis.request)', credentials => '{service}', scope => 'other', event => 't_service.noted'),
       aegis.register_route('GET', '/t/ping', 't_service.ping(aegis.request)', credentials => '{service}', scope => 'notes:read'),
       aegis.register_route('GET', '/t/people', 't_service.who(aegis.request)');

-- allows: making services, whose secrets are shown once
GRANT USAGE ON SCHEMA t_service TO regress_service_operator;
\c - regress_service_operator
SELECT key_id, octet_length(decode(secret, 'base64')) AS bytes, secret FROM aegis.create_service('billing', :'tenant', '{notes:read,notes:write}', 3::smallint) \gset one_
SELECT :'one_key_id' AS key_id, :'one_bytes' AS bytes;
SELECT key_id, secret FROM aegis.create_service('monitor', NULL, '{notes:read}') \gset free_
SELECT key_id, secret FROM aegis.create_service('watcher', NULL, '{metrics:read}') \gset watch_
SELECT key_id, secret FROM aegis.create_service('foreign', :'other', '{notes:read}', 4::smallint) \gset other_
SELECT name, tenant_id IS NOT NULL AS has_tenant, rank, scopes, keys, retired_at IS NULL AS in_use
  FROM aegis.services WHERE name IN ('billing', 'foreign', 'monitor') ORDER BY name;
-- refuses: names, scopes, ranks and tenants that are none
SELECT aegis.create_service('billing', NULL, '{a}');
SELECT aegis.create_service('Billing', NULL, '{a}');
SELECT aegis.create_service('x', NULL, '{}');
SELECT aegis.create_service('x', NULL, '{a,NULL}');
SELECT aegis.create_service('x', NULL, '{"a b"}');
SELECT aegis.create_service('x', NULL, '{a}', 5::smallint);
SELECT aegis.create_service('x', '00000000-0000-0000-0000-000000000001', '{a}');
SELECT aegis.create_service(NULL, NULL, '{a}');
SELECT aegis.set_service('nobody', '{a}', 1::smallint);
SELECT aegis.retire_service('nobody', 'why');
SELECT aegis.retire_service('billing', ' ');
SELECT aegis.retire_service_secret('nobody.1');
SELECT aegis.rotate_service_secret('nobody');
-- refuses: routes whose credentials make no sense
SELECT aegis.register_route('GET', '/t/none', 't_service.who(aegis.request)', credentials => '{}');
SELECT aegis.register_route('GET', '/t/none', 't_service.who(aegis.request)', credentials => '{password}');
SELECT aegis.register_route('GET', '/t/none', 't_service.who(aegis.request)', credentials => '{service}');
SELECT aegis.register_route('GET', '/t/none', 't_service.who(aegis.request)', scope => 'a');
SELECT aegis.register_route('GET', '/api/metrics', 't_service.who(aegis.request)', credentials => '{service}', scope => 'metrics:read');

\c - :superuser
GRANT USAGE ON SCHEMA t_service TO regress_service_caller;
GRANT USAGE ON SEQUENCE t_service.nonce TO regress_service_caller;
CREATE TABLE t_service.sent (name text PRIMARY KEY, headers text[]);
-- What a name stands for is signed once and can be sent again.
CREATE FUNCTION t_service.once(name text, VARIADIC headers text[]) RETURNS text[] LANGUAGE sql AS $$
  INSERT INTO t_service.sent VALUES (name, headers) RETURNING headers $$;
CREATE FUNCTION t_service.problem(body bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substring(convert_from(body, 'UTF8') FROM 'urn:aegis:problem:([a-z-]+)') $$;

-- allows: a request of a service of a tenant, with its rank and its tenant's rows
\c - regress_service_caller
SELECT status, convert_from(body, 'UTF8')::jsonb AS body
  FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-1');
SELECT status, convert_from(body, 'UTF8')::jsonb -> 'notes' AS notes
  FROM aegis.handle('GET', '/t/who?a=b%20c', t_service.sign(:'other_key_id', :'other_secret', 'GET', '/t/who?a=b%20c', more => ';alg="hmac-sha256";tag="aegis"'), NULL, '192.0.2.1', 'r-1');
SELECT status, octet_length(body) AS bytes FROM aegis.handle('HEAD', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'HEAD', '/t/who'), NULL, '192.0.2.1', 'r-1');
SELECT status FROM aegis.handle('POST', '/t/notes', t_service.sign(:'one_key_id', :'one_secret', 'POST', '/t/notes', '{"body": "new"}'), '{"body": "new"}', '192.0.2.1', 'r-2');
-- allows: a service of no tenant, which has no context and so reads no tenant's rows
SELECT status, convert_from(body, 'UTF8')::jsonb AS body
  FROM aegis.handle('GET', '/t/ping', t_service.sign(:'free_key_id', :'free_secret', 'GET', '/t/ping'), NULL, '192.0.2.1', 'r-1');
SELECT status, convert_from(body, 'UTF8')::jsonb ->> 'code' AS code
  FROM aegis.handle('GET', '/t/who', t_service.sign(:'free_key_id', :'free_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-1');
-- allows: to see what the gateway says of itself, which is not said here, to who has the scope; refuses: everybody and everything else
SELECT n.what, h.status, t_service.problem(h.body) AS problem, CASE WHEN h.status = 204 THEN octet_length(h.body) END AS bytes
  FROM (VALUES
    ('metrics',       'GET',    '/api/metrics', t_service.sign(:'watch_key_id', :'watch_secret', 'GET', '/api/metrics')),
    ('health',        'GET',    '/api/health',  t_service.sign(:'watch_key_id', :'watch_secret', 'GET', '/api/health')),
    ('head',          'HEAD',   '/api/metrics', t_service.sign(:'watch_key_id', :'watch_secret', 'HEAD', '/api/metrics')),
    ('below it',      'GET',    '/api/metrics/x', t_service.sign(:'watch_key_id', :'watch_secret', 'GET', '/api/metrics/x')),
    ('without scope', 'GET',    '/api/metrics', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/api/metrics')),
    ('wrong secret',  'GET',    '/api/health',  t_service.sign(:'watch_key_id', :'one_secret', 'GET', '/api/health')),
    ('a write',       'DELETE', '/api/metrics', t_service.sign(:'watch_key_id', :'watch_secret', 'DELETE', '/api/metrics')),
    ('nobody',        'GET',    '/api/metrics', ARRAY['host', 'api.example.com']),
    ('a session',     'GET',    '/api/metrics', ARRAY['authorization', 'Bearer x'])
  ) AS n (what, method, target, headers),
  LATERAL aegis.handle(n.method, n.target, n.headers, NULL, '192.0.2.1', 'r-6') h ORDER BY n.what COLLATE "C";
-- allows: a clock that is a little off
SELECT status FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', skew => 3), NULL, '192.0.2.1', 'r-1');
SELECT status FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', skew => -3), NULL, '192.0.2.1', 'r-1');

-- refuses: everything that is not exactly what was signed, with one answer
SELECT n.what, h.status, t_service.problem(h.body) AS problem, 'accept-signature' = ANY (h.headers) AS asks
  FROM (VALUES
    ('wrong secret',      'GET',  '/t/who',    t_service.sign(:'one_key_id', :'other_secret', 'GET', '/t/who'), NULL::bytea),
    ('unknown key',       'GET',  '/t/who',    t_service.sign('nobody.1', :'one_secret', 'GET', '/t/who'), NULL),
    ('key of another',    'GET',  '/t/who',    t_service.sign(:'other_key_id', :'one_secret', 'GET', '/t/who'), NULL),
    ('another method',    'POST', '/t/notes',  t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/notes', '{"body": "x"}'), '{"body": "x"}'),
    ('GET for HEAD',      'HEAD', '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL),
    ('another target',    'GET',  '/t/who?a',  t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL),
    ('encoded otherwise', 'GET',  '/t/%77ho',  t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL),
    ('body swapped',      'POST', '/t/notes',  t_service.sign(:'one_key_id', :'one_secret', 'POST', '/t/notes', '{"body": "x"}'), '{"body": "y"}'),
    ('body without digest', 'POST', '/t/notes', t_service.sign(:'one_key_id', :'one_secret', 'POST', '/t/notes'), '{"body": "x"}'),
    ('another host',      'GET',  '/t/who',    array_replace(t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), 'api.example.com', 'api.example.org'), NULL),
    ('too old',           'GET',  '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', skew => -7), NULL),
    ('too new',           'GET',  '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', skew => 8), NULL),
    ('expired',           'GET',  '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', more => ';expires=1700000000'), NULL),
    ('another algorithm', 'GET',  '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', more => ';alg="ed25519"'), NULL),
    ('short nonce',       'GET',  '/t/who',    t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who', nonce => 'abc'), NULL),
    ('no signature',      'GET',  '/t/who',    ARRAY['host', 'api.example.com', 'signature', 's=:AAAA:'], NULL),
    ('nothing readable',  'GET',  '/t/who',    ARRAY['host', 'api.example.com', 'signature', '', 'signature-input', '((('], NULL)
  ) AS n (what, method, target, headers, body),
  LATERAL aegis.handle(n.method, n.target, n.headers, n.body, '192.0.2.1', 'r-3') h;
-- refuses: what the service may not: for its scopes, its rank, its kind, and with a second credential
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/other', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/other'), NULL, '192.0.2.1', 'r-4');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/admin', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/admin'), NULL, '192.0.2.1', 'r-4');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/people', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/people'), NULL, '192.0.2.1', 'r-4');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/api/session', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/api/session'), NULL, '192.0.2.1', 'r-4');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who') || ARRAY['authorization', 'Bearer x'], NULL, '192.0.2.1', 'r-4');
\c - regress_service_gateway
SELECT token FROM aegis.sign_in('regress-service', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
\c - regress_service_caller
SELECT status FROM aegis.handle('GET', '/t/who', ARRAY['authorization', 'Bearer ' || :'token'], NULL, '192.0.2.1', 'r-4');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/other', ARRAY['authorization', 'Bearer ' || :'token'], NULL, '192.0.2.1', 'r-4');

-- refuses: the same request once more, also when nothing came of the first
\c - :superuser
SELECT count(t_service.once(n.name, VARIADIC t_service.sign(:'one_key_id', :'one_secret', 'POST', n.target, '{"body": "once"}')))
  FROM (VALUES ('good', '/t/notes'), ('fail', '/t/notes?fail=1'), ('slow', '/t/notes?slow=1')) n (name, target);
SELECT headers AS good FROM t_service.sent WHERE name = 'good' \gset
SELECT headers AS fail FROM t_service.sent WHERE name = 'fail' \gset
SELECT headers AS slow FROM t_service.sent WHERE name = 'slow' \gset
\c - regress_service_gateway
SELECT status FROM aegis.handle('POST', '/t/notes', :'good', '{"body": "once"}', '192.0.2.1', 'r-5');
\c - regress_service_caller
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('POST', '/t/notes', :'good', '{"body": "once"}', '192.0.2.1', 'r-5');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('POST', '/t/notes?fail=1', :'fail', '{"body": "once"}', '192.0.2.1', 'r-5');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('POST', '/t/notes?fail=1', :'fail', '{"body": "once"}', '192.0.2.1', 'r-5');
SET statement_timeout = '300ms';
SELECT status FROM aegis.handle('POST', '/t/notes?slow=1', :'slow', '{"body": "once"}', '192.0.2.1', 'r-5');
RESET statement_timeout;
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('POST', '/t/notes?slow=1', :'slow', '{"body": "once"}', '192.0.2.1', 'r-5');

-- allows: two secrets while one takes the other's place
\c - regress_service_operator
SELECT key_id, secret FROM aegis.rotate_service_secret('billing') \gset two_
SELECT :'two_key_id' AS key_id, :'two_secret' <> :'one_secret' AS differs;
SELECT aegis.rotate_service_secret('billing');
\c - regress_service_caller
SELECT status FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-6');
SELECT status FROM aegis.handle('GET', '/t/who', t_service.sign(:'two_key_id', :'two_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-6');
\c - regress_service_operator
SELECT aegis.retire_service_secret(:'one_key_id');
SELECT aegis.retire_service_secret(:'one_key_id');
SELECT aegis.set_service('billing', '{other}', 4::smallint);
\c - regress_service_caller
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/who', t_service.sign(:'one_key_id', :'one_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-7');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/who', t_service.sign(:'two_key_id', :'two_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-7');
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/other', t_service.sign(:'two_key_id', :'two_secret', 'GET', '/t/other'), NULL, '192.0.2.1', 'r-7');
-- refuses: being one of the two people who reset the second factor of an admin
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('POST', '/t/reset?user=' || :'ada', t_service.sign(:'two_key_id', :'two_secret', 'POST', '/t/reset?user=' || :'ada'), NULL, '192.0.2.1', 'r-7b');

-- allows: proving requests to a service, with its newest secret, also while its older one is in use
\c - regress_service_operator
SELECT r.fields ? 'content-digest' AS digest, r.fields ->> 'signature' ~ '^aegis=:[A-Za-z0-9+/]{43}=:$' AS signature,
       regexp_replace(regexp_replace(r.fields ->> 'signature-input', 'created=[0-9]{10}', 'created=N'), 'nonce="[A-Za-z0-9_-]{24}"', 'nonce="N"') AS input
  FROM (VALUES (aegis.sign_request('billing', 'POST', 'https://billing.internal/hook?a=1', '{}')), (aegis.sign_request('billing', 'GET', 'http://[::1]:8080/'))) r (fields);
SELECT aegis.sign_request('billing', 'GET', 'http://a.example/') ->> 'signature' <> aegis.sign_request('billing', 'GET', 'http://a.example/') ->> 'signature' AS differs;
-- survives: a signature that was taken along by who rolled back is recorded all the same
BEGIN;
SELECT aegis.sign_request('billing', 'GET', 'https://rolled-back.example/') ? 'signature' AS signed;
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status());
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT count(*) AS recorded FROM aegis.entry e
 WHERE e.tenant_id = :'tenant' AND position('service.request_signed'::bytea IN e.body) > 0
   AND position('GET rolled-back.example'::bytea IN e.body) > 0;
\c - regress_service_operator
SET client_min_messages = warning;
-- refuses: what is no request, and whose secret is not there
SELECT aegis.sign_request('nobody', 'GET', 'https://a.example/');
SELECT aegis.sign_request('billing', 'get', 'https://a.example/');
SELECT aegis.sign_request('billing', E'GET\nX', 'https://a.example/');
SELECT aegis.sign_request(NULL, 'GET', 'https://a.example/');
SELECT aegis.sign_request('billing', 'GET', '');
SELECT aegis.sign_request('billing', 'GET', 'ftp://a.example/');
SELECT aegis.sign_request('billing', 'GET', 'https:///x');
SELECT aegis.sign_request('billing', 'GET', 'https://a.example');
SELECT aegis.sign_request('billing', 'GET', 'https://user@a.example/');
SELECT aegis.sign_request('billing', 'GET', 'https://a.example?b/');
SELECT aegis.sign_request('billing', 'GET', 'https://a.example/#b');
SELECT aegis.sign_request('billing', 'GET', 'https://a.example/ b');
SELECT aegis.sign_request('billing', 'GET', E'https://a.example/\n');
SELECT aegis.sign_request('billing', 'GET', 'https://a.example/' || chr(228));
SELECT aegis.sign_request('billing', 'GET', 'https://a.example/' || repeat('a', 2048));

-- refuses: a sealed secret in another's place, a suspended tenant, a retired service
\c - :superuser
SELECT k.secret AS kept FROM aegis.service_secret k WHERE k.key_id = :'other_key_id' \gset
UPDATE aegis.service_secret SET secret = (SELECT k.secret FROM aegis.service_secret k WHERE k.key_id = :'two_key_id') WHERE key_id = :'other_key_id';
\c - regress_service_caller
SELECT status FROM aegis.handle('GET', '/t/who', t_service.sign(:'other_key_id', :'two_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-8');
\c - :superuser
UPDATE aegis.service_secret SET secret = :'kept' WHERE key_id = :'other_key_id';
SELECT position(decode(:'two_secret', 'base64') IN k.secret) AS in_clear FROM aegis.service_secret k WHERE k.key_id = :'two_key_id';
SELECT aegis.suspend_tenant(:'other', 'not paid');
\c - regress_service_caller
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/who', t_service.sign(:'other_key_id', :'other_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-8');
\c - regress_service_operator
SELECT aegis.reactivate_tenant(:'other', 'paid');
SELECT aegis.retire_service('foreign', 'no longer needed');
SELECT aegis.rotate_service_secret('foreign');
SELECT aegis.create_service('foreign', NULL, '{a}');
\c - regress_service_caller
SELECT status, t_service.problem(body) AS problem FROM aegis.handle('GET', '/t/who', t_service.sign(:'other_key_id', :'other_secret', 'GET', '/t/who'), NULL, '192.0.2.1', 'r-9');

-- survives: who did what stands in the ledger, and the document tells who may call
\c - :superuser
SELECT l.event, l.outcome, l.way, l.rank, l.target_id, l.detail ->> 'reason' AS reason, l.detail ->> 'key' AS key, l.session_id = s.id AS by_the_service
  FROM aegis.audit_log l LEFT JOIN aegis.service s ON s.id = l.session_id
 WHERE (l.event ~ '^service[.]' AND l.target_id NOT LIKE 'erase-%') OR l.event = 't_service.noted' OR (l.event = 'auth.denied' AND l.request_id IN ('r-4', 'r-5', 'r-7'))
 ORDER BY l.seq;
SELECT d.paths -> '/t/who' -> 'get' -> 'security' AS either, d.paths -> '/t/other' -> 'get' -> 'security' AS service, d.paths -> '/t/people' -> 'get' -> 'security' AS session
  FROM (SELECT aegis.openapi()::jsonb -> 'paths') d (paths);
-- refuses: everybody who is no operator, and what tells of secrets to everybody
\c - regress_service_member
SELECT aegis.create_service('x', NULL, '{a}');
SELECT * FROM aegis.services;
SELECT aegis.sign_request('billing', 'GET', 'https://a.example/');
\c - regress_service_gateway
SELECT aegis.rotate_service_secret('billing');
SELECT aegis.retire_service('billing', 'x');
SELECT * FROM aegis.service_secret;
\c - regress_service_operator
SELECT secret FROM aegis.service_secret;
\c - :superuser
SELECT aegis.drop_route(r.method, r.path) FROM aegis.route r WHERE r.path LIKE '/t/%';
DROP SCHEMA t_service CASCADE;
REVOKE ALL ON SCHEMA aegis FROM regress_service_caller;
REVOKE ALL ON FUNCTION aegis.handle FROM regress_service_caller;
DROP ROLE regress_service_caller, regress_service_gateway, regress_service_member, regress_service_operator;
