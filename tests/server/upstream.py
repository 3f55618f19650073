#!/usr/bin/env python3
"""Routes that a service behind the gateway answers: it gets each request once, signed for the caller whom the database verified,
and neither side learns what it must not."""
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.process import ROOT, as_user, folder  # noqa: E402
from fixture.report import equal, until  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "docs", "examples"))
import verify_request as example  # noqa: E402

PERSON = {"email": "uma@probe-works.example", "name": "Uma", "rank": 1, "password": "eleven-slow-herons-sing-27"}
# Published for tests only: what a caller must not be able to put into the mouth of Aegis.
FORGED = {"Aegis-Caller": 'tenant="x", user="y", rank=4', "Signature": "aegis=:AAAA:", "Aegis-Upstream": "other", "X-Forwarded-For": "10.0.0.1"}
TOLD = {"Accept-Language": "de", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Idempotency-Key": "k-1"}


class Service(http.server.BaseHTTPRequestHandler):
    """The service: it verifies, notes what it got, and answers as the path says."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        arrived = {"method": self.command, "target": self.path, "headers": headers, "body": body, "port": self.client_address[1]}
        arrived["verified"] = example.verify_request(self.command, server.address + self.path, headers, body, server.secrets, server.nonces)
        server.arrived.append(arrived)
        if self.path.endswith("/gone"):
            self.close_connection = True
            return
        last = self.path.split("?")[0].rsplit("/", 1)[1]
        status, kind, text, more = 200, "application/json", json.dumps({"path": self.path}), {"ETag": '"1"', "Set-Cookie": "a=b", "Server": "x", "X-Secret": "y"}
        if last.isdigit() and len(last) == 3:
            status = int(last)
            more["Location"] = "https://elsewhere.example/"
        elif last == "page":
            kind, text = "text/html", "<script>alert(1)</script>"
        elif last == "pages":  # browsers take the last one for the type
            kind, text = "application/json;a=b, text/html", "<form action=https://elsewhere.example/>"
        elif last == "file":
            kind, text = "text/csv; charset=utf-8", "a,b\n"
        elif last == "large":
            text = '"' + "x" * 5000 + '"'
        elif last == "slow":
            server.release.wait(4)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True
    opened = ended = 0
    lock = threading.Lock()

    def process_request(self, *arguments):
        self.opened += 1
        super().process_request(*arguments)

    def shutdown_request(self, *arguments):
        super().shutdown_request(*arguments)
        with self.lock:
            self.ended += 1

    def handle_error(self, *_):
        pass  # the gateway hung up, which is what was wanted


class Running:
    def __init__(self, port, secrets, certificate=None):
        self.server = Quiet(("127.0.0.1", port), Service)
        scheme = "http://127.0.0.1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https://localhost"
        self.server.address = f"{scheme}:{port}"
        self.server.secrets, self.server.nonces, self.server.arrived = secrets, example.Nonces(0), []
        self.server.release = threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def last(self):
        return self.server.arrived[-1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def make_service(cluster, name, url):
    key, secret = cluster.sql(f"SELECT key_id, secret FROM aegis.create_service('{name}', NULL, scopes => '{{none}}')", user="operator").split("|")
    cluster.sql(f"SELECT aegis.register_upstream('{name}', '{name}', '{url}')", user="operator")
    return {key: base64.b64decode(secret)}


def certificate(place):
    key, crt = os.path.join(place, "up.key"), os.path.join(place, "up.crt")
    subprocess.run(as_user(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", crt]), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o644)
    return crt, key


def caller(arrived):
    return dict(re.findall(r'([a-z]+)="?([^",]+)"?', arrived["headers"]["aegis-caller"]))


def carried(report, service, ada, uma, ids):
    with report.test("a-request-arrives-signed-for-its-caller"):
        reply = ada.request("GET", "/api/up/echo/a:b@c?x=1&y=%C3%A9", headers={**TOLD, "X-Request-Id": "r-77"})
        equal((reply.status, service.last["verified"], service.last["method"], service.last["target"]),
              (200, True, "GET", "/v1/echo/a%3Ab%40c?x=1&y=%C3%A9"), reply.body)
        equal(caller(service.last), {"tenant": ids["tenant"], "user": ids["ada"], "rank": "4", "request": "r-77"}, "caller")
        equal([service.last["headers"].get(name.lower()) for name in TOLD], list(TOLD.values()), "fields that pass")
        equal({"cookie", "authorization", "x-forwarded-for"} & set(service.last["headers"]), set(), "fields that do not")
    with report.test("another-caller-is-another"):
        equal(uma.request("POST", "/api/up/echo/1", {"a": 1}).status, 200, "status")
        equal((service.last["verified"], service.last["body"], caller(service.last)["user"], caller(service.last)["rank"]),
              (True, b'{"a": 1}', ids["uma"], "1"), "what arrived")
    with report.test("nobody-speaks-for-another"):
        equal(uma.request("GET", "/api/up/echo/2", headers=FORGED).status in (200, 400), True, "status")
        if service.last["target"] == "/v1/echo/2":
            equal((service.last["verified"], caller(service.last)["user"]), (True, ids["uma"]), "caller")
    with report.test("each-request-is-good-once"):
        one = service.last
        equal(example.verify_request(one["method"], service.server.address + one["target"], one["headers"], one["body"], service.server.secrets,
                                     service.server.nonces), False, "a second time")
    with report.test("the-answer-carries-what-it-may"):
        reply = ada.request("GET", "/api/up/echo/3")
        equal((reply.headers["content-type"], reply.headers["etag"], {"set-cookie", "server", "x-secret", "aegis-upstream", "signature"} & set(reply.headers)),
              ("application/json", '"1"', set()), "fields")
        equal(ada.request("HEAD", "/api/up/echo/4").body, b"", "HEAD")

def refused(report, service, ada, uma, gateway):
    def untouched(name, wanted, act):
        with report.test(name):
            before = len(service.server.arrived)
            reply = act()
            equal((reply.status, reply.problem(), len(service.server.arrived)), (*wanted, before), "answer, and requests that arrived")
    untouched("without-a-session", (401, "missing-credential"), lambda: Client(gateway).request("GET", "/api/up/echo/1"))
    untouched("with-too-low-a-rank", (403, "forbidden"), lambda: uma.request("GET", "/api/up/boss"))
    untouched("with-card-data", (422, "pan_detected"), lambda: ada.request("POST", "/api/up/echo/1", {"a": "4111 1111 1111 1111"}))
    untouched("with-a-body-that-is-none", (400, "malformed-body"), lambda: ada.request("POST", "/api/up/echo/1", b"{", {"Content-Type": "application/json"}))
    untouched("with-a-larger-body", (413, "body-too-large"), lambda: ada.request("POST", "/api/up/echo/1", {"a": "x" * 3000}))
    untouched("that-the-gateway-does-not-know", (503, "unavailable"), lambda: ada.request("GET", "/api/unknown"))
    untouched("that-has-another-address-there", (503, "unavailable"), lambda: ada.request("GET", "/api/moved"))
    untouched("that-does-not-listen", (502, "upstream-failed"), lambda: ada.request("GET", "/api/dead"))
    for status, wanted in ((404, 404), (422, 422), (204, 204)):
        with report.test(f"status-{status}-is-the-service's"):
            equal(ada.request("GET", f"/api/up/echo/{status}").status, wanted, "status")
    for name, last, wanted in (("redirect", "302", (502, "upstream-failed")), ("failure", "500", (502, "upstream-failed")), ("pause", "503", (503, "unavailable")),
                               ("refusal-of-the-signature", "401", (502, "upstream-failed")), ("page", "page", (502, "upstream-failed")), ("page-among-types", "pages", (502, "upstream-failed")),
                               ("large-answer", "large", (502, "upstream-failed"))):
        with report.test(f"answer-of-a-{name}"):
            reply = ada.request("GET", f"/api/up/echo/{last}")
            equal((reply.status, reply.problem(), "location" in reply.headers), (*wanted, False), reply.body)
    with report.test("a-file-is-downloaded"):
        reply = ada.request("GET", "/api/up/echo/file")
        equal((reply.status, reply.body, reply.headers["content-disposition"]), (200, b"a,b\n", "attachment"), reply.headers)


def sent_once(report, service, gateway, token):
    """The gateway has one worker, which keeps its connection to the service."""
    client = Client(gateway, token=token)
    with report.test("a-write-that-the-service-leaves-unanswered-is-not-sent-again"):
        for method, status in (("GET", 200), ("POST", 200), ("GET", 200)):
            equal(client.request(method, "/api/up/echo/1", {"a": 1} if method == "POST" else None).status, status, method)
        before = len(service.server.arrived)
        reply = client.request("POST", "/api/up/echo/gone", {"a": 1})
        equal((reply.status, reply.problem(), len(service.server.arrived) - before), (502, "upstream-failed", 1), "answer, and requests that arrived")
    with report.test("reads-share-a-connection"):
        opened = service.server.opened
        for _ in range(3):
            equal(client.request("GET", "/api/up/echo/1").status, 200, "status")
        assert service.server.opened - opened <= 1, service.server.opened - opened
    with report.test("a-write-leaves-no-connection"):
        kept = service.server.opened - service.server.ended  # those of reads, the other gateway's too
        for _ in range(10):
            equal(client.request("POST", "/api/up/echo/1", {"a": 1}).status, 200, "status")
        until(lambda: service.server.opened - service.server.ended <= kept, what="the end of all connections but those of reads")
        opened, before = service.server.opened, len(service.server.arrived)
        for method in ("GET", "POST", "GET"):
            equal(client.request(method, "/api/up/echo/1", {"a": 1} if method == "POST" else None).status, 200, method)
        read, written, again = (one["port"] for one in service.server.arrived[before:])
        equal((read == again, read == written, service.server.opened - opened), (True, False, 1), "connections")
    client.close()


def slow(report, service, gateway, token):
    with report.test("a-slow-service-is-given-up-and-holds-up-nobody"):
        clients = [Client(gateway, token=token) for _ in range(4)]
        answers, started = [], time.monotonic()

        def ask(client):
            reply = client.request("GET", "/api/up/echo/slow")
            answers.append((reply.status, reply.problem(), time.monotonic() - started))
        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        other = Client(gateway, token=token)
        asked = time.monotonic()
        equal(other.request("GET", "/api/organisation").status, 200, "another route meanwhile")
        assert time.monotonic() - asked < 0.5, time.monotonic() - asked
        for thread in threads:
            thread.join()
        service.server.release.set()
        equal(sorted(a[:2] for a in answers), [(503, "overloaded")] * 2 + [(504, "timeout")] * 2, "two at a time")
        assert max(a[2] for a in answers) < 3, answers
        for client in (*clients, other):
            client.close()


def main():
    report = Report("upstream")
    ports = {"up": free_port(), "tls": free_port(), "moved": free_port(), "dead": free_port()}
    place = folder("up")
    crt, key = certificate(place)
    with Cluster() as cluster:
        secrets = {name: make_service(cluster, name, f"http://127.0.0.1:{ports[name]}") for name in ("up", "moved", "dead")}
        secrets["unknown"] = make_service(cluster, "unknown", "http://127.0.0.1:9")
        secrets["tls"] = make_service(cluster, "tls", f"https://localhost:{ports['tls']}")
        for method in ("GET", "POST"):
            cluster.sql(f"SELECT aegis.register_upstream_route('{method}', '/api/up/echo/{{id}}', 'up', '/v1/echo/{{id}}', body_limit => 2048)", user="operator")
        cluster.sql("SELECT aegis.register_upstream_route('GET', '/api/up/boss', 'up', minimum_rank => 4::smallint)", user="operator")
        for name in ("unknown", "moved", "dead", "tls"):
            cluster.sql(f"SELECT aegis.register_upstream_route('GET', '/api/{name}', '{name}')", user="operator")
        gateway, single = Gateway(cluster, {"server": {"workers": 4}}), Gateway(cluster, {"server": {"workers": 1}})
        for one in (gateway, single):
            with open(one.config, "a", encoding="utf-8") as file:
                for name in ("up", "dead", "tls"):
                    url = f"https://localhost:{ports[name]}" if name == "tls" else f"http://127.0.0.1:{ports[name]}"
                    file.write(f'[[upstream]]\nname = "{name}"\nurl = "{url}"\nseconds = 1\nconcurrent = 2\nanswer_bytes = 4096\n' + (f'ca = "{crt}"\n' if name == "tls" else ""))
                file.write(f'[[upstream]]\nname = "moved"\nurl = "http://127.0.0.1:{ports["up"]}"\n')
        service, secure = Running(ports["up"], secrets["up"]), Running(ports["tls"], secrets["tls"], (crt, key))
        with gateway:
            ada, uma = Client(gateway), Client(gateway)
            ada.sign_in(LOGIN)
            made = ada.request("POST", "/api/users", PERSON).json()["id"]
            uma.sign_in({"tenant": LOGIN["tenant"], **PERSON})
            who = ada.request("GET", "/api/session").json()
            ids = {"tenant": who["tenant"]["id"], "ada": who["user"]["id"], "uma": made}
            carried(report, service, ada, uma, ids)
            refused(report, service, ada, uma, gateway)
            with report.test("over-tls"):
                reply = ada.request("GET", "/api/tls")
                equal((reply.status, secure.last["verified"]), (200, True), reply.body)
            slow(report, service, gateway, ada.token)
            with single:
                sent_once(report, service, single, ada.token)
            with report.test("every-one-is-in-the-ledger"):
                signed = sum(1 for running in (service, secure) for _ in running.server.arrived)
                entries = until(lambda: int(cluster.sql("SELECT count(*) FROM aegis.audit_log WHERE event = 'service.request_signed'", user="boss")), what="entries")
                assert entries >= signed, (entries, signed)
            with report.test("a-route-that-becomes-a-function-s-is-not-forwarded"):
                before = len(service.server.arrived)
                cluster.sql("CREATE FUNCTION public.mine(r aegis.request) RETURNS aegis.response LANGUAGE sql AS $$ SELECT aegis.respond(200, '{\"mine\": true}') $$;"
                            "GRANT EXECUTE ON FUNCTION public.mine(aegis.request) TO aegis_member;"
                            "SELECT aegis.register_route('GET', '/api/up/boss', 'public.mine(aegis.request)')")
                equal((ada.request("GET", "/api/up/boss").json(), len(service.server.arrived)), ({"mine": True}, before), "answer")
            with report.test("a-secret-that-is-retired-signs-no-more"):
                cluster.sql("SELECT aegis.retire_service('up', 'test')", user="operator")
                before = len(service.server.arrived)
                reply = ada.request("GET", "/api/up/echo/1")
                equal((reply.status, reply.problem(), len(service.server.arrived)), (503, "unavailable", before), "answer")
            ada.close()
            uma.close()
        with report.test("what-cannot-be-is-refused-at-the-start"):
            for text in ('name = "x"\nurl = "http://example.com"', 'name = "x"\nurl = "https://h/p"', 'name = "X"\nurl = "https://h"'):
                wrong = Gateway(cluster)
                with open(wrong.config, "a", encoding="utf-8") as file:
                    file.write("[[upstream]]\n" + text + "\n")
                wrong.launch()
                equal(wrong.wait() != 0 and "upstream" in wrong.output(), True, text)
                wrong.__exit__()
        service.stop()
        secure.stop()
    report.finish()


if __name__ == "__main__":
    main()
