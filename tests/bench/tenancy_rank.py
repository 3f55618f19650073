"""What each rank may see: a user the own rows, a lead those of the team, a manager those of the teams below, an admin all of the tenant's.

Protected, the query names nothing and the policy's ranges of teams and creators find the index; by hand the query names the same
ranges. Both count and sum what they find."""
from lab import plan, tenant

RANKS = ("user", "lead", "manager", "admin")
PEOPLE = """
BEGIN;
SELECT aegis.assume_tenant('{tenant}', 'benchmark', 'BENCH-1', read_only => false) \\g /dev/null
SELECT aegis.create_team('Division') AS division \\gset
SELECT aegis.create_team('Team', :'division') AS team \\gset
SELECT aegis.create_user('user@bench.example', 'Ada User', 1::smallint, :'team', '{password}') \\g /dev/null
SELECT aegis.create_user('lead@bench.example', 'Ada Lead', 2::smallint, :'team', '{password}') \\g /dev/null
SELECT aegis.create_user('manager@bench.example', 'Ada Manager', 3::smallint, :'division', '{password}') \\g /dev/null
COMMIT;
"""
# Of 500 rows of the tenant one is the user's, some 26 the team's, some 76 the division's; one row in five is another tenant's.
TABLE = """
CREATE TABLE {schema}.doc (tenant_id uuid NOT NULL, id bigint NOT NULL, n int NOT NULL, created_by uuid NOT NULL, team_ord bigint NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO {schema}.doc
  SELECT CASE WHEN g % 5 > 0 THEN '{tenant}'::uuid ELSE '00000000-0000-4000-8000-000000000002' END, g, g % 1000,
         CASE WHEN g % 625 = 1 THEN '{user}'::uuid ELSE gen_random_uuid() END,
         CASE WHEN g % 625 <= 33 THEN {team} WHEN g % 625 <= 95 THEN {division} ELSE {root} END FROM generate_series(1, {rows}) g;
CREATE INDEX ON {schema}.doc (tenant_id, created_by);
CREATE INDEX ON {schema}.doc (tenant_id, team_ord);
GRANT SELECT ON {schema}.doc TO {role};
"""
COUNT = "SELECT count(*), sum(n) FROM {table}{where}"
GROUP = "Count and sum of what a rank may see"


class Ranks:
    def __init__(self, lab, peers, ours, area):
        self.lab, self.peers, self.ours, self.area = lab, peers, ours, area
        self.rows = 20000 if lab.quick else 400000
        self.tokens, self.ranges = {}, {}

    def prepare(self):
        own = self.area.tenant
        self.ours.sql(PEOPLE.format(tenant=own, password=tenant.PASSWORD), user="operator")
        ords = dict(line.split("|") for line in self.ours.sql(f"SELECT name, ord FROM aegis.team WHERE tenant_id = '{own}'").splitlines())
        self.tokens["admin"] = self.area.token
        for rank in RANKS[:3]:
            self.tokens[rank] = tenant.sign_in(self.ours, user=rank)
        size = {"tenant": own, "user": self.ask("user", "SELECT aegis.user_id()"), "rows": self.rows,
                "team": ords["Team"], "division": ords["Division"], "root": ords["Bench"]}
        self.peers.sql(TABLE.format(schema="peer", role="app", **size))
        self.ours.sql(TABLE.format(schema="ours", role="aegis_member", **size) + "SELECT aegis.protect_table('ours.doc'); SELECT aegis.unaudit_table('ours.doc');")
        for cluster in (self.peers, self.ours):
            cluster.sql("VACUUM ANALYZE")
        found = {rank: self.compare(rank) for rank in RANKS}
        self.lab.facts["ranks"] = f"{self.rows} rows, of which " + ", ".join(f"{count} are the {rank}'s to see" for rank, count in found.items())

    def compare(self, rank):
        """The range that the context has, for use by hand; how many rows it shows, both ways."""
        low, high, first, last = self.ask(rank, "SELECT aegis.team_lo(), aegis.team_hi(), aegis.user_lo(), aegis.user_hi()").split("|")
        self.ranges[rank] = f" WHERE tenant_id = '{self.area.tenant}' AND team_ord BETWEEN {low} AND {high} AND created_by BETWEEN '{first}' AND '{last}'"
        by_hand = self.peers.sql(COUNT.format(table="peer.doc", where=self.ranges[rank]), "app")
        protected = self.ask(rank, COUNT.format(table="ours.doc", where=""))
        if by_hand != protected:
            raise RuntimeError(f"as {rank} the protected table shows {protected}, the range {by_hand}")
        return by_hand.split("|")[0]

    def context(self, rank):
        return f"BEGIN;\nSELECT aegis.authenticate('{self.tokens[rank]}') \\g /dev/null\n"

    def ask(self, rank, query):
        return self.ours.sql(f"{self.context(rank)}{query};\nCOMMIT;", "member")

    def counts(self):
        made = []
        for rank in RANKS:
            series = self.lab.series(f"rank_{rank}", f"{GROUP}: {rank}", "ms", "hand", "less is better; ratios to the same range by hand", GROUP, f"{rank}, ms")
            series.variant("hand", "the range by hand", lambda r=rank: self.peers.measured(
                COUNT.format(table="peer.doc", where=self.ranges[r]), "app", "BEGIN;", "COMMIT;", repeat=9))
            series.variant("aegis", "aegis, the query names nothing", lambda r=rank: self.ours.measured(
                COUNT.format(table="ours.doc", where=""), "member", self.context(r), "COMMIT;", repeat=9))
            made.append(series)
        return made

    def plans(self):
        explain = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) "
        for rank in RANKS:
            by_hand = self.peers.sql(explain + COUNT.format(table="peer.doc", where=self.ranges[rank]), "app")
            protected = plan.of(self.ours, "member", self.context(rank), COUNT.format(table="ours.doc", where=""))
            self.lab.plan("ranks", f"{GROUP}: {rank}", "hand", by_hand.replace(self.area.tenant, "..."))
            self.lab.plan("ranks", f"{GROUP}: {rank}", "aegis", protected.replace(self.area.tenant, "..."))

    def goals(self, made):
        for rank in RANKS:
            series = made[f"rank_{rank}"]
            self.lab.goal(f"rank_{rank}", f"What a rank may see, {rank}: time to the range by hand", "<=", 1.2, series.ratio("aegis"),
                          loads=(series, "hand", "aegis"))
