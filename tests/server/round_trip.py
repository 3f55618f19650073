#!/usr/bin/env python3
"""What a request costs, measured from outside: one round trip to the database when it has a credential, of any kind, counted on the wire
between the two; and the same time whether or not there is a report of suspicion about whom it concerns, over HTTP and in SQL."""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from libpq import Refused, Session  # noqa: E402
from fixture import LOGIN, Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.process import ROOT, folder, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402
from fixture.service import WINDOW, Service  # noqa: E402
from fixture.timing import measure, told  # noqa: E402
import upstream  # noqa: E402

REQUESTS = 50
ROUNDS = 100 if os.environ.get("AEGIS_LONG") == "yes" else 8
PASSWORD = "nineteen-plain-otters-swim-63"
ROUTES = """
CREATE FUNCTION public.way(r aegis.request) RETURNS aegis.response LANGUAGE sql VOLATILE AS $$
  SELECT aegis.respond(200, jsonb_build_object('way', aegis.auth_method(), 'rank', aegis.rank())) $$;
GRANT EXECUTE ON FUNCTION public.way(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/way', 'public.way(aegis.request)', credentials => '{session,service,token}', scope => 'svc');
"""
# The key is the one that RFC 7515 publishes, as tests/independent/issuer_tokens.py signs with it.
ISSUER = """
SELECT id AS tenant FROM aegis.tenants() \\gset
SELECT aegis.register_issuer('idp', 'https://issuer.example.test', audiences => '{{aegis-api}}', organisation_claim => '{{org}}', role_claim => '{{roles}}'),
       aegis.map_issuer_tenant('idp', 'acme', :'tenant'), aegis.map_issuer_role('idp', 'boss', 3::smallint), aegis.pin_issuer_key('idp', '{key}') \\g /dev/null
BEGIN;
SELECT aegis.assume_tenant(:'tenant'::uuid, 'test of round trips', 'TEST-1', read_only => false) \\g /dev/null
SELECT aegis.link_issuer_user('idp', 'alice', aegis.create_user('alice@probe-works.example', 'Alice', 3::smallint, NULL, '{password}')) \\g /dev/null
COMMIT;
"""
# Work that somebody careless might have the file of a subject do for each report about it.
CARELESS = """
CREATE OR REPLACE FUNCTION public.work_of_reports(subject text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM aegis_app.suspicion_report r, generate_series(1, {work}) WHERE r.subject_id::text = subject $$;
ALTER FUNCTION public.work_of_reports(text) OWNER TO aegis_owner;
GRANT EXECUTE ON FUNCTION public.work_of_reports(text) TO aegis_member;
"""


class Wire:
    """Passes bytes on between the gateway and the server, and counts how often a connection turned from answer to question."""

    def __init__(self, server):
        self.server = os.path.join(server, ".s.PGSQL.5432")
        self.folder = folder("wire")
        os.chmod(self.folder, 0o755)
        self.connections = []
        self.cut = None  # what is sent to the server and fits is lost, with its connection, once
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.folder, ".s.PGSQL.5432"))
        os.chmod(os.path.join(self.folder, ".s.PGSQL.5432"), 0o777)
        self.listener.listen(64)

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            connection = {"asked": False, "trips": 0, "handles": False}
            self.connections.append(connection)
            for source, target, asks in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.carry, args=(source, target, asks, connection), daemon=True).start()

    def carry(self, source, target, asks, connection):
        try:
            while data := source.recv(65536):
                if asks and self.cut and self.cut in data:
                    self.cut = None
                    break
                if asks:
                    if not connection["asked"]:
                        connection["trips"] += 1
                    connection["handles"] = connection["handles"] or b"aegis.handle" in data
                connection["asked"] = asks
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def trips(self):
        """Of the connections that carry requests; the monitor has its own."""
        return sum(c["trips"] for c in self.connections if c["handles"])


