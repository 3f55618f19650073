-- The report of holes: which object, what is wrong with it, and the statement that mends it. docs/coverage.md.

CREATE FUNCTION aegis.coverage()
  RETURNS TABLE (severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL RESTRICTED ROWS 50 SET search_path = pg_catalog, pg_temp
  SET jit = off  -- to compile takes longer than to look
AS $$
  SELECT f.severity, f.object_kind, f.object, f.finding, f.problem, f.fix
    FROM (SELECT * FROM aegis.coverage_table() UNION ALL
          SELECT * FROM aegis.coverage_view() UNION ALL
          SELECT * FROM aegis.coverage_code() UNION ALL
          SELECT * FROM aegis.coverage_function() UNION ALL
          SELECT * FROM aegis.coverage_grant() UNION ALL
          SELECT * FROM aegis.coverage_role() UNION ALL
          SELECT * FROM aegis.coverage_personal() UNION ALL
          SELECT * FROM aegis.coverage_sealed() UNION ALL
          SELECT * FROM aegis.coverage_classification() UNION ALL
          SELECT * FROM aegis.coverage_reveal() UNION ALL
          SELECT * FROM aegis.coverage_guard() UNION ALL
          SELECT * FROM aegis.coverage_ledger() UNION ALL
          SELECT * FROM aegis.coverage_server() UNION ALL
          SELECT * FROM aegis.coverage_pooler() UNION ALL
          SELECT * FROM aegis.coverage_outbox() UNION ALL
          SELECT * FROM aegis.coverage_witness() UNION ALL
          SELECT * FROM aegis.coverage_control() UNION ALL
          SELECT * FROM aegis.coverage_anchor() UNION ALL
          SELECT * FROM aegis.coverage_key()) f
   ORDER BY array_position(ARRAY['high', 'medium', 'low'], f.severity), f.object_kind, f.object, f.finding, f.problem
$$;
COMMENT ON FUNCTION aegis.coverage() IS 'what leaves a hole in the protection of this database, worst first, with the statement that mends it';
