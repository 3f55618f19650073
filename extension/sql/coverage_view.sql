-- Coverage of what reads protected tables: views, materialised views, foreign tables, rules.

CREATE FUNCTION aegis.coverage_view()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE uses (rule, class, name, namespace, kind, owner, options, rulename) AS (
    SELECT w.oid, c.oid, c.oid::regclass::text, c.relnamespace, c.relkind, c.relowner, c.reloptions, w.rulename
      FROM pg_rewrite w
      JOIN pg_class c ON c.oid = w.ev_class
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
      JOIN (SELECT relation::oid FROM aegis.protected_table UNION SELECT relation::oid FROM aegis.protected_part) p ON p.relation = d.refobjid
    UNION
    SELECT w.oid, c.oid, c.oid::regclass::text, c.relnamespace, c.relkind, c.relowner, c.reloptions, w.rulename
      FROM uses u
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.class AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite w ON w.oid = d.objid
      JOIN pg_class c ON c.oid = w.ev_class
     WHERE u.kind IN ('v', 'm')
  ),
  readable AS (  -- by tenant roles
    SELECT r.oid, array_agg(DISTINCT a.grantee) AS grantees
      FROM aegis.coverage_relation r
      JOIN pg_class c ON c.oid = r.oid
      CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
     WHERE r.kind IN ('m', 'f') AND a.grantee IN (SELECT aegis.coverage_tenant_roles()) GROUP BY r.oid
  )
  SELECT DISTINCT u.namespace, CASE WHEN o.rolsuper OR o.rolbypassrls THEN 'high' ELSE 'medium' END, 'view', u.name, 'view-not-invoker',
         'the view reads protected tables with the rights of its owner'
         || CASE WHEN o.rolsuper OR o.rolbypassrls THEN ', whom row security does not bind' ELSE '' END,
         format('ALTER VIEW %s SET (security_invoker = true)', u.name)
    FROM uses u JOIN pg_roles o ON o.oid = u.owner
   WHERE u.kind = 'v' AND u.rulename = '_RETURN' AND u.namespace <> 'aegis'::regnamespace
     AND NOT EXISTS (SELECT FROM pg_options_to_table(u.options) t WHERE t.option_name = 'security_invoker' AND t.option_value::boolean)
  UNION ALL
  SELECT DISTINCT u.namespace, CASE WHEN r.oid IS NOT NULL THEN 'high' ELSE 'medium' END, 'materialized view', u.name, 'materialized-view',
         'it holds rows of protected tables without row security'
         || CASE WHEN r.oid IS NOT NULL THEN ', and tenant roles may use it' ELSE '; decide whether it is needed' END,
         'REVOKE ALL ON ' || u.name || ' FROM ' || aegis.coverage_grantees(r.grantees)
    FROM uses u LEFT JOIN readable r ON r.oid = u.class
   WHERE u.kind = 'm'
  UNION ALL
  SELECT r.namespace, 'high', 'foreign table', r.name, 'foreign-table', 'it has no row security, and tenant roles may use it',
         'REVOKE ALL ON ' || r.name || ' FROM ' || aegis.coverage_grantees(g.grantees)
    FROM aegis.coverage_relation r JOIN readable g ON g.oid = r.oid WHERE r.kind = 'f'
  UNION ALL
  SELECT DISTINCT u.namespace, 'high', 'rule', format('%I on %s', u.rulename, u.name), 'rule-on-protected',
         'a rule rewrites statements on protected tables with the rights of its table''s owner',
         format('DROP RULE %I ON %s', u.rulename, u.name)
    FROM uses u WHERE u.rulename <> '_RETURN'
$$;
COMMENT ON FUNCTION aegis.coverage_view() IS 'coverage: views, materialised views, foreign tables and rules over protected tables';
