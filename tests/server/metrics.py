#!/usr/bin/env python3
"""What the gateway counts, as Prometheus reads it; and the file that says whom to tell of a vulnerability."""
import datetime
import glob
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Gateway, Report, exchange, free_port  # noqa: E402
from fixture.process import ROOT  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.service import Service, ShortWindow, WINDOW  # noqa: E402

CANARY = "canary-4711"


def promtool():
    """Prometheus' own judge. Taken out of Debian's package without installing it: that would start a server."""
    found = shutil.which("promtool")
    if found:
        return found
    place = os.path.join(ROOT, ".aegis", "promtool")
    found = os.path.join(place, "usr", "bin", "promtool")
    if not os.path.exists(found):
        os.makedirs(place, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "prometheus"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", glob.glob(os.path.join(place, "prometheus_*.deb"))[0], place], check=True)
    return found


def get(gateway, path):
    replies, _ = exchange(gateway, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return replies[0]


def values(text):
    """{name with labels: value}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


def signed_watchers(report, cluster, gateway):
    """On the public listener, from an address that nobody named: a signature of the scope opens it, nothing else does."""
    watcher = Service(cluster, gateway, "watcher", "{metrics:read}", "NULL")
    other = Service(cluster, gateway, "other", "{metrics:write}")
    client = Client(gateway)

    def ask(path, fields, method="GET"):
        return client.request(method, path, headers=fields)

    def metrics(service=watcher, **options):
        return ask("/api/metrics", service.fields("GET", "/api/metrics", **options))

    def denials(reason):
        return int(cluster.sql(f"SELECT count(*) FROM aegis.audit_log WHERE event = 'auth.denied' AND target_id = 'GET /api/metrics' "
                               f"AND detail ->> 'reason' = '{reason}'"))

    with report.test("a-signature-of-the-scope-opens-metrics"):
        reply = until(lambda: (r := metrics()).status == 200 and r, 30, "metrics for who signs")
        equal((reply.headers["content-type"], "aegis_build_info" in reply.body.decode()),
              ("text/plain; version=0.0.4; charset=utf-8", True), "metrics")
        reply = ask("/api/metrics", watcher.fields("HEAD", "/api/metrics"), "HEAD")
        equal((reply.status, reply.body), (200, b""), "HEAD")
        equal(values(metrics().body.decode())['aegis_http_requests_total{method="GET",route="/api/metrics",status="200"}'] >= 1, True, "counted itself")

    with report.test("a-signature-of-the-scope-opens-details-of-health"):
        details = ask("/api/health", watcher.fields("GET", "/api/health")).json()
        equal((details["status"], details["database"]["status"]), ("ok", "ok"), "words")
        equal({"seal_lag_ms", "anchor", "witness"} <= set(details["database"]), True, f"the ledger's lag, witnesses, anchors: {details}")

    with report.test("no-other-signature-opens-it"):
        used = watcher.fields("GET", "/api/metrics")
        equal(ask("/api/metrics", used).status, 200, "once")
        token = Client(gateway).sign_in(LOGIN)
        for what, fields in {
                "replayed": used, "another scope": other.fields("GET", "/api/metrics"), "wrong secret": watcher.fields("GET", "/api/metrics", secret=bytes(32)),
                "unknown key": watcher.fields("GET", "/api/metrics", key_id="nobody.1"), "too old": watcher.fields("GET", "/api/metrics", created=time.time() - WINDOW - 2),
                "another path": watcher.fields("GET", "/api/health"), "a session": {"authorization": f"Bearer {token}"}, "nothing": {},
                "both": {**watcher.fields("GET", "/api/metrics"), "authorization": f"Bearer {token}"}, "half": {"signature": "s=:AAAA:"}}.items():
            reply = ask("/api/metrics", fields)
            equal((reply.status, reply.problem()), (404, "not-found"), what)
        for what, fields in {"another scope": other.fields("GET", "/api/health"), "wrong secret": watcher.fields("GET", "/api/health", secret=bytes(32)),
                             "another path": watcher.fields("GET", "/api/metrics"), "nothing": {}}.items():
            reply = ask("/api/health", fields)
            equal((reply.status, reply.json()), (200, {"status": "ok"}), f"health, {what}")
        equal((denials("replay"), denials("scope")), (1, 1), "recorded denials")

    with report.test("health-is-told-however-much-is-asked"):
        with Gateway(cluster, {"limits": {"address_per_minute": 30}}) as few:
            until(lambda: get(few, "/api/health").json()["status"] == "ok", 20, "health")
            asked = [Client(few).request("GET", "/api/health", headers=watcher.fields("GET", "/api/health", authority=f"localhost:{few.port}")) for _ in range(40)]
            equal(({reply.status for reply in asked}, {len(reply.json()) > 1 for reply in asked}), ({200}, {True, False}), "details first, then the word")
    client.close()
    return watcher


def main():
    report = Report("metrics")
    admin = free_port()
    with ShortWindow() as cluster, Gateway(cluster, {"admin": {"listen": f"127.0.0.1:{admin}"}, "security": {
            "contact": ["mailto:security@example.com", "https://example.com/report"], "policy": "https://example.com/policy"}}) as gateway:
        def scrape():
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as reply:
                equal((reply.status, reply.headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "answer")
                return reply.read().decode()

        for _ in range(3):
            get(gateway, "/api/customers")
        get(gateway, f"/api/{CANARY}")
        get(gateway, f"/api/customers/{CANARY}?q={CANARY}")
        exchange(gateway, f"{CANARY.upper()} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        with report.test("counts-requests"):
            before = values(scrape())
            key = 'aegis_http_requests_total{method="GET",route="/api/customers",status="401"}'
            equal(before[key], 3, key)
            equal(before['aegis_http_refused_total{problem="missing-credential"}'], 4, "refused")
            equal(before['aegis_http_request_duration_seconds_count{method="GET",route="/api/customers"}'], 3, "durations")
            threads = [threading.Thread(target=lambda: [get(gateway, "/api/customers") for _ in range(5)]) for _ in range(8)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            equal(values(scrape())[key], 43, "after 40 more at once")

        with report.test("promtool-finds-nothing"):
            done = subprocess.run([promtool(), "check", "metrics"], input=scrape(), capture_output=True, text=True, check=False)
            equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool check metrics")
            done = subprocess.run([promtool(), "check", "metrics"], input="# TYPE a counter\na 1\n", capture_output=True, text=True, check=False)
            assert done.returncode != 0, "promtool finds nothing wrong with what is wrong"

        with report.test("labels-hold-nothing-that-a-client-chose"):
            text = scrape()
            assert CANARY not in text.lower() and "example" not in text, text
            for label in re.findall(r'(\w+)="', text):
                assert label in ("method", "route", "status", "problem", "le", "of", "version"), label

        with report.test("numbers-tell-of-no-report-of-suspicion"):
            client = Client(gateway)
            client.sign_in(LOGIN)
            subject = client.request("POST", "/api/kyc/subjects", {"kind": "person", "name": "Quentin Reportee"})
            equal(subject.status, 201, "subject")
            filed = client.request("POST", f"/api/kyc/subjects/{subject.json()['id']}/suspicion", {"narrative": "paid forty invoices in cash"})
            equal((filed.status, client.request("GET", "/api/suspicion-reports").status), (204, 403), "filed, and read by nobody")
            equal(get(gateway, "/api/suspicion-reports").status, 401, "nor by whoever is not signed in")
            equal(client.request("GET", "/api/reporting-officers").status, 200, "to whom one can turn")
            client.close()
            counted = values(scrape())
            equal([name for name in counted if "suspicion" in name or "reporting-officers" in name], [], "series")
            equal(counted['aegis_http_requests_total{method="POST",route="/api/kyc/subjects",status="201"}'], 1, "what else was asked")
            refused = counted['aegis_http_refused_total{problem="missing-credential"}']
            get(gateway, "/api/suspicion-reports")
            equal(values(scrape())['aegis_http_refused_total{problem="missing-credential"}'], refused, "refusals")

        with report.test("metrics-are-not-public"):
            equal((get(gateway, "/metrics").status, get(gateway, "/api/metrics").status), (404, 404), "on the public listener")

        with report.test("watchers-by-their-network"):
            for networks, wanted in ((["127.0.0.0/8"], True), (["192.0.2.0/24", "::1"], False)):
                with Gateway(cluster, {"admin": {"networks": networks}}) as other:
                    until(lambda: get(other, "/api/health").json()["status"] != "down", 20, "health")
                    equal("database" in get(other, "/api/health").json(), wanted, f"details for {networks}")
                    equal(get(other, "/api/metrics").status, 200 if wanted else 404, f"metrics for {networks}")
                    if wanted:
                        reply = get(other, "/api/metrics")
                        equal((reply.headers["content-type"], "aegis_build_info" in reply.body.decode()),
                              ("text/plain; version=0.0.4; charset=utf-8", True), "metrics")
            equal(set(get(gateway, "/api/health").json()), {"status"}, "one word for everybody")

        watcher = signed_watchers(report, cluster, gateway)

        with report.test("tells-the-lag-of-the-ledger"):
            until(lambda: 'aegis_ledger_lag_seconds{of="seal"}' in values(scrape()))
            equal(values(scrape())["aegis_database_reachable"], 1, "reachable")
            cluster.stop()
            until(lambda: values(scrape())["aegis_database_reachable"] == 0, 30)
            assert 'aegis_ledger_lag_seconds{of="seal"}' not in values(scrape()), "an old lag is no lag"

        with report.test("while-the-database-is-away-no-signature-counts"):
            reply = Client(gateway).request("GET", "/api/metrics", headers=watcher.fields("GET", "/api/metrics"))
            equal((reply.status, reply.problem()), (503, "unavailable"), "metrics")
            reply = Client(gateway).request("GET", "/api/health", headers=watcher.fields("GET", "/api/health"))
            equal((reply.status, reply.json()), (503, {"status": "down"}), "health")

        with report.test("security-txt"):
            reply = get(gateway, "/.well-known/security.txt")
            equal((reply.status, reply.headers["content-type"]), (200, "text/plain; charset=utf-8"), "answer")
            lines = reply.body.decode().splitlines()
            equal([line for line in lines if not line.startswith("Expires: ")],
                  ["Contact: mailto:security@example.com", "Contact: https://example.com/report", "Policy: https://example.com/policy"], "fields")
            expires, = [line[len("Expires: "):] for line in lines if line.startswith("Expires: ")]
            ahead = datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
            assert datetime.timedelta(60) < ahead < datetime.timedelta(365), expires
    with report.test("no-contact-no-security-txt"):
        with Gateway() as gateway:
            equal(get(gateway, "/.well-known/security.txt").status, 503, "as every path while there are no routes")
    report.finish()


main()
