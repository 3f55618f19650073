-- Decisions with four eyes: one person proposes, another of the rank that the risk asks for confirms, and only then the check goes on.

CREATE TABLE aegis_app.kyc_decision (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  command     text NOT NULL CHECK (command IN ('approve', 'reject', 'reinstate', 'offboard')),
  least_rank  smallint NOT NULL CHECK (least_rank >= 2 AND least_rank <= 4),
  rationale   aegis.sealed_text NOT NULL,
  state       text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'confirmed', 'refused', 'withdrawn')),
  remark      aegis.sealed_text,
  proposed_by uuid,
  proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  decided_by  uuid,
  decided_at  timestamptz,
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id),
  CHECK ((state IN ('confirmed', 'refused')) = (decided_at IS NOT NULL)),
  -- Four eyes, whoever writes the table.
  CHECK (decided_by <> proposed_by),
  CHECK (decided_at IS NULL OR (decided_by IS NOT NULL AND proposed_by IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_decision', '');
COMMENT ON TABLE aegis_app.kyc_decision IS 'what one person proposed about a check and another decided; what is decided is never changed';
COMMENT ON COLUMN aegis_app.kyc_decision.least_rank IS 'of whoever decides: 2, or 3 where due diligence is enhanced';

SELECT aegis.protect_table('aegis_app.kyc_decision', parent => 'aegis_app.kyc_subject');
SELECT aegis.encrypt_column('aegis_app.kyc_decision', 'rationale', 'kyc_decision.rationale', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
SELECT aegis.encrypt_column('aegis_app.kyc_decision', 'remark', 'kyc_decision.remark', 'aegis.sealed_text', 'full', subject => 'subject_id', row_bound => true);
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_decision FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('rationale', 'remark');
CREATE UNIQUE INDEX kyc_decision_open ON aegis_app.kyc_decision (tenant_id, subject_id) WHERE state = 'proposed';
CREATE INDEX kyc_decision_subject ON aegis_app.kyc_decision (tenant_id, subject_id, proposed_at DESC);

SELECT aegis.declare_event('kyc.decision.proposed', 'somebody proposed how a check should end or go on',
                           '{"subject": "clear required", "command": "clear required", "least_rank": "clear required"}');
SELECT aegis.declare_event('kyc.decision.confirmed', 'a second person confirmed a proposal',
                           '{"subject": "clear required", "command": "clear required"}');
SELECT aegis.declare_event('kyc.decision.refused', 'a second person refused a proposal',
                           '{"subject": "clear required", "command": "clear required"}');
SELECT aegis.declare_event('kyc.decision.withdrawn', 'a proposal was taken back by whoever made it',
                           '{"subject": "clear required", "command": "clear required"}');

-- What an approval lacks, in words for people and keys for programs.
CREATE FUNCTION aegis_app.kyc_findings(s aegis_app.kyc_subject) RETURNS TABLE (finding text, problem text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT 'no-document', 'no document was verified that is still valid'
     WHERE NOT EXISTS (SELECT FROM aegis_app.kyc_document d WHERE d.tenant_id = s.tenant_id AND d.subject_id = s.id AND d.state = 'verified'
                          AND (d.expires_on IS NULL OR d.expires_on >= aegis_app.today()))
    UNION ALL
    SELECT 'not-screened', format('there is no screening against %s of the last 30 days', CASE k.kind WHEN 'pep' THEN 'lists of politically exposed persons' ELSE 'lists of sanctions' END)
      FROM unnest('{sanctions,pep}'::text[]) AS k(kind)
     WHERE (k.kind = 'sanctions' OR s.kind = 'person')
       AND NOT EXISTS (SELECT FROM aegis_app.kyc_screening c WHERE c.tenant_id = s.tenant_id AND c.subject_id = s.id AND c.kind = k.kind AND c.screened_at > now() - interval '30 days')
    UNION ALL
    SELECT 'open-match', 'two people have not decided about a hit of a screening'
     WHERE EXISTS (SELECT FROM aegis_app.kyc_match m WHERE m.tenant_id = s.tenant_id AND m.subject_id = s.id AND m.confirmed_at IS NULL)
    UNION ALL
    SELECT CASE WHEN r.rating IS NULL THEN 'not-rated' ELSE 'prohibited' END, CASE WHEN r.rating IS NULL THEN 'the risk is not rated' ELSE 'the risk is prohibited' END
      FROM aegis_app.kyc_current_risk(s) r WHERE r.rating IS NULL OR r.rating = 'prohibited'
        OR aegis_app.kyc_computed_rating(s.id, ARRAY[1::smallint]) = 'prohibited'
    UNION ALL
    SELECT 'no-owner', 'nobody is known who owns or controls it in the end'
     WHERE s.kind <> 'person' AND NOT EXISTS (SELECT FROM aegis_app.kyc_beneficial_owners(s.id))
    UNION ALL
    SELECT 'owner-not-approved', 'an owner in the end is not approved'
     WHERE s.kind <> 'person' AND EXISTS (SELECT FROM aegis_app.kyc_beneficial_owners(s.id) u LEFT JOIN aegis_app.kyc_subject o ON o.tenant_id = s.tenant_id AND o.id = u.owner_id
                                           WHERE o.status IS DISTINCT FROM 'approved');
  END;
COMMENT ON FUNCTION aegis_app.kyc_findings(aegis_app.kyc_subject) IS 'what stands in the way of an approval; no rows: nothing';

-- A suspension is what a hit leads to: what lists say of somebody stands in the way of an end to it as of the first approval.
CREATE FUNCTION aegis_app.kyc_hindrances(s aegis_app.kyc_subject, command text) RETURNS TABLE (finding text, problem text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT f.finding, f.problem FROM aegis_app.kyc_findings(s) f
     WHERE command = 'approve' OR command = 'reinstate' AND f.finding IN ('open-match', 'prohibited');
  END;
COMMENT ON FUNCTION aegis_app.kyc_hindrances(aegis_app.kyc_subject, text) IS 'which findings stand in the way of a decision: all of an approval, what lists say of a reinstatement';

CREATE FUNCTION aegis_app.guard_kyc_decision() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject;
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  SELECT * INTO s FROM aegis_app.kyc_subject r WHERE r.tenant_id = aegis.tenant_id() AND r.id = NEW.subject_id FOR UPDATE;
  IF TG_OP = 'INSERT' OR NEW.state = 'confirmed' THEN
    IF NOT EXISTS (SELECT FROM aegis_app.kyc_transitions() t WHERE t.from_status = s.status AND t.command = NEW.command AND t.decided) THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('a check that is %s cannot be decided to "%s"', s.status, NEW.command);
    END IF;
    IF EXISTS (SELECT FROM aegis_app.kyc_hindrances(s, NEW.command)) THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the check is not complete',
        DETAIL = (SELECT string_agg(f.problem, '; ') FROM aegis_app.kyc_hindrances(s, NEW.command) f);
    END IF;
    -- Who decides must have the rank of now, not that of when it was proposed.
    NEW.least_rank := CASE WHEN (aegis_app.kyc_current_risk(s)).level = 'edd' THEN 3 ELSE 2 END;
  END IF;
  IF TG_OP = 'INSERT' THEN
    NEW.state := 'proposed';
    NEW.remark := NULL;
    NEW.proposed_by := aegis.user_id();
    NEW.proposed_at := clock_timestamp();
    RETURN NEW;
  END IF;
  IF OLD.state <> 'proposed' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the proposal is %s', OLD.state);
  ELSIF NEW.state = 'withdrawn' THEN
    IF OLD.proposed_by <> aegis.user_id() THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'a proposal is taken back by whoever made it';
    END IF;
  ELSIF NEW.state IN ('confirmed', 'refused') THEN
    IF OLD.proposed_by = aegis.user_id() THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'a proposal is decided by somebody else than made it';
    END IF;
    PERFORM aegis_app.require_rank(greatest(NEW.least_rank, OLD.least_rank), 'decide about this check');
    NEW.decided_by := aegis.user_id();
    NEW.decided_at := clock_timestamp();
  ELSE
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'a proposal is confirmed, refused or withdrawn';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_decision() IS 'says who proposed and who decided, keeps the two apart, and asks for rank and completeness';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OF state, remark ON aegis_app.kyc_decision FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_decision();

CREATE FUNCTION aegis_app.kyc_decision_json(d aegis_app.kyc_decision, readable boolean) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', d.id, 'subject_id', d.subject_id, 'command', d.command, 'state', d.state, 'least_rank', d.least_rank, 'proposed_by', d.proposed_by, 'proposed_at', d.proposed_at,
    'decided_by', d.decided_by, 'decided_at', d.decided_at, 'rationale', CASE WHEN readable THEN aegis.legible(d.rationale, d) END,
    'remark', CASE WHEN readable THEN aegis.legible(d.remark, d) END);
COMMENT ON FUNCTION aegis_app.kyc_decision_json(aegis_app.kyc_decision, boolean) IS 'a decision; the reasons only where the subject was not erased';

CREATE FUNCTION aegis_app.kyc_decisions(s aegis_app.kyc_subject) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(aegis_app.kyc_decision_json(d, s.erased_at IS NULL) ORDER BY d.proposed_at DESC, d.id), '[]')
      FROM aegis_app.kyc_decision d WHERE d.tenant_id = s.tenant_id AND d.subject_id = s.id;
  END;
COMMENT ON FUNCTION aegis_app.kyc_decisions(aegis_app.kyc_subject) IS 'what was proposed and decided about a subject, newest first';

CREATE FUNCTION aegis_app.propose_kyc_decision(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b jsonb := request.body;
  s aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, true);
  d aegis_app.kyc_decision;
BEGIN
  IF EXISTS (SELECT FROM aegis_app.kyc_decision o WHERE o.tenant_id = s.tenant_id AND o.subject_id = s.id AND o.state = 'proposed') THEN
    RETURN aegis_app.problem(409, 'conflict', 'A proposal about this subject is open');
  END IF;
  IF EXISTS (SELECT FROM aegis_app.kyc_transitions() t WHERE t.from_status = s.status AND t.command = b ->> 'command')
     AND EXISTS (SELECT FROM aegis_app.kyc_hindrances(s, b ->> 'command')) THEN
    RETURN aegis_app.problem(409, 'incomplete', 'The check is not complete', (SELECT string_agg(f.problem, '; ') FROM aegis_app.kyc_hindrances(s, b ->> 'command') f));
  END IF;
  INSERT INTO aegis_app.kyc_decision (subject_id, command, rationale) VALUES (s.id, aegis_app.text_field(b, 'command', 20), aegis_app.text_field(b, 'rationale', 4000))
  RETURNING * INTO d;
  PERFORM aegis_app.record_kyc('kyc.decision.proposed', 'kyc_decision', d.id, s.id, jsonb_build_object('command', d.command, 'least_rank', d.least_rank));
  RETURN aegis_app.ok(aegis_app.kyc_decision_json(d, true), 201);
END $$;
COMMENT ON FUNCTION aegis_app.propose_kyc_decision(aegis.request) IS 'POST /api/kyc/subjects/{id}/decisions {command, rationale}';

CREATE FUNCTION aegis_app.decide_kyc_decision(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b    jsonb := request.body;
  s    aegis_app.kyc_subject;
  d    aegis_app.kyc_decision;
  step record;
BEGIN
  SELECT * INTO d FROM aegis_app.kyc_decision r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id');
  IF d.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such proposal');
  END IF;
  -- The subject first, as whoever proposes: two at once wait instead of blocking each other.
  SELECT * INTO s FROM aegis_app.kyc_subject r WHERE r.tenant_id = d.tenant_id AND r.id = d.subject_id FOR UPDATE;
  UPDATE aegis_app.kyc_decision r
     SET state = aegis_app.choice_field(b, 'state', '{confirmed,refused,withdrawn}', 'confirmed'), remark = aegis_app.text_field(b, 'remark', 4000, b ->> 'state' = 'refused')
   WHERE r.tenant_id = d.tenant_id AND r.id = d.id RETURNING * INTO d;
  PERFORM aegis_app.record_kyc('kyc.decision.' || d.state, 'kyc_decision', d.id, s.id, jsonb_build_object('command', d.command));
  IF d.state = 'confirmed' THEN
    SELECT t.* INTO STRICT step FROM aegis_app.kyc_transitions() t WHERE t.from_status = s.status AND t.command = d.command;
    PERFORM aegis_app.move_kyc_subject(s, step.command, step.to_status, d.id);
  END IF;
  RETURN aegis_app.ok(aegis_app.kyc_decision_json(d, true));
END $$;
COMMENT ON FUNCTION aegis_app.decide_kyc_decision(aegis.request) IS 'POST /api/kyc/decisions/{id} {state, remark?}: confirmed or refused by a second person, or withdrawn by the first';
