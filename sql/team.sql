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
