-- Accounts of tenants at payment providers, and their credentials, which nobody of a tenant reads again. docs/checkout.md.

CREATE TABLE aegis_app.provider_account (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  provider    text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  account     text NOT NULL CHECK (account ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$' AND aegis.is_free_of_card_data(account)),
  currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  live        boolean NOT NULL,
  credential  aegis.sealed_text NOT NULL,
  destination text NOT NULL CHECK (destination ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  return_url  text NOT NULL CHECK (return_url ~ '^https://[^[:space:]"\\{}]+$' AND octet_length(return_url) <= 400),
  reconciled_daily boolean NOT NULL DEFAULT false,
  offered     boolean NOT NULL DEFAULT false,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  disabled_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, provider, account)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.provider_account', '');
COMMENT ON TABLE aegis_app.provider_account IS 'accounts of a tenant at payment providers';
COMMENT ON COLUMN aegis_app.provider_account.currency IS 'of amounts for which the provider names none; the only one that is taken where it never does';
COMMENT ON COLUMN aegis_app.provider_account.credential IS 'a JSON object of texts; opened for a call to the provider and for nothing else';
COMMENT ON COLUMN aegis_app.provider_account.return_url IS 'where the payer''s browser goes afterwards; that it came says nothing';
COMMENT ON COLUMN aegis_app.provider_account.destination IS 'where calls go: a name of aegis.destination';
COMMENT ON COLUMN aegis_app.provider_account.offered IS 'whether whoever has the link of an invoice may begin to pay there';
SELECT aegis.protect_table('aegis_app.provider_account', created_by => false, team => false);
-- Nobody of a tenant opens it, whatever the rank; aegis.open_credential() does, for the payment service.
SELECT aegis.encrypt_column('aegis_app.provider_account', 'credential', 'provider_account.credential', 'aegis.sealed_text', reveal => 'none');

SELECT aegis.declare_event('payment.account_connected', 'an account at a provider was connected',
                           '{"provider": "clear required", "account": "clear required", "currency": "clear required", "live": "clear required", "offered": "clear required"}');
SELECT aegis.declare_event('payment.account_offered', 'it was decided whether payers may begin to pay at an account',
                           '{"provider": "clear required", "account": "clear required", "offered": "clear required"}');
SELECT aegis.declare_event('payment.credential_changed', 'the credential of an account at a provider was changed',
                           '{"provider": "clear required", "account": "clear required"}');
SELECT aegis.declare_event('payment.account_disconnected', 'an account at a provider was disconnected',
                           '{"provider": "clear required", "account": "clear required"}');

CREATE FUNCTION aegis_app.require_account_admin() RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'permission denied to change accounts at providers', HINT = 'Admins may.';
  END IF;
  PERFORM aegis.require_step_up();
END $$;
COMMENT ON FUNCTION aegis_app.require_account_admin() IS 'an error for whoever is no admin, or was confirmed too long ago';

CREATE FUNCTION aegis_app.check_credential(provider text, credential jsonb) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wanted text[] := (SELECT p.secrets FROM aegis.payment_provider p WHERE p.name = provider);
BEGIN
  IF wanted IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "provider" names none that payments can be made with',
      HINT = format('There are: %s.', (SELECT string_agg(p.name, ', ' ORDER BY p.name) FROM aegis.payment_provider p));
  ELSIF jsonb_typeof(credential) IS DISTINCT FROM 'object' OR NOT credential ?& wanted
        OR EXISTS (SELECT FROM jsonb_each(credential) c WHERE c.key <> ALL (wanted) OR jsonb_typeof(c.value) <> 'string' OR c.value #>> '{}' !~ '^[!-~]{1,255}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "credential" must be an object of %s', array_to_string(wanted, ' and ')),
      HINT = 'Each is a text without blanks.';
  END IF;
  RETURN credential::text;
END $$;
COMMENT ON FUNCTION aegis_app.check_credential(text, jsonb) IS 'the credential of an account as it is sealed; refuses what the provider would not take';

CREATE FUNCTION aegis_app.connect_account(provider text, account text, currency text, live boolean, destination text, return_url text, credential jsonb,
                                          offered boolean DEFAULT NULL)
  RETURNS uuid
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_id uuid;
  -- On an account for tests anybody pays with the number of a test card.
  to_payers boolean := coalesce(connect_account.offered, live);
BEGIN
  PERFORM aegis_app.require_account_admin();
  IF NOT EXISTS (SELECT FROM aegis.destination d WHERE d.name = connect_account.destination AND d.transport = 'http') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "destination" names no address that an operator registered',
      HINT = 'An operator calls aegis.register_destination().';
  ELSIF aegis_app.iso_exponent(currency) IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "currency" must be a currency that is paid in';
  END IF;
  INSERT INTO aegis_app.provider_account (provider, account, currency, live, destination, return_url, offered, credential)
  VALUES (connect_account.provider, connect_account.account, connect_account.currency, connect_account.live, connect_account.destination,
          connect_account.return_url, to_payers, aegis_app.check_credential(connect_account.provider, connect_account.credential))
  RETURNING id INTO new_id;
  PERFORM aegis.record('payment.account_connected', 'provider_account', new_id::text, detail => jsonb_build_object(
    'provider', provider, 'account', account, 'currency', currency, 'live', live, 'offered', to_payers));
  RETURN new_id;
END $$;
COMMENT ON FUNCTION aegis_app.connect_account(text, text, text, boolean, text, text, jsonb, boolean) IS
  'connects an account at a provider; payers may begin there when it is offered, which a live one is unless said; for admins';

CREATE FUNCTION aegis_app.change_account(id uuid, credential jsonb, disconnect boolean, offered boolean DEFAULT NULL) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  a aegis_app.provider_account;
BEGIN
  PERFORM aegis_app.require_account_admin();
  SELECT * INTO a FROM aegis_app.provider_account p
   WHERE p.tenant_id = aegis.tenant_id() AND p.id = change_account.id AND p.disabled_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  ELSIF disconnect THEN
    UPDATE aegis_app.provider_account p SET disabled_at = clock_timestamp() WHERE p.tenant_id = a.tenant_id AND p.id = a.id;
    PERFORM aegis.record('payment.account_disconnected', 'provider_account', a.id::text,
                         detail => jsonb_build_object('provider', a.provider, 'account', a.account));
  ELSIF change_account.offered IS NOT NULL THEN
    UPDATE aegis_app.provider_account p SET offered = change_account.offered
     WHERE p.tenant_id = a.tenant_id AND p.id = a.id AND p.offered <> change_account.offered;
    IF FOUND THEN
      PERFORM aegis.record('payment.account_offered', 'provider_account', a.id::text, detail => jsonb_build_object(
        'provider', a.provider, 'account', a.account, 'offered', change_account.offered));
    END IF;
  ELSE
    UPDATE aegis_app.provider_account p SET credential = aegis_app.check_credential(a.provider, change_account.credential)
     WHERE p.tenant_id = a.tenant_id AND p.id = a.id;
    PERFORM aegis.record('payment.credential_changed', 'provider_account', a.id::text,
                         detail => jsonb_build_object('provider', a.provider, 'account', a.account));
  END IF;
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis_app.change_account(uuid, jsonb, boolean, boolean) IS
  'gives an account another credential, offers it to payers or no longer, or disconnects it; for admins';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.account_json(a aegis_app.provider_account) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object('id', a.id, 'provider', a.provider, 'account', a.account, 'currency', a.currency, 'live', a.live, 'destination', a.destination,
                            'return_url', a.return_url, 'reconciled_daily', a.reconciled_daily, 'offered', a.offered, 'created_at', a.created_at);
COMMENT ON FUNCTION aegis_app.account_json(aegis_app.provider_account) IS 'an account at a provider, without its credential';

CREATE FUNCTION aegis_app.list_accounts(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('accounts', (
    SELECT coalesce(jsonb_agg(aegis_app.account_json(a) ORDER BY a.created_at, a.id), '[]')
      FROM aegis_app.provider_account a WHERE a.tenant_id = aegis.tenant_id() AND a.disabled_at IS NULL)));
END $$;
COMMENT ON FUNCTION aegis_app.list_accounts(aegis.request) IS 'GET /api/payment-accounts';

CREATE FUNCTION aegis_app.post_account(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b      jsonb := request.body;
  new_id uuid;
BEGIN
  IF jsonb_typeof(b -> 'live') IS DISTINCT FROM 'boolean' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "live" must be true or false';
  END IF;
  new_id := aegis_app.connect_account(aegis_app.text_field(b, 'provider', 31), aegis_app.text_field(b, 'account', 128), aegis_app.currency_field(b),
    (b ->> 'live')::boolean, aegis_app.text_field(b, 'destination', 63), aegis_app.text_field(b, 'return_url', 400), b -> 'credential',
    aegis_app.flag_field(b, 'offered', NULL));
  RETURN aegis_app.ok(jsonb_build_object('id', new_id), 201);
EXCEPTION WHEN unique_violation THEN
  RETURN aegis_app.problem(409, 'account-taken', 'The account is connected already, or was');
END $$;
COMMENT ON FUNCTION aegis_app.post_account(aegis.request) IS
  'POST /api/payment-accounts {provider, account, currency, live, destination, return_url, credential, offered?}';

CREATE FUNCTION aegis_app.patch_account(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  offered boolean := aegis_app.flag_field(request.body, 'offered', NULL);
BEGIN
  IF offered IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "offered" must be true or false';
  ELSIF NOT aegis_app.change_account(aegis_app.uuid_of(request.params ->> 'id'), NULL, false, offered) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such account');
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.patch_account(aegis.request) IS 'PATCH /api/payment-accounts/{id} {offered}';

CREATE FUNCTION aegis_app.put_credential(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.change_account(aegis_app.uuid_of(request.params ->> 'id'), request.body -> 'credential', false) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such account');
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.put_credential(aegis.request) IS 'PUT /api/payment-accounts/{id}/credential {credential}';

CREATE FUNCTION aegis_app.delete_account(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.change_account(aegis_app.uuid_of(request.params ->> 'id'), NULL, true) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such account');
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.delete_account(aegis.request) IS 'DELETE /api/payment-accounts/{id}: nothing more is asked for there; what was paid stays';
