-- The organisation as its members see it: the tenant itself, its teams and its users.
-- Rules live in aegis (ranks, ranges, passwords); these handlers only shape requests and answers.

-- Shapes that every handler uses ------------------------------------------------------------------
-- Names in RETURN are bound when the function is made. Without a setting of its own, such a function becomes part
-- of the statement that calls it and is planned with it; otherwise it is planned again by each transaction.

CREATE FUNCTION aegis_app.ok(body jsonb, status integer DEFAULT 200, headers jsonb DEFAULT '{}')
  RETURNS aegis.response LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN ROW(status, headers, body, NULL)::aegis.response;
COMMENT ON FUNCTION aegis_app.ok(jsonb, integer, jsonb) IS 'answer of a handler that succeeded';

CREATE FUNCTION aegis_app.problem(status integer, name text, title text, detail text DEFAULT NULL)
  RETURNS aegis.response LANGUAGE sql STABLE PARALLEL SAFE
  RETURN ROW(status, jsonb_build_object('content-type', 'application/problem+json'),
             jsonb_strip_nulls(jsonb_build_object('type', 'urn:aegis:problem:' || name, 'title', title,
                                                  'status', status, 'detail', detail)), NULL)::aegis.response;
COMMENT ON FUNCTION aegis_app.problem(integer, text, text, text) IS 'answer of a handler that refuses, RFC 9457';

CREATE FUNCTION aegis_app.text_field(body jsonb, field text, longest integer, required boolean DEFAULT true)
  RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := btrim(body ->> field);
BEGIN
  IF body -> field IS NOT NULL AND jsonb_typeof(body -> field) NOT IN ('string', 'null') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a string', field);
  END IF;
  -- A name that nobody can see is none: blanks of every kind, marks of width and direction.
  IF value IS NULL OR value !~ '[^[:space:]\u00a0\u00ad\u061c\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]' THEN
    IF required THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" is required', field);
    END IF;
    RETURN NULL;
  END IF;
  IF char_length(value) > longest THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('field "%s" is longer than %s characters', field, longest);
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.text_field(jsonb, text, integer, boolean) IS
  'trimmed text of a JSON field; raises invalid_parameter_value when missing, too long or not a string';

CREATE FUNCTION aegis_app.integer_field(body jsonb, field text, low bigint, high bigint, fallback bigint DEFAULT NULL)
  RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value bigint;
BEGIN
  IF body -> field IS NULL OR jsonb_typeof(body -> field) = 'null' THEN
    IF fallback IS NOT NULL THEN
      RETURN fallback;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" is required', field);
  END IF;
  -- Amounts travel as strings: a JSON number loses precision above 2^53 in most clients.
  IF jsonb_typeof(body -> field) NOT IN ('number', 'string') OR (body ->> field) !~ '^-?[0-9]{1,18}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a whole number', field);
  END IF;
  value := (body ->> field)::bigint;
  IF value < low OR value > high THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('field "%s" must be between %s and %s', field, low, high);
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.integer_field(jsonb, text, bigint, bigint, bigint) IS
  'whole number of a JSON field, given as number or string; raises invalid_parameter_value outside low..high';

