-- With a second factor a password alone is worth nothing: it opens nothing and evicts nobody. Codes count once, wrong ones
-- like wrong passwords, and who may do without one is the tenant's to say.
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
CREATE FUNCTION public.regress_totp(text, bigint) RETURNS text AS '$libdir/aegis', 'aegis_probe_totp' LANGUAGE C STRICT;
-- The code that an authenticator shows now, or so many steps away.
CREATE FUNCTION public.regress_code(secret text, away integer DEFAULT 0) RETURNS text LANGUAGE sql AS $$
  SELECT public.regress_totp(secret, floor(extract(epoch FROM clock_timestamp()) / 30)::bigint + away)
$$;
-- A step that has just begun, so that what is looked at does not become another's.
CREATE FUNCTION public.regress_begin_step() RETURNS void LANGUAGE sql AS $$
  SELECT pg_catalog.pg_sleep(30 - s) FROM (SELECT mod(extract(epoch FROM clock_timestamp())::numeric, 30)) t(s) WHERE s > 20
$$;
-- What a password gets, and then a code.
CREATE FUNCTION public.regress_due(address text) RETURNS text LANGUAGE sql AS $$
  SELECT s.token FROM aegis.sign_in('regress-factor', address, 'plum quartz lantern 47 river', '198.51.100.7', 'psql', 'r-1') s
$$;
SELECT public.regress_wait();
CREATE ROLE regress_factor_member LOGIN;
GRANT aegis_member TO regress_factor_member;
SELECT aegis.create_tenant('regress-factor', 'Regress & Söhne') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob,
       aegis.create_user('cid@example.test', 'Cid', 4::smallint, NULL, 'plum quartz lantern 47 river') AS cid,
       aegis.create_user('dan@example.test', 'Dan', 4::smallint, NULL, 'plum quartz lantern 47 river') AS dan,
       aegis.create_user('eve@example.test', 'Eve', 1::smallint, NULL, 'plum quartz lantern 47 river') AS eve,
       aegis.create_user('fay@example.test', 'Fay', 1::smallint, NULL, 'plum quartz lantern 47 river') AS fay \gset
