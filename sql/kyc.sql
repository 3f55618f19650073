-- Persons and companies are checked step by step, four eyes decide, and everything personal is sealed under a key of its subject.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE FUNCTION kyc_request(id text, body jsonb DEFAULT NULL, params jsonb DEFAULT '{}', query jsonb DEFAULT '{}') RETURNS aegis.request LANGUAGE sql STABLE
  RETURN ROW('POST', '/', params || jsonb_build_object('id', id), query, '{}'::jsonb, body, NULL::bytea)::aegis.request;
-- A picture of one pixel; the same cut short, and with a page of HTML behind its end.
CREATE FUNCTION kyc_pixel() RETURNS bytea LANGUAGE sql IMMUTABLE
  RETURN decode('89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c4890000000d49444154789c636460f85f0f0002870180eb47ba920000000049454e44ae426082', 'hex');
\c - regress_app
SELECT token AS ada FROM aegis.sign_in('regress-one', 'ada@one.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-one', 'mia@one.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS leo FROM aegis.sign_in('regress-one', 'leo@one.example', 'violet-harbour-paints-13', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-one', 'uma@one.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS sid FROM aegis.sign_in('regress-one', 'sid@one.example', 'violet-harbour-paints-15', '192.0.2.1', 'test', 't') \gset
SELECT token AS other FROM aegis.sign_in('regress-two', 'ada@two.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset

-- allows: a check begins with what identifies a person; numbers are found however they are written
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body ->> 'id' AS person, r.status FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "person", "name": "Zora Kyctest",
  "identity": {"date_of_birth": "1984-05-23", "nationality": "GB IE", "residence": "GB", "email": "Zora@Kyctest.example", "national_id": "qq 12 34 56 c",
               "source_of_wealth": "sale of Kyctest Ltd"}}')) r \gset
SELECT :status AS status;
SELECT r.body -> 'name' AS name, r.body ->> 'status' AS status, r.body -> 'rating' AS rating, r.body #> '{identity,date_of_birth}' AS born,
       r.body #> '{identity,national_id}' AS national_id, r.body #> '{identity,source_of_wealth}' AS wealth, jsonb_path_query_array(r.body, '$.findings[*].finding') AS lacks
  FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT jsonb_array_length(r.body -> 'subjects') AS found FROM aegis_app.list_kyc_subjects(public.kyc_request('', query => '{"number": "QQ-123456-C"}')) r;
SELECT jsonb_array_length(r.body -> 'subjects') AS found FROM aegis_app.list_kyc_subjects(public.kyc_request('', query => '{"email": "zora@KYCTEST.example"}')) r;
SELECT r.status, r.body #>> '{identity,residence}' AS residence, r.body #>> '{identity,nationality}' AS nationality
  FROM aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"residence": "FR"}, "version": 1}')) r;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"name": "Late", "version": 1}')) r;
COMMIT;

-- refuses: what is no date, no country, no field of a person; a card number in a name
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"date_of_birth": "23.5.1984"}}'));
ROLLBACK TO s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"date_of_birth": "2984-05-23"}}'));
ROLLBACK TO s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"residence": "England"}}'));
ROLLBACK TO s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"lei": "5493001KJTIIGC8Y1R12"}}'));
ROLLBACK TO s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"name": "4111 1111 1111 1111"}'));
ROLLBACK TO s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"source_of_funds": "my card 4111 1111 1111 1111"}}'));
ROLLBACK TO s;
SELECT aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "company", "name": "X", "identity": {"business": "4111 1111 1111 1111"}}'));
ROLLBACK TO s;
SELECT aegis_app.record_kyc_screening(public.kyc_request(:'person', '{"kind": "sanctions", "provider": "lists", "list_version": "4111111111111111"}'));
ROLLBACK TO s;
SELECT aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "robot", "name": "X"}'));
ROLLBACK;

