-- Reports of suspicion: anybody of the tenant files one, the reporting officer alone learns that there is one. docs/suspicion_report.md.

CREATE TABLE aegis_app.reporting_officer (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  user_id      uuid NOT NULL,
  appointed_by uuid,
  appointed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  dismissed_by uuid,
  dismissed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK (user_id <> appointed_by)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.reporting_officer', '');
COMMENT ON TABLE aegis_app.reporting_officer IS 'who receives reports of suspicion (MLRO, nominated officer): appointed by an admin, and never by themselves';
SELECT aegis.protect_table('aegis_app.reporting_officer', created_by => false, team => false);
CREATE UNIQUE INDEX reporting_officer_now ON aegis_app.reporting_officer (tenant_id, user_id) WHERE dismissed_at IS NULL;

SELECT aegis.declare_event('suspicion.officer_appointed', 'an admin made somebody reporting officer', '{}');
SELECT aegis.declare_event('suspicion.officer_dismissed', 'an admin took the office of reporting officer from somebody', '{}');

CREATE FUNCTION aegis_app.guard_reporting_officer() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  PERFORM aegis_app.require_rank(4, 'appoint a reporting officer');
  PERFORM aegis.require_step_up();
  IF TG_OP = 'UPDATE' THEN
    IF OLD.dismissed_at IS NOT NULL OR NEW.dismissed_at IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the office has ended';
    END IF;
    NEW.dismissed_by := aegis.user_id();
    NEW.dismissed_at := clock_timestamp();
    RETURN NEW;
  END IF;
  IF NEW.user_id = aegis.user_id() THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'nobody makes themselves reporting officer';
  ELSIF NOT EXISTS (SELECT FROM aegis.users() u WHERE u.id = NEW.user_id AND u.status = 'active') THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such user';
  END IF;
  NEW.appointed_by := aegis.user_id();
  NEW.appointed_at := clock_timestamp();
  NEW.dismissed_at := NULL;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_reporting_officer() IS 'lets admins appoint and dismiss reporting officers, and nobody themselves';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON aegis_app.reporting_officer FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_reporting_officer();

CREATE FUNCTION aegis_app.is_reporting_officer() RETURNS boolean
  LANGUAGE sql STABLE
  RETURN EXISTS (SELECT FROM aegis_app.reporting_officer o WHERE o.tenant_id = aegis.tenant_id() AND o.user_id = aegis.user_id() AND o.dismissed_at IS NULL);
COMMENT ON FUNCTION aegis_app.is_reporting_officer() IS 'whether the caller is a reporting officer of the tenant';

-- No foreign key to the subject, nothing in its file, its list or its counts: an error or a number would tell. Members have no right on
-- the table, not even to count its rows; the functions below run as aegis_owner and ask who calls. Sealed under a key of its own, for it has
-- to be kept when the subject is erased.
CREATE TABLE aegis_app.suspicion_report (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  subject_id  uuid NOT NULL,
  narrative   aegis.sealed_text NOT NULL,
  state       text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'disclosed', 'dismissed')),
  reference   aegis.sealed_text,
  reason      aegis.sealed_text,
  reported_by uuid,
  reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  decided_by  uuid,
  decided_at  timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK ((state = 'received') = (decided_at IS NULL) AND (state = 'received') = (reason IS NULL)),
  CHECK (state = 'disclosed' OR reference IS NULL)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.suspicion_report', '');
COMMENT ON TABLE aegis_app.suspicion_report IS 'reports of suspicion of money laundering; for reporting officers only';
COMMENT ON COLUMN aegis_app.suspicion_report.state IS 'disclosed: passed on to the authority; dismissed: no ground for it';

SELECT aegis.protect_table('aegis_app.suspicion_report', created_by => false, team => false);
SELECT aegis.withhold_table('aegis_app.suspicion_report');
SELECT aegis.encrypt_column('aegis_app.suspicion_report', 'narrative', 'suspicion_report.narrative', 'aegis.sealed_text', 'full', subject => 'id');
SELECT aegis.encrypt_column('aegis_app.suspicion_report', 'reference', 'suspicion_report.reference', 'aegis.sealed_text', 'full', subject => 'id');
SELECT aegis.encrypt_column('aegis_app.suspicion_report', 'reason', 'suspicion_report.reason', 'aegis.sealed_text', 'full', subject => 'id');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.suspicion_report FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('narrative', 'reference', 'reason');
CREATE INDEX suspicion_report_newest ON aegis_app.suspicion_report (tenant_id, reported_at DESC, id DESC);

