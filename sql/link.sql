-- A link opens one thing of one tenant, for whoever has it, until it expires or is revoked; it is no session and opens no other route.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_link_member LOGIN IN ROLE aegis_member;
CREATE ROLE regress_link_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_link_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_link_caller;
SELECT aegis.create_tenant('regress-link', 'Link Ltd') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@link.example', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') \g /dev/null
COMMIT;
CREATE SCHEMA t_link;
GRANT USAGE ON SCHEMA t_link TO aegis_member, aegis_owner;
-- An application's door: it would ask whether the caller may show the target.
CREATE FUNCTION t_link.make(kind text, target uuid, lives interval, OUT id uuid, OUT token text) LANGUAGE sql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'SELECT * FROM aegis.create_link(kind, target, clock_timestamp() + lives)';
CREATE FUNCTION t_link.take_back(target uuid, id uuid) RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$SELECT aegis.revoke_link('thing', target, id)$$;
CREATE FUNCTION t_link.opened() RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT first_time FROM aegis.open_link()';
CREATE FUNCTION t_link.show(request aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT aegis.respond(200, jsonb_build_object('target', aegis.link_target(), 'way', aegis.auth_method(), 'rank', aegis.rank(), 'user', aegis.user_id(),
    'session', aegis.session_id(), 'link', aegis.link_id() IS NOT NULL, 'first', t_link.opened())) $$;
ALTER FUNCTION t_link.make OWNER TO aegis_owner;
ALTER FUNCTION t_link.take_back OWNER TO aegis_owner;
ALTER FUNCTION t_link.opened OWNER TO aegis_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t_link TO aegis_member;
SELECT aegis.register_route('POST', '/regress/link', 't_link.show(aegis.request)', public => true, credentials => '{link}', scope => 'thing');
SELECT aegis.register_route('GET', '/regress/link', 't_link.show(aegis.request)', public => true, credentials => '{link}', scope => 'other');
SELECT aegis.register_route('GET', '/regress/signed-in', 't_link.show(aegis.request)');
-- refuses: a route of links that is others', too, or asks for a session, or says nothing of its kind
SELECT aegis.register_route('GET', '/regress/bad', 't_link.show(aegis.request)', public => true, credentials => '{link,session}', scope => 'thing');
SELECT aegis.register_route('GET', '/regress/bad', 't_link.show(aegis.request)', credentials => '{link}', scope => 'thing');
SELECT aegis.register_route('GET', '/regress/bad', 't_link.show(aegis.request)', public => true, credentials => '{link}');
SELECT aegis.register_route('GET', '/regress/bad', 't_link.show(aegis.request)', scope => 'thing');

\c - regress_link_member
SELECT token AS ada FROM aegis.sign_in('regress-link', 'ada@link.example', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT id AS link, token FROM t_link.make('thing', '11111111-1111-4111-8111-111111111111', '1 day') \gset
SELECT id AS second_link, token AS second_token FROM t_link.make('thing', '11111111-1111-4111-8111-111111111111', '1 day') \gset
SELECT token AS short_token FROM t_link.make('thing', '11111111-1111-4111-8111-111111111111', '1 second') \gset
-- refuses: one that never ends, or has ended; the parts to members; a context of a link where there is none
SAVEPOINT s;
SELECT t_link.make('thing', gen_random_uuid(), '11 years');
ROLLBACK TO s;
SELECT t_link.make('thing', gen_random_uuid(), '-1 second');
ROLLBACK TO s;
SELECT aegis.create_link('thing', gen_random_uuid(), now() + interval '1 day');
ROLLBACK TO s;
SELECT * FROM aegis.links('thing', gen_random_uuid());
ROLLBACK TO s;
SELECT count(*) FROM aegis.link;
ROLLBACK TO s;
SELECT aegis.link_target() IS NULL AS no_target, aegis.link_id() IS NULL AS no_link, t_link.opened() IS NULL AS not_opened;
COMMIT;

-- allows: whoever has the token, once as the first and as often as they like, as nobody
\c - regress_link_caller
\set ECHO none
SELECT format('SELECT %L AS what, h.status, CASE WHEN h.status = 200 THEN convert_from(h.body, ''UTF8'')::jsonb ELSE to_jsonb(convert_from(h.body, ''UTF8'')::jsonb ->> ''type'') END AS answer
  FROM aegis.handle(%L, %L, %L, NULL, ''192.0.2.9'', ''r1'') h', what, method, path, headers)
  FROM (VALUES (1, 'first', 'POST', '/regress/link', ARRAY['authorization', 'Bearer ' || :'token']),
               (2, 'again', 'POST', '/regress/link', ARRAY['authorization', 'bearer ' || :'token']),
               (3, 'with a cookie of somebody', 'POST', '/regress/link', ARRAY['authorization', 'Bearer ' || :'token', 'cookie', '__Host-aegis=' || :'ada']),
               (4, 'no token', 'POST', '/regress/link', '{}'::text[]),
               (5, 'two tokens', 'POST', '/regress/link', ARRAY['authorization', 'Bearer ' || :'token', 'authorization', 'Bearer ' || :'second_token']),
               (6, 'changed', 'POST', '/regress/link', ARRAY['authorization', 'Bearer ' || left(:'token', -1) || CASE right(:'token', 1) WHEN 'A' THEN 'E' ELSE 'A' END]),
               (7, 'session', 'POST', '/regress/link', ARRAY['authorization', 'Bearer ' || :'ada']),
               (8, 'other kind', 'GET', '/regress/link', ARRAY['authorization', 'Bearer ' || :'token']),
               (9, 'no session', 'GET', '/regress/signed-in', ARRAY['authorization', 'Bearer ' || :'token'])) v (n, what, method, path, headers) ORDER BY n \gexec
\set ECHO all

-- refuses: what was revoked, and what has expired
\c - regress_link_member
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT t_link.take_back('11111111-1111-4111-8111-111111111111', :'link') AS revoked;
SELECT t_link.take_back('11111111-1111-4111-8111-111111111111', :'link') AS twice, t_link.take_back(gen_random_uuid(), :'second_link') AS of_another;
COMMIT;
\c - :superuser
SELECT pg_sleep(1.1) \g /dev/null
\c - regress_link_caller
\set ECHO none
SELECT format('SELECT %L AS what, h.status, CASE WHEN h.status = 200 THEN ''"shown"'' ELSE convert_from(h.body, ''UTF8'')::jsonb -> ''type'' END AS answer
  FROM aegis.handle(''POST'', ''/regress/link'', ARRAY[''authorization'', ''Bearer '' || %L], NULL, ''192.0.2.9'', ''r1'') h', what, token)
  FROM (VALUES (1, 'revoked', :'token'), (2, 'expired', :'short_token'), (3, 'the other', :'second_token')) v (n, what, token) ORDER BY n \gexec
\set ECHO all

-- survives: a suspended tenant shows nothing; what is stored is a hash; entries name the way and the link
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) FILTER (WHERE l.token_hash = sha256(convert_to(:'second_token', 'UTF8'))) AS hashed, count(*) AS links, count(opened_at) AS opened FROM aegis.link l WHERE l.tenant_id = :'tenant';
SELECT aegis.suspend_tenant(:'tenant', 'test') \g /dev/null
\c - regress_link_caller
SELECT h.status FROM aegis.handle('POST', '/regress/link', ARRAY['authorization', 'Bearer ' || :'second_token'], NULL, '192.0.2.9', 'r1') h;
\c - :superuser
SET client_min_messages = warning;
SELECT aegis.drop_route('POST', '/regress/link'), aegis.drop_route('GET', '/regress/link'), aegis.drop_route('GET', '/regress/signed-in') \g /dev/null
DROP SCHEMA t_link CASCADE;
REVOKE ALL ON FUNCTION aegis.handle FROM regress_link_caller;
DROP OWNED BY regress_link_caller;
DROP ROLE regress_link_caller, regress_link_member;
