#!/usr/bin/env bash
# The page of what is never stored says what the schema says.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec scripts/never_store.py check
