# SPDX-License-Identifier: Apache-2.0
"""AES-256-GCM, XAES-256-GCM and Ed25519 for the second readers, written out but for the AES block cipher,
which is libcrypto's. Made for checking: slow, and without protection against timing."""
import ctypes
import ctypes.util
import hashlib
import hmac
import struct


class Refused(Exception):
    """The bytes do not follow their format, or do not open."""


# --- AES-256, one block at a time, from libcrypto ------------------------------------------------

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
_crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
_crypto.EVP_aes_256_ecb.restype = ctypes.c_void_p
_crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]
_crypto.EVP_CIPHER_CTX_set_padding.argtypes = [ctypes.c_void_p, ctypes.c_int]
_crypto.EVP_EncryptInit_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
                                       ctypes.c_char_p, ctypes.c_char_p]
_crypto.EVP_EncryptUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p,
                                      ctypes.POINTER(ctypes.c_int), ctypes.c_char_p, ctypes.c_int]


def aes256_blocks(key, blocks):
    assert len(key) == 32 and len(blocks) % 16 == 0
    ctx = _crypto.EVP_CIPHER_CTX_new()
    try:
        out = ctypes.create_string_buffer(len(blocks) + 16)
        written = ctypes.c_int()
        ok = (_crypto.EVP_EncryptInit_ex(ctx, _crypto.EVP_aes_256_ecb(), None, key, None) == 1
              and _crypto.EVP_CIPHER_CTX_set_padding(ctx, 0) == 1
              and _crypto.EVP_EncryptUpdate(ctx, out, ctypes.byref(written), blocks,
                                            len(blocks)) == 1
              and written.value == len(blocks))
        if not ok:
            raise RuntimeError("libcrypto refused AES-256")
        return out.raw[:len(blocks)]
    finally:
        _crypto.EVP_CIPHER_CTX_free(ctx)


# --- AES-256-GCM (NIST SP 800-38D) ---------------------------------------------------------------

def _ghash(h, data):
    h = int.from_bytes(h, "big")
    # Multiples of H by x^0..x^127, so that one product is a sum of table entries.
    table = []
    for _ in range(128):
        table.append(h)
        h = (h >> 1) ^ (0xE1 << 120 if h & 1 else 0)
    y = 0
    for at in range(0, len(data), 16):
        y ^= int.from_bytes(data[at:at + 16], "big")
        product = 0
        for i in range(128):
            if y >> (127 - i) & 1:
                product ^= table[i]
        y = product
    return y.to_bytes(16, "big")


def _pad16(data):
    return data + bytes(-len(data) % 16)


def _gcm(key, iv, associated, ciphertext):
    """(key stream, tag of the ciphertext)"""
    count = (len(ciphertext) + 15) // 16
    counters = b"".join(iv + struct.pack(">I", i) for i in range(1, count + 2))
    stream = aes256_blocks(key, bytes(16) + counters)
    h, first, rest = stream[:16], stream[16:32], stream[32:]
    lengths = struct.pack(">QQ", 8 * len(associated), 8 * len(ciphertext))
    s = _ghash(h, _pad16(associated) + _pad16(ciphertext) + lengths)
    return rest, bytes(a ^ b for a, b in zip(s, first))


def _xor_stream(key, iv, text):
    count = (len(text) + 15) // 16
    counters = b"".join(iv + struct.pack(">I", i) for i in range(2, count + 2))
    return bytes(a ^ b for a, b in zip(text, aes256_blocks(key, counters))) if text else b""


def gcm_seal(key, iv, associated, plaintext):
    ciphertext = _xor_stream(key, iv, plaintext)
    return ciphertext + _gcm(key, iv, associated, ciphertext)[1]


def gcm_open(key, iv, associated, sealed):
    if len(sealed) < 16:
        raise Refused("too short")
    ciphertext, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(_gcm(key, iv, associated, ciphertext)[1], tag):
        raise Refused("tag")
    return _xor_stream(key, iv, ciphertext)


# --- XAES-256-GCM (C2SP) -------------------------------------------------------------------------

