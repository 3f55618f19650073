// SPDX-License-Identifier: Apache-2.0
// Dictionaries of structured fields (RFC 8941), read strictly: what the standard lets a reader mend
// is refused, and so is a key that stands twice, of which it would take the last.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr size_t kMaxStructuredFieldBytes = 8192;

enum class FieldType { integer, decimal, string, token, bytes, boolean };

struct BareItem {
    FieldType type = FieldType::boolean;
    int64_t number = 1;  // integer; boolean 0 or 1; decimal in thousandths
    std::string text;    // string, without its escapes; token; bytes, decoded
};

using Parameters = std::vector<std::pair<std::string, BareItem>>;  // in order, keys differ

struct FieldItem {
    BareItem value;
    Parameters parameters;
};

struct InnerList {
    std::vector<FieldItem> items;
    Parameters parameters;
};

struct FieldMember {
    std::string key;
    bool is_list = false;
    FieldItem item;  // unless it is a list
    InnerList list;
};

// Throws malformed, or too_long beyond kMaxStructuredFieldBytes.
std::vector<FieldMember> parse_dictionary(std::string_view text);
// The one spelling that RFC 8941 section 4.1.1.1 gives a list. Throws invalid_argument for what
// has none, such as a string that is not printable ASCII.
std::string format_inner_list(const InnerList &list);
std::string format_byte_sequence(ByteView bytes);
// The parameter, or nullptr.
const BareItem *find_parameter(const Parameters &parameters, std::string_view key) noexcept;

}  // namespace aegis::core
