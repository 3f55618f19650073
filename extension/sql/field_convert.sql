-- Columns are converted beside readers and writers: a twin is kept by a trigger, filled in batches, and takes the place of
-- the column in one short transaction. docs/field_convert.md.

CREATE TABLE aegis.conversion (
  field       bigint      NOT NULL PRIMARY KEY REFERENCES aegis.field ON DELETE CASCADE,
  relation    regclass    NOT NULL,
  column_name name        NOT NULL,
  direction   text        NOT NULL CHECK (direction IN ('encrypt', 'decrypt')),
  reason      text,
  state       text        NOT NULL DEFAULT 'rows' CHECK (state IN ('rows', 'constraints', 'indexes', 'snapshots', 'swap')),
  pages       bigint      NOT NULL DEFAULT 0,
  pages_done  bigint      NOT NULL DEFAULT 0,
  rows_done   bigint      NOT NULL DEFAULT 0,
  started_by  text        NOT NULL DEFAULT SESSION_USER,
  started_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  pass_at     timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  updated_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('aegis.conversion', '');
COMMENT ON TABLE aegis.conversion IS 'columns that are being encrypted or decrypted beside readers and writers, and how far that is';

CREATE FUNCTION aegis.keep_twin() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_keep_twin' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION aegis.keep_twin() IS 'keeps the twin of a column that is being converted true to it';

CREATE FUNCTION aegis.is_twin("column" "any", twin "any") RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_twin' LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_twin("any", "any") IS 'says in a constraint which column is the twin of which; true when both are NULL or neither';

CREATE FUNCTION aegis.unsealable_rows("table" regclass, "column" name, type regtype, subject name, OUT problem text, OUT fix text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_unsealable_rows' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.unsealable_rows(regclass, name, regtype, name) IS 'counts the rows of a table that could not be sealed; for its owner';

CREATE FUNCTION aegis.twin_pair("table" regclass, reference bigint)
  RETURNS TABLE (source name, twin name, direction text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE x.direction WHEN 'encrypt' THEN p.attname ELSE s.attname END,
         CASE x.direction WHEN 'encrypt' THEN s.attname ELSE p.attname END, x.direction
    FROM aegis.conversion x
    JOIN pg_constraint k ON k.conrelid = $1 AND k.contype = 'c' AND pg_get_constraintdef(k.oid) LIKE 'CHECK (aegis.is\_twin(%'
    JOIN pg_attribute s ON s.attrelid = $1 AND s.attnum = ANY (k.conkey)
    JOIN pg_attribute p ON p.attrelid = $1 AND p.attnum = ANY (k.conkey) AND p.attnum <> s.attnum
   WHERE x.field = $2 AND x.relation = $1
     AND EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'c' AND s.attnum = ANY (c.conkey)
                    AND pg_get_constraintdef(c.oid) LIKE replace(format('CHECK (aegis.is_sealed_for(%I, ''%s''::bigint, ', s.attname, x.field), '_', '\_') || '%')
$$;
COMMENT ON FUNCTION aegis.twin_pair(regclass, bigint) IS 'a column that is being converted, and its twin';

-- Indexes of the column, how their twins are built, and what gives those the names of the old ones when these are gone.
CREATE FUNCTION aegis.twin_indexes("table" regclass, reference bigint)
  RETURNS TABLE (index oid, name text, twin_index text, ready boolean, leftover text, build text, finish text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.indexrelid, c.relname, 'aegis_twin_' || i.indexrelid,
         coalesce(t.valid, false),
         CASE WHEN NOT t.valid THEN CASE WHEN r.relkind = 'p' AND k.oid IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I', $1, 'aegis_twin_' || i.indexrelid)
                                         ELSE format('DROP INDEX %I.%I', n.nspname, 'aegis_twin_' || i.indexrelid) END END,
         CASE WHEN r.relkind = 'p' AND k.oid IS NOT NULL
              THEN format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE%s (%s)%s%s', $1, 'aegis_twin_' || i.indexrelid,
                          CASE WHEN i.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END, d.keys, d.included, d.deferrable)
              ELSE format('CREATE %sINDEX %s%I ON %s USING %I (%s)%s%s%s%s%s', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                          CASE WHEN r.relkind = 'p' THEN '' ELSE 'CONCURRENTLY ' END, 'aegis_twin_' || i.indexrelid, $1, m.amname,
                          d.keys, d.included, CASE WHEN i.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END,
                          coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''),
                          coalesce(' TABLESPACE ' || quote_ident(s.spcname), ''), coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '')) END,
         CASE WHEN k.oid IS NULL THEN format('ALTER INDEX %I.%I RENAME TO %I', n.nspname, 'aegis_twin_' || i.indexrelid, c.relname)
              WHEN r.relkind = 'p' THEN format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', $1, 'aegis_twin_' || i.indexrelid, k.conname)
              ELSE format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE USING INDEX %I%s', $1, k.conname, 'aegis_twin_' || i.indexrelid, d.deferrable) END
    FROM aegis.twin_pair($1, $2) p
    JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = p.source
    JOIN pg_index i ON i.indrelid = $1 AND a.attnum = ANY (i.indkey)
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class r ON r.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_am m ON m.oid = c.relam
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = $1 AND k.contype = 'u'
    LEFT JOIN LATERAL (SELECT v.indisvalid AS valid FROM pg_class o JOIN pg_index v ON v.indexrelid = o.oid
                        WHERE o.relnamespace = c.relnamespace AND o.relname = 'aegis_twin_' || i.indexrelid AND v.indrelid = $1) t ON true
    CROSS JOIN LATERAL (
      SELECT string_agg(CASE WHEN i.indkey[g - 1] = a.attnum THEN quote_ident(p.twin)
                             ELSE pg_get_indexdef(i.indexrelid, g, false) || coalesce(
                                    (SELECT format(' COLLATE %I.%I', cn.nspname, o.collname) FROM pg_attribute x JOIN pg_collation o ON o.oid = i.indcollation[g - 1]
                                       JOIN pg_namespace cn ON cn.oid = o.collnamespace
                                      WHERE x.attrelid = i.indrelid AND x.attnum = i.indkey[g - 1] AND x.attcollation <> o.oid), '') END
                        || CASE WHEN k.oid IS NOT NULL OR m.amname <> 'btree' THEN ''
                                ELSE CASE i.indoption[g - 1] WHEN 0 THEN '' WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' ELSE ' DESC' END END,
                        ', ' ORDER BY g) FILTER (WHERE g <= i.indnkeyatts) AS keys,
             coalesce(' INCLUDE (' || string_agg(CASE WHEN i.indkey[g - 1] = a.attnum THEN quote_ident(p.twin) ELSE pg_get_indexdef(i.indexrelid, g, false) END,
                                                 ', ' ORDER BY g) FILTER (WHERE g > i.indnkeyatts) || ')', '') AS included,
             CASE WHEN k.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END AS deferrable
        FROM generate_series(1, i.indnatts) g) d
