-- What providers say about payments becomes effects: each once, in whatever order it comes. docs/payment.md.

SELECT aegis.declare_event('payment.authorized', 'a provider authorised a payment',
                           '{"provider": "clear required", "amount_minor": "clear", "currency": "clear required"}');
SELECT aegis.declare_event('payment.captured', 'a provider took the money of a payment',
                           '{"provider": "clear required", "amount_minor": "clear required", "currency": "clear required"}');
SELECT aegis.declare_event('payment.failed', 'a provider refused a payment', '{"provider": "clear required", "code": "clear"}');
SELECT aegis.declare_event('payment.held', 'a provider holds a payment for review', '{"provider": "clear required"}');
SELECT aegis.declare_event('payment.voided', 'a payment was undone before its money moved', '{"provider": "clear required"}');
SELECT aegis.declare_event('payment.refund.succeeded', 'money of a payment was given back',
                           '{"provider": "clear required", "refund_id": "clear required", "amount_minor": "clear", "currency": "clear required"}');
SELECT aegis.declare_event('payment.dispute.opened', 'a payer disputes a payment',
                           '{"provider": "clear required", "dispute_id": "clear", "amount_minor": "clear", "currency": "clear required"}');
SELECT aegis.declare_event('payment.dispute.closed', 'a dispute was decided',
                           '{"provider": "clear required", "dispute_id": "clear", "result": "clear required", "amount_minor": "clear", "currency": "clear required"}');
SELECT aegis.declare_event('payment.unapplied_recorded', 'money came that belongs to no invoice',
                           '{"reason": "clear required", "amount_minor": "clear", "currency": "clear"}');
SELECT aegis.declare_event('payment.late_on_cancelled', 'money came for an invoice that takes none any more; it needs a refund or another invoice',
                           '{"invoice_id": "clear required", "status": "clear required", "amount_minor": "clear required", "currency": "clear required"}');
SELECT aegis.declare_event('payment.amount_mismatch', 'the amount of a payment is not what was asked for, or not what was said before',
                           '{"effect": "clear required", "expected_minor": "clear", "amount_minor": "clear", "currency": "clear"}');
SELECT aegis.declare_event('payment.currency_mismatch', 'money came in another currency than the invoice''s',
                           '{"expected": "clear required", "currency": "clear required", "amount_minor": "clear"}');
SELECT aegis.declare_event('payment.duplicate_settlement_prevented', 'an invoice that was paid already was paid once more',
                           '{"invoice_id": "clear required", "amount_minor": "clear required", "currency": "clear required"}');
SELECT aegis.declare_event('payment.mode_mismatch', 'a message of the test mode came to a real account, or the other way round',
                           '{"provider": "clear required", "live": "clear required"}');
SELECT aegis.declare_event('payment.event_held', 'a provider spoke of a payment that is not known yet',
                           '{"provider": "clear required", "effect": "clear required"}');
SELECT aegis.declare_event('payment.refund.reattributed', 'less of an invoice counts as given back: a refund failed, or a later payment makes it a part of what was too much',
                           '{"amount_minor": "clear required", "refunded_minor": "clear required", "currency": "clear required"}');

CREATE FUNCTION aegis_app.effect_of(event aegis_app.provider_event) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE event.kind
    WHEN 'authorised' THEN 'authorise' WHEN 'settled' THEN 'capture' WHEN 'voided' THEN 'void' WHEN 'failed' THEN 'fail' WHEN 'held' THEN 'hold'
    WHEN 'refunded' THEN 'refund:' || coalesce(event.effect_reference, event.transaction_id)
    WHEN 'refund_failed' THEN 'refund_failed:' || coalesce(event.effect_reference, event.transaction_id)
    WHEN 'dispute_opened' THEN 'dispute_opened:' || coalesce(event.effect_reference, event.transaction_id)
    WHEN 'dispute_won' THEN 'dispute_won:' || coalesce(event.effect_reference, event.transaction_id)
    WHEN 'dispute_lost' THEN 'dispute_lost:' || coalesce(event.effect_reference, event.transaction_id) END;
