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
-- refuses: addresses that can be read in two ways, are not https, or name a machine by a secret
SET SESSION AUTHORIZATION regress_outbox_operator;
DO $$
DECLARE
  address text;
BEGIN
  FOREACH address IN ARRAY ARRAY['http://example.com', 'https://user:secret@example.com', 'https://example.com/?a=b', 'https://example.com/a/../b',
    'https://example.com/%2e%2e', 'https://EXAMPLE.com', 'https://example.com#x', 'https://example.com:0', 'https://-a.com', 'https://', 'file:///etc/passwd',
    E'https://example.com/\r\nHost: b', 'drop:../x', 'drop:', 'gopher://example.com', 'https://example.com/.', 'https://example.com//a'] LOOP
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
SELECT aegis.queue_outbound('regress_letter', 'x', 'regress');
SELECT aegis.queue_outbound('regress_letter', NULL);
SELECT aegis.queue_outbound('regress_letter', 'x', idempotency_key => '');
SELECT aegis.queue_outbound('regress_letter', convert_to(repeat('x', 1048577), 'UTF8'));
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
-- survives: what a dead job was to send goes when it expires, and the job itself after a month
UPDATE aegis.outbox SET expires_at = now() - interval '1 s' WHERE id = :moved;
UPDATE aegis.outbox SET finished_at = now() - interval '31 days' WHERE id = :late;
SET SESSION AUTHORIZATION regress_outbox_agent;
SELECT count(*) AS claimed FROM aegis.claim_outbound(ARRAY['regress_call']);
RESET SESSION AUTHORIZATION;
SELECT target, has_payload FROM aegis.outbound WHERE id IN (:moved, :late) ORDER BY id;

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
DROP FUNCTION regress_take(aegis.outbox, bytea, jsonb), regress_due(bigint), regress_entries(text), regress_wait_worker();
DROP ROLE regress_outbox_agent, regress_outbox_operator;
