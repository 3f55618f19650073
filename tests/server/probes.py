#!/usr/bin/env python3
"""Framing: whatever two parsers could understand differently is refused, and nothing is smuggled.

Each probe is raw bytes on a fresh connection, of TLS and in the clear; the number of answers is as important as their
status, because a second answer would mean that a second request was found in the first."""
import socket
import sys

sys.dont_write_bytecode = True
from fixture import Cluster, Gateway, Report, exchange, free_port, read_replies  # noqa: E402
from fixture.report import equal  # noqa: E402

HOST = b"Host: localhost\r\n"
TOKEN = b"ags1_UK_" + b"A" * 43
BEARER = b"Authorization: Bearer " + TOKEN + b"\r\n"
SMUGGLED = b"GET /api/health HTTP/1.1\r\n" + HOST + b"\r\n"


def get(fields=b"", target=b"/api/health", line_end=b"\r\n"):
    return b"GET " + target + b" HTTP/1.1" + line_end + HOST + fields + b"\r\n"


def post(fields, body=b""):
    return b"POST /api/session HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + fields + b"\r\n" + body


# name, bytes, statuses of the answers, whether the connection is closed after them
PROBES = [
    # Lengths
    ("length-and-coding", post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), [400], True),
    ("coding-and-length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + SMUGGLED), [400], True),
    ("two-lengths", post(b"Content-Length: 0\r\nContent-Length: 40\r\n", SMUGGLED), [400], True),
    ("two-equal-lengths", post(b"Content-Length: 0\r\nContent-Length: 0\r\n", SMUGGLED), [400], True),
    ("length-list", post(b"Content-Length: 0, 0\r\n", SMUGGLED), [400], True),
    ("length-negative", post(b"Content-Length: -1\r\n", SMUGGLED), [400], True),
    ("length-plus", post(b"Content-Length: +4\r\n", b"{}  "), [400], True),
    ("length-hexadecimal", post(b"Content-Length: 0x4\r\n", b"{}  "), [400], True),
    ("length-empty", post(b"Content-Length: \r\n", SMUGGLED), [400], True),
    ("length-overflow", post(b"Content-Length: 18446744073709551620\r\n", b"{}  "), [413], True),
    ("length-missing", post(b"", SMUGGLED), [411], True),
    ("chunked", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), [411], True),
    ("coding-unknown", post(b"Transfer-Encoding: xx, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), [411], True),
    ("coding-padded", post(b"Transfer-Encoding: \tchunked\r\n", b"0\r\n\r\n" + SMUGGLED), [411], True),
    ("coding-identity", post(b"Transfer-Encoding: identity\r\n", SMUGGLED), [411], True),
    ("get-with-body", get(b"Content-Length: %d\r\n" % len(SMUGGLED)) + SMUGGLED, [400], True),
    ("body-of-refused-request", b"POST /api/none HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, [404], False),
    ("body-of-refused-request-missing", b"POST /api/none HTTP/1.1\r\n" + HOST + b"Content-Length: 9999\r\n\r\n" + SMUGGLED, [404], True),
    ("encoded-body", post(b"Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}"), [415], True),
    ("expect-continue", post(b"Expect: 100-continue\r\nContent-Length: 2\r\n"), [417], True),
    # Lines
    ("bare-line-feed", get(line_end=b"\n"), [400], True),
    ("bare-line-feed-in-field", get(b"X-A: b\nX-C: d\r\n"), [400], True),
    ("bare-carriage-return", get(b"X-A: b\rX-C: d\r\n"), [400], True),
    ("nul-in-field", get(b"X-A: b\0c\r\n"), [400], True),
    ("control-in-field", get(b"X-A: b\x01c\r\n"), [400], True),
    ("high-bytes-in-field", get(b"X-A: \xc3\xa4\r\n"), [400], True),
    ("space-before-colon", post(b"Content-Length : 4\r\n", b"{}  "), [400], True),
    ("tab-before-colon", get(b"X-A\t: b\r\n"), [400], True),
    ("folded-line", get(b"X-A: b\r\n c\r\n"), [400], True),
    ("no-colon", get(b"X-A\r\n"), [400], True),
    ("empty-field-name", get(b": b\r\n"), [400], True),
    ("leading-blank-line", b"\r\n" + get(), [400], True),
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400], True),
    # Request line
    ("http-1.0", b"GET /api/health HTTP/1.0\r\n" + HOST + b"\r\n", [505], True),
    ("http-0.9", b"GET /api/health\r\n\r\n", [400], True),
    ("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], True),
    ("http-lower-case", b"GET /api/health http/1.1\r\n" + HOST + b"\r\n", [400], True),
    ("two-spaces", b"GET  /api/health HTTP/1.1\r\n" + HOST + b"\r\n", [400], True),
    ("method-unknown", b"BREW /api/health HTTP/1.1\r\n" + HOST + b"\r\n", [501], True),
    ("method-lower-case", b"get /api/health HTTP/1.1\r\n" + HOST + b"\r\n", [501], True),
    ("method-trace", b"TRACE /api/health HTTP/1.1\r\n" + HOST + b"\r\n", [405], True),
    ("method-connect", b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n", [405], True),
    # Host
    ("host-missing", b"GET /api/health HTTP/1.1\r\n\r\n", [400], True),
    ("host-twice", get(HOST), [400], True),
    ("host-empty", b"GET /api/health HTTP/1.1\r\nHost: \r\n\r\n", [400], True),
    ("host-with-path", b"GET /api/health HTTP/1.1\r\nHost: a/b\r\n\r\n", [400], True),
    ("host-with-user", b"GET /api/health HTTP/1.1\r\nHost: a@b\r\n\r\n", [400], True),
    # Target
    ("absolute-target", get(target=b"https://localhost/api/health"), [400], True),
    ("asterisk-target", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [400], True),
    ("encoded-slash", get(target=b"/api%2Fhealth"), [400], True),
    ("encoded-letter", get(target=b"/api/%68ealth"), [400], True),
    ("dot-segments", get(target=b"/api/../api/health"), [400], True),
    ("encoded-dot-segments", get(target=b"/api/%2e%2e/api/health"), [400], True),
    ("double-slash", get(target=b"//api/health"), [400], True),
    ("backslash", get(target=b"/api\\health"), [400], True),
    ("semicolon", get(target=b"/api/health;v=1"), [400], True),
    ("fragment", get(target=b"/api/health#a"), [400], True),
    ("query-nul", get(target=b"/api/health?a=%00"), [400], True),
    ("query-half-encoding", get(target=b"/api/health?a=%4"), [400], True),
    ("target-too-long", get(target=b"/" + b"a" * 9000), [414], True),
    ("path-too-long", get(target=b"/" + b"a" * 2000), [414], True),
    ("query-too-long", get(target=b"/api/health?" + b"a" * 5000), [414], True),
    # Sizes
    ("field-too-large", get(b"X-A: " + b"a" * 20000 + b"\r\n"), [431], True),
    ("too-many-fields", get(b"X-A: b\r\n" * 100), [431], True),
    ("endless-head", b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 4000, [431], True),
    # Credentials
    ("two-authorizations", get(BEARER + BEARER, b"/api/customers"), [400], True),
    ("cookie-and-bearer", get(BEARER + b"Cookie: __Host-aegis=" + TOKEN + b"\r\n", b"/api/customers"), [400], False),
    ("two-cookies", get(b"Cookie: __Host-aegis=" + TOKEN + b"; __Host-aegis=" + TOKEN + b"\r\n", b"/api/customers"), [400], False),
    # What is fine
    ("plain", get(), [200], False),
    ("query", get(target=b"/api/health?a=%41&b=c?d"), [200], False),
    ("empty-value", get(b"X-A:\r\n"), [200], False),
    ("blanks-around-value", get(b"X-A: \t b \t\r\n"), [200], False),
    ("range-is-ignored", get(b"Range: bytes=0-3\r\n"), [200], False),
    ("close", get(b"Connection: close\r\n"), [200], True),
    ("close-in-list", get(b"Connection: x, Close\r\n"), [200], True),
    ("head", b"HEAD /api/none HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", None, True),
    ("pipelined", get() + get(b"X-A: b\r\n") + get(b"Connection: close\r\n") + SMUGGLED, [200, 200, 200], True),
    ("pipelined-behind-refusal", get() + get(b"X-A : b\r\n") + SMUGGLED, [200, 400], True),
]
# Refused for what they hold, not for where they end: in the clear they are refused for that alone.
CREDENTIALS = {"cookie-and-bearer", "two-cookies"}


def in_the_clear(report, port):
    """The listener that leads to TLS reads the same requests in the same bytes; whatever reads well is told to use it."""
    for name, data, statuses, closes in PROBES:
        if name == "head":
            continue
        with report.test(f"in-the-clear/{name}"):
            if not closes:
                data += get(b"Connection: close\r\n")
                statuses = statuses + [200]
            wanted = [403 if status in (200, 404) or name in CREDENTIALS else status for status in statuses]
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
                stream.sendall(data)
                replies, closed = read_replies(stream)
            equal(([reply.status for reply in replies], closed), (wanted, True), "statuses, and whether it was closed")
            for reply in replies:
                equal(reply.problem() == "https-required", reply.status == 403, reply.status)


def main():
    report = Report("probe")
    clear = free_port()
    with Cluster() as cluster, Gateway(cluster, {"redirect": {"listen": f"127.0.0.1:{clear}"}}) as gateway:
        for name, data, statuses, closes in PROBES:
            with report.test(name):
                if name == "head":
                    with_head(gateway, data)
                    continue
                # A connection that stays open gives no end to read to: ask for one more answer to know.
                if not closes:
                    data += get(b"Connection: close\r\n")
                    statuses = statuses + [200]
                replies, closed = exchange(gateway, data)
                equal([reply.status for reply in replies], statuses, "statuses")
                equal(closed, True, "closed")
                for reply in replies:
                    if reply.status >= 400:
                        reply.problem()
                if closes:
                    equal(replies[-1].headers.get("connection", "").lower(), "close", "connection")
        in_the_clear(report, clear)
        with report.test("still-serving"):
            replies, _ = exchange(gateway, get(b"Connection: close\r\n"))
            equal([reply.status for reply in replies], [200], "statuses")
        with report.test("no-probe-reached-the-database"):
            equal(cluster.statements_of_gateway(), [], "statements")
    report.finish()


def with_head(gateway, data):
    """The answer to HEAD has the length of a body that does not follow."""
    from fixture import connect
    with connect(gateway) as stream:
        stream.sendall(data)
        received = b""
        while True:
            more = stream.recv(65536)
            if not more:
                break
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    equal(head.split(b" ")[1], b"404", "status")
    equal(body, b"", "body")
    assert b"content-length: " in head.lower()


if __name__ == "__main__":
    main()
