-- Looks for card data that is stored already. docs/scrub.md.

-- of_tenant: tables with rows of tenants, whose query wants one; otherwise all others.
CREATE FUNCTION aegis.scannable_tables(schema text, after oid, of_tenant boolean, OUT relation oid, OUT name text, OUT columns text[], OUT query text)
  RETURNS SETOF record LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.oid, t.name, t.columns,
         format('SELECT ARRAY[pg_catalog.count(*), %s] FROM ONLY %s%s', t.counts, t.name,
                CASE WHEN of_tenant THEN ' WHERE tenant_id OPERATOR(pg_catalog.=) $1' ELSE '' END)
    FROM (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
                 string_agg(format('pg_catalog.count(*) FILTER (WHERE NOT aegis.is_free_of_card_data(%I%s))', a.attname,
                                   CASE WHEN y.typname = 'bytea' THEN '' WHEN y.typname IN ('json', 'jsonb') THEN '::pg_catalog.jsonb'
                                        ELSE '::pg_catalog.text' END), ', ' ORDER BY a.attnum) AS counts
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type y ON y.oid = a.atttypid
           WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.oid > after
             AND CASE WHEN schema IS NULL THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ELSE n.nspname = schema END
             AND of_tenant = EXISTS (SELECT FROM aegis.protected_table p WHERE p.relation = c.oid
                                     UNION ALL SELECT FROM aegis.protected_part q WHERE q.relation = c.oid)
             -- Numbers of thirteen digits and more, and everything that is text. Sealed values were looked at before they were sealed.
             AND (y.typname IN ('text', 'varchar', 'bpchar', 'name', 'xml', 'json', 'jsonb', 'bytea', 'int8', 'numeric', 'hstore', 'citext')
                  OR y.typname IN ('_text', '_varchar', '_bpchar', '_jsonb', '_json', '_int8', '_numeric'))
           GROUP BY c.oid, n.nspname, c.relname) t
$$;
COMMENT ON FUNCTION aegis.scannable_tables(text, oid, boolean) IS 'tables that could hold card data, and what counts the rows that do; for Aegis alone';

CREATE FUNCTION aegis.scan_for_pan(schema regnamespace DEFAULT NULL) RETURNS SETOF bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  whose uuid;
  made bigint;
BEGIN
  FOR whose IN SELECT NULL UNION ALL SELECT t.id FROM aegis.tenants() t WHERE t.status NOT IN ('erased', 'moved') AND t.region = current_setting('aegis.region') LOOP
    INSERT INTO aegis.job (kind, tenant_id, args, created_by_role)
    VALUES ('scan_pan', whose, CASE WHEN schema IS NULL THEN '{}' ELSE jsonb_build_object('schema', (SELECT n.nspname FROM pg_namespace n WHERE n.oid = schema)) END, session_user)
    RETURNING id INTO made;
    PERFORM aegis.record_tenant_event('job.created', whose, 'job', made::text, '{"kind": "scan_pan"}');
    RETURN NEXT made;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.scan_for_pan(regnamespace) IS
  'queues jobs that look for card data at rest, one for each tenant and one for what is no tenant''s, in one schema or in all; for operators; returns their numbers';
