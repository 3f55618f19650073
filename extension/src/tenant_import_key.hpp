// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/hpke.hpp"
#include "pg/postgres.hpp"

namespace aegis::tenant_import {

// The private part of a key that this database made and that waits for its use; false when there is
// none such. Inside an SPI connection as aegis_owner, as the next.
bool private_key_of(core::ByteView public_key, core::ByteSpan out);
// It has served: nothing that was sealed for it opens again.
void destroy_key(core::ByteView public_key, const pg_uuid_t &tenant);

}  // namespace aegis::tenant_import
