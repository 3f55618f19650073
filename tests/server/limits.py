#!/usr/bin/env python3
"""Slow, idle and many clients: each is bounded in time and number, and none of them holds up others."""
import ctypes
import itertools
import os
import socket
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, connect, exchange, read_replies  # noqa: E402
from fixture.client import tls_context  # noqa: E402
from fixture.process import write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

HEAD = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
GET = HEAD + b"\r\n"
POST = b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n"
LARGE = 6000000
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


class KeyChanger:
    """A client of OpenSSL's own, for Python's cannot change the keys of a connection."""

    def __init__(self, gateway):
        tls = self.tls = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(tls, name).restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(tls.SSL_CTX_new(ctypes.c_void_p(tls.TLS_client_method())))
        self.ssl = ctypes.c_void_p(tls.SSL_new(self.context))
        self.raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=None)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b"\x0a" + b"\0" * 15)
        assert tls.SSL_set_fd(self.ssl, self.raw.fileno()) == 1 and tls.SSL_connect(self.ssl) == 1, "no handshake"

    def change(self, times):
        """Whether all changes went out."""
        return all(self.tls.SSL_key_update(self.ssl, 0) == 1 and self.tls.SSL_do_handshake(self.ssl) == 1 for _ in range(times))

    def ask(self):
        """The first line of the answer; nothing when the connection has ended."""
        data = ctypes.create_string_buffer(4096)
        if self.tls.SSL_write(self.ssl, GET, len(GET)) <= 0:
            return b""
        got = self.tls.SSL_read(self.ssl, data, len(data))
        return data.raw[:max(got, 0)].split(b"\r\n")[0]

    def close(self):
        self.tls.SSL_free(self.ssl)
        self.tls.SSL_CTX_free(self.context)
        self.raw.close()


def zero_bytes(report, cluster):
    """What is read of a body ends with it, whatever it holds."""
    cluster.sql("""
CREATE FUNCTION public.nothing(r aegis.request) RETURNS aegis.response LANGUAGE sql AS $$ SELECT aegis.respond(204) $$;
GRANT EXECUTE ON FUNCTION public.nothing(aegis.request) TO aegis_member;
SELECT aegis.register_route('POST', '/api/nothing', 'public.nothing(aegis.request)', public => true, body_limit => 16777216);
""")
    with Gateway(cluster, {"limits": {"body_bytes": 16777216}}) as gateway:
        with report.test("zero-byte-in-a-large-body"):
            client = Client(gateway)
            until(lambda: client.request("POST", "/api/nothing").status == 204, what="the route")
            for _ in range(3):
                reply = client.request("POST", "/api/nothing", b"{}\0" + b"a" * 16000000, {"Content-Type": "application/json"})
                equal((reply.status, reply.problem()), (400, "malformed-body"), "answer")


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def unread_answers(report, cluster):
    """What is to be sent is held until it is taken: of all together no more than of all bodies."""
    cluster.sql(f"""
CREATE FUNCTION public.large(r aegis.request) RETURNS aegis.response LANGUAGE sql AS $$ SELECT aegis.respond(200, to_jsonb(repeat('a', {LARGE}))) $$;
GRANT EXECUTE ON FUNCTION public.large(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/large', 'public.large(aegis.request)', public => true);
""")
    request = b"GET /api/large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Gateway(cluster, {"server": {"workers": 4}, "limits": {"buffered_bytes": 3 * LARGE + LARGE // 2, "write_seconds": 60}}) as gateway:
        turn = itertools.count()

        def asked():
            raw = socket.socket()
            raw.bind((f"127.0.0.{2 + next(turn) % 8}", 0))  # of one address much less is held
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            raw.connect(("127.0.0.1", gateway.port))
            stream = tls_context(gateway.certificate).wrap_socket(raw, server_hostname="localhost")
            stream.settimeout(30)
            stream.sendall(request)
            return stream

        def taken(stream):
            """Whether all of the answer came."""
            got = 0
            try:
                while got < LARGE:
                    data = stream.recv(1 << 20)
                    if not data:
                        break
                    got += len(data)
            except (ConnectionResetError, ssl.SSLError):
                pass
            stream.close()
            return got >= LARGE

        with report.test("answers-that-nobody-takes-are-bounded"):
            until(lambda: Client(gateway).request("GET", "/api/large").status == 200, 20, "the route")
            already, before = len(gateway.lines()), memory_kb(gateway.process.pid)
            held = [asked() for _ in range(24)]
            until(lambda: sum(line["event"] == "request" for line in gateway.lines()[already:]) == len(held), 30, "all answers")
            time.sleep(1)  # the last one is written as far as it goes, and lies then or is dropped
            grown = (memory_kb(gateway.process.pid) - before) * 1024
            assert latency(gateway) < 1
            whole = sum(taken(stream) for stream in held)
            print(f"# 24 answers of {LARGE} bytes: {whole} were held, with {grown // 1024} kB")
            assert 1 <= whole <= 3, whole
            # Each of four workers has also made some, out of what came from the database, and keeps the room for the next.
            assert grown < len(held) * LARGE, grown
            equal(sum(line["event"] == "answer_dropped" for line in gateway.lines()[already:]), len(held) - whole, "dropped")
        with report.test("what-was-taken-makes-room"):
            equal([taken(asked()) for _ in range(8)], [True] * 8, "one after the other")


