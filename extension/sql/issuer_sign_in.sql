-- Signing in at an issuer: the authorization code flow with PKCE. docs/issuer.md.

CREATE TABLE aegis.issuer_client (
  issuer_id         uuid        PRIMARY KEY REFERENCES aegis.issuer (id),
  title             text        NOT NULL CHECK (pg_catalog.length(title) BETWEEN 1 AND 60),
  client_id         text        NOT NULL CHECK (client_id ~ '^[!#-\[\]-~]{1,255}$'),
  authorization_url text        NOT NULL,
  token_path        text        NOT NULL,
  redirect_url      text        NOT NULL,
  sign_out_url      text,
  private_key       bytea       NOT NULL,
  public_key        jsonb       NOT NULL,
  made_at           timestamptz NOT NULL DEFAULT pg_catalog.now()
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_client', '');
COMMENT ON TABLE aegis.issuer_client IS 'what Aegis is to an issuer: its client, where people go and come back, and the key that proves it, sealed';

CREATE TABLE aegis.issuer_attempt (
  token_hash       bytea       PRIMARY KEY CHECK (pg_catalog.octet_length(token_hash) = 32),
  issuer_id        uuid        NOT NULL REFERENCES aegis.issuer (id),
  nonce            text        NOT NULL,
  state            text        NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'known', 'failed')),
  job              bigint,
  tenant_id        uuid,
  user_id          uuid,
  second_factor    boolean     NOT NULL DEFAULT false,
  expires_at       timestamptz NOT NULL,
  CHECK ((state = 'known') = (user_id IS NOT NULL)),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.issuer_attempt', '');
CREATE INDEX issuer_attempt_expiry ON aegis.issuer_attempt (expires_at);
CREATE INDEX issuer_attempt_user ON aegis.issuer_attempt (tenant_id, user_id);
COMMENT ON TABLE aegis.issuer_attempt IS 'who came back from an issuer with a code, by the SHA-256 of their cookie; gone when the answer was fetched, or late';

CREATE FUNCTION aegis.make_client_key(issuer uuid, OUT private_key bytea, OUT public_key text)
  AS 'MODULE_PATHNAME', 'aegis_make_client_key' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.make_client_key(uuid) IS 'a new key for the client at an issuer, the private part sealed; for Aegis alone';

CREATE FUNCTION aegis.set_issuer_client(name text, title text, client_id text, authorization_url text, token_path text, redirect_url text,
                                        sign_out_url text DEFAULT NULL) RETURNS jsonb
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  address CONSTANT text := '^https://[a-z0-9.-]+(:[1-9][0-9]{0,4})?(/[A-Za-z0-9_.~-]+)*/?$';
  known   aegis.issuer;
  made    record;
BEGIN
  known := aegis.require_issuer(name);
  IF known.destination IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('issuer "%s" has no destination', name),
      HINT = 'SELECT aegis.set_issuer(NAME, destination => …) first: codes are exchanged there.';
  END IF;
  IF (length(title) BETWEEN 1 AND 60 AND client_id ~ '^[!#-\[\]-~]{1,255}$'
      AND authorization_url ~ address AND octet_length(authorization_url) <= 255 AND redirect_url ~ address AND octet_length(redirect_url) <= 255
      AND (sign_out_url IS NULL OR sign_out_url ~ address AND octet_length(sign_out_url) <= 255)
      AND token_path ~ '^(/[A-Za-z0-9_.~-]+)+$' AND token_path !~ '/[.][.]?(/|$)' AND octet_length(token_path) <= 200) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'client of an issuer is not well formed',
      HINT = 'A title, an id, https addresses without query, and the path of the token endpoint below the destination.';
  END IF;
  SELECT k.* INTO made FROM aegis.make_client_key(known.id) k;
  INSERT INTO aegis.issuer_client (issuer_id, title, client_id, authorization_url, token_path, redirect_url, sign_out_url, private_key, public_key)
    VALUES (known.id, set_issuer_client.title, set_issuer_client.client_id, set_issuer_client.authorization_url, set_issuer_client.token_path,
            set_issuer_client.redirect_url, set_issuer_client.sign_out_url, made.private_key, made.public_key::jsonb)
    ON CONFLICT (issuer_id) DO UPDATE SET (title, client_id, authorization_url, token_path, redirect_url, sign_out_url, private_key, public_key, made_at)
      = ROW (excluded.title, excluded.client_id, excluded.authorization_url, excluded.token_path, excluded.redirect_url, excluded.sign_out_url, excluded.private_key,
             excluded.public_key, excluded.made_at);
  PERFORM aegis.record_tenant_event('issuer.client_set', NULL, 'issuer', name,
    jsonb_strip_nulls(jsonb_build_object('client', client_id, 'authorization_url', authorization_url, 'token_path', token_path, 'redirect_url', redirect_url,
                                         'sign_out_url', sign_out_url, 'kid', made.public_key::jsonb ->> 'kid')));
  RETURN made.public_key::jsonb;
END $$;
COMMENT ON FUNCTION aegis.set_issuer_client(text, text, text, text, text, text, text) IS
  'lets people sign in at an issuer, as this client, with a new key whose public part it returns, and sign out there; for operators; recorded';

CREATE FUNCTION aegis.issuer_buttons() RETURNS jsonb
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(jsonb_build_object('name', i.name, 'title', c.title) ORDER BY i.name), '[]')
    FROM aegis.issuer_client c JOIN aegis.issuer i ON i.id = c.issuer_id WHERE i.retired_at IS NULL;
