-- The roles of Aegis: created when missing, refused when somebody made them with rights of their own.
-- docs/role.md says what each may do.

DO $$
DECLARE
  wanted text;
  existing record;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['aegis_owner', 'aegis_gateway', 'aegis_member', 'aegis_operator',
                                'aegis_auditor', 'aegis_payment_service', 'aegis_agent'] LOOP
    SELECT r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
      INTO existing FROM pg_catalog.pg_roles r WHERE r.rolname = wanted;
    IF NOT FOUND THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
      EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', wanted, 'role of the extension aegis');
    ELSIF existing.rolsuper OR existing.rolbypassrls OR existing.rolcreaterole OR existing.rolcreatedb OR existing.rolreplication THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_role_specification',
        MESSAGE = pg_catalog.format('role "%s" exists with attributes that aegis does not allow', wanted),
        HINT = pg_catalog.format('Run ALTER ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION, or drop the role.', wanted);
    ELSIF existing.rolcanlogin AND pg_catalog.shobj_description(existing.oid, 'pg_authid') IS DISTINCT FROM 'role of the extension aegis' THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_role_specification',
        MESSAGE = pg_catalog.format('role "%s" was made by hand with LOGIN', wanted),
        HINT = pg_catalog.format('Drop the role, or run ALTER ROLE %I NOLOGIN; grant it to a login role after CREATE EXTENSION.', wanted);
    END IF;
    IF wanted = 'aegis_owner' AND EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                                           JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE r.rolname = wanted) THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_role_specification',
        MESSAGE = 'role "aegis_owner" has members',
        HINT = 'Revoke aegis_owner from every role; nobody may act as the owner of the ledger.';
    END IF;
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA aegis TO aegis_owner, aegis_gateway, aegis_member, aegis_operator, aegis_auditor,
                               aegis_payment_service, aegis_agent;
