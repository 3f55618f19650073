-- Webhooks: what providers say about payments, kept once each without card data, and handed to whoever settles.
-- Signature, projection and scrubbing are aegis's; docs/webhook.md.

CREATE TYPE aegis_app.provider_event AS (
  endpoint_id           uuid,
  provider              text,
  account               text,
  event_id              text,
  kind                  text,
  transaction_id        text,
  parent_transaction_id text,
  effect_reference      text,
  reference             text,
  amount_minor          bigint,
  currency              text,
  brand                 text,
  last_four             text,
  result_code           text,
  occurred_at           timestamptz,
  live                  boolean,
  document              jsonb
);
COMMENT ON TYPE aegis_app.provider_event IS
  'a provider''s message, the same for all providers: authorised, settled, failed, expired, voided, refunded, refund_failed, dispute_opened, dispute_won, dispute_lost, held or ignored';
COMMENT ON COLUMN aegis_app.provider_event.effect_reference IS 'the refund or dispute, where one payment may have several';
COMMENT ON COLUMN aegis_app.provider_event.reference IS 'what our checkout gave the provider';
COMMENT ON COLUMN aegis_app.provider_event.document IS 'what is left of the message after projection and scrubbing';

CREATE TABLE aegis_app.webhook_event (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  id           uuid NOT NULL DEFAULT gen_random_uuid(),
  endpoint_id  uuid NOT NULL,
  provider     text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  account      text NOT NULL CHECK (aegis.is_free_of_card_data(account)),
  event_id     text CHECK (event_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(event_id)),
  event_type   text CHECK (event_type ~ '^[A-Za-z][A-Za-z0-9_.-]{0,99}$' AND aegis.is_free_of_card_data(event_type)),
  kind         text CHECK (kind IN ('authorised', 'settled', 'failed', 'expired', 'voided', 'refunded', 'refund_failed', 'dispute_opened', 'dispute_won',
                                    'dispute_lost', 'held', 'ignored')),
  state        text NOT NULL CHECK (state IN ('received', 'applied', 'duplicate', 'ignored', 'unmatched', 'unapplied', 'conflict', 'quarantined')),
  reason       text CHECK (reason ~ '^[a-z_]{1,40}$'),
  live         boolean NOT NULL,
  key_id       text NOT NULL CHECK (key_id ~ '^[0-9a-f-]{36}[.][0-9]{1,9}$'),
  body_digest  bytea NOT NULL CHECK (octet_length(body_digest) = 32),
  body_bytes   integer NOT NULL,
  document     jsonb CHECK (aegis.is_free_of_card_data(document)),
  received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  processed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  -- One message of a provider counts once, whoever sends it how often.
  UNIQUE (tenant_id, provider, account, event_id),
  -- Of what cannot be trusted to be free of card data, nothing but its size and digest is kept.
  CHECK (state <> 'quarantined' OR document IS NULL OR reason = 'unreadable'),
  CHECK (state = 'quarantined' OR event_id IS NOT NULL)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.webhook_event', '');
COMMENT ON TABLE aegis_app.webhook_event IS 'messages of payment providers, without card data';
COMMENT ON COLUMN aegis_app.webhook_event.body_digest IS 'HMAC of the body under a key of the tenant: a bare hash of a card number can be guessed';
COMMENT ON COLUMN aegis_app.webhook_event.key_id IS 'which secret of the endpoint signed it';

SELECT aegis.protect_table('aegis_app.webhook_event');
-- Rows that a webhook wrote belong to nobody and to the root team: managers of it would read them with SQL, but not on the page.
CREATE POLICY admins_alone ON aegis_app.webhook_event AS RESTRICTIVE FOR SELECT
  USING (aegis.rank() = 4 OR aegis.auth_method() IN ('webhook', 'job'));

CREATE INDEX webhook_event_quarantined ON aegis_app.webhook_event (tenant_id, body_digest) WHERE state = 'quarantined';
CREATE INDEX webhook_event_newest ON aegis_app.webhook_event (tenant_id, received_at DESC, id DESC);

-- A member of a tenant could otherwise write down that a provider said something.
CREATE FUNCTION aegis_app.require_webhook() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- A dump or a move that brings rows along has no context, or a job's; and what a message became is known later than the message.
  IF coalesce(aegis.auth_method(), 'job') = 'job' OR TG_OP = 'UPDATE' AND pg_has_role(current_user, 'aegis_owner', 'USAGE') THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' AND (NEW.endpoint_id IS DISTINCT FROM (aegis.verified_webhook()).endpoint_id)
     OR TG_OP = 'UPDATE' AND (aegis.verified_webhook()).endpoint_id IS NULL AND aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied for what providers sent',
      HINT = 'It comes from a verified webhook; admins have it processed again.';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.require_webhook() IS 'lets only a verified webhook write down what its provider sent';
CREATE TRIGGER require_webhook BEFORE INSERT OR UPDATE ON aegis_app.webhook_event FOR EACH ROW
  EXECUTE FUNCTION aegis_app.require_webhook();

SELECT aegis.declare_event('webhook.received', 'a message of a payment provider was taken',
                           '{"provider": "clear required", "type": "clear", "state": "clear required", "reason": "clear", "key_id": "clear required", "body_bytes": "clear required"}');
SELECT aegis.declare_event('webhook.duplicate', 'a message of a payment provider came again', '{"provider": "clear required"}');
SELECT aegis.declare_event('webhook.conflict', 'a message came again under the same id with other content', '{"provider": "clear required"}');
SELECT aegis.declare_event('webhook.quarantined', 'a signed message could not be taken; what is kept of it says nothing of its content',
                           '{"provider": "clear required", "reason": "clear required", "body_bytes": "clear required"}');
SELECT aegis.declare_event('webhook.reprocessed', 'an admin had a message processed again',
                           '{"provider": "clear required", "from": "clear required", "state": "clear required"}');
SELECT aegis.declare_event('pci.verifier_rejected', 'the verifier found card data in what the scrubber had left', '{"provider": "clear required"}');

-- How many digits of a currency a provider leaves out: each has exceptions of its own.
CREATE FUNCTION aegis_app.provider_exponent(provider text, currency text) RETURNS integer
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE
    WHEN provider = 'authorize_net' THEN 0
    WHEN provider = 'stripe' AND currency IN ('ISK', 'UGX') THEN 2
    WHEN provider = 'stripe' AND currency = 'MGA' THEN 0
    WHEN provider = 'adyen' AND currency IN ('CLP', 'ISK') THEN 2
    WHEN provider = 'adyen' AND currency IN ('CVE', 'IDR') THEN 0
    ELSE aegis_app.iso_exponent(currency) END;
COMMENT ON FUNCTION aegis_app.provider_exponent(text, text) IS
  'digits behind the point that a provider leaves out of its amounts; 0 where it writes the point';

CREATE FUNCTION aegis_app.provider_minor(provider text, currency text, amount text) RETURNS bigint
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  minor numeric;
BEGIN
  -- Money that goes the other way is another kind of event, never a negative amount.
  IF amount !~ '^[0-9]{1,12}([.][0-9]{1,4})?$' OR aegis_app.iso_exponent(currency) IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'an amount or its currency cannot be read';
  END IF;
  minor := amount::numeric * 10::numeric ^ (aegis_app.iso_exponent(currency) - aegis_app.provider_exponent(provider, currency));
  IF minor <> trunc(minor) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'an amount has more digits than its currency';
  END IF;
  RETURN minor::bigint;
END $$;
COMMENT ON FUNCTION aegis_app.provider_minor(text, text, text) IS 'a provider''s amount in minor units of ISO 4217, exactly or an error';

-- What providers say ------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.instant(value text) RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  -- Without a zone it is UTC, whatever the session's is.
  AS $$ SELECT CASE WHEN value ~ '^[0-9]+$' THEN to_timestamp(value::double precision)
                    WHEN value ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' THEN value::timestamptz
                    ELSE value::timestamp AT TIME ZONE 'UTC' END $$;
COMMENT ON FUNCTION aegis_app.instant(text) IS 'a time of a provider: seconds since 1970, or ISO 8601';

-- Id, type, account and mode of a message, from the body as it came: they decide whether and how the rest is looked at.
CREATE FUNCTION aegis_app.webhook_envelope(provider text, message_id text, body jsonb, OUT event_id text, OUT event_type text,
                                           OUT account text, OUT live boolean)
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  item jsonb;
BEGIN
  CASE provider
    WHEN 'stripe' THEN
      event_id := body ->> 'id'; event_type := body ->> 'type'; account := body ->> 'account';
      live := CASE jsonb_typeof(body -> 'livemode') WHEN 'boolean' THEN (body ->> 'livemode')::boolean END;
    WHEN 'authorize_net' THEN
      event_id := body ->> 'notificationId'; event_type := body ->> 'eventType';
    WHEN 'adyen' THEN
      item := body #> '{notificationItems,0,NotificationRequestItem}';
      event_type := item ->> 'eventCode'; account := item ->> 'merchantAccountCode';
      event_id := event_type || '.' || (item ->> 'pspReference') || '.' || (item ->> 'success');
      live := CASE body ->> 'live' WHEN 'true' THEN true WHEN 'false' THEN false END;
    ELSE
      event_id := message_id; event_type := body ->> 'type'; account := body #>> '{data,account}';
      live := CASE body #>> '{data,live}' WHEN 'true' THEN true WHEN 'false' THEN false END;
  END CASE;
END $$;
COMMENT ON FUNCTION aegis_app.webhook_envelope(text, text, jsonb) IS 'which message it is, of which account, real or for tests';

CREATE FUNCTION aegis_app.stripe_event(INOUT event aegis_app.provider_event, event_type text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  thing jsonb := coalesce(event.document #> '{data,object}', '{}');
  status text := thing ->> 'status';
  amount text := thing ->> 'amount';
BEGIN
  event.occurred_at := aegis_app.instant(event.document ->> 'created');
  event.reference := coalesce(thing ->> 'client_reference_id', thing #>> '{metadata,aegis_reference}');
  event.transaction_id := coalesce(thing ->> 'payment_intent', thing ->> 'id');
  event.currency := upper(thing ->> 'currency');
  event.brand := thing #>> '{payment_method_details,card,brand}';
  event.last_four := thing #>> '{payment_method_details,card,last4}';
  event.result_code := coalesce(thing #>> '{last_payment_error,decline_code}', thing #>> '{last_payment_error,code}', thing ->> 'failure_code', thing ->> 'failure_reason');
  event.kind := CASE event_type
    -- The browser came back; the money may still be on its way.
    WHEN 'checkout.session.completed' THEN CASE WHEN thing ->> 'payment_status' = 'paid' THEN 'settled' ELSE 'ignored' END
    WHEN 'checkout.session.async_payment_succeeded' THEN 'settled'
    WHEN 'checkout.session.async_payment_failed' THEN 'failed'
    WHEN 'checkout.session.expired' THEN 'expired'
    WHEN 'payment_intent.amount_capturable_updated' THEN 'authorised'
    WHEN 'payment_intent.succeeded' THEN 'settled'
    WHEN 'payment_intent.payment_failed' THEN 'failed'
    WHEN 'payment_intent.canceled' THEN 'voided'
    WHEN 'charge.succeeded' THEN CASE WHEN thing ->> 'captured' = 'true' AND thing ->> 'paid' = 'true' THEN 'settled' ELSE 'authorised' END
    WHEN 'refund.created' THEN CASE status WHEN 'succeeded' THEN 'refunded' WHEN 'failed' THEN 'refund_failed' WHEN 'canceled' THEN 'refund_failed' ELSE 'ignored' END
    WHEN 'refund.updated' THEN CASE status WHEN 'succeeded' THEN 'refunded' WHEN 'failed' THEN 'refund_failed' WHEN 'canceled' THEN 'refund_failed' ELSE 'ignored' END
    WHEN 'charge.refund.updated' THEN CASE status WHEN 'succeeded' THEN 'refunded' WHEN 'failed' THEN 'refund_failed' WHEN 'canceled' THEN 'refund_failed' ELSE 'ignored' END
    WHEN 'refund.failed' THEN 'refund_failed'
    WHEN 'charge.dispute.created' THEN 'dispute_opened'
    WHEN 'charge.dispute.closed' THEN CASE status WHEN 'won' THEN 'dispute_won' WHEN 'lost' THEN 'dispute_lost' ELSE 'ignored' END
    ELSE 'ignored' END;
  IF event_type LIKE 'checkout.session.%' THEN
    amount := thing ->> 'amount_total';
  ELSIF event_type = 'payment_intent.succeeded' THEN
    amount := coalesce(thing ->> 'amount_received', amount);
  ELSIF event_type = 'payment_intent.amount_capturable_updated' THEN
    amount := coalesce(thing ->> 'amount_capturable', amount);
  ELSIF event.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost') THEN
    event.effect_reference := thing ->> 'id';
    event.parent_transaction_id := event.transaction_id;
  END IF;
  IF event.kind <> 'ignored' THEN
    event.amount_minor := aegis_app.provider_minor('stripe', event.currency, amount);
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.stripe_event(aegis_app.provider_event, text) IS 'what a message of Stripe says';

CREATE FUNCTION aegis_app.authorize_net_event(INOUT event aegis_app.provider_event, event_type text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  thing jsonb := coalesce(event.document -> 'payload', '{}');
  approved text;
BEGIN
  event.occurred_at := aegis_app.instant(event.document ->> 'eventDate');
  event.reference := coalesce(thing ->> 'merchantReferenceId', thing ->> 'invoiceNumber');
  event.transaction_id := thing ->> 'id';
  event.result_code := thing ->> 'responseCode';
  approved := CASE event_type
    WHEN 'net.authorize.payment.authorization.created' THEN 'authorised'
    WHEN 'net.authorize.payment.authcapture.created' THEN 'settled'
    WHEN 'net.authorize.payment.capture.created' THEN 'settled'
    WHEN 'net.authorize.payment.priorAuthCapture.created' THEN 'settled'
    WHEN 'net.authorize.payment.refund.created' THEN 'refunded'
    WHEN 'net.authorize.payment.void.created' THEN 'voided'
    WHEN 'net.authorize.payment.fraud.approved' THEN 'settled' END;
  event.kind := CASE
    WHEN event_type = 'net.authorize.payment.fraud.held' THEN 'held'
    WHEN event_type = 'net.authorize.payment.fraud.declined' THEN 'failed'
    WHEN approved IS NULL THEN 'ignored'
    WHEN event.result_code = '1' THEN approved
    WHEN event.result_code = '4' THEN 'held'  -- for review: not paid
    WHEN event.result_code IN ('2', '3') THEN 'failed'
    ELSE 'ignored' END;
  IF event.kind = 'refunded' THEN
    -- A refund is a transaction of its own, and the message does not name the one that it returns.
    event.effect_reference := event.transaction_id;
  END IF;
  -- The currency is the account's: the message names none.
  IF event.kind <> 'ignored' AND thing ->> 'authAmount' IS NOT NULL THEN
    event.amount_minor := aegis_app.provider_minor('authorize_net', event.currency, thing ->> 'authAmount');
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.authorize_net_event(aegis_app.provider_event, text) IS 'what a message of Authorize.Net says';

CREATE FUNCTION aegis_app.adyen_event(INOUT event aegis_app.provider_event, event_type text, manual_capture boolean)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  thing jsonb := coalesce(event.document #> '{notificationItems,0,NotificationRequestItem}', '{}');
  done boolean := thing ->> 'success' = 'true';
BEGIN
  event.occurred_at := aegis_app.instant(thing ->> 'eventDate');
  event.reference := thing ->> 'merchantReference';
  event.parent_transaction_id := thing ->> 'originalReference';
  event.transaction_id := coalesce(event.parent_transaction_id, thing ->> 'pspReference');
  event.currency := thing #>> '{amount,currency}';
  -- Nobody signed these two; they are shown and decide nothing.
  event.brand := thing ->> 'paymentMethod';
  event.last_four := thing #>> '{additionalData,cardSummary}';
  event.kind := CASE event_type
    WHEN 'AUTHORISATION' THEN CASE WHEN NOT done THEN 'failed' WHEN manual_capture THEN 'authorised' ELSE 'settled' END
    WHEN 'CAPTURE' THEN CASE WHEN done THEN 'settled' ELSE 'failed' END
    WHEN 'CAPTURE_FAILED' THEN 'failed'
    WHEN 'CANCELLATION' THEN CASE WHEN done THEN 'voided' ELSE 'ignored' END
    WHEN 'REFUND' THEN CASE WHEN done THEN 'refunded' ELSE 'refund_failed' END
    WHEN 'REFUND_FAILED' THEN 'refund_failed'
    WHEN 'REFUNDED_REVERSED' THEN 'refund_failed'
    WHEN 'NOTIFICATION_OF_CHARGEBACK' THEN 'dispute_opened'
    WHEN 'CHARGEBACK' THEN 'dispute_lost'
    WHEN 'SECOND_CHARGEBACK' THEN 'dispute_lost'
    WHEN 'CHARGEBACK_REVERSED' THEN 'dispute_won'
    WHEN 'OFFER_CLOSED' THEN 'expired'
    ELSE 'ignored' END;
  IF event.kind IN ('refunded', 'refund_failed', 'dispute_opened', 'dispute_won', 'dispute_lost') THEN
    event.effect_reference := thing ->> 'pspReference';
  END IF;
  IF event.kind <> 'ignored' AND thing #>> '{amount,value}' IS NOT NULL THEN
    event.amount_minor := aegis_app.provider_minor('adyen', event.currency, thing #>> '{amount,value}');
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.adyen_event(aegis_app.provider_event, text, boolean) IS 'what a message of Adyen says';

-- Providers of one's own say it in these words.
CREATE FUNCTION aegis_app.standard_event(INOUT event aegis_app.provider_event, event_type text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  thing jsonb := coalesce(event.document -> 'data', '{}');
BEGIN
  event.occurred_at := aegis_app.instant(event.document ->> 'timestamp');
  event.reference := thing ->> 'reference';
  event.transaction_id := thing ->> 'transaction_id';
  event.parent_transaction_id := thing ->> 'parent_transaction_id';
  event.effect_reference := thing ->> 'effect_reference';
  event.currency := coalesce(thing ->> 'currency', event.currency);
  event.brand := thing ->> 'brand';
  event.last_four := thing ->> 'last_four';
  event.result_code := thing ->> 'result_code';
  event.kind := CASE WHEN event_type IN ('payment.authorised', 'payment.settled', 'payment.failed', 'payment.expired', 'payment.voided',
    'payment.refunded', 'payment.refund_failed', 'payment.dispute_opened', 'payment.dispute_won', 'payment.dispute_lost', 'payment.held')
    THEN split_part(event_type, '.', 2) ELSE 'ignored' END;
  IF event.kind <> 'ignored' AND thing ->> 'amount_minor' IS NOT NULL THEN
    event.amount_minor := aegis_app.provider_minor('standard', event.currency, thing ->> 'amount_minor');
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.standard_event(aegis_app.provider_event, text) IS 'what a message in Standard Webhooks says';

CREATE FUNCTION aegis_app.webhook_says(stored aegis_app.webhook_event, currency text, manual_capture boolean) RETURNS aegis_app.provider_event
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  event aegis_app.provider_event;
BEGIN
  event.endpoint_id := stored.endpoint_id;
  event.provider := stored.provider;
  event.account := stored.account;
  event.event_id := stored.event_id;
  event.live := stored.live;
  event.document := stored.document;
  event.currency := webhook_says.currency;
  CASE stored.provider
    WHEN 'stripe' THEN event := aegis_app.stripe_event(event, stored.event_type);
    WHEN 'authorize_net' THEN event := aegis_app.authorize_net_event(event, stored.event_type);
    WHEN 'adyen' THEN event := aegis_app.adyen_event(event, stored.event_type, webhook_says.manual_capture);
    ELSE event := aegis_app.standard_event(event, stored.event_type);
  END CASE;
  IF event.kind <> 'ignored' AND event.transaction_id IS NULL AND event.reference IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a message names no payment';
  END IF;
  RETURN event;
END $$;
COMMENT ON FUNCTION aegis_app.webhook_says(aegis_app.webhook_event, text, boolean) IS 'a stored message in the words that are the same for all providers';

-- Reads what is stored and says which state follows. An error of effects is everybody's: it undoes the message as well, and the
-- provider sends it again.
CREATE FUNCTION aegis_app.process_webhook(INOUT stored aegis_app.webhook_event, currency text, manual_capture boolean)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  event aegis_app.provider_event;
BEGIN
  BEGIN
    event := aegis_app.webhook_says(stored, currency, manual_capture);
  EXCEPTION WHEN data_exception OR case_not_found THEN
    stored.state := 'quarantined';
    stored.reason := 'unreadable';
    RETURN;
  END;
  stored.kind := event.kind;
  stored.reason := NULL;
  stored.state := aegis_app.apply_payment_event(event);
  stored.processed_at := clock_timestamp();
END $$;
COMMENT ON FUNCTION aegis_app.process_webhook(aegis_app.webhook_event, text, boolean) IS 'what follows from a stored message';

-- Taking them -------------------------------------------------------------------------------------

-- Without the id of its event, so that the message is taken when it comes again and the cause is gone; once, however often it comes.
CREATE FUNCTION aegis_app.quarantine_webhook(w aegis.webhook, reason text, event_type text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  INSERT INTO aegis_app.webhook_event (endpoint_id, provider, account, event_type, state, reason, live, key_id, body_digest, body_bytes, processed_at)
  SELECT w.endpoint_id, w.provider, w.account, quarantine_webhook.event_type, 'quarantined', quarantine_webhook.reason,
         w.live, w.key_id, w.body_digest, w.body_bytes, clock_timestamp()
   WHERE NOT EXISTS (SELECT FROM aegis_app.webhook_event e
                      WHERE e.tenant_id = aegis.tenant_id() AND e.body_digest = w.body_digest AND e.state = 'quarantined')
  RETURNING id INTO made;
  PERFORM aegis.record('webhook.quarantined', 'webhook', coalesce(made::text, 'again'), 'failure',
                       jsonb_build_object('provider', w.provider, 'reason', reason, 'body_bytes', w.body_bytes));
END $$;
COMMENT ON FUNCTION aegis_app.quarantine_webhook(aegis.webhook, text, text) IS 'notes that a signed message could not be taken, and nothing of what it says';

-- The same message again, or another under its id.
CREATE FUNCTION aegis_app.repeated_webhook(w aegis.webhook, event_id text, document jsonb) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before aegis_app.webhook_event;
BEGIN
  SELECT * INTO STRICT before FROM aegis_app.webhook_event e
   WHERE e.tenant_id = aegis.tenant_id() AND e.provider = w.provider AND e.account = w.account AND e.event_id = repeated_webhook.event_id;
  -- Providers count deliveries inside their messages: what is dropped does not make another message of it.
  IF before.body_digest = w.body_digest OR before.document = repeated_webhook.document THEN
    PERFORM aegis.record('webhook.duplicate', 'webhook', event_id, detail => jsonb_build_object('provider', w.provider));
    RETURN aegis_app.ok('{"received": true}');
  END IF;
  PERFORM aegis.record('webhook.conflict', 'webhook', event_id, 'failure', jsonb_build_object('provider', w.provider));
  RETURN aegis_app.problem(409, 'conflict', 'The request conflicts with what is stored');
END $$;
COMMENT ON FUNCTION aegis_app.repeated_webhook(aegis.webhook, text, jsonb) IS 'answers a message whose id was there before';

-- As aegis_owner: nobody of a tenant writes the table, and a verified webhook is what lets in.
CREATE FUNCTION aegis_app.take_webhook(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w aegis.webhook := aegis.verified_webhook();
  envelope record;
  stored aegis_app.webhook_event;
  other_mode boolean;
BEGIN
  IF w.endpoint_id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied for what providers sent',
      HINT = 'It comes from a verified webhook.';
  END IF;
  IF jsonb_typeof(request.body) IS DISTINCT FROM 'object' THEN
    PERFORM aegis_app.quarantine_webhook(w, 'malformed');
    RETURN aegis_app.problem(400, 'malformed-body', 'The body is not well-formed JSON');
  END IF;
  envelope := aegis_app.webhook_envelope(w.provider, w.message_id, request.body);
  IF envelope.event_id IS NULL OR envelope.event_id !~ '^[A-Za-z0-9_.:-]{1,200}$' OR NOT aegis.is_free_of_card_data(envelope.event_id)
     OR envelope.event_type IS NULL OR envelope.event_type !~ '^[A-Za-z][A-Za-z0-9_.-]{0,99}$' OR NOT aegis.is_free_of_card_data(envelope.event_type) THEN
    PERFORM aegis_app.quarantine_webhook(w, 'no_event');
    RETURN aegis_app.problem(400, 'malformed-body', 'The body names no event');
  END IF;
  -- Signed with a secret of this endpoint, about an account that is not the endpoint's.
  IF envelope.account IS NOT NULL AND envelope.account <> w.account THEN
    PERFORM aegis_app.quarantine_webhook(w, 'account');
    RETURN aegis_app.problem(404, 'not-found', 'Not found');
  END IF;
  other_mode := envelope.live IS DISTINCT FROM w.live AND envelope.live IS NOT NULL;
  stored.endpoint_id := w.endpoint_id;
  stored.provider := w.provider;
  stored.account := w.account;
  stored.event_id := envelope.event_id;
  stored.event_type := envelope.event_type;
  stored.live := coalesce(envelope.live, w.live);
  stored.document := CASE WHEN NOT other_mode THEN aegis.scrub_payload(w.provider, envelope.event_type, request.body) END;
  IF NOT aegis.is_free_of_card_data(stored.document) THEN
    PERFORM aegis.record('pci.verifier_rejected', 'webhook', stored.event_id, 'failure', jsonb_build_object('provider', w.provider));
    PERFORM aegis_app.quarantine_webhook(w, 'card_data', stored.event_type);
    RETURN aegis_app.ok('{"received": true}');
  END IF;
  IF other_mode THEN
    stored.state := 'ignored';
    stored.reason := CASE WHEN w.live THEN 'test_mode' ELSE 'live_mode' END;
    stored.processed_at := clock_timestamp();
  ELSE
    stored.state := 'received';
  END IF;
  -- First come, first served: of two at once the second waits here until the first is through.
  INSERT INTO aegis_app.webhook_event (endpoint_id, provider, account, event_id, event_type, state, reason, live, key_id, body_digest, body_bytes,
                                       document, processed_at)
  VALUES (stored.endpoint_id, stored.provider, stored.account, stored.event_id, stored.event_type, stored.state, stored.reason, stored.live,
          w.key_id, w.body_digest, w.body_bytes, stored.document, stored.processed_at)
  ON CONFLICT ON CONSTRAINT webhook_event_tenant_id_provider_account_event_id_key DO NOTHING
  RETURNING id INTO stored.id;
  IF stored.id IS NULL THEN
    RETURN aegis_app.repeated_webhook(w, stored.event_id, stored.document);
  END IF;
  IF NOT other_mode THEN
    stored := aegis_app.process_webhook(stored, w.currency, w.manual_capture);
    UPDATE aegis_app.webhook_event e
       SET state = stored.state, reason = stored.reason, kind = stored.kind, processed_at = stored.processed_at
     WHERE e.tenant_id = aegis.tenant_id() AND e.id = stored.id;
  END IF;
  PERFORM aegis.record('webhook.received', 'webhook', stored.event_id,
                       detail => jsonb_strip_nulls(jsonb_build_object('provider', w.provider, 'type', stored.event_type, 'state', stored.state,
                                                                      'reason', stored.reason, 'key_id', w.key_id, 'body_bytes', w.body_bytes)));
  RETURN aegis_app.ok('{"received": true}');
END $$;
COMMENT ON FUNCTION aegis_app.take_webhook(aegis.request) IS 'keeps a verified webhook and processes it; refuses whatever else it is called for';

CREATE FUNCTION aegis_app.receive_webhook(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.take_webhook(request);
END $$;
COMMENT ON FUNCTION aegis_app.receive_webhook(aegis.request) IS 'POST /api/webhooks/{provider}/{endpoint}: the body is verified before this runs';

-- For admins --------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.webhook_json(e aegis_app.webhook_event) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', e.id, 'endpoint_id', e.endpoint_id, 'provider', e.provider, 'account', e.account, 'event_id', e.event_id,
    'event_type', e.event_type, 'kind', e.kind, 'state', e.state, 'reason', e.reason, 'live', e.live, 'key_id', e.key_id,
    'body_bytes', e.body_bytes, 'received_at', e.received_at, 'processed_at', e.processed_at);
COMMENT ON FUNCTION aegis_app.webhook_json(aegis_app.webhook_event) IS 'a message of a provider as lists show it';

-- The functions behind the routes ask again.
CREATE FUNCTION aegis_app.require_admin() RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only admins may see what providers sent';
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.require_admin() IS 'raises unless the caller is an admin of the tenant';

CREATE FUNCTION aegis_app.list_webhook_events(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
<<list_webhook_events>>
DECLARE
  most   integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 50);
  after  uuid := aegis_app.uuid_field(request.query, 'after');
  state  text := request.query ->> 'state';
  tenant uuid := aegis.tenant_id();
BEGIN
  PERFORM aegis_app.require_admin();
  RETURN aegis_app.ok(jsonb_build_object('events', (
    SELECT coalesce(jsonb_agg(aegis_app.webhook_json(e) ORDER BY e.received_at DESC, e.id DESC), '[]')
      FROM (SELECT * FROM aegis_app.webhook_event r
             WHERE r.tenant_id = tenant AND (list_webhook_events.state IS NULL OR r.state = list_webhook_events.state)
               AND (list_webhook_events.after IS NULL OR (r.received_at, r.id) <
                    (SELECT p.received_at, p.id FROM aegis_app.webhook_event p WHERE p.tenant_id = tenant AND p.id = list_webhook_events.after))
             ORDER BY r.received_at DESC, r.id DESC LIMIT most) e)));
END $$;
COMMENT ON FUNCTION aegis_app.list_webhook_events(aegis.request) IS 'GET /api/webhook-events';

CREATE FUNCTION aegis_app.get_webhook_event(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found aegis_app.webhook_event;
BEGIN
  PERFORM aegis_app.require_admin();
  SELECT * INTO found FROM aegis_app.webhook_event e
   WHERE e.tenant_id = aegis.tenant_id() AND e.id = aegis_app.uuid_of(request.params ->> 'id');
  IF found.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such message');
  END IF;
  RETURN aegis_app.ok(aegis_app.webhook_json(found) || jsonb_build_object('document', found.document));
END $$;
COMMENT ON FUNCTION aegis_app.get_webhook_event(aegis.request) IS 'GET /api/webhook-events/{id}: with what is kept of the message';

CREATE FUNCTION aegis_app.reprocess_message(message uuid) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found aegis_app.webhook_event;
  before text;
  place record;
BEGIN
  PERFORM aegis_app.require_admin();
  SELECT * INTO found FROM aegis_app.webhook_event e
   WHERE e.tenant_id = aegis.tenant_id() AND e.id = message FOR UPDATE;
  IF found.id IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such message');
  END IF;
  IF found.state NOT IN ('received', 'unmatched', 'quarantined') OR found.document IS NULL THEN
    RETURN aegis_app.problem(409, 'conflict', 'The message cannot be processed again',
      CASE WHEN found.document IS NULL THEN 'Nothing of it was kept. Have the provider send it again.'
           ELSE format('It is %s.', found.state) END);
  END IF;
  SELECT * INTO place FROM aegis.webhook_endpoints() p WHERE p.id = found.endpoint_id;
  before := found.state;
  found := aegis_app.process_webhook(found, place.currency, place.manual_capture);
  UPDATE aegis_app.webhook_event e
     SET state = found.state, reason = found.reason, kind = found.kind, processed_at = found.processed_at
   WHERE e.tenant_id = found.tenant_id AND e.id = found.id;
  PERFORM aegis.record('webhook.reprocessed', 'webhook', found.event_id,
                       detail => jsonb_build_object('provider', found.provider, 'from', before, 'state', found.state));
  RETURN aegis_app.ok(aegis_app.webhook_json(found));
END $$;
COMMENT ON FUNCTION aegis_app.reprocess_message(uuid) IS 'processes a message again that is kept; for admins';

CREATE FUNCTION aegis_app.reprocess_webhook_event(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.reprocess_message(aegis_app.uuid_of(request.params ->> 'id'));
END $$;
COMMENT ON FUNCTION aegis_app.reprocess_webhook_event(aegis.request) IS 'POST /api/webhook-events/{id}/reprocess';

CREATE FUNCTION aegis_app.list_webhook_endpoints(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('endpoints', (
    SELECT coalesce(jsonb_agg(to_jsonb(e) || jsonb_build_object('path', format('/api/webhooks/%s/%s', e.provider, e.id))), '[]')
      FROM aegis.webhook_endpoints() e)));
END $$;
COMMENT ON FUNCTION aegis_app.list_webhook_endpoints(aegis.request) IS 'GET /api/webhook-endpoints';

CREATE FUNCTION aegis_app.flag_field(body jsonb, field text, fallback boolean) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF body -> field IS NULL THEN
    RETURN fallback;
  ELSIF jsonb_typeof(body -> field) <> 'boolean' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be true or false', field);
  END IF;
  RETURN (body ->> field)::boolean;
END $$;
COMMENT ON FUNCTION aegis_app.flag_field(jsonb, text, boolean) IS 'true or false of a JSON field';

CREATE FUNCTION aegis_app.create_webhook_endpoint(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
  provider text := aegis_app.text_field(request.body, 'provider', 31);
BEGIN
  made := aegis.create_webhook_endpoint(provider, aegis_app.text_field(request.body, 'account', 128),
    aegis_app.text_field(request.body, 'secret', 256), aegis_app.flag_field(request.body, 'live', true),
    aegis_app.text_field(request.body, 'currency', 3, false), aegis_app.flag_field(request.body, 'manual_capture', false));
  RETURN aegis_app.ok(jsonb_build_object('id', made, 'path', format('/api/webhooks/%s/%s', provider, made)), 201);
END $$;
COMMENT ON FUNCTION aegis_app.create_webhook_endpoint(aegis.request) IS 'POST /api/webhook-endpoints';

CREATE FUNCTION aegis_app.add_webhook_secret(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('key_id', aegis.add_webhook_secret(
    aegis_app.uuid_of(request.params ->> 'id'), aegis_app.text_field(request.body, 'secret', 256),
    make_interval(secs => aegis_app.integer_field(request.body, 'overlap_seconds', 0, 2592000, 86400)))), 201);
END $$;
COMMENT ON FUNCTION aegis_app.add_webhook_secret(aegis.request) IS 'POST /api/webhook-endpoints/{id}/secrets';

CREATE FUNCTION aegis_app.disable_webhook_endpoint(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.disable_webhook_endpoint(aegis_app.uuid_of(request.params ->> 'id'));
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.disable_webhook_endpoint(aegis.request) IS 'DELETE /api/webhook-endpoints/{id}';
