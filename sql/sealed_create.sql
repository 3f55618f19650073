-- A type of one's own behaves like a shipped one, has a search key of its own, and leaves nothing behind.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
\set one '''5e000000-0000-4000-8000-000000000001'''
SELECT probe_create_keys(:one);
CREATE ROLE regress_own;
GRANT USAGE ON SCHEMA aegis TO regress_own;
\set enter 'SET LOCAL SESSION AUTHORIZATION regress_own; SELECT probe_context(' :one ', ''5e000000-0000-4000-8000-0000000000ff'', 4, 1, 100) IS NULL AS entered;'
CREATE SCHEMA "own Types";
CREATE TABLE own_before AS SELECT oid, 'f'::text AS kind FROM pg_proc UNION ALL SELECT oid, 't' FROM pg_type UNION ALL SELECT oid, 'o' FROM pg_operator
  UNION ALL SELECT oid, 'c' FROM pg_opclass UNION ALL SELECT oid, 'F' FROM pg_opfamily UNION ALL SELECT oid, 'C' FROM pg_cast UNION ALL SELECT oid, 'a' FROM pg_amop
  UNION ALL SELECT oid, 'p' FROM pg_amproc UNION ALL SELECT objoid, 'l' FROM pg_seclabel;

-- allows: with and without a schema and a normaliser; every normaliser
SELECT aegis.create_sealed_type('own_iban', 'alnum', 'last4');
SELECT aegis.create_sealed_type('"own Types".own_name', 'caseless', 'initials');
SELECT aegis.create_sealed_type('public.own_note');
SELECT aegis.create_sealed_type('own_' || n, n) FROM unnest(ARRAY['exact', 'keyword', 'email', 'phone']) n;
SELECT * FROM aegis.sealed_type WHERE type::text ~ 'own_' ORDER BY type::text;
-- allows: the ledger says so
SELECT d.target_kind, d.target_id, d.detail FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE d.event = 'field.type_created' AND d.target_id ~ 'own_' ORDER BY d.target_id;

-- allows: columns of it are fields like any other, masked as the type says
CREATE TABLE own_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, iban text, name varchar(40), note text, other own_exact, email aegis.sealed_email, mail own_email);
INSERT INTO own_t (tenant_id, id, iban, name, note) SELECT :one, i, 'de89 3704 00' || i, 'Stra' || U&'\00df' || 'e' || i % 10, 'n' || i FROM generate_series(11, 60) i;
SELECT aegis.encrypt_column('own_t', 'iban', 'own_test.iban', 'own_iban');
SELECT aegis.encrypt_column('own_t', 'name', 'own_test.name', '"own Types".own_name');
SELECT aegis.encrypt_column('own_t', 'note', 'own_test.note', 'own_note', 'initial');
SELECT aegis.encrypt_column('own_t', 'other', 'own_test.other', 'own_exact');
SELECT aegis.encrypt_column('own_t', 'email', 'own_test.email', 'aegis.sealed_email');
SELECT aegis.encrypt_column('own_t', 'mail', 'own_test.mail', 'own_email');
SELECT name, type, mask FROM aegis.field WHERE name LIKE 'own_test.%' ORDER BY name;
CREATE UNIQUE INDEX own_unique ON own_t (tenant_id, iban);
CREATE INDEX own_btree ON own_t (name);
CREATE INDEX own_hash ON own_t USING hash (iban);
ANALYZE own_t;
GRANT ALL ON own_t TO regress_own;
GRANT EXECUTE ON FUNCTION probe_context(uuid, uuid, int, bigint, bigint), aegis.reveal(own_iban), aegis.masked(own_iban), aegis.masked("own Types".own_name), aegis.masked(own_note)
  TO regress_own;
GRANT USAGE ON SCHEMA "own Types" TO regress_own;
BEGIN;
:enter
SET LOCAL search_path = public, "own Types";
SELECT aegis.reveal(iban) AS iban, aegis.masked(iban) AS masked, aegis.masked(name) AS name, aegis.masked(note) AS note FROM own_t WHERE iban = 'DE89370400-11';
SELECT count(*) FROM own_t WHERE name = ' STRASSE3';
SELECT count(*) FROM own_t WHERE name = 'strasse3'::text OR 'none'::varchar = name;
SELECT count(*) FROM own_t WHERE name IN ('strasse1', 'strasse2', 'strasse3', 'strasse4', 'strasse5', 'strasse6', 'strasse7', 'strasse8', 'x', 'y');
SELECT count(*) FROM (SELECT DISTINCT name FROM own_t) d;
SELECT count(*) FROM own_t a JOIN own_t b USING (tenant_id, name);
INSERT INTO own_t (tenant_id, id, iban, other) VALUES (:one, 99, 'DE89 3704 0011', 'A') ON CONFLICT (tenant_id, iban) DO UPDATE SET note = 'again';
INSERT INTO own_t (tenant_id, id, iban, email, mail) VALUES (:one, 100, 'AT1', 'a@example.com', 'a@example.com');
INSERT INTO own_t (tenant_id, id, iban) VALUES (:one, 101, U&'\00c41');
ROLLBACK;
-- allows: an index answers, without a search_path by the operator's full name
SET enable_seqscan = off; SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM own_t WHERE name OPERATOR("own Types".=) 'x';
RESET enable_seqscan; RESET enable_bitmapscan;

-- refuses: the equality of two types, order, and what is not found through search_path
SELECT count(*) FROM own_t WHERE email = mail;
SELECT count(*) FROM own_t WHERE iban < 'x';
SELECT count(*) FROM own_t WHERE note = 'x';
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT count(*) FROM public.own_t WHERE iban = 'x';
ROLLBACK;

