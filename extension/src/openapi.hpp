// SPDX-License-Identifier: Apache-2.0
// The description of all routes, kept by each backend until a route changes. docs/openapi.md.
#pragma once

namespace aegis::openapi {

void define();  // cache invalidation; called from _PG_init

}  // namespace aegis::openapi