class Subjects:
    """Persons who differ in nothing but their numbers; somebody filed a report about every second."""

    def __init__(self, gateway, cluster):
        self.cluster, admin = cluster, Client(gateway)
        admin.sign_in(LOGIN)
        self.handler, self.manager = (self.person(gateway, admin, name, rank) for name, rank in (("uma", 1), ("mia", 3)))
        self.number = {}
        for n in range(16):
            self.number[self.ask(self.handler, 201, "POST", "/api/kyc/subjects", {"kind": "person", "name": f"Person {n:02}", "identity": {
                "date_of_birth": "1984-05-23", "national_id": f"QQ 12 34 {n:02} C"}})["id"]] = f"qq1234{n:02}c"
        self.every = list(self.number)
        self.reported, self.others = self.every[1::2], self.every[0::2]
        for subject in self.reported:
            self.ask(self.manager, 204, "POST", f"/api/kyc/subjects/{subject}/suspicion", {"narrative": "paid forty invoices in cash"})

    def person(self, gateway, admin, name, rank):
        email = f"{name}@probe-works.example"
        self.ask(admin, 201, "POST", "/api/users", {"email": email, "name": name, "rank": rank, "password": PASSWORD})
        client = Client(gateway)
        client.sign_in({"tenant": LOGIN["tenant"], "email": email, "password": PASSWORD})
        return client

    @staticmethod
    def ask(client, status, method, path, body=None):
        reply = client.request(method, path, body)
        equal(reply.status, status, f"{method} {path}: {reply.body}")
        return reply.json() if reply.body else None

    def over_http(self):
        """(name, what is asked about a subject)"""
        at = "/api/kyc/subjects/"
        return (("its file", lambda s, _: self.ask(self.handler, 200, "GET", at + s)),
                ("the list that has it", lambda s, _: self.ask(self.handler, 200, "GET", at[:-1] + "?number=" + self.number[s])),
                ("a change of it", lambda s, n: self.ask(self.handler, 200, "PATCH", at + s, {"identity": {"residence": ("GB", "FR")[n % 2]}})),
                ("its data for the person", lambda s, _: self.ask(self.manager, 200, "POST", at + s + "/exports")),
                ("its erasure", lambda s, _: self.ask(self.manager, 201, "POST", at + s + "/erasures", {})),
                ("reports, for nobody but officers", lambda s, _: self.ask(self.handler, 403, "GET", "/api/suspicion-reports/" + s)))

    def in_sql(self, session):
        """By somebody of the tenant who has a prompt; whatever it does is undone."""
        request = "jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', '{s}'), 'body', '{{}}'::jsonb, 'query', '{{}}'::jsonb))"

        def run(statement):
            def once(subject, _):
                try:
                    session.run(statement.format(s=subject))
                except Refused as refused:
                    equal(refused.state, "42501", refused)
                session.run("ROLLBACK TO s")
            return once
        return [(name, run(statement)) for name, statement in (
            ("its file", f"SELECT aegis_app.get_kyc_subject({request})"),
            ("another report", "SELECT aegis_app.add_suspicion('{s}', 'paid in cash again')"),
            ("reports, for nobody but officers", "SELECT count(*) FROM aegis_app.suspicion_reports('{s}', NULL, 10, NULL)"),
            ("a decision, by nobody but officers", "SELECT aegis_app.close_suspicion('{s}', 'dismissed', 'x', NULL)"),
            ("rows, for nobody", "SELECT count(*) FROM aegis_app.suspicion_report WHERE subject_id = '{s}'"))]

    def look(self, call, chance):
        for client in (self.handler, self.manager):
            client.close()  # The gateway may have, while the others were asked.
        call(self.every[0], 0)  # plans are made
        return told(measure(call, self.every, ROUNDS, chance), self.reported, self.others)


def time_tells_nothing(report, cluster, gateway):
    chance = random.Random(1504)
    subjects = Subjects(gateway, cluster)

    def silent(name, call):
        tells, words = subjects.look(call, chance)
        with report.test(f"no time tells of a report: {name} ({words})"):
            assert not tells, words
    for name, call in subjects.over_http():
        silent(name, call)
    cluster.sql("GRANT aegis_member TO stranger")
    with Session(cluster.folder, "stranger", cluster.database) as session:
        session.run(f"BEGIN; SELECT aegis.authenticate('{subjects.handler.token}'); SAVEPOINT s")
        for name, call in subjects.in_sql(session):
            silent(f"{name}, in SQL", call)
        session.run("ROLLBACK")
    with report.test("what would tell is seen"):
        file = dict(subjects.over_http())["its file"]
        definition = cluster.sql("SELECT pg_get_functiondef('aegis_app.get_kyc_subject(aegis.request)'::regprocedure)")
        careless = definition.replace("\nBEGIN\n", "\nBEGIN\n  PERFORM public.work_of_reports(request.params ->> 'id');\n", 1)
        assert careless != definition, definition
        for work in (2000, 8000, 32000, 128000):  # more, where neighbours make noise
            cluster.sql(CARELESS.format(work=work) + careless)
            tells, words = subjects.look(file, chance)
            if tells:
                break
        assert tells, words


def cut_off(report, cluster, wire, client):
    def customers():
        return int(cluster.sql("SELECT count(*) FROM aegis_app.customer"))
    with report.test("a write that was not sent is sent over a new connection"):
        before = customers()
        cluster.sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'gateway'")
        time.sleep(0.05)  # of a connection that answered less than 20 ms ago it is not asked whether it still is one
        wire.cut = b"aegis.handle"  # the new connection goes while the statement is prepared
        equal(client.request("POST", "/api/customers", {"name": "Not sent"}).status, 201, "status")
        equal((wire.cut, customers() - before), (None, 1), "made")
    with report.test("a write that was sent is not sent again"):
        before = customers()
        wire.cut = b"\0aegis_handle\0"  # the connection goes while it is to be carried out
        equal(client.request("POST", "/api/customers", {"name": "Sent"}).status, 503, "status")
        equal((wire.cut, customers() - before), (None, 0), "made")
        equal(client.request("POST", "/api/customers", {"name": "Later"}).status, 201, "status")
        equal(customers() - before, 1, "made")


