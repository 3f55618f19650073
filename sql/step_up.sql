-- A session that was confirmed too long ago does nothing dangerous until its user shows again who they are; that counts
-- like a sign-in, and no session of another kind is asked.
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
SELECT public.regress_wait();
CREATE ROLE regress_step_member LOGIN;
GRANT aegis_member TO regress_step_member;
CREATE ROLE regress_step_gateway LOGIN;
GRANT aegis_gateway TO regress_step_gateway;
CREATE FUNCTION public.regress_dangerous(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis.respond(200, '{"done": true}');
END $$;
SELECT aegis.register_route('POST', '/api/regress-dangerous', 'public.regress_dangerous(aegis.request)', step_up => '10 minutes');
SELECT aegis.register_route('POST', '/api/regress-dangerous', 'public.regress_dangerous(aegis.request)', step_up => '2 days');
SELECT aegis.register_route('POST', '/api/session/step-up', 'public.regress_dangerous(aegis.request)');
CREATE FUNCTION public.regress_within(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM aegis.require_step_up();
  RETURN aegis.respond(200, '{"done": true}');
END $$;
-- The route may want less than the setting, never more: a day is a quarter of an hour.
SELECT aegis.register_route('POST', '/api/regress-long', 'public.regress_dangerous(aegis.request)', step_up => '1 day');
SELECT aegis.register_route('POST', '/api/regress-within', 'public.regress_within(aegis.request)');
SELECT aegis.create_tenant('regress-step', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, 'plum quartz lantern 47 river') AS bob \gset
SELECT aegis.require_step_up('1 second');
COMMIT;
SELECT token FROM aegis.sign_in('regress-step', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset

-- allows: a sign-in is a confirmation
\c - regress_step_gateway
SET client_min_messages = warning;
SELECT status FROM aegis.handle('POST', '/api/regress-dangerous', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
-- refuses: what is dangerous, an hour later; the rest goes on
\c - :superuser
SET client_min_messages = warning;
UPDATE aegis.session SET confirmed_at = now() - interval '1 hour' WHERE user_id = :'ada';
\c - regress_step_gateway
SET client_min_messages = warning;
SELECT status, headers[3:4] AS header, position('urn:aegis:problem:step-up-required'::bytea IN body) > 0 AS step_up
  FROM aegis.handle('POST', '/api/regress-dangerous', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
SELECT status FROM aegis.handle('POST', '/api/regress-long', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
SELECT status FROM aegis.handle('POST', '/api/regress-within', ARRAY['authorization', 'Bearer ' || :'token', 'idempotency-key', '"regress-1"'], NULL, NULL, NULL);
\c - regress_step_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT count(*) AS users FROM aegis.users();
SELECT aegis.set_rank(:'bob', 2::smallint);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT aegis.require_step_up('2 hours');
SELECT aegis.require_step_up();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT aegis.require_step_up('2 days');
ROLLBACK;
-- refuses: everything that gives somebody rights, or a provider, a factor or an identity to a user
BEGIN;
SELECT aegis.authenticate(:'token');
SAVEPOINT s;
SELECT aegis.create_user('eve@example.test', 'Eve', 2::smallint, NULL, 'plum quartz lantern 47 river');
ROLLBACK TO s;
SELECT aegis.invite_user('eve@example.test', 'Eve', 4::smallint);
ROLLBACK TO s;
SELECT aegis.move_user(:'bob', :'bob');
ROLLBACK TO s;
SELECT aegis.order_password_change(:'bob');
ROLLBACK TO s;
SELECT aegis.require_second_factor(NULL);
ROLLBACK TO s;
SELECT aegis.reset_second_factor(:'bob');
ROLLBACK TO s;
SELECT aegis.begin_second_factor();
ROLLBACK TO s;
SELECT aegis.confirm_second_factor('123456');
ROLLBACK TO s;
SELECT aegis.remove_second_factor();
ROLLBACK TO s;
SELECT aegis.new_recovery_codes();
ROLLBACK TO s;
SELECT aegis.link_issuer_user('idp', 'eve', :'bob');
ROLLBACK TO s;
SELECT aegis.unlink_issuer_user('idp', 'eve');
ROLLBACK TO s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', 'whsec_first_secret');
ROLLBACK TO s;
SELECT aegis.add_webhook_secret(:'bob', 'whsec_first_secret');
ROLLBACK TO s;
SELECT aegis.retire_webhook_secret(:'bob', 'x');
ROLLBACK TO s;
SELECT aegis.disable_webhook_endpoint(:'bob');
ROLLBACK TO s;
-- allows: somebody without rights over others, and looking
SELECT aegis.create_user('kim@example.test', 'Kim', 1::smallint, NULL, 'plum quartz lantern 47 river') IS NOT NULL AS created;
SELECT count(*) FROM aegis.webhook_endpoints();
ROLLBACK;
-- refuses: opening many values, counted over transactions, whatever becomes of them; of few nobody is asked
\c - :superuser
ALTER SYSTEM SET aegis.bulk_reveal = 6;
SELECT pg_reload_conf();
\c - regress_step_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT count(email) AS opened FROM aegis.users();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT count(email) AS opened FROM aegis.users();
ROLLBACK;
-- refuses: many of what is withheld as well, of which the log of the tenant does not tell
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM SET aegis.bulk_reveal = 1;
SELECT pg_reload_conf();
CREATE SCHEMA regress_quiet;
GRANT USAGE ON SCHEMA regress_quiet TO regress_step_member;
CREATE TABLE regress_quiet.report (tenant_id uuid, id int, body aegis.sealed_text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('regress_quiet.report', created_by => false, team => false), aegis.encrypt_column('regress_quiet.report', 'body', 'regress_quiet.body');
SELECT aegis.withhold_table('regress_quiet.report');
GRANT SELECT, INSERT ON regress_quiet.report TO regress_step_member;
\c - regress_step_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'token');
INSERT INTO regress_quiet.report (id, body) VALUES (1, 'paid in cash'), (2, 'again');
SELECT count(aegis.reveal(body)) FROM regress_quiet.report;
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_wait();
SELECT tenant_id IS NULL AS of_the_system, user_id = :'ada' AS by_ada FROM aegis.audit_log WHERE event = 'access.refused' AND target_id = 'aegis.bulk_reveal' ORDER BY 1;
DROP SCHEMA regress_quiet CASCADE;
DELETE FROM aegis.field WHERE name = 'regress_quiet.body';
ALTER SYSTEM SET aegis.bulk_reveal = 6;
SELECT pg_reload_conf();
\c - regress_step_member
SET client_min_messages = warning;
-- refuses: a wrong password, counted and recorded, and one that is rolled back
BEGIN;
SELECT aegis.authenticate(:'token', request_id => 'r-wrong');
SELECT * FROM aegis.step_up(NULL, 'not the password');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT * FROM aegis.step_up(NULL, 'not the password');
ROLLBACK;
\c - :superuser
SET client_min_messages = warning;
SELECT public.regress_wait();
SELECT failed_count FROM aegis.user WHERE id = :'ada';
SELECT confirmed_at < now() - interval '59 minutes' AS old FROM aegis.session WHERE user_id = :'ada';
SELECT w, (SELECT count(*) FROM aegis.entry e WHERE e.tenant_id = :'tenant' AND position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(ARRAY['auth.step_up_abandoned', 'auth.step_up_failed']) w;

-- allows: the password where there is no second factor; from then on
\c - regress_step_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT * FROM aegis.step_up(NULL, 'plum quartz lantern 47 river');
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'token');
SELECT aegis.set_rank(:'bob', 2::smallint);
SELECT count(email) AS opened FROM aegis.users(), generate_series(1, 3);
SELECT aegis.create_user('eve@example.test', 'Eve', 2::smallint, NULL, 'plum quartz lantern 47 river') IS NOT NULL AS created;
COMMIT;
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM RESET aegis.bulk_reveal;
SELECT pg_reload_conf();
SELECT public.regress_wait();
SELECT count(*) AS recorded FROM aegis.entry e WHERE e.tenant_id = :'tenant'
   AND position('access.refused'::bytea IN e.body) > 0 AND position('aegis.bulk_reveal'::bytea IN e.body) > 0;
SELECT failed_count FROM aegis.user WHERE id = :'ada';
\c - regress_step_gateway
SET client_min_messages = warning;
SELECT status FROM aegis.handle('POST', '/api/regress-dangerous', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
-- the refusal was not kept under its key
SELECT status FROM aegis.handle('POST', '/api/regress-within', ARRAY['authorization', 'Bearer ' || :'token', 'idempotency-key', '"regress-1"'], NULL, NULL, NULL);

-- over HTTP the same
\c - :superuser
SET client_min_messages = warning;
UPDATE aegis.session SET confirmed_at = now() - interval '1 hour' WHERE user_id = :'ada';
\c - regress_step_gateway
SET client_min_messages = warning;
SELECT status, position('urn:aegis:problem:not-confirmed'::bytea IN body) > 0 AS not_confirmed FROM aegis.handle('POST', '/api/session/step-up',
  ARRAY['authorization', 'Bearer ' || :'token', 'content-type', 'application/json'], '{"password": "not the password"}'::bytea, NULL, NULL);
SELECT status FROM aegis.handle('POST', '/api/session/step-up',
  ARRAY['authorization', 'Bearer ' || :'token', 'content-type', 'application/json'], '{"password": "plum quartz lantern 47 river"}'::bytea, NULL, NULL);
SELECT status FROM aegis.handle('POST', '/api/regress-dangerous', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
SELECT status FROM aegis.handle('GET', '/api/session/step-up', ARRAY['authorization', 'Bearer ' || :'token'], NULL, NULL, NULL);
SELECT status FROM aegis.handle('POST', '/api/session/step-up', ARRAY['content-type', 'application/json'], '{"password": "plum quartz lantern 47 river"}'::bytea, NULL, NULL);
-- the password is no way round a second factor
\c - :superuser
SET client_min_messages = warning;
INSERT INTO aegis.second_factor (tenant_id, user_id, status, secret, confirmed_at)
SELECT :'tenant', :'ada', 'active', '\x00'::aegis.sealed_bytea, now();
\c - regress_step_gateway
SET client_min_messages = warning;
SELECT status FROM aegis.handle('POST', '/api/session/step-up',
  ARRAY['authorization', 'Bearer ' || :'token', 'content-type', 'application/json'], '{"password": "plum quartz lantern 47 river"}'::bytea, NULL, NULL);

-- refuses: who has no session
\c - :superuser
SET client_min_messages = warning;
BEGIN;
SELECT aegis.step_up(NULL, 'plum quartz lantern 47 river');
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'try', 'T-2', read_only => false);
SELECT aegis.step_up(NULL, 'plum quartz lantern 47 river');
ROLLBACK;
SELECT has_function_privilege('aegis_gateway', 'aegis.step_up(text, text)', 'execute') AS gateway;
SELECT public.regress_wait();
-- survives: every attempt is recorded, with the session that it confirms, and nothing that was typed
SELECT event, outcome, user_id = :'ada' AS hers, session_id IS NOT NULL AS of_session, detail, count(*) FROM aegis.audit_log
 WHERE tenant_id = :'tenant' AND event LIKE 'auth.step_up%' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 5;
SELECT count(*) AS typed FROM aegis.entry e WHERE e.tenant_id = :'tenant' AND (position('the password'::bytea IN e.body) > 0 OR position('quartz'::bytea IN e.body) > 0);
SELECT aegis.drop_route('POST', '/api/regress-' || r) FROM unnest(ARRAY['dangerous', 'long', 'within']) r;
DROP FUNCTION public.regress_dangerous, public.regress_within, public.regress_wait;
DROP ROLE regress_step_member, regress_step_gateway;
