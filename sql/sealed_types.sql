-- Values of every opaque type come back exactly as they went in, whatever a session is set to; plaintext of a wrong form
-- is refused at input, and no message shows it.
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
\set VERBOSITY terse
\set one '''5d000000-0000-4000-8000-000000000001'''
CREATE ROLE regress_kind;
GRANT USAGE ON SCHEMA aegis TO regress_kind;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aegis, public TO regress_kind;
\set enter 'SET LOCAL SESSION AUTHORIZATION regress_kind; SELECT probe_context(' :one ', ''5d000000-0000-4000-8000-0000000000ff'', 4, 1, 100) IS NULL AS entered;'
SELECT probe_create_keys(:one);
CREATE TABLE kind_plain (tenant_id uuid NOT NULL, id int, b bytea, j jsonb, n numeric, d date, t timestamptz);
CREATE TABLE kind_t (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id int PRIMARY KEY, b aegis.sealed_bytea, j aegis.sealed_jsonb, n aegis.sealed_numeric, d aegis.sealed_date,
                     t aegis.sealed_timestamptz);
INSERT INTO kind_plain VALUES
  (:one, 1, '\x', '{}', 0, '1984-05-23', '1984-05-23 10:11:12.345678+02'),
  (:one, 2, '\xa100ff', '{"a": [1, 2.50, null, "\u00e9\"", true], "b": {}}', 1.500, 'infinity', 'infinity'),
  (:one, 3, '\x41312e', '"A1."', 'NaN', '-infinity', '-infinity'),
  (:one, 4, repeat('0123456789abcdef', 20000)::bytea, (SELECT jsonb_agg(jsonb_build_object('k', i, 'v', repeat('x', 20))) FROM generate_series(1, 20000) i),
   '-123456789012345678901234567890.000000000000000000000000000000000001', '0044-03-15 BC', '0044-03-15 00:00:00+00 BC'),
  (:one, 5, NULL, 'null', '-Infinity', '5874897-12-31', '294276-12-31 23:59:59.999999+00'),
  (:one, 6, NULL, NULL, NULL, NULL, NULL);
SELECT aegis.encrypt_column('kind_t', c, 'kind_test.' || c, type, mask) IS NULL AS done
  FROM (VALUES ('b'::name, 'aegis.sealed_bytea'::regtype, 'last4'), ('j', 'aegis.sealed_jsonb', 'last4'), ('n', 'aegis.sealed_numeric', 'last4'),
               ('d', 'aegis.sealed_date', 'year'), ('t', 'aegis.sealed_timestamptz', 'year')) f (c, type, mask);
SELECT aegis.set_reveal_policy('kind_test.' || c, 4::smallint, 'full') IS NULL AS done FROM unnest(ARRAY['b', 'j', 'n', 'd', 't']) c;
GRANT ALL ON kind_t, kind_plain TO regress_kind;

-- allows: plain values by assignment; reveal gives the plain types and the same values
INSERT INTO kind_t SELECT * FROM kind_plain;
SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'; SET bytea_output = 'escape'; SET extra_float_digits = -10; SET IntervalStyle = 'sql_standard';
BEGIN;
:enter
SELECT pg_typeof(aegis.reveal(b)) AS b, pg_typeof(aegis.reveal(j)) AS j, pg_typeof(aegis.reveal(n)) AS n, pg_typeof(aegis.reveal(d)) AS d, pg_typeof(aegis.reveal(t)) AS t
  FROM kind_t LIMIT 1;
SELECT id, aegis.reveal(s.b) IS NOT DISTINCT FROM p.b AS b, aegis.reveal(s.j)::text IS NOT DISTINCT FROM p.j::text AS j, aegis.reveal(s.n)::text IS NOT DISTINCT FROM p.n::text AS n,
       aegis.reveal(s.d) IS NOT DISTINCT FROM p.d AS d, aegis.reveal(s.t) IS NOT DISTINCT FROM p.t AS t, num_nulls(s.b, s.j, s.n, s.d, s.t) AS nulls
  FROM kind_t s JOIN kind_plain p USING (id) ORDER BY id;

-- allows: masks of dates and numbers, none of bytes and JSON; the same for every setting
SELECT id, aegis.masked(b) AS b, aegis.masked(j) AS j, aegis.masked(n) AS n, aegis.masked(d) AS d, aegis.masked(t) AS t FROM kind_t ORDER BY id;
-- allows: listings show the plain value as its type prints it
SELECT id, aegis.legible(n) AS n, aegis.legible(d) AS d, aegis.legible(t) AS t, aegis.legible(j) AS j FROM kind_t WHERE id IN (1, 2, 6) AND id <> 4 ORDER BY id;
COMMIT;
RESET TimeZone; RESET DateStyle; RESET bytea_output; RESET extra_float_digits; RESET IntervalStyle;

