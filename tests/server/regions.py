#!/usr/bin/env python3
"""Two regions behind gateways of both modes: each tenant's requests reach its own database and no other one, whatever a request says of
itself; and a region that is gone, or only hangs, takes nobody along."""
import json
import os
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.report import equal, until  # noqa: E402

PASSWORD = "seven-quiet-otters-dance-91"


def login(tenant):
    return {"tenant": tenant, "email": f"ada@{tenant}.example", "password": PASSWORD}


class UK(Cluster):
    # "harbour" moves to SG below, and so does "lantern", which SG then says that it never saw.
    logins = (login("probe-uk"), login("harbour"), login("lantern"))

    def configuration(self, keyring):
        return super().configuration(keyring) + "aegis.sign_up = on\n"

    def asked(self):
        """Requests that it was handed."""
        return sum("aegis_handle: SELECT" in line for line in self.said())

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.readlines()

    def holds(self, words):
        """Those of the words that are in its files, with its log."""
        found = set()
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        data = file.read()
                    found |= {word for word in words if word.encode() in data or word.encode().hex().encode() in data}
        return found

    def link(self, page):
        """The token of the newest mail that leads to the page."""
        return self.sql(f"SELECT substring(c.mail ->> 'text' FROM '/{page}#([^\\s]+)') FROM (SELECT convert_from(payload, 'UTF8')::jsonb AS mail"
                        " FROM aegis.claim_outbound(ARRAY['mail'], 10)) c")


# Answers that look like those of the database about a tenant of SG, made of words that anybody may have written.
LIAR = """
CREATE FUNCTION public.liar(r aegis.request) RETURNS aegis.response LANGUAGE plpgsql AS $$
DECLARE
  words text := 'tenant moved to region "SG", belongs to region "SG"';
BEGIN
  IF r.params ->> 'how' = 'raise' THEN
    RAISE EXCEPTION USING ERRCODE = 'AG012', MESSAGE = words, DETAIL = words, HINT = words;
  ELSIF r.params ->> 'how' = 'header' THEN
    RETURN aegis.respond(421, headers => '{"aegis-region": "SG"}');
  END IF;
  RETURN aegis.respond(CASE r.params ->> 'how' WHEN 'moved' THEN 410 ELSE 421 END,
    jsonb_build_object('type', 'urn:aegis:problem:' || (r.params ->> 'how'), 'detail', words), '{"content-type": "application/problem+json"}');
END $$;
GRANT EXECUTE ON FUNCTION public.liar(aegis.request) TO aegis_member;
"""


class SG(UK):
    region = "SG"
    logins = (login("probe-sg"),)


def gateway(uk, sg, home, mode, **more):
    """One in the region `home`."""
    return Gateway(uk, {"database": {"socket": None, "statement_seconds": 5, "connect_seconds": 1}, "server": {"workers": 8, "sign_in_workers": 2},
                        "regions": {"home": home, "mode": mode}, "regions.UK": {"database": uk.folder, "url": "https://uk.example.com"},
                        "regions.SG": {"database": sg.folder, "url": "https://sg.example.com"}, **more})


def swapped(prefix, token):
    return f"ags1_{prefix}_" + token.split("_", 2)[2]


def elsewhere(reply, region):
    """That the answer leads to the region."""
    equal((reply.status, reply.problem()), (421, "misdirected"), "answer")
    equal((reply.json()["region"], reply.json()["url"]), (region, f"https://{region.lower()}.example.com"), "where to")


def away(reply):
    equal((reply.status, reply.problem()), (503, "unavailable"), "answer")
    assert int(reply.headers["retry-after"]) >= 1, reply.headers


