// SPDX-License-Identifier: Apache-2.0
// The independent judge of what is about to be stored: another algorithm than the scrubber's, and
// no code in common with it, so that a mistake there does not repeat itself here. It is meant to be
// silent about everything that the scrubber leaves, and believes less than it: docs/scrub.md.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

// No card number, track or named verification code is left, in clear or one or two encodings deep.
// Any bytes; what is no UTF-8 counts as Latin 1.
bool is_free_of_card_data(ByteView bytes);

}  // namespace aegis::core
