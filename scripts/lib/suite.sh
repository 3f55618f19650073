# shellcheck shell=bash
# The test suites of ./aegis check. Whatever a suite runs, its result is lines "ok NAME", "not ok NAME" or
# "skip NAME (reason)"; run_suite counts them and shows the end of the log when something failed.

passed=0
failed=0
skipped=0

build_for_testing() {
  local config
  config=$("$checked/tests/pg_tree.sh" "$checked/.aegis/pg")
  make -s -C "$checked" -j"$(nproc)" PG_CONFIG="$config" TESTING=1
  make -s -C "$checked" install PG_CONFIG="$config" TESTING=1
}

# run_suite NAME
run_suite() {
  local name=$1 log=$results/$1.log lines=$results/$1.txt started=$EPOCHREALTIME status ok not skip
  set +e
  (set -e; "suite_$name") > "$log" 2>&1 < /dev/null 9>&-
  status=$?
  set -e
  "lines_$name" < "$log" > "$lines"
  ok=$(grep -c '^ok ' "$lines" || true)
  not=$(grep -c '^not ok ' "$lines" || true)
  skip=$(grep -c '^skip ' "$lines" || true)
  # A suite that fails as a whole, or that ran nothing, has failed.
  if [ "$not" = 0 ] && { [ "$status" != 0 ] || [ $((ok + skip)) = 0 ]; }; then
    echo "not ok $name ended with status $status after $ok tests" >> "$lines"
    not=1
  fi
  passed=$((passed + ok))
  failed=$((failed + not))
  skipped=$((skipped + skip))
  printf '%-10s %4d passed, %d failed, %d skipped %8s s\n' "$name" "$ok" "$not" "$skip" "$(elapsed "$started")"
  { grep '^skip ' "$lines" || true; } | sed 's/^/  /'
  if [ "$not" != 0 ]; then
    { grep '^not ok ' "$lines" || true; } | sed 's/^/  /'
    echo "  --- the end of $log:"
    tail -n 60 "$log" | sed 's/^/  | /'
  fi
}

summary() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}

# each NAME COMMAND ...: a test that is one command.
each() {
  local name=$1
  shift
  if "$@"; then echo "ok $name"; else echo "not ok $name"; fi
}

# part NAME COMMAND ...: a script that prints its own lines; one that breaks off is a failure too.
part() {
  local name=$1
  shift
  "$@" || echo "not ok $name ended with status $?"
}

# plain: suites that print the lines themselves.
plain() { grep -E '^(ok|not ok|skip) ' || true; }

suite_lint() {
  local lint
  for lint in tests/lint/*.sh; do each "lint/$(basename "$lint" .sh)" bash "$lint"; done
}
lines_lint() { plain; }

suite_unit() {
  cmake -S . -B build/unit -DCMAKE_BUILD_TYPE=Debug -DAEGIS_SANITIZE=ON
  cmake --build build/unit -j"$(nproc)"
  ctest --test-dir build/unit --output-on-failure --no-tests=error
}
lines_unit() {
  sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ +Passed.*/ok \1/p
           s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ *\*\*\*(Skipped|Not Run).*/skip \1/p
           s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ *\*\*\*.*/not ok \1/p'
}

suite_regress() { tests/regress.sh; }
lines_regress() {
  sed -nE 's/^(test|    ) +([a-z_0-9]+) +\.\.\. ok.*/ok \2/p; s/^(test|    ) +([a-z_0-9]+) +\.\.\. FAILED.*/not ok \2/p'
}

suite_isolation() { tests/isolation.sh; }
lines_isolation() { lines_regress; }

# Two at a time: they wait for servers most of the time. Each has clusters, sockets and ports of its own.
suite_process() {
  export results
  export -f part process_part
  rm -rf "$results/process" && mkdir "$results/process"
  printf '%s\n' tests/process/*.sh | xargs -P 2 -n 1 bash -c 'process_part "$0"'
}
process_part() {
  local name
  name=$(basename "$1" .sh)
  part "process/$name" bash "$1" > "$results/process/$name" 2>&1 < /dev/null
  cat "$results/process/$name"  # at once, so that no two mix
}
lines_process() { plain; }

suite_server() {
  local script
  for script in tests/server/*.py; do part "server/$(basename "$script" .py)" python3 "$script"; done
}
lines_server() { plain; }

suite_browser() { part browser tests/browser/run; }
lines_browser() { plain; }

# The newcomer's path, in a home and on a port of its own, from this very clone.
suite_up() { "$clone/tests/up.sh" "$home-up"; }
lines_up() { plain; }
