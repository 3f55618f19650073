-- Refusals of an import that need no file, and how tables are compared; tests/process/move.sh takes tenants in.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_import_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_import_member LOGIN IN ROLE aegis_member;
GRANT TEMP ON DATABASE :"DBNAME" TO regress_import_olga;
CREATE SCHEMA t_import;
CREATE TABLE t_import.house (tenant_id uuid NOT NULL, id int, rent numeric(10,2), twice numeric GENERATED ALWAYS AS (rent * 2) STORED, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('t_import.house', created_by => false, team => false);

-- allows: a key for each import, for a week; its private part is sealed
\c - regress_import_olga
SELECT aegis.import_key() ~ ('^' || current_setting('aegis.region') || ':[0-9a-f]{64}$') AS key, aegis.import_key() <> aegis.import_key() AS others;
SELECT * FROM aegis.import_key;
\c - :superuser
SELECT DISTINCT octet_length(public_key), octet_length(private_key) > 32 AS sealed, made_by, expires_at - made_at AS lasts, used_at FROM aegis.import_key WHERE made_by = 'regress_import_olga';

-- allows: tables that are the same, whatever the order of their columns; tells how others differ
SELECT aegis.import_findings('t_import.house', ARRAY['rent', 'numeric(10,2)', 'tenant_id', 'uuid', 'id', 'integer']);
SELECT aegis.import_findings('t_import.house', ARRAY['rent', 'money', 'tenant_id', 'uuid', 'more', 'text']);
SELECT aegis.import_findings('t_import.none', ARRAY['tenant_id', 'uuid']);
SELECT aegis.import_findings('aegis.session', ARRAY['tenant_id', 'uuid']);
SELECT name, query FROM aegis.reference_queries() WHERE name LIKE '%aegis."user"';

-- refuses: what is no table of lines, what holds no tenant, members
\c - regress_import_olga
CREATE TEMP TABLE lines (n bigint GENERATED ALWAYS AS IDENTITY, line text);
CREATE TEMP VIEW seen AS SELECT * FROM lines;
SELECT aegis.import_tenant('seen', 'x');
SELECT aegis.import_tenant('pg_class', 'x');
SELECT aegis.import_tenant('lines', 'x');
INSERT INTO lines (line) VALUES (NULL);
SELECT aegis.import_tenant('lines', 'x');
UPDATE lines SET line = 'not base64';
SELECT aegis.import_tenant('lines', 'x');
UPDATE lines SET line = 'hAUAAAA=';
SELECT aegis.import_tenant('lines', 'x');
SELECT aegis.import_findings('aegis.tenant', '{}');
-- refuses: values that are no texts, code of the caller's that would run while rows are written
CREATE TEMP TABLE numbers (n bigint, line bigint);
INSERT INTO numbers VALUES (1, 4096);
SELECT aegis.import_tenant('numbers', 'x');
CREATE TEMP TABLE ordered (n text, line text);
SELECT aegis.import_tenant('ordered', 'x');
CREATE TEMP TABLE watched (n bigint, line text);
ALTER TABLE watched ENABLE ROW LEVEL SECURITY;
SELECT aegis.import_tenant('watched', 'x');
CREATE TEMP TABLE parent (n bigint, line text);
CREATE TEMP TABLE child () INHERITS (parent);
SELECT aegis.import_tenant('parent', 'x');
\c - regress_import_member
SELECT aegis.import_key();
SELECT aegis.import_tenant('pg_class', 'x');
\c - :superuser
SET client_min_messages = warning;
DELETE FROM aegis.import_key WHERE made_by = 'regress_import_olga';
REVOKE TEMP ON DATABASE :"DBNAME" FROM regress_import_olga;
DROP SCHEMA t_import CASCADE;
DROP ROLE regress_import_olga, regress_import_member;
