-- aegis.coverage() names every hole with a statement, and the statement mends it.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_coverage_owner LOGIN;
CREATE ROLE regress_coverage_member LOGIN;
CREATE ROLE regress_coverage_auditor LOGIN;
GRANT aegis_member TO regress_coverage_member;
GRANT aegis_auditor TO regress_coverage_auditor;
GRANT USAGE ON SCHEMA aegis TO regress_coverage_owner;
CREATE SCHEMA cov AUTHORIZATION regress_coverage_owner;
GRANT USAGE ON SCHEMA cov TO regress_coverage_member;
-- Shows the findings of a kind, runs what they say, and counts what is left.
CREATE FUNCTION mend(wanted text, about text DEFAULT 'cov') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  found record;
BEGIN
  FOR found IN SELECT * FROM aegis.coverage() WHERE finding = wanted AND object ~ about LOOP
    RETURN NEXT format('%s: %s %s: %s', found.severity, found.object_kind, found.object, found.problem);
    RETURN NEXT coalesce(found.fix, '(nothing to run)');
    IF found.fix IS NOT NULL THEN
      EXECUTE found.fix;
    END IF;
  END LOOP;
  RETURN NEXT 'left: ' || (SELECT count(*) FROM aegis.coverage() WHERE finding = wanted AND object ~ about);
END $$;
CREATE FUNCTION tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;

-- refuses: whoever is neither operator nor auditor
\c - regress_coverage_member
SELECT * FROM aegis.coverage();
\c - regress_coverage_owner
SELECT * FROM aegis.coverage();
-- allows: an auditor, who cannot ask for the parts
\c - regress_coverage_auditor
SELECT count(*) >= 0 AS reported FROM aegis.coverage();
SELECT * FROM aegis.coverage_table();
SELECT * FROM aegis.coverage_sample('aegis.tenant', 1::smallint, 1);
SELECT aegis.coverage_setting('aegis.key_provider');
SELECT * FROM aegis.coverage_relation;

