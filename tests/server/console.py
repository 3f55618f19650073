#!/usr/bin/env python3
"""The console's pages: the same page for each of its paths, admitted by a nonce of its own, with assets to keep."""
import re
import socket
import sys
import urllib.parse

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, exchange, free_port  # noqa: E402
from fixture.report import equal, until  # noqa: E402

PAGES = ["/", "/login", "/login?reason=signed_in_elsewhere", "/dashboard", "/customers",
         "/customers/7d9f0c5e-8f6b-4c5e-9b61-0d4c9a8f1d11", "/invoices", "/invoices/new",
         "/invoices/7d9f0c5e-8f6b-4c5e-9b61-0d4c9a8f1d11", "/subjects", "/subjects/7d9f0c5e-8f6b-4c5e-9b61-0d4c9a8f1d11", "/erasures",
         "/erasures/7d9f0c5e-8f6b-4c5e-9b61-0d4c9a8f1d11", "/reporting", "/reporting/7d9f0c5e-8f6b-4c5e-9b61-0d4c9a8f1d11", "/invoice", "/team", "/ledger", "/ledger/12", "/api-docs"]
NO_PAGES = ["/logins", "/login/", "/customers/", "/customers/a/b", "/team/a", "/ledger/1/receipt", "/index.html",
            "/server/console/index.html", "/favicon.ico", "/assets", "/assets/", "/assets/index.html",
            "/assets/{hash}", "/assets/{hash}/", "/assets/{hash}/index.html", "/assets/{hash}/none.js",
            "/assets/0000000000000000/{file}", "/assets/{hash}/{file}/", "/assets/{file}"]
ESCAPES = ["/assets/../login", "/assets/{hash}/../{hash}/{file}", "/assets/{hash}/./{file}", "/assets/{hash}//{file}",
           "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/{hash}/..%2f..%2fetc%2fpasswd", "/assets/{hash}\\{file}", "//login",
           "/customers/..", "/customers/%00"]
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
DEFAULT_POLICY = "default-src 'none'; frame-ancestors 'none'"


FORMS = " https://accept.authorize.net/payment/payment https://test.authorize.net/payment/payment"


def policy(nonce, path):
    return (f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
            f"connect-src 'self'; form-action 'self'{FORMS if path == '/invoice' else ''}; base-uri 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'")


def nonce_of(reply):
    return re.search(r"script-src 'nonce-([A-Za-z0-9_-]{22})'", reply.headers["content-security-policy"]).group(1)


