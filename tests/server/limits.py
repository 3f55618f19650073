#!/usr/bin/env python3
"""Slow, idle and many clients: each is bounded in time and number, and none of them holds up others."""
import socket
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, connect, exchange, read_replies  # noqa: E402
from fixture.client import tls_context  # noqa: E402
from fixture.report import equal, until  # noqa: E402

HEAD = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
GET = HEAD + b"\r\n"
POST = b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n"
QUICK = {"handshake_seconds": 1, "head_seconds": 1, "body_seconds": 2, "write_seconds": 2, "idle_seconds": 2}


def ended_after(stream, seconds=15):
    """Answers until the end, and how long the end took."""
    started = time.monotonic()
    stream.settimeout(seconds)
    replies, closed = read_replies(stream)
    assert closed
    return replies, time.monotonic() - started


def latency(gateway):
    started = time.monotonic()
    replies, _ = exchange(gateway, HEAD + b"Connection: close\r\n\r\n")
    equal([reply.status for reply in replies], [200], "status")
    return time.monotonic() - started


def slow_clients(report, cluster):
    with Gateway(cluster, {"limits": QUICK, "server": {"workers": 2}}) as gateway:
        with report.test("silent-connection-ends"):
            with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
                raw.settimeout(10)
                started = time.monotonic()
                equal(raw.recv(1), b"", "bytes")
                assert 0.8 < time.monotonic() - started < 3

        with report.test("unfinished-handshake-ends"):
            with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
                raw.settimeout(10)
                raw.sendall(b"\x16\x03\x01\x02\x00")
                started = time.monotonic()
                while raw.recv(100):
                    pass
                assert time.monotonic() - started < 3

        with report.test("unfinished-head-is-408"):
            with connect(gateway) as stream:
                stream.sendall(HEAD)
                replies, seconds = ended_after(stream)
                equal([reply.status for reply in replies], [408], "status")
                replies[0].problem()
                assert 0.8 < seconds < 3.5, seconds

        with report.test("dripping-head-is-408"):
            with connect(gateway) as stream:
                started = time.monotonic()
                stream.settimeout(0.1)
                for byte in HEAD + b"X-A: " + b"a" * 200:
                    stream.sendall(bytes([byte]))
                    try:
                        data = stream.recv(4096)
                        break
                    except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
                        data = b""
                assert data.startswith(b"HTTP/1.1 408 "), data
                assert time.monotonic() - started < 3

        with report.test("unfinished-body-is-408"):
            with connect(gateway) as stream:
                stream.sendall(POST + b"{")
                replies, seconds = ended_after(stream)
                equal([reply.status for reply in replies], [408], "status")
                assert 1.8 < seconds < 5, seconds

        with report.test("idle-connection-ends-silently"):
            with connect(gateway) as stream:
                stream.sendall(GET)
                equal(read_replies(stream, 1)[0][0].status, 200, "status")
                replies, seconds = ended_after(stream)
                equal(replies, [], "answers")
                assert 1.8 < seconds < 4, seconds

        with report.test("reader-that-does-not-read-is-dropped"):
            # Pipelined answers beyond what the sockets buffer; nothing is ever read.
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", gateway.port))
            stream = tls_context(gateway.certificate).wrap_socket(raw, server_hostname="localhost")
            stream.settimeout(0.5)
            sent = 0
            try:
                while sent < 200000:
                    stream.sendall(GET * 100)
                    sent += 100
            except (TimeoutError, socket.timeout, OSError):
                pass
            assert sent < 200000, "the gateway took in requests whose answers nobody reads"
            assert latency(gateway) < 1
            time.sleep(3)  # write_seconds and a sweep
            stream.settimeout(5)
            try:
                while stream.recv(65536):
                    pass
                dropped = True
            except (ConnectionResetError, ssl.SSLError, BrokenPipeError):
                dropped = True
            except (TimeoutError, socket.timeout):
                dropped = False
            stream.close()
            assert dropped, "still connected"

        with report.test("slow-clients-do-not-hold-up-others"):
            held = [connect(gateway) for _ in range(16)]  # eight times the workers
            stop = threading.Event()

            def drip():
                for byte in HEAD * 10:
                    for stream in held:
                        try:
                            stream.sendall(bytes([byte]))
                        except OSError:
                            pass
                    if stop.wait(0.1):
                        return

            thread = threading.Thread(target=drip)
            thread.start()
            try:
                worst = max(latency(gateway) for _ in range(20))
            finally:
                stop.set()
                thread.join()
                for stream in held:
                    stream.close()
            assert worst < 0.5, worst


