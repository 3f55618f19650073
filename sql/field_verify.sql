-- What is sealed opens, is counted by table, tenant and key, and what does not open is named by its row, without its content.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT aegis.create_tenant('regress-verify', 'One') AS one \gset
SELECT aegis.create_tenant('regress-verify-other', 'Other') AS other \gset
CREATE ROLE regress_verify LOGIN IN ROLE aegis_auditor INHERIT;
CREATE ROLE regress_verify_member LOGIN IN ROLE aegis_member INHERIT;
CREATE TABLE verify_t (tenant_id uuid NOT NULL, id int, code text, email text, note text, PRIMARY KEY (tenant_id, id, code));
SELECT aegis.encrypt_column('verify_t', 'email', 'verify_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('verify_t', 'note', 'verify_test.note');
CREATE TABLE verify_p (tenant_id uuid NOT NULL, id int, note text) PARTITION BY RANGE (id);
CREATE TABLE verify_p1 PARTITION OF verify_p FOR VALUES FROM (0) TO (50);
CREATE TABLE verify_p2 PARTITION OF verify_p FOR VALUES FROM (50) TO (100);
SELECT aegis.encrypt_column('verify_p', 'note', 'verify_test.part');
INSERT INTO verify_t SELECT t, i, 'secret code', 'u' || i || '@example.com', CASE WHEN i > 3 THEN 'note' END
  FROM generate_series(1, 10) i, (VALUES (:'one'::uuid), (:'other')) v(t);
INSERT INTO verify_p SELECT :'one', i, 'part' FROM generate_series(40, 60) i;
SELECT epoch FROM aegis.rotate_tenant_key(:'one', 'test');
SELECT aegis.pause_job(id) FROM aegis.jobs WHERE tenant_id = :'one' AND state IN ('queued', 'running');
INSERT INTO verify_t VALUES (:'one', 11, 'secret code', 'u11@example.com', 'new');

-- allows: an auditor counts what opens, per column, tenant and epoch; partitions too; a table without such columns
SET SESSION AUTHORIZATION regress_verify;
SELECT relation, column_name, tenant_id = :'one' AS one, epoch > 1 AS new, outcome, items, detail FROM aegis.verify_fields('verify_t') ORDER BY 1, 2, 3 DESC, 4;
SELECT relation, column_name, outcome, items FROM aegis.verify_fields('verify_p') WHERE items > 0 ORDER BY 1;
SELECT count(*) FROM aegis.verify_fields('aegis.tenant');
SELECT count(*) FROM aegis.verify_fields(0);
SELECT kind, epoch, state, outcome, samples > 0 AS sampled, detail FROM aegis.verify_keys() WHERE tenant_id = :'one' ORDER BY kind DESC, epoch;
SELECT count(*) FILTER (WHERE outcome <> 'ok') AS findings FROM aegis.verify_keys() WHERE tenant_id IN (:'one', :'other');
RESET SESSION AUTHORIZATION;

-- refuses: everybody else
SET SESSION AUTHORIZATION regress_verify_member;
SELECT count(*) FROM aegis.verify_fields('verify_t');
SELECT count(*) FROM aegis.verify_keys();
RESET SESSION AUTHORIZATION;
SET ROLE regress_verify;
SELECT count(*) FROM aegis.verify_samples();
SELECT aegis.root_fault(:'one', 'root', 1);
RESET ROLE;

-- survives: a changed value, one of another tenant, a token of another value, one that was never sealed: each named, none shown
SET session_replication_role = replica;
UPDATE verify_t SET note = overlay(aegis.armor(note) placing CASE WHEN substr(aegis.armor(note), 80, 1) = 'B' THEN 'C' ELSE 'B' END from 80 for 1)::aegis.sealed_text
 WHERE tenant_id = :'one' AND id = 5;
CREATE FUNCTION regress_swap(a text, b text) RETURNS text LANGUAGE sql AS $$
  SELECT 'A1.' || translate(rtrim(encode(overlay(x placing substr(y, 21, 16) from 21 for 16), 'base64'), '='), E'+/\n', '-_')
    FROM (SELECT decode(rpad(translate(substr(a, 4), '-_', '+/'), (length(a) - 3 + 3) / 4 * 4, '='), 'base64') AS x,
                 decode(rpad(translate(substr(b, 4), '-_', '+/'), (length(b) - 3 + 3) / 4 * 4, '='), 'base64') AS y) d $$;
UPDATE verify_t t SET email = regress_swap(aegis.armor(t.email), aegis.armor(o.email))::aegis.sealed_email
  FROM verify_t o WHERE t.tenant_id = :'one' AND t.id = 6 AND o.tenant_id = :'one' AND o.id = 7;
ALTER TABLE verify_t DROP CONSTRAINT note_sealed;
UPDATE verify_t t SET note = o.note FROM verify_t o WHERE t.tenant_id = :'one' AND t.id = 8 AND o.tenant_id = :'other' AND o.id = 8;
RESET session_replication_role;
SELECT column_name, tenant_id = :'one' AS one, epoch, outcome, items, detail FROM aegis.verify_fields('verify_t') WHERE outcome = 'finding' ORDER BY detail;
SELECT column_name, tenant_id = :'one' AS one, epoch, items FROM aegis.verify_fields('verify_t') WHERE outcome = 'ok' ORDER BY 1, 2, 3;

-- survives: a key that was destroyed, one that was moved, and values of an epoch that is not there; in a new session, which
-- has nothing in its cache
\c -
BEGIN;
UPDATE aegis.tenant_key SET state = 'destroyed', wrapped = NULL, salt = NULL WHERE tenant_id = :'other' AND kind = 'root';
UPDATE aegis.tenant_key k SET wrapped = o.wrapped FROM aegis.tenant_key o
 WHERE k.tenant_id = :'one' AND k.kind = 'root' AND k.epoch = 2 AND o.tenant_id = :'one' AND o.kind = 'index';
DELETE FROM aegis.tenant_key WHERE tenant_id = :'one' AND kind = 'root' AND epoch = 1;
SELECT tenant_id = :'one' AS one, kind, epoch, state, outcome, samples, detail FROM aegis.verify_keys() WHERE tenant_id IN (:'one', :'other') ORDER BY 1 DESC, 2 DESC, 3;
SELECT column_name, tenant_id = :'one' AS one, epoch, outcome, items, detail FROM aegis.verify_fields('verify_t') WHERE column_name = 'email' ORDER BY 1, 2 DESC, 3;
ROLLBACK;

DROP TABLE verify_t, verify_p;
DROP FUNCTION regress_swap(text, text);
DELETE FROM aegis.field WHERE name LIKE 'verify_test.%';
DROP ROLE regress_verify, regress_verify_member;
