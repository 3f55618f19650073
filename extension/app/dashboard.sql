-- The first page after signing in: what there is, what is owed, what was done last.

CREATE FUNCTION aegis_app.get_dashboard(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.tenant_id();
  today  date := aegis_app.today();
  answer jsonb;
BEGIN
  WITH counted AS (SELECT r.status, r.currency, count(*) AS invoices, sum(aegis_app.due_minor(r)) AS due_minor,
                          count(*) FILTER (WHERE r.status IN ('sent', 'partially_paid') AND r.due_date < today) AS overdue
                     FROM aegis_app.invoice r WHERE r.tenant_id = tenant GROUP BY r.status, r.currency)
  SELECT jsonb_build_object(
           'customers', (SELECT count(*) FROM aegis_app.customer c WHERE c.tenant_id = tenant),
           'invoices', (SELECT jsonb_object_agg(w.status, (SELECT coalesce(sum(n.invoices), 0) FROM counted n WHERE n.status = w.status))
                          FROM unnest('{draft,sent,partially_paid,paid,cancelled,void,uncollectible}'::text[]) w(status)),
           'overdue', (SELECT coalesce(sum(n.overdue), 0) FROM counted n),
           'outstanding', (SELECT coalesce(jsonb_agg(jsonb_build_object('currency', o.currency, 'total_minor', o.due_minor::text) ORDER BY o.currency), '[]')
                             FROM (SELECT n.currency, sum(n.due_minor) AS due_minor FROM counted n
                                    WHERE n.status IN ('sent', 'partially_paid') GROUP BY n.currency) o))
    INTO answer;
  answer := answer || jsonb_build_object('recent_invoices', (
    SELECT coalesce(jsonb_agg(aegis_app.invoice_row(i) ORDER BY i.created_at DESC, i.id DESC), '[]')
      FROM (SELECT * FROM aegis_app.invoice r WHERE r.tenant_id = tenant ORDER BY r.created_at DESC, r.id DESC LIMIT 5) i));
  -- Others see their own work, and only admins the tenant's ledger.
  IF aegis.rank() = 4 THEN
    answer := answer || jsonb_build_object('ledger', aegis_app.ledger_state());
  ELSE
    answer := answer || '{"ledger": null}';
  END IF;
  RETURN aegis_app.ok(answer);
END $$;
COMMENT ON FUNCTION aegis_app.get_dashboard(aegis.request) IS 'GET /api/dashboard';
