-- A scan finds card data that is stored already, in every kind of column that could hold some; it says where and how often, never
-- what, and each tenant's rows are its own job's. Card numbers here are published test numbers.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_scan_operator LOGIN IN ROLE aegis_operator;
SELECT aegis.create_tenant('regress-scan', 'Scan Ltd') AS one, aegis.create_tenant('regress-scan-2', 'Other Ltd') AS two \gset
CREATE SCHEMA "T scan";
CREATE TABLE "T scan".note (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id uuid NOT NULL DEFAULT gen_random_uuid(), "The body" text, more jsonb, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('"T scan".note');
INSERT INTO "T scan".note (tenant_id, created_by, team_ord, "The body", more)
SELECT t.id, '00000000-0000-0000-0000-000000000000', 1, v.body, v.more
  FROM (VALUES (:'one'::uuid, 'pay 4242 4242 4242 4242', '{}'::jsonb), (:'one', 'nothing', '{"a": {"b": 5555555555554444}}'), (:'one', 'nothing', '{}'), (:'two', 'nothing', '{"n": 4.242424242424242e15}')) v (id, body, more)
  JOIN LATERAL (SELECT v.id) t ON true;
CREATE TABLE "T scan".loose (a varchar(40), b bytea, c bigint, d numeric, e text[], f json, g uuid);
INSERT INTO "T scan".loose VALUES ('4000056655665556', '4000056655665556', 4000056655665556, 4000056655665556, '{x,"4000 0566 5566 5556"}', '{"pan": "4000056655665556"}', gen_random_uuid()),
                                  ('40000566', '\x00', 17, 1.5, '{}', '{}', gen_random_uuid());
CREATE VIEW "T scan".seen AS SELECT * FROM "T scan".loose;
CREATE TABLE "T scan".none (g uuid, h date);

-- allows: one job for each tenant, and one for what is no tenant's
\c - regress_scan_operator
SELECT array_agg(j) AS jobs FROM aegis.scan_for_pan('"T scan"') j \gset
-- (that of a suspended tenant waits until it is reactivated)
SELECT count(*) - (SELECT count(*) FROM aegis.tenants() t WHERE t.status NOT IN ('erased', 'moved') AND t.region = 'LOCAL') AS and_one,
       bool_and(CASE WHEN t.status = 'suspended' THEN j.state = 'queued' ELSE aegis.wait_job(j.id, '60 s') = 'done' END) AS done
  FROM aegis.jobs j LEFT JOIN aegis.tenants() t ON t.id = j.tenant_id WHERE j.id = ANY (:'jobs'::bigint[]);
SELECT t.slug, j.done, j.result - 'after' AS result FROM aegis.jobs j LEFT JOIN aegis.tenants() t ON t.id = j.tenant_id
 WHERE j.kind = 'scan_pan' AND (j.tenant_id IS NULL OR t.slug LIKE 'regress-scan%') ORDER BY 1;
\c - :superuser
SET client_min_messages = warning;
-- survives: the entry says how much, and nothing anywhere says what
SELECT l.outcome, t.slug, l.target_id, l.detail FROM aegis.audit_log l LEFT JOIN aegis.tenants() t ON t.id = l.tenant_id
 WHERE l.event = 'pci.scan_completed' AND (l.tenant_id IS NULL OR t.slug LIKE 'regress-scan%') ORDER BY 2;
SELECT count(*) AS shown FROM aegis.job j WHERE j::text ~ '4242[ ]?4242|55555555|55554444|40000566|0566[ ]?5566|56655665';
-- refuses: members
SELECT count(*) AS for_members FROM pg_proc p, aclexplode(p.proacl) a WHERE p.oid = 'aegis.scan_for_pan'::regproc AND a.grantee IN (0, 'aegis_member'::regrole);
DROP SCHEMA "T scan" CASCADE;
