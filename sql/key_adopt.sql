-- A tenant brings its own key, sealed for this database; two operators take it; its values commit to it from then on.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION probe_seal_key(tenant uuid, recipient bytea, root bytea) RETURNS text
  AS '$libdir/aegis', 'aegis_probe_seal_key' LANGUAGE C STRICT;
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
CREATE ROLE regress_adopt_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_adopt_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_adopt_member LOGIN IN ROLE aegis_member;
GRANT EXECUTE ON FUNCTION probe_seal_key(uuid, bytea, bytea) TO regress_adopt_olga;
SELECT aegis.create_tenant('regress-adopt', 'Adopt') AS one, aegis.create_tenant('regress-adopt-other', 'Other') AS other \gset
CREATE TABLE adopt_t (tenant_id uuid NOT NULL, id int, email text, PRIMARY KEY (tenant_id, id));
SELECT aegis.encrypt_column('adopt_t', 'email', 'adopt_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.protect_table('adopt_t');
INSERT INTO adopt_t SELECT t, i, 'user' || i || '@example.com' FROM generate_series(1, 5) i, (VALUES (:'one'::uuid), (:'other')) v(t);
\set root 'd7e5b3a1908f7e6d5c4b3a29180706f5e4d3c2b1a09f8e7d6c5b4a39281706f4'
\set root_bytes '\\x' :root

-- refuses: what is no sealed key; whoever is no operator; the function behind; acting before somebody agreed
\c - regress_adopt_olga
SELECT split_part(aegis.import_key(), ':', 2) AS recipient \gset
SELECT probe_seal_key(:'one', ('\x' || :'recipient')::bytea, :'root_bytes') AS sealed \gset
SELECT aegis.request_tenant_action('adopt_key', :'one', 'regress-adopt', 'contract');
SELECT aegis.request_tenant_action('adopt_key', :'one', 'regress-adopt', 'contract', :'root');
SELECT aegis.request_tenant_action('adopt_key', :'one', 'regress-adopt', 'contract', substr(:'sealed', 1, 153));
SELECT * FROM aegis.open_brought_epoch(:'one', :'sealed');
SELECT aegis.request_tenant_action('adopt_key', :'one', 'regress-adopt', 'contract', :'sealed') AS request \gset
SELECT * FROM aegis.adopt_tenant_key(:request, 'regress-adopt');
SELECT aegis.approve_tenant_action(:request, 'regress-adopt');
\c - regress_adopt_member
SELECT * FROM aegis.adopt_tenant_key(:request, 'regress-adopt');
\c - :superuser
SELECT * FROM aegis.open_brought_epoch(:'one', :'sealed');
\c - regress_adopt_otto
SELECT aegis.approve_tenant_action(:request, 'regress-adopt');
SELECT * FROM aegis.adopt_tenant_key(:request, 'regress-adopt-other');

-- allows: another operator agreed; it is done once
SELECT epoch, job, length(check_value) AS check_value FROM aegis.adopt_tenant_key(:request, 'regress-adopt') \gset
SELECT :epoch AS epoch, :check_value AS hex_digits;
SELECT * FROM aegis.adopt_tenant_key(:request, 'regress-adopt');
\c - :superuser
SELECT aegis.wait_job(:job, '60 seconds');
SELECT epoch, state, rows, suite, brought FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
SELECT kind, epoch, outcome, suite, brought FROM aegis.verify_keys() WHERE tenant_id = :'one' ORDER BY kind DESC, epoch;
SELECT column_name, epoch, outcome, items FROM aegis.verify_fields('adopt_t') WHERE tenant_id = :'one';
SELECT DISTINCT tenant_id = :'one' AS one, aegis.key_epoch(email) FROM adopt_t ORDER BY 1;
SELECT private_key IS NULL AS destroyed, tenant_id = :'one' AS one FROM aegis.import_key WHERE public_key = ('\x' || :'recipient')::bytea;
SELECT d.event, d.session_user, d.detail - 'check_value' - 'job' - 'request' AS detail FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'one' AND d.event = 'key.tenant_brought';
-- nothing that the database keeps has the key in it
SELECT count(*) AS keys_in_clear FROM aegis.tenant_key k WHERE position(:'root_bytes'::bytea IN k.wrapped) > 0 OR k.salt = :'root_bytes'::bytea;
SELECT count(*) AS entries_with_key FROM aegis.entry e WHERE position(:'root_bytes'::bytea IN e.body) > 0 OR position(convert_to(:'root', 'UTF8') IN e.body) > 0;

-- refuses: the same text, the same key sealed anew, another tenant's, keys that nobody drew, a recipient of nobody
CREATE FUNCTION regress_adopt(tenant uuid, sealed text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
  hint text;
BEGIN
  PERFORM regress_tamper(format('INSERT INTO aegis.tenant_request (action, tenant_id, reason, argument, requested_by, expires_at, approved_by, approved_at)
    VALUES (''adopt_key'', %L, ''test'', %L, ''olga'', now() + interval ''1 hour'', ''otto'', now())', tenant, sealed));
  SELECT max(r.id) INTO number FROM aegis.tenant_request r;
  PERFORM aegis.adopt_tenant_key(number, (SELECT t.slug FROM aegis.tenant t WHERE t.id = tenant));
  RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_DETAIL;
  RETURN SQLSTATE || ' ' || SQLERRM || ': ' || hint;
END $$;
CREATE FUNCTION regress_sealed(tenant uuid, root bytea) RETURNS text LANGUAGE sql AS
  $$ SELECT probe_seal_key($1, ('\x' || split_part(aegis.import_key(), ':', 2))::bytea, $2) $$;
CREATE FUNCTION regress_changed(sealed text) RETURNS text LANGUAGE sql AS
  $$ SELECT overlay($1 placing CASE substr($1, 120, 1) WHEN 'x' THEN 'y' ELSE 'x' END from 120 for 1) $$;
SELECT regress_adopt(:'one', :'sealed');
SELECT regress_adopt(:'one', regress_sealed(:'one', :'root_bytes'));
SELECT regress_adopt(:'one', regress_sealed(:'other', :'root_bytes'));
SELECT regress_adopt(:'one', regress_sealed(:'one', decode(repeat('00', 32), 'hex')));
SELECT regress_adopt(:'one', regress_sealed(:'one', decode('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex')));
SELECT regress_adopt(:'one', regress_sealed(:'one', 'correct horse battery staple 123'));
SELECT regress_adopt(:'one', probe_seal_key(:'one', '\x3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d', :'root_bytes'));
SELECT regress_adopt(:'one', regress_changed(regress_sealed(:'one', sha256('another'))));
UPDATE aegis.import_key SET expires_at = now() - interval '1 second' WHERE used_at IS NULL;
SELECT regress_adopt(:'one', probe_seal_key(:'one', (SELECT public_key FROM aegis.import_key WHERE used_at IS NULL ORDER BY made_at LIMIT 1), sha256('late')));
-- allows: the same key for another tenant (no key derived from it is shared), the next key, and a rotation by the database
SELECT regress_adopt(:'other', regress_sealed(:'other', :'root_bytes'));
SELECT count(DISTINCT check_value) AS different FROM aegis.tenant_key WHERE check_value IS NOT NULL;
SELECT regress_adopt(:'one', regress_sealed(:'one', sha256('the next')));
SELECT epoch, job FROM aegis.rotate_tenant_key(:'one', 'the tenant''s key leaked') \gset
SELECT aegis.wait_job(:job, '60 seconds');
SELECT epoch, state, suite, brought FROM aegis.rotation_progress WHERE tenant_id = :'one' ORDER BY epoch;
-- refuses: a key that was destroyed does not come back
UPDATE aegis.tenant_key SET state = 'destroyed', wrapped = NULL, salt = NULL WHERE tenant_id = :'one' AND epoch = 2 AND kind = 'root';
SELECT regress_adopt(:'one', regress_sealed(:'one', :'root_bytes'));
UPDATE aegis.tenant SET status = 'erasing' WHERE id = :'other';
SELECT regress_adopt(:'other', regress_sealed(:'other', sha256('too late')));

SET client_min_messages = warning;
DROP TABLE adopt_t;
DELETE FROM aegis.field WHERE name LIKE 'adopt_test.%';
SELECT regress_tamper('DELETE FROM aegis.tenant_request WHERE requested_by = ''olga''') > 0 AS forgotten;
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'other';
DROP FUNCTION regress_adopt(uuid, text), regress_sealed(uuid, bytea), regress_wait_worker(), regress_tamper(text);
DROP FUNCTION probe_seal_key(uuid, bytea, bytea) CASCADE;
DROP ROLE regress_adopt_olga, regress_adopt_otto, regress_adopt_member;
