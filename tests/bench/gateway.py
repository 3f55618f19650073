"""What a request costs: the gateway over TLS, the statement that it sends by pgbench, and fastify with pg and PostGraphile
over TLS doing the same work. A request carries a session token and asks for one row, which row security lets it see.

The load comes from wrk on the same processors, one server under load at a time. A constant answer shows what
each server costs without the database. The floor is a program in C that passes requests on and does nothing else."""
import json
import os
import ssl
import urllib.request

from fixture import Gateway, free_port

from lab import Cluster, profile, scheduling, server, tenant
from lab.load import TICKS

TITLE = "Gateway"
PLOTS = [("gateway", "A row as JSON, 64 connections: requests per second", ["rows_64"])]
ITEMS = 10000
WORKERS = max(4, 2 * len(os.sched_getaffinity(0)))  # the gateway's default; the floor has as many threads

OURS = """
CREATE SCHEMA ours;
CREATE TABLE ours.item (tenant_id uuid NOT NULL, id bigint NOT NULL, n int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO ours.item SELECT '{tenant}', g, g, repeat(md5(g::text), 2) FROM generate_series(1, {items}) g;
SELECT aegis.protect_table('ours.item', created_by => false, team => false);
GRANT USAGE ON SCHEMA ours TO aegis_member;
GRANT SELECT ON ours.item TO aegis_member;
CREATE FUNCTION ours.get_item(request aegis.request) RETURNS aegis.response LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found record;
BEGIN
  SELECT i.id, i.n, i.body INTO found FROM ours.item i WHERE i.tenant_id = aegis.tenant_id() AND i.id = (request.params ->> 'id')::bigint;
  RETURN CASE WHEN found IS NULL THEN aegis.respond(404) ELSE aegis.respond(200, to_jsonb(found)) END;
END $$;
GRANT EXECUTE ON FUNCTION ours.get_item(aegis.request) TO aegis_member;
SELECT aegis.register_route('GET', '/api/bench/items/{{id}}', 'ours.get_item(aegis.request)');
"""
PEERS = """
CREATE ROLE app LOGIN;
CREATE TABLE session (token_hash bytea PRIMARY KEY, user_id uuid NOT NULL, tenant_id uuid NOT NULL, expires_at timestamptz NOT NULL);
INSERT INTO session VALUES (sha256('{token}'::bytea), gen_random_uuid(), '{tenant}', now() + interval '1 day');
INSERT INTO session SELECT sha256(g::text::bytea), gen_random_uuid(), gen_random_uuid(), now() FROM generate_series(1, 1000) g;
CREATE TABLE item (tenant_id uuid NOT NULL, id bigint NOT NULL, n int NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO item SELECT '{tenant}', g, g, repeat(md5(g::text), 2) FROM generate_series(1, {items}) g;
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON item USING (tenant_id = current_setting('app.tenant')::uuid);
GRANT SELECT ON session, item TO app;
CREATE FUNCTION read_item(hash bytea, wanted bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  found record;
BEGIN
  SELECT s.user_id, s.tenant_id INTO STRICT found FROM session s WHERE s.token_hash = hash AND s.expires_at > now();
  PERFORM set_config('app.tenant', found.tenant_id::text, true);
  SELECT i.id, i.n, i.body INTO found FROM item i WHERE i.id = wanted;
  RETURN to_jsonb(found);
END $$;
"""
GRAPHQL = '{"query": "query Item($id: BigInt!) { allItems(condition: {id: $id}) { nodes { id n body } } }", "variables": {"id": "#"}}'
# As the gateway sends it; a bearer's token and a path with a number.
STATEMENT = """\\set id random(1, {items})
SELECT status, headers, body FROM aegis.handle('GET', '/api/bench/items/' || (:id)::text, ARRAY['authorization', 'Bearer ' || :token], NULL, '127.0.0.1', 'bench');
"""


