-- A sign-in from a device and a network that are both new, after failures, makes a new password due and warns its user by mail;
-- one of the three alone does not.
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
CREATE FUNCTION public.regress_events(tenant uuid, VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE e.tenant_id = tenant AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
-- The right password from somewhere, after so many failures.
CREATE FUNCTION public.regress_after(who uuid, failures integer) RETURNS void LANGUAGE sql AS $$
  UPDATE aegis.user SET failed_count = failures, not_before = NULL WHERE id = who
$$;
SELECT public.regress_wait();
UPDATE aegis.outbox SET state = 'cancelled', lease = NULL, payload = NULL, finished_at = now() WHERE kind = 'mail' AND finished_at IS NULL;
SELECT aegis.create_tenant('regress-suspicion', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
COMMIT;

-- allows: the first sign-in, whatever came before it: there is no place yet that would be the user's
SELECT public.regress_after(:'bob', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'bob@example.test', 'plum quartz lantern 47 river', '192.0.2.7', 'Firefox', NULL);

-- allows: new device and network without failures; failures with a known device, or network, or with less than both said
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', 'Firefox', NULL);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '203.0.113.7', 'Chrome', NULL);
SELECT count(*) AS remembered FROM aegis.user_origin WHERE user_id = :'ada';
SELECT count(*) AS readable FROM aegis.user_origin o WHERE position('Firefox'::bytea IN o.mark) > 0;
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.99', 'Opera', NULL);
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '2001:db8::1', 'Chrome', NULL);
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', NULL, 'Edge', NULL);
SELECT public.regress_after(:'ada', 2);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '2001:db8:1::1', 'Lynx', NULL);

-- refuses: all three together; a wrong password learns nothing of it
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'wrong', '2001:db8:2::1', 'Mosaic', NULL);
SELECT password_due FROM aegis.user WHERE id = :'ada';
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due, token FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '2001:db8:2::1', 'Mosaic', NULL) \gset
SELECT :'outcome' AS outcome, :'due' AS due;
SELECT password_due FROM aegis.user WHERE id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.rotation_forced', 'suspicious') AS recorded;
SELECT c.mail ->> 'to' AS "to", c.mail ->> 'subject' AS subject, c.mail ->> 'text' LIKE '%/reset#agu1\_%' AS link
  FROM (SELECT convert_from(payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 10)) c;
-- still due, from wherever; then allows a new password, and the place is known
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 47 river', '198.51.100.7', 'Firefox', NULL);
SELECT outcome FROM aegis.answer_challenge(:'token', NULL, 'plum quartz lantern 48 river', '2001:db8:2::1', 'Mosaic', NULL);
SELECT public.regress_after(:'ada', 3);
SELECT outcome, due FROM aegis.sign_in('regress-suspicion', 'ada@example.test', 'plum quartz lantern 48 river', '2001:db8:2::1', 'Mosaic', NULL);

-- survives: ninety days
UPDATE aegis.user_origin SET seen_at = now() - interval '91 days' WHERE user_id = :'ada';
SELECT aegis.expire_sessions(1000) >= 0 AS removed;
SELECT count(*) AS remembered FROM aegis.user_origin WHERE user_id = :'ada';
SELECT public.regress_wait();
DELETE FROM aegis.outbox WHERE kind = 'mail';
DROP FUNCTION public.regress_wait, public.regress_events, public.regress_after;
