// SPDX-License-Identifier: Apache-2.0
// The C interface of the core library. Nothing is thrown across it. docs/client.md.
#include "aegis.h"

#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/field_key.hpp"
#include "core/random.hpp"

using namespace aegis::core;

struct aegis_key {
    FieldKey parts{};
    std::unique_ptr<EnvelopeKey> cipher;
    std::unique_ptr<HmacKey> search;
    std::mutex busy;  // a cipher has one context
    ~aegis_key() { wipe({reinterpret_cast<uint8_t *>(&parts), sizeof parts}); }
};

namespace {

constexpr size_t kMaxSearchableBytes = 1000;  // as in the database

aegis_status status_of(const Error &error) {
    switch (error.code) {
        case Code::invalid_argument:
            return AEGIS_UNSUPPORTED;
        case Code::malformed:
            return AEGIS_MALFORMED;
        case Code::too_long:
            return AEGIS_TOO_LONG;
        case Code::cannot_open:
            return AEGIS_CANNOT_OPEN;
        case Code::crypto_failure:
            break;
    }
    return AEGIS_FAILED;
}

template <typename Body>
aegis_status guarded(const Body &body) noexcept {
    try {
        return body();
    } catch (const Error &error) {
        return status_of(error);
    } catch (...) {  // std::bad_alloc, std::system_error of a mutex
        return AEGIS_FAILED;
    }
}

ByteView view(const void *data, size_t size) {
    return {static_cast<const uint8_t *>(data), size};
}

bool searchable(const aegis_key &key) {
    return key.search != nullptr;
}

EnvelopeHeader header_of(const aegis_key &key) {
    EnvelopeHeader header{key.parts.suite, key.parts.type, 0, {}, key.parts.epoch, key.parts.field};
    if (searchable(key)) header.flags = kFlagToken;
    tenant_tag(key.parts.tenant, header.tenant_tag);
    return header;
}

struct Wiped {
    std::vector<uint8_t> bytes;
    explicit Wiped(size_t size) : bytes(size) {}
    ~Wiped() { wipe({bytes.data(), bytes.size()}); }
    ByteSpan span() { return {bytes.data(), bytes.size()}; }
};

void token_of(const aegis_key &key, ByteView value, uint8_t out[kTokenBytes]) {
    if (value.size > kMaxSearchableBytes) throw Error{Code::too_long, "too long to be searchable"};
    Wiped normal(normalised_capacity(key.parts.normaliser, value.size));
    const size_t size = normalise(key.parts.normaliser, value, normal.span());
    search_token(*key.search, {normal.bytes.data(), size}, out);
}

Binding binding_of(const aegis_key &key) {
    Binding binding;
    binding.tenant = key.parts.tenant;
    return binding;
}

}  // namespace

unsigned aegis_version(void) {
    return AEGIS_VERSION_MAJOR * 1000 + AEGIS_VERSION_MINOR;
}

const char *aegis_status_text(aegis_status status) {
    switch (status) {
        case AEGIS_OK:
            return "ok";
        case AEGIS_MISUSE:
            return "an argument is missing";
        case AEGIS_TOO_SMALL:
            return "the buffer is too small";
        case AEGIS_TOO_LONG:
            return "the value is too long";
        case AEGIS_MALFORMED:
            return "malformed";
        case AEGIS_CANNOT_OPEN:
            return "cannot be opened";
        case AEGIS_OTHER_EPOCH:
            return "sealed under another epoch of the tenant's key";
        case AEGIS_UNSUPPORTED:
            return "of a version that this library does not know";
        case AEGIS_NO_SEARCH:
            return "the field is not searchable";
        case AEGIS_FAILED:
            return "out of memory, or the cryptographic library failed";
    }
    return "unknown status";
}

aegis_status aegis_keypair(uint8_t *private_key, uint8_t *public_key) {
    if (!private_key || !public_key) return AEGIS_MISUSE;
    return guarded([&] {
        Key32 key;
        random_secret(key.span());
        hpke_public_key(key, {public_key, kHpkeKeyBytes});
        memcpy(private_key, key.view().data, kKeyBytes);
        return AEGIS_OK;
    });
}

