#!/usr/bin/env bash
# Recovery to a point in time, promotion of standbys and a dump, while a signer watches: what goes on from the state that was
# signed last is signed without an alarm; what lies before it, or beside it, is refused however much it grows, until an operator
# begins a new epoch and another log. docs/restore.md, step by step.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh
. tests/signed.sh

make_cluster
preload
as_server mkdir "$place/archive"
settings "wal_level = replica" "archive_mode = on" "archive_command = 'test -e $place/archive/%f || cp %p $place/archive/%f'" \
  "restore_command = 'cp $place/archive/%f %p 2> /dev/null'" "aegis.seal_interval = '20ms'"
begin_signer recovery.example
key=$vkey

port=5432
here() { query "$1" -p "$port"; }
reload() { settings "$@" && as_server "$bin/pg_ctl" reload -s -D "$cluster"; }
open_for_writes() { [ "$(here "SELECT pg_is_in_recovery() OR NOT (SELECT alive FROM aegis.worker_status())")" = f ]; }
# The first start has no extension yet.
comes() { must_start; [ -e "$place/base" ] || return 0; within 30 open_for_writes || { echo "not ok $cluster does not come"; exit 1; }; }
fill() { here "SELECT count(aegis.record('recovery.done')) FROM generate_series(1, 10); SELECT aegis.wait_sealed('20 s')" > /dev/null; }
signed() { here "SELECT aegis.wait_checkpoint('20 s')"; }
heads() { here "SELECT max(root_size) FROM aegis.seal"; }
status() { as_server "$place/aegis-signer" status --state "$place/signer/state" | sed -nE "s,^$1/postgres.*size ([0-9]+).*,\1,p"; }
refusals() { here "SELECT count(*) FROM aegis.audit_log WHERE event = 'ledger.checkpoint_refused'"; }
is_refused() { [ "$(here "SELECT aegis.health() ->> 'checkpoint'")" = refused ]; }
findings() { here "SELECT checked, detail FROM aegis.verify_ledger(checkpoint => nullif('${1:-}', '')) WHERE outcome <> 'ok'"; }
kept() { here "SELECT aegis.latest_checkpoint()"; }
# goes_on NAME: entries are sealed and signed, nothing was refused since, everything verifies and extends what was kept.
goes_on() {
  local before after
  before=$(refusals)
  fill
  after=$(signed) || after="not signed: $after"
  is "$1: it is signed" "$after, $(status "$origin")" "$(heads), $after"
  is "$1: nothing was refused" "$(($(refusals) - before))" 0
  is "$1: it verifies" "$(findings)" ""
}
# refuses NAME KEPT: nothing is signed of it, however much it grows, and everybody who may know is told.
refuses() {
  local name=$1 before rows
  before=$(status "$origin") rows=$(here "SELECT count(*) FROM aegis.checkpoint")
  fill
  within 20 is_refused || true
  is "$name: refused, and health says so" "$(here "SELECT aegis.health() ->> 'checkpoint', aegis.health() ->> 'status'")" "refused|degraded"
  while [ "$(heads)" -le $((before + 3)) ]; do fill; done
  here "SELECT aegis.wait_checkpoint('1 s')" > "$place/waited" 2>&1 || true
  is "$name: larger, it is refused all the same" "$(status "$origin"), $(here "SELECT count(*) FROM aegis.checkpoint"), $(grep -c 'no signed checkpoint' "$place/waited")" "$before, $rows, 1"
  is "$name: the ledger says so" "$([ "$(refusals)" -gt 0 ] && echo yes)" yes
  says "$name: so does whoever kept a checkpoint" "$(findings "$2")" '^checkpoints\|'
}
# recover NAME TARGET: the base backup, brought to a named point.
recover() {
  cluster=$place/$1
  as_server cp -a "$place/base" "$cluster"
  settings "recovery_target_name = '$2'" "recovery_target_action = 'promote'"
  as_server touch "$cluster/recovery.signal"
  comes
}
point() { here "SELECT pg_create_restore_point('$1'); SELECT pg_switch_wal(); CHECKPOINT" > /dev/null; }
# standby NAME PORT: a copy of the present server that follows it.
standby() {
  as_server "$bin/pg_basebackup" -h "$place" -p "$port" -U postgres -D "$place/$1" -R -X stream -c fast
  (cluster=$place/$1 && settings "port = $2" "synchronous_standby_names = ''" "recovery_target_name = ''")
}

follows() { [ "$(here "SELECT sync_state FROM pg_stat_replication")" = sync ]; }

