-- What is promised is data: each control names what shows it; who looked is recorded and never changed, and who did not is overdue.
\set VERBOSITY terse
CREATE ROLE regress_control_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_control_auditor LOGIN IN ROLE aegis_auditor;
CREATE ROLE regress_control_member LOGIN IN ROLE aegis_member;

-- allows: an auditor reads every control, and runs the query that shows it
SET SESSION AUTHORIZATION regress_control_auditor;
SELECT string_agg(id, ' ' ORDER BY id) AS controls, count(*) FILTER (WHERE tests = '{}' OR implementation = '{}' OR evidence = '') AS shown_by_nothing,
       bool_and(last_review IS NULL AND last_outcome IS NULL) AS never_reviewed FROM aegis.controls();
SELECT string_agg(id, ' ') AS partial FROM aegis.controls() WHERE status <> 'implemented';
\o /dev/null
SELECT evidence FROM aegis.control ORDER BY id \gexec
\o
SELECT count(*) AS queries FROM aegis.control;

-- allows: by its date one is current, due or overdue
SELECT DISTINCT state FROM aegis.controls((SELECT min(stated_on) FROM aegis.control));
SELECT DISTINCT state FROM aegis.controls((SELECT (max(stated_on) + interval '12 months')::date FROM aegis.control));
SELECT DISTINCT state FROM aegis.controls((SELECT (max(stated_on) + interval '12 months')::date + 1 FROM aegis.control));

-- allows: an operator records a review, for twelve months or less; the newest counts
SET SESSION AUTHORIZATION regress_control_operator;
SELECT aegis.review_control('L2', 'ineffective', 'the signer was away') = ((now() AT TIME ZONE 'UTC')::date + interval '12 months')::date AS a_year;
SELECT state, last_outcome, last_reviewer, next_review - (now() AT TIME ZONE 'UTC')::date > 360 AS next FROM aegis.controls() WHERE id = 'L2';
SELECT aegis.review_control('L2', 'effective', 'verified with the kept checkpoint', (now() AT TIME ZONE 'UTC')::date + 60) IS NOT NULL AS reviewed;
SELECT state, last_outcome FROM aegis.controls() WHERE id = 'L2';
SELECT state FROM aegis.controls((now() AT TIME ZONE 'UTC')::date + 31) WHERE id = 'L2';
SELECT state FROM aegis.controls((now() AT TIME ZONE 'UTC')::date + 61) WHERE id = 'L2';

-- allows: as of a day before them there was no review
SELECT state, last_outcome FROM aegis.controls((now() AT TIME ZONE 'UTC')::date - 1) WHERE id = 'L2';

-- allows: coverage names what was found not to hold and what is overdue; the statement wants words of a reviewer
SELECT finding FROM aegis.coverage() WHERE object_kind = 'control';
SELECT aegis.review_control('T1', 'ineffective', 'a view of ours was forgotten') IS NOT NULL AS reviewed;
SELECT severity, object, finding, problem, fix FROM aegis.coverage() WHERE object_kind = 'control';
SELECT fix FROM aegis.coverage() WHERE object_kind = 'control' \gexec
SELECT aegis.review_control('T1', 'effective', 'the view is protected') IS NOT NULL AS reviewed;
SELECT finding FROM aegis.coverage() WHERE object_kind = 'control';
RESET SESSION AUTHORIZATION;
BEGIN;
INSERT INTO aegis.control_review (control, outcome, remark, next_review, reviewed_by, reviewed_at) VALUES ('T2', 'effective', 'x', '2026-01-01', 'x', '2025-06-01'), ('T3', 'ineffective', 'x', '2026-01-01', 'x', '2025-06-01');
SELECT severity, object, finding, problem, fix FROM aegis.coverage() WHERE object_kind = 'control';
SELECT id, state FROM aegis.controls() WHERE state <> 'current' AND id IN ('T2', 'T3');
SELECT id, state FROM aegis.controls(NULL) WHERE id = 'T2';
SELECT id, state FROM aegis.controls('2025-07-01') WHERE id = 'T3';
ROLLBACK;
SET SESSION AUTHORIZATION regress_control_operator;

-- allows: a remark in any script
BEGIN;
SELECT aegis.review_control('L2', 'effective', said) IS NOT NULL AS reviewed
  FROM unnest(ARRAY[U&'\041F\0440\043E\0432\0435\0440\0435\043D\043E', U&'\78BA\8A8D', U&'\00E9']) said;
