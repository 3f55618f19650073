#!/usr/bin/env python3
"""Starting, losing the database and stopping: each fault is named with what to do about it."""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, connect, exchange, free_port  # noqa: E402
from fixture.gateway import program  # noqa: E402
from fixture.process import environment, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def refuses(cluster, wanted, code, settings=None, variables=None, prepare=None, arguments=()):
    """The gateway ends by itself with this code, and says all of these."""
    gateway = Gateway(cluster, settings, variables, arguments)
    try:
        if prepare:
            prepare(gateway)
        gateway.launch()
        equal(gateway.wait(), code, gateway.output())
        for text in wanted:
            assert text in gateway.output(), f"{text!r} is not in:\n{gateway.output()}"
        assert "hint: " in gateway.output(), gateway.output()
    finally:
        gateway.__exit__()


def append(text):
    return lambda gateway: open(gateway.config, "a", encoding="utf-8").write(text)


def configuration(report, cluster):
    # The generated file has [server] in lines 1 to 3, [tls] in 4 to 7, [database] from 8 on.
    cases = {
        "unknown-setting": (["gateway.toml:12:", 'unknown setting "database.passwort"', "Settings of [database] are"],
                            append("passwort = 'x'\n")),
        "unknown-section": (["gateway.toml:12:", 'unknown section or setting "sever"'], append("[sever]\nlisten = 'x'\n")),
        "no-password-setting": (["gateway.toml:12:", 'unknown setting "database.password"'], append("password = 'x'\n")),
        "not-toml": (["gateway.toml:12:"], append("this is not toml\n")),
        "wrong-type": (["gateway.toml:12:", '"database.port" has the wrong type'], append('port = "5432"\n')),
        "out-of-range": (["gateway.toml:12:", '"database.port" is out of range', "Use 1 to 65535."], append("port = 70000\n")),
        "socket-and-host": (["gateway.toml:", '"database.socket" and "database.host" are both set'], append('host = "db"\n')),
    }
    for name, (wanted, prepare) in cases.items():
        with report.test(f"config-{name}"):
            refuses(cluster, wanted, 78, prepare=prepare)
    settings = {
        "host-without-certificates": (["needs certificates", "no database password"], {"database": {"socket": None, "host": "db"}}),
        "bad-address": (["gateway.toml:3:", "no numeric address"], {"server": {"listen": "localhost:8443"}}),
        "admin-in-public": (["not a loopback address"], {"admin": {"listen": "0.0.0.0:9999"}}),
        "shared-port": (["share a port"], {"server": {"listen": "127.0.0.1:9998"}, "admin": {"listen": "127.0.0.1:9998"}}),
        "development-in-production": (["a development certificate is refused in production"], {"server": {"environment": "production"}}),
        "unknown-environment": (['unknown environment "prod"'], {"server": {"environment": "prod"}}),
        "contact-without-scheme": (["gateway.toml:", '"security@example.com" is not a contact', "mailto:"], {"security": {"contact": ["security@example.com"]}}),
        "policy-in-clear": (["gateway.toml:", '"security.policy" is not an address'], {"security": {"policy": "http://example.com"}}),
        "watchers-of-no-network": (["gateway.toml:", '"10.1.2.3/16" is no network'], {"admin": {"networks": ["10.1.2.3/16"]}}),
        "form-that-is-no-page": (["gateway.toml:", "is not a page", "https://HOST"], {"server": {"payment_forms": ["https://example.com; script-src *"]}}),
        "no-certificate": (['"tls.certificate" and "tls.key" are both needed'], {"tls": {"certificate": None}}),
    }
    for name, (wanted, changes) in settings.items():
        with report.test(f"config-{name}"):
            refuses(cluster, wanted, 78, changes)
    with report.test("config-missing-file"):
        refuses(cluster, ["cannot read the configuration file", "No such file"], 78,
                prepare=lambda gateway: os.remove(gateway.config))
    variables = {
        "unknown-variable": (["variable AEGIS_LIMITS_HEAD_BYTE: unknown setting"], {"AEGIS_LIMITS_HEAD_BYTE": "1"}),
        "wrong-variable": (['variable AEGIS_SERVER_QUEUE: "server.queue" has the wrong type'], {"AEGIS_SERVER_QUEUE": "many"}),
        "demo-in-production": (["demo mode is refused in production"], {"AEGIS_ENV": "production", "AEGIS_DEMO": "1"}),
    }
    for name, (wanted, given) in variables.items():
        with report.test(f"config-{name}"):
            refuses(cluster, wanted, 78, variables=given)
    with report.test("config-variable-overrides-file"):
        port = free_port()
        with Gateway(cluster, variables={"AEGIS_LOG_LEVEL": "warn"}) as gateway:
            equal([line for line in gateway.lines() if line["level"] == "info"], [], "lines below warn")
        refuses(cluster, ["cannot listen on 192.0.2.1"], 1, variables={"AEGIS_SERVER_LISTEN": f"192.0.2.1:{port}"})
    with report.test("config-check"):
        gateway = Gateway(cluster)
        done = subprocess.run([gateway.program, "--config", gateway.config, "--check-config"], capture_output=True,
                              text=True, env=environment(), check=False)
        equal((done.returncode, "the configuration is valid" in done.stdout), (0, True), done.stderr)
        gateway.__exit__()
    with report.test("example-configuration-is-valid"):
        example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "server", "aegis-server.toml.example")
        done = subprocess.run([program(), "--config", example, "--check-config"], capture_output=True, text=True,
                              env=environment(), check=False)
        equal(done.returncode, 0, done.stderr)


