// SPDX-License-Identifier: Apache-2.0
#include "core/field_key.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kPrefix = "AF1.";
constexpr std::string_view kInfo = "aegis/field-key/1";
constexpr uint8_t kVersion = 1;
constexpr size_t kFixedBytes = 4 + 4 + 4 + 4 + 16 + kKeyBytes;
constexpr size_t kMostBytes = kFixedBytes + kKeyBytes;

struct Plain {
    uint8_t bytes[kMostBytes];
    size_t size = 0;
    ~Plain() { wipe(bytes); }
};

void write(const FieldKey &key, Plain *out) {
    uint8_t *at = out->bytes;
    at[0] = kVersion;
    at[1] = static_cast<uint8_t>(key.suite);
    at[2] = static_cast<uint8_t>(key.type);
    at[3] = static_cast<uint8_t>(key.normaliser);
    put_u32(at + 4, key.epoch);
    put_u32(at + 8, key.field);
    put_u32(at + 12, key.type_reference);
    memcpy(at + 16, key.tenant, sizeof key.tenant);
    memcpy(at + 32, key.key, sizeof key.key);
    out->size = kFixedBytes;
    if (key.normaliser == Normaliser::none) return;
    memcpy(at + kFixedBytes, key.index_key, sizeof key.index_key);
    out->size = kMostBytes;
}

void read(const Plain &in, FieldKey *out) {
    const uint8_t *at = in.bytes;
    out->suite = static_cast<Suite>(at[1]);
    out->type = static_cast<PlaintextType>(at[2]);
    out->normaliser = static_cast<Normaliser>(at[3]);
    out->epoch = get_u32(at + 4);
    out->field = get_u32(at + 8);
    out->type_reference = get_u32(at + 12);
    const bool searchable = out->normaliser != Normaliser::none;
    if (at[0] != kVersion || !is_sealing(out->suite) || out->type != PlaintextType::text ||
        at[3] > static_cast<uint8_t>(Normaliser::alnum))
        throw Error{Code::invalid_argument, "field key of an unknown version"};
    if (out->epoch == 0 || searchable != (in.size == kMostBytes) ||
        searchable != (out->type_reference != 0))
        throw Error{Code::malformed, "not a field key"};
    memcpy(out->tenant, at + 16, sizeof out->tenant);
    memcpy(out->key, at + 32, sizeof out->key);
    memset(out->index_key, 0, sizeof out->index_key);
    if (searchable) memcpy(out->index_key, at + kFixedBytes, sizeof out->index_key);
}

}  // namespace

std::string seal_field_key(const FieldKey &key, ByteView recipient) {
    Plain plain;
    write(key, &plain);
    uint8_t bytes[kHpkeKeyBytes + kMostBytes + kHpkeOverheadBytes];
    const size_t size = kHpkeKeyBytes + plain.size + kHpkeOverheadBytes;
    hpke_seal(recipient, as_bytes(kInfo), {}, {plain.bytes, plain.size}, {bytes, kHpkeKeyBytes},
              {bytes + kHpkeKeyBytes, plain.size + kHpkeOverheadBytes});
    std::string text(kPrefix);
    text.resize(kPrefix.size() + base64url_size(size));
    to_base64url({bytes, size}, text.data() + kPrefix.size());
    return text;
}

void open_field_key(std::string_view text, const Key32 &private_key, FieldKey *out) {
    static constexpr Error kMalformed{Code::malformed, "not a field key"};
    if (text.substr(0, kPrefix.size()) != kPrefix) throw kMalformed;
    text.remove_prefix(kPrefix.size());
    uint8_t bytes[kHpkeKeyBytes + kMostBytes + kHpkeOverheadBytes];
    const size_t size = base64url_decoded_size(text);
    const size_t around = kHpkeKeyBytes + kHpkeOverheadBytes;
    if (size != around + kFixedBytes && size != around + kMostBytes) throw kMalformed;
    from_base64url(text, {bytes, size});
    Plain plain;
    plain.size = size - around;
    hpke_open(private_key, {bytes, kHpkeKeyBytes}, as_bytes(kInfo), {},
              {bytes + kHpkeKeyBytes, size - kHpkeKeyBytes}, {plain.bytes, plain.size});
    read(plain, out);
}

}  // namespace aegis::core
