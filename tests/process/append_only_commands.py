# SPDX-License-Identifier: Apache-2.0
"""What is tried against the ledger: commands, each with what it is made for. The objects come from the catalog.

A command is SQL with names in braces, and the kind of object that it is tried on:
  table      every table of the ledger, partitioned, partition or plain       {t} its name, {n} without the schema
  column     every column of every table                                     {t}, {c} the column, {ty} its type
  part       every partition                                                  {t}, {p} the table that it belongs to
  index, sequence, view, toast                                                {t}
  trigger, constraint, rule                                                   {t}, {o} the object
  function   every function of the ledger                                     {f} with its arguments, {n} its name, {a} its arguments
  once       one time
It must be refused with AG006, or, for objects that PostgreSQL itself protects from it, with one of the states in `also`.
What says why in `allowed` may pass, but must leave everything as it was: what is stored, and what protects it.
"""
from collections import namedtuple

Command = namedtuple("Command", "tag sql on also allowed")
WRONG_KIND = ("42809",)  # not for this kind of relation
OF_PARENT = ("42P16",)  # the table that is partitioned decides


def c(tag, sql, on="table", also=(), allowed=None):
    return Command(tag, sql, on, tuple(also), allowed)


# Subcommands of ALTER TABLE, by the names that the server gives them; the test compares them with the server's header.
ALTER_TABLE = {
    "AddColumn": "ADD COLUMN more text DEFAULT 'x'",
    "AddColumnToView": None,
    "AlterColumnType": ("ALTER COLUMN {c} TYPE text USING 'x'", "ALTER COLUMN {c} TYPE {ty}"),
    "AddConstraint": "ADD CONSTRAINT never CHECK (false) NOT VALID",
    "AddIdentity": "ALTER COLUMN {c} ADD GENERATED ALWAYS AS IDENTITY",
    "AddIndex": "ADD PRIMARY KEY ({c})",
    "AddIndexConstraint": "ADD CONSTRAINT x UNIQUE USING INDEX nowhere",
    "AddInherit": "INHERIT try.parent",
    "AddOf": "OF try.shape",
    "AlterConstraint": "ALTER CONSTRAINT {o} DEFERRABLE",
    "AttachPartition": "ATTACH PARTITION try.part FOR VALUES FROM (-2) TO (-1)",
    "ChangeOwner": "OWNER TO CURRENT_USER",
    "ClusterOn": "CLUSTER ON nowhere",
    "ColumnDefault": ("ALTER COLUMN {c} SET DEFAULT NULL", "ALTER COLUMN {c} DROP DEFAULT"),
    "DetachPartition": "DETACH PARTITION aegis.entry_p0",
    "DetachPartitionFinalize": "DETACH PARTITION aegis.entry_p0 FINALIZE",
    "DisableRowSecurity": "DISABLE ROW LEVEL SECURITY",
    "DisableRule": "DISABLE RULE nowhere",
    "DisableTrig": "DISABLE TRIGGER refuse_change",
    "DisableTrigAll": "DISABLE TRIGGER ALL",
    "DisableTrigUser": "DISABLE TRIGGER USER",
    "DropCluster": "SET WITHOUT CLUSTER",
    "DropColumn": "DROP COLUMN {c} CASCADE",
    "DropConstraint": "DROP CONSTRAINT {o} CASCADE",
    "DropExpression": "ALTER COLUMN {c} DROP EXPRESSION IF EXISTS",
    "DropIdentity": "ALTER COLUMN {c} DROP IDENTITY IF EXISTS",
    "DropInherit": "NO INHERIT aegis.entry",
    "DropNotNull": "ALTER COLUMN {c} DROP NOT NULL",
    "DropOf": "NOT OF",
    "DropOids": "SET WITHOUT OIDS",
    "EnableAlwaysRule": "ENABLE ALWAYS RULE nowhere",
    "EnableAlwaysTrig": "ENABLE ALWAYS TRIGGER refuse_change",
    "EnableReplicaRule": "ENABLE REPLICA RULE nowhere",
    "EnableReplicaTrig": "ENABLE REPLICA TRIGGER refuse_change",
    "EnableRowSecurity": "ENABLE ROW LEVEL SECURITY",
    "EnableRule": "ENABLE RULE nowhere",
    "EnableTrig": "ENABLE TRIGGER refuse_change",
    "EnableTrigAll": "ENABLE TRIGGER ALL",
    "EnableTrigUser": "ENABLE TRIGGER USER",
    "ForceRowSecurity": "FORCE ROW LEVEL SECURITY",
    "NoForceRowSecurity": "NO FORCE ROW LEVEL SECURITY",
    "ReplicaIdentity": ("REPLICA IDENTITY FULL", "REPLICA IDENTITY NOTHING"),
    "ResetOptions": "ALTER COLUMN {c} RESET (n_distinct)",
    "ResetRelOptions": "RESET (fillfactor)",
    "SetAccessMethod": "SET ACCESS METHOD heap",
    "SetCompression": "ALTER COLUMN {c} SET COMPRESSION default",
    "SetIdentity": "ALTER COLUMN {c} SET GENERATED ALWAYS",
    "SetLogged": "SET LOGGED",
    "SetNotNull": "ALTER COLUMN {c} SET NOT NULL",
    "SetOptions": "ALTER COLUMN {c} SET (n_distinct = 5)",
    "SetRelOptions": "SET (autovacuum_enabled = off)",
    "SetStatistics": "ALTER COLUMN {c} SET STATISTICS 0",
    "SetStorage": "ALTER COLUMN {c} SET STORAGE PLAIN",
    "SetTableSpace": "SET TABLESPACE pg_default",
    "SetUnLogged": "SET UNLOGGED",
    "ValidateConstraint": "VALIDATE CONSTRAINT {o}",
}
# What the server makes of others, what only foreign tables have, and what has no syntax.
NOT_WRITTEN = """AddColumnRecurse AddConstraintRecurse AlterColumnGenericOptions CheckNotNull CookedColumnDefault DropColumnRecurse
DropConstraintRecurse GenericOptions ReAddComment ReAddConstraint ReAddDomainConstraint ReAddIndex ReAddStatistics
ReplaceRelOptions ValidateConstraintRecurse""".split()


