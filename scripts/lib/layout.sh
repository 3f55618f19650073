# shellcheck shell=bash
# Where things live, and which operating-system user runs what. Sourced by every verb.
#
# make, PGXS and socket paths do not bear a space or a long path, a server refuses to run as root, and
# another user cannot enter root's home. So one layout serves every case: everything is built, installed
# and run in $home, a short path outside the clone, and the clone's .aegis/home points to it.

clone=$(dirname "$(dirname "$(readlink -f "$0")")")
scripts=$clone/scripts
digest=$(printf %s "$clone" | sha256sum | cut -c1-8)
if [ "$(id -u)" = 0 ]; then
  home=${AEGIS_HOME:-/var/lib/aegis-$digest}
  server_user=postgres
  gateway_user=aegis-gateway
  signer_user=aegis-signer
  agent_user=aegis-agent
  witness_user=aegis-witness
  provider_user=aegis-provider
else
  home=${AEGIS_HOME:-/var/tmp/aegis-$(id -u)-$digest}
  server_user=$(id -un)
  gateway_user=$server_user
  signer_user=$server_user
  agent_user=$server_user
  witness_user=$server_user
  provider_user=$server_user
fi
port=${AEGIS_PORT:-$(cat "$home/port" 2> /dev/null || echo 8443)}  # the last one that was used
unset "${!PG@}"                # nothing of the caller's may lead psql to another server

source=$home/source            # space-free copy of the clone
tree=$home/pg                  # private copy of the installed PostgreSQL, with the extensions in it
pg_bin=$tree/lib/postgresql/15/bin
bin=$home/bin                  # the programs
data=$home/server/data
keyring=$home/server/keyring   # the master key, outside the data directory
socket=$home/socket
server_log=$home/server/log
gateway_log=$home/gateway/log
signer_log=$home/signer/log
agent_log=$home/agent/log
witness_log=$home/witness/log
provider_log=$home/provider/log
database=aegis

# fail MESSAGE HINT: ends the script.
fail() {
  echo "aegis: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

as_server() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$server_user" -- "$@"; else "$@"; fi
}

as_gateway() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$gateway_user" -- "$@"; else "$@"; fi
}

as_signer() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$signer_user" -- "$@"; else "$@"; fi
}

as_agent() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$agent_user" -- "$@"; else "$@"; fi
}

as_witness() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$witness_user" -- "$@"; else "$@"; fi
}

as_provider() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$provider_user" -- "$@"; else "$@"; fi
}

# Makes $home, refuses one that another user could have laid, and leaves the pointer in the clone.
prepare_home() {
  case $home in
    *[!A-Za-z0-9/._-]* | [!/]*)
      fail "AEGIS_HOME is \"$home\"" "Give an absolute path of letters, digits and / . _ - only." ;;
  esac
  if [ ${#home} -gt 70 ]; then
    fail "AEGIS_HOME has ${#home} characters" "Socket paths are short: give a path of at most 70 characters."
  fi
  case $port in
    "" | *[!0-9]* | ??????*) fail "AEGIS_PORT is \"$port\"" "Give a port between 1024 and 65535." ;;
  esac
  mkdir -p "$home"
  if [ -L "$home" ] || [ ! -O "$home" ]; then
    fail "\"$home\" belongs to another user" "Set AEGIS_HOME to a folder of your own."
  fi
  chmod 0755 "$home"
  mkdir -p "$home/log" "$bin"
  chmod 0700 "$home/log"
  mkdir -p "$clone/.aegis"
  ln -sfn "$home" "$clone/.aegis/home"
}

# The users exist only once PostgreSQL is installed, so this comes after the packages.
prepare_users() {
  local user
  for user in "$gateway_user" "$signer_user" "$agent_user" "$witness_user" "$provider_user"; do
    if [ "$(id -u)" = 0 ] && ! getent passwd "$user" > /dev/null; then
      useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
    fi
  done
  mkdir -p "$home/server" "$home/gateway" "$home/signer" "$home/signing" "$home/agent" "$home/witness" "$home/provider" "$socket"
  chmod 0700 "$home/server" "$home/gateway" "$home/signer" "$home/agent" "$home/witness" "$home/provider"
  chmod 0755 "$home/signing" "$socket"
  if [ "$(id -u)" = 0 ]; then
    chown "$server_user": "$home/server" "$socket"
    chown "$gateway_user": "$home/gateway"
    chown "$agent_user": "$home/agent"
    chown "$witness_user": "$home/witness"
    chown "$provider_user": "$home/provider"
    chown "$signer_user": "$home/signer" "$home/signing"
  fi
}

# running PID PROGRAM: true when this process runs exactly this program, so that a number that was
# given to another process since, or by a restart of the machine, is never taken for ours.
running() {
  local exe
  [ -n "$1" ] && exe=$(readlink "/proc/$1/exe" 2> /dev/null) && [ "${exe% (deleted)}" = "$2" ]
}

# stop_recorded RECORD PROGRAM: ends the process whose id is in RECORD, when it runs PROGRAM: asked, and after ten seconds killed.
stop_recorded() {
  local pid tries
  pid=$(cat "$1" 2> /dev/null || true)
  if running "$pid" "$2"; then
    kill -TERM "$pid"
    for ((tries = 0; tries < 100; tries++)); do
      running "$pid" "$2" || break
      sleep 0.1
    done
    if running "$pid" "$2"; then kill -KILL "$pid"; fi
  fi
  rm -f "$1"
}
