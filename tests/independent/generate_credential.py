# SPDX-License-Identifier: Apache-2.0
"""Recovery codes and user tokens, written from docs/format/recovery-code-v1.md and user-token-v1.md."""
import hashlib

import aegis_format as f
from published import MASTER, ROOT

USERS = [bytes(range(16)), bytes(16), bytes(range(0xf0, 0x100)), hashlib.sha256(b"user").digest()[:16]]
CODES = ["0123-4567-89ab-cdef-ghjk-mn01", "0000-0000-0000-0000-0000-0000", "zzzz-zzzz-zzzz-zzzz-zzzz-zzzz", "pqrs-tvwx-yz01-2345-6789-abcd"]


def digits_of(typed):
    """What was typed as 24 digits, or None."""
    digits = typed.lower().replace("-", "").replace(" ", "").translate(str.maketrans("oil", "011"))
    return digits if len(digits) == 24 and set(digits) <= set("0123456789abcdefghjkmnpqrstvwxyz") else None


def recovery_code_v1():
    valid = [{"user": user, "code": code, "hash": hashlib.sha256(b"aegis/recovery-code/1" + user + digits_of(code).encode()).digest()}
             for user, code in zip(USERS, CODES)]
    typed = ["0123456789ABCDEFGHJKMN01", " O123 4567 89ab cdef ghjk mnOl ", "oi23456789abcdefghjkmn0I"]
    assert all(digits_of(text) == digits_of(CODES[0]) for text in typed)
    refused = ["", "0123", CODES[0] + "2", CODES[0][:-1] + "u", CODES[0].replace("-", "_"), CODES[0][:-1]]
    assert not any(digits_of(text) for text in refused)
    return {"valid": valid, "typed": typed, "refused": refused}


def user_token_v1():
    valid = []
    for region, random in (("EU_WEST", bytes(range(32))), ("US-EAST", bytes(32)), ("X", b"\xff" * 32), ("ABCDEFGHIJ012345", ROOT), ("UK", MASTER)):
        token = "agu1" + f.session_token(region, random)[4:]
        valid.append({"region": region, "random": random, "token": token, "hash": f.session_token_hash(token)})
    tail = "A" * 43
    return {"valid": valid, "refused": ["", "agu1_", "agu1__" + tail, "ags1_EU_" + tail, "agc1_EU_" + tail, "AGU1_EU_" + tail, "agu2_EU_" + tail,
                                        "agu1_EU_" + tail[1:], "agu1_EU_" + tail + "A", "agu1_EU_" + tail[1:] + "B", " agu1_EU_" + tail]}
