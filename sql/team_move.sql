-- A team moves with all below it and with their rows: afterwards everybody reaches what the tree of parents says, no row is
-- lost and none is won.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_move_member LOGIN;
GRANT aegis_member TO regress_move_member;
CREATE ROLE regress_move_owner;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
GRANT EXECUTE ON FUNCTION probe_context TO PUBLIC;
CREATE SCHEMA team_move AUTHORIZATION regress_move_owner;
GRANT USAGE ON SCHEMA team_move, aegis TO regress_move_owner, aegis_member;
SET ROLE regress_move_owner;
CREATE TABLE team_move.note (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE team_move.line (tenant_id uuid, id int, note_id int, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, note_id) REFERENCES team_move.note (tenant_id, id));
SELECT aegis.protect_table('team_move.note'), aegis.protect_table('team_move.line', parent => 'team_move.note');
CREATE TABLE team_move.part (tenant_id uuid, id int, team_ord bigint, PRIMARY KEY (tenant_id, id, team_ord)) PARTITION BY HASH (team_ord);
CREATE TABLE team_move.part_0 PARTITION OF team_move.part FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE team_move.part_1 PARTITION OF team_move.part FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE team_move.part_2 PARTITION OF team_move.part FOR VALUES WITH (MODULUS 3, REMAINDER 2);
SELECT aegis.protect_table('team_move.part');
-- What triggers of users do while rows move is done as in any request: as a member, in the tenant.
CREATE FUNCTION team_move.look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE tenants bigint;
BEGIN
  IF OLD.team_ord <> NEW.team_ord THEN
    SELECT count(DISTINCT tenant_id) INTO tenants FROM team_move.note;
    RAISE NOTICE 'as %, rows of % tenants', current_user, tenants;
  END IF;
  RETURN NULL;
