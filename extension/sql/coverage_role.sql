-- Coverage of functions, grants and roles.

CREATE FUNCTION aegis.coverage_code()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH definer AS (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.pronamespace AS namespace, n.nspname, p.proconfig,
           o.rolsuper OR o.rolbypassrls AS bypasses,
           (SELECT array_agg(a.grantee) FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
             WHERE a.grantee IN (SELECT aegis.coverage_tenant_roles())) AS grantees
      FROM pg_proc p
      JOIN pg_namespace n ON n.oid = p.pronamespace
      JOIN pg_roles o ON o.oid = p.proowner
     WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_temp'
  )
  SELECT d.namespace, CASE WHEN d.grantees IS NOT NULL THEN 'high' ELSE 'medium' END, 'function', d.name, 'definer-search-path',
         'it runs with the rights of its owner and finds names by the search_path of its caller',
         format('ALTER ROUTINE %s SET search_path = pg_catalog, %I, pg_temp', d.name, d.nspname)
    FROM definer d WHERE NOT EXISTS (SELECT FROM unnest(d.proconfig) c WHERE c LIKE 'search_path=%')
  UNION ALL
  SELECT d.namespace, 'high', 'function', d.name, 'definer-bypasses',
         'it runs as a role that row security does not bind, and tenant roles may call it',
         format('REVOKE EXECUTE ON ROUTINE %s FROM %s', d.name, aegis.coverage_grantees(d.grantees))
    FROM definer d WHERE d.bypasses AND d.grantees IS NOT NULL
$$;
COMMENT ON FUNCTION aegis.coverage_code() IS 'coverage: functions that run with the rights of their owner';

CREATE FUNCTION aegis.coverage_grant()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH tenant_role AS MATERIALIZED (SELECT t.oid FROM aegis.coverage_tenant_roles() AS t(oid)),
  below AS MATERIALIZED (  -- partitions and children of protected tables
    SELECT i.inhrelid AS oid
      FROM pg_inherits i
      JOIN (SELECT p.relation::oid FROM aegis.protected_table p UNION SELECT p.relation::oid FROM aegis.protected_part p) a
        ON a.relation = i.inhparent
  ),
  held AS (
    SELECT r.oid, r.name, r.namespace, r.kind, r.protected, a.privilege_type AS privilege, array_agg(DISTINCT a.grantee) AS grantees,
           -- A child that is protected has policies of its own.
           (r.is_partition OR NOT r.protected) AND r.oid IN (SELECT b.oid FROM below b) AS is_child
      FROM aegis.coverage_relation r
      JOIN pg_class c ON c.oid = r.oid
      CROSS JOIN LATERAL (
        SELECT x.grantee, x.privilege_type
          FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))) x
        UNION ALL  -- of single columns
        SELECT x.grantee, x.privilege_type FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) x
         WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) a
     WHERE a.grantee IN (SELECT oid FROM tenant_role)
     GROUP BY 1, 2, 3, 4, 5, 6, r.is_partition
  ),
  grantee AS (SELECT h.oid, h.privilege, g FROM held h CROSS JOIN LATERAL unnest(h.grantees) g)
  SELECT h.namespace, 'medium', 'sequence', h.name, 'grant-on-sequence',
         'tenant roles may use it, and it counts the rows of all tenants',
         format('REVOKE ALL ON SEQUENCE %s FROM %s', h.name, aegis.coverage_grantees(array_agg(g.g)))
    FROM held h JOIN grantee g USING (oid, privilege) WHERE h.kind = 'S' GROUP BY h.oid, h.namespace, h.name
  UNION ALL
  SELECT h.namespace, 'high', 'table', h.name, 'grant-on-partition',
         'tenant roles may use a part of a protected table directly',
         format('REVOKE ALL ON %s FROM %s', h.name, aegis.coverage_grantees(array_agg(g.g)))
    FROM held h JOIN grantee g USING (oid, privilege) WHERE h.kind IN ('r', 'p') AND h.is_child GROUP BY h.oid, h.namespace, h.name
  UNION ALL
  SELECT h.namespace, 'high', 'table', h.name, 'grant-on-unprotected',
         'tenant roles have rights on a table that is not protected',
         format('REVOKE ALL ON %s FROM %s', h.name, aegis.coverage_grantees(array_agg(g.g)))
    FROM held h JOIN grantee g USING (oid, privilege)
   WHERE h.kind IN ('r', 'p') AND NOT h.protected AND NOT h.is_child GROUP BY h.oid, h.namespace, h.name
  UNION ALL
  SELECT h.namespace, 'medium', 'table', h.name, 'grant-beyond-rows',
         format('tenant roles have %s, which row security does not restrict', string_agg(DISTINCT h.privilege, ', ')),
         format('REVOKE %s ON %s FROM %s', string_agg(DISTINCT h.privilege, ', '), h.name, aegis.coverage_grantees(array_agg(g.g)))
    FROM held h JOIN grantee g USING (oid, privilege)
   WHERE h.kind IN ('r', 'p', 'v') AND h.privilege IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') GROUP BY h.oid, h.namespace, h.name
  UNION ALL
  SELECT c.relnamespace, 'medium', 'table', c.oid::regclass::text, 'grant-of-code',
         format('roles other than its owner have %s: a trigger sees what is written, a reference tells what is there',
                string_agg(DISTINCT x.privilege_type, ', ')),
         format('REVOKE %s ON %s FROM %s', string_agg(DISTINCT x.privilege_type, ', '), c.oid::regclass, aegis.coverage_grantees(array_agg(x.grantee)))
    FROM aegis.protected_table p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN LATERAL aclexplode(c.relacl) x
    JOIN pg_roles g ON g.oid = x.grantee AND NOT g.rolsuper
   WHERE x.privilege_type IN ('TRIGGER', 'REFERENCES') AND x.grantee <> c.relowner AND x.grantee NOT IN (SELECT oid FROM tenant_role) GROUP BY c.oid
  UNION ALL
  SELECT n.oid, 'medium', 'schema', n.oid::regnamespace::text, 'grant-create',
         'tenant roles may create objects in the schema',
         format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname, aegis.coverage_grantees(array_agg(a.grantee)))
    FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
   WHERE a.privilege_type = 'CREATE' AND a.grantee IN (SELECT oid FROM tenant_role) AND n.nspname !~ '^pg_' GROUP BY n.oid, n.nspname
  UNION ALL
  SELECT NULL, 'low', 'database', d.datname::text, 'temp-on-database',
         'tenant roles may create temporary tables, which outlive a transaction of a pooled session',
         format('REVOKE TEMPORARY ON DATABASE %I FROM %s', d.datname, aegis.coverage_grantees(array_agg(a.grantee)))
    FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
   WHERE d.datname = current_database() AND a.privilege_type = 'TEMPORARY' AND a.grantee IN (SELECT oid FROM tenant_role) GROUP BY d.datname
  UNION ALL
  SELECT NULL, 'high', 'parameter', p.parname, 'grant-on-parameter',
         'a role that is no superuser may change a setting of the server',
         format('REVOKE ALL ON PARAMETER %s FROM %s', p.parname, aegis.coverage_grantees(array_agg(a.grantee)))
    FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
   WHERE NOT coalesce(r.rolsuper, false) GROUP BY p.parname
  UNION ALL
  SELECT r.namespace, 'medium', 'publication', b.pubname::text, 'publication-of-tenants',
         format('it sends rows of all tenants of %s to subscribers', r.name),
         CASE WHEN d.prrelid IS NOT NULL THEN format('ALTER PUBLICATION %I DROP TABLE %s', b.pubname, r.name) END
    FROM pg_publication b
    CROSS JOIN LATERAL pg_get_publication_tables(b.pubname) t
    JOIN aegis.coverage_relation r ON r.oid = t.relid AND r.protected
    LEFT JOIN pg_publication_rel d ON d.prpubid = b.oid AND d.prrelid = r.oid