SELECT aegis.declare_event('suspicion.filed', 'somebody filed a report of suspicion', '{}', withheld => true);
SELECT aegis.declare_event('suspicion.disclosed', 'a reporting officer passed a report on to the authority', '{}', withheld => true);
SELECT aegis.declare_event('suspicion.dismissed', 'a reporting officer found no ground to pass a report on', '{}', withheld => true);

CREATE FUNCTION aegis_app.guard_suspicion_report() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.kyc_person_acts() THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    NEW.state := 'received';
    NEW.reported_by := aegis.user_id();
    NEW.reported_at := clock_timestamp();
    RETURN NEW;
  END IF;
  IF OLD.state <> 'received' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the report is %s', OLD.state);
  END IF;
  NEW.decided_by := aegis.user_id();
  NEW.decided_at := clock_timestamp();
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_suspicion_report() IS 'says who reported and who decided, and lets it be decided once';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON aegis_app.suspicion_report FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_suspicion_report();

-- The same refusal whether there are reports or none.
CREATE FUNCTION aegis_app.require_reporting_officer() RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.is_reporting_officer() THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only reporting officers may do this';
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.require_reporting_officer() IS 'raises insufficient_privilege unless the caller is a reporting officer';

CREATE FUNCTION aegis_app.suspicion_report_json(r aegis_app.suspicion_report) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', r.id, 'subject_id', r.subject_id, 'state', r.state, 'reported_by', r.reported_by, 'reported_at', r.reported_at, 'decided_by', r.decided_by,
    'decided_at', r.decided_at, 'narrative', aegis.reveal(r.narrative, r), 'reference', aegis.reveal(r.reference, r), 'reason', aegis.reveal(r.reason, r));
COMMENT ON FUNCTION aegis_app.suspicion_report_json(aegis_app.suspicion_report) IS 'a report in clear: recorded in the log of the system';

CREATE FUNCTION aegis_app.add_suspicion(subject uuid, narrative text) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  INSERT INTO aegis_app.suspicion_report (subject_id, narrative) VALUES (add_suspicion.subject, add_suspicion.narrative) RETURNING id INTO made;
  PERFORM aegis.record('suspicion.filed', 'suspicion_report', made::text);
END $$;
COMMENT ON FUNCTION aegis_app.add_suspicion(uuid, text) IS 'files a report, and returns nothing by which it could be asked for';

CREATE FUNCTION aegis_app.suspicion_reports(report uuid, state text, most integer, after uuid) RETURNS SETOF jsonb
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis_app.require_reporting_officer();
  RETURN QUERY
    SELECT aegis_app.suspicion_report_json(r) FROM aegis_app.suspicion_report r
     WHERE r.tenant_id = aegis.tenant_id() AND (suspicion_reports.report IS NULL OR r.id = suspicion_reports.report)
       AND (suspicion_reports.state IS NULL OR r.state = suspicion_reports.state)
       AND (suspicion_reports.after IS NULL OR (r.reported_at, r.id) <
            (SELECT b.reported_at, b.id FROM aegis_app.suspicion_report b WHERE b.tenant_id = aegis.tenant_id() AND b.id = suspicion_reports.after))
     ORDER BY r.reported_at DESC, r.id DESC LIMIT most;
END $$;
COMMENT ON FUNCTION aegis_app.suspicion_reports(uuid, text, integer, uuid) IS 'one report, or those of a state, newest first; raises for whoever is no reporting officer';

CREATE FUNCTION aegis_app.close_suspicion(report uuid, state text, reason text, reference text) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r aegis_app.suspicion_report;
BEGIN
  PERFORM aegis_app.require_reporting_officer();
  UPDATE aegis_app.suspicion_report p SET state = close_suspicion.state, reason = close_suspicion.reason, reference = close_suspicion.reference
   WHERE p.tenant_id = aegis.tenant_id() AND p.id = report RETURNING * INTO r;
  IF r.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no such report';
  END IF;
  PERFORM aegis.record('suspicion.' || r.state, 'suspicion_report', r.id::text);
  RETURN aegis_app.suspicion_report_json(r);
END $$;
COMMENT ON FUNCTION aegis_app.close_suspicion(uuid, text, text, text) IS 'says what became of a report; raises for whoever is no reporting officer';

