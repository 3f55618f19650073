# SPDX-License-Identifier: Apache-2.0
"""Deliberate weakenings of a protected database, and who notices each. docs/mutation.md has the same list."""
from dataclasses import dataclass

T = "shop.document"


@dataclass(frozen=True)
class Mutant:
    name: str
    sql: str            # what a superuser runs, in a copy of the database
    refused: str        # the error that the database gives, or nothing
    coverage: tuple     # findings of aegis.coverage() that were not there before
    oracle: bool        # does the oracle see or change other rows than before?
    past: bool = False  # made past the guards, as somebody with the server without the library would


def refused(name, sql, state):
    return Mutant(name, sql, state, (), False)


def noticed(name, sql, *coverage, oracle=False, past=False):
    return Mutant(name, sql, "", coverage, oracle, past)


MUTANTS = [
    # Refused by the database, for a superuser too.
    refused("NO FORCE ROW LEVEL SECURITY", "ALTER TABLE %s NO FORCE ROW LEVEL SECURITY" % T, "AG010"),
    refused("DISABLE ROW LEVEL SECURITY", "ALTER TABLE %s DISABLE ROW LEVEL SECURITY" % T, "AG010"),
    refused("stamp trigger disabled", "ALTER TABLE %s DISABLE TRIGGER zzy_aegis_stamp" % T, "AG010"),
    refused("stamp trigger dropped", "DROP TRIGGER zzy_aegis_stamp ON %s" % T, "AG010"),
    refused("truncate trigger dropped", "DROP TRIGGER aegis_truncate ON %s" % T, "AG010"),
    refused("audit trigger dropped", "DROP TRIGGER aegis_audit_row ON %s" % T, "AG010"),
    refused("follow trigger dropped", "DROP TRIGGER aegis_follow ON %s" % T, "AG010"),
    refused("TRUNCATE", "TRUNCATE %s CASCADE" % T, "AG010"),
    refused("BYPASSRLS for members", "ALTER ROLE aegis_member BYPASSRLS", "AG010"),
    refused("membership in aegis_owner", "GRANT aegis_owner TO member", "AG010"),
    # The same, past the guards.
    noticed("row security not forced, past the guard", "UPDATE pg_class SET relforcerowsecurity = false WHERE oid = '%s'::regclass" % T,
            "row-security-not-forced", oracle=True, past=True),
    noticed("row security off, past the guard", "UPDATE pg_class SET relrowsecurity = false WHERE oid = '%s'::regclass" % T,
            "row-security-off", oracle=True, past=True),
    noticed("stamp trigger disabled, past the guard", "ALTER TABLE %s DISABLE TRIGGER zzy_aegis_stamp" % T,
            "stamp-trigger-missing", oracle=True, past=True),
    noticed("stamp trigger dropped, past the guard", "DROP TRIGGER zzy_aegis_stamp ON shop.board", "stamp-trigger-missing", oracle=True, past=True),
    noticed("truncate trigger dropped, past the guard", "DROP TRIGGER aegis_truncate ON %s" % T, "truncate-trigger-missing", past=True),
    noticed("follow trigger dropped, past the guard", "DROP TRIGGER aegis_follow ON %s" % T, "follow-trigger-missing", past=True),
    noticed("audit trigger dropped, past the guard", "DROP TRIGGER aegis_audit_row ON %s" % T, "audit-trigger-missing", past=True),
    # Policies.
    noticed("policy for SELECT: USING (true)", "ALTER POLICY aegis_select ON %s USING (true)" % T, "policy-changed", oracle=True),
    noticed("policy for UPDATE: USING (true)", "ALTER POLICY aegis_update ON %s USING (true)" % T, "policy-changed", oracle=True),
    noticed("policy for INSERT: WITH CHECK (true)", "ALTER POLICY aegis_insert ON %s WITH CHECK (true)" % T, "policy-changed"),
    noticed("policy for UPDATE: WITH CHECK (true)", "ALTER POLICY aegis_update ON shop.board WITH CHECK (true)", "policy-changed"),
    noticed("policy for SELECT without teams", "ALTER POLICY aegis_select ON %s USING (tenant_id = aegis.tenant_id()"
            " AND created_by BETWEEN aegis.user_lo() AND aegis.user_hi())" % T, "policy-changed", oracle=True),
    noticed("policy for SELECT without creators", "ALTER POLICY aegis_select ON %s USING (tenant_id = aegis.tenant_id()"
            " AND team_ord BETWEEN aegis.team_lo() AND aegis.team_hi())" % T, "policy-changed", oracle=True),
    noticed("policy for SELECT with a lower bound only", "ALTER POLICY aegis_select ON %s USING (tenant_id = aegis.tenant_id()"
            " AND team_ord >= aegis.team_lo() AND created_by BETWEEN aegis.user_lo() AND aegis.user_hi())" % T, "policy-changed", oracle=True),
    noticed("policy for some roles only", "ALTER POLICY aegis_select ON %s TO shopkeeper" % T, "policy-changed", oracle=True),
    noticed("policy for SELECT dropped", "DROP POLICY aegis_select ON %s" % T, "policy-missing", oracle=True),
    noticed("policy for DELETE dropped", "DROP POLICY aegis_delete ON %s" % T, "policy-missing", oracle=True),
    noticed("permissive policy added", "CREATE POLICY everything ON %s USING (true)" % T, "policy-extra", oracle=True),
    # Keys.
    noticed("key without the tenant", "ALTER TABLE %s ADD COLUMN code text UNIQUE" % T, "key-across-tenants"),
    noticed("unique index without the tenant", "ALTER TABLE %s ADD COLUMN code text; CREATE UNIQUE INDEX ON %s (lower(code))" % (T, T),
            "key-across-tenants"),
    noticed("foreign key without the tenant", "ALTER TABLE %s ADD COLUMN code text UNIQUE; ALTER TABLE shop.page ADD COLUMN code text"
            " REFERENCES %s (code)" % (T, T), "foreign-key-across-tenants"),
    noticed("policy on one partition missing", "DROP POLICY aegis_select ON shop.event_1", "policy-missing"),
    noticed("partition not protected", "DELETE FROM aegis.protected_part WHERE relation = 'shop.event_1'::regclass", "partition-unprotected"),
    noticed("single-column key put back", "UPDATE shop.box SET parcel_id = NULL; UPDATE shop.parcel SET id = id + 1000 WHERE tenant_id ="
            " (SELECT id FROM aegis.tenant WHERE slug = 'oracle-two'); ALTER TABLE shop.parcel DROP CONSTRAINT parcel_pkey CASCADE, ADD PRIMARY KEY (id)",
            "key-across-tenants", oracle=True),
    # Functions.
    noticed("upper bound of teams a constant", "CREATE OR REPLACE FUNCTION aegis.team_hi() RETURNS bigint LANGUAGE sql STABLE LEAKPROOF"
            " PARALLEL SAFE AS 'SELECT 9223372036854775807'", "getter-replaced", oracle=True),
    noticed("bounds of users constants", "CREATE OR REPLACE FUNCTION aegis.user_lo() RETURNS uuid LANGUAGE sql STABLE LEAKPROOF"
            " PARALLEL SAFE AS $$SELECT '00000000-0000-0000-0000-000000000000'::uuid$$; CREATE OR REPLACE FUNCTION aegis.user_hi() RETURNS uuid"
            " LANGUAGE sql STABLE LEAKPROOF PARALLEL SAFE AS $$SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid$$", "getter-replaced", oracle=True),
    noticed("tenant a constant", "CREATE OR REPLACE FUNCTION aegis.tenant_id() RETURNS uuid LANGUAGE sql STABLE LEAKPROOF PARALLEL SAFE AS"
            " $$SELECT id FROM aegis.tenant WHERE slug = 'oracle-two'$$; ALTER FUNCTION aegis.tenant_id() SECURITY DEFINER", "definer-search-path", "getter-replaced", oracle=True),
    noticed("getter not leakproof", "ALTER FUNCTION aegis.team_lo() NOT LEAKPROOF", "getter-replaced"),
    noticed("stamp trigger's function emptied", "CREATE OR REPLACE FUNCTION aegis.stamp_row() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'", "function-replaced", oracle=True),
    noticed("way in for everybody", "GRANT EXECUTE ON FUNCTION aegis.create_tenant(text, text, text) TO PUBLIC", "function-grants"),
    noticed("definer function of a superuser", "CREATE FUNCTION ways.all_rows() RETURNS SETOF shop.document LANGUAGE sql SECURITY DEFINER"
            " SET search_path = pg_catalog, pg_temp AS 'SELECT * FROM shop.document'; GRANT EXECUTE ON FUNCTION ways.all_rows() TO aegis_member",
            "definer-bypasses"),
    # What else reads.
    noticed("view of a superuser", "ALTER VIEW ways.owner_document OWNER TO postgres; GRANT SELECT ON ways.owner_document TO aegis_member",
            "view-not-invoker", oracle=True),
    noticed("view of a superuser, new", "CREATE VIEW ways.all_documents AS SELECT * FROM shop.document; GRANT SELECT ON ways.all_documents TO aegis_member",
            "view-not-invoker"),
    noticed("materialized view", "CREATE MATERIALIZED VIEW ways.kept AS SELECT * FROM shop.document; GRANT SELECT ON ways.kept TO aegis_member",
            "materialized-view"),
    noticed("rule", "CREATE RULE aside AS ON INSERT TO shop.board DO ALSO DELETE FROM shop.diary", "rule-on-protected", oracle=True),
    noticed("table that inherits, granted", "CREATE TABLE shop.old_document () INHERITS (shop.document); GRANT SELECT ON shop.old_document"
            " TO aegis_member", "child-unprotected", "grant-on-partition", "key-across-tenants"),
    noticed("unprotected table, granted", "CREATE TABLE shop.loose (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id)); GRANT SELECT ON shop.loose"
            " TO aegis_member", "grant-on-unprotected", "table-unprotected"),
    noticed("TRUNCATE granted", "GRANT TRUNCATE ON %s TO aegis_member" % T, "grant-beyond-rows"),
    noticed("capture taken away", "SELECT aegis.unaudit_table('%s')" % T, "table-unaudited"),
    # By hand: aegis.unprotect_table() needs the worker, which records it.
    noticed("protection taken away", "DELETE FROM aegis.protected_table WHERE relation = 'shop.setting'::regclass;"
            " ALTER TABLE shop.setting DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY", "grant-on-unprotected", "table-unprotected", oracle=True),
]
