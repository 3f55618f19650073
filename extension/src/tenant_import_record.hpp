// SPDX-License-Identifier: Apache-2.0
// What each record of an exported tenant does here.
#pragma once

#include "core/bundle_check.hpp"
#include "core/tenant_bundle.hpp"
#include "pg/statement.hpp"
#include "tenant_import_table.hpp"

namespace aegis::tenant_import {

struct Import {
    Oid lines;
    pg::Identity caller, own;
    MemoryContext table_memory, line_memory;
    core::TenantReading reading;
    uint64_t line;
    core::BundleCheck *ledger;
    pg_uuid_t tenant;
    char tenant_text[37], slug[64], source_region[17], database[NAMEDATALEN];
    uint8_t recipient[core::kHpkeKeyBytes], private_key[core::kKeyBytes];
    uint64_t findings;
    bool writing;
    bool has_tenant;
    Target target;
    StringInfoData problems;
    const char *name;  // of the tenant
    const char *created_at;
};

// Checks the record, or writes what it says. Inside an SPI connection as aegis_owner, in the
// context of the line.
void take(Import *state, const core::TenantRecord &record);

}  // namespace aegis::tenant_import
