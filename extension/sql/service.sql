-- Services, which sign their requests, and their secrets. docs/service.md.

CREATE TABLE aegis.service (
  id         uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  tenant_id  uuid REFERENCES aegis.tenant (id),
  rank       smallint NOT NULL CHECK (rank BETWEEN 1 AND 4),
  scopes     text[] NOT NULL CHECK (pg_catalog.cardinality(scopes) >= 1 AND pg_catalog.cardinality(scopes) <= 64
                                    AND pg_catalog.array_ndims(scopes) = 1
                                    AND pg_catalog.array_position(scopes, NULL) IS NULL
                                    AND pg_catalog.array_to_string(scopes, ' ') ~ '^[a-z][a-z0-9_.:-]{0,63}( [a-z][a-z0-9_.:-]{0,63})*$'),
  name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{0,47}$'),
  keys_made  integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  retired_at timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.service', '');
CREATE INDEX service_tenant ON aegis.service (tenant_id);
COMMENT ON TABLE aegis.service IS 'programs that sign their requests: of which tenant, what they may, since when';
COMMENT ON COLUMN aegis.service.tenant_id IS 'null: of no tenant, so its requests have no context and see no tenant''s rows';
COMMENT ON COLUMN aegis.service.keys_made IS 'numbers the secrets: an id of a key is never used again';

CREATE TABLE aegis.service_secret (
  key_id     text COLLATE "C" PRIMARY KEY,
  service_id uuid NOT NULL REFERENCES aegis.service (id),
  secret     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  retired_at timestamptz,
  tenant_id  uuid
);
SELECT pg_catalog.pg_extension_config_dump('aegis.service_secret', '');
CREATE INDEX service_secret_service ON aegis.service_secret (service_id);
COMMENT ON TABLE aegis.service_secret IS 'secrets of services, sealed; at most two of a service are in use';
COMMENT ON COLUMN aegis.service_secret.tenant_id IS 'the service''s, so that an erasure of the tenant finds it';

CREATE VIEW aegis.services AS
  SELECT s.name, s.tenant_id, s.rank, s.scopes, s.created_at, s.retired_at,
         ARRAY(SELECT k.key_id FROM aegis.service_secret k
                WHERE k.service_id = s.id AND k.retired_at IS NULL ORDER BY k.created_at, k.key_id) AS keys
    FROM aegis.service s;
COMMENT ON VIEW aegis.services IS 'services with the ids of the secrets that are in use';

CREATE FUNCTION aegis.create_service(name text, tenant uuid, scopes text[], rank smallint DEFAULT 1,
                                     OUT key_id text, OUT secret text)
  AS 'MODULE_PATHNAME', 'aegis_create_service' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.create_service(text, uuid, text[], smallint) IS
  'makes a service of a tenant (null: of none); the secret, in base64, is shown this once';

CREATE FUNCTION aegis.set_service(name text, scopes text[], rank smallint) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_set_service' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.set_service(text, text[], smallint) IS 'changes what a service may';

CREATE FUNCTION aegis.rotate_service_secret(name text, OUT key_id text, OUT secret text)
  AS 'MODULE_PATHNAME', 'aegis_rotate_service_secret' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.rotate_service_secret(text) IS
  'gives a service a second secret beside the one in use, shown this once';

CREATE FUNCTION aegis.sign_request(service text, method text, url text, body bytea DEFAULT NULL) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'aegis_sign_request' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.sign_request(text, text, text, bytea) IS
  'fields that prove a request to a service as coming from this database; made with its newest secret';

CREATE FUNCTION aegis.retire_service_secret(key_id text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_retire_service_secret' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.retire_service_secret(text) IS 'takes a secret out of use, for good';

CREATE FUNCTION aegis.retire_service(name text, reason text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_retire_service' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.retire_service(text, text) IS 'takes a service and its secrets out of use, for good';
