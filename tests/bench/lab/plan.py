"""How the server goes about a statement of a tenant session. EXPLAIN is refused there, so auto_explain writes plans to the
server's log, which we read."""
import re

SETTINGS = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on",
            "auto_explain.log_timing": "off"}


def of(cluster, role, before, statement):
    """Executes the statement after what has to come before it, rolls back, and returns its plan without costs."""
    with open(cluster.log, encoding="utf-8", errors="replace") as log:
        log.seek(0, 2)
        cluster.sql("".join(f"ALTER ROLE {role} SET {name} = {value};" for name, value in SETTINGS.items()))
        try:
            cluster.sql(f"{before}\\o /dev/null\n{statement};\nROLLBACK;", role)
        finally:
            cluster.sql("".join(f"ALTER ROLE {role} RESET {name};" for name in SETTINGS))
        plans = re.findall(r"plan:\n\tQuery Text: (.*)\n((?:\t.*\n)+)", log.read())
    found = [plan for query, plan in plans if query.rstrip(";") == statement]
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} plans of: {statement}")
    return re.sub(r" *\(cost=[^)]*\)|^\t", "", found[0], flags=re.M).rstrip()
