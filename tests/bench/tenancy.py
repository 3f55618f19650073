"""What isolation costs: the same statements by hand, under the usual row-level security policies, and protected.

A transaction is BEGIN, a call that says who asks, the statement, COMMIT: as four round trips ("txn"), or sent
together in one pipeline ("pipe"). By hand who asks is looked up by the SHA-256 of a session token, with
rank and status of user and tenant, as Aegis does; the usual policies get the tenant by set_config, unverified. The peers have a cluster of their own,
without Aegis: its walls stand in front of every table with a tenant. Everything is asked with 10 tenants, and its heart once more
with 100,000; then each rank asks for what it may see, beside the same range of teams and creators by hand."""
from lab import Cluster, plan, tenant
from tenancy_rank import Ranks

TITLE = "Tenant isolation"

PEERS = """
CREATE SCHEMA peer;
CREATE ROLE app LOGIN;
CREATE ROLE app_async LOGIN IN ROLE app;
CREATE ROLE app_serial LOGIN IN ROLE app;
CREATE ROLE app_parallel LOGIN IN ROLE app;
GRANT USAGE ON SCHEMA peer TO app;
CREATE TABLE peer.member (user_id uuid, tenant_id uuid, PRIMARY KEY (user_id, tenant_id));
INSERT INTO peer.member SELECT gen_random_uuid(), gen_random_uuid() FROM generate_series(1, {others});
INSERT INTO peer.member VALUES ('{user}', '{tenant}');
CREATE TABLE peer.tenant (id uuid PRIMARY KEY, status text NOT NULL);
INSERT INTO peer.tenant SELECT gen_random_uuid(), 'active' FROM generate_series(1, {others});
INSERT INTO peer.tenant VALUES ('{tenant}', 'active');
CREATE TABLE peer.account (tenant_id uuid, id uuid, team bigint NOT NULL, rank int NOT NULL, status text NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO peer.account SELECT gen_random_uuid(), gen_random_uuid(), 1, 1, 'active' FROM generate_series(1, {others});
INSERT INTO peer.account VALUES ('{tenant}', '{user}', 1, 4, 'active');
CREATE TABLE peer.session (token_hash bytea PRIMARY KEY, user_id uuid, tenant_id uuid, expires_at timestamptz);
INSERT INTO peer.session VALUES (sha256('{token}'::bytea), '{user}', '{tenant}', now() + interval '1 day');
INSERT INTO peer.session SELECT sha256(g::text::bytea), gen_random_uuid(), gen_random_uuid(), now() FROM generate_series(1, {others}) g;
GRANT SELECT ON peer.tenant, peer.account, peer.member, peer.session TO app;
"""
TABLE = """
CREATE TABLE {schema}.{name} (tenant_id uuid NOT NULL, id bigint NOT NULL, n int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO {schema}.{name}
  SELECT CASE WHEN g <= {own} THEN '{tenant}'::uuid ELSE format('00000000-0000-4000-8000-%s', lpad((2 + g % {others})::text, 12, '0'))::uuid END,
         g, g % 1000, md5(g::text) || md5((g + 1)::text) FROM generate_series(1, {rows}) g;
GRANT SELECT, INSERT, UPDATE ON {schema}.{name} TO {role};
"""
POLICY = "ALTER TABLE peer.{name} ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON peer.{name} USING ({condition});"
POLICIES = {
    "guc": "tenant_id = current_setting('app.tenant')::uuid",
    "subquery": "tenant_id = (SELECT current_setting('app.tenant')::uuid)",
    "member": "tenant_id IN (SELECT m.tenant_id FROM peer.member m WHERE m.user_id = current_setting('app.user')::uuid)",
}
ONE_CALL = """
CREATE FUNCTION peer.read_one(tenant text, wanted bigint) RETURNS TABLE (id bigint, n int, body text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('app.tenant', tenant, true);
  RETURN QUERY SELECT t.id, t.n, t.body FROM peer.guc t WHERE t.tenant_id = tenant::uuid AND t.id = wanted;
END $$;
GRANT EXECUTE ON FUNCTION peer.read_one(text, bigint) TO app;
"""
# Further tenants: what the look-up of a session's tenant has to find its way among.
TENANTS = """INSERT INTO aegis.tenant (id, slug, name, region)
  SELECT format('00000000-0000-4000-8000-%s', lpad((1 + g)::text, 12, '0'))::uuid, 'other-' || g, 'Other', 'UK' FROM generate_series(1, {others}) g;"""
