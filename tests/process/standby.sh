#!/usr/bin/env bash
# A physical standby without keys, with wrong keys, with the right ones, and promoted: what is not sealed is read without
# any, what is sealed leaves as armor, and what needs a key says precisely which is missing. Keys come by a reload, on a
# standby as on a primary.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "hot_standby = on" "wal_level = replica" "max_wal_senders = 4"
printf '%s\n' "local all all trust" "local replication all trust" | as_server tee "$cluster/pg_hba.conf" > /dev/null
query_database="test"
must_start
query_database=postgres query "CREATE DATABASE test" > /dev/null
query "CREATE EXTENSION aegis" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('standby', 'Standby')")
query "CREATE TABLE t (tenant_id uuid NOT NULL, id int, plain text, email text, PRIMARY KEY (tenant_id, id));
  SELECT aegis.protect_table('t');
  SELECT aegis.encrypt_column('t', 'email', 'standby.email', 'aegis.sealed_email');
  SELECT aegis.set_reveal_policy('standby.email', 0::smallint, 'full');
  CREATE ROLE operator LOGIN; GRANT aegis_operator TO operator; GRANT SELECT, INSERT ON t TO operator" > /dev/null
# assumed STATEMENT [PORT]: as the operator with the tenant's context; read-only, as a standby wants it.
assumed() {  # with sqlstate=verbose, errors with their SQLSTATE
  as_role operator -p "${2:-5432}" -v VERBOSITY="${sqlstate:-default}" << SQL || true
BEGIN READ ONLY;
SELECT aegis.assume_tenant('$tenant', 'looks', 'T-1');
$1;
SQL
}
as_role operator > /dev/null << SQL
BEGIN;
SELECT aegis.assume_tenant('$tenant', 'fills', 'T-1', read_only => false);
INSERT INTO t (id, plain, email) VALUES (1, 'hello', 'Ada@Example.org');
COMMIT;
SQL
armor=$(query "SELECT email FROM t")

standby=$place/standby
slog=$place/standby.log
as_server "$bin/pg_basebackup" -h "$place" -U postgres -D "$standby" -R -X stream -c fast
standby_settings() { printf '%s\n' "$@" | as_server tee -a "$standby/postgresql.conf" > /dev/null; }
end_standby() { as_server "$bin/pg_ctl" stop -s -m immediate -D "$standby" > /dev/null 2>&1 || true; }
trap 'end_standby; end' EXIT
there() { query "$1" -p 5433; }
reload_standby() { as_server "$bin/pg_ctl" reload -s -D "$standby"; }
standby_settings "port = 5433" "aegis.key_provider = 'file:$place/none'"
as_server "$bin/pg_ctl" start -s -w -t 60 -D "$standby" -l "$slog" > /dev/null 2>&1 || { as_server tail "$slog"; exit 1; }

search="SELECT plain FROM t WHERE email = 'ada@example.org'"
state_is() { [ "$(there "SELECT state FROM aegis.key_status()")" = "$1" ]; }

# Without keys.
says "without keys: the log says so" "$(as_server cat "$slog")" "WARNING:  key file \"$place/none\" does not exist"
is "without keys: state" "$(there "SELECT state, pg_is_in_recovery() FROM aegis.key_status()")" "missing|t"
is "without keys: what is not sealed" "$(there "SELECT plain FROM t")" "hello"
is "without keys: what is sealed, as armor" "$(there "SELECT email FROM t")" "$armor"
is "without keys: a dump" "$(as_server "$bin/pg_dump" -h "$place" -p 5433 -U postgres -d test -t t | grep -cF "$armor")" "1"
verify() { there "SELECT DISTINCT outcome, detail FROM aegis.verify_keys() WHERE kind IN ('root', 'index') ORDER BY 1" || true; }
# A context is recorded and a reveal is charged, which a standby cannot: so neither is to be had there, whatever the keys.
refused() {
  says "$1: search" "$(assumed "$search" 5433)" '^ERROR:  operation cannot be charged, so it is refused' \
    'DETAIL:  The server is a standby, where nothing can be recorded\.' 'HINT:  Ask the primary\.'
  says "$1: reveal" "$(assumed "SELECT aegis.reveal(email) FROM t" 5433)" '^ERROR:  operation cannot be charged, so it is refused'
}
refused "without keys"
is "without keys: what each root key lacks" "$(verify)" "finding|master key is not available"

# The wrong one, and the right one, by a reload.
as_server sh -c 'umask 0277; printf "1:%064d\n" 8 > "$0/wrong"' "$place"
standby_settings "aegis.key_provider = 'file:$place/wrong'"
reload_standby
if within 20 state_is wrong; then echo "ok wrong key by a reload"; else is "wrong key by a reload" "no" "yes"; fi
is "wrong key: what each root key lacks" "$(verify)" "finding|master key version 1 does not match this database"
is "wrong key: what is not sealed" "$(there "SELECT plain FROM t")" "hello"
standby_settings "aegis.key_provider = 'file:$place/keyring'"
reload_standby
if within 20 state_is active; then echo "ok right key by a reload"; else is "right key by a reload" "no" "yes"; fi
is "right key: a value of each field opens" "$(verify)" "ok|unwraps, and opens a sample of each field"
refused "right key"

# Promoted, it is a primary: a worker comes, contexts are given, and what was sealed before is found and opened.
as_server "$bin/pg_ctl" promote -s -w -D "$standby"
alive_there() { [ "$(there 'SELECT alive FROM aegis.worker_status()')" = t ]; }
if within 30 alive_there; then echo "ok promoted: the worker starts"; else is "promoted: the worker starts" "no" "yes"; fi
is "promoted: search" "$(assumed "$search" 5433 | tail -n 1)" "hello"
is "promoted: reveal" "$(assumed "SELECT aegis.reveal(email) FROM t" 5433 | tail -n 1)" "Ada@Example.org"

# Promoted and started without the key, or with another: precise errors, and what is not sealed is read.
restarted_with() {
  standby_settings "aegis.key_provider = 'file:$place/$1'"
  as_server "$bin/pg_ctl" restart -s -w -t 60 -m fast -D "$standby" -l "$slog" > /dev/null 2>&1
  within 30 alive_there || true
}
# needs NAME SQLSTATE MESSAGE
needs() {
  local statement
  for statement in "$search" "SELECT aegis.reveal(email) FROM t"; do
    says "$1: $statement" "$(sqlstate=verbose assumed "$statement" 5433)" "ERROR:  $2: $3"
  done
  is "$1: what is not sealed" "$(there "SELECT plain FROM t")" "hello"
}
restarted_with none
needs "promoted without keys" AG004 'master key is not available'
restarted_with wrong
needs "promoted with the wrong key" AG014 'master key version 1 does not match this database'
finish