def _xaes_subkey(key, nonce):
    l = int.from_bytes(aes256_blocks(key, bytes(16)), "big")
    k1 = (l << 1) & ((1 << 128) - 1)
    if l >> 127:
        k1 ^= 0x87
    blocks = b""
    for i in (1, 2):
        m = bytes([0, i]) + b"X" + bytes([0]) + nonce[:12]
        blocks += (int.from_bytes(m, "big") ^ k1).to_bytes(16, "big")
    return aes256_blocks(key, blocks)


def xaes_seal(key, nonce, associated, plaintext):
    assert len(nonce) == 24
    return gcm_seal(_xaes_subkey(key, nonce), nonce[12:], associated, plaintext)


def xaes_open(key, nonce, associated, sealed):
    assert len(nonce) == 24
    return gcm_open(_xaes_subkey(key, nonce), nonce[12:], associated, sealed)


def _times(a, b):
    """Product in GCM's field, of blocks."""
    return _ghash(b, a)


def _inverse(a):
    power, out = a, b"\x80" + bytes(15)
    for _ in range(127):                       # a to the power of 2^128 - 2
        power = _times(power, power)
        out = _times(out, power)
    return out


def xaes_for_two_keys(keys, nonce, associated, first_block):
    """Ciphertext and tag that open under both keys, the first as something that begins with first_block: GCM does not
    commit to its key. One block is solved for, so that the two tags are equal."""
    def xor(a, b):
        return bytes(x ^ y for x, y in zip(a, b))
    subkeys = [_xaes_subkey(key, nonce) for key in keys]
    hashes = [aes256_blocks(key, bytes(16)) for key in subkeys]
    known = _xor_stream(subkeys[0], nonce[12:], first_block)
    tags = [_gcm(key, nonce[12:], associated, known + bytes(16))[1] for key in subkeys]
    weight = xor(*[_times(h, h) for h in hashes])
    ciphertext = known + _times(xor(*tags), _inverse(weight))
    tags = [_gcm(key, nonce[12:], associated, ciphertext)[1] for key in subkeys]
    assert tags[0] == tags[1]
    return ciphertext + tags[0]


def xaes_accumulated(iterations):
    """C2SP's accumulated test."""
    stream = hashlib.shake_128(b"").digest(600 * iterations)
    at = 0

    def take(size):
        nonlocal at
        at += size
        return stream[at - size:at]

    total = hashlib.shake_128()
    for _ in range(iterations):
        key, nonce = take(32), take(24)
        plaintext = take(take(1)[0])
        associated = take(take(1)[0])
        total.update(xaes_seal(key, nonce, associated, plaintext))
    return total.digest(32)


# --- Ed25519 (RFC 8032 section 5.1) --------------------------------------------------------------

P = 2 ** 255 - 19
ORDER = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    if y >= P:
        raise Refused("point")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P != 0 or (x == 0 and sign):
        raise Refused("point")
    return P - x if x & 1 != sign else x


def _point(x, y):
    return (x, y, 1, x * y % P)


BASE = _point(_recover_x(4 * pow(5, P - 2, P) % P, 0), 4 * pow(5, P - 2, P) % P)


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    return _point(_recover_x(y, number >> 255), y)


def _scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def ed25519_sign(seed, message):
    """(public key, signature)"""
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
    public = _encode(_multiply(secret, BASE))
    nonce = _scalar(digest[32:], message) % ORDER
    r = _encode(_multiply(nonce, BASE))
    s = (nonce + _scalar(r, public, message) % ORDER * secret) % ORDER
    return public, r + s.to_bytes(32, "little")


def ed25519_verify(public, message, signature):
    """Refuses what does not verify, S out of its range included."""
    if len(public) != 32 or len(signature) != 64:
        raise Refused("size of a key or signature")
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        raise Refused("signature")
    r, key = _decode(signature[:32]), _decode(public)
    left = _multiply(s, BASE)
    right = _add(r, _multiply(_scalar(signature[:32], public, message) % ORDER, key))
    if (left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P:
        raise Refused("signature")
