-- The log of one tenant, for its admins: page by page, entry by entry, seal by seal. docs/tenant_ledger.md.

CREATE FUNCTION aegis.require_admin() RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.tenant_id() IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'AG001', MESSAGE = 'tenant is not set',
      HINT = 'Call aegis.authenticate() at the start of the transaction.';
  ELSIF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'AG010', MESSAGE = 'only an admin may read the ledger of a tenant';
  END IF;
  RETURN aegis.tenant_id();
END $$;
COMMENT ON FUNCTION aegis.require_admin() IS 'tenant of the current context when its user is an admin; an error otherwise';

-- Entries have no index by number. A seal has exactly the entries that its snapshot sees and the one before does not,
-- and those the index by transaction finds: what the sealer read then is read now.
-- Without nested loops: the wanted numbers are joined as a whole, never looked for one by one.
CREATE FUNCTION aegis.sealed_entries(tenant uuid, seal bigint, seqs bigint[], OUT seq bigint, OUT leaf bytea, OUT body bytea)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 50
  SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $$
DECLARE
  old_epoch integer;
  new_epoch integer;
  since     xid8;
  until     xid8;
  running   xid8[];
  lowest    bigint;
  highest   bigint;
BEGIN
  SELECT coalesce(p.epoch, 1), s.epoch, coalesce(pg_snapshot_xmax(p.snapshot), '1'),
         -- The first seal of an epoch adopts all that the epoch before left.
         CASE WHEN coalesce(p.epoch, 1) = s.epoch THEN pg_snapshot_xmax(s.snapshot) ELSE '18446744073709551615' END,
         ARRAY(SELECT pg_snapshot_xip(p.snapshot))
    INTO old_epoch, new_epoch, since, until, running
    FROM aegis.seal s LEFT JOIN aegis.seal p ON p.number = s.number - 1
   WHERE s.number = sealed_entries.seal;
  SELECT min(w), max(w) INTO lowest, highest FROM unnest(seqs) w;
  RETURN QUERY
    SELECT e.seq, e.leaf, e.body
      FROM unnest(sealed_entries.seqs) w
      JOIN (SELECT r.seq, r.tenant_id, r.leaf, r.body FROM aegis.entry r
             WHERE r.epoch = old_epoch AND r.xid >= since AND r.xid < until AND r.seq BETWEEN lowest AND highest
            UNION ALL
            SELECT r.seq, r.tenant_id, r.leaf, r.body FROM aegis.entry r
             WHERE r.epoch = old_epoch AND r.xid = ANY (running) AND r.seq BETWEEN lowest AND highest
            UNION ALL
            SELECT r.seq, r.tenant_id, r.leaf, r.body FROM aegis.entry r
             WHERE r.epoch > old_epoch AND r.epoch <= new_epoch AND r.seq BETWEEN lowest AND highest) e ON e.seq = w
     WHERE e.tenant_id IS NOT DISTINCT FROM sealed_entries.tenant;
END $$;
COMMENT ON FUNCTION aegis.sealed_entries(uuid, bigint, bigint[]) IS
  'entries of a tenant by number, all covered by one seal; for the functions of the ledger';

CREATE FUNCTION aegis.tenant_leaves(log integer, first bigint, last bigint, OUT leaf bigint, OUT seq bigint, OUT seal bigint)
  RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.first_leaf + w.place - 1, w.seq, s.seal
      FROM aegis.seal_leaves s CROSS JOIN LATERAL unnest(s.seqs) WITH ORDINALITY w(seq, place)
     WHERE s.log = tenant_leaves.log AND s.first_leaf <= last
       AND s.first_leaf >= (SELECT coalesce(max(b.first_leaf), 0) FROM aegis.seal_leaves b
                             WHERE b.log = tenant_leaves.log AND b.first_leaf <= first)
       AND s.first_leaf + w.place - 1 BETWEEN first AND last
  $$;
COMMENT ON FUNCTION aegis.tenant_leaves(integer, bigint, bigint) IS 'which entry and seal stand behind a range of leaves of a log';

