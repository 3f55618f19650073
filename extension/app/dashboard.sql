-- The first page after signing in: what there is, what is owed, what was done last.

CREATE FUNCTION aegis_app.get_dashboard(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.tenant_id();
  answer jsonb;
BEGIN
  SELECT jsonb_build_object(
           'customers', (SELECT count(*) FROM aegis_app.customer c WHERE c.tenant_id = tenant),
           'invoices', jsonb_build_object('draft', coalesce(sum(i.invoices) FILTER (WHERE i.status = 'draft'), 0),
                                          'sent', coalesce(sum(i.invoices) FILTER (WHERE i.status = 'sent'), 0),
                                          'cancelled', coalesce(sum(i.invoices) FILTER (WHERE i.status = 'cancelled'), 0)),
           'overdue', coalesce(sum(i.overdue), 0),
           'outstanding', coalesce(jsonb_agg(jsonb_build_object('currency', i.currency, 'total_minor', i.total_minor::text)
                                             ORDER BY i.currency) FILTER (WHERE i.status = 'sent'), '[]'))
    INTO answer
    FROM (SELECT r.status, r.currency, count(*) AS invoices, sum(r.total_minor) AS total_minor,
                 count(*) FILTER (WHERE r.status = 'sent' AND r.due_date < current_date) AS overdue
            FROM aegis_app.invoice r WHERE r.tenant_id = tenant GROUP BY r.status, r.currency) i;
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
