#!/usr/bin/env bash
# The page of invoices lists the steps of the state machine as the data has them.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/invoice_states.py check
