#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to a witness as a log would, or as nobody should. The log's key is published, for tests only.

    witness_client.py vkey ORIGIN                             the vkey of the log
    witness_client.py ADDRESS log ORIGIN OLD SIZE             a head of a log of numbered leaves; prints status and body
    witness_client.py ADDRESS fork ORIGIN OLD SIZE            the same of a log with other leaves
    witness_client.py ADDRESS unproven ORIGIN OLD SIZE        with a hash of the proof changed
    witness_client.py ADDRESS stranger ORIGIN OLD SIZE        signed by another key under the log's name
    witness_client.py ADDRESS post FILE                       this body
    witness_client.py ADDRESS get PATH
    witness_client.py ADDRESS garbage ORIGIN COUNT            requests with something wrong in them
    witness_client.py ADDRESS raw COUNT                       what is no HTTP
    witness_client.py ADDRESS stall ORIGIN OLD SIZE           one client that sends nothing more, one that does
    witness_client.py ADDRESS crowd COUNT                     so many connections at once
    witness_client.py check VKEY ORIGIN SIZE FILE             FILE cosigns the head of this size, as a second reader sees it

ADDRESS is HOST:PORT, or the path of a Unix socket.
"""
import os
import random
import socket
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "independent")]

import aegis_note as n  # noqa: E402
from aegis_cipher import ed25519_sign  # noqa: E402
from signer_client import Log, rest_of  # noqa: E402

SEED, OTHER_SEED = bytes(range(0x40, 0x60)), bytes(range(0x60, 0x80))


def connect(address):
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(10)
        made.connect(address)
        return made
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=10)


def exchange(address, data):
    with connect(address) as made:
        try:
            made.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before it had read everything
        return rest_of(made)


def ask(address, method, path, body=b""):
    """(status, body, content type)"""
    head = "%s %s HTTP/1.1\r\nHost: witness.example\r\nContent-Length: %d\r\n\r\n" % (method, path, len(body))
    answer = exchange(address, head.encode() + body)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return (int(lines[0].split(" ")[1]) if answer else 0), body, fields.get("content-type", "")


def text_of(origin, size, salt=""):
    return n.checkpoint(origin, size, Log(salt).root(0, size))


def request(origin, old, size, salt="", seed=SEED, break_proof=False):
    proof = Log(salt).consistency(old, size)
    if break_proof:
        proof = [bytes([proof[0][0] ^ 1]) + proof[0][1:]] + proof[1:]
    return n.add_checkpoint(old, proof, n.signed_note(text_of(origin, size, salt), origin, seed))


def add(address, body):
    status, said, kind = ask(address, "POST", "/add-checkpoint", body)
    if status == 409 and kind != "text/x.tlog.size":
        sys.exit("409 of type " + kind)
    return status, said


def garbage(address, origin, count):
    """Requests of a known log with something wrong in them: all are refused, each is answered."""
    chance = random.Random(7)  # the same in every run
    whole = request(origin, 900, 1100)
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
        status, said = add(address, bytes(body))
        if status not in (400, 403, 404, 409, 422):
            sys.exit("request %d was answered with %r %r: %r" % (number, status, said, bytes(body)[:80]))
    print(count, "requests, none cosigned")


def raw(address, count):
    chance = random.Random(8)
    whole = b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nold\n"
    for number in range(count):
        data = bytearray(whole)
        if number % 2:
            data[chance.randrange(61)] = chance.randrange(256)
        else:
            data = bytearray(chance.randbytes(chance.randrange(1, 20000)))
        with connect(address) as made:
            try:
                made.sendall(data)
                made.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = rest_of(made)
        if b" 200 " in answer.split(b"\r\n", maxsplit=1)[0]:
            sys.exit("%r was answered with %r" % (bytes(data), answer))
    print(count, "requests, none cosigned")


def stall(address, origin, old, size):
    with connect(address) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\n")
        served = add(address, request(origin, old, size))[0] == 200
        dropped = rest_of(slow) == b""
    print("served while stalled" if served else "NOT served", "the stalled one was dropped" if dropped else "NOT dropped", sep="; ")


def crowd(address, count):
    waiting = []
    for _ in range(count):
        made = connect(address)
        made.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        waiting.append(made)
    print(sum(rest_of(made).startswith(b"HTTP/1.1 404 ") for made in waiting), "answered")


def check(vkey, origin, size, path):
    with open(path, "rb") as file:
        answer = file.read()
    time, _ = n.take_cosignature(text_of(origin, size), answer, n.read_note_key(vkey))
    print("cosigned" if time > 1764000000 else "at the time %d" % time)


def main():
    address, what, *rest = sys.argv[1:]
    if address == "vkey":
        print(n.note_key(what, n.ED25519, ed25519_sign(SEED, b"")[0]))
    elif address == "check":
        check(what, rest[0], int(rest[1]), rest[2])
    elif what in ("log", "fork", "unproven", "stranger"):
        body = request(rest[0], int(rest[1]), int(rest[2]), "other" if what == "fork" else "",
                       OTHER_SEED if what == "stranger" else SEED, what == "unproven")
        status, said = add(address, body)
        sys.stdout.write("%d\n%s" % (status, said.decode()))
    elif what == "post":
        with open(rest[0], "rb") as file:
            status, said = add(address, file.read())
        sys.stdout.write("%d\n%s" % (status, said.decode()))
    elif what == "get":
        status, said, _ = ask(address, "GET", rest[0])
        sys.stdout.write("%d\n%s" % (status, said.decode()))
    elif what == "garbage":
        garbage(address, rest[0], int(rest[1]))
    elif what == "raw":
        raw(address, int(rest[0]))
    elif what == "stall":
        stall(address, rest[0], int(rest[1]), int(rest[2]))
    elif what == "crowd":
        crowd(address, int(rest[0]))


if __name__ == "__main__":
    main()
