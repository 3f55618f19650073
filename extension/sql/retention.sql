-- Retention: the beginning of a tenant's log is cut when a rule allows it, no hold forbids it, a signed checkpoint that
-- somebody else has covers it and an export of it was checked; hashes stay, and an entry says who did it. docs/retention.md, docs/format/cut-v1.md.

CREATE TABLE aegis.ledger_retention (
  tenant_id uuid        NOT NULL PRIMARY KEY,
  keep      interval    NOT NULL CHECK (keep >= '0'),
  set_by    text        NOT NULL,
  set_at    timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE aegis.ledger_retention IS 'how long entries of a tenant are kept at least; nothing is cut of a tenant without a row';
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_retention', '');

CREATE TABLE aegis.ledger_hold (
  id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id      uuid        NOT NULL,
  reason         text        NOT NULL,
  held_by        text        NOT NULL,
  held_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
  released_by    text,
  released_at    timestamptz,
  release_reason text,
  CHECK ((released_by IS NULL) = (released_at IS NULL) AND (released_by IS NULL) = (release_reason IS NULL))
);
CREATE INDEX ledger_hold_open ON aegis.ledger_hold (tenant_id) WHERE released_at IS NULL;
COMMENT ON TABLE aegis.ledger_hold IS 'legal holds: nothing is cut of the log of a tenant with one that was not released';
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_hold', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_hold_id_seq', '');

CREATE TABLE aegis.ledger_export (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   uuid,
  seal        bigint      NOT NULL,
  statement   bytea       NOT NULL,
  exported_by text        NOT NULL,
  exported_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX ledger_export_statement ON aegis.ledger_export (statement);
COMMENT ON TABLE aegis.ledger_export IS 'bundles that were written: of which tenant (null: the whole ledger), up to which seal';
COMMENT ON COLUMN aegis.ledger_export.statement IS
  'SHA-256 of the statement that aegis-verify prints once it has checked the bundle; the statement itself is not kept';
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_export', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_export_id_seq', '');

CREATE TABLE aegis.ledger_cut (
  log      integer     NOT NULL,
  size     bigint      NOT NULL CHECK (size > 0),
  seal     bigint      NOT NULL,
  seq      bigint      NOT NULL,
  cut_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
  frontier bytea       NOT NULL,
  body     bytea       NOT NULL,
  PRIMARY KEY (log, size)
);
COMMENT ON TABLE aegis.ledger_cut IS
  'cuts of logs: leaves below size have hashes and no entries; body is the entry that says so, which is itself a leaf of the log';
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_cut', '');
-- A cut is the ledger's; the others lie beside it, and the functions below change them, which record who called.
DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['ledger_cut', 'ledger_export', 'ledger_hold', 'ledger_retention'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.%I'
      ' FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change()', guarded);
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.%I'
      ' FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change()', guarded);
    EXECUTE pg_catalog.format('ALTER TABLE aegis.%I ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate', guarded);
  END LOOP;
END $$;

