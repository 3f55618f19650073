// SPDX-License-Identifier: Apache-2.0
// Every reason for which the gateway itself turns a request away. Names and titles are those of the
// database's problems where both can meet the same fault, so that a client sees one interface.
#pragma once

namespace aegis::server {

struct Refusal {
    int status = 0;
    const char *name = "";  // the problem's type is "urn:aegis:problem:" name
    const char *title = "";
};

inline constexpr Refusal kMalformedRequest{400, "malformed-request", "The request is malformed"};
inline constexpr Refusal kMalformedTarget{400, "malformed-target",
                                          "The request target is malformed"};
inline constexpr Refusal kMalformedHost{400, "malformed-host",
                                        "Exactly one well-formed Host field is required"};
inline constexpr Refusal kAmbiguousLength{400, "ambiguous-length",
                                          "The length of the body is ambiguous"};
inline constexpr Refusal kUnexpectedBody{400, "unexpected-body",
                                         "A request of this method has no body"};
inline constexpr Refusal kAmbiguousCredential{
    400, "ambiguous-credential", "The request carries no single well-formed credential"};
inline constexpr Refusal kHttpsRequired{400, "https-required", "This port speaks TLS only"};
inline constexpr Refusal kMissingCredential{401, "missing-credential", "Sign in first"};
inline constexpr Refusal kSessionInvalid{401, "session-invalid", "The session is not valid"};
inline constexpr Refusal kSignatureInvalid{401, "signature-invalid", "The signature is not valid"};
inline constexpr Refusal kPlainText{403, "https-required", "Use https"};
inline constexpr Refusal kNotFound{404, "not-found", "Not found"};
inline constexpr Refusal kMethodNotAllowed{405, "method-not-allowed",
                                           "The method is not allowed here"};
inline constexpr Refusal kRequestTimeout{408, "request-timeout",
                                         "The request took too long to arrive"};
inline constexpr Refusal kLengthRequired{411, "length-required",
                                         "Send Content-Length; transfer codings are not accepted"};
inline constexpr Refusal kBodyTooLarge{413, "body-too-large", "The body is too large"};
inline constexpr Refusal kTargetTooLong{414, "target-too-long", "The request target is too long"};
inline constexpr Refusal kContentCoding{415, "unsupported-encoding",
                                        "Encoded bodies are not accepted"};
inline constexpr Refusal kExpectation{417, "expectation-failed", "Expect is not supported"};
inline constexpr Refusal kMisdirected{421, "misdirected", "This host is not served here"};
inline constexpr Refusal kElsewhere{421, "misdirected", "The data is kept in another region"};
inline constexpr Refusal kRateLimited{429, "rate-limited", "Too many requests"};
inline constexpr Refusal kHeadTooLarge{431, "head-too-large", "The request head is too large"};
inline constexpr Refusal kInternal{500, "internal", "Internal error"};
inline constexpr Refusal kMethodUnknown{501, "method-unknown", "The method is not known"};
inline constexpr Refusal kUpstreamFailed{502, "upstream-failed",
                                         "The service behind this did not answer as it should"};
inline constexpr Refusal kUnavailable{503, "unavailable", "Temporarily unavailable"};
inline constexpr Refusal kOverloaded{503, "overloaded", "Too many requests are waiting"};
inline constexpr Refusal kTimeout{504, "timeout", "The request took too long"};
inline constexpr Refusal kVersion{505, "version-not-supported", "Only HTTP/1.1 is spoken here"};

}  // namespace aegis::server
