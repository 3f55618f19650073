#!/usr/bin/env python3
"""Tokens of a certified OpenID provider, which the agent fetches keys of: they open routes, also while it rotates its keys, and
hostile ones do not."""
import base64
import concurrent.futures
import hashlib
import hmac
import html
import http.cookiejar
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report  # noqa: E402
from fixture.gateway import program  # noqa: E402
from fixture.process import ROOT, as_user, environment, folder, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

SETUP = """
CREATE FUNCTION public.whoami(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT aegis.respond(200, jsonb_build_object('rank', aegis.rank(), 'user', aegis.user_id(), 'tenant', aegis.tenant_id())) $$;
GRANT EXECUTE ON FUNCTION public.whoami(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/whoami', 'public.whoami(aegis.request)');
"""
OPERATOR = """
SELECT id AS tenant FROM aegis.tenants() \\gset
SELECT aegis.register_destination('idp', '{issuer}') \\g /dev/null
SELECT aegis.register_issuer('idp', '{issuer}', audiences => '{{aegis-api}}', destination => 'idp', jwks_path => '/jwks',
  organisation_claim => '{{org}}', role_claim => '{{roles}}', refresh => '1 s') \\g /dev/null
SELECT aegis.map_issuer_tenant('idp', 'acme', :'tenant'), aegis.map_issuer_role('idp', 'boss', 4::smallint), aegis.map_issuer_role('idp', 'reader', 1::smallint)
  \\g /dev/null
BEGIN;
SELECT aegis.assume_tenant(:'tenant'::uuid, 'test of issuers', 'TEST-1', read_only => false) \\g /dev/null
SELECT aegis.create_user('alice@idp.example', 'Alice', 3::smallint, NULL, 'seven-quiet-otters-dance-92') AS alice,
       aegis.create_user('bob@idp.example', 'Bob', 3::smallint, NULL, 'seven-quiet-otters-dance-93') AS bob \\gset
SELECT aegis.link_issuer_user('idp', 'alice', :'alice'), aegis.link_issuer_user('idp', 'bob', :'bob') \\g /dev/null
COMMIT;
SELECT :'alice', :'bob';
"""
AGENT = """
[agent]
poll_seconds = 1
[database]
socket = "{socket}"
name = "probe"
user = "outbound"
[log]
file = "{folder}/agent.log"
[[destination]]
url = "{issuer}"
ca = "{folder}/ca.pem"
networks = ["127.0.0.0/8"]
"""


