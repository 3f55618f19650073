# shellcheck shell=bash
# Steps with names and times.

step_number=0

# step TITLE COMMAND ...: runs the command, keeps its output in a log, shows the end of it on failure.
step() {
  local title=$1 started=$EPOCHREALTIME log status
  shift
  step_number=$((step_number + 1))
  log=$home/log/$(printf %02d "$step_number")-$1.log
  printf '[%2d/%d] %-44s ' "$step_number" "$steps" "$title"
  # Not in a condition: there "set -e" would not hold inside the command.
  set +e
  # Nothing that a step starts may keep the lock (descriptor 9).
  (set -e; "$@") > "$log" 2>&1 < /dev/null 9>&-
  status=$?
  set -e
  if [ "$status" != 0 ]; then
    echo "failed"
    tail -n 30 "$log" >&2
    echo "aegis: \"$title\" failed; the whole output is in $log" >&2
    exit 1
  fi
  printf '%6s s\n' "$(elapsed "$started")"
}

# elapsed START: seconds since START, an $EPOCHREALTIME, with one decimal.
elapsed() {
  local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
  echo "$((tenths / 10)).$((tenths % 10))"
}
