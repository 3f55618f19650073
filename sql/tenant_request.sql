-- What ends or moves a tenant takes two operators with logins of their own; a request is for one tenant and one day.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
CREATE ROLE regress_request_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_request_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_request_member LOGIN IN ROLE aegis_member;
\c - regress_request_olga
SELECT aegis.create_tenant('request-one', 'One') AS one \gset
SELECT aegis.create_tenant('request-two', 'Two') AS two \gset

-- refuses: what is not known, not said, not meant; members; the functions behind
SELECT aegis.request_tenant_action('burn', :'one', 'request-one', 'because');
SELECT aegis.request_tenant_action(NULL, :'one', 'request-one', 'because');
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', E' \n');
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', NULL);
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', repeat('x', 161));
SELECT aegis.request_tenant_action('erase', :'one', 'request-two', 'because');
SELECT aegis.request_tenant_action('erase', :'one', NULL, 'because');
SELECT aegis.request_tenant_action('erase', '00000000-0000-4000-8000-00000000000f', 'request-one', 'because');
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', 'because', 'quickly');
SELECT aegis.request_tenant_action('export', :'one', 'request-one', 'because');
SELECT aegis.request_tenant_action('export', :'one', 'request-one', 'because', 'ab');
SELECT aegis.request_tenant_action('move', :'one', 'request-one', 'because', current_setting('aegis.region'));
SELECT aegis.record_tenant_event('tenant.erased', :'one', 'tenant', 'x', '{}');
SELECT aegis.open_tenant_request(1, 'erase', 'request-one', false);
SELECT * FROM aegis.tenant_request;
\c - regress_request_member
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', 'because');
SELECT * FROM aegis.tenant_requests;

-- allows: asking; refuses: agreeing with oneself, agreeing to another tenant, acting before anybody agreed
\c - regress_request_olga
SELECT aegis.request_tenant_action('erase', :'one', 'request-one', 'contract ended') AS number \gset
SELECT aegis.approve_tenant_action(:number, 'request-one');
SET ROLE aegis_operator;
SELECT aegis.approve_tenant_action(:number, 'request-one');
RESET ROLE;
SELECT aegis.erase_tenant(:number, 'request-one');
\c - regress_request_otto
SELECT aegis.approve_tenant_action(:number, 'request-two');
SELECT aegis.approve_tenant_action(:number, NULL);
SELECT aegis.approve_tenant_action(-1, 'request-one');
SELECT aegis.approve_tenant_action(NULL, 'request-one');

-- allows: agreeing, once; refuses: acting upon it for another tenant
SELECT aegis.approve_tenant_action(:number, 'request-one');
SELECT aegis.approve_tenant_action(:number, 'request-one');
SELECT aegis.erase_tenant(:number, 'request-two');
SELECT action, reason, requested_by, approved_by, state, expires_at > requested_at AS expires FROM aegis.tenant_requests WHERE id = :number;

-- allows: withdrawing; nothing is done after it
SELECT aegis.withdraw_tenant_action(:number, 'request-one');
SELECT aegis.withdraw_tenant_action(:number, 'request-one');
SELECT aegis.erase_tenant(:number, 'request-one');
SELECT state FROM aegis.tenant_requests WHERE id = :number;

-- refuses: a request that has expired
SELECT aegis.request_tenant_action('erase', :'two', 'request-two', 'contract ended') AS late \gset
\c - :superuser
SELECT regress_tamper(format('UPDATE aegis.tenant_request SET expires_at = now() - interval ''1 second'' WHERE id = %s', :late));
-- refuses: a second operator who is the first, in the table too
SELECT regress_tamper(format('UPDATE aegis.tenant_request SET approved_by = requested_by WHERE id = %s', :late));
\c - regress_request_olga
SELECT aegis.approve_tenant_action(:late, 'request-two');
SELECT state FROM aegis.tenant_requests WHERE id = :late;

-- survives: each step is in the ledger of the tenant, with who took it
\c - :superuser
SELECT d.event, d.session_user, d.detail FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'one' AND d.event LIKE 'tenant.action%' ORDER BY e.seq;
SELECT regress_tamper(format('DELETE FROM aegis.tenant_request WHERE tenant_id IN (%L, %L)', :'one', :'two'));
DROP FUNCTION regress_tamper(text);
DROP ROLE regress_request_olga, regress_request_otto, regress_request_member;
