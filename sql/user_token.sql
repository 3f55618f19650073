-- A mailed link serves its person once and in time: to choose the first password, or one in place of a forgotten one. Who asks
-- for a link learns nothing about anybody, and a second factor stays in the way.
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
   WHERE e.tenant_id IS NOT DISTINCT FROM tenant
     AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
CREATE FUNCTION public.regress_totp(text, bigint) RETURNS text AS '$libdir/aegis', 'aegis_probe_totp' LANGUAGE C STRICT;
CREATE FUNCTION public.regress_code(secret text, away integer DEFAULT 0) RETURNS text LANGUAGE sql AS $$
  SELECT public.regress_totp(secret, floor(extract(epoch FROM clock_timestamp()) / 30)::bigint + away)
$$;
-- Mails that wait, as the agent gets them; what is claimed is done.
CREATE TABLE public.regress_mail (number integer GENERATED ALWAYS AS IDENTITY, mail jsonb);
CREATE FUNCTION public.regress_fetch() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.regress_mail (mail)
    SELECT convert_from(c.payload, 'UTF8')::jsonb FROM aegis.claim_outbound(ARRAY['mail'], 100) c ORDER BY c.id;
  RETURN (SELECT count(*) FROM public.regress_mail);
END $$;
CREATE FUNCTION public.regress_link(address text) RETURNS text LANGUAGE sql AS $$
  SELECT substring(m.mail ->> 'text' FROM '#([^\s]+)') FROM public.regress_mail m WHERE m.mail ->> 'to' = address ORDER BY m.number DESC LIMIT 1
