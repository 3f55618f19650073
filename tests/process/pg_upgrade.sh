#!/usr/bin/env bash
# pg_upgrade moves a cluster with sealed rows and a sealed ledger into a new one, as between major versions: the same bytes,
# which open, are found and verify; the ledger goes on in a new epoch.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/sealed_rows.sh

upgrade() {
  (cd "$place" && as_server "$bin/pg_upgrade" -b "$bin" -B "$bin" -d "$old" -D "$cluster" -U postgres -s "$place" "$@" 2>&1) || as_server sh -c 'grep -h -B1 -A6 "error:\|ERROR" "$0"/pg_upgrade_output.d/*/log/*dump*.log' "$cluster"
}

# facts: what the catalogs say of everything of Aegis, and what is stored, up to entry $last.
facts() {
  query "SELECT 'row', md5(string_agg(r::text, '' ORDER BY r::text)) FROM shop.person r"
  query "SELECT 'entries', count(*), md5(string_agg(encode(body, 'hex'), '' ORDER BY seq)) FROM aegis.entry WHERE seq <= $last"
  query "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace IN ('shop'::regnamespace, 'aegis'::regnamespace)" | sort
  query "SELECT p.oid::regprocedure, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a) FROM pg_proc p WHERE pronamespace IN ('shop'::regnamespace, 'aegis'::regnamespace)" | sort
  query "SELECT c.oid::regclass, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\", c.relowner))) a), c.relrowsecurity, c.relforcerowsecurity FROM pg_class c WHERE relnamespace IN ('shop'::regnamespace, 'aegis'::regnamespace)" | sort
  query "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy" | sort
  query "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal" | sort
  query "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'" | sort
}

make_cluster
preload
settings "fsync = off"
must_start
query "CREATE DATABASE app" > /dev/null
query_database=app
fill
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
original=$(rows | md5sum)
last=$(query "SELECT max(seq) FROM aegis.entry")
facts > "$place/before"
stop

old=$cluster
cluster=$place/new
as_server rm -f "$place/keyring"
make_cluster
preload
settings "fsync = off"
says "pg_upgrade --check finds nothing in the way" "$(upgrade --check)" '\*Clusters are compatible\*'
says "pg_upgrade" "$(upgrade)" 'Upgrade Complete'
must_start
facts > "$place/after"
says "the facts are many" "$(wc -l < "$place/before")" '^[0-9]{4,}$'
is "everything that the catalogs say is as before" "$(diff "$place/before" "$place/after")" ""
must_have_worker "after pg_upgrade"
query "SET ROLE operator; SELECT aegis.begin_epoch('pg_upgrade')" > /dev/null
is "the same bytes" "$(rows | md5sum)" "$original"
is "rows open and are found" "$(opened one) $(opened two)" "20|20|20|1 20|20|20|1"
is "every type opens and is found" "$(kinds one) $(kinds two)" "5|5|1|1|1|1 5|5|1|1|1|1"
is "columns keep their classes" "$(classes)" "$labelled"
is "values verify" "$(as_role auditor -c "SELECT outcome, sum(items) FROM aegis.verify_fields('shop.person') GROUP BY 1")" "ok|80"
is "writes go on" "$(inside one "UPDATE shop.person SET email = 'next-' || id || '@one.example', note = note; SELECT count(*) FROM shop.person WHERE email = 'next-3@one.example'")" 1
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
is "the ledger holds" "$(as_role auditor -c "SELECT DISTINCT outcome FROM aegis.verify_ledger()")" ok
is "another tenant's rows stay hidden" "$(inside two "SELECT count(*) FROM shop.person WHERE tenant_id <> aegis.tenant_id()")" 0
finish
