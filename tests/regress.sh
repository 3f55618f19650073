#!/usr/bin/env bash
# Builds both extensions, installs them into a private PostgreSQL and runs pg_regress.
#   tests/regress.sh            every test of tests/regress.schedule
#   tests/regress.sh NAME ...   only these, in this order
# Results stay in .aegis/regress; a failure prints its differences.
set -euo pipefail

cd "$(dirname "$0")/.."
work=$PWD/.aegis
mkdir -p "$work/regress"
config=$(tests/pg_tree.sh "$work/pg")
make -s -j"$(nproc)" PG_CONFIG="$config" TESTING=1
make -s install PG_CONFIG="$config" TESTING=1 > "$work/regress/install.log"

# The test key is the byte sequence 00..1f: published, for tests only.
rm -f "$work/regress/keyring"
echo "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" > "$work/regress/keyring"
chmod 0400 "$work/regress/keyring"
cp tests/regress.conf "$work/regress/server.conf"
echo "aegis.key_provider = 'file:$work/regress/keyring'" >> "$work/regress/server.conf"

user=()
if [ "$(id -u)" = 0 ]; then  # a server refuses to run as root
  chown -R postgres: "$work/regress"
  user=(runuser -u postgres --)
fi
rm -rf "$work/regress/tmp_check"
make=(make -s installcheck PG_CONFIG="$config" TESTING=1 OUT="$work/regress" TEMP_CONFIG="$work/regress/server.conf")
if [ $# -gt 0 ]; then make+=(REGRESS="$*"); fi
if ! "${user[@]}" "${make[@]}"; then
  cat "$work/regress/regression.diffs" 2>/dev/null || tail -n 40 "$work"/regress/log/*.log
  exit 1
fi
