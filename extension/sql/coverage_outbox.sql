-- Coverage of outbound work: what nobody carries, and what was given up.

CREATE FUNCTION aegis.coverage_outbox()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'medium', 'outbox', o.kind, 'outbox-stale',
         format('outbound jobs of this kind are due since %s and no agent takes them', date_trunc('second', min(o.not_before))), NULL
    FROM aegis.outbox o
   WHERE o.state IN ('waiting', 'claimed') AND o.not_before < now() - current_setting('aegis.outbox_patience')::interval GROUP BY o.kind
  UNION ALL
  SELECT NULL, 'low', 'outbox', o.kind, 'outbox-dead',
         format('%s outbound jobs of this kind were given up; aegis.outbound shows why', count(*)),
         string_agg(format('SELECT aegis.retry_outbound(%s, ''tried again'')', o.id), '; ' ORDER BY o.id) FILTER (WHERE o.payload IS NOT NULL AND o.expires_at > now())
    FROM aegis.outbox o WHERE o.state = 'dead' GROUP BY o.kind
$$;
COMMENT ON FUNCTION aegis.coverage_outbox() IS 'coverage: outbound jobs that nobody carries or that were given up';
