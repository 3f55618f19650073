// SPDX-License-Identifier: Apache-2.0
#include "core/envelope.hpp"

#include <memory>
#include <new>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace aegis::core {

namespace {

constexpr uint8_t kKnownFlags = kFlagRowBound | kFlagToken | kFlagSubject | kFlagTokenRemoved;
constexpr size_t kFlagsAt = 3;
constexpr size_t kUnsealedHeaderBytes = 4 + kBootIdBytes;

bool known_type(uint8_t type) {
    return type >= static_cast<uint8_t>(PlaintextType::text) &&
           type <= static_cast<uint8_t>(PlaintextType::timestamptz);
}

size_t stored_token_bytes(uint8_t flags) {
    return (flags & (kFlagToken | kFlagTokenRemoved)) == kFlagToken ? kTokenBytes : 0;
}

void write_header(const EnvelopeHeader &header, uint8_t *out) {
    out[0] = kEnvelopeMagic;
    out[1] = static_cast<uint8_t>(header.suite);
    out[2] = static_cast<uint8_t>(header.type);
    out[kFlagsAt] = header.flags;
    memcpy(out + 4, header.tenant_tag, kTenantTagBytes);
    put_u32(out + 12, header.epoch);
    put_u32(out + 16, header.field);
}

// The binding must say exactly what the flags say, or two different claims could share bytes.
bool agrees(const EnvelopeHeader &header, const Binding &binding) {
    if (binding.tenant.size != 16 || binding.subject.size > UINT16_MAX) return false;
    if ((binding.subject.size != 0) != ((header.flags & kFlagSubject) != 0)) return false;
    if ((binding.row_part_count != 0) != ((header.flags & kFlagRowBound) != 0)) return false;
    for (uint8_t i = 0; i < binding.row_part_count; ++i)
        if (binding.row_parts[i].size > UINT16_MAX) return false;
    return true;
}

// The associated data of an envelope, on the stack unless the row's key is long.
class AssociatedData {
 public:
    AssociatedData(const EnvelopeHeader &header, const Binding &binding) {
        size_t size = kEnvelopeHeaderBytes + 2 + binding.tenant.size + 2 + binding.subject.size + 1;
        for (uint8_t i = 0; i < binding.row_part_count; ++i) size += 2 + binding.row_parts[i].size;
        uint8_t *start = small_;
        if (size > sizeof small_) {
            large_.reset(new (std::nothrow) uint8_t[size]);
            if (!large_) throw Error{Code::too_long, "out of memory for associated data"};
            start = large_.get();
        }
        write_header(header, start);
        start[kFlagsAt] &= static_cast<uint8_t>(~kFlagTokenRemoved);
        uint8_t *at = put_part(start + kEnvelopeHeaderBytes, binding.tenant);
        at = put_part(at, binding.subject);
        *at++ = binding.row_part_count;
        for (uint8_t i = 0; i < binding.row_part_count; ++i)
            at = put_part(at, binding.row_parts[i]);
        view_ = {start, size};
    }
    ByteView view() const { return view_; }

 private:
    static uint8_t *put_part(uint8_t *at, ByteView part) {
        put_u16(at, static_cast<uint16_t>(part.size));
        if (part.size) memcpy(at + 2, part.data, part.size);
        return at + 2 + part.size;
    }

    uint8_t small_[256];
    std::unique_ptr<uint8_t[]> large_;
    ByteView view_;
};

}  // namespace

void tenant_tag(ByteView tenant, uint8_t out[kTenantTagBytes]) {
    if (tenant.size != 16) throw Error{Code::invalid_argument, "a tenant must have 16 bytes"};
    const Digest digest = sha256(as_bytes("aegis/tenant/1"), tenant);
    memcpy(out, digest.bytes, kTenantTagBytes);
}

size_t envelope_size(const EnvelopeHeader &header, size_t plaintext_bytes) noexcept {
    return kEnvelopeHeaderBytes + stored_token_bytes(header.flags) + kXaesNonceBytes +
           commitment_bytes(header.suite) + plaintext_bytes + kXaesTagBytes;
}

