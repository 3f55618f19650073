"""What encryption of fields costs: a value at a time above the scan of the same rows, beside pgcrypto in a
cluster of its own and OpenSSL in a loop without a database."""
import os
import re
import shutil
import subprocess

from fixture.process import ROOT, as_user, environment, run as run_program

from lab import Cluster, tenant
from lab.cluster import place
from lab.load import TICKS, tree

TITLE = "Encrypted fields"
KEY = "\\x" + bytes(range(32)).hex()
VALUES = {32: "md5(g::text)", 256: "repeat(md5(g::text), 8)"}
ADDRESS = "format('person%s@an-example-firm.example', 1000000 + g)"  # 38 bytes
ADDRESS_OF_N = ADDRESS.replace("1000000 + g", "(:n)::int")

PLOTS = [("seal", "Encrypting a value of 32 bytes: microseconds, logarithmic", ["seal32"]),
         ("open", "Decrypting a value of 32 bytes: microseconds, logarithmic", ["open32"])]
# Peers: title, expression over v of a plain table, or over the column of peer.sealed that decrypts; whether slow.
ENCRYPT = {
    "pgp": ("pgcrypto pgp_sym_encrypt, as it comes", "pgp_sym_encrypt(v, 'a secret')", True),
    "pgp_cheap": ("pgcrypto pgp_sym_encrypt, cheapest", "pgp_sym_encrypt(v, 'a secret', 'cipher-algo=aes256, s2k-mode=0, compress-algo=0')", True),
    "aes_cbc": ("pgcrypto AES-CBC, random IV, no authentication", "encrypt_iv(v::bytea, '{key}', gen_random_bytes(16), 'aes-cbc')", False),
    "hmac": ("pgcrypto HMAC-SHA256 (a blind index alone)", "hmac(v, 'a secret', 'sha256')", False),
}
DECRYPT = {
    "pgp": ("pgcrypto pgp_sym_decrypt, as it comes", "pgp_sym_decrypt(pgp, 'a secret')", True),
    "pgp_cheap": ("pgcrypto pgp_sym_decrypt, cheapest", "pgp_sym_decrypt(pgp_cheap, 'a secret')", True),
    "aes_cbc": ("pgcrypto AES-CBC, no authentication", "decrypt_iv(substr(aes_cbc, 17), '{key}', substr(aes_cbc, 1, 16), 'aes-cbc')", False),
}
PEERS = """
CREATE EXTENSION pgcrypto;
CREATE TABLE plain{size} AS SELECT g AS id, {value} AS v FROM generate_series(1, {rows}) g;
CREATE TABLE sealed{size} AS
  SELECT g AS id, iv || encrypt_iv(({value})::bytea, '{key}', iv, 'aes-cbc') AS aes_cbc,
         CASE WHEN g <= {slow} THEN pgp_sym_encrypt({value}, 'a secret') END AS pgp,
         CASE WHEN g <= {slow} THEN pgp_sym_encrypt({value}, 'a secret', 'cipher-algo=aes256, s2k-mode=0, compress-algo=0') END AS pgp_cheap
    FROM generate_series(1, {rows}) g, LATERAL (SELECT gen_random_bytes(16 + g % 1) AS iv) r;
"""
OURS = """
CREATE SCHEMA ours;
GRANT USAGE ON SCHEMA ours TO aegis_member, aegis_operator;
CREATE TABLE ours.{name} (tenant_id uuid NOT NULL, id bigint NOT NULL, v {type}, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('ours.{name}', created_by => false, team => false);
SELECT aegis.unaudit_table('ours.{name}');
SELECT aegis.encrypt_column('ours.{name}', 'v', 'bench.{name}', '{type}', 'email');
SELECT aegis.set_reveal_policy('bench.{name}', 4::smallint, 'full');
INSERT INTO ours.{name} SELECT '{tenant}', g, {value} FROM generate_series(1, {rows}) g;
CREATE TABLE ours.plain_{name} AS SELECT g AS id, {value} AS v FROM generate_series(1, {rows}) g;
GRANT SELECT, INSERT, DELETE ON ours.{name}, ours.plain_{name} TO aegis_member, aegis_operator;
"""
LOOKUPS = """
CREATE TABLE ours.lookup (tenant_id uuid NOT NULL, id bigint NOT NULL, plain text, sealed aegis.sealed_email, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('ours.lookup', created_by => false, team => false);
SELECT aegis.unaudit_table('ours.lookup');
SELECT aegis.encrypt_column('ours.lookup', 'sealed', 'bench.lookup', 'aegis.sealed_email', 'email');
INSERT INTO ours.lookup SELECT '{tenant}', g, {value}, {value} FROM generate_series(1, {rows}) g;
CREATE INDEX ON ours.lookup (tenant_id, plain);
CREATE INDEX ON ours.lookup (tenant_id, sealed);
GRANT SELECT ON ours.lookup TO aegis_member;
"""
# The same rows, sealed once by Aegis, and as bytes of their length without it.
RESEAL = """
CREATE TABLE ours.old (tenant_id uuid NOT NULL, id bigint NOT NULL, v aegis.sealed_text, PRIMARY KEY (tenant_id, id)) WITH (fillfactor = 50);
SELECT aegis.protect_table('ours.old', created_by => false, team => false);
SELECT aegis.unaudit_table('ours.old');
SELECT aegis.encrypt_column('ours.old', 'v', 'bench.old', 'aegis.sealed_text', 'full');
INSERT INTO ours.old SELECT '{other}', g, {value} FROM generate_series(1, {rows}) g;
"""
UPDATED = """
CREATE TABLE old (tenant_id uuid NOT NULL, id bigint NOT NULL, v bytea, PRIMARY KEY (tenant_id, id)) WITH (fillfactor = 50);
INSERT INTO old SELECT '{other}', g, decode(repeat(md5(g::text), 4), 'hex') || '\\x00112233445566778899aabbccddeeff00112233445566778899aabb' FROM generate_series(1, {rows}) g;
"""
FLOOR = {
    "nonce": "a random nonce of 12 bytes alone", "gcm_seal": "AES-256-GCM, a random nonce each",
    "gcm_seal_pooled": "AES-256-GCM, nonces drawn in batches", "gcm_open": "AES-256-GCM, open",
    "xaes_seal_pooled": "XAES-256-GCM (what Aegis does), nonces in batches", "xaes_open": "XAES-256-GCM, open",
    "hmac": "HMAC-SHA256, one shot",
}


