#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sqlsmith's random statements, as logins of a tenant that must not see the canaries of another.

    smith.py SOCKET LOG some|all [SEED]      fills a throw-away database first; prints ok and not ok lines"""
import os
import re
import subprocess
import sys
from dataclasses import dataclass

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import canaries  # noqa: E402
from libpq import Session  # noqa: E402
from memory import Memory  # noqa: E402
from proxy import Proxy, Watch  # noqa: E402

SEED = 1504
TRIES = 10           # of further runs for one that was shown nothing
# Where a process ended, whatever it says before.
CRASH = re.compile(r"PANIC|TRAP|server process .* (was terminated|exited)|terminating any other|stack smashing|AddressSanitizer")


@dataclass
class Run:
    name: str
    login: str
    begin: str
    some: int              # statements in check, and with --long
    all: int
    allowed: tuple = ()    # what this login may see
    alive: bool = True     # is shown own values
    whole: bool = False    # also the catalogs and the schema aegis
    control: str = None    # must be shown this


def runs(tokens, tenant):
    def enter(slug, name):
        return "SELECT aegis.authenticate('%s')" % tokens[slug, name]
    assume = "SELECT aegis.assume_tenant('%s', 'smith', 'T-1', read_only => false)" % tenant
    colleague = ("a colleague's value",)
    return [
        Run("a user", "member", enter("smith-one", "user"), 250, 8000),
        Run("a user, at everything", "member", enter("smith-one", "user"), 50, 3000, whole=True, alive=False),
        Run("an admin", "member", enter("smith-one", "admin"), 150, 5000, colleague),
        Run("a member without a context", "member", "", 0, 1000, alive=False),
        Run("the gateway, at everything", "gateway", "", 50, 2000, whole=True, alive=False),
        Run("an operator in a tenant", "operator", assume, 100, 3000, colleague + ("another tenant's name",)),
        Run("an operator, at everything", "operator", "", 0, 1000, ("another tenant's name",), whole=True, alive=False),
        Run("control: the other tenant", "member", enter("smith-two", "admin"), 100, 1500, alive=False, control="another tenant's value"),
        Run("control: past row security", "careless", "", 100, 1500, alive=False, control="another tenant's value"),
    ]


def smith(socket, log, run, count, seed, needles):
    watch = Watch(needles, Memory(socket, log))
    with Proxy(socket, os.path.join(socket, "smith"), run.login, run.begin, watch, run.whole) as proxy:
        command = ["sqlsmith", "--target=host=%s port=5432 user=smith dbname=postgres" % proxy.folder, "--seed=%d" % seed, "--max-queries=%d" % count]
        done = subprocess.run(command if run.whole else [*command, "--exclude-catalog"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd="/", check=False)
    watch.said, watch.status = done.stdout.decode(errors="replace"), done.returncode
    return watch


def faults(run, watch, count, logged):
    if watch.status != 0 or watch.statements < count:
        yield "sqlsmith ended with %d after %d statements: %s" % (watch.status, watch.statements, watch.said[-500:])
    if watch.lost or watch.backends != 1:
        yield "%d backends; %s" % (watch.backends, watch.lost)
    for line in [line for line in logged.splitlines() if CRASH.search(line)][:5]:
        yield "log: " + line
    if run.control:
        return
    for kind, message, statement in [f for f in watch.found if f[0] != "an own value" and f[0] not in run.allowed][:5]:
        yield "%s, in a message \"%s\", by: %s" % (kind, message, statement)
    for kind in {watch.needles[m] for m in watch.pattern.findall(logged.lower().encode())} - {"an own value", *run.allowed}:
        yield "%s in the server's log" % kind
    for message, statement in watch.internal[:5]:
        yield "internal error: %s, by: %s" % (message, statement)
    yield from watch.memory.faults(count)


def blind(watches, each):
    """Runs that were shown nothing of what they may see: then nothing could have been found either. Of a few statements
    all runs of a kind together must have been shown something; which one is, changes with every function that is added."""
    tested = [(run, "an own value", watch) for run, watch in watches if run.alive]
    controls = [(run, run.control, watch) for run, watch in watches if run.control]
    for group in [[one] for one in tested + controls] if each else [tested, controls]:
        if not any(wanted in watch.kinds for _, wanted, watch in group):
            yield group[0][0], "; ".join("%s was not shown %s" % (run.name, wanted) for run, wanted, _ in group)


def look_on(socket, log, watches, seed, needles, each):
    """What is still blind after other statements: a hundred random ones need not read a table, a control that works soon does."""
    for more in range(1, TRIES + 1):
        for run, _ in list(blind(watches, each)):
            watches.append((run, smith(socket, log, run, run.some, seed + more, needles)))
    return [said for _, said in blind(watches, each)]


def main(socket, log, which, seed):
    tokens = canaries.fill(socket)
    needles = canaries.needles(socket)
    with Session(socket, "postgres") as root:
        tenant = root.value("SELECT id FROM aegis.tenant WHERE slug = 'smith-one'")
    failed, watches = False, []
    print("smith: seed %d" % seed, flush=True)
    for run in runs(tokens, tenant):
        count = getattr(run, which)
        if count == 0:
            continue
        begun = os.path.getsize(log)
        watch = smith(socket, log, run, count, seed, needles)
        watches.append((run, watch))
        with open(log, "rb") as file:
            file.seek(begun)
            logged = file.read().decode(errors="replace")
        wrong = list(faults(run, watch, count, logged))
        failed = failed or bool(wrong)
        print("%sok smith/%s (%d statements)" % ("not " if wrong else "", run.name, watch.statements))
        print("".join("  %s\n" % " ".join(line.split())[:2000] for line in wrong), end="")
        print("  outcomes: %s" % ", ".join("%s %d" % pair for pair in sorted(watch.outcomes.items(), key=lambda p: -p[1])[:12]))
        print("  shown: %s; %s" % (watch.kinds, watch.memory), flush=True)
    wrong = look_on(socket, log, watches, seed, needles, which == "all")
    print("%sok smith/canaries are seen where they may be%s" % ("not " if wrong else "", "".join("\n  " + line for line in wrong)))
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else SEED))
