#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks for every protected table, every command and every actor what the database shows or changes, and compares with rule.py.

    oracle.py SOCKET      fills a throw-away database first; prints ok and not ok lines
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import reads  # noqa: E402
from libpq import Refused, Session  # noqa: E402
from rule import Rule  # noqa: E402
from sample import APPLICATION, OWN, Sample, fill  # noqa: E402
from writes import Writes, state_of  # noqa: E402


class Report:
    """Differences by table and way; every comparison is counted."""

    def __init__(self):
        self.compared, self.differences = {}, {}

    def __call__(self, table, way, actor, got, wanted):
        name = (table.name, way)
        self.compared[name] = self.compared.get(name, 0) + 1
        if got != wanted:
            self.differences.setdefault(name, []).append("%s: %s, not %s" % (actor.name, shorten(got), shorten(wanted)))

    def show(self):
        for name, count in self.compared.items():
            differences = self.differences.get(name, [])
            print("%sok oracle/%s/%s (%d comparisons)" % ("not " if differences else "", *name, count))
            for difference in differences[:5]:
                print("  " + difference)
        return 1 if self.differences else 0


def shorten(value):
    text = str(sorted(value) if isinstance(value, set) else value)
    return text if len(text) < 300 else text[:300] + " …"


def sweep(sample, report, few=False, actors=None):
    """All actors at all tables. With few: the shortest way of each command, for databases that somebody has weakened."""
    rule = Rule(sample.teams)
    rows = {table: sample.rows(table) for table in sample.tables}
    for actor in actors or sample.actors:
        session = sample.session(actor.login)
        session.run("BEGIN; " + actor.enter)
        for table in sample.tables:
            if actor.login == "shopkeeper" and not table.own:
                continue
            seen = rule.seen(actor, rows[table], table)
            for name, (login, call) in reads.ways(table, few).items():
                if login is not None and actor.login != "member":
                    continue
                other = sample.session(login) if login else session
                if login:
                    other.run("BEGIN; " + actor.enter)
                got = state_of(other.attempt(lambda: call(other, table)))  # noqa: B023
                if login:
                    other.run("ROLLBACK")
                wanted = len(seen) if name == "count(*)" else seen
                if table.hollow and name in reads.ONLY:
                    wanted = set()
                if name in reads.SAMPLES and actor.login == "member":
                    wanted = "AG010"
                elif actor.tenant is None:
                    wanted = "AG001"
                elif name in reads.LOCKING and actor.read_only:
                    wanted = "25006"
                elif name in reads.LOCKING and actor.login == "operator" and not table.own:
                    wanted = "42501"  # an operator may only read the application's tables
                report(table, name, actor, got, wanted)
            if table.own or actor.login == "member":
                Writes(rule, actor, session, table, rows[table], report).run(few)
        session.run("ROLLBACK")


def commit_marks(sample, report):
    """What an UPDATE that is committed has changed, a superuser sees; a row's stamp too, of all that there are."""
    rule = Rule(sample.teams)
    for table in sample.tables:
        if not table.own:
            continue
        for actor in sample.actors:
            if actor.tenant is None or actor.read_only:
                continue
            session = sample.session(actor.login)
            rows = sample.rows(table)
            sample.root.run("UPDATE %s SET note = NULL WHERE note IS NOT NULL" % table.name)
            session.run("BEGIN; %s" % actor.enter)
            session.run("UPDATE %s SET note = 'm'; COMMIT" % table.name)
            changed = {row[0] for row in sample.root.run("SELECT %s FROM %s t WHERE note IS NOT NULL" % (table.key, table.name))}
            report(table, "UPDATE, committed", actor, changed, {row.key for row in rows if rule.may_write(actor, row, table)})
    for table in sample.tables:
        for actor in sorted((a for a in sample.actors if a.tenant and not a.read_only), key=lambda a: a.rank):
            if not table.own or table.short == "document":
                continue
            rows = sample.rows(table)
            session = sample.session(actor.login)
            session.run("BEGIN; %s" % actor.enter)
            session.run("DELETE FROM %s; COMMIT" % table.name)
            report(table, "DELETE, committed", actor, {row.key for row in sample.rows(table)},
                   {row.key for row in rows if not rule.may_write(actor, row, table)})


def check_sample(sample, socket):
    """The sample is one that tells ranks and tenants apart, and plans are of the kinds that they claim to be."""
    rule, bad = Rule(sample.teams), []
    users = [a for a in sample.actors if a.login == "member" and a.tenant]
    for table in OWN:
        rows = sample.rows(table)
        distinct = {frozenset(rule.seen(a, rows, table)) for a in users}
        if len({row.tenant for row in rows}) < 2 or len(distinct) < (2 if table.short == "setting" else 5 if table.team else 4):
            bad.append("%s: %d tenants, %d different sets" % (table.name, len({r.tenant for r in rows}), len(distinct)))
    for table in APPLICATION:
        if {row.tenant for row in sample.rows(table)} != {a.tenant for a in users}:
            bad.append("%s: not of both tenants" % table.name)
    registered = {row[0] for row in sample.root.run(
        "SELECT relation::text FROM aegis.protected_table UNION ALL SELECT relation::text FROM aegis.protected_part p"
        " JOIN pg_class c ON c.oid = p.relation WHERE NOT c.relispartition")}
    if registered != {table.name for table in OWN + APPLICATION}:
        bad.append("protected tables that are not tested: %s" % (registered ^ {table.name for table in OWN + APPLICATION}))
    for login, node in (("member_parallel", "Gather"), ("member_index", "Index")):
        settings = sample.root.value("SELECT string_agg('SET ' || c, '; ') FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole,"
                                     " unnest(setconfig) c WHERE rolname = '%s'" % login)
        with Session(socket, "postgres") as planner:
            planner.run(settings)
            plan = "\n".join(row[0] for row in planner.run("EXPLAIN SELECT * FROM shop.document WHERE tenant_id IS NOT NULL"))
        if node not in plan:
            bad.append("%s plans without %s: %s" % (login, node, plan))
    print("%sok oracle/sample (%d actors, %d tables)" % ("not " if bad else "", len(sample.actors), len(registered)))
    print("".join("  %s\n" % line for line in bad), end="")
    return bad


def main(socket):
    fill(socket)
    sample, report = Sample(socket), Report()
    bad = check_sample(sample, socket)
    sweep(sample, report)
    commit_marks(sample, report)
    sample.close()
    return report.show() or int(bool(bad))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except Refused as refused:
        sys.exit("not ok oracle: %s" % refused)
