-- Step-up: dangerous actions want a user who has shown who they are a short while ago. docs/step_up.md.

CREATE FUNCTION aegis.step_up(code text, password text, OUT outcome text, OUT retry_after integer)
  AS 'MODULE_PATHNAME', 'aegis_step_up' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.step_up(text, text) IS
  'confirms the session of the context by a code of the second factor, or by the password where there is none; outcome success, failed or busy';

CREATE FUNCTION aegis.require_step_up(max_age interval DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_require_step_up' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED;
COMMENT ON FUNCTION aegis.require_step_up(interval) IS
  'ERROR AG021 unless the session of the context was confirmed within that time; without one, within aegis.step_up_time';
