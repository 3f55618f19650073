"""What a sign-in costs beyond its password hash, and what a flood of sign-ins does to everybody else.

Aegis hashes with Argon2id (19 MiB, 2 passes) at the lowest priority, on half of the processors at most. The peer checks bcrypt hashes of
pgcrypto, cost 10, in the pool that serves its other requests too."""
import http.client
import json
import os
import shutil
import ssl
import statistics
import time

from fixture import Gateway, free_port
from fixture.process import ROOT, run as run_program

import gateway
from lab import Cluster, profile, scheduling, server, tenant
from lab.cluster import place

TITLE = "Passwords"
PLOTS = [("password", "p99 of other requests without and with a flood of sign-ins: milliseconds", ["flood"])]
USERS = 32

PEERS = """
CREATE EXTENSION pgcrypto;
CREATE TABLE login (email text PRIMARY KEY, hash text NOT NULL);
INSERT INTO login SELECT format('user%s@bench.example', n), crypt('{password}', gen_salt('bf', 10)) FROM generate_series(0, {last}) n;
GRANT SELECT ON login TO app;
"""


class Password(gateway.Area):
    def prepare(self):
        super().prepare()
        self.peers.sql(PEERS.format(password=tenant.PASSWORD, last=USERS - 1))
        self.folder = place()
        self.floor = os.path.join(self.folder, "argon2_floor")
        run_program(["cc", "-O2", "-o", self.floor, os.path.join(ROOT, "tests", "bench", "argon2_floor.c"), "-largon2"])

    def make_tenant(self):
        return tenant.create(self.ours, users=USERS)[0]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def posts(self, ours, count):
        """Median milliseconds of sign-ins by HTTPS over one connection."""
        body = json.dumps({"tenant": "bench", "email": "user2@bench.example", "password": tenant.PASSWORD})
        connection = http.client.HTTPSConnection("localhost", ours.port, timeout=30, context=ssl.create_default_context(cafile=ours.certificate))

        def sign_in():
            began = time.monotonic()
            connection.request("POST", "/api/session", body, {"Content-Type": "application/json"})
            with connection.getresponse() as answer:
                answer.read()
                if answer.status != 201:
                    raise RuntimeError(f"a sign-in is answered {answer.status}")
            return (time.monotonic() - began) * 1000
        try:
            sign_in()  # warms up
            return statistics.median(sign_in() for _ in range(count))
        finally:
            connection.close()

    def hashes(self, ours):
        count = 2 if self.lab.quick else 20
        series = self.lab.series("hash", "One password, one at a time", "ms", "floor", "less is better; ratios to libargon2 alone")

        def sign_ins():
            return self.ours.timed(f"SELECT outcome FROM aegis.sign_in('bench', 'user1@bench.example', '{tenant.PASSWORD}', '192.0.2.1', 'bench', 'bench')",
                                   "member", repeat=count)
        series.variant("floor", "libargon2 alone: Argon2id, 19 MiB, 2 passes", lambda: float(run_program([self.floor, str(count)])))
        series.variant("aegis", "aegis.sign_in: hash, session, ledger entries, commit", sign_ins)
        series.variant("post", "aegis-server, POST /api/session over TLS", lambda: self.posts(ours, count))
        for cost in (8, 10, 12):
            series.variant(f"bf{cost}", f"pgcrypto crypt(), bcrypt, cost {cost}", lambda c=cost: self.peers.timed(
                f"SELECT crypt('{tenant.PASSWORD}', '$2a${c:02d}$abcdefghijklmnopqrstuv')", repeat=max(1, count // 4)))
        return series

    def flooded(self, port, path, sign_in, flood):
        """p99 of other requests; with a flood, of eight connections that sign in as fast as they can."""
        def trial():
            if not flood:
                return self.p99(port, path)
            seconds = max(1, self.lab.seconds)
            running = server.Flood(port, sign_in, 8, seconds + 1)
            with running:
                figures = self.p99(port, path)
            return {**figures, "sign_ins": running.rate}
        return trial

    def p99(self, port, path):
        found = server.wrk(port, path, gateway.ITEMS, self.token, 4, max(1, self.lab.seconds))
        return {"figure": found["p99"], "p50": found["p50"], "requests": found["figure"]}

    def floods(self, ours, node):
        series = self.lab.series("flood", "p99 of other requests beside a flood of sign-ins", "ms", "aegis",
                                 "4 connections that ask for a row, without and beside 8 that sign in as fast as they can; per second: requests, sign_ins")
        for name, title, port, path, sign_in in (("aegis", "aegis-server", ours.port, "/api/bench/items/", "/api/session"),
                                                 ("fastify", "fastify + pg", node.port, "/items/", "/login")):
            series.variant(name, f"{title}, no sign-ins", self.flooded(port, path, sign_in, False))
            series.variant(f"{name}_flood", f"{title}, flood", self.flooded(port, path, sign_in, True))
        return series

    def goals(self, hashes, flood):
        self.lab.goal("sign_in", "A sign-in, to Argon2id alone", "<=", 1.1, hashes.ratio("aegis"), loads=(hashes, "aegis"))
        self.lab.goal("sign_in_http", "A sign-in over HTTPS, to Argon2id alone", "<=", 1.1, hashes.ratio("post"), loads=(hashes, "post"))
        self.lab.goal("flood", "p99 of others beside a flood of sign-ins, to without", "<=", 2, flood.ratio("aegis_flood"),
                      loads=(flood, "aegis", "aegis_flood"))


def run(lab):
    with scheduling.as_services() as lab.facts["scheduling"], Cluster(preload="", extensions=()) as peers, Cluster() as cluster:
        lab.say("loading")
        area = Password(lab, peers, cluster)
        area.prepare()
        try:
            with Gateway(cluster, settings={"log": {"level": "warn"}}) as ours, server.Node("fastify_pg.mjs", free_port(), ours.key, ours.certificate, peers) as node, \
                    profile.watched(ours.process.pid), profile.watched(node.process.pid):
                hashes, flood = area.hashes(ours), area.floods(ours, node)
                lab.measure([hashes, flood])
                area.goals(hashes, flood)
                lab.explain()
        finally:
            area.close()
