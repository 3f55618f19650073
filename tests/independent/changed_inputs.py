# SPDX-License-Identifier: Apache-2.0
"""Inputs for differential.py: values of every format, made at random or taken from the vectors, and changed in bytes and in
structure. A structural change keeps what would hide it: lengths, heads, hashes, counts and signatures are made to fit again."""
import json
import os
import struct

import aegis_format as f
import aegis_note as n
import aegis_proof as p

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
SEED = bytes(range(0x40, 0x60))
ORIGIN = "fuzz.example/log"
KEY = n.note_key(ORIGIN, 1, n.ed25519_sign(SEED, b"")[0])
TENANT, OTHER = bytes.fromhex("018f2b6c7d8e7f0091a2b3c4d5e6f708"), bytes.fromhex("018f2b6c7d8e7f0091a2b3c4d5e6f709")
NUMBERS = [0, 1, 2, 3, 22, 23, 24, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1,
           -1, -24, -25, -256, -2**31, -2**63, -2**63 - 1, -2**64]
TEXTS = ["", "a", "I", "U", "T", "\0", "a\0b", "\u00e9", "\u2028", "\U0001F600", "x" * 23, "x" * 24, "aegis/entry/1", "aegis/entry/2", "A1."]
BYTES = [b"", b"\0", bytes(15), bytes(16), bytes(17), bytes(31), bytes(32), bytes(33), b"\xff" * 32]


def vectors(name):
    with open(os.path.join(FOLDER, name + ".json"), encoding="ascii") as file:
        return json.load(file)


def h(text):
    return bytes.fromhex(text)


def loose_cbor(value, random):
    """As f.cbor, but now and then not deterministic, or not CBOR of this kind."""
    def head(major, number):
        if number >= 1 << 64:
            raise f.Refused("number")
        widths = [w for w in (0, 1, 2, 4, 8) if number < (24 if w == 0 else 1 << 8 * w)]
        width = random.choice(widths) if random.random() < 0.1 else widths[0]
        return bytes([major << 5 | ({1: 24, 2: 25, 4: 26, 8: 27}[width] if width else number)]) + (
            number.to_bytes(width, "big") if width else b"")
    if random.random() < 0.02:
        return random.choice([b"\xf7", b"\xf9\x3c\x00", b"\xc1\x01", b"\xf8\x20", b"\x9f\xff", b"\xbf\xff", b"\x5f\xff", b"\xe0", b"\x1c"])
    if isinstance(value, dict):
        pairs = [(f.cbor(k), loose_cbor(v, random)) for k, v in value.items()]
        pairs.sort()
        if random.random() < 0.1:
            random.shuffle(pairs)
        if pairs and random.random() < 0.1:
            pairs.append(pairs[-1])
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(loose_cbor(v, random) for v in value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bool) or value is None:
        return f.cbor(value)
    return head(0, value) if value >= 0 else head(1, -1 - value)


