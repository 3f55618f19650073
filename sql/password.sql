-- A password is changed by who knows the old one, or must be when an admin says so; until then the old one opens nothing.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
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
SELECT public.regress_wait();
CREATE ROLE regress_password_member LOGIN;
GRANT aegis_member TO regress_password_member;
SELECT aegis.create_tenant('regress-password', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada Lovelace', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('regress-password', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS bob_token FROM aegis.sign_in('regress-password', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset

-- refuses: a wrong old password, counted; new ones that are weak, personal, or the old one, not counted
\c - regress_password_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('not the password', 'another lantern 48 mountains');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('plum quartz lantern 47 river', 'password1234');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('plum quartz lantern 47 river', 'Ada Lovelace');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('plum quartz lantern 47 river', 'plum quartz lantern 47 river');
ROLLBACK;
-- survives: a session is no oracle for its user's password
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('not the password', 'plum quartz lantern 47 river');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('', 'another lantern 48 mountains');
SELECT * FROM aegis.change_password(NULL, 'another lantern 48 mountains');
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT failed_count FROM aegis.user WHERE id = :'ada';

-- allows: the change; the session goes on, challenges end, and so do links that would replace the new one
INSERT INTO aegis.challenge (token_hash, tenant_id, user_id, expires_at, code_due, enrolment_due, password_due)
VALUES (sha256('x'), :'tenant', :'ada', now() + interval '1 minute', true, false, false);
INSERT INTO aegis.user_token (token_hash, purpose, tenant_id, user_id, expires_at) VALUES (sha256('x'), 'reset', :'tenant', :'ada', now() + interval '1 minute');
\c - regress_password_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.change_password('plum quartz lantern 47 river', 'another lantern 48 mountains');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT failed_count, password_changed_at > now() - interval '1 minute' AS fresh FROM aegis.user WHERE id = :'ada';
SELECT count(*) AS challenges FROM aegis.challenge WHERE user_id = :'ada';
SELECT count(*) AS links FROM aegis.user_token WHERE user_id = :'ada';
SELECT public.regress_events(:'tenant', 'user.password_changed', 'changed') AS recorded;
SELECT outcome FROM aegis.sign_in('regress-password', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT outcome, token AS ada_token FROM aegis.sign_in('regress-password', 'ada@example.test', 'another lantern 48 mountains', NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome;

-- allows: an admin's order; the session ends, and the next sign-in asks for a new password, which is not the old one
\c - regress_password_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT aegis.order_password_change(:'ada');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.order_password_change(:'bob');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT outcome, due, token AS challenge FROM aegis.sign_in('regress-password', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome, :'due' AS due;
SELECT outcome FROM aegis.answer_challenge(:'challenge', NULL, 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT outcome FROM aegis.answer_challenge(:'challenge', NULL, 'password1234', NULL, NULL, NULL);
SELECT outcome FROM aegis.answer_challenge(:'challenge', '123456', NULL, NULL, NULL, NULL);
SELECT failed_count FROM aegis.user WHERE id = :'bob';
SELECT outcome FROM aegis.answer_challenge(:'challenge', NULL, 'fern copper window 12 tide', NULL, NULL, NULL);
SELECT outcome FROM aegis.answer_challenge(:'challenge', NULL, 'fern copper window 13 tide', NULL, NULL, NULL);
SELECT outcome, due FROM aegis.sign_in('regress-password', 'bob@example.test', 'fern copper window 12 tide', NULL, NULL, NULL);
SELECT public.regress_events(:'tenant', 'user.password_ordered') AS ordered, public.regress_events(:'tenant', 'user.password_changed', 'challenge') AS changed;

-- allows: finding settings for this machine, never below the floor
SELECT memory_kib >= 19456 AS memory, iterations >= 2 AS iterations, milliseconds > 0 AS measured FROM aegis.tune_password_hash(10);
SELECT t.memory_kib > 19456 OR t.iterations > 2 OR t.milliseconds > 260 AS more FROM aegis.tune_password_hash(400) t;
SELECT aegis.tune_password_hash(9);

-- refuses: whoever it does not concern
SELECT has_function_privilege('aegis_member', 'aegis.tune_password_hash(integer)', 'execute') AS member,
       has_function_privilege('aegis_gateway', 'aegis.change_password(text, text)', 'execute') AS gateway;
BEGIN;
SELECT aegis.change_password('a', 'b');
ROLLBACK;
SELECT public.regress_wait();
DROP FUNCTION public.regress_events, public.regress_wait;
DROP ROLE regress_password_member;
