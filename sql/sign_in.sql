-- A sign-in costs the same work and gives the same answer however it fails, counts even when it is
-- rolled back, and its success starts the only session of the user.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION public.regress_events(tenant uuid, VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE e.tenant_id IS NOT DISTINCT FROM tenant
     AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
-- Waits until the worker has written what was left; false after 20 seconds.
CREATE FUNCTION public.regress_wait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT aegis.create_tenant('regress-sign-in', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
COMMIT;
SELECT public.regress_wait();

-- allows: the right password, the address in any case
SELECT outcome, token LIKE 'ags1\_%' AS token, expires_at > now() + interval '11 hours' AS expires, retry_after
  FROM aegis.sign_in('regress-sign-in', ' ADA@example.TEST', 'plum quartz lantern 47 river', '198.51.100.7', 'psql', 'r-1');
SELECT count(*) AS live FROM aegis.session WHERE user_id = :'ada' AND ended_at IS NULL;
SELECT public.regress_events(:'tenant', 'auth.sign_in', 'r-1') AS entries;

-- refuses: with one and the same row, whatever is wrong
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'plum quartz lantern 47 rivers', NULL, NULL, NULL) s;
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'eve@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) s;
SELECT s.* FROM aegis.sign_in('regress-nowhere', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) s;
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'no address', 'x', NULL, NULL, NULL) s;
SELECT s.* FROM aegis.sign_in(NULL, NULL, NULL, NULL, NULL, NULL) s;
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'ada@example.test', repeat('x', 257), NULL, NULL, NULL) s;
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'password') AS wrong_password,
       public.regress_events(:'tenant', 'auth.sign_in_failed', 'reason', 'user') > 0 AS unknown_user;

-- the work of a hash is done for unknown users and tenants, too: none answers faster than a hash takes
CREATE TABLE public.regress_cost (what text, took interval);
SELECT clock_timestamp() AS began \gset
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 rivers', NULL, NULL, NULL);
INSERT INTO public.regress_cost SELECT 'known', clock_timestamp() - :'began';
SELECT clock_timestamp() AS began \gset
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'eve@example.test', 'plum quartz lantern 47 rivers', NULL, NULL, NULL);
INSERT INTO public.regress_cost SELECT 'unknown user', clock_timestamp() - :'began';
SELECT clock_timestamp() AS began \gset
SELECT outcome FROM aegis.sign_in('regress-nowhere', 'bob@example.test', 'plum quartz lantern 47 rivers', NULL, NULL, NULL);
INSERT INTO public.regress_cost SELECT 'unknown tenant', clock_timestamp() - :'began';
SELECT what FROM public.regress_cost WHERE took < interval '5 milliseconds';
DROP TABLE public.regress_cost;

-- refuses: every place where the caller could take the attempt back
BEGIN;
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'wrong', NULL, NULL, NULL);
ROLLBACK;
DO $$
BEGIN
  PERFORM aegis.sign_in('regress-sign-in', 'ada@example.test', 'wrong', NULL, NULL, NULL);
EXCEPTION WHEN division_by_zero THEN
  NULL;
END $$;

-- survives: an attempt that its own statement rolls back is counted and recorded all the same
UPDATE aegis.user SET failed_count = 0, not_before = NULL WHERE id = :'bob';
SELECT outcome, 1 / (length(outcome) - 6) FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'wrong', NULL, NULL, 'r-abandoned');
SELECT public.regress_wait();
SELECT failed_count FROM aegis.user WHERE id = :'bob';
SELECT public.regress_events(:'tenant', 'auth.sign_in_abandoned', 'r-abandoned') AS abandoned,
       public.regress_events(:'tenant', 'auth.sign_in_failed', 'r-abandoned') AS failed;
-- also one whose password was right: no session is left, and it counts as failed
SELECT outcome, 1 / (length(outcome) - 7) FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, 'r-abandoned-2');
SELECT public.regress_wait();
SELECT failed_count FROM aegis.user WHERE id = :'bob';
SELECT count(*) AS live FROM aegis.session WHERE user_id = :'bob' AND ended_at IS NULL;

-- refuses: after free failures each further attempt waits, the right password too
UPDATE aegis.user SET failed_count = 3, not_before = NULL WHERE id = :'bob';
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'wrong', NULL, NULL, NULL);
SELECT failed_count, not_before - now() BETWEEN interval '0' AND interval '2 seconds' AS short FROM aegis.user WHERE id = :'bob';
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, 'r-delayed') s;
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'delayed', 'r-delayed') AS delayed;
SELECT failed_count FROM aegis.user WHERE id = :'bob';
-- and the delay doubles
UPDATE aegis.user SET failed_count = 6, not_before = NULL WHERE id = :'bob';
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'wrong', NULL, NULL, NULL);
SELECT not_before - now() BETWEEN interval '10 seconds' AND interval '16 seconds' AS longer FROM aegis.user WHERE id = :'bob';

