#!/usr/bin/env bash
# Settings of the server cannot be turned against tenants: passwords do not reach the log with the parameters of
# statements, and plans do not reach tenant sessions.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings 'log_statement = all' 'log_min_duration_statement = 0'
must_start
query "CREATE EXTENSION aegis; CREATE ROLE gate LOGIN IN ROLE aegis_gateway; CREATE ROLE member LOGIN IN ROLE aegis_member" > /dev/null
must_have_worker

secret=plum-quartz-lantern-47
as_server tee "$place/attempt.sql" > /dev/null << 'SQL'
SELECT outcome FROM aegis.sign_in('nobody', 'a@example.test', :password, NULL, NULL, NULL);
SELECT status FROM aegis.handle('GET', '/api/session', ARRAY['authorization', :password], NULL, NULL, NULL);
SQL
# attempt: the statements of the gateway with bound parameters; the second as well as one that fails.
attempt() {
  as_server "$bin/pgbench" -n -M prepared -t 1 -D "password=$secret" -f "$place/attempt.sql" -h "$place" -U gate postgres > /dev/null 2>&1
  as_server tee "$place/fails.sql" > /dev/null <<< "SELECT int4(:password);"
  as_server "$bin/pgbench" -n -M prepared -t 1 -D "password=$secret" -f "$place/fails.sql" -h "$place" -U gate postgres > /dev/null 2>&1 || true
}
logged() { as_server grep -c -- "$secret" "$log" || true; }

attempt
is "statements are logged" "$(as_server grep -cE 'execute .*aegis\.(sign_in|handle)' "$log" | sed 's/^[1-9][0-9]*$/yes/')" yes
is "but not their parameters" "$(logged)" 0
is "and nothing warns" "$(as_server grep -c 'WARNING.*log_parameter' "$log" || true)" 0

stop
settings 'log_parameter_max_length = -1' 'log_parameter_max_length_on_error = -1'
must_start
must_have_worker again
says "asked for, they are logged with a warning" "$(as_server cat "$log")" \
  'WARNING:  "log_parameter_max_length" is not 0' 'WARNING:  "log_parameter_max_length_on_error" is not 0' \
  'HINT:  Set it to 0 in the configuration file, or remove it.'
attempt
is "the test would see them" "$(logged | sed 's/^[1-9][0-9]*$/yes/')" yes
as_server sed -i '/log_parameter_max_length/d' "$cluster/postgresql.conf"
query "SELECT pg_reload_conf()" > /dev/null
back() { [ "$(query 'SHOW log_parameter_max_length')" = 0 ]; }
within 10 back || true
is "removed from the file, they are off again without a restart" "$(query 'SHOW log_parameter_max_length')" 0

plan() { as_server env PGOPTIONS="-c debug_print_plan=on -c client_min_messages=log" "$bin/psql" -XAtq -h "$place" -U "$1" -d postgres -c "SELECT 1" 2>&1; }
says "the gateway's login cannot ask for plans" "$(plan gate)" 'permission denied to set parameter "debug_print_plan"'
says "nor can members" "$(plan member)" 'permission denied to set parameter "debug_print_plan"'
says "superusers can" "$(plan postgres)" 'plan_rows'

finish
