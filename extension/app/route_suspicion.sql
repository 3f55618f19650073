-- The application's routes of reports of suspicion. Ranks are asked by the functions: an officer has any. What is done with reports is
-- withheld, for whoever sees the gateway's numbers would learn that there are some.

DO $$
DECLARE
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  anybody CONSTANT jsonb := '{"type": ["string", "null"], "format": "uuid"}';
  maybe   CONSTANT jsonb := '{"type": ["string", "null"]}';
  words   CONSTANT jsonb := '{"type": "string"}';
  instant CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later   CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  state   CONSTANT jsonb := '{"enum": ["received", "disclosed", "dismissed"]}';
  by_id   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  report  CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id, 'subject_id', id, 'state', state, 'reported_by', anybody, 'reported_at', instant, 'decided_by', anybody,
            'decided_at', later, 'narrative', words, 'reference', maybe, 'reason', maybe));
BEGIN
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/suspicion', 'aegis_app.file_suspicion_report(aegis.request)', tag => 'Suspicion', withheld => true,
    summary => 'File a report of suspicion; whoever files it cannot read it again', parameter_schema => by_id, success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('narrative', words || '{"maxLength": 8000}')));
  PERFORM aegis.register_route('GET', '/api/suspicion-reports', 'aegis_app.list_suspicion_reports(aegis.request)', tag => 'Suspicion', withheld => true,
    summary => 'Reports, newest first; for reporting officers',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('state', state,
      'limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb, 'after', id || '{"description": "the last id of the page before"}')),
    response_schema => aegis.object_schema(jsonb_build_object('reports', jsonb_build_object('type', 'array', 'items', report))));
  PERFORM aegis.register_route('GET', '/api/suspicion-reports/{id}', 'aegis_app.get_suspicion_report(aegis.request)', tag => 'Suspicion', withheld => true,
    summary => 'One report; for reporting officers', parameter_schema => by_id, response_schema => report);
  PERFORM aegis.register_route('POST', '/api/suspicion-reports/{id}/decision', 'aegis_app.decide_suspicion_report(aegis.request)', tag => 'Suspicion', withheld => true,
    summary => 'Say what became of a report; for reporting officers', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('state', '{"enum": ["disclosed", "dismissed"]}'::jsonb, 'reason', words || '{"maxLength": 4000}',
      'reference', maybe || '{"maxLength": 200, "description": "of the authority; with disclosed only"}'), '{reference}'), response_schema => report);
  PERFORM aegis.register_route('GET', '/api/reporting-officers', 'aegis_app.list_reporting_officers(aegis.request)', tag => 'Suspicion', withheld => true,
    summary => 'Who receives reports of suspicion',
    response_schema => aegis.object_schema(jsonb_build_object('officers', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
      'user_id', id, 'name', maybe, 'appointed_by', anybody, 'appointed_at', instant))))));
  PERFORM aegis.register_route('POST', '/api/reporting-officers', 'aegis_app.appoint_reporting_officer(aegis.request)', 4::smallint, tag => 'Suspicion',
    summary => 'Make somebody else reporting officer', success_status => 204::smallint, problems => '{"conflict": 409, "not-found": 404}', step_up => '1 day',
    request_schema => aegis.object_schema(jsonb_build_object('user_id', id)));
  PERFORM aegis.register_route('DELETE', '/api/reporting-officers/{id}', 'aegis_app.dismiss_reporting_officer(aegis.request)', 4::smallint, tag => 'Suspicion',
    summary => 'Take the office away', parameter_schema => by_id, success_status => 204::smallint, step_up => '1 day');
END $$;
