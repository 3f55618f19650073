-- Erasure of a subject: asked for, judged by retention and holds, agreed to by a second person, and done by an operator.

CREATE TABLE aegis_app.kyc_erasure (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id   uuid NOT NULL,
  origin       text NOT NULL CHECK (origin IN ('subject', 'retention')),
  state        text NOT NULL CHECK (state IN ('refused', 'requested', 'approved', 'done')),
  hindrance    text CHECK (hindrance IN ('relationship', 'retention', 'hold')),
  basis        text,
  until        date,
  requested_by uuid,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  approved_by  uuid,
  approved_at  timestamptz,
  done_at      timestamptz,
  job          bigint,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK ((state = 'refused') = (hindrance IS NOT NULL)),
  CHECK ((state IN ('approved', 'done')) = (approved_at IS NOT NULL)),
  CHECK ((state = 'done') = (done_at IS NOT NULL)),
  CHECK (approved_by <> requested_by)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_erasure', '');
COMMENT ON TABLE aegis_app.kyc_erasure IS 'requests to erase subjects, and what became of them; they say nothing of the subject and stay';
COMMENT ON COLUMN aegis_app.kyc_erasure.origin IS 'subject: the person asked; retention: the time to keep it is over';
COMMENT ON COLUMN aegis_app.kyc_erasure.until IS 'of a refusal: when it can be asked for again';

SELECT aegis.protect_table('aegis_app.kyc_erasure', parent => 'aegis_app.kyc_subject');
CREATE POLICY managers_alone ON aegis_app.kyc_erasure AS RESTRICTIVE FOR SELECT USING (aegis.rank() >= 3 OR aegis.auth_method() = 'job');
CREATE INDEX kyc_erasure_newest ON aegis_app.kyc_erasure (tenant_id, requested_at DESC);

SELECT aegis.declare_event('privacy.erasure.requested', 'somebody asked to erase a subject',
                           '{"subject": "clear required", "origin": "clear required"}');
SELECT aegis.declare_event('privacy.erasure.refused', 'a subject has to be kept, so it is restricted instead',
                           '{"subject": "clear required", "hindrance": "clear required", "basis": "clear", "until": "clear"}');
SELECT aegis.declare_event('privacy.erasure.approved', 'a second person agreed to erase a subject', '{"subject": "clear required"}');
SELECT aegis.declare_event('privacy.erasure.completed', 'an operator destroyed the key of a subject, and its files were deleted',
                           '{"subject": "clear required", "files": "clear required", "job": "clear required"}');

CREATE FUNCTION aegis_app.kyc_erasure_hindrance(s aegis_app.kyc_subject, OUT hindrance text, OUT basis text, OUT until date)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  until := aegis_app.kyc_retained_until(s);
  basis := (SELECT r.basis FROM aegis_app.kyc_retention() r);
  IF EXISTS (SELECT FROM aegis_app.kyc_hold h WHERE h.tenant_id = s.tenant_id AND h.subject_id = s.id AND h.released_at IS NULL) THEN
    hindrance := 'hold';
    basis := NULL;
    until := NULL;
  ELSIF until IS NULL THEN
    hindrance := 'relationship';
  ELSIF until >= aegis_app.today() THEN
    hindrance := 'retention';
  ELSE
    basis := NULL;
    until := NULL;
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_erasure_hindrance(aegis_app.kyc_subject) IS 'what forbids to erase a subject: a relationship that goes on, a time of retention, a hold; NULLs: nothing';

CREATE FUNCTION aegis_app.guard_kyc_erasure() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s    aegis_app.kyc_subject;
  stop record;
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN NEW;
  END IF;
  PERFORM aegis_app.require_rank(3, 'erase a subject'), aegis_app.require_new_snapshots();
  SELECT * INTO s FROM aegis_app.kyc_subject r WHERE r.tenant_id = aegis.tenant_id() AND r.id = NEW.subject_id;
  stop := aegis_app.kyc_erasure_hindrance(s);
  IF TG_OP = 'INSERT' THEN
    PERFORM aegis_app.kyc_person_acts();
    NEW.hindrance := stop.hindrance;
    NEW.basis := stop.basis;
    NEW.until := stop.until;
    NEW.state := CASE WHEN stop.hindrance IS NULL THEN 'requested' ELSE 'refused' END;
    NEW.requested_by := aegis.user_id();
    NEW.requested_at := clock_timestamp();
    RETURN NEW;
  END IF;
  IF stop.hindrance IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the subject has to be kept: %s', stop.hindrance);
  ELSIF OLD.state = 'requested' AND NEW.state = 'approved' THEN
    PERFORM aegis_app.kyc_person_acts();
    PERFORM aegis.require_step_up();
    IF OLD.requested_by = aegis.user_id() THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'an erasure is approved by somebody else than asked for it';
    END IF;
    NEW.approved_by := aegis.user_id();
    NEW.approved_at := clock_timestamp();
  ELSIF OLD.state = 'approved' AND NEW.state = 'done' AND s.erased_at IS NOT NULL THEN
    NEW.done_at := clock_timestamp();
  ELSE
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('an erasure that is %s cannot become %s', OLD.state, NEW.state);
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_erasure() IS 'judges requests by retention and holds, and lets a second manager approve them';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF state ON aegis_app.kyc_erasure FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_erasure();

-- Files and the mark go with an erasure alone: an operator has the right to both, and the ledger does not capture the files.
CREATE FUNCTION aegis_app.require_kyc_erasure() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s    aegis_app.kyc_subject;
  stop text;
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN coalesce(NEW, OLD);
  END IF;
  SELECT * INTO s FROM aegis_app.kyc_subject r
   WHERE r.tenant_id = aegis.tenant_id() AND r.id = (to_jsonb(OLD) ->> CASE TG_TABLE_NAME WHEN 'kyc_subject' THEN 'id' ELSE 'subject_id' END)::uuid;
  stop := (aegis_app.kyc_erasure_hindrance(s)).hindrance;
  IF NOT EXISTS (SELECT FROM aegis_app.kyc_erasure e WHERE e.tenant_id = s.tenant_id AND e.subject_id = s.id AND e.state = 'approved') THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no such erasure was approved by two people of the tenant';
  ELSIF stop IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the subject has to be kept: %s', stop);
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
COMMENT ON FUNCTION aegis_app.require_kyc_erasure() IS 'refuses to delete files of a subject, or to mark it erased, without an erasure that was approved and that nothing hinders';
CREATE TRIGGER require_erasure BEFORE DELETE ON aegis_app.kyc_document_content FOR EACH ROW EXECUTE FUNCTION aegis_app.require_kyc_erasure();
CREATE TRIGGER require_erasure BEFORE UPDATE OF erased_at ON aegis_app.kyc_subject FOR EACH ROW EXECUTE FUNCTION aegis_app.require_kyc_erasure();

CREATE FUNCTION aegis_app.kyc_erasure_json(e aegis_app.kyc_erasure) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', e.id, 'subject_id', e.subject_id, 'origin', e.origin, 'state', e.state, 'hindrance', e.hindrance, 'basis', e.basis, 'until', e.until,
    'requested_by', e.requested_by, 'requested_at', e.requested_at, 'approved_by', e.approved_by, 'approved_at', e.approved_at, 'done_at', e.done_at);
