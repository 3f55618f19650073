-- What was found out in a check is kept as long as the law says, used no more where that is asked for, given to the person, and erased when its time is over.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE FUNCTION kyc_request(id text, body jsonb DEFAULT NULL, method text DEFAULT 'POST') RETURNS aegis.request LANGUAGE sql STABLE
  RETURN ROW(method, '/', jsonb_build_object('id', id), '{}'::jsonb, '{}'::jsonb, body, NULL::bytea)::aegis.request;
CREATE FUNCTION kyc_pixel() RETURNS bytea LANGUAGE sql IMMUTABLE
  RETURN decode('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c636460f85f0f0002870180eb47ba920000000049454e44ae426082', 'hex');
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS leo FROM aegis.sign_in('regress-one', 'leo@one.example', 'violet-harbour-paints-13', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body ->> 'id' AS person FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "person", "name": "Vera Forgetmenot",
  "identity": {"email": "vera@forgetmenot.example", "national_id": "FG 99 88 77 A", "source_of_wealth": "lottery", "date_of_birth": "1971-12-01"}}')) r \gset
SELECT r.body ->> 'id' AS document FROM aegis_app.upload_kyc_document(public.kyc_request(:'person', jsonb_build_object('type', 'passport', 'number', 'P 123', 'file_name', 'vera.png',
  'content', encode(public.kyc_pixel(), 'base64')))) r \gset
SELECT r.status FROM aegis_app.record_kyc_screening(public.kyc_request(:'person', '{"kind": "pep", "provider": "example-lists", "list_version": "2026-11-27", "matches": [{"name": "Vera F.", "score": 71}]}')) r;
SELECT r.body ->> 'id' AS decision FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "offboard", "rationale": "closed her account"}')) r \gset
SELECT r.body ->> 'id' AS company FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "company", "name": "Forgetmenot Ltd"}')) r \gset
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'person', 'share_bps', 10000)))).status;
COMMIT;

-- the rules, by region
SELECT region, keep, basis FROM aegis_app.kyc_retention_rules() ORDER BY 1;

