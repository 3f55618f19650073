-- What CREATE EXTENSION leaves behind: everything owned by the role that nobody is, nothing open to everybody but
-- what is listed here, every function that runs with another's rights or interpreted text pinned to its schema.
-- Each query prints the violations, so no rows is right.
\set VERBOSITY terse

CREATE VIEW installed AS
  SELECT d.classid, d.objid, p.oid AS routine, c.oid AS relation, c.relkind, t.oid AS type
    FROM pg_depend d
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'aegis' AND d.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typrelid = 0 AND t.typelem = 0
   WHERE d.deptype = 'e';

-- allows: one schema, fixed
SELECT n.nspname, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'aegis';

-- refuses: objects outside the schema
SELECT i.objid::regprocedure FROM installed i JOIN pg_proc p ON p.oid = i.routine WHERE p.pronamespace <> 'aegis'::regnamespace;
SELECT i.objid::regclass FROM installed i JOIN pg_class c ON c.oid = i.relation WHERE c.relnamespace <> 'aegis'::regnamespace;

-- refuses: objects of anybody but aegis_owner
SELECT i.routine::regprocedure AS not_owned FROM installed i JOIN pg_proc p ON p.oid = i.routine WHERE p.proowner <> 'aegis_owner'::regrole;
SELECT i.relation::regclass AS not_owned FROM installed i JOIN pg_class c ON c.oid = i.relation WHERE c.relowner <> 'aegis_owner'::regrole;
SELECT i.type::regtype AS not_owned FROM installed i JOIN pg_type t ON t.oid = i.type WHERE t.typowner <> 'aegis_owner'::regrole;

-- refuses: tables, views and sequences open to everybody, or writable by a role that is granted to people
SELECT i.relation::regclass AS open, a.privilege_type
  FROM installed i JOIN pg_class c ON c.oid = i.relation, aclexplode(c.relacl) a
 WHERE a.grantee = 0;
SELECT i.relation::regclass AS writable, a.grantee::regrole, a.privilege_type
  FROM installed i JOIN pg_class c ON c.oid = i.relation, aclexplode(c.relacl) a
 WHERE a.grantee NOT IN (0, 'aegis_owner'::regrole) AND a.privilege_type <> 'SELECT';

-- allows: what everybody may call: the context's getters, what a sealed column needs, what records and waits, what
-- the owner of a table needs to protect and audit it
SELECT DISTINCT p.proname AS public FROM installed i JOIN pg_proc p ON p.oid = i.routine
 WHERE has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1;

-- refuses: SECURITY DEFINER, PL/pgSQL and SQL text without a pinned search_path
SELECT i.routine::regprocedure AS not_pinned FROM installed i JOIN pg_proc p ON p.oid = i.routine JOIN pg_language l ON l.oid = p.prolang
 WHERE (p.prosecdef OR l.lanname = 'plpgsql' OR (l.lanname = 'sql' AND p.prosqlbody IS NULL))
   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);

-- refuses: LEAKPROOF where a function takes data, but for the equality that searches need
SELECT i.routine::regprocedure AS leakproof FROM installed i JOIN pg_proc p ON p.oid = i.routine WHERE p.proleakproof AND p.pronargs > 0;

-- refuses: objects without a comment
SELECT i.routine::regprocedure AS silent FROM installed i WHERE i.routine IS NOT NULL AND obj_description(i.routine, 'pg_proc') IS NULL;
SELECT i.relation::regclass AS silent FROM installed i
 WHERE i.relkind IN ('r', 'p', 'v', 'm', 'S') AND obj_description(i.relation, 'pg_class') IS NULL
   AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.objid = i.relation AND o.classid = 'pg_class'::regclass AND o.deptype IN ('a', 'i'));
SELECT i.type::regtype AS silent FROM installed i JOIN pg_type t ON t.oid = i.type WHERE obj_description(i.type, 'pg_type') IS NULL;

-- survives: every table is dumped with its data, partitioned parents by their partitions
SELECT i.relation::regclass AS lost FROM installed i
 WHERE i.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'aegis' AND i.relation = ANY (e.extconfig));

DROP VIEW installed;
