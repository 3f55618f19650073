#!/usr/bin/env bash
# Every shell script passes shellcheck, and every Python file compiles.
set -euo pipefail
cd "$(dirname "$0")/../.."
find scripts tests .ci aegis -name node_modules -prune -o -type f \( -name '*.sh' -o -path .ci/run -o -path aegis \) -print0 \
  | xargs -0 shellcheck --shell=bash --source-path=SCRIPTDIR --external-sources --severity=warning \
      --exclude=SC1091,SC2034,SC2154
find scripts tests -name node_modules -prune -o -name '*.py' -print0 | xargs -0 -n 1 python3 -c '
import ast, sys
ast.parse(open(sys.argv[1]).read(), sys.argv[1])'