-- refuses: a locked account, with the same answer; an admin's unlock opens it
UPDATE aegis.user SET failed_count = 9, not_before = NULL WHERE id = :'bob';
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'wrong', NULL, NULL, 'r-lock');
SELECT failed_count, locked_until - now() > interval '29 minutes' AS locked FROM aegis.user WHERE id = :'bob';
SELECT public.regress_events(:'tenant', 'auth.locked', 'r-lock') AS recorded;
UPDATE aegis.user SET not_before = NULL WHERE id = :'bob';
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, 'r-locked') s;
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'locked', 'r-locked') AS while_locked;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'unlock', 'T-2', read_only => false);
SELECT locked FROM aegis.users() WHERE id = :'bob';
SELECT aegis.unlock_user(:'bob');
SELECT public.regress_events(:'tenant', 'user.unlocked') AS unlocked;
COMMIT;
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT failed_count, not_before IS NULL AND locked_until IS NULL AS clear FROM aegis.user WHERE id = :'bob';
-- the worker's count locks as well
UPDATE aegis.user SET failed_count = 9 WHERE id = :'bob';
SELECT outcome, 1 / (length(outcome) - 6) FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'wrong', NULL, NULL, 'r-abandoned-3');
SELECT public.regress_wait();
SELECT failed_count, locked_until > now() AS locked FROM aegis.user WHERE id = :'bob';
SELECT public.regress_events(:'tenant', 'auth.locked') AS recorded;

-- allows: one live session; the earlier one is superseded, and that is recorded
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, 'r-2');
SELECT end_reason, count(*) FROM aegis.session WHERE user_id = :'ada' GROUP BY 1 ORDER BY 1;
SELECT public.regress_events(:'tenant', 'auth.session_superseded', 'r-2') AS superseded;
INSERT INTO aegis.session (tenant_id, user_id, token_hash, expires_at)
SELECT :'tenant', :'ada', sha256('x'), now() + interval '1 hour';

-- allows: a stronger hash is made when the settings rose
SELECT left(password_hash, 31) AS before FROM aegis.user WHERE id = :'ada';
ALTER SYSTEM SET aegis.password_iterations = 3;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT left(password_hash, 31) AS after FROM aegis.user WHERE id = :'ada';
ALTER SYSTEM RESET aegis.password_iterations;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT outcome FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);

-- refuses: a suspended tenant, an inactive user
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'tenant';
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) s;
UPDATE aegis.tenant SET status = 'active' WHERE id = :'tenant';
UPDATE aegis.user SET status = 'inactive', failed_count = 0, not_before = NULL, locked_until = NULL WHERE id = :'bob';
SELECT s.* FROM aegis.sign_in('regress-sign-in', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) s;

-- allows: an auditor sees where a sign-in came from, and the ledger who looked
CREATE ROLE regress_sign_in_auditor IN ROLE aegis_auditor;
SELECT seq FROM aegis.audit_log WHERE event = 'auth.sign_in' AND tenant_id = :'tenant' ORDER BY seq LIMIT 1 \gset
SELECT seq AS without FROM aegis.audit_log WHERE event = 'user.created' AND tenant_id = :'tenant' ORDER BY seq LIMIT 1 \gset
SELECT max(seq) AS mark FROM aegis.entry \gset
SET ROLE regress_sign_in_auditor;
SELECT * FROM aegis.reveal_origin(:seq);
SELECT * FROM aegis.reveal_origin(:without);
SELECT * FROM aegis.reveal_origin(-1);
BEGIN;
SELECT ip FROM aegis.reveal_origin(:seq);
ROLLBACK;
RESET ROLE;
SELECT public.regress_wait();
SELECT target_kind, target_id, detail, tenant_id = :'tenant' AS of_tenant FROM aegis.audit_log WHERE event = 'pii.revealed' AND seq > :mark ORDER BY seq;
SET ROLE aegis_operator;
SELECT * FROM aegis.reveal_origin(1);
RESET ROLE;
DROP ROLE regress_sign_in_auditor;

-- survives: nothing of all this is left to write
SELECT public.regress_wait();
DROP FUNCTION public.regress_events, public.regress_wait;
