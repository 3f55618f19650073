// SPDX-License-Identifier: Apache-2.0
// What the report of coverage needs below SQL, and the record of what the ledger covers.
// docs/coverage.md.
#pragma once

namespace aegis::coverage {

// For the worker, in its transaction: writes an entry when the captured tables are others than at
// the last look, once in aegis.coverage_interval.
void tend();

}  // namespace aegis::coverage
