-- A report of suspicion is known to whoever filed it and to reporting officers: no row, number, error, list or ledger of the tenant tells anybody else.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE FUNCTION kyc_request(id text, body jsonb DEFAULT NULL, params jsonb DEFAULT '{}', query jsonb DEFAULT '{}') RETURNS aegis.request LANGUAGE sql STABLE
  RETURN ROW('POST', '/', params || jsonb_build_object('id', id), query, '{}'::jsonb, body, NULL::bytea)::aegis.request;
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
SELECT token AS other FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset

-- allows: an admin makes somebody reporting officer, and nobody themselves
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT u.id AS sids FROM aegis.users() u WHERE u.name = 'Sid South' \gset
SELECT (aegis_app.appoint_reporting_officer(public.kyc_request('', jsonb_build_object('user_id', :'sids')))).status;
SELECT (aegis_app.appoint_reporting_officer(public.kyc_request('', jsonb_build_object('user_id', :'sids')))).status;
SAVEPOINT s;
SELECT aegis_app.appoint_reporting_officer(public.kyc_request('', jsonb_build_object('user_id', aegis.user_id())));
ROLLBACK TO s;
INSERT INTO aegis_app.reporting_officer (user_id) VALUES (aegis.user_id());
ROLLBACK TO s;
SELECT aegis_app.appoint_reporting_officer(public.kyc_request('', '{"user_id": "00000000-0000-4000-8000-000000000000"}'));
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.appoint_reporting_officer(public.kyc_request('', jsonb_build_object('user_id', :'sids')));
ROLLBACK TO s;
INSERT INTO aegis_app.reporting_officer (user_id) VALUES (:'sids');
ROLLBACK TO s;
SELECT r.body #>> '{officers,0,name}' AS officer, jsonb_array_length(r.body -> 'officers') AS officers, EXISTS (SELECT FROM aegis.users() u WHERE u.id = :'sids') AS in_range FROM aegis_app.list_reporting_officers(NULL) r;
SELECT r.body ->> 'id' AS person FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "person", "name": "Quentin Reportee"}')) r \gset
COMMIT;
\c - :administrator
SELECT id AS one FROM aegis.tenant WHERE slug = 'regress-one' \gset
SELECT max(seq) AS before FROM aegis.entry \gset

-- allows: who looks for an officer is known to the system's log alone; an officer who cannot act is none
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body #>> '{officers,0,name}' AS officer FROM aegis_app.list_reporting_officers(NULL) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.deactivate_user(:'sids') \g /dev/null
SELECT r.body FROM aegis_app.list_reporting_officers(NULL) r;
ROLLBACK;
\c - :administrator
SELECT l.event, l.target_id, l.tenant_id IS NULL AS of_the_system, l.user_id IS NOT NULL AS actor FROM aegis.audit_log l
 WHERE l.seq > :before AND l.event = 'pii.revealed' AND (l.tenant_id = :'one' OR l.tenant_id IS NULL) ORDER BY l.seq;
SELECT aegis.wait_sealed() \g /dev/null

-- what the manager sees of the subject before there is a report
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT md5(r.body::text) AS file FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r \gset
SELECT md5((aegis_app.get_kyc_queue(NULL)).body::text) AS queue, md5((aegis_app.get_dashboard(NULL)).body::text) AS dashboard \gset
SELECT md5((aegis_app.list_kyc_subjects(NULL)).body::text) AS list \gset
COMMIT;

-- allows: whoever sees the subject files a report, and is told nothing by which to ask again
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body FROM aegis_app.file_suspicion_report(public.kyc_request(:'person', '{"narrative": "paid forty invoices in cash"}')) r;
COMMIT;

-- refuses: everybody else, and the reporter, whatever their rank; the same as before there was a report
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT count(*) FROM aegis_app.suspicion_report;
ROLLBACK TO s;
SELECT * FROM aegis_app.suspicion_reports(NULL, NULL, 10, NULL);
ROLLBACK TO s;
SELECT aegis_app.list_suspicion_reports(public.kyc_request(''));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT count(*) FROM aegis_app.suspicion_report;
ROLLBACK TO s;
INSERT INTO aegis_app.suspicion_report (subject_id, narrative) VALUES (:'person', 'x');
ROLLBACK TO s;
SELECT aegis_app.list_suspicion_reports(public.kyc_request(''));
ROLLBACK TO s;
SELECT aegis_app.get_suspicion_report(public.kyc_request(:'person'));
ROLLBACK TO s;
SELECT aegis_app.close_suspicion(:'person', 'dismissed', 'x', NULL);
ROLLBACK TO s;
SELECT aegis_app.suspicion_report_json(NULL);
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT aegis_app.list_suspicion_reports(public.kyc_request(''));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT md5(r.body::text) = :'file' AS same_file FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT md5((aegis_app.get_kyc_queue(NULL)).body::text) = :'queue' AS same_queue, md5((aegis_app.get_dashboard(NULL)).body::text) = :'dashboard' AS same_dashboard,
       md5((aegis_app.list_kyc_subjects(NULL)).body::text) = :'list' AS same_list;
