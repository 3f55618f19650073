-- An export holds everything of one tenant and nothing of another; its keys are sealed for the target; it takes two operators.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_export_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_export_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_export_auditor LOGIN IN ROLE aegis_auditor;
CREATE SCHEMA t_export;
CREATE TABLE t_export.house (tenant_id uuid NOT NULL, id int, street aegis.sealed_text, rent numeric(10,2), seen timestamptz,
  twice numeric GENERATED ALWAYS AS (rent * 2) STORED, PRIMARY KEY (tenant_id, id));
SELECT aegis.encrypt_column('t_export.house', 'street', 'export.street', 'aegis.sealed_text', 'full');
SELECT aegis.protect_table('t_export.house');
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT aegis.create_tenant('export-me', 'Export Mé') AS me, aegis.create_tenant('export-not', 'Not Me') AS other \gset
CREATE PROCEDURE t_export.fill(tenant uuid, street text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.assume_tenant(tenant, 'set up', 'T-1', read_only => false);
  PERFORM aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river');
  INSERT INTO t_export.house (id, street, rent, seen) VALUES (1, street, 12.5, '2026-01-02 03:04:05.678901+00'), (2, NULL, NULL, NULL);
END $$;
CALL t_export.fill(:'me', 'Lilac Lane');
CALL t_export.fill(:'other', 'Other Lane');
SELECT aegis.wait_sealed('60 s') IS NOT NULL AS sealed;

-- refuses: without a request that another operator approved
\c - regress_export_olga
\set key 'SG:3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'
SELECT aegis.export_tenant(NULL, 'export-me');
SELECT aegis.request_tenant_action('export', :'me', 'export-me', 'moves to Singapore', :'key') AS request \gset
SELECT aegis.export_tenant(:request, 'export-me');
\c - regress_export_otto
SELECT aegis.approve_tenant_action(:request, 'export-me');
SELECT aegis.export_tenant(:request, 'export-not');
\c - regress_export_auditor
SELECT aegis.export_tenant(:request, 'export-me');

-- allows: the export; the records by their first byte, and what rows hold
\c - regress_export_olga
CREATE TEMP TABLE line (n serial, line text);
INSERT INTO line (line) SELECT aegis.export_tenant(:request, 'export-me');
SELECT aegis.export_tenant(:request, 'export-me');
CREATE TEMP VIEW record AS SELECT n, decode(line, 'base64') AS bytes FROM line;
SELECT count(*) FILTER (WHERE n = 1 AND substr(bytes, 3, 14) = 'aegis/tenant/1') AS headers, count(*) FILTER (WHERE get_byte(bytes, 1) = 1) AS keys,
       count(*) FILTER (WHERE get_byte(bytes, 1) = 4) >= 4 AS table_ends, count(*) FILTER (WHERE get_byte(bytes, 1) = 5) > 3 AS ledger,
       count(*) FILTER (WHERE get_byte(bytes, 1) = 6 AND n = (SELECT max(n) FROM line)) AS ends FROM record;
SELECT count(*) FILTER (WHERE position('\x31322e3530'::bytea in bytes) > 0) AS rent, count(*) FILTER (WHERE position('2026-01-02 03:04:05.678901+00' in bytes) > 0) AS seen,
       count(*) FILTER (WHERE position('Lilac' in bytes) > 0) AS plaintext, count(*) FILTER (WHERE position('$argon2id$' in bytes) > 0) AS hashes,
       count(*) FILTER (WHERE position('export-not' in bytes) > 0) AS others FROM record;
\c - :superuser
-- survives: nothing of other tenants, no wrapped root, no id of another's row
SELECT d.event, d.session_user, d.detail - 'chain' - 'request' AS detail, length(d.detail ->> 'chain') AS chain
  FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d WHERE e.tenant_id = :'me' AND d.event = 'tenant.exported';
-- survives: an export that is rolled back leaves its trace all the same
\c - regress_export_otto
SELECT aegis.request_tenant_action('export', :'me', 'export-me', 'moves to Singapore', :'key') AS request \gset
\c - regress_export_olga
SELECT aegis.approve_tenant_action(:request, 'export-me');
BEGIN;
SELECT count(*) > 10 AS lines FROM aegis.export_tenant(:request, 'export-me');
ROLLBACK;
\c - :superuser
CREATE FUNCTION pg_temp.exports(tenant uuid) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d WHERE e.tenant_id = tenant AND d.event = 'tenant.exported' $$;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN pg_temp.exports((SELECT id FROM aegis.tenant WHERE slug = 'export-me')) = 2;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT pg_temp.exports(:'me');
SET client_min_messages = warning;
DROP SCHEMA t_export CASCADE;
DROP ROLE regress_export_olga, regress_export_otto, regress_export_auditor;
