"""What a database that does not use Aegis pays for the library being loaded: instructions of its backends, counted by valgrind, which
neither neighbours nor the clock change, beside a server without the library. A figure is what one transaction more takes."""
import glob
import os
import re
import time

from fixture.process import run as run_program
from fixture.process import write
from lab import Cluster
from lab.cluster import BIN

TITLE = "Databases without Aegis"
PLOTS = []

SETUP = """
CREATE SCHEMA own;
CREATE TABLE own.item (tenant_id uuid NOT NULL, id int, body text, PRIMARY KEY (tenant_id, id));
INSERT INTO own.item SELECT '00000000-0000-0000-0000-000000000001', n, 'body of ' || n FROM generate_series(1, 1000) n;
ALTER TABLE own.item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON own.item USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE FUNCTION own.double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n * 2;
CREATE FUNCTION own.lower_of(t text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN lower(t); END';
CREATE FUNCTION own.work(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE total int := 0;
BEGIN
  FOR i IN 1..n LOOP total := total + own.double(i) + length(own.lower_of('ABC')) + abs(i); END LOOP;
  RETURN total;
END $$;
ANALYZE;
"""
SELECT = "\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
WRITE = """\\set aid random(1, 100000)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = 1;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""
POLICY = """\\set id random(1, 1000)
BEGIN;
SELECT set_config('app.tenant', '00000000-0000-0000-0000-000000000001', true);
SELECT body FROM own.item WHERE id = :id;
UPDATE own.item SET body = 'changed' WHERE id = :id;
END;
"""
FUNCTIONS = """SELECT own.work(20), upper(lower('A')), length(repeat('x', 10)), coalesce(nullif(1, 2), 3), md5('a'), to_char(now(), 'YYYY'), abs(-1), round(2.5),
  (SELECT count(own.double(n)) FROM generate_series(1, 20) n);
"""
DDL = """BEGIN;
CREATE TABLE own.made (tenant_id uuid, id serial PRIMARY KEY, n int DEFAULT 5 CHECK (n > 0), body text);
ALTER TABLE own.made ADD added timestamptz DEFAULT now(), ALTER n SET NOT NULL;
CREATE INDEX ON own.made (n);
CREATE TABLE own.child (made int REFERENCES own.made, LIKE own.item);
CREATE VIEW own.shown AS SELECT id, n FROM own.made WHERE n > 1;
CREATE FUNCTION own.made_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM own.made';
CREATE FUNCTION own.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touch BEFORE INSERT ON own.made FOR EACH ROW EXECUTE FUNCTION own.touch();
CREATE POLICY p ON own.made USING (n > 1);
GRANT SELECT ON own.made TO PUBLIC;
COMMENT ON TABLE own.made IS 'made';
INSERT INTO own.made (n) VALUES (1), (2);
TRUNCATE own.child;
DROP FUNCTION own.made_count();
DROP TABLE own.made, own.child CASCADE;
DROP FUNCTION own.touch();
END;
"""
# name, title, script, transactions that a figure is taken over
WORK = [("select", "Read of one row (pgbench -S)", SELECT, 800), ("write", "Reads and writes (tpcb-like)", WRITE, 300),
        ("policy", "Own row security", POLICY, 300), ("functions", "Calls of functions", FUNCTIONS, 200), ("ddl", "DDL", DDL, 40)]
PROTOCOLS = {"simple": "simple protocol", "prepared": "prepared"}
GOAL = 1.01


class Counted(Cluster):
    """A cluster whose processes say how many instructions they took when they end."""

    counting = False

    def command(self):
        # A backend is a fork: what its parent had counted before is not collected.
        count = ["valgrind", "--tool=callgrind", "--toggle-collect=PostgresMain", "--trace-children=yes", f"--callgrind-out-file={self.folder}/count.%p", "-q"]
        return [*count, *super().command()] if self.counting else super().command()

    def count(self):
        """Restarted, so that what prepares the data is not slowed."""
        self.stop()
        self.counting = True
        self.start()

    def instructions(self, script, transactions, protocol):
        """Of the backends of one run of pgbench, its short first connection among them."""
        path = os.path.join(self.folder, "script.sql")
        write(path, script)
        begun = os.path.getsize(self.log)
        run_program([f"{BIN}/pgbench", "-n", "-M", protocol, "-h", self.folder, "-U", "app", "-f", path, "-c", "1", "-t", str(transactions),
             "--random-seed=7", self.database])
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(begun)
            pids = re.findall(r"\[(\d+)\] app@\S+ LOG:  connection authorized", file.read())
        total, deadline = 0, time.monotonic() + 60
        for pid in pids:
            found = None
            while not found:
                for name in glob.glob(f"{self.folder}/count.{pid}"):
                    with open(name, encoding="utf-8", errors="replace") as file:
                        found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
                if not found and time.monotonic() > deadline:
                    raise RuntimeError(f"backend {pid} left no count")
                time.sleep(0 if found else 0.05)
            total += int(found.group(1))
        if len(pids) != 2:
            raise RuntimeError(f"{len(pids)} connections of pgbench")
        return total

    def per_transaction(self, script, transactions, protocol):
        few = max(1, transactions // 10)
        more = self.instructions(script, few + transactions, protocol) - self.instructions(script, few, protocol)
        return more / transactions


def prepare(cluster):
    cluster.sql("CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE bench TO app; GRANT CREATE ON SCHEMA public TO app")
    run_program([f"{BIN}/pgbench", "-q", "-i", "-h", cluster.folder, "-U", "app", cluster.database])
    cluster.sql(SETUP, user="app")
    cluster.sql("VACUUM ANALYZE")
    cluster.count()
    cluster.instructions("SELECT 1;\n", 1, "simple")  # the first connection fills files that all later ones read


def run_area(lab, plain, loaded):
    clusters = {"plain": plain, "loaded": loaded}
    titles = {"plain": "without the library", "loaded": "with the library loaded"}
    made = []
    for name, title, script, transactions in WORK:
        for protocol, words in PROTOCOLS.items():
            series = lab.series(f"{name}_{protocol}", f"{title}, {words}", "instructions", "plain", "instructions of one transaction; less is better",
                                title, words)
            for kind, cluster in clusters.items():
                series.variant(kind, titles[kind], lambda c=cluster, s=script, t=4 if lab.quick else transactions, p=protocol: c.per_transaction(s, t, p))
            made.append(series)
    connect = lab.series("connect", "Connection with one statement", "instructions", "plain", "instructions of one connection; less is better")
    for kind, cluster in clusters.items():
        connect.variant(kind, titles[kind], lambda c=cluster: c.instructions("SELECT 1;\n", 1, "simple") / 2)
    lab.measure([*made, connect])
    for series in [*made, connect]:
        lab.goal(f"bystander_{series.name}", f"{series.title}, in a database without Aegis: instructions to the same without the library",
                 "<=", GOAL, series.ratio("loaded"))


def run(lab):
    lab.rounds = 1  # instructions are counted: another round says the same
    log = "log_connections = on\n"
    with Counted(preload="", extensions=(), extra=log, buffers="32MB") as plain, Counted(extensions=(), extra=log, buffers="32MB") as loaded:
        lab.say("loading")
        prepare(plain)
        prepare(loaded)
        run_area(lab, plain, loaded)