SELECT r.body #> '{data}' ? 'suspicion_report' AS exported, r.body::text ~ 'cash' AS told FROM aegis_app.export_kyc_subject(public.kyc_request(:'person')) r;
COMMIT;
-- an operator sees no row either
\c - regress_app_operator
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'look for reports', 'TEST-4') \g /dev/null
SELECT count(*) FROM aegis_app.suspicion_report;
ROLLBACK;

-- allows: the officer, of the lowest rank and another team, reads it and says once what became of it
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT jsonb_array_length(r.body -> 'reports') AS reports, r.body #>> '{reports,0,narrative}' AS narrative, r.body #>> '{reports,0,subject_id}' = :'person' AS subject,
       r.body #>> '{reports,0,id}' AS report FROM aegis_app.list_suspicion_reports(public.kyc_request('')) r \gset
SELECT :'reports' AS reports, :'narrative' AS narrative, :'subject' AS subject;
SELECT r.status, r.body ->> 'state' AS state FROM aegis_app.get_suspicion_report(public.kyc_request(:'report')) r;
SELECT r.status FROM aegis_app.get_suspicion_report(public.kyc_request('nobody')) r;
SELECT r.status, r.body ->> 'state' AS state, r.body ->> 'reference' AS reference
  FROM aegis_app.decide_suspicion_report(public.kyc_request(:'report', '{"state": "disclosed", "reason": "cannot be explained", "reference": "NCA 4711"}')) r;
SAVEPOINT s;
SELECT aegis_app.decide_suspicion_report(public.kyc_request(:'report', '{"state": "dismissed", "reason": "on second thoughts"}'));
ROLLBACK TO s;
SELECT aegis_app.decide_suspicion_report(public.kyc_request('nobody', '{"state": "dismissed", "reason": "x"}'));
ROLLBACK TO s;
SELECT count(*) FROM aegis_app.suspicion_report;
ROLLBACK TO s;
SELECT aegis_app.get_kyc_subject(public.kyc_request(:'person'));
ROLLBACK TO s;
COMMIT;
-- or finds no ground for it
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (aegis_app.file_suspicion_report(public.kyc_request(:'person', '{"narrative": "wore sunglasses indoors"}'))).status;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT r.status, r.body ->> 'state' AS state
  FROM aegis_app.list_suspicion_reports(public.kyc_request('')) l,
       aegis_app.decide_suspicion_report(public.kyc_request(l.body #>> '{reports,0,id}', '{"state": "dismissed", "reason": "it was noon"}')) r;
COMMIT;
-- and no longer, once dismissed
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT (aegis_app.dismiss_reporting_officer(public.kyc_request(:'sids'))).status;
SELECT (aegis_app.dismiss_reporting_officer(public.kyc_request(:'sids'))).status;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SELECT aegis_app.list_suspicion_reports(public.kyc_request(''));
ROLLBACK;

-- survives: the tenant's log says nothing of it, and has no gap; the system's log has every step
\c - :administrator
SELECT aegis.wait_sealed() \g /dev/null
SELECT l.event, l.target_id FROM aegis.audit_log l
 WHERE l.tenant_id = :'one' AND (l.event ~ '^suspicion[.](filed|disclosed|dismissed)' OR l.image ->> 'relation' = 'aegis_app.suspicion_report' OR l.target_id ~ 'suspicion_report[.]');
SELECT bool_and(l.leaf = l.place - 1) AS without_gaps FROM (SELECT a.leaf, row_number() OVER (ORDER BY a.leaf) AS place FROM aegis.audit_log a WHERE a.tenant_id = :'one') l;
SELECT DISTINCT l.event, coalesce(l.image ->> 'relation', l.target_kind) AS about, l.image ->> 'operation' AS operation, l.user_id IS NOT NULL AS actor FROM aegis.audit_log l
 WHERE l.tenant_id IS NULL AND (l.event ~ '^suspicion[.]' OR l.image ->> 'relation' = 'aegis_app.suspicion_report' OR l.target_id ~ '^suspicion_report[.]') AND l.event <> 'field.registered' AND l.event <> 'event.declared'
 ORDER BY 1, 3;
SELECT count(*) AS in_clear FROM aegis.entry e, unnest(ARRAY['forty invoices', 'sunglasses', 'NCA 4711', 'be explained', 'it was noon', 'Reportee']) w WHERE (e.tenant_id = :'one' OR e.tenant_id IS NULL) AND position(w::bytea IN e.body) > 0;
SELECT event FROM aegis.audit_log WHERE tenant_id = :'one' AND event ~ '^suspicion[.]' ORDER BY seq;

-- refuses: a route of an operator that would make the withheld one of the application known; allows one that is withheld too
BEGIN;
SAVEPOINT s;
SELECT aegis.register_route('GET', '/api/suspicion-reports', 'aegis_app.list_suspicion_reports(aegis.request)');
ROLLBACK TO s;
SELECT aegis.register_route('GET', '/api/suspicion-reports', 'aegis_app.list_suspicion_reports(aegis.request)', withheld => true);
SELECT withheld FROM aegis.routes() WHERE path = '/api/suspicion-reports';
ROLLBACK;
DROP FUNCTION kyc_request;