$$;
COMMENT ON FUNCTION aegis.twin_indexes(regclass, bigint) IS 'indexes of a column that is being converted, and the statements that build those of its twin';

-- Everything at once, so that nobody mends one thing to learn of the next. Without a type: of a decryption.
CREATE FUNCTION aegis.conversion_findings("table" regclass, "column" name, type regtype DEFAULT NULL, rows boolean DEFAULT true,
                                          subject name DEFAULT NULL, confirm_low_entropy boolean DEFAULT false)
  RETURNS TABLE (problem text, fix text)
  LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH attribute AS (
    SELECT a.*, c.relkind, c.relispartition FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE a.attrelid = "table" AND a.attname = "column" AND NOT a.attisdropped
  ), dependent AS (
    SELECT DISTINCT d.classid, d.objid, a.attnum, a.attname FROM attribute a
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype <> 'i'
  ), indexed AS (
    SELECT i.*, c.relname, c.relnamespace, c.relam, a.attnum, a.attname, k.conname, k.contype,
           CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s;', i.indexrelid::regclass) ELSE format('ALTER TABLE %s DROP CONSTRAINT %I;', "table", k.conname) END AS remove
      FROM attribute a JOIN pg_index i ON i.indrelid = a.attrelid
      JOIN pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
     WHERE a.attnum = ANY (i.indkey)
        OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum)
  )
  SELECT format('table %s is a part of %s', "table", h.inhparent::regclass),
         CASE WHEN a.relispartition THEN format('-- name the table at the top: %s', h.inhparent::regclass)
              ELSE format('ALTER TABLE %s NO INHERIT %s;', "table", h.inhparent::regclass) END
    FROM attribute a JOIN pg_inherits h ON h.inhrelid = a.attrelid
  UNION ALL
  SELECT format('table %s inherits from it', h.inhrelid::regclass), format('ALTER TABLE %s NO INHERIT %s;', h.inhrelid::regclass, "table")
    FROM attribute a JOIN pg_inherits h ON h.inhparent = a.attrelid WHERE a.relkind = 'r'
  UNION ALL
  SELECT format('partition %s is a foreign table', t.relid), format('ALTER TABLE %s DETACH PARTITION %s;', t.parentrelid, t.relid)
    FROM attribute a CROSS JOIN pg_partition_tree(a.attrelid) t JOIN pg_class c ON c.oid = t.relid WHERE a.relkind = 'p' AND c.relkind = 'f'
  UNION ALL
  SELECT format('view %s reads it', w.ev_class::regclass),
         format('DROP %sVIEW %s; -- afterwards CREATE %sVIEW %s AS %s', m.word, w.ev_class::regclass, m.word, w.ev_class::regclass,
                regexp_replace(pg_get_viewdef(w.ev_class), '\s+', ' ', 'g'))
    FROM (SELECT DISTINCT w.ev_class FROM dependent d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid WHERE w.ev_class <> "table") w
    JOIN pg_class c ON c.oid = w.ev_class
    CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END AS word) m
  UNION ALL
  SELECT format('rule %I reads it', w.rulename), format('DROP RULE %I ON %s; -- afterwards %s', w.rulename, "table", pg_get_ruledef(w.oid))
    FROM dependent d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid WHERE w.ev_class = "table"
  UNION ALL
  SELECT format('policy %I of %s reads it', p.polname, p.polrelid::regclass), format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass)
    FROM dependent d JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
  UNION ALL
  SELECT format('trigger %I names it', t.tgname), format('DROP TRIGGER %I ON %s; -- afterwards %s', t.tgname, t.tgrelid::regclass, pg_get_triggerdef(t.oid))
    FROM dependent d JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid AND NOT t.tgisinternal
  UNION ALL
  SELECT format('trigger %I runs after the one that keeps the twin', t.tgname), format('ALTER TRIGGER %I ON %s RENAME TO ...; -- a name before zzz_aegis', t.tgname, t.tgrelid::regclass)
    FROM attribute a CROSS JOIN LATERAL (SELECT a.attrelid UNION SELECT p.relid FROM pg_partition_tree(a.attrelid) p) r(relation)
    JOIN pg_trigger t ON t.tgrelid = r.relation AND NOT t.tgisinternal AND t.tgname > 'zzz_aegis_twin'
   WHERE (t.tgtype & 3) = 3 AND (t.tgtype & 20) <> 0  -- BEFORE, FOR EACH ROW, INSERT or UPDATE
  UNION ALL
  SELECT format('generated column %I is computed from it', g.attname), format('ALTER TABLE %s DROP COLUMN %I;', "table", g.attname)
    FROM dependent d JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid AND (e.adrelid <> "table" OR e.adnum <> d.attnum)
    JOIN pg_attribute g ON g.attrelid = e.adrelid AND g.attnum = e.adnum
  UNION ALL
  SELECT format(CASE k.contype WHEN 'f' THEN 'foreign key %I of %s' ELSE 'constraint %I of %s' END, k.conname, k.conrelid::regclass),
         format('ALTER TABLE %s DROP CONSTRAINT %I; -- was %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
    FROM dependent d JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype IN ('c', 'f')
   WHERE pg_get_constraintdef(k.oid) !~ '^CHECK \(aegis\.is_(twin|sealed_for)\('
     AND NOT (pg_get_constraintdef(k.oid) = format('CHECK ((%I IS NOT NULL))', d.attname) AND k.conname = d.attname || '_present')
  UNION ALL
  SELECT format('index %I %s', i.relname, p.what), i.remove
    FROM indexed i JOIN pg_am m ON m.oid = i.relam
    CROSS JOIN LATERAL (SELECT CASE
      WHEN i.indisprimary THEN 'is of the primary key'
      WHEN i.contype = 'x' THEN 'is of an exclusion constraint'
      WHEN i.indexprs IS NOT NULL THEN 'has expressions'
      WHEN i.indpred::text ~ format(':varattno %s ', i.attnum) THEN 'has a predicate on it'
      WHEN i.indisreplident THEN 'is the replica identity'
      WHEN i.indisclustered THEN 'is what the table is clustered on'
      WHEN EXISTS (SELECT FROM unnest(i.indclass) u(oid) JOIN pg_opclass o ON o.oid = u.oid WHERE NOT o.opcdefault) THEN 'has an operator class that is not the default'
      WHEN type IS NOT NULL AND array_position(i.indkey::smallint[], i.attnum) < i.indnkeyatts
           AND NOT EXISTS (SELECT FROM pg_opclass o WHERE o.opcmethod = i.relam AND o.opcintype = type AND o.opcdefault)
           THEN format('uses %s, which cannot hold values of type %s', m.amname, type) END AS what) p
   WHERE p.what IS NOT NULL
  UNION ALL
  SELECT pg_describe_object(d.classid, d.objid, 0) || ' depends on it',
         CASE WHEN d.classid = 'pg_statistic_ext'::regclass THEN (SELECT format('DROP STATISTICS %s;', quote_ident(n.nspname) || '.' || quote_ident(s.stxname))
                FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.oid = d.objid)
              ELSE '-- remove it, and make it again afterwards' END
    FROM dependent d
   WHERE d.classid NOT IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass)
     AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = d.objid))
  UNION ALL
  -- A column takes with it what only a partition has of it.
  SELECT format('partition %s: ', t.relid) || pg_describe_object(d.classid, d.objid, 0) || ' depends on it',
         CASE d.classid WHEN 'pg_class'::regclass THEN format('DROP INDEX %s; -- was %s', d.objid::regclass, pg_get_indexdef(d.objid))
              WHEN 'pg_constraint'::regclass THEN (SELECT format('ALTER TABLE %s DROP CONSTRAINT %I; -- was %s', t.relid, k.conname, pg_get_constraintdef(k.oid))
                                                     FROM pg_constraint k WHERE k.oid = d.objid)
              ELSE '-- remove it, and make it again afterwards' END
    FROM attribute a CROSS JOIN pg_partition_tree(a.attrelid) t
    JOIN pg_attribute l ON l.attrelid = t.relid AND l.attname = a.attname AND NOT l.attisdropped
    JOIN (SELECT DISTINCT p.classid, p.objid, p.refobjid, p.refobjsubid FROM pg_depend p WHERE p.refclassid = 'pg_class'::regclass AND p.deptype <> 'i') d
      ON d.refobjid = l.attrelid AND d.refobjsubid = l.attnum
   WHERE t.level > 0
     AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = l.attrelid AND e.adnum = l.attnum))
     AND NOT (d.classid = 'pg_class'::regclass AND (EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = d.objid)
                                                    OR NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = d.objid)))
     AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint k WHERE k.oid = d.objid AND (k.coninhcount > 0 OR k.conparentid <> 0)))
     AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND (g.tgparentid <> 0 OR g.tgisinternal)))
  UNION ALL
  SELECT u.problem, u.fix FROM attribute a CROSS JOIN LATERAL aegis.unsealable_rows("table", "column", type, subject) u
   WHERE rows AND type IS NOT NULL
  UNION ALL
  SELECT 'its different values are too few to be searchable: ' || l.why, '-- choose a type without search, like aegis.sealed_text, or pass confirm_low_entropy => true'
    FROM attribute a CROSS JOIN LATERAL (SELECT aegis.low_entropy("table", "column", type) AS why) l
   WHERE rows AND NOT confirm_low_entropy AND l.why IS NOT NULL
