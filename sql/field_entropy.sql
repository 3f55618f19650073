-- A column of few values is refused where its values could be searched, with the reason in numbers, unless somebody confirms it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('70000000-0000-4000-8000-00000000000' || $1)::uuid $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 9) i;
CREATE ROLE regress_entropy LOGIN;
GRANT aegis_operator TO regress_entropy;

CREATE TABLE entropy_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, state text, city varchar(20), mail text, surname text, rare text, listed text);
INSERT INTO entropy_t SELECT probe_tenant(1 + i % 2), i, (ARRAY['new', 'open', 'done'])[1 + i / 2 % 3], 'city' || i / 2 % 150, 'user' || i || '@example.com',
                             'name' || i / 2 % 80, CASE WHEN i % 20 = 0 THEN 'often' ELSE 'r' || i END, 'l' || i FROM generate_series(1, 1200) i;

-- refuses: three values, and eighty, of hundreds of rows; no value is told
SELECT aegis.encrypt_column('entropy_t', 'state', 'entropy_test.state', 'aegis.sealed_keyword');
SELECT aegis.encrypt_column('entropy_t', 'surname', 'entropy_test.surname', 'aegis.sealed_keyword');
SELECT * FROM aegis.conversion_findings('entropy_t', 'state', 'aegis.sealed_keyword');
CALL aegis.encrypt_column_online('entropy_t', 'state', 'entropy_test.state', 'aegis.sealed_keyword');
SELECT count(*) FROM aegis.field WHERE name LIKE 'entropy_test.%';

-- refuses: what differs for search alone; an address in another letter case is the same
CREATE TABLE entropy_c (tenant_id uuid NOT NULL, mail text);
INSERT INTO entropy_c SELECT probe_tenant(1), repeat(' ', i) || CASE WHEN i % 2 = 0 THEN 'A' ELSE 'a' END || '@example.com' FROM generate_series(1, 100) i;
SELECT aegis.low_entropy('entropy_c', 'mail', 'aegis.sealed_email');
SELECT aegis.low_entropy('entropy_c', 'mail', 'aegis.sealed_keyword') IS NULL AS many;

-- refuses: a list of values, on the column or its domain, before there is a row
CREATE DOMAIN entropy_d AS text CHECK (VALUE IN ('a', 'b', 'c'));
CREATE TABLE entropy_l (tenant_id uuid NOT NULL, a text CHECK (a IN ('x', 'y')), b varchar(9) CHECK (b IN ('x', 'y', 'z') AND length(b) < 5), c entropy_d, d text CHECK (d = 'x' OR d IN ('y', 'z') OR d = 'w'),
                        e text CHECK (e <> 'x'), f text CHECK (f = 'x' OR length(f) > 5), g text CHECK (g NOT IN ('x', 'y')));
SELECT a.attname, aegis.low_entropy('entropy_l', a.attname, 'aegis.sealed_keyword') FROM pg_attribute a WHERE a.attrelid = 'entropy_l'::regclass AND a.attnum > 1 ORDER BY a.attnum;
SELECT aegis.encrypt_column('entropy_l', 'a', 'entropy_test.a', 'aegis.sealed_keyword');

-- refuses: everybody but the owner, before anything is counted or locked
SET ROLE regress_entropy;
SELECT aegis.low_entropy('entropy_t', 'state', 'aegis.sealed_keyword');
SELECT aegis.encrypt_column('entropy_t', 'state', 'entropy_test.state', 'aegis.sealed_keyword');
SELECT aegis.coverage_entropy('entropy_t', 'state');
RESET ROLE;
SELECT aegis.encrypt_column('entropy_t', 'state', 'entropy_test.state', 'aegis.sealed_keyword', confirm_low_entropy => NULL);

-- allows: many values, one of them in a twentieth of the rows, values that cannot be searched, few rows, an empty table
SELECT column_name, aegis.low_entropy('entropy_t', column_name, 'aegis.sealed_keyword') FROM unnest(ARRAY['city', 'mail', 'rare', 'none']) column_name;
SELECT aegis.low_entropy('entropy_t', 'state', 'aegis.sealed_text'), aegis.low_entropy('entropy_t', 'state', 'text');
CREATE TABLE entropy_s (tenant_id uuid NOT NULL, v text);
SELECT aegis.low_entropy('entropy_s', 'v', 'aegis.sealed_keyword') IS NULL AS empty;
INSERT INTO entropy_s SELECT probe_tenant(1), 'same' FROM generate_series(1, 100);
SELECT aegis.low_entropy('entropy_s', 'v', 'aegis.sealed_keyword');
DELETE FROM entropy_s WHERE ctid = (SELECT min(ctid) FROM entropy_s);
SELECT aegis.low_entropy('entropy_s', 'v', 'aegis.sealed_keyword') IS NULL AS too_few_rows;
-- Tenants that have one value each, the same: their tokens differ.
CREATE TABLE entropy_m (tenant_id uuid NOT NULL, v text);
INSERT INTO entropy_m SELECT gen_random_uuid(), 'same' FROM generate_series(1, 500);
SELECT aegis.low_entropy('entropy_m', 'v', 'aegis.sealed_keyword') IS NULL AS of_many_tenants;
-- Tenants too small to judge alone are judged together.
INSERT INTO entropy_m SELECT md5((i / 20)::text)::uuid, 'same' FROM generate_series(0, 599) i;
SELECT aegis.low_entropy('entropy_m', 'v', 'aegis.sealed_keyword');

