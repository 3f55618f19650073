-- A tenant takes no more of the server than its limits, whatever its clients set or roll back.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
-- Nobody signs in before the worker runs.
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE ROLE regress_limit_member LOGIN;
GRANT aegis_member TO regress_limit_member;
CREATE ROLE regress_limit_gateway LOGIN;
GRANT aegis_gateway TO regress_limit_gateway;
CREATE ROLE regress_limit_operator LOGIN;
GRANT aegis_operator TO regress_limit_operator;
CREATE SCHEMA regress_limit;
GRANT USAGE ON SCHEMA regress_limit TO aegis_member, aegis_operator;
CREATE TABLE regress_limit.note (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('regress_limit.note');
GRANT SELECT, INSERT (id), DELETE ON regress_limit.note TO aegis_member;
GRANT SELECT ON regress_limit.note TO aegis_operator;
CREATE FUNCTION regress_limit.busy(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE AS $$
BEGIN PERFORM count(*) FROM generate_series(1, 1000000000); RETURN aegis.respond(200); END $$;
CREATE FUNCTION regress_limit.list(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE AS $$
DECLARE n record;
BEGIN FOR n IN SELECT * FROM regress_limit.note LOOP NULL; END LOOP; RETURN aegis.respond(200); END $$;
SELECT aegis.register_route('GET', '/regress/limit/busy', 'regress_limit.busy(aegis.request)');
SELECT aegis.register_route('GET', '/regress/limit/list', 'regress_limit.list(aegis.request)');
SELECT aegis.create_tenant('regress-limit', 'Limit') AS tenant, aegis.create_tenant('regress-limit-2', 'Other') AS other,
       aegis.create_tenant('regress-limit-3', 'Third') AS third \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
INSERT INTO regress_limit.note (id) SELECT generate_series(1, 100);
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS other_ada \gset
INSERT INTO regress_limit.note (id) SELECT generate_series(1, 100);
COMMIT;
SELECT token FROM aegis.sign_in('regress-limit', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS bob_token FROM aegis.sign_in('regress-limit', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS other_token FROM aegis.sign_in('regress-limit-2', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset

-- refuses: everybody who is no operator
\c - regress_limit_member
SELECT aegis.set_tenant_limits(:'tenant', rows_per_minute => 0);
SELECT * FROM aegis.tenant_limits();
SELECT * FROM aegis.limits_of(:'tenant');
SELECT * FROM aegis.tenant_limit;
-- refuses: limits that make no sense
\c - regress_limit_operator
SELECT aegis.set_tenant_limits(NULL);
SELECT aegis.set_tenant_limits(gen_random_uuid());
SELECT aegis.set_tenant_limits(:'tenant', statement_timeout => '-1 second');
SELECT aegis.set_tenant_limits(:'tenant', lock_timeout => '1 month');
SELECT aegis.set_tenant_limits(:'tenant', idle_timeout => '25 hours');
SELECT aegis.set_tenant_limits(:'tenant', requests_per_minute => -1);
SELECT aegis.set_tenant_limits(:'tenant', rows_per_minute => 10000001);
-- allows: the settings where nothing is said; then the own ones, all at once
SELECT slug, statement_timeout, lock_timeout, idle_timeout, requests_per_minute, requests_used, rows_per_minute, rows_used, of_its_own
  FROM aegis.tenant_limits() WHERE slug ~ '^regress-limit' ORDER BY slug;
SELECT aegis.set_tenant_limits(:'third', statement_timeout => '2 s', lock_timeout => '0', idle_timeout => '1 day', rows_per_minute => 7);
SELECT aegis.set_tenant_limits(:'third', statement_timeout => '3 s', requests_per_minute => 9);
SELECT slug, statement_timeout, lock_timeout, idle_timeout, requests_per_minute, rows_per_minute, of_its_own
  FROM aegis.tenant_limits() WHERE slug = 'regress-limit-3';

-- refuses: a statement beyond the statement timeout, whatever the client sets, catches or hides it in
SELECT aegis.set_tenant_limits(:'tenant', statement_timeout => '300 ms', lock_timeout => '200 ms', idle_timeout => '90 s');
\c - regress_limit_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'token');
SET LOCAL statement_timeout = 0;
SELECT count(*) FROM generate_series(1, 1000000000);
ROLLBACK;
SELECT count(*) FROM aegis.authenticate(:'token'), generate_series(1, 1000000000);
BEGIN;
SELECT aegis.authenticate(:'token');
DECLARE slow CURSOR FOR SELECT g FROM generate_series(1, 1000000000) g WHERE g < 0;
FETCH slow;
ROLLBACK;
-- every statement has its own time, also of several in one string
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT count(*) > 0 AS counted FROM generate_series(1, 300000) \; SELECT count(*) > 0 AS counted FROM generate_series(1, 300000);
SELECT count(*) FROM generate_series(1, 10) \; SELECT count(*) FROM generate_series(1, 1000000000);
ROLLBACK;
-- refuses: longer waits, and keeping a transaction open while nobody works
BEGIN;
SELECT aegis.authenticate(:'token');
SHOW lock_timeout;
SHOW idle_in_transaction_session_timeout;
SET LOCAL lock_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SHOW lock_timeout;
SHOW idle_in_transaction_session_timeout;
SET LOCAL lock_timeout = '50ms';
SHOW lock_timeout;
RESET lock_timeout;
RESET ALL;
SHOW lock_timeout;
SHOW idle_in_transaction_session_timeout;
SAVEPOINT s;
SET LOCAL idle_in_transaction_session_timeout = 0;
ROLLBACK TO s;
SHOW idle_in_transaction_session_timeout;
COMMIT;
SHOW lock_timeout;
-- over HTTP a timeout is an answer, and what was done before it stays
\c - regress_limit_operator
SELECT aegis.set_tenant_limits(:'tenant', statement_timeout => '300 ms');
\c - regress_limit_gateway
SELECT status, substring(encode(body, 'escape') FROM 'urn:aegis:problem:[a-z-]+') AS problem FROM aegis.handle('GET', '/regress/limit/busy', ARRAY['authorization', 'Bearer ' || :'token'], NULL, '127.0.0.1', 'q-1');

-- refuses: more requests than the quota, each counted whatever becomes of it
\c - regress_limit_operator
SELECT aegis.set_tenant_limits(:'tenant', requests_per_minute => 2);
\c - regress_limit_member
BEGIN;
SELECT aegis.authenticate(:'token');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT aegis.authenticate(:'token');
ROLLBACK TO s;
COMMIT;
SELECT aegis.authenticate(:'token');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT aegis.authenticate(:'bob_token');
-- a token that opens nothing takes nothing, and another tenant has its own quota
SELECT aegis.authenticate('nothing');
SELECT aegis.authenticate(:'other_token');
\c - regress_limit_gateway
SELECT status, headers[array_position(headers, 'retry-after') + 1]::int BETWEEN 1 AND 60 AS retry, substring(encode(body, 'escape') FROM 'urn:aegis:problem:[a-z-]+') AS problem
  FROM aegis.handle('GET', '/api/session', ARRAY['authorization', 'Bearer ' || :'token'], NULL, '127.0.0.1', 'q-2');
\c - regress_limit_operator
SELECT requests_per_minute, requests_used FROM aegis.tenant_limits() WHERE tenant = :'tenant';
SELECT requests_per_minute, requests_used FROM aegis.tenant_limits() WHERE tenant = :'other';
-- an operator is not held by it
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'why is it refused?', 'T-2');
SELECT count(*) FROM regress_limit.note;
COMMIT;

-- refuses: more rows than the quota, given or changed, on any path; nothing comes back with a rollback
SELECT aegis.set_tenant_limits(:'tenant', rows_per_minute => 10);
\c - regress_limit_member
BEGIN;
SELECT aegis.authenticate(:'token');
-- what a query reads within itself is not given: an aggregate is one row
SELECT count(id) FROM (SELECT id FROM regress_limit.note) n;
SELECT id > 0 AS given FROM regress_limit.note LIMIT 2;
SAVEPOINT s;
INSERT INTO regress_limit.note (id) SELECT generate_series(1001, 1004);
ROLLBACK TO s;
DECLARE bit_by_bit CURSOR FOR SELECT id > 0 AS given FROM regress_limit.note;
MOVE 1 FROM bit_by_bit;
FETCH 1 FROM bit_by_bit;
SELECT id FROM regress_limit.note \g /dev/null
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT 1;
ROLLBACK;
-- another tenant is not touched
BEGIN;
SELECT aegis.authenticate(:'other_token');
SELECT count(*) FROM regress_limit.note;
ROLLBACK;
\c - regress_limit_operator
SELECT aegis.set_tenant_limits(:'other', rows_per_minute => 50);
-- an error after rows were given takes none of them back
\c - regress_limit_member
BEGIN;
SELECT aegis.authenticate(:'other_token');
COPY (SELECT 1 / (i - 30) FROM generate_series(1, 100) i) TO STDOUT \g /dev/null
ROLLBACK;
\c - regress_limit_operator
SELECT rows_used > 20 AS used FROM aegis.tenant_limits() WHERE slug = 'regress-limit-2';
SELECT aegis.set_tenant_limits(:'other', rows_per_minute => 10);
\c - regress_limit_member
BEGIN;
SELECT aegis.authenticate(:'other_token');
COPY (SELECT 1 FROM generate_series(1, 100000)) TO STDOUT \g /dev/null
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'other_token');
DELETE FROM regress_limit.note;
ROLLBACK;
\c - regress_limit_gateway
SELECT status, headers[array_position(headers, 'retry-after') + 1]::int BETWEEN 1 AND 60 AS retry, substring(encode(body, 'escape') FROM 'urn:aegis:problem:[a-z-]+') AS problem
  FROM aegis.handle('GET', '/regress/limit/list', ARRAY['authorization', 'Bearer ' || :'other_token'], NULL, '127.0.0.1', 'q-3');
\c - regress_limit_operator
SELECT slug, rows_per_minute, rows_used BETWEEN 8 AND 10 AS used FROM aegis.tenant_limits() WHERE slug IN ('regress-limit', 'regress-limit-2') ORDER BY slug;
-- a change holds at once: what was used counts for as much of the new quota
SELECT aegis.set_tenant_limits(:'other', rows_per_minute => 0);
\c - regress_limit_member
BEGIN;
SELECT aegis.authenticate(:'other_token');
SELECT count(*) FROM regress_limit.note;
ROLLBACK;

-- an open transaction does not keep a context for ever: who was deactivated is out when its time is
\c - :superuser
SET client_min_messages = warning;
SELECT aegis.set_tenant_limits(:'tenant');
ALTER SYSTEM SET aegis.transaction_timeout = '2s';
SELECT pg_reload_conf();
DO $$ BEGIN FOR i IN 1..100 LOOP EXIT WHEN current_setting('aegis.transaction_timeout') = '2s'; PERFORM pg_sleep(0.05); END LOOP; END $$;
\c - regress_limit_member
SHOW aegis.transaction_timeout;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT count(*) FROM regress_limit.note;
DECLARE early CURSOR FOR SELECT id FROM regress_limit.note;
\! sleep 2.2
SAVEPOINT s;
SELECT count(*) FROM regress_limit.note;
ROLLBACK TO s;
FETCH early;
ROLLBACK TO s;
INSERT INTO regress_limit.note (id) VALUES (5000);
ROLLBACK TO s;
SELECT count(*) FROM aegis.teams();
ROLLBACK TO s;
SELECT aegis.authenticate(:'token');
ROLLBACK;
SELECT count(*) FROM aegis.authenticate(:'token'), generate_series(1, 10000000000);
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM RESET aegis.transaction_timeout;
SELECT pg_reload_conf();

-- recorded: every change, and the first refusal of a minute, however it ended
DO $$
BEGIN
  FOR i IN 1..300 LOOP
    EXIT WHEN (SELECT count(DISTINCT tenant_id) = 2 FROM aegis.entry WHERE position('tenant.quota_exceeded'::bytea IN body) > 0);
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
SELECT count(*) AS limits_set FROM aegis.entry WHERE tenant_id = :'third' AND position('tenant.limits_set'::bytea IN body) > 0;
SELECT bool_and(n BETWEEN 1 AND 3) AS once_a_minute, count(*) AS tenants
  FROM (SELECT tenant_id, count(*) AS n FROM aegis.entry WHERE position('tenant.quota_exceeded'::bytea IN body) > 0
           AND position('requests'::bytea IN body) > 0 GROUP BY tenant_id) e;
SELECT count(DISTINCT tenant_id) AS tenants FROM aegis.entry WHERE position('tenant.quota_exceeded'::bytea IN body) > 0
   AND position('rows'::bytea IN body) > 0;

SELECT aegis.drop_route('GET', '/regress/limit/busy'), aegis.drop_route('GET', '/regress/limit/list');
SELECT aegis.unprotect_table('regress_limit.note');
DROP SCHEMA regress_limit CASCADE;
DROP OWNED BY regress_limit_member, regress_limit_gateway, regress_limit_operator;
DROP ROLE regress_limit_member, regress_limit_gateway, regress_limit_operator;
