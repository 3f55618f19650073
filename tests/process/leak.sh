#!/usr/bin/env bash
# Where plaintext and keys could leak to: files of the cluster with its WAL, the server's log, statistics of statements,
# pg_stat_activity, files of a sort while it lasts, dumps, and a core dump of a backend, after statements of every kind with the recommended settings.
# A column that is not encrypted shows that each look would find something.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "shared_preload_libraries = 'pg_stat_statements,auto_explain,aegis'" "pg_stat_statements.track = all" \
  "auto_explain.log_min_duration = 0" "log_statement = all" "log_min_duration_statement = 0" \
  "log_parameter_max_length = 0" "log_parameter_max_length_on_error = 0"
as_server sh -c 'rm -f "$0/keyring"; umask 0277; echo "1:7c9e2b41d05fa8836b1de4973a60c5f218ad7e34bb9f02c6591e8d40f3a7765b" > "$0/keyring"' "$place"
secret=Zanzibar-Canary-4711
control=Timbuktu-Control-4712
query_database="test"
must_start
query_database=postgres query "CREATE DATABASE test" > /dev/null
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE EXTENSION pg_stat_statements" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('leak', 'Leak')")
query "CREATE TABLE t (tenant_id uuid NOT NULL, id bigint NOT NULL, plain text, note text, email text, PRIMARY KEY (tenant_id, id));
  SELECT aegis.protect_table('t');
  SELECT aegis.encrypt_column('t', 'note', 'leak.note');
  SELECT aegis.encrypt_column('t', 'email', 'leak.email', 'aegis.sealed_email', 'email');
  SELECT aegis.set_reveal_policy('leak.note', 0::smallint, 'full');
  CREATE ROLE operator LOGIN; GRANT aegis_operator TO operator; GRANT SELECT, INSERT, UPDATE ON t TO operator" > /dev/null
must_have_worker

# Plaintext comes as parameters, as a program sends it: inserted, changed, searched, revealed, and in statements that fail.
begin="BEGIN;
SELECT aegis.assume_tenant(:tenant, 'works', 'T-1', read_only => false);"
busy() { # NAME TRANSACTIONS MODE: the script on standard input
  local file=$place/$1.sql
  { echo '\set id random(1, 9000000000000)'; echo "$begin"; cat; } | as_server tee "$file" > /dev/null
  as_server "$bin/pgbench" -n -h "$place" -U operator -d test -M "$3" -t "$2" -c 2 -f "$file" -D tenant="$tenant" \
    -D note="$secret" -D email="$secret@example.org" -D control="$control" > "$place/$1.out" 2>&1 || { [ "$1" = fail ] || cat "$place/$1.out"; return 1; }
}
times=20
if [ "${AEGIS_LONG:-no}" = yes ]; then times=2000; fi
busy write "$times" prepared << 'SQL'
INSERT INTO t (id, plain, note, email) VALUES (:id, :control, :note, :email);
UPDATE t SET note = :note, email = :email, plain = :control WHERE id = :id;
SELECT count(*) FROM t WHERE email = :email;
SELECT count(aegis.reveal(note)) FROM t;
COMMIT;
SQL
is "a busy workload" "$(grep -c 'number of failed transactions: 0' "$place/write.out")" "1"
# A statement that fails, with the values as its parameters.
busy fail 1 extended << 'SQL' || true
INSERT INTO t (id, plain, note, email) VALUES (NULL, :control, :note, :email);
SQL
says "statements that fail" "$(as_server cat "$place/fail.out")" 'null value in column "id"'
# Rows by COPY, and the control in texts of statements: what is not a parameter is seen, everywhere.
as_role postgres > /dev/null << SQL
COPY t (tenant_id, id, plain, note, email) FROM STDIN (DELIMITER ',');
$tenant,-1,$control,$secret,$secret@example.org
\.
SQL
query "COMMENT ON COLUMN t.plain IS '$control'" > /dev/null
job=$(query "SELECT job FROM aegis.rotate_tenant_key('$tenant', 'test')") || { echo "$job"; exit 1; }
query "SELECT aegis.wait_job($job, '1 minute')" > /dev/null

# A session that has opened values and holds its keys, at rest: its memory is dumped while it waits.
mkfifo "$place/hold"
as_role operator > "$place/session.out" < "$place/hold" &
session=$!
exec 7> "$place/hold"
cat >&7 << SQL
BEGIN;
SELECT aegis.assume_tenant('$tenant', 'holds', 'T-1');
SELECT count(aegis.reveal(note)) > 0 FROM t;
SET LOCAL work_mem = '64kB';
DECLARE sorted CURSOR FOR SELECT plain, note, email FROM t, generate_series(1, 200) ORDER BY email, plain;
FETCH sorted;
SELECT pg_backend_pid() FROM (SELECT '$control') x;
SQL
idle() { query "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%pg_backend_pid%' AND pid <> pg_backend_pid()" | grep -E '^[0-9]+$'; }
within 30 idle
as_server cp -r "$cluster/base/pgsql_tmp" "$place/spilled"  # while the cursor is open
query "SELECT * FROM pg_stat_activity" > "$place/activity"
query "SELECT * FROM pg_stat_statements" > "$place/statements"
if gcore -o "$place/core" "$(idle)" > "$place/gcore.out" 2>&1; then core=$(ls "$place"/core.*); else core=; fi
exec 7>&-
wait "$session" || true

as_server "$bin/pg_dump" -h "$place" -U postgres -d test -f "$place/dump.sql" 2> /dev/null
as_server "$bin/pg_dump" -h "$place" -U postgres -d test -Fc -Z0 -f "$place/dump.custom" 2> /dev/null
query "SELECT row_to_json(k) FROM (SELECT tenant_id, kind, epoch, master_version, suite, encode(salt, 'hex') AS salt,
  encode(wrapped, 'hex') AS wrapped FROM aegis.tenant_key WHERE wrapped IS NOT NULL) k" > "$place/rows"
mapfile -t keys < <(python3 tests/process/leak.py keys "$place/keyring" leak.email sealed_email < "$place/rows")
for kind in master root index field audit search; do says "keys are known: $kind" "$(printf '%s\n' "${keys[@]}")" "^$kind-.*=[0-9a-f]{64}\$"; done
query "CHECKPOINT" > /dev/null
stop

look() { python3 tests/process/leak.py --text secret="$secret" --text control="$control" --bytes "${keys[@]}" "$1=$2"; }
# place NAME PATH: holds the control, and neither the secret nor a key.
place() {
  local found
  found=$(look "$1" "$2")
  says "$1: the control is found" "$found" "^$1 control raw"
  is "$1: nothing else" "$(grep -v " control " <<< "$found" || true)" ""
}
says "a key is found where it is" "$(look keyring "$place/keyring")" '^keyring master-1 hex$'
place files "$cluster"
place log "$log"
place spilled "$place/spilled"
place activity "$place/activity"
place statements "$place/statements"
place dump "$place/dump.sql"
place custom-dump "$place/dump.custom"
if [ -n "$core" ]; then
  found=$(look core "$core")
  says "core: the control is found" "$found" '^core control raw'
  # Plaintext that a statement just revealed, and the derived keys that the session works with, lie in a backend's memory, which docs/threat-model.md admits.
  is "core: no master key and no root key" "$(grep -vE '^core (control|secret|field-|audit-|search-)' <<< "$found" || true)" ""
else
  echo "skip core (no debugger may look at a process here: $(tail -n 1 "$place/gcore.out"))"
fi
finish
