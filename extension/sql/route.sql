-- Requests, answers and the routes between them. docs/route.md.

CREATE TYPE aegis.request AS (
  method  text,
  path    text,
  params  jsonb,
  query   jsonb,
  headers jsonb,
  body    jsonb,
  raw     bytea
);
COMMENT ON TYPE aegis.request IS 'what a handler is given: decoded path and query, chosen headers, the body parsed and as sent';

CREATE TYPE aegis.response AS (
  status  integer,
  headers jsonb,
  body    jsonb,
  file    bytea
);
COMMENT ON TYPE aegis.response IS 'what a handler returns';

COMMENT ON COLUMN aegis.response.file IS 'bytes to send as they are, instead of a JSON body';

-- PostgreSQL works out the columns of OUT parameters anew for each statement; those of a type it knows.
CREATE TYPE aegis.answer AS (
  status  integer,
  headers text[],
  body    bytea
);
COMMENT ON TYPE aegis.answer IS 'what aegis.handle() gives the gateway to send: headers as a flat list of name and value';

CREATE FUNCTION aegis.respond(status integer, body jsonb DEFAULT NULL, headers jsonb DEFAULT NULL, file bytea DEFAULT NULL)
  RETURNS aegis.response
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN ROW(status, headers, body, file)::aegis.response;
COMMENT ON FUNCTION aegis.respond(integer, jsonb, jsonb, bytea) IS 'an answer, for handlers to return';

CREATE TABLE aegis.route (
  method           text NOT NULL CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
  path             text NOT NULL,
  shape            text NOT NULL GENERATED ALWAYS AS (pg_catalog.regexp_replace(path, '[{][^}]*[}]', '{}', 'g')) STORED,
  handler_schema   name NOT NULL,
  handler          name NOT NULL,
  minimum_rank     smallint NOT NULL CHECK (minimum_rank BETWEEN 1 AND 4),
  public           boolean NOT NULL,
  body_limit       integer NOT NULL CHECK (body_limit BETWEEN 0 AND 16777216),
  event            text,
  idempotent       boolean NOT NULL,
  replica_ok       boolean NOT NULL,
  summary          text,
  request_schema   jsonb CHECK (pg_catalog.jsonb_typeof(request_schema) = 'object'),
  response_schema  jsonb CHECK (pg_catalog.jsonb_typeof(response_schema) = 'object'),
  tag              text CHECK (tag <> ''),
  parameter_schema jsonb CHECK (pg_catalog.jsonb_typeof(parameter_schema) = 'object'),
  success_status   smallint NOT NULL CHECK (success_status BETWEEN 200 AND 299),
  problems         jsonb CHECK (pg_catalog.jsonb_typeof(problems) = 'object'
                                AND NOT problems @? '$.* ? (@.type() != "number" || @ < 400 || @ > 499)'),
  credentials      text[] NOT NULL CHECK (pg_catalog.cardinality(credentials) > 0
                                          AND credentials OPERATOR(pg_catalog.<@) ARRAY['session', 'token', 'service', 'webhook', 'link']),
  scope            text CHECK (scope ~ '^[a-z][a-z0-9_.:-]{0,63}$'),
  step_up          interval CHECK (step_up BETWEEN '1 second' AND '1 day'),
  withheld         boolean NOT NULL DEFAULT false,
  by_extension     boolean NOT NULL,
  CHECK (NOT replica_ok OR public AND method = 'GET' AND event IS NULL AND 'link' <> ALL (credentials)),
  CHECK (('service' = ANY (credentials) OR 'link' = ANY (credentials)) = (scope IS NOT NULL)),
  CHECK ('webhook' <> ALL (credentials) OR public AND pg_catalog.cardinality(credentials) = 1),
  CHECK ('link' <> ALL (credentials) OR public AND pg_catalog.cardinality(credentials) = 1),
  PRIMARY KEY (method, path),
  UNIQUE (method, shape)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.route', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.route IS 'which function answers which method and path, and from which rank on';
COMMENT ON COLUMN aegis.route.handler IS 'name of the function of one aegis.request; its number would not survive pg_upgrade';
COMMENT ON COLUMN aegis.route.shape IS 'path with its parameters unnamed: two routes of one shape would be ambiguous';
COMMENT ON COLUMN aegis.route.parameter_schema IS 'JSON Schema of an object: what the path and the query may hold, by name';
COMMENT ON COLUMN aegis.route.problems IS 'names of the problems that the handler itself answers with, and their statuses';
COMMENT ON COLUMN aegis.route.credentials IS 'kinds of callers, when it is not public: users with a session, users with a token of an issuer, services that sign; or webhook: payment providers that sign; or link: whoever has a link';
COMMENT ON COLUMN aegis.route.scope IS 'what a service must be allowed to call it; of links, which kind opens it';
COMMENT ON COLUMN aegis.route.replica_ok IS 'a hot standby may answer: the route is public, reads, and is recorded nowhere; what it says may be late';
COMMENT ON COLUMN aegis.route.idempotent IS 'callers must send an Idempotency-Key';
COMMENT ON COLUMN aegis.route.step_up IS 'how long ago the caller may have confirmed who they are; NULL: it does not matter';
COMMENT ON COLUMN aegis.route.withheld IS 'that it was called must not be known: the gateway''s metrics do not count it, and who was refused stands in the system''s log';
COMMENT ON COLUMN aegis.route.event IS 'event type that every call of the route writes, with its outcome';

CREATE FUNCTION aegis.route_changed() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_route_changed' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.route_changed() IS 'makes backends and gateways read the routes again';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.route
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.route_changed();

-- A dump holds the routes of operators, and its CREATE EXTENSION has made the extension's own before they arrive: where
-- an operator had replaced one, theirs must win again, or the whole table would be refused.
CREATE FUNCTION aegis.route_replaced() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM aegis.route r WHERE r.by_extension AND r.method = NEW.method AND r.path = NEW.path;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis.route_replaced() IS 'lets a route of an operator take the place of an extension''s';

CREATE TRIGGER replaced BEFORE INSERT ON aegis.route
  FOR EACH ROW WHEN (NOT NEW.by_extension) EXECUTE FUNCTION aegis.route_replaced();

CREATE FUNCTION aegis.register_route(method text, path text, handler regprocedure, minimum_rank smallint DEFAULT 1,
                                     public boolean DEFAULT false, body_limit integer DEFAULT 65536,
                                     event text DEFAULT NULL, idempotent boolean DEFAULT false,
                                     replica_ok boolean DEFAULT false, summary text DEFAULT NULL,
                                     request_schema jsonb DEFAULT NULL, response_schema jsonb DEFAULT NULL,
                                     tag text DEFAULT NULL, parameter_schema jsonb DEFAULT NULL,
                                     success_status smallint DEFAULT 200, problems jsonb DEFAULT NULL,
                                     credentials text[] DEFAULT '{session,token}', scope text DEFAULT NULL,
                                     step_up interval DEFAULT NULL, withheld boolean DEFAULT false) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_register_route' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.register_route(text, text, regprocedure, smallint, boolean, integer, text, boolean, boolean, text, jsonb, jsonb,
                                      text, jsonb, smallint, jsonb, text[], text, interval, boolean)
  IS 'lets a function answer requests; a second call for the same method and path replaces the first';