def signing_up(report, uk, sg, proxy, strict):
    client, other = Client(proxy), Client(strict)

    def ask(slug, token):
        return client.request("PUT", "/api/sign-up", {"token": token, "slug": slug, "password": PASSWORD}).json()
    with report.test("sign-up-lands-in-the-region-that-it-names"):
        wanted = {"organisation": "Orchid Ltd", "region": "SG", "name": "Ada", "email": "ada@orchid.example"}
        equal(client.request("POST", "/api/sign-up", wanted).status, 204, "status")
        token = until(lambda: sg.link("sign-up"), what="the mail")
        assert token.startswith("agu1_SG_"), token
        equal(uk.sql("SELECT count(*) FROM aegis.sign_up"), "0", "in UK")
        # A name that another region has is taken, and only who has shown an address is told.
        equal([ask("probe-uk", shown)["type"].rsplit(":", 1)[1] for shown in ("agu1_SG_" + "A" * 43, token)], ["link-invalid", "name-taken"], "problems")
        for shown in (token, f" {token} "):
            equal(ask("  probe-uk ", shown).get("type"), "urn:aegis:problem:name-taken", "with blanks, which the database takes away")
        # A body that the database reads and the gateway does not: a number beyond what a double can hold.
        odd = json.dumps({"token": token, "slug": "probe-uk", "password": PASSWORD, "more": 10**400}).encode()
        equal(other.request("PUT", "/api/sign-up", odd, {"Content-Type": "application/json"}).json().get("type"), "urn:aegis:problem:name-taken", "an odd body")
        equal(ask("orchid", token), {"organisation": "orchid"}, "answer")
        # Not by its name, which would then stand in UK's log.
        equal([one.sql("SELECT string_agg(name, ', ') FROM aegis.tenants() WHERE name <> 'Probe Works'") for one in (uk, sg)], ["", "Orchid Ltd"], "UK, SG")
        equal(client.request("POST", "/api/sign-up", {**wanted, "region": "MARS"}).status, 421, "no region at all")
    with report.test("a-strict-gateway-leads-there"):
        elsewhere(other.request("POST", "/api/sign-up", {**wanted, "region": "UK"}), "UK")
        equal(uk.sql("SELECT count(*) FROM aegis.sign_up"), "0", "in UK")
    client.close()
    other.close()


def signing_in(report, uk, sg, proxy, strict):
    """Returns tokens of UK and SG."""
    client, other = Client(proxy), Client(strict)
    tokens = {}
    with report.test("sign-in-finds-the-region"):
        for region, tenant in (("UK", "probe-uk"), ("SG", "probe-sg"), ("SG", "orchid")):
            reply = client.request("POST", "/api/session", {**login(tenant), "token": True})
            equal(reply.status, 201, tenant)
            tokens[tenant] = reply.json()["token"]
            assert tokens[tenant].startswith(f"ags1_{region}_"), tokens[tenant]
        reply = other.request("POST", "/api/session", {**login("probe-sg"), "token": True})
        equal(reply.status, 201, "strict, at home")
        tokens["probe-sg"] = reply.json()["token"]
        before = uk.asked(), sg.asked()
        elsewhere(other.request("POST", "/api/session", login("probe-uk")), "UK")
        elsewhere(other.request("POST", "/api/password-reset", {"tenant": "probe-uk", "email": "ada@probe-uk.example"}), "UK")
        equal((uk.asked(), sg.asked()), before, "requests handed on")
    with report.test("a-gateway-that-just-started-waits-for-the-first-word-of-a-region"):
        with sg.hung() as go_on, gateway(uk, sg, "UK", "proxy") as fresh:
            later = threading.Timer(0.4, go_on)
            later.start()
            reply = Client(fresh).request("POST", "/api/session", login("orchid"))
            equal(reply.status, 201, f"{reply.body}")
            later.join()
    with report.test("names-that-nobody-has-are-not-told-apart"):
        # Each is in one of the regions, the same one from every gateway, so that neither way of answering says anything.
        with gateway(uk, sg, "UK", "strict") as third:
            here = Client(third)
            found = []
            # The keys that decide are random: so many names that they are in one region by luck once in 2^31.
            while len(found) < 12 or (set(found) != {"UK", "SG"} and len(found) < 32):
                name = f"nobody-{len(found)}"
                reply = other.request("POST", "/api/session", login(name))
                assert reply.status in (401, 421), f"{name}: {reply.body}"
                found.append("SG" if reply.status == 401 else reply.json()["region"])
                reply = here.request("POST", "/api/session", login(name))
                equal(reply.status, 401 if found[-1] == "UK" else 421, f"{name} at UK: {reply.body}")
            equal(set(found), {"UK", "SG"}, "regions of the names")
            here.close()
        equal([client.request("POST", "/api/session", login(f"nobody-{number}")).problem() for number in range(3)], ["invalid-credentials"] * 3, "by proxy")
    client.close()
    other.close()
    return tokens["probe-uk"], tokens["probe-sg"]


