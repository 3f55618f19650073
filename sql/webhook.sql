-- A webhook counts when its provider signed it for the endpoint that it came to, at about this time; then it acts for the tenant of
-- the endpoint, as nobody, and for the length of one transaction. Secrets here are published or made for this test.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset

-- allows: the answers that providers and libraries publish
SELECT aegis.verify_webhook('stripe', 'whsec_test_secret',
  ARRAY['Stripe-Signature', 't=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf'],
  '{"id":"evt_1","type":"checkout.session.completed"}', to_timestamp(1766500000)) AS stripe;
SELECT aegis.verify_webhook('standard', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  ARRAY['webhook-id', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp', '1614265330',
        'webhook-signature', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='], '{"test": 2432232314}', to_timestamp(1614265330)) AS standard;
SELECT aegis.verify_webhook('adyen', '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056', '{}', convert_to(jsonb_build_object(
  'notificationItems', jsonb_build_array(jsonb_build_object('NotificationRequestItem', jsonb_build_object(
    'pspReference', '7914073381342284', 'originalReference', NULL, 'merchantAccountCode', 'TestMerchant', 'merchantReference', 'TestPayment-1407325143704',
    'amount', '{"value": 1130, "currency": "EUR"}'::jsonb, 'eventCode', 'AUTHORISATION', 'success', 'true',
    'additionalData', '{"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}'::jsonb))))::text, 'UTF8')) AS adyen;
SELECT aegis.verify_webhook('adyen_header', '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056',
  ARRAY['HmacSignature', 'dHUnFCWH926aP0TyUjn01+mlkLvdPbn5rgnz80rwTM4='], '{"type":"balancePlatform.transfer.created"}') AS adyen_header;
SELECT aegis.verify_webhook('authorize_net', repeat('0123456789ABCDEF', 8),
  ARRAY['X-ANET-Signature', 'sha512=0361861DAFE4A6DAB03EED31BDA9438196CF9A71E829BA27A83B3754704C7BB6D1DB23FE0AAD9CB2E404E598640FA5F8B706D3B9B387555ED4C4E97179E70683'],
  '{"notificationId":"d0e8e7fe-c3e7-4add-a480-27bc5ce28a18"}') AS authorize_net;

-- refuses: another time, another body, a key that was decoded, headers twice, and a body that is not read by everybody alike
SELECT c.label, aegis.verify_webhook(c.scheme, c.secret, c.headers, convert_to(c.body, 'UTF8'), to_timestamp(c.at))
  FROM (VALUES
    ('late',    'stripe', 'whsec_test_secret', ARRAY['stripe-signature', 't=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf'], '{"id":"evt_1","type":"checkout.session.completed"}', 1766500301),
    ('early',   'stripe', 'whsec_test_secret', ARRAY['stripe-signature', 't=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf'], '{"id":"evt_1","type":"checkout.session.completed"}', 1766499699),
    ('body',    'stripe', 'whsec_test_secret', ARRAY['stripe-signature', 't=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf'], '{"id":"evt_2","type":"checkout.session.completed"}', 1766500000),
    ('twice',   'stripe', 'whsec_test_secret', ARRAY['stripe-signature', 't=1', 'Stripe-Signature', 't=1766500000,v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf'], '{"id":"evt_1","type":"checkout.session.completed"}', 1766500000),
    ('none',    'stripe', 'whsec_test_secret', '{}'::text[], '{}', 1766500000),
    ('decoded', 'authorize_net', repeat('0123456789ABCDEF', 8), ARRAY['x-anet-signature', 'sha512=3FCCF817F3FA693F4682CE794D2483F818D8A427BEF1235E6D89272D7B520D6D41B738B892774DE391FCF8BCA0DD1DCEBB687B083CB6FEEC056009966B211E33'], '{"notificationId":"d0e8e7fe-c3e7-4add-a480-27bc5ce28a18"}', 1766500000),
    ('no item', 'adyen', repeat('0', 64), '{}', '{"notificationItems": []}', 1766500000),
    ('no json', 'adyen', repeat('0', 64), '{}', '{"notificationItems": ', 1766500000),
    ('deep',    'adyen', repeat('0', 64), '{}', repeat('[', 100000), 1766500000),
    ('key twice', 'adyen', repeat('0', 64), '{}', '{"notificationItems": [], "notificationItems": [{"NotificationRequestItem": {}}]}', 1766500000)
  ) AS c (label, scheme, secret, headers, body, at);
SELECT aegis.verify_webhook('paypal', 'x', '{}', '');
SELECT aegis.verify_webhook('stripe', 'sk_test_nothing_of_a_webhook', '{}', '');
SELECT aegis.verify_webhook('stripe', 'whsec_test_secret', '{one}', '');

-- An endpoint, and a handler that says what it is told -----------------------------------------------
CREATE ROLE regress_webhook_member LOGIN IN ROLE aegis_member;
-- The gateway's login may call nothing but the gateway's functions: another one may in this test.
CREATE ROLE regress_webhook_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_webhook_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_webhook_caller;
SELECT aegis.create_tenant('regress-webhook', 'Webhook Ltd') AS tenant, aegis.create_tenant('regress-webhook-2', 'Other Ltd') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@webhook.example', 'Ada', 4::smallint, NULL, 'violet-harbour-paints-11'),
       aegis.create_user('uma@webhook.example', 'Uma', 1::smallint, NULL, 'violet-harbour-paints-12') \g /dev/null
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'set up', 'T-1', read_only => false) \g /dev/null
SELECT aegis.create_user('eve@webhook.example', 'Eve', 4::smallint, NULL, 'violet-harbour-paints-13') \g /dev/null
COMMIT;
CREATE SCHEMA t_webhook;
CREATE FUNCTION t_webhook.take(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  w aegis.webhook := aegis.verified_webhook();
BEGIN
  IF request.body ->> 'fail' IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = request.body ->> 'fail', MESSAGE = 'it fails';
  END IF;
  RETURN aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'rank', aegis.rank(), 'user', aegis.user_id(), 'session', aegis.session_id(),
    'service', aegis.service_id(), 'here', w.endpoint_id = (request.params ->> 'endpoint')::uuid, 'provider', w.provider, 'account', w.account,
    'live', w.live, 'key', split_part(w.key_id, '.', 2), 'digest', octet_length(w.body_digest), 'bytes', w.body_bytes, 'body', request.body));
