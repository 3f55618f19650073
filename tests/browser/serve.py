#!/usr/bin/env python3
"""Starts a cluster with the sample data, its signer and a gateway, runs the command with what it has to know in
BROWSER_TEST (address, logins, aegis-verify, the signer's public key), and stops them."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "server"))
from fixture import Cluster, Gateway, Signer  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.gateway import program  # noqa: E402
from fixture.process import USER, as_user  # noqa: E402
from fixture.provider import Agent, Provider  # noqa: E402

SAMPLE = os.path.join(ROOT, "scripts", "sample.py")


def sample(part):
    return subprocess.run([sys.executable, SAMPLE, part], stdout=subprocess.PIPE, text=True, check=True).stdout


def logins():
    names = ("tenant", "email", "rank", "password")
    return [dict(zip(names, line.split("\t"))) for line in sample("logins").splitlines()]


class SampleCluster(Cluster):
    def make(self):
        super().make()
        with open(os.path.join(self.data, "pg_ident.conf"), "a", encoding="utf-8") as file:
            file.write("".join(f"test {user} member\n" for user in sorted({"root", USER})))

    def prepare(self):
        super().prepare()
        self.sql("CREATE ROLE member LOGIN IN ROLE aegis_member")

    def reached_at(self, address):
        """Where people, and payers who come back, reach the console."""
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"aegis.public_address = '{address}'\n")
        self.sql("SELECT pg_reload_conf()")
        self.sql(sample("operator"), user="operator")
        self.sql(sample("member"), user="member")


def main(command):
    with SampleCluster() as cluster, Signer(cluster) as signer, Provider() as provider, \
            Gateway(cluster, {"server": {"payment_forms": [provider.address + "/page/form"]}}) as gateway, Agent(cluster, provider, launch=False) as agent:
        url = f"https://localhost:{gateway.port}"
        cluster.reached_at(url)
        told = {"url": url, "logins": logins(), "verify": program("aegis-verify"), "key": signer.key,
                "psql": [f"{BIN}/psql", "-XqAt", "-h", cluster.folder, "-U", "postgres", "-d", cluster.database],
                # Other stories look at what waits for an agent: who wants one starts it.
                "provider": provider.address, "agent": as_user(agent.command), "ca": gateway.certificate}
        # The child is this process's own: a signal to stop reaches both, and it is waited for.
        return subprocess.run(command, env={**os.environ, "BROWSER_TEST": json.dumps(told)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
