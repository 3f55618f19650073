# SPDX-License-Identifier: Apache-2.0
"""HPKE base mode for one message (RFC 9180) and X25519 (RFC 7748), written from the RFCs: for tenant-v1."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_cipher as c  # noqa: E402
import aegis_format as f  # noqa: E402
from aegis_format import Refused  # noqa: E402

P = 2**255 - 19


def x25519(scalar, point):
    k = int.from_bytes(bytes([scalar[0] & 248]) + scalar[1:31] + bytes([scalar[31] & 127 | 64]), "little")
    u = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x1, x2, z2, x3, z3, swap = u, 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b = (x2 + z2) % P, (x2 - z2) % P
        aa, bb = a * a % P, b * b % P
        e = (aa - bb) % P
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public_key(private):
    return x25519(private, (9).to_bytes(32, "little"))


def _extract(salt, suite, label, key):
    return f.hmac_sha256(salt, b"HPKE-v1" + suite + label + key)


def _expand(key, suite, label, info, size):
    return f.hmac_sha256(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1")[:size]


def _schedule(point, enc, recipient, info):
    if point == bytes(32):
        raise Refused("not a public key")
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    shared = _expand(_extract(b"", kem, b"eae_prk", point), kem, b"shared_secret", enc + recipient, 32)
    context = b"\0" + _extract(b"", suite, b"psk_id_hash", b"") + _extract(b"", suite, b"info_hash", info)
    secret = _extract(shared, suite, b"secret", b"")
    return _expand(secret, suite, b"key", context, 32), _expand(secret, suite, b"base_nonce", context, 12)


def seal(ephemeral, recipient, info, associated, plaintext):
    """The encapsulated key, and what is sealed."""
    enc = public_key(ephemeral)
    key, nonce = _schedule(x25519(ephemeral, recipient), enc, recipient, info)
    return enc, c.gcm_seal(key, nonce, associated, plaintext)


def open_sealed(private, enc, info, associated, sealed):
    key, nonce = _schedule(x25519(private, enc), enc, public_key(private), info)
    return c.gcm_open(key, nonce, associated, sealed)
