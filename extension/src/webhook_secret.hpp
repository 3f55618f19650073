// SPDX-License-Identifier: Apache-2.0
// The sealed secrets of an endpoint.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::webhook {

struct Secret {  // in the caller's memory context
    const char *key_id;
    core::ByteView sealed;
};

// Those in use: neither retired nor past their time. Returns how many.
int find_secrets(const pg_uuid_t &endpoint, Secret *secrets, int most);
// In clear; the caller wipes it. ERROR AG003 when it was changed, AG004 when a key is missing.
core::ByteSpan open_secret(const Secret &secret);

}  // namespace aegis::webhook
