#!/usr/bin/env python3
"""Errors reach a collector as envelopes, with nothing of what was sent or of whom; a collector that hangs holds nobody up."""
import json
import sys
import time

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report  # noqa: E402
from fixture.collector import Sink  # noqa: E402
from fixture.report import equal, until  # noqa: E402

CANARY = "canary-4711"
# Two routes that fail in the database, one of which must not be known.
ROUTES = """
CREATE FUNCTION public.fails(aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$ BEGIN RAISE EXCEPTION 'fails' USING ERRCODE = 'internal_error'; END $$;
SELECT aegis.register_route('GET', '/api/fails/known', 'public.fails(aegis.request)', public => true);
SELECT aegis.register_route('GET', '/api/fails/withheld', 'public.fails(aegis.request)', public => true, withheld => true);
"""


def event_of(envelope):
    head, item, payload, end = envelope[2].decode().split("\n")
    equal((json.loads(item)["type"], json.loads(item)["length"], end), ("event", len(payload), ""), "frame")
    event = json.loads(payload)
    equal(json.loads(head)["event_id"], event["event_id"], "id")
    return event


def main():
    report = Report("sentry")
    sink = Sink()
    dsn = f"http://publickey@127.0.0.1:{sink.server_port}/42"
    with Cluster() as cluster, Gateway(cluster, {"sentry": {"dsn": dsn, "environment": "test"}}) as gateway:
        client = Client(gateway, token="ags1_UK_" + "A" * 43)
        with report.test("nothing-arrives-of-what-is-no-error"):
            equal(client.request("GET", "/api/customers").status, 401, "before")
            equal(sink.envelopes, [], "nothing is reported of what is no error")
        with report.test("of-a-statement-that-fails-the-known-route-is-reported-and-the-withheld-one-is-not"):
            cluster.sql(ROUTES)
            for at in ("withheld", "known"):  # errors leave in the order in which they came
                until(lambda: client.request("GET", f"/api/fails/{at}", headers={"X-Request-Id": f"{at}-500"}).status == 500, what=f"the {at} route's failure")
            until(lambda: [event_of(one)["tags"].get("request_id") for one in list(sink.envelopes)] == ["known-500"], what="one report")
            equal("error" in [line["level"] for line in gateway.lines() if line.get("request_id") == "withheld-500"], True, "the log has it")
            sink.envelopes.clear()
        with report.test("an-error-while-the-database-is-away-arrives-as-an-envelope"):
            cluster.stop()
            until(lambda: client.request("GET", f"/api/customers/{CANARY}?email={CANARY}", headers={
                "User-Agent": CANARY, "X-Other": CANARY, "Cookie": f"other={CANARY}"}).status == 503, what="a request that fails")
            until(lambda: any(event_of(one)["exception"]["values"][0]["type"] == "request" for one in list(sink.envelopes)), what="its report")
            path, headers, _ = sink.envelopes[0]
            equal((path, headers["Content-Type"]), ("/api/42/envelope/", "application/x-sentry-envelope"), "where to")
            assert "sentry_key=publickey" in headers["X-Sentry-Auth"] and "sentry_version=7" in headers["X-Sentry-Auth"], headers
            event = next(event for event in map(event_of, list(sink.envelopes)) if event["exception"]["values"][0]["type"] == "request")
            equal((event["transaction"], event["tags"]["status"], event["environment"], event["platform"]),
                  ("GET /api/customers/{id}", "503", "test", "native"), "event")
        with report.test("nothing-of-a-request-or-its-sender-leaves"):
            everything = b"".join(body for _, _, body in sink.envelopes).decode()
            for forbidden in (CANARY, "127.0.0.1", "AAAAAAAA", "probe-works"):
                assert forbidden not in everything, everything
        with report.test("of-an-error-of-a-withheld-route-nothing-is-sent"):
            path = "/api/kyc/subjects/00000000-0000-4000-8000-000000000001/suspicion"
            equal(client.request("POST", path, body={}, headers={"X-Request-Id": "withheld-one"}).status, 503, "a request that fails")
            # Errors leave in the order in which they came.
            equal(client.request("GET", "/api/teams", headers={"X-Request-Id": "shown-one"}).status, 503, "the next one")
            of_requests = until(lambda: (found := [event["tags"].get("request_id") for event in map(event_of, list(sink.envelopes))]) and "shown-one" in found and found,
                                what="the report of the next one")
            equal("withheld-one" in of_requests, False, "a report")
            equal([line["level"] for line in gateway.lines() if line.get("request_id") == "withheld-one"], ["error"], "the log has it")
            everything = b"".join(body for _, _, body in sink.envelopes).decode()
            assert "suspicion" not in everything and "/api/kyc" not in everything, everything
        with report.test("a-burst-is-sampled-and-counted"):
            before = len(sink.envelopes)
            for _ in range(60):
                client.request("GET", "/api/customers")
            time.sleep(0.5)
            assert len(sink.envelopes) - before <= 10, len(sink.envelopes) - before
        with report.test("a-collector-that-hangs-holds-nobody-up"):
            sink.hang.clear()
            started = time.monotonic()
            for number in range(100):
                client.request("GET", f"/api/invoices/{number}")
            assert time.monotonic() - started < 20
            sink.hang.set()
        with report.test("the-gateway-ends-although-it-cannot-report"):
            sink.hang.clear()
            client.request("GET", "/api/teams")
            gateway.signal()
            equal(gateway.wait(15), 0, "exit")
            sink.hang.set()
        cluster.start()
    sink.shutdown()
    report.finish()


main()
