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

-- What witnesses said of them. docs/witness.md.
CREATE TABLE aegis.cosignature (
  checkpoint  bigint      NOT NULL,
  witness     text        NOT NULL,
  vkey        text        NOT NULL,
  cosigned_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  line        text        NOT NULL,
  PRIMARY KEY (checkpoint, vkey)
);
COMMENT ON TABLE aegis.cosignature IS
  'cosignatures of checkpoints: line is what the witness signed with vkey, at the time that it says';
-- What a witness cosigned last.
CREATE INDEX cosignature_vkey ON aegis.cosignature (vkey, checkpoint);
SELECT pg_catalog.pg_extension_config_dump('aegis.cosignature', '');
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.cosignature
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.cosignature
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.cosignature ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

CREATE FUNCTION aegis.cosigned_note(number bigint) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT k.note || coalesce((SELECT pg_catalog.string_agg(c.line, '' ORDER BY c.vkey COLLATE "C") FROM aegis.cosignature c
                              WHERE c.checkpoint = k.number), '')
    FROM aegis.checkpoint k WHERE k.number = cosigned_note.number;
END;
COMMENT ON FUNCTION aegis.cosigned_note(bigint) IS 'a signed checkpoint as a C2SP note, with every cosignature that there is of it';

CREATE VIEW aegis.checkpoints AS
  SELECT k.number, k.seal, k.size, pg_catalog.encode(k.root, 'hex') AS root, k.signed_at, aegis.cosigned_note(k.number) AS note,
         ARRAY(SELECT c.witness FROM aegis.cosignature c WHERE c.checkpoint = k.number ORDER BY c.vkey COLLATE "C") AS witnesses
    FROM aegis.checkpoint k;
COMMENT ON VIEW aegis.checkpoints IS 'every signed checkpoint, with the root in hexadecimal and who cosigned it';

CREATE FUNCTION aegis.latest_checkpoint() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT aegis.cosigned_note(pg_catalog.max(number)) FROM aegis.checkpoint;
END;
COMMENT ON FUNCTION aegis.latest_checkpoint() IS
  'the newest signed checkpoint as a C2SP note, with its cosignatures so far; NULL while there is none';

CREATE FUNCTION aegis.wait_checkpoint(timeout interval DEFAULT '30 s') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_wait_checkpoint' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_checkpoint(interval) IS
  'waits until a signed checkpoint covers everything that had committed at the call; size of that checkpoint';
