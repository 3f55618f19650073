-- Controls: what Aegis promises, as data, with the tests and the query that show it, and when somebody last looked. docs/control.md.

CREATE TABLE aegis.control (
  id             text     NOT NULL PRIMARY KEY CHECK (id ~ '^[A-Z][0-9]$'),
  status         text     NOT NULL CHECK (status IN ('implemented', 'partial', 'planned')),
  owner          text     NOT NULL,
  statement      text     NOT NULL,
  implementation text[]   NOT NULL CHECK (status = 'planned' OR implementation <> '{}'),
  tests          text[]   NOT NULL CHECK (status = 'planned' OR tests <> '{}'),
  evidence       text     NOT NULL,
  soc2           text[]   NOT NULL,
  iso27001       text[]   NOT NULL,
  pci            text[]   NOT NULL,
  stated_on      date     NOT NULL,
  months         smallint NOT NULL DEFAULT 12 CHECK (months > 0 AND months <= 12)
);
-- A restored database has the controls of the version that it restores with.
SELECT pg_catalog.pg_extension_config_dump('aegis.control', 'WHERE false');
COMMENT ON TABLE aegis.control IS 'controls: what is promised, where it is done, which tests and which query show it, and which clauses of others it serves';
COMMENT ON COLUMN aegis.control.owner IS 'the duty in an installation that answers for it';
COMMENT ON COLUMN aegis.control.evidence IS 'a query that an auditor runs';
COMMENT ON COLUMN aegis.control.stated_on IS 'when the statement was last compared with code and tests, in the sources';
COMMENT ON COLUMN aegis.control.months IS 'how long a review holds at most';

