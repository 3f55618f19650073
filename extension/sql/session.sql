-- Sessions. docs/session.md.

CREATE TABLE aegis.session (
  id           uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  tenant_id    uuid NOT NULL,
  user_id      uuid NOT NULL,
  token_hash   bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(token_hash) = 32),
  created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  last_seen_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at   timestamptz NOT NULL,
  ended_at     timestamptz,
  end_reason   text CHECK (end_reason IN ('superseded', 'signed_out', 'deactivated', 'expired', 'suspended', 'credentials_changed')),
  confirmed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.session', '');
-- The single-session rule: a race between two sign-ins ends here.
CREATE UNIQUE INDEX session_live ON aegis.session (user_id) WHERE ended_at IS NULL;
CREATE INDEX session_expiry ON aegis.session (expires_at);
COMMENT ON TABLE aegis.session IS 'sessions by the SHA-256 of their token; ended ones stay a day so that the reason can be told';
COMMENT ON COLUMN aegis.session.confirmed_at IS 'when its user last showed who they are: at sign-in, or by aegis.step_up()';
COMMENT ON INDEX aegis.session_live IS 'at most one live session per user';

CREATE FUNCTION aegis.authenticate(token text, ip text DEFAULT NULL, user_agent text DEFAULT NULL, request_id text DEFAULT NULL)
  RETURNS void AS 'MODULE_PATHNAME', 'aegis_authenticate' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.authenticate(text, text, text, text) IS
  'sets the context of this transaction from a session token; ERROR AG016 when it is not valid';

CREATE FUNCTION aegis.sign_out() RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_sign_out' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.sign_out() IS 'ends the session of the current context';

CREATE FUNCTION aegis.expire_sessions(at_most integer) RETURNS integer
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    WITH late AS (
      DELETE FROM aegis.challenge c
       WHERE c.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.challenge o WHERE o.expires_at < now()
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))),
    gone AS (
      DELETE FROM aegis.session s
       WHERE s.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.session o
                                  WHERE o.expires_at < now() - interval '1 day'
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))
      RETURNING 1)
    SELECT count(*)::integer FROM gone
  $$;
COMMENT ON FUNCTION aegis.expire_sessions(integer) IS
  'removes at most so many sessions that expired more than a day ago, and expired challenges; returns how many sessions';
