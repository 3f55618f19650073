#!/usr/bin/env bash
# Every way in which the master key can be missing or wrong is one clear error with a hint: a warning
# in the log at start, and the same reason where the key is needed. The server itself runs on.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
query_database="test"
seal="INSERT INTO t (tenant_id, id, note) SELECT id, 1, 'Zanzibar-4711' FROM aegis.tenant WHERE slug = 'key-test'"

# with_provider SETTING: the server with this provider, its log begun anew.
with_provider() {
  stop
  as_server rm -f "$log"
  settings "aegis.key_provider = '$1'"
  must_start
}
# reports NAME PATTERN HINT: the reason in the log, and at a statement that needs the key.
reports() {
  says "$1: log" "$(as_server cat "$log")" "WARNING:  $2" "HINT:  $3"
  says "$1: statement" "$(query "$seal" || true)" 'ERROR:  master key is not available' "DETAIL:  $2" "HINT:  $3"
}

must_start
query_database=postgres query "CREATE DATABASE test" > /dev/null
query "CREATE EXTENSION aegis" > /dev/null
query "SELECT aegis.create_tenant('key-test', 'Key test')" > /dev/null
query "CREATE TABLE t (tenant_id uuid NOT NULL, id int, note text)" > /dev/null
query "SELECT aegis.encrypt_column('t', 'note', 'process_test.note')" > /dev/null
query "$seal" > /dev/null
is "the right key" "$(query "SELECT state, root_keys >= 2 FROM aegis.key_status()")" "active|t"
query "SELECT note FROM t" > "$place/armor"

with_provider "file:$place/none"
reports "missing" "key file \"$place/none\" does not exist" 'Create a key file with aegis-keygen'
is "missing: what is sealed stays readable as armor" "$(query "SELECT note FROM t")" "$(cat "$place/armor")"
is "missing: status" "$(query "SELECT state, fault LIKE '%does not exist' FROM aegis.key_status()")" "missing|t"

as_server sh -c 'cp "$0/keyring" "$0/open" && chmod 0644 "$0/open"' "$place"
with_provider "file:$place/open"
reports "world-readable" "key file \"$place/open\" has mode 0644, allowed are 0400 and 0600" 'Run chmod 0400 on the file\.'

as_server sh -c 'cp "$0/keyring" "$0/data/keyring"' "$place"
with_provider "file:$cluster/keyring"
reports "inside the data directory" "key file \"$cluster/keyring\" is inside the data directory" 'Move it elsewhere'

# The same through a link.
as_server ln -s "$cluster/keyring" "$place/link"
with_provider "file:$place/link"
reports "linked into the data directory" "key file \"$place/link\" is inside the data directory" 'Move it elsewhere'

with_provider "file:keyring"
reports "relative path" 'key file "keyring" is not an absolute path' 'Write file: and an absolute path\.'

with_provider "file:$place"
reports "not a file" "key file \"$place\" is not a regular file" 'Create a key file'

as_server sh -c 'echo "1:00" > "$0/short" && chmod 0400 "$0/short"' "$place"
with_provider "file:$place/short"
reports "malformed" 'key provider delivered no valid keyring: line 1: a key does not have 64' 'Each line is version:64 hex digits'
if as_server grep -q '1:00' "$log"; then is "malformed: nothing of the file in the log" "some" "nothing"; fi

if [ "$(id -u)" = 0 ]; then
  install -m 0444 -o root "$place/keyring" "$place/foreign" && chmod 0400 "$place/foreign"
  with_provider "file:$place/foreign"
  reports "unreadable" "could not open key file \"$place/foreign\": Permission denied" 'The user that runs the server must own'
fi

with_provider "vault:KEY"
reports "unknown provider" 'aegis\.key_provider names no known provider' 'Valid forms are file:PATH, command:PATH ARG'

with_provider ""
says "no provider: statement" "$(query "$seal" || true)" 'ERROR:  master key is not available' \
  'DETAIL:  The setting aegis\.key_provider delivers no key\.' 'HINT:  Create a key file with aegis-keygen'

