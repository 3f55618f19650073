// SPDX-License-Identifier: Apache-2.0
#include "security_text.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace aegis::server {

namespace {

constexpr int kValidDays = 180;  // the standard asks for less than a year

std::string expiry() {
    const auto then = std::chrono::system_clock::now() + std::chrono::hours(24) * kValidDays;
    const std::time_t seconds = std::chrono::system_clock::to_time_t(then);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[sizeof "2026-11-28T00:00:00Z"];
    strftime(text, sizeof text, "%Y-%m-%dT00:00:00Z", &parts);
    return text;
}

}  // namespace

std::string security_text(const Config &config) {
    std::string text;
    for (const std::string &contact : config.security_contact) text += "Contact: " + contact + "\n";
    text += "Expires: " + expiry() + "\n";
    if (!config.security_policy.empty()) text += "Policy: " + config.security_policy + "\n";
    return text;
}

bool is_contact(const std::string &text) {
    const bool visible =
        std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 127; });
    const char *const schemes[] = {"mailto:", "https://", "tel:"};
    return visible && std::any_of(std::begin(schemes), std::end(schemes), [&](const char *scheme) {
               return text.rfind(scheme, 0) == 0 && text.size() > std::string(scheme).size();
           });
}

}  // namespace aegis::server
