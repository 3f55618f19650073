-- Tenants' root keys are random, stored wrapped, made once and registered against one master key;
-- nothing of them reaches SQL but check values.
\set VERBOSITY terse
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_login_token(uuid, text) RETURNS bytea AS '$libdir/aegis', 'aegis_probe_login_token' LANGUAGE C STRICT PARALLEL SAFE;
CREATE FUNCTION probe_audit_epoch(uuid) RETURNS int AS '$libdir/aegis', 'aegis_probe_audit_epoch' LANGUAGE C STRICT PARALLEL SAFE;
CREATE TEMP TABLE t(a uuid, b uuid);
INSERT INTO t VALUES ('5a000000-0000-4000-8000-000000000001', '5a000000-0000-4000-8000-000000000002');

-- allows: a secret on the stack does not survive an error
CREATE FUNCTION probe_wiping() RETURNS boolean AS '$libdir/aegis', 'aegis_probe_wiping' LANGUAGE C;
SELECT probe_wiping();
DROP FUNCTION probe_wiping();

-- allows: the provider's key is known by its check value
SELECT count(*) = 1 AS one_key, bool_and(version = 1 AND length(check_value) = 16 AND fault IS NULL) AS healthy
  FROM aegis.key_status();

-- allows: a tenant's keys come in pairs, once, with their own salt
SELECT probe_create_keys(a), probe_create_keys(b) FROM t;
SELECT probe_create_keys(a) FROM t;
SELECT kind, epoch, master_version, state, count(*), count(DISTINCT salt) AS salts, count(DISTINCT wrapped) AS wrapped
  FROM aegis.tenant_key k, t WHERE k.tenant_id IN (a, b) GROUP BY 1, 2, 3, 4 ORDER BY kind;
SELECT version, state, root_keys >= 4 AS wraps_roots FROM aegis.key_status();
SELECT event, outcome, target_kind, target_id, detail ->> 'version' AS version, detail ->> 'check_value' = (SELECT encode(check_value, 'hex') FROM aegis.master_key) AS check_value
  FROM aegis.audit_log WHERE event = 'key.master_registered';

-- allows: what is derived is stable within a tenant and differs between tenants and values
SELECT probe_login_token(a, 'x') = probe_login_token(a, 'x') AS stable,
       probe_login_token(a, 'x') = probe_login_token(b, 'x') AS same_between_tenants,
       probe_login_token(a, 'x') = probe_login_token(a, 'y') AS same_between_values,
       probe_audit_epoch(a) AS epoch FROM t;

-- allows: the system's own keys come into being when they are needed
SELECT probe_audit_epoch('00000000-0000-0000-0000-000000000000') AS epoch;
SELECT count(*) AS system_keys FROM aegis.tenant_key WHERE tenant_id = '00000000-0000-0000-0000-000000000000';

-- allows: read-only transactions and parallel workers look keys up
BEGIN READ ONLY;
SELECT probe_audit_epoch(b) AS epoch FROM t;
COMMIT;
SET force_parallel_mode = on;
SELECT length(probe_login_token('5a000000-0000-4000-8000-000000000001', 'x'));
RESET force_parallel_mode;

-- refuses: a tenant without keys
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000003');

-- refuses: keys of a rolled-back transaction, also where they were already used
BEGIN;
SELECT probe_create_keys('5a000000-0000-4000-8000-000000000003');
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000003') AS epoch;
ROLLBACK;
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000003');
BEGIN;
SAVEPOINT s;
SELECT probe_create_keys('5a000000-0000-4000-8000-000000000003');
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000003') AS epoch;
ROLLBACK TO s;
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000003');
ROLLBACK;

-- refuses: a wrapped root that was moved to another tenant, a destroyed one, a changed check value;
-- each in a new session, which has nothing in its cache
\c -
BEGIN;
UPDATE aegis.tenant_key k SET wrapped = o.wrapped, salt = o.salt
  FROM aegis.tenant_key o WHERE k.tenant_id = '5a000000-0000-4000-8000-000000000001' AND k.kind = 'root'
   AND o.tenant_id = '5a000000-0000-4000-8000-000000000002' AND o.kind = 'root';
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000001');
ROLLBACK;
BEGIN;
UPDATE aegis.tenant_key SET wrapped = NULL, salt = NULL, state = 'destroyed'
 WHERE tenant_id = '5a000000-0000-4000-8000-000000000001';
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000001');
ROLLBACK;
\c -
BEGIN;
UPDATE aegis.master_key SET check_value = '\x0102030405060708';
SELECT version, state FROM aegis.key_status();
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000001');
ROLLBACK;
\c -
BEGIN;
UPDATE aegis.master_key SET check_value = '\x0102030405060708';
SELECT probe_create_keys('5a000000-0000-4000-8000-000000000003');
ROLLBACK;

-- refuses: to rotate a master key without a reason, when there is no newer one, or when an older one is missing
SELECT aegis.rotate_master_key(' ');
SELECT aegis.rotate_master_key('yearly');
BEGIN;
INSERT INTO aegis.master_key VALUES (7, '\x0102030405060708', 'registered');
UPDATE aegis.tenant_key SET master_version = 7 WHERE tenant_id = '5a000000-0000-4000-8000-000000000001';
SELECT version, state, root_keys FROM aegis.key_status() WHERE version = 7;
SELECT severity, object, finding FROM aegis.coverage() WHERE finding = 'master-key-missing';
SELECT aegis.rotate_master_key('yearly');
ROLLBACK;
BEGIN;
INSERT INTO aegis.master_key VALUES (7, '\x0102030405060708', 'registered');
SELECT version, state, root_keys FROM aegis.key_status() WHERE version = 7;
ROLLBACK;

-- refuses: keys and their status to ordinary roles
CREATE ROLE regress_key_member IN ROLE aegis_member;
SET ROLE regress_key_member;
SELECT count(*) FROM aegis.tenant_key;
SELECT count(*) FROM aegis.key_status();
SELECT aegis.rotate_master_key('yearly');
SELECT count(*) FROM aegis.provided_keys();
SHOW aegis.key_provider;
RESET ROLE;
DROP ROLE regress_key_member;

-- survives: after all that, the tenant's key still opens
SELECT probe_audit_epoch('5a000000-0000-4000-8000-000000000001') AS epoch;
DROP FUNCTION probe_create_keys(uuid), probe_login_token(uuid, text), probe_audit_epoch(uuid);
DELETE FROM aegis.tenant_key WHERE tenant_id IN ('5a000000-0000-4000-8000-000000000001', '5a000000-0000-4000-8000-000000000002');