-- allows: documents that are what their bytes say; refuses others, whatever they are called
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status, r.body ->> 'media_type' AS media, r.body -> 'size_bytes' AS bytes, r.body ->> 'number' AS number, r.body ->> 'id' AS document
  FROM aegis_app.upload_kyc_document(public.kyc_request(:'person', jsonb_build_object('type', 'passport', 'country', 'GB', 'number', '925 665 416', 'file_name', 'zora.png',
    'expires_on', to_char(current_date + 365, 'YYYY-MM-DD'), 'content', encode(public.kyc_pixel(), 'base64')))) r \gset
SELECT :status AS status, :'media' AS media, :'bytes' AS bytes, :'number' AS number;
SELECT t.what, r.status, r.body ->> 'type' AS problem FROM (VALUES ('cut short', substr(public.kyc_pixel(), 1, 60)), ('a page behind its end', public.kyc_pixel() || '<html>'::bytea),
  ('a page', '<html><body>%PDF-1.7'::bytea), ('a program', '\x7f454c46020101'::bytea), ('nothing', ''::bytea), ('a short PDF', '%PDF-1.4%%EOF'::bytea)) t(what, bytes),
  LATERAL aegis_app.upload_kyc_document(public.kyc_request(:'person', jsonb_build_object('type', 'passport', 'content', encode(t.bytes, 'base64')))) r;
SELECT r.status, r.body ->> 'type' AS problem
  FROM aegis_app.upload_kyc_document(public.kyc_request(:'person', jsonb_build_object('type', 'passport', 'content', encode(public.kyc_pixel() || convert_to(repeat('x', 5242880), 'UTF8'), 'base64')))) r;
SELECT r.status, r.headers ->> 'content-type' AS type, r.file = public.kyc_pixel() AS same FROM aegis_app.get_kyc_content(public.kyc_request(:'document')) r;
SELECT aegis_app.media_type('%PDF-1.7'::bytea || convert_to(repeat(' ', 40), 'UTF8') || E'\n%%EOF\n'::bytea) AS pdf, aegis_app.media_type('\xffd8ffe000104a464946ffd9') AS jpeg;
SAVEPOINT s;
SELECT aegis_app.judge_kyc_document(public.kyc_request(:'document', '{"state": "verified"}'));
ROLLBACK TO s;
SELECT r.body ->> 'state' AS state FROM aegis_app.judge_kyc_document(public.kyc_request(:'document', '{"state": "verified", "method": "chip"}')) r;
SELECT aegis_app.judge_kyc_document(public.kyc_request(:'document', '{"state": "rejected", "remark": "no"}'));
ROLLBACK TO s;
SELECT r.body ->> 'state' AS state FROM aegis_app.judge_kyc_document(public.kyc_request(:'document', '{"state": "verified", "method": "chip"}')) r;
COMMIT;

-- allows: masks to begin with, which reveal nothing, and what is behind them on demand, which is recorded; refuses any other word
\c - :administrator
SELECT max(seq) AS before FROM aegis.audit_log \gset
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body #> '{identity,date_of_birth}' AS born, r.body #> '{identity,email}' AS email, r.body #> '{identity,national_id}' AS national_id, r.body #> '{identity,residence}' AS residence,
       r.body #> '{identity,employer}' AS employer, r.body #> '{documents,0,number}' AS number FROM aegis_app.get_kyc_subject(public.kyc_request(:'person', query => '{"identity": "masked"}')) r;
