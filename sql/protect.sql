-- protect_table makes a table safe for tenants in one call, or says exactly what stands in the way.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_protect_owner LOGIN;
CREATE ROLE regress_protect_member LOGIN;
GRANT aegis_member TO regress_protect_member;
GRANT USAGE ON SCHEMA aegis TO regress_protect_owner;
CREATE SCHEMA shop AUTHORIZATION regress_protect_owner;
CREATE SCHEMA shop_too AUTHORIZATION regress_protect_owner;
GRANT USAGE ON SCHEMA shop TO regress_protect_member;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('shop-one', 'One') AS one \gset
SELECT aegis.create_tenant('shop-two', 'Two') AS two \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
\set nil '''00000000-0000-0000-0000-000000000000'''

-- refuses: keys that reach across tenants, all in one report with the statements that fix them
\c - regress_protect_owner
CREATE TABLE shop.customer (tenant_id uuid, id int PRIMARY KEY, code text UNIQUE, email text);
CREATE UNIQUE INDEX customer_email ON shop.customer (lower(email)) WHERE email <> '';
CREATE TABLE shop.orders (tenant_id uuid, id int, customer_id int REFERENCES shop.customer ON DELETE CASCADE);
\set VERBOSITY default
SELECT aegis.protect_table('shop.customer');
SELECT aegis.protect_table('shop.orders');
\set VERBOSITY terse
-- allows: running exactly what the report says
SELECT fix FROM aegis.key_findings('shop.customer') \gexec
ALTER TABLE shop.orders ADD PRIMARY KEY (tenant_id, id);
SELECT aegis.protect_table('shop.customer');
SELECT aegis.protect_table('shop.orders', parent => 'shop.customer');
-- allows: calling it again changes nothing
SELECT aegis.protect_table('shop.customer');
SELECT polname, polcmd, polpermissive FROM pg_policy WHERE polrelid = 'shop.customer'::regclass ORDER BY 1;
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'shop.customer'::regclass;
SELECT attname, attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attrelid = 'shop.customer'::regclass ORDER BY attnum;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'shop' AND tablename = 'customer' ORDER BY 1;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA shop TO regress_protect_member;

-- refuses: taking row security away without a trace, for everybody
ALTER TABLE shop.customer DISABLE ROW LEVEL SECURITY;
ALTER TABLE shop.customer ALTER COLUMN code DROP NOT NULL, NO FORCE ROW LEVEL SECURITY;
DO $$ BEGIN EXECUTE 'ALTER TABLE shop.customer NO FORCE ROW LEVEL SECURITY'; END $$;
ALTER TABLE IF EXISTS shop.nothing DISABLE ROW LEVEL SECURITY;
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'shop.customer'::regclass;

-- refuses: what would show the owner the rows of all tenants by a detour: another name or type of the tenant, a parent without row security
ALTER TABLE shop.customer RENAME tenant_id TO tenant;
ALTER TABLE shop.customer DROP COLUMN tenant_id CASCADE;
ALTER TABLE shop.customer ALTER COLUMN tenant_id TYPE text;
CREATE TABLE shop.all_customers (LIKE shop.customer);
ALTER TABLE shop.customer INHERIT shop.all_customers;
CREATE TABLE shop.parts (LIKE shop.customer) PARTITION BY LIST (tenant_id);
ALTER TABLE shop.parts ATTACH PARTITION shop.customer DEFAULT;
DROP TABLE shop.all_customers, shop.parts;

-- refuses: silencing, dropping or renaming the triggers of Aegis, for everybody
ALTER TABLE shop.customer DISABLE TRIGGER ALL;
ALTER TABLE shop.customer DISABLE TRIGGER USER;
ALTER TABLE shop.customer DISABLE TRIGGER aegis_audit_row;
ALTER TABLE shop.customer ENABLE REPLICA TRIGGER zzy_aegis_stamp;
ALTER TABLE shop.customer ENABLE TRIGGER aegis_audit_row;
DROP TRIGGER aegis_audit_row ON shop.customer;
DROP TRIGGER zzy_aegis_stamp ON shop.customer;
ALTER TRIGGER zzy_aegis_stamp ON shop.customer RENAME TO later;
SELECT count(*) FILTER (WHERE tgenabled = 'A') AS always FROM pg_trigger WHERE tgrelid = 'shop.customer'::regclass AND tgname LIKE 'aegis_audit%';

