-- Whoever may see how far a verification is, sees it; an admin verifies the own tenant, and no other.
\set VERBOSITY terse
SELECT current_user AS administrator \gset
CREATE ROLE regress_progress_app LOGIN IN ROLE aegis_member INHERIT;
CREATE ROLE regress_progress_auditor IN ROLE aegis_auditor INHERIT;
SELECT aegis.create_tenant('progress-one', 'One') AS one, aegis.create_tenant('progress-two', 'Two') AS two \gset
BEGIN;
SELECT aegis.assume_tenant(:'one', 'set up the regression test', 'T-1', false) \g /dev/null
SELECT aegis.create_user('ada@progress.example', 'Ada', 4::smallint, NULL, 'violet-harbour-paints-61') \g /dev/null
SELECT aegis.create_user('uma@progress.example', 'Uma', 1::smallint, NULL, 'violet-harbour-paints-62') \g /dev/null
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'two', 'set up the regression test', 'T-1', false) \g /dev/null
SELECT aegis.create_user('bob@progress.example', 'Bob', 4::smallint, NULL, 'violet-harbour-paints-63') \g /dev/null
COMMIT;
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
\c - regress_progress_app
SELECT token AS ada FROM aegis.sign_in('progress-one', 'ada@progress.example', 'violet-harbour-paints-61', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('progress-one', 'uma@progress.example', 'violet-harbour-paints-62', '192.0.2.1', 'test', 't') \gset
SELECT token AS bob FROM aegis.sign_in('progress-two', 'bob@progress.example', 'violet-harbour-paints-63', '192.0.2.1', 'test', 't') \gset

-- allows: an admin verifies the own tenant, one verification at a time
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.begin_verification() AS verification \gset
SELECT state, done, total, findings, rows FROM aegis.verification(:verification);
SELECT done, total FROM aegis.verification_progress(:verification);
SELECT aegis.begin_verification();
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.begin_verification() AS verification \gset
COMMIT;
\c - :administrator
SELECT aegis.wait_job(:verification, '60 s');
\c - regress_progress_app
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT state, done > 0 AS done, done = total AS complete, findings, rows -> 0 ->> 'subject' AS subject,
       rows -> -1 ->> 'checked' AS last FROM aegis.verification(:verification);
SELECT rows::text LIKE '%' || :'two' || '%' AS says_more FROM aegis.verification(:verification);
COMMIT;

-- refuses: another tenant's admin, who is no admin, who has no context, other jobs
BEGIN;
SELECT aegis.authenticate(:'bob') \g /dev/null
SELECT state FROM aegis.verification(:verification);
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SELECT aegis.begin_verification();
ROLLBACK;
SELECT aegis.verification(:verification);
SELECT aegis.verification_progress(:verification);
SELECT count(*) FROM aegis.verify_progress;
SELECT aegis.require_verifier();
\c - :administrator
SELECT aegis.create_job('verify_ledger') AS whole \gset
SELECT aegis.wait_job(:whole, '60 s');
BEGIN;
SELECT aegis.assume_tenant(:'one', 'test another job', 'T-1', false) \g /dev/null
SELECT aegis.verification(:whole);
ROLLBACK;

-- allows: an auditor looks (tests/isolation/specs/verify_progress.spec looks while one runs); one that fails leaves nothing
SET ROLE regress_progress_auditor;
SELECT count(*) FROM aegis.verify_progress;
RESET ROLE;
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
BEGIN;
SELECT regress_tamper('ALTER TABLE aegis.seal RENAME root_frontier TO gone');
SAVEPOINT s;
SELECT count(*) FROM aegis.verify_ledger();
ROLLBACK TO s;
SELECT count(*) FROM aegis.verify_progress;
ROLLBACK;
DROP FUNCTION regress_tamper(text);
DROP ROLE regress_progress_app, regress_progress_auditor;
