// SPDX-License-Identifier: Apache-2.0
// A regular expression (ECMAScript) that a whole text fits or not. A text of more than kLongest
// bytes fits none: the library goes one call deeper for each byte that it takes. One file has its
// templates, which are among the slowest there are to compile.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace aegis::server {

class Pattern {
 public:
    static constexpr size_t kLongest = 1024;

    explicit Pattern(const char *expression);
    ~Pattern();
    Pattern(const Pattern &) = delete;
    Pattern &operator=(const Pattern &) = delete;

    bool fits(const std::string &text) const;

 private:
    struct Compiled;
    std::unique_ptr<const Compiled> compiled_;
};

}  // namespace aegis::server
