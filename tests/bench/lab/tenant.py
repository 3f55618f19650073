"""A tenant with one user, made as an operator would make it, and the token of a sign-in."""

PASSWORD = "seven-quiet-otters-dance-91"
ROLES = """
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE gateway LOGIN IN ROLE aegis_gateway;
CREATE ROLE auditor LOGIN IN ROLE aegis_auditor;
"""


def create(cluster, slug="bench", users=1):
    """Ids of the tenant and of its users, who are ADDRESS(0), ADDRESS(1), ..."""
    tenant = cluster.sql(f"SELECT aegis.create_tenant('{slug}', 'Bench')", user="operator")
    made = cluster.sql(f"""
BEGIN;
SELECT aegis.assume_tenant('{tenant}', 'benchmark', 'BENCH-1', read_only => false) \\g /dev/null
SELECT aegis.create_user(format('user%s@{slug}.example', n), 'Ada Bench', 4::smallint, NULL, '{PASSWORD}') FROM generate_series(0, {users - 1}) n;
COMMIT;""", user="operator")
    return tenant, made.splitlines()


def sign_in(cluster, slug="bench", user="user0"):
    """A session token."""
    return cluster.sql(f"SELECT token FROM aegis.sign_in('{slug}', '{user}@{slug}.example', '{PASSWORD}', '192.0.2.1', 'bench', 'bench')",
                       user="member")
