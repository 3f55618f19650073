#!/usr/bin/env python3
"""Holds the scrubber and the verifier against a set of their own: published test numbers in every context,
bodies of providers, and what is no card number. The same every time.

  acceptance.py JUDGE          JUDGE is scrub_judge of the build
  acceptance.py JUDGE table    the figures of docs/scrub.md
"""
import json, random, subprocess, sys, time

import cards, contexts, negatives, payloads

ALL, AT_LEAST, RANDOM_AT_MOST, STRICT_AT_MOST = "payload", 0.995, 0.04, 0.001


def judge(program, texts, profile=ALL):
    """(kinds, clean before, clean after, text after) of each."""
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    given = b"".join(b"%d\n%s" % (len(text), text) for text in encoded)
    out = subprocess.run([program, profile], input=given, stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    for _ in texts:
        end = out.index(b"\n", at)
        kinds, before, after, size = out[at:end].split(b" ")
        at = end + 1 + int(size)
        answers.append((kinds.decode(), before == b"1", after == b"1", out[end + 1:at].decode()))
    assert at == len(out)
    return answers


failed = 0


def check(name, holds, detail=""):
    global failed
    if not holds:
        failed += 1
        print(f"not ok scrub/{name} {detail}")
    elif len(sys.argv) == 2:
        print(f"ok scrub/{name} {detail}")


def digits_of(text):
    return "".join(c for c in text if c.isdigit())


def recall(program):
    pairs = [(name, number) for name in contexts.CONTEXTS for number in cards.PUBLISHED]
    texts = [contexts.CONTEXTS[name](number) for name, number in pairs]
    answers = judge(program, texts)
    missed = {}
    for (name, number), (kinds, _, after, left) in zip(pairs, answers):
        if kinds == "-" or number in digits_of(left) or not after:
            missed.setdefault(name, []).append(number)
    found = 1 - sum(map(len, missed.values())) / len(pairs)
    worst = "; ".join(f"{name}: {' '.join(lost)}" for name, lost in missed.items())
    check("recall", found >= AT_LEAST, f"{found:.2%} of {len(cards.PUBLISHED)} numbers in {len(contexts.CONTEXTS)} contexts {worst}")
    people = [t for (name, _), t in zip(pairs, texts) if name in ("bare", "sentence", "spaces", "hyphens", "full-width", "track 2")]
    seen = sum(kinds != "-" for kinds, *_ in judge(program, people, "user_field")) / len(people)
    check("recall in what people write", seen >= AT_LEAST, f"{seen:.2%}")
    noticed = sum(not before for _, before, _, _ in answers) / len(answers)
    check("the verifier notices without the scrubber", noticed >= 0.6, f"{noticed:.2%} of the same texts")
    return found, noticed, missed


def shapes(program):
    for shape in payloads.SHAPES:
        made = [shape(number) for number in cards.PUBLISHED]
        lost = []
        for (body, gone, kept), (_, _, after, left) in zip(made, judge(program, [json.dumps(m[0]) for m in made])):
            lost += [word for word in gone if word in left] + ["lost " + word for word in kept if word not in left]
            if not after:
                lost.append("the verifier refuses it")
            json.loads(left)
        check(f"payload of {shape.__name__}", not lost, " ".join(sorted(set(lost))[:5]))
    references = [json.dumps({"pspReference": "8" + str(i * 100003 % 10**15).zfill(15)}) for i in range(10000)]
    intact = sum(left == text and after for text, (_, _, after, left) in zip(references, judge(program, references)))
    check("references survive", intact == len(references), f"{intact} of {len(references)}")
    exact = ['{"n":9223372036854775807,"m":-9223372036854775808,"f":0.1,"e":1e2,"z":"\\u00e9\\/"}', "[ 1 ,\t2 ]", '"x"', "", "plain"]
    check("what is left alone keeps its bytes", [a[3] for a in judge(program, exact)] == exact)


def false_alarms(program, count):
    shares = {}
    for name, texts in negatives.classes(count).items():
        answers = judge(program, [json.dumps({"value": text}) for text in texts] + texts)
        shares[name] = sum(kinds != "-" for kinds, *_ in answers) / len(answers)
        # What the scrubber leaves, the verifier lets pass: nothing would be stored otherwise.
        check(f"the verifier agrees about {name}", all(after for _, _, after, _ in answers),
              next((a[3] for a in answers if not a[2]), ""))
    share = shares["random 16 digits"]
    check("random numbers", share <= RANDOM_AT_MOST, f"{share:.2%}")
    for name in negatives.STRICT:
        check(f"few {name}", shares[name] <= STRICT_AT_MOST, f"{shares[name]:.2%}")
    for name in negatives.CLEAN:
        check(f"no {name}", shares[name] == 0, f"{shares[name]:.2%}")
    return shares


def mutations(program, count):
    """Changed texts of the contexts: what was JSON stays it, and the verifier refuses nothing of what is left."""
    r = random.Random(3)
    seeds = [make(number) for make in contexts.CONTEXTS.values() for number in cards.PUBLISHED[:8]]
    seeds += [json.dumps(shape(cards.PUBLISHED[0])[0]) for shape in payloads.SHAPES]
    texts = []
    for _ in range(count):
        text = r.choice(seeds)
        for _ in range(r.randrange(1, 5)):
            at, other = r.randrange(len(text) + 1), r.choice(seeds)
            cut = r.randrange(len(other))
            text = r.choice((text[:at] + text[at + 1:], text[:at] + r.choice('0123456789 -.%&\\"{}[]:,=^D<>') + text[at:],
                             text[:at] + other[cut:cut + 9] + text[at:]))
        texts.append(text)
    broken = []
    for text, (_, _, after, left) in zip(texts, judge(program, texts)):
        was_json = is_json(text) and text[0] in '{["'
        if not after or (was_json and not is_json(left)):
            broken.append(text)
    check("changed texts", not broken, f"{count}" + "".join(f"\n  {text!r}" for text in broken[:5]))


def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def hostile(program):
    """Work is bounded: every kind takes a text four times as long in not much more than four times as long."""
    size = 1 << 16
    makers = {
        "digits": lambda n: "4" * n, "digits apart": lambda n: "4 " * (n // 2), "groups": lambda n: "4111 1111 1111 1112 " * (n // 20),
        "separators": lambda n: "1" + "-" * n, "percents": lambda n: "%" * n, "percent-encoded": lambda n: "%2525" * (n // 5),
        "references": lambda n: "&#52;" * (n // 5), "tags": lambda n: "<b>" * (n // 3), "open tags": lambda n: "<" * n,
        "carets": lambda n: "B41111111111111^" * (n // 16), "equals": lambda n: "cvv=" * (n // 4), "brackets": lambda n: "[" * n,
        "json strings": lambda n: '"' * n, "backslashes": lambda n: "\\" * n, "words": lambda n: "TWpBeU5nPT0" * (n // 11),
        "letters and digits": lambda n: "a1234567890123" * (n // 14), "full-width": lambda n: "４" * (n // 3), "zeros": lambda n: "0" * n,
        "card words": lambda n: "6200000000000001 card " * (n // 22), "angles": lambda n: ">1" * (n // 2), "blanks": lambda n: " " * n + "^",
    }
    for name, make in makers.items():
        took = []
        for factor in (1, 4):
            text = make(size * factor)
            start = time.process_time(), time.monotonic()
            judge(program, [text])
            took.append(time.monotonic() - start[1])
        # Generous: sanitizers and neighbours. Quadratic work would be sixteen times as much, and minutes.
        check(f"bounded work on {name}", took[1] < 20, f"{took[0]:.2f} s, {took[1]:.2f} s")


def main():
    program = sys.argv[1]
    found, noticed, missed = recall(program)
    shapes(program)
    shares = false_alarms(program, 4000 if len(sys.argv) == 3 else 2000)
    mutations(program, 20000)
    hostile(program)
    if len(sys.argv) == 3:
        print(f"recall {found:.2%}, verifier alone {noticed:.2%}, missed {missed}")
        for name, share in shares.items():
            print(f"| {name} | {share:.2%} |")
    sys.exit(failed != 0)


main()
