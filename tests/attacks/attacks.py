#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every known way to another tenant's rows is tried against a database of our own. docs/attacks.md is the list.

    attacks.py run SOCKET [NAME ...]      fills a throw-away database, attacks it; prints ok and not ok lines
    attacks.py control SOCKET [NAME ...]  the same database with the walls switched off: what they alone stop must succeed
    attacks.py table                      prints the tables of docs/attacks.md

A name is that of an attack, or the letter of a group.
"""
import os
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bypass  # noqa: E402,F401
import contexts  # noqa: E402,F401
import grants  # noqa: E402,F401
import over_http  # noqa: E402,F401
import pooled  # noqa: E402,F401
import sides  # noqa: E402,F401
import writes  # noqa: E402,F401
from catalogue import ATTACKS, GROUPS, Succeeded, table  # noqa: E402
from wire import Refused  # noqa: E402
from world import World  # noqa: E402

ALONE = ("B", "C", "W", "S", "G")  # groups that need a server and nothing else


def attempt(attack, world):
    """What went wrong, or nothing."""
    try:
        attack.test(world)
    except (Succeeded, Refused) as failure:
        line = traceback.extract_tb(failure.__traceback__)
        return "%s (%s)" % (failure, ", ".join("%s:%d" % (os.path.basename(f.filename), f.lineno) for f in line[1:3]))
    finally:
        world.close()
    return ""


def run(place, names, control):
    world = World(place)
    if control:
        world.find()
    else:
        world.fill()
    if any(name[0] == "P" for name in names):
        pooled.prepare(world)
    failed = 0
    for attack in ATTACKS.values():
        if not {attack.name, attack.name[0]} & set(names or ALONE) or control and not attack.falls:
            continue
        said = attempt(attack, world)
        if control:
            good = bool(said)
            print("%sok attack/%s succeeds without the walls" % ("" if good else "not ", attack.name), flush=True)
        else:
            good = not said
            print("%sok attack/%s %s" % ("" if good else "not ", attack.name, attack.title), flush=True)
            if said:
                print("  " + said)
        failed |= not good
    return int(failed)


def main(arguments):
    if arguments[0] == "table":
        table(GROUPS)
        return 0
    return run(arguments[1], arguments[2:], arguments[0] == "control")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
