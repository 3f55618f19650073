-- The application's routes of second factors. What is dangerous asks for a fresh confirmation by itself; the routes say
-- so, too, for those who read the interface.

DO $$
DECLARE
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words   CONSTANT jsonb := '{"type": "string"}';
  by_id   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  recent  CONSTANT interval := '1 day';  -- aegis.step_up_time is less, and decides
  rank    CONSTANT jsonb := '{"type": "integer", "minimum": 1, "maximum": 4, "description": "1 user, 2 team lead, 3 manager, 4 admin"}';
  maybe   CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  never   CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  truth   CONSTANT jsonb := '{"type": "boolean"}';
  someone CONSTANT jsonb := '{"type": ["string", "null"], "format": "uuid"}';
  place   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('organisation', maybe || '{"description": "the short name to sign in with"}'));
  codes   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('recovery_codes', jsonb_build_object('type', 'array', 'items', words)));
BEGIN
  PERFORM aegis.register_route('GET', '/api/second-factor', 'aegis_app.get_second_factor(aegis.request)', tag => 'Security',
    summary => 'The second factor of the caller',
    response_schema => aegis.object_schema(jsonb_build_object('active', '{"type": "boolean"}'::jsonb, 'required', '{"type": "boolean"}'::jsonb,
      'confirmed_at', '{"type": ["string", "null"], "format": "date-time"}'::jsonb, 'recovery_codes', '{"type": "integer"}'::jsonb)));
  PERFORM aegis.register_route('POST', '/api/second-factor', 'aegis_app.begin_second_factor(aegis.request)', tag => 'Security', step_up => recent,
    summary => 'Begin to set up a second factor',
    response_schema => aegis.object_schema(jsonb_build_object('secret', words, 'uri', words, 'qr', words || '{"description": "SVG"}')));
  PERFORM aegis.register_route('PUT', '/api/second-factor', 'aegis_app.confirm_second_factor(aegis.request)', tag => 'Security', step_up => recent,
    summary => 'Confirm the second factor by its first code', request_schema => aegis.object_schema(jsonb_build_object('code', words)), response_schema => codes);
  PERFORM aegis.register_route('DELETE', '/api/second-factor', 'aegis_app.remove_second_factor(aegis.request)', tag => 'Security', step_up => recent,
    summary => 'Take the second factor of the caller away', success_status => 204::smallint, problems => '{"conflict": 409}');
  PERFORM aegis.register_route('POST', '/api/second-factor/recovery-codes', 'aegis_app.new_recovery_codes(aegis.request)', tag => 'Security', step_up => recent,
    summary => 'New recovery codes in place of those before', response_schema => codes, problems => '{"conflict": 409}');
  PERFORM aegis.register_route('DELETE', '/api/users/{id}/second-factor', 'aegis_app.reset_second_factor(aegis.request)', 2::smallint, tag => 'Organisation', step_up => recent,
    summary => 'Take the second factor of another user away; of an admin when a second person asks for it', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('outcome', '{"enum": ["done", "requested"]}'::jsonb)));
  PERFORM aegis.register_route('PUT', '/api/organisation/second-factor', 'aegis_app.require_second_factor(aegis.request)', 4::smallint, tag => 'Organisation', step_up => recent,
    summary => 'From which rank on a second factor is wanted', success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('minimum_rank', '{"type": ["integer", "null"], "minimum": 1, "maximum": 4}'::jsonb)));
  PERFORM aegis.register_route('PUT', '/api/password', 'aegis_app.change_password(aegis.request)', tag => 'Security',
    summary => 'Change the password of the caller', success_status => 204::smallint, problems => '{"not-confirmed": 401, "busy": 429}',
    request_schema => aegis.object_schema(jsonb_build_object('old', words || '{"maxLength": 256}', 'new', words || '{"maxLength": 256}')));
  PERFORM aegis.register_route('DELETE', '/api/users/{id}/password', 'aegis_app.order_password_change(aegis.request)', 2::smallint, tag => 'Organisation', step_up => recent,
    summary => 'Have a user choose a new password; ends their session', parameter_schema => by_id, success_status => 204::smallint);
  PERFORM aegis.register_route('GET', '/api/sessions', 'aegis_app.list_sessions(aegis.request)', tag => 'Security',
    summary => 'Sessions of the caller, also those that ended lately; for admins, those that live of everybody',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('of', '{"enum": ["everybody"]}'::jsonb)),
    response_schema => aegis.object_schema(jsonb_build_object('sessions', jsonb_build_object('type', 'array', 'items', aegis.object_schema(
      jsonb_build_object('id', id, 'user_id', id, 'device', maybe, 'network', maybe, 'created_at', instant, 'last_seen_at', instant, 'expires_at', instant,
                         'ended_at', never, 'end_reason', maybe, 'live', truth, 'current', truth))))));
  PERFORM aegis.register_route('DELETE', '/api/sessions/{id}', 'aegis_app.end_session(aegis.request)', tag => 'Security',
    summary => 'End a session of one''s own; for admins, of anybody', parameter_schema => by_id, success_status => 204::smallint);

  PERFORM aegis.register_route('GET', '/api/invitations', 'aegis_app.list_invitations(aegis.request)', 2::smallint, tag => 'Organisation',
    summary => 'Invitations that were not accepted yet',
    response_schema => aegis.object_schema(jsonb_build_object('invitations', jsonb_build_object('type', 'array', 'items', aegis.object_schema(
      jsonb_build_object('user_id', id, 'invited_by', someone, 'sent_at', never, 'expires_at', never, 'expired', truth))))));
  PERFORM aegis.register_route('POST', '/api/invitations', 'aegis_app.invite_user(aegis.request)', 2::smallint, tag => 'Organisation',
    summary => 'Invite somebody by mail', success_status => 201::smallint, problems => '{"conflict": 409, "not-found": 404}',
    request_schema => aegis.object_schema(jsonb_build_object('email', words || '{"maxLength": 254}', 'name', words || '{"maxLength": 200}', 'rank', rank,
      'team_id', maybe), '{team_id}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id)));
  PERFORM aegis.register_route('PUT', '/api/invitations/{id}', 'aegis_app.change_invitation(aegis.request)', 2::smallint, tag => 'Organisation',
    summary => 'Mail an invitation anew; the link before ends', parameter_schema => by_id, success_status => 204::smallint, problems => '{"conflict": 409}');
  PERFORM aegis.register_route('DELETE', '/api/invitations/{id}', 'aegis_app.change_invitation(aegis.request)', 2::smallint, tag => 'Organisation',
    summary => 'Take an invitation back', parameter_schema => by_id, success_status => 204::smallint, problems => '{"conflict": 409}');

  PERFORM aegis.register_route('POST', '/api/invitation', 'aegis_app.accept_invitation(aegis.request)', public => true, body_limit => 4096, tag => 'Session',
    summary => 'Choose the first password by the link of an invitation', problems => '{"link-invalid": 401, "busy": 429}',
    request_schema => aegis.object_schema(jsonb_build_object('token', words || '{"maxLength": 100}', 'password', words || '{"maxLength": 256}')), response_schema => place);
  PERFORM aegis.register_route('POST', '/api/password-reset', 'aegis_app.request_password_reset(aegis.request)', public => true, body_limit => 4096, tag => 'Session',
    summary => 'Have a link for a new password mailed; the answer is the same whether there is such a user', success_status => 204::smallint, problems => '{"conflict": 409, "busy": 429}',
    request_schema => aegis.object_schema(jsonb_build_object('tenant', words || '{"maxLength": 63}', 'email', words || '{"maxLength": 254}')));
  PERFORM aegis.register_route('PUT', '/api/password-reset', 'aegis_app.reset_password(aegis.request)', public => true, body_limit => 4096, tag => 'Session',
    summary => 'Choose a new password by a mailed link; ends every session', problems => '{"link-invalid": 401, "code-required": 401, "not-confirmed": 401, "busy": 429}',
    request_schema => aegis.object_schema(jsonb_build_object('token', words || '{"maxLength": 100}', 'password', words || '{"maxLength": 256}',
      'code', words || '{"maxLength": 64}'), '{code}'), response_schema => place);

  PERFORM aegis.register_route('GET', '/api/demo', 'aegis_app.get_demo(aegis.request)', public => true, tag => 'Service',
    summary => 'Sample logins in demo mode; otherwise none',
    response_schema => aegis.object_schema(jsonb_build_object('logins', jsonb_build_object('type', 'array', 'items', aegis.object_schema(
      jsonb_build_object('tenant', words, 'email', words, 'password', words, 'remark', words))))));

  PERFORM aegis.register_route('GET', '/api/sign-up', 'aegis_app.get_sign_up(aegis.request)', public => true, tag => 'Session',
    summary => 'Whether organisations may be signed up here, and in which region', response_schema => aegis.object_schema(jsonb_build_object('open', truth, 'region', words)));
  PERFORM aegis.register_route('POST', '/api/sign-up', 'aegis_app.request_sign_up(aegis.request)', public => true, body_limit => 4096, tag => 'Session',
    summary => 'Have a link mailed that goes on with a new organisation', success_status => 204::smallint, problems => '{"conflict": 409, "misdirected": 421, "busy": 429}',
    request_schema => aegis.object_schema(jsonb_build_object('organisation', words || '{"maxLength": 200}', 'region', words || '{"maxLength": 16}',
      'name', words || '{"maxLength": 200}', 'email', words || '{"maxLength": 254}')));
  PERFORM aegis.register_route('PUT', '/api/sign-up', 'aegis_app.finish_sign_up(aegis.request)', public => true, body_limit => 4096, tag => 'Session',
    summary => 'Make the organisation of a mailed link, and its first admin', problems => '{"link-invalid": 401, "name-taken": 409, "conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('token', words || '{"maxLength": 100}', 'slug', words || '{"maxLength": 63, "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}',
      'password', words || '{"maxLength": 256}')), response_schema => place);
END $$;
