-- Webhooks of payment providers: who may send them, and with which secrets they sign. docs/webhook.md.

CREATE FUNCTION aegis.verify_webhook(scheme text, secret text, headers text[], body bytea, at timestamptz DEFAULT pg_catalog.now(),
                                     tolerance integer DEFAULT 300) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_verify_webhook' LANGUAGE C IMMUTABLE STRICT PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION aegis.verify_webhook(text, text, text[], bytea, timestamptz, integer) IS
  'valid, stale, early, wrong, malformed or missing: the signature of a webhook over headers (name, value, name, value) and body as they came';

CREATE TABLE aegis.webhook_provider (
  name         text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$'),
  scheme       text NOT NULL CHECK (scheme IN ('stripe', 'authorize_net', 'adyen', 'adyen_header', 'standard')),
  by_extension boolean NOT NULL DEFAULT false
);
SELECT pg_catalog.pg_extension_config_dump('aegis.webhook_provider', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.webhook_provider IS 'who may send webhooks, and how each signs them';
INSERT INTO aegis.webhook_provider (name, scheme, by_extension) VALUES
  ('adyen', 'adyen', true), ('authorize_net', 'authorize_net', true), ('standard', 'standard', true), ('stripe', 'stripe', true);

-- How an application calls them, for calls that it queues; no tenant's.
CREATE TABLE aegis.payment_provider (
  name         text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$'),
  label        text NOT NULL CHECK (label <> ''),
  hand_off     text NOT NULL CHECK (hand_off IN ('redirect', 'form')),
  page         text CHECK (page ~ '^https://'),
  test_page    text CHECK (test_page ~ '^https://'),
  lifetime     interval NOT NULL CHECK (lifetime BETWEEN '1 minute' AND '30 days'),
  decimals     boolean NOT NULL,
  names_currency boolean NOT NULL,
  secrets      text[] NOT NULL,
  calls        jsonb NOT NULL CHECK (jsonb_typeof(calls) = 'object'),
  by_extension boolean NOT NULL DEFAULT false,
  CHECK ((hand_off = 'form') = (page IS NOT NULL AND test_page IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis.payment_provider', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.payment_provider IS 'payment providers: calls, answers and amounts';
COMMENT ON COLUMN aegis.payment_provider.hand_off IS 'how the browser gets to the page: redirect to an address, or a form that posts a token';
COMMENT ON COLUMN aegis.payment_provider.lifetime IS 'how long a page can be paid on';
COMMENT ON COLUMN aegis.payment_provider.decimals IS 'whether amounts have a decimal point; otherwise they are minor units as the provider counts them';
COMMENT ON COLUMN aegis.payment_provider.names_currency IS 'whether amounts come with their currency; otherwise it is the account''s, and nothing else is taken';
COMMENT ON COLUMN aegis.payment_provider.secrets IS 'names of the texts of a credential';
COMMENT ON COLUMN aegis.payment_provider.calls IS
  'by name: what is sent (method, path, query, headers, form or json, accept), with {{name}} for values, and what of the answer means what (good, fields, cases, items, next), as JSON paths';

CREATE TABLE aegis.webhook_endpoint (
  id             uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  tenant_id      uuid NOT NULL REFERENCES aegis.tenant (id),
  provider       text COLLATE "C" NOT NULL REFERENCES aegis.webhook_provider (name),
  account        text NOT NULL CHECK (account ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$' AND aegis.is_free_of_card_data(account)),
  live           boolean NOT NULL,
  currency       text CHECK (currency ~ '^[A-Z]{3}$'),
  manual_capture boolean NOT NULL,
  keys_made      integer NOT NULL DEFAULT 0,
  created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
  disabled_at    timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.webhook_endpoint', '');
CREATE UNIQUE INDEX webhook_endpoint_account ON aegis.webhook_endpoint (tenant_id, provider, account, live) WHERE disabled_at IS NULL;
COMMENT ON TABLE aegis.webhook_endpoint IS 'addresses to which providers send what happened at an account of a tenant';
COMMENT ON COLUMN aegis.webhook_endpoint.currency IS 'of amounts for which the provider names none';
COMMENT ON COLUMN aegis.webhook_endpoint.manual_capture IS 'whether an authorisation waits for a capture of its own';
COMMENT ON COLUMN aegis.webhook_endpoint.keys_made IS 'numbers the secrets: an id of a key is never used again';

CREATE TABLE aegis.webhook_secret (
  key_id      text COLLATE "C" PRIMARY KEY,
  endpoint_id uuid NOT NULL REFERENCES aegis.webhook_endpoint (id),
  tenant_id   uuid NOT NULL,
  secret      bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
  not_after   timestamptz,
  retired_at  timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.webhook_secret', '');
CREATE INDEX webhook_secret_endpoint ON aegis.webhook_secret (endpoint_id);
COMMENT ON TABLE aegis.webhook_secret IS 'secrets of endpoints, sealed; at most two of an endpoint are in use';
COMMENT ON COLUMN aegis.webhook_secret.tenant_id IS 'the endpoint''s, so that an erasure of the tenant finds it';
COMMENT ON COLUMN aegis.webhook_secret.not_after IS 'until when it counts beside the one that took its place';

CREATE FUNCTION aegis.seal_webhook_secret(scheme text, key_id text, secret text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_seal_webhook_secret' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.seal_webhook_secret(text, text, text) IS 'a secret of an endpoint, checked and sealed; for Aegis alone';

CREATE TYPE aegis.webhook AS (
  endpoint_id    uuid,
  provider       text,
  account        text,
  live           boolean,
  currency       text,
  manual_capture boolean,
  key_id         text,
  message_id     text,
  body_digest    bytea,
  body_bytes     integer
);
COMMENT ON TYPE aegis.webhook IS 'a verified webhook: its endpoint, which secret signed it, and a keyed digest of it';

CREATE FUNCTION aegis.verified_webhook() RETURNS aegis.webhook
  AS 'MODULE_PATHNAME', 'aegis_verified_webhook' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.verified_webhook() IS
  'the signed webhook that this transaction handles; NULLs when it handles none';

CREATE FUNCTION aegis.require_webhook_admin() RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.require_tenant();
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied to change webhooks',
      HINT = 'Only admins of the tenant may.';
  END IF;
  RETURN aegis.tenant_id();
END $$;
COMMENT ON FUNCTION aegis.require_webhook_admin() IS 'the tenant of the admin who asks, or an error; for Aegis alone';

-- An endpoint of the caller's tenant under its lock.
CREATE FUNCTION aegis.lock_webhook_endpoint(endpoint uuid) RETURNS aegis.webhook_endpoint
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_webhook_admin();
  found aegis.webhook_endpoint;
BEGIN
  PERFORM aegis.require_step_up();
  SELECT e.* INTO found FROM aegis.webhook_endpoint e
   WHERE e.id = endpoint AND e.tenant_id = tenant AND e.disabled_at IS NULL FOR NO KEY UPDATE;
  IF found.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'webhook endpoint does not exist',
      HINT = 'aegis.webhook_endpoints() lists those of the tenant.';
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION aegis.lock_webhook_endpoint(uuid) IS 'an endpoint in use of the admin''s tenant, locked, to change it; for Aegis alone';

CREATE FUNCTION aegis.store_webhook_secret(endpoint aegis.webhook_endpoint, secret text) RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  how text := (SELECT p.scheme FROM aegis.webhook_provider p WHERE p.name = endpoint.provider);
  id text;
BEGIN
  IF secret IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a webhook secret must not be null';
  END IF;
  UPDATE aegis.webhook_endpoint e SET keys_made = e.keys_made + 1 WHERE e.id = endpoint.id
   RETURNING format('%s.%s', e.id, e.keys_made) INTO id;
  INSERT INTO aegis.webhook_secret (key_id, endpoint_id, tenant_id, secret)
  VALUES (id, endpoint.id, endpoint.tenant_id, aegis.seal_webhook_secret(how, id, store_webhook_secret.secret));
  RETURN id;
END $$;
COMMENT ON FUNCTION aegis.store_webhook_secret(aegis.webhook_endpoint, text) IS 'gives an endpoint a secret; for Aegis alone';

CREATE FUNCTION aegis.create_webhook_endpoint(provider text, account text, secret text, live boolean DEFAULT true,
                                              currency text DEFAULT NULL, manual_capture boolean DEFAULT false) RETURNS uuid
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_webhook_admin();
  made aegis.webhook_endpoint;
  key_id text;
BEGIN
  PERFORM aegis.require_step_up();
  IF NOT EXISTS (SELECT FROM aegis.webhook_provider p WHERE p.name = create_webhook_endpoint.provider) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'provider of webhooks does not exist',
      HINT = format('There are: %s.', (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM aegis.webhook_provider p));
  END IF;
  INSERT INTO aegis.webhook_endpoint (tenant_id, provider, account, live, currency, manual_capture)
  VALUES (tenant, create_webhook_endpoint.provider, create_webhook_endpoint.account, create_webhook_endpoint.live,
          create_webhook_endpoint.currency, create_webhook_endpoint.manual_capture)
  RETURNING * INTO made;
  key_id := aegis.store_webhook_secret(made, secret);
  PERFORM aegis.record_tenant_event('webhook.endpoint_created', tenant, 'webhook_endpoint', made.id::text,
    jsonb_build_object('account', made.account, 'key_id', key_id, 'mode', CASE WHEN made.live THEN 'live' ELSE 'test' END,
                       'provider', made.provider));
  RETURN made.id;
END $$;
COMMENT ON FUNCTION aegis.create_webhook_endpoint(text, text, text, boolean, text, boolean) IS
  'lets a provider send webhooks about an account, signed with the secret; for admins; recorded';

CREATE FUNCTION aegis.add_webhook_secret(endpoint uuid, secret text, overlap interval DEFAULT '1 day') RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found aegis.webhook_endpoint := aegis.lock_webhook_endpoint(endpoint);
  key_id text;
BEGIN
  IF overlap IS NULL OR overlap NOT BETWEEN interval '0' AND interval '30 days' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'two secrets may count beside each other for at most 30 days';
  END IF;
  -- Two at most: what was before the one in use ends now.
  UPDATE aegis.webhook_secret s SET retired_at = now()
   WHERE s.endpoint_id = found.id AND s.retired_at IS NULL AND s.not_after IS NOT NULL;
  UPDATE aegis.webhook_secret s SET not_after = now() + overlap
   WHERE s.endpoint_id = found.id AND s.retired_at IS NULL;
  key_id := aegis.store_webhook_secret(found, secret);
  PERFORM aegis.record_tenant_event('webhook.secret_added', found.tenant_id, 'webhook_endpoint', found.id::text,
    jsonb_build_object('key_id', key_id, 'overlap_seconds', extract(epoch FROM overlap)::bigint));
  RETURN key_id;
END $$;
COMMENT ON FUNCTION aegis.add_webhook_secret(uuid, text, interval) IS
  'gives an endpoint its next secret; the one before counts until the overlap is over; for admins; recorded';

CREATE FUNCTION aegis.retire_webhook_secret(endpoint uuid, key_id text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  mine aegis.webhook_endpoint := aegis.lock_webhook_endpoint(endpoint);
BEGIN
  UPDATE aegis.webhook_secret s SET retired_at = now()
   WHERE s.endpoint_id = mine.id AND s.key_id = retire_webhook_secret.key_id AND s.retired_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'webhook secret does not exist',
      HINT = 'aegis.webhook_endpoints() lists the ids of those in use.';
  END IF;
  PERFORM aegis.record_tenant_event('webhook.secret_retired', mine.tenant_id, 'webhook_endpoint', mine.id::text,
    jsonb_build_object('key_id', key_id));
END $$;
COMMENT ON FUNCTION aegis.retire_webhook_secret(uuid, text) IS 'takes a secret of an endpoint out of use at once; for admins; recorded';

CREATE FUNCTION aegis.disable_webhook_endpoint(endpoint uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found aegis.webhook_endpoint := aegis.lock_webhook_endpoint(endpoint);
BEGIN
  UPDATE aegis.webhook_endpoint e SET disabled_at = now() WHERE e.id = found.id;
  UPDATE aegis.webhook_secret s SET retired_at = now() WHERE s.endpoint_id = found.id AND s.retired_at IS NULL;
  PERFORM aegis.record_tenant_event('webhook.endpoint_disabled', found.tenant_id, 'webhook_endpoint', found.id::text,
    jsonb_build_object('account', found.account, 'provider', found.provider));
END $$;
COMMENT ON FUNCTION aegis.disable_webhook_endpoint(uuid) IS 'takes an endpoint and its secrets out of use, for good; for admins; recorded';

CREATE FUNCTION aegis.webhook_endpoints(OUT id uuid, OUT provider text, OUT account text, OUT live boolean, OUT currency text,
                                        OUT manual_capture boolean, OUT created_at timestamptz, OUT disabled_at timestamptz, OUT keys jsonb)
  RETURNS SETOF record
  LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 5 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_webhook_admin();
BEGIN
  RETURN QUERY
  SELECT e.id, e.provider, e.account, e.live, e.currency, e.manual_capture, e.created_at, e.disabled_at,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', s.key_id, 'created_at', s.created_at, 'not_after', s.not_after)
                                    ORDER BY s.created_at, s.key_id), '[]')
            FROM aegis.webhook_secret s
           WHERE s.endpoint_id = e.id AND s.retired_at IS NULL AND (s.not_after IS NULL OR s.not_after > now()))
    FROM aegis.webhook_endpoint e WHERE e.tenant_id = tenant ORDER BY e.created_at, e.id;
END $$;
COMMENT ON FUNCTION aegis.webhook_endpoints() IS 'endpoints of the tenant with the ids of the secrets in use; for admins';
