-- Money is whole minor units of a currency of ISO 4217, and never a float: what goes in comes out, for every currency.
\set VERBOSITY terse
SELECT current_user AS administrator \gset

-- allows: every currency there and back, at the ends and around zero; the decimals that ISO 4217 gives
SELECT count(DISTINCT c.code) AS currencies, bool_and(coalesce(aegis_app.to_minor(aegis_app.to_decimal(m.minor, c.code), c.code) = m.minor, false)) AS round_trips
  FROM aegis_app.currencies() c, unnest('{0,-1,9,101,12345,9007199254740993,9223372036854775807,-9223372036854775808}'::bigint[]) m(minor);
SELECT c.exponent, count(*), string_agg(c.code, ' ' ORDER BY c.code) FILTER (WHERE c.exponent <> 2) AS codes FROM aegis_app.currencies() c GROUP BY 1 ORDER BY 1;
SELECT code FROM (SELECT code, count(*) FROM aegis_app.currencies() GROUP BY 1 HAVING count(*) > 1 OR code !~ '^[A-Z]{3}$') twice;
SELECT aegis_app.to_decimal(12345, c) AS decimal, c FROM unnest('{JPY,KWD,UGX,MGA,GBP,UYW,XAU}'::text[]) c;
-- refuses: more decimals than there are, what is no number, what does not fit
\set VERBOSITY sqlstate
SELECT aegis_app.to_minor('1.5', 'JPY');
SELECT aegis_app.to_minor('1.234', 'GBP');
SELECT aegis_app.to_minor('1e3', 'GBP');
SELECT aegis_app.to_minor('', 'GBP');
SELECT aegis_app.to_minor('1', 'XAU');
SELECT aegis_app.to_minor('92233720368547758.08', 'GBP');
SELECT aegis_app.round_minor(9223372036854775807.5, 'half-up');
\set VERBOSITY terse
-- allows: halves away from zero, or to the even neighbour
SELECT a AS amount, aegis_app.round_minor(a, 'half-up') AS half_up, aegis_app.round_minor(a, 'half-even') AS half_even
  FROM unnest('{-2.5,-1.5,-0.5,0.5,1.5,2.5,2.4999,2.5001,3.5}'::numeric[]) a;

\c - regress_app
SELECT token AS other FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset
\set request 'jsonb_populate_record(NULL::aegis.request, jsonb_build_object(''params'', jsonb_build_object(''id'', :''invoice''), ''body'', :''body''::jsonb))'
\set invoice ''
\set draft 'SELECT r.body ->> ''id'' AS invoice, r.body ->> ''subtotal_minor'' AS subtotal, r.body ->> ''tax_minor'' AS tax, r.body ->> ''total_minor'' AS total, jsonb_path_query_array(r.body, ''$.lines[*].amount_minor'') AS amounts, jsonb_path_query_array(r.body, ''$.lines[*].tax_minor'') AS taxes, jsonb_path_query_array(r.body, ''$.lines[*].quantity'') AS quantities FROM aegis_app.create_invoice(:request) r'

-- allows: a tenant decides how halves and tax are taken, before the first invoice; each way has its sums
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT (aegis_app.get_invoice_settings(NULL)).body;
SELECT (aegis_app.create_customer(jsonb_populate_record(NULL::aegis.request, '{"body": {"name": "Buyer"}}'))).body ->> 'id' AS buyer \gset
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'EUR', 'lines', '[{"description": "a", "quantity": "0.5", "unit_minor": "5", "tax_rate": 10},
  {"description": "b", "quantity": 2.5, "unit_minor": 101, "tax_rate": "10"}, {"description": "c", "quantity": 3, "unit_minor": 33, "tax_rate": 10}, {"description": "d", "quantity": "0.333333", "unit_minor": "300"}]'::jsonb) AS lines \gset
SAVEPOINT s;
\set body :lines
:draft \gset
SELECT :subtotal AS subtotal, :tax AS tax, :total AS total, :'amounts' AS amounts, :'taxes' AS taxes, :'quantities' AS quantities;
-- refuses: another way, once there is an invoice
\set body '{"rounding": "half-even"}'
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.change_invoice_settings(:request) r;
ROLLBACK TO s;
\set body '{"rounding": "half-even"}'
SELECT (aegis_app.change_invoice_settings(:request)).body;
\set body :lines
:draft \gset
SELECT :subtotal AS subtotal, :tax AS tax, :total AS total, :'amounts' AS amounts, :'taxes' AS taxes;
ROLLBACK TO s;
\set body '{"tax_by": "invoice"}'
SELECT (aegis_app.change_invoice_settings(:request)).body;
\set body :lines
:draft \gset
SELECT :subtotal AS subtotal, :tax AS tax, :total AS total, :'amounts' AS amounts, :'taxes' AS taxes;

