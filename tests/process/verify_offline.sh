#!/usr/bin/env bash
# What an export proves on another machine: the honest ledger holds, and against a head that was kept an edited,
# rewritten, cut or restored one does not. The independent reader agrees.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

verify=$(built aegis-verify)

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE ROLE auditor LOGIN IN ROLE aegis_auditor" > /dev/null
tenant=$(query "SELECT aegis.create_tenant('acme', 'Acme')")
query "SELECT aegis.declare_event('offline.done', 'for the test of exports', '{\"n\": \"clear\"}')" > /dev/null
fill() {
  query "SELECT count(aegis.record('offline.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 300) n" > /dev/null
  query "SELECT aegis.wait_sealed('60 s')" > /dev/null
}
# export FILE [ARGUMENT]: as the page says, as an auditor.
export_to() { query "COPY (SELECT aegis.export_ledger(${2:-})) TO STDOUT" -U auditor > "$1"; }
files=$(mktemp -d)
trap 'end; rm -rf "$files"' EXIT
fill
fill
stop
as_server cp -a "$cluster" "$place/older"
start
fill

# check NAME STATUS FILE [ARGUMENT ...] -- PATTERN ...: runs aegis-verify.
check() {
  local name=$1 wanted=$2 file=$3 status=0 output arguments=()
  shift 3
  while [ "$1" != -- ]; do arguments+=("$1"); shift; done
  shift
  output=$("$verify" bundle "$file" "${arguments[@]}" 2>&1) || status=$?
  says "$name" "$output
status $status" "$@" "^status $wanted\$"
}

export_to "$files/first"
check "the honest ledger" 0 "$files/first" --keep "$files/kept" -- '^result +ok' '^seal [0-9]+ hash [0-9a-f]{64}$'
is "the kept head is the newest seal" "$(cat "$files/kept")" \
  "$(query "SELECT 'seal ' || number || ' hash ' || encode(hash, 'hex') FROM aegis.seal WHERE number = $(cut -d ' ' -f 2 "$files/kept")")"
is "the independent reader agrees" "$(python3 tests/independent/aegis_proof.py bundle "$files/first")" "$(cat "$files/kept")"
is "every sealed entry is in it" "$(grep -c '^hAM' "$files/first")" \
  "$(query "SELECT sum(cardinality(seqs)) FROM aegis.seal_leaves WHERE seal <= $(cut -d ' ' -f 2 "$files/kept")")"
fill
export_to "$files/second"
check "the ledger that grew holds against the kept head" 0 "$files/second" --head "$files/kept" -- '^compared +with the heads'
export_to "$files/tenant" "'$tenant'"
check "one tenant's part" 0 "$files/tenant" --tenant "$tenant" --keep "$files/tenant.kept" -- "^bundle +tenant $tenant" '^result +ok' '^log [0-9a-f]{64} size [0-9]+'
is "the independent reader agrees on the tenant's" "$(python3 tests/independent/aegis_proof.py bundle "$files/tenant")" "$(head -n 1 "$files/tenant.kept")"
is "the exports are in the ledger" "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'ledger.exported'")" 3
"$verify" bundle "$files/second" --keep "$files/kept" > /dev/null
stop
honest=$cluster

# change NAME SQL PATTERN ...: a superuser changes a copy without the library; its export is checked.
change() {
  local name=$1 statement=$2
  shift 2
  cluster=$place/copy
  as_server cp -a "$honest" "$cluster"
  settings "shared_preload_libraries = ''"
  must_start
  # The guard of DDL needs the library, but no guard is asked about ALTER EVENT TRIGGER.
  query "DO \$\$ DECLARE guard name; BEGIN
           FOR guard IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', guard); END LOOP;
         END \$\$;
         ALTER TABLE aegis.entry DISABLE TRIGGER ALL; ALTER TABLE aegis.seal DISABLE TRIGGER ALL;
         ALTER TABLE aegis.seal_leaves DISABLE TRIGGER ALL; ALTER TABLE aegis.tenant_log DISABLE TRIGGER ALL;
         $statement" > /dev/null
  stop
  settings "shared_preload_libraries = 'aegis'"
  must_start
  export_to "$files/changed"
  stop
  rm -rf "$cluster"
  cluster=$honest
  check "$name" 1 "$files/changed" --head "$files/kept" -- "$@"
  if python3 tests/independent/aegis_proof.py bundle "$files/changed" > "$files/independent"; then
    # Only the kept head tells.
    if cmp -s <(tail -n 1 "$files/independent") "$files/kept"; then echo "not ok $name: the independent reader saw nothing"; failed=1; fi
  fi
}
target="(SELECT min(seq) + 100 FROM aegis.entry)"
change "an old entry edited" "UPDATE aegis.entry SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE seq = $target" \
  '^finding +seal [0-9]+, the system.s log, leaf [0-9]+ \(entry seq [0-9]+\): its body was changed'
change "an old entry edited with its leaf" "UPDATE aegis.entry SET body = set_byte(body, 60, get_byte(body, 60) # 1),
  leaf = sha256('\x00' || set_byte(body, 60, get_byte(body, 60) # 1)) WHERE seq = $target" \
  '^finding +seal [0-9]+, the system.s log: its root at size [0-9]+ is not'
change "an old entry deleted" "DELETE FROM aegis.entry WHERE seq = $target" \
  '^finding +seal [0-9]+, the system.s log, leaf [0-9]+ \(entry seq [0-9]+\): it is sealed and missing'
change "a seal deleted" "DELETE FROM aegis.seal WHERE number = 2" '^finding +seal 3: it follows seal 1'
kept=$(cut -d ' ' -f 2 "$files/kept")
change "the end cut off with its seals" "DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal >= $kept);
  DELETE FROM aegis.seal_leaves WHERE seal >= $kept; DELETE FROM aegis.seal WHERE number >= $kept" \
  "^finding +(end: the kept seal $kept is not there|seal $kept: it is not the seal that was kept)"

# An older state, whole and honest in itself.
cluster=$place/older
must_start
export_to "$files/older"
check "an older state holds by itself" 0 "$files/older" -- '^result +ok'
check "an older state restored" 1 "$files/older" --head "$files/kept" -- '^finding +end: the kept seal [0-9]+ is not there, .* an older state was restored'
for _ in 1 2 3 4 5 6; do fill; done
export_to "$files/older"
check "an older state restored and used on" 1 "$files/older" --head "$files/kept" -- '^finding +seal [0-9]+: it is not the seal that was kept'
stop
finish
