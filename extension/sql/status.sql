-- What everybody may know about the service: how it is, what it aims at, who helps to run it, what went wrong. docs/status.md.

CREATE TABLE aegis.slo (
  name      text COLLATE "C" PRIMARY KEY CHECK (name <> '' AND pg_catalog.length(name) <= 100),
  objective text NOT NULL CHECK (objective <> '' AND pg_catalog.length(objective) <= 200),
  measured  text CHECK (measured <> '' AND pg_catalog.length(measured) <= 200)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.slo', '');
COMMENT ON TABLE aegis.slo IS 'service level objectives as the status page shows them';
COMMENT ON COLUMN aegis.slo.measured IS 'what was reached lately, in words; NULL: not said';

CREATE TABLE aegis.subprocessor (
  name    text COLLATE "C" PRIMARY KEY CHECK (name <> '' AND pg_catalog.length(name) <= 100),
  purpose text NOT NULL CHECK (purpose <> '' AND pg_catalog.length(purpose) <= 300),
  place   text NOT NULL CHECK (place <> '' AND pg_catalog.length(place) <= 100),
  since   date NOT NULL DEFAULT current_date
);
SELECT pg_catalog.pg_extension_config_dump('aegis.subprocessor', '');
COMMENT ON TABLE aegis.subprocessor IS 'whom the operator of the service lets process data';

CREATE TABLE aegis.incident (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title    text NOT NULL CHECK (title <> '' AND pg_catalog.length(title) <= 200),
  summary  text NOT NULL CHECK (summary <> '' AND pg_catalog.length(summary) <= 2000),
  severity text NOT NULL CHECK (severity IN ('minor', 'major', 'critical')),
  began_at timestamptz NOT NULL,
  ended_at timestamptz CHECK (ended_at >= began_at)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.incident', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.incident_id_seq', '');
COMMENT ON TABLE aegis.incident IS 'what went wrong, in words for everybody';

CREATE FUNCTION aegis.set_slo(name text, objective text, measured text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF objective IS NULL THEN
    DELETE FROM aegis.slo s WHERE s.name = set_slo.name;
  ELSE
    INSERT INTO aegis.slo AS s (name, objective, measured) VALUES (set_slo.name, set_slo.objective, set_slo.measured)
      ON CONFLICT ON CONSTRAINT slo_pkey DO UPDATE SET objective = excluded.objective, measured = excluded.measured;
  END IF;
  PERFORM aegis.record_tenant_event('status.changed', NULL, 'slo', name,
    CASE WHEN objective IS NULL THEN '{}' ELSE jsonb_strip_nulls(jsonb_build_object('objective', objective, 'measured', measured)) END);
END $$;
COMMENT ON FUNCTION aegis.set_slo(text, text, text) IS 'sets an objective of the status page; without one (NULL) takes it away; for operators; recorded';

CREATE FUNCTION aegis.set_subprocessor(name text, purpose text, place text DEFAULT NULL, since date DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF purpose IS NULL THEN
    DELETE FROM aegis.subprocessor s WHERE s.name = set_subprocessor.name;
  ELSE
    INSERT INTO aegis.subprocessor AS s (name, purpose, place, since)
      VALUES (set_subprocessor.name, set_subprocessor.purpose, set_subprocessor.place, coalesce(set_subprocessor.since, current_date))
      ON CONFLICT ON CONSTRAINT subprocessor_pkey DO UPDATE SET purpose = excluded.purpose, place = excluded.place, since = excluded.since;
  END IF;
  PERFORM aegis.record_tenant_event('status.changed', NULL, 'subprocessor', name,
    CASE WHEN purpose IS NULL THEN '{}' ELSE jsonb_strip_nulls(jsonb_build_object('purpose', purpose, 'place', place)) END);
END $$;
COMMENT ON FUNCTION aegis.set_subprocessor(text, text, text, date) IS
  'sets a subprocessor of the status page; without a purpose (NULL) takes it away; for operators; recorded';

CREATE FUNCTION aegis.set_incident(title text, summary text, severity text DEFAULT 'minor', began_at timestamptz DEFAULT NULL,
                                   ended_at timestamptz DEFAULT NULL, incident bigint DEFAULT NULL) RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number bigint := incident;
BEGIN
  IF number IS NULL THEN
    INSERT INTO aegis.incident (title, summary, severity, began_at, ended_at)
      VALUES (set_incident.title, set_incident.summary, set_incident.severity, coalesce(set_incident.began_at, now()), set_incident.ended_at)
      RETURNING id INTO number;
  ELSE
    UPDATE aegis.incident i SET title = set_incident.title, summary = set_incident.summary, severity = set_incident.severity,
           began_at = coalesce(set_incident.began_at, i.began_at), ended_at = set_incident.ended_at
     WHERE i.id = number;
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'incident does not exist';
    END IF;
  END IF;
  PERFORM aegis.record_tenant_event('status.changed', NULL, 'incident', number::text,
    jsonb_build_object('severity', severity, 'ended', CASE WHEN ended_at IS NULL THEN 'no' ELSE 'yes' END));
  RETURN number;
END $$;
COMMENT ON FUNCTION aegis.set_incident(text, text, text, timestamptz, timestamptz, bigint) IS
  'tells of an incident, or says more of one by its number; it is over once it has an end; for operators; recorded';

CREATE FUNCTION aegis.status() RETURNS jsonb
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  h jsonb := aegis.health();
BEGIN
  RETURN jsonb_build_object(
    'as_of', now(),
    'components', jsonb_build_array(
      jsonb_build_object('name', 'Database', 'status', 'ok'),
      jsonb_build_object('name', 'Keys', 'status', CASE WHEN (h ->> 'keys')::boolean THEN 'ok' ELSE 'degraded' END),
      jsonb_build_object('name', 'Ledger', 'status', CASE WHEN (h ->> 'worker')::boolean AND coalesce((h ->> 'seal_lag_ms')::bigint, 60000) < 60000 THEN 'ok' ELSE 'degraded' END),
      jsonb_build_object('name', 'Signing of the ledger', 'status',
        CASE WHEN h ->> 'checkpoint' = 'off' THEN 'off' WHEN h ->> 'checkpoint' IN ('hindered', 'refused') OR h ->> 'witness' IN ('stale', 'refused') THEN 'degraded' ELSE 'ok' END),
      jsonb_build_object('name', 'Mail and outbound calls', 'status', CASE h ->> 'outbox' WHEN 'stale' THEN 'degraded' ELSE 'ok' END)),
    'slos', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'objective', s.objective, 'measured', s.measured) ORDER BY s.name), '[]') FROM aegis.slo s),
    'subprocessors', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'purpose', s.purpose, 'place', s.place, 'since', s.since) ORDER BY s.name), '[]')
                        FROM aegis.subprocessor s),
    'incidents', (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.began_at DESC, i.id DESC), '[]')
                    FROM (SELECT id, title, summary, severity, began_at, ended_at FROM aegis.incident n
                           WHERE n.ended_at IS NULL OR n.ended_at > now() - interval '90 days' ORDER BY n.began_at DESC, n.id DESC LIMIT 20) i));
END $$;
COMMENT ON FUNCTION aegis.status() IS 'what the status page shows: components, objectives, subprocessors, incidents of ninety days; for the gateway';
