#!/usr/bin/env bash
# docs/tamper-detection.md has the edits that tests/process/tamper.sh makes, who finds each, and what is not found: no more and no less.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/tamper-detection.md
if ! diff <(sed -n '/^| what was done /,/^$/p' "$page" | sed '/^$/d') <(python3 tests/process/tamper.py table); then
  echo "$page (<) and tests/process/tamper_edits.py (>) differ"
  echo "hint: python3 tests/process/tamper.py table"
  exit 1
fi
if ! diff <(sed -n '/^| table | column/,/^$/p' "$page" | sed '/^$/d') <(python3 tests/process/tamper_columns.py table); then
  echo "$page (<) and tests/process/tamper_columns.py (>) differ"
  echo "hint: python3 tests/process/tamper_columns.py table"
  exit 1
fi
