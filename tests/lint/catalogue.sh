#!/usr/bin/env bash
# The page of the catalogue lists exactly the event types that the extension installs.
set -euo pipefail
cd "$(dirname "$0")/../.."
declared=$(sed -n "s/^  ('\([a-z_]*[.][a-z_]*\)', *'\([^']*\)').*/| \`\1\` | \2 |/p" extension/sql/catalogue.sql | sort)
listed=$(grep -E '^\| `[a-z_]+\.[a-z_]+` \|' docs/catalogue.md | sort)
if [ "$declared" != "$listed" ]; then
  echo "docs/catalogue.md and extension/sql/catalogue.sql differ:"
  diff <(echo "$listed") <(echo "$declared") || true
  exit 1
fi
