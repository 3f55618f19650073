// SPDX-License-Identifier: Apache-2.0
// The registry of encrypted fields and their reveal policy. docs/field.md.
#pragma once

#include "core/envelope.hpp"
#include "field_bond.hpp"
#include "pg/postgres.hpp"
#include "sealed.hpp"

namespace aegis::field {

struct Field {
    uint32_t reference;  // first 4 bytes of SHA-256("aegis/field/1" || name), big-endian
    char name[64];       // "customer.email"
    const sealed::Type *type;
    core::Mask mask;
    bool withheld;  // reveals are recorded in the system's log, not in the tenant's
};

enum class Level : uint8_t { none = 0, masked = 1, full = 2 };
inline constexpr int kOperatorRank = 0;  // contexts that an operator assumed
inline constexpr int kRanks = 5;         // 1 to 4: users

// Registered field by reference, cached; nullptr when unknown. Valid until the registry changes:
// use it at once.
const Field *find(uint32_t reference);
// What the current context may see of a field; none without one.
Level level(const Field &field);
// What an operator's contexts may see of it in this session, whether or not there is one.
Level operator_level(const Field &field);

// Seals plaintext for a tenant, a field and what it is bound to into a new envelope varlena. ERROR
// 22P02 when a searchable value is not well formed, 54000 when it is too long for an index, AG005
// when the subject's key was destroyed.
struct varlena *seal(const pg_uuid_t &tenant, const Field &field, core::ByteView plaintext,
                     const Bond &bond);
// Writes the plaintext, whose size is core::envelope_plaintext_size(). ERROR AG003, the same for a
// changed value, another tenant's, field's, subject's and row's.
void open(const pg_uuid_t &tenant, const Field &field, const core::EnvelopeParts &envelope,
          core::ByteSpan plaintext, const Bond &bond);
// The same into new memory; the caller wipes it with sealed::discard().
core::ByteSpan open(const pg_uuid_t &tenant, const Field &field, core::ByteView envelope,
                    const Bond &bond);
[[noreturn]] void cannot_open();

// The cipher of a field for what a value is bound to; as key::field_cipher(), and where a subject
// is bound as key::subject_cipher().
const core::EnvelopeKey *cipher_for(const pg_uuid_t &tenant, uint32_t reference, const Bond &bond,
                                    uint32_t *epoch, bool make);
// What core::seal_envelope() and core::open_envelope() take.
core::Binding binding_of(const pg_uuid_t &tenant, const Bond &bond);

// Every table of a registered field, and every partition of one, by OID. Inside an SPI connection
// as aegis_owner; lives as long as that.
List *tables();

// The reference that belongs to a name.
uint32_t reference_of(const char *name);

void define();  // called from _PG_init

}  // namespace aegis::field