-- tables
\c - regress_coverage_owner
CREATE TABLE cov.customer (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE cov.currency (code text PRIMARY KEY);
CREATE TABLE cov.orders (tenant_id uuid, id int, customer_id int, PRIMARY KEY (tenant_id, id),
  CONSTRAINT orders_parent FOREIGN KEY (tenant_id, customer_id) REFERENCES cov.customer (tenant_id, id));
\c - :superuser
SET client_min_messages = warning;
SELECT severity, object, finding, problem, fix FROM aegis.coverage() WHERE object ~ 'cov' ORDER BY 2, 3;
SELECT mend('table-unprotected', 'cov.customer');
SELECT aegis.protect_table('cov.orders', parent => 'cov.customer');
DROP TABLE cov.currency;
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;

SET allow_system_table_mods = on;
SELECT tamper($$UPDATE pg_class SET relrowsecurity = false WHERE oid = 'cov.customer'::regclass$$);
SELECT mend('row-security-off');
SELECT tamper($$UPDATE pg_class SET relforcerowsecurity = false WHERE oid = 'cov.customer'::regclass$$);
SELECT mend('row-security-not-forced');
RESET allow_system_table_mods;

DROP POLICY aegis_delete ON cov.customer;
SELECT mend('policy-missing');
ALTER POLICY aegis_select ON cov.customer USING (true);
ALTER POLICY aegis_insert ON cov.customer TO regress_coverage_owner;
SELECT mend('policy-changed');
CREATE POLICY everything ON cov.customer USING (true);
CREATE POLICY narrower ON cov.customer AS RESTRICTIVE USING (true);
SELECT mend('policy-extra');
SELECT polname FROM pg_policy WHERE polrelid = 'cov.customer'::regclass ORDER BY 1;
DROP POLICY narrower ON cov.customer;

SELECT tamper('DROP TRIGGER zzy_aegis_stamp ON cov.customer');
SELECT mend('stamp-trigger-missing');
SELECT tamper('ALTER TABLE cov.customer DISABLE TRIGGER zzy_aegis_stamp');
SELECT mend('stamp-trigger-missing');
SELECT tamper('DROP TRIGGER aegis_truncate ON cov.customer');
SELECT mend('truncate-trigger-missing');
SELECT tamper('DROP TRIGGER aegis_follow ON cov.customer');
SELECT mend('follow-trigger-missing');
-- a parent that is gone
CREATE TABLE cov.gone (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE cov.left (tenant_id uuid, id int, gone_id int NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, gone_id) REFERENCES cov.gone);
SELECT aegis.protect_table('cov.gone'), aegis.protect_table('cov.left', parent => 'cov.gone');
SET client_min_messages = warning;
DROP TABLE cov.gone CASCADE;
RESET client_min_messages;
SELECT mend('parent-missing');
DROP TABLE cov.left;
SELECT tamper('DROP TRIGGER aegis_audit_row ON cov.customer');
SELECT captured, triggers FROM aegis.audit_coverage() WHERE relation = 'cov.customer';
SELECT tamper('ALTER TABLE cov.customer DISABLE TRIGGER aegis_audit_truncate');
SELECT captured, triggers FROM aegis.audit_coverage() WHERE relation = 'cov.customer';
SELECT mend('audit-trigger-missing');
SELECT aegis.unaudit_table('cov.customer');
SELECT mend('table-unaudited');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;

-- keys
ALTER TABLE cov.customer ADD CONSTRAINT customer_id UNIQUE (id);
SELECT mend('key-across-tenants');
ALTER TABLE cov.customer DROP CONSTRAINT customer_id;
ALTER TABLE cov.customer ADD CONSTRAINT customer_id UNIQUE (id);
ALTER TABLE cov.orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES cov.customer (id);
SELECT object, problem FROM aegis.coverage() WHERE finding = 'foreign-key-across-tenants';
SELECT fix FROM aegis.coverage() WHERE finding = 'foreign-key-across-tenants' AND object = 'cov.customer' \gexec
SELECT mend('foreign-key-across-tenants');
ALTER TABLE cov.customer ADD CONSTRAINT customer_span EXCLUDE USING btree (id WITH =);
SELECT mend('key-across-tenants');
ALTER TABLE cov.customer DROP CONSTRAINT customer_span;

-- parts of protected tables
CREATE TABLE cov.old_customer (PRIMARY KEY (tenant_id, id)) INHERITS (cov.customer);
ALTER TABLE cov.old_customer OWNER TO regress_coverage_owner;
GRANT SELECT ON cov.old_customer TO regress_coverage_member;
SELECT mend('grant-on-partition');
SELECT mend('child-unprotected');
GRANT SELECT ON cov.old_customer TO regress_coverage_member;
SELECT mend('grant-on-partition');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;
DROP TABLE cov.old_customer;
CREATE TABLE cov.visit (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (tenant_id);
CREATE TABLE cov.visit_0 PARTITION OF cov.visit FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY LIST (id);
CREATE TABLE cov.visit_0_all PARTITION OF cov.visit_0 DEFAULT;
SELECT mend('table-unprotected', 'cov.visit');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;
-- as if it had come while the library was not there
DELETE FROM aegis.protected_part WHERE relation IN ('cov.visit_0'::regclass, 'cov.visit_0_all'::regclass);
DROP POLICY aegis_select ON cov.visit_0_all;
SELECT mend('partition-unprotected');
GRANT SELECT ON cov.visit_0_all TO regress_coverage_member;
SELECT mend('grant-on-partition');
DROP POLICY aegis_select ON cov.visit_0_all;
SELECT mend('policy-missing', 'cov.visit');
SELECT tamper('ALTER TABLE cov.visit_0_all DISABLE TRIGGER zzy_aegis_stamp');
SELECT mend('stamp-trigger-missing', 'cov.visit');
SELECT tamper('ALTER TABLE cov.visit_0_all DISABLE TRIGGER aegis_audit_row');
SELECT mend('audit-trigger-missing', 'cov.visit');
SELECT tamper('DROP TRIGGER aegis_truncate ON cov.visit_0');
SELECT mend('truncate-trigger-missing', 'cov.visit');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;
DROP TABLE cov.visit;

-- numbers that tell how much others do
CREATE TABLE cov.counted (tenant_id uuid, id serial, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('cov.counted');
SELECT mend('serial-column');
SELECT mend('identity-column');
DROP TABLE cov.counted;

-- views and what else reads
CREATE VIEW cov.customer_view AS SELECT id FROM cov.customer;
CREATE VIEW cov.view_of_view AS SELECT id FROM cov.customer_view;
ALTER VIEW cov.view_of_view OWNER TO regress_coverage_owner;
CREATE VIEW cov.good_view WITH (security_invoker) AS SELECT id FROM cov.customer;
SELECT mend('view-not-invoker');
CREATE MATERIALIZED VIEW cov.customer_total AS SELECT count(*) FROM cov.customer;
GRANT SELECT ON cov.customer_total TO aegis_member;
SELECT mend('materialized-view');
DROP MATERIALIZED VIEW cov.customer_total;
SELECT mend('materialized-view');
CREATE FOREIGN DATA WRAPPER regress_coverage_wrapper;
CREATE SERVER regress_coverage_server FOREIGN DATA WRAPPER regress_coverage_wrapper;
CREATE FOREIGN TABLE cov.elsewhere (id int) SERVER regress_coverage_server;
SELECT mend('foreign-table');
GRANT SELECT ON cov.elsewhere TO PUBLIC;
SELECT mend('foreign-table');
DROP FOREIGN DATA WRAPPER regress_coverage_wrapper CASCADE;
CREATE RULE aside AS ON INSERT TO cov.orders DO ALSO DELETE FROM cov.customer;
SELECT mend('rule-on-protected');

-- functions
CREATE FUNCTION cov.count_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
ALTER FUNCTION cov.count_all() OWNER TO regress_coverage_owner;
SELECT mend('definer-search-path');
CREATE FUNCTION cov.count_past(text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
GRANT EXECUTE ON FUNCTION cov.count_past(text) TO regress_coverage_member;
SELECT mend('definer-bypasses');

-- functions of the extension
SELECT count(*) FROM aegis.coverage() WHERE object_kind = 'function' AND object ~ 'aegis';
CREATE OR REPLACE FUNCTION aegis.team_hi() RETURNS bigint LANGUAGE sql STABLE LEAKPROOF PARALLEL SAFE AS 'SELECT 9223372036854775807';
SELECT object, problem FROM aegis.coverage() WHERE finding ~ 'replaced';
SELECT mend('getter-replaced', 'aegis');
ALTER FUNCTION aegis.user_lo() VOLATILE NOT LEAKPROOF;
ALTER FUNCTION aegis.tenant_id() OWNER TO regress_coverage_owner;
ALTER FUNCTION aegis.rank() SET work_mem = '1MB';
SELECT mend('getter-replaced', 'aegis');
-- the list that it is compared with is in the database, too: the getters are known without it
CREATE OR REPLACE FUNCTION aegis.team_lo() RETURNS bigint LANGUAGE sql STABLE LEAKPROOF PARALLEL SAFE AS 'SELECT 0::bigint';
UPDATE aegis.own_function SET definition = pg_get_functiondef('aegis.team_lo'::regproc) WHERE name = 'aegis.team_lo()';
SELECT severity, object, problem FROM aegis.coverage() WHERE finding = 'getter-replaced';
CREATE OR REPLACE FUNCTION aegis.team_lo() RETURNS bigint AS '$libdir/aegis', 'aegis_team_lo' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.1;
UPDATE aegis.own_function SET definition = (SELECT definition FROM aegis.own_functions() WHERE name = 'aegis.team_lo()') WHERE name = 'aegis.team_lo()';
SELECT count(*) FROM aegis.coverage() WHERE object_kind = 'function' AND object ~ 'aegis';
ALTER FUNCTION aegis.stamp_row() COST 100000;
SELECT mend('function-replaced', 'aegis');
ALTER FUNCTION aegis.worker_status() RENAME TO worker_state;
SELECT object, problem FROM aegis.coverage() WHERE finding = 'function-replaced';
ALTER FUNCTION aegis.worker_state() RENAME TO worker_status;
GRANT EXECUTE ON FUNCTION aegis.sign_in(text, text, text, text, text, text) TO PUBLIC;
REVOKE EXECUTE ON FUNCTION aegis.tenant_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.create_tenant(text, text, text) TO regress_coverage_member WITH GRANT OPTION;
SELECT mend('function-grants', 'aegis');

-- grants
CREATE TABLE cov.plain (id serial);
GRANT SELECT (id), INSERT ON cov.plain TO regress_coverage_member, PUBLIC;
SELECT mend('grant-on-unprotected');
GRANT USAGE ON SEQUENCE cov.plain_id_seq TO aegis_member;
SELECT mend('grant-on-sequence');
DROP TABLE cov.plain;
GRANT SELECT, TRUNCATE, TRIGGER ON cov.customer TO regress_coverage_member;
SELECT mend('grant-beyond-rows');
-- Whoever may make triggers sees what others write, whatever role that is.
CREATE ROLE regress_coverage_stranger;
GRANT SELECT, TRIGGER, REFERENCES ON cov.customer TO regress_coverage_stranger;
SELECT mend('grant-of-code');
REVOKE ALL ON cov.customer FROM regress_coverage_stranger;
DROP ROLE regress_coverage_stranger;
GRANT CREATE ON SCHEMA cov TO PUBLIC;
SELECT mend('grant-create');
GRANT TEMPORARY ON DATABASE :"DBNAME" TO aegis_member;
SELECT mend('temp-on-database', '');
GRANT TEMPORARY ON DATABASE :"DBNAME" TO PUBLIC;
GRANT SET ON PARAMETER log_statement TO regress_coverage_owner;
SELECT mend('grant-on-parameter', 'log_statement');
SET client_min_messages = error;  -- the level of the WAL is no matter here
CREATE PUBLICATION regress_coverage_some FOR TABLE cov.customer;
SELECT mend('publication-of-tenants', 'regress_coverage');
CREATE PUBLICATION regress_coverage_all FOR TABLES IN SCHEMA cov;
SELECT mend('publication-of-tenants', 'regress_coverage_all');
DROP PUBLICATION regress_coverage_all;
DROP PUBLICATION regress_coverage_some;
SET client_min_messages = warning;
SELECT mend('publication-of-tenants', 'regress_coverage_all');

-- roles
ALTER ROLE regress_coverage_owner SUPERUSER;
SELECT mend('role-superuser', 'regress_cov');
ALTER ROLE regress_coverage_owner BYPASSRLS;
SELECT mend('role-bypasses-row-security', 'regress_cov');
ALTER ROLE regress_coverage_owner REPLICATION;
SELECT mend('role-replicates', 'regress_cov');
ALTER ROLE regress_coverage_member CREATEROLE CREATEDB;
SELECT mend('member-with-powers', 'regress_cov');
ALTER ROLE regress_coverage_member SUPERUSER;
SELECT mend('member-with-powers', 'regress_cov');
ALTER ROLE regress_coverage_member NOSUPERUSER;
GRANT aegis_member TO regress_coverage_member;
GRANT pg_read_all_data TO regress_coverage_member;
SELECT mend('member-of-server-role', 'regress_cov');

-- columns: what a value is like is counted, past row security, and no value is shown
SELECT aegis.create_tenant('coverage-one', 'One') AS one \gset
CREATE TABLE cov.person (tenant_id uuid, id int, home_phone text, contact text, remark text, bank varchar(40), PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('cov.person');
INSERT INTO cov.person (tenant_id, id, created_by, team_ord, contact, remark, bank)
  SELECT :'one', i, :'one', 1, CASE WHEN i % 2 = 0 THEN format('p%s@example.com', i) END, repeat('x', i),
         CASE WHEN i < 5 THEN 'DE89370400440532013000' ELSE 'none' END FROM generate_series(1, 20) i;
SELECT finding, object, problem FROM aegis.coverage() WHERE object ~ 'cov.person' ORDER BY 1, 2;
SELECT mend('personal-data-by-name');
SELECT mend('personal-data-by-content');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.person' ORDER BY 2, 3;

-- sealed columns
ALTER TABLE cov.customer ADD COLUMN phone aegis.sealed_text;
SELECT mend('sealed-unregistered');
DROP TRIGGER zzz_aegis_seal ON cov.customer;
SELECT mend('sealed-without-trigger');
ALTER TABLE cov.customer DISABLE TRIGGER zzz_aegis_seal;
SELECT mend('sealed-without-trigger');
ALTER TABLE cov.customer DROP CONSTRAINT phone_sealed;
SELECT mend('sealed-without-check');
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ 'cov\.' ORDER BY 2, 3;

-- what the ledger captures, and the entry that says so when it is no longer the same
SELECT relation, protected, captured, clear, triggers FROM aegis.audit_coverage() WHERE relation ~ 'cov\.';
CREATE FUNCTION recorded(entries bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN  -- false after 20 seconds
  FOR i IN 1 .. 400 LOOP
    IF (SELECT count(*) FROM aegis.audit_log WHERE event = 'audit.coverage') >= entries THEN RETURN true; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
ALTER SYSTEM SET aegis.coverage_interval = '1s';
SELECT pg_reload_conf();
SELECT recorded(1);
SELECT aegis.unaudit_table('cov.orders');
SELECT recorded(2);
SELECT captured, triggers FROM aegis.audit_coverage() WHERE relation = 'cov.orders';
ALTER SYSTEM RESET aegis.coverage_interval;
SELECT pg_reload_conf();
SELECT count(*), bool_and(detail->>'captured' ~ '^\d+ of \d+ tables') AS counted, bool_or(detail->>'captured' ~ 'cov.orders') AS named,
       count(DISTINCT target_id) AS digests FROM aegis.audit_log WHERE event = 'audit.coverage';
-- allows: the same again, of which there is no entry
SELECT aegis.record_audit_coverage();
SELECT count(*) FROM aegis.audit_log WHERE event = 'audit.coverage';
-- allows: the same again on another day (UTC), of which there is one, so that silence says something
UPDATE aegis.recorded_coverage SET recorded_at = date_trunc('day', now(), 'UTC') - interval '1 second';
SELECT aegis.record_audit_coverage();
SELECT aegis.record_audit_coverage();
SELECT count(*), count(DISTINCT target_id) AS digests FROM aegis.audit_log WHERE event = 'audit.coverage';
SELECT aegis.audit_table('cov.orders');
DROP FUNCTION recorded(bigint);

-- master keys: missing, wrong
BEGIN;
INSERT INTO aegis.master_key VALUES (7, '\x0102030405060708', 'registered');
UPDATE aegis.tenant_key SET master_version = 7 WHERE epoch = 1;
UPDATE aegis.master_key SET check_value = '\x0102030405060708' WHERE version = 1;
SELECT severity, object_kind, object, finding, fix FROM aegis.coverage() WHERE finding ~ '^master-key' ORDER BY finding;
ROLLBACK;
SELECT count(*) FROM aegis.coverage() WHERE finding ~ '^master-key';

-- settings: of this session, of a role, of the server, and of a server that is not this one
SELECT fix FROM aegis.coverage() WHERE finding = 'log-statement';
SET log_statement = 'all';
SELECT severity, object, problem, fix FROM aegis.coverage() WHERE finding = 'log-statement';
RESET log_statement;
ALTER ROLE regress_coverage_owner SET log_min_duration_statement = '100ms';
ALTER DATABASE :"DBNAME" SET log_parameter_max_length = -1;
SELECT mend('log-duration', 'regress_cov');
SELECT severity, problem FROM aegis.coverage() WHERE finding = 'log-parameters' AND object ~ ' of database';
SELECT fix FROM aegis.coverage() WHERE finding = 'log-parameters' AND object ~ ' of database' \gset
:fix;
SELECT count(*) FROM aegis.coverage() WHERE finding = 'log-parameters';
LOAD 'auto_explain';
CREATE TABLE bad (settings jsonb);
INSERT INTO bad VALUES ('{"log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "100", "log_statement": "mod",
    "log_min_duration_statement": "0", "log_min_duration_sample": "10", "log_statement_sample_rate": "0.5",
    "log_transaction_sample_rate": "0.1", "auto_explain.log_min_duration": "0", "track_activity_query_size": "102400",
    "shared_preload_libraries": "pg_stat_statements, not_aegis", "aegis.restrictive_wall": "off", "aegis.default_deny": "off",
    "aegis.statement_guard": "off", "aegis.function_guard": "off", "aegis.ledger_guard": "off", "aegis.restore_mode": "on",
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "zero_damaged_pages": "on",
    "ignore_checksum_failure": "off", "aegis.key_provider": "env:KEY", "aegis.environment": "production", "password_encryption": "md5", "server_version_num": "150005",
    "minimum_version_num": "150020"}');
SELECT s.severity, s.object, s.finding, s.fix FROM bad, aegis.coverage_settings(settings) s ORDER BY 3, 2;
SELECT s.fix FROM bad, aegis.coverage_settings(settings) s WHERE s.fix IS NOT NULL \gexec
-- survives: what the statements leave in the configuration is not found again
SELECT s.finding, s.object
  FROM bad, (SELECT jsonb_object_agg(name, setting) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf') AS now(settings),
       aegis.coverage_settings(bad.settings || now.settings) s WHERE s.fix IS NOT NULL;
ALTER SYSTEM RESET ALL;
DROP TABLE bad;
-- allows: what a server should have
SELECT count(*)
  FROM aegis.coverage_settings('{"log_parameter_max_length": "0", "log_parameter_max_length_on_error": "0", "log_statement": "ddl",
    "log_min_duration_statement": "-1", "log_min_duration_sample": "-1", "log_statement_sample_rate": "1",
    "log_transaction_sample_rate": "0", "auto_explain.log_min_duration": "-1", "track_activity_query_size": "1024",
    "shared_preload_libraries": "pg_stat_statements, \"aegis\"", "aegis.restrictive_wall": "on", "aegis.default_deny": "on",
    "aegis.statement_guard": "on", "aegis.function_guard": "on", "aegis.ledger_guard": "on", "aegis.restore_mode": "off",
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "zero_damaged_pages": "off",
    "ignore_checksum_failure": "off", "aegis.key_provider": "file:/env:", "aegis.environment": "production", "password_encryption": "scram-sha-256", "server_version_num": "150020",
    "minimum_version_num": "150020"}') s;

-- the ledger's own storage; what is changed here is taken back
BEGIN;
SELECT tamper($$INSERT INTO aegis.entry SELECT -1, xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry LIMIT 1$$);
SELECT mend('ledger-default-partition', 'entry');
ROLLBACK;
VACUUM aegis.entry_default;
BEGIN;
SELECT tamper('DROP TRIGGER refuse_truncate ON aegis.entry_p0'), tamper('ALTER TABLE aegis.entry_p1 ENABLE TRIGGER refuse_change');
SELECT c.severity, c.object, c.problem, tamper(c.fix) FROM (SELECT * FROM aegis.coverage() WHERE finding = 'ledger-trigger-missing' OFFSET 0) c;
SELECT mend('ledger-trigger-missing', 'entry');
ROLLBACK;

-- poolers: of what is said by one, nothing follows for another
ALTER ROLE aegis_member SET aegis.pooler = 'transaction';
SELECT mend('pooler-undeclared', 'regress_coverage_member');
ALTER ROLE regress_coverage_member SET aegis.pooler = 'none';
SELECT mend('pooler-undeclared', 'regress_coverage_member');
ALTER ROLE regress_coverage_member RESET aegis.pooler;
ALTER ROLE regress_coverage_member IN DATABASE :"DBNAME" SET aegis.pooler = 'tracking';
SELECT mend('pooler-undeclared', 'regress_coverage_member');
ALTER ROLE regress_coverage_member IN DATABASE :"DBNAME" RESET ALL;
ALTER ROLE aegis_member RESET aegis.pooler;
CREATE ROLE regress_coverage_gateway LOGIN IN ROLE aegis_gateway;
ALTER DATABASE :"DBNAME" SET aegis.pooler = 'transaction';
SELECT mend('pooler-undeclared', 'regress_coverage');
SELECT mend('pooler-before-gateway', 'regress_coverage');
ALTER DATABASE :"DBNAME" RESET aegis.pooler;
DROP ROLE regress_coverage_gateway;

SET client_min_messages = error;
DROP SCHEMA cov CASCADE;
DROP FUNCTION mend(text, text);
DROP FUNCTION tamper(text);
DROP OWNED BY regress_coverage_owner, regress_coverage_member, regress_coverage_auditor;
DROP ROLE regress_coverage_owner, regress_coverage_member, regress_coverage_auditor;
