-- A tenant's search key is rotated: its searchable fields cannot be written until one transaction has given every value a
-- new token; searches, unique constraints and sign-ins answer the same before and after, and nobody else notices.
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
SELECT aegis.create_tenant('regress-index', 'One') AS one \gset
SELECT aegis.create_tenant('regress-index-other', 'Other') AS other \gset
CREATE ROLE regress_index LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_index_member LOGIN IN ROLE aegis_member INHERIT;
CREATE ROLE regress_index_owner;
GRANT USAGE ON SCHEMA aegis TO regress_index_owner;
CREATE FUNCTION probe_as(tenant uuid) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context($1, '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100)::text $$;
CREATE TABLE index_t (tenant_id uuid NOT NULL, id int, email text, plain text, PRIMARY KEY (tenant_id, id));
ALTER TABLE index_t OWNER TO regress_index_owner;
SELECT aegis.protect_table('index_t', created_by => false, team => false);
SELECT aegis.encrypt_column('index_t', 'email', 'index_test.email', 'aegis.sealed_email', 'email');
CREATE UNIQUE INDEX ON index_t (tenant_id, email);
GRANT SELECT, INSERT, UPDATE ON index_t TO regress_index_member;
INSERT INTO index_t SELECT t, i, 'user' || i || '@example.com' FROM generate_series(1, 20) i, (VALUES (:'one'::uuid), (:'other')) v(t);
CREATE TABLE index_before AS SELECT tenant_id, id, substr(decode(rpad(translate(substr(aegis.armor(email), 4, 48), '-_', '+/'), 48, '='), 'base64'), 21, 16) AS token FROM index_t;
SET SESSION AUTHORIZATION regress_index;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'test', 'T-1', read_only => false);
SELECT aegis.create_user('ann@example.com', 'Ann', 4::smallint, NULL, 'plum quartz lantern 47 river') IS NOT NULL AS made;
COMMIT;

-- refuses: everybody but operators, without a reason, unknown tenants, outside the job, twice at a time
SELECT aegis.rotate_index_key(:'one', '');
SELECT aegis.rotate_index_key(NULL, 'r');
SELECT aegis.rotate_index_key('5e000000-0000-4000-8000-000000000001', 'nobody');
RESET SESSION AUTHORIZATION;
SELECT aegis.retoken(email) FROM index_t WHERE tenant_id = :'one' AND id = 1;
SELECT aegis.login_again(email) FROM index_t WHERE tenant_id = :'one' AND id = 1;
SET SESSION AUTHORIZATION regress_index_member;
SELECT aegis.rotate_index_key(:'one', 'no right');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_index;
BEGIN;
SELECT aegis.rotate_index_key(:'one', 'yearly') AS job \gset
SELECT aegis.pause_job(:job);
COMMIT;
SELECT aegis.rotate_index_key(:'one', 'again');
RESET SESSION AUTHORIZATION;

-- refuses: to write a searchable value while the fields are frozen; all else is written, and everything is read
UPDATE aegis.tenant_key SET frozen = true WHERE tenant_id = :'one' AND kind = 'index';
\c -
SET client_min_messages = warning;
INSERT INTO index_t VALUES (:'one', 21, 'user21@example.com');
INSERT INTO index_t SELECT tenant_id, 21, email FROM index_t WHERE tenant_id = :'one' AND id = 1;
UPDATE index_t SET email = 'other@example.com'::text WHERE tenant_id = :'one' AND id = 1;
UPDATE index_t SET plain = 'written' WHERE tenant_id = :'one' AND id = 1;
INSERT INTO index_t VALUES (:'other', 21, 'user21@example.com');
SET SESSION AUTHORIZATION regress_index_member;
BEGIN;
SELECT probe_as(:'one');
SELECT id, aegis.reveal(email) FROM index_t WHERE email = 'USER7@example.com';
COMMIT;
RESET SESSION AUTHORIZATION;

-- allows: the job
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(:job, '60 seconds');
SELECT done, result, error FROM aegis.jobs WHERE id = :job;
SELECT kind, epoch, state, frozen, wrapped IS NULL AS gone FROM aegis.tenant_key WHERE tenant_id = :'one' ORDER BY kind DESC, epoch;
-- every token of the tenant is another one, and of nobody else; values, searches and constraints are what they were
SELECT tenant_id = :'one' AS one, count(*) FILTER (WHERE token = substr(decode(rpad(translate(substr(aegis.armor(email), 4, 48), '-_', '+/'), 48, '='), 'base64'), 21, 16)) AS same, count(*)
  FROM index_before JOIN index_t USING (tenant_id, id) GROUP BY 1 ORDER BY 1;
SET SESSION AUTHORIZATION regress_index_member;
BEGIN;
SELECT probe_as(:'one');
SELECT count(*) AS found FROM generate_series(1, 20) i JOIN index_t t ON t.email = ('User' || i || '@example.com')::aegis.sealed_email AND t.id = i AND aegis.reveal(t.email) = 'user' || i || '@example.com';
INSERT INTO index_t (id, email) VALUES (21, 'USER3@example.com');
ROLLBACK;
BEGIN;
SELECT probe_as(:'one');
INSERT INTO index_t (id, email) VALUES (21, 'user21@example.com');
SELECT id FROM index_t WHERE email = 'user21@example.com';
COMMIT;
BEGIN;
SELECT probe_as(:'other');
SELECT count(*) AS found FROM generate_series(1, 21) i JOIN index_t t ON t.email = ('user' || i || '@example.com')::aegis.sealed_email AND t.id = i;
COMMIT;
SELECT token IS NOT NULL AS signed_in FROM aegis.sign_in('regress-index', 'ANN@example.com', 'plum quartz lantern 47 river', '192.0.2.1', 'test', 'r1');
RESET SESSION AUTHORIZATION;
SELECT count(*) FILTER (WHERE event = 'key.index_rotated' AND detail ->> 'reason' = 'yearly') AS rotated, count(*) FILTER (WHERE event = 'key.index_rewritten') AS rewritten,
       count(*) FILTER (WHERE event = 'row.changed' AND way = 'job') AS rows FROM aegis.audit_log WHERE tenant_id = :'one';
SELECT count(*) FROM aegis.verify_fields('index_t') WHERE outcome <> 'ok';


-- survives: a job that fails lets the fields be written again
UPDATE aegis.tenant_key SET state = 'destroyed' WHERE tenant_id = :'one' AND kind = 'root';
SELECT aegis.rotate_index_key(:'one', 'fails') AS job \gset
SELECT aegis.wait_job(:job, '60 seconds');
SELECT state, error FROM aegis.jobs WHERE id = :job;
UPDATE aegis.tenant_key SET state = 'active' WHERE tenant_id = :'one' AND kind = 'root';
SELECT epoch, state, frozen FROM aegis.tenant_key WHERE tenant_id = :'one' AND kind = 'index' ORDER BY epoch;
\c -
SET client_min_messages = warning;
INSERT INTO index_t VALUES (:'one', 22, 'user22@example.com');

DROP TABLE index_t, index_before;
DELETE FROM aegis.field WHERE name LIKE 'index_test.%';
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint), probe_as(uuid), regress_wait_worker();
DROP OWNED BY regress_index_owner;
DROP ROLE regress_index, regress_index_member, regress_index_owner;
