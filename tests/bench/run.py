#!/usr/bin/env python3
"""Measures Aegis beside its peers; ./aegis bench is the way to call it.

    tests/bench/run.py [AREA ...] [--rounds N] [--quick | --long] [--json FILE]

The areas are those of AREAS, each in a file of its name. Results are printed as tables and written as JSON."""
import argparse
import importlib
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, machine, table  # noqa: E402

AREAS = ("tenancy", "encryption", "ledger", "gateway", "password", "scrubber", "bystander")


def arguments():
    parser = argparse.ArgumentParser(prog="aegis bench", description="Measures Aegis beside its peers.")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{', '.join(AREAS)}; all of them when none is named")
    parser.add_argument("--rounds", type=int, default=2, help="how often each variant runs (2)")
    parser.add_argument("--quick", action="store_true", help="one short round over little data: shows that it works, measures nothing")
    parser.add_argument("--long", action="store_true", help="also what takes long to prepare: a log of ten million entries")
    parser.add_argument("--json", metavar="FILE", help="write the result here too; other areas that it has stay")
    given = parser.parse_args()
    for area in given.areas:
        if area not in AREAS:
            parser.error(f"there is no area \"{area}\"; areas are {', '.join(AREAS)}")
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    if given.quick and given.long:
        parser.error("--quick and --long exclude each other")
    return given


def others(path, measured):
    """The areas that stand in the file and are not measured now."""
    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        before = json.load(file)
    kept = [area for area in before["areas"] if area["area"] not in measured]
    for area in kept:
        area.setdefault("measured", {name: before["machine"][name] for name in ("when", "commit")})
    return kept


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    rounds, seconds = (1, 0) if given.quick else (given.rounds, 2)
    whole = {"quick": given.quick, "long": given.long, "rounds": rounds, "machine": machine.describe(), "areas": []}
    print(machine.text(whole["machine"]), flush=True)
    kept = others(given.json, given.areas or AREAS)
    for area in given.areas or AREAS:
        lab = Lab(area, rounds, given.quick, seconds, given.long)
        importlib.import_module(area).run(lab)
        whole["areas"].append(lab.result())
        print(f"\n{table.area_text(whole['areas'][-1])}", flush=True)
        if given.json:  # after each area: an interruption keeps what is done
            with open(given.json + ".new", "w", encoding="utf-8") as file:
                json.dump({**whole, "areas": sorted(whole["areas"] + kept, key=lambda result: AREAS.index(result["area"]))}, file, indent=1)
                file.write("\n")
            os.replace(given.json + ".new", given.json)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("aegis: interrupted; everything that was started is stopped", file=sys.stderr)
        sys.exit(130)
