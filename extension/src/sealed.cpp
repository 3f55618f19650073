// SPDX-License-Identifier: Apache-2.0
// Input, output and casts. Ciphertext goes in and out; plaintext goes in only, and stays in memory
// under the key of this server run until a trigger seals it.
#include "core/encoding.hpp"
#include "core/xaes.hpp"
#include "sealed.hpp"

#include "key.hpp"
#include "pg/function.hpp"

namespace aegis::sealed {

namespace {

constexpr char kUnsealedText[] = "<unsealed>";

[[noreturn]] void malformed() {
    ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("malformed sealed value"),
                    errhint("Text that begins with \"A1.\" is read as a sealed value.")));
    pg_unreachable();
}

bool is(core::ByteView text, const char *literal) {
    return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

struct varlena *make_unsealed(const Kind &kind, core::ByteView plaintext) {
    core::ByteView boot_id;
    const core::Xaes *cipher = key::boot_cipher(&boot_id);
    struct varlena *result = pg::alloc_varlena(core::unsealed_size(plaintext.size));
    pg::raise(pg::run([&] {
        core::make_unsealed(*cipher, boot_id, kind.plaintext, plaintext, pg::payload(result));
    }));
    return result;
}

// The same for a plaintext of ours, which is then gone.
struct varlena *make_unsealed_of(const Kind &kind, core::ByteSpan plaintext) {
    struct varlena *result = make_unsealed(kind, plaintext);
    discard(plaintext);
    return result;
}

// A searchable column must never hold a value that it cannot find, unless nobody can open it.
void check_envelope(const Kind &kind, core::ByteView envelope) {
    core::EnvelopeParts parts{};
    if (pg::run([&] { parts = core::parse_envelope(envelope); }).failed) malformed();
    if (parts.header.type != kind.plaintext)
        ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                        errmsg("sealed value is not of type %s", format_type_be(kind.plain)),
                        errhint("It was sealed for another type.")));
    bool erased = (parts.header.flags & core::kFlagSubject) != 0 &&
                  (parts.header.flags & core::kFlagTokenRemoved) != 0;
    if (kind.searchable() && parts.token.size == 0 && !erased)
        ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                        errmsg("sealed value has no search token"),
                        errhint("It was sealed for a type that is not searchable.")));
}

}  // namespace

bool is_envelope(core::ByteView value) {
    if (core::is_unsealed(value)) return false;
    if (value.size < core::kEnvelopeHeaderBytes || value.data[0] != core::kEnvelopeMagic ||
        value.data[1] == 0)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("sealed value is corrupt")));
    return true;
}

core::EnvelopeParts parse(core::ByteView envelope) {
    core::EnvelopeParts parts{};
    if (pg::run([&] { parts = core::parse_envelope(envelope); }).failed) malformed();
    return parts;
}

core::ByteSpan open_unsealed(core::ByteView unsealed) {
    core::ByteView boot_id;
    const core::Xaes *cipher = key::boot_cipher(&boot_id);
    size_t size = 0;
    pg::raise(pg::run([&] { size = core::unsealed_plaintext_size(unsealed); }));
    core::ByteSpan plaintext{static_cast<uint8_t *>(palloc(size + 1)), size};
    pg::raise(pg::run([&] { core::open_unsealed(*cipher, boot_id, unsealed, plaintext); }));
    return plaintext;
}

void discard(core::ByteSpan plaintext) {
    core::wipe(plaintext);
    pfree(plaintext.data);
}

struct varlena *from_text(const Kind &kind, core::ByteView text) {
    std::string_view view{reinterpret_cast<const char *>(text.data), text.size};
    if (is(text, kUnsealedText))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                 errmsg("\"%s\" stands for a value that is lost and is no input", kUnsealedText),
                 errhint("The value was printed before it was sealed.")));
    if (!core::looks_like_armor(view))
        return kind.plaintext == core::PlaintextType::text
                   ? make_unsealed(kind, text)
                   : make_unsealed_of(kind, plaintext_from_text(kind, text));
    size_t size = 0;
    if (pg::run([&] { size = core::armor_decoded_size(view); }).failed) malformed();
    struct varlena *result = pg::alloc_varlena(size);
    if (pg::run([&] { core::from_armor(view, pg::payload(result)); }).failed) malformed();
    check_envelope(kind, pg::payload(result));
    return result;
}

bool is_for(const Type &type, core::ByteView value, int64 reference, const pg_uuid_t &tenant,
            uint8_t bond_flags) {
    core::EnvelopeParts parts{};
    if (!is_envelope(value) || pg::run([&] { parts = core::parse_envelope(value); }).failed)
        return false;
    uint8_t flags = parts.header.flags;
    if ((bond_flags & core::kFlagSubject) != 0) flags &= ~core::kFlagTokenRemoved;
    uint8_t tag[core::kTenantTagBytes];
    tenant_tag(tenant, tag);
    return parts.header.type == type.kind->plaintext &&
           flags == (bond_flags | (type.kind->searchable() ? core::kFlagToken : 0)) &&
           static_cast<int64>(parts.header.field) == reference &&
           memcmp(parts.header.tenant_tag, tag, sizeof tag) == 0;
}

