-- Whom a tenant checks: persons and companies, each under a key of its own, and the steps of a check. docs/kyc.md.

CREATE TABLE aegis_app.kyc_subject (
  tenant_id         uuid NOT NULL DEFAULT aegis.tenant_id(),
  id                uuid NOT NULL DEFAULT gen_random_uuid(),
  kind              text NOT NULL CHECK (kind IN ('person', 'company', 'trust', 'partnership')),
  name              aegis.sealed_text NOT NULL,
  customer_id       uuid,
  status            text NOT NULL DEFAULT 'in_progress'
                    CHECK (status IN ('in_progress', 'pending_documents', 'pending_review', 'approved', 'rejected', 'expired', 'suspended', 'offboarded')),
  decision_id       uuid,
  status_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_on        date,
  ended_on          date,
  restriction       text CHECK (restriction IN ('accuracy', 'unlawful', 'claim', 'objection', 'retention')),
  restricted_at     timestamptz,
  erased_at         timestamptz,
  version           integer NOT NULL DEFAULT 1,
  created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES aegis_app.customer (tenant_id, id),
  -- What is kept for so long from the end on needs one.
  CHECK ((status IN ('rejected', 'offboarded')) = (ended_on IS NOT NULL)),
  CHECK ((restriction IS NULL) = (restricted_at IS NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_subject', '');
COMMENT ON TABLE aegis_app.kyc_subject IS 'persons and companies that a tenant checks; the id is the data subject, under whose key everything about it is sealed';
COMMENT ON COLUMN aegis_app.kyc_subject.started_on IS 'when the relationship began: the first approval';
COMMENT ON COLUMN aegis_app.kyc_subject.ended_on IS 'when the relationship ended, or was refused: from then on the time of retention runs';
COMMENT ON COLUMN aegis_app.kyc_subject.restriction IS 'why the data is kept and not used: a ground of article 18 of the GDPR, or a time of retention that outlasts a request for erasure';
COMMENT ON COLUMN aegis_app.kyc_subject.erased_at IS 'when the key of the subject was destroyed; nothing sealed opens since';

SELECT aegis.protect_table('aegis_app.kyc_subject');
SELECT aegis.encrypt_column('aegis_app.kyc_subject', 'name', 'kyc_subject.name', 'aegis.sealed_text', 'initials', subject => 'id');

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.kyc_subject FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('name');
CREATE INDEX kyc_subject_newest ON aegis_app.kyc_subject (tenant_id, created_at DESC, id DESC);
CREATE INDEX kyc_subject_customer ON aegis_app.kyc_subject (tenant_id, customer_id);

SELECT aegis.declare_event('kyc.subject.created', 'a check of a person or company began', '{"kind": "clear required"}');
SELECT aegis.declare_event('kyc.subject.updated', 'what is known about the subject of a check was changed', '{"fields": "clear required"}');
SELECT aegis.declare_event('kyc.subject.status_changed', 'a check went on to another status',
                           '{"from": "clear required", "to": "clear required", "command": "clear required"}');

-- The steps of a check, once, as data: handlers, the trigger below and docs/kyc.md follow it. What two people decide has no
-- least rank here: who may decide, the decision says.
CREATE FUNCTION aegis_app.kyc_transitions() RETURNS TABLE (from_status text, command text, to_status text, least_rank smallint, decided boolean)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  BEGIN ATOMIC
    SELECT t.from_status, t.command, t.to_status, t.least_rank::smallint, t.least_rank IS NULL
      FROM (VALUES
        ('in_progress',       'request_documents', 'pending_documents', 1),
        ('in_progress',       'submit',            'pending_review',    1),
        ('pending_documents', 'resume',            'in_progress',       1),
        ('pending_review',    'return',            'in_progress',       2),
        ('pending_review',    'approve',           'approved',          NULL),
        ('pending_review',    'reject',            'rejected',          NULL),
        ('approved',          'suspend',           'suspended',         2),
        ('approved',          'expire',            'expired',           1),
        ('approved',          'reopen',            'in_progress',       1),
        ('suspended',         'reinstate',         'approved',          NULL),
        ('expired',           'reopen',            'in_progress',       1),
        ('rejected',          'reopen',            'in_progress',       2),
        ('in_progress',       'offboard',          'offboarded',        NULL),
        ('pending_documents', 'offboard',          'offboarded',        NULL),
        ('approved',          'offboard',          'offboarded',        NULL),
        ('suspended',         'offboard',          'offboarded',        NULL),
        ('expired',           'offboard',          'offboarded',        NULL)) AS t(from_status, command, to_status, least_rank);
  END;
COMMENT ON FUNCTION aegis_app.kyc_transitions() IS 'which command leads a check from which status to which: the least rank that may, or that two people decide';

CREATE FUNCTION aegis_app.require_rank(wanted integer, doing text) RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(aegis.rank(), 0) < wanted THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('to %s needs rank %s', doing, wanted);
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.require_rank(integer, text) IS 'raises insufficient_privilege unless the caller has this rank';

-- Guards look at what they guard alone: a row that goes to another team with its subject is updated, too.
-- What belongs to a check is written by people of the tenant; a dump or a move that brings rows along has no context, or a job's.
CREATE FUNCTION aegis_app.kyc_person_acts() RETURNS boolean
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN false;
  END IF;
  IF aegis.user_id() IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only a person can act in a check',
      HINT = 'Operators and services have no user whose name a decision could bear.';
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_person_acts() IS 'true where a user of the tenant acts, false where rows are restored or moved; raises for operators and services';

CREATE FUNCTION aegis_app.guard_kyc_subject() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.restriction IS DISTINCT FROM OLD.restriction THEN
    PERFORM aegis_app.require_rank(3, 'restrict the processing of data, or end that');
    NEW.restricted_at := CASE WHEN NEW.restriction IS NOT NULL THEN coalesce(OLD.restricted_at, clock_timestamp()) END;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.status = OLD.status OR NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    NEW.status := 'in_progress';
    RETURN NEW;
  END IF;
  SELECT t.* INTO step FROM aegis_app.kyc_transitions() t WHERE t.from_status = OLD.status AND t.to_status = NEW.status;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('no step leads a check from "%s" to "%s"', OLD.status, NEW.status),
      HINT = 'aegis_app.kyc_transitions() lists the steps.';
  END IF;
  IF NOT step.decided THEN
    PERFORM aegis_app.require_rank(step.least_rank, format('"%s" a check', step.command));
  ELSIF NOT EXISTS (SELECT FROM aegis_app.kyc_decision d
                     WHERE d.tenant_id = OLD.tenant_id AND d.subject_id = OLD.id AND d.id = NEW.decision_id AND d.command = step.command
                       AND d.state = 'confirmed' AND d.proposed_at >= OLD.status_changed_at) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('two people have to decide to "%s"', step.command),
      HINT = 'Propose it, and let somebody else confirm.';
  END IF;
  NEW.status_changed_at := clock_timestamp();
  NEW.started_on := coalesce(OLD.started_on, CASE WHEN NEW.status = 'approved' THEN aegis_app.today() END);
  NEW.ended_on := CASE WHEN NEW.status IN ('rejected', 'offboarded') THEN aegis_app.today() END;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_kyc_subject() IS 'keeps a check to its steps, and to what two people decided';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON aegis_app.kyc_subject FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_kyc_subject();

-- The subject in the path, if the caller sees it; locked where it is changed, so that its steps come one after the other.
CREATE FUNCTION aegis_app.kyc_subject_of(request aegis.request, to_change boolean) RETURNS aegis_app.kyc_subject
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject;
BEGIN
  IF to_change THEN
    SELECT * INTO s FROM aegis_app.kyc_subject r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') FOR UPDATE;
  ELSE
    SELECT * INTO s FROM aegis_app.kyc_subject r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id');
  END IF;
  IF s.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such subject';
  END IF;
  IF to_change AND s.erased_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the subject was erased';
  ELSIF to_change AND s.restriction IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the data of the subject is kept and not used', HINT = 'A manager can end the restriction.';
  END IF;
  RETURN s;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_subject_of(aegis.request, boolean) IS 'the subject that a request names, locked to be changed; raises no_data_found where the caller sees none';

-- After an erasure nothing opens: NULL is shown.
CREATE FUNCTION aegis_app.kyc_name(s aegis_app.kyc_subject) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN s.erased_at IS NULL THEN aegis.legible(s.name, s) END;
COMMENT ON FUNCTION aegis_app.kyc_name(aegis_app.kyc_subject) IS 'as much of the name as the policy lets the caller see; NULL for an erased subject';
