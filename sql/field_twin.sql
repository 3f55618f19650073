-- What keeps the twin of a column serves conversions alone: constraints and triggers of anybody's making open no value, show no
-- system column and end no server; expressions, operators and names of a table's owner get nobody else's rights.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('61000000-0000-4000-8000-00000000000' || $1)::uuid $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
CREATE ROLE regress_maker;
CREATE ROLE regress_asker;
GRANT aegis_operator TO regress_asker;
GRANT USAGE ON SCHEMA aegis TO regress_maker, regress_asker;
CREATE SCHEMA maker AUTHORIZATION regress_maker;
CREATE SCHEMA asker AUTHORIZATION regress_asker;

CREATE TABLE twin_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, note aegis.sealed_text);
SELECT aegis.encrypt_column('twin_t', 'note', 'twin_test.note');
INSERT INTO twin_t SELECT probe_tenant(i), i, 'a secret of ' || i FROM generate_series(1, 2) i;
SELECT reference FROM aegis.field WHERE name = 'twin_test.note' \gset
GRANT SELECT ON twin_t TO regress_maker, regress_asker;

-- refuses: a twin in a table of one's own, which would be the plaintext
SET ROLE regress_maker;
CREATE TABLE maker.p (tenant_id uuid, c aegis.sealed_text, plain text, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id)), CHECK (aegis.is_twin(c, plain)));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON maker.p FOR EACH ROW EXECUTE FUNCTION aegis.keep_twin();
INSERT INTO maker.p SELECT tenant_id, note FROM twin_t;
-- ... or tell whether a guess is right
CREATE TABLE maker.guess (tenant_id uuid, plain text, c aegis.sealed_text, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id)), CHECK (aegis.is_twin(plain, c)));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON maker.guess FOR EACH ROW EXECUTE FUNCTION aegis.keep_twin();
INSERT INTO maker.guess SELECT tenant_id, 'a secret of 1', note FROM twin_t;

-- refuses: columns of other types, system columns and whole rows, which are no twins
CREATE TABLE maker.n (tenant_id uuid, c aegis.sealed_text, n int, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id)), CHECK (aegis.is_twin(c, n)), CHECK (aegis.is_twin(n, c)));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON maker.n FOR EACH ROW EXECUTE FUNCTION aegis.keep_twin();
INSERT INTO maker.n SELECT tenant_id, note, 7 FROM twin_t WHERE id = 1;
CREATE TABLE maker.s (tenant_id uuid, c aegis.sealed_text, n int, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id)), CHECK (aegis.is_twin(c, tableoid)), CHECK (aegis.is_twin(s, c)), CHECK (aegis.is_twin(c, c)));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON maker.s FOR EACH ROW EXECUTE FUNCTION aegis.keep_twin();
INSERT INTO maker.s SELECT tenant_id, note, 7 FROM twin_t WHERE id = 1;
CREATE TABLE maker.b (tenant_id uuid, c aegis.sealed_text, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id, tableoid)));
CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON maker.b FOR EACH ROW EXECUTE FUNCTION aegis.seal_row();
INSERT INTO maker.b SELECT tenant_id, note FROM twin_t;
RESET ROLE;

-- refuses: decryption by a table that merely names the field
SELECT aegis.set_reveal_policy('twin_test.note', 0::smallint, 'full');
SET ROLE regress_asker;
CREATE TABLE asker.c (tenant_id uuid, c aegis.sealed_text, CHECK (aegis.is_sealed_for(c, :'reference', tenant_id)));
INSERT INTO asker.c SELECT tenant_id, note FROM twin_t;
SELECT aegis.decrypt_column('asker.c', 'c', 'to read it');
SELECT count(*) AS sealed FROM asker.c WHERE c::text LIKE 'A1.%';

-- refuses: operators of the caller's search_path, which would run as the owner of the extension
CREATE TABLE asker.seen (who name);
GRANT USAGE ON SCHEMA asker TO PUBLIC;
GRANT INSERT ON asker.seen TO PUBLIC;
CREATE TABLE asker.t (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text);
CREATE FUNCTION asker.same(regclass, regclass) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO asker.seen VALUES (current_user); RETURN $1::oid OPERATOR(pg_catalog.=) $2::oid; END $$;
CREATE OPERATOR asker.= (LEFTARG = regclass, RIGHTARG = regclass, FUNCTION = asker.same);
SET search_path = asker, pg_catalog;
CALL aegis.encrypt_column_online('asker.t', 'email', 'twin_test.asked', pages => 200, converted => NULL, locked => NULL) \gset
SELECT aegis.audit_table('asker.t');
SELECT aegis.unaudit_table('asker.t');
RESET search_path;
SELECT count(*) AS calls FROM asker.seen;
RESET ROLE;

-- refuses: a superuser's rights for an expression of an index
SET ROLE regress_maker;
CREATE TABLE maker.i (tenant_id uuid NOT NULL, id int, email text, wide text);
CREATE TABLE maker.seen (who name);
CREATE FUNCTION maker.see() RETURNS void LANGUAGE sql AS $$ INSERT INTO maker.seen VALUES (current_user) $$;
CREATE FUNCTION maker.note(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM maker.see(); RETURN $1; END $$;
CREATE INDEX ON maker.i (maker.note(id));
RESET ROLE;
INSERT INTO maker.i SELECT probe_tenant(1), i, 'user' || i || '@example.com', repeat('x', 1000) FROM generate_series(1, 50) i;
DELETE FROM maker.seen;
CALL aegis.encrypt_column_online('maker.i', 'email', 'twin_test.index', pages => 200, converted => NULL, locked => NULL) \gset
SELECT DISTINCT who FROM maker.seen;

-- refuses: a trigger after the twin's, whose change the twin would not have
CREATE TABLE twin_late (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text);
CREATE FUNCTION lower_email() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email = lower(NEW.email); RETURN NEW; END $$;
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON twin_late FOR EACH ROW EXECUTE FUNCTION lower_email();
SELECT * FROM aegis.conversion_findings('twin_late', 'email', 'aegis.sealed_email');
ALTER TRIGGER zzzz ON twin_late RENAME TO before_twin;
SELECT * FROM aegis.conversion_findings('twin_late', 'email', 'aegis.sealed_email');

-- survives: columns and predicates of any name, and the collations of an index's other columns
CREATE TABLE twin_names (tenant_id uuid NOT NULL, id int, "a+b" text, "c[d" text, shop text);
CREATE UNIQUE INDEX twin_predicate ON twin_names (id) WHERE "a+b" IS NOT NULL;
CREATE UNIQUE INDEX twin_collation ON twin_names (shop COLLATE "POSIX", "c[d");
SELECT * FROM aegis.conversion_findings('twin_names', 'a+b', 'aegis.sealed_keyword');
CALL aegis.encrypt_column_online('twin_names', 'c[d', 'twin_test.bracket', 'aegis.sealed_keyword', pages => 200, converted => NULL, locked => NULL) \gset
SELECT pg_get_indexdef('twin_collation'::regclass);
SELECT count(*) AS unfinished FROM aegis.conversion;

DROP TABLE twin_t, twin_late, twin_names;
DROP FUNCTION lower_email();
DROP OWNED BY regress_maker, regress_asker;
DELETE FROM aegis.field WHERE name LIKE 'twin_test.%';
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_tenant(int);
DROP ROLE regress_maker, regress_asker;
