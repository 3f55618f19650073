#!/usr/bin/env python3
"""Services that sign their requests: a stock signer is understood, every change and every second use is refused, crash or not."""
import base64
import concurrent.futures
import json
import os
import secrets
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import Client, Gateway, Report  # noqa: E402
from fixture.process import ROOT  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.service import WINDOW, Service, ShortWindow  # noqa: E402

sys.path[:0] = [os.path.join(ROOT, "tests", "independent"), os.path.join(ROOT, "docs", "examples")]
import aegis_http as http  # noqa: E402
import verify_request as example  # noqa: E402

BODY = b'{"a": 1}'
ROUTES = """
CREATE FUNCTION public.svc(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'body', r.body, 'query', r.query)) $$;
GRANT EXECUTE ON FUNCTION public.svc(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/svc', 'public.svc(aegis.request)', credentials => '{service}', scope => 'svc');
SELECT aegis.register_route('POST', '/api/svc', 'public.svc(aegis.request)', credentials => '{session,service}', scope => 'svc');
SELECT aegis.register_route('POST', '/api/svd', 'public.svc(aegis.request)', credentials => '{service}', scope => 'svc');
"""


def send(client, method, target, fields, content=b""):
    headers = dict(fields, **({"content-type": "application/json"} if content else {}))
    return client.request(method, target, content or None, headers)


def ready(service, client):
    def answered():
        return send(client, "GET", "/api/svc", service.fields("GET", "/api/svc")).status == 200
    # Several in a row: each worker has a connection of its own to lose and to get again.
    until(lambda: all(answered() for _ in range(10)), 60, "signed requests")
    for path in ("/api/svc", "/api/svd"):  # the gateway is told of each route by itself
        until(lambda: client.request("POST", path).status not in (404, 405), 30, "the routes at the gateway")


def stock_signer(report, service, client):
    """http-message-signatures from npm, unchanged."""
    asked = []
    for method, target, content, fields in (
            ("GET", "/api/svc?a=b%20c&d", b"", ["@method", "@target-uri"]),
            ("GET", "/api/svc", b"", ["@method", "@authority", "@path", "@query"]),
            ("POST", "/api/svc", BODY, ["@method", "@target-uri", "content-digest", "content-type"])):
        headers = {"Host": service.authority(), "Content-Type": "application/json"}
        if content:
            headers["Content-Digest"] = http.digest(content)
        asked.append({"method": method, "url": f"https://{service.authority()}{target}", "headers": headers, "keyid": service.key_id,
                      "secret": service.secret_text, "nonce": secrets.token_urlsafe(16), "fields": fields})
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "sign.mjs")], input="\n".join(map(json.dumps, asked)),
                          stdout=subprocess.PIPE, text=True, check=True)
    for case, line in zip(asked, done.stdout.splitlines()):
        with report.test("stock-signer-" + case["method"].lower() + "-" + str(len(case["fields"]))):
            target = case["url"].split(service.authority())[1]
            reply = client.request(case["method"], target, BODY if case["method"] == "POST" else None, json.loads(line))
            equal(reply.status, 200, reply.body)
            equal(reply.json()["way"], "service", "way")


