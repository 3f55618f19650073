-- Refunds: asked for by managers, carried out by the provider; that money went back is an effect of the payment. docs/checkout.md.

CREATE TABLE aegis_app.refund (
  tenant_id       uuid NOT NULL DEFAULT aegis.tenant_id(),
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  payment_id      uuid NOT NULL,
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  reason          aegis.sealed_text,
  idempotency_key text NOT NULL CHECK (idempotency_key ~ '^[!-~]{1,255}$' AND aegis.is_free_of_card_data(idempotency_key)),
  status          text NOT NULL DEFAULT 'requested' CHECK (status IN ('requested', 'pending', 'succeeded', 'failed')),
  provider_refund_id text CHECK (provider_refund_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(provider_refund_id)),
  error           text CHECK (error ~ '^[A-Za-z0-9_.-]{1,60}$' AND aegis.is_free_of_card_data(error)),
  given_up        boolean NOT NULL DEFAULT false,
  requested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at        timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, payment_id, idempotency_key),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES aegis_app.payment (tenant_id, id),
  CHECK ((status IN ('succeeded', 'failed')) = (ended_at IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.refund', '');
COMMENT ON TABLE aegis_app.refund IS 'refunds that were asked for here; what came of them is an effect of their payment';
COMMENT ON COLUMN aegis_app.refund.given_up IS 'the call was given up without an answer: it failed, unless the provider tells of it after all';
SELECT aegis.protect_table('aegis_app.refund', parent => 'aegis_app.payment');
SELECT aegis.encrypt_column('aegis_app.refund', 'reason', 'refund.reason', 'aegis.sealed_text', 'full');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.refund FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('reason');

SELECT aegis.declare_event('payment.refund.requested', 'a refund was asked for',
                           '{"payment_id": "clear required", "amount_minor": "clear required", "currency": "clear required", "reason": "personal"}');
SELECT aegis.declare_event('payment.refund.failed', 'a refund was refused, given up, or came back to the provider',
                           '{"payment_id": "clear required", "code": "clear", "refund_id": "clear"}');

CREATE FUNCTION aegis_app.refunding_minor(p aegis_app.payment) RETURNS bigint
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM aegis_app.refund r
           WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id AND r.ended_at IS NULL);
COMMENT ON FUNCTION aegis_app.refunding_minor(aegis_app.payment) IS 'what of a payment was asked back and may still go';

CREATE FUNCTION aegis_app.request_refund(payment uuid, amount bigint, reason text, key text, OUT made aegis_app.refund, OUT fresh boolean, OUT refusal text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  p    aegis_app.payment;
  a    aegis_app.provider_account;
  most bigint;
  text_amount text;
BEGIN
  PERFORM aegis_app.require_manager(), aegis.require_step_up(), aegis_app.require_new_snapshots();
  fresh := false;
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = aegis.tenant_id() AND q.id = request_refund.payment;
  PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = p.tenant_id AND v.id = p.invoice_id FOR UPDATE;
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = aegis.tenant_id() AND q.id = request_refund.payment;
  SELECT * INTO made FROM aegis_app.refund r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id AND r.idempotency_key = key;
  IF made.id IS NOT NULL THEN
    refusal := CASE WHEN made.amount_minor <> amount THEN 'key-used' END;
    RETURN;
  END IF;
  SELECT * INTO a FROM aegis_app.provider_account k WHERE k.tenant_id = p.tenant_id AND k.provider = p.provider AND k.account = p.account AND k.disabled_at IS NULL;
  -- Less what was given back, what was asked for and may still be, and what pays another invoice.
  most := p.amount_minor - p.lost_minor - p.refunded_minor - p.matched_minor - aegis_app.refunding_minor(p);
  text_amount := aegis_app.provider_amount(p.provider, p.currency, amount);
  refusal := CASE WHEN p.id IS NULL THEN 'not-found' WHEN a.id IS NULL THEN 'unknown-account' WHEN p.status = 'voided' OR amount > most THEN 'not-so-much'
                  WHEN text_amount IS NULL THEN 'amount-not-payable' WHEN p.last_four IS NULL AND p.provider = 'authorize_net' THEN 'details-missing' END;
  IF refusal IS NOT NULL THEN
    IF refusal = 'details-missing' THEN
      PERFORM aegis_app.queue_details(a, p.transaction_id, p.transaction_id || '/refund');
    END IF;
    RETURN;
  END IF;
  INSERT INTO aegis_app.refund (payment_id, amount_minor, reason, idempotency_key) VALUES (p.id, amount, request_refund.reason, key) RETURNING * INTO made;
  fresh := true;
  PERFORM aegis_app.queue_call(a, 'refund', made.id::text, 'refund/' || made.id, jsonb_strip_nulls(jsonb_build_object(
    'transaction_id', p.transaction_id, 'amount', text_amount, 'reference', coalesce(p.reference, ''), 'last_four', p.last_four)));
  PERFORM aegis.record('payment.refund.requested', 'refund', made.id::text, detail => jsonb_build_object(
    'payment_id', p.id, 'amount_minor', amount, 'currency', p.currency, 'reason', request_refund.reason));
END $$;
COMMENT ON FUNCTION aegis_app.request_refund(uuid, bigint, text, text) IS
  'asks the provider to give money back; the same key is the same refund; for managers';

-- However it is learnt, and in whatever order: answers, messages, and that a call was given up. The invoice of the payment is locked.
CREATE FUNCTION aegis_app.settle_refunds(payment uuid, reason text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  done record;
BEGIN
  -- Those of which the provider gave the number; that one came back is its last word.
  UPDATE aegis_app.refund r
     SET status = s.status, ended_at = clock_timestamp(), error = CASE s.status WHEN 'failed' THEN coalesce(r.error, settle_refunds.reason, 'failed_at_provider') END
    FROM (SELECT q.id, CASE WHEN bool_or(e.effect LIKE 'refund\_failed:%') THEN 'failed' ELSE 'succeeded' END AS status
            FROM aegis_app.refund q
            JOIN aegis_app.payment_effect e ON e.tenant_id = q.tenant_id AND e.payment_id = q.payment_id
             AND e.effect IN ('refund:' || q.provider_refund_id, 'refund_failed:' || q.provider_refund_id)
           WHERE q.tenant_id = aegis.tenant_id() AND q.payment_id = settle_refunds.payment GROUP BY q.id) s
   WHERE r.tenant_id = aegis.tenant_id() AND r.id = s.id AND r.status <> s.status;
  -- Of a refund whose call was given up nobody knows the number. Money that went back and is no other refund's is that of the oldest of
  -- its amount, unless one of that amount still waits for its answer: that will say which is its own.
  FOR done IN
    SELECT substr(e.effect, 8) AS number, e.amount_minor FROM aegis_app.payment_effect e
     WHERE e.tenant_id = aegis.tenant_id() AND e.payment_id = settle_refunds.payment AND e.effect LIKE 'refund:%'
       AND NOT EXISTS (SELECT FROM aegis_app.refund r WHERE r.tenant_id = e.tenant_id AND r.payment_id = e.payment_id AND r.provider_refund_id = substr(e.effect, 8))
       AND NOT EXISTS (SELECT FROM aegis_app.refund r WHERE r.tenant_id = e.tenant_id AND r.payment_id = e.payment_id AND r.amount_minor = e.amount_minor
                          AND r.ended_at IS NULL AND r.provider_refund_id IS NULL)
       AND NOT EXISTS (SELECT FROM aegis_app.payment_effect f WHERE f.tenant_id = e.tenant_id AND f.payment_id = e.payment_id
                          AND f.effect = 'refund_failed:' || substr(e.effect, 8))
     ORDER BY e.occurred_at, e.effect
  LOOP
    UPDATE aegis_app.refund r SET status = 'succeeded', provider_refund_id = done.number, error = NULL, ended_at = clock_timestamp()
     WHERE r.tenant_id = aegis.tenant_id() AND r.id = (
             SELECT q.id FROM aegis_app.refund q WHERE q.tenant_id = aegis.tenant_id() AND q.payment_id = settle_refunds.payment AND q.given_up
                AND q.provider_refund_id IS NULL AND q.amount_minor = done.amount_minor ORDER BY q.requested_at, q.id LIMIT 1);
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis_app.settle_refunds(uuid, text) IS 'brings the refunds that were asked for of a payment to what its effects say; reason: why one failed';

-- The amount is free again, and what was asked for is not sent once more.
CREATE FUNCTION aegis_app.give_up_refund(refund uuid, fault text) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  p aegis_app.payment;
BEGIN
  SELECT q.* INTO p FROM aegis_app.payment q JOIN aegis_app.refund r ON r.tenant_id = q.tenant_id AND r.payment_id = q.id
   WHERE r.tenant_id = aegis.tenant_id() AND r.id = give_up_refund.refund;
  PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = p.tenant_id AND v.id = p.invoice_id FOR UPDATE;
  UPDATE aegis_app.refund r SET status = 'failed', error = fault, given_up = true, ended_at = clock_timestamp()
   WHERE r.tenant_id = p.tenant_id AND r.id = give_up_refund.refund AND r.ended_at IS NULL AND r.provider_refund_id IS NULL;
  IF FOUND THEN
    PERFORM aegis.record('payment.refund.failed', 'refund', give_up_refund.refund::text, 'failure', jsonb_build_object('payment_id', p.id, 'code', fault));
    PERFORM aegis_app.settle_refunds(p.id);
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.give_up_refund(uuid, text) IS 'ends a refund whose call was given up; should it have been done, its message settles it all the same';

CREATE FUNCTION aegis_app.take_refund(a aegis_app.provider_account, call jsonb, refund uuid, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r     aegis_app.refund;
  p     aegis_app.payment;
  event aegis_app.provider_event;
  f     jsonb := aegis_app.read_fields(call -> 'fields', said);
  code  text := coalesce(aegis_app.code_of(f ->> 'error'), 'refused');
BEGIN
  SELECT * INTO STRICT r FROM aegis_app.refund q WHERE q.tenant_id = a.tenant_id AND q.id = take_refund.refund;
  SELECT * INTO STRICT p FROM aegis_app.payment q WHERE q.tenant_id = r.tenant_id AND q.id = r.payment_id;
  IF NOT jsonb_path_exists(said, (call ->> 'good')::jsonpath) THEN
    UPDATE aegis_app.refund q SET status = 'failed', error = code, ended_at = clock_timestamp()
     WHERE q.tenant_id = r.tenant_id AND q.id = r.id AND q.ended_at IS NULL;
    PERFORM aegis.record('payment.refund.failed', 'refund', r.id::text, 'failure', jsonb_build_object('payment_id', p.id, 'code', code));
    -- Another of its amount may have waited for this answer.
    PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = p.tenant_id AND v.id = p.invoice_id FOR UPDATE;
    PERFORM aegis_app.settle_refunds(p.id);
    RETURN 'failed';
  END IF;
  event := aegis_app.event_of_answer(a, call, said, p.reference);
  event.parent_transaction_id := p.transaction_id;
  event.transaction_id := coalesce(event.effect_reference, f ->> 'effect_reference');
  event.amount_minor := coalesce(event.amount_minor, r.amount_minor);
  event.currency := p.currency;
  UPDATE aegis_app.refund q
     SET provider_refund_id = event.transaction_id, status = CASE WHEN event.kind = 'refunded' THEN 'succeeded' ELSE 'pending' END,
         ended_at = CASE WHEN event.kind = 'refunded' THEN clock_timestamp() END
   WHERE q.tenant_id = r.tenant_id AND q.id = r.id AND q.ended_at IS NULL;
  IF event.kind = 'refunded' THEN
    RETURN aegis_app.take_event(event);
  END IF;
  -- Its message may have come before its answer.
  PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = p.tenant_id AND v.id = p.invoice_id FOR UPDATE;
  PERFORM aegis_app.settle_refunds(p.id);
  RETURN 'pending';
END $$;
COMMENT ON FUNCTION aegis_app.take_refund(aegis_app.provider_account, jsonb, uuid, jsonb) IS 'what a provider answered when a refund was asked for';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.refund_json(r aegis_app.refund) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object('id', r.id, 'payment_id', r.payment_id, 'amount_minor', r.amount_minor::text, 'reason', aegis.reveal(r.reason),
                            'status', r.status, 'provider_refund_id', r.provider_refund_id, 'error', r.error, 'requested_at', r.requested_at,
                            'ended_at', r.ended_at);
COMMENT ON FUNCTION aegis_app.refund_json(aegis_app.refund) IS 'a refund that was asked for';

CREATE FUNCTION aegis_app.post_refund(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key  text := request.headers ->> 'idempotency-key';
  step record;
BEGIN
  IF coalesce(key, '') !~ '^[!-~]{1,255}$' THEN
    RETURN aegis_app.problem(400, 'idempotency-key-required', 'Money is given back only with an Idempotency-Key',
                             'Send a header Idempotency-Key of 1 to 255 characters without blanks; the same key is the same refund.');
  END IF;
  step := aegis_app.request_refund(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.integer_field(request.body, 'amount_minor', 1, 999999999999999),
                                   aegis_app.text_field(request.body, 'reason', 500), key);
  IF step.refusal IS NOT NULL THEN
    RETURN aegis_app.refuse_checkout(step.refusal);
  END IF;
  RETURN aegis_app.ok(aegis_app.refund_json(step.made), 202);
END $$;
COMMENT ON FUNCTION aegis_app.post_refund(aegis.request) IS 'POST /api/payments/{id}/refunds {amount_minor, reason}, with an Idempotency-Key';

CREATE FUNCTION aegis_app.list_refunds(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_payment uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.payment p WHERE p.tenant_id = aegis.tenant_id() AND p.id = of_payment) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such payment');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('refunds', (
    SELECT coalesce(jsonb_agg(aegis_app.refund_json(r) ORDER BY r.requested_at, r.id), '[]')
      FROM aegis_app.refund r WHERE r.tenant_id = aegis.tenant_id() AND r.payment_id = of_payment)));
END $$;
COMMENT ON FUNCTION aegis_app.list_refunds(aegis.request) IS 'GET /api/payments/{id}/refunds';
