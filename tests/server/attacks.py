#!/usr/bin/env python3
"""The attacks of docs/attacks.md that go over HTTP, through a gateway, with two tenants."""
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(here, "..", "attacks"))

from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.report import until  # noqa: E402
import over_http  # noqa: E402,F401
from catalogue import ATTACKS  # noqa: E402
from world import CANARY, PEOPLE  # noqa: E402

SETUP = """
SELECT aegis.create_tenant('{slug}', '{slug}') AS tenant \\gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant'::uuid, 'attacks over HTTP', 'T-1', read_only => false) \\g /dev/null
SELECT aegis.create_team('shore') AS team \\gset
{people}
COMMIT;
SELECT :'tenant';
"""
PERSON = "SELECT aegis.create_user('{name}@{slug}.example', '{name}', {rank}::smallint, {team}, '{password}') \\g /dev/null"


class World:
    """Two tenants; of each person what they made: a customer, an invoice, themselves, their team."""

    def __init__(self, cluster, gateway):
        self.gateway, self.log, self.password = gateway, gateway.log, LOGIN["password"]
        self.tenant, self.client, self.ids = {}, {}, {}
        for slug in {slug: None for slug, _, _ in PEOPLE}:
            people = "\n".join(PERSON.format(name=name, slug=slug, rank=rank, team=":'team'" if rank < 4 else "NULL", password=self.password)
                               for of, name, rank in PEOPLE if of == slug)
            self.tenant[slug] = cluster.sql(SETUP.format(slug=slug, people=people), user="operator").splitlines()[-1]
        until(lambda: self.fresh().request("GET", "/api/health").status == 200, 20, "health")
        for slug, name, _ in PEOPLE:
            client = self.client[name] = self.fresh()
            client.sign_in({"tenant": slug, "email": f"{name}@{slug}.example", "password": self.password})
            customer = client.request("POST", "/api/customers", {"name": CANARY if slug == "meadow" else "own",
                                                                 "email": f"{name}@{slug}.example"}).json()["id"]
            invoice = client.request("POST", "/api/invoices", {"customer_id": customer, "currency": "EUR", "lines": [
                {"description": "x", "quantity": 1, "unit_minor": "100"}]}).json()["id"]
            session = client.request("GET", "/api/session").json()
            team = next(iter(client.request("GET", "/api/teams").json()["teams"]))["id"]
            self.ids[name] = (customer, invoice, session["user"]["id"], team)

    def fresh(self):
        return Client(self.gateway)


def main():
    report = Report("attack")
    with Cluster() as cluster, Gateway(cluster) as gateway:
        world = World(cluster, gateway)
        for attack in (a for a in ATTACKS.values() if a.name[0] == "H"):
            with report.test(f"{attack.name} {attack.title}"):
                attack.test(world)
    report.finish()


main()
