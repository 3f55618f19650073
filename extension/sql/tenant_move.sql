-- The end of a move: the source believes the target's signed entry, and from then on sends everybody there. docs/tenant_move.md.

CREATE FUNCTION aegis.open_receipt(receipt text, key text, OUT leaf bigint, OUT body bytea)
  AS 'MODULE_PATHNAME', 'aegis_open_receipt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.open_receipt(text, text) IS
  'checks a receipt of any ledger under the key of its signer; the entry that it proves, and its place in the log of its tenant';

CREATE FUNCTION aegis.move_tenant(request bigint, slug text, receipt text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, 'move', slug, true);
  known aegis.tenant;
  -- Both operators have seen whose word ends the move.
  to_region text := split_part(asked.argument, ':', 1);
  key text := substr(asked.argument, length(split_part(asked.argument, ':', 1)) + 2);
  proven record;
  said record;
BEGIN
  SELECT t.* INTO known FROM aegis.tenant t WHERE t.id = asked.tenant_id FOR NO KEY UPDATE;
  IF known.region <> current_setting('aegis.region') THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012',
      MESSAGE = format('tenant belongs to region "%s", this is "%s"', known.region, current_setting('aegis.region')),
      HINT = format('Connect to the cluster of region "%s".', known.region), CONSTRAINT = known.region;
  END IF;
  IF known.status <> 'suspended' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'tenant is not suspended';
  END IF;
  IF receipt IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'receipt must be given',
      HINT = 'It is that of the entry "tenant.imported" at the target.';
  END IF;
  SELECT o.leaf, o.body INTO proven FROM aegis.open_receipt(receipt, key) o;
  SELECT d.event, d.tenant_id, d.detail INTO said FROM aegis.decode_entry(proven.body) d;
  IF said.event <> 'tenant.imported' OR said.tenant_id IS DISTINCT FROM known.id OR proven.leaf <> 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'data_corrupted', MESSAGE = 'the receipt is not that of the first entry of the tenant at its target',
      DETAIL = format('It is entry %s, "%s".', proven.leaf, said.event);
  END IF;
  -- The newest export since the suspension, and the head of the chain as it was then.
  IF NOT EXISTS (SELECT FROM aegis.tenant_request r
                  WHERE r.id = (SELECT max(e.id) FROM aegis.tenant_request e
                                 WHERE e.tenant_id = known.id AND e.action = 'export' AND e.result IS NOT NULL)
                    AND r.result = said.detail ->> 'chain' AND split_part(r.argument, ':', 1) = to_region)
     OR NOT EXISTS (SELECT FROM aegis.seal s WHERE s.number = (said.detail ->> 'seal')::bigint
                       AND encode(s.hash, 'hex') = said.detail ->> 'seal_hash') THEN
    RAISE EXCEPTION USING ERRCODE = 'data_corrupted', MESSAGE = 'what the target took in is not the newest export of the suspended tenant for this region',
      HINT = 'Export it again while it is suspended, and import that.';
  END IF;
  UPDATE aegis.tenant SET status = 'moved', moved_to = to_region WHERE id = known.id;
  UPDATE aegis.tenant_request r SET closed_at = now(), closed_as = 'done' WHERE r.id = request;
  PERFORM aegis.record_tenant_event('tenant.moved', known.id, 'tenant', known.id::text,
    jsonb_build_object('region', to_region, 'chain', said.detail ->> 'chain', 'reason', asked.reason, 'request', request,
                       'requested_by', asked.requested_by, 'approved_by', asked.approved_by));
END $$;
COMMENT ON FUNCTION aegis.move_tenant(bigint, text, text) IS
  'ends a move: checks the target''s receipt against the export, and from then on answers 410 with the new region; needs an approved request; recorded';
