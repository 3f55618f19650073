#!/usr/bin/env bash
# The library exports its entry points and nothing else: a leaked symbol could bind another library's.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -e aegis.so ]; then
  echo "aegis.so is not built"
  echo "hint: tests/regress.sh builds it."
  exit 1
fi
leaked=$(nm -D --defined-only aegis.so | awk '{ print $3 }' \
  | grep -vE '^(Pg_magic_func|_PG_init|pg_finfo_aegis_[a-z0-9_]+|aegis_[a-z0-9_]+)$' || true)
if [ -n "$leaked" ]; then
  echo "aegis.so exports more than its entry points:"
  echo "$leaked"
  exit 1
fi
# The probes of the tests are compiled for tests alone.
if grep -L '^#ifdef AEGIS_TESTING' extension/src/*_probe.cpp | grep .; then
  echo "a probe is compiled into the product"
  exit 1
fi
# Every C function that SQL binds exists, and the other way round.
bound=$(grep -rhoE "('MODULE_PATHNAME', *'aegis_|'aegis_sealed_in_)[a-z0-9_]+'" extension/sql | sed "s/.*'\(aegis_[a-z0-9_]*\)'/\1/" | sort -u)
built=$(nm -D --defined-only aegis.so | sed -n 's/.* pg_finfo_//p' | sort -u)
if ! diff <(echo "$bound") <(echo "$built" | grep -vE '^aegis_(probe|test)_'); then
  echo "the symbols that extension/sql binds (<) and those that aegis.so has (>) differ"
  exit 1
fi
