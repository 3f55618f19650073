#!/usr/bin/env bash
# The programs from outside, as they are installed. Suite unit runs the same tests on them under sanitizers, with --long.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/cluster.sh

for each in witness:aegis-verify verify:aegis-verify signer:aegis-signer breached:aegis-breached keygen:aegis-keygen; do
  name=${each%:*}
  program=$(built "${each#*:}")
  bash "tests/unit/$name.sh" "$program" 2>&1 | sed -E "s/^(ok|not ok) /\\1 $name: /" || failed=1
done
finish