$$;
COMMENT ON FUNCTION aegis.coverage_grant() IS 'coverage: what tenant roles and others were granted, and publications';

CREATE FUNCTION aegis.coverage_role()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH role AS (
    SELECT r.*, r.oid::regrole::text AS name, NULLIF(concat_ws(' ',
             CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
             CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
             CASE WHEN r.rolreplication THEN 'REPLICATION' END), '') AS powers
      FROM pg_roles r
  )
  SELECT NULL::oid, CASE WHEN r.oid = 10 THEN 'low' ELSE 'medium' END, 'role', r.name, 'role-superuser',
         CASE WHEN r.oid = 10 THEN 'the superuser of the cluster can log in; keep it for the operation of the server'
              ELSE 'row security does not bind a superuser that can log in' END,
         CASE WHEN r.oid <> 10 THEN format('ALTER ROLE %s NOSUPERUSER', r.name) END
    FROM role r WHERE r.rolsuper AND r.rolcanlogin
  UNION ALL
  SELECT NULL, 'medium', 'role', r.name, 'role-bypasses-row-security', 'row security does not bind a role that can log in',
         format('ALTER ROLE %s NOBYPASSRLS', r.name)
    FROM role r WHERE r.rolbypassrls AND NOT r.rolsuper AND r.rolcanlogin
  UNION ALL
  SELECT NULL, 'medium', 'role', r.name, 'role-replicates', 'it can copy all tenants'' rows as a replica does',
         format('ALTER ROLE %s NOREPLICATION', r.name)
    FROM role r WHERE r.rolreplication AND NOT r.rolsuper AND r.rolcanlogin
  UNION ALL
  SELECT NULL, 'high', 'role', r.name, 'member-with-powers', format('a member of %s has %s', g.rolname, r.powers),
         CASE WHEN r.rolsuper THEN format('REVOKE %I FROM %s', g.rolname, r.name)
              ELSE format('ALTER ROLE %s NO%s', r.name, replace(r.powers, ' ', ' NO')) END
    FROM role r
    JOIN pg_auth_members m ON m.member = r.oid
    JOIN pg_roles g ON g.oid = m.roleid
   WHERE r.powers IS NOT NULL AND g.rolname IN ('aegis_gateway', 'aegis_member', 'aegis_agent', 'aegis_payment_service')
  UNION ALL
  SELECT NULL, 'high', 'role', r.name, 'member-of-server-role', format('a tenant role is a member of %s', g.rolname),
         format('REVOKE %I FROM %s', g.rolname, r.name)
    FROM role r
    JOIN pg_auth_members m ON m.member = r.oid
    JOIN pg_roles g ON g.oid = m.roleid
   WHERE r.oid IN (SELECT aegis.coverage_tenant_roles()) AND g.rolname ~ '^pg_'
$$;
COMMENT ON FUNCTION aegis.coverage_role() IS 'coverage: roles that bypass, copy or make others';
