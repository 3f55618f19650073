-- The roles of Aegis: none can log in, none has an attribute or more than its own rights, nobody is the owner, and a
-- role that somebody prepared is not adopted.
\set VERBOSITY terse
SET client_min_messages = warning;

-- allows: seven roles without login and without attributes
SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit
  FROM pg_roles WHERE rolname ~ '^aegis_' ORDER BY 1;

-- refuses: membership between them
SELECT m.roleid::regrole, m.member::regrole FROM pg_auth_members m
 WHERE m.roleid::regrole::text ~ '^aegis_' AND m.member::regrole::text ~ '^aegis_' ORDER BY 1, 2;

-- refuses: the gateway's login reads no table, no view and no sequence of the extension
CREATE ROLE regress_role_gateway LOGIN IN ROLE aegis_gateway;
SELECT c.oid::regclass AS readable FROM pg_class c
 WHERE c.relnamespace = 'aegis'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
   AND (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('regress_role_gateway', c.oid, 'USAGE, SELECT, UPDATE')
             ELSE has_table_privilege('regress_role_gateway', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END);

-- refuses: the auditor writes nothing, and opens nothing
CREATE ROLE regress_role_auditor LOGIN IN ROLE aegis_auditor;
SELECT c.oid::regclass AS writable FROM pg_class c
 WHERE c.relnamespace = 'aegis'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
   AND has_table_privilege('regress_role_auditor', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');
SELECT p.oid::regprocedure AS opens FROM pg_proc p
 WHERE p.pronamespace = 'aegis'::regnamespace AND p.proname IN ('reveal', 'masked')
   AND has_function_privilege('regress_role_auditor', p.oid, 'EXECUTE');

-- refuses: nobody but a superuser reaches a table of another concept through aegis_member
SELECT c.oid::regclass AS reachable FROM pg_class c
 WHERE c.relnamespace = 'aegis'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
   AND has_table_privilege('aegis_member', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');

-- refuses: acting as a role that one is no member of
SET SESSION AUTHORIZATION regress_role_auditor;
SET ROLE aegis_owner;
SET ROLE aegis_operator;
SET ROLE aegis_gateway;
RESET SESSION AUTHORIZATION;

-- refuses: attributes, and members of the owner; by the library, so that a superuser gets the same answer
ALTER ROLE aegis_operator BYPASSRLS;
ALTER ROLE aegis_member SUPERUSER;
GRANT aegis_owner TO regress_role_auditor;

DROP ROLE regress_role_gateway, regress_role_auditor;