def start_errors(report, cluster):
    with report.test("port-taken"):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            refuses(cluster, ["cannot listen on 127.0.0.1", "Address already in use", "Another program has this port"], 1,
                    {"server": {"listen": f"127.0.0.1:{port}"}})
    with report.test("certificate-unreadable"):
        refuses(cluster, ["cannot read the certificate"], 78,
                prepare=lambda g: (write(g.certificate, "no PEM\n"), write(g.key, "no PEM\n", 0o600)))
    with report.test("key-readable-by-others"):
        refuses(cluster, ["may be read or written by others", "chmod 0600"], 78,
                prepare=lambda g: (write(g.certificate, "x\n"), write(g.key, "x\n", 0o644)))
    with report.test("key-of-another-certificate"):
        def mismatch(gateway):
            for name in ("a", "b"):
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                                "-subj", "/CN=localhost", "-keyout", f"{gateway.folder}/{name}.key",
                                "-out", f"{gateway.folder}/{name}.crt"], check=True, capture_output=True)
            write(gateway.certificate, open(f"{gateway.folder}/a.crt", encoding="ascii").read())
            write(gateway.key, open(f"{gateway.folder}/b.key", encoding="ascii").read(), 0o600)
        refuses(cluster, ["private key", "belong"], 78, prepare=mismatch)
    if os.geteuid() == 0:
        with report.test("root"):
            gateway = Gateway(cluster)
            done = subprocess.run([gateway.program, "--config", gateway.config], capture_output=True, text=True,
                                  env=environment(), check=False)
            equal(done.returncode, 78, "code")
            assert "refusing to run as root" in done.stderr and "hint: " in done.stderr, done.stderr
            gateway.__exit__()
    else:
        print("skip life/root (needs root)")
    with report.test("login-without-the-role"):
        refuses(cluster, ['"stranger" is not fit', "GRANT aegis_gateway TO stranger"], 78, {"database": {"user": "stranger"}})
    with report.test("login-is-superuser"):
        refuses(cluster, ['"boss" is not fit', "superuser"], 78, {"database": {"user": "boss"}})
    with report.test("database-unreachable-at-start"):
        with Gateway(cluster, {"database": {"socket": "/nonexistent"}}) as gateway:
            replies, _ = exchange(gateway, GET)
            equal((replies[0].status, replies[0].json()), (503, {"status": "down"}), "health")
            client = Client(gateway)
            equal(client.request("GET", "/api/customers").problem(), "unavailable", "problem")
            client.close()
            lines = [line for line in gateway.lines() if line["event"] == "database_unreachable"]
            equal(len(lines), 1, "a lasting fault is one line")
            assert lines[0]["message"] and lines[0]["hint"], lines


