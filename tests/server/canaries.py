#!/usr/bin/env python3
"""Words of persons in bodies and heads of requests that succeed and that fail in every way: none of them is in the gateway's log, in the
database's, in what a collector of errors is sent or in the metrics. A word that belongs there is found in each."""
import base64
import json
import os
import sys
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.collector import Sink  # noqa: E402
from fixture.process import write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

CONTROL = "control-7730"
EMAIL, NAME, IBAN, PASSWORD = "mail-7731@canary.example", "Zephyrine Canaryname", "GB33BUKB20201555555555", "quiet-canaries-dance-7734"
TOKEN, OTHER_COOKIE, REQUEST_ID, QUERY = "ags1_UK_" + "Canary7735" * 4 + "AAA", "cookie-7736", "mail-7737@canary.example", "query-7738"
AGENT = "agent-7739"
# What no key of ours signed.
JWT = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (
    {"alg": "RS256", "typ": "at+jwt", "kid": "canary"}, {"iss": "https://idp.example", "sub": EMAIL, "name": NAME})) + "." + "Q2FuYXJ5" * 8
CANARIES = {"e-mail": EMAIL, "name": NAME, "IBAN": IBAN, "password": PASSWORD, "JWT": JWT, "its claims": JWT.split(".")[1], "its signature": JWT.split(".")[2],
            "cookie": TOKEN, "another cookie": OTHER_COOKIE, "request id": REQUEST_ID, "query": QUERY, "user agent": AGENT}
HEADS = {"User-Agent": f"{AGENT} {EMAIL}", "X-Request-Id": REQUEST_ID, "X-Forwarded-For": EMAIL, "Referer": f"https://canary.example/{EMAIL}"}
# Handlers that fail as careless ones do: with what they were given in the error, and in its details.
ROUTES = f"""
CREATE TABLE public.taken (word text PRIMARY KEY, age int CHECK (age > 0));
INSERT INTO public.taken VALUES ('{EMAIL}', 1);
GRANT SELECT, INSERT ON public.taken TO aegis_member;
CREATE FUNCTION public.fails(r aegis.request) RETURNS aegis.response LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  over timestamptz := clock_timestamp() + interval '5 s';
BEGIN
  CASE r.body ->> 'how'
  WHEN 'raises' THEN RAISE EXCEPTION 'wrong: %', r.body USING DETAIL = r.body::text, HINT = r.body::text;
  WHEN 'breaks' THEN RAISE EXCEPTION 'wrong: %', r.body USING DETAIL = r.body::text, HINT = r.body::text, ERRCODE = 'XX001';
  WHEN 'unique' THEN INSERT INTO public.taken VALUES (r.body ->> 'email', 1);
  WHEN 'check' THEN INSERT INTO public.taken VALUES (r.body ->> 'name', -1);
  WHEN 'cast' THEN PERFORM (r.body ->> 'iban')::int;
  WHEN 'statement' THEN EXECUTE format('SELECT %L FROM nowhere', r.body ->> 'password');
  WHEN 'lasts' THEN WHILE clock_timestamp() < over LOOP PERFORM r.body; END LOOP;
  END CASE;
  RETURN aegis.respond(200, r.body);
END $$;
GRANT EXECUTE ON FUNCTION public.fails(aegis.request) TO aegis_member;
SELECT aegis.register_route('POST', '/api/{CONTROL}', 'public.fails(aegis.request)');
"""
FAILURES = {"raises": 422, "breaks": 500, "unique": 500, "check": 500, "cast": 422, "statement": 500, "lasts": 504}
PERSON = {"email": EMAIL, "name": NAME, "iban": IBAN, "password": PASSWORD}


def forms(word):
    """As it is, and as logs, addresses and dumps write it."""
    quoted = {word, json.dumps(word)[1:-1], urllib.parse.quote(word), urllib.parse.quote_plus(word, safe=""), word.replace(" ", ""), word.encode().hex()}
    return {one.lower() for one in quoted}


