-- Taking in a tenant that another database exported: checked whole before anything is written. docs/tenant_import.md.

CREATE TABLE aegis.import_key (
  public_key  bytea       NOT NULL PRIMARY KEY CHECK (pg_catalog.octet_length(public_key) = 32),
  private_key bytea,
  made_by     text        NOT NULL,
  made_at     timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at  timestamptz NOT NULL,
  tenant_id   uuid,
  used_at     timestamptz,
  CHECK ((used_at IS NULL) = (private_key IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis.import_key', '');
COMMENT ON TABLE aegis.import_key IS 'keys to which exports and tenants'' own keys for this database are sealed, each for one use; the private part is sealed, and destroyed with its use';

CREATE FUNCTION aegis.import_key() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_import_key' LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.import_key() IS
  'makes a key for one import, of a tenant or of its own key, within seven days; returns this region and the public key, for which is sealed';

-- What of a table in a file does not fit the table here; null when all does.
CREATE FUNCTION aegis.import_findings(name text, shape text[]) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH here AS (SELECT t.shape FROM aegis.tenant_tables() t WHERE t.name = import_findings.name),
       mine AS (SELECT h.shape[i] AS col, h.shape[i + 1] AS type FROM here h, generate_series(1, cardinality(h.shape), 2) i),
       theirs AS (SELECT import_findings.shape[i] AS col, import_findings.shape[i + 1] AS type
                    FROM generate_series(1, cardinality(import_findings.shape), 2) i)
  SELECT CASE WHEN NOT EXISTS (SELECT FROM here) THEN format('table %s is not a protected table here', name)
              ELSE (SELECT string_agg(CASE WHEN m.col IS NULL THEN format('column %s of %s does not exist here', t.col, name)
                                           WHEN t.col IS NULL THEN format('column %s of %s is not in the file', m.col, name)
                                           ELSE format('column %s of %s is %s in the file and %s here', t.col, name, t.type, m.type) END,
                                      '; ' ORDER BY coalesce(t.col, m.col))
                      FROM mine m FULL JOIN theirs t ON t.col = m.col WHERE m.type IS DISTINCT FROM t.type) END
$$;
COMMENT ON FUNCTION aegis.import_findings(text, text[]) IS 'how a table of an exported tenant differs from the one here; for Aegis alone';

-- Foreign keys of the tables that an import fills, as queries that find a row of the tenant without its parent.
CREATE FUNCTION aegis.reference_queries(OUT name text, OUT query text, OUT child oid, OUT parent oid) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT format('%I of %s', c.conname, t.name),
         format('SELECT FROM %s c WHERE c.tenant_id OPERATOR(pg_catalog.=) $1 AND %s AND NOT EXISTS (SELECT FROM %s p WHERE %s) LIMIT 1', t.name,
                string_agg(format('c.%I IS NOT NULL', m.attname), ' AND ' ORDER BY k.place), format('%I.%I', n.nspname, r.relname),
                string_agg(format('p.%I OPERATOR(%I.%s) c.%I', f.attname, s.nspname, o.oprname, m.attname), ' AND ' ORDER BY k.place)),
         c.conrelid, c.confrelid
    FROM aegis.tenant_tables() t
    JOIN pg_constraint c ON c.conrelid = t.relation AND c.contype = 'f'
    JOIN pg_class r ON r.oid = c.confrelid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    CROSS JOIN LATERAL unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS k(mine, theirs, equal, place)
    JOIN pg_attribute m ON m.attrelid = c.conrelid AND m.attnum = k.mine
    JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = k.theirs
    JOIN pg_operator o ON o.oid = k.equal
    JOIN pg_namespace s ON s.oid = o.oprnamespace
   WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.relation AND a.attname = 'tenant_id')
   GROUP BY c.oid, c.conname, t.name, n.nspname, r.relname
   ORDER BY 1
$$;
COMMENT ON FUNCTION aegis.reference_queries() IS 'for each foreign key of the tables of tenants the query that finds a row without its parent; for Aegis alone';

-- Sequences that number the rows of these tables, each with a query that puts it behind the numbers of the tenant.
CREATE FUNCTION aegis.sequence_queries(OUT sequence oid, OUT query text, OUT relation oid) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.seqrelid,
         format('SELECT pg_catalog.setval(%s::pg_catalog.oid::pg_catalog.regclass, t.most) FROM (SELECT pg_catalog.max(%I) AS most FROM %s WHERE tenant_id OPERATOR(pg_catalog.=) $1) t, %I.%I s WHERE t.most OPERATOR(pg_catalog.>=) s.last_value AND t.most OPERATOR(pg_catalog.<=) %s::pg_catalog.int8',
                s.seqrelid, a.attname, t.name, n.nspname, c.relname, s.seqmax),
         t.relation
    FROM aegis.tenant_tables() t
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.relation AND d.refobjsubid = a.attnum
                    AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   ORDER BY s.seqrelid
$$;
COMMENT ON FUNCTION aegis.sequence_queries() IS 'for each sequence of the tables of tenants the query that puts it behind the numbers of one; for Aegis alone';

CREATE FUNCTION aegis.import_tenant(lines regclass, chain text) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_import_tenant' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET lc_monetary = 'C'
  SET xmloption = 'content';
COMMENT ON FUNCTION aegis.import_tenant(regclass, text) IS
  'takes in the tenant that the lines of a table of the caller hold (columns n and line), all of it or nothing; chain is what the source''s ledger says; the tenant stays suspended';
