#!/usr/bin/env bash
# ./aegis logs [server|gateway] [TAIL ARGUMENT ...]
#
# Shows the last lines of the server's and the gateway's log; "-f" follows, "-n 100" shows more.
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"

what=both
case ${1:-} in
  server | gateway)
    what=$1
    shift
    ;;
  "" | -*) ;;
  *) fail "there is no log of \"$1\"" "Logs: server, gateway." ;;
esac
[ -d "$home/server" ] || fail "nothing was started yet" "Start it with ./aegis up."
cd "$home"
if [ "$what" != gateway ]; then
  if [ "$what" = both ]; then echo "== server: $server_log"; fi
  if as_server test -e "$server_log"; then as_server tail "$@" "$server_log"; fi
fi
if [ "$what" != server ]; then
  if [ "$what" = both ]; then echo "== gateway: $gateway_log"; fi
  if as_gateway test -e "$gateway_log"; then as_gateway tail "$@" "$gateway_log"; fi
fi
