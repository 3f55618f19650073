-- Encrypted fields: registry, reveal policy, the trigger that seals, the functions that read. docs/field.md.

CREATE TABLE aegis.field (
  reference    bigint PRIMARY KEY,
  name         text NOT NULL UNIQUE,
  relation     regclass NOT NULL,
  column_name  name NOT NULL,
  type         regtype NOT NULL,
  mask         text NOT NULL CHECK (mask IN ('full', 'email', 'last4', 'domain', 'phone', 'initial', 'initials', 'year', 'card')),
  by_extension boolean NOT NULL,
  subject_column name,
  row_key        regtype[],
  low_entropy_confirmed boolean NOT NULL DEFAULT false
);
SELECT pg_catalog.pg_extension_config_dump('aegis.field', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.field IS 'encrypted fields: a stable number for a column, and how it is masked';
COMMENT ON COLUMN aegis.field.subject_column IS 'at registration: the column that names whose data a value is';
COMMENT ON COLUMN aegis.field.row_key IS 'types of the primary key that values are bound to, in order';
COMMENT ON COLUMN aegis.field.low_entropy_confirmed IS 'somebody has confirmed that its values may be few, although they can be searched';

CREATE TABLE aegis.reveal_policy (
  field        bigint NOT NULL REFERENCES aegis.field ON DELETE CASCADE,
  rank         smallint NOT NULL CHECK (rank BETWEEN 0 AND 4),
  level        text NOT NULL CHECK (level IN ('none', 'masked', 'full')),
  by_extension boolean NOT NULL,
  PRIMARY KEY (field, rank, by_extension)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.reveal_policy', 'WHERE NOT by_extension');
COMMENT ON TABLE aegis.reveal_policy IS
  'what a rank may see of a field; rank 0 stands for operators; an operator''s row holds over an extension''s';

CREATE TABLE aegis.reveal_bound (
  field bigint  NOT NULL REFERENCES aegis.field ON DELETE CASCADE,
  role  regrole NOT NULL,
  level text    NOT NULL CHECK (level IN ('none', 'masked')),
  PRIMARY KEY (field, role)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.reveal_bound', '');
COMMENT ON TABLE aegis.reveal_bound IS
  'the most that sessions of a database role and its members see of a field, whatever their rank';

CREATE FUNCTION aegis.registry_changed() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_registry_changed' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION aegis.registry_changed() IS 'makes every session read the registry of fields again';

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.field
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.reveal_policy
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.registry_changed();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON aegis.reveal_bound
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.registry_changed();

CREATE FUNCTION aegis.seal_row() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_seal_row' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION aegis.seal_row() IS 'seals a row''s unsealed values for its tenant';

CREATE FUNCTION aegis.seal_text(plaintext text, field bigint, tenant uuid) RETURNS aegis.sealed_text
  AS 'MODULE_PATHNAME', 'aegis_seal_plaintext' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.seal_text(text, bigint, uuid) IS 'seals a plaintext for a registered field and a tenant';

CREATE FUNCTION aegis.seal_email(plaintext text, field bigint, tenant uuid) RETURNS aegis.sealed_email
  AS 'MODULE_PATHNAME', 'aegis_seal_plaintext' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.seal_email(text, bigint, uuid) IS 'seals a plaintext for a registered field and a tenant';

-- What a value is bound to beside its tenant and field. The constraint names the columns, and insists on the flags; whether
-- the value is of this subject and row, the key says when it is opened. docs/subject.md.
CREATE FUNCTION aegis.is_sealed_for(value "any", field bigint, tenant uuid, subject "any") RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_sealed_for_subject' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed_for("any", bigint, uuid, "any") IS
  'true for NULL and for an envelope of this field and tenant that is bound to a data subject';

CREATE FUNCTION aegis.is_sealed_for(value "any", field bigint, tenant uuid, key record) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_sealed_for_row' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed_for("any", bigint, uuid, record) IS
  'true for NULL and for an envelope of this field and tenant that is bound to the key of a row';

CREATE FUNCTION aegis.is_sealed_for(value "any", field bigint, tenant uuid, subject "any", key record) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_sealed_for_subject_row' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed_for("any", bigint, uuid, "any", record) IS
  'true for NULL and for an envelope of this field and tenant that is bound to a data subject and to the key of a row';

CREATE FUNCTION aegis.seal_bound(value anyelement, field bigint, tenant uuid, subject "any", key record) RETURNS anyelement
  AS 'MODULE_PATHNAME', 'aegis_seal_bound' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.seal_bound(anyelement, bigint, uuid, "any", record) IS
  'seals an unsealed value for a registered field, a tenant, a data subject and the key of a row, either of which may be NULL';

CREATE FUNCTION aegis.encrypt_column("table" regclass, "column" name, field text,
                                     type regtype DEFAULT 'aegis.sealed_text', mask text DEFAULT NULL,
                                     reveal text DEFAULT 'full', subject name DEFAULT NULL,
                                     row_bound boolean DEFAULT false, confirm_low_entropy boolean DEFAULT false) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_encrypt_column' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.encrypt_column(regclass, name, text, regtype, text, text, name, boolean, boolean) IS
  'encrypts a column as a field: registers it, seals existing rows, installs trigger and constraint';

CREATE FUNCTION aegis.low_entropy("table" regclass, "column" name, type regtype) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_low_entropy' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.low_entropy(regclass, name, regtype) IS
  'why a column has too few different values for a searchable type, in numbers, or NULL; for the owner of the table';

CREATE FUNCTION aegis.set_reveal_policy(field text, rank smallint, level text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_set_reveal_policy' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.set_reveal_policy(text, smallint, text) IS
  'sets what a rank (1 to 4, 0 for operators) may see of a field: none, masked or full';

CREATE FUNCTION aegis.set_reveal_policy(field text, role regrole, level text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_set_reveal_bound' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.set_reveal_policy(text, regrole, text) IS
  'sets the most that sessions of a database role and its members see of a field: none, masked, or full to lift the bound';

CREATE FUNCTION aegis.reveal(value anyelement, "row" record) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_reveal' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.reveal(anyelement, record) IS 'the plaintext of a value that is bound to its data subject or row, as reveal(value); the row is given whole';

CREATE FUNCTION aegis.masked(value anyelement, "row" record) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_masked' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.masked(anyelement, record) IS 'the mask of a value that is bound to its data subject or row, as masked(value); the row is given whole';

CREATE FUNCTION aegis.legible(value anyelement, "row" record) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_legible' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.legible(anyelement, record) IS 'the plaintext, its mask or NULL, of a value that is bound to its data subject or row, as legible(value); the row is given whole';
