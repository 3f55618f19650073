#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the same changed inputs to this implementation and to the core library, and compares what they read or refuse.

    differential.py JUDGE [SEED] [FACTOR]

JUDGE is the program of tests/fuzz/judge.cpp. Inputs follow from the seed (1) alone; a larger factor makes more of them.
"""
import collections
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
import aegis_http as http  # noqa: E402
import aegis_note as n  # noqa: E402
import aegis_proof as p  # noqa: E402
import aegis_receipt as r  # noqa: E402
import live_keys  # noqa: E402
from aegis_format import Refused  # noqa: E402
from changed_inputs import Inputs  # noqa: E402


def hexed(value):
    return (value if isinstance(value, bytes) else value.encode()).hex()


def entry(body):
    m = f.read_entry(body)
    actor, target = m.get(6, {}), m.get(9, ["", ""])
    parts = [m.get(2, b""), m[3], actor.get(1, b""), actor.get(2, b""), actor.get(0, ""), m.get(7, ""), m.get(8, b""), target[0], target[1],
             f.cbor(m[10]) if 10 in m else b"", f.cbor(m[11]) if 11 in m else b""]
    return "%d %d %d %d %d %d %d %d %s" % (m[1], m[4], m[5], actor.get(3, 0), actor.get(4, 0), actor.get(5, 0), m.get(12, 0), m.get(13, 0),
                                           ",".join(hexed(v) for v in parts))


def seal(data):
    v = f.read_seal(data)
    return "%d %d %d %d %d %s %s s%s %d" % (v["epoch"], v["number"], v["unix_micros"], v["entries"], v["root_size"], v["root"].hex(),
                                           v["previous"].hex(), hexed(v["snapshot"]), v["wal_position"])


def envelope(data):
    header, token, _, sealed = f.parse_envelope(data)
    return "%d %d %d %d t%s %d %s" % (header[2], header[3], int.from_bytes(header[12:16], "big"), int.from_bytes(header[16:20], "big"),
                                      token.hex(), len(sealed) - (48 if header[1] == 2 else 16), f.strip_token(data).hex())


def record(data):
    kind = p.bundle_record(n.to_base64(data).encode())[0][0]
    return "%d" % ([p.HEADER, p.SEAL, p.HEAD, p.ENTRY, p.OTHER_HEAD, p.END].index(kind))


def bundle(text, kept, *roots):
    heads = p.read_kept(decoded(kept)) if kept else None
    findings, number, last = p.check_bundle(text, heads, [(int(roots[i]), roots[i + 1]) for i in range(0, len(roots), 2)])
    if findings:
        return "findings"
    header, seals, (end, _) = p.read_bundle(text)
    lines = "seal %d hash %s\n" % (number, last.hex()) if number else ""
    if header[3] is not None:
        newest = {head[1]: head for _, of_seal in seals for head, _ in of_seal if head[0] == p.HEAD}
        lines += "".join("log %s size %d root %s\n" % (log.hex(), newest[log][3], newest[log][4].hex()) for log in sorted(newest))
    return ("ok %d %s %d %d %d %s" % (number, last.hex(), *end[1:4], lines.encode().hex())).strip()


def note(data, key):
    read = n.read_note(data)
    return "%s %d %s" % ("signed" if n.is_signed(read, n.read_note_key(key.decode())) else "unsigned", len(read[1]), hexed(read[0]))


def decoded(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


def vkey(text):
    name, identity, kind, public = n.read_note_key(decoded(text))
    return "%s %s %d %s" % (hexed(name), identity.hex(), kind, public.hex())


def checkpoint(text):
    origin, size, root = n.read_checkpoint(decoded(text))
    return "%s %d %s" % (hexed(origin), size, root.hex())


def proof_file(data):
    index, proof, carried, _ = n.read_proof_file(data)
    return "%d p%s n%s" % (index, "".join(h.hex() + "," for h in proof), carried.hex())


def cosignature(text, answer, key):
    time, line = n.take_cosignature(decoded(text), answer, n.read_note_key(decoded(key)))
    return "%d %s" % (time, hexed(line))


def receipt(data, key, origin):
    return f.cbor(r.check_receipt(data, key.decode(), origin.decode())).hex()


def inclusion(index, size, leaf, root, *proof):
    p.verify_inclusion(int(index), int(size), leaf, list(proof), root)
    return "ok"


def consistency(first, second, first_root, second_root, *proof):
    p.verify_consistency(int(first), int(second), list(proof), first_root, second_root)
    return "ok"


def armor(text):
    return "b" + f.from_armor(decoded(text)).hex()


def token(text):
    text = decoded(text)
    f.read_session_token(text)
    return f.session_token_hash(text).hex()


def normaliser(how):
    def normal(value):
        return "n" + f.NORMALISERS[how](value).hex()
    normal.__name__ = how
    return normal


def keyring(text):
    return "".join("%d:%s," % item for item in sorted((v, k.hex()) for v, k in live_keys.read_provider(text.decode("latin-1")).items()))


def dictionary(text):
    spelled = []
    for key, (value, parameters) in http.Reader(text.decode("latin-1")).dictionary().items():
        items, own = (value, parameters) if isinstance(value, list) else ([(value, parameters)], {})
        spelled.append((key + "=" + http.spelled_list(items, own)).encode("latin-1").hex() + ",")
    return "d" + "".join(spelled)


def signature(*fields):
    names = ("signature-input", "signature", "content-digest")
    _, parameters, _ = http.read({"method": "GET", "scheme": "https", "authority": "example.com", "target": "/", "content": b"",
                                  "fields": [[n, v.decode("latin-1")] for n, v in zip(names, fields)]})
    return "%(keyid)s %(nonce)s %(created)d" % parameters


HERE = {function.__name__: function for function in (entry, seal, envelope, record, bundle, note, vkey, checkpoint, proof_file, cosignature, receipt,
                                                     inclusion, consistency, armor, token, keyring, dictionary, signature,
                                                     *(normaliser(how) for how in f.NORMALISERS if how != "exact"))}


def main():
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    seed, factor = int((sys.argv + ["1"])[2] if len(sys.argv) > 2 else 1), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    inputs = [(kind, arguments) for kind, arguments in Inputs(random.Random(seed)).all(factor)]
    lines = "".join("%s %s\n" % (kind, " ".join(a.hex() or "-" for a in arguments)) for kind, arguments in inputs)
    done = subprocess.run([sys.argv[1]], input=lines.encode(), capture_output=True, check=False)
    there = done.stdout.decode().split("\n")[:-1]
    if done.returncode != 0 or len(there) != len(inputs):
        print(done.stderr.decode()[-3000:])
        sys.exit("the judge ended with %d after %d of %d inputs" % (done.returncode, len(there), len(inputs)))
    counts, different = collections.Counter(), 0
    for (kind, arguments), said in zip(inputs, there):
        try:
            here = HERE[kind](*arguments)
        except Refused:
            here = "refused"
        counts[kind, "refused" if here == "refused" else "read"] += 1
        if here != said:
            different += 1
            if different <= 10:
                print("%s %s\n  here:  %.300s\n  there: %.300s" % (kind, " ".join(a.hex() for a in arguments)[:600], here, said))
    for kind in sorted(HERE):
        print("%-12s %6d read, %6d refused" % (kind, counts[kind, "read"], counts[kind, "refused"]))
        # Only what is both read and refused tells anything.
        if min(counts[kind, "read"], counts[kind, "refused"]) < 20:
            different += 1
            print("  too few of one of them")
    print("%d inputs, %d differences" % (len(inputs), different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
