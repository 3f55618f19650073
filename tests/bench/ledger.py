"""What a ledger costs: the same writes without audit, with the usual audit triggers, and captured by Aegis.

One write is one transaction. "Hot" is one tenant whom all clients write for; otherwise each write picks one of
64. The trail and the chains keep old and new row as JSON, in PL/pgSQL; the chains hash every entry together
with the one before. pgaudit writes statements and parameters to the server's log."""
import json
import statistics

from lab import Cluster, tenant

TITLE = "Ledger"
PLOTS = [("ledger-1", "Insert, 1 client: transactions per second", ["insert_hot_1"]),
         ("ledger-32", "Insert, 32 clients, one hot tenant: transactions per second", ["insert_hot_32"])]
TENANTS = 64

TABLE = """
CREATE TABLE {name} (tenant_id uuid NOT NULL, id bigint NOT NULL, amount bigint NOT NULL, code text NOT NULL, note text NOT NULL,
                     PRIMARY KEY (tenant_id, id)) WITH (fillfactor = 80);
GRANT SELECT, INSERT, UPDATE ON {name} TO app;
"""
FILL = """INSERT INTO {name} SELECT t.id, g, g, 'C-' || g % 100, repeat(md5(g::text), 3)
  FROM tenants t, generate_series(1, {rows}) g"""
PEERS = """
CREATE ROLE app LOGIN;
CREATE TABLE tenants (n int PRIMARY KEY, id uuid NOT NULL);
GRANT SELECT ON tenants TO app;
"""
TRAIL = """
CREATE TABLE trail_log (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), who text NOT NULL DEFAULT session_user,
                        rel text NOT NULL, op text NOT NULL, before jsonb, after jsonb);
CREATE FUNCTION trail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO trail_log (rel, op, before, after) VALUES (TG_RELID::regclass::text, TG_OP, CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END, to_jsonb(NEW));
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON trail FOR EACH ROW EXECUTE FUNCTION trail();
"""
CHAIN = """
CREATE TABLE {name}_log (tenant_id uuid NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL, payload jsonb NOT NULL, previous bytea NOT NULL,
                         hash bytea NOT NULL, PRIMARY KEY (tenant_id, seq));
CREATE TABLE {name}_head (tenant_id uuid PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL) WITH (fillfactor = 50);
INSERT INTO {name}_head SELECT {key}, 0, sha256('') FROM tenants GROUP BY 1;
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  head record;
  payload jsonb := jsonb_build_object('op', TG_OP, 'rel', TG_RELID::regclass::text, 'who', session_user, 'at', now(), 'new', to_jsonb(NEW),
                                      'old', CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END);
  next bytea;
BEGIN
  SELECT * INTO head FROM {name}_head WHERE tenant_id = {new_key} FOR UPDATE;
  next := sha256(head.hash || convert_to(payload::text, 'UTF8'));
  INSERT INTO {name}_log VALUES (head.tenant_id, head.seq + 1, now(), payload, head.hash, next);
  UPDATE {name}_head SET seq = head.seq + 1, hash = next WHERE tenant_id = head.tenant_id;
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}();
"""
NIL = "'00000000-0000-0000-0000-000000000000'::uuid"
PGAUDIT = """
logging_collector = on
pgaudit.log = 'write'
pgaudit.log_parameter = on
pgaudit.log_catalog = off
"""

STATEMENTS = {
    "insert": "INSERT INTO {table} VALUES (:tenant, :next, 100, 'C-1', 'a note that is about as long as the others are, which is ninety-six characters in all, all told')",
    "update": "UPDATE {table} SET amount = amount + 1 WHERE tenant_id = :tenant AND id = :id",
}
VARIANTS = {  # table, title
    "none": ("none", "no audit"), "pgaudit": ("pgaudit", "pgaudit, to the server's log"), "trail": ("trail", "JSON trail, no chain"),
    "chain": ("chain", "hash chain, one head row"), "chains": ("chains", "hash chain, a head row for each tenant"),
    "aegis": ("aegis", "aegis, text sealed"), "aegis_clear": ("aegis_clear", "aegis, text in clear"),
}


