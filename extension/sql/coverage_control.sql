-- Coverage of controls: what nobody has looked at in time, what somebody found not to hold, and whether rows of either can be changed.

CREATE FUNCTION aegis.coverage_control()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, f.severity, 'control', c.id, f.finding, f.problem,
         -- What was found, and by looking at what, only a reviewer can say: it is refused as it stands.
         format('SELECT aegis.review_control(%L, outcome => %L, remark => %L)', c.id, '', '')
    FROM aegis.controls() c
   CROSS JOIN LATERAL (VALUES
     (c.state = 'overdue', 'low', 'control-overdue', format('the control was to be reviewed by %s', to_char(c.next_review, 'YYYY-MM-DD'))),
     (c.last_outcome = 'ineffective', 'medium', 'control-ineffective', 'the last review found that the control does not hold')
   ) f (holds, severity, finding, problem)
   WHERE f.holds
  UNION ALL
  -- A late or failed control could be edited away then.
  SELECT NULL, 'high', 'trigger', format('%s on %s', w.name, w.relation), 'control-changeable', 'the trigger that keeps rows as they are is missing, disabled or another',
         CASE WHEN t.oid IS NOT NULL THEN format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', w.relation, w.name)
              ELSE CASE WHEN EXISTS (SELECT FROM pg_trigger o WHERE o.tgrelid = w.relation::regclass AND o.tgname = w.name) THEN format('DROP TRIGGER %I ON %s; ', w.name, w.relation) ELSE '' END
                || format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH %s EXECUTE FUNCTION %s(); ALTER TABLE %3$s ENABLE ALWAYS TRIGGER %1$I', w.name, w.events, w.relation, w.level, w.function) END
    -- tgtype: 1 for each row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
    FROM (VALUES ('keep', 'aegis.control', 'INSERT OR UPDATE OR DELETE', 'ROW', 'aegis.keep_control', 31),
                 ('keep_all', 'aegis.control', 'TRUNCATE', 'STATEMENT', 'aegis.keep_control', 34),
                 ('keep', 'aegis.control_review', 'UPDATE OR DELETE', 'ROW', 'aegis.keep_control_review', 27),
                 ('keep_all', 'aegis.control_review', 'TRUNCATE', 'STATEMENT', 'aegis.keep_control_review', 34)) w (name, relation, events, level, function, type)
    LEFT JOIN pg_trigger t ON t.tgrelid = w.relation::regclass AND t.tgname = w.name AND t.tgfoid = w.function::regproc
                          AND t.tgtype = w.type AND t.tgqual IS NULL AND t.tgattr::text = ''
   WHERE t.tgenabled IS DISTINCT FROM 'A'
$$;
COMMENT ON FUNCTION aegis.coverage_control() IS 'coverage: controls whose review is overdue or found that they do not hold, and their triggers';
