-- Screening against lists: what was looked up where, what was found, and what two people make of each hit.

CREATE TABLE aegis_app.kyc_screening (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id   uuid NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('sanctions', 'pep', 'adverse_media')),
  provider     text NOT NULL CHECK (provider ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$'),
  list_version text NOT NULL CHECK (list_version ~ '^[A-Za-z0-9][A-Za-z0-9 ._:/-]{0,63}$'),
  matches      integer NOT NULL CHECK (matches >= 0),
  screened_by  uuid,
  screened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted   boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_screening', '');
COMMENT ON TABLE aegis_app.kyc_screening IS 'look-ups of subjects in lists of sanctions, of politically exposed persons, and in the press';

CREATE TABLE aegis_app.kyc_match (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  screening_id uuid NOT NULL,
  subject_id   uuid NOT NULL,
  name         aegis.sealed_text NOT NULL,
  entry        aegis.sealed_text,
  score        smallint CHECK (score >= 0 AND score <= 100),
  disposition  text CHECK (disposition IN ('true_match', 'false_positive')),
  rationale    aegis.sealed_text,
  proposed_by  uuid,
  proposed_at  timestamptz,
  confirmed_by uuid,
  confirmed_at timestamptz,
  restricted   boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, screening_id) REFERENCES aegis_app.kyc_screening (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK ((disposition IS NULL) = (proposed_at IS NULL) AND (disposition IS NULL) = (rationale IS NULL)),
  CHECK (confirmed_at IS NULL OR disposition IS NOT NULL),
  -- Four eyes, whoever writes the table.
  CHECK (confirmed_by <> proposed_by)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_match', '');
COMMENT ON TABLE aegis_app.kyc_match IS 'hits of a screening: the same person or not says one, and another confirms';

SELECT aegis.protect_table('aegis_app.kyc_screening', parent => 'aegis_app.kyc_subject');
SELECT aegis.protect_table('aegis_app.kyc_match', parent => 'aegis_app.kyc_screening');
SELECT aegis.encrypt_column('aegis_app.kyc_match', 'name', 'kyc_match.name', 'aegis.sealed_text', 'initials', subject => 'subject_id', row_bound => true);
SELECT aegis.encrypt_column('aegis_app.kyc_match', 'entry', 'kyc_match.entry', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
SELECT aegis.encrypt_column('aegis_app.kyc_match', 'rationale', 'kyc_match.rationale', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_screening FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('provider', 'list_version');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_match FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('name', 'entry', 'rationale');
CREATE INDEX kyc_screening_subject ON aegis_app.kyc_screening (tenant_id, subject_id, screened_at DESC);
CREATE INDEX kyc_match_subject ON aegis_app.kyc_match (tenant_id, subject_id);

SELECT aegis.declare_event('kyc.screening.recorded', 'a subject was looked up in a list',
                           '{"subject": "clear required", "kind": "clear required", "provider": "clear required", "list_version": "clear required", "matches": "clear required"}');
SELECT aegis.declare_event('kyc.match.disposed', 'somebody said whether a hit of a screening is the subject',
                           '{"subject": "clear required", "disposition": "clear required"}');
SELECT aegis.declare_event('kyc.match.confirmed', 'a second person confirmed what was said of a hit',
                           '{"subject": "clear required", "disposition": "clear required"}');
SELECT aegis.declare_event('kyc.match.returned', 'a second person did not agree with what was said of a hit',
                           '{"subject": "clear required", "disposition": "clear"}');

CREATE FUNCTION aegis_app.guard_kyc_screening() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis_app.kyc_person_acts() THEN
    NEW.screened_by := aegis.user_id();
    NEW.screened_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_screening() IS 'says who screened, and when';
CREATE TRIGGER guard BEFORE INSERT ON aegis_app.kyc_screening FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_screening();

CREATE FUNCTION aegis_app.guard_kyc_match() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (SELECT FROM aegis_app.kyc_screening c WHERE c.tenant_id = aegis.tenant_id() AND c.id = NEW.screening_id AND c.subject_id = NEW.subject_id) THEN
      RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'the hit belongs to no screening of this subject';
    END IF;
    NEW.disposition := NULL;
    NEW.rationale := NULL;
    NEW.proposed_by := NULL;
    NEW.proposed_at := NULL;
    NEW.confirmed_by := NULL;
    NEW.confirmed_at := NULL;
    RETURN NEW;
  END IF;
  IF OLD.confirmed_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'two people have decided about this hit';
  END IF;
  IF NEW.confirmed_at IS NOT NULL THEN
    PERFORM aegis_app.require_rank(2, 'confirm what was said of a hit');
    IF OLD.disposition IS NULL OR NEW.disposition IS DISTINCT FROM OLD.disposition THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'nothing was said of this hit that could be confirmed';
    ELSIF OLD.proposed_by = aegis.user_id() THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'what was said of a hit is confirmed by somebody else';
    END IF;
    NEW.confirmed_by := aegis.user_id();
    NEW.confirmed_at := clock_timestamp();
  ELSIF NEW.disposition IS NOT NULL THEN
    NEW.proposed_by := aegis.user_id();
    NEW.proposed_at := clock_timestamp();
  ELSE
    NEW.proposed_by := NULL;
    NEW.proposed_at := NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_match() IS 'lets one say what a hit is and another, of rank 2, confirm it';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF disposition, rationale, confirmed_at ON aegis_app.kyc_match FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_match();

-- Sealed anew, or written by somebody: of a sealed value that is no difference, so the statement is asked which columns it names.
CREATE FUNCTION aegis_app.keep_kyc_rationale() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis_app.kyc_person_acts() THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'what is confirmed is what was said, with its reason';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.keep_kyc_rationale() IS 'refuses another reason in the statement that confirms what was said of a hit';
CREATE TRIGGER keep_rationale BEFORE UPDATE OF rationale ON aegis_app.kyc_match FOR EACH ROW WHEN (NEW.confirmed_at IS NOT NULL)
  EXECUTE FUNCTION aegis_app.keep_kyc_rationale();

CREATE FUNCTION aegis_app.kyc_match_json(m aegis_app.kyc_match, readable boolean) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', m.id, 'score', m.score, 'disposition', m.disposition, 'proposed_by', m.proposed_by, 'proposed_at', m.proposed_at,
    'confirmed_by', m.confirmed_by, 'confirmed_at', m.confirmed_at, 'name', CASE WHEN readable THEN aegis.legible(m.name, m) END,
    'entry', CASE WHEN readable THEN aegis.legible(m.entry, m) END, 'rationale', CASE WHEN readable THEN aegis.legible(m.rationale, m) END);
COMMENT ON FUNCTION aegis_app.kyc_match_json(aegis_app.kyc_match, boolean) IS 'a hit of a screening; what is sealed only where the subject was not erased';

CREATE FUNCTION aegis_app.kyc_screenings(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'kind', c.kind, 'provider', c.provider, 'list_version', c.list_version, 'screened_by', c.screened_by,
             'screened_at', c.screened_at, 'matches', (SELECT coalesce(jsonb_agg(aegis_app.kyc_match_json(m, s.erased_at IS NULL) ORDER BY m.score DESC, m.id), '[]')
                                                         FROM aegis_app.kyc_match m WHERE m.tenant_id = c.tenant_id AND m.screening_id = c.id)) ORDER BY c.screened_at DESC, c.id), '[]')
      FROM aegis_app.kyc_screening c WHERE c.tenant_id = s.tenant_id AND c.subject_id = s.id;
  END;
COMMENT ON FUNCTION aegis_app.kyc_screenings(aegis_app.kyc_subject) IS 'the screenings of a subject, newest first, with their hits';

CREATE FUNCTION aegis_app.record_kyc_screening(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b    jsonb := request.body;
  s    aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  hits jsonb := coalesce(nullif(b -> 'matches', 'null'), '[]');
  hit  jsonb;
  made aegis_app.kyc_screening;
BEGIN
  IF jsonb_typeof(hits) <> 'array' OR jsonb_array_length(hits) > 100 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "matches" must be a list of at most 100';
  END IF;
  INSERT INTO aegis_app.kyc_screening (subject_id, kind, provider, list_version, matches)
  VALUES (s.id, aegis_app.text_field(b, 'kind', 20), aegis_app.text_field(b, 'provider', 64), aegis_app.text_field(b, 'list_version', 64), jsonb_array_length(hits))
  RETURNING * INTO made;
  FOR hit IN SELECT * FROM jsonb_array_elements(hits) LOOP
    INSERT INTO aegis_app.kyc_match (screening_id, subject_id, name, entry, score)
    VALUES (made.id, s.id, aegis_app.text_field(hit, 'name', 200), aegis_app.text_field(hit, 'entry', 200, false), aegis_app.integer_field(hit, 'score', 0, 100));
  END LOOP;
  PERFORM aegis_app.record_kyc('kyc.screening.recorded', 'kyc_screening', made.id, s.id,
    jsonb_build_object('kind', made.kind, 'provider', made.provider, 'list_version', made.list_version, 'matches', made.matches));
  RETURN aegis_app.ok(jsonb_build_object('id', made.id, 'matches', made.matches), 201);
END $$;
COMMENT ON FUNCTION aegis_app.record_kyc_screening(aegis.request) IS 'POST /api/kyc/subjects/{id}/screenings {kind, provider, list_version, matches?: [{name, entry?, score}]}';

CREATE FUNCTION aegis_app.kyc_match_of(request aegis.request) RETURNS aegis_app.kyc_match
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m aegis_app.kyc_match;
BEGIN
  SELECT * INTO m FROM aegis_app.kyc_match r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') FOR UPDATE;
  IF m.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such match';
  END IF;
  RETURN m;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_match_of(aegis.request) IS 'the hit that a request names, locked; raises no_data_found where the caller sees none';

CREATE FUNCTION aegis_app.dispose_kyc_match(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m aegis_app.kyc_match := aegis_app.kyc_match_of(request);
BEGIN
  UPDATE aegis_app.kyc_match r
     SET disposition = aegis_app.text_field(request.body, 'disposition', 20), rationale = aegis_app.text_field(request.body, 'rationale', 2000)
   WHERE r.tenant_id = m.tenant_id AND r.id = m.id RETURNING * INTO m;
  PERFORM aegis_app.record_kyc('kyc.match.disposed', 'kyc_match', m.id, m.subject_id, jsonb_build_object('disposition', m.disposition));
  RETURN aegis_app.ok(aegis_app.kyc_match_json(m, true));
END $$;
COMMENT ON FUNCTION aegis_app.dispose_kyc_match(aegis.request) IS 'POST /api/kyc/matches/{id}/disposition {disposition, rationale}';

CREATE FUNCTION aegis_app.confirm_kyc_match(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  m aegis_app.kyc_match;
  was text;
  agreed boolean := aegis_app.flag_field(request.body, 'agreed', true);
BEGIN
  PERFORM aegis_app.require_rank(2, 'confirm what was said of a hit');
  m := aegis_app.kyc_match_of(request);
  was := m.disposition;
  IF agreed THEN
    UPDATE aegis_app.kyc_match r SET confirmed_at = clock_timestamp() WHERE r.tenant_id = m.tenant_id AND r.id = m.id RETURNING * INTO m;
  ELSIF was IS NOT NULL THEN
    UPDATE aegis_app.kyc_match r SET disposition = NULL, rationale = NULL WHERE r.tenant_id = m.tenant_id AND r.id = m.id RETURNING * INTO m;
  END IF;
  PERFORM aegis_app.record_kyc(CASE WHEN agreed THEN 'kyc.match.confirmed' ELSE 'kyc.match.returned' END, 'kyc_match', m.id, m.subject_id,
                               jsonb_strip_nulls(jsonb_build_object('disposition', was)));
  RETURN aegis_app.ok(aegis_app.kyc_match_json(m, true));
END $$;
COMMENT ON FUNCTION aegis_app.confirm_kyc_match(aegis.request) IS 'POST /api/kyc/matches/{id}/confirmation {agreed?}: a second person, of rank 2';
