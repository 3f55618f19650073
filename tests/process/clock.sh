#!/usr/bin/env bash
# The wall clock is set back under a running server: whoever waits for a seal waits for it still, a limit on unsealed entries
# holds, and what was put off while the clock ran ahead is done all the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

make_cluster
preload
settings "aegis.seal_interval = '20ms'" "fsync = off"
begin_signer clock.example/ledger
worker=
trap '[ -z "$worker" ] || kill -CONT "$worker" 2> /dev/null || true; end_signer' EXIT
cc -shared -fPIC -O2 -Wall -Werror -o "$place/clock_shift.so" tests/process/clock_shift.c
chmod 0755 "$place/clock_shift.so"
ahead() { printf '%s\n' "$1" | as_server tee "$place/shift.new" > /dev/null && as_server mv "$place/shift.new" "$place/shift"; }
ahead 3600
must_start "LD_PRELOAD=$place/clock_shift.so" "CLOCK_SHIFT=$place/shift"
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "SELECT aegis.declare_event('clock.done', 'for the test of clocks')" > /dev/null
settings "aegis.seal_lag_limit = '2s'"
query "SELECT pg_reload_conf()" > /dev/null
record() { query "SELECT aegis.record('clock.done')"; }
hours_ahead() { query "SELECT round((extract(epoch FROM clock_timestamp()) - $(date +%s)) / 3600)"; }
is "the server's clock is an hour ahead" "$(hours_ahead)" 1
record > /dev/null
is "what was recorded is sealed" "$(query "SELECT aegis.wait_sealed('20 s') > 0")" t

# The worker rests, and the clock goes back.
worker=$(query "SELECT pid FROM aegis.worker_status()")
kill -STOP "$worker"
ahead 0
is "the clock is right again" "$(hours_ahead)" 0
record > /dev/null
says "an entry that is not sealed is waited for" "$(query "SELECT aegis.wait_sealed('300 ms')")" 'ERROR: .*entries are not sealed yet'
sleep 2.5
says "the limit on what is not sealed holds" "$(record)" 'ERROR: .*sealing of the ledger lags behind its limit'
is "health says how far sealing is behind" "$(query "SELECT (aegis.health() ->> 'seal_lag_ms')::bigint BETWEEN 2000 AND 60000")" t
is "so does the worker's status, by the clock on the wall" "$(query "SELECT clock_timestamp() - sealed_until BETWEEN '2 s' AND '60 s' FROM aegis.worker_status()")" t
kill -CONT "$worker"
worker=
again() { record; }
within 20 again || echo "not ok it goes on"
is "and everything is sealed and signed" "$(query "SELECT aegis.wait_sealed('20 s') > 0 AND aegis.wait_checkpoint('20 s') > 0")" t

# What is due every few minutes is put off by a clock that runs a year ahead, and then does not.
query "SELECT aegis.register_destination('worm', 'drop:worm'), aegis.register_destination('w', 'https://witness.example/w')" > /dev/null
ahead 31536000
query "SELECT aegis.register_anchor('file', 'file', 'worm', '1 h');
  SELECT aegis.register_witness('witness.example/one+2152e6a7+BM0Us3+VbpUxlP9/tzs9gdzFYdYadTgJS3w+GmQ+5fOq', 'w')" > /dev/null
asked() { [ "$(query "SELECT count(DISTINCT kind) FROM aegis.outbound WHERE kind IN ('anchor_file', 'witness') AND not_before BETWEEN clock_timestamp() - interval '1 h' AND clock_timestamp() + interval '1 h'")" = 2 ]; }
within 20 asked || echo "not ok both are asked while the clock is ahead"
ahead 0
is "both are asked again by the clock that is right" "$(within 30 asked && echo asked)" asked
is "the ledger verifies" "$(query "SELECT count(*) FROM aegis.verify_ledger() WHERE outcome = 'finding'")" 0
finish
