-- The ledger: entries, and the epochs in which their transaction numbers mean something. docs/ledger.md.

CREATE SEQUENCE aegis.entry_seq AS bigint MINVALUE 1 CACHE 1 NO CYCLE;
COMMENT ON SEQUENCE aegis.entry_seq IS 'order in which entries were written; gaps mean nothing, leaf indexes have none';
SELECT pg_catalog.pg_extension_config_dump('aegis.entry_seq', '');

CREATE TABLE aegis.entry (
  seq       bigint  NOT NULL,
  xid       xid8    NOT NULL,
  epoch     integer NOT NULL,
  ordinal   integer NOT NULL,
  tenant_id uuid,
  leaf      bytea   NOT NULL,
  body      bytea   NOT NULL
) PARTITION BY RANGE (seq);
-- Bodies hold little that compresses; long ones move out of line as they are.
ALTER TABLE aegis.entry ALTER COLUMN leaf SET STORAGE EXTERNAL, ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE aegis.entry IS 'ledger entries: the canonical bytes that are hashed are the bytes that are stored';

-- The sealer makes the partitions to come; a write never fails because one is missing.
CREATE TABLE aegis.entry_p0 PARTITION OF aegis.entry FOR VALUES FROM (0) TO (4194304);
CREATE TABLE aegis.entry_p1 PARTITION OF aegis.entry FOR VALUES FROM (4194304) TO (8388608);
CREATE TABLE aegis.entry_default PARTITION OF aegis.entry DEFAULT;
-- The only index: what the sealer looks for. Each more would cost every audited write. Partitions have it as their own:
-- one that came with being attached would stand in the way of the dump's.
CREATE INDEX entry_p0_xid ON aegis.entry_p0 (epoch, xid);
CREATE INDEX entry_p1_xid ON aegis.entry_p1 (epoch, xid);
CREATE INDEX entry_default_xid ON aegis.entry_default (epoch, xid);
COMMENT ON TABLE aegis.entry_p0 IS 'the first entries of the ledger';
COMMENT ON TABLE aegis.entry_p1 IS 'the entries that follow';
COMMENT ON TABLE aegis.entry_default IS 'takes entries for which no partition was made in time';
SELECT pg_catalog.pg_extension_config_dump('aegis.entry_p0', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.entry_p1', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.entry_default', '');

CREATE TABLE aegis.ledger_epoch (
  epoch             integer     NOT NULL PRIMARY KEY CHECK (epoch > 0),
  system_identifier bigint      NOT NULL,
  began_at          timestamptz NOT NULL,
  reason            text        NOT NULL
);
COMMENT ON TABLE aegis.ledger_epoch IS 'clusters in which this ledger lived: transaction numbers mean nothing beyond one';
SELECT pg_catalog.pg_extension_config_dump('aegis.ledger_epoch', '');

CREATE FUNCTION aegis.refuse_ledger_change() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_refuse_ledger_change' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION aegis.refuse_ledger_change() IS 'trigger: the ledger is append-only';
