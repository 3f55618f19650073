# SPDX-License-Identifier: Apache-2.0
"""The list of breached passwords of docs/format/breached-v1.md, written from that page."""
import hashlib
import struct

PASSWORDS = ["123456", "letmein", "master key", "password", "Zo\u00eb"]


def breached_list(passwords):
    hashes = sorted({hashlib.sha1(password.encode()).digest()[:8] for password in passwords})
    index, at = [], 0
    for prefix in range(65537):
        while at < len(hashes) and int.from_bytes(hashes[at][:2], "big") < prefix:
            at += 1
        index.append(at)
    return b"AEGISBP1" + struct.pack(">Q", len(hashes)) + struct.pack(">65537Q", *index) + b"".join(h[2:] for h in hashes)


def breached_v1():
    made = breached_list(PASSWORDS)
    return {"passwords": [{"password": p, "sha1": hashlib.sha1(p.encode()).digest()} for p in PASSWORDS],
            "entries": made[16 + 65537 * 8:], "size": len(made), "sha256": hashlib.sha256(made).digest()}
