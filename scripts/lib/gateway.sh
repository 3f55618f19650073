# shellcheck shell=bash
# The gateway: its configuration, start and stop. It makes its certificate for localhost itself.

certificate=$home/localhost.crt  # for clients; the gateway's folder is its own
configuration=$home/gateway/gateway.toml
gateway_record=$home/gateway/pid

gateway_pid() { cat "$gateway_record" 2> /dev/null || true; }
gateway_running() { running "$(gateway_pid)" "$bin/aegis-server"; }

# health: the answer of GET /api/health, over TLS checked against our certificate; fails when there is none.
health() {
  as_gateway cat "$home/gateway/localhost.crt" > "$certificate" 2> /dev/null || return
  python3 "$scripts/lib/health.py" "$port" "$certificate"
}

port_taken() { (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; }

start_gateway() {
  local tries
  if gateway_running; then
    if [ "$(served)" = "$(cat "$home/gateway.served" 2> /dev/null)" ] && health; then
      echo "the gateway runs already"
      return
    fi
    stop_gateway
  fi
  if port_taken; then
    fail "port $port is taken by another program" \
      "Choose another: AEGIS_PORT=$((port + 1)) ./aegis up"
  fi
  write_configuration
  served > "$home/gateway.served"
  echo "$port" > "$home/port"
  # A session of its own: Ctrl-C reaches this script, not the gateway, which is then stopped in order.
  as_gateway bash -c 'setsid "$1" --config "$2" >> "$3" 2>&1 < /dev/null & echo $! > "$4"' - \
    "$bin/aegis-server" "$configuration" "$gateway_log" "$gateway_record"
  for ((tries = 0; tries < 150; tries++)); do
    if health; then return; fi
    gateway_running || [ "$tries" -lt 5 ] || break
    sleep 0.2
  done
  as_gateway tail -n 20 "$gateway_log"
  fail "the gateway did not become healthy" "Its last lines are above; ./aegis logs gateway shows all."
}

# What a running gateway was started with.
served() { { cat "$bin/aegis-server"; echo "$port ${AEGIS_DEMO:-0}"; } | sha256sum; }

stop_gateway() { stop_recorded "$gateway_record" "$bin/aegis-server"; }

write_configuration() {
  as_gateway tee "$configuration" > /dev/null << TOML
[server]
environment = "development"
listen = "127.0.0.1:$port"

[tls]
development = true
certificate = "$home/gateway/localhost.crt"
key = "$home/gateway/localhost.key"

[database]
socket = "$socket"
name = "$database"
user = "gateway"
TOML
}