class Provider:
    """The provider, and what a browser does with it."""

    def __init__(self):
        self.folder = folder("idp")
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def certificate(self):
        def openssl(*arguments):
            subprocess.run(as_user(["openssl", *arguments]), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "idp.key", "-out", "idp.csr")
        write(self.path("idp.ext"), "subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "idp.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "idp.ext", "-out", "idp.pem")

    def __enter__(self):
        self.certificate()
        with open(self.path("log"), "w", encoding="utf-8") as log:
            # Not as another user: the packages lie in the clone.
            self.process = subprocess.Popen(["node", os.path.join(ROOT, "tests", "stock", "provider.mjs"), self.path("idp.pem"), self.path("idp.key"),
                                             self.path("port")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(lambda: os.path.exists(self.path("port")) or self.process.poll() is not None, 30, "the provider")
            if self.process.poll() is not None:
                with open(self.path("log"), encoding="utf-8") as log:
                    raise RuntimeError("the provider ended: " + log.read())
        except BaseException:
            self.__exit__()
            raise
        with open(self.path("port"), encoding="ascii") as file:
            self.issuer = "https://localhost:" + file.read()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def browser(self):
        """Follows redirects on the provider, and stops where it leads elsewhere."""
        issuer = self.issuer

        class Follow(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, req, fp, code, msg, headers, newurl):
                return super().redirect_request(req, fp, code, msg, headers, newurl) if newurl.startswith(issuer) else None
        return urllib.request.build_opener(Follow, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
                                           urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.path("ca.pem"))))

    def call(self, path, body):
        request = urllib.request.Request(self.issuer + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with self.browser().open(request, timeout=20) as answer:
            return answer.read().decode()

    def sign(self, header=None, **claims):
        now = int(time.time())
        base = {"iss": self.issuer, "aud": "aegis-api", "sub": "alice", "sid": "hostile", "org": "acme", "roles": ["boss"], "iat": now - 1, "exp": now + 300}
        base.update(claims)
        return self.call("/test/sign", {"header": header or {}, "claims": {k: v for k, v in base.items() if v is not None}})

    def sign_in(self, login, algorithm="RS256", browser=None):
        """The authorization code flow with PKCE, by hand; the token answer."""
        browser = browser or self.browser()
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        query = {"client_id": "app", "response_type": "code", "redirect_uri": "https://app.example.test/callback", "scope": "openid api", "state": state,
                 "resource": f"urn:api:{algorithm}", "code_challenge_method": "S256",
                 "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()}
        answer = self.follow(browser, self.issuer + "/auth?" + urllib.parse.urlencode(query), login)
        equal((answer["state"], answer["iss"]), (state, self.issuer), "state and issuer")
        form = {"grant_type": "authorization_code", "client_id": "app", "code": answer["code"], "redirect_uri": query["redirect_uri"],
                "code_verifier": verifier}
        with browser.open(self.issuer + "/token", urllib.parse.urlencode(form).encode(), timeout=20) as tokens:
            return json.loads(tokens.read())

    def follow(self, browser, target, login):
        """Signs in on its pages; what it sends the browser back with."""
        body = None
        for _ in range(6):
            try:
                with browser.open(target, body, timeout=20) as answer:
                    page = answer.read().decode()
            except urllib.error.HTTPError as error:
                if error.code not in (302, 303):
                    raise AssertionError(f"the provider: {error.code} {error.read().decode()[:300]}") from error
                return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(error.headers["location"]).query))
            # Its pages for development: a form for the login, then one for the consent.
            target = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', page).group(1))
            prompt = re.search(r'name="prompt" value="([^"]+)"', page).group(1)
            body = urllib.parse.urlencode({"prompt": prompt, "login": login, "password": "any"}).encode()
        raise AssertionError("the provider asks for ever")


class Agent:
    def __init__(self, cluster, provider):
        self.folder = provider.folder
        self.program = os.path.join(self.folder, "aegis-agent")
        shutil.copy(program("aegis-agent"), self.program)
        os.chmod(self.program, 0o755)
        self.config = os.path.join(self.folder, "agent.toml")
        write(self.config, AGENT.format(socket=cluster.folder, folder=self.folder, issuer=provider.issuer))
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(as_user([self.program, "--config", self.config]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=environment(), cwd="/")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ask(client, token, path="/api/whoami"):
    return client.request("GET", path, headers={"Authorization": "Bearer " + token})


def parts(token):
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]]


