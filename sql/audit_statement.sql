-- Every way in which rows of a captured table change leaves entries that add up to the table: a replay of the images gives its keys.
\set VERBOSITY terse
CREATE TABLE regress_way (id int PRIMARY KEY, n int, note text, half int GENERATED ALWAYS AS (n / 2) STORED, gone text);
ALTER TABLE regress_way ALTER COLUMN note SET STORAGE EXTERNAL;
ALTER TABLE regress_way DROP COLUMN gone;
SELECT aegis.audit_table('regress_way', '{note}');
-- The newest state of each key that the entries give, and whether it is the table's.
CREATE FUNCTION regress_state() RETURNS TABLE (id int, n int) LANGUAGE plpgsql AS $$
DECLARE
  e record;
BEGIN
  CREATE TEMP TABLE replay (id int PRIMARY KEY, n int);
  FOR e IN SELECT l.image FROM aegis.audit_log l WHERE l.image ->> 'relation' = 'public.regress_way' ORDER BY l.seq LOOP
    CASE e.image ->> 'operation'
      WHEN 'T' THEN DELETE FROM replay;
      WHEN 'I' THEN INSERT INTO replay VALUES ((e.image -> 'key' ->> 'id')::int, (e.image -> 'new' ->> 'n')::int);
      WHEN 'D' THEN DELETE FROM replay r WHERE r.id = (e.image -> 'key' ->> 'id')::int;
      ELSE UPDATE replay r SET id = coalesce((e.image -> 'new' ->> 'id')::int, r.id),
                               n = CASE WHEN e.image -> 'new' ? 'n' THEN (e.image -> 'new' ->> 'n')::int ELSE r.n END
            WHERE r.id = (e.image -> 'key' ->> 'id')::int;
    END CASE;
  END LOOP;
  RETURN QUERY SELECT * FROM replay;
  DROP TABLE replay;