void tenant_tag(const pg_uuid_t &tenant, uint8_t out[core::kTenantTagBytes]) {
    static pg_uuid_t last;
    static uint8_t tag[core::kTenantTagBytes];
    static bool known = false;
    if (!known || memcmp(&last, &tenant, sizeof last) != 0) {
        known = false;
        pg::raise(pg::run([&] { core::tenant_tag(pg::view_of(tenant), tag); }));
        last = tenant;
        known = true;
    }
    memcpy(out, tag, sizeof tag);
}

}  // namespace aegis::sealed

using namespace aegis;

// Envelopes are told from text by their first byte, which no UTF-8 text begins with, nor any number
// or time in binary form. Bytes can begin with anything, so they are no input here.
AEGIS_FUNCTION(aegis_sealed_recv) {
    const sealed::Kind &kind = *sealed::type_of(fcinfo).kind;
    StringInfo message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    size_t size = static_cast<size_t>(message->len - message->cursor);
    const char *bytes = pq_getmsgbytes(message, static_cast<int>(size));
    core::ByteView view{reinterpret_cast<const uint8_t *>(bytes), size};
    if (size > 0 && view.data[0] == core::kEnvelopeMagic) {
        if (size < 2 || view.data[1] == 0) sealed::malformed();
        sealed::check_envelope(kind, view);
        PG_RETURN_POINTER(pg::copy_varlena(view));
    }
    if (kind.plaintext == core::PlaintextType::bytea)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("binary value is not a sealed value"),
                        errhint("Pass plain bytes as a value of type bytea.")));
    if (kind.plaintext != core::PlaintextType::text)
        PG_RETURN_POINTER(
            sealed::make_unsealed_of(kind, sealed::plaintext_from_binary(kind, view)));
    char *text = pg_any_to_server(bytes, static_cast<int>(size), pg_get_client_encoding());
    size_t length = text == bytes ? size : strlen(text);
    PG_RETURN_POINTER(sealed::from_text(kind, {reinterpret_cast<uint8_t *>(text), length}));
}

// From the plain type.
AEGIS_FUNCTION(aegis_sealed_from_plain) {
    const sealed::Kind &kind = *sealed::type_of(fcinfo).kind;
    if (kind.plaintext == core::PlaintextType::text)
        PG_RETURN_POINTER(sealed::from_text(kind, pg::varlena_view(PG_GETARG_DATUM(0))));
    PG_RETURN_POINTER(
        sealed::make_unsealed_of(kind, sealed::plaintext_of(kind, PG_GETARG_DATUM(0))));
}

// A character(n) value is padded with blanks that are not part of it.
AEGIS_FUNCTION(aegis_sealed_from_padded) {
    core::ByteView view = pg::varlena_view(PG_GETARG_DATUM(0));
    while (view.size > 0 && view.data[view.size - 1] == ' ') view.size--;
    PG_RETURN_POINTER(sealed::from_text(*sealed::type_of(fcinfo).kind, view));
}

AEGIS_FUNCTION(aegis_sealed_out) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    if (!sealed::is_envelope(value)) PG_RETURN_CSTRING(pstrdup(sealed::kUnsealedText));
    size_t size = core::armor_size(value.size);
    char *armor = static_cast<char *>(palloc(size + 1));
    core::to_armor(value, armor);
    armor[size] = '\0';
    PG_RETURN_CSTRING(armor);
}

AEGIS_FUNCTION(aegis_sealed_send) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    if (!sealed::is_envelope(value)) value = pg::view_of(sealed::kUnsealedText);
    PG_RETURN_BYTEA_P(pg::copy_varlena(value));
}

// The cast to text gives armor, and refuses where output would print a placeholder.
AEGIS_FUNCTION(aegis_sealed_to_text) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    if (!sealed::is_envelope(value))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_UNSEALED), errmsg("value is not sealed"),
                        errdetail("Its text would be lost."),
                        errhint("Keep the plain text, or read the value back from its column.")));
    size_t size = core::armor_size(value.size);
    struct varlena *text = pg::alloc_varlena(size);
    core::to_armor(value, VARDATA(text));
    PG_RETURN_TEXT_P(text);
}

AEGIS_FUNCTION(aegis_is_sealed) {
    PG_RETURN_BOOL(sealed::is_envelope(pg::varlena_view(PG_GETARG_DATUM(0))));
}

// For CHECK constraints, hence never NULL: no value is fine, a value without a tenant is not.
AEGIS_FUNCTION(aegis_is_sealed_for) {
    if (PG_ARGISNULL(0)) PG_RETURN_BOOL(true);
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) PG_RETURN_BOOL(false);
    PG_RETURN_BOOL(sealed::is_for(sealed::type_of(fcinfo), pg::varlena_view(PG_GETARG_DATUM(0)),
                                  PG_GETARG_INT64(1), *PG_GETARG_UUID_P(2), 0));
}
