-- A protected table is protected with its partitions and children, those of today and those of tomorrow.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_tree_owner LOGIN;
CREATE ROLE regress_tree_member LOGIN;
GRANT aegis_member TO regress_tree_member;
GRANT USAGE ON SCHEMA aegis TO regress_tree_owner;
CREATE SCHEMA tree AUTHORIZATION regress_tree_owner;
GRANT USAGE ON SCHEMA tree TO regress_tree_member;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_tree_owner', current_database()); END $$;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('tree-one', 'One') AS one \gset
SELECT aegis.create_tenant('tree-two', 'Two') AS two \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
-- How each table of the tree stands: forced, policies, and triggers of Aegis that always or normally fire.
CREATE VIEW stands AS
  SELECT c.oid::regclass AS relation, c.relrowsecurity AND c.relforcerowsecurity AS forced,
         (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname LIKE 'aegis_%') AS policies,
         (SELECT string_agg(t.tgname || CASE t.tgenabled WHEN 'A' THEN '!' ELSE '' END, ' ' ORDER BY t.tgname) FROM pg_trigger t
           WHERE t.tgrelid = c.oid AND t.tgname ~ 'aegis') AS triggers,
         (SELECT p.root FROM aegis.protected_part p WHERE p.relation = c.oid) AS root
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname IN ('tree', 'regress_tree_owner') AND c.relkind IN ('r', 'p') ORDER BY c.oid::regclass::text COLLATE "C";

-- refuses: a partition or child by itself, and trees with parts that cannot be protected, all in one report
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.event (tenant_id uuid, id int, month date, note text, PRIMARY KEY (id, month, tenant_id)) PARTITION BY RANGE (month);
CREATE TABLE tree.event_1 PARTITION OF tree.event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE tree.event_2 PARTITION OF tree.event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (tenant_id);
-- columns in another order, and one that was dropped
CREATE TABLE tree.event_2_0 (note text, gone int, month date NOT NULL, id int NOT NULL, tenant_id uuid NOT NULL);
ALTER TABLE tree.event_2_0 DROP COLUMN gone;
ALTER TABLE tree.event_2 ATTACH PARTITION tree.event_2_0 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE UNIQUE INDEX event_1_note ON tree.event_1 (note);
\set VERBOSITY default
SELECT aegis.protect_table('tree.event_1');
SELECT aegis.protect_table('tree.event');
\set VERBOSITY terse
SELECT fix FROM aegis.key_findings('tree.event') \gexec
SELECT aegis.protect_table('tree.event');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA tree TO regress_tree_member;
\c - :superuser
SET client_min_messages = warning;
SELECT * FROM stands;
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ '^tree' AND finding NOT LIKE 'grant-%' ORDER BY 2, 3;

-- allows: rows through the table, whichever partition takes them
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
INSERT INTO tree.event (id, month, note) VALUES (1, '2026-01-05', 'a1'), (2, '2026-02-05', 'a2');
COMMIT;
BEGIN;
SELECT probe_context(:'two', :bob, 4, 1, 4611686018427387904);
INSERT INTO tree.event (tenant_id, id, month, note, created_by, team_ord) VALUES (:'two', 1, '2026-01-05', 'b1', :ann, 7), (:'two', 2, '2026-02-05', 'b2', :ann, 7);
SELECT id, tenant_id = :'two' AS tenant, created_by = :bob AS creator, team_ord FROM tree.event ORDER BY 1;
COMMIT;
-- refuses: partitions directly, by every way, whatever is granted
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
SAVEPOINT s;
SELECT * FROM tree.event_1;
ROLLBACK TO s;
SELECT * FROM tree.event_2_0;
ROLLBACK TO s;
INSERT INTO tree.event_1 (id, month) VALUES (3, '2026-01-06');
ROLLBACK TO s;
UPDATE tree.event_2 SET note = 'x';
ROLLBACK TO s;
DELETE FROM ONLY tree.event_1;
ROLLBACK TO s;
MERGE INTO tree.event_1 t USING (VALUES (1)) v(id) ON t.id = v.id WHEN MATCHED THEN DELETE;
ROLLBACK TO s;
COPY tree.event_1 TO STDOUT;
ROLLBACK TO s;
\copy tree.event_1 FROM '/dev/null'
ROLLBACK TO s;
TRUNCATE tree.event_1;
ROLLBACK TO s;
TRUNCATE ONLY tree.event;
ROLLBACK TO s;
-- allows: seeing the own rows and no others, with and without ONLY
SELECT count(*) AS own, (SELECT count(*) FROM ONLY tree.event) AS only FROM tree.event;
ROLLBACK;
-- refuses: a view or a function that reads a partition
\c - regress_tree_owner
CREATE VIEW tree.event_view WITH (security_invoker) AS SELECT note FROM tree.event_1;
CREATE FUNCTION tree.read() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT note FROM tree.event_1';
GRANT SELECT ON tree.event_view TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
SAVEPOINT s;
SELECT * FROM tree.event_view;
ROLLBACK TO s;
SELECT * FROM tree.read();
ROLLBACK;
-- refuses: rows of others in partitions, to the owner without a context too
\c - regress_tree_owner
SELECT * FROM tree.event_1;
TRUNCATE tree.event_1;
TRUNCATE tree.event;
ALTER TABLE tree.event_1 NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tree.event_2_0 DISABLE TRIGGER zzy_aegis_stamp;
DROP TRIGGER aegis_truncate ON tree.event_1;
CREATE OR REPLACE TRIGGER aegis_truncate BEFORE TRUNCATE ON tree.event_1 FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger();
DROP VIEW tree.event_view;
DROP FUNCTION tree.read();

