-- Erasing a tenant destroys its keys in the transaction that says so, deletes its rows, users and sessions by a job, and leaves
-- its log, the entry that proves it, and everybody else as they were.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_erase_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_erase_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_erase_auditor LOGIN IN ROLE aegis_auditor;
CREATE ROLE regress_erase_owner;
CREATE SCHEMA t_erase AUTHORIZATION regress_erase_owner;
GRANT USAGE ON SCHEMA aegis TO regress_erase_owner;
CREATE TABLE t_erase.house (tenant_id uuid NOT NULL, id int, street aegis.sealed_text, rent numeric, PRIMARY KEY (tenant_id, id));
CREATE TABLE t_erase.room (tenant_id uuid NOT NULL, id int, house int NOT NULL, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, house) REFERENCES t_erase.house);
ALTER TABLE t_erase.house OWNER TO regress_erase_owner;
ALTER TABLE t_erase.room OWNER TO regress_erase_owner;
SELECT aegis.encrypt_column('t_erase.house', 'street', 'erase.street', 'aegis.sealed_text', 'full');
SELECT aegis.set_reveal_policy('erase.street', 0::smallint, 'full');
SELECT aegis.protect_table('t_erase.house');
SELECT aegis.protect_table('t_erase.room', parent => 't_erase.house');
-- Children are erased as tables of their own, partitions with theirs; a deep one that refers to a house is protected, too.
CREATE TABLE t_erase.book (tenant_id uuid NOT NULL, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE t_erase.novel (PRIMARY KEY (tenant_id, id)) INHERITS (t_erase.book);
CREATE TABLE t_erase.visit (tenant_id uuid NOT NULL, id int, house int, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, house) REFERENCES t_erase.house) PARTITION BY HASH (id);
CREATE TABLE t_erase.visit_0 PARTITION OF t_erase.visit FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (id);
CREATE TABLE t_erase.visit_0_0 PARTITION OF t_erase.visit_0 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT aegis.protect_table('t_erase.book'), aegis.protect_table('t_erase.visit');
-- A rule of the application that keeps what must be kept, except from erasure.
CREATE FUNCTION t_erase.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'houses are kept'; END $$;
CREATE TRIGGER keep BEFORE DELETE ON t_erase.house FOR EACH ROW EXECUTE FUNCTION t_erase.keep();
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT aegis.create_tenant('erase-me', 'Erase Me') AS me \gset
SELECT aegis.create_tenant('erase-not', 'Not Me') AS other \gset
SELECT m.key_id AS mine, o.key_id AS others FROM aegis.create_service('erase-me', :'me', '{a}') m, aegis.create_service('erase-not', :'other', '{a}') o;
\set password 'plum quartz lantern 47 river'
CREATE PROCEDURE t_erase.fill(tenant uuid, houses int, rooms int, password text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.assume_tenant(tenant, 'set up', 'T-1', read_only => false);
  PERFORM aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, password);
  PERFORM aegis.create_team('South');
  SET LOCAL ROLE regress_erase_owner;
  INSERT INTO t_erase.house (id, street, rent) SELECT n, 'Lilac Lane ' || n, n FROM generate_series(1, houses) n;
  INSERT INTO t_erase.room (id, house) SELECT n, 1 + n % houses FROM generate_series(1, rooms) n;
END $$;
CALL t_erase.fill(:'me', 10, 5100, :'password');
CALL t_erase.fill(:'other', 3, 3, :'password');
INSERT INTO t_erase.novel (tenant_id, id, created_by, team_ord) VALUES (:'me', 1, :'me', 1), (:'other', 1, :'other', 1);
INSERT INTO t_erase.visit (tenant_id, id, house, created_by, team_ord) VALUES (:'me', 1, 1, :'me', 1), (:'other', 1, 1, :'other', 1);
SELECT outcome FROM aegis.sign_in('erase-me', 'ada@example.test', :'password', NULL, NULL, NULL);

-- refuses: a tenant that is not suspended; a job for it that nobody erases
\c - regress_erase_olga
SELECT aegis.request_tenant_action('erase', :'me', 'erase-me', 'contract ended') AS request \gset
\c - regress_erase_otto
SELECT aegis.approve_tenant_action(:request, 'erase-me');
SELECT aegis.erase_tenant(:request, 'erase-me');
SELECT aegis.create_job('erase_tenant', :'other') AS wrong_job \gset
SELECT aegis.wait_job(:wrong_job, '60 s');
SELECT state, error FROM aegis.jobs WHERE id = :wrong_job;
SELECT aegis.create_job('erase_tenant');
-- refuses: destroying keys by hand
SELECT aegis.shred_tenant(:'other', 'because');
SELECT aegis.suspend_tenant(:'me', 'contract ended');

-- refuses: while the ledger of the tenant is on legal hold
SELECT aegis.hold_ledger(:'me', 'dispute') AS hold \gset
SELECT aegis.erase_tenant(:request, 'erase-me');
SELECT aegis.release_ledger(:hold, 'settled');

-- refuses: while a table that is not protected refers to rows of the tenant
\c - :superuser
CREATE TABLE t_erase.stray (tenant_id uuid, house int, FOREIGN KEY (tenant_id, house) REFERENCES t_erase.house);
\c - regress_erase_olga
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT aegis.erase_tenant(:request, 'erase-me');
\set VERBOSITY terse
\c - :superuser
DROP TABLE t_erase.stray;

