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

CONNECTIONS = 120   # thirty times the workers
SECONDS = 8        # four times as long as anything may take
PATIENCE = {"handshake_seconds": 2, "head_seconds": 2, "body_seconds": 2, "write_seconds": 2, "idle_seconds": 2}
MODES = {
    "slow-heads": ["-H", "-i", "1", "-u", "/api/health"],
    "slow-bodies": ["-B", "-i", "1", "-s", "4000", "-f", "application/json", "-u", "/api/session"],
    # Answers of a hundred thousand bytes each, which nobody takes.
    "slow-readers": ["-X", "-n", "1", "-z", "8", "-w", "64", "-y", "128", "-k", "3", "-u", "/api/openapi.json"],
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
        done = subprocess.run(["slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(SECONDS), "-p", "3", *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), cwd="/",
                              timeout=60, check=False)
    finally:
        honest.over.set()
        honest.join()
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", done.stdout)
    available = set(re.findall(r"service available: *(\w+)", text))
    assert available and "Exit status" in text, text[-2000:]
    return available, honest


def main():
    report = Report("slow")
    if shutil.which("slowhttptest") is None:
        print("skip slow (slowhttptest is not installed: ./aegis check does that)")
        return
    settings = {"limits": PATIENCE, "server": {"workers": 4, "connections_per_address": 2000, "max_connections": 2000}}
    with Cluster() as cluster, Gateway(cluster, settings) as gateway:
        for name, options in MODES.items():
            with report.test(name):
                before = len(gateway.lines())
                available, honest = attacked(gateway, options)
                times = sorted(honest.times)
                late, usual = times[int(len(times) * 0.99)], times[int(len(times) * 0.95)]

                def told(before=before):
                    return sum(line["event"] == "request" and line["status"] == 408 for line in gateway.lines()[before:])
                if name != "slow-readers":
                    until(lambda: told() == CONNECTIONS, 10, "the last one's answer")
                print(f"# {told()} told that they were too slow; {len(times)} others, the 99th of a hundred after {late * 1000:.0f} ms")
                equal((honest.wrong, available), ([], {"YES"}), "others")
                # Of a slow reader the answers lie in the kernel: nothing of it is the gateway's any more.
                assert max(honest.held) > CONNECTIONS and honest.held[-1] < CONNECTIONS / 2, (max(honest.held), honest.held[-1])
                assert len(times) >= 20, len(times)
                assert usual < 0.3 and late < 2, times[-10:]
    report.finish()


if __name__ == "__main__":
    main()
