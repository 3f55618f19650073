-- A token of an issuer is taken when the issuer signed it with a key that it publishes, for us and for now, and its subject is a user here;
-- it stands for the only session of that user, with no more rank than both give; what is refused says one thing, and is recorded.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_issuer_operator LOGIN;
GRANT aegis_operator TO regress_issuer_operator;
CREATE ROLE regress_issuer_member LOGIN;
GRANT aegis_member TO regress_issuer_member;
CREATE ROLE regress_issuer_agent LOGIN;
GRANT aegis_agent TO regress_issuer_agent;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT aegis.create_tenant('regress-issuer', 'Regress Issuer') AS tenant, aegis.create_tenant('regress-issuer-2', 'Other') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('alice@example.test', 'Alice', 4::smallint, NULL, 'plum quartz lantern 48 river') AS alice,
       aegis.create_user('bob@example.test', 'Bob', 2::smallint, NULL, 'plum quartz lantern 49 river') AS bob \gset
COMMIT;

\getenv folder PG_ABS_SRCDIR
\set maker :folder '/tests/independent/issuer_tokens.py'
\set made `python3 :'maker'`
CREATE SCHEMA t_issuer;
CREATE TABLE t_issuer.made AS SELECT key AS name, value AS text FROM jsonb_each_text(:'made');
GRANT USAGE ON SCHEMA t_issuer TO PUBLIC;
GRANT SELECT ON t_issuer.made TO PUBLIC;
CREATE FUNCTION t_issuer.text_of(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT m.text FROM t_issuer.made m WHERE m.name = text_of.name $$;
CREATE FUNCTION t_issuer.who(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'rank', aegis.rank(), 'user', aegis.user_id(), 'session', aegis.session_id(),
    'tenant', aegis.tenant_id()));
END $$;
GRANT EXECUTE ON FUNCTION t_issuer.who TO aegis_member;
SELECT aegis.register_route('GET', '/t/issuer', 't_issuer.who(aegis.request)'),
       aegis.register_route('GET', '/t/issuer-admin', 't_issuer.who(aegis.request)', 4::smallint),
       aegis.register_route('GET', '/t/issuer-session', 't_issuer.who(aegis.request)', credentials => '{session}'),
       aegis.register_route('GET', '/t/issuer-fresh', 't_issuer.who(aegis.request)', step_up => '5 min');
-- The gateway's login reads no table: the tokens are variables of psql's.
SELECT t_issuer.text_of('good') AS good, t_issuer.text_of('again') AS again, t_issuer.text_of('reader') AS reader, t_issuer.text_of('second') AS second,
       t_issuer.text_of('third') AS third, t_issuer.text_of('fourth') AS fourth, t_issuer.text_of('rotated') AS rotated, t_issuer.text_of('mfa') AS mfa,
       t_issuer.text_of('bob') AS bob_token, t_issuer.text_of('bob_fresh') AS bob_fresh, t_issuer.text_of('clerk_1') AS clerk_1,
       t_issuer.text_of('clerk_2') AS clerk_2, t_issuer.text_of('unknown_kid') AS unknown_kid, t_issuer.text_of('no_role') AS no_role \gset
