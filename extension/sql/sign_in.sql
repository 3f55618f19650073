-- Signing in: a password, and what else is due before there is a session. docs/sign_in.md.

CREATE TABLE aegis.challenge (
  token_hash    bytea PRIMARY KEY CHECK (pg_catalog.octet_length(token_hash) = 32),
  tenant_id     uuid NOT NULL,
  user_id       uuid NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at    timestamptz NOT NULL,
  code_due      boolean NOT NULL,
  enrolment_due boolean NOT NULL,
  password_due  boolean NOT NULL,
  issuer_id     uuid,
  CHECK (code_due OR enrolment_due OR password_due),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.challenge', '');
CREATE INDEX challenge_user ON aegis.challenge (user_id);
CREATE INDEX challenge_expiry ON aegis.challenge (expires_at);
COMMENT ON TABLE aegis.challenge IS 'who has shown a password, or came back from an issuer, and owes more before there is a session; opens nothing, by the SHA-256 of its token';
COMMENT ON COLUMN aegis.challenge.issuer_id IS 'where the user signs in; null: here';

CREATE FUNCTION aegis.sign_in(tenant text, email text, password text, ip text, user_agent text, request_id text,
                              OUT outcome text, OUT token text, OUT expires_at timestamptz, OUT retry_after integer, OUT due text)
  AS 'MODULE_PATHNAME', 'aegis_sign_in' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.sign_in(text, text, text, text, text, text) IS
  'verifies a password and starts the only session of the user, or a challenge for what else is due; outcome success, challenge, failed or busy';

CREATE FUNCTION aegis.answer_challenge(challenge text, code text, password text, ip text, user_agent text, request_id text,
                                       OUT outcome text, OUT token text, OUT expires_at timestamptz, OUT retry_after integer, OUT due text,
                                       OUT recovery_codes text[])
  AS 'MODULE_PATHNAME', 'aegis_answer_challenge' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.answer_challenge(text, text, text, text, text, text) IS
  'gives what a challenge asks for, a code or a new password; the session starts when nothing more is due';

CREATE FUNCTION aegis.begin_enrolment(challenge text, OUT secret text, OUT uri text, OUT qr text)
  AS 'MODULE_PATHNAME', 'aegis_begin_enrolment' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.begin_enrolment(text) IS
  'a new second factor for a challenge that asks for one; its first code answers the challenge';