-- refuses: the search key of one type is not that of another
SELECT count(*) FROM own_t a WHERE substr(public.own_email_send(mail), 21, 16) = substr(aegis.sealed_email_send(email), 21, 16);

-- refuses: names, schemas, words, and roles without power
\set VERBOSITY default
SELECT aegis.create_sealed_type(NULL, 'exact');
SELECT aegis.create_sealed_type('own_x', 'lower');
SELECT aegis.create_sealed_type('own_x', 'text');
SELECT aegis.create_sealed_type('own_x', 'exact', 'none');
SELECT aegis.create_sealed_type('text', 'exact');
SELECT aegis.create_sealed_type('"Own"', 'exact');
SELECT aegis.create_sealed_type('a.b.c', 'exact');
SELECT aegis.create_sealed_type('own_' || repeat('x', 46), 'exact');
SELECT aegis.create_sealed_type('pg_catalog.own_x', 'exact');
SELECT aegis.create_sealed_type('aegis.own_x', 'exact');
SELECT aegis.create_sealed_type('pg_temp.own_x', 'exact');
SELECT aegis.create_sealed_type('nowhere.own_x', 'exact');
SELECT aegis.create_sealed_type('own_iban', 'exact');
SELECT aegis.create_sealed_type('"own Types".own_iban', 'exact');
SELECT aegis.create_sealed_type('public.sealed_email', 'exact');
SELECT aegis.create_sealed_type('own_t', 'exact');
\set VERBOSITY terse
SET ROLE regress_own;
SELECT aegis.create_sealed_type('own_x', 'exact');
SELECT aegis.reveal('A1.x'::own_exact);
RESET ROLE;
-- refuses: a hostile search_path to change what the type is made of
CREATE SCHEMA own_trap;
CREATE DOMAIN own_trap.text AS int;
CREATE DOMAIN own_trap.uuid AS int;
SET search_path = own_trap, public, pg_catalog;
SELECT aegis.create_sealed_type('public.own_safe', 'exact');
RESET search_path;
SELECT count(*) FROM pg_depend d JOIN pg_type t ON t.oid = d.refobjid AND d.refclassid = 'pg_type'::regclass
 WHERE t.typnamespace = 'own_trap'::regnamespace AND d.classid <> 'pg_type'::regclass;
DROP SCHEMA own_trap CASCADE;
DROP TYPE own_safe CASCADE;
-- refuses: to rename, labels that are none
ALTER TYPE own_iban RENAME TO own_account;
ALTER TYPE own_note RENAME TO own_note2;
ALTER TYPE aegis.sealed_email RENAME TO own_mail;
SECURITY LABEL FOR aegis ON TYPE own_iban IS 'mask=last5';
SECURITY LABEL FOR aegis ON TABLE own_t IS 'mask=last4';
-- refuses: unsealed constants, generated columns, partition keys, added defaults, of types of one's own too
CREATE VIEW own_v AS SELECT id FROM own_t WHERE iban = 'x';
CREATE VIEW own_v AS SELECT id FROM own_t WHERE iban IN ('x', 'y');
ALTER TABLE own_t ALTER note SET DEFAULT 'x';
ALTER TABLE own_t ADD COLUMN late own_note DEFAULT 'x'::text;
ALTER TABLE own_t ADD COLUMN late own_iban GENERATED ALWAYS AS (NULL::own_iban) STORED;
CREATE TABLE own_p (iban own_iban) PARTITION BY HASH (iban);
CREATE TABLE own_p (iban own_iban) PARTITION BY LIST (iban);
CREATE FUNCTION own_f() RETURNS own_iban BEGIN ATOMIC SELECT 'x'::own_iban; END;
SELECT attname, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'own_t' AND attname IN ('iban', 'name', 'note') ORDER BY 1;
-- allows: another schema
ALTER TYPE own_iban SET SCHEMA "own Types";
SELECT name, type FROM aegis.field WHERE name = 'own_test.iban';
ALTER TYPE "own Types".own_iban SET SCHEMA public;

-- survives: DROP TYPE leaves no function, operator, class, family, cast or label; coverage names fields that lost their column
DROP TYPE own_iban, "own Types".own_name, own_note, own_exact, own_keyword, own_email, own_phone CASCADE;
SELECT string_agg(attname, ' ' ORDER BY attnum) AS columns FROM pg_attribute WHERE attrelid = 'own_t'::regclass AND attnum > 0 AND NOT attisdropped;
DROP TABLE own_t;
SELECT kind, count(*) FROM (SELECT oid, 'f'::text AS kind FROM pg_proc UNION ALL SELECT oid, 't' FROM pg_type UNION ALL SELECT oid, 'o' FROM pg_operator
  UNION ALL SELECT oid, 'c' FROM pg_opclass UNION ALL SELECT oid, 'F' FROM pg_opfamily UNION ALL SELECT oid, 'C' FROM pg_cast UNION ALL SELECT oid, 'a' FROM pg_amop
  UNION ALL SELECT oid, 'p' FROM pg_amproc UNION ALL SELECT objoid, 'l' FROM pg_seclabel EXCEPT SELECT * FROM own_before) x
 WHERE NOT (kind = 't' AND oid IN (SELECT oid FROM pg_type WHERE typname IN ('own_before', '_own_before'))) GROUP BY kind;
SELECT object, finding FROM aegis.coverage() WHERE object LIKE 'own_test.%' ORDER BY 1;
DELETE FROM aegis.field WHERE name LIKE 'own_test.%';
DROP SCHEMA "own Types";
DROP TABLE own_before;
DELETE FROM aegis.tenant_key WHERE tenant_id = :one;
DROP OWNED BY regress_own;
DROP ROLE regress_own;
DROP FUNCTION probe_create_keys(uuid), probe_context(uuid, uuid, int, bigint, bigint);
