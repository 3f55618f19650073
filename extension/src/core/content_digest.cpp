// SPDX-License-Identifier: Apache-2.0
#include "core/content_digest.hpp"

#include "core/digest.hpp"
#include "core/openssl.hpp"
#include "core/structured_field.hpp"

namespace aegis::core {

namespace {

void sha512(ByteView content, uint8_t (&out)[kSha512Bytes]) {
    size_t size = 0;
    if (EVP_Q_digest(nullptr, "SHA512", nullptr, content.data, content.size, out, &size) != 1 ||
        size != kSha512Bytes)
        fail(Code::crypto_failure, "SHA-512 failed");
}

void compare(const FieldMember &member, ByteView digest) {
    if (member.is_list || member.item.value.type != FieldType::bytes)
        throw Error{Code::malformed, "a digest is no byte sequence"};
    if (!equal_constant_time(as_bytes(member.item.value.text), digest))
        throw Error{Code::cannot_open, "the digest is of other content"};
}

}  // namespace

std::string format_content_digest(ByteView content) {
    return "sha-256=" + format_byte_sequence(sha256(content).view());
}

void check_content_digest(std::string_view field, ByteView content) {
    bool compared = false;
    for (const FieldMember &member : parse_dictionary(field)) {
        if (member.key == "sha-256") {
            compare(member, sha256(content).view());
        } else if (member.key == "sha-512") {
            uint8_t digest[kSha512Bytes];
            sha512(content, digest);
            compare(member, digest);
        } else
            continue;
        compared = true;
    }
    if (!compared) throw Error{Code::malformed, "no digest that proves anything"};
}

}  // namespace aegis::core