-- survives: a row that an UPDATE moves to another partition keeps creator and team, and the ledger has both halves
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
UPDATE tree.event SET month = '2026-02-20' WHERE id = 1;
SELECT id, month, created_by = :ann AS creator, team_ord FROM tree.event ORDER BY id;
UPDATE tree.event SET month = '2026-01-20', team_ord = 150 WHERE id = 1;
SELECT id, month, created_by = :ann AS creator, team_ord FROM tree.event ORDER BY id;
-- a new row after it is new
INSERT INTO tree.event (id, month, created_by, team_ord) VALUES (4, '2026-01-07', :ann, 150);
SELECT created_by = :bob AS creator, team_ord FROM tree.event WHERE id = 4;
COMMIT;
-- refuses: using a move to forge a creator, a team or a tenant, or to leave the range
BEGIN;
SELECT probe_context(:'one', :bob, 3, 100, 199);
SAVEPOINT s;
UPDATE tree.event SET month = '2026-02-20', created_by = :bob WHERE id = 1;
ROLLBACK TO s;
UPDATE tree.event SET month = '2026-02-20', tenant_id = :'two' WHERE id = 1;
ROLLBACK TO s;
UPDATE tree.event SET month = '2026-02-20', team_ord = 500 WHERE id = 1;
ROLLBACK TO s;
UPDATE tree.event SET note = note WHERE id = 1;
INSERT INTO tree.event (id, month, created_by, team_ord) VALUES (5, '2026-01-08', :ann, 150);
SELECT created_by = :bob AS creator, team_ord FROM tree.event WHERE id = 5;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 1, 150, 150);
UPDATE tree.event SET month = '2026-02-20', team_ord = 151 WHERE id = 1;
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT image->>'relation' AS relation, image->>'operation' AS operation, image->'key'->>'id' AS id, image->'key'->>'month' AS month
  FROM aegis.audit_log WHERE event = 'row.changed' AND image->>'relation' LIKE 'tree.%' ORDER BY seq;

