-- The check as a whole: its list, its file, its steps, and what waits for the caller.

CREATE FUNCTION aegis_app.kyc_subject_row(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object('id', s.id, 'kind', s.kind, 'name', aegis_app.kyc_name(s), 'customer_id', s.customer_id, 'status', s.status,
    'rating', (aegis_app.kyc_current_risk(s)).rating, 'level', (aegis_app.kyc_current_risk(s)).level, 'review_due', aegis_app.kyc_review_due(s),
    'created_at', s.created_at, 'updated_at', s.updated_at, 'restriction', s.restriction, 'erased_at', s.erased_at);
COMMENT ON FUNCTION aegis_app.kyc_subject_row(aegis_app.kyc_subject) IS 'a subject as lists show it';

CREATE FUNCTION aegis_app.kyc_subject_json(s aegis_app.kyc_subject, masked boolean) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN aegis_app.kyc_subject_row(s) || jsonb_build_object('version', s.version, 'status_changed_at', s.status_changed_at, 'started_on', s.started_on, 'ended_on', s.ended_on, 'retained_until', aegis_app.kyc_retained_until(s),
    'identity', aegis_app.kyc_identity(s, masked), 'documents', aegis_app.kyc_documents(s, masked), 'screenings', aegis_app.kyc_screenings(s),
    'risk', aegis_app.kyc_risk_json(aegis_app.kyc_current_risk(s), s.erased_at IS NULL), 'reviews', aegis_app.kyc_reviews(s), 'decisions', aegis_app.kyc_decisions(s),
    'owners', CASE WHEN s.kind <> 'person' THEN aegis_app.kyc_owners(s) END,
    'findings', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM aegis_app.kyc_findings(s) f),
    'commands', (SELECT coalesce(jsonb_agg(jsonb_build_object('command', t.command, 'decided', t.decided) ORDER BY t.command), '[]')
                   FROM aegis_app.kyc_transitions() t WHERE t.from_status = s.status AND (t.decided OR t.least_rank <= aegis.rank())));
COMMENT ON FUNCTION aegis_app.kyc_subject_json(aegis_app.kyc_subject, boolean) IS
  'the whole file of a subject, as much as the policy lets the caller see: recorded; identity and numbers of documents as masks where that is asked for';

-- The one place where the status of a check is written.
CREATE FUNCTION aegis_app.move_kyc_subject(s aegis_app.kyc_subject, command text, to_status text, decision uuid) RETURNS aegis_app.kyc_subject
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  moved aegis_app.kyc_subject;
BEGIN
  UPDATE aegis_app.kyc_subject r
     SET status = move_kyc_subject.to_status, decision_id = move_kyc_subject.decision, version = r.version + 1, updated_at = clock_timestamp()
   WHERE r.tenant_id = s.tenant_id AND r.id = s.id RETURNING * INTO moved;
  PERFORM aegis_app.record_kyc('kyc.subject.status_changed', 'kyc_subject', s.id, s.id, jsonb_build_object('from', s.status, 'to', moved.status, 'command', command));
  RETURN moved;
END $$;
COMMENT ON FUNCTION aegis_app.move_kyc_subject(aegis_app.kyc_subject, text, text, uuid) IS 'leads a check to another status and records it; the trigger of the table judges the step';