END $$;
-- A policy of its own must not hide a row from a move.
CREATE POLICY never ON team_move.note AS RESTRICTIVE USING (id < 1000 OR aegis.rank() = 1);
GRANT SELECT, INSERT, UPDATE ON team_move.note, team_move.line TO aegis_member;
RESET ROLE;
CREATE TABLE team_move.of_superuser (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('team_move.of_superuser');
SELECT aegis.create_tenant('regress-move', 'Move') AS tenant, aegis.create_tenant('regress-move-2', 'Other') AS other \gset
-- What the rows of each table belong to, by the ids of teams: the tests' own knowledge.
CREATE TABLE team_move.truth (row_id int PRIMARY KEY, team uuid);

-- Every range holds exactly the teams below, by parents; every row has the number of its team, in all tables.
CREATE FUNCTION team_move.disagreements(of_tenant uuid) RETURNS bigint LANGUAGE sql AS $$
  WITH RECURSIVE below AS (
    SELECT id AS top, id FROM aegis.team WHERE tenant_id = of_tenant
    UNION ALL SELECT b.top, t.id FROM below b JOIN aegis.team t ON t.tenant_id = of_tenant AND t.parent_id = b.id
  )
  SELECT (SELECT count(*) FROM aegis.team a JOIN aegis.team b USING (tenant_id)
           WHERE a.tenant_id = of_tenant AND (b.ord BETWEEN a.ord AND a.last_ord)
                 <> EXISTS (SELECT FROM below w WHERE w.top = a.id AND w.id = b.id))
       + (SELECT count(*) FROM team_move.truth u
            LEFT JOIN aegis.team t ON t.tenant_id = of_tenant AND t.id = u.team
            LEFT JOIN team_move.note n ON n.tenant_id = of_tenant AND n.id = u.row_id
            LEFT JOIN team_move.line l ON l.tenant_id = of_tenant AND l.id = u.row_id
            LEFT JOIN team_move.of_superuser s ON s.tenant_id = of_tenant AND s.id = u.row_id
            LEFT JOIN team_move.part p ON p.tenant_id = of_tenant AND p.id = u.row_id
           WHERE (p.team_ord = t.ord AND n.team_ord = t.ord AND l.team_ord = t.ord AND s.team_ord = t.ord) IS NOT TRUE)
$$;
CREATE FUNCTION team_move.add_row(new_id int, of_team uuid) RETURNS void LANGUAGE sql AS $$
  INSERT INTO team_move.truth VALUES (new_id, of_team);
  INSERT INTO team_move.note (id) VALUES (new_id);
  INSERT INTO team_move.of_superuser (id) VALUES (new_id);
  INSERT INTO team_move.part (id) VALUES (new_id);
  UPDATE team_move.part SET team_ord = (SELECT ord FROM aegis.team WHERE id = of_team) WHERE id = new_id AND tenant_id = aegis.tenant_id();
  INSERT INTO team_move.line (id, note_id) VALUES (new_id, new_id);
  UPDATE team_move.note SET team_ord = (SELECT ord FROM aegis.team WHERE id = of_team) WHERE id = new_id AND tenant_id = aegis.tenant_id();
  UPDATE team_move.of_superuser SET team_ord = (SELECT ord FROM aegis.team WHERE id = of_team) WHERE id = new_id AND tenant_id = aegis.tenant_id();
$$;

-- allows: a subtree goes below another team, and its users' ranges with it; the other tenant is not touched
BEGIN;
SELECT aegis.assume_tenant(:'other', 'test', 'T-1', read_only => false);
SELECT aegis.create_team('Sales') AS other_sales \gset
INSERT INTO team_move.note (id) VALUES (1);
UPDATE team_move.note SET team_ord = (SELECT ord FROM aegis.team WHERE id = :'other_sales') WHERE tenant_id = :'other';
COMMIT;
SELECT team_ord AS other_ord FROM team_move.note WHERE tenant_id = :'other' \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT aegis.create_team('Sales') AS sales, aegis.create_team('Support') AS support, aegis.create_team('Research') AS research \gset
SELECT aegis.create_team('North', :'sales') AS north \gset
SELECT aegis.create_team('City', :'north') AS city \gset
SELECT count(team_move.add_row(t.n::int, t.team)) FROM unnest(ARRAY[:'sales', :'north', :'city', :'support', :'research']::uuid[]) WITH ORDINALITY t(team, n);
SELECT team_move.add_row(1001, :'city');
-- a number between two teams, which a lead may give, stays with the team around it
INSERT INTO team_move.note (id) VALUES (77);
UPDATE team_move.note SET team_ord = (SELECT last_ord FROM aegis.team WHERE id = :'north') WHERE id = 77;
COMMIT;
SELECT team_move.disagreements(:'tenant');
CREATE TRIGGER look AFTER UPDATE ON team_move.of_superuser FOR EACH ROW EXECUTE FUNCTION team_move.look();
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SET LOCAL client_min_messages = notice;
SELECT aegis.move_team(:'north', :'support');
COMMIT;
DROP TRIGGER look ON team_move.of_superuser;
-- refuses: isolation levels whose snapshot may be older than what must be moved, and a rule in the way
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT aegis.move_team(:'north', :'sales');
ROLLBACK;
CREATE RULE aside AS ON UPDATE TO team_move.of_superuser DO INSTEAD NOTHING;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT aegis.move_team(:'north', :'sales');
ROLLBACK;
DROP RULE aside ON team_move.of_superuser;
SELECT team_move.disagreements(:'tenant');
SELECT t.name, p.name AS parent FROM aegis.team t JOIN aegis.team p ON p.tenant_id = t.tenant_id AND p.id = t.parent_id WHERE t.tenant_id = :'tenant' ORDER BY t.ord;
SELECT t.name AS team_of_77 FROM team_move.note n JOIN aegis.team t ON t.ord = n.team_ord AND t.tenant_id = n.tenant_id WHERE n.id = 77;
SELECT team_ord = :other_ord AS untouched FROM team_move.note WHERE tenant_id = :'other';
SELECT d.event, d.detail ->> 'teams' AS teams, d.detail ->> 'rows' AS rows, d.detail ->> 'from' = :'sales' AS from_sales, d.detail ->> 'to' = :'support' AS to_support
  FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d WHERE e.tenant_id = :'tenant' AND d.event = 'team.moved';
-- the old number is not given again
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT aegis.create_team('South', :'sales') AS south \gset
SELECT (SELECT ord FROM aegis.team WHERE id = :'south') > (SELECT given_to FROM aegis.team WHERE id = :'sales') AS new_number;
COMMIT;
SELECT ord AS support_ord, last_ord AS support_last FROM aegis.team WHERE id = :'support' \gset
SELECT ord AS sales_ord, last_ord AS sales_last FROM aegis.team WHERE id = :'sales' \gset
\c - regress_move_member
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, :support_ord, :support_last);
SELECT array_agg(id ORDER BY id) AS support_sees FROM team_move.note;
SELECT name FROM aegis.teams();
COMMIT;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, :sales_ord, :sales_last);
SELECT array_agg(id ORDER BY id) AS sales_sees FROM team_move.note;
COMMIT;
-- rows move by UPDATE of their team: a manager within the own teams, not beyond; nobody below a lead; each is recorded
\c - regress_move_member
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, :support_ord, :support_last);
UPDATE team_move.note SET team_ord = :support_ord WHERE id = 77;
SAVEPOINT s;
UPDATE team_move.note SET team_ord = :sales_ord WHERE id = 77;
ROLLBACK TO s;
UPDATE team_move.note SET team_ord = :support_ord WHERE id = 1;
SELECT array_agg(id ORDER BY id) AS support_sees FROM team_move.note;
COMMIT;
BEGIN;
SELECT probe_context(:'tenant', '00000000-0000-0000-0000-000000000000', 1, :support_ord, :support_ord);
UPDATE team_move.note SET team_ord = :sales_ord WHERE id = 77;
ROLLBACK;
-- refuses: below admin, the root, below itself, where it is, another tenant's, a name twice, too deep, read-only
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, :sales_ord, :sales_last);
SELECT aegis.move_team(:'south', :'sales');
ROLLBACK;
SELECT aegis.move_team(:'south', :'support');
\c - :superuser
SET client_min_messages = warning;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT id AS root FROM aegis.team WHERE tenant_id = :'tenant' AND parent_id IS NULL \gset
SAVEPOINT s;
SELECT aegis.move_team(:'root', :'sales');
ROLLBACK TO s;
SELECT aegis.move_team(:'support', :'city');
ROLLBACK TO s;
SELECT aegis.move_team(:'support', :'support');
ROLLBACK TO s;
SELECT aegis.move_team(:'south', :'sales');
ROLLBACK TO s;
SELECT aegis.move_team(:'other_sales', :'sales');
ROLLBACK TO s;
SELECT aegis.move_team(:'south', :'other_sales');
ROLLBACK TO s;
SELECT aegis.create_team('North', :'sales') IS NOT NULL AS made;
SELECT aegis.move_team(:'north', :'sales');
ROLLBACK TO s;
SELECT aegis.create_team('4', :'city') AS deep \gset
SELECT aegis.create_team('5', :'deep') AS deep \gset
SELECT aegis.create_team('6', :'deep') AS deep \gset
SELECT aegis.move_team(:'sales', :'deep');
ROLLBACK TO s;
SELECT aegis.create_team('4', :'south') AS deep \gset
SELECT aegis.create_team('5', :'deep') AS deep \gset
SELECT aegis.create_team('6', :'deep') AS deep \gset
SELECT aegis.create_team('7', :'deep') AS deep \gset
SELECT aegis.move_team(:'sales', :'research');
SELECT aegis.move_team(:'research', :'north');
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1');
SELECT aegis.move_team(:'south', :'support');
ROLLBACK;
SELECT team_move.disagreements(:'tenant');

