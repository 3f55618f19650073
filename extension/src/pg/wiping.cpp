// SPDX-License-Identifier: Apache-2.0
#include "pg/wiping.hpp"

namespace aegis::pg {

void wiping(core::ByteSpan secret, void (*body)(void *), void *argument) {
    PG_TRY();
    { body(argument); }
    PG_CATCH();
    {
        core::wipe(secret);
        PG_RE_THROW();
    }
    PG_END_TRY();
    core::wipe(secret);
}

}  // namespace aegis::pg
