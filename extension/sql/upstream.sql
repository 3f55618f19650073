-- Internal services behind the gateway: where they are, and which routes are theirs to answer. docs/upstream.md.

CREATE TABLE aegis.upstream (
  name       text        PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,47}$'),
  service_id uuid        NOT NULL REFERENCES aegis.service (id),
  url        text        NOT NULL CHECK (url ~ '^(https://[a-z0-9.-]+|http://(127[.]0[.]0[.]1|\[::1\]))(:[1-9][0-9]{0,4})?$'),
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
SELECT pg_catalog.pg_extension_config_dump('aegis.upstream', '');
COMMENT ON TABLE aegis.upstream IS 'services that answer routes: whose secret signs, and the address that is signed; the gateway''s own configuration must say the same';

CREATE TABLE aegis.upstream_route (
  method   text NOT NULL,
  path     text NOT NULL,
  upstream text NOT NULL REFERENCES aegis.upstream (name),
  target   text NOT NULL CHECK (target ~ '^(/([A-Za-z0-9_.~-]+|[{][a-z_][a-z0-9_]*[}]))+/?$' AND target !~ '/[.][.]?(/|$)'
                                AND pg_catalog.octet_length(target) <= 500),
  PRIMARY KEY (method, path),
  FOREIGN KEY (method, path) REFERENCES aegis.route (method, path) ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('aegis.upstream_route', '');
CREATE INDEX upstream_route_upstream ON aegis.upstream_route (upstream);
COMMENT ON TABLE aegis.upstream_route IS 'which upstream answers a route, under which path of its own';
COMMENT ON COLUMN aegis.upstream_route.target IS 'path there; {name} is filled from the parameter of the route''s path';

-- Backends keep a copy of both beside the routes.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.upstream
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.route_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.upstream_route
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.route_changed();

CREATE VIEW aegis.upstreams AS
  SELECT u.name, u.url, s.name AS service, s.retired_at IS NULL AS service_in_use,
         ARRAY(SELECT pg_catalog.concat(f.method, ' ', f.path) FROM aegis.upstream_route f WHERE f.upstream = u.name ORDER BY f.path, f.method) AS routes, u.created_at
    FROM aegis.upstream u JOIN aegis.service s ON s.id = u.service_id;
COMMENT ON VIEW aegis.upstreams IS 'services that answer routes, and which';

CREATE FUNCTION aegis.forwarded(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'route has no upstream',
    HINT = 'Register it with aegis.register_upstream_route().';
END $$;
COMMENT ON FUNCTION aegis.forwarded(aegis.request) IS 'handler of the routes that an upstream answers: aegis.handle signs their requests instead of calling it';

CREATE FUNCTION aegis.register_upstream(name text, service text, url text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s aegis.service;
BEGIN
  IF (name ~ '^[a-z][a-z0-9_-]{0,47}$' AND octet_length(url) <= 255
      AND url ~ '^(https://[a-z0-9.-]+|http://(127[.]0[.]0[.]1|\[::1\]))(:[1-9][0-9]{0,4})?$') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'upstream is not well formed',
      HINT = 'A name of a-z, 0-9, "_" and "-", and https://HOST[:PORT] or http://127.0.0.1:PORT, without a path.';
  END IF;
  SELECT t.* INTO s FROM aegis.service t WHERE t.name = register_upstream.service AND t.retired_at IS NULL FOR SHARE;
  IF s.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('service "%s" does not exist', coalesce(service, 'null')), HINT = 'SELECT aegis.create_service() first.';
  ELSIF s.tenant_id IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('service "%s" is of one tenant', service),
      DETAIL = 'An upstream answers requests of every tenant.', HINT = 'Make one of no tenant.';
  END IF;
  INSERT INTO aegis.upstream (name, service_id, url) VALUES (register_upstream.name, s.id, register_upstream.url)
    ON CONFLICT ON CONSTRAINT upstream_pkey DO UPDATE SET service_id = excluded.service_id, url = excluded.url;
  PERFORM aegis.record_tenant_event('upstream.registered', NULL, 'upstream', name, jsonb_build_object('service', service, 'url', url));
END $$;
COMMENT ON FUNCTION aegis.register_upstream(text, text, text) IS
  'says where a service answers routes, and whose secret signs what is sent there; a second call replaces the first; for operators; recorded';

CREATE FUNCTION aegis.drop_upstream(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM aegis.upstream_route f WHERE f.upstream = name) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_in_use', MESSAGE = format('upstream "%s" answers routes', name), HINT = 'Drop them first: aegis.upstreams lists them.';
  END IF;
  DELETE FROM aegis.upstream u WHERE u.name = drop_upstream.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('upstream "%s" does not exist', name), HINT = 'aegis.upstreams lists them.';
  END IF;
  PERFORM aegis.record_tenant_event('upstream.dropped', NULL, 'upstream', name, '{}');
END $$;
COMMENT ON FUNCTION aegis.drop_upstream(text) IS 'removes an upstream that answers no route any more; for operators; recorded';

CREATE FUNCTION aegis.register_upstream_route(method text, path text, upstream text, target text DEFAULT NULL, minimum_rank smallint DEFAULT 1,
                                              body_limit integer DEFAULT 65536, event text DEFAULT NULL, credentials text[] DEFAULT '{session,token}',
                                              scope text DEFAULT NULL, step_up interval DEFAULT NULL, summary text DEFAULT NULL, tag text DEFAULT NULL,
                                              parameter_schema jsonb DEFAULT NULL, request_schema jsonb DEFAULT NULL, response_schema jsonb DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Replaced, it would be withheld no more.
  IF EXISTS (SELECT FROM aegis.routes() r WHERE r.method = register_upstream_route.method AND r.path = register_upstream_route.path AND r.withheld) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('route "%s %s" is withheld', method, path),
      DETAIL = 'That an upstream''s request was signed stands in the log of the tenant.', HINT = 'Drop it first, if its calls may be known.';
  END IF;
  PERFORM aegis.register_route(method, path, 'aegis.forwarded(aegis.request)'::regprocedure, minimum_rank, false, body_limit, event, summary => summary,
    request_schema => request_schema, response_schema => response_schema, tag => tag, parameter_schema => parameter_schema,
    problems => '{}', credentials => credentials, scope => scope, step_up => step_up);
  PERFORM aegis.forward_route(method, path, upstream, coalesce(target, path));
END $$;
COMMENT ON FUNCTION aegis.register_upstream_route(text, text, text, text, smallint, integer, text, text[], text, interval, text, text, jsonb, jsonb, jsonb) IS
  'has an upstream answer a route, for callers of this rank and kind, under a path of its own (null: the same); for operators';

CREATE FUNCTION aegis.forward_route(method text, path text, upstream text, target text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  missing text;
BEGIN
  IF (target ~ '^(/([A-Za-z0-9_.~-]+|[{][a-z_][a-z0-9_]*[}]))+/?$' AND target !~ '/[.][.]?(/|$)' AND octet_length(target) <= 500) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'target of a route must be a path of the upstream', HINT = 'As "/v1/statements/{id}".';
  ELSIF NOT EXISTS (SELECT FROM aegis.upstream u WHERE u.name = forward_route.upstream FOR SHARE) THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('upstream "%s" does not exist', coalesce(upstream, 'null')), HINT = 'SELECT aegis.register_upstream() first.';
  ELSIF NOT EXISTS (SELECT FROM aegis.route r WHERE (r.method, r.path, r.handler_schema, r.handler) = (forward_route.method, forward_route.path, 'aegis', 'forwarded')
                    AND NOT r.public AND r.credentials <@ '{session,token,service}') THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('route "%s %s" is none that an upstream answers', method, path),
      HINT = 'Register it with aegis.register_upstream_route().';
  END IF;
  SELECT string_agg(DISTINCT m[1], ', ') INTO missing FROM regexp_matches(target, '[{]([^}]*)[}]', 'g') m WHERE position('{' || m[1] || '}' IN path) = 0;
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('path "%s" has no parameter %s', path, missing);
  END IF;
  INSERT INTO aegis.upstream_route (method, path, upstream, target) VALUES (forward_route.method, forward_route.path, forward_route.upstream, forward_route.target)
    ON CONFLICT ON CONSTRAINT upstream_route_pkey DO UPDATE SET upstream = excluded.upstream, target = excluded.target;
END $$;
COMMENT ON FUNCTION aegis.forward_route(text, text, text, text) IS 'where the requests of a route go whose handler is aegis.forwarded; for operators';
