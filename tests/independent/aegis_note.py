# SPDX-License-Identifier: Apache-2.0
"""checkpoint-v1 (C2SP signed-note, tlog-checkpoint, tlog-proof), written a second time from docs/format/."""
import base64
import binascii
import re
import unicodedata

import aegis_format as f
from aegis_cipher import Refused, ed25519_sign, ed25519_verify

ED25519, COSIGNATURE = 1, 4
PROOF_FILE = "c2sp.org/tlog-proof@v1"
OTHER_SPACES = "\u0085\u2028\u2029"     # White_Space, but not of category Zs


def from_base64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Refused("base64 in another spelling")
    return data


def to_base64(data):
    return base64.b64encode(data).decode()


def check_name(name):
    if not 1 <= len(name.encode()) <= 255 or any(
            ord(c) < 0x21 or c in "+\x7f" or c in OTHER_SPACES or unicodedata.category(c) == "Zs" for c in name):
        raise Refused("name")
    return name


# --- keys ----------------------------------------------------------------------------------------

def key_id(name, kind, public):
    return f.sha256(name.encode(), b"\n", bytes([kind]), public)[:4]


def note_key(name, kind, public):
    return "%s+%s+%s" % (name, key_id(name, kind, public).hex(), to_base64(bytes([kind]) + public))


def read_note_key(text):
    """(name, id, type, public key)"""
    parts = text.split("+", 2)
    if len(parts) != 3 or not re.fullmatch("[0-9a-fA-F]{8}", parts[1]):
        raise Refused("shape of a key")
    name, data = check_name(parts[0]), from_base64(parts[2])
    if len(data) != 33 or data[0] not in (ED25519, COSIGNATURE):
        raise Refused("key")
    identity = key_id(name, data[0], data[1:])
    if identity.hex() != parts[1].lower():
        raise Refused("id of a key")
    return name, identity, data[0], data[1:]


# --- notes ---------------------------------------------------------------------------------------

def checkpoint(origin, size, root):
    return "%s\n%d\n%s\n" % (origin, size, to_base64(root))


def signature_line(text, name, seed):
    public, signature = ed25519_sign(seed, text.encode())
    return "\u2014 %s %s\n" % (name, to_base64(key_id(name, ED25519, public) + signature))


def signed_note(text, name, seed):
    return text + "\n" + signature_line(text, name, seed)


def read_note(data):
    """(text, [(name, id, signature)]) of the bytes of a note"""
    if len(data) > 1 << 20:
        raise Refused("length")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    end = whole.rfind("\n\n")
    text, rest = whole[:end + 1], whole[end + 2:]
    if end < 0 or any(c < " " and c != "\n" for c in text) or not rest.endswith("\n"):
        raise Refused("shape of a note")
    signatures = []
    for line in rest[:-1].split("\n"):
        found = re.fullmatch("\u2014 ([^ ]*) (.*)", line)
        if not found:
            raise Refused("line of a signature")
        signature = from_base64(found[2])
        if len(signature) < 5:
            raise Refused("length of a signature")
        signatures.append((check_name(found[1]), signature[:4], signature[4:]))
    if len(signatures) > 64:
        raise Refused("number of signatures")
    return text, signatures


def is_signed(note, key):
    """False when the note has no signature of this key; refuses one that does not verify."""
    text, signatures = note
    name, identity, kind, public = key
    for its_name, its_identity, signature in signatures:
        if (its_name, its_identity) != (name, identity):
            continue
        message = text.encode()
        if kind == COSIGNATURE:
            if len(signature) != 72:
                raise Refused("length of a cosignature")
            message = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + message
            signature = signature[8:]
        ed25519_verify(public, message, signature)
        return True
    return False


# --- cosignature-v1 ------------------------------------------------------------------------------

def cosignature_line(text, name, seed, time):
    public, signature = ed25519_sign(seed, b"cosignature/v1\ntime %d\n" % time + text.encode())
    return "\u2014 %s %s\n" % (name, to_base64(key_id(name, COSIGNATURE, public) + time.to_bytes(8, "big") + signature))


def take_cosignature(text, answer, key):
    """(time, line) of this key among the lines of a witness's answer"""
    if key[2] != COSIGNATURE or len(answer) > 4096 or b"\n\n" in answer or answer.startswith(b"\n"):
        raise Refused("not an answer of this witness")
    note = read_note(text.encode() + b"\n" + answer)
    if not is_signed(note, key):
        raise Refused("not cosigned")
    data = next(data for name, identity, data in note[1] if (name, identity) == key[:2])
    return int.from_bytes(data[:8], "big"), "\u2014 %s %s\n" % (key[0], to_base64(key[1] + data))


def with_signatures(note, lines):
    """The bytes of the note with those of the lines whose name and id it has not got yet"""
    if not lines:
        return note
    text, own = read_note(note)
    known = {signature[:2] for signature in own}
    return note + "".join("\u2014 %s %s\n" % (name, to_base64(identity + data)) for name, identity, data
                          in read_note(text.encode() + b"\n" + lines)[1] if (name, identity) not in known).encode()


def cosigners(note, keys):
    """Places of the keys that cosigned the bytes of a note; refuses a cosignature that does not verify"""
    read = read_note(note)
    return [at for at, key in enumerate(keys) if is_signed(read, key)]


def add_checkpoint(old, proof, note):
    return ("old %d\n%s\n%s" % (old, "".join(to_base64(h) + "\n" for h in proof), note)).encode()


def read_number(text):
    if not re.fullmatch("0|[1-9][0-9]{0,19}", text) or not text.isascii() or int(text) >= 1 << 64:
        raise Refused("number")
    return int(text)


def read_checkpoint(text):
    """(origin, size, root)"""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "" or lines[0] == "" or "\0" in lines[0]:
        raise Refused("lines of a checkpoint")
    size, root = read_number(lines[1]), from_base64(lines[2])
    if len(root) != 32 or (size == 0 and root != f.merkle_root([])):
        raise Refused("root")
    return lines[0], size, root


# --- proof files ---------------------------------------------------------------------------------

def proof_file(index, proof, note, extra=None):
    return "%s\n%sindex %d\n%s\n%s" % (PROOF_FILE, "" if extra is None else "extra %s\n" % to_base64(extra), index,
                                      "".join(to_base64(p) + "\n" for p in proof), note)


def read_proof_file(data):
    """(index, proof, bytes of the note, text behind "extra " or None)"""
    head, blank, note = data.partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    if not blank or lines.pop(0) != PROOF_FILE:
        raise Refused("not a proof file")
    extra = lines.pop(0)[6:] if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise Refused("no index")
    index = read_number(lines.pop(0)[6:])
    proof = [from_base64(line) for line in lines]
    if len(proof) > 64 or any(len(p) != 32 for p in proof):
        raise Refused("hashes of a proof")
    return index, proof, note, extra
