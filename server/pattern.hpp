// SPDX-License-Identifier: Apache-2.0
// A regular expression (ECMAScript) that a whole text fits or not. One file has the library's
// templates, which are among the slowest there are to compile.
#pragma once

#include <memory>
#include <string>

namespace aegis::server {

class Pattern {
 public:
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