def carrying(report, uk, sg, proxy, strict, tokens):
    of_uk, of_sg = tokens
    with report.test("a-token-reaches-its-own-database-alone"):
        for token, one, two in ((of_uk, uk, sg), (of_sg, sg, uk)):
            before = one.asked(), two.asked()
            client = Client(proxy, token)
            equal(client.request("GET", "/api/organisation").status, 200, "status")
            until(lambda: one.asked() == before[0] + 1, what="the log")
            equal(two.asked(), before[1], "the other")
            client.close()
    with report.test("strict-refuses-before-any-row-is-read"):
        before = uk.asked(), sg.asked()
        client = Client(strict, of_uk)
        elsewhere(client.request("GET", "/api/organisation"), "UK")
        elsewhere(client.request("POST", "/api/customers", {"name": "A"}), "UK")
        client.token = None
        elsewhere(client.request("GET", "/api/organisation", headers={"Cookie": f"__Host-aegis={of_uk}"}), "UK")
        equal(client.request("GET", "/api/organisation", headers={"Cookie": f"__Host-aegis={of_sg}"}).status, 200, "at home")
        until(lambda: sg.asked() == before[1] + 1, what="the log")
        equal(uk.asked(), before[0], "requests handed to UK")
        # What is public here is so for whoever brings a cookie of anywhere.
        equal(client.request("GET", "/api/sign-up", headers={"Cookie": f"__Host-aegis={of_uk}"}).status, 200, "a public route")
        client.close()
    with report.test("a-forged-prefix-gains-nothing"):
        client = Client(proxy)
        for prefix in ("SG", "MARS", "EU-WEST"):
            client.token = swapped(prefix, of_uk)
            equal(client.request("GET", "/api/organisation").problem(), "session-invalid", prefix)
        client.token = of_uk
        equal(client.request("GET", "/api/organisation").json()["slug"], "probe-uk", "the real one")
        client.close()
    with report.test("a-host-of-a-region-leads-there"):
        client = Client(proxy)
        for host, region in (("uk.example.com", "UK"), ("sg.example.com", "SG"), ("localhost", "UK")):
            equal(client.request("GET", "/api/sign-up", headers={"Host": host}).json()["region"], region, host)
        client.close()


def claiming(report, uk, proxy, of_uk):
    client = Client(proxy, of_uk)
    with report.test("words-of-an-answer-lead-nowhere"):
        uk.sql(LIAR)
        uk.sql("SELECT aegis.register_route('GET', '/api/liar/{how}', 'public.liar(aegis.request)')", user="operator")
        until(lambda: client.request("GET", "/api/liar/raise").status != 404, what="the route")
        for how, status in (("raise", 421), ("moved", 410), ("misdirected", 421), ("header", 500)):
            reply = client.request("GET", f"/api/liar/{how}")
            equal(reply.status, status, f"{how}: {reply.body}")
            equal([member for member in ("region", "url") if member in reply.json()], [], f"{how}: members")
            assert "aegis-region" not in reply.headers, reply.headers
    client.close()


