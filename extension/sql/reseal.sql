-- Rotation of tenants' keys: a new epoch, and a job that seals the rows anew. docs/reseal.md.

CREATE TABLE aegis.reseal_count (
  tenant_id  uuid        NOT NULL,
  relation   regclass    NOT NULL,
  epoch      integer     NOT NULL,
  rows       bigint      NOT NULL,
  resealed   bigint      NOT NULL DEFAULT 0,
  counted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (tenant_id, relation, epoch)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.reseal_count', '');
COMMENT ON TABLE aegis.reseal_count IS
  'rows of a tenant by the oldest epoch among their encrypted values, as the reseal job counted them';

CREATE FUNCTION aegis.reseal(value anyelement, "row" record) RETURNS anyelement
  AS 'MODULE_PATHNAME', 'aegis_reseal' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.reseal(anyelement, record) IS
  'the same for a value that is bound to its data subject or row, which is given whole; refused outside the job of this name';

CREATE FUNCTION aegis.rotate_tenant_key(tenant uuid, reason text, committing boolean DEFAULT false, OUT epoch integer, OUT job bigint) RETURNS record
  AS 'MODULE_PATHNAME', 'aegis_rotate_tenant_key' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.rotate_tenant_key(uuid, text, boolean) IS
  'opens a new epoch of a tenant''s key, which every later seal uses, and queues the job that seals the rows anew; with committing, values carry a commitment to the key from then on; recorded';

CREATE VIEW aegis.rotation_progress AS
  WITH epoch AS (
    SELECT k.tenant_id, k.epoch, k.created_at,
           CASE WHEN k.state <> 'active' THEN k.state
                WHEN k.epoch = max(k.epoch) FILTER (WHERE k.state = 'active') OVER (PARTITION BY k.tenant_id) THEN 'current'
                ELSE 'old' END AS state,
           c.rows, c.counted_at, k.suite, k.check_value IS NOT NULL AS brought
      FROM aegis.tenant_key k
      LEFT JOIN (SELECT r.tenant_id, r.epoch, sum(r.rows)::bigint AS rows, min(r.counted_at) AS counted_at
                   FROM aegis.reseal_count r GROUP BY r.tenant_id, r.epoch) c USING (tenant_id, epoch)
     WHERE k.kind = 'root'
  )
  SELECT e.tenant_id, e.epoch, e.state, e.created_at, e.rows, e.counted_at,
         j.id AS job, j.state AS job_state, j.done AS resealed,
         CASE WHEN e.state = 'current' AND j.state = 'running' AND j.done >= 1000 THEN
           clock_timestamp() + (clock_timestamp() - j.started_at) *
             (sum(e.rows) FILTER (WHERE e.state <> 'current') OVER (PARTITION BY e.tenant_id) / j.done::float8) END AS estimated_end,
         e.suite, e.brought
    FROM epoch e
    LEFT JOIN LATERAL (SELECT i.id, i.state, i.done, i.started_at FROM aegis.job i
                        WHERE i.kind = 'reseal' AND i.tenant_id = e.tenant_id ORDER BY i.id DESC LIMIT 1) j
      ON e.state = 'current';
COMMENT ON VIEW aegis.rotation_progress IS
  'rows of every tenant under every epoch of its key, and when the job that seals them anew may be done';

CREATE FUNCTION aegis.rotate_index_key(tenant uuid, reason text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_rotate_index_key' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.rotate_index_key(uuid, text) IS
  'queues the job that gives a tenant a new search key; its searchable fields cannot be written until it is done; recorded';

CREATE FUNCTION aegis.retoken(value anyelement, "row" record) RETURNS anyelement
  AS 'MODULE_PATHNAME', 'aegis_retoken' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.retoken(anyelement, record) IS
  'the same for a value that is bound to its data subject or row, which is given whole; refused outside the job that rotates the search key';

CREATE FUNCTION aegis.login_again(aegis.sealed_email) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_login_again' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.login_again(aegis.sealed_email) IS 'the look-up value of a user''s e-mail under the current search key';
