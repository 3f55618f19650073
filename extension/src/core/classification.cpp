// SPDX-License-Identifier: Apache-2.0
#include "core/classification.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::core {

namespace {

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > kLongestRetentionName || text[0] < 'a' || text[0] > 'z')
        return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

// Takes "; NAME=" and what stands behind it up to the next option; false when it is not there.
bool take_option(std::string_view &rest, std::string_view name, std::string_view &value) {
    constexpr std::string_view separator = "; ";
    const std::string_view text = rest;
    if (text.substr(0, 2) != separator || text.substr(2, name.size()) != name ||
        text.substr(2 + name.size(), 1) != "=")
        return false;
    value = text.substr(3 + name.size());
    const size_t end = std::min(value.find(separator), value.size());
    rest = value.substr(end);
    value = value.substr(0, end);
    return true;
}

}  // namespace

LabelFault label_fault(std::string_view label) {
    const size_t end = std::min(label.find(';'), label.size());
    const std::string_view word = label.substr(0, end);
    if (word == kProhibitedClass) return LabelFault::prohibited;
    if (std::find(std::begin(kClasses), std::end(kClasses), word) == std::end(kClasses))
        return LabelFault::unknown_class;
    std::string_view rest = label.substr(end);
    std::string_view value;
    if (take_option(rest, "retention", value) && !is_name(value)) return LabelFault::option;
    if (take_option(rest, "export", value) && value != "yes" && value != "no")
        return LabelFault::option;
    return rest.empty() ? LabelFault::none : LabelFault::option;
}

}  // namespace aegis::core
