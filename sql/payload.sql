-- Of a provider's message nothing is kept but the fields that its list names, and of these only what looks as it may; the provider's
-- own references survive the second layer. Card numbers here are published test numbers.
\set VERBOSITY terse
SET client_min_messages = warning;

-- allows: what is needed of each provider's message
SELECT jsonb_pretty(aegis.scrub_payload('stripe', 'charge.succeeded', '{"id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "type": "charge.succeeded",
  "created": 1686089970, "livemode": false, "api_version": "2024-06-20", "data": {"object": {"id": "ch_3NG8Du2eZvKYlo2C1Kv4Oj8w", "object": "charge",
  "amount": 2000, "currency": "usd", "paid": true, "captured": true, "payment_intent": "pi_3NG8Du2eZvKYlo2C1FKiMyZ5", "metadata": {"aegis_reference": "AG7Q2M", "note": "4242424242424242"},
  "billing_details": {"name": "Jenny Rosen", "email": "jenny@example.test"}, "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242",
  "exp_month": 11, "exp_year": 2031, "fingerprint": "mToisGZ01V71BCos", "number": "4242424242424242", "cvc": "737", "checks": {"cvc_check": "pass"}}}}}}'));
SELECT jsonb_pretty(aegis.scrub_payload('authorize_net', 'net.authorize.payment.authcapture.created', '{"notificationId": "d0e8e7fe-c3e7-4add-a480-27bc5ce28a18",
  "eventType": "net.authorize.payment.authcapture.created", "eventDate": "2017-03-29T20:48:02.0080095Z", "payload": {"responseCode": 1, "authCode": "572",
  "avsResponse": "Y", "authAmount": 45.50, "id": "60020981676", "merchantReferenceId": "AG7Q2M", "accountNumber": "XXXX1111", "cvvResultCode": "P",
  "payment": {"creditCard": {"cardNumber": "4111111111111111", "expirationDate": "2031-08", "cardCode": "8765"}}}}'));
SELECT jsonb_pretty(aegis.scrub_payload('adyen', 'AUTHORISATION', '{"live": "false", "notificationItems": [{"NotificationRequestItem": {"pspReference": "8815658961765250",
  "originalReference": "LP5B8G2MNVQZ7W32", "merchantAccountCode": "TestMerchant", "merchantReference": "AG7Q2M", "eventCode": "AUTHORISATION", "success": "true",
  "eventDate": "2026-05-04T10:11:12+02:00", "amount": {"value": 1130, "currency": "EUR"}, "reason": "033899:1111:03/2030", "paymentMethod": "visa",
  "additionalData": {"expiryDate": "8/2033", "cardHolderName": "J. De Tester", "cardBin": "411111", "cardSummary": "1111", "hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}}]}'));
SELECT aegis.scrub_payload('standard', 'payment.settled', '{"type": "payment.settled", "timestamp": "2026-05-04T10:11:12Z", "data": {"transaction_id": "txn_0001",
  "reference": "AG7Q2M", "amount_minor": 1130, "currency": "EUR", "brand": "visa", "last_four": "4242", "holder": "J. De Tester"}}');

-- refuses: values that do not look as their field may, whatever they are
SELECT aegis.project_payload('standard', 'payment.settled', jsonb_build_object('data', jsonb_build_object(f.field, v.value))) AS left_over, f.field, v.value
  FROM (VALUES ('transaction_id'), ('reference'), ('amount_minor'), ('currency'), ('brand'), ('last_four'), ('result_code'), ('live')) f (field),
       (VALUES ('"4242424242424242"'::jsonb), ('4242424242424242'), ('"txn_4242424242424242"'), ('"visa 4242 4242 4242 4242"'), ('{"a": "4242424242424242"}'),
               ('["4242"]'), ('"Ｆｏｕｒ"'), ('null'), ('1e15'), ('"4242\n"')) v (value)
 WHERE aegis.project_payload('standard', 'payment.settled', jsonb_build_object('data', jsonb_build_object(f.field, v.value))) <> '{}'
 ORDER BY 2, 3;
SELECT aegis.project_payload('nobody', 'x', '{"id": 1}') AS of_nobody, aegis.project_payload('stripe', 'x', '[]') AS no_object, aegis.project_payload('stripe', 'x', '"x"') AS a_text,
       aegis.fits_grammar('of nobody', '"x"') AS unknown_grammar;

-- survives: a canary beside, in place of and below every field is gone; each field itself is there
CREATE TEMP TABLE fitting AS SELECT * FROM (VALUES ('amount', '1130'::jsonb), ('boolean', 'true'), ('code', '"1"'), ('currency', '"EUR"'), ('last_four', '"4242"'),
  ('number', '"60020981676"'), ('our_reference', '"AG7Q2M"'), ('psp_reference', '"8815658961765250"'), ('time', '1686089970'), ('token', '"ch_3NG8Du2e"'),
  ('uuid', '"d0e8e7fe-c3e7-4add-a480-27bc5ce28a18"'), ('word', '"visa"')) AS f (grammar, value);
CREATE FUNCTION pg_temp.document(path text[], value jsonb, canary jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  made jsonb := value;
BEGIN
  FOR i IN REVERSE cardinality(path) .. 1 LOOP
    made := CASE path[i] WHEN '*' THEN jsonb_build_array(made, canary) ELSE jsonb_build_object(path[i], made, 'canary', canary) END;
  END LOOP;
  RETURN made;
END $$;
SELECT count(*) > 60 AS many, bool_and(strpos(aegis.project_payload(f.provider, f.event, pg_temp.document(f.path, g.value, '"CANARY"'))::text, 'CANARY') = 0) AS beside,
       bool_and(aegis.project_payload(f.provider, f.event, pg_temp.document(f.path, '"CANARY 1"', '{}')) = '{}') AS in_place,
       bool_and(aegis.project_payload(f.provider, f.event, pg_temp.document(f.path, '{"x": "CANARY"}', '{}')) = '{}') AS below,
       bool_and(strpos(aegis.scrub_payload(f.provider, f.event, pg_temp.document(f.path, g.value, '{}'))::text, g.value::text) > 0) AS itself
  FROM aegis.payload_field f LEFT JOIN fitting g USING (grammar);

-- survives: two thousand references of Adyen's, of which the second layer would take some for card numbers under another name
SELECT count(*) FILTER (WHERE r.doc = aegis.scrub_payload('adyen', 'AUTHORISATION', r.doc)) AS intact,
       count(*) FILTER (WHERE aegis.is_free_of_card_data(r.doc)) AS free,
       count(*) FILTER (WHERE aegis.scrub(jsonb_build_object('x', r.psp)) <> jsonb_build_object('x', r.psp)) > 0 AS needed
  FROM (SELECT s.psp, jsonb_build_object('notificationItems', jsonb_build_array(jsonb_build_object('NotificationRequestItem', jsonb_build_object('pspReference', s.psp)))) AS doc
          FROM (SELECT '8' || lpad(((n * 7654321987651 + 123456789) % 1000000000000000)::text, 15, '0') AS psp FROM generate_series(1, 2000) n) s) r;
-- What the second layer took, and only where the grammar fits, is put back.
SELECT aegis.restore_references(ARRAY(SELECT f FROM aegis.payload_fields('standard', 'x') f WHERE f.reference), 0,
  '{"data": {"transaction_id": "txn_0001", "reference": "4242"}}', '{"data": {"transaction_id": "[scrubbed:pan]", "reference": "[scrubbed:pan]"}}') AS restored,
  aegis.restore_references(ARRAY(SELECT f FROM aegis.payload_fields('standard', 'x') f WHERE f.reference), 0,
  '{"data": {"transaction_id": "4242424242424242"}}', '{"data": {"transaction_id": "[scrubbed:pan]"}}') AS not_restored;

-- allows: operators to name more, recorded; refuses: anybody else, unknown grammars
BEGIN;
SELECT aegis.set_webhook_provider('regress', 'standard');
SELECT aegis.set_payload_field('regress', '%', '{data,word}', 'word');
SELECT aegis.project_payload('regress', 'x', '{"data": {"word": "yes", "other": "no"}}');
SELECT aegis.drop_payload_field('regress', '%', '{data,word}');
SELECT aegis.project_payload('regress', 'x', '{"data": {"word": "yes"}}');
SAVEPOINT s;
SELECT aegis.set_payload_field('regress', '%', '{data,word}', 'anything');
ROLLBACK TO s;
SELECT aegis.drop_payload_field('regress', '%', '{data,word}');
ROLLBACK TO s;
COMMIT;
SELECT event, target_kind, target_id, outcome, detail FROM aegis.audit_log WHERE event IN ('pci.allowlist_changed', 'webhook.provider_added') AND target_id ~ '^regress' ORDER BY seq;
DELETE FROM aegis.webhook_provider WHERE name = 'regress';
SELECT count(*) AS for_everybody FROM pg_proc p, aclexplode(p.proacl) a
 WHERE p.pronamespace = 'aegis'::regnamespace AND p.proname IN ('set_payload_field', 'drop_payload_field', 'set_webhook_provider') AND a.grantee IN (0, 'aegis_member'::regrole);