CREATE ROLE regress_issuer_caller LOGIN;
GRANT USAGE ON SCHEMA aegis, t_issuer TO regress_issuer_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_issuer_caller;
CREATE FUNCTION t_issuer.problem(body bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substring(convert_from(body, 'UTF8') FROM 'urn:aegis:problem:([a-z-]+)') $$;
CREATE FUNCTION t_issuer.bearer(token text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY['authorization', 'Bearer ' || token] $$;
\set send 'SELECT status, t_issuer.problem(body) AS problem, convert_from(body, $$UTF8$$)::jsonb -> $$rank$$ AS rank, convert_from(body, $$UTF8$$)::jsonb ->> $$user$$ AS user_id FROM aegis.handle($$GET$$, :''target'', t_issuer.bearer(:''token''), NULL, $$127.0.0.1$$, $$r-1$$)'

-- allows: registering issuers
\c - regress_issuer_operator
SELECT aegis.register_destination('regress-idp', 'https://issuer.example.test');
SELECT aegis.register_issuer('idp', 'https://issuer.example.test', audiences => '{aegis-api}', destination => 'regress-idp', jwks_path => '/jwks',
         organisation_claim => '{org}', role_claim => '{roles}', refresh => '1 hour');
SELECT aegis.register_issuer('other', 'https://other.example.test', audiences => '{aegis-api}', organisation_claim => '{org}', role_claim => '{roles}');
SELECT aegis.register_issuer('clerk', 'https://clerk.example.test', 'clerk', parties => '{https://app.example.test}');
SELECT name, preset, types, audiences, parties, keys, asked_at IS NOT NULL AS asked, fetched_at, fetching FROM aegis.issuers ORDER BY name;
-- refuses: what cannot be an issuer
SELECT aegis.register_issuer('Idp', 'https://a.example.test', audiences => '{a}');
SELECT aegis.register_issuer('a', 'http://a.example.test', audiences => '{a}');
SELECT aegis.register_issuer('a', 'https://a.example.test/?x=1', audiences => '{a}');
SELECT aegis.register_issuer('a', 'https://a.example.test', 'saml', audiences => '{a}');
SELECT aegis.register_issuer('a', 'https://a.example.test');
SELECT aegis.register_issuer('a', 'https://a.example.test', 'clerk', audiences => '{a}');
SELECT aegis.register_issuer('a', 'https://a.example.test', 'clerk', parties => '{a}', role_claim => '{roles}');
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a,NULL}');
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a}', types => '{}');
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a}', skew => '61 s');
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a}', destination => 'nowhere');
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a}', destination => 'regress-idp', jwks_path => '/../x');
SELECT aegis.register_issuer('idp', 'https://a.example.test', audiences => '{a}');
SELECT aegis.register_issuer('a', 'https://issuer.example.test', audiences => '{a}');
SELECT aegis.set_issuer('idp', audiences => '{}');
SELECT aegis.set_issuer('nobody', audiences => '{a}');
SELECT aegis.map_issuer_tenant('nobody', 'acme', :'tenant');
SELECT aegis.map_issuer_tenant('idp', 'acme', '00000000-0000-0000-0000-000000000001');
SELECT aegis.map_issuer_role('idp', 'boss', 5::smallint);
SELECT aegis.map_issuer_role('idp', '', 1::smallint);
SELECT aegis.pin_issuer_key('other', t_issuer.text_of('jwk_private'));
SELECT aegis.pin_issuer_key('other', t_issuer.text_of('jwk_small'));
SELECT aegis.pin_issuer_key('other', '{"kty": "oct", "kid": "a", "k": "AAAA"}');
SELECT aegis.drop_issuer_key('other', 'rsa-1');
SELECT aegis.retire_issuer('other', ' ');
-- refuses: the tables, and what is for Aegis alone
SELECT * FROM aegis.issuer_key;
SELECT aegis.ask_jwks(:'tenant');
SELECT aegis.take_jwks(NULL, NULL, NULL);
\c - regress_issuer_member
SELECT aegis.register_issuer('a', 'https://a.example.test', audiences => '{a}');
SELECT aegis.map_issuer_role('idp', 'boss', 4::smallint);

-- allows: what claims stand for
\c - regress_issuer_operator
SELECT aegis.map_issuer_tenant('idp', 'acme', :'tenant'), aegis.map_issuer_tenant('clerk', 'org_9', :'tenant'), aegis.map_issuer_tenant('idp', 'globex', :'other');
SELECT aegis.map_issuer_role('idp', 'boss', 3::smallint), aegis.map_issuer_role('idp', 'reader', 1::smallint), aegis.map_issuer_role('clerk', 'admin', 4::smallint);
SELECT name, kind, claim, tenant_id = :'tenant' AS ours, rank FROM aegis.issuer_mappings ORDER BY 1, 2, 3;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'link', 'T-2', read_only => false);
SELECT aegis.link_issuer_user('idp', 'alice', :'alice'), aegis.link_issuer_user('clerk', 'user_1', :'alice'), aegis.link_issuer_user('idp', 'bob', :'bob');
-- refuses: a subject twice, an issuer that no operator gave the tenant, somebody else's user
SAVEPOINT a;
SELECT aegis.link_issuer_user('idp', 'alice', :'bob');
ROLLBACK TO a;
SELECT aegis.link_issuer_user('other', 'alice', :'alice');
ROLLBACK TO a;
SELECT aegis.link_issuer_user('idp', 'carol', '00000000-0000-0000-0000-000000000001');
ROLLBACK TO a;
SELECT aegis.unlink_issuer_user('idp', 'carol');
ROLLBACK TO a;
COMMIT;

