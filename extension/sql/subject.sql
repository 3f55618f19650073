-- Keys of data subjects: one for each person of a tenant whose data stands in a field with a subject, and their destruction.
-- docs/subject.md.

CREATE TABLE aegis.subject_key (
  tenant_id  uuid        NOT NULL,
  name       bytea       NOT NULL CHECK (pg_catalog.octet_length(name) = 32),
  generation integer     NOT NULL CHECK (generation > 0),
  epoch      integer     NOT NULL CHECK (epoch > 0),
  wrapped    bytea       CHECK (pg_catalog.octet_length(wrapped) = 72),
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (tenant_id, name, generation)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.subject_key', '');
COMMENT ON TABLE aegis.subject_key IS
  'keys of data subjects, wrapped under a root of their tenant; a name is a keyed hash of the subject; a row without a key is of one that was destroyed';

CREATE TABLE aegis.subject_shred (
  tenant_id      uuid        NOT NULL,
  name           bytea       NOT NULL,
  generation     integer     NOT NULL,
  reason         text        NOT NULL,
  shredded_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
  files_clean_at timestamptz,
  reapplied_at   timestamptz,
  job            bigint,
  PRIMARY KEY (tenant_id, name, generation)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.subject_shred', '');
COMMENT ON TABLE aegis.subject_shred IS
  'data subjects whose keys were destroyed, and since when the files of the database hold none of them';

CREATE FUNCTION aegis.subject_name(tenant uuid, subject anyelement) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_subject_name' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION aegis.subject_name(uuid, anyelement) IS
  'what entries of the ledger and aegis.shred_status() call a data subject: a keyed hash, in hexadecimal';

CREATE FUNCTION aegis.shred_subject(tenant uuid, subject anyelement, reason text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_shred_subject' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.shred_subject(uuid, anyelement, text) IS
  'destroys the key of a data subject at once and queues the job that removes its search tokens; recorded; returns the job';

CREATE FUNCTION aegis.admit_subject(tenant uuid, subject anyelement, reason text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_admit_subject' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.admit_subject(uuid, anyelement, text) IS
  'gives a data subject whose key was destroyed a new one, for data that comes again; recorded';

-- For aegis.reapply_shreds, which decides.
CREATE FUNCTION aegis.shred_subject_again(tenant uuid, name bytea, generation integer) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_shred_subject_again' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.shred_subject_again(uuid, bytea, integer) IS
  'destroys the key of a data subject that a restore brought back; for Aegis alone';

-- For the job: which values have a token that nobody should find them by any more, and the same without it.
CREATE FUNCTION aegis.has_dead_token(value anyelement, "row" record) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_has_dead_token' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.has_dead_token(anyelement, record) IS
  'true for a value with a search token whose data subject was erased; refused outside the job that removes them';

CREATE FUNCTION aegis.without_dead_token(value anyelement, "row" record) RETURNS anyelement
  AS 'MODULE_PATHNAME', 'aegis_without_dead_token' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
COMMENT ON FUNCTION aegis.without_dead_token(anyelement, record) IS
  'the same value without its token when its data subject was erased; refused outside the job that removes them';

CREATE FUNCTION aegis.erasure_certificate(tenant uuid, subject anyelement) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place bigint;
BEGIN
  SELECT l.leaf INTO place FROM aegis.audit_log l
   WHERE l.tenant_id = tenant AND l.event = 'subject.erased' AND l.target_id = aegis.subject_name(tenant, subject)
   ORDER BY l.seq DESC LIMIT 1;
  IF place IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'no sealed entry says that the data subject was erased',
      HINT = 'The job "erase_subjects" must have finished, and its entry be sealed: see aegis.jobs and aegis.wait_sealed().';
  END IF;
  RETURN aegis.receipt(tenant, place);
END $$;
COMMENT ON FUNCTION aegis.erasure_certificate(uuid, anyelement) IS
  'the receipt of the entry that says that a data subject was erased, which aegis-verify proof checks without the database';

CREATE FUNCTION aegis.verify_subjects(OUT tenant_id uuid, OUT epoch integer, OUT opened bigint, OUT failed bigint, OUT fault text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_verify_subjects' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.verify_subjects() IS 'unwraps the key of every data subject, and counts them per tenant and epoch of the root that wraps';
