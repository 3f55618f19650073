"""HTTP servers under load: wrk, new connections, connections that are all served."""
import asyncio
import json
import os
import re
import resource
import signal
import ssl
import subprocess
import time

from fixture.cluster import BIN
from fixture.process import ROOT, as_user, environment, run

from .tenant import PASSWORD

SCRIPT = os.path.join(ROOT, "tests", "bench", "wrk.lua")


def wrk(port, path, items, token, connections, seconds, body=None):
    """Requests per second, p50 and p99 in milliseconds; what was answered wrongly is an error. A body is posted."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or 1}s", "-s", SCRIPT, f"https://localhost:{port}", "--", path, str(items), token, *([body] if body else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment({"CONNECTIONS": str(connections)}), cwd="/", check=True)
    figures = json.loads(re.search(r"^\{.*\}$", done.stdout, re.M).group(0))
    if figures.pop("wrong"):
        raise RuntimeError(f"wrong answers: {done.stdout}")
    return figures


class Flood:
    """with Flood(...): ...; connections that sign in over and over meanwhile. Refusals are answers too; user0 is not among them, whose
    session the other requests use."""

    def __init__(self, port, path, connections, seconds, users=31):
        self.connections = connections
        body = f'{{"tenant": "bench", "email": "user#@bench.example", "password": "{PASSWORD}"}}'
        self.command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", SCRIPT, f"https://localhost:{port}", "--", path, str(users), "-", body]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=environment({"CONNECTIONS": str(self.connections)}), cwd="/")
        return self

    def __exit__(self, *_):
        said = self.process.communicate()[0]
        found = re.search(r"^\{.*\}$", said, re.M)
        if found is None:
            raise RuntimeError(f"the flood failed: {said}")
        self.all = json.loads(found.group(0))
        self.rate = self.all["figure"]


def new_connections(port, seconds, clients=4):
    """TLS 1.3 handshakes per second; the clients' half is done on the same processors."""
    began = time.monotonic()
    running = [subprocess.Popen(["openssl", "s_time", "-connect", f"localhost:{port}", "-new", "-tls1_3", "-time", str(seconds or 1)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
               for _ in range(clients)]
    said = [process.communicate()[0] for process in running]
    took = time.monotonic() - began
    return sum(int(count) for text in said for count in re.findall(r"^(\d+) connections in .* real seconds", text, re.M)) / took


def raise_limit():
    """As many open files as we may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Crowd:
    """Connections that are opened and kept, and each asked over and over."""

    def __init__(self, port, certificate, path, token):
        self.port, self.context = port, ssl.create_default_context(cafile=certificate)
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def ask(self, streams):
        reader, writer = streams
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I).group(1)))
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"answer: {head[:200]!r}")

    async def open(self, count, at_once=50):
        gate = asyncio.Semaphore(at_once)

        async def one():
            async with gate:
                return await asyncio.open_connection("localhost", self.port, ssl=self.context, family=2)
        return await asyncio.gather(*(one() for _ in range(count)))

    async def close(self, opened):
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in opened), return_exceptions=True)

    def fewest(self, count, seconds):
        """How many answers the worst served of so many busy connections got, of how many on average."""
        async def run():
            opened = await self.open(count)
            answers = [0] * count
            until = time.monotonic() + seconds

            async def busy(n):
                while time.monotonic() < until:
                    await self.ask(opened[n])
                    answers[n] += 1
            await asyncio.gather(*(busy(n) for n in range(count)))
            await self.close(opened)
            return {"figure": float(min(answers)), "average": sum(answers) / count}
        return asyncio.run(run())

    def idle(self, count):
        """How many of so many idle connections answer again after all are open, fifty asked at a time. One that never
        asked is not idle but slow, and the server closes it after limits.head_seconds."""
        async def run():
            gate = asyncio.Semaphore(50)

            async def one(streams):
                async with gate:
                    await self.ask(streams)

            async def begin():
                async with gate:
                    streams = await asyncio.open_connection("localhost", self.port, ssl=self.context, family=2)
                    await self.ask(streams)
                    return streams
            opened = await asyncio.gather(*(begin() for _ in range(count)))
            done = await asyncio.gather(*(one(streams) for streams in opened), return_exceptions=True)
            await self.close(opened)
            return float(sum(result is None for result in done))
        return asyncio.run(run())


class Peer:
    """A server beside ours as a process of its own; with Peer(...) as peer: ... peer.port"""
    process = None

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


class Floor(Peer):
    """gateway_floor.c, with as many threads as the gateway has workers."""

    def __init__(self, key, certificate, cluster, threads):
        program = os.path.join(cluster.folder, "gateway_floor")
        headers = run([f"{BIN}/pg_config", "--includedir"]).strip()
        run(["cc", "-O2", f"-I{headers}", "-o", program, os.path.join(ROOT, "tests", "bench", "gateway_floor.c"), "-lssl", "-lcrypto", "-lpq", "-lpthread"])
        self.command = as_user([program, certificate, key, cluster.folder, cluster.database, "gateway", str(threads)])

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=environment(), cwd="/", start_new_session=True)
        try:
            said = self.process.stdout.readline()
            if not said.strip().isdigit():
                raise RuntimeError(f"the floor does not start: {said}")
        except BaseException:
            self.__exit__()
            raise
        self.port = int(said)
        return self


class Node(Peer):
    """A program of JavaScript."""

    def __init__(self, program, port, key, certificate, cluster):
        self.program, self.port, self.certificate = program, port, certificate
        program, packages = (os.path.join(ROOT, "tests", *rest) for rest in (("bench", program), ("npm", "package.json")))
        if not os.path.exists(os.path.join(os.path.dirname(packages), "node_modules", "pg")):
            raise RuntimeError("the packages of tests/npm are not installed: ./aegis bench installs them")
        self.command = as_user(["node", program, packages, str(port), key, certificate, cluster.folder, cluster.database])

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=environment({"NODE_ENV": "production"}), cwd="/", start_new_session=True)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        import socket
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.program} ended: {self.process.stdout.read()!r}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.program} does not listen")
