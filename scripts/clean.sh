#!/usr/bin/env bash
# ./aegis clean [--yes]
#
# Stops everything and removes the private cluster, with all data in it, and everything built.
# Packages and the clone stay.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"
. "$scripts/lib/gateway.sh"
. "$scripts/lib/signer.sh"
. "$scripts/lib/witness.sh"
. "$scripts/lib/provider.sh"
. "$scripts/lib/agent.sh"

if [ ! -d "$home" ]; then
  echo "nothing to remove"
  exit
fi
if [ "${1:-}" != --yes ]; then
  read -r -p "Remove \"$home\" with all its data? [y/N] " answer || answer=
  if [ "$answer" != y ]; then
    echo "kept"
    exit 1
  fi
fi
[ -e "$home/lock" ] || fail "\"$home\" was not made by ./aegis" "Remove it by hand if you are sure."
cd "$home"
stop_gateway
stop_agent
stop_server > /dev/null
stop_signer
stop_witness
stop_provider
cd /
rm -rf "$home" "$clone/.aegis"
echo "removed"
