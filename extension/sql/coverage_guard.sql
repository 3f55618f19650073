-- Coverage of the guard of DDL itself.

CREATE FUNCTION aegis.coverage_guard()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT r.namespace, 'medium', 'schema', r.namespace::regnamespace::text, 'schema-unguarded',
         'it holds protected tables, and the next migration may leave a hole unseen',
         format('SELECT aegis.guard_schema(%L)', r.namespace::regnamespace)
    FROM aegis.coverage_relation r
   WHERE r.protected AND NOT EXISTS (SELECT FROM aegis.guarded_schema g WHERE to_regnamespace(quote_ident(g.schema)) = r.namespace)
  UNION ALL
  SELECT NULL, 'high', 'event trigger', w, 'guard-off', 'schemas are guarded, and the event trigger that does it is missing or disabled',
         CASE WHEN e.oid IS NOT NULL THEN format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', w)
              ELSE format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION aegis.note_ddl(); ALTER EVENT TRIGGER %1$I ENABLE ALWAYS', w, v) END
    FROM (VALUES ('aegis_ddl_end', 'ddl_command_end'), ('aegis_ddl_drop', 'sql_drop')) AS t(w, v)
    LEFT JOIN pg_event_trigger e ON e.evtname = t.w AND e.evtevent = t.v AND e.evtfoid = 'aegis.note_ddl'::regproc
   WHERE e.evtenabled IS DISTINCT FROM 'A' AND EXISTS (SELECT FROM aegis.guarded_schema)
  UNION ALL
  SELECT NULL, 'high', 'trigger', 'check_ddl on aegis.ddl_pending', 'guard-off', 'schemas are guarded, and the trigger that looks at them is missing or disabled',
         CASE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'aegis.ddl_pending'::regclass AND t.tgname = 'check_ddl')
              THEN 'ALTER TABLE aegis.ddl_pending ENABLE ALWAYS TRIGGER check_ddl' END
   WHERE EXISTS (SELECT FROM aegis.guarded_schema)
     AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'aegis.ddl_pending'::regclass AND t.tgname = 'check_ddl' AND t.tgenabled = 'A')
$$;
COMMENT ON FUNCTION aegis.coverage_guard() IS 'coverage: schemas without guard, and a guard that was switched off';