def many_connections(report, cluster):
    with Gateway(cluster, {"server": {"workers": 4}}) as gateway:
        with report.test("300-idle-connections-and-others-served"):
            held = []
            try:
                for _ in range(300):
                    stream = connect(gateway)
                    stream.sendall(GET)
                    equal(read_replies(stream, 1)[0][0].status, 200, "status")
                    held.append(stream)
                worst = max(latency(gateway) for _ in range(20))
                assert worst < 0.5, worst
                for stream in held:  # each of them is still alive and is served again
                    stream.sendall(GET)
                    equal(read_replies(stream, 1)[0][0].status, 200, "status of a parked connection")
            finally:
                for stream in held:
                    stream.close()

        with report.test("100-pipelined-requests-in-order"):
            data = b"".join(HEAD + b"X-Request-Id: n%d\r\n\r\n" % n for n in range(100))
            with connect(gateway) as stream:
                stream.sendall(data)
                replies, _ = read_replies(stream, 100)
            equal([reply.headers["x-request-id"] for reply in replies], [f"n{n}" for n in range(100)], "ids")

        with report.test("request-in-single-bytes"):
            with connect(gateway) as stream:
                for byte in GET:
                    stream.sendall(bytes([byte]))
                equal(read_replies(stream, 1)[0][0].status, 200, "status")

        with report.test("keep-alive-is-not-delayed"):
            with connect(gateway) as stream:
                times = []
                for _ in range(50):
                    started = time.monotonic()
                    stream.sendall(GET)
                    read_replies(stream, 1)
                    times.append(time.monotonic() - started)
            median = sorted(times)[len(times) // 2]
            assert median < 0.02, f"median {median * 1000:.1f} ms"  # 40 ms is what a delayed ACK costs

    with Gateway(cluster, {"server": {"max_connections": 20}}) as gateway:
        with report.test("idle-connections-make-room"):
            held = []
            for _ in range(60):
                stream = connect(gateway)
                stream.sendall(GET)
                equal(read_replies(stream, 1)[0][0].status, 200, "status")
                held.append(stream)
            for stream in held:
                stream.close()

    with Gateway(cluster, {"server": {"connections_per_address": 10}}) as gateway:
        with report.test("connections-per-address"):
            held = [connect(gateway) for _ in range(10)]
            try:
                connect(gateway)
                raise AssertionError("an eleventh connection was accepted")
            except (ConnectionResetError, ssl.SSLError, BrokenPipeError):
                pass
            held.pop().close()
            until(lambda: can_connect(gateway), what="room for another")
            for stream in held:
                stream.close()

    with Gateway(cluster, {"limits": {"requests_per_connection": 3}}) as gateway:
        with report.test("requests-per-connection"):
            with connect(gateway) as stream:
                stream.sendall(GET * 5)
                replies, closed = read_replies(stream)
            equal(([reply.status for reply in replies], closed), ([200] * 3, True), "answers")

    with Gateway(cluster, {"limits": {"buffered_bytes": 1048576}}) as gateway:
        with report.test("bodies-together-are-bounded"):
            held = []
            statuses = []
            big = POST.replace(b"400", b"4096")
            for _ in range(300):
                stream = connect(gateway)
                stream.sendall(big + b"{")
                held.append(stream)
            for stream in held:
                stream.settimeout(0.01)
                try:
                    data = stream.recv(4096)
                    if data:
                        statuses.append(int(data.split(b" ")[1]))
                except (TimeoutError, socket.timeout, ssl.SSLWantReadError):
                    pass
            for stream in held:
                stream.close()
            equal(set(statuses), {503}, "statuses")
            assert 300 - len(statuses) == 256, len(statuses)


def can_connect(gateway):
    try:
        connect(gateway).close()
        return True
    except (OSError, ssl.SSLError):
        return False


def sign_ins_apart(report, cluster):
    # Each wrong password costs a password hash; more of them wait than there are workers for anything.
    with Gateway(cluster, {"server": {"workers": 2, "sign_in_workers": 1}}) as gateway:
        with report.test("flood-of-sign-ins-leaves-others-alone"):
            stop = threading.Event()

            def flood():
                client = Client(gateway)
                while not stop.is_set():
                    client.request("POST", "/api/session", {"tenant": "nobody", "email": "a@b.example", "password": "x"})
                client.close()

            threads = [threading.Thread(target=flood) for _ in range(8)]
            for thread in threads:
                thread.start()
            try:
                time.sleep(0.5)
                # A credential that is well-formed but unknown reaches the database on the other workers.
                client = Client(gateway, token="ags1_UK_" + "A" * 43)
                times = []
                for _ in range(20):
                    started = time.monotonic()
                    equal(client.request("GET", "/api/customers").status in (200, 401), True, "answered")
                    times.append(time.monotonic() - started)
                client.close()
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            assert sorted(times)[10] < 0.3, sorted(times)


def main():
    report = Report("limit")
    with Cluster() as cluster:
        slow_clients(report, cluster)
        many_connections(report, cluster)
        sign_ins_apart(report, cluster)
    report.finish()


main()
