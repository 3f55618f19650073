-- Teams are numbered so that a subtree is one range; a context lists what it reaches.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_team_member LOGIN;
GRANT aegis_member TO regress_team_member;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('team-one', 'One') AS one \gset
SELECT aegis.create_tenant('team-two', 'Two') AS two \gset
SELECT id AS one_root, ord AS one_ord, last_ord AS one_last FROM aegis.team WHERE tenant_id = :'one' \gset
SELECT id AS two_root FROM aegis.team WHERE tenant_id = :'two' \gset

-- allows: an admin builds a tree; without a parent a team is below the root
\c - regress_team_member
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.create_team('Sales') AS sales \gset
SELECT aegis.create_team('Support') AS support \gset
SELECT aegis.create_team('Sales North', :'sales') AS north \gset
SELECT aegis.create_team('Sales North 1', :'north') AS north_1 \gset
SELECT aegis.create_team('Sales South', :'sales') AS south \gset
SELECT t.name, p.name AS parent FROM aegis.teams() t LEFT JOIN aegis.teams() p ON p.id = t.parent_id ORDER BY t.ord;
SELECT ord AS sales_ord, last_ord AS sales_last FROM aegis.teams() WHERE id = :'sales' \gset
SELECT ord AS north_ord, last_ord AS north_last FROM aegis.teams() WHERE id = :'north' \gset
SELECT slug, name FROM aegis.current_tenant();
COMMIT;

-- survives: every team's range holds exactly the teams below it
\c - :superuser
WITH RECURSIVE below AS (
  SELECT tenant_id, id AS top, id FROM aegis.team
  UNION ALL
  SELECT b.tenant_id, b.top, t.id FROM below b JOIN aegis.team t ON t.tenant_id = b.tenant_id AND t.parent_id = b.id
)
SELECT count(*) AS disagreements
  FROM aegis.team a JOIN aegis.team b USING (tenant_id)
 WHERE (b.ord BETWEEN a.ord AND a.last_ord)
       <> EXISTS (SELECT FROM below w WHERE w.tenant_id = a.tenant_id AND w.top = a.id AND w.id = b.id);

-- allows: a manager lists the subtree, a lead and a user the own team
\c - regress_team_member
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 3, :sales_ord, :sales_last);
SELECT name FROM aegis.teams();
COMMIT;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 2, :north_ord, :north_last);
SELECT name FROM aegis.teams();
COMMIT;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 1, :north_ord, :north_last);
SELECT name FROM aegis.teams();
COMMIT;

-- refuses: no context, a rank below admin, another tenant's team as parent, a name twice, no name
SELECT aegis.create_team('x');
SELECT * FROM aegis.teams();
SELECT * FROM aegis.current_tenant();
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 3, :sales_ord, :sales_last);
SELECT aegis.create_team('x');
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SAVEPOINT s;
SELECT aegis.create_team('x', :'two_root');
ROLLBACK TO s;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.create_team('Sales');
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.create_team(NULL);
ROLLBACK;

-- allows: an admin renames a team, the root too; ranges stay
\c - :superuser
CREATE SCHEMA team_test;
CREATE TABLE team_test.note (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('team_test.note');
GRANT USAGE ON SCHEMA team_test TO aegis_member;
GRANT SELECT, INSERT, UPDATE ON team_test.note TO aegis_member;
\c - regress_team_member
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.rename_team(:'support', 'Help');
SELECT aegis.rename_team(:'one_root', 'Everybody');
SELECT name FROM aegis.teams() WHERE id IN (:'support', :'one_root');
SELECT aegis.rename_team(:'support', 'Sales');
ROLLBACK;
-- refuses: renaming and deleting below admin, without a context, in another tenant, and what is used
SELECT aegis.rename_team(:'support', 'x');
SELECT aegis.delete_team(:'support');
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 3, :sales_ord, :sales_last);
SAVEPOINT s;
SELECT aegis.rename_team(:'north', 'x');
ROLLBACK TO s;
SELECT aegis.delete_team(:'south');
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SAVEPOINT s;
SELECT aegis.rename_team(:'two_root', 'x');
ROLLBACK TO s;
SELECT aegis.delete_team(:'two_root');
ROLLBACK TO s;
SELECT aegis.delete_team(:'one_root');
ROLLBACK TO s;
SELECT aegis.delete_team(:'north');
ROLLBACK;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.create_user('ann@example.test', 'Ann', 1::smallint, :'support', 'plum quartz lantern 47 river') AS ann \gset
SAVEPOINT s;
SELECT aegis.delete_team(:'support');
ROLLBACK TO s;
SELECT aegis.move_user(:'ann', :'sales');
SELECT aegis.delete_team(:'support');
ROLLBACK;
-- refuses: a team with rows, also with one between two numbers; allows it once they are moved
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT ord AS south_ord, last_ord AS south_last FROM aegis.teams() WHERE id = :'south' \gset
COMMIT;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 1, :south_ord, :south_ord);
INSERT INTO team_test.note (id) VALUES (1);
COMMIT;
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SAVEPOINT s;
SELECT aegis.delete_team(:'south');
ROLLBACK TO s;
UPDATE team_test.note SET team_ord = :south_last;
SELECT aegis.delete_team(:'south');
ROLLBACK TO s;
UPDATE team_test.note SET team_ord = :sales_ord;
SELECT aegis.delete_team(:'south');
SELECT name FROM aegis.teams();
SELECT aegis.rename_team(:'support', 'Help');
-- survives: its number is never given again, so that nothing that still carries it falls to another team
SELECT aegis.create_team('Sales South', :'sales') AS south_again \gset
SELECT ord > :south_last AS new_number FROM aegis.teams() WHERE id = :'south_again';
SELECT aegis.delete_team(:'south_again');
SELECT aegis.create_team('Sales West', :'sales') AS west \gset
SELECT ord - :south_ord = 2 * (:south_last - :south_ord + 1) AS third_part FROM aegis.teams() WHERE id = :'west';
COMMIT;
\c - :superuser
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'T-1');
SELECT aegis.rename_team(:'support', 'x');
ROLLBACK;
SELECT d.event, count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'one' AND d.event LIKE 'team.%' GROUP BY 1 ORDER BY 1;
SET client_min_messages = warning;
DROP SCHEMA team_test CASCADE;
\c - regress_team_member

-- refuses: a seventh level
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, :one_ord, :one_last);
SELECT aegis.create_team('4', :'north_1') AS deep \gset
SELECT aegis.create_team('5', :'deep') AS deep \gset
SELECT aegis.create_team('6', :'deep') AS deep \gset
SELECT aegis.create_team('7', :'deep');
ROLLBACK;

\c - :superuser
DROP FUNCTION probe_context;
DROP ROLE regress_team_member;