$$;
COMMENT ON FUNCTION aegis.conversion_findings(regclass, name, regtype, boolean, name, boolean) IS
  'a dry run of a conversion beside writers: everything that blocks it, each with the statement that mends it; without a type, of a decryption';

-- What puts the twin in the place of its column, in order. Read as a whole before the first runs.
CREATE FUNCTION aegis.twin_swap("table" regclass, reference bigint) RETURNS SETOF text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH pair AS (SELECT p.*, s.attnum, s.attnotnull, s.attstattarget, s.attacl, s.attrelid FROM aegis.twin_pair($1, $2) p
                  JOIN pg_attribute s ON s.attrelid = $1 AND s.attname = p.source)
  SELECT s.statement FROM (
    SELECT 1 AS step, format('DROP TRIGGER zzz_aegis_twin ON %s', $1) AS statement FROM pair
     WHERE (SELECT count(*) FROM aegis.conversion x WHERE x.relation = $1) = 1
    UNION ALL
    SELECT 2, format('ALTER TABLE %s DROP COLUMN %I', $1, p.source) FROM pair p
    UNION ALL
    SELECT 3, format('ALTER TABLE %s RENAME COLUMN %I TO %I', $1, p.twin, p.source) FROM pair p
    UNION ALL
    SELECT 4, format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', $1, p.source) FROM pair p WHERE p.attnotnull
    UNION ALL
    SELECT 5, format('ALTER TABLE %s DROP CONSTRAINT %I', $1, k.conname) FROM pair p
      JOIN pg_constraint k ON k.conrelid = $1 AND k.conname = p.twin || '_present' AND k.contype = 'c'
    UNION ALL
    SELECT 6, format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', $1, p.source, pg_get_expr(d.adbin, d.adrelid)) FROM pair p
      JOIN pg_attrdef d ON d.adrelid = $1 AND d.adnum = p.attnum
    UNION ALL
    SELECT 7, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $1, p.source, p.attstattarget) FROM pair p WHERE p.attstattarget >= 0
    UNION ALL
    SELECT 8, format('COMMENT ON COLUMN %s.%I IS %L', $1, p.source, col_description($1, p.attnum)) FROM pair p WHERE col_description($1, p.attnum) IS NOT NULL
    UNION ALL
    SELECT 9, format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, p.source, $1, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                     CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pair p CROSS JOIN LATERAL aclexplode(p.attacl) a
    UNION ALL
    SELECT 10, i.finish FROM aegis.twin_indexes($1, $2) i
    UNION ALL
    -- The last sealed column takes the trigger with it.
    SELECT 11, format('DROP TRIGGER zzz_aegis_seal ON %s', $1) FROM pair p
     WHERE p.direction = 'decrypt' AND NOT EXISTS (
             SELECT FROM pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'c' AND NOT p.attnum = ANY (k.conkey)
                AND pg_get_constraintdef(k.oid) LIKE 'CHECK (aegis.is\_sealed\_for(%')) s
   ORDER BY s.step
