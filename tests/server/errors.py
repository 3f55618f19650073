#!/usr/bin/env python3
"""Requests against the real database: each wrong one has one clear answer, and forging gains nothing."""
import sys
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.report import equal, until  # noqa: E402

UNKNOWN = "ags1_UK_" + "A" * 43
JSON = {"Content-Type": "application/json"}

ROUTES = """
CREATE FUNCTION public.echo(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT ROW(200, '{}'::jsonb, jsonb_build_object('method', r.method, 'path', r.path, 'query', r.query, 'body', r.body,
    'tenant', aegis.tenant_id(), 'ip', aegis.client_ip(), 'request', aegis.request_id()), NULL)::aegis.response $$;
CREATE FUNCTION public.endless(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT ROW(200, '{}'::jsonb, to_jsonb(count(*)), NULL)::aegis.response FROM generate_series(1, 100000000000) $$;
CREATE FUNCTION public.splitting(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT ROW(200, jsonb_build_object('x-good', 'yes', 'x-bad', E'a\\r\\nset-cookie: evil=1', 'content-length', '0'),
    '{"a": 1}'::jsonb, NULL)::aegis.response $$;
GRANT EXECUTE ON FUNCTION public.echo(aegis.request), public.endless(aegis.request), public.splitting(aegis.request) TO aegis_member;
"""


