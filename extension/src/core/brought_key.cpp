// SPDX-License-Identifier: Apache-2.0
#include "core/brought_key.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kPrefix = "AT1.";
constexpr std::string_view kInfo = "aegis/tenant-root/1";
constexpr size_t kLeastDifferent = 16;

}  // namespace

void check_random_key(ByteView key) {
    bool seen[256] = {}, text = true, steps = true;
    size_t different = 0;
    for (size_t i = 0; i < key.size; ++i) {
        const uint8_t byte = key.data[i];
        if (!seen[byte]) ++different;
        seen[byte] = true;
        if (byte < 0x20 || byte > 0x7e) text = false;
        if (i > 1 && static_cast<uint8_t>(byte - key.data[i - 1]) !=
                         static_cast<uint8_t>(key.data[1] - key.data[0]))
            steps = false;
    }
    if (key.size != kKeyBytes || different < kLeastDifferent || text || steps)
        throw Error{Code::malformed, "the key is not 32 random bytes"};
}

std::string format_brought_key(const BroughtKey &key) {
    uint8_t bytes[sizeof key.recipient + sizeof key.encapsulated + sizeof key.sealed];
    memcpy(bytes, key.recipient, sizeof key.recipient);
    memcpy(bytes + sizeof key.recipient, key.encapsulated, sizeof key.encapsulated);
    memcpy(bytes + sizeof key.recipient + sizeof key.encapsulated, key.sealed, sizeof key.sealed);
    std::string text(kPrefix);
    text.resize(kPrefix.size() + base64url_size(sizeof bytes));
    to_base64url(bytes, text.data() + kPrefix.size());
    return text;
}

void parse_brought_key(std::string_view text, BroughtKey *out) {
    uint8_t bytes[sizeof out->recipient + sizeof out->encapsulated + sizeof out->sealed];
    if (text.substr(0, kPrefix.size()) != kPrefix ||
        text.size() != kPrefix.size() + base64url_size(sizeof bytes))
        throw Error{Code::malformed, "not a sealed key"};
    from_base64url(text.substr(kPrefix.size()), bytes);
    memcpy(out->recipient, bytes, sizeof out->recipient);
    memcpy(out->encapsulated, bytes + sizeof out->recipient, sizeof out->encapsulated);
    memcpy(out->sealed, bytes + sizeof out->recipient + sizeof out->encapsulated,
           sizeof out->sealed);
}

void seal_brought_key(const Key32 &root, ByteView tenant, ByteView recipient, BroughtKey *out) {
    check_random_key(root.view());
    if (tenant.size != 16 || recipient.size != kHpkeKeyBytes)
        throw Error{Code::malformed, "not a tenant, or not a public key"};
    memcpy(out->recipient, recipient.data, sizeof out->recipient);
    hpke_seal(recipient, as_bytes(kInfo), tenant, root.view(), out->encapsulated, out->sealed);
}

void open_brought_key(const BroughtKey &key, const Key32 &private_key, ByteView tenant,
                      Key32 *out) {
    hpke_open(private_key, key.encapsulated, as_bytes(kInfo), tenant, key.sealed, out->span());
}

}  // namespace aegis::core
