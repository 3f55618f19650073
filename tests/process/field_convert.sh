#!/usr/bin/env bash
# A column is encrypted under pgbench's readers and writers, killed with kill -9 in its midst, and goes on: no error but what the
# crash itself made, no lost update, no wrong answer; then decrypted again in the same company.
# With AEGIS_LONG=yes a million rows, otherwise 10,000.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

rows=10000
if [ "${AEGIS_LONG:-no}" = yes ]; then rows=1000000; else echo "skip conversion of a million rows (takes more than a minute)"; fi

make_cluster
preload
settings "max_wal_size = 4GB" "aegis.seal_interval = '200ms'"
must_start
query "CREATE DATABASE test" > /dev/null
query_database='test'
# u is what t has to say: every writer changes both in one transaction.
query "CREATE EXTENSION aegis; CREATE ROLE operator LOGIN IN ROLE aegis_operator; CREATE ROLE client LOGIN;
  CREATE TABLE t (tenant_id uuid NOT NULL, id bigint, email text NOT NULL, plain int NOT NULL DEFAULT 0, PRIMARY KEY (tenant_id, id), CONSTRAINT one_email UNIQUE (tenant_id, email));
  CREATE TABLE u (id bigint PRIMARY KEY, email text NOT NULL);
  CREATE INDEX by_email ON t (email); GRANT SELECT, INSERT, UPDATE ON t, u TO client; GRANT USAGE ON SCHEMA aegis TO client, operator;
  ALTER TABLE t OWNER TO operator; GRANT CREATE ON SCHEMA public TO operator" > /dev/null
tenant=$(as_role operator -c "SELECT aegis.create_tenant('one', 'One')")
query "INSERT INTO t SELECT '$tenant', i, 'user' || i || '@example.com' FROM generate_series(1, $rows) i; INSERT INTO u SELECT id, email FROM t" > /dev/null
query "VACUUM ANALYZE t, u" > /dev/null

# The same statements run before and after the swap. A row without a value, for a snapshot from before as well, divides by zero.
as_server tee "$place/read.sql" > /dev/null << SQL
\set id random(1, $rows)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 1;
SELECT 1 / (count(email) = 1)::int FROM t WHERE tenant_id = '$tenant' AND id = :id;
COMMIT;
SQL
as_server tee "$place/write.sql" > /dev/null << SQL
\set id random(1, $rows)
\set n random(1, 1000000000)
\set new 10000000 + :client_id * 100000000 + random(1, 90000000)
BEGIN;
UPDATE u SET email = 'changed' || :n || '.' || :id || '@example.com' WHERE id = :id;
UPDATE t SET email = 'changed' || :n || '.' || :id || '@example.com' WHERE tenant_id = '$tenant' AND id = :id;
UPDATE t SET plain = plain + 1 WHERE tenant_id = '$tenant' AND id = 1 + :id % $rows;
INSERT INTO u VALUES (:new, 'new' || :new || '@example.com') ON CONFLICT DO NOTHING;
INSERT INTO t (tenant_id, id, email) VALUES ('$tenant', :new, 'new' || :new || '@example.com') ON CONFLICT DO NOTHING;
COMMIT;
SQL
bench() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_server sh -c 'echo $$ > "$1/bench.pid"; exec "$0" -n -h "$1" -U client -d test -c 3 -j 1 --max-tries=100 -T 3600 -f "$1/read.sql@1" -f "$1/write.sql@1"' \
    "$bin/pgbench" "$place" > "$place/bench" 2>&1
}
end_bench() {
  as_server kill -TERM "$(cat "$place/bench.pid")" 2> /dev/null || true
  wait "$bench" || true
}
complaints() { grep -E 'ERROR|error|aborted' "$place/bench" || true; }
convert() { as_role operator -F ' ' -c "CALL aegis.encrypt_column_online('t', 'email', 't.email', 'aegis.sealed_email', 'email', pages => $1)"; }
# Rows that are not what their twin says; as an operator, for whom the policy is opened.
differing() {
  as_role operator << SQL
BEGIN;
SELECT aegis.assume_tenant('$tenant', 'test', 'T-1') \g /dev/null
SELECT count(*) FILTER (WHERE $1 IS DISTINCT FROM u.email) || ' of ' || (count(*) = (SELECT count(*) FROM u))::text FROM t FULL JOIN u USING (id);
COMMIT;
SQL
}
query "GRANT SELECT ON u TO operator" > /dev/null

