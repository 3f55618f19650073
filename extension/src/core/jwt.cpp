// SPDX-License-Identifier: Apache-2.0
#include "core/jwt.hpp"

#include <algorithm>
#include <optional>

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace aegis::core {

namespace {

constexpr size_t kMostValues = 64;             // of an array of audiences or roles
constexpr int64_t kLatestTime = 253402300799;  // the end of the year 9999

using Text = std::optional<std::string_view>;
using Value = std::optional<JsonValue>;

// A token whose parts are decoded; nothing of it is proved.
struct Parts {
    std::string_view signed_part;
    std::string header, payload;
    std::vector<uint8_t> signature;
};

template <typename Bytes>
Bytes decoded(std::string_view digits) {
    Bytes bytes;
    bytes.resize(base64url_decoded_size(digits));
    from_base64url(digits, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    return bytes;
}

Parts parts_of(std::string_view token) {
    if (token.size() > kMaxTokenBytes) throw Error{Code::too_long, "a token is too long"};
    if (!looks_like_jwt(token)) throw Error{Code::malformed, "a token has three parts"};
    const size_t first = token.find('.'), last = token.rfind('.');
    return {token.substr(0, last), decoded<std::string>(token.substr(0, first)),
            decoded<std::string>(token.substr(first + 1, last - first - 1)),
            decoded<std::vector<uint8_t>>(token.substr(last + 1))};
}

Text text_in(const JsonValue &object, std::string_view name) {
    const Value member = object.member(name);
    return member ? member->text() : std::nullopt;
}

std::optional<int64_t> whole_in(const JsonValue &object, std::string_view name) {
    const Value member = object.member(name);
    return member ? member->whole() : std::nullopt;
}

// Into a fixed room; false when it is empty, too long or has control characters.
template <size_t room>
bool keep(std::string_view text, char (&out)[room]) {
    if (text.empty() || text.size() >= room) return false;
    for (char c : text)
        if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return false;
    memcpy(out, text.data(), text.size());
    out[text.size()] = '\0';
    return true;
}

bool is_among(std::string_view text, const std::string_view *list, size_t count) {
    return std::find(list, list + count, text) != list + count;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

// RFC 7515 section 4.1.9: a media type, whose "application/" may be left out.
bool has_type(const JsonValue &header, const TokenRules &rules) {
    const Text type = text_in(header, "typ");
    if (!type) return is_among("", rules.types, rules.type_count);
    std::string name = lower(*type);
    constexpr std::string_view kTree = "application/";
    if (name.substr(0, kTree.size()) == kTree) name.erase(0, kTree.size());
    for (size_t i = 0; i < rules.type_count; ++i)
        if (name == lower(rules.types[i])) return true;
    return false;
}

// A text, or an array of texts. False when it is neither.
template <typename Take>
bool for_texts(const JsonValue &value, Take take) {
    if (const Text text = value.text()) {
        take(*text);
        return true;
    }
    if (!value.is_array() || value.size() > kMostValues) return false;
    for (size_t i = 0; i < value.size(); ++i) {
        const Text text = value.item(i).text();
        if (!text) return false;
        take(*text);
    }
    return true;
}

TokenFault check_audience(const JsonValue &claims, const TokenRules &rules) {
    const Value audience = claims.member("aud");
    bool meant = rules.audience_count == 0 && !audience;
    if (audience && !for_texts(*audience, [&](std::string_view one) {
            meant = meant || is_among(one, rules.audiences, rules.audience_count);
        }))
        return TokenFault::claims;
    if (!meant) return TokenFault::audience;
    if (rules.id_token && (claims.member("azp") || audience->size() > 1) &&
        text_in(claims, "azp") != Text(rules.audiences[0]))
        return TokenFault::party;
    if (rules.party_count == 0) return TokenFault::none;
    const Text party = text_in(claims, "azp");
    return party && is_among(*party, rules.parties, rules.party_count) ? TokenFault::none
                                                                       : TokenFault::party;
}

bool is_time(const std::optional<int64_t> &time) {
    return time && *time >= 0 && *time <= kLatestTime;
}

TokenFault check_times(const JsonValue &claims, const TokenRules &rules, TokenClaims *out) {
    const auto expires = whole_in(claims, "exp"), issued = whole_in(claims, "iat");
    std::optional<int64_t> begins = 0;
    if (claims.member("nbf")) begins = whole_in(claims, "nbf");
    if (!is_time(expires) || !is_time(issued) || !is_time(begins)) return TokenFault::claims;
    if (*expires + rules.skew <= rules.now) return TokenFault::expired;
    if (*begins > rules.now + rules.skew || *issued > rules.now + rules.skew)
        return TokenFault::not_yet;
    if (*expires - *issued > kMaxTokenSeconds) return TokenFault::lifetime;
    out->expires_at = *expires;
    out->issued_at = *issued;
    return TokenFault::none;
}

Value find(const JsonValue &claims, const std::string_view *path, size_t depth) {
    if (depth == 0) return std::nullopt;
    Value found = claims;
    for (size_t i = 0; i < depth && found; ++i) found = found->member(path[i]);
    return found;
}

void raise_rank(std::string_view role, const TokenRules &rules, TokenClaims *out) {
    for (size_t i = 0; i < rules.role_count; ++i)
        if (rules.roles[i].role == role) out->rank = std::max(out->rank, rules.roles[i].rank);
}

TokenFault take_place(const Value &organisation, const Value &role, const TokenRules &rules,
                      TokenClaims *out) {
    if (organisation) {
        const Text name = organisation->text();
        if (!name || !keep(*name, out->organisation)) return TokenFault::claims;
    }
    raise_rank("*", rules, out);
    if (!role) return TokenFault::none;
    constexpr std::string_view kClerkRole = "org:";
    const bool well = for_texts(*role, [&](std::string_view one) {
        if (rules.shape == ClaimShape::clerk && one.substr(0, kClerkRole.size()) == kClerkRole)
            one.remove_prefix(kClerkRole.size());
        if (one != "*") raise_rank(one, rules, out);
    });
    return well ? TokenFault::none : TokenFault::claims;
}

TokenFault read_plain(const JsonValue &claims, const TokenRules &rules, TokenClaims *out) {
    if (claims.member("auth_time")) {
        const auto time = whole_in(claims, "auth_time");
        if (!is_time(time)) return TokenFault::claims;
        // It would stay a fresh confirmation until then, and be kept with the session.
        if (*time > rules.now + rules.skew) return TokenFault::not_yet;
        out->authenticated_at = *time;
    }
    // RFC 8176; other values say how, and not that there were several.
    if (const Value methods = claims.member("amr"))
        if (!for_texts(*methods, [&](std::string_view one) {
                out->second_factor = out->second_factor || one == "mfa";
            }))
            return TokenFault::claims;
    return take_place(find(claims, rules.organisation_path, rules.organisation_depth),
                      find(claims, rules.role_path, rules.role_depth), rules, out);
}

// Session tokens of Clerk: version 1 has flat members, version 2 an object for the organisation.
TokenFault read_clerk(const JsonValue &claims, const TokenRules &rules, TokenClaims *out) {
    const Value version = claims.member("v"), ages = claims.member("fva");
    const int64_t number = version ? version->whole().value_or(0) : 1;
    if (number != 1 && number != 2) return TokenFault::claims;
    if (claims.member("sts") && text_in(claims, "sts") != Text("active"))
        return TokenFault::pending;
    if (ages) {  // minutes since each factor was shown; -1: it was not
        if (ages->size() != 2) return TokenFault::claims;
        const auto first = ages->item(0).whole(), second = ages->item(1).whole();
        if (!first || !second || *first < -1 || *second < -1 || *first > kLatestTime / 60)
            return TokenFault::claims;
        if (*first >= 0) out->authenticated_at = std::max<int64_t>(out->issued_at - *first * 60, 0);
        out->second_factor = *second >= 0;
    }
    if (number == 1)
        return take_place(claims.member("org_id"), claims.member("org_role"), rules, out);
    const Value organisation = claims.member("o");
    if (!organisation) return take_place(std::nullopt, std::nullopt, rules, out);
    if (!organisation->is_object() || !organisation->member("id")) return TokenFault::claims;
    return take_place(organisation->member("id"), organisation->member("rol"), rules, out);
}

TokenFault check_claims(const JsonValue &header, const JsonValue &claims, const TokenRules &rules,
                        TokenClaims *out) {
    if (!has_type(header, rules)) return TokenFault::type;
    if (text_in(claims, "iss") != Text(rules.issuer)) return TokenFault::issuer;
    TokenFault fault = check_audience(claims, rules);
    if (fault == TokenFault::none) fault = check_times(claims, rules, out);
    if (fault != TokenFault::none) return fault;
    if (!rules.nonce.empty() && text_in(claims, "nonce") != Text(rules.nonce))
        return TokenFault::nonce;
    const Text subject = text_in(claims, "sub"), sid = text_in(claims, "sid");
    if (!subject || !keep(*subject, out->subject)) return TokenFault::subject;
    if (!(rules.id_token && !claims.member("sid")) && (!sid || !keep(*sid, out->sid)))
        return TokenFault::session;
    if (claims.member("act")) return TokenFault::actor;
    return rules.shape == ClaimShape::clerk ? read_clerk(claims, rules, out)
                                            : read_plain(claims, rules, out);
}

JwsAlgorithm check_header(const JsonValue &header) {
    const Text algorithm = text_in(header, "alg");
    // Nothing is understood that must be (RFC 7515 section 4.1.11); b64 comes with it (RFC 7797).
    if (!header.is_object() || header.member("crit") || header.member("b64") || !algorithm)
        throw Error{Code::malformed, "the header of a token is not one that is taken"};
    return parse_jws_algorithm(*algorithm);
}

}  // namespace

bool looks_like_jwt(std::string_view text) noexcept {
    if (text.size() > kMaxTokenBytes) return false;
    int dots = 0;
    char before = '.';
    for (char c : text) {
        const bool digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!digit && (c != '.' || before == '.')) return false;  // no part is empty
        dots += c == '.';
        before = c;
    }
    return dots == 2 && before != '.';
}

void read_token_head(std::string_view token, TokenHead *head) {
    const Parts parts = parts_of(token);
    const JsonDocument header(parts.header), claims(parts.payload);
    head->algorithm = check_header(header.root());
    const Text kid = text_in(header.root(), "kid"), issuer = text_in(claims.root(), "iss");
    if (!kid || !is_kid(*kid) || !keep(*kid, head->kid))
        throw Error{Code::malformed, "a token names no key"};
    if (!issuer || !keep(*issuer, head->issuer))
        throw Error{Code::malformed, "a token names no issuer"};
}

const char *token_fault_word(TokenFault fault) noexcept {
    switch (fault) {
        case TokenFault::none:
            return "none";
        case TokenFault::type:
            return "type";
        case TokenFault::issuer:
            return "issuer";
        case TokenFault::audience:
            return "audience";
        case TokenFault::party:
            return "party";
        case TokenFault::expired:
            return "expired";
        case TokenFault::not_yet:
            return "not_yet";
        case TokenFault::lifetime:
            return "lifetime";
        case TokenFault::subject:
            return "subject";
        case TokenFault::session:
            return "session";
        case TokenFault::actor:
            return "actor";
        case TokenFault::pending:
            return "pending";
        case TokenFault::claims:
            return "claims";
        case TokenFault::nonce:
            return "nonce";
    }
    return "unknown";
}

TokenFault verify_token(std::string_view token, std::string_view canonical_key,
                        JwsAlgorithm algorithm, const TokenRules &rules, TokenClaims *claims) {
    memset(claims, 0, sizeof *claims);
    const Parts parts = parts_of(token);
    const JsonDocument header(parts.header);
    if (check_header(header.root()) != algorithm)
        throw Error{Code::cannot_open, "the token names another algorithm than its key has"};
    verify_with_jwk(canonical_key, algorithm, as_bytes(parts.signed_part),
                    {parts.signature.data(), parts.signature.size()});
    const JsonDocument payload(parts.payload);
    if (!payload.root().is_object()) return TokenFault::claims;
    return check_claims(header.root(), payload.root(), rules, claims);
}

}  // namespace aegis::core
