#!/usr/bin/env bash
# A server that loads the library behaves, in databases without the extension, as one that does not: the same scripts
# give the same output, byte for byte, on both. The plain server says what is right. docs/bystander.md lists what differs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
settings "fsync = off" "autovacuum = off" "max_prepared_transactions = 5" "wal_level = logical" "max_worker_processes = 16" \
  "lc_messages = 'C'" "timezone = 'UTC'"
as_server mv "$cluster" "$place/template"
scripts=(tests/bystander/*.sql ${AEGIS_SCRIPTS:+"$AEGIS_SCRIPTS"/*.sql})

# A script runs in a database of its own, verbosely, so that also the place in the server that an error comes from counts.
run_script() {
  local name
  name=$(basename "$1" .sql)
  query "CREATE DATABASE $name" > /dev/null
  as_server "$bin/psql" -Xa -v VERBOSITY=verbose -h "$place" -U postgres -d "$name" < "$1" 2>&1 | sed 's/with PID [0-9]*\.$/with PID n./' > "$out/$name"
}

# program NAME COMMAND ...: its output and how it ended.
program() {
  local name=$1
  shift
  { as_server env PGHOST="$place" PGUSER=postgres "$@" 2>&1 || echo "ended with $?"; } | sed 's/^\(.\(un\)\?restrict\) .*/\1/' > "$out/$name"
}

# programs LINE ...: those of PostgreSQL, with these settings; a database is copied and dropped again and again, while the launcher looks around.
programs() {
  program dumpall "$bin/pg_dumpall" --no-comments
  program dump "$bin/pg_dump" -Fc -f "$place/dump" row_security
  program createdb "$bin/createdb" restored
  program restore "$bin/pg_restore" -d restored --clean --if-exists -v "$place/dump"
  program dump_again "$bin/pg_dump" restored
  program vacuum "$bin/vacuumdb" --all --analyze -e
  program reindex "$bin/reindexdb" -d restored -e
  program copies bash -c "for n in \$(seq 8); do
    '$bin/createdb' a && '$bin/createdb' -T a b && '$bin/psql' -XAt -d b -c 'ALTER DATABASE a RENAME TO c' && '$bin/dropdb' c && '$bin/dropdb' b || exit; done"
  as_server rm -f "$place/dump"
  local query_database=restored
  query "SELECT slot_name FROM pg_create_logical_replication_slot('slot', 'test_decoding')" > "$out/slot"
  query "CREATE TABLE decoded (tenant_id uuid, id int PRIMARY KEY); INSERT INTO decoded SELECT NULL, generate_series(1, 5); UPDATE decoded SET id = id + 10; TRUNCATE decoded" > /dev/null
  query "SELECT * FROM pg_logical_slot_get_changes('slot', NULL, NULL)" | sed 's/^[^|]*|//' >> "$out/slot"
  query "SELECT pg_drop_replication_slot('slot')" >> "$out/slot"
  case $* in *pg_stat_statements*)
    query "CREATE EXTENSION pg_stat_statements" > /dev/null
    query "SELECT queryid, toplevel, sum(calls), sum(rows), min(query) FROM pg_stat_statements WHERE query !~ 'pg_stat_statements|pg_temp_' GROUP BY 1, 2 ORDER BY 1, 2" > "$out/statistics" ;;
  esac
  query "SELECT name, setting, context, boot_val FROM pg_settings ORDER BY 1" > "$out.settings"
  # Started at once by the server, and by the library; whoever else would be new here is not expected.
  query "SELECT DISTINCT backend_type FROM pg_stat_activity WHERE backend_type <> 'aegis worker' ORDER BY 1" > "$out.processes"
}

# on NAME [LINE ...]: all of it on a fresh copy of one cluster, at the same place, with these settings more.
on() {
  out=$place/$1
  shift
  mkdir -p "$out"
  as_server cp -a "$place/template" "$cluster"
  settings "$@"
  must_start
  local script
  for script in "${scripts[@]}"; do run_script "$script"; done
  programs "$@"
  stop
  as_server rm -rf "$cluster"
}

