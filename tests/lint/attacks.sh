#!/usr/bin/env bash
# docs/attacks.md has the attacks that tests/attacks makes, who tries each and what stops it: no more and no less.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/attacks.md
if ! diff <(sed -n '/^| attack /,/^$/p' "$page" | sed '/^$/d') <(python3 tests/attacks/attacks.py table | sed '/^$/d'); then
  echo "$page (<) and tests/attacks (>) differ"
  echo "hint: python3 tests/attacks/attacks.py table"
  exit 1
fi
