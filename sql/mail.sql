-- A mail is queued where it is decided, as a template and its values; nobody reads it meanwhile, and no value becomes a header.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE ROLE regress_mail_operator LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_mail_agent LOGIN IN ROLE aegis_agent INHERIT;
CREATE ROLE regress_mail_member LOGIN IN ROLE aegis_member INHERIT;
SELECT aegis.create_tenant('regress-mail', 'Mail') AS tenant \gset
SELECT aegis.create_tenant('regress-mail-other', 'Other') AS other \gset

-- allows: an operator sets texts; recorded by digest
SET SESSION AUTHORIZATION regress_mail_operator;
SELECT aegis.set_mail_template('regress_hello', 'en', 'Hello {{name}}', E'Dear {{name}},\n\nyour code is {{code}}. Keep {{code}}.\n'),
       aegis.set_mail_template('regress_hello', 'de', 'Grüße an {{name}}', E'Hallo {{name}},\n{{code}}'),
       aegis.set_mail_template('regress_hello', 'de', 'Viele Grüße an {{name}}', E'Hallo {{name}},\n{{code}}');
SELECT name, language, subject FROM aegis.mail_template WHERE name = 'regress_hello' ORDER BY language;
-- refuses: texts that could become headers, or name no value
SELECT aegis.set_mail_template('regress_bad', 'en', E'Hello\r\nBcc: a@example.com', 'x');
SELECT aegis.set_mail_template('regress_bad', 'en', 'Hello', E'x\r\ny');
SELECT aegis.set_mail_template('regress_bad', 'en', 'Hello {{Name}}', 'x');
SELECT aegis.set_mail_template('regress_bad', 'en', 'Hello {{name}', 'x');
SELECT aegis.set_mail_template('regress_bad', 'en', NULL, 'x');
\set VERBOSITY sqlstate
SELECT aegis.set_mail_template('regress_bad', 'English', 'x', 'x');
SELECT aegis.queue_mail('regress_hello', 'olga@example.com', '{"name": "Olga", "code": "4711"}');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_mail_member;
SELECT aegis.set_mail_template('regress_bad', 'en', 'x', 'x');
SELECT aegis.queue_mail('regress_hello', 'olga@example.com', '{"name": "Olga", "code": "4711"}');
SELECT count(*) FROM aegis.mail_template;
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse
SELECT aegis.mail_address('olga@example.com', :'tenant');
SELECT target_id, length(detail ->> 'sha256') FROM aegis.audit_log WHERE event = 'mail.template_set' AND target_id LIKE 'regress%' ORDER BY 1;

-- allows: what a function of Aegis queues; the language of the reader, its base, or English; values are no templates
CREATE FUNCTION regress_invite(recipient text, fields jsonb, tenant uuid, language text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
  $$ SELECT aegis.queue_mail('regress_hello', recipient::aegis.sealed_email, fields, tenant, language) $$;
ALTER FUNCTION regress_invite OWNER TO aegis_owner;
SELECT regress_invite('olga@example.com', '{"name": "Olga {{code}}", "code": "4711"}', :'tenant', 'en') AS first \gset
SELECT regress_invite('otto@example.com', '{"name": "Otto", "code": "1"}', :'tenant', 'de-AT') AS second \gset
SELECT regress_invite('otto@example.com', '{"name": "Otto", "code": "2"}', NULL, 'fr') AS third \gset
SELECT id = :first AS first, target, tenant_id = :'tenant' AS tenant, destination, state FROM aegis.outbound WHERE kind = 'mail' ORDER BY id;
SELECT bool_or(position(w::bytea IN o.payload) > 0) AS readable FROM aegis.outbox o, (VALUES ('olga'), ('4711'), ('example')) v(w) WHERE o.kind = 'mail';
SET SESSION AUTHORIZATION regress_mail_agent;
SELECT transport, url, convert_from(payload, 'UTF8')::jsonb AS mail FROM aegis.claim_outbound(ARRAY['mail'], 10);
RESET SESSION AUTHORIZATION;
-- allows: the stored address of a person, sealed for the tenant, whoever may not reveal it
CREATE TABLE regress_person (tenant_id uuid NOT NULL, id int, email text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('regress_person');
SELECT aegis.encrypt_column('regress_person', 'email', 'regress_person.email', 'aegis.sealed_email', 'email');
SELECT aegis.set_reveal_policy('regress_person.email', 4::smallint, 'none');
INSERT INTO regress_person VALUES (:'tenant', 1, 'Olga@Example.com');
GRANT SELECT ON regress_person TO aegis_owner, regress_mail_member;
CREATE FUNCTION regress_remind(whose uuid) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  address aegis.sealed_email;
BEGIN
  SELECT p.email INTO address FROM public.regress_person p;
  RETURN aegis.queue_mail('regress_hello', address, '{"name": "Olga", "code": "3"}', whose);
END $$;
ALTER FUNCTION regress_remind OWNER TO aegis_owner;
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_mail_member;
SELECT probe_context(:'tenant', '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100);
SELECT aegis.reveal(email) FROM regress_person;
ROLLBACK;
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_mail_member;
SELECT probe_context(:'tenant', '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100);
SELECT regress_remind(NULL) IS NOT NULL AS queued;
COMMIT;
SET SESSION AUTHORIZATION regress_mail_agent;
SELECT convert_from(payload, 'UTF8')::jsonb ->> 'to' AS recipient FROM aegis.claim_outbound(ARRAY['mail'], 10);
RESET SESSION AUTHORIZATION;
SELECT count(*) AS revealed FROM aegis.audit_log WHERE event = 'pii.revealed' AND tenant_id = :'tenant';
-- refuses: another tenant's address, unknown templates, values that lack, are too many, or break lines
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_mail_member;
SELECT probe_context(:'tenant', '5e000000-0000-4000-8000-0000000000ff', 4, 1, 100);
SELECT regress_remind(:'other');
ROLLBACK;
SELECT regress_invite(NULL, '{"name": "Olga", "code": "1"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga", "code": 4}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga", "code": "4", "more": "x"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga\r\nBcc: all@example.com", "code": "4"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga\nYours", "code": "4"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '{"name": "Olga\u2028Yours", "code": "4"}', NULL, 'en');
SELECT regress_invite('olga@example.com', '[]', NULL, 'en');
DELETE FROM aegis.mail_template WHERE name LIKE 'regress%';
SELECT regress_invite('olga@example.com', '{"name": "Olga", "code": "1"}', NULL, 'en');

DELETE FROM aegis.outbox WHERE kind = 'mail';
DROP TABLE regress_person;
DELETE FROM aegis.field WHERE name LIKE 'regress_person.%';
DROP FUNCTION regress_invite, regress_remind, probe_context;
DROP OWNED BY regress_mail_member;
DROP ROLE regress_mail_operator, regress_mail_agent, regress_mail_member;
