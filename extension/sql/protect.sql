-- Puts tables under tenant protection. docs/protect.md.

CREATE TABLE aegis.protected_table (
  relation     regclass NOT NULL PRIMARY KEY,
  created_by   boolean  NOT NULL,
  team         boolean  NOT NULL,
  parent       regclass,
  protected_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  by_extension boolean  NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('aegis.protected_table', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.protected_table IS
  'protected tables: whether rows have a creator and a team, and of which table they take both';

CREATE FUNCTION aegis.protect_table(target regclass, created_by boolean DEFAULT true, team boolean DEFAULT true,
                                    parent regclass DEFAULT NULL, tenant_from text DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_protect_table' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.protect_table(regclass, boolean, boolean, regclass, text) IS
  'puts a table under row-level security by tenant, team and creator; parent names the table that child rows follow; tenant_from is an expression for the tenant of existing rows';

CREATE FUNCTION aegis.unprotect_table(target regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_unprotect_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.unprotect_table(regclass) IS
  'takes the protection of a table away; its columns and indexes stay; recorded';

-- The three trigger functions of a protected table.
CREATE FUNCTION aegis.stamp_row() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_stamp_row' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.stamp_row() IS 'writes tenant, creator and team of a row from the context, whatever the client sent';

CREATE FUNCTION aegis.follow_parent() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_follow_parent' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.follow_parent() IS 'moves child rows along when their parent moves to another team';

CREATE FUNCTION aegis.refuse_truncate() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_refuse_truncate' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.refuse_truncate() IS 'refuses TRUNCATE, which knows no tenant';

-- Keys and foreign keys that would let one tenant see, probe or delete another's rows, each with the
-- statement that fixes it. Row-level security does not reach unique checks and referential triggers.
CREATE FUNCTION aegis.key_findings(target regclass, OUT problem text, OUT fix text) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH index_key AS (
    SELECT i.indexrelid, i.indisprimary, x.relname, c.conname, c.contype,
           pg_get_indexdef(i.indexrelid, 1, false) AS first_key,
           (SELECT string_agg(pg_get_indexdef(i.indexrelid, n, false), ', ' ORDER BY n)
              FROM generate_series(1, i.indnkeyatts) n
             WHERE pg_get_indexdef(i.indexrelid, n, false) <> 'tenant_id') AS other_keys,
           pg_get_expr(i.indpred, i.indrelid) AS predicate
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
     WHERE i.indrelid = target AND (i.indisunique OR i.indisexclusion)
  ), foreign_key AS (
    SELECT c.conname, c.conrelid::regclass AS child, c.confrelid::regclass AS referenced, c.confdeltype,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS child_columns,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n)
              JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum WHERE a.attname <> 'tenant_id') AS parent_columns
      FROM pg_constraint c
     WHERE c.contype = 'f' AND (c.conrelid = target OR c.confrelid = target)
       -- A table without tenants, such as a list of currencies, may be referenced by its own key.
       AND (c.confrelid = target OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.confrelid
                                               AND a.attname = 'tenant_id' AND NOT a.attisdropped))
       AND NOT EXISTS (SELECT FROM unnest(c.conkey, c.confkey) k(mine, theirs)
                         JOIN pg_attribute m ON m.attrelid = c.conrelid AND m.attnum = k.mine
                         JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.theirs
                        WHERE m.attname = 'tenant_id' AND t.attname = 'tenant_id')
  )
  SELECT found.problem, found.fix FROM (
    SELECT 1, 'table has no primary key',
           format('ALTER TABLE %s ADD PRIMARY KEY (tenant_id, ...);', target)
     WHERE NOT EXISTS (SELECT FROM index_key WHERE indisprimary)
    UNION ALL
    SELECT 2, format('%s %I does not begin with tenant_id',
                     CASE WHEN indisprimary THEN 'primary key' WHEN contype = 'x' THEN 'exclusion constraint'
                          WHEN contype = 'u' THEN 'unique constraint' ELSE 'unique index' END, coalesce(conname, relname)),
           CASE WHEN indisprimary THEN
                  format('ALTER TABLE %s DROP CONSTRAINT %I, ADD PRIMARY KEY (tenant_id, %s);', target, conname, other_keys)
                WHEN contype = 'u' THEN
                  format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I UNIQUE (tenant_id, %s);', target, conname, conname, other_keys)
                WHEN contype = 'x' THEN
                  format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I EXCLUDE USING gist (tenant_id WITH =, ...);', target, conname, conname)
                ELSE
                  format('DROP INDEX %s; CREATE UNIQUE INDEX %I ON %s (tenant_id, %s)%s;', indexrelid::regclass, relname, target,
                         other_keys, ' WHERE ' || predicate) END
      FROM index_key WHERE first_key <> 'tenant_id'
    UNION ALL
    -- Foreign keys go first and come back last: the keys that they need change in between.
    SELECT 0, format('foreign key %I of %s does not include tenant_id', conname, child),
           format('ALTER TABLE %s DROP CONSTRAINT %I;', child, conname)
      FROM foreign_key
    UNION ALL
    SELECT 3, NULL,
           format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (tenant_id, %s) REFERENCES %s (tenant_id, %s)%s;',
                  child, conname, child_columns, referenced, parent_columns,
                  CASE confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT'
                       WHEN 'n' THEN format(' ON DELETE SET NULL (%s)', child_columns)
                       WHEN 'd' THEN format(' ON DELETE SET DEFAULT (%s)', child_columns) ELSE '' END)
      FROM foreign_key
  ) AS found (step, problem, fix)
  ORDER BY found.step, found.problem, found.fix
$$;
COMMENT ON FUNCTION aegis.key_findings(regclass) IS 'keys of a table that reach across tenants, and the statements that fix them, in order';
