#!/usr/bin/env python3
"""Says whether a result of the benchmark is complete: complete.py FILE AREA ...

Every variant of every series has as many figures as there were rounds, every ratio its base, every goal a
figure or the reason why there is none, and a text for when it is missed."""
import json
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab.obstacle import OBSTACLES  # noqa: E402

COUNTED = {"bystander"}  # instructions, not time: there is nothing to sample


def faults(whole, area):
    found = [result for result in whole["areas"] if result["area"] == area]
    if len(found) != 1 or not found[0]["series"] or not found[0]["goals"]:
        yield "is missing, or has no series or no goals"
        return
    for series in found[0]["series"]:
        names = [variant["name"] for variant in series["variants"]]
        if series["base"] is not None and series["base"] not in names:
            yield f"{series['name']}: its base {series['base']} is no variant"
        for variant in series["variants"]:
            numbers = [*variant["values"], *(value for more in variant["more"].values() for value in more["values"])]
            if len(variant["values"]) != found[0].get("rounds", whole["rounds"]) or not all(math.isfinite(number) for number in numbers):
                yield f"{series['name']}, {variant['name']}: {variant['values']}"
            if series["base"] is not None and variant["ratio"] is None:
                yield f"{series['name']}, {variant['name']}: no ratio"
    for goal in found[0]["goals"]:
        if goal["met"] is None and not goal["reason"]:
            yield f"goal {goal['name']}: neither judged nor a reason"
        if goal["name"] not in OBSTACLES:
            yield f"goal {goal['name']}: lab/obstacle.py does not say what may stand in its way"
    if area not in COUNTED and not any(load.get("parts") or load.get("missing") for goal in found[0]["goals"] if goal["profile"] for load in goal["profile"]["loads"]):
        yield "no goal has a profile, or says why there is none"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        whole = json.load(file)
    failed = False
    for key in ("when", "commit", "cpu", "cpus", "system", "kernel", "openssl", "packages"):
        if not whole["machine"].get(key):
            print(f"not ok bench/the machine's {key}")
            failed = True
    for area in sys.argv[2:]:
        problems = list(faults(whole, area))
        print(f"{'not ok' if problems else 'ok'} bench/{area} is complete")
        for problem in problems:
            print(f"# {problem}")
        failed = failed or bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
