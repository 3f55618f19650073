# SPDX-License-Identifier: Apache-2.0
"""Published inputs of the vectors: keys, identifiers and nonces for tests only."""

MASTER = bytes(range(32))                      # the published test key, 00 .. 1f
SALT = bytes(range(0x20, 0x40))
TENANT = bytes.fromhex("018f2b6c7d8e7f0091a2b3c4d5e6f708")
OTHER_TENANT = bytes.fromhex("018f2b6c7d8e7f0091a2b3c4d5e6f709")
ROOT = bytes(range(0x40, 0x60))
SUBJECT = bytes.fromhex("00112233445566778899aabbccddeeff")
SUBJECT_ROOT = bytes(range(0x60, 0x80))
NO_TENANT = bytes(16)                          # what the system's own envelopes are bound to


def nonce(n):
    return bytes([n]) + bytes(range(0xE0, 0xF7))
