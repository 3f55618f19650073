#!/usr/bin/env python3
"""kill -9 of a backend, of the database and of the gateway, each under load: what was answered is there, once; what was not
is there whole or not at all; nobody gets another's answer; and it goes on by itself. A database that hangs holds nobody for ever."""
import collections
import http.client
import os
import signal
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.cluster import BIN, SETUP  # noqa: E402
from fixture.process import run  # noqa: E402
from fixture.report import equal, until  # noqa: E402

CLIENTS = 6
SOON = 2  # seconds after the database is there again
OTHER = {"tenant": "other-works", "email": "eve@other-works.example", "password": "six-loud-ravens-march-42"}
Person = collections.namedtuple("Person", "token tenant user")
BROKEN = (OSError, http.client.HTTPException, ssl.SSLError)


class Load:
    """Clients of two tenants, in turn, that create customers with names of their own, read them again and ask who they are, as long as they
    are let."""

    def __init__(self, gateway, people, mark):
        self.gateway, self.people, self.mark = gateway, people, mark
        self.ending = threading.Event()
        self.created, self.unknown, self.statuses, self.wrong, self.asked = [], [], collections.Counter(), [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: len(self.created) >= CLIENTS, 20, "the load runs")
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(30)

    def work(self, client_number):
        me = self.people[client_number % len(self.people)]
        client, number = Client(self.gateway, me.token, timeout=20), 0
        while not self.ending.is_set():
            number += 1
            name = f"{self.mark}-{client_number}-{number}"
            try:
                self.one(client, me, name)
            except BROKEN:
                with self.lock:
                    self.unknown.append(name)
                client.close()
                client = Client(self.gateway, me.token, timeout=20)
                time.sleep(0.05)
        client.close()

    def one(self, client, me, name):
        reply = client.request("POST", "/api/customers", {"name": name})
        with self.lock:
            self.statuses[reply.status] += 1
            if reply.status == 201:
                self.created.append((name, reply.json()["id"], me.tenant))
                if reply.json()["name"] != name:
                    self.wrong.append((name, reply.json()["name"]))
            else:
                self.unknown.append(name)
        if reply.status != 201:
            time.sleep(0.05)
            return
        again = client.request("GET", reply.headers["location"])
        if again.status == 404 or again.status == 200 and again.json()["name"] != name:
            with self.lock:
                self.wrong.append((name, again.body))
        who = client.request("GET", "/api/session")
        if who.status != 200:
            return
        with self.lock:
            self.asked += 1
            if (who.json()["tenant"]["id"], who.json()["user"]["id"]) != (me.tenant, me.user):
                self.wrong.append((me, who.body))


def person(gateway, login):
    client = Client(gateway)
    token = client.sign_in(login)
    me = client.request("GET", "/api/session").json()
    client.close()
    return Person(token, me["tenant"]["id"], me["user"]["id"])


def check(report, cluster, load, what):
    """Held against the database, when everything runs again."""
    rows = collections.Counter(cluster.sql("SELECT id || '|' || tenant_id FROM aegis_app.customer").splitlines())
    recorded = collections.Counter(cluster.sql("SELECT target_id || '|' || tenant_id FROM aegis.audit_log WHERE event = 'customer.created'").splitlines())
    with report.test(f"{what}/what was answered is there once"):
        equal([name for name, number, tenant in load.created if rows[f"{number}|{tenant}"] != 1], [], "lost, doubled, or another tenant's")
    with report.test(f"{what}/rows and entries agree"):
        equal(rows, recorded, "rows, and entries of their creation")
    with report.test(f"{what}/nobody got another's answer"):
        equal(load.wrong, [], "answers")
        equal({tenant for _, _, tenant in load.created}, {me.tenant for me in load.people}, "tenants that were served")
        assert load.asked >= CLIENTS, load.asked
        assert set(load.statuses) <= {201, 500, 503, 504}, load.statuses


def goes_on(load, seconds=60):
    before = len(load.created)
    until(lambda: len(load.created) > before + CLIENTS, seconds, "new answers")


def serves(cluster):
    try:
        return cluster.sql("SELECT alive FROM aegis.worker_status()") == "t"
    except RuntimeError:
        return False


def soon(cluster, load):
    """The first answer comes soon after the database is there again; from then on nobody is sent away."""
    until(lambda: serves(cluster), 60, "the database")
    there, before = time.monotonic(), len(load.created)
    until(lambda: len(load.created) > before, 60, "an answer")
    waited = time.monotonic() - there
    print(f"# {waited:.2f} s after the database")
    assert waited < SOON, waited
    time.sleep(max(0.0, there + SOON - time.monotonic()))
    refused = load.statuses[503]
    goes_on(load)
    equal(load.statuses[503] - refused, 0, f"refusals {SOON} s later")


def backend(report, cluster, gateway, people):
    with Load(gateway, people, "backend") as load, report.test("backend/goes on by itself"):
        pids = cluster.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' AND state <> 'idle'"
                           " UNION SELECT max(pid) FROM pg_stat_activity WHERE usename = 'gateway'").split()
        os.kill(int(pids[0]), signal.SIGKILL)
        until(lambda: load.statuses[503] + load.statuses[500] > 0, 20, "the loss is felt")
        soon(cluster, load)
    check(report, cluster, load, "backend")


