-- Destruction of the keys of a tenant, and what of them may be left elsewhere. docs/tenant_erase.md.

CREATE TABLE aegis.shred (
  tenant_id      uuid        NOT NULL PRIMARY KEY,
  roots          integer     NOT NULL,
  reason         text        NOT NULL,
  shredded_at    timestamptz NOT NULL,
  files_clean_at timestamptz,
  reapplied_at   timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.shred', '');
COMMENT ON TABLE aegis.shred IS 'tenants whose keys were destroyed, and since when the files of the database hold none of them';

-- For aegis.erase_tenant and aegis.reapply_shreds, which decide; it only destroys.
CREATE FUNCTION aegis.shred_tenant(tenant uuid, reason text) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_shred_tenant' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.shred_tenant(uuid, text) IS
  'destroys the root keys of a tenant and returns how many; every process forgets them at the commit; for Aegis alone';

CREATE FUNCTION aegis.shred_status(OUT tenant_id uuid, OUT slug text, OUT subject text, OUT shredded_at timestamptz, OUT state text,
                                   OUT backups_until timestamptz) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.tenant_id, t.slug, s.subject, s.shredded_at,
         CASE WHEN s.came_back THEN 'came back' WHEN s.files_clean_at IS NULL THEN 'in files' ELSE 'destroyed' END,
         s.files_clean_at
    FROM (SELECT r.tenant_id, NULL AS subject, r.shredded_at, r.files_clean_at,
                 EXISTS (SELECT FROM aegis.tenant_key k WHERE k.tenant_id = r.tenant_id AND k.wrapped IS NOT NULL) AS came_back
            FROM aegis.shred r
          UNION ALL
          SELECT r.tenant_id, encode(r.name, 'hex'), r.shredded_at, r.files_clean_at,
                 EXISTS (SELECT FROM aegis.subject_key k WHERE k.tenant_id = r.tenant_id AND k.name = r.name
                            AND k.generation = r.generation AND k.wrapped IS NOT NULL)
            FROM aegis.subject_shred r) s
    LEFT JOIN aegis.tenant t ON t.id = s.tenant_id
   ORDER BY s.shredded_at, s.tenant_id, s.subject
$$;
COMMENT ON FUNCTION aegis.shred_status() IS
  'destroyed keys: whether they are gone from the files of this database; a backup that began by backups_until may bring them back';

-- A restored table of keys has keys again that the ledger says were destroyed.
CREATE FUNCTION aegis.reapply_shreds() RETURNS integer
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  tenant uuid;
  person record;
  again integer := 0;
BEGIN
  FOR tenant IN
    SELECT DISTINCT e.tenant_id FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
     WHERE d.event = 'key.tenant_destroyed'
       AND EXISTS (SELECT FROM aegis.tenant_key k WHERE k.tenant_id = e.tenant_id AND k.wrapped IS NOT NULL)
  LOOP
    PERFORM aegis.shred_tenant(tenant, 'came back with a restore');
    UPDATE aegis.shred s SET reapplied_at = now(), files_clean_at = NULL WHERE s.tenant_id = tenant;
    -- Its rows came back as well, or may have.
    UPDATE aegis.tenant t SET status = 'erasing' WHERE t.id = tenant;
    IF FOUND THEN
      PERFORM aegis.create_job('erase_tenant', tenant);
    END IF;
    again := again + 1;
  END LOOP;
  -- A key that came back, or that would be made anew because its tombstone did not.
  FOR person IN
    SELECT DISTINCT e.tenant_id, decode(d.target_id, 'hex') AS name, (d.detail->>'generation')::integer AS generation
      FROM aegis.entry e CROSS JOIN LATERAL aegis.decode_entry(e.body) d
     WHERE d.event = 'key.subject_destroyed'
       AND EXISTS (SELECT FROM aegis.tenant t WHERE t.id = e.tenant_id AND t.status NOT IN ('erasing', 'erased', 'moved'))
       AND NOT EXISTS (SELECT FROM aegis.subject_key k WHERE k.tenant_id = e.tenant_id AND k.name = decode(d.target_id, 'hex')
                          AND k.generation = (d.detail->>'generation')::integer AND k.wrapped IS NULL)
  LOOP
    PERFORM aegis.shred_subject_again(person.tenant_id, person.name, person.generation);
    again := again + 1;
  END LOOP;
  RETURN again;
END $$;
COMMENT ON FUNCTION aegis.reapply_shreds() IS
  'destroys once more the keys that the ledger says were destroyed, after a restore brought them back, and queues the erasure of the rows; returns for how many tenants and data subjects';
