// SPDX-License-Identifier: Apache-2.0
// Time stamps of an authority (RFC 3161) over SHA-256, by OpenSSL's TS functions: the request, and
// what a response is worth under the authorities that somebody trusts. docs/format/anchor-v1.md.
#pragma once

#include <string>

#include "core/digest.hpp"

namespace aegis::core {

inline constexpr size_t kMaxTimestampRequestBytes = 256;
inline constexpr size_t kMaxTimestampResponseBytes = 65536;
inline constexpr size_t kMaxAuthorityBytes = 65536;

// A TimeStampReq in DER: the digest, a nonce of 63 random bits, the authority's certificates
// wanted. Throws crypto_failure.
std::string timestamp_request(const Digest &imprint);

struct Timestamp {
    int64_t seconds = 0;  // since the Unix epoch, as the authority says
    std::string serial;   // of the stamp, in hexadecimal
};

// How many certificates a PEM text holds. Throws malformed when there is none, anything that is no
// certificate, or more than kMaxAuthorityBytes.
size_t count_authorities(std::string_view pem);

// What a TimeStampResp in DER says of the digest: granted, one token, signed by a certificate for
// time stamping that leads to one of `authorities` (PEM) at the time in the token. With `request`
// it must answer that one, nonce and all; without, any request for the digest. Throws malformed for
// what is no response, and cannot_open for a response of somebody else or about something else.
Timestamp open_timestamp(ByteView response, const Digest &imprint, std::string_view authorities,
                         ByteView request = {});

// The same without trust in anybody: only whether it is a stamp over the digest. What is found in
// it nobody vouches for.
Timestamp read_timestamp(ByteView response, const Digest &imprint);

}  // namespace aegis::core