def alter_table():
    for kind, forms in ALTER_TABLE.items():
        for form in (forms,) if isinstance(forms, str) else forms or ():
            on = "column" if "{c}" in form else "constraint" if "{o}" in form else "table"
            yield c("ALTER TABLE", "ALTER TABLE {t} " + form, on)
            yield c("ALTER TABLE", "ALTER TABLE ONLY {t} " + form, on)


ROWS = [
    c("INSERT", "INSERT INTO {t} OVERRIDING SYSTEM VALUE SELECT * FROM {t} LIMIT 1"),
    c("INSERT", "INSERT INTO {t} OVERRIDING SYSTEM VALUE SELECT * FROM {t} ON CONFLICT DO NOTHING"),
    c("UPDATE", "UPDATE {t} SET {c} = DEFAULT", "column"),
    c("UPDATE", "UPDATE ONLY {t} SET {c} = DEFAULT WHERE false", "column"),
    c("DELETE", "DELETE FROM {t}"),
    c("DELETE", "DELETE FROM {t} WHERE ctid = '(0,1)'"),
    c("DELETE", "WITH gone AS (DELETE FROM {t} RETURNING *) SELECT count(*) FROM gone"),
    c("DELETE", "EXPLAIN ANALYZE DELETE FROM {t}"),
    c("EXECUTE", "DEALLOCATE ALL; PREPARE try AS DELETE FROM {t}; EXECUTE try"),
    c("MERGE", "MERGE INTO {t} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE"),
    c("MERGE", "MERGE INTO {t} t USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET {c} = DEFAULT", "column"),
    c("MERGE", "MERGE INTO {t} t USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES"),
    c("COPY FROM", "COPY {t} FROM '/dev/null'"),
    c("COPY FROM", "COPY {t} FROM PROGRAM 'true' (FORMAT binary)"),
    c("COPY FROM", "COPY {t} FROM '/dev/null' (FREEZE)"),
    c("SELECT FOR UPDATE", "SELECT * FROM {t} FOR UPDATE"),
    c("SELECT FOR NO KEY UPDATE", "SELECT * FROM {t} FOR NO KEY UPDATE"),
    c("SELECT FOR SHARE", "SELECT * FROM {t} LIMIT 1 FOR SHARE"),
    c("SELECT FOR KEY SHARE", "SELECT * FROM {t} FOR KEY SHARE SKIP LOCKED"),
    c("DECLARE CURSOR", "DECLARE d CURSOR FOR SELECT * FROM {t} FOR UPDATE; FETCH d"),
    c("DO", "DO 'BEGIN DELETE FROM {t};END'"),
    c("DO", "CREATE FUNCTION try.definer() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM {t}'; "
            "ALTER FUNCTION try.definer() OWNER TO aegis_owner; SELECT try.definer()", also=("42501",)),
    c("CREATE VIEW", "CREATE VIEW try.v AS SELECT * FROM {t}; DELETE FROM try.v"),
    c("CREATE VIEW", "CREATE VIEW try.v AS SELECT * FROM {t}; ALTER VIEW try.v OWNER TO aegis_owner; UPDATE try.v SET {c} = DEFAULT", "column",
      also=("428C9",)),  # no default of a view is one of its table's identity
    c("CREATE RULE", "CREATE TABLE try.bait (); CREATE RULE r AS ON INSERT TO try.bait DO INSTEAD DELETE FROM {t}; ALTER TABLE try.bait ENABLE ALWAYS RULE r; INSERT INTO try.bait DEFAULT VALUES"),
    c("TRUNCATE TABLE", "TRUNCATE {t}"),
    c("TRUNCATE TABLE", "TRUNCATE ONLY {t} RESTART IDENTITY CASCADE"),
    c("TRUNCATE TABLE", "TRUNCATE try.part, {t}"),
]

