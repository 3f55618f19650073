#!/usr/bin/env bash
# docs/mutation.md has the weakenings that tests/process/mutation.sh makes, and who notices each: no more and no less.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/mutation.md
if ! diff <(sed -n '/^| what was weakened /,/^$/p' "$page" | sed '/^$/d') <(python3 tests/mutation/mutation.py table); then
  echo "$page (<) and tests/mutation/mutants.py (>) differ"
  echo "hint: python3 tests/mutation/mutation.py table"
  exit 1
fi
