-- Reviews of relationships: opened when they are due or something happened, completed by another person than opened them.

CREATE TABLE aegis_app.kyc_review (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id   uuid NOT NULL,
  cause        text NOT NULL CHECK (cause IN ('periodic', 'event', 'alert', 'regulator')),
  opened_by    uuid,
  opened_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  outcome      text CHECK (outcome IN ('unchanged', 'changed', 'ended')),
  findings     aegis.sealed_text,
  completed_by uuid,
  completed_at timestamptz,
  restricted   boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK ((outcome IS NULL) = (completed_at IS NULL) AND (outcome IS NULL) = (findings IS NULL)),
  CHECK (completed_by <> opened_by)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_review', '');
COMMENT ON TABLE aegis_app.kyc_review IS 'reviews of relationships; at most one of a subject is open';

SELECT aegis.protect_table('aegis_app.kyc_review', parent => 'aegis_app.kyc_subject');
SELECT aegis.encrypt_column('aegis_app.kyc_review', 'findings', 'kyc_review.findings', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_review FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('findings');
CREATE UNIQUE INDEX kyc_review_open ON aegis_app.kyc_review (tenant_id, subject_id) WHERE completed_at IS NULL;
CREATE INDEX kyc_review_subject ON aegis_app.kyc_review (tenant_id, subject_id, completed_at DESC);

SELECT aegis.declare_event('kyc.review.opened', 'a review of a relationship was opened', '{"subject": "clear required", "cause": "clear required"}');
SELECT aegis.declare_event('kyc.review.completed', 'a second person completed a review',
                           '{"subject": "clear required", "outcome": "clear required"}');

CREATE FUNCTION aegis_app.guard_kyc_review() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    NEW.opened_by := aegis.user_id();
    NEW.opened_at := clock_timestamp();
    NEW.outcome := NULL;
    NEW.findings := NULL;
    RETURN NEW;
  END IF;
  IF OLD.completed_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the review is complete';
  ELSIF OLD.opened_by = aegis.user_id() THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'a review is completed by somebody else than opened it';
  END IF;
  PERFORM aegis_app.require_rank(2, 'complete a review');
  NEW.completed_by := aegis.user_id();
  NEW.completed_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_review() IS 'lets a second person of rank 2 complete a review';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF outcome, findings ON aegis_app.kyc_review FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_review();

CREATE FUNCTION aegis_app.kyc_review_period(rating text) RETURNS interval
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE rating WHEN 'low' THEN interval '36 months' WHEN 'medium' THEN interval '24 months' ELSE interval '12 months' END;
COMMENT ON FUNCTION aegis_app.kyc_review_period(text) IS 'how long after the last look at a relationship of this risk the next is due';

CREATE FUNCTION aegis_app.kyc_review_due(s aegis_app.kyc_subject) RETURNS date
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN s.status IN ('approved', 'suspended') THEN (aegis_app.date_of(greatest(s.status_changed_at,
    (SELECT max(v.completed_at) FROM aegis_app.kyc_review v WHERE v.tenant_id = s.tenant_id AND v.subject_id = s.id)))
    + aegis_app.kyc_review_period((aegis_app.kyc_current_risk(s)).rating))::date END;
COMMENT ON FUNCTION aegis_app.kyc_review_due(aegis_app.kyc_subject) IS 'when a relationship is to be looked at again, in the time zone of the tenant; NULL while there is none';

CREATE FUNCTION aegis_app.kyc_review_json(v aegis_app.kyc_review, readable boolean) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', v.id, 'cause', v.cause, 'opened_by', v.opened_by, 'opened_at', v.opened_at, 'outcome', v.outcome,
    'completed_by', v.completed_by, 'completed_at', v.completed_at, 'findings', CASE WHEN readable THEN aegis.legible(v.findings, v) END);
COMMENT ON FUNCTION aegis_app.kyc_review_json(aegis_app.kyc_review, boolean) IS 'a review; its findings only where the subject was not erased';

CREATE FUNCTION aegis_app.kyc_reviews(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(aegis_app.kyc_review_json(v, s.erased_at IS NULL) ORDER BY v.opened_at DESC, v.id), '[]')
      FROM aegis_app.kyc_review v WHERE v.tenant_id = s.tenant_id AND v.subject_id = s.id;
  END;
COMMENT ON FUNCTION aegis_app.kyc_reviews(aegis_app.kyc_subject) IS 'the reviews of a subject, newest first';

CREATE FUNCTION aegis_app.open_kyc_review(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  v aegis_app.kyc_review;
BEGIN
  IF EXISTS (SELECT FROM aegis_app.kyc_review r WHERE r.tenant_id = s.tenant_id AND r.subject_id = s.id AND r.completed_at IS NULL) THEN
    RETURN aegis_app.problem(409, 'conflict', 'A review of this subject is open');
  END IF;
  INSERT INTO aegis_app.kyc_review (subject_id, cause) VALUES (s.id, aegis_app.text_field(request.body, 'cause', 20)) RETURNING * INTO v;
  PERFORM aegis_app.record_kyc('kyc.review.opened', 'kyc_review', v.id, s.id, jsonb_build_object('cause', v.cause));
  RETURN aegis_app.ok(aegis_app.kyc_review_json(v, true), 201);
END $$;
COMMENT ON FUNCTION aegis_app.open_kyc_review(aegis.request) IS 'POST /api/kyc/subjects/{id}/reviews {cause}';

CREATE FUNCTION aegis_app.complete_kyc_review(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b jsonb := request.body;
  v aegis_app.kyc_review;
BEGIN
  PERFORM aegis_app.require_rank(2, 'complete a review');
  UPDATE aegis_app.kyc_review r
     SET outcome = aegis_app.text_field(b, 'outcome', 20), findings = aegis_app.text_field(b, 'findings', 4000)
   WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') RETURNING * INTO v;
  IF v.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such review');
  END IF;
  PERFORM aegis_app.record_kyc('kyc.review.completed', 'kyc_review', v.id, v.subject_id, jsonb_build_object('outcome', v.outcome));
  RETURN aegis_app.ok(aegis_app.kyc_review_json(v, true));
END $$;
COMMENT ON FUNCTION aegis_app.complete_kyc_review(aegis.request) IS 'POST /api/kyc/reviews/{id}/completion {outcome, findings}: a second person, of rank 2';