def moving(report, uk, sg, proxy):
    client = Client(proxy)
    with report.test("a-tenant-that-moved-is-found-where-it-is"):
        old = client.request("POST", "/api/session", {**login("harbour"), "token": True}).json()["token"]
        uk.sql("UPDATE aegis.tenant SET status = 'moved', moved_to = 'SG' WHERE slug IN ('harbour', 'lantern')")
        sg.sql("SELECT aegis.create_tenant('harbour', 'Harbour') AS tenant \\gset\nBEGIN;\nSELECT aegis.assume_tenant(:'tenant'::uuid, 'moved', 'T-1', read_only => false) \\g /dev/null\n"
               f"SELECT aegis.create_user('ada@harbour.example', 'Ada', 4::smallint, NULL, '{PASSWORD}') \\g /dev/null\nCOMMIT;", user="operator")
        reply = client.request("POST", "/api/session", {**login("harbour"), "token": True})
        assert reply.status == 201 and reply.json()["token"].startswith("ags1_SG_"), reply.body
        client.token = old
        reply = client.request("GET", "/api/organisation")
        equal((reply.status, reply.problem()), (410, "moved"), "the old session")
        equal((reply.json()["region"], reply.json()["url"]), ("SG", "https://sg.example.com"), "where to")
        assert "aegis-region" not in reply.headers, reply.headers
        client.token = None
    with report.test("and-one-that-did-not-arrive-is-answered-by-the-tombstone"):
        reply = client.request("POST", "/api/session", login("lantern"))
        equal((reply.status, reply.problem()), (410, "moved"), "answer")
        equal((reply.json()["region"], reply.json()["url"]), ("SG", "https://sg.example.com"), "where to")
    with report.test("what-the-database-says-of-a-region-that-nobody-knows-has-no-address"):
        uk.sql("UPDATE aegis.tenant SET moved_to = 'MARS' WHERE slug = 'lantern'")
        reply = client.request("POST", "/api/session", login("lantern"))
        equal((reply.status, reply.problem()), (410, "moved"), "answer")
        equal([member for member in ("region", "url") if member in reply.json()], [], "members")
        uk.sql("UPDATE aegis.tenant SET moved_to = 'SG' WHERE slug = 'lantern'")
        # Its row says another region and nothing moved, as after a restore in the wrong place.
        uk.sql("UPDATE aegis.tenant SET status = 'active', region = 'SG', moved_to = NULL WHERE slug = 'lantern'")
        reply = client.request("POST", "/api/session", login("lantern"), {"Host": "uk.example.com"})
        assert reply.status == 421, reply.body
        elsewhere(reply, "SG")
        uk.sql("UPDATE aegis.tenant SET status = 'moved', region = 'UK', moved_to = 'SG' WHERE slug = 'lantern'")
    client.close()


def telling(report, proxy, admin, uk, sg):
    with report.test("metrics-and-status-know-the-regions"):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        for line in ('aegis_region_reachable{region="UK"} 1', 'aegis_region_reachable{region="SG"} 1', 'aegis_region_requests_total{region="SG",status="200"}',
                     'aegis_region_request_duration_seconds_count{region="UK"}'):
            assert line in text, f"{line}\n{text}"
        client = Client(proxy)
        equal(sorted(client.request("GET", "/api/status").json()["regions"], key=lambda one: one["region"]),
              [{"region": "SG", "url": "https://sg.example.com", "status": "ok", "home": False},
               {"region": "UK", "url": "https://uk.example.com", "status": "ok", "home": True}], "regions")
        client.close()
        line = until(lambda: [one for one in proxy.lines() if one.get("route") == "/api/organisation" and one["status"] == 200], what="the log")[-1]
        assert line["region"] in ("UK", "SG"), line
    with report.test("nobody-is-named-outside-of-their-region"):
        until(lambda: sum("aegis.tenant_home(" in line for line in uk.said()) >= 10, what="the directory's statements")
        uk.sql("CHECKPOINT")
        equal(uk.holds(("probe-uk", "probe-sg", "orchid", "ada@probe-sg.example")), {"probe-uk"}, "words in UK's files and its log")
        for word in ("probe-uk", "probe-sg", "orchid", "harbour", "nobody-", "Ada", PASSWORD):
            assert word not in proxy.output(), f"the gateway's log has {word}"


