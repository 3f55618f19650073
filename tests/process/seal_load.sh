#!/usr/bin/env bash
# The sealer behind long and large transactions: writers that stay open do not make it read again what it has sealed, what they wrote
# is sealed once when they end, and one statement with very many rows is sealed in time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

long=${AEGIS_LONG:-no}
passes=100 rows=50000 seconds=3
if [ "$long" = yes ]; then passes=2000 rows=1000000 seconds=30; else echo "skip a million rows sealed within ten seconds, a writer that is open for minutes, a ledger of few transactions (long)"; fi
make_cluster
preload
settings "aegis.seal_interval = '10ms'" "max_prepared_transactions = 5" "autovacuum = off" "max_wal_size = '4GB'"
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "SELECT aegis.declare_event('load.done', 'for the test of load', '{\"n\": \"clear\"}'); CREATE TABLE bulk (id bigint PRIMARY KEY, name text);
  SELECT aegis.audit_table('bulk')" > /dev/null
record() { echo "SELECT aegis.record('load.done', detail => '{\"n\": $1}');"; }

# Enough for reading all of it to be seen.
query "SELECT count(aegis.record('load.done', detail => '{\"n\": 0}')) FROM generate_series(1, 20000); SELECT aegis.wait_sealed('60 s')" > /dev/null

# Two writers stay open: one prepared, one in a session, with a savepoint that is rolled back and one that is not.
query "BEGIN; $(record 1) PREPARE TRANSACTION 'long'" > /dev/null
mkfifo "$place/open"
chmod 0666 "$place/open"
as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d postgres < "$place/open" > "$place/said" 2>&1 &
writer=$!
exec 7> "$place/open"
echo "BEGIN; $(record 2) SAVEPOINT a; $(record 3) ROLLBACK TO a; SAVEPOINT b; $(record 4) SELECT 'open';" >&7
within 20 grep -q open "$place/said"
query "SELECT aegis.wait_sealed('20 s')" > /dev/null

# Statistics are reported once a second.
settle() {
  sleep 1.5
  query "SELECT aegis.record('load.done'); SELECT aegis.wait_sealed('20 s')" > /dev/null
  sleep 1.5
}
read_tuples() { query "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE schemaname = 'aegis' AND indexrelname ~ '^entry_.*_xid$'"; }
settle
before=$(query "SELECT count(*) FROM aegis.entry") tuples=$(read_tuples)
started=$EPOCHREALTIME
for _ in $(seq "$passes"); do echo "SELECT count(aegis.record('load.done', detail => '{\"n\": 0}')) FROM generate_series(1, 20); SELECT aegis.wait_sealed('20 s');"; done |
  as_server "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d postgres > /dev/null
echo "$passes seals of 20 entries beside two open writers in $(awk "BEGIN { print $EPOCHREALTIME - $started }") s"
written=$(($(query "SELECT count(*) FROM aegis.entry") - before))
settle
tuples=$(($(read_tuples) - tuples))
echo "$tuples tuples read for $written entries"
is "a seal reads what is new, however long others are open" "$([ "$tuples" -ge "$written" ] && [ "$tuples" -le $((4 * written)) ] && echo yes)" yes
sealed() { query "SELECT string_agg(detail ->> 'n', ' ' ORDER BY detail ->> 'n') FROM aegis.audit_log WHERE event = 'load.done' AND detail ->> 'n' <> '0' AND seal IS NOT NULL"; }
is "what is open is not sealed" "$(sealed)" ""
query "COMMIT PREPARED 'long'" > /dev/null
echo "COMMIT;" >&7
exec 7>&-
wait "$writer"
query "SELECT aegis.wait_sealed('20 s')" > /dev/null
is "what they wrote is sealed when they end" "$(sealed)" "1 2 4"

# Writers at full speed: how long an entry waits for its seal.
echo "$(record 0)" | as_server tee "$place/load.sql" > /dev/null
first=$(query "SELECT max(seq) FROM aegis.entry")
as_server "$bin/pgbench" -n -h "$place" -U postgres -c 8 -j 2 -T "$seconds" -f "$place/load.sql" postgres 2> /dev/null | grep -E '^tps'
query "SELECT aegis.wait_sealed('20 s')" > /dev/null
echo "lag of the oldest entry of a seal, ms: $(query "SELECT 'median ' || percentile_cont(0.5) WITHIN GROUP (ORDER BY lag)::int || ', 99 % ' ||
  percentile_cont(0.99) WITHIN GROUP (ORDER BY lag)::int || ', largest ' || max(lag)::int FROM (
    SELECT extract(epoch FROM s.sealed_at - min(a.time)) * 1000 AS lag FROM aegis.audit_log a JOIN aegis.seal s ON s.number = a.seal WHERE a.seq > $first GROUP BY s.number, s.sealed_at) l")"
is "all of it is sealed" "$(query "SELECT count(*) FROM aegis.audit_log WHERE seq > $first AND seal IS NULL")" 0

# One statement with very many rows.
started=$EPOCHREALTIME
query "INSERT INTO bulk SELECT n, 'name ' || n FROM generate_series(1, $rows) n" > /dev/null
committed=$EPOCHREALTIME
query "SELECT aegis.wait_sealed('60 s')" > /dev/null
took=$(awk "BEGIN { print $EPOCHREALTIME - $committed }")
echo "$rows rows written in $(awk "BEGIN { print $committed - $started }") s, sealed $took s after the commit"
is "every row is sealed" "$(query "SELECT sum(cardinality(seqs)) >= $rows FROM aegis.seal_leaves WHERE seal = (SELECT seal FROM aegis.seal_leaves GROUP BY seal ORDER BY sum(cardinality(seqs)) DESC LIMIT 1)")" t
if [ "$long" = yes ]; then is "within ten seconds" "$(awk "BEGIN { print ($took < 10) }")" 1; fi
is "the ledger verifies" "$(query "SELECT checked, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'")" ""
# A ledger that few transactions wrote, as the planner knows; it doubles, so that the sealer plans anew. Of less than a million rows
# the planner thinks otherwise.
if [ "$long" != yes ]; then finish; fi
query "CREATE DATABASE few" > /dev/null
query_database=few
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "SELECT aegis.declare_event('load.done', 'for the test of load', '{\"n\": \"clear\"}'); CREATE TABLE bulk (id bigint PRIMARY KEY, name text);
  SELECT aegis.audit_table('bulk')" > /dev/null
for part in 1 2 3; do
  query "INSERT INTO bulk SELECT $part * 10000000 + n, 'name' FROM generate_series(1, $rows * $part) n" > /dev/null
  query "SELECT aegis.wait_sealed('60 s')" > /dev/null
  query "VACUUM ANALYZE aegis.entry" > /dev/null
done
settle
tuples=$(read_tuples)
for _ in 1 2 3 4 5; do query "$(record 0) SELECT aegis.wait_sealed('20 s')" > /dev/null; done
settle
tuples=$(($(read_tuples) - tuples))
echo "$tuples tuples read for 6 entries behind those of a few transactions, of $(query "SELECT count(*) FROM bulk") entries"
is "a seal reads what is new, however few wrote the rest" "$([ "$tuples" -ge 6 ] && [ "$tuples" -le 1000 ] && echo yes)" yes
finish
