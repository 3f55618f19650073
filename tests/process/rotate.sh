#!/usr/bin/env bash
# A tenant's key is rotated under readers and writers: no error, no wrong answer, progress to be seen; the job goes on
# by itself after kill -9, and after a dump and a restore in its midst. Then the master key, without a restart.
# With AEGIS_LONG=yes a million rows, otherwise 10,000.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

rows=10000
if [ "${AEGIS_LONG:-no}" = yes ]; then rows=1000000; else echo "skip rotate with a million rows (takes more than a minute)"; fi
password='plum quartz lantern 47 river'
progress() { query "SELECT string_agg(state || ' ' || coalesce(rows::text, '-'), ', ' ORDER BY epoch) FROM aegis.rotation_progress WHERE tenant_id = '$tenant'"; }
rotate() { as_role operator -c "SELECT job FROM aegis.rotate_tenant_key('$tenant', '$1')"; }
# Rows of which one value does not open, or is not what it was.
wrong_rows() {
  as_role member << SQL
BEGIN;
SELECT aegis.authenticate('$token', '192.0.2.1', 'test', 'r2') \g /dev/null
SELECT count(*) FILTER (WHERE aegis.reveal(note) <> 'note ' || id OR aegis.reveal(email) <> 'user' || id || '@example.com') || ' of ' || count(*) FROM t;
COMMIT;
SQL
}

make_cluster
preload
settings "max_wal_size = 4GB" "aegis.seal_interval = '50ms'" "aegis.session_idle_timeout = '1h'" "aegis.bulk_reveal = 0"
must_start
query "CREATE DATABASE test" > /dev/null
query_database='test'
query "CREATE EXTENSION aegis; CREATE ROLE operator LOGIN IN ROLE aegis_operator; CREATE ROLE member LOGIN IN ROLE aegis_member;
  CREATE ROLE auditor LOGIN IN ROLE aegis_auditor; CREATE ROLE keeper; GRANT USAGE ON SCHEMA aegis TO keeper;
  CREATE TABLE t (tenant_id uuid, id bigint, email text, note text, plain int NOT NULL DEFAULT 0, PRIMARY KEY (tenant_id, id));
  ALTER TABLE t OWNER TO keeper; SELECT aegis.protect_table('t', created_by => false, team => false);
  SELECT aegis.encrypt_column('t', 'email', 'rotate.email', 'aegis.sealed_email', 'email');
  SELECT aegis.encrypt_column('t', 'note', 'rotate.note'); CREATE UNIQUE INDEX ON t (tenant_id, email);
  GRANT SELECT, INSERT, UPDATE ON t TO member" > /dev/null
tenant=$(as_role operator -c "SELECT aegis.create_tenant('one', 'One')")
other=$(as_role operator -c "SELECT aegis.create_tenant('other', 'Other')")
as_role operator << SQL > /dev/null
BEGIN;
SELECT aegis.assume_tenant('$tenant', 'test', 'T-1', read_only => false);
SELECT aegis.create_user('ann@example.com', 'Ann', 4::smallint, NULL, '$password');
COMMIT;
SQL
# Filled past capture, which is not what is asked here and would take the time.
query "SELECT aegis.unaudit_table('t');
  INSERT INTO t SELECT '$tenant', i, 'user' || i || '@example.com', 'note ' || i FROM generate_series(1, $rows) i;
  INSERT INTO t SELECT '$other', i, 'user' || i || '@example.com', 'note ' || i FROM generate_series(1, 100) i;
  SELECT aegis.audit_table('t')" > /dev/null
query "VACUUM ANALYZE t" > /dev/null
token=$(as_role member -c "SELECT token FROM aegis.sign_in('one', 'ann@example.com', '$password', '192.0.2.1', 'test', 'r1')")
others=$(query "SELECT md5(string_agg(note::text || email::text, '' ORDER BY id)) FROM t WHERE tenant_id = '$other'")

# Readers find a row by its e-mail, open both values, and divide by zero if they are not what they were; writers change a
# value and put it back in one transaction, update beside it, and insert.
as_server tee "$place/read.sql" > /dev/null << SQL
\set id random(1, $rows)
BEGIN;
SELECT aegis.authenticate('$token', '192.0.2.1', 'test', 'r3');
SELECT 1 / (count(*) = 1 AND bool_and(id = :id AND aegis.reveal(note) = 'note ' || :id AND aegis.reveal(email) = 'user' || :id || '@example.com'))::int
  FROM t WHERE email = 'USER:id@example.com';
