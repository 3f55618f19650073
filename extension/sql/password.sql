-- Passwords after the first: changed by their users, ordered by admins, and hashed as slowly as the machine allows. docs/password.md.

CREATE FUNCTION aegis.change_password(old text, new text, OUT outcome text, OUT retry_after integer)
  AS 'MODULE_PATHNAME', 'aegis_change_password' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.change_password(text, text) IS
  'gives the caller a new password, after the old one; outcome success, failed or busy';

CREATE FUNCTION aegis.order_password_change(user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_order_password_change' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.order_password_change(uuid) IS
  'ends the session of another user, who must choose a new password at the next sign-in';

CREATE FUNCTION aegis.tune_password_hash(target_ms integer, OUT memory_kib integer, OUT iterations integer, OUT milliseconds integer)
  AS 'MODULE_PATHNAME', 'aegis_tune_password_hash' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.tune_password_hash(integer) IS
  'values for aegis.password_memory and aegis.password_iterations with which a hash takes about so long here, never below OWASP''s minimum';
