#!/usr/bin/env bash
# A subscriber and a standby hold sealed values as they are: the same bytes, in text and in binary, sealed once, found by their
# tokens and opened where the keys are, and no plaintext in their files. docs/field.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/sealed_rows.sh

primary=$cluster
port=5432  # of the server that is asked
query() { as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -p "$port" -U postgres -d "${query_database:-postgres}" -c "$@" 2>&1; }
as_role() { as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -p "$port" -d "${query_database:-postgres}" -U "$@" 2>&1; }
ended() {
  for cluster in "$place/subscriber" "$place/standby" "$primary"; do stop immediate > /dev/null 2>&1 || true; done
  end
}
trap ended EXIT
# at PORT COMMAND ...: asks that server.
at() {
  local port=$1
  shift
  "$@"
}
# same_rows PORT: whether that server holds what the primary holds.
same_rows() { [ "$(at "$1" rows | md5sum)" = "$(at 5432 rows | md5sum)" ]; }
change() {
  at 5432 inside one "INSERT INTO shop.person (id, email, note) VALUES ($1, 'Zwartkop-$1@one.example', 'zwartkop of one, $1');
    UPDATE shop.person SET email = 'Zwartkop-' || id || '@one.example', note = 'zwartkop of one, again' WHERE id % 3 = 0;
    UPDATE shop.person SET id = id + 1000 WHERE id = 5; UPDATE shop.person SET id = id - 1000 WHERE id > 1000; DELETE FROM shop.person WHERE id = $2;
    UPDATE shop.kind SET n = id + 0.5, k = 'Zwartkop ' || id; UPDATE shop.kind SET n = id + 0.50, i = 'AT1'; UPDATE shop.kind SET i = 'DE89 Zwartkop ' || id, b = convert_to('zwartkop ' || id, 'UTF8')"
}
checked() {
  is "$1 holds the same bytes" "$(within 30 same_rows "$2" && echo same)" "same"
  is "$1 opens and is found" "$(at "$2" opened one) $(at "$2" opened two)" "$3"
  is "$1 opens and finds every type" "$(at "$2" kinds one) $(at "$2" kinds two)" "5|5|1|1|1|1 5|5|1|1|1|1"
  is "$1 verifies" "$(at "$2" as_role auditor -c "SELECT outcome, sum(items) FROM aegis.verify_fields('shop.person') GROUP BY 1")" "ok|80"
}

make_cluster
preload
settings "fsync = off" "wal_level = logical" "wal_retrieve_retry_interval = 100ms"
must_start
query "CREATE DATABASE app" > /dev/null
query_database=app
fill
as_server "$bin/pg_dumpall" -h "$place" -U postgres --roles-only --no-role-passwords -f "$place/roles"
as_server "$bin/pg_dump" -h "$place" -U postgres -Fc --exclude-table-data=shop.person --exclude-table-data=shop.kind -f "$place/app" app 2> /dev/null
query "CREATE PUBLICATION people FOR TABLE shop.person, shop.kind, open_note" > /dev/null

# A standby of the primary, from before the changes.
as_server "$bin/pg_basebackup" -c fast -h "$place" -U postgres -D "$place/standby" -R -X stream -C -S standby
cluster=$place/standby
settings "port = 5434"
must_start

