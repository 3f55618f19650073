-- Keys of tables, and how they come to lead with the tenant. docs/protect.md.

-- A table with its partitions and children.
CREATE FUNCTION aegis.table_tree(target regclass) RETURNS SETOF oid
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH RECURSIVE member(oid) AS (
    SELECT target::pg_catalog.oid UNION SELECT i.inhrelid FROM member m JOIN pg_catalog.pg_inherits i ON i.inhparent = m.oid
  ) SELECT oid FROM member;
END;
COMMENT ON FUNCTION aegis.table_tree(regclass) IS 'a table, its partitions and the tables that inherit from it';

-- Does a foreign key pair the tenant with the tenant?
CREATE FUNCTION aegis.leads_with_tenant(key oid) RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM pg_catalog.pg_constraint c, unnest(c.conkey, c.confkey) k(mine, theirs), pg_catalog.pg_attribute m,
                             pg_catalog.pg_attribute t
                  WHERE c.oid = key AND m.attrelid = c.conrelid AND m.attnum = k.mine AND m.attname = 'tenant_id'
                    AND t.attrelid = c.confrelid AND t.attnum = k.theirs AND t.attname = 'tenant_id');
COMMENT ON FUNCTION aegis.leads_with_tenant(oid) IS 'does a foreign key pair tenant_id with tenant_id?';

-- What a foreign key says beside its columns, once it leads with the tenant. The tenant is never null or another, so
-- only the columns beside it are set to null; MATCH FULL would ask all or none of them to be null.
CREATE FUNCTION aegis.foreign_key_terms(key oid) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH k AS (
    SELECT c.*, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.at)
                   FROM unnest(coalesce(c.confdelsetcols, c.conkey)) WITH ORDINALITY n(attnum, at)
                   JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = n.attnum WHERE a.attname <> 'tenant_id') AS set_columns
      FROM pg_constraint c WHERE c.oid = key
  )
  SELECT concat(CASE k.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE' WHEN 'r' THEN ' ON UPDATE RESTRICT' END,
                CASE k.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT'
                     WHEN 'n' THEN format(' ON DELETE SET NULL (%s)', k.set_columns)
                     WHEN 'd' THEN format(' ON DELETE SET DEFAULT (%s)', k.set_columns) END,
                CASE WHEN k.condeferrable THEN ' DEFERRABLE' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END)
    FROM k
$$;
COMMENT ON FUNCTION aegis.foreign_key_terms(oid) IS 'actions and deferrability of a foreign key, as they stand once it leads with tenant_id';

