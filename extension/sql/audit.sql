-- Capture of the changes of tables. docs/audit.md.

CREATE TABLE aegis.audited_table (
  relation     regclass NOT NULL PRIMARY KEY,
  clear        name[]   NOT NULL,
  by_extension boolean  NOT NULL
);
COMMENT ON TABLE aegis.audited_table IS 'tables whose changes are captured, and their columns that stand in clear';
SELECT pg_catalog.pg_extension_config_dump('aegis.audited_table', 'WHERE NOT by_extension');

CREATE FUNCTION aegis.audit_row() RETURNS trigger AS 'MODULE_PATHNAME', 'aegis_audit_row' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.audit_row() IS 'trigger: writes the change of a row to the ledger';

CREATE FUNCTION aegis.audit_truncate() RETURNS trigger AS 'MODULE_PATHNAME', 'aegis_audit_truncate' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.audit_truncate() IS 'trigger: writes TRUNCATE to the ledger';

CREATE FUNCTION aegis.audit_table(target regclass, clear name[] DEFAULT '{}') RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_audit_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.audit_table(regclass, name[]) IS
  'captures every change of a table; clear names columns without personal data beside numbers, dates and ids';

CREATE FUNCTION aegis.unaudit_table(target regclass) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_unaudit_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.unaudit_table(regclass) IS 'ends the capture of a table; recorded';
