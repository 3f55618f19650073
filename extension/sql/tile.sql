-- The logs of the ledger as C2SP tlog-tiles. docs/tile.md.

CREATE FUNCTION aegis.tile_path(path text, OUT entries boolean, OUT level integer, OUT index bigint, OUT width integer)
  AS 'MODULE_PATHNAME', 'aegis_tile_path' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.tile_path(text) IS 'what the path of a tile names: tile/LEVEL/INDEX or tile/entries/INDEX, with .p/WIDTH behind a partial one';

CREATE FUNCTION aegis.tile_hashes(log integer, level integer, index bigint, width integer) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_tile_hashes' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.tile_hashes(integer, integer, bigint, integer) IS 'the hashes of a tile; NULL when the log is not that far; for Aegis alone';

-- Leaf i of the root log is a head of the first seal with a root log larger than i, in the order of their logs.
CREATE FUNCTION aegis.root_entries(index bigint, width integer) RETURNS bytea
  LANGUAGE sql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH first (leaf, start) AS (
    SELECT index * 256, coalesce((SELECT max(s.root_size) FROM aegis.seal s WHERE s.root_size <= index * 256), 0)
  ), head AS (
    SELECT convert_to('aegis/head/1', 'UTF8') || t.log_id || int8send(l.first_leaf + octet_length(l.leaves) / 32) || l.root AS data, s.root_size, l.log
      FROM first f
     CROSS JOIN LATERAL (SELECT b.number, b.root_size FROM aegis.seal b
                          WHERE b.root_size > f.leaf
                            AND b.root_size <= (SELECT min(e.root_size) FROM aegis.seal e WHERE e.root_size >= f.leaf + width)) s
      JOIN aegis.seal_leaves l ON l.seal = s.number AND l.root IS NOT NULL
      JOIN aegis.tenant_log t ON t.log = l.log
     ORDER BY s.root_size, l.log OFFSET (SELECT f.leaf - f.start FROM first f) LIMIT width
  )
  SELECT CASE WHEN count(*) = width THEN string_agg(substr(int4send(octet_length(h.data)), 3) || h.data, '' ORDER BY h.root_size, h.log) END FROM head h
$$;
COMMENT ON FUNCTION aegis.root_entries(bigint, integer) IS 'a bundle of heads, the entries of the root log; NULL when it is not that far; for Aegis alone';

CREATE FUNCTION aegis.log_entries(log integer, index bigint, width integer) RETURNS bytea
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own     uuid;
  cut     record;
  placed  bigint;
  there   bigint;
  lost    bigint;
  longest integer;
  bundle  bytea;
BEGIN
  SELECT t.tenant_id INTO own FROM aegis.tenant_log t WHERE t.log = log_entries.log AND t.size >= index * 256 + width;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  SELECT coalesce(max(c.size), 0) AS size INTO cut FROM aegis.ledger_cut c WHERE c.log = log_entries.log;
  WITH place AS MATERIALIZED (
    SELECT l.leaf, l.seq, l.seal FROM aegis.tenant_leaves(log_entries.log, index * 256, index * 256 + width - 1) l
  ), entry AS MATERIALIZED (
    SELECT s.seal, e.seq, e.body FROM (SELECT p.seal, array_agg(p.seq) AS seqs FROM place p GROUP BY p.seal) s
     CROSS JOIN LATERAL aegis.sealed_entries(own, s.seal, s.seqs) e
  )
  SELECT count(*), count(e.body), count(*) FILTER (WHERE e.body IS NULL AND p.leaf >= cut.size), max(octet_length(e.body)),
         string_agg(substr(int4send(octet_length(e.body)), 3) || e.body, '' ORDER BY p.leaf)
    INTO placed, there, lost, longest, bundle FROM place p LEFT JOIN entry e USING (seal, seq);
  IF placed <> width OR lost > 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'data_corrupted', MESSAGE = 'the ledger is damaged: an entry that is sealed is missing',
      HINT = 'aegis.verify_ledger() says more.';
  ELSIF there <> width THEN
    SELECT c.* INTO cut FROM aegis.ledger_cuts c WHERE c.tenant_id = own ORDER BY c.size DESC LIMIT 1;
    RAISE EXCEPTION USING ERRCODE = 'AG022', MESSAGE = format('leaf %s was cut from the log', index * 256),
      DETAIL = format('Leaves below %s were cut at %s; "%s" asked for it, "%s" agreed: %s.', cut.size, cut.cut_at, cut.requested_by, cut.approved_by, cut.reason),
      HINT = 'The hashes are still there; an export that was kept holds the entries.';
  ELSIF longest > 65535 THEN
    RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = 'an entry is too long for a bundle of entries',
      DETAIL = 'A bundle of C2SP bears entries of up to 65535 bytes.', HINT = 'aegis.export_ledger() exports every entry.';
  END IF;
  RETURN bundle;
END $$;
COMMENT ON FUNCTION aegis.log_entries(integer, bigint, integer) IS 'a bundle of the entries of a log; NULL when it is not that far; for Aegis alone';

CREATE FUNCTION aegis.any_tile(log integer, path text) RETURNS bytea
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  p record := aegis.tile_path(path);
BEGIN
  -- No bigint counts that many leaves.
  IF p.index > 36028797018963967 THEN
    RETURN NULL;
  ELSIF NOT p.entries THEN
    RETURN aegis.tile_hashes(log, p.level, p.index, p.width);
  ELSIF log = 0 THEN
    RETURN aegis.root_entries(p.index, p.width);
  END IF;
  RETURN aegis.log_entries(log, p.index, p.width);
END $$;
COMMENT ON FUNCTION aegis.any_tile(integer, text) IS 'a tile or a bundle of entries of a log by its number, 0 for the root log; for Aegis alone';

CREATE FUNCTION aegis.root_tile(path text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_root_tile' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.root_tile(text) IS
  'a tile of the root log (C2SP tlog-tiles), NULL when it is not that far; bundles of entries, which name every log, for auditors only';

CREATE FUNCTION aegis.log_tile(tenant uuid, path text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_log_tile' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.log_tile(uuid, text) IS
  'a tile or a bundle of entries of the log of a tenant, NULL when it is not that far; null is the log of the system; for auditors and the tenant''s admins';

CREATE FUNCTION aegis.log_receipt(tenant uuid) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_log_receipt' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.log_receipt(uuid) IS
  'the receipt of the newest entry that a checkpoint covers, which proves size and root of the log; for auditors and the tenant''s admins';
