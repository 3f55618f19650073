-- The application's routes of payments, checkouts, refunds, accounts at providers and reconciliation.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  maybe_id CONSTANT jsonb := '{"type": ["string", "null"], "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  flag     CONSTANT jsonb := '{"type": "boolean"}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later    CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  day      CONSTANT jsonb := '{"type": "string", "format": "date"}';
  count    CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  money    CONSTANT jsonb := '{"type": "string", "pattern": "^[0-9]+$", "description": "whole minor units of the currency"}';
  no_money CONSTANT jsonb := '{"type": ["string", "null"], "pattern": "^[0-9]+$"}';
  amount   CONSTANT jsonb := '{"type": ["string", "integer"], "description": "whole minor units of the currency; a string keeps every digit"}';
  currency CONSTANT jsonb := '{"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}';
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  effects  CONSTANT jsonb := jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
             'effect', words, 'amount_minor', no_money, 'applied_minor', money, 'occurred_at', instant, 'recorded_at', instant)));
  paid     CONSTANT jsonb := jsonb_build_object('id', id, 'invoice_id', id, 'checkout_id', maybe_id, 'provider', words, 'account', words, 'transaction_id', words,
             'status', '{"enum": ["authorised", "held", "failed", "voided", "captured", "partially_refunded", "refunded", "disputed", "charged_back"]}'::jsonb,
             'currency', currency, 'amount_minor', money, 'refunded_minor', money, 'disputed_minor', money, 'lost_minor', money, 'unapplied_minor', money,
             'matched_minor', money, 'set_aside', '{"enum": ["late", "currency", null]}'::jsonb, 'brand', maybe, 'last_four', maybe, 'result_code', maybe,
             'occurred_at', instant, 'received_at', instant);
  payment  CONSTANT jsonb := aegis.object_schema(paid || jsonb_build_object('effects', effects, 'verified_by', '{"type": "object"}'::jsonb,
             'authorisation_code', maybe, 'avs_result', maybe, 'code_result', maybe, 'scrub_report', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
               'rule', words, 'count', count, 'paths', '{"type": "array", "items": {"type": "string"}}'::jsonb))),
             'response', '{"type": ["object", "null"], "description": "what the provider said, without card data"}'::jsonb));
  checkout CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id, 'invoice_id', id, 'account_id', id, 'provider', words,
             'status', '{"enum": ["creating", "open", "unresolved", "paid", "failed", "expired", "cancelled", "abandoned"]}'::jsonb,
             'amount_minor', money, 'currency', currency, 'error', maybe, 'created_at', instant, 'expires_at', instant, 'ended_at', later,
             'go', aegis.object_schema(jsonb_build_object('method', '{"enum": ["GET", "POST"]}'::jsonb, 'url', words, 'token', maybe))
                   || '{"type": ["object", "null"], "description": "how a browser gets to the page: by address, or by posting the token"}'));
  refund   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id, 'payment_id', id, 'amount_minor', money, 'reason', maybe,
             'status', '{"enum": ["requested", "pending", "succeeded", "failed"]}'::jsonb, 'provider_refund_id', maybe, 'error', maybe,
             'requested_at', instant, 'ended_at', later));
  secrets  CONSTANT jsonb := '{"type": "object", "additionalProperties": {"type": "string"}, "description": "what the provider gave for its interface; it is never shown again"}';
  recent   CONSTANT interval := '1 day';  -- aegis.step_up_time is less, and decides
