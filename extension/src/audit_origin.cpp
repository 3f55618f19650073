// SPDX-License-Identifier: Apache-2.0
// Opens what an entry says of where a request came from, as was claimed and as PostgreSQL knew it,
// and nothing else that is sealed. Who looks is recorded first.
#include "core/entry.hpp"
#include "core/envelope.hpp"

#include "charge.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "sealed.hpp"

namespace {

using namespace aegis;

Datum text_or_null(std::string_view text, bool *is_null) {
    *is_null = text.empty();
    return *is_null ? 0
                    : PointerGetDatum(
                          cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

// The body of the entry, in the caller's memory.
core::ByteView find_entry(int64 seq) {
    static pg::Statement find = {
        "SELECT body FROM aegis.entry WHERE seq OPERATOR(pg_catalog.=) $1", 1, {INT8OID}, nullptr};
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::enter();
    Datum values[] = {Int64GetDatum(seq)};
    if (pg::execute(find, values) == 0)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("entry " INT64_FORMAT " does not exist", seq)));
    bool is_null;
    Datum body = pg::column(0, 1, &is_null);
    MemoryContext inner = MemoryContextSwitchTo(caller);
    core::ByteView copy = pg::varlena_view(datumCopy(body, false, -1));
    MemoryContextSwitchTo(inner);
    pg::leave(before);
    return copy;
}

}  // namespace

AEGIS_FUNCTION(aegis_reveal_origin) {
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    core::ByteView body = find_entry(PG_GETARG_INT64(0));
    core::EntryFields entry;
    core::EnvelopeParts parts;
    size_t size = 0;
    pg::raise(pg::run([&] {
        entry = core::decode_entry(body);
        if (entry.origin.size == 0) return;
        parts = core::parse_envelope(entry.origin);
        size = core::envelope_plaintext_size(parts);
    }));
    core::OriginFields origin;
    if (size > 0) {
        pg_uuid_t tenant = {};
        if (entry.tenant.size == UUID_LEN) memcpy(tenant.data, entry.tenant.data, UUID_LEN);
        charge::count_reveal(tenant, charge::kAuditMeta, 1);
        uint8_t tag[core::kTenantTagBytes];
        sealed::tenant_tag(tenant, tag);
        if (memcmp(parts.header.tenant_tag, tag, sizeof tag) != 0)
            ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                            errmsg("origin of the entry is another tenant's")));
        uint32_t epoch = parts.header.epoch;
        const core::EnvelopeKey *cipher = key::audit_cipher(tenant, &epoch);
        core::ByteSpan plaintext(static_cast<uint8_t *>(palloc(size)), size);
        pg::raise(pg::run([&] {
            core::Binding binding;
            binding.tenant = pg::view_of(tenant);
            core::open_envelope(*cipher, parts, binding, plaintext);
            origin = core::decode_origin(plaintext);
        }));
    }
    Datum values[4];
    bool nulls[4];
    values[0] = text_or_null(origin.ip, &nulls[0]);
    values[1] = text_or_null(origin.user_agent, &nulls[1]);
    values[2] = text_or_null(origin.connection, &nulls[2]);
    values[3] = text_or_null(origin.application, &nulls[3]);
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}
