-- Coverage of the ledger's own storage.

CREATE FUNCTION aegis.coverage_ledger()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'medium', 'table', 'aegis.entry_default', 'ledger-default-partition',
         'it holds entries for which no partition was made in time: the server''s log says why; they are sealed and verified as all others, and stay there', NULL
   WHERE EXISTS (SELECT FROM aegis.entry_default)
  UNION ALL
  SELECT NULL, 'high', 'table', p.inhrelid::regclass::text, 'ledger-trigger-missing',
         format('the trigger %s, which refuses changes below the guard, is missing or does not fire always', t.name),
         -- Only with aegis.ledger_guard = off.
         CASE WHEN g.oid IS NOT NULL THEN format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %s', p.inhrelid::regclass, t.name)
              WHEN t.name = 'refuse_truncate' THEN format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change(); '
                'ALTER TABLE %1$s ENABLE ALWAYS TRIGGER refuse_truncate', p.inhrelid::regclass) END
    FROM pg_inherits p
   CROSS JOIN (VALUES ('refuse_change'), ('refuse_truncate')) t(name)
    LEFT JOIN pg_trigger g ON g.tgrelid = p.inhrelid AND g.tgname = t.name AND g.tgfoid = 'aegis.refuse_ledger_change'::regproc
   WHERE p.inhparent = 'aegis.entry'::regclass AND g.tgenabled IS DISTINCT FROM 'A'
$$;
COMMENT ON FUNCTION aegis.coverage_ledger() IS 'coverage: entries outside of their partitions, and partitions without their triggers';