CREATE FUNCTION aegis_app.file_suspicion_report(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s aegis_app.kyc_subject := aegis_app.kyc_subject_of(request, false);
BEGIN
  PERFORM aegis_app.add_suspicion(s.id, aegis_app.text_field(request.body, 'narrative', 8000));
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.file_suspicion_report(aegis.request) IS 'POST /api/kyc/subjects/{id}/suspicion {narrative}: the answer names nothing that could be asked for later';

CREATE FUNCTION aegis_app.list_suspicion_reports(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q    jsonb := coalesce(request.query, '{}');
  most integer := aegis_app.integer_field(q, 'limit', 1, 100, 50);
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('reports', (
    SELECT coalesce(jsonb_agg(r), '[]') FROM aegis_app.suspicion_reports(NULL, q ->> 'state', most, aegis_app.uuid_field(q, 'after')) r)));
END $$;
COMMENT ON FUNCTION aegis_app.list_suspicion_reports(aegis.request) IS 'GET /api/suspicion-reports?state=&limit=&after=';

CREATE FUNCTION aegis_app.get_suspicion_report(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found jsonb;
BEGIN
  SELECT r INTO found FROM aegis_app.suspicion_reports(coalesce(aegis_app.uuid_of(request.params ->> 'id'), '00000000-0000-0000-0000-000000000000'), NULL, 1, NULL) r;
  IF found IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such report');
  END IF;
  RETURN aegis_app.ok(found);
END $$;
COMMENT ON FUNCTION aegis_app.get_suspicion_report(aegis.request) IS 'GET /api/suspicion-reports/{id}';

CREATE FUNCTION aegis_app.decide_suspicion_report(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b jsonb := request.body;
BEGIN
  PERFORM aegis_app.require_reporting_officer();
  RETURN aegis_app.ok(aegis_app.close_suspicion(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.choice_field(b, 'state', '{disclosed,dismissed}', NULL),
                                                aegis_app.text_field(b, 'reason', 4000), aegis_app.text_field(b, 'reference', 200, false)));
END $$;
COMMENT ON FUNCTION aegis_app.decide_suspicion_report(aegis.request) IS 'POST /api/suspicion-reports/{id}/decision {state, reason, reference?}';

-- Whoever wants to turn to them has to know who they are, also where their team is out of sight; and nobody of the tenant, who wanted to.
CREATE FUNCTION aegis_app.reporting_officers() RETURNS TABLE (user_id uuid, name text, appointed_by uuid, appointed_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY
    SELECT o.user_id, aegis.legible_withheld(u.name), o.appointed_by, o.appointed_at
      FROM aegis_app.reporting_officer o JOIN aegis."user" u ON u.tenant_id = o.tenant_id AND u.id = o.user_id
     WHERE o.tenant_id = aegis.require_tenant() AND o.dismissed_at IS NULL AND u.status = 'active' ORDER BY o.appointed_at, o.id;
END $$;
COMMENT ON FUNCTION aegis_app.reporting_officers() IS 'the reporting officers of the tenant who can sign in, with their names, for everybody of it; that they were read is the system''s to know';

CREATE FUNCTION aegis_app.list_reporting_officers(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('officers', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('user_id', o.user_id, 'name', o.name, 'appointed_by', o.appointed_by, 'appointed_at', o.appointed_at)), '[]')
      FROM aegis_app.reporting_officers() o)));
END $$;
COMMENT ON FUNCTION aegis_app.list_reporting_officers(aegis.request) IS 'GET /api/reporting-officers: to whom one can turn';

CREATE FUNCTION aegis_app.appoint_reporting_officer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  who uuid := aegis_app.uuid_field(request.body, 'user_id');
BEGIN
  PERFORM aegis_app.require_rank(4, 'appoint a reporting officer');
  INSERT INTO aegis_app.reporting_officer (user_id) VALUES (who);
  PERFORM aegis.record('suspicion.officer_appointed', 'user', who::text);
  RETURN aegis_app.ok(NULL, 204);
EXCEPTION WHEN unique_violation THEN
  RETURN aegis_app.problem(409, 'conflict', 'The user is reporting officer already');
END $$;
COMMENT ON FUNCTION aegis_app.appoint_reporting_officer(aegis.request) IS 'POST /api/reporting-officers {user_id}: an admin, and not themselves';

CREATE FUNCTION aegis_app.dismiss_reporting_officer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  who uuid;
BEGIN
  PERFORM aegis_app.require_rank(4, 'dismiss a reporting officer');
  UPDATE aegis_app.reporting_officer o SET dismissed_at = clock_timestamp()
   WHERE o.tenant_id = aegis.tenant_id() AND o.user_id = aegis_app.uuid_of(request.params ->> 'id') AND o.dismissed_at IS NULL RETURNING o.user_id INTO who;
  IF who IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such reporting officer');
  END IF;
  PERFORM aegis.record('suspicion.officer_dismissed', 'user', who::text);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.dismiss_reporting_officer(aegis.request) IS 'DELETE /api/reporting-officers/{id}';