END;
COMMENT ON FUNCTION aegis.issuer_buttons() IS 'issuers at which people may sign in, with what stands on the button';

CREATE FUNCTION aegis.client_jwks() RETURNS jsonb
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_build_object('keys', coalesce(jsonb_agg(c.public_key ORDER BY c.made_at), '[]'))
    FROM aegis.issuer_client c JOIN aegis.issuer i ON i.id = c.issuer_id WHERE i.retired_at IS NULL;
END;
COMMENT ON FUNCTION aegis.client_jwks() IS 'the public keys with which Aegis proves who it is to issuers, as a JWK set';

CREATE FUNCTION aegis.get_issuers(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, jsonb_build_object('issuers', aegis.issuer_buttons()));
END $$;
COMMENT ON FUNCTION aegis.get_issuers(aegis.request) IS 'GET /api/issuers';

CREATE FUNCTION aegis.get_client_jwks(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, aegis.client_jwks());
END $$;
COMMENT ON FUNCTION aegis.get_client_jwks(aegis.request) IS 'GET /api/issuers/jwks';

-- Somebody who comes back with a code; false: this cookie did before, or too many wait.
CREATE FUNCTION aegis.queue_issuer_code(token_hash bytea, issuer uuid, nonce text, body bytea) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c    aegis.issuer_client;
  i    aegis.issuer;
  made bigint;
BEGIN
  DELETE FROM aegis.issuer_attempt a WHERE a.token_hash = ANY (ARRAY(
    SELECT o.token_hash FROM aegis.issuer_attempt o WHERE o.expires_at < clock_timestamp() ORDER BY o.expires_at LIMIT 20 FOR UPDATE SKIP LOCKED));
  SELECT t.* INTO STRICT i FROM aegis.issuer t WHERE t.id = queue_issuer_code.issuer;
  SELECT t.* INTO STRICT c FROM aegis.issuer_client t WHERE t.issuer_id = i.id;
  IF (SELECT count(*) FROM (SELECT FROM aegis.issuer_attempt a WHERE a.state = 'asked' LIMIT 200) w) = 200 THEN
    RETURN false;
  END IF;
  INSERT INTO aegis.issuer_attempt (token_hash, issuer_id, nonce, expires_at)
    VALUES (queue_issuer_code.token_hash, i.id, queue_issuer_code.nonce, clock_timestamp() + interval '2 min') ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  made := aegis.queue_outbound('issuer_code', convert_to(jsonb_build_object('method', 'POST', 'path', c.token_path,
            'headers', '{"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}'::jsonb,
            'body', replace(encode(body, 'base64'), E'\n', ''), 'accept', '[200, 400, 401]'::jsonb, 'answer_bytes', 65536)::text, 'UTF8'),
            destination => i.destination, target => i.name);
  UPDATE aegis.issuer_attempt a SET job = made WHERE a.token_hash = queue_issuer_code.token_hash;
  RETURN true;
END $$;
COMMENT ON FUNCTION aegis.queue_issuer_code(bytea, uuid, text, bytea) IS 'has a code exchanged for tokens; for Aegis alone';

CREATE FUNCTION aegis.read_id_answer(issuer uuid, nonce text, client_id text, answer bytea,
                                     OUT fault text, OUT tenant_id uuid, OUT user_id uuid, OUT second_factor boolean)
  AS 'MODULE_PATHNAME', 'aegis_read_id_answer' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.read_id_answer(uuid, text, text, bytea) IS 'whom the ID token in the answer of a token endpoint names, or what is wrong with it; for Aegis alone';

CREATE FUNCTION aegis.take_issuer_code(job aegis.outbox, answer bytea, detail jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  a    aegis.issuer_attempt;
  c    aegis.issuer_client;
  said record;
BEGIN
  SELECT t.* INTO a FROM aegis.issuer_attempt t WHERE t.job = take_issuer_code.job.id AND t.state = 'asked' FOR UPDATE;
  IF a.token_hash IS NULL THEN
    RETURN 'not waited for any more';
  END IF;
  SELECT t.* INTO STRICT c FROM aegis.issuer_client t WHERE t.issuer_id = a.issuer_id;
  IF detail ->> 'status' = '200' THEN
    SELECT r.* INTO said FROM aegis.read_id_answer(a.issuer_id, a.nonce, c.client_id, coalesce(answer, '')) r;
  ELSE
    SELECT 'code' AS fault INTO said;
  END IF;
  IF said.fault IS NULL THEN
    UPDATE aegis.issuer_attempt t SET state = 'known', tenant_id = said.tenant_id, user_id = said.user_id, second_factor = said.second_factor
     WHERE t.token_hash = a.token_hash;
    RETURN 'known';
  END IF;
  UPDATE aegis.issuer_attempt t SET state = 'failed' WHERE t.token_hash = a.token_hash;
  PERFORM aegis.record_tenant_event('auth.token_refused', NULL, 'issuer', job.target, jsonb_build_object('detail', said.fault));
  RETURN said.fault;
END $$;
COMMENT ON FUNCTION aegis.take_issuer_code(aegis.outbox, bytea, jsonb) IS 'takes what a token endpoint answered; for the outbox';

-- The assertion in it is good for a minute.
INSERT INTO aegis.outbox_kind VALUES
  ('issuer_code', 'a code of an issuer to be exchanged for tokens', 'http', 'aegis.take_issuer_code', false, 3, '1 s', '5 s', '1 min', true);