class Floor:
    """The compiled loop; one run gives every figure, so the variants of a round share it."""

    def __init__(self, lab):
        self.lab, self.folder, self.known = lab, place(), {}
        self.program = os.path.join(self.folder, "evp_floor")
        run_program(["cc", "-O2", "-o", self.program, os.path.join(ROOT, "tests", "bench", "evp_floor.c"), "-lcrypto"])

    def measure(self, _):
        said = run_program([self.program, "10" if self.lab.quick else "300"])
        self.known = {(name, int(size)): float(ns) / 1000 for name, size, ns in re.findall(r"(\w+) (\d+) ([0-9.]+)", said)}

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Encryption:
    def __init__(self, lab, peers, ours, floor):
        self.lab, self.peers, self.ours, self.floor = lab, peers, ours, floor
        self.rows, self.slow = (4000, 100) if lab.quick else (300000, 5000)

    def prepare(self):
        for size, value in VALUES.items():
            text = PEERS if size == 32 else PEERS.replace("CREATE EXTENSION pgcrypto;", "")
            self.peers.sql(text.format(size=size, value=value, key=KEY, rows=self.rows, slow=self.slow))
        self.peers.sql("VACUUM ANALYZE")
        self.ours.sql(tenant.ROLES)
        self.tenant, _ = tenant.create(self.ours)
        self.token = tenant.sign_in(self.ours)
        for name, type_, value in (("text32", "aegis.sealed_text", VALUES[32]), ("text256", "aegis.sealed_text", VALUES[256]),
                                   ("mail", "aegis.sealed_email", ADDRESS), ("mailtext", "aegis.sealed_text", ADDRESS)):
            text = OURS if name == "text32" else OURS.replace("CREATE SCHEMA ours;", "")
            self.ours.sql(text.format(name=name, type=type_, value=value, rows=self.rows, tenant=self.tenant))
        self.ours.sql(LOOKUPS.format(tenant=self.tenant, value=ADDRESS, rows=self.rows // 4))
        self.other = self.ours.sql("SELECT aegis.create_tenant('other', 'Other')", user="operator")
        size = {"other": self.other, "value": VALUES[32], "rows": self.rows}
        self.ours.sql(RESEAL.format(**size))
        self.peers.sql(UPDATED.format(**size))
        self.ours.sql("VACUUM ANALYZE")
        self.reference = {name: self.ours.sql(f"SELECT reference FROM aegis.field WHERE name = 'bench.{name}'")
                          for name in ("text32", "text256", "mail", "mailtext")}
        self.lab.facts["rows"] = f"{self.rows} values in one session, no parallel query; {self.slow} where a value takes long"

    def cost(self, cluster, table, expression, column, slow=False, user="postgres", before="", after=""):
        """Microseconds per value: the time of the call over all rows, less the time of reading them."""
        rows = self.slow if slow else self.rows
        source = f"(SELECT * FROM {table} LIMIT {rows}) s"
        repeat = 1 if slow else 3

        def timed(what):
            return cluster.measured(f"SELECT count(pg_column_size({what})) FROM {source}", user, before, after, repeat)

        def alone(what):  # of one value, for the profile
            figures = timed(what)
            return {"figure": figures["figure"], "server_us": figures["server_us"] / rows}

        def trial():
            scan, whole = timed(column)["figure"], timed(expression)["figure"]
            return (whole - scan) * 1000 / rows
        trial.loads = (("the scan alone", lambda: alone(column)), ("the scan with the call", lambda: alone(expression)))
        return trial

    def of_floor(self, series, names, size):
        for name in names:
            series.variant(f"floor_{name}", f"OpenSSL alone: {FLOOR[name]}", lambda n=name: self.floor.known[n, size])

    def in_context(self):
        return {"user": "member", "before": f"BEGIN; SELECT aegis.authenticate('{self.token}');", "after": "COMMIT;"}

    def seal(self, size):
        series = self.lab.series(f"seal{size}", f"Encrypting a value of {size} bytes", "µs", "aes_cbc",
                                 "microseconds per value above the scan; less is better; ratios to pgcrypto's AES-CBC",
                                 "Encrypting a value", f"{size} bytes, µs")
        series.variant("copy", "a built-in function that copies (btrim)", self.cost(self.peers, f"plain{size}", "btrim(v)", "v"))
        for name, (title, expression, slow) in ENCRYPT.items():
            series.variant(name, title, self.cost(self.peers, f"plain{size}", expression.format(key=KEY), "v", slow))
        reference = self.reference[f"text{size}"]
        series.variant("aegis", "aegis.seal_text", self.cost(
            self.ours, f"ours.plain_text{size}", f"aegis.seal_text(v, {reference}, '{self.tenant}')", "v", user="operator"))
        self.of_floor(series, ("nonce", "gcm_seal", "gcm_seal_pooled", "xaes_seal_pooled"), size)
        return series

    def open(self, size):
        series = self.lab.series(f"open{size}", f"Decrypting a value of {size} bytes", "µs", "aes_cbc",
                                 "microseconds per value above the scan; less is better; ratios to pgcrypto's AES-CBC",
                                 "Decrypting a value", f"{size} bytes, µs")
        for name, (title, expression, slow) in DECRYPT.items():
            series.variant(name, title, self.cost(self.peers, f"sealed{size}", expression.format(key=KEY), name, slow))
        for name, what in (("reveal", "aegis.reveal"), ("masked", "aegis.masked"), ("legible", "aegis.legible")):
            series.variant(name, what, self.cost(self.ours, f"ours.text{size}", f"{what}(v)", "v", **self.in_context()))
        self.of_floor(series, ("gcm_open", "xaes_open"), size)
        return series

    def searchable(self):
        series = self.lab.series("searchable", "An e-mail address of 38 bytes, searchable", "µs", "seal_text",
                                 "microseconds per value above the scan; the difference is the blind index")
        for kind, name in (("text", "mailtext"), ("email", "mail")):
            series.variant(f"seal_{kind}", f"aegis.seal_{kind}", self.cost(
                self.ours, f"ours.plain_{name}", f"aegis.seal_{kind}(v, {self.reference[name]}, '{self.tenant}')", "v", user="operator"))
        for kind, name in (("text", "mailtext"), ("email", "mail")):
            series.variant(f"reveal_{kind}", f"aegis.reveal of a sealed_{kind}", self.cost(
                self.ours, f"ours.{name}", "aegis.reveal(v)", "v", **self.in_context()))
        return series

    def lookup(self):
        series = self.lab.series("lookup", "Look-up by equality on an indexed column", "lookups/s", "plain",
                                 "50 in a transaction, one session; more is better")
        for name, column, value in (("plain", "plain", ":address"), ("sealed", "sealed", ":address::aegis.sealed_email")):
            lines = ["BEGIN;", "SELECT aegis.authenticate(:token);"]
            for _ in range(50):
                lines += ["\\set n random(1000001, 1000000 + :rows)",
                          f"SELECT id FROM ours.lookup WHERE tenant_id = :tenant AND {column} = {value.replace(':address', ADDRESS_OF_N)};"]
            text = "\n".join(lines + ["COMMIT;"]) + "\n"
            series.variant(name, {"plain": "plain text", "sealed": "aegis.sealed_email"}[name], lambda t=text: 50 * self.ours.pgbench(
                t, "member", seconds=self.lab.seconds, variables={"token": self.token, "tenant": self.tenant, "rows": self.rows // 4})["figure"])
        return series

    def stored(self):
        series = self.lab.series("stored", "Stored bytes of a value", "bytes", "plain32", "without the header of the row")

        def size(cluster, table, column):
            return lambda: float(cluster.sql(f"SELECT avg(pg_column_size({column})) FROM {table} WHERE {column} IS NOT NULL"))
        for bytes_ in VALUES:
            series.variant(f"plain{bytes_}", f"plain, {bytes_} bytes", size(self.peers, f"plain{bytes_}", "v"))
            for name in ("pgp", "pgp_cheap", "aes_cbc"):
                series.variant(f"{name}{bytes_}", f"{DECRYPT[name][0]}, {bytes_} bytes", size(self.peers, f"sealed{bytes_}", name))
            series.variant(f"aegis{bytes_}", f"aegis.sealed_text, {bytes_} bytes", size(self.ours, f"ours.text{bytes_}", "v"))
        return series

    def reseal(self):
        """The processor's time of a whole cluster, its workers included, for a key's rotation and what follows, until all rows are
        sealed under the new one; and of the same rows written once more without sealing."""
        series = self.lab.series("reseal", "A tenant's rows sealed anew under the next key", "s", "update",
                                 "seconds of the processor for a million rows; the difference is the cost beside heap and WAL")

        def of(cluster, work):
            def trial():
                cluster.sql("VACUUM ours.old" if cluster is self.ours else "VACUUM old")
                cluster.sql("CHECKPOINT")
                before = tree(cluster.process.pid)
                work()
                return max(1, tree(cluster.process.pid) - before) / TICKS * 1e6 / self.rows  # a tick is the least that can be seen
            return trial

        def rotate():
            epoch, job = self.ours.sql(f"SELECT epoch, job FROM aegis.rotate_tenant_key('{self.other}', 'benchmark')", user="operator").split("|")
            state = self.ours.sql(f"SELECT aegis.wait_job('{job}', '10 min')", user="operator")
            left = self.ours.sql(f"SELECT count(*) FROM ours.old WHERE aegis.key_epoch(v) <> {epoch}")
            if state != "done" or left != "0":
                raise RuntimeError(f"the job is {state}, {left} rows have another epoch than {epoch}")
        series.variant("update", "UPDATE of as many bytes, not sealed", of(self.peers, lambda: self.peers.sql("UPDATE old SET v = substr(v, 1, 79) || '\\x77'")))
        series.variant("aegis", "rotation and reseal job", of(self.ours, rotate))
        return series

    def goals(self, made):
        lab, seal, open_ = self.lab, made["seal32"], made["open32"]
        lab.goal("seal", "Seal a value of 32 bytes", "<=", 0.6, seal.median("aegis"), "µs", loads=(seal, "aegis"))
        lab.goal("reveal", "Reveal a value of 32 bytes", "<=", 0.5, open_.median("reveal"), "µs", loads=(open_, "reveal"))
        lab.goal("pgp", "Times faster than pgp_sym_encrypt as it comes", ">=", 150, 1 / seal.ratio("aegis", "pgp"), loads=(seal, "aegis"))
        pairs = zip(made["searchable"].values("seal_email"), made["searchable"].values("seal_text"))
        lab.goal("blind_index", "Blind index on top of sealing", "<=", 0.4, sorted(a - b for a, b in pairs)[lab.rounds // 2], "µs",
                 loads=(made["searchable"], "seal_email"))
        lab.goal("reseal", "A million rows sealed anew, beside heap and WAL", "<=", 5,
                 made["reseal"].median("aegis") - made["reseal"].median("update"), "s", loads=(made["reseal"], "update", "aegis"))
        lab.goal("lookup", "Look-up by equality, times the cost of plain text", "<=", 1.3, 1 / made["lookup"].ratio("sealed"),
                 loads=(made["lookup"], "plain", "sealed"))


def run(lab):
    floor = Floor(lab)
    try:
        serial = "max_parallel_workers_per_gather = 0\n"
        with Cluster(preload="", extensions=(), extra=serial) as peers, Cluster(extra=serial + "aegis.reseal_rate = 0\n") as ours:
            lab.say("loading")
            area = Encryption(lab, peers, ours, floor)
            area.prepare()
            made = [area.seal(32), area.open(32), area.seal(256), area.open(256), area.searchable(), area.lookup(), area.reseal(), area.stored()]
            lab.measure(made, floor.measure)
            area.goals({series.name: series for series in made})
            lab.explain()
    finally:
        floor.close()
