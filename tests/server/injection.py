#!/usr/bin/env python3
"""sqlmap, which is somebody else's, tries every parameter of the routes as an admin: it finds nothing, the database never meets a
statement that somebody's text broke, and a route that is made to be weak it does find."""
import json
import os
import re
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, connect  # noqa: E402
from fixture.process import environment  # noqa: E402
from fixture.report import equal, until  # noqa: E402

LONG = os.environ.get("AEGIS_LONG") == "yes"
NOBODY = "00000000-0000-4000-8000-000000000000"
LINE = "=" * 54
# What ends the session, and the pages that say what everybody may know.
NOT_TRIED = {("DELETE", "/api/session"), ("GET", "/api/health"), ("GET", "/api/openapi.json"), ("GET", "/api/status")}
# A handler's errors are caught; what is left of them is this line.
BROKEN = re.compile(r"handler of \S+ \S+ failed with SQLSTATE 42(?!501)\w+")

# A handler as nobody may write one: it runs as the member it is called by, and still is open to any condition.
WEAK = """
CREATE FUNCTION public.weak(r aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE AS $$
DECLARE
  found bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM generate_series(1, 1) WHERE ''a'' = ''%s''', r.query ->> 'name') INTO found;
  RETURN aegis.respond(200, jsonb_build_object('found', found > 0));
END $$;
GRANT EXECUTE ON FUNCTION public.weak(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/weak', 'public.weak(aegis.request)');
"""
# A key of its own for each request: under one key the second body is refused before any handler sees it.
TAMPER = """
import uuid
from lib.core.enums import PRIORITY
__priority__ = PRIORITY.NORMAL


def dependencies():
    pass


def tamper(payload, **kwargs):
    kwargs.get("headers", {})["Idempotency-Key"] = str(uuid.uuid4())
    return payload
"""


class Relay(socketserver.ThreadingTCPServer):
    """In the clear to the gateway's TLS 1.3, which sqlmap does not speak."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, gateway):
        self.gateway = gateway
        super().__init__(("127.0.0.1", 0), Carry)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Carry(socketserver.BaseRequestHandler):
    def handle(self):
        # One thread for both directions: a connection of OpenSSL is not for two at a time.
        with connect(self.server.gateway, timeout=30) as inside:
            try:
                while self.carry(inside):
                    pass
            except OSError:
                pass

    def carry(self, inside):
        """Whatever has come from either side, to the other; false when a side has ended."""
        ready = [inside] if inside.pending() else select.select([self.request, inside], [], [], 30)[0]
        for source in ready:
            inside.settimeout(0)  # A record may hold nothing of the answer: a ticket.
            try:
                data = source.recv(65536)
            except ssl.SSLWantReadError:
                continue
            finally:
                inside.settimeout(30)
            if not data:
                return False
            (self.request if source is inside else inside).sendall(data)
        return bool(ready)


def example(name, schema):
    """Something that the schema allows, of plain letters."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {key: example(key, value) for key, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(name, schema.get("items", {}))]
    if kind == "integer":
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if schema.get("format") == "uuid" or name.endswith("_id") or name == "id":
        return NOBODY
    return {"date": "2030-01-31", "email": "a@probe-works.example"}.get(schema.get("format"), "a")


def targets(document, token, port):
    """Every operation as one request; "*" marks what the path holds, the rest sqlmap knows for a parameter. Each has ids of its own in its
    path: of requests that differ in their methods alone sqlmap takes the first."""
    requests = []
    for path, item in sorted(document["paths"].items()):
        for method, operation in sorted(item.items()):
            method = method.upper()
            if (method, path) in NOT_TRIED:
                continue
            target, query, body = path, [], None
            for one in operation.get("parameters", []):
                value = str(example(one["name"], one["schema"]))
                if one["in"] == "path":
                    value = value.replace(NOBODY[:8], f"{len(requests):08x}", 1)
                    target = target.replace("{" + one["name"] + "}", value + "*")
                elif one["in"] == "query":
                    query.append(f"{one['name']}={value}")
            if "requestBody" in operation:
                body = json.dumps(example("", operation["requestBody"]["content"]["application/json"]["schema"]))
                if '"token"' in body:  # sqlmap leaves what is called so alone, unless it is marked
                    body = re.sub(r'(": )("[^"]*|[\w.]+)', r"\1\2*", body)
            if not query and body in (None, "{}") and "*" not in target:
                continue
            if "*" in target:  # then nothing is a parameter by itself
                query = [one + "*" for one in query]
            target += "?" + "&".join(query) if query else ""
            lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{port}", f"Authorization: Bearer {token}"]
            if body is not None:
                lines += ["Content-Type: application/json", "", body]
            requests.append("\n".join(lines))
    # What every request carries, each on a route of its own.
    for route, header in zip(("customers", "invoices", "teams", "users"), ("User-Agent: probe*", "X-Request-Id: probe*", "Cookie: __Host-aegis=ags1_UK_" + "A" * 43 + "*", "Authorization: Bearer " + token + "*")):
        lines = [f"GET /api/{route} HTTP/1.1", f"Host: localhost:{port}", header]
        requests.append("\n".join(lines + ([] if header[0] in "AC" else [f"Authorization: Bearer {token}"])))
    return requests


