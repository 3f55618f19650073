// SPDX-License-Identifier: Apache-2.0
#include "core/webhook_signature.hpp"

#include "core/digest.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kMostHeaderBytes = 4096;
constexpr size_t kMostSignatures = 16;  // of one header
constexpr size_t kMostIdBytes = 256;
constexpr size_t kFewestSecretBytes = 8, kMostSecretText = 256;
constexpr size_t kFewestStandardBytes = 24, kMostStandardBytes = 64;
constexpr std::string_view kStandardPrefix = "whsec_";

// Thrown inside this file only: the header is no header of the scheme.
struct Unreadable {};

// Where a secret is decoded to; wiped when it goes.
struct SecretBytes {
    uint8_t bytes[kMostStandardBytes] = {};
    size_t size = 0;
    SecretBytes() = default;
    SecretBytes(const SecretBytes &) = delete;
    SecretBytes &operator=(const SecretBytes &) = delete;
    ~SecretBytes() { wipe(bytes); }
    ByteView view() const { return {bytes, size}; }
};

[[noreturn]] void no_secret(const char *message) {
    throw Error{Code::invalid_argument, message};
}

// Stripe writes small letters, so that every change of a header shows.
bool is_small_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_printable(std::string_view text) {
    for (char c : text)
        if (c < 0x21 || c > 0x7e) return false;
    return true;
}

struct Header {
    std::string_view value;
    size_t count = 0;
};

Header find(const WebhookRequest &request, std::string_view name) {
    Header found;
    for (size_t i = 0; i < request.field_count; ++i) {
        if (request.fields[i].name != name) continue;
        found.value = request.fields[i].value;
        ++found.count;
    }
    if (found.count > 1 || found.value.size() > kMostHeaderBytes) throw Unreadable{};
    return found;
}

// Seconds since 1970, written in the one way that a number has.
int64_t time_of(std::string_view text) {
    if (text.empty() || text.size() > 12 || text[0] == '0') throw Unreadable{};
    int64_t seconds = 0;
    for (char c : text) {
        if (c < '0' || c > '9') throw Unreadable{};
        seconds = seconds * 10 + (c - '0');
    }
    return seconds;
}

bool equals_hex(std::string_view hex, ByteView mac) {
    uint8_t bytes[kSha512Bytes];
    if (hex.size() != hex_size(mac.size) || !is_hex(hex)) return false;
    const ByteSpan out(bytes, mac.size);
    from_hex(hex, out);
    return equal_constant_time(out, mac);
}

bool equals_base64(std::string_view text, ByteView mac) {
    uint8_t bytes[kDigestBytes];
    if (text.size() != base64_size(sizeof bytes) || mac.size != sizeof bytes) return false;
    try {
        if (base64_decoded_size(text) != sizeof bytes) return false;
        from_base64(text, bytes);
    } catch (const Error &) {
        return false;
    }
    return equal_constant_time(ByteView(bytes), mac);
}

WebhookVerdict judge_time(int64_t signed_at, int64_t now, int64_t tolerance) {
    if (signed_at < now - tolerance) return WebhookVerdict::stale;
    return signed_at > now + tolerance ? WebhookVerdict::early : WebhookVerdict::valid;
}