def changes(report, service, client):
    """Each request is well signed but for one thing, so that this thing is what is refused."""
    def flip(fields, name, old, new):
        assert old in fields[name], (name, old, fields)
        return dict(fields, **{name: fields[name].replace(old, new, 1)})

    def good(**options):
        return service.fields("POST", "/api/svc", BODY, **options)
    now = int(time.time())
    cases = [
        ("nothing", "POST", "/api/svc", good(), BODY),
        ("method", "POST", "/api/svc", service.fields("PUT", "/api/svc", BODY), BODY),
        ("path", "POST", "/api/svd", good(), BODY),
        ("query", "POST", "/api/svc?x=1", good(), BODY),
        ("body", "POST", "/api/svc", good(), b'{"a": 2}'),
        ("body-and-digest", "POST", "/api/svc", dict(good(), **{"content-digest": http.digest(b'{"a": 2}')}), b'{"a": 2}'),
        ("digest-missing", "POST", "/api/svc", {k: v for k, v in good().items() if k != "content-digest"}, BODY),
        ("digest-not-covered", "POST", "/api/svc", good(covered='("@method" "@target-uri")'), BODY),
        ("digest-of-nothing-that-counts", "POST", "/api/svc", dict(good(), **{"content-digest": "md5=:AAAA:"}), BODY),
        ("method-not-covered", "POST", "/api/svc", good(covered='("@target-uri" "content-digest")'), BODY),
        ("target-not-covered", "POST", "/api/svc", good(covered='("@method" "@path" "content-digest")'), BODY),
        ("host", "POST", "/api/svc", dict(good(), host="localhost:1"), BODY),
        ("created", "POST", "/api/svc", flip(good(created=now), "signature-input", f"created={now}", f"created={now + 1}"), BODY),
        ("nonce", "POST", "/api/svc", flip(good(nonce="n" * 20), "signature-input", "n" * 20, "m" + "n" * 19), BODY),
        ("key", "POST", "/api/svc", good(key_id="svc.2"), BODY),
        ("secret", "POST", "/api/svc", good(secret=bytes(32)), BODY),
        ("too-old", "POST", "/api/svc", good(created=time.time() - WINDOW - 2), BODY),
        ("too-new", "POST", "/api/svc", good(created=time.time() + WINDOW + 3), BODY),
        ("expired", "POST", "/api/svc", good(more=";expires=%d" % (time.time() - 1)), BODY),
        ("algorithm", "POST", "/api/svc", good(more=';alg="ed25519"'), BODY),
        ("tag", "POST", "/api/svc", good(more=';tag="other"'), BODY),
        ("two-labels", "POST", "/api/svc", {k: v + ", t" + v[1:] if k.startswith("signature") else v for k, v in good().items()}, BODY),
        ("other-label", "POST", "/api/svc", flip(good(), "signature", "s=", "t="), BODY),
        ("component-twice", "POST", "/api/svc", flip(good(), "signature-input", '"@method"', '"@method" "@method"'), BODY),
        ("no-nonce", "POST", "/api/svc", flip(good(nonce="n" * 20), "signature-input", ';nonce="%s"' % ("n" * 20), ""), BODY),
        ("signature", "POST", "/api/svc", flip(good(), "signature", "s=:", "s=:/"), BODY),
        ("signature-missing", "POST", "/api/svc", {k: v for k, v in good().items() if k != "signature"}, BODY),
        ("input-too-long", "POST", "/api/svc", good(more=';tag="%s"' % ("x" * 2048)), BODY),
    ]
    for name, method, target, fields, content in cases:
        with report.test("changed-" + name):
            reply = send(client, method, target, fields, content)
            if name == "nothing":
                equal(reply.status, 200, reply.body)
            elif name == "host":
                equal(reply.status in (401, 421), True, reply.body)
            else:
                equal((reply.status, reply.problem()), (401, "signature-invalid"), reply.body)


def replays(report, gateway, service, client):
    with report.test("replay"):
        fields = service.fields("POST", "/api/svc", BODY)
        equal([send(client, "POST", "/api/svc", fields, BODY).status for _ in range(3)], [200, 401, 401], "statuses")
    with report.test("32-clients-with-one-request"):
        clients = [Client(gateway) for _ in range(32)]
        for one in clients:
            one.request("GET", "/api/health")
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for _ in range(5):
                fields, gate = service.fields("POST", "/api/svc", BODY), threading.Barrier(32)

                def ask(one, fields=fields, gate=gate):
                    gate.wait()
                    return send(one, "POST", "/api/svc", fields, BODY).status
                equal(sorted(pool.map(ask, clients)), [200] + 31 * [401], "statuses")
        for one in clients:
            one.close()
    with report.test("head-is-signed-as-sent"):
        equal(send(client, "HEAD", "/api/svc", service.fields("HEAD", "/api/svc")).status, 200, "HEAD")
        equal(send(client, "HEAD", "/api/svc", service.fields("GET", "/api/svc")).status, 401, "GET sent as HEAD")


