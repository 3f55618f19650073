-- Seals: what the worker chains after commit. docs/seal.md, docs/format/seal-v1.md.

CREATE TABLE aegis.tenant_log (
  log       integer NOT NULL PRIMARY KEY,
  log_id    bytea   NOT NULL UNIQUE CHECK (pg_catalog.octet_length(log_id) = 32),
  tenant_id uuid    UNIQUE NULLS NOT DISTINCT,
  size      bigint  NOT NULL,
  frontier  bytea   NOT NULL,
  root      bytea   NOT NULL
);
COMMENT ON TABLE aegis.tenant_log IS 'one Merkle log for every tenant, and one without a tenant for the system; the current heads';
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant_log', '');

CREATE TABLE aegis.seal (
  number        bigint      NOT NULL PRIMARY KEY,
  epoch         integer     NOT NULL,
  sealed_at     timestamptz NOT NULL,
  snapshot      pg_snapshot NOT NULL,
  wal           pg_lsn      NOT NULL,
  entries       bigint      NOT NULL,
  root_size     bigint      NOT NULL,
  root          bytea       NOT NULL,
  previous      bytea       NOT NULL,
  hash          bytea       NOT NULL,
  root_frontier bytea       NOT NULL,
  body          bytea       NOT NULL
);
COMMENT ON TABLE aegis.seal IS 'the chain of seals; body holds the canonical bytes, the other columns repeat them for people';
SELECT pg_catalog.pg_extension_config_dump('aegis.seal', '');

-- Leaf first_leaf + i of the log is the entry seqs[i + 1], and its hash the i-th 32 bytes of leaves. The last row of a
-- seal and log carries the root that the log had then.
CREATE TABLE aegis.seal_leaves (
  seal       bigint   NOT NULL,
  log        integer  NOT NULL,
  first_leaf bigint   NOT NULL,
  last_seq   bigint   NOT NULL,
  seqs       bigint[] NOT NULL,
  leaves     bytea    NOT NULL,
  root       bytea,
  PRIMARY KEY (seal, log, first_leaf)
);
-- Hashes do not compress; out of line they stay away from whoever reads the numbers.
ALTER TABLE aegis.seal_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL;
CREATE INDEX seal_leaves_entry ON aegis.seal_leaves (log, last_seq);
-- What a proof looks for: leaves by their index, heads by their seal, seals by the size that the root log had.
CREATE INDEX seal_leaves_leaf ON aegis.seal_leaves (log, first_leaf);
CREATE INDEX seal_leaves_head ON aegis.seal_leaves (seal, log) WHERE root IS NOT NULL;
CREATE INDEX seal_root_size ON aegis.seal (root_size);
COMMENT ON TABLE aegis.seal_leaves IS 'which entry is which leaf of which log, and which seal covers it';
SELECT pg_catalog.pg_extension_config_dump('aegis.seal_leaves', '');

-- Entries are put in below SQL; who comes with SQL, or as the replica of another ledger, is refused.
DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['entry', 'event_type', 'ledger_epoch', 'seal', 'seal_leaves', 'tenant_log', 'tree_node'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.%I'
      ' FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change()', guarded);
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.%I'
      ' FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change()', guarded);
    EXECUTE pg_catalog.format('ALTER TABLE aegis.%I ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate', guarded);
  END LOOP;
  -- Partitions inherit row triggers; their mode and the statement trigger are their own.
  FOREACH guarded IN ARRAY ARRAY['entry_p0', 'entry_p1', 'entry_default'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.%I'
      ' FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change()', guarded);
    EXECUTE pg_catalog.format('ALTER TABLE aegis.%I ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate', guarded);
  END LOOP;
END $$;

-- The sealer makes partitions with the owner's rights.
GRANT CREATE ON SCHEMA aegis TO aegis_owner;

CREATE FUNCTION aegis.wait_sealed(timeout interval DEFAULT '10 s') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_wait_sealed' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_sealed(interval) IS
  'waits until everything that had committed at the call is sealed; number of the newest seal';

CREATE FUNCTION aegis.begin_epoch(reason text) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_begin_epoch' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.begin_epoch(text) IS
  'lets a restored ledger go on: the next seal commits to the last one and starts a new epoch; recorded with the reason and the newest checkpoint that is known';
