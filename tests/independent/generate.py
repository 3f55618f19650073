#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/*.json from the independent implementation. The files are frozen: a format that
has been released never changes, so running this must change nothing (check.py compares)."""
import base64
import json
import os
import sys

import aegis_format as f
import aegis_hpke as hpke
import aegis_note as n
import aegis_proof as p
import aegis_receipt as r
import aegis_tenant as t
import generate_anchor as anchor
import generate_breached as breached
import generate_credential as credential
import generate_http
import generate_keys as keys
import generate_refusals as refusals
import generate_tile as tile
import generate_witness as witness
from aegis_cipher import ed25519_sign, xaes_for_two_keys
from published import MASTER, NO_TENANT, OTHER_TENANT, ROOT, SALT, SUBJECT, SUBJECT_ROOT, TENANT, nonce

def plain(value):
    """JSON form: bytes become hexadecimal text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


# What each normaliser makes of a value, and what it refuses.
NORMALISED = [
    ("email", b"bob@example.com"), ("email", b"  Bob@Example.COM\n"), ("email", "Zo\u00eb@B\u00dcCHER.example".encode()), ("email", b"a@b"),
    ("exact", " A\u030a ".encode()), ("exact", b""),
    ("keyword", b""), ("keyword", b" Plain "), ("keyword", "A\u030a".encode()), ("keyword", "\u212b".encode()),
    ("keyword", "o\u0302\u0323".encode()), ("keyword", "\ufb01 \u1100\u1161\u11a8".encode()), ("keyword", "\U0001d15e".encode()),
    ("caseless", b""), ("caseless", b"  Ann LEE\n"), ("caseless", "Stra\u00dfe\u3000\ufb01".encode()), ("caseless", "\u0130\u01c5\u03c2".encode()),
    ("caseless", "\u03b1\u0345\u0301".encode()), ("caseless", "a\u00ad\u200bB\ufdfa".encode()),
    ("phone", b"+491712345678"), ("phone", b" 00 49 (171) 234-56.78"), ("phone", "+49 (0) 171\u00a0/ 2345678".encode()),
    ("phone", b"+2901234"), ("phone", b"+123456789012345"), ("phone", b"+39 06 12345678"),
    ("alnum", b"de89 3704 0044 0532 0130 00"), ("alnum", "AT-U/1234\u00a05678.".encode())]
NOT_NORMALISED = [
    ("email", b""), ("email", b"bob"), ("email", b" @b "), ("email", b"a@"),
    ("keyword", b"a\x80"), ("keyword", b"\xed\xa0\x80"), ("caseless", b"\xc3"),
    ("phone", b""), ("phone", b"0171 2345678"), ("phone", b"1712345678"), ("phone", b"+0491712345"), ("phone", b"+123456"),
    ("phone", b"+1234567890123456"), ("phone", b"++491712345678"), ("phone", b"+49 171 2345678 x9"), ("phone", "+\uff14\uff19171234567".encode()),
    ("alnum", b" - "), ("alnum", "\u00c41".encode()), ("alnum", b"a\x00b"), ("alnum", b"a\x7f")]


