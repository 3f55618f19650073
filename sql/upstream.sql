-- A route that an upstream answers: the caller is verified here, the order that the gateway gets is signed for nobody else, and goes
-- where an operator said, whatever the request holds.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_upstream_operator LOGIN;
GRANT aegis_operator TO regress_upstream_operator;
CREATE ROLE regress_upstream_member LOGIN;
GRANT aegis_member TO regress_upstream_member;
CREATE ROLE regress_upstream_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_upstream_caller;
GRANT EXECUTE ON FUNCTION aegis.handle, aegis.sign_in TO regress_upstream_caller;
SELECT aegis.create_tenant('regress-upstream', 'Regress Upstream') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 48 river') AS bob \gset
COMMIT;
CREATE SCHEMA t_upstream;
GRANT USAGE ON SCHEMA t_upstream TO PUBLIC;
CREATE FUNCTION t_upstream.quiet(request aegis.request) RETURNS aegis.response LANGUAGE sql STABLE RETURN aegis.respond(204);
CREATE FUNCTION t_upstream.field(headers text[], name text) RETURNS text LANGUAGE sql AS $$
  SELECT headers[2 * i] FROM generate_series(1, cardinality(headers) / 2) i WHERE headers[2 * i - 1] = name $$;
CREATE FUNCTION t_upstream.problem(body bytea) RETURNS text LANGUAGE sql AS $$ SELECT substring(convert_from(body, 'UTF8')::jsonb ->> 'type' FROM '[^:]*$') $$;

-- allows: an operator registers an upstream and its routes; refuses: what cannot be one
\c - regress_upstream_operator
SELECT key_id FROM aegis.create_service('regress-up', NULL, scopes => '{none}');
SELECT key_id FROM aegis.create_service('regress-theirs', :'tenant', scopes => '{none}');
SELECT aegis.register_upstream('up', 'regress-up', 'https://up.example.test:9443');
SELECT aegis.register_upstream('up', 'regress-up', 'https://up.example.test/v1');
SELECT aegis.register_upstream('up', 'regress-up', 'http://up.example.test');
SELECT aegis.register_upstream('up', 'regress-up', 'https://u@up.example.test');
SELECT aegis.register_upstream('Up', 'regress-up', 'https://up.example.test');
SELECT aegis.register_upstream('up', 'nobody', 'https://up.example.test');
SELECT aegis.register_upstream('up', 'regress-theirs', 'https://up.example.test');
SELECT aegis.register_upstream_route('GET', '/t/up/{id}', 'up', '/v1/{id}/x');
SELECT aegis.register_upstream_route('POST', '/t/up', 'up');
SELECT aegis.register_upstream_route('GET', '/t/up/boss', 'up', minimum_rank => 4::smallint);
SELECT aegis.register_upstream_route('GET', '/t/none', 'nobody');
SELECT aegis.forward_route('GET', '/t/up/{id}', 'up', '/v1/{other}');
SELECT aegis.forward_route('GET', '/t/up/{id}', 'up', '/v1/../{id}');
SELECT aegis.forward_route('GET', '/t/up/{id}', 'up', 'https://evil.example.test/{id}');
SELECT aegis.forward_route('GET', '/api/openapi.json', 'up', '/v1');
SELECT aegis.drop_upstream('up');
SELECT name, url, service, service_in_use, routes FROM aegis.upstreams WHERE name = 'up';

-- refuses: an upstream for what must not be known, since signing is known
SELECT aegis.declare_event('regress_upstream.asked', 'somebody asked an upstream', '{}'), aegis.declare_event('regress_upstream.kept', 'nobody of the tenant reads it', '{}', withheld => true);
SELECT aegis.register_upstream_route('GET', '/t/quiet', 'up', event => 'regress_upstream.kept');
SELECT aegis.register_route('GET', '/t/up/{id}', 'aegis.forwarded(aegis.request)', withheld => true);
SELECT aegis.register_route('GET', '/t/quiet', 't_upstream.quiet(aegis.request)', withheld => true);
SELECT aegis.register_upstream_route('GET', '/t/quiet', 'up');
SELECT aegis.register_route('GET', '/t/kept', 't_upstream.quiet(aegis.request)', event => 'regress_upstream.kept');
SELECT aegis.register_upstream_route('GET', '/t/kept', 'up');
SELECT path, withheld FROM aegis.routes() WHERE path IN ('/t/quiet', '/t/kept', '/t/up') ORDER BY path;
SELECT aegis.drop_route('GET', '/t/quiet'), aegis.drop_route('GET', '/t/kept');
SELECT aegis.register_upstream_route('POST', '/t/asked', 'up', event => 'regress_upstream.asked');

-- refuses: the same to everybody else
\c - regress_upstream_member
SELECT aegis.register_upstream('mine', 'regress-up', 'https://mine.example.test');
SELECT aegis.register_upstream_route('GET', '/t/mine', 'up');
SELECT aegis.forward_route('GET', '/t/up/{id}', 'up', '/mine');
SELECT * FROM aegis.upstream_route;

