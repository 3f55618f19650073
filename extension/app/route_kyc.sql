-- The application's routes of KYC.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  anybody  CONSTANT jsonb := '{"type": ["string", "null"], "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later    CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  day      CONSTANT jsonb := '{"type": ["string", "null"], "format": "date"}';
  count    CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  flag     CONSTANT jsonb := '{"type": "boolean"}';
  factor   CONSTANT jsonb := '{"type": "integer", "minimum": 1, "maximum": 3}';
  share    CONSTANT jsonb := '{"type": "integer", "minimum": 0, "maximum": 10000, "description": "hundredths of a per cent"}';
  version  CONSTANT jsonb := '{"type": "integer", "minimum": 1, "description": "the version that was read; guards against lost updates"}';
  text     CONSTANT jsonb := words || '{"maxLength": 4000}';
  kind     CONSTANT jsonb := '{"enum": ["person", "company", "trust", "partnership"]}';
  status   CONSTANT jsonb := '{"enum": ["in_progress", "pending_documents", "pending_review", "approved", "rejected", "expired", "suspended", "offboarded"]}';
  rating   CONSTANT jsonb := '{"enum": ["low", "medium", "high", "prohibited"]}';
  unrated  CONSTANT jsonb := '{"enum": ["low", "medium", "high", "prohibited", null]}';
  care     CONSTANT jsonb := '{"enum": ["sdd", "cdd", "edd"]}';
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  list     CONSTANT jsonb := '{"type": "array"}';
  masks    CONSTANT jsonb := '{"enum": ["clear", "masked"], "default": "clear", "description": "identity and numbers of documents in clear, which is recorded, or as masks"}';
  by_id_masked CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id, 'identity', masks), '{identity}');
  identity CONSTANT jsonb := jsonb_build_object('type', '["object", "null"]'::jsonb, 'description', 'of a person or of a company; numbers as letters and digits',
             'properties', (SELECT jsonb_object_agg(f.name, maybe || jsonb_build_object('maxLength', 2000)) FROM aegis_app.kyc_identity_fields() f));
  factors  CONSTANT jsonb := aegis.object_schema(jsonb_build_object('customer', factor, 'geography', factor, 'product', factor, 'channel', factor, 'transactions', factor));
  document CONSTANT jsonb := jsonb_build_object('id', id, 'type', words, 'country', maybe, 'issued_on', day, 'expires_on', day, 'media_type', words, 'size_bytes', count,
             'state', '{"enum": ["uploaded", "verified", "rejected"]}'::jsonb, 'method', maybe, 'uploaded_by', anybody, 'uploaded_at', instant, 'judged_by', anybody,
             'judged_at', later, 'number', maybe, 'file_name', maybe, 'remark', maybe);
  hit      CONSTANT jsonb := jsonb_build_object('id', id, 'score', '{"type": ["integer", "null"]}'::jsonb, 'disposition', '{"enum": ["true_match", "false_positive", null]}'::jsonb,
             'proposed_by', anybody, 'proposed_at', later, 'confirmed_by', anybody, 'confirmed_at', later, 'name', maybe, 'entry', maybe, 'rationale', maybe);
  screened CONSTANT jsonb := jsonb_build_object('id', id, 'kind', words, 'provider', words, 'list_version', words, 'screened_by', anybody, 'screened_at', instant,
             'matches', list || jsonb_build_object('items', aegis.object_schema(hit)));
  risk     CONSTANT jsonb := jsonb_build_object('rating', rating, 'computed', rating, 'level', care, 'model', count, 'factors', factors, 'rationale', maybe,
             'rated_by', anybody, 'rated_at', instant);
  review   CONSTANT jsonb := jsonb_build_object('id', id, 'cause', words, 'opened_by', anybody, 'opened_at', instant,
             'outcome', '{"enum": ["unchanged", "changed", "ended", null]}'::jsonb, 'completed_by', anybody, 'completed_at', later, 'findings', maybe);
  decision CONSTANT jsonb := jsonb_build_object('id', id, 'subject_id', id, 'command', words, 'state', '{"enum": ["proposed", "confirmed", "refused", "withdrawn"]}'::jsonb,
             'least_rank', count, 'proposed_by', anybody, 'proposed_at', instant, 'decided_by', anybody, 'decided_at', later, 'rationale', maybe, 'remark', maybe);
  listed   CONSTANT jsonb := jsonb_build_object('id', id, 'kind', kind, 'name', maybe, 'customer_id', anybody, 'status', status, 'rating', unrated,
             'level', '{"enum": ["sdd", "cdd", "edd", null]}'::jsonb, 'review_due', day, 'created_at', instant, 'updated_at', instant, 'restriction', maybe, 'erased_at', later);
  owners   CONSTANT jsonb := aegis.object_schema(jsonb_build_object(
             'direct', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('owner_id', id, 'name', maybe, 'control', words, 'share_bps', share))),
             'beneficial', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('owner_id', id, 'name', maybe, 'share_bps', share,
               'control', list || jsonb_build_object('items', words))))));
  subject  CONSTANT jsonb := aegis.object_schema(listed || jsonb_build_object('version', version, 'status_changed_at', instant, 'started_on', day, 'ended_on', day, 'retained_until', day, 'identity', identity,
             'documents', list || jsonb_build_object('items', aegis.object_schema(document)), 'screenings', list || jsonb_build_object('items', aegis.object_schema(screened)),
             'risk', aegis.object_schema(risk) || '{"type": ["object", "null"]}', 'reviews', list || jsonb_build_object('items', aegis.object_schema(review)),
             'decisions', list || jsonb_build_object('items', aegis.object_schema(decision)), 'owners', owners || '{"type": ["object", "null"]}',
             'findings', list || jsonb_build_object('description', 'what an approval lacks', 'items', aegis.object_schema(jsonb_build_object('finding', words, 'problem', words))),
             'commands', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('command', words, 'decided', flag)))));
