-- The key of one field of one tenant leaves the database for one application: two operators, recorded also when rolled back.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_fieldkey_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_fieldkey_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_fieldkey_member LOGIN IN ROLE aegis_member;
SELECT aegis.create_tenant('regress-fieldkey', 'Field key') AS one \gset
CREATE TABLE fieldkey_t (tenant_id uuid NOT NULL, id int, email text, note text, bound text, PRIMARY KEY (tenant_id, id));
SELECT aegis.encrypt_column('fieldkey_t', 'email', 'fieldkey.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('fieldkey_t', 'note', 'fieldkey.note');
SELECT aegis.encrypt_column('fieldkey_t', 'bound', 'fieldkey.bound', row_bound => true);
SELECT aegis.protect_table('fieldkey_t');
\set key '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'

-- refuses: what names no field or key; one operator alone; members; the function behind
\c - regress_fieldkey_olga
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop');
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.email');
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', ':' || :'key');
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.email:' || upper(:'key'));
SELECT aegis.seal_field_key(1, :'one', 'fieldkey.email', :'key', 'olga', 'otto');
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.email:' || :'key') AS email \gset
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.note:' || :'key') AS note \gset
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.bound:' || :'key') AS bound \gset
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.none:' || :'key') AS none \gset
SELECT aegis.request_tenant_action('export_field_key', :'one', 'regress-fieldkey', 'shop', 'fieldkey.note:' || repeat('0', 64)) AS nobody \gset
SELECT aegis.export_field_key(:email, 'regress-fieldkey');
\c - regress_fieldkey_member
SELECT aegis.export_field_key(:email, 'regress-fieldkey');
\c - :superuser
SELECT aegis.seal_field_key(1, :'one', 'fieldkey.email', :'key', 'olga', 'otto');
\c - regress_fieldkey_otto
SELECT count(aegis.approve_tenant_action(r, 'regress-fieldkey')::text) FROM unnest(ARRAY[:email, :note, :bound, :none, :nobody]) r;
-- refuses: fields whose values only the database can bind; unknown ones; a key that is none; another tenant's name
SELECT aegis.export_field_key(:bound, 'regress-fieldkey');
SELECT aegis.export_field_key(:none, 'regress-fieldkey');
SELECT aegis.export_field_key(:nobody, 'regress-fieldkey');
SELECT aegis.export_field_key(:email, 'regress-fieldkey-other');

-- allows: once, sealed; with the index key of its type where it is searchable
SELECT left(k, 4) AS begins, length(k) FROM aegis.export_field_key(:email, 'regress-fieldkey') k;
SELECT aegis.export_field_key(:email, 'regress-fieldkey');
-- survives: an export that is rolled back leaves its trace
BEGIN;
SELECT left(k, 4) AS begins, length(k) FROM aegis.export_field_key(:note, 'regress-fieldkey') k;
ROLLBACK;
\c - :superuser
CREATE FUNCTION pg_temp.exports(tenant uuid) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d WHERE e.tenant_id = tenant AND d.event = 'key.field_exported' $$;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN pg_temp.exports((SELECT id FROM aegis.tenant WHERE slug = 'regress-fieldkey')) >= 2;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT d.target_id, d.outcome, d.session_user, count(*) FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
 WHERE e.tenant_id = :'one' AND d.event = 'key.field_exported' GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT state, count(*) FROM aegis.tenant_requests WHERE tenant_id = :'one' GROUP BY 1 ORDER BY 1;

SET client_min_messages = warning;
DROP TABLE fieldkey_t;
DELETE FROM aegis.field WHERE name LIKE 'fieldkey.%';
DROP ROLE regress_fieldkey_olga, regress_fieldkey_otto, regress_fieldkey_member;
