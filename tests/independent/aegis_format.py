# SPDX-License-Identifier: Apache-2.0
"""The formats of docs/format/, written a second time from those pages.

It shares no code with the C++ library: SHA-256 and HMAC come from Python, and HKDF, CBOR and the Merkle
tree are written out here, the ciphers in aegis_cipher.py. It is made for checking, not for speed, and has
no protection against timing.
"""
import base64
import hashlib
import hmac
import re
import struct
import unicodedata

from aegis_cipher import Refused, xaes_open, xaes_seal


# --- keys-v1 -------------------------------------------------------------------------------------

PURPOSES = {"check_value": 1, "tenant_kek": 2, "encrypt": 3, "blind_index": 4, "audit": 5,
            "login": 6, "subject": 7, "credential": 8, "committed_cipher": 9, "commitment": 10,
            "root_check": 11, "subject_name": 12, "outbound": 13}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_sha256(salt, input_key, info, size):
    extracted = hmac_sha256(salt or bytes(32), input_key)
    out, block, counter = b"", b"", 1
    while len(out) < size:
        block = hmac_sha256(extracted, block + info + bytes([counter]))
        out += block
        counter += 1
    return out[:size]


def key_info(purpose, tenant, epoch, reference):
    return (b"aegis\x01" + bytes([PURPOSES[purpose]]) + struct.pack(">H", len(tenant)) + tenant
            + struct.pack(">II", epoch, reference))


def derive_key(input_key, salt, purpose, tenant, epoch, reference):
    return hkdf_sha256(salt, input_key, key_info(purpose, tenant, epoch, reference), 32)


def check_value(master, version):
    return derive_key(master, b"", "check_value", b"", 0, version)[:8]


def tenant_kek(master, version, salt, tenant, epoch):
    return derive_key(master, salt, "tenant_kek", tenant, epoch, version)


def suite_name(suite):
    return b"" if suite == 1 else bytes([suite])


def wrap_root(master, version, salt, tenant, epoch, nonce, root, suite=1):
    return nonce + xaes_seal(tenant_kek(master, version, salt, tenant, epoch), nonce, suite_name(suite), root)


def unwrap_root(master, version, salt, tenant, epoch, wrapped, suite=1):
    if len(wrapped) != 72:
        raise Refused("size")
    return xaes_open(tenant_kek(master, version, salt, tenant, epoch), wrapped[:24], suite_name(suite),
                     wrapped[24:])


def root_check(root, tenant):
    return derive_key(root, b"", "root_check", tenant, 0, 0)[:8]


def encode_subject(kind, value):
    """kind and value: "uuid" and 16 bytes, "integer" and an int, "text" and a str."""
    if kind == "uuid" and len(value) == 16:
        return b"\x01" + value
    if kind == "integer":
        return b"\x02" + struct.pack(">q", value)
    if kind == "text" and 1 <= len(value.encode()) <= 1000:
        return b"\x03" + value.encode()
    raise Refused("subject")


def subject_name(first_root, tenant, subject):
    return hmac_sha256(derive_key(first_root, b"", "subject_name", tenant, 1, 0), subject)


def subject_kek(root, tenant, epoch):
    return derive_key(root, b"", "subject", tenant, epoch, 0)


def wrap_subject(kek, name, generation, nonce, subject_root):
    return nonce + xaes_seal(kek, nonce, name + struct.pack(">I", generation), subject_root)


def unwrap_subject(kek, name, generation, wrapped):
    if len(wrapped) != 72:
        raise Refused("size")
    return xaes_open(kek, wrapped[:24], name + struct.pack(">I", generation), wrapped[24:])


def subject_field_key(root, subject_root, tenant, epoch, field):
    return derive_key(root + subject_root, b"", "encrypt", tenant, epoch, field)


def field_reference(name):
    return int.from_bytes(sha256(b"aegis/field/1", name.encode())[:4], "big")


