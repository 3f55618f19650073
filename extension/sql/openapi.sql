-- The routes as a document for people and programs: OpenAPI 3.1, made from the table when it is asked for. docs/openapi.md.

CREATE FUNCTION aegis.object_schema(properties jsonb, optional text[] DEFAULT '{}') RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('type', 'object', 'properties', properties, 'additionalProperties', false,
             'required', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(properties) k WHERE k <> ALL (optional)))
  $$;
COMMENT ON FUNCTION aegis.object_schema(jsonb, text[]) IS
  'JSON Schema of an object that has exactly these properties, all of them but the optional ones';

-- key_required: NULL where the route takes no Idempotency-Key.
CREATE FUNCTION aegis.route_parameters(path text, schema jsonb, key_required boolean) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'in', p.place, 'required', p.required, 'schema', p.schema - 'description')
                              || CASE WHEN p.schema ? 'description' THEN jsonb_build_object('description', p.schema -> 'description') ELSE '{}' END
                              ORDER BY p.place, p.position, p.name), '[]')
      FROM (SELECT m[1] AS name, 'path' AS place, true AS required, position,
                   coalesce(schema #> ARRAY['properties', m[1]], '{"type": "string"}') AS schema
              FROM regexp_matches(path, '[{]([^}]*)[}]', 'g') WITH ORDINALITY r(m, position)
            UNION ALL
            SELECT q.key, 'query', coalesce(schema -> 'required' ? q.key, false), 0, q.value
              FROM jsonb_each(schema -> 'properties') q
             WHERE position('{' || q.key || '}' IN path) = 0
            UNION ALL
            SELECT 'Idempotency-Key', 'header', key_required, 0,
                   '{"type": "string", "minLength": 1, "maxLength": 255, "description": "the same for every attempt of one request"}'
             WHERE key_required IS NOT NULL) p
  $$;
COMMENT ON FUNCTION aegis.route_parameters(text, jsonb, boolean) IS 'parameters of a route as OpenAPI lists them';

-- What may go wrong with every route of a kind, beside what its handler says of itself.
CREATE FUNCTION aegis.route_problems(method text, path text, public boolean, has_query boolean, has_body boolean, step_up boolean, key_required boolean,
                                     own jsonb)
  RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(p.status, jsonb_build_object(
             'description', p.names,
             'content', '{"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}'::jsonb))
      FROM (SELECT a.status, string_agg(a.name, ', ' ORDER BY a.name) AS names
              FROM (SELECT name, status FROM (VALUES
                      ('malformed-target', '400', true), ('timeout', '504', true), ('unavailable', '503', true),
                      ('ambiguous-credential', '400', NOT public), ('missing-credential', '401', NOT public),
                      ('session-invalid', '401', NOT public), ('session-superseded', '401', NOT public),
                      ('token-invalid', '401', NOT public), ('second-factor-required', '401', NOT public), ('step-up-required', '401', step_up), ('forbidden', '403', NOT public),
                      ('cross-site', '403', NOT public AND method <> 'GET'),
                      ('not-found', '404', position('{' IN path) > 0),
                      ('retry', '409', method <> 'GET' OR NOT public),
                      ('malformed-request', '400', key_required IS NOT NULL), ('idempotency-key-required', '400', key_required),
                      ('idempotency-key-in-use', '409', key_required IS NOT NULL), ('idempotency-key-reused', '422', key_required IS NOT NULL), ('quota-exceeded', '429', NOT public),
                      ('malformed-request', '400', method = 'GET'),
                      ('malformed-body', '400', has_body), ('duplicate-key', '400', has_body), ('body-too-large', '413', method <> 'GET'),
                      ('unsupported-media-type', '415', method <> 'GET'),
                      ('invalid', '422', has_query OR has_body), ('pan_detected', '422', has_body)) AS known(name, status, applies) WHERE applies
                    UNION
                    SELECT key, value FROM jsonb_each_text(own)) a
             GROUP BY a.status) p
  $$;
COMMENT ON FUNCTION aegis.route_problems(text, text, boolean, boolean, boolean, boolean, boolean, jsonb) IS 'problems of a route as OpenAPI lists them, by status';

-- The routes that are no rows: /api/session is answered by aegis.handle itself, /api/health by the gateway.
CREATE FUNCTION aegis.built_in_routes(OUT method text, OUT path text, OUT name text, OUT minimum_rank smallint, OUT public boolean,
    OUT summary text, OUT tag text, OUT request_schema jsonb, OUT response_schema jsonb, OUT success_status smallint, OUT problems jsonb, OUT also jsonb)
  RETURNS SETOF record LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  texts   CONSTANT jsonb := '{"type": "string"}';
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  session CONSTANT jsonb := jsonb_build_object(
    'expires_at', '{"type": "string", "format": "date-time"}'::jsonb,
    'user', aegis.object_schema(jsonb_build_object('id', id, 'rank', '{"type": "integer", "minimum": 1, "maximum": 4}'::jsonb)),
    'tenant', aegis.object_schema(jsonb_build_object('id', id, 'slug', texts, 'name', texts)));
  challenge CONSTANT jsonb := '{"type": "string", "description": "as the answer to the password gave it"}';
  pending   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('challenge', challenge,
    'due', '{"enum": ["code", "enrolment", "password"]}'::jsonb, 'expires_at', '{"type": "string", "format": "date-time"}'::jsonb));
  waiting   CONSTANT jsonb := aegis.object_schema('{"state": {"const": "waiting"}}');
  also_token CONSTANT jsonb := '{"type": "boolean", "description": "also give the token in the answer, for clients without cookies"}';
