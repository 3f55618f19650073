#!/usr/bin/env bash
# A context ends with its time, whatever the client does; a wall that the configuration switches off is off, said at the
# start and recorded, and the others still stand.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
password='plum quartz lantern 47 river'
as_server tee "$place/set-up.sql" > /dev/null << SQL
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE TABLE note (tenant_id uuid, id int, body text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('note');
CREATE VIEW note_past AS SELECT * FROM note;
CREATE TABLE plain (id int);
CREATE TABLE careless (tenant_id uuid);
ALTER TABLE careless ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everything ON careless USING (true);
GRANT ALL ON note, note_past, plain, careless TO member, operator;
SELECT aegis.create_tenant('one', 'One') AS one, aegis.create_tenant('two', 'Two') AS two \gset
INSERT INTO careless VALUES (:'one'), (:'two');
BEGIN;
SELECT aegis.assume_tenant(:'two', 'set up', 'T-1', read_only => false);
INSERT INTO note (id, body) VALUES (1, 'two');
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, '$password');
INSERT INTO note (id, body) VALUES (1, 'one');
COMMIT;
SQL
query "" -f "$place/set-up.sql" > /dev/null
token=$(query "SELECT token FROM aegis.sign_in('one', 'ada@example.test', '$password', NULL, NULL, NULL)")

# as_member: standard input as a script of the member's login; every error is shown.
as_member() { as_server "$bin/psql" -XAtq -v VERBOSITY=verbose -h "$place" -U member -d postgres 2>&1; }
# once SQL: in a transaction of its own, with a context.
once() { as_member <<< "BEGIN; SELECT aegis.authenticate('$token'); $1; COMMIT;"; }

is "a context shows the own rows" "$(once 'SELECT body FROM note' | sed '/^$/d')" one

# The session ends while its transaction runs on.
query "UPDATE aegis.session SET expires_at = now() + interval '2 seconds'" > /dev/null
expired() {
  as_member << SQL
BEGIN;
SELECT aegis.authenticate('$token');
SELECT 'before ' || body FROM note;
\! sleep 2.5
$1;
ROLLBACK;
SELECT aegis.authenticate('$token');
SQL
}
for statement in "SELECT 'after ' || body FROM note" "SELECT 'after ' || name FROM aegis.users()" \
  "SELECT aegis.create_user('bob@example.test', 'Bob', 1::smallint, NULL, '$password')" "COPY note TO STDOUT" \
  "SELECT aegis.sign_out()" "SELECT 'after ' || aegis.tenant_id()"; do
  query "UPDATE aegis.session SET expires_at = now() + interval '2 seconds'" > /dev/null
  said=$(expired "$statement")
  says "after its time a context refuses ${statement:0:36}" "$said" '^before one' 'AG002: context has expired' 'AG016: session is not valid'
  is "and shows nothing" "$(grep -c '^after' <<< "$said" || true)" 0
done
is "nor does it change anything" "$(query "SELECT count(*) FROM aegis.user")" 1
query "UPDATE aegis.session SET expires_at = now() + interval '1 hour'" > /dev/null

# The same for what drivers do: the extended protocol, portals that are read bit by bit.
query "ALTER SYSTEM SET aegis.transaction_timeout = '2s'" > /dev/null
query "SELECT pg_reload_conf(), aegis.set_tenant_limits((SELECT id FROM aegis.tenant WHERE slug = 'one'), statement_timeout => '700 ms')" > /dev/null
reloaded() { [ "$(query 'SHOW aegis.transaction_timeout')" = 2s ]; }
within 10 reloaded || true
python3 tests/process/context_clock.py "$place" "$token" | tee "$place/clock"
if grep -q '^not ok' "$place/clock" || [ "$(grep -c '^ok' "$place/clock")" != 4 ]; then failed=1; fi
query "ALTER SYSTEM RESET aegis.transaction_timeout" > /dev/null
query "SELECT pg_reload_conf()" > /dev/null

# A client that waits in its transaction is let go of, whatever it sets.
query "SELECT aegis.set_tenant_limits((SELECT id FROM aegis.tenant WHERE slug = 'one'), idle_timeout => '300 ms')" > /dev/null
says "an idle transaction ends with its limit" "$(as_member << SQL || true
BEGIN;
SELECT aegis.authenticate('$token');
SET LOCAL idle_in_transaction_session_timeout = 0;
\! sleep 1.5
SELECT 'after';
SQL
)" '25P03: terminating connection due to idle-in-transaction timeout'
query "SELECT aegis.set_tenant_limits((SELECT id FROM aegis.tenant WHERE slug = 'one'))" > /dev/null

# off WALL: restarts with this wall off, and only this one.
off() {
  stop
  as_server sed -i '/^aegis.*= off$/d' "$cluster/postgresql.conf"
  settings "$1 = off"
  as_server truncate -s 0 "$log"
  must_start
  must_have_worker "without $1"
  says "without $1 the start is a warning" "$(as_server cat "$log")" "WARNING:  \"$1\" is off" 'HINT:  Remove the line'
  recorded() { [ "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'setting.wall_off' AND target_id = '$1'")" = 1 ]; }
  within 10 recorded "$1" || true
  is "and an entry of the ledger" "$(recorded "$1" && echo yes)" yes
  is "the policies hold without $1" "$(once 'SELECT body FROM note' | sed '/^$/d')" one
}

says "all walls on" "$(once 'SELECT * FROM plain')$(once 'SELECT count(*) FROM careless')$(once 'EXPLAIN SELECT 1')$(once 'SELECT pg_sleep(0)')$(once 'SELECT * FROM note_past')" \
  'AG009: relation "plain"' 'AG010: EXPLAIN' 'AG010: function "pg_sleep"' 'AG010: relation "note"'
is "a careless policy shows the own rows" "$(once 'SELECT count(*) FROM careless' | sed '/^$/d')" 1

off aegis.restrictive_wall
is "a careless policy shows all rows" "$(once 'SELECT count(*) FROM careless' | sed '/^$/d')" 2
says "the others stand" "$(once 'SELECT * FROM plain')$(once 'EXPLAIN SELECT 1')$(once 'SELECT pg_sleep(0)')" \
  'AG009: relation "plain"' 'AG010: EXPLAIN' 'AG010: function "pg_sleep"'

off aegis.default_deny
is "an unprotected relation is open" "$(once 'SELECT count(*) FROM plain' | sed '/^$/d')" 0
says "the others stand" "$(once 'EXPLAIN SELECT 1')$(once 'SELECT pg_sleep(0)')$(as_member <<< 'SELECT * FROM note')" \
  'AG010: EXPLAIN' 'AG010: function "pg_sleep"' 'AG001: tenant is not set'

off aegis.statement_guard
says "EXPLAIN explains" "$(once 'EXPLAIN SELECT 1')" 'Result'
says "the others stand" "$(once 'SELECT * FROM plain')$(once 'SELECT pg_sleep(0)')" 'AG009: relation "plain"' 'AG010: function "pg_sleep"'

off aegis.function_guard
is "a refused function runs" "$(once 'SELECT pg_sleep(0) IS NOT NULL' | sed '/^$/d')" t
says "the others stand" "$(once 'SELECT * FROM plain')$(once 'EXPLAIN SELECT 1')" 'AG009: relation "plain"' 'AG010: EXPLAIN'

off aegis.ledger_guard
is "the others stand" "$(once 'SELECT * FROM plain' | grep -c AG009)" 1

finish
