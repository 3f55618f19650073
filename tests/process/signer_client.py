#!/usr/bin/env python3
"""Speaks to aegis-signer as a database would, or as nobody should.

    signer_client.py SOCKET probe                       true when somebody listens
    signer_client.py SOCKET log ORIGIN OLD SIZE         a head of a log of numbered leaves, from another
    signer_client.py SOCKET fork ORIGIN OLD SIZE        the same of a log with other leaves
    signer_client.py SOCKET garbage COUNT               requests with something wrong in them
    signer_client.py SOCKET stall ORIGIN OLD SIZE       one client that sends nothing more, one that does
    signer_client.py SOCKET crowd COUNT                 so many connections at once
    signer_client.py SOCKET swallow LISTEN              listens itself, passes one request on, keeps the answer and ends
    signer_client.py LISTEN hang                        listens, takes everything, says nothing
"""
import base64
import hashlib
import os
import random
import socket
import sys


def connect(path):
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(path)
    return made


def rest_of(made):
    text = b""
    while True:
        try:
            part = made.recv(4096)
        except ConnectionResetError:
            return text
        if not part:
            return text
        text += part


def ask(path, body):
    with connect(path) as made:
        try:
            made.sendall(body)
            made.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before it had read everything
        return rest_of(made)


def sha256(data):
    return hashlib.sha256(data).digest()


class Log:
    """RFC 6962 over the leaves "SALT0", "SALT1" and so on."""

    def __init__(self, salt):
        self.salt = salt

    def root(self, start, end):
        if end == start:
            return sha256(b"")
        if end - start == 1:
            return sha256(b"\0" + f"{self.salt}{start}".encode())
        middle = start + split(end - start)
        return sha256(b"\1" + self.root(start, middle) + self.root(middle, end))

    def consistency(self, old, size):
        """RFC 9162 section 2.1.4.1."""
        return self.subproof(old, 0, size, True) if 0 < old < size else []

    def subproof(self, old, start, end, whole):
        size = end - start
        if old == size:
            return [] if whole else [self.root(start, end)]
        half = split(size)
        if old <= half:
            return self.subproof(old, start, start + half, whole) + [self.root(start + half, end)]
        return self.subproof(old - half, start + half, end, False) + [self.root(start, start + half)]


def split(size):
    return 1 << ((size - 1).bit_length() - 1)


def request(salt, origin, old, size):
    log = Log(salt)
    hashes = "".join(base64.b64encode(h).decode() + "\n" for h in log.consistency(old, size))
    root = base64.b64encode(log.root(0, size)).decode()
    return f"old {old}\n{hashes}\n{origin}\n{size}\n{root}\n".encode()


def garbage(path, count):
    """Requests of a known log with something wrong in them: all are refused, each is answered."""
    chance = random.Random(7)  # the same in every run
    whole = request("", "log.example/a", 900, 2000)
    for number in range(count):
        body = bytearray(whole)
        kind = number % 5
        if kind == 0:
            at = chance.randrange(len(body))
            body[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del body[chance.randrange(len(body)):]
        elif kind == 2:
            at = chance.randrange(len(body))
            body[at:at] = chance.randbytes(chance.randrange(1, 40))
        elif kind == 3:
            body = bytearray(chance.randbytes(chance.randrange(200)))
        else:
            body = bytearray(chance.choice([b"A", b"\n", b"old 1\n", b"\0"]) * chance.randrange(1, 40000))
        answer = ask(path, bytes(body))
        if not answer.startswith((b"400\n", b"404\n", b"409\n", b"422\n")):
            sys.exit(f"request {number} was answered with {answer[:40]!r}: {bytes(body)[:80]!r}")
    print(f"{count} requests, none signed")


def stall(path, origin, old, size):
    with connect(path) as slow:
        slow.sendall(b"old 1")
        served = ask(path, request("", origin, old, size)).startswith(b"200\n")
        dropped = rest_of(slow) == b""
    print("served while stalled" if served else "NOT served", "the stalled one was dropped" if dropped else "NOT dropped", sep="; ")


def crowd(path, count):
    waiting = []
    for _ in range(count):
        made = connect(path)
        made.sendall(b"old\n")
        made.shutdown(socket.SHUT_WR)
        waiting.append(made)
    print(sum(rest_of(made) == b"400\n" for made in waiting), "answered")


def listen(path):
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(16)
    return made


def swallow(path, listening):
    with listen(listening) as door, door.accept()[0] as client:
        answer = ask(path, rest_of(client))
    sys.stdout.write(answer.decode())


def hang(path):
    """Until it is stopped by the number in PATH.pid, or nobody has come for two minutes."""
    with open(path + ".pid", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    with listen(path) as door:
        door.settimeout(120)
        kept = []
        try:
            while True:
                kept.append(door.accept()[0])
        except TimeoutError:
            return


def main():
    path, what, *arguments = sys.argv[1:]
    if what == "probe":
        connect(path).close()
    elif what in ("log", "fork"):
        origin, old, size = arguments
        body = request("" if what == "log" else "other", origin, int(old), int(size))
        sys.stdout.write(ask(path, body).decode())
    elif what == "garbage":
        garbage(path, int(arguments[0]))
    elif what == "stall":
        stall(path, arguments[0], int(arguments[1]), int(arguments[2]))
    elif what == "crowd":
        crowd(path, int(arguments[0]))
    elif what == "swallow":
        swallow(path, arguments[0])
    elif what == "hang":
        hang(path)


if __name__ == "__main__":
    main()
