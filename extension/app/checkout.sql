-- Checkouts: an invoice is paid on a page of a provider. The browser goes there and comes back, and neither settles
-- anything: webhooks do, and where they stay away, calls of ours that ask. docs/checkout.md.

CREATE TABLE aegis_app.checkout (
  tenant_id       uuid NOT NULL DEFAULT aegis.tenant_id(),
  id              uuid NOT NULL DEFAULT gen_random_uuid(),
  invoice_id      uuid NOT NULL,
  account_id      uuid NOT NULL,
  reference       text NOT NULL CHECK (reference ~ '^ag[a-p]{18}$'),
  invoice_version integer NOT NULL,
  amount_minor    bigint NOT NULL CHECK (amount_minor > 0),
  currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  status          text NOT NULL DEFAULT 'creating'
                  CHECK (status IN ('creating', 'open', 'unresolved', 'paid', 'failed', 'expired', 'cancelled', 'abandoned')),
  provider_checkout_id text CHECK (provider_checkout_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(provider_checkout_id)),
  hand_off        aegis.sealed_text,
  outbound_id     bigint,
  polls           integer NOT NULL DEFAULT 0,
  error           text CHECK (error ~ '^[A-Za-z0-9_.-]{1,60}$' AND aegis.is_free_of_card_data(error)),
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at      timestamptz NOT NULL,
  ended_at        timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, reference),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES aegis_app.provider_account (tenant_id, id),
  CHECK ((status IN ('creating', 'open', 'unresolved')) = (ended_at IS NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.checkout', '');
COMMENT ON TABLE aegis_app.checkout IS 'attempts to have an invoice paid on a page of a provider';
COMMENT ON COLUMN aegis_app.checkout.reference IS 'what the provider gives back with everything about it; opaque, and short enough for all of them';
COMMENT ON COLUMN aegis_app.checkout.hand_off IS 'how the payer''s browser gets to the page: an address, or a token that is posted';
-- The first of five barriers against paying twice.
CREATE UNIQUE INDEX checkout_live ON aegis_app.checkout (tenant_id, invoice_id) WHERE ended_at IS NULL;
SELECT aegis.protect_table('aegis_app.checkout', parent => 'aegis_app.invoice');
SELECT aegis.encrypt_column('aegis_app.checkout', 'hand_off', 'checkout.hand_off', 'aegis.sealed_text', 'full');

SELECT aegis.declare_event('payment.checkout.created', 'a checkout of an invoice was begun at a provider',
                           '{"provider": "clear required", "amount_minor": "clear required", "currency": "clear required", "forced": "clear required"}');
SELECT aegis.declare_event('payment.checkout.expired', 'a checkout ended without a payment', '{}');
SELECT aegis.declare_event('payment.checkout.failed', 'a provider made no page for a checkout', '{"code": "clear required"}');
SELECT aegis.declare_event('payment.checkout.abandoned', 'a manager let another attempt begin beside one whose end is not known', '{}');
SELECT aegis.declare_event('payment.checkout.cancelled', 'a checkout ended because nothing is to be paid any more', '{"status": "clear required"}');
SELECT aegis.declare_event('payment.attempt.unresolved', 'a checkout is over, and whether it was paid is not known', '{}');
SELECT aegis.declare_event('payment.attempt.resolved', 'what became of a checkout was found out by asking', '{"result": "clear required"}');

CREATE FUNCTION aegis_app.new_reference() RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  random    text;
  candidate text;
BEGIN
  LOOP
    random := replace(gen_random_uuid()::text, '-', '');
    -- Letters only: no run of digits that could be taken for something else.
    candidate := 'ag' || translate(left(random, 12) || right(random, 6), '0123456789abcdef', 'abcdefghijklmnop');
    EXIT WHEN NOT EXISTS (SELECT FROM aegis_app.checkout c WHERE c.tenant_id = aegis.tenant_id() AND c.reference = candidate);
  END LOOP;
  RETURN candidate;
END $$;
COMMENT ON FUNCTION aegis_app.new_reference() IS 'an opaque reference of 20 characters that no checkout of the tenant has; 72 random bits';

-- An attempt that never reached the provider, or whose time is over, is looked at before another begins.
CREATE FUNCTION aegis_app.age_checkout(c aegis_app.checkout) RETURNS aegis_app.checkout
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF c.status = 'creating' AND EXISTS (SELECT FROM aegis.outbox o WHERE o.id = c.outbound_id AND o.state IN ('dead', 'cancelled')) THEN
    -- No page was ever handed out, so nobody can have paid on one.
    UPDATE aegis_app.checkout k SET status = 'failed', error = 'not_reached', ended_at = clock_timestamp()
     WHERE k.tenant_id = c.tenant_id AND k.id = c.id RETURNING * INTO c;
    PERFORM aegis.record('payment.checkout.failed', 'checkout', c.id::text, 'failure', '{"code": "not_reached"}');
  ELSIF c.status = 'open' AND c.expires_at <= clock_timestamp() THEN
    UPDATE aegis_app.checkout k SET status = 'unresolved' WHERE k.tenant_id = c.tenant_id AND k.id = c.id RETURNING * INTO c;
    PERFORM aegis.record('payment.attempt.unresolved', 'checkout', c.id::text);
  END IF;
  RETURN c;
END $$;
COMMENT ON FUNCTION aegis_app.age_checkout(aegis_app.checkout) IS 'a live checkout as time has it';

-- What was given up can still be paid.
CREATE FUNCTION aegis_app.payable_minor(i aegis_app.invoice) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN i.status IN ('sent', 'partially_paid', 'uncollectible') THEN greatest(0, i.total_minor - i.applied_minor - i.credited_minor) ELSE 0 END;
COMMENT ON FUNCTION aegis_app.payable_minor(aegis_app.invoice) IS 'what a payer can be asked for';

CREATE FUNCTION aegis_app.begin_checkout(i aegis_app.invoice, a aegis_app.provider_account, amount text, forced boolean) RETURNS aegis_app.checkout
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  how  aegis.payment_provider;
  c    aegis_app.checkout;
  back text := a.return_url;
BEGIN
  -- Whoever begins on the page of an invoice comes back to it; the token of the link is told to nobody.
  IF aegis.auth_method() = 'link' AND current_setting('aegis.public_address') <> '' THEN
    back := current_setting('aegis.public_address') || '/invoice?back';
  END IF;
  SELECT p.* INTO STRICT how FROM aegis.payment_provider p WHERE p.name = a.provider;
  INSERT INTO aegis_app.checkout (invoice_id, account_id, reference, invoice_version, amount_minor, currency, expires_at)
  VALUES (i.id, a.id, aegis_app.new_reference(), i.version, aegis_app.payable_minor(i), i.currency, clock_timestamp() + how.lifetime)
  RETURNING * INTO c;
  UPDATE aegis_app.checkout k
     SET outbound_id = aegis_app.queue_call(a, 'create', c.id::text, 'create/' || c.id, jsonb_build_object(
           'reference', c.reference, 'amount', amount, 'currency', lower(c.currency), 'title', i.number, 'return_url', back,
           'expires_unix', extract(epoch FROM c.expires_at)::bigint::text,
           'return_options', jsonb_build_object('showReceipt', true, 'url', back, 'urlText', 'Continue', 'cancelUrl', back,
                                                'cancelUrlText', 'Cancel')::text), expires_at => c.expires_at)
   WHERE k.tenant_id = c.tenant_id AND k.id = c.id RETURNING * INTO c;
  PERFORM aegis.record('payment.checkout.created', 'checkout', c.id::text, detail => jsonb_build_object(
    'provider', a.provider, 'amount_minor', c.amount_minor, 'currency', c.currency, 'forced', forced));
  RETURN c;
END $$;
COMMENT ON FUNCTION aegis_app.begin_checkout(aegis_app.invoice, aegis_app.provider_account, text, boolean) IS
  'a new attempt for what is due of a locked invoice, and the call that makes its page';

CREATE FUNCTION aegis_app.start_checkout(invoice uuid, account uuid, forced boolean, OUT made aegis_app.checkout, OUT fresh boolean, OUT refusal text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  i      aegis_app.invoice;
  a      aegis_app.provider_account;
  amount text;
BEGIN
  fresh := false;
  SELECT * INTO i FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id = start_checkout.invoice FOR UPDATE;
  SELECT * INTO a FROM aegis_app.provider_account p WHERE p.tenant_id = aegis.tenant_id() AND p.id = start_checkout.account AND p.disabled_at IS NULL;
  refusal := CASE WHEN i.id IS NULL THEN 'not-found' WHEN a.id IS NULL THEN 'unknown-account'
                  WHEN aegis_app.payable_minor(i) = 0 THEN 'nothing-due'
                  WHEN NOT (SELECT p.names_currency FROM aegis.payment_provider p WHERE p.name = a.provider) AND a.currency <> i.currency THEN 'other-currency' END;
  IF refusal IS NOT NULL THEN
    RETURN;
  END IF;
  amount := aegis_app.provider_amount(a.provider, i.currency, aegis_app.payable_minor(i));
  IF amount IS NULL THEN
    refusal := 'amount-not-payable';
    RETURN;
  END IF;
  SELECT * INTO made FROM aegis_app.checkout c WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.ended_at IS NULL;
  IF FOUND THEN
    made := aegis_app.age_checkout(made);
    IF made.ended_at IS NOT NULL THEN
      NULL;
    ELSIF made.status IN ('creating', 'open') AND made.account_id = a.id AND made.amount_minor = aegis_app.payable_minor(i) AND NOT forced THEN
      RETURN;  -- the page that is there already
    ELSIF NOT forced THEN
      refusal := 'attempt-unresolved';
      RETURN;
    ELSE
      PERFORM aegis_app.require_manager();
      UPDATE aegis_app.checkout c SET status = 'abandoned', ended_at = clock_timestamp() WHERE c.tenant_id = made.tenant_id AND c.id = made.id;
      PERFORM aegis.record('payment.checkout.abandoned', 'checkout', made.id::text);
    END IF;
  END IF;
  made := aegis_app.begin_checkout(i, a, amount, forced);
  fresh := true;
END $$;
COMMENT ON FUNCTION aegis_app.start_checkout(uuid, uuid, boolean) IS
  'the live checkout of an invoice, or a new one; refused while what became of the last is not known, unless a manager forces it';

-- An invoice that takes no money any more has no page to pay it on. Where the page cannot be closed, or was paid on just before, the
-- money is real: it becomes unapplied.
CREATE FUNCTION aegis_app.close_checkout() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c aegis_app.checkout;
  a aegis_app.provider_account;
BEGIN
  UPDATE aegis_app.checkout k SET status = 'cancelled', ended_at = clock_timestamp()
   WHERE k.tenant_id = NEW.tenant_id AND k.invoice_id = NEW.id AND k.ended_at IS NULL RETURNING * INTO c;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM aegis.record('payment.checkout.cancelled', 'checkout', c.id::text, detail => jsonb_build_object('status', NEW.status));
  SELECT * INTO a FROM aegis_app.provider_account p WHERE p.tenant_id = c.tenant_id AND p.id = c.account_id;
  IF c.provider_checkout_id IS NOT NULL AND (SELECT p.calls ? 'expire' FROM aegis.payment_provider p WHERE p.name = a.provider) THEN
    PERFORM aegis_app.queue_call(a, 'expire', c.id::text, 'expire/' || c.id, jsonb_build_object('provider_checkout_id', c.provider_checkout_id));
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION aegis_app.close_checkout() IS 'ends the live checkout of an invoice that was paid otherwise, cancelled or voided, at the provider as well';

CREATE TRIGGER close_checkout AFTER UPDATE OF status ON aegis_app.invoice FOR EACH ROW
  WHEN (NEW.status IN ('cancelled', 'void', 'paid') AND OLD.status <> NEW.status) EXECUTE FUNCTION aegis_app.close_checkout();

-- 5 minutes, an hour, then a day five times.
CREATE FUNCTION aegis_app.queue_poll(a aegis_app.provider_account, c aegis_app.checkout) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  delay interval := (ARRAY['5 min', '1 h', '1 day', '1 day', '1 day', '1 day', '1 day']::interval[])[c.polls + 1];
BEGIN
  IF delay IS NOT NULL THEN
    PERFORM aegis_app.queue_call(a, 'poll', c.id::text, format('poll/%s/%s', c.id, c.polls), jsonb_strip_nulls(jsonb_build_object(
      'reference', c.reference, 'provider_checkout_id', c.provider_checkout_id)), not_before => clock_timestamp() + delay,
      expires_at => clock_timestamp() + delay + interval '1 day');
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.queue_poll(aegis_app.provider_account, aegis_app.checkout) IS 'has the provider asked what became of a checkout, later each time';

-- Answers -----------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.take_create(a aegis_app.provider_account, call jsonb, checkout uuid, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  f jsonb := aegis_app.read_fields(call -> 'fields', said);
  c aegis_app.checkout;
  is_usable boolean := jsonb_path_exists(said, (call ->> 'good')::jsonpath);
BEGIN
  -- A payer's browser goes there by itself.
  IF is_usable AND (SELECT p.hand_off FROM aegis.payment_provider p WHERE p.name = a.provider) = 'redirect'
     AND coalesce(f ->> 'hand_off', '') !~ '^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!-~]*$' THEN
    is_usable := false;
    f := f || '{"error": "unusable_address"}';
  END IF;
  IF is_usable THEN
    UPDATE aegis_app.checkout k SET status = 'open', hand_off = f ->> 'hand_off', provider_checkout_id = f ->> 'provider_checkout_id'
     WHERE k.tenant_id = a.tenant_id AND k.id = take_create.checkout AND k.status = 'creating' RETURNING * INTO c;
    IF FOUND THEN
      PERFORM aegis_app.queue_poll(a, c);
    END IF;
    RETURN 'open';
  END IF;
  UPDATE aegis_app.checkout k
     SET status = 'failed', error = coalesce(aegis_app.code_of(f ->> 'error'), 'refused'), ended_at = clock_timestamp()
   WHERE k.tenant_id = a.tenant_id AND k.id = take_create.checkout AND k.status = 'creating' RETURNING * INTO c;
  IF FOUND THEN
    PERFORM aegis.record('payment.checkout.failed', 'checkout', c.id::text, 'failure', jsonb_build_object('code', c.error));
  END IF;
  RETURN 'failed';
END $$;
COMMENT ON FUNCTION aegis_app.take_create(aegis_app.provider_account, jsonb, uuid, jsonb) IS 'what a provider answered when a page was asked for';

CREATE FUNCTION aegis_app.give_up_checkout(checkout uuid, fault text) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- No page was ever handed out, so nobody can have paid on one.
  UPDATE aegis_app.checkout k SET status = 'failed', error = fault, ended_at = clock_timestamp()
   WHERE k.tenant_id = aegis.tenant_id() AND k.id = give_up_checkout.checkout AND k.status = 'creating';
  IF FOUND THEN
    PERFORM aegis.record('payment.checkout.failed', 'checkout', give_up_checkout.checkout::text, 'failure', jsonb_build_object('code', fault));
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.give_up_checkout(uuid, text) IS 'ends a checkout whose page could not be asked for';

CREATE FUNCTION aegis_app.take_poll(a aegis_app.provider_account, call jsonb, checkout uuid, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c     aegis_app.checkout;
  item  jsonb;
  event aegis_app.provider_event;
BEGIN
  SELECT * INTO STRICT c FROM aegis_app.checkout k WHERE k.tenant_id = a.tenant_id AND k.id = take_poll.checkout;
  FOR item IN SELECT * FROM jsonb_path_query(said, (call ->> 'items')::jsonpath, jsonb_build_object('reference', c.reference)) LOOP
    event := aegis_app.event_of_answer(a, call, item, c.reference);
    IF event.kind IS NOT NULL THEN
      PERFORM aegis_app.take_event(event);
    END IF;
  END LOOP;
  PERFORM FROM aegis_app.invoice v WHERE v.tenant_id = c.tenant_id AND v.id = c.invoice_id FOR UPDATE;
  UPDATE aegis_app.checkout k SET polls = k.polls + 1 WHERE k.tenant_id = c.tenant_id AND k.id = c.id RETURNING * INTO c;
  IF c.ended_at IS NULL THEN
    c := aegis_app.age_checkout(c);
    -- Whoever is asked an hour after the end and knows of nothing knows that there is nothing: what takes longer comes as a late payment.
    IF c.status = 'unresolved' AND c.expires_at <= clock_timestamp() - interval '45 min'
       AND NOT EXISTS (SELECT FROM aegis_app.payment p WHERE p.tenant_id = c.tenant_id AND p.checkout_id = c.id AND p.status IN ('authorised', 'held')) THEN
      UPDATE aegis_app.checkout k SET status = 'expired', ended_at = clock_timestamp() WHERE k.tenant_id = c.tenant_id AND k.id = c.id RETURNING * INTO c;
      PERFORM aegis.record('payment.checkout.expired', 'checkout', c.id::text);
    ELSE
      PERFORM aegis_app.queue_poll(a, c);
      RETURN c.status;
    END IF;
  END IF;
  PERFORM aegis.record('payment.attempt.resolved', 'checkout', c.id::text, detail => jsonb_build_object('result', c.status));
  RETURN c.status;
END $$;
COMMENT ON FUNCTION aegis_app.take_poll(aegis_app.provider_account, jsonb, uuid, jsonb) IS 'what a provider says became of a checkout';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.page_of(a aegis_app.provider_account) RETURNS jsonb
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT jsonb_build_object('method', CASE p.hand_off WHEN 'form' THEN 'POST' ELSE 'GET' END,
                                  'page', CASE WHEN p.hand_off = 'form' THEN CASE WHEN a.live THEN p.page ELSE p.test_page END END)
          FROM aegis.payment_provider p WHERE p.name = a.provider $$;
COMMENT ON FUNCTION aegis_app.page_of(aegis_app.provider_account) IS 'how a browser gets to the page of a checkout';

CREATE FUNCTION aegis_app.checkout_json(c aegis_app.checkout) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  a     aegis_app.provider_account;
  way   jsonb;
  token text;
BEGIN
  SELECT * INTO a FROM aegis_app.provider_account k WHERE k.tenant_id = c.tenant_id AND k.id = c.account_id;
  IF c.status = 'open' AND c.expires_at > clock_timestamp() THEN
    way := aegis_app.page_of(a);
    token := aegis.reveal(c.hand_off);
    way := jsonb_build_object('method', way ->> 'method', 'url', coalesce(way ->> 'page', token), 'token', CASE WHEN way ->> 'page' IS NOT NULL THEN token END);
  END IF;
  RETURN jsonb_build_object('id', c.id, 'invoice_id', c.invoice_id, 'account_id', c.account_id, 'provider', a.provider, 'status', c.status,
    'amount_minor', c.amount_minor::text, 'currency', c.currency, 'error', c.error, 'created_at', c.created_at, 'expires_at', c.expires_at,
    'ended_at', c.ended_at, 'go', way);
END $$;
COMMENT ON FUNCTION aegis_app.checkout_json(aegis_app.checkout) IS 'a checkout, and while it is open how a browser gets to its page';

CREATE FUNCTION aegis_app.refuse_checkout(refusal text) RETURNS aegis.response
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN CASE refusal
    WHEN 'not-found' THEN aegis_app.problem(404, 'not-found', 'No such invoice or payment')
    WHEN 'unknown-account' THEN aegis_app.problem(422, 'unknown-account', 'No such account at a provider')
    WHEN 'nothing-due' THEN aegis_app.problem(409, 'nothing-due', 'Nothing is to be paid of this invoice')
    WHEN 'other-currency' THEN aegis_app.problem(422, 'other-currency', 'The account takes another currency only')
    WHEN 'amount-not-payable' THEN aegis_app.problem(422, 'amount-not-payable', 'The provider cannot take exactly this amount')
    WHEN 'attempt-unresolved' THEN aegis_app.problem(409, 'attempt-unresolved', 'What became of the last attempt is not known yet',
      'It is being asked about. A manager can let another one begin with "force".')
    WHEN 'key-used' THEN aegis_app.problem(422, 'key-used', 'The Idempotency-Key belongs to another request')
    WHEN 'details-missing' THEN aegis_app.problem(409, 'details-missing', 'The provider is being asked for details that a refund needs', 'Try again in a minute.')
    ELSE aegis_app.problem(422, 'not-so-much', 'Not so much can be given back') END;
COMMENT ON FUNCTION aegis_app.refuse_checkout(text) IS 'why a checkout or refund was not begun';

CREATE FUNCTION aegis_app.post_checkout(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  PERFORM aegis_app.text_field(request.body, 'account_id', 36);  -- required
  step := aegis_app.start_checkout(aegis_app.uuid_of(request.params ->> 'id'), aegis_app.uuid_field(request.body, 'account_id'),
                                   coalesce((request.body -> 'force')::text = 'true', false));
  IF step.refusal IS NOT NULL THEN
    RETURN aegis_app.refuse_checkout(step.refusal);
  END IF;
  RETURN aegis_app.ok(aegis_app.checkout_json(step.made), CASE WHEN step.fresh THEN 201 ELSE 200 END,
                      jsonb_build_object('location', '/api/checkouts/' || (step.made).id));
END $$;
COMMENT ON FUNCTION aegis_app.post_checkout(aegis.request) IS 'POST /api/invoices/{id}/checkouts {account_id, force?}';

CREATE FUNCTION aegis_app.get_checkout(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c aegis_app.checkout;
BEGIN
  SELECT * INTO c FROM aegis_app.checkout k WHERE k.tenant_id = aegis.tenant_id() AND k.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such checkout');
  END IF;
  RETURN aegis_app.ok(aegis_app.checkout_json(c));
END $$;
COMMENT ON FUNCTION aegis_app.get_checkout(aegis.request) IS 'GET /api/checkouts/{id}';

CREATE FUNCTION aegis_app.list_checkouts(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_invoice uuid := aegis_app.uuid_of(request.params ->> 'id');
BEGIN
  IF NOT EXISTS (SELECT FROM aegis_app.invoice v WHERE v.tenant_id = aegis.tenant_id() AND v.id = of_invoice) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('checkouts', (
    SELECT coalesce(jsonb_agg(aegis_app.checkout_json(c) ORDER BY c.created_at DESC, c.id), '[]')
      FROM aegis_app.checkout c WHERE c.tenant_id = aegis.tenant_id() AND c.invoice_id = of_invoice)));
END $$;
COMMENT ON FUNCTION aegis_app.list_checkouts(aegis.request) IS 'GET /api/invoices/{id}/checkouts';
