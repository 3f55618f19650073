// SPDX-License-Identifier: Apache-2.0
// Reading: who may see a field, and the plaintext or its mask. The charge comes before the
// plaintext: what was revealed is known even when the transaction is rolled back.
#include "field.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "pg/function.hpp"
#include "role.hpp"
#include "step_up.hpp"

namespace {

using namespace aegis;

// An envelope, and the field of the context's tenant that it says it belongs to.
struct Claim {
    core::EnvelopeParts envelope;
    pg_uuid_t tenant;
    const field::Field *field;  // never dangles
};

// One error for all that belongs to others.
Claim claim(FunctionCallInfo fcinfo) {
    const sealed::Kind &kind = *sealed::type_of(fcinfo).kind;
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    Claim claim;
    claim.tenant = context::require().tenant;
    if (pg::run([&] { claim.envelope = core::parse_envelope(value); }).failed) {
        if (!sealed::is_envelope(value))
            ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED), errmsg("value is not sealed"),
                            errhint("Only values that were read from a table can be revealed.")));
        sealed::parse(value);  // raises what is wrong with it
    }
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(claim.tenant, tag);
    const field::Field *found = memcmp(claim.envelope.header.tenant_tag, tag, sizeof tag) == 0 &&
                                        claim.envelope.header.type == kind.plaintext
                                    ? field::find(claim.envelope.header.field)
                                    : nullptr;
    if (found == nullptr) field::cannot_open();
    claim.field = found;
    return claim;
}

void require_level(const field::Field &field, field::Level least) {
    if (field::level(field) < least)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_REVEALED),
                        errmsg("field \"%s\" may not be revealed to you", field.name),
                        errhint("An operator can change this with aegis.set_reveal_policy().")));
}

// What the value is bound to, from the row that the caller passed beside it.
void require_bond(FunctionCallInfo fcinfo, const Claim &claim, field::Bond *bond) {
    if (!field::read_bond(fcinfo, claim.envelope, bond)) field::cannot_open();
}

// The plain value as its type prints it.
Datum as_text(const sealed::Kind &kind, Datum plain) {
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(kind.plain, &output, &is_varlena);
    return CStringGetTextDatum(OidOutputFunctionCall(output, plain));
}

// Text where the function says so, else the plain type.
Datum reveal(FunctionCallInfo fcinfo, bool withheld) {
    const Claim value = claim(fcinfo);
    const sealed::Kind &kind = *sealed::type_of(fcinfo).kind;
    require_level(*value.field, field::Level::full);
    field::Bond bond;
    require_bond(fcinfo, value, &bond);
    step_up::count_reveal(context::require(), withheld || value.field->withheld);
    charge::count_reveal(value.tenant, value.field->reference, 1, withheld);
    struct varlena *plaintext = pg::alloc_varlena(core::envelope_plaintext_size(value.envelope));
    field::open(value.tenant, *value.field, value.envelope, pg::payload(plaintext), bond);
    if (kind.plain == TEXTOID) PG_RETURN_TEXT_P(plaintext);
    Datum plain = sealed::plain_of(kind, pg::payload(plaintext));
    core::wipe(pg::payload(plaintext));
    pfree(plaintext);
    if (get_func_rettype(fcinfo->flinfo->fn_oid) == TEXTOID) return as_text(kind, plain);
    PG_RETURN_DATUM(plain);
}

Datum masked(FunctionCallInfo fcinfo) {
    const Claim value = claim(fcinfo);
    require_level(*value.field, field::Level::masked);
    field::Bond bond;
    require_bond(fcinfo, value, &bond);
    size_t size = core::envelope_plaintext_size(value.envelope);
    core::ByteSpan plaintext{static_cast<uint8_t *>(palloc(size + 1)), size};
    field::open(value.tenant, *value.field, value.envelope, plaintext, bond);
    core::ByteSpan shown = sealed::text_to_mask(*value.field->type->kind, plaintext);
    sealed::discard(plaintext);
    struct varlena *text = pg::alloc_varlena(core::mask_capacity(shown.size));
    SET_VARSIZE(text, VARHDRSZ + core::mask(value.field->mask, shown, pg::payload(text)));
    sealed::discard(shown);
    PG_RETURN_TEXT_P(text);
}

// As much of the value as the policy lets the caller see.
Datum legible(FunctionCallInfo fcinfo, bool withheld) {
    switch (field::level(*claim(fcinfo).field)) {
        case field::Level::full:
            return reveal(fcinfo, withheld);
        case field::Level::masked:
            return masked(fcinfo);
        case field::Level::none:
            break;
    }
    PG_RETURN_NULL();
}

}  // namespace

AEGIS_FUNCTION(aegis_reveal) {
    return reveal(fcinfo, false);
}

AEGIS_FUNCTION(aegis_masked) {
    return masked(fcinfo);
}

// For listings.
AEGIS_FUNCTION(aegis_legible) {
    return legible(fcinfo, false);
}

// For those that must not tell who read them.
AEGIS_FUNCTION(aegis_legible_withheld) {
    // Nobody is granted it, and an owner of a database could grant it to themselves.
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner reads unknown to the tenant")));
    return legible(fcinfo, true);
}
