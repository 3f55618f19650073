#!/usr/bin/env bash
# The benchmark works: a quick run of an area gives every variant a figure and every goal its place. No time is looked at.
# With AEGIS_LONG=yes of five areas, each of which adds to what those before it left.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -e .aegis/pg/lib/postgresql/15/lib/aegis.so ]; then
  echo "aegis is not built for testing" >&2
  echo "hint: run tests/regress.sh once, or ./aegis check process" >&2
  exit 1
fi
place=$(mktemp -d /tmp/aegis-bench-test.XXXXXX)
chmod 0755 "$place"
export AEGIS_BENCH_PLACE=$place
bench=
trap 'if [ -n "$bench" ]; then kill -TERM "$bench" 2> /dev/null; wait "$bench"; fi; rm -rf "$place"' EXIT
trap 'exit 130' INT TERM

areas=(encryption)
if [ "${AEGIS_LONG:-no}" = yes ]; then areas+=(tenancy ledger gateway password); else echo "skip bench of tenancy, ledger, gateway and password (take minutes)"; fi
for area in "${areas[@]}"; do
  if ! python3 tests/bench/run.py "$area" --quick --json "$place/bench.json" > "$place/text" 2> "$place/progress"; then
    echo "not ok bench/runs $area"
    tail -n 20 "$place/progress"
    exit 1
  fi
  echo "ok bench/runs $area"
done
python3 tests/bench/complete.py "$place/bench.json" "${areas[@]}"

tests/bench/report.py "$place/bench.json" "$place/docs"
plans() { [ ${#areas[@]} = 1 ] || grep -q "protected:$" "$place/docs"/benchmarks/plans-ranks.md; }
if plans && grep -q "^| Seal a value of 32 bytes " "$place/docs"/benchmarks.md && [ -s "$place/docs/images/bench-seal.svg" ]; then
  echo "ok bench/report"
else
  echo "not ok bench/report"
  exit 1
fi

# What is published is what the published figures give.
if [ -e docs/benchmarks/figures.json ]; then
  tests/bench/report.py docs/benchmarks/figures.json "$place/published"
  if (cd "$place/published" && find . -type f -print0) | while IFS= read -r -d '' page; do
    cmp "$place/published/$page" "docs/$page" || exit 1
  done && diff -rq "$place/published/benchmarks" docs/benchmarks; then
    echo "ok bench/pages"
  else
    echo "not ok bench/pages: make them anew with tests/bench/report.py docs/benchmarks/figures.json"
    exit 1
  fi
else
  echo "skip bench/pages (no figures are published)"
fi

# Nothing that belongs to it is left: not after its end, and not when it is interrupted.
left() { pgrep -f "$place/" || compgen -G "$place/aegis-bench-*"; }
if left; then
  echo "not ok bench/cleans up"
  exit 1
fi
echo "ok bench/cleans up"

python3 tests/bench/run.py tenancy > "$place/text" 2> "$place/progress" &
bench=$!
until compgen -G "$place/aegis-bench-*/data/postmaster.pid" > /dev/null; do
  kill -0 "$bench" || { echo "not ok bench/is interrupted: it ended by itself"; exit 1; }
  sleep 0.1
done
kill -TERM "$bench"
status=0
wait "$bench" || status=$?
bench=
if [ "$status" = 130 ] && ! left; then
  echo "ok bench/is interrupted"
else
  echo "not ok bench/is interrupted: status $status"
  exit 1
fi