class Area:
    def __init__(self, lab, peers, ours):
        self.lab, self.peers, self.ours = lab, peers, ours

    def prepare(self):
        self.ours.sql(tenant.ROLES)
        self.tenant = self.make_tenant()
        self.token = tenant.sign_in(self.ours)
        size = {"tenant": self.tenant, "token": self.token, "items": ITEMS}
        self.ours.sql(OURS.format(**size))
        self.peers.sql(PEERS.format(**size))
        for cluster in (self.peers, self.ours):
            cluster.sql("VACUUM ANALYZE")
            cluster.sql("CHECKPOINT")
        answer = self.ours.sql(f"SELECT status FROM aegis.handle('GET', '/api/bench/items/7', ARRAY['authorization', 'Bearer {self.token}'], NULL, NULL, 'bench')", "gateway")
        if answer != "200":
            raise RuntimeError(f"the route answers {answer}")

    def make_tenant(self):
        return tenant.create(self.ours)[0]

    def pgbench(self, connections):
        return lambda: self.ours.pgbench(STATEMENT.format(items=ITEMS), "gateway", clients=connections, seconds=self.lab.seconds, threads=1,
                                         variables={"token": self.token}, latencies=True)

    def wrk(self, port, path, connections, body=None):
        """With the processor's time of everything but wrk for one answer."""
        seconds = self.lab.seconds * (2 if connections > 64 else 1)  # the handshakes are part of it

        def trial():
            before = profile.ticks()
            figures = server.wrk(port, path, ITEMS, self.token, connections, seconds, body)
            return {**figures, "server_us": (profile.ticks() - before) * 1e6 / TICKS / max(1, figures["figure"] * (seconds or 1))}
        return trial

    def rows(self, ours, floor, node, graph):
        made = []
        for connections in (2, 16, 64, 256):
            series = self.lab.series(
                f"rows_{connections}", f"A row as JSON, {connections} connections", "requests/s", "pgbench" if connections < 256 else "fastify",
                "p50 and p99 in milliseconds; ratios to pgbench with the statement that the gateway sends, with 256 connections to fastify",
                "A row as JSON", f"{connections} connections, requests/s")
            if connections < 256:
                series.variant("pgbench", "pgbench, the same statement", self.pgbench(connections))
            series.variant("aegis", "aegis-server, TLS", self.wrk(ours.port, "/api/bench/items/", connections))
            series.variant("floor", "the floor: TLS to the same statement and back, in C", self.wrk(floor.port, "/api/bench/items/", connections))
            series.variant("fastify", "fastify + pg, TLS, five statements", self.wrk(node.port, "/items/", connections))
            series.variant("fastify_call", "fastify + pg, TLS, one function", self.wrk(node.port, "/call/", connections))
            series.variant("postgraphile", "PostGraphile, TLS", self.wrk(graph.port, "/graphql", connections, GRAPHQL))
            made.append(series)
        return made

    def must_answer(self, graph):
        """GraphQL answers 200 whatever went wrong."""
        request = urllib.request.Request(f"https://localhost:{graph.port}/graphql", GRAPHQL.replace("#", "7").encode(),
                                         {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=graph.certificate), timeout=20) as answer:
            said = json.load(answer)
        if [row["id"] for row in said.get("data", {}).get("allItems", {}).get("nodes", [])] != ["7"]:
            raise RuntimeError(f"PostGraphile answers {said}")

    def constants(self, ours, node):
        made = []
        for connections in (16, 64):
            series = self.lab.series(f"constant_{connections}", f"A constant answer, {connections} connections", "requests/s", "fastify",
                                     "no database; p50 and p99 in milliseconds", "A constant answer, no database", f"{connections} connections, requests/s")
            series.variant("aegis", "aegis-server, GET /api/health", self.wrk(ours.port, "/api/health", connections))
            series.variant("fastify", "fastify", self.wrk(node.port, "/constant", connections))
            made.append(series)
        return made

    def connections(self, ours, node):
        series = self.lab.series("handshakes", "New TLS 1.3 connections", "connections/s", "fastify", "four clients on the same processors")
        for name, title, port in (("aegis", "aegis-server", ours.port), ("fastify", "fastify", node.port)):
            series.variant(name, title, lambda p=port: server.new_connections(p, self.lab.seconds))
        return series

    def crowds(self, ours):
        crowd = server.Crowd(ours.port, ours.certificate, "/api/bench/items/7", self.token)
        files = server.raise_limit()
        count = 50 if self.lab.quick else min(10000, files - 500)
        fewest = self.lab.series("fewest", "256 busy connections: answers of the worst served", "answers", None, "so many of the average; a client in Python")
        fewest.variant("aegis", "aegis-server", lambda: crowd.fewest(32 if self.lab.quick else 256, max(1, self.lab.seconds)))
        idle = self.lab.series("idle", f"{count} idle connections: how many answer then", "connections", None)
        idle.variant("aegis", "aegis-server", lambda: crowd.idle(count))
        self.idle_count = count
        return fewest, idle

    def goals(self, made):
        lab = self.lab
        for connections in (16, 64):
            rows = made[f"rows_{connections}"]
            lab.goal(f"ceiling_{connections}", f"Requests over TLS to pgbench, {connections} connections", ">=", 0.6, rows.ratio("aegis"),
                     loads=(rows, "pgbench", "aegis"), floor=rows.ratio("floor"))
            lab.goal(f"fastify_{connections}", f"Requests to fastify + pg, {connections} connections", ">=", 2, rows.ratio("aegis", "fastify"),
                     loads=(rows, "fastify", "aegis"))
        half, full = made["rows_2"], made["rows_256"]
        lab.goal("half_p99", f"p99 beyond pgbench's at {half.median('aegis') / made['rows_16'].median('aegis'):.0%} of full load (2 connections)", "<=", 2, half.median("aegis", "p99") - half.median("pgbench", "p99"), "ms",
                 loads=(half, "pgbench", "aegis"))
        lab.goal("full_p99", "p99 with 256 busy connections", "<=", 20, full.median("aegis", "p99"), "ms", loads=(full, "floor", "aegis"))
        lab.goal("served", "Answers of the worst served of 256 connections, to the average", ">=", 0.1,
                 made["fewest"].median("aegis") / made["fewest"].median("aegis", "average"),
                 loads=(made["fewest"], "aegis"))
        lab.goal("idle", "Idle connections that are held and answer", ">=", 10000, made["idle"].median("aegis"), "connections", loads=(made["idle"], "aegis"))


