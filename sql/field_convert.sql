-- A column is converted beside readers and writers, either way: everything in the way is said at once, no value is lost,
-- what surrounds the column stays, and an unfinished conversion goes on or is taken back by one call.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('60000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(tenant int, rank int) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '60000000-0000-4000-8000-0000000000ff', $2, 1, 100)::text $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
CREATE ROLE regress_convert;
CREATE ROLE regress_keeper;
GRANT USAGE ON SCHEMA aegis TO regress_convert, regress_keeper;
GRANT aegis_operator TO regress_keeper;
GRANT EXECUTE ON FUNCTION aegis.reveal(anyelement, record), aegis.reveal(aegis.sealed_text), aegis.reveal(aegis.sealed_email), probe_context(uuid, uuid, int, bigint, bigint) TO regress_convert;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_convert;

CREATE TABLE convert_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, email varchar(100) NOT NULL DEFAULT 'nobody@example.com', phone text, plain int,
                        CONSTRAINT one_email UNIQUE (tenant_id, email) DEFERRABLE);
CREATE INDEX by_email ON convert_t (email DESC, plain) INCLUDE (id) WITH (fillfactor = 80) WHERE plain > 0;
COMMENT ON COLUMN convert_t.email IS 'where to write to';
GRANT SELECT (email), INSERT (email) ON convert_t TO regress_convert WITH GRANT OPTION;
ALTER TABLE convert_t ALTER COLUMN email SET STATISTICS 7;
INSERT INTO convert_t SELECT probe_tenant(1 + i % 2), i, 'User' || i || '@Example.com', nullif('+49' || i, '+4910'), i % 3 FROM generate_series(1, 2000) i;
CREATE TABLE before AS SELECT * FROM convert_t;

-- refuses, everything at once: what depends on the column, and rows that cannot be sealed
CREATE VIEW convert_view AS SELECT id, email FROM convert_t;
CREATE TRIGGER on_email BEFORE UPDATE OF email ON convert_t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE convert_t ADD CONSTRAINT short CHECK (length(email) < 90), ADD COLUMN low text GENERATED ALWAYS AS (lower(email)) STORED;
CREATE INDEX by_lower ON convert_t (lower(email));
CREATE STATISTICS convert_s ON email, plain FROM convert_t;
INSERT INTO convert_t VALUES (probe_tenant(1), 3001, 'no address'), (probe_tenant(3), 3002, 'a@b.c');
SELECT * FROM aegis.conversion_findings('convert_t', 'email', 'aegis.sealed_email') ORDER BY problem COLLATE "C";
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email', 'aegis.sealed_email', 'email');
SELECT count(*) FROM aegis.field WHERE name LIKE 'convert_test.%';
DROP VIEW convert_view;
DROP TRIGGER on_email ON convert_t;
ALTER TABLE convert_t DROP CONSTRAINT short, DROP COLUMN low;
DROP INDEX by_lower;
DROP STATISTICS convert_s;
DELETE FROM convert_t WHERE id > 3000;
SELECT aegis.audit_table('convert_t');

-- refuses: calls that mean nothing, everybody else, a transaction block
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email', 'aegis.sealed_email', 'email', pages => 0);
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email', NULL);
BEGIN; CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email'); ROLLBACK;
SET ROLE regress_convert;
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email');
RESET ROLE;
SET ROLE regress_keeper;
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email');
SELECT aegis.undo_conversion('convert_t', 'email');
RESET ROLE;

