-- One statement answers one request: the database itself verifies the caller, fixes the context and
-- runs the handler with a member's rights; nothing that a client or the gateway says changes who asks.
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
CREATE ROLE regress_handle_gateway LOGIN;
GRANT aegis_gateway TO regress_handle_gateway;
CREATE FUNCTION public.regress_events(tenant uuid, VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE e.tenant_id IS NOT DISTINCT FROM tenant
     AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
SELECT aegis.create_tenant('regress-handle', 'Regress Handle') AS tenant, aegis.create_tenant('regress-handle-2', 'Other') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, NULL, 'plum quartz lantern 47 river') AS uli \gset
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS other_ada \gset
COMMIT;

CREATE SCHEMA regress_handle;
GRANT USAGE ON SCHEMA regress_handle TO aegis_member;
CREATE TABLE regress_handle.note (
  tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id uuid NOT NULL DEFAULT gen_random_uuid(), body text NOT NULL CHECK (body <> 'bad'),
  PRIMARY KEY (tenant_id, id), CONSTRAINT note_body UNIQUE (tenant_id, body) DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE regress_handle.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE regress_handle.note FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON regress_handle.note USING (tenant_id = aegis.tenant_id()) WITH CHECK (tenant_id = aegis.tenant_id());
GRANT SELECT, INSERT (body) ON regress_handle.note TO aegis_member;
CREATE FUNCTION regress_handle.echo(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN ROW(200, jsonb_build_object('etag', '"1"'),
             jsonb_build_object('method', request.method, 'path', request.path, 'params', request.params, 'query', request.query,
                                'headers', request.headers, 'body', request.body, 'raw', convert_from(request.raw, 'UTF8')), NULL::bytea);
END $$;
CREATE FUNCTION regress_handle.who(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_object('user', current_user, 'rank', aegis.rank(), 'request', aegis.request_id(), 'ip', aegis.client_ip(),
             'tenant', aegis.tenant_id(), 'search_path', current_setting('search_path'), 'read_only', current_setting('transaction_read_only')));
END $$;
CREATE FUNCTION regress_handle.list(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, (SELECT jsonb_agg(n.body ORDER BY n.body) FROM regress_handle.note n));
END $$;
CREATE FUNCTION regress_handle.add(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO regress_handle.note (body) VALUES (request.body ->> 'body');
  RETURN aegis.respond(201, headers => jsonb_build_object('location', '/regress/handle/note'));
END $$;
CREATE FUNCTION regress_handle.peek(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.record('regress.peeked', 'note', 'all', 'denied') FROM generate_series(1, coalesce((request.query ->> 'times')::int, 1));
  IF request.query ? 'fails' THEN RAISE EXCEPTION 'nothing is shown'; END IF;
  RETURN aegis.respond(200, '"seen"');
END $$;
CREATE FUNCTION regress_handle.poison(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL bytea_output = 'escape';
  SET LOCAL search_path = regress_handle;
  SET client_min_messages = error;
  RESET timezone;
  RETURN aegis.respond(200, to_jsonb('\x41'::bytea::text));
END $$;
SELECT aegis.declare_event('regress.noted', 'a note was made', '{}'), aegis.declare_event('regress.seen', 'notes were read', '{}'), aegis.declare_event('regress.peeked', 'a handler says so', '{}'), aegis.declare_event('regress.kept', 'nobody of the tenant reads it', '{}', withheld => true);
SELECT aegis.register_route('GET', '/regress/handle/echo/{one}/{two}', 'regress_handle.echo(aegis.request)'),
       aegis.register_route('POST', '/regress/handle/echo', 'regress_handle.echo(aegis.request)', body_limit => 100),
       aegis.register_route('GET', '/regress/handle/public', 'regress_handle.who(aegis.request)', public => true),
       aegis.register_route('GET', '/regress/handle/who', 'regress_handle.who(aegis.request)'),
       aegis.register_route('POST', '/regress/handle/who', 'regress_handle.who(aegis.request)'),
       aegis.register_route('GET', '/regress/handle/admin', 'regress_handle.who(aegis.request)', 4::smallint),
       aegis.register_route('GET', '/regress/handle/note', 'regress_handle.list(aegis.request)'),
       aegis.register_route('POST', '/regress/handle/note', 'regress_handle.add(aegis.request)', event => 'regress.noted'),
       aegis.register_route('GET', '/regress/handle/seen', 'regress_handle.list(aegis.request)', event => 'regress.seen'),
       aegis.register_route('GET', '/regress/handle/peek', 'regress_handle.peek(aegis.request)'),
       aegis.register_route('GET', '/regress/handle/kept', 'regress_handle.list(aegis.request)', event => 'regress.kept'),
       aegis.register_route('GET', '/regress/handle/poison', 'regress_handle.poison(aegis.request)', public => true),
       aegis.register_route('GET', '/regress/handle/write', 'regress_handle.add(aegis.request)');

\c - regress_handle_gateway
\set ask 'SELECT h.status, h.headers, encode(h.body, ''escape'') AS body FROM aegis.handle('
\set json 'decode('
\set peer ', ''escape''), ''198.51.100.7'', ''r-1'') h'
\set nobody ', NULL, ''198.51.100.7'', ''r-1'') h'

-- allows: signing in; the token travels in the cookie, in the body only when asked for
SELECT h.status, h.headers[1:2] AS type, h.headers[3] AS name, h.headers[4] LIKE '\_\_Host-aegis=ags1\_%; Path=/; Secure; HttpOnly; SameSite=Lax' AS cookie,
       h.headers[5:] AS more, encode(h.body, 'escape') LIKE '{"expires_at": "20%+00:00", "user": {"id": "%", "rank": 4}, "tenant": {"id": "%", "slug": "regress-handle", "name": "Regress Handle"}}' AS body
  FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
                    decode('{"tenant": "regress-handle", "email": "ada@example.test", "password": "plum quartz lantern 47 river"}', 'escape'),
                    '198.51.100.7', 'r-1') h;
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS ada_token FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json; charset=utf-8'],
  decode('{"tenant": "regress-handle", "email": "ada@example.test", "password": "plum quartz lantern 47 river", "token": true}', 'escape'), '198.51.100.7', 'r-1') h \gset
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS uli_token FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
  decode('{"tenant": "regress-handle", "email": "uli@example.test", "password": "plum quartz lantern 47 river", "token": true}', 'escape'), '198.51.100.7', 'r-1') h \gset
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS other_token FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
  decode('{"tenant": "regress-handle-2", "email": "ada@example.test", "password": "plum quartz lantern 47 river", "token": true}', 'escape'), '198.51.100.7', 'r-1') h \gset
-- refuses: wrong ones with one answer
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json'], :json '{"tenant": "regress-handle", "email": "ada@example.test", "password": "wrong"}' :peer;
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json'], :json '{"tenant": "regress-nowhere", "email": "eve@example.test", "password": "wrong"}' :peer;
-- refuses: a sign-in that another site's page makes, other types, other shapes
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json', 'host', 'a.test', 'origin', 'https://b.test'], :json '{}' :peer;
:ask 'POST', '/api/session', ARRAY['content-type', 'text/plain'], :json '{}' :peer;
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json'], :json '[]' :peer;
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json'], :json '{"tenant": 1}' :peer;
:ask 'POST', '/api/session', ARRAY['content-type', 'application/json'], :json repeat(' ', 5000) :peer;
:ask 'PUT', '/api/session', ARRAY['content-type', 'application/json'], :json '{}' :peer;

-- allows: what a handler is given, and what it may answer
:ask 'GET', '/regress/handle/echo/a%20b/%C3%A9?x=1&y=a+b%26c', ARRAY['authorization', 'Bearer ' || :'ada_token', 'accept', 'application/json', 'x-secret', 'no'] :nobody;
:ask 'POST', '/regress/handle/echo', ARRAY['Authorization', 'Bearer ' || :'ada_token', 'Content-Type', 'application/json'], :json ' {"a": [1, null]} ' :peer;
:ask 'HEAD', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
-- allows: handlers run as aegis_member with a pinned search_path, GET read-only
SELECT (b - 'tenant') AS answer, b ->> 'tenant' = :'tenant' AS own_tenant FROM (SELECT encode(h.body, 'escape')::jsonb FROM
  aegis.handle('GET', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody) AS r(b);
SELECT (b - 'tenant') AS answer FROM (SELECT encode(h.body, 'escape')::jsonb FROM
  aegis.handle('POST', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody) AS r(b);
:ask 'GET', '/regress/handle/public', NULL :nobody;
-- survives: a handler that changes settings of the session; the next request finds them as before
:ask 'GET', '/regress/handle/poison', NULL :nobody;
SELECT '\x41'::bytea AS as_before;

-- allows: settings of a handler's own, which hold while it runs, also when a process that has run it learns of them
\c - :superuser
SET client_min_messages = warning;
CREATE FUNCTION regress_handle.settings(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_array(current_setting('search_path'), current_setting('bytea_output'), current_user));
END $$;
GRANT EXECUTE ON FUNCTION regress_handle.settings(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/regress/handle/settings', 'regress_handle.settings(aegis.request)', public => true);
\set settings 'SELECT h.status, encode(h.body, ''escape'') AS body FROM aegis.handle(''GET'', ''/regress/handle/settings'', NULL, NULL, ''198.51.100.7'', ''r-1'') h;'
:settings
ALTER FUNCTION regress_handle.settings(aegis.request) SET bytea_output = 'escape';
:settings
ALTER FUNCTION regress_handle.settings(aegis.request) RESET bytea_output;
ALTER FUNCTION regress_handle.settings(aegis.request) SET search_path = pg_temp, pg_catalog;
:settings
ALTER FUNCTION regress_handle.settings(aegis.request) RESET ALL;
:settings
ALTER FUNCTION regress_handle.settings(aegis.request) SET search_path = pg_catalog, pg_temp;
:settings
-- its calls are counted like others
SET track_functions = 'pl';
:settings
SELECT pg_stat_force_next_flush();
SELECT pg_stat_get_function_calls('regress_handle.settings(aegis.request)'::regprocedure) AS calls;
RESET track_functions;
-- survives: a handler that leaves another search_path to the constraints that wait for its end
CREATE FUNCTION regress_handle.path_is_pinned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('search_path') <> 'pg_catalog, pg_temp' THEN RAISE EXCEPTION 'search_path is "%"', current_setting('search_path'); END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER pinned AFTER INSERT ON regress_handle.note DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_handle.path_is_pinned();
CREATE FUNCTION regress_handle.leave_path(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO regress_handle.note (body) VALUES ('of another path');
  SET LOCAL search_path = pg_temp;
  RETURN aegis.respond(200);
END $$;
GRANT EXECUTE ON FUNCTION regress_handle.leave_path(aegis.request) TO aegis_member;
SELECT aegis.register_route('POST', '/regress/handle/path', 'regress_handle.leave_path(aegis.request)');
\c - regress_handle_gateway
:ask 'POST', '/regress/handle/path', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
\c - :superuser
SET client_min_messages = warning;
DELETE FROM regress_handle.note WHERE body = 'of another path';
-- also where the connection has the handlers' search_path, so that the handler's SET is the first one
ALTER ROLE regress_handle_gateway SET search_path = pg_catalog, pg_temp;
SELECT unnest(setconfig) AS of_the_connection FROM pg_db_role_setting WHERE setrole = 'regress_handle_gateway'::regrole;
\c - regress_handle_gateway
:ask 'POST', '/regress/handle/path', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
\c - :superuser
SET client_min_messages = warning;
ALTER ROLE regress_handle_gateway RESET search_path;
DELETE FROM regress_handle.note WHERE body = 'of another path';
DROP TRIGGER pinned ON regress_handle.note;
SELECT aegis.drop_route('POST', '/regress/handle/path'), aegis.drop_route('GET', '/regress/handle/settings');
\c - regress_handle_gateway

-- refuses: forged tenants, users and ranks change nothing
SELECT (b - 'tenant') AS answer, b ->> 'tenant' = :'tenant' AS own_tenant FROM (SELECT encode(h.body, 'escape')::jsonb FROM
  aegis.handle('GET', '/regress/handle/who?tenant_id=' || :'other', ARRAY['authorization', 'Bearer ' || :'uli_token', 'x-tenant-id', :'other', 'x-aegis-rank', '4', 'x-forwarded-for', '9.9.9.9'] :nobody) AS r(b);

-- allows: writing, and reading by one's own tenant only
:ask 'POST', '/regress/handle/note', ARRAY['authorization', 'Bearer ' || :'ada_token', 'content-type', 'application/json'], :json '{"body": "first"}' :peer;
:ask 'POST', '/regress/handle/note', ARRAY['authorization', 'Bearer ' || :'other_token', 'content-type', 'application/json'], :json '{"body": "other"}' :peer;
:ask 'GET', '/regress/handle/note', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
:ask 'GET', '/regress/handle/note', ARRAY['authorization', 'Bearer ' || :'other_token'] :nobody;
:ask 'GET', '/regress/handle/kept', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
-- refuses: writing in a GET; a deferred constraint does not wait for the commit
:ask 'GET', '/regress/handle/write', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
:ask 'POST', '/regress/handle/note', ARRAY['authorization', 'Bearer ' || :'ada_token', 'content-type', 'application/json'], :json '{"body": "first"}' :peer;

-- refuses: no credential, two, a malformed one, an unknown one; rank
:ask 'GET', '/regress/handle/who', NULL :nobody;
:ask 'GET', '/regress/handle/who', ARRAY['authorization', 'Basic x'] :nobody;
:ask 'GET', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'ada_token', 'cookie', '__Host-aegis=' || :'uli_token'] :nobody;
:ask 'GET', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token' || '; __Host-aegis=' || :'uli_token'] :nobody;
:ask 'GET', '/regress/handle/who', ARRAY['authorization', 'Bearer ags1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'] :nobody;
:ask 'GET', '/regress/handle/admin', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;

-- a cookie counts for reading, and for changing only from our own page
SELECT h.status FROM aegis.handle('GET', '/regress/handle/who', ARRAY['cookie', 'a=b; __Host-aegis=' || :'ada_token'] :nobody;
:ask 'POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token'] :nobody;
:ask 'POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token', 'sec-fetch-site', 'cross-site'] :nobody;
:ask 'POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token', 'host', 'a.test', 'origin', 'https://a.test.evil'] :nobody;
:ask 'POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token', 'host', 'a.test', 'origin', 'http://a.test'] :nobody;
SELECT h.status FROM aegis.handle('POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token', 'sec-fetch-site', 'same-origin'] :nobody;
SELECT h.status FROM aegis.handle('POST', '/regress/handle/who', ARRAY['cookie', '__Host-aegis=' || :'ada_token', 'host', 'a.test', 'origin', 'https://A.test'] :nobody;
-- refuses: the cookie in another spelling, which a sibling host could set
:ask 'GET', '/regress/handle/who', ARRAY['cookie', '__HOST-aegis=' || :'ada_token'] :nobody;

-- the session itself: shown without being touched, superseded with its reason, ended
\c - :superuser
SET client_min_messages = warning;
UPDATE aegis.session SET last_seen_at = now() - interval '2 minutes' WHERE user_id IN (:'ada', :'uli') AND ended_at IS NULL;
\c - regress_handle_gateway
SELECT h.status, encode(h.body, 'escape') LIKE '{"expires_at": "%", "user": {"id": "%", "rank": 4}, "tenant": {"id": "%", "slug": "regress-handle", "name": "Regress Handle"}}' AS body
  FROM aegis.handle('GET', '/api/session', ARRAY['authorization', 'Bearer ' || :'ada_token'] :nobody;
SELECT h.status FROM aegis.handle('GET', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
\c - :superuser
SET client_min_messages = warning;
SELECT user_id = :'ada' AS ada, now() - last_seen_at > interval '1 minute' AS untouched FROM aegis.session
 WHERE user_id IN (:'ada', :'uli') AND ended_at IS NULL ORDER BY 1;
\c - regress_handle_gateway
SELECT (encode(h.body, 'escape')::jsonb) ->> 'token' AS ada_2 FROM aegis.handle('POST', '/api/session', ARRAY['content-type', 'application/json'],
  decode('{"tenant": "regress-handle", "email": "ada@example.test", "password": "plum quartz lantern 47 river", "token": true}', 'escape'), '198.51.100.7', 'r-1') h \gset
:ask 'GET', '/api/session', ARRAY['cookie', '__Host-aegis=' || :'ada_token'] :nobody;
:ask 'DELETE', '/api/session', ARRAY['cookie', '__Host-aegis=' || :'ada_2'] :nobody;
:ask 'DELETE', '/api/session', ARRAY['cookie', '__Host-aegis=' || :'ada_2', 'sec-fetch-site', 'same-origin'] :nobody;
:ask 'GET', '/api/session', ARRAY['authorization', 'Bearer ' || :'ada_2'] :nobody;

-- refuses: every place where the gateway could take a request back
BEGIN;
SELECT status FROM aegis.handle('GET', '/regress/handle/public', NULL, NULL, NULL, NULL);
ROLLBACK;
-- refuses: the gateway's login has no table, no other function, no context of its own
SELECT * FROM aegis.session;
SELECT * FROM regress_handle.note;
SELECT aegis.authenticate(:'uli_token');
SELECT aegis.users();

-- survives: answers whose transaction is rolled back after they left, by a row that fails and by the text of an error: what
-- the routes record, and what their handlers do, is recorded by the worker
SELECT h.status, 1 / (2 - g) AS one FROM aegis.handle('GET', '/regress/handle/seen', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody, generate_series(1, 2) g;
SELECT encode(h.body, 'escape')::int FROM aegis.handle('GET', '/regress/handle/peek', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
SELECT encode(h.body, 'escape')::int FROM aegis.handle('GET', '/regress/handle/peek?times=40', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
-- allows: the same as it should be; of a handler that fails nothing is said
SELECT h.status FROM aegis.handle('GET', '/regress/handle/peek?times=40', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
SELECT h.status FROM aegis.handle('GET', '/regress/handle/peek?fails=1', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
SELECT h.status FROM aegis.handle('GET', '/regress/handle/seen', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
\c - :superuser
SET client_min_messages = warning;
DO $$ BEGIN FOR i IN 1 .. 400 LOOP EXIT WHEN (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()); PERFORM pg_catalog.pg_sleep(0.05); END LOOP; END $$;
SELECT event, outcome, target_kind, target_id, detail, tenant_id = :'tenant' AS of_the_tenant, user_id IS NOT NULL AS by_somebody, "session_user", request_id, count(*)
  FROM aegis.audit_log WHERE event IN ('regress.seen', 'regress.peeked') GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 5;
\c - regress_handle_gateway
-- survives: denials and the route's event are recorded, also of what was rolled back
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_events(:'tenant', 'auth.denied', 'rank', '/regress/handle/admin') AS rank,
       public.regress_events(:'tenant', 'auth.denied', 'cross-site', '/regress/handle/who') AS cross_site,
       public.regress_events(:'tenant', 'auth.sign_out') AS sign_out,
       public.regress_events(:'tenant', 'regress.noted', '/regress/handle/note') AS noted;
-- and what is withheld, the system's
SELECT tenant_id IS NULL AS of_the_system, user_id IS NOT NULL AS by_somebody FROM aegis.audit_log WHERE event = 'regress.kept';

-- as is who was refused on a route that must not be known, or whose event must not
SELECT aegis.register_route('POST', '/regress/handle/quiet', 'regress_handle.who(aegis.request)', 4::smallint, withheld => true),
       aegis.register_route('POST', '/regress/handle/kept', 'regress_handle.who(aegis.request)', 4::smallint, event => 'regress.kept');
SELECT aegis.register_route('POST', '/regress/handle/both', 'regress_handle.who(aegis.request)', 4::smallint, withheld => true, event => 'regress.kept');
\c - regress_handle_gateway
SELECT h.status FROM aegis.handle('POST', '/regress/handle/quiet', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
SELECT h.status FROM aegis.handle('POST', '/regress/handle/kept', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
SELECT h.status FROM aegis.handle('POST', '/regress/handle/quiet', ARRAY['cookie', '__Host-aegis=' || :'uli_token', 'sec-fetch-site', 'cross-site'] :nobody;
\c - :superuser
SET client_min_messages = warning;
SELECT target_id, tenant_id IS NULL AS of_the_system, user_id = :'uli' AS by_uli, detail FROM aegis.audit_log
 WHERE event = 'auth.denied' AND target_id ~ '^POST /regress/handle/(quiet|kept)' ORDER BY seq;

-- refuses: a route that must not be known with an event that the tenant reads
SELECT aegis.register_route('POST', '/regress/handle/quiet', 'regress_handle.who(aegis.request)', withheld => true, event => 'regress.noted');

-- refuses: an event that Aegis alone writes, as a changed dump may say of a route: nothing is done that would not be recorded
UPDATE aegis.route SET event = 'auth.sign_in' WHERE (method, path) = ('GET', '/regress/handle/who');
\c - regress_handle_gateway
SELECT h.status FROM aegis.handle('GET', '/regress/handle/who', ARRAY['authorization', 'Bearer ' || :'uli_token'] :nobody;
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) AS forged FROM aegis.audit_log WHERE event = 'auth.sign_in' AND target_id = 'GET /regress/handle/who';

SELECT count(aegis.drop_route(r.method, r.path)) FROM aegis.route r WHERE r.path LIKE '/regress/handle%';
DROP SCHEMA regress_handle CASCADE;
DROP FUNCTION public.regress_events;
DROP ROLE regress_handle_gateway;
