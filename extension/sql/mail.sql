-- Mail: texts as data, recipients sealed, sent by the agent. docs/mail.md.

INSERT INTO aegis.outbox_kind (name, description, transport, answered, recorded, most_attempts, first_delay, longest_delay, lifetime, by_extension)
  VALUES ('mail', 'an e-mail', 'mail', NULL, true, 12, '30 s', '2 h', '3 days', true);

CREATE TABLE aegis.mail_template (
  name     text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  language text NOT NULL CHECK (language ~ '^[a-z]{2,3}(-[A-Z]{2})?$'),
  subject  text NOT NULL CHECK (subject <> '' AND pg_catalog.char_length(subject) <= 200),
  body     text NOT NULL CHECK (body <> '' AND pg_catalog.octet_length(body) <= 65536),
  by_extension boolean NOT NULL DEFAULT false,
  PRIMARY KEY (name, language)
);
COMMENT ON TABLE aegis.mail_template IS 'texts of mails by name and language; {{name}} in them is a value that is given when a mail is queued';
SELECT pg_catalog.pg_extension_config_dump('aegis.mail_template', 'WHERE NOT by_extension');

CREATE FUNCTION aegis.mail_fields(template text) RETURNS text[]
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(array_agg(DISTINCT m[1] ORDER BY m[1]), '{}') FROM regexp_matches(template, '\{\{([a-z][a-z0-9_]*)\}\}', 'g') m $$;
COMMENT ON FUNCTION aegis.mail_fields(text) IS 'names of the values that a text of a mail wants';