SELECT r.body #> '{identity,residence}' AS residence FROM aegis_app.change_kyc_subject(public.kyc_request(:'person', '{"identity": {"residence": "GB"}}', query => '{"identity": "masked"}')) r;
COMMIT;
\c - :administrator
SELECT count(*) AS revealed FROM aegis.audit_log WHERE seq > :before AND event = 'pii.revealed' AND target_id ~ '^kyc_(person|document[.]number)';
\c - regress_app
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.status, r.body #> '{identity,date_of_birth}' AS born, r.body #> '{identity,national_id}' AS national_id, r.body #> '{documents,0,number}' AS number FROM aegis_app.get_kyc_identity(public.kyc_request(:'person')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body #> '{identity,date_of_birth}' AS born, r.body #> '{identity,national_id}' AS national_id, r.body #> '{documents,0,number}' AS number FROM aegis_app.get_kyc_identity(public.kyc_request(:'person')) r;
SAVEPOINT s;
SELECT aegis_app.get_kyc_subject(public.kyc_request(:'person', query => '{"identity": "all"}'));
ROLLBACK TO s;
SELECT aegis_app.get_kyc_identity(public.kyc_request('nobody'));
ROLLBACK;
\c - :administrator
DO $$ BEGIN FOR i IN 1 .. 400 LOOP EXIT WHEN (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()); PERFORM pg_catalog.pg_sleep(0.05); END LOOP; END $$;
SELECT target_id, count(*) AS entries FROM aegis.audit_log WHERE seq > :before AND event = 'pii.revealed' AND target_id ~ '^kyc_(person|document[.]number)' GROUP BY 1 ORDER BY 1;
\c - regress_app

-- allows: screening; a hit is what one says and another confirms
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status FROM aegis_app.record_kyc_screening(public.kyc_request(:'person', '{"kind": "sanctions", "provider": "example-lists", "list_version": "2026-11-27"}')) r;
SELECT r.status, r.body -> 'matches' AS matches FROM aegis_app.record_kyc_screening(public.kyc_request(:'person',
  '{"kind": "pep", "provider": "example-lists", "list_version": "2026-11-27", "matches": [{"name": "Zora Kyctestova", "score": 71}]}')) r;
SELECT r.body #>> '{screenings,0,matches,0,id}' AS hit FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r \gset
SELECT r.body ->> 'disposition' AS disposition FROM aegis_app.dispose_kyc_match(public.kyc_request(:'hit', '{"disposition": "false_positive", "rationale": "born elsewhere"}')) r;
-- refuses: whoever said it, and whose rank does not suffice
SAVEPOINT s;
SELECT aegis_app.confirm_kyc_match(public.kyc_request(:'hit', '{}'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_match SET confirmed_at = now() WHERE id = :'hit';
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT jsonb_array_length(r.body -> 'matches') AS waits FROM aegis_app.get_kyc_queue(public.kyc_request('')) r;
-- refuses: to confirm and to put another reason into the first one's mouth
SAVEPOINT s;
UPDATE aegis_app.kyc_match SET rationale = 'I was told to', confirmed_at = now() WHERE id = :'hit';
ROLLBACK TO s;
SELECT r.body ->> 'disposition' AS disposition, r.body ->> 'confirmed_at' IS NOT NULL AS confirmed FROM aegis_app.confirm_kyc_match(public.kyc_request(:'hit', '{}')) r;
SAVEPOINT s;
SELECT aegis_app.dispose_kyc_match(public.kyc_request(:'hit', '{"disposition": "true_match", "rationale": "on second thoughts"}'));
ROLLBACK TO s;
COMMIT;

-- allows: risk follows from the highest factor; refuses another rating without rank and reason
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT r.body ->> 'rating' AS rating, r.body ->> 'level' AS level FROM aegis_app.rate_kyc_risk(public.kyc_request(:'person',
  '{"factors": {"customer": 1, "geography": 2, "product": 1, "channel": 1, "transactions": 1}}')) r;
ROLLBACK TO s;
SELECT aegis_app.rate_kyc_risk(public.kyc_request(:'person', '{"factors": {"customer": 1, "geography": 3, "product": 1, "channel": 1, "transactions": 1}, "rating": "low", "rationale": "nice"}'));
ROLLBACK TO s;
SELECT aegis_app.rate_kyc_risk(public.kyc_request(:'person', '{"factors": {"customer": 1, "geography": 2, "product": 1, "channel": 1, "transactions": 1}, "level": "sdd"}'));
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.rate_kyc_risk(public.kyc_request(:'person', '{"factors": {"customer": 1, "geography": 3, "product": 1, "channel": 1, "transactions": 1}, "rating": "medium"}'));
ROLLBACK TO s;
SELECT r.body ->> 'computed' AS computed, r.body ->> 'rating' AS rating FROM aegis_app.rate_kyc_risk(public.kyc_request(:'person',
  '{"factors": {"customer": 1, "geography": 3, "product": 1, "channel": 1, "transactions": 1}, "rating": "medium", "rationale": "lives there for her studies"}')) r;
COMMIT;

-- refuses: to approve what is not complete, what is not to be decided, and every way past the second person
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "approve", "rationale": "all fine"}'));
ROLLBACK TO s;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "approve"}')) r;
SELECT r.body ->> 'status' AS status FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "submit"}')) r;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "approve"}')) r;
SAVEPOINT s;
UPDATE aegis_app.kyc_subject SET status = 'approved' WHERE id = :'person';
ROLLBACK TO s;
UPDATE aegis_app.kyc_subject SET status = 'expired' WHERE id = :'person';
ROLLBACK TO s;
SELECT aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "return"}'));
ROLLBACK TO s;
SELECT r.body ->> 'id' AS decision, r.body ->> 'state' AS state, r.body -> 'least_rank' AS least_rank
  FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "approve", "rationale": "all fine"}')) r \gset
