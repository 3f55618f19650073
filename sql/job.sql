-- A job runs in the background, one after the other, can be paused and resumed, and leaves its
-- creation and its end in the ledger.
\set VERBOSITY terse

CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
CREATE FUNCTION regress_entries(VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;

-- allows: an operator creates a job and waits for it
CREATE ROLE regress_job_operator LOGIN IN ROLE aegis_operator INHERIT;
SET SESSION AUTHORIZATION regress_job_operator;
SELECT aegis.create_job('end_sessions') AS job \gset
SELECT aegis.wait_job(:job, '30 seconds');
SELECT kind, tenant_id, state, done, error, created_by_role, started_at >= created_at AS started,
       finished_at >= started_at AS finished FROM aegis.jobs WHERE id = :job;
RESET SESSION AUTHORIZATION;
SELECT regress_entries('job.created', 'end_sessions') AS created, regress_entries('job.finished', 'end_sessions') AS finished;

-- allows: a verification of the whole ledger; its rows are the result
SELECT aegis.create_job('verify_ledger') AS job \gset
SELECT aegis.wait_job(:job, '30 seconds');
SELECT done > 0 AS done, error, result -> 'findings' AS findings, jsonb_array_length(result -> 'rows') > 0 AS rows
  FROM aegis.jobs WHERE id = :job;

-- allows: pause before it is run, then resume
BEGIN;
SELECT aegis.create_job('end_sessions') AS job \gset
SELECT aegis.pause_job(:job);
COMMIT;
SELECT aegis.wait_job(:job, '30 seconds');
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(:job, '30 seconds');
SELECT regress_entries('job.paused') AS paused, regress_entries('job.resumed') AS resumed;

-- refuses: what cannot be
SELECT aegis.create_job('make_coffee');
SELECT aegis.create_job(NULL);
SELECT aegis.create_job('end_sessions', '11111111-1111-4111-8111-111111111111');
SELECT aegis.create_job('verify_ledger', NULL, '{"deep": true}');
\set VERBOSITY sqlstate
SELECT aegis.pause_job(:job);
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(0);
BEGIN;
SELECT aegis.create_job('end_sessions') AS own_job \gset
SELECT aegis.wait_job(:own_job) IS NULL;
ROLLBACK;
\set VERBOSITY terse
-- refuses: everybody but operators
CREATE ROLE regress_job_member LOGIN IN ROLE aegis_member INHERIT;
SET ROLE regress_job_member;
SELECT aegis.create_job('end_sessions');
SELECT count(*) FROM aegis.jobs;
RESET ROLE;

-- survives: a step that fails; the job says why, and can be resumed once the cause is gone
ALTER FUNCTION aegis.expire_sessions(integer) RENAME TO regress_expire_sessions;
SELECT aegis.create_job('end_sessions') AS job \gset
SELECT aegis.wait_job(:job, '30 seconds');
SELECT state, error FROM aegis.jobs WHERE id = :job;
ALTER FUNCTION aegis.regress_expire_sessions(integer) RENAME TO expire_sessions;
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(:job, '30 seconds');

-- survives: a kind that this version does not know
INSERT INTO aegis.job (kind, created_by_role) VALUES ('from_the_future', 'regress') RETURNING id AS job \gset
SELECT aegis.wait_job(:job, '30 seconds');
SELECT state, error FROM aegis.jobs WHERE id = :job;

DROP FUNCTION regress_wait_worker(), regress_entries(text[]);
DROP ROLE regress_job_operator, regress_job_member;
