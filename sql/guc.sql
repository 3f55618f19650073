-- Every setting: its default, its range, who may change it and when. What decides who is who, or whether a wall stands, is
-- out of reach of SQL.
\set VERBOSITY terse

-- allows: these settings and no others
SELECT name, context, vartype, boot_val, unit, min_val, max_val FROM pg_settings WHERE name LIKE 'aegis.%' ORDER BY name COLLATE "C";

-- refuses: settings that do not exist, for the prefix is reserved
SET aegis.no_such_setting = 1;

-- refuses: what is fixed at start
SET aegis.region = 'SG';
SET aegis.default_deny = off;
SET aegis.restrictive_wall = off;
SET aegis.statement_guard = off;
SET aegis.function_guard = off;
SET aegis.ledger_guard = off;
SET aegis.restore_mode = on;

-- refuses: the same through ALTER SYSTEM, which would hold from the next start
ALTER SYSTEM SET aegis.region = 'SG';
ALTER SYSTEM SET aegis.environment = 'development';
ALTER SYSTEM SET aegis.default_deny = off;
ALTER SYSTEM SET aegis.restrictive_wall = off;
ALTER SYSTEM SET aegis.statement_guard = off;
ALTER SYSTEM SET aegis.function_guard = off;
ALTER SYSTEM SET aegis.ledger_guard = off;
ALTER SYSTEM SET aegis.restore_mode = on;

-- refuses: what is read on reload, in a session
SET aegis.lock_failures = 100;
SET aegis.key_provider = 'file:/dev/null';

-- refuses: hiding behind a role or a database
ALTER ROLE CURRENT_USER SET aegis.ledger_guard = off;
SELECT current_database() AS database \gset
ALTER DATABASE :"database" SET aegis.session_lifetime = '30d';

-- refuses: showing where the keys come from to anybody but superusers
CREATE ROLE regress_guc;
SET ROLE regress_guc;
SHOW aegis.key_provider;
SELECT count(*) FROM pg_settings WHERE name = 'aegis.key_provider';
RESET ROLE;
DROP ROLE regress_guc;