def raw_get(gateway, target):
    """A target that no client library would send."""
    replies, _ = exchange(gateway, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    equal(len(replies), 1, "answers")
    return replies[0]


def assets_of(client):
    """Every asset that the page or another asset names: path -> answer."""
    found, page = {}, client.request("GET", "/").body.decode()
    waiting = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert waiting, page
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        reply = client.request("GET", path)
        equal(reply.status, 200, path)
        found[path] = reply
        if path.endswith((".js", ".css")):
            named = re.findall(r"""(?:from\s*|import\s*\(?\s*|url\(\s*)["']?(\./[a-z0-9_.-]+)""", reply.body.decode())
            waiting += [urllib.parse.urljoin(path, name) for name in named]
    return found


def pages(report, gateway):
    client = Client(gateway)
    seen = []
    for path in PAGES:
        with report.test(f"page{path}"):
            reply = client.request("GET", path)
            equal(reply.status, 200, path)
            equal(reply.headers["content-type"], "text/html; charset=utf-8", path)
            equal(reply.headers["cache-control"], "no-store", path)
            nonce = nonce_of(reply)
            equal(reply.headers["content-security-policy"], policy(nonce, path), path)
            for name in ("strict-transport-security", "x-content-type-options", "referrer-policy", "permissions-policy",
                         "cross-origin-opener-policy", "cross-origin-resource-policy", "x-request-id"):
                assert name in reply.headers, name
            assert "set-cookie" not in reply.headers and "location" not in reply.headers, reply.headers
            page = reply.body.decode()
            assert "{{" not in page, page
            tags = re.findall(r"<(?:script|style|link rel=\"stylesheet\")[^>]*>", page)
            assert tags and all(f'nonce="{nonce}"' in tag for tag in tags), page
            seen.append((nonce, page.replace(nonce, "NONCE")))

    with report.test("nonces-are-fresh-and-pages-equal"):
        equal(len({nonce for nonce, _ in seen}), len(PAGES), "different nonces")
        equal(len({page for _, page in seen}), 1, "different pages")

    with report.test("head-is-a-get-without-body"):
        head, get = client.request("HEAD", "/login"), client.request("GET", "/login")
        equal((head.status, head.body), (200, b""), "answer")
        equal(head.headers["content-length"], str(len(get.body)), "length")

    with report.test("other-methods-405"):
        for path in ("/", "/login", "/customers/1"):
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                reply = client.request(method, path, b"" if method != "OPTIONS" else None)
                equal((reply.status, reply.problem()), (405, "method-not-allowed"), method + path)
                equal(reply.headers["allow"], "GET, HEAD", "allow")
                equal(reply.headers["content-security-policy"], DEFAULT_POLICY, "policy")


def assets(report, gateway):
    client = Client(gateway)
    found = {}
    with report.test("assets-have-their-type-and-are-kept"):
        found = assets_of(client)
        folders = {path.rsplit("/", 1)[0] for path in found}
        equal(len(folders), 1, "folders")
        assert re.fullmatch(r"/assets/[0-9a-f]{16}", folders.pop()), found.keys()
        assert any(path.endswith(".js") for path in found), found.keys()
        for path, reply in found.items():
            equal(reply.headers["content-type"], TYPES[path.rsplit(".", 1)[1]], path)
            equal(reply.headers["cache-control"], "public, max-age=31536000, immutable", path)
            equal(reply.headers["content-security-policy"], DEFAULT_POLICY, path)
            equal(client.request("HEAD", path).headers["content-length"], str(len(reply.body)), path)
            equal(client.request("POST", path, b"").status, 405, path)

    folder, name = next(iter(found)).rsplit("/", 1)
    names = {"hash": folder.rsplit("/", 1)[1], "file": name}
    for template in NO_PAGES:
        with report.test(f"none{template}"):
            reply = raw_get(gateway, template.format(**names))
            equal((reply.status, reply.problem()), (404, "not-found"), template)
    for template in ESCAPES:
        with report.test(f"escape{template}"):
            reply = raw_get(gateway, template.format(**names))
            equal((reply.status, reply.problem()), (400, "malformed-target"), template)


def neighbours(report, cluster):
    redirect = free_port()
    with Gateway(cluster, {"redirect": {"listen": f"127.0.0.1:{redirect}"}}) as gateway:
        pages(report, gateway)
        assets(report, gateway)

        with report.test("interface-unchanged"):
            client = Client(gateway)
            for path in ("/api/customers", "/api/none", "/api/health"):
                reply = client.request("GET", path)
                equal((path, reply.status), (path, {"/api/customers": 401, "/api/none": 404}.get(path, 200)), "status")
                equal(reply.headers["content-security-policy"], DEFAULT_POLICY, path)
                equal(reply.headers["cache-control"], "no-store", path)

        with report.test("log-has-templates"):
            wanted = {"/", "/customers/{id}", "/ledger/{leaf}", "/assets/{file}"}
            until(lambda: wanted <= {line.get("route") for line in gateway.lines() if line["event"] == "request"}, what="lines in the log")
            assert not any("7d9f0c5e" in line for line in gateway.output().splitlines() if '"request"' in line)

        with report.test("plain-http-leads-to-the-page"):
            with socket.create_connection(("127.0.0.1", redirect), timeout=10) as stream:
                stream.sendall(b"GET /invoices/new?a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while data := stream.recv(65536):
                    answer += data
            assert answer.startswith(b"HTTP/1.1 308 "), answer
            assert f"location: https://localhost:{gateway.port}/invoices/new?a=b\r\n".encode() in answer, answer

    with report.test("switched-off"), Gateway(cluster, {"server": {"console": False}}) as gateway:
        client = Client(gateway)
        for path in [*PAGES, f"/assets/{'0' * 16}/main.js"]:
            reply = client.request("GET", path)
            equal((path, reply.status, reply.problem()), (path, 404, "not-found"), "answer")
        equal(client.request("GET", "/api/health").status, 200, "health")

    with report.test("pages-need-no-database"), Gateway() as gateway:
        client = Client(gateway)
        equal(client.request("GET", "/login").status, 200, "page")
        equal(client.request("GET", "/api/customers").status, 503, "interface")


if __name__ == "__main__":
    report = Report("console")
    with Cluster() as cluster:
        neighbours(report, cluster)
    report.finish()
