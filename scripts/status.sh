#!/usr/bin/env bash
# ./aegis status
#
# Prints what runs, where, and whether the gateway is healthy. Fails when something is down.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"
. "$scripts/lib/gateway.sh"
. "$scripts/lib/signer.sh"
. "$scripts/lib/witness.sh"
. "$scripts/lib/provider.sh"
. "$scripts/lib/agent.sh"

status=0
echo "home      $home"
if server_running; then
  echo "server    runs as $server_user, process $(server_pid), socket $socket"
else
  echo "server    does not run"
  status=3
fi
if gateway_running; then
  echo "gateway   runs as $gateway_user, process $(gateway_pid), https://localhost:$port"
  echo "health    $(health 2>&1)" || status=3
else
  echo "gateway   does not run"
  status=3
fi
if signer_running; then
  echo "signer    runs as $signer_user, process $(signer_pid), signed $(signed_head)"
else
  echo "signer    does not run"
  status=3
fi
if witness_running; then
  echo "witness   runs as $witness_user, process $(witness_pid), cosigned $(cosigned_head)"
else
  echo "witness   does not run"
  status=3
fi
if provider_running; then
  echo "provider  simulated, runs as $provider_user, process $(provider_pid), $(provider_address)"
else
  echo "provider  does not run"
  status=3
fi
if agent_running; then
  echo "agent     runs as $agent_user, process $(agent_pid)"
else
  echo "agent     does not run"
  status=3
fi
exit "$status"