def keys_v1():
    infos = [("check_value", b"", 0, 1), ("tenant_kek", TENANT, 1, 1), ("encrypt", TENANT, 1, 0x01020304),
             ("blind_index", TENANT, 1, 2), ("audit", b"", 1, 0), ("login", TENANT, 1, 0),
             ("subject", TENANT, 3, 0), ("credential", TENANT, 0xFFFFFFFF, 0xFFFFFFFF),
             ("subject_name", TENANT, 1, 0)]
    subjects = [("uuid", SUBJECT, f.encode_subject("uuid", SUBJECT)),
                ("integer", 42, f.encode_subject("integer", 42)), ("integer", -1, f.encode_subject("integer", -1)),
                ("text", "Zo\u00eb", f.encode_subject("text", "Zo\u00eb"))]
    names = [(t, s, f.subject_name(ROOT, t, s)) for t in (TENANT, OTHER_TENANT) for s in (subjects[0][2], subjects[1][2])]
    return {
        "key_info": [{"purpose": f.PURPOSES[p], "tenant": t, "epoch": e, "reference": r,
                      "encoded": f.key_info(p, t, e, r)} for p, t, e, r in infos],
        "derived_key": [{"input_key": k, "salt": s, "purpose": f.PURPOSES[p], "tenant": t,
                         "epoch": e, "reference": r, "key": f.derive_key(k, s, p, t, e, r)}
                        for k, s, (p, t, e, r) in
                        [(MASTER, b"", infos[0]), (MASTER, SALT, infos[1])]
                        + [(ROOT, b"", info) for info in infos[2:]]],
        "check_value": [{"master": MASTER, "version": v, "check_value": f.check_value(MASTER, v)}
                        for v in (1, 2, 2147483647)],
        "wrapped_root": [{"master": MASTER, "version": v, "salt": SALT, "tenant": t, "epoch": e,
                          "nonce": nonce(n), "root": ROOT,
                          "kek": f.tenant_kek(MASTER, v, SALT, t, e),
                          "wrapped": f.wrap_root(MASTER, v, SALT, t, e, nonce(n), ROOT)}
                         for n, (v, t, e) in enumerate([(1, TENANT, 1), (2, TENANT, 1), (1, TENANT, 2),
                                                        (1, b"", 1), (1, OTHER_TENANT, 1)])],
        "wrapped_committing_root": [{"master": MASTER, "version": 1, "salt": SALT, "tenant": TENANT, "epoch": 2,
                                     "nonce": nonce(9), "root": ROOT, "suite": 2, "check_value": f.root_check(ROOT, TENANT),
                                     "wrapped": f.wrap_root(MASTER, 1, SALT, TENANT, 2, nonce(9), ROOT, 2)}],
        "subject": [{"kind": k, "value": v, "encoded": e} for k, v, e in subjects],
        "subject_name": [{"root": ROOT, "tenant": t, "subject": s, "name": name} for t, s, name in names],
        "wrapped_subject": [{"root": ROOT, "tenant": t, "epoch": e, "name": names[0][2], "generation": g, "nonce": nonce(n),
                             "subject_root": SUBJECT_ROOT, "kek": f.subject_kek(ROOT, t, e),
                             "wrapped": f.wrap_subject(f.subject_kek(ROOT, t, e), names[0][2], g, nonce(n), SUBJECT_ROOT)}
                            for n, (t, e, g) in enumerate([(TENANT, 1, 1), (TENANT, 2, 1), (TENANT, 1, 2), (OTHER_TENANT, 1, 1)])],
        "subject_field_key": [{"root": ROOT, "subject_root": SUBJECT_ROOT, "tenant": TENANT, "epoch": e, "field": r,
                               "key": f.subject_field_key(ROOT, SUBJECT_ROOT, TENANT, e, r)}
                              for e, r in [(1, 0x01020304), (1, f.field_reference("customer.email")), (2, 0x01020304)]],
        "field_reference": [{"name": name, "reference": f.field_reference(name)}
                            for name in ("customer.email", "customer.name", "user.email", "")],
        "type_reference": [{"name": name, "reference": f.type_reference(name)} for name in ("sealed_email", "sealed_keyword", "sealed_phone")],
        "look_up_value": [{"login_key": MASTER, "normalised": v, "value": f.hmac_sha256(MASTER, v)} for v in (b"bob@example.com",)],
        "tenant_tag": [{"tenant": t, "tag": f.tenant_tag(t)} for t in (TENANT, OTHER_TENANT, NO_TENANT)],
        "search_token": [{"index_key": MASTER, "normaliser": how, "value": v, "normalised": f.NORMALISERS[how](v),
                          "token": f.search_token(MASTER, f.NORMALISERS[how](v))} for how, v in NORMALISED],
        "not_normalised": [{"normaliser": how, "value": v} for how, v in NOT_NORMALISED],
    }


def envelope_v1():
    email = f.field_reference("customer.email")
    key = f.derive_key(ROOT, b"", "encrypt", TENANT, 1, email)
    system = f.derive_key(ROOT, b"", "audit", b"", 1, 0)
    cases = []

    def add(name, kind, flags, plaintext, row=(), epoch=1, tenant=TENANT, key=key, field=email):
        subject = SUBJECT if flags & f.SUBJECT else b""
        token = f.search_token(MASTER, plaintext) if flags & f.TOKEN else b""
        n = nonce(len(cases))
        envelope = f.seal_envelope(key, kind, flags, tenant, subject, list(row), epoch, field, token, n,
                                   plaintext)
        cases.append({"name": name, "key": key, "type": kind, "flags": flags, "tenant": tenant,
                      "subject": subject, "row": list(row), "epoch": epoch, "field": field,
                      "token": token, "nonce": n, "plaintext": plaintext,
                      "associated_data": f.associated_data(envelope[:20], tenant, subject, list(row)),
                      "envelope": envelope, "armor": f.armor(envelope),
                      "stripped": f.strip_token(envelope)})

    add("text", 1, 0, b"bob@example.com")
    add("empty text", 1, 0, b"")
    add("bytea", 2, 0, bytes(range(256)))
    add("jsonb", 3, 0, b"\x01" + b'{"a": 1}')
    add("numeric", 4, 0, bytes.fromhex("0002000000000002000109c4"))
    add("date", 5, 0, bytes.fromhex("00002550"))
    add("timestamptz", 6, 0, bytes.fromhex("0002f3a1b2c3d4e5"))
    add("row-bound, one part", 1, f.ROW_BOUND, b"row", [bytes.fromhex("000000000000002a")])
    add("row-bound, two parts", 1, f.ROW_BOUND, b"row", [TENANT, b"\x00\x00\x00\x2a"])
    add("row-bound, an empty part", 1, f.ROW_BOUND, b"row", [b""])
    add("row-bound, a long part", 1, f.ROW_BOUND, b"row", [bytes(300)])
    add("with a token", 1, f.TOKEN, b"bob@example.com")
    add("with a token, empty", 1, f.TOKEN, b"")
    add("subject", 1, f.SUBJECT, b"personal")
    add("subject and row", 1, f.SUBJECT | f.ROW_BOUND, b"personal", [b"\x01"])
    add("token and row", 1, f.TOKEN | f.ROW_BOUND, b"bob@example.com", [b"\x01"])
    add("token and subject", 1, f.TOKEN | f.SUBJECT, b"bob@example.com")
    add("everything", 1, 7, b"bob@example.com", [b"\x01", b"\x02"])
    add("largest epoch", 1, 0, b"x", epoch=0xFFFFFFFF)
    add("the system's own", 2, 0, f.cbor({0: "192.0.2.7"}), tenant=NO_TENANT, key=system, field=0)
    add("sixteen bytes", 1, 0, b"0123456789abcdef")
    add("a kilobyte", 1, 0, b"k" * 1024)

    good = cases[0]["envelope"]
    token = cases[11]["envelope"]

    def changed(at, value, base=good):
        return base[:at] + bytes([value]) + base[at + 1:]

    malformed = [("empty", b""), ("header only", good[:20]), ("no room for a tag", good[:59]),
                 ("wrong magic", changed(0, 0xA2)), ("unsealed", changed(1, 0)),
                 ("unknown suite", changed(1, 2)), ("type 0", changed(2, 0)), ("type 7", changed(2, 7)),
                 ("removed token without token", changed(3, 8)), ("unknown flag", changed(3, 0x10)),
                 ("epoch 0", changed(15, 0)), ("token flag without room", changed(3, 2, good[:75]))]
    unopenable = [("type", changed(2, 2)), ("tenant tag", changed(4, good[4] ^ 1)),
                  ("epoch", changed(15, 2)), ("field", changed(19, good[19] ^ 1)),
                  ("nonce, first half", changed(20, good[20] ^ 1)),
                  ("nonce, second half", changed(43, good[43] ^ 1)),
                  ("ciphertext", changed(44, good[44] ^ 1)), ("tag", changed(len(good) - 1, good[-1] ^ 1)),
                  ("truncated", good[:-1]), ("extended", good + b"\0"),
                  ("row-bound flag", changed(3, 1)), ("subject flag", changed(3, 4)),
                  ("token flag", changed(3, 2, cases[20]["envelope"])), ("token and removed flags", changed(3, 10)),
                  ("token taken as nonce", changed(3, 0, token))]
    return {"valid": cases,
            "malformed": [{"name": n, "envelope": e} for n, e in malformed],
            "unopenable": [{"name": n, "envelope": e, "key": key, "tenant": TENANT}
                           for n, e in unopenable]}