-- refuses: what is no table of one's own, or cannot be protected
CREATE VIEW shop.customer_view AS SELECT * FROM shop.customer;
CREATE TEMP TABLE scratch (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.odd (tenant_id text, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.item (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.old (id int);
INSERT INTO shop.old VALUES (1);
\set VERBOSITY sqlstate
SELECT aegis.protect_table('shop.customer_view');
SELECT aegis.protect_table('scratch');
SELECT aegis.protect_table('shop.odd');
SELECT aegis.protect_table('aegis.tenant');
SELECT aegis.protect_table('pg_class');
SELECT aegis.protect_table('shop.item', parent => 'shop.odd');
SELECT aegis.protect_table('shop.item', team => false, parent => 'shop.customer');
SELECT aegis.protect_table(NULL);
SELECT aegis.unprotect_table('shop.item');
\set VERBOSITY terse
DROP VIEW shop.customer_view;
\c - regress_protect_member
SELECT aegis.protect_table('shop.item');

-- allows: existing rows get their tenant from an expression, no creator, and the root team
\c - regress_protect_owner
DROP TABLE shop.old;
CREATE TABLE shop.old (id int, owner_slug text);
INSERT INTO shop.old VALUES (1, 'one'), (2, 'two');
ALTER TABLE shop.old ADD COLUMN tenant_id uuid;
SELECT aegis.protect_table('shop.old', tenant_from => 'NULL');
SELECT set_config('shop.one', :'one', false) = :'one' AS set, set_config('shop.two', :'two', false) = :'two' AS set;
UPDATE shop.old SET tenant_id = (CASE owner_slug WHEN 'one' THEN current_setting('shop.one') ELSE current_setting('shop.two') END)::uuid;
ALTER TABLE shop.old ADD PRIMARY KEY (tenant_id, id);
SELECT aegis.protect_table('shop.old', tenant_from => $$(CASE owner_slug WHEN 'one' THEN current_setting('shop.one') ELSE current_setting('shop.two') END)::uuid$$);
\c - :superuser
SELECT id, tenant_id = CASE owner_slug WHEN 'one' THEN :'one'::uuid ELSE :'two'::uuid END AS tenant, created_by = :nil AS nobody, team_ord FROM shop.old ORDER BY id;

-- allows: a row belongs to whom the context says, whatever the client sends
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
INSERT INTO shop.customer (tenant_id, id, code, created_by, team_ord) VALUES (:'two', 1, 'c1', :bob, 5);
SELECT tenant_id = :'one' AS tenant, created_by = :ann AS creator, team_ord FROM shop.customer;
INSERT INTO shop.orders (id, customer_id) VALUES (1, 1);
SELECT tenant_id = :'one' AS tenant, created_by = :ann AS creator, team_ord FROM shop.orders;
COMMIT;
-- refuses: giving a row to another tenant, creator or, for a user, team
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
UPDATE shop.customer SET tenant_id = :'two';
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
UPDATE shop.customer SET created_by = :bob;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
UPDATE shop.customer SET team_ord = 150;
ROLLBACK;
-- refuses: a child of a parent that one does not see, in the same tenant or another
BEGIN;
SELECT probe_context(:'one', :bob, 1, 100, 199);
INSERT INTO shop.orders (id, customer_id) VALUES (2, 1);
ROLLBACK;
BEGIN;
SELECT probe_context(:'two', :ann, 4, 1, 4611686018427387904);
INSERT INTO shop.orders (tenant_id, id, customer_id) VALUES (:'one', 2, 1);
ROLLBACK;
-- refuses: truncation and everything without a context
TRUNCATE shop.orders;
SELECT * FROM shop.customer;
INSERT INTO shop.customer (id) VALUES (9);
\c - regress_protect_owner
SELECT * FROM shop.customer;
TRUNCATE shop.orders;

-- allows: a manager moves a row within the own range, and its children go along; not out of the range
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
UPDATE shop.customer SET team_ord = 150;
SELECT c.team_ord AS customer, o.team_ord AS orders FROM shop.customer c JOIN shop.orders o ON o.customer_id = c.id;
COMMIT;
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
UPDATE shop.customer SET team_ord = 200;
ROLLBACK;
-- survives: the creator's own row is still theirs in the other team
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
SELECT count(*) FROM shop.orders;
COMMIT;

-- survives: for every rank, command and tenant the rows are those that an independent rule gives
\c - :superuser
CREATE TABLE shop.matrix (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
ALTER TABLE shop.matrix OWNER TO regress_protect_owner;
SELECT aegis.protect_table('shop.matrix');
GRANT SELECT, UPDATE, DELETE ON shop.matrix TO regress_protect_member;
INSERT INTO shop.matrix (tenant_id, id, created_by, team_ord)
SELECT t.id, row_number() OVER (), u.id, o.ord
  FROM (VALUES (:'one'::uuid), (:'two')) t(id), (VALUES (:ann::uuid), (:bob), (:nil)) u(id),
       (VALUES (1::bigint), (100), (101), (150), (199), (200)) o(ord);
CREATE PROCEDURE look_all(looks jsonb, INOUT total int, INOUT disagreements int) LANGUAGE plpgsql AS $$
DECLARE
  look jsonb;
  rows jsonb;
BEGIN
  FOR look IN SELECT jsonb_array_elements(looks) LOOP
    PERFORM probe_context((look->>'tenant')::uuid, (look->>'usr')::uuid, (look->>'rank')::int, (look->>'ord')::bigint,
                          (look->>'last_ord')::bigint);
    CASE look->>'command'
      WHEN 'select' THEN SELECT jsonb_agg(id ORDER BY id) INTO rows FROM shop.matrix;
      WHEN 'update' THEN WITH x AS (UPDATE shop.matrix SET id = id RETURNING id) SELECT jsonb_agg(id ORDER BY id) INTO rows FROM x;
      WHEN 'delete' THEN WITH x AS (DELETE FROM shop.matrix RETURNING id) SELECT jsonb_agg(id ORDER BY id) INTO rows FROM x;
    END CASE;
    ROLLBACK;  -- one context per transaction, and nothing is kept
    total := total + 1;
    disagreements := disagreements + (coalesce(rows, '[]') <> look->'expected')::int;
  END LOOP;
END $$;
WITH actor AS (
  SELECT t.id AS tenant, u.id AS usr, r.rank, o.ord, o.last_ord
    FROM (VALUES (:'one'::uuid), (:'two')) t(id), (VALUES (:ann::uuid), (:bob)) u(id), generate_series(1, 4) r(rank),
         (VALUES (1::bigint, 4611686018427387904), (100, 199), (150, 150), (200, 200)) o(ord, last_ord)
)
SELECT jsonb_agg(to_jsonb(a) || jsonb_build_object('command', c.command, 'expected', coalesce((
         SELECT jsonb_agg(m.id ORDER BY m.id) FROM shop.matrix m
          WHERE m.tenant_id = a.tenant
            AND CASE a.rank WHEN 1 THEN m.created_by = a.usr
                            WHEN 2 THEN m.team_ord = a.ord
                            WHEN 3 THEN m.team_ord >= a.ord AND m.team_ord <= a.last_ord
                            ELSE true END), '[]'))) AS looks
  FROM actor a, (VALUES ('select'), ('update'), ('delete')) c(command) \gset
\c - regress_protect_member
CALL look_all(:'looks', 0, 0);

-- survives: a policy that says USING (true), and policies that are dropped, show nobody else's rows
\c - regress_protect_owner
CREATE POLICY careless ON shop.matrix USING (true) WITH CHECK (true);
DROP POLICY aegis_select ON shop.matrix;
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
SELECT count(*) AS visible, count(*) FILTER (WHERE tenant_id <> :'one') AS foreign_rows FROM shop.matrix;
UPDATE shop.matrix SET id = id WHERE tenant_id = :'two';
COMMIT;

-- allows: taking the protection away, as owner, recorded; then tenants are kept out
\c - regress_protect_owner
SELECT aegis.unprotect_table('shop.matrix');
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'shop.matrix'::regclass;
\c - regress_protect_member
SELECT count(*) FROM shop.matrix;
\c - :superuser
SELECT relation, parent FROM aegis.protected_table WHERE relation::text LIKE 'shop.%' ORDER BY relation::text;
SELECT count(*) FROM aegis.entry WHERE position('table.unprotected'::bytea IN body) > 0 AND position('shop.matrix'::bytea IN body) > 0;

-- allows: a parent whose key compares otherwise than by the equality of pg_catalog, as its foreign key does
SET client_min_messages = error;
CREATE EXTENSION citext;
RESET client_min_messages;
\c - regress_protect_owner
CREATE TABLE shop.coded (tenant_id uuid, code public.citext, PRIMARY KEY (tenant_id, code));
CREATE TABLE shop.coding (tenant_id uuid, id int, code public.citext NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, code) REFERENCES shop.coded);
SELECT aegis.protect_table('shop.coded'), aegis.protect_table('shop.coding', parent => 'shop.coded');
GRANT SELECT, INSERT, UPDATE ON shop.coded, shop.coding TO regress_protect_member;
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
INSERT INTO shop.coded (code) VALUES ('Ab');
INSERT INTO shop.coding (id, code) VALUES (1, 'aB');
UPDATE shop.coded SET team_ord = 150;
SELECT team_ord FROM shop.coding;
COMMIT;
-- refuses: unprotecting a parent that rows of others take creator and team from; and adding rows when it was dropped
\c - regress_protect_owner
\set VERBOSITY default
SELECT aegis.unprotect_table('shop.coded');
\set VERBOSITY terse
SET client_min_messages = error;
DROP TABLE shop.coded CASCADE;
RESET client_min_messages;
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
\set VERBOSITY default
INSERT INTO shop.coding (id, code) VALUES (2, 'aB');
\set VERBOSITY terse
ROLLBACK;
\c - regress_protect_owner
SELECT aegis.protect_table('shop.coding');
\c - regress_protect_member
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
INSERT INTO shop.coding (id, code) VALUES (2, 'aB');
ROLLBACK;
-- refuses: a column of ours that counts by itself
\c - regress_protect_owner
CREATE TABLE shop.counting (tenant_id uuid, id int, team_ord bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (tenant_id, id));
SELECT problem, fix FROM aegis.protection_findings('shop.counting') WHERE blocks;

-- survives: names that mean something in a statement; what was there before is there again, and nothing else is gone
\c - regress_protect_owner
CREATE TABLE shop."{table}" (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop."a COLUMN created_by b" (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop."it's 100%" (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.moved (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE VIEW shop.shape AS
  SELECT c.oid, (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) AS indexes, (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers,
         (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r';
SELECT aegis.protect_table('shop."{table}"'), aegis.protect_table('shop."a COLUMN created_by b"'), aegis.protect_table('shop."it''s 100%"'), aegis.protect_table('shop.moved');
ALTER TABLE shop."{table}" RENAME TO "CASCADE; ALTER TABLE shop.item ADD COLUMN taken int --";
-- another table has taken the name of the index
ALTER TABLE shop.moved SET SCHEMA shop_too;
CREATE INDEX moved_tenant_id_created_by_idx ON shop.item (id);
\c - :superuser
SELECT aegis.unprotect_table('shop."CASCADE; ALTER TABLE shop.item ADD COLUMN taken int --"', true);
SELECT aegis.unprotect_table('shop."a COLUMN created_by b"', true), aegis.unprotect_table('shop."it''s 100%"', true), aegis.unprotect_table('shop_too.moved', true);
ALTER TABLE shop_too.moved SET SCHEMA shop;
SELECT c.relname, s.columns, s.indexes, s.triggers, s.policies, s.relrowsecurity OR s.relforcerowsecurity AS bound
  FROM shop.shape s JOIN pg_class c ON c.oid = s.oid WHERE c.relname ~ '[^a-z_]|moved' ORDER BY 1;
SELECT count(*) AS taken FROM pg_attribute WHERE attrelid = 'shop.item'::regclass AND attname = 'taken';
SELECT indexdef FROM pg_indexes WHERE indexname = 'moved_tenant_id_created_by_idx';

-- refuses: taking the place of a policy that is somebody else's
\c - regress_protect_owner
CREATE TABLE shop.policed (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE POLICY aegis_select ON shop.policed USING (id > 0);
\set VERBOSITY default
SELECT aegis.protect_table('shop.policed');
\set VERBOSITY terse
SELECT fix FROM aegis.protection_findings('shop.policed') WHERE blocks \gexec
SELECT aegis.protect_table('shop.policed');
SELECT aegis.protect_table('shop.policed');
SELECT aegis.unprotect_table('shop.policed');
SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'shop.policed'::regclass;
\c - :superuser

DROP SCHEMA shop, shop_too CASCADE;
DROP EXTENSION citext;
DROP PROCEDURE look_all;
DROP FUNCTION probe_context;
DROP OWNED BY regress_protect_owner, regress_protect_member;
DROP ROLE regress_protect_owner, regress_protect_member;
