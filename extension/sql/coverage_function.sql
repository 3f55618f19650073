-- Coverage of the extension's own functions: policies, walls and the ledger are as good as the functions they call.

-- What the install script made, as statements that make it again. A dump has no rows of it: the script of the database
-- that is restored into writes them.
CREATE TABLE aegis.own_function (
  name       text NOT NULL PRIMARY KEY,
  definition text NOT NULL,
  grantees   text NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('aegis.own_function', 'WHERE false');
COMMENT ON TABLE aegis.own_function IS 'functions of the extension, their definitions and who may execute them, as installed';

CREATE FUNCTION aegis.own_functions() RETURNS TABLE (function oid, name text, definition text, owner oid, grantees text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.oid, p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proowner,
         coalesce((SELECT string_agg(CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                                     || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', '
                                     ORDER BY a.grantee = 0, a.grantee::regrole::text COLLATE "C", a.is_grantable)
                     FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner), '')
    FROM pg_depend d
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'aegis'
    JOIN pg_proc p ON p.oid = d.objid AND p.prokind IN ('f', 'p')
   WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
$$;
COMMENT ON FUNCTION aegis.own_functions() IS 'functions of the extension as they are';

CREATE FUNCTION aegis.coverage_function()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH getter (name) AS (
    SELECT 'aegis.' || unnest(ARRAY['tenant_id', 'user_id', 'session_id', 'user_lo', 'user_hi', 'team_ord', 'team_lo', 'team_hi', 'rank',
                                    'auth_method', 'request_id', 'client_ip', 'require_tenant', 'service_id', 'link_id', 'link_target']) || '()'
  ),
  installed AS (
    SELECT i.name, i.definition, i.grantees, g.name IS NOT NULL AS is_getter, o.function, o.owner, o.grantees AS grantees_now,
           o.definition IS DISTINCT FROM i.definition AS changed
      FROM aegis.own_function i
      LEFT JOIN aegis.own_functions() o ON o.name = i.name
      LEFT JOIN getter g ON g.name = i.name
  )
  SELECT 'aegis'::regnamespace::oid, 'high', 'function', i.name, CASE WHEN i.is_getter THEN 'getter-replaced' ELSE 'function-replaced' END,
         CASE WHEN i.function IS NULL THEN 'the function is gone, or no longer of the extension'
              WHEN i.owner <> 'aegis_owner'::regrole THEN 'the function belongs to another role than aegis_owner'
              ELSE 'the function is not the one that the extension installed' END,
         CASE WHEN i.function IS NULL THEN i.definition || format('; ALTER FUNCTION %s OWNER TO aegis_owner; REVOKE ALL ON FUNCTION %1$s FROM PUBLIC', i.name)
                                           || coalesce('; GRANT EXECUTE ON FUNCTION ' || i.name || ' TO ' || nullif(i.grantees, ''), '')
              ELSE concat_ws('; ', CASE WHEN i.changed THEN i.definition END,
                             CASE WHEN i.owner <> 'aegis_owner'::regrole THEN format('ALTER FUNCTION %s OWNER TO aegis_owner', i.name) END) END
    FROM installed i WHERE i.changed OR i.owner <> 'aegis_owner'::regrole
  UNION ALL
  -- The list of the getters is in the database, too. What they must be is known without it.
  SELECT 'aegis'::regnamespace, 'high', 'function', g.name, 'getter-replaced', 'the getter does not read the context', NULL
    FROM getter g
   WHERE NOT EXISTS (
           SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
            WHERE p.oid = to_regprocedure(g.name) AND l.lanname = 'c' AND p.probin = '$libdir/aegis'
              AND p.prosrc = 'aegis_' || p.proname AND p.provolatile = 's' AND p.proparallel = 's'
              AND p.proleakproof = (p.proname <> 'require_tenant') AND NOT p.prosecdef AND p.proconfig IS NULL)
     AND g.name NOT IN (SELECT i.name FROM installed i WHERE i.changed)
  UNION ALL
  SELECT 'aegis'::regnamespace, 'medium', 'function', i.name, 'function-grants',
         format('%s may execute it, which the extension gave to %s', coalesce(nullif(i.grantees_now, ''), 'nobody'),
                coalesce(nullif(i.grantees, ''), 'nobody')),
         concat_ws('; ', 'REVOKE ALL ON FUNCTION ' || i.name || ' FROM ' || nullif(replace(i.grantees_now, ' WITH GRANT OPTION', ''), '') || ' CASCADE',
                   'GRANT EXECUTE ON FUNCTION ' || i.name || ' TO ' || nullif(i.grantees, ''))
    FROM installed i WHERE i.grantees_now <> i.grantees AND i.owner = 'aegis_owner'::regrole
$$;
COMMENT ON FUNCTION aegis.coverage_function() IS 'coverage: functions of the extension that somebody changed, removed or granted';
