-- A field may name a column that says whose data a value is: the value is sealed under a key of that person, opens for that
-- person's row only, and is gone for everybody once the key is destroyed.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('subject-one', 'One') AS one \gset
SELECT aegis.create_tenant('subject-two', 'Two') AS two \gset
SELECT current_user AS superuser \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
CREATE ROLE regress_subject LOGIN IN ROLE aegis_member;
CREATE ROLE regress_subject_operator LOGIN IN ROLE aegis_operator;
CREATE SCHEMA subject;
GRANT USAGE ON SCHEMA subject, aegis TO regress_subject, regress_subject_operator;
CREATE TABLE subject.contact (tenant_id uuid, id int, person uuid, email text, notes text, kind text DEFAULT 'x',
                              PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
SELECT aegis.protect_table('subject.contact');
CREATE TABLE subject.note (tenant_id uuid, id int, person bigint, body text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('subject.note');
INSERT INTO subject.contact (tenant_id, id, person, email) VALUES (:'one', 1, :ann, 'ann@one.com');
INSERT INTO subject.note (tenant_id, id, body) VALUES (:'one', 1, 'nobody''s');

-- refuses: a column that is not there, names nobody, or is the field itself; a row that names nobody
SELECT aegis.encrypt_column('subject.contact', 'email', 'subject_test.email', 'aegis.sealed_email', subject => 'nobody');
SELECT aegis.encrypt_column('subject.contact', 'email', 'subject_test.email', 'aegis.sealed_email', subject => 'email');
ALTER TABLE subject.note ADD seen timestamptz;
SELECT aegis.encrypt_column('subject.note', 'body', 'subject_test.body', subject => 'seen');
SELECT aegis.encrypt_column('subject.note', 'body', 'subject_test.body', subject => 'person');
UPDATE subject.note SET person = 7;

-- allows: rows that are there are sealed for their people; the constraint and the registry say so
SELECT aegis.encrypt_column('subject.contact', 'email', 'subject_test.email', 'aegis.sealed_email', 'email', subject => 'person');
SELECT aegis.encrypt_column('subject.contact', 'notes', 'subject_test.notes', subject => 'person');
SELECT aegis.encrypt_column('subject.note', 'body', 'subject_test.body', subject => 'person');
SET client_min_messages = notice;
SELECT aegis.encrypt_column('subject.note', 'body', 'subject_test.body', subject => 'person');
SET client_min_messages = warning;
SELECT aegis.encrypt_column('subject.note', 'body', 'subject_test.body');
SELECT regexp_replace(pg_get_constraintdef(oid), '\d{5,}', 'N') FROM pg_constraint WHERE conrelid = 'subject.contact'::regclass AND contype = 'c' ORDER BY 1;
SELECT name, subject_column, row_key FROM aegis.field WHERE name ~ '^subject_test' ORDER BY 1;
SELECT count(*) AS keys, count(DISTINCT name) AS people, bool_and(octet_length(wrapped) = 72) AS wrapped FROM aegis.subject_key WHERE tenant_id = :'one';
SELECT get_byte(aegis.sealed_email_send(email), 3) AS flags FROM subject.contact;
GRANT SELECT, INSERT, UPDATE, DELETE ON subject.contact, subject.note TO regress_subject, regress_subject_operator;

-- refuses: what is not sealed at all
SELECT aegis.is_sealed_for(1, 1, :'one'::uuid, 1);
SELECT aegis.is_sealed_for(1, 1, :'one'::uuid, ROW(1));
SELECT aegis.is_sealed_for(1, 1, :'one'::uuid, 1, ROW(1));
SELECT aegis.is_sealed_for(1, 1, :'one'::uuid, 'x'::aegis.sealed_text);
SELECT aegis.subject_name(:'one', 1.5);

-- allows: writing for people, new and known; one key for each; searching as ever; reading with the row
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
INSERT INTO subject.contact (id, person, email, notes) VALUES (2, :bob, 'Bob@one.com', 'of bob'), (3, :bob, NULL, NULL), (4, NULL, NULL, NULL);
INSERT INTO subject.note (id, person, body) VALUES (2, 7, 'seven'), (3, -7, 'minus seven');
UPDATE subject.contact SET notes = 'of ann' WHERE id = 1;
SELECT id, aegis.reveal(c.email, c) AS email, aegis.masked(c.email, c), aegis.legible(c.notes, c), aegis.reveal(c.notes, c) FROM subject.contact c ORDER BY id;
SELECT id FROM subject.contact WHERE email = 'bob@one.com';
SELECT n.id, aegis.reveal(n.body, n) FROM subject.note n ORDER BY 1;
COMMIT;
\c - :superuser
SELECT count(*) FROM aegis.subject_key WHERE tenant_id = :'one';

-- refuses: reading without the row, with a row that is none, with another table's, another person's
\c - regress_subject
\set VERBOSITY default
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SAVEPOINT s;
SELECT aegis.reveal(email) FROM subject.contact WHERE id = 2;
ROLLBACK TO s;
SELECT aegis.masked(email) FROM subject.contact WHERE id = 2;
ROLLBACK TO s;
\set VERBOSITY terse
SELECT aegis.reveal(c.email, ROW(c.tenant_id, c.id)) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;
SELECT aegis.reveal(c.email, v) FROM subject.contact c, (VALUES (1)) v WHERE id = 2;
ROLLBACK TO s;
SELECT aegis.reveal(c.email, n) FROM subject.contact c, subject.note n WHERE c.id = 2;
ROLLBACK TO s;
SELECT aegis.reveal(c.email, o) FROM subject.contact c, subject.contact o WHERE c.id = 2 AND o.id = 1;
ROLLBACK TO s;
SELECT aegis.reveal(c.kind, c) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;
-- the check of a constraint too, whose caller may be anybody
SELECT aegis.is_sealed_for(1, 2, c.tenant_id, c.email) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;

-- refuses: a value without its person; another person's value; a value of the field that is bound to nobody
INSERT INTO subject.contact (id, email) VALUES (5, 'x@one.com');
ROLLBACK TO s;
UPDATE subject.contact SET person = NULL WHERE id = 2;
ROLLBACK TO s;
INSERT INTO subject.contact (id, person, notes) SELECT 5, :ann, notes FROM subject.contact WHERE id = 2;
ROLLBACK TO s;
INSERT INTO subject.contact (id, person, notes) SELECT 5, '00000000-0000-4000-8000-00000000000c', notes FROM subject.contact WHERE id = 2;
ROLLBACK TO s;
UPDATE subject.contact SET notes = (SELECT notes FROM subject.contact WHERE id = 2) WHERE id = 1;
ROLLBACK TO s;

-- allows: a copy into another row of the same person, and a row that is given to another person
INSERT INTO subject.contact (id, person, notes) SELECT 5, person, notes FROM subject.contact WHERE id = 2;
UPDATE subject.contact SET person = :ann WHERE id = 2;
SELECT c.id, aegis.reveal(c.email, c) AS email, aegis.reveal(c.notes, c) AS notes FROM subject.contact c WHERE id IN (2, 5) ORDER BY 1;
SELECT id FROM subject.contact WHERE email = 'bob@one.com';
COMMIT;
\c - :superuser
SELECT aegis.set_reveal_policy('subject_test.notes', 4::smallint, 'masked');
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
-- refuses: giving it to another person by who may not read it; allows it with a new value
SAVEPOINT s;
UPDATE subject.contact SET person = :bob WHERE id = 2;
ROLLBACK TO s;
UPDATE subject.contact SET person = :bob, email = 'bob@one.com', notes = 'of bob again' WHERE id = 2;
SELECT aegis.reveal(c.email, c), aegis.masked(c.notes, c) FROM subject.contact c WHERE id = 2;
COMMIT;
\c - :superuser
SELECT aegis.set_reveal_policy('subject_test.notes', 4::smallint, 'full');

-- survives: a key that was made in what was rolled back
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SAVEPOINT s;
INSERT INTO subject.contact (id, person, notes) VALUES (6, '00000000-0000-4000-8000-00000000000d', 'first');
ROLLBACK TO s;
INSERT INTO subject.contact (id, person, notes) VALUES (6, '00000000-0000-4000-8000-00000000000d', 'second');
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 6;
COMMIT;
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 6;
COMMIT;

-- refuses: another tenant, whose person of the same number is another
BEGIN;
SELECT public.probe_context(:'two', :ann, 4, 1, 1);
INSERT INTO subject.contact (id, person, notes) VALUES (1, :ann, 'of the other ann');
SELECT aegis.reveal(c.notes, c) FROM subject.contact c;
COMMIT;
\c - :superuser
SELECT count(DISTINCT name) FROM aegis.subject_key WHERE tenant_id IN (:'one', :'two');
\set VERBOSITY sqlstate
UPDATE subject.contact SET tenant_id = :'one', id = 9 WHERE tenant_id = :'two';
-- refuses: what the constraint insists on, where no trigger fires
SET session_replication_role = replica;
UPDATE subject.contact SET notes = (SELECT notes FROM subject.contact WHERE id = 2) WHERE tenant_id = :'two';
UPDATE subject.contact SET person = NULL WHERE id = 2;
RESET session_replication_role;
\set VERBOSITY terse

-- refuses: destroying without being an operator, a reason, a person; one whom nobody knows, and of another kind
CREATE ROLE regress_subject_auditor LOGIN IN ROLE aegis_auditor;
GRANT USAGE ON SCHEMA aegis TO regress_subject_auditor;
\c - regress_subject
SELECT aegis.shred_subject(:'one', :bob::uuid, 'art. 17');
\c - regress_subject_operator
SELECT aegis.shred_subject(:'one', :bob::uuid, '');
SELECT aegis.shred_subject(:'one', NULL::uuid, 'art. 17');
SELECT aegis.shred_subject(:'one', now(), 'art. 17');
SELECT aegis.shred_subject(:'one', '', 'art. 17');
SELECT aegis.shred_subject(:'one', :ann::text, 'art. 17');
SELECT aegis.shred_subject(:'two', :bob::uuid, 'art. 17');
SELECT aegis.admit_subject(:'one', :bob::uuid, 'back again');

-- allows: one person is gone at once, in every session; others are not
\c - :superuser
UPDATE subject.contact SET notes = 'ann''s own'::text WHERE id = 1;
\c - regress_subject_operator
SELECT aegis.shred_subject(:'one', :bob::uuid, 'art. 17') AS job \gset
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SAVEPOINT s;
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;
SELECT aegis.masked(c.email, c) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;
INSERT INTO subject.contact (id, person, notes) VALUES (7, :bob, 'once more');
ROLLBACK TO s;
UPDATE subject.contact SET person = :ann WHERE id = 2;
ROLLBACK TO s;
UPDATE subject.contact SET kind = 'y' WHERE id = 2;
UPDATE subject.contact SET notes = (SELECT notes FROM subject.contact WHERE id = 2) WHERE id = 5;
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 1;
COMMIT;

-- the job takes the tokens out: nothing finds the person, the rows are there, and unique as before
\c - regress_subject_operator
SELECT aegis.wait_job(:job, '1 minute');
SELECT state, result->'rows' AS rows, result->'subjects' AS subjects FROM aegis.jobs WHERE id = :job;
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SELECT count(*) FROM subject.contact WHERE email = 'bob@one.com';
SELECT id, get_byte(aegis.sealed_email_send(email), 3) AS flags, aegis.key_epoch(email) FROM subject.contact WHERE id = 2;
SELECT count(*) FROM subject.contact c JOIN subject.contact o USING (email) WHERE c.id = 2;
SELECT email IS NOT NULL AS there FROM subject.contact GROUP BY email ORDER BY 1;
INSERT INTO subject.contact (id, person, email) VALUES (8, :ann, 'bob@one.com');
DELETE FROM subject.contact WHERE id = 8;
-- a row that moves brings its dead value along
INSERT INTO subject.contact (id, person, notes) SELECT 9, person, notes FROM subject.contact WHERE id = 2;
COMMIT;
\c - :superuser
DELETE FROM subject.contact WHERE id = 9;
SELECT column_name, outcome, items, detail FROM aegis.verify_fields('subject.contact') WHERE tenant_id = :'one' ORDER BY 1, 4;
SELECT kind, state, outcome, samples, detail FROM aegis.verify_keys() WHERE tenant_id = :'one' ORDER BY 1, 4;

-- what is left says so: status, ledger, certificate
\c - regress_subject_auditor
SELECT state, slug, subject = aegis.subject_name(:'one', :bob::uuid) AS bob, backups_until > shredded_at AS clean FROM aegis.shred_status() WHERE tenant_id = :'one';
SELECT aegis.wait_sealed() > 0 AS sealed;
SELECT event, target_kind, target_id = aegis.subject_name(:'one', :bob::uuid) AS bob, detail->>'reason' AS reason, detail->>'generation' AS generation
  FROM aegis.audit_log WHERE tenant_id = :'one' AND event IN ('key.subject_destroyed', 'subject.erased') ORDER BY seq;
SELECT aegis.erasure_certificate(:'one', :ann::uuid);
SELECT count(*) FROM aegis.verify_ledger(:'one') WHERE outcome = 'finding';

-- refuses: twice; a new key while a restored one is back; then destroys it again
\c - regress_subject_operator
SELECT aegis.shred_subject(:'one', :bob::uuid, 'art. 17');
\c - :superuser
CREATE TABLE kept AS SELECT wrapped FROM aegis.subject_key WHERE tenant_id = :'one' AND wrapped IS NOT NULL LIMIT 1;
UPDATE aegis.subject_key SET wrapped = (SELECT wrapped FROM kept) WHERE tenant_id = :'one' AND wrapped IS NULL;
\c - regress_subject_operator
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'one';
SELECT aegis.reapply_shreds();
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'one';
SELECT aegis.wait_job(max(id), '1 minute') FROM aegis.jobs WHERE kind = 'erase_subjects';
SELECT state FROM aegis.shred_status() WHERE tenant_id = :'one';
\c - :superuser
DELETE FROM aegis.subject_key WHERE tenant_id = :'one' AND wrapped IS NULL;
SELECT aegis.reapply_shreds(), aegis.reapply_shreds();
SELECT aegis.wait_job(max(id), '1 minute') FROM aegis.jobs WHERE kind = 'erase_subjects';

-- allows: data of the person again, once an operator says so; what was sealed before stays closed
\c - regress_subject_operator
SELECT aegis.admit_subject(:'one', :bob::uuid, 'signed a new contract');
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
INSERT INTO subject.contact (id, person, notes) VALUES (7, :bob, 'once more');
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 7;
SAVEPOINT s;
SELECT aegis.reveal(c.notes, c) FROM subject.contact c WHERE id = 2;
ROLLBACK TO s;
UPDATE subject.contact SET email = 'bob@one.com', notes = NULL WHERE id = 2;
UPDATE subject.contact SET notes = NULL WHERE id = 5;
SELECT id FROM subject.contact WHERE email = 'bob@one.com';
COMMIT;

\c - regress_subject_auditor
SELECT event, target_kind, target_id = aegis.subject_name(:'one', :bob::uuid) AS bob, outcome, detail FROM aegis.audit_log WHERE tenant_id = :'one' AND event = 'key.subject_admitted';

-- survives: a new epoch of the tenant's key, which wraps the keys of people too, and a new search key
\c - regress_subject_operator
SELECT job FROM aegis.rotate_tenant_key(:'one', 'yearly') \gset
SELECT aegis.wait_job(:job, '1 minute');
SELECT aegis.shred_subject(:'one', 7::bigint, 'art. 17') AS job \gset
SELECT aegis.wait_job(:job, '1 minute');
SELECT job FROM aegis.rotate_tenant_key(:'one', 'again') \gset
SELECT aegis.wait_job(:job, '1 minute');
SELECT state, result - 'rows' AS result FROM aegis.jobs WHERE id = :job;
SELECT epoch, state FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY 1;
SELECT aegis.rotate_index_key(:'one', 'leaked') AS job \gset
SELECT aegis.wait_job(:job, '1 minute');
SELECT state, result->'failed' AS failed FROM aegis.jobs WHERE id = :job;
SELECT epoch, outcome, samples, detail FROM aegis.verify_keys() WHERE tenant_id = :'one' AND kind = 'subject' ORDER BY 1;
SELECT column_name, outcome, epoch, items, detail FROM aegis.verify_fields('subject.contact') WHERE tenant_id = :'one' ORDER BY 1, 3, 5;
SELECT column_name, outcome, epoch, items, detail FROM aegis.verify_fields('subject.note') WHERE tenant_id = :'one' ORDER BY 1, 3, 5;
\c - regress_subject
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SELECT c.id, aegis.reveal(c.email, c) AS email, aegis.reveal(c.notes, c) AS notes FROM subject.contact c WHERE email = 'bob@one.com';
COMMIT;

-- finds: a subject's column that is dropped takes the constraint with it; a key of another type
\c - :superuser
SELECT finding, object FROM aegis.coverage() WHERE object ~ 'subject\.note' AND finding ~ '^sealed';
ALTER TABLE subject.note DROP person;
SELECT finding, object FROM aegis.coverage() WHERE object ~ 'subject\.note' AND finding ~ '^sealed';

SET client_min_messages = warning;
DROP SCHEMA subject CASCADE;
DELETE FROM aegis.field WHERE name LIKE 'subject_test.%';
DROP TABLE kept;
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint);
DROP OWNED BY regress_subject, regress_subject_operator, regress_subject_auditor;
DROP ROLE regress_subject, regress_subject_operator, regress_subject_auditor;