CREATE FUNCTION aegis.entry_matches(body bytea, event text, outcome text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_entry_matches' LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.entry_matches(bytea, text, text) IS
  'whether an entry''s event begins with a text and its outcome is the given one; NULL stands for any';

CREATE FUNCTION aegis.tenant_ledger(OUT entries bigint, OUT seal bigint, OUT sealed_at timestamptz, OUT checkpoint_size bigint,
                                    OUT signed_at timestamptz) RETURNS record
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_admin();
BEGIN
  SELECT t.size INTO entries FROM aegis.tenant_log t WHERE t.tenant_id = tenant;
  entries := coalesce(entries, 0);
  SELECT s.number, s.sealed_at INTO seal, tenant_ledger.sealed_at FROM aegis.seal s ORDER BY s.number DESC LIMIT 1;
  SELECT c.size, c.signed_at INTO checkpoint_size, tenant_ledger.signed_at FROM aegis.checkpoint c ORDER BY c.number DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION aegis.tenant_ledger() IS
  'sealed entries of the tenant of the context, the newest seal and the newest checkpoint; for its admins';

CREATE FUNCTION aegis.find_tenant_entries(before bigint DEFAULT NULL, most integer DEFAULT 50, event text DEFAULT NULL,
                                          outcome text DEFAULT NULL, OUT leaves bigint[], OUT next bigint) RETURNS record
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- A search ends after so many entries, found or not, and says where to go on.
  furthest  CONSTANT bigint := 20000;
  at_once   CONSTANT bigint := 2000;
  tenant    uuid := aegis.require_admin();
  own_log   integer;
  last      bigint;
  first     bigint;
  until     bigint;
  found_now bigint[];
BEGIN
  IF most IS NULL OR most NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'most must be between 1 and 1000';
  ELSIF outcome NOT IN ('success', 'failure', 'denied') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'outcome must be success, failure or denied';
  END IF;
  leaves := '{}';
  SELECT t.log, least(t.size, before) - 1 INTO own_log, last FROM aegis.tenant_log t WHERE t.tenant_id = tenant;
  until := greatest(last - furthest + 1, 0);
  WHILE last >= until LOOP
    IF event IS NULL AND outcome IS NULL THEN
      first := greatest(last - most + 1, 0);
      leaves := ARRAY(SELECT generate_series(last, first, -1));
    ELSE
      first := greatest(last - at_once + 1, until);
      -- Materialised, so that each seal is read once, and not once for each of its entries.
      WITH place AS MATERIALIZED (
        SELECT * FROM aegis.tenant_leaves(own_log, first, last)),
      matching AS MATERIALIZED (
        SELECT s.seal, e.seq
          FROM (SELECT g.seal, array_agg(g.seq) AS seqs FROM place g GROUP BY g.seal) s
         CROSS JOIN LATERAL aegis.sealed_entries(tenant, s.seal, s.seqs) e
         WHERE aegis.entry_matches(e.body, find_tenant_entries.event, find_tenant_entries.outcome))
      SELECT array_agg(m.leaf) INTO found_now FROM (
        SELECT p.leaf FROM matching JOIN place p USING (seal, seq) ORDER BY p.leaf DESC LIMIT most - cardinality(leaves)) m;
      leaves := leaves || found_now;
    END IF;
    IF cardinality(leaves) >= most THEN
      first := leaves[most];
      EXIT;
    END IF;
    last := first - 1;
  END LOOP;
  next := nullif(first, 0);
END $$;
COMMENT ON FUNCTION aegis.find_tenant_entries(bigint, integer, text, text) IS
  'leaves of the tenant''s entries, newest first, by event and outcome; next is where to go on. For its admins';

CREATE FUNCTION aegis.tenant_entries(leaves bigint[], OUT leaf bigint, OUT seq bigint, OUT seal bigint, OUT "time" timestamptz,
    OUT event text, OUT outcome text, OUT user_id uuid, OUT user_name text, OUT rank smallint, OUT way text,
    OUT request_id text, OUT target_kind text, OUT target_id text, OUT detail jsonb, OUT image jsonb, OUT leaf_hash bytea,
    OUT body bytea) RETURNS SETOF record
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant  uuid := aegis.require_admin();
  own_log integer;
BEGIN
  IF cardinality(leaves) > 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'at most 1000 entries are read at once';
  END IF;
  SELECT t.log INTO own_log FROM aegis.tenant_log t WHERE t.tenant_id = tenant;
  RETURN QUERY
    WITH place AS MATERIALIZED (
      SELECT DISTINCT l.leaf, l.seq, l.seal
        FROM unnest(tenant_entries.leaves) w CROSS JOIN LATERAL aegis.tenant_leaves(own_log, w, w) l
       WHERE w >= 0),
    wanted AS MATERIALIZED (
      SELECT s.seal, e.seq, e.leaf, e.body
        FROM (SELECT g.seal, array_agg(g.seq) AS seqs FROM place g GROUP BY g.seal) s
       CROSS JOIN LATERAL aegis.sealed_entries(tenant, s.seal, s.seqs) e)
    SELECT p.leaf, e.seq, p.seal, d."time", d.event, d.outcome, d.user_id, aegis.legible(u.name), d.rank, d.way, d.request_id,
           d.target_kind, d.target_id, d.detail, d.image, e.leaf, e.body
      FROM wanted e
      JOIN place p USING (seal, seq)
     CROSS JOIN LATERAL aegis.decode_entry(e.body) d
      LEFT JOIN aegis.user u ON u.tenant_id = tenant AND u.id = d.user_id
     ORDER BY p.leaf DESC;
END $$;
COMMENT ON FUNCTION aegis.tenant_entries(bigint[]) IS 'entries of the tenant of the context by their leaves, decoded; for its admins';

CREATE FUNCTION aegis.tenant_seals(before bigint DEFAULT NULL, most integer DEFAULT 50, OUT number bigint, OUT sealed_at timestamptz,
    OUT hash bytea, OUT previous bytea, OUT root bytea, OUT root_size bigint, OUT first_leaf bigint, OUT entries bigint,
    OUT checkpoint_size bigint, OUT signed_at timestamptz)
  RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant  uuid := aegis.require_admin();
  own_log integer;
BEGIN
  IF most IS NULL OR most NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'most must be between 1 and 1000';
  END IF;
  SELECT t.log INTO own_log FROM aegis.tenant_log t WHERE t.tenant_id = tenant;
  RETURN QUERY
    SELECT s.number, s.sealed_at, s.hash, s.previous, s.root, s.root_size, l.first_leaf, l.entries, c.size, c.signed_at
      FROM (SELECT * FROM aegis.seal a WHERE before IS NULL OR a.number < before ORDER BY a.number DESC LIMIT most) s
     CROSS JOIN LATERAL (
       SELECT min(c.first_leaf) AS first_leaf, coalesce(sum(cardinality(c.seqs)), 0)::bigint AS entries
         FROM aegis.seal_leaves c WHERE c.seal = s.number AND c.log = own_log) l
      LEFT JOIN LATERAL (
       SELECT k.size, k.signed_at FROM aegis.checkpoint k WHERE k.seal >= s.number ORDER BY k.seal, k.number LIMIT 1) c ON true
     ORDER BY s.number DESC;
END $$;
COMMENT ON FUNCTION aegis.tenant_seals(bigint, integer) IS
  'seals, newest first, with the entries that the tenant of the context has in each, and the first checkpoint over it; for its admins';

CREATE FUNCTION aegis.tenant_bundle(most integer DEFAULT 16777216) RETURNS bytea
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_admin();
  line   text;
  lines  text[] := '{}';
  bytes  bigint := 0;
BEGIN
  -- What cannot fit is not begun: no seal, head or entry has a shorter line than this.
  SELECT coalesce((SELECT t.size * 160 FROM aegis.tenant_log t WHERE t.tenant_id = tenant), 0)
         + coalesce((SELECT s.number * 160 + s.root_size * 40 FROM aegis.seal s ORDER BY s.number DESC LIMIT 1), 0)
    INTO bytes;
  IF bytes <= most THEN
    bytes := 0;
    FOR line IN SELECT b FROM aegis.export_ledger(tenant) b LOOP
      lines := array_append(lines, line);
      bytes := bytes + octet_length(line) + 1;
      EXIT WHEN bytes > most;
    END LOOP;
  END IF;
  IF bytes > most THEN
    RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
      MESSAGE = format('the bundle of this tenant is larger than %s bytes', most),
      HINT = 'An auditor exports it with psql: aegis.export_ledger().';
  END IF;
  RETURN convert_to(array_to_string(lines, E'\n') || E'\n', 'UTF8');
END $$;
COMMENT ON FUNCTION aegis.tenant_bundle(integer) IS
  'the sealed log of the tenant of the context as a bundle for aegis-verify; recorded. For its admins';
