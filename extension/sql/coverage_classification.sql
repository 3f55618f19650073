-- Coverage of classes: columns that nobody judged, and personal data that the own label says is in clear.

CREATE FUNCTION aegis.coverage_classification()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.schema::oid, 'high', 'column', format('%s.%I', c.relation, c.column_name), 'classified-in-clear',
         format('its class is "%s", and it is not encrypted', c.class),
         format('SELECT aegis.encrypt_column(%L, %L, %L)', c.relation, c.column_name,
                regexp_replace(lower(format('%s.%s', r.relname, c.column_name)), '[^a-z0-9_.]', '_', 'g'))
    FROM aegis.classification c JOIN pg_class r ON r.oid = c.relation
   WHERE c.class IN ('pii', 'pii_special', 'secret') AND NOT c.sealed
  UNION ALL
  -- A schema that has classes has them for every column: a table that came later is the one that nobody thought about.
  SELECT c.schema::oid, 'medium', 'column', format('%s.%I', c.relation, c.column_name), 'class-missing',
         'other columns of its schema have a class of data, it has none',
         format('SECURITY LABEL FOR aegis ON COLUMN %s.%I IS %L', c.relation, c.column_name, CASE WHEN c.sealed THEN 'pii' ELSE 'confidential' END)
    FROM aegis.classification c
   WHERE c.class IS NULL
     AND EXISTS (SELECT FROM pg_seclabel l JOIN pg_class o ON o.oid = l.objoid
                  WHERE l.provider = 'aegis' AND l.classoid = 'pg_class'::regclass AND o.relnamespace = c.schema::oid)
$$;
COMMENT ON FUNCTION aegis.coverage_classification() IS 'coverage: columns whose class is missing, or not kept to';
