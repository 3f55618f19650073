-- The sealed ledger as a file that is checked without the database. docs/export.md, docs/format/bundle-v1.md.

-- Without nested loops: no index finds an entry by its number, so entries and leaves are joined as wholes.
CREATE FUNCTION aegis.export_ledger(tenant uuid DEFAULT NULL) RETURNS SETOF text
  AS 'MODULE_PATHNAME', 'aegis_export_ledger' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET enable_nestloop = off;
COMMENT ON FUNCTION aegis.export_ledger(uuid) IS
  'the sealed ledger, or one tenant''s part, as the lines of a bundle for aegis-verify; recorded';