def protocol(report, cluster):
    with Gateway(cluster, {"admin": {"listen": f"127.0.0.1:{free_port()}"}, "redirect": {"listen": f"127.0.0.1:{free_port()}"}}) as gateway:
        text = open(gateway.config, encoding="utf-8").read().split("listen = ")
        admin, redirect = (int(part.split('"')[1].rsplit(":", 1)[1]) for part in text[2:4])

        with report.test("tls-1.2-refused"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(gateway.certificate)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.wrap_socket(socket.create_connection(("127.0.0.1", gateway.port)), server_hostname="localhost")
            except ssl.SSLError as error:
                assert "PROTOCOL_VERSION" in str(error).upper().replace(" ", "_"), error
            else:
                raise AssertionError("TLS 1.2 was accepted")

        with report.test("tls-1.3-and-alpn"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(gateway.certificate)
            context.set_alpn_protocols(["h2", "http/1.1"])
            with context.wrap_socket(socket.create_connection(("127.0.0.1", gateway.port)), server_hostname="localhost") as stream:
                equal((stream.version(), stream.selected_alpn_protocol()), ("TLSv1.3", "http/1.1"), "protocol")

        with report.test("development-key-is-private"):
            equal(oct(os.stat(gateway.key).st_mode & 0o777), "0o600", "mode")

        with report.test("plain-http-on-the-tls-port"):
            answer = plain(gateway.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400 ") and b"urn:aegis:problem:https-required" in answer, answer
            assert b"strict-transport-security" not in answer.lower(), answer

        with report.test("redirect-only-redirects"):
            answer = plain(redirect, b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 308 "), answer
            assert f"location: https://localhost:{gateway.port}/a?b=c\r\n".encode() in answer, answer
            answer = plain(redirect, b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 403 ") and b"\r\nlocation:" not in answer.lower(), answer

        with report.test("admin-health-has-details"):
            answer = plain(admin, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ") and b'"connections":' in answer and b'"database":' in answer, answer
            answer = plain(admin, b"GET /api/customers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 404 "), answer

        with report.test("security-fields-on-every-answer"):
            for path in ("/api/health", "/api/none", "/api/customers", "/%2f"):
                replies, _ = exchange(gateway, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                headers = replies[0].headers
                equal(headers["strict-transport-security"], "max-age=63072000; includeSubDomains; preload", path)
                equal(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", path)
                equal(headers["x-content-type-options"], "nosniff", path)
                equal(headers["referrer-policy"], "no-referrer", path)
                equal(headers["cross-origin-opener-policy"], "same-origin", path)
                equal(headers["cross-origin-resource-policy"], "same-origin", path)
                equal(headers["cache-control"], "no-store", path)
                assert "permissions-policy" in headers and "date" in headers and "server" not in headers, headers

        with report.test("log-holds-no-secrets"):
            secret = "ags1_UK_" + "S" * 43
            replies, _ = exchange(gateway, f"GET /api/customers?q=canary-query HTTP/1.1\r\nHost: localhost\r\nX-A: canary-field\r\n"
                                  f"Cookie: __Host-aegis={secret}\r\nConnection: close\r\n\r\n".encode())
            exchange(gateway, f"GET /api/canary-path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            traced, _ = exchange(gateway, f"GET /api/none HTTP/1.1\r\nHost: localhost\r\nTraceparent: 00-{'4b' * 16}-{'0f' * 8}-01\r\nConnection: close\r\n\r\n".encode())
            lines = until(lambda: [line for line in gateway.lines() if line.get("request_id") == traced[0].headers["x-request-id"]])
            equal(lines[0]["trace_id"], "4b" * 16, "trace")
            lines = until(lambda: [line for line in gateway.lines() if line.get("request_id") == replies[0].headers["x-request-id"]])
            equal((lines[0]["route"], lines[0]["method"], lines[0]["status"], lines[0]["peer"]),
                  ("/api/customers", "GET", replies[0].status, "127.0.0.1"), "line")
            assert lines[0]["duration_ms"] >= 0 and lines[0]["time"].endswith("Z")
            assert "canary" not in gateway.output() and secret not in gateway.output()


def plain(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(data)
        answer = b""
        while True:
            more = raw.recv(65536)
            if not more:
                return answer
            answer += more


def losses(report, cluster):
    with Gateway(cluster) as gateway:
        with report.test("database-restart-is-survived"):
            until(lambda: health(gateway) in ("ok", "degraded"), what="health")
            cluster.stop("immediate")
            until(lambda: health(gateway) == "down", what="down")
            client = Client(gateway, token="ags1_UK_" + "A" * 43)
            reply = client.request("GET", "/api/customers")
            equal((reply.problem(), reply.headers["retry-after"]), ("unavailable", "1"), "problem")
            cluster.start()
            until(lambda: health(gateway) in ("ok", "degraded"), 20, "health after the restart")
            until(lambda: client.request("GET", "/api/customers").status != 503, 20, "an answer of the database")
            client.close()


def health(gateway):
    replies, _ = exchange(gateway, GET)
    return replies[0].json()["status"]


def demo(report, cluster):
    """Every combination of environment and demo mode on both sides: either side refuses by itself in production, and the sample logins are
    shown where both were told and neither is in production. That a refusal of the database's is an entry, tests/process/demo.sh says."""
    sample = {"tenant": "a", "email": "a@example.test", "password": "sample", "remark": "admin"}
    config = os.path.join(cluster.data, "postgresql.conf")
    with open(config, encoding="utf-8") as file:
        before = file.read()

    def database(environment, told):
        """Starts it so; whether it started."""
        cluster.stop()
        write(config, before + f"aegis.environment = '{environment}'\naegis.demo = {'on' if told else 'off'}\n", 0o600)
        try:
            cluster.start()
            return True
        except RuntimeError:
            return False

    def gateway(certificate, environment, told, asked):
        """What becomes of a gateway that is started so: the logins that it shows, or the code that it ends with."""
        settings = {"server": {"environment": environment}, "tls": {"development": None, "certificate": certificate[0], "key": certificate[1]}}
        one = Gateway(cluster, settings, {"AEGIS_DEMO": "1" if told else "0"})
        one.certificate = certificate[0]
        try:
            if environment == "production" and told:
                one.launch()
                code = one.wait()
                assert "demo mode is refused in production" in one.output() and '"event":"demo_refused"' in one.output(), one.output()
                return code
            one.start()
            client = Client(one)
            reply = until(lambda: (r := client.request("GET", "/api/demo")).status == asked and r, 20, f"{asked}")
            client.close()
            return reply.json()["logins"] if asked == 200 else asked
        finally:
            one.__exit__()
    with Gateway(cluster) as maker:  # its certificate is of development; these have one that somebody gave them
        try:
            # The sample is there from the first, the only combination that takes one, on.
            for there, shows in (("development", True), ("development", False), ("production", False), ("production", True)):
                started = database(there, shows)
                with report.test(f"demo-matrix/database-in-{there}-{'told' if shows else 'untold'}-starts"):
                    equal(started, (there, shows) != ("production", True), "started")
                if (there, shows) == ("development", True):
                    cluster.sql(f"SELECT aegis.set_demo_logins('{json.dumps([sample])}')", user="operator")
                elif started:
                    equal(cluster.sql("SELECT count(*) FROM aegis.demo_login"), "1", "kept, not shown")
                for here in ("development", "production"):
                    for told in (True, False):
                        with report.test(f"demo-matrix/database-in-{there}-{'told' if shows else 'untold'}, gateway-in-{here}-{'told' if told else 'untold'}"):
                            both = (there, shows, here, told) == ("development", True, "development", True)
                            # One that was told asks the database, which may not be there.
                            asked = 503 if told and not started else 200
                            wanted = 78 if here == "production" and told else 503 if asked == 503 else [sample] if both else []
                            equal(gateway((maker.certificate, maker.key), here, told, asked), wanted, "outcome")
        finally:
            if cluster.running:
                cluster.stop()
            write(config, before, 0o600)
            cluster.start()


def drain(report, cluster):
    with report.test("terminate-finishes-what-is-under-way"):
        with Gateway(cluster) as gateway:
            with connect(gateway) as idle, connect(gateway) as busy:
                idle.sendall(GET.replace(b"Connection: close\r\n", b""))
                assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
                body = b'{"tenant": "t", "email": "e@t.example", "password": "p"}'
                busy.sendall(b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body))
                time.sleep(0.3)
                gateway.signal(signal.SIGTERM)
                equal(idle.recv(100), b"", "an idle connection is closed")
                until(lambda: not listens(gateway), what="no new connections")
                busy.sendall(body)  # the request that had begun is still answered
                answer = busy.recv(65536)
                assert answer.startswith(b"HTTP/1.1 ") and b" 408 " not in answer[:20], answer
            equal(gateway.wait(10), 0, "exit code")
            equal([line["event"] for line in gateway.lines()][-1], "stopped", "last line")

    with report.test("drain-is-bounded"):
        with Gateway(cluster, {"server": {"drain_seconds": 1}}) as gateway:
            with connect(gateway) as stuck:
                stuck.sendall(b"GET /api/health HTTP/1.1\r\n")
                time.sleep(0.2)
                started = time.monotonic()
                gateway.signal(signal.SIGTERM)
                equal(gateway.wait(5), 0, "exit code")
                assert time.monotonic() - started < 3

    with report.test("hangup-while-draining-ends-nothing"):
        with Gateway(cluster) as gateway:
            with connect(gateway) as busy:
                busy.sendall(GET[:20])
                time.sleep(0.2)
                gateway.signal(signal.SIGTERM)
                until(lambda: not listens(gateway), what="no new connections")
                gateway.signal(signal.SIGHUP)
                busy.sendall(GET[20:])
                assert busy.recv(4096).startswith(b"HTTP/1.1 200 "), "the request that had begun"
            equal(gateway.wait(10), 0, "exit code")
            equal([line["event"] for line in gateway.lines()][-1], "stopped", "last line")

    with report.test("terminate-under-load-loses-no-answer"):
        with Gateway(cluster) as gateway:
            results = []

            def load():
                while True:
                    try:
                        replies, _ = exchange(gateway, GET, timeout=5)
                    except (ConnectionRefusedError, ConnectionResetError, ssl.SSLError):
                        return  # not accepted any more
                    results.append([reply.status for reply in replies])

            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            gateway.signal(signal.SIGTERM)
            for thread in threads:
                thread.join(10)
            equal(gateway.wait(10), 0, "exit code")
            assert len(results) > 10
            # A connection that had not begun a request may be closed without an answer; none is half.
            equal({tuple(statuses) for statuses in results} - {()}, {(200,)}, "answers")


def listens(gateway):
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=1).close()
        return True
    except OSError:
        return False


def main():
    report = Report("life")
    with Cluster() as cluster:
        configuration(report, cluster)
        start_errors(report, cluster)
        protocol(report, cluster)
        losses(report, cluster)
        demo(report, cluster)
        drain(report, cluster)
    report.finish()


main()
