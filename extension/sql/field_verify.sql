-- Verification of encrypted fields and of the keys that they need. docs/field.md, docs/key.md.

CREATE FUNCTION aegis.verify_fields("table" regclass, OUT relation regclass, OUT column_name text, OUT tenant_id uuid,
                                    OUT epoch integer, OUT outcome text, OUT items bigint, OUT detail text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_verify_fields' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.verify_fields(regclass) IS
  'opens every encrypted value of a table and its partitions, of all tenants; counts them per key, names rows that fail, shows no value';

CREATE FUNCTION aegis.verify_samples(OUT tenant_id uuid, OUT epoch integer, OUT opened bigint, OUT tokens bigint,
                                     OUT failed bigint, OUT fault text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_verify_samples' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.verify_samples() IS 'opens one value of each encrypted field under each key';

CREATE FUNCTION aegis.root_fault(tenant uuid, kind text, epoch integer) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_root_fault' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.root_fault(uuid, text, integer) IS 'why a root key cannot be used, NULL when it can';

CREATE FUNCTION aegis.verify_keys(OUT tenant_id uuid, OUT kind text, OUT epoch integer, OUT state text,
                                  OUT master_version bigint, OUT outcome text, OUT samples bigint, OUT detail text,
                                  OUT suite smallint, OUT brought boolean)
  RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH sampled AS MATERIALIZED (
    SELECT s.tenant_id, s.epoch, sum(s.opened)::bigint AS opened, sum(s.tokens)::bigint AS tokens,
           sum(s.failed)::bigint AS failed, min(s.fault) AS fault
      FROM aegis.verify_samples() s GROUP BY s.tenant_id, s.epoch
  ), root AS MATERIALIZED (
    SELECT k.tenant_id, k.kind, k.epoch, k.state, k.master_version, k.suite, k.check_value IS NOT NULL AS brought,
           aegis.root_fault(k.tenant_id, k.kind, k.epoch) AS fault
      FROM aegis.tenant_key k
  ), judged AS (
    SELECT r.*, s.opened AS samples, coalesce(s.failed, 0) AS failed
      FROM root r LEFT JOIN sampled s USING (tenant_id, epoch) WHERE r.kind = 'root'
    UNION ALL
    SELECT r.*, (SELECT sum(s.tokens)::bigint FROM sampled s WHERE s.tenant_id = r.tenant_id AND r.state = 'active'), 0
      FROM root r WHERE r.kind = 'index'
    UNION ALL
    SELECT s.tenant_id, 'root', s.epoch, 'unknown', NULL, NULL, NULL, coalesce(s.fault, 'there is no such key'), s.opened, s.failed
      FROM sampled s WHERE NOT EXISTS (SELECT FROM root r WHERE r.kind = 'root' AND r.tenant_id = s.tenant_id AND r.epoch = s.epoch)
    UNION ALL
    SELECT s.tenant_id, 'subject', s.epoch, 'active', NULL, NULL, NULL,
           CASE WHEN s.fault IS NOT NULL THEN s.fault
                WHEN s.failed > 0 THEN format('%s keys of data subjects do not open', s.failed) END, s.opened, 0
      FROM aegis.verify_subjects() s
  )
  SELECT j.tenant_id, j.kind, j.epoch, j.state, j.master_version,
         CASE WHEN j.state = 'destroyed' AND j.failed = 0 THEN 'ok'
              WHEN j.fault IS NOT NULL OR j.failed > 0 THEN 'finding' ELSE 'ok' END,
         coalesce(j.samples, 0),
         CASE WHEN j.state = 'destroyed' AND j.failed = 0 THEN 'destroyed, and no row uses it'
              WHEN j.fault IS NOT NULL THEN j.fault
              WHEN j.kind = 'subject' THEN 'keys of data subjects open'
              WHEN j.failed > 0 THEN 'a sample does not open; aegis.verify_fields() names the rows'
              WHEN coalesce(j.samples, 0) > 0 THEN 'unwraps, and opens a sample of each field'
              ELSE 'unwraps; no row to open' END,
         CASE WHEN j.kind = 'root' THEN j.suite END, CASE WHEN j.kind = 'root' THEN j.brought END
    FROM judged j ORDER BY 1, 2 DESC, 3
$$;
COMMENT ON FUNCTION aegis.verify_keys() IS 'unwraps every root key and every key of a data subject, and opens a sample of what stands under them; a row for each tenant and epoch';
