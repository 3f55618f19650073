# SPDX-License-Identifier: Apache-2.0
"""Every way to read a table. Each gives the keys it showed, or the error; what it should show is the rule's set."""

# {k}: the key of a row of t, {t}: the table, {s}: its short name, {j}: its key columns, {e}: they are those of r.
QUERIES = {
    "SELECT": "SELECT {k} FROM {t} t",
    "SELECT that asks for all tenants": "SELECT {k} FROM {t} t WHERE t.tenant_id IS NOT NULL OR true",
    "SELECT FROM ONLY": "SELECT {k} FROM ONLY {t} t",
    "SELECT of whole rows": "SELECT {k} FROM (SELECT (r).* FROM {t} r) t",
    "subquery behind OFFSET": "SELECT {k} FROM (SELECT * FROM {t} OFFSET 0) t",
    "subquery in WHERE": "SELECT {k} FROM {t} t WHERE ({j}) IN (SELECT {j} FROM {t})",
    "EXISTS": "SELECT {k} FROM {t} t WHERE EXISTS (SELECT FROM {t} r WHERE r.tenant_id = t.tenant_id)",
    "scalar subquery": "SELECT (SELECT {k}) FROM {t} t",
    "lateral": "SELECT x.k FROM {t} r CROSS JOIN LATERAL (SELECT {k} AS k FROM {t} t WHERE {e}) x",
    "join with itself": "SELECT {k} FROM {t} t JOIN {t} r USING ({j})",
    "left join from a list": "SELECT {k} FROM (VALUES (1)) v LEFT JOIN {t} t ON true WHERE t.tenant_id IS NOT NULL",
    "full join": "SELECT {k} FROM {t} t FULL JOIN {t} r ON {e}",
    "WITH MATERIALIZED": "WITH t AS MATERIALIZED (SELECT * FROM {t}) SELECT {k} FROM t",
    "UNION": "SELECT {k} FROM {t} t UNION SELECT {k} FROM {t} t",
    "INTERSECT": "SELECT {k} FROM {t} t INTERSECT SELECT {k} FROM {t} t",
    "DISTINCT": "SELECT DISTINCT {k} FROM {t} t",
    "window": "SELECT first_value({k}) OVER (PARTITION BY {k}) FROM {t} t",
    "aggregate": "SELECT unnest(array_agg({k})) FROM {t} t",
    "json_agg": "SELECT jsonb_array_elements_text(jsonb_agg({k})) FROM {t} t",
    "GROUP BY": "SELECT {k} FROM {t} t GROUP BY {j}",
    "TABLESAMPLE SYSTEM": "SELECT {k} FROM {t} t TABLESAMPLE SYSTEM (100)",
    "TABLESAMPLE BERNOULLI": "SELECT {k} FROM {t} t TABLESAMPLE BERNOULLI (100)",
    "COPY TO": "COPY (SELECT {k} FROM {t} t) TO STDOUT",
    "security_invoker view": "SELECT {k} FROM ways.invoker_{s} t",
    "view of the owner": "SELECT {k} FROM ways.owner_{s} t",
    "security_barrier view": "SELECT {k} FROM ways.barrier_{s} t",
    "SQL function": "SELECT ways.sql_{s}()",
    "SQL function in FROM": "SELECT f FROM ways.sql_{s}() f",
    "SQL function of the owner": "SELECT ways.sql_definer_{s}()",
    "PL/pgSQL function": "SELECT ways.plpgsql_{s}()",
    "PL/pgSQL function of the owner": "SELECT ways.dynamic_{s}()",
}
# COPY of a table with row security reads the table alone.
ONLY = ("SELECT FROM ONLY", "COPY of the table")
# Members are refused a sample, whatever the context: which rows it gives follows from where they lie.
SAMPLES = ("TABLESAMPLE SYSTEM", "TABLESAMPLE BERNOULLI")
LOCKING = {"FOR UPDATE": "SELECT {k} FROM {t} t FOR UPDATE", "FOR SHARE": "SELECT {k} FROM {t} t FOR SHARE"}
FEW = ("SELECT", "view of the owner", "PL/pgSQL function of the owner")
PARALLEL = ("SELECT", "aggregate", "join with itself", "subquery in WHERE")


def fit(template, table):
    return template.format(k=table.key, t=table.name, s=table.short, j=", ".join(table.keys),
                           e=" AND ".join("t.%s = r.%s" % (c, c) for c in table.keys))


def keys(rows):
    """Of rows of one column; a row that comes twice is told from one that comes once."""
    found = [row[0] for row in rows]
    return set(found) if len(set(found)) == len(found) else sorted(found)


def copied(session, table):
    return keys([["/".join(row)] for row in session.run("COPY %s (%s) TO STDOUT" % (table.name, ", ".join(table.keys)))])


def cursor(session, table):
    session.run("DECLARE c SCROLL CURSOR FOR SELECT %s FROM %s t" % (table.key, table.name))
    rows = session.run("FETCH ALL FROM c")
    session.run("MOVE ABSOLUTE 0 FROM c")
    again = session.run("FETCH ALL FROM c")
    session.run("CLOSE c")
    return keys(rows) if rows == again else "two fetches differ"


def prepared(session, table):
    """Seven times: from the sixth on the plan is a generic one, which actors of one session share."""
    sql = "SELECT %s FROM %s t WHERE $1::int = 1" % (table.key, table.name)
    rounds = [sorted(map(str, session.execute(sql, "1"))) for _ in range(7)]
    return keys(session.execute(sql, "1")) if all(r == rounds[0] for r in rounds) else "rounds differ"


def counted(session, table):
    return int(session.value("SELECT count(*) FROM %s" % table.name))


def whispered(session, table):
    """What a leaky function was given, whether or not the row was shown."""
    session.notices.clear()
    session.run("SELECT %s FROM %s t WHERE ways.whisper(%s)" % (table.key, table.name, table.key))
    return keys([[notice.split("whisper ")[1]] for notice in session.notices])


def whispered_over(session, table):
    session.notices.clear()
    session.run("SELECT %s FROM ways.owner_%s t WHERE ways.whisper(%s)" % (table.key, table.short, table.key))
    return keys([[notice.split("whisper ")[1]] for notice in session.notices])


def named(template):
    return lambda session, table: keys(session.run(fit(template, table)))


def ways(table, few=False):
    """name -> (login or None for the actor's own, call, whether the result is a count)"""
    found = {name: (None, named(text)) for name, text in QUERIES.items() if not few or name in FEW}
    if few:
        return found
    if table.mark:
        found.update({name: (None, named(text)) for name, text in LOCKING.items()})
    found.update({"COPY of the table": (None, copied), "cursor": (None, cursor), "prepared statement": (None, prepared),
                  "count(*)": (None, counted), "leaky function": (None, whispered), "leaky function over a view": (None, whispered_over)})
    for name in PARALLEL:
        found["parallel " + name] = ("member_parallel", named(QUERIES[name]))
        found["indexed " + name] = ("member_index", named(QUERIES[name]))
    return found