END $$;
GRANT USAGE ON SCHEMA t_webhook TO aegis_member;
SELECT aegis.register_route('POST', '/t/hooks/{provider}/{endpoint}', 't_webhook.take(aegis.request)', public => true, credentials => '{webhook}', body_limit => 1000);
-- refuses: a route that the gateway would not let through, or that people could call
SELECT aegis.register_route('POST', '/t/hooks/{provider}/{endpoint}/x', 't_webhook.take(aegis.request)', credentials => '{webhook}');
SELECT aegis.register_route('POST', '/t/hooks/{provider}/{endpoint}/x', 't_webhook.take(aegis.request)', public => true, credentials => '{webhook,session}');
SELECT aegis.register_route('POST', '/t/hooks/{provider}', 't_webhook.take(aegis.request)', public => true, credentials => '{webhook}');

-- HMAC-SHA-256 and Stripe's header, written for this test.
CREATE FUNCTION t_webhook.padded(key bytea, pad integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE block bytea := key || decode(repeat('00', 64 - octet_length(key)), 'hex');
BEGIN
  FOR i IN 0 .. 63 LOOP block := set_byte(block, i, get_byte(block, i) # pad); END LOOP;
  RETURN block;
END $$;
CREATE FUNCTION t_webhook.hmac(key bytea, message bytea) RETURNS bytea LANGUAGE sql AS $$
  SELECT sha256(t_webhook.padded(key, 92) || sha256(t_webhook.padded(key, 54) || message)) $$;
CREATE FUNCTION t_webhook.sign(secret text, body bytea, skew integer DEFAULT 0) RETURNS text[] LANGUAGE sql AS $$
  SELECT ARRAY['Content-Type', 'application/json', 'Stripe-Signature', format('t=%s,v1=%s', t.at,
         encode(t_webhook.hmac(convert_to(secret, 'UTF8'), convert_to(t.at || '.', 'UTF8') || body), 'hex'))]
    FROM (SELECT floor(extract(epoch FROM clock_timestamp()) + skew)::bigint AS at) t $$;
CREATE FUNCTION t_webhook.send(target text, secret text, sent bytea, skew integer DEFAULT 0, OUT status integer, OUT body jsonb) LANGUAGE sql VOLATILE AS $$
  SELECT h.status, convert_from(h.body, 'UTF8')::jsonb FROM aegis.handle('POST', target, t_webhook.sign(secret, sent, skew), sent, '192.0.2.9', 'r1') h $$;
GRANT USAGE ON SCHEMA t_webhook TO regress_webhook_caller;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t_webhook TO regress_webhook_caller;

\c - regress_webhook_member
SELECT token AS ada FROM aegis.sign_in('regress-webhook', 'ada@webhook.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-webhook', 'uma@webhook.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS eve FROM aegis.sign_in('regress-webhook-2', 'eve@webhook.example', 'violet-harbour-paints-13', '192.0.2.1', 'test', 't') \gset
-- refuses: users, unknown providers, secrets of another form, an account that is in use
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', 'whsec_first_secret');
ROLLBACK TO s;
SELECT * FROM aegis.webhook_endpoints();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis.create_webhook_endpoint('nobody', 'acct_1', 'whsec_first_secret');
ROLLBACK TO s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', 'first_secret');
ROLLBACK TO s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', NULL);
ROLLBACK TO s;
SELECT aegis.create_webhook_endpoint('stripe', '4242424242424242', 'whsec_first_secret');
ROLLBACK TO s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', 'whsec_first_secret') AS endpoint \gset
SAVEPOINT s;
SELECT aegis.create_webhook_endpoint('stripe', 'acct_1', 'whsec_first_secret');
ROLLBACK TO s;
COMMIT;
-- refuses: tables and helpers to members
SELECT * FROM aegis.webhook_secret;
SELECT aegis.seal_webhook_secret('stripe', 'x', 'whsec_first_secret');

\c - regress_webhook_caller
\set target '/t/hooks/stripe/' :endpoint
-- allows: the signed body, and the tenant's context for it, of nobody and of no rank
SELECT * FROM t_webhook.send(:'target', 'whsec_first_secret', '{"a": 1.50}');
-- allows: an Authorization of the provider's own, which counts for nothing
SELECT h.status FROM aegis.handle('POST', :'target', t_webhook.sign('whsec_first_secret', '{}') || ARRAY['authorization', 'Basic eDp5'], '{}', '192.0.2.9', 'r1') h;
-- allows: a handler is told that a signed body is no JSON
\set ECHO none
SELECT format('SELECT %L AS label, status, body -> ''body'' AS body FROM t_webhook.send(%L, ''whsec_first_secret'', %L)', b.label, :'target', b.sent)
  FROM (VALUES ('key twice', '{"a": 1, "a": 2}'::bytea), ('NaN', '{"a": NaN}'), ('deep', convert_to(repeat('[', 900), 'UTF8')), ('cut', '{"a": "'),
               ('no UTF-8', '\x7b2261223a22ff227d')) b (label, sent) \gexec
\set ECHO all
-- refuses: no signature, a wrong secret, other bytes, other times
SELECT c.label, h.status, convert_from(h.body, 'UTF8')::jsonb ->> 'type' AS type
  FROM (VALUES ('none', ARRAY['content-type', 'application/json']),
               ('secret', t_webhook.sign('whsec_other_secret', '{}')), ('bytes', t_webhook.sign('whsec_first_secret', '{ }')),
               ('late', t_webhook.sign('whsec_first_secret', '{}', -310)), ('early', t_webhook.sign('whsec_first_secret', '{}', 310))) c (label, headers),
       aegis.handle('POST', :'target', c.headers, '{}', '192.0.2.9', 'r1') h;
-- refuses: endpoints that are not there, another provider's, ids in another spelling; other content, and too much of it
SELECT h.status FROM unnest(ARRAY['/t/hooks/stripe/00000000-0000-0000-0000-000000000000', '/t/hooks/stripe/x', '/t/hooks/adyen/' || :'endpoint',
                                  '/t/hooks/stripe/' || upper(:'endpoint')]) t (target),
       aegis.handle('POST', t.target, t_webhook.sign('whsec_first_secret', '{}'), '{}', '192.0.2.9', 'r1') h WHERE t.target <> :'target';
SELECT h.status FROM aegis.handle('POST', :'target', (t_webhook.sign('whsec_first_secret', '{}'))[3:], '{}', '192.0.2.9', 'r1') h;
SELECT status FROM t_webhook.send(:'target', 'whsec_first_secret', convert_to(repeat(' ', 1001), 'UTF8'));
-- survives: whatever its handler fails with, the provider is told to come again
\set ECHO none
SELECT format('SELECT %L AS code, status, body ->> ''type'' AS type FROM t_webhook.send(%L, ''whsec_first_secret'', %L)', s.code, :'target', convert_to(format('{"fail": "%s"}', s.code), 'UTF8'))
  FROM unnest(ARRAY['22023', '23505', '42501', 'P0001', 'XX000']) s (code) \gexec
\set ECHO all

-- allows: two secrets beside each other, and which of them signed
\c - regress_webhook_member
BEGIN;
SELECT aegis.authenticate(:'eve') \g /dev/null
SELECT count(*) AS of_others FROM aegis.webhook_endpoints();
SAVEPOINT s;
SELECT aegis.add_webhook_secret(:'endpoint', 'whsec_eves_secret');
ROLLBACK TO s;
SELECT aegis.disable_webhook_endpoint(:'endpoint');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT split_part(aegis.add_webhook_secret(:'endpoint', 'whsec_second_secret'), '.', 2) AS key;
SELECT e.provider, e.account, e.live, jsonb_array_length(e.keys) AS keys, e.keys #>> '{0,not_after}' IS NOT NULL AS first_ends FROM aegis.webhook_endpoints() e;
COMMIT;
\c - regress_webhook_caller
SELECT status, body ->> 'key' AS key FROM t_webhook.send(:'target', 'whsec_first_secret', '{}');
SELECT status, body ->> 'key' AS key FROM t_webhook.send(:'target', 'whsec_second_secret', '{}');
-- refuses: the first of three, a secret whose time is over, one that was retired
\c - regress_webhook_member
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT split_part(aegis.add_webhook_secret(:'endpoint', 'whsec_third_secret', '0'), '.', 2) AS key;
COMMIT;
\c - regress_webhook_caller
SELECT s.secret, (t_webhook.send(:'target', s.secret, '{}')).status FROM unnest(ARRAY['whsec_first_secret', 'whsec_second_secret', 'whsec_third_secret']) s (secret);
\c - regress_webhook_member
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.retire_webhook_secret(:'endpoint', :'endpoint' || '.3');
SAVEPOINT s;
SELECT aegis.retire_webhook_secret(:'endpoint', :'endpoint' || '.3');
ROLLBACK TO s;
COMMIT;
\c - regress_webhook_caller
SELECT status FROM t_webhook.send(:'target', 'whsec_third_secret', '{}');

-- survives: what a suspended tenant is paid comes again later; an endpoint that is gone is gone
\c - :superuser
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'next secret', 'T-2', read_only => false) \g /dev/null
SELECT split_part(aegis.add_webhook_secret(:'endpoint', 'whsec_fourth_secret'), '.', 2) AS key;
COMMIT;
SELECT aegis.suspend_tenant(:'tenant', 'does not pay') \g /dev/null
\c - regress_webhook_caller
SELECT status FROM t_webhook.send(:'target', 'whsec_fourth_secret', '{}');
\c - :superuser
SELECT aegis.reactivate_tenant(:'tenant', 'pays') \g /dev/null
\c - regress_webhook_caller
SELECT status FROM t_webhook.send(:'target', 'whsec_fourth_secret', '{}');
\c - :superuser
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'gone', 'T-3', read_only => false) \g /dev/null
SELECT aegis.disable_webhook_endpoint(:'endpoint');
COMMIT;
\c - regress_webhook_caller
SELECT status FROM t_webhook.send(:'target', 'whsec_fourth_secret', '{}');

-- survives: what admins did is recorded, and so is that somebody sent what was not signed; a secret is nowhere in clear
\c - :superuser
SELECT aegis.wait_sealed(interval '20 s') IS NOT NULL AS sealed \g /dev/null
DO $$
BEGIN
  FOR i IN 1 .. 200 LOOP
    EXIT WHEN EXISTS (SELECT FROM aegis.audit_log WHERE event = 'webhook.rejected');
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT l.event, l.outcome, bool_and(l.tenant_id = :'tenant'::uuid) AS ours FROM aegis.audit_log l WHERE l.event LIKE 'webhook.%' GROUP BY 1, 2 ORDER BY 1;
SELECT count(*) AS in_clear FROM aegis.webhook_secret s WHERE position('_secret'::bytea IN s.secret) > 0;
SELECT aegis.verified_webhook() IS NULL AS none_now;
SELECT aegis.drop_route('POST', '/t/hooks/{provider}/{endpoint}');
SET client_min_messages = warning;
DROP SCHEMA t_webhook CASCADE;
