// SPDX-License-Identifier: Apache-2.0
#include "pattern.hpp"

#include <regex>

namespace aegis::server {

struct Pattern::Compiled {
    std::regex expression;
};

Pattern::Pattern(const char *expression)
    : compiled_(std::make_unique<const Compiled>(Compiled{std::regex(expression)})) {}

Pattern::~Pattern() = default;

bool Pattern::fits(const std::string &text) const {
    return text.size() <= kLongest && std::regex_match(text, compiled_->expression);
}

}  // namespace aegis::server
