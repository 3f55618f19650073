// SPDX-License-Identifier: Apache-2.0
#include "url.hpp"

#include <string_view>

#include "pattern.hpp"

namespace aegis::server {

namespace {

constexpr std::string_view kInClear = "http://";

}  // namespace

bool is_well_formed_path(const std::string &text) {
    static const Pattern path("(/[A-Za-z0-9_.~-]+)*/?");
    static const Pattern above(".*/\\.\\.?(/.*)?");
    return text.size() <= 500 && path.fits(text) && !above.fits(text);
}

bool is_well_formed_url(const std::string &text) {
    // Without TLS only to this very machine, and by its address: a name could lead elsewhere.
    static const Pattern loopback("http://(127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,4})?");
    static const Pattern origin(
        "https://"
        "([a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\[[0-9a-f:]+\\])"
        "(:[1-9][0-9]{0,4})?");
    if (text.size() > 500) return false;
    const size_t slash = text.find('/', std::string("https://").size());
    const std::string start = text.substr(0, slash);
    return (origin.fits(start) || loopback.fits(start)) &&
           (slash == std::string::npos || is_well_formed_path(text.substr(slash)));
}

bool is_in_clear(const std::string &url) {
    return url.compare(0, kInClear.size(), kInClear) == 0;
}

}  // namespace aegis::server
