#!/usr/bin/env python3
"""SIGHUP: what it takes up is there for the next request, an invalid file changes nothing, and what needs a restart is named."""
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, connect, exchange  # noqa: E402
from fixture.process import write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def text_of(gateway):
    with open(gateway.config, encoding="utf-8") as file:
        return file.read()


def with_settings(text, settings):
    """The file with these settings, of which it had none."""
    for section, entries in settings.items():
        head = f"[{section}]\n"
        added = "".join(f"{key} = {value}\n" for key, value in entries.items())
        text = text.replace(head, head + added) if head in text else text + head + added
    return text


def hang_up(gateway, text):
    """The lines of one reload. The log is in order, so what a second reload says comes after all of the first one."""
    before = len(gateway.lines())
    write(gateway.config, text)
    gateway.signal(signal.SIGHUP)
    until(lambda: any(line["event"] in ("reloaded", "reload_failed") for line in gateway.lines()[before:]), what="a reload")
    seen = len(gateway.lines())
    write(gateway.config, "[log]\nlevel = 7\n")
    gateway.signal(signal.SIGHUP)
    until(lambda: any(line["event"] == "reload_failed" for line in gateway.lines()[seen:]), what="a reload that fails")
    return gateway.lines()[before:-1]


def named(lines):
    return [line["settings"] for line in lines if line["event"] == "restart_needed"]


def certificates(report, cluster):
    with Gateway(cluster) as gateway:
        with report.test("the-new-certificate-is-loaded"):
            before = served_certificate(gateway)
            with connect(gateway) as old:
                for path in (gateway.certificate, gateway.key):
                    os.rename(path, path + ".old")
                other = Gateway(cluster)
                with other:
                    for name in ("certificate", "key"):
                        text = open(getattr(other, name), encoding="ascii").read()
                        write(getattr(gateway, name), text, 0o600)
                gateway.signal(signal.SIGHUP)
                until(lambda: served_certificate(gateway) != before, what="new certificate")
                old.sendall(GET)  # a connection of before is not cut
                assert old.recv(100).startswith(b"HTTP/1.1 200 ")

        with report.test("a-bad-certificate-keeps-the-old"):
            before = served_certificate(gateway)
            write(gateway.certificate, "no PEM\n")
            gateway.signal(signal.SIGHUP)
            until(lambda: any(line["event"] == "reload_failed" for line in gateway.lines()), what="line in the log")
            equal(served_certificate(gateway), before, "certificate")


def restart_needed(report, cluster):
    """What a reload does not take up is named, each time, until it is as it was."""
    regions = {"database": {"socket": None}, "regions": {"home": "UK", "mode": "strict"},
               "regions.UK": {"database": cluster.folder, "url": "https://uk.example.com"},
               "regions.SG": {"url": "https://sg.example.com"}, "regions.EU": {"url": "https://eu.example.com"}}
    with Gateway(cluster, regions) as gateway:
        text = text_of(gateway)
        with report.test("without-a-change-nothing-is-named"):
            equal(named(hang_up(gateway, text)), [], "settings")
        with report.test("a-region-that-changed-is-named"):
            lines = hang_up(gateway, text.replace("https://sg.example.com", "https://sg.example.net"))
            equal(named(lines), ["regions.SG.url"], "settings")
            lines = hang_up(gateway, text.replace("[regions.EU]", "[regions.MARS]").replace('home = "UK"\nmode = "strict"', 'home = "MARS"\nmode = "proxy"'))
            equal(named(lines), [], "what is no valid configuration changes nothing")
            lines = named(hang_up(gateway, text.replace("[regions.EU]", "[regions.MARS]")))
            assert lines and {"regions.EU.url", "regions.MARS.url"} <= set(lines[0].split(", ")), lines
        with report.test("whatever-needs-a-restart-is-named"):
            kept = {"server": {"workers": 3, "sign_in_workers": 3, "queue": 9}, "limits": {"buffered_bytes": 1048577}, "database": {"statement_seconds": 9},
                    "replica": {"max_lag_seconds": 11}, "sentry": {"environment": '"x"'}}
            taken = {"server": {"hosts": '["localhost"]', "console": "false"}, "limits": {"idle_seconds": 61},
                     "admin": {"networks": '["10.0.0.0/8"]'}, "security": {"contact": '["mailto:a@example.com"]'}}
            changed = with_settings(with_settings(text, kept), taken)
            changed += '[[upstream]]\nname = "up"\nurl = "https://up.example.com"\n'
            lines = named(hang_up(gateway, changed))
            wanted = [f"{section}.{key}" for section, entries in kept.items() for key in entries] + ["upstream[1].name", "upstream[1].url"]
            equal(len(lines), 1, "lines")
            assert set(wanted) <= set(lines[0].split(", ")), lines
            for section, entries in {**taken, "tls": {"key": 0}}.items():
                for key in entries:
                    assert f"{section}.{key}" not in lines[0].split(", "), lines
        with report.test("another-certificate-and-key-are-taken-up"):
            os.rename(gateway.certificate, gateway.certificate + ".2")
            os.rename(gateway.key, gateway.key + ".2")
            equal(named(hang_up(gateway, text.replace('.crt"', '.crt.2"').replace('.key"', '.key.2"'))), [], "settings")