TABLES = [
    c("ALTER TABLE", "ALTER TABLE {t} RENAME TO other"),
    c("ALTER TABLE", "ALTER TABLE {t} RENAME COLUMN {c} TO other", "column"),
    c("ALTER TABLE", "ALTER TABLE {t} RENAME CONSTRAINT {o} TO other", "constraint"),
    c("ALTER TABLE", "ALTER TABLE {t} SET SCHEMA public"),
    c("ALTER TABLE", "ALTER FOREIGN TABLE {t} OWNER TO CURRENT_USER"),
    c("ALTER TABLE", "ALTER TABLE {p} DETACH PARTITION {t}", "part"),
    c("ALTER TABLE", "ALTER TABLE {p} DETACH PARTITION {t} CONCURRENTLY", "part", also=("25001",)),
    c("ALTER TABLE", "ALTER TABLE {t} NO INHERIT {p}", "part"),
    c("ALTER TABLE", "CREATE TABLE try.other (LIKE {t}) PARTITION BY LIST ({c}); ALTER TABLE try.other ATTACH PARTITION {t} DEFAULT", "column",
      also=("42704",)),
    c("ALTER TABLE", "CREATE TABLE try.like (LIKE {t}); ALTER TABLE try.like INHERIT {t}"),
    c("ALTER TABLE", "CREATE TABLE try.like (LIKE {t}); ALTER TABLE {t} INHERIT try.like"),
    c("ALTER TABLE", "CREATE TABLE try.like (LIKE {t}); ALTER TABLE try.like ADD FOREIGN KEY ({c}) REFERENCES {t}", "column", also=("42830", "42704", "42804", "42P16")),
    c("CREATE TABLE", "CREATE TABLE try.child () INHERITS ({t})"),
    c("CREATE TABLE", "CREATE TABLE try.child PARTITION OF {t} FOR VALUES FROM (-2) TO (-1)", also=WRONG_KIND + ("42P17",)),
    c("CREATE TABLE", "CREATE TABLE try.refers (x {ty} REFERENCES {t} ({c}) ON DELETE CASCADE)", "column", also=("42830",)),
    c("CREATE FOREIGN TABLE", "CREATE FOREIGN TABLE try.child PARTITION OF {t} FOR VALUES FROM (-2) TO (-1) SERVER try", also=WRONG_KIND + ("42P17",)),
    c("CREATE FOREIGN TABLE", "CREATE FOREIGN TABLE try.child () INHERITS ({t}) SERVER try", also=WRONG_KIND),
    c("DROP TABLE", "DROP TABLE {t}", also=("2BP01",)),
    c("DROP TABLE", "DROP TABLE {t} CASCADE", also=("2BP01",)),
    c("DROP FOREIGN TABLE", "DROP FOREIGN TABLE {t}", also=WRONG_KIND),
    c("ALTER MATERIALIZED VIEW", "ALTER MATERIALIZED VIEW {t} RENAME TO other"),
    c("DROP MATERIALIZED VIEW", "DROP MATERIALIZED VIEW {t}", also=WRONG_KIND),
    c("REFRESH MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW {t}", also=("0A000",)),
    c("CREATE INDEX", "CREATE INDEX ON {t} ({c})", "column"),
    c("CREATE INDEX", "CREATE UNIQUE INDEX ON ONLY {t} ({c}) WHERE false", "column"),
    c("CREATE INDEX", "CREATE INDEX CONCURRENTLY ON {t} ({c})", "column", also=("0A000", "25001")),
    c("CREATE TRIGGER", "CREATE TRIGGER t BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION try.trigger()"),
    c("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER refuse_truncate AFTER TRUNCATE ON {t} FOR EACH STATEMENT EXECUTE FUNCTION try.trigger()"),
    c("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON {t} DEFERRABLE FOR EACH ROW EXECUTE FUNCTION try.trigger()"),
    c("CREATE RULE", "CREATE RULE r AS ON INSERT TO {t} DO INSTEAD NOTHING"),
    c("CREATE RULE", "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO {t} DO INSTEAD SELECT * FROM {t}"),
    c("CREATE POLICY", "CREATE POLICY p ON {t} USING (false)"),
    c("ALTER TYPE", "ALTER TYPE {t} OWNER TO CURRENT_USER", also=WRONG_KIND),
    c("ALTER TYPE", "ALTER TYPE {t} RENAME TO other", also=WRONG_KIND),
    c("ALTER TYPE", "ALTER TYPE {t} SET SCHEMA public", also=WRONG_KIND),
    c("ALTER TYPE", "ALTER TYPE {t} ADD ATTRIBUTE more text CASCADE", also=WRONG_KIND),
    c("ALTER TYPE", "ALTER TYPE {t} RENAME ATTRIBUTE {c} TO other CASCADE", "column", also=WRONG_KIND),
    c("DROP TYPE", "DROP TYPE {t} CASCADE", also=("2BP01",)),
    c("CREATE STATISTICS", "CREATE STATISTICS try.s ON ({c}::text) FROM {t}", "column"),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis DROP TABLE {t}"),
    c("ALTER EXTENSION", "ALTER EXTENSION plpgsql ADD TABLE {t}", also=("55000",)),
    c("LOCK TABLE", "LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE", allowed="holds the sealer up, and health says so"),
    c("ANALYZE", "ANALYZE {t}", allowed="statistics"),
    c("COMMENT", "COMMENT ON TABLE {t} IS 'x'", allowed="comments protect nothing"),
    c("COMMENT", "COMMENT ON COLUMN {t}.{c} IS 'x'", "column", allowed="comments protect nothing"),
    c("SECURITY LABEL", "SECURITY LABEL ON TABLE {t} IS 'x'", also=WRONG_KIND),
    c("SELECT INTO", "SELECT * INTO try.copy FROM {t}", allowed="a copy"),
    c("CREATE TABLE AS", "CREATE TABLE try.copy AS TABLE {t}", allowed="a copy"),
    c("CREATE TABLE", "CREATE TABLE try.copy (LIKE {t} INCLUDING ALL)", allowed="a copy"),
    c("CREATE MATERIALIZED VIEW", "CREATE MATERIALIZED VIEW try.copy AS TABLE {t}", allowed="a copy"),
    c("COPY", "COPY (SELECT * FROM {t}) TO '/dev/null'", allowed="reading"),
    c("CREATE PUBLICATION", "CREATE PUBLICATION try FOR TABLE {t}", allowed="reading"),
]

