-- Tenants: who they are and where they live. docs/tenant.md.

CREATE TABLE aegis.tenant (
  id         uuid NOT NULL PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
  slug       text COLLATE "C" NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  name       text NOT NULL CHECK (pg_catalog.length(name) BETWEEN 1 AND 200),
  region     text COLLATE "C" NOT NULL CHECK (region ~ '^[A-Z0-9_]{1,16}$'),
  status     text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'moved', 'erasing', 'erased')),
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  moved_to   text COLLATE "C" CHECK (moved_to ~ '^[A-Z0-9_]{1,16}$' AND moved_to <> region),
  CHECK (moved_to IS NULL OR status NOT IN ('active', 'suspended'))
);
-- People type these.
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis.tenant FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('slug', 'name');
SELECT pg_catalog.pg_extension_config_dump('aegis.tenant', '');
-- What aegis.tenant_home() finds it by.
CREATE INDEX tenant_slug_hash ON aegis.tenant (pg_catalog.sha256(slug::bytea));
COMMENT ON TABLE aegis.tenant IS 'tenants: the slug is what people type, the region is where the data stays';

CREATE FUNCTION aegis.create_tenant(slug text, name text, region text DEFAULT NULL) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_create_tenant' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.create_tenant(text, text, text) IS
  'creates a tenant with its keys and its root team; region defaults to this cluster''s';

CREATE FUNCTION aegis.suspend_tenant(tenant uuid, reason text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_suspend_tenant' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.suspend_tenant(uuid, text) IS
  'ends the sessions of a tenant and refuses sign-ins and jobs until it is reactivated; recorded';

CREATE FUNCTION aegis.reactivate_tenant(tenant uuid, reason text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_reactivate_tenant' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.reactivate_tenant(uuid, text) IS
  'lets a suspended tenant work again; its users sign in anew; recorded';

CREATE FUNCTION aegis.tenants(OUT id uuid, OUT slug text, OUT name text, OUT region text, OUT status text,
                              OUT created_at timestamptz, OUT moved_to text) RETURNS SETOF record
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.id, t.slug, t.name, t.region, t.status, t.created_at, t.moved_to FROM aegis.tenant t ORDER BY t.slug
$$;
COMMENT ON FUNCTION aegis.tenants() IS 'every tenant of this cluster; for operators and auditors';

-- In plpgsql, which keeps its plans: a function in SQL is planned again by each transaction that calls it.
CREATE FUNCTION aegis.current_tenant(OUT id uuid, OUT slug text, OUT name text, OUT region text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SELECT t.id, t.slug, t.name, t.region INTO id, slug, name, region
    FROM aegis.tenant t WHERE t.id = aegis.require_tenant();
END $$;
COMMENT ON FUNCTION aegis.current_tenant() IS 'the tenant of the current context';

CREATE FUNCTION aegis.tenant_home(slug_hash bytea, OUT state text, OUT region text, OUT place bigint)
  AS 'MODULE_PATHNAME', 'aegis_tenant_home' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.tenant_home(bytea) IS
  'what this region knows of the tenant whose short name has this SHA-256: here, suspended, moved or unknown; of several regions the one with the lowest place has it';
