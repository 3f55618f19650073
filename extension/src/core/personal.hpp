// SPDX-License-Identifier: Apache-2.0
// Recognises text that has the shape of personal data. Says which shape, never what.
#pragma once

#include "core/bytes.hpp"

namespace aegis::core {

enum class PersonalShape { none, email, phone, iban, card };

// Of the whole value, without the spaces around it.
PersonalShape personal_shape(std::string_view text) noexcept;

}  // namespace aegis::core
