"""What looking for card data costs: megabytes of ordinary JSON a second of one processor, without a database, beside a naive regular expression (glibc) and
a bare scan for check digits, which find less and mark more.

Ordinary JSON: customers, invoices and events with names, addresses, identifiers, amounts, times and texts, one to three kilobytes each, and no card number."""
import glob
import json
import os
import random
import shutil

from fixture.process import ROOT, run as run_program

from lab.cluster import place

TITLE = "Scrubber"
PLOTS = []
GOAL = 200
WORDS = ("the quick brown fox jumps over a lazy dog while nobody pays attention to what an invoice says about delivery of twelve solar panels "
         "and a battery by the end of next month please call before you come").split()


def uuid(rng):
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def text(rng, least, most):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, most)))


def document(rng):
    lines = [{"position": n, "description": text(rng, 3, 12), "quantity": str(rng.randint(1, 40)), "unit_minor": str(rng.randint(100, 999999)),
              "amount_minor": str(rng.randint(100, 9999999))} for n in range(1, rng.randint(3, 9))]
    return {"id": uuid(rng), "customer": {"id": uuid(rng), "name": text(rng, 2, 3).title(), "email": f"{rng.choice(WORDS)}.{rng.choice(WORDS)}@example.org",
                                          "phone": f"+4420{rng.randint(70000000, 79999999)}", "address": f"{rng.randint(1, 200)} {text(rng, 2, 3).title()}, London"},
            "status": rng.choice(("draft", "sent", "paid")), "currency": "GBP", "total_minor": str(rng.randint(1000, 99999999)), "memo": text(rng, 10, 60),
            "created_at": f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00.123456Z",
            "content_sha256": f"{rng.getrandbits(256):064x}", "version": rng.randint(1, 30), "live": True, "tags": [rng.choice(WORDS) for _ in range(4)], "lines": lines}


def run(lab):
    folder = place()
    try:
        program, path = os.path.join(folder, "scrub_floor"), os.path.join(folder, "documents")
        core = os.path.join(ROOT, "extension", "src", "core")
        lab.say("compiling")
        run_program(["g++", "-O2", "-std=c++17", f"-I{os.path.dirname(core)}", "-o", program, os.path.join(ROOT, "tests", "bench", "scrub_floor.cpp"),
                     *sorted(glob.glob(f"{core}/scrub*.cpp")), f"{core}/encoding.cpp", "-lutf8proc"])
        rng = random.Random(1)
        with open(path, "w", encoding="utf-8") as file:
            for _ in range(50 if lab.quick else 2000):
                file.write(json.dumps(document(rng)) + "\n")

        def speed(how):
            def trial():
                figure, found = run_program([program, how, path, "0.05" if lab.quick else str(lab.seconds)]).split()
                return {"figure": float(figure), "found": int(found)}
            return trial
        series = lab.series("json", "Ordinary JSON looked through, one processor", "MB/s", "regex",
                            "more is better; ratios to the regular expression; found: documents or places that are taken for card data")
        series.variant("regex", "regular expression of glibc: 13 to 19 digits", speed("regex"))
        series.variant("luhn", "13 to 19 digits with a check digit, by hand", speed("luhn"))
        series.variant("scrub", "the scrubber (aegis.scrub)", speed("scrub"))
        series.variant("verify", "the verifier (aegis.is_free_of_card_data)", speed("verify"))
        lab.measure([series])
        lab.goal("scrub_json", "The scrubber over ordinary JSON", ">=", GOAL, series.median("scrub"), "MB/s", loads=(series, "scrub"))
        lab.explain()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
