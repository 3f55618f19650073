-- What a provider says is kept once, without card data, in words that are the same for all; what cannot be trusted leaves its size and
-- a keyed digest. Secrets are published or made for this test, card numbers published test numbers.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
-- The gateway's login may call nothing but the gateway's functions: another one may in this test.
CREATE ROLE regress_hook_caller LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_hook_caller;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_hook_caller;

CREATE SCHEMA t_hook;
CREATE FUNCTION t_hook.padded(key bytea, pad integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE block bytea := key || decode(repeat('00', 64 - octet_length(key)), 'hex');
BEGIN
  FOR i IN 0 .. 63 LOOP block := set_byte(block, i, get_byte(block, i) # pad); END LOOP;
  RETURN block;
END $$;
CREATE FUNCTION t_hook.hmac(key bytea, message bytea) RETURNS bytea LANGUAGE sql AS $$
  SELECT sha256(t_hook.padded(key, 92) || sha256(t_hook.padded(key, 54) || message)) $$;
-- Signs as Stripe, Standard Webhooks or Adyen do, and sends; gives the status.
CREATE FUNCTION t_hook.stripe(endpoint text, body text) RETURNS integer LANGUAGE sql VOLATILE AS $$
  SELECT h.status FROM (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS at) t,
    aegis.handle('POST', '/api/webhooks/stripe/' || endpoint, ARRAY['content-type', 'application/json', 'stripe-signature', format('t=%s,v1=%s', t.at,
      encode(t_hook.hmac('whsec_first_secret', convert_to(t.at || '.' || body, 'UTF8')), 'hex'))], convert_to(body, 'UTF8'), '192.0.2.9', 'r1') h $$;
CREATE FUNCTION t_hook.standard(endpoint text, id text, body text) RETURNS integer LANGUAGE sql VOLATILE AS $$
  SELECT h.status FROM (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS at) t,
    aegis.handle('POST', '/api/webhooks/standard/' || endpoint, ARRAY['content-type', 'application/json', 'webhook-id', id, 'webhook-timestamp', t.at::text, 'webhook-signature',
      'v1,' || encode(t_hook.hmac(decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'), convert_to(format('%s.%s.%s', id, t.at, body), 'UTF8')), 'base64')],
      convert_to(body, 'UTF8'), '192.0.2.9', 'r1') h $$;
CREATE FUNCTION t_hook.adyen(endpoint text, live text, item jsonb) RETURNS integer LANGUAGE sql VOLATILE AS $$
  SELECT h.status FROM (SELECT item || jsonb_build_object('additionalData', coalesce(item -> 'additionalData', '{}') || jsonb_build_object('hmacSignature', encode(t_hook.hmac(
      decode('44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056', 'hex'), convert_to(concat_ws(':', item ->> 'pspReference', coalesce(item ->> 'originalReference', ''),
      item ->> 'merchantAccountCode', coalesce(item ->> 'merchantReference', ''), coalesce(item #>> '{amount,value}', ''), coalesce(item #>> '{amount,currency}', ''), item ->> 'eventCode', item ->> 'success'), 'UTF8')), 'base64'))) AS signed) s,
    aegis.handle('POST', '/api/webhooks/adyen/' || endpoint, '{content-type,application/json}', convert_to(jsonb_build_object('live', live, 'notificationItems',
      jsonb_build_array(jsonb_build_object('NotificationRequestItem', s.signed)))::text, 'UTF8'), '192.0.2.9', 'r1') h $$;
GRANT USAGE ON SCHEMA t_hook TO regress_hook_caller;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t_hook TO regress_hook_caller;
-- What is kept, for whoever tests.
CREATE VIEW t_hook.kept AS SELECT e.provider, e.event_id, e.event_type, e.kind, e.state, e.reason, e.live, e.document, e.body_bytes, e.received_at FROM aegis_app.webhook_event e;

\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS eve FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.create_webhook_endpoint('stripe', 'acct_one', 'whsec_first_secret') AS stripe,
       aegis.create_webhook_endpoint('standard', 'own', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') AS standard,
       aegis.create_webhook_endpoint('adyen', 'TestMerchant', '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056', live => false) AS adyen,
       aegis.create_webhook_endpoint('authorize_net', 'login1', repeat('0123456789ABCDEF', 8), currency => 'USD') AS anet \gset
COMMIT;

-- allows: each message once, whoever sends it how often; card data in it is gone
\c - regress_hook_caller
\set ECHO none
SELECT format('SELECT t_hook.stripe(%L, %L) AS status', :'stripe', s.body) FROM (VALUES ('{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": true, "created": 1766500000, "pending_webhooks": 2, "data": {"object": {"id": "pi_00000001", "amount": 1200, "amount_received": 1200,
  "currency": "eur", "status": "succeeded", "metadata": {"aegis_reference": "AG7Q2M"}, "card": {"number": "4242424242424242", "cvc": "737", "exp_month": 4}, "4242424242424242": "4242 4242 4242 4242"}}}')) s (body), generate_series(1, 3) \gexec
\set ECHO all
-- allows: a delivery that counts otherwise is the same message; refuses: other content under its id
SELECT t_hook.stripe(:'stripe', '{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": true, "created": 1766500000, "pending_webhooks": 1, "data": {"object": {"id": "pi_00000001", "amount": 1200, "amount_received": 1200,
  "currency": "eur", "status": "succeeded", "metadata": {"aegis_reference": "AG7Q2M"}}}}') AS same;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": true, "created": 1766500000, "data": {"object": {"id": "pi_00000001", "amount": 1200, "amount_received": 9999,
  "currency": "eur", "status": "succeeded", "metadata": {"aegis_reference": "AG7Q2M"}}}}') AS other;
-- survives: tests at an address for real money, types nobody asked for, amounts that cannot be
SELECT t_hook.stripe(:'stripe', '{"id": "evt_2", "type": "payment_intent.succeeded", "livemode": false, "data": {"object": {"id": "pi_00000002", "amount_received": 1200, "currency": "eur"}}}') AS test_mode;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_3", "type": "customer.created", "livemode": true, "data": {"object": {"id": "cus_00000003", "name": "Jenny Rosen"}}}') AS unknown;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_4", "type": "payment_intent.succeeded", "livemode": true, "data": {"object": {"id": "pi_00000004", "amount_received": 12.345, "currency": "jpy"}}}') AS unreadable;
-- refuses: what is no JSON or no event, and an account that is not the endpoint's; each leaves its size and digest, once
SELECT t_hook.stripe(:'stripe', '{"id": "evt_5", "id": "evt_6"}') AS twice;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_5", "id": "evt_6"}') AS twice;
SELECT t_hook.stripe(:'stripe', '[]') AS array;
SELECT t_hook.stripe(:'stripe', '{"id": "4242424242424242", "type": "x"}') AS pan_as_id;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_7", "type": 5.5}') AS no_type;
SELECT t_hook.stripe(:'stripe', '{"id": "evt_8", "type": "payment_intent.succeeded", "account": "acct_two"}') AS account;
-- allows: the other providers, in the same words
SELECT t_hook.standard(:'standard', 'msg_1', '{"type": "payment.refunded", "timestamp": "2026-05-04T10:11:12Z", "data": {"transaction_id": "txn_0001", "effect_reference": "re_0001", "reference": "AG7Q2M", "amount_minor": "500", "currency": "EUR"}}') AS standard;
SELECT t_hook.adyen(:'adyen', 'false', '{"pspReference": "8815658961765250", "merchantAccountCode": "TestMerchant", "merchantReference": "AG7Q2M", "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true", "eventDate": "2026-05-04T10:11:12+02:00", "additionalData": {"cardSummary": "1111", "expiryDate": "8/2033"}}') AS adyen;
SELECT t_hook.adyen(:'adyen', 'true', '{"pspReference": "8815658961765251", "merchantAccountCode": "TestMerchant", "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true"}') AS live_mode;
SELECT t_hook.adyen(:'adyen', 'false', '{"pspReference": "8815658961765252", "merchantAccountCode": "OtherMerchant", "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true"}') AS account;
-- HMAC-SHA-512 of this very body, made outside.
SELECT h.status FROM aegis.handle('POST', '/api/webhooks/authorize_net/' || :'anet', ARRAY['content-type', 'application/json', 'x-anet-signature',
  'sha512=E27A859BF6D600BB9FD44E3D506394DA66386ABA9B2B3AF911BF1CC9AD57BFE6139812ACE8C2C01794CC7DC53B30CADA9E98E8D4727284ACD18C0FD0F3BAFCC2'],
  '{"notificationId":"d0e8e7fe-c3e7-4add-a480-27bc5ce28a18","eventType":"net.authorize.payment.authcapture.created","eventDate":"2026-03-29T20:48:02.0080095Z","payload":{"responseCode":1,"authAmount":112.98,"id":"60020981676","merchantReferenceId":"AG7Q2M","entityName":"transaction"}}', '192.0.2.9', 'r1') h;

\c - :superuser
SELECT provider, event_id, event_type, kind, state, reason, live, document IS NOT NULL AS has_document FROM t_hook.kept ORDER BY received_at;
SELECT jsonb_pretty(document) FROM t_hook.kept WHERE event_id = 'evt_1';
SELECT count(*) AS with_card_data FROM t_hook.kept k WHERE (k.event_id, k.event_type, k.document)::text ~ '4242 ?4242|737|Jenny|8/2033';
-- What it says, for whoever settles.
SELECT (s).provider, (s).kind, (s).transaction_id, (s).effect_reference, (s).reference, (s).amount_minor, (s).currency, (s).last_four, (s).result_code, (s).occurred_at AT TIME ZONE 'UTC' AS at, (s).live
  FROM (SELECT aegis_app.webhook_says(e, 'USD', false) AS s FROM aegis_app.webhook_event e WHERE e.kind <> 'ignored' ORDER BY e.received_at) q;
-- What Adyen does not sign is shown, and decides nothing: other values in its place change these columns alone.
SELECT string_agg(o.key, ' ' ORDER BY o.key) AS not_signed FROM aegis_app.webhook_event e,
       LATERAL (SELECT jsonb_set(e.document, '{notificationItems,0,NotificationRequestItem}', (e.document #> '{notificationItems,0,NotificationRequestItem}') ||
         '{"eventDate": "2031-01-01T00:00:00Z", "paymentMethod": "mc", "reason": "other", "additionalData": {"cardSummary": "9999"}}') AS document) a,
       LATERAL (SELECT aegis_app.webhook_says(jsonb_populate_record(e, jsonb_build_object('document', a.document)), 'USD', false) AS says) n,
       jsonb_each(to_jsonb(aegis_app.webhook_says(e, 'USD', false))) o JOIN LATERAL jsonb_each(to_jsonb(n.says)) c USING (key)
 WHERE e.event_id = 'AUTHORISATION.8815658961765250.true' AND o.value IS DISTINCT FROM c.value;
-- Each provider counts in units of its own, exactly or not at all.
SELECT p.provider, c.currency, aegis_app.provider_minor(p.provider, c.currency, c.amount) AS minor
  FROM (VALUES ('stripe'), ('adyen'), ('standard')) p (provider), (VALUES ('EUR', '1130'), ('JPY', '500'), ('KWD', '1500'), ('UGX', '500'), ('MGA', '5'), ('ISK', '500'), ('CLP', '500'), ('IDR', '5')) c (currency, amount)
 WHERE p.provider <> 'standard' OR c.currency IN ('EUR', 'JPY', 'KWD') ORDER BY 1, 2;
SELECT aegis_app.provider_minor('authorize_net', 'USD', '112.98') AS usd, aegis_app.provider_minor('authorize_net', 'JPY', '112') AS jpy;
-- Every currency there and back by each provider that money is asked of; those that it cannot say exactly are refused, and not rounded.
SELECT p.name, count(DISTINCT c.code) AS currencies, bool_and(aegis_app.provider_minor(p.name, c.code, s.says) = m.minor) AS exact,
       string_agg(DISTINCT c.code, ' ') FILTER (WHERE s.says IS NULL) AS not_always
  FROM aegis.payment_provider p, aegis_app.currencies() c, unnest('{1,5,9,100,12345,99999900}'::bigint[]) m (minor),
       LATERAL (SELECT aegis_app.provider_amount(p.name, c.code, m.minor) AS says) s GROUP BY 1 ORDER BY 1;
SELECT aegis_app.provider_minor('authorize_net', 'USD', '112.985');
SELECT aegis_app.provider_minor('stripe', 'ISK', '501');
SELECT aegis_app.provider_minor('stripe', 'EUR', '-500');
SELECT aegis_app.provider_minor('stripe', 'XTS', '1');
SELECT aegis_app.provider_minor('stripe', 'EUR', '9999999999999');

-- refuses: a member who writes down what no provider said; the tables to others; other tenants and ranks
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
INSERT INTO aegis_app.webhook_event (endpoint_id, provider, account, event_id, event_type, state, live, key_id, body_digest, body_bytes)
VALUES (:'stripe', 'stripe', 'acct_one', 'evt_9', 'x', 'received', true, :'stripe' || '.1', sha256('x'), 1);
ROLLBACK TO s;
UPDATE aegis_app.webhook_event SET document = '{}';
ROLLBACK TO s;
DELETE FROM aegis_app.webhook_event;
ROLLBACK TO s;
SELECT (aegis_app.receive_webhook(jsonb_populate_record(NULL::aegis.request, '{"body": {"id": "evt_9", "type": "x"}}'))).status;
ROLLBACK TO s;
UPDATE aegis_app.webhook_event SET state = 'applied';
ROLLBACK TO s;
SELECT count(*) > 0 AS admin_reads FROM aegis_app.webhook_event;
ROLLBACK;
-- refuses: a manager of the root team reads with SQL what the page does not show either
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.create_user('rob@one.example', 'Rob Root', 3::smallint, NULL, 'violet-harbour-paints-16') \g /dev/null
COMMIT;
SELECT token AS rob FROM aegis.sign_in('regress-one', 'rob@one.example', 'violet-harbour-paints-16', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'rob') \g /dev/null
SELECT count(*) AS manager_reads FROM aegis_app.webhook_event;
SELECT aegis_app.reprocess_message(gen_random_uuid());
ROLLBACK;
\c - regress_hook_caller
\set ECHO none
SELECT format('SELECT %L AS who, h.status, jsonb_array_length(convert_from(h.body, ''UTF8'')::jsonb -> ''events'') AS events
  FROM aegis.handle(''GET'', ''/api/webhook-events?limit=100'', ARRAY[''authorization'', ''Bearer '' || %L], NULL, ''192.0.2.9'', ''r1'') h', w.who, w.token)
  FROM (VALUES ('admin', :'ada'), ('manager', :'mia'), ('other tenant', :'eve')) w (who, token) \gexec
\set ECHO all

-- allows: an admin to process a message again, recorded; refuses: what is done, and what nothing was kept of
\c - :superuser
SELECT id AS unreadable FROM aegis_app.webhook_event WHERE event_id = 'evt_4' \gset
SELECT id AS done FROM aegis_app.webhook_event WHERE event_id = 'evt_3' \gset
SELECT id AS quarantined FROM aegis_app.webhook_event WHERE reason = 'malformed' LIMIT 1 \gset
\c - regress_hook_caller
\set ECHO none
SELECT format('SELECT %L AS what, h.status, convert_from(h.body, ''UTF8'')::jsonb ->> ''state'' AS state
  FROM aegis.handle(''POST'', %L, ARRAY[''authorization'', ''Bearer '' || %L], NULL, ''192.0.2.9'', ''r1'') h', w.what, format('/api/webhook-events/%s/reprocess', w.id), :'ada')
  FROM (VALUES ('unreadable', :'unreadable'), ('done', :'done'), ('quarantined', :'quarantined'), ('nothing', gen_random_uuid()::text)) w (what, id) \gexec
\set ECHO all

-- survives: any one of the layers alone, the others switched off
\c - :superuser
\set card '{"data": {"result_code": "4242424242424242", "transaction_id": "txn_0001", "card": {"number": "5555555555554444", "cvc": "737"}}}'
BEGIN;
CREATE OR REPLACE FUNCTION aegis.scrub(value jsonb, profile text DEFAULT 'payload') RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT value';
SELECT aegis.scrub_payload('standard', 'payment.settled', :'card') AS first_alone;
ROLLBACK;
BEGIN;
CREATE OR REPLACE FUNCTION aegis.project_payload(provider text, event text, payload jsonb) RETURNS jsonb LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT payload';
SELECT aegis.scrub_payload('standard', 'payment.settled', :'card') AS second_alone;
ROLLBACK;
BEGIN;
CREATE OR REPLACE FUNCTION aegis.fits_grammar(grammar text, value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT true';
CREATE OR REPLACE FUNCTION aegis.scrub(value jsonb, profile text DEFAULT 'payload') RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'SELECT value';
SELECT aegis.scrub_payload('standard', 'payment.settled', '{"data": {"result_code": "4242424242424242"}}') AS let_through;
ALTER TABLE aegis_app.webhook_event DISABLE TRIGGER require_webhook;
INSERT INTO aegis_app.webhook_event (tenant_id, endpoint_id, provider, account, event_id, event_type, state, live, key_id, body_digest, body_bytes, document)
SELECT e.tenant_id, e.endpoint_id, 'standard', 'own', 'msg_9', 'payment.settled', 'received', true, e.key_id, sha256('x'), 1,
       aegis.scrub_payload('standard', 'payment.settled', '{"data": {"result_code": "4242424242424242"}}') FROM aegis_app.webhook_event e LIMIT 1;
ROLLBACK;
-- What happened is in the ledger; a message that came again is no second entry of the first.
SELECT aegis.wait_sealed(interval '20 s') IS NOT NULL AS sealed \g /dev/null
SELECT l.event, l.outcome, count(*) FROM aegis.audit_log l WHERE l.event ~ '^(webhook|pci)[.]' AND l.tenant_id = (SELECT id FROM aegis.tenants() WHERE slug = 'regress-one') GROUP BY 1, 2 ORDER BY 1;
-- allows: what the reference application declared may be declared once more; refuses: in another form, or anew
SELECT aegis.declare_event('webhook.duplicate', 'a message of a payment provider came again', '{"provider": "clear required"}');
SELECT aegis.declare_event('webhook.duplicate', 'a message of a payment provider came again', '{"provider": "clear"}');
SELECT aegis.declare_event('webhook.invented', 'x');
SET client_min_messages = warning;
DROP SCHEMA t_hook CASCADE;