size_t envelope_plaintext_size(const EnvelopeParts &parts) noexcept {
    return parts.sealed.size < kXaesTagBytes ? 0 : parts.sealed.size - kXaesTagBytes;
}

void seal_envelope_with_nonce(const EnvelopeKey &key, const EnvelopeHeader &header,
                              const Binding &binding, ByteView token, ByteView nonce,
                              ByteView plaintext, ByteSpan out) {
    if (plaintext.size > kMaxEnvelopePlaintextBytes)
        throw Error{Code::too_long, "value is too long to be sealed"};
    if (header.suite != key.suite() || !known_type(static_cast<uint8_t>(header.type)) ||
        (header.flags & ~(kKnownFlags & ~kFlagTokenRemoved)) != 0 || header.epoch == 0)
        throw Error{Code::invalid_argument, "header cannot be sealed"};
    if (!agrees(header, binding) || token.size != stored_token_bytes(header.flags))
        throw Error{Code::invalid_argument, "binding or token does not agree with the flags"};
    if (nonce.size != kXaesNonceBytes || out.size != envelope_size(header, plaintext.size))
        throw Error{Code::invalid_argument, "wrong size of a nonce or of the room for an envelope"};

    const AssociatedData associated(header, binding);
    write_header(header, out.data);
    uint8_t *at = out.data + kEnvelopeHeaderBytes;
    if (token.size) memcpy(at, token.data, token.size);
    at += token.size;
    memcpy(at, nonce.data, nonce.size);
    at += nonce.size;
    const ByteView commitment = key.commitment();
    if (commitment.size) memcpy(at, commitment.data, commitment.size);
    at += commitment.size;
    key.cipher().seal(nonce, associated.view(), plaintext, {at, plaintext.size + kXaesTagBytes});
}

void seal_envelope(const EnvelopeKey &key, const EnvelopeHeader &header, const Binding &binding,
                   ByteView token, ByteView plaintext, ByteSpan out) {
    uint8_t nonce[kXaesNonceBytes];
    random_nonce(nonce);
    seal_envelope_with_nonce(key, header, binding, token, nonce, plaintext, out);
}

EnvelopeParts parse_envelope(ByteView envelope) {
    static constexpr Error kMalformed{Code::malformed, "not a sealed value"};
    if (envelope.size < kEnvelopeHeaderBytes) throw kMalformed;
    const uint8_t *in = envelope.data;
    EnvelopeParts parts;
    parts.header.suite = static_cast<Suite>(in[1]);
    parts.header.type = static_cast<PlaintextType>(in[2]);
    parts.header.flags = in[kFlagsAt];
    memcpy(parts.header.tenant_tag, in + 4, kTenantTagBytes);
    parts.header.epoch = get_u32(in + 12);
    parts.header.field = get_u32(in + 16);

    const uint8_t flags = parts.header.flags;
    const size_t token = stored_token_bytes(flags);
    const size_t commitment = commitment_bytes(parts.header.suite);
    const size_t fixed =
        kEnvelopeHeaderBytes + token + kXaesNonceBytes + commitment + kXaesTagBytes;
    if (in[0] != kEnvelopeMagic || !is_sealing(parts.header.suite) || !known_type(in[2]) ||
        (flags & ~kKnownFlags) != 0 || ((flags & kFlagTokenRemoved) && !(flags & kFlagToken)) ||
        parts.header.epoch == 0 || envelope.size < fixed ||
        envelope.size - fixed > kMaxEnvelopePlaintextBytes)
        throw kMalformed;

    if (token) parts.token = envelope.slice(kEnvelopeHeaderBytes, token);
    const size_t nonce_at = kEnvelopeHeaderBytes + token;
    parts.nonce = envelope.slice(nonce_at, kXaesNonceBytes);
    const size_t sealed_at = nonce_at + kXaesNonceBytes + commitment;
    if (commitment) parts.commitment = envelope.slice(sealed_at - commitment, commitment);
    parts.sealed = envelope.slice(sealed_at, envelope.size - sealed_at);
    return parts;
}

