-- Keys: check values of master keys, wrapped root keys of tenants. docs/key.md.

CREATE TABLE aegis.master_key (
  version       bigint PRIMARY KEY CHECK (version > 0),
  check_value   bytea NOT NULL CHECK (pg_catalog.octet_length(check_value) = 8),
  state         text NOT NULL CHECK (state = 'registered'),
  registered_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
SELECT pg_catalog.pg_extension_config_dump('aegis.master_key', '');
COMMENT ON TABLE aegis.master_key IS 'master keys that this database has seen, by a check value; never the keys';

CREATE TABLE aegis.tenant_key (
  tenant_id      uuid NOT NULL,
  kind           text NOT NULL CHECK (kind IN ('root', 'index')),
  epoch          integer NOT NULL CHECK (epoch > 0),
  master_version bigint NOT NULL REFERENCES aegis.master_key,
  salt           bytea CHECK (pg_catalog.octet_length(salt) = 32),
  wrapped        bytea CHECK (pg_catalog.octet_length(wrapped) = 72),
  state          text NOT NULL CHECK (state IN ('active', 'retired', 'destroyed')),
  created_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
  frozen         boolean NOT NULL DEFAULT false,
  suite          smallint NOT NULL DEFAULT 1 CHECK (suite IN (1, 2)),
  check_value    bytea CHECK (pg_catalog.octet_length(check_value) = 8),
  PRIMARY KEY (tenant_id, kind, epoch),
  CHECK (kind = 'root' OR suite = 1),
  CHECK (suite = 2 OR check_value IS NULL),
  CHECK (state = 'destroyed' OR (salt IS NOT NULL AND wrapped IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant_key', '');
COMMENT ON COLUMN aegis.tenant_key.frozen IS 'of an index root: what the tenant''s searchable fields hold must not be written now';
COMMENT ON COLUMN aegis.tenant_key.suite IS 'of a root: 1 values are sealed without, 2 with a commitment to the key; bound by the wrapping';
COMMENT ON COLUMN aegis.tenant_key.check_value IS 'of a root that the tenant brought: 8 bytes that prove it and do not betray it';
COMMENT ON TABLE aegis.tenant_key IS 'root keys of tenants, wrapped under a master key; the nil tenant is the system';

CREATE FUNCTION aegis.provided_keys(OUT version bigint, OUT check_value bytea) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_provided_keys' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION aegis.provided_keys() IS 'check values of the master keys that the key provider delivers';

CREATE FUNCTION aegis.key_fault() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_key_fault' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION aegis.key_fault() IS 'why the key provider could not be read, NULL when it could';

CREATE FUNCTION aegis.key_status(OUT version bigint, OUT state text, OUT check_value text, OUT root_keys bigint,
                                 OUT fault text, OUT committing_keys bigint) RETURNS SETOF record
  LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
  SELECT COALESCE(p.version, m.version),
         CASE WHEN p.version IS NULL AND m.version IS NULL THEN 'none'
              WHEN p.version IS NULL AND k.roots = 0 THEN 'unused'
              WHEN p.version IS NULL THEN 'missing'
              WHEN m.version IS NULL THEN 'unregistered'
              WHEN p.check_value <> m.check_value THEN 'wrong'
              WHEN p.version = max(p.version) OVER () THEN 'active'
              ELSE 'previous' END,
         encode(COALESCE(m.check_value, p.check_value), 'hex'),
         k.roots,
         aegis.key_fault(),
         k.committing
    FROM (SELECT 1) one
    LEFT JOIN (aegis.provided_keys() p FULL JOIN aegis.master_key m ON m.version = p.version) ON true
    CROSS JOIN LATERAL (SELECT count(*) AS roots, count(*) FILTER (WHERE t.suite = 2) AS committing FROM aegis.tenant_key t WHERE t.master_version = m.version AND t.wrapped IS NOT NULL) k
   ORDER BY 1
$$;
COMMENT ON FUNCTION aegis.key_status() IS 'master keys of this database against those that the key provider delivers';

CREATE FUNCTION aegis.rotate_master_key(reason text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_rotate_master_key' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.rotate_master_key(text) IS
  'queues the job that wraps all root keys under the highest master key that the provider delivers; recorded';
