"""What a ledger costs: the same writes without audit, with the usual audit triggers, and captured by Aegis.

One write is one transaction. "Hot" is one tenant whom all clients write for; otherwise each write picks one of
64. The trail and the chains keep old and new row as JSON, in PL/pgSQL; the chains hash every entry together
with the one before. The triggers, tables and indexes like those of supa_audit and of pgMemento are written after them, in PL/pgSQL.
pgaudit writes statements and parameters to the server's log. The peers have clusters without Aegis; what its library costs a
table that is not audited is a row of its own. The floor is a row and an index entry of an entry's size, by a trigger in C that does
nothing else: what PostgreSQL itself takes for whatever is kept of a change."""
import json
import os
import statistics

from fixture.cluster import BIN
from fixture.process import ROOT, run as run_program

from lab import Cluster, Load, tenant

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
# As supa_audit 0.3 does it: rows are named by a UUID made of the table and its key, and the log has five indexes.
SUPA = """
CREATE EXTENSION "uuid-ossp";
CREATE TABLE supa_log (id bigserial PRIMARY KEY, record_id uuid, old_record_id uuid, op text NOT NULL, ts timestamptz NOT NULL DEFAULT now(),
                       table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL, record jsonb, old_record jsonb,
                       CHECK (coalesce(record_id, old_record_id) IS NOT NULL));
CREATE INDEX ON supa_log (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX ON supa_log (old_record_id) WHERE old_record_id IS NOT NULL;
CREATE INDEX ON supa_log USING brin (ts);
CREATE INDEX ON supa_log (table_oid);
CREATE FUNCTION supa_key(entity oid) RETURNS text[] STABLE SECURITY DEFINER LANGUAGE sql AS $$
  SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') FROM pg_index i
    JOIN pg_attribute a ON i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = $1 AND i.indisprimary $$;
CREATE FUNCTION supa_id(entity oid, key text[], rec jsonb) RETURNS uuid STABLE LANGUAGE sql AS $$
  SELECT CASE WHEN rec IS NOT NULL THEN (SELECT uuid_generate_v5('fd62bc3d-8d6e-43c2-919c-802ba3762271',
    (jsonb_build_array(to_jsonb($1)) || jsonb_agg($3 ->> k))::text) FROM unnest($2) k) END $$;
CREATE FUNCTION supa() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  key text[] := supa_key(TG_RELID);
  new_row jsonb := to_jsonb(NEW);
  old_row jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
BEGIN
  INSERT INTO supa_log (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
  SELECT supa_id(TG_RELID, key, new_row), supa_id(TG_RELID, key, old_row), TG_OP, TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, new_row, old_row;
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON supa FOR EACH ROW EXECUTE FUNCTION supa();
"""
# As pgMemento 0.7 does it: a row for the transaction, one for the statement, one for each row with what changed; rows have a number.
MEMENTO = """
ALTER TABLE memento ADD COLUMN audit_id bigserial UNIQUE;
GRANT USAGE ON SEQUENCE memento_audit_id_seq TO app;
CREATE TABLE memento_transaction_log (id serial PRIMARY KEY, txid_time timestamptz NOT NULL, process_id int NOT NULL, user_name text NOT NULL,
                                      client_name text, client_port int, application_name text, session_info jsonb);
CREATE UNIQUE INDEX ON memento_transaction_log (txid_time, process_id);
CREATE TABLE memento_event_log (id serial PRIMARY KEY, transaction_id int NOT NULL REFERENCES memento_transaction_log, stmt_time timestamptz NOT NULL,
                                op_id smallint NOT NULL, table_operation text, schema_name text NOT NULL, table_name text NOT NULL, event_key text NOT NULL UNIQUE);
CREATE INDEX ON memento_event_log (transaction_id);
CREATE TABLE memento_row_log (id bigserial PRIMARY KEY, audit_id bigint NOT NULL, event_key text NOT NULL, old_data jsonb, new_data jsonb);
CREATE INDEX ON memento_row_log (audit_id);
CREATE INDEX ON memento_row_log (event_key);
CREATE INDEX ON memento_row_log USING gin (old_data);
CREATE INDEX ON memento_row_log USING gin (new_data);
CREATE FUNCTION memento_key(op text, rel oid) RETURNS text STABLE LANGUAGE sql AS $$
  SELECT concat_ws(';', extract(epoch FROM now()), extract(epoch FROM statement_timestamp()), txid_current(), op, rel) $$;
CREATE FUNCTION memento_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  made int;
BEGIN
  INSERT INTO memento_transaction_log (txid_time, process_id, user_name, client_name, client_port, application_name)
  VALUES (now(), pg_backend_pid(), session_user, inet_client_addr()::text, inet_client_port(), current_setting('application_name'))
  ON CONFLICT (txid_time, process_id) DO NOTHING RETURNING id INTO made;
  IF made IS NULL THEN
    SELECT id INTO made FROM memento_transaction_log WHERE txid_time = now() AND process_id = pg_backend_pid();
  END IF;
  INSERT INTO memento_event_log (transaction_id, stmt_time, op_id, table_operation, schema_name, table_name, event_key)
  VALUES (made, statement_timestamp(), CASE TG_OP WHEN 'INSERT' THEN 3 ELSE 4 END, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME, memento_key(TG_OP, TG_RELID))
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE FUNCTION memento_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO memento_row_log (audit_id, event_key, new_data) VALUES (NEW.audit_id, memento_key(TG_OP, TG_RELID), to_jsonb(NEW));
  ELSE
    INSERT INTO memento_row_log (audit_id, event_key, old_data, new_data)
    SELECT NEW.audit_id, memento_key(TG_OP, TG_RELID), jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value)
      FROM jsonb_each(to_jsonb(OLD)) o JOIN jsonb_each(to_jsonb(NEW)) n USING (key) WHERE o.value IS DISTINCT FROM n.value;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER audit_event BEFORE INSERT OR UPDATE ON memento FOR EACH STATEMENT EXECUTE FUNCTION memento_event();
CREATE TRIGGER audit_row AFTER INSERT OR UPDATE ON memento FOR EACH ROW EXECUTE FUNCTION memento_row();
"""
# As long as the entries of the same changes, of which all is zero; its index is the ledger's.
FLOOR = """
CREATE TABLE floor_log (epoch int NOT NULL, xid xid8 NOT NULL, tenant_id uuid NOT NULL, body bytea NOT NULL);
ALTER TABLE floor_log ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX ON floor_log (epoch, xid);
CREATE FUNCTION ledger_floor() RETURNS trigger LANGUAGE c AS '{library}';
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON floor FOR EACH ROW EXECUTE FUNCTION ledger_floor('floor_log', '{insert}', '{update}');
"""
FLOOR_FIXED = 60  # what such a row takes without its body
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
    "none": ("none", "no audit"), "none_here": ("none_here", "no audit, beside Aegis"), "pgaudit": ("pgaudit", "pgaudit, to the server's log"), "trail": ("trail", "JSON trail, no chain"),
    "floor": ("floor", "the floor: a row and an index entry as long as aegis's, in C"),
    "supa": ("supa", "triggers like supa_audit's"), "memento": ("memento", "triggers like pgMemento's"),
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
        for cluster, tables in ((self.peers, ("none", "floor", "trail", "supa", "memento", "chain", "chains")), (self.audited, ("pgaudit",)),
                                (self.ours, ("none_here", "aegis", "aegis_clear"))):
            cluster.sql(PEERS + f"INSERT INTO tenants VALUES {rows};")
            for name in tables:
                cluster.sql(TABLE.format(name=name) + FILL.format(name=name, rows=self.rows))
        self.peers.sql(TRAIL + SUPA + MEMENTO)
        self.peers.sql(CHAIN.format(name="chain", key=NIL, new_key=NIL))
        self.peers.sql(CHAIN.format(name="chains", key="id", new_key="NEW.tenant_id"))
        self.ours.sql("SELECT aegis.audit_table('aegis'); SELECT aegis.audit_table('aegis_clear', '{code, note}')")
        self.make_floor()
        self.lab.facts["rows"] = f"{self.rows * TENANTS} rows of about 190 bytes in {TENANTS} tenants"
        self.rest()

    def make_floor(self):
        """Once Aegis has shown how long its entries of the two statements are."""
        library = os.path.join(self.peers.folder, "ledger_floor.so")
        headers = run_program([f"{BIN}/pg_config", "--includedir-server"]).strip()
        run_program(["cc", "-O2", "-shared", "-fPIC", f"-I{headers}", "-o", library, os.path.join(ROOT, "tests", "bench", "ledger_floor.c")])
        bytes_of = {}
        for operation in STATEMENTS:
            self.ours.pgbench(self.script("aegis", operation, True), "app", transactions=1, variables={"count": 0, "start": 1000000000, "tenant": self.tenants[0]})
            bytes_of[operation] = int(self.ours.sql("""
                SELECT pg_column_size(e) FROM aegis.entry e, aegis.decode_entry(e.body) d WHERE d.event = 'row.changed' ORDER BY seq DESC LIMIT 1""")) - FLOOR_FIXED
        self.peers.sql(FLOOR.format(library=library, **bytes_of))

    def rest(self):
        for cluster in (self.peers, self.audited, self.ours):
            cluster.sql("VACUUM ANALYZE")
            cluster.sql("CHECKPOINT")

    def of(self, name):
        return {"pgaudit": self.audited}.get(name, self.ours if name.startswith("aegis") or name == "none_here" else self.peers)

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
        names_many = tuple(name for name in VARIANTS if name not in ("none_here", "floor", "aegis_clear"))
        for hot, names, counts in ((True, names_hot, (1, 8, 32)), (False, names_many, (1, 8, 32))):
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
        logs = {"floor": "floor_log", "trail": "trail_log", "supa": "supa_log", "memento": "memento_.*_log", "chain": "chain_log", "chains": "chains_log"}
        cluster, text, count = self.of(name), self.script(name, "insert", True), 20 if self.lab.quick else 2000
        ours = name.startswith("aegis")
        # Tables, with what lies out of line, and indexes of what an entry leaves behind, by name.
        kept = "c.relnamespace = 'aegis'::regnamespace AND c.relname ~ '^(entry|seal|tenant_log|tree_node)'" if ours else f"c.relname ~ '^{logs.get(name, '-')}'"
        size = f"""SELECT coalesce(json_object_agg(c.relname, pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid)
                     + (SELECT sum(pg_relation_size(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.reltoastrelid) END), '{{}}')
                   FROM pg_class c WHERE c.relkind IN ('r', 'i') AND {kept}""".replace("\n", " ")

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
                    **{relation: bytes_ for relation, bytes_ in grown.items() if ours and bytes_ > 0 and not self.lab.quick}}
        return trial

    def sizes(self):
        series = self.lab.series("bytes", "WAL of an insert with its entry, and what the entry takes at rest", "bytes", "none",
                                 "WAL bytes per transaction, without full-page images; heap: table and indexes of the entry; with aegis, its seal included")
        for name in ("none", "floor", "trail", "supa", "memento", "chain", "chains", "aegis", "aegis_clear"):
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
        series = self.lab.series("lag", "Time from an entry to its seal, at full load", "ms", None, "the oldest entry of each seal; seal interval 200 ms")

        def trial(load):
            first = self.ours.sql("SELECT aegis.wait_sealed()", user="operator")
            tps = load()["figure"]
            self.ours.sql("SELECT aegis.wait_sealed()", user="operator")
            average, highest = self.ours.sql(f"""
                SELECT 1000 * avg(extract(epoch FROM lag)), 1000 * max(extract(epoch FROM lag)) FROM (
                  SELECT s.sealed_at - d."time" AS lag FROM aegis.seal_leaves l JOIN aegis.seal s ON s.number = l.seal JOIN aegis.entry e ON e.seq = l.seqs[1],
                         aegis.decode_entry(e.body) d WHERE l.seal > {first} AND l.log > 0) x""").split("|")
            return {"figure": float(highest), "average": float(average), "tps": tps}
        for clients in (8, 32):
            load = self.write("aegis", "insert", True, clients)
            series.variant(f"aegis_{clients}", f"aegis, longest of all seals, {clients} clients", lambda l=load: trial(l))
        return series

    def open_writer(self):
        """A transaction that has written stays open: the sealer must not go over everything since then each time."""
        series = self.lab.series("open_writer", "One entry until it is sealed, beside a transaction that stays open", "ms", "without",
                                 "who waits for the seal calls the sealer at once; the open transaction is older than every entry of the bulk before")
        one = self.script("aegis", "insert", True)

        def wait_once():
            self.run += 1
            self.ours.pgbench(one, "app", transactions=1, variables={"count": 0, "start": 1000000000 + self.run * 100000000, "tenant": self.tenants[0]})
            return self.ours.timed("SELECT aegis.wait_sealed('1 min')", "operator", repeat=1, warm=False)

        def wait():
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
        self.wait_for_seal = wait
        return series

    def ten_minutes(self):
        """The same while a transaction stays open for ten minutes and eight clients write: of a long run, once."""
        if not self.lab.long:
            return None
        series = self.lab.series("ten_minutes", "One entry until it is sealed, while a transaction stays open for ten minutes", "ms", "first",
                                 "eight clients write all the time, 1,000 entries a second together")
        for minute, title in ((0, "first"), (10, "last")):
            series.variant(title, f"after {minute} minutes")
        writes = self.script("aegis", "insert", True)
        with self.ours.session() as holder:
            holder("BEGIN; SELECT pg_current_xact_id();")
            for minute in range(11):
                for _ in range(self.lab.rounds):  # the transaction is held once
                    with Load() as load:
                        waited = self.wait_for_seal()
                    if minute in (0, 10):
                        series.add("first" if minute == 0 else "last", waited, load.others)
                self.lab.say(f"ten_minutes: {waited:.2f} ms after {minute} minutes")
                if minute < 10:
                    self.run += 1
                    self.ours.pgbench(writes, "app", clients=8, seconds=60, rate=1000, variables={
                        "count": 0, "start": 1000000000 + self.run * 100000000, "tenant": self.tenants[0]})
        return series

    def verification(self):
        self.ours.sql("VACUUM ANALYZE; CREATE EXTENSION IF NOT EXISTS pgcrypto")
        count, average = self.ours.sql("SELECT count(*), round(avg(length(body))) FROM aegis.entry").split("|")
        count = int(count)
        self.lab.facts["verification"] = f"{count} entries with bodies of {average} bytes on average"
        series = self.lab.series("verify", "Verification", "entries/s", "scan", "the scans and hashes check nothing else; aegis.verify_ledger rebuilds every tree and chain too")

        def speed(statement, user="postgres", before=""):
            return lambda: count / self.ours.timed(statement, user, before, repeat=1, warm=False) * 1000
        serial, parallel = "SET max_parallel_workers_per_gather = 0;", "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;"
        series.variant("scan", "reading every body", speed("SELECT sum(length(body)) FROM aegis.entry", before=serial))
        series.variant("sha256", "sha256() of every body in SQL", speed("SELECT count(sha256(body)) FROM aegis.entry", before=serial))
        series.variant("digest", "pgcrypto digest() of every body", speed("SELECT count(digest(body, 'sha256')) FROM aegis.entry", before=serial))
        series.variant("digest_parallel", "pgcrypto digest(), two workers", speed("SELECT count(digest(body, 'sha256')) FROM aegis.entry", before=parallel))
        for name, helpers in (("aegis", 0), ("aegis_parallel", 2)):
            series.variant(name, f"aegis.verify_ledger, {'one process' if helpers == 0 else 'two processes help'}",
                           speed("SELECT * FROM aegis.verify_ledger()", "auditor", f"SET max_parallel_maintenance_workers = {helpers};"))
        return series, count

    def verification_of_200(self, cluster):
        """Of a ledger of its own, with the bodies that the goal names."""
        rows = 2000 if self.lab.quick else 1000000
        one = "INSERT INTO small SELECT '{tenant}', {start} + g, 1, 'C-1', repeat('n', {length}) FROM generate_series(1, {rows}) g"
        body = "SELECT length(body) FROM aegis.entry WHERE tenant_id = '{tenant}' ORDER BY seq DESC LIMIT 1"
        cluster.sql(tenant.ROLES + "CREATE ROLE app LOGIN;" + TABLE.format(name="small"))
        made = cluster.sql("SELECT aegis.create_tenant('bench', 'Bench')", user="operator")
        cluster.sql("SELECT aegis.audit_table('small', '{code, note}')")
        cluster.sql(one.format(tenant=made, start=0, length=96, rows=1))
        length = 96 - int(cluster.sql(body.format(tenant=made))) + 200
        cluster.sql(one.format(tenant=made, start=1, length=length, rows=rows) + "; SELECT aegis.wait_sealed('5 min')")
        cluster.sql("VACUUM ANALYZE; CREATE EXTENSION pgcrypto")
        count, average = cluster.sql("SELECT count(*), round(avg(length(body))) FROM aegis.entry").split("|")
        series = self.lab.series("verify_200", f"Verification of bodies of {average} bytes", "entries/s", "scan", f"{count} entries of one log, which fit into the server's memory")

        def speed(statement, user, before):
            return lambda: int(count) / cluster.timed(statement, user, before, repeat=1) * 1000
        serial = "SET max_parallel_workers_per_gather = 0;"
        series.variant("scan", "reading every body", speed("SELECT sum(length(body)) FROM aegis.entry", "postgres", serial))
        series.variant("digest", "pgcrypto digest() of every body", speed("SELECT count(digest(body, 'sha256')) FROM aegis.entry", "postgres", serial))
        for name, helpers in (("aegis", 0), ("aegis_parallel", 2)):
            series.variant(name, f"aegis.verify_ledger, {'one process' if helpers == 0 else 'two processes help'}",
                           speed("SELECT * FROM aegis.verify_ledger()", "auditor", f"SET max_parallel_maintenance_workers = {helpers};"))
        return series

    def since(self, count):
        """From a checkpoint that covers all but the newest entries. Nobody signs here: the note has its form, and its root is compared."""
        start, after = self.ours.sql(f"""
            SELECT number - 1, entries_since FROM (SELECT number, sum(entries) OVER (ORDER BY number DESC) AS entries_since FROM aegis.seal) s
             WHERE number > 1 AND (entries_since >= {count // 20} OR number = 2) ORDER BY number DESC LIMIT 1""").split("|")
        signature = "replace(encode('\\x01020304'::bytea || decode(repeat('ab', 64), 'hex'), 'base64'), E'\\n', '')"
        note = self.ours.sql(f"SELECT format(E'bench/log\\n%s\\n%s\\n\\n\u2014 bench/log %s\\n', root_size, encode(root, 'base64'), {signature}) "
                             f"FROM aegis.seal WHERE number = {start}")
        series = self.lab.series("since", "Verification from a checkpoint", "ms", "whole", f"{after} of {count} entries came after the checkpoint; two processes help")
        for name, title, argument in (("whole", "the whole ledger", ""), ("since", "from the checkpoint", f"from_checkpoint => $note${note}$note$")):
            series.variant(name, title, lambda a=argument: self.ours.timed(f"SELECT * FROM aegis.verify_ledger({a})", "auditor", repeat=1, warm=False))
        return series

    def fill(self):
        """A log of ten million entries for the proofs of a long run."""
        wanted = 10000000 if self.lab.long else 0
        size = f"SELECT coalesce(max(size), 0) FROM aegis.tenant_log WHERE tenant_id = '{self.tenants[1]}'"
        while int(self.ours.sql(size)) < wanted:
            self.run += 1
            self.ours.sql(f"""INSERT INTO aegis SELECT '{self.tenants[1]}', {1000000000 + self.run * 100000000} + g, 1, 'C-1', '' FROM generate_series(1, {self.bulk}) g;
                              SELECT aegis.wait_sealed('5 min')""")
            self.lab.say(f"a log of {self.ours.sql(size)} entries")

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
                     made[f"insert_hot_{clients}"].ratio("aegis"), loads=(made[f"insert_hot_{clients}"], "none", "aegis"),
                     floor=made[f"insert_hot_{clients}"].ratio("floor"))
            lab.goal(f"update_{clients}", f"Audited updates, {clients} client{'s' if clients > 1 else ''}, to unaudited", ">=", wanted,
                     made[f"update_hot_{clients}"].ratio("aegis"), loads=(made[f"update_hot_{clients}"], "none", "aegis"),
                     floor=made[f"update_hot_{clients}"].ratio("floor"))
        for clients in (1, 8, 32):
            many = made[f"insert_many_{clients}"]
            lab.goal(f"hot_{clients}", f"One hot tenant to {TENANTS} tenants, {clients} client{'s' if clients > 1 else ''}", ">=", 0.9, many.ratio("aegis_one", "aegis"),
                     loads=(many, "aegis", "aegis_one"))
        sizes = made["bytes"]
        lab.goal("wal", "WAL of an entry", "<=", 600, sizes.median("aegis") - sizes.median("none"), "bytes")
        lab.goal("heap", "An entry at rest", "<=", 350, sizes.median("aegis", "heap"), "bytes")
        longest = {name: max(made["lag"].values(name)) for name in ("aegis_8", "aegis_32")}
        lab.goal("lag", "Longest wait for a seal at full load, 8 and 32 clients", "<=", 1000, max(longest.values()), "ms", loads=(made["lag"], max(longest, key=longest.get)))
        lab.goal("bulk", f"{self.bulk} entries of one statement sealed after", "<=", 10, made["bulk"].median("aegis", "sealed"), "s", loads=(made["bulk"], "aegis"))
        lab.goal("open_writer", "Seal time beside an open transaction, to without", "<=", 1.5, made["open_writer"].ratio("with"),
                 loads=(made["open_writer"], "without", "with"))
        held = made.get("ten_minutes")
        lab.goal("ten_minutes", "Seal time beside a transaction that is open for ten minutes, to its beginning", "<=", 1.5, held.ratio("last") if held else None,
                 reason="a transaction is held open so long in a run with --long")
        lab.goal("verify", "Verification by one process, bodies of 200 bytes", ">=", 1500000, made["verify_200"].median("aegis"), "entries/s", loads=(made["verify_200"], "aegis"))
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
        held = area.ten_minutes()
        area.fill()
        verify, count = area.verification()
        with Cluster() as small:
            after = [verify, area.verification_of_200(small), area.since(count), area.proofs(count)]
            lab.measure([series for series in after if series is not None])
            area.goals({series.name: series for series in [*made, held, *after] if series is not None})
            lab.explain()