-- allows: a client at an issuer, with a key whose private part nobody reads; refuses: what cannot be one
SELECT aegis.set_issuer_client('idp', 'Example', 'app', 'https://issuer.example.test/auth', '/token', 'https://aegis.example.test/login') - '{x,y,kid}'::text[] AS key;
SELECT aegis.issuer_buttons(), jsonb_array_length(aegis.client_jwks() -> 'keys') AS keys;
SELECT aegis.set_issuer_client('nobody', 'Example', 'app', 'https://issuer.example.test/auth', '/token', 'https://aegis.example.test/login');
SELECT aegis.set_issuer_client('other', 'Example', 'app', 'https://issuer.example.test/auth', '/token', 'https://aegis.example.test/login');
SELECT aegis.set_issuer_client('idp', 'Example', 'app', 'http://issuer.example.test/auth', '/token', 'https://aegis.example.test/login');
SELECT aegis.set_issuer_client('idp', 'Example', 'app', 'https://issuer.example.test/auth?a=b', '/token', 'https://aegis.example.test/login');
SELECT aegis.set_issuer_client('idp', 'Example', 'a"b', 'https://issuer.example.test/auth', '/token', 'https://aegis.example.test/login');
SELECT aegis.set_issuer_client('idp', 'Example', 'app', 'https://issuer.example.test/auth', '/../token', 'https://aegis.example.test/login');
SELECT private_key FROM aegis.issuer_client;
SELECT aegis.make_client_key(:'tenant');
-- refuses: to begin at an issuer that is none; to bring back what this browser was not sent for
\c - regress_issuer_caller
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer', '{content-type,application/json}', '{"issuer": "nobody"}', '127.0.0.1', 'r-8');
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer', '{content-type,application/json,origin,https://evil.example.test}', '{"issuer": "idp"}', '127.0.0.1', 'r-8');
SELECT status, convert_from(body, 'UTF8')::jsonb ->> 'url' AS url, substring(array_to_string(headers, ' ') FROM '__Host-aegis-sign-in=[^;]+') AS cookie
  FROM aegis.handle('POST', '/api/session/issuer', '{content-type,application/json}', '{"issuer": "idp"}', '127.0.0.1', 'r-8') \gset begun_
SELECT :'begun_status' AS status, regexp_replace(:'begun_url', '=[A-Za-z0-9_-]{43}(&|$)|[.][A-Za-z0-9_-]{43}&', '=…\1', 'g') AS url;
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer/result', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'], '{}', '127.0.0.1', 'r-8');
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer/code', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'],
  '{"code": "c", "state": "idp.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', '127.0.0.1', 'r-8');
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer/code', '{content-type,application/json}',
  convert_to(jsonb_build_object('code', 'c', 'state', substring(:'begun_url' FROM 'state=([^&]+)'))::text, 'UTF8'), '127.0.0.1', 'r-8');
-- allows: a code, whose exchange the agent is given; refuses: the same once more
SELECT status, convert_from(body, 'UTF8') AS body FROM aegis.handle('POST', '/api/session/issuer/code', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'],
  convert_to(jsonb_build_object('code', 'c & d', 'state', substring(:'begun_url' FROM 'state=([^&]+)'))::text, 'UTF8'), '127.0.0.1', 'r-8');
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer/code', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'],
  convert_to(jsonb_build_object('code', 'c & d', 'state', substring(:'begun_url' FROM 'state=([^&]+)'))::text, 'UTF8'), '127.0.0.1', 'r-8');