-- Keys and foreign keys that would let one tenant see, probe or delete another's rows, each with the
-- statement that fixes it. Row-level security does not reach unique checks and referential triggers. For many tables at
-- once: a call for each of them would be planned for each of them.
CREATE FUNCTION aegis.keys_across_tenants(tables oid[], OUT target oid, OUT place bigint, OUT problem text, OUT fix text) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE tree (target, oid) AS (
    SELECT t.oid, t.oid FROM unnest(tables) t(oid)
    UNION
    SELECT t.target, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
  ), member AS MATERIALIZED (
    SELECT t.target, c.oid, c.oid::regclass AS name, c.relispartition FROM tree t JOIN pg_class c ON c.oid = t.oid
  ), index_key AS (
    SELECT m.target, m.oid AS keyed_oid, m.name AS keyed, i.indexrelid, i.indisprimary, x.relname, c.conname, c.contype,
           pg_get_indexdef(i.indexrelid, 1, false) AS first_key,
           -- Whatever else than equality it is, it compares rows of several tenants.
           coalesce(c.conexclop[1] <> 'pg_catalog.=(uuid,uuid)'::regoperator, false) AS other_tenants,
           (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, false), ', ' ORDER BY n)
              FROM generate_series(1, i.indnkeyatts) n
             WHERE pg_get_indexdef(i.indexrelid, n, false) <> 'tenant_id') AS other_keys,
           pg_get_expr(i.indpred, i.indrelid) AS predicate, pg_get_constraintdef(c.oid) AS definition, a.amname AS method
      FROM member m
      JOIN pg_index i ON i.indrelid = m.oid
      JOIN pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
      JOIN pg_am a ON a.oid = x.relam
     WHERE (i.indisunique OR i.indisexclusion)
       -- Those of partitions follow those of their table.
       AND NOT EXISTS (SELECT FROM pg_inherits p WHERE p.inhrelid = i.indexrelid)
  ), link AS MATERIALIZED (  -- else every constraint of the database would be asked for its columns
    SELECT m.target, c.oid FROM member m JOIN pg_constraint c ON c.conrelid = m.oid WHERE c.contype = 'f' AND c.conparentid = 0
    UNION
    SELECT m.target, c.oid FROM member m JOIN pg_constraint c ON c.confrelid = m.oid WHERE c.contype = 'f' AND c.conparentid = 0
  ), foreign_key AS (
    SELECT l.target, c.conname, c.conrelid::regclass AS child, c.confrelid::regclass AS referenced, aegis.foreign_key_terms(c.oid) AS terms,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS child_columns,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS parent_columns
      FROM link l
      JOIN pg_constraint c ON c.oid = l.oid
     -- A table without tenants, such as a list of currencies, may be referenced by its own key.
     WHERE ((l.target, c.confrelid) IN (SELECT m.target, m.oid FROM member m)
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.confrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
       AND NOT aegis.leads_with_tenant(l.oid)
  )
  SELECT f.target, row_number() OVER (PARTITION BY f.target ORDER BY f.step, f.problem, f.fix), f.problem, f.fix FROM (
    SELECT m.target, 1, CASE WHEN m.oid = m.target THEN 'table has no primary key' ELSE format('%s has no primary key', m.name) END,
           format('ALTER TABLE %s ADD PRIMARY KEY (tenant_id, ...);', m.name)
      FROM member m
     WHERE NOT m.relispartition AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisprimary)
    UNION ALL
    SELECT target, 2, format('%s %I%s ' || CASE WHEN first_key = 'tenant_id' THEN 'compares tenant_id by something else than ='
                                                ELSE 'does not begin with tenant_id' END,
                     CASE WHEN indisprimary THEN 'primary key' WHEN contype = 'x' THEN 'exclusion constraint'
                          WHEN contype = 'u' THEN 'unique constraint' ELSE 'unique index' END, coalesce(conname, relname),
                     CASE WHEN keyed_oid <> target THEN ' of ' || keyed ELSE '' END),
           CASE WHEN indisprimary THEN
                  format('ALTER TABLE %s DROP CONSTRAINT %I, ADD PRIMARY KEY (tenant_id, %s);', keyed, conname, other_keys)
                WHEN contype = 'u' THEN
                  format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I UNIQUE (tenant_id, %s);', keyed, conname, conname, other_keys)
                WHEN contype = 'x' THEN
                  format('%sALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s;',
                         -- GiST has no equality of a uuid by itself.
                         CASE WHEN method = 'gist' AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist')
                              THEN 'CREATE EXTENSION btree_gist; ' ELSE '' END,
                         keyed, conname, conname,
                         CASE WHEN first_key = 'tenant_id'
                              THEN regexp_replace(definition, '\(tenant_id WITH (OPERATOR\([^)]*\)|[^ ,)]+)', '(tenant_id WITH =')
                              ELSE regexp_replace(definition, '\(', '(tenant_id WITH =, ') END)
                ELSE
                  format('DROP INDEX %s; CREATE UNIQUE INDEX %I ON %s (tenant_id, %s)%s;', indexrelid::regclass, relname, keyed,
                         other_keys, ' WHERE ' || predicate) END
      FROM index_key WHERE first_key <> 'tenant_id' OR other_tenants
    UNION ALL
    -- Foreign keys go first and come back last: the keys that they need change in between.
    SELECT target, 0, format('foreign key %I of %s does not include tenant_id', conname, child),
           format('ALTER TABLE %s DROP CONSTRAINT %I;', child, conname)
      FROM foreign_key
    UNION ALL
    SELECT target, 3, NULL,
           format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (tenant_id, %s) REFERENCES %s (tenant_id, %s)%s;',
                  child, conname, child_columns, referenced, parent_columns, terms)
      FROM foreign_key
  ) AS f (target, step, problem, fix)
