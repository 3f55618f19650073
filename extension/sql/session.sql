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
  end_reason   text CHECK (end_reason IN ('superseded', 'signed_out', 'deactivated', 'expired', 'suspended', 'credentials_changed', 'revoked', 'issuer')),
  confirmed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  device       aegis.sealed_text,
  network      aegis.sealed_text,
  issuer_id    uuid,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.session', '');
-- The single-session rule: a race between two sign-ins ends here.
CREATE UNIQUE INDEX session_live ON aegis.session (user_id) WHERE ended_at IS NULL;
CREATE INDEX session_expiry ON aegis.session (expires_at) WHERE issuer_id IS NULL;
-- An issuer may show the sid of an ended session for months: forgotten, it would begin anew and end the one in use.
CREATE INDEX session_issuer_expiry ON aegis.session (expires_at) WHERE issuer_id IS NOT NULL;
COMMENT ON TABLE aegis.session IS 'sessions by the SHA-256 of their token; ended ones stay a day so that the reason can be told';
COMMENT ON COLUMN aegis.session.confirmed_at IS 'when its user last showed who they are: at sign-in, or by aegis.step_up()';
COMMENT ON COLUMN aegis.session.device IS 'program that signed in, as it called itself';
COMMENT ON COLUMN aegis.session.network IS 'address that the sign-in came from, as the gateway said';
COMMENT ON COLUMN aegis.session.issuer_id IS 'whose token began it, then known by the hash of its sid, or where its user signed in; null: a sign-in here';
COMMENT ON INDEX aegis.session_live IS 'at most one live session per user';

CREATE FUNCTION aegis.authenticate(token text, ip text DEFAULT NULL, user_agent text DEFAULT NULL, request_id text DEFAULT NULL)
  RETURNS void AS 'MODULE_PATHNAME', 'aegis_authenticate' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.authenticate(text, text, text, text) IS
  'sets the context of this transaction from a session token; ERROR AG016 when it is not valid';

CREATE FUNCTION aegis.sign_out() RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_sign_out' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.sign_out() IS 'ends the session of the current context';

CREATE FUNCTION aegis.sessions(OUT id uuid, OUT user_id uuid, OUT device text, OUT network text, OUT created_at timestamptz,
                               OUT last_seen_at timestamptz, OUT expires_at timestamptz, OUT ended_at timestamptz, OUT end_reason text,
                               OUT live boolean, OUT current boolean)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    RETURN QUERY
    SELECT s.id, s.user_id, aegis.legible(s.device), aegis.legible(s.network), s.created_at, s.last_seen_at, s.expires_at, s.ended_at, s.end_reason,
           s.ended_at IS NULL AND s.expires_at > now() AND s.last_seen_at > now() - current_setting('aegis.session_idle_timeout')::interval,
           coalesce(s.id = aegis.session_id(), false)
      FROM aegis.session s
     WHERE s.tenant_id = aegis.require_tenant() AND (s.user_id = aegis.user_id() OR aegis.rank() = 4)
     ORDER BY s.created_at DESC, s.id;
  END $$;
COMMENT ON FUNCTION aegis.sessions() IS
  'sessions of the caller, for admins of everybody in the tenant: those that live, and those that ended within their time and a day';

CREATE FUNCTION aegis.end_session(session uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_end_session' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.end_session(uuid) IS 'ends a session of the caller''s own, or of somebody whom the caller may change';

CREATE FUNCTION aegis.expire_sessions(at_most integer) RETURNS integer
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    WITH late AS (
      DELETE FROM aegis.challenge c
       WHERE c.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.challenge o WHERE o.expires_at < now()
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))),
    dead AS (
      DELETE FROM aegis.user_token k
       WHERE k.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.user_token o WHERE o.expires_at < now() - interval '30 days'
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))),
    unwanted AS (
      DELETE FROM aegis.sign_up k
       WHERE k.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.sign_up o WHERE o.expires_at < now()
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))),
    forgotten AS (
      DELETE FROM aegis.user_origin k
       WHERE k.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.user_origin o WHERE o.seen_at < now() - interval '90 days'
                                  ORDER BY o.seen_at LIMIT at_most FOR UPDATE SKIP LOCKED))),
    gone AS (
      DELETE FROM aegis.session s
       WHERE s.ctid = ANY (ARRAY(SELECT o.ctid FROM aegis.session o
                                  WHERE o.issuer_id IS NULL AND o.expires_at < now() - interval '1 day'
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED)
                        || ARRAY(SELECT o.ctid FROM aegis.session o
                                  WHERE o.issuer_id IS NOT NULL AND o.expires_at < now() - interval '1 year'
                                  ORDER BY o.expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))
      RETURNING 1)
    SELECT count(*)::integer FROM gone
  $$;
COMMENT ON FUNCTION aegis.expire_sessions(integer) IS
  'removes at most so many sessions that expired more than a day ago, of an issuer a year, expired challenges, old tokens and origins; returns how many sessions';
