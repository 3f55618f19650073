-- Every change of an audited table leaves an entry with canonical values, whatever the session's settings;
-- what may be personal is sealed.
\set VERBOSITY terse
CREATE TYPE regress_mood AS ENUM ('glad', 'sad');
CREATE DOMAIN regress_short AS text CHECK (length(VALUE) < 20);
CREATE TABLE regress_thing (
  id bigint PRIMARY KEY, name text, code regress_short, amount numeric(12,2), price float8, mood regress_mood, born date,
  seen timestamptz, span interval, tags text[], extra jsonb, blob bytea, ref uuid, ok boolean, gone int
);
ALTER TABLE regress_thing DROP COLUMN gone;

-- allows: insert, update with changed columns only, delete, truncate
SELECT aegis.audit_table('regress_thing', '{code, amount}');
INSERT INTO regress_thing VALUES (1, 'Ann', 'A-1', 12.50, 0.1, 'glad', '2020-02-29', '2020-02-29 12:00:00.000001+00', '1 day 2 hours',
  '{a,b}', '{"k": [1, null]}', '\xff', '00000000-0000-0000-0000-000000000007', true);
UPDATE regress_thing SET mood = 'sad', code = NULL WHERE id = 1;
UPDATE regress_thing SET name = 'Bea' WHERE id = 1;
UPDATE regress_thing SET id = 2, born = 'infinity';
UPDATE regress_thing SET id = 2;
DELETE FROM regress_thing;
TRUNCATE regress_thing;
SELECT image - 'sealed' AS image, image ->> 'sealed' LIKE 'A1.%' AS sealed
  FROM aegis.audit_log WHERE event = 'row.changed' AND image ->> 'relation' = 'public.regress_thing' ORDER BY seq;
SELECT changed, before, after FROM aegis.audit_log WHERE event = 'row.changed' AND image ->> 'relation' = 'public.regress_thing' ORDER BY seq;
-- Who does not select them does not have them computed.
CREATE FUNCTION regress_computed(columns text, OUT parts bigint) LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  parts := 0;
  FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF) SELECT %s FROM aegis.audit_log', columns) LOOP
    parts := parts + (line ~ 'jsonb_object_keys|image -> |detail ->> ')::int;
  END LOOP;
END $$;
SELECT regress_computed('seq, event, detail, image') AS without, regress_computed('reason, changed, before, after') > 0 AS "with";
DROP FUNCTION regress_computed(text);
SELECT count(*) AS names_in_clear FROM aegis.entry WHERE position('Ann'::bytea IN body) > 0 OR position('Bea'::bytea IN body) > 0;

-- allows: a rolled-back change leaves nothing
BEGIN;
INSERT INTO regress_thing (id) VALUES (77);
ROLLBACK;
SELECT count(*) AS entries FROM aegis.audit_log WHERE image ->> 'relation' = 'public.regress_thing' AND image -> 'key' ->> 'id' = '77';

-- survives: no setting of the session reaches the values; NULL differs from absent only in updates
INSERT INTO regress_thing (id, seen, born, amount) VALUES (10, '2001-01-01 00:00:00+00', '2001-01-01', 1.10);
SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET extra_float_digits = -15; SET IntervalStyle = 'sql_standard';
SET bytea_output = 'escape'; SET client_encoding = 'LATIN1'; SET lc_monetary = 'C'; SET search_path = pg_catalog;
INSERT INTO public.regress_thing (id, seen, born, amount) VALUES (11, '2001-01-01 00:00:00+00', '01.01.2001', 1.10);
RESET ALL;
SELECT count(*) AS entries, count(DISTINCT image -> 'new') AS forms FROM aegis.audit_log WHERE image ->> 'relation' = 'public.regress_thing' AND image -> 'key' ->> 'id' IN ('10', '11');

