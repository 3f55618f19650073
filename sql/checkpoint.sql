-- Checkpoints: what holds while nobody signs. With a signer: tests/process/signer.sh.
\set VERBOSITY terse

SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_checkpoint_member LOGIN;
GRANT aegis_member TO regress_checkpoint_member;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('checkpoint-one', 'One') AS one \gset

-- allows: looking for the newest checkpoint, in a tenant's context too
SELECT aegis.latest_checkpoint() IS NULL AS none;
SET ROLE aegis_auditor;
SELECT count(*) AS none FROM aegis.checkpoints;
RESET ROLE;
\c - regress_checkpoint_member
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 1, 1, 1);
SELECT aegis.latest_checkpoint() IS NULL AS none;
COMMIT;

-- refuses: the table itself to a tenant's session
BEGIN;
SELECT probe_context(:'one', gen_random_uuid(), 4, 1, 1);
SELECT count(*) FROM aegis.checkpoint;
ROLLBACK;
\c - :superuser

-- refuses: waiting for what will not come
SELECT aegis.wait_checkpoint('1 s');

-- refuses: rows by anybody but the worker, to the superuser and to the owner of the table as well
INSERT INTO aegis.checkpoint VALUES (1, 1, 1, '\x00', now(), 'forged');
SET ROLE aegis_owner;
INSERT INTO aegis.checkpoint VALUES (1, 1, 1, '\x00', now(), 'forged');
RESET ROLE;
UPDATE aegis.checkpoint SET note = 'forged';
DELETE FROM aegis.checkpoint;
TRUNCATE aegis.checkpoint;
ALTER TABLE aegis.checkpoint DISABLE TRIGGER ALL;

-- refuses: settings of the signer from SQL
SET aegis.signer = '/tmp/mine';
ALTER SYSTEM SET aegis.signer = '/tmp/mine';
ALTER SYSTEM SET aegis.ledger_origin = 'mine';
ALTER SYSTEM SET aegis.ledger_key = '';
ALTER SYSTEM SET aegis.checkpoint_interval = 0;

-- refuses: everybody else
CREATE ROLE regress_checkpoint;
SET ROLE regress_checkpoint;
SELECT count(*) FROM aegis.checkpoints;
SELECT aegis.latest_checkpoint();
SELECT aegis.wait_checkpoint();
RESET ROLE;
DROP ROLE regress_checkpoint;
DROP OWNED BY regress_checkpoint_member;
DROP ROLE regress_checkpoint_member;
DROP FUNCTION probe_context;
