-- Verification of the whole ledger. docs/verify.md.

CREATE FUNCTION aegis.verify_ledger(tenant uuid DEFAULT NULL,
    OUT checked text, OUT subject text, OUT outcome text, OUT items bigint, OUT detail text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_verify_ledger' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.verify_ledger(uuid) IS
  'hashes every entry again and rebuilds every log; one row for each finding, each check, and what it was checked against';