SELECT :'state' AS state, :'least_rank' AS least_rank;
SELECT r.status FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "reject", "rationale": "no"}')) r;
SAVEPOINT s;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_decision SET state = 'confirmed' WHERE id = :'decision';
ROLLBACK TO s;
UPDATE aegis_app.kyc_decision SET decided_by = aegis.user_id() WHERE id = :'decision';
ROLLBACK TO s;
UPDATE aegis_app.kyc_decision SET least_rank = 2, proposed_by = NULL WHERE id = :'decision';
ROLLBACK TO s;
INSERT INTO aegis_app.kyc_decision (subject_id, command, rationale, proposed_by) VALUES (:'person', 'approve', 'x', NULL);
ROLLBACK TO s;
DELETE FROM aegis_app.kyc_decision;
ROLLBACK TO s;
COMMIT;
-- allows: somebody else, who may
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT jsonb_array_length(r.body -> 'decisions') AS waits, r.body #>> '{decisions,0,subject,name}' AS name FROM aegis_app.get_kyc_queue(public.kyc_request('')) r;
SAVEPOINT s;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "refused"}'));
ROLLBACK TO s;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "withdrawn"}'));
ROLLBACK TO s;
UPDATE aegis_app.kyc_decision SET remark = 'beside the point' WHERE id = :'decision';
ROLLBACK TO s;
SELECT r.body ->> 'state' AS state FROM aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}')) r;
SELECT r.body ->> 'status' AS status, r.body ->> 'review_due' = to_char(aegis_app.today() + interval '24 months', 'YYYY-MM-DD') AS due, r.body ->> 'started_on' IS NOT NULL AS started
  FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT jsonb_array_length(r.body -> 'decisions') AS waits FROM aegis_app.get_kyc_queue(public.kyc_request('')) r;
SAVEPOINT s;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "refused", "remark": "late"}'));
ROLLBACK TO s;
COMMIT;
-- survives: when a review is due, and what is a day of birth, do not depend on the client's time zone, which is a day apart between these two
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.body ->> 'review_due' AS due FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r \gset
SET LOCAL TimeZone = 'Pacific/Kiritimati';
SELECT r.body ->> 'review_due' = :'due' AS same FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SAVEPOINT s;
SELECT aegis_app.change_kyc_subject(public.kyc_request(:'person', jsonb_build_object('identity', jsonb_build_object('date_of_birth', aegis_app.today() + 1))));
ROLLBACK TO s;
SET LOCAL TimeZone = 'Etc/GMT+12';
SELECT r.body ->> 'review_due' = :'due' AS same FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
SELECT r.status FROM aegis_app.change_kyc_subject(public.kyc_request(:'person', jsonb_build_object('identity', jsonb_build_object('date_of_birth', aegis_app.today())))) r;
-- but on the tenant's
SELECT (aegis_app.change_invoice_settings(public.kyc_request('', '{"time_zone": "Pacific/Kiritimati"}'))).status;
SELECT aegis_app.kyc_review_due(s) = ((s.status_changed_at AT TIME ZONE 'Pacific/Kiritimati')::date + interval '24 months')::date AS there,
       aegis_app.date_of(s.status_changed_at) = (s.status_changed_at AT TIME ZONE 'Pacific/Kiritimati')::date AS that_day
  FROM aegis_app.kyc_subject s WHERE s.id = :'person';
