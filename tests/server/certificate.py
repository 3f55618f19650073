#!/usr/bin/env python3
"""A gateway on another machine than the database logs in with a certificate, over TLS 1.3, to the server that it means and to no other:
there is no password."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import run, write  # noqa: E402
from fixture.report import equal, until  # noqa: E402


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.certificate = self.path(f"{name}.crt")
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-keyout", self.path(f"{name}.key"), "-out", self.certificate])

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, subject):
        """A certificate for a name of a server, or a login."""
        key, request, certificate, extensions = (self.path(f"{self.name}-{name}.{end}") for end in ("key", "csr", "crt", "ext"))
        write(extensions, f"subjectAltName = DNS:{subject}\nbasicConstraints = CA:FALSE\n")
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}", "-keyout", key, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.path(f"{self.name}.key"), "-CAcreateserial", "-days", "2",
             "-extfile", extensions, "-out", certificate])
        os.chmod(key, 0o600)
        return {"client_certificate": certificate, "client_key": key}


class Distant(Cluster):
    """Takes its gateway over TCP with a certificate, and nobody else."""

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.ours, self.others = Authority(self.folder, "ours"), Authority(self.folder, "others")
        self.server, self.stray = self.ours.issue("server", "localhost"), self.ours.issue("stray", "database.example.test")

    def make(self):
        super().make()
        with open(os.path.join(self.data, "pg_hba.conf"), "a", encoding="utf-8") as file:
            file.write("hostssl all gateway 127.0.0.1/32 cert\n")

    def configuration(self, keyring):
        return super().configuration(keyring) + f"""
listen_addresses = '127.0.0.1'
port = {self.port}
ssl = on
ssl_min_protocol_version = 'TLSv1.3'
ssl_cert_file = '{self.server["client_certificate"]}'
ssl_key_file = '{self.server["client_key"]}'
ssl_ca_file = '{self.ours.certificate}'
"""

    def show(self, certificate):
        """Gives its clients another certificate."""
        for name, member in (("ssl_cert_file", "client_certificate"), ("ssl_key_file", "client_key")):
            self.sql(f"ALTER SYSTEM SET {name} = '{certificate[member]}'")
        self.sql("SELECT pg_reload_conf()")
        until(lambda: self.sql("SHOW ssl_cert_file") == certificate["client_certificate"], what="the certificate")


def settings(cluster, shown, authority):
    return {"database": {"socket": None, "host": "localhost", "port": cluster.port, "root_certificate": authority.certificate, **shown}}


def main():
    report = Report("certificate")
    with Distant() as cluster:
        login = cluster.ours.issue("login", "gateway")
        with Gateway(cluster, settings(cluster, login, cluster.ours)) as gateway:
            with report.test("a-login-by-certificate"):
                client = Client(gateway)
                until(lambda: client.request("GET", "/api/health").json()["status"] != "down", 20, "health")
                client.sign_in(LOGIN)
                equal(client.request("GET", "/api/organisation").status, 200, "with the session")
                client.close()
                equal(set(cluster.sql("SELECT s.ssl, s.version, s.client_dn FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
                                      " WHERE a.usename = 'gateway'").splitlines()), {"t|TLSv1.3|/CN=gateway"}, "connections")

            with report.test("the-ledger-knows-the-connection"):
                origin = ("SELECT r.ip, r.connection_address, r.application_name FROM (SELECT seq FROM aegis.audit_log WHERE event = 'auth.sign_in'"
                          " ORDER BY seq DESC LIMIT 1) l, aegis.reveal_origin(l.seq) r")
                equal(cluster.sql(origin), "127.0.0.1|127.0.0.1|aegis-server", "origin of the sign-in")

        def refused(name, shown, authority, why):
            with report.test(name):
                with Gateway(cluster, settings(cluster, shown, authority)) as gateway:
                    client = Client(gateway)
                    said = until(lambda: [line for line in gateway.lines() if line["event"] == "database_unreachable"], 20, "a line of the log")
                    equal(client.request("GET", "/api/health").json()["status"], "down", "health")
                    client.close()
                    assert why in str(said), said
                equal(cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gateway'"), "0", "connections")
        refused("of-somebody-else", cluster.ours.issue("other", "stranger"), cluster.ours, "certificate authentication failed")
        refused("of-another-authority", cluster.others.issue("login", "gateway"), cluster.ours, "")
        refused("to-a-server-of-another-authority", login, cluster.others, "certificate verify failed")
        cluster.show(cluster.stray)
        refused("to-a-server-of-another-name", login, cluster.ours, "does not match host name")
        with report.test("nobody-without-one"):
            done = subprocess.run([f"{BIN}/psql", "-XqAt", "-c", "SELECT 1"], capture_output=True, text=True, check=False, env={
                "PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PGUSER": "gateway", "PGDATABASE": cluster.database,
                "PGSSLMODE": "require"})
            assert done.returncode != 0 and "certificate" in done.stderr, done
    report.finish()


if __name__ == "__main__":
    main()
