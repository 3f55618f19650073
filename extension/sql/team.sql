-- Teams: a tree per tenant, numbered depth-first so that a subtree is one range. docs/team.md.

CREATE TABLE aegis.team (
  tenant_id  uuid NOT NULL REFERENCES aegis.tenant,
  id         uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
  parent_id  uuid,
  name       text NOT NULL CHECK (pg_catalog.length(name) BETWEEN 1 AND 100),
  ord        bigint NOT NULL CHECK (ord > 0),
  last_ord   bigint NOT NULL CHECK (last_ord >= ord),
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  given_to   bigint,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, ord),
  UNIQUE NULLS NOT DISTINCT (tenant_id, parent_id, name),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES aegis.team (tenant_id, id)
);
-- People type these.
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis.team FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('name');
CREATE UNIQUE INDEX team_root ON aegis.team (tenant_id) WHERE parent_id IS NULL;
SELECT pg_catalog.pg_extension_config_dump('aegis.team', '');
COMMENT ON TABLE aegis.team IS 'teams of every tenant; ord to last_ord is the range of a team and all below it';
COMMENT ON COLUMN aegis.team.given_to IS 'last number that a deleted team below this one had; numbers are given once';

CREATE FUNCTION aegis.create_team(name text, parent uuid DEFAULT NULL) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_create_team' LANGUAGE C VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.create_team(text, uuid) IS
  'creates a team of the current tenant below a parent, the root team by default; for admins';

CREATE FUNCTION aegis.rename_team(team uuid, name text) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_rename_team' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.rename_team(uuid, text) IS 'gives a team of the current tenant another name; for admins';

CREATE FUNCTION aegis.delete_team(team uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_delete_team' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.delete_team(uuid) IS
  'deletes a team of the current tenant that has no teams, users and rows; for admins';

CREATE FUNCTION aegis.move_team(team uuid, parent uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_move_team' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.move_team(uuid, uuid) IS
  'moves a team of the current tenant, all below it and their rows below another team; for admins';

CREATE FUNCTION aegis.teams(OUT id uuid, OUT parent_id uuid, OUT name text, OUT ord bigint, OUT last_ord bigint)
  RETURNS SETOF record
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
  SELECT t.id, t.parent_id, t.name, t.ord, t.last_ord
    FROM aegis.team t
   WHERE t.tenant_id = aegis.require_tenant()
     AND t.ord BETWEEN aegis.team_lo() AND aegis.team_hi()
     -- A user sees rows of every team, but only the own team.
     AND (aegis.rank() > 1 OR t.ord = aegis.team_ord())
   ORDER BY t.ord;
END $$;
COMMENT ON FUNCTION aegis.teams() IS 'teams that the current context reaches: all, a subtree, or the own one';
