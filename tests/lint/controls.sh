#!/usr/bin/env bash
# Every control names tests and places that exist, none is past its date of review, and the page lists them as the data has them.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec scripts/controls.py check
