-- The application's routes of credit notes.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later    CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  money    CONSTANT jsonb := '{"type": "string", "pattern": "^[0-9]+$", "description": "whole minor units of the currency"}';
  amount   CONSTANT jsonb := '{"type": ["string", "integer"], "description": "whole minor units of the currency; a string keeps every digit"}';
  reason   CONSTANT jsonb := words || '{"maxLength": 500}';
  version  CONSTANT jsonb := '{"type": "integer", "minimum": 1, "description": "the version of the invoice that was read; guards against lost updates"}';
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  listed   CONSTANT jsonb := jsonb_build_object('id', id, 'invoice_id', id, 'number', words, 'status', '{"enum": ["issued", "void"]}'::jsonb,
             'currency', '{"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}'::jsonb, 'total_minor', money, 'issued_at', instant, 'voided_at', later);
  note     CONSTANT jsonb := aegis.object_schema(listed || jsonb_build_object('invoice_number', words, 'subtotal_minor', money, 'tax_minor', money,
             'reason', maybe, 'void_reason', maybe, 'content_sha256', words, 'lines', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
               'position', '{"type": "integer", "minimum": 1}'::jsonb, 'description', maybe, 'quantity', '{"type": "number"}'::jsonb, 'unit_minor', money,
               'tax_rate', '{"type": "number", "description": "per cent"}'::jsonb, 'amount_minor', money, 'tax_minor', money || '{"type": ["string", "null"]}')))));
BEGIN
  PERFORM aegis.register_route('GET', '/api/invoices/{id}/credit-notes', 'aegis_app.list_credit_notes(aegis.request)', tag => 'Invoices',
    summary => 'Credit notes of an invoice, oldest first', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('credit_notes', jsonb_build_object('type', 'array', 'items', aegis.object_schema(listed)))));
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/credit-notes', 'aegis_app.create_credit_note(aegis.request)', 3::smallint, tag => 'Invoices',
    summary => 'Take back an invoice that was sent, or lines of it', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"illegal-transition": 409, "changed-meanwhile": 409, "more-than-invoiced": 422, "nothing-credited": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('reason', reason, 'version', version, 'lines',
      jsonb_build_object('type', 'array', 'maxItems', 500, 'description', 'left out: all of the invoice', 'items', aegis.object_schema(jsonb_build_object(
        'description', words || '{"maxLength": 500}', 'quantity', '{"type": ["number", "string"], "default": 1}'::jsonb, 'unit_minor', amount,
        'tax_rate', '{"type": ["number", "string"], "default": 0, "description": "per cent"}'::jsonb), '{quantity,tax_rate}'))), '{lines,version}'),
    response_schema => note);
  PERFORM aegis.register_route('GET', '/api/credit-notes/{id}', 'aegis_app.get_credit_note(aegis.request)', tag => 'Invoices',
    summary => 'One credit note with its lines', parameter_schema => by_id, response_schema => note);
  PERFORM aegis.register_route('POST', '/api/credit-notes/{id}/void', 'aegis_app.void_credit_note(aegis.request)', 3::smallint, tag => 'Invoices',
    summary => 'Void a credit note; its number stays', parameter_schema => by_id, problems => '{"illegal-transition": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('reason', reason)), response_schema => note);
END $$;
