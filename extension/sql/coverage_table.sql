-- Coverage of tables: protection, policies, triggers, keys, partitions, columns.

CREATE FUNCTION aegis.coverage_table()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH relation AS MATERIALIZED (SELECT * FROM aegis.coverage_relation WHERE kind IN ('r', 'p', 'f')),
  child AS (
    SELECT c.*, a.name AS above, a.protect AS mend
      FROM pg_inherits i
      JOIN relation c ON c.oid = i.inhrelid
      JOIN relation a ON a.oid = i.inhparent
     WHERE a.protected AND NOT c.protected
  ),
  expected AS (  -- the four policies, as pg_get_expr writes them
    SELECT r.*, w.command, w.letter, w.uses, w.checks, e.expression
      FROM relation r
      CROSS JOIN (VALUES ('select', 'r', true, false), ('insert', 'a', false, true),
                         ('update', 'w', true, true), ('delete', 'd', true, false)) AS w(command, letter, uses, checks)
      CROSS JOIN LATERAL (SELECT CASE WHEN r.team OR r.created_by THEN
             format('((tenant_id = aegis.tenant_id())%s%s)',
                    CASE WHEN r.team THEN ' AND ((team_ord >= aegis.team_lo()) AND (team_ord <= aegis.team_hi()))' ELSE '' END,
                    CASE WHEN r.created_by THEN ' AND ((created_by >= aegis.user_lo()) AND (created_by <= aegis.user_hi()))' ELSE '' END)
             ELSE '(tenant_id = aegis.tenant_id())' END) AS e(expression)
     WHERE r.protected
  ),
  wanted_trigger AS (
    SELECT r.*, w.name AS trigger, w.routine, w.finding, w.what, r.oid AS target, r.protect AS mend
      FROM relation r
      CROSS JOIN (VALUES ('zzy_aegis_stamp', 'aegis.stamp_row'::regproc, 'stamp-trigger-missing', 'rows take tenant and creator from the client'),
                         ('aegis_truncate', 'aegis.refuse_truncate', 'truncate-trigger-missing', 'TRUNCATE empties the table for all tenants')) AS w(name, routine, finding, what)
     WHERE r.protected
    UNION ALL
    SELECT r.*, 'aegis_follow', 'aegis.follow_parent', 'follow-trigger-missing', 'child rows stay behind when their parent moves', r.parent, r.protect
      FROM relation r JOIN pg_class o ON o.oid = r.parent WHERE r.protected AND NOT r.is_part
    UNION ALL
    -- Row triggers of a partition are clones; making those of its table again makes them again.
    SELECT r.*, w.name, ('aegis.' || w.routine)::regproc, 'audit-trigger-missing', 'changes leave no entry in the ledger', r.oid,
           CASE WHEN r.is_partition THEN
                  format('CREATE OR ' || 'REPLACE TRIGGER %1$s AFTER %2$s ON %3$s FOR EACH %4$s EXECUTE FUNCTION aegis.%5$s(%6$s); ALTER TABLE %3$s ENABLE ALWAYS TRIGGER %1$s',
                         w.name, w.events, t.relation, w.level, w.routine, a.clear)
                WHEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = r.oid AND g.tgname = w.name) THEN
                  format('CREATE TRIGGER %s AFTER %s ON %s FOR EACH %s EXECUTE FUNCTION aegis.%s(%s); ',
                         w.name, w.events, r.name, w.level, w.routine, a.clear)
                     || format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %s', r.name, w.name)
                ELSE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %s', r.name, w.name) END
      FROM relation r
      JOIN aegis.audited_table t ON t.relation::oid = CASE WHEN r.is_partition THEN r.root ELSE r.oid END
      CROSS JOIN (VALUES ('aegis_audit_row', 'INSERT OR UPDATE OR DELETE', 'ROW', 'audit_row'),
                         ('aegis_audit_truncate', 'TRUNCATE', 'STATEMENT', 'audit_truncate')) AS w(name, events, level, routine)
      CROSS JOIN LATERAL (SELECT CASE w.name WHEN 'aegis_audit_row' THEN string_agg(quote_literal(c), ', ' ORDER BY n) END
                            FROM unnest(t.clear) WITH ORDINALITY AS c(c, n)) AS a(clear)
     -- TRUNCATE of a protected partition is refused.
     WHERE NOT (r.is_partition AND w.level = 'STATEMENT')
  ),
  key AS (
    SELECT r.namespace, r.name, string_agg(k.problem, '; ' ORDER BY k.place) AS problems, string_agg(k.fix, ' ' ORDER BY k.place) AS fixes,
           bool_or(k.problem LIKE 'foreign key%') AS is_foreign
      FROM aegis.keys_across_tenants(ARRAY(SELECT p.oid FROM relation p WHERE p.protected AND NOT p.is_part)) k
      JOIN relation r ON r.oid = k.target
     GROUP BY r.namespace, r.name
  )
  SELECT r.namespace, CASE WHEN r.has_tenant THEN 'high' ELSE 'medium' END, 'table', r.name, 'table-unprotected',
         'the table is not protected' || CASE WHEN r.has_tenant THEN ', though its rows have a tenant' ELSE '' END,
         format('SELECT aegis.protect_table(%L)', r.name)
    FROM relation r
   -- Partitions and children are protected with the table above.
   WHERE NOT r.protected AND r.kind <> 'f' AND NOT EXISTS (SELECT FROM pg_inherits i JOIN relation a ON a.oid = i.inhparent WHERE i.inhrelid = r.oid)
  UNION ALL
  SELECT c.namespace, 'high', 'table', c.name, CASE WHEN c.is_partition THEN 'partition-unprotected' ELSE 'child-unprotected' END,
         format('rows of the protected table %s can be read here past its row security', c.above),
         CASE WHEN c.kind <> 'f' THEN c.mend
              WHEN c.is_partition THEN format('ALTER TABLE %s DETACH PARTITION %s', c.above, c.name)
              ELSE format('ALTER TABLE %s NO INHERIT %s', c.name, c.above) END
    FROM child c
  UNION ALL
  SELECT r.namespace, 'high', 'table', r.name, 'row-security-off', 'row security is switched off',
         format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', r.name)
    FROM relation r WHERE r.protected AND NOT r.row_security
  UNION ALL
  SELECT r.namespace, 'high', 'table', r.name, 'row-security-not-forced', 'row security does not bind the owner of the table',
         format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', r.name)
    FROM relation r WHERE r.protected AND NOT r.forced
  UNION ALL
  SELECT e.namespace, 'high', 'table', e.name, 'policy-missing', format('policy aegis_%s is missing', e.command), e.protect
    FROM expected e WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = e.oid AND p.polname = 'aegis_' || e.command)
  UNION ALL
  SELECT e.namespace, 'high', 'table', e.name, 'policy-changed', format('policy aegis_%s is not the one that protect_table made', e.command), e.protect
    FROM expected e JOIN pg_policy p ON p.polrelid = e.oid AND p.polname = 'aegis_' || e.command
   WHERE (p.polcmd, p.polpermissive, p.polroles) IS DISTINCT FROM (e.letter::"char", true, '{0}'::oid[])
      OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM CASE WHEN e.uses THEN e.expression END
      OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM CASE WHEN e.checks THEN e.expression END
  UNION ALL
  SELECT r.namespace, 'high', 'policy', format('%I on %s', p.polname, r.name), 'policy-extra',
         'a permissive policy of somebody else widens what users and teams see',
         format('DROP POLICY %I ON %s', p.polname, r.name)
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
   WHERE r.protected AND p.polpermissive AND p.polname NOT IN ('aegis_select', 'aegis_insert', 'aegis_update', 'aegis_delete')
  UNION ALL
  SELECT r.namespace, 'medium', 'table', r.name, 'parent-missing', 'no row can be added: the table was dropped from which rows take creator and team',
         r.protect
    FROM relation r
   WHERE r.protected AND NOT r.is_part AND r.parent <> 0 AND NOT EXISTS (SELECT FROM pg_class o WHERE o.oid = r.parent)
  UNION ALL
  SELECT w.namespace, 'high', 'table', w.name, w.finding,
         format('trigger %s%s is missing or disabled: %s', w.trigger,
                CASE WHEN w.target <> w.oid THEN ' on ' || w.target::regclass ELSE '' END, w.what), w.mend
    FROM wanted_trigger w
   WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = w.target AND t.tgname = w.trigger AND t.tgfoid = w.routine
                        AND (t.tgenabled = 'A' OR t.tgenabled = 'O' AND w.finding <> 'audit-trigger-missing'))
  UNION ALL
  SELECT r.namespace, 'medium', 'table', r.name, 'table-unaudited', 'changes of the protected table leave no entry in the ledger',
         format('SELECT aegis.audit_table(%L)', r.name)
    FROM relation r
   WHERE r.protected AND NOT (r.is_part AND r.is_partition) AND NOT EXISTS (SELECT FROM aegis.audited_table t WHERE t.relation = r.oid)
  UNION ALL
  SELECT r.namespace, CASE c.counted WHEN 'serial' THEN 'medium' ELSE 'low' END, 'table', r.name,
         CASE c.counted WHEN 'serial' THEN 'serial-column' ELSE 'identity-column' END, c.problem, c.fix
    FROM aegis.shared_counters(ARRAY(SELECT p.oid FROM relation p WHERE p.protected AND NOT (p.is_part AND p.is_partition))) c
    JOIN relation r ON r.oid = c.target
  UNION ALL
  SELECT k.namespace, 'high', 'table', k.name,
         CASE WHEN k.is_foreign THEN 'foreign-key-across-tenants' ELSE 'key-across-tenants' END,
         CASE WHEN k.fixes LIKE '%...%' THEN k.problems || '; in the way of: ' || k.fixes ELSE k.problems END,
         CASE WHEN k.fixes NOT LIKE '%...%' THEN k.fixes END
    FROM key k
$$;
COMMENT ON FUNCTION aegis.coverage_table() IS 'coverage: protection, policies, triggers and keys of tables';
