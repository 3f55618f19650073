-- The application's routes of restriction, retention, erasure and export, all for managers.

DO $$
DECLARE
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  anybody CONSTANT jsonb := '{"type": ["string", "null"], "format": "uuid"}';
  maybe   CONSTANT jsonb := '{"type": ["string", "null"]}';
  words   CONSTANT jsonb := '{"type": "string"}';
  instant CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later   CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  day     CONSTANT jsonb := '{"type": ["string", "null"], "format": "date"}';
  list    CONSTANT jsonb := '{"type": "array"}';
  recent  CONSTANT interval := '1 day';  -- aegis.step_up_time is less, and decides
  by_id   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  count   CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  hindrance CONSTANT jsonb := '{"enum": ["relationship", "retention", "hold", null]}';
  basis   CONSTANT jsonb := '{"enum": ["accuracy", "unlawful", "claim", "objection", "retention"]}';
  asked   CONSTANT jsonb := jsonb_build_object('id', id, 'subject_id', id, 'origin', '{"enum": ["subject", "retention"]}'::jsonb,
            'state', '{"enum": ["refused", "requested", "approved", "done"]}'::jsonb, 'hindrance', hindrance, 'basis', maybe,
            'until', day, 'requested_by', anybody, 'requested_at', instant, 'approved_by', anybody, 'approved_at', later, 'done_at', later);
  erasure CONSTANT jsonb := aegis.object_schema(asked);
  hold    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id, 'reason', maybe, 'placed_by', anybody, 'placed_at', instant, 'released_by', anybody, 'released_at', later));
  job     CONSTANT jsonb := aegis.object_schema(jsonb_build_object('state', words, 'finished_at', later)) || '{"type": ["object", "null"]}';
BEGIN
  PERFORM aegis.register_route('GET', '/api/kyc/subjects/{id}/privacy', 'aegis_app.get_kyc_privacy(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Restriction, legal holds and requests to erase, and what forbids an erasure now', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('restriction', '{"enum": ["accuracy", "unlawful", "claim", "objection", "retention", null]}'::jsonb, 'restricted_at', later,
      'ended_on', day, 'retained_until', day, 'erased_at', later, 'hindrance', hindrance, 'basis', maybe, 'until', day,
      'rule', aegis.object_schema(jsonb_build_object('years', count, 'basis', words)), 'holds', list || jsonb_build_object('items', hold),
      'erasures', list || jsonb_build_object('items', erasure))));
  PERFORM aegis.register_route('PUT', '/api/kyc/subjects/{id}/restriction', 'aegis_app.restrict_kyc_subject(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Keep the data of a subject and use it no more', parameter_schema => by_id, success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('basis', basis)));
  PERFORM aegis.register_route('DELETE', '/api/kyc/subjects/{id}/restriction', 'aegis_app.restrict_kyc_subject(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'End the restriction', parameter_schema => by_id, success_status => 204::smallint);
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/holds', 'aegis_app.place_kyc_hold(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Put a legal hold on a subject', parameter_schema => by_id, success_status => 201::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('reason', words || '{"maxLength": 2000}')), response_schema => aegis.object_schema(jsonb_build_object('id', id)));
  PERFORM aegis.register_route('DELETE', '/api/kyc/holds/{id}', 'aegis_app.release_kyc_hold(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Release a legal hold', parameter_schema => by_id, success_status => 204::smallint, problems => '{"conflict": 409}');
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/erasures', 'aegis_app.request_kyc_erasure(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Ask to erase a subject; refused with a date while it has to be kept', parameter_schema => by_id, success_status => 201::smallint, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('origin', '{"enum": ["subject", "retention"], "default": "subject"}'::jsonb), '{origin}'), response_schema => erasure);
  PERFORM aegis.register_route('POST', '/api/kyc/erasures/{id}/approval', 'aegis_app.approve_kyc_erasure(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Agree, as a second manager, to erase a subject; an operator does it', parameter_schema => by_id, problems => '{"conflict": 409}', step_up => recent,
    response_schema => erasure);
  PERFORM aegis.register_route('GET', '/api/kyc/erasures', 'aegis_app.list_kyc_erasures(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'Requests to erase, and subjects whose time of retention is over',
    response_schema => aegis.object_schema(jsonb_build_object('requests', list || jsonb_build_object('items', aegis.object_schema(asked || jsonb_build_object('name', maybe))),
      'due', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('subject_id', id, 'name', maybe, 'ended_on', day, 'retained_until', day))))));
  PERFORM aegis.register_route('GET', '/api/kyc/erasures/{id}', 'aegis_app.get_kyc_erasure(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'One request to erase, and how far it is', parameter_schema => by_id,
    response_schema => aegis.object_schema(asked || jsonb_build_object('name', maybe, 'job', job, 'certified_as', maybe || '{"description": "what certificate and ledger call the subject"}',
      'backups_until', later || '{"description": "a backup that began by then may still hold the key"}')));
  PERFORM aegis.register_route('GET', '/api/kyc/erasures/{id}/certificate', 'aegis_app.get_kyc_certificate(aegis.request)', 4::smallint, tag => 'Privacy',
    summary => 'The certificate of an erasure, which aegis-verify checks without the database', parameter_schema => by_id, problems => '{"conflict": 409, "gone": 410}',
    response_schema => '{"type": "string", "contentMediaType": "text/plain; charset=utf-8"}');
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/exports', 'aegis_app.export_kyc_subject(aegis.request)', 3::smallint, tag => 'Privacy',
    summary => 'The data of a subject for the subject: recorded', parameter_schema => by_id, problems => '{"gone": 410}', step_up => recent,
    response_schema => aegis.object_schema(jsonb_build_object('subject_id', id, 'made_at', instant, 'files', list || jsonb_build_object('items', id),
      'data', '{"type": "object", "description": "by table, the columns that are handed out", "additionalProperties": {"type": "array", "items": {"type": "object"}}}'::jsonb)));
END $$;