SELECT status, convert_from(body, 'UTF8') AS body FROM aegis.handle('POST', '/api/session/issuer/result', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'], '{}', '127.0.0.1', 'r-8');
\c - regress_issuer_agent
SELECT id, lease, convert_from(payload, 'UTF8')::jsonb AS payload FROM aegis.claim_outbound('{issuer_code}', 10) \gset job_
SELECT :'job_payload'::jsonb - 'body' AS payload,
       regexp_replace(convert_from(decode(:'job_payload'::jsonb ->> 'body', 'base64'), 'UTF8'), '(code_verifier|client_assertion)=[A-Za-z0-9_.-]+', '\1=…', 'g') AS body;
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(jsonb_build_object('id_token', t_issuer.text_of('id_token'))::text, 'UTF8'), '{"status": 200}');
\c - regress_issuer_caller
SELECT status, t_issuer.problem(body) FROM aegis.handle('POST', '/api/session/issuer/result', ARRAY['content-type', 'application/json', 'cookie', :'begun_cookie'], '{}', '127.0.0.1', 'r-8');

-- refuses: codes without end, each of which would keep the agent busy: a network has as many as it may fail to sign in
SELECT convert_from(body, 'UTF8')::jsonb ->> 'url' AS url, substring(array_to_string(headers, ' ') FROM '__Host-aegis-sign-in=[^;]+') AS cookie
  FROM aegis.handle('POST', '/api/session/issuer', '{content-type,application/json}', '{"issuer": "idp"}', '127.0.0.1', 'r-8') \gset more_
SELECT count(*) FILTER (WHERE h.status = 202) AS taken, (array_agg(h.status ORDER BY t.n DESC))[1] AS last
  FROM (SELECT n, CASE n WHEN 70 THEN :'more_cookie' ELSE :'begun_cookie' END AS cookie, CASE n WHEN 70 THEN :'more_url' ELSE :'begun_url' END AS url
          FROM generate_series(1, 70) n) t,
       LATERAL aegis.handle('POST', '/api/session/issuer/code', ARRAY['content-type', 'application/json', 'cookie', t.cookie],
         convert_to(jsonb_build_object('code', 'c', 'state', substring(t.url FROM 'state=([^&]+)'))::text, 'UTF8'), '203.0.113.9', 'r-' || t.n) h;
-- allows: another network
SELECT h.status FROM aegis.handle('POST', '/api/session/issuer/code', ARRAY['content-type', 'application/json', 'cookie', :'more_cookie'],
  convert_to(jsonb_build_object('code', 'c', 'state', substring(:'more_url' FROM 'state=([^&]+)'))::text, 'UTF8'), '198.51.100.9', 'r-8') h;
\c - :superuser
UPDATE aegis.outbox SET state = 'cancelled', lease = NULL, payload = NULL, finished_at = now() WHERE kind = 'issuer_code' AND finished_at IS NULL;
DELETE FROM aegis.issuer_attempt;

-- refuses: a token whose key nobody has fetched yet
\c - regress_issuer_caller
\set target /t/issuer
\set token :good
:send;

-- allows: the agent fetches the keys, which are recorded; the next look is queued
\c - regress_issuer_agent
SELECT id, lease, kind, url, convert_from(payload, 'UTF8')::jsonb - 'headers' AS payload FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT :'job_kind' AS kind, :'job_url' AS url, :'job_payload' AS payload;
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_1'), 'UTF8'), '{"status": 200}');
SELECT * FROM aegis.claim_outbound('{jwks}', 10);
\c - regress_issuer_operator
SELECT name, kid, algorithm, pinned, expires_at - now() BETWEEN '23 h' AND '1 day' AS for_a_day FROM aegis.issuer_keys;
SELECT keys, fetched_at IS NOT NULL AS fetched, fetching FROM aegis.issuers WHERE name = 'idp';

