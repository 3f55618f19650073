-- The document is made from the table of routes: what is registered is described, with what it takes, gives and refuses.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_openapi_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_openapi_gateway LOGIN IN ROLE aegis_gateway;
CREATE ROLE regress_openapi_nobody LOGIN;
CREATE SCHEMA regress_openapi;
GRANT USAGE ON SCHEMA regress_openapi TO PUBLIC;
CREATE FUNCTION regress_openapi.answer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200); END $$;
CREATE FUNCTION regress_openapi.once(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN aegis.respond(200); END $$;

\c - regress_openapi_operator
-- allows: a schema of an object in one call
SELECT aegis.object_schema('{"a": {"type": "string"}, "b": {}, "c": {}}', '{b}');
SELECT aegis.object_schema('{}');
-- describes: the least, and everything
SELECT aegis.register_route('GET', '/regress/openapi/one', 'regress_openapi.once(aegis.request)', public => true);
SELECT aegis.register_route('GET', '/regress/openapi/{key}/{other}', 'regress_openapi.answer(aegis.request)', 3::smallint, summary => 'All of it', tag => 'Regress',
  parameter_schema => '{"properties": {"key": {"type": "integer", "description": "a number"}, "page": {"type": "integer"}, "size": {"minimum": 1}}, "required": ["size"]}',
  response_schema => '{"type": "string", "contentMediaType": "text/csv"}', problems => '{"teapot": 418, "gone-fishing": 404}');
SELECT aegis.register_route('POST', '/regress/openapi', 'regress_openapi.answer(aegis.request)', request_schema => aegis.object_schema('{"a": {"type": "string"}}'),
  response_schema => aegis.object_schema('{"id": {"type": "integer"}}'), success_status => 201::smallint);
SELECT aegis.register_route('DELETE', '/regress/openapi', 'regress_openapi.answer(aegis.request)', success_status => 204::smallint);
SELECT path.key AS path, item.key AS method, jsonb_pretty(item.value - 'responses') AS operation
  FROM jsonb_each(aegis.openapi() -> 'paths') path, jsonb_each(path.value) item WHERE path.key LIKE '/regress/openapi%' ORDER BY 1, 2;
SELECT item.value ->> 'operationId' AS operation, answer.key AS status, answer.value ->> 'description' AS description,
       coalesce(nullif(answer.value -> 'content', '{"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}')::text, 'a problem') AS content
  FROM jsonb_each(aegis.openapi() -> 'paths') path, jsonb_each(path.value) item, jsonb_each(item.value -> 'responses') answer
 WHERE path.key LIKE '/regress/openapi%' ORDER BY 1, 2;
-- follows: a route that is replaced, dropped, or registered in vain
SELECT aegis.register_route('GET', '/regress/openapi/one', 'regress_openapi.once(aegis.request)', public => true, summary => 'Another');
SELECT aegis.openapi() #>> '{paths,/regress/openapi/one,get,summary}' AS summary;
BEGIN;
SELECT aegis.register_route('GET', '/regress/openapi/one', 'regress_openapi.once(aegis.request)', public => true, summary => 'Never');
SELECT aegis.openapi() #>> '{paths,/regress/openapi/one,get,summary}' AS summary;
ROLLBACK;
SELECT aegis.openapi() #>> '{paths,/regress/openapi/one,get,summary}' AS summary;
SELECT aegis.drop_route('GET', '/regress/openapi/one');
SELECT aegis.openapi() -> 'paths' ? '/regress/openapi/one' AS there;
-- describes: itself, what is built in, and how one signs in
SELECT jsonb_pretty(d - 'paths' - 'tags' - 'info') FROM aegis.openapi() d;
SELECT d -> 'tags' @> '[{"name": "Regress"}, {"name": "Service"}, {"name": "Session"}]' AS tags FROM aegis.openapi() d;
SELECT path.key, array_agg(m ORDER BY m) AS methods FROM aegis.openapi() d, jsonb_each(d -> 'paths') path, jsonb_object_keys(path.value) m
 WHERE path.key IN ('/api/session', '/api/health', '/api/metrics', '/api/openapi.json') GROUP BY 1 ORDER BY 1;
SELECT d #> '{paths,/api/session,post,security}' AS security, d #> '{paths,/api/session,post,responses,429,description}' AS busy FROM aegis.openapi() d;
-- refuses: schemas that are none, statuses that mean something else
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', response_schema => '[]');
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', request_schema => '"x"');
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', parameter_schema => '1');
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', success_status => 302::smallint);
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', success_status => NULL);
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', problems => '{"odd": "404"}');
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', problems => '{"odd": 500}');
SELECT aegis.register_route('GET', '/regress/openapi/x', 'regress_openapi.answer(aegis.request)', problems => '[404]');
-- allows: the gateway to serve it to everybody; refuses: other roles the function
\c - regress_openapi_gateway
SELECT h.status, h.headers, length(h.body) > 2000 AS long FROM aegis.handle('GET', '/api/openapi.json', NULL, NULL, NULL, 'r-1') h;
SELECT aegis.openapi();
\c - regress_openapi_nobody
SELECT aegis.openapi();

\c - :superuser
SET client_min_messages = warning;
SELECT count(aegis.drop_route(r.method, r.path)) FROM aegis.route r WHERE r.path LIKE '/regress/openapi%';
DROP SCHEMA regress_openapi CASCADE;
