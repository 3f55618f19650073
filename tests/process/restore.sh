#!/usr/bin/env bash
# A dump with both extensions and data goes into a fresh cluster with the same master key: nothing is there twice,
# values open and are found, users sign in, and the ledger verifies and goes on. docs/restore.md, step by step.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

email=$(scripts/sample.py logins | awk -F '\t' '$1 == "northgate-dental" && $3 == "admin" { print $2 }')
password=$(scripts/sample.py logins | awk -F '\t' '$1 == "northgate-dental" && $3 == "admin" { print $4 }')

# What must be the same on both sides; the registries of what extensions declared are part of it.
state() {
  query "SELECT 'entries', count(*), count(DISTINCT seq), md5(string_agg(body, NULL ORDER BY seq)) FROM aegis.entry WHERE seq <= $1;
    SELECT 'seals', count(*), max(hash::text) FROM aegis.seal WHERE number <= $2;
    SELECT 'field', name, type, mask, by_extension, relation FROM aegis.field ORDER BY name;
    SELECT 'policy', * FROM aegis.reveal_policy ORDER BY field, rank, by_extension;
    SELECT 'event', name, writer, fields, by_extension FROM aegis.event_type ORDER BY name;
    SELECT 'route', method, path, minimum_rank, public, by_extension FROM aegis.route ORDER BY method, path;
    SELECT 'protected', relation, by_extension FROM aegis.protected_table ORDER BY relation::text;
    SELECT 'part', relation, root, by_extension FROM aegis.protected_part ORDER BY relation::text;
    SELECT 'policy of', polrelid::regclass, polname FROM pg_policy ORDER BY polrelid::regclass::text, polname;
    SELECT 'audited', relation, clear, by_extension FROM aegis.audited_table ORDER BY relation::text;
    SELECT 'guarded', * FROM aegis.guarded_schema ORDER BY schema::text;
    SELECT 'keys', count(*), md5(string_agg(wrapped, NULL ORDER BY wrapped)) FROM aegis.tenant_key;
    SELECT 'users', count(*), md5(string_agg(u::text, '' ORDER BY id)) FROM aegis.user u;
    SELECT 'customers', count(*), md5(string_agg(c::text, '' ORDER BY id)) FROM aegis_app.customer c;
    SELECT 'invoices', count(*), md5(string_agg(i::text, '' ORDER BY id)) FROM aegis_app.invoice i;
    SELECT 'trigger', tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname;"
}

make_cluster
preload
must_start
query "CREATE DATABASE test" > /dev/null
query_database='test'
query "CREATE EXTENSION aegis; CREATE EXTENSION aegis_app; CREATE ROLE operator LOGIN IN ROLE aegis_operator;
  CREATE ROLE member LOGIN IN ROLE aegis_member; CREATE ROLE auditor LOGIN IN ROLE aegis_auditor" > /dev/null
scripts/sample.py operator | as_role operator > /dev/null
scripts/sample.py member | as_role member > /dev/null
query "SELECT aegis.set_reveal_policy('customer.email', 2::smallint, 'masked')" > /dev/null
# One of the extension's own routes, closed to strangers.
as_role operator -c "SELECT aegis.register_route('GET', '/api/openapi.json', 'aegis.get_openapi(aegis.request)')" > /dev/null
# In a guarded schema a restore makes tables first and protects them last.
query "CREATE SCHEMA shop; CREATE TABLE shop.item (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
  SELECT aegis.protect_table('shop.item');
  CREATE TABLE shop.event (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
  CREATE TABLE shop.event_1 PARTITION OF shop.event FOR VALUES FROM (0) TO (10) PARTITION BY HASH (tenant_id);
  CREATE TABLE shop.event_1_0 PARTITION OF shop.event_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  SELECT aegis.protect_table('shop.event'); CREATE TABLE shop.event_2 PARTITION OF shop.event FOR VALUES FROM (10) TO (20); SELECT aegis.guard_schema('shop', 'repair'); SELECT aegis.guard_schema('aegis_app')" > /dev/null
# A type of one's own, whose input function must know its kind before any row of the registry is back.
query "SELECT aegis.create_sealed_type('public.iban', 'alnum', 'last4');
  CREATE TABLE account (tenant_id uuid, id int, iban iban, note aegis.sealed_numeric, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, iban));
  SELECT aegis.protect_table('account'); GRANT SELECT ON account TO aegis_operator; SELECT aegis.encrypt_column('account', 'iban', 'account.iban', 'iban');
  SELECT aegis.encrypt_column('account', 'note', 'account.note', 'aegis.sealed_numeric');
  INSERT INTO account SELECT id, 1, 'de89 3704 0044'::text, 1.50 FROM aegis.tenant" > /dev/null
# A column whose encryption stopped in its midst, for somebody wrote an address that is the same as another's after it had looked.
query "CREATE TABLE half (tenant_id uuid NOT NULL, id int, email text NOT NULL, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
  SELECT aegis.protect_table('half');
  INSERT INTO half SELECT t.id, i, 'user' || i || '@example.com' FROM aegis.tenant t, generate_series(1, 50) i" > /dev/null
query "BEGIN; INSERT INTO half SELECT id, 51, 'USER1@example.com' FROM aegis.tenant;
  DO \$\$ BEGIN FOR i IN 1 .. 600 LOOP
    EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE relation = 'half'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted);
    PERFORM pg_sleep(0.1);
  END LOOP; END \$\$; COMMIT" > /dev/null &
