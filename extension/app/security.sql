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

-- Sessions ----------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.list_sessions(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  everybody boolean := coalesce(request.query ->> 'of' = 'everybody', false);
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('sessions', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'user_id', s.user_id, 'device', s.device, 'network', s.network,
             'created_at', s.created_at, 'last_seen_at', s.last_seen_at, 'expires_at', s.expires_at, 'ended_at', s.ended_at,
             'end_reason', s.end_reason, 'live', s.live, 'current', s.current) ORDER BY s.created_at DESC, s.id), '[]')
      FROM aegis.sessions() s WHERE CASE WHEN everybody THEN s.live ELSE s.user_id = aegis.user_id() END)));
END $$;
COMMENT ON FUNCTION aegis_app.list_sessions(aegis.request) IS 'GET /api/sessions?of=everybody';

CREATE FUNCTION aegis_app.end_session(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  session uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF session IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such session');
  END IF;
  PERFORM aegis.end_session(session);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.end_session(aegis.request) IS 'DELETE /api/sessions/{id}';

-- Invitations, and passwords that were forgotten -----------------------------------------------------

CREATE FUNCTION aegis_app.invite_user(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id uuid;
BEGIN
  id := aegis.invite_user(aegis_app.text_field(request.body, 'email', 254), aegis_app.text_field(request.body, 'name', 200),
                          aegis_app.integer_field(request.body, 'rank', 1, 4)::smallint, aegis_app.uuid_field(request.body, 'team_id'));
  RETURN aegis_app.ok(jsonb_build_object('id', id), 201, jsonb_build_object('location', '/api/users/' || id));
END $$;
COMMENT ON FUNCTION aegis_app.invite_user(aegis.request) IS 'POST /api/invitations {email, name, rank, team_id?}';

CREATE FUNCTION aegis_app.list_invitations(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('invitations', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('user_id', i.user_id, 'invited_by', i.invited_by, 'sent_at', i.sent_at,
                                                 'expires_at', i.expires_at, 'expired', i.expired)), '[]')
      FROM aegis.invitations() i)));
END $$;
COMMENT ON FUNCTION aegis_app.list_invitations(aegis.request) IS 'GET /api/invitations';

CREATE FUNCTION aegis_app.change_invitation(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  target uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.invitations() i WHERE i.user_id = target) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invitation');
  END IF;
  IF request.method = 'DELETE' THEN
    PERFORM aegis.revoke_invitation(target);
  ELSE
    PERFORM aegis.resend_invitation(target);
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.change_invitation(aegis.request) IS 'DELETE /api/invitations/{id}: takes it back; PUT: mails it anew';

CREATE FUNCTION aegis_app.token_answer(outcome text, retry_after integer, organisation text) RETURNS aegis.response
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE outcome
    WHEN 'success' THEN aegis_app.ok(jsonb_build_object('organisation', organisation))
    WHEN 'taken' THEN aegis_app.problem(409, 'name-taken', 'An organisation of this short name exists already')
    WHEN 'code' THEN aegis_app.problem(401, 'code-required', 'A code of the second factor is needed as well')
    WHEN 'failed' THEN aegis_app.problem(401, 'not-confirmed', 'The code or password is wrong, or there were too many attempts')
    WHEN 'busy' THEN aegis.respond(429, '{"type": "urn:aegis:problem:busy", "title": "Too many sign-ins at once", "status": 429}',
                                   jsonb_build_object('content-type', 'application/problem+json', 'retry-after', retry_after::text))
    ELSE aegis_app.problem(401, 'link-invalid', 'The link was used, was taken back, or is too old') END;
COMMENT ON FUNCTION aegis_app.token_answer(text, integer, text) IS 'what became of a mailed token, as an answer';

CREATE FUNCTION aegis_app.accept_invitation(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  done record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'password', 256);
  done := aegis.accept_invitation(aegis_app.text_field(request.body, 'token', 100), request.body ->> 'password');  -- as typed: blanks count
  RETURN aegis_app.token_answer(done.outcome, done.retry_after, done.organisation);
END $$;
COMMENT ON FUNCTION aegis_app.accept_invitation(aegis.request) IS 'POST /api/invitation {token, password}';

CREATE FUNCTION aegis_app.request_password_reset(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wait integer := aegis.request_password_reset(aegis_app.text_field(request.body, 'tenant', 63), aegis_app.text_field(request.body, 'email', 254));
BEGIN
  RETURN CASE WHEN wait IS NULL THEN aegis_app.ok(NULL, 204) ELSE aegis_app.token_answer('busy', wait, NULL) END;
END $$;
COMMENT ON FUNCTION aegis_app.request_password_reset(aegis.request) IS 'POST /api/password-reset {tenant, email}: the same answer whoever it is';

CREATE FUNCTION aegis_app.reset_password(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  done record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'password', 256);
  done := aegis.reset_password(aegis_app.text_field(request.body, 'token', 100), request.body ->> 'password',
                               aegis_app.text_field(request.body, 'code', 64, false));
  RETURN aegis_app.token_answer(done.outcome, done.retry_after, done.organisation);
END $$;
COMMENT ON FUNCTION aegis_app.reset_password(aegis.request) IS 'PUT /api/password-reset {token, password, code?}';

-- Demo mode -----------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.get_demo(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('logins', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('tenant', l.tenant, 'email', l.email, 'password', l.password, 'remark', l.remark)), '[]')
      FROM aegis.demo_logins() l)));
END $$;
COMMENT ON FUNCTION aegis_app.get_demo(aegis.request) IS 'GET /api/demo: nothing unless gateway and database are in demo mode';

-- Signing up ----------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.get_sign_up(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok((SELECT jsonb_build_object('open', s.open, 'region', s.region) FROM aegis.sign_up_open() s));
END $$;
COMMENT ON FUNCTION aegis_app.get_sign_up(aegis.request) IS 'GET /api/sign-up';

CREATE FUNCTION aegis_app.request_sign_up(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wait integer := aegis.request_sign_up(aegis_app.text_field(request.body, 'organisation', 200), aegis_app.text_field(request.body, 'region', 16),
                                        aegis_app.text_field(request.body, 'name', 200), aegis_app.text_field(request.body, 'email', 254));
BEGIN
  RETURN CASE WHEN wait IS NULL THEN aegis_app.ok(NULL, 204) ELSE aegis_app.token_answer('busy', wait, NULL) END;
END $$;
COMMENT ON FUNCTION aegis_app.request_sign_up(aegis.request) IS 'POST /api/sign-up {organisation, region, name, email}';

CREATE FUNCTION aegis_app.finish_sign_up(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  done record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'password', 256);
  done := aegis.finish_sign_up(aegis_app.text_field(request.body, 'token', 100), aegis_app.text_field(request.body, 'slug', 63),
                               request.body ->> 'password',  -- as typed: blanks count
                               request.headers ? 'aegis-name-taken');  -- of the gateway, which asked the other regions
  RETURN aegis_app.token_answer(done.outcome, done.retry_after, done.organisation);
END $$;
COMMENT ON FUNCTION aegis_app.finish_sign_up(aegis.request) IS 'PUT /api/sign-up {token, slug, password}';
