# shellcheck shell=bash
# A throw-away cluster whose checkpoints a signer signs: sourced after tests/cluster.sh, before it is started.

# begin_signer ORIGIN: serves below $place; the vkey of the log of database postgres is in $vkey.
signer_pid=
begin_signer() {
  as_server mkdir -m 0700 "$place/signer"
  install -m 0755 "$(built aegis-signer)" "$place/aegis-signer"  # where the server's user can run it
  vkey=$(as_server "$place/aegis-signer" init --state "$place/signer/state" --origin "$1/postgres")
  if [ "$(id -u)" = 0 ]; then
    # setpriv becomes the program: the number is the signer's.
    setpriv --reuid postgres --regid postgres --init-groups "$place/aegis-signer" serve --state "$place/signer/state" \
      --socket "$place/signer/socket" --log "$place/signer/log" &
  else
    "$place/aegis-signer" serve --state "$place/signer/state" --socket "$place/signer/socket" --log "$place/signer/log" &
  fi
  signer_pid=$!
  trap end_signer EXIT
  within 20 test -S "$place/signer/socket" || { echo "not ok the signer did not start"; exit 1; }
  settings "aegis.signer = '$place/signer/socket'" "aegis.ledger_origin = '$1'" "aegis.ledger_key = '$vkey'" \
    "aegis.checkpoint_interval = '200ms'"
}

end_signer() {
  if [ -n "$signer_pid" ]; then kill -KILL "$signer_pid" 2> /dev/null || true; fi
  end
}
