#!/usr/bin/env python3
"""Every protected route, written in other ways: whoever has no credential gets nothing, however the path is spelt. (Routes for links
carry theirs in the body, which only the database reads.)"""
import sys

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, connect, read_replies  # noqa: E402
from fixture.report import equal  # noqa: E402

NOBODY = "00000000-0000-4000-8000-000000000000"


def spellings(path):
    """Paths that some server or proxy takes for this one."""
    start, _, last = path.rpartition("/")
    first = path.split("/")[1]
    encoded = "".join(f"%{ord(c):02x}" for c in last)
    yield from (path, path + "/", path + "//", "/" + path, path.replace("/", "//", 2), start + "/./" + last, start + "/x/../" + last,
                "/login/.." + path, "/assets/../.." + path, "/api/health/.." + path, f"{start}/{encoded}", f"{start}/%{ord(last[0]):02X}{last[1:]}",
                f"{start}%2f{last}", f"{start}%2F{last}", f"{start}%252f{last}", f"{start}\\{last}", f"{start}/%2e/{last}", f"{start}/x/%2e%2e/{last}",
                path + "%00", path + "%20", path + ";", path + ";a=b", path + "?", path + "%3f", path + "%23", path + ".json", path.upper(),
                path.replace("/" + first, "/" + first.title(), 1), path + "/..", path + "%0d%0aX:%20y", "/%2e" + path, "https://localhost" + path,
                "//localhost" + path)


HEADERS = ("X-Original-URL: /api/health", "X-Rewrite-URL: /api/health", "X-Forwarded-Prefix: /login", "X-HTTP-Method-Override: OPTIONS",
           "X-Forwarded-For: 127.0.0.1", "X-Middleware-Subrequest: middleware", "Authorization: Bearer", "Authorization: Basic YTpi",
           "Authorization: Bearer null", "Cookie: __Host-aegis=", "Cookie: aegis=1; __host-aegis=ags1_UK_" + "A" * 43)


class Stranger:
    """Without a credential; on one connection as long as the gateway keeps it."""

    def __init__(self, gateway):
        self.gateway, self.stream = gateway, None

    def ask(self, method, target, *headers):
        body = "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}" if method in ("POST", "PUT", "PATCH") else "\r\n"
        head = "".join(line + "\r\n" for line in headers)
        data = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{head}{body}".encode()
        if self.stream is None:
            self.stream = connect(self.gateway)
        self.stream.sendall(data)
        replies, closed = read_replies(self.stream, 1)
        if closed or replies[0].headers.get("connection") == "close":
            self.stream.close()
            self.stream = None
        return replies[0]


def main():
    report = Report("paths")
    with Cluster() as cluster, Gateway(cluster) as gateway:
        client = Client(gateway)
        client.sign_in(LOGIN)
        document = client.request("GET", "/api/openapi.json").json()
        stranger = Stranger(gateway)
        # Without an empty list, and without an empty choice, by which a credential is welcome and not demanded.
        protected = [(method.upper(), path) for path, item in document["paths"].items() for method, operation in item.items()
                     if operation.get("security") != [] and not any(one == {} or "link" in one for one in operation.get("security", []))]
        before = len(cluster.statements_of_gateway())
        opened, asked = [], 0
        for method, path in protected:
            target = "/".join(NOBODY if part.startswith("{") else part for part in path.split("/"))
            for spelt in spellings(target):
                reply = stranger.ask(method, spelt)
                asked += 1
                if reply.status not in (400, 401, 404, 405):
                    opened.append((method, spelt, reply.status))
            for header in HEADERS:
                reply = stranger.ask(method, target, header)
                asked += 1
                if reply.status not in ((400, 404) if path == "/api/metrics" else (400, 401)):  # strangers are not told of metrics
                    opened.append((method, target, header, reply.status))
        with report.test("no-spelling-opens-a-protected-route"):
            print(f"# {len(protected)} routes, {asked} requests")
            assert len(protected) >= 60, protected
            equal(opened, [], "answered otherwise")
        with report.test("and-none-of-them-reaches-the-database"):
            # But those that carry something in the form of a session's token.
            equal([line for line in cluster.statements_of_gateway()[before:] if "handle" in line and "__host-aegis=ags1" not in line][:3], [], "statements")
        with report.test("with-a-credential-the-same-is-served"):
            equal([client.request("GET", path).status for path in ("/api/customers", "/api/customers/", "/api//customers", "/api/Customers")],
                  [200, 404, 400, 404], "statuses")
        client.close()
    report.finish()


if __name__ == "__main__":
    main()
