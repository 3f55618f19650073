#!/usr/bin/env python3
"""The tutorial works as it stands: its SQL in one psql session, then its requests with curl."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import ROOT, environment, folder, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402

PAGE = os.path.join(ROOT, "docs", "tutorial.md")


def blocks(language):
    with open(PAGE, encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.S | re.M)


def run_sql(cluster):
    place = folder("tutorial")
    script = os.path.join(place, "session.sql")
    write(script, "\n".join(blocks("sql")))
    done = subprocess.run([f"{BIN}/psql", "-XAt", "-h", cluster.folder, "-U", "postgres", "-d", cluster.database, "-f", script],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), cwd="/", check=False)
    shutil.rmtree(place)
    assert "ERROR" not in done.stdout, done.stdout
    return done.stdout


def run_requests(gateway, place):
    """The page's shell session, on this gateway's port: the answers, and how to ask for the last one again."""
    (session,) = blocks("sh")
    session = session.replace("localhost:8443", f"localhost:{gateway.port}").replace("localhost.crt", gateway.certificate)
    define, *requests = session.splitlines()

    def ask(request):
        done = subprocess.run(["bash", "-euc", f"{define}\n{request}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place, check=False)
        equal(done.returncode, 0, f"{request}: {done.stdout}")
        return json.loads(done.stdout)
    return [ask(request) for request in requests[:-1]], lambda: ask(requests[-1])


def main():
    report = Report("tutorial")
    place = folder("curl")  # where the cookies are kept
    with Cluster() as cluster, Gateway(cluster) as gateway:
        with report.test("its-sql-runs"):
            shown = run_sql(cluster)
            assert re.search(r"^primary key ticket_pkey does not begin with tenant_id\|ALTER TABLE", shown, re.M), shown
            assert re.search(r"^The door does not close\|A1\.[A-Za-z0-9_-]+$", shown, re.M), shown
        with report.test("its-requests-answer"):
            until(lambda: Client(gateway).request("POST", "/api/tickets", {}).status == 401, what="the last route at the gateway")
            (signed_in, listed, opened, found, refused), last = run_requests(gateway, place)
            equal(signed_in["tenant"]["slug"], "north-works", "tenant")
            equal([(t["id"], t["subject"], t["email"]) for t in listed["tickets"]],
                  [(1, "The door does not close", "bob@client.example"), (2, "No light in room 4", None)], "tickets of North Works")
            equal(opened, {"id": 4}, "opened")
            equal([t["subject"] for t in found["tickets"]], ["The window does not open"], "found")
            equal((refused["status"], refused["type"], refused["detail"]),
                  (422, "urn:aegis:problem:invalid", 'field "subject" is required'), "refused")
            # It is there once a seal covers it.
            entry = until(lambda: last()["entries"], what="the ticket in the ledger")[0]
            equal((entry["event"], entry["user_name"], entry["target_id"]), ("ticket.opened", "Ann North", "4"), "entry")
        with report.test("the-other-tenant-sees-its-own"):
            sue = Client(gateway)
            sue.sign_in({"tenant": "south-works", "email": "sue@south.example", "password": "nine-loud-herons-wander-34"})
            equal([t["subject"] for t in sue.request("GET", "/api/tickets").json()["tickets"]], ["Invoice 7 is missing"], "tickets of South Works")
        with report.test("the-document-has-the-routes"):
            paths = Client(gateway).request("GET", "/api/openapi.json").json()["paths"]
            equal(sorted(paths["/api/tickets"]), ["get", "post"], "methods")
            equal(paths["/api/tickets"]["get"]["parameters"][0]["name"], "about", "parameter")
    shutil.rmtree(place)
    report.finish()


main()