-- allows: the data of a person for the person: what its class says, in clear, whatever the date style; refuses lower ranks
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SET LOCAL datestyle = 'German';
SELECT jsonb_pretty(r.body -> 'data') AS data, jsonb_array_length(r.body -> 'files') AS files FROM aegis_app.export_kyc_subject(public.kyc_request(:'person')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.export_kyc_subject(public.kyc_request(:'person'));
ROLLBACK TO s;
SELECT aegis_app.restrict_kyc_subject(public.kyc_request(:'person', '{"basis": "accuracy"}', 'PUT'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_subject SET restriction = 'accuracy' WHERE id = :'person';
ROLLBACK TO s;
SELECT aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{}'));
ROLLBACK TO s;
INSERT INTO aegis_app.kyc_erasure (subject_id, origin) VALUES (:'person', 'subject');
ROLLBACK TO s;
SELECT aegis_app.place_kyc_hold(public.kyc_request(:'person', '{"reason": "x"}'));
ROLLBACK;

-- refuses: erasure while the relationship goes on; nothing is restricted then
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.status, r.body ->> 'state' AS state, r.body ->> 'hindrance' AS hindrance FROM aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{}')) r;
SELECT r.body -> 'restriction' AS restriction FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT r.body ->> 'hindrance' AS hindrance, r.body -> 'until' AS until, (r.body #>> '{rule,years}')::integer = extract(year FROM k.keep) AS years, r.body #>> '{rule,basis}' = k.basis AS law,
       r.body #>> '{erasures,0,state}' AS asked, jsonb_array_length(r.body -> 'holds') AS holds FROM aegis_app.kyc_retention() k, LATERAL aegis_app.get_kyc_privacy(public.kyc_request(:'person')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT count(*) FILTER (WHERE event ~ '^kyc[.]') > 0 AS kyc, count(*) FILTER (WHERE event !~ '^kyc[.]') AS privacy FROM aegis_app.kyc_event WHERE subject_id = :'person';
SELECT aegis_app.get_kyc_privacy(public.kyc_request(:'person'));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT DISTINCT event FROM aegis_app.kyc_event WHERE subject_id = :'person' AND event !~ '^kyc[.]';
COMMIT;

-- allows: restriction; managers see, nobody changes, others see nothing
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT (aegis_app.restrict_kyc_subject(public.kyc_request(:'person', '{"basis": "accuracy"}', 'PUT'))).status;
SELECT r.body ->> 'restriction' AS restriction, r.body ->> 'name' AS name FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SAVEPOINT s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"name": "Other"}'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_subject SET name = 'Other' WHERE id = :'person';
ROLLBACK TO s;
UPDATE aegis_app.kyc_person SET address = 'elsewhere' WHERE subject_id = :'person';
ROLLBACK TO s;
INSERT INTO aegis_app.kyc_review (subject_id, cause) VALUES (:'person', 'event');
ROLLBACK TO s;
UPDATE aegis_app.kyc_person SET restricted = false;
ROLLBACK TO s;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}'));
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT (SELECT count(*) FROM aegis_app.kyc_subject WHERE id = :'person') AS subjects, (SELECT count(*) FROM aegis_app.kyc_person WHERE subject_id = :'person') AS people,
       (SELECT count(*) FROM aegis_app.kyc_document WHERE subject_id = :'person') AS documents, (SELECT count(*) FROM aegis_app.kyc_document_content WHERE subject_id = :'person') AS files,
       (SELECT count(*) FROM aegis_app.kyc_event WHERE subject_id = :'person') AS events, (SELECT count(*) FROM aegis_app.kyc_match WHERE subject_id = :'person') AS matches, (SELECT count(*) FROM aegis_app.kyc_decision WHERE subject_id = :'person') AS decisions;
-- but that there is somebody who owns a company stands in the way of its approval all the same
SELECT u.owner_id = :'person' AS unseen, u.share_bps FROM aegis_app.kyc_beneficial_owners(:'company') u;
SELECT jsonb_path_query_array(r.body, '$.findings[*].finding') ? 'owner-not-approved' AS not_approved FROM aegis_app.get_kyc_subject(public.kyc_request(:'company')) r;
SAVEPOINT s;
SELECT aegis_app.get_kyc_subject(public.kyc_request(:'person'));
ROLLBACK TO s;
SELECT aegis_app.get_kyc_content(public.kyc_request(:'document'));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT (aegis_app.restrict_kyc_subject(public.kyc_request(:'person', NULL, 'DELETE'))).status;
SELECT (aegis_app.restrict_kyc_subject(public.kyc_request(:'person', NULL, 'DELETE'))).status;
SELECT r.body ->> 'state' AS state FROM aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}')) r;
-- refuses: erasure within the time of retention, with a date; the data is restricted instead
SELECT r.body ->> 'state' AS state, r.body ->> 'hindrance' AS hindrance, r.body ->> 'basis' AS basis, r.body ->> 'until' = to_char(aegis_app.today() + k.keep, 'YYYY-MM-DD') AS until_then
  FROM aegis_app.kyc_retention() k, LATERAL aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{}')) r;
SELECT r.body ->> 'restriction' AS restriction FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
-- what managers decided about the data is in its history for managers; what was written while it was restricted is restricted
SELECT string_agg(e.value ->> 'event', ' ' ORDER BY e.place) AS events FROM aegis_app.get_kyc_history(public.kyc_request(:'person', NULL)) r, jsonb_array_elements(r.body -> 'events') WITH ORDINALITY e(value, place)
 WHERE e.value ->> 'event' ~ '^privacy[.]';
SELECT bool_and(restricted) AS restricted, count(*) > 0 AS there FROM aegis_app.kyc_event WHERE subject_id = :'person';
SAVEPOINT s;
SELECT (aegis_app.restrict_kyc_subject(public.kyc_request(:'person', NULL, 'DELETE'))).status;
SELECT count(*) FILTER (WHERE restricted) AS restricted FROM aegis_app.kyc_event WHERE subject_id = :'person';
ROLLBACK TO s;
COMMIT;

-- seven years later
\c - :administrator
SELECT id AS one FROM aegis.tenant WHERE slug = 'regress-one' \gset
UPDATE aegis_app.kyc_subject SET ended_on = ended_on - interval '7 years' WHERE id = :'person';
\c - regress_app
-- refuses: a hold, whatever the time
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT jsonb_path_query_array(r.body, '$.due[*].subject_id') @> to_jsonb(ARRAY[:'person']) AS due FROM aegis_app.list_kyc_erasures(NULL) r;
SELECT r.body ->> 'id' AS hold FROM aegis_app.place_kyc_hold(public.kyc_request(:'person', '{"reason": "court of Forgetmenot v. One"}')) r \gset
SELECT r.body ->> 'state' AS state, r.body ->> 'hindrance' AS hindrance FROM aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{"origin": "retention"}')) r;
SELECT r.body ->> 'hindrance' AS hindrance, r.body ->> 'restriction' AS restriction, r.body #>> '{holds,0,reason}' AS reason, r.body #>> '{holds,0,released_at}' AS released FROM aegis_app.get_kyc_privacy(public.kyc_request(:'person')) r;
SELECT (aegis_app.release_kyc_hold(public.kyc_request(:'hold'))).status;
SELECT r.body ->> 'state' AS state, r.body ->> 'id' AS erasure FROM aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{"origin": "retention"}')) r \gset
SELECT :'state' AS state;
SELECT r.body ->> 'state' AS state, r.body ->> 'name' AS name, r.body -> 'job' AS job, r.body -> 'certified_as' AS certified_as FROM aegis_app.get_kyc_erasure(public.kyc_request(:'erasure')) r;
SELECT jsonb_path_query_array(r.body, '$.requests[0 to 1].name') AS names FROM aegis_app.list_kyc_erasures(NULL) r;
SAVEPOINT s;
SELECT aegis_app.get_kyc_certificate(public.kyc_request(:'erasure'));
ROLLBACK TO s;
SELECT aegis_app.get_kyc_erasure(public.kyc_request('nobody'));
ROLLBACK TO s;
SELECT r.status FROM aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{}')) r;
SAVEPOINT s;
SELECT aegis_app.approve_kyc_erasure(public.kyc_request(:'erasure'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_erasure SET state = 'done' WHERE id = :'erasure';
ROLLBACK TO s;
SELECT aegis_app.carry_out_erasure(:'erasure');
ROLLBACK TO s;
COMMIT;
-- refuses: a second person whose screen may have been left alone; nor is anything exported to them
\c - :administrator
UPDATE aegis.session SET confirmed_at = confirmed_at - interval '1 hour' WHERE tenant_id = :'one' AND ended_at IS NULL;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.approve_kyc_erasure(public.kyc_request(:'erasure'));
ROLLBACK TO s;
SELECT aegis_app.export_kyc_subject(public.kyc_request(:'person'));
ROLLBACK;
\c - :administrator
UPDATE aegis.session SET confirmed_at = confirmed_at + interval '1 hour' WHERE tenant_id = :'one' AND ended_at IS NULL;
-- refuses: an operator alone, before a second person of the tenant
\c - regress_app_operator
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'erasure', 'TEST-5', read_only => false) \g /dev/null
SAVEPOINT s;
SELECT aegis_app.carry_out_erasure(:'erasure');
ROLLBACK TO s;
DELETE FROM aegis_app.kyc_document_content WHERE subject_id = :'person';
ROLLBACK TO s;
UPDATE aegis_app.kyc_subject SET erased_at = now() WHERE id = :'person';
ROLLBACK TO s;
UPDATE aegis_app.kyc_erasure SET state = 'approved' WHERE id = :'erasure';
ROLLBACK;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.body ->> 'state' AS state FROM aegis_app.approve_kyc_erasure(public.kyc_request(:'erasure')) r;
SELECT r.status, r.body ->> 'title' AS title FROM aegis_app.get_kyc_certificate(public.kyc_request(:'erasure')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.get_kyc_erasure(public.kyc_request(:'erasure'));
ROLLBACK TO s;
SELECT aegis_app.kyc_erasure_trace(:'erasure');
ROLLBACK;
-- refuses: a hold that came meanwhile
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body ->> 'id' AS hold FROM aegis_app.place_kyc_hold(public.kyc_request(:'person', '{"reason": "again"}')) r \gset
COMMIT;
\c - regress_app_operator
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'erasure', 'TEST-5', read_only => false) \g /dev/null
SAVEPOINT s;
SELECT aegis_app.carry_out_erasure(:'erasure');
ROLLBACK TO s;
DELETE FROM aegis_app.kyc_document_content WHERE subject_id = :'person';
ROLLBACK;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT (aegis_app.release_kyc_hold(public.kyc_request(:'hold'))).status;
COMMIT;
-- refuses: a hold that comes at the same time: the erasure waits for it, and sees it
\c - :administrator
CREATE EXTENSION dblink;
SELECT dblink_connect(n, format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), n))
  FROM unnest('{regress_app,regress_app_operator}'::text[]) n;
