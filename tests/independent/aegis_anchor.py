# SPDX-License-Identifier: Apache-2.0
"""anchor-v1 (what is anchored of a checkpoint; time stamps of RFC 3161), written a second time from docs/format/. DER and RSA are
done here by hand; authorities with other keys than RSA, or with others between them and the stamp, are not read."""
import base64
import calendar
import re
import time

import aegis_format as f
import aegis_note as n
from aegis_cipher import Refused

INTEGER, BITS, OCTETS, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
SIGNED_DATA, TST_INFO = "2a864886f70d010702", "2a864886f70d0109100104"
SHA256, RSA, RSA_SHA256 = "608648016503040201", "2a864886f70d010101", "2a864886f70d01010b"
CONTENT_TYPE, MESSAGE_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
SIGNING_CERTIFICATE = "2a864886f70d010910022f"     # version 2
EXTENDED_KEY_USAGE, TIME_STAMPING = "551d25", "2b06010505070308"
PADDED_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def anchored_note(note, log):
    """The note with the log's signature alone."""
    read = n.read_note(note)
    if not n.is_signed(read, log):
        raise Refused("not signed by the log")
    text = note[:note.rindex(b"\n\n") + 1]
    for line in note[len(text) + 1:].decode().splitlines():
        _, name, data = line.split(" ")
        if name == log[0] and n.from_base64(data)[:4] == log[1]:
            return text + b"\n" + line.encode() + b"\n"
    raise Refused("not signed by the log")


def digest_of(note):
    return f.sha256(note)


def anchor_name(note):
    origin, size = note.decode().split("\n")[:2]
    return "%s.%020d.checkpoint" % (f.sha256(origin.encode()).hex(), int(size))


# --- DER -----------------------------------------------------------------------------------------

def take(data):
    """(tag, content, whole element, rest)"""
    if len(data) < 2:
        raise Refused("end of DER")
    length, at = data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            raise Refused("length in DER")
        length, at = int.from_bytes(data[2:2 + count], "big"), 2 + count
    if len(data) < at + length:
        raise Refused("end of DER")
    return data[0], data[at:at + length], data[:at + length], data[at + length:]


def items(data):
    found = []
    while data:
        tag, content, whole, data = take(data)
        found.append((tag, content, whole))
    return found


def whole(data, tag):
    got, content, _, rest = take(data)
    if got != tag or rest:
        raise Refused("DER")
    return content


def need(elements, at, tag):
    if at >= len(elements) or elements[at][0] != tag:
        raise Refused("shape of DER")
    return elements[at][1]


def algorithm(element):
    return need(items(element), 0, OID).hex()


# --- certificates and stamps -----------------------------------------------------------------------

def rsa_verifies(key, signature, message):
    modulus, exponent = key
    size = (modulus.bit_length() + 7) // 8
    padded = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    tail = PADDED_SHA256 + f.sha256(message)
    return padded == b"\0\1" + b"\xff" * (size - len(tail) - 3) + b"\0" + tail


def seconds(tag, text):
    text = text.decode("ascii")
    year = "%Y%m%d%H%M%SZ"
    if tag == 0x17:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    try:
        return calendar.timegm(time.strptime(re.sub(r"\.[0-9]+Z", "Z", text), year))
    except ValueError:
        raise Refused("time") from None


def certificate(der):
    outer = items(whole(der, SEQUENCE))
    body, signature = outer[0][2], need(outer, 2, BITS)[1:]
    if algorithm(need(outer, 1, SEQUENCE)) != RSA_SHA256:
        raise Refused("algorithm of a certificate")
    parts = items(outer[0][1])
    serial = need(parts, 1, INTEGER)
    dates = [seconds(tag, text) for tag, text, _ in items(need(parts, 4, SEQUENCE))]
    key = items(need(parts, 6, SEQUENCE))
    if algorithm(need(key, 0, SEQUENCE)) != RSA:
        raise Refused("key of a certificate")
    numbers = items(whole(need(key, 1, BITS)[1:], SEQUENCE))
    usages = []
    for tag, content, _ in parts[7:]:
        for _, extension, _ in items(whole(content, SEQUENCE)) if tag == 0xA3 else []:
            members = items(extension)
            if members[0][1].hex() == EXTENDED_KEY_USAGE and members[1][1] == b"\xff":
                usages = [usage.hex() for _, usage, _ in items(whole(members[2][1], SEQUENCE))]
    return {"der": der, "body": body, "signature": signature, "serial": serial, "issuer": parts[3][2], "subject": parts[5][2],
            "from": dates[0], "to": dates[1], "key": tuple(int.from_bytes(c, "big") for _, c, _ in numbers), "usages": usages}


