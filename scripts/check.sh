#!/usr/bin/env bash
# ./aegis check [--long] [SUITE ...]
#
# Installs what is missing, builds a testing copy and runs every test suite, or only those named:
#   lint        layers, pairs, exports, SQL hygiene, messages, format, scripts, words, schedule, links
#   unit        the core library, with AddressSanitizer and UndefinedBehaviorSanitizer
#   regress     pg_regress: one test per concept
#   isolation   pg_isolation_regress: what concurrent sessions may see
#   process     crashes, restarts, wrong installations, each with a cluster of its own
#   server      the gateway, from outside
#   browser     the console, in a headless Chromium
#   up          ./aegis up twice, the guided walk, ./aegis down, in a home of its own
#
#   --long      also what takes more than a minute; without it the summary counts it as skipped
#
# lint, unit, up and browser run beside regress, isolation, process and server. A running ./aegis up is not disturbed. The last
# line is "N passed, N failed, N skipped".
set -euo pipefail
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/packages.sh"
. "$scripts/lib/build.sh"
. "$scripts/lib/npm.sh"
. "$scripts/lib/progress.sh"
. "$scripts/lib/suite.sh"

export AEGIS_LONG=no
needed=(up check)  # packages
suites=()
for argument in "$@"; do
  case $argument in
    --long)
      AEGIS_LONG=yes
      needed+=(long)
      ;;
    lint | unit | regress | isolation | process | server | browser | up) suites+=("$argument") ;;
    *) fail "check does not know \"$argument\"" "./aegis check --help lists the suites." ;;
  esac
done
if [ ${#suites[@]} = 0 ]; then suites=(lint unit regress isolation process server browser up); fi

# Programs are compiled now, and not by the first test that needs one: else suite "up" would compile the same at the same time.
case " ${suites[*]} " in
  *" process "* | *" server "* | *" browser "* | *" up "*) programs=yes steps=4 ;;
  *) programs=no steps=3 ;;
esac
prepare_home
exec 9> "$home/check.lock"
flock -n 9 || fail "another ./aegis check works on \"$home\"" "Wait until it has ended."
trap 'echo; echo "aegis: interrupted" >&2; exit 130' INT TERM

checked=$home/check            # a copy of its own: built for testing
# What the suites compile, suite "up" compiles again in a home of its own: paths beside the home are relative to ccache.
export CCACHE_DIR=$home/ccache CCACHE_BASEDIR CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G CMAKE_CXX_COMPILER_LAUNCHER=ccache
CCACHE_BASEDIR=$(dirname "$home")
export CCACHE_SLOPPINESS=pch_defines,time_macros  # the extension's prefix is compiled once; nothing here says when it was compiled
results=$home/check-results
step "Packages" install_packages "${needed[@]}"
prepare_users
cd "$home"
step "Copy of the sources" copy_source "$checked"
# Packages come over the network while the processors build.
build_and_fetch() {
  local packages
  install_npm "$checked" &
  packages=$!
  build_for_testing
  wait "$packages"
}
step "Extensions for testing, packages of npm" build_and_fetch
if [ "$programs" = yes ]; then step "Programs" build_programs_for_testing; fi
mkdir -p "$results"
rm -f "$results"/*.count "$results/server.timed"

# chosen SUITE ...: those of them that are asked for.
chosen() {
  local suite
  for suite in "$@"; do
    case " ${suites[*]} " in *" $suite "*) echo "$suite" ;; esac
  done
}
# beside "SUITE ..." "SUITE ...": two tracks at a time; the first one yields to the second.
beside() {
  set -m  # A group of its own, to be ended as a whole.
  # shellcheck disable=SC2046,SC2086 # lists
  (renice -n 5 -p "$BASHPID" > /dev/null; run_track $(chosen $1)) &
  set +m
  track=$!
  trap 'kill -- "-$track" 2> /dev/null || true' EXIT
  # shellcheck disable=SC2046,SC2086 # lists
  run_track $(chosen $2)
  wait "$track" || true  # summary sees what is missing
  trap - EXIT
}

# What waits for one session at a time, or for servers, leaves a processor to what compiles or draws. Some tests of the servers say
# how soon an answer must come: browser waits until they have ended.
cd "$checked"
beside "lint unit up browser" "regress isolation process server"
summary "${suites[@]}"
