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
  status   CONSTANT jsonb := '{"enum": ["draft", "sent", "cancelled"]}';
  version  CONSTANT jsonb := '{"type": "integer", "minimum": 1, "description": "the version that was read; guards against lost updates"}';
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  listed   CONSTANT jsonb := jsonb_build_object('id', id, 'customer_id', id, 'customer_name', maybe, 'status', status, 'number', maybe,
             'overdue', '{"type": "boolean"}'::jsonb, 'currency', currency, 'total_minor', money, 'due_date', day, 'created_at', instant);
  invoice  CONSTANT jsonb := aegis.object_schema(listed || jsonb_build_object('memo', maybe, 'version', version, 'content_sha256', maybe,
             'sent_at', later, 'cancelled_at', later, 'cancel_reason', maybe, 'lines', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
               'position', count, 'description', words, 'quantity', count, 'unit_minor', money, 'amount_minor', money)))));
  draft    CONSTANT jsonb := jsonb_build_object('currency', currency, 'due_date', day, 'memo', maybe || '{"maxLength": 2000}',
             'lines', jsonb_build_object('type', 'array', 'maxItems', 500, 'items', aegis.object_schema(jsonb_build_object(
               'description', words || '{"maxLength": 500}', 'quantity', '{"type": ["integer", "string"], "default": 1}'::jsonb, 'unit_minor', amount), '{quantity}')));
BEGIN
  PERFORM aegis.register_route('GET', '/api/dashboard', 'aegis_app.get_dashboard(aegis.request)', tag => 'Invoices',
    summary => 'Counts, sums, the newest invoices, and for admins the state of the ledger',
    response_schema => aegis.object_schema(jsonb_build_object('customers', count, 'overdue', count,
      'invoices', aegis.object_schema(jsonb_build_object('draft', count, 'sent', count, 'cancelled', count)),
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
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/send', 'aegis_app.send_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Send: number and freeze', parameter_schema => by_id, problems => '{"illegal-transition": 409, "no-lines": 422}', response_schema => invoice);
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/cancel', 'aegis_app.cancel_invoice(aegis.request)', tag => 'Invoices',
    summary => 'Cancel; a number that was given stays given', parameter_schema => by_id, problems => '{"illegal-transition": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('reason', words || '{"maxLength": 500}')), response_schema => invoice);
END $$;