$$;
COMMENT ON FUNCTION aegis.keys_across_tenants(oid[]) IS 'aegis.key_findings of many tables; place is the order of the statements of one';

CREATE FUNCTION aegis.key_findings(target regclass, OUT problem text, OUT fix text) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.problem, k.fix FROM aegis.keys_across_tenants(ARRAY[target::oid]) k ORDER BY k.place
$$;
COMMENT ON FUNCTION aegis.key_findings(regclass) IS 'keys of a table that reach across tenants, and the statements that fix them, in order';

-- Whatever the name is, it leaves room and meets no other.
CREATE FUNCTION aegis.key_in_the_making(name name) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN pg_catalog.octet_length(name::pg_catalog.text) OPERATOR(pg_catalog.<=) 53 THEN name::pg_catalog.text
              ELSE pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(name::pg_catalog.text, 'UTF8')), 'hex'), 40) END
         OPERATOR(pg_catalog.||) '_by_tenant';
COMMENT ON FUNCTION aegis.key_in_the_making(name) IS 'what a key or foreign key is called while the one that it replaces stands';

-- Unique and exclusion keys of tables that do not begin with the tenant, and the statements that make them. PostgreSQL
-- takes no index as a key of a partitioned table, so there the key is made anew.
CREATE FUNCTION aegis.keys_to_convert(tables oid[], OUT relid oid, OUT is_primary boolean, OUT new_index text, OUT swap text) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH key AS (
    SELECT i.indrelid, i.indexrelid, i.indisprimary, t.relkind = 'p' AS partitioned, x.relname, n.nspname, c.conname, c.contype, m.amname,
           t.oid::regclass::text AS name, pg_get_constraintdef(c.oid) AS definition,
           -- Names may contain anything, so what follows the beginning is cut off by its length. Should it begin otherwise,
           -- there is no statement.
           (SELECT substr(d.def, length(d.head) + 1)
              FROM (SELECT pg_get_indexdef(i.indexrelid), format('CREATE UNIQUE INDEX %I ON %s%s USING %I (', x.relname,
                           CASE WHEN x.relkind = 'I' THEN 'ONLY ' END, t.oid::regclass, m.amname)) AS d(def, head)
             WHERE starts_with(d.def, d.head)) AS rest,
           aegis.key_in_the_making(x.relname) AS fresh, concat(CASE WHEN c.condeferrable THEN ' DEFERRABLE' END,
                                                                 CASE WHEN c.condeferred THEN ' INITIALLY DEFERRED' END) AS deferral,
           i.indkey::int2[] AS numbers, array_position(tables, t.oid) AS place, f.name AS fresh_name,
           -- One that CREATE INDEX CONCURRENTLY could not finish is there as well, and keeps nothing unique.
           EXISTS (SELECT FROM pg_index v WHERE v.indexrelid = to_regclass(f.name) AND v.indisvalid) AS made
      FROM pg_index i
      JOIN pg_class t ON t.oid = i.indrelid
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_namespace n ON n.oid = x.relnamespace
      JOIN pg_am m ON m.oid = x.relam
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
      CROSS JOIN LATERAL format('%I.%I', n.nspname, aegis.key_in_the_making(x.relname)) AS f(name)
     WHERE i.indrelid = ANY (tables) AND (i.indisunique OR i.indisexclusion)
       AND NOT EXISTS (SELECT FROM pg_inherits p WHERE p.inhrelid = i.indexrelid)
       AND pg_get_indexdef(i.indexrelid, 1, false) <> 'tenant_id'
       AND x.relname !~ '_by_tenant$'
  )
  SELECT k.indrelid, k.indisprimary,
         CASE WHEN k.contype IS DISTINCT FROM 'x' AND NOT (k.partitioned AND k.contype IS NOT NULL) AND NOT k.made THEN
           CASE WHEN to_regclass(k.fresh_name) IS NOT NULL THEN format('DROP INDEX %s; ', k.fresh_name) ELSE '' END
           || format('CREATE UNIQUE INDEX %I ON %s USING %I (tenant_id, ', k.fresh, k.name, k.amname) || k.rest || ';' END,
         CASE WHEN k.contype = 'x' THEN
                format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s;', k.name, k.conname, k.conname,
                       regexp_replace(k.definition, '\(', '(tenant_id WITH =, '))
              WHEN k.contype IS NOT NULL AND k.partitioned THEN
                format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s;', k.name, k.conname, k.conname,
                       regexp_replace(k.definition, '\(', '(tenant_id, '))
              WHEN k.contype IS NOT NULL THEN
                format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s USING INDEX %I%s;', k.name, k.conname, k.conname,
                       CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, k.fresh, k.deferral)
              ELSE format('DROP INDEX %s; ALTER INDEX %I.%I RENAME TO %I;', k.indexrelid::regclass, k.nspname, k.fresh, k.relname) END
    FROM key k
   ORDER BY k.place, k.relname