as_server sh -c 'umask 0277; printf "1:%064d\n" 8 > "$0/wrong"' "$place"
with_provider "file:$place/wrong"
says "wrong key" "$(query "$seal" || true)" 'ERROR:  master key version 1 does not match this database' \
  'DETAIL:  The database expects check value [0-9a-f]{16}, the key provider delivers [0-9a-f]{16}\.' \
  'HINT:  Point aegis\.key_provider to the key that this database was created with\.'
is "wrong key: status" "$(query "SELECT state FROM aegis.key_status()")" "wrong"
says "wrong key: no new tenant" "$(query "SELECT aegis.create_tenant('other', 'Other')" || true)" \
  'ERROR:  master key version 1 does not match this database'

as_server sh -c 'umask 0277; printf "2:%064d\n" 9 > "$0/stranger"' "$place"
with_provider "file:$place/stranger"
says "a next version without the one before it" "$(query "SELECT aegis.create_tenant('other', 'Other')" || true)" \
  'ERROR:  master key version 2 does not match this database' 'HINT:  A next version is accepted only beside the one before it\.'

# Commands.
as_server sh -c 'printf "#!/bin/sh\ncat %s/keyring\n" "$0" > "$0/give" && printf "#!/bin/sh\nexit 3\n" > "$0/refuse" &&
  printf "#!/bin/sh\nenv | cut -d= -f1 | sort | tr \"\\n\" \" \" > %s/environment; echo \"\$@\" > %s/arguments; cat %s/keyring\n" "$0" "$0" "$0" > "$0/look" &&
  chmod 0700 "$0/give" "$0/refuse" "$0/look"' "$place"
with_provider "command:$place/give"
is "command" "$(query "$seal" && query "SELECT state FROM aegis.key_status()")" "active"
with_provider "command:$place/look one two;three \$HOME"
is "command: state" "$(query "SELECT state FROM aegis.key_status()")" "active"
is "command: arguments as they stand, no shell" "$(as_server cat "$place/arguments")" "one two;three \$HOME"
is "command: environment" "$(as_server sed -E 's/(OLDPWD|PWD|SHLVL|_) //g' "$place/environment")" "LC_ALL PATH "
with_provider "command:$place/refuse"
reports "command that fails" "key command \"$place/refuse\" failed with exit code 3" 'Run the command by hand'
with_provider "command:$place/nothing"
reports "command that does not exist" "could not run key command \"$place/nothing\": No such file or directory" 'Check that the file exists'

# Without a restart: the launcher reads the provider again when the configuration is reloaded.
stop
settings "aegis.key_provider = 'file:$place/none'"
start
settings "aegis.key_provider = 'file:$place/keyring'"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
active() { [ "$(query "SELECT state FROM aegis.key_status()")" = active ]; }
if within 20 active; then echo "ok reload brings the key"; else is "reload brings the key" "no" "yes"; fi
is "the key works" "$(query "$seal RETURNING 1")" "1"
settings "aegis.key_provider = 'file:$place/none'"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
fault() { [ "$(query "SELECT fault IS NOT NULL FROM aegis.key_status()")" = t ]; }
if within 20 fault; then echo "ok reload tells of a fault"; else is "reload tells of a fault" "no" "yes"; fi
is "a faulty reload takes no key away" "$(query "$seal RETURNING 1")" "1"

# A dump holds armor and check values, no key and no plaintext; it opens where the key is.
settings "aegis.key_provider = 'file:$place/keyring'"
as_server "$bin/pg_ctl" reload -s -D "$cluster"
as_server "$bin/pg_dump" -h "$place" -U postgres -d test -t t -f "$place/dump.sql"
is "dump: plaintext" "$(as_server grep -c Zanzibar "$place/dump.sql" || true)" "0"
is "dump: armor" "$(as_server grep -c 'A1\.' "$place/dump.sql")" "$(query "SELECT count(*) FROM t")"
query "ALTER TABLE t RENAME TO original" > /dev/null
as_server "$bin/psql" -Xq -v ON_ERROR_STOP=1 -h "$place" -U postgres -d test -f "$place/dump.sql" > /dev/null
is "restore: the same bytes" "$(query "SELECT count(*) FROM (SELECT note::text FROM t EXCEPT SELECT note::text FROM original) x")" "0"
query "CHECKPOINT" > /dev/null
is "no plaintext in the data directory" "$(as_server sh -c 'grep -rlaF Zanzibar-4711 "$0" | wc -l' "$cluster")" "0"
finish
