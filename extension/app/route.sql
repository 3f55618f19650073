-- The application's routes of organisation, customers and the dashboard, with what goes in and comes out of each.
-- Registration is recorded; the gateway picks changes up by itself.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  number   CONSTANT jsonb := '{"type": "integer"}';
  rank     CONSTANT jsonb := '{"type": "integer", "minimum": 1, "maximum": 4, "description": "1 user, 2 team lead, 3 manager, 4 admin"}';
  status   CONSTANT jsonb := '{"enum": ["active", "inactive", "invited"]}';
  created  CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  listed   CONSTANT jsonb := jsonb_build_object('name', words, 'email', maybe);
  personal CONSTANT jsonb := listed || jsonb_build_object('phone', maybe, 'address', maybe, 'notes', maybe);
  version  CONSTANT jsonb := '{"type": "integer", "minimum": 1, "description": "the version that was read; guards against lost updates"}';
  customer CONSTANT jsonb := aegis.object_schema(personal || jsonb_build_object('id', id, 'version', version, 'created_at', instant, 'updated_at', instant));
  pages    CONSTANT jsonb := jsonb_build_object('limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb,
                                                'after', id || '{"description": "the last id of the page before"}');
BEGIN
  PERFORM aegis.register_route('GET', '/api/organisation', 'aegis_app.get_organisation(aegis.request)', tag => 'Organisation',
    summary => 'The organisation of the caller',
    response_schema => aegis.object_schema(jsonb_build_object('id', id, 'slug', words, 'name', words, 'region', words)));
  PERFORM aegis.register_route('GET', '/api/teams', 'aegis_app.list_teams(aegis.request)', tag => 'Organisation',
    summary => 'Teams the caller sees',
    response_schema => aegis.object_schema(jsonb_build_object('teams', jsonb_build_object('type', 'array', 'items',
      aegis.object_schema(jsonb_build_object('id', id, 'name', words, 'parent_id', id || '{"type": ["string", "null"]}'))))));
  PERFORM aegis.register_route('POST', '/api/teams', 'aegis_app.create_team(aegis.request)', 4::smallint, tag => 'Organisation',
    summary => 'Create a team', success_status => 201::smallint, problems => '{"conflict": 409, "not-found": 404}',
    request_schema => aegis.object_schema(jsonb_build_object('name', words || '{"maxLength": 100}', 'parent_id', maybe), '{parent_id}'),
    response_schema => created);
  PERFORM aegis.register_route('GET', '/api/users', 'aegis_app.list_users(aegis.request)', tag => 'Organisation',
    summary => 'Users the caller sees; names and addresses as far as the policy lets the caller',
    response_schema => aegis.object_schema(jsonb_build_object('users', jsonb_build_object('type', 'array', 'items',
      aegis.object_schema(jsonb_build_object('id', id, 'name', maybe, 'email', maybe, 'rank', rank, 'team_id', id, 'status', status))))));
  PERFORM aegis.register_route('POST', '/api/users', 'aegis_app.create_user(aegis.request)', 2::smallint, tag => 'Organisation',
    summary => 'Create a user', success_status => 201::smallint, problems => '{"conflict": 409, "not-found": 404}',
    request_schema => aegis.object_schema(jsonb_build_object('email', words || '{"maxLength": 254}', 'name', words || '{"maxLength": 200}', 'rank', rank,
      'team_id', maybe, 'password', words || '{"maxLength": 256}'), '{team_id}'),
    response_schema => created);
  PERFORM aegis.register_route('PATCH', '/api/users/{id}', 'aegis_app.change_user(aegis.request)', 3::smallint, tag => 'Organisation',
    summary => 'Change a user''s rank or team', parameter_schema => by_id, problems => '{"conflict": 409, "step-up-required": 401}',
    request_schema => aegis.object_schema(jsonb_build_object('rank', rank, 'team_id', id), '{rank,team_id}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id, 'rank', rank, 'team_id', id, 'status', status)));
  PERFORM aegis.register_route('DELETE', '/api/users/{id}', 'aegis_app.deactivate_user(aegis.request)', 3::smallint, tag => 'Organisation',
    summary => 'Deactivate a user; ends their session', parameter_schema => by_id, success_status => 204::smallint, problems => '{"conflict": 409}');

  PERFORM aegis.register_route('GET', '/api/customers', 'aegis_app.list_customers(aegis.request)', tag => 'Customers',
    summary => 'List customers, newest first, or find one by e-mail; addresses are masked',
    parameter_schema => jsonb_build_object('properties', pages || jsonb_build_object('email', words || '{"description": "exactly this address"}')),
    response_schema => aegis.object_schema(jsonb_build_object('customers', jsonb_build_object('type', 'array', 'items',
      aegis.object_schema(listed || jsonb_build_object('id', id, 'created_at', instant))))));
  PERFORM aegis.register_route('POST', '/api/customers', 'aegis_app.create_customer(aegis.request)', tag => 'Customers',
    summary => 'Create a customer', success_status => 201::smallint, problems => '{"email-taken": 409}',
    request_schema => aegis.object_schema(personal, '{email,phone,address,notes}'), response_schema => customer);
  PERFORM aegis.register_route('GET', '/api/customers/{id}', 'aegis_app.get_customer(aegis.request)', tag => 'Customers',
    summary => 'One customer, personal data revealed: recorded', parameter_schema => by_id, response_schema => customer);
  PERFORM aegis.register_route('PATCH', '/api/customers/{id}', 'aegis_app.change_customer(aegis.request)', tag => 'Customers',
    summary => 'Change a customer', parameter_schema => by_id, problems => '{"changed-meanwhile": 409, "email-taken": 409}',
    request_schema => aegis.object_schema(personal || jsonb_build_object('version', version), '{name,email,phone,address,notes,version}'),
    response_schema => customer);
END $$;