ROLLBACK;
-- refuses: a decision that was used up
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT r.body ->> 'status' AS status FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "reopen"}')) r;
SELECT r.body ->> 'status' AS status FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "submit"}')) r;
UPDATE aegis_app.kyc_subject SET status = 'approved', decision_id = :'decision' WHERE id = :'person';
ROLLBACK;

-- refuses: enhanced due diligence without a manager
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body ->> 'rating' AS rating, r.body ->> 'level' AS level FROM aegis_app.rate_kyc_risk(public.kyc_request(:'person',
  '{"factors": {"customer": 1, "geography": 3, "product": 1, "channel": 1, "transactions": 1}}')) r;
SELECT r.body ->> 'status' AS status FROM aegis_app.step_kyc_subject(public.kyc_request(:'person', '{"command": "suspend"}')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body ->> 'id' AS decision, r.body -> 'least_rank' AS least_rank
  FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "reinstate", "rationale": "explained"}')) r \gset
SELECT :'least_rank' AS least_rank;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT jsonb_array_length(r.body -> 'decisions') AS waits FROM aegis_app.get_kyc_queue(public.kyc_request('')) r;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}'));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.body ->> 'state' AS state FROM aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "refused", "remark": "not enough"}')) r;
SELECT r.body ->> 'status' AS status FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r;
COMMIT;

-- allows: reviews, by another than opened them
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT r.body ->> 'id' AS review, r.status FROM aegis_app.open_kyc_review(public.kyc_request(:'person', '{"cause": "alert"}')) r \gset
SELECT :status AS status;
SELECT r.status FROM aegis_app.open_kyc_review(public.kyc_request(:'person', '{"cause": "event"}')) r;
SELECT aegis_app.complete_kyc_review(public.kyc_request(:'review', '{"outcome": "unchanged", "findings": "none"}'));
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body ->> 'id' AS review FROM aegis_app.open_kyc_review(public.kyc_request(:'person', '{"cause": "periodic"}')) r \gset
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT r.body ->> 'outcome' AS outcome FROM aegis_app.complete_kyc_review(public.kyc_request(:'review', '{"outcome": "unchanged", "findings": "none"}')) r;
COMMIT;

-- allows: to take a proposal back, to reject a document, to return a hit; refuses to confirm what one said oneself
BEGIN;
SELECT aegis.authenticate(:'leo') \g /dev/null
SELECT r.body ->> 'id' AS proposal FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "offboard", "rationale": "moved"}')) r \gset
SELECT r.body ->> 'state' AS state FROM aegis_app.decide_kyc_decision(public.kyc_request(:'proposal', '{"state": "withdrawn"}')) r;
SELECT r.body ->> 'id' AS second FROM aegis_app.upload_kyc_document(public.kyc_request(:'person', jsonb_build_object('type', 'utility_bill', 'content', encode(public.kyc_pixel(), 'base64')))) r \gset
SELECT r.body ->> 'state' AS state, r.body ->> 'remark' AS remark FROM aegis_app.judge_kyc_document(public.kyc_request(:'second', '{"state": "rejected", "remark": "one pixel"}')) r;
SELECT r.status FROM aegis_app.record_kyc_screening(public.kyc_request(:'person', '{"kind": "adverse_media", "provider": "example-press", "list_version": "2026-11-27", "matches": [{"name": "Zora K.", "score": 40}]}')) r;
SELECT r.body #>> '{screenings,0,matches,0,id}' AS hit FROM aegis_app.get_kyc_subject(public.kyc_request(:'person')) r \gset
SELECT r.status FROM aegis_app.dispose_kyc_match(public.kyc_request(:'hit', '{"disposition": "true_match", "rationale": "same town"}')) r;
SAVEPOINT s;
SELECT aegis_app.confirm_kyc_match(public.kyc_request(:'hit', '{}'));
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SELECT r.body -> 'disposition' AS disposition FROM aegis_app.confirm_kyc_match(public.kyc_request(:'hit', '{"agreed": false}')) r;
-- refuses: the end of a suspension while two people have not decided about a hit
SELECT r.status, r.body ->> 'detail' AS detail FROM aegis_app.propose_kyc_decision(public.kyc_request(:'person', '{"command": "reinstate", "rationale": "never mind"}')) r;
SAVEPOINT s;
INSERT INTO aegis_app.kyc_decision (subject_id, command, rationale) VALUES (:'person', 'reinstate', 'never mind');
ROLLBACK TO s;
COMMIT;

