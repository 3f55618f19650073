-- The second factor: one-time passwords of an authenticator, and recovery codes. docs/second_factor.md.

CREATE TABLE aegis.second_factor (
  tenant_id    uuid NOT NULL,
  user_id      uuid NOT NULL,
  status       text NOT NULL CHECK (status IN ('pending', 'active')),
  secret       aegis.sealed_bytea NOT NULL,
  last_step    bigint NOT NULL DEFAULT 0,
  created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  confirmed_at timestamptz,
  PRIMARY KEY (tenant_id, user_id, status),
  CHECK ((confirmed_at IS NULL) = (status = 'pending')),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.second_factor', '');
COMMENT ON TABLE aegis.second_factor IS 'secrets of authenticators: the one that counts, and one that its user is setting up';
COMMENT ON COLUMN aegis.second_factor.last_step IS 'the last step of 30 seconds whose code was used; neither it nor an older one is taken again';

CREATE TABLE aegis.recovery_code (
  tenant_id uuid NOT NULL,
  user_id   uuid NOT NULL,
  code_hash bytea NOT NULL CHECK (pg_catalog.octet_length(code_hash) = 32),
  PRIMARY KEY (tenant_id, user_id, code_hash),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.recovery_code', '');
COMMENT ON TABLE aegis.recovery_code IS 'codes that replace a lost authenticator, by their hash; a used one is gone';

CREATE TABLE aegis.second_factor_policy (
  tenant_id    uuid PRIMARY KEY REFERENCES aegis.tenant (id),
  minimum_rank smallint NOT NULL CHECK (minimum_rank BETWEEN 1 AND 4)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.second_factor_policy', '');
COMMENT ON TABLE aegis.second_factor_policy IS 'from which rank on a tenant wants a second factor; without a row it is everybody''s choice';

CREATE TABLE aegis.second_factor_reset (
  tenant_id    uuid NOT NULL,
  user_id      uuid NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (tenant_id, user_id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.second_factor_reset', '');
COMMENT ON TABLE aegis.second_factor_reset IS 'admins whose second factor one person wants to take away; it takes a second person';

CREATE FUNCTION aegis.begin_second_factor(OUT secret text, OUT uri text, OUT qr text)
  AS 'MODULE_PATHNAME', 'aegis_begin_second_factor' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.begin_second_factor() IS
  'a new secret for the authenticator of the caller, as text, address and QR code; counts once a code of it was confirmed';

CREATE FUNCTION aegis.confirm_second_factor(code text) RETURNS text[]
  AS 'MODULE_PATHNAME', 'aegis_confirm_second_factor' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.confirm_second_factor(text) IS
  'makes the secret that was begun the second factor of the caller; returns ten recovery codes, shown this once';

CREATE FUNCTION aegis.remove_second_factor() RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_remove_second_factor' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.remove_second_factor() IS 'takes the second factor of the caller away, unless the tenant wants one of their rank';

CREATE FUNCTION aegis.new_recovery_codes() RETURNS text[]
  AS 'MODULE_PATHNAME', 'aegis_new_recovery_codes' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.new_recovery_codes() IS 'ten new recovery codes for the caller in place of those before, shown this once';

CREATE FUNCTION aegis.second_factor(OUT active boolean, OUT confirmed_at timestamptz, OUT recovery_codes integer, OUT required boolean)
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT f.confirmed_at IS NOT NULL, f.confirmed_at,
           (SELECT count(*)::integer FROM aegis.recovery_code c WHERE c.tenant_id = me.tenant AND c.user_id = me.id),
           EXISTS (SELECT FROM aegis.second_factor_policy p WHERE p.tenant_id = me.tenant AND p.minimum_rank <= aegis.rank())
      FROM (SELECT aegis.require_tenant() AS tenant, aegis.user_id() AS id) me
      LEFT JOIN aegis.second_factor f ON f.tenant_id = me.tenant AND f.user_id = me.id AND f.status = 'active'
  $$;
COMMENT ON FUNCTION aegis.second_factor() IS 'the second factor of the caller: whether there is one and must be one, and how many recovery codes are left';

CREATE FUNCTION aegis.require_second_factor(minimum_rank smallint) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_require_second_factor' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.require_second_factor(smallint) IS
  'from which rank on the tenant wants a second factor, from the next sign-in on; NULL: of nobody';

CREATE FUNCTION aegis.reset_second_factor(user_id uuid) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_reset_second_factor' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.reset_second_factor(uuid) IS
  'takes the second factor of another user away and ends their session: done; for an admin a second person must call it within a day: requested';
