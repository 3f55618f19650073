-- Whatever statement writes a field, what rests in the table is sealed for the row's own tenant; what
-- cannot be sealed or was sealed for somebody else is refused.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('5e000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(tenant int) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100)::text $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
CREATE ROLE regress_write;
GRANT USAGE ON SCHEMA aegis TO regress_write;
GRANT EXECUTE ON FUNCTION aegis.reveal(aegis.sealed_text), aegis.reveal(aegis.sealed_email), probe_context(uuid, uuid, int, bigint, bigint) TO regress_write;
CREATE TABLE write_t (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id int, note aegis.sealed_text, email aegis.sealed_email,
                      PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
SELECT aegis.encrypt_column('write_t', 'note', 'write_test.note');
SELECT aegis.encrypt_column('write_t', 'email', 'write_test.email', 'aegis.sealed_email', 'email');
CREATE TABLE write_source (id int, note text, email varchar(50));
INSERT INTO write_source VALUES (20, 'from text', 'from@varchar.com'), (21, 'from text', NULL);
CREATE VIEW write_view AS SELECT * FROM write_t WITH CHECK OPTION;
CREATE FUNCTION probe_seen() RETURNS TABLE (id int, note text, email text) LANGUAGE sql AS
  $$ SELECT id, aegis.reveal(note), aegis.reveal(email) FROM public.write_t WHERE aegis.is_sealed(note) IS NOT FALSE AND tenant_id = aegis.tenant_id() ORDER BY id $$;
GRANT ALL ON write_t, write_source, write_view TO regress_write;
SET SESSION AUTHORIZATION regress_write;

-- allows: INSERT in every form
BEGIN;
SELECT probe_as(1);
INSERT INTO write_t (id, note, email) VALUES (1, 'literal', 'a@x.com');
INSERT INTO write_t (id, note, email) VALUES (2, 'two', 'b@x.com'), (3, NULL, NULL), (4, '', 'd@x.com');
INSERT INTO write_t (id, note) SELECT 5, 'select';
INSERT INTO write_t (id, note) SELECT 6, 'union' UNION ALL SELECT 7, 'union all';
INSERT INTO write_t (id, note, email) SELECT * FROM write_source;
PREPARE untyped AS INSERT INTO write_t (id, note, email) VALUES ($1, $2, $3);
EXECUTE untyped(8, 'prepared', 'h@x.com');
PREPARE typed(int, text, varchar) AS INSERT INTO write_t (id, note, email) VALUES ($1, $2, $3);
EXECUTE typed(9, 'typed', 'i@x.com');
INSERT INTO write_view (id, note) VALUES (10, 'view');
INSERT INTO write_t (id, note) VALUES (11, 'padded'::char(20)) RETURNING left(note::text, 3) AS armor, aegis.reveal(note) AS returned;
DO $$ BEGIN INSERT INTO public.write_t (id, note) VALUES (12, 'plpgsql'); END $$;
COPY write_t (id, note, email) FROM stdin;
13	copied	m@x.com
14	\N	\N
\.
SELECT * FROM probe_seen();

-- allows: UPDATE and MERGE in every form
UPDATE write_t SET note = 'set' WHERE id = 1;
UPDATE write_t SET (note, email) = (SELECT 'subselect', 'b2@x.com') WHERE id = 2;
UPDATE write_t t SET note = s.note FROM write_source s WHERE s.id = t.id + 17 AND t.id = 3;
UPDATE write_t SET note = CASE WHEN id = 4 THEN 'case' ELSE note END, email = coalesce(email, 'coalesce@x.com') WHERE id IN (4, 5);
UPDATE write_view SET note = 'through view' WHERE id = 6;
MERGE INTO write_t t USING (VALUES (7, 'merged'), (15, 'merge inserted')) v(id, note) ON t.id = v.id
  WHEN MATCHED THEN UPDATE SET note = v.note WHEN NOT MATCHED THEN INSERT (id, note) VALUES (v.id, v.note);
INSERT INTO write_t (id, note, email) VALUES (8, 'conflict', 'h2@x.com') ON CONFLICT (tenant_id, id) DO UPDATE SET note = excluded.note, email = 'literal@x.com';
SELECT * FROM probe_seen() WHERE id <= 8 OR id = 15;
COMMIT;

-- allows: an unchanged value keeps its bytes, an equal one too; a new one gets new bytes
BEGIN;
SELECT probe_as(1);
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT id, note::text AS note, email::text AS email FROM write_t;
UPDATE write_t SET email = email, note = note;
UPDATE write_t SET email = 'a@x.com', note = 'set' WHERE id = 1;
INSERT INTO write_t (id, note) VALUES (2, 'subselect') ON CONFLICT (tenant_id, id) DO UPDATE SET note = excluded.note;
SELECT count(*) AS rows, count(*) FILTER (WHERE t.note::text IS NOT DISTINCT FROM b.note AND t.email::text IS NOT DISTINCT FROM b.email) AS same
  FROM write_t t JOIN before b USING (id);
UPDATE write_t SET note = 'sett', email = 'A@x.com' WHERE id = 1;
SELECT t.note::text = b.note AS note, t.email::text = b.email AS email FROM write_t t JOIN before b USING (id) WHERE id = 1;
ROLLBACK;

-- refuses the comparison to those who may not read: bytes change even when the plaintext is equal
RESET SESSION AUTHORIZATION;
SELECT aegis.set_reveal_policy('write_test.note', 4::smallint, 'masked');
SET SESSION AUTHORIZATION regress_write;
BEGIN;
SELECT probe_as(1);
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT id, note::text AS note FROM write_t;
UPDATE write_t SET note = 'set' WHERE id = 1;
SELECT t.note::text = b.note AS same FROM write_t t JOIN before b USING (id) WHERE id = 1;
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT aegis.set_reveal_policy('write_test.note', 4::smallint, 'full');

-- allows: sealing for the row's tenant, whoever writes; moving to another tenant by sealing anew
INSERT INTO write_t (tenant_id, id, note) VALUES (probe_tenant(2), 1, 'of tenant 2');
SELECT aegis.is_sealed_for(note, f.reference, tenant_id) AS own FROM write_t, aegis.field f WHERE f.name = 'write_test.note' AND tenant_id = probe_tenant(2);

-- refuses: a row without a tenant; another tenant's, another field's and changed envelopes
INSERT INTO write_t (id, note) VALUES (30, 'x');
UPDATE write_t SET tenant_id = probe_tenant(2), id = 31 WHERE id = 1 AND tenant_id = probe_tenant(1);
INSERT INTO write_t (tenant_id, id, note) SELECT probe_tenant(1), 32, note FROM write_t WHERE tenant_id = probe_tenant(2);
UPDATE write_t SET note = email::text::aegis.sealed_text WHERE id = 1 AND tenant_id = probe_tenant(1);
INSERT INTO write_t (tenant_id, id, note) SELECT tenant_id, 33, ('A1.' || rtrim(translate(encode(set_byte(b, 70, get_byte(b, 70) # 1), 'base64'), E'+/\n', '-_'), '='))::aegis.sealed_text
  FROM (SELECT tenant_id, aegis.sealed_text_send(note) AS b FROM write_t WHERE tenant_id = probe_tenant(2)) x;
-- allows: the same field's envelope of the same tenant
INSERT INTO write_t (tenant_id, id, note) SELECT tenant_id, 34, note::text::aegis.sealed_text FROM write_t WHERE tenant_id = probe_tenant(2) AND id = 1;

-- refuses: malformed and overlong searchable values, without printing them
INSERT INTO write_t (tenant_id, id, email) VALUES (probe_tenant(1), 40, 'no address');
INSERT INTO write_t (tenant_id, id, email) VALUES (probe_tenant(1), 40, repeat('x', 1000) || '@x.com');

-- refuses: at rest by the constraint what the trigger did not see
\set VERBOSITY sqlstate
CREATE FUNCTION probe_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'late'; RETURN NEW; END $$;
CREATE TRIGGER zzzz_late BEFORE INSERT ON write_t FOR EACH ROW EXECUTE FUNCTION probe_late();
INSERT INTO write_t (tenant_id, id, note) VALUES (probe_tenant(1), 41, 'x');
DROP TRIGGER zzzz_late ON write_t;
DROP FUNCTION probe_late();
SET session_replication_role = replica;
INSERT INTO write_t (tenant_id, id, note) VALUES (probe_tenant(1), 41, 'x');
RESET session_replication_role;
ALTER TABLE write_t DISABLE TRIGGER zzz_aegis_seal;
INSERT INTO write_t (tenant_id, id, note) VALUES (probe_tenant(1), 41, 'x');
INSERT INTO write_t (tenant_id, id, note) SELECT probe_tenant(1), 41, note FROM write_t WHERE tenant_id = probe_tenant(2) AND id = 1;
ALTER TABLE write_t ENABLE TRIGGER zzz_aegis_seal;
\set VERBOSITY terse
-- refuses: a sealed column that is no field, in a table that has the trigger
ALTER TABLE write_t ADD COLUMN extra aegis.sealed_text;
INSERT INTO write_t (tenant_id, id, extra) VALUES (probe_tenant(1), 42, 'x');
ALTER TABLE write_t DROP COLUMN extra;

-- survives: a failing row prints no plaintext
CREATE FUNCTION pg_temp.failing() RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
  INSERT INTO public.write_t (tenant_id, id, note) VALUES (public.probe_tenant(1), NULL, 'secretword');
EXCEPTION WHEN not_null_violation THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RETURN CASE WHEN d LIKE '%secretword%' THEN 'plaintext' WHEN d LIKE '%A1.%' THEN 'armor' ELSE d END;
END $$;
SELECT pg_temp.failing();

-- survives: armor that was read out goes back in as the same bytes, as in a restore, without a trigger
CREATE TEMP TABLE copied (tenant_id uuid, id int, note text, email text);
INSERT INTO copied SELECT tenant_id, id, note, email FROM write_t;
CREATE TABLE write_copy (LIKE write_t INCLUDING ALL);
INSERT INTO write_copy SELECT tenant_id, id, note::aegis.sealed_text, email::aegis.sealed_email FROM copied;
SELECT count(*) AS rows, count(*) FILTER (WHERE c.note::text IS DISTINCT FROM t.note::text OR c.email::text IS DISTINCT FROM t.email::text) AS differ
  FROM write_t t JOIN write_copy c USING (tenant_id, id);

-- allows: partitions: sealing through the parent and directly, also where columns lie elsewhere
CREATE TABLE write_p (tenant_id uuid NOT NULL, id int, note aegis.sealed_text) PARTITION BY RANGE (id);
CREATE TABLE write_p1 PARTITION OF write_p FOR VALUES FROM (0) TO (10);
SELECT aegis.encrypt_column('write_p', 'note', 'write_test.partitioned');
CREATE TABLE write_p2 (gone int, note aegis.sealed_text, id int, tenant_id uuid NOT NULL);
ALTER TABLE write_p2 DROP COLUMN gone;
ALTER TABLE write_p2 ADD CONSTRAINT note_sealed CHECK (aegis.is_sealed_for(note, '0'::bigint, tenant_id));
ALTER TABLE write_p ATTACH PARTITION write_p2 FOR VALUES FROM (10) TO (20);
DO $$ BEGIN
  EXECUTE format('ALTER TABLE public.write_p2 DROP CONSTRAINT note_sealed, ADD CONSTRAINT note_sealed CHECK (aegis.is_sealed_for(note, %L::bigint, tenant_id))',
                 (SELECT reference FROM aegis.field WHERE name = 'write_test.partitioned'));
END $$;
ALTER TABLE write_p ATTACH PARTITION write_p2 FOR VALUES FROM (10) TO (20);
INSERT INTO write_p VALUES (probe_tenant(1), 1, 'one'), (probe_tenant(1), 11, 'eleven');
INSERT INTO write_p1 VALUES (probe_tenant(1), 2, 'leaf');
UPDATE write_p SET id = 12, note = 'moved' WHERE id = 2;
SELECT tableoid::regclass, id, aegis.is_sealed(note) FROM write_p ORDER BY id;

DROP TABLE write_t, write_copy, write_source, write_p CASCADE;
DELETE FROM aegis.field WHERE name LIKE 'write_test.%';
DROP FUNCTION pg_temp.failing(), probe_seen();
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
DROP OWNED BY regress_write;
DROP ROLE regress_write;
