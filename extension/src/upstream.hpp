// SPDX-License-Identifier: Apache-2.0
// Requests that internal services behind the gateway answer: signed here, for the caller who was
// verified here, and sent by the gateway. docs/upstream.md.
#pragma once

#include "handle.hpp"

namespace aegis::upstream {

// The answer becomes an order to the gateway: where the request goes, and the fields that prove it.
void forward(handle::Exchange *exchange, const route::Match &match);

}  // namespace aegis::upstream