SELECT dblink_exec(n, 'BEGIN') FROM unnest('{regress_app,regress_app_operator}'::text[]) n;
SELECT * FROM dblink('regress_app', format('SELECT aegis.authenticate(%L)::text', :'mia')) AS t(done text) \g /dev/null
SELECT * FROM dblink('regress_app_operator', format('SELECT aegis.assume_tenant(%L::uuid, ''erasure'', ''TEST-5'', read_only => false)::text, pg_backend_pid()', :'one')) AS t(done text, pid integer) \gset
SELECT dblink_exec('regress_app', format('INSERT INTO aegis_app.kyc_hold (subject_id, reason) VALUES (%L, ''at the last moment'')', :'person'));
SELECT dblink_send_query('regress_app_operator', format('SELECT aegis_app.carry_out_erasure(%L)', :'erasure')) AS sent;
SELECT set_config('regress.pid', :'pid', false) \g /dev/null
DO $$ BEGIN
  FOR i IN 1..600 LOOP
    EXIT WHEN EXISTS (SELECT FROM pg_locks l WHERE l.pid = current_setting('regress.pid')::integer AND NOT l.granted) OR dblink_is_busy('regress_app_operator') = 0;
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SELECT dblink_is_busy('regress_app_operator') AS waits;
SELECT dblink_exec('regress_app', 'COMMIT');
SELECT * FROM dblink_get_result('regress_app_operator') AS t(job bigint);
SELECT dblink_disconnect(n) FROM unnest('{regress_app,regress_app_operator}'::text[]) n;
DROP EXTENSION dblink;
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
UPDATE aegis_app.kyc_hold SET released_at = now() WHERE subject_id = :'person' AND released_at IS NULL;
COMMIT;
-- allows: the erasure, once, with what two people decided
\c - regress_app_operator
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'erasure', 'TEST-5', read_only => false) \g /dev/null
SELECT aegis_app.carry_out_erasure(:'erasure') AS job \gset
SAVEPOINT s;
SELECT aegis_app.carry_out_erasure(:'erasure');
ROLLBACK TO s;
COMMIT;
SELECT aegis.wait_job(:job, '60 s') \g /dev/null
\c - :administrator
SELECT aegis.wait_sealed() \g /dev/null
-- allows: to see how far it is, by managers; the certificate, by admins, who may see the ledger; refuses other tenants
\c - regress_app
SELECT token AS other FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body ->> 'state' AS state, r.body -> 'name' AS name, r.body #>> '{job,state}' AS job, r.body ->> 'certified_as' ~ '^[0-9a-f]{64}$' AS certified_as, r.body ->> 'backups_until' IS NOT NULL AS backups
  FROM aegis_app.get_kyc_erasure(public.kyc_request(:'erasure')) r;
