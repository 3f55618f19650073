-- Whoever reads the mail of an address makes an organisation with it, once, in this region, and only where that is switched on.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser, current_setting('aegis.region') AS region \gset
CREATE FUNCTION public.regress_wait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT public.regress_wait();
UPDATE aegis.outbox SET state = 'cancelled', lease = NULL, payload = NULL, finished_at = now() WHERE kind = 'mail' AND finished_at IS NULL;
CREATE ROLE regress_sign_up_member LOGIN IN ROLE aegis_member;

-- refuses: as long as it is off, which it is by default
SELECT * FROM aegis.sign_up_open();
\c - regress_sign_up_member
SET client_min_messages = warning;
SELECT aegis.request_sign_up('Regress Ltd', :'region', 'Ada', 'ada@example.test');
\c - :superuser
SET client_min_messages = warning;
ALTER SYSTEM SET aegis.sign_up = on;
SELECT pg_reload_conf();
-- A new session has what the server was told before.
\c
SET client_min_messages = warning;

-- refuses: another region, no address, no name, card data; nothing is mailed
\c - regress_sign_up_member
SET client_min_messages = warning;
SELECT open FROM aegis.sign_up_open();
SELECT aegis.request_sign_up('Regress Ltd', 'MOON', 'Ada', 'ada@example.test');
SELECT aegis.request_sign_up('Regress Ltd', :'region', 'Ada', 'no address');
SELECT aegis.request_sign_up('Regress Ltd', :'region', ' ', 'ada@example.test');
SELECT aegis.request_sign_up(E'Regress\nLtd', :'region', 'Ada', 'ada@example.test');
SELECT aegis.request_sign_up('Regress 4111 1111 1111 1111', :'region', 'Ada', 'ada@example.test');
SELECT aegis.request_sign_up(NULL, NULL, NULL, NULL);

-- allows: the link by mail; nothing is made and nothing readable kept before it was opened
SELECT aegis.request_sign_up('Regress Signed Up', :'region', 'Ada', 'ada@example.test');
\c - :superuser
SET client_min_messages = warning;
SELECT c.mail ->> 'to' AS "to", c.mail ->> 'subject' AS subject, substring(c.mail ->> 'text' FROM '/sign-up#([^\s]+)') AS token
  FROM (SELECT convert_from(payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 10)) c \gset
SELECT :'to' AS "to", :'subject' AS subject, :'token' LIKE 'agu1\_%' AS token;
SELECT count(*) AS waiting, count(*) FILTER (WHERE position('example'::bytea IN asked) > 0) AS readable FROM aegis.sign_up;
SELECT aegis.create_tenant('regress-taken', 'Taken') IS NOT NULL AS other;

-- refuses: a wrong token, a name that is taken or none, a weak password; none of them uses the link up
\c - regress_sign_up_member
SET client_min_messages = warning;
SELECT * FROM aegis.finish_sign_up('agu1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'regress-signed-up', 'plum quartz lantern 47 river');
SELECT * FROM aegis.finish_sign_up(NULL, NULL, NULL);
SELECT * FROM aegis.finish_sign_up(:'token', 'regress-taken', 'plum quartz lantern 47 river');
SELECT * FROM aegis.finish_sign_up(:'token', 'regress-signed-up', 'plum quartz lantern 47 river', taken_elsewhere => true);
SELECT * FROM aegis.finish_sign_up('agu1_LOCAL_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'regress-signed-up', 'plum quartz lantern 47 river', taken_elsewhere => true);
SELECT * FROM aegis.finish_sign_up(:'token', 'Not A Slug', 'plum quartz lantern 47 river');
SELECT * FROM aegis.finish_sign_up(:'token', 'regress-signed-up', 'ada@example.test');
-- allows: the organisation, its admin, and signing in, once
SELECT * FROM aegis.finish_sign_up(:'token', 'regress-signed-up', 'plum quartz lantern 47 river');
SELECT * FROM aegis.finish_sign_up(:'token', 'regress-signed-up-2', 'plum quartz lantern 47 river');
SELECT outcome, token AS ada_token FROM aegis.sign_in('regress-signed-up', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT name, rank, status FROM aegis.users();
SELECT slug, name, region = :'region' AS here FROM aegis.current_tenant();
COMMIT;
\c - :superuser
SET client_min_messages = warning;
SELECT e.event, e.target_kind FROM aegis.audit_log e JOIN aegis.tenant t ON t.id = e.tenant_id WHERE t.slug = 'regress-signed-up' AND e.event LIKE ANY (ARRAY['tenant.%', 'user.%']) ORDER BY e.seq;
SELECT count(*) AS requested FROM aegis.audit_log WHERE event = 'tenant.sign_up_requested';

-- refuses: a fourth mail to one address within an hour, however it is written; nobody is told
SELECT aegis.request_sign_up('Regress Often', :'region', 'Eve', e) AS wait FROM unnest(ARRAY['eve@example.test', ' Eve@example.test', 'EVE@EXAMPLE.TEST', 'eve@example.test', 'eve@example.test ']) e;
SELECT count(*) AS mailed FROM aegis.claim_outbound(ARRAY['mail'], 10);
DELETE FROM aegis.sign_up;

-- survives: a link that is too old, and a service that was closed meanwhile
SELECT aegis.request_sign_up('Regress Late', :'region', 'Bob', 'bob@example.test');
SELECT substring(c.mail ->> 'text' FROM '/sign-up#([^\s]+)') AS token
  FROM (SELECT convert_from(payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 10)) c \gset
UPDATE aegis.sign_up SET expires_at = now();
SELECT outcome FROM aegis.finish_sign_up(:'token', 'regress-late', 'plum quartz lantern 47 river');
UPDATE aegis.sign_up SET expires_at = now() + interval '1 hour';
ALTER SYSTEM RESET aegis.sign_up;
SELECT pg_reload_conf();
-- A new session has what the server was told before.
\c
SET client_min_messages = warning;
SELECT outcome FROM aegis.finish_sign_up(:'token', 'regress-late', 'plum quartz lantern 47 river');
SELECT has_function_privilege('aegis_member', 'aegis.add_first_admin(uuid, text, text, text)', 'execute') AS admin,
       has_function_privilege('aegis_member', 'aegis.seal_outbound(uuid, text, text, bytea)', 'execute') AS seal,
       has_table_privilege('aegis_operator', 'aegis.sign_up', 'select') AS read;
DELETE FROM aegis.outbox WHERE kind = 'mail';
DROP FUNCTION public.regress_wait;
DROP ROLE regress_sign_up_member;
