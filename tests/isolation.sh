#!/usr/bin/env bash
# Runs the concurrency tests in tests/isolation with PostgreSQL's isolation tester on a temporary server.
#   tests/isolation.sh            every specification
#   tests/isolation.sh NAME ...   only these
# Uses what tests/regress.sh or ./aegis check built. Results stay in .aegis/isolation.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/.aegis
tree=$work/pg/lib/postgresql/15
if [ ! -e "$tree/lib/aegis.so" ]; then
  echo "aegis is not built for testing" >&2
  echo "hint: run tests/regress.sh once" >&2
  exit 1
fi
mkdir -p "$work/isolation"
rm -rf "$work/isolation/tmp_check"
rm -f "$work/isolation/keyring"
printf '1:%064d\n' 7 > "$work/isolation/keyring"
chmod 0400 "$work/isolation/keyring"
{
  cat tests/regress.conf
  echo "aegis.key_provider = 'file:$work/isolation/keyring'"
  echo "max_prepared_transactions = 5"
} > "$work/isolation/server.conf"

names=("$@")
if [ ${#names[@]} = 0 ]; then
  for spec in tests/isolation/specs/*.spec; do names+=("$(basename "$spec" .spec)"); done
fi
user=()
if [ "$(id -u)" = 0 ]; then  # a server refuses to run as root
  chown -R postgres: "$work/isolation"
  user=(runuser -u postgres --)
fi
if ! "${user[@]}" "$tree/lib/pgxs/src/test/isolation/pg_isolation_regress" --bindir="$tree/bin" --inputdir=tests/isolation \
    --outputdir="$work/isolation" --temp-instance="$work/isolation/tmp_check" --temp-config="$work/isolation/server.conf" \
    --load-extension=aegis --encoding=UTF8 --no-locale --dbname=isolation_regression "${names[@]}"; then
  cat "$work/isolation/regression.diffs" 2> /dev/null || tail -n 40 "$work"/isolation/log/*.log
  exit 1
fi