OURS = """
CREATE ROLE member_async LOGIN IN ROLE aegis_member;
CREATE ROLE member_serial LOGIN IN ROLE aegis_member;
CREATE ROLE member_parallel LOGIN IN ROLE aegis_member;
GRANT USAGE ON SCHEMA ours TO aegis_member;
SELECT aegis.protect_table('ours.item', created_by => false, team => false);
SELECT aegis.unaudit_table('ours.item');
CREATE FUNCTION ours.read_one(token text, tenant uuid, wanted bigint) RETURNS TABLE (id bigint, n int, body text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.authenticate(token);
  RETURN QUERY SELECT t.id, t.n, t.body FROM ours.item t WHERE t.tenant_id = tenant AND t.id = wanted;
END $$;
GRANT EXECUTE ON FUNCTION ours.read_one(text, uuid, bigint) TO aegis_member;
"""
SETTINGS = """
ALTER ROLE {role}_async SET synchronous_commit = off;
ALTER ROLE {role}_serial SET max_parallel_workers_per_gather = 0;
ALTER ROLE {role}_parallel SET max_parallel_workers_per_gather = 2;
ALTER ROLE {role}_parallel SET parallel_setup_cost = 0;
ALTER ROLE {role}_serial SET enable_indexscan = off;
ALTER ROLE {role}_serial SET enable_bitmapscan = off;
ALTER ROLE {role}_parallel SET enable_indexscan = off;
ALTER ROLE {role}_parallel SET enable_bitmapscan = off;
"""

# What is asked: the statement, with {table}; pgbench fills in :tenant, :id and :next.
STATEMENTS = {
    "point": "SELECT id, n, body FROM {table} WHERE {mine}id = :id",
    "range": "SELECT id, n, body FROM {table} WHERE {mine}id BETWEEN :id AND :id + 49",
    "insert": "INSERT INTO {table} (tenant_id, id, n, body) VALUES (:tenant, :next, 1, 'a body that is as long as the others are long')",
    "update": "UPDATE {table} SET n = n + 1 WHERE {mine}id = :id",
}
TITLES = {"point": "Read of one row", "range": "Read of 50 rows", "insert": "Insert of one row", "update": "Update of one row"}
GROUPS = {"txn": "BEGIN, who asks, the statement, COMMIT: four round trips", "pipe": "The same four sent in one pipeline"}
# Who asks: table, role, and the call that says so.
WAYS = {
    "hand": ("peer.plain", "app", """SELECT s.user_id, s.tenant_id, a.rank, a.team FROM peer.session s JOIN peer.account a ON a.tenant_id = s.tenant_id AND a.id = s.user_id
      JOIN peer.tenant t ON t.id = s.tenant_id
     WHERE s.token_hash = sha256(:token::bytea) AND s.expires_at > now() AND a.status = 'active' AND t.status = 'active'"""),
    "guc": ("peer.guc", "app", "SELECT set_config('app.tenant', :tenant, true)"),
    "subquery": ("peer.subquery", "app", "SELECT set_config('app.tenant', :tenant, true)"),
    "member": ("peer.member_item", "app", "SELECT set_config('app.user', :user, true)"),
    "aegis": ("ours.item", "member", "SELECT aegis.authenticate(:token)"),
}
WAY_TITLES = {
    "hand": "WHERE by hand, session looked up", "guc": "policy: current_setting",
    "subquery": "policy: (select current_setting)", "member": "policy: membership", "aegis": "aegis",
}

# What the page of figures shows: name, title, series by column.
PLOTS = [("tenancy", "Read of one row, one pipeline: transactions per second", ["point_pipe"])]
AGGREGATE = "SELECT count(*), sum(n), sum(length(body)) FROM {table}{where}"


def script(way, statement, pipeline, filtered=True):
    table, _, call = WAYS[way]
    text = STATEMENTS[statement].format(table=table, mine="tenant_id = :tenant AND " if filtered else "")
    lines = ["\\set id random(1, :own)", "\\set count :count + 1", "\\set next :start + :client_id * 1000000 + :count"]
    lines += ["\\startpipeline"] if pipeline else []
    lines += ["BEGIN;", call + ";", text + ";", "COMMIT;"]
    return "\n".join(lines + (["\\endpipeline"] if pipeline else [])) + "\n"