def database(report, cluster, gateway, people):
    with Load(gateway, people, "database") as load, report.test("database/goes on by itself"):
        with open(os.path.join(cluster.data, "postmaster.pid"), encoding="ascii") as file:
            postmaster = int(file.readline())
        os.kill(postmaster, signal.SIGKILL)
        until(lambda: started_again(cluster), 60, "start of the database")
        soon(cluster, load)
        assert load.statuses[503] > 0, load.statuses
    check(report, cluster, load, "database")


def started_again(cluster):
    """The backends of before end by themselves when they see their postmaster gone; until then a start is refused."""
    try:
        run([f"{BIN}/pg_ctl", "start", "-w", "-t", "30", "-D", cluster.data, "-l", cluster.log])
        return True
    except RuntimeError:
        return False


def gateway_itself(report, cluster, gateway, people):
    with Load(gateway, people, "gateway") as load, report.test("gateway/goes on when it is started again"):
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
        listens, before = time.monotonic(), len(load.created)
        until(lambda: len(load.created) > before, 60, "an answer")
        waited = time.monotonic() - listens
        print(f"# {waited:.2f} s after it listens")
        assert waited < SOON, waited
        goes_on(load)
    check(report, cluster, load, "gateway")


def ended(report, cluster):
    """The server ended its connections while nobody asked for anything, in each way that it has: whatever comes next is answered by every
    worker, writes too."""
    def backends():
        try:
            return set(cluster.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' AND query LIKE '%aegis.handle(%'").split())
        except RuntimeError:  # it starts
            return None

    def restart(mode):
        cluster.stop(mode)
        cluster.start()
    ways = {"a restart": lambda _: restart("fast"), "a hard restart": lambda _: restart("immediate"),
            "the end of another backend": lambda pids: os.kill(int(min(pids)), signal.SIGKILL),
            "an operator": lambda pids: cluster.sql(f"SELECT pg_terminate_backend(pid, 10000) FROM unnest(ARRAY[{','.join(pids)}]) pid")}
    made = 0
    with Gateway(cluster, {"server": {"workers": 4, "sign_in_workers": 1}}) as gateway:
        clients = [Client(gateway) for _ in range(8)]

        def sign_in():
            token = Client(gateway).sign_in(LOGIN)
            for client in clients:
                client.token = token

        def write():
            nonlocal made
            answers = []
            threads = [threading.Thread(target=lambda c=client: answers.append(c.request("POST", "/api/customers", {"name": "Eve"}).status)) for client in clients]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            made += answers.count(201)
            return collections.Counter(answers)
        before = int(cluster.sql("SELECT count(*) FROM aegis_app.customer"))
        for way, end in ways.items():
            with report.test(f"ended/no request is refused after {way}"):
                sign_in()
                until(lambda: write() and len(backends() or ()) == 5, 20, "each worker has a connection")
                old = backends()
                end(old)
                until(lambda: (now := backends()) is not None and not old & now and serves(cluster), 60, "the database")
                equal(sum((write() for _ in range(4)), collections.Counter()), {201: 32}, "answers")
                sign_in()
        with report.test("ended/and each write is there once"):
            equal(int(cluster.sql("SELECT count(*) FROM aegis_app.customer")) - before, made, "customers")


def hanging(report, cluster, token):
    """It takes connections and answers nothing: as many requests as there are workers, twice, and the watch over it, end by the clock."""
    with Gateway(cluster, {"server": {"workers": 2}, "database": {"statement_seconds": 2, "connect_seconds": 1}}) as gateway:
        clients = [Client(gateway, token) for _ in range(4)]
        for client in clients:
            equal(client.request("GET", "/api/organisation").status, 200, "before")
        with report.test("hanging/every request ends by the clock"), cluster.hung():
            answers = []
            threads = [threading.Thread(target=lambda c=client: answers.append(c.request("GET", "/api/organisation").status)) for client in clients]
            began = time.monotonic()
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            assert len(answers) == 4 and set(answers) <= {503, 504} and 504 in answers, answers
            assert time.monotonic() - began < 8, f"took {time.monotonic() - began:.1f} s"
            until(lambda: clients[0].request("GET", "/api/health").json() == {"status": "down"}, 10, "the watch")
        with report.test("hanging/and is served again"):
            until(lambda: all(client.request("GET", "/api/organisation").status == 200 for client in clients), 5, "an answer")
        with report.test("hanging/the gateway ends on SIGTERM"), cluster.hung():
            gateway.stop()


def main():
    report = Report("recovery")
    with Cluster() as cluster, Gateway(cluster) as gateway:
        cluster.sql(SETUP.format(**OTHER), user="operator")
        people = [person(gateway, login) for login in (LOGIN, OTHER)]
        equal(len({one.tenant for one in people}), 2, "tenants")
        for part in (backend, database, gateway_itself):
            part(report, cluster, gateway, people)
        gateway.stop()
        hanging(report, cluster, people[0].token)
        ended(report, cluster)
    report.finish()


if __name__ == "__main__":
    main()