-- allows: the token, with the lower one of two ranks, and the session that it stands for
\c - regress_issuer_caller
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank, :'a_user_id' = :'alice' AS is_alice;
\set token :again
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank;
\set token :reader
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank;
\set token :bob_token
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank, :'a_user_id' = :'bob' AS is_bob;
\set token :good
\set target /api/session
SELECT status FROM aegis.handle('GET', :'target', t_issuer.bearer(:'token'), NULL, '127.0.0.1', 'r-1');
-- refuses: a route above the rank, one that wants another kind, and one that wants a fresh confirmation
\set target /t/issuer-admin
:send;
\set target /t/issuer-session
:send;
\set target /t/issuer-fresh
:send;
\set target /t/issuer
\c - :superuser
SELECT s.user_id = :'alice' AS of_alice, i.name, s.ended_at IS NULL AS live, s.confirmed_at < now() - interval '1 year' AS never_confirmed
  FROM aegis.session s JOIN aegis.issuer i ON i.id = s.issuer_id ORDER BY 1;

-- refuses: everything that the issuer did not sign, or not for us, in one word
CREATE TABLE t_issuer.answer (name text, status integer, problem text, challenge text);
GRANT INSERT ON t_issuer.answer TO PUBLIC;
-- The tokens differ each time.
\set ECHO none
SELECT format($$INSERT INTO t_issuer.answer SELECT %L, h.status, t_issuer.problem(h.body), h.headers[array_position(h.headers, 'www-authenticate') + 1]
                  FROM aegis.handle('GET', '/t/issuer', t_issuer.bearer(%L), NULL, '127.0.0.1', 'r-2') h;$$, m.name, m.text)
  FROM t_issuer.made m
 WHERE m.name NOT LIKE 'jwk%' AND m.name NOT LIKE 'clerk%' AND m.name NOT IN ('good', 'again', 'reader', 'second', 'third', 'fourth', 'rotated', 'mfa', 'bob', 'bob_fresh')
 ORDER BY m.name \gexec
\set ECHO all
SELECT name, status, problem, challenge FROM t_issuer.answer ORDER BY name COLLATE "C";
-- survives: each refusal is an entry, written by the worker, with a word that the answer does not have
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT count(DISTINCT (detail ->> 'detail', outcome)) >= 17 FROM aegis.audit_log WHERE event = 'auth.token_refused');
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT DISTINCT detail ->> 'detail' AS word, outcome FROM aegis.audit_log WHERE event = 'auth.token_refused' ORDER BY 1;

-- allows: the newest sid, which ends the session before; its older tab is told why, also with a fresh token
\c - regress_issuer_caller
\set token :second
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank;
\set token :good
:send;
\set token :again
:send;
-- allows: a sign-in with a password ends it, and a new sid ends that
SELECT status, substring(array_to_string(headers, ' ') FROM '__Host-aegis=([^;]+)') AS cookie
  FROM aegis.handle('POST', '/api/session', '{content-type,application/json}', convert_to('{"tenant": "regress-issuer", "email": "alice@example.test", "password": "plum quartz lantern 48 river"}', 'UTF8'), '127.0.0.1', 'r-3') \gset p_
SELECT :'p_status' AS status;
\set token :second
:send;
\set token :third
:send \gset a_
SELECT :'a_status' AS status;
SELECT status, t_issuer.problem(body) FROM aegis.handle('GET', '/t/issuer', ARRAY['cookie', '__Host-aegis=' || :'p_cookie'], NULL, '127.0.0.1', 'r-4');
-- allows: signing out; refuses: the token afterwards
SELECT status FROM aegis.handle('DELETE', '/api/session', t_issuer.bearer(:'third'), NULL, '127.0.0.1', 'r-5');
:send;
-- survives: the row of the ended session stays, so that the sid does not come to life again
\c - :superuser
UPDATE aegis.session SET created_at = created_at - interval '3 months', expires_at = expires_at - interval '3 months' WHERE user_id = :'alice' AND issuer_id IS NOT NULL;
SELECT aegis.expire_sessions(1000) IS NOT NULL AS swept;
\c - regress_issuer_caller
:send;
\set token :good
:send;

