-- Coverage of poolers: logins of tenants that nobody has said of what stands before them, and a gateway behind one.

CREATE FUNCTION aegis.coverage_pooler()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH declared AS (  -- what roles and databases say here, the stronger first
    SELECT d.setrole AS role, d.setdatabase <> 0 AS for_database, split_part(c.line, '=', 2) AS pooler
      FROM pg_db_role_setting d CROSS JOIN LATERAL unnest(d.setconfig) AS c(line)
     WHERE split_part(c.line, '=', 1) = 'aegis.pooler'
       AND (d.setdatabase = 0 OR d.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  ),
  login AS (
    SELECT r.oid::regrole::text AS name, pg_has_role(r.oid, 'aegis_gateway', 'MEMBER') AS is_gateway, own.role = r.oid AS for_itself,
           coalesce(own.pooler, aegis.coverage_setting('aegis.pooler')) AS pooler
      FROM pg_roles r
      JOIN aegis.coverage_tenant_roles() AS t(oid) USING (oid)
      LEFT JOIN LATERAL (SELECT * FROM declared d WHERE d.role IN (r.oid, 0) ORDER BY d.role <> 0 DESC, d.for_database DESC LIMIT 1) own ON true
     WHERE r.rolcanlogin
  )
  SELECT NULL::oid, 'high', 'role', l.name, 'pooler-before-gateway',
         'aegis-server keeps a prepared statement, which ends with each transaction of this login: it cannot serve',
         format('ALTER ROLE %s SET aegis.pooler = none', l.name)
    FROM login l WHERE l.is_gateway AND l.pooler = 'transaction'
  UNION ALL
  SELECT NULL, 'medium', 'role', l.name, 'pooler-undeclared',
         'poolers are declared, but not whether this login has one: behind one, clients run what others prepared; set aegis.pooler for it, to none if it has none',
         NULL
    FROM login l
   WHERE NOT l.is_gateway AND l.pooler = 'none' AND l.for_itself IS NOT TRUE AND EXISTS (SELECT FROM declared d WHERE d.pooler <> 'none')
$$;
COMMENT ON FUNCTION aegis.coverage_pooler() IS 'coverage: what stands between the clients of tenants and their logins';
