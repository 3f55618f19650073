#!/usr/bin/env bash
# Demo mode does not start in production, whichever way it is asked for, and the refusal becomes an entry of the ledger.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

make_cluster
preload
must_start
query "CREATE EXTENSION aegis" > /dev/null
must_have_worker
refusals() { query "SELECT count(*) FROM aegis.audit_log WHERE event = 'system.demo_refused' AND outcome = 'denied'"; }
have() { [ "$(refusals)" = "$1" ]; }
is "no refusal yet" "$(refusals)" 0
is "no demo by default" "$(query 'SELECT aegis.is_demo()')" f
stop

settings "aegis.environment = 'production'" 'aegis.demo = on'
is "refused in production" "$(start && echo started || echo refused)" refused
says "and says why" "$(as_server cat "$log")" 'FATAL:  demo mode is refused in production' 'HINT:  Switch demo mode off'
as_server sed -i '/aegis.demo/d' "$cluster/postgresql.conf"
must_start
must_have_worker again
within 20 have 1 || true
is "the refusal is an entry" "$(refusals)" 1
stop
must_start
must_have_worker once-more
is "one entry for it" "$(refusals)" 1
stop

is "nor by the variable" "$(start AEGIS_DEMO=1 && echo started || echo refused)" refused
settings "aegis.environment = 'development'"
must_start AEGIS_DEMO=1
must_have_worker in-demo
is "in development it is on" "$(query 'SELECT aegis.is_demo()')" t
within 20 have 2 || true
is "and the second refusal is an entry, too" "$(refusals)" 2
query "SELECT aegis.set_demo_logins('[{\"tenant\": \"a\", \"email\": \"a@example.test\", \"password\": \"sample\", \"remark\": \"admin\"}]')" > /dev/null
is "logins are shown" "$(query 'SELECT tenant, email, password, remark FROM aegis.demo_logins()')" 'a|a@example.test|sample|admin'
stop
must_start
must_have_worker without
is "and not without it" "$(query 'SELECT count(*) FROM aegis.demo_logins()')" 0

finish
