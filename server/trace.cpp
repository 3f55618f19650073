// SPDX-License-Identifier: Apache-2.0
#include "trace.hpp"

#include <algorithm>

namespace aegis::server {

namespace {

// "00-", 32 digits of the trace, "-", 16 of the parent, "-", 2 of flags.
constexpr size_t kTrace = 3, kTraceDigits = 32, kParent = 36, kParentDigits = 16, kFlags = 53,
                 kSize = 55;

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_id(std::string_view text) {
    return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

// A version that is not known yet begins like this one, and may go on after a hyphen.
bool is_valid(std::string_view text) {
    if (text.size() < kSize) return false;
    const std::string_view version = text.substr(0, 2);
    const bool ends = text.size() == kSize || (version != "00" && text[kSize] == '-');
    return ends && is_hex(version) && version != "ff" && text[kTrace - 1] == '-' &&
           text[kParent - 1] == '-' && text[kFlags - 1] == '-' &&
           is_id(text.substr(kTrace, kTraceDigits)) && is_id(text.substr(kParent, kParentDigits)) &&
           is_hex(text.substr(kFlags, 2));
}

}  // namespace

std::string_view trace_id_of(const Head &head) {
    const auto is_parent = [](const auto &field) { return field.first == "traceparent"; };
    const auto found = std::find_if(head.fields.begin(), head.fields.end(), is_parent);
    if (found == head.fields.end() || std::any_of(found + 1, head.fields.end(), is_parent) ||
        !is_valid(found->second))
        return {};
    return std::string_view(found->second).substr(kTrace, kTraceDigits);
}

}  // namespace aegis::server
