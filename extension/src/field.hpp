// SPDX-License-Identifier: Apache-2.0
// The registry of encrypted fields and their reveal policy. docs/field.md.
#pragma once

#include "core/envelope.hpp"
#include "core/normalise.hpp"
#include "pg/postgres.hpp"

namespace aegis::field {

struct Field {
    uint32_t reference;  // first 4 bytes of SHA-256("aegis/field/1" || name), big-endian
    char name[64];       // "customer.email"
    core::PlaintextType type;
    core::Normaliser normaliser;
    core::Mask mask;
    uint32_t type_reference;  // which blind index; 0 for opaque types
};

// Registered field by reference, cached; nullptr when unknown.
const Field *find(uint32_t reference);

// Seals plaintext for a tenant and field into a new envelope varlena.
struct varlena *seal(const pg_uuid_t &tenant, const Field &field, core::ByteView plaintext);

void define();

}  // namespace aegis::field
