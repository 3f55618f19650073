#!/usr/bin/env bash
# ./aegis down
#
# Stops the gateway, the agent, the private cluster, the signer, the witness and the simulated payment provider that up started. Data stay; ./aegis up goes on with them.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"
. "$scripts/lib/gateway.sh"
. "$scripts/lib/signer.sh"
. "$scripts/lib/witness.sh"
. "$scripts/lib/provider.sh"
. "$scripts/lib/agent.sh"

if [ ! -d "$home" ]; then
  echo "nothing runs"
  exit
fi
cd "$home"
stop_gateway
stop_agent
stop_server > /dev/null
stop_signer
stop_witness
stop_provider
echo "stopped"
