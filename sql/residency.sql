-- A tenant of another region is neither created, signed in, authenticated, assumed nor worked for here, and each refusal names its
-- region; one that moved away is told from one that never was here: 410 Gone, with the region that it moved to.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT current_user AS superuser \gset
SET client_min_messages = warning;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT aegis.create_tenant('res-abroad', 'Abroad') AS abroad, aegis.create_tenant('res-moved', 'Moved') AS moved \gset
\set password 'plum quartz lantern 47 river'
BEGIN;
SELECT aegis.assume_tenant(:'abroad', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, :'password') AS ada \gset
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'moved', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, :'password') AS ada \gset
COMMIT;
SELECT token AS abroad_token FROM aegis.sign_in('res-abroad', 'ada@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS moved_token FROM aegis.sign_in('res-moved', 'ada@example.test', :'password', NULL, NULL, NULL) \gset
-- As if the row had been copied from the cluster of another region; as a move leaves it.
UPDATE aegis.tenant SET region = 'EU_WEST' WHERE id = :'abroad';
UPDATE aegis.tenant SET status = 'moved', moved_to = 'SG' WHERE id = :'moved';
CREATE FUNCTION pg_temp.sign_in(tenant text, password text) RETURNS text LANGUAGE sql AS $$
  SELECT jsonb_build_object('tenant', tenant, 'email', 'ada@example.test', 'password', password)::text $$;
SELECT pg_temp.sign_in('res-abroad', :'password') AS abroad_body, pg_temp.sign_in('res-moved', :'password') AS moved_body,
       pg_temp.sign_in('res-moved', 'not the password') AS wrong_body \gset

-- refuses: to create one
SELECT aegis.create_tenant('res-new', 'New', 'EU_WEST');

-- refuses: to sign in, in SQL and over HTTP, whatever the password is
SELECT outcome FROM aegis.sign_in('res-abroad', 'ada@example.test', :'password', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('res-moved', 'ada@example.test', 'not the password', NULL, NULL, NULL);
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('POST', '/api/session', ARRAY['host', 'a.test', 'content-type', 'application/json'], convert_to(:'abroad_body', 'UTF8'), NULL, 'r1');
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('POST', '/api/session', ARRAY['host', 'a.test', 'content-type', 'application/json'], convert_to(:'moved_body', 'UTF8'), NULL, 'r2');
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('POST', '/api/session', ARRAY['host', 'a.test', 'content-type', 'application/json'], convert_to(:'wrong_body', 'UTF8'), NULL, 'r3');

-- refuses: sessions that live, in SQL and over HTTP
SELECT aegis.authenticate(:'abroad_token');
SELECT aegis.authenticate(:'moved_token');
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('GET', '/api/session', ARRAY['host', 'a.test', 'authorization', 'Bearer ' || :'abroad_token'], NULL, NULL, 'r4');
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('GET', '/api/session', ARRAY['host', 'a.test', 'authorization', 'Bearer ' || :'moved_token'], NULL, NULL, 'r5');
SELECT status, convert_from(body, 'UTF8') FROM aegis.handle('GET', '/api/session', ARRAY['host', 'a.test', 'authorization', 'Bearer ' || :'moved_token' || 'x'], NULL, NULL, 'r6');
-- refuses: and tells the gateway where it is in a place of its own, which a text cannot fill
SELECT n.slug, n.method, h.status, h.headers[array_position(h.headers, 'aegis-region') + 1] AS region
  FROM (VALUES ('abroad', 'POST', ARRAY['content-type', 'application/json'], :'abroad_body'), ('moved', 'POST', ARRAY['content-type', 'application/json'], :'moved_body'),
               ('abroad', 'GET', ARRAY['authorization', 'Bearer ' || :'abroad_token'], ''), ('moved', 'GET', ARRAY['authorization', 'Bearer ' || :'moved_token'], '')) n(slug, method, headers, body),
       LATERAL aegis.handle(n.method, '/api/session', ARRAY['host', 'a.test'] || n.headers, convert_to(n.body, 'UTF8'), NULL, 'r7') h;

-- refuses: operators, and jobs
SELECT aegis.assume_tenant(:'abroad', 'look', 'T-2');
SELECT aegis.assume_tenant(:'moved', 'look', 'T-2');
SELECT aegis.suspend_tenant(:'abroad', 'because');
SELECT aegis.suspend_tenant(:'moved', 'because');
SELECT aegis.create_job('verify_ledger', :'abroad') AS job \gset
SELECT aegis.wait_job(:job, '60 s');
SELECT state, error FROM aegis.jobs WHERE id = :job;

-- refuses: a row that says both, or that a tenant moved to where it is
\set VERBOSITY terse
UPDATE aegis.tenant SET status = 'active' WHERE id = :'moved';
UPDATE aegis.tenant SET moved_to = region WHERE id = :'moved';
\set VERBOSITY default
SELECT slug, region, status, moved_to FROM aegis.tenants() WHERE slug LIKE 'res-%';

-- allows: a gateway to ask by the hash of a short name who has it; for a name that nobody has, each region draws the same number every time
SELECT aegis.create_tenant('res-asleep', 'Asleep') AS asleep, aegis.create_tenant('res-awake', 'Awake') AS awake \gset
SELECT aegis.suspend_tenant(:'asleep', 'because');
SET ROLE aegis_gateway;
SELECT n.slug, h.state, h.region, h.place > 0 AS placed, h.place = g.place AS again
  FROM (VALUES ('res-abroad'), ('res-moved'), ('res-asleep'), ('res-awake'), ('res-nobody'), ('')) n(slug),
       aegis.tenant_home(sha256(n.slug::bytea)) h, aegis.tenant_home(sha256(n.slug::bytea)) g;
SELECT count(DISTINCT h.place) AS drawn FROM generate_series(1, 50) i, aegis.tenant_home(sha256(i::text::bytea)) h;
SELECT aegis.tenant_home(NULL) IS NULL AS nothing;
SELECT aegis.tenant_home('\x00');
RESET ROLE;
SELECT h.place = t.created FROM aegis.tenant_home(sha256('res-awake')) h,
       (SELECT (extract(epoch FROM created_at - '2000-01-01 00:00:00Z') * 1000000)::bigint AS created FROM aegis.tenants() WHERE slug = 'res-awake') t;
SELECT rolname, has_function_privilege(oid, 'aegis.tenant_home(bytea)', 'execute') FROM pg_roles WHERE rolname IN ('aegis_gateway', 'aegis_member', 'aegis_auditor') ORDER BY 1;
UPDATE aegis.tenant SET status = 'active', moved_to = NULL, region = current_setting('aegis.region') WHERE slug LIKE 'res-%';
-- allows: all of it where the tenant belongs
CREATE ROLE regress_residency_gateway LOGIN IN ROLE aegis_gateway;
\c - regress_residency_gateway
SELECT status FROM aegis.handle('GET', '/api/session', ARRAY['host', 'a.test', 'authorization', 'Bearer ' || :'abroad_token'], NULL, NULL, 'r7');
SELECT status FROM aegis.handle('GET', '/api/session', ARRAY['host', 'a.test', 'authorization', 'Bearer ' || :'moved_token'], NULL, NULL, 'r8');
\c - :superuser
DROP ROLE regress_residency_gateway;