CREATE FUNCTION aegis_app.list_kyc_subjects(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
<<list_kyc_subjects>>
DECLARE
  q      jsonb := coalesce(request.query, '{}');
  most   integer := aegis_app.integer_field(q, 'limit', 1, 100, 50);
  after  uuid := aegis_app.uuid_field(q, 'after');
  status text := q ->> 'status';
  email  text := q ->> 'email';
  number text := aegis_app.kyc_number(q ->> 'number');
  tenant uuid := aegis.tenant_id();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('subjects', (
    SELECT coalesce(jsonb_agg(aegis_app.kyc_subject_row(s) ORDER BY s.created_at DESC, s.id DESC), '[]')
      FROM (SELECT * FROM aegis_app.kyc_subject r
             WHERE r.tenant_id = tenant AND (list_kyc_subjects.status IS NULL OR r.status = list_kyc_subjects.status)
               AND (list_kyc_subjects.email IS NULL OR r.id IN (
                    SELECT p.subject_id FROM aegis_app.kyc_person p WHERE p.tenant_id = tenant AND p.email = list_kyc_subjects.email::aegis.sealed_email))
               AND (list_kyc_subjects.number IS NULL OR r.id IN (
                    SELECT p.subject_id FROM aegis_app.kyc_person p WHERE p.tenant_id = tenant
                       AND list_kyc_subjects.number::aegis.sealed_keyword IN (p.national_id, p.tax_id)
                    UNION ALL
                    SELECT c.subject_id FROM aegis_app.kyc_company c WHERE c.tenant_id = tenant
                       AND list_kyc_subjects.number::aegis.sealed_keyword IN (c.registration_number, c.lei)))
               AND (list_kyc_subjects.after IS NULL OR (r.created_at, r.id) <
                    (SELECT p.created_at, p.id FROM aegis_app.kyc_subject p WHERE p.tenant_id = tenant AND p.id = list_kyc_subjects.after))
             ORDER BY r.created_at DESC, r.id DESC LIMIT most) s)));
END $$;
COMMENT ON FUNCTION aegis_app.list_kyc_subjects(aegis.request) IS 'GET /api/kyc/subjects?status=&email=&number=&limit=&after=';

CREATE FUNCTION aegis_app.get_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(aegis_app.kyc_subject_json(aegis_app.kyc_subject_of(request, false), aegis_app.kyc_wants_masks(request)));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_subject(aegis.request) IS 'GET /api/kyc/subjects/{id}?identity=';

CREATE FUNCTION aegis_app.get_kyc_identity(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, false);
BEGIN
  IF s.erased_at IS NOT NULL THEN
    RETURN aegis_app.problem(410, 'gone', 'The subject was erased');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('identity', aegis_app.kyc_identity(s, false), 'documents', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'number', aegis.legible(d.number, d)) ORDER BY d.uploaded_at, d.id), '[]')
      FROM aegis_app.kyc_document d WHERE d.tenant_id = s.tenant_id AND d.subject_id = s.id)));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_identity(aegis.request) IS 'GET /api/kyc/subjects/{id}/identity: what identifies a subject and the numbers of its documents, recorded';

CREATE FUNCTION aegis_app.create_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b        jsonb := request.body;
  customer uuid := aegis_app.uuid_field(b, 'customer_id');
  s        aegis_app.kyc_subject;
BEGIN
  IF customer IS NOT NULL AND NOT EXISTS (SELECT FROM aegis_app.customer c WHERE c.tenant_id = aegis.tenant_id() AND c.id = customer) THEN
    RETURN aegis_app.problem(422, 'unknown-customer', 'No such customer');
  END IF;
  INSERT INTO aegis_app.kyc_subject (kind, name, customer_id) VALUES (aegis_app.text_field(b, 'kind', 20), aegis_app.text_field(b, 'name', 200), customer)
  RETURNING * INTO s;
  PERFORM aegis_app.put_kyc_identity(s, b -> 'identity');
  PERFORM aegis_app.record_kyc('kyc.subject.created', 'kyc_subject', s.id, s.id, jsonb_build_object('kind', s.kind));
  RETURN aegis_app.ok(aegis_app.kyc_subject_json(s, aegis_app.kyc_wants_masks(request)), 201, jsonb_build_object('location', '/api/kyc/subjects/' || s.id));
END $$;
COMMENT ON FUNCTION aegis_app.create_kyc_subject(aegis.request) IS 'POST /api/kyc/subjects {kind, name, customer_id?, identity?}';

CREATE FUNCTION aegis_app.change_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b      jsonb := request.body;
  s      aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  fields text[];
