// SPDX-License-Identifier: Apache-2.0
#include "core/session_token.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::core {

namespace {

constexpr std::string_view kPrefixes[] = {"ags1_", "agc1_", "agu1_"};  // by TokenKind
constexpr size_t kPrefixBytes = 5;
constexpr size_t kMaxRegionBytes = 16;
constexpr size_t kRandomBytes = 32;
constexpr size_t kRandomDigits = 43;
static_assert(kMaxSessionTokenBytes == kPrefixBytes + kMaxRegionBytes + 1 + kRandomDigits);

bool is_region_character(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

}  // namespace

size_t make_token(TokenKind kind, std::string_view region, char *out) {
    if (region.empty() || region.size() > kMaxRegionBytes)
        throw Error{Code::invalid_argument, "a region must have 1 to 16 characters"};
    char *at = out;
    memcpy(at, kPrefixes[static_cast<size_t>(kind)].data(), kPrefixBytes);
    at += kPrefixBytes;
    for (char c : region) {
        const char written = c == '_' ? '-' : c;
        if (!is_region_character(written))
            throw Error{Code::invalid_argument,
                        "a region must consist of A-Z, 0-9, \"_\" and \"-\""};
        *at++ = written;
    }
    *at++ = '_';
    uint8_t random[kRandomBytes];
    random_secret(random);
    to_base64url(random, at);
    wipe(random);
    return static_cast<size_t>(at - out) + kRandomDigits;
}

bool is_token(TokenKind kind, std::string_view text) noexcept {
    if (text.size() > kMaxSessionTokenBytes ||
        text.substr(0, kPrefixBytes) != kPrefixes[static_cast<size_t>(kind)])
        return false;
    text.remove_prefix(kPrefixBytes);
    const size_t region = text.find('_');  // base64url may hold "_" too, a region never does
    if (region == std::string_view::npos || region == 0 || region > kMaxRegionBytes) return false;
    for (char c : text.substr(0, region))
        if (!is_region_character(c)) return false;
    text.remove_prefix(region + 1);
    if (text.size() != kRandomDigits) return false;
    uint8_t random[kRandomBytes];
    try {
        from_base64url(text, random);
    } catch (const Error &) {
        return false;
    }
    wipe(random);
    return true;
}

std::string region_of_token(std::string_view text) {
    const TokenKind kinds[] = {TokenKind::session, TokenKind::challenge, TokenKind::user};
    if (std::none_of(std::begin(kinds), std::end(kinds),
                     [&](TokenKind kind) { return is_token(kind, text); }))
        return {};
    text.remove_prefix(kPrefixBytes);
    std::string region(text.substr(0, text.find('_')));
    std::replace(region.begin(), region.end(), '-', '_');
    return region;
}

size_t make_session_token(std::string_view region, char *out) {
    return make_token(TokenKind::session, region, out);
}

bool is_session_token(std::string_view text) noexcept {
    return is_token(TokenKind::session, text);
}

Digest session_token_hash(std::string_view token) {
    return sha256(as_bytes(token));
}

}  // namespace aegis::core
