#!/usr/bin/env bash
# Thirty-two clients of one tenant send invoices at once, a thousand with AEGIS_LONG=yes, and roll a fifth of it back: the numbers are 1 to n,
# each once. Two requests under one Idempotency-Key at once: one does it, the other is refused while it runs and answered alike afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "max_connections = 60" "aegis.request_timeout = '60s'"
must_start
query "CREATE EXTENSION aegis; CREATE EXTENSION aegis_app; CREATE ROLE member LOGIN IN ROLE aegis_member; CREATE ROLE gateway LOGIN IN ROLE aegis_gateway" > /dev/null
must_have_worker
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")
query "BEGIN; SELECT aegis.assume_tenant('$tenant', 'set up', 'T-1', read_only => false);
  SELECT aegis.create_user('ada@acme.example', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river'); COMMIT" > /dev/null
token=$(as_role member -c "SELECT token FROM aegis.sign_in('acme', 'ada@acme.example', 'plum quartz lantern 47 river', '192.0.2.1', 'test', 't')")
request="jsonb_populate_record(NULL::aegis.request, jsonb_build_object"
buyer=$(as_role member << SQL | tail -n 1
BEGIN;
SELECT aegis.authenticate('$token') \g /dev/null
SELECT (aegis_app.create_customer($request('body', '{"name": "Buyer"}'::jsonb)))).body ->> 'id';
COMMIT;
SQL
)

# Each client: drafts, sends, and takes every fifth of it back, all of them after a savepoint.
clients=32 rounds=10
if [ "${AEGIS_LONG:-no}" = yes ]; then rounds=32; else echo "skip a thousand invoices at once (takes more than a minute)"; fi
client() {
  local i
  for i in $(seq "$rounds"); do
    local end=COMMIT
    if [ $((($1 + i) % 5)) = 0 ]; then end=ROLLBACK; fi
    cat << SQL
BEGIN;
SELECT aegis.authenticate('$token') \g /dev/null
SELECT (aegis_app.create_invoice($request('body', jsonb_build_object('customer_id', '$buyer', 'currency', 'GBP',
  'lines', '[{"description": "work", "unit_minor": 100}]'::jsonb))))).body ->> 'id' AS id \gset
SAVEPOINT s;
SELECT (aegis_app.send_invoice($request('params', jsonb_build_object('id', :'id'))))).status \g /dev/null
ROLLBACK TO s;
SELECT (aegis_app.send_invoice($request('params', jsonb_build_object('id', :'id'))))).status AS status \gset
\if :{?status}
\else
\echo no status
\endif
$end;
SQL
  done
}
for n in $(seq "$clients"); do client "$n" | as_role member > "/tmp/aegis-client.$$.$n" & done
for job in $(jobs -p); do wait "$job" || failed=1; done
said=$(cat "/tmp/aegis-client.$$".*)
rm -f "/tmp/aegis-client.$$".*
is "no client was refused" "$said" ""
wanted=$(for n in $(seq "$clients"); do for i in $(seq "$rounds"); do echo $(((n + i) % 5)); done; done | grep -vc '^0$')
is "as many numbers as commits" "$(query "SELECT count(number) FROM aegis_app.invoice")" "$wanted"
is "one to the last, each once" "$(query "SELECT count(DISTINCT number_seq), min(number_seq), max(number_seq) FROM aegis_app.invoice WHERE number IS NOT NULL")" "$wanted|1|$wanted"
is "the tenant's own check" "$(as_role member << SQL
BEGIN;
SELECT aegis.authenticate('$token') \g /dev/null
SELECT numbered, next_number, missing, gapless FROM aegis_app.check_gapless();
SQL
)" "$wanted|$((wanted + 1))|{}|t"

# The first request waits for a lock of ours in the midst of its work; the second comes meanwhile.
invoice=$(as_role member << SQL | tail -n 1
BEGIN;
SELECT aegis.authenticate('$token') \g /dev/null
SELECT (aegis_app.create_invoice($request('body', jsonb_build_object('customer_id', '$buyer', 'currency', 'GBP',
  'lines', '[{"description": "work", "unit_minor": 100}]'::jsonb))))).body ->> 'id';
COMMIT;
SQL
)
send() {
  as_role gateway -c "SELECT h.status, h.headers @> '{idempotency-replayed}', h.headers @> '{retry-after}', md5(h.body), encode(h.body, 'escape')::jsonb ->> 'type'
    FROM aegis.handle('POST', '/api/invoices/$invoice/send', ARRAY['authorization', 'Bearer $token', 'content-type', 'application/json',
      'idempotency-key', 'one'], '{}', '192.0.2.1', 'r-1') h"
}
mkfifo "$place/pipe" && chmod 0666 "$place/pipe"
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres < "$place/pipe" > /dev/null &
exec 3> "$place/pipe"
echo "BEGIN; SELECT FROM aegis_app.invoice WHERE id = '$invoice' FOR UPDATE;" >&3
is_locked() { [ "$(query "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 1 ]; }
within 30 is_locked
send > "/tmp/aegis-first.$$" &
first=$!
is_waiting() { [ "$(query "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event_type = 'Lock'")" = 1 ]; }
within 30 is_waiting
says "the second is refused, not queued" "$(send)" '^409\|f\|t\|.*\|urn:aegis:problem:idempotency-key-in-use$'
echo "ROLLBACK; \\q" >&3
exec 3>&-
wait "$first"
did=$(cat "/tmp/aegis-first.$$")
rm -f "/tmp/aegis-first.$$"
says "the first does it" "$did" '^200\|f\|f\|'
is "afterwards it is told the same" "$(send)" "${did/|f|/|t|}"
is "and done once" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'invoice.sent' AND target_id = '$invoice'")" 1
finish