def envelope_v1_committing():
    """Suite 2: the same layout with the commitment behind the nonce."""
    email = f.field_reference("customer.email")
    key, other = (f.derive_key(root, b"", "encrypt", TENANT, 2, email) for root in (ROOT, MASTER))
    system = f.derive_key(ROOT, b"", "audit", b"", 2, 0)
    cases = []

    def add(name, kind, flags, plaintext, row=(), tenant=TENANT, key=key, field=email):
        subject = SUBJECT if flags & f.SUBJECT else b""
        token = f.search_token(MASTER, plaintext) if flags & f.TOKEN else b""
        n = nonce(0x40 + len(cases))
        envelope = f.seal_envelope(key, kind, flags, tenant, subject, list(row), 2, field, token, n, plaintext, 2)
        cases.append({"name": name, "key": key, "cipher_key": f.cipher_key(2, key), "commitment": f.commitment(key),
                      "type": kind, "flags": flags, "tenant": tenant, "subject": subject, "row": list(row), "epoch": 2,
                      "field": field, "token": token, "nonce": n, "plaintext": plaintext,
                      "associated_data": f.associated_data(envelope[:20], tenant, subject, list(row)),
                      "envelope": envelope, "armor": f.armor(envelope), "stripped": f.strip_token(envelope)})

    add("text", 1, 0, b"bob@example.com")
    add("empty text", 1, 0, b"")
    add("bytea", 2, 0, bytes(range(256)))
    add("row-bound", 1, f.ROW_BOUND, b"row", [bytes.fromhex("000000000000002a")])
    add("with a token", 1, f.TOKEN, b"bob@example.com")
    add("subject", 1, f.SUBJECT, b"personal")
    add("everything", 1, 7, b"bob@example.com", [b"\x01", b"\x02"])
    add("of another key", 1, 0, b"bob@example.com", key=other)
    add("the system's own", 2, 0, f.cbor({0: "192.0.2.7"}), tenant=NO_TENANT, key=system, field=0)

    good, token = cases[0]["envelope"], cases[4]["envelope"]

    def changed(at, value, base=good):
        return base[:at] + bytes([value]) + base[at + 1:]

    malformed = [("header only", good[:20]), ("no room for a commitment", good[:60]), ("no room for a tag", good[:91]),
                 ("unsealed", changed(1, 0)), ("suite 3", changed(1, 3)), ("type 7", changed(2, 7)),
                 ("unknown flag", changed(3, 0x10)), ("epoch 0", changed(15, 0)),
                 ("token flag without room", changed(3, 2, good[:107]))]
    mixed = good[:44] + f.commitment(other) + good[76:]
    unopenable = [("written over as suite 1", changed(1, 1)), ("as suite 1, without its commitment", (changed(1, 1))[:44] + good[76:]),
                  ("suite 1 of the same key", f.seal_envelope(key, 1, 0, TENANT, b"", [], 2, email, b"", nonce(1), b"x")),
                  ("suite 1 under the derived key", f.seal_envelope(f.cipher_key(2, key), 1, 0, TENANT, b"", [], 2, email, b"", nonce(2), b"x" * 32)),
                  ("commitment, first byte", changed(44, good[44] ^ 1)), ("commitment, last bit", changed(75, good[75] ^ 1)),
                  ("commitment of another key", mixed), ("without its commitment", good[:44] + bytes(32) + good[76:]),
                  ("commitment twice", good[:76] + good[44:]), ("commitment behind the tag", good[:44] + good[76:] + good[44:76]),
                  ("of another key", cases[7]["envelope"]), ("of another key, with this commitment", cases[7]["envelope"][:44] + good[44:76] + cases[7]["envelope"][76:]),
                  ("type", changed(2, 2)), ("epoch", changed(15, 1)), ("nonce", changed(20, good[20] ^ 1)),
                  ("ciphertext", changed(76, good[76] ^ 1)), ("tag", changed(len(good) - 1, good[-1] ^ 1)),
                  ("truncated", good[:-1]), ("extended", good + b"\0"), ("subject flag", changed(3, 4)),
                  ("token taken as nonce", changed(3, 0, token))]
    return {"valid": cases,
            "malformed": [{"name": n, "envelope": e} for n, e in malformed],
            "unopenable": [{"name": n, "envelope": e, "key": key, "tenant": TENANT} for n, e in unopenable],
            "two_keys": [two_keys(suite, key, other) for suite in (1, 2)]}