within 30 query "SELECT 1 / count(*) FROM pg_locks WHERE relation = 'half'::regclass AND mode = 'RowExclusiveLock'"
convert() { query "CALL aegis.encrypt_column_online('half', 'email', 'half.email', 'aegis.sealed_email')"; }
says "a conversion stops" "$(convert || true)" 'could not be built for the converted values'
wait
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
read -r last_entry last_seal < <(query "SELECT (SELECT max(seq) FROM aegis.entry), (SELECT max(number) FROM aegis.seal)" -F ' ')
before=$(state "$last_entry" "$last_seal") || { echo "$before"; exit 1; }
as_server "$bin/pg_dumpall" -h "$place" -U postgres --roles-only --no-role-passwords -f "$place/roles.sql"
as_server "$bin/pg_dump" -h "$place" -U postgres -Fc -f "$place/test.dump" test 2> /dev/null
stop

cluster=$place/second
query_database=postgres
as_server rm -f "$place/keyring"  # made again with the same content
make_cluster
preload
settings "aegis.restore_mode = on"
must_start
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -f "$place/roles.sql" > "$place/roles.out" 2>&1 || true
is "roles come back" "$(grep ERROR "$place/roles.out" || true)" 'psql:'"$place"'/roles.sql:'"$(grep -n 'CREATE ROLE postgres' "$place/roles.sql" | cut -d: -f1)"': ERROR:  role "postgres" already exists'
query "CREATE DATABASE test" > /dev/null
query_database='test'
is "pg_restore has no complaint" "$(as_server "$bin/pg_restore" -h "$place" -U postgres -d test --exit-on-error "$place/test.dump" 2>&1)" ""
is "restore mode refuses to work" "$(as_role operator -c "BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants() LIMIT 1), 'r', 't')" | grep -c 'operation cannot be charged')" 1
settings "aegis.restore_mode = off"
stop
must_start

# Not sealed before an operator has looked: transaction numbers mean nothing here.
says "sealing waits for a new epoch" "$(query "SELECT aegis.wait_sealed('1 s')" || true)" 'ERROR'
is "a new epoch begins" "$(as_role operator -c "SELECT aegis.begin_epoch('restored from a dump')")" 2
is "what was dumped is what is there" "$(diff <(echo "$before") <(state "$last_entry" "$last_seal"))" ""
is "no hole is left" "$(query "SELECT object, finding FROM aegis.coverage() WHERE severity = 'high'")" ""
says "and none can be made" "$(query "CREATE VIEW aegis_app.peek AS SELECT * FROM aegis_app.customer" || true)" 'would leave a hole'
is "the ledger goes on" "$(query "SELECT aegis.wait_sealed('60 s') > $last_seal")" t
is "and verifies" "$(as_role auditor -c "SELECT checked, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'")" ""
found=$(as_role member << SQL
SELECT token FROM aegis.sign_in('northgate-dental', '$email', '$password', '192.0.2.1', 'test', 'r1') \gset
BEGIN;
SELECT aegis.authenticate(:'token', '192.0.2.1', 'test', 'r2') \g /dev/null
SELECT aegis.reveal(c.email) AS email FROM aegis_app.customer c WHERE email IS NOT NULL ORDER BY id LIMIT 1 \gset
SELECT count(*) FROM aegis_app.customer WHERE email = :'email'::text;
UPDATE aegis_app.customer SET email = 'after.restore@example.com'::text WHERE email = :'email';
SELECT count(*) FROM aegis_app.customer WHERE email = 'after.restore@example.com';
COMMIT;
SQL
)
is "a user signs in, reveals, finds and changes" "$found" $'1\n1'
is "the change is sealed" "$(query "SELECT aegis.wait_sealed('60 s') > 0; SELECT event, count(*) FROM aegis.audit_log WHERE seq > $last_entry AND event IN ('row.changed', 'pii.revealed', 'auth.sign_in', 'ledger.epoch_begun') AND seal IS NOT NULL GROUP BY 1 ORDER BY 1")" \
  $'t\nauth.sign_in|1\nledger.epoch_begun|1\npii.revealed|1\nrow.changed|1'
is "a type of one's own is back with its mask" "$(query "SELECT type, normaliser, mask FROM aegis.sealed_type WHERE type = 'iban'::regtype; SELECT DISTINCT outcome FROM aegis.verify_fields('account')")" \
  $'iban|alnum|last4\nok'
says "and keeps its keys unique" "$(query "INSERT INTO account SELECT id, 2, 'DE89-3704-0044'::text, 2 FROM aegis.tenant" || true)" 'duplicate key value'
is "and its values are found" "$(as_role operator -c "BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants() WHERE slug = 'northgate-dental'), 'r', 't')" \
  -c "SELECT count(*) FROM account WHERE iban = 'DE89 37040044'" -c COMMIT | tail -n 1)" 1
is "an unfinished conversion is known" "$(query "SELECT object FROM aegis.coverage() WHERE finding = 'conversion-unfinished'")" public.half.email
query "INSERT INTO half SELECT id, 52, 'later@example.com' FROM aegis.tenant LIMIT 1; DELETE FROM half WHERE id = 51" > /dev/null
says "and the same call ends it" "$(convert || true)" '^[0-9]+\|[0-9:.]+$'
is "and its values open" "$(query "SELECT DISTINCT outcome, sum(items) OVER () = (SELECT count(*) FROM half) FROM aegis.verify_fields('half'); SELECT count(*) FROM aegis.conversion; SELECT attname FROM pg_attribute WHERE attrelid = 'half'::regclass AND atttypid = 'aegis.sealed_email'::regtype")" \
  $'ok|t\n0\nemail'
is "and verifies again" "$(as_role auditor -c "SELECT checked, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'")" ""
finish