-- The tenant, locked against another change of its rule, its holds or its log's beginning.
CREATE FUNCTION aegis.lock_retention(tenant uuid, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF reason IS NULL OR btrim(reason, E' \t\r\n') = '' OR octet_length(reason) > 160 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'reason must be given, in at most 160 bytes',
      DETAIL = 'It is recorded in the ledger.';
  END IF;
  PERFORM FROM aegis.tenant t WHERE t.id = tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = 'tenant does not exist';
  END IF;
END $$;
COMMENT ON FUNCTION aegis.lock_retention(uuid, text) IS 'locks a tenant for a change of its retention; for Aegis alone';

CREATE FUNCTION aegis.set_ledger_retention(tenant uuid, keep interval, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET intervalstyle = iso_8601
AS $$
BEGIN
  PERFORM aegis.lock_retention(tenant, reason);
  IF keep < '0' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'entries cannot be kept for a negative time';
  ELSIF keep IS NULL THEN
    DELETE FROM aegis.ledger_retention r WHERE r.tenant_id = tenant;
  ELSE
    INSERT INTO aegis.ledger_retention AS r (tenant_id, keep, set_by) VALUES (tenant, keep, session_user)
      ON CONFLICT (tenant_id) DO UPDATE SET keep = EXCLUDED.keep, set_by = EXCLUDED.set_by, set_at = now();
  END IF;
  PERFORM aegis.record_tenant_event('ledger.retention_set', tenant, 'tenant', tenant::text,
    jsonb_build_object('keep', coalesce(keep::text, 'for ever'), 'reason', reason));
END $$;
COMMENT ON FUNCTION aegis.set_ledger_retention(uuid, interval, text) IS
  'how long entries of a tenant are kept at least; null: for ever, which is the default; recorded';

CREATE FUNCTION aegis.hold_ledger(tenant uuid, reason text) RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  number bigint;
BEGIN
  PERFORM aegis.lock_retention(tenant, reason);
  INSERT INTO aegis.ledger_hold (tenant_id, reason, held_by) VALUES (tenant, reason, session_user) RETURNING id INTO number;
  PERFORM aegis.record_tenant_event('ledger.held', tenant, 'ledger_hold', number::text, jsonb_build_object('reason', reason));
  RETURN number;
END $$;
COMMENT ON FUNCTION aegis.hold_ledger(uuid, text) IS
  'legal hold: nothing is cut of the log of a tenant, not even what was agreed on before, until it is released; recorded; number of the hold';

CREATE FUNCTION aegis.release_ledger(hold bigint, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held aegis.ledger_hold;
BEGIN
  SELECT h.* INTO held FROM aegis.ledger_hold h WHERE h.id = hold FOR UPDATE;
  IF held.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('hold %s does not exist', coalesce(hold::text, 'null')),
      HINT = 'aegis.ledger_holds lists them.';
  ELSIF held.released_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('hold %s is released already', hold);
  END IF;
  PERFORM aegis.lock_retention(held.tenant_id, reason);
  UPDATE aegis.ledger_hold SET released_by = session_user, released_at = now(), release_reason = release_ledger.reason WHERE id = hold;
  PERFORM aegis.record_tenant_event('ledger.released', held.tenant_id, 'ledger_hold', hold::text, jsonb_build_object('reason', reason));
END $$;
COMMENT ON FUNCTION aegis.release_ledger(bigint, text) IS 'ends a legal hold; others of the same tenant stay; recorded';

CREATE VIEW aegis.ledger_holds AS
  SELECT id, tenant_id, reason, held_by, held_at, released_by, released_at, release_reason FROM aegis.ledger_hold;
COMMENT ON VIEW aegis.ledger_holds IS 'every legal hold, and who released it';

-- A signature alone proves nothing to others: who holds this machine may keep it here. Somebody else has everything up to this seal; an anchor
-- is as far away as its administrator. While one holds another history, no receipt says which of the two it is of.
CREATE FUNCTION aegis.anchored_seal() RETURNS bigint
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(pg_catalog.max(c.seal), 0) FROM aegis.checkpoint c
   WHERE c.number <= CASE WHEN EXISTS (SELECT FROM aegis.witness) THEN aegis.newest_witnessed()
                          ELSE greatest((SELECT pg_catalog.max(o.checkpoint) FROM aegis.cosignature o),
                                        (SELECT pg_catalog.max(r.checkpoint) FROM aegis.anchor_receipt r
                                          WHERE NOT EXISTS (SELECT FROM aegis.anchor a WHERE a.standing = 'refused'))) END;
END;
COMMENT ON FUNCTION aegis.anchored_seal() IS
  'the newest seal that a checkpoint covers which somebody else has: witnessed where witnesses are registered, else cosigned, or anchored while no anchor holds another history; what comes after it is never cut';

CREATE FUNCTION aegis.log_size_at(log integer, seal bigint) RETURNS bigint
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce((SELECT l.first_leaf + pg_catalog.octet_length(l.leaves) / 32 FROM aegis.seal_leaves l
                    WHERE l.log = log_size_at.log AND l.seal <= log_size_at.seal AND l.root IS NOT NULL
                    ORDER BY l.first_leaf DESC LIMIT 1), 0);
END;
COMMENT ON FUNCTION aegis.log_size_at(integer, bigint) IS 'leaves that a log had at a seal';

CREATE FUNCTION aegis.cuttable(tenant uuid, OUT entries bigint, OUT cut bigint, OUT old_enough bigint, OUT signed bigint,
                               OUT anchored bigint, OUT exported bigint, OUT holds bigint, OUT until bigint) RETURNS record
  LANGUAGE plpgsql STABLE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.tenant_log;
BEGIN
  SELECT l.* INTO known FROM aegis.tenant_log l WHERE l.tenant_id = tenant;
  IF known.log IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = format('nothing is sealed of tenant "%s"', tenant),
      HINT = 'aegis.tenants() lists the tenants; aegis.wait_sealed() waits for their first seal.';
  END IF;
  entries := known.size;
  SELECT coalesce(max(c.size), 0) INTO cut FROM aegis.ledger_cut c WHERE c.log = known.log;
  -- Seals before the first one that is too young: a clock that once ran ahead makes nothing old.
  SELECT aegis.log_size_at(known.log, coalesce((SELECT min(s.number) - 1 FROM aegis.seal s WHERE s.sealed_at > now() - r.keep),
                                              (SELECT max(s.number) FROM aegis.seal s)))
    INTO old_enough FROM aegis.ledger_retention r WHERE r.tenant_id = tenant;
  signed := aegis.log_size_at(known.log, (SELECT max(c.seal) FROM aegis.checkpoint c));
  anchored := aegis.log_size_at(known.log, aegis.anchored_seal());
  exported := aegis.log_size_at(known.log, (SELECT max(x.seal) FROM aegis.ledger_export x WHERE x.tenant_id = tenant OR x.tenant_id IS NULL));
  SELECT count(*) INTO holds FROM aegis.ledger_hold h WHERE h.tenant_id = tenant AND h.released_at IS NULL;
  until := CASE WHEN holds > 0 THEN cut ELSE greatest(cut, least(coalesce(old_enough, 0), anchored, exported)) END;
END $$;
COMMENT ON FUNCTION aegis.cuttable(uuid) IS
  'sizes of the log of a tenant: sealed, cut, old enough by its rule (null: no rule), signed, proven outside, exported; open holds; and how far it may be cut now';

-- What must hold when a cut is asked for, and again when it is made. Returns the log.
CREATE FUNCTION aegis.require_cuttable(tenant uuid, until bigint, statement text) RETURNS integer
  LANGUAGE plpgsql STABLE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  may record;
  own_log integer;
  checked bigint;
BEGIN
  SELECT c.* INTO may FROM aegis.cuttable(tenant) c;
  SELECT l.log INTO own_log FROM aegis.tenant_log l WHERE l.tenant_id = tenant;
  SELECT max(x.seal) INTO checked FROM aegis.ledger_export x
   WHERE x.statement = sha256(decode(require_cuttable.statement, 'hex')) AND (x.tenant_id = tenant OR x.tenant_id IS NULL);
  IF may.holds > 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the ledger of the tenant is on legal hold',
      HINT = 'aegis.ledger_holds says why; aegis.release_ledger() ends a hold.';
  ELSIF may.old_enough IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the tenant has no retention rule',
      HINT = 'aegis.set_ledger_retention() makes one; without it everything is kept.';
  ELSIF until <= may.cut THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('leaves below %s are cut already', may.cut);
  ELSIF until > may.old_enough THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the retention rule keeps some of these entries',
      DETAIL = format('Leaves below %s are old enough.', may.old_enough);
  ELSIF until > may.signed THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no signed checkpoint covers some of these entries',
      DETAIL = format('Leaves below %s are covered.', may.signed), HINT = 'aegis.wait_checkpoint() waits for one; aegis.signer must be set.';
  ELSIF until > may.anchored THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no witnessed or anchored checkpoint covers some of these entries',
      DETAIL = format('Leaves below %s are covered; no receipt of an anchor counts while one holds another history.', may.anchored),
      HINT = 'aegis.register_witness() and aegis.register_anchor() have checkpoints kept elsewhere; aegis.wait_witnessed() waits for witnesses, aegis.anchor_status says what anchors have.';
  ELSIF checked IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no export of this ledger has this statement',
      HINT = 'Export with aegis.export_ledger(), check the file with aegis-verify bundle, and give the statement that it prints.';
  ELSIF until > aegis.log_size_at(own_log, checked) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the export does not hold some of these entries',
      DETAIL = format('It holds leaves below %s.', aegis.log_size_at(own_log, checked));
  ELSIF NOT EXISTS (SELECT FROM aegis.seal_leaves l WHERE l.log = own_log AND l.root IS NOT NULL
                       AND l.first_leaf < until AND l.first_leaf >= until - 1000 AND l.first_leaf + octet_length(l.leaves) / 32 = until) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the log has no head of this size',
      DETAIL = 'A log is cut where a seal ended, for there a head in the root log has its root.',
      HINT = format('The largest that may be cut is %s.', may.until);
  END IF;
  RETURN own_log;
END $$;
COMMENT ON FUNCTION aegis.require_cuttable(uuid, bigint, text) IS 'an error unless the log of a tenant may be cut; its number; for Aegis alone';

CREATE FUNCTION aegis.begin_cut(request bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_begin_cut' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.begin_cut(bigint) IS
  'records the cut that an approved request asks for, closes the request, and makes the job that does it; for Aegis alone';

CREATE FUNCTION aegis.cut_ledger(request bigint, slug text) RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, 'cut_ledger', slug, true);
  until bigint := split_part(asked.argument, ':', 1);
  statement text := split_part(asked.argument, ':', 2);
BEGIN
  PERFORM aegis.lock_retention(asked.tenant_id, asked.reason);
  IF EXISTS (SELECT FROM aegis.job j WHERE j.kind = 'cut_ledger' AND j.tenant_id = asked.tenant_id
               AND j.state IN ('queued', 'running', 'paused', 'failed')
               -- What failed and was left behind by a later cut is of no interest.
               AND j.id = (SELECT max(n.id) FROM aegis.job n WHERE n.kind = 'cut_ledger' AND n.tenant_id = asked.tenant_id)) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'an earlier cut of this log is not finished',
      HINT = 'See aegis.jobs; aegis.resume_job() lets it go on.';
  END IF;
  PERFORM aegis.require_cuttable(asked.tenant_id, until, statement);
  RETURN aegis.begin_cut(request);
END $$;
COMMENT ON FUNCTION aegis.cut_ledger(bigint, text) IS
  'records the cut that two operators agreed on and queues the job that removes the entries; returns the job';

-- What is below the cut and named by these leaves. Entries have no index by number: the snapshots between which they were
-- sealed bound their transactions. Returns the leaf to go on with.
CREATE FUNCTION aegis.delete_cut_entries(log integer, tenant uuid, first bigint, size bigint, most integer) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  part      record;
  gone      bigint[] := '{}';
  go_on     bigint := first;
  old_seal  bigint;
  new_seal  bigint;
  old_epoch integer;
  new_epoch integer;
  since     xid8;
  until     xid8;
BEGIN
  FOR part IN SELECT l.seal, l.first_leaf, l.seqs FROM aegis.seal_leaves l
               WHERE l.log = delete_cut_entries.log AND l.first_leaf >= first AND l.first_leaf < size ORDER BY l.first_leaf LOOP
    gone := gone || part.seqs;
    old_seal := coalesce(old_seal, part.seal);
    new_seal := part.seal;
    go_on := part.first_leaf + cardinality(part.seqs);
    EXIT WHEN cardinality(gone) >= most;
  END LOOP;
  IF new_seal IS NULL THEN
    RETURN size;
  END IF;
  SELECT coalesce(p.epoch, 1), n.epoch, coalesce(pg_snapshot_xmin(p.snapshot), '0'), pg_snapshot_xmax(n.snapshot)
    INTO old_epoch, new_epoch, since, until
    FROM aegis.seal n LEFT JOIN aegis.seal p ON p.number = old_seal - 1 WHERE n.number = new_seal;
  -- Numbers of transactions mean nothing across epochs.
  IF old_epoch <> new_epoch THEN
    since := '0';
    until := '18446744073709551615';
  END IF;
  DELETE FROM aegis.entry e USING unnest(gone) w
   WHERE e.seq = w AND e.tenant_id = tenant AND e.epoch BETWEEN old_epoch AND new_epoch AND e.xid >= since AND e.xid < until
     AND e.seq BETWEEN (SELECT min(u) FROM unnest(gone) u) AND (SELECT max(u) FROM unnest(gone) u);
  RETURN go_on;
END $$;
COMMENT ON FUNCTION aegis.delete_cut_entries(integer, uuid, bigint, bigint, integer) IS
  'removes entries of a log that was cut; for the job, which alone passes the guard';

CREATE VIEW aegis.ledger_cuts AS
  SELECT t.tenant_id, c.size, c.seal, c.cut_at, d.requested_by, d.approved_by, d.reason, d.statement, c.seq
    FROM aegis.ledger_cut c JOIN aegis.tenant_log t ON t.log = c.log
   CROSS JOIN LATERAL (SELECT e.detail ->> 'requested_by', e.detail ->> 'approved_by', e.detail ->> 'reason', e.detail ->> 'statement'
                         FROM aegis.decode_entry(c.body) e) d(requested_by, approved_by, reason, statement);
COMMENT ON VIEW aegis.ledger_cuts IS 'every cut of a log: leaves below size have no entries any more; who asked, who agreed, why';