def two_keys(suite, key, other):
    """What somebody makes who knows both keys: in suite 1 it opens under both, in suite 2 under the first alone."""
    header = f.envelope_header(suite, 1, 0, f.tenant_tag(TENANT), 2, f.field_reference("customer.email"))
    n, associated = nonce(0x60 + suite), f.associated_data(header, TENANT, b"", [])
    sealed = xaes_for_two_keys([f.cipher_key(suite, k) for k in (key, other)], n, associated, b"bob@example.com ")
    envelope = header + n + (f.commitment(key) if suite == 2 else b"") + sealed
    opened = [f.open_envelope(key, envelope, TENANT, b"", [], suite)]
    if suite == 1:
        opened.append(f.open_envelope(other, envelope, TENANT, b"", []))
    return {"suite": suite, "tenant": TENANT, "keys": [key, other], "envelope": envelope, "opened": opened}


def entry_v1():
    user, session = bytes(range(16)), bytes(range(16, 32))
    origin = envelope_v1()["valid"][19]["envelope"]
    full = {"epoch": 1, "tenant": TENANT, "event": "invoice.sent", "unix_micros": 1764000000123456,
            "outcome": "success", "session_user": "aegis_gateway", "user": user, "session": session,
            "rank": 3, "way": 1, "job": 12, "request_id": "r-7f", "origin": origin,
            "target_kind": "invoice", "target_id": "42",
            "detail": {"number": "A-2025-0042", "total": 129900, "paid": False, "digest": b"\x00\xff",
                       "change": -1},
            "image": {0: "aegis_app.invoice", 1: "U", 2: {"id": 42}, 3: {"status": "draft"},
                      4: {"status": "sent"}, 5: origin},
            "xid": 4294967297, "ordinal": 2}
    cases = [
        ("least", {"epoch": 0, "event": "system.started", "unix_micros": 0, "outcome": "success"}),
        ("full", full),
        ("denied, no user", {"epoch": 1, "tenant": TENANT, "event": "auth.denied",
                             "unix_micros": 1764000000000000, "outcome": "denied",
                             "session_user": "aegis_gateway", "request_id": "\u00fc"}),
        ("before 1970", {"epoch": 1, "event": "system.started", "unix_micros": -1,
                         "outcome": "failure"}),
        ("target with kind only", {"epoch": 1, "event": "a.b", "unix_micros": 1, "outcome": "success",
                                   "target_kind": "table"}),
        ("target with id only", {"epoch": 1, "event": "a.b", "unix_micros": 1, "outcome": "success",
                                 "target_id": "t"}),
        ("row truncated", {"epoch": 1, "tenant": TENANT, "event": "row.changed", "unix_micros": 1,
                           "outcome": "success", "image": {0: "app.t", 1: "T"}, "xid": 740}),
        ("row inserted", {"epoch": 1, "tenant": TENANT, "event": "row.changed", "unix_micros": 1,
                          "outcome": "success", "image": {0: "app.t", 1: "I", 2: {"id": 1},
                                                          4: {"a": "x", "bb": None}}, "xid": 741,
                          "ordinal": 1}),
        ("largest numbers", {"epoch": 2**64 - 1, "event": "a.b", "unix_micros": 2**63 - 1,
                             "outcome": "success", "rank": 2**31 - 1, "way": 2**31 - 1,
                             "job": 2**64 - 1, "xid": 2**64 - 1, "ordinal": 2**32 - 1}),
        ("smallest time", {"epoch": 1, "event": "a.b", "unix_micros": -(2**63), "outcome": "success"}),
        ("detail sorted by length first", {"epoch": 1, "event": "a.b", "unix_micros": 1,
                                           "outcome": "success", "detail": {"b": 1, "aa": 2, "a": 3}}),
    ]
    valid = []
    for name, fields in cases:
        case = {"name": name, "fields": {k: v for k, v in fields.items() if k not in ("detail", "image")},
                "body": f.entry(fields), "leaf": f.merkle_leaf(f.entry(fields))}
        for part in ("detail", "image"):
            if part in fields:
                case["fields"][part + "_cbor"] = f.cbor(fields[part])
        valid.append(case)
    head, tail = f.cbor("aegis/entry/1"), bytes.fromhex("0101036161") + bytes.fromhex("04000500")
    base = b"\x00" + head + tail
    refused = [
        ("empty", b""), ("not a map", b"\x85" + base), ("trailing byte", b"\xa5" + base + b"\x00"),
        ("another version", b"\xa5\x00" + f.cbor("aegis/entry/2") + tail),
        ("missing outcome", b"\xa4" + base[:-2]), ("unknown key", b"\xa6" + base + b"\x0e\x00"),
        ("key twice", b"\xa6" + base + b"\x05\x00"), ("unsorted", b"\xa6" + base + b"\x02\x50" + TENANT),
        ("long head", b"\xb8\x05" + base), ("long key", b"\xa5\x18\x00" + base[1:]),
        ("indefinite map", b"\xbf" + base + b"\xff"), ("outcome 3", b"\xa5" + base[:-1] + b"\x03"),
        ("empty actor", b"\xa6" + base + b"\x06\xa0"), ("rank 0", b"\xa6" + base + b"\x06\xa1\x03\x00"),
        ("empty request id", b"\xa6" + base + b"\x07\x60"),
        ("empty target", b"\xa6" + base + b"\x09\x82\x60\x60"),
        ("empty detail", b"\xa6" + base + b"\x0a\xa0"),
        ("detail unsorted", b"\xa6" + base + bytes.fromhex("0aa2626161016161 02".replace(" ", ""))),
        ("detail with null", b"\xa6" + base + bytes.fromhex("0aa16161f6")),
        ("detail with a float", b"\xa6" + base + bytes.fromhex("0aa16161f93c00")),
        ("image without operation", b"\xa6" + base + bytes.fromhex("0ba1006161")),
        ("image with operation X", b"\xa6" + base + bytes.fromhex("0ba2006161016158")),
        ("xid 0", b"\xa6" + base + b"\x0c\x00"), ("ordinal 0", b"\xa6" + base + b"\x0d\x00"),
        ("text that is not UTF-8", b"\xa6" + base + b"\x07\x61\xff"),
        ("text with a zero byte", b"\xa6" + base + b"\x07\x63a\x00b"),
    ] + [(name, b"\xa6" + base + b"\x0a" + f.cbor(detail)) for name, detail in (
        ("detail with an array", {"a": [1]}), ("detail with a map", {"a": {}}), ("detail with a number as name", {1: 1}),
        ("detail above 2^63-1", {"a": 2**63}), ("detail below -2^63", {"a": -2**63 - 1}))
    ] + [(name, b"\xa6" + base + b"\x0b" + f.cbor({0: "a", 1: "U", **image})) for name, image in (
        ("image with an empty key", {2: {}}), ("image with null in the key", {2: {"a": None}}),
        ("image with a number as column", {3: {1: 1}}), ("image with bytes as column", {4: {b"a": 1}}),
        ("image with an array", {4: {"a": [1]}}), ("image above 2^63-1", {4: {"a": 2**63}}))
    ]
    claimed = {"ip": "203.0.113.7", "user_agent": "curl/8 \u00fc"}
    origins = [claimed, {"ip": "2001:db8::1"}, {"user_agent": "a"}, {**claimed, "connection_address": "::1", "application_name": "aegis-server"},
               {"ip": "203.0.113.7", "application_name": "psql"}, {"user_agent": "a", "connection_address": "127.0.0.1"}]
    refused_origins = [b"", b"\xa1\x00", b"\x80", f.cbor({0: 1}), f.cbor({3: b"a"}), f.cbor({"a": "b"}), b"\xa2\x01\x61a\x00\x61b", f.cbor({0: "a"}) + b"\x00"]
    return {"valid": valid, "refused": [{"name": n, "body": b} for n, b in refused],
            "origins": [{"fields": fields, "plaintext": f.origin(fields)} for fields in origins],
            "later_origin": {"fields": claimed, "plaintext": f.cbor({0: claimed["ip"], 1: claimed["user_agent"], 4: {"a": 1}})},
            "refused_origins": refused_origins}