-- allows: what is confirmed, which is remembered and recorded
SELECT aegis.encrypt_column('entropy_t', 'state', 'entropy_test.state', 'aegis.sealed_keyword', confirm_low_entropy => true);
CALL aegis.encrypt_column_online('entropy_t', 'surname', 'entropy_test.surname', 'aegis.sealed_keyword', confirm_low_entropy => true) \gset
SELECT aegis.encrypt_column('entropy_t', 'mail', 'entropy_test.mail', 'aegis.sealed_email');
SELECT name, low_entropy_confirmed FROM aegis.field WHERE name LIKE 'entropy_test.%' ORDER BY name COLLATE "C";

-- coverage judges the stored tokens, of partitions too, until somebody confirms
CREATE TABLE entropy_p (tenant_id uuid NOT NULL, id int, v text) PARTITION BY RANGE (id);
CREATE TABLE entropy_p1 PARTITION OF entropy_p FOR VALUES FROM (0) TO (100);
CREATE TABLE entropy_p2 PARTITION OF entropy_p FOR VALUES FROM (100) TO (1000);
SELECT aegis.encrypt_column('entropy_p', 'v', 'entropy_test.v', 'aegis.sealed_keyword', 'last4');
INSERT INTO entropy_p SELECT probe_tenant(1 + i % 2), i, 'v' || i / 2 % 4 FROM generate_series(1, 300) i;
SELECT severity, object, finding, problem, fix FROM aegis.coverage() WHERE finding = 'field-low-entropy' \gx
SELECT fix FROM aegis.coverage() WHERE finding = 'field-low-entropy' \gexec
SELECT count(*) AS findings FROM aegis.coverage() WHERE finding = 'field-low-entropy';
SET client_min_messages = notice;
SELECT aegis.encrypt_column('entropy_p', 'v', 'entropy_test.v', 'aegis.sealed_keyword', 'last4', confirm_low_entropy => true);
SET client_min_messages = warning;

-- survives: what was stored past the constraint and is no sealed value, and values longer than what can be searched
CREATE CAST (bytea AS aegis.sealed_keyword) WITHOUT FUNCTION;
CREATE TABLE entropy_x (tenant_id uuid NOT NULL, v aegis.sealed_keyword);
SELECT aegis.encrypt_column('entropy_x', 'v', 'entropy_test.x', 'aegis.sealed_keyword');
INSERT INTO entropy_x SELECT probe_tenant(1), 'same' FROM generate_series(1, 100) i;
ALTER TABLE entropy_x DISABLE TRIGGER zzz_aegis_seal, DROP CONSTRAINT v_sealed;
INSERT INTO entropy_x SELECT probe_tenant(1), substr('\xa1010203040506'::bytea, 1 + i % 3, i) ::aegis.sealed_keyword FROM generate_series(1, 6) i;
SELECT count(*) AS stored, aegis.coverage_entropy('entropy_x', 'v') FROM entropy_x;
DROP CAST (bytea AS aegis.sealed_keyword);
CREATE TABLE entropy_y (tenant_id uuid NOT NULL, v text);
SELECT aegis.create_sealed_type('public.entropy_caseless', 'caseless');
INSERT INTO entropy_y SELECT probe_tenant(1), 'same' FROM generate_series(1, 100);
INSERT INTO entropy_y SELECT probe_tenant(1), repeat('x', 90000000);
SELECT aegis.low_entropy('entropy_y', 'v', 'entropy_caseless');
DROP TABLE entropy_x, entropy_y;
DROP TYPE entropy_caseless CASCADE;

-- the measure is the same however large the table is: 30,000 rows are sampled
CREATE TABLE entropy_big (tenant_id uuid NOT NULL, few text, many text, filler text DEFAULT repeat('x', 200));
INSERT INTO entropy_big SELECT probe_tenant(1), 'v' || i % 60, 'v' || i % 1000 FROM generate_series(1, 30000) i;
SELECT pg_relation_size('entropy_big') / 8192 > 600 AS sampled, aegis.low_entropy('entropy_big', 'few', 'aegis.sealed_keyword') ~ '60.0 are different in each on average; .* in 1\.\d of' AS few,
       aegis.low_entropy('entropy_big', 'many', 'aegis.sealed_keyword') IS NULL AS many;

SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT target_id, detail ->> 'low_entropy_confirmed' AS confirmed, count(*) FROM aegis.audit_log WHERE event = 'field.registered' AND target_id LIKE 'entropy_test.%' GROUP BY 1, 2 ORDER BY target_id COLLATE "C", 2;

DROP TABLE entropy_t, entropy_c, entropy_l, entropy_s, entropy_m, entropy_p, entropy_big;
DROP DOMAIN entropy_d;
DELETE FROM aegis.field WHERE name LIKE 'entropy_test.%';
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 9) i);
DROP ROLE regress_entropy;
DROP FUNCTION probe_create_keys(uuid), probe_tenant(int);
