// SPDX-License-Identifier: Apache-2.0
// Keys of issuers: how a set that one publishes becomes rows, and which of them count.
#include "core/encoding.hpp"
#include "issuer.hpp"

#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"

namespace aegis::issuer {

namespace {

namespace column {
enum Key { issuer_id = 1, kid, algorithm, jwk, thumbprint, first_seen, expires_at };
}

constexpr size_t kThumbprintDigits = 43;

pg::Statement ask = {"SELECT aegis.ask_jwks($1)", 1, {UUIDOID}, nullptr};

struct Plain {  // a key outside of core
    char kid[core::kMaxKidBytes + 1];
    char jwk[core::kMaxJwkBytes + 1];
    char thumbprint[kThumbprintDigits + 1];
    core::JwsAlgorithm algorithm;
};

// Within run(): both end where they began.
void copy(const core::PublicJwk &key, Plain *out) {
    memset(out, 0, sizeof *out);
    memcpy(out->kid, key.kid.data(), key.kid.size());
    memcpy(out->jwk, key.canonical.data(), key.canonical.size());
    core::to_base64url(core::jwk_thumbprint(key.canonical).view(), out->thumbprint);
    out->algorithm = key.algorithm;
}

Datum to_array(const Plain *keys, int count) {
    Datum *texts = static_cast<Datum *>(palloc(sizeof(Datum) * (4 * count + 1)));
    for (int i = 0; i < count; i++) {
        std::string_view name = core::jws_algorithm_name(keys[i].algorithm);
        texts[4 * i] = CStringGetTextDatum(keys[i].kid);
        texts[4 * i + 1] =
            PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size())));
        texts[4 * i + 2] = CStringGetTextDatum(keys[i].jwk);
        texts[4 * i + 3] = CStringGetTextDatum(keys[i].thumbprint);
    }
    return PointerGetDatum(construct_array(texts, 4 * count, TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace

bool find_key(const Issuer &issuer, const char *kid, Snapshot snapshot, Key *key) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], column::issuer_id, BTEqualStrategyNumber, F_UUID_EQ,
                UUIDPGetDatum(&issuer.id));
    ScanKeyInit(&keys[1], column::kid, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(kid));
    own_table::Scan scan = own_table::begin("issuer_key", keys, 2, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    bool counts = false;
    const char *algorithm = nullptr;
    if (row != nullptr) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        key->jwk = TextDatumGetCString(get(column::jwk));
        algorithm = TextDatumGetCString(get(column::algorithm));
        Datum expires = get(column::expires_at);
        counts = is_null || DatumGetTimestampTz(expires) > GetCurrentTimestamp();
    }
    own_table::end(scan);
    if (counts) pg::raise(pg::run([&] { key->algorithm = core::parse_jws_algorithm(algorithm); }));
    return counts;
}

void ask_for_keys(const Issuer &issuer) {
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&issuer.id)};
    pg::execute(ask, values);
    pg::leave(before);
}

}  // namespace aegis::issuer

using namespace aegis;

AEGIS_FUNCTION(aegis_read_jwks) {
    core::ByteView set = pg::varlena_view(PG_GETARG_DATUM(0));
    issuer::Plain *keys =
        static_cast<issuer::Plain *>(palloc(sizeof(issuer::Plain) * core::kMaxJwksKeys));
    int count = 0;
    pg::raise(pg::run([&] {
        for (const core::PublicJwk &key :
             core::parse_jwks({reinterpret_cast<const char *>(set.data), set.size}))
            issuer::copy(key, &keys[count++]);
    }));
    PG_RETURN_DATUM(issuer::to_array(keys, count));
}

AEGIS_FUNCTION(aegis_read_jwk) {
    core::ByteView text = pg::varlena_view(PG_GETARG_DATUM(0));
    issuer::Plain *key = static_cast<issuer::Plain *>(palloc(sizeof(issuer::Plain)));
    pg::raise(pg::run([&] {
        const core::PublicJwk read =
            core::parse_jwk({reinterpret_cast<const char *>(text.data), text.size});
        if (read.kid.empty()) throw core::Error{core::Code::malformed, "a key needs an id"};
        issuer::copy(read, key);
    }));
    PG_RETURN_DATUM(issuer::to_array(key, 1));
}