def outbound(report, cluster, service):
    """What aegis.sign_request() signs, the examples in Python and JavaScript take once, and nothing else."""
    def signed(method, url, body=b""):
        text = cluster.sql("SELECT aegis.sign_request('svc', '%s', '%s', decode('%s', 'hex'))" % (method, url, body.hex()), user="operator")
        return {"method": method, "url": url, "headers": json.loads(text), "body": body}

    def vector(case, since):  # a memory for each: they share one nonce
        request = case["request"]
        return {"method": request["method"], "url": http.component({**request, "fields": []}, "@target-uri"), "headers": dict(case["fields"]),
                "body": bytes.fromhex(request["content"]), "now": 1618884473, "since": since, "secrets": {"billing.1": bytes.fromhex(vectors["secret"])}}

    def without(request, name):
        return {**request, "headers": {k: v for k, v in request["headers"].items() if k != name}}

    def edited(request, name, old, new):
        assert old in request["headers"][name], (name, old)
        return {**request, "headers": {**request["headers"], name: request["headers"][name].replace(old, new, 1)}}

    with open(os.path.join(ROOT, "tests", "vectors", "http_signature_v1.json"), encoding="ascii") as file:
        vectors = json.load(file)
    url, now = "http://127.0.0.1:8080/hook?a=b%20c", time.time()

    def post():
        return signed("POST", url, BODY)
    first, inbound = post(), service.fields("POST", "/api/svc", BODY)
    cases = [
        (True, "post", first), (False, "replay", first), (True, "get", signed("GET", url)),
        *((True, "vector", vector(case, since)) for since, case in enumerate(vectors["outbound"], 1)),
        (False, "another caller", edited(vector(vectors["outbound"][2], 11), "aegis-caller", "rank=3", "rank=4")),
        (False, "no caller", without(vector(vectors["outbound"][2], 12), "aegis-caller")),
        (False, "a caller of nobody's", {**vector(vectors["outbound"][0], 13), "headers": {**dict(vectors["outbound"][0]["fields"]), "aegis-caller": "rank=4"}}),
        (False, "method", {**post(), "method": "PUT"}), (False, "url", {**post(), "url": url + "&x"}),
        (False, "scheme", {**post(), "url": url.replace("http:", "https:")}), (False, "body", {**post(), "body": b"other"}),
        (False, "no body", {**post(), "body": b""}), (False, "body where none was", {**signed("GET", url), "body": b"x"}),
        (False, "digest", edited(post(), "content-digest", ":", ":A")), (False, "no digest", without(post(), "content-digest")),
        (False, "no signature", without(post(), "signature")), (False, "no input", without(post(), "signature-input")),
        (False, "component dropped", edited(post(), "signature-input", ' "content-digest"', "")),
        (False, "nonce", edited(post(), "signature-input", 'nonce="', 'nonce="A')),
        (False, "key", edited(post(), "signature-input", "svc.1", "svc.2")),
        (False, "tag", edited(post(), "signature-input", "aegis-outbound", "aegis")),
        (False, "line end", edited(post(), "signature-input", 'outbound"', 'outbound"\n')),
        (False, "two signatures", edited(post(), "signature", "aegis=", "aegis=::, aegis=")),
        (False, "signature", edited(post(), "signature", "=:", "=:A")),
        (False, "a request to Aegis", {"method": "POST", "url": f"https://{service.authority()}/api/svc", "headers": inbound, "body": BODY}),
        (False, "another secret", {**post(), "secrets": {"svc.1": bytes(32)}}), (False, "no secret", {**post(), "secrets": {}}),
        (False, "old", {**post(), "now": now + 400}), (False, "ahead", {**post(), "now": now - 400}),
        (False, "before the start", {**post(), "since": now - 100})]
    lines, python, memories = [], [], {}
    for _, _, request in cases:
        request = {"secrets": {"svc.1": service.secret}, "now": time.time(), "since": 0, **request}
        memory = memories.setdefault(request["since"], example.Nonces(request["since"]))
        python.append(example.verify_request(request["method"], request["url"], request["headers"], request["body"], request["secrets"], memory,
                                             request["now"]))
        lines.append(json.dumps({**request, "body": base64.b64encode(request["body"]).decode(),
                                 "secrets": {k: base64.b64encode(v).decode() for k, v in request["secrets"].items()}}))
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "verify_request.mjs")], input="\n".join(lines), stdout=subprocess.PIPE,
                          text=True, check=True)
    for name, results in (("python", python), ("javascript", [line == "true" for line in done.stdout.split()])):
        with report.test("example-in-" + name):
            equal([(n, r) for (_, n, _), r in zip(cases, results)], [(n, w) for w, n, _ in cases], "verdicts")
            equal(len(results), len(cases), "verdicts")
    with report.test("what-leaves-is-not-taken-back"):
        client = Client(service.gateway)
        target = "/api/svc"
        request = signed("GET", f"https://{service.authority()}{target}")
        equal(send(client, "GET", target, request["headers"]).status, 401, "status")
        client.close()


