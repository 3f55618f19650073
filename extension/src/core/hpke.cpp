// SPDX-License-Identifier: Apache-2.0
#include "core/hpke.hpp"

#include <string>

#include "core/digest.hpp"
#include "core/gcm.hpp"
#include "core/openssl.hpp"
#include "core/random.hpp"

namespace aegis::core {

namespace {

constexpr char kCannotOpen[] = "what was sealed for a public key cannot be opened";
constexpr std::string_view kVersion = "HPKE-v1";
constexpr uint16_t kKemX25519 = 0x0020, kKdfHkdfSha256 = 0x0001;

struct KeyDeleter {
    void operator()(EVP_PKEY *key) const noexcept { EVP_PKEY_free(key); }
};
using PublicKey = std::unique_ptr<EVP_PKEY, KeyDeleter>;
struct KeyContextDeleter {
    void operator()(EVP_PKEY_CTX *context) const noexcept { EVP_PKEY_CTX_free(context); }
};
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, KeyContextDeleter>;

PublicKey private_key_of(const Key32 &key) {
    PublicKey made(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, key.view().data, kKeyBytes));
    if (!made) fail(Code::crypto_failure, "could not use an X25519 key");
    return made;
}

// X25519(private, public); throws when the result is zero, which a bad public key makes it.
void agree(const Key32 &mine, ByteView theirs, Key32 *shared) {
    if (theirs.size != kHpkeKeyBytes) throw Error{Code::malformed, "not an X25519 public key"};
    const PublicKey own = private_key_of(mine);
    const PublicKey other(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, theirs.data, theirs.size));
    if (!other) fail(Code::malformed, "not an X25519 public key");
    const KeyContext context(EVP_PKEY_CTX_new(own.get(), nullptr));
    size_t size = kKeyBytes;
    if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
        EVP_PKEY_derive(context.get(), shared->span().data, &size) != 1 || size != kKeyBytes)
        fail(Code::malformed, "not an X25519 public key");
    static const uint8_t zero[kKeyBytes] = {};
    if (equal_constant_time(shared->view(), zero))
        throw Error{Code::malformed, "not an X25519 public key"};
}

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

std::string number(uint16_t v) {
    return {static_cast<char>(v >> 8), static_cast<char>(v)};
}

// LabeledExtract and LabeledExpand of RFC 9180 section 4. HKDF's two halves, one at a time.
Digest extract(ByteView salt, const std::string &suite, std::string_view label, ByteView key) {
    std::string input = std::string(kVersion) + suite + std::string(label) + text_of(key);
    const Digest made = hmac_sha256(salt, as_bytes(input));
    wipe({reinterpret_cast<uint8_t *>(input.data()), input.size()});
    return made;
}

void expand(const Digest &key, const std::string &suite, std::string_view label, ByteView info,
            ByteSpan out) {
    std::string input = number(static_cast<uint16_t>(out.size)) + std::string(kVersion) + suite +
                        std::string(label) + text_of(info);
    input += '\x01';  // never more than one block
    Digest block = hmac_sha256(key.view(), as_bytes(input));
    memcpy(out.data, block.bytes, out.size);
    wipe(block.bytes);
}

struct Schedule {
    Key32 key;
    uint8_t nonce[kGcmNonceBytes];
    ~Schedule() { wipe(nonce); }
};

size_t key_bytes_of(HpkeAead aead) {
    return aead == HpkeAead::aes_128_gcm ? 16 : kKeyBytes;
}

// From the shared point to the key and nonce of the only message.
void derive(const Key32 &point, ByteView encapsulated, ByteView recipient, ByteView info,
            HpkeAead aead, Schedule *out) {
    const std::string kem = "KEM" + number(kKemX25519);
    const std::string suite =
        "HPKE" + number(kKemX25519) + number(kKdfHkdfSha256) + number(static_cast<uint16_t>(aead));
    Digest eae = extract({}, kem, "eae_prk", point.view());
    const std::string context = text_of(encapsulated) + text_of(recipient);
    Key32 shared;
    expand(eae, kem, "shared_secret", as_bytes(context), shared.span());

    const Digest no_psk = extract({}, suite, "psk_id_hash", {});
    const Digest info_hash = extract({}, suite, "info_hash", info);
    const std::string schedule =
        std::string(1, '\0') + text_of(no_psk.view()) + text_of(info_hash.view());
    Digest secret = extract(shared.view(), suite, "secret", {});
    expand(secret, suite, "key", as_bytes(schedule), out->key.span().slice(0, key_bytes_of(aead)));
    expand(secret, suite, "base_nonce", as_bytes(schedule), out->nonce);
    wipe(eae.bytes);
    wipe(secret.bytes);
}

}  // namespace

void hpke_public_key(const Key32 &private_key, ByteSpan out) {
    const PublicKey key = private_key_of(private_key);
    size_t size = out.size;
    if (out.size != kHpkeKeyBytes || EVP_PKEY_get_raw_public_key(key.get(), out.data, &size) != 1 ||
        size != kHpkeKeyBytes)
        fail(Code::crypto_failure, "could not make an X25519 public key");
}

void hpke_seal_with(const Key32 &ephemeral, HpkeAead aead, ByteView recipient, ByteView info,
                    ByteView associated, ByteView plaintext, ByteSpan encapsulated,
                    ByteSpan sealed) {
    if (sealed.size != plaintext.size + kHpkeOverheadBytes)
        throw Error{Code::invalid_argument, "no room for what is sealed"};
    hpke_public_key(ephemeral, encapsulated);
    Key32 point;
    agree(ephemeral, recipient, &point);
    Schedule schedule;
    derive(point, encapsulated, recipient, info, aead, &schedule);
    const size_t key_bytes = key_bytes_of(aead);
    Gcm(key_bytes).seal(schedule.key.view().slice(0, key_bytes), schedule.nonce, associated,
                        plaintext, sealed);
}

void hpke_seal(ByteView recipient, ByteView info, ByteView associated, ByteView plaintext,
               ByteSpan encapsulated, ByteSpan sealed) {
    Key32 ephemeral;
    random_secret(ephemeral.span());
    hpke_seal_with(ephemeral, HpkeAead::aes_256_gcm, recipient, info, associated, plaintext,
                   encapsulated, sealed);
}

void hpke_open(const Key32 &private_key, ByteView encapsulated, ByteView info, ByteView associated,
               ByteView sealed, ByteSpan plaintext, HpkeAead aead) {
    if (sealed.size != plaintext.size + kHpkeOverheadBytes || encapsulated.size != kHpkeKeyBytes)
        throw Error{Code::cannot_open, kCannotOpen};
    uint8_t recipient[kHpkeKeyBytes];
    hpke_public_key(private_key, recipient);
    Key32 point;
    agree(private_key, encapsulated, &point);
    Schedule schedule;
    derive(point, encapsulated, recipient, info, aead, &schedule);
    const size_t key_bytes = key_bytes_of(aead);
    Gcm(key_bytes).open(schedule.key.view().slice(0, key_bytes), schedule.nonce, associated, sealed,
                        plaintext, kCannotOpen);
}

}  // namespace aegis::core
