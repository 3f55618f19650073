#!/usr/bin/env python3
"""Crowds: many busy connections get an equal share, and thousands of idle ones cost nobody time."""
import os
import resource
import selectors
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, LOGIN, Report, connect, read_replies  # noqa: E402
from fixture.report import equal, until  # noqa: E402

BUSY = 256
IDLE = 10000
DESCRIPTORS = IDLE + 256
GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


SLOW = """
CREATE SCHEMA probe;
GRANT USAGE ON SCHEMA probe TO aegis_member;
CREATE FUNCTION probe.slow(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  over timestamptz := clock_timestamp() + interval '250 ms';
BEGIN
  WHILE clock_timestamp() < over LOOP
  END LOOP;
  RETURN aegis.respond(200, '{}');
END $$;
GRANT EXECUTE ON FUNCTION probe.slow(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/slow', 'probe.slow(aegis.request)');
"""


def get(path, token):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


class Loop:
    """Connections that ask again as soon as they are answered, all at once, from one thread."""

    def __init__(self, gateway, request, count):
        self.request = request
        self.selector = selectors.DefaultSelector()
        self.served = [0] * count
        self.worst = 0.0
        self.streams = [connect(gateway) for _ in range(count)]
        for number, stream in enumerate(self.streams):
            stream.setblocking(False)
            self.selector.register(stream, selectors.EVENT_READ, [number, b"", 0.0])

    def run(self, seconds):
        for key in list(self.selector.get_map().values()):
            self.ask(key)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in self.selector.select(1):
                self.take(key)

    def ask(self, key):
        key.data[1:] = [b"", time.monotonic()]
        key.fileobj.sendall(self.request)  # a few hundred bytes: always fit into the socket

    def take(self, key):
        try:
            data = key.fileobj.recv(65536)
        except ssl.SSLWantReadError:  # a session ticket, or part of a record
            return
        assert data, f"connection {key.data[0]} was closed after {self.served[key.data[0]]} answers"
        key.data[1] += data
        head, found, body = key.data[1].partition(b"\r\n\r\n")
        if not found:
            return
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) == length:
            self.worst = max(self.worst, time.monotonic() - key.data[2])
            self.served[key.data[0]] += 1
            self.ask(key)

    def close(self):
        for stream in self.streams:
            stream.close()
        self.selector.close()


def busy(report, cluster):
    with Gateway(cluster, {"server": {"workers": 4}}) as gateway:
        token = Client(gateway).sign_in(LOGIN)
        with report.test(f"{BUSY}-busy-connections-share-4-workers"):
            loop = Loop(gateway, get("/api/organisation", token), BUSY)
            try:
                loop.run(4)
            finally:
                loop.close()
            mean = sum(loop.served) / BUSY
            print(f"# {sum(loop.served)} answers, {min(loop.served)} to {max(loop.served)} for each connection, "
                  f"the longest took {loop.worst * 1000:.0f} ms")
            assert mean >= 4, loop.served
            assert min(loop.served) >= mean / 2, f"starved: {sorted(loop.served)[:5]} of {mean:.0f}"

    with Gateway(cluster, {"server": {"workers": 1, "queue": 8}}) as gateway:
        with report.test("more-than-the-queue-holds-is-503"):
            cluster.sql(SLOW)
            # Connected one after the other, then all at once for one worker that is held up.
            streams = [connect(gateway) for _ in range(40)]
            request = get("/api/slow", Client(gateway).sign_in(LOGIN))
            until(lambda: Client(gateway).request("GET", "/api/slow").status == 401, what="the route")
            for stream in streams:
                stream.sendall(request)
            replies = [read_replies(stream, 1)[0][0] for stream in streams]
            for stream in streams:
                stream.close()
            statuses = [reply.status for reply in replies]
            equal(set(statuses), {200, 503}, "statuses")
            assert 8 <= statuses.count(200) <= 10, statuses  # one under way, eight in the queue
            for reply in replies:
                if reply.status == 503:
                    equal((reply.problem(), reply.headers["retry-after"]), ("overloaded", "1"), "problem")
                    equal(reply.headers["connection"], "close", "connection")


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def idle(report, cluster):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if os.environ.get("AEGIS_LONG") != "yes":
        print("skip crowd/10000-idle-connections (long: AEGIS_LONG=yes)")
        return
    if most < DESCRIPTORS:
        print(f"skip crowd/10000-idle-connections (ulimit -Hn is {most}, it needs {DESCRIPTORS})")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    settings = {"server": {"workers": 4, "connections_per_address": 20000, "max_connections": 20000},
                "limits": {"idle_seconds": 3600}}
    with Gateway(cluster, settings) as gateway, report.test("10000-idle-connections-held-and-served"):
        before = memory_kb(gateway.process.pid)
        held = []
        faults = []

        def open_some(count):
            try:
                for _ in range(count):
                    stream = connect(gateway, timeout=60)
                    stream.sendall(GET)
                    equal(read_replies(stream, 1)[0][0].status, 200, "status")
                    held.append(stream)
            except BaseException as fault:  # noqa: BLE001 - told below, on the main thread
                faults.append(fault)

        threads = [threading.Thread(target=open_some, args=(IDLE // 4,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            equal((faults, len(held)), ([], IDLE), "opened")
            each = (memory_kb(gateway.process.pid) - before) / IDLE
            times = []
            client = Client(gateway, token=Client(gateway).sign_in(LOGIN))
            for _ in range(50):
                started = time.monotonic()
                equal(client.request("GET", "/api/organisation").status, 200, "status")
                times.append(time.monotonic() - started)
            print(f"# {each:.1f} kB for each idle connection; others wait {sorted(times)[25] * 1000:.1f} ms")
            assert each < 64, f"{each:.1f} kB"
            assert sorted(times)[25] < 0.5, sorted(times)
            for stream in held[::20]:  # parked for a while, and served again
                stream.sendall(GET)
                equal(read_replies(stream, 1)[0][0].status, 200, "status of a parked connection")
        finally:
            for stream in held:
                stream.close()


if __name__ == "__main__":
    report = Report("crowd")
    with Cluster() as cluster:
        busy(report, cluster)
        idle(report, cluster)
    report.finish()
