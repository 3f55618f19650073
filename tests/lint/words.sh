#!/usr/bin/env bash
# No promise for later, no path of one machine, no name that says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=0
files=$(find . \( -name .git -o -name .aegis -o -name build -o -name node_modules -o -name __pycache__ \) -prune \
  -o -type f \( -name '*.[ch]pp' -o -name '*.sql' -o -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.txt' \
  -o -name aegis -o -name Makefile \) -print | grep -vE '^\./(tests/lint/words\.sh|extension/aegis(_app)?--)')
# shellcheck disable=SC2086 # names without spaces
if grep -nE '\b(TODO|FIXME|XXX|HACK)\b|(^|[^.a-z])/home/[a-z]' $files; then found=1; fi
if echo "$files" | grep -E '/(utils?|helpers?|common|misc|manager)\.'; then
  echo "a file is named after its subject"
  found=1
fi
for file in $files; do
  # A list that is generated grows with what it lists.
  lines=$(sed '/^<!-- events: begin -->$/,/^<!-- events: end -->$/d' "$file" | wc -l)
  case $file in
    *.cpp) most=550 ;;
    *.py) most=600 ;;
    *.md) most=260 ;;
    *) continue ;;
  esac
  if [ "$lines" -gt "$most" ]; then
    echo "$file has $lines lines, more than $most: split it by subject"
    found=1
  fi
done
# shellcheck disable=SC2046
if grep -L 'SPDX-License-Identifier: Apache-2.0' $(echo "$files" | grep -E '\.[ch]pp$') | grep .; then
  echo "the licence line is missing"
  found=1
fi
exit "$found"
