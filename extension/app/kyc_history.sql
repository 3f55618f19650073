-- What was done in a check, in the order in which it was. The same goes to the tenant's ledger, which admins alone read; this is for whoever
-- sees the subject. What was only looked at is in the ledger alone.

CREATE TABLE aegis_app.kyc_event (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  event       text NOT NULL CHECK (event ~ '^(kyc|privacy)[.]'),
  family      text NOT NULL GENERATED ALWAYS AS (split_part(event, '.', 1)) STORED,
  target_id   uuid NOT NULL,
  detail      jsonb NOT NULL,
  happened_by uuid,
  happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_event', '');
COMMENT ON TABLE aegis_app.kyc_event IS 'what happened in a check, with ids and words and nothing personal; written with each entry of the ledger, so the ledger does not capture it';
COMMENT ON COLUMN aegis_app.kyc_event.happened_by IS 'NULL: an operator';

SELECT aegis.protect_table('aegis_app.kyc_event', parent => 'aegis_app.kyc_subject');
SELECT aegis.unaudit_table('aegis_app.kyc_event');
-- Holds, erasures, exports and restrictions are for managers, here as well.
CREATE POLICY managers_alone ON aegis_app.kyc_event AS RESTRICTIVE FOR SELECT USING (family = 'kyc' OR aegis.rank() >= 3 OR aegis.auth_method() = 'job');
CREATE INDEX kyc_event_newest ON aegis_app.kyc_event (tenant_id, subject_id, happened_at DESC, id DESC);

-- Whoever calls it says what happened, as with aegis.record(); who did it, when, and whether that is restricted follows from the context.
CREATE FUNCTION aegis_app.record_kyc(event text, target_kind text, target uuid, subject uuid, detail jsonb DEFAULT '{}') RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO aegis_app.kyc_event (subject_id, event, target_id, detail, happened_by, restricted)
    SELECT s.id, record_kyc.event, record_kyc.target, record_kyc.detail, aegis.user_id(), s.restriction IS NOT NULL
      FROM aegis_app.kyc_subject s WHERE s.tenant_id = aegis.tenant_id() AND s.id = record_kyc.subject;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such subject';
  END IF;
  PERFORM aegis.record(event, target_kind, target::text, detail => detail || CASE WHEN target = subject THEN '{}' ELSE jsonb_build_object('subject', subject) END);
END $$;
COMMENT ON FUNCTION aegis_app.record_kyc(text, text, uuid, uuid, jsonb) IS 'writes what happened in a check to its history and to the ledger';

CREATE FUNCTION aegis_app.kyc_history(s aegis_app.kyc_subject, most bigint, before uuid DEFAULT NULL) RETURNS SETOF jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT jsonb_build_object('id', e.id, 'event', e.event, 'at', e.happened_at, 'by', e.happened_by, 'detail', e.detail)
      FROM aegis_app.kyc_event e
     WHERE e.tenant_id = s.tenant_id AND e.subject_id = s.id
       AND (before IS NULL OR (e.happened_at, e.id) < (SELECT b.happened_at, b.id FROM aegis_app.kyc_event b WHERE b.tenant_id = s.tenant_id AND b.id = before))
     ORDER BY e.happened_at DESC, e.id DESC LIMIT most;
  END;
COMMENT ON FUNCTION aegis_app.kyc_history(aegis_app.kyc_subject, bigint, uuid) IS 'what happened in a check, newest first, as much as the caller may see';

CREATE FUNCTION aegis_app.get_kyc_history(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q jsonb := coalesce(request.query, '{}');
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('events', (
    SELECT coalesce(jsonb_agg(e), '[]') FROM aegis_app.kyc_history(aegis_app.kyc_subject_of(request, false), aegis_app.integer_field(q, 'limit', 1, 100, 50), aegis_app.uuid_field(q, 'before')) e)));
END $$;
COMMENT ON FUNCTION aegis_app.get_kyc_history(aegis.request) IS 'GET /api/kyc/subjects/{id}/history?limit=&before=';