def losing(report, uk, sg, proxy, admin, tokens):
    of_uk, of_sg = tokens
    here, there, guest = Client(proxy, of_uk), Client(proxy, of_sg), Client(proxy)

    def quickly(act, seconds=2):
        began = time.monotonic()
        result = act()
        assert time.monotonic() - began < seconds, f"took {time.monotonic() - began:.1f} s"
        return result
    with report.test("a-region-that-is-gone-fails-alone"):
        sg.stop("immediate")
        for _ in range(3):
            away(quickly(lambda: there.request("GET", "/api/organisation")))
            equal(quickly(lambda: here.request("GET", "/api/organisation")).status, 200, "of UK")
        # Of a name there and of one that nobody has, the same is said.
        said = [quickly(lambda n=name: guest.request("POST", "/api/session", login(n))) for name in ("orchid", "nobody-at-all")]
        for reply in said:
            away(reply)
        equal(*[({**reply.json(), "request_id": ""}, {k: v for k, v in reply.headers.items() if k not in ("x-request-id", "date")}) for reply in said], "what is said")
        equal(quickly(lambda: guest.request("POST", "/api/session", {**login("probe-uk"), "token": True})).status, 201, "a sign-in here")
        status = guest.request("GET", "/api/status").json()
        equal((status["status"], {one["region"]: one["status"] for one in status["regions"]}), ("ok", {"UK": "ok", "SG": "down"}), "status")
        equal(guest.request("GET", "/api/health").status, 200, "health")
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as reply:
            assert 'aegis_region_reachable{region="SG"} 0' in reply.read().decode()
    with report.test("and-comes-back-by-itself"):
        sg.start()
        equal(until(lambda: there.request("GET", "/api/organisation").status == 200, 15, "an answer"), True, "of SG")
    with report.test("a-region-that-hangs-leaves-workers-to-others"):
        here.token = guest.sign_in(login("probe-uk"))
        guest.token = None
        until(lambda: there.request("GET", "/api/organisation").status == 200, what="SG")
        with sg.hung():
            crowd = [Client(proxy, of_sg) for _ in range(12)]
            answers = []
            threads = [threading.Thread(target=lambda c=client: answers.append(c.request("GET", "/api/organisation").status)) for client in crowd]
            [thread.start() for thread in threads]
            until(lambda: 503 in answers, 4, "a refusal")
            for _ in range(5):
                equal(quickly(lambda: here.request("GET", "/api/organisation")).status, 200, "of UK, meanwhile")
            away(quickly(lambda: Client(proxy, of_sg).request("GET", "/api/organisation")))
            equal(quickly(lambda: guest.request("POST", "/api/session", login("probe-uk")), 5).status, 201, "a sign-in here")
            [thread.join() for thread in threads]
            equal(set(answers) <= {503, 504}, True, f"of SG: {answers}")
        equal(until(lambda: there.request("GET", "/api/organisation").status == 200, 15, "an answer"), True, "of SG")
    with report.test("a-region-that-is-slow-keeps-its-own-waiting"):
        # Whoever reads customers there waits for a lock: as many are answered every second as may be there at once.
        here.token = guest.sign_in(login("probe-uk"))
        guest.token = None
        slow = "BEGIN; LOCK TABLE aegis_app.customer; SELECT pg_sleep(0.8); COMMIT;"
        ended = threading.Event()

        def insist(client):
            while not ended.is_set():
                answers.append(client.request("GET", "/api/customers").status)
        answers, times = [], []
        threads = [threading.Thread(target=insist, args=(Client(proxy, of_sg, timeout=60),)) for _ in range(24)]
        locks = threading.Thread(target=sg.sql, args=(slow * 10,))
        [thread.start() for thread in (locks, *threads)]
        try:
            until(lambda: len(answers) >= 6, 30, "answers of SG")
            for _ in range(10):
                began = time.monotonic()
                equal(here.request("GET", "/api/customers").status, 200, "of UK")
                times.append(time.monotonic() - began)
        finally:
            ended.set()
            [thread.join() for thread in (locks, *threads)]
        assert sorted(times)[-2] < 0.7, f"UK: {[round(one, 2) for one in times]}"
        assert 200 in answers and set(answers) <= {200, 503}, f"of SG: {answers}"
    for client in (here, there, guest):
        client.close()


STORE = """
CREATE FUNCTION public.store(r aegis.request) RETURNS aegis.response LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM aegis_app.customer LIMIT 1;
  RETURN aegis.respond(204);
END $$;
GRANT EXECUTE ON FUNCTION public.store(aegis.request) TO aegis_member;
"""


