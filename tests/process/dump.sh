#!/usr/bin/env bash
# Every format of pg_dump carries sealed values and the classes of columns as they are: restored into the same cluster and into another one with the same
# provider they are the same bytes, sealed once, found by their tokens and opened; so is what an earlier version dumped. Without the keys of a tenant the others' open.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/sealed_rows.sh

formats=(plain inserts custom directory)

dump() {
  local file=$place/$1
  case $1 in
    plain) set -- -f "$file" ;;
    inserts) set -- --inserts -f "$file" ;;
    custom) set -- -Fc -f "$file" ;;
    directory) set -- -Fd -j 2 -f "$file" ;;
  esac
  as_server "$bin/pg_dump" -h "$place" -U postgres "$@" app 2> /dev/null
}

# load FORMAT DATABASE: what it complains of.
load() {
  (query_database=postgres && query "CREATE DATABASE $2") > /dev/null
  case $1 in
    plain | inserts | golden_*) as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d "$2" -o /dev/null -f "$place/$1" 2>&1 ;;
    custom) as_server "$bin/pg_restore" -h "$place" -U postgres -d "$2" --exit-on-error "$place/$1" 2>&1 ;;
    # In parallel, PostgreSQL 15 does not keep to the order that the foreign keys of an extension's tables ask for.
    directory) as_server env PGOPTIONS='-c session_replication_role=replica' \
      "$bin/pg_restore" -h "$place" -U postgres -d "$2" --exit-on-error -j 2 "$place/$1" 2>&1 ;;
  esac
}

# restore WHERE: every format into a database of its own, in restore mode, and out of it again.
restore() {
  local format
  for format in "${formats[@]}"; do is "$1/$format is restored" "$(load "$format" "$1_$format")" ""; done
}

# golden NAME: where the checksum of its rows is.
golden() { tr _ . <<< "tests/golden/${1#golden_}.md5"; }

# reviewed: the controls that somebody looked at, and that another review is the newest then.
reviewed() {
  query "SET ROLE operator; SELECT id, last_outcome FROM aegis.controls() WHERE last_review IS NOT NULL; SELECT aegis.review_control('L2', 'effective', 'after the restore') IS NOT NULL;
         SELECT last_outcome FROM aegis.controls() WHERE id = 'L2'"
}

# checked WHERE: what was restored.
checked() {
  local format
  for format in "${formats[@]}"; do
    local query_database=$1_$format bytes=$original
    if [ -e "$(golden "$format")" ]; then
      bytes=$(cat "$(golden "$format")")
    else
      is "$1/$format keeps the classes of columns" "$(classes)" "$labelled"
      is "$1/$format keeps the reviews of controls" "$(reviewed)" $'L2|ineffective\nt\neffective'
    fi
    is "$1/$format holds the same bytes" "$(rows | md5sum)" "$bytes"
    is "$1/$format opens and is found" "$(opened one) $(opened two)" "20|20|20|1 20|20|20|1"
    is "$1/$format opens and finds every type" "$(kinds one) $(kinds two)" "5|5|1|1|1|1 5|5|1|1|1|1"
    is "$1/$format verifies" "$(as_role auditor -c "SELECT outcome, sum(items) FROM aegis.verify_fields('shop.person') GROUP BY 1")" "ok|80"
    is "$1/$format goes on" "$(inside one "UPDATE shop.person SET email = 'next-' || id || '@one.example', note = note; SELECT count(*) FROM shop.person WHERE email = 'next-3@one.example'")" 1
  done
}

mode() {
  settings "aegis.restore_mode = $1"
  stop
  must_start
}

make_cluster
preload
settings "fsync = off" "max_worker_processes = 16"
must_start
query "CREATE DATABASE app" > /dev/null
query_database=app
fill
query "SET ROLE operator; SELECT aegis.review_control('L2', 'ineffective', 'the signer was away')" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
original=$(rows | md5sum)
for format in "${formats[@]}"; do dump "$format"; done
# Names of this version's functions would keep the dump from another version.
is "a dump has no rights on objects of the extension" "$(grep -E '^(GRANT|REVOKE) .* (aegis|aegis_app)\.' "$place/plain" | grep -v 'shop\.iban' | head -n 5)" ""
as_server "$bin/pg_dumpall" -h "$place" -U postgres --roles-only --no-role-passwords -f "$place/roles"
for format in plain inserts; do shows "$format" "$place/$format"; done
for format in custom directory; do
  as_server "$bin/pg_restore" -f "$place/$format.text" "$place/$format"
  shows "$format" "$place/$format.text"
done
mode on
restore same
mode off
checked same
query "CHECKPOINT" > /dev/null
shows "cluster" "$cluster/base" "$cluster/pg_wal"
stop

cluster=$place/second
as_server rm -f "$place/keyring"  # made again with the same content
make_cluster
preload
settings "fsync = off" "max_worker_processes = 16" "aegis.restore_mode = on"
must_start
query_database=postgres
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -f "$place/roles" > "$place/roles.out" 2>&1 || true
# What earlier versions wrote, with the same master key.
for file in tests/golden/*.sql.gz; do
  name=golden_$(basename "$file" .sql.gz | tr . _)
  zcat "$file" | as_server tee "$place/$name" > /dev/null
  formats+=("$name")
done
restore other
part=$(query "SELECT tableoid::regclass FROM aegis.entry LIMIT 1" -d other_custom)
says "restore mode empties no table that holds entries" "$(query "TRUNCATE $part" -d other_custom || true)" 'ERROR:  ledger is append-only'
# As if the second tenant's keys had been left out.
two=$(query "SELECT id FROM aegis.tenants() WHERE slug = 'two'" -d other_plain)
as_server sed -i "/^COPY aegis.tenant_key /,/^\\\\\\.$/{/$two/d}" "$place/plain"
is "without keys of a tenant it is restored" "$(load plain keyless)" ""
mode off
for format in "${formats[@]}"; do query "SET ROLE operator; SELECT aegis.begin_epoch('restored')" -d "other_$format" > /dev/null; done
checked other
query_database=keyless
is "without keys of a tenant it holds the same bytes" "$(rows | md5sum)" "$original"
is "without keys of a tenant the other's open" "$(opened one)" "20|20|20|1"
says "without keys of a tenant its values name what is missing" "$(opened two || true)" \
  '^ERROR:  AG004: the tenant has no key of epoch 1 in this database' '^HINT:  Restore aegis.tenant_key'
is "without keys of a tenant verification tells whose values do not open" \
  "$(as_role auditor -c "SELECT t.slug, v.outcome, sum(v.items), min(v.detail) FROM aegis.verify_fields('shop.person') v JOIN aegis.tenants() t ON t.id = v.tenant_id GROUP BY 1, 2 ORDER BY 1")" \
  $'one|ok|40|values open\ntwo|finding|40|the tenant has no key of epoch 1 in this database'
finish