def seal_v1():
    leaves = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f")]
    trees = [{"leaves": leaves[:n], "root": f.merkle_root([f.merkle_leaf(d) for d in leaves[:n]]),
              "frontier": f.frontier([f.merkle_leaf(d) for d in leaves[:n]])} for n in range(9)]
    log_a, log_b = f.sha256(b"log a"), f.sha256(b"log b")
    heads = [{"log_id": i, "size": s, "root": r, "data": f.head_leaf_data(i, s, r),
              "leaf": f.merkle_leaf(f.head_leaf_data(i, s, r))}
             for i, s, r in ((log_a, 3, trees[3]["root"]), (log_b, 2**40, trees[8]["root"]))]
    chain, previous = [], bytes(32)
    for number, entries in enumerate((1, 3, 70000)):
        fields = {"epoch": 1, "number": number + 1, "unix_micros": 1764000000000000 + number * 1000000,
                  "entries": entries, "root_size": number + 1, "root": trees[number + 1]["root"],
                  "previous": previous, "snapshot": "7%d:8%d:7%d" % (number, number, number),
                  "wal_position": 0x16B374D848 + number * 4096}
        encoded = f.seal(fields)
        previous = f.sha256(encoded)
        chain.append({"fields": fields, "seal": encoded, "hash": previous})
    good = chain[0]["seal"]
    refused = [("empty", b""), ("nine items", b"\x89" + good[1:]), ("trailing byte", good + b"\x00"),
               ("another version", good.replace(b"aegis/seal/1", b"aegis/seal/2")),
               ("long head", b"\x98\x0a" + good[1:]), ("truncated", good[:-1]),
               ("negative epoch", good[:14] + b"\x20" + good[15:]), ("a map", b"\xaa" + good[1:])]
    return {"tree": trees, "head": heads, "chain": chain,
            "refused": [{"name": n, "seal": s} for n, s in refused]}


