// SPDX-License-Identifier: Apache-2.0
// The only place that looks at PG_VERSION_NUM. Everything else asks for a capability by name.
#pragma once

#include "pg/postgres.hpp"

#if PG_VERSION_NUM < 150000
#error "aegis needs PostgreSQL 15 or newer"
#endif

namespace aegis::pg {

// Releases below these carry known row-security or planner leaks (docs/threat-model.md).
#if PG_VERSION_NUM < 160000
inline constexpr int kMinimumServerVersion = 150020;
#else
inline constexpr int kMinimumServerVersion = PG_VERSION_NUM;
#endif

// Memory that a GUC check hook hands over in *extra.
inline void *guc_extra_alloc(size_t bytes) {
#if PG_VERSION_NUM >= 160000
    return guc_malloc(LOG, bytes);
#else
    return malloc(bytes);
#endif
}

}  // namespace aegis::pg

#if PG_VERSION_NUM >= 160000
#define AEGIS_EXPORT PGDLLEXPORT
#else
#define AEGIS_EXPORT __attribute__((visibility("default")))
#endif