$$;
COMMENT ON FUNCTION aegis.twin_swap(regclass, bigint) IS 'the statements that put a twin in the place of its column';

-- What takes an unfinished conversion back.
CREATE FUNCTION aegis.twin_undo("table" regclass, reference bigint) RETURNS SETOF text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.statement FROM (
    SELECT 1 AS step, format('DROP TRIGGER zzz_aegis_twin ON %s', $1) AS statement
     WHERE (SELECT count(*) FROM aegis.conversion x WHERE x.relation = $1) = 1
       AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = $1 AND t.tgname = 'zzz_aegis_twin')
    UNION ALL
    SELECT 2, format('ALTER TABLE %s DROP COLUMN %I', $1, p.twin) FROM aegis.twin_pair($1, $2) p
    UNION ALL
    SELECT 3, format('DROP TRIGGER zzz_aegis_seal ON %s', $1) FROM aegis.twin_pair($1, $2) p JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = p.twin
     WHERE p.direction = 'encrypt' AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = $1 AND t.tgname = 'zzz_aegis_seal')
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'c' AND NOT a.attnum = ANY (k.conkey)
                          AND pg_get_constraintdef(k.oid) LIKE 'CHECK (aegis.is\_sealed\_for(%')) s
   ORDER BY s.step
$$;
COMMENT ON FUNCTION aegis.twin_undo(regclass, bigint) IS 'the statements that take an unfinished conversion back';