def session_token_v1():
    valid = []
    for region, random in (("EU_WEST", MASTER), ("US-EAST", bytes(32)), ("X", b"\xff" * 32),
                           ("ABCDEFGHIJ012345", ROOT)):
        token = f.session_token(region, random)
        valid.append({"region": region, "random": random, "token": token,
                      "hash": f.session_token_hash(token)})
    tail = "A" * 43
    refused = ["", "ags1_", "ags1__" + tail, "ags1_EU" + tail, "AGS1_EU_" + tail, "ags2_EU_" + tail,
               "ags1_eu_" + tail, "ags1_EU_WEST_" + tail, "ags1_ABCDEFGHIJ0123456_" + tail,
               "ags1_EU_" + tail[1:], "ags1_EU_" + tail + "A", "ags1_EU_" + tail[1:] + "B",
               "ags1_EU_" + tail + "=", "ags1_EU_" + tail[1:] + "+", " ags1_EU_" + tail,
               "ags1_EU_" + tail + "\n"]
    return {"valid": valid, "refused": refused}


def bundle_v1():
    """A ledger of two seals, whole and as the bundle of one tenant; and one of three whose first leaves were cut."""
    def event(name, tenant, n):
        fields = {0: "aegis/entry/1", 1: 1, 3: name, 4: 1764000000000000 + n, 5: 0, 13: n}
        return f.cbor({**fields, **({2: tenant} if tenant else {})})

    seals = [[(None, [event("system.started", None, 1)]), (TENANT, [event("a.b", TENANT, n) for n in (2, 3)])],
             [(TENANT, [event("a.b", TENANT, 4)]), (OTHER_TENANT, [event("a.c", OTHER_TENANT, 5)])]]
    root = f.merkle_root([f.merkle_leaf(body) for body in seals[0][1][1]])
    cut = f.cbor({0: "aegis/entry/1", 1: 1, 2: TENANT, 3: "ledger.cut", 4: 1764000000000006, 5: 0, 9: ["ledger", "shop"],
                  10: {"root": root.hex(), "size": 2, "reason": "seven years are over", "statement": f.sha256(b"an earlier bundle").hex(),
                       "approved_by": "otto", "requested_by": "olga"}, 13: 6})
    bundles = []
    for only, gone, seals in ((None, 0, seals), (TENANT, 0, seals), (TENANT, 2, seals + [[(TENANT, [cut])]])):
        records, leaves, root_log = [["aegis/bundle/1", "shop", 1764000002000000, only, len(seals)]], {}, []
        previous, counts, seq = bytes(32), [0, 0, 0], 0
        for number, logs in enumerate(seals, 1):
            of_seal = []
            for tenant, bodies in logs:
                log_id, own = f.sha256(b"log of ", tenant or b""), leaves.setdefault(tenant, [])
                own += [f.merkle_leaf(body) for body in bodies]
                root = f.merkle_root(own)
                root_log.append(f.merkle_leaf(f.head_leaf_data(log_id, len(own), root)))
                counts[1] += 1
                seq += len(bodies)
                if only not in (None, tenant):
                    of_seal.append([p.OTHER_HEAD, root_log[-1]])
                    continue
                of_seal.append([p.HEAD, log_id, tenant, len(own), root, len(bodies)])
                for n, body in enumerate(bodies):
                    is_there = len(own) - len(bodies) + n >= gone
                    of_seal.append([p.ENTRY, seq - len(bodies) + n + 1, f.merkle_leaf(body), body if is_there else None])
                    counts[2] += 1
            body = f.seal({"epoch": 1, "number": number, "unix_micros": 1764000001000000 + number,
                           "entries": sum(len(bodies) for _, bodies in logs), "root_size": len(root_log),
                           "root": f.merkle_root(root_log), "previous": previous, "snapshot": "7:8:",
                           "wal_position": number})
            previous = f.sha256(body)
            counts[0] += 1
            records += [[p.SEAL, body]] + of_seal
        running = bytes(32)
        for record in records:
            running = p.chain(running, f.cbor(record))
        records.append([p.END] + counts + [running])
        bundles.append({"name": "one tenant, cut" if gone else "one tenant" if only else "whole ledger", "records": [f.cbor(r) for r in records],
                        "lines": [p.bundle_line(r) for r in records],
                        "kept": "seal %d hash %s" % (len(seals), previous.hex()), "statement": p.statement(running, previous)})
    refused = [("not an array", {0: 1}), ("an unknown kind", [6, b""]), ("a kind below 1", [0, b""]),
               ("another version", ["aegis/bundle/2", "shop", 0, None, 1]), ("a header without its seal", ["aegis/bundle/1", "shop", 0, None]),
               ("a tenant of 15 bytes", ["aegis/bundle/1", "shop", 0, bytes(15), 1]), ("a leaf of 31 bytes", [3, 1, bytes(31), b"x"]),
               ("an empty body", [3, 1, bytes(32), b""]), ("a seal and more", [1, b"x", 1]), ("a negative size", [2, bytes(32), None, -1, bytes(32), 1]),
               ("a text as seal", [1, "x"]), ("a short log id", [2, bytes(31), None, 1, bytes(32), 1]), ("a short chain", [5, 1, 1, 1, bytes(31)])]
    return {"bundle": bundles, "refused": [{"name": name, "record": f.cbor(record)} for name, record in refused]
            + [{"name": "a long head", "record": b"\x82\x18\x01\x41x"}, {"name": "a trailing byte", "record": b"\x82\x01\x41x\x00"}]}