-- survives: a rollback
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SAVEPOINT s;
SELECT aegis.move_team(:'support', :'research');
ROLLBACK TO s;
SELECT team_move.disagreements(:'tenant');
COMMIT;

-- allows: when the numbers below a team run out, the parts of deleted and moved ones are had again
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
UPDATE aegis.team SET given_to = last_ord WHERE id = :'research';
SELECT aegis.create_team('R1', :'research') AS r1 \gset
SELECT count(team_move.add_row(6, :'r1'));
UPDATE aegis.team SET given_to = last_ord WHERE id = :'research';
SELECT aegis.move_team(:'sales', :'research');
SELECT team_move.disagreements(:'tenant');
SELECT given_to IS NULL AS renumbered FROM aegis.team WHERE id = :'research';
COMMIT;
SELECT d.event, count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'tenant' AND d.event ~ '^team.(moved|renumbered)' GROUP BY 1 ORDER BY 1;

-- allows: any sequence of creations, moves and deletions: the tree of parents, the ranges and the rows agree after each
CREATE FUNCTION team_move.walk(of_tenant uuid, steps int) RETURNS TABLE (done text, times bigint, wrong numeric) LANGUAGE plpgsql AS $$
DECLARE
  what text;
  one uuid;
  two uuid;
  row_id int := 10000;
  counts jsonb := '{}';
  bad bigint := 0;
