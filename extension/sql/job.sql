-- Long work: rows that a background process runs step by step. docs/job.md.

CREATE TABLE aegis.job (
  id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind            text        NOT NULL,
  tenant_id       uuid,
  args            jsonb       NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(args) = 'object'),
  state           text        NOT NULL DEFAULT 'queued'
                              CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed')),
  attempts        integer     NOT NULL DEFAULT 0,
  done            bigint      NOT NULL DEFAULT 0,
  result          jsonb,
  error           text,
  created_by_role text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
  started_at      timestamptz,
  finished_at     timestamptz
);
COMMENT ON TABLE aegis.job IS 'long work: what to do, for which tenant, how far it is';
SELECT pg_catalog.pg_extension_config_dump('aegis.job', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.job_id_seq', '');
-- The worker looks for due jobs every second.
CREATE INDEX job_due ON aegis.job (id) WHERE state IN ('queued', 'running');

CREATE VIEW aegis.jobs AS
  SELECT id, kind, tenant_id, state, done, result, error, created_by_role, created_at, started_at, finished_at
    FROM aegis.job;
COMMENT ON VIEW aegis.jobs IS 'every job and how far it is';

CREATE FUNCTION aegis.create_job(kind text, tenant uuid DEFAULT NULL, args jsonb DEFAULT '{}') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_create_job' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.create_job(text, uuid, jsonb) IS 'queues a job and returns its number';

CREATE FUNCTION aegis.pause_job(id bigint) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_pause_job' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.pause_job(bigint) IS 'stops a job after its current step';

CREATE FUNCTION aegis.resume_job(id bigint) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_resume_job' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.resume_job(bigint) IS 'lets a paused or failed job go on where it stopped';

CREATE FUNCTION aegis.wait_job(id bigint, timeout interval DEFAULT '1 minute') RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_wait_job' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_job(bigint, interval) IS
  'waits until a job is done, failed or paused, or the time is over; returns its state';
