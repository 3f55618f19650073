# shellcheck shell=bash
# The signer: its key and state in a folder of its own, start and stop. The server reaches its socket.

signer_state=$home/signer/state
signer_socket=$home/signing/socket
signer_record=$home/signer/pid
ledger_origin=localhost/aegis-$digest  # the log of the database is called $ledger_origin/$database
ledger_key=$home/ledger.vkey           # for auditors

signer_pid() { cat "$signer_record" 2> /dev/null || true; }
signer_running() { running "$(signer_pid)" "$bin/aegis-signer"; }

# Makes the key once. What an interrupted run left had signed nothing: the signer starts after the database is there.
make_signing_key() {
  if [ ! -s "$ledger_key" ]; then
    as_signer rm -rf "$signer_state"
    as_signer "$bin/aegis-signer" init --state "$signer_state" --origin "$ledger_origin/$database" > "$ledger_key.new"
    mv "$ledger_key.new" "$ledger_key"
  fi
}

# signing_settings: lines for the server's configuration.
signing_settings() {
  printf '%s\n' "aegis.signer = '$signer_socket'" "aegis.ledger_origin = '$ledger_origin'" \
    "aegis.ledger_key = '$(cat "$ledger_key")'" "aegis.checkpoint_interval = '1s'"
}

start_signer() {
  local tries
  if signer_running; then
    if [ "$(sha256sum < "$bin/aegis-signer")" = "$(cat "$home/signer.served" 2> /dev/null)" ]; then
      echo "the signer runs already"
      return
    fi
    stop_signer
  fi
  sha256sum < "$bin/aegis-signer" > "$home/signer.served"
  # A session of its own, as the gateway.
  # shellcheck disable=SC2016 # its own arguments
  as_signer bash -c 'setsid "$1" serve --state "$2" --socket "$3" --allow-user "$4" --log "$5" >> "$5" 2>&1 < /dev/null & echo $! > "$6"' - \
    "$bin/aegis-signer" "$signer_state" "$signer_socket" "$server_user" "$signer_log" "$signer_record"
  for ((tries = 0; tries < 100; tries++)); do
    if [ -S "$signer_socket" ] && signer_running; then return; fi
    signer_running || [ "$tries" -lt 5 ] || break
    sleep 0.1
  done
  as_signer tail -n 20 "$signer_log"
  fail "the signer did not start" "Its last lines are above; ./aegis logs signer shows all."
}

stop_signer() { stop_recorded "$signer_record" "$bin/aegis-signer"; }

# signed_head: the size that was signed last.
signed_head() { as_signer "$bin/aegis-signer" status --state "$signer_state" | cut -f 2; }