-- allows: new partitions of any depth, which the statement that makes them covers
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.event_3 PARTITION OF tree.event FOR VALUES FROM ('2026-03-01') TO ('2026-04-01') PARTITION BY LIST (id);
CREATE TABLE tree.event_3_all PARTITION OF tree.event_3 DEFAULT;
CREATE TABLE tree.event_4 (LIKE tree.event);
INSERT INTO tree.event_4 (tenant_id, id, month, note, created_by, team_ord) VALUES (:'two', 9, '2026-04-01', 'brought along', :bob, 1);
ALTER TABLE tree.event_4 ADD PRIMARY KEY (tenant_id, id, month);
SELECT aegis.protect_table('tree.event_4', created_by => false);
ALTER TABLE tree.event ATTACH PARTITION tree.event_4 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
CREATE SCHEMA AUTHORIZATION regress_tree_owner CREATE TABLE within PARTITION OF tree.event FOR VALUES FROM ('2027-01-01') TO ('2027-02-01');
\c - :superuser
SET client_min_messages = warning;
SELECT * FROM stands;
SELECT relation FROM aegis.protected_table WHERE relation::text LIKE 'tree.%' ORDER BY 1;
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ '^tree' AND finding NOT LIKE 'grant-%' ORDER BY 2, 3;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
INSERT INTO tree.event (id, month) VALUES (30, '2026-03-01'), (40, '2026-04-02');
SELECT count(*) FILTER (WHERE month >= '2026-03-01') AS own, count(*) FILTER (WHERE tenant_id <> :'one') AS foreign_rows FROM tree.event;
COMMIT;
-- refuses: parts that have no row security, and giving one a home in another schema does not help
\c - :superuser
SET client_min_messages = warning;
CREATE FOREIGN DATA WRAPPER regress_tree_wrapper;
CREATE SERVER regress_tree_server FOREIGN DATA WRAPPER regress_tree_wrapper;
CREATE FOREIGN TABLE tree.far PARTITION OF tree.event FOR VALUES FROM ('2028-01-01') TO ('2028-02-01') SERVER regress_tree_server;
CREATE SCHEMA elsewhere;
ALTER TABLE tree.event_4 SET SCHEMA elsewhere;
GRANT USAGE ON SCHEMA elsewhere TO regress_tree_member;
GRANT SELECT ON elsewhere.event_4 TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
SELECT * FROM elsewhere.event_4;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
SELECT count(*) FROM tree.event WHERE month >= '2026-04-01';
ROLLBACK;

-- survives: a partition that leaves stays covered, concurrently too, and can come back
\c - :superuser
ALTER TABLE elsewhere.event_4 SET SCHEMA tree;
DROP SCHEMA elsewhere;
\c - regress_tree_owner
SET client_min_messages = warning;
ALTER TABLE tree.event DETACH PARTITION tree.event_4;
ALTER TABLE tree.event DETACH PARTITION tree.event_3 CONCURRENTLY;
GRANT SELECT, UPDATE ON tree.event_4 TO regress_tree_member;
SELECT * FROM tree.event_4;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
SELECT id, tenant_id = :'one' AS own FROM tree.event_4;
UPDATE tree.event_4 SET tenant_id = :'two';
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
UPDATE tree.event_4 SET note = 'after it left';
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT * FROM stands WHERE relation::text ~ '_[34]';
SELECT relation, created_by, team FROM aegis.protected_table WHERE relation::text LIKE 'tree.%' ORDER BY 1;
SELECT count(*) FROM aegis.audit_log WHERE image->>'relation' = 'tree.event_4' AND image->>'operation' = 'U';
SELECT severity, object, finding FROM aegis.coverage() WHERE object ~ '^tree' AND finding NOT LIKE 'grant-%' ORDER BY 2, 3;
\c - regress_tree_owner
SET client_min_messages = warning;
ALTER TABLE tree.event ATTACH PARTITION tree.event_4 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
ALTER TABLE tree.event ATTACH PARTITION tree.event_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
-- a trigger of a partition that fires after the stamp cannot give the row away
CREATE FUNCTION tree.give_away() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant_id := ''00000000-0000-4000-8000-000000000002''; RETURN NEW; END';
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON tree.event_1 FOR EACH ROW EXECUTE FUNCTION tree.give_away();
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
INSERT INTO tree.event (id, month) VALUES (6, '2026-01-09');
ROLLBACK;
\c - regress_tree_owner
DROP TRIGGER zzzz ON tree.event_1;

-- allows: partitions by tenant, where only the tenant's own value is taken
SET client_min_messages = warning;
CREATE TABLE tree.book (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)) PARTITION BY LIST (tenant_id);
CREATE TABLE tree.book_one PARTITION OF tree.book FOR VALUES IN (:'one');
CREATE TABLE tree.book_rest PARTITION OF tree.book DEFAULT;
CREATE TABLE tree.leaf (tenant_id uuid, book_id int, id int, at int, note text, PRIMARY KEY (tenant_id, id, at),
  FOREIGN KEY (tenant_id, book_id) REFERENCES tree.book (tenant_id, id) ON DELETE CASCADE) PARTITION BY RANGE (at);
