-- Tokens that reach a person by mail and serve once: invitations, and new passwords for forgotten ones. docs/user_token.md.

CREATE TABLE aegis.user_token (
  token_hash bytea PRIMARY KEY CHECK (pg_catalog.octet_length(token_hash) = 32),
  purpose    text NOT NULL CHECK (purpose IN ('invitation', 'reset')),
  tenant_id  uuid NOT NULL,
  user_id    uuid NOT NULL,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  expires_at timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.user_token', '');
CREATE INDEX user_token_user ON aegis.user_token (user_id);
CREATE INDEX user_token_expiry ON aegis.user_token (expires_at);
COMMENT ON TABLE aegis.user_token IS 'what a mailed link may do for a user, once and until when, by the SHA-256 of its token';
COMMENT ON COLUMN aegis.user_token.created_by IS 'who invited; NULL: an operator, or somebody who asked for a new password';

INSERT INTO aegis.mail_template (name, language, subject, body, by_extension) VALUES
  ('invitation', 'en', 'Your account at {{organisation}}',
   E'You were invited to {{organisation}}.\n\nChoose a password within a week, and your account is yours:\n{{link}}\n\nThe link works once. If you do not know what this is about, do nothing.\n', true),
  ('password_reset', 'en', 'A new password for {{organisation}}',
   E'Somebody, probably you, asked for a new password at {{organisation}}.\n\nChoose it within an hour:\n{{link}}\n\nThe link works once, and choosing signs you out everywhere. If it was not you, do nothing: your password stays as it is.\n', true);

CREATE FUNCTION aegis.new_user_token() RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_new_user_token' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.new_user_token() IS 'a new token to mail; for Aegis alone';

CREATE FUNCTION aegis.login_value(tenant uuid, email text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_login_value' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.login_value(uuid, text) IS
  'keyed look-up value of an address, NULL when it cannot be one; for Aegis alone';

CREATE FUNCTION aegis.take_attempt(tenant text) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_take_attempt' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.take_attempt(text) IS
  'takes an attempt from the budgets of the network and the tenant: NULL, or the seconds until there is one again; for Aegis alone';

CREATE FUNCTION aegis.take_mail(address bytea) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_take_mail' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.take_mail(bytea) IS
  'takes one of the mails that an address gets in an hour of what somebody else set going; false: none is left; for Aegis alone';

CREATE FUNCTION aegis.note_reset_request(tenant uuid, user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_note_reset_request' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.note_reset_request(uuid, uuid) IS 'records that somebody asked for a new password; for Aegis alone';

-- The token stands behind "#": browsers send it to nobody, and it is in no log.
CREATE FUNCTION aegis.public_link(page text, token text) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  address text := current_setting('aegis.public_address');
BEGIN
  IF address = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'links cannot be mailed',
      HINT = 'Set aegis.public_address to where people reach the console.';
  END IF;
  RETURN address || page || '#' || token;
END $$;
COMMENT ON FUNCTION aegis.public_link(text, text) IS 'address of a page of the console with a token; for Aegis alone';

CREATE FUNCTION aegis.mail_user_token(purpose text, recipient aegis.sealed_email, organisation text, tenant uuid, token text,
                                      expires_at timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM aegis.queue_mail(CASE purpose WHEN 'reset' THEN 'password_reset' ELSE purpose END, recipient,
    jsonb_build_object('organisation', regexp_replace(organisation, '[[:cntrl:]\u2028\u2029]', ' ', 'g'),
                       'link', aegis.public_link(CASE purpose WHEN 'reset' THEN '/reset' ELSE '/invitation' END, token)),
    tenant => tenant, expires_at => expires_at);
END $$;
COMMENT ON FUNCTION aegis.mail_user_token(text, aegis.sealed_email, text, uuid, text, timestamptz) IS
  'queues the mail that brings a token to its person; for Aegis alone';

CREATE FUNCTION aegis.send_user_token(purpose text, tenant uuid, user_id uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  token text := aegis.new_user_token();
  until timestamptz := now() + CASE purpose WHEN 'reset' THEN interval '1 hour' ELSE interval '7 days' END;
  inviter uuid := CASE WHEN purpose = 'invitation' THEN aegis.user_id() END;
BEGIN
  INSERT INTO aegis.user_token (token_hash, purpose, tenant_id, user_id, created_by, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), purpose, tenant, send_user_token.user_id,
            nullif(inviter, '00000000-0000-0000-0000-000000000000'), until);
  PERFORM aegis.mail_user_token(purpose, u.email, t.name, t.id, token, until)
     FROM aegis.user u JOIN aegis.tenant t ON t.id = u.tenant_id
    WHERE u.tenant_id = tenant AND u.id = send_user_token.user_id;
END $$;
COMMENT ON FUNCTION aegis.send_user_token(text, uuid, uuid) IS 'makes a token for a user and mails it; for Aegis alone';

CREATE FUNCTION aegis.request_password_reset(tenant text, email text) RETURNS integer
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  place aegis.tenant;
  whose uuid;
  wait integer;
BEGIN
  IF aegis.login_value(NULL, email) IS NULL THEN
    RETURN NULL;  -- nobody's address, and everybody can see that
  END IF;
  wait := aegis.take_attempt(tenant);
  IF wait IS NOT NULL THEN
    RETURN wait;
  END IF;
  SELECT t.* INTO place FROM aegis.tenant t
   WHERE t.slug = request_password_reset.tenant AND t.status = 'active' AND t.moved_to IS NULL AND t.region = current_setting('aegis.region');
  IF place.id IS NOT NULL THEN
    SELECT u.id INTO whose FROM aegis.user u
     WHERE u.tenant_id = place.id AND u.login = aegis.login_value(place.id, request_password_reset.email) AND u.status = 'active';
  END IF;
  PERFORM aegis.note_reset_request(place.id, whose);
  -- The same work for everybody; what was done for nobody, or once too often, is taken back.
  BEGIN
    IF whose IS NOT NULL THEN
      PERFORM aegis.send_user_token('reset', place.id, whose);
    ELSE
      PERFORM aegis.mail_user_token('reset', email::aegis.sealed_email, coalesce(place.name, 'nobody'), place.id, aegis.new_user_token(), now() + interval '1 hour');
    END IF;
    IF whose IS NULL OR (SELECT count(*) FROM aegis.user_token k
                          WHERE k.user_id = whose AND k.purpose = 'reset' AND k.created_at > now() - interval '1 hour') > 3 THEN
      RAISE EXCEPTION USING ERRCODE = '02000', MESSAGE = 'taken back';
    END IF;
  EXCEPTION WHEN SQLSTATE '02000' THEN
    NULL;  -- the answer is the same
  END;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION aegis.request_password_reset(text, text) IS
  'mails a link for a new password to the user of an address, three an hour at most; says nothing about whether there is one; seconds to wait when the network or tenant asked too often';

CREATE FUNCTION aegis.reset_password(token text, password text, code text DEFAULT NULL,
                                     OUT outcome text, OUT retry_after integer, OUT organisation text)
  AS 'MODULE_PATHNAME', 'aegis_reset_password' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.reset_password(text, text, text) IS
  'sets a new password by a mailed token, with a code where there is a second factor, and ends every session; outcome success, code, failed, unknown or busy';

CREATE FUNCTION aegis.accept_invitation(token text, password text, OUT outcome text, OUT retry_after integer, OUT organisation text)
  AS 'MODULE_PATHNAME', 'aegis_accept_invitation' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.accept_invitation(text, text) IS
  'sets the first password of an invited user by a mailed token; outcome success, unknown or busy';

CREATE FUNCTION aegis.invite_user(email text, name text, rank smallint, team uuid DEFAULT NULL) RETURNS uuid
  AS 'MODULE_PATHNAME', 'aegis_invite_user' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.invite_user(text, text, smallint, uuid) IS
  'adds a user who chooses the first password by a link that is mailed; without a team, to the caller''s own';

CREATE FUNCTION aegis.resend_invitation(user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_resend_invitation' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.resend_invitation(uuid) IS 'mails an invitation anew; the link before ends';

CREATE FUNCTION aegis.revoke_invitation(user_id uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_revoke_invitation' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.revoke_invitation(uuid) IS 'takes an invitation back: the link ends and the user was never there';

CREATE FUNCTION aegis.invitations(OUT user_id uuid, OUT invited_by uuid, OUT sent_at timestamptz, OUT expires_at timestamptz, OUT expired boolean)
  RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM aegis.require_tenant();
  IF aegis.rank() < 2 THEN
    RAISE EXCEPTION USING ERRCODE = 'AG010', MESSAGE = 'only team leads and above may list invitations';
  END IF;
  RETURN QUERY
  SELECT u.id, k.created_by, k.created_at, k.expires_at, coalesce(k.expires_at <= now(), true)
    FROM aegis.user u
    JOIN aegis.team t ON t.tenant_id = u.tenant_id AND t.id = u.team_id
    LEFT JOIN aegis.user_token k ON k.user_id = u.id AND k.purpose = 'invitation'
   WHERE u.tenant_id = aegis.require_tenant() AND u.status = 'invited'
     AND t.ord BETWEEN aegis.team_lo() AND aegis.team_hi()
     AND u.id BETWEEN aegis.user_lo() AND aegis.user_hi()
   ORDER BY u.created_at, u.id;
END $$;
COMMENT ON FUNCTION aegis.invitations() IS 'open invitations within the ranges of the context';