BEGIN
  FOR i IN 1..steps LOOP
    SELECT id INTO one FROM aegis.team WHERE tenant_id = of_tenant ORDER BY random() LIMIT 1;
    SELECT id INTO two FROM aegis.team WHERE tenant_id = of_tenant ORDER BY random() LIMIT 1;
    -- What is drawn depends on the order of rows on their pages, which a test does not know.
    what := (ARRAY['create', 'create', 'create', 'move', 'move', 'move', 'delete', 'exhaust'])[1 + floor(random() * 8)];
    BEGIN
      CASE what
        WHEN 'create' THEN one := aegis.create_team('T' || i, one);
        WHEN 'move' THEN PERFORM aegis.move_team(one, two);
        WHEN 'delete' THEN
          SELECT t.id INTO one FROM aegis.team t
           WHERE t.tenant_id = of_tenant AND NOT EXISTS (SELECT FROM aegis.team c WHERE c.tenant_id = of_tenant AND c.parent_id = t.id)
           ORDER BY EXISTS (SELECT FROM team_move.truth u WHERE u.team = t.id), random() LIMIT 1;
          PERFORM aegis.delete_team(one);
        ELSE UPDATE aegis.team SET given_to = last_ord WHERE id = one;
      END CASE;
      IF what = 'create' AND i % 4 > 0 THEN
        row_id := row_id + 1;
        PERFORM team_move.add_row(row_id, one);
      END IF;
    EXCEPTION WHEN object_not_in_prerequisite_state OR program_limit_exceeded THEN
      what := what || ', refused';
    END;
    counts := jsonb_set(counts, ARRAY[what], to_jsonb(coalesce((counts ->> what)::int, 0) + 1));
    bad := bad + team_move.disagreements(of_tenant);
  END LOOP;
  RETURN QUERY SELECT key, (value::text)::bigint, bad::numeric FROM jsonb_each(counts) ORDER BY key;
END $$;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SELECT setseed(0.25);
CREATE TEMP TABLE walked AS SELECT * FROM team_move.walk(:'tenant', 160);
SELECT k.done, w.times > 3 AS often FROM unnest(ARRAY['create', 'delete', 'exhaust', 'move', 'move, refused']) WITH ORDINALITY k(done, n)
  LEFT JOIN walked w USING (done) ORDER BY n;
SELECT sum(wrong) AS wrong FROM walked;
SELECT count(*) > 10 AS many_teams, count(DISTINCT parent_id) > 4 AS deep FROM aegis.team WHERE tenant_id = :'tenant';
COMMIT;
SELECT team_move.disagreements(:'tenant');

SET client_min_messages = warning;
DROP SCHEMA team_move CASCADE;
DROP FUNCTION probe_context;
DROP OWNED BY regress_move_member, regress_move_owner;
DROP ROLE regress_move_member, regress_move_owner;