-- allows: an order for the caller that was verified, to the address that was registered
\c - regress_upstream_caller
SELECT token AS ada_token FROM aegis.sign_in('regress-upstream', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS bob_token FROM aegis.sign_in('regress-upstream', 'bob@example.test', 'plum quartz lantern 48 river', NULL, NULL, NULL) \gset
SELECT status, headers, body FROM aegis.handle('GET', '/t/up/a%20b?x=%2F..&y=1', ARRAY['authorization', 'Bearer ' || :'ada_token'], NULL, '127.0.0.1', 'r-1') \gset
\c - :superuser
SELECT :'status' AS status, t_upstream.field(:'headers', 'aegis-upstream') AS upstream, t_upstream.field(:'headers', 'aegis-url') AS url,
       t_upstream.field(:'headers', 'aegis-caller') = format('tenant="%s", user="%s", rank=4, request="r-1"', :'tenant', :'ada') AS caller,
       regexp_replace(t_upstream.field(:'headers', 'signature-input'), 'created=\d+;nonce="[^"]+"', 'created=…;nonce="…"') AS input,
       t_upstream.field(:'headers', 'signature') ~ '^aegis=:[A-Za-z0-9+/]{43}=:$' AS signature, :'body' AS body;
\c - regress_upstream_caller
SELECT status, headers FROM aegis.handle('POST', '/t/up', ARRAY['authorization', 'Bearer ' || :'bob_token', 'content-type', 'application/json', 'aegis-caller', 'rank=4'],
  '{"a": 1}', '127.0.0.1', 'not "a token"') \gset
\c - :superuser
SELECT :'status' AS status, t_upstream.field(:'headers', 'aegis-url') AS url, t_upstream.field(:'headers', 'content-digest') AS digest,
       t_upstream.field(:'headers', 'aegis-caller') = format('tenant="%s", user="%s", rank=1', :'tenant', :'bob') AS caller,
       position('("@method" "@target-uri" "aegis-caller" "content-digest")' IN t_upstream.field(:'headers', 'signature-input')) AS covered;

-- refuses: whoever is nobody, or of too low a rank; card data; a body that is none
\c - regress_upstream_caller
SELECT status, cardinality(headers) < 9 AS no_order FROM aegis.handle('GET', '/t/up/1', '{}', NULL, '127.0.0.1', 'r-2');
SELECT status FROM aegis.handle('GET', '/t/up/boss', ARRAY['authorization', 'Bearer ' || :'bob_token'], NULL, '127.0.0.1', 'r-3');
SELECT status FROM aegis.handle('POST', '/t/up', ARRAY['authorization', 'Bearer ' || :'bob_token', 'content-type', 'application/json'],
  '{"a": "4111 1111 1111 1111"}', '127.0.0.1', 'r-4');
SELECT status FROM aegis.handle('POST', '/t/up', ARRAY['authorization', 'Bearer ' || :'bob_token', 'content-type', 'application/json'], '{"a"', '127.0.0.1', 'r-5');

-- survives: the route's event says of each call that it was signed, or refused; what the upstream answers nobody knows here
SELECT status FROM aegis.handle('POST', '/t/asked', ARRAY['authorization', 'Bearer ' || :'bob_token', 'content-type', 'application/json'], '{"a": 1}', '127.0.0.1', 'r-8');
SELECT status FROM aegis.handle('POST', '/t/asked', ARRAY['authorization', 'Bearer ' || :'bob_token', 'content-type', 'application/json'],
  '{"a": "4111 1111 1111 1111"}', '127.0.0.1', 'r-9');
\c - :superuser
SELECT outcome, target_id, tenant_id = :'tenant' AS in_tenant, user_id = :'bob' AS by_bob, detail FROM aegis.audit_log WHERE event = 'regress_upstream.asked' ORDER BY seq;

-- refuses: an order without a secret in use, or without an upstream
\c - regress_upstream_operator
SELECT aegis.retire_service('regress-up', 'test');
\c - regress_upstream_caller
SELECT status FROM aegis.handle('GET', '/t/up/1', ARRAY['authorization', 'Bearer ' || :'ada_token'], NULL, '127.0.0.1', 'r-6');
\c - :superuser
SELECT aegis.register_route('GET', '/t/plain', 'aegis.forwarded(aegis.request)');
\c - regress_upstream_caller
SELECT status FROM aegis.handle('GET', '/t/plain', ARRAY['authorization', 'Bearer ' || :'ada_token'], NULL, '127.0.0.1', 'r-7');

-- survives: what was decided and signed is recorded, in the caller's tenant
\c - :superuser
SELECT event, target_id, tenant_id = :'tenant' AS in_tenant, detail FROM aegis.audit_log
 WHERE event LIKE 'upstream.%' OR event = 'service.request_signed' AND target_id = 'regress-up' ORDER BY seq;
SELECT aegis.drop_route('GET', '/t/plain'), aegis.drop_route('GET', '/t/up/{id}'), aegis.drop_route('POST', '/t/up'), aegis.drop_route('GET', '/t/up/boss'), aegis.drop_route('POST', '/t/asked');
\c - regress_upstream_operator
SELECT aegis.drop_upstream('up');
SELECT aegis.drop_upstream('up');
SELECT count(*) FROM aegis.upstreams;
\c - :superuser
SELECT event, target_id, outcome, "session_user" FROM aegis.audit_log WHERE event = 'upstream.dropped';
SET client_min_messages = warning;
DROP SCHEMA t_upstream CASCADE;
DROP OWNED BY regress_upstream_caller;
DROP ROLE regress_upstream_operator, regress_upstream_member, regress_upstream_caller;
