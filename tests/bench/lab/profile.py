"""Where the servers spend the processor's time under a load: samples of perf, by part (program or library) and function, and
what their sessions wait for. The load runs once more for it, never while it is measured.

The software clock samples everywhere, also in virtual machines without hardware counters. Functions that a stripped library
does not export have no name and are counted together."""
import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from fixture.process import environment

from .load import descendants, tree

# The whole machine: a profile of processes by number does not follow those that they start.
RECORD = ["perf", "record", "-q", "-a", "-e", "cpu-clock"]
SAMPLES_PER_SECOND = "999"
FUNCTIONS = 12
UNNAMED = "(not exported)"
WAITS = """SELECT coalesce(wait_event, 'running'), count(*) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid() GROUP BY 1 \\watch 0.05
"""
servers = []    # process ids of postmasters and gateways that run now
clusters = []


@contextlib.contextmanager
def watched(pid):
    servers.append(pid)
    try:
        yield
    finally:
        servers.remove(pid)


def ticks():
    return sum(tree(pid) for pid in servers)


def missing():
    """Why there can be no profile; None when there can."""
    if shutil.which("perf") is None:
        return "perf is not installed"
    done = subprocess.run([*RECORD, "-o", "/dev/null", "--", "true"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    return None if done.returncode == 0 else f"perf does not work here: {' '.join(done.stderr.split())[:200]}"


def part(path):
    if path.startswith("[kernel") or path.endswith(".ko"):
        return "kernel"
    if path.startswith("["):
        return "kernel" if path == "[vdso]" else "other"
    name = os.path.basename(path)
    if re.fullmatch(r"perf-\d+\.map", name):
        return "compiled JavaScript"
    return name if name.startswith("aegis") else re.sub(r"(\.so)?[.\-0-9]*$", "", name) or "other"


def function(symbol):
    """Without arguments, template arguments and the compiler's suffixes."""
    if symbol == "[unknown]":
        return UNNAMED
    symbol = symbol.replace("(anonymous namespace)::", "")
    symbol = re.sub(r"\.(part|constprop|isra|cold|localalias)[.0-9]*|\[clone [^]]*\]", "", symbol)
    while (shorter := re.sub(r"<[^<>]*>", "", symbol)) != symbol:
        symbol = shorter
    return symbol.partition("(")[0].split(" ")[-1].strip() or UNNAMED


def read(path, watch):
    """Samples by (part, function) of these processes and of all that they started meanwhile."""
    said = subprocess.run(["perf", "script", "-i", path, "--show-task-events", "-F", "pid,ip,sym,dso"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, env=environment(), check=True).stdout
    ours = set(watch)
    for child, parent in re.findall(r"PERF_RECORD_FORK\((\d+):\d+\):\((\d+):", said):
        if int(parent) in ours:
            ours.add(int(child))
    counts = collections.Counter()
    for pid, symbol, path in re.findall(r"^ *(\d+) +[0-9a-f]+ (.*) \((.*?)\)$", said, re.M):
        if int(pid) in ours:
            counts[part(path), function(symbol)] += 1
    return counts


class Waits:
    """with Waits() as waits: ...; then waits.shares: of the busy sessions' moments, what they waited for."""

    def __enter__(self):
        self.running = [cluster.begin_psql(WAITS) for cluster in clusters]
        return self

    def __exit__(self, *_):
        counts = collections.Counter()
        for process in self.running:
            process.send_signal(signal.SIGTERM)
            for name, count in re.findall(r"^(\w+)\|(\d+)$", process.communicate()[0], re.M):
                counts[name] += int(count)
        self.shares = shares(counts)


def shares(counts, most=None):
    whole = max(1, sum(counts.values()))
    return [[name, round(count / whole, 4)] for name, count in counts.most_common(most)]


def record(load, seconds):
    """Runs a load until so many seconds are over, and says where the servers' time went."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-profile-") as folder:
        path = os.path.join(folder, "perf.data")
        watch = [pid for server in servers for pid in descendants(server)]
        perf = subprocess.Popen([*RECORD, "-F", SAMPLES_PER_SECOND, "-o", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env=environment())
        try:
            with Waits() as waits:
                deadline = time.monotonic() + 10
                while perf.poll() is None and time.monotonic() < deadline and not (os.path.exists(path) and os.path.getsize(path)):
                    time.sleep(0.02)  # until it has begun
                time.sleep(0.1)
                until = time.monotonic() + seconds
                while True:
                    figures = load()
                    if time.monotonic() >= until:
                        break
        finally:
            perf.send_signal(signal.SIGINT)
            said = perf.communicate()[1]
        counts = read(path, watch) if os.path.exists(path) else collections.Counter()
    if not counts:
        return {"missing": f"perf took no samples: {' '.join(said.split())[:200]}"}
    parts = collections.Counter()
    for (where, _), count in counts.items():
        parts[where] += count
    return {"samples": sum(counts.values()), "server_us": figures.get("server_us") if isinstance(figures, dict) else None,
            "parts": shares(parts), "functions": [[*name, share] for name, share in shares(counts, FUNCTIONS)],
            "waits": waits.shares}