-- One control, one row: scripts/controls.py reads them. Texts of planned ones begin with "Will".
INSERT INTO aegis.control (id, status, owner, statement, implementation, tests, evidence, soc2, iso27001, pci, stated_on) VALUES
  ('T1', 'implemented', 'database', 'Each row of a tenant carries a verified tenant, and row security shows no query the row of another; what a client says of its tenant is overwritten.', '{extension/src/protect.cpp,extension/src/wall.cpp,aegis.protect_table}', '{sql/protect.sql,sql/wall.sql,tests/process/oracle.sh,tests/process/attacks.sh}', 'SELECT severity, object, finding, problem FROM aegis.coverage()', '{CC6.1}', '{A.8.3}', '{7.2.5,7.2.6}', '2026-11-29'),
  ('T2', 'implemented', 'database', 'Within a tenant users see what they made, leads and managers their teams, admins the organisation, and nobody more.', '{extension/src/team.cpp,aegis.move_team}', '{sql/team.sql,sql/protect_tree.sql,tests/process/oracle.sh}', 'SELECT "time", event, target_id, detail FROM aegis.audit_log WHERE event IN (''user.rank_changed'', ''user.moved'', ''team.moved'')', '{CC6.3}', '{A.5.15,A.5.18}', '{7.2.1,7.2.2}', '2026-11-29'),
  ('T3', 'implemented', 'database', 'The context of a tenant follows from a proof that the database verified, cannot be set by SQL, and ends with the transaction.', '{extension/src/context.cpp,aegis.tenant_id}', '{sql/context.sql,tests/process/pooler.sh,tests/process/prompt.sh}', 'SELECT "time", "session_user", tenant_id, outcome, detail FROM aegis.audit_log WHERE event = ''operator.assumed_tenant''', '{CC6.1}', '{A.8.3,A.8.18}', '{7.2.5}', '2026-11-29'),
  ('T4', 'implemented', 'database', 'A table without protection is noticed, and DDL that would leave a hole is refused or repaired.', '{extension/src/ddl_guard.cpp,aegis.coverage,aegis.guard_schema}', '{sql/coverage.sql,sql/ddl_guard.sql,tests/process/mutation.sh}', 'SELECT severity, object, finding, problem FROM aegis.coverage()', '{CC7.1,CC8.1}', '{A.8.9,A.8.32}', '{6.5.1}', '2026-11-29'),
  ('E1', 'implemented', 'security', 'Personal fields are AES-256-GCM under keys of their tenant, derived from a master key.', '{extension/src/core/envelope.cpp,extension/src/sealed.cpp,aegis.encrypt_column}', '{sql/sealed.sql,tests/process/independent.sh,tests/process/leak.sh}', 'SELECT relation, column_name, class, sealed FROM aegis.classification WHERE class IN (''pii'', ''pii_special'')', '{CC6.1}', '{A.8.24}', '{3.5.1}', '2026-11-29'),
  ('E2', 'implemented', 'security', 'What is sealed is bound to tenant and field, and where declared to row and person: moved, it does not open.', '{extension/src/core/envelope.cpp,extension/src/subject.cpp}', '{sql/subject_row.sql,sql/sealed.sql,tests/process/subject.sh}', 'SELECT name, relation, column_name, subject_column FROM aegis.field', '{CC6.1}', '{A.8.24}', '{3.5.1}', '2026-11-29'),
  ('E3', 'implemented', 'security', 'Keys have versions and rotate while work goes on; a tenant or one person is erased by destroying keys, and the proof of it is recorded.', '{extension/src/reseal.cpp,extension/src/key_shred.cpp,aegis.rotate_tenant_key,aegis.shred_subject}', '{sql/reseal.sql,sql/subject.sql,sql/tenant_erase.sql,tests/process/rotate.sh}', 'SELECT "time", event, tenant_id, target_id FROM aegis.audit_log WHERE event ~ ''^key[.]''', '{CC6.1,CC6.5}', '{A.8.10,A.8.24}', '{3.6.1,3.7.4}', '2026-11-29'),
  ('E4', 'implemented', 'security', 'Master keys come from a provider, never from SQL, and reach no log, dump or statistic.', '{extension/src/key_provider.cpp,aegis.key_status}', '{tests/process/key_provider.sh,tests/process/pkcs11.sh,tests/process/leak.sh}', 'SELECT version, state, root_keys, fault FROM aegis.key_status()', '{CC6.1}', '{A.8.24}', '{3.6.1,3.7.1}', '2026-11-29'),
  ('E5', 'implemented', 'security', 'Sealed fields that say so are found by equality, through a keyed token and nothing else.', '{extension/src/sealed_search.cpp,aegis.rotate_index_key}', '{sql/sealed_search.sql,sql/sealed_match.sql,sql/key_index.sql}', 'SELECT relation, column_name, searchable FROM aegis.classification WHERE searchable', '{CC6.1}', '{A.8.24}', '{3.5.1}', '2026-11-29'),
  ('E6', 'implemented', 'payments', 'Credentials of payment providers open for the role of the payment service alone.', '{extension/src/outbox.cpp,extension/app/provider_account.sql,aegis.open_credential}', '{sql/outbox.sql,sql/payment.sql,tests/process/checkout.sh}', 'SELECT name, relation, column_name FROM aegis.field WHERE name ~ ''provider''', '{CC6.1,CC6.3}', '{A.5.17,A.8.24}', '{8.6.2}', '2026-11-29'),
  ('L1', 'implemented', 'compliance', 'Each significant act is an entry of the ledger, with actor, origin, time and outcome, or its transaction fails.', '{extension/src/ledger.cpp,extension/src/catalogue.cpp,aegis.record,aegis.audit_table}', '{sql/ledger.sql,sql/catalogue.sql,tests/lint/audit_trail.sh,tests/process/storm.sh}', 'SELECT relation, protected, captured FROM aegis.audit_coverage()', '{CC7.2}', '{A.8.15}', '{10.2.1,10.2.2}', '2026-11-29'),
  ('L2', 'implemented', 'compliance', 'Nobody changes or removes an entry by SQL; a superuser who goes around that is detected.', '{extension/src/ledger_guard.cpp,aegis.refuse_ledger_change}', '{sql/ledger_guard.sql,tests/process/append_only.sh,tests/process/tamper.sh}', 'SELECT "time", event, target_id, detail FROM aegis.audit_log WHERE detail ->> ''how'' = ''found''', '{CC7.2}', '{A.8.15}', '{10.3.2,10.3.4}', '2026-11-29'),
  ('L3', 'implemented', 'compliance', 'An auditor verifies the ledger with one call, and others without the database, against signed checkpoints.', '{extension/src/verify.cpp,server/aegis-verify.cpp,aegis.verify_ledger}', '{sql/verify.sql,tests/process/verify_offline.sh,tests/process/stock.sh,tests/process/witness.sh}', 'SELECT checked, subject, outcome, items, detail FROM aegis.verify_ledger()', '{CC7.2}', '{A.8.15}', '{10.3.4}', '2026-11-29'),
  ('I1', 'implemented', 'identity', 'Passwords are Argon2id and checked against breached ones, guesses lock and slow down, a suspicious sign-in asks for a new password, and there is a second factor.', '{extension/src/password.cpp,extension/src/sign_in.cpp,extension/src/second_factor.cpp,aegis.sign_in}', '{sql/password.sql,sql/sign_in.sql,sql/second_factor.sql,sql/suspicion.sql,tests/server/sign_ins.py}', 'SELECT event, tenant_id, count(*) FROM aegis.audit_log WHERE event ~ ''^auth[.]'' GROUP BY 1, 2', '{CC6.1}', '{A.5.17,A.8.5}', '{8.3.1,8.3.4}', '2026-11-29'),
  ('I2', 'implemented', 'identity', 'A user has one session: the newest counts, and the page of the older says why it ended.', '{extension/src/session.cpp,server/console/session.js}', '{sql/session.sql,tests/browser/session.mjs}', 'SELECT "time", user_id FROM aegis.audit_log WHERE event = ''auth.session_superseded''', '{CC6.1}', '{A.8.5}', '{8.2.8}', '2026-11-29'),
  ('I3', 'implemented', 'identity', 'Tokens of identity providers are verified in the database and mapped to tenant and rank; demo mode does not start in production.', '{extension/src/issuer.cpp,aegis.register_issuer}', '{sql/issuer.sql,sql/demo.sql,tests/server/issuer.py,tests/process/demo.sh}', 'SELECT name, issuer, audiences, keys, retired_at FROM aegis.issuers', '{CC6.1,CC6.2}', '{A.5.16,A.8.5}', '{8.2.1}', '2026-11-29'),
  ('I4', 'implemented', 'identity', 'Requests between services are signed over what they say and when, and count once.', '{extension/src/service.cpp,aegis.create_service}', '{sql/service.sql,tests/server/service.py}', 'SELECT name, tenant_id, rank, scopes, keys, retired_at FROM aegis.services', '{CC6.1,CC6.6}', '{A.8.5}', '{8.6.1}', '2026-11-29'),
  ('G1', 'implemented', 'platform', 'The gateway speaks TLS 1.3 and nothing less, its pages run under a policy with a nonce, and what is not signed in reaches no handler.', '{server/main.cpp,server/console/index.html}', '{tests/server/scanners.py,tests/server/errors.py,tests/server/paths.py}', 'SELECT "time", event, target_id, detail FROM aegis.audit_log WHERE event ~ ''^route[.]''', '{CC6.6,CC6.7}', '{A.8.20,A.8.26}', '{4.2.1}', '2026-11-29'),
  ('G2', 'implemented', 'platform', 'Health, metrics, logs, reports of errors and the status page say how the service is, and nothing personal.', '{extension/src/health.cpp,aegis.health,aegis.status}', '{tests/server/metrics.py,tests/server/sentry.py,tests/server/life.py,sql/status.sql}', 'SELECT aegis.health()', '{CC7.2,A1.1}', '{A.8.16}', '{10.7.2}', '2026-11-29'),
  ('G3', 'implemented', 'platform', 'A tenant chooses a region, and its data stays in the database of that region.', '{extension/sql/tenant.sql,extension/src/tenant_home.cpp,server/region_route.cpp,aegis.move_tenant}', '{sql/residency.sql,tests/server/regions.py,tests/process/move.sh}', 'SELECT slug, region FROM aegis.tenants()', '{CC6.1,C1.1}', '{A.5.34}', '{3.2.1}', '2026-11-29'),
  ('P1', 'implemented', 'payments', 'Aegis takes no card data: forms are the provider''s, and brand, last four digits and results are what is kept.', '{extension/app/checkout.sql,docs/what-we-never-store.md}', '{sql/never_store.sql,tests/browser/invoice-pay.mjs,tests/server/payment.py}', 'SELECT relation, column_name, class FROM aegis.classification WHERE class = ''prohibited_pci''', '{C1.1}', '{A.8.12}', '{3.2.1,3.3.1}', '2026-11-29'),
  ('P2', 'implemented', 'payments', 'Card data in messages of providers is removed in three layers before they are kept.', '{extension/src/scrub.cpp,extension/sql/payload.sql,aegis.scrub_payload}', '{sql/scrub.sql,sql/payload.sql,tests/server/card_data.py,tests/scrub/acceptance.py}', 'SELECT "time", outcome, detail FROM aegis.audit_log WHERE event = ''pci.scan_completed''', '{CC6.7,C1.1}', '{A.8.12}', '{3.3.1,3.5.1}', '2026-11-29'),
  ('P3', 'implemented', 'payments', 'Messages of providers are verified, and each has its effect once.', '{extension/src/webhook.cpp,extension/app/payment_event.sql,aegis.verify_webhook}', '{sql/webhook.sql,sql/payment.sql,tests/process/payment.sh,tests/server/webhook.py}', 'SELECT "time", event, target_id, detail FROM aegis.audit_log WHERE event ~ ''^webhook[.]''', '{PI1.3}', '{A.8.26}', '{6.2.4}', '2026-11-29'),
  ('D1', 'partial', 'compliance', 'Pages for a customer''s security team are kept in step with the code by tests: threat model, trail of events, attacks, data that is never stored, and these controls. A data protection impact assessment, a risk register and playbooks are not among them.', '{docs/threat-model.md,docs/AUDIT_TRAIL.md,docs/control.md,scripts/controls.py}', '{tests/lint/controls.sh,tests/lint/audit_trail.sh,tests/lint/attacks.sh,tests/lint/never_store.sh,sql/control.sql}', 'SELECT id, state, next_review FROM aegis.controls() WHERE state <> ''current''', '{CC2.3}', '{A.5.36}', '{12.1.2}', '2026-11-29');

