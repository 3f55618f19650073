#!/usr/bin/env bash
# Whoever unloads the library can change the ledger. On a copy of the cluster a superuser does; back under
# the library, verification names each change.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
start || { as_server tail -n 20 "$log"; exit 1; }
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.declare_event('tamper.done', 'for the test of tampering', '{\"n\": \"clear\"}')" > /dev/null
for n in 1 2 3; do
  query "SELECT count(aegis.record('tamper.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 300) n" > /dev/null
  query "SELECT aegis.wait_sealed('60 s')" > /dev/null
done
is "the honest ledger verifies" "$(query "SELECT bool_and(outcome = 'ok') FROM aegis.verify_ledger()")" t
stop

honest=$cluster

# change NAME SQL PATTERN ...: makes the change on a copy without the library, verifies under it.
change() {
  local name=$1 statement=$2 found
  shift 2
  cluster=$place/copy
  as_server cp -a "$honest" "$cluster"
  settings "shared_preload_libraries = ''"
  start || { as_server tail -n 20 "$log"; exit 1; }
  query "ALTER TABLE aegis.entry DISABLE TRIGGER ALL; ALTER TABLE aegis.seal DISABLE TRIGGER ALL;
         ALTER TABLE aegis.seal_leaves DISABLE TRIGGER ALL; ALTER TABLE aegis.tenant_log DISABLE TRIGGER ALL;
         $statement" > /dev/null
  stop
  settings "shared_preload_libraries = 'aegis'"
  start || { as_server tail -n 20 "$log"; exit 1; }
  found=$(query "SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome = 'finding'")
  stop
  rm -rf "$cluster"
  cluster=$honest
  says "$name" "$found" "$@"
}

target="(SELECT min(seq) + 100 FROM aegis.entry)"
change "an old entry edited" "UPDATE aegis.entry SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE seq = $target" \
  '^entries\|entry seq [0-9]+\|leaf [0-9]+ of the system.s log, seal [0-9]+: its body was changed'
change "an old entry edited with its leaf" "UPDATE aegis.entry SET body = set_byte(body, 60, get_byte(body, 60) # 1),
  leaf = sha256('\x00' || set_byte(body, 60, get_byte(body, 60) # 1)) WHERE seq = $target" \
  '^tenant logs\|the system.s log\|its root at size [0-9]+ in seal [0-9]+ is not'
change "an old entry deleted" "DELETE FROM aegis.entry WHERE seq = $target" \
  '^entries\|entry seq [0-9]+\|leaf [0-9]+ of the system.s log, seal [0-9]+: it is sealed and missing'
change "an entry inserted" "INSERT INTO aegis.entry SELECT nextval('aegis.entry_seq'), xid, epoch, ordinal, tenant_id, leaf, body FROM aegis.entry WHERE seq = $target" \
  '^entries\|entry seq [0-9]+\|no leaf names it'
change "two entries swapped" "UPDATE aegis.entry e SET seq = 2 * t + 1 - e.seq FROM (SELECT $target AS t) x WHERE e.seq IN (t, t + 1)" \
  '^tenant logs\|the system.s log\|its root at size [0-9]+ in seal [0-9]+ is not'
change "a seal deleted" "DELETE FROM aegis.seal WHERE number = 2" \
  '^seals\|seal 2\|it is missing' '^seals\|seal 3\|it follows seal 1'
change "a body taken away" "ALTER TABLE aegis.entry ALTER body DROP NOT NULL; UPDATE aegis.entry SET body = NULL WHERE seq = $target" \
  '^entries\|entry seq [0-9]+\|leaf [0-9]+ of the system.s log, seal [0-9]+: its body'
change "a seal emptied" "ALTER TABLE aegis.seal ALTER body DROP NOT NULL, ALTER snapshot DROP NOT NULL, ALTER hash DROP NOT NULL;
  UPDATE aegis.seal SET body = NULL, snapshot = NULL, hash = NULL WHERE number = 2" '^seals\|seal 2\|its body is not a seal'
change "what the view finds leaves by" "UPDATE aegis.seal_leaves SET last_seq = last_seq - 1 WHERE seal = 2" \
  '^tenant logs\|the system.s log\|row from leaf [0-9]+ in seal 2 does not end'
change "what the next seal goes on from" "UPDATE aegis.tenant_log SET frontier = set_byte(frontier, 20, get_byte(frontier, 20) # 1);
  UPDATE aegis.seal SET root_frontier = set_byte(root_frontier, 20, get_byte(root_frontier, 20) # 1)" \
  '^(heads\|the system.s log\|its head says|tenant logs\|the system.s log\|its root at size)' '^root log\|seal 1\|its frontier is not'
change "leaves emptied" "ALTER TABLE aegis.seal_leaves ALTER seqs DROP NOT NULL; UPDATE aegis.seal_leaves SET seqs = NULL WHERE seal = 2" \
  '^seals\|seal 2\|it covers'
change "the tail cut off" "DELETE FROM aegis.entry WHERE seq > (SELECT max(seq) - 10 FROM aegis.entry)" \
  '^entries\|entry seq [0-9]+\|leaf [0-9]+ of the system.s log, seal [0-9]+: it is sealed and missing'
change "the tail cut off with its seal" "DELETE FROM aegis.entry WHERE seq IN (SELECT unnest(seqs) FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal));
  DELETE FROM aegis.seal_leaves WHERE seal = (SELECT max(number) FROM aegis.seal); DELETE FROM aegis.seal WHERE number = (SELECT max(number) FROM aegis.seal)" \
  '^(heads|tenant logs)\|the system.s log\|(its head says size|leaf [0-9]+ is followed by leaf)'
finish