BEGIN
  PERFORM aegis.register_route('GET', '/api/invoices/{id}/payments', 'aegis_app.list_invoice_payments(aegis.request)', tag => 'Payments',
    summary => 'What was paid of an invoice, and everything that happened to it', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('currency', currency, 'total_minor', money, 'paid_minor', money, 'due_minor', money,
      'unapplied_minor', money, 'refunded_minor', money, 'disputed_minor', money,
      'payments', jsonb_build_object('type', 'array', 'items', aegis.object_schema(paid || jsonb_build_object('effects', effects, 'refunds',
        jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('id', id, 'amount_minor', money, 'status', words, 'error', maybe,
          'requested_at', instant, 'ended_at', later)))))),
      'matched', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('payment_id', id, 'amount_minor', money, 'matched_at', instant))))));
  PERFORM aegis.register_route('GET', '/api/payments/{id}', 'aegis_app.get_payment(aegis.request)', tag => 'Payments',
    summary => 'One payment with what the provider said', parameter_schema => by_id, response_schema => payment);
  PERFORM aegis.register_route('GET', '/api/unapplied', 'aegis_app.list_unapplied(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Money that belongs to no invoice, and what was said of payments that are not known',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb)),
    response_schema => aegis.object_schema(jsonb_build_object('payments', jsonb_build_object('type', 'array', 'items', aegis.object_schema(paid)),
      'held', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('id', id, 'provider', words, 'account', words,
        'transaction_id', words, 'effect', words, 'amount_minor', no_money, 'currency', maybe, 'received_at', instant))))));
  PERFORM aegis.register_route('POST', '/api/payments/{id}/match', 'aegis_app.post_match(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Give unapplied money to another invoice', parameter_schema => by_id, idempotent => true,
    problems => '{"invoice-takes-none": 409, "other-currency": 422, "not-enough": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('invoice_id', id, 'amount_minor', amount), '{amount_minor}'),
    response_schema => aegis.object_schema(jsonb_build_object('matched_minor', money)));
  PERFORM aegis.register_route('POST', '/api/unapplied/{id}/match', 'aegis_app.post_held_match(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Name the invoice of money that came without one', parameter_schema => by_id, idempotent => true, problems => '{"not-held-money": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('invoice_id', id)),
    response_schema => aegis.object_schema(jsonb_build_object('outcome', '{"enum": ["applied", "unapplied", "duplicate", "conflict"]}'::jsonb)));
  PERFORM aegis.register_route('POST', '/api/payments/refetch', 'aegis_app.post_refetch(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Have a transaction or an event fetched from its provider', success_status => 202::smallint, problems => '{"cannot-be-fetched": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('account_id', id, 'transaction_id', words, 'event_id', words), '{transaction_id,event_id}'),
    response_schema => aegis.object_schema('{"queued": {"const": true}}'));

  PERFORM aegis.register_route('GET', '/api/invoices/{id}/checkouts', 'aegis_app.list_checkouts(aegis.request)', tag => 'Payments',
    summary => 'Attempts to have an invoice paid', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('checkouts', jsonb_build_object('type', 'array', 'items', checkout))));
  PERFORM aegis.register_route('POST', '/api/invoices/{id}/checkouts', 'aegis_app.post_checkout(aegis.request)', tag => 'Payments',
    summary => 'Have an invoice paid on a page of a provider', parameter_schema => by_id, success_status => 201::smallint,
    problems => '{"unknown-account": 422, "nothing-due": 409, "other-currency": 422, "amount-not-payable": 422, "attempt-unresolved": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('account_id', id, 'force', flag), '{force}'), response_schema => checkout);
  PERFORM aegis.register_route('GET', '/api/checkouts/{id}', 'aegis_app.get_checkout(aegis.request)', tag => 'Payments',
    summary => 'One attempt, and while it is open the way to its page', parameter_schema => by_id, response_schema => checkout);
  PERFORM aegis.register_route('GET', '/api/payments/{id}/refunds', 'aegis_app.list_refunds(aegis.request)', tag => 'Payments',
    summary => 'Refunds of a payment that were asked for', parameter_schema => by_id,
    response_schema => aegis.object_schema(jsonb_build_object('refunds', jsonb_build_object('type', 'array', 'items', refund))));
  PERFORM aegis.register_route('POST', '/api/payments/{id}/refunds', 'aegis_app.post_refund(aegis.request)', 3::smallint, tag => 'Payments', step_up => recent,
    summary => 'Give money back; the same Idempotency-Key is the same refund', parameter_schema => by_id, success_status => 202::smallint, idempotent => true,
    problems => '{"key-used": 422, "unknown-account": 422, "not-so-much": 422, "amount-not-payable": 422, "details-missing": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('amount_minor', amount, 'reason', words || '{"maxLength": 500}')), response_schema => refund);

  PERFORM aegis.register_route('GET', '/api/payment-accounts', 'aegis_app.list_accounts(aegis.request)', tag => 'Payments',
    summary => 'Accounts at payment providers',
    response_schema => aegis.object_schema(jsonb_build_object('accounts', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
      'id', id, 'provider', words, 'account', words, 'currency', currency, 'live', flag, 'destination', words, 'return_url', words, 'reconciled_daily', flag,
      'offered', flag || '{"description": "whether whoever has the link of an invoice may begin to pay there"}', 'created_at', instant))))));
  PERFORM aegis.register_route('POST', '/api/payment-accounts', 'aegis_app.post_account(aegis.request)', 4::smallint, tag => 'Payments', step_up => recent,
    summary => 'Connect an account at a provider', success_status => 201::smallint, problems => '{"account-taken": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('provider', words, 'account', words, 'currency', currency, 'live', flag, 'destination', words,
      'return_url', words || '{"description": "where the payer''s browser goes afterwards"}', 'credential', secrets,
      'offered', flag || '{"description": "whether whoever has the link of an invoice may begin to pay there; as live, unless said"}'), '{offered}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id)));
  PERFORM aegis.register_route('PATCH', '/api/payment-accounts/{id}', 'aegis_app.patch_account(aegis.request)', 4::smallint, tag => 'Payments', step_up => recent,
    summary => 'Let payers begin to pay at an account, or no longer', parameter_schema => by_id, success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('offered', flag)));
  PERFORM aegis.register_route('PUT', '/api/payment-accounts/{id}/credential', 'aegis_app.put_credential(aegis.request)', 4::smallint, tag => 'Payments', step_up => recent,
    summary => 'Give an account another credential', parameter_schema => by_id, success_status => 204::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('credential', secrets)));
  PERFORM aegis.register_route('DELETE', '/api/payment-accounts/{id}', 'aegis_app.delete_account(aegis.request)', 4::smallint, tag => 'Payments', step_up => recent,
    summary => 'Disconnect an account; what was paid stays', parameter_schema => by_id, success_status => 204::smallint);

  PERFORM aegis.register_route('GET', '/api/reconciliations', 'aegis_app.list_reconciliations(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Comparisons with what providers list, and the differences that nobody has dealt with',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 20}'::jsonb)),
    response_schema => aegis.object_schema(jsonb_build_object(
      'reconciliations', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('id', id, 'account_id', id, 'from', instant,
        'to', instant, 'listed', count, 'differences', count, 'started_at', instant, 'ended_at', later))),
      'open', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object('id', id, 'reconciliation_id', id,
        'kind', '{"enum": ["missing", "extra", "amount", "currency"]}'::jsonb, 'transaction_id', words, 'payment_id', maybe_id, 'recorded_minor', no_money,
        'listed_minor', no_money, 'currency', maybe, 'found_at', instant))))));
  PERFORM aegis.register_route('POST', '/api/reconciliations', 'aegis_app.post_reconciliation(aegis.request)', 3::smallint, tag => 'Payments',
    summary => 'Compare some days with what a provider lists', success_status => 202::smallint, problems => '{"unknown-account": 422}',
    request_schema => aegis.object_schema(jsonb_build_object('account_id', id, 'from', day, 'to', day,
      'daily', flag || '{"description": "from then on every day"}'), '{daily}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id)));
  PERFORM aegis.register_route('POST', '/api/reconciliation-differences/{id}/settle', 'aegis_app.post_difference_settled(aegis.request)', 3::smallint,
    tag => 'Payments', summary => 'Note that a difference was dealt with', parameter_schema => by_id, success_status => 204::smallint);
END $$;