PARTS = [
    c("ALTER TRIGGER", "ALTER TRIGGER {o} ON {t} RENAME TO other", "trigger"),
    c("ALTER TRIGGER", "ALTER TRIGGER {o} ON {t} DEPENDS ON EXTENSION plpgsql", "trigger"),
    c("DROP TRIGGER", "DROP TRIGGER {o} ON {t} CASCADE", "trigger", also=("2BP01",)),
    c("ALTER TABLE", "ALTER TABLE {t} DISABLE TRIGGER {o}", "trigger"),
    c("COMMENT", "COMMENT ON TRIGGER {o} ON {t} IS 'x'", "trigger", allowed="comments protect nothing"),
    c("ALTER RULE", "ALTER RULE {o} ON {t} RENAME TO other", "rule", also=("42P17",)),
    c("DROP RULE", "DROP RULE {o} ON {t} CASCADE", "rule", also=("2BP01",)),
    c("ALTER INDEX", "ALTER INDEX {t} RENAME TO other", "index"),
    c("ALTER INDEX", "ALTER INDEX {t} SET (fillfactor = 50)", "index"),
    c("ALTER INDEX", "ALTER INDEX {t} SET TABLESPACE pg_default", "index"),
    c("ALTER INDEX", "ALTER INDEX {t} ALTER COLUMN 1 SET STATISTICS 5", "index"),
    c("ALTER INDEX", "ALTER INDEX {t} DEPENDS ON EXTENSION plpgsql", "index"),
    c("ALTER INDEX", "ALTER INDEX {t} NO DEPENDS ON EXTENSION aegis", "index"),
    c("ALTER TABLE", "ALTER TABLE {t} RENAME TO other", "index"),
    c("DROP INDEX", "DROP INDEX {t} CASCADE", "index", also=("2BP01",)),
    c("DROP INDEX", "DROP INDEX CONCURRENTLY {t}", "index", also=("2BP01", "25001")),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} RESTART", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} INCREMENT 1 CACHE 100 CYCLE", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} OWNED BY NONE", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} AS bigint", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} RENAME TO other", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} SET SCHEMA public", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} OWNER TO CURRENT_USER", "sequence"),
    c("ALTER SEQUENCE", "ALTER SEQUENCE {t} SET UNLOGGED", "sequence"),
    c("DROP SEQUENCE", "DROP SEQUENCE {t} CASCADE", "sequence", also=("2BP01",)),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis DROP SEQUENCE {t}", "sequence"),
    c("UPDATE", "UPDATE {t} SET last_value = 1", "sequence", also=WRONG_KIND),
    c("DELETE", "DELETE FROM {t}", "sequence", also=WRONG_KIND),
    c("COPY FROM", "COPY {t} FROM '/dev/null'", "sequence", also=WRONG_KIND),
    c("CREATE VIEW", "CREATE OR REPLACE VIEW {t} AS SELECT * FROM {t}", "view", also=("42P17",)),
    c("ALTER VIEW", "ALTER VIEW {t} RENAME TO other", "view"),
    c("ALTER VIEW", "ALTER VIEW {t} SET SCHEMA public", "view"),
    c("ALTER VIEW", "ALTER VIEW {t} OWNER TO CURRENT_USER", "view"),
    c("ALTER VIEW", "ALTER VIEW {t} SET (security_invoker = true, security_barrier = true)", "view"),
    c("DROP VIEW", "DROP VIEW {t} CASCADE", "view", also=("2BP01",)),
    c("CREATE RULE", "CREATE RULE r AS ON INSERT TO {t} DO INSTEAD NOTHING", "view"),
    c("CREATE RULE", "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO {t} DO INSTEAD SELECT * FROM {t}", "view", also=("42P17",)),
    c("CREATE TRIGGER", "CREATE TRIGGER t INSTEAD OF INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION try.trigger()", "view"),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis DROP VIEW {t}", "view"),
    c("DELETE", "DELETE FROM {t}", "toast", also=WRONG_KIND),
    c("UPDATE", "UPDATE {t} SET chunk_data = ''", "toast", also=WRONG_KIND),
    c("TRUNCATE TABLE", "TRUNCATE {t}", "toast", also=WRONG_KIND + ("42501",)),
    c("ALTER TABLE", "ALTER TABLE {t} SET (fillfactor = 50)", "toast", also=WRONG_KIND + ("42501",)),
    c("ALTER TABLE", "ALTER TABLE {t} RENAME TO other", "toast", also=WRONG_KIND + ("42501",)),
    c("ALTER TABLE", "ALTER TABLE {t} OWNER TO CURRENT_USER", "toast", also=WRONG_KIND + ("42501",)),
    c("DROP TABLE", "DROP TABLE {t} CASCADE", "toast", also=WRONG_KIND + ("42501", "2BP01")),
    c("CREATE INDEX", "CREATE INDEX ON {t} (chunk_id)", "toast", also=WRONG_KIND + ("42501",)),
    c("CREATE TRIGGER", "CREATE TRIGGER t BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION try.trigger()", "toast", also=WRONG_KIND + ("42501",)),
    c("CREATE RULE", "CREATE RULE r AS ON INSERT TO {t} DO INSTEAD NOTHING", "toast", also=WRONG_KIND + ("42501",)),
    c("DROP INDEX", "DROP INDEX {t} CASCADE", "toast index", also=("42501", "2BP01")),
    c("ALTER INDEX", "ALTER INDEX {t} RENAME TO other", "toast index", also=("42501",)),
    c("ALTER INDEX", "ALTER INDEX {t} SET (fillfactor = 50)", "toast index", also=("42501",)),
    c("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION {f} RETURNS void LANGUAGE sql AS ''", "function", also=("42P13",)),
    c("CREATE FUNCTION", "CREATE FUNCTION aegis.{n}(try.shape) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function"),
    c("CREATE FUNCTION", "CREATE FUNCTION try.{n}(try.shape) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                         "ALTER FUNCTION try.{n}(try.shape) SET SCHEMA aegis", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} RENAME TO other", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} OWNER TO CURRENT_USER", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} SET SCHEMA public", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} SET search_path = public", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} SECURITY INVOKER", "function"),
    c("ALTER FUNCTION", "ALTER FUNCTION {f} DEPENDS ON EXTENSION plpgsql", "function"),
    c("ALTER ROUTINE", "ALTER ROUTINE {f} IMMUTABLE", "function"),
    c("DROP FUNCTION", "DROP FUNCTION {f} CASCADE", "function", also=("2BP01",)),
    c("DROP ROUTINE", "DROP ROUTINE {f} CASCADE", "function", also=("2BP01",)),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis DROP FUNCTION {f}", "function"),
]