BEGIN
  IF aegis_app.integer_field(b, 'version', 1, 2147483647, s.version) <> s.version THEN
    RETURN aegis_app.problem(409, 'changed-meanwhile', 'The subject was changed meanwhile', 'Read it again and repeat the change.');
  END IF;
  fields := aegis_app.put_kyc_identity(s, b -> 'identity');
  IF b ? 'name' THEN
    fields := ARRAY['name'] || fields;
  END IF;
  IF fields = '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'nothing to change', HINT = 'Send name or identity.';
  END IF;
  UPDATE aegis_app.kyc_subject r
     SET name = CASE WHEN b ? 'name' THEN aegis_app.text_field(b, 'name', 200)::aegis.sealed_text ELSE r.name END, version = r.version + 1, updated_at = clock_timestamp()
   WHERE r.tenant_id = s.tenant_id AND r.id = s.id RETURNING * INTO s;
  PERFORM aegis_app.record_kyc('kyc.subject.updated', 'kyc_subject', s.id, s.id, jsonb_build_object('fields', array_to_string(fields, ',')));
  RETURN aegis_app.ok(aegis_app.kyc_subject_json(s, aegis_app.kyc_wants_masks(request)));
END $$;
COMMENT ON FUNCTION aegis_app.change_kyc_subject(aegis.request) IS 'PATCH /api/kyc/subjects/{id} {name?, identity?, version?}';

CREATE FUNCTION aegis_app.step_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s     aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  asked text := aegis_app.text_field(request.body, 'command', 30);
  step  record;
BEGIN
  SELECT t.* INTO step FROM aegis_app.kyc_transitions() t WHERE t.from_status = s.status AND t.command = asked;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(409, 'illegal-transition', 'The check does not allow this step', format('The command "%s" is not possible for a check that is %s.', asked, s.status));
  ELSIF step.decided THEN
    RETURN aegis_app.problem(409, 'two-people', 'Two people decide this', 'Propose a decision, and let somebody else confirm it.');
  END IF;
  RETURN aegis_app.ok(aegis_app.kyc_subject_json(aegis_app.move_kyc_subject(s, step.command, step.to_status, s.decision_id), aegis_app.kyc_wants_masks(request)));
END $$;
COMMENT ON FUNCTION aegis_app.step_kyc_subject(aegis.request) IS 'POST /api/kyc/subjects/{id}/status {command}: what no second person is needed for';

-- What the caller may decide: neither their own proposals nor what needs a higher rank.
CREATE FUNCTION aegis_app.get_kyc_queue(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.tenant_id();
  me     uuid := aegis.user_id();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object(
    'decisions', (SELECT coalesce(jsonb_agg(aegis_app.kyc_decision_json(d, true) || jsonb_build_object('subject', aegis_app.kyc_subject_row(s)) ORDER BY d.proposed_at), '[]')
                    FROM aegis_app.kyc_decision d JOIN aegis_app.kyc_subject s ON s.tenant_id = d.tenant_id AND s.id = d.subject_id
                   WHERE d.tenant_id = tenant AND d.state = 'proposed' AND d.proposed_by <> me AND d.least_rank <= aegis.rank() AND s.erased_at IS NULL),
    'matches', (SELECT coalesce(jsonb_agg(aegis_app.kyc_match_json(m, true) || jsonb_build_object('subject', aegis_app.kyc_subject_row(s)) ORDER BY m.proposed_at), '[]')
                  FROM aegis_app.kyc_match m JOIN aegis_app.kyc_subject s ON s.tenant_id = m.tenant_id AND s.id = m.subject_id
                 WHERE m.tenant_id = tenant AND m.disposition IS NOT NULL AND m.confirmed_at IS NULL AND m.proposed_by <> me AND aegis.rank() >= 2 AND s.erased_at IS NULL),
    'reviews', (SELECT coalesce(jsonb_agg(aegis_app.kyc_subject_row(s) ORDER BY aegis_app.kyc_review_due(s), s.id), '[]')
                  FROM aegis_app.kyc_subject s
                 WHERE s.tenant_id = tenant AND s.erased_at IS NULL AND s.status IN ('approved', 'suspended') AND aegis_app.kyc_review_due(s) <= aegis_app.today()
                   AND NOT EXISTS (SELECT FROM aegis_app.kyc_review v WHERE v.tenant_id = tenant AND v.subject_id = s.id AND v.completed_at IS NULL))));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_queue(aegis.request) IS 'GET /api/kyc/queue: proposals and hits for a second person, and relationships to be looked at again';