void open_envelope(const EnvelopeKey &key, const EnvelopeParts &parts, const Binding &binding,
                   ByteSpan out) {
    if (out.size != envelope_plaintext_size(parts))
        throw Error{Code::invalid_argument, "wrong size of the room for a plaintext"};
    if (!agrees(parts.header, binding) || parts.header.suite != key.suite() ||
        !equal_constant_time(parts.commitment, key.commitment())) {
        wipe(out);
        throw Error{Code::cannot_open, "cannot open sealed value"};
    }
    const AssociatedData associated(parts.header, binding);
    key.cipher().open(parts.nonce, associated.view(), parts.sealed, out);
}

void search_token(const HmacKey &index_key, ByteView normalised, uint8_t out[kTokenBytes]) {
    Digest digest = index_key.digest(normalised);
    memcpy(out, digest.bytes, kTokenBytes);
    wipe(digest.bytes);
}

size_t strip_token(ByteView envelope, ByteSpan out) {
    const EnvelopeParts parts = parse_envelope(envelope);
    const size_t size = envelope.size - parts.token.size;
    if (out.size < size) throw Error{Code::invalid_argument, "no room for the envelope"};
    memcpy(out.data, envelope.data, kEnvelopeHeaderBytes);
    if (parts.token.size) out.data[kFlagsAt] |= kFlagTokenRemoved;
    memcpy(out.data + kEnvelopeHeaderBytes, parts.nonce.data, size - kEnvelopeHeaderBytes);
    return size;
}

size_t unsealed_size(size_t plaintext_bytes) noexcept {
    return kUnsealedHeaderBytes + kXaesNonceBytes + plaintext_bytes + kXaesTagBytes;
}

bool is_unsealed(ByteView bytes) noexcept {
    return bytes.size >= unsealed_size(0) && bytes.data[0] == kEnvelopeMagic &&
           bytes.data[1] == static_cast<uint8_t>(Suite::unsealed) && known_type(bytes.data[2]) &&
           bytes.data[kFlagsAt] == 0;
}

void make_unsealed(const Xaes &boot_key, ByteView boot_id, PlaintextType type, ByteView plaintext,
                   ByteSpan out) {
    if (plaintext.size > kMaxEnvelopePlaintextBytes)
        throw Error{Code::too_long, "value is too long to be sealed"};
    if (boot_id.size != kBootIdBytes || !known_type(static_cast<uint8_t>(type)) ||
        out.size != unsealed_size(plaintext.size))
        throw Error{Code::invalid_argument, "cannot make an unsealed value of this"};
    out.data[0] = kEnvelopeMagic;
    out.data[1] = static_cast<uint8_t>(Suite::unsealed);
    out.data[2] = static_cast<uint8_t>(type);
    out.data[kFlagsAt] = 0;
    memcpy(out.data + 4, boot_id.data, kBootIdBytes);
    const ByteSpan nonce = out.slice(kUnsealedHeaderBytes, kXaesNonceBytes);
    random_nonce(nonce);
    const size_t sealed_at = kUnsealedHeaderBytes + kXaesNonceBytes;
    boot_key.seal(nonce, out.slice(0, kUnsealedHeaderBytes), plaintext,
                  out.slice(sealed_at, out.size - sealed_at));
}

size_t unsealed_plaintext_size(ByteView unsealed) {
    if (!is_unsealed(unsealed)) throw Error{Code::malformed, "not an unsealed value"};
    return unsealed.size - unsealed_size(0);
}

void open_unsealed(const Xaes &boot_key, ByteView boot_id, ByteView unsealed, ByteSpan out) {
    if (out.size != unsealed_plaintext_size(unsealed))
        throw Error{Code::invalid_argument, "wrong size of the room for a plaintext"};
    if (!equal_constant_time(boot_id, unsealed.slice(4, kBootIdBytes))) {
        wipe(out);
        throw Error{Code::cannot_open, "cannot open sealed value"};
    }
    const size_t sealed_at = kUnsealedHeaderBytes + kXaesNonceBytes;
    boot_key.open(unsealed.slice(kUnsealedHeaderBytes, kXaesNonceBytes),
                  unsealed.slice(0, kUnsealedHeaderBytes),
                  unsealed.slice(sealed_at, unsealed.size - sealed_at), out);
}

}  // namespace aegis::core