BEGIN
  PERFORM aegis.register_route('GET', '/api/kyc/queue', 'aegis_app.get_kyc_queue(aegis.request)', tag => 'KYC',
    summary => 'What waits for the caller as the second person, and relationships to be looked at again',
    response_schema => aegis.object_schema(jsonb_build_object(
      'decisions', list || jsonb_build_object('items', aegis.object_schema(decision || jsonb_build_object('subject', aegis.object_schema(listed)))),
      'matches', list || jsonb_build_object('items', aegis.object_schema(hit || jsonb_build_object('subject', aegis.object_schema(listed)))),
      'reviews', list || jsonb_build_object('items', aegis.object_schema(listed)))));
  PERFORM aegis.register_route('GET', '/api/kyc/subjects', 'aegis_app.list_kyc_subjects(aegis.request)', tag => 'KYC',
    summary => 'List subjects of checks, newest first, or find them by e-mail or number',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('status', status, 'email', words || '{"description": "exactly this address"}',
      'number', words || '{"description": "of a document, register or tax office, however it is written"}',
      'limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb, 'after', id || '{"description": "the last id of the page before"}')),
    response_schema => aegis.object_schema(jsonb_build_object('subjects', list || jsonb_build_object('items', aegis.object_schema(listed)))));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects', 'aegis_app.create_kyc_subject(aegis.request)', tag => 'KYC',
    summary => 'Begin a check', success_status => 201::smallint, parameter_schema => aegis.object_schema(jsonb_build_object('identity', masks), '{identity}'), problems => '{"unknown-customer": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('kind', kind, 'name', words || '{"maxLength": 200}', 'customer_id', anybody, 'identity', identity), '{customer_id,identity}'),
    response_schema => subject);
  PERFORM aegis.register_route('GET', '/api/kyc/subjects/{id}', 'aegis_app.get_kyc_subject(aegis.request)', tag => 'KYC',
    summary => 'The file of a subject: recorded', parameter_schema => by_id_masked, response_schema => subject);
  PERFORM aegis.register_route('GET', '/api/kyc/subjects/{id}/identity', 'aegis_app.get_kyc_identity(aegis.request)', tag => 'KYC',
    summary => 'What identifies a subject, and the numbers of its documents, as much as the caller may see: recorded', parameter_schema => by_id, problems => '{"gone": 410}',
    response_schema => aegis.object_schema(jsonb_build_object('identity', identity,
      'documents', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('id', id, 'number', maybe))))));
  PERFORM aegis.register_route('GET', '/api/kyc/subjects/{id}/history', 'aegis_app.get_kyc_history(aegis.request)', tag => 'KYC',
    summary => 'What happened in a check, newest first; holds, exports, restrictions and erasures for managers',
    parameter_schema => aegis.object_schema(jsonb_build_object('id', id, 'limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb,
      'before', id || '{"description": "the last id of the page before"}'), '{limit,before}'),
    response_schema => aegis.object_schema(jsonb_build_object('events', list || jsonb_build_object('items', aegis.object_schema(jsonb_build_object('id', id, 'event', words,
      'at', instant, 'by', anybody || '{"description": "null: an operator"}', 'detail', '{"type": "object"}'::jsonb))))));
  PERFORM aegis.register_route('PATCH', '/api/kyc/subjects/{id}', 'aegis_app.change_kyc_subject(aegis.request)', tag => 'KYC',
    summary => 'Change name or identity; what is left out stays', parameter_schema => by_id_masked, problems => '{"changed-meanwhile": 409, "conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('name', words || '{"maxLength": 200}', 'identity', identity, 'version', version), '{name,identity,version}'), response_schema => subject);
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/status', 'aegis_app.step_kyc_subject(aegis.request)', tag => 'KYC',
    summary => 'Lead a check on where no second person is needed', parameter_schema => by_id_masked, problems => '{"illegal-transition": 409, "two-people": 409, "conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('command', words || '{"maxLength": 30}')), response_schema => subject);
  PERFORM aegis.register_route('PUT', '/api/kyc/subjects/{id}/owners', 'aegis_app.put_kyc_owner(aegis.request)', tag => 'KYC',
    summary => 'Record a direct owner of a company', parameter_schema => by_id, problems => '{"unknown-owner": 422, "conflict": 409}', success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('owner_id', id, 'control', '{"enum": ["shares", "votes", "board", "other"]}'::jsonb, 'share_bps', share), '{control,share_bps}'));
  PERFORM aegis.register_route('DELETE', '/api/kyc/subjects/{id}/owners/{owner}', 'aegis_app.delete_kyc_owner(aegis.request)', tag => 'KYC',
    summary => 'Take a direct owner away', success_status => 204::smallint, problems => '{"conflict": 409}',
    parameter_schema => aegis.object_schema(jsonb_build_object('id', id, 'owner', id)));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/documents', 'aegis_app.upload_kyc_document(aegis.request)', body_limit => 7340032, tag => 'KYC',
    summary => 'Upload a document: PDF, JPEG or PNG of at most 5 MB', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"unknown-file": 422, "conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('type', words || '{"maxLength": 30}', 'content', words || '{"contentEncoding": "base64"}', 'country', maybe,
      'number', maybe || '{"maxLength": 40}', 'issued_on', day, 'expires_on', day, 'file_name', maybe || '{"maxLength": 200}'), '{country,number,issued_on,expires_on,file_name}'),
    response_schema => aegis.object_schema(document));
  PERFORM aegis.register_route('GET', '/api/kyc/documents/{id}/content', 'aegis_app.get_kyc_content(aegis.request)', tag => 'KYC',
    summary => 'Take a document away: recorded', parameter_schema => by_id, problems => '{"gone": 410}',
    response_schema => '{"type": "string", "contentMediaType": "application/octet-stream"}');
  PERFORM aegis.register_route('POST', '/api/kyc/documents/{id}/judgement', 'aegis_app.judge_kyc_document(aegis.request)', tag => 'KYC',
    summary => 'Say whether a document is genuine, and how that was found', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('state', '{"enum": ["verified", "rejected"]}'::jsonb,
      'method', '{"enum": ["in_person", "certified_copy", "video", "chip", "provider", "register", null]}'::jsonb, 'remark', maybe || '{"maxLength": 2000}'), '{method,remark}'),
    response_schema => aegis.object_schema(document));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/screenings', 'aegis_app.record_kyc_screening(aegis.request)', tag => 'KYC',
    summary => 'Record what a look-up in a list found', parameter_schema => by_id, success_status => 201::smallint, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('kind', '{"enum": ["sanctions", "pep", "adverse_media"]}'::jsonb, 'provider', words || '{"maxLength": 64}',
      'list_version', words || '{"maxLength": 64}', 'matches', list || jsonb_build_object('maxItems', 100, 'items', aegis.object_schema(jsonb_build_object(
        'name', words || '{"maxLength": 200}', 'entry', maybe || '{"maxLength": 200}', 'score', '{"type": "integer", "minimum": 0, "maximum": 100}'::jsonb), '{entry}'))), '{matches}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id, 'matches', count)));
  PERFORM aegis.register_route('POST', '/api/kyc/matches/{id}/disposition', 'aegis_app.dispose_kyc_match(aegis.request)', tag => 'KYC',
    summary => 'Say whether a hit is the subject', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('disposition', '{"enum": ["true_match", "false_positive"]}'::jsonb, 'rationale', words || '{"maxLength": 2000}')),
    response_schema => aegis.object_schema(hit));
  PERFORM aegis.register_route('POST', '/api/kyc/matches/{id}/confirmation', 'aegis_app.confirm_kyc_match(aegis.request)', 2::smallint, tag => 'KYC',
    summary => 'Confirm, as a second person, what was said of a hit, or return it', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('agreed', flag || '{"default": true}'), '{agreed}'), response_schema => aegis.object_schema(hit));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/risk', 'aegis_app.rate_kyc_risk(aegis.request)', tag => 'KYC',
    summary => 'Rate the risk; another rating than follows from the factors needs a reason and rank 3', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('factors', factors, 'rating', rating, 'level', care, 'rationale', maybe || '{"maxLength": 2000}'), '{rating,level,rationale}'),
    response_schema => aegis.object_schema(risk));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/reviews', 'aegis_app.open_kyc_review(aegis.request)', tag => 'KYC',
    summary => 'Open a review', parameter_schema => by_id, success_status => 201::smallint, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('cause', '{"enum": ["periodic", "event", "alert", "regulator"]}'::jsonb)), response_schema => aegis.object_schema(review));
  PERFORM aegis.register_route('POST', '/api/kyc/reviews/{id}/completion', 'aegis_app.complete_kyc_review(aegis.request)', 2::smallint, tag => 'KYC',
    summary => 'Complete a review, as another person than opened it', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('outcome', '{"enum": ["unchanged", "changed", "ended"]}'::jsonb, 'findings', text)), response_schema => aegis.object_schema(review));
  PERFORM aegis.register_route('POST', '/api/kyc/subjects/{id}/decisions', 'aegis_app.propose_kyc_decision(aegis.request)', tag => 'KYC',
    summary => 'Propose to approve, reject, reinstate or offboard', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"incomplete": 409, "conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('command', '{"enum": ["approve", "reject", "reinstate", "offboard"]}'::jsonb, 'rationale', text)),
    response_schema => aegis.object_schema(decision));
  PERFORM aegis.register_route('POST', '/api/kyc/decisions/{id}', 'aegis_app.decide_kyc_decision(aegis.request)', tag => 'KYC',
    summary => 'Confirm or refuse a proposal of somebody else, or withdraw the own', parameter_schema => by_id, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('state', '{"enum": ["confirmed", "refused", "withdrawn"]}'::jsonb, 'remark', maybe || '{"maxLength": 4000}'), '{remark}'),
    response_schema => aegis.object_schema(decision));
END $$;
