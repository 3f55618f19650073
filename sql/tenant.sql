-- A tenant is created whole, by an operator, in the region of the cluster; nobody else reads the list.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_tenant_operator LOGIN;
GRANT aegis_operator TO regress_tenant_operator;
CREATE ROLE regress_tenant_member LOGIN;
GRANT aegis_member TO regress_tenant_member;

-- allows: an operator creates tenants; the region defaults to the cluster's
\c - regress_tenant_operator
SELECT aegis.create_tenant('orchid-books', 'Orchid Books') IS NOT NULL AS created;
SELECT aegis.create_tenant('b2', 'Two', current_setting('aegis.region')) IS NOT NULL AS created;
SELECT slug, name, region, status FROM aegis.tenants() WHERE slug IN ('orchid-books', 'b2');

-- refuses: bad slugs, a slug that is taken, another region, missing names
\set VERBOSITY sqlstate
SELECT aegis.create_tenant('Orchid', 'x');
SELECT aegis.create_tenant('-orchid', 'x');
SELECT aegis.create_tenant('orchid-', 'x');
SELECT aegis.create_tenant('', 'x');
SELECT aegis.create_tenant(repeat('a', 64), 'x');
SELECT aegis.create_tenant('orchid-books', 'x');
SELECT aegis.create_tenant('three', NULL);
\set VERBOSITY terse
SELECT aegis.create_tenant('three', 'Three', 'EU_WEST');
SELECT count(*) FROM aegis.tenants() WHERE slug = 'three';
-- refuses: the tables behind the functions, for operators too; the functions, for members
SELECT * FROM aegis.tenant;
SELECT aegis.teams();
\c - regress_tenant_member
SELECT aegis.tenants();
SELECT aegis.create_tenant('four', 'Four');
SELECT * FROM aegis.tenant;

