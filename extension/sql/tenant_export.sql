-- Everything of one tenant as a file that only the target can open and anybody can check. docs/tenant_export.md, docs/format/tenant-v1.md.

CREATE FUNCTION aegis.export_tenant(request bigint, slug text) RETURNS SETOF text
  AS 'MODULE_PATHNAME', 'aegis_export_tenant' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
  SET lc_monetary = 'C' SET xmloption = 'content' SET row_security = on;
COMMENT ON FUNCTION aegis.export_tenant(bigint, text) IS
  'rows, users, keys and log of a tenant as the lines of a file for aegis.import_tenant and aegis-verify; needs an approved request; recorded';

-- The tables of a tenant that an export takes, in order: those of Aegis first, then the protected ones.
CREATE FUNCTION aegis.tenant_tables(OUT relation oid, OUT name text, OUT owner oid, OUT columns text, OUT shape text[]) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.oid, t.name, c.relowner, a.columns, a.shape
    FROM (SELECT 0, n.place, format('aegis.%I', n.name), to_regclass(format('aegis.%I', n.name))
            FROM (VALUES (1, 'tenant'), (2, 'subject_key'), (3, 'subject_shred'), (4, 'team'), (5, 'user'), (6, 'second_factor'), (7, 'recovery_code'), (8, 'second_factor_policy')) n(place, name)
          UNION ALL
          SELECT 1, 0, format('%I.%I', s.nspname, r.relname), r.oid
            FROM (SELECT relation FROM aegis.protected_table UNION ALL SELECT relation FROM aegis.protected_part) p JOIN pg_class r ON r.oid = p.relation JOIN pg_namespace s ON s.oid = r.relnamespace
           WHERE NOT r.relispartition) AS t(step, place, name, relation)
    JOIN pg_class c ON c.oid = t.relation
    CROSS JOIN LATERAL (
      SELECT string_agg(quote_ident(f.attname), ', ' ORDER BY f.attnum) FILTER (WHERE v.place = 1), array_agg(v.text ORDER BY f.attnum, v.place)
        FROM pg_attribute f CROSS JOIN LATERAL (VALUES (1, f.attname::text), (2, format_type(f.atttypid, f.atttypmod))) v(place, text)
       WHERE f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped AND f.attgenerated = ''
    ) AS a(columns, shape)
   ORDER BY t.step, t.place, t.name
$$;
COMMENT ON FUNCTION aegis.tenant_tables() IS 'tables that hold rows of tenants and go with one, their columns and types; for Aegis alone';
