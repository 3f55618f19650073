#!/usr/bin/env bash
# ./aegis up [--detach]
#
# Installs what is missing, builds, makes a private PostgreSQL cluster with both extensions and sample
# data, starts the signer of its ledger, a witness, the gateway over TLS on localhost, a simulated payment provider and the agent, walks the main path once, and keeps serving until
# Ctrl-C. Safe to run again: what is there is kept.
#
#   --detach       return when everything runs; ./aegis down stops it
#   --no-walk      leave the guided walk out
#   AEGIS_DEMO=1   show sample logins on the sign-in page (docs/demo.md)
#   AEGIS_PORT     port of the gateway (8443)
#   AEGIS_HOME     where the cluster and everything built live (.aegis/home points there)
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/progress.sh"
. "$scripts/lib/packages.sh"
. "$scripts/lib/build.sh"
. "$scripts/lib/cluster.sh"
. "$scripts/lib/gateway.sh"
. "$scripts/lib/signer.sh"
. "$scripts/lib/witness.sh"
. "$scripts/lib/provider.sh"
. "$scripts/lib/agent.sh"

detach=no
walk=yes
for argument in "$@"; do
  case $argument in
    --detach) detach=yes ;;
    --no-walk) walk=no ;;
    *) fail "up does not know \"$argument\"" "./aegis up --help tells what it takes." ;;
  esac
done

started=$EPOCHREALTIME
steps=12
prepare_home
exec 9> "$home/lock"
flock -n 9 || fail "another ./aegis works on \"$home\"" "Wait until it has ended."
trap 'echo; echo "aegis: interrupted; run ./aegis up again to go on" >&2; exit 130' INT TERM

step "Packages" install_packages up
prepare_users
cd "$home"
step "Copy of the sources" copy_source "$source"
step "Extensions" build_extensions
step "Gateway, agent, signer, tools" build_programs
step "Private cluster" make_cluster
step "Server" start_server
step "Database, extensions, sample data" make_database
step "Signer" start_signer
step "Witness" start_witness
step "Gateway" start_gateway
step "Payment provider, simulated" start_provider
step "Agent" start_agent
if [ "$walk" = yes ]; then
  echo
  python3 "$scripts/walk.py" --port "$port" --certificate "$certificate" --socket "$socket" \
    --psql "$pg_bin/psql" --tamper "$scripts/tamper.sh" --verify "$bin/aegis-verify" \
    --rollback "$scripts/rollback.sh" --key "$(cat "$ledger_key")" --witness "$(cat "$witness_key")" \
    --provider "$(provider_address)" --provider-certificate "$provider_certificate" || fail "the walk met a wrong answer" "./aegis logs shows what the server and the gateway said."
fi

cat << TEXT

Aegis serves on https://localhost:$port (ready after $(elapsed "$started") s).
  certificate   $certificate
  logins        tenant, e-mail, rank, password; scripts/sample.py logins prints all
$("$scripts/sample.py" logins | awk -F '\t' '!seen[$3]++ { printf "                %s  %s  (%s)  %s\n", $1, $2, $3, $4 }')
  database      ./aegis psql, or ./aegis psql auditor
  ledger key    $(cat "$ledger_key")
  witness       $(cat "$witness_key")
  try           curl --cacert $certificate https://localhost:$port/api/health
TEXT
if [ "$(id -u)" = 0 ]; then
  echo "The server runs as $server_user, the gateway as $gateway_user, the signer as $signer_user, the agent as $agent_user, the witness as $witness_user, the simulated payment provider as $provider_user."
else
  echo "All run as $server_user; as root each would run as a user of its own."
fi
exec 9>&-
if [ "$detach" = yes ]; then
  echo "./aegis down stops it."
  exit
fi

# Serving: until Ctrl-C, or until one of them is gone.
finish() {
  trap '' INT TERM
  echo
  echo "stopping"
  stop_gateway
  stop_agent
  stop_server > /dev/null
  stop_signer
  stop_witness
  stop_provider
  exit "$1"
}
trap 'finish 0' INT TERM
echo "Ctrl-C stops it."
while server_running && gateway_running && signer_running && agent_running && witness_running && provider_running; do
  sleep 1 9>&- &
  wait $!
done
echo "aegis: the server, the gateway, the signer, the agent, the witness or the simulated provider has ended; ./aegis logs tells why" >&2
finish 1
