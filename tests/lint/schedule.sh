#!/usr/bin/env bash
# Every regression test is scheduled, and has an input and an expected output; so has every isolation test.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=0
# same WHAT A B: two lists of names, one per line, are equal.
same() {
  if ! diff <(echo "$2" | sort) <(echo "$3" | sort) > /dev/null; then
    echo "$1:"
    diff <(echo "$2" | sort) <(echo "$3" | sort) | grep '^[<>]'
    found=1
  fi
}
names() { find "$1" -maxdepth 1 -name "*.$2" -printf '%f\n' 2> /dev/null | sed "s/\.$2$//"; }
scheduled=$(tr -s ' \n' '\n' < tests/regress.schedule | sed '/^$/d')
same "tests/regress.schedule (<) and sql/ (>) differ" "$scheduled" "$(names sql sql)"
same "tests/regress.schedule (<) and expected/ (>) differ" "$scheduled" "$(names expected out)"
if [ -d tests/isolation/specs ]; then
  same "tests/isolation: specs (<) and expected (>) differ" "$(names tests/isolation/specs spec)" "$(names tests/isolation/expected out)"
fi
if [ "$(echo "$scheduled" | sort | uniq -d)" ]; then
  echo "a test is scheduled twice: $(echo "$scheduled" | sort | uniq -d)"
  found=1
fi
exit "$found"
