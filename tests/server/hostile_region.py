#!/usr/bin/env python3
"""A region whose database is hostile or confused: none takes a sign-in of another region along, or keeps the gateway from ending."""
import contextlib
import os
import socket
import struct
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Report  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from regions import SG, UK, gateway, login  # noqa: E402


class Mute:
    """Speaks the protocol of PostgreSQL as far as a gateway's monitor needs; to everybody who connects later it says nothing any more."""

    def __init__(self, folder):
        self.first = True
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(os.path.join(folder, ".s.PGSQL.5432"))
        os.chmod(self.socket.getsockname(), 0o777)
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream, self.first), daemon=True).start()
            self.first = False

    @staticmethod
    def message(kind, body=b""):
        return kind + struct.pack("!i", len(body) + 4) + body

    @staticmethod
    def welcome(stream, file):
        file.read(struct.unpack("!i", file.read(4))[0] - 4)
        stream.sendall(Mute.message(b"R", bytes(4)) + Mute.message(b"Z", b"I"))

    @staticmethod
    def asked(file):
        """Messages of the other side, until it goes."""
        while kind := file.read(1):
            yield kind, file.read(struct.unpack("!i", file.read(4))[0] - 4)

    def serve(self, stream, first):
        file = stream.makefile("rb")
        try:
            if not first:
                self.meet(stream, file)
                return
            self.welcome(stream, file)
            for kind, text in self.asked(file):
                if kind == b"Q":
                    stream.sendall(self.answer(text) + self.message(b"Z", b"I"))
        except (OSError, struct.error):
            pass
        finally:
            file.close()
            stream.close()

    def meet(self, stream, file):
        """Whoever comes later."""
        self.welcome(stream, file)
        for _ in self.asked(file):
            pass

    def answer(self, text):
        if b"LISTEN" in text:
            return self.message(b"C", b"LISTEN\0")
        names = [b"method", b"path", b"public", b"body_limit", b"replica_ok", b"withheld"] if b"routes" in text else [b"said"]
        row = [] if b"routes" in text else [b'{"status": "ok", "region": "SG"}']
        shape = struct.pack("!h", len(names)) + b"".join(name + b"\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for name in names)
        rows = b"".join(self.message(b"D", struct.pack("!hi", 1, len(value)) + value) for value in row)
        return self.message(b"T", shape) + rows + self.message(b"C", b"SELECT 1\0")


class Copier(Mute):
    """It answers every question with the beginning of a COPY, of this kind."""

    def __init__(self, folder, kind):
        self.kind = kind
        super().__init__(folder)

    def meet(self, stream, file):
        self.welcome(stream, file)
        for kind, _ in self.asked(file):
            if kind in (b"Q", b"S"):
                stream.sendall(self.message(self.kind, struct.pack("!bh", 0, 0)))


class Talker(Mute):
    """Once it has greeted, it has notices without end."""

    def meet(self, stream, file):
        self.welcome(stream, file)
        notices = self.message(b"N", b"SNOTICE\0C00000\0M" + b"a" * 200 + b"\0\0") * 65536
        while True:
            stream.sendall(notices)


class Leaver(Mute):
    """It says who it is, goes when it is asked for more, and greets nobody from then on."""
    gone = False

    def meet(self, stream, file):
        if self.gone:
            for _ in iter(lambda: file.read(1), b""):
                pass
            return
        self.welcome(stream, file)
        for kind, text in self.asked(file):
            if kind != b"Q":
                self.gone = True
                return
            stream.sendall(self.answer(text) + self.message(b"Z", b"I"))


@contextlib.contextmanager
def beside(uk, sg, make, **more):
    """A gateway for which SG is what is made, and a client of it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        mute = make(folder)
        with gateway(uk, sg, "UK", "proxy", **{"regions.SG": {"database": folder, "url": "https://sg.example.com"}, **more}) as proxy:
            client = Client(proxy)
            until(lambda: {one["region"]: one["status"] for one in client.request("GET", "/api/status").json()["regions"]} == {"UK": "ok", "SG": "ok"}, what="SG")
            yield client
            client.close()
        mute.socket.close()


def signs_in_within(seconds, client):
    began = time.monotonic()
    equal(client.request("POST", "/api/session", login("probe-uk")).status, 201, "a sign-in of UK")
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s"


def hostile(report, uk, sg):
    with report.test("a-database-that-answers-its-monitor-alone-takes-no-sign-in-along"):
        with beside(uk, sg, Mute) as client:
            signs_in_within(3, client)
    for kind in (b"H", b"G", b"W"):
        with report.test(f"nor-one-that-begins-a-copy-{kind.decode()}"):
            with beside(uk, sg, lambda folder, k=kind: Copier(folder, k)) as client:
                for _ in range(3):
                    signs_in_within(3, client)
    with report.test("nor-one-that-never-stops-talking"):
        with beside(uk, sg, Talker) as client:
            for _ in range(3):
                signs_in_within(4, client)
    with report.test("one-that-leaves-and-cannot-be-reached-again-is-passed-over"):
        one = {"database": {"socket": None, "statement_seconds": 5, "connect_seconds": 2}, "server": {"workers": 2, "sign_in_workers": 1}}
        with beside(uk, sg, Leaver, **one) as client:
            signs_in_within(5, client)
            time.sleep(0.3)  # longer than the connection would wait before it is tried again
            signs_in_within(1.5, client)


def main():
    report = Report("hostile_region")
    with UK() as uk, SG() as sg:
        hostile(report, uk, sg)
    report.finish()


main()
