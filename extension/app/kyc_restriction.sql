-- Restriction of processing: data that is kept and not used. Managers see it, nobody changes it.

SELECT aegis.declare_event('privacy.restriction.applied', 'the data of a subject is kept and not used', '{"basis": "clear required"}');
SELECT aegis.declare_event('privacy.restriction.lifted', 'the data of a subject is used again', '{"basis": "clear required"}');

-- What belongs to a subject says so itself: a policy compares what stands in the row, and reads no other table.
DO $$
DECLARE
  child name;
BEGIN
  FOREACH child IN ARRAY '{kyc_person,kyc_company,kyc_document,kyc_document_content,kyc_owner,kyc_screening,kyc_match,kyc_risk,kyc_review,kyc_decision,kyc_hold,kyc_event}'::name[] LOOP
    EXECUTE pg_catalog.format($sql$CREATE POLICY restricted ON aegis_app.%I AS RESTRICTIVE FOR SELECT
      USING (NOT restricted OR aegis.rank() >= 3 OR aegis.auth_method() = 'job')$sql$, child);
  END LOOP;
END $$;
CREATE POLICY restricted ON aegis_app.kyc_subject AS RESTRICTIVE FOR SELECT
  USING (restriction IS NULL OR aegis.rank() >= 3 OR aegis.auth_method() = 'job');

CREATE FUNCTION aegis_app.spread_restriction() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  child record;
BEGIN
  FOR child IN SELECT r.relname, CASE r.relname WHEN 'kyc_owner' THEN 'company_id' ELSE 'subject_id' END AS subject
                 FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
                WHERE r.relnamespace = 'aegis_app'::regnamespace AND r.relkind = 'r' AND a.attname = 'restricted' AND NOT a.attisdropped LOOP
    EXECUTE format('UPDATE aegis_app.%I SET restricted = $1 WHERE tenant_id = $2 AND %I = $3', child.relname, child.subject)
      USING NEW.restriction IS NOT NULL, NEW.tenant_id, NEW.id;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION aegis_app.spread_restriction() IS 'trigger: says in what belongs to a subject that it is restricted, or no longer is';
CREATE TRIGGER spread AFTER UPDATE OF restriction ON aegis_app.kyc_subject FOR EACH ROW
  WHEN ((OLD.restriction IS NULL) <> (NEW.restriction IS NULL)) EXECUTE FUNCTION aegis_app.spread_restriction();

CREATE FUNCTION aegis_app.refuse_restricted() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  subject uuid := CASE WHEN TG_NARGS > 0 THEN (to_jsonb(NEW) ->> TG_ARGV[0])::uuid END;
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN NEW;
  END IF;
  -- A restriction that is being made just now would not mark what is added meanwhile: it is waited for.
  IF TG_OP = 'INSERT' THEN
    PERFORM FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = subject FOR SHARE;
  END IF;
  IF subject IS NULL OR EXISTS (SELECT FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = subject AND s.restriction IS NOT NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the data of the subject is kept and not used', HINT = 'A manager can end the restriction.';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.refuse_restricted() IS 'trigger: refuses changes of what belongs to a subject whose processing is restricted; its argument is the column of the subject';

CREATE TRIGGER hold BEFORE UPDATE OF name, customer_id, status, decision_id, version ON aegis_app.kyc_subject FOR EACH ROW
  WHEN (OLD.restriction IS NOT NULL AND NEW.restriction IS NOT NULL) EXECUTE FUNCTION aegis_app.refuse_restricted();
-- Of the columns that members write.
CREATE TRIGGER hold BEFORE INSERT ON aegis_app.kyc_person FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold_update BEFORE UPDATE ON aegis_app.kyc_person FOR EACH ROW
  WHEN (OLD.restricted AND NEW.restricted AND OLD.team_ord = NEW.team_ord) EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT ON aegis_app.kyc_company FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold_update BEFORE UPDATE ON aegis_app.kyc_company FOR EACH ROW
  WHEN (OLD.restricted AND NEW.restricted AND OLD.team_ord = NEW.team_ord) EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT OR UPDATE OF state, method, remark ON aegis_app.kyc_document FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT ON aegis_app.kyc_document_content FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT OR UPDATE OF share_bps ON aegis_app.kyc_owner FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('company_id');
CREATE TRIGGER hold BEFORE INSERT ON aegis_app.kyc_screening FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT OR UPDATE OF disposition, rationale, confirmed_at ON aegis_app.kyc_match FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT ON aegis_app.kyc_risk FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT OR UPDATE OF outcome, findings ON aegis_app.kyc_review FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');
CREATE TRIGGER hold BEFORE INSERT OR UPDATE OF state, remark ON aegis_app.kyc_decision FOR EACH ROW EXECUTE FUNCTION aegis_app.refuse_restricted('subject_id');

CREATE FUNCTION aegis_app.restrict_kyc_subject(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s     aegis_app.kyc_subject;
  basis text;
BEGIN
  PERFORM aegis_app.require_rank(3, 'restrict the processing of data, or end that');
  s := aegis_app.kyc_subject_of(request, false);
  basis := CASE WHEN request.method = 'DELETE' THEN NULL ELSE aegis_app.text_field(request.body, 'basis', 20) END;
  IF basis IS NULL AND s.restriction IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'Nothing is restricted');
  END IF;
  UPDATE aegis_app.kyc_subject r SET restriction = basis WHERE r.tenant_id = s.tenant_id AND r.id = s.id;
  PERFORM aegis_app.record_kyc(CASE WHEN basis IS NULL THEN 'privacy.restriction.lifted' ELSE 'privacy.restriction.applied' END, 'kyc_subject', s.id, s.id,
                               jsonb_build_object('basis', coalesce(basis, s.restriction)));
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.restrict_kyc_subject(aegis.request) IS 'PUT /api/kyc/subjects/{id}/restriction {basis}, DELETE ends it';