def proof_v1():
    """All proofs of the tree of eight leaves that implementations of RFC 6962 share, and of its smaller ones."""
    data = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                       "606162636465666768696a6b6c6d6e6f")]
    leaves = [f.merkle_leaf(d) for d in data]
    return {"root": [{"size": n, "root": f.merkle_root(leaves[:n])} for n in range(1, 9)],
            "inclusion": [{"index": i, "size": n, "leaf": leaves[i], "proof": p.inclusion_proof(i, leaves[:n])}
                          for n in range(1, 9) for i in range(n)],
            "consistency": [{"first": m, "second": n, "proof": p.consistency_proof(m, leaves[:n])}
                            for n in range(1, 9) for m in range(1, n + 1)],
            **refusals.proofs(leaves)}


def checkpoint_v1():
    """A checkpoint over the tree of proof_v1, signed with a published key, and a proof file for leaf 5."""
    tree = proof_v1()
    name, root = "aegis.example/ledger", tree["root"][7]["root"]
    public, _ = ed25519_sign(ROOT, b"")
    text = n.checkpoint(name, 8, root)
    note = n.signed_note(text, name, ROOT)
    proof = next(c["proof"] for c in tree["inclusion"] if (c["index"], c["size"]) == (5, 8))
    return {"seed": ROOT, "public_key": public, "key_id": n.key_id(name, 1, public), "vkey": n.note_key(name, 1, public),
            "root": root, "signature": ed25519_sign(ROOT, text.encode())[1], "text": text, "note": note,
            "entry": bytes.fromhex("40414243"), "proof": proof, "proof_file": n.proof_file(5, proof, note), **refusals.notes()}


def receipt_v1():
    """An entry of a log of five, whose head is leaf 4 of a root log of six, and what a reader must refuse."""
    bodies = [f.entry({"epoch": 1, "tenant": TENANT, "event": "invoice.sent", "unix_micros": 1764000000000000 + i,
                       "outcome": "success", "user": SUBJECT, "rank": 3, "way": 1, "target_kind": "invoice",
                       "target_id": str(40 + i), "detail": {"total": 129900}, "xid": 740 + i}) for i in range(6)]
    leaves = [f.merkle_leaf(body) for body in bodies]
    log_id, body, leaf, size = f.sha256(b"log of ", TENANT), bodies[3], 3, 5
    path, log_root = p.inclusion_proof(leaf, leaves[:size]), f.merkle_root(leaves[:size])
    heads = [f.merkle_leaf(f.head_leaf_data(f.sha256(b"log %d" % i), i + 1, leaves[i])) for i in range(6)]
    data = f.head_leaf_data(log_id, size, log_root)
    heads[4] = f.merkle_leaf(data)
    name, root, root_path = "aegis.example/shop", f.merkle_root(heads), p.inclusion_proof(4, heads)
    note = n.signed_note(n.checkpoint(name, 6, root), name, ROOT)
    good = {"body": body, "leaf": leaf, "size": size, "path": path, "log_id": log_id, "index": 4,
            "root_path": root_path, "note": note}
    text = r.receipt(**good)

    def changed(**fields):
        return r.receipt(**{**good, **fields})

    def with_extra(data):
        lines = text.split("\n")
        lines[1] = "extra " + (data if isinstance(data, str) else base64.b64encode(data).decode())
        return "\n".join(lines)

    items, encoded = [r.TYPE, body, leaf, size, path, log_id], text.split("\n")[1][len("extra "):]
    raw = base64.b64decode(encoded)
    other_note = n.signed_note(n.checkpoint(name, 6, f.merkle_root(heads[::-1])), name, ROOT)
    refused = [
        ("another entry of the log", changed(body=bodies[2])), ("a changed entry", changed(body=bodies[5])),
        ("another tenant in the entry", changed(body=body.replace(TENANT, OTHER_TENANT))),
        ("another leaf", changed(leaf=2)), ("the leaf after", changed(leaf=4)), ("the leaf at the size", changed(leaf=5)),
        ("another size", changed(size=6)), ("the size before", changed(size=4)), ("the largest size", changed(size=2**64 - 1)),
        ("another log", changed(log_id=f.sha256(b"log 1"))), ("a short log id", changed(log_id=log_id[:31])),
        ("a path with a hash more", changed(path=path + [root])), ("a path with a hash less", changed(path=path[:-1])),
        ("no path", changed(path=[])), ("a path the other way round", changed(path=path[::-1])),
        ("a path of 65 hashes", changed(path=[root] * 65)), ("a hash of 31 bytes", changed(path=[path[0][:31]] + path[1:])),
        ("another index", changed(index=3)), ("an index at the size", changed(index=6)),
        ("a root path with a hash more", changed(root_path=root_path + [root])),
        ("a root path with a hash less", changed(root_path=root_path[:-1])),
        ("a root path of 65 hashes", changed(root_path=[root] * 65)),
        ("a checkpoint over another tree", changed(note=other_note)),
        ("a checkpoint of another log", changed(note=n.signed_note(n.checkpoint("aegis.example/other", 6, root), name, ROOT))),
        ("a checkpoint with another size", changed(note=note.replace("\n6\n", "\n7\n"))),
        ("a checkpoint with an extension", changed(note=n.signed_note(n.checkpoint(name, 6, root) + "more\n", name, ROOT))),
        ("a checkpoint signed by another key", changed(note=n.signed_note(n.checkpoint(name, 6, root), name, MASTER))),
        ("a checkpoint without a signature", changed(note=n.checkpoint(name, 6, root) + "\n")),
        ("no extra", n.proof_file(4, root_path, note)), ("an empty extra", with_extra("")),
        ("an extra without padding", with_extra(encoded.rstrip("=") if encoded.endswith("=") else encoded[:-1])),
        ("an extra that is not base64", with_extra("!" + encoded[1:])),
        ("an extra twice", text.replace("\nindex", "\nextra " + encoded + "\nindex")),
        ("a byte behind the extra", with_extra(raw + b"\x00")), ("a truncated extra", with_extra(raw[:-1])),
        ("a long head in the extra", with_extra(b"\x98\x06" + raw[1:])), ("seven items", with_extra(f.cbor(items + [0]))),
        ("five items", with_extra(f.cbor(items[:5]))), ("another version", with_extra(f.cbor(["aegis/receipt/2"] + items[1:]))),
        ("a negative leaf", with_extra(f.cbor(items[:2] + [-1] + items[3:]))), ("a map", with_extra(f.cbor({0: body}))),
        ("no body", changed(body=b"")), ("a body that is no entry", changed(body=b"\xa0")),
        ("an entry with a byte behind it", changed(body=body + b"\x00")), ("a leading zero", text.replace("index 4", "index 04")),
        ("another proof format", text.replace("tlog-proof@v1", "tlog-proof@v2"))]
    public, _ = ed25519_sign(ROOT, b"")
    return {"vkey": n.note_key(name, 1, public), "origin": name, "tenant": TENANT, "receipt": text,
            "fields": good, "extra": raw, "leaf_hash": leaves[3], "log_root": log_root, "head_data": data, "head": heads[4],
            "checkpoint_size": 6, "checkpoint_root": root, "refused": [{"name": what, "receipt": t} for what, t in refused]}