def crash_and_restart(report, cluster, service, client):
    # Signed as far ahead as the window allows, so that it is not too old when the server is back.
    with report.test("replay-after-a-crash"):
        fields = service.fields("GET", "/api/svc", created=time.time() + WINDOW - 1)
        equal(send(client, "GET", "/api/svc", fields).status, 200, "first")
        victim = cluster.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'aegis-server' LIMIT 1")
        cluster.crash(victim)
        until(lambda: send(client, "GET", "/api/svc", service.fields("GET", "/api/svc")).status == 200, 30, "a new request after the crash")
        # 503: of a worker whose connection is not back yet.
        equal(until(lambda: (status := send(client, "GET", "/api/svc", fields).status) != 503 and status, 30, "an answer"), 401, "second")
    with report.test("replay-after-a-restart"):
        ready(service, client)  # every worker has its connection again
        fields = service.fields("GET", "/api/svc", created=time.time() + WINDOW - 1)
        equal(send(client, "GET", "/api/svc", fields).status, 200, "first")
        cluster.stop()
        cluster.start()
        seen = set()
        deadline = time.monotonic() + 3 * WINDOW
        while time.monotonic() < deadline:
            seen.add(send(client, "GET", "/api/svc", fields).status)
            time.sleep(0.1)
        assert seen <= {401, 503} and 401 in seen, seen
    with report.test("restart-tells-when-to-come-again"):
        cluster.stop()
        cluster.start()
        reply = until(lambda: (r := send(client, "GET", "/api/svc", service.fields("GET", "/api/svc"))).headers.get("retry-after") != "1" and r,
                      20, "an answer of the database")
        equal(reply.status, 503, reply.body)
        assert 1 < int(reply.headers["retry-after"]) <= WINDOW + 1, reply.headers
        ready(service, client)


def main():
    report = Report("service")
    with ShortWindow() as cluster, Gateway(cluster) as gateway:
        cluster.sql(ROUTES)
        service, client = Service(cluster, gateway), Client(gateway)
        until(lambda: client.request("GET", "/api/svc").status == 401, 30, "the route at the gateway")
        ready(service, client)
        stock_signer(report, service, client)
        changes(report, service, client)
        replays(report, gateway, service, client)
        outbound(report, cluster, service)
        crash_and_restart(report, cluster, service, client)
        with report.test("no-secret-in-the-log"):
            with open(cluster.log, encoding="utf-8", errors="replace") as file:
                equal(service.secret_text in file.read(), False, "secret")
        client.close()
    report.finish()


if __name__ == "__main__":
    main()
