// SPDX-License-Identifier: Apache-2.0
// Answers, and errors as answers: RFC 9457 problems with a stable type, and the table from SQLSTATE
// to status. docs/errors.md is this table for people.
#pragma once

#include "http_target.hpp"

namespace aegis::http {

inline constexpr int kMaxAnswerHeaders = 16;

struct Answer {
    int status;
    Pair headers[kMaxAnswerHeaders];  // lower-case names
    int header_count;
    core::ByteView body;
};

// Where a tenant is that is not here. For the gateway alone, which knows the address of that
// region. A detail is made of what others wrote, this is not: no answer of a handler can have it.
// An error that a handler raises (AG012, AG018) can name any region; of one that the gateway's
// configuration does not have it says nothing.
inline constexpr char kRegionHeader[] = "aegis-region";

void add_header(Answer *answer, const char *name, const char *value);
const char *find_header(const Answer &answer, const char *name);  // nullptr when it is not there
// Body and content type from a jsonb; nullptr for none.
void set_json(Answer *answer, Jsonb *body);

struct Problem {
    int status;
    const char *name;  // type is "urn:aegis:problem:" name
    const char *title;
};

inline constexpr Problem kMalformedRequest = {400, "malformed-request", "The request is malformed"};
inline constexpr Problem kIdempotencyKeyRequired = {400, "idempotency-key-required",
                                                    "This request needs an Idempotency-Key"};
inline constexpr Problem kMalformedTarget = {400, "malformed-target",
                                             "The request target is malformed"};
inline constexpr Problem kMalformedBody = {400, "malformed-body",
                                           "The body is not well-formed JSON"};
inline constexpr Problem kDuplicateKey = {400, "duplicate-key", "The body names a key twice"};
inline constexpr Problem kAmbiguousCredential = {
    400, "ambiguous-credential", "The request carries no single well-formed credential"};
inline constexpr Problem kMissingCredential = {401, "missing-credential", "Sign in first"};
inline constexpr Problem kInvalidCredentials = {
    401, "invalid-credentials",
    "Tenant, e-mail or password is wrong, or there were too many attempts"};
inline constexpr Problem kSessionInvalid = {401, "session-invalid", "The session is not valid"};
inline constexpr Problem kSignatureInvalid = {401, "signature-invalid",
                                              "The signature is not valid"};
inline constexpr Problem kLinkInvalid = {401, "link-invalid",
                                         "The link was used, was taken back, or is too old"};
inline constexpr Problem kTokenInvalid = {401, "token-invalid", "The token is not valid"};
inline constexpr Problem kSecondFactorRequired = {401, "second-factor-required",
                                                  "The organisation wants a second factor"};
inline constexpr Problem kCredentialKind = {401, "credential-kind",
                                            "This kind of credential is not accepted here"};
inline constexpr Problem kSessionSuperseded = {
    401, "session-superseded", "You were signed out because you signed in on another device"};
inline constexpr Problem kChallengeInvalid = {401, "challenge-invalid",
                                              "The sign-in took too long; begin again"};
inline constexpr Problem kNotConfirmed = {
    401, "not-confirmed", "The code or password is wrong, or there were too many attempts"};
inline constexpr Problem kStepUpRequired = {401, "step-up-required", "Confirm who you are first"};
inline constexpr Problem kForbidden = {403, "forbidden", "Not permitted"};
inline constexpr Problem kCrossSite = {403, "cross-site",
                                       "The request does not come from this site"};
inline constexpr Problem kNotFound = {404, "not-found", "Not found"};
inline constexpr Problem kMethodNotAllowed = {405, "method-not-allowed",
                                              "The method is not allowed here"};
inline constexpr Problem kConflict = {409, "conflict", "The request conflicts with what is stored"};
inline constexpr Problem kRetry = {409, "retry", "Another request was faster"};
inline constexpr Problem kIdempotencyKeyInUse = {
    409, "idempotency-key-in-use", "A request with this Idempotency-Key is being carried out"};
inline constexpr Problem kGone = {410, "gone", "The data was erased"};
inline constexpr Problem kBodyTooLarge = {413, "body-too-large", "The body is too large"};
inline constexpr Problem kUnsupportedMediaType = {415, "unsupported-media-type",
                                                  "The body must be application/json"};
inline constexpr Problem kMoved = {410, "moved", "The tenant moved to another region"};
inline constexpr Problem kMisdirected = {421, "misdirected", "The data is kept in another region"};
inline constexpr Problem kInvalid = {422, "invalid", "The request cannot be carried out as it is"};
inline constexpr Problem kIdempotencyKeyReused = {
    422, "idempotency-key-reused", "This Idempotency-Key was used for another request"};
inline constexpr Problem kPanDetected = {422, "pan_detected", "The request holds card data"};
inline constexpr Problem kBusy = {429, "busy", "Too many sign-ins at once"};
inline constexpr Problem kQuotaExceeded = {429, "quota-exceeded",
                                           "The organisation has used up its quota"};
inline constexpr Problem kInternal = {500, "internal", "Internal error"};
inline constexpr Problem kUnavailable = {503, "unavailable", "Temporarily unavailable"};
inline constexpr Problem kTimeout = {504, "timeout", "The request took too long"};

// Replaces the answer by a problem. detail, hint and sqlstate may be nullptr; for 5xx they are left
// out whatever they are.
void set_problem(Answer *answer, const Problem &problem, const char *request_id,
                 const char *detail = nullptr, const char *hint = nullptr,
                 const char *sqlstate = nullptr);
// The problem of an error that a handler raised. The database's own texts reach the client only
// from classes whose messages speak of the request itself, never of tables or constraints.
void set_problem_of_error(Answer *answer, const ErrorData &error, const char *request_id);

}  // namespace aegis::http