-- survives: an erasure that is rolled back erases nothing, and what was sealed opens
\c - regress_erase_olga
BEGIN;
SELECT aegis.erase_tenant(:request, 'erase-me') > 0 AS job;
SELECT status FROM aegis.tenants() WHERE slug = 'erase-me';
ROLLBACK;
SELECT status FROM aegis.tenants() WHERE slug = 'erase-me';
-- refuses: to prepare it, for the other processes would keep the keys
BEGIN;
SELECT aegis.erase_tenant(:request, 'erase-me') > 0 AS job;
PREPARE TRANSACTION 'erase';

-- allows: the erasure of a suspended tenant; its keys are gone at once, others' are not
\c - :superuser
SELECT h.street AS sealed FROM t_erase.house h WHERE h.tenant_id = :'me' AND h.id = 1 \gset
\c - regress_erase_olga
BEGIN;
SELECT aegis.assume_tenant(:'me', 'look once more', 'T-2');
SELECT aegis.reveal(:'sealed'::aegis.sealed_text) AS before;
COMMIT;
SELECT aegis.erase_tenant(:request, 'erase-me') AS job \gset
SELECT aegis.erase_tenant(:request, 'erase-me');
SELECT aegis.reactivate_tenant(:'me', 'changed my mind');
SELECT aegis.assume_tenant(:'me', 'look', 'T-3');
SELECT aegis.wait_job(:job, '120 s');
SELECT state, done, result, error FROM aegis.jobs WHERE id = :job;
SELECT slug, name, status FROM aegis.tenants() WHERE slug LIKE 'erase-%';
SELECT aegis.reactivate_tenant(:'me', 'changed my mind');
SELECT aegis.create_tenant('erase-me', 'Somebody else');

\c - :superuser
SELECT outcome FROM aegis.sign_in('erase-me', 'ada@example.test', :'password', NULL, NULL, NULL);
-- survives: nothing of it is left but its log; nothing of the other tenant is gone
SELECT tenant_id = :'other' AS other, tableoid::regclass FROM t_erase.book UNION ALL SELECT tenant_id = :'other', tableoid::regclass FROM t_erase.visit;
SELECT (SELECT count(*) FROM t_erase.house WHERE tenant_id = t.id) AS houses, (SELECT count(*) FROM t_erase.room WHERE tenant_id = t.id) AS rooms,
       (SELECT count(*) FROM aegis.user WHERE tenant_id = t.id) AS users,
       (SELECT count(*) FROM aegis.team WHERE tenant_id = t.id) AS teams, (SELECT count(*) FROM aegis.session WHERE tenant_id = t.id) AS sessions,
       (SELECT count(*) FROM aegis.service WHERE tenant_id = t.id) AS services, (SELECT count(*) FROM aegis.service_secret WHERE tenant_id = t.id) AS secrets,
       (SELECT count(*) FROM aegis.tenant_key WHERE tenant_id = t.id AND wrapped IS NOT NULL) AS roots,
       (SELECT count(*) FROM aegis.tenant_key WHERE tenant_id = t.id AND state = 'destroyed') AS destroyed
  FROM aegis.tenant t WHERE t.slug LIKE 'erase-%' ORDER BY t.slug;
-- survives: no entry holds an image of a row that was erased
SELECT count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'me' AND d.event = 'row.changed' AND d.image ->> 'operation' = 'D';
SELECT d.event, d.session_user = :'superuser' AS by_job, d.detail - 'request' AS detail FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'me' AND d.event IN ('tenant.erasure_begun', 'key.tenant_destroyed', 'tenant.erased') ORDER BY e.seq;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'look', 'T-4');
SET LOCAL ROLE regress_erase_owner;
SELECT id, street IS NOT NULL AS sealed FROM t_erase.house ORDER BY id;
ROLLBACK;
-- refuses: to open what was sealed, with the key in hand
\set VERBOSITY sqlstate
SELECT aegis.seal_text('x', (SELECT f.reference FROM aegis.field f WHERE f.name = 'erase.street'), :'me');
\set VERBOSITY terse

-- survives: the ledger verifies, and the certificate is there once its entry is sealed and signed
SELECT aegis.wait_sealed('60 s') IS NOT NULL AS sealed;
\c - regress_erase_auditor
SELECT count(*) FILTER (WHERE outcome = 'finding') AS findings FROM aegis.verify_ledger(:'me');
SELECT aegis.erasure_certificate(:'other');
SELECT aegis.erasure_certificate(:'me');
SELECT slug, state, backups_until > shredded_at AS later FROM aegis.shred_status() WHERE tenant_id = :'me';

-- allows: keys that a restore brought back are destroyed again, by what the ledger says
\c - :superuser
BEGIN;
UPDATE aegis.tenant_key k SET salt = o.salt, wrapped = o.wrapped, state = 'active' FROM aegis.tenant_key o
 WHERE k.tenant_id = :'me' AND o.tenant_id = :'other' AND o.kind = k.kind AND o.epoch = k.epoch;
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'me';
COMMIT;
\c - regress_erase_olga
SELECT aegis.reapply_shreds();
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'me';
SELECT aegis.wait_job((SELECT max(id) FROM aegis.jobs), '60 s');
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'me';
SELECT aegis.reapply_shreds();

\c - :superuser
SET client_min_messages = warning;
DROP SCHEMA t_erase CASCADE;
DROP OWNED BY regress_erase_owner;
DROP ROLE regress_erase_olga, regress_erase_otto, regress_erase_auditor, regress_erase_owner;
