// SPDX-License-Identifier: Apache-2.0
// The receipts of anchors in a verification: each is one of a checkpoint that is here.
#pragma once

#include "verify_report.hpp"

namespace aegis::verify_anchor {

// Counts every receipt, and reports those that are about something else than their checkpoint, or
// whose time stamp is none. Inside an open SPI connection.
void check(verify::Report *report);

}  // namespace aegis::verify_anchor