$$;
SELECT public.regress_wait();
UPDATE aegis.outbox SET state = 'cancelled', lease = NULL, payload = NULL, finished_at = now() WHERE kind = 'mail' AND finished_at IS NULL;
CREATE ROLE regress_token_member LOGIN IN ROLE aegis_member;
SELECT aegis.create_tenant('regress-token', E'Regress\tLtd') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_team('North') AS north \gset
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('max@example.test', 'Max', 3::smallint, :'north', 'plum quartz lantern 47 river') AS max,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('regress-token', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS max_token FROM aegis.sign_in('regress-token', 'max@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset

-- allows: an admin invites anybody, a manager whom they could create; the link comes by mail
\c - regress_token_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.invite_user('eve@example.test', 'Eve', 4::smallint) AS eve \gset
SELECT aegis.invite_user('fay@example.test', 'Fay', 1::smallint, :'north') AS fay \gset
SELECT user_id = :'eve' AS eve, invited_by = :'ada' AS ada, expires_at - sent_at AS lives, expired FROM aegis.invitations() ORDER BY 1;
SELECT name, status FROM aegis.users() WHERE status = 'invited' ORDER BY name;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT aegis.invite_user('gus@example.test', 'Gus', 1::smallint) IS NOT NULL AS invited;
SELECT count(*) FROM aegis.invitations();
-- refuses: a rank that is not below the caller's, another team, an address that is taken, a nameless one
SAVEPOINT here;
SELECT aegis.invite_user('hal@example.test', 'Hal', 3::smallint);
ROLLBACK TO here;
SELECT aegis.revoke_invitation(:'eve');
ROLLBACK TO here;
SELECT aegis.invite_user('BOB@example.test', 'Bob again', 1::smallint);
ROLLBACK TO here;
SELECT aegis.invite_user('no address', 'Hal', 1::smallint);
ROLLBACK TO here;
SELECT aegis.invite_user(NULL, 'Hal', 1::smallint);
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_fetch();
SELECT m.mail ->> 'to' AS "to", m.mail ->> 'subject' AS subject, m.mail ->> 'text' ~ 'https://aegis\.example\.test/invitation#agu1_[A-Z0-9-]+_[A-Za-z0-9_-]{43}\n' AS link
  FROM public.regress_mail m ORDER BY m.number;
SELECT public.regress_link('eve@example.test') AS eve_link, public.regress_link('fay@example.test') AS fay_link \gset
SELECT count(*) AS stored FROM aegis.user_token k WHERE k.token_hash = sha256(convert_to(:'eve_link', 'UTF8'));
SELECT public.regress_events(:'tenant', 'user.invited') AS recorded;

-- refuses: to sign in before, with any password; the answer and the work are the same
SELECT outcome FROM aegis.sign_in('regress-token', 'eve@example.test', '*', NULL, NULL, NULL);
SELECT public.regress_events(:'tenant', 'auth.sign_in_failed', 'inactive') AS as_inactive;

-- refuses: a password that is easy to guess, which costs nothing; then allows a good one, once
\c - regress_token_member
SET client_min_messages = warning;
SELECT * FROM aegis.accept_invitation(:'eve_link', 'eve@example.test');
SELECT * FROM aegis.accept_invitation('agu1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'plum quartz lantern 48 river');
SELECT * FROM aegis.accept_invitation(NULL, NULL);
SELECT * FROM aegis.reset_password(:'eve_link', 'plum quartz lantern 48 river');
SELECT * FROM aegis.accept_invitation(:'eve_link', 'plum quartz lantern 48 river');
SELECT * FROM aegis.accept_invitation(:'eve_link', 'plum quartz lantern 49 river');
SELECT outcome FROM aegis.sign_in('regress-token', 'eve@example.test', 'plum quartz lantern 48 river', NULL, NULL, NULL);

-- allows: mailing an invitation anew, which ends the link before, and taking it back, after which nobody was there
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.resend_invitation(:'fay');
SELECT count(*) FROM aegis.invitations();
SAVEPOINT here;
SELECT aegis.resend_invitation(:'bob');
ROLLBACK TO here;
SELECT aegis.revoke_invitation(:'bob');
ROLLBACK TO here;
COMMIT;
SELECT outcome FROM aegis.accept_invitation(:'fay_link', 'plum quartz lantern 48 river');
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_fetch();
SELECT public.regress_link('fay@example.test') AS fay_link \gset
UPDATE aegis.user_token SET expires_at = now() WHERE user_id = :'fay';
SELECT outcome FROM aegis.accept_invitation(:'fay_link', 'plum quartz lantern 48 river');
UPDATE aegis.user_token SET expires_at = now() + interval '1 minute' WHERE user_id = :'fay';
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'tenant';
SELECT outcome FROM aegis.accept_invitation(:'fay_link', 'plum quartz lantern 48 river');
UPDATE aegis.tenant SET status = 'active' WHERE id = :'tenant';
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'take back', 'T-2', read_only => false);
SELECT aegis.revoke_invitation(:'fay');
COMMIT;
SELECT outcome FROM aegis.accept_invitation(:'fay_link', 'plum quartz lantern 48 river');
SELECT count(*) AS users FROM aegis.user WHERE id = :'fay';
SELECT public.regress_events(:'tenant', 'user.invitation_accepted') AS accepted, public.regress_events(:'tenant', 'user.invitation_sent') AS sent,
       public.regress_events(:'tenant', 'user.invitation_revoked') AS revoked;

-- refuses: a fourth invitation to one address within an hour, also as another user; allows another address
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'invite', 'T-3', read_only => false);
SELECT aegis.invite_user('kim@example.test', 'Kim', 1::smallint) AS kim \gset
SELECT aegis.resend_invitation(:'kim');
SELECT aegis.revoke_invitation(:'kim');
SELECT aegis.invite_user('Kim@example.test', 'Kim', 1::smallint) AS kim \gset
SAVEPOINT here;
SELECT aegis.resend_invitation(:'kim');
ROLLBACK TO here;
SELECT aegis.revoke_invitation(:'kim');
SELECT aegis.invite_user('kim@example.test', 'Kim', 1::smallint);
ROLLBACK TO here;
SELECT aegis.invite_user('lea@example.test', 'Lea', 1::smallint) IS NOT NULL AS invited;
ROLLBACK;

-- allows: a new password for who forgot theirs; nobody can see for whom there was one, and three an hour are mailed
TRUNCATE public.regress_mail;
\c - regress_token_member
SET client_min_messages = warning;
SELECT aegis.request_password_reset('regress-token', ' Bob@Example.test ');
SELECT aegis.request_password_reset('regress-token', 'nobody@example.test');
SELECT aegis.request_password_reset('regress-nowhere', 'bob@example.test');
SELECT aegis.request_password_reset('regress-token', 'no address');
SELECT aegis.request_password_reset(NULL, NULL);
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_fetch();
SELECT mail ->> 'to' AS "to", mail ->> 'subject' AS subject, mail ->> 'text' LIKE '%https://aegis.example.test/reset#agu1\_%' AS link FROM public.regress_mail;
SELECT public.regress_events(:'tenant', 'auth.reset_requested') AS known_tenant, public.regress_events(NULL, 'auth.reset_requested') AS unknown_tenant;
SELECT aegis.request_password_reset('regress-token', 'bob@example.test') FROM generate_series(1, 4);
SELECT public.regress_fetch();
SELECT count(*) AS tokens FROM aegis.user_token WHERE user_id = :'bob';
SELECT public.regress_link('bob@example.test') AS bob_link \gset

-- refuses: the old password, a weak one; then allows a good one, which ends the session, the lock and every other link
SELECT token AS bob_token FROM aegis.sign_in('regress-token', 'bob@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
UPDATE aegis.user SET failed_count = 10, locked_until = now() + interval '1 hour' WHERE id = :'bob';
\c - regress_token_member
SET client_min_messages = warning;
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 47 river');
SELECT outcome FROM aegis.reset_password(:'bob_link', 'short');
SELECT outcome, organisation FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 48 river');
SELECT outcome, organisation FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 49 river');
SELECT aegis.authenticate(:'bob_token');
SELECT outcome FROM aegis.sign_in('regress-token', 'bob@example.test', 'plum quartz lantern 48 river', NULL, NULL, NULL);
\c - :superuser
SET client_min_messages = warning;
SELECT end_reason, count(*) FROM aegis.session WHERE user_id = :'bob' GROUP BY 1 ORDER BY 1;
SELECT count(*) AS tokens FROM aegis.user_token WHERE user_id = :'bob';
SELECT public.regress_events(:'tenant', 'auth.password_reset') AS reset, public.regress_events(:'tenant', 'user.password_changed', 'reset') AS changed;

-- refuses: a mailbox alone, where there is a second factor; wrong codes count and lock
SELECT token AS bob_token FROM aegis.sign_in('regress-token', 'bob@example.test', 'plum quartz lantern 48 river', NULL, NULL, NULL) \gset
\c - regress_token_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT secret FROM aegis.begin_second_factor() \gset
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_code(:'secret', -1) AS code \gset
\c - regress_token_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'bob_token');
SELECT (aegis.confirm_second_factor(:'code'))[1] AS recovery \gset
COMMIT;
SELECT aegis.request_password_reset('regress-token', 'bob@example.test');
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_fetch() > 0 AS mailed;
SELECT public.regress_link('bob@example.test') AS bob_link \gset
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 50 river');
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 50 river', '000000');
SELECT failed_count FROM aegis.user WHERE id = :'bob';
-- a code is not used up by a password that is no good
SELECT outcome FROM aegis.reset_password(:'bob_link', 'short', :'recovery');
UPDATE aegis.user SET locked_until = now() + interval '1 hour' WHERE id = :'bob';
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 50 river', :'recovery');
UPDATE aegis.user SET locked_until = NULL WHERE id = :'bob';
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 50 river', :'recovery');
SELECT outcome, due FROM aegis.sign_in('regress-token', 'bob@example.test', 'plum quartz lantern 50 river', NULL, NULL, NULL);
-- survives: what counts is counted although it is taken back
SELECT aegis.request_password_reset('regress-token', 'bob@example.test');
SELECT public.regress_fetch() > 0 AS mailed;
SELECT public.regress_link('bob@example.test') AS bob_link \gset
BEGIN;
SELECT outcome FROM aegis.reset_password(:'bob_link', 'plum quartz lantern 51 river', '000000');
ROLLBACK;
SELECT public.regress_wait();
SELECT failed_count FROM aegis.user WHERE id = :'bob';

-- survives: what was refused is recorded, with the reason and no code
SELECT event, outcome, detail, count(*) FROM aegis.audit_log WHERE tenant_id = :'tenant' AND event IN ('auth.reset_failed', 'auth.password_reset') GROUP BY 1, 2, 3 ORDER BY 1, 3;
SELECT count(*) AS codes FROM aegis.entry e WHERE e.tenant_id = :'tenant' AND (position(:'recovery'::bytea IN e.body) > 0 OR position('000000'::bytea IN e.body) > 0);

-- refuses: everybody whom it does not concern
SELECT has_function_privilege('aegis_gateway', 'aegis.invite_user(text, text, smallint, uuid)', 'execute') AS gateway,
       has_function_privilege('aegis_member', 'aegis.send_user_token(text, uuid, uuid)', 'execute') AS send,
       has_function_privilege('aegis_member', 'aegis.login_value(uuid, text)', 'execute') AS login,
       has_table_privilege('aegis_operator', 'aegis.user_token', 'select') AS operator;
\c - regress_token_member
SET client_min_messages = warning;
SELECT aegis.invite_user('hal@example.test', 'Hal', 1::smallint);
SELECT count(*) FROM aegis.invitations();
\c - :superuser
SET client_min_messages = warning;
DELETE FROM aegis.outbox WHERE kind = 'mail';
DROP TABLE public.regress_mail;
DROP FUNCTION public.regress_wait, public.regress_events, public.regress_totp, public.regress_code, public.regress_fetch, public.regress_link;
DROP ROLE regress_token_member;