-- Otherwise a control that does not hold could be taken away, or be given a later date, and no review would be missed.
CREATE FUNCTION aegis.keep_control() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'controls come with the extension and are not changed in a database',
    HINT = 'Record what you found of one with aegis.review_control().';
END $$;
COMMENT ON FUNCTION aegis.keep_control() IS 'trigger: controls are those of the extension';
-- For rows: a restored dump copies none.
CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON aegis.control FOR EACH ROW EXECUTE FUNCTION aegis.keep_control();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON aegis.control FOR EACH STATEMENT EXECUTE FUNCTION aegis.keep_control();
ALTER TABLE aegis.control ENABLE ALWAYS TRIGGER keep, ENABLE ALWAYS TRIGGER keep_all;

CREATE TABLE aegis.control_review (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  control     text        NOT NULL,
  outcome     text        NOT NULL CHECK (outcome IN ('effective', 'ineffective')),
  remark      text        NOT NULL CHECK (remark <> '' AND pg_catalog.char_length(remark) <= 500),
  next_review date        NOT NULL,
  reviewed_by text        NOT NULL,
  reviewed_at timestamptz NOT NULL
);
COMMENT ON TABLE aegis.control_review IS 'reviews of controls in this installation; each is an entry of the ledger as well, and none is changed';
SELECT pg_catalog.pg_extension_config_dump('aegis.control_review', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.control_review_id_seq', '');
CREATE INDEX control_review_newest ON aegis.control_review (control, id DESC);

CREATE FUNCTION aegis.keep_control_review() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'a review of a control is never changed or removed',
    HINT = 'Record another one with aegis.review_control().';
END $$;
COMMENT ON FUNCTION aegis.keep_control_review() IS 'trigger: reviews are added and never changed';
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON aegis.control_review FOR EACH ROW EXECUTE FUNCTION aegis.keep_control_review();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON aegis.control_review FOR EACH STATEMENT EXECUTE FUNCTION aegis.keep_control_review();
ALTER TABLE aegis.control_review ENABLE ALWAYS TRIGGER keep, ENABLE ALWAYS TRIGGER keep_all;

-- A review counts from its day on: as of a day before it, it was not there.
CREATE FUNCTION aegis.controls(day date DEFAULT (pg_catalog.now() AT TIME ZONE 'UTC')::date)
  RETURNS TABLE (id text, state text, status text, owner text, statement text, last_review timestamptz, last_reviewer text, last_outcome text, next_review date,
                 implementation text[], tests text[], evidence text, soc2 text[], iso27001 text[], pci text[])
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT c.id, CASE WHEN n.due < d.day THEN 'overdue' WHEN r.outcome = 'ineffective' THEN 'ineffective' WHEN n.due < d.day + 30 THEN 'due' ELSE 'current' END,
           c.status, c.owner, c.statement, r.reviewed_at, r.reviewed_by, r.outcome, n.due, c.implementation, c.tests, c.evidence, c.soc2, c.iso27001, c.pci
      FROM aegis.control c
     CROSS JOIN (SELECT coalesce(controls.day, (now() AT TIME ZONE 'UTC')::date) AS day) d
      LEFT JOIN LATERAL (SELECT v.* FROM aegis.control_review v WHERE v.control = c.id AND (v.reviewed_at AT TIME ZONE 'UTC')::date <= d.day ORDER BY v.id DESC LIMIT 1) r ON true
     CROSS JOIN LATERAL (SELECT coalesce(r.next_review, (c.stated_on + make_interval(months => c.months))::date) AS due) n
     ORDER BY c.id;
  END;
COMMENT ON FUNCTION aegis.controls(date) IS 'every control with its newest review by a day (UTC): overdue then, ineffective, due within 30 days, or current';

CREATE FUNCTION aegis.review_control(control text, outcome text, remark text, next_review date DEFAULT NULL) RETURNS date
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  today  CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
  latest date;
  due    date;
  made   aegis.control_review;
BEGIN
  SELECT (today + make_interval(months => c.months))::date INTO latest FROM aegis.control c WHERE c.id = review_control.control;
  IF latest IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('there is no control "%s"', coalesce(left(control, 63), 'null')), HINT = 'aegis.controls() lists them.';
  ELSIF coalesce(outcome, '') NOT IN ('effective', 'ineffective') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the outcome of a review must be "effective" or "ineffective"';
  -- Letters of every script, also in the locale C, which knows those of ASCII alone.
  ELSIF coalesce(remark, '') !~ '[^[:space:][:cntrl:][:punct:]\u0080-\u00a0\u00ad\u061c\u1680\u2000-\u206f\u3000\ufeff]' OR char_length(remark) > 500 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a review needs a remark of at most 500 characters', HINT = 'Say what was looked at.';
  END IF;
  due := coalesce(next_review, latest);
  IF due <= today OR due > latest THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the next review of "%s" must be after today and by %s', control, to_char(latest, 'YYYY-MM-DD'));
  END IF;
  INSERT INTO aegis.control_review (control, outcome, remark, next_review, reviewed_by, reviewed_at)
    VALUES (review_control.control, review_control.outcome, review_control.remark, due, session_user, now()) RETURNING * INTO made;
  -- Which review counts follows from its number and time, so that the entry holds both.
  PERFORM aegis.record_tenant_event('control.reviewed', NULL, 'control', control,
    jsonb_build_object('outcome', outcome, 'remark', remark, 'next_review', to_char(due, 'YYYY-MM-DD'), 'review', made.id,
                       'reviewed_at', to_char(made.reviewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  RETURN due;
END $$;
COMMENT ON FUNCTION aegis.review_control(text, text, text, date) IS 'records that a control was looked at, and until when that holds; for operators; recorded';