class Inputs:
    def __init__(self, random):
        self.random = random

    # --- changes ----------------------------------------------------------------------------------

    def bytes_changed(self, data):
        """One to three small changes."""
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            at, end = self.random.randrange(len(data) + 1), self.random.randrange(len(data) + 1)
            how = self.random.randrange(8)
            if how <= 1 and at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1:]
            elif how == 2 and at < len(data):
                data = data[:at] + bytes([self.random.randrange(256)]) + data[at + 1:]
            elif how == 3:
                data = data[:at] + data[at + 1:]
            elif how == 4:
                data = data[:at] + bytes([self.random.choice(b"\0\n\r\t +=/-_A0 \xc3\xa9\x80")]) + data[at:]
            elif how == 5:
                data = data[:at]
            elif how == 6 and at < end <= at + 64:
                data = data[:end] + data[at:end] + data[end:]
            elif how == 7 and at < end <= at + 64:
                data = data[:at] + data[end:]
        return data

    def lines_changed(self, data):
        lines = data.split(b"\n")
        at, other = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        how = self.random.randrange(6)
        if how == 0:
            lines[at], lines[other] = lines[other], lines[at]
        elif how == 1:
            lines.insert(at, lines[other])
        elif how == 2:
            lines.pop(at)
        elif how == 3:
            lines.insert(at, b"")
        elif how == 4:
            lines[at] = self.bytes_changed(lines[at])
        else:
            lines[at] += self.random.choice([b" ", b"\r", b"=", b"A", b"\t"])
        return b"\n".join(lines)

    def leaf_value(self):
        return self.random.choice([self.random.choice(NUMBERS), self.random.choice(TEXTS), self.random.choice(BYTES), True, False, None, [], {}, [1], {"a": 1}])

    def value_changed(self, value):
        """A value of CBOR with one part of it changed."""
        if isinstance(value, (list, dict)) and value and self.random.random() < 0.85:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            key = self.random.choice(keys)
            out = dict(value) if isinstance(value, dict) else list(value)
            how = self.random.random()
            if how < 0.1:
                out.pop(key)
            elif how < 0.2 and isinstance(out, dict):
                out[self.random.choice([self.random.randrange(16), "a", "bb", b"c", -1, 2**40])] = self.leaf_value()
            elif how < 0.2:
                out.insert(key, self.random.choice([out[key], self.leaf_value()]))
            elif how < 0.25 and isinstance(out, dict):
                out[self.random.choice([0, 1, 5, "z", b"z"])] = out.pop(key)
            else:
                out[key] = self.value_changed(out[key])
            return out
        how = self.random.random()
        if isinstance(value, int) and not isinstance(value, bool) and how < 0.5:
            return self.random.choice([value + 1, value - 1, self.random.choice(NUMBERS)])
        if isinstance(value, (bytes, str)) and value and how < 0.3:
            return value[:-1] if how < 0.15 else value + value[:1]
        if isinstance(value, bytes) and value and how < 0.6:
            return self.bytes_changed(value)
        return self.leaf_value()

    def encoded(self, value):
        return f.cbor(value) if self.random.random() < 0.9 else loose_cbor(value, self.random)

    # --- formats ----------------------------------------------------------------------------------

    def structures(self, kind, values, count):
        """Values of CBOR as they are, with changed parts, and with changed bytes."""
        for value in values:
            yield kind, [f.cbor(value)]
        for _ in range(count):
            value = self.random.choice(values)
            for _ in range(self.random.choice((1, 1, 2, 3))):
                value = self.value_changed(value)
            try:
                yield kind, [self.encoded(value)]
            except f.Refused:
                continue     # a number that CBOR does not have
            yield kind, [self.bytes_changed(f.cbor(self.random.choice(values)))]

    def changed(self, kind, bases, count, *others):
        """Bytes as they are, and changed."""
        for base in bases:
            yield (kind, [base, *others])
        for _ in range(count):
            how = self.lines_changed if self.random.random() < 0.4 else self.bytes_changed
            yield (kind, [how(self.random.choice(bases)), *others])

    def random_bundle(self):
        """Records of a bundle that holds, of a few seals, logs and entries; a fifth of one tenant's."""
        r = self.random
        tenants = [None, TENANT, OTHER][:r.randrange(1, 4)]
        only = r.choice([t for t in tenants if t]) if len(tenants) > 1 and r.random() < 0.3 else None
        count = r.randrange(0, 5)
        records = [["aegis/bundle/1", r.choice(["shop", "", "\u00fc"]), r.choice([0, -1, 1764000000000000]), only, count]]
        logs, root_log, previous, seq, epoch = {}, [], bytes(32), r.randrange(-3, 5), 1
        fault = r.choice([None, None, "epoch", "later entry", "order", "two heads", "two logs", "another tenant"])   # of some seal

        def faulty(which):
            return fault == which and r.random() < 0.3
        for number in range(1, count + 1):
            of_seal, entries = [], 0
            epoch += r.choice((0, 0, 1)) - 2 * faulty("epoch")
            epoch = max(epoch, 0)
            for tenant in r.sample(tenants, r.randrange(1, len(tenants) + 1)) + (tenants[:1] if faulty("two heads") else []):
                name = (tenant or b"") + (b"x" if faulty("two logs") else b"")
                log_id, leaves = f.sha256(b"log of ", name), logs.setdefault(name, [])
                own = []
                for _ in range(r.randrange(1, 4)):
                    seq += r.randrange(1, 4) - 4 * faulty("order")
                    of = OTHER if faulty("another tenant") else tenant
                    body = f.cbor({0: "aegis/entry/1", 1: epoch + faulty("later entry"), 3: "a.b", 4: seq, 5: 0, **({2: of} if of else {})})
                    leaves.append(f.merkle_leaf(body))
                    own.append([p.ENTRY, seq, leaves[-1], body])
                root = f.merkle_root(leaves)
                root_log.append(f.merkle_leaf(f.head_leaf_data(log_id, len(leaves), root)))
                entries += len(own)
                of_seal += [[p.OTHER_HEAD, root_log[-1]]] if only not in (None, tenant) else [[p.HEAD, log_id, tenant, len(leaves), root, len(own)]] + own
            body = f.seal({"epoch": epoch, "number": number, "unix_micros": number, "entries": entries, "root_size": len(root_log),
                           "root": f.merkle_root(root_log), "previous": previous, "snapshot": "7:8:", "wal_position": number})
            previous = f.sha256(body)
            records += [[p.SEAL, body]] + of_seal
        return records

    def ended(self, records):
        """The records with an end that counts them."""
        running, counts = bytes(32), [0, 0, 0]
        for record in records:
            running = p.chain(running, f.cbor(record))
            kind = record[0] if isinstance(record, list) and record else None
            if not isinstance(kind, bool):
                counts = [counts[0] + (kind == p.SEAL), counts[1] + (kind in (p.HEAD, p.OTHER_HEAD)), counts[2] + (kind == p.ENTRY)]
        return records + [[p.END] + counts + [running]]

    def bundles(self, count):
        for _ in range(count):
            records = self.random_bundle()
            yield from self.with_kept(records)
            if len(records) > 1:
                changed = list(records)
                at, other = self.random.randrange(len(changed)), self.random.randrange(1, len(changed))
                how = self.random.randrange(5)
                if how == 0:
                    changed.pop(at)
                elif how == 1:
                    changed[at], changed[other] = changed[other], changed[at]
                elif how == 2:
                    changed.insert(at, changed[other])
                elif how == 3:
                    changed = changed[:at]
                else:
                    changed[at] = self.value_changed(changed[at])
                try:
                    yield "bundle", [self.text_of(self.ended(changed)), b""]
                except f.Refused:
                    pass
            end = self.ended(records)
            end[-1] = self.value_changed(end[-1])
            try:
                yield "bundle", [self.text_of(end), b""]
            except f.Refused:
                pass
            yield "bundle", [self.lines_changed(self.text_of(self.ended(records))), b""]

    def with_kept(self, records):
        """The bundle as it is, with heads that were kept of it, right ones and changed ones."""
        text = self.text_of(self.ended(records))
        yield "bundle", [text, b""]
        lines, roots, root_log, number = [], [(0, f.merkle_root([]))], [], 0
        for record in records:
            if record[0] == p.SEAL:
                number += 1
                lines.append("seal %d hash %s" % (number, f.sha256(record[1]).hex()))
            elif record[0] == p.HEAD:
                lines.append("log %s size %d root %s" % (record[1].hex(), record[3], record[4].hex()))
                root_log.append(f.merkle_leaf(f.head_leaf_data(record[1], record[3], record[4])))
            elif record[0] == p.OTHER_HEAD:
                root_log.append(record[1])
            roots.append((len(root_log), f.merkle_root(root_log)))
        for _ in range(3):
            kept = "".join(line + "\n" for line in self.random.sample(lines, self.random.randrange(len(lines) + 1))).encode()
            size, root = self.random.choice(roots)
            if self.random.random() < 0.4:
                kept = self.bytes_changed(kept)
            if self.random.random() < 0.2:
                # Of size 0 there is one checkpoint only: readers refuse another root.
                size, root = self.random.choice([(size + 1, root), (max(size, 1), bytes(32)), (2**64 - 1, root)])
            yield "bundle", [text, kept, *((b"%d" % size, root) if self.random.random() < 0.7 else ())]

    @staticmethod
    def text_of(records):
        return "".join(n.to_base64(f.cbor(record)) + "\n" for record in records).encode()

    def tree(self):
        leaves = [f.sha256(struct.pack(">I", self.random.randrange(1 << 32))) for _ in range(self.random.choice((1, 2, 3, 5, 8, 13, 32, 33)))]
        return leaves, self.random.randrange(len(leaves))

    def proofs(self, count):
        for _ in range(count):
            leaves, index = self.tree()
            size, first = len(leaves), self.random.randrange(1, len(leaves) + 1)
            good = [[b"%d" % index, b"%d" % size, leaves[index], f.merkle_root(leaves)] + p.inclusion_proof(index, leaves),
                    [b"%d" % first, b"%d" % size, f.merkle_root(leaves[:first]), f.merkle_root(leaves)] + p.consistency_proof(first, leaves)]
            for kind, arguments in zip(("inclusion", "consistency"), good):
                yield kind, arguments
                changed = list(arguments)
                at = self.random.randrange(len(changed))
                if at < 2:
                    changed[at] = b"%d" % self.random.choice([0, 1, 2**63, 2**64 - 1, max(0, int(changed[at]) - 1), int(changed[at]) + 1])
                elif at < 4 or self.random.random() < 0.4:
                    changed[at] = self.random.choice([bytes(32), changed[3], changed[at][:31] + bytes([changed[at][31] ^ 1])])
                elif self.random.random() < 0.5:
                    changed.pop(at)
                else:
                    changed.insert(at, self.random.choice([changed[at], bytes(32)]))
                yield kind, changed

    def receipts(self, count):
        """Signed again after each change, so that what is read of them goes deep."""
        for _ in range(count):
            leaves, leaf = self.tree()
            body = f.cbor({0: "aegis/entry/1", 1: 1, 3: "a.b", 4: self.random.randrange(1 << 40), 5: 0})
            leaves[leaf] = f.merkle_leaf(body)
            heads, index = self.tree()
            log_id = f.sha256(b"log", body)
            heads[index] = f.merkle_leaf(f.head_leaf_data(log_id, len(leaves), f.merkle_root(leaves)))
            extra = ["aegis/receipt/1", body, leaf, len(leaves), p.inclusion_proof(leaf, leaves), log_id]
            note = n.signed_note(n.checkpoint(ORIGIN, len(heads), f.merkle_root(heads)), ORIGIN, SEED)
            whole = n.proof_file(index, p.inclusion_proof(index, heads), note, f.cbor(extra)).encode()
            others = [KEY.encode(), ORIGIN.encode()]
            yield "receipt", [whole, *others]
            for _ in range(3):
                try:
                    changed = n.proof_file(index, p.inclusion_proof(index, heads), note, self.encoded(self.value_changed(extra))).encode()
                except f.Refused:
                    continue
                yield "receipt", [changed, *others]
            yield "receipt", [self.lines_changed(whole), *others]
            yield "proof_file", [whole]

    def notes(self, count):
        """Signed texts, checkpoints among them; the signature fits the changed text."""
        texts = [n.checkpoint(ORIGIN, size, f.merkle_root([])) for size in (0, 1, 2**64 - 1)] + ["a\n", "a\n\nb\n", "\u00e9\n"]
        for _ in range(count):
            text = self.random.choice(texts).encode()
            if self.random.random() < 0.7:
                text = self.bytes_changed(text)
            signature = n.ed25519_sign(SEED, text)[1]
            name = self.random.choice([ORIGIN, ORIGIN, ORIGIN, "a", "a b", "\u00a0", "\u2003x", "x+y", "\x7f", "\u00e9", "x" * 255, "x" * 256])
            identity = self.random.choice([n.read_note_key(KEY)[1], n.read_note_key(KEY)[1], b"\0\1\2\3"])
            if self.random.random() < 0.2:
                signature = signature[:self.random.choice((0, 1, 63))]
            line = "\u2014 %s %s\n" % (name, n.to_base64(identity + signature))
            whole = text + b"\n" + line.encode()
            yield "note", [whole, KEY.encode()]
            yield "note", [self.bytes_changed(whole), KEY.encode()]
            yield "note", [self.lines_changed(whole), KEY.encode()]
            yield "checkpoint", [text]

    def cosignatures(self, count):
        """Answers of a witness, changed; the first key made a line of them."""
        v = vectors("cosignature_v1")
        key, lines = v["vkeys"][0].encode(), [line.encode() for line in v["lines"]]
        for _ in range(count):
            answer = b"".join(self.random.choices(lines, k=self.random.randrange(1, 4)))
            yield "cosignature", [v["text"].encode(), answer, key]
            yield "cosignature", [v["text"].encode(), self.bytes_changed(answer), key]
            yield "cosignature", [v["text"].encode(), self.lines_changed(answer), key]

    def signatures(self, count):
        parameters = [b";created=1618884473", b';nonce="b3k2pp5k7z-50gnwp.yemd"', b';keyid="k-1"', b';alg="hmac-sha256"', b';tag="aegis"', b";expires=9",
                      b";created=0", b";x", b';nonce=""']
        names = [b'"@method"', b'"@target-uri"', b'"@authority"', b'"@path"', b'"@query"', b'"content-digest"', b'"x"', b'"@path";req']
        digest = b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
        for _ in range(count):
            some = names[:2] + names[5:6] + self.random.sample(names, self.random.choice((0, 0, 1, 2)))
            chosen = parameters[:3] + self.random.sample(parameters[3:], self.random.choice((0, 0, 1, 2)))
            self.random.shuffle(chosen)
            texts = [b"a=(" + b" ".join(some) + b")" + b"".join(chosen), b"a=:" + b"QUFB" * 10 + b"QUE=:", digest]
            if self.random.random() < 0.5:
                at = self.random.randrange(3)
                texts[at] = self.bytes_changed(texts[at])
            yield "signature", texts
            yield "dictionary", [self.bytes_changed(self.random.choice(texts))]

    def all(self, factor):
        entries = [f.cbor_read(h(case["body"])) for case in vectors("entry_v1")["valid"]]
        seals = [f.cbor_read(h(case["seal"])) for case in vectors("seal_v1")["chain"]]
        records = [f.cbor_read(h(record)) for case in vectors("bundle_v1")["bundle"] for record in case["records"]]
        envelopes = vectors("envelope_v1")["valid"] + vectors("envelope_v1_committing")["valid"]
        tokens = [case["token"].encode() for case in vectors("session_token_v1")["valid"]]
        notes = vectors("checkpoint_v1")
        keyrings = [b"# two\n1:%s\n\n 12:%s\r\n" % (bytes(range(32)).hex().encode(), bytes(range(1, 33)).hex().encode()),
                    b"\n".join(b"%d:%064x" % (i, i + 1) for i in range(1, 9)), b"3:%s" % (32 * b"07"), b"4:%s01" % (31 * b"00")]
        emails = [b"bob@example.com", b"  Bob@Example.COM\n", "Zo\u00eb@\u00dcber.example".encode(), b"a@b@c", b"@", b"a@", b" @b ", b"\x0b\x0ca@b\x85"]
        texts = [" Stra\u00dfe\u3000\ufb01\n".encode(), "A\u030a o\u0302\u0323 \u1100\u1161\u11a8".encode(), "\u03b1\u0345\u0301 a\u00ad\u200b\ufdfa".encode(), b" Plain "]
        phones = [b"+491712345678", b" 00 49 (171) 234-56.78", "+49 (0) 171\u00a0/ 2345678".encode(), b"+2901234", b"0171 2345678"]
        numbers = [b"de89 3704 0044 0532 0130 00", "AT-U/1234\u00a05678.".encode(), b" - "]
        sources = [
            self.structures("entry", entries, 1500), self.structures("seal", seals, 500), self.structures("record", records, 800),
            self.changed("envelope", [h(case[form]) for case in envelopes for form in ("envelope", "stripped")], 1500),
            self.changed("armor", [case["armor"].encode() for case in envelopes], 500), self.changed("token", tokens, 500),
            self.changed("vkey", [key.encode() for key in notes["keys"]], 500), self.changed("keyring", keyrings, 500),
            self.changed("email", emails, 500), self.changed("keyword", texts, 500), self.changed("caseless", texts, 500),
            self.changed("phone", phones, 500), self.changed("alnum", numbers, 500), self.changed("checkpoint", [notes["text"].encode()], 500),
            self.changed("proof_file", [notes["proof_file"].encode()], 500), self.bundles(250), self.proofs(300), self.receipts(80), self.notes(150),
            self.cosignatures(200),
            self.signatures(500)]
        for source in sources:
            yield from source
        for _ in range(factor - 1):
            yield from self.structures("entry", entries, 1500)
            yield from self.structures("record", records, 800)
            yield from self.bundles(250)
            yield from self.receipts(80)
            yield from self.notes(150)
            yield from self.cosignatures(200)
            yield from self.proofs(300)