def well_formed(report, gateway, client):
    cases = [
        ("malformed-json", "POST", "/api/session", b"{\"tenant\": ", JSON, 400, "malformed-body"),
        ("truncated-utf8", "POST", "/api/session", b"{\"tenant\": \"\xc3\"}", JSON, 400, "malformed-body"),
        ("duplicate-keys", "POST", "/api/session", b'{"tenant": "a", "tenant": "b", "email": "c", "password": "d"}', JSON, 400, "duplicate-key"),
        ("deep-json", "POST", "/api/session", b"[" * 4000, JSON, 400, "malformed-body"),
        ("wrong-content-type", "POST", "/api/session", b"tenant=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
        ("no-content-type", "POST", "/api/session", b"{}", {}, 415, "unsupported-media-type"),
        ("missing-members", "POST", "/api/session", b"{}", JSON, 422, "invalid"),
        ("oversized-body", "POST", "/api/session", b'"' + b"a" * 5000 + b'"', JSON, 413, "body-too-large"),
        ("unknown-tenant", "POST", "/api/session", b'{"tenant": "nobody", "email": "a@b.example", "password": "c"}', JSON, 401, "invalid-credentials"),
        ("unknown-route", "GET", "/api/nothing", None, {}, 404, "not-found"),
        ("unknown-page", "GET", "/elsewhere", None, {}, 404, "not-found"),
        ("trailing-slash", "GET", "/api/customers/", None, {}, 404, "not-found"),
        ("wrong-method", "PUT", "/api/customers", b"{}", JSON, 405, "method-not-allowed"),
        ("options", "OPTIONS", "/api/customers", None, {}, 405, "method-not-allowed"),
        ("health-by-post", "POST", "/api/health", b"{}", JSON, 405, "method-not-allowed"),
        ("no-credential", "GET", "/api/customers", None, {}, 401, "missing-credential"),
        ("malformed-bearer", "GET", "/api/customers", None, {"Authorization": "Bearer x' OR 1=1"}, 401, "session-invalid"),
        ("other-scheme", "GET", "/api/customers", None, {"Authorization": "Basic YTpi"}, 401, "session-invalid"),
        ("malformed-cookie", "GET", "/api/customers", None, {"Cookie": "__Host-aegis=short"}, 401, "session-invalid"),
        ("cookie-without-prefix", "GET", "/api/customers", None, {"Cookie": f"aegis={UNKNOWN}"}, 401, "missing-credential"),
        ("unknown-session", "GET", "/api/customers", None, {"Authorization": f"Bearer {UNKNOWN}"}, 401, "session-invalid"),
    ]
    for name, method, path, body, headers, status, problem in cases:
        with report.test(name):
            reply = client.request(method, path, body, headers)
            equal((reply.status, reply.problem()), (status, problem), reply.body)
            if status == 401:
                equal(reply.headers["www-authenticate"], "Bearer", "www-authenticate")
    with report.test("allow-names-the-methods"):
        equal(client.request("PUT", "/api/customers", b"{}", JSON).headers["allow"], "GET, HEAD, POST", "allow")


def database_untouched(report, cluster, client):
    with report.test("refused-without-the-database"):
        before = len(cluster.statements_of_gateway())
        for path, headers in (("/api/nothing", {}), ("/api/customers", {}), ("/api/health", {}),
                              ("/api/customers", {"Authorization": "Bearer short"})):
            client.request("GET", path, headers=headers)
        client.request("PUT", "/api/customers", b"{}", JSON)
        client.request("POST", "/api/session", b"a" * 5000, JSON)
        equal(len(cluster.statements_of_gateway()), before, "statements")


def signed_in(report, cluster, gateway):
    client = Client(gateway)
    with report.test("sign-in"):
        client.sign_in(LOGIN)
        equal(client.request("GET", "/api/session").json()["tenant"]["slug"], LOGIN["tenant"], "tenant")

    with report.test("wrong-password"):
        other = Client(gateway)
        reply = other.request("POST", "/api/session", {**LOGIN, "password": "wrong"})
        equal((reply.status, reply.problem()), (401, "invalid-credentials"), "answer")
        other.close()

    with report.test("one-statement-per-request"):
        client.request("GET", "/api/customers")  # every worker that answers has prepared by now, or will
        before = len(cluster.statements_of_gateway())
        for _ in range(20):
            equal(client.request("GET", "/api/customers").status, 200, "status")
        lines = cluster.statements_of_gateway()[before:]
        equal(len(lines), 20, "statements")
        equal([line for line in lines if "aegis.handle($1, $2, $3, $4, $5, $6)" not in line], [], "other statements")

    with report.test("cookie-signs-in-too"):
        cookie = {"Cookie": f"a=b; __Host-aegis={client.token}; c=d"}
        plain = Client(gateway)
        equal(plain.request("GET", "/api/session", headers=cookie).status, 200, "status")
        plain.close()

    with report.test("forged-fields-change-nothing"):
        honest = client.request("GET", "/api/echo?a=b").json()
        forged = client.request("GET", "/api/echo?a=b", headers={
            "X-Tenant-Id": "00000000-0000-0000-0000-000000000001", "X-User-Id": "00000000-0000-0000-0000-000000000002",
            "X-Rank": "4", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9",
            "REMOTE_ADDR": "203.0.113.9", "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/api/users"}).json()
        del honest["request"], forged["request"]
        equal(forged, honest, "answer")
        equal((honest["ip"], honest["query"]), ("127.0.0.1", {"a": "b"}), "what the handler saw")

    with report.test("tenant-in-the-body-changes-nothing"):
        foreign = "00000000-0000-0000-0000-000000000001"
        reply = client.request("POST", "/api/customers", {"name": "Bo Probe", "email": "bo@example.org", "tenant_id": foreign})
        equal(reply.status, 201, reply.body)
        assert foreign.encode() not in reply.body

    with report.test("request-id-is-kept-or-made"):
        reply = client.request("GET", "/api/echo", headers={"X-Request-Id": "abc-1.2_3"})
        equal((reply.headers["x-request-id"], reply.json()["request"]), ("abc-1.2_3", "abc-1.2_3"), "given")
        for bad in ("", "a b", "a" * 65, "<x>"):
            made = client.request("GET", "/api/echo", headers={"X-Request-Id": bad}).headers["x-request-id"]
            equal(len(made), 36, bad)

    with report.test("head-is-get-without-body"):
        reply = client.request("HEAD", "/api/customers")
        equal((reply.status, reply.body), (200, b""), "answer")
        assert int(reply.headers["content-length"]) > 0

    with report.test("answer-cannot-be-split"):
        reply = client.request("GET", "/api/splitting")
        equal((reply.status, reply.problem()), (500, "internal"), "answer")
        assert "set-cookie" not in reply.headers and "x-bad" not in reply.headers, reply.headers

    with report.test("large-body-arrives-whole"):
        text = "ä" * 10000  # 60000 bytes as JSON
        equal(client.request("POST", "/api/echo", {"text": text}).json()["body"], {"text": text}, "body")

    with report.test("timeout-is-504"):
        started = time.monotonic()
        reply = client.request("GET", "/api/endless")
        equal((reply.status, reply.problem()), (504, "timeout"), reply.body)
        assert time.monotonic() - started < 6
        equal(client.request("GET", "/api/customers").status, 200, "the next request")

    with report.test("second-sign-in-supersedes"):
        newer = Client(gateway)
        newer.sign_in(LOGIN)
        reply = client.request("GET", "/api/customers")
        equal((reply.status, reply.problem()), (401, "session-superseded"), "old session")
        equal(newer.request("DELETE", "/api/session").status, 204, "sign out")
        equal(newer.request("GET", "/api/customers").problem(), "session-invalid", "after sign out")
        newer.close()
    client.close()


def main():
    report = Report("error")
    with Cluster() as cluster:
        with Gateway(cluster, {"database": {"statement_seconds": 2}}) as gateway:
            client = Client(gateway)
            with report.test("new-route-is-noticed"):
                equal(client.request("GET", "/api/echo").status, 404, "before")
                cluster.sql(ROUTES)
                cluster.sql("SELECT aegis.register_route('GET', '/api/echo', 'public.echo(aegis.request)'::regprocedure),"
                            "aegis.register_route('POST', '/api/echo', 'public.echo(aegis.request)'::regprocedure),"
                            "aegis.register_route('GET', '/api/endless', 'public.endless(aegis.request)'::regprocedure),"
                            "aegis.register_route('GET', '/api/splitting', 'public.splitting(aegis.request)'::regprocedure)",
                            user="operator")
                until(lambda: client.request("GET", "/api/echo").status == 401, 3, "the new route")
            well_formed(report, gateway, client)
            database_untouched(report, cluster, client)
            signed_in(report, cluster, gateway)
            client.close()
    report.finish()


main()