$$;
COMMENT ON FUNCTION aegis.keys_to_convert(oid[]) IS 'part of aegis.key_conversion: unique and exclusion keys';

-- A foreign key of a partitioned table cannot wait to be validated; one that names a partitioned table needs its new key.
CREATE FUNCTION aegis.foreign_keys_to_convert(tables oid[], OUT relid oid, OUT early boolean, OUT add text, OUT validate text, OUT remove text,
                                              OUT rename text, OUT nullness text) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH key AS (
    SELECT f.*, c.relkind = 'p' AS child_partitioned, p.relkind = 'p' AS parent_partitioned, f.conrelid::regclass::text AS child,
           f.confrelid::regclass::text AS referenced, aegis.key_in_the_making(f.conname) AS fresh,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS child_columns,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(f.confkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS parent_columns
      FROM pg_constraint f
      JOIN pg_class c ON c.oid = f.conrelid
      JOIN pg_class p ON p.oid = f.confrelid
     WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid = ANY (tables) AND f.confrelid = ANY (tables)
       AND NOT aegis.leads_with_tenant(f.oid)
  )
  SELECT k.conrelid, NOT k.parent_partitioned,
         CASE WHEN m.oid IS NULL THEN format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (tenant_id, %s) REFERENCES %s (tenant_id, %s)%s%s;', k.child, k.fresh,
                k.child_columns, k.referenced, k.parent_columns, aegis.foreign_key_terms(k.oid),
                CASE WHEN NOT k.child_partitioned THEN ' NOT VALID' ELSE '' END) END,
         CASE WHEN NOT k.child_partitioned AND k.convalidated AND m.convalidated IS NOT TRUE THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', k.child, k.fresh) END,
         format('ALTER TABLE %s DROP CONSTRAINT %I;', k.child, k.conname),
         format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I;', k.child, k.fresh, k.conname),
         CASE WHEN k.confmatchtype = 'f' AND cardinality(k.conkey) > 1 THEN
           format('ALTER TABLE %s ADD CHECK (num_nulls(%s) IN (0, %s));', k.child, k.child_columns, cardinality(k.conkey)) END
    FROM key k
    LEFT JOIN pg_constraint m ON m.conrelid = k.conrelid AND m.conname = k.fresh AND m.contype = 'f'
   ORDER BY array_position(tables, k.conrelid), k.conname
$$;
COMMENT ON FUNCTION aegis.foreign_keys_to_convert(oid[]) IS 'part of aegis.key_conversion: foreign keys';

