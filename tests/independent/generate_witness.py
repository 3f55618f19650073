# SPDX-License-Identifier: Apache-2.0
"""Vectors of cosignature-v1: a checkpoint of three leaves, two witnesses, and answers that must be refused. The seeds are
published, for tests only."""
import aegis_format as f
import aegis_note as n
import aegis_proof as p
from aegis_cipher import ed25519_sign
from published import ROOT

SEEDS = [bytes(range(0x80, 0xA0)), bytes(range(0xA0, 0xC0))]
NAMES = ["witness.example/one", "witness.example/two"]
ORIGIN = "aegis.example/ledger"
TIMES = [1764000000, 4102444800]


def vkey(name, kind, seed):
    return n.note_key(name, kind, ed25519_sign(seed, b"")[0])


def cosignature_v1():
    leaves = [f.merkle_leaf(b"%d" % i) for i in range(3)]
    text = n.checkpoint(ORIGIN, 3, f.merkle_root(leaves))
    note = n.signed_note(text, ORIGIN, ROOT)
    one, two = (n.cosignature_line(text, name, seed, time) for name, seed, time in zip(NAMES, SEEDS, TIMES))
    public = ed25519_sign(SEEDS[0], b"")[0]
    raw = n.from_base64(one.split(" ")[2].strip())

    def line(data, name=NAMES[0]):
        return "\u2014 %s %s\n" % (name, n.to_base64(data))

    taken = [("alone", one), ("behind another's", two + one), ("before another's", one + two), ("twice", one + one)]
    refused = [("nothing", ""), ("another's", two), ("one of another checkpoint", n.cosignature_line(
                   n.checkpoint(ORIGIN, 2, f.merkle_root(leaves[:2])), NAMES[0], SEEDS[0], TIMES[0])),
               ("another time", line(raw[:4] + (TIMES[0] + 1).to_bytes(8, "big") + raw[12:])),
               ("without its time", line(raw[:4] + raw[12:])), ("too long", line(raw + b"\0")),
               ("a signature by the same key", line(raw[:4] + ed25519_sign(SEEDS[0], text.encode())[1])),
               ("one that does not verify, before one that does", line(raw[:-1] + bytes([raw[-1] ^ 1])) + one),
               ("another id", line(b"\0\0\0\0" + raw[4:])), ("another name", line(raw, NAMES[1])),
               ("an empty line before", "\n" + one), ("an empty line within", one + "\n" + two), ("no line end", one[:-1]),
               ("not a signature line", one + "409\n"), ("longer than an answer", one * 40)]
    return {"seeds": SEEDS, "vkeys": [vkey(name, n.COSIGNATURE, seed) for name, seed in zip(NAMES, SEEDS)], "times": TIMES,
            "public_key": public, "log_vkey": vkey(ORIGIN, n.ED25519, ROOT), "message": b"cosignature/v1\ntime %d\n" % TIMES[0] + text.encode(),
            "text": text, "note": note, "lines": [one, two], "cosigned": note + one + two,
            "request": n.add_checkpoint(2, p.consistency_proof(2, leaves), note),
            "taken": [{"name": name, "answer": answer.encode()} for name, answer in taken],
            "refused": [{"name": name, "answer": answer.encode()} for name, answer in refused]}
