-- Payments: what providers said happened to money, each effect once, and what it means for the invoice. What can be
-- derived is derived from all effects anew, so that the order in which they arrive means nothing. docs/payment.md.

CREATE TABLE aegis_app.payment (
  tenant_id       uuid NOT NULL DEFAULT aegis.tenant_id(),
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  invoice_id      uuid NOT NULL,
  checkout_id     uuid,
  provider        text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  account         text NOT NULL CHECK (aegis.is_free_of_card_data(account)),
  transaction_id  text NOT NULL CHECK (transaction_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(transaction_id)),
  reference       text CHECK (reference ~ '^ag[a-p]{18}$'),
  currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  status          text NOT NULL DEFAULT 'authorised'
                  CHECK (status IN ('authorised', 'held', 'failed', 'voided', 'captured', 'partially_refunded', 'refunded', 'disputed',
                                    'charged_back')),
  amount_minor    bigint NOT NULL DEFAULT 0 CHECK (amount_minor >= 0),
  refunded_minor  bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  disputed_minor  bigint NOT NULL DEFAULT 0 CHECK (disputed_minor BETWEEN 0 AND amount_minor),
  lost_minor      bigint NOT NULL DEFAULT 0 CHECK (lost_minor BETWEEN 0 AND amount_minor),
  matched_minor   bigint NOT NULL DEFAULT 0 CHECK (matched_minor BETWEEN 0 AND amount_minor),
  unapplied_minor bigint NOT NULL DEFAULT 0 CHECK (unapplied_minor BETWEEN 0 AND amount_minor),
  set_aside       text CHECK (set_aside IN ('late', 'currency')),
  brand           text CHECK (brand IN ('visa', 'mastercard', 'amex', 'discover', 'diners', 'jcb', 'unionpay', 'maestro', 'other')),
  last_four       text CHECK (last_four ~ '^[0-9]{4}$'),
  result_code     text CHECK (result_code ~ '^[A-Za-z0-9_.-]{1,60}$' AND aegis.is_free_of_card_data(result_code)),
  authorisation_code text CHECK (authorisation_code ~ '^[A-Za-z0-9]{1,10}$'),
  avs_result  text CHECK (avs_result ~ '^[A-Za-z_]{1,30}$'),
  code_result     text CHECK (code_result ~ '^[A-Za-z_]{1,30}$'),
  occurred_at     timestamptz NOT NULL,
  received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  response        jsonb CHECK (aegis.is_free_of_card_data(response)),
  scrub_report    jsonb NOT NULL DEFAULT '[]' CHECK (aegis.is_free_of_card_data(scrub_report)),
  verified_by     jsonb NOT NULL CHECK (aegis.is_free_of_card_data(verified_by)),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, provider, account, transaction_id),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id),
  FOREIGN KEY (tenant_id, checkout_id) REFERENCES aegis_app.checkout (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.payment', '');
COMMENT ON TABLE aegis_app.payment IS 'transactions of providers for invoices, without card data';
COMMENT ON COLUMN aegis_app.payment.amount_minor IS 'what was captured';
COMMENT ON COLUMN aegis_app.payment.matched_minor IS 'what of it was given to other invoices by hand';
COMMENT ON COLUMN aegis_app.payment.unapplied_minor IS 'what of it belongs to no invoice: too late, too much, in another currency';
COMMENT ON COLUMN aegis_app.payment.set_aside IS 'why none of it counts for its invoice';
COMMENT ON COLUMN aegis_app.payment.verified_by IS 'what vouches for it: scheme, and the key of a signature';
CREATE INDEX payment_invoice ON aegis_app.payment (tenant_id, invoice_id);
CREATE INDEX payment_unapplied ON aegis_app.payment (tenant_id, received_at) WHERE unapplied_minor > 0;

CREATE TABLE aegis_app.payment_effect (
  tenant_id      uuid NOT NULL DEFAULT aegis.tenant_id(),
  payment_id     uuid NOT NULL,
  provider       text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  account        text NOT NULL CHECK (aegis.is_free_of_card_data(account)),
  transaction_id text NOT NULL CHECK (transaction_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(transaction_id)),
  effect         text NOT NULL CHECK (effect ~ '^(authorise|capture|void|fail|hold|refund(_failed)?:[A-Za-z0-9_.:-]{1,200}|dispute_(opened|won|lost):[A-Za-z0-9_.:-]{1,200})$'
                                     AND aegis.is_free_of_card_data(effect)),
  amount_minor   bigint CHECK (amount_minor >= 0),
  applied_minor  bigint NOT NULL DEFAULT 0 CHECK (applied_minor >= 0),
  event_id       text CHECK (event_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(event_id)),
  occurred_at    timestamptz NOT NULL,
  recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The third barrier: however many messages tell of it.
  PRIMARY KEY (tenant_id, provider, account, transaction_id, effect),
  FOREIGN KEY (tenant_id, payment_id) REFERENCES aegis_app.payment (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.payment_effect', '');
COMMENT ON TABLE aegis_app.payment_effect IS 'what happened to payments, each thing once';
COMMENT ON COLUMN aegis_app.payment_effect.applied_minor IS 'by how much it raised what is paid of the invoice when it was recorded';
CREATE INDEX payment_effect_payment ON aegis_app.payment_effect (tenant_id, payment_id);

-- Refunds and disputes that came before their payment, and money that says to be ours and whose invoice is not known.
CREATE TABLE aegis_app.held_event (
  tenant_id      uuid NOT NULL DEFAULT aegis.tenant_id(),
  id             uuid NOT NULL DEFAULT gen_random_uuid(),
  provider       text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  account        text NOT NULL CHECK (aegis.is_free_of_card_data(account)),
  transaction_id text NOT NULL CHECK (transaction_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(transaction_id)),
  effect         text NOT NULL CHECK (aegis.is_free_of_card_data(effect)),
  reference      text CHECK (aegis.is_free_of_card_data(reference)),
  amount_minor   bigint CHECK (amount_minor >= 0),
  currency       text CHECK (currency ~ '^[A-Z]{3}$'),
  event          jsonb NOT NULL CHECK (aegis.is_free_of_card_data(event)),
  state          text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'applied', 'dismissed')),
  received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at       timestamptz,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT held_event_effect UNIQUE (tenant_id, provider, account, transaction_id, effect),
  CHECK ((state = 'held') = (ended_at IS NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.held_event', '');
COMMENT ON TABLE aegis_app.held_event IS 'what providers said about payments that are not known yet';
CREATE INDEX held_event_reference ON aegis_app.held_event (tenant_id, reference) WHERE state = 'held';

-- What all payments together mean for an invoice. The fourth barrier: no more counts than was asked for.
CREATE TABLE aegis_app.invoice_money (
  tenant_id       uuid NOT NULL DEFAULT aegis.tenant_id(),
  invoice_id      uuid NOT NULL,
  total_minor     bigint NOT NULL,
  received_minor  bigint NOT NULL CHECK (received_minor >= 0),
  paid_minor      bigint NOT NULL CHECK (paid_minor BETWEEN 0 AND total_minor),
  unapplied_minor bigint NOT NULL CHECK (unapplied_minor >= 0),
  refunded_minor  bigint NOT NULL CHECK (refunded_minor >= 0),
  disputed_minor  bigint NOT NULL CHECK (disputed_minor >= 0),
  changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, invoice_id),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_money', '');
COMMENT ON TABLE aegis_app.invoice_money IS 'how much of an invoice is paid: always what follows from its payments';
COMMENT ON COLUMN aegis_app.invoice_money.total_minor IS 'the invoice''s, which is frozen once it is sent';
COMMENT ON COLUMN aegis_app.invoice_money.received_minor IS 'what came for it and was not charged back, in its currency and in time';
COMMENT ON COLUMN aegis_app.invoice_money.paid_minor IS 'what of that counts; a refund does not make it due again, a lost dispute does';
COMMENT ON COLUMN aegis_app.invoice_money.refunded_minor IS 'what was given back of what was paid, beyond what was too much anyway';

SELECT aegis.protect_table('aegis_app.payment', parent => 'aegis_app.invoice');
SELECT aegis.protect_table('aegis_app.payment_effect', parent => 'aegis_app.payment');
-- What is no invoice's is no team's: the organisation's managers deal with it.
SELECT aegis.protect_table('aegis_app.held_event', created_by => false, team => false);
CREATE POLICY managers_alone ON aegis_app.held_event AS RESTRICTIVE FOR SELECT
  USING (aegis.rank() >= '3'::smallint OR aegis.auth_method() IN ('webhook', 'job'));
SELECT aegis.protect_table('aegis_app.invoice_money', parent => 'aegis_app.invoice');

-- A payment as its effects have it, whatever their order.
CREATE FUNCTION aegis_app.derive_payment(payment uuid) RETURNS aegis_app.payment
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  has record;
  fight record;
  taken bigint;
  back bigint;
  derived aegis_app.payment;
BEGIN
  SELECT coalesce(max(e.amount_minor) FILTER (WHERE e.effect = 'capture'), 0) AS taken,
         coalesce(sum(e.amount_minor) FILTER (WHERE e.effect LIKE 'refund:%' AND NOT EXISTS (
           SELECT FROM aegis_app.payment_effect f WHERE f.tenant_id = e.tenant_id AND f.payment_id = e.payment_id
              AND f.effect = 'refund_failed:' || substr(e.effect, 8))), 0) AS back,
         bool_or(e.effect = 'capture') AS capture, bool_or(e.effect = 'void') AS void, bool_or(e.effect = 'fail') AS fail,
         bool_or(e.effect = 'hold') AS hold,
         coalesce(min(e.occurred_at) FILTER (WHERE e.effect = 'capture'), min(e.occurred_at)) AS occurred_at
    INTO has FROM aegis_app.payment_effect e WHERE e.tenant_id = aegis.tenant_id() AND e.payment_id = payment;
  taken := has.taken;
  back := CASE WHEN has.void THEN taken ELSE least(taken, has.back)::bigint END;
  -- Of each dispute its last decision counts, or that there is none yet.
  SELECT coalesce(sum(d.amount) FILTER (WHERE d.phase = 'opened'), 0) AS open, coalesce(sum(d.amount) FILTER (WHERE d.phase = 'lost'), 0) AS lost
    INTO fight
    FROM (SELECT DISTINCT ON (substr(e.effect, strpos(e.effect, ':'))) substr(split_part(e.effect, ':', 1), 9) AS phase,
                 coalesce(e.amount_minor, max(e.amount_minor) OVER (PARTITION BY substr(e.effect, strpos(e.effect, ':'))), taken) AS amount
            FROM aegis_app.payment_effect e
           WHERE e.tenant_id = aegis.tenant_id() AND e.payment_id = payment AND e.effect LIKE 'dispute%'
           ORDER BY substr(e.effect, strpos(e.effect, ':')), e.effect LIKE 'dispute\_opened%', e.occurred_at DESC, e.effect DESC) d;
  UPDATE aegis_app.payment p
     SET amount_minor = taken, refunded_minor = back, disputed_minor = least(taken, fight.open)::bigint, lost_minor = least(taken, fight.lost)::bigint,
         unapplied_minor = least(p.unapplied_minor, taken), occurred_at = has.occurred_at,
         status = CASE WHEN has.void THEN 'voided'
                       WHEN has.capture THEN CASE WHEN fight.lost >= taken AND fight.lost > 0 THEN 'charged_back' WHEN fight.open > 0 THEN 'disputed'
                                                  WHEN back >= taken AND back > 0 THEN 'refunded' WHEN back > 0 THEN 'partially_refunded' ELSE 'captured' END
                       WHEN has.fail THEN 'failed' WHEN has.hold THEN 'held' ELSE 'authorised' END
   WHERE p.tenant_id = aegis.tenant_id() AND p.id = payment RETURNING * INTO derived;
  RETURN derived;
END $$;
COMMENT ON FUNCTION aegis_app.derive_payment(uuid) IS 'brings a payment to what all its effects together say';

-- The invoice's money as its payments have it; the invoice is locked. Returns what was before, and what is now.
CREATE FUNCTION aegis_app.derive_money(i aegis_app.invoice, OUT paid_before bigint, OUT unapplied_before bigint, OUT money aegis_app.invoice_money)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gross bigint;
  back bigint;
  given bigint;
  disputed bigint;
  excess bigint;
BEGIN
  SELECT m.paid_minor, m.unapplied_minor INTO paid_before, unapplied_before FROM aegis_app.invoice_money m
   WHERE m.tenant_id = i.tenant_id AND m.invoice_id = i.id;
  paid_before := coalesce(paid_before, 0);
  unapplied_before := coalesce(unapplied_before, 0);
  SELECT coalesce(sum(o.own), 0), coalesce(sum(least(o.own, o.refunded_minor)), 0), coalesce(sum(o.disputed_minor), 0) INTO gross, back, disputed
    FROM (SELECT greatest(0, p.amount_minor - p.lost_minor - p.matched_minor) AS own, p.refunded_minor, p.disputed_minor
            FROM aegis_app.payment p WHERE p.tenant_id = i.tenant_id AND p.invoice_id = i.id AND p.set_aside IS NULL) o;
  SELECT coalesce(sum(m.amount_minor), 0) INTO given FROM aegis_app.payment_match m WHERE m.tenant_id = i.tenant_id AND m.invoice_id = i.id;
  gross := gross + given;
  excess := greatest(0, gross - i.total_minor);
  INSERT INTO aegis_app.invoice_money AS m (invoice_id, total_minor, received_minor, paid_minor, unapplied_minor, refunded_minor, disputed_minor)
  VALUES (i.id, i.total_minor, gross, gross - excess, greatest(0, excess - back), greatest(0, back - excess), disputed)
      ON CONFLICT (tenant_id, invoice_id) DO UPDATE
     SET received_minor = EXCLUDED.received_minor, paid_minor = EXCLUDED.paid_minor, unapplied_minor = EXCLUDED.unapplied_minor,
         refunded_minor = EXCLUDED.refunded_minor, disputed_minor = EXCLUDED.disputed_minor, changed_at = clock_timestamp()
  RETURNING * INTO money;
  -- What is too much lies with the payments that came last; what was set aside lies with its payment.
  UPDATE aegis_app.payment p SET unapplied_minor = s.part
    FROM (SELECT q.id, CASE WHEN q.set_aside IS NOT NULL THEN q.over
                            ELSE greatest(0, least(q.over, money.unapplied_minor - (sum(q.over) OVER newest - q.over)))::bigint END AS part
            FROM (SELECT r.id, r.set_aside, r.occurred_at, r.provider, r.account, r.transaction_id,
                         greatest(0, r.amount_minor - r.lost_minor - r.matched_minor - r.refunded_minor) AS over
                    FROM aegis_app.payment r WHERE r.tenant_id = i.tenant_id AND r.invoice_id = i.id) q
          WINDOW newest AS (PARTITION BY q.set_aside IS NULL ORDER BY q.occurred_at DESC, q.provider DESC, q.account DESC, q.transaction_id DESC
                            ROWS UNBOUNDED PRECEDING)) s
   WHERE p.tenant_id = i.tenant_id AND p.id = s.id AND p.unapplied_minor <> s.part;
END $$;
COMMENT ON FUNCTION aegis_app.derive_money(aegis_app.invoice) IS 'brings the money of a locked invoice to what all its payments together say';

-- The one place where payments move an invoice; it is locked, and its money is derived.
CREATE FUNCTION aegis_app.tell_invoice(money aegis_app.invoice_money) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i        aegis_app.invoice;
  disputes integer;
  lost     bigint;
  applied  bigint := 0;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice v WHERE v.tenant_id = money.tenant_id AND v.id = money.invoice_id;
  -- What is closed stays as it is, whatever becomes of the money.
  IF i.status NOT IN ('sent', 'partially_paid', 'paid', 'uncollectible') THEN
    RETURN 0;
  END IF;
  SELECT count(*) FILTER (WHERE p.disputed_minor > 0), coalesce(sum(p.lost_minor), 0) INTO disputes, lost
    FROM aegis_app.payment p WHERE p.tenant_id = money.tenant_id AND p.invoice_id = money.invoice_id AND p.set_aside IS NULL;
  -- Money that was lost before it was heard of came all the same.
  IF i.status = 'sent' AND money.paid_minor = 0 AND lost > 0 THEN
    applied := least(i.total_minor, lost);
    PERFORM aegis_app.settle_invoice(i.id, applied, i.currency, 'pay');
    i.applied_minor := applied;
  END IF;
  IF money.refunded_minor < i.refunded_minor THEN
    UPDATE aegis_app.invoice v SET refunded_minor = money.refunded_minor, version = v.version + 1 WHERE v.tenant_id = i.tenant_id AND v.id = i.id;
    PERFORM aegis.record('payment.refund.reattributed', 'invoice', i.id::text, detail => jsonb_build_object(
      'amount_minor', i.refunded_minor - money.refunded_minor, 'refunded_minor', money.refunded_minor, 'currency', i.currency));
    i.refunded_minor := money.refunded_minor;
  END IF;
  IF money.paid_minor <> i.applied_minor THEN
    applied := greatest(applied, money.paid_minor - i.applied_minor);
    PERFORM aegis_app.settle_invoice(i.id, money.paid_minor - i.applied_minor, i.currency,
                                     CASE WHEN money.paid_minor > i.applied_minor THEN 'pay' ELSE 'reverse' END);
  END IF;
  IF money.refunded_minor > i.refunded_minor THEN
    PERFORM aegis_app.settle_invoice(i.id, i.refunded_minor - money.refunded_minor, i.currency, 'refund');
  END IF;
  FOR n IN 1 .. abs(disputes - i.open_disputes) LOOP
    PERFORM aegis_app.dispute_invoice(i.id, disputes > i.open_disputes);
  END LOOP;
  RETURN applied;
END $$;
COMMENT ON FUNCTION aegis_app.tell_invoice(aegis_app.invoice_money) IS 'brings an invoice to what its money is; returns by how much more of it was paid';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.payment_json(p aegis_app.payment) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object(
    'id', p.id, 'invoice_id', p.invoice_id, 'checkout_id', p.checkout_id, 'provider', p.provider, 'account', p.account,
    'transaction_id', p.transaction_id, 'status', p.status, 'currency', p.currency, 'amount_minor', p.amount_minor::text,
    'refunded_minor', p.refunded_minor::text, 'disputed_minor', p.disputed_minor::text, 'lost_minor', p.lost_minor::text,
    'unapplied_minor', p.unapplied_minor::text, 'matched_minor', p.matched_minor::text, 'set_aside', p.set_aside, 'brand', p.brand,
    'last_four', p.last_four, 'result_code', p.result_code, 'occurred_at', p.occurred_at, 'received_at', p.received_at);
COMMENT ON FUNCTION aegis_app.payment_json(aegis_app.payment) IS 'a payment; amounts as strings of minor units';

CREATE FUNCTION aegis_app.effects_json(p aegis_app.payment) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('effect', e.effect, 'amount_minor', e.amount_minor::text, 'applied_minor', e.applied_minor::text,
                                                       'occurred_at', e.occurred_at, 'recorded_at', e.recorded_at) ORDER BY e.occurred_at, e.effect), '[]')
            FROM aegis_app.payment_effect e WHERE e.tenant_id = p.tenant_id AND e.payment_id = p.id);
COMMENT ON FUNCTION aegis_app.effects_json(aegis_app.payment) IS 'what happened to a payment, in the order in which it happened';

-- Without its reason, which is revealed where refunds are looked at.
CREATE FUNCTION aegis_app.refunds_json(p aegis_app.payment) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'amount_minor', r.amount_minor::text, 'status', r.status, 'error', r.error,
                                                       'requested_at', r.requested_at, 'ended_at', r.ended_at) ORDER BY r.requested_at, r.id), '[]')
            FROM aegis_app.refund r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id);
