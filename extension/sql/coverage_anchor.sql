-- Coverage of anchors: whether what is signed has left this machine.

CREATE FUNCTION aegis.coverage_anchor()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'low', 'setting', 'aegis.signer', 'ledger-unanchored',
         'checkpoints are signed and left nowhere outside of this machine; see docs/anchor.md', NULL::text
   WHERE EXISTS (SELECT FROM aegis.checkpoint) AND NOT EXISTS (SELECT FROM aegis.anchor)
  UNION ALL
  SELECT NULL, 'high', 'anchor', a.name, 'anchor-refused',
         'the anchor holds another checkpoint of the same size: the ledger was restored from an older state, or rewritten', NULL
    FROM aegis.anchor_status a WHERE a.standing = 'refused'
  UNION ALL
  SELECT NULL, 'medium', 'anchor', a.name, 'ledger-unanchored',
         format('nothing that was signed since %s is anchored%s', date_trunc('second', a.behind_since), coalesce(': ' || a.fault, '')), NULL
    FROM aegis.anchor_status a
   WHERE a.standing <> 'refused' AND a.behind_since < clock_timestamp() - 2 * a.every - interval '10 min'
$$;
COMMENT ON FUNCTION aegis.coverage_anchor() IS 'coverage: anchors that refuse or are stale, and that there is none';
