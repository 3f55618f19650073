#!/usr/bin/env bash
# The psql session of the README runs as it stands there, and shows what it says.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
query "CREATE ROLE operator LOGIN IN ROLE aegis_operator" > /dev/null
query "CREATE ROLE auditor LOGIN IN ROLE aegis_auditor" > /dev/null

# The one fenced block of SQL; as standing in a file, so that psql goes on after the error that is announced.
sed -n '/^```sql$/,/^```$/p' README.md | sed '/^```/d' | as_server tee "$place/session.sql" > /dev/null
is "the README has one session" "$(grep -c '^```sql$' README.md)" 1
shown=$(as_server "$bin/psql" -XAt -h "$place" -U postgres -d postgres -f "$place/session.sql" 2>&1)
says "ciphertext and plaintext" "$shown" '^A1\.[A-Za-z0-9_-]+\|Ada@Example\.org$'
says "an error without a tenant" "$shown" 'ERROR:  tenant is not set'
is "no other error" "$(grep -c ERROR <<< "$shown")" 1
intact=$(query "SELECT outcome FROM aegis.verify_ledger()" -U auditor)
is "the ledger verifies" "$(sort -u <<< "$intact")" ok
finish
