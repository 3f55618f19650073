-- The payer's view of an invoice: whoever has its link reads this invoice and nothing else, without an account. docs/invoice_link.md.

-- The context of a link has no rank and sees the tenant's rows as policies let it: here, those of its invoice.
CREATE POLICY link_alone ON aegis_app.invoice AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR id = aegis.link_target());
CREATE POLICY link_alone ON aegis_app.invoice_line AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR invoice_id = aegis.link_target());
CREATE POLICY link_alone ON aegis_app.credit_note AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR invoice_id = aegis.link_target());
CREATE POLICY link_alone ON aegis_app.credit_note_line AS RESTRICTIVE USING (aegis.auth_method() IS DISTINCT FROM 'link');
-- A function, and not a subquery in the policy, which would be planned with every look at customers.
CREATE FUNCTION aegis_app.link_customer() RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT i.customer_id FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis.link_target());
END $$;
COMMENT ON FUNCTION aegis_app.link_customer() IS 'whom the invoice of the link of this context is for, NULL in every other context; for policies';
CREATE POLICY link_alone ON aegis_app.customer AS RESTRICTIVE
  USING (aegis.auth_method() IS DISTINCT FROM 'link' OR id = aegis_app.link_customer());

SELECT aegis.declare_event('invoice.link_created', 'a link was made by which a payer sees an invoice',
                           '{"link_id": "clear required", "expires_at": "clear required"}');
SELECT aegis.declare_event('invoice.link_revoked', 'a link to an invoice was taken back', '{"link_id": "clear required"}');
SELECT aegis.declare_event('invoice.viewed', 'an invoice was opened by one of its links for the first time', '{"link_id": "clear required"}');

-- For managing links -------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.make_invoice_link(i aegis_app.invoice, days integer, OUT id uuid, OUT token text, OUT expires_at timestamptz)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  expires_at := date_trunc('second', clock_timestamp() + make_interval(days => days));
  SELECT l.id, l.token INTO id, token FROM aegis.create_link('invoice', i.id, expires_at) l;
  PERFORM aegis.record('invoice.link_created', 'invoice', i.id::text,
                       detail => jsonb_build_object('link_id', id, 'expires_at', expires_at));
END $$;
COMMENT ON FUNCTION aegis_app.make_invoice_link(aegis_app.invoice, integer) IS 'makes a link to an invoice that was sent; for functions of aegis_owner';

CREATE FUNCTION aegis_app.link_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  days integer := aegis_app.integer_field(request.body, 'days', 1, 365, 90);
  i    aegis_app.invoice;
  made record;
BEGIN
  -- Of links made at once none is left out of the count.
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') FOR UPDATE;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  ELSIF i.number IS NULL THEN
    RETURN aegis_app.problem(409, 'not-sent', 'The invoice was not sent', 'Send it first: a draft may still change.');
  ELSIF (SELECT count(*) FROM aegis.links('invoice', i.id) l WHERE l.revoked_at IS NULL AND l.expires_at > clock_timestamp()) >= 20 THEN
    RETURN aegis_app.problem(409, 'too-many-links', 'The invoice has twenty links already', 'Take one back first.');
  END IF;
  made := aegis_app.make_invoice_link(i, days);
  RETURN aegis_app.ok(jsonb_build_object('id', made.id, 'token', made.token, 'path', '/invoice#' || made.token, 'expires_at', made.expires_at), 201);
END $$;
COMMENT ON FUNCTION aegis_app.link_invoice(aegis.request) IS 'makes a link to an invoice that the caller sees: what the route does';

CREATE FUNCTION aegis_app.create_invoice_link(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.link_invoice(request);
END $$;
COMMENT ON FUNCTION aegis_app.create_invoice_link(aegis.request) IS 'POST /api/invoices/{id}/links {days?}: the token is told once';

CREATE FUNCTION aegis_app.invoice_links(invoice uuid) RETURNS jsonb
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.id = invoice) THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'created_at', l.created_at, 'expires_at', l.expires_at, 'revoked_at', l.revoked_at,
                                                       'opened_at', l.opened_at, 'live', l.revoked_at IS NULL AND l.expires_at > now())), '[]')
            FROM aegis.links('invoice', invoice) l);
