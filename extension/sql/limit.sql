-- What one tenant may take of the server. docs/limit.md.

CREATE TABLE aegis.tenant_limit (
  tenant_id           uuid NOT NULL PRIMARY KEY REFERENCES aegis.tenant,
  statement_ms        integer CHECK (statement_ms >= 0),
  lock_ms             integer CHECK (lock_ms >= 0),
  idle_ms             integer CHECK (idle_ms >= 0),
  requests_per_minute integer CHECK (requests_per_minute BETWEEN 0 AND 10000000),
  rows_per_minute     integer CHECK (rows_per_minute BETWEEN 0 AND 10000000)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant_limit', '');
COMMENT ON TABLE aegis.tenant_limit IS 'limits of tenants that differ from the settings; 0 none, NULL the setting';

CREATE FUNCTION aegis.set_tenant_limits(tenant uuid, statement_timeout interval DEFAULT NULL, lock_timeout interval DEFAULT NULL,
                                        idle_timeout interval DEFAULT NULL, requests_per_minute integer DEFAULT NULL,
                                        rows_per_minute integer DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_set_tenant_limits' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.set_tenant_limits(uuid, interval, interval, interval, integer, integer) IS
  'sets all limits of a tenant: what is not named follows the settings, 0 is none; holds from the next context on; recorded';

CREATE FUNCTION aegis.limits_of(tenant uuid, OUT statement_timeout interval, OUT lock_timeout interval, OUT idle_timeout interval,
                                OUT requests_per_minute integer, OUT requests_used integer,
                                OUT rows_per_minute integer, OUT rows_used integer)
  AS 'MODULE_PATHNAME', 'aegis_limits_of' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.limits_of(uuid) IS 'limits in force for a tenant, and how much of the quotas is used';

CREATE FUNCTION aegis.tenant_limits(OUT tenant uuid, OUT slug text, OUT statement_timeout interval, OUT lock_timeout interval,
                                    OUT idle_timeout interval, OUT requests_per_minute integer, OUT requests_used integer,
                                    OUT rows_per_minute integer, OUT rows_used integer, OUT of_its_own boolean) RETURNS SETOF record
  LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL UNSAFE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.id, t.slug, l.statement_timeout, l.lock_timeout, l.idle_timeout, l.requests_per_minute, l.requests_used,
         l.rows_per_minute, l.rows_used, EXISTS (SELECT FROM aegis.tenant_limit o WHERE o.tenant_id = t.id)
    FROM aegis.tenant t CROSS JOIN LATERAL aegis.limits_of(t.id) l ORDER BY t.slug
$$;
COMMENT ON FUNCTION aegis.tenant_limits() IS 'limits in force for every tenant; 0 is none; for operators and auditors';
