-- An unsealed constant dies with the server run, so the catalogs never take one; 'x'::text is the
-- durable spelling.
\set VERBOSITY terse
CREATE TABLE constant_t (tenant_id uuid, id int, email aegis.sealed_email, note aegis.sealed_text);

-- refuses: views, also in IN lists, subqueries and materialized ones
CREATE VIEW constant_v AS SELECT id FROM constant_t WHERE email = 'x@example.com';
CREATE VIEW constant_v AS SELECT id FROM constant_t WHERE email IN ('x@example.com', 'y@example.com');
CREATE VIEW constant_v AS WITH w AS (SELECT 'x'::aegis.sealed_text AS a) SELECT * FROM w;
CREATE VIEW constant_v AS SELECT (SELECT 'x'::aegis.sealed_text) AS a;
CREATE VIEW constant_v AS SELECT ARRAY['x']::aegis.sealed_text[] AS a, '{x}'::aegis.sealed_text[] AS b;
CREATE MATERIALIZED VIEW constant_v AS SELECT 'x'::aegis.sealed_text AS a;
-- refuses: checks, defaults, generated columns, added columns with a default
CREATE TABLE constant_u (email aegis.sealed_email CHECK (email <> 'x@example.com'));
ALTER TABLE constant_t ADD CONSTRAINT c CHECK (email <> 'x@example.com');
CREATE TABLE constant_u (note aegis.sealed_text DEFAULT 'x');
ALTER TABLE constant_t ALTER note SET DEFAULT 'x';
ALTER TABLE constant_t ADD COLUMN late aegis.sealed_text DEFAULT 'x';
ALTER TABLE constant_t ADD COLUMN late aegis.sealed_text DEFAULT 'x'::text;
CREATE TABLE constant_u (a text, note aegis.sealed_text GENERATED ALWAYS AS (CASE WHEN a = '' THEN NULL::aegis.sealed_text END) STORED);
-- refuses: domains, policies, rules, triggers, functions, indexes, statistics
CREATE DOMAIN constant_d AS aegis.sealed_text DEFAULT 'x';
CREATE DOMAIN constant_d AS aegis.sealed_email CHECK (value <> 'x@example.com');
CREATE POLICY constant_p ON constant_t USING (email = 'x@example.com');
CREATE POLICY constant_p ON constant_t USING (true);
ALTER POLICY constant_p ON constant_t WITH CHECK (email = 'x@example.com');
CREATE RULE constant_r AS ON INSERT TO constant_t WHERE NEW.email = 'x@example.com' DO INSTEAD NOTHING;
CREATE RULE constant_r AS ON DELETE TO constant_t DO ALSO INSERT INTO constant_t (note) VALUES ('x');
CREATE TRIGGER constant_g BEFORE UPDATE ON constant_t FOR EACH ROW WHEN (NEW.email = 'x@example.com') EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION constant_f() RETURNS aegis.sealed_text BEGIN ATOMIC SELECT 'x'::aegis.sealed_text; END;
CREATE FUNCTION constant_f(a aegis.sealed_text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION constant_f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION constant_f() RETURNS int RETURN (SELECT 1 WHERE 'x'::aegis.sealed_email = 'x');
CREATE INDEX ON constant_t (id) WHERE aegis.is_sealed('x'::aegis.sealed_text);
CREATE STATISTICS constant_s ON id, (aegis.is_sealed('x'::aegis.sealed_text)) FROM constant_t;
-- refuses: sealed partition keys
CREATE TABLE constant_h (email aegis.sealed_email) PARTITION BY HASH (email);
CREATE TABLE constant_h (email aegis.sealed_email) PARTITION BY LIST (email);
CREATE TABLE constant_h (a int, email aegis.sealed_email) PARTITION BY RANGE (a, email);

-- allows: the plain spelling, NULL, and functions whose body is text
CREATE VIEW constant_v AS SELECT id FROM constant_t WHERE email = 'x@example.com'::text::aegis.sealed_email OR note IS NULL;
ALTER TABLE constant_t ALTER note SET DEFAULT 'x'::text, ALTER email SET DEFAULT NULL;
ALTER TABLE constant_t ADD COLUMN late aegis.sealed_text;
CREATE POLICY constant_q ON constant_t USING (email = 'x@example.com'::text);
CREATE FUNCTION constant_g() RETURNS aegis.sealed_text LANGUAGE sql AS $$ SELECT 'x'::aegis.sealed_text $$;
CREATE TABLE constant_l (a int, email aegis.sealed_email) PARTITION BY LIST (a);
SELECT constant_g();
SELECT pg_get_viewdef('constant_v'::regclass) LIKE '%unsealed%' AS lost;

-- survives: what was refused left nothing behind
SELECT count(*) FROM pg_class WHERE relname IN ('constant_u', 'constant_h', 'constant_s');
SELECT count(*) FROM pg_proc WHERE proname = 'constant_f';
DROP VIEW constant_v;
DROP FUNCTION constant_g(), constant_f();
DROP TABLE constant_t, constant_l;
