-- How long what was found out in a check has to be kept, by region, and the holds that keep it longer.

CREATE FUNCTION aegis_app.kyc_retention_rules() RETURNS TABLE (region text, keep interval, basis text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  BEGIN ATOMIC
    SELECT r.region, r.keep::interval, r.basis
      FROM (VALUES
        ('UK',      '5 years', 'Money Laundering Regulations 2017, regulation 40'),
        ('EU_WEST', '5 years', 'Directive (EU) 2015/849, article 40'),
        ('DIFC',    '6 years', 'DFSA Rulebook, AML 14.4.1'),
        ('SG',      '5 years', 'MAS notices on the prevention of money laundering'),
        ('HK',      '5 years', 'Cap. 615, schedule 2, section 20'),
        ('US_EAST', '5 years', '31 CFR 1010.430')) AS r(region, keep, basis);
  END;
COMMENT ON FUNCTION aegis_app.kyc_retention_rules() IS 'for each region how long records of due diligence are kept from the end of the relationship on, and by which law';

-- A region without a rule keeps as long as the one that keeps longest.
CREATE FUNCTION aegis_app.kyc_retention() RETURNS TABLE (keep interval, basis text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT r.keep, r.basis FROM aegis_app.kyc_retention_rules() r
     ORDER BY r.region = (SELECT t.region FROM aegis.current_tenant() t) DESC, r.keep DESC LIMIT 1;
  END;
COMMENT ON FUNCTION aegis_app.kyc_retention() IS 'the rule of retention for the tenant';

CREATE FUNCTION aegis_app.kyc_retained_until(s aegis_app.kyc_subject) RETURNS date
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN (SELECT (s.ended_on + r.keep)::date FROM aegis_app.kyc_retention() r);
COMMENT ON FUNCTION aegis_app.kyc_retained_until(aegis_app.kyc_subject) IS 'until when a subject has to be kept; NULL while the relationship goes on';

CREATE TABLE aegis_app.kyc_hold (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  reason      aegis.sealed_text NOT NULL,
  placed_by   uuid,
  placed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  released_by uuid,
  released_at timestamptz,
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_hold', '');
COMMENT ON TABLE aegis_app.kyc_hold IS 'legal holds: while one is open, nothing of the subject is erased';

SELECT aegis.protect_table('aegis_app.kyc_hold', parent => 'aegis_app.kyc_subject');
SELECT aegis.encrypt_column('aegis_app.kyc_hold', 'reason', 'kyc_hold.reason', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_hold FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('reason');
CREATE INDEX kyc_hold_open ON aegis_app.kyc_hold (tenant_id, subject_id) WHERE released_at IS NULL;

SELECT aegis.declare_event('privacy.hold.placed', 'a legal hold was put on the data of a subject', '{"subject": "clear required"}');
SELECT aegis.declare_event('privacy.hold.released', 'a legal hold on the data of a subject was ended', '{"subject": "clear required"}');

CREATE FUNCTION aegis_app.guard_kyc_hold() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  PERFORM aegis_app.require_rank(3, 'place or release a hold');
  IF TG_OP = 'INSERT' THEN
    -- Under the row that an erasure writes: whichever is first, the other sees it.
    PERFORM aegis_app.require_new_snapshots();
    PERFORM FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = NEW.subject_id FOR UPDATE;
    IF EXISTS (SELECT FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = NEW.subject_id AND s.erased_at IS NOT NULL) THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the subject was erased';
    END IF;
    NEW.placed_by := aegis.user_id();
    NEW.placed_at := clock_timestamp();
    NEW.released_at := NULL;
    NEW.restricted := EXISTS (SELECT FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = NEW.subject_id AND s.restriction IS NOT NULL);
    RETURN NEW;
  END IF;
  IF OLD.released_at IS NOT NULL OR NEW.released_at IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the hold is released';
  END IF;
  NEW.released_by := aegis.user_id();
  NEW.released_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_hold() IS 'lets managers place and release holds';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF released_at ON aegis_app.kyc_hold FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_hold();

CREATE FUNCTION aegis_app.kyc_holds(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', h.id, 'reason', CASE WHEN s.erased_at IS NULL THEN aegis.legible(h.reason, h) END, 'placed_by', h.placed_by, 'placed_at', h.placed_at,
             'released_by', h.released_by, 'released_at', h.released_at) ORDER BY h.placed_at DESC, h.id), '[]')
      FROM aegis_app.kyc_hold h WHERE h.tenant_id = s.tenant_id AND h.subject_id = s.id;
  END;
COMMENT ON FUNCTION aegis_app.kyc_holds(aegis_app.kyc_subject) IS 'the legal holds on a subject, newest first; the reasons only where the subject was not erased';

CREATE FUNCTION aegis_app.place_kyc_hold(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject;
  h aegis_app.kyc_hold;
BEGIN
  PERFORM aegis_app.require_rank(3, 'place a hold');
  s := aegis_app.kyc_subject_of(request, false);
  INSERT INTO aegis_app.kyc_hold (subject_id, reason) VALUES (s.id, aegis_app.text_field(request.body, 'reason', 2000)) RETURNING * INTO h;
  PERFORM aegis_app.record_kyc('privacy.hold.placed', 'kyc_hold', h.id, s.id);
  RETURN aegis_app.ok(jsonb_build_object('id', h.id), 201);
END $$;
COMMENT ON FUNCTION aegis_app.place_kyc_hold(aegis.request) IS 'POST /api/kyc/subjects/{id}/holds {reason}';

CREATE FUNCTION aegis_app.release_kyc_hold(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h aegis_app.kyc_hold;
BEGIN
  PERFORM aegis_app.require_rank(3, 'release a hold');
  UPDATE aegis_app.kyc_hold r SET released_at = clock_timestamp() WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') RETURNING * INTO h;
  IF h.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such hold');
  END IF;
  PERFORM aegis_app.record_kyc('privacy.hold.released', 'kyc_hold', h.id, h.subject_id);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.release_kyc_hold(aegis.request) IS 'DELETE /api/kyc/holds/{id}';
