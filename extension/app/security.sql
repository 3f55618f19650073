-- How the caller proves who they are, and what admins decide about it. Rules live in aegis; docs/second_factor.md.

CREATE FUNCTION aegis_app.get_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  f record := aegis.second_factor();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('active', f.active, 'confirmed_at', f.confirmed_at,
                                         'recovery_codes', f.recovery_codes, 'required', f.required));
END $$;
COMMENT ON FUNCTION aegis_app.get_second_factor(aegis.request) IS 'GET /api/second-factor';

CREATE FUNCTION aegis_app.begin_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  f record := aegis.begin_second_factor();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('secret', f.secret, 'uri', f.uri, 'qr', f.qr));
END $$;
COMMENT ON FUNCTION aegis_app.begin_second_factor(aegis.request) IS 'POST /api/second-factor';

CREATE FUNCTION aegis_app.confirm_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('recovery_codes',
    to_jsonb(aegis.confirm_second_factor(aegis_app.text_field(request.body, 'code', 64)))));
END $$;
COMMENT ON FUNCTION aegis_app.confirm_second_factor(aegis.request) IS 'PUT /api/second-factor {code}';

CREATE FUNCTION aegis_app.remove_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.remove_second_factor();
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.remove_second_factor(aegis.request) IS 'DELETE /api/second-factor';

CREATE FUNCTION aegis_app.new_recovery_codes(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('recovery_codes', to_jsonb(aegis.new_recovery_codes())));
END $$;
COMMENT ON FUNCTION aegis_app.new_recovery_codes(aegis.request) IS 'POST /api/second-factor/recovery-codes';

CREATE FUNCTION aegis_app.reset_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.users() u WHERE u.id = target) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such user');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('outcome', aegis.reset_second_factor(target)));
END $$;
COMMENT ON FUNCTION aegis_app.reset_second_factor(aegis.request) IS 'DELETE /api/users/{id}/second-factor';

CREATE FUNCTION aegis_app.require_second_factor(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.require_second_factor(CASE WHEN jsonb_typeof(request.body -> 'minimum_rank') IS DISTINCT FROM 'null'
    THEN aegis_app.integer_field(request.body, 'minimum_rank', 1, 4)::smallint END);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.require_second_factor(aegis.request) IS 'PUT /api/organisation/second-factor {minimum_rank}; null: of nobody';

CREATE FUNCTION aegis_app.change_password(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  done record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'old', 256), aegis_app.text_field(request.body, 'new', 256);
  done := aegis.change_password(request.body ->> 'old', request.body ->> 'new');  -- as typed: blanks count
  -- Answered, not raised: a rollback would leave the attempt to the worker.
  RETURN CASE done.outcome
    WHEN 'success' THEN aegis_app.ok(NULL, 204)
    WHEN 'failed' THEN aegis_app.problem(401, 'not-confirmed', 'The code or password is wrong, or there were too many attempts')
    ELSE aegis.respond(429, '{"type": "urn:aegis:problem:busy", "title": "Too many sign-ins at once", "status": 429}',
                       jsonb_build_object('content-type', 'application/problem+json', 'retry-after', done.retry_after::text)) END;
END $$;
COMMENT ON FUNCTION aegis_app.change_password(aegis.request) IS 'PUT /api/password {old, new}';

CREATE FUNCTION aegis_app.order_password_change(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.users() u WHERE u.id = target) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such user');
  END IF;
  PERFORM aegis.order_password_change(target);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.order_password_change(aegis.request) IS 'DELETE /api/users/{id}/password: a new one must be chosen';
