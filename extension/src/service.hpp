// SPDX-License-Identifier: Apache-2.0
// Services: programs that sign their requests with a secret which the database keeps sealed.
// docs/service.md.
#pragma once

#include "core/http_signature.hpp"
#include "limit.hpp"
#include "pg/postgres.hpp"

namespace aegis::service {

enum class Verdict {
    valid,
    invalid,    // no such key, wrong signature, wrong time, retired: not told apart
    replayed,   // well signed, and seen before
    not_ready,  // well signed, but the memory of nonces does not reach back far enough, or is full
    moved,      // the tenant moved to the region
    misdirected,  // the tenant's row is another region's
};

inline constexpr size_t kMaxNameBytes = 48;

struct Service {
    pg_uuid_t id;
    pg_uuid_t tenant;  // nil: of none
    int16 rank;
    int64 team_ord, team_last_ord;  // of the tenant's root team
    limit::Limits limits;           // of the tenant
    ArrayType *scopes;              // in the caller's memory context
    char region[17];                // of the tenant
    int retry_after;                // seconds, when not ready
};

// Verifies a signed request; what of the service is filled depends on the verdict. A valid one
// has used up its nonce.
Verdict verify(const core::HttpRequest &request, Service *service);
bool has_tenant(const Service &service);
bool has_scope(const Service &service, const char *scope);
// Fixes the context of this transaction for a service of a tenant.
void establish(const Service &service, const char *ip, const char *user_agent,
               const char *request_id);

inline constexpr size_t kSecretBytes = 32;

// Sealed for the id of its key: another one's does not open.
struct varlena *seal_secret(const char *key_id, core::ByteView secret);
// ERROR AG003 when it was changed, AG004 when a key is missing.
void open_secret(const char *key_id, core::ByteView sealed, core::ByteSpan out);

inline constexpr size_t kMaxFieldBytes = 512;  // more than the longest of the three

// Fields that prove a request *to* a service.
struct Outbound {
    char digest[kMaxFieldBytes];  // empty without a body
    char input[kMaxFieldBytes];
    char signature[kMaxFieldBytes];
};
// The parts of a URL, as views into it. ERROR 22023 unless it can be signed.
void split_url(const char *url, core::HttpRequest *request);
// Signs with the newest secret of the service, for the caller that the text names (nullptr: for
// nobody); charged and recorded. ERROR P0002 when there is no secret in use.
void sign(const char *name, const core::HttpRequest &request, const char *caller, Outbound *out);

}  // namespace aegis::service