-- allows: both versions of Clerk's tokens, which are one session; refuses: those without a session, for others, or pending
\set token :clerk_1
:send;
\c - :superuser
SELECT aegis.pin_issuer_key('clerk', t_issuer.text_of('jwk_pin')) AS thumbprint;
\c - regress_issuer_caller
\set token :clerk_1
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank, :'a_user_id' = :'alice' AS is_alice;
\set token :clerk_2
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank;
-- version 2 says when a factor was shown
\set target /t/issuer-fresh
:send \gset a_
SELECT :'a_status' AS status;
\set target /t/issuer
\c - :superuser
SELECT count(*) AS sessions FROM aegis.session s JOIN aegis.issuer i ON i.id = s.issuer_id WHERE i.name = 'clerk';
TRUNCATE t_issuer.answer;
-- The tokens differ each time.
\set ECHO none
SELECT format($$INSERT INTO t_issuer.answer SELECT %L, h.status, t_issuer.problem(h.body) FROM aegis.handle('GET', '/t/issuer', t_issuer.bearer(%L), NULL, '127.0.0.1', 'r-6') h;$$, m.name, m.text)
  FROM t_issuer.made m WHERE m.name LIKE 'clerk_%' AND m.name NOT IN ('clerk_1', 'clerk_2') ORDER BY m.name \gexec
\set ECHO all
SELECT name, status, problem FROM t_issuer.answer ORDER BY name COLLATE "C";

-- allows: an unknown key asks for one look; refuses: a second one soon after
SELECT asked_at AS asked FROM aegis.issuers WHERE name = 'idp' \gset
\c - regress_issuer_caller
\set token :unknown_kid
:send;
\c - :superuser
SELECT asked_at = :'asked' AS not_asked_again FROM aegis.issuers WHERE name = 'idp';
UPDATE aegis.issuer_fetch f SET asked_at = f.asked_at - interval '2 hours' FROM aegis.issuer i WHERE i.id = f.issuer_id AND i.name = 'idp';
\c - regress_issuer_caller
:send;
:send;
\c - :superuser
SELECT asked_at > now() - interval '1 minute' AS asked FROM aegis.issuers WHERE name = 'idp';

-- allows: rotation: the new key counts beside the old one, then alone; a set that is none changes nothing
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_empty'), 'UTF8'), '{"status": 200}');
\c - :superuser
UPDATE aegis.outbox SET not_before = now() WHERE kind = 'jwks' AND state = 'waiting';
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_twice'), 'UTF8'), '{"status": 200}');
\c - :superuser
SELECT fetching, fault FROM aegis.issuers WHERE name = 'idp';
UPDATE aegis.outbox SET not_before = now() WHERE kind = 'jwks' AND state = 'waiting';
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_2'), 'UTF8'), '{"status": 200}');
\c - regress_issuer_caller
\set token :fourth
:send \gset a_
SELECT :'a_status' AS status;
\c - :superuser
UPDATE aegis.outbox SET not_before = now() WHERE kind = 'jwks' AND state = 'waiting';
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_3'), 'UTF8'), '{"status": 200}');
\c - regress_issuer_caller
:send;
\set token :rotated
:send \gset a_
SELECT :'a_status' AS status;
\c - :superuser
SELECT kid, pinned FROM aegis.issuer_keys WHERE name = 'idp';
-- refuses: a key whose bytes the issuer changed under its id; recorded as such
\c - :superuser
UPDATE aegis.outbox SET not_before = now() WHERE kind = 'jwks' AND state = 'waiting';
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_other'), 'UTF8'), '{"status": 200}');
\c - regress_issuer_caller
:send;
\c - :superuser
-- refuses: a key that was not seen for its lifetime
UPDATE aegis.issuer_key k SET expires_at = now() FROM aegis.issuer i WHERE i.id = k.issuer_id AND i.name = 'idp';
\c - regress_issuer_caller
:send;
-- allows: a pinned key, which no answer replaces
\c - regress_issuer_operator
SELECT aegis.pin_issuer_key('idp', replace(t_issuer.text_of('jwk_pin'), 'rsa-1', 'rsa-2')) AS thumbprint;
\c - :superuser
UPDATE aegis.outbox SET not_before = now() WHERE kind = 'jwks' AND state = 'waiting';
\c - regress_issuer_agent
SELECT id, lease FROM aegis.claim_outbound('{jwks}', 10) \gset job_
SELECT aegis.finish_outbound(:job_id, :'job_lease', 'delivered', convert_to(t_issuer.text_of('jwks_other'), 'UTF8'), '{"status": 200}');
\c - regress_issuer_operator
SELECT kid, algorithm, pinned FROM aegis.issuer_keys WHERE name = 'idp';
SELECT aegis.drop_issuer_key('idp', 'rsa-2');
SELECT aegis.pin_issuer_key('idp', t_issuer.text_of('jwk_pin')) AS thumbprint;

