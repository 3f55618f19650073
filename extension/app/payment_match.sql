-- Money that belongs to no invoice, and managers who give it one. docs/payment.md.

-- Money of one payment that a manager gave to another invoice.
CREATE TABLE aegis_app.payment_match (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  payment_id   uuid NOT NULL,
  invoice_id   uuid NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  matched_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES aegis_app.payment (tenant_id, id),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.payment_match', '');
COMMENT ON TABLE aegis_app.payment_match IS 'unapplied money that was matched with an invoice by hand';
CREATE INDEX payment_match_payment ON aegis_app.payment_match (tenant_id, payment_id);
CREATE INDEX payment_match_invoice ON aegis_app.payment_match (tenant_id, invoice_id);
SELECT aegis.protect_table('aegis_app.payment_match', parent => 'aegis_app.invoice');
SELECT aegis.declare_event('payment.matched', 'a manager gave unapplied money to an invoice',
                           '{"invoice_id": "clear required", "amount_minor": "clear", "currency": "clear"}');

CREATE FUNCTION aegis_app.require_manager() RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(aegis.rank(), 0) < 3 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied to decide about money', HINT = 'Managers and admins may.';
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.require_manager() IS 'an error for whoever is neither manager nor admin';

-- Money of a payment goes to another invoice of its currency, at most what that one lacks.
CREATE FUNCTION aegis_app.match_payment(payment uuid, invoice uuid, amount bigint, OUT matched bigint, OUT refusal text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  p      aegis_app.payment;
  target aegis_app.invoice;
  step   record;
  most   bigint;
BEGIN
  PERFORM aegis_app.require_manager(), aegis_app.require_new_snapshots();
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = aegis.tenant_id() AND q.id = match_payment.payment;
  -- Both invoices, in one order whoever matches which.
  PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id IN (p.invoice_id, match_payment.invoice) ORDER BY v.id FOR UPDATE;
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = aegis.tenant_id() AND q.id = match_payment.payment FOR UPDATE;
  SELECT * INTO target FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id = match_payment.invoice;
  IF p.id IS NULL OR target.id IS NULL THEN
    refusal := 'not-found';
  ELSIF target.id = p.invoice_id OR aegis_app.payable_minor(target) = 0 THEN
    refusal := 'invoice-takes-none';
  ELSIF target.currency <> p.currency THEN
    refusal := 'other-currency';
  ELSE
    -- A refund that was asked for takes from what is unapplied first, and may go any moment.
    most := p.unapplied_minor - aegis_app.refunding_minor(p);
    matched := least(coalesce(amount, most), aegis_app.payable_minor(target));
    IF matched <= 0 OR matched > most OR matched < amount THEN
      refusal := 'not-enough';
    END IF;
  END IF;
  IF refusal IS NOT NULL THEN
    matched := NULL;
    RETURN;
  END IF;
  INSERT INTO aegis_app.payment_match (payment_id, invoice_id, amount_minor) VALUES (p.id, target.id, matched);
  UPDATE aegis_app.payment q SET matched_minor = q.matched_minor + matched WHERE q.tenant_id = p.tenant_id AND q.id = p.id;
  SELECT d.* INTO step FROM aegis_app.invoice v, LATERAL aegis_app.derive_money(v) d WHERE v.tenant_id = p.tenant_id AND v.id = p.invoice_id;
  PERFORM aegis_app.tell_invoice(step.money);
  step := aegis_app.derive_money(target);
  PERFORM aegis_app.tell_invoice(step.money);
  PERFORM aegis.record('payment.matched', 'payment', p.id::text,
                       detail => jsonb_build_object('invoice_id', target.id, 'amount_minor', matched, 'currency', p.currency));
END $$;
COMMENT ON FUNCTION aegis_app.match_payment(uuid, uuid, bigint) IS 'gives unapplied money of a payment to another invoice; for managers';

-- Money that came without an invoice gets one; what came about it meanwhile follows.
CREATE FUNCTION aegis_app.match_held_event(held uuid, invoice uuid, OUT outcome text, OUT refusal text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  h     aegis_app.held_event;
  event aegis_app.provider_event;
BEGIN
  PERFORM aegis_app.require_manager();
  SELECT * INTO h FROM aegis_app.held_event e WHERE e.tenant_id = aegis.tenant_id() AND e.id = match_held_event.held;
  IF h.id IS NULL OR NOT EXISTS (SELECT FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id = match_held_event.invoice) THEN
    refusal := 'not-found';
    RETURN;
  END IF;
  event := jsonb_populate_record(NULL::aegis_app.provider_event, h.event);
  PERFORM aegis_app.lock_transaction(event, event.reference);
  PERFORM aegis_app.lock_transaction(event, h.transaction_id);
  UPDATE aegis_app.held_event e SET state = 'applied', ended_at = clock_timestamp()
   WHERE e.tenant_id = h.tenant_id AND e.id = h.id AND e.state = 'held' AND e.effect = 'capture';
  IF NOT FOUND THEN
    refusal := 'not-held-money';
    RETURN;
  END IF;
  outcome := aegis_app.post_event(event, match_held_event.invoice);
  PERFORM aegis.record('payment.matched', 'held_event', h.id::text, detail => jsonb_strip_nulls(
    jsonb_build_object('invoice_id', match_held_event.invoice, 'amount_minor', h.amount_minor, 'currency', h.currency)));
END $$;
COMMENT ON FUNCTION aegis_app.match_held_event(uuid, uuid) IS 'names the invoice of money that came without one; for managers';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.list_unapplied(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  most   integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 50);
  tenant uuid := aegis.tenant_id();
BEGIN
  PERFORM aegis_app.require_manager();
  RETURN aegis_app.ok(jsonb_build_object(
    'payments', (SELECT coalesce(jsonb_agg(aegis_app.payment_json(p) ORDER BY p.received_at DESC, p.id), '[]')
                   FROM (SELECT * FROM aegis_app.payment q WHERE q.tenant_id = tenant AND q.unapplied_minor > 0
                          ORDER BY q.received_at DESC, q.id LIMIT most) p),
    'held', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', h.id, 'provider', h.provider, 'account', h.account, 'transaction_id', h.transaction_id,
                                                          'effect', h.effect, 'amount_minor', h.amount_minor::text, 'currency', h.currency,
                                                          'received_at', h.received_at) ORDER BY h.received_at DESC, h.id), '[]')
               FROM (SELECT * FROM aegis_app.held_event e WHERE e.tenant_id = tenant AND e.state = 'held'
                      ORDER BY e.received_at DESC, e.id LIMIT most) h)));