-- Numbers that all tenants share. A default that calls nextval() needs rights on the sequence, which shows how far it
-- is; an identity column needs none, but its gaps still tell how much others add.
CREATE FUNCTION aegis.shared_counters(tables oid[], OUT target oid, OUT counted text, OUT problem text, OUT fix text) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT e.adrelid, 'serial', format('column %I of %s takes its numbers from sequence %s, on which tenants would need rights', a.attname, e.adrelid::pg_catalog.regclass, s.oid::pg_catalog.regclass),
         format('DO %L;', format('DECLARE next bigint; BEGIN LOCK TABLE %1$s; next := nextval(%2$L); '
                'ALTER TABLE %1$s ALTER COLUMN %3$I DROP DEFAULT, ALTER COLUMN %3$I SET NOT NULL; %4$s'
                'EXECUTE format(%5$L, next); END', e.adrelid::pg_catalog.regclass, s.oid::pg_catalog.regclass, a.attname,
                CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = s.oid AND o.deptype = 'a'
                                     AND o.refobjid = e.adrelid AND o.refobjsubid = a.attnum)
                     THEN format('DROP SEQUENCE %s; ', s.oid::pg_catalog.regclass) ELSE '' END,
                pg_catalog.replace(format('ALTER TABLE %s ALTER COLUMN %I ', e.adrelid::pg_catalog.regclass, a.attname), '%', '%%')
                  || 'ADD GENERATED BY DEFAULT AS IDENTITY (START WITH %s)'))
    FROM pg_catalog.pg_attrdef e
    JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = e.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
   WHERE e.adrelid = ANY (tables)
  UNION ALL
  SELECT a.attrelid, 'identity', format('numbers of column %I of %s count the rows of all tenants: gaps tell how much the others add', a.attname, a.attrelid::pg_catalog.regclass), NULL
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY (tables) AND a.attidentity <> '' AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION aegis.shared_counters(oid[]) IS 'aegis.counter_findings of many tables';

CREATE FUNCTION aegis.counter_findings(target regclass, OUT counted text, OUT problem text, OUT fix text) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT c.counted, c.problem, c.fix FROM aegis.shared_counters(ARRAY[target::pg_catalog.oid]) c;
END;
COMMENT ON FUNCTION aegis.counter_findings(regclass) IS 'columns of a table whose numbers tell a tenant how many rows others add';

