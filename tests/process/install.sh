#!/usr/bin/env bash
# What stands in the way of an installation is one clear error with a hint.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
start
says "library not preloaded: CREATE EXTENSION" "$(query "CREATE EXTENSION aegis" || true)" \
  'ERROR:  aegis must be loaded via shared_preload_libraries' 'HINT:  Add "aegis" to shared_preload_libraries and restart the server\.'
says "library not preloaded: LOAD" "$(query "LOAD 'aegis'" || true)" \
  'ERROR:  aegis must be loaded via shared_preload_libraries'
# The library would refuse this one itself.
query "CREATE ROLE aegis_gateway LOGIN BYPASSRLS" > /dev/null
stop

preload
if start AEGIS_TEST_SERVER_VERSION=150019; then echo "the server started" >> "$log"; stop; fi
says "PostgreSQL too old" "$(as_server cat "$log")" 'FATAL:  aegis needs PostgreSQL 15\.20 or newer' \
  'HINT:  Update PostgreSQL to its newest minor release\.'

must_start
says "role made beforehand with an attribute" "$(query "CREATE EXTENSION aegis" || true)" \
  'ERROR:  role "aegis_gateway" exists with attributes that aegis does not allow' 'HINT:  Run ALTER ROLE aegis_gateway .*NOBYPASSRLS'
query "ALTER ROLE aegis_gateway NOBYPASSRLS" > /dev/null
says "role made by hand with LOGIN" "$(query "CREATE EXTENSION aegis" || true)" \
  'ERROR:  role "aegis_gateway" was made by hand with LOGIN' 'HINT:  Drop the role, or run ALTER ROLE aegis_gateway NOLOGIN'
query "DROP ROLE aegis_gateway" > /dev/null

query "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0" > /dev/null
says "database without UTF8" "$(query_database=latin query "CREATE EXTENSION aegis" || true)" \
  'ERROR:  aegis needs a database with encoding UTF8' "HINT:  Create the database with ENCODING 'UTF8'\."

says "nothing in the way" "$(query "CREATE EXTENSION aegis" && echo installed || true)" '^installed$'
# The application's texts, kinds, providers, fields, events and routes stand in tables of aegis, which stay when it goes.
query "CREATE EXTENSION aegis_app; SELECT aegis.set_mail_template('invoice', 'de', 'Ihre Rechnung {{number}}', '{{organisation}} {{amount}} {{due_date}} {{link}}')" > /dev/null
left() {
  query "SELECT (SELECT count(*) FROM aegis.mail_template), (SELECT count(*) FROM aegis.outbox_kind), (SELECT count(*) FROM aegis.payment_provider),
    (SELECT count(*) FROM aegis.route), (SELECT count(*) FROM aegis.event_type), (SELECT count(*) FROM aegis.field), (SELECT count(*) FROM aegis.reveal_policy),
    (SELECT count(*) FROM aegis.protected_table)"
}
first=$(left)
is "the application is dropped" "$(query "DROP EXTENSION aegis_app" && query "SELECT count(*) FROM pg_class WHERE relnamespace = 'aegis_app'::regnamespace")" 0
is "without it nothing of it answers, and nothing is wrong" "$(query "SELECT count(*) FROM aegis.route WHERE handler_schema = 'aegis_app'") $(query "SELECT count(*) FROM aegis.coverage() WHERE object LIKE '%aegis_app%'")" '0 0'
is "and made again beside what it left" "$(query "CREATE EXTENSION aegis_app" && left)" "$first"
is "a text that an operator set stays, others are new" "$(query "SELECT string_agg(language || ' ' || by_extension || ' ' || subject, ', ' ORDER BY language) FROM aegis.mail_template WHERE name = 'invoice'")" \
  'de false Ihre Rechnung {{number}}, en true Invoice {{number}} of {{organisation}}'

query "CREATE DATABASE second" > /dev/null
says "a second database uses the same roles" "$(query_database=second query "CREATE EXTENSION aegis" && echo installed || true)" '^installed$'
finish