COMMIT;
SQL
as_server tee "$place/write.sql" > /dev/null << SQL
\set id random(1, $rows)
\set new 10000000 + :client_id * 100000000 + random(1, 90000000)
BEGIN;
SELECT aegis.authenticate('$token', '192.0.2.1', 'test', 'r4');
UPDATE t SET plain = plain + 1 WHERE id = :id;
UPDATE t SET note = 'x ' || :id WHERE id = :id;
UPDATE t SET note = 'note ' || :id WHERE id = :id;
INSERT INTO t (id, email, note) VALUES (:new, 'user' || :new || '@example.com', 'note ' || :new) ON CONFLICT DO NOTHING;
COMMIT;
SQL
bench() {
  as_server sh -c 'echo $$ > "$1/bench.pid"; exec "$0" -n -h "$1" -U member -c 2 -j 2 -T 3600 -f "$1/read.sql@2" -f "$1/write.sql@1" test' \
    "$bin/pgbench" "$place" > "$place/bench" 2>&1
}
# rate ROWS: that many in a second, from now on.
rate() {
  settings "aegis.reseal_rate = $1"
  as_server "$bin/pg_ctl" reload -s -D "$cluster"
}
midst() { query "SELECT min(rows) > 0 AND count(*) = 2 AND bool_or(estimated_end > now()) FROM aegis.rotation_progress WHERE tenant_id = '$tenant' AND state IN ('old', 'current')" | grep -qx t; }
# reaches_midst NAME: waits until some rows of t are under the new epoch and some are not. The first that is sealed anew is one
# of another table, the user's: that is not enough for an estimate.
reaches_midst() { if within 60 midst; then echo "ok $1"; else is "$1" "$(progress)" "rows under both epochs, and an estimate"; fi; }
ledger_verifies() { as_role auditor -c "SELECT checked, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'"; }

rate $((rows / 60)) # slow enough to be seen in its midst
bench &
bench=$!
job=$(rotate first)
reaches_midst "progress shows both epochs and an estimate"
query "SELECT aegis.declare_event('rotate.beside', 'for this test'); SELECT aegis.record('rotate.beside')" > /dev/null
is "entries are sealed beside the job" "$(query "SELECT aegis.wait_sealed('10 s') > 0; SELECT state FROM aegis.jobs WHERE id = $job" 2>&1)" "t
running"
rate 0
is "the job ends beside readers and writers" "$(as_role operator -c "SELECT aegis.wait_job($job, '10 minutes')")" "done"
as_server kill "$(cat "$place/bench.pid")" || true # it may have ended by an error, which the next line shows
wait "$bench" || true
is "readers and writers met no error and no wrong answer" "$(grep -E 'ERROR|error|aborted|failed' "$place/bench" || true)" ""
is "and were there" "$(query "SELECT sum(plain) > 0 AND bool_or(id > 10000000) FROM t")" t
is "no row is left under the old epoch" "$(query "SELECT DISTINCT least(aegis.key_epoch(email), aegis.key_epoch(note)) FROM t WHERE tenant_id = '$tenant'")" 2
is "every value is what it was" "$(wrong_rows | sed 's/ of .*//')" 0
is "the old epoch is retired" "$(query "SELECT string_agg(state, ' ' ORDER BY epoch) FROM aegis.rotation_progress WHERE tenant_id = '$tenant'")" "retired current"
is "another tenant's rows are untouched" "$(query "SELECT md5(string_agg(note::text || email::text, '' ORDER BY id)) FROM t WHERE tenant_id = '$other'")" "$others"
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
is "the ledger has no entry of a row that was only sealed anew" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'row.changed' AND way = 'job'")" 0
is "and one of each table" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'field.resealed' AND target_id = 'public.t'")" 1
is "the ledger verifies" "$(ledger_verifies)" ""

# Killed in its midst.
rate $((rows / 60))
job=$(rotate second)
reaches_midst "a second rotation is in its midst"
kill -9 "$(query "SELECT pid FROM pg_stat_activity WHERE backend_type = 'aegis jobs'")"
within 300 query "SELECT 1" # recovery of a large table takes its time
rate 0
ended() { [ "$(query "SELECT state FROM aegis.jobs WHERE id = $job")" = "done" ]; }
if within 300 ended; then echo "ok after kill -9 it goes on by itself"; else is "after kill -9" "$(query "SELECT state, error FROM aegis.jobs WHERE id = $job")" "done"; fi
is "after kill -9 every value is what it was" "$(wrong_rows | sed 's/ of .*//')" 0
is "after kill -9 no row is left under the old epoch" "$(query "SELECT DISTINCT least(aegis.key_epoch(email), aegis.key_epoch(note)) FROM t WHERE tenant_id = '$tenant'")" 3
is "after kill -9 everything opens" "$(as_role auditor -c "SELECT count(*) FROM aegis.verify_fields('t') WHERE outcome <> 'ok'")" 0
is "after kill -9 the ledger verifies" "$(ledger_verifies)" ""