-- allows: owners of companies, through other companies; refuses more than the whole, and owners of people
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.body ->> 'id' AS company FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "company", "name": "Kyctest Holding Ltd",
  "identity": {"registration_number": "0123 4567", "jurisdiction": "GB", "incorporated_on": "2001-02-03"}}')) r \gset
SELECT r.body ->> 'id' AS middle FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "company", "name": "Kyctest Middle Ltd"}')) r \gset
SELECT r.body ->> 'id' AS minor FROM aegis_app.create_kyc_subject(public.kyc_request('', '{"kind": "person", "name": "Minor Kyctest"}')) r \gset
SELECT jsonb_array_length(r.body -> 'subjects') AS found FROM aegis_app.list_kyc_subjects(public.kyc_request('', query => '{"number": "01234567"}')) r;
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'middle', 'share_bps', 6000)))).status;
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'middle', jsonb_build_object('owner_id', :'person', 'share_bps', 5000)))).status;
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'middle', jsonb_build_object('owner_id', :'minor', 'share_bps', 3000)))).status;
-- A company that owns itself in a circle.
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'middle', jsonb_build_object('owner_id', :'company', 'share_bps', 2000)))).status;
SELECT jsonb_path_query_array(r.body, '$.owners.direct[*].share_bps') AS direct, jsonb_path_query_array(r.body, '$.owners.beneficial[*].share_bps') AS beneficial,
       r.body #>> '{owners,beneficial,0,name}' AS name
  FROM aegis_app.get_kyc_subject(public.kyc_request(:'company')) r;
SELECT u.owner_id = :'person' AS zora, u.share_bps FROM aegis_app.kyc_beneficial_owners(:'company', 1000) u ORDER BY 2 DESC;
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'minor', 'control', 'board')))).status;
SELECT count(*) AS controllers FROM aegis_app.kyc_beneficial_owners(:'company');
-- Who owns half of a company that controls another controls that one by half.
SAVEPOINT s;
SELECT (aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'middle', 'share_bps', 100)))).status,
       (aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'middle', 'control', 'board')))).status AS board;
SELECT u.owner_id = :'person' AS zora, u.share_bps FROM aegis_app.kyc_beneficial_owners(:'company') u ORDER BY 2 DESC;
ROLLBACK TO s;
SELECT r.status, r.body ->> 'type' AS problem FROM aegis_app.put_kyc_owner(public.kyc_request(:'company', '{"owner_id": "00000000-0000-4000-8000-000000000000"}')) r;
SAVEPOINT s;
SELECT aegis_app.put_kyc_owner(public.kyc_request(:'company', jsonb_build_object('owner_id', :'person', 'share_bps', 4001)));
ROLLBACK TO s;
SELECT aegis_app.put_kyc_owner(public.kyc_request(:'person', jsonb_build_object('owner_id', :'minor', 'share_bps', 1)));
ROLLBACK TO s;
INSERT INTO aegis_app.kyc_document_content (document_id, subject_id, content) VALUES (:'second', :'minor', 'x'::bytea);
ROLLBACK TO s;
INSERT INTO aegis_app.kyc_match (screening_id, subject_id, name, score) SELECT c.id, :'minor', 'somebody else', 1 FROM aegis_app.kyc_screening c WHERE c.subject_id = :'person';
ROLLBACK TO s;
SELECT (aegis_app.delete_kyc_owner(public.kyc_request(:'company', params => jsonb_build_object('owner', :'minor')))).status;
SELECT (aegis_app.delete_kyc_owner(public.kyc_request(:'company', params => jsonb_build_object('owner', :'minor')))).status;
COMMIT;

