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
