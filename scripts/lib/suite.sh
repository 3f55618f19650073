# shellcheck shell=bash
# The test suites of ./aegis check. Whatever a suite runs, its result is lines "ok NAME", "not ok NAME" or
# "skip NAME (reason)"; run_suite counts them and shows the end of the log when something failed.

build_for_testing() {
  local config
  config=$("$checked/tests/pg_tree.sh" "$checked/.aegis/pg")
  make -s -C "$checked" -j"$(nproc)" PG_CONFIG="$config" TESTING=1 CXX="${CMAKE_CXX_COMPILER_LAUNCHER:-} g++"
  make -s -C "$checked" install PG_CONFIG="$config" TESTING=1
}

# Where the tests look for them.
build_programs_for_testing() {
  cmake -S "$checked" -B "$checked/.aegis/verify" -DCMAKE_BUILD_TYPE=Release -DAEGIS_TESTS=OFF
  cmake --build "$checked/.aegis/verify" -j"$(nproc)"
}

# run_track SUITE ...: one after the other.
run_track() {
  local suite
  for suite in "$@"; do run_suite "$suite"; done
}

# run_suite NAME: leaves its counts in $results/NAME.count.
run_suite() {
  local name=$1 log=$results/$1.log lines=$results/$1.txt started=$EPOCHREALTIME status ok not skip
  rm -rf "${results:?}/$name"
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
  echo "$ok $not $skip" > "$results/$name.count"
  {
    printf '%-10s %4d passed, %d failed, %d skipped %8s s\n' "$name" "$ok" "$not" "$skip" "$(elapsed "$started")"
    { grep '^skip ' "$lines" || true; } | sed 's/^/  /'
    if [ "$not" != 0 ]; then
      { grep '^not ok ' "$lines" || true; } | sed 's/^/  /'
      echo "  --- the end of $log:"
      tail -n 60 "$log" | sed 's/^/  | /'
    fi
  } > "$results/$name.said"
  cat "$results/$name.said"  # at once, so that no two mix
}

# summary SUITE ...: false when a test failed. A suite without counts broke off.
summary() {
  local passed=0 failed=0 skipped=0 suite ok not skip
  for suite in "$@"; do
    read -r ok not skip < "$results/$suite.count" || { echo "not ok $suite broke off"; ok=0 not=1 skip=0; }
    passed=$((passed + ok))
    failed=$((failed + not))
    skipped=$((skipped + skip))
  done
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

# side_by_side COUNT SUITE each|part SCRIPT ...: so many scripts at a time, which wait for servers most of the time. Each has
# clusters, sockets and ports of its own.
side_by_side() {
  local count=$1 suite=$2 kind=$3
  shift 3
  export results
  export -f each part one_of_them
  mkdir -p "$results/$suite"
  printf '%s\n' "$@" | xargs -P "$count" -I SCRIPT bash -c 'one_of_them "$@"' _ "$suite" "$kind" SCRIPT
}
one_of_them() {
  local name run=bash
  name=$(basename "${3%.*}")
  case $3 in *.py) run=python3 ;; esac
  TIMEFORMAT="# $1/$name took %R s, and of processors %U s and %S s"
  { time "$2" "$1/$name" "$run" "$3" 2>&1; } > "$results/$1/$name" 2>&1 < /dev/null
  cat "$results/$1/$name"  # at once, so that no two mix
}

suite_lint() { side_by_side 2 lint each tests/lint/*.sh; }
lines_lint() { plain; }

suite_unit() {
  # -g1 has the lines that a sanitizer names, and is written in less time.
  cmake -S . -B build/unit -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-g1 -DAEGIS_SANITIZE=ON
  # The programs take as long to compile as all else; process/programs runs their tests on them as they are installed.
  local target=all without=()
  if [ "$AEGIS_LONG" = no ]; then
    target=tested without=(-E '^(witness|verify|signer|breached|keygen)$')
    echo "skip programs under sanitizers (long)"
  fi
  cmake --build build/unit -j"$(nproc)" --target "$target"
  ctest --test-dir build/unit -j"$(nproc)" --output-on-failure --no-tests=error "${without[@]}"
}
lines_unit() {
  sed -nE 's/^(skip .*)/\1/p
           s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ +Passed.*/ok \1/p
           s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ *\*\*\*(Skipped|Not Run).*/skip \1/p
           s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ *\*\*\*.*/not ok \1/p'
}

suite_regress() { tests/regress.sh; }
lines_regress() {
  sed -nE 's/^(test|    ) +([a-z_0-9]+) +\.\.\. ok.*/ok \2/p; s/^(test|    ) +([a-z_0-9]+) +\.\.\. FAILED.*/not ok \2/p'
}

suite_isolation() { tests/isolation.sh; }
lines_isolation() { lines_regress; }

# The longest first, so that no processor is idle at the end.
suite_process() {
  local scripts
  mapfile -t scripts < <(printf '%s\n' tests/process/{retention,tamper,agent,arguments,anchor,independent,storm}.sh tests/process/*.sh | awk '!seen[$0]++')
  side_by_side 3 process part "${scripts[@]}"
}
lines_process() { plain; }

# First those that say how soon an answer must come, then those that mostly wait.
suite_server() {
  local timed=(tests/server/{sign_ins,crowd,limits,slow,front}.py) others
  side_by_side 2 server part "${timed[@]}"
  touch "$results/server.timed"
  mapfile -t others < <(printf '%s\n' "${timed[@]}" tests/server/{injection,card_data,service,regions}.py tests/server/*.py | awk -v timed=${#timed[@]} '!seen[$0]++ && NR > timed')
  side_by_side 3 server part "${others[@]}"
}
lines_server() { plain; }

# Beside those of the servers that mostly wait: nothing in it says how fast a page must be.
suite_browser() {
  if [ -n "$(chosen server)" ]; then until [ -e "$results/server.timed" ] || [ -e "$results/server.count" ]; do sleep 1; done; fi
  part browser tests/browser/run
}
lines_browser() { plain; }

# The newcomer's path, in a home and on a port of its own, from this very clone.
suite_up() { "$clone/tests/up.sh" "$home-up"; }
lines_up() { plain; }