CREATE TABLE tree.leaf_1 PARTITION OF tree.leaf FOR VALUES FROM (0) TO (10);
CREATE TABLE tree.leaf_2 PARTITION OF tree.leaf FOR VALUES FROM (10) TO (20);
SELECT aegis.protect_table('tree.book');
SELECT aegis.protect_table('tree.leaf', parent => 'tree.book');
GRANT SELECT, INSERT, UPDATE, DELETE ON tree.book, tree.leaf TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'two', :bob, 1, 100, 199);
INSERT INTO tree.book (id) VALUES (1);
SAVEPOINT s;
INSERT INTO tree.book (tenant_id, id) VALUES (:'one', 2);
ROLLBACK TO s;
INSERT INTO tree.book (tenant_id, id) VALUES (gen_random_uuid(), 2);
ROLLBACK TO s;
INSERT INTO tree.leaf (book_id, id, at) VALUES (1, 1, 5);
COMMIT;
-- survives: children follow a parent that moves, also when they and it are partitioned and the row goes elsewhere
BEGIN;
SELECT probe_context(:'two', :ann, 3, 100, 199);
UPDATE tree.book SET team_ord = 150;
SELECT b.team_ord AS book, l.team_ord AS leaf, l.created_by = :bob AS creator FROM tree.book b JOIN tree.leaf l ON l.book_id = b.id;
UPDATE tree.leaf SET at = 15;
SELECT team_ord, created_by = :bob AS creator FROM tree.leaf;
COMMIT;
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.shelf (tenant_id uuid, id int, team_ord bigint NOT NULL, PRIMARY KEY (tenant_id, id, team_ord)) PARTITION BY RANGE (team_ord);
CREATE TABLE tree.shelf_low PARTITION OF tree.shelf FOR VALUES FROM (0) TO (150);
CREATE TABLE tree.shelf_high PARTITION OF tree.shelf FOR VALUES FROM (150) TO (maxvalue);
CREATE TABLE tree.jar (tenant_id uuid, shelf_id int, team_ord bigint NOT NULL, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('tree.shelf');
GRANT SELECT, INSERT, UPDATE, DELETE ON tree.shelf TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'two', :bob, 3, 100, 199);
INSERT INTO tree.shelf (id) VALUES (1);
UPDATE tree.shelf SET team_ord = 160;
SELECT id, team_ord, created_by = :bob AS creator FROM tree.shelf;
COMMIT;

