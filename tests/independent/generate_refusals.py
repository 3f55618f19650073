# SPDX-License-Identifier: Apache-2.0
"""What readers must refuse: the families of changed proofs that transparency-dev/merkle publishes under testdata/ and the
malformed notes of Go's golang.org/x/mod/sumdb/note, made here from the rules behind them. Its published keys and signatures
are facts that every implementation of signed notes is compared with."""
import aegis_format as f
import aegis_note as n
import aegis_proof as p

SOME_HASH = bytes.fromhex("abacaba0") + bytes(19) + bytes.fromhex("60061e00123456") + bytes(2)
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
C2SP = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH_LINE = "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
WORD = 1 << 64


def flipped(hashes, at, bit):
    return [bytes([h[0] ^ bit]) + h[1:] if i == at else h for i, h in enumerate(hashes)]


def changed_inclusion(index, size, leaf, proof, root):
    """(name, index, size, leaf, proof, root): none of them may verify."""
    yield "index - 1", (index - 1) % WORD, size, leaf, proof, root
    yield "index + 1", index + 1, size, leaf, proof, root
    yield "index XOR 2", index ^ 2, size, leaf, proof, root
    yield "size * 2", index, size * 2, leaf, proof, root
    yield "size / 2", index, size // 2, leaf, proof, root
    yield "size 0", index, 0, leaf, proof, root
    yield "another leaf", index, size, SOME_HASH, proof, root
    yield "a short leaf", index, size, b"WrongLeaf", proof, root
    yield "the root of the empty tree", index, size, leaf, proof, f.merkle_root([])
    yield "another root", index, size, leaf, proof, SOME_HASH
    yield "an empty root", index, size, leaf, proof, b""
    for name, extra in (("nothing", b""), ("the root", root)):
        yield name + " behind", index, size, leaf, proof + [extra], root
        yield name + " before", index, size, leaf, [extra] + proof, root
    for at in range(len(proof)):
        yield "hash %d changed" % at, index, size, leaf, flipped(proof, at, 8), root
    if proof:
        yield "the last hash missing", index, size, leaf, proof[:-1], root
    if len(proof) > 1:
        yield "a hash between", index, size, leaf, [proof[0], SOME_HASH] + proof[1:], root


def changed_consistency(first, second, proof, first_root, second_root):
    yield "first - 1", first - 1, second, proof, first_root, second_root
    yield "first + 1", first + 1, second, proof, first_root, second_root
    yield "first XOR 2", first ^ 2, second, proof, first_root, second_root
    yield "second * 2", first, second * 2, proof, first_root, second_root
    yield "second / 2", first, second // 2, proof, first_root, second_root
    yield "another first root", first, second, proof, SOME_HASH, second_root
    yield "another second root", first, second, proof, first_root, SOME_HASH
    yield "a short first root", first, second, proof, b"WrongRoot", second_root
    yield "a short second root", first, second, proof, first_root, b"WrongRoot"
    yield "roots exchanged", first, second, proof, second_root, first_root
    yield "an empty proof", first, second, [], first_root, second_root
    for name, extra in (("nothing", b""), ("the first root", first_root), ("the second root", second_root), ("the first hash", proof[0])):
        yield name + " behind", first, second, proof + [extra], first_root, second_root
        yield name + " before", first, second, [extra] + proof, first_root, second_root
    yield "the last hash missing", first, second, proof[:-1], first_root, second_root
    for at in range(len(proof)):
        yield "hash %d changed" % at, first, second, flipped(proof, at, 16), first_root, second_root


def proofs(leaves):
    """The published base cases, changed."""
    inclusion, consistency = [], []
    for index, size in ((0, 1), (0, 8), (5, 8), (2, 3), (1, 5)):
        root = f.merkle_root(leaves[:size])
        for name, i, s, leaf, proof, r in changed_inclusion(index, size, leaves[index], p.inclusion_proof(index, leaves[:size]), root):
            inclusion.append({"name": "%d of %d: %s" % (index, size, name), "index": str(i), "size": str(s), "leaf": leaf, "proof": proof, "root": r})
    for index, size in ((0, 0), (1, 0), (2, 1)):
        inclusion.append({"name": "%d of %d" % (index, size), "index": str(index), "size": str(size), "leaf": SOME_HASH, "proof": [],
                          "root": f.merkle_root([])})
    for first, second in ((1, 8), (6, 8), (2, 5), (6, 7)):
        roots = f.merkle_root(leaves[:first]), f.merkle_root(leaves[:second])
        for name, m, s, proof, a, b in changed_consistency(first, second, p.consistency_proof(first, leaves[:second]), *roots):
            consistency.append({"name": "%d to %d: %s" % (first, second, name), "first": str(m), "second": str(s), "proof": proof,
                                "first_root": a, "second_root": b})
    empty, one = f.merkle_root([]), f.merkle_root(leaves[:1])
    for name, m, s, proof, a, b in (
            ("empty trees say nothing", 0, 0, [], empty, empty), ("nor does an empty first one", 0, 1, [], empty, one),
            ("empty trees, two roots", 0, 0, [], empty, one), ("empty trees and a proof", 0, 0, [SOME_HASH], empty, empty),
            ("one leaf, two roots", 1, 1, [], one, SOME_HASH), ("one leaf and a proof", 1, 1, [one], one, one),
            ("back to nothing", 1, 0, [], one, empty), ("back", 2, 1, [], f.merkle_root(leaves[:2]), one), ("no proof", 1, 2, [], one, SOME_HASH)):
        consistency.append({"name": name, "first": str(m), "second": str(s), "proof": proof, "first_root": a, "second_root": b})
    return {"refused_inclusion": inclusion, "refused_consistency": consistency}


