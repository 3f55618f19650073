#!/usr/bin/env python3
"""A hot standby answers public reads while it keeps up, and nothing else ever: who is signed in, only the primary knows."""
import os
import sys

sys.dont_write_bytecode = True
from fixture import LOGIN, Client, Cluster, Gateway, Report  # noqa: E402
from fixture.cluster import BIN  # noqa: E402
from fixture.process import run  # noqa: E402
from fixture.report import equal, until  # noqa: E402

READ = "/api/openapi.json"


class Pair(Cluster):
    """A primary, and a standby beside it on another port."""

    def configuration(self, keyring):
        return super().configuration(keyring) + "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\nwal_receiver_status_interval = 1s\n"

    def make(self):
        super().make()
        with open(os.path.join(self.data, "pg_hba.conf"), "a", encoding="utf-8") as file:
            file.write("local replication all peer map=test\n")

    def make_standby(self):
        self.standby, self.standby_log = os.path.join(self.folder, "standby"), os.path.join(self.folder, "standby.log")
        run([f"{BIN}/pg_basebackup", "-h", self.folder, "-U", "postgres", "-D", self.standby, "-R", "-X", "stream", "-c", "fast"])
        with open(os.path.join(self.standby, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write("port = 5433\n")
        self.start_standby()

    def start_standby(self):
        run([f"{BIN}/pg_ctl", "start", "-w", "-t", "60", "-D", self.standby, "-l", self.standby_log])

    def stop_standby(self):
        run([f"{BIN}/pg_ctl", "stop", "-w", "-t", "60", "-m", "immediate", "-D", self.standby])

    def there(self, text, user="postgres"):
        return run([f"{BIN}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", "5433", "-U", user, "-d", self.database, "-c", text]).strip()

    def __exit__(self, *arguments):
        if os.path.exists(os.path.join(getattr(self, "standby", "/nonexistent"), "postmaster.pid")):
            self.stop_standby()
        super().__exit__(*arguments)

    def answered(self):
        """Requests that the primary and the standby have answered."""
        counts = []
        for log in (self.log, self.standby_log):
            with open(log, encoding="utf-8", errors="replace") as file:
                counts.append(sum("aegis_handle: SELECT" in line for line in file))
        return counts


def asked(cluster, act):
    """What the two have answered because of it."""
    before = cluster.answered()
    act()
    after = until(lambda: cluster.answered() if cluster.answered() != before else None, what="the log")
    return [b - a for a, b in zip(before, after)]


def main():
    report = Report("replica")
    with Pair() as cluster:
        cluster.make_standby()
        with Gateway(cluster, {"replica": {"socket": cluster.folder, "port": 5433, "max_lag_seconds": 1}}) as gateway:
            client = Client(gateway)

            def read():
                equal(client.request("GET", READ).status, 200, "status")

            def used(wanted):
                until(lambda: any(line["event"] == wanted for line in gateway.lines()[mark:]), 20, wanted)
            mark = 0
            used("replica_used")
            with report.test("a-public-read-is-the-standby's"):
                equal(asked(cluster, read), [0, 1], "primary, standby")
                equal(client.request("GET", READ).json(), client.request("GET", READ).json(), "the same document")
            with report.test("everything-else-is-the-primary's"):
                equal(asked(cluster, lambda: client.sign_in(LOGIN)), [1, 0], "a sign-in")
                for method, path, body, status in (("GET", "/api/session", None, 200), ("GET", "/api/organisation", None, 200), ("POST", "/api/customers", {"name": "A"}, 201),
                                                   ("GET", "/api/sign-up", None, 200)):
                    equal(asked(cluster, lambda m=method, p=path, b=body, s=status: equal(client.request(m, p, b).status, s, p)), [1, 0], path)
            with report.test("and-the-standby-would-refuse-it"):
                until(lambda: cluster.there("SELECT count(*) FROM aegis.session WHERE ended_at IS NULL") == "1", what="the session, there")
                token = f"'{{authorization,Bearer {client.token}}}'"
                for path in ("/api/session", "/api/organisation"):
                    equal(cluster.there(f"SELECT status FROM aegis.handle('GET', '{path}', {token}, NULL, NULL, NULL)", user="gateway"), "503", path)
                equal(cluster.there(f"SELECT status FROM aegis.handle('GET', '{READ}', '{{}}', NULL, NULL, NULL)", user="gateway"), "200", READ)
            with report.test("one-that-lags-is-left-out"):
                mark = len(gateway.lines())
                cluster.there("SELECT pg_wal_replay_pause()")
                until(lambda: cluster.there("SELECT pg_get_wal_replay_pause_state()") == "paused", what="the pause")

                def fallen_back():
                    cluster.sql("SELECT pg_logical_emit_message(false, 'test', 'x'); SELECT pg_switch_wal()")
                    return any(line["event"] == "replica_left_out" for line in gateway.lines()[mark:])
                until(fallen_back, 20, "the lag")
                equal(asked(cluster, read), [1, 0], "primary, standby")
                mark = len(gateway.lines())
                cluster.there("SELECT pg_wal_replay_resume()")
                used("replica_used")
                equal(asked(cluster, read), [0, 1], "primary, standby")
            with report.test("one-that-is-gone-is-not-missed"):
                mark = len(gateway.lines())
                cluster.stop_standby()
                equal(asked(cluster, read), [1, 0], "primary, standby")
                used("replica_left_out")
                mark = len(gateway.lines())
                cluster.start_standby()
                used("replica_used")
                equal(asked(cluster, read), [0, 1], "primary, standby")
            with report.test("one-that-lost-its-primary-is-left-out"):
                mark = len(gateway.lines())
                cluster.stop("immediate")
                used("replica_left_out")
                equal(client.request("GET", READ).status, 503, "status")
                cluster.start()
                mark = len(gateway.lines())
                used("replica_used")
                equal(until(lambda: client.request("GET", READ).status == 200, 20, "an answer"), True, "status")
            client.close()
    report.finish()


if __name__ == "__main__":
    main()
