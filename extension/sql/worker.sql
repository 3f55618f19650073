-- The background worker of this database. docs/worker.md.

CREATE FUNCTION aegis.start_worker() RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_start_worker' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.start_worker() IS 'asks the launcher, at commit, to start the worker of this database';

CREATE FUNCTION aegis.worker_status(OUT alive boolean, OUT pid integer, OUT heartbeat_age double precision,
    OUT sealed_until timestamptz, OUT charges_open integer, OUT charges_waiting integer, OUT charges_refused bigint)
  AS 'MODULE_PATHNAME', 'aegis_worker_status' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.worker_status() IS 'whether the worker of this database lives, and what it still has to do';

-- Takes effect when this script commits, so it may stand before the rest of it.
SELECT aegis.start_worker();
