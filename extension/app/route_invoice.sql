-- The application's routes of invoices, and the dashboard that counts them.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later    CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  day      CONSTANT jsonb := '{"type": ["string", "null"], "format": "date"}';
  count    CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  money    CONSTANT jsonb := '{"type": "string", "pattern": "^[0-9]+$", "description": "whole minor units of the currency"}';
  amount   CONSTANT jsonb := '{"type": ["string", "integer"], "description": "whole minor units of the currency; a string keeps every digit"}';
  currency CONSTANT jsonb := '{"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}';
  status   CONSTANT jsonb := '{"enum": ["draft", "sent", "partially_paid", "paid", "cancelled", "void", "uncollectible"]}';
  version  CONSTANT jsonb := '{"type": "integer", "minimum": 1, "description": "the version that was read; guards against lost updates"}';
  settings CONSTANT jsonb := jsonb_build_object('time_zone', words || '{"maxLength": 64}', 'rounding', '{"enum": ["half-up", "half-even"]}'::jsonb,
             'tax_by', '{"enum": ["line", "invoice"]}'::jsonb, 'number_prefix', words || '{"maxLength": 20}');
  closing  CONSTANT jsonb := aegis.object_schema(jsonb_build_object('reason', words || '{"maxLength": 500}', 'version', version), '{version}');
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  derived  CONSTANT jsonb := '{"type": "array", "description": "what holds beside the status",
             "items": {"enum": ["viewed", "overdue", "refunded", "partially_refunded", "credited", "partially_credited", "disputed"]}}';
  listed   CONSTANT jsonb := jsonb_build_object('id', id, 'customer_id', id, 'customer_name', maybe, 'status', status, 'derived', derived, 'number', maybe,
             'overdue', '{"type": "boolean"}'::jsonb, 'currency', currency, 'total_minor', money, 'due_minor', money, 'due_date', day, 'created_at', instant);
  invoice  CONSTANT jsonb := aegis.object_schema(listed || jsonb_build_object('subtotal_minor', money, 'tax_minor', money, 'applied_minor', money, 'refunded_minor', money,
             'credited_minor', money, 'owed_back_minor', money || '{"description": "kept beyond what is asked for after credit notes"}',
             'memo', maybe, 'version', version, 'content_sha256', maybe, 'sent_at', later, 'viewed_at', later, 'paid_at', later,
             'cancelled_at', later, 'voided_at', later, 'uncollectible_at', later, 'cancel_reason', maybe, 'lines', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
               'position', count, 'description', words, 'quantity', '{"type": "number"}'::jsonb, 'unit_minor', money,
               'tax_rate', '{"type": "number", "description": "per cent"}'::jsonb, 'amount_minor', money, 'tax_minor', money || '{"type": ["string", "null"]}')))));
  lines    CONSTANT jsonb := jsonb_build_object('type', 'array', 'maxItems', 500, 'items', aegis.object_schema(jsonb_build_object(
             'description', words || '{"maxLength": 500}', 'quantity', '{"type": ["number", "string"], "default": 1, "description": "above 0, at most 1000000, with at most six decimals"}'::jsonb, 'unit_minor', amount,
             'tax_rate', '{"type": ["number", "string"], "default": 0, "description": "per cent, with at most four decimals"}'::jsonb), '{quantity,tax_rate}'));
  draft    CONSTANT jsonb := jsonb_build_object('currency', currency, 'due_date', day, 'memo', maybe || '{"maxLength": 2000}',
             'lines', lines);