-- allows: literals, integers, JSON, parameters of the plain types and of none
BEGIN;
:enter
INSERT INTO kind_t (id, b, j, n, d, t) VALUES (10, '\x00ff', '{"b": 1, "a": 2}', '1.50', '2024-02-29', '2024-02-29 12:00:00+00'), (11, '', '[]', 42, 'epoch', 'epoch');
INSERT INTO kind_t (id, n, j) VALUES (12, 2::smallint, '{"z": 1}'::json), (13, 3::bigint, NULL);
PREPARE put(int, bytea, jsonb, numeric, date, timestamptz) AS INSERT INTO kind_t (id, b, j, n, d, t) VALUES ($1, $2, $3, $4, $5, $6);
EXECUTE put(14, '\x01', '1', 1e-5, '2000-01-01', '2000-01-01 00:00:00+00');
PREPARE put_open AS INSERT INTO kind_t (id, b, j, n, d, t) VALUES ($1, $2, $3, $4, $5, $6);
EXECUTE put_open(15, '\x02', '2', '2e3', '2000-01-02', '2000-01-02 00:00:00+00');
SELECT id, aegis.reveal(b) AS b, aegis.reveal(j) AS j, aegis.reveal(n) AS n, aegis.reveal(d) = 'epoch' AS epoch, aegis.reveal(t) AT TIME ZONE 'UTC' AS t FROM kind_t WHERE id >= 10 ORDER BY id;

-- allows: armor and binary forms come back to the same bytes; a plain binary form is read as the plain type reads it
SELECT bool_and(n::text::aegis.sealed_numeric::text = n::text AND d::text::aegis.sealed_date::text = d::text AND j::text::aegis.sealed_jsonb::text = j::text
            AND b::text::aegis.sealed_bytea::text = b::text AND t::text::aegis.sealed_timestamptz::text = t::text) AS same FROM kind_t WHERE id < 4;
COMMIT;
CREATE TABLE kind_wire (b bytea, j jsonb, n numeric, d date, t timestamptz);
INSERT INTO kind_wire SELECT NULL, j, n, d, t FROM kind_plain WHERE id = 2;
SELECT current_setting('data_directory') || '/sealed_types.bin' AS wire \gset
COPY kind_t TO :'wire' (FORMAT binary);
CREATE TABLE kind_again (LIKE kind_t);
COPY kind_again FROM :'wire' (FORMAT binary);
SELECT count(*) FILTER (WHERE (a.b::text, a.j::text, a.n::text, a.d::text, a.t::text) IS NOT DISTINCT FROM (s.b::text, s.j::text, s.n::text, s.d::text, s.t::text)) = count(*) AS same
  FROM kind_again a JOIN kind_t s USING (id);
COPY kind_wire TO :'wire' (FORMAT binary);
TRUNCATE kind_again;
ALTER TABLE kind_again ALTER tenant_id DROP NOT NULL, ALTER id DROP NOT NULL;
COPY kind_again (b, j, n, d, t) FROM :'wire' (FORMAT binary);
SELECT aegis.is_sealed(j) OR aegis.is_sealed(n) OR aegis.is_sealed(d) OR aegis.is_sealed(t) AS sealed, b IS NULL AS none FROM kind_again;
UPDATE kind_wire SET b = '\x41';
\set VERBOSITY default
\set SHOW_CONTEXT never
COPY kind_wire TO :'wire' (FORMAT binary);
COPY kind_again (b, j, n, d, t) FROM :'wire' (FORMAT binary);
\set VERBOSITY terse
DROP TABLE kind_again, kind_wire;