# same NAME: what two servers said.
same() {
  local name file
  for file in "$place/$1"/*; do
    name=$(basename "$file")
    if difference=$(diff "$file" "$place/$2/$name"); then
      echo "ok bystander/$3$name ($(wc -l < "$file") lines)"
    else
      echo "not ok bystander/$3$name"
      head -n "${AEGIS_LINES:-40}" <<< "$difference" | sed 's/^/  /'
      failed=1
    fi
  done
}

aegis=("aegis.environment = 'development'" "aegis.key_provider = 'file:$place/keyring'")
on plain
on loaded "shared_preload_libraries = 'aegis'" "${aegis[@]}"
same plain loaded ""
differing=$({ diff "$place/plain.settings" "$place/loaded.settings" || true; } | sed -n 's/^[<>] \([^|]*\)|.*/\1/p' | grep -v '^aegis\.' | sort -u | paste -sd ' ')
is "bystander/settings that differ" "$differing" \
  "debug_print_parse debug_print_plan debug_print_rewritten log_parameter_max_length shared_preload_libraries"
is "bystander/processes that are new" "$(diff "$place/plain.processes" "$place/loaded.processes" | sed -n '/^[<>]/p')" "> aegis launcher"

# A session that is there already notices when the extension comes, when it is bound, and when the extension goes.
as_server cp -a "$place/template" "$cluster"
settings "shared_preload_libraries = 'aegis'" "${aegis[@]}"
must_start
other="\\! '$bin/psql' -XAtq -h '$place' -U postgres -d postgres -c"
query "CREATE ROLE someone LOGIN" > /dev/null
query "CREATE TABLE own (tenant_id uuid, body text); ALTER TABLE own ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON own USING (true);
  INSERT INTO own VALUES (NULL, 'seen'); CREATE TABLE plain AS SELECT 'open' AS body; GRANT SELECT ON own, plain TO someone" > /dev/null
said=$(as_server "$bin/psql" -XAtq -v VERBOSITY=verbose -h "$place" -U someone -d postgres 2>&1 << SQL
SELECT 'before ' || body FROM own;
$other "CREATE EXTENSION aegis"
SELECT 'installed ' || body FROM own;
SELECT 'not bound ' || body FROM plain;
$other "GRANT aegis_member TO someone"
SELECT 'bound ' || body FROM plain;
$other "REVOKE aegis_member FROM someone"
SELECT 'free ' || body FROM plain;
$other "DROP EXTENSION aegis"
SELECT 'gone ' || body FROM own;
SQL
)
is "bystander/a session that is there already" "$(grep -E '^(before|installed|not bound|bound|free|gone|ERROR)' <<< "$said" | paste -sd '|')" \
  'before seen|ERROR:  AG001: tenant is not set|not bound open|ERROR:  AG009: relation "plain" is not protected|free open|gone seen'
stop
as_server rm -rf "$cluster"

if [ "${AEGIS_LONG:-no}" = yes ]; then
  if command -v valgrind > /dev/null; then
    python3 tests/bench/run.py bystander --quick --json "$place/bench.json" > /dev/null 2> "$place/progress" || tail -n 5 "$place/progress"
    python3 tests/bench/complete.py "$place/bench.json" bystander || failed=1
  else
    echo "skip bystander/instructions (valgrind is not installed: ./aegis check --long does that)"
  fi
  # Among other libraries, before and after them, whose hooks are in the same chains.
  others="pg_stat_statements.track = 'all'"
  on others "shared_preload_libraries = 'pg_stat_statements,auto_explain'" "$others" "auto_explain.log_min_duration = -1"
  on before "shared_preload_libraries = 'aegis,pg_stat_statements,auto_explain'" "$others" "auto_explain.log_min_duration = -1" "${aegis[@]}"
  on behind "shared_preload_libraries = 'pg_stat_statements,auto_explain,aegis'" "$others" "auto_explain.log_min_duration = -1" "${aegis[@]}"
  same others before "before other libraries/"
  same others behind "behind other libraries/"
else
  echo "skip bystander among other libraries (takes more than a minute)"
fi
[ -z "${AEGIS_KEEP:-}" ] || cp -r "$place"/*/ "$AEGIS_KEEP"
finish