-- allows: another prefix; the number goes on
\set body '{"number_prefix": "2031/A-"}'
SELECT (aegis_app.change_invoice_settings(:request)).body ->> 'number_prefix' AS prefix;
\set body '{}'
SELECT r.status, r.body ->> 'number' AS number FROM aegis_app.send_invoice(:request) r;
SELECT * FROM aegis_app.check_gapless();
-- allows: the hash is that of the bytes which are given out
SELECT r.status, encode(sha256(r.file), 'hex') = (aegis_app.get_invoice(:request)).body ->> 'content_sha256' AS same,
       convert_from(r.file, 'UTF8')::jsonb - '{id,customer_id}'::text[] AS content FROM aegis_app.get_invoice_content(:request) r;
SELECT aegis_app.content_holds(i) AS holds FROM aegis_app.invoice i WHERE i.id = :'invoice';
-- refuses: prefixes that end in a digit or hold other characters; sums that are too large; lines that are none
SAVEPOINT s;
\set body '{"number_prefix": "A1"}'
SELECT aegis_app.change_invoice_settings(:request);
ROLLBACK TO s;
\set body '{"number_prefix": "é"}'
SELECT aegis_app.change_invoice_settings(:request);
ROLLBACK TO s;
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'EUR', 'lines', (SELECT jsonb_agg('{"description": "x", "quantity": 1000000, "unit_minor": "999999999999"}'::jsonb) FROM generate_series(1, 10))) AS body \gset
SELECT aegis_app.create_invoice(:request);
ROLLBACK TO s;
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'EUR', 'lines', '[{"description": "x", "quantity": "0.0000001", "unit_minor": 1}]'::jsonb) AS body \gset
SELECT aegis_app.create_invoice(:request);
ROLLBACK TO s;
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'EUR', 'lines', '[{"description": "x", "quantity": "1e3", "unit_minor": 1}]'::jsonb) AS body \gset
SELECT aegis_app.create_invoice(:request);
ROLLBACK TO s;
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'EUR', 'lines', '[{"description": "x", "unit_minor": 1, "tax_rate": 101}]'::jsonb) AS body \gset
SELECT aegis_app.create_invoice(:request);
ROLLBACK TO s;
SELECT jsonb_build_object('customer_id', :'buyer', 'currency', 'XAU') AS body \gset
SELECT aegis_app.create_invoice(:request);
ROLLBACK TO s;
-- refuses: sums of a line by hand that are not its own
UPDATE aegis_app.invoice SET total_minor = 1 WHERE id = :'invoice';
ROLLBACK TO s;
COMMIT;
-- refuses: a look at the numbers by somebody who does not see them all
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT * FROM aegis_app.check_gapless();
ROLLBACK;
-- survives: who changed the settings is recorded, and what they became; what a superuser changes behind the triggers shows in the hash
\c - :administrator
SET client_min_messages = warning;
SELECT l.event, l.target_id, l.outcome, l.user_id IS NOT NULL AS by_somebody, l.detail FROM aegis.audit_log l
 WHERE l.event = 'invoice.settings_changed' AND l.tenant_id = (SELECT i.tenant_id FROM aegis_app.invoice i WHERE i.id = :'invoice') ORDER BY l.seq;
UPDATE aegis_app.invoice_line SET unit_minor = 102, amount_minor = 255 WHERE invoice_id = :'invoice' AND position = 2;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT aegis_app.content_holds(i) AS holds FROM aegis_app.invoice i WHERE i.id = :'invoice';
COMMIT;
-- survives: a number that was taken away is missing
\c - :administrator
SET client_min_messages = warning;
UPDATE aegis_app.invoice_series SET next = next + 2 WHERE tenant_id = (SELECT i.tenant_id FROM aegis_app.invoice i WHERE i.id = :'invoice');
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT * FROM aegis_app.check_gapless();
COMMIT;