COMMENT ON FUNCTION aegis_app.effect_of(aegis_app.provider_event) IS 'what an event does to a payment, as a name that is the same whoever tells of it; NULL when nothing';

CREATE FUNCTION aegis_app.is_about_parent(event aegis_app.provider_event) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN event.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost');
COMMENT ON FUNCTION aegis_app.is_about_parent(aegis_app.provider_event) IS 'whether an event is about a payment that must exist already';

CREATE FUNCTION aegis_app.brand_of(value text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE lower(regexp_replace(value, '[^A-Za-z]', '', 'g'))
    WHEN 'visa' THEN 'visa' WHEN 'mastercard' THEN 'mastercard' WHEN 'mc' THEN 'mastercard' WHEN 'amex' THEN 'amex'
    WHEN 'americanexpress' THEN 'amex' WHEN 'discover' THEN 'discover' WHEN 'diners' THEN 'diners' WHEN 'dinersclub' THEN 'diners'
    WHEN 'jcb' THEN 'jcb' WHEN 'unionpay' THEN 'unionpay' WHEN 'cup' THEN 'unionpay' WHEN 'maestro' THEN 'maestro' ELSE 'other' END;
COMMENT ON FUNCTION aegis_app.brand_of(text) IS 'a card''s network in one spelling';

-- Whoever speaks of one transaction waits for the other: a refund must not be held while its payment is being written.
CREATE FUNCTION aegis_app.lock_transaction(event aegis_app.provider_event, what text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(format('aegis payment/%s/%s/%s/%s', aegis.tenant_id(), event.provider, event.account, what), 0));
END $$;
COMMENT ON FUNCTION aegis_app.lock_transaction(aegis_app.provider_event, text) IS
  'until the end of the transaction, nobody else decides about this transaction or reference; before the lock of the invoice';

CREATE FUNCTION aegis_app.record_effect(p aegis_app.payment, event aegis_app.provider_event) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id text := coalesce(event.effect_reference, event.transaction_id);
  money jsonb := jsonb_build_object('provider', p.provider, 'amount_minor', event.amount_minor, 'currency', p.currency);
BEGIN
  CASE event.kind
    WHEN 'authorised' THEN PERFORM aegis.record('payment.authorized', 'payment', p.id::text, detail => jsonb_strip_nulls(money));
    WHEN 'settled' THEN PERFORM aegis.record('payment.captured', 'payment', p.id::text, detail => money);
    WHEN 'failed' THEN
      PERFORM aegis.record('payment.failed', 'payment', p.id::text, 'failure',
                           jsonb_strip_nulls(jsonb_build_object('provider', p.provider, 'code', aegis_app.code_of(event.result_code))));
    WHEN 'held' THEN PERFORM aegis.record('payment.held', 'payment', p.id::text, detail => jsonb_build_object('provider', p.provider));
    WHEN 'voided' THEN PERFORM aegis.record('payment.voided', 'payment', p.id::text, detail => jsonb_build_object('provider', p.provider));
    WHEN 'refunded' THEN
      PERFORM aegis.record('payment.refund.succeeded', 'payment', p.id::text, detail => money || jsonb_build_object('refund_id', id));
    WHEN 'refund_failed' THEN
      PERFORM aegis.record('payment.refund.failed', 'payment', p.id::text, 'failure',
                           jsonb_strip_nulls(jsonb_build_object('payment_id', p.id, 'code', aegis_app.code_of(event.result_code), 'refund_id', id)));
    WHEN 'dispute_opened' THEN
      PERFORM aegis.record('payment.dispute.opened', 'payment', p.id::text, detail => jsonb_strip_nulls(money || jsonb_build_object('dispute_id', id)));
    ELSE
      PERFORM aegis.record('payment.dispute.closed', 'payment', p.id::text,
                           detail => jsonb_strip_nulls(money || jsonb_build_object('dispute_id', id, 'result', substr(event.kind, 9))));
  END CASE;
END $$;
COMMENT ON FUNCTION aegis_app.record_effect(aegis_app.payment, aegis_app.provider_event) IS 'one entry of the ledger for one effect';

-- Money that no invoice takes is a fact too: who must act reads it here.
CREATE FUNCTION aegis_app.record_unapplied(i aegis_app.invoice, p aegis_app.payment, applied bigint, unapplied bigint) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  money jsonb := jsonb_build_object('amount_minor', unapplied, 'currency', p.currency);
BEGIN
  IF p.set_aside = 'late' THEN
    PERFORM aegis.record('payment.late_on_cancelled', 'payment', p.id::text, detail => money || jsonb_build_object('invoice_id', i.id, 'status', i.status));
  ELSIF p.set_aside = 'currency' THEN
    PERFORM aegis.record('payment.currency_mismatch', 'payment', p.id::text, detail => money || jsonb_build_object('expected', i.currency));
  ELSIF applied = 0 THEN
    PERFORM aegis.record('payment.duplicate_settlement_prevented', 'payment', p.id::text, detail => money || jsonb_build_object('invoice_id', i.id));
  END IF;
  PERFORM aegis.record('payment.unapplied_recorded', 'payment', p.id::text, detail => money || jsonb_build_object('reason',
    coalesce(p.set_aside, CASE WHEN applied = 0 THEN 'paid_already' ELSE 'excess' END)));
END $$;
COMMENT ON FUNCTION aegis_app.record_unapplied(aegis_app.invoice, aegis_app.payment, bigint, bigint) IS 'records why money belongs to no invoice';

CREATE FUNCTION aegis_app.hold_event(event aegis_app.provider_event, effect text) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before aegis_app.held_event;
  new_id uuid;
BEGIN
  INSERT INTO aegis_app.held_event (provider, account, transaction_id, effect, reference, amount_minor, currency, event)
  VALUES (event.provider, event.account, coalesce(event.parent_transaction_id, event.transaction_id), effect, event.reference, event.amount_minor,
          event.currency, to_jsonb(event) || jsonb_build_object('document', aegis_app.safe_document(event.document)))
      ON CONFLICT ON CONSTRAINT held_event_effect DO NOTHING RETURNING id INTO new_id;
  IF new_id IS NULL THEN
    SELECT * INTO before FROM aegis_app.held_event h
     WHERE h.tenant_id = aegis.tenant_id() AND h.provider = event.provider AND h.account = event.account
       AND h.transaction_id = coalesce(event.parent_transaction_id, event.transaction_id) AND h.effect = hold_event.effect;
    IF before.amount_minor IS NOT DISTINCT FROM event.amount_minor AND before.currency IS NOT DISTINCT FROM event.currency THEN
      -- Of a message that is processed again, it still holds.
      RETURN CASE WHEN before.state = 'held' AND before.event ->> 'event_id' = event.event_id THEN 'unmatched' ELSE 'duplicate' END;
    END IF;
    PERFORM aegis.record('payment.amount_mismatch', 'held_event', before.id::text, 'failure', jsonb_strip_nulls(jsonb_build_object(
      'effect', effect, 'expected_minor', before.amount_minor, 'amount_minor', event.amount_minor, 'currency', event.currency)));
    RETURN 'conflict';
  END IF;
  PERFORM aegis.record('payment.event_held', 'held_event', new_id::text, detail => jsonb_build_object('provider', event.provider, 'effect', effect));
  IF event.kind = 'settled' THEN
    PERFORM aegis.record('payment.unapplied_recorded', 'held_event', new_id::text, detail => jsonb_strip_nulls(jsonb_build_object(
      'reason', 'unknown_reference', 'amount_minor', event.amount_minor, 'currency', event.currency)));
    RETURN 'unapplied';
  END IF;
  PERFORM aegis_app.complete_event(event, effect, interval '10 min');
  RETURN 'unmatched';
END $$;
COMMENT ON FUNCTION aegis_app.hold_event(aegis_app.provider_event, text) IS 'keeps what was said about a payment until it is known';

-- The payment that an event is about, by its number or, where the provider does not name it, by our reference.
CREATE FUNCTION aegis_app.find_payment(event aegis_app.provider_event) RETURNS aegis_app.payment
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_row aegis_app.payment;
  candidates uuid[];
BEGIN
  SELECT * INTO found_row FROM aegis_app.payment p
   WHERE p.tenant_id = aegis.tenant_id() AND p.provider = event.provider AND p.account = event.account
     AND p.transaction_id = coalesce(event.parent_transaction_id, event.transaction_id);
  IF found_row.id IS NULL AND aegis_app.is_about_parent(event) AND event.parent_transaction_id IS NULL AND event.reference IS NOT NULL THEN
    candidates := ARRAY(SELECT p.id FROM aegis_app.payment p
      WHERE p.tenant_id = aegis.tenant_id() AND p.provider = event.provider AND p.account = event.account AND p.reference = event.reference
        AND p.amount_minor > 0 LIMIT 2);
    IF cardinality(candidates) = 1 THEN
      SELECT * INTO found_row FROM aegis_app.payment p WHERE p.tenant_id = aegis.tenant_id() AND p.id = candidates[1];
    END IF;
  END IF;
  RETURN found_row;
END $$;
COMMENT ON FUNCTION aegis_app.find_payment(aegis_app.provider_event) IS 'the payment that an event is about, or NULLs';

-- What is kept of a message: nothing, where the verifier does not believe the scrubber.
CREATE FUNCTION aegis_app.safe_document(document jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT CASE WHEN aegis.is_free_of_card_data(s.text) THEN s.text END FROM (SELECT aegis.scrub(document) AS text OFFSET 0) s $$;
COMMENT ON FUNCTION aegis_app.safe_document(jsonb) IS 'a document without card data, or NULL';

CREATE FUNCTION aegis_app.scrub_report(document jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT coalesce(aegis_app.safe_document(jsonb_agg(jsonb_build_object('rule', f.kind, 'count', f.count, 'paths', f.paths) ORDER BY f.kind)), '[]')
          FROM (SELECT g.kind, count(*) AS count, jsonb_agg(g.pointer) AS paths FROM aegis.scrub_findings(document) g GROUP BY g.kind) f $$;
COMMENT ON FUNCTION aegis_app.scrub_report(jsonb) IS 'which rules found how much card data where; never what';

CREATE FUNCTION aegis_app.describe_payment(payment uuid, event aegis_app.provider_event) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- The message of the capture says most; others fill what is not known.
  UPDATE aegis_app.payment p
     SET brand = CASE WHEN event.kind = 'settled' THEN coalesce(aegis_app.brand_of(event.brand), p.brand) ELSE coalesce(p.brand, aegis_app.brand_of(event.brand)) END,
         last_four = CASE WHEN event.last_four ~ '^[0-9]{4}$' AND (event.kind = 'settled' OR p.last_four IS NULL) THEN event.last_four ELSE p.last_four END,
         result_code = CASE WHEN event.kind = 'settled' THEN coalesce(aegis_app.code_of(event.result_code), p.result_code)
                            ELSE coalesce(p.result_code, aegis_app.code_of(event.result_code)) END,
         response = CASE WHEN event.kind = 'settled' OR p.response IS NULL THEN coalesce(aegis_app.safe_document(event.document), p.response) ELSE p.response END,
         scrub_report = CASE WHEN event.document IS NOT NULL AND (event.kind = 'settled' OR p.response IS NULL)
                             THEN aegis_app.scrub_report(event.document) ELSE p.scrub_report END
   WHERE p.tenant_id = aegis.tenant_id() AND p.id = payment;
END $$;
COMMENT ON FUNCTION aegis_app.describe_payment(uuid, aegis_app.provider_event) IS 'keeps what an event says of a payment beside its money';

CREATE FUNCTION aegis_app.voucher() RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT jsonb_strip_nulls(jsonb_build_object('scheme', aegis.auth_method(), 'key_id', (aegis.verified_webhook()).key_id)) $$;
COMMENT ON FUNCTION aegis_app.voucher() IS 'what vouches for what is being recorded: the signature of a webhook and its key, or how else it was learnt';

-- Under the locks of its reference and transaction; the invoice is that of its payment, of its checkout, or the one that a manager named.
CREATE FUNCTION aegis_app.post_event(event aegis_app.provider_event, named uuid DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
<<post_event>>
DECLARE
  effect   text := aegis_app.effect_of(event);
  p        aegis_app.payment := aegis_app.find_payment(event);
  c        aegis_app.checkout;
  i        aegis_app.invoice;
  before   aegis_app.payment_effect;
  step     record;
  applied  bigint;
  left_over bigint := 0;
  held     aegis_app.held_event;
  earlier  aegis_app.provider_event;
BEGIN
  SELECT k.* INTO c FROM aegis_app.checkout k JOIN aegis_app.provider_account a ON a.tenant_id = k.tenant_id AND a.id = k.account_id
   WHERE k.tenant_id = aegis.tenant_id() AND k.reference = event.reference AND a.provider = event.provider AND a.account = event.account;
  IF event.kind = 'expired' THEN
    UPDATE aegis_app.checkout k SET status = 'expired', ended_at = clock_timestamp()
     WHERE k.tenant_id = c.tenant_id AND k.id = c.id AND k.ended_at IS NULL;
    IF FOUND THEN
      PERFORM aegis.record('payment.checkout.expired', 'checkout', c.id::text);
      RETURN 'applied';
    END IF;
    RETURN CASE WHEN c.id IS NULL THEN 'ignored' ELSE 'duplicate' END;
  ELSIF effect IS NULL OR event.transaction_id IS NULL THEN
    RETURN 'ignored';
  END IF;
  IF p.id IS NULL AND (aegis_app.is_about_parent(event) OR coalesce(named, c.invoice_id) IS NULL) THEN
    -- Neither a payment of ours nor anything that says to be one: other business of the same account.
    IF NOT aegis_app.is_about_parent(event) AND coalesce(event.reference, '') !~ '^ag[a-p]{18}$' THEN
      RETURN 'ignored';
    END IF;
    RETURN aegis_app.hold_event(event, effect);
  END IF;
  SELECT * INTO i FROM aegis_app.invoice v
   WHERE v.tenant_id = aegis.tenant_id() AND v.id = coalesce(p.invoice_id, named, c.invoice_id) FOR UPDATE;
  IF event.kind = 'settled' AND event.amount_minor IS NULL THEN
    RETURN 'conflict';
  END IF;
  IF p.id IS NULL THEN
    INSERT INTO aegis_app.payment (invoice_id, checkout_id, provider, account, transaction_id, reference, currency, occurred_at, verified_by)
    VALUES (i.id, c.id, event.provider, event.account, event.transaction_id, c.reference, coalesce(event.currency, c.currency, i.currency),
            coalesce(event.occurred_at, clock_timestamp()), aegis_app.voucher())
    RETURNING * INTO p;
  END IF;
  -- An amount of another currency than was captured does not say how much of the payment it is.
  IF aegis_app.is_about_parent(event) AND p.amount_minor > 0 AND event.currency <> p.currency THEN
    PERFORM aegis.record('payment.currency_mismatch', 'payment', p.id::text, 'failure', jsonb_strip_nulls(jsonb_build_object(
      'expected', p.currency, 'currency', event.currency, 'amount_minor', event.amount_minor)));
    IF event.kind = 'refunded' THEN
      RETURN 'conflict';
    END IF;
    event.amount_minor := NULL;  -- a dispute without an amount is about all of it
  END IF;
  INSERT INTO aegis_app.payment_effect (payment_id, provider, account, transaction_id, effect, amount_minor, event_id, occurred_at)
  VALUES (p.id, p.provider, p.account, p.transaction_id, post_event.effect, event.amount_minor, event.event_id, coalesce(event.occurred_at, clock_timestamp()))
      ON CONFLICT ON CONSTRAINT payment_effect_pkey DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO before FROM aegis_app.payment_effect e
     WHERE e.tenant_id = p.tenant_id AND e.provider = p.provider AND e.account = p.account AND e.transaction_id = p.transaction_id
       AND e.effect = post_event.effect;
    -- A failure may come again for another try; of what moves money the amount must be the same.
    IF before.amount_minor IS NOT DISTINCT FROM event.amount_minor OR post_event.effect IN ('fail', 'hold', 'void') THEN
      RETURN 'duplicate';
    END IF;
    PERFORM aegis.record('payment.amount_mismatch', 'payment', p.id::text, 'failure', jsonb_strip_nulls(jsonb_build_object(
      'effect', post_event.effect, 'expected_minor', before.amount_minor, 'amount_minor', event.amount_minor, 'currency', event.currency)));
    RETURN 'conflict';
  END IF;
  IF event.kind = 'settled' THEN
    UPDATE aegis_app.payment q
       SET currency = coalesce(event.currency, q.currency),
           set_aside = CASE WHEN coalesce(event.currency, q.currency) <> i.currency THEN 'currency'
                            WHEN i.status IN ('draft', 'cancelled', 'void') THEN 'late' END
     WHERE q.tenant_id = p.tenant_id AND q.id = p.id;
  END IF;
  PERFORM aegis_app.describe_payment(p.id, event);
  p := aegis_app.derive_payment(p.id);
  step := aegis_app.derive_money(i);
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = p.tenant_id AND q.id = p.id;
  PERFORM aegis_app.record_effect(p, event);
  IF event.kind = 'settled' THEN
    -- Before the invoice hears of it: the checkout that paid it is not one that it cancels.
    UPDATE aegis_app.checkout k SET status = 'paid', ended_at = coalesce(k.ended_at, clock_timestamp())
     WHERE k.tenant_id = c.tenant_id AND k.id = c.id AND k.status <> 'paid';
    IF p.last_four IS NULL THEN
      PERFORM aegis_app.complete_event(event, effect, interval '1 min');
    END IF;
  ELSIF event.kind IN ('refunded', 'refund_failed') THEN
    PERFORM aegis_app.settle_refunds(p.id, CASE event.kind WHEN 'refund_failed' THEN aegis_app.code_of(event.result_code) END);
  END IF;
  applied := aegis_app.tell_invoice(step.money);
  IF applied > 0 THEN
    UPDATE aegis_app.payment_effect e SET applied_minor = post_event.applied
     WHERE e.tenant_id = p.tenant_id AND e.provider = p.provider AND e.account = p.account AND e.transaction_id = p.transaction_id
       AND e.effect = post_event.effect;
  END IF;
  IF event.kind = 'settled' THEN
    IF c.amount_minor <> event.amount_minor AND p.set_aside IS NULL THEN
      PERFORM aegis.record('payment.amount_mismatch', 'payment', p.id::text, detail => jsonb_build_object(
        'effect', 'capture', 'expected_minor', c.amount_minor, 'amount_minor', event.amount_minor, 'currency', p.currency));
    END IF;
    left_over := CASE WHEN p.set_aside IS NULL THEN (step.money).unapplied_minor - step.unapplied_before ELSE event.amount_minor END;
    IF left_over > 0 THEN
      PERFORM aegis_app.record_unapplied(i, p, applied, left_over);
    END IF;
  END IF;
  -- What came before its payment; and what came without its name, and was asked for.
  IF aegis_app.is_about_parent(event) THEN
    UPDATE aegis_app.held_event h SET state = 'applied', ended_at = clock_timestamp()
     WHERE h.tenant_id = p.tenant_id AND h.provider = p.provider AND h.account = p.account AND h.state = 'held' AND h.effect = post_event.effect;
  END IF;
  FOR held IN
    SELECT * FROM aegis_app.held_event h
     WHERE h.tenant_id = p.tenant_id AND h.provider = p.provider AND h.account = p.account AND h.state = 'held'
       AND (h.transaction_id = p.transaction_id OR h.reference = p.reference) ORDER BY h.received_at, h.id
  LOOP
    earlier := jsonb_populate_record(NULL::aegis_app.provider_event, held.event);
    IF (aegis_app.find_payment(earlier)).id = p.id THEN
      UPDATE aegis_app.held_event h SET state = 'applied', ended_at = clock_timestamp() WHERE h.tenant_id = held.tenant_id AND h.id = held.id;
      UPDATE aegis_app.webhook_event e SET state = 'applied', processed_at = clock_timestamp()
       WHERE e.tenant_id = held.tenant_id AND e.provider = held.provider AND e.account = held.account AND e.event_id = earlier.event_id AND e.state = 'unmatched';
      PERFORM aegis_app.post_event(earlier);
    END IF;
  END LOOP;
  RETURN CASE WHEN left_over > 0 THEN 'unapplied' ELSE 'applied' END;
END $$;
COMMENT ON FUNCTION aegis_app.post_event(aegis_app.provider_event, uuid) IS 'one event''s effect, once; its reference and transaction are locked';

CREATE FUNCTION aegis_app.take_event(event aegis_app.provider_event, named uuid DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_live boolean := (SELECT a.live FROM aegis_app.provider_account a
                    WHERE a.tenant_id = aegis.tenant_id() AND a.provider = event.provider AND a.account = event.account);
BEGIN
  IF event.kind IS NULL OR event.kind = 'ignored' THEN
    RETURN 'ignored';
  ELSIF is_live <> event.live THEN
    PERFORM aegis.record('payment.mode_mismatch', 'transaction', left(event.transaction_id, 60), 'failure',
                         jsonb_build_object('provider', event.provider, 'live', event.live));
    RETURN 'ignored';
  END IF;
  -- Lock order everywhere: reference, transaction, invoice, counter, ledger.
  PERFORM aegis_app.lock_transaction(event, event.reference);
  PERFORM aegis_app.lock_transaction(event, coalesce(event.parent_transaction_id, event.transaction_id));
  RETURN aegis_app.post_event(event, named);
END $$;
COMMENT ON FUNCTION aegis_app.take_event(aegis_app.provider_event, uuid) IS 'locks what an event is about, and posts it';

-- Who may say what a provider said: its signature, or the answer of a call of ours. Nobody of the tenant.
CREATE FUNCTION aegis_app.apply_payment_event(event aegis_app.provider_event) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (CASE aegis.auth_method()
       WHEN 'job' THEN true
       WHEN 'webhook' THEN (event.endpoint_id, event.provider, event.account) =
                           ((aegis.verified_webhook()).endpoint_id, (aegis.verified_webhook()).provider, (aegis.verified_webhook()).account)
       -- Admins have a message processed again that is kept: then exactly what it says.
       ELSE aegis.rank() = 4 AND EXISTS (
         SELECT FROM aegis_app.webhook_event e, aegis.webhook_endpoints() p
          WHERE e.tenant_id = aegis.tenant_id() AND e.provider = event.provider AND e.account = event.account AND e.event_id = event.event_id
            AND p.id = e.endpoint_id AND aegis_app.webhook_says(e, p.currency, p.manual_capture) IS NOT DISTINCT FROM event)
     END) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied for what providers say',
      HINT = 'Payments come from verified webhooks and from calls to the provider.';
  END IF;
  RETURN aegis_app.take_event(event);
END $$;
COMMENT ON FUNCTION aegis_app.apply_payment_event(aegis_app.provider_event) IS
  'what follows from an event of a provider: applied, duplicate, ignored, unmatched, unapplied or conflict';
