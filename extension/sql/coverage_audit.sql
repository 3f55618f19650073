-- Which tables the ledger captures, and the record of it.

CREATE FUNCTION aegis.audit_coverage()
  RETURNS TABLE (relation text, protected boolean, captured boolean, clear name[], triggers text)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  -- A partition has the trigger for rows of the table that is captured; that for TRUNCATE is not handed down.
  SELECT r.name, r.protected,
         t.relation IS NOT NULL AND (SELECT count(*) = CASE WHEN t.relation = r.oid THEN 2 ELSE 1 END FROM pg_trigger g
                                      WHERE g.tgrelid = r.oid AND g.tgenabled = 'A' AND g.tgname IN ('aegis_audit_row', 'aegis_audit_truncate')),
         t.clear,
         (SELECT string_agg(CASE g.tgname WHEN 'aegis_audit_row' THEN 'row ' ELSE 'truncate ' END
                            || CASE g.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' WHEN 'R' THEN 'replica' ELSE 'disabled' END, ', ' ORDER BY g.tgname)
            FROM pg_trigger g WHERE g.tgrelid = r.oid AND g.tgname IN ('aegis_audit_row', 'aegis_audit_truncate'))
    FROM aegis.coverage_relation r
    LEFT JOIN LATERAL (SELECT a.relation, a.clear FROM aegis.audited_table a
                        WHERE a.relation = r.oid OR r.is_partition AND a.relation IN (SELECT p.relid FROM pg_partition_ancestors(r.oid) p)
                        ORDER BY a.relation = r.oid DESC LIMIT 1) t ON true
   WHERE r.kind IN ('r', 'p') ORDER BY r.name
$$;
COMMENT ON FUNCTION aegis.audit_coverage() IS 'every table of users: whether the ledger captures its changes, which columns stand in clear, and in which state the triggers are';

CREATE TABLE aegis.recorded_coverage (
  only_row    boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
  digest      bytea       NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE aegis.recorded_coverage IS 'what the newest entry audit.coverage says';
SELECT pg_catalog.pg_extension_config_dump('aegis.recorded_coverage', '');

CREATE FUNCTION aegis.record_audit_coverage() RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  seen record;
BEGIN
  SELECT sha256(convert_to(coalesce(string_agg(a::text, E'\n' ORDER BY a.relation COLLATE "C"), ''), 'UTF8')) AS digest,
         format('%s of %s tables', count(*) FILTER (WHERE a.captured), count(*))
         || coalesce('; not captured: ' || string_agg(a.relation, ', ' ORDER BY a.relation COLLATE "C") FILTER (WHERE NOT a.captured), '') AS said
    INTO seen FROM aegis.audit_coverage() a;
  INSERT INTO aegis.recorded_coverage AS c (digest) VALUES (seen.digest)
    ON CONFLICT (only_row) DO UPDATE SET digest = EXCLUDED.digest, recorded_at = now()
     WHERE c.digest <> EXCLUDED.digest OR (c.recorded_at AT TIME ZONE 'UTC')::date < (now() AT TIME ZONE 'UTC')::date;
  IF FOUND THEN
    PERFORM aegis.record_guard('audit.coverage', 'coverage', encode(seen.digest, 'hex'), 'captured', left(seen.said, 200));
  END IF;
END $$;
COMMENT ON FUNCTION aegis.record_audit_coverage() IS 'writes an entry when what the ledger captures is not what the last entry says, or that entry is not of this day (UTC)';
