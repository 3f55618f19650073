# SPDX-License-Identifier: Apache-2.0
"""Vectors of keys that change hands: from a token, from a tenant, to an application."""
import aegis_format as f
import aegis_hpke as hpke
import wrapped_keyring as w
from published import MASTER, ROOT, TENANT, nonce


def wrapped_keyring_v1():
    keys = {1: MASTER, 2: bytes(range(0x80, 0xA0)), 2147483647: bytes(range(0xA0, 0xC0))}
    wrapped = {v: w.wrap(ROOT, v, nonce(v % 251)[:12], key) for v, key in keys.items()}
    line = "1:" + wrapped[1].hex()
    text = "# wrapped by key \"aegis\"\n\n" + "".join(" %d:%s\r\n" % (v, b.hex()) for v, b in sorted(wrapped.items(), reverse=True))
    return {
        "token_key": ROOT,
        "keyring": [{"text": text, "keys": [{"version": v, "context": w.context(v), "wrapped": wrapped[v], "master": keys[v]} for v in sorted(keys)]}],
        "refused": ["", "# nothing\n", wrapped[1].hex(), line[:-1], line + "0", line[:-1] + "g", "0" + line, "0:" + wrapped[1].hex(),
                    "2147483648:" + wrapped[1].hex(), line + "\n" + line, "1=" + wrapped[1].hex(), "1: " + wrapped[1].hex(),
                    "1:" + MASTER.hex(), "".join("%d:%s\n" % (v, wrapped[1].hex()) for v in range(1, 10)), line + "\x00", "\u00ef\u00bb\u00bf" + line],
    }


def tenant_key_v1():
    """A tenant's own root, sealed for the database of RFC 9180 A.1.1 under that appendix's ephemeral key."""
    private = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    ephemeral = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
    recipient, root = hpke.public_key(private), f.sha256(b"a root that a tenant drew")
    encapsulated, sealed = hpke.seal(ephemeral, recipient, b"aegis/tenant-root/1", TENANT, root)
    return {"private": private, "recipient": recipient, "tenant": TENANT, "root": root, "check_value": f.root_check(root, TENANT),
            "encapsulated": encapsulated, "sealed": sealed, "text": f.brought_key(recipient, encapsulated, sealed)}


def field_key_v1():
    """Keys of a field for the application of RFC 9180 A.1.1, one of each suite, and what it must refuse."""
    private = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    ephemeral = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
    recipient, email, type_reference = hpke.public_key(private), f.field_reference("customer.email"), f.type_reference("sealed_email")
    key = f.derive_key(ROOT, b"", "encrypt", TENANT, 1, email)
    index_key = f.derive_key(bytes(range(0x60, 0x80)), b"", "blind_index", TENANT, 1, type_reference)

    def text(plain, info=b"aegis/field-key/1"):
        return "AF1." + f.base64url(b"".join(hpke.seal(ephemeral, recipient, info, b"", plain)))

    keys = []
    for suite, searchable in ((1, True), (1, False), (2, True)):
        plain = f.field_key(suite, 1, int(searchable), 1, email, type_reference if searchable else 0, TENANT, key, index_key if searchable else b"")
        token = f.search_token(index_key, b"bob@example.com") if searchable else b""
        envelope = f.seal_envelope(key, 1, f.TOKEN if searchable else 0, TENANT, b"", [], 1, email, token, nonce(0x70 + len(keys)), b"bob@example.com", suite)
        keys.append({"suite": suite, "plain": plain, "text": text(plain), "armor": f.armor(envelope), "plaintext": b"bob@example.com"})
    good = keys[0]["plain"]
    refused = [("version 2", text(b"\x02" + good[1:])), ("suite 3", text(good[:1] + b"\x03" + good[2:])), ("type 2", text(good[:2] + b"\x02" + good[3:])),
               ("not searchable, with an index key", text(good[:3] + b"\x00" + good[4:])), ("no index key", text(good[:64])),
               ("a byte more", text(good + b"\x00")), ("epoch 0", text(good[:4] + bytes(4) + good[8:])),
               ("another use", text(good, b"aegis/tenant-root/1")), ("another prefix", "AT1." + keys[0]["text"][4:]), ("nothing", "AF1.")]
    return {"private": private, "recipient": recipient, "keys": keys, "refused": [{"name": name, "text": value} for name, value in refused]}
