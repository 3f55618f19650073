#!/usr/bin/env bash
# The page of coverage lists exactly the findings that the extension reports, and each has a test.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=0
# A finding follows the object that it is about; ids are the only quoted words with hyphens there.
reported=$(sed 's/--.*//' extension/sql/coverage_*.sql | grep -oE "'[a-z]+(-[a-z0-9]+)+'" | tr -d "'" | grep -vx 'scram-sha-256' | sort -u)
listed=$(grep -oE '^\| `[a-z0-9-]+` \|' docs/coverage.md | tr -d '|` ' | sort)
if [ "$reported" != "$listed" ]; then
  echo "docs/coverage.md (<) and extension/sql/coverage_*.sql (>) differ:"
  diff <(echo "$listed") <(echo "$reported") | grep '^[<>]' || true
  found=1
fi
for finding in $reported; do
  if ! grep -qs -- "$finding" expected/*.out; then
    echo "no test makes $finding appear"
    found=1
  fi
done
exit "$found"
