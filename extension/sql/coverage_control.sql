-- Coverage of controls: what nobody has looked at in time, and what somebody found not to hold.

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
$$;
COMMENT ON FUNCTION aegis.coverage_control() IS 'coverage: controls whose review is overdue or found that they do not hold';
