-- A tenant's key is rotated: every later seal stands under the new epoch, a job seals the rows of every
-- table anew, nothing that the rows say changes, and the old epoch retires once no row uses it.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
CREATE FUNCTION regress_entries(VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
SELECT aegis.create_tenant('regress-reseal', 'One') AS one \gset
SELECT aegis.create_tenant('regress-reseal-other', 'Other') AS other \gset
CREATE ROLE regress_reseal LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_reseal_owner;
CREATE ROLE regress_reseal_user LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_reseal_owner, regress_reseal_user;
GRANT EXECUTE ON FUNCTION aegis.reveal(aegis.sealed_text), aegis.reveal(aegis.sealed_email) TO regress_reseal_user;
CREATE FUNCTION probe_as(tenant uuid) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context($1, '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100)::text $$;

-- a protected, audited table of an ordinary owner, one with partitions, and triggers of its own
CREATE TABLE reseal_t (tenant_id uuid NOT NULL, id int, email text, note text, plain text, touched int NOT NULL DEFAULT 0,
                       PRIMARY KEY (tenant_id, id));
ALTER TABLE reseal_t OWNER TO regress_reseal_owner;
SELECT aegis.protect_table('reseal_t');
SELECT aegis.encrypt_column('reseal_t', 'email', 'reseal_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('reseal_t', 'note', 'reseal_test.note');
CREATE UNIQUE INDEX ON reseal_t (tenant_id, email);
GRANT SELECT, UPDATE ON reseal_t TO regress_reseal_user;
CREATE FUNCTION regress_touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON reseal_t FOR EACH ROW EXECUTE FUNCTION regress_touch();
CREATE TABLE reseal_p (tenant_id uuid NOT NULL, id int, note text, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
CREATE TABLE reseal_p1 PARTITION OF reseal_p FOR VALUES FROM (0) TO (50);
CREATE TABLE reseal_p2 (note text, id int NOT NULL, tenant_id uuid NOT NULL);
ALTER TABLE reseal_p ATTACH PARTITION reseal_p2 FOR VALUES FROM (50) TO (100);
SELECT aegis.encrypt_column('reseal_p', 'note', 'reseal_test.part');
INSERT INTO reseal_t (tenant_id, id, email, note, plain)
  SELECT t, i, 'user' || i || '@example.com', CASE WHEN i % 3 > 0 THEN repeat('x', i * 40) END, 'p' FROM generate_series(1, 60) i, (VALUES (:'one'::uuid), (:'other')) v(t);
INSERT INTO reseal_p SELECT t, i, 'part ' || i FROM generate_series(40, 60) i, (VALUES (:'one'::uuid), (:'other')) v(t);
CREATE TEMP TABLE before AS SELECT tenant_id, id, email::text COLLATE "C" AS email, touched FROM reseal_t;

-- refuses: everybody but operators, without a reason, unknown tenants, values outside the job
SET ROLE regress_reseal_owner;
SELECT aegis.rotate_tenant_key(:'one', 'no right');
SELECT count(*) FROM aegis.rotation_progress;
RESET ROLE;
SET SESSION AUTHORIZATION regress_reseal;
SELECT aegis.rotate_tenant_key(:'one', ' ');
SELECT aegis.rotate_tenant_key(:'one', NULL);
SELECT aegis.rotate_tenant_key(NULL, 'r');
SELECT aegis.rotate_tenant_key('5e000000-0000-4000-8000-000000000001', 'nobody');
RESET SESSION AUTHORIZATION;
SELECT aegis.reseal(note) FROM reseal_t WHERE tenant_id = :'one' AND id = 1;
SET SESSION AUTHORIZATION regress_reseal_user;
BEGIN;
SELECT probe_as(:'one');
SELECT aegis.reseal(note) FROM reseal_t WHERE id = 1;
ROLLBACK;
RESET SESSION AUTHORIZATION;

-- refuses: to be prepared, for others would learn of it too late
BEGIN;
SELECT epoch FROM aegis.rotate_tenant_key(:'one', 'prepared');
PREPARE TRANSACTION 'regress_reseal';

-- survives: a rollback leaves the key as it was
BEGIN;
SELECT epoch FROM aegis.rotate_tenant_key(:'one', 'rolled back');
INSERT INTO reseal_t (tenant_id, id, note) VALUES (:'one', 100, 'gone') RETURNING aegis.key_epoch(note) AS epoch;
ROLLBACK;
INSERT INTO reseal_t (tenant_id, id, note) VALUES (:'one', 100, 'stays') RETURNING aegis.key_epoch(note) AS epoch;

-- allows: a rotation; what is written in the same transaction stands under the new epoch already
SET SESSION AUTHORIZATION regress_reseal;
BEGIN;
SELECT epoch, job FROM aegis.rotate_tenant_key(:'one', 'yearly') \gset
SELECT :epoch AS epoch;
SELECT aegis.pause_job(:job);
COMMIT;
RESET SESSION AUTHORIZATION;
INSERT INTO reseal_t (tenant_id, id, note) VALUES (:'one', 101, 'new') RETURNING aegis.key_epoch(note) AS epoch;
INSERT INTO reseal_t (tenant_id, id, note) VALUES (:'other', 101, 'new') RETURNING aegis.key_epoch(note) AS epoch;
-- allows: rows of the old epoch open, are found and keep their bytes when they are updated
SET SESSION AUTHORIZATION regress_reseal_user;
BEGIN;
SELECT probe_as(:'one');
SELECT id, aegis.reveal(email), length(aegis.reveal(note)) FROM reseal_t WHERE email = 'USER7@example.com';
UPDATE reseal_t SET plain = 'q' WHERE id = 7;
SELECT aegis.key_epoch(email) AS email, aegis.key_epoch(note) AS note, touched FROM reseal_t WHERE id = 7;
COMMIT;
RESET SESSION AUTHORIZATION;
-- allows: an envelope that comes back from elsewhere is sealed anew on its way in
INSERT INTO reseal_t (tenant_id, id, note) SELECT tenant_id, 102, note FROM reseal_t WHERE tenant_id = :'one' AND id = 7
  RETURNING aegis.key_epoch(note) AS epoch;

-- allows: the job, beside what the other tenant does not notice
SELECT epoch, state, rows, job_state FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
SELECT count(*) AS entries_before FROM aegis.entry WHERE tenant_id = :'one' AND position('row.changed'::bytea IN body) > 0 \gset
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(:job, '60 seconds');
SELECT done, result, error FROM aegis.jobs WHERE id = :job;
SELECT epoch, state, rows, job_state, resealed FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
SELECT tenant_id = :'one' AS one, min(least(aegis.key_epoch(email), aegis.key_epoch(note))), max(greatest(aegis.key_epoch(email), aegis.key_epoch(note))) FROM reseal_t GROUP BY 1 ORDER BY 1;
SELECT tenant_id = :'one' AS one, tableoid::regclass, min(aegis.key_epoch(note)), max(aegis.key_epoch(note)), count(*) FROM reseal_p GROUP BY 1, 2 ORDER BY 1, 2;
-- what the rows say is what they said; no trigger of the table noticed
SET SESSION AUTHORIZATION regress_reseal_user;
BEGIN;
SELECT probe_as(:'one');
SELECT count(*) AS same FROM reseal_t t WHERE aegis.reveal(t.email) = 'user' || id || '@example.com'
   AND aegis.reveal(t.note) IS NOT DISTINCT FROM CASE WHEN id % 3 > 0 THEN repeat('x', id * 40) END;
SELECT count(*) AS found FROM generate_series(1, 60) i JOIN reseal_t t ON t.email = ('user' || i || '@example.com')::aegis.sealed_email AND t.id = i;
SELECT count(*) FILTER (WHERE touched > 0) AS touched FROM reseal_t;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT count(*) AS other_changed FROM before b JOIN reseal_t t USING (tenant_id, id) WHERE tenant_id = :'other' AND b.email <> t.email::text COLLATE "C";
-- the ledger has one entry for each table, none for a row
SELECT count(*) - :entries_before AS row_entries FROM aegis.entry WHERE tenant_id = :'one' AND position('row.changed'::bytea IN body) > 0;
SELECT regress_entries('key.tenant_rotated', 'yearly') AS rotated, regress_entries('field.resealed', 'public.reseal_t') AS resealed,
       regress_entries('field.resealed', 'reseal_p1') AS part1, regress_entries('field.resealed', 'reseal_p2') AS part2, regress_entries('key.epoch_retired') AS retired;
-- allows: the entries of before are read as ever, their key is kept
SELECT state, wrapped IS NOT NULL AS kept FROM aegis.tenant_key WHERE tenant_id = :'one' AND kind = 'root' ORDER BY epoch;
SELECT count(*) AS unreadable FROM aegis.audit_log WHERE tenant_id = :'one' AND event = 'row.changed' AND image IS NULL;

-- survives: a value that does not open; the rest is sealed anew, the old epoch stays in use
SET session_replication_role = replica;
UPDATE reseal_t SET note = overlay(aegis.armor(note) placing CASE WHEN substr(aegis.armor(note), 80, 1) = 'B' THEN 'C' ELSE 'B' END from 80 for 1)::aegis.sealed_text
 WHERE tenant_id = :'one' AND id = 8;
RESET session_replication_role;
SELECT epoch, job FROM aegis.rotate_tenant_key(:'one', 'again') \gset
SELECT aegis.wait_job(:job, '60 seconds');
SELECT state, result, error FROM aegis.jobs WHERE id = :job;
SELECT id, aegis.key_epoch(email) AS email, aegis.key_epoch(note) AS note FROM reseal_t WHERE tenant_id = :'one' AND least(aegis.key_epoch(email), aegis.key_epoch(note)) < :epoch;
SELECT epoch, state, rows FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
-- allows: an estimate, from 1,000 rows on: the first rows of a job say nothing of its speed
BEGIN;
UPDATE aegis.job SET state = 'running', done = 999 WHERE id = :job;
SELECT bool_or(estimated_end > now()) AS estimated FROM aegis.rotation_progress WHERE tenant_id = :'one';
UPDATE aegis.job SET done = 1000 WHERE id = :job;
SELECT bool_or(estimated_end > now()) AS estimated FROM aegis.rotation_progress WHERE tenant_id = :'one';
ROLLBACK;
-- allows: once it is gone, the job by itself ends what is left
DELETE FROM reseal_t WHERE tenant_id = :'one' AND id = 8;
SELECT aegis.create_job('reseal', :'one') AS job \gset
SELECT aegis.wait_job(:job, '60 seconds');
SELECT epoch, state, rows FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;

-- refuses: a job without a tenant
SELECT aegis.create_job('reseal');

DROP TABLE reseal_t, reseal_p, before;
DELETE FROM aegis.field WHERE name LIKE 'reseal_test.%';
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint), probe_as(uuid), regress_wait_worker(), regress_entries(text[]), regress_touch();
DROP OWNED BY regress_reseal_owner, regress_reseal_user;
DROP ROLE regress_reseal, regress_reseal_owner, regress_reseal_user;