END $$;
COMMENT ON FUNCTION aegis_app.refunds_json(aegis_app.payment) IS 'refunds of a payment that were asked for here, and how far each is';

CREATE FUNCTION aegis_app.list_invoice_payments(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_invoice uuid := aegis_app.uuid_of(request.params ->> 'id');
  tenant     uuid := aegis.tenant_id();
  i          aegis_app.invoice;
  money      aegis_app.invoice_money;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice v WHERE v.tenant_id = tenant AND v.id = of_invoice;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  SELECT * INTO money FROM aegis_app.invoice_money m WHERE m.tenant_id = tenant AND m.invoice_id = of_invoice;
  RETURN aegis_app.ok(jsonb_build_object(
    'currency', i.currency, 'total_minor', i.total_minor::text, 'paid_minor', coalesce(money.paid_minor, 0)::text,
    'due_minor', aegis_app.payable_minor(i)::text,
    'unapplied_minor', (SELECT coalesce(sum(p.unapplied_minor), 0)::text FROM aegis_app.payment p
                         WHERE p.tenant_id = tenant AND p.invoice_id = of_invoice AND p.currency = i.currency), 'refunded_minor', coalesce(money.refunded_minor, 0)::text,
    'disputed_minor', coalesce(money.disputed_minor, 0)::text,
    'payments', (SELECT coalesce(jsonb_agg(aegis_app.payment_json(p) || jsonb_build_object('effects', aegis_app.effects_json(p), 'refunds', aegis_app.refunds_json(p))
                                           ORDER BY p.occurred_at, p.id), '[]')
                   FROM aegis_app.payment p WHERE p.tenant_id = tenant AND p.invoice_id = of_invoice),
    'matched', (SELECT coalesce(jsonb_agg(jsonb_build_object('payment_id', m.payment_id, 'amount_minor', m.amount_minor::text, 'matched_at', m.matched_at)
                                          ORDER BY m.matched_at), '[]')
                  FROM aegis_app.payment_match m WHERE m.tenant_id = tenant AND m.invoice_id = of_invoice)));
END $$;
COMMENT ON FUNCTION aegis_app.list_invoice_payments(aegis.request) IS 'GET /api/invoices/{id}/payments';

CREATE FUNCTION aegis_app.get_payment(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  p aegis_app.payment;
BEGIN
  SELECT * INTO p FROM aegis_app.payment q WHERE q.tenant_id = aegis.tenant_id() AND q.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such payment');
  END IF;
  RETURN aegis_app.ok(aegis_app.payment_json(p) || jsonb_build_object('effects', aegis_app.effects_json(p), 'verified_by', p.verified_by,
    'authorisation_code', p.authorisation_code, 'avs_result', p.avs_result, 'code_result', p.code_result, 'scrub_report', p.scrub_report,
    'response', p.response));
END $$;
COMMENT ON FUNCTION aegis_app.get_payment(aegis.request) IS 'GET /api/payments/{id}';
