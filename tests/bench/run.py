#!/usr/bin/env python3
"""Measures Aegis beside its peers; ./aegis bench is the way to call it.

    tests/bench/run.py [AREA ...] [--rounds N] [--quick] [--json FILE]

The areas are those of AREAS, each in a file of its name. Results are printed as tables and written as JSON."""
import argparse
import importlib
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, machine, table  # noqa: E402

AREAS = ("tenancy", "encryption", "ledger", "gateway", "password", "bystander")


def arguments():
    parser = argparse.ArgumentParser(prog="aegis bench", description="Measures Aegis beside its peers.")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{', '.join(AREAS)}; all of them when none is named")
    parser.add_argument("--rounds", type=int, default=2, help="how often each variant runs (2)")
    parser.add_argument("--quick", action="store_true", help="one short round over little data: shows that it works, measures nothing")
    parser.add_argument("--json", metavar="FILE", help="write the result here too")
    given = parser.parse_args()
    for area in given.areas:
        if area not in AREAS:
            parser.error(f"there is no area \"{area}\"; areas are {', '.join(AREAS)}")
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    return given


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    rounds, seconds = (1, 0) if given.quick else (given.rounds, 2)
    whole = {"quick": given.quick, "rounds": rounds, "machine": machine.describe(), "areas": []}
    print(machine.text(whole["machine"]), flush=True)
    for area in given.areas or AREAS:
        lab = Lab(area, rounds, given.quick, seconds)
        importlib.import_module(area).run(lab)
        whole["areas"].append(lab.result())
        print(f"\n{table.area_text(whole['areas'][-1])}", flush=True)
        if given.json:  # after each area: an interruption keeps what is done
            with open(given.json + ".new", "w", encoding="utf-8") as file:
                json.dump(whole, file, indent=1)
                file.write("\n")
            os.replace(given.json + ".new", given.json)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("aegis: interrupted; everything that was started is stopped", file=sys.stderr)
        sys.exit(130)
