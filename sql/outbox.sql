-- What the database wants to be sent waits sealed, is claimed by one agent at a time, ends once, and only operators
-- say where it may go.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
CREATE ROLE regress_outbox_agent LOGIN IN ROLE aegis_agent INHERIT;
CREATE ROLE regress_outbox_operator LOGIN IN ROLE aegis_operator INHERIT;
CREATE FUNCTION regress_entries(wanted text) RETURNS bigint LANGUAGE sql AS
  $$ SELECT count(*) FROM aegis.audit_log l WHERE l.event = wanted $$;
SELECT aegis.create_tenant('regress-outbox', 'Outbox') AS tenant \gset

-- A kind is a row, and a function that takes the answer.
CREATE TABLE regress_answer (target text, answer text, status text);
GRANT INSERT ON regress_answer TO aegis_owner;
CREATE FUNCTION regress_take(job aegis.outbox, answer bytea, detail jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF answer = 'nonsense' THEN RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'secret of somebody'; END IF;
  INSERT INTO public.regress_answer VALUES (job.target, convert_from(answer, 'UTF8'), detail ->> 'status');
  RETURN 'answer ' || job.target;
END $$;
INSERT INTO aegis.outbox_kind (name, description, transport, answered, recorded, most_attempts, first_delay, longest_delay, lifetime) VALUES
  ('regress_call', 'a call', 'http', 'public.regress_take', true, 3, '10 s', '1 min', '1 day'),
  ('regress_letter', 'a letter', 'mail', NULL, true, 2, '10 s', '1 min', '1 day');

-- allows: an operator says where jobs may go; recorded
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.register_destination('regress', 'https://api.example.com:8443/v1'), aegis.register_destination('regress-drop', 'drop:worm');
SELECT name, transport, url, registered_by FROM aegis.destination WHERE name LIKE 'regress%' ORDER BY name;
RESET SESSION AUTHORIZATION;
SELECT regress_entries('destination.registered') AS registered;
-- allows: this very machine without TLS, for what is no secret
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.register_destination('regress-plain', 'http://127.0.0.1:8080/v1'), aegis.register_destination('regress-plain-6', 'http://[::1]:8080');
RESET SESSION AUTHORIZATION;
SELECT name FROM aegis.outbox_kind WHERE in_clear ORDER BY name;
-- refuses: addresses that can be read in two ways, are not https, or name a machine by a secret
SET SESSION AUTHORIZATION regress_outbox_operator;
DO $$
DECLARE
  address text;
BEGIN
  FOREACH address IN ARRAY ARRAY['http://example.com', 'https://user:secret@example.com', 'https://example.com/?a=b', 'https://example.com/a/../b',
    'https://example.com/%2e%2e', 'https://EXAMPLE.com', 'https://example.com#x', 'https://example.com:0', 'https://-a.com', 'https://', 'file:///etc/passwd',
    E'https://example.com/\r\nHost: b', 'drop:../x', 'drop:', 'gopher://example.com', 'https://example.com/.', 'https://example.com//a',
    'http://localhost', 'http://127.0.0.2', 'http://127.0.0.1.example.com', 'http://user@127.0.0.1', 'http://[::2]', 'http://10.0.0.1:80'] LOOP
    BEGIN
      PERFORM aegis.register_destination('regress-bad', address);
      RAISE WARNING 'taken: %', address;
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
  END LOOP;
END $$;
SELECT aegis.register_destination('regress-bad', NULL);
SELECT aegis.register_destination('Regress', 'https://example.com');
SELECT aegis.register_destination('regress', 'https://elsewhere.example.com');
SELECT aegis.remove_destination('regress-bad');
RESET SESSION AUTHORIZATION;

-- allows: a job in the deciding transaction; the payload is not readable in the table, and its tenant's key seals it
SET ROLE aegis_owner;
BEGIN;
SELECT aegis.queue_outbound('regress_call', 'undone', 'regress', 'undone', :'tenant') IS NOT NULL AS queued;
ROLLBACK;
SELECT aegis.queue_outbound('regress_call', 'token 4711', 'regress', 'one', :'tenant', 'key-1') AS job \gset
SELECT aegis.queue_outbound('regress_call', 'token 4711', 'regress', 'one', :'tenant', 'key-1') = :job AS the_same_job;
RESET ROLE;
SELECT kind, tenant_id = :'tenant' AS tenant, destination, target, state, attempts, error, created_by_role = session_user AS creator, has_payload,
       expires_at - created_at AS lifetime FROM aegis.outbound WHERE id = :job;
SELECT position('4711'::bytea IN payload) AS clear, get_byte(payload, 0) AS magic FROM aegis.outbox WHERE id = :job;
-- refuses: kinds and destinations that are not known, and everybody but the owner, a superuser too
SELECT aegis.queue_outbound('regress_call', 'x', 'regress');
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_none', 'x', 'regress');
SELECT aegis.queue_outbound('regress_call', 'x');
SELECT aegis.queue_outbound('regress_call', 'x', 'elsewhere');
SELECT aegis.queue_outbound('regress_call', 'x', 'regress-drop');
SELECT aegis.queue_outbound('regress_call', 'x', 'regress-plain');
SELECT aegis.queue_outbound('regress_letter', 'x', 'regress');
SELECT aegis.queue_outbound('regress_letter', NULL);
SELECT aegis.queue_outbound('regress_letter', 'x', idempotency_key => '');
SELECT aegis.queue_outbound('regress_letter', convert_to(repeat('x', 1048577), 'UTF8'));
SELECT aegis.queue_outbound('regress_call', 'x', 'regress', idempotency_key => E'a"\r\nX-Forged: 1');
SELECT aegis.queue_outbound('regress_call', 'x', 'regress', idempotency_key => 'a"; b="');
SELECT aegis.queue_outbound('regress_call', 'x', 'regress', idempotency_key => 'clé');
RESET ROLE;
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT aegis.queue_outbound('regress_call', 'x', 'regress');
SELECT aegis.open_outbound(NULL, 'regress_call', 'key-1', '\x00');
SELECT count(*) FROM aegis.outbox;
SELECT count(*) FROM aegis.outbound;
SELECT aegis.register_destination('agents-own', 'https://example.com');
SELECT aegis.retry_outbound(1, 'mine');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT * FROM aegis.claim_outbound(ARRAY['regress_call']);
SELECT aegis.finish_outbound(1, gen_random_uuid(), 'delivered');
SELECT payload FROM aegis.outbox;
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse

-- allows: the agent claims under a lease and sees what to send; nobody else gets the job meanwhile
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT id AS claimed, lease FROM aegis.claim_outbound(ARRAY['regress_letter']) \gset
SELECT id = :job AS job, kind, transport, destination, url, attempt, idempotency_key, convert_from(payload, 'UTF8') AS payload, lease
  FROM aegis.claim_outbound(ARRAY['regress_call', 'regress_letter'], 10, '1 min') \gset got_
SELECT :'got_job' AS job, :'got_kind' AS kind, :'got_transport' AS transport, :'got_destination' AS destination, :'got_url' AS url, :got_attempt AS attempt,
       :'got_idempotency_key' AS key, :'got_payload' AS payload;
SELECT count(*) AS nothing_left FROM aegis.claim_outbound(ARRAY['regress_call', 'regress_letter'], 10);
-- refuses: a lease that is another's, outcomes and errors that are more than a word
SELECT aegis.finish_outbound(:job, gen_random_uuid(), 'delivered', 'fine');
SELECT aegis.finish_outbound(:job, :'got_lease', 'perhaps');
SELECT aegis.finish_outbound(:job, :'got_lease', 'retry');
SELECT aegis.finish_outbound(:job, :'got_lease', 'retry', detail => '{"error": "olga@example.com was here"}');
SELECT count(*) FROM aegis.claim_outbound(ARRAY['regress_call'], 0);
SELECT count(*) FROM aegis.claim_outbound(ARRAY['regress_call'], 1, '2 hours');
-- allows: a failure lets it wait, longer each time, half of that by chance; what the other side asks for is kept
SELECT aegis.finish_outbound(:job, :'got_lease', 'retry', detail => '{"error": "timeout"}');
RESET SESSION AUTHORIZATION;
SELECT state, attempts, error, not_before - clock_timestamp() BETWEEN '4 s' AND '10 s' AS waits FROM aegis.outbox WHERE id = :job;
CREATE FUNCTION regress_due(job bigint) RETURNS void LANGUAGE sql AS
  $$ UPDATE aegis.outbox SET not_before = clock_timestamp() - interval '1 s' WHERE id = job $$;
SELECT regress_due(:job);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT lease, attempt FROM aegis.claim_outbound(ARRAY['regress_call']) \gset
SELECT aegis.finish_outbound(:job, :'lease', 'retry', detail => '{"error": "busy", "retry_after": 300}');
RESET SESSION AUTHORIZATION;
SELECT :attempt AS attempt, not_before - clock_timestamp() BETWEEN '290 s' AND '301 s' AS waits FROM aegis.outbox WHERE id = :job;
-- survives: an agent that died; its lease ends, and when it was the last attempt the job is given up, with its payload kept for an operator
SELECT regress_due(:job);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT attempt, lease AS dead_lease FROM aegis.claim_outbound(ARRAY['regress_call']) \gset
RESET SESSION AUTHORIZATION;
SELECT regress_due(:job);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS given_up FROM aegis.claim_outbound(ARRAY['regress_call']);
SELECT aegis.finish_outbound(:job, :'dead_lease', 'delivered', 'too late');
RESET SESSION AUTHORIZATION;
SELECT state, attempts, error, has_payload FROM aegis.outbound WHERE id = :job;
SELECT regress_entries('outbound.failed') AS failed;
SELECT object, finding, problem, replace(fix, :'job', 'N') AS fix FROM aegis.coverage() WHERE object_kind = 'outbox';
-- allows: an operator lets it try again, with a reason
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.retry_outbound(:job, ' ');
SELECT aegis.retry_outbound(:job, 'the other side is back');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT attempt, lease FROM aegis.claim_outbound(ARRAY['regress_call']) \gset
-- refuses: an answer that the kind does not take; its words do not get out
SELECT :attempt AS attempt, aegis.finish_outbound(:job, :'lease', 'delivered', 'nonsense');
RESET SESSION AUTHORIZATION;
SELECT state, error FROM aegis.outbound WHERE id = :job;
-- allows: delivered, with the answer handed on and the payload gone
SELECT regress_due(:job);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT lease FROM aegis.claim_outbound(ARRAY['regress_call']) \gset
SELECT aegis.finish_outbound(:job, :'lease', 'delivered', 'fine', '{"status": 200}');
SELECT aegis.finish_outbound(:job, :'lease', 'delivered', 'fine', '{"status": 200}');
RESET SESSION AUTHORIZATION;
SELECT state, attempts, error, result_ref, has_payload FROM aegis.outbound WHERE id = :job;
SELECT * FROM regress_answer;
SELECT detail - 'attempts' AS detail FROM aegis.audit_log WHERE event = 'outbound.delivered';
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_call', 'token 4711', 'regress', 'one', :'tenant', 'key-1') = :job AS still_the_same_job;
SELECT aegis.queue_outbound('regress_call', 'x', 'regress', 'one', NULL, 'key-1');
RESET ROLE;
-- refuses: what is over cannot be tried again or cancelled
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.retry_outbound(NULL, 'again');
\set VERBOSITY sqlstate
SELECT aegis.retry_outbound(:job, 'again');
SELECT aegis.cancel_outbound(:job, 'again');
\set VERBOSITY terse
RESET SESSION AUTHORIZATION;

-- allows: refused for good is given up at once; cancelled wipes
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_letter', 'dear', tenant => :'tenant') AS letter \gset
SELECT aegis.queue_outbound('regress_letter', 'dear', tenant => :'tenant') AS other \gset
RESET ROLE;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT id, lease FROM aegis.claim_outbound(ARRAY['regress_letter']) \gset
SELECT :id = :letter AS oldest_first, aegis.finish_outbound(:id, :'lease', 'refused', detail => '{"error": "no_such_mailbox"}');
SELECT id, lease FROM aegis.claim_outbound(ARRAY['regress_letter']) \gset
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.cancel_outbound(:letter, 'wrong person'), aegis.cancel_outbound(:other, 'wrong person');
SELECT kind, transport, waiting, due, claimed, dead, delivered, last_error FROM aegis.outbox_status() WHERE kind LIKE 'regress%';
RESET SESSION AUTHORIZATION;
SELECT aegis.finish_outbound(:id, :'lease', 'delivered') AS cancelled_meanwhile;
SELECT state, error, has_payload FROM aegis.outbound WHERE id IN (:letter, :other) ORDER BY id;
SELECT regress_entries('outbound.retried') AS retried, regress_entries('outbound.cancelled') AS cancelled;

-- refuses: a payload that was put into another row, or whose time is over, or whose destination was taken back
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_call', 'mine', 'regress', 'moved', :'tenant') AS moved \gset
SELECT aegis.queue_outbound('regress_call', 'mine', 'regress', 'origin', :'tenant', not_before => now() + interval '1 hour') AS origin \gset
SELECT aegis.queue_outbound('regress_call', 'late', 'regress', 'late', NULL, expires_at => now() - interval '1 s') AS late \gset
RESET ROLE;
UPDATE aegis.outbox SET payload = (SELECT payload FROM aegis.outbox WHERE id = :origin) WHERE id = :moved;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS claimed FROM aegis.claim_outbound(ARRAY['regress_call'], 10);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_outbox_operator;
SELECT aegis.remove_destination('regress');
RESET SESSION AUTHORIZATION;
SELECT regress_due(:origin);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS claimed FROM aegis.claim_outbound(ARRAY['regress_call'], 10);
RESET SESSION AUTHORIZATION;
SELECT target, state, error, has_payload FROM aegis.outbound WHERE id IN (:moved, :origin, :late) ORDER BY id;
SELECT event, target_kind, target_id, outcome, detail, "session_user" FROM aegis.audit_log WHERE event = 'destination.removed' AND target_id = 'regress';
-- survives: what a dead job was to send goes when it expires, and the job itself after a month
UPDATE aegis.outbox SET expires_at = now() - interval '1 s' WHERE id = :moved;
UPDATE aegis.outbox SET finished_at = now() - interval '31 days' WHERE id = :late;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS claimed FROM aegis.claim_outbound(ARRAY['regress_call']);
RESET SESSION AUTHORIZATION;
SELECT target, has_payload FROM aegis.outbound WHERE id IN (:moved, :late) ORDER BY id;

-- survives: work that cannot be sent, however much of it is due first; what can be sent is claimed by the same call
SELECT aegis.create_tenant('regress-lost', 'Lost') AS lost \gset
SET ROLE aegis_owner;
SELECT count(aegis.queue_outbound('regress_letter', 'late', target => 'late', not_before => now() - interval '9 s', expires_at => now() - interval '1 s')) AS late
  FROM generate_series(1, 60);
SELECT aegis.queue_outbound('regress_letter', 'no key', target => 'no key', tenant => :'lost', not_before => now() - interval '8 s') AS keyless \gset
SELECT aegis.queue_outbound('regress_letter', 'good', target => 'good', not_before => now() - interval '7 s') AS good \gset
RESET ROLE;
CREATE TABLE regress_keys AS SELECT * FROM aegis.tenant_key WHERE tenant_id = :'lost';
DELETE FROM aegis.tenant_key WHERE tenant_id = :'lost';
\c
SET client_min_messages = warning;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT id = :good AS good, convert_from(payload, 'UTF8') AS payload FROM aegis.claim_outbound(ARRAY['regress_letter']);
RESET SESSION AUTHORIZATION;
SELECT state, error, attempts, has_payload, not_before - clock_timestamp() BETWEEN '50 s' AND '60 s' AS waits FROM aegis.outbound WHERE id = :keyless;
SELECT state, error, count(*) FROM aegis.outbound WHERE target = 'late' GROUP BY 1, 2;
-- allows: the keys are brought, and it goes out
INSERT INTO aegis.tenant_key SELECT * FROM regress_keys;
DROP TABLE regress_keys;
SELECT regress_due(:keyless);
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT attempt, convert_from(payload, 'UTF8') AS payload FROM aegis.claim_outbound(ARRAY['regress_letter']);
RESET SESSION AUTHORIZATION;
DELETE FROM aegis.outbox WHERE target IN ('late', 'no key', 'good');

-- allows: what is sent is made when it is claimed; a credential is opened then, in sessions of the payment service
CREATE ROLE regress_outbox_payer LOGIN IN ROLE aegis_agent, aegis_payment_service INHERIT;
CREATE TABLE regress_secret (tenant_id uuid NOT NULL, PRIMARY KEY (tenant_id), secret aegis.sealed_text);
SELECT aegis.encrypt_column('regress_secret', 'secret', 'regress.credential', 'aegis.sealed_text', reveal => 'none');
INSERT INTO regress_secret VALUES (:'tenant', 'sk_test_4711');
CREATE FUNCTION regress_prepare(job aegis.outbox, payload bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  asked jsonb := convert_from(payload, 'UTF8');
BEGIN
  IF asked ? 'broken' THEN RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'secret of somebody'; END IF;
  RETURN convert_to('Bearer ' || aegis.open_credential((asked ->> 'secret')::aegis.sealed_text, job.tenant_id), 'UTF8');
END $$;
INSERT INTO aegis.outbox_kind (name, description, transport, answered, recorded, most_attempts, first_delay, longest_delay, lifetime, prepared) VALUES
  ('regress_pay', 'a call with a credential', 'mail', 'public.regress_pay', false, 3, '10 s', '1 min', '1 day', 'public.regress_prepare');
-- The answer works in the tenant of its job, in this transaction only.
CREATE FUNCTION regress_pay(job aegis.outbox, answer bytea, detail jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.enter_outbound(job.tenant_id);
  RETURN format('%s %s %s', aegis.tenant_id() = job.tenant_id, aegis.auth_method(), aegis.user_id() IS NULL);
END $$;
SELECT jsonb_build_object('secret', secret::text)::text AS asked FROM regress_secret \gset
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_pay', convert_to(:'asked', 'UTF8'), tenant => :'tenant') AS pay \gset
SELECT aegis.queue_outbound('regress_pay', '{"broken": 1}', tenant => :'tenant') AS broken \gset
RESET ROLE;
SELECT position('4711'::bytea IN payload) AS clear FROM aegis.outbox WHERE id = :pay;
-- refuses: an agent without the role, whose attempt does not count; a payload of which nothing can be made
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS claimed FROM aegis.claim_outbound(ARRAY['regress_pay'], 10);
RESET SESSION AUTHORIZATION;
SELECT state, attempts, error FROM aegis.outbound WHERE id IN (:pay, :broken) ORDER BY id;
UPDATE aegis.outbox SET not_before = now() - interval '1 s' WHERE id = :pay;
SET SESSION AUTHORIZATION regress_outbox_payer;
SELECT convert_from(payload, 'UTF8') AS sent, lease FROM aegis.claim_outbound(ARRAY['regress_pay'], 10) \gset
SELECT :'sent' AS sent, aegis.finish_outbound(:pay, :'lease', 'delivered', 'fine');
-- refuses: the payment service itself, outside of a call
SELECT aegis.open_credential((:'asked'::jsonb ->> 'secret')::aegis.sealed_text, :'tenant');
SELECT aegis.enter_outbound(:'tenant');
RESET SESSION AUTHORIZATION;
SELECT state, attempts, result_ref FROM aegis.outbound WHERE id = :pay;
-- refuses: superusers as well, in their own name and in the owner's
\set VERBOSITY sqlstate
SELECT aegis.open_credential((:'asked'::jsonb ->> 'secret')::aegis.sealed_text, :'tenant');
SET ROLE aegis_owner;
SELECT aegis.open_credential((:'asked'::jsonb ->> 'secret')::aegis.sealed_text, :'tenant');
RESET ROLE;
\set VERBOSITY terse
-- survives: that it was opened is in the ledger
SELECT count(*) AS opened FROM aegis.audit_log l WHERE l.event = 'pii.revealed' AND l.target_id = 'regress.credential';
DROP TABLE regress_secret;
DELETE FROM aegis.field WHERE name = 'regress.credential';

-- allows: work that nobody takes shows in health and coverage
SELECT aegis.health() ->> 'outbox' AS outbox;
SET ROLE aegis_owner;
SELECT aegis.queue_outbound('regress_letter', 'dear', not_before => now() - interval '14 minutes') AS waiting \gset
RESET ROLE;
SELECT aegis.health() ->> 'outbox' AS outbox;
UPDATE aegis.outbox SET not_before = now() - interval '16 minutes' WHERE id = :waiting;
SELECT aegis.health() ->> 'outbox' AS outbox, aegis.health() ->> 'status' AS status;
SELECT severity, object, finding FROM aegis.coverage() WHERE finding = 'outbox-stale';

DELETE FROM aegis.outbox WHERE kind LIKE 'regress%';
DELETE FROM aegis.outbox_kind WHERE name LIKE 'regress%';
DELETE FROM aegis.destination WHERE name LIKE 'regress%';
DROP TABLE regress_answer;
DROP FUNCTION regress_prepare(aegis.outbox, bytea), regress_pay(aegis.outbox, bytea, jsonb), regress_take(aegis.outbox, bytea, jsonb), regress_due(bigint), regress_entries(text), regress_wait_worker();
DROP ROLE regress_outbox_agent, regress_outbox_operator, regress_outbox_payer;