def type_reference(name):
    return int.from_bytes(sha256(b"aegis/type/1", name.encode())[:4], "big")


def tenant_tag(tenant):
    return sha256(b"aegis/tenant/1", tenant)[:8]


def normalise_email(value):
    value = value.strip(b" \t\n\v\f\r")
    value = bytes(c + 32 if 65 <= c <= 90 else c for c in value)
    at = value.rfind(b"@")
    if at <= 0 or at == len(value) - 1:
        raise Refused("not an e-mail address")
    return value


def text_of(value):
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error


def normalise_keyword(value):
    return unicodedata.normalize("NFC", text_of(value)).encode()


# Default_Ignorable_Code_Point, which Python's tables do not have.
IGNORED = ((0xad, 0xad), (0x34f, 0x34f), (0x61c, 0x61c), (0x115f, 0x1160), (0x17b4, 0x17b5), (0x180b, 0x180f), (0x200b, 0x200f),
           (0x202a, 0x202e), (0x2060, 0x206f), (0x3164, 0x3164), (0xfe00, 0xfe0f), (0xfeff, 0xfeff), (0xffa0, 0xffa0),
           (0xfff0, 0xfff8), (0x1bca0, 0x1bca3), (0x1d173, 0x1d17a), (0xe0000, 0xe0fff))


def normalise_caseless(value):
    folded, text = None, unicodedata.normalize("NFC", text_of(value))
    while text != folded:
        folded = text
        text = "".join(c for c in unicodedata.normalize("NFKD", folded.casefold())
                       if not any(first <= ord(c) <= last for first, last in IGNORED))
    return unicodedata.normalize("NFC", text).encode().strip(b" \t\n\v\f\r")


def normalise_phone(value):
    digits = re.sub(rb"\(0\)|[ \t-\r./()-]|\xc2\xa0", b"", value)
    match = re.fullmatch(rb"(?:\+|00)([1-9][0-9]{6,14})", digits)
    if not match:
        raise Refused("not a phone number with its country prefix")
    return b"+" + match[1]


def normalise_alnum(value):
    value = value.replace(b"\xc2\xa0", b"")
    if re.search(rb"[^\t-\r -~]", value) or not re.search(rb"[A-Za-z0-9]", value):
        raise Refused("not made of letters and digits")
    return re.sub(rb"[^A-Z0-9]", b"", bytes(c - 32 if 97 <= c <= 122 else c for c in value))


NORMALISERS = {"exact": bytes, "keyword": normalise_keyword, "caseless": normalise_caseless, "email": normalise_email,
               "phone": normalise_phone, "alnum": normalise_alnum}


def search_token(index_key, normalised):
    return hmac_sha256(index_key, normalised)[:16]


# --- envelope-v1 ---------------------------------------------------------------------------------

ROW_BOUND, TOKEN, SUBJECT, TOKEN_REMOVED = 1, 2, 4, 8
MAX_PLAINTEXT = 512 * 1024 * 1024


def envelope_header(suite, kind, flags, tag, epoch, field):
    return struct.pack(">BBBB8sII", 0xA1, suite, kind, flags, tag, epoch, field)


def associated_data(header, tenant, subject, row):
    def part(data):
        return struct.pack(">H", len(data)) + data
    covered = header[:3] + bytes([header[3] & ~TOKEN_REMOVED]) + header[4:20]
    return (covered + part(tenant) + part(subject) + bytes([len(row)])
            + b"".join(part(p) for p in row))


def commitment(key):
    return derive_key(key, b"", "commitment", b"", 0, 0)


def cipher_key(suite, key):
    return key if suite == 1 else derive_key(key, b"", "committed_cipher", b"", 0, 0)


def seal_envelope(key, kind, flags, tenant, subject, row, epoch, field, token, nonce, plaintext, suite=1):
    header = envelope_header(suite, kind, flags, tenant_tag(tenant), epoch, field)
    associated = associated_data(header, tenant, subject, row)
    return (header + token + nonce + (commitment(key) if suite == 2 else b"")
            + xaes_seal(cipher_key(suite, key), nonce, associated, plaintext))