def credentials(report, cluster, wire, gateway, session, service):
    """Whatever a request is authenticated by, and whoever answers it."""
    made = json.loads(subprocess.run([sys.executable, os.path.join(ROOT, "tests", "independent", "issuer_tokens.py")], stdout=subprocess.PIPE, check=True).stdout)
    cluster.sql(ISSUER.format(key=made["jwk_pin"], password=PASSWORD), user="operator")
    caller = Service(cluster, gateway)
    kinds = {"a signature of RFC 9421": ({"way": "service", "rank": 1}, "/api/way", lambda: caller.fields("GET", "/api/way")),
             "a token of an issuer": ({"way": "session_token", "rank": 3}, "/api/way", lambda: {"Authorization": "Bearer " + made["good"]}),
             "the cookie of a session": ({"way": "session_token", "rank": 4}, "/api/way", lambda: {"Cookie": f"__Host-aegis={session}"}),
             "a session, on a route that another service answers": ({"path": "/api/up/echo"}, "/api/up/echo", lambda: {"Authorization": f"Bearer {session}"})}
    client = Client(gateway)
    for name, (wanted, path, fields) in kinds.items():
        with report.test(f"{name} is one"):
            # The route is told to the gateway by itself; and for a while after a start no signature is taken.
            until(lambda path=path, fields=fields: client.request("GET", path, headers=fields()).status == 200, 30, "the first answer")
            before, arrived = wire.trips(), len(service.server.arrived)
            for _ in range(REQUESTS):
                reply = client.request("GET", path, headers=fields())
                equal(reply.status, 200, reply.body)
                equal(reply.json(), wanted, "answer")
            equal((wire.trips() - before, len(service.server.arrived) - arrived), (REQUESTS, REQUESTS if "path" in wanted else 0),
                  "round trips, and requests passed on")
    client.close()


def short_window(cluster):
    """Signed requests are taken soon after the start."""
    cluster.stop()
    config = os.path.join(cluster.data, "postgresql.conf")
    with open(config, encoding="utf-8") as file:
        text = file.read()
    write(config, text + f"aegis.signature_window = {WINDOW}s\n", 0o600)
    cluster.start()


def on_the_wire(report, cluster, wire, gateway, service):
    client = Client(gateway)
    client.sign_in(LOGIN)
    made = client.request("POST", "/api/customers", {"name": "Ada"})
    equal(made.status, 201, "status")
    for name, method, path, body, status in (("a read", "GET", made.headers["location"], None, 200),
                                             ("a write", "POST", "/api/customers", {"name": "Bob"}, 201),
                                             ("nothing there", "GET", made.headers["location"][:-1] + "x", None, 404),
                                             ("a token that is none", "GET", "/api/customers", None, 401)):
        with report.test(f"{name} is one"):
            other = Client(gateway, "ags1_UK_" + "A" * 43) if status == 401 else client
            before = wire.trips()
            for _ in range(REQUESTS):
                equal(other.request(method, path, body).status, status, "status")
            equal(wire.trips() - before, REQUESTS, "round trips")
    cut_off(report, cluster, wire, client)
    with report.test("what needs no database makes none"):
        before = wire.trips()
        equal(client.request("GET", "/api/none").status, 404, "status")
        equal(wire.trips() - before, 0, "round trips")
    credentials(report, cluster, wire, gateway, client.token, service)
    client.close()


def main():
    report = Report("round_trip")
    port = free_port()
    with Cluster() as cluster, Wire(cluster.folder) as wire:
        short_window(cluster)
        cluster.sql(ROUTES)
        service = upstream.Running(port, upstream.make_service(cluster, "up", f"http://127.0.0.1:{port}"))
        cluster.sql("SELECT aegis.register_upstream_route('GET', '/api/up/echo', 'up')", user="operator")
        gateway = Gateway(cluster, {"server": {"workers": 1}, "database": {"socket": wire.folder}})
        with open(gateway.config, "a", encoding="utf-8") as file:
            file.write(f'[[upstream]]\nname = "up"\nurl = "http://127.0.0.1:{port}"\n')
        with gateway:
            on_the_wire(report, cluster, wire, gateway, service)
        service.stop()
        with Gateway(cluster) as straight:
            time_tells_nothing(report, cluster, straight)
    report.finish()


if __name__ == "__main__":
    main()
