#!/usr/bin/env python3
"""Many sign-ins at the same time: of one user, who ends with one session; of many, who each get their own; and of somebody who
guesses, who gets neither a session nor a word about which accounts there are."""
import concurrent.futures
import itertools
import math
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.report import equal, until  # noqa: E402

LONG = os.environ.get("AEGIS_LONG") == "yes"
TOGETHER = 50
USERS = 200 if LONG else 50
GUESSES = 200  # all at once
LOOKED_AT = 4  # guesses that are free: then the account waits
ROUNDS = 160 if LONG else 40  # of the comparison of times
CHANCE = 1e-4  # that two samples of one distribution are taken for different ones
PASSWORD = "nine-mild-badgers-hum-%d"

PEOPLE = """
BEGIN;
SELECT aegis.assume_tenant((SELECT id FROM aegis.tenants()), 'test of sign-ins', 'TEST-1', read_only => false) \\g /dev/null
SELECT aegis.create_user('user' || n || '@probe-works.example', 'User ' || n, 1::smallint, NULL, 'nine-mild-badgers-hum-' || n)
  FROM generate_series(1, {users}) n \\g /dev/null
COMMIT;
"""
LIVE = "SELECT count(*) FROM aegis.session s JOIN aegis.user u ON u.id = s.user_id WHERE s.ended_at IS NULL AND u.rank = {rank}"


def person(number, password=None):
    return {"tenant": LOGIN["tenant"], "email": f"user{number}@probe-works.example", "password": password or PASSWORD % number}


def together(gateway, logins, again=True):
    """The answers to all of them, sent at once; who is told to come again does so."""
    gate = threading.Barrier(len(logins))

    def one(login):
        client = Client(gateway, timeout=120)
        client.request("GET", "/api/health")  # the handshake is over before all of them ask
        gate.wait()
        while True:
            reply = client.request("POST", "/api/session", {**login, "token": True})
            if not again or reply.status not in (429, 503):
                client.close()
                return reply
            time.sleep(min(float(reply.headers["retry-after"]), 2))
    with concurrent.futures.ThreadPoolExecutor(len(logins)) as pool:
        return list(pool.map(one, logins))


def entries(cluster, event):
    return int(cluster.sql(f"SELECT count(*) FROM aegis.audit_log WHERE event = '{event}'", user="boss"))


def of_one(report, cluster, gateway):
    with report.test(f"{TOGETHER}-of-one-user-end-in-one-session"):
        before = entries(cluster, "auth.sign_in")
        replies = together(gateway, [LOGIN] * TOGETHER)
        equal({reply.status for reply in replies}, {201}, "statuses")
        tokens = [reply.json()["token"] for reply in replies]
        equal(len(set(tokens)), TOGETHER, "different tokens")
        client = Client(gateway)
        answers = [client.request("GET", "/api/organisation", headers={"Authorization": "Bearer " + token}) for token in tokens]
        equal(sorted(answer.status for answer in answers), [200] + [401] * (TOGETHER - 1), "what the tokens open")
        equal({answer.problem() for answer in answers if answer.status == 401}, {"session-superseded"}, "why the others do not")
        equal(cluster.sql(LIVE.format(rank=4)), "1", "live sessions")
        equal(entries(cluster, "auth.sign_in") - before, TOGETHER, "entries")
        client.close()


def of_many(report, cluster, gateway):
    with report.test(f"{USERS}-users-each-get-their-own"):
        replies = together(gateway, [person(number) for number in range(1, USERS + 1)])
        equal({reply.status for reply in replies}, {201}, "statuses")
        whose = dict(line.split("|") for line in cluster.sql(
            "SELECT s.id, s.user_id FROM aegis.session s JOIN aegis.user u ON u.id = s.user_id WHERE s.ended_at IS NULL AND u.rank = 1").splitlines())
        equal((len(whose), len(set(whose.values()))), (USERS, USERS), "live sessions and their users")

        def check(reply):
            client = Client(gateway, token=reply.json()["token"])
            answer = client.request("GET", "/api/session")
            client.close()
            return answer.status == 200 and answer.json()["user"]["id"] == reply.json()["user"]["id"]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            equal(set(pool.map(check, replies)), {True}, "each token is its user's")
        equal(len({reply.json()["user"]["id"] for reply in replies}), USERS, "users")


