# shellcheck shell=bash
# Sourced after tests/cluster.sh, with a server that has the application.

# both_ways ATTACK ...: makes the attacks, then once more with the walls switched off, where what they stop must succeed.
both_ways() {
  must_have_worker
  python3 tests/attacks/attacks.py run "$place" "$@" || failed=1
  stop
  settings "aegis.restrictive_wall = off" "aegis.default_deny = off" "aegis.statement_guard = off" "aegis.function_guard = off"
  must_start
  must_have_worker again
  python3 tests/attacks/attacks.py control "$place" "$@" || failed=1
}