def sqlmap(gateway, port, requests, name, *options):
    """What it said."""
    place = os.path.join(gateway.folder, name)
    os.makedirs(os.path.join(place, "tamper"))
    with open(os.path.join(place, "log"), "w", encoding="utf-8") as file:
        for request in requests:
            file.write(f"{LINE}\n10:00:00  http://localhost:{port}  [127.0.0.1]\n{LINE}\n{request}\n\n{LINE}\n\n\n\n")
    for file, text in (("__init__.py", ""), ("own_key.py", TAMPER)):
        with open(os.path.join(place, "tamper", file), "w", encoding="utf-8") as out:
            out.write(text)
    # A parameter that it takes for a number that the application casts, it would pass over where there are several requests.
    done = subprocess.run(["sqlmap", "-l", os.path.join(place, "log"), "--batch", "--answers", "skip those kind of cases=N",
                           "--ignore-stdin", "--disable-coloring", "--dbms", "PostgreSQL",
                           "--output-dir", os.path.join(place, "out"), "--tamper", os.path.join(place, "tamper", "own_key.py"),
                           "--ignore-code", "400,401,403,404,405,409,421,422,429", "--time-sec", "2", "--timeout", "10", "--retries", "0", *options],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place,
                          env=environment({"HOME": place, "PYTHONDONTWRITEBYTECODE": "1"}), timeout=3000, check=False)
    with open(os.path.join(place, "said"), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    return done.stdout


def leaves(value, name=None):
    """The names of what a body holds that is no array or object, as sqlmap calls them."""
    if isinstance(value, dict):
        return {leaf for key, inner in value.items() for leaf in leaves(inner, key)}
    if isinstance(value, list):
        return {leaf for inner in value for leaf in leaves(inner, name)}
    return {name}


def parameters(request):
    """Everything of a request that is to be tried."""
    head, _, body = request.partition("\n\n")
    query = head.split(" ")[1].partition("?")[2]
    return ({part.split("=")[0] for part in query.split("&") if part and not part.endswith("*")} | (leaves(json.loads(body)) if body and "*" not in body else set())
            | {f"#{number}*" for part in (head, body) for number in range(1, part.count("*") + 1)})


def untried(requests, said):
    """(method, path, parameter) of what sqlmap does not say that it tried."""
    tried = {}
    for section in re.split(r"^\[\d+/\d+\] URL:$", said, flags=re.M)[1:]:
        target = re.match(r"\s*\w+ https?://[^/]+(\S+)", section).group(1)
        body = re.search(r"^\w+ data: (.*)$", section, re.M)
        tried[target, body.group(1).replace("{}", "") if body else ""] = set(re.findall(r"testing for SQL injection on .*parameter '(?:\S+ )?(\S+)'", section))
    missing = []
    for request in requests:
        method, target = request.split(" ")[:2]
        body = request.partition("\n\n")[2]
        missing += [(method, target, name) for name in sorted(parameters(request) - tried.get((target, body.replace("{}", "")), set()))]
    return missing


def found(text):
    # What only "appears to be" injectable, sqlmap itself looks at again.
    return re.findall(r"(?:parameter|header) '[^']*' is vulnerable|^Parameter: .*", text, re.M)


def broken(cluster, since):
    with open(cluster.log, encoding="utf-8", errors="replace") as file:
        file.seek(since)
        return sorted({match.group(0) for match in BROKEN.finditer(file.read())})


def main():
    report = Report("injection")
    if shutil.which("sqlmap") is None:
        print("skip injection (sqlmap is not installed: ./aegis check does that)")
        return
    with Cluster() as cluster, Gateway(cluster) as gateway:
        client = Client(gateway)
        token = client.sign_in(LOGIN)
        document = client.request("GET", "/api/openapi.json").json()
        relay = Relay(gateway)
        requests = targets(document, token, relay.port)
        if not LONG:
            requests = requests[::4] + requests[-3:]
            print("skip injection/every route, more payloads (takes more than a minute)")
        since = os.path.getsize(cluster.log)
        said = sqlmap(gateway, relay.port, requests, "every", *(["--level", "2", "--technique", "BEUSQ"] if LONG else ["--technique", "BE"]))
        client.close()
        with report.test("every-parameter/nothing is found"):
            asked = sum(1 for line in gateway.lines() if line["event"] == "request")
            every, missing = sum(len(parameters(request)) for request in requests), untried(requests, said)
            print(f"# {len(requests)} requests, {every} parameters, {len(missing)} of them not tried, {asked} attempts")
            equal(found(said), [], "found")
            assert asked > 20 * len(requests), said[-3000:]
        with report.test("every-parameter/every one was tried"):
            for one in missing:
                print("# not tried: %s %s, %s" % one)
            equal(missing, [], "not tried")
        with report.test("every-parameter/no statement broke"):
            equal(broken(cluster, since), [], "errors in the database's log")
        with report.test("every-parameter/nothing failed inside"):
            equal([line for line in gateway.lines() if line["event"] == "request" and line["status"] >= 500], [], "answers of 500")
            equal(client.request("GET", "/api/session").status, 200, "the session, afterwards")
        with report.test("a-weak-route-is-found"):
            cluster.sql(WEAK)
            until(lambda: client.request("GET", "/api/weak?name=a").status == 200, what="the route at the gateway")
            since = os.path.getsize(cluster.log)
            weak = f"GET /api/weak?name=a HTTP/1.1\nHost: localhost:{relay.port}\nAuthorization: Bearer {token}"
            said = sqlmap(gateway, relay.port, [weak], "weak", "--technique", "BE")
            equal([bool(found(said)), bool(broken(cluster, since))], [True, True], said[-2000:])
        relay.shutdown()
        client.close()
    report.finish()


if __name__ == "__main__":
    main()
