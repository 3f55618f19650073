-- Coverage of master keys: those that the database needs and the provider does not deliver.

CREATE FUNCTION aegis.coverage_key()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'high', 'master key', 'version ' || k.version, 'master-key-missing',
         format('the key provider does not deliver it, and %s root keys are wrapped under it: what is sealed under those cannot be read; deliver it again, and take it away only after aegis.rotate_master_key() is done', k.root_keys), NULL
    FROM aegis.key_status() k WHERE k.state = 'missing'
  UNION ALL
  SELECT NULL::oid, 'high', 'master key', 'version ' || k.version, 'master-key-wrong',
         format('the key provider delivers another key than the one that %s root keys are wrapped under; point aegis.key_provider to the right one', k.root_keys), NULL
    FROM aegis.key_status() k WHERE k.state = 'wrong'
$$;
COMMENT ON FUNCTION aegis.coverage_key() IS 'coverage: master keys that are missing or wrong';
