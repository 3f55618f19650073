// SPDX-License-Identifier: Apache-2.0
// The sealed base types: what their bytes are, how plaintext enters, what can be compared. Nothing
// here opens an envelope; field.hpp does. docs/sealed.md.
#pragma once

#include "core/envelope.hpp"
#include "core/mask.hpp"
#include "core/normalise.hpp"
#include "pg/guard.hpp"
#include "pg/postgres.hpp"

namespace aegis::sealed {

// What a type is like. A type is of the kind that its input function names, so that it needs no
// row in a table: a dump brings it back whole.
struct Kind {
    const char *symbol;  // of the input function in the library
    core::PlaintextType plaintext;
    Oid plain;                    // the type that goes in and comes out
    core::Normaliser normaliser;  // none: opaque, no search

    bool searchable() const { return normaliser != core::Normaliser::none; }
};

struct Type {
    const Kind *kind;
    const char *name;  // without schema
    // Which blind index: first 4 bytes of SHA-256("aegis/type/1" || name); 0 opaque.
    uint32_t reference;
};

// Searchable values are kept short enough for an index.
inline constexpr size_t kMaxSearchableBytes = 1000;

// The type by OID, nullptr for every other. What it points to is never freed. May ereport.
const Type *find_type(Oid oid);
// The sealed type that the called function returns or takes, kept in its fn_extra. ERROR 42809 when
// a function that takes any type is called with another.
const Type &type_of(FunctionCallInfo fcinfo);
// The kind with this normaliser's word, nullptr when there is none; the opaque text for nullptr.
const Kind *find_kind(const char *normaliser);
uint32_t reference_of(const char *name);
// How the type masks a field that says nothing else.
core::Mask mask_of(Oid type);
inline constexpr char kMaskWords[] =
    "full, email, last4, domain, phone, initial, initials, year and card";  // for hints

// True for an envelope; false for an unsealed value. ERROR when the bytes are neither.
bool is_envelope(core::ByteView value);
// The parts of an envelope, or ERROR 22P02.
core::EnvelopeParts parse(core::ByteView envelope);

// The plaintext of an unsealed value in new memory. The caller wipes it. ERROR AG003 when it stems
// from another server run.
core::ByteSpan open_unsealed(core::ByteView unsealed);
// Overwrites and frees.
void discard(core::ByteSpan plaintext);

// Plaintext is text, or the plain type's binary send format, in new memory. ERROR 22P02, 22007 and
// their like without the value.
core::ByteSpan plaintext_from_text(const Kind &kind, core::ByteView text);
core::ByteSpan plaintext_from_binary(const Kind &kind, core::ByteView binary);
core::ByteSpan plaintext_of(const Kind &kind, Datum plain);
// The plain value; of text and bytea the plaintext as it is.
Datum plain_of(const Kind &kind, core::ByteView plaintext);
// What masks work on: text, numbers, and dates as 1984-05-23 (of moments, at UTC); of other types
// nothing. In new memory.
core::ByteSpan text_to_mask(const Kind &kind, core::ByteView plaintext);

// Search token of a plaintext of a searchable type; fails when it is no well-formed value of the
// type. ERROR as key::search_token().
pg::Report make_token(const pg_uuid_t &tenant, const Type &type, core::ByteView plaintext,
                      uint8_t out[core::kTokenBytes]);
// The same for what is compared: a text that is not well formed or too long has a token too, which
// no stored value has.
void token_of_plaintext(const pg_uuid_t &tenant, const Type &type, core::ByteView plaintext,
                        uint8_t out[core::kTokenBytes]);
// Search token of a value: the embedded one, or for an unsealed value that of the current tenant.
void token_of_value(const Type &type, core::ByteView value, uint8_t out[core::kTokenBytes]);

// A value from text, as type input reads it: armor is an envelope, anything else is plaintext.
struct varlena *from_text(const Kind &kind, core::ByteView text);

// Whether a value is an envelope of this type, field and tenant that carries the given flags of
// what it is bound to. What is stored in a searchable column must be found, so its token must be
// there; only a value of a data subject may have lost it, when the subject's key was destroyed.
bool is_for(const Type &type, core::ByteView value, int64 reference, const pg_uuid_t &tenant,
            uint8_t bond_flags);

// First 8 bytes that name a tenant in an envelope; remembers the last one asked for.
void tenant_tag(const pg_uuid_t &tenant, uint8_t out[core::kTenantTagBytes]);

// Refuses a name whose search key another type has.
void check_reference(const char *name, uint32_t reference, Oid except);
// The same after a type was made, and a new name after it was changed.
void check_type(Oid oid);

// ERROR for a label of a sealed type that names no mask.
void check_mask_label(const char *label);

}  // namespace aegis::sealed