def slow_bodies(report, uk, sg, of_sg):
    """Each client has an address of its own, so that it is the region alone that has many of them."""
    for one in (uk, sg):
        one.sql(STORE)
        one.sql("SELECT aegis.register_route('POST', '/api/store', 'public.store(aegis.request)')", user="operator")
    body = {"text": "a" * 60000}
    with report.test("bodies-for-a-slow-region-leave-room-for-those-of-others"):
        with gateway(uk, sg, "UK", "proxy", limits={"buffered_bytes": 1048576}) as proxy:
            here = Client(proxy)
            here.sign_in(login("probe-uk"))
            until(lambda: here.request("POST", "/api/store", body).status == 204, what="the route")
            answers, ended = [], threading.Event()

            def insist(number):
                client = Client(proxy, of_sg, timeout=60)
                client.connection.source_address = (f"127.0.1.{number}", 0)
                while not ended.is_set():
                    answers.append(client.request("POST", "/api/store", body).status)
                client.close()
            slow = "BEGIN; LOCK TABLE aegis_app.customer; SELECT pg_sleep(0.8); COMMIT;"
            threads = [threading.Thread(target=sg.sql, args=(slow * 10,)), *(threading.Thread(target=insist, args=(number,)) for number in range(1, 25))]
            [thread.start() for thread in threads]
            try:
                until(lambda: answers.count(204) >= 6, 30, "answers of SG")
                # Bodies that only arrive count too: now and then 24 of them at once leave no room.
                own = [here.request("POST", "/api/store", body).status for _ in range(20)]
                assert own.count(204) >= 16 and set(own) <= {204, 503}, f"of UK: {own}"
            finally:
                ended.set()
                [thread.join() for thread in threads]
            equal(set(answers), {204, 503}, "of SG")
            here.close()


def mistaken(report, uk, sg):
    with report.test("databases-that-were-swapped-are-noticed"):
        with gateway(sg, uk, "UK", "proxy") as wrong:
            lines = until(lambda: [line for line in wrong.lines() if line["event"] == "database_refused"], what="a word in the log")
            assert "another region" in lines[0]["message"] and "aegis.region" in lines[0]["hint"], lines[0]
            client = Client(wrong)
            equal(client.request("GET", "/api/health").json(), {"status": "down"}, "health")
            away(client.request("POST", "/api/session", login("probe-uk")))
            client.close()


def replaced(report, uk, sg, of_sg):
    """Another database is behind the address of SG, as after a failover to the wrong machine."""
    place = os.path.join(sg.folder, "place")
    os.symlink(sg.folder, place)
    with report.test("a-database-that-took-the-place-of-another-is-handed-nothing"):
        with gateway(uk, sg, "UK", "proxy", **{"regions.SG": {"database": place, "url": "https://sg.example.com"}}) as proxy:
            client = Client(proxy, of_sg)
            until(lambda: client.request("GET", "/api/organisation").status == 200, what="SG")
            os.unlink(place)
            os.symlink(uk.folder, place)
            before = uk.asked()
            sg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")
            for _ in range(5):
                equal(client.request("POST", "/api/customers", {"name": "Canary of SG"}).status, 503, "answer")
            equal(client.request("GET", "/api/organisation").status, 503, "a read")
            equal(uk.asked(), before, "requests handed to UK")
            client.close()
    os.unlink(place)


def refusing(report, uk, sg):
    with report.test("a-directory-that-refuses-is-in-the-log"):
        sg.sql("REVOKE EXECUTE ON FUNCTION aegis.tenant_home(bytea) FROM aegis_gateway")
        with gateway(uk, sg, "UK", "proxy") as proxy:
            client = Client(proxy)
            away(client.request("POST", "/api/session", login("orchid")))
            line = until(lambda: [one for one in proxy.lines() if one["event"] == "directory_refused"], what="a word in the log")[0]
            equal((line["region"], line["sqlstate"]), ("SG", "42501"), "line")
            client.close()
        sg.sql("GRANT EXECUTE ON FUNCTION aegis.tenant_home(bytea) TO aegis_gateway")


def main():
    report = Report("regions")
    admin = free_port()
    with UK() as uk, SG() as sg:
        with gateway(uk, sg, "UK", "proxy", admin={"listen": f"127.0.0.1:{admin}"}) as proxy, gateway(uk, sg, "SG", "strict") as strict:
            signing_up(report, uk, sg, proxy, strict)
            tokens = signing_in(report, uk, sg, proxy, strict)
            carrying(report, uk, sg, proxy, strict, tokens)
            claiming(report, uk, proxy, tokens[0])
            moving(report, uk, sg, proxy)
            telling(report, proxy, admin, uk, sg)
            losing(report, uk, sg, proxy, admin, tokens)
            of_sg = Client(proxy).sign_in(login("orchid"))
        replaced(report, uk, sg, of_sg)
        slow_bodies(report, uk, sg, of_sg)
        refusing(report, uk, sg)
        mistaken(report, uk, sg)
    report.finish()


if __name__ == "__main__":
    main()
