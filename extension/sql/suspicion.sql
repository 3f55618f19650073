-- Where users signed in from, so that a sign-in from nowhere known, after failures, is noticed. docs/suspicion.md.

CREATE TABLE aegis.user_origin (
  tenant_id uuid NOT NULL,
  user_id   uuid NOT NULL,
  mark      bytea NOT NULL CHECK (pg_catalog.octet_length(mark) = 32),
  seen_at   timestamptz NOT NULL,
  PRIMARY KEY (user_id, mark),
  FOREIGN KEY (tenant_id, user_id) REFERENCES aegis.user (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis.user_origin', '');
CREATE INDEX user_origin_seen ON aegis.user_origin (seen_at);
COMMENT ON TABLE aegis.user_origin IS 'devices and networks that users signed in from within ninety days, as keyed hashes';

INSERT INTO aegis.mail_template (name, language, subject, body, by_extension) VALUES
  ('suspicious_sign_in', 'en', 'A sign-in to {{organisation}} that may not be yours',
   E'After several failed attempts somebody signed in to your account at {{organisation}} with your password, from a device and a network that are new.\n\nIf it was you, there is nothing to do: you were asked for a new password.\n\nIf it was not you, choose a new password now, which ends whatever was begun:\n{{link}}\n', true);

CREATE FUNCTION aegis.warn_of_sign_in(tenant uuid, user_id uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  token text := aegis.new_user_token();
  until timestamptz := now() + interval '1 day';
BEGIN
  IF current_setting('aegis.public_address') = '' THEN
    RETURN;  -- nowhere to lead to
  END IF;
  INSERT INTO aegis.user_token (token_hash, purpose, tenant_id, user_id, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), 'reset', tenant, warn_of_sign_in.user_id, until);
  PERFORM aegis.queue_mail('suspicious_sign_in', u.email,
            jsonb_build_object('organisation', regexp_replace(t.name, '[[:cntrl:]\u2028\u2029]', ' ', 'g'), 'link', aegis.public_link('/reset', token)),
            tenant => t.id, expires_at => until)
     FROM aegis.user u JOIN aegis.tenant t ON t.id = u.tenant_id
    WHERE u.tenant_id = tenant AND u.id = warn_of_sign_in.user_id;
END $$;
COMMENT ON FUNCTION aegis.warn_of_sign_in(uuid, uuid) IS 'mails a user a way to a new password after a suspicious sign-in; for Aegis alone';
