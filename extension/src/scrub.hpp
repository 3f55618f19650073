// SPDX-License-Identifier: Apache-2.0
// Card data is removed from what programs send and refused in what people write: core/scrub.hpp
// over PostgreSQL's values. docs/scrub.md.
#pragma once

#include "core/scrub.hpp"
#include "pg/postgres.hpp"

namespace aegis::scrub {

inline constexpr char kRefusalHint[] =
    "Leave card numbers, codes and tracks out. Payments go through the provider's hosted form.";

// "payload" or "user_field"; ERROR 22023 for anything else.
core::ScrubProfile profile_of(text *name);

// The text without card data in new memory; nullptr when nothing was to be removed.
text *scrubbed(core::ByteView value);

// Kinds found, as bits; 0 when there is no card data.
uint32 kinds_of(core::ByteView value, core::ScrubProfile profile);

// ERROR AG020 when what somebody wrote into a field holds card data; the value is not shown.
void check_field(const char *name, core::ByteView value);

// The text of a jsonb in new memory.
core::ByteView json_text(Jsonb *value);

}  // namespace aegis::scrub
