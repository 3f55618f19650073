// SPDX-License-Identifier: Apache-2.0
// Installs every PostgreSQL hook once, keeps and chains the previous ones, and calls the concepts
// that have something to say, in a fixed order: ledger guard, sealed constants, tenant walls.
#pragma once

namespace aegis::hook {

void install();  // called from _PG_init, last

}  // namespace aegis::hook