CREATE FUNCTION aegis.set_mail_template(name text, language text, subject text, body text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF name IS NULL OR language IS NULL OR subject IS NULL OR body IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'name, language, subject and body of a mail must not be null';
  ELSIF subject ~ '[[:cntrl:]]' OR translate(body, E'\n\t', '') ~ '[[:cntrl:]]' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'text of a mail has control characters',
      HINT = 'A subject is one line; in a body only line feeds and tabulators are allowed.';
  ELSIF regexp_replace(subject || body, '\{\{[a-z][a-z0-9_]*\}\}', '', 'g') ~ '\{\{|\}\}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'text of a mail has braces that name no value',
      HINT = 'Write {{name}} with letters, digits and underscores.';
  END IF;
  INSERT INTO aegis.mail_template AS t (name, language, subject, body)
    VALUES (set_mail_template.name, set_mail_template.language, set_mail_template.subject, set_mail_template.body)
    ON CONFLICT ON CONSTRAINT mail_template_pkey DO UPDATE SET subject = excluded.subject, body = excluded.body, by_extension = false;
  PERFORM aegis.record_tenant_event('mail.template_set', NULL, 'mail_template', name || '/' || language,
    jsonb_build_object('sha256', encode(sha256(convert_to(subject || E'\n' || body, 'UTF8')), 'hex')));
END $$;
COMMENT ON FUNCTION aegis.set_mail_template(text, text, text, text) IS 'sets the text of a mail in a language; for operators; recorded';

CREATE FUNCTION aegis.mail_address(value aegis.sealed_email, tenant uuid) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_mail_address' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.mail_address(aegis.sealed_email, uuid) IS 'the address of a mail in clear; for Aegis alone';

-- One pass over the text: what a value holds is never taken for the name of another.
CREATE FUNCTION aegis.render_mail(template text, fields jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(CASE WHEN p.part ~ '^\{\{[a-z][a-z0-9_]*\}\}$' THEN fields ->> btrim(p.part, '{}') ELSE p.part END, '' ORDER BY p.number)
    FROM (SELECT m[1] AS part, number FROM regexp_matches(template, '(\{\{[a-z][a-z0-9_]*\}\}|(?:(?!\{\{[a-z][a-z0-9_]*\}\}).)+)', 'g')
          WITH ORDINALITY AS r(m, number)) p
$$;
COMMENT ON FUNCTION aegis.render_mail(text, jsonb) IS 'a text of a mail with its values';

-- In base64 and with its text it fits into a payload of the outbox.
CREATE FUNCTION aegis.most_attached() RETURNS integer
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN 524288;
COMMENT ON FUNCTION aegis.most_attached() IS 'how many bytes may be attached to a mail';

CREATE FUNCTION aegis.queue_mail(template text, recipient aegis.sealed_email, fields jsonb DEFAULT '{}', tenant uuid DEFAULT NULL,
                                 language text DEFAULT 'en', idempotency_key text DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
                                 attachment_name text DEFAULT NULL, attachment bytea DEFAULT NULL)
  RETURNS bigint
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found aegis.mail_template;
  wanted text[];
  lacking text;
  whose uuid := coalesce(tenant, aegis.tenant_id());
BEGIN
  SELECT t.* INTO found FROM aegis.mail_template t
   WHERE t.name = template AND t.language IN (queue_mail.language, split_part(queue_mail.language, '-', 1), 'en')
   ORDER BY t.language = queue_mail.language DESC, t.language = split_part(queue_mail.language, '-', 1) DESC LIMIT 1;
  IF found.name IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('mail "%s" has no text', coalesce(template, 'null')),
      HINT = 'An operator sets it with aegis.set_mail_template(), in English at least.';
  END IF;
  IF recipient IS NULL OR fields IS NULL OR jsonb_typeof(fields) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a mail needs a recipient and an object of values';
  END IF;
  wanted := aegis.mail_fields(found.subject || found.body);
  SELECT w INTO lacking FROM unnest(wanted) w WHERE jsonb_typeof(fields -> w) IS DISTINCT FROM 'string' LIMIT 1;
  IF lacking IS NULL THEN
    SELECT k INTO lacking FROM jsonb_object_keys(fields) k WHERE k <> ALL (wanted) LIMIT 1;
  END IF;
  IF lacking IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('value "%s" and mail "%s" do not fit', left(lacking, 63), template),
      HINT = 'Every {{name}} of the text needs one text, and every text its {{name}}.';
  END IF;
  -- A value is a word or a line: it can add neither a header nor a paragraph that looks like ours.
  IF EXISTS (SELECT FROM jsonb_each_text(fields) f WHERE f.value ~ '[[:cntrl:]\u2028\u2029]' OR char_length(f.value) > 1000) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a value of a mail has line breaks or control characters, or more than 1000 characters';
  END IF;
  -- One file, of a kind that runs nothing where it is opened, under a name that no header can be made of. The agent checks it as well.
  IF attachment IS NOT NULL AND (coalesce(attachment_name, '') !~ '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}[.]pdf$' OR substr(attachment, 1, 5) <> '%PDF-') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'what is attached to a mail must be a PDF',
      HINT = 'Its name has letters, digits, dots, dashes and underscores, and ends in .pdf.';
  ELSIF octet_length(attachment) > aegis.most_attached() THEN
    RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('what is attached to a mail may have %s bytes at most', aegis.most_attached());
  END IF;
  RETURN aegis.queue_outbound('mail',
    convert_to(jsonb_strip_nulls(jsonb_build_object(
      'to', aegis.mail_address(recipient, coalesce(whose, '00000000-0000-0000-0000-000000000000')),
      'subject', aegis.render_mail(found.subject, fields), 'text', aegis.render_mail(found.body, fields),
      'attachment_name', CASE WHEN attachment IS NOT NULL THEN attachment_name END,
      'attachment', translate(encode(attachment, 'base64'), E'\n', '')))::text, 'UTF8'),
    target => format('%s/%s', found.name, found.language), tenant => whose, idempotency_key => idempotency_key, expires_at => expires_at);
END $$;
COMMENT ON FUNCTION aegis.queue_mail(text, aegis.sealed_email, jsonb, uuid, text, text, timestamptz, text, bytea) IS
  'queues a mail in the deciding transaction: template, recipient sealed or as text::aegis.sealed_email, its values, and a PDF to go along; for Aegis alone';