COMMIT;
SELECT token AS fay_token FROM aegis.sign_in('regress-factor', 'fay@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS ada_token FROM aegis.sign_in('regress-factor', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset

-- allows: setting one up in two steps; until the second nothing changes
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT * FROM aegis.second_factor();
SELECT secret, uri, qr FROM aegis.begin_second_factor() \gset
COMMIT;
SELECT :'secret' ~ '^[A-Z2-7]{32}$' AS secret, replace(:'uri', :'secret', 'SECRET') AS uri, :'qr' LIKE '<svg xmlns=%</svg>' AS qr;
\c - :superuser
SET client_min_messages = warning;
SELECT outcome, due FROM aegis.sign_in('regress-factor', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT token AS ada_token FROM aegis.sign_in('regress-factor', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT public.regress_code(:'secret') AS code, public.regress_code(:'secret', -2) AS old \gset
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.confirm_second_factor(:'old');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.confirm_second_factor(:'code') AS codes \gset
\set adas_codes :codes
SELECT active, confirmed_at IS NOT NULL AS confirmed, recovery_codes, required FROM aegis.second_factor();
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT array_length(:'codes'::text[], 1) AS codes, bool_and(c ~ '^([0-9a-hjkmnp-tv-z]{4}-){5}[0-9a-hjkmnp-tv-z]{4}$') AS shape FROM unnest(:'codes'::text[]) c;
-- sealed and hashed: what a dump holds is of no use
SELECT s.status, aegis.is_sealed_for(s.secret, f.reference, s.tenant_id) AS sealed, position(:'secret' IN s.secret::text) AS found
  FROM aegis.second_factor s, aegis.field f WHERE s.user_id = :'ada' AND f.name = 'user.totp_secret';
-- refuses: whoever holds a stolen copy of the sealed secret and a session of the tenant, of any rank, and an operator who would allow it
SELECT s.secret::text AS stolen FROM aegis.second_factor s WHERE s.user_id = :'ada' AND s.status = 'active' \gset
SELECT rank, level FROM aegis.reveal_policy p JOIN aegis.field f ON f.reference = p.field WHERE f.name = 'user.totp_secret' ORDER BY rank;
SELECT aegis.set_reveal_policy('user.totp_secret', 4::smallint, 'full');
SELECT aegis.set_reveal_policy('user.totp_secret', 0::smallint, 'masked');
SELECT aegis.set_reveal_policy('user.totp_secret', 4::smallint, 'none');
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.reveal(:'stolen'::aegis.sealed_bytea);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.legible(:'stolen'::aegis.sealed_bytea) IS NULL AS hidden;
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) AS plain FROM aegis.recovery_code r, unnest(:'codes'::text[]) c WHERE position(convert_to(replace(c, '-', ''), 'UTF8') IN r.code_hash) > 0;

-- refuses: a session for the password alone, and the end of the one that is
SELECT outcome, token LIKE 'agc1\_%' AS challenge, expires_at BETWEEN now() + interval '4 minutes' AND clock_timestamp() + interval '5 minutes' AS short, due
  FROM aegis.sign_in('regress-factor', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT public.regress_due('ada@example.test') AS challenge \gset
SELECT count(*) AS live FROM aegis.session WHERE user_id = :'ada' AND ended_at IS NULL AND token_hash = sha256(convert_to(:'ada_token', 'UTF8'));
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'challenge');
ROLLBACK;
BEGIN;
SELECT aegis.answer_challenge(:'challenge', '000000', NULL, NULL, NULL, NULL);
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
-- refuses: codes that are wrong, of other times, for no challenge, or none at all
SELECT public.regress_begin_step();
UPDATE aegis.second_factor SET last_step = 0 WHERE user_id = :'ada';
SELECT a.* FROM aegis.answer_challenge(:'challenge', public.regress_code(:'secret', 2), NULL, NULL, NULL, 'r-wrong') a;
SELECT a.* FROM aegis.answer_challenge(:'challenge', public.regress_code(:'secret', -2), NULL, NULL, NULL, NULL) a;
SELECT a.* FROM aegis.answer_challenge(replace(:'challenge', 'agc1', 'ags1'), public.regress_code(:'secret'), NULL, NULL, NULL, NULL) a;
SELECT a.* FROM aegis.answer_challenge(NULL, public.regress_code(:'secret'), NULL, NULL, NULL, NULL) a;
SELECT a.* FROM aegis.answer_challenge(:'challenge', NULL, 'another lantern 48 mountains', NULL, NULL, NULL) a;
SELECT failed_count FROM aegis.user WHERE id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'reason', 'code', 'r-wrong') AS recorded;
-- a right password in between forgives nothing
SELECT public.regress_due('ada@example.test') IS NOT NULL AS due;
SELECT failed_count FROM aegis.user WHERE id = :'ada';

-- allows: the code of this step, of the one before and of the one after; each once, also for two challenges
SELECT public.regress_begin_step();
SELECT public.regress_due('ada@example.test') AS second \gset
SELECT public.regress_code(:'secret', -1) AS before, public.regress_code(:'secret') AS now, public.regress_code(:'secret', 1) AS after \gset
SELECT outcome, token LIKE 'ags1\_%' AS token, due, recovery_codes FROM aegis.answer_challenge(:'challenge', :'before', NULL, '198.51.100.7', 'psql', 'r-in');
SELECT public.regress_events(:'tenant', 'auth.session_superseded', 'r-in') AS superseded, public.regress_events(:'tenant', 'auth.sign_in', 'r-in') > 0 AS entry;
SELECT failed_count FROM aegis.user WHERE id = :'ada';
SELECT a.outcome FROM aegis.answer_challenge(:'second', :'now', NULL, NULL, NULL, NULL) a;
SELECT public.regress_due('ada@example.test') AS second \gset
SELECT outcome FROM aegis.answer_challenge(:'second', :'before', NULL, NULL, NULL, 'r-replayed');
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'replayed', 'r-replayed') AS replayed;
SELECT outcome FROM aegis.answer_challenge(:'second', :'now', NULL, NULL, NULL, NULL);
SELECT public.regress_due('ada@example.test') AS third \gset
SELECT outcome FROM aegis.answer_challenge(:'third', :'after', NULL, NULL, NULL, NULL);
SELECT public.regress_due('ada@example.test') AS fourth \gset
SELECT outcome FROM aegis.answer_challenge(:'fourth', :'now', NULL, NULL, NULL, NULL);

-- allows: a recovery code, as people type it, once
SELECT outcome FROM aegis.answer_challenge(:'fourth', upper(replace((:'codes'::text[])[1], '-', ' ')), NULL, NULL, NULL, NULL);
SELECT public.regress_due('ada@example.test') AS fifth \gset
SELECT outcome FROM aegis.answer_challenge(:'fifth', (:'codes'::text[])[1], NULL, NULL, NULL, NULL);
SELECT count(*) AS left FROM aegis.recovery_code WHERE user_id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.recovery_code_used') AS recorded;
-- refuses: an expired challenge
UPDATE aegis.challenge SET expires_at = now() WHERE user_id = :'ada';
SELECT outcome FROM aegis.answer_challenge(:'fifth', (:'codes'::text[])[2], NULL, NULL, NULL, NULL);

