# shellcheck shell=bash
# A payment provider that is simulated, so that the way of the money can be walked on this machine: a test program with a user of its
# own, no part of Aegis. Real ones are reached over the internet (docs/checkout.md).

provider_program=$bin/aegis-provider  # the interpreter under a name of its own, so that its process is known by it
provider_record=$home/provider/pid
provider_port=$home/provider.port     # where it was registered
provider_certificate=$home/provider.crt

provider_pid() { cat "$provider_record" 2> /dev/null || true; }
provider_running() { running "$(provider_pid)" "$provider_program"; }
provider_address() { echo "https://localhost:$(cat "$provider_port")"; }

# Its certificate for localhost, and a port that was free.
make_provider() {
  if [ ! -s "$provider_certificate" ]; then
    as_provider openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost -keyout "$home/provider/key.pem" -out "$home/provider/certificate.pem" 2> /dev/null
    as_provider cat "$home/provider/certificate.pem" > "$provider_certificate.new"
    mv "$provider_certificate.new" "$provider_certificate"
  fi
  if [ ! -s "$provider_port" ]; then
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > "$provider_port.new"
    mv "$provider_port.new" "$provider_port"
  fi
  if ! cmp -s "$(readlink -f /usr/bin/python3)" "$provider_program"; then install -m 0755 "$(readlink -f /usr/bin/python3)" "$provider_program"; fi
}

start_provider() {
  local tries
  make_provider
  if provider_running; then
    if [ "$(sha256sum < "$clone/tests/provider/simulator.py")" = "$(cat "$home/provider.served" 2> /dev/null)" ]; then
      echo "the simulated provider runs already"
      return
    fi
    stop_provider
  fi
  sha256sum < "$clone/tests/provider/simulator.py" > "$home/provider.served"
  as_provider tee "$home/provider/simulator.py" < "$clone/tests/provider/simulator.py" > /dev/null
  # A session of its own, as the gateway.
  # shellcheck disable=SC2016 # its own arguments
  as_provider bash -c 'setsid "$1" "$2/simulator.py" --port "$3" --port-file "$2/port" --certificate "$2/certificate.pem" --key "$2/key.pem" >> "$4" 2>&1 < /dev/null & echo $! > "$5"' - \
    "$provider_program" "$home/provider" "$(cat "$provider_port")" "$provider_log" "$provider_record"
  for ((tries = 0; tries < 100; tries++)); do
    if provider_running && (exec 3<> "/dev/tcp/127.0.0.1/$(cat "$provider_port")") 2> /dev/null; then
      register_provider
      return
    fi
    provider_running || [ "$tries" -lt 5 ] || break
    sleep 0.1
  done
  as_provider tail -n 20 "$provider_log"
  fail "the simulated provider did not start" "Its last lines are above. When its port is taken, remove $provider_port and run ./aegis up again."
}

# An operator lets calls go there, at the port that it has now.
register_provider() {
  local name path
  while read -r name path; do
    sql -U operator -v name="$name" -v url="$(provider_address)$path" << 'SQL'
SELECT EXISTS (SELECT FROM aegis.destination WHERE name = :'name' AND url <> :'url') AS moved,
       NOT EXISTS (SELECT FROM aegis.destination WHERE name = :'name' AND url = :'url') AS missing \gset
\o /dev/null
\if :moved
SELECT aegis.remove_destination(:'name');
\endif
\if :missing
SELECT aegis.register_destination(:'name', :'url');
\endif
SQL
  done << 'PLACES'
stripe-simulated /stripe
authorize-net-simulated /authorize_net/xml/v1/request.api
PLACES
}

stop_provider() { stop_recorded "$provider_record" "$provider_program"; }