ONCE = [
    c("ALTER SCHEMA", "ALTER SCHEMA aegis RENAME TO other", "once"),
    c("ALTER SCHEMA", "ALTER SCHEMA aegis OWNER TO pg_monitor", "once"),
    c("DROP SCHEMA", "DROP SCHEMA aegis CASCADE", "once"),
    c("DROP EXTENSION", "DROP EXTENSION aegis CASCADE", "once"),
    c("DROP EXTENSION", "DROP EXTENSION aegis", "once"),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis SET SCHEMA public", "once", also=("0A000",)),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis DROP SCHEMA aegis", "once"),
    c("ALTER EXTENSION", "ALTER EXTENSION aegis UPDATE TO '9.9'", "once", also=("22023",)),
    c("CREATE EXTENSION", "CREATE EXTENSION aegis SCHEMA public", "once", also=("42710", "0A000")),
    c("DROP OWNED", "DROP OWNED BY aegis_owner CASCADE", "once", also=("AG010",)),
    c("REASSIGN OWNED", "REASSIGN OWNED BY aegis_owner TO CURRENT_USER", "once", also=("AG010",)),
    c("DROP ROLE", "DROP ROLE aegis_owner", "once", also=("2BP01", "AG010")),
    c("ALTER ROLE", "ALTER ROLE aegis_owner LOGIN", "once", also=("AG010",)),
    c("ALTER ROLE", "ALTER ROLE aegis_owner SUPERUSER", "once", also=("AG010",)),
    c("GRANT ROLE", "GRANT aegis_owner TO CURRENT_USER", "once", also=("AG010",)),
    c("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION pg_catalog.pg_snapshot_xmax(pg_snapshot) RETURNS xid8 LANGUAGE sql AS 'SELECT NULL::xid8'", "once"),
    c("ALTER FUNCTION", "ALTER FUNCTION pg_catalog.sha256(bytea) SET work_mem = '1MB'", "once"),
    c("SET", "SET aegis.ledger_guard = off", "once", also=("55P02",)),
    c("SET", "SET aegis.restore_mode = on", "once", also=("55P02",)),
    c("ALTER SYSTEM", "ALTER SYSTEM SET aegis.ledger_guard = off", "once", also=("25001",)),
    c("SET", "SET aegis.seal_interval = '1h'", "once", also=("55P02",)),
    c("LOAD", "LOAD 'aegis'", "once", allowed="the library is there already"),
    c("SELECT", "SELECT lo_from_bytea(0, 'x')", "once", allowed="large objects are none of the ledger's"),
    c("CREATE PUBLICATION", "CREATE PUBLICATION try FOR ALL TABLES", "once", allowed="reading"),
    c("CREATE PUBLICATION", "CREATE PUBLICATION try FOR TABLES IN SCHEMA aegis", "once", allowed="reading"),
]