-- survives: session_replication_role = replica, COPY, MERGE, ON CONFLICT, a cascaded delete
SET session_replication_role = replica;
INSERT INTO regress_thing (id) VALUES (20);
RESET session_replication_role;
COPY regress_thing (id) FROM stdin;
21
\.
MERGE INTO regress_thing t USING (VALUES (21, true), (22, false)) v(id, ok) ON t.id = v.id
  WHEN MATCHED THEN UPDATE SET ok = v.ok WHEN NOT MATCHED THEN INSERT (id, ok) VALUES (v.id, v.ok);
INSERT INTO regress_thing (id) VALUES (22) ON CONFLICT (id) DO UPDATE SET ok = true;
SELECT image -> 'key' ->> 'id' AS id, image ->> 'operation' AS operation FROM aegis.audit_log
 WHERE event = 'row.changed' AND image ->> 'relation' = 'public.regress_thing' AND image -> 'key' ->> 'id' IN ('20', '21', '22') ORDER BY seq;

-- survives: partitions
CREATE TABLE regress_parted (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE regress_parted_1 PARTITION OF regress_parted FOR VALUES FROM (0) TO (10);
SELECT aegis.audit_table('regress_parted');
CREATE TABLE regress_parted_2 PARTITION OF regress_parted FOR VALUES FROM (10) TO (20);
INSERT INTO regress_parted VALUES (1), (11);
INSERT INTO regress_parted_2 VALUES (12);
UPDATE regress_parted SET id = 2 WHERE id = 11;
SELECT image ->> 'relation' AS relation, image ->> 'operation' AS operation, image -> 'key' AS key FROM aegis.audit_log
 WHERE event = 'row.changed' AND image ->> 'relation' LIKE 'public.regress_parted%' ORDER BY seq;

-- survives: long values
INSERT INTO regress_thing (id, name) VALUES (30, repeat('x', 100000));
SELECT octet_length(body) > 100000 AS long FROM aegis.entry ORDER BY seq DESC LIMIT 1;

-- refuses: tables without a key, unknown columns, a second time, other people's tables, values without a canonical form
CREATE TABLE regress_keyless (a int);
SELECT aegis.audit_table('regress_keyless');
SELECT aegis.audit_table('regress_thing');
CREATE TABLE regress_other (id int PRIMARY KEY, a aclitem);
SELECT aegis.audit_table('regress_other');
ALTER TABLE regress_other DROP COLUMN a;
SELECT aegis.audit_table('regress_other', '{b}');
CREATE ROLE regress_audit_operator IN ROLE aegis_operator INHERIT;
SET ROLE regress_audit_operator;
SELECT aegis.audit_table('public.regress_other');
SELECT count(*) FROM aegis.audit_log;
SELECT aegis.audit_row();
RESET ROLE;
SELECT aegis.tenant_audit_log();

-- allows: capture ends, and the ledger says so
SELECT aegis.unaudit_table('regress_thing');
SELECT aegis.unaudit_table('regress_thing');
INSERT INTO regress_thing (id) VALUES (40);
SELECT event, target_id FROM aegis.audit_log WHERE event LIKE 'table.%audited' AND target_id LIKE 'public.%' ORDER BY seq;
SELECT count(*) AS entries FROM aegis.audit_log WHERE image ->> 'relation' = 'public.regress_thing' AND image -> 'key' ->> 'id' = '40';

-- allows: auditors read everything, with seal and leaf
CREATE ROLE regress_audit_auditor IN ROLE aegis_auditor INHERIT;
SELECT aegis.wait_sealed() > 0 AS sealed;
SET ROLE regress_audit_auditor;
SELECT bool_and(seal IS NOT NULL AND leaf IS NOT NULL) AS sealed, count(*) > 10 AS entries,
       count(DISTINCT (tenant_id, leaf)) = count(*) AS leaves_differ FROM aegis.audit_log;
RESET ROLE;
DROP ROLE regress_audit_auditor;
DROP ROLE regress_audit_operator;
DROP TABLE regress_thing, regress_parted, regress_keyless, regress_other;
DROP DOMAIN regress_short;
DROP TYPE regress_mood;
