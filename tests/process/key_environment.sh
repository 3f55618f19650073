#!/usr/bin/env bash
# env:NAME, the provider for development: read once at start, gone from every process of the server afterwards, kept
# on reload, and warned of wherever somebody looks.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "aegis.key_provider = 'env:AEGIS_TEST_KEY'"
one=$(printf '1:%064d' 7)
two=2:5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2
state() { query "SELECT string_agg(version || ' ' || state, ', ' ORDER BY version) FROM aegis.key_status()"; }
fault() { query "SELECT DISTINCT fault FROM aegis.key_status()"; }
reload() { as_server "$bin/pg_ctl" reload -s -D "$cluster"; }

must_start AEGIS_TEST_KEY="$one" AEGIS_TEST_OTHER=stays
says "warning at start" "$(as_server cat "$log")" \
  'WARNING:  the master keys come from an environment variable, which is for development only' \
  'HINT:  Set aegis\.key_provider to file:PATH or command:PATH ARG\.\.\.'
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.create_tenant('env', 'Env')" > /dev/null
is "the key works" "$(state)" "1 active"
is "coverage, in development" "$(query "SELECT severity, object FROM aegis.coverage() WHERE finding = 'key-in-environment'")" "low|aegis.key_provider"

# Nobody inherits it and the kernel does not show it; of other variables both are still true.
postmaster=$(as_server head -n 1 "$cluster/postmaster.pid")
shown() { tr '\0' '\n' < "/proc/$1/environ" | grep -c "$2" || true; }
is "postmaster: value in /proc" "$(shown "$postmaster" "$(cut -c3-40 <<< "$one")")" "0"
is "postmaster: other variables in /proc" "$(shown "$postmaster" '^AEGIS_TEST_OTHER=stays$')" "1"
for pid in $(query "SELECT pid FROM pg_stat_activity"); do
  if [ -r "/proc/$pid/environ" ] && [ "$(shown "$pid" "$(cut -c3-40 <<< "$one")")" != 0 ]; then is "process $pid: value in /proc" "shown" "not"; fi
done
is "children: variables" "$(query "COPY (SELECT 1) TO PROGRAM 'env > $place/variables'" && as_server grep -o '^AEGIS_TEST_[A-Z]*' "$place/variables")" "AEGIS_TEST_OTHER"

# Reload.
settings "log_min_messages = warning"
reload
settings "aegis.key_provider = 'env:AEGIS_TEST_OTHER'"
reload
other() { [ "$(fault)" = 'environment variable "AEGIS_TEST_OTHER" can be read at server start only' ]; }
if within 20 other; then echo "ok reload: another variable is refused"; else is "reload: another variable is refused" "$(fault)" "refused"; fi
is "reload: the keys stay" "$(state)" "1 active"
settings "aegis.key_provider = 'env:AEGIS_TEST_KEY'"
reload
quiet() { [ -z "$(fault)" ]; }
if within 20 quiet; then echo "ok reload: the variable of the start keeps its keys"; else is "reload: the variable of the start" "$(fault)" ""; fi
is "reload: they work" "$(query "SELECT count(aegis.create_tenant('env2', 'Env'))")" "1"
settings "aegis.key_provider = 'file:$place/keyring'"
reload
unfound() { [ "$(query "SELECT count(*) FROM aegis.coverage() WHERE finding = 'key-in-environment'")" = 0 ]; }
if within 20 unfound; then echo "ok reload: to a file"; else is "reload: to a file" "no" "yes"; fi
settle() { [ "$(query "SELECT setting FROM pg_settings WHERE name = 'aegis.key_provider'")" = "file:$place/keyring" ]; }
within 20 settle
settings "aegis.key_provider = 'env:AEGIS_TEST_KEY'"
reload
gone() { [ "$(fault)" = 'environment variable "AEGIS_TEST_KEY" can be read at server start only' ]; }
if within 20 gone; then echo "ok reload: back to the variable is refused"; else is "reload: back to the variable" "$(fault)" "refused"; fi

# Start.
as_server rm -f "$log"
stop
must_start AEGIS_TEST_KEY="$one
$two"
query "SELECT aegis.create_tenant('env3', 'Env')" > /dev/null
is "two versions" "$(state)" "1 previous, 2 active"
is "no key in the log" "$(as_server grep -c "$(cut -c3-40 <<< "$two")" "$log" || true)" "0"
# A backend's crash ends all others; the keys survive it.
backend=$(query "SELECT pg_backend_pid()")
query "SELECT pg_sleep(60)" > /dev/null &
sleeper() { query "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"; }
within 20 test -n "$(sleeper)" || true
kill -9 "$(sleeper)"
wait || true
recovered() { query "SELECT 1"; }
within 30 recovered
is "after a crash" "$(state)" "1 previous, 2 active"
stop
as_server rm -f "$log"
must_start
says "not set" "$(as_server cat "$log")" 'WARNING:  environment variable "AEGIS_TEST_KEY" is not set' 'HINT:  Set it for the process that starts the server'
says "not set: statement" "$(query "SELECT aegis.create_tenant('env4', 'Env')" || true)" 'ERROR:  master key is not available' 'DETAIL:  environment variable "AEGIS_TEST_KEY" is not set'
stop
as_server rm -f "$log"
settings "aegis.key_provider = 'env:NOT-A-NAME'"
must_start
says "no name" "$(as_server cat "$log")" 'WARNING:  key variable "NOT-A-NAME" is not the name of a variable'
finish
