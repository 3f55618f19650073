-- Invoices as PDF: what was frozen when the invoice was sent, and nothing that changes afterwards. docs/invoice_pdf.md.

CREATE FUNCTION aegis_app.amount_text(minor bigint, currency text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN aegis_app.to_decimal(minor, currency) || ' ' || currency;
COMMENT ON FUNCTION aegis_app.amount_text(bigint, text) IS 'an amount as it stands on paper';

-- Widths in millimetres; 170 are between the margins.
CREATE FUNCTION aegis_app.invoice_document(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  organisation text := (SELECT t.name FROM aegis.current_tenant() t);
  zone CONSTANT text := (SELECT s.time_zone FROM aegis_app.invoice_settings() s);
  rows jsonb;
BEGIN
  rows := jsonb_build_array(
    jsonb_build_object('cells', jsonb_build_array(jsonb_build_object('text', organisation, 'width', 110, 'size', 13, 'bold', true),
                                                  jsonb_build_object('text', 'Invoice', 'width', 60, 'size', 13, 'right', true))),
    jsonb_build_object('gap', 2, 'cells', jsonb_build_array(jsonb_build_object('text', '', 'width', 110), jsonb_build_object('text', i.number, 'width', 60, 'right', true, 'bold', true))),
    jsonb_build_object('gap', 1, 'cells', jsonb_build_array(jsonb_build_object('text', '', 'width', 110),
                                                            jsonb_build_object('text', 'Date: ' || to_char(i.sent_at AT TIME ZONE zone, 'YYYY-MM-DD'), 'width', 60, 'right', true))),
    jsonb_build_object('gap', 1, 'cells', jsonb_build_array(jsonb_build_object('text', '', 'width', 110),
                                                            jsonb_build_object('text', coalesce('Due: ' || to_char(i.due_date, 'YYYY-MM-DD'), ''), 'width', 60, 'right', true))),
    jsonb_build_object('gap', 6, 'cells', jsonb_build_array(jsonb_build_object('text', 'To', 'size', 8))),
    jsonb_build_object('gap', 1, 'cells', jsonb_build_array(jsonb_build_object('text', coalesce(aegis_app.customer_name(i), '-'), 'bold', true))),
    jsonb_build_object('gap', 10, 'cells', jsonb_build_array(
      jsonb_build_object('text', 'Description', 'width', 70, 'size', 8), jsonb_build_object('text', 'Quantity', 'width', 22, 'size', 8, 'right', true),
      jsonb_build_object('text', 'Price', 'width', 30, 'size', 8, 'right', true), jsonb_build_object('text', 'Tax', 'width', 14, 'size', 8, 'right', true),
      jsonb_build_object('text', 'Amount', 'width', 34, 'size', 8, 'right', true))));
  rows := rows || (SELECT coalesce(jsonb_agg(jsonb_build_object('gap', 3, 'rule', true, 'cells', jsonb_build_array(
      jsonb_build_object('text', aegis.reveal(l.description), 'width', 70), jsonb_build_object('text', trim_scale(l.quantity)::text, 'width', 22, 'right', true),
      jsonb_build_object('text', aegis_app.to_decimal(l.unit_minor, i.currency), 'width', 30, 'right', true),
      jsonb_build_object('text', trim_scale(l.tax_rate)::text || ' %', 'width', 14, 'right', true),
      jsonb_build_object('text', aegis_app.to_decimal(l.amount_minor, i.currency), 'width', 34, 'right', true))) ORDER BY l.position), '[]')
    FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id);
  rows := rows || (SELECT jsonb_agg(jsonb_build_object('gap', CASE n WHEN 1 THEN 4 ELSE 1 END, 'rule', n = 1, 'cells', jsonb_build_array(
      jsonb_build_object('text', s.label, 'width', 120, 'right', true, 'bold', s.label = 'Total'),
      jsonb_build_object('text', aegis_app.amount_text(s.minor, i.currency), 'width', 50, 'right', true, 'bold', s.label = 'Total'))) ORDER BY n)
    FROM (VALUES (1, 'Without tax', i.subtotal_minor), (2, 'Tax', i.tax_minor), (3, 'Total', i.total_minor)) s(n, label, minor));
  RETURN jsonb_build_object('title', i.number,
    'rows', rows || CASE WHEN i.memo IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('gap', 8, 'cells', jsonb_build_array(jsonb_build_object('text', aegis.reveal(i.memo))))) END,
    'footer', 'SHA-256 of the content: ' || encode(i.content_hash, 'hex'));
END $$;
COMMENT ON FUNCTION aegis_app.invoice_document(aegis_app.invoice) IS 'an invoice that was sent, as aegis.pdf() takes it';

-- A prefix of numbers may hold what a file's name may not.
CREATE FUNCTION aegis_app.pdf_name(i aegis_app.invoice) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN regexp_replace(regexp_replace(i.number, '[^A-Za-z0-9._-]', '-', 'g'), '^[.]', '-') || '.pdf';
COMMENT ON FUNCTION aegis_app.pdf_name(aegis_app.invoice) IS 'what the file of an invoice is called';

CREATE FUNCTION aegis_app.pdf_answer(i aegis_app.invoice) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF i.number IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice, or not sent');
  ELSIF NOT aegis_app.content_holds(i) THEN
    RETURN aegis_app.problem(409, 'content-changed', 'The invoice is not what was sent', 'Its content does not fit the hash that was kept; an auditor looks into the ledger.');
  END IF;
  RETURN aegis.respond(200, headers => jsonb_build_object('content-type', 'application/pdf',
    'content-disposition', format('attachment; filename="%s"', aegis_app.pdf_name(i))),
    file => aegis.pdf(aegis_app.invoice_document(i)));
END $$;
COMMENT ON FUNCTION aegis_app.pdf_answer(aegis_app.invoice) IS 'an invoice as a file, once its content was compared with the hash';

CREATE FUNCTION aegis_app.get_invoice_pdf(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i aegis_app.invoice;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id');
  RETURN aegis_app.pdf_answer(i);
END $$;
COMMENT ON FUNCTION aegis_app.get_invoice_pdf(aegis.request) IS 'GET /api/invoices/{id}/pdf';

CREATE FUNCTION aegis_app.view_invoice_pdf(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i aegis_app.invoice;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis.link_target();
  RETURN aegis_app.pdf_answer(i);
END $$;
COMMENT ON FUNCTION aegis_app.view_invoice_pdf(aegis.request) IS 'GET /api/invoice-view/pdf, with the token of a link';
