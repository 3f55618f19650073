// SPDX-License-Identifier: Apache-2.0
// The tables that an import fills.
#pragma once

#include <string_view>

#include "core/bytes.hpp"
#include "pg/postgres.hpp"

namespace aegis::tenant_import {

struct Target {  // the table whose rows come
    Oid owner;
    SPIPlanPtr plan;
    int count, tenant_column;
    bool is_tenant;  // aegis.tenant, whose row is not written as it is
    Oid *types, *params;
    FmgrInfo *inputs;
    const char *name;
};

// ERROR XX001 with this detail.
[[noreturn]] void refuse(const char *why);
// In the encoding of the database, with an end.
char *text_of(std::string_view text);
bool is(const core::ByteView &value, const char *text);

void prepare_target(Target *target, const char *name, const core::ByteView *texts, int count);
void write_row(const Target &target, const core::ByteView *values);
// Foreign keys do not look while an import writes: ERROR 23503 for a row without its parent.
void check_references(const pg_uuid_t &tenant);
// What the tables number themselves goes on behind the highest number that came.
void advance_sequences(const pg_uuid_t &tenant);

}  // namespace aegis::tenant_import