-- refuses: guessing; the tenth wrong code locks, as the tenth wrong password does, and then the right one is wrong
UPDATE aegis.user SET failed_count = 9, not_before = NULL WHERE id = :'ada';
SELECT public.regress_due('ada@example.test') AS challenge \gset
SELECT outcome FROM aegis.answer_challenge(:'challenge', '000000', NULL, NULL, NULL, 'r-lock');
SELECT failed_count, locked_until > now() AS locked FROM aegis.user WHERE id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.locked', 'r-lock') AS recorded;
SELECT a.* FROM aegis.answer_challenge(:'challenge', (:'codes'::text[])[2], NULL, NULL, NULL, NULL) a;
SELECT s.* FROM aegis.sign_in('regress-factor', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) s;
SELECT count(*) AS left FROM aegis.recovery_code WHERE user_id = :'ada';
-- survives: an answer that its own statement rolls back counts as failed, right or wrong
UPDATE aegis.user SET failed_count = 0, not_before = NULL, locked_until = NULL WHERE id = :'ada';
SELECT public.regress_due('ada@example.test') AS challenge \gset
SELECT 1 / (length(outcome) - 6) FROM aegis.answer_challenge(:'challenge', '000000', NULL, NULL, NULL, 'r-abandoned');
SELECT 1 / (length(outcome) - 7) FROM aegis.answer_challenge(:'challenge', (:'codes'::text[])[2], NULL, NULL, NULL, 'r-abandoned');
SELECT public.regress_wait();
SELECT failed_count FROM aegis.user WHERE id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.sign_in_abandoned', 'r-abandoned') AS abandoned;
SELECT outcome, token AS ada_token FROM aegis.answer_challenge(:'challenge', (:'codes'::text[])[2], NULL, NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome;

-- allows: the rule of the tenant; who has none sets one up at the next sign-in, and only then has a session
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.require_second_factor(1::smallint);
SELECT aegis.remove_second_factor();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.require_second_factor(1::smallint);
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT outcome, due FROM aegis.sign_in('regress-factor', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);
SELECT public.regress_due('bob@example.test') AS challenge \gset
SELECT secret AS bobs FROM aegis.begin_enrolment(:'challenge') \gset
SELECT outcome FROM aegis.answer_challenge(:'challenge', '000000', NULL, NULL, NULL, NULL);
SELECT outcome, array_length(recovery_codes, 1) AS codes, token AS bob_token FROM aegis.answer_challenge(:'challenge', public.regress_code(:'bobs'), NULL, NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome, :'codes' AS codes;
-- refuses: an enrolment for a challenge that asks for a code, or for none
SELECT public.regress_due('bob@example.test') AS challenge \gset
SELECT secret FROM aegis.begin_enrolment(:'challenge');
SELECT secret FROM aegis.begin_enrolment(NULL);
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT required FROM aegis.second_factor();
SELECT aegis.require_second_factor(NULL);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT aegis.reset_second_factor(:'ada');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT array_length(aegis.new_recovery_codes(), 1) AS codes;
COMMIT;

-- refuses: setting up another one by who knows the password alone, with a challenge of before the user had one
\c - :superuser
SET client_min_messages = warning;
UPDATE aegis.user SET password_due = 'ordered' WHERE id = :'eve';
SELECT public.regress_due('eve@example.test') AS stale, public.regress_due('fay@example.test') AS fays \gset
SELECT public.regress_due('eve@example.test') AS challenge \gset
SELECT secret AS eves FROM aegis.begin_enrolment(:'challenge') \gset
SELECT outcome, due FROM aegis.answer_challenge(:'challenge', public.regress_code(:'eves'), NULL, NULL, NULL, NULL);
SELECT secret FROM aegis.begin_enrolment(:'stale');
SELECT outcome FROM aegis.answer_challenge(:'challenge', NULL, 'another lantern 48 mountains', NULL, NULL, NULL);
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'fay_token');
SELECT secret AS fays_secret FROM aegis.begin_second_factor() \gset
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_code(:'fays_secret') AS code \gset
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'fay_token');
SELECT array_length(aegis.confirm_second_factor(:'code'), 1) AS codes;
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT secret FROM aegis.begin_enrolment(:'fays');
-- also when it came about at the same moment
SELECT public.regress_due('fay@example.test') AS fays \gset
UPDATE aegis.challenge SET code_due = false, enrolment_due = true WHERE user_id = :'fay';
SELECT secret FROM aegis.begin_enrolment(:'fays');
SELECT outcome FROM aegis.answer_challenge(:'fays', public.regress_code(:'fays_secret', 1), NULL, NULL, NULL, NULL);
SELECT s.status, count(*) FROM aegis.second_factor s WHERE s.user_id = :'fay' GROUP BY s.status;
\c - regress_factor_member
SET client_min_messages = warning;

