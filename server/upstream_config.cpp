// SPDX-License-Identifier: Apache-2.0
#include "upstream_config.hpp"

#include "pattern.hpp"
#include "url.hpp"

#include <set>

namespace aegis::server {

void add_upstreams(Settings *settings, std::deque<UpstreamConfig> *upstreams) {
    settings->add_list("upstream", [upstreams](const std::string &place) -> std::vector<Setting> {
        UpstreamConfig &made = upstreams->emplace_back();
        made.place = place;
        return {{"upstream", "name", &made.name},
                {"upstream", "url", &made.url},
                {"upstream", "ca", &made.ca},
                {"upstream", "connect_seconds", &made.connect_seconds, 1, 30},
                {"upstream", "seconds", &made.seconds, 1, 60},
                {"upstream", "answer_bytes", &made.answer_bytes, 1024, 16777216},
                {"upstream", "concurrent", &made.concurrent, 1, 64}};
    });
}

void check_upstreams(const std::deque<UpstreamConfig> &upstreams) {
    static const Pattern name("[a-z][a-z0-9_-]{0,47}");
    std::set<std::string> names;
    for (const UpstreamConfig &one : upstreams) {
        if (!name.fits(one.name) || !names.insert(one.name).second)
            fail_config(one.place, "\"upstream.name\" is no name, or stands twice",
                        "Use the name of aegis.register_upstream().");
        // A path would be one more thing to compare with what the database signed.
        const size_t scheme = one.url.find("://");
        if (!is_well_formed_url(one.url) || one.url.find('/', scheme + 3) != std::string::npos)
            fail_config(one.place, "\"upstream.url\" is no address of a service",
                        "Write https://HOST[:PORT] in lower case, or http://127.0.0.1:PORT.");
    }
}

}  // namespace aegis::server
