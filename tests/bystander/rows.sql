-- Rows: commands that change them, keys, triggers, views, COPY, large objects, types, and plans.
CREATE SCHEMA dml;
SET search_path = dml;
CREATE TABLE parent (tenant_id uuid DEFAULT '00000000-0000-0000-0000-000000000001', id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE child (tenant_id uuid, id serial, parent int, v text UNIQUE, data jsonb, raw bytea, at timestamptz DEFAULT '2024-02-03 04:05:06+00', tags text[],
  FOREIGN KEY (tenant_id, parent) REFERENCES parent ON UPDATE CASCADE ON DELETE SET NULL (parent));
INSERT INTO parent (id) SELECT generate_series(1, 5);
INSERT INTO child (tenant_id, parent, v, data, raw, tags)
  SELECT '00000000-0000-0000-0000-000000000001', n % 5 + 1, 'v' || n, jsonb_build_object('n', n, 'sub', array[n, n + 1]), decode(lpad(to_hex(n), 4, '0'), 'hex'), ARRAY['a', n::text]
    FROM generate_series(1, 20) n;
SELECT * FROM child ORDER BY id LIMIT 3;
UPDATE parent SET id = 100 WHERE id = 1;
DELETE FROM parent WHERE id = 2;
INSERT INTO child (tenant_id, parent) VALUES ('00000000-0000-0000-0000-000000000001', 77);
INSERT INTO child (v) VALUES ('v1');
INSERT INTO child (v) VALUES ('v1') ON CONFLICT (v) DO UPDATE SET data = '{}', tags = child.tags || excluded.v RETURNING id, data, tags;
INSERT INTO child (v) VALUES ('v1') ON CONFLICT DO NOTHING RETURNING id;
SELECT parent, count(*), sum(id), string_agg(v, ',' ORDER BY id) FROM child GROUP BY ROLLUP (parent) ORDER BY 1;
WITH moved AS (DELETE FROM child WHERE id > 18 RETURNING *) INSERT INTO child (v, data) SELECT v || '!', data FROM moved RETURNING id, v;
WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT array_agg(n) FROM r;
MERGE INTO child c USING (SELECT generate_series(15, 22) AS id) s ON c.id = s.id
  WHEN MATCHED AND c.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = c.v || '?'
  WHEN NOT MATCHED AND s.id < 22 THEN INSERT (id, v) VALUES (s.id, 'merged ' || s.id) WHEN NOT MATCHED THEN DO NOTHING;
SELECT id, v FROM child WHERE id >= 13 ORDER BY id;
SELECT id, lag(v) OVER w, row_number() OVER w, count(*) FILTER (WHERE id > 3) OVER (ORDER BY id ROWS 2 PRECEDING) FROM child WINDOW w AS (ORDER BY id) ORDER BY id LIMIT 5;
SELECT v FROM child WHERE data @> '{"n": 3}' OR tags && ARRAY['4'] ORDER BY 1;
SELECT jsonb_path_query(data, '$.sub[*] ? (@ > 3)') FROM child WHERE id < 5 ORDER BY id;
SELECT * FROM child TABLESAMPLE SYSTEM (100) REPEATABLE (1) ORDER BY id LIMIT 1;
SELECT id FROM child ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 2;
SELECT id FROM child WHERE id = 1 FOR KEY SHARE NOWAIT;
SELECT xmin = xmax, cmin, ctid, tableoid::regclass FROM child WHERE id = 3;
-- Triggers that change what is stored, and transition tables.
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.v := new.v || ' stamped'; RETURN new; END $$;
CREATE FUNCTION summed() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE c int; BEGIN SELECT count(*) INTO c FROM new_rows; RAISE NOTICE '% %', tg_op, c; RETURN NULL; END $$;
CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF old.id = 5 THEN RETURN NULL; END IF; RETURN old; END $$;
CREATE TRIGGER zzy_aegis_stamp BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER summed AFTER INSERT ON child REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION summed();
CREATE TRIGGER refused BEFORE DELETE ON child FOR EACH ROW WHEN (old.id > 3) EXECUTE FUNCTION refused();
INSERT INTO child (v) VALUES ('a'), ('b') RETURNING v;
DELETE FROM child WHERE id IN (4, 5, 6) RETURNING id;
SET session_replication_role = replica;
INSERT INTO child (v, parent) VALUES ('unstamped', 999) RETURNING v;
RESET session_replication_role;
TRUNCATE parent;
TRUNCATE parent CASCADE;
-- COPY.
COPY parent (id) FROM stdin;
1
2
x
\.
COPY parent (id) FROM stdin WITH (FORMAT csv, HEADER);
id
7
8
\.
COPY child (v, data, raw) FROM stdin WHERE v <> 'skipped';
copied	{"a": 1}	\\x00ff
skipped	\N	\N
\.
COPY child (v, data, raw, at) TO stdout;
COPY (SELECT v, data FROM child) TO stdout WITH (FORMAT csv, HEADER, FORCE_QUOTE *);
COPY parent TO stdout (FORMAT binary);
COPY parent TO PROGRAM 'cat > /dev/null';
-- Views that can be changed.
CREATE VIEW v AS SELECT id, v FROM child WHERE id > 10 WITH LOCAL CHECK OPTION;
INSERT INTO v VALUES (50, 'fifty') RETURNING *;
INSERT INTO v VALUES (5, 'five');
UPDATE v SET v = 'sixty' WHERE id = 50;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'instead of %', tg_op; RETURN new; END $$;
CREATE VIEW w AS SELECT count(*) AS c FROM child;
CREATE TRIGGER instead INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO w VALUES (1) RETURNING *;
UPDATE w SET c = 1;
SELECT table_name, is_updatable, is_insertable_into FROM information_schema.views WHERE table_schema = 'dml' ORDER BY 1;
-- Large objects.
SELECT lo_create(424242);
SELECT lo_put(424242, 0, 'bytes of a large object');
SELECT lo_get(424242, 0, 5), lo_get(424242, 20, 100);
SELECT lo_unlink(424242);
SELECT lo_unlink(424242);
-- Plans, with their costs; parallel ones too.
CREATE TABLE wide AS SELECT n, n % 10 AS g, repeat('x', n % 50) AS t, '00000000-0000-0000-0000-000000000001'::uuid AS tenant_id FROM generate_series(1, 20000) n;
CREATE INDEX ON wide (n);
ANALYZE wide;
EXPLAIN SELECT g, count(*) FROM wide WHERE n < 100 GROUP BY g;
EXPLAIN (VERBOSE, SETTINGS, FORMAT json) SELECT * FROM wide WHERE n = 5;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN SELECT g, count(*), sum(n) FROM wide GROUP BY g ORDER BY g;
SELECT g, count(*), sum(n), max(length(t)) FROM wide GROUP BY g ORDER BY g;
EXPLAIN (COSTS OFF) SELECT count(*) FROM wide w JOIN wide x USING (n) WHERE w.g = 1;
CREATE FUNCTION unsafe(int) RETURNS int LANGUAGE plpgsql PARALLEL UNSAFE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION safe(int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN RETURN $1; END';
EXPLAIN (COSTS OFF) SELECT sum(unsafe(n)) FROM wide;
EXPLAIN (COSTS OFF) SELECT sum(safe(n)) FROM wide;
SELECT sum(safe(n)) FROM wide;
-- By a worker in any case: whether the leader is there first is chance, and the error says who it was.
SET parallel_leader_participation = off;
SELECT sum(1 / (n - 500)) FROM wide;
RESET parallel_leader_participation;
SET force_parallel_mode = on;
SELECT current_user, session_user, current_setting('work_mem'), count(*) FROM wide;
CREATE TABLE parallel_made AS SELECT g, count(*) FROM wide GROUP BY g;
SET jit = on; SET jit_above_cost = 0;
SELECT sum(n * g + length(t)) FROM wide WHERE tenant_id IS NOT NULL;
RESET ALL;
SET search_path = dml;
-- Function calls of every kind.
CREATE FUNCTION vari(VARIADIC int[]) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT sum(x)::int FROM unnest($1) x';
SELECT vari(1, 2, 3), vari(VARIADIC ARRAY[4, 5]), vari();
CREATE FUNCTION defaulted(a int, b int DEFAULT 2, c text DEFAULT 'c') RETURNS text LANGUAGE sql AS 'SELECT a || c || b';
SELECT defaulted(1), defaulted(1, c => 'x'), defaulted(c => 'y', a => 3);
CREATE FUNCTION poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $2[1]';
SELECT poly(1, ARRAY[7]), poly('a'::text, ARRAY['b']);
SELECT * FROM generate_series(1, 2) WITH ORDINALITY, LATERAL (SELECT pg_typeof(generate_series)) t;
SELECT xmlelement(name a, 1), '<a/>'::xml IS DOCUMENT, format('%s %I %L', 1, 'A b', 'c''d'), to_tsvector('simple', 'a b') @@ 'a';
SELECT query_to_xml('SELECT 1 AS a', true, false, '');
SELECT pg_get_functiondef('safe'::regproc), pg_get_viewdef('v'), pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'summed';
SELECT count(*) FROM pg_proc, pg_class WHERE false;
SELECT proname, count(*) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1 HAVING count(*) > 20 ORDER BY 1;
DROP SCHEMA dml CASCADE;
