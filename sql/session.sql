-- A session token opens exactly the context of its user, until it is superseded, ended, idle or too old.
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
CREATE ROLE regress_session_member LOGIN;
GRANT aegis_member TO regress_session_member;
CREATE FUNCTION public.regress_events(tenant uuid, VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE e.tenant_id = tenant AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
SELECT aegis.create_tenant('regress-session', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_team('North') AS north \gset
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('max@example.test', 'Max', 3::smallint, :'north', 'plum quartz lantern 47 river') AS max,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, :'north', 'plum quartz lantern 47 river') AS uli \gset
COMMIT;
SELECT token AS ada_token FROM aegis.sign_in('regress-session', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS max_token FROM aegis.sign_in('regress-session', 'max@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('regress-session', 'uli@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT ord AS north_ord, last_ord AS north_last FROM aegis.team WHERE id = :'north' \gset
SELECT count(*) AS tokens_stored FROM aegis.session s WHERE position(convert_to(:'ada_token', 'UTF8') IN s.token_hash) > 0;
SELECT encode(token_hash, 'hex') AS ada_stored, translate(rtrim(encode(token_hash, 'base64'), '='), '+/', '-_') AS ada_stored_64
  FROM aegis.session WHERE token_hash = sha256(convert_to(:'ada_token', 'UTF8')) \gset
SELECT count(*) AS hashed FROM aegis.session s WHERE s.token_hash = sha256(convert_to(:'ada_token', 'UTF8'));

-- allows: the context of the token, for this transaction, with the ranges of the rank
\c - regress_session_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'ada_token', '198.51.100.7', 'psql', 'r-1');
SELECT aegis.tenant_id() = :'tenant' AS tenant, aegis.user_id() = :'ada' AS "user", aegis.session_id() IS NOT NULL AS session,
       aegis.rank(), aegis.auth_method(), aegis.request_id(), aegis.client_ip(),
       aegis.team_lo() < aegis.team_hi() AS every_team, aegis.user_lo() < aegis.user_hi() AS every_user;
COMMIT;
SELECT aegis.tenant_id() IS NULL AS over;
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT aegis.rank(), aegis.team_lo() = :north_ord AS lo, aegis.team_hi() = :north_last AS hi, aegis.user_lo() < aegis.user_hi() AS every_user;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT aegis.rank(), aegis.user_lo() = :'uli' AND aegis.user_hi() = :'uli' AS own_rows, aegis.team_ord() = :north_ord AS team;
COMMIT;

-- refuses: a second identity in one transaction, also after ROLLBACK TO
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SAVEPOINT s;
SELECT aegis.authenticate(:'ada_token');
ROLLBACK TO s;
SELECT aegis.authenticate(:'ada_token');
ROLLBACK;

-- refuses: what is no token, nobody's token, and NULL
SELECT aegis.authenticate('x');
SELECT aegis.authenticate('');
SELECT aegis.authenticate(NULL);
SELECT aegis.authenticate('ags1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
SELECT aegis.authenticate(:'ada_token' || 'A');
-- and what a stolen row holds
SELECT aegis.authenticate(:'ada_stored');
SELECT aegis.authenticate('ags1_LOCAL_' || :'ada_stored_64');

-- refuses: sessions to roles that row security does not bind
\c - :superuser
SET client_min_messages = warning;
\set VERBOSITY sqlstate
SELECT aegis.authenticate(:'ada_token');
\set VERBOSITY terse

-- refuses: an idle session, one past its lifetime, one of another region's or a suspended tenant
UPDATE aegis.session SET last_seen_at = now() - interval '31 minutes' WHERE user_id = :'ada';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
\c - :superuser
UPDATE aegis.session SET last_seen_at = now(), expires_at = now() WHERE user_id = :'ada';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
\c - :superuser
UPDATE aegis.session SET expires_at = now() + interval '1 hour' WHERE user_id = :'ada';
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'tenant';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
\c - :superuser
UPDATE aegis.tenant SET status = 'active', region = 'ELSEWHERE' WHERE id = :'tenant';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
\c - :superuser
UPDATE aegis.tenant SET region = current_setting('aegis.region') WHERE id = :'tenant';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');

-- allows: the time of the last request is written at most once a minute
\c - :superuser
UPDATE aegis.session SET last_seen_at = now() - interval '30 seconds' WHERE user_id = :'ada';
UPDATE aegis.session SET last_seen_at = now() - interval '2 minutes' WHERE user_id = :'max';
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.authenticate(:'max_token');
\c - :superuser
SELECT user_id = :'ada' AS ada, now() - last_seen_at > interval '25 seconds' AS untouched FROM aegis.session
 WHERE user_id IN (:'ada', :'max') ORDER BY 1;

-- refuses: the older session once its user signed in again, and says why
SELECT token AS ada_token_2 FROM aegis.sign_in('regress-session', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
\c - regress_session_member
SELECT aegis.authenticate(:'ada_token');
SELECT aegis.authenticate(:'ada_token_2');

-- allows: signing out, once, and recorded
BEGIN;
SELECT aegis.authenticate(:'ada_token_2');
SELECT aegis.sign_out();
COMMIT;
SELECT aegis.authenticate(:'ada_token_2');
SELECT aegis.sign_out();
\c - :superuser
SELECT end_reason, count(*) FROM aegis.session WHERE user_id = :'ada' GROUP BY 1 ORDER BY 1;
SELECT public.regress_events(:'tenant', 'auth.sign_out') AS signed_out;

-- allows: operators see at a glance whether all is well
SELECT aegis.health() - 'seal_lag_ms' AS health;

-- allows: everybody sees where they are signed in, and were; admins see it of everybody, and both end sessions
SELECT token AS ada_token_3 FROM aegis.sign_in('regress-session', 'ada@example.test', 'plum quartz lantern 47 river', '2001:db8::7', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', NULL) \gset
SELECT token AS max_token FROM aegis.sign_in('regress-session', 'max@example.test', 'plum quartz lantern 47 river', '198.51.100.7', 'card 4111 1111 1111 1111', NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('regress-session', 'uli@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT id AS uli_session FROM aegis.session WHERE token_hash = sha256(convert_to(:'uli_token', 'UTF8')) \gset
SELECT id AS max_session FROM aegis.session WHERE token_hash = sha256(convert_to(:'max_token', 'UTF8')) \gset
SELECT count(*) AS readable FROM aegis.session s WHERE s::text LIKE '%Firefox%' OR s::text LIKE '%198.51%';
\c - regress_session_member
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT device, network, live, current, end_reason FROM aegis.sessions() WHERE live;
SELECT count(DISTINCT user_id) FROM aegis.sessions();
SAVEPOINT here;
SELECT aegis.end_session(:'max_session');
ROLLBACK TO here;
SELECT aegis.end_session(gen_random_uuid());
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT count(DISTINCT user_id) FROM aegis.sessions();
SELECT device, network FROM aegis.sessions() WHERE current;
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada_token_3');
SELECT user_id = :'ada' AS ada, device, network, current FROM aegis.sessions() WHERE live ORDER BY created_at DESC;
SELECT aegis.end_session(:'uli_session');
SELECT aegis.end_session(:'uli_session');
COMMIT;
SELECT aegis.authenticate(:'uli_token');
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT aegis.end_session(:'max_session');
COMMIT;
SELECT aegis.authenticate(:'max_token');
\c - :superuser
SELECT public.regress_events(:'tenant', 'auth.session_revoked') AS revoked;

-- survives: who opened a value is recorded at commit with the program of the connection, which the worker, for whom others left it, has not
\c - regress_session_member
BEGIN;
SELECT aegis.authenticate(:'ada_token_3', '198.51.100.7', 'psql', 'r-own');
SELECT count(email) FROM aegis.users();
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token_3', '198.51.100.7', 'psql', 'r-own');
SELECT count(email) FROM aegis.users();
ROLLBACK;
\c - :superuser
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT charges_waiting = 0 FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT DISTINCT l.detail ? 'note' AS by_the_worker, o.ip, o.user_agent, o.connection_address, o.application_name
  FROM aegis.audit_log l, aegis.reveal_origin(l.seq) o WHERE l.event = 'pii.revealed' AND l.request_id = 'r-own' ORDER BY 1;

-- allows: old sessions are removed, a few at a time
UPDATE aegis.session SET expires_at = now() - interval '2 days' WHERE user_id = :'ada';
SELECT aegis.expire_sessions(1), aegis.expire_sessions(100), aegis.expire_sessions(100);

DROP FUNCTION public.regress_events;
DROP ROLE regress_session_member;