def notes():
    """Notes with what a reader says who knows Peter's key: signed, unsigned or refused."""
    note = TEXT + "\n" + PETER_LINE
    other = ENOCH_LINE[:60] + "ABCD" + ENOCH_LINE[60:]
    spaces = [("%s in a name" % name, TEXT + "\n" + PETER_LINE.replace("rN", "r%sN" % c)) for name, c in (
        ("a space", " "), ("a tab", "\t"), ("a plus", "+"), ("a no-break space", "\u00a0"), ("an em space", "\u2003"), ("a line separator", "\u2028"))]
    said = [("signed", note, "signed"), ("signed by two, one known", note + ENOCH_LINE, "signed"), ("in the other order", TEXT + "\n" + ENOCH_LINE + PETER_LINE, "signed"),
            ("signed by a stranger", TEXT + "\n" + ENOCH_LINE, "unsigned"), ("twice by the same", note + PETER_LINE, "signed"),
            ("a stranger's, twice and malformed in length", note + ENOCH_LINE + ENOCH_LINE + other, "signed"), ("sixty-four signatures", TEXT + "\n" + 64 * PETER_LINE, "signed"),
            ("another name", note.replace("PeterNeumann", "CarmenSandiego"), "unsigned"), ("another id", note.replace("x08g", "xxxx"), "unsigned"),
            ("an empty line in the text", "a\n\n" + note, "refused"), ("another text", note.replace("answer", "Answer"), "refused"),
            ("a longer signature", TEXT + "\n" + PETER_LINE[:60] + "ABCD" + PETER_LINE[60:], "refused"),
            ("a shorter signature", TEXT + "\n" + PETER_LINE[:60] + PETER_LINE[64:], "refused"), ("text alone", TEXT, "refused"),
            ("no signature", TEXT + "\n", "refused"), ("no line end", note[:-1], "refused"), ("a control character", "\x01" + note, "refused"),
            ("a tab in the text", note.replace("answer to", "answer\tto"), "refused"), ("a carriage return", note.replace("\n", "\r\n"), "refused"),
            ("a line behind", note + "Unexpected line.\n", "refused"), ("an empty line behind", note + "\n", "refused"),
            ("a hyphen for the dash", note.replace("\u2014", "-"), "refused"), ("no space behind the dash", note.replace("\u2014 ", "\u2014"), "refused"),
            ("no name", TEXT + "\n\u2014  " + PETER_LINE.split(" ")[2], "refused"), ("no signature behind the name", TEXT + "\n\u2014 PeterNeumann\n", "refused"),
            ("an id alone", TEXT + "\n\u2014 PeterNeumann x08gow==\n", "refused"), ("padding missing", note.replace("JnAM=", "JnAM"), "refused"),
            ("bits behind the last byte", note.replace("JnAM=", "JnAN="), "refused"), ("sixty-five signatures", TEXT + "\n" + 65 * PETER_LINE, "refused"),
            ("no text", "\n" + PETER_LINE, "refused"), ("nothing", "", "refused")] + [(name, text, "refused") for name, text in spaces]
    cases = [{"name": name, "note": text.encode(), "result": result} for name, text, result in said]
    cases.append({"name": "text that is not UTF-8", "note": b"\xff" + note.encode(), "result": "refused"})
    public = n.read_note_key(PETER)[3]
    long_key = bytes([1]) + public + b"\x04\x00\xca\x11"
    keys = [PETER[:-4], PETER + "AAAA", PETER.replace("c74f20a3", "c74f20a4"), PETER.replace("c74f20a3", "c74f20"), PETER.replace("+c74f20a3", ""),
            PETER.replace("PeterNeumann", "Peter Neumann"), PETER.replace("PeterNeumann", ""), "", "PeterNeumann",
            "PeterNeumann+%s+%s" % (f.sha256(b"PeterNeumann\n", long_key)[:4].hex(), n.to_base64(long_key)),
            n.note_key("PeterNeumann", 2, public), n.note_key("PeterNeumann", 0x65, public), n.note_key("Peter\u2003Neumann", 1, public)]
    return {"known_key": PETER, "notes": cases, "keys": [PETER, ENOCH, C2SP], "refused_keys": keys}
