-- A tenant brings its own key: sealed for this database, and taken by two operators. docs/key_adopt.md.

CREATE FUNCTION aegis.open_brought_epoch(tenant uuid, sealed_key text, OUT epoch integer, OUT job bigint, OUT check_value text)
  RETURNS record
  AS 'MODULE_PATHNAME', 'aegis_open_brought_epoch' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.open_brought_epoch(uuid, text) IS
  'opens the next epoch of a tenant''s key with one that it brought, and queues the job that seals its rows anew; for Aegis alone';

CREATE FUNCTION aegis.adopt_tenant_key(request bigint, slug text, OUT epoch integer, OUT job bigint, OUT check_value text)
  RETURNS record
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, 'adopt_key', slug, true);
  known aegis.tenant;
BEGIN
  SELECT t.* INTO known FROM aegis.tenant t WHERE t.id = asked.tenant_id FOR NO KEY UPDATE;
  IF known.region <> current_setting('aegis.region') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012',
      MESSAGE = format('tenant belongs to region "%s", this is "%s"', known.region, current_setting('aegis.region')),
      HINT = format('Connect to the cluster of region "%s".', known.region), CONSTRAINT = known.region;
  END IF;
  IF known.status NOT IN ('active', 'suspended') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = 'tenant was erased';
  END IF;
  SELECT o.* INTO epoch, job, check_value FROM aegis.open_brought_epoch(known.id, asked.argument) o;
  UPDATE aegis.tenant_request SET closed_at = now(), closed_as = 'done' WHERE id = request;
  PERFORM aegis.record_tenant_event('key.tenant_brought', known.id, 'tenant_key', epoch::text,
    jsonb_build_object('approved_by', asked.approved_by, 'check_value', check_value, 'epoch', epoch, 'job', job,
                       'reason', asked.reason, 'request', request, 'requested_by', asked.requested_by));
END $$;
COMMENT ON FUNCTION aegis.adopt_tenant_key(bigint, text) IS
  'gives a tenant the key that it brought as its next epoch, under which values commit to their key, and queues the job that seals its rows anew; needs an approved request; returns the key''s check value';