aegis_status aegis_key_open(const uint8_t *private_key, const char *sealed, aegis_key **key) {
    if (key) *key = nullptr;
    if (!private_key || !sealed || !key) return AEGIS_MISUSE;
    return guarded([&] {
        std::unique_ptr<aegis_key> made(new aegis_key);
        open_field_key(sealed, Key32(view(private_key, kKeyBytes)), &made->parts);
        made->cipher.reset(new EnvelopeKey(made->parts.suite, Key32(ByteView(made->parts.key))));
        if (made->parts.normaliser != Normaliser::none)
            made->search.reset(new HmacKey(made->parts.index_key));
        wipe(made->parts.key);
        wipe(made->parts.index_key);
        *key = made.release();
        return AEGIS_OK;
    });
}

void aegis_key_free(aegis_key *key) {
    delete key;
}

uint32_t aegis_key_epoch(const aegis_key *key) {
    return key ? key->parts.epoch : 0;
}

size_t aegis_sealed_size(const aegis_key *key, size_t plaintext_size) {
    const size_t most = key && searchable(*key) ? kMaxSearchableBytes : kMaxEnvelopePlaintextBytes;
    if (!key || plaintext_size > most) return 0;
    EnvelopeHeader header{};
    header.suite = key->parts.suite;
    header.flags = searchable(*key) ? kFlagToken : 0;
    return armor_size(envelope_size(header, plaintext_size)) + 1;
}

aegis_status aegis_seal(aegis_key *key, const void *plaintext, size_t plaintext_size, char *armor,
                        size_t room, size_t *written) {
    if (written) *written = 0;
    if (!key || (!plaintext && plaintext_size) || !armor || !written) return AEGIS_MISUSE;
    return guarded([&] {
        const size_t needed = aegis_sealed_size(key, plaintext_size);
        if (needed == 0) return AEGIS_TOO_LONG;
        if (room < needed) {
            *written = needed;
            return AEGIS_TOO_SMALL;
        }
        const ByteView value = view(plaintext, plaintext_size);
        if (!is_text(value)) return AEGIS_MALFORMED;
        const std::lock_guard<std::mutex> lock(key->busy);
        const EnvelopeHeader header = header_of(*key);
        uint8_t token[kTokenBytes];
        ByteView token_view;
        if (searchable(*key)) {
            token_of(*key, value, token);
            token_view = token;
        }
        std::vector<uint8_t> envelope(envelope_size(header, value.size));
        seal_envelope(*key->cipher, header, binding_of(*key), token_view, value,
                      {envelope.data(), envelope.size()});
        to_armor({envelope.data(), envelope.size()}, armor);
        *written = needed - 1;
        armor[*written] = '\0';
        return AEGIS_OK;
    });
}

aegis_status aegis_open(aegis_key *key, const char *armor, void *plaintext, size_t room,
                        size_t *written) {
    if (written) *written = 0;
    if (!key || !armor || (!plaintext && room) || !written) return AEGIS_MISUSE;
    return guarded([&] {
        const std::string_view text(armor);
        std::vector<uint8_t> envelope(armor_decoded_size(text));
        from_armor(text, {envelope.data(), envelope.size()});
        const EnvelopeParts parts = parse_envelope({envelope.data(), envelope.size()});
        const EnvelopeHeader wanted = header_of(*key);
        if (memcmp(parts.header.tenant_tag, wanted.tenant_tag, kTenantTagBytes) != 0 ||
            parts.header.field != wanted.field || parts.header.type != wanted.type)
            return AEGIS_CANNOT_OPEN;
        if (parts.header.epoch != wanted.epoch) return AEGIS_OTHER_EPOCH;
        const size_t size = envelope_plaintext_size(parts);
        if (room < size) {
            *written = size;
            return AEGIS_TOO_SMALL;
        }
        const std::lock_guard<std::mutex> lock(key->busy);
        Wiped opened(size);
        open_envelope(*key->cipher, parts, binding_of(*key), opened.span());
        if (parts.token.size != 0) {  // not authenticated by the cipher
            uint8_t token[kTokenBytes];
            if (!searchable(*key)) return AEGIS_CANNOT_OPEN;
            token_of(*key, opened.span(), token);
            if (!equal_constant_time(token, parts.token)) return AEGIS_CANNOT_OPEN;
        }
        if (size) memcpy(plaintext, opened.bytes.data(), size);
        *written = size;
        return AEGIS_OK;
    });
}

aegis_status aegis_token(aegis_key *key, const void *value, size_t value_size, uint8_t *token) {
    if (!key || (!value && value_size) || !token) return AEGIS_MISUSE;
    if (!searchable(*key)) return AEGIS_NO_SEARCH;
    return guarded([&] {
        const std::lock_guard<std::mutex> lock(key->busy);
        token_of(*key, view(value, value_size), token);
        return AEGIS_OK;
    });
}
