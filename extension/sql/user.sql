-- Users of a tenant: who may sign in, with which rank, in which team. docs/user.md.

CREATE TABLE aegis.user (
  tenant_id           uuid NOT NULL REFERENCES aegis.tenant (id),
  id                  uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid() UNIQUE,
  team_id             uuid NOT NULL,
  rank                smallint NOT NULL CHECK (rank BETWEEN 1 AND 4),
  login               bytea NOT NULL CHECK (pg_catalog.octet_length(login) = 32),
  email               aegis.sealed_email NOT NULL,
  name                aegis.sealed_text NOT NULL,
  password_hash       text NOT NULL,
  failed_count        integer NOT NULL DEFAULT 0,
  not_before          timestamptz,
  locked_until        timestamptz,
  status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'invited')),
  created_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
  password_changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  password_due        text CHECK (password_due IN ('breached', 'ordered', 'suspicious')),
  was_admin           boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, login),
  FOREIGN KEY (tenant_id, team_id) REFERENCES aegis.team (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.user', '');
COMMENT ON TABLE aegis.user IS 'who may sign in; nobody reads it but the functions of aegis';
COMMENT ON COLUMN aegis.user.login IS 'keyed look-up value of the normalised e-mail';
COMMENT ON COLUMN aegis.user.password_due IS 'why a new password must be chosen at the next sign-in, if so';
COMMENT ON COLUMN aegis.user.not_before IS 'sign-ins before this time fail, whatever the password';
COMMENT ON COLUMN aegis.user.status IS 'invited: the person has not accepted yet, and has no password';
COMMENT ON COLUMN aegis.user.was_admin IS 'has been an admin at some time: whoever may demote may not act alone for that';

CREATE FUNCTION aegis.create_user(email text, name text, rank smallint, team uuid, password text) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_create_user' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.create_user(text, text, smallint, uuid, text) IS
  'adds a user to the tenant of the context; without a team, to the caller''s own';

CREATE FUNCTION aegis.set_rank(user_id uuid, rank smallint) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_set_rank' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.set_rank(uuid, smallint) IS 'gives a user another rank, at once';

CREATE FUNCTION aegis.move_user(user_id uuid, team uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_move_user' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.move_user(uuid, uuid) IS 'puts a user into another team; rows stay where they were made';

CREATE FUNCTION aegis.deactivate_user(user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_deactivate_user' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.deactivate_user(uuid) IS 'ends the session of a user and refuses further sign-ins';

CREATE FUNCTION aegis.unlock_user(user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_unlock_user' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.unlock_user(uuid) IS 'forgets the failed sign-ins of a user';

CREATE FUNCTION aegis.users(OUT id uuid, OUT email text, OUT name text, OUT rank smallint, OUT team_id uuid,
                            OUT status text, OUT locked boolean, OUT created_at timestamptz)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    RETURN QUERY
    SELECT u.id, aegis.legible(u.email), aegis.legible(u.name), u.rank, u.team_id, u.status,
           coalesce(u.locked_until > now(), false), u.created_at
      FROM aegis.user u
      JOIN aegis.team t ON t.tenant_id = u.tenant_id AND t.id = u.team_id
     WHERE u.tenant_id = aegis.require_tenant()
       AND t.ord BETWEEN aegis.team_lo() AND aegis.team_hi()
       AND u.id BETWEEN aegis.user_lo() AND aegis.user_hi()
     ORDER BY t.ord, u.rank DESC, u.created_at, u.id;
  END $$;
COMMENT ON FUNCTION aegis.users() IS
  'users within the ranges of the context; e-mail and name in clear, masked or NULL as the reveal policy says';
