// SPDX-License-Identifier: Apache-2.0
// Signatures of the webhooks that payment providers send, over the bytes as they came. What several
// of their own libraries overlook is refused here: times that lie ahead, headers that stand twice,
// and anything behind what a number or a list should be. docs/webhook.md.
#pragma once

#include "core/http_signature.hpp"

namespace aegis::core {

enum class WebhookScheme : uint8_t {
    stripe,         // Stripe-Signature: t=,v1=; HMAC-SHA-256 of "t.body"
    authorize_net,  // X-ANET-Signature: sha512=; HMAC-SHA-512 of the body
    adyen,          // in the body, over eight fields of its one item; HMAC-SHA-256
    adyen_header,   // HmacSignature; HMAC-SHA-256 of the body
    standard        // webhook-id, -timestamp, -signature (Standard Webhooks), or svix-
};

// Worst last; each says more about the sender than the one before.
enum class WebhookVerdict : uint8_t {
    valid,
    stale,      // signed with the secret, too long ago
    early,      // signed with the secret, at a time that lies ahead
    wrong,      // not signed with the secret
    malformed,  // a header that cannot be read, or stands twice
    missing     // no signature
};
const char *webhook_verdict_word(WebhookVerdict verdict) noexcept;

// By its name; throws invalid_argument for any other.
WebhookScheme webhook_scheme(std::string_view name);

// The eight fields of an item that Adyen signs, in this order, and the signature beside them. What
// is null there is empty here.
inline constexpr size_t kAdyenFields = 8;
struct AdyenItem {  // views only: lives in shell frames
    // pspReference, originalReference, merchantAccountCode, merchantReference, amount.value,
    // amount.currency, eventCode, success
    std::string_view fields[kAdyenFields];
    std::string_view signature;
};

struct WebhookRequest {  // views only
    const HttpField *fields = nullptr;
    size_t field_count = 0;
    ByteView body;
    const AdyenItem *item = nullptr;  // for the scheme adyen; nullptr: the body holds none
};

// Throws invalid_argument unless a provider could have made this secret: text of Stripe's, 128
// hexadecimal digits, 64, or base64 of 24 to 64 bytes with or without "whsec_".
void check_webhook_secret(WebhookScheme scheme, std::string_view secret);

// Times are seconds since 1970. Throws as check_webhook_secret does.
WebhookVerdict verify_webhook(WebhookScheme scheme, std::string_view secret,
                              const WebhookRequest &request, int64_t now, int64_t tolerance);

}  // namespace aegis::core
