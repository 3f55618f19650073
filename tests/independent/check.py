#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the independent implementation with the frozen vectors, in both directions. The unit tests
compare the C++ library with the same files, so that the two implementations agree byte for byte."""
import base64
import json
import os
import re
import sys

import aegis_anchor as a
import aegis_cipher
import aegis_format as f
import aegis_note as n
import aegis_proof as p
import aegis_hpke as hpke
import aegis_http as http
import aegis_receipt as r
import aegis_tenant as t
import aegis_tile as tiles
import wrapped_keyring as w
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


def agrees(what, function, *arguments):
    global checked
    checked += 1
    try:
        function(*arguments)
    except f.Refused as refused:
        sys.exit("%s: was refused: %s" % (what, refused))


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


def gcm():
    """Test cases 13 to 16 of McGrew and Viega's submission to NIST."""
    key = h("feffe9928665731c6d6a8f9467308308" * 2)
    plaintext = h("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
    ciphertext = ("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad")
    nonce = h("cafebabefacedbaddecaf888")
    same("GCM 13", aegis_cipher.gcm_seal(bytes(32), bytes(12), b"", b"").hex(), "530f8afbc74536b9a963b4f1c4cb738b")
    same("GCM 14", aegis_cipher.gcm_seal(bytes(32), bytes(12), b"", bytes(16)).hex(),
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    same("GCM 15", aegis_cipher.gcm_seal(key, nonce, b"", plaintext).hex(), ciphertext + "b094dac5d93471bdec1a502270e3cc6c")
    same("GCM 16", aegis_cipher.gcm_seal(key, nonce, h("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plaintext[:60]).hex(),
         ciphertext[:120] + "76fc6ece0f4e1768cddf8853bb2d551b")


def keys():
    vectors = load("keys_v1")
    for case in vectors["not_normalised"]:
        refuses(case["value"], f.NORMALISERS[case["normaliser"]], h(case["value"]))
    for case in vectors["wrapped_committing_root"]:
        arguments = (h(case["master"]), case["version"], h(case["salt"]), h(case["tenant"]), case["epoch"])
        same("committing root", f.unwrap_root(*arguments, h(case["wrapped"]), 2).hex(), case["root"])
        same("its check value", f.root_check(h(case["root"]), h(case["tenant"])).hex(), case["check_value"])
        refuses("committing root, as one of suite 1", f.unwrap_root, *arguments, h(case["wrapped"]))
    for case in vectors["wrapped_root"]:
        refuses("root of suite 1, as a committing one", f.unwrap_root, h(case["master"]), case["version"], h(case["salt"]),
                h(case["tenant"]), case["epoch"], h(case["wrapped"]), 2)
        arguments = (h(case["master"]), case["version"], h(case["salt"]), h(case["tenant"]),
                     case["epoch"])
        wrapped = h(case["wrapped"])
        same("wrapped root", f.unwrap_root(*arguments, wrapped).hex(), case["root"])
        for at in range(len(wrapped)):
            changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1:]
            refuses("wrapped root, byte %d" % at, f.unwrap_root, *arguments, changed)
        refuses("wrapped root, another version", f.unwrap_root, arguments[0], case["version"] + 1,
                *arguments[2:], wrapped)


def subjects():
    for case in load("keys_v1")["wrapped_subject"]:
        kek, name, wrapped = h(case["kek"]), h(case["name"]), h(case["wrapped"])
        same("wrapped subject", f.unwrap_subject(kek, name, case["generation"], wrapped).hex(), case["subject_root"])
        refuses("wrapped subject, another generation", f.unwrap_subject, kek, name, case["generation"] + 1, wrapped)
        refuses("wrapped subject, another name", f.unwrap_subject, kek, bytes(32), case["generation"], wrapped)
        refuses("wrapped subject, a root's size", f.unwrap_subject, kek, name, case["generation"], wrapped[:-1])
    refuses("empty subject", f.encode_subject, "text", "")


def envelopes():
    for suite, name in ((1, "envelope_v1"), (2, "envelope_v1_committing")):
        envelopes_of(suite, load(name))


def envelopes_of(suite, vectors):
    for case in vectors["valid"]:
        where = (h(case["tenant"]), h(case["subject"]), [h(p) for p in case["row"]])
        for form in ("envelope", "stripped"):
            same(case["name"], f.open_envelope(h(case["key"]), h(case[form]), *where, suite).hex(),
                 case["plaintext"])
        same(case["name"], f.from_armor(case["armor"]).hex(), case["envelope"])
        refuses(case["name"] + ", another tenant", f.open_envelope, h(case["key"]),
                h(case["envelope"]), generate.OTHER_TENANT, *where[1:], suite)
        refuses(case["name"] + ", the other suite", f.open_envelope, h(case["key"]), h(case["envelope"]), *where, 3 - suite)
    for case in vectors["malformed"]:
        refuses(case["name"], f.parse_envelope, h(case["envelope"]))
    for case in vectors["unopenable"]:
        f.parse_envelope(h(case["envelope"]))
        refuses(case["name"], f.open_envelope, h(case["key"]), h(case["envelope"]), h(case["tenant"]),
                b"", [], suite)


    for case in vectors.get("two_keys", []):
        for key, opened in zip(case["keys"], case["opened"] + [None]):
            if opened is None:
                refuses("another key", f.open_envelope, h(key), h(case["envelope"]), h(case["tenant"]), b"", [], case["suite"])
            else:
                same("one of two keys", f.open_envelope(h(key), h(case["envelope"]), h(case["tenant"]), b"", [], case["suite"]).hex(), opened)


def entries():
    vectors = load("entry_v1")
    for case in vectors["valid"]:
        body = h(case["body"])
        same(case["name"], f.cbor(f.read_entry(body)), body)
        for size in range(len(body)):
            refuses(case["name"] + ", truncated", f.read_entry, body[:size])
    for case in vectors["refused"]:
        refuses(case["name"], f.read_entry, h(case["body"]))
    for case in vectors["origins"]:
        same("origin", f.origin(case["fields"]), h(case["plaintext"]))
        same("origin, read", f.read_origin(h(case["plaintext"])), case["fields"])
    later = vectors["later_origin"]
    same("origin of a later writer", f.read_origin(h(later["plaintext"])), later["fields"])
    same("an origin that nobody claims", f.origin({"connection_address": "::1", "application_name": "psql"}), None)
    for plaintext in vectors["refused_origins"]:
        refuses("origin " + plaintext, f.read_origin, h(plaintext))


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


def http_requests():
    vectors = load("http_signature_v1")
    secret, published = h(vectors["secret"]), vectors["published"]
    same("RFC 9421 B.2.5", published["signature"], ":pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:")
    for case in vectors["outbound"]:
        request = {**case["request"], "content": h(case["request"]["content"])}
        same("outbound", http.outbound(request, "billing.1", secret, 1618884473, "b3k2pp5k7z-50gnwp.yemd", case.get("caller")), case["fields"])
        refuses("sent back", http.verify, {**request, "fields": case["fields"]}, secret)
    for case in vectors["valid"] + vectors["refused"]:
        request = {**case["request"], "content": h(case["request"]["content"])}
        if "base" not in case:
            refuses(case["name"], http.verify, request, secret)
            continue
        same(case["name"], http.base(request, *http.read(request)[:2]), case["base"])
        same(case["name"], http.verify(request, secret)["keyid"], "test-shared-secret")
        refuses("another secret", http.verify, request, secret[:-1])


def wrapped_keyrings():
    vectors = load("wrapped_keyring_v1")
    key = h(vectors["token_key"])
    for case in vectors["keyring"]:
        read = w.read(case["text"])
        same("versions", sorted(read), [k["version"] for k in case["keys"]])
        for k in case["keys"]:
            same("wrapped", read[k["version"]].hex(), k["wrapped"])
            same("master", w.unwrap(key, k["version"], h(k["wrapped"])).hex(), k["master"])
            refuses("another version", w.unwrap, key, k["version"] ^ 4, h(k["wrapped"]))
            refuses("a changed byte", w.unwrap, key, k["version"], h(k["wrapped"])[:-1] + b"\x00")
    for text in vectors["refused"]:
        refuses(text, w.read, text)


def bundles():
    vectors = load("bundle_v1")
    for case in vectors["bundle"]:
        text = "".join(line + "\n" for line in case["lines"]).encode()
        findings, number, last = p.check_bundle(text)
        same(case["name"], findings, [])
        same(case["name"] + ", last seal", "seal %d hash %s" % (number, last.hex()), case["kept"])
        same(case["name"] + ", statement", p.statement(p.read_bundle(text)[2][1], last).hex(), case["statement"])
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


def proofs():
    vectors = load("proof_v1")
    roots = {case["size"]: h(case["root"]) for case in vectors["root"]}
    for case in vectors["inclusion"]:
        agrees("inclusion", p.verify_inclusion, case["index"], case["size"], h(case["leaf"]), [h(v) for v in case["proof"]], roots[case["size"]])
    for case in vectors["consistency"]:
        agrees("consistency", p.verify_consistency, case["first"], case["second"], [h(v) for v in case["proof"]],
               roots[case["first"]], roots[case["second"]])
    for case in vectors["refused_inclusion"]:
        refuses("inclusion, " + case["name"], p.verify_inclusion, int(case["index"]), int(case["size"]), h(case["leaf"]),
                [h(v) for v in case["proof"]], h(case["root"]))
    for case in vectors["refused_consistency"]:
        refuses("consistency, " + case["name"], p.verify_consistency, int(case["first"]), int(case["second"]),
                [h(v) for v in case["proof"]], h(case["first_root"]), h(case["second_root"]))


def said_of(note, key):
    try:
        return "signed" if n.is_signed(n.read_note(note), key) else "unsigned"
    except f.Refused:
        return "refused"


def checkpoints():
    vectors = load("checkpoint_v1")
    key = n.read_note_key(vectors["vkey"])
    note = vectors["note"].encode()
    same("note", said_of(note, key), "signed")
    for at in range(0, len(note), 5):
        same("note, byte %d changed" % at, said_of(note[:at] + bytes([note[at] ^ 1]) + note[at + 1:], key) != "signed", True)
    index, proof, carried, _ = n.read_proof_file(vectors["proof_file"].encode())
    same("note of the proof file", carried, note)
    origin, size, root = n.read_checkpoint(n.read_note(carried)[0])
    same("origin", origin, key[0])
    agrees("proof file", p.verify_inclusion, index, size, f.merkle_leaf(h(vectors["entry"])), proof, root)
    known = n.read_note_key(vectors["known_key"])
    for case in vectors["notes"]:
        same("note, " + case["name"], said_of(h(case["note"]), known), case["result"])
    for text in vectors["keys"]:
        same("key", n.note_key(*(n.read_note_key(text)[i] for i in (0, 2, 3))), text)
    for text in vectors["refused_keys"]:
        refuses("key " + text, n.read_note_key, text)
    # RFC 8032 section 7.1, tests 1 to 3.
    for seed, public, message, signature in (
            ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
             "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
            ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
             "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
            ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
             "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")):
        same("Ed25519", [v.hex() for v in aegis_cipher.ed25519_sign(h(seed), h(message))], [public, signature])
        agrees("Ed25519", aegis_cipher.ed25519_verify, h(public), h(message), h(signature))
        refuses("Ed25519", aegis_cipher.ed25519_verify, h(public), h(message) + b"x", h(signature))


def cosignatures():
    v = load("cosignature_v1")
    keys = [n.read_note_key(text) for text in v["vkeys"]]
    log = n.read_note_key(v["log_vkey"])
    for case in v["taken"]:
        same("cosignature, " + case["name"], n.take_cosignature(v["text"], h(case["answer"]), keys[0]), (v["times"][0], v["lines"][0]))
    for case in v["refused"]:
        refuses("cosignature, " + case["name"], n.take_cosignature, v["text"], h(case["answer"]), keys[0])
    refuses("cosignature, by a key of signatures", n.take_cosignature, v["text"], v["lines"][0].encode(), log)
    note, lines = v["note"].encode(), "".join(v["lines"]).encode()
    same("with cosignatures", n.with_signatures(note, lines).decode(), v["cosigned"])
    same("with the same again", n.with_signatures(v["cosigned"].encode(), lines).decode(), v["cosigned"])
    same("cosigners", n.cosigners(v["cosigned"].encode(), keys), [0, 1])
    same("cosigners of the log's note", n.cosigners(note, keys), [])
    same("the log's signature stays", said_of(v["cosigned"].encode(), log), "signed")


def anchors():
    v = load("anchor_v1")
    log, note = n.read_note_key(v["log_vkey"]), v["note"].encode()
    same("anchored note", a.anchored_note(v["cosigned"].encode(), log), note)
    same("anchored note of itself", a.anchored_note(note, log), note)
    refuses("anchored note of another log", a.anchored_note, note, log[:1] + (b"0000",) + log[2:])
    same("name of an anchored note", a.anchor_name(note), v["name"])
    same("time stamp", a.open_stamp(h(v["response"]), note, h(v["authority"])), {"seconds": v["seconds"], "serial": v["serial"]})
    for case in v["refused"]:
        refuses("time stamp, " + case["name"], a.open_stamp, h(case["response"]), h(case["note"]), h(case["authority"]))


def tile_paths():
    v = load("tile_v1")
    for case in v["paths"]:
        kind = case["kind"] if case["kind"] == "entries" else int(case["kind"])
        same("path of a tile", tiles.path(kind, int(case["index"]), case["width"]), case["path"])
        same("tile of a path", tiles.read_path(case["path"]), (kind, int(case["index"]), case["width"]))
    for path in v["refused"]:
        refuses("path of a tile, " + repr(h(path)), tiles.read_path, h(path).decode())
    for case in v["widths"]:
        same("width of a tile", tiles.width_of(int(case["size"]), case["level"], int(case["index"])), case["width"])
    same("tile of entries", [entry.hex() for entry in tiles.read_entries(h(v["bundle"]), 3)], v["entries"])
    for bundle in v["refused_bundles"]:
        refuses("tile of entries", tiles.read_entries, h(bundle), 3)


def receipts():
    v = load("receipt_v1")
    text, key, origin, tenant = v["receipt"].encode(), v["vkey"], v["origin"], h(v["tenant"])
    same("receipt", r.check_receipt(text, key, origin, tenant)[9], ["invoice", "43"])
    same("extra", n.from_base64(n.read_proof_file(text)[3]).hex(), v["extra"])
    refuses("receipt, another origin", r.check_receipt, text, key, origin + "s", tenant)
    refuses("receipt, another tenant", r.check_receipt, text, key, origin, generate.OTHER_TENANT)
    for size in range(len(text)):
        refuses("receipt, first %d characters" % size, r.check_receipt, text[:size], key, origin)
    for case in v["refused"]:
        refuses(case["name"], r.check_receipt, case["receipt"].encode(), key, origin)


def tenants():
    v = load("tenant_v1")
    k = v["hpke"]
    same("hpke", hpke.open_sealed(h(k["private"]), h(k["encapsulated"]), h(k["info"]), h(k["aad"]), h(k["sealed"])).hex(), k["plaintext"])
    text = b"".join(line.encode() + b"\n" for line in v["lines"])
    bundle = t.read(text)
    same("chain", bundle["chain"].hex(), v["chain"])
    same("keys", {kind: root.hex() for (kind, _), root in t.open_keys(bundle, h(k["private"])).items()}, v["roots"])
    refuses("keys for somebody else", t.open_keys, bundle, h(k["ephemeral"]))
    for case in v["committing"]:
        record = f.cbor_read(h(case["record"]))
        for change in (record, record[:5], record[:6] + [bytes(8)], record[:2] + [case["epoch"] + 1] + record[3:]):
            one = {"header": bundle["header"], "header_hash": bundle["header_hash"], "keys": [change]}
            if change is record:
                same("committing key", t.open_keys(one, h(k["private"]))["root", case["epoch"]].hex(), case["root"])
            else:
                refuses("changed committing key", t.open_keys, one, h(k["private"]))
    agrees("log within", p.check_bundle, t.ledger_text(bundle))
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        refuses("without line %d" % i, t.read, b"".join(lines[:i] + lines[i + 1:]))
        refuses("line %d twice" % i, t.read, b"".join(lines[:i + 1] + lines[i:]))
        for bit in range(0, len(h(v["records"][i])) * 8, 7):
            changed = bytearray(h(v["records"][i]))
            changed[bit // 8] ^= 1 << bit % 8
            refuses("line %d, bit %d" % (i, bit), t.read, b"".join(lines[:i] + [base64.b64encode(changed) + b"\n"] + lines[i + 1:]))


def tenant_keys():
    v = load("tenant_key_v1")
    data = f.from_base64url(v["text"][4:])
    same("parts", (data[:32].hex(), data[32:64].hex(), data[64:].hex()), (v["recipient"], v["encapsulated"], v["sealed"]))
    root = hpke.open_sealed(h(v["private"]), data[32:64], b"aegis/tenant-root/1", h(v["tenant"]), data[64:])
    same("root", root.hex(), v["root"])
    same("check value", f.root_check(root, h(v["tenant"])).hex(), v["check_value"])
    refuses("another tenant", hpke.open_sealed, h(v["private"]), data[32:64], b"aegis/tenant-root/1", generate.OTHER_TENANT, data[64:])
    refuses("another use", hpke.open_sealed, h(v["private"]), data[32:64], b"aegis/tenant-key/1", h(v["tenant"]), data[64:])


def field_keys():
    v = load("field_key_v1")
    for case in v["keys"]:
        data = f.from_base64url(case["text"][4:])
        plain = hpke.open_sealed(h(v["private"]), data[:32], b"aegis/field-key/1", b"", data[32:])
        same("field key", plain.hex(), case["plain"])
        same("a value under it", f.open_envelope(plain[32:64], f.from_armor(case["armor"]), plain[16:32], b"", [], plain[1]).hex(), case["plaintext"])


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
        printed = re.findall(r"\b[0-9a-f]{16,}\b|\bags1_[\w-]{40,}|\bA1\.[\w-]{20,}|:[A-Za-z0-9+/]{40,}={0,2}:", text)
        same(page + " prints vectors", len(printed) >= 4, True)
        for value in printed:
            same("%s: %s..." % (page, value[:32]), value in known, True)


def main():
    for part in (gcm, xaes, keys, subjects, envelopes, entries, seals, tokens, http_requests, wrapped_keyrings, bundles, proofs, checkpoints, cosignatures, anchors, tile_paths, receipts, tenants, tenant_keys, field_keys, documents):
        part()
    print("%d checks agree" % checked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
