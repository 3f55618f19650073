-- The context cannot be set by anything but a verified way in, and getters are NULL without one.
\set VERBOSITY terse

-- allows: nothing set, every getter is NULL
SELECT aegis.tenant_id() IS NULL AND aegis.user_id() IS NULL AND aegis.rank() IS NULL AND aegis.team_lo() IS NULL
   AND aegis.user_lo() IS NULL AND aegis.auth_method() IS NULL AS unset;

-- allows: the planner to take what policies compare with rows for cheap; otherwise it begins workers for little
SELECT proname FROM pg_proc WHERE pronamespace = 'aegis'::regnamespace AND procost >= 1
   AND proname IN ('tenant_id', 'user_lo', 'user_hi', 'team_lo', 'team_hi');

-- refuses: every SQL way to set the parameter, for a superuser too
SET aegis.context = 'x';
SET LOCAL aegis.context = 'x';
SELECT set_config('aegis.context', 'x', false);
ALTER SYSTEM SET aegis.context = 'x';
ALTER ROLE CURRENT_USER SET aegis.context = 'x';
CREATE FUNCTION f() RETURNS int LANGUAGE sql SET aegis.context = 'x' AS 'SELECT 1';
UPDATE pg_settings SET setting = 'x' WHERE name = 'aegis.context';
SET aegis.no_such_setting = 1;
SHOW aegis.context;

-- refuses: connection options, and settings of roles and databases
SELECT current_user AS superuser \gset
CREATE ROLE regress_context_member LOGIN;
GRANT aegis_member TO regress_context_member;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
ALTER ROLE regress_context_member SET aegis.context = 'x';
SELECT current_database() AS database \gset
ALTER DATABASE :"database" SET aegis.context = 'x';
\setenv PGOPTIONS '-c aegis.context=x'
\setenv PGDATABASE :database
\! psql -X -q -c 'SELECT 1' 2>&1 | sed 's/^psql.*FATAL/FATAL/'
\setenv PGOPTIONS ''
-- refuses: a session that bypasses row security, so that nobody believes to be confined
\set VERBOSITY sqlstate
SELECT probe_context(gen_random_uuid(), gen_random_uuid(), 4, 1, 1);
\set VERBOSITY terse

-- allows: one context per transaction; it ends with it
\set a '''00000000-0000-4000-8000-0000000000aa'''
\set b '''00000000-0000-4000-8000-0000000000bb'''
\c - regress_context_member
BEGIN;
SELECT probe_context(:a, :a, 3, 10, 19);
SELECT aegis.tenant_id() = :a AS tenant, aegis.user_id() = :a AS usr, aegis.rank(), aegis.team_ord(), aegis.team_lo(), aegis.team_hi(),
       aegis.session_id() IS NULL AS no_session, aegis.auth_method();
SHOW aegis.context;
SELECT current_setting('aegis.context');
COMMIT;
SELECT aegis.tenant_id() IS NULL AS unset;
SELECT aegis.require_tenant();

-- refuses: a second context in the transaction, also after ROLLBACK TO
BEGIN;
SELECT probe_context(:a, :a, 1, 10, 19);
SELECT probe_context(:b, :b, 4, 1, 1);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT probe_context(:a, :a, 1, 10, 19);
ROLLBACK TO s;
SELECT aegis.tenant_id() IS NULL AS unset;
SELECT probe_context(:b, :b, 4, 1, 1);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT probe_context(:a, :a, 1, 10, 19);
RELEASE s;
SELECT aegis.tenant_id() = :a AS kept;
COMMIT;

-- refuses: changing or clearing it within the transaction
BEGIN;
SELECT probe_context(:a, :a, 1, 10, 19);
RESET ALL;
SELECT aegis.tenant_id() = :a AS kept;
RESET aegis.context;
ROLLBACK;
BEGIN;
SELECT probe_context(:a, :a, 1, 10, 19);
SET LOCAL aegis.context = '';
ROLLBACK;
DISCARD ALL;
SELECT aegis.tenant_id() IS NULL AS unset;

-- survives: a COMMIT inside a procedure ends the context
\c - :superuser
CREATE PROCEDURE two_transactions(a uuid, INOUT before boolean, INOUT after boolean) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM probe_context(a, a, 4, 1, 1);
  before := aegis.tenant_id() = a;
  COMMIT;
  after := aegis.tenant_id() IS NOT NULL;
END $$;
CREATE FUNCTION seen_by_worker(OUT tenant uuid, OUT pid int) LANGUAGE plpgsql STABLE PARALLEL SAFE AS
  'BEGIN tenant := aegis.tenant_id(); pid := pg_backend_pid(); END';
ALTER ROLE regress_context_member SET force_parallel_mode = on;
\c - regress_context_member
CALL two_transactions(:a, NULL, NULL);
-- survives: workers of a parallel query have the context of their leader
BEGIN;
SELECT probe_context(:a, :a, 4, 1, 1);
SELECT pg_backend_pid() AS leader \gset
SELECT tenant = :a AS same_tenant, pid <> :leader AS other_process FROM seen_by_worker();
COMMIT;

\c - :superuser
SET client_min_messages = warning;
DROP PROCEDURE two_transactions;
DROP FUNCTION probe_context, seen_by_worker;
DROP OWNED BY regress_context_member;
DROP ROLE regress_context_member;