BEGIN
  RETURN QUERY VALUES
    ('POST'::text, '/api/session'::text, 'sign_in'::text, 1::smallint, true, 'Sign in; the newest session of a user ends the ones before'::text,
     'Session'::text,
     aegis.object_schema(jsonb_build_object('tenant', texts, 'email', texts, 'password', texts,
       'token', also_token), '{token}'),
     aegis.object_schema(session || jsonb_build_object('token', texts), '{token}'), 201::smallint,
     '{"invalid-credentials": 401, "cross-site": 403, "busy": 429}'::jsonb, pending),
    ('POST', '/api/session/challenge', 'answer_challenge', 1::smallint, true, 'Give what a challenge asks for', 'Session',
     aegis.object_schema(jsonb_build_object('challenge', challenge, 'token', also_token,
       'code', '{"type": "string", "description": "of the authenticator, or a recovery code; the first one when a second factor is set up"}'::jsonb,
       'password', '{"type": "string", "description": "a new one"}'::jsonb), '{code,password,token}'),
     aegis.object_schema(session || jsonb_build_object('token', texts, 'recovery_codes', jsonb_build_object('type', 'array', 'items', texts)), '{token,recovery_codes}'),
     201::smallint, '{"challenge-invalid": 401, "not-confirmed": 401, "cross-site": 403, "busy": 429}'::jsonb, pending),
    ('POST', '/api/session/enrolment', 'begin_enrolment', 1::smallint, true, 'A new second factor for a challenge that asks for one', 'Session',
     aegis.object_schema(jsonb_build_object('challenge', challenge)),
     aegis.object_schema(jsonb_build_object('secret', texts, 'uri', texts, 'qr', '{"type": "string", "description": "SVG"}'::jsonb)),
     200::smallint, '{"challenge-invalid": 401, "cross-site": 403}'::jsonb, NULL),
    ('POST', '/api/session/issuer', 'begin_at_issuer', 1::smallint, true, 'Where to sign in at an issuer', 'Session',
     aegis.object_schema(jsonb_build_object('issuer', texts)), aegis.object_schema(jsonb_build_object('url', texts)),
     200::smallint, '{"not-found": 404, "cross-site": 403}'::jsonb, NULL),
    ('POST', '/api/session/issuer/code', 'take_code', 1::smallint, true, 'Bring back the code of an issuer', 'Session',
     aegis.object_schema(jsonb_build_object('code', texts, 'state', texts, 'iss', texts), '{iss}'), waiting,
     202::smallint, '{"token-invalid": 401, "cross-site": 403, "busy": 429}'::jsonb, NULL),
    ('POST', '/api/session/issuer/result', 'fetch_result', 1::smallint, true, 'What became of the code; ask again while it is waited for', 'Session',
     aegis.object_schema(jsonb_build_object('token', also_token), '{token}'),
     aegis.object_schema(session || jsonb_build_object('token', texts), '{token}'), 201::smallint,
     '{"token-invalid": 401, "cross-site": 403}'::jsonb, jsonb_build_object('anyOf', jsonb_build_array(pending, waiting))),
    ('POST', '/api/session/step-up', 'step_up', 1::smallint, false, 'Confirm who you are, for what is dangerous', 'Session',
     aegis.object_schema(jsonb_build_object('code', texts, 'password', texts), '{code,password}'), NULL,
     204::smallint, '{"not-confirmed": 401, "busy": 429}'::jsonb, NULL),
    ('GET', '/api/session', 'get_session', 1::smallint, false, 'Who is signed in; asking does not prolong the session',
     'Session', NULL, aegis.object_schema(session), 200::smallint, NULL, NULL),
    ('DELETE', '/api/session', 'sign_out', 1::smallint, false, 'Sign out; when the user signed in at an issuer, also where to go to sign out there', 'Session', NULL, NULL,
     204::smallint, NULL, aegis.object_schema(jsonb_build_object('url', texts)));
