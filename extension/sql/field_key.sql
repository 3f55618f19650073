-- The key of one field of one tenant for an application that seals values itself. docs/client.md.

CREATE FUNCTION aegis.seal_field_key(request bigint, tenant uuid, field text, recipient text, requested_by text, approved_by text)
  RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_seal_field_key' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.seal_field_key(bigint, uuid, text, text, text, text) IS
  'the key of a field of a tenant, sealed for a public key; recorded, also when it is rolled back; for Aegis alone';

CREATE FUNCTION aegis.export_field_key(request bigint, slug text) RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, 'export_field_key', slug, true);
  known aegis.tenant;
  place aegis.field;
  wanted text := left(asked.argument, -65);
  sealed text;
BEGIN
  SELECT t.* INTO known FROM aegis.tenant t WHERE t.id = asked.tenant_id FOR SHARE;
  IF known.region <> current_setting('aegis.region') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012',
      MESSAGE = format('tenant belongs to region "%s", this is "%s"', known.region, current_setting('aegis.region')),
      HINT = format('Connect to the cluster of region "%s".', known.region), CONSTRAINT = known.region;
  END IF;
  IF known.status NOT IN ('active', 'suspended') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = 'tenant was erased';
  END IF;
  SELECT f.* INTO place FROM aegis.field f WHERE f.name = wanted;
  IF place.reference IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('field "%s" does not exist', wanted);
  END IF;
  IF place.subject_column IS NOT NULL OR place.row_key IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
      MESSAGE = format('the key of field "%s" cannot be exported', wanted),
      DETAIL = 'Its values are bound to a data subject or a row, which only the database knows.';
  END IF;
  sealed := aegis.seal_field_key(request, known.id, wanted, right(asked.argument, 64), asked.requested_by, asked.approved_by);
  UPDATE aegis.tenant_request SET closed_at = now(), closed_as = 'done' WHERE id = request;
  RETURN sealed;
END $$;
COMMENT ON FUNCTION aegis.export_field_key(bigint, text) IS
  'the newest key of one field of one tenant, and of its search tokens, sealed for an application that seals and opens values itself; needs an approved request; recorded';
