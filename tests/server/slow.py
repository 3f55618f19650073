#!/usr/bin/env python3
"""slowhttptest, which is somebody else's: clients that send their heads or bodies in drops, or read in drops. The gateway lets go
of each in time, and whoever asks properly meanwhile is served as ever."""
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report  # noqa: E402
from fixture.process import environment  # noqa: E402
from fixture.report import equal, until  # noqa: E402

WORKERS = 4
CONNECTIONS = 120
SECONDS = 8        # four times as long as anything may take
GOAL, QUIET = 0.3, 0.05  # seconds of the 99th percentile: the goal, and what a machine has that is free for it
# All of them at once would be load, and no slowness: so many come each second for five, and each stays for two.
EACH_SECOND = CONNECTIONS // 5
PATIENCE = {"handshake_seconds": 2, "head_seconds": 2, "body_seconds": 2, "write_seconds": 2, "idle_seconds": 2}
MODES = {
    "slow-heads": ["-H", "-i", "1", "-u", "/api/health"],
    "slow-bodies": ["-B", "-i", "1", "-s", "4000", "-f", "application/json", "-u", "/api/session"],
    # Answers of a hundred thousand bytes each, which nobody takes.
    "slow-readers": ["-X", "-n", "1", "-z", "8", "-w", "64", "-y", "128", "-k", "1", "-u", "/api/openapi.json"],
}


class Honest(threading.Thread):
    """Asks all the time, each time on a connection of its own, and notes how long an answer took."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.over, self.times, self.wrong, self.held = gateway, threading.Event(), [], [], []

    def run(self):
        while not self.over.is_set():
            started = time.monotonic()
            try:
                client = Client(self.gateway)
                status = client.request("GET", "/api/health").status
                client.close()
                if status != 200:
                    self.wrong.append(status)
            except OSError as error:
                self.wrong.append(repr(error))
            self.times.append(time.monotonic() - started)
            self.held.append(len(os.listdir(f"/proc/{self.gateway.process.pid}/fd")))
            time.sleep(0.02)


def attacked(gateway, options):
    """What slowhttptest saw at the end, and what an honest client met meanwhile."""
    options = [f"https://localhost:{gateway.port}{o}" if o.startswith("/") else o for o in options]
    honest = Honest(gateway)
    honest.start()
    try:
        done = subprocess.run(["slowhttptest", "-c", str(CONNECTIONS), "-r", str(EACH_SECOND), "-l", str(SECONDS), "-p", "3", *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), cwd="/",
                              timeout=60, check=False)
    finally:
        honest.over.set()
        honest.join()
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", done.stdout)
    available = set(re.findall(r"service available: *(\w+)", text))
    assert available and "Exit status" in text, text[-2000:]
    return available, honest


def alone(gateway):
    """The 99th percentile of the same client while nobody attacks: what this machine does to it by itself."""
    honest = Honest(gateway)
    honest.start()
    time.sleep(3)
    honest.over.set()
    honest.join()
    return sorted(honest.times)[int(len(honest.times) * 0.99)]


def main():
    report = Report("slow")
    if shutil.which("slowhttptest") is None:
        print("skip slow (slowhttptest is not installed: ./aegis check does that)")
        return
    settings = {"limits": PATIENCE, "server": {"workers": WORKERS, "connections_per_address": 2000, "max_connections": 2000}}
    with Cluster() as cluster, Gateway(cluster, settings) as gateway:
        control = alone(gateway)
        for name, options in MODES.items():
            with report.test(name):
                before, files = len(gateway.lines()), len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
                available, honest = attacked(gateway, options)
                times = sorted(honest.times)
                late = times[int(len(times) * 0.99)]

                def told(before=before):
                    return sum(line["event"] == "request" and line["status"] == 408 for line in gateway.lines()[before:])
                if name != "slow-readers":
                    until(lambda: told() == CONNECTIONS, 10, "the last one's answer")
                print(f"# {told()} told that they were too slow; {max(honest.held) - files} at once; {len(times)} others, the 99th of a hundred after {late * 1000:.0f} ms, "
                      f"with nobody slow after {control * 1000:.0f} ms")
                equal((honest.wrong, available), ([], {"YES"}), "others")
                # Of a slow reader the answers lie in the kernel: nothing of it is the gateway's any more.
                most = max(honest.held) - files
                assert most >= 3 * WORKERS, f"{most} connections at once are no attack on {WORKERS} workers"
                until(lambda files=files: len(os.listdir(f"/proc/{gateway.process.pid}/fd")) <= files + WORKERS, 10, "the end of all of them")
                assert len(times) >= 20, len(times)
                # On a machine that is busy with other things, those hold up the client without any attack as well: then the goal says nothing.
                busy = control if late < GOAL else max(control, alone(gateway))  # it may have become busy meanwhile
                if busy < QUIET:
                    assert late < GOAL, (busy, times[-10:])
                else:
                    print(f"skip slow/{name}-within-{GOAL * 1000:.0f}-ms (busy machine: {busy * 1000:.0f} ms with nobody slow, the goal is for less than {QUIET * 1000:.0f})")
                    assert late < max(GOAL, 5 * busy), (busy, times[-10:])
    report.finish()


if __name__ == "__main__":
    main()
