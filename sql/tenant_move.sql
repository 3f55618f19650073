-- A move ends with the receipt of the target's first entry and with nothing less; tests/process/move.sh moves a tenant.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
CREATE ROLE regress_move_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_move_otto LOGIN IN ROLE aegis_operator;
\c - regress_move_olga
SELECT aegis.create_tenant('move-me', 'Move Me') AS me \gset
\set key sg.example/shop+97ed5265+ASVD
-- refuses: a request that does not say by whose key the target proves what it has; the second operator would agree to any
SELECT aegis.request_tenant_action('move', :'me', 'move-me', 'moves', 'SG');
SELECT aegis.request_tenant_action('move', :'me', 'move-me', 'moves', 'SG:not a key');
SELECT aegis.request_tenant_action('move', :'me', 'move-me', 'moves', current_setting('aegis.region') || ':' || :'key');
SELECT aegis.request_tenant_action('move', :'me', 'move-me', 'moves', 'SG:' || :'key') AS request \gset
\c - regress_move_otto
SELECT aegis.move_tenant(:request, 'move-me', NULL);
SELECT aegis.approve_tenant_action(:request, 'move-me');

-- refuses: a tenant at work, another slug, no receipt, what is none
SELECT aegis.move_tenant(:request, 'move-me', 'x');
SELECT aegis.suspend_tenant(:'me', 'moves');
SELECT aegis.move_tenant(:request, 'move-not', 'x');
SELECT aegis.move_tenant(:request, 'move-me', NULL);
\set VERBOSITY sqlstate
SELECT aegis.move_tenant(:request, 'move-me', 'x');
\set VERBOSITY terse
SELECT status, moved_to FROM aegis.tenants() WHERE slug = 'move-me';
SELECT state FROM aegis.tenant_requests WHERE id = :request;

-- survives: a reactivation makes what was exported before worth nothing
\c - :superuser
SELECT regress_tamper(format('UPDATE aegis.tenant_request SET result = ''chain'' WHERE id = %s', :request));
\c - regress_move_olga
SELECT aegis.reactivate_tenant(:'me', 'stays');
\c - :superuser
SELECT result FROM aegis.tenant_request WHERE id = :request;
DROP FUNCTION regress_tamper(text);
DROP ROLE regress_move_olga, regress_move_otto;