origin=recovery.example
comes
here "CREATE EXTENSION aegis" > /dev/null
within 20 open_for_writes
here "SELECT aegis.declare_event('recovery.done', 'for the test of recovery')" > /dev/null
fill
signed > /dev/null
as_server "$bin/pg_basebackup" -h "$place" -U postgres -D "$place/base" -X stream -c fast
fill
signed > /dev/null
# From here on the signer is not reached, as if it were away.
reload "aegis.signer = ''"
fill
point level
fill
stop

# Before an anchor: what was lost had never been signed.
recover first level
goes_on "recovered to before an anchor"
newest=$(kept)
stop

# Behind an anchor: the other copy was signed meanwhile.
recover second level
refuses "recovered to before what was signed" "$newest"
old=$(status "$origin")
here "CREATE ROLE operator LOGIN IN ROLE aegis_operator" > /dev/null
known=$(here "SELECT split_part(note, E'\n', 1), size, encode(root, 'hex') FROM aegis.checkpoint ORDER BY number DESC LIMIT 1")
is "a new epoch begins" "$(as_role operator -p "$port" -c "SELECT aegis.begin_epoch('recovered to level, the rest is lost')")" 2
is "its entry has the reason and the newest checkpoint that the ledger knew" "$(here "SELECT detail ->> 'epoch', detail ->> 'reason', detail ->> 'checkpoint_origin', detail ->> 'checkpoint_size', detail ->> 'checkpoint_root' FROM aegis.audit_log WHERE event = 'ledger.epoch_begun'")" \
  "2|recovered to level, the rest is lost|$known"
says "which is one of the log that was signed" "$known" '^recovery.example/postgres\|[1-9][0-9]*\|[0-9a-f]{64}$'
kill "$signer_pid"
wait "$signer_pid" 2> /dev/null || true
origin=recovery.example-2
key=$(as_server "$place/aegis-signer" add --state "$place/signer/state" --origin "$origin/postgres")
serve=("$place/aegis-signer" serve --state "$place/signer/state" --socket "$place/signer/socket" --log "$place/signer/log")
if [ "$(id -u)" = 0 ]; then serve=(setpriv --reuid postgres --regid postgres --init-groups "${serve[@]}"); fi
"${serve[@]}" &
signer_pid=$!
within 20 test -S "$place/signer/socket"
reload "aegis.ledger_origin = '$origin'" "aegis.ledger_key = '$key'"
goes_on "in a new epoch under another log"
is "what was signed of the old log stays" "$(status recovery.example)" "$old"

# A standby that has all that was signed is promoted: the signer follows. The old primary comes back beside it: it does not.
standby third 5433
reload "synchronous_standby_names = '*'"
(cluster=$place/third && must_start)
within 20 follows
fill
signed > /dev/null
fill
stop immediate
second=$cluster cluster=$place/third port=5433
as_server "$bin/pg_ctl" promote -s -w -D "$cluster"
within 30 open_for_writes
goes_on "a promoted standby"
newest=$(kept)
(cluster=$second && settings "synchronous_standby_names = ''")
cluster=$second port=5432
comes
refuses "the old primary beside it" "$newest"
stop
cluster=$place/third port=5433
goes_on "the promoted standby, still"

# A standby that was behind is promoted.
standby fourth 5434
fill
signed > /dev/null
newest=$(kept)
as_server "$bin/pg_dump" -h "$place" -p "$port" -U postgres -Fc -f "$place/dump" postgres 2> /dev/null
as_server "$bin/pg_dumpall" -h "$place" -p "$port" -U postgres --roles-only -f "$place/roles.sql"
stop immediate
cluster=$place/fourth port=5434
must_start
as_server "$bin/pg_ctl" promote -s -w -D "$cluster"
within 30 open_for_writes
refuses "a standby that was behind" "$newest"
stop

# A dump of what was signed, in another cluster: a new epoch, the same log.
cluster=$place/fifth port=5432
as_server rm -f "$place/keyring"
make_cluster
preload
settings "aegis.restore_mode = on" "aegis.signer = '$place/signer/socket'" "aegis.ledger_origin = '$origin'" "aegis.ledger_key = '$key'" \
  "aegis.checkpoint_interval = '200ms'" "aegis.seal_interval = '20ms'"
must_start
as_server "$bin/psql" -XAtq -h "$place" -U postgres -d postgres -f "$place/roles.sql" > /dev/null 2>&1 || true
is "the dump comes back" "$(as_server "$bin/pg_restore" -h "$place" -U postgres -d postgres --exit-on-error "$place/dump" 2>&1)" ""
stop
settings "aegis.restore_mode = off"
comes
is "and begins an epoch" "$(as_role operator -c "SELECT aegis.begin_epoch('restored from a dump')")" 3
goes_on "a dump in another cluster"
is "and extends what was kept" "$(findings "$newest")" ""
finish
