// SPDX-License-Identifier: Apache-2.0
// What jobs need that rewrite rows of other people's tables.
#pragma once

#include "pg/postgres.hpp"
#include "pg/statement.hpp"

namespace aegis::job {

// As the owner of a table, whom row security binds, and without triggers but those that always
// fire: nobody else's code runs with rights that it does not have anyway, and nothing takes a new
// envelope for a change of the row. Ended by leave_table(), or by the end of the transaction.
struct AsOwner {
    pg::Identity before;
    int settings;
};
AsOwner enter_table(Oid relation, bool writes);
void leave_table(const AsOwner &entered);

// Transactions that write to tables at a moment: what they wrote is seen once they are gone.
struct Writers {
    VirtualTransactionId *ids;
    int count;
};
void note_writers(Oid relation, MemoryContext memory, Writers *writers);
void forget_gone(Writers *writers);

}  // namespace aegis::job