def encoded(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def flows(report, provider, client, users):
    """Every algorithm of the provider, by the flow of a browser; each sign-in is a newer session."""
    before = None
    for algorithm in ("RS256", "PS256", "ES256", "EdDSA"):
        with report.test("code-flow-" + algorithm.lower()):
            token = provider.sign_in("alice", algorithm)["access_token"]
            head, claims = parts(token)
            equal((head["alg"], head["typ"], claims["aud"], bool(claims["sid"])), (algorithm, "at+jwt", "aegis-api", True), "what the provider gave")
            reply = ask(client, token)
            equal(reply.status, 200, reply.body)
            equal((reply.json()["rank"], reply.json()["user"]), (3, users[0]), "no more than the user's own rank")
            equal(ask(client, token, "/api/session").status, 200, "session")
            if before:
                equal((ask(client, before).status, ask(client, before).problem()), (401, "session-superseded"), "the token before")
            before = token
    with report.test("one-browser-one-session"):
        browser = provider.browser()
        tokens = [provider.sign_in("bob", "RS256", browser)["access_token"] for _ in range(2)]
        equal(len({parts(token)[1]["sid"] for token in tokens}), 1, "sid")
        equal([(r.status, r.json().get("rank"), r.json().get("user")) for r in map(lambda t: ask(client, t), tokens)], 2 * [(200, 1, users[1])], "answers")
    with report.test("another-organisation"):
        equal(ask(client, provider.sign_in("eve")["access_token"]).problem(), "token-invalid", "eve")
    with report.test("id-token-is-no-access-token"):
        equal(ask(client, provider.sign_in("bob")["id_token"]).problem(), "token-invalid", "ID token")
    with report.test("sign-out-ends-the-token"):
        token = provider.sign_in("bob")["access_token"]
        equal(ask(client, token).status, 200, "before")
        equal(client.request("DELETE", "/api/session", headers={"Authorization": "Bearer " + token}).status, 204, "sign-out")
        equal(ask(client, token).problem(), "session-invalid", "after")


def races(report, cluster, gateway, provider):
    clients = [Client(gateway) for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for name, sids in (("one-sid", ["race"]), ("many-sids", [f"race-{n}" for n in range(len(clients))])):
            with report.test("first-requests-at-once-" + name):
                tokens, gate = [provider.sign(sid=sid) for sid in sids], threading.Barrier(len(clients))

                def first(number, tokens=tokens, gate=gate):
                    gate.wait()
                    return ask(clients[number], tokens[number % len(tokens)]).status
                statuses = list(pool.map(first, range(len(clients))))
                equal(set(statuses) <= {200, 401, 409} and 200 in statuses, True, statuses)
                equal(name == "one-sid" and set(statuses) != {200}, False, statuses)
                equal(cluster.sql("SELECT count(*) FROM aegis.session WHERE ended_at IS NULL"
                                  " AND user_id = (SELECT user_id FROM aegis.issuer_user WHERE subject = 'alice')"), "1", "live sessions")
                equal([ask(clients[0], token).status for token in tokens].count(200), 1, "tokens that still open something")
    for one in clients:
        one.close()


class Console:
    """A browser at the console: it keeps the cookie of the flow."""

    def __init__(self, gateway):
        self.client, self.cookie = Client(gateway), None

    def post(self, path, body):
        reply = self.client.request("POST", "/api/session/issuer" + path, body, {"Cookie": self.cookie} if self.cookie else None)
        cookie = reply.headers.get("set-cookie", "")
        if cookie.startswith("__Host-aegis-sign-in="):
            self.cookie = cookie.split(";")[0]
        return reply

    def begin(self):
        return self.post("", {"issuer": "idp"}).json()["url"]

    def result(self):
        return until(lambda: (r := self.post("/result", {})) and r.json().get("state") != "waiting" and r, 30, "what became of the code")


def altered(url, changes):
    place, query = url.split("?")
    return place + "?" + urllib.parse.urlencode({**dict(urllib.parse.parse_qsl(query)), **changes})


def second_factor_from(cluster, rank):
    cluster.sql("BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants()), 'test of issuers', 'TEST-2', read_only => false);"
                f"SELECT aegis.require_second_factor({rank}::smallint); COMMIT;", user="operator")


def turned_away(person, address, body=None):
    """Where the provider sends its browser that is no page of its own, or the page of its own that it shows."""
    try:
        with person.open(address, body, timeout=20) as page:
            return page.read().decode()
    except urllib.error.HTTPError as error:
        assert error.code in (302, 303), f"the provider: {error.code} {error.read().decode()[:300]}"
        return error.headers["location"]


def is_signed_in(person, address):
    """Whether the provider knows who it is, and asks for no login."""
    page = turned_away(person, address)
    asked = re.search(r'name="prompt" value="([^"]+)"', page)
    assert asked is None or asked.group(1) in ("login", "consent"), page
    return asked is None or asked.group(1) == "consent"


def console(report, cluster, gateway, provider, users):
    redirect = f"https://localhost:{gateway.port}/login"
    with report.test("client-of-an-issuer"):
        jwk = json.loads(cluster.sql(f"SELECT aegis.set_issuer_client('idp', 'Example', 'console', '{provider.issuer}/auth', '/token',"
                                     f" '{redirect}', '{provider.issuer}/session/end')", user="operator"))
        provider.call("/test/client", {"client": "console", "jwk": jwk, "redirect": redirect})
        anybody = Client(gateway)
        equal(anybody.request("GET", "/api/issuers").json(), {"issuers": [{"name": "idp", "title": "Example"}]}, "buttons")
        equal(anybody.request("GET", "/api/issuers/jwks").json(), {"keys": [jwk]}, "keys")
        equal(sorted(jwk), ["alg", "crv", "kid", "kty", "use", "x", "y"], "public part")
        anybody.close()
    with report.test("sign-in-at-the-issuer"):
        browser, person = Console(gateway), provider.browser()
        back = provider.follow(person, browser.begin(), "alice")
        equal(browser.post("/code", back).status, 202, "code")
        reply = browser.result()
        equal(reply.status, 201, reply.body)
        session = reply.headers["set-cookie"].split(";")[0]
        equal((session.split("=")[0], reply.json()["user"]), ("__Host-aegis", {"id": users[0], "rank": 3}), "session")
        equal(browser.client.request("GET", "/api/whoami", headers={"Cookie": session}).status, 200, "with the session")
        equal(browser.post("/result", {}).problem(), "token-invalid", "a second time")
        browser.post("/code", back)
        equal(browser.result().problem(), "token-invalid", "the code a second time")
        equal(cluster.sql("SELECT detail ->> 'issuer' FROM aegis.audit_log WHERE event = 'auth.sign_in' ORDER BY seq DESC LIMIT 1", user="boss"), "idp", "entry")
    with report.test("sign-out-leads-to-the-issuer"):
        reply = browser.client.request("DELETE", "/api/session", headers={"Cookie": session, "Sec-Fetch-Site": "same-origin"})
        address = urllib.parse.urlsplit(reply.json()["url"])
        equal((reply.status, address.path, dict(urllib.parse.parse_qsl(address.query))),
              (200, "/session/end", {"client_id": "console", "post_logout_redirect_uri": redirect, "state": "signed_out"}), "where to")
        sign_out = reply.json()["url"]
        with person.open(sign_out, timeout=20) as page:
            text = page.read().decode()
            equal((page.status, "op.logoutForm" in text), (200, True), text[:300])
        equal(browser.client.request("GET", "/api/whoami", headers={"Cookie": session}).problem(), "session-invalid", "after")
    with report.test("the-issuer-ends-its-session-once-that-is-confirmed"):
        equal(is_signed_in(person, Console(gateway).begin()), True, "at the issuer, whom the address alone did not persuade")
        with person.open(sign_out, timeout=20) as page:
            text = page.read().decode()
        form = {"xsrf": re.search(r'name="xsrf" value="([^"]+)"', text).group(1), "logout": "yes"}
        action = html.unescape(re.search(r'<form id="op.logoutForm"[^>]* action="([^"]+)"', text).group(1))
        equal(turned_away(person, action, urllib.parse.urlencode(form).encode()), redirect + "?state=signed_out", "back to")
        equal(is_signed_in(person, Console(gateway).begin()), False, "at the issuer, after")
    with report.test("unlinking-ends-the-session"):
        browser = Console(gateway)
        browser.post("/code", provider.follow(provider.browser(), browser.begin(), "alice"))
        session = browser.result().headers["set-cookie"].split(";")[0]
        equal(browser.client.request("GET", "/api/whoami", headers={"Cookie": session}).status, 200, "before")
        for link in ("unlink_issuer_user('idp', 'alice')", f"link_issuer_user('idp', 'alice', '{users[0]}')"):
            cluster.sql("BEGIN; SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants()), 'test of issuers', 'TEST-3', read_only => false);"
                        f"SELECT aegis.{link}; COMMIT;", user="operator")
        equal(browser.client.request("GET", "/api/whoami", headers={"Cookie": session}).problem(), "session-invalid", "after")
    with report.test("second-factor-is-asked-for-here"):
        second_factor_from(cluster, 3)
        browser = Console(gateway)
        browser.post("/code", provider.follow(provider.browser(), browser.begin(), "alice"))
        reply = browser.result()
        equal((reply.status, reply.json().get("due")), (200, "enrolment"), reply.body)
        second_factor_from(cluster, "NULL")

    def attempt(name, login="alice", change=None, edit=None, cookie=None):
        with report.test("sign-in-" + name):
            browser = Console(gateway)
            back = provider.follow(provider.browser(), altered(browser.begin(), change or {}), login)
            back.update(edit or {})
            browser.cookie = browser.cookie if cookie is None else cookie
            reply = browser.post("/code", back)
            if reply.status == 202:
                reply = browser.result()
            equal((reply.status, reply.problem()), (401, "token-invalid"), reply.body)
    attempt("with-another-nonce", change={"nonce": "another"})
    attempt("with-another-verifier", change={"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"})
    attempt("with-another-state", change={"state": "idp." + "A" * 43})
    attempt("with-another-code", edit={"code": "A" * 43})
    attempt("of-another-issuer", edit={"iss": "https://evil.example.test"})
    attempt("in-another-browser", cookie="__Host-aegis-sign-in=agc1_UK_" + "A" * 43)
    attempt("without-a-cookie", cookie="")
    attempt("with-less-rank", login="bob")
    attempt("of-nobody-here", login="eve")
    with report.test("button-of-the-console"):
        done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "console_sign_in.mjs"), f"https://localhost:{gateway.port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        equal(done.returncode, 0, done.stdout)
        equal([json.loads(line) for line in done.stdout.splitlines()],
              [{"path": "/dashboard", "query": "", "status": 200, "faults": []}, {"path": "/login", "query": "", "faults": []}], "pages")
    with report.test("unknown-issuer"):
        equal(Console(gateway).post("", {"issuer": "nobody"}).status, 404, "status")


def hostile(report, provider, client):
    good = provider.sign()
    head, claims = parts(good)
    now = int(time.time())
    body = good.split(".")[1]

    def resigned(header, signature):
        text = encoded({**head, **header}) + "." + body
        return text + "." + encoded(signature(text.encode()))
    with urllib.request.urlopen(provider.issuer + "/jwks", context=ssl.create_default_context(cafile=provider.path("ca.pem")), timeout=20) as answer:
        jwks = json.load(answer)["keys"]
    public = next(key for key in jwks if key["kid"] == head["kid"])
    public_text = json.dumps(public).encode()
    cases = {
        "alg-none": encoded({**head, "alg": "none"}) + "." + body + ".AA",
        "hs256-with-the-public-key": resigned({"alg": "HS256"}, lambda m: hmac.new(public_text, m, "sha256").digest()),
        "hmac-under-the-same-alg": resigned({}, lambda m: hmac.new(public_text, m, "sha256").digest()),
        "cut-signature": good[:-4], "wrong-iss": provider.sign(iss="https://localhost:1"), "iss-with-slash": provider.sign(iss=provider.issuer + "/"),
        "wrong-aud": provider.sign(aud="other"), "no-aud": provider.sign(aud=None), "expired": provider.sign(iat=now - 900, exp=now - 60),
        "future": provider.sign(iat=now + 900, exp=now + 1200), "not-yet": provider.sign(nbf=now + 900), "no-exp": provider.sign(exp=None),
        "template-without-sid": provider.sign(sid=None), "act": provider.sign(act={"sub": "bob"}), "unknown-subject": provider.sign(sub="mallory"),
        "other-type": provider.sign({"typ": "logout+jwt"}), "crit": provider.sign({"crit": ["x"], "x": 1}),
        "kid-path": provider.sign({"kid": "../../" + head["kid"]}), "kid-sql": provider.sign({"kid": "' or 1=1 --"}),
        "other-key-same-kid": provider.sign({"alg": "ES256", "kid": head["kid"]}),
        "key-in-the-header": provider.sign({"kid": "mine", "jwk": public, "jku": provider.issuer + "/jwks"}),
        "claim-twice": provider.call("/test/sign", {"header": {}, "claims": json.dumps(claims)[:-1] + ', "sub": "bob"}'}),
        "larger-than-a-token": provider.sign(x="x" * 7000),
    }
    for name, token in cases.items():
        with report.test("hostile-" + name):
            reply = ask(client, token)
            equal((reply.status, reply.problem()), (401, "session-invalid" if name == "larger-than-a-token" else "token-invalid"), reply.body)
    with report.test("the-same-without-a-fault"):
        equal(ask(client, good).status, 200, "token")
    with report.test("token-in-the-cookie"):
        equal(client.request("GET", "/api/whoami", headers={"Cookie": "__Host-aegis=" + good}).status, 401, "cookie")


def rotation(report, cluster, provider, client):
    def kids():
        return cluster.sql("SELECT string_agg(kid, ' ' ORDER BY kid) FROM aegis.issuer_keys").split()
    with report.test("rotation-mid-run"):
        old = provider.sign_in("bob")["access_token"]
        equal(ask(client, old).status, 200, "before")
        provider.call("/test/rotate", {"keep": True})
        new = provider.sign_in("bob", browser=provider.browser())["access_token"]
        until(lambda: ask(client, new).status == 200, 30, "a token under the new key")
        equal(len(kids()), 8, "keys")
    with report.test("withdrawn-key"):
        provider.call("/test/rotate", {})
        newest = provider.sign_in("alice")["access_token"]
        until(lambda: ask(client, newest).status == 200, 30, "a token under the newest key")
        equal(ask(client, new).problem(), "token-invalid", "under a withdrawn key")
        equal(len(kids()), 4, "keys")
    with report.test("rotation-is-recorded"):
        counts = dict(line.split("|") for line in cluster.sql(
            "SELECT event, count(*) FROM aegis.audit_log WHERE event LIKE 'issuer.key_%' GROUP BY event", user="boss").splitlines())
        equal((counts["issuer.key_added"], counts["issuer.key_removed"]), ("12", "8"), "entries")


def main():
    report = Report("issuer")
    if not os.path.isdir(os.path.join(ROOT, "tests", "npm", "node_modules", "oidc-provider")):
        print("skip server/issuer (the packages of tests/npm are not installed: ./aegis check does that)")
        return
    with Cluster() as cluster, Provider() as provider, Gateway(cluster) as gateway:
        cluster.sql(SETUP)
        users = cluster.sql(OPERATOR.format(issuer=provider.issuer), user="operator").split("|")
        client = Client(gateway)
        with Agent(cluster, provider):
            until(lambda: cluster.sql("SELECT keys FROM aegis.issuers") == "4", 30, "the keys of the provider")
            until(lambda: client.request("GET", "/api/whoami").status == 401, 30, "the route at the gateway")
            flows(report, provider, client, users)
            races(report, cluster, gateway, provider)
            console(report, cluster, gateway, provider, users)
            hostile(report, provider, client)
            rotation(report, cluster, provider, client)
        client.close()
    report.finish()


if __name__ == "__main__":
    main()
