#!/usr/bin/env bash
# One concept, one name: sources, install fragment, regression test and page go together.
# tests/lint/pairs.txt lists the concepts that lack one of them, with the reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=0
concepts=$( (cd extension/src && ls ./*.cpp | sed 's/^\.\///; s/\.cpp$//'; cd ../sql && ls ./*.sql | sed 's/^\.\///; s/\.sql$//') | sort -u)
for concept in $concepts; do
  # CONCEPT_PART.cpp is a part of its concept, split off for length.
  whole=$concept
  while [ "$whole" != "${whole%_*}" ]; do
    whole=${whole%_*}
    if grep -qx "$whole" <<< "$concepts"; then continue 2; fi
  done
  has=
  if [ -e "extension/src/$concept.cpp" ]; then has=${has}c; fi
  if [ -e "extension/sql/$concept.sql" ]; then has=${has}s; fi
  if [ -e "sql/$concept.sql" ]; then has=${has}t; fi
  if [ -e "docs/$concept.md" ]; then has=${has}d; fi
  wanted=$(awk -v c="$concept" '$1 == c { print $2 }' tests/lint/pairs.txt)
  if [ "$has" != "${wanted:-cstd}" ]; then
    echo "$concept has \"$has\", not \"${wanted:-cstd}\" (c sources, s install fragment, t regression test, d page)"
    found=1
  fi
done
while read -r concept wanted reason; do
  case $concept in "#" | concept | "") continue ;; esac
  if ! grep -qx "$concept" <<< "$concepts"; then
    echo "tests/lint/pairs.txt names $concept, which does not exist"
    found=1
  elif [ "$wanted" = cstd ] || [ -z "$reason" ]; then
    echo "tests/lint/pairs.txt: $concept needs a reason, or no line"
    found=1
  fi
done < tests/lint/pairs.txt
exit "$found"