def run(lab):
    # What a gateway without limits for one address would take: all load comes from here.
    limits = {"server": {"connections_per_address": 20000, "max_connections": 20000, "workers": WORKERS}, "limits": {"idle_seconds": 600}, "log": {"level": "warn"}}
    files = server.raise_limit()
    with scheduling.as_services() as lab.facts["scheduling"], Cluster(preload="", extensions=()) as peers, Cluster() as cluster:
        lab.say("loading")
        area = Area(lab, peers, cluster)
        area.prepare()
        with Gateway(cluster, settings=limits) as ours, \
                server.Floor(ours.key, ours.certificate, cluster, WORKERS) as floor, \
                server.Node("fastify_pg.mjs", free_port(), ours.key, ours.certificate, peers) as node, \
                server.Node("postgraphile.mjs", free_port(), ours.key, ours.certificate, peers) as graph, \
                profile.watched(ours.process.pid), profile.watched(floor.process.pid), profile.watched(node.process.pid), profile.watched(graph.process.pid):
            area.must_answer(graph)
            made = area.rows(ours, floor, node, graph) + area.constants(ours, node) + [area.connections(ours, node), *area.crowds(ours)]
            lab.facts["files"] = f"{files} open files are allowed to a process"
            lab.measure(made)
            area.goals({series.name: series for series in made})
            lab.explain()
