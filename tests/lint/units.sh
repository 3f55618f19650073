#!/usr/bin/env bash
# systemd understands every line of the units that we ship, and names what it does not: a wrong one shows that it would.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v systemd-analyze > /dev/null; then
  echo "skip units (systemd-analyze is not installed)"
  exit 0
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# It ends with 0 for a line that it does not know, so what counts is what it says.
said() { systemd-analyze verify --man=no "$@" 2>&1 || echo "it ended with $?"; }
for unit in server/*.service; do
  # The programs are not installed here.
  sed -E 's#/usr/bin/aegis-[a-z]+#/bin/true#' "$unit" > "$place/${unit##*/}"
done
found=0
says=$(said "$place"/*.service)
[ -z "$says" ] || { echo "$says"; found=1; }
for wrong in 's/^NoNewPrivileges=/NoNewPrivilege=/' 's/^Restart=.*/Restart=sometimes/' 's#^ExecStart=.*#ExecStart=/nowhere/at-all#'; do
  sed -E "$wrong" "$place/aegis-server.service" > "$place/aegis-wrong.service"
  cmp -s "$place/aegis-server.service" "$place/aegis-wrong.service" && { echo "$wrong changes nothing"; found=1; }
  [ -n "$(said "$place/aegis-wrong.service")" ] || { echo "nobody objects to $wrong"; found=1; }
done
# Whatever else a reload does, the signal comes first: nothing runs after a command that failed.
while IFS=: read -r unit _; do
  case $(grep -m 1 '^ExecReload=' "$unit") in
    'ExecReload=/bin/kill -HUP $MAINPID') ;;
    *) echo "$unit: its first ExecReload does not send SIGHUP"; found=1 ;;
  esac
done < <(grep -H '^ExecReload=' server/*.service | sort -u -t: -k1,1)
exit "$found"