// Calls use(part) for each part between separators.
template <typename Use>
void split(std::string_view text, char separator, Use &&use) {
    for (size_t parts = 0;; ++parts) {
        if (parts == kMostSignatures) throw Unreadable{};
        const size_t end = text.find(separator);
        use(text.substr(0, end));
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

bool is_scheme_name(std::string_view text) {
    return !text.empty() &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
}

WebhookVerdict verify_stripe(std::string_view secret, const WebhookRequest &request, int64_t now,
                             int64_t tolerance) {
    const Header header = find(request, "stripe-signature");
    if (header.count == 0) return WebhookVerdict::missing;
    std::string_view time, signatures[kMostSignatures];
    size_t count = 0;
    split(header.value, ',', [&](std::string_view part) {
        const size_t equals = part.find('=');
        if (equals == std::string_view::npos || !is_scheme_name(part.substr(0, equals)))
            throw Unreadable{};
        const std::string_view name = part.substr(0, equals), value = part.substr(equals + 1);
        if (name == "t") {
            if (!time.empty()) throw Unreadable{};
            time = value;
        } else if (name == "v1") {
            if (value.size() != hex_size(kDigestBytes) || !is_small_hex(value)) throw Unreadable{};
            signatures[count++] = value;
        }
    });
    const int64_t signed_at = time_of(time);
    if (count == 0) return WebhookVerdict::missing;
    // The secret counts as it is written, "whsec_" included.
    const ByteView parts[] = {as_bytes(time), as_bytes("."), request.body};
    const Digest mac = hmac_sha256(as_bytes(secret), parts, 3);
    bool matches = false;
    for (size_t i = 0; i < count; ++i) matches |= equals_hex(signatures[i], mac.view());
    return matches ? judge_time(signed_at, now, tolerance) : WebhookVerdict::wrong;
}

WebhookVerdict verify_authorize_net(std::string_view secret, const WebhookRequest &request) {
    constexpr std::string_view prefix = "sha512=";
    const Header header = find(request, "x-anet-signature");
    if (header.count == 0) return WebhookVerdict::missing;
    if (header.value.substr(0, prefix.size()) != prefix) throw Unreadable{};
    const std::string_view signature = header.value.substr(prefix.size());
    if (signature.size() != hex_size(kSha512Bytes) || !is_hex(signature)) throw Unreadable{};
    // The key is its digits as they are written, not the bytes that they could mean.
    uint8_t mac[kSha512Bytes];
    hmac_sha512(as_bytes(secret), request.body, mac);
    return equals_hex(signature, mac) ? WebhookVerdict::valid : WebhookVerdict::wrong;
}

void decode_adyen(std::string_view secret, SecretBytes *out) {
    out->size = kDigestBytes;
    from_hex(secret, {out->bytes, out->size});
}

WebhookVerdict verify_adyen(std::string_view secret, const WebhookRequest &request) {
    if (request.item == nullptr) throw Unreadable{};
    if (request.item->signature.empty()) return WebhookVerdict::missing;
    std::string data;
    for (size_t i = 0; i < kAdyenFields; ++i) {
        if (i > 0) data += ':';
        data += request.item->fields[i];
    }
    SecretBytes key;
    decode_adyen(secret, &key);
    const Digest mac = hmac_sha256(key.view(), as_bytes(data));
    return equals_base64(request.item->signature, mac.view()) ? WebhookVerdict::valid
                                                              : WebhookVerdict::wrong;
}

WebhookVerdict verify_adyen_header(std::string_view secret, const WebhookRequest &request) {
    const Header header = find(request, "hmacsignature");
    if (header.count == 0) return WebhookVerdict::missing;
    if (header.value.size() != base64_size(kDigestBytes)) throw Unreadable{};
    SecretBytes key;
    decode_adyen(secret, &key);
    const Digest mac = hmac_sha256(key.view(), request.body);
    return equals_base64(header.value, mac.view()) ? WebhookVerdict::valid : WebhookVerdict::wrong;
}

struct StandardHeaders {
    Header id, time, signature;
    size_t count() const { return id.count + time.count + signature.count; }
};

StandardHeaders standard_headers(const WebhookRequest &request, const std::string &prefix) {
    return {find(request, prefix + "id"), find(request, prefix + "timestamp"),
            find(request, prefix + "signature")};
}

void decode_standard(std::string_view secret, SecretBytes *out) {
    if (secret.substr(0, kStandardPrefix.size()) == kStandardPrefix)
        secret.remove_prefix(kStandardPrefix.size());
    if (secret.size() > base64_size(kMostStandardBytes)) no_secret("a webhook secret is too long");
    out->size = base64_decoded_size(secret);
    if (out->size < kFewestStandardBytes || out->size > kMostStandardBytes)
        no_secret("a webhook secret of this kind has 24 to 64 bytes in base64");
    from_base64(secret, {out->bytes, out->size});
}

WebhookVerdict verify_standard(std::string_view secret, const WebhookRequest &request, int64_t now,
                               int64_t tolerance) {
    const StandardHeaders own = standard_headers(request, "webhook-"),
                          other = standard_headers(request, "svix-");
    // Both spellings at once: nobody guesses which was meant.
    if (own.count() > 0 && other.count() > 0) throw Unreadable{};
    const StandardHeaders &headers = own.count() > 0 ? own : other;
    if (headers.signature.count == 0) return WebhookVerdict::missing;
    if (headers.count() != 3) throw Unreadable{};
    const std::string_view id = headers.id.value;
    if (id.empty() || id.size() > kMostIdBytes || !is_printable(id) ||
        id.find('.') != std::string_view::npos)
        throw Unreadable{};
    const int64_t signed_at = time_of(headers.time.value);
    // "id.time." first, for HMAC takes a few parts only.
    const std::string before = std::string(id) + "." + std::string(headers.time.value) + ".";
    const ByteView parts[] = {as_bytes(before), request.body};
    SecretBytes key;
    decode_standard(secret, &key);
    const Digest mac = hmac_sha256(key.view(), parts, 2);
    bool matches = false, seen = false;
    split(headers.signature.value, ' ', [&](std::string_view part) {
        const size_t comma = part.find(',');
        if (comma == std::string_view::npos || !is_scheme_name(part.substr(0, comma)))
            throw Unreadable{};
        if (part.substr(0, comma) != "v1") return;  // other versions prove nothing here
        const std::string_view value = part.substr(comma + 1);
        if (value.size() != base64_size(kDigestBytes)) throw Unreadable{};
        seen = true;
        matches |= equals_base64(value, mac.view());
    });
    if (!seen) return WebhookVerdict::missing;
    return matches ? judge_time(signed_at, now, tolerance) : WebhookVerdict::wrong;
}

WebhookVerdict verify(WebhookScheme scheme, std::string_view secret, const WebhookRequest &request,
                      int64_t now, int64_t tolerance) {
    switch (scheme) {
        case WebhookScheme::stripe:
            return verify_stripe(secret, request, now, tolerance);
        case WebhookScheme::authorize_net:
            return verify_authorize_net(secret, request);
        case WebhookScheme::adyen:
            return verify_adyen(secret, request);
        case WebhookScheme::adyen_header:
            return verify_adyen_header(secret, request);
        case WebhookScheme::standard:
            break;
    }
    return verify_standard(secret, request, now, tolerance);
}

}  // namespace

const char *webhook_verdict_word(WebhookVerdict verdict) noexcept {
    static const char *const words[] = {"valid", "stale", "early", "wrong", "malformed", "missing"};
    return words[static_cast<size_t>(verdict)];
}

WebhookScheme webhook_scheme(std::string_view name) {
    static constexpr std::string_view names[] = {"stripe", "authorize_net", "adyen", "adyen_header",
                                                 "standard"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (names[i] == name) return static_cast<WebhookScheme>(i);
    throw Error{Code::invalid_argument, "unknown scheme of webhook signatures"};
}

void check_webhook_secret(WebhookScheme scheme, std::string_view secret) {
    switch (scheme) {
        case WebhookScheme::stripe:
            if (secret.size() < kFewestSecretBytes || secret.size() > kMostSecretText ||
                !is_printable(secret) ||
                secret.substr(0, kStandardPrefix.size()) != kStandardPrefix)
                no_secret("a webhook secret of Stripe begins with \"whsec_\"");
            return;
        case WebhookScheme::authorize_net:
            if (secret.size() != hex_size(kSha512Bytes) || !is_hex(secret))
                no_secret("a signature key of Authorize.Net has 128 hexadecimal digits");
            return;
        case WebhookScheme::adyen:
        case WebhookScheme::adyen_header:
            if (secret.size() != hex_size(kDigestBytes) || !is_hex(secret))
                no_secret("an HMAC key of Adyen has 64 hexadecimal digits");
            return;
        case WebhookScheme::standard:
            break;
    }
    SecretBytes bytes;
    try {
        decode_standard(secret, &bytes);
    } catch (const Error &) {
        no_secret("a webhook secret of this kind has 24 to 64 bytes in base64");
    }
}

WebhookVerdict verify_webhook(WebhookScheme scheme, std::string_view secret,
                              const WebhookRequest &request, int64_t now, int64_t tolerance) {
    check_webhook_secret(scheme, secret);
    try {
        return verify(scheme, secret, request, now, tolerance);
    } catch (const Unreadable &) {
        return WebhookVerdict::malformed;
    }
}

}  // namespace aegis::core