-- refuses: a confirmed hit on a list of sanctions, whatever the factors say
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT r.status FROM aegis_app.record_kyc_screening(public.kyc_request(:'minor', '{"kind": "sanctions", "provider": "example-lists", "list_version": "2026-11-27", "matches": [{"name": "Minor K.", "score": 99}]}')) r;
SELECT r.body #>> '{screenings,0,matches,0,id}' AS hit FROM aegis_app.get_kyc_subject(public.kyc_request(:'minor')) r \gset
SELECT r.status FROM aegis_app.dispose_kyc_match(public.kyc_request(:'hit', '{"disposition": "true_match", "rationale": "same birthday"}')) r;
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT r.status FROM aegis_app.confirm_kyc_match(public.kyc_request(:'hit', '{}')) r;
SELECT r.body ->> 'rating' AS rating, r.body ->> 'level' AS level FROM aegis_app.rate_kyc_risk(public.kyc_request(:'minor',
  '{"factors": {"customer": 1, "geography": 1, "product": 1, "channel": 1, "transactions": 1}}')) r;
SAVEPOINT s;
SELECT aegis_app.rate_kyc_risk(public.kyc_request(:'minor', '{"factors": {"customer": 1, "geography": 1, "product": 1, "channel": 1, "transactions": 1}, "rating": "low", "rationale": "x"}'));
ROLLBACK TO s;
COMMIT;

-- allows: a team to move with what was decided in it
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.move_team((SELECT id FROM aegis.teams() WHERE name = 'North A'), (SELECT id FROM aegis.teams() WHERE name = 'South'));
ROLLBACK;

-- allows: whoever sees the subject reads what happened, newest first, page by page, and a step of one person as well
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT e.value ->> 'event' AS event, e.value -> 'detail' AS detail, e.value ->> 'by' IS NOT NULL AS actor
  FROM aegis_app.get_kyc_history(public.kyc_request(:'person')) r, jsonb_array_elements(r.body -> 'events') WITH ORDINALITY e(value, place)
 WHERE NOT e.value -> 'detail' ? 'size_bytes' ORDER BY e.place;
SELECT jsonb_array_length(r.body -> 'events') AS page, r.body #>> '{events,0,event}' AS first, r.body #>> '{events,1,id}' AS last FROM aegis_app.get_kyc_history(public.kyc_request(:'person', query => '{"limit": "2"}')) r \gset
SELECT :'page' AS page, :'first' AS first;
SELECT r.body #> '{events,0}' = (SELECT a.body #> '{events,2}' FROM aegis_app.get_kyc_history(public.kyc_request(:'person')) a) AS goes_on
  FROM aegis_app.get_kyc_history(public.kyc_request(:'person', query => jsonb_build_object('before', :'last'))) r;
-- refuses: to write it past what records it, to change or remove it; what is declared for nobody, and a subject that nobody sees
SAVEPOINT s;
INSERT INTO aegis_app.kyc_event (subject_id, event, target_id, detail) VALUES (:'person', 'kyc.subject.updated', :'person', '{}');
ROLLBACK TO s;
UPDATE aegis_app.kyc_event SET event = 'kyc.match.returned';
ROLLBACK TO s;
DELETE FROM aegis_app.kyc_event;
ROLLBACK TO s;
SELECT aegis_app.record_kyc('kyc.no.such', 'kyc_subject', :'person', :'person');
ROLLBACK TO s;
SELECT aegis_app.record_kyc('kyc.match.returned', 'kyc_match', :'person', '00000000-0000-4000-8000-000000000000');
ROLLBACK;

