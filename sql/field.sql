-- A field's values are sealed for their row's tenant, revealed to those whom the policy names and
-- nobody else; whatever does not belong opens with one and the same error.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('5d000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(tenant int, rank int) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '5d000000-0000-4000-8000-0000000000ff', $2, 1, 100)::text $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
CREATE ROLE regress_field;
GRANT USAGE ON SCHEMA aegis TO regress_field;
GRANT EXECUTE ON FUNCTION aegis.reveal(aegis.sealed_text), aegis.reveal(aegis.sealed_email), aegis.masked(aegis.sealed_text),
  aegis.masked(aegis.sealed_email), probe_context(uuid, uuid, int, bigint, bigint) TO regress_field;

-- allows: a plain column with rows becomes an encrypted one in one statement, its unique index too
CREATE TABLE field_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, email varchar(100) DEFAULT 'default@example.com', phone text, note aegis.sealed_text,
                      UNIQUE (tenant_id, email));
INSERT INTO field_t VALUES (probe_tenant(1), 1, 'Bob@Example.com', '+49 170 1234567', NULL), (probe_tenant(2), 2, 'bob@example.com', '', NULL);
SELECT aegis.encrypt_column('field_t', 'email', 'field_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('field_t', 'phone', 'field_test.phone', mask => 'last4');
SELECT aegis.encrypt_column('field_t', 'note', 'field_test.note', reveal => 'none');
\d field_t
SELECT bool_and(aegis.is_sealed(email) AND aegis.is_sealed(phone)) AS sealed FROM field_t;
SELECT name, relation, column_name, type, mask, by_extension, reference = ('x' || substr(encode(sha256(convert_to('aegis/field/1' || name, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint AS by_name
  FROM aegis.field WHERE name LIKE 'field_test.%' ORDER BY name;
INSERT INTO field_t (tenant_id, id, note) VALUES (probe_tenant(1), 3, 'secret');

-- allows: a second call says so and changes nothing
SET client_min_messages = notice;
SELECT aegis.encrypt_column('field_t', 'phone', 'field_test.phone', mask => 'last4');
SET client_min_messages = warning;

-- allows: users reveal and see masks; NULL stays NULL, the empty string is a value
GRANT ALL ON field_t TO regress_field;
SET SESSION AUTHORIZATION regress_field;
BEGIN;
SELECT probe_as(1, 1);
SELECT id, aegis.reveal(email), aegis.masked(email), aegis.reveal(phone), aegis.masked(phone) FROM field_t WHERE tenant_id = probe_tenant(1) ORDER BY id;
COMMIT;
BEGIN;
SELECT probe_as(2, 4);
SELECT aegis.reveal(email), aegis.reveal(phone) = '' AS empty, note IS NULL AS none FROM field_t WHERE id = 2;
COMMIT;

-- allows: the same in parallel workers
BEGIN;
SELECT probe_as(1, 3);
SET LOCAL force_parallel_mode = on;
SELECT sum(length(aegis.reveal(email))) FROM field_t WHERE tenant_id = probe_tenant(1);
COMMIT;

-- refuses: to reveal without a context
SELECT aegis.reveal(email) FROM field_t WHERE id = 1;
SELECT aegis.masked(email) FROM field_t WHERE id = 1;

-- refuses: what the policy does not allow
BEGIN;
SELECT probe_as(1, 4);
SELECT aegis.reveal(note) FROM field_t WHERE id = 3;
ROLLBACK;
BEGIN;
SELECT probe_as(1, 4);
SELECT aegis.masked(note) FROM field_t WHERE id = 3;
ROLLBACK;

-- refuses: an unsealed value
BEGIN;
SELECT probe_as(1, 4);
SELECT aegis.reveal('x'::aegis.sealed_text);
ROLLBACK;

-- refuses with one error: another tenant's value, changed bytes, a changed token, another field's header
CREATE FUNCTION pg_temp.outcome(value aegis.sealed_email) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN aegis.reveal(value);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
RESET SESSION AUTHORIZATION;
-- Flips one bit of an envelope: 20 bytes header, 16 token, 24 nonce, ciphertext, 16 tag.
CREATE FUNCTION probe_flip(value aegis.sealed_email, at int) RETURNS aegis.sealed_email LANGUAGE sql AS $$
  SELECT ('A1.' || rtrim(translate(encode(set_byte(b, $2, get_byte(b, $2) # 1), 'base64'), E'+/\n', '-_'), '='))::aegis.sealed_email
    FROM aegis.sealed_email_send($1) b $$;
CREATE TABLE field_flipped AS SELECT i AS at, CASE WHEN i < 0 THEN (SELECT email FROM field_t WHERE id = 2) ELSE probe_flip(email, i) END AS email
  FROM field_t, unnest(ARRAY[-1, 4, 11, 16, 19, 20, 35, 36, 59, 60, 70, 80]) i WHERE id = 1;
GRANT SELECT ON field_flipped TO regress_field;
SET SESSION AUTHORIZATION regress_field;
BEGIN;
SELECT probe_as(1, 1);
SELECT pg_temp.outcome(email), count(*) FROM field_flipped GROUP BY 1;
COMMIT;
RESET SESSION AUTHORIZATION;

-- allows: an operator changes the policy, at once for everybody
SELECT aegis.set_reveal_policy('field_test.note', 4::smallint, 'full');
SELECT aegis.set_reveal_policy('field_test.note', 3::smallint, 'masked');
SET SESSION AUTHORIZATION regress_field;
BEGIN;
SELECT probe_as(1, 4);
SELECT aegis.reveal(note), aegis.masked(note) FROM field_t WHERE id = 3;
COMMIT;
BEGIN;
SELECT probe_as(1, 3);
SELECT aegis.masked(note) FROM field_t WHERE id = 3;
SELECT aegis.reveal(note) FROM field_t WHERE id = 3;
COMMIT;
BEGIN;
SELECT probe_as(1, 2);
SELECT aegis.masked(note) FROM field_t WHERE id = 3;
COMMIT;
-- refuses: everybody else's change of it
SELECT aegis.set_reveal_policy('field_test.note', 1::smallint, 'full');
UPDATE aegis.reveal_policy SET level = 'full';
SELECT aegis.encrypt_column('field_t', 'note', 'field_test.note');
SELECT aegis.seal_text('x', 1, probe_tenant(1));
RESET SESSION AUTHORIZATION;

-- refuses: words that mean nothing, columns that cannot be sealed
SELECT aegis.set_reveal_policy('field_test.note', 5::smallint, 'full');
SELECT aegis.set_reveal_policy('field_test.note', 1::smallint, 'all');
SELECT aegis.set_reveal_policy('field_test.none', 1::smallint, 'full');
CREATE TABLE field_u (tenant_id uuid NOT NULL, id int, a text, b text, g text GENERATED ALWAYS AS (a || 'x') STORED);
CREATE TABLE field_v (a text);
SELECT aegis.encrypt_column('field_u', 'a', 'Field');
SELECT aegis.encrypt_column('field_u', 'a', 'field_test.a', mask => 'none');
SELECT aegis.encrypt_column('field_u', 'a', 'field_test.a', reveal => 'all');
SELECT aegis.encrypt_column('field_u', 'a', 'field_test.a', 'text');
SELECT aegis.encrypt_column('field_u', 'x', 'field_test.a');
SELECT aegis.encrypt_column('field_u', 'id', 'field_test.a');
SELECT aegis.encrypt_column('field_u', 'g', 'field_test.a');
SELECT aegis.encrypt_column('field_v', 'a', 'field_test.a');
SELECT aegis.encrypt_column('field_u', 'b', 'field_test.email');
INSERT INTO field_u (tenant_id, b) VALUES (probe_tenant(1), 'no address');
SELECT aegis.encrypt_column('field_u', 'b', 'field_test.b', 'aegis.sealed_email');
SELECT count(*) AS registered FROM aegis.field WHERE name IN ('field_test.a', 'field_test.b');

-- survives: a renamed column and table, a dropped and recreated table, a rolled-back registration
ALTER TABLE field_t RENAME COLUMN phone TO telephone;
ALTER TABLE field_t RENAME TO field_renamed;
INSERT INTO field_renamed (tenant_id, id, email, telephone) VALUES (probe_tenant(1), 4, 'd@e.f', '0123456789');
SELECT aegis.is_sealed(telephone) FROM field_renamed WHERE id = 4;
SET SESSION AUTHORIZATION regress_field;
BEGIN; SELECT probe_as(1, 1); SELECT aegis.reveal(telephone) FROM field_renamed WHERE id = 4; COMMIT;
RESET SESSION AUTHORIZATION;
DROP TABLE field_renamed;
CREATE TABLE field_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, phone text);
SELECT aegis.encrypt_column('field_t', 'phone', 'field_test.phone', mask => 'last4');
INSERT INTO field_t VALUES (probe_tenant(1), 1, 'x');
UPDATE field_u SET b = NULL;
BEGIN;
SELECT aegis.encrypt_column('field_u', 'b', 'field_test.b');
INSERT INTO field_u (tenant_id, b) VALUES (probe_tenant(1), 'x');
ROLLBACK;
INSERT INTO field_u (tenant_id, b) VALUES (probe_tenant(1), 'x') RETURNING b;

DROP TABLE field_t, field_u, field_v, field_flipped;
DELETE FROM aegis.field WHERE name LIKE 'field_test.%';
DROP FUNCTION pg_temp.outcome(aegis.sealed_email), probe_flip(aegis.sealed_email, int);
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int, int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
DROP OWNED BY regress_field;
DROP ROLE regress_field;
