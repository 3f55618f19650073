-- Whoever has the link of an invoice begins to pay it, at an account that payers are offered, and sees nothing but that attempt.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE ROLE regress_payer LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_payer;
GRANT EXECUTE ON FUNCTION aegis.handle TO regress_payer;
-- What a handler for links would read if it asked for everything: registered by an operator for this test.
CREATE SCHEMA t_payer;
GRANT USAGE ON SCHEMA t_payer TO aegis_member;
CREATE FUNCTION t_payer.look(request aegis.request) RETURNS aegis.response LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT aegis.respond(200, jsonb_build_object(
    'attempts', (SELECT count(*) FROM aegis_app.checkout), 'accounts', (SELECT jsonb_agg(a.account) FROM aegis_app.provider_account a),
    'payments', (SELECT count(*) FROM aegis_app.payment), 'refunds', (SELECT count(*) FROM aegis_app.refund))) $$;
GRANT EXECUTE ON FUNCTION t_payer.look TO aegis_member;
SELECT aegis.register_route('GET', '/regress/look', 't_payer.look(aegis.request)', public => true, credentials => '{link}', scope => 'invoice');
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT id AS stripe FROM aegis_app.provider_account WHERE account = 'acct_regress' \gset
SELECT regress_invoice(2500) AS invoice \gset
SELECT r.body ->> 'token' AS token FROM aegis_app.create_invoice_link(regress_body('{}', jsonb_build_object('id', :'invoice'))) r \gset
-- allows: a live account is offered unless said, one for tests is not
SELECT account, live, offered FROM aegis_app.provider_account ORDER BY account;
SELECT aegis_app.connect_account('stripe', 'acct_real', 'GBP', true, 'regress-stripe', 'https://pay.example/back', '{"key": "sk_live"}') AS real \gset
SELECT offered FROM aegis_app.provider_account WHERE id = :'real';
SELECT (aegis_app.patch_account(regress_body('{"offered": false}', jsonb_build_object('id', :'real')))).status;
-- refuses: what is neither true nor false
SAVEPOINT s;
SELECT aegis_app.patch_account(regress_body('{"offered": "yes"}', jsonb_build_object('id', :'real')));
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT aegis_app.patch_account(regress_body('{"offered": true}', jsonb_build_object('id', :'real')));
ROLLBACK;

\c - regress_payer
\set ask 'SELECT h.status, convert_from(h.body, ''UTF8'')::jsonb AS body FROM aegis.handle('
\set by ', ARRAY[''authorization'', ''Bearer '' || '
\set end '], NULL, ''192.0.2.9'', ''r1'') h'
-- refuses: where no account is offered, and whoever has no link
:ask 'POST', '/api/invoice-view/checkout' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb ->> 'type' AS problem;
:ask 'POST', '/api/invoice-view/checkout' :by :'uma' :end \gset
SELECT :status AS status;
:ask 'POST', '/api/invoice-view' :by :'token' :end \gset
SELECT :'body'::jsonb -> 'payable' AS payable;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT (aegis_app.patch_account(regress_body('{"offered": true}', jsonb_build_object('id', :'real')))).status;
COMMIT;
\c - regress_payer
-- allows: an attempt, and the same when it is asked for again; of others it sees nothing
:ask 'POST', '/api/invoice-view/checkout' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb - 'expires_at' AS body;
:ask 'POST', '/api/invoice-view/checkout' :by :'token' :end \gset
SELECT :status AS status;
:ask 'GET', '/api/invoice-view/checkout' :by :'token' :end \gset
SELECT :status AS status, :'body'::jsonb ->> 'status' AS state;
:ask 'GET', '/regress/look' :by :'token' :end \gset
SELECT :'body'::jsonb AS sees;
:ask 'POST', '/api/invoice-view' :by :'token' :end \gset
SELECT :'body'::jsonb -> 'payable' AS payable;
-- survives: a link began it, and nobody of the tenant
\c - :administrator
SET client_min_messages = warning;
SELECT event, way, user_id IS NULL AS nobody, detail FROM aegis.audit_log WHERE event = 'payment.checkout.created' AND way = 'link';
SELECT event, outcome, detail - 'account' AS detail FROM aegis.audit_log WHERE event = 'payment.account_offered' ORDER BY seq;
SELECT aegis.drop_route('GET', '/regress/look') \g /dev/null
DROP SCHEMA t_payer CASCADE;
DROP OWNED BY regress_payer;
DROP ROLE regress_payer;
