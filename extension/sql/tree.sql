-- What proofs are read from, and the proofs. docs/tree.md.

CREATE TABLE aegis.tree_node (
  log   integer  NOT NULL,
  level smallint NOT NULL,
  index bigint   NOT NULL,
  hash  bytea    NOT NULL,
  PRIMARY KEY (log, level, index)
);
COMMENT ON TABLE aegis.tree_node IS
  'roots of the complete subtrees of 2^8, 2^16, 2^24 ... leaves, so that proofs read few rows; log 0 is the root log';
SELECT pg_catalog.pg_extension_config_dump('aegis.tree_node', '');

CREATE FUNCTION aegis.inclusion_proof(tenant uuid, leaf bigint, size bigint) RETURNS bytea[]
  AS 'MODULE_PATHNAME', 'aegis_inclusion_proof' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.inclusion_proof(uuid, bigint, bigint) IS
  'proves that a leaf is in the log of a tenant at a size; null is the log of the system; for auditors and the tenant''s admins';

CREATE FUNCTION aegis.consistency_proof(tenant uuid, first bigint, second bigint) RETURNS bytea[]
  AS 'MODULE_PATHNAME', 'aegis_consistency_proof' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.consistency_proof(uuid, bigint, bigint) IS
  'proves that the log of a tenant at the second size extends it at the first';

CREATE FUNCTION aegis.log_root(tenant uuid, size bigint) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_log_root' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.log_root(uuid, bigint) IS 'the root that the log of a tenant had at a size';

CREATE FUNCTION aegis.root_inclusion_proof(index bigint, size bigint) RETURNS bytea[]
  AS 'MODULE_PATHNAME', 'aegis_root_inclusion_proof' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.root_inclusion_proof(bigint, bigint) IS
  'proves that the head of a log is a leaf of the root log at a size';

CREATE FUNCTION aegis.root_consistency_proof(first bigint, second bigint) RETURNS bytea[]
  AS 'MODULE_PATHNAME', 'aegis_root_consistency_proof' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.root_consistency_proof(bigint, bigint) IS
  'proves that the root log at the second size extends it at the first';

CREATE FUNCTION aegis.receipt(tenant uuid, leaf bigint) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_receipt' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.receipt(uuid, bigint) IS
  'a C2SP tlog-proof that the newest checkpoint covers an entry, with the entry; null is the log of the system; for auditors and the tenant''s admins';
