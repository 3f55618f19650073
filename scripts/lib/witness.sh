# shellcheck shell=bash
# A witness of the ledger: a process of its own with its key and state, which cosigns what the signer signed. On this machine it
# shows how it works; to be worth something it runs under another administrator (docs/witness.md).

witness_state=$home/witness/state
witness_record=$home/witness/pid
witness_port=$home/witness.port  # where it was registered
witness_key=$home/witness.vkey   # for auditors
witness_name=localhost/witness-$digest

witness_pid() { cat "$witness_record" 2> /dev/null || true; }
witness_running() { running "$(witness_pid)" "$bin/aegis-verify"; }
witness_address() { echo "127.0.0.1:$(cat "$witness_port")"; }

# Makes the key once, and has it watch the log.
make_witness() {
  if [ ! -s "$witness_key" ]; then
    as_witness rm -rf "$witness_state"
    as_witness "$bin/aegis-verify" witness init --state "$witness_state" --name "$witness_name" > "$witness_key.new"
    as_witness "$bin/aegis-verify" witness add --state "$witness_state" --log-key "$(cat "$ledger_key")"
    mv "$witness_key.new" "$witness_key"
  fi
  if [ ! -s "$witness_port" ]; then
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > "$witness_port.new"
    mv "$witness_port.new" "$witness_port"
  fi
}

start_witness() {
  local tries
  make_witness
  if witness_running; then
    if [ "$(sha256sum < "$bin/aegis-verify")" = "$(cat "$home/witness.served" 2> /dev/null)" ]; then
      echo "the witness runs already"
      return
    fi
    stop_witness
  fi
  sha256sum < "$bin/aegis-verify" > "$home/witness.served"
  # A session of its own, as the gateway.
  # shellcheck disable=SC2016 # its own arguments
  as_witness bash -c 'setsid "$1" witness serve --state "$2" --listen "$3" --log "$4" >> "$4" 2>&1 < /dev/null & echo $! > "$5"' - \
    "$bin/aegis-verify" "$witness_state" "$(witness_address)" "$witness_log" "$witness_record"
  for ((tries = 0; tries < 100; tries++)); do
    if witness_running && (exec 3<> "/dev/tcp/127.0.0.1/$(cat "$witness_port")") 2> /dev/null; then
      register_witness
      return
    fi
    witness_running || [ "$tries" -lt 5 ] || break
    sleep 0.1
  done
  as_witness tail -n 20 "$witness_log"
  fail "the witness did not start" "Its last lines are above. When its port is taken, remove $witness_port and run ./aegis up again."
}

# An operator has the database ask it, at the port that it has now.
register_witness() {
  sql -U operator -v url="http://$(witness_address)" -v vkey="$(cat "$witness_key")" << 'SQL'
SELECT EXISTS (SELECT FROM aegis.destination WHERE name = 'witness' AND url <> :'url') AS moved,
       NOT EXISTS (SELECT FROM aegis.destination WHERE name = 'witness' AND url = :'url') AS missing,
       NOT EXISTS (SELECT FROM aegis.witnesses WHERE vkey = :'vkey') AS unknown \gset
\o /dev/null
\if :moved
SELECT aegis.remove_destination('witness');
\endif
\if :missing
SELECT aegis.register_destination('witness', :'url');
\endif
\if :unknown
SELECT aegis.register_witness(:'vkey', 'witness');
\endif
SQL
}

stop_witness() { stop_recorded "$witness_record" "$bin/aegis-verify"; }

# cosigned_head: the size that was cosigned last.
cosigned_head() { as_witness "$bin/aegis-verify" witness status --state "$witness_state" | cut -f 2; }