ROLLBACK;

-- refuses: no such control, outcome or remark; a review that would hold too long, or no more
SELECT aegis.review_control('Z9', 'effective', 'x');
SELECT aegis.review_control(NULL, 'effective', 'x');
SELECT aegis.review_control('L2', 'fine', 'x');
SELECT aegis.review_control('L2', NULL, 'x');
SELECT aegis.review_control('L2', 'effective', '  ');
SELECT aegis.review_control('L2', 'effective', E' \n\t');
SELECT aegis.review_control('L2', 'effective', E'\f');
SELECT aegis.review_control('L2', 'effective', U&'\00A0');
SELECT aegis.review_control('L2', 'effective', U&'\200B');
SELECT aegis.review_control('L2', 'effective', '...');
SELECT aegis.review_control('L2', 'effective', repeat('x', 501));
DO $$
DECLARE
  day date := (now() AT TIME ZONE 'UTC')::date;
  tried date;
BEGIN
  FOREACH tried IN ARRAY ARRAY[day - 1, day, (day + interval '12 months')::date + 1, 'infinity'] LOOP
    BEGIN
      PERFORM aegis.review_control('L2', 'effective', 'x', tried);
      RAISE WARNING 'taken: %', tried;
    EXCEPTION WHEN invalid_parameter_value THEN
      NULL;
    END;
  END LOOP;
END $$;
-- refuses: to review for whoever is no operator; to change or remove a review, for anybody
INSERT INTO aegis.control_review (control, outcome, remark, next_review, reviewed_by, reviewed_at) VALUES ('L2', 'effective', 'x', '2099-01-01', 'x', now());
SET SESSION AUTHORIZATION regress_control_auditor;
SELECT aegis.review_control('L2', 'effective', 'x');
DELETE FROM aegis.control_review;
SET SESSION AUTHORIZATION regress_control_member;
SELECT count(*) FROM aegis.controls();
SELECT count(*) FROM aegis.control_review;
RESET SESSION AUTHORIZATION;
-- nor a control, which could be late or away then
UPDATE aegis.control SET stated_on = '2030-01-01';
DELETE FROM aegis.control WHERE id = 'L2';
INSERT INTO aegis.control SELECT 'Z1', c.status, c.owner, c.statement, c.implementation, c.tests, c.evidence, c.soc2, c.iso27001, c.pci, c.stated_on FROM aegis.control c WHERE c.id = 'L2';
TRUNCATE aegis.control;
UPDATE aegis.control_review SET outcome = 'effective';
DELETE FROM aegis.control_review;
TRUNCATE aegis.control_review;
SET session_replication_role = replica;
DELETE FROM aegis.control_review;
RESET session_replication_role;
SET ROLE aegis_owner;
DELETE FROM aegis.control_review;
RESET ROLE;

-- survives: in an assumed tenant, too, the entry of a review is the system's
SELECT aegis.create_tenant('regress-control', 'Regress Control') AS tenant \gset
SET SESSION AUTHORIZATION regress_control_operator;
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'look at a setting', 'T-1', read_only => false) \g /dev/null
SELECT aegis.review_control('E1', 'effective', 'while in a tenant') IS NOT NULL AS reviewed;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT tenant_id IS NULL AS of_the_system FROM aegis.audit_log WHERE event = 'control.reviewed' AND target_id = 'E1';

