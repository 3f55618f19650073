// SPDX-License-Identifier: Apache-2.0
// Signatures of HTTP requests (RFC 9421) with hmac-sha256, in the profile of services.
// docs/format/http-signature-v1.md.
#pragma once

#include <string>

#include "core/structured_field.hpp"

namespace aegis::core {

struct HttpField {
    std::string_view name;  // in lower case
    std::string_view value;
};

struct HttpRequest {  // views only: lives in shell frames
    std::string_view method;
    std::string_view scheme;     // "https"
    std::string_view authority;  // the field Host, as sent
    std::string_view target;     // path and query, as sent
    const HttpField *fields = nullptr;
    size_t field_count = 0;
    ByteView content;
};
static_assert(std::is_trivially_destructible_v<HttpRequest>);

// What is signed: RFC 9421 section 2.5. Throws malformed for a component that stands twice, has
// parameters, is unknown or is missing.
std::string signature_base(const HttpRequest &request, const InnerList &covered);

inline constexpr size_t kMaxKeyIdBytes = 64;
inline constexpr size_t kMinNonceBytes = 16;
inline constexpr size_t kMaxNonceBytes = 64;
inline constexpr size_t kMinServiceSecretBytes = 32;

struct ServiceSignature {  // plain data
    char key_id[kMaxKeyIdBytes + 1];
    char nonce[kMaxNonceBytes + 1];
    int64_t created;  // seconds since 1970
    int64_t expires;  // 0: not given
};

// Reads the one signature of a request. Throws malformed unless it covers what the profile wants,
// and cannot_open when Content-Digest is of another body. Proves nothing yet.
void read_service_signature(const HttpRequest &request, ServiceSignature *out);
// Throws cannot_open unless the signature was made with the secret; what read_service_signature
// throws, too.
void verify_service_signature(const HttpRequest &request, ByteView secret);

struct SignedFields {
    std::string content_digest;  // empty without content
    std::string signature_input;
    std::string signature;
};
// Signs method, target URI and content of a request that leaves Aegis, and for whom it is sent, the
// value of Aegis-Caller, unless that is empty; no other field. Its tag is another than that of a
// request to Aegis, so it cannot be sent back. Throws invalid_argument for a key, secret, time or
// nonce that is none, and malformed for a target or caller that is not ASCII.
SignedFields sign_outbound_request(const HttpRequest &request, std::string_view key_id,
                                   ByteView secret, int64_t created, std::string_view nonce,
                                   std::string_view caller = {});

}  // namespace aegis::core
