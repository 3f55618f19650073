#!/usr/bin/env bash
# What is done to roles, settings and capture while nobody looks shows in the ledger when the library is back: by a server without
# it, and by a hand in a configuration file.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "aegis.coverage_interval = 1"
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
query "CREATE TABLE parcel (id int PRIMARY KEY); SELECT aegis.audit_table('parcel')" > /dev/null
query "CREATE ROLE clerk LOGIN PASSWORD 'mortar'" > /dev/null
entries() { query "SELECT event || ' ' || target_id || ' ' || (detail ->> 'how') || ' ' || coalesce(detail ->> 'before', '-') || ' > ' || coalesce(detail ->> 'after', '-') FROM aegis.audit_log WHERE event ~ '^(role|grant|setting)[.]' AND detail ? 'how' ORDER BY seq"; }
shows() { entries | grep -qF -- "$1"; }
# found NAME TEXT: an entry says it, sooner or later.
found() {
  if within 20 shows "$2"; then echo "ok $1"; else
    echo "not ok $1"
    entries
    failed=1
  fi
}
found "watch/a role that a statement made" "role.changed clerk statement - > clerk, login, password"
begun() { [ "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'audit.watch_begun'")" = 1 ]; }
covered() { [ "$(query "SELECT count(*) FROM aegis.audit_log WHERE event = 'audit.coverage' AND detail ->> 'captured' $1")" != 0 ]; }
within 20 begun && echo "ok watch/the first look is recorded" || { echo "not ok watch/the first look is recorded"; failed=1; }
within 20 covered "= '1 of 1 tables'" && echo "ok watch/the table is captured, says the ledger" || { echo "not ok watch/the table is captured, says the ledger"; failed=1; }

# A file, by hand.
settings "session_replication_role = 'replica'" "aegis.lock_failures = 20"
query "SELECT pg_reload_conf()" > /dev/null
found "watch/a line in the configuration file" "setting.changed aegis.lock_failures in the files found - > 20"
found "watch/one of the server's own" "setting.changed session_replication_role in the files found - > replica"
as_server sed -i '/^session_replication_role/d' "$cluster/postgresql.conf"
query "SELECT pg_reload_conf()" > /dev/null
found "watch/a line that was taken out" "setting.changed session_replication_role in the files found replica > -"

# Without the library: nothing stands in the way of roles, and a superuser frees the schema.
stop
as_server sed -i '/^aegis\./d; /^shared_preload/d' "$cluster/postgresql.conf"
must_start
query "ALTER ROLE clerk PASSWORD 'pestle'; ALTER ROLE clerk SUPERUSER; CREATE ROLE ghost LOGIN; GRANT aegis_auditor TO ghost; ALTER ROLE clerk SET row_security = off" > /dev/null
query "ALTER EVENT TRIGGER aegis_ddl_end DISABLE" > /dev/null
query "ALTER TABLE parcel DISABLE TRIGGER aegis_audit_row" > /dev/null
query "GRANT INSERT ON aegis.tenant TO ghost; INSERT INTO parcel VALUES (1)" > /dev/null
stop
preload
settings "aegis.coverage_interval = 1"
must_start
found "watch/a role that was given everything, and another password" "role.changed clerk found clerk, login, password > clerk, superuser, login, password changed"
found "watch/a role that was made" "role.changed ghost found - > ghost, login"
found "watch/a membership" "role.membership_changed ghost in aegis_auditor found - > member"
found "watch/a setting of a role" "setting.changed row_security of role clerk found - > off"
found "watch/a grant" "grant.changed aegis.tenant found - > ghost: INSERT"
found "watch/a disabled event trigger" "setting.changed aegis_ddl_end found always, aegis.note_ddl > disabled, aegis.note_ddl"
within 20 covered "LIKE '0 of 1 tables%parcel%'" && echo "ok watch/a gap in the capture" || { echo "not ok watch/a gap in the capture"; failed=1; }
is "watch/no password is in the ledger" "$(query "SELECT count(*) FROM aegis.entry WHERE position('mortar'::bytea IN body) > 0 OR position('pestle'::bytea IN body) > 0")" 0
is "watch/the ledger is whole" "$(query "SELECT aegis.wait_sealed() > 0; SELECT count(*) FROM aegis.verify_ledger() WHERE outcome <> 'ok'" | tail -n 1)" 0
finish