-- refuses: a rank that wants a second factor, unless the issuer saw one; then its confirmation counts as well
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'policy', 'T-3', read_only => false);
SELECT aegis.require_second_factor(4::smallint);
COMMIT;
\c - :superuser
DELETE FROM aegis.session WHERE user_id = :'alice';
\c - regress_issuer_caller
\set token :fourth
SELECT status, t_issuer.problem(body) AS problem, headers[array_position(headers, 'www-authenticate') + 1] AS challenge
  FROM aegis.handle('GET', '/t/issuer', t_issuer.bearer(:'token'), NULL, '127.0.0.1', 'r-7');
\set token :mfa
\set target /t/issuer-fresh
:send \gset a_
SELECT :'a_status' AS status, :'a_rank' AS rank;
\set target /t/issuer

-- refuses: a user who was deactivated or unlinked, a tenant that was suspended, an issuer that was retired
\c - regress_issuer_operator
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'leave', 'T-4', read_only => false);
SELECT aegis.deactivate_user(:'bob');
SELECT aegis.unlink_issuer_user('idp', 'alice');
COMMIT;
\c - regress_issuer_caller
:send;
\set token :bob_token
:send;
\set token :bob_fresh
:send;
\c - regress_issuer_operator
SELECT aegis.suspend_tenant(:'tenant', 'test');
\c - regress_issuer_caller
\set token :clerk_1
:send;
\c - regress_issuer_operator
SELECT aegis.reactivate_tenant(:'tenant', 'test');
SELECT aegis.map_issuer_tenant('clerk', 'org_9', NULL);
SELECT aegis.set_issuer('clerk', parties => '{https://app.example.test,https://shop.example.test}');
SELECT aegis.retire_issuer('clerk', 'test');
SELECT aegis.retire_issuer('idp', 'test');
\c - regress_issuer_caller
:send;
-- allows: an address whose issuer was retired may be registered anew
\c - regress_issuer_operator
SELECT aegis.register_issuer('idp', 'https://issuer.example.test', audiences => '{aegis-api}');
SELECT aegis.retire_issuer('idp', 'test');

-- survives: every decision is recorded, and the ledger holds
\c - :superuser
SELECT event, CASE target_id WHEN :'alice' THEN 'alice' WHEN :'bob' THEN 'bob' ELSE target_id END AS target, CASE event WHEN 'issuer.client_set' THEN detail - 'kid' ELSE detail - 'thumbprint' END AS detail FROM aegis.audit_log WHERE event LIKE 'issuer.%' ORDER BY seq;
SELECT event, count(*) FROM aegis.audit_log WHERE event IN ('auth.sign_in', 'auth.session_superseded', 'auth.sign_out') AND tenant_id = :'tenant' GROUP BY 1 ORDER BY 1;
SELECT aegis.retire_issuer('other', 'test');
SELECT aegis.drop_route('GET', r.path) FROM aegis.route r WHERE r.path LIKE '/t/issuer%' ORDER BY r.path;
DROP OWNED BY regress_issuer_caller;
DROP SCHEMA t_issuer CASCADE;
DROP ROLE regress_issuer_operator, regress_issuer_member, regress_issuer_agent, regress_issuer_caller;
