#!/usr/bin/env bash
# Started without the library, a server changes no schema of a database that has the extension, says what is missing, and can be
# made to work again: by the library, or by a superuser who switches the guard of DDL off, which the report then names.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE SCHEMA shop" > /dev/null
query "CREATE TABLE shop.note (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)); SELECT aegis.protect_table('shop.note')" > /dev/null
query "SELECT aegis.guard_schema('shop')" > /dev/null
stop
as_server sed -i '/^aegis\./d' "$cluster/postgresql.conf"
settings "shared_preload_libraries = ''"
must_start
for sql in "CREATE TABLE shop.other (id int)" "CREATE TABLE public.other (id int)" "DROP TABLE shop.note" "ALTER TABLE shop.note DISABLE ROW LEVEL SECURITY" \
  "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'" "GRANT SELECT ON shop.note TO PUBLIC"; do
  says "unloaded/${sql:0:40} is refused, and says why" "$(query "$sql" || true)" \
    'ERROR: +aegis must be loaded via shared_preload_libraries' 'HINT: +Add "aegis" to shared_preload_libraries and restart the server\.'
done
is "unloaded/the table is as it was" "$(query "SELECT relrowsecurity FROM pg_class WHERE oid = 'shop.note'::regclass")" t
# What belongs to no database, and DML of other tables, goes on.
is "unloaded/roles and plain queries work" "$(query "CREATE ROLE somebody; SELECT 1")" 1
# The way out for who must change a schema without the library.
query "ALTER EVENT TRIGGER aegis_ddl_end DISABLE; ALTER EVENT TRIGGER aegis_ddl_drop DISABLE" > /dev/null
is "unloaded/with the guard of DDL disabled a schema can be changed" "$(query "CREATE TABLE shop.other (tenant_id uuid, id int); SELECT 'made'")" made
stop
settings "shared_preload_libraries = 'aegis'" "aegis.key_provider = 'file:$place/keyring'"
must_start
is "unloaded/afterwards the report names both" "$(query "SELECT string_agg(DISTINCT finding, ' ' ORDER BY finding) FROM aegis.coverage() WHERE finding IN ('guard-off', 'table-unprotected')")" \
  "guard-off table-unprotected"
query "SELECT fix FROM aegis.coverage() WHERE finding = 'guard-off'" | sed 's/$/;/' | as_server tee "$place/fix.sql" > /dev/null
query "" -f "$place/fix.sql" > /dev/null
is "unloaded/and the statement that mends it" "$(query "SELECT count(*) FROM aegis.coverage() WHERE finding = 'guard-off'")" 0
finish