CREATE FUNCTION aegis_app.uuid_of(value text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- An id that cannot exist is answered like one that does not: NULL finds no row.
  IF value !~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN
    RETURN NULL;
  END IF;
  RETURN value::uuid;
END $$;
COMMENT ON FUNCTION aegis_app.uuid_of(text) IS 'the id in a path or query, NULL when it is not a UUID';

CREATE FUNCTION aegis_app.uuid_field(body jsonb, field text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := aegis_app.text_field(body, field, 36, false);
BEGIN
  -- Unlike an id in a path: left out, or taken for none, it would mean another thing than the client meant.
  IF value IS NOT NULL AND aegis_app.uuid_of(value) IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a UUID', field);
  END IF;
  RETURN value::uuid;
END $$;
COMMENT ON FUNCTION aegis_app.uuid_field(jsonb, text) IS 'id of a JSON field or a query, NULL when it is left out';

-- Who waited for a lock must see what its holder wrote: one snapshot for the whole transaction would show what was there before.
CREATE FUNCTION aegis_app.require_new_snapshots() RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'what others decide meanwhile would not be seen at this isolation level', HINT = 'Use READ COMMITTED.';
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.require_new_snapshots() IS 'an error where a statement would not see what was committed before it';

-- Organisation ------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.get_organisation(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t record := aegis.current_tenant();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('id', t.id, 'slug', t.slug, 'name', t.name, 'region', t.region));
END $$;
COMMENT ON FUNCTION aegis_app.get_organisation(aegis.request) IS 'GET /api/organisation';

CREATE FUNCTION aegis_app.list_teams(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('teams', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'parent_id', t.parent_id) ORDER BY t.ord), '[]')
      FROM aegis.teams() t)));
END $$;
COMMENT ON FUNCTION aegis_app.list_teams(aegis.request) IS 'GET /api/teams';

CREATE FUNCTION aegis_app.create_team(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id uuid;
BEGIN
  id := aegis.create_team(aegis_app.text_field(request.body, 'name', 100),
                          aegis_app.uuid_field(request.body, 'parent_id'));
  RETURN aegis_app.ok(jsonb_build_object('id', id), 201, jsonb_build_object('location', '/api/teams/' || id));
END $$;
COMMENT ON FUNCTION aegis_app.create_team(aegis.request) IS 'POST /api/teams {name, parent_id?}';

CREATE FUNCTION aegis_app.list_users(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('users', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email, 'rank', u.rank,
                                                 'team_id', u.team_id, 'status', u.status) ORDER BY u.name, u.id), '[]')
      FROM aegis.users() u)));
END $$;
COMMENT ON FUNCTION aegis_app.list_users(aegis.request) IS 'GET /api/users';

CREATE FUNCTION aegis_app.create_user(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id uuid;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'password', 256);
  id := aegis.create_user(aegis_app.text_field(request.body, 'email', 254),
                          aegis_app.text_field(request.body, 'name', 200),
                          aegis_app.integer_field(request.body, 'rank', 1, 4)::smallint,
                          aegis_app.uuid_field(request.body, 'team_id'),
                          request.body ->> 'password');  -- as typed: blanks count
  RETURN aegis_app.ok(jsonb_build_object('id', id), 201, jsonb_build_object('location', '/api/users/' || id));
END $$;
COMMENT ON FUNCTION aegis_app.create_user(aegis.request) IS 'POST /api/users {email, name, rank, team_id?, password}';

CREATE FUNCTION aegis_app.change_user(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.users() u WHERE u.id = target) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such user');
  END IF;
  IF request.body ? 'rank' THEN
    PERFORM aegis.set_rank(target, aegis_app.integer_field(request.body, 'rank', 1, 4)::smallint);
  END IF;
  IF request.body ? 'team_id' THEN
    PERFORM aegis_app.text_field(request.body, 'team_id', 36);  -- required: null is no team
    PERFORM aegis.move_user(target, aegis_app.uuid_field(request.body, 'team_id'));
  END IF;
  RETURN aegis_app.ok((SELECT jsonb_build_object('id', u.id, 'rank', u.rank, 'team_id', u.team_id, 'status', u.status)
                         FROM aegis.users() u WHERE u.id = target));
END $$;
COMMENT ON FUNCTION aegis_app.change_user(aegis.request) IS 'PATCH /api/users/{id} {rank?, team_id?}';

CREATE FUNCTION aegis_app.deactivate_user(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.users() u WHERE u.id = target) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such user');
  END IF;
  PERFORM aegis.deactivate_user(target);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.deactivate_user(aegis.request) IS 'DELETE /api/users/{id}: ends their sessions as well';
