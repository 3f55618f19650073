-- Coverage of witnesses: whether anybody else vouches for what the signer signed.

CREATE FUNCTION aegis.coverage_witness()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'low', 'setting', 'aegis.signer', 'witness-missing',
         'checkpoints are signed and nobody else cosigns them; see docs/witness.md', NULL::text
   WHERE EXISTS (SELECT FROM aegis.checkpoint) AND NOT EXISTS (SELECT FROM aegis.witness)
  UNION ALL
  SELECT NULL, 'high', 'witness', w.name, 'witness-refused',
         format('the witness knows another ledger than this one (%s): it was restored from an older state, cut or rewritten', w.fault), NULL
    FROM aegis.witness w WHERE w.standing = 'refused'
  UNION ALL
  SELECT NULL, CASE WHEN w.required THEN 'medium' ELSE 'low' END, 'witness', w.name, 'witness-stale',
         format('the witness has not cosigned what was signed since %s%s', date_trunc('second', w.since), coalesce(': ' || w.fault, '')), NULL
    FROM (SELECT t.*, aegis.uncosigned_since(t) AS since FROM aegis.witness t) w
   WHERE w.standing <> 'refused' AND w.since < now() - interval '10 min'
$$;
COMMENT ON FUNCTION aegis.coverage_witness() IS 'coverage: witnesses that refuse or do not answer, and that there is none';
