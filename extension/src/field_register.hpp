// SPDX-License-Identifier: Apache-2.0
// The registry's rows, and what a table needs to keep the promise. The table is altered with the
// caller's rights, the registry with ours.
#pragma once

#include "field.hpp"
#include "field_bind.hpp"
#include "ledger.hpp"

namespace aegis::field {

struct Order {  // what encrypt_column was asked for
    Oid table;
    const char *column;
    const char *field;
    const sealed::Type *type;
    Oid type_oid;
    const char *mask;
    const char *reveal;
    uint32_t reference;
    const char *subject;  // column that says whose data a value is; nullptr: none
    bool row_bound;
    bool confirms;   // that the values may be few
    BondTerms bond;  // what both mean for the table: set by check_table()
};

// Of encrypt_column.
inline constexpr int kMaskArgument = 4, kSubjectArgument = 6, kConfirmArgument = 8;
// The arguments of aegis.encrypt_column(), with the words checked; only `mask` and `subject` may be
// null.
Order read_order(FunctionCallInfo fcinfo);
// ERROR 42501 for everybody but the owner of the table.
void require_owner(Oid table);
// The column's type, after checks that need the catalogs.
Oid check_table(Order *order);

// ERROR 55006 while the column is converted beside its writers.
void refuse_conversion(const Order &order);

// What the registry already says. Orphaned: the table that had the field is gone.
enum class Registration { fresh, same, orphaned };
Registration find_registration(const Order &order);
// Writes the registry's row and the policy of every rank.
void register_field(const Order &order);
void set_policy(uint32_t reference, int rank, const char *level, bool by_extension);

// A level by its name, or ERROR 22023.
void check_level(const char *level);

// One statement each, inside an open SPI connection.
void run_as_caller(const char *command);
// An argument of type text that is 0 is null.
uint64 run_as_owner(const char *command, int count, Oid *types, Datum *values, bool read_only);

// Seals an unsealed value. ERROR when the field is of another type or the value sealed already.
struct varlena *seal_unsealed(const sealed::Type &type, Datum value, const Field &field,
                              const pg_uuid_t &tenant, const Bond &bond);

// A ledger entry about a field.
void record(const char *event_type, const char *field, const ledger::DetailPair *pairs, int count);
// The one that says that a column is a field now.
void record_registration(const Order &order);
// A second order for a field that is as ordered: says so, or remembers what it confirms.
void confirm_registration(const Order &order);

}  // namespace aegis::field
