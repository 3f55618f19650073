-- Links for people without an account: a random token opens one thing of one tenant. docs/link.md.

CREATE TABLE aegis.link (
  token_hash bytea       PRIMARY KEY CHECK (pg_catalog.octet_length(token_hash) = 32),
  id         uuid        NOT NULL UNIQUE DEFAULT pg_catalog.gen_random_uuid(),
  tenant_id  uuid        NOT NULL REFERENCES aegis.tenant (id),
  kind       text        NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_.:-]{0,63}$'),
  target     uuid        NOT NULL,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  opened_at  timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('aegis.link', '');
CREATE INDEX link_target ON aegis.link (tenant_id, kind, target);
COMMENT ON TABLE aegis.link IS 'what a link opens and until when, by the SHA-256 of its token';
COMMENT ON COLUMN aegis.link.kind IS 'the scope of the routes that it opens';
COMMENT ON COLUMN aegis.link.opened_at IS 'when it was used first';

CREATE FUNCTION aegis.link_id() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_link_id' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.link_id() IS 'the link of the current context, NULL in every other context';

CREATE FUNCTION aegis.link_target() RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_link_target' LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.link_target() IS 'what the link of the current context opens, NULL in every other context';

-- For functions of an application that run as aegis_owner, and know that the caller may show the target.
CREATE FUNCTION aegis.create_link(kind text, target uuid, expires_at timestamptz, OUT id uuid, OUT token text)
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := aegis.require_tenant();
BEGIN
  IF expires_at IS NULL OR expires_at <= clock_timestamp() OR expires_at > clock_timestamp() + interval '10 years' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a link must expire within ten years';
  END IF;
  -- Of one target, so that no call takes long.
  DELETE FROM aegis.link l WHERE l.tenant_id = tenant AND l.kind = create_link.kind AND l.target = create_link.target
     AND coalesce(l.revoked_at, l.expires_at) < clock_timestamp() - interval '90 days';
  token := aegis.new_user_token();
  INSERT INTO aegis.link AS l (token_hash, tenant_id, kind, target, created_by, expires_at)
  VALUES (sha256(convert_to(token, 'UTF8')), tenant, create_link.kind, create_link.target, aegis.user_id(), create_link.expires_at)
  RETURNING l.id INTO id;
END $$;
COMMENT ON FUNCTION aegis.create_link(text, uuid, timestamptz) IS 'makes a link to a target of the tenant; the token is given once and stored as its hash; for functions of aegis_owner';

CREATE FUNCTION aegis.links(kind text, target uuid)
  RETURNS TABLE (id uuid, created_by uuid, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz, opened_at timestamptz)
  LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.id, l.created_by, l.created_at, l.expires_at, l.revoked_at, l.opened_at
    FROM aegis.link l WHERE l.tenant_id = aegis.tenant_id() AND l.kind = links.kind AND l.target = links.target
   ORDER BY l.created_at DESC, l.id
$$;
COMMENT ON FUNCTION aegis.links(text, uuid) IS 'links to a target of the tenant, newest first; for functions of aegis_owner';

CREATE FUNCTION aegis.revoke_link(kind text, target uuid, id uuid) RETURNS boolean
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE aegis.link l SET revoked_at = clock_timestamp()
   WHERE l.tenant_id = aegis.tenant_id() AND l.kind = revoke_link.kind AND l.target = revoke_link.target AND l.id = revoke_link.id
     AND l.revoked_at IS NULL;
  RETURN FOUND;
END $$;
COMMENT ON FUNCTION aegis.revoke_link(text, uuid, uuid) IS 'takes a link out of use at once; false when it was already, or is none of the target; for functions of aegis_owner';

CREATE FUNCTION aegis.open_link(OUT id uuid, OUT first_time boolean)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT l.id, l.opened_at IS NULL INTO id, first_time FROM aegis.link l
   WHERE l.tenant_id = aegis.tenant_id() AND l.target = aegis.link_target() AND l.id = aegis.link_id();
  IF first_time THEN
    UPDATE aegis.link l SET opened_at = clock_timestamp() WHERE l.id = open_link.id AND l.opened_at IS NULL;
    first_time := FOUND;
  END IF;
END $$;
COMMENT ON FUNCTION aegis.open_link() IS 'notes that the link of the current context was used, and whether for the first time; for functions of aegis_owner';