def parse_envelope(envelope):
    """(header, token, nonce, sealed); of suite 2, what is sealed begins with the commitment"""
    if len(envelope) < 20:
        raise Refused("too short")
    magic, suite, kind, flags = envelope[:4]
    epoch = int.from_bytes(envelope[12:16], "big")
    if magic != 0xA1 or suite not in (1, 2) or not 1 <= kind <= 6 or epoch == 0:
        raise Refused("header")
    if flags & ~15 or (flags & TOKEN_REMOVED and not flags & TOKEN):
        raise Refused("flags")
    token = 16 if flags & (TOKEN | TOKEN_REMOVED) == TOKEN else 0
    if not 0 <= len(envelope) - 20 - token - 24 - (32 if suite == 2 else 0) - 16 <= MAX_PLAINTEXT:
        raise Refused("size")
    return (envelope[:20], envelope[20:20 + token], envelope[20 + token:44 + token],
            envelope[44 + token:])


def open_envelope(key, envelope, tenant, subject, row, suite=1):
    """suite: that of the key. An envelope that names another is refused."""
    header, _, nonce, sealed = parse_envelope(envelope)
    if header[1] != suite:
        raise Refused("suite")
    if suite == 2:
        if not hmac.compare_digest(sealed[:32], commitment(key)):
            raise Refused("commitment")
        sealed = sealed[32:]
    if bool(subject) != bool(header[3] & SUBJECT) or bool(row) != bool(header[3] & ROW_BOUND):
        raise Refused("binding")
    return xaes_open(cipher_key(suite, key), nonce, associated_data(header, tenant, subject, row), sealed)


def strip_token(envelope):
    header, token, nonce, sealed = parse_envelope(envelope)
    flags = header[3] | (TOKEN_REMOVED if token else 0)
    return header[:3] + bytes([flags]) + header[4:] + nonce + sealed


def brought_key(recipient, encapsulated, sealed):
    """tenant-key-v1"""
    return "AT1." + base64url(recipient + encapsulated + sealed)