-- Suspension: with sessions, sign-ins and jobs of two tenants, one of which goes on as if nothing were.
\c - :superuser
SET client_min_messages = warning;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT id AS orchid FROM aegis.tenants() WHERE slug = 'orchid-books' \gset
SELECT id AS b2 FROM aegis.tenants() WHERE slug = 'b2' \gset
\set password 'plum quartz lantern 47 river'
BEGIN;
SELECT aegis.assume_tenant(:'orchid', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, :'password') AS ada \gset
SELECT aegis.create_user('uli@example.test', 'Uli', 1::smallint, NULL, :'password') AS uli \gset
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'b2', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('bea@example.test', 'Bea', 4::smallint, NULL, :'password') AS bea \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('orchid-books', 'ada@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('orchid-books', 'uli@example.test', :'password', NULL, NULL, NULL) \gset
SELECT token AS bea_token FROM aegis.sign_in('b2', 'bea@example.test', :'password', NULL, NULL, NULL) \gset
\c - regress_tenant_member
SELECT aegis.authenticate(:'ada_token');

-- refuses: members, missing and overlong reasons, unknown tenants, what is so already
SELECT aegis.suspend_tenant(:'b2', 'because');
SELECT aegis.reactivate_tenant(:'b2', 'because');
\c - regress_tenant_operator
SELECT aegis.suspend_tenant(:'orchid', NULL);
SELECT aegis.suspend_tenant(:'orchid', E' \n');
SELECT aegis.suspend_tenant(:'orchid', repeat('x', 161));
SELECT aegis.suspend_tenant(NULL, 'because');
SELECT aegis.suspend_tenant('00000000-0000-4000-8000-00000000000f', 'because');
SELECT aegis.reactivate_tenant(:'orchid', 'because');
BEGIN;
SELECT aegis.assume_tenant(:'b2', 'look', 'T-2');
SELECT aegis.suspend_tenant(:'orchid', 'in a read-only transaction');
ROLLBACK;

-- survives: a suspension that is rolled back suspends nobody and ends nothing
BEGIN;
SELECT aegis.suspend_tenant(:'orchid', 'changed my mind');
SELECT slug, status FROM aegis.tenants() WHERE slug IN ('orchid-books', 'b2');
ROLLBACK;
\c - regress_tenant_member
SELECT aegis.authenticate(:'ada_token');

-- allows: suspending; every session of the tenant is over with the next request, nobody else's is
\c - regress_tenant_operator
SELECT aegis.suspend_tenant(:'orchid', 'invoice unpaid');
SELECT aegis.suspend_tenant(:'orchid', 'invoice unpaid');
SELECT slug, status FROM aegis.tenants() WHERE slug IN ('orchid-books', 'b2');
\c - regress_tenant_member
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.authenticate(:'uli_token');
SELECT aegis.authenticate(:'bea_token');
-- refuses: signing in, with the answer that a wrong password gets
SELECT outcome, token FROM aegis.sign_in('orchid-books', 'ada@example.test', :'password', NULL, NULL, NULL);
SELECT outcome, token FROM aegis.sign_in('orchid-books', 'ada@example.test', 'not the password', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('b2', 'bea@example.test', :'password', NULL, NULL, NULL);
\c - :superuser
SELECT end_reason, count(*) FROM aegis.session WHERE tenant_id = :'orchid' GROUP BY 1;

-- refuses: running jobs of the tenant, but not those of another that were queued later
\c - regress_tenant_operator
SELECT aegis.create_job('verify_ledger', :'orchid') AS orchid_job \gset
SELECT aegis.create_job('verify_ledger', :'b2') AS b2_job \gset
SELECT aegis.wait_job(:b2_job, '60 seconds');
SELECT state, started_at IS NULL AS untouched FROM aegis.jobs WHERE id = :orchid_job;

-- allows: operators to look, and refuses them to change anything
BEGIN;
SELECT aegis.assume_tenant(:'orchid', 'why was it suspended', 'T-3');
SELECT slug FROM aegis.current_tenant();
SELECT aegis.create_team('x');
ROLLBACK;
SELECT aegis.assume_tenant(:'orchid', 'change something', 'T-4', read_only => false);

-- allows: reactivation; ended sessions stay ended, also one that a sign-in left behind meanwhile
\c - :superuser
INSERT INTO aegis.session (tenant_id, user_id, token_hash, expires_at)
VALUES (:'orchid', :'uli', sha256(convert_to(:'uli_token' || 'late', 'UTF8')), now() + interval '1 hour');
\c - regress_tenant_operator
SELECT aegis.reactivate_tenant(:'orchid', 'invoice paid');
SELECT aegis.reactivate_tenant(:'orchid', 'invoice paid');
SELECT aegis.wait_job(:orchid_job, '60 seconds');
\c - regress_tenant_member
SELECT aegis.authenticate(:'ada_token');
SELECT outcome, token AS ada_token_2 FROM aegis.sign_in('orchid-books', 'ada@example.test', :'password', NULL, NULL, NULL) \gset
SELECT aegis.authenticate(:'ada_token_2');
\c - :superuser
SELECT count(*) AS live FROM aegis.session WHERE tenant_id = :'orchid' AND ended_at IS NULL;
-- survives: both are in the ledger of the tenant, with the reason and the sessions that they ended
SELECT d.event, d.detail FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'orchid' AND d.event IN ('tenant.suspended', 'tenant.reactivated') ORDER BY e.seq;

-- survives: a creation that is rolled back leaves neither tenant, team nor keys
\c - regress_tenant_operator
BEGIN;
SELECT aegis.create_tenant('gone', 'Gone') IS NOT NULL AS created;
ROLLBACK;
\c - :superuser
SELECT count(*) AS gone FROM aegis.tenant WHERE slug = 'gone';
SELECT count(*) AS without_root FROM aegis.tenant t
 WHERE NOT EXISTS (SELECT FROM aegis.team m WHERE m.tenant_id = t.id AND m.parent_id IS NULL);
SELECT count(*) AS without_keys FROM aegis.tenant t
 WHERE NOT EXISTS (SELECT FROM aegis.tenant_key k WHERE k.tenant_id = t.id AND k.state = 'active');

DROP ROLE regress_tenant_operator, regress_tenant_member;
