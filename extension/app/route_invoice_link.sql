-- The application's routes of links to invoices, of mails that bring them, and the one that a link opens.

DO $$
DECLARE
  id      CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words   CONSTANT jsonb := '{"type": "string"}';
  file    CONSTANT jsonb := '{"type": "string", "contentMediaType": "application/pdf"}';
  maybe   CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later   CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  truth   CONSTANT jsonb := '{"type": "boolean"}';
  money   CONSTANT jsonb := '{"type": "string", "pattern": "^[0-9]+$", "description": "whole minor units of the currency"}';
  by_id   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  attempt CONSTANT jsonb := aegis.object_schema(jsonb_build_object(
            'status', '{"enum": ["creating", "open", "unresolved", "paid", "failed", "expired", "cancelled", "abandoned"]}'::jsonb, 'provider', words,
            'amount_minor', money, 'currency', '{"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}'::jsonb, 'expires_at', instant,
            'go', aegis.object_schema(jsonb_build_object('method', '{"enum": ["GET", "POST"]}'::jsonb, 'url', words, 'token', maybe))
                  || '{"type": ["object", "null"], "description": "how a browser gets to the page: by address, or by posting the token"}'));
BEGIN
  PERFORM aegis.register_route('GET', '/api/invoices/{id}/links', 'aegis_app.list_invoice_links(aegis.request)', tag => 'Invoices',
    summary => 'Links by which payers see an invoice, newest first', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('links', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
      'id', id, 'created_at', instant, 'expires_at', instant, 'revoked_at', later, 'opened_at', later, 'live', truth))))));
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/links', 'aegis_app.create_invoice_link(aegis.request)', tag => 'Invoices',
    summary => 'Make a link by which a payer sees an invoice that was sent', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"not-sent": 409, "too-many-links": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('days', '{"type": "integer", "minimum": 1, "maximum": 365, "default": 90}'::jsonb), '{days}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id, 'token', words || '{"description": "told once"}',
      'path', words || '{"description": "of the page that shows it, with the token behind #"}', 'expires_at', instant)));
  PERFORM aegis.register_route('DELETE', '/api/invoices/{id}/links/{link}', 'aegis_app.revoke_invoice_link(aegis.request)', tag => 'Invoices',
    summary => 'Take a link back', parameter_schema => aegis.object_schema(jsonb_build_object('id', id, 'link', id)), success_status => 204::smallint);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/mail', 'aegis_app.mail_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Mail the invoice, and a link to it, to its customer', parameter_schema => by_id, success_status => 202::smallint,
    problems => '{"not-sent": 409, "no-address": 409, "too-many-links": 409, "content-changed": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('days', '{"type": "integer", "minimum": 1, "maximum": 365, "default": 90}'::jsonb,
      'language', words || '{"default": "en", "description": "of the mail, where there is a text in it"}',
      'attach', truth || '{"default": true, "description": "whether the invoice goes along as PDF"}'), '{days,language,attach}'),
    response_schema => aegis.object_schema(jsonb_build_object('link_id', id, 'expires_at', instant,
      'attached', truth || '{"description": "false, too, when the file is too long for a mail"}')));
  PERFORM aegis.register_route('GET', '/api/invoices/{id}/pdf', 'aegis_app.get_invoice_pdf(aegis.request)', tag => 'Invoices',
    summary => 'An invoice that was sent, as PDF', parameter_schema => by_id, problems => '{"content-changed": 409}', response_schema => file);
  PERFORM aegis.register_route('GET', '/api/invoice-view/pdf', 'aegis_app.view_invoice_pdf(aegis.request)', public => true, credentials => '{link}', scope => 'invoice',
    tag => 'Invoices', summary => 'The invoice of a link, as PDF', problems => '{"link-invalid": 401, "content-changed": 409, "not-found": 404}', response_schema => file);
  PERFORM aegis.register_route('POST', '/api/invoice-view/checkout', 'aegis_app.pay_invoice(aegis.request)', public => true, credentials => '{link}', scope => 'invoice',
    tag => 'Invoices', summary => 'Begin to pay the invoice of a link, or go on with it', body_limit => 0,
    problems => '{"link-invalid": 401, "nothing-due": 409, "not-payable-here": 409, "attempt-unresolved": 409, "too-many-attempts": 409, "not-found": 404}',
    response_schema => attempt);
  PERFORM aegis.register_route('GET', '/api/invoice-view/checkout', 'aegis_app.view_checkout(aegis.request)', public => true, credentials => '{link}', scope => 'invoice',
    tag => 'Invoices', summary => 'How far the newest attempt to pay the invoice of a link is', problems => '{"link-invalid": 401, "not-found": 404}', response_schema => attempt);
  PERFORM aegis.register_route('POST', '/api/invoice-view', 'aegis_app.view_invoice(aegis.request)', public => true, credentials => '{link}', scope => 'invoice',
    tag => 'Invoices', summary => 'The invoice of a link, as its payer sees it', problems => '{"link-invalid": 401}', body_limit => 0,
    response_schema => aegis.object_schema(jsonb_build_object('organisation', words, 'number', words,
      'status', '{"enum": ["sent", "partially_paid", "paid", "cancelled", "void", "uncollectible"]}'::jsonb,
      'derived', '{"type": "array", "items": {"type": "string"}}'::jsonb, 'currency', '{"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}'::jsonb,
      'sent_at', instant, 'due_date', '{"type": ["string", "null"], "format": "date"}'::jsonb, 'overdue', truth, 'customer_name', maybe, 'memo', maybe,
      'subtotal_minor', money, 'tax_minor', money, 'total_minor', money, 'applied_minor', money, 'refunded_minor', money, 'credited_minor', money,
      'due_minor', money, 'payable', truth || '{"description": "whether it can be paid on the page of a provider"}', 'content_sha256', words, 'lines', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
        'position', '{"type": "integer", "minimum": 1}'::jsonb, 'description', words, 'quantity', '{"type": "number"}'::jsonb, 'unit_minor', money,
        'tax_rate', '{"type": "number", "description": "per cent"}'::jsonb, 'amount_minor', money))))));
END $$;
