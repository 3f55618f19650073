#!/usr/bin/env python3
"""Starts a cluster with the sample data, its signer and a gateway, runs the command with what it has to know in
BROWSER_TEST (address, logins, aegis-verify, the signer's public key), and stops them."""
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "server"))
from fixture import Cluster, Gateway  # noqa: E402
from fixture.gateway import program  # noqa: E402
from fixture.process import USER, as_user, environment, folder, run  # noqa: E402
from fixture.report import until  # noqa: E402

SAMPLE = os.path.join(ROOT, "scripts", "sample.py")
ORIGIN = "browser.test.example"


def sample(part):
    return subprocess.run([sys.executable, SAMPLE, part], stdout=subprocess.PIPE, text=True, check=True).stdout


def logins():
    names = ("tenant", "email", "rank", "password")
    return [dict(zip(names, line.split("\t"))) for line in sample("logins").splitlines()]


class Signer:
    """aegis-signer for the log of one database, with a state of its own."""

    def __init__(self, database):
        self.folder = folder("signer")
        self.program = os.path.join(self.folder, "aegis-signer")
        shutil.copy(program("aegis-signer"), self.program)
        os.chmod(self.program, 0o755)
        self.socket = os.path.join(self.folder, "socket")
        self.state = os.path.join(self.folder, "state")
        self.key = run([self.program, "init", "--state", self.state, "--origin", f"{ORIGIN}/{database}"]).strip()
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(
            as_user([self.program, "serve", "--state", self.state, "--socket", self.socket, "--log", os.path.join(self.folder, "log")]),
            stdin=subprocess.DEVNULL, cwd="/", env=environment())
        until(lambda: os.path.exists(self.socket), what="the signer's socket")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)
        shutil.rmtree(self.folder, ignore_errors=True)


class SampleCluster(Cluster):
    def __init__(self, signer):
        super().__init__()
        self.signer = signer

    def make(self):
        super().make()
        with open(os.path.join(self.data, "pg_ident.conf"), "a", encoding="utf-8") as file:
            file.write("".join(f"test {user} member\n" for user in sorted({"root", USER})))

    def configuration(self, keyring):
        return super().configuration(keyring) + f"""
log_statement = 'none'
aegis.signer = '{self.signer.socket}'
aegis.ledger_origin = '{ORIGIN}'
aegis.ledger_key = '{self.signer.key}'
aegis.checkpoint_interval = '1s'
"""

    def prepare(self):
        super().prepare()
        self.sql("CREATE ROLE member LOGIN IN ROLE aegis_member")
        self.sql(sample("operator"), user="operator")
        self.sql(sample("member"), user="member")


def main(command):
    with Signer(Cluster.database) as signer, SampleCluster(signer) as cluster, Gateway(cluster) as gateway:
        told = {"url": f"https://localhost:{gateway.port}", "logins": logins(), "verify": program("aegis-verify"), "key": signer.key}
        # The child is this process's own: a signal to stop reaches both, and it is waited for.
        return subprocess.run(command, env={**os.environ, "BROWSER_TEST": json.dumps(told)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
