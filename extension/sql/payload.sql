-- What may be kept of a provider's message: the scrubber's first layer. Everything that is not named here is dropped, whatever it
-- looks like. docs/payload.md.

CREATE TABLE aegis.payload_field (
  provider     text    COLLATE "C" NOT NULL REFERENCES aegis.webhook_provider (name),
  event        text    NOT NULL DEFAULT '%' CHECK (event <> ''),
  path         text[]  NOT NULL CHECK (pg_catalog.cardinality(path) >= 1 AND pg_catalog.cardinality(path) <= 8 AND pg_catalog.array_position(path, NULL) IS NULL),
  grammar      text    NOT NULL,
  reference    boolean NOT NULL DEFAULT false,
  by_extension boolean NOT NULL DEFAULT false,
  PRIMARY KEY (provider, event, path)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.payload_field', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.payload_field IS 'fields of messages that are kept, by provider: where each stands and what it may look like';
COMMENT ON COLUMN aegis.payload_field.event IS 'of which types of messages, as for LIKE';
COMMENT ON COLUMN aegis.payload_field.path IS 'keys from the root on; * is every element of an array';
COMMENT ON COLUMN aegis.payload_field.reference IS
  'the provider''s own reference: where its grammar fits it is put back when the second layer takes it for a card number';

-- No grammar has room for thirteen digits in a row, but that of Adyen's references, which no network issues.
CREATE FUNCTION aegis.fits_grammar(grammar text, value jsonb) RETURNS boolean
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE grammar
    WHEN 'boolean' THEN jsonb_typeof(value) = 'boolean' OR v.text IN ('true', 'false')
    WHEN 'amount' THEN jsonb_typeof(value) IN ('number', 'string') AND v.text ~ '^-?(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$'
    WHEN 'currency' THEN jsonb_typeof(value) = 'string' AND v.text ~ '^([A-Z]{3}|[a-z]{3})$'
    WHEN 'time' THEN jsonb_typeof(value) = 'number' AND v.text ~ '^[1-9][0-9]{8,9}$' OR jsonb_typeof(value) = 'string'
      AND v.text ~ '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.][0-9]{1,9})?(Z|[+-][0-2][0-9]:?[0-5][0-9])?$'
    WHEN 'last_four' THEN jsonb_typeof(value) = 'string' AND v.text ~ '^[0-9]{4}$'
    WHEN 'code' THEN jsonb_typeof(value) IN ('number', 'string') AND v.text ~ '^[A-Za-z0-9_.-]{1,12}$'
    WHEN 'word' THEN jsonb_typeof(value) = 'string' AND v.text ~ '^[A-Za-z][A-Za-z0-9_.-]{0,63}$' AND v.text !~ '[0-9]{5}'
    WHEN 'uuid' THEN jsonb_typeof(value) = 'string' AND v.text ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
    WHEN 'token' THEN jsonb_typeof(value) = 'string' AND v.text ~ '^[a-z]{2,12}_[A-Za-z0-9_]{4,255}$' AND v.text !~ '[0-9]{13}'
    WHEN 'number' THEN jsonb_typeof(value) IN ('number', 'string') AND v.text ~ '^[0-9]{1,12}$'
    WHEN 'psp_reference' THEN jsonb_typeof(value) = 'string'
      AND (v.text ~ '^8[0-9]{15}$' OR v.text ~ '^[A-Z0-9]{16}$' AND v.text !~ '[0-9]{13}')
    WHEN 'our_reference' THEN jsonb_typeof(value) = 'string' AND v.text ~ '^[A-Za-z0-9_-]{1,64}$' AND v.text !~ '[0-9]{13}'
    ELSE false END
    FROM (SELECT value #>> '{}' AS text) v
$$;
COMMENT ON FUNCTION aegis.fits_grammar(text, jsonb) IS 'whether a value of a message looks as its field may; false for an unknown grammar';

ALTER TABLE aegis.payload_field ADD CONSTRAINT payload_field_grammar
  CHECK (grammar IN ('amount', 'boolean', 'code', 'currency', 'last_four', 'number', 'our_reference', 'psp_reference', 'time', 'token', 'uuid', 'word'));

INSERT INTO aegis.payload_field (provider, event, path, grammar, reference, by_extension)
SELECT f.provider, f.event, string_to_array(f.path, '/'), f.grammar, f.reference, true FROM (VALUES
  ('stripe', '%', 'id', 'token', true),
  ('stripe', '%', 'object', 'word', false),
  ('stripe', '%', 'type', 'word', false),
  ('stripe', '%', 'created', 'time', false),
  ('stripe', '%', 'livemode', 'boolean', false),
  ('stripe', '%', 'account', 'token', true),
  ('stripe', '%', 'data/object/id', 'token', true),
  ('stripe', '%', 'data/object/object', 'word', false),
  ('stripe', '%', 'data/object/amount', 'amount', false),
  ('stripe', '%', 'data/object/currency', 'currency', false),
  ('stripe', '%', 'data/object/status', 'word', false),
  ('stripe', '%', 'data/object/payment_intent', 'token', true),
  ('stripe', '%', 'data/object/metadata/aegis_reference', 'our_reference', false),
  ('stripe', 'checkout.session.%', 'data/object/client_reference_id', 'our_reference', false),
  ('stripe', 'checkout.session.%', 'data/object/amount_total', 'amount', false),
  ('stripe', 'checkout.session.%', 'data/object/payment_status', 'word', false),
  ('stripe', 'payment_intent.%', 'data/object/amount_received', 'amount', false),
  ('stripe', 'payment_intent.%', 'data/object/amount_capturable', 'amount', false),
  ('stripe', 'payment_intent.%', 'data/object/latest_charge', 'token', true),
  ('stripe', 'payment_intent.%', 'data/object/last_payment_error/code', 'word', false),
  ('stripe', 'payment_intent.%', 'data/object/last_payment_error/decline_code', 'word', false),
  ('stripe', 'charge.%', 'data/object/paid', 'boolean', false),
  ('stripe', 'charge.%', 'data/object/captured', 'boolean', false),
  ('stripe', 'charge.%', 'data/object/failure_code', 'word', false),
  ('stripe', 'charge.%', 'data/object/outcome/network_status', 'word', false),
  ('stripe', 'charge.%', 'data/object/payment_method_details/type', 'word', false),
  ('stripe', 'charge.%', 'data/object/payment_method_details/card/brand', 'word', false),
  ('stripe', 'charge.%', 'data/object/payment_method_details/card/last4', 'last_four', false),
  ('stripe', 'charge.%', 'data/object/payment_method_details/card/checks/cvc_check', 'word', false),
  ('stripe', '%', 'data/object/charge', 'token', true),
  ('stripe', '%', 'data/object/reason', 'word', false),
  ('stripe', '%', 'data/object/failure_reason', 'word', false),
  ('authorize_net', '%', 'notificationId', 'uuid', true),
  ('authorize_net', '%', 'eventType', 'word', false),
  ('authorize_net', '%', 'eventDate', 'time', false),
  ('authorize_net', '%', 'webhookId', 'uuid', true),
  ('authorize_net', '%', 'payload/responseCode', 'code', false),
  ('authorize_net', '%', 'payload/authCode', 'code', false),
  ('authorize_net', '%', 'payload/avsResponse', 'code', false),
  ('authorize_net', '%', 'payload/authAmount', 'amount', false),
  ('authorize_net', '%', 'payload/invoiceNumber', 'our_reference', false),
  ('authorize_net', '%', 'payload/merchantReferenceId', 'our_reference', false),
  ('authorize_net', '%', 'payload/entityName', 'word', false),
  ('authorize_net', '%', 'payload/id', 'number', true),
  ('adyen', '%', 'live', 'boolean', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/pspReference', 'psp_reference', true),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/originalReference', 'psp_reference', true),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/merchantAccountCode', 'word', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/merchantReference', 'our_reference', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/eventCode', 'word', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/eventDate', 'time', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/success', 'boolean', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/paymentMethod', 'word', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/amount/value', 'amount', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/amount/currency', 'currency', false),
  ('adyen', '%', 'notificationItems/*/NotificationRequestItem/additionalData/cardSummary', 'last_four', false),
  ('standard', '%', 'type', 'word', false),
  ('standard', '%', 'timestamp', 'time', false),
  ('standard', '%', 'data/account', 'word', false),
  ('standard', '%', 'data/live', 'boolean', false),
  ('standard', '%', 'data/transaction_id', 'token', true),
  ('standard', '%', 'data/parent_transaction_id', 'token', true),
  ('standard', '%', 'data/effect_reference', 'token', true),
  ('standard', '%', 'data/reference', 'our_reference', false),
  ('standard', '%', 'data/amount_minor', 'amount', false),
  ('standard', '%', 'data/currency', 'currency', false),
  ('standard', '%', 'data/brand', 'word', false),
  ('standard', '%', 'data/last_four', 'last_four', false),
  ('standard', '%', 'data/result_code', 'code', false)) AS f (provider, event, path, grammar, reference);

CREATE FUNCTION aegis.payload_fields(provider text, event text) RETURNS SETOF aegis.payload_field
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.* FROM aegis.payload_field f WHERE f.provider = payload_fields.provider AND payload_fields.event LIKE f.event
$$;
COMMENT ON FUNCTION aegis.payload_fields(text, text) IS 'fields that are kept of a provider''s messages of one type';

-- depth: how many steps of the paths lead to the node. NULL: nothing of it is kept.
CREATE FUNCTION aegis.project_node(fields aegis.payload_field[], depth integer, node jsonb) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step text;
  part jsonb;
  kept jsonb;
BEGIN
  IF jsonb_typeof(node) = 'object' THEN
    FOR step IN SELECT DISTINCT f.path[depth + 1] FROM unnest(fields) f LOOP
      part := node -> step;
      CONTINUE WHEN part IS NULL;
      part := aegis.project_node(ARRAY(SELECT f FROM unnest(fields) f WHERE f.path[depth + 1] = step), depth + 1, part);
      IF part IS NOT NULL THEN
        kept := coalesce(kept, '{}') || jsonb_build_object(step, part);
      END IF;
    END LOOP;
  ELSIF jsonb_typeof(node) = 'array' THEN
    fields := ARRAY(SELECT f FROM unnest(fields) f WHERE f.path[depth + 1] = '*');
    IF cardinality(fields) > 0 THEN
      SELECT jsonb_agg(e.part ORDER BY e.number) INTO kept
        FROM (SELECT aegis.project_node(fields, depth + 1, a.value) AS part, a.number
                FROM jsonb_array_elements(node) WITH ORDINALITY AS a (value, number) WHERE a.number <= 32) e
       WHERE e.part IS NOT NULL;
    END IF;
  ELSIF EXISTS (SELECT FROM unnest(fields) f WHERE cardinality(f.path) = depth AND aegis.fits_grammar(f.grammar, node)) THEN
    kept := node;
  END IF;
  RETURN kept;
END $$;
COMMENT ON FUNCTION aegis.project_node(aegis.payload_field[], integer, jsonb) IS 'what is kept of a part of a message; for Aegis alone';

CREATE FUNCTION aegis.project_payload(provider text, event text, payload jsonb) RETURNS jsonb
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(aegis.project_node(ARRAY(SELECT f FROM aegis.payload_fields(provider, event) f), 0, payload), '{}')
$$;
COMMENT ON FUNCTION aegis.project_payload(text, text, jsonb) IS
  'the scrubber''s first layer: the fields of a message that its provider''s list names and whose values look as they may, and nothing else';

-- Puts references back where the second layer replaced them; both documents have the same shape.
CREATE FUNCTION aegis.restore_references(fields aegis.payload_field[], depth integer, projected jsonb, scrubbed jsonb) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step text;
BEGIN
  IF projected = scrubbed OR cardinality(fields) = 0 THEN
    RETURN scrubbed;
  ELSIF jsonb_typeof(projected) = 'object' AND jsonb_typeof(scrubbed) = 'object' THEN
    FOR step IN SELECT DISTINCT f.path[depth + 1] FROM unnest(fields) f LOOP
      IF projected -> step IS NOT NULL AND scrubbed -> step IS NOT NULL THEN
        scrubbed := scrubbed || jsonb_build_object(step, aegis.restore_references(
          ARRAY(SELECT f FROM unnest(fields) f WHERE f.path[depth + 1] = step), depth + 1, projected -> step, scrubbed -> step));
      END IF;
    END LOOP;
  ELSIF jsonb_typeof(projected) = 'array' AND jsonb_typeof(scrubbed) = 'array' THEN
    SELECT jsonb_agg(aegis.restore_references(ARRAY(SELECT f FROM unnest(fields) f WHERE f.path[depth + 1] = '*'), depth + 1,
                                              p.value, scrubbed -> (p.number - 1)::integer) ORDER BY p.number)
      INTO scrubbed FROM jsonb_array_elements(projected) WITH ORDINALITY AS p (value, number);
  ELSIF EXISTS (SELECT FROM unnest(fields) f WHERE cardinality(f.path) = depth AND aegis.fits_grammar(f.grammar, projected)) THEN
    RETURN projected;
  END IF;
  RETURN scrubbed;
END $$;
COMMENT ON FUNCTION aegis.restore_references(aegis.payload_field[], integer, jsonb, jsonb) IS
  'a scrubbed message with the provider''s own references as they were; for Aegis alone';

CREATE FUNCTION aegis.scrub_payload(provider text, event text, payload jsonb) RETURNS jsonb
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT aegis.restore_references(ARRAY(SELECT f FROM aegis.payload_fields(provider, event) f WHERE f.reference), 0,
                                  p.projected, aegis.scrub(p.projected))
    FROM (SELECT aegis.project_payload(provider, event, payload) AS projected OFFSET 0) p
$$;
COMMENT ON FUNCTION aegis.scrub_payload(text, text, jsonb) IS
  'what may be stored of a provider''s message: the first layer, then the second, which leaves the provider''s own references alone';

CREATE FUNCTION aegis.set_payload_field(provider text, event text, path text[], grammar text, reference boolean DEFAULT false) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO aegis.payload_field AS f (provider, event, path, grammar, reference, by_extension)
  VALUES (set_payload_field.provider, set_payload_field.event, set_payload_field.path, set_payload_field.grammar, set_payload_field.reference, false)
  ON CONFLICT ON CONSTRAINT payload_field_pkey DO UPDATE SET grammar = excluded.grammar, reference = excluded.reference, by_extension = false;
  PERFORM aegis.record_tenant_event('pci.allowlist_changed', NULL, 'payload_field', provider || ' ' || array_to_string(path, '/'),
    jsonb_build_object('event', event, 'grammar', grammar, 'reference', CASE WHEN reference THEN 'yes' ELSE 'no' END));
END $$;
COMMENT ON FUNCTION aegis.set_payload_field(text, text, text[], text, boolean) IS 'lets one more field of a provider''s messages be kept; for operators; recorded';

CREATE FUNCTION aegis.drop_payload_field(provider text, event text, path text[]) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM aegis.payload_field f
   WHERE f.provider = drop_payload_field.provider AND f.event = drop_payload_field.event AND f.path = drop_payload_field.path;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'the list names no such field', HINT = 'See aegis.payload_field.';
  END IF;
  PERFORM aegis.record_tenant_event('pci.allowlist_changed', NULL, 'payload_field', provider || ' ' || array_to_string(path, '/'),
    jsonb_build_object('event', event, 'grammar', 'dropped'));
END $$;
COMMENT ON FUNCTION aegis.drop_payload_field(text, text, text[]) IS 'drops a field of a provider''s messages from what is kept; for operators; recorded';

CREATE FUNCTION aegis.set_webhook_provider(name text, scheme text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO aegis.webhook_provider (name, scheme) VALUES (set_webhook_provider.name, set_webhook_provider.scheme);
  PERFORM aegis.record_tenant_event('webhook.provider_added', NULL, 'webhook_provider', name, jsonb_build_object('scheme', scheme));
END $$;
COMMENT ON FUNCTION aegis.set_webhook_provider(text, text) IS 'lets one more provider send webhooks; what is kept of them is named by aegis.set_payload_field; for operators; recorded';
