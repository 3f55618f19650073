-- Rows that belong to a row take its creator and team, through as many tables as there are, and whoever changes them there.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_follow_owner LOGIN;
CREATE ROLE regress_follow_member LOGIN;
GRANT aegis_member TO regress_follow_member;
GRANT USAGE ON SCHEMA aegis TO regress_follow_owner;
CREATE SCHEMA follow AUTHORIZATION regress_follow_owner;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('follow-one', 'One') AS one \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
\c - regress_follow_owner
SET client_min_messages = warning;
CREATE TABLE follow.sheet (tenant_id uuid, id int, title text, PRIMARY KEY (tenant_id, id));
CREATE TABLE follow.line (tenant_id uuid, id int, sheet int NOT NULL, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, sheet) REFERENCES follow.sheet);
CREATE TABLE follow.note (tenant_id uuid, id int, line int NOT NULL, body text, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, line) REFERENCES follow.line);
CREATE TABLE follow.page (tenant_id uuid, id int, sheet int NOT NULL, year int, PRIMARY KEY (tenant_id, id, year),
  FOREIGN KEY (tenant_id, sheet) REFERENCES follow.sheet) PARTITION BY LIST (year);
CREATE TABLE follow.page_1 PARTITION OF follow.page FOR VALUES IN (1);
CREATE TABLE follow.page_2 PARTITION OF follow.page FOR VALUES IN (2);
CREATE TABLE follow.mark (tenant_id uuid, id int, page int NOT NULL, year int NOT NULL, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, page, year) REFERENCES follow.page ON UPDATE CASCADE);
SELECT aegis.protect_table('follow.sheet'), aegis.protect_table('follow.line', parent => 'follow.sheet'),
       aegis.protect_table('follow.note', parent => 'follow.line'), aegis.protect_table('follow.page', parent => 'follow.sheet'),
       aegis.protect_table('follow.mark', parent => 'follow.page');
GRANT USAGE ON SCHEMA follow TO regress_follow_member;
GRANT SELECT, INSERT, UPDATE, DELETE ON follow.sheet, follow.line, follow.note, follow.page, follow.mark TO regress_follow_member;
CREATE VIEW follow.place WITH (security_invoker) AS
  SELECT 'sheet' AS what, id, created_by, team_ord FROM follow.sheet UNION ALL SELECT 'line', id, created_by, team_ord FROM follow.line
  UNION ALL SELECT 'note', id, created_by, team_ord FROM follow.note UNION ALL SELECT 'page', id, created_by, team_ord FROM follow.page
  UNION ALL SELECT 'mark', id, created_by, team_ord FROM follow.mark;
GRANT SELECT ON follow.place TO regress_follow_member;

\c - regress_follow_member
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
INSERT INTO follow.sheet (id) VALUES (1);
INSERT INTO follow.line (id, sheet) VALUES (1, 1);
INSERT INTO follow.note (id, line, body) VALUES (1, 1, 'of Ann'), (2, 1, 'of Ann');
INSERT INTO follow.page (id, sheet, year) VALUES (1, 1, 1);
INSERT INTO follow.mark (id, page, year) VALUES (1, 1, 1);
COMMIT;
BEGIN;
SELECT probe_context(:'one', :bob, 1, 100, 199);
INSERT INTO follow.sheet (id) VALUES (2);
COMMIT;
BEGIN;
SELECT probe_context(:'one', :bob, 1, 150, 199);
INSERT INTO follow.sheet (id) VALUES (3);
COMMIT;

-- to a sheet of the same team, which somebody else made: hers no more
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
UPDATE follow.line SET sheet = 2;
UPDATE follow.page SET sheet = 2;
SELECT what, id, created_by = :bob AS of_bob, team_ord FROM follow.place WHERE what <> 'sheet' ORDER BY 1, 2;
SAVEPOINT s;
-- to one of another team
UPDATE follow.line SET sheet = 3;
UPDATE follow.page SET sheet = 3;
SELECT what, id, created_by = :bob AS of_bob, team_ord FROM follow.place WHERE what <> 'sheet' ORDER BY 1, 2;
ROLLBACK TO s;
-- into another partition at once
UPDATE follow.page SET sheet = 3, year = 2;
SELECT what, id, created_by = :bob AS of_bob, team_ord FROM follow.place WHERE what IN ('page', 'mark') ORDER BY 1, 2;
UPDATE follow.page SET sheet = 1, year = 1;
SELECT what, id, created_by = :ann AS of_ann, team_ord FROM follow.place WHERE what IN ('page', 'mark') ORDER BY 1, 2;
UPDATE follow.page SET sheet = 2, year = 2;
SELECT what, id, created_by = :bob AS of_bob, team_ord FROM follow.place WHERE what IN ('page', 'mark') ORDER BY 1, 2;
COMMIT;
BEGIN;
SELECT probe_context(:'one', :ann, 1, 100, 199);
SELECT what, id FROM follow.place ORDER BY 1, 2;
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', :bob, 1, 100, 199);
SELECT what, id FROM follow.place ORDER BY 1, 2;
ROLLBACK;

-- a trigger of the table's own that gives the team
\c - regress_follow_owner
CREATE FUNCTION follow.give_team() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = 'moved' THEN NEW.team_ord := 150; END IF; RETURN NEW; END $$;
CREATE TRIGGER give_team BEFORE UPDATE ON follow.sheet FOR EACH ROW EXECUTE FUNCTION follow.give_team();
\c - regress_follow_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
UPDATE follow.sheet SET title = 'moved' WHERE id = 2;
SELECT what, id, team_ord FROM follow.place WHERE id <> 3 ORDER BY 1, 2;
ROLLBACK;

\c - :superuser
SET client_min_messages = warning;
DROP SCHEMA follow CASCADE;
DROP FUNCTION probe_context;
DROP OWNED BY regress_follow_owner, regress_follow_member;
DROP ROLE regress_follow_owner, regress_follow_member;