cluster=$place/subscriber
as_server rm -f "$place/keyring"  # made again with the same content
make_cluster
preload
settings "port = 5433" "fsync = off" "wal_retrieve_retry_interval = 100ms" "aegis.restore_mode = on"
must_start
port=5433
query_database=postgres
as_role postgres -v ON_ERROR_STOP=0 -f "$place/roles" > /dev/null || true
query "CREATE DATABASE app" > /dev/null
query_database=app
as_server "$bin/pg_restore" -h "$place" -p 5433 -U postgres -d app --exit-on-error "$place/app"
settings "aegis.restore_mode = off"
stop
must_start
query "SET ROLE operator; SELECT aegis.begin_epoch('a subscriber')" > /dev/null
is "the subscriber begins with no row" "$(query "DELETE FROM open_note; SELECT count(*) FROM shop.person")" 0
query "CREATE SUBSCRIPTION people CONNECTION 'host=$place port=5432 dbname=app user=postgres' PUBLICATION people" > /dev/null
checked "a subscriber" 5433 "20|20|20|1 20|20|20|1"
change 21 1
checked "a subscriber, after changes in text," 5433 "20|20|20|1 20|20|20|1"
query "DROP SUBSCRIPTION people" > /dev/null
query "CREATE SUBSCRIPTION people CONNECTION 'host=$place port=5432 dbname=app user=postgres' PUBLICATION people WITH (binary = true, copy_data = false)" > /dev/null
change 22 2
checked "a subscriber, after changes in binary," 5433 "20|20|20|1 20|20|20|1"
# Without a key, rows are found by the equality of all columns: searchable types have one.
bare() { at "$1" query "COPY (SELECT * FROM $2 ORDER BY v::text) TO STDOUT"; }
same_bare() { [ "$(bare 5433 "$1")" = "$(bare 5432 "$1")" ]; }
is_stuck() { as_server grep -q 'could not identify an equality operator for type aegis.sealed_text' "$log"; }
for kind in email text; do
  for at in 5432 5433; do
    at "$at" query "CREATE TABLE bare_$kind (tenant_id uuid NOT NULL, v text); ALTER TABLE bare_$kind REPLICA IDENTITY FULL;
      SELECT aegis.encrypt_column('bare_$kind', 'v', 'bare.$kind', 'aegis.sealed_$kind')" > /dev/null
  done
  at 5432 query "INSERT INTO bare_$kind SELECT id, n || '@bare.example' FROM aegis.tenants(), generate_series(1, 3) n;
    CREATE PUBLICATION bare_$kind FOR TABLE bare_$kind" > /dev/null
  query "CREATE SUBSCRIPTION bare_$kind CONNECTION 'host=$place port=5432 dbname=app user=postgres' PUBLICATION bare_$kind" > /dev/null
  is "a table without a key is copied, $kind" "$(within 30 same_bare "bare_$kind" && echo same)" "same"
  at 5432 query "UPDATE bare_$kind SET v = 'next@bare.example' WHERE ctid = '(0,2)'; DELETE FROM bare_$kind WHERE ctid = '(0,1)'" > /dev/null
done
is "and follows changes of a searchable type" "$(within 30 same_bare bare_email && echo same)" "same"
is "those of an opaque type stop with an error" "$(within 30 is_stuck && echo stuck)" "stuck"
query "DROP SUBSCRIPTION bare_email" > /dev/null
query "DROP SUBSCRIPTION bare_text" > /dev/null
settings "aegis.key_provider = ''"
stop
must_start
change 23 3
is "a subscriber without keys holds the same bytes" "$(within 30 same_rows 5433 && echo same)" "same"
says "and opens none" "$(at 5433 opened one || true)" '^ERROR:  AG004: master key is not available'
as_server sed -i "/^aegis.key_provider = ''/d" "$cluster/postgresql.conf"
stop
must_start
checked "a subscriber, with keys again," 5433 "20|20|20|1 20|20|20|1"

# Whoever may make subscriptions sends what looks like a ledger: no plan and no command, so only the triggers stand in its way.
query "CREATE TABLE kept AS SELECT * FROM aegis.entry ORDER BY seq LIMIT 3" > /dev/null
at 5432 query "CREATE DATABASE forger" > /dev/null
query_database=forger
at 5432 query "CREATE SCHEMA aegis; CREATE TABLE aegis.checkpoint (number bigint PRIMARY KEY, seal bigint, size bigint, root bytea, signed_at timestamptz, note text);
  CREATE TABLE aegis.entry (seq bigint, xid xid8, epoch integer, ordinal integer, tenant_id uuid, leaf bytea, body bytea); ALTER TABLE aegis.entry REPLICA IDENTITY FULL;
  CREATE PUBLICATION forged FOR TABLE aegis.checkpoint, aegis.entry" > /dev/null