-- inheritance: the table and its children together; a child that comes later waits for protect_table
\c - regress_tree_owner
SET client_min_messages = warning;
DROP TABLE tree.jar;
CREATE TABLE tree.base (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE tree.kid (PRIMARY KEY (tenant_id, id), more text) INHERITS (tree.base);
CREATE TABLE tree.other (id int, PRIMARY KEY (id));
CREATE TABLE tree.kid_of_two (PRIMARY KEY (id)) INHERITS (tree.base, tree.other);
\c - :superuser
SET client_min_messages = warning;
CREATE FOREIGN TABLE tree.far () INHERITS (tree.base) SERVER regress_tree_server;
ALTER FOREIGN TABLE tree.far OWNER TO regress_tree_owner;
CREATE TABLE tree.foreign_kid (PRIMARY KEY (tenant_id, id)) INHERITS (tree.base);
\c - regress_tree_owner
SET client_min_messages = warning;
\set VERBOSITY default
SELECT aegis.protect_table('tree.base');
\set VERBOSITY terse
ALTER TABLE tree.kid_of_two NO INHERIT tree.base;
ALTER FOREIGN TABLE tree.far NO INHERIT tree.base;
\c - :superuser
DROP FOREIGN DATA WRAPPER regress_tree_wrapper CASCADE;
DROP TABLE tree.foreign_kid;
\c - regress_tree_owner
SET client_min_messages = warning;
SELECT aegis.protect_table('tree.base');
SELECT aegis.protect_table('tree.kid');
GRANT SELECT, INSERT, UPDATE, DELETE ON tree.base, tree.kid TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
INSERT INTO tree.base (id) VALUES (1);
INSERT INTO tree.kid (tenant_id, id) VALUES (:'two', 2);
SELECT tableoid::regclass, id, tenant_id = :'one' AS tenant, created_by = :ann AS creator FROM tree.base ORDER BY id;
COMMIT;
BEGIN;
SELECT probe_context(:'two', :bob, 4, 1, 4611686018427387904);
SELECT count(*) AS base, (SELECT count(*) FROM tree.kid) AS kid FROM tree.base;
UPDATE tree.base SET note = 'x';
DELETE FROM tree.kid;
TRUNCATE tree.kid;
ROLLBACK;
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.late (PRIMARY KEY (tenant_id, id)) INHERITS (tree.base);
\c - :superuser
SET client_min_messages = warning;
SELECT finding, fix FROM aegis.coverage() WHERE object = 'tree.late';
SELECT fix FROM aegis.coverage() WHERE object = 'tree.late' \gexec
SELECT * FROM stands WHERE relation::text ~ 'base|kid|late';
ALTER TABLE tree.late NO INHERIT tree.base;
SELECT relation FROM aegis.protected_table WHERE relation = 'tree.late'::regclass;
SELECT count(*) FROM aegis.coverage() WHERE object ~ '^tree.(base|kid|late)$' AND severity = 'high';
-- refuses: a partition that rows of another table take creator and team from; and a table that inherits goes on giving them
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.above (tenant_id uuid, id int, created_by uuid NOT NULL, team_ord bigint NOT NULL, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
CREATE TABLE tree.whole (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE tree.giver (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE tree.taker (tenant_id uuid, id int, giver int NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, giver) REFERENCES tree.giver);
SELECT aegis.protect_table('tree.above'), aegis.protect_table('tree.whole'), aegis.protect_table('tree.giver'), aegis.protect_table('tree.taker', parent => 'tree.giver');
ALTER TABLE tree.above ATTACH PARTITION tree.giver DEFAULT;
ALTER TABLE tree.giver INHERIT tree.whole;
SELECT aegis.protect_table('tree.whole');
GRANT SELECT, INSERT, UPDATE ON tree.giver, tree.taker TO regress_tree_member;
\c - regress_tree_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
INSERT INTO tree.giver (id) VALUES (1);
INSERT INTO tree.taker (id, giver) VALUES (1, 1);
UPDATE tree.giver SET team_ord = 7;
SELECT team_ord FROM tree.taker;
ROLLBACK;
\c - regress_tree_owner
SET client_min_messages = warning;
SELECT aegis.unprotect_table('tree.whole');
DROP TABLE tree.taker, tree.giver, tree.whole, tree.above;
-- survives: a child that goes from one protected table to another by one statement, when the first is protected no longer
\c - regress_tree_owner
SET client_min_messages = warning;
CREATE TABLE tree.first (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE tree.second (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE tree.third (PRIMARY KEY (tenant_id, id)) INHERITS (tree.first);
SELECT aegis.protect_table('tree.first'), aegis.protect_table('tree.second', created_by => false, team => false);
ALTER TABLE tree.second ADD COLUMN created_by uuid, ADD COLUMN team_ord bigint;
ALTER TABLE tree.third NO INHERIT tree.first, INHERIT tree.second;
SELECT aegis.unprotect_table('tree.first');
ALTER TABLE tree.third NO FORCE ROW LEVEL SECURITY;
SELECT id FROM tree.third;
\c - :superuser
SELECT relation, root FROM aegis.protected_part WHERE relation = 'tree.third'::regclass;
SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'tree.third'::regclass AND polqual IS NOT NULL ORDER BY 1;
\c - regress_tree_owner
SET client_min_messages = warning;
SELECT aegis.unprotect_table('tree.second');
DROP TABLE tree.third, tree.second, tree.first;

-- survives: taken away, everything is as it was before
\c - regress_tree_owner
SET client_min_messages = warning;
SELECT aegis.unprotect_table('tree.event_1');
SELECT aegis.unprotect_table('tree.event');
SELECT aegis.unprotect_table('tree.base', drop_columns => true);
\c - :superuser
SELECT * FROM stands WHERE relation::text ~ 'event|base|kid';
SELECT attrelid::regclass, string_agg(attname || CASE WHEN attnotnull THEN '!' ELSE '' END || CASE WHEN atthasdef THEN '=' ELSE '' END, ' ' ORDER BY attnum)
  FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid IN ('tree.event'::regclass, 'tree.event_1'::regclass, 'tree.base'::regclass, 'tree.kid'::regclass)
 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM aegis.protected_part WHERE root IN ('tree.event'::regclass, 'tree.base'::regclass);
SELECT count(*) FROM aegis.audited_table WHERE relation IN ('tree.event'::regclass, 'tree.base'::regclass, 'tree.kid'::regclass);

SET client_min_messages = warning;
DROP SCHEMA tree CASCADE;
DROP SCHEMA regress_tree_owner CASCADE;
DROP VIEW stands;
DROP FUNCTION probe_context;
DROP OWNED BY regress_tree_owner, regress_tree_member;
DROP ROLE regress_tree_owner, regress_tree_member;
