// SPDX-License-Identifier: Apache-2.0
#include "credential.hpp"

#include "core/jwt.hpp"
#include "core/session_token.hpp"
#include "rate.hpp"

#include <algorithm>
#include <vector>

namespace aegis::server {

namespace {

constexpr std::string_view kCookie = "__Host-aegis";
constexpr std::string_view kSignInCookie = "__Host-aegis-sign-in";
// The longest field that a signature needs, and room for other covered components.
constexpr size_t kSignatureBytes = 2048;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

void find_cookies(std::string_view list, std::vector<std::string_view> *found,
                  std::string_view name = kCookie) {
    for (size_t at = 0; at <= list.size();) {
        size_t end = std::min(list.find(';', at), list.size());
        std::string_view pair = trimmed(list.substr(at, end - at));
        size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name)
            found->push_back(pair.substr(equals + 1));
        at = end + 1;
    }
}

// The token behind "Bearer ", whose case does not matter; empty for every other scheme.
std::string_view bearer_token(std::string_view value) {
    constexpr std::string_view scheme = "bearer ";
    if (value.size() <= scheme.size()) return {};
    for (size_t at = 0; at < scheme.size(); ++at) {
        char c =
            value[at] >= 'A' && value[at] <= 'Z' ? static_cast<char>(value[at] + 32) : value[at];
        if (c != scheme[at]) return {};
    }
    return trimmed(value.substr(scheme.size()));
}

}  // namespace

Credential credential_of(const Head &head) {
    std::vector<std::string_view> tokens;
    bool bearer = false;
    size_t signatures = 0, inputs = 0, longest = 0;
    for (const auto &[field, value] : head.fields) {
        const std::string_view name = field;
        if (name == "authorization") {
            tokens.push_back(bearer_token(value));
            bearer = true;
        } else if (name == "cookie")
            find_cookies(value, &tokens);
        else if (name == "signature" || name == "signature-input") {
            ++(name == "signature" ? signatures : inputs);
            longest = std::max(longest, value.size());
        }
    }
    if (signatures + inputs > 0) {
        if (!tokens.empty()) return Credential::ambiguous;
        bool well_formed = signatures == 1 && inputs == 1 && longest <= kSignatureBytes;
        return well_formed ? Credential::signature : Credential::malformed_signature;
    }
    if (tokens.empty()) return Credential::none;
    if (tokens.size() > 1) return Credential::ambiguous;
    if (core::is_session_token(tokens.front())) return Credential::session;
    const bool token = bearer && core::looks_like_jwt(tokens.front());
    return token ? Credential::token : Credential::malformed;
}

std::string_view principal_of(const Head &head) {
    std::vector<std::string_view> tokens;
    for (const auto &[field, value] : head.fields) {
        const std::string_view name = field;
        if (name == "authorization") return bearer_token(value);
        if (name == "cookie") find_cookies(value, &tokens);
        if (name != "signature-input") continue;
        constexpr std::string_view mark = ";keyid=\"";
        size_t at = value.find(mark);
        if (at == std::string::npos) return {};
        std::string_view rest = std::string_view(value).substr(at + mark.size());
        return rest.substr(0, rest.find('"'));
    }
    return tokens.empty() ? std::string_view() : tokens.front();
}

std::string counted_principal(const Head &head, const std::string &peer) {
    std::string name(principal_of(head));
    if (!name.empty() && head.find("signature-input") != nullptr)
        name += " from " + counted_address(peer);
    return name;
}

std::string_view shown_token_of(const Head &head) {
    std::vector<std::string_view> tokens;
    for (const auto &[name, value] : head.fields) {
        if (name == "authorization") return bearer_token(value);
        if (name == "cookie") find_cookies(value, &tokens, kSignInCookie);
    }
    return tokens.empty() ? std::string_view() : tokens.front();
}

}  // namespace aegis::server