CREATE FUNCTION aegis.drop_route(method text, path text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_drop_route' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.drop_route(text, text) IS 'removes a route';

CREATE FUNCTION aegis.routes(OUT method text, OUT path text, OUT public boolean, OUT body_limit integer, OUT replica_ok boolean,
                             OUT withheld boolean)
  RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT r.method, r.path, r.public, r.body_limit, r.replica_ok,
           r.withheld OR EXISTS (SELECT FROM aegis.event_type e WHERE e.name = r.event AND e.withheld) FROM aegis.route r
    UNION ALL
    SELECT b.*, false, false FROM (
    VALUES ('POST', '/api/session', true, 4096), ('GET', '/api/session', false, 0), ('DELETE', '/api/session', false, 0),
           ('POST', '/api/session/challenge', true, 4096), ('POST', '/api/session/enrolment', true, 4096),
           ('POST', '/api/session/issuer', true, 4096), ('POST', '/api/session/issuer/code', true, 4096),
           ('POST', '/api/session/issuer/result', true, 4096), ('POST', '/api/session/step-up', false, 4096)) b
    ORDER BY 2, 1
  $$;
COMMENT ON FUNCTION aegis.routes() IS 'what the gateway must know to refuse a request by itself';

CREATE FUNCTION aegis.handle(method text, target text, headers text[], body bytea, peer text, request_id text) RETURNS aegis.answer
  AS 'MODULE_PATHNAME', 'aegis_handle' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.handle(text, text, text[], bytea, text, text) IS
  'answers one HTTP request: verifies the caller, fixes the context, runs the handler as aegis_member';

CREATE FUNCTION aegis.health() RETURNS jsonb
  AS 'MODULE_PATHNAME', 'aegis_health' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.health() IS 'one word of status, with what it rests on';

CREATE FUNCTION aegis.replica_state(OUT standby boolean, OUT streaming boolean, OUT lag_ms bigint)
  AS 'MODULE_PATHNAME', 'aegis_replica_state' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.replica_state() IS
  'whether this is a hot standby, whether it receives what the primary writes, and how far behind it is in applying that, in milliseconds';
