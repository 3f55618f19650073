-- Invoices by mail: the customer gets a link, and the invoice as a file unless whoever sends it leaves that out. docs/invoice_mail.md.

INSERT INTO aegis.mail_template (name, language, subject, body, by_extension) VALUES
  ('invoice', 'en', 'Invoice {{number}} of {{organisation}}',
   E'{{organisation}} sent you invoice {{number}}.\n\nTo pay: {{amount}}\nUntil: {{due_date}}\n\nSee it here, without an account:\n{{link}}\n\nThe link is yours: whoever has it sees this invoice.\n', true),
  ('invoice', 'de', 'Rechnung {{number}} von {{organisation}}',
   E'{{organisation}} hat Ihnen die Rechnung {{number}} gesandt.\n\nZu zahlen: {{amount}}\nBis: {{due_date}}\n\nHier sehen Sie sie, ohne Konto:\n{{link}}\n\nDer Link ist für Sie: Wer ihn hat, sieht diese Rechnung.\n', true)
  -- Of an application that was dropped and made again. A text that an operator set stays.
  ON CONFLICT (name, language) DO UPDATE SET subject = EXCLUDED.subject, body = EXCLUDED.body WHERE mail_template.by_extension;

SELECT aegis.declare_event('invoice.mailed', 'an invoice was mailed to its customer, by a link',
                           '{"link_id": "clear required", "attached": "clear required"}');

CREATE FUNCTION aegis_app.send_invoice_mail(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  days      integer := aegis_app.integer_field(request.body, 'days', 1, 365, 90);
  spoken    text := coalesce(aegis_app.text_field(request.body, 'language', 6, false), 'en');
  i         aegis_app.invoice;
  recipient aegis.sealed_email;
  made      record;
  attached  boolean := aegis_app.flag_field(request.body, 'attach', true);
  file      bytea;
BEGIN
  IF spoken !~ '^[a-z]{2,3}(-[A-Z]{2})?$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "language" must be a language such as "en" or "de-AT"';
  END IF;
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = aegis_app.uuid_of(request.params ->> 'id') FOR UPDATE;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  ELSIF i.status NOT IN ('sent', 'partially_paid', 'paid', 'uncollectible') THEN
    RETURN aegis_app.problem(409, 'not-sent', 'The invoice was not sent, or is closed', 'Send it first; what is cancelled or void is not mailed.');
  END IF;
  SELECT c.email INTO recipient FROM aegis_app.customer c WHERE c.tenant_id = i.tenant_id AND c.id = i.customer_id;
  IF recipient IS NULL THEN
    RETURN aegis_app.problem(409, 'no-address', 'There is no address to mail it to', 'Enter the e-mail address of the customer, if you may see the customer.');
  ELSIF (SELECT count(*) FROM aegis.links('invoice', i.id) l WHERE l.created_at > clock_timestamp() - interval '1 day') >= 5
     OR (SELECT count(*) FROM aegis.links('invoice', i.id) l WHERE l.revoked_at IS NULL AND l.expires_at > clock_timestamp()) >= 20 THEN
    RETURN aegis_app.problem(409, 'too-many-links', 'The invoice has too many links', 'Five a day may be made for mails, and twenty may count at once.');
  END IF;
  IF attached THEN
    IF NOT aegis_app.content_holds(i) THEN
      RETURN aegis_app.problem(409, 'content-changed', 'The invoice is not what was sent', 'Its content does not fit the hash that was kept; an auditor looks into the ledger.');
    END IF;
    file := aegis.pdf(aegis_app.invoice_document(i));
    -- What is too long for a mail is behind the link.
    file := CASE WHEN octet_length(file) <= aegis.most_attached() THEN file END;
  END IF;
  made := aegis_app.make_invoice_link(i, days);
  PERFORM aegis.queue_mail('invoice', recipient, jsonb_build_object(
            'organisation', (SELECT regexp_replace(t.name, '[[:cntrl:]\u2028\u2029]', ' ', 'g') FROM aegis.current_tenant() t), 'number', i.number,
            'amount', aegis_app.to_decimal(aegis_app.due_minor(i), i.currency) || ' ' || i.currency, 'due_date', coalesce(to_char(i.due_date, 'YYYY-MM-DD'), '-'),
            'link', aegis.public_link('/invoice', made.token)), language => spoken, expires_at => made.expires_at,
            attachment_name => aegis_app.pdf_name(i), attachment => file);
  PERFORM aegis.record('invoice.mailed', 'invoice', i.id::text, detail => jsonb_build_object('link_id', made.id, 'attached', file IS NOT NULL));
  RETURN aegis_app.ok(jsonb_build_object('link_id', made.id, 'expires_at', made.expires_at, 'attached', file IS NOT NULL), 202);
END $$;
COMMENT ON FUNCTION aegis_app.send_invoice_mail(aegis.request) IS 'mails an invoice that the caller sees to its customer: what the route does';

CREATE FUNCTION aegis_app.mail_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.send_invoice_mail(request);
END $$;
COMMENT ON FUNCTION aegis_app.mail_invoice(aegis.request) IS 'POST /api/invoices/{id}/mail {days?, language?, attach?}: to the customer''s address';