-- refuses: other teams and other tenants, who see nothing
BEGIN;
SELECT aegis.authenticate(:'sid') \g /dev/null
SAVEPOINT s;
SELECT aegis_app.get_kyc_subject(public.kyc_request(:'person'));
ROLLBACK TO s;
SELECT aegis_app.get_kyc_history(public.kyc_request(:'person'));
ROLLBACK TO s;
SELECT count(*) AS events FROM aegis_app.kyc_event;
SELECT aegis_app.record_kyc('kyc.match.returned', 'kyc_match', :'person', :'person');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT count(*) AS events FROM aegis_app.kyc_event;
SELECT (SELECT count(*) FROM aegis_app.kyc_subject) AS subjects, (SELECT count(*) FROM aegis_app.kyc_document_content) AS files, (SELECT count(*) FROM aegis_app.kyc_decision) AS decisions;
SELECT aegis_app.decide_kyc_decision(public.kyc_request(:'decision', '{"state": "confirmed"}')) = aegis_app.decide_kyc_decision(public.kyc_request('nobody', '{}')) AS same_as_missing;
ROLLBACK;
-- refuses: operators, who are no person of the tenant
\c - regress_app_operator
SELECT id AS one FROM aegis.tenants() WHERE slug = 'regress-one' \gset
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'try to decide', 'TEST-3', read_only => false) \g /dev/null
SELECT count(*) > 0 AS seen FROM aegis_app.kyc_subject;
SELECT content FROM aegis_app.kyc_document_content;
ROLLBACK;

-- survives: nothing personal in clear, in tables or in the ledger, also turned round and in base64
\c - :administrator
SELECT count(*) AS rows, count(*) FILTER (WHERE t ~* 'kyctest|tsetcyk|1984-05-23|QQ123456C|925665416|birthday' OR position(encode('Kyctest'::bytea, 'base64') IN t) > 0) AS in_clear FROM (
  SELECT s::text AS t FROM aegis_app.kyc_subject s UNION ALL SELECT p::text FROM aegis_app.kyc_person p UNION ALL SELECT c::text FROM aegis_app.kyc_company c
  UNION ALL SELECT d::text FROM aegis_app.kyc_document d UNION ALL SELECT c::text FROM aegis_app.kyc_document_content c UNION ALL SELECT m::text FROM aegis_app.kyc_match m
  UNION ALL SELECT r::text FROM aegis_app.kyc_risk r UNION ALL SELECT v::text FROM aegis_app.kyc_review v UNION ALL SELECT d::text FROM aegis_app.kyc_decision d) x;
SELECT count(*) AS in_clear FROM aegis.entry e, unnest(ARRAY['Kyctest', 'Zora', 'zora', '1984-05-23', 'QQ123456C', '925665416', 'birthday']) w WHERE position(w::bytea IN e.body) > 0;
SELECT bool_and(f.subject_column IS NOT NULL) AS under_the_key_of_a_subject, count(*) FROM aegis.field f WHERE f.name ~ '^kyc_';
-- and every step is in the ledger with its actor
SELECT l.event, bool_and(l.user_id IS NOT NULL) AS actor, bool_and(l.target_id ~ '^[0-9a-f-]{36}$') AS target FROM aegis.audit_log l WHERE l.event ~ '^kyc[.]' GROUP BY 1 ORDER BY 1;
-- and in the history of its subject, but for what was only looked at; and nothing else is there
SELECT DISTINCT l.event FROM (SELECT event, target_id FROM aegis.audit_log WHERE event ~ '^(kyc|privacy)[.]' EXCEPT ALL SELECT event, target_id::text FROM aegis_app.kyc_event) l;
SELECT event, target_id::text FROM aegis_app.kyc_event EXCEPT ALL SELECT event, target_id FROM aegis.audit_log WHERE event ~ '^(kyc|privacy)[.]';
SELECT name FROM aegis.event_type WHERE name ~ '^kyc[.]' EXCEPT SELECT event FROM aegis.audit_log ORDER BY 1;
DROP FUNCTION kyc_request, kyc_pixel;
