#!/usr/bin/env bash
# Every command that SQL has, on every object of the ledger that the catalog knows, as superuser, owner and anybody: refused,
# or without effect. A new table of the ledger, and a new command of PostgreSQL, are in this test without being written here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
# Autovacuum would wait for locks.
settings "fsync = off" "autovacuum = off" "aegis.seal_interval = '20ms'" "max_locks_per_transaction = 256"
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('append_only.done', 'for the test of commands', '{\"n\": \"clear\"}'); SELECT aegis.create_tenant('one', 'One')" > /dev/null
query "SELECT count(aegis.record('append_only.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 300) n" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
query "CREATE ROLE auditor LOGIN IN ROLE aegis_auditor; CREATE ROLE granted LOGIN IN ROLE aegis_operator;
  GRANT ALL ON ALL TABLES IN SCHEMA aegis TO granted; GRANT ALL ON ALL SEQUENCES IN SCHEMA aegis TO granted; GRANT ALL ON SCHEMA aegis TO granted;
  CREATE SCHEMA try; GRANT ALL ON SCHEMA try TO PUBLIC, aegis_owner; CREATE TABLE try.parent (); CREATE TABLE try.part (LIKE aegis.entry); CREATE TYPE try.shape AS (x int);
  CREATE FUNCTION try.trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; ALTER TABLE try.part OWNER TO aegis_owner;
  CREATE EXTENSION pg_surgery SCHEMA try; CREATE EXTENSION pg_visibility SCHEMA try;
  CREATE FUNCTION try.surgery(regclass, tid[]) RETURNS void AS '\$libdir/pg_surgery', 'heap_force_kill' LANGUAGE C STRICT;
  GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA try TO PUBLIC;
  CREATE FOREIGN DATA WRAPPER try; CREATE SERVER try FOREIGN DATA WRAPPER try" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
# The functions of all extensions that came with the server; those that another of the settings would have to allow are not made.
query "CREATE DATABASE contrib" > /dev/null
query "DO \$\$ DECLARE e name; BEGIN FOR e IN SELECT name FROM pg_available_extensions WHERE name NOT IN ('aegis', 'aegis_app', 'plpgsql', 'pgaudit')
  LOOP EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', e); END LOOP; END \$\$" -d contrib > /dev/null
# Refusals become entries: without its worker the ledger stays as it is, and can be compared.
stop
settings "max_worker_processes = 0"
must_start
headers=$(.aegis/pg/lib/postgresql/15/bin/pg_config --includedir-server)
every=()
if [ "${AEGIS_LONG:-no}" = yes ]; then every=(every); else echo "skip every command on every column and function, as everybody (long)"; fi
python3 tests/process/append_only.py "$place" "$headers" "${every[@]}" || failed=1
finish
