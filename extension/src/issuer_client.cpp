// SPDX-License-Identifier: Apache-2.0
// What Aegis is to an issuer: the key that proves it, sealed under a purpose of its own.
#include "core/client_key.hpp"
#include "core/envelope.hpp"
#include "issuer_sign_in.hpp"

#include "core/jwt.hpp"
#include "key.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "sealed.hpp"

namespace aegis::issuer {

namespace {

const pg_uuid_t kSystem = {};
constexpr size_t kMaxPublicBytes = 512;

core::Binding binding_of(const core::ByteView *issuer) {
    core::Binding binding{};
    binding.tenant = pg::view_of(kSystem);
    binding.row_parts = issuer;
    binding.row_part_count = 1;
    return binding;
}

}  // namespace

const char *make_assertion(const Client &client) {
    core::EnvelopeParts parts;
    pg::raise(pg::run([&] { parts = core::parse_envelope(client.key); }));
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = key::issuer_cipher(&epoch);
    core::ByteView id = pg::view_of(client.id);
    uint8_t room[core::kMaxClientKeyBytes];
    core::ByteSpan key{room, core::envelope_plaintext_size(parts)};
    char *out = static_cast<char *>(palloc0(core::kMaxTokenBytes));
    int64_t now = ledger::unix_micros(GetCurrentTimestamp()) / USECS_PER_SEC;
    pg::Report report = pg::run([&] {
        if (key.size > sizeof room) throw core::Error{core::Code::malformed, "not a client's key"};
        core::open_envelope(*cipher, parts, binding_of(&id), key);
        const std::string made =
            core::sign_client_assertion(key, {client.client, strlen(client.client)},
                                        {client.issuer, strlen(client.issuer)}, now);
        if (made.size() >= core::kMaxTokenBytes)
            throw core::Error{core::Code::too_long, "an assertion is too long"};
        memcpy(out, made.data(), made.size());
    });
    core::wipe(room);
    pg::raise(report);
    return out;
}

}  // namespace aegis::issuer

using namespace aegis;

AEGIS_FUNCTION(aegis_make_client_key) {
    pg_uuid_t issuer = *PG_GETARG_UUID_P(0);
    core::ByteView id = pg::view_of(issuer);
    core::EnvelopeHeader header{};
    header.type = core::PlaintextType::bytea;
    header.flags = core::kFlagRowBound;
    header.epoch = key::kCurrentEpoch;
    const core::EnvelopeKey *cipher = key::issuer_cipher(&header.epoch);
    header.suite = cipher->suite();
    sealed::tenant_tag(issuer::kSystem, header.tenant_tag);
    struct varlena *out = pg::alloc_varlena(core::envelope_size(header, core::kMaxClientKeyBytes));
    uint8_t key[core::kMaxClientKeyBytes];
    char jwk[issuer::kMaxPublicBytes] = {};
    size_t sealed_bytes = 0;
    // Nothing between the making and the wiping may jump away.
    pg::Report made = pg::run([&] {
        const size_t size = core::make_client_key(key);
        const std::string text = core::client_key_jwk({key, size});
        if (text.size() >= sizeof jwk) throw core::Error{core::Code::too_long, "a key is too long"};
        memcpy(jwk, text.data(), text.size());
        sealed_bytes = core::envelope_size(header, size);
        core::seal_envelope(*cipher, header, issuer::binding_of(&id), {}, {key, size},
                            {pg::payload(out).data, sealed_bytes});
    });
    core::wipe(key);
    pg::raise(made);
    SET_VARSIZE(out, VARHDRSZ + sealed_bytes);
    Datum values[] = {PointerGetDatum(out), CStringGetTextDatum(jwk)};
    bool nulls[] = {false, false};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