BEGIN
  PERFORM aegis.register_route('GET', '/api/dashboard', 'aegis_app.get_dashboard(aegis.request)', tag => 'Invoices',
    summary => 'Counts, sums, the newest invoices, and for admins the state of the ledger',
    response_schema => aegis.object_schema(jsonb_build_object('customers', count, 'overdue', count,
      'invoices', aegis.object_schema(jsonb_build_object('draft', count, 'sent', count, 'partially_paid', count, 'paid', count,
        'cancelled', count, 'void', count, 'uncollectible', count)),
      'outstanding', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('currency', currency, 'total_minor', money))),
      'recent_invoices', jsonb_build_object('type', 'array', 'maxItems', 5, 'items', aegis.object_schema(listed)),
      'ledger', aegis.object_schema(jsonb_build_object('entries', count,
        'seal', aegis.object_schema(jsonb_build_object('number', count, 'sealed_at', instant)) || '{"type": ["object", "null"]}',
        'checkpoint', aegis.object_schema(jsonb_build_object('size', count, 'signed_at', instant)) || '{"type": ["object", "null"]}'))
        || '{"type": ["object", "null"]}')));
  PERFORM aegis.register_route('GET', '/api/invoices', 'aegis_app.list_invoices(aegis.request)', tag => 'Invoices',
    summary => 'List invoices, newest first',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('status', status, 'customer_id', id,
      'limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb,
      'after', id || '{"description": "the last id of the page before"}')),
    response_schema => aegis.object_schema(jsonb_build_object('invoices', jsonb_build_object('type', 'array', 'items', aegis.object_schema(listed)))));
  PERFORM aegis.register_route('POST', '/api/invoices', 'aegis_app.create_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Draft an invoice', success_status => 201::smallint, problems => '{"unknown-customer": 422}',
    request_schema => aegis.object_schema(draft || jsonb_build_object('customer_id', id), '{due_date,memo,lines}'), response_schema => invoice);
  PERFORM aegis.register_route('GET', '/api/invoices/{id}', 'aegis_app.get_invoice(aegis.request)', tag => 'Invoices',
    summary => 'One invoice with its lines', parameter_schema => by_id, response_schema => invoice);
  PERFORM aegis.register_route('PATCH', '/api/invoices/{id}', 'aegis_app.edit_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Edit a draft', parameter_schema => by_id, problems => '{"illegal-transition": 409, "changed-meanwhile": 409}',
    request_schema => aegis.object_schema(draft || jsonb_build_object('version', version), '{currency,due_date,memo,lines,version}'), response_schema => invoice);
  PERFORM aegis.register_route('DELETE', '/api/invoices/{id}', 'aegis_app.delete_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Remove a draft', parameter_schema => by_id, problems => '{"illegal-transition": 409}', success_status => 204::smallint);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/send', 'aegis_app.send_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Send: number and freeze', parameter_schema => by_id, problems => '{"illegal-transition": 409, "changed-meanwhile": 409, "no-lines": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('version', version), '{version}'), response_schema => invoice);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/cancel', 'aegis_app.cancel_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Cancel; a number that was given stays given', parameter_schema => by_id, problems => '{"illegal-transition": 409, "changed-meanwhile": 409}',
    request_schema => closing, response_schema => invoice);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/void', 'aegis_app.void_invoice(aegis.request)', 3::smallint, tag => 'Invoices',
    summary => 'Void what was sent and of which no money is kept', parameter_schema => by_id, problems => '{"illegal-transition": 409, "changed-meanwhile": 409}',
    request_schema => closing, response_schema => invoice);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/mark-uncollectible', 'aegis_app.mark_invoice_uncollectible(aegis.request)', 3::smallint, tag => 'Invoices',
    summary => 'Give up what is due', parameter_schema => by_id, problems => '{"illegal-transition": 409, "changed-meanwhile": 409}',
    request_schema => closing, response_schema => invoice);
  PERFORM aegis.register_route('GET', '/api/invoices/{id}/content', 'aegis_app.get_invoice_content(aegis.request)', tag => 'Invoices',
    summary => 'The bytes whose SHA-256 is content_sha256', parameter_schema => by_id,
    response_schema => '{"type": "string", "contentMediaType": "application/octet-stream"}');
  PERFORM aegis.register_route('GET', '/api/invoice-numbers', 'aegis_app.get_numbering(aegis.request)', 4::smallint, tag => 'Invoices',
    summary => 'Whether the numbers have gaps', response_schema => aegis.object_schema(jsonb_build_object('numbered', count, 'next_number', count,
      'missing', jsonb_build_object('type', 'array', 'maxItems', 100, 'items', count), 'gapless', '{"type": "boolean"}'::jsonb,
      'credit_notes', aegis.object_schema(jsonb_build_object('numbered', count, 'next_number', count,
        'missing', jsonb_build_object('type', 'array', 'maxItems', 100, 'items', count), 'gapless', '{"type": "boolean"}'::jsonb)))));
  PERFORM aegis.register_route('GET', '/api/invoice-settings', 'aegis_app.get_invoice_settings(aegis.request)', tag => 'Invoices',
    summary => 'What the organisation decided about its invoices', response_schema => aegis.object_schema(settings));
  PERFORM aegis.register_route('PATCH', '/api/invoice-settings', 'aegis_app.change_invoice_settings(aegis.request)', 4::smallint, tag => 'Invoices',
    summary => 'Change them; rounding and tax until the first invoice', problems => '{"settings-fixed": 409}',
    request_schema => aegis.object_schema(settings, '{time_zone,rounding,tax_by,number_prefix}'), response_schema => aegis.object_schema(settings));
END $$;