END $$;
COMMENT ON FUNCTION aegis_app.list_unapplied(aegis.request) IS 'GET /api/unapplied?limit=: money without an invoice, and what was said of payments that are not known';

CREATE FUNCTION aegis_app.refuse_match(refusal text) RETURNS aegis.response
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN CASE refusal
    WHEN 'not-found' THEN aegis_app.problem(404, 'not-found', 'No such payment or invoice')
    WHEN 'invoice-takes-none' THEN aegis_app.problem(409, 'invoice-takes-none', 'The invoice takes no money from elsewhere')
    WHEN 'other-currency' THEN aegis_app.problem(422, 'other-currency', 'The invoice is in another currency')
    WHEN 'not-held-money' THEN aegis_app.problem(409, 'not-held-money', 'It is no money that waits for an invoice')
    ELSE aegis_app.problem(422, 'not-enough', 'Not so much is unapplied, or due') END;
COMMENT ON FUNCTION aegis_app.refuse_match(text) IS 'why money was not matched';

CREATE FUNCTION aegis_app.post_match(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'invoice_id', 36);  -- required
  step := aegis_app.match_payment(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.uuid_field(request.body, 'invoice_id'),
    CASE WHEN request.body ->> 'amount_minor' IS NOT NULL THEN aegis_app.integer_field(request.body, 'amount_minor', 1, 999999999999999) END);
  IF step.refusal IS NOT NULL THEN
    RETURN aegis_app.refuse_match(step.refusal);
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('matched_minor', step.matched::text));
END $$;
COMMENT ON FUNCTION aegis_app.post_match(aegis.request) IS 'POST /api/payments/{id}/match {invoice_id, amount_minor?}';

CREATE FUNCTION aegis_app.post_held_match(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'invoice_id', 36);  -- required
  step := aegis_app.match_held_event(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.uuid_field(request.body, 'invoice_id'));
  IF step.refusal IS NOT NULL THEN
    RETURN aegis_app.refuse_match(step.refusal);
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('outcome', step.outcome));
END $$;
COMMENT ON FUNCTION aegis_app.post_held_match(aegis.request) IS 'POST /api/unapplied/{id}/match {invoice_id}';
