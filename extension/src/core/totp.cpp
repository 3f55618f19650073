// SPDX-License-Identifier: Apache-2.0
#include "core/totp.hpp"

#include <openssl/hmac.h>

#include "core/encoding.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr uint32_t kPowers[] = {1,      10,      100,      1000,      10000,
                                100000, 1000000, 10000000, 100000000, 1000000000};
constexpr size_t kSha1Bytes = 20;

bool is_code(std::string_view text) {
    if (text.size() != kTotpDigits) return false;
    for (char c : text)
        if (c < '0' || c > '9') return false;
    return true;
}

uint32_t number_of(std::string_view digits) {
    uint32_t number = 0;
    for (char c : digits) number = number * 10 + static_cast<uint32_t>(c - '0');
    return number;
}

// Counts what does not fit, so that one pass measures and writes.
struct Writer {
    ByteSpan out;
    size_t needed = 0;

    void put(char c) {
        if (needed < out.size) out.data[needed] = static_cast<uint8_t>(c);
        ++needed;
    }
    void raw(std::string_view text) {
        for (char c : text) put(c);
    }
    void encoded(std::string_view text) {
        constexpr char digits[] = "0123456789ABCDEF";
        for (char c : text) {
            const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                                    c == '~';
            if (unreserved) {
                put(c);
            } else {
                put('%');
                put(digits[static_cast<uint8_t>(c) >> 4]);
                put(digits[static_cast<uint8_t>(c) & 15]);
            }
        }
    }
};

}  // namespace

uint32_t hotp(ByteView secret, uint64_t counter, int digits) {
    if (digits < 1 || digits > 9)
        throw Error{Code::invalid_argument, "a one-time password has 1 to 9 digits"};
    uint8_t message[8], mac[kSha1Bytes];
    put_u64(message, counter);
    unsigned size = 0;
    if (HMAC(EVP_sha1(), secret.data, static_cast<int>(secret.size), message, sizeof message, mac,
             &size) == nullptr ||
        size != sizeof mac)
        fail(Code::crypto_failure, "HMAC-SHA-1 failed");
    // RFC 4226 section 5.3: the last four bits choose the four bytes that count.
    const uint32_t truncated = get_u32(mac + (mac[kSha1Bytes - 1] & 15)) & 0x7fffffff;
    wipe(mac);
    return truncated % kPowers[digits];
}

TotpMatch match_totp(ByteView secret, std::string_view code, int64_t unix_seconds,
                     int64_t last_step) {
    TotpMatch match = {TotpVerdict::wrong, 0};
    if (!is_code(code)) return match;
    const uint32_t wanted = number_of(code);
    const int64_t now = unix_seconds / kTotpStepSeconds;
    // All of them in any case; among several that fit, the oldest that was not used.
    for (int64_t step = now + kTotpWindow; step >= now - kTotpWindow; --step) {
        if (step < 0 || hotp(secret, static_cast<uint64_t>(step)) != wanted) continue;
        if (step > last_step)
            match = {TotpVerdict::right, step};
        else if (match.verdict == TotpVerdict::wrong)
            match.verdict = TotpVerdict::replayed;
    }
    return match;
}

size_t totp_uri(ByteView secret, std::string_view issuer, std::string_view account,
                ByteSpan out) noexcept {
    char digits[kTotpSecretDigits];
    Writer writer{out};
    writer.raw("otpauth://totp/");
    writer.encoded(issuer);
    writer.put(':');
    writer.encoded(account);
    writer.raw("?secret=");
    if (secret.size == kTotpSecretBytes) {
        to_base32(secret, digits);
        writer.raw({digits, sizeof digits});
    }
    writer.raw("&issuer=");
    writer.encoded(issuer);
    writer.raw("&algorithm=SHA1&digits=6&period=30");
    wipe(ByteSpan(reinterpret_cast<uint8_t *>(digits), sizeof digits));
    return writer.needed;
}

}  // namespace aegis::core