-- allows: the conversion of a column with all that is around it
CALL aegis.encrypt_column_online('convert_t', 'email', 'convert_test.email', 'aegis.sealed_email', 'email', pages => 3, locked => NULL, converted => NULL) \gset
SELECT :converted AS converted, :'locked'::interval < '10 s' AS locked;
CALL aegis.encrypt_column_online('convert_t', 'phone', 'convert_test.phone', mask => 'last4') \gset
SELECT :converted AS converted;
\d convert_t
SELECT col_description('convert_t'::regclass, attnum) AS comment, attstattarget, attacl::text LIKE '%regress_convert=a*r*/%' AS granted FROM pg_attribute WHERE attrelid = 'convert_t'::regclass AND attname = 'email';
SELECT count(*) AS conversions FROM aegis.conversion;
SET SESSION AUTHORIZATION regress_convert;
BEGIN; SELECT probe_as(1, 4);
SELECT count(*) AS rows, count(*) FILTER (WHERE aegis.reveal(t.email) = b.email AND aegis.reveal(t.phone) IS NOT DISTINCT FROM b.phone) AS same FROM convert_t t JOIN before b USING (id) WHERE t.tenant_id = probe_tenant(1);
SELECT id FROM convert_t WHERE email = 'user8@example.com';
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT outcome, sum(items) FROM aegis.verify_fields('convert_t') GROUP BY 1;
SELECT finding FROM aegis.coverage() WHERE object LIKE '%convert_t%' AND finding LIKE 'sealed%';

-- allows: the same call again, which says so
SET client_min_messages = notice;
CALL aegis.encrypt_column_online('convert_t', 'phone', 'convert_test.phone', mask => 'last4') \gset
SET client_min_messages = warning;

-- survives: an interruption in any place. Here an index of its unique constraint cannot be built.
CREATE TABLE convert_u (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text, UNIQUE (tenant_id, email));
INSERT INTO convert_u SELECT probe_tenant(1), i, 'u' || i || '@example.com' FROM generate_series(1, 300) i;
-- A predicate that fails where indexes are built beside writers, and nowhere else.
CREATE TABLE convert_stops (stops boolean);
INSERT INTO convert_stops VALUES (true);
GRANT SELECT ON convert_stops TO PUBLIC;
CREATE FUNCTION convert_goes(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF (SELECT stops FROM public.convert_stops)
     AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid() AND a.backend_type = 'aegis index builder') THEN
    RAISE EXCEPTION 'stopped in the midst';
  END IF;
  RETURN true;