def changed_keys(report, cluster):
    with Gateway(cluster, {}) as gateway:
        with report.test("keys-may-be-changed-now-and-then"):
            client = KeyChanger(gateway)
            for _ in range(3):
                equal((client.change(10), client.ask()), (True, b"HTTP/1.1 200 OK"), "answer")
            client.close()
        with report.test("who-changes-keys-for-ever-is-dropped"):
            client = KeyChanger(gateway)
            client.change(200)
            equal(client.ask(), b"", "answer")
            client.close()
            assert latency(gateway) < 1


def few_descriptors(report, cluster):
    gateway = Gateway(cluster, {"server": {"workers": 4, "sign_in_workers": 2}})
    program, gateway.program = gateway.program, os.path.join(gateway.folder, "with-few-files")
    write(gateway.program, f'#!/bin/sh\nulimit -n 200\nexec "{program}" "$@"\n', 0o755)
    with gateway, report.test("strangers-do-not-use-up-the-descriptors"):
        held = []
        for _ in range(220):
            stream = connect(gateway, 5)
            stream.sendall(GET)
            equal(read_replies(stream, 1)[0][0].status, 200, "status")
            held.append(stream)
        # The database is reached by whoever comes now.
        equal(Client(gateway, token="ags1_UK_" + "A" * 43).request("GET", "/api/customers").status, 401, "status")
        for stream in held:
            stream.close()
        equal([line["max_connections"] for line in gateway.lines() if line["event"] == "few_descriptors"], ["124"], "warning")


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

    with Gateway(cluster, {"limits": {"buffered_bytes": 1048576, "body_seconds": 120}}) as gateway:
        with report.test("bodies-together-are-bounded"):
            # 256 of them, of one address a quarter of that, and of the last quarter one for each address.
            big = POST.replace(b"400", b"4096")
            held = []
            for number, most in ((2, 64), (3, 64), (4, 64), (5, 1), (6, 1), (7, 1)):
                source = f"127.0.0.{number}"
                mine = [asking(gateway, source, big + b"{") for _ in range(70)]
                equal(refusals(mine, len(mine) - most), [503] * (len(mine) - most), f"refusals of {source}")
                held += mine
            for stream in held:
                stream.close()

    with Gateway(cluster, {"limits": {"body_seconds": 120}}) as gateway:
        with report.test("an-address-that-announces-bodies-leaves-room-for-others"):
            # The size and the form of the token are all that is looked at before the body is there.
            until(lambda: Client(gateway).request("GET", "/api/organisation").status == 401, 20, "the routes")
            head = ("POST /api/kyc/subjects/01234567-89ab-7def-8123-456789abcdef/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    f"Authorization: Bearer ags1_UK_{'A' * 43}\r\nContent-Length: 1048576\r\n\r\n").encode()
            held = [asking(gateway, "127.0.0.2", head) for _ in range(257)]  # for all that there is room for, and one more
            until(lambda: sum(line["event"] == "request" and line["status"] == 503 for line in gateway.lines()) >= 1, what="the first refusal")
            equal(Client(gateway).request("POST", "/api/session", LOGIN).status, 201, "a sign-in")
            equal(refusals(held, 193), [503] * 193, "what the other gets")
            # What it held is given back with its connections.
            for stream in held:
                stream.close()

            def admitted():
                with asking(gateway, "127.0.0.2", head) as stream:
                    return not refusals([stream], 0)
            until(admitted, what="room for another")

    with Gateway(cluster, {"limits": {"buffered_bytes": 4 * 1048576, "body_seconds": 120}}) as gateway:
        with report.test("addresses-that-announce-bodies-together-leave-room-for-a-sign-in"):
            until(lambda: Client(gateway).request("GET", "/api/organisation").status == 401, 20, "the routes")
            held = []
            for number in range(2, 6):  # of each a quarter, but for the last
                mine = [asking(gateway, f"127.0.0.{number}", head) for _ in range(2)]
                wanted = 1 if number < 5 else 2
                equal(refusals(mine, wanted), [503] * wanted, f"refusals of 127.0.0.{number}")
                held += mine
            stranger = Client(gateway)
            stranger.connection.source_address = ("127.0.0.9", 0)
            equal(stranger.request("POST", "/api/session", LOGIN).status, 201, "a sign-in")
            for stream in held:
                stream.close()


def asking(gateway, source, data):
    stream = connect(gateway, source=source)
    stream.sendall(data)
    return stream


def refusals(streams, wanted):
    """The statuses of those whose body is not waited for: at least so many come."""
    statuses = {}

    def look():
        for stream in streams:
            stream.setblocking(False)
            try:
                if stream not in statuses:
                    statuses[stream] = int(stream.recv(4096).split(b" ")[1])
            except ssl.SSLWantReadError:
                pass
        return len(statuses) >= wanted
    until(look, 20, f"{wanted} refusals")
    time.sleep(0.2)  # for one too many
    look()
    return list(statuses.values())


def can_connect(gateway):
    try:
        connect(gateway).close()
        return True
    except (OSError, ssl.SSLError):
        return False


def sign_ins_apart(report, cluster):
    # Each wrong password costs a password hash; more of them wait than there are workers for anything. The budget of this
    # network would end that.
    for name in ("network", "tenant"):
        cluster.sql(f"ALTER SYSTEM SET aegis.{name}_failures_per_minute = 0")
    cluster.sql("SELECT pg_reload_conf()")
    until(lambda: cluster.sql("SHOW aegis.tenant_failures_per_minute") == "0", what="the setting")
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


def fields(reply):
    """{policy: (r, t)} of RateLimit, and {policy: (q, w)} of RateLimit-Policy."""
    def read(name, first, second):
        found = {}
        for item in filter(None, reply.headers.get(name, "").split(", ")):
            key, one, two = item.split(";")
            assert key[0] == key[-1] == '"' and one.startswith(first + "=") and two.startswith(second + "="), item
            found[key[1:-1]] = (int(one[2:]), int(two[2:]))
        return found
    return read("ratelimit", "r", "t"), read("ratelimit-policy", "q", "w")


def rates(report, cluster):
    with Gateway(cluster, {"limits": {"address_per_minute": 60, "principal_per_minute": 20}}) as gateway:
        with report.test("rates-are-told-and-kept"):
            client = Client(gateway)
            left, policy = fields(client.request("GET", "/login"))
            equal((policy, left["address"][0] <= 59, "principal" in left), ({"address": (60, 60)}, True, False), "a page")
            one, other = (Client(gateway, token="ags1_UK_" + letter * 43) for letter in "Ag")
            replies = [one.request("GET", "/api/customers") for _ in range(25)]
            equal([reply.status for reply in replies[:20]], [401] * 20, "as many as a minute has")
            over = next(reply for reply in replies if reply.status == 429)
            equal((over.problem(), over.headers["ratelimit"].count("r=0")), ("rate-limited", 1), "refused")
            equal(1 <= int(over.headers["retry-after"]) <= 60, True, "when to come again")
            equal(other.request("GET", "/api/customers").status, 401, "another credential")
            # The address has a budget for all of them, which health does not touch.
            statuses = [client.request("GET", "/login").status for _ in range(60)]
            equal((statuses[0], statuses[-1]), (200, 429), "of one address")
            equal(fields(client.request("GET", "/login"))[0]["address"][0], 0, "nothing is left")
            reply = client.request("GET", "/api/health")
            equal((reply.status, "ratelimit" in reply.headers), (200, False), "health")
    with Gateway(cluster, {"limits": {"principal_per_minute": 5}}) as gateway:
        with report.test("who-knows-the-id-of-a-key-takes-nothing-from-its-service"):
            signed = {"Signature-Input": 's=("@method" "@target-uri");created=1;nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="known.1"', "Signature": "s=:AAAA:"}
            stranger = Client(gateway)
            stranger.connection.source_address = ("127.0.0.2", 0)
            replies = [stranger.request("GET", "/api/customers", headers=signed) for _ in range(10)]
            equal((replies[0].status, replies[-1].status), (401, 429), "a stranger")
            equal(Client(gateway).request("GET", "/api/customers", headers=signed).status, 401, "the service")
    with Gateway(cluster, {}) as gateway:
        with report.test("in-development-nothing-is-counted"):
            equal("ratelimit" in Client(gateway).request("GET", "/login").headers, False, "fields")


def main():
    report = Report("limit")
    with Cluster() as cluster:
        rates(report, cluster)
        slow_clients(report, cluster)
        zero_bytes(report, cluster)
        unread_answers(report, cluster)
        changed_keys(report, cluster)
        few_descriptors(report, cluster)
        many_connections(report, cluster)
        sign_ins_apart(report, cluster)
    report.finish()


main()
