-- What ends or moves a tenant takes two operators: one asks, another agrees, and only then it is done. docs/tenant_request.md.

CREATE TABLE aegis.tenant_request (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action       text        NOT NULL CHECK (action IN ('adopt_key', 'cut_ledger', 'erase', 'export', 'export_field_key', 'move')),
  tenant_id    uuid        NOT NULL,
  reason       text        NOT NULL,
  argument     text,
  result       text,
  requested_by text        NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at   timestamptz NOT NULL,
  approved_by  text,
  approved_at  timestamptz,
  closed_at    timestamptz,
  closed_as    text        CHECK (closed_as IN ('done', 'withdrawn')),
  CHECK (approved_by <> requested_by),
  CHECK ((closed_at IS NULL) = (closed_as IS NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant_request', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant_request_id_seq', '');
COMMENT ON TABLE aegis.tenant_request IS 'what operators ask for that takes a second one: erasure, export, move of a tenant, a key of its own';
COMMENT ON COLUMN aegis.tenant_request.result IS 'export: the chain of the file, until the tenant is reactivated';
COMMENT ON COLUMN aegis.tenant_request.argument IS 'export: region and public key of who may open it; move: the region and the public key of its signer; adopt_key: the sealed key; cut_ledger: the size to cut to and the statement of the export; export_field_key: the field and the public key of the application';

-- Who asked and who agreed: by functions that record it, and by nobody else.
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.tenant_request
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.tenant_request
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.tenant_request ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

CREATE VIEW aegis.tenant_requests AS
  SELECT r.id, r.action, r.tenant_id, r.reason, r.argument, r.requested_by, r.requested_at, r.expires_at, r.approved_by,
         r.approved_at, r.closed_at,
         CASE WHEN r.closed_as IS NOT NULL THEN r.closed_as WHEN r.expires_at <= pg_catalog.now() THEN 'expired'
              WHEN r.approved_by IS NOT NULL THEN 'approved' ELSE 'requested' END AS state
    FROM aegis.tenant_request r;
COMMENT ON VIEW aegis.tenant_requests IS 'requests to erase, export or move a tenant or to take its own key, and how far each is';

-- For the functions below and their like alone: it says to the ledger what it is told.
CREATE FUNCTION aegis.record_tenant_event(event text, tenant uuid, target_kind text, target_id text, detail jsonb) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_record_tenant_event' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.record_tenant_event(text, uuid, text, text, jsonb) IS 'writes an entry of the life of a tenant, or of the system where the tenant is NULL; for Aegis alone';

CREATE FUNCTION aegis.request_tenant_action(action text, tenant uuid, slug text, reason text, argument text DEFAULT NULL)
  RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known aegis.tenant;
  number bigint;
BEGIN
  IF action IS NULL OR action NOT IN ('adopt_key', 'cut_ledger', 'erase', 'export', 'export_field_key', 'move') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'action on a tenant is not known',
      HINT = 'There are: adopt_key, cut_ledger, erase, export, export_field_key, move.';
  END IF;
  IF reason IS NULL OR btrim(reason, E' \t\r\n') = '' OR octet_length(reason) > 160 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'reason must be given, in at most 160 bytes',
      DETAIL = 'It is recorded in the ledger.';
  END IF;
  SELECT t.* INTO known FROM aegis.tenant t WHERE t.id = tenant;
  IF known.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'AG008', MESSAGE = 'tenant does not exist';
  END IF;
  IF known.slug IS DISTINCT FROM slug THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'slug is not that of the tenant',
      HINT = 'Name the tenant by its slug as well, so that no other is meant.';
  END IF;
  IF action = 'export' AND (argument IS NULL OR argument !~ '^[A-Z0-9_]{1,16}:[0-9a-f]{64}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'public key of the recipient must be given',
      HINT = 'aegis.import_key() makes it at the target: its region, a colon and 64 hexadecimal digits.';
  ELSIF action = 'move' AND (argument IS NULL OR octet_length(argument) > 300 OR split_part(argument, ':', 1) = known.region
                             OR argument !~ '^[A-Z0-9_]{1,16}:[^+[:space:]]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'region to move to, another one, and the key of its signer must be given',
      HINT = 'The region, a colon, and what the signer of the target prints as its vkey.';
  ELSIF action = 'adopt_key' AND (argument IS NULL OR argument !~ '^AT1\.[A-Za-z0-9_-]{150}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'sealed key of the tenant must be given',
      HINT = 'aegis-keygen --tenant-key makes it at the tenant, for a key that aegis.import_key() made here.';
  ELSIF action = 'export_field_key' AND (argument IS NULL OR argument !~ '^[^:]{1,63}:[0-9a-f]{64}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field and public key of the application must be given',
      HINT = 'Write the name of the field, a colon and 64 hexadecimal digits, which aegis-keygen --client-key printed.';
  ELSIF action = 'cut_ledger' THEN
    IF argument IS NULL OR argument !~ '^[1-9][0-9]{0,17}:[0-9a-f]{64}$' THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'size to cut to and statement of the export must be given',
        HINT = 'Write the size, which aegis.cuttable() names, a colon and the 64 hexadecimal digits that aegis-verify bundle printed.';
    END IF;
    PERFORM aegis.require_cuttable(tenant, split_part(argument, ':', 1)::bigint, split_part(argument, ':', 2));
  ELSIF action = 'erase' AND argument IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'an erasure takes no argument';
  END IF;
  INSERT INTO aegis.tenant_request (action, tenant_id, reason, argument, requested_by, expires_at)
    VALUES (action, tenant, reason, argument, session_user, now() + interval '1 day') RETURNING id INTO number;
  PERFORM aegis.record_tenant_event('tenant.action_requested', tenant, 'tenant_request', number::text,
    jsonb_strip_nulls(jsonb_build_object('action', action, 'reason', reason, 'argument', argument)));
  RETURN number;
END $$;
COMMENT ON FUNCTION aegis.request_tenant_action(text, uuid, text, text, text) IS
  'asks for the erasure, export or move of a tenant, or a cut of its log, which another operator must approve within a day; recorded';

-- The open request of a number, locked; the errors say what it lacks. For the functions that do what was asked for.
CREATE FUNCTION aegis.open_tenant_request(request bigint, action text, slug text, approved boolean) RETURNS aegis.tenant_request
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request;
BEGIN
  SELECT r.* INTO asked FROM aegis.tenant_request r WHERE r.id = request FOR UPDATE;
  IF asked.id IS NULL OR asked.action <> coalesce(action, asked.action) THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object',
      MESSAGE = format('request %s%s does not exist', coalesce(request::text, 'null'), coalesce(' to ' || action, '')),
      HINT = 'aegis.tenant_requests lists them; aegis.request_tenant_action() makes one.';
  END IF;
  IF asked.closed_as IS NOT NULL OR asked.expires_at <= clock_timestamp() THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = CASE WHEN asked.closed_as IS NULL THEN 'request has expired' ELSE 'request is closed' END,
      HINT = 'Ask again with aegis.request_tenant_action().';
  END IF;
  IF NOT EXISTS (SELECT FROM aegis.tenant t WHERE t.id = asked.tenant_id AND t.slug = open_tenant_request.slug) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'slug is not that of the tenant',
      HINT = 'Name the tenant by its slug as well, so that no other is meant.';
  END IF;
  IF approved AND asked.approved_by IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'request is not approved',
      HINT = 'Another operator approves it with aegis.approve_tenant_action().';
  END IF;
  RETURN asked;
END $$;
COMMENT ON FUNCTION aegis.open_tenant_request(bigint, text, text, boolean) IS 'a request that may be acted upon, locked; for Aegis alone';

CREATE FUNCTION aegis.approve_tenant_action(request bigint, slug text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, NULL, slug, false);
BEGIN
  IF asked.approved_by IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'request is approved already';
  END IF;
  IF asked.requested_by = session_user THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'an operator cannot approve a request of their own',
      HINT = 'Another operator must connect under another login and approve it.';
  END IF;
  UPDATE aegis.tenant_request SET approved_by = session_user, approved_at = now() WHERE id = request;
  PERFORM aegis.record_tenant_event('tenant.action_approved', asked.tenant_id, 'tenant_request', request::text,
    jsonb_build_object('action', asked.action, 'requested_by', asked.requested_by));
END $$;
COMMENT ON FUNCTION aegis.approve_tenant_action(bigint, text) IS
  'agrees to what another operator asked for, naming the slug of the tenant once more; recorded';

CREATE FUNCTION aegis.withdraw_tenant_action(request bigint, slug text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  asked aegis.tenant_request := aegis.open_tenant_request(request, NULL, slug, false);
BEGIN
  UPDATE aegis.tenant_request SET closed_at = now(), closed_as = 'withdrawn' WHERE id = request;
  PERFORM aegis.record_tenant_event('tenant.action_withdrawn', asked.tenant_id, 'tenant_request', request::text,
    jsonb_build_object('action', asked.action));
END $$;
COMMENT ON FUNCTION aegis.withdraw_tenant_action(bigint, text) IS 'closes a request that nobody acted upon; any operator; recorded';
