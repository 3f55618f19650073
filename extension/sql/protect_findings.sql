-- What is in the way of protecting a table, and what to know before. docs/protect.md.

CREATE FUNCTION aegis.row_findings(target regclass, created_by boolean, team boolean, tenant_from text, created_by_from text, team_from text,
                                   OUT problem text, OUT fix text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_row_findings' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.row_findings(regclass, boolean, boolean, text, text, text) IS
  'counts the rows of a table that would have no tenant, creator or team, or a tenant that does not exist; for its owner';

-- Everything at once, so that nobody mends one thing to learn of the next. The arguments are those of protect_table.
CREATE FUNCTION aegis.protection_findings(target regclass, created_by boolean DEFAULT true, team boolean DEFAULT true,
    parent regclass DEFAULT NULL, tenant_from text DEFAULT NULL, created_by_from text DEFAULT NULL, team_from text DEFAULT NULL)
  RETURNS TABLE (blocks boolean, problem text, fix text)
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  members oid[] := ARRAY(SELECT aegis.table_tree(target));
  has_tenant boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = 'tenant_id' AND NOT a.attisdropped);
  in_the_way boolean := false;
  own_owner oid := (SELECT relowner FROM pg_class WHERE oid = target);
BEGIN
  -- Parts that cannot be protected together with the table.
  FOR problem, fix IN
    SELECT format(CASE WHEN c.relkind = 'f' THEN '%s is a foreign table, which has no row security'
                       WHEN c.relpersistence = 't' THEN '%s is a temporary table'
                       WHEN o.inhparent IS NOT NULL THEN '%s inherits from %s as well, where its rows would be seen'
                       ELSE '%s belongs to another owner' END, c.oid::regclass, o.inhparent::regclass),
           CASE WHEN c.relkind NOT IN ('r', 'p') OR c.relpersistence = 't' OR o.inhparent IS NOT NULL THEN
                  CASE WHEN c.relispartition THEN format('ALTER TABLE %s DETACH PARTITION %s;', i.inhparent::regclass, c.oid::regclass)
                       ELSE format('ALTER TABLE %s NO INHERIT %s;', c.oid::regclass, coalesce(o.inhparent, i.inhparent)::regclass) END
                ELSE format('ALTER TABLE %s OWNER TO %s;', c.oid::regclass, own_owner::regrole) END
      FROM pg_class c
      JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = ANY (members)
      LEFT JOIN pg_inherits o ON o.inhrelid = c.oid AND o.inhparent <> ALL (members)
     WHERE c.oid = ANY (members) AND c.oid <> target
       AND (c.relkind NOT IN ('r', 'p') OR c.relpersistence = 't' OR o.inhparent IS NOT NULL OR c.relowner <> own_owner)
     ORDER BY 1
  LOOP
    blocks := true; in_the_way := true; RETURN NEXT;
  END LOOP;
  -- Columns under our names that are something else.
  FOR problem, fix IN
    SELECT CASE WHEN a.attgenerated <> '' OR a.attidentity <> '' THEN
                  format('column %s of %s is generated, but its values come from the context', a.attname, target)
                ELSE format('column %s of %s has type %s, not %s', a.attname, target, format_type(a.atttypid, a.atttypmod), w.type) END,
           CASE WHEN a.attgenerated <> '' THEN format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION;', target, a.attname)
                WHEN a.attidentity <> '' THEN format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY;', target, a.attname)
                ELSE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT, ALTER COLUMN %I TYPE %s USING %I::text::%s;', target, a.attname, a.attname,
                            w.type, a.attname, w.type) END
      FROM (VALUES ('tenant_id', 'uuid'::regtype, true), ('created_by', 'uuid', created_by), ('team_ord', 'bigint', team)) w(name, type, wanted)
      JOIN pg_attribute a ON a.attrelid = target AND a.attname = w.name AND NOT a.attisdropped
     WHERE w.wanted AND (a.atttypid <> w.type OR a.attgenerated <> '' OR a.attidentity <> '')
  LOOP
    blocks := true; in_the_way := true; RETURN NEXT;
  END LOOP;
  -- Triggers under our names that are somebody else's would be replaced.
  FOR problem, fix IN
    SELECT format('trigger %s of %s has a name that Aegis needs', t.tgname, t.tgrelid::regclass),
           format('ALTER TRIGGER %I ON %s RENAME TO %I;', t.tgname, t.tgrelid::regclass, 'own_' || t.tgname)
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = ANY (members) AND t.tgparentid = 0 AND p.pronamespace <> 'aegis'::regnamespace
       AND t.tgname IN ('zzy_aegis_stamp', 'zzz_aegis_seal', 'aegis_truncate', 'aegis_audit_row', 'aegis_audit_truncate', 'aegis_follow')
     ORDER BY 1
  LOOP
    blocks := true; RETURN NEXT;
  END LOOP;
  -- So would policies. Those of a protected table are ours, whatever they say now, and are made again.
  FOR problem, fix IN
    SELECT format('policy %s of %s has a name that Aegis needs', p.polname, p.polrelid::regclass),
           format('ALTER POLICY %I ON %s RENAME TO %I;', p.polname, p.polrelid::regclass, 'own_' || p.polname)
      FROM pg_policy p
     WHERE p.polrelid = ANY (members) AND p.polname IN ('aegis_select', 'aegis_insert', 'aegis_update', 'aegis_delete')
       AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
                        WHERE t.tgrelid = target AND t.tgname = 'zzy_aegis_stamp' AND f.pronamespace = 'aegis'::regnamespace)
       AND NOT EXISTS (SELECT FROM pg_policy o JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = o.oid
                        WHERE o.polrelid = target AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = 'aegis.tenant_id()'::regprocedure)
     ORDER BY 1
  LOOP
    blocks := true; RETURN NEXT;
  END LOOP;
  IF NOT has_tenant AND EXISTS (SELECT FROM aegis.key_findings(target)) THEN
    blocks := true; problem := NULL; fix := format('ALTER TABLE %s ADD COLUMN tenant_id uuid;', target); RETURN NEXT;
  END IF;
  FOR problem, fix IN SELECT k.problem, k.fix FROM aegis.key_findings(target) k LOOP
    blocks := true; RETURN NEXT;
  END LOOP;
  IF parent IS NOT NULL AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = target AND c.confrelid = parent) THEN
    blocks := true; problem := format('%s has no foreign key to its parent %s', target, parent);
    fix := format('ALTER TABLE %s ADD FOREIGN KEY (tenant_id, ...) REFERENCES %s (tenant_id, ...);', target, parent); RETURN NEXT;
  END IF;
  IF NOT in_the_way THEN
    FOR problem, fix IN SELECT r.problem, r.fix FROM aegis.row_findings(target, created_by, team, tenant_from, created_by_from, team_from) r LOOP
      blocks := true; RETURN NEXT;
    END LOOP;
  END IF;
  -- What protection does not need, but its owner should know.
  blocks := false;
  FOR problem, fix IN
    SELECT format('view %s reads %s with the rights of its owner', c.oid::regclass, d.refobjid::regclass),
           format('ALTER VIEW %s SET (security_invoker = true);', c.oid::regclass)
      FROM pg_depend d
      JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_class c ON c.oid = w.ev_class AND c.relkind = 'v'
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (members)
       AND NOT EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
    UNION
    SELECT format('materialized view %s keeps rows of %s without row security', c.oid::regclass, d.refobjid::regclass),
           format('REVOKE ALL ON %s FROM PUBLIC, aegis_member;', c.oid::regclass)
      FROM pg_depend d
      JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_class c ON c.oid = w.ev_class AND c.relkind = 'm'
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (members)
    UNION
    SELECT format('rule %I of %s rewrites statements with the rights of its table''s owner', w.rulename, w.ev_class::regclass),
           format('DROP RULE %I ON %s;', w.rulename, w.ev_class::regclass)
      FROM pg_rewrite w WHERE w.ev_class = ANY (members) AND w.rulename <> '_RETURN'
    UNION
    SELECT format('policy %I of %s widens what users and teams see', p.polname, p.polrelid::regclass),
           format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass)
      FROM pg_policy p
     WHERE p.polrelid = ANY (members) AND p.polpermissive AND p.polname NOT IN ('aegis_select', 'aegis_insert', 'aegis_update', 'aegis_delete')
    UNION
    SELECT format('trigger %I of %s runs after the stamp, and could change what it wrote', t.tgname, t.tgrelid::regclass),
           format('ALTER TRIGGER %I ON %s RENAME TO %I;', t.tgname, t.tgrelid::regclass, 'a_' || t.tgname)
      FROM pg_trigger t
     WHERE t.tgrelid = ANY (members) AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname > 'zzy_aegis_stamp' AND t.tgname <> 'zzz_aegis_seal'
       AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0  -- before each row, INSERT or UPDATE
    UNION
    SELECT format('trigger function %s of %s runs with the rights of a role that row security does not bind', p.oid::regprocedure, t.tgrelid::regclass),
           format('ALTER FUNCTION %s SECURITY INVOKER;', p.oid::regprocedure)
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_roles o ON o.oid = p.proowner
     WHERE t.tgrelid = ANY (members) AND NOT t.tgisinternal AND p.prosecdef AND (o.rolsuper OR o.rolbypassrls)
       AND p.pronamespace <> 'aegis'::regnamespace
    UNION
    SELECT s.problem, s.fix FROM aegis.counter_findings(target) s
     ORDER BY 1
  LOOP
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.protection_findings(regclass, boolean, boolean, regclass, text, text, text) IS
  'a dry run of protect_table: everything that blocks it, and what is worth knowing, each with the statement that mends it';