END $$;
COMMENT ON FUNCTION aegis.built_in_routes() IS 'routes that no row of aegis.route describes';

CREATE FUNCTION aegis.describe_routes() RETURNS jsonb
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  paths jsonb;
  tags  jsonb;
  health CONSTANT jsonb := aegis.object_schema('{"status": {"enum": ["ok", "degraded", "down"]}, "connections": {"type": "integer"}, "queued": {"type": "integer"},
    "routes": {"type": "integer"}, "database": {"type": ["object", "null"]}, "regions": {"type": "array"}}', '{connections,queued,routes,database,regions}');
  -- Nobody needs a signature for the word of health; the details, and metrics, want one of a scope that the gateway asks aegis.handle for.
  signed CONSTANT jsonb := '{"signature": ["metrics:read"]}';
BEGIN
  WITH route AS (
    SELECT r.credentials, r.scope, r.method, r.path, r.handler::text AS name, r.minimum_rank, r.public, r.summary, r.tag, r.request_schema, r.response_schema,
           r.success_status, r.problems, r.parameter_schema, r.step_up,
           CASE WHEN r.method <> 'GET' AND NOT r.public THEN r.idempotent END AS key_required, NULL::jsonb AS also
      FROM aegis.route r
    UNION ALL
    SELECT ARRAY['session', 'token'], NULL, b.method, b.path, b.name, b.minimum_rank, b.public, b.summary, b.tag, b.request_schema, b.response_schema, b.success_status, b.problems, NULL, NULL, NULL, b.also
      FROM aegis.built_in_routes() b),
  named AS (
    SELECT r.*, coalesce(r.response_schema ->> 'contentMediaType', 'application/json') AS media,
           -- A handler of two routes, or two of one name, would give two operations one name.
           r.name || CASE WHEN count(*) OVER (PARTITION BY r.name) > 1
                          THEN '_' || lower(r.method) || regexp_replace(r.path, '[^A-Za-z0-9]+', '_', 'g') ELSE '' END AS operation
      FROM route r),
  operation AS (
    SELECT r.path, lower(r.method) AS method, jsonb_strip_nulls(jsonb_build_object(
             'operationId', r.operation, 'summary', r.summary, 'tags', CASE WHEN r.tag IS NOT NULL THEN jsonb_build_array(r.tag) END,
             'description', CASE WHEN NOT r.public AND r.minimum_rank > 1
               THEN format('For rank %s (%s) and above.', r.minimum_rank, (ARRAY['user', 'team lead', 'manager', 'admin'])[r.minimum_rank]) END,
             'security', CASE WHEN 'link' = ANY (r.credentials) THEN '[{"link": []}]'::jsonb
               WHEN r.public THEN '[]'::jsonb
               WHEN 'service' = ANY (r.credentials) OR 'session' <> ALL (r.credentials)
               THEN CASE WHEN 'session' = ANY (r.credentials) THEN '[{"cookie": []}, {"bearer": []}]'
                         WHEN 'token' = ANY (r.credentials) THEN '[{"bearer": []}]' ELSE '[]' END::jsonb
                    || CASE WHEN 'service' = ANY (r.credentials) THEN jsonb_build_array(jsonb_build_object('signature', jsonb_build_array(r.scope)))
                            ELSE '[]' END END))
           || CASE WHEN r.parameter_schema IS NOT NULL OR r.key_required IS NOT NULL OR position('{' IN r.path) > 0
                   THEN jsonb_build_object('parameters', aegis.route_parameters(r.path, r.parameter_schema, r.key_required)) ELSE '{}' END
           || CASE WHEN r.request_schema IS NOT NULL THEN jsonb_build_object('requestBody', jsonb_build_object(
                     'required', jsonb_array_length(coalesce(r.request_schema -> 'required', '[]')) > 0,
                     'content', jsonb_build_object('application/json', jsonb_build_object('schema', r.request_schema)))) ELSE '{}' END
           || jsonb_build_object('responses',
                aegis.route_problems(r.method, r.path, r.public, r.parameter_schema IS NOT NULL, r.request_schema IS NOT NULL, r.step_up IS NOT NULL, r.key_required, r.problems)
                || jsonb_build_object(r.success_status::text, jsonb_build_object(
                     'description', CASE r.success_status WHEN 201 THEN 'Created' WHEN 204 THEN 'Done' ELSE 'The answer' END)
                   || CASE WHEN r.success_status <> 204 THEN jsonb_build_object('content', jsonb_build_object(
                             r.media, jsonb_build_object('schema', coalesce(r.response_schema, '{}')))) ELSE '{}' END)
                || CASE WHEN r.also IS NOT NULL THEN jsonb_build_object('200', jsonb_build_object('description', 'More is due',
                     'content', jsonb_build_object('application/json', jsonb_build_object('schema', r.also)))) ELSE '{}' END) AS item
      FROM named r)
  SELECT jsonb_object_agg(p.path, p.item) INTO paths
    FROM (SELECT o.path, jsonb_object_agg(o.method, o.item) AS item FROM operation o GROUP BY o.path) p;
  paths := paths || jsonb_build_object('/api/health', jsonb_build_object('get', jsonb_build_object(
    'operationId', 'get_health', 'summary', 'Whether the service and its database work; to who signs, with details', 'tags', '["Service"]'::jsonb,
    'security', jsonb_build_array('{}'::jsonb, signed),
    'responses', jsonb_build_object(
      '200', jsonb_build_object('description', 'It works', 'content', jsonb_build_object('application/json', jsonb_build_object('schema', health))),
      '503', jsonb_build_object('description', 'It is down', 'content', jsonb_build_object('application/json', jsonb_build_object('schema', health)))))));
  paths := paths || jsonb_build_object('/api/metrics', jsonb_build_object('get', jsonb_build_object(
    'operationId', 'get_metrics', 'summary', 'What the gateway counts, for Prometheus', 'tags', '["Service"]'::jsonb, 'security', jsonb_build_array(signed),
    'responses', aegis.route_problems('GET', '/api/metrics', true, false, false, false, NULL, '{"not-found": 404, "quota-exceeded": 429}')
      || jsonb_build_object('200', jsonb_build_object('description', 'The answer', 'content', jsonb_build_object('text/plain; version=0.0.4; charset=utf-8', jsonb_build_object('schema', '{"type": "string"}'::jsonb)))))));
  paths := paths || jsonb_build_object('/api/status', jsonb_build_object('get', jsonb_build_object(
    'operationId', 'get_status', 'summary', 'How the service is, its objectives, subprocessors and latest incidents', 'tags', '["Service"]'::jsonb, 'security', '[]'::jsonb,
    'responses', jsonb_build_object('200', jsonb_build_object('description', 'The answer', 'content', jsonb_build_object('application/json', jsonb_build_object('schema',
      aegis.object_schema(jsonb_build_object('status', health #> '{properties,status}', 'details', '{"type": ["object", "null"], "required": ["as_of", "components", "slos", "subprocessors", "incidents"]}'::jsonb)))))))));
  SELECT jsonb_agg(jsonb_build_object('name', t.name) ORDER BY t.name) INTO tags
    FROM (SELECT r.tag AS name FROM aegis.route r WHERE r.tag IS NOT NULL
          UNION SELECT b.tag FROM aegis.built_in_routes() b UNION VALUES ('Service')) t;
  RETURN jsonb_build_object(
    'openapi', '3.1.0',
    'info', jsonb_build_object('title', 'Aegis', 'version', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'aegis'),
      'description', 'Sign in with POST /api/session: the answer sets a cookie, and gives a bearer token to whoever asks for one. '
                     'Errors are application/problem+json (RFC 9457); their type names the problem.'),
    'servers', '[{"url": "/"}]'::jsonb,
    'security', '[{"cookie": []}, {"bearer": []}]'::jsonb,
    'tags', tags,
    'paths', paths,
    'components', jsonb_build_object(
      'securitySchemes', '{"cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-aegis"}, "bearer": {"type": "http", "scheme": "bearer"},
        "link": {"type": "http", "scheme": "bearer", "description": "the token of a link, which stands behind # in it"},
        "signature": {"type": "apiKey", "in": "header", "name": "Signature", "description": "RFC 9421 with hmac-sha256"}}'::jsonb,
      'schemas', jsonb_build_object('Problem', aegis.object_schema(
        '{"type": {"type": "string", "pattern": "^urn:aegis:problem:[a-z-]+$"}, "title": {"type": "string"}, "status": {"type": "integer"},
          "detail": {"type": "string"}, "hint": {"type": "string"}, "code": {"type": "string", "description": "SQLSTATE"},
          "request_id": {"type": "string"}, "from": {"type": "string", "description": "the state that has no such step"},
          "command": {"type": "string", "description": "the step that was asked for"}}', '{detail,hint,code,request_id,from,command}'))));
END $$;
COMMENT ON FUNCTION aegis.describe_routes() IS 'makes the document that aegis.openapi() gives';

CREATE FUNCTION aegis.openapi() RETURNS jsonb
  AS 'MODULE_PATHNAME', 'aegis_openapi' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.openapi() IS 'the routes as an OpenAPI 3.1 document, kept until one of them changes';

CREATE FUNCTION aegis.get_openapi(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, aegis.openapi());
END $$;
COMMENT ON FUNCTION aegis.get_openapi(aegis.request) IS 'GET /api/openapi.json';