# Functions of the server and of its own extensions that are given a relation: the test compares them with the catalog. Those that
# only read are named, the others are tried. Extensions are in schema try.
FUNCTIONS = [
    c("SELECT", "SELECT try.heap_force_kill('{t}', ARRAY['(0,1)'::tid])"),
    c("SELECT", "SELECT try.heap_force_freeze('{t}', ARRAY['(0,1)'::tid])"),
    c("DO", "DO $$ BEGIN PERFORM try.heap_force_kill('{t}', ARRAY['(0,1)'::tid]); END $$"),
    c("SELECT", "SELECT try.surgery('{t}', ARRAY['(0,1)'::tid])"),  # the same under another name
    # As what an index calls to compare: below every plan.
    c("SELECT", "CREATE FUNCTION try.kill(oid, tid[]) RETURNS int AS '$libdir/pg_surgery', 'heap_force_kill' LANGUAGE C IMMUTABLE STRICT; "
                "CREATE FUNCTION try.same(oid, tid[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'; "
                "CREATE OPERATOR try.~~~ (LEFTARG = oid, RIGHTARG = tid[], FUNCTION = try.same); CREATE OPERATOR FAMILY try.f USING btree; "
                "CREATE OPERATOR CLASS try.c FOR TYPE oid USING btree FAMILY try.f AS OPERATOR 3 =, FUNCTION 1 btoidcmp(oid, oid); "
                "ALTER OPERATOR FAMILY try.f USING btree ADD OPERATOR 3 try.~~~ (oid, tid[]), FUNCTION 1 (oid, tid[]) try.kill(oid, tid[]); "
                "CREATE TABLE try.x AS SELECT '{t}'::regclass::oid AS o; CREATE INDEX ON try.x (o try.c); SET LOCAL enable_seqscan = off; "
                "SET LOCAL enable_bitmapscan = off; SELECT * FROM try.x WHERE o OPERATOR(try.~~~) ARRAY['(0,1)'::tid]"),
    c("DO", "CREATE FUNCTION try.kill(oid, tid[]) RETURNS oid AS '$libdir/pg_surgery', 'heap_force_kill' LANGUAGE C; DO $$ BEGIN "
            "EXECUTE format('CREATE AGGREGATE try.a(tid[]) (SFUNC = try.kill, STYPE = oid, INITCOND = %L)', '{t}'::regclass::oid); "
            "PERFORM try.a(ARRAY['(0,1)'::tid]); END $$"),
    c("SELECT", "SELECT try.heap_force_kill('{t}', ARRAY['(0,1)'::tid])", "toast"),
    c("SELECT", "SELECT try.pg_truncate_visibility_map('{t}')", allowed="what VACUUM has to look at"),
    c("SELECT", "SELECT gin_clean_pending_list('{t}')", "index", also=WRONG_KIND),
    c("SELECT", "SELECT brin_summarize_new_values('{t}')", "index", also=WRONG_KIND),
    c("SELECT", "SELECT brin_summarize_range('{t}', 1)", "index", also=WRONG_KIND),
    c("SELECT", "SELECT brin_desummarize_range('{t}', 1)", "index", also=WRONG_KIND),
    c("SELECT", "SELECT pg_extension_config_dump('{t}', 'WHERE false')", also=("0A000",)),
    c("SELECT", "SELECT pg_nextoid('{t}', 'oid', '{t}')", also=WRONG_KIND),
    c("SELECT", "SELECT nextval('{t}')", "sequence", allowed="gaps mean nothing"),
    # Backwards as well, and no rollback takes it back. tamper_edits.py: entries, repeated.
    c("SELECT", "SELECT setval('{t}', last_value + 1) FROM {t}", "sequence", allowed="of a number that was drawn twice verification says so"),
]
READING = set("""bt_index_check bt_index_parent_check currval hash_bitmap_info pg_check_frozen pg_check_visible pg_freespace pg_indexes_size
pg_partition_ancestors pg_partition_tree pg_prewarm pg_relation_size pg_relpages pg_sequence_last_value pg_table_size pg_total_relation_size
pg_visibility pg_visibility_map pg_visibility_map_summary pgstatginindex pgstathashindex pgstatindex pgstattuple pgstattuple_approx
verify_heapam""".split())

