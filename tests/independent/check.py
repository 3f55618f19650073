#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the independent implementation with the frozen vectors, in both directions. The unit tests
compare the C++ library with the same files, so that the two implementations agree byte for byte."""
import json
import os
import re
import sys

import aegis_cipher
import aegis_format as f
import aegis_proof as p
import generate

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
checked = 0


def same(what, got, expected):
    global checked
    checked += 1
    if got != expected:
        sys.exit("%s: got %r, expected %r" % (what, got, expected))


def refuses(what, function, *arguments):
    global checked
    checked += 1
    try:
        function(*arguments)
    except f.Refused:
        return
    sys.exit("%s: was not refused" % what)


def load(name):
    with open(os.path.join(FOLDER, name + ".json"), encoding="ascii") as file:
        text = file.read()
    same(name + ".json as it would be generated", generate.text(name), text)
    return json.loads(text)


def h(text):
    return bytes.fromhex(text)


def xaes():
    name = b"XAES-256-GCM"
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    same("XAES vector 1", aegis_cipher.xaes_seal(b"\x01" * 32, letters, b"", name).hex(),
         "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271")
    same("XAES vector 2", aegis_cipher.xaes_seal(b"\x03" * 32, letters, b"c2sp.org/XAES-256-GCM", name).hex(),
         "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d")
    same("XAES accumulated", aegis_cipher.xaes_accumulated(10000).hex(),
         "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939")


def keys():
    for case in load("keys_v1")["wrapped_root"]:
        arguments = (h(case["master"]), case["version"], h(case["salt"]), h(case["tenant"]),
                     case["epoch"])
        wrapped = h(case["wrapped"])
        same("wrapped root", f.unwrap_root(*arguments, wrapped).hex(), case["root"])
        for at in range(len(wrapped)):
            changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1:]
            refuses("wrapped root, byte %d" % at, f.unwrap_root, *arguments, changed)
        refuses("wrapped root, another version", f.unwrap_root, arguments[0], case["version"] + 1,
                *arguments[2:], wrapped)


def envelopes():
    vectors = load("envelope_v1")
    for case in vectors["valid"]:
        where = (h(case["tenant"]), h(case["subject"]), [h(p) for p in case["row"]])
        for form in ("envelope", "stripped"):
            same(case["name"], f.open_envelope(h(case["key"]), h(case[form]), *where).hex(),
                 case["plaintext"])
        same(case["name"], f.from_armor(case["armor"]).hex(), case["envelope"])
        refuses(case["name"] + ", another tenant", f.open_envelope, h(case["key"]),
                h(case["envelope"]), generate.OTHER_TENANT, *where[1:])
    for case in vectors["malformed"]:
        refuses(case["name"], f.parse_envelope, h(case["envelope"]))
    for case in vectors["unopenable"]:
        f.parse_envelope(h(case["envelope"]))
        refuses(case["name"], f.open_envelope, h(case["key"]), h(case["envelope"]), h(case["tenant"]),
                b"", [])


def entries():
    vectors = load("entry_v1")
    for case in vectors["valid"]:
        body = h(case["body"])
        same(case["name"], f.cbor(f.read_entry(body)), body)
        for size in range(len(body)):
            refuses(case["name"] + ", truncated", f.read_entry, body[:size])
    for case in vectors["refused"]:
        refuses(case["name"], f.read_entry, h(case["body"]))


def seals():
    vectors = load("seal_v1")
    previous = bytes(32).hex()
    for case in vectors["chain"]:
        fields = f.read_seal(h(case["seal"]))
        same("previous", fields["previous"].hex(), previous)
        same("seal", f.seal(fields).hex(), case["seal"])
        previous = f.sha256(h(case["seal"])).hex()
        same("hash", previous, case["hash"])
    for case in vectors["refused"]:
        refuses(case["name"], f.read_seal, h(case["seal"]))


def tokens():
    vectors = load("session_token_v1")
    for case in vectors["valid"]:
        same("token", f.read_session_token(case["token"]),
             (case["region"].replace("_", "-"), h(case["random"])))
    for token in vectors["refused"]:
        refuses(token, f.read_session_token, token)


def bundles():
    vectors = load("bundle_v1")
    for case in vectors["bundle"]:
        text = "".join(line + "\n" for line in case["lines"]).encode()
        findings, number, last = p.check_bundle(text)
        same(case["name"], findings, [])
        same(case["name"] + ", last seal", "seal %d hash %s" % (number, last.hex()), case["kept"])
        for line, record in zip(case["lines"], case["records"]):
            same(case["name"] + ", line", p.bundle_record(line.encode())[1].hex(), record)
        for at in range(0, len(text), 3):
            changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1:]
            try:
                found = p.check_bundle(changed)[0]
            except f.Refused:
                found = ["refused"]
            same("%s, byte %d changed" % (case["name"], at), found != [], True)
    for case in vectors["refused"]:
        refuses(case["name"], p.bundle_record, p.base64.b64encode(h(case["record"])))


def documents():
    """What docs/format/ prints as a vector stands in the vector files."""
    known = ""
    for name in generate.ALL:
        with open(os.path.join(FOLDER, name + ".json"), encoding="ascii") as file:
            known += file.read()
    folder = os.path.join(FOLDER, "..", "..", "docs", "format")
    for page in sorted(os.listdir(folder)):
        with open(os.path.join(folder, page), encoding="utf-8") as file:
            text = re.sub(r"(?<=[0-9a-f])\n +(?=[0-9a-f])", "", file.read())  # rejoin long values
        printed = re.findall(r"\b[0-9a-f]{16,}\b|\bags1_[\w-]{40,}|\bA1\.[\w-]{20,}", text)
        same(page + " prints vectors", len(printed) >= 4, True)
        for value in printed:
            same("%s: %s..." % (page, value[:32]), value in known, True)


def main():
    for part in (xaes, keys, envelopes, entries, seals, tokens, bundles, documents):
        part()
    print("%d checks agree" % checked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
