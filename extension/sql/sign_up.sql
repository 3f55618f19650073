-- Signing an organisation up: whoever reads the mail of an address may make one, where the service allows it. docs/sign_up.md.

CREATE TABLE aegis.sign_up (
  token_hash bytea PRIMARY KEY CHECK (pg_catalog.octet_length(token_hash) = 32),
  asked      bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at timestamptz NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('aegis.sign_up', '');
CREATE INDEX sign_up_expiry ON aegis.sign_up (expires_at);
COMMENT ON TABLE aegis.sign_up IS 'who wants an organisation and has not read the mail yet, by the SHA-256 of its token';
COMMENT ON COLUMN aegis.sign_up.asked IS 'names and address, sealed under the system''s keys for this row';

INSERT INTO aegis.mail_template (name, language, subject, body, by_extension) VALUES
  ('sign_up', 'en', 'Your new organisation',
   E'Somebody, probably you, wants to open an organisation here with this address.\n\nGo on within a day:\n{{link}}\n\nThe link works once. If it was not you, do nothing: nothing was made.\n', true);

CREATE FUNCTION aegis.seal_outbound(tenant uuid, kind text, idempotency_key text, payload bytea) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_seal_outbound' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.seal_outbound(uuid, text, text, bytea) IS 'seals what aegis.open_outbound() opens; for Aegis alone';

CREATE FUNCTION aegis.add_first_admin(tenant uuid, email text, name text, password text) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_add_first_admin' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.add_first_admin(uuid, text, text, text) IS 'the admin of a tenant that was signed up just now; for Aegis alone';

CREATE FUNCTION aegis.sign_up_open(OUT open boolean, OUT region text)
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT current_setting('aegis.sign_up')::boolean AND current_setting('aegis.public_address') <> '', current_setting('aegis.region') $$;
COMMENT ON FUNCTION aegis.sign_up_open() IS 'whether organisations may be signed up here, and in which region they are then';

CREATE FUNCTION aegis.request_sign_up(organisation text, region text, name text, email text) RETURNS integer
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  wait integer;
  token text;
  hash bytea;
BEGIN
  IF NOT (SELECT s.open FROM aegis.sign_up_open() s) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'organisations cannot be signed up here',
      HINT = 'An operator switches it on with aegis.sign_up and aegis.public_address.';
  ELSIF region IS DISTINCT FROM current_setting('aegis.region') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012', MESSAGE = format('organisation belongs to region "%s", this is "%s"', left(coalesce(region, ''), 16), current_setting('aegis.region')),
      HINT = 'Sign up at the address of that region.';
  ELSIF organisation IS NULL OR char_length(organisation) NOT BETWEEN 1 AND 200 OR organisation ~ '[[:cntrl:]]'
        OR name IS NULL OR octet_length(btrim(name)) NOT BETWEEN 1 AND 200 OR name ~ '[[:cntrl:]]' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'organisation and name must have 1 to 200 characters on one line';
  ELSIF aegis.login_value(NULL, email) IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'e-mail is not an address';
  ELSIF NOT aegis.is_free_of_card_data(organisation) OR NOT aegis.is_free_of_card_data(name) OR NOT aegis.is_free_of_card_data(email) THEN
    RAISE EXCEPTION USING ERRCODE = 'AG020', MESSAGE = 'organisation, name or e-mail holds card data';
  END IF;
  wait := aegis.take_attempt(NULL);
  IF wait IS NOT NULL THEN
    RETURN wait;
  END IF;
  IF NOT aegis.take_mail(convert_to('sign_up ' || lower(btrim(email)), 'UTF8')) THEN
    RETURN NULL;  -- it was mailed before, by whomever; who asks learns nothing of that
  END IF;
  token := aegis.new_user_token();
  hash := sha256(convert_to(token, 'UTF8'));
  INSERT INTO aegis.sign_up (token_hash, asked, expires_at)
    VALUES (hash, aegis.seal_outbound(NULL, 'sign_up', encode(hash, 'hex'),
              convert_to(jsonb_build_object('organisation', organisation, 'name', btrim(name), 'email', email)::text, 'UTF8')), now() + interval '1 day');
  PERFORM aegis.queue_mail('sign_up', email::aegis.sealed_email, jsonb_build_object('link', aegis.public_link('/sign-up', token)), expires_at => now() + interval '1 day');
  PERFORM aegis.record_tenant_event('tenant.sign_up_requested', NULL, 'region', region, '{}');
  RETURN NULL;
END $$;
COMMENT ON FUNCTION aegis.request_sign_up(text, text, text, text) IS
  'mails the link that goes on with an organisation, three an hour to one address at most; makes nothing yet; seconds to wait when the network asked too often';

CREATE FUNCTION aegis.finish_sign_up(token text, slug text, password text, taken_elsewhere boolean DEFAULT false, OUT outcome text, OUT retry_after integer,
                                     OUT organisation text)
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  hash bytea := sha256(convert_to(token, 'UTF8'));
  asked jsonb;
  made uuid;
BEGIN
  SELECT convert_from(aegis.open_outbound(NULL, 'sign_up', encode(hash, 'hex'), s.asked), 'UTF8')::jsonb INTO asked
    FROM aegis.sign_up s WHERE s.token_hash = hash AND s.expires_at > now() FOR UPDATE;
  IF asked IS NULL OR NOT (SELECT o.open FROM aegis.sign_up_open() o) THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  -- Only who has shown an address learns which names are taken.
  IF taken_elsewhere OR EXISTS (SELECT FROM aegis.tenant t WHERE t.slug = finish_sign_up.slug) THEN
    outcome := 'taken';
    RETURN;
  END IF;
  made := aegis.create_tenant(slug, asked ->> 'organisation');
  PERFORM aegis.add_first_admin(made, asked ->> 'email', asked ->> 'name', password);
  DELETE FROM aegis.sign_up s WHERE s.token_hash = hash;
  PERFORM aegis.record_tenant_event('tenant.signed_up', made, 'tenant', made::text, '{}');
  outcome := 'success';
  organisation := slug;
END $$;
COMMENT ON FUNCTION aegis.finish_sign_up(text, text, text, boolean) IS
  'makes the organisation of a mailed token, with its short name, which no other region may have, and the password of its first admin; outcome success, taken or unknown';
