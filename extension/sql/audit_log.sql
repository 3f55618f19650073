-- The ledger for people. docs/audit.md.

CREATE FUNCTION aegis.decode_entry(body bytea, OUT "time" timestamptz, OUT event text, OUT outcome text,
    OUT tenant_id uuid, OUT user_id uuid, OUT session_id uuid, OUT "session_user" text, OUT rank smallint, OUT way text,
    OUT job bigint, OUT request_id text, OUT target_kind text, OUT target_id text, OUT detail jsonb, OUT image jsonb,
    OUT origin text)
  AS 'MODULE_PATHNAME', 'aegis_decode_entry' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.decode_entry(bytea) IS 'what the canonical bytes of an entry say; sealed parts as armor';

CREATE VIEW aegis.audit_log WITH (security_barrier) AS
SELECT e.seq, d."time", d.event, d.outcome, d.tenant_id, d.user_id, d.session_id, d."session_user", d.rank, d.way,
       d.job, d.request_id, d.target_kind, d.target_id, d.detail, d.image, d.origin, l.seal, l.leaf,
       -- What most readers look for, out of detail and image; who does not select it pays nothing.
       d.detail ->> 'reason' AS reason,
       CASE d.image ->> 'operation' WHEN 'U' THEN ARRAY(SELECT k FROM pg_catalog.jsonb_object_keys(coalesce(d.image -> 'new', '{}')) k ORDER BY k COLLATE "C") END AS changed,
       d.image -> 'old' AS before, d.image -> 'new' AS after
  FROM aegis.entry e
 CROSS JOIN LATERAL aegis.decode_entry(e.body) d
  LEFT JOIN aegis.tenant_log t ON t.tenant_id IS NOT DISTINCT FROM e.tenant_id
  LEFT JOIN LATERAL (
    SELECT s.seal, s.first_leaf + pg_catalog.array_position(s.seqs, e.seq) - 1 AS leaf
      FROM aegis.seal_leaves s
     WHERE s.log = t.log AND s.last_seq >= e.seq AND e.seq = ANY (s.seqs)
     ORDER BY s.last_seq LIMIT 1) l ON true;
COMMENT ON VIEW aegis.audit_log IS 'every ledger entry, decoded, with its seal and its leaf in the log of its tenant; reason, changed, before and after are parts of detail and image';

CREATE FUNCTION aegis.reveal_origin(seq bigint, OUT ip text, OUT user_agent text, OUT connection_address text,
                                    OUT application_name text)
  AS 'MODULE_PATHNAME', 'aegis_reveal_origin' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.reveal_origin(bigint) IS 'address and user agent of the request behind an entry as they were claimed, address and application name of its connection, in clear; recorded';

CREATE FUNCTION aegis.tenant_audit_log() RETURNS SETOF aegis.audit_log
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.tenant_id() IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'AG001', MESSAGE = 'tenant is not set',
      HINT = 'Call aegis.authenticate() at the start of the transaction.';
  ELSIF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'AG010', MESSAGE = 'only an admin may read the audit log of a tenant';
  END IF;
  RETURN QUERY SELECT l.* FROM aegis.audit_log l WHERE l.tenant_id = aegis.tenant_id() ORDER BY l.seq;
END $$;
COMMENT ON FUNCTION aegis.tenant_audit_log() IS 'the ledger entries of the tenant of the context; for its admins';
