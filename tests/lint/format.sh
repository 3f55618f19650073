#!/usr/bin/env bash
# C++ is as clang-format 14 lays it out; "tests/lint/format.sh fix" lays it out.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=(--dry-run -Werror)
if [ "${1:-}" = fix ]; then mode=(-i); fi
find extension/src server tests -name node_modules -prune -o -name '*.[ch]pp' -print0 2> /dev/null | xargs -0 clang-format-14 "${mode[@]}"