-- The statements that let a table and all that foreign keys join it with lead their keys with the tenant. New keys stand
-- before old ones go, so that no moment is without, and whoever runs them one by one holds each lock for short.
CREATE FUNCTION aegis.key_conversion(target regclass, OUT relation regclass, OUT statement text) RETURNS SETOF record
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tables oid[] := ARRAY[target::oid];
  joined record;
  item record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN
    RAISE EXCEPTION USING ERRCODE = 'AG009', MESSAGE = format('table "%s" has no column tenant_id', target),
      HINT = 'Call aegis.backfill_table() first, which gives every row its tenant.';
  END IF;
  -- What foreign keys without the tenant join with the target, and in turn. Referenced tables without tenants are
  -- lists for everybody; referencing ones take the tenant of the row that they name.
  LOOP
    SELECT f.conrelid, f.confrelid, f.conkey, f.confkey, f.conpfeqop, f.confrelid = ANY (tables) AS downwards INTO joined
      FROM pg_constraint f
     WHERE f.contype = 'f' AND f.conparentid = 0 AND NOT aegis.leads_with_tenant(f.oid)
       AND (f.confrelid = ANY (tables) AND f.conrelid <> ALL (tables)
            OR f.conrelid = ANY (tables) AND f.confrelid <> ALL (tables)
               AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.confrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
     ORDER BY f.conrelid, f.oid LIMIT 1;
    EXIT WHEN NOT FOUND;
    IF joined.downwards THEN
      tables := tables || joined.conrelid;
      relation := joined.conrelid;
      IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = joined.conrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN
        statement := format('ALTER TABLE %s ADD COLUMN tenant_id uuid;', relation); RETURN NEXT;
      END IF;
      IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = joined.conrelid AND a.attname = 'tenant_id' AND a.attnotnull) THEN
        SELECT format('UPDATE %s c SET tenant_id = p.tenant_id FROM %s p WHERE c.tenant_id IS NULL AND %s;', relation, joined.confrelid::regclass,
                      string_agg(CASE WHEN n.nspname = 'pg_catalog' THEN format('p.%I %s c.%I', t.attname, o.oprname, m.attname)
                                      ELSE format('p.%I OPERATOR(%I.%s) c.%I', t.attname, n.nspname, o.oprname, m.attname) END, ' AND '))
          INTO statement
          FROM unnest(joined.conkey, joined.confkey, joined.conpfeqop) k(mine, theirs, equal)
          JOIN pg_operator o ON o.oid = k.equal
          JOIN pg_namespace n ON n.oid = o.oprnamespace
          JOIN pg_attribute m ON m.attrelid = joined.conrelid AND m.attnum = k.mine
          JOIN pg_attribute t ON t.attrelid = joined.confrelid AND t.attnum = k.theirs;
        RETURN NEXT;
      END IF;
    ELSE
      tables := tables || joined.confrelid;
    END IF;
  END LOOP;

  SELECT format('foreign key %I of %s', f.conname, f.conrelid::regclass) AS name INTO item
    FROM pg_constraint f
   WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confupdtype IN ('n', 'd') AND f.conrelid = ANY (tables) AND f.confrelid = ANY (tables)
     AND NOT aegis.leads_with_tenant(f.oid) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = item.name || ' cannot be kept as it is',
      DETAIL = 'Its ON UPDATE SET NULL or SET DEFAULT would change the tenant as well.', HINT = 'Give it another action first.';
  END IF;

  -- A primary key has no nulls. A validated CHECK spares SET NOT NULL the look at every row under its lock.
  FOR item IN
    SELECT c.oid::regclass AS name, c.given, c.checked
      FROM (SELECT c.oid, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull AND NOT a.attisdropped) AS given,
                   EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = 'aegis_tenant_given') AS checked
              FROM pg_class c) c
     WHERE c.oid IN (SELECT k.relid FROM aegis.keys_to_convert(tables) k WHERE k.is_primary) AND (c.checked OR NOT c.given)
     ORDER BY array_position(tables, c.oid)
  LOOP
    relation := item.name;
    IF NOT item.given THEN
      IF NOT item.checked THEN
        statement := format('ALTER TABLE %s ADD CONSTRAINT aegis_tenant_given CHECK (tenant_id IS NOT NULL) NOT VALID;', relation); RETURN NEXT;
      END IF;
      statement := format('ALTER TABLE %s VALIDATE CONSTRAINT aegis_tenant_given;', relation); RETURN NEXT;
      statement := format('ALTER TABLE %s ALTER COLUMN tenant_id SET NOT NULL;', relation); RETURN NEXT;
    END IF;
    statement := format('ALTER TABLE %s DROP CONSTRAINT aegis_tenant_given;', relation); RETURN NEXT;
  END LOOP;
  -- New unique indexes beside the old.
  FOR item IN SELECT * FROM aegis.keys_to_convert(tables) k WHERE k.new_index IS NOT NULL LOOP
    relation := item.relid; statement := item.new_index; RETURN NEXT;
  END LOOP;
  -- New foreign keys beside the old, where the key that they need is there already.
  FOR item IN SELECT * FROM aegis.foreign_keys_to_convert(tables) f WHERE f.early LOOP
    relation := item.relid;
    IF item.add IS NOT NULL THEN statement := item.add; RETURN NEXT; END IF;
    IF item.validate IS NOT NULL THEN statement := item.validate; RETURN NEXT; END IF;
  END LOOP;
  FOR item IN SELECT * FROM aegis.foreign_keys_to_convert(tables) LOOP
    relation := item.relid; statement := item.remove; RETURN NEXT;
  END LOOP;
  FOR item IN SELECT * FROM aegis.keys_to_convert(tables) LOOP
    relation := item.relid; statement := item.swap; RETURN NEXT;
  END LOOP;
  FOR item IN SELECT * FROM aegis.foreign_keys_to_convert(tables) LOOP
    relation := item.relid;
    IF NOT item.early THEN
      IF item.add IS NOT NULL THEN statement := item.add; RETURN NEXT; END IF;
      IF item.validate IS NOT NULL THEN statement := item.validate; RETURN NEXT; END IF;
    END IF;
    statement := item.rename; RETURN NEXT;
    IF item.nullness IS NOT NULL THEN statement := item.nullness; RETURN NEXT; END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.key_conversion(regclass) IS
  'the statements, in order, that let the keys of a table and of those that foreign keys join it with lead with tenant_id';

CREATE FUNCTION aegis.convert_keys(target regclass, execute boolean DEFAULT false) RETURNS SETOF text
  AS 'MODULE_PATHNAME', 'aegis_convert_keys' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.convert_keys(regclass, boolean) IS
  'gives the statements of aegis.key_conversion, and runs them in this transaction when asked; recorded';