def holds(text, word):
    text = text.lower()
    return any(form in text for form in forms(word))


def careful(cluster):
    """As in production, where errors of handlers are not logged as they are. Every statement is logged, as in all of these tests."""
    cluster.stop()
    config = os.path.join(cluster.data, "postgresql.conf")
    with open(config, encoding="utf-8") as file:
        text = file.read()
    write(config, text + "aegis.environment = 'production'\naegis.request_timeout = '2s'\n", 0o600)
    os.truncate(cluster.log, 0)
    cluster.start()


def successes(client):
    made = client.request("POST", "/api/users", {"email": EMAIL, "name": NAME, "rank": 1, "password": PASSWORD}, HEADS)
    equal(made.status, 201, made.body)
    customer = client.request("POST", "/api/customers", {"name": NAME, "email": EMAIL, "notes": f"{IBAN} {NAME}"}, HEADS)
    equal(customer.status, 201, customer.body)
    for method, path, body, status in (
            ("GET", customer.headers["location"] + f"?q={QUERY}", None, 200), ("GET", f"/api/customers?q={urllib.parse.quote(NAME)}", None, 200),
            ("PATCH", customer.headers["location"], {"address": f"{NAME}, 1 Canary Row"}, 200), ("POST", f"/api/{CONTROL}", {"how": "nothing", **PERSON}, None),
            ("POST", "/api/kyc/subjects", {"kind": "person", "name": NAME, "identity": {"national_id": IBAN}}, 201)):
        reply = client.request(method, path, body, HEADS)
        equal(reply.status in ({status} if status else {200, 500}), True, (path, reply.status, reply.body))


def refusals(gateway, client):
    stranger = Client(gateway)
    cookie = {"Cookie": f"other={OTHER_COOKIE}; __Host-aegis={TOKEN}"}
    for who, method, path, body, more, wanted in (
            (stranger, "POST", "/api/session", {"tenant": LOGIN["tenant"], "email": EMAIL, "password": PASSWORD + "x"}, {}, 401),
            (stranger, "POST", "/api/session", {"tenant": NAME, "email": EMAIL, "password": PASSWORD}, {}, 401),
            (stranger, "GET", f"/api/customers?q={QUERY}", None, {"Authorization": "Bearer " + JWT}, 401),
            (stranger, "GET", f"/api/customers/{QUERY}", None, cookie, 401),
            (stranger, "GET", "/api/session", None, cookie, 401),
            (stranger, "GET", "/api/customers", None, {"Authorization": "Bearer " + JWT, **cookie}, 400),
            (stranger, "GET", "/api/customers", None, {"Authorization": "Basic " + base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()}, 401),
            (client, "POST", "/api/users", {"email": EMAIL, "name": NAME, "rank": 1, "password": PASSWORD}, {}, 409),
            (client, "POST", "/api/users", {"email": NAME, "name": EMAIL, "rank": 77, "password": PASSWORD}, {}, 422),
            (client, "POST", "/api/customers", {"nam": NAME, "email": EMAIL, IBAN: IBAN}, {}, 422),
            (client, "POST", "/api/customers", f'{{"name": "{NAME}", "email": {EMAIL}'.encode(), {"Content-Type": "application/json"}, 400),
            (client, "POST", "/api/customers", f"name={NAME}&iban={IBAN}".encode(), {"Content-Type": "application/x-www-form-urlencoded"}, 415),
            (client, "GET", f"/api/customers/{QUERY}", None, {}, 404), (client, "GET", f"/api/{EMAIL}/{QUERY}", None, {}, 404),
            (client, "DELETE", f"/api/customers?q={QUERY}", None, {}, 405)):
        reply = who.request(method, path, body, {**HEADS, **more})
        equal(reply.status, wanted, (path, reply.body))
    stranger.close()


