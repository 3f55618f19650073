#!/usr/bin/env bash
# ./aegis bench [AREA ...] [--rounds N] [--quick | --long] [--json FILE]
#
# Installs what is missing, builds a copy, and measures Aegis beside its peers, in turns and on the same
# machine: medians, ratios, and every goal of the project with its figure. What missed its goal runs once more
# under perf, and its profile stands beside it. All areas, or only those named:
#   tenancy      row security by hand, by the usual policies, by aegis.protect_table; 10 and 100,000 tenants; ranks
#   encryption   sealing, revealing, masks, search, a key's rotation; pgcrypto; OpenSSL without a database
#   ledger       audited tables; audit triggers, like supa_audit's and pgMemento's too, hash chains, pgaudit; sealing, verification
#   gateway      HTTPS; pgbench with the same statement; fastify with pg; PostGraphile
#   password     sign-ins, and what a flood of them does to others
#   scrubber     ordinary JSON looked through for card data; a naive regular expression; a bare scan for check digits
#   bystander    instructions of databases that do not use Aegis, with and without the library
#
#   --rounds N     how often each variant is measured (2)
#   --quick        one short round over little data: shows that it works, measures nothing
#   --long         also what takes long to prepare: proofs in a log of ten million entries
#   --json FILE    write the result there too, beside the other areas that it has; tests/bench/report.py makes pages of it
#
# Profiles need root, or kernel.perf_event_paranoid = -1; without them the run says so and goes on.
#
# Each area starts clusters of its own and stops them, also after Ctrl-C; a running ./aegis up is not
# disturbed, but measures along: stop it, and everything else, for figures that mean something.
set -euo pipefail
caller=$PWD
. "$(dirname "$0")/lib/layout.sh"
. "$scripts/lib/packages.sh"
. "$scripts/lib/build.sh"
. "$scripts/lib/npm.sh"
. "$scripts/lib/progress.sh"

arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    tenancy | encryption | ledger | gateway | password | scrubber | bystander | --quick | --long) arguments+=("$1") ;;
    --rounds)
      case ${2:-} in "" | *[!0-9]* | 0) fail "--rounds is \"${2:-}\"" "Give a number from 1 up." ;; esac
      arguments+=("$1" "$2")
      shift
      ;;
    --json)
      case ${2:-} in "" | -*) fail "--json needs a file" "For example --json bench.json" ;; esac
      json=$2
      case $json in /*) ;; *) json=$caller/$json ;; esac
      [ -d "$(dirname "$json")" ] || fail "there is no folder \"$(dirname "$json")\"" "Make it first."
      arguments+=("$1" "$json")
      shift
      ;;
    *) fail "bench does not know \"$1\"" "./aegis bench --help tells what it takes." ;;
  esac
  shift
done

# As ./aegis check does, but without what is there for testing.
build_for_measuring() {
  local config
  config=$("$measured/tests/pg_tree.sh" "$measured/.aegis/pg")
  make -s -C "$measured" -j"$(nproc)" PG_CONFIG="$config"
  make -s -C "$measured" install PG_CONFIG="$config"
}

build_server() {
  cmake -S "$measured" -B "$measured/build/programs" -DCMAKE_BUILD_TYPE=Release -DAEGIS_TESTS=OFF
  cmake --build "$measured/build/programs" -j"$(nproc)" --target aegis-server
}

steps=5
prepare_home
exec 9> "$home/bench.lock"
flock -n 9 || fail "another ./aegis bench works on \"$home\"" "Wait until it has ended."
trap 'echo; echo "aegis: interrupted" >&2; exit 130' INT TERM

measured=$home/bench           # a copy of its own, built as for use
step "Packages" install_packages up bench
prepare_users
cd "$home"
step "Copy of the sources" copy_source "$measured"
step "Extensions" build_for_measuring
step "Gateway" build_server
step "Packages of tests/npm" install_npm "$measured"

AEGIS_COMMIT=$(git -c safe.directory='*' -C "$clone" describe --always --dirty 2> /dev/null || echo unknown)
AEGIS_SERVER=$measured/build/programs/server/aegis-server
export AEGIS_COMMIT AEGIS_SERVER
cd "$measured"  # descriptor 9, the lock, stays open: nobody else measures meanwhile
exec python3 tests/bench/run.py "${arguments[@]}"