def read_ids(text):
    return [line.split("|")[1] for line in text.splitlines()]


class Ledger:
    def __init__(self, lab, peers, audited, ours):
        self.lab, self.peers, self.audited, self.ours = lab, peers, audited, ours
        self.rows = 20 if lab.quick else 2000
        self.bulk = 2000 if lab.quick else 1000000
        self.run = 0

    def prepare(self):
        self.ours.sql(tenant.ROLES)
        made = self.ours.sql("\n".join(f"SELECT aegis.create_tenant('bench-{n}', 'Bench');" for n in range(TENANTS)), user="operator").splitlines()
        self.tenants = made
        rows = ", ".join(f"({n}, '{id_}')" for n, id_ in enumerate(made))
        for cluster, tables in ((self.peers, ("none", "trail", "chain", "chains")), (self.audited, ("pgaudit",)), (self.ours, ("aegis", "aegis_clear"))):
            cluster.sql(PEERS + f"INSERT INTO tenants VALUES {rows};")
            for name in tables:
                cluster.sql(TABLE.format(name=name) + FILL.format(name=name, rows=self.rows))
        self.peers.sql(TRAIL)
        self.peers.sql(CHAIN.format(name="chain", key=NIL, new_key=NIL))
        self.peers.sql(CHAIN.format(name="chains", key="id", new_key="NEW.tenant_id"))
        self.ours.sql("SELECT aegis.audit_table('aegis'); SELECT aegis.audit_table('aegis_clear', '{code, note}')")
        self.lab.facts["rows"] = f"{self.rows * TENANTS} rows of about 190 bytes in {TENANTS} tenants"
        self.rest()

    def rest(self):
        for cluster in (self.peers, self.audited, self.ours):
            cluster.sql("VACUUM ANALYZE")
            cluster.sql("CHECKPOINT")

    def of(self, name):
        return {"pgaudit": self.audited}.get(name, self.ours if name.startswith("aegis") else self.peers)

    def script(self, name, operation, hot, tenants=TENANTS):
        lines = ["\\set count :count + 1", "\\set next :start + :client_id * 1000000 + :count", f"\\set id random(1, {self.rows})"]
        text = STATEMENTS[operation].format(table=VARIANTS[name][0])
        if not hot:  # a look-up that every variant makes
            lines += [f"\\set n random(0, {tenants - 1})"]
            text = text.replace(":tenant", "(SELECT id FROM tenants WHERE n = :n)")
        return "\n".join([*lines, text + ";"]) + "\n"

    def write(self, name, operation, hot, clients, tenants=TENANTS):
        text = self.script(name, operation, hot, tenants)

        def trial():
            self.run += 1
            variables = {"count": 0, "start": 1000000000 + self.run * 100000000, "tenant": self.tenants[0]}
            return self.of(name).pgbench(text, "app", clients=clients, seconds=self.lab.seconds, variables=variables)
        return trial

    def writes(self):
        made = []
        # One tenant has one head row, so both chains are one where all write for one tenant.
        names_hot = tuple(name for name in VARIANTS if name != "chains")
        for hot, names, counts in ((True, names_hot, (1, 8, 32)), (False, ("none", "chains", "aegis"), (8, 32))):
            for operation in STATEMENTS:
                for clients in counts:
                    kind = "hot" if hot else "many"
                    where = "one hot tenant" if hot else f"{TENANTS} tenants"
                    series = self.lab.series(
                        f"{operation}_{kind}_{clients}", f"{operation.capitalize()}, {where}, {clients} client{'s' if clients > 1 else ''}", "tps", "none",
                        "transactions per second; ratios to the same write without audit", f"{operation.capitalize()}, {where}",
                        f"{clients} client{'s' if clients > 1 else ''}")
                    for name in names:
                        if name == "aegis_clear" and operation == "update":
                            continue  # its entry is the same: the column that changes is a number
                        series.variant(name, VARIANTS[name][1], self.write(name, operation, hot, clients))
                    if not hot and operation == "insert":
                        series.variant("aegis_one", "aegis, text sealed, all for one tenant", self.write("aegis", operation, hot, clients, tenants=1))
                    made.append(series)
        return made

    # Bytes: of a second pass of the same work, so that no page is written whole for its first change.
    def bytes_of(self, name):
        logs = {"trail": "trail_log", "chain": "chain_log", "chains": "chains_log"}
        cluster, text, count = self.of(name), self.script(name, "insert", True), 20 if self.lab.quick else 2000
        ours = name.startswith("aegis")
        # Tables and indexes of what an entry leaves behind, by name.
        kept = "c.relnamespace = 'aegis'::regnamespace AND c.relname ~ '^(entry|seal|tenant_log)'" if ours else f"c.relname ~ '^{logs.get(name, '-')}'"
        size = f"SELECT coalesce(json_object_agg(c.relname, pg_relation_size(c.oid)), '{{}}') FROM pg_class c WHERE c.relkind IN ('r', 'i', 't') AND {kept}"

        def trial():
            for _ in range(2):
                self.run += 1
                begun, before = cluster.sql(f"SELECT pg_current_wal_insert_lsn(); {size}").split("\n")
                cluster.pgbench(text, "app", clients=8, transactions=count, variables={
                    "count": 0, "start": 1000000000 + self.run * 100000000, "tenant": self.tenants[0]})
                if ours:
                    cluster.sql("SELECT aegis.wait_sealed()", user="operator")
                wal, after = cluster.sql(f"SELECT pg_current_wal_insert_lsn() - '{begun}'::pg_lsn; {size}").split("\n")
            before, after = json.loads(before), json.loads(after)
            grown = {relation: (after[relation] - before.get(relation, 0)) / (8 * count) for relation in after}
            return {"figure": int(wal) / (8 * count), "heap": sum(grown.values()),
                    **{relation: bytes_ for relation, bytes_ in grown.items() if ours and not self.lab.quick}}
        return trial

    def sizes(self):
        series = self.lab.series("bytes", "WAL of an insert with its entry, and what the entry takes at rest", "bytes", "none",
                                 "WAL bytes per transaction, without full-page images; heap: table and indexes of the entry; with aegis, its seal included")
        for name in ("none", "trail", "chain", "chains", "aegis", "aegis_clear"):
            series.variant(name, VARIANTS[name][1], self.bytes_of(name))
        return series

    def bulks(self):
        """One statement with many rows, then until it is sealed."""
        series = self.lab.series("bulk", f"{self.bulk} rows in one statement", "s", "none", "less is better; sealed: until the last of them is sealed, after the commit")
        insert = "INSERT INTO {table} SELECT '{tenant}', {start} + g, 1, 'C-1', repeat(md5(g::text), 3) FROM generate_series(1, {rows}) g"

        def trial(name):
            def measured():
                self.run += 1
                cluster = self.of(name)
                statement = insert.format(table=VARIANTS[name][0], tenant=self.tenants[1], start=1000000000 + self.run * 100000000, rows=self.bulk)
                seconds = cluster.timed(statement, repeat=1, warm=False) / 1000
                if not name.startswith("aegis"):
                    return seconds
                return {"figure": seconds, "sealed": cluster.timed("SELECT aegis.wait_sealed('5 min')", "operator", repeat=1, warm=False) / 1000}
            return measured
        for name in ("none", "trail", "aegis"):
            series.variant(name, VARIANTS[name][1], trial(name))
        return series

    def lag(self):
        """How long an entry waits for its seal while eight clients write as fast as they can."""
        series = self.lab.series("lag", "Time from an entry to its seal, at full load", "ms", None, "the oldest entry of each seal; 8 clients; seal interval 200 ms")
        load = self.write("aegis", "insert", True, 8)

        def trial():
            first = self.ours.sql("SELECT aegis.wait_sealed()", user="operator")
            tps = load()["figure"]
            self.ours.sql("SELECT aegis.wait_sealed()", user="operator")
            average, highest = self.ours.sql(f"""
                SELECT 1000 * avg(extract(epoch FROM lag)), 1000 * max(extract(epoch FROM lag)) FROM (
                  SELECT s.sealed_at - d."time" AS lag FROM aegis.seal_leaves l JOIN aegis.seal s ON s.number = l.seal JOIN aegis.entry e ON e.seq = l.seqs[1],
                         aegis.decode_entry(e.body) d WHERE l.seal > {first} AND l.log > 0) x""").split("|")
            return {"figure": float(highest), "average": float(average), "tps": tps}
        series.variant("aegis", "aegis, longest of all seals", trial)
        return series

    def open_writer(self):
        """A transaction that has written stays open: the sealer must not go over everything since then each time."""
        series = self.lab.series("open_writer", "One entry until it is sealed, beside a transaction that stays open", "ms", "without",
                                 "interval 200 ms included; the open transaction is older than every entry of the bulk before")
        one = self.script("aegis", "insert", True)

        def wait_once():
            self.run += 1
            self.ours.pgbench(one, "app", transactions=1, variables={"count": 0, "start": 1000000000 + self.run * 100000000, "tenant": self.tenants[0]})
            return self.ours.timed("SELECT aegis.wait_sealed('1 min')", "operator", repeat=1, warm=False)

        def wait():  # where in the interval an entry falls is chance
            return statistics.median(wait_once() for _ in range(1 if self.lab.quick else 7))

        def beside():
            with self.ours.session() as holder:
                holder("BEGIN; SELECT pg_current_xact_id();")
                self.run += 1
                self.ours.sql(f"INSERT INTO aegis_clear SELECT '{self.tenants[2]}', {1000000000 + self.run * 100000000} + g, 1, '', '' FROM generate_series(1, {self.bulk // 10}) g")
                self.ours.sql("SELECT aegis.wait_sealed('5 min')", user="operator")
                return wait()
        series.variant("without", "no open transaction", wait)
        series.variant("with", "a transaction open meanwhile", beside)
        return series

    def verification(self):
        count = int(self.ours.sql("SELECT count(*) FROM aegis.entry"))
        self.ours.sql("VACUUM ANALYZE; CREATE EXTENSION pgcrypto")
        self.lab.facts["verification"] = f"{count} entries with bodies of {self.ours.sql('SELECT round(avg(length(body))) FROM (SELECT body FROM aegis.entry LIMIT 100000) e')} bytes on average"
        series = self.lab.series("verify", "Verification", "entries/s", "scan", "the scans and hashes check nothing else; aegis.verify_ledger rebuilds every tree and chain too")

        def speed(statement, user="postgres", before=""):
            return lambda: count / self.ours.timed(statement, user, before, repeat=1, warm=False) * 1000
        serial, parallel = "SET max_parallel_workers_per_gather = 0;", "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;"
        series.variant("scan", "reading every body", speed("SELECT sum(length(body)) FROM aegis.entry", before=serial))
        series.variant("sha256", "sha256() of every body in SQL", speed("SELECT count(sha256(body)) FROM aegis.entry", before=serial))
        series.variant("digest", "pgcrypto digest() of every body", speed("SELECT count(digest(body, 'sha256')) FROM aegis.entry", before=serial))
        series.variant("digest_parallel", "pgcrypto digest(), two workers", speed("SELECT count(digest(body, 'sha256')) FROM aegis.entry", before=parallel))
        series.variant("aegis", "aegis.verify_ledger", speed("SELECT * FROM aegis.verify_ledger()", "auditor"))
        return series, count

    def proofs(self, count):
        known = self.ours.sql("SELECT to_regprocedure('aegis.inclusion_proof(uuid,bigint,bigint)') IS NOT NULL") == "t"
        if not known:
            return None
        hot = self.tenants[1]
        size = int(self.ours.sql(f"SELECT size FROM aegis.tenant_log WHERE tenant_id = '{hot}'"))
        series = self.lab.series("proof", f"Proofs in a log of {size} entries", "ms", None, "median of 100, in one session")
        for name, call in (("inclusion", f"aegis.inclusion_proof('{hot}', (random() * {size - 1})::bigint, {size})"),
                           ("consistency", f"aegis.consistency_proof('{hot}', 1 + (random() * {size - 2})::bigint, {size})")):
            series.variant(name, f"aegis.{name}_proof", lambda c=call: self.ours.timed(f"SELECT {c}", "auditor", repeat=100))
        return series

    def goals(self, made):
        lab = self.lab
        for clients, wanted in ((1, 0.85), (8, 0.9), (32, 0.9)):
            lab.goal(f"insert_{clients}", f"Audited inserts, {clients} client{'s' if clients > 1 else ''}, to unaudited", ">=", wanted,
                     made[f"insert_hot_{clients}"].ratio("aegis"), loads=(made[f"insert_hot_{clients}"], "none", "aegis"))
            lab.goal(f"update_{clients}", f"Audited updates, {clients} client{'s' if clients > 1 else ''}, to unaudited", ">=", wanted,
                     made[f"update_hot_{clients}"].ratio("aegis"), loads=(made[f"update_hot_{clients}"], "none", "aegis"))
        for clients in (8, 32):
            many = made[f"insert_many_{clients}"]
            lab.goal(f"hot_{clients}", f"One hot tenant to {TENANTS} tenants, {clients} clients", ">=", 0.9, many.ratio("aegis_one", "aegis"),
                     loads=(many, "aegis", "aegis_one"))
        sizes = made["bytes"]
        lab.goal("wal", "WAL of an entry", "<=", 600, sizes.median("aegis") - sizes.median("none"), "bytes")
        lab.goal("heap", "An entry at rest", "<=", 350, sizes.median("aegis", "heap"), "bytes")
        lab.goal("lag", "Longest wait for a seal at full load", "<=", 1000, max(made["lag"].values("aegis")), "ms", loads=(made["lag"], "aegis"))
        lab.goal("bulk", f"{self.bulk} entries of one statement sealed after", "<=", 10, made["bulk"].median("aegis", "sealed"), "s", loads=(made["bulk"], "aegis"))
        lab.goal("open_writer", "Seal time beside an open transaction, to without", "<=", 1.5, made["open_writer"].ratio("with"),
                 loads=(made["open_writer"], "without", "with"))
        lab.goal("verify", "Verification", ">=", 1500000, made["verify"].median("aegis"), "entries/s", loads=(made["verify"], "aegis"))
        proof = made.get("proof")
        lab.goal("proof", proof.title if proof else "Proofs", "<=", 5, max(proof.median("inclusion"), proof.median("consistency")) if proof else None, "ms",
                 reason="this build has no proofs in SQL")


def run(lab):
    with Cluster(preload="", extensions=()) as peers, Cluster(preload="pgaudit", extensions=("pgaudit",), extra=PGAUDIT) as audited, Cluster() as ours:
        lab.say("loading")
        area = Ledger(lab, peers, audited, ours)
        area.prepare()
        made = area.writes() + [area.sizes(), area.lag(), area.open_writer(), area.bulks()]
        lab.measure(made, lambda number: area.rest())
        verify, count = area.verification()
        after = [series for series in (verify, area.proofs(count)) if series is not None]
        lab.measure(after)
        area.goals({series.name: series for series in made + after})
        lab.explain()