# Dumped in its midst, and restored elsewhere.
rate $((rows / 60))
job=$(rotate third)
reaches_midst "a third rotation is in its midst"
as_role operator -c "SELECT aegis.pause_job($job)" > /dev/null
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
as_server "$bin/pg_dumpall" -h "$place" -U postgres --roles-only --no-role-passwords -f "$place/roles.sql"
as_server "$bin/pg_dump" -h "$place" -U postgres -Fc -f "$place/test.dump" test 2> /dev/null
stop
cluster=$place/second
query_database=postgres
as_server rm -f "$place/keyring" # made again with the same content
make_cluster
preload
settings "max_wal_size = 4GB" "aegis.seal_interval = '50ms'" "aegis.restore_mode = on"
must_start
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -f "$place/roles.sql" > /dev/null 2>&1 || true
query "CREATE DATABASE test" > /dev/null
query_database='test'
is "it is restored" "$(as_server "$bin/pg_restore" -h "$place" -U postgres -d test --exit-on-error "$place/test.dump" 2>&1)" ""
settings "aegis.restore_mode = off"
stop
must_start
as_role operator -c "SELECT aegis.begin_epoch('restored from a dump')" > /dev/null
is "after the restore rows are under both epochs" "$(query "SELECT count(DISTINCT least(aegis.key_epoch(email), aegis.key_epoch(note))) FROM t WHERE tenant_id = '$tenant'")" 2
as_role operator -c "SELECT aegis.resume_job($job)" > /dev/null
rate 0
if within 300 ended; then echo "ok after the restore the job goes on"; else is "after the restore" "$(query "SELECT state, error FROM aegis.jobs WHERE id = $job")" "done"; fi
token=$(as_role member -c "SELECT token FROM aegis.sign_in('one', 'ann@example.com', '$password', '192.0.2.1', 'test', 'r1')")
is "after the restore every value is what it was" "$(wrong_rows | sed 's/ of .*//')" 0
is "after the restore the old epochs are retired" "$(query "SELECT string_agg(state, ' ' ORDER BY epoch) FROM aegis.rotation_progress WHERE tenant_id = '$tenant'")" "retired retired retired current"

# The master key: a version that is still needed does not vanish in silence, and is replaced without a restart.
keys() { as_server sh -c 'rm -f "$0/keyring"; umask 0277; for line; do echo "$line"; done > "$0/keyring"' "$place" "$@" && as_server "$bin/pg_ctl" reload -s -D "$cluster"; }
status() { query "SELECT string_agg(version || ' ' || state || ' ' || (root_keys > 0), ', ' ORDER BY version) FROM aegis.key_status()"; }
becomes() { [ "$(status)" = "$1" ]; }
# shows NAME STATUS
shows() { if within 20 becomes "$2"; then echo "ok $1"; else is "$1" "$(status)" "$2"; fi; }
first=$(printf '1:%064d' 7) second=$(printf '2:%064d' 9)
keys "$second"
shows "a needed version that is gone" "1 missing true, 2 unregistered false"
says "a needed version that is gone: log" "$(as_server cat "$log")" 'WARNING:  the key provider no longer delivers master key version 1' 'HINT:  aegis.key_status\(\) tells'
says "a needed version that is gone: use" "$(query "SELECT 1; INSERT INTO t (tenant_id, id, note) VALUES ('$tenant', 20000000, 'lost')" || true)" 'ERROR:  master key version 1 is not available' 'HINT:  Add the missing version'
is "a needed version that is gone: coverage" "$(query "SELECT object FROM aegis.coverage() WHERE finding = 'master-key-missing'")" "version 1"
keys "$first" "$second"
shows "both versions" "1 previous true, 2 unregistered false"
roots=$(query "SELECT count(*) FROM aegis.tenant_key WHERE wrapped IS NOT NULL")
job=$(as_role operator -c "SELECT aegis.rotate_master_key('yearly')")
is "all roots are wrapped anew" "$(as_role operator -c "SELECT aegis.wait_job($job, '1 minute')"; query "SELECT result ->> 'roots' FROM aegis.jobs WHERE id = $job")" "done
$roots"
shows "the new version holds all of them" "1 previous false, 2 active true"
says "once is enough" "$(as_role operator -c "SELECT aegis.rotate_master_key('again')" || true)" 'ERROR:  all root keys are wrapped under master key version 2 already'
keys "$second"
shows "the old version can go" "1 unused false, 2 active true"
is "without the old version every value is what it was" "$(wrong_rows | sed 's/ of .*//')" 0
is "without the old version every key opens" "$(as_role auditor -c "SELECT count(*) FILTER (WHERE outcome <> 'ok'), sum(samples) > 0 FROM aegis.verify_keys()")" "0|t"
is "without the old version tenants are made" "$(as_role operator -c "SELECT aegis.create_tenant('third', 'Third') IS NOT NULL")" t
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
is "the ledger tells of it" "$(query "SELECT string_agg(event, ' ' ORDER BY seq) FROM aegis.audit_log WHERE event LIKE 'key.master_rotated' OR event = 'key.roots_rewrapped' OR event = 'key.master_registered'")" \
  "key.master_registered key.master_registered key.master_rotated key.roots_rewrapped"
is "with the version, the reason and how many" "$(query "SELECT string_agg(concat_ws(' ', target_kind, target_id, detail ->> 'reason', detail ->> 'roots'), ', ' ORDER BY seq) FROM aegis.audit_log WHERE event IN ('key.master_rotated', 'key.roots_rewrapped')")" \
  "master_key 2 yearly $roots, master_key 2 $roots"
is "and verifies" "$(ledger_verifies)" ""
finish
