-- The application's routes of second factors. What is dangerous asks for a fresh confirmation by itself; the routes say
-- so, too, for those who read the interface.

DO $$
DECLARE
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words   CONSTANT jsonb := '{"type": "string"}';
  by_id   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  recent  CONSTANT interval := '1 day';  -- aegis.step_up_time is less, and decides
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
END $$;
