#!/usr/bin/env bash
# ./aegis psql [ROLE] [PSQL ARGUMENT ...]
#
# Opens psql on the private cluster: as the DBA, or as one of its login roles
#   operator   tenants, keys, fields          (member of aegis_operator)
#   auditor    reads and verifies the ledger  (member of aegis_auditor)
#   member     a client with a context        (member of aegis_member)
#   gateway    what the gateway may           (member of aegis_gateway)
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/cluster.sh"

role=postgres
case ${1:-} in
  "" | -*) ;;
  *)
    role=${1#aegis_}
    shift
    case " $login_roles " in
      *" $role:"*) ;;
      *) fail "there is no login role \"$role\"" "Roles: operator, auditor, member, gateway; without one you are the DBA." ;;
    esac
    ;;
esac
server_running || fail "the server does not run" "Start it with ./aegis up --detach."
exec "$pg_bin/psql" -h "$socket" -U "$role" -d "$database" "$@"