END $$;
CREATE FUNCTION regress_check(way text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  mark bigint;
  made text;
BEGIN
  SELECT coalesce(max(seq), 0) INTO mark FROM aegis.entry;
  EXECUTE way;
  SET CONSTRAINTS ALL IMMEDIATE;
  SELECT string_agg(o || c, ' ' ORDER BY o) INTO made
    FROM (SELECT l.image ->> 'operation' AS o, count(*) AS c FROM aegis.audit_log l
           WHERE l.seq > mark AND l.image ->> 'relation' = 'public.regress_way' GROUP BY 1) x;
  IF EXISTS ((TABLE regress_ids EXCEPT SELECT * FROM regress_state()) UNION ALL (SELECT * FROM regress_state() EXCEPT TABLE regress_ids)) THEN
    RETURN coalesce(made, 'nothing') || ', and it does not add up';
  END IF;
  RETURN coalesce(made, 'nothing');
END $$;
CREATE VIEW regress_ids AS SELECT id, n FROM regress_way;
CREATE VIEW regress_view AS SELECT id, n, note FROM regress_way;
CREATE TABLE regress_owner (id int PRIMARY KEY);
ALTER TABLE regress_way ADD COLUMN owner int REFERENCES regress_owner ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE regress_way ADD COLUMN other int REFERENCES regress_owner ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
INSERT INTO regress_owner SELECT generate_series(1, 9);
CREATE RULE regress_rule AS ON INSERT TO regress_view DO INSTEAD INSERT INTO regress_way (id, n) VALUES (NEW.id, NEW.n);
CREATE FUNCTION regress_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := coalesce(NEW.n, 0) + 1000; RETURN NEW; END $$;
CREATE TABLE regress_source (id int, n int);
INSERT INTO regress_source SELECT g, g FROM generate_series(1, 20) g;

-- allows: every statement
SELECT number, regress_check(way) FROM (VALUES
  (1, 'INSERT INTO regress_way (id, n) VALUES (1, 1), (2, 2), (3, 3)'),
  (2, 'INSERT INTO regress_way (id, n) SELECT g, g FROM generate_series(10, 109) g'),
  (3, 'INSERT INTO regress_way (id, n) VALUES (1, 9), (4, 4) ON CONFLICT DO NOTHING'),
  (4, 'INSERT INTO regress_way (id, n) VALUES (1, 9), (5, 5) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n'),
  (5, 'UPDATE regress_way SET n = n + 1 WHERE id < 4'),
  (6, 'UPDATE regress_way SET n = n WHERE id < 4'),
  (7, 'UPDATE regress_way SET id = id + 1000 WHERE id > 99'),
  (8, 'UPDATE regress_way w SET n = s.n FROM regress_source s WHERE s.id = w.id AND s.n <> w.n'),
  (9, 'MERGE INTO regress_way w USING (SELECT g AS id FROM generate_series(15, 24) g) s ON w.id = s.id WHEN MATCHED AND s.id < 18 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 7 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 1)'),
  (10, 'DELETE FROM regress_way WHERE id BETWEEN 30 AND 39'),
  (11, 'DELETE FROM regress_way w USING regress_source s WHERE s.id = w.id AND s.id > 18'),
  (12, 'WITH gone AS (DELETE FROM regress_way WHERE id = 40 RETURNING *) INSERT INTO regress_way (id, n) SELECT id + 500, n FROM gone'),
  (13, 'INSERT INTO regress_view (id, n) VALUES (600, 1)'),
  (14, 'UPDATE regress_view SET n = 2 WHERE id = 600'),
  (15, 'COPY regress_way (id, n) FROM PROGRAM ''printf "700\t1\n701\t2\n"'''),
  (16, 'UPDATE regress_way SET owner = 1, other = 2 WHERE id IN (1, 2)'),
  (17, 'UPDATE regress_owner SET id = 21 WHERE id = 1'),
  (18, 'DELETE FROM regress_owner WHERE id = 2'),
  (19, 'DELETE FROM regress_owner WHERE id = 21'),
  (20, 'CREATE TRIGGER regress_own BEFORE INSERT ON regress_way FOR EACH ROW EXECUTE FUNCTION regress_trigger(); INSERT INTO regress_way (id, n) VALUES (800, 1); DROP TRIGGER regress_own ON regress_way'),
  (21, 'INSERT INTO regress_way (id, note) VALUES (900, repeat(''x'', 9000)); UPDATE regress_way SET n = 1 WHERE id = 900'),
  (22, 'ALTER TABLE regress_way ADD COLUMN late int DEFAULT 5; UPDATE regress_way SET late = 6 WHERE id = 900'),
  (23, 'TRUNCATE regress_owner CASCADE'),
  (24, 'TRUNCATE regress_way'),
  (25, 'INSERT INTO regress_way (id, n) VALUES (1, 1)')) AS t(number, way) ORDER BY number;
SELECT image - 'relation' AS image FROM aegis.audit_log WHERE image ->> 'relation' = 'public.regress_way' AND image -> 'key' ->> 'id' = '900' AND image ->> 'operation' = 'U' ORDER BY seq;

-- allows: a savepoint that is rolled back takes its entries along, the rest stays
BEGIN;
INSERT INTO regress_way (id, n) VALUES (2, 2);
SAVEPOINT a;
INSERT INTO regress_way (id, n) VALUES (3, 3);
ROLLBACK TO a;
INSERT INTO regress_way (id, n) VALUES (4, 4);
COMMIT;
SELECT regress_check('SELECT') AS made, (SELECT string_agg(id::text, ' ' ORDER BY id) FROM regress_state()) AS keys;

-- allows: partitions at every depth by every name, a row that moves, and partitions that come and go
CREATE TABLE regress_deep (id int, n int, PRIMARY KEY (id, n)) PARTITION BY LIST (n);
CREATE TABLE regress_deep_1 PARTITION OF regress_deep FOR VALUES IN (1) PARTITION BY RANGE (id);
CREATE TABLE regress_deep_1a PARTITION OF regress_deep_1 FOR VALUES FROM (0) TO (100);
SELECT aegis.audit_table('regress_deep');
CREATE TABLE regress_deep_2 (n int NOT NULL, id int NOT NULL, PRIMARY KEY (id, n));
INSERT INTO regress_deep_2 VALUES (2, 7);
ALTER TABLE regress_deep ATTACH PARTITION regress_deep_2 FOR VALUES IN (2);
SELECT max(seq) AS start FROM aegis.entry \gset
INSERT INTO regress_deep VALUES (1, 1), (2, 2);
INSERT INTO regress_deep_1 VALUES (3, 1);
INSERT INTO regress_deep_1a VALUES (4, 1);
INSERT INTO regress_deep_2 VALUES (2, 5);
UPDATE regress_deep SET n = 2 WHERE id = 1;
UPDATE regress_deep_2 SET id = 8 WHERE id = 7;
DELETE FROM regress_deep_1a WHERE id = 4;
ALTER TABLE regress_deep DETACH PARTITION regress_deep_2;
INSERT INTO regress_deep_2 VALUES (2, 99);
SELECT image ->> 'operation' AS operation, image ->> 'relation' AS relation, image -> 'key' AS key, image -> 'new' AS new FROM aegis.audit_log
 WHERE seq > :start AND event = 'row.changed' ORDER BY seq;

-- allows: children of an inherited table are tables of their own: each is captured when it is asked for
CREATE TABLE regress_parent (id int PRIMARY KEY, n int);
CREATE TABLE regress_child (PRIMARY KEY (id)) INHERITS (regress_parent);
SELECT aegis.audit_table('regress_parent');
SELECT aegis.audit_table('regress_child');
SELECT max(seq) AS start FROM aegis.entry \gset
INSERT INTO regress_child VALUES (1, 1);
UPDATE regress_parent SET n = 2;
DELETE FROM regress_parent;
SELECT image ->> 'operation' AS operation, image ->> 'relation' AS relation, image -> 'key' AS key FROM aegis.audit_log WHERE seq > :start AND event = 'row.changed' ORDER BY seq;
ALTER TABLE regress_deep DETACH PARTITION regress_deep_1;
ALTER TABLE regress_deep ATTACH PARTITION regress_deep_1 FOR VALUES IN (1);
SELECT relation, captured FROM aegis.audit_coverage() WHERE relation ~ 'regress_(way|deep|parent|child)' ORDER BY relation;

DROP TABLE regress_deep, regress_deep_2, regress_parent, regress_child, regress_source, regress_way CASCADE;
DROP TABLE regress_owner;
DROP FUNCTION regress_check(text), regress_state(), regress_trigger();
