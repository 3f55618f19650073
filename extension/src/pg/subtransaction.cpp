// SPDX-License-Identifier: Apache-2.0
#include "pg/subtransaction.hpp"

namespace aegis::pg {

// Never inlined: what the body changes must live in memory that longjmp leaves alone.
pg_noinline ErrorData *try_in_subtransaction(void (*body)(void *), void *argument) {
    MemoryContext memory = CurrentMemoryContext;
    ResourceOwner resources = CurrentResourceOwner;
    ErrorData *volatile error = nullptr;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(memory);
    PG_TRY();
    {
        body(argument);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(memory);
        error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(memory);
    CurrentResourceOwner = resources;
    return error;
}

}  // namespace aegis::pg
