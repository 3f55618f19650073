-- The context cannot be set by anything but a verified way in, and getters are NULL without one.
\set VERBOSITY terse

-- allows: nothing set, every getter is NULL
SELECT aegis.tenant_id() IS NULL AND aegis.user_id() IS NULL AND aegis.rank() IS NULL AND aegis.team_lo() IS NULL
   AND aegis.user_lo() IS NULL AND aegis.auth_method() IS NULL AS unset;

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
