// SPDX-License-Identifier: Apache-2.0
// The base types aegis.sealed_text and aegis.sealed_email: what their bytes are, how plaintext
// enters, what can be compared. Nothing here opens an envelope; field.hpp does. docs/sealed.md.
#pragma once

#include "core/envelope.hpp"
#include "core/normalise.hpp"
#include "pg/postgres.hpp"

namespace aegis::sealed {

struct Type {
    const char *name;             // in schema aegis
    core::Normaliser normaliser;  // none: opaque, no search
    uint32_t
        reference;  // which blind index: first 4 bytes of SHA-256("aegis/type/1" || name); 0 opaque
};

// Searchable values are kept short enough for an index.
inline constexpr size_t kMaxSearchableBytes = 1000;

const Type &text_type();
const Type &email_type();
// The type by OID, nullptr for every other. May ereport.
const Type *find_type(Oid oid);

// True for an envelope; false for an unsealed value. ERROR when the bytes are neither.
bool is_envelope(core::ByteView value);
// The parts of an envelope, or ERROR 22P02.
core::EnvelopeParts parse(core::ByteView envelope);

// The plaintext of an unsealed value in new memory. The caller wipes it. ERROR AG003 when it stems
// from another server run.
core::ByteSpan open_unsealed(core::ByteView unsealed);
// Overwrites and frees.
void discard(core::ByteSpan plaintext);

// Search token of a plaintext of a searchable type. A text that is no well-formed value of the type
// has a token too, which no stored value has. ERROR as key::search_token().
void token_of_plaintext(const pg_uuid_t &tenant, const Type &type, core::ByteView plaintext,
                        uint8_t out[core::kTokenBytes]);
// Search token of a value: the embedded one, or for an unsealed value that of the current tenant.
void token_of_value(const Type &type, core::ByteView value, uint8_t out[core::kTokenBytes]);

// A value from text, as type input reads it: armor is an envelope, anything else is plaintext.
struct varlena *from_text(const Type &type, core::ByteView text);

// Whether a value is an envelope of this type, field and tenant that carries the given flags of
// what it is bound to. What is stored in a searchable column must be found, so its token must be
// there; only a value of a data subject may have lost it, when the subject's key was destroyed.
bool is_for(const Type &type, core::ByteView value, int64 reference, const pg_uuid_t &tenant,
            uint8_t bond_flags);

// First 8 bytes that name a tenant in an envelope; remembers the last one asked for.
void tenant_tag(const pg_uuid_t &tenant, uint8_t out[core::kTenantTagBytes]);

}  // namespace aegis::sealed