def field_key(suite, kind, normaliser, epoch, field, type_reference, tenant, key, index_key):
    """field-key-v1: what is sealed for the application"""
    return struct.pack(">BBBBIII", 1, suite, kind, normaliser, epoch, field, type_reference) + tenant + key + index_key


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    if not text.isascii() or any(c not in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789-_" for c in text) or len(text) % 4 == 1:
        raise Refused("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise Refused("not canonical")
    return data


def armor(envelope):
    return "A1." + base64url(envelope)


def from_armor(text):
    if not text.startswith("A1."):
        raise Refused("no armor")
    return from_base64url(text[3:])


# --- deterministic CBOR (RFC 8949 section 4.2.1) -------------------------------------------------

def _head(major, value):
    for limit, additional, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"),
                                    (1 << 32, 26, ">I"), (1 << 64, 27, ">Q")):
        if value < limit:
            if additional is None:
                return bytes([major << 5 | value])
            return bytes([major << 5 | additional]) + struct.pack(form, value)
    raise Refused("number")


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        encoded = value.encode()
        return _head(3, len(encoded)) + encoded
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(cbor(v) for v in value)
    if isinstance(value, dict):
        pairs = sorted((cbor(k), cbor(v)) for k, v in value.items())
        return _head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    raise TypeError(type(value))


def cbor_read(data):
    """The value of exactly one deterministic item. Tags are not used by any format here."""
    value, at = _read(data, 0, 0)
    if at != len(data):
        raise Refused("trailing bytes")
    if cbor(value) != data:  # sorted keys, no key twice
        raise Refused("not deterministic")
    return value


def _read(data, at, depth):
    if at >= len(data) or depth > 16:
        raise Refused("ends too early, or nested too deeply")
    major, additional = data[at] >> 5, data[at] & 31
    at += 1
    if additional < 24:
        value = additional
    elif additional < 28:
        width = 1 << (additional - 24)
        if at + width > len(data):
            raise Refused("ends too early")
        value = int.from_bytes(data[at:at + width], "big")
        at += width
    else:
        raise Refused("indefinite or reserved")
    if major == 7:
        if additional not in (20, 21, 22):
            raise Refused("simple value or float")
        return {20: False, 21: True, 22: None}[additional], at
    if major == 0:
        return value, at
    if major == 1:
        return -1 - value, at
    if major in (2, 3):
        if at + value > len(data):
            raise Refused("ends too early")
        body = data[at:at + value]
        if major == 2:
            return body, at + value
        if 0 in body:
            raise Refused("zero byte in a text")
        try:
            return body.decode(), at + value
        except UnicodeDecodeError:
            raise Refused("not UTF-8") from None
    if major == 4:
        items = []
        for _ in range(value):
            item, at = _read(data, at, depth + 1)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(value):
            key, at = _read(data, at, depth + 1)
            item, at = _read(data, at, depth + 1)
            if isinstance(key, (list, dict)) or key in pairs:
                raise Refused("key")
            pairs[key] = item
        return pairs, at
    raise Refused("tag")


# --- Merkle trees (RFC 6962) ---------------------------------------------------------------------

def merkle_leaf(data):
    return sha256(b"\x00", data)


def merkle_node(left, right):
    return sha256(b"\x01", left, right)


def merkle_root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle_node(merkle_root(leaves[:k]), merkle_root(leaves[k:]))


def frontier(leaves):
    """The roots of the complete subtrees, largest first."""
    out, at, size = [], 0, len(leaves)
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            out.append(merkle_root(leaves[at:at + (1 << bit)]))
            at += 1 << bit
    return struct.pack(">Q", size) + b"".join(out)


# --- entry-v1 ------------------------------------------------------------------------------------

OUTCOMES = {"success": 0, "failure": 1, "denied": 2}


def entry(fields):
    """fields: epoch, event, unix_micros, outcome, and what else there is, by the names below."""
    body = {0: "aegis/entry/1", 1: fields["epoch"], 3: fields["event"], 4: fields["unix_micros"],
            5: OUTCOMES[fields["outcome"]]}
    actor = {key: fields[name]
             for key, name in enumerate(("session_user", "user", "session", "rank", "way", "job"))
             if fields.get(name)}
    for key, name in ((2, "tenant"), (7, "request_id"), (8, "origin"), (10, "detail"),
                      (11, "image"), (12, "xid"), (13, "ordinal")):
        if fields.get(name):
            body[key] = fields[name]
    if actor:
        body[6] = actor
    if fields.get("target_kind") or fields.get("target_id"):
        body[9] = [fields.get("target_kind", ""), fields.get("target_id", "")]
    return cbor(body)


ORIGIN = ("ip", "user_agent", "connection_address", "application_name")


def origin(fields):
    """The plaintext of an origin; None when nobody claims an address or a program."""
    known = {key: fields[name] for key, name in enumerate(ORIGIN) if fields.get(name)}
    return cbor(known) if 0 in known or 1 in known else None


def read_origin(plaintext):
    m = cbor_read(plaintext)
    if not _is(m, dict) or not all(_is(k, int) and k >= 0 for k in m) or not all(_is(m[k], str) for k in range(4) if k in m):
        raise Refused("origin")
    return {name: m[key] for key, name in enumerate(ORIGIN) if key in m}


def _is(value, kind):
    return type(value) is kind  # bool is an int to isinstance


def read_entry(body):
    m = cbor_read(body)
    if not _is(m, dict) or m.get(0) != "aegis/entry/1":
        raise Refused("type")
    checks = {
        1: lambda v: _is(v, int) and v >= 0,
        2: lambda v: _is(v, bytes) and len(v) == 16,
        3: lambda v: _is(v, str) and v,
        4: lambda v: _is(v, int) and -(1 << 63) <= v < 1 << 63,
        5: lambda v: _is(v, int) and 0 <= v <= 2,
        6: _is_actor,
        7: lambda v: _is(v, str) and v,
        8: lambda v: _is(v, bytes) and v,
        9: lambda v: _is(v, list) and len(v) == 2 and all(_is(t, str) for t in v) and any(v),
        10: _is_named,
        11: _is_image,
        12: lambda v: _is(v, int) and v > 0,
        13: lambda v: _is(v, int) and 0 < v < 1 << 32,
    }
    if not all(_is(k, int) for k in m) or not {0, 1, 3, 4, 5} <= set(m) <= set(range(14)):
        raise Refused("keys")
    for key, check in checks.items():
        if key in m and not check(m[key]):
            raise Refused("part %d" % key)
    return m


def _is_actor(v):
    def each(key, x):
        if key == 0:
            return _is(x, str) and x
        if key in (1, 2):
            return _is(x, bytes) and len(x) == 16
        if key in (3, 4):
            return _is(x, int) and 0 < x < 1 << 31
        return key == 5 and _is(x, int) and x > 0
    return _is(v, dict) and v and all(_is(k, int) and each(k, x) for k, x in v.items())


def _is_named(v, nulls=False):
    """A map of names to values without parts."""
    def each(x):
        return type(x) in (str, bool, bytes) or (nulls and x is None) or (_is(x, int) and -(1 << 63) <= x < 1 << 63)
    return _is(v, dict) and v and all(_is(k, str) and each(x) for k, x in v.items())


def _is_image(v):
    def each(key, x):
        if key == 0:
            return _is(x, str) and x
        if key == 1:
            return x in ("I", "U", "D", "T")
        if key in (2, 3, 4):
            return _is_named(x, key != 2)
        return key == 5 and _is(x, bytes) and x
    return _is(v, dict) and {0, 1} <= set(v) and all(
        _is(k, int) and each(k, x) for k, x in v.items())


# --- seal-v1 -------------------------------------------------------------------------------------

def head_leaf_data(log_id, size, root):
    return b"aegis/head/1" + log_id + struct.pack(">Q", size) + root


SEAL_FIELDS = ("epoch", "number", "unix_micros", "entries", "root_size", "root", "previous",
               "snapshot", "wal_position")


def seal(fields):
    return cbor(["aegis/seal/1"] + [fields[name] for name in SEAL_FIELDS])


def read_seal(data):
    v = cbor_read(data)
    if not _is(v, list) or len(v) != 10 or v[0] != "aegis/seal/1":
        raise Refused("type")
    fields = dict(zip(SEAL_FIELDS, v[1:]))
    for name, value in fields.items():
        if name in ("root", "previous"):
            good = _is(value, bytes) and len(value) == 32
        elif name == "snapshot":
            good = _is(value, str)
        elif name == "unix_micros":
            good = _is(value, int) and -(1 << 63) <= value < 1 << 63
        else:
            good = _is(value, int) and value >= 0
        if not good:
            raise Refused(name)
    return fields


# --- session-token-v1 ----------------------------------------------------------------------------

REGION = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def session_token(region, random):
    assert len(random) == 32
    return "ags1_" + region.replace("_", "-") + "_" + base64url(random)


def read_session_token(token):
    """(region, random)"""
    parts = token.split("_", 2)
    if len(parts) != 3 or parts[0] != "ags1" or not 1 <= len(parts[1]) <= 16:
        raise Refused("shape")
    if not set(parts[1]) <= REGION:
        raise Refused("region")
    random = from_base64url(parts[2])
    if len(random) != 32:
        raise Refused("size")
    return parts[1], random


def session_token_hash(token):
    return sha256(token.encode())