query_database=app
rows=$(query "COPY kept TO STDOUT")
fingerprint() { query "SELECT count(*), md5(string_agg(e::text, '' ORDER BY seq)) FROM aegis.entry e WHERE seq <= (SELECT max(seq) FROM kept); SELECT count(*) FROM aegis.checkpoint"; }
untouched=$(fingerprint)
query_database=forger
as_server "$bin/psql" -Xq -h "$place" -p 5432 -U postgres -d forger -c "COPY aegis.entry FROM STDIN" <<< "$rows"
is_off() { [ "$(query "SELECT subenabled FROM pg_subscription WHERE subname = 'forged'")" = f ]; }
# forge NAME STATEMENT [OPTION]: what the other side does, after subscribing or, with copy_data, before it.
forge() {
  local seen
  seen=$(as_server grep -c 'ledger is append-only' "$log" || true)
  query_database=app
  query "CREATE SUBSCRIPTION forged CONNECTION 'host=$place port=5432 dbname=forger user=postgres' PUBLICATION forged WITH (disable_on_error = true, copy_data = ${3:-false})" > /dev/null
  query_database=forger
  if [ -n "$2" ]; then at 5432 query "$2" > /dev/null; fi
  query_database=app
  is "$1 is refused" "$(within 30 is_off && echo off) $(($(as_server grep -c 'ledger is append-only' "$log") > seen))" "off 1"
  query "DROP SUBSCRIPTION forged" > /dev/null
}
forge "a copy of entries by logical replication" "" true
forge "an entry by logical replication" "INSERT INTO aegis.entry SELECT seq + 1000000, xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry LIMIT 1"
forge "a changed one" "UPDATE aegis.entry SET body = '\\x00' WHERE seq = (SELECT min(seq) FROM aegis.entry)"
forge "a removed one" "DELETE FROM aegis.entry WHERE seq = (SELECT max(seq) FROM aegis.entry WHERE seq < 1000000)"
forge "a truncated ledger" "TRUNCATE aegis.entry"
forge "a checkpoint" "INSERT INTO aegis.checkpoint VALUES (1, 1, 1, '\\x00', now(), 'forged')"
is "and nothing of it is there" "$(fingerprint)" "$untouched"
query "DROP TABLE kept" > /dev/null
query "CHECKPOINT" > /dev/null
shows "the subscriber" "$cluster/base" "$cluster/pg_wal"
stop

cluster=$place/standby
is "a standby holds the same bytes" "$(within 30 same_rows 5434 && echo same)" "same"
is "a standby's values open" "$(at 5434 as_role auditor -c "SELECT outcome, sum(items) FROM aegis.verify_fields('shop.person') GROUP BY 1")" "ok|80"
says "a standby gives no context, for it cannot record it" "$(at 5434 inside one "SELECT aegis.reveal(email) FROM shop.person" || true)" \
  '^ERROR:  AG007: operation cannot be charged' '^DETAIL:  The server is a standby'
settings "aegis.key_provider = ''"
stop
must_start
is "a standby without keys holds the same bytes" "$(at 5434 rows | md5sum)" "$(at 5432 rows | md5sum)"
is "a standby without keys opens none, and says why" \
  "$(at 5434 as_role auditor -c "SELECT outcome, sum(items), min(detail) FROM aegis.verify_fields('shop.person') GROUP BY 1")" "finding|80|master key is not available"
as_server sed -i "/^aegis.key_provider = ''/d" "$cluster/postgresql.conf"
stop
must_start
as_server "$bin/pg_ctl" promote -s -w -D "$cluster"
is "its worker starts" "$(within 30 at 5434 inside one "SELECT aegis.reveal(email) FROM shop.person" && echo started)" started
checked "a standby that was promoted" 5434 "20|20|20|1 20|20|20|1"
port=5434
is "and goes on" "$(inside two "INSERT INTO shop.person (id, email) VALUES (99, 'late@two.example'); SELECT count(*) FROM shop.person WHERE email = 'LATE@two.example'")" 1
is "its ledger goes on and verifies" "$(query "SELECT aegis.wait_sealed('60 s') > 0"; as_role auditor -c "SELECT checked, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'")" t
query "CHECKPOINT" > /dev/null
shows "the standby" "$cluster/base" "$cluster/pg_wal"
shows "the primary" "$primary/base" "$primary/pg_wal"
finish