CREATE FUNCTION aegis.conversion_progress()
  RETURNS TABLE (field text, relation regclass, "column" name, direction text, state text, rows_done bigint, pages_done bigint, pages bigint,
                 started_by text, started_at timestamptz, updated_at timestamptz, estimated_end timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT f.name, x.relation, x.column_name, x.direction, x.state, x.rows_done, x.pages_done, x.pages, x.started_by, x.started_at, x.updated_at,
         CASE WHEN x.state = 'rows' AND x.pages_done > 0 AND x.updated_at > x.pass_at
              THEN x.updated_at + (x.updated_at - x.pass_at) * ((x.pages - x.pages_done)::float8 / x.pages_done) END
    FROM aegis.conversion x JOIN aegis.field f ON f.reference = x.field JOIN pg_class c ON c.oid = x.relation
   WHERE pg_has_role(session_user, c.relowner, 'MEMBER') OR pg_has_role(session_user, 'aegis_operator', 'MEMBER')
      OR pg_has_role(session_user, 'aegis_auditor', 'MEMBER')
$$;
COMMENT ON FUNCTION aegis.conversion_progress() IS
  'how far conversions are, and when the rows will be done, for owners of the tables, operators and auditors';

-- Procedures, for they commit after each batch, and without settings of their own, for PostgreSQL lets none with one commit.
CREATE PROCEDURE aegis.encrypt_column_online("table" regclass, "column" name, field text, type regtype DEFAULT 'aegis.sealed_text',
                                             mask text DEFAULT NULL, reveal text DEFAULT 'full', subject name DEFAULT NULL,
                                             row_bound boolean DEFAULT false, confirm_low_entropy boolean DEFAULT false, pages integer DEFAULT 200,
                                             INOUT converted bigint DEFAULT NULL, INOUT locked interval DEFAULT NULL)
  AS 'MODULE_PATHNAME', 'aegis_encrypt_column_online' LANGUAGE C;
COMMENT ON PROCEDURE aegis.encrypt_column_online(regclass, name, text, regtype, text, text, name, boolean, boolean, integer, bigint, interval) IS
  'encrypts a column of a large table beside readers and writers; called again it goes on where it stopped';

CREATE PROCEDURE aegis.decrypt_column_online("table" regclass, "column" name, reason text, pages integer DEFAULT 200,
                                             INOUT converted bigint DEFAULT NULL, INOUT locked interval DEFAULT NULL)
  AS 'MODULE_PATHNAME', 'aegis_decrypt_column_online' LANGUAGE C;
COMMENT ON PROCEDURE aegis.decrypt_column_online(regclass, name, text, integer, bigint, interval) IS
  'turns an encrypted column of a large table into a plain one beside readers and writers; called again it goes on; recorded';

CREATE FUNCTION aegis.decrypt_column("table" regclass, "column" name, reason text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_decrypt_column' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.decrypt_column(regclass, name, text) IS
  'turns an encrypted column into a plain one in one transaction, and takes its field from the registry; recorded';

CREATE FUNCTION aegis.undo_conversion("table" regclass, "column" name) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_undo_conversion' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.undo_conversion(regclass, name) IS
  'takes an unfinished conversion back: the column is what it was before; recorded';
