-- Failed attempts are counted for the network and the tenant beside the account, whether what was tried exists or not, and no
-- rollback gives one back. What succeeds costs nothing.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION public.regress_wait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT public.regress_wait();
SELECT aegis.create_tenant('regress-budget', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada \gset
COMMIT;
ALTER SYSTEM SET aegis.network_failures_per_minute = 3;
ALTER SYSTEM SET aegis.tenant_failures_per_minute = 5;
SELECT pg_reload_conf();
-- A new session has what the server was told before.
\c
SET client_min_messages = warning;
SHOW aegis.network_failures_per_minute;
SHOW aegis.tenant_failures_per_minute;

-- allows: successes without end
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', NULL, NULL);

-- refuses: the fourth failure of a /24 in a minute, whatever was tried; with the same answer for the right password
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'wrong', '198.51.100.7', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget', 'nobody@example.test', 'wrong', '198.51.100.8', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget-nowhere', 'ada@example.test', 'wrong', '::ffff:198.51.100.9', NULL, NULL);
SELECT outcome, retry_after BETWEEN 1 AND 20 AS waits FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.9', NULL, NULL);
SELECT outcome, retry_after BETWEEN 1 AND 20 AS waits FROM aegis.sign_in('regress-budget', 'nobody@example.test', 'wrong', '198.51.100.9', NULL, NULL);
-- nor counts what is refused against the account
SELECT failed_count FROM aegis.user WHERE id = :'ada';
-- allows: another network
SELECT outcome FROM aegis.sign_in('regress-budget', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.101.9', NULL, NULL);

-- survives: a failure that is rolled back is taken all the same; of IPv6 a /64 counts
SELECT outcome, 1 / (length(outcome) - 6) FROM aegis.sign_in('regress-budget-other', 'nobody@example.test', 'wrong', '2001:db8:0:7::1', NULL, NULL);
SELECT outcome, 1 / (length(outcome) - 6) FROM aegis.sign_in('regress-budget-other', 'nobody@example.test', 'wrong', '2001:db8:0:7::2', NULL, NULL);
SELECT outcome, 1 / (length(outcome) - 6) FROM aegis.sign_in('regress-budget-other', 'nobody@example.test', 'wrong', '2001:db8:0:7:8::3', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget-other', 'nobody@example.test', 'wrong', '2001:db8:0:7::4', NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget-other', 'nobody@example.test', 'wrong', '2001:db8:0:8::4', NULL, NULL);

-- refuses: the sixth failure for a tenant, from wherever; so for one that does not exist
SELECT outcome FROM generate_series(1, 5) i, aegis.sign_in('regress-budget-none', 'nobody' || i || '@example.test', 'wrong', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget-none', 'nobody@example.test', 'wrong', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-budget-none', 'nobody@example.test', 'wrong', '203.0.113.7', NULL, NULL);
-- a request for a link counts like a failure
SELECT aegis.request_password_reset('regress-budget-none', 'nobody@example.test') > 0 AS waits;

SELECT public.regress_wait();
SELECT target_id, outcome, min(times) > 0 AS counted FROM (
  SELECT target_id, outcome, coalesce((detail ->> 'times')::integer, 1) AS times FROM aegis.audit_log WHERE event = 'auth.throttled') t GROUP BY 1, 2 ORDER BY 1;
ALTER SYSTEM RESET aegis.network_failures_per_minute;
ALTER SYSTEM RESET aegis.tenant_failures_per_minute;
SELECT pg_reload_conf();
DROP FUNCTION public.regress_wait;
