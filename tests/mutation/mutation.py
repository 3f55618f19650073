#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weakens copies of a protected database on purpose, and asks the database, aegis.coverage() and the oracle who notices.

    mutation.py fill SOCKET            the database that is copied
    mutation.py run SOCKET all|some    the server runs without processes of its own; prints ok and not ok lines
    mutation.py table                  prints the table of docs/mutation.md
"""
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "oracle")]

from libpq import Refused, Session  # noqa: E402
from mutants import MUTANTS  # noqa: E402
from oracle import Report, sweep  # noqa: E402
from sample import OWN, Sample, fill  # noqa: E402

ASKED = ("manager-city of oracle-one", "lead-city of oracle-one", "ada-city of oracle-one", "admin of oracle-two")


def findings(session):
    """Of the database itself; the one about its name is the same for every copy."""
    return {tuple(row) for row in session.run("SELECT finding, object, severity FROM aegis.coverage() WHERE finding <> 'temp-on-database'")}


def weaken(session, mutant):
    """The error, or nothing."""
    try:
        if mutant.past:
            session.run("SET allow_system_table_mods = on")
            session.execute("SELECT tamper($1)", mutant.sql)
        else:
            session.run(mutant.sql)
    except Refused as refused:
        return refused.state
    return ""


def notices(socket, mutant, database, before):
    """(error, findings of coverage, whether the oracle differs) and the first difference."""
    with Session(socket, "postgres", database) as root:
        state = weaken(root, mutant)
    if state:
        return (state, (), False), ""
    with Session(socket, "postgres", database) as root:
        found = tuple(sorted({finding for finding, _, _ in findings(root) - before}))
    sample, report = Sample(socket, database, OWN), Report()
    try:
        sweep(sample, report, few=True, actors=[a for a in sample.actors if a.name in ASKED])
    finally:
        sample.close()
    first = next(("%s/%s %s" % (*name, lines[0]) for name, lines in report.differences.items()), "")
    return (state, found, bool(report.differences)), first


def run(socket, mutants):
    failed = 0
    with Session(socket, "postgres") as server:
        with Session(socket, "postgres", "origin") as root:
            before = findings(root)
        sample, report = Sample(socket, "origin", OWN), Report()
        sweep(sample, report, few=True, actors=[a for a in sample.actors if a.name in ASKED])
        sample.close()
        print("%sok mutation/as it was (%d comparisons)" % ("not " if report.differences else "", sum(report.compared.values())))
        failed |= bool(report.differences)
        for mutant in mutants:
            server.run("CREATE DATABASE copy TEMPLATE origin")
            got, first = notices(socket, mutant, "copy", before)
            server.run("DROP DATABASE copy WITH (FORCE)")
            wanted = (mutant.refused, tuple(sorted(mutant.coverage)), mutant.oracle)
            noticed = got == wanted and any(got)
            print("%sok mutation/%s (%s)" % ("" if noticed else "not ", mutant.name, first[:160]), flush=True)
            if not noticed:
                failed = 1
                print("  %r, not %r" % (got, wanted))
    return failed


def table():
    print("| what was weakened | the database | `aegis.coverage()` | the oracle |\n|---|---|---|---|")
    for m in MUTANTS:
        print("| %s | %s | %s | %s |" % (m.name, "refuses: %s" % m.refused if m.refused else "allows", ", ".join(
            "`%s`" % f for f in sorted(m.coverage)) or ("" if m.refused else "no"), "" if m.refused else "found" if m.oracle else "no"))


def main(arguments):
    if arguments[0] == "table":
        table()
        return 0
    if arguments[0] == "fill":
        fill(arguments[1], "origin")
        with Session(arguments[1], "postgres", "origin") as root:
            root.run("CREATE FUNCTION tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT")
        return 0
    return run(arguments[1], MUTANTS if arguments[2] == "all" else MUTANTS[::4])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