-- allows: an admin takes away what somebody lost; an admin's takes two people
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.reset_second_factor(:'bob');
SELECT aegis.require_second_factor(NULL);
COMMIT;
-- allows: whoever needs none takes their own away
BEGIN;
SELECT aegis.authenticate(:'fay_token');
SELECT aegis.remove_second_factor();
SELECT active, recovery_codes FROM aegis.second_factor();
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT count(*) AS factors FROM aegis.second_factor WHERE user_id = :'bob';
SELECT end_reason FROM aegis.session WHERE user_id = :'bob' AND token_hash = sha256(convert_to(:'bob_token', 'UTF8'));
SELECT token AS cid_token FROM aegis.sign_in('regress-factor', 'cid@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS dan_token FROM aegis.sign_in('regress-factor', 'dan@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'cid_token');
SELECT aegis.reset_second_factor(:'ada');
SELECT aegis.reset_second_factor(:'ada');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT active FROM aegis.second_factor();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'dan_token');
SELECT aegis.reset_second_factor(:'ada');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_events(:'tenant', 'user.second_factor_reset_requested') AS requested, public.regress_events(:'tenant', 'user.second_factor_reset') AS resets;
-- a request of yesterday is none
INSERT INTO aegis.second_factor_reset VALUES (:'tenant', :'cid', 'somebody', now() - interval '25 hours');
\c - regress_factor_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'dan_token');
SELECT aegis.reset_second_factor(:'cid');
ROLLBACK;

-- refuses: one person who takes the rank first, resets, and would give it back
BEGIN;
SELECT aegis.authenticate(:'dan_token');
SELECT aegis.set_rank(:'cid', 1::smallint);
SELECT aegis.reset_second_factor(:'cid');
SELECT aegis.reset_second_factor(:'cid');
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT u.rank, u.was_admin FROM aegis.user u WHERE u.id IN (:'cid', :'fay') ORDER BY 1;
\c - regress_factor_member
SET client_min_messages = warning;

-- survives: each step is recorded, of whom and by whom, and neither secret nor code
\c - :superuser
SET client_min_messages = warning;
WITH named (name, id) AS (VALUES ('ada', :'ada'), ('bob', :'bob'), ('cid', :'cid'), ('dan', :'dan'), ('eve', :'eve'), ('fay', :'fay'))
SELECT l.event, l.outcome, a.name AS by, t.name AS target, l.detail, count(*) FROM aegis.audit_log l
  LEFT JOIN named a ON a.id = l.user_id::text LEFT JOIN named t ON t.id = l.target_id
 WHERE l.tenant_id = :'tenant' AND l.event ~ '^(auth|user|tenant)[.](challenged|recovery_code|second_factor)' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 4, 5;
SELECT count(*) AS secrets FROM aegis.entry e, unnest(:'adas_codes'::text[] || ARRAY[:'secret', :'bobs', :'eves', :'fays_secret']) s
 WHERE e.tenant_id = :'tenant' AND (position(convert_to(s, 'UTF8') IN e.body) > 0 OR position(convert_to(replace(s, '-', ''), 'UTF8') IN e.body) > 0);
\c - regress_factor_member
SET client_min_messages = warning;

-- refuses: everybody whom it does not concern
SELECT has_function_privilege('aegis_gateway', 'aegis.begin_second_factor()', 'execute') AS gateway,
       has_function_privilege('aegis_auditor', 'aegis.reset_second_factor(uuid)', 'execute') AS auditor,
       has_table_privilege('aegis_member', 'aegis.second_factor', 'select') AS member;
BEGIN;
SELECT aegis.begin_second_factor();
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_wait();
DROP FUNCTION public.regress_events, public.regress_wait, public.regress_begin_step, public.regress_due, public.regress_code, public.regress_totp;
DROP ROLE regress_factor_member;