-- survives: each review is an entry, with what was said
SELECT l.target_id, l.detail ->> 'outcome' AS outcome, l.detail ->> 'remark' AS remark, l."session_user" FROM aegis.audit_log l WHERE l.event = 'control.reviewed' ORDER BY l.seq;
-- and what was added, changed or removed beside the ledger is seen by whoever compares the two, as docs/control.md says
CREATE TEMP VIEW beside_the_ledger AS
SELECT control, outcome, remark, reviews, entries
  FROM (SELECT id::text AS review, control, outcome, remark, to_char(next_review, 'YYYY-MM-DD') AS next_review, reviewed_by,
               to_char(reviewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS reviewed_at, count(*) AS reviews
          FROM aegis.control_review GROUP BY 1, 2, 3, 4, 5, 6, 7) r
  FULL JOIN (SELECT detail ->> 'review' AS review, target_id AS control, detail ->> 'outcome' AS outcome, detail ->> 'remark' AS remark,
                    detail ->> 'next_review' AS next_review, "session_user" AS reviewed_by, detail ->> 'reviewed_at' AS reviewed_at, count(*) AS entries
               FROM aegis.audit_log WHERE event = 'control.reviewed' GROUP BY 1, 2, 3, 4, 5, 6, 7) l
 USING (review, control, outcome, remark, next_review, reviewed_by, reviewed_at) WHERE reviews IS DISTINCT FROM entries;
SELECT * FROM beside_the_ledger;
BEGIN;
ALTER TABLE aegis.control_review DISABLE TRIGGER keep;
DELETE FROM aegis.control_review WHERE outcome = 'ineffective';
INSERT INTO aegis.control_review (control, outcome, remark, next_review, reviewed_by, reviewed_at)
  SELECT control, outcome, remark, next_review, reviewed_by, reviewed_at FROM aegis.control_review;
SELECT * FROM beside_the_ledger ORDER BY control, outcome, entries;
ROLLBACK;
-- the one that is to count no more moved into the future, or behind another
BEGIN;
ALTER TABLE aegis.control_review DISABLE TRIGGER keep;
UPDATE aegis.control_review SET reviewed_at = reviewed_at + interval '1 year' WHERE remark = 'the view is protected';
SELECT state FROM aegis.controls() WHERE id = 'T1';
SELECT * FROM beside_the_ledger ORDER BY entries;
SELECT severity, object, finding, problem, fix FROM aegis.coverage() WHERE finding = 'control-changeable';
ROLLBACK;
BEGIN;
ALTER TABLE aegis.control_review DISABLE TRIGGER keep, ALTER id SET GENERATED BY DEFAULT;
UPDATE aegis.control_review SET id = (SELECT max(id) + 1 FROM aegis.control_review) WHERE remark = 'a view of ours was forgotten';
SELECT state FROM aegis.controls() WHERE id = 'T1';
SELECT * FROM beside_the_ledger ORDER BY entries;
ROLLBACK;
-- a trigger that holds for some, or is gone, is a finding
BEGIN;
DROP TRIGGER keep_all ON aegis.control;
ALTER TABLE aegis.control ENABLE TRIGGER keep;
SELECT object, finding, problem, fix FROM aegis.coverage() WHERE finding = 'control-changeable';
ROLLBACK;
SELECT finding FROM aegis.coverage() WHERE finding = 'control-changeable';
-- as is one that is there by its name, and looks at nothing, at less, or calls something else
CREATE FUNCTION regress_control_pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
BEGIN;
CREATE OR REPLACE TRIGGER keep BEFORE UPDATE OR DELETE ON aegis.control_review FOR EACH ROW WHEN (false) EXECUTE FUNCTION aegis.keep_control_review();
CREATE OR REPLACE TRIGGER keep BEFORE INSERT OR DELETE ON aegis.control FOR EACH ROW EXECUTE FUNCTION aegis.keep_control();
CREATE OR REPLACE TRIGGER keep_all BEFORE TRUNCATE ON aegis.control FOR EACH STATEMENT EXECUTE FUNCTION regress_control_pass();
ALTER TABLE aegis.control_review ENABLE ALWAYS TRIGGER keep;
ALTER TABLE aegis.control ENABLE ALWAYS TRIGGER keep, ENABLE ALWAYS TRIGGER keep_all;
SELECT object, finding, problem, fix FROM aegis.coverage() WHERE finding = 'control-changeable';
SELECT fix FROM aegis.coverage() WHERE finding = 'control-changeable' \gexec
SELECT finding FROM aegis.coverage() WHERE finding = 'control-changeable';
CREATE OR REPLACE TRIGGER keep BEFORE INSERT OR UPDATE OF stated_on OR DELETE ON aegis.control FOR EACH ROW EXECUTE FUNCTION aegis.keep_control();
ALTER TABLE aegis.control ENABLE ALWAYS TRIGGER keep;
SELECT object, finding FROM aegis.coverage() WHERE finding = 'control-changeable';
ROLLBACK;
DROP FUNCTION regress_control_pass;
DROP VIEW beside_the_ledger;
DROP ROLE regress_control_operator, regress_control_auditor, regress_control_member;
