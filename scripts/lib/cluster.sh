# shellcheck shell=bash
# The private cluster: made once, its settings written anew at each start, reached by Unix socket only.

# Login roles of the private cluster: name and the role of Aegis that it is a member of.
login_roles="gateway:aegis_gateway member:aegis_member operator:aegis_operator auditor:aegis_auditor outbound:aegis_agent"

server_pid() { head -n 1 "$data/postmaster.pid" 2> /dev/null || true; }
server_running() { running "$(server_pid)" "$pg_bin/postgres"; }

# sql [PSQL ARGUMENT ...]: as the DBA.
sql() {
  PGOPTIONS='-c client_min_messages=warning' \
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d "$database" "$@"
}

make_cluster() {
  local role
  if [ ! -e "$keyring" ]; then
    as_server "$bin/aegis-keygen" "$keyring"
  fi
  make_signing_key
  if [ ! -s "$data/PG_VERSION" ]; then
    as_server rm -rf "$data.new"  # of an interrupted run
    as_server "$pg_bin/initdb" -D "$data.new" -U postgres --encoding=UTF8 --no-locale --data-checksums \
      --auth-local=peer --auth-host=reject
    echo "include 'aegis.conf'" | as_server tee -a "$data.new/postgresql.conf" > /dev/null
    as_server mv "$data.new" "$data"
  fi
  as_server tee "$data/aegis.conf" > /dev/null << CONF
listen_addresses = ''
port = 5432
unix_socket_directories = '$socket'
cluster_name = 'aegis-$digest'
log_line_prefix = '%m [%p] %q%u@%d '
shared_preload_libraries = 'aegis'
aegis.region = 'UK'
aegis.environment = 'development'
aegis.public_address = 'https://localhost:$port'
$([ "${AEGIS_DEMO:-0}" != 1 ] || echo "aegis.demo = on")
aegis.key_provider = 'file:$keyring'
$(signing_settings)
CONF
  printf '%s\n' "local all all peer map=aegis" "local replication postgres peer map=aegis" | as_server tee "$data/pg_hba.conf" > /dev/null
  {
    for role in postgres $login_roles; do printf 'aegis %s %s\n' "$server_user" "${role%%:*}" "$(id -un)" "${role%%:*}"; done
    echo "aegis $gateway_user gateway"
    echo "aegis $agent_user outbound"
  } | sort -u | as_server tee "$data/pg_ident.conf" > /dev/null
}

# What a running server has loaded: when it changes, the server must start anew.
loaded() { as_server cat "$tree/lib/postgresql/15/lib/aegis.so" "$data/aegis.conf" "$keyring" | sha256sum; }

start_server() {
  if server_running; then
    if [ "$(loaded)" = "$(cat "$home/server.loaded" 2> /dev/null)" ]; then
      "$pg_bin/pg_ctl" --version > /dev/null
      as_server "$pg_bin/pg_ctl" reload -D "$data"
      echo "the server runs already"
      return
    fi
    stop_server
  fi
  loaded > "$home/server.loaded"
  as_server "$pg_bin/pg_ctl" start -w -t 60 -D "$data" -l "$server_log" \
    || { as_server tail -n 20 "$server_log"; return 1; }
}

stop_server() {
  if server_running; then as_server "$pg_bin/pg_ctl" stop -w -t 60 -m fast -D "$data"; fi
}

# The database with both extensions, the login roles and the sample data. The mark is set at the very end:
# what an interrupted run left is dropped and made anew.
make_database() {
  local pair installed
  installed=$(cat "$tree"/share/postgresql/15/extension/aegis{,_app}--*.sql | sha256sum)
  if [ -e "$home/database" ]; then
    [ "$installed" = "$(cat "$home/database")" ] || fail "the database was made by other install scripts than these" \
      "Remove it with ./aegis clean, then run ./aegis up again."
    echo "the database is there already"
    return
  fi
  "$pg_bin/dropdb" -h "$socket" -U postgres --if-exists --force "$database"
  "$pg_bin/createdb" -h "$socket" -U postgres "$database"
  sql -1 -c "CREATE EXTENSION aegis" -c "CREATE EXTENSION aegis_app"
  for pair in $login_roles; do
    sql -v role="${pair%%:*}" -v group="${pair##*:}" << 'SQL'
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') AS missing \gset
\if :missing
CREATE ROLE :"role" LOGIN;
\endif
GRANT :"group" TO :"role";
SQL
  done
  # The agent's calls to payment providers need their credentials.
  sql -c "GRANT aegis_payment_service TO outbound"
  "$scripts/sample.py" operator | sql -U operator
  "$scripts/sample.py" member | sql -U member
  if [ "${AEGIS_DEMO:-0}" = 1 ]; then "$scripts/sample.py" demo | sql -U operator; fi
  echo "$installed" > "$home/database"
}