SELECT jsonb_array_length(r.body -> 'holds') AS holds, r.body #> '{holds,0,reason}' AS reason, r.body ->> 'erased_at' IS NOT NULL AS erased FROM aegis_app.get_kyc_privacy(public.kyc_request(:'person')) r;
SELECT r.status FROM aegis_app.get_kyc_identity(public.kyc_request(:'person')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
-- Found in the ledger; without a signer nothing is signed.
SELECT aegis_app.get_kyc_certificate(public.kyc_request(:'erasure'));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT aegis_app.kyc_erasure_trace(:'erasure');
SELECT aegis_app.get_kyc_certificate(public.kyc_request(:'erasure'));
ROLLBACK;

-- survives: nothing opens, nothing finds; the file says that it was erased, and lists go on
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.body -> 'name' AS name, r.body -> 'identity' AS identity, r.body ->> 'erased_at' IS NOT NULL AS erased, r.body #> '{documents,0,file_name}' AS file,
       r.body #> '{decisions,0,rationale}' AS rationale, r.body #> '{screenings,0,matches,0,name}' AS hit FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT count(*) FILTER (WHERE s ->> 'id' = :'person') AS listed, count(*) FILTER (WHERE s ->> 'name' IS NULL) AS nameless
  FROM aegis_app.list_kyc_subjects(NULL) r, jsonb_array_elements(r.body -> 'subjects') s;
SELECT jsonb_array_length((aegis_app.list_kyc_subjects(ROW('GET', '/', '{}'::jsonb, '{"number": "FG998877A"}'::jsonb, '{}'::jsonb, NULL::jsonb, NULL::bytea)::aegis.request)).body -> 'subjects') AS found;
SELECT r.status FROM aegis_app.get_kyc_content(public.kyc_request(:'document')) r;
SELECT r.status FROM aegis_app.export_kyc_subject(public.kyc_request(:'person')) r;
SELECT r.status FROM aegis_app.request_kyc_erasure(public.kyc_request(:'person', '{}')) r;
SAVEPOINT s;
SELECT aegis_app.place_kyc_hold(public.kyc_request(:'person', '{"reason": "too late"}'));
ROLLBACK TO s;
SELECT aegis.reveal(s.name, s) FROM aegis_app.kyc_subject s WHERE s.id = :'person';
ROLLBACK TO s;
SELECT aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "reopen"}'));
ROLLBACK;
\c - :administrator
SELECT count(*) AS files FROM aegis_app.kyc_document_content WHERE subject_id = :'person';
SELECT aegis.wait_sealed() \g /dev/null
SELECT target_id = aegis.subject_name(:'one', :'person'::uuid) AS certified FROM aegis.audit_log WHERE tenant_id = :'one' AND event = 'subject.erased' ORDER BY seq DESC LIMIT 1;
SELECT outcome FROM aegis.verify_ledger(:'one') WHERE outcome <> 'ok';
SELECT l.event, l.detail - 'subject' - 'job' - 'until' AS detail, l.user_id IS NULL AS operator FROM aegis.audit_log l WHERE l.tenant_id = :'one' AND l.event ~ '^privacy[.]' AND (l.target_id IN (:'person', :'erasure') OR l.detail ->> 'subject' = :'person') ORDER BY l.seq;
SELECT name FROM aegis.event_type WHERE name ~ '^privacy[.]' EXCEPT SELECT event FROM aegis.audit_log ORDER BY 1;
DROP FUNCTION kyc_request, kyc_pixel;
