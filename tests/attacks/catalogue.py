# SPDX-License-Identifier: Apache-2.0
"""The list of attacks: every one has an identifier that stays, a title, who tries it, and what stops it. docs/attacks.md is made of it."""
from dataclasses import dataclass
from typing import Callable

ATTACKS = {}
GROUPS = {"B": "Around row security", "C": "With another context", "W": "By writing", "S": "By side channels", "P": "Through a pooler",
          "G": "By what the catalogs grant", "H": "Over HTTP"}


@dataclass(frozen=True)
class Attack:
    name: str
    title: str
    who: str
    stops: str
    test: Callable
    # Succeeds when the walls of the configuration are switched off: so the test is awake.
    falls: bool

    @property
    def group(self):
        return GROUPS[self.name[0]]


def attack(name, title, who, stops, falls=False):
    def keep(test):
        if name in ATTACKS:
            raise ValueError("two attacks are called " + name)
        ATTACKS[name] = Attack(name, title, who, stops, test, falls)
        return test
    return keep


class Succeeded(Exception):
    """An attack did."""


def equal(got, wanted, about=""):
    if got != wanted:
        raise Succeeded("%s%s, not %s" % (about + ": " if about else "", shorten(got), shorten(wanted)))


def holds(condition, about):
    if not condition:
        raise Succeeded(about)


def refuses(session, state, *statements):
    """Each statement fails with this SQLSTATE, or one of these."""
    states = (state,) if isinstance(state, str) else state
    for sql in statements:
        got = session.state(sql)
        if got not in states:
            raise Succeeded("%s: %s, not %s" % (sql[:120], got or "no error", " or ".join(states)))


def shorten(value):
    shown = value if isinstance(value, str) else repr(value)
    return shown if len(shown) < 400 else shown[:400] + " …"


def table(groups):
    """Markdown, one table for each group."""
    for letter in groups:
        of_group = [a for a in ATTACKS.values() if a.name[0] == letter]
        if not of_group:
            continue
        print("| attack | who | what stops it | test |\n|---|---|---|---|")
        for a in of_group:
            print("| %s | %s | %s | %s |" % (a.title, a.who, a.stops, a.name))
        print()
