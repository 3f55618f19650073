// SPDX-License-Identifier: Apache-2.0
// What every exported file is made of. docs/export.md.
#pragma once

#include "core/bytes.hpp"
#include "pg/postgres.hpp"

namespace aegis::verify {

// Adds a line to the result: the record in base64. Uses the scratch context, where the record may
// be as well, and empties it.
void put_line(ReturnSetInfo *result, MemoryContext scratch, core::ByteView record);

}  // namespace aegis::verify
