#!/usr/bin/env bash
# Without the worker, which writes down what a transaction takes back, nobody signs in and nothing sealed is opened.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
settings "fsync = off" "autovacuum = off"
must_start
query "CREATE EXTENSION aegis_app CASCADE; CREATE ROLE gateway LOGIN IN ROLE aegis_gateway; CREATE ROLE operator LOGIN IN ROLE aegis_operator" > /dev/null
must_have_worker
as_role operator > /dev/null << 'SQL'
SELECT aegis.create_tenant('acme', 'Acme') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant'::uuid, 'test without worker', 'TEST-1', read_only => false);
SELECT aegis.create_user('ada@acme.example', 'Ada', 4::smallint, NULL, 'seven-quiet-otters-dance-91');
COMMIT;
SQL

# ask METHOD PATH TOKEN [BODY]: the status and the body of the answer, as the gateway asks.
ask() {
  as_role gateway -c "SELECT status, encode(body, 'escape') FROM aegis.handle('$1', '$2', ARRAY['content-type', 'application/json'${3:+, 'authorization', 'Bearer $3'}],
    $(if [ -n "${4:-}" ]; then printf "'\\\\x%s'" "$(printf %s "$4" | od -An -v -tx1 | tr -d ' \n')"; else echo NULL; fi), '127.0.0.1', 'r-1')"
}
login='{"tenant": "acme", "email": "ada@acme.example", "password": "seven-quiet-otters-dance-91", "token": true}'
live() { query "SELECT count(*) FROM aegis.session WHERE ended_at IS NULL"; }

signed_in=$(ask POST /api/session '' "$login")
says "with a worker there is a session" "$signed_in" '^201\|'
token=$(grep -o 'ags1_[A-Za-z0-9_-]*' <<< "$signed_in")
made=$(ask POST /api/customers "$token" '{"name": "Bob Canary", "email": "bob@canary.example"}')
customer=/api/customers/$(sed -E 's/.*"id": "([0-9a-f-]{36})".*/\1/' <<< "$made")
says "with a worker a sealed value is opened" "$(ask GET "$customer" "$token")" '^200\|.*bob@canary.example'
stop

# The launcher has the only place for a process of its kind.
settings "max_worker_processes = 1"
must_start
is "there is no worker" "$(query 'SELECT alive FROM aegis.worker_status()')" f
before=$(query "SELECT count(*) FROM aegis.entry")
says "no sign-in through the gateway" "$(ask POST /api/session '' "$login")" '^503\|'
says "no sign-in in SQL" "$(as_role gateway -v VERBOSITY=verbose -c "SELECT outcome FROM aegis.sign_in('acme', 'ada@acme.example', 'seven-quiet-otters-dance-91', NULL, NULL, 'r-2')")" \
  '^ERROR:  AG007: operation cannot be charged' '^DETAIL:  The aegis worker of this database does not run'
wrong='{"tenant": "acme", "email": "ada@acme.example", "password": "wrong"}'
says "nor a word about a wrong password" "$(ask POST /api/session '' "$wrong")" '^503\|'
is "the session of before is the only one" "$(live)" 1
opened=$(ask GET "$customer" "$token")
says "nothing sealed is opened" "$opened" '^503\|'
is "and nothing of it is told" "$(grep -c canary <<< "$opened" || true)" 0
is "nothing was recorded, for nothing was done" "$(query "SELECT count(*) FROM aegis.entry")" "$before"
is "there still is no worker" "$(query 'SELECT alive FROM aegis.worker_status()')" f
stop

as_server sed -i '/max_worker_processes/d' "$cluster/postgresql.conf"
must_start
must_have_worker again
is "no failure was counted" "$(query 'SELECT failed_count FROM aegis.user')" 0
says "with it sealed values are opened again" "$(ask GET "$customer" "$token")" '^200\|.*bob@canary.example'
says "and people sign in" "$(ask POST /api/session '' "$login")" '^201\|'
finish
