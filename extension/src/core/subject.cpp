// SPDX-License-Identifier: Apache-2.0
#include "core/subject.hpp"

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "core/xaes.hpp"

namespace aegis::core {

namespace {

constexpr size_t kBindingBytes = kSubjectNameBytes + 4;

// A wrapped key that is moved to another subject, or that comes back from before the subject was
// destroyed, does not open.
void binding_of(ByteView name, uint32_t generation, uint8_t out[kBindingBytes]) {
    if (name.size != kSubjectNameBytes)
        throw Error{Code::invalid_argument, "wrong size of a subject's name"};
    memcpy(out, name.data, name.size);
    put_u32(out + kSubjectNameBytes, generation);
}

}  // namespace

size_t encode_subject(SubjectKind kind, ByteView value, ByteSpan out) {
    const bool fits = kind == SubjectKind::uuid      ? value.size == 16
                      : kind == SubjectKind::integer ? value.size == 8
                      : kind == SubjectKind::text
                          ? value.size > 0 && value.size <= kMaxSubjectTextBytes
                          : false;
    if (!fits || out.size < 1 + value.size)
        throw Error{Code::invalid_argument, "wrong size of a data subject"};
    out.data[0] = static_cast<uint8_t>(kind);
    memcpy(out.data + 1, value.data, value.size);
    return 1 + value.size;
}

void subject_name(const HmacKey &name_key, ByteView encoded_subject,
                  uint8_t out[kSubjectNameBytes]) {
    const Digest digest = name_key.digest(encoded_subject);
    memcpy(out, digest.bytes, kSubjectNameBytes);
}

void wrap_subject(const Xaes &kek, ByteView name, uint32_t generation, ByteView subject_root,
                  uint8_t out[kWrappedRootBytes]) {
    const ByteSpan nonce(out, kXaesNonceBytes);
    random_nonce(nonce);
    wrap_subject_with_nonce(kek, name, generation, nonce, subject_root, out);
}

void wrap_subject_with_nonce(const Xaes &kek, ByteView name, uint32_t generation, ByteView nonce,
                             ByteView subject_root, uint8_t out[kWrappedRootBytes]) {
    if (subject_root.size != kKeyBytes || nonce.size != kXaesNonceBytes)
        throw Error{Code::invalid_argument, "wrong size of a subject's key or a nonce"};
    uint8_t binding[kBindingBytes];
    binding_of(name, generation, binding);
    memmove(out, nonce.data, kXaesNonceBytes);
    kek.seal(nonce, binding, subject_root, {out + kXaesNonceBytes, kKeyBytes + kXaesTagBytes});
}

void unwrap_subject(const Xaes &kek, ByteView name, uint32_t generation, ByteView wrapped,
                    uint8_t out[kKeyBytes]) {
    if (wrapped.size != kWrappedRootBytes)
        throw Error{Code::cannot_open, "cannot open sealed value"};
    uint8_t binding[kBindingBytes];
    binding_of(name, generation, binding);
    kek.open(wrapped.slice(0, kXaesNonceBytes), binding,
             wrapped.slice(kXaesNonceBytes, kKeyBytes + kXaesTagBytes), {out, kKeyBytes});
}

void derive_subject_field_key(ByteView root, ByteView subject_root, ByteView tenant, uint32_t epoch,
                              uint32_t field, Key32 &out) {
    if (root.size != kKeyBytes || subject_root.size != kKeyBytes)
        throw Error{Code::invalid_argument, "wrong size of a root key"};
    struct Both {
        uint8_t bytes[2 * kKeyBytes];
        ~Both() { wipe(bytes); }
    } both;
    memcpy(both.bytes, root.data, kKeyBytes);
    memcpy(both.bytes + kKeyBytes, subject_root.data, kKeyBytes);
    uint8_t info[kMaxKeyInfoBytes];
    const size_t size = encode_key_info({Purpose::encrypt, tenant, epoch, field}, info);
    hkdf_sha256({}, both.bytes, {info, size}, out.span());
}

}  // namespace aegis::core