bench &
bench=$!
within 20 query "SELECT 1 / (sum(plain) > 0)::int FROM t"

# Killed in its midst, which is made long enough to be met.
query "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_catalog.pg_sleep(0.1); RETURN NEW; END \$\$;
  CREATE TRIGGER slow BEFORE UPDATE ON aegis.conversion FOR EACH ROW WHEN (NEW.state = 'rows') EXECUTE FUNCTION slow()" > /dev/null
(convert 1 > "$place/first" 2>&1 || true) &
first=$!
midst() { query "SELECT 1 / (count(*) FILTER (WHERE pages_done > 3 OR state <> 'rows'))::int FROM aegis.conversion"; }
if within 60 midst; then echo "ok a conversion is in its midst"; else is "a conversion is in its midst" "$(cat "$place/first")" ""; fi
kill -9 "$(query "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL aegis.encrypt_column_online%'")"
wait "$first"
end_bench
within 300 query "SELECT 1" # recovery
query "DROP TRIGGER slow ON aegis.conversion" > /dev/null
is "after kill -9 it is known to be unfinished" "$(query "SELECT object FROM aegis.coverage() WHERE finding = 'conversion-unfinished'")" "public.t.email"
is "after kill -9 readers still see the plain column" "$(query "SELECT count(*) FROM t JOIN u USING (id) WHERE t.email <> u.email")" 0

bench &
bench=$!
result=$(convert 50)
says "the same call goes on" "$result" '^[0-9]+ [0-9:.]+$'
echo "note converted and longest exclusive lock: $result"
sleep 1
end_bench
is "readers and writers met no error and no wrong answer" "$(complaints)" ""
is "and were there" "$(query "SELECT bool_or(id > 10000000) FROM t")" t
is "nothing is left of the conversion" "$(query "SELECT (SELECT count(*) FROM aegis.conversion), string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped")" "0|tenant_id id plain email"
is "everything opens" "$(query "SELECT string_agg(DISTINCT outcome, ' ') FROM aegis.verify_fields('t')")" ok
as_role operator -c "SELECT aegis.set_reveal_policy('t.email', 0::smallint, 'full')" > /dev/null
is "no update is lost" "$(differing 'aegis.reveal(t.email)')" "0 of true"
is "its indexes are those it had" "$(query "SELECT string_agg(indexrelid::regclass::text || ' ' || indisvalid, ', ' ORDER BY 1) FROM (SELECT * FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text) i")" \
  "by_email true, one_email true, t_pkey true"

# And back.
bench &
bench=$!
within 20 query "SELECT 1 FROM pg_stat_activity WHERE usename = 'client'"
result=$(as_role operator -F ' ' -c "CALL aegis.decrypt_column_online('t', 'email', 'test')")
says "it is decrypted beside readers and writers" "$result" '^[0-9]+ [0-9:.]+$'
echo "note converted and longest exclusive lock: $result"
sleep 1
end_bench
is "they met no error and no wrong answer" "$(complaints)" ""
is "no update is lost on the way back" "$(differing 't.email')" "0 of true"
is "no field is left" "$(query "SELECT count(*) FROM aegis.field WHERE name = 't.email'; SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname LIKE 'zzz%'")" "0
0"
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
is "the ledger tells of both" "$(query "SELECT string_agg(event, ' ' ORDER BY seq) FROM aegis.audit_log WHERE target_id = 't.email' AND event LIKE 'field.%' AND event <> 'field.policy_changed'")" \
  "field.conversion_begun field.registered field.conversion_begun field.decrypted"
finish
