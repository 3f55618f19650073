-- Calls to payment providers: made of data when the agent claims them, answered in the transaction that ends them. docs/checkout.md.

INSERT INTO aegis.outbox_kind (name, description, transport, answered, recorded, most_attempts, first_delay, longest_delay, lifetime, by_extension, prepared, given_up)
  VALUES ('payment', 'a call to a payment provider', 'http', 'aegis_app.take_answer', false, 12, '10 s', '30 min', '2 days', true,
          'aegis_app.prepare_call', 'aegis_app.give_up_call')
  ON CONFLICT (name) DO UPDATE SET answered = EXCLUDED.answered, prepared = EXCLUDED.prepared, given_up = EXCLUDED.given_up;  -- of an application that was dropped and made again

-- Calls -------------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.percent_encode(value text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT coalesce(string_agg(CASE WHEN chr(get_byte(b.bytes, i)) ~ '[A-Za-z0-9_.~-]' THEN chr(get_byte(b.bytes, i))
                                        ELSE '%' || upper(lpad(to_hex(get_byte(b.bytes, i)), 2, '0')) END, '' ORDER BY i), '')
          FROM (SELECT convert_to(value, 'UTF8') AS bytes) b, generate_series(0, octet_length(b.bytes) - 1) i
         WHERE get_byte(b.bytes, i) > 0 $$;
COMMENT ON FUNCTION aegis_app.percent_encode(text) IS 'a text as it stands in a form (RFC 3986, all but the unreserved encoded)';

-- One pass: what a value holds is never taken for the name of another. Without one of its values there is no text.
CREATE FUNCTION aegis_app.fill_in(template text, fields jsonb, escaped boolean) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT CASE WHEN bool_and(p.value IS NOT NULL) THEN string_agg(p.value, '' ORDER BY p.number) END
          FROM (SELECT number, CASE WHEN m[1] !~ '^\{\{[a-z][a-z_.]*\}\}$' THEN m[1]
                                    WHEN escaped THEN substr(to_json(fields ->> btrim(m[1], '{}'))::text, 2, length(to_json(fields ->> btrim(m[1], '{}'))::text) - 2)
                                    ELSE fields ->> btrim(m[1], '{}') END AS value
                  FROM regexp_matches(template, '(\{\{[a-z][a-z_.]*\}\}|(?:(?!\{\{[a-z][a-z_.]*\}\}).)+)', 'g') WITH ORDINALITY AS r(m, number)) p $$;
COMMENT ON FUNCTION aegis_app.fill_in(text, jsonb, boolean) IS 'a text with its values, for JSON escaped; NULL when a value is missing';

CREATE FUNCTION aegis_app.fill_in_all(templates jsonb, fields jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT coalesce(jsonb_object_agg(t.key, f.value), '{}')
          FROM jsonb_each_text(templates) t, LATERAL (SELECT aegis_app.fill_in(t.value, fields, false) AS value) f WHERE f.value IS NOT NULL $$;
COMMENT ON FUNCTION aegis_app.fill_in_all(jsonb, jsonb) IS 'the same for every member; those without their value are left out';

-- What the agent sends: made when it claims the job, so that the credential waits nowhere in clear.
CREATE FUNCTION aegis_app.prepare_call(job aegis.outbox, payload bytea) RETURNS bytea
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  asked   jsonb := convert_from(payload, 'UTF8');
  how     aegis.payment_provider;
  call    jsonb;
  fields  jsonb;
  headers jsonb;
  body    text;
  path    text;
BEGIN
  SELECT p.* INTO STRICT how FROM aegis.payment_provider p WHERE p.name = asked ->> 'provider';
  call := how.calls -> (asked ->> 'call');
  SELECT asked -> 'fields' || jsonb_object_agg('secret.' || s.key, s.value) INTO fields
    FROM jsonb_each_text(aegis.open_credential((asked ->> 'credential')::aegis.sealed_text, job.tenant_id)::jsonb) s;
  path := CASE WHEN call ? 'path' THEN aegis_app.fill_in(call ->> 'path', fields, false) ELSE '' END;
  headers := aegis_app.fill_in_all(coalesce(call -> 'headers', '{}'), fields);
  IF call ? 'form' THEN
    SELECT coalesce(string_agg(aegis_app.percent_encode(f.key) || '=' || aegis_app.percent_encode(f.value), '&' ORDER BY f.key COLLATE "C"), '') INTO body
      FROM jsonb_each_text(aegis_app.fill_in_all(call -> 'form', fields)) f;
    headers := headers || '{"content-type": "application/x-www-form-urlencoded"}';
  ELSIF call ? 'json' THEN
    body := aegis_app.fill_in(call ->> 'json', fields, true);
    headers := headers || '{"content-type": "application/json"}';
  END IF;
  IF path IS NULL OR (call ->> 'method' <> 'GET' AND body IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('call "%s" of provider "%s" lacks a value', asked ->> 'call', how.name);
  END IF;
  RETURN convert_to(jsonb_strip_nulls(jsonb_build_object(
    'method', call -> 'method', 'path', path, 'headers', headers, 'body', translate(encode(convert_to(body, 'UTF8'), 'base64'), E'\n', ''),
    'query', CASE WHEN call ? 'query' THEN aegis_app.fill_in_all(call -> 'query', fields) END,
    'accept', call -> 'accept', 'answer_bytes', call -> 'answer_bytes'))::text, 'UTF8');
END $$;
COMMENT ON FUNCTION aegis_app.prepare_call(aegis.outbox, bytea) IS 'a call to a provider with its credential, as the agent sends it';

-- In the deciding transaction, and in the tenant's context. The credential goes along sealed.
CREATE FUNCTION aegis_app.queue_call(a aegis_app.provider_account, call text, target text, key text, fields jsonb,
                                     not_before timestamptz DEFAULT NULL, expires_at timestamptz DEFAULT NULL) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.queue_outbound('payment', convert_to(jsonb_build_object('provider', a.provider, 'call', call, 'fields', fields,
                                                                       'credential', a.credential::text)::text, 'UTF8'),
                              destination => a.destination, target => format('%s %s %s', call, target, a.id), tenant => a.tenant_id,
                              idempotency_key => key, not_before => not_before, expires_at => expires_at);
END $$;
COMMENT ON FUNCTION aegis_app.queue_call(aegis_app.provider_account, text, text, text, jsonb, timestamptz, timestamptz) IS
  'has the agent call a provider; the same key is the same call';

-- Answers -----------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.answer_text(found jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN jsonb_typeof(found) IN ('string', 'number', 'boolean') THEN left(found #>> '{}', 2000) END;
COMMENT ON FUNCTION aegis_app.answer_text(jsonb) IS 'a value of an answer as text; nothing else is read';

CREATE FUNCTION aegis_app.read_fields(fields jsonb, item jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT coalesce(jsonb_object_agg(f.key, v.value), '{}')
          FROM jsonb_each_text(coalesce(fields, '{}')) f,
               LATERAL (SELECT aegis_app.answer_text(jsonb_path_query_first(item, f.value::jsonpath)) AS value) v WHERE v.value IS NOT NULL $$;
COMMENT ON FUNCTION aegis_app.read_fields(jsonb, jsonb) IS 'the fields of an answer by their JSON paths';

-- A transaction in an answer as the event that a webhook would have told of; kind is NULL while nothing follows from it.
CREATE FUNCTION aegis_app.event_of_answer(a aegis_app.provider_account, call jsonb, item jsonb, reference text) RETURNS aegis_app.provider_event
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  f     jsonb := aegis_app.read_fields(call -> 'fields', item);
  event aegis_app.provider_event;
BEGIN
  SELECT c.key INTO event.kind FROM jsonb_each_text(call -> 'cases') c WHERE jsonb_path_exists(item, c.value::jsonpath)
   ORDER BY array_position('{refunded,voided,settled,authorised,held,failed,expired}', c.key) LIMIT 1;
  event.provider := a.provider;
  event.account := a.account;
  event.transaction_id := f ->> 'transaction_id';
  event.parent_transaction_id := f ->> 'parent_transaction_id';
  event.effect_reference := CASE event.kind WHEN 'refunded' THEN coalesce(f ->> 'effect_reference', f ->> 'transaction_id') END;
  event.reference := coalesce(f ->> 'reference', event_of_answer.reference);
  event.currency := coalesce(upper(f ->> 'currency'), a.currency);
  event.amount_minor := CASE WHEN f ->> 'amount' IS NOT NULL THEN aegis_app.provider_minor(a.provider, event.currency, f ->> 'amount') END;
  event.brand := f ->> 'brand';
  event.last_four := substring(f ->> 'card' FROM '([0-9]{4})$');
  event.result_code := f ->> 'result_code';
  event.occurred_at := coalesce(aegis_app.instant(coalesce(f ->> 'seconds', f ->> 'at')), clock_timestamp());
  event.live := coalesce((f ->> 'live')::boolean, a.live);
  event.document := f;  -- what is read of an answer is all that is kept of it
  RETURN event;
END $$;
COMMENT ON FUNCTION aegis_app.event_of_answer(aegis_app.provider_account, jsonb, jsonb, text) IS 'what the answer of a provider says about a payment';

CREATE FUNCTION aegis_app.code_of(value text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN value ~ '^[A-Za-z0-9_.-]{1,60}$' AND aegis.is_free_of_card_data(value) THEN value END;
COMMENT ON FUNCTION aegis_app.code_of(text) IS 'a result or error code of a provider, or NULL when it is none that is kept';

CREATE FUNCTION aegis_app.read_answer(answer bytea) RETURNS jsonb
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  -- Authorize.Net begins with a byte order mark.
  RETURN convert_from(CASE WHEN substr(answer, 1, 3) = '\xefbbbf' THEN substr(answer, 4) ELSE answer END, 'UTF8')::jsonb;
COMMENT ON FUNCTION aegis_app.read_answer(bytea) IS 'the JSON of an answer';

-- For the outbox, as aegis_owner: the target says which account's call it was, of what.
CREATE FUNCTION aegis_app.take_answer(job aegis.outbox, answer bytea, detail jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  word    text := split_part(job.target, ' ', 1);
  about   text := split_part(job.target, ' ', 2);
  said    jsonb := aegis_app.read_answer(answer);
  a       aegis_app.provider_account;
  call    jsonb;
BEGIN
  PERFORM aegis.enter_outbound(job.tenant_id);
  SELECT p.* INTO STRICT a FROM aegis_app.provider_account p WHERE p.tenant_id = job.tenant_id AND p.id = split_part(job.target, ' ', 3)::uuid;
  SELECT p.calls -> word INTO STRICT call FROM aegis.payment_provider p WHERE p.name = a.provider;
  -- The same call is being carried out: only its own answer says whether money moves. The job asks again, under the same key.
  IF detail ->> 'status' = '409' THEN
    RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = 'the provider is carrying out the same call';
  END IF;
  -- Refusals are answers where something hangs on them; elsewhere the question is put again.
  IF word NOT IN ('create', 'refund') AND NOT jsonb_path_exists(said, (call ->> 'good')::jsonpath) THEN
    IF detail ->> 'status' = '404' THEN
      RETURN 'unknown';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = 'the provider did not answer what was asked';
  END IF;
  RETURN CASE word
    WHEN 'create' THEN aegis_app.take_create(a, call, about::uuid, said)
    WHEN 'poll' THEN aegis_app.take_poll(a, call, about::uuid, said)
    WHEN 'details' THEN aegis_app.take_details(a, call, about, said)
    WHEN 'refund' THEN aegis_app.take_refund(a, call, about::uuid, said)
    WHEN 'event' THEN aegis_app.take_fetched_event(a, said)
    WHEN 'expire' THEN coalesce(aegis_app.read_fields(call -> 'fields', said) ->> 'status', 'not_open')
    ELSE aegis_app.take_list(a, call, about::uuid, said) END;
END $$;
COMMENT ON FUNCTION aegis_app.take_answer(aegis.outbox, bytea, jsonb) IS 'the answer of a provider, in the transaction that ends its job';

-- For the outbox, as aegis_owner. A page that was never made and a refund that nobody heard of have ended; every other call is a
-- question, which an operator may put again.
CREATE FUNCTION aegis_app.give_up_call(job aegis.outbox, fault text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  word  text := split_part(job.target, ' ', 1);
  about uuid;
BEGIN
  IF word NOT IN ('create', 'refund') THEN
    RETURN false;
  END IF;
  about := split_part(job.target, ' ', 2)::uuid;
  PERFORM aegis.enter_outbound(job.tenant_id);
  IF word = 'create' THEN
    PERFORM aegis_app.give_up_checkout(about, fault);
  ELSE
    PERFORM aegis_app.give_up_refund(about, fault);
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis_app.give_up_call(aegis.outbox, text) IS 'what follows when a call to a provider was given up, in the transaction that ends its job';

-- Asking about one thing -------------------------------------------------------------------------

CREATE FUNCTION aegis_app.queue_details(a aegis_app.provider_account, transaction_id text, key text, delay interval DEFAULT '0') RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF transaction_id ~ '^[A-Za-z0-9_-]{1,100}$' AND a.disabled_at IS NULL
     AND (SELECT p.calls ? 'details' FROM aegis.payment_provider p WHERE p.name = a.provider) THEN
    PERFORM aegis_app.queue_call(a, 'details', transaction_id, format('details/%s/%s', a.id, key),
                                 jsonb_build_object('transaction_id', transaction_id), not_before => clock_timestamp() + delay);
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.queue_details(aegis_app.provider_account, text, text, interval) IS
  'has a transaction fetched from its provider, if that can be asked; the same key is the same call';

-- What a message leaves out is asked for: no card's last digits, or which payment a refund is of.
CREATE FUNCTION aegis_app.complete_event(event aegis_app.provider_event, effect text, delay interval) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  about text := coalesce(event.parent_transaction_id, event.transaction_id);
  a     aegis_app.provider_account;
BEGIN
  SELECT * INTO a FROM aegis_app.provider_account p
   WHERE p.tenant_id = aegis.tenant_id() AND p.provider = event.provider AND p.account = event.account;
  IF FOUND THEN
    PERFORM aegis_app.queue_details(a, about, format('%s/%s', about, effect), delay);
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.complete_event(aegis_app.provider_event, text, interval) IS
  'has the transaction of an event fetched, where its account is connected';

CREATE FUNCTION aegis_app.take_details(a aegis_app.provider_account, call jsonb, transaction_id text, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  item  jsonb := jsonb_path_query_first(said, (call ->> 'items')::jsonpath, jsonb_build_object('transaction_id', transaction_id));
  f     jsonb := aegis_app.read_fields(call -> 'fields', item);
  event aegis_app.provider_event;
  outcome text;
BEGIN
  IF item IS NULL THEN
    RETURN 'unknown';
  END IF;
  event := aegis_app.event_of_answer(a, call, item, NULL);
  IF event.kind IS NOT NULL THEN
    outcome := aegis_app.take_event(event);
  END IF;
  UPDATE aegis_app.payment p
     SET brand = coalesce(aegis_app.brand_of(event.brand), p.brand), last_four = coalesce(event.last_four, p.last_four),
         authorisation_code = coalesce(substring(f ->> 'authorisation_code' FROM '^[A-Za-z0-9]{1,10}$'), p.authorisation_code),
         avs_result = coalesce(substring(f ->> 'avs_result' FROM '^[A-Za-z_]{1,30}$'), p.avs_result),
         code_result = coalesce(substring(f ->> 'code_result' FROM '^[A-Za-z_]{1,30}$'), p.code_result)
   WHERE p.tenant_id = a.tenant_id AND p.provider = a.provider AND p.account = a.account AND p.transaction_id = take_details.transaction_id;
  RETURN coalesce(outcome, 'described');
END $$;
COMMENT ON FUNCTION aegis_app.take_details(aegis_app.provider_account, jsonb, text, jsonb) IS 'what a provider says of one transaction';

CREATE FUNCTION aegis_app.take_fetched_event(a aegis_app.provider_account, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  event aegis_app.provider_event;
  envelope record := aegis_app.webhook_envelope(a.provider, NULL, said);
BEGIN
  event.provider := a.provider;
  event.account := a.account;
  event.event_id := envelope.event_id;
  event.currency := a.currency;
  event.live := coalesce(envelope.live, a.live);
  event.document := aegis.scrub_payload(a.provider, envelope.event_type, said);
  CASE a.provider
    WHEN 'stripe' THEN event := aegis_app.stripe_event(event, envelope.event_type);
    WHEN 'authorize_net' THEN event := aegis_app.authorize_net_event(event, envelope.event_type);
    ELSE event := aegis_app.standard_event(event, envelope.event_type);
  END CASE;
  RETURN aegis_app.take_event(event);
END $$;
COMMENT ON FUNCTION aegis_app.take_fetched_event(aegis_app.provider_account, jsonb) IS 'an event that was fetched by its id, as if its webhook had come';

-- Asking now, whatever the timetable says.
CREATE FUNCTION aegis_app.refetch(account uuid, what text, id text) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  a aegis_app.provider_account;
BEGIN
  PERFORM aegis_app.require_manager();
  SELECT * INTO a FROM aegis_app.provider_account p WHERE p.tenant_id = aegis.tenant_id() AND p.id = refetch.account AND p.disabled_at IS NULL;
  -- What asks and nothing else: a provider's other calls move money.
  IF NOT FOUND OR (what IN ('details', 'event') AND id ~ '^[A-Za-z0-9_-]{1,100}$') IS NOT TRUE
     OR NOT (SELECT p.calls ? what FROM aegis.payment_provider p WHERE p.name = a.provider) THEN
    RETURN false;
  END IF;
  PERFORM aegis_app.queue_call(a, what, id, format('%s/%s/%s', what, a.id, gen_random_uuid()),
                               jsonb_build_object(CASE what WHEN 'event' THEN 'event_id' ELSE 'transaction_id' END, id));
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis_app.refetch(uuid, text, text) IS 'has a transaction (details) or an event fetched from its provider and applied; for managers';

CREATE FUNCTION aegis_app.post_refetch(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  event_id text := aegis_app.text_field(request.body, 'event_id', 100, false);
BEGIN
  PERFORM aegis_app.require_manager();
  PERFORM aegis_app.text_field(request.body, 'account_id', 36);  -- required
  IF NOT aegis_app.refetch(aegis_app.uuid_field(request.body, 'account_id'), CASE WHEN event_id IS NULL THEN 'details' ELSE 'event' END,
                           coalesce(event_id, aegis_app.text_field(request.body, 'transaction_id', 100))) THEN
    RETURN aegis_app.problem(422, 'cannot-be-fetched', 'The provider of this account cannot be asked for that');
  END IF;
  RETURN aegis_app.ok('{"queued": true}', 202);
END $$;
COMMENT ON FUNCTION aegis_app.post_refetch(aegis.request) IS 'POST /api/payments/refetch {account_id, transaction_id or event_id}';
