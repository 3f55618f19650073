// SPDX-License-Identifier: Apache-2.0
#include "core/kdf.hpp"

#include "core/digest.hpp"
#include "core/error.hpp"

namespace aegis::core {

void hkdf_sha256(ByteView salt, ByteView input_key, ByteView info, ByteSpan out) {
    if (out.size > 255 * kDigestBytes)
        throw Error{Code::invalid_argument, "HKDF can derive at most 8160 bytes"};

    struct Scratch {
        Digest extracted, block;
        ~Scratch() {
            wipe(extracted.bytes);
            wipe(block.bytes);
        }
    } scratch;
    // An absent salt is HashLen zeros, which HMAC's padding makes of an empty key.
    scratch.extracted = hmac_sha256(salt, input_key);

    ByteView previous;
    uint8_t counter = 1;
    for (size_t done = 0; done < out.size; ++counter) {
        const ByteView parts[] = {previous, info, ByteView(&counter, 1)};
        scratch.block = hmac_sha256(scratch.extracted.view(), parts, 3);
        previous = scratch.block.view();
        const size_t rest = out.size - done;
        const size_t take = rest < kDigestBytes ? rest : kDigestBytes;
        memcpy(out.data + done, scratch.block.bytes, take);
        done += take;
    }
}

size_t encode_key_info(const KeyInfo &info, ByteSpan out) {
    if (info.tenant.size != 0 && info.tenant.size != 16)
        throw Error{Code::invalid_argument, "a tenant must have 16 bytes or none"};
    const size_t size = 5 + 1 + 1 + 2 + info.tenant.size + 4 + 4;
    if (out.size < size) throw Error{Code::invalid_argument, "no room for the key info"};
    uint8_t *at = out.data;
    memcpy(at, "aegis", 5);
    at += 5;
    *at++ = 0x01;
    *at++ = static_cast<uint8_t>(info.purpose);
    put_u16(at, static_cast<uint16_t>(info.tenant.size));
    at += 2;
    if (info.tenant.size) memcpy(at, info.tenant.data, info.tenant.size);
    at += info.tenant.size;
    put_u32(at, info.epoch);
    put_u32(at + 4, info.reference);
    return size;
}

void derive_key(const Key32 &input_key, ByteView salt, const KeyInfo &info, Key32 &out) {
    uint8_t encoded[kMaxKeyInfoBytes];
    const size_t size = encode_key_info(info, encoded);
    hkdf_sha256(salt, input_key.view(), {encoded, size}, out.span());
}

}  // namespace aegis::core