-- How far back-filling is, for each table and partition; an interrupted call goes on from here.
CREATE TABLE aegis.backfill (
  relation    regclass    NOT NULL PRIMARY KEY,
  pages_done  bigint      NOT NULL,
  pages       bigint      NOT NULL,
  filled      bigint      NOT NULL,
  work        bigint      NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished_at timestamptz
);
COMMENT ON TABLE aegis.backfill IS 'how far back-filling of tables is';
COMMENT ON COLUMN aegis.backfill.work IS 'which file is filled with which expressions: pages of another, or for others, were not done';
SELECT pg_catalog.pg_extension_config_dump('aegis.backfill', 'WHERE false');

CREATE FUNCTION aegis.backfill_progress()
  RETURNS TABLE (relation regclass, pages_done bigint, pages bigint, filled bigint, started_at timestamptz, updated_at timestamptz,
                 finished_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT b.relation, b.pages_done, b.pages, b.filled, b.started_at, b.updated_at, b.finished_at
    FROM aegis.backfill b JOIN pg_class c ON c.oid = b.relation
   WHERE pg_has_role(session_user, c.relowner, 'MEMBER') OR pg_has_role(session_user, 'aegis_operator', 'MEMBER')
      OR pg_has_role(session_user, 'aegis_auditor', 'MEMBER')
$$;
COMMENT ON FUNCTION aegis.backfill_progress() IS 'how far back-filling is, for owners of the tables, operators and auditors';

-- A procedure, for it commits after each batch, and without a setting of its own, for PostgreSQL lets none with one commit.
CREATE PROCEDURE aegis.backfill_table(target regclass, tenant_from text, created_by_from text DEFAULT NULL, team_from text DEFAULT NULL,
                                      pages integer DEFAULT 1000, INOUT filled bigint DEFAULT NULL, INOUT without_tenant bigint DEFAULT NULL)
  AS 'MODULE_PATHNAME', 'aegis_backfill_table' LANGUAGE C;
COMMENT ON PROCEDURE aegis.backfill_table(regclass, text, text, text, integer, bigint, bigint) IS
  'gives existing rows tenant, creator and team from expressions, so many pages in a transaction; called again it goes on where it stopped';