def failures(client):
    for how, wanted in FAILURES.items():
        reply = client.request("POST", f"/api/{CONTROL}", {"how": how, **PERSON}, HEADS)
        equal(reply.status, wanted, (how, reply.body))
        if wanted >= 500:
            equal([name for name, word in CANARIES.items() if holds(reply.body.decode(), word)], [], how)


def without_database(cluster, gateway, client):
    cluster.stop()
    try:
        for who, method, path, body, more in (
                (client, "POST", "/api/customers", {"name": NAME, "email": EMAIL, "notes": IBAN}, {}), (client, "POST", f"/api/{CONTROL}?q={QUERY}", PERSON, {}),
                (Client(gateway), "POST", "/api/session", {"tenant": LOGIN["tenant"], "email": EMAIL, "password": PASSWORD}, {}),
                (Client(gateway), "GET", f"/api/customers/{QUERY}", None, {"Authorization": "Bearer " + JWT}),
                (Client(gateway), "GET", f"/api/customers/{QUERY}", None, {"Cookie": f"other={OTHER_COOKIE}; __Host-aegis={TOKEN}"})):
            reply = who.request(method, path, body, {**HEADS, **more})
            equal(reply.status, 503, (path, reply.body))
    finally:
        cluster.start()


def main():
    report = Report("canaries")
    sink, admin = Sink(), free_port()
    dsn = f"http://publickey@127.0.0.1:{sink.server_port}/42"
    with Cluster() as cluster:
        careful(cluster)
        cluster.sql(ROUTES)
        os.truncate(cluster.log, 0)
        with Gateway(cluster, {"sentry": {"dsn": dsn, "environment": "test"}, "admin": {"listen": f"127.0.0.1:{admin}"}}) as gateway:
            client = Client(gateway)
            client.sign_in(LOGIN)
            until(lambda: client.request("POST", f"/api/{CONTROL}", {}).status != 404, 30, "the route at the gateway")
            for name, part in (("succeed", lambda: successes(client)), ("are refused", lambda: refusals(gateway, client)), ("fail", lambda: failures(client)),
                               ("meet no database", lambda: without_database(cluster, gateway, client))):
                with report.test(f"requests that {name}"):
                    part()

            def reported():
                return b"\n".join(body for _, _, body in list(sink.envelopes)).decode()
            with report.test("the errors were reported"):
                until(lambda: all(f'"{status}"' in reported() for status in (500, 503)), 20, "the reports")
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as reply:
                metrics = reply.read().decode()
            with open(cluster.log, encoding="utf-8", errors="replace") as file:
                places = {"the gateway's log": gateway.output(), "the database's log": file.read(), "reports of errors": reported(), "the metrics": metrics}
            for place, text in places.items():
                with report.test(f"{place}: nothing of anybody"):
                    equal([name for name, word in CANARIES.items() if holds(text, word)], [], place)
                with report.test(f"{place}: what belongs there is found"):
                    equal(holds(text, CONTROL), True, place)
            with report.test("and a server that logs parameters, which it does not by itself, would be found out"):
                since = os.path.getsize(cluster.log)
                cluster.sql("ALTER SYSTEM SET log_parameter_max_length = -1")
                cluster.sql("SELECT pg_reload_conf()")
                until(lambda: cluster.sql("SHOW log_parameter_max_length") == "-1", what="the setting")
                client.sign_in(LOGIN)
                said = client.request("POST", "/api/customers", {"name": NAME, "email": EMAIL, "notes": IBAN}, HEADS)
                equal(said.status, 409, said.body)
                with open(cluster.log, encoding="utf-8", errors="replace") as file:
                    file.seek(since)
                    text = file.read()
                equal([name for name, word in CANARIES.items() if holds(text, word)], ["e-mail", "name", "IBAN", "request id", "user agent"], "found")
            client.close()
    sink.shutdown()
    report.finish()


if __name__ == "__main__":
    main()
