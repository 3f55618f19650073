-- What requests were answered, kept for those that come again under the same Idempotency-Key. docs/idempotency.md.

CREATE TABLE aegis.idempotency_key (
  tenant_id  uuid NOT NULL REFERENCES aegis.tenant (id),
  scope      bytea NOT NULL CHECK (pg_catalog.octet_length(scope) = 32),
  status     integer NOT NULL CHECK (status BETWEEN 200 AND 499),
  headers    text[] NOT NULL,
  answer     bytea,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, scope)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.idempotency_key', '');
CREATE INDEX idempotency_key_expiry ON aegis.idempotency_key (tenant_id, expires_at);
COMMENT ON TABLE aegis.idempotency_key IS 'answers of requests that carried an Idempotency-Key, for a day or thirty';
COMMENT ON COLUMN aegis.idempotency_key.scope IS 'SHA-256 of caller, method, route and key';
COMMENT ON COLUMN aegis.idempotency_key.answer IS
  'sealed: SHA-256 of target and body of the request, then the body of the answer; NULL since somebody of the tenant was erased';
