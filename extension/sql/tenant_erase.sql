-- The end of a tenant: keys at once, rows by a job, and an entry that proves it. docs/tenant_erase.md.

CREATE FUNCTION aegis.erase_tenant(request bigint, slug text) RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, 'erase', slug, true);
  known aegis.tenant;
  foreigner text;
  job bigint;
BEGIN
  SELECT t.* INTO known FROM aegis.tenant t WHERE t.id = asked.tenant_id FOR NO KEY UPDATE;
  IF known.region <> current_setting('aegis.region') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012',
      MESSAGE = format('tenant belongs to region "%s", this is "%s"', known.region, current_setting('aegis.region')),
      HINT = format('Connect to the cluster of region "%s".', known.region), CONSTRAINT = known.region;
  END IF;
  IF known.status NOT IN ('suspended', 'moved') THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = CASE known.status WHEN 'active' THEN 'tenant is not suspended' WHEN 'erasing' THEN 'tenant is being erased'
                     ELSE 'tenant is erased already' END,
      HINT = CASE known.status WHEN 'active' THEN 'Call aegis.suspend_tenant() first.' ELSE 'See aegis.jobs.' END;
  END IF;
  IF EXISTS (SELECT FROM aegis.ledger_hold h WHERE h.tenant_id = known.id AND h.released_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the ledger of the tenant is on legal hold',
      DETAIL = 'Without the keys of the tenant nobody could read what its entries say of people.',
      HINT = 'aegis.ledger_holds says why; aegis.release_ledger() ends a hold.';
  END IF;
  -- Deletions run without the application's triggers, hence without those of its foreign keys.
  SELECT string_agg(DISTINCT c.conrelid::regclass::text, ', ' ORDER BY c.conrelid::regclass::text) INTO foreigner
    FROM pg_constraint c JOIN aegis.protected_table p ON p.relation = c.confrelid
   WHERE c.contype = 'f' AND NOT EXISTS (SELECT FROM aegis.protected_table o WHERE o.relation = c.conrelid)
     AND NOT EXISTS (SELECT FROM aegis.protected_part o WHERE o.relation = c.conrelid);
  IF foreigner IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'tables that are not protected refer to rows of the tenant',
      DETAIL = format('They are: %s.', foreigner), HINT = 'Put them under aegis.protect_table(), or drop their foreign keys.';
  END IF;
  PERFORM aegis.record_tenant_event('tenant.erasure_begun', known.id, 'tenant', known.id::text,
    jsonb_build_object('reason', asked.reason, 'request', request, 'requested_by', asked.requested_by,
                       'approved_by', asked.approved_by));
  PERFORM aegis.shred_tenant(known.id, asked.reason);
  UPDATE aegis.tenant SET status = 'erasing' WHERE id = known.id;
  UPDATE aegis.tenant_request SET closed_at = now(), closed_as = 'done' WHERE id = request;
  job := aegis.create_job('erase_tenant', known.id);
  RETURN job;
END $$;
COMMENT ON FUNCTION aegis.erase_tenant(bigint, text) IS
  'destroys the keys of a suspended tenant at once and queues the job that deletes its rows; needs an approved request; returns the job';

CREATE FUNCTION aegis.erasure_certificate(tenant uuid) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place bigint;
BEGIN
  SELECT l.leaf INTO place FROM aegis.audit_log l
   WHERE l.tenant_id = tenant AND l.event = 'tenant.erased' ORDER BY l.seq DESC LIMIT 1;
  IF place IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no sealed entry says that the tenant was erased',
      HINT = 'The job "erase_tenant" must have finished, and its entry be sealed: see aegis.jobs and aegis.wait_sealed().';
  END IF;
  RETURN aegis.receipt(tenant, place);
END $$;
COMMENT ON FUNCTION aegis.erasure_certificate(uuid) IS
  'the receipt of the entry that says what was erased, which aegis-verify proof checks without the database';
