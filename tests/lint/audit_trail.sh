#!/usr/bin/env bash
# The page of the audit trail lists the events that the extensions declare; each promise on it names events that exist and a test
# that looks for them.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/audit_trail.py check
found=0
events=$(sed -n '/events: begin/,/events: end/p' docs/AUDIT_TRAIL.md | grep -oE '^\| `[a-z_.]+`' | tr -d '|` ')
promises=0
while IFS='|' read -r _ promise named tests _; do
  promises=$((promises + 1))
  files=$(grep -oE '`[a-z_/]+\.(sql|sh|py)`' <<< "$tests" | tr -d '`')
  for event in $(grep -oE '`[a-z_]+\.[a-z_]+`' <<< "$named" | tr -d '`'); do
    if ! grep -qxF "$event" <<< "$events"; then
      echo "docs/AUDIT_TRAIL.md: $promise: $event is not declared"
      found=1
    fi
    looked=0
    for file in $files; do
      # What a test prints counts as well: it is compared.
      printed=expected/$(basename "$file" .sql).out
      if grep -qF "$event" "$file" 2> /dev/null || grep -qF "$event" "$printed" 2> /dev/null; then looked=1; fi
    done
    if [ "$looked" = 0 ]; then
      echo "docs/AUDIT_TRAIL.md: $promise: no test named there looks for $event"
      found=1
    fi
  done
done < <(sed -n '/promises: begin/,/promises: end/p' docs/AUDIT_TRAIL.md | grep -E '^\| [A-Za-z]' | grep -v '^| what happens')
if [ "$promises" -lt 10 ]; then
  echo "docs/AUDIT_TRAIL.md: the table of promises is not where it was"
  found=1
fi
exit "$found"
