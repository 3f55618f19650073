-- A tenant's values may carry a commitment to their key: everything that holds for the others holds for them, an epoch
-- has one suite, and neither a value nor a row of the keys can be turned into one of the other.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
-- the suite, and how many bytes a value has besides its plaintext
CREATE FUNCTION suite(armor text) RETURNS int LANGUAGE sql AS
  $$ SELECT get_byte(decode(rpad(translate(substr($1, 4), '-_', '+/'), (length($1) - 3 + 3) / 4 * 4, '='), 'base64'), 1) $$;
CREATE FUNCTION size(armor text) RETURNS int LANGUAGE sql AS $$ SELECT (length($1) - 3) * 3 / 4 $$;
CREATE FUNCTION probe_as(tenant uuid) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context($1, '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100)::text $$;
SELECT aegis.create_tenant('regress-suite', 'One') AS one \gset
SELECT aegis.create_tenant('regress-suite-other', 'Other') AS other \gset
CREATE ROLE regress_suite LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_suite_user LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_suite_user;
GRANT EXECUTE ON FUNCTION aegis.reveal(aegis.sealed_text), aegis.reveal(aegis.sealed_email), aegis.masked(aegis.sealed_email) TO regress_suite_user;
CREATE TABLE suite_t (tenant_id uuid NOT NULL, id int, email text, note text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('suite_t');
SELECT aegis.encrypt_column('suite_t', 'email', 'suite_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('suite_t', 'note', 'suite_test.note');
CREATE UNIQUE INDEX ON suite_t (tenant_id, email);
GRANT SELECT, INSERT, UPDATE ON suite_t TO regress_suite_user;
SELECT aegis.set_reveal_policy('suite_test.email', 4::smallint, 'full'), aegis.set_reveal_policy('suite_test.note', 4::smallint, 'full');
INSERT INTO suite_t SELECT t, i, 'user' || i || '@example.com', 'note ' || i FROM generate_series(1, 9) i, (VALUES (:'one'::uuid), (:'other')) v(t);
SELECT suite(email::text), size(email::text) - length('user1@example.com') AS more, count(*) FROM suite_t GROUP BY 1, 2;
SELECT email::text AS plain_armor FROM suite_t WHERE tenant_id = :'one' AND id = 1 \gset

-- allows: an operator asks for commitments with the next epoch; old rows are sealed anew, tokens stay
SET SESSION AUTHORIZATION regress_suite;
SELECT epoch, job FROM aegis.rotate_tenant_key(:'one', 'their auditors ask for it', committing => true) \gset
RESET SESSION AUTHORIZATION;
SELECT aegis.wait_job(:job, '60 seconds');
SELECT tenant_id = :'one' AS one, suite(email::text), size(email::text) - length('user1@example.com') AS more, suite(note::text) AS note, count(*)
  FROM suite_t GROUP BY 1, 2, 3, 4 ORDER BY 1;
SELECT epoch, state, suite, brought FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
SELECT committing_keys > 0 AS shown FROM aegis.key_status() WHERE state = 'active';
-- allows: everything else as ever: search, reveal, mask, unique constraints, writing, keeping equal values
SET SESSION AUTHORIZATION regress_suite_user;
BEGIN;
SELECT probe_as(:'one');
INSERT INTO suite_t (id, email, note) VALUES (10, 'User10@example.com', '');
INSERT INTO suite_t (id, email) VALUES (11, 'user3@example.com') ON CONFLICT (tenant_id, email) DO NOTHING;
SELECT count(*) AS found FROM generate_series(1, 10) i JOIN suite_t t ON t.email = ('user' || i || '@example.com')::aegis.sealed_email AND t.id = i;
SELECT id, aegis.reveal(email), aegis.masked(email), aegis.reveal(note) FROM suite_t WHERE id IN (1, 10) ORDER BY id;
CREATE TEMP TABLE kept AS SELECT id, email::text AS armor FROM suite_t;
UPDATE suite_t SET email = 'user' || id || '@example.com' WHERE id < 5;
SELECT count(*) AS rewritten FROM suite_t JOIN kept USING (id) WHERE id < 5 AND email::text <> armor;
UPDATE suite_t SET email = 'someone@example.com' WHERE id = 9;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT suite(email::text), count(*) FROM suite_t WHERE tenant_id = :'one' GROUP BY 1;
SELECT column_name, outcome, items, detail FROM aegis.verify_fields('suite_t') WHERE tenant_id = :'one' ORDER BY 1;
SELECT kind, epoch, outcome, samples, suite, brought FROM aegis.verify_keys() WHERE tenant_id = :'one' ORDER BY kind DESC, epoch;
-- allows: images in the ledger, without tokens, of the same suite; they are read
SELECT count(*) > 0 AS images, count(*) FILTER (WHERE image IS NULL) AS unreadable FROM aegis.audit_log
 WHERE tenant_id = :'one' AND event = 'row.changed';
-- allows: a value of before that comes back is sealed anew; an envelope of now from outside is stored as it is
SELECT aegis.key_epoch(email) AS epoch, suite(email::text) FROM suite_t WHERE tenant_id = :'one' AND id = 1;
UPDATE suite_t SET email = :'plain_armor' WHERE tenant_id = :'one' AND id = 1 RETURNING aegis.key_epoch(email) AS epoch, suite(email::text);

-- refuses: an envelope with its suite written over, with or without its commitment; another key's commitment
SELECT email::text AS armor FROM suite_t WHERE tenant_id = :'one' AND id = 2 \gset
CREATE FUNCTION bytes(armor text) RETURNS bytea LANGUAGE sql AS
  $$ SELECT decode(rpad(translate(substr($1, 4), '-_', '+/'), (length($1) - 3 + 3) / 4 * 4, '='), 'base64') $$;
CREATE FUNCTION armor(bytes bytea) RETURNS text LANGUAGE sql AS
  $$ SELECT 'A1.' || translate(encode($1, 'base64'), E'+/=\n', '-_') $$;
SELECT bytes(:'armor') AS sealed \gset
UPDATE suite_t SET email = armor(set_byte(:'sealed'::bytea, 1, 1)) WHERE tenant_id = :'one' AND id = 3;
UPDATE suite_t SET email = armor(set_byte(substr(:'sealed'::bytea, 1, 60) || substr(:'sealed'::bytea, 93), 1, 1)) WHERE tenant_id = :'one' AND id = 3;
UPDATE suite_t SET email = armor(set_byte(:'sealed'::bytea, 60, get_byte(:'sealed'::bytea, 60) # 1)) WHERE tenant_id = :'one' AND id = 3;
UPDATE suite_t SET email = armor(set_byte(:'sealed'::bytea, 1, 3)) WHERE tenant_id = :'one' AND id = 3;
UPDATE suite_t SET email = :'armor' WHERE tenant_id = :'other' AND id = 3;
-- refuses: a row of the keys whose suite was changed
BEGIN;
UPDATE aegis.tenant_key SET suite = 1 WHERE tenant_id = :'one' AND kind = 'root' AND epoch = 2;
SELECT epoch, outcome, detail FROM aegis.verify_keys() WHERE tenant_id = :'one' AND kind = 'root' AND epoch = 2;
ROLLBACK;
UPDATE aegis.tenant_key SET suite = 2 WHERE tenant_id = :'one' AND kind = 'index';

-- survives: the suite never falls; an index key has none
SET SESSION AUTHORIZATION regress_suite;
SELECT epoch, job FROM aegis.rotate_tenant_key(:'one', 'next year', committing => false) \gset
RESET SESSION AUTHORIZATION;
SELECT aegis.wait_job(:job, '60 seconds');
SELECT DISTINCT suite(email::text), aegis.key_epoch(email) FROM suite_t WHERE tenant_id = :'one';
SELECT kind, epoch, suite FROM aegis.tenant_key WHERE tenant_id IN (:'one', :'other') ORDER BY tenant_id = :'other', kind DESC, epoch;

SET client_min_messages = warning;
DROP TABLE suite_t;
DELETE FROM aegis.field WHERE name LIKE 'suite_test.%';
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint), probe_as(uuid), regress_wait_worker(), suite(text), size(text), bytes(text), armor(bytea);
DROP OWNED BY regress_suite_user;
DROP ROLE regress_suite, regress_suite_user;