def tenant_v1():
    """An exported tenant, for the recipient of RFC 9180 A.1.1 and under that appendix's ephemeral key."""
    private = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    ephemeral = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
    recipient = hpke.public_key(private)
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    plaintext = bytes.fromhex("4265617574792069732074727574682c20747275746820626561757479")
    enc, sealed = hpke.seal(ephemeral, recipient, info, b"Count-0", plaintext)
    header = [t.HEADER, "shop", 1764000003000000, TENANT, "orchid", "UK", True, "SG", recipient]
    header_hash = f.sha256(f.cbor(header))
    records = [header]
    for kind, root in (("root", ROOT), ("index", bytes(range(0x60, 0x80)))):
        binding = header_hash + bytes([kind == "index"]) + (1).to_bytes(4, "big")
        records.append([t.KEY, kind, 1, *hpke.seal(ephemeral, recipient, b"aegis/tenant-key/1", binding, root)])
    committing = [(e, [t.KEY, "root", e, *hpke.seal(ephemeral, recipient, b"aegis/tenant-key/1",
                                                     header_hash + t.binding("root", e, 2, check), ROOT), 2, check])
                  for e, check in ((2, b""), (3, f.root_check(ROOT, TENANT)))]
    rows = [["018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708", "1", "12.50"], ["018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708", "2", None]]
    records.append([t.TABLE, "t.house", ["tenant_id", "uuid", "id", "integer", "rent", "numeric(10,2)"]])
    own = bytes(32)
    for row in rows:
        records.append([t.ROW, row])
        own = p.chain(own, f.cbor(records[-1]))
    records.append([t.TABLE_END, len(rows), own])
    ledger = [base64.b64decode(line) for line in bundle_v1()["bundle"][1]["lines"]]
    records += [[t.LEDGER, record] for record in ledger]
    chain = bytes(32)
    for record in records:
        chain = p.chain(chain, f.cbor(record))
    records.append([t.END, 2, 1, len(rows), len(ledger), chain])
    return {"hpke": {"private": private, "ephemeral": ephemeral, "recipient": recipient, "info": info, "aad": b"Count-0",
                     "plaintext": plaintext, "encapsulated": enc, "sealed": sealed},
            "committing": [{"epoch": e, "record": f.cbor(record), "root": ROOT} for e, record in committing],
            "roots": {"root": ROOT, "index": bytes(range(0x60, 0x80))}, "header_hash": header_hash, "chain": chain,
            "records": [f.cbor(record) for record in records],
            "lines": [p.bundle_line(record) for record in records]}


ALL = {"keys_v1": keys_v1, "envelope_v1": envelope_v1, "envelope_v1_committing": envelope_v1_committing, "entry_v1": entry_v1, "seal_v1": seal_v1,
       "session_token_v1": session_token_v1, "bundle_v1": bundle_v1, "proof_v1": proof_v1,
       "checkpoint_v1": checkpoint_v1, "cosignature_v1": witness.cosignature_v1, "anchor_v1": anchor.anchor_v1, "receipt_v1": receipt_v1, "tile_v1": tile.tile_v1,
       "tenant_v1": tenant_v1, "tenant_key_v1": keys.tenant_key_v1, "field_key_v1": keys.field_key_v1, "wrapped_keyring_v1": keys.wrapped_keyring_v1,
       "http_signature_v1": generate_http.http_signature_v1, "breached_v1": breached.breached_v1,
       "recovery_code_v1": credential.recovery_code_v1, "user_token_v1": credential.user_token_v1}


def text(name):
    about = {"format": name.replace("_v1", "-v1").replace("_", "-"),
             "about": "Byte strings are hexadecimal. Keys and nonces are published and for tests only."}
    return json.dumps({**about, **plain(ALL[name]())}, indent=1, ensure_ascii=True) + "\n"


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
    for name in ALL:
        with open(os.path.join(folder, name + ".json"), "w", encoding="ascii") as out:
            out.write(text(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
