-- Checkpoints: heads of the root log, signed by a process outside the server. docs/checkpoint.md.

CREATE TABLE aegis.checkpoint (
  number    bigint      NOT NULL PRIMARY KEY,
  seal      bigint      NOT NULL,
  size      bigint      NOT NULL,
  root      bytea       NOT NULL,
  signed_at timestamptz NOT NULL,
  note      text        NOT NULL
);
COMMENT ON TABLE aegis.checkpoint IS 'signed heads of the root log: note is what was signed and the signature, the other columns repeat it for people';
-- Which checkpoint was the first to cover a seal.
CREATE INDEX checkpoint_seal ON aegis.checkpoint (seal, number);
SELECT pg_catalog.pg_extension_config_dump('aegis.checkpoint', '');

-- As the other tables of the ledger: the worker writes below SQL.
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.checkpoint
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.checkpoint ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

CREATE VIEW aegis.checkpoints AS
  SELECT number, seal, size, pg_catalog.encode(root, 'hex') AS root, signed_at, note FROM aegis.checkpoint;
COMMENT ON VIEW aegis.checkpoints IS 'every signed checkpoint, with the root in hexadecimal';

CREATE FUNCTION aegis.latest_checkpoint() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT note FROM aegis.checkpoint ORDER BY number DESC LIMIT 1;
END;
COMMENT ON FUNCTION aegis.latest_checkpoint() IS 'the newest signed checkpoint as a C2SP note; NULL while there is none';

CREATE FUNCTION aegis.wait_checkpoint(timeout interval DEFAULT '30 s') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_wait_checkpoint' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_checkpoint(interval) IS
  'waits until a signed checkpoint covers everything that had committed at the call; size of that checkpoint';