END $$;
CREATE INDEX convert_going ON convert_u (email) WHERE convert_goes(id);
CALL aegis.encrypt_column_online('convert_u', 'email', 'convert_test.u', 'aegis.sealed_email', 'email', pages => 1);
SELECT field, relation, "column", direction, state, rows_done FROM aegis.conversion_progress();
SELECT severity, object, finding, fix FROM aegis.coverage() WHERE finding = 'conversion-unfinished' OR finding LIKE 'sealed%' AND object LIKE '%convert_u%';
-- Readers see the plain column, writers keep the twin, in every form.
INSERT INTO convert_u VALUES (probe_tenant(1), 400, 'new@example.com'), (probe_tenant(2), 401, NULL);
UPDATE convert_u SET email = 'changed@example.com' WHERE id = 2;
UPDATE convert_u SET email = NULL WHERE id = 3;
UPDATE convert_u SET tenant_id = probe_tenant(2) WHERE id = 4;
UPDATE convert_u SET email_aegis_twin = 'forged@example.com' WHERE id = 5;
UPDATE convert_u SET email_aegis_twin = NULL WHERE id = 6;
SET session_replication_role = replica;
UPDATE convert_u SET email = 'replica@example.com' WHERE id = 7;
RESET session_replication_role;
INSERT INTO convert_u VALUES (probe_tenant(1), 402, 'no address');
INSERT INTO convert_u VALUES (probe_tenant(3), 403, 'no@key.example');
SET SESSION AUTHORIZATION regress_convert;
BEGIN; SELECT probe_as(1, 4);
SELECT id, email, aegis.reveal(email_aegis_twin) AS twin FROM convert_u WHERE tenant_id = probe_tenant(1) AND (id BETWEEN 2 AND 7 OR id >= 400) ORDER BY id;
COMMIT;
RESET SESSION AUTHORIZATION;
-- Another conversion of it, and its one-statement form, are refused meanwhile.
CALL aegis.encrypt_column_online('convert_u', 'email', 'convert_test.other');
SELECT aegis.encrypt_column('convert_u', 'email', 'convert_test.u', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('convert_u', 'email', 'convert_test.other');
-- Renamed, with a new index, a trigger that was off and on again: the same call goes on under the new names.
ALTER TABLE convert_u RENAME TO convert_v;
CREATE INDEX late ON convert_v (email);
ALTER TABLE convert_v DISABLE TRIGGER zzz_aegis_twin;
UPDATE convert_v SET email = 'unseen@example.com' WHERE id = 8;
CALL aegis.encrypt_column_online('convert_v', 'email', 'convert_test.u', 'aegis.sealed_email', 'email');
ALTER TABLE convert_v ENABLE ALWAYS TRIGGER zzz_aegis_twin;
UPDATE convert_stops SET stops = false;
CALL aegis.encrypt_column_online('convert_v', 'email', 'convert_test.u', 'aegis.sealed_email', 'email') \gset
\d convert_v
SET SESSION AUTHORIZATION regress_convert;
BEGIN; SELECT probe_as(1, 4);
SELECT id, aegis.reveal(email) FROM convert_v WHERE tenant_id = probe_tenant(1) AND (id BETWEEN 2 AND 8 OR id >= 400) ORDER BY id;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT outcome, sum(items) FROM aegis.verify_fields('convert_v') GROUP BY 1;

-- refuses: values that differ and are the same to the type, where an index is unique; before anything is changed, and without showing them
CREATE TABLE convert_c (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text, phone varchar(20), kind text, UNIQUE (tenant_id, email));
CREATE UNIQUE INDEX convert_c_kind ON convert_c (tenant_id, kind, email);
CREATE UNIQUE INDEX convert_c_some ON convert_c (email) WHERE id > 100;
CREATE UNIQUE INDEX convert_c_nulls ON convert_c (tenant_id, phone, kind) NULLS NOT DISTINCT;
CREATE INDEX convert_c_plain ON convert_c (email);
CREATE UNIQUE INDEX convert_c_id ON convert_c (id) INCLUDE (email);
INSERT INTO convert_c VALUES (probe_tenant(1), 1, 'ann@example.com', '+49 171 234567', 'a'), (probe_tenant(1), 2, 'Ann@example.com ', '+49 171-234567', 'b'),
  (probe_tenant(1), 3, 'ANN@example.com', '+49171 2345678', NULL), (probe_tenant(2), 4, 'ann@example.com ', '+49171234567', 'a'), (probe_tenant(1), 5, NULL, '+49-171-2345678', NULL),
  (probe_tenant(1), 6, 'bob@example.com', NULL, 'a'), (probe_tenant(1), 7, 'no address', NULL, 'b'), (probe_tenant(1), 8, 'No address', NULL, 'c');
SELECT problem, fix FROM aegis.conversion_findings('convert_c', 'email', 'aegis.sealed_email', confirm_low_entropy => true) ORDER BY 1;
SELECT problem, fix FROM aegis.conversion_findings('convert_c', 'phone', 'aegis.sealed_phone', confirm_low_entropy => true) ORDER BY 1;
SELECT problem FROM aegis.conversion_findings('convert_c', 'email', 'aegis.sealed_keyword', confirm_low_entropy => true);
SELECT problem FROM aegis.conversion_findings('convert_c', 'email', 'aegis.sealed_text') ORDER BY 1;
\set VERBOSITY default
CALL aegis.encrypt_column_online('convert_c', 'email', 'convert_test.c', 'aegis.sealed_email', confirm_low_entropy => true);
\set VERBOSITY terse
SELECT count(*) AS twins FROM pg_attribute WHERE attrelid = 'convert_c'::regclass AND attname LIKE '%twin';
DELETE FROM convert_c WHERE id IN (2, 3, 7, 8);
CALL aegis.encrypt_column_online('convert_c', 'email', 'convert_test.c', 'aegis.sealed_email', confirm_low_entropy => true) \gset
SELECT :converted AS converted;
-- A predicate runs with the rights of the table's owner.
CREATE FUNCTION convert_who(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN IF current_user = 'regress_keeper' THEN RETURN true; END IF; RAISE EXCEPTION 'with the rights of %', current_user; END $$;
CREATE TABLE convert_d (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text);
GRANT EXECUTE ON FUNCTION convert_who(int) TO PUBLIC;
ALTER TABLE convert_d OWNER TO regress_keeper;
CREATE UNIQUE INDEX ON convert_d (tenant_id, email) WHERE convert_who(id);
SET ROLE regress_keeper;
INSERT INTO convert_d VALUES (probe_tenant(1), 1, 'd@example.com'), (probe_tenant(1), 2, 'D@example.com');
RESET ROLE;
SELECT problem FROM aegis.conversion_findings('convert_d', 'email', 'aegis.sealed_email');
DROP TABLE convert_c, convert_d;
DROP FUNCTION convert_who(int);

-- survives: its column, and the one that names the person, get other names in the midst, either way
CREATE TABLE convert_r (tenant_id uuid NOT NULL, id int PRIMARY KEY, mail text NOT NULL, person int NOT NULL, UNIQUE (tenant_id, mail));
INSERT INTO convert_r SELECT probe_tenant(1), i, 'r' || i || '@example.com', i FROM generate_series(1, 20) i;
INSERT INTO convert_r VALUES (probe_tenant(1), 21, 'r21@example.com', 21);
CREATE INDEX convert_r_going ON convert_r (mail) WHERE convert_goes(id);
UPDATE convert_stops SET stops = true;
CALL aegis.encrypt_column_online('convert_r', 'mail', 'convert_test.r', 'aegis.sealed_email', 'email', subject => 'person');
ALTER TABLE convert_r RENAME mail TO address;
ALTER TABLE convert_r RENAME person TO whose;
INSERT INTO convert_r VALUES (probe_tenant(1), 22, 'r22@example.com', 22);
DELETE FROM convert_r WHERE id = 21;
-- Its twin, which could not be built, goes with it.
DROP INDEX convert_r_going;
SELECT fix FROM aegis.coverage() WHERE finding = 'conversion-unfinished';
CALL aegis.encrypt_column_online('convert_r', 'address', 'convert_test.r', 'aegis.sealed_email', 'email', subject => 'id');
CALL aegis.encrypt_column_online('convert_r', 'whose', 'convert_test.r', 'aegis.sealed_email', 'email', subject => 'whose');
CALL aegis.encrypt_column_online('convert_r', 'address', 'convert_test.r', 'aegis.sealed_email', 'email', subject => 'whose') \gset
SELECT column_name, subject_column FROM aegis.field WHERE name = 'convert_test.r';
SELECT outcome, sum(items) FROM aegis.verify_fields('convert_r') GROUP BY 1;
SELECT finding FROM aegis.coverage() WHERE object LIKE '%convert_r%' AND finding LIKE 'sealed%';
\d convert_r
SELECT aegis.set_reveal_policy('convert_test.r', 0::smallint, 'full');
CREATE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stopped in the midst'; END $$;
CREATE TRIGGER failing BEFORE UPDATE ON aegis.conversion FOR EACH ROW WHEN (NEW.state = 'indexes') EXECUTE FUNCTION failing();
CALL aegis.decrypt_column_online('convert_r', 'address', 'test');
DROP TRIGGER failing ON aegis.conversion;
DROP FUNCTION failing();
ALTER TABLE convert_r RENAME address TO mail;
CALL aegis.decrypt_column_online('convert_r', 'mail', 'test') \gset
SELECT count(*), min(mail) FROM convert_r;
DROP TABLE convert_r;

-- survives: an undo leaves nothing behind, and all can begin again
CREATE TABLE convert_w (tenant_id uuid NOT NULL, id int PRIMARY KEY, email text UNIQUE);
INSERT INTO convert_w VALUES (probe_tenant(1), 1, 'x@example.com'), (probe_tenant(1), 2, 'y@example.com');
CREATE INDEX convert_w_going ON convert_w (email) WHERE convert_goes(id);
CALL aegis.encrypt_column_online('convert_w', 'email', 'convert_test.w', 'aegis.sealed_email');
SELECT aegis.undo_conversion('convert_w', 'email');
\d convert_w
SELECT count(*) FROM aegis.field WHERE name = 'convert_test.w';
SELECT aegis.undo_conversion('convert_w', 'email');
CALL aegis.encrypt_column_online('convert_w', 'email', 'convert_test.w') \gset
ALTER TABLE convert_w DROP CONSTRAINT convert_w_email_key;
DROP INDEX convert_w_going;
CALL aegis.encrypt_column_online('convert_w', 'email', 'convert_test.w') \gset
SELECT bool_and(aegis.is_sealed(email)) FROM convert_w;

-- allows: partitions, with what is unique over them
CREATE TABLE convert_p (tenant_id uuid NOT NULL, id int, email text, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email)) PARTITION BY LIST (tenant_id);
CREATE TABLE convert_p1 PARTITION OF convert_p FOR VALUES IN ('60000000-0000-4000-8000-000000000001');
CREATE TABLE convert_p2 PARTITION OF convert_p DEFAULT;
CREATE INDEX ON convert_p (email);
INSERT INTO convert_p SELECT probe_tenant(1 + i % 2), i, 'p' || i || '@example.com' FROM generate_series(1, 500) i;
CALL aegis.encrypt_column_online('convert_p1', 'email', 'convert_test.p', 'aegis.sealed_email');
-- refuses: what only a partition has on the column, which would go with it
CREATE INDEX convert_own ON convert_p1 (email);
ALTER TABLE convert_p2 ADD CONSTRAINT convert_p_own CHECK (email <> '');
CREATE VIEW convert_p_view AS SELECT email FROM convert_p2;
SELECT * FROM aegis.conversion_findings('convert_p', 'email', 'aegis.sealed_email') ORDER BY problem COLLATE "C";
DROP INDEX convert_own;
ALTER TABLE convert_p2 DROP CONSTRAINT convert_p_own;
DROP VIEW convert_p_view;
CALL aegis.encrypt_column_online('convert_p', 'email', 'convert_test.p', 'aegis.sealed_email', pages => 1) \gset
SELECT :converted AS converted;
\d convert_p
\d convert_p1
SELECT outcome, sum(items) FROM aegis.verify_fields('convert_p') GROUP BY 1;

-- allows: a protected table, whose owner sees no row of it
CREATE TABLE convert_q (tenant_id uuid, id int, email text, PRIMARY KEY (tenant_id, id));
ALTER TABLE convert_q OWNER TO regress_keeper;
SELECT aegis.protect_table('convert_q', team => false);
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger of the table fired'; END $$;
INSERT INTO convert_q (tenant_id, id, email, created_by) VALUES (probe_tenant(1), 1, 'q@example.com', probe_tenant(9));
CREATE TRIGGER touched BEFORE UPDATE ON convert_q FOR EACH ROW EXECUTE FUNCTION touched();
SET ROLE regress_keeper;
CALL aegis.encrypt_column_online('convert_q', 'email', 'convert_test.q', 'aegis.sealed_email') \gset
SELECT :converted AS converted;
RESET ROLE;

-- allows: every plain type, either way, with what only they have: null bytes, order of keys, scale, NaN, infinity, moments of any zone
CREATE TABLE convert_y (tenant_id uuid NOT NULL, id int PRIMARY KEY, b bytea, j jsonb, n numeric, d date, m timestamptz);
INSERT INTO convert_y VALUES
  (probe_tenant(1), 1, '\x00a1ff00', '{"b": [1, 2.50, null], "a": {"c": "ü"}}', 1.50, '1984-05-23', '2024-02-29 12:00:00.123456+05:30'),
  (probe_tenant(2), 2, '', 'null', 'NaN', 'infinity', '-infinity'),
  (probe_tenant(1), 3, '\x41312e', '"A1."', -123456789012345678901234567890.000, '0044-03-15 BC', '0001-01-01 00:00:00+00 BC'),
  (probe_tenant(1), 4, NULL, NULL, NULL, NULL, NULL);
INSERT INTO convert_y SELECT probe_tenant(1 + i % 2), i, sha256(i::text::bytea), jsonb_build_object('i', i), i / 7.0, date '2000-01-01' + i, timestamptz '2000-01-01 00:00+00' + i * interval '1 hour' FROM generate_series(5, 500) i;
CREATE TABLE before_y AS SELECT * FROM convert_y;
CALL aegis.encrypt_column_online('convert_y', 'b', 'convert_test.b', 'aegis.sealed_bytea', pages => 1, converted => NULL, locked => NULL) \gset b_
CALL aegis.encrypt_column_online('convert_y', 'j', 'convert_test.j', 'aegis.sealed_jsonb', pages => 1) \gset j_
CALL aegis.encrypt_column_online('convert_y', 'n', 'convert_test.n', 'aegis.sealed_numeric', pages => 1) \gset n_
CALL aegis.encrypt_column_online('convert_y', 'd', 'convert_test.d', 'aegis.sealed_date', 'year', pages => 1) \gset d_
CALL aegis.encrypt_column_online('convert_y', 'm', 'convert_test.m', 'aegis.sealed_timestamptz', pages => 1) \gset m_
SELECT :b_converted AS b, :j_converted AS j, :n_converted AS n, :d_converted AS d, :m_converted AS m;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'convert_y'::regclass AND attnum > 2 AND NOT attisdropped ORDER BY attnum;
SELECT outcome, sum(items) FROM aegis.verify_fields('convert_y') GROUP BY 1;
SELECT count(*) AS sealed FROM convert_y WHERE aegis.is_sealed(b) AND aegis.is_sealed(j) AND aegis.is_sealed(n) AND aegis.is_sealed(d) AND aegis.is_sealed(m);
CALL aegis.encrypt_column_online('before_y', 'id', 'convert_test.id', 'aegis.sealed_numeric');
SELECT aegis.set_reveal_policy('convert_test.' || f, 0::smallint, 'full') FROM unnest(ARRAY['b', 'j', 'n', 'd', 'm']) f;
SET TimeZone = 'Asia/Kathmandu';
CALL aegis.decrypt_column_online('convert_y', 'b', 'test', pages => 1) \gset b_
CALL aegis.decrypt_column_online('convert_y', 'j', 'test', pages => 1) \gset j_
CALL aegis.decrypt_column_online('convert_y', 'n', 'test', pages => 1) \gset n_
CALL aegis.decrypt_column_online('convert_y', 'd', 'test', pages => 1) \gset d_
CALL aegis.decrypt_column_online('convert_y', 'm', 'test', pages => 1) \gset m_
RESET TimeZone;
SELECT :b_converted AS b, :j_converted AS j, :n_converted AS n, :d_converted AS d, :m_converted AS m;
SELECT count(*) AS rows, count(*) FILTER (WHERE (t.b, t.j, t.d, t.m) IS NOT DISTINCT FROM (o.b, o.j, o.d, o.m) AND t.n::text IS NOT DISTINCT FROM o.n::text) AS same FROM convert_y t FULL JOIN before_y o USING (tenant_id, id);
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'convert_y'::regclass AND attnum > 2 AND NOT attisdropped ORDER BY attnum;
DROP TABLE convert_y, before_y;

-- allows: values of a person and of their row
CREATE TABLE convert_s (tenant_id uuid NOT NULL, id int PRIMARY KEY, person int, iban text);
INSERT INTO convert_s VALUES (probe_tenant(1), 1, 7, 'DE01'), (probe_tenant(1), 2, 8, 'DE02'), (probe_tenant(1), 3, NULL, 'DE03'), (probe_tenant(1), 4, NULL, NULL);
SELECT * FROM aegis.conversion_findings('convert_s', 'iban', 'aegis.sealed_text', subject => 'person');
UPDATE convert_s SET iban = NULL WHERE id = 3;
BEGIN;
ALTER TABLE convert_s ADD CONSTRAINT odd CHECK (iban <> 'x');
COMMIT;
CALL aegis.encrypt_column_online('convert_s', 'iban', 'convert_test.s', subject => 'person', row_bound => true);
ALTER TABLE convert_s DROP CONSTRAINT odd;
CALL aegis.encrypt_column_online('convert_s', 'iban', 'convert_test.s', subject => 'person', row_bound => true) \gset
SELECT :converted AS converted;
\d convert_s
SET SESSION AUTHORIZATION regress_convert;
BEGIN; SELECT probe_as(1, 4);
SELECT id, aegis.reveal(s.iban, s) FROM convert_s s ORDER BY id;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT aegis.set_reveal_policy('convert_test.s', 0::smallint, 'full');
SELECT aegis.decrypt_column('convert_s', 'iban', 'test');
SELECT * FROM convert_s ORDER BY id;

-- the inverse: refuses who may not read, and a call without a reason
SELECT aegis.decrypt_column('convert_q', 'email', 'test');
SELECT aegis.set_reveal_policy('convert_test.q', 0::smallint, 'full');
SELECT aegis.decrypt_column('convert_q', 'email', '  ');
SELECT aegis.decrypt_column('before', 'email', 'test');
SELECT aegis.decrypt_column('convert_q', 'none', 'test');
SELECT aegis.set_reveal_policy('convert_test.q', 'regress_keeper'::regrole, 'masked');
SET SESSION AUTHORIZATION regress_keeper;
SELECT aegis.decrypt_column('convert_q', 'email', 'test');
RESET SESSION AUTHORIZATION;
SELECT aegis.set_reveal_policy('convert_test.q', 'regress_keeper'::regrole, 'full');

-- the inverse: allows its owner, in one transaction, and leaves nothing behind
SET ROLE regress_keeper;
SELECT aegis.decrypt_column('convert_q', 'email', 'the field was encrypted by mistake');
RESET ROLE;
SELECT id, email, pg_typeof(email) FROM convert_q;
SELECT count(*) FROM aegis.field WHERE name = 'convert_test.q';
SELECT tgname FROM pg_trigger WHERE tgrelid = 'convert_q'::regclass AND tgname LIKE 'zzz%';
SELECT conname FROM pg_constraint WHERE conrelid = 'convert_q'::regclass AND contype = 'c';
CALL aegis.encrypt_column_online('convert_q', 'email', 'convert_test.q', 'aegis.sealed_email') \gset
SELECT aegis.is_sealed(email) FROM convert_q;

-- the inverse: allows a large table, one of its two fields
SELECT aegis.set_reveal_policy('convert_test.email', 0::smallint, 'full');
SELECT aegis.set_reveal_policy('convert_test.phone', 0::smallint, 'full');
CALL aegis.decrypt_column_online('convert_t', 'email', 'test', pages => 2) \gset
SELECT :converted AS converted;
\d convert_t
SELECT count(*) FROM convert_t t JOIN before b USING (id, email);
SELECT aegis.decrypt_column('convert_t', 'phone', 'test');
\d convert_t
SELECT count(*) FROM convert_t t JOIN before b USING (id, email) WHERE t.phone IS NOT DISTINCT FROM b.phone;
SELECT aegis.encrypt_column('convert_t', 'phone', 'convert_test.phone', mask => 'last4');

-- the ledger tells of each, and has no entry of a row that was only converted
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT event, target_id, count(*) FROM aegis.audit_log WHERE target_id LIKE 'convert_test.%' AND event LIKE 'field.%' AND event <> 'field.policy_changed' GROUP BY event, target_id ORDER BY target_id COLLATE "C", event COLLATE "C";
SELECT count(*) FROM aegis.audit_log WHERE event = 'row.changed' AND image ->> 'relation' IN ('public.convert_t', 'public.convert_q') AND image ->> 'operation' = 'U';

DROP TABLE convert_s, convert_t, convert_v, convert_w, convert_p, before;
SELECT aegis.unprotect_table('convert_q');
DROP TABLE convert_q;
DROP FUNCTION touched(), convert_goes(int);
DROP TABLE convert_stops;
DELETE FROM aegis.field WHERE name LIKE 'convert_test.%';
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int, int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM regress_convert;
DROP OWNED BY regress_convert, regress_keeper;
DROP ROLE regress_convert, regress_keeper;
