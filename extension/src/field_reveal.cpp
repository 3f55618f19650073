// SPDX-License-Identifier: Apache-2.0
// Reading: who may see a field, and the plaintext or its mask. The charge comes before the
// plaintext: what was revealed is known even when the transaction is rolled back.
#include "field.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "pg/function.hpp"

namespace {

using namespace aegis;

// The field of an envelope that belongs to the context's tenant. One error for all that does not.
const field::Field &claimed_field(core::ByteView value, const pg_uuid_t &tenant) {
    if (!sealed::is_envelope(value))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED), errmsg("value is not sealed"),
                        errhint("Only values that were read from a table can be revealed.")));
    core::EnvelopeParts parts = sealed::parse(value);
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    const field::Field *found = memcmp(parts.header.tenant_tag, tag, sizeof tag) == 0
                                    ? field::find(parts.header.field)
                                    : nullptr;
    if (found == nullptr) field::cannot_open();
    return *found;
}

void require_level(const field::Field &field, field::Level least) {
    if (field::level(field) < least)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_REVEALED),
                        errmsg("field \"%s\" may not be revealed to you", field.name),
                        errhint("An operator can change this with aegis.set_reveal_policy().")));
}

}  // namespace

AEGIS_FUNCTION(aegis_reveal) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    const pg_uuid_t tenant = context::require().tenant;
    const field::Field field = claimed_field(value, tenant);
    require_level(field, field::Level::full);
    charge::count_reveal(tenant, field.reference, 1);
    core::ByteSpan plaintext = field::open(tenant, field, value);
    struct varlena *text = pg::copy_varlena(plaintext);
    sealed::discard(plaintext);
    PG_RETURN_TEXT_P(text);
}

AEGIS_FUNCTION(aegis_masked) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    const pg_uuid_t tenant = context::require().tenant;
    const field::Field field = claimed_field(value, tenant);
    require_level(field, field::Level::masked);
    core::ByteSpan plaintext = field::open(tenant, field, value);
    size_t room = core::mask_capacity(plaintext.size);
    struct varlena *text = pg::alloc_varlena(room);
    SET_VARSIZE(text, VARHDRSZ + core::mask(field.mask, plaintext, pg::payload(text)));
    sealed::discard(plaintext);
    PG_RETURN_TEXT_P(text);
}

// For listings: as much of the value as the policy lets the caller see.
AEGIS_FUNCTION(aegis_legible) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    switch (field::level(claimed_field(value, context::require().tenant))) {
        case field::Level::full:
            return aegis_reveal(fcinfo);
        case field::Level::masked:
            return aegis_masked(fcinfo);
        case field::Level::none:
            break;
    }
    PG_RETURN_NULL();
}