def taken_up(report, cluster):
    with Gateway(cluster) as gateway:
        text = text_of(gateway)
        client = Client(gateway, token="ags1_UK_" + "A" * 43)  # one connection for all: it is of before each reload
        until(lambda: client.request("GET", "/api/metrics").status == 404, 20, "the routes")

        def hang_up_with(settings):
            lines = hang_up(gateway, with_settings(text, settings))
            equal((named(lines), [line["event"] for line in lines if line["level"] == "error"]), ([], []), "log")

        with report.test("rates-are-taken-up"):
            assert "ratelimit-policy" not in client.request("GET", "/api/none").headers
            hang_up_with({"limits": {"address_per_minute": 50, "principal_per_minute": 3}})
            replies = [client.request("GET", "/api/none") for _ in range(4)]
            equal([reply.status for reply in replies], [404, 404, 404, 429], "answers")
            equal(replies[0].headers["ratelimit-policy"], '"address";q=50;w=60, "principal";q=3;w=60', "policy")
            hang_up_with({"limits": {"address_per_minute": 2, "principal_per_minute": 0}})
            reply = client.request("GET", "/api/none")
            equal((reply.status, reply.headers["ratelimit-policy"]), (404, '"address";q=2;w=60'), "an address that used little of the other rate")
            equal(client.request("GET", "/api/none").status, 429, "what it used counts under the new rate")
            hang_up_with({})
            equal(client.request("GET", "/api/none").status, 404, "as at first")

        with report.test("hosts-are-taken-up"):
            hang_up_with({"server": {"hosts": '["Shop.Example.com"]'}})
            equal(client.request("GET", "/api/health").problem(), "misdirected", "answer")
            equal(client.request("GET", "/api/health", headers={"Host": "shop.example.com"}).json().keys(), {"status"}, "answer")
            hang_up_with({})
            equal(client.request("GET", "/api/health").json().keys(), {"status"}, "answer")

        with report.test("networks-are-taken-up"):
            hang_up_with({"admin": {"networks": '["127.0.0.0/8"]'}})
            equal(client.request("GET", "/api/metrics").status, 200, "metrics")
            assert "database" in client.request("GET", "/api/health").json()
            hang_up_with({"admin": {"networks": '["10.0.0.0/8"]'}})
            equal(client.request("GET", "/api/metrics").status, 404, "metrics")

        with report.test("security-text-and-pages-are-taken-up"):
            equal((client.request("GET", "/.well-known/security.txt").status, client.request("GET", "/login").status), (404, 200), "before")
            hang_up_with({"security": {"contact": '["mailto:a@example.com"]', "policy": '"https://example.com/p"'},
                          "server": {"payment_forms": '["https://pay.example.com/form"]'}})
            body = client.request("GET", "/.well-known/security.txt").body.decode()
            assert "Contact: mailto:a@example.com\n" in body and "Policy: https://example.com/p\n" in body, body
            assert "https://pay.example.com/form" in client.request("GET", "/invoice").headers["content-security-policy"]
            hang_up_with({"server": {"console": "false"}})
            equal((client.request("GET", "/.well-known/security.txt").status, client.request("GET", "/login").status), (404, 404), "after")

        with report.test("limits-of-requests-are-taken-up"):
            large = {"X-Large": "x" * 2000}
            equal(client.request("GET", "/api/none", headers=large).status, 404, "before")
            hang_up_with({"limits": {"head_bytes": 1024}})
            equal(exchange(gateway, GET.replace(b"\r\n\r\n", b"\r\nX-Large: " + b"x" * 2000 + b"\r\n\r\n"))[0][0].problem(), "head-too-large", "head")
            hang_up_with({"limits": {"head_fields": 8, "body_bytes": 10}})
            equal(client.request("POST", "/api/session", body=b"x" * 11).status, 413, "body")
            many = b"".join(b"X-%d: 1\r\n" % at for at in range(9))
            equal(exchange(gateway, GET.replace(b"\r\n\r\n", b"\r\n" + many + b"\r\n"))[0][0].problem(), "head-too-large", "fields")
            hang_up_with({"limits": {"requests_per_connection": 1, "idle_seconds": 17}})
            replies, _ = exchange(gateway, GET.replace(b"Connection: close\r\n", b""))
            equal(replies[0].headers["connection"], "close", "after one request")

        with report.test("times-are-taken-up"):
            hang_up_with({"limits": {"idle_seconds": 1, "head_seconds": 1, "body_seconds": 1, "handshake_seconds": 1}})
            half = GET.replace(b"Connection: close\r\n", b"")
            for what, sent, wanted in (("idle", half, b""), ("head", b"GET / HTT", b"HTTP/1.1 408 "),
                                       ("body", b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 408 ")):
                with connect(gateway, timeout=4) as stream:  # the defaults are 60, 5 and 20
                    stream.sendall(sent)
                    if what == "idle":
                        assert stream.recv(65536).startswith(b"HTTP/1.1 ")
                    assert stream.recv(100).startswith(wanted), what
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=4) as silent:
                equal(silent.recv(100), b"", "handshake")

        def admitted():
            try:
                return connect(gateway)
            except (ssl.SSLError, ConnectionError):
                return None

        with report.test("numbers-of-connections-are-taken-up"):
            client.close()
            hang_up_with({"server": {"connections_per_address": 1}})
            with connect(gateway) as first:
                with socket.create_connection(("127.0.0.1", gateway.port), timeout=4) as second:
                    equal(second.recv(100), b"", "the second connection of an address")
                first.sendall(GET)
                assert first.recv(100).startswith(b"HTTP/1.1 ")
            hang_up_with({"server": {"max_connections": 1}})
            # While a worker still ends the first one's handshake, that is not idle, and the second is refused.
            with connect(gateway) as first, until(admitted, what="a connection that has room") as second:
                second.sendall(GET)
                assert second.recv(100).startswith(b"HTTP/1.1 ")
                equal(first.recv(100), b"", "an idle connection made room")

        with report.test("drain-is-taken-up"):
            hang_up_with({"server": {"drain_seconds": 0}})
            with connect(gateway) as stuck:
                stuck.sendall(b"GET /api/health HTTP/1.1\r\n")
                exchange(gateway, GET)  # what came before it was read
                gateway.signal(signal.SIGTERM)
                equal(gateway.wait(4), 0, "it would wait for ten seconds")


def logs(report, cluster):
    def seen(gateway, request_id):
        exchange(gateway, GET.replace(b"Connection", b"X-Request-Id: " + request_id.encode() + b"\r\nConnection"))

    with Gateway(cluster, {"log": {"level": "warn"}}) as gateway:
        text = text_of(gateway)
        with report.test("log-level-is-taken-up"):
            seen(gateway, "before")
            hang_up(gateway, text.replace('"warn"', '"info"'))
            seen(gateway, "between")
            until(lambda: any(line.get("request_id") == "between" for line in gateway.lines()), what="a line of a request")
            write(gateway.config, with_settings(text, {"server": {"queue": 9}}))  # a line of level warn says when it is done
            gateway.signal(signal.SIGHUP)
            until(lambda: any(line["event"] == "restart_needed" for line in gateway.lines()), what="a reload")
            seen(gateway, "after")
            hang_up(gateway, text.replace('"warn"', '"info"'))
            equal([line["request_id"] for line in gateway.lines() if line["event"] == "request"], ["between"], "requests")
        with report.test("log-file-is-taken-up"):
            file = os.path.join(gateway.folder, "other.log")
            write(gateway.config, text.replace('level = "warn"', f'level = "info"\nfile = "{file}"'))
            gateway.signal(signal.SIGHUP)
            until(lambda: os.path.exists(file) and '"reloaded"' in open(file, encoding="utf-8").read(), what="a line in the file")
        with report.test("a-log-file-that-cannot-be-opened-changes-nothing"):
            write(gateway.config, with_settings(text, {"server": {"hosts": '["other.example.com"]'}}).replace('level = "warn"', 'file = "/nonexistent/folder/log"'))
            gateway.signal(signal.SIGHUP)
            until(lambda: "cannot open the log file" in open(file, encoding="utf-8").read(), what="a line in the file")
            seen(gateway, "still")
            until(lambda: '"still"' in open(file, encoding="utf-8").read(), what="a line in the file")
            equal(exchange(gateway, GET)[0][0].json().keys(), {"status"}, "answer")
        with report.test("a-log-that-cannot-be-opened-again-holds-up-nothing-else"):
            rotated = file + ".1"
            os.rename(file, rotated)
            os.mkdir(file)

            def told(event):
                with open(rotated, encoding="utf-8") as lines:
                    return [line for line in map(json.loads, lines) if line["event"] == event]
            before = len(told("reloaded"))
            here = text.replace('level = "warn"', f'level = "info"\nfile = "{file}"')
            write(gateway.config, with_settings(here, {"server": {"hosts": '["other.example.com"]'}}))
            gateway.signal(signal.SIGHUP)
            until(lambda: len(told("reloaded")) > before, what="a reload")
            equal([line["hint"] for line in told("log_reopen_failed")], ["The log goes on where it was."], "what is told")
            equal(exchange(gateway, GET)[0][0].status, 421, "a setting that was taken up")
            another = os.path.join(gateway.folder, "another.log")
            write(gateway.config, here.replace(file, another))
            gateway.signal(signal.SIGHUP)
            until(lambda: os.path.exists(another) and '"reloaded"' in open(another, encoding="utf-8").read(), what="a line in another file")


def invalid(report, cluster):
    with Gateway(cluster) as gateway:
        text = text_of(gateway)
        with report.test("an-invalid-file-changes-nothing-and-is-named"):
            changed = with_settings(text, {"server": {"hosts": '["other.example.com"]'}, "limits": {"address_per_minute": 1}, "log": {"level": '"loud"'}})
            line = 1 + changed[:changed.index('level = "loud"')].count("\n")
            for wrong, message, hint in ((changed, f':{line}: unknown level "loud"', "Use debug, info, warn or error."),
                                         (changed.replace('"loud"', '"warn"\nlevle = 1'), f':{line + 1}: unknown setting "log.levle"', "Settings of [log] are: level, file."),
                                         (changed.replace('"loud"', ""), f":{line}: ", "The file is TOML")):
                lines = hang_up(gateway, wrong)
                failed = [line for line in lines if line["event"] == "reload_failed"]
                equal((len(failed), [line["event"] for line in lines if line["event"] == "reloaded"]), (1, []), "lines")
                assert gateway.config + message in failed[0]["message"] and hint in failed[0]["hint"], failed
                replies = [exchange(gateway, GET)[0][0] for _ in range(3)]
                equal([(reply.json().keys(), "ratelimit" in reply.headers) for reply in replies], [({"status"}, False)] * 3, "answers")
        with report.test("a-file-that-is-gone-changes-nothing"):
            os.remove(gateway.config)
            gateway.signal(signal.SIGHUP)
            until(lambda: any("cannot read the configuration file" in line.get("message", "") for line in gateway.lines()), what="a line in the log")
            equal(exchange(gateway, GET)[0][0].json().keys(), {"status"}, "answer")

    with Gateway(cluster, {"server": {"environment": "staging"}}) as gateway:
        with report.test("the-rate-of-another-environment-waits-for-the-restart"):
            equal(named(hang_up(gateway, text_of(gateway).replace('"staging"', '"development"'))), ["server.environment"], "settings")
            replies, _ = exchange(gateway, GET.replace(b"/api/health", b"/api/none"))
            equal(replies[0].headers["ratelimit-policy"], '"address";q=6000;w=60', "policy")


def whole(report, cluster):
    """Requests while settings change, again and again: each sees one set."""
    sets = [{"address_per_minute": 1000000 + at, "principal_per_minute": 2000000 + at} for at in range(2)]
    with Gateway(cluster, {"limits": sets[0]}) as gateway:
        text = text_of(gateway)
        policies, over = {}, threading.Event()

        def ask():
            client = Client(gateway, token="ags1_UK_" + "A" * 43)
            while not over.is_set():
                policy = tuple(re.findall(r"q=(\d+)", client.request("GET", "/api/none").headers["ratelimit-policy"]))
                policies[policy] = policies.get(policy, 0) + 1
            client.close()

        with report.test("a-request-sees-one-set"):
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            try:
                for at in range(60):
                    count = sum(line["event"] == "reloaded" for line in gateway.lines() if line["event"] != "request")
                    write(gateway.config, text.replace("1000000", str(sets[at % 2]["address_per_minute"])).replace("2000000", str(sets[at % 2]["principal_per_minute"])))
                    gateway.signal(signal.SIGHUP)
                    until(lambda: sum(line["event"] == "reloaded" for line in gateway.lines() if line["event"] != "request") > count, what="a reload")
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            equal(set(policies), {("1000000", "2000000"), ("1000001", "2000001")}, "policies")


def served_certificate(gateway):
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(raw) as stream:
        return stream.getpeercert(binary_form=True)


def main():
    report = Report("reload")
    with Cluster() as cluster:
        certificates(report, cluster)
        restart_needed(report, cluster)
        taken_up(report, cluster)
        logs(report, cluster)
        invalid(report, cluster)
        whole(report, cluster)
    report.finish()


main()