END $$;
COMMENT ON FUNCTION aegis_app.invoice_links(uuid) IS 'links to an invoice, newest first, without their tokens; NULL when the caller does not see the invoice';

CREATE FUNCTION aegis_app.list_invoice_links(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  links jsonb := aegis_app.invoice_links(aegis_app.uuid_of(request.params ->> 'id'));
BEGIN
  IF links IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('links', links));
END $$;
COMMENT ON FUNCTION aegis_app.list_invoice_links(aegis.request) IS 'GET /api/invoices/{id}/links';

CREATE FUNCTION aegis_app.unlink_invoice(invoice uuid, link uuid) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.id = invoice)
     OR NOT aegis.revoke_link('invoice', invoice, link) THEN
    RETURN false;
  END IF;
  PERFORM aegis.record('invoice.link_revoked', 'invoice', invoice::text, detail => jsonb_build_object('link_id', link));
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis_app.unlink_invoice(uuid, uuid) IS 'takes back a link to an invoice that the caller sees; false when there is none';

CREATE FUNCTION aegis_app.revoke_invoice_link(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.unlink_invoice(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.uuid_of(request.params ->> 'link')) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such link');
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.revoke_invoice_link(aegis.request) IS 'DELETE /api/invoices/{id}/links/{link}';

-- For whoever has the link --------------------------------------------------------------------------

-- What a payer is told: what is on the paper, and how much is due. Nothing of people who work for the tenant.
CREATE FUNCTION aegis_app.payer_json(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object(
    'organisation', (SELECT t.name FROM aegis.current_tenant() t), 'number', i.number, 'status', i.status, 'derived', aegis_app.derived_states(i),
    'currency', i.currency, 'sent_at', i.sent_at, 'due_date', i.due_date, 'overdue', aegis_app.is_overdue(i), 'customer_name', aegis_app.customer_name(i),
    'memo', aegis.reveal(i.memo), 'subtotal_minor', i.subtotal_minor::text, 'tax_minor', i.tax_minor::text, 'total_minor', i.total_minor::text,
    'applied_minor', i.applied_minor::text, 'refunded_minor', i.refunded_minor::text, 'credited_minor', i.credited_minor::text,
    'due_minor', aegis_app.due_minor(i)::text, 'content_sha256', encode(i.content_hash, 'hex'),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('position', l.position, 'description', aegis.reveal(l.description),
                                                           'quantity', trim_scale(l.quantity), 'unit_minor', l.unit_minor::text,
                                                           'tax_rate', trim_scale(l.tax_rate), 'amount_minor', l.amount_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id));
COMMENT ON FUNCTION aegis_app.payer_json(aegis_app.invoice) IS 'an invoice as its payer sees it';

-- As aegis_owner, for nobody may write the invoice; in the context of a link, which names the invoice.
CREATE FUNCTION aegis_app.note_view() RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  used record := aegis.open_link();
BEGIN
  IF used.first_time THEN
    UPDATE aegis_app.invoice i SET viewed_at = clock_timestamp()
     WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis.link_target() AND i.viewed_at IS NULL;
    PERFORM aegis.record('invoice.viewed', 'invoice', aegis.link_target()::text, detail => jsonb_build_object('link_id', used.id));
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.note_view() IS 'notes that the link of the current context was used; does nothing without one';

CREATE FUNCTION aegis_app.view_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i aegis_app.invoice;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis.link_target() AND r.number IS NOT NULL;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  PERFORM aegis_app.note_view();
  RETURN aegis_app.ok(aegis_app.payer_json(i) || jsonb_build_object('payable', aegis_app.payer_account(i) IS NOT NULL));
END $$;
COMMENT ON FUNCTION aegis_app.view_invoice(aegis.request) IS 'POST /api/invoice-view, with the token of a link: a POST, for it notes that it was seen, and programs that look at links in mail send none';