def guesses(report, cluster, gateway):
    victim = person(1)
    with report.test(f"{GUESSES}-wrong-guesses-at-once"):
        statuses = []

        def guess(count):
            """Of all that were sent so far, how many were looked at."""
            replies = together(gateway, [{**victim, "password": f"wrong-{n}"} for n in range(count)], again=False)
            equal({reply.problem() for reply in replies} <= {"invalid-credentials", "busy", "overloaded"}, True, "problems")
            statuses.extend(reply.status for reply in replies)
            return int(cluster.sql("SELECT count(*) FROM aegis.audit_log WHERE event = 'auth.sign_in_failed' AND detail ->> 'reason' = 'password'",
                                   user="boss"))
        # Of all of them few were looked at: the account is for one at a time, then it waits, and the rest are refused before the password counts.
        looked, waves = guess(GUESSES), 0
        assert 1 <= looked <= LOOKED_AT + 1, looked
        while looked < LOOKED_AT and waves < 8:
            looked, waves = guess(TOGETHER), waves + 1
        failed = int(cluster.sql("SELECT max(failed_count) FROM aegis.user"))
        print(f"# {statuses.count(401)} answered, {looked} of them looked at, {len(statuses) - statuses.count(401)} told to come again")
        assert 1 <= looked <= LOOKED_AT + 1 and looked == failed, (looked, failed)
        equal(int(cluster.sql(LIVE.format(rank=1))), USERS, "live sessions: nobody was evicted")


def distance(one, other):
    """The statistic of Kolmogorov and Smirnov: how far the shares of both samples up to a value are apart, at most."""
    return max(abs(sum(v <= x for v in one) / len(one) - sum(v <= x for v in other) / len(other)) for x in one + other)


def times(report, cluster, gateway):
    """In another order each round, so that what else the machine does meets all of them alike."""
    client, order = Client(gateway, timeout=60), random.Random(1504)
    cluster.sql("UPDATE aegis.user SET locked_until = now() + interval '1 hour' WHERE failed_count > 0")
    asked = {"wrong": None, "nobody": {**LOGIN, "email": "nobody@probe-works.example", "password": "wrong"},
             "no tenant": {**LOGIN, "tenant": "no-such-tenant", "password": "wrong"}, "locked": person(1),
             "no hash": {**LOGIN, "password": ""}}
    took = {name: [] for name in asked}
    for round_ in range(ROUNDS):
        for name in order.sample(sorted(asked), len(asked)):
            # Somebody else each time, who is not made to wait.
            login = asked[name] or {**person(20 + round_ % (USERS - 20)), "password": "wrong"}
            started = time.monotonic()
            problem = client.request("POST", "/api/session", login).problem()
            took[name].append(time.monotonic() - started)
            equal(problem, "invalid-credentials" if name != "no hash" else problem, name)
    client.close()
    fast = took.pop("no hash")
    # Beyond this, two samples are of different distributions.
    limit = math.sqrt(-math.log(CHANCE / 2) / 2) * math.sqrt(2 / ROUNDS)
    with report.test("an-answer-says-nothing-by-its-time"):
        middles = {name: sorted(values)[ROUNDS // 2] for name, values in took.items()}
        apart = {f"{a}, {b}": round(distance(took[a], took[b]), 3) for a, b in itertools.combinations(took, 2)}
        print("# " + ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in middles.items()))
        print(f"# Kolmogorov-Smirnov, limit {limit:.3f}: {apart}")
        assert max(middles.values()) < 1.5 * min(middles.values()), middles
        assert max(apart.values()) <= limit, apart
    with report.test("and-the-comparison-would-hear-it"):
        assert distance(fast, took["wrong"]) > limit, "an answer without a hash is as slow as one with"


def main():
    report = Report("sign_ins")
    with Cluster() as cluster:
        # The least that is allowed, so that hundreds take seconds; and no budget of this network, which would end them.
        for name, value in (("password_memory", 19456), ("password_iterations", 2), ("network_failures_per_minute", 0), ("tenant_failures_per_minute", 0)):
            cluster.sql(f"ALTER SYSTEM SET aegis.{name} = {value}")
        cluster.sql("SELECT pg_reload_conf()")
        until(lambda: cluster.sql("SHOW aegis.tenant_failures_per_minute") == "0", what="the settings")
        cluster.sql(PEOPLE.format(users=USERS), user="operator")
        with Gateway(cluster, {"server": {"connections_per_address": 1000}}) as gateway:
            of_one(report, cluster, gateway)
            of_many(report, cluster, gateway)
            guesses(report, cluster, gateway)
            times(report, cluster, gateway)
    if not LONG:
        print("skip sign_ins/200 users and more rounds (take more than a minute)")
    report.finish()


if __name__ == "__main__":
    main()
