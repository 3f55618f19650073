-- Puts tables under tenant protection. docs/protect.md.

CREATE TABLE aegis.protected_table (
  relation     regclass NOT NULL PRIMARY KEY,
  created_by   boolean  NOT NULL,
  team         boolean  NOT NULL,
  parent       regclass,
  protected_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  by_extension boolean  NOT NULL,
  undo         text[]   NOT NULL DEFAULT '{}'
);
SELECT pg_catalog.pg_extension_config_dump('aegis.protected_table', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.protected_table IS
  'protected tables: whether rows have a creator and a team, of which table they take both, and how all is undone';

-- Apart, so that whoever goes through the tables meets each row once.
CREATE TABLE aegis.protected_part (
  relation     regclass NOT NULL PRIMARY KEY,
  root         regclass NOT NULL,
  by_extension boolean  NOT NULL,
  undo         text[]   NOT NULL DEFAULT '{}'
);
SELECT pg_catalog.pg_extension_config_dump('aegis.protected_part', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.protected_part IS 'partitions and children of protected tables, which are protected as their root is';

CREATE FUNCTION aegis.protect_table(target regclass, created_by boolean DEFAULT true, team boolean DEFAULT true,
                                    parent regclass DEFAULT NULL, tenant_from text DEFAULT NULL,
                                    created_by_from text DEFAULT NULL, team_from text DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_protect_table' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.protect_table(regclass, boolean, boolean, regclass, text, text, text) IS
  'puts a table with its partitions and children under row-level security by tenant, team and creator; parent names the table that child rows follow; the last three are expressions for existing rows';

CREATE FUNCTION aegis.unprotect_table(target regclass, drop_columns boolean DEFAULT false) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_unprotect_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.unprotect_table(regclass, boolean) IS
  'takes away what protect_table added; the columns only when asked, for they hold data; recorded';

-- The three trigger functions of a protected table.
CREATE FUNCTION aegis.stamp_row() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_stamp_row' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.stamp_row() IS 'writes tenant, creator and team of a row from the context, whatever the client sent';

CREATE FUNCTION aegis.follow_parent() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_follow_parent' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.follow_parent() IS 'moves child rows along when their parent moves to another team';

CREATE FUNCTION aegis.refuse_truncate() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_refuse_truncate' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.refuse_truncate() IS 'refuses TRUNCATE, which knows no tenant';
