#!/usr/bin/env bash
# ./aegis logs [server|gateway|signer|agent|witness|provider] [TAIL ARGUMENT ...]
#
# Shows the last lines of the logs of server, gateway, signer, agent, witness and simulated provider; "-f" follows, "-n 100" shows more.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"

what=all
case ${1:-} in
  server | gateway | signer | agent | witness | provider)
    what=$1
    shift
    ;;
  "" | -*) ;;
  *) fail "there is no log of \"$1\"" "Logs: server, gateway, signer, agent, witness, provider." ;;
esac
[ -d "$home/server" ] || fail "nothing was started yet" "Start it with ./aegis up."
cd "$home"
# show NAME FILE COMMAND: as the user that COMMAND stands for.
show() {
  local name=$1 file=$2 as=$3
  shift 3
  case $what in
    all) echo "== $name: $file" ;;
    "$name") ;;
    *) return ;;
  esac
  if "$as" test -e "$file"; then "$as" tail "$@" "$file"; fi
}
show server "$server_log" as_server "$@"
show gateway "$gateway_log" as_gateway "$@"
show signer "$signer_log" as_signer "$@"
show agent "$agent_log" as_agent "$@"
show witness "$witness_log" as_witness "$@"
show provider "$provider_log" as_provider "$@"