def authorities_of(pem):
    found = [certificate(base64.b64decode(block)) for block in
             re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem.decode("ascii"), re.S)]
    if not found:
        raise Refused("no authority")
    return found


def stamp_of(response):
    """(TSTInfo, certificates, the one SignerInfo)"""
    outer = items(whole(response, SEQUENCE))
    if need(items(need(outer, 0, SEQUENCE)), 0, INTEGER) not in (b"\0", b"\1"):
        raise Refused("nothing granted")
    token = items(need(outer, 1, SEQUENCE))
    if need(token, 0, OID).hex() != SIGNED_DATA:
        raise Refused("kind of a token")
    signed = items(whole(need(token, 1, 0xA0), SEQUENCE))
    content = items(need(signed, 2, SEQUENCE))
    if need(content, 0, OID).hex() != TST_INFO:
        raise Refused("content of a token")
    certificates = [certificate(c) for tag, cs, _ in signed if tag == 0xA0 for _, _, c in items(cs)]
    signers = items(need(signed, len(signed) - 1, SET))
    if len(signers) != 1:
        raise Refused("signers of a token")
    return whole(need(content, 1, 0xA0), OCTETS), certificates, items(signers[0][1])


def open_stamp(response, note, pem):
    """What an authority says of the note: its time and the number of the stamp."""
    authorities = authorities_of(pem)
    info, certificates, signer = stamp_of(response)
    said = items(whole(info, SEQUENCE))
    imprint = items(need(said, 2, SEQUENCE))
    if algorithm(need(imprint, 0, SEQUENCE)) != SHA256 or need(imprint, 1, OCTETS) != digest_of(note):
        raise Refused("over something else")
    when = seconds(0x18, need(said, 4, 0x18))
    issuer, serial = items(need(signer, 1, SEQUENCE))
    signing = [c for c in certificates if c["issuer"] == issuer[2] and c["serial"] == serial[1]]
    if len(signing) != 1 or signing[0]["usages"] != [TIME_STAMPING] or not signing[0]["from"] <= when <= signing[0]["to"]:
        raise Refused("certificate of the signer")
    own = signing[0]
    if not any(a["subject"] == own["issuer"] and a["from"] <= when <= a["to"] and rsa_verifies(a["key"], own["signature"], own["body"])
               for a in authorities):
        raise Refused("of no authority that is trusted")
    attributes = {items(whole(a, SEQUENCE))[0][1].hex(): items(items(whole(a, SEQUENCE))[1][1])
                  for _, _, a in items(need(signer, 3, 0xA0))}
    if attributes.get(CONTENT_TYPE, [(0, b"")])[0][1].hex() != TST_INFO or \
            attributes.get(MESSAGE_DIGEST, [(0, b"")])[0][1] != f.sha256(info):
        raise Refused("attributes of the signer")
    # SigningCertificateV2 with its default, SHA-256: the certificate cannot be exchanged for another of the same key.
    known = items(items(items(attributes[SIGNING_CERTIFICATE][0][1])[0][1])[0][1]) if SIGNING_CERTIFICATE in attributes else []
    if not known or known[0][:2] != (OCTETS, f.sha256(own["der"])):
        raise Refused("certificate that was signed with")
    message = b"\x31" + signer[3][2][1:]
    if algorithm(need(signer, 2, SEQUENCE)) != SHA256 or not rsa_verifies(own["key"], need(signer, 5, OCTETS), message):
        raise Refused("signature")
    return {"seconds": when, "serial": need(said, 3, INTEGER).hex()}