COMMENT ON FUNCTION aegis_app.kyc_erasure_json(aegis_app.kyc_erasure) IS 'a request to erase a subject';

CREATE FUNCTION aegis_app.request_kyc_erasure(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject;
  e aegis_app.kyc_erasure;
BEGIN
  PERFORM aegis_app.require_rank(3, 'ask for the erasure of a subject');
  s := aegis_app.kyc_subject_of(request, false);
  IF s.erased_at IS NOT NULL OR EXISTS (SELECT FROM aegis_app.kyc_erasure o WHERE o.tenant_id = s.tenant_id AND o.subject_id = s.id AND o.state IN ('requested', 'approved')) THEN
    RETURN aegis_app.problem(409, 'conflict', 'The subject is erased, or will be');
  END IF;
  INSERT INTO aegis_app.kyc_erasure (subject_id, origin) VALUES (s.id, aegis_app.choice_field(request.body, 'origin', '{subject,retention}', 'subject')) RETURNING * INTO e;
  IF e.state = 'requested' THEN
    PERFORM aegis_app.record_kyc('privacy.erasure.requested', 'kyc_erasure', e.id, s.id, jsonb_build_object('origin', e.origin));
  ELSE
    PERFORM aegis_app.record_kyc('privacy.erasure.refused', 'kyc_erasure', e.id, s.id, jsonb_strip_nulls(jsonb_build_object(
      'hindrance', e.hindrance, 'basis', e.basis, 'until', e.until)));
    -- Whoever asks to be forgotten and cannot be, is at least left alone, once there is no relationship to go on with.
    IF e.hindrance <> 'relationship' AND s.restriction IS NULL THEN
      UPDATE aegis_app.kyc_subject r SET restriction = 'retention' WHERE r.tenant_id = s.tenant_id AND r.id = s.id;
      PERFORM aegis_app.record_kyc('privacy.restriction.applied', 'kyc_subject', s.id, s.id, '{"basis": "retention"}');
    END IF;
  END IF;
  RETURN aegis_app.ok(aegis_app.kyc_erasure_json(e), 201);
END $$;
COMMENT ON FUNCTION aegis_app.request_kyc_erasure(aegis.request) IS 'POST /api/kyc/subjects/{id}/erasures {origin?}: requested, or refused with the reason and a date';

CREATE FUNCTION aegis_app.approve_kyc_erasure(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e aegis_app.kyc_erasure;
BEGIN
  PERFORM aegis_app.require_rank(3, 'approve an erasure');
  UPDATE aegis_app.kyc_erasure r SET state = 'approved' WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') RETURNING * INTO e;
  IF e.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such request');
  END IF;
  PERFORM aegis_app.record_kyc('privacy.erasure.approved', 'kyc_erasure', e.id, e.subject_id);
  RETURN aegis_app.ok(aegis_app.kyc_erasure_json(e));
END $$;
COMMENT ON FUNCTION aegis_app.approve_kyc_erasure(aegis.request) IS 'POST /api/kyc/erasures/{id}/approval: another manager than asked';

CREATE FUNCTION aegis_app.list_kyc_erasures(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.tenant_id();
BEGIN
  PERFORM aegis_app.require_rank(3, 'see what is to be erased');
  RETURN aegis_app.ok(jsonb_build_object(
    'requests', (SELECT coalesce(jsonb_agg(aegis_app.kyc_erasure_json(e) || jsonb_build_object('name', aegis_app.kyc_name(s)) ORDER BY e.requested_at DESC, e.id), '[]')
                   FROM (SELECT * FROM aegis_app.kyc_erasure r WHERE r.tenant_id = tenant ORDER BY r.requested_at DESC, r.id LIMIT 100) e
                   JOIN aegis_app.kyc_subject s ON s.tenant_id = e.tenant_id AND s.id = e.subject_id),
    'due', (SELECT coalesce(jsonb_agg(jsonb_build_object('subject_id', s.id, 'name', aegis_app.kyc_name(s), 'ended_on', s.ended_on, 'retained_until', aegis_app.kyc_retained_until(s)) ORDER BY s.ended_on, s.id), '[]')
              FROM aegis_app.kyc_subject s
             WHERE s.tenant_id = tenant AND s.erased_at IS NULL AND s.ended_on IS NOT NULL AND (aegis_app.kyc_erasure_hindrance(s)).hindrance IS NULL
               AND NOT EXISTS (SELECT FROM aegis_app.kyc_erasure o WHERE o.tenant_id = tenant AND o.subject_id = s.id AND o.state IN ('requested', 'approved')))));
END $$;
COMMENT ON FUNCTION aegis_app.list_kyc_erasures(aegis.request) IS 'GET /api/kyc/erasures: requests, and subjects whose time is over';

CREATE FUNCTION aegis_app.kyc_erasure_of(request aegis.request) RETURNS aegis_app.kyc_erasure
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e aegis_app.kyc_erasure;
BEGIN
  SELECT * INTO e FROM aegis_app.kyc_erasure r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id');
  IF e.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such request';
  END IF;
  RETURN e;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_erasure_of(aegis.request) IS 'the erasure that a request names; raises no_data_found where the caller sees none';

-- Jobs and names of erased people are no tables of the tenant; of what was carried out for it managers are told.
CREATE FUNCTION aegis_app.kyc_erasure_trace(erasure uuid) RETURNS jsonb
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e     aegis_app.kyc_erasure;
  named text;
BEGIN
  PERFORM aegis_app.require_rank(3, 'see how far an erasure is');
  SELECT * INTO e FROM aegis_app.kyc_erasure r WHERE r.tenant_id = aegis.tenant_id() AND r.id = erasure AND r.state = 'done';
  IF e.id IS NULL THEN
    RETURN '{"job": null, "certified_as": null, "backups_until": null}';
  END IF;
  named := aegis.subject_name(e.tenant_id, e.subject_id);
  RETURN jsonb_build_object('certified_as', named,
    'job', (SELECT jsonb_build_object('state', j.state, 'finished_at', j.finished_at) FROM aegis.job j WHERE j.id = e.job AND j.tenant_id = e.tenant_id),
    'backups_until', (SELECT max(r.files_clean_at) FROM aegis.subject_shred r WHERE r.tenant_id = e.tenant_id AND r.name = decode(named, 'hex')));
END $$;
COMMENT ON FUNCTION aegis_app.kyc_erasure_trace(uuid) IS
  'of an erasure that was carried out: its job, what the ledger calls the subject, and which backups may still hold the key; for managers';

CREATE FUNCTION aegis_app.get_kyc_erasure(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e aegis_app.kyc_erasure;
BEGIN
  PERFORM aegis_app.require_rank(3, 'see what is to be erased');
  e := aegis_app.kyc_erasure_of(request);
  RETURN aegis_app.ok(aegis_app.kyc_erasure_json(e) || aegis_app.kyc_erasure_trace(e.id) || jsonb_build_object('name',
    (SELECT aegis_app.kyc_name(s) FROM aegis_app.kyc_subject s WHERE s.tenant_id = e.tenant_id AND s.id = e.subject_id)));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_erasure(aegis.request) IS 'GET /api/kyc/erasures/{id}: one request, and how far it is';

-- The entry is looked for from the newest on: there are few of its event.
CREATE FUNCTION aegis_app.get_kyc_certificate(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e     aegis_app.kyc_erasure;
  named text;
  found_entries record;
  own_leaf bigint;
BEGIN
  PERFORM aegis_app.require_rank(4, 'take the certificate of an erasure');
  e := aegis_app.kyc_erasure_of(request);
  named := aegis_app.kyc_erasure_trace(e.id) ->> 'certified_as';
  IF named IS NULL THEN
    RETURN aegis_app.problem(409, 'conflict', 'Nothing was erased yet', 'The certificate is there when an operator has carried the erasure out.');
  END IF;
  SELECT f.leaves, f.next INTO found_entries FROM aegis.find_tenant_entries(NULL, 100, 'subject.erased') f;
  LOOP
    SELECT max(t.leaf) INTO own_leaf FROM aegis.tenant_entries(found_entries.leaves) t WHERE t.event = 'subject.erased' AND t.target_id = named;
    EXIT WHEN own_leaf IS NOT NULL OR found_entries.next IS NULL;
    SELECT f.leaves, f.next INTO found_entries FROM aegis.find_tenant_entries(found_entries.next, 100, 'subject.erased') f;
  END LOOP;
  IF own_leaf IS NULL THEN
    RETURN aegis_app.problem(409, 'conflict', 'The certificate is not ready yet', 'The job has to end, and its entry to be sealed: ask again in a moment.');
  END IF;
  RETURN aegis_app.text_file(format('erasure-%s.tlog-proof', e.id), convert_to(aegis.receipt(e.tenant_id, own_leaf), 'UTF8'));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_certificate(aegis.request) IS 'GET /api/kyc/erasures/{id}/certificate: the receipt of the entry that says that the subject was erased; for admins';

CREATE FUNCTION aegis_app.get_kyc_privacy(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s    aegis_app.kyc_subject;
  stop record;
  rule record;
BEGIN
  PERFORM aegis_app.require_rank(3, 'see holds and erasures of a subject');
  s := aegis_app.kyc_subject_of(request, false);
  stop := aegis_app.kyc_erasure_hindrance(s);
  SELECT extract(year FROM r.keep)::integer AS years, r.basis INTO rule FROM aegis_app.kyc_retention() r;
  RETURN aegis_app.ok(jsonb_build_object('restriction', s.restriction, 'restricted_at', s.restricted_at, 'ended_on', s.ended_on, 'retained_until', aegis_app.kyc_retained_until(s),
    'erased_at', s.erased_at, 'hindrance', stop.hindrance, 'basis', stop.basis, 'until', stop.until, 'rule', jsonb_build_object('years', rule.years, 'basis', rule.basis),
    'holds', aegis_app.kyc_holds(s), 'erasures', (SELECT coalesce(jsonb_agg(aegis_app.kyc_erasure_json(e) ORDER BY e.requested_at DESC, e.id), '[]')
                                                     FROM aegis_app.kyc_erasure e WHERE e.tenant_id = s.tenant_id AND e.subject_id = s.id)));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_privacy(aegis.request) IS 'GET /api/kyc/subjects/{id}/privacy: restriction, holds, requests, and what forbids an erasure now';

-- For an operator in the context of the tenant: what the tenant's two people decided is done with the operator's rights.
CREATE FUNCTION aegis_app.carry_out_erasure(request uuid) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  e     aegis_app.kyc_erasure;
  files bigint;
  ended bigint;
BEGIN
  SELECT * INTO e FROM aegis_app.kyc_erasure r WHERE r.tenant_id = aegis.tenant_id() AND r.id = request FOR UPDATE;
  IF e.id IS NULL OR e.state <> 'approved' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no such erasure was approved by two people of the tenant';
  END IF;
  DELETE FROM aegis_app.kyc_document_content c WHERE c.tenant_id = e.tenant_id AND c.subject_id = e.subject_id;
  GET DIAGNOSTICS files = ROW_COUNT;
  UPDATE aegis_app.kyc_subject s SET erased_at = clock_timestamp() WHERE s.tenant_id = e.tenant_id AND s.id = e.subject_id;
  ended := aegis.shred_subject(e.tenant_id, e.subject_id, 'erasure ' || e.id);
  -- Judges retention and holds once more.
  UPDATE aegis_app.kyc_erasure r SET state = 'done', job = ended WHERE r.tenant_id = e.tenant_id AND r.id = e.id;
  PERFORM aegis_app.record_kyc('privacy.erasure.completed', 'kyc_erasure', e.id, e.subject_id, jsonb_build_object('files', files, 'job', ended));
  RETURN ended;
END $$;
COMMENT ON FUNCTION aegis_app.carry_out_erasure(uuid) IS
  'destroys the key of a subject whose erasure two people of the tenant decided, and deletes its files; for operators in the context of the tenant; returns the job that ends with the certificate';
