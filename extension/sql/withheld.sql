-- Tables of which a tenant's own log knows nothing. docs/withheld.md.

CREATE TABLE aegis.withheld_table (
  relation     regclass NOT NULL PRIMARY KEY,
  by_extension boolean  NOT NULL
);
COMMENT ON TABLE aegis.withheld_table IS 'tables whose changes, and reveals of whose fields, stand in the log of the system instead of the tenant''s';
SELECT pg_catalog.pg_extension_config_dump('aegis.withheld_table', 'WHERE NOT by_extension');

CREATE FUNCTION aegis.withhold_table(target regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_withhold_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.withhold_table(regclass) IS
  'from the end of this statement on, what happens to the table is recorded in the log of the system; recorded, and for good';

CREATE FUNCTION aegis.legible_withheld(aegis.sealed_text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_legible_withheld' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.legible_withheld(aegis.sealed_text) IS
  'as aegis.legible, recorded in the log of the system; for functions of aegis_owner that must not tell who read; executable by nobody else';
