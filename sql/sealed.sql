-- Sealed types speak ciphertext only: plaintext goes in, never out; a misuse is an error when a
-- statement is parsed.
\set VERBOSITY terse
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
SELECT probe_create_keys('5b000000-0000-4000-8000-000000000001');
CREATE TABLE sealed_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, note aegis.sealed_text, email aegis.sealed_email);
SELECT aegis.encrypt_column('sealed_t', 'note', 'sealed_test.note');
SELECT aegis.encrypt_column('sealed_t', 'email', 'sealed_test.email', 'aegis.sealed_email', 'email');
INSERT INTO sealed_t VALUES ('5b000000-0000-4000-8000-000000000001', 1, 'plain', 'Ann@example.com');

-- allows: text, varchar, character, NULL and the empty string become unsealed values
SELECT 'x'::aegis.sealed_text AS a, 'x'::text::aegis.sealed_text AS b, 'x'::varchar(3)::aegis.sealed_text AS c,
       'x'::char(3)::aegis.sealed_email AS d, ''::aegis.sealed_text AS e, NULL::aegis.sealed_email IS NULL AS f;
SELECT aegis.is_sealed('x'::aegis.sealed_text) AS unsealed, aegis.is_sealed(note) AS sealed FROM sealed_t;

-- allows: what is stored prints as armor and reads back to the same bytes, as text and in binary
SELECT left(note::text, 3) AS prefix, note::text::aegis.sealed_text::text = note::text AS same,
       aegis.sealed_text_send(note) = aegis.sealed_text_send(note::text::aegis.sealed_text) AS same_binary,
       substr(aegis.sealed_text_send(note), 1, 2) AS first_bytes FROM sealed_t;
SELECT length(email::varchar) > 50 AS armor FROM sealed_t;

-- allows: plain operators on plain types mean what they meant
SELECT 'a'::text = 'a' AS a, 'a'::varchar = 'a' AS b, 'a' = 'a' AS c, 'a'::char(2) = 'a' AS d, 'a'::name = 'a' AS e,
       'a' <> 'b' AS f, 'a'::varchar = 'a'::text AS g, 'a' IN ('a', 'b') AS h;

-- allows: whether an envelope belongs to a field and tenant can be asked without a key
SELECT aegis.is_sealed_for(note, f.reference, tenant_id) AS own, aegis.is_sealed_for(note, f.reference + 1, tenant_id) AS other_field,
       aegis.is_sealed_for(note, f.reference, '5b000000-0000-4000-8000-000000000002') AS other_tenant,
       aegis.is_sealed_for(note, f.reference, NULL) AS no_tenant, aegis.is_sealed_for(NULL::aegis.sealed_text, 1, NULL) AS no_value,
       aegis.is_sealed_for('x'::aegis.sealed_text, f.reference, tenant_id) AS unsealed
  FROM sealed_t, aegis.field f WHERE f.name = 'sealed_test.note';

-- refuses: to take for complete what lost its token, what is bound to a subject, and a value without a token in a searchable type
CREATE FUNCTION probe_with(value bytea, at int, byte int) RETURNS text LANGUAGE sql AS
  $$ SELECT 'A1.' || rtrim(translate(encode(set_byte($1, $2, $3), 'base64'), E'+/\n', '-_'), '=') $$;
SELECT aegis.is_sealed_for(probe_with(b, 2, get_byte(b, 2))::aegis.sealed_text, reference, tenant_id) AS same,
       aegis.is_sealed_for(probe_with(b, 3, 10)::aegis.sealed_text, reference, tenant_id) AS token_removed,
       aegis.is_sealed_for(probe_with(b, 3, 4)::aegis.sealed_text, reference, tenant_id) AS with_subject
  FROM (SELECT aegis.sealed_text_send(note) AS b, f.reference, tenant_id FROM sealed_t, aegis.field f WHERE f.name = 'sealed_test.note') s;
SELECT aegis.is_sealed_for(email, f.reference, tenant_id) AS own,
       aegis.is_sealed_for(email::text::aegis.sealed_text, f.reference, tenant_id) AS as_text FROM sealed_t, aegis.field f WHERE f.name = 'sealed_test.email';

-- refuses: text that only looks like armor, a printed placeholder, an envelope without a token
SELECT 'A1.'::aegis.sealed_text;
SELECT 'A1.!!'::aegis.sealed_text;
SELECT 'A1.AAAA'::aegis.sealed_text;
SELECT 'A1.AAAA'::text::aegis.sealed_email;
SELECT '<unsealed>'::aegis.sealed_text;
SELECT note::text::aegis.sealed_email IS NULL FROM sealed_t;
SELECT left(note::text, 40)::aegis.sealed_text IS NULL FROM sealed_t;
SELECT probe_with(aegis.sealed_text_send(note), 2, 2)::aegis.sealed_text IS NULL FROM sealed_t;

-- refuses: to lose a value by printing it into a text
SELECT 'x'::aegis.sealed_text::text;
SELECT 'x'::aegis.sealed_email::varchar;

-- refuses: operators that would work on armor, when the statement is parsed
SELECT note = 'x' FROM sealed_t;
SELECT DISTINCT note FROM sealed_t;
SELECT count(*) FROM sealed_t GROUP BY note;
SELECT id FROM sealed_t ORDER BY note;
SELECT note LIKE 'x%' FROM sealed_t;
SELECT lower(note) FROM sealed_t;
SELECT length(note) FROM sealed_t;
SELECT max(note) FROM sealed_t;
SELECT coalesce(note, 'x'::text) FROM sealed_t;
SELECT note FROM sealed_t UNION ALL SELECT 'x'::text;
SELECT 42::aegis.sealed_text;
CREATE INDEX ON sealed_t (note);
CREATE STATISTICS sealed_s ON note, id FROM sealed_t;
SELECT email > 'x' FROM sealed_t;
SELECT email LIKE 'x%' FROM sealed_t;
SELECT max(email) FROM sealed_t;

-- refuses: order, also by its full name and where an index could answer
CREATE INDEX sealed_i ON sealed_t (email);
EXPLAIN SELECT 1 FROM sealed_t WHERE email OPERATOR(aegis.>) 'x';
SET enable_seqscan = off;
EXPLAIN SELECT 1 FROM sealed_t WHERE email OPERATOR(aegis.<=) email;
RESET enable_seqscan;

-- survives: ANALYZE, vacuum, statistics without a value in them
ANALYZE sealed_t;
VACUUM ANALYZE sealed_t;
SELECT attname, null_frac, avg_width > 60 AS wide, n_distinct, most_common_vals, histogram_bounds, correlation
  FROM pg_stats WHERE tablename = 'sealed_t' AND attname IN ('note', 'email') ORDER BY attname DESC;

-- survives: a large value, an empty one
INSERT INTO sealed_t SELECT '5b000000-0000-4000-8000-000000000001', 2, repeat('0123456789abcdef', 131072), NULL;
INSERT INTO sealed_t VALUES ('5b000000-0000-4000-8000-000000000001', 3, '', NULL);
SELECT id, octet_length(aegis.sealed_text_send(note)) FROM sealed_t WHERE id > 1 ORDER BY id;

DROP TABLE sealed_t;
DELETE FROM aegis.field WHERE name LIKE 'sealed_test.%';
DROP FUNCTION probe_create_keys(uuid);
DELETE FROM aegis.tenant_key WHERE tenant_id = '5b000000-0000-4000-8000-000000000001';
