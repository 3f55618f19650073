# SPDX-License-Identifier: Apache-2.0
"""What a backend keeps from statement to statement, by PostgreSQL's own account of its memory contexts.

The size of the process says too little: random statements lead a backend to ever more tables, types and functions, which
fill the server's caches. So caches are told from what must not grow. What lies outside of all contexts says something
only where malloc gives back at once what is freed ("giving_back" in tests/cluster.sh): by itself it keeps 38 MB after one
password."""
import os
import re
import time

from libpq import Session

EVERY = 250          # statements
GROWTH = 1 << 20     # bytes of all contexts that are no cache, after the first quarter
OUTSIDE = 12 << 20   # bytes of the process that no context accounts for, beside one single step: freed, but not given back
PATIENCE = 10        # seconds for the account to be in the log
CONTEXT = re.compile(r"level: (\d+); (.+?): (\d+) total in \d+ blocks; \d+ free \(\d+ chunks\); (\d+) used")
GRAND = re.compile(r"Grand total: (\d+) bytes in ")
# Filled by what statements name, and bounded by what there is to be named. With everything below them.
CACHES = ("CacheMemoryContext", "PL/pgSQL function", "Type information cache", "Operator lookup cache", "Timezones",
          "aegis event types", "aegis function verdicts", "aegis callers of the ledger")


def account(logged):
    """{name of a context that is no cache: bytes, "caches": bytes, "all": bytes} of one log of a backend's contexts."""
    sizes, below = {}, None
    for line in logged.splitlines():
        if context := CONTEXT.search(line):
            level, name, total = int(context.group(1)), context.group(2), int(context.group(3))
            if below is None or level <= below:
                below = level if name in CACHES else None
            name = name if below is None else "caches"
            sizes[name] = sizes.get(name, 0) + total
        elif grand := GRAND.search(line):
            sizes["all"] = int(grand.group(1))
    return sizes


class Memory:
    """Samples of one backend."""

    def __init__(self, socket, log):
        self.socket, self.log = socket, log
        self.samples = []    # (statements, account, bytes outside of all contexts)

    def sample(self, pid, statements):
        """Between two statements. The backend writes the account into the log when the signal finds it waiting."""
        begun = os.path.getsize(self.log)
        with Session(self.socket, "postgres") as root:
            root.run("SELECT pg_log_backend_memory_contexts(%d)" % pid)
        deadline = time.monotonic() + PATIENCE
        while "all" not in (sizes := account(self.logged(begun))):
            if time.monotonic() > deadline:
                raise TimeoutError("no account of the memory of backend %d" % pid)
            time.sleep(0.02)
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            resident = int(re.search(r"RssAnon:\s+(\d+) kB", file.read()).group(1)) * 1024
        self.samples.append((statements, sizes, resident - sizes["all"]))

    def logged(self, begun):
        with open(self.log, "rb") as file:
            file.seek(begun)
            return file.read().decode(errors="replace")

    def settled(self, count):
        return [s for s in self.samples if s[0] >= count / 4]

    @staticmethod
    def grown(first, last):
        """Contexts beside caches, with what they grew by, the largest first."""
        sizes = {name: last[1][name] - first[1].get(name, 0) for name in last[1] if name not in ("all", "caches")}
        return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))

    def faults(self, count):
        settled = self.settled(count)
        if len(settled) < 2:
            return
        grown = self.grown(settled[0], settled[-1])
        if sum(grown.values()) > GROWTH:
            yield "what it keeps beside caches grew by %d bytes: %s" % (sum(grown.values()), list(grown.items())[:5])
        steps = [after[2] - before[2] for before, after in zip(settled, settled[1:])]
        if sum(steps) - max(steps) > OUTSIDE:
            yield "what no memory context accounts for grew from %d to %d bytes" % (settled[0][2], settled[-1][2])

    def __str__(self):
        shown = self.samples[::max(1, len(self.samples) // 6)]
        parts = [[round(part(s) / (1 << 20), 1) for s in shown]
                 for part in (lambda s: s[1]["caches"], lambda s: s[1]["all"] - s[1]["caches"], lambda s: s[2])]
        most = {name: size >> 10 for name, size in self.grown(shown[0], shown[-1]).items() if size >= 1 << 16} if shown else {}
        return "MB of caches %s, of other contexts %s, outside %s; kB that these grew by: %s" % (*parts, most)