class Tenancy:
    """With so many tenants, in clusters of their own."""

    def __init__(self, lab, peers, ours, tenants):
        self.lab, self.peers, self.ours, self.tenants = lab, peers, ours, tenants
        self.many = tenants > 100
        self.rows, self.own = (20000, 5000) if lab.quick else (300000 if self.many else 600000, 200000)
        self.run = 0
        self.suffix, self.among = ("_many", f", {tenants:,} tenants") if self.many else ("", "")
        self.policies = {name: condition for name, condition in POLICIES.items() if name != "subquery" or not self.many}

    def prepare(self):
        self.ours.sql(tenant.ROLES)
        self.tenant, (self.user,) = tenant.create(self.ours)
        self.token = tenant.sign_in(self.ours)
        size = {"tenant": self.tenant, "rows": self.rows, "own": self.own, "others": self.tenants - 1}
        self.ours.sql(TENANTS.format(**size))
        self.peers.sql(PEERS.format(user=self.user, token=self.token, **size))
        for name in ("plain", *self.policies):
            table = WAYS[name][0].partition(".")[2] if name in WAYS else name
            self.peers.sql(TABLE.format(schema="peer", name=table, role="app", **size))
            if name in self.policies:
                self.peers.sql(POLICY.format(name=table, condition=self.policies[name]))
        self.peers.sql(ONE_CALL + SETTINGS.format(role="app"))
        self.ours.sql("CREATE SCHEMA ours;" + TABLE.format(schema="ours", name="item", role="aegis_member", **size))
        self.ours.sql(OURS + SETTINGS.format(role="member"))
        self.rest()
        self.lab.facts[f"{self.tenants:,} tenants"] = f"{self.rows} rows, of which {self.own} are the tenant's that asks"

    def rest(self):
        """Before every round, so that none pays for the one before."""
        for cluster in (self.peers, self.ours):
            cluster.sql("VACUUM ANALYZE")
            cluster.sql("CHECKPOINT")

    def of(self, role):
        return self.ours if role.startswith("member") else self.peers

    def bench(self, text, role):
        def trial():
            self.run += 1
            return self.of(role).pgbench(text, role, clients=4, seconds=self.lab.seconds, threads=1, variables={
                "tenant": self.tenant, "user": self.user, "token": self.token, "own": self.own, "count": 0,
                "start": 1000000000 + self.run * 100000000})
        return trial

    def statements(self, shape):
        made = []
        pipeline = shape == "pipe"
        ways = [way for way in WAYS if way != "subquery" or (pipeline and not self.many)]
        for name, title in TITLES.items():
            series = self.lab.series(f"{name}_{shape}{self.suffix}", f"{title}, {'one pipeline' if pipeline else 'four round trips'}{self.among}", "tps", "hand",
                                     "4 clients; ratios to the same statement with WHERE by hand, in the same shape, for a session looked up",
                                     GROUPS[shape] + self.among, title)
            for way in ways:
                series.variant(way, WAY_TITLES[way], self.bench(script(way, name, pipeline), WAYS[way][1]))
            if name in ("point", "range") and not self.many:
                series.variant("aegis_unfiltered", "aegis, the query names no tenant",
                               self.bench(script("aegis", name, pipeline, filtered=False), "member"))
            made.append(series)
        return made

    def asynchronous(self):
        made = []
        for name in ("insert", "update"):
            series = self.lab.series(f"{name}_async", f"{TITLES[name]}, one pipeline, synchronous_commit off", "tps", "hand",
                                     "without the flush the processor's share shows",
                                     "In one pipeline, without waiting for the disk (synchronous_commit off)", TITLES[name])
            for way in ("hand", "guc", "aegis"):
                series.variant(way, WAY_TITLES[way], self.bench(script(way, name, True), WAYS[way][1] + "_async"))
            made.append(series)
        return made

    def one_round_trip(self):
        point = STATEMENTS["point"].format(table="peer.plain", mine="tenant_id = :tenant AND ")
        series = self.lab.series("one_trip", "Who asks and the read of one row, one round trip", "tps", "plain",
                                 "ratios to the bare statement by hand, autocommit, for which nobody is verified")
        head = "\\set id random(1, :own)\n"
        series.variant("plain", "the bare statement", self.bench(head + point + ";\n", "app"))
        series.variant("hand_pipe", "by hand, session looked up, pipeline", self.bench(script("hand", "point", True), "app"))
        series.variant("guc_pipe", "policy current_setting, pipeline", self.bench(script("guc", "point", True), "app"))
        series.variant("guc_call", "policy current_setting, PL/pgSQL function",
                       self.bench(head + "SELECT * FROM peer.read_one(:tenant, :id);\n", "app"))
        series.variant("aegis_pipe", "aegis, pipeline", self.bench(script("aegis", "point", True), "member"))
        series.variant("aegis_call", "aegis, PL/pgSQL function",
                       self.bench(head + "SELECT * FROM ours.read_one(:token, :tenant, :id);\n", "member"))
        return [series]

    def aggregates(self):
        made = []
        filtered = f" WHERE tenant_id = '{self.tenant}'"
        for mode in ("parallel",) if self.many else ("serial", "parallel"):
            series = self.lab.series(f"aggregate_{mode}{self.suffix}", f"Sums over {self.own} rows of the tenant, sequential scan, {mode}{self.among}", "ms", "plain",
                                     "less is better", f"Sums over {self.own} rows of the tenant, sequential scan{self.among}", f"{mode}, ms")
            for name, table, role, call, where in (
                    ("plain", "peer.plain", "app", "SELECT 1", filtered),
                    ("guc", "peer.guc", "app", f"SELECT set_config('app.tenant', '{self.tenant}', true)", ""),
                    ("subquery", "peer.subquery", "app", f"SELECT set_config('app.tenant', '{self.tenant}', true)", ""),
                    ("member", "peer.member_item", "app", f"SELECT set_config('app.user', '{self.user}', true)", ""),
                    ("aegis", "ours.item", "member", f"SELECT aegis.authenticate('{self.token}')", filtered),
                    ("aegis_unfiltered", "ours.item", "member", f"SELECT aegis.authenticate('{self.token}')", "")):
                if name == "subquery" and self.many:
                    continue
                statement, user = AGGREGATE.format(table=table, where=where), f"{role}_{mode}"
                series.variant(name, {"plain": "WHERE by hand", "aegis_unfiltered": "aegis, the query names no tenant"}.get(name, WAY_TITLES.get(name)),
                               lambda s=statement, u=user, c=call: self.of(u).measured(s, u, f"BEGIN; {c};", "COMMIT;"))
            made.append(series)
        return made

    def plans(self):
        """By hand and protected, as the server goes about it; what is written is rolled back."""
        ways = (("hand", "peer.plain"), ("aegis", "ours.item"))
        for name, title in TITLES.items():
            for way, table in ways:
                text = STATEMENTS[name].format(table=table, mine="tenant_id = :tenant AND ")
                for variable, value in ((":tenant", f"'{self.tenant}'"), (":id", "7"), (":next", "-1")):
                    text = text.replace(variable, value)
                self.explain(title, way, text)
        for way, table in ways:
            self.explain("Sums, parallel", way, AGGREGATE.format(table=table, where=f" WHERE tenant_id = '{self.tenant}'"), "_parallel")

    def explain(self, title, way, text, role=""):
        if way == "aegis":
            before = f"BEGIN;\nSELECT aegis.authenticate('{self.token}') \\g /dev/null\n"
            said = plan.of(self.ours, f"member{role}", before, text)
        else:
            said = self.peers.sql(f"BEGIN;\nEXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) {text};\nROLLBACK;", f"app{role}")
        self.lab.plan("statements", title + self.among, way, said.replace(self.tenant, "..."))

    def goals(self, made):
        lab = self.lab
        for name, wanted in (("point", 0.97), ("range", 0.97), ("insert", 0.95), ("update", 0.95)):
            for shape, words in (("pipe", "pipeline"),) if self.many else (("txn", "four round trips"), ("pipe", "pipeline")):
                series = made[f"{name}_{shape}{self.suffix}"]
                lab.goal(series.name, f"{TITLES[name]}, {words}{self.among}, to the same by hand", ">=", wanted, series.ratio("aegis"),
                         loads=(series, "hand", "aegis"))
        for mode in ("parallel",) if self.many else ("serial", "parallel"):
            series = made[f"aggregate_{mode}{self.suffix}"]
            lab.goal(series.name, f"Aggregate, {mode}{self.among}: speed to the same by hand", ">=", 0.97, 1 / series.ratio("aegis"),
                     loads=(series, "plain", "aegis"))
        if not self.many:
            trip = made["one_trip"]
            lab.goal("one_trip", "Context and read in one round trip, to the bare read", ">=", 0.8, max(trip.ratio("aegis_pipe"), trip.ratio("aegis_call")),
                     loads=(trip, "plain", "aegis_pipe"))


def run(lab):
    large = 1000 if lab.quick else 100000
    with Cluster(preload="", extensions=()) as peers, Cluster() as ours, Cluster(preload="", extensions=()) as many_peers, Cluster() as many_ours:
        lab.say("loading")
        few, many = Tenancy(lab, peers, ours, 10), Tenancy(lab, many_peers, many_ours, large)
        ranks = Ranks(lab, peers, ours, few)
        for part in (few, many, ranks):
            part.prepare()
        made = few.statements("txn") + few.statements("pipe") + few.asynchronous() + few.one_round_trip() + few.aggregates() + ranks.counts()
        made += many.statements("pipe") + many.aggregates()

        def rest(_):
            few.rest()
            many.rest()
        lab.measure(made, rest)
        named = {series.name: series for series in made}
        for part in (few, many, ranks):
            part.plans()
            part.goals(named)
        lab.explain()
