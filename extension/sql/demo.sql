-- Demo mode: sample logins for the sign-in page. docs/demo.md.

CREATE TABLE aegis.demo_login (
  tenant   text NOT NULL,
  email    text NOT NULL,
  password text NOT NULL,
  remark   text NOT NULL,
  PRIMARY KEY (tenant, email)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.demo_login', '');
COMMENT ON TABLE aegis.demo_login IS 'published sample logins; shown in demo mode only';

CREATE FUNCTION aegis.is_demo() RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_demo' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_demo() IS 'whether the server was started in demo mode';

CREATE FUNCTION aegis.set_demo_logins(logins jsonb) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT aegis.is_demo() THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'server is not in demo mode',
      HINT = 'Start it with aegis.demo = on; in production that is refused.';
  END IF;
  DELETE FROM aegis.demo_login;
  INSERT INTO aegis.demo_login (tenant, email, password, remark)
    SELECT l.tenant, l.email, l.password, l.remark FROM jsonb_to_recordset(logins) AS l(tenant text, email text, password text, remark text);
END $$;
COMMENT ON FUNCTION aegis.set_demo_logins(jsonb) IS 'sets the sample logins of demo mode: an array of {tenant, email, password, remark}; for operators';

CREATE FUNCTION aegis.demo_logins(OUT tenant text, OUT email text, OUT password text, OUT remark text) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$ SELECT l.tenant, l.email, l.password, l.remark FROM aegis.demo_login l WHERE aegis.is_demo() ORDER BY l.tenant, l.remark, l.email $$;
COMMENT ON FUNCTION aegis.demo_logins() IS 'sample logins, nothing unless the server is in demo mode';