# Rows of the catalogs themselves, past all commands: every catalog that is there.
CATALOG = [
    c("UPDATE", "UPDATE {t} SET {c} = {c}", "catalog"),
    c("DELETE", "DELETE FROM {t} WHERE false", "catalog"),
    c("INSERT", "INSERT INTO {t} SELECT * FROM {t} LIMIT 0", "catalog"),
]
# Catalogs that people change by hand, and that say nothing of the ledger.
OPEN_CATALOGS = "pg_database pg_db_role_setting pg_description pg_largeobject pg_largeobject_metadata pg_shdescription pg_statistic pg_statistic_ext_data".split()

# These cannot run in a transaction; they put new files under the same rows.
ALONE = [
    c("VACUUM", "VACUUM {t}", allowed="the same rows"),
    c("VACUUM", "VACUUM (FULL, FREEZE) {t}", allowed="the same rows"),
    c("CLUSTER", "CLUSTER {t} USING {n}", "index", also=("0A000",), allowed="the same rows"),
    c("REINDEX", "REINDEX TABLE {t}", allowed="the same rows"),
    c("REINDEX", "REINDEX TABLE CONCURRENTLY {t}", allowed="the same rows"),
    c("REINDEX", "REINDEX INDEX {i}", "index", allowed="the same rows"),
]

