-- Verification of the whole ledger. docs/verify.md.

CREATE FUNCTION aegis.verify_ledger(tenant uuid DEFAULT NULL, checkpoint text DEFAULT NULL, from_checkpoint text DEFAULT NULL,
    OUT checked text, OUT subject text, OUT outcome text, OUT items bigint, OUT detail text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_verify_ledger' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.verify_ledger(uuid, text, text) IS
  'hashes every entry again, or those that from_checkpoint does not cover, and rebuilds every log; one row for each finding, each check, and what it was checked against';

-- Progress, from shared memory.
CREATE FUNCTION aegis.running_verifications(OUT pid integer, OUT tenant uuid, OUT phase text, OUT done bigint,
    OUT total bigint, OUT started_at timestamptz, OUT job bigint) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_running_verifications' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 4;
COMMENT ON FUNCTION aegis.running_verifications() IS 'what aegis.verify_progress shows';

CREATE VIEW aegis.verify_progress AS SELECT * FROM aegis.running_verifications();
COMMENT ON VIEW aegis.verify_progress IS
  'verifications that run in this database now: entries read, and how many there are';

-- A tenant's admin verifies the own tenant: as a job, for no request may take so long.
CREATE FUNCTION aegis.require_verifier() RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.tenant_id() IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'AG001', MESSAGE = 'tenant is not set',
      HINT = 'Call aegis.authenticate() at the start of the transaction.';
  ELSIF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'AG010', MESSAGE = 'only an admin may verify the ledger of a tenant';
  END IF;
  RETURN aegis.tenant_id();
END $$;
COMMENT ON FUNCTION aegis.require_verifier() IS 'the tenant of the context, if its admin asks';

CREATE FUNCTION aegis.begin_verification() RETURNS bigint
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  verified uuid := aegis.require_verifier();
BEGIN
  -- Two admins who ask at once meet here.
  PERFORM FROM aegis.tenant t WHERE t.id = verified FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM aegis.job j WHERE j.kind = 'verify_ledger' AND j.tenant_id = verified
               AND j.state IN ('queued', 'running')) THEN
    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'a verification of this tenant is not finished yet',
      HINT = 'Wait until it is done.';
  END IF;
  RETURN aegis.create_job('verify_ledger', verified);
END $$;
COMMENT ON FUNCTION aegis.begin_verification() IS
  'queues a verification of the tenant of the context and returns its number; for its admins';

CREATE FUNCTION aegis.verification_progress(job bigint, OUT done bigint, OUT total bigint) RETURNS record
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  verified uuid := aegis.require_verifier();
BEGIN
  SELECT r.done, r.total INTO verification_progress.done, verification_progress.total
    FROM aegis.running_verifications() r WHERE r.job = verification_progress.job AND r.tenant = verified;
END $$;
COMMENT ON FUNCTION aegis.verification_progress(bigint) IS
  'entries read by a running verification of the own tenant, and how many there are; nulls when it does not run';

CREATE FUNCTION aegis.verification(id bigint, OUT state text, OUT done bigint, OUT total bigint, OUT findings bigint,
    OUT "rows" jsonb) RETURNS record
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  verified uuid := aegis.require_verifier();
  running record;
  found_job record;
BEGIN
  -- Memory first: a verification leaves it after its result is there.
  SELECT p.done, p.total INTO running FROM aegis.verification_progress(verification.id) p;
  SELECT j.state, j.done, j.result INTO found_job FROM aegis.job j
   WHERE j.id = verification.id AND j.kind = 'verify_ledger' AND j.tenant_id = verified;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = 'verification does not exist';
  END IF;
  state := found_job.state;
  IF state = 'done' THEN
    done := found_job.done;
    total := found_job.done;
    findings := found_job.result ->> 'findings';
    "rows" := found_job.result -> 'rows';
  ELSE
    done := coalesce(running.done, 0);
    total := running.total;
  END IF;
END $$;
COMMENT ON FUNCTION aegis.verification(bigint) IS
  'state, progress and findings of a verification of the own tenant; for its admins';