-- refuses: plaintext of a wrong form, without the value
\set VERBOSITY sqlstate
SELECT '4111x'::aegis.sealed_numeric;
SELECT '1e200000'::aegis.sealed_numeric;
SELECT '1984-13-23'::aegis.sealed_date;
SELECT 'no day'::aegis.sealed_date;
SELECT '1984-05-23 25:00'::aegis.sealed_timestamptz;
SELECT '1984-05-23 10:00 Nowhere/City'::aegis.sealed_timestamptz;
SELECT '{"secret"'::aegis.sealed_jsonb;
SELECT '"\u0000"'::aegis.sealed_jsonb;
SELECT '\xsecret'::aegis.sealed_bytea;
\set VERBOSITY terse
SELECT '4111x'::aegis.sealed_numeric;
SELECT '1984-13-23'::aegis.sealed_date;
SELECT '{"secret"'::aegis.sealed_jsonb;
CREATE FUNCTION pg_temp.shown(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE m text; d text; h text; c text;
BEGIN
  EXECUTE statement;
  RETURN NULL;
EXCEPTION WHEN data_exception THEN
  GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
  RETURN m || d || h ~ 'secret|1984|4111|Nowhere';
END $$;
SELECT pg_temp.shown(format('SELECT %L::text::aegis.%s', value, type)) AS shown, type
  FROM (VALUES ('secret', 'sealed_numeric'), ('4111111111111111e999999', 'sealed_numeric'), ('secret', 'sealed_date'), ('1984-13-23', 'sealed_date'), ('secret', 'sealed_timestamptz'),
               ('1984-05-23 10:00 Nowhere/City', 'sealed_timestamptz'), ('{"secret"', 'sealed_jsonb'), ('\xsecret', 'sealed_bytea'), ('[secret]', 'sealed_jsonb')) v (value, type);

-- refuses: a value of another type, text of a plain type, operators, indexes
SELECT n::text::aegis.sealed_date IS NULL FROM kind_t WHERE id = 1;
SELECT n::text::aegis.sealed_text IS NULL FROM kind_t WHERE id = 1;
INSERT INTO kind_t (tenant_id, id, n) VALUES (:one, 20, 'x'::text);
INSERT INTO kind_t (tenant_id, id, d) VALUES (:one, 20, now());
SELECT n = 1 FROM kind_t;
SELECT d < '2000-01-01' FROM kind_t;
SELECT n + 1 FROM kind_t;
SELECT j -> 'a' FROM kind_t;
SELECT DISTINCT n FROM kind_t;
SELECT sum(n) FROM kind_t;
SELECT max(d) FROM kind_t;
CREATE INDEX ON kind_t (n);
SELECT 1::aegis.sealed_numeric::text;
BEGIN;
:enter
SELECT aegis.reveal('1'::aegis.sealed_numeric);
ROLLBACK;

-- allows: a column of the plain type, or of one that it takes, is converted; another is not
CREATE TABLE kind_u (tenant_id uuid NOT NULL, a int, b varchar(10), c date, d jsonb);
INSERT INTO kind_u VALUES (:one, 7, 'x', '1999-12-31', '{"a": 1}');
SELECT aegis.encrypt_column('kind_u', 'a', 'kind_test.ua', 'aegis.sealed_numeric');
SELECT aegis.encrypt_column('kind_u', 'c', 'kind_test.uc', 'aegis.sealed_date', 'year');
SELECT aegis.encrypt_column('kind_u', 'd', 'kind_test.ud', 'aegis.sealed_jsonb');
\set VERBOSITY default
SELECT aegis.encrypt_column('kind_u', 'b', 'kind_test.ub', 'aegis.sealed_numeric');
SELECT aegis.encrypt_column('kind_u', 'b', 'kind_test.ub', 'text');
SELECT aegis.encrypt_column('kind_u', 'b', 'kind_test.ub', 'aegis.sealed_text', 'last5');
SELECT aegis.encrypt_column('kind_u', NULL, 'kind_test.ub');
\set VERBOSITY terse
SELECT name, type, mask FROM aegis.field WHERE name LIKE 'kind_test.u%' ORDER BY 1;
GRANT ALL ON kind_u TO regress_kind;
BEGIN;
:enter
SELECT aegis.reveal(a) AS a, aegis.reveal(c) AS c, aegis.reveal(d) AS d FROM kind_u;
ROLLBACK;

-- survives: statistics and the view of types
ANALYZE kind_t;
SELECT attname, null_frac > 0 AS nulls, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'kind_t' AND attname IN ('n', 'd') ORDER BY 1;
SELECT * FROM aegis.sealed_type ORDER BY type::text;

DROP TABLE kind_t, kind_plain, kind_u;
DELETE FROM aegis.field WHERE name LIKE 'kind_test.%';
DELETE FROM aegis.tenant_key WHERE tenant_id = :one;
DROP OWNED BY regress_kind;
DROP ROLE regress_kind;
DROP FUNCTION probe_create_keys(uuid), probe_context(uuid, uuid, int, bigint, bigint);