# Guarded like the ledger, and none of it: what the server is compared with to find changes, which become entries.
HOOKS_ONLY = ["aegis.watched"]

COMMANDS = ROWS + list(alter_table()) + TABLES + PARTS + ONCE + FUNCTIONS

# Commands that name no object of a ledger, by the tags of the server.
ELSEWHERE = set("""ALTER ACCESS METHOD,ALTER AGGREGATE,ALTER CAST,ALTER COLLATION,ALTER CONSTRAINT,ALTER CONVERSION,ALTER DATABASE,
ALTER DEFAULT PRIVILEGES,ALTER DOMAIN,ALTER EVENT TRIGGER,ALTER FOREIGN DATA WRAPPER,ALTER FOREIGN TABLE,ALTER LANGUAGE,ALTER LARGE OBJECT,
ALTER OPERATOR,ALTER OPERATOR CLASS,ALTER OPERATOR FAMILY,ALTER POLICY,ALTER PROCEDURE,ALTER PUBLICATION,ALTER SERVER,ALTER STATISTICS,
ALTER SUBSCRIPTION,ALTER TABLESPACE,ALTER TEXT SEARCH CONFIGURATION,ALTER TEXT SEARCH DICTIONARY,ALTER TEXT SEARCH PARSER,
ALTER TEXT SEARCH TEMPLATE,ALTER TRANSFORM,ALTER USER MAPPING,BEGIN,CALL,CHECKPOINT,CLOSE,CLOSE CURSOR,CLOSE CURSOR ALL,COMMIT,
COMMIT PREPARED,CREATE ACCESS METHOD,CREATE AGGREGATE,CREATE CAST,CREATE COLLATION,CREATE CONSTRAINT,CREATE CONVERSION,CREATE DATABASE,
CREATE DOMAIN,CREATE EVENT TRIGGER,CREATE FOREIGN DATA WRAPPER,CREATE LANGUAGE,CREATE OPERATOR,CREATE OPERATOR CLASS,
CREATE OPERATOR FAMILY,CREATE PROCEDURE,CREATE ROLE,CREATE ROUTINE,CREATE SCHEMA,CREATE SEQUENCE,CREATE SERVER,CREATE SUBSCRIPTION,
CREATE TABLESPACE,CREATE TEXT SEARCH CONFIGURATION,CREATE TEXT SEARCH DICTIONARY,CREATE TEXT SEARCH PARSER,CREATE TEXT SEARCH TEMPLATE,
CREATE TRANSFORM,CREATE TYPE,CREATE USER MAPPING,DEALLOCATE,DEALLOCATE ALL,DISCARD,DISCARD ALL,DISCARD PLANS,DISCARD SEQUENCES,
DISCARD TEMP,DROP ACCESS METHOD,DROP AGGREGATE,DROP CAST,DROP COLLATION,DROP CONSTRAINT,DROP CONVERSION,DROP DATABASE,DROP DOMAIN,
DROP EVENT TRIGGER,DROP FOREIGN DATA WRAPPER,DROP LANGUAGE,DROP OPERATOR,DROP OPERATOR CLASS,DROP OPERATOR FAMILY,DROP POLICY,
DROP PROCEDURE,DROP PUBLICATION,DROP SERVER,DROP STATISTICS,DROP SUBSCRIPTION,DROP TABLESPACE,DROP TEXT SEARCH CONFIGURATION,
DROP TEXT SEARCH DICTIONARY,DROP TEXT SEARCH PARSER,DROP TEXT SEARCH TEMPLATE,DROP TRANSFORM,DROP USER MAPPING,EXPLAIN,FETCH,GRANT,
IMPORT FOREIGN SCHEMA,LISTEN,MOVE,NOTIFY,PREPARE,PREPARE TRANSACTION,RELEASE,RESET,REVOKE,REVOKE ROLE,ROLLBACK,ROLLBACK PREPARED,
SAVEPOINT,SET CONSTRAINTS,SHOW,START TRANSACTION,UNLISTEN""".replace("\n", "").split(","))
