-- Work for aegis-agent, the one process that makes outbound calls, and what it brought back. docs/outbox.md.

-- A new kind is a row here and a function that takes the answer; the agent knows transports only.
CREATE TABLE aegis.outbox_kind (
  name          text     NOT NULL PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$'),
  description   text     NOT NULL CHECK (description <> ''),
  transport     text     NOT NULL CHECK (transport IN ('http', 'mail', 'file')),
  answered      text     CHECK (answered ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'),
  recorded      boolean  NOT NULL,
  most_attempts integer  NOT NULL CHECK (most_attempts BETWEEN 1 AND 100),
  first_delay   interval NOT NULL CHECK (first_delay > interval '0'),
  longest_delay interval NOT NULL CHECK (longest_delay <= interval '1 day'),
  lifetime      interval NOT NULL CHECK (lifetime > interval '0'),
  by_extension  boolean  NOT NULL DEFAULT false,
  in_clear      boolean  NOT NULL DEFAULT false,
  prepared      text     CHECK (prepared ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$'),
  given_up      text     CHECK (given_up ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$')
);
COMMENT ON TABLE aegis.outbox_kind IS 'kinds of outbound jobs: how each is carried, tried again, and who takes its answer';
COMMENT ON COLUMN aegis.outbox_kind.answered IS
  'a function by schema and name, called as (aegis.outbox, answer bytea, detail jsonb) in the transaction that ends the job; returns what the answer became; an error makes the attempt a failed one';
COMMENT ON COLUMN aegis.outbox_kind.in_clear IS
  'whether it may go to http:// and a loopback address: nothing in it is secret, and what comes back is signed or no proof of anything';
COMMENT ON COLUMN aegis.outbox_kind.prepared IS
  'a function by schema and name, called as (aegis.outbox, payload bytea) when a job is claimed; returns what is sent: what must not wait in a table, such as a credential, is put in here';
COMMENT ON COLUMN aegis.outbox_kind.given_up IS
  'a function by schema and name, called as (aegis.outbox, error text) in the transaction that ends a job without a delivery; true: what was asked for has ended with it, and the job is never tried again';
COMMENT ON COLUMN aegis.outbox_kind.recorded IS 'whether a delivery is a ledger entry; failures always are';
SELECT pg_catalog.pg_extension_config_dump('aegis.outbox_kind', 'WHERE NOT by_extension');

CREATE TABLE aegis.destination (
  name          text        NOT NULL PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  transport     text        NOT NULL CHECK (transport IN ('http', 'file')),
  url           text        NOT NULL,
  registered_by text        NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE aegis.destination IS 'where outbound jobs may go; the configuration of the agent must allow it too';
SELECT pg_catalog.pg_extension_config_dump('aegis.destination', '');

CREATE TABLE aegis.outbox (
  id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind            text        NOT NULL,
  tenant_id       uuid,
  destination     text,
  target          text        CHECK (pg_catalog.octet_length(target) <= 200),
  payload         bytea,
  state           text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'claimed', 'done', 'dead', 'cancelled')),
  attempts        integer     NOT NULL DEFAULT 0,
  not_before      timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL,
  lease           uuid,
  idempotency_key text        NOT NULL,
  error           text,
  result_ref      text,
  created_by_role text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT pg_catalog.now(),
  finished_at     timestamptz,
  CONSTRAINT outbox_key UNIQUE (kind, idempotency_key),
  CHECK ((state IN ('waiting', 'claimed')) = (finished_at IS NULL)),
  CHECK ((state = 'claimed') = (lease IS NOT NULL))
);
COMMENT ON TABLE aegis.outbox IS 'outbound jobs; nobody reads it but the functions of aegis';
COMMENT ON COLUMN aegis.outbox.payload IS 'what is to be sent, sealed for its tenant and its row; NULL once it was sent, cancelled or has expired';
COMMENT ON COLUMN aegis.outbox.not_before IS 'when the job is due; of a claimed one, when its lease ends';
SELECT pg_catalog.pg_extension_config_dump('aegis.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('aegis.outbox_id_seq', '');
CREATE INDEX outbox_due ON aegis.outbox (not_before, id) WHERE state IN ('waiting', 'claimed');
CREATE INDEX outbox_finished ON aegis.outbox (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX outbox_kept ON aegis.outbox (expires_at) WHERE finished_at IS NOT NULL AND payload IS NOT NULL;
CREATE INDEX outbox_tenant ON aegis.outbox (tenant_id) WHERE tenant_id IS NOT NULL;

CREATE VIEW aegis.outbound AS
  SELECT id, kind, tenant_id, destination, target, state, attempts, not_before, expires_at, error, result_ref,
         created_by_role, created_at, finished_at, payload IS NOT NULL AS has_payload
    FROM aegis.outbox;
COMMENT ON VIEW aegis.outbound IS 'every outbound job and how far it is, without what is sent';

-- For functions of Aegis that decide, in the deciding transaction.
CREATE FUNCTION aegis.queue_outbound(kind text, payload bytea, destination text DEFAULT NULL, target text DEFAULT NULL,
                                     tenant uuid DEFAULT NULL, idempotency_key text DEFAULT NULL,
                                     not_before timestamptz DEFAULT NULL, expires_at timestamptz DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_queue_outbound' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.queue_outbound(text, bytea, text, text, uuid, text, timestamptz, timestamptz) IS
  'queues an outbound job with its payload sealed; the same idempotency key is the same job; for Aegis alone';

CREATE FUNCTION aegis.open_outbound(tenant uuid, kind text, idempotency_key text, payload bytea) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_open_outbound' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.open_outbound(uuid, text, text, bytea) IS 'the payload of an outbound job in clear; for Aegis alone';

CREATE FUNCTION aegis.open_credential(value aegis.sealed_text, tenant uuid) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_open_credential' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.open_credential(aegis.sealed_text, uuid) IS
  'a sealed credential of another side in clear, in sessions of aegis_payment_service; charged and recorded; for Aegis alone';

CREATE FUNCTION aegis.enter_outbound(tenant uuid) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_enter_outbound' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.enter_outbound(uuid) IS 'the context of a job, for a function that takes the answer for a tenant; for Aegis alone';

CREATE FUNCTION aegis.end_outbound(job aegis.outbox, state text, error text, result_ref text, recorded boolean) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  told text := (SELECT k.given_up FROM aegis.outbox_kind k WHERE k.name = job.kind);
  is_over boolean := false;
BEGIN
  IF state IN ('dead', 'cancelled') AND told IS NOT NULL THEN
    BEGIN
      EXECUTE format('SELECT %s($1, $2)', told) INTO is_over USING job, coalesce(error, state);
    EXCEPTION
      WHEN transaction_rollback OR query_canceled OR SQLSTATE 'AG004' THEN
        RAISE;  -- another time
      WHEN OTHERS THEN
        -- The job ends all the same: it must not be looked at for ever.
        RAISE WARNING 'that outbound job % was given up could not be told', job.id USING DETAIL = format('%s ended with %s.', told, SQLSTATE);
    END;
  END IF;
  -- A dead job keeps what it was to send, so that an operator can let it try again, until it expires.
  UPDATE aegis.outbox o
     SET state = end_outbound.state, error = end_outbound.error, result_ref = end_outbound.result_ref, lease = NULL,
         finished_at = clock_timestamp(),
         payload = CASE WHEN end_outbound.state = 'dead' AND is_over IS NOT TRUE AND o.expires_at > clock_timestamp() THEN o.payload END
   WHERE o.id = job.id;
  IF recorded THEN
    PERFORM aegis.record_tenant_event('outbound.' || CASE state WHEN 'done' THEN 'delivered' WHEN 'dead' THEN 'failed' ELSE state END,
      job.tenant_id, 'outbound', job.id::text,
      jsonb_strip_nulls(jsonb_build_object('kind', job.kind, 'destination', job.destination, 'target', job.target,
                                           'attempts', job.attempts, 'error', error, 'result', result_ref)));
  END IF;
END $$;
COMMENT ON FUNCTION aegis.end_outbound(aegis.outbox, text, text, text, boolean) IS 'ends an outbound job and records it; for Aegis alone';

CREATE FUNCTION aegis.claim_outbound(kinds text[], most integer DEFAULT 1, lease_time interval DEFAULT '2 minutes', transports text[] DEFAULT NULL)
  RETURNS TABLE (id bigint, kind text, transport text, destination text, url text, attempt integer, lease uuid, idempotency_key text,
                 created_at timestamptz, payload bytea)
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  job aegis.outbox;
  how aegis.outbox_kind;
  address text;
  opened bytea;
  fault text;
  taken integer := 0;
BEGIN
  IF most IS NULL OR most NOT BETWEEN 1 AND 100
     OR lease_time IS NULL OR lease_time NOT BETWEEN interval '1 second' AND interval '1 hour' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a number of 1 to 100 and a lease of 1 second to 1 hour are needed';
  END IF;
  -- What ended long ago, and what a dead job was to send once it has expired; some at a time, so that no claim takes long.
  DELETE FROM aegis.outbox o WHERE o.ctid = ANY (ARRAY(
    SELECT f.ctid FROM aegis.outbox f WHERE f.finished_at < now() - interval '30 days' ORDER BY f.finished_at LIMIT 100 FOR UPDATE SKIP LOCKED));
  UPDATE aegis.outbox o SET payload = NULL WHERE o.ctid = ANY (ARRAY(
    SELECT f.ctid FROM aegis.outbox f WHERE f.finished_at IS NOT NULL AND f.payload IS NOT NULL AND f.expires_at <= clock_timestamp()
     LIMIT 100 FOR UPDATE SKIP LOCKED));
  -- What cannot be sent is put out of the way, some of it at a time, so that nothing due waits behind it.
  FOR turn IN 1 .. most + 100 LOOP
    SELECT o.* INTO job FROM aegis.outbox o
     WHERE o.state IN ('waiting', 'claimed') AND o.not_before <= clock_timestamp()
       AND o.kind = ANY (ARRAY(SELECT k.name FROM aegis.outbox_kind k
                                WHERE (kinds IS NULL OR k.name = ANY (kinds)) AND (transports IS NULL OR k.transport = ANY (transports))))
     ORDER BY o.not_before, o.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    EXIT WHEN NOT FOUND;
    SELECT k.* INTO STRICT how FROM aegis.outbox_kind k WHERE k.name = job.kind;
    SELECT d.url INTO address FROM aegis.destination d WHERE d.name = job.destination AND d.transport = how.transport;
    fault := CASE WHEN job.payload IS NULL THEN 'cancelled'
                  WHEN job.expires_at <= clock_timestamp() THEN 'expired'
                  WHEN job.attempts >= how.most_attempts THEN 'attempts_used_up'
                  WHEN how.transport <> 'mail' AND address IS NULL THEN 'destination_unknown' END;
    BEGIN
      IF fault IS NULL THEN
        BEGIN
          opened := aegis.open_outbound(job.tenant_id, job.kind, job.idempotency_key, job.payload);
        EXCEPTION WHEN SQLSTATE 'AG003' OR SQLSTATE 'AG005' THEN
          fault := 'payload_unreadable';  -- changed, or its tenant's keys were destroyed
        END;
      END IF;
      IF fault IS NULL AND how.prepared IS NOT NULL THEN
        BEGIN
          EXECUTE format('SELECT %s($1, $2)', how.prepared) INTO opened USING job, opened;
        EXCEPTION
          WHEN transaction_rollback OR query_canceled OR SQLSTATE 'AG004' THEN
            RAISE;
          WHEN insufficient_privilege THEN
            fault := 'agent_lacks_role';
          WHEN OTHERS THEN
            fault := 'not_prepared_' || lower(SQLSTATE);
        END;
      END IF;
      IF fault = 'agent_lacks_role' THEN
        -- This agent may not send it, another may: the job waits, and none of its attempts is used up.
        UPDATE aegis.outbox o SET state = 'waiting', lease = NULL, error = fault, not_before = clock_timestamp() + how.first_delay
         WHERE o.id = job.id;
        CONTINUE;
      ELSIF fault IS NOT NULL THEN
        -- Whoever is told works in the context of the tenant, which a transaction has once: no other job goes with it.
        EXIT WHEN how.given_up IS NOT NULL AND taken > 0;
        PERFORM aegis.end_outbound(job, CASE fault WHEN 'cancelled' THEN fault ELSE 'dead' END, fault, NULL, fault <> 'cancelled');
        IF how.given_up IS NOT NULL THEN
          PERFORM pg_notify('aegis_outbox', '');
          EXIT;
        END IF;
        CONTINUE;
      END IF;
    EXCEPTION WHEN SQLSTATE 'AG004' THEN
      -- Keys that are not there may be brought; meanwhile nobody else's work waits for them.
      UPDATE aegis.outbox o SET state = 'waiting', lease = NULL, error = 'key_missing',
             not_before = clock_timestamp() + least(how.longest_delay, interval '5 minutes') WHERE o.id = job.id;
      CONTINUE;
    END;
    UPDATE aegis.outbox o
       SET state = 'claimed', lease = gen_random_uuid(), attempts = o.attempts + 1, not_before = clock_timestamp() + lease_time
     WHERE o.id = job.id RETURNING o.* INTO job;
    id := job.id;
    kind := job.kind;
    transport := how.transport;
    destination := job.destination;
    url := address;
    attempt := job.attempts;
    lease := job.lease;
    idempotency_key := job.idempotency_key;
    created_at := job.created_at;
    payload := opened;
    RETURN NEXT;
    taken := taken + 1;
    EXIT WHEN taken = most;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.claim_outbound(text[], integer, interval, text[]) IS
  'takes due jobs of these kinds and transports, NULL for every one, under a lease, with what is to be sent in clear; for aegis-agent';

CREATE FUNCTION aegis.finish_outbound(id bigint, lease uuid, outcome text, answer bytea DEFAULT NULL, detail jsonb DEFAULT '{}')
  RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  job aegis.outbox;
  how aegis.outbox_kind;
  fault text := detail ->> 'error';
  retry_after integer := 0;
  delay interval;
  reference text;
  was_answered boolean := false;
BEGIN
  IF outcome IS NULL OR outcome NOT IN ('delivered', 'retry', 'refused') OR detail IS NULL OR jsonb_typeof(detail) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'outcome of an outbound job is not known',
      HINT = 'There are: delivered, retry, refused.';
  END IF;
  -- The agent faces strangers: what is stored and recorded of a failure is a word, nothing that somebody sent.
  IF outcome <> 'delivered' AND (fault IS NULL OR fault !~ '^[a-z][a-z0-9_]{0,39}$') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'error of an outbound job must be one lower-case word';
  END IF;
  IF detail ->> 'retry_after' ~ '^[0-9]{1,5}$' THEN
    retry_after := (detail ->> 'retry_after')::integer;
  END IF;
  SELECT o.* INTO job FROM aegis.outbox o
   WHERE o.id = finish_outbound.id AND o.lease = finish_outbound.lease AND o.state = 'claimed' FOR UPDATE;
  IF job.id IS NULL THEN
    RETURN 'lost';  -- cancelled, or the lease ended and somebody else took it
  END IF;
  SELECT k.* INTO STRICT how FROM aegis.outbox_kind k WHERE k.name = job.kind;
  IF outcome = 'delivered' AND how.answered IS NOT NULL THEN
    BEGIN
      EXECUTE format('SELECT %s($1, $2, $3)', how.answered) INTO reference USING job, answer, detail;
    EXCEPTION
      WHEN transaction_rollback THEN
        RAISE;  -- the agent hands it in once more
      WHEN OTHERS THEN
        outcome := 'retry';
        fault := 'answer_refused_' || lower(SQLSTATE);
        was_answered := true;
    END;
  END IF;
  IF outcome = 'delivered' THEN
    PERFORM aegis.end_outbound(job, 'done', NULL, reference, how.recorded);
    RETURN 'done';
  ELSIF how.given_up IS NOT NULL AND was_answered AND job.attempts >= how.most_attempts THEN
    -- The context of this transaction is used up: the next claim gives the job up, and tells of it.
    UPDATE aegis.outbox o SET state = 'waiting', lease = NULL, error = fault, not_before = clock_timestamp() WHERE o.id = job.id;
    PERFORM pg_notify('aegis_outbox', '');
    RETURN 'waiting';
  ELSIF outcome = 'refused' OR job.attempts >= how.most_attempts THEN
    PERFORM aegis.end_outbound(job, 'dead', fault, NULL, true);
    RETURN 'dead';
  END IF;
  -- Twice as long each time; half of it by chance, so that what failed together does not return together.
  delay := least(how.first_delay * power(2, least(job.attempts - 1, 24)), how.longest_delay) * (0.5 + random() / 2);
  UPDATE aegis.outbox o
     SET state = 'waiting', lease = NULL, error = fault, not_before = clock_timestamp() + greatest(delay, make_interval(secs => retry_after))
   WHERE o.id = job.id;
  RETURN 'waiting';
END $$;
COMMENT ON FUNCTION aegis.finish_outbound(bigint, uuid, text, bytea, jsonb) IS
  'hands in what became of a claimed job: delivered with its answer, retry or refused with an error; what the job is now; for aegis-agent';

CREATE FUNCTION aegis.check_outbound_reason(reason text) RETURNS void
  LANGUAGE plpgsql IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF reason IS NULL OR btrim(reason, E' \t\r\n') = '' OR octet_length(reason) > 160 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'reason must be given, in at most 160 bytes',
      DETAIL = 'It is recorded in the ledger.';
  END IF;
END $$;
COMMENT ON FUNCTION aegis.check_outbound_reason(text) IS 'refuses an operator''s act without a reason; for Aegis alone';

CREATE FUNCTION aegis.retry_outbound(id bigint, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  job aegis.outbox;
BEGIN
  PERFORM aegis.check_outbound_reason(reason);
  UPDATE aegis.outbox o
     SET state = 'waiting', attempts = 0, not_before = clock_timestamp(), error = NULL, finished_at = NULL, lease = NULL
   WHERE o.id = retry_outbound.id AND o.state IN ('waiting', 'dead') AND o.payload IS NOT NULL AND o.expires_at > clock_timestamp()
  RETURNING o.* INTO job;
  IF job.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('outbound job %s cannot be tried again', coalesce(id::text, 'null')),
      HINT = 'aegis.outbound shows its state; what was sent, was cancelled or has expired holds nothing to send any more.';
  END IF;
  PERFORM aegis.record_tenant_event('outbound.retried', job.tenant_id, 'outbound', job.id::text, jsonb_build_object('kind', job.kind, 'reason', reason));
  PERFORM pg_notify('aegis_outbox', '');
END $$;
COMMENT ON FUNCTION aegis.retry_outbound(bigint, text) IS 'lets a dead or waiting job try again at once; for operators; recorded';

CREATE FUNCTION aegis.cancel_outbound(id bigint, reason text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  job aegis.outbox;
BEGIN
  PERFORM aegis.check_outbound_reason(reason);
  SELECT o.* INTO job FROM aegis.outbox o WHERE o.id = cancel_outbound.id AND o.state IN ('waiting', 'claimed', 'dead') FOR UPDATE;
  IF job.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('outbound job %s cannot be cancelled', coalesce(id::text, 'null')),
      HINT = 'aegis.outbound shows its state.';
  END IF;
  IF EXISTS (SELECT FROM aegis.outbox_kind k WHERE k.name = job.kind AND k.given_up IS NOT NULL) THEN
    -- Whoever is told works in the context of the tenant, which is not the operator's: the next claim tells of it.
    UPDATE aegis.outbox o
       SET state = 'waiting', payload = NULL, lease = NULL, error = 'cancelled', not_before = clock_timestamp(), finished_at = NULL
     WHERE o.id = job.id;
    PERFORM pg_notify('aegis_outbox', '');
  ELSE
    PERFORM aegis.end_outbound(job, 'cancelled', job.error, NULL, false);
  END IF;
  PERFORM aegis.record_tenant_event('outbound.cancelled', job.tenant_id, 'outbound', job.id::text, jsonb_build_object('kind', job.kind, 'reason', reason));
END $$;
COMMENT ON FUNCTION aegis.cancel_outbound(bigint, text) IS
  'ends a job and wipes what it was to send; what an agent is sending just now may still arrive; for operators; recorded';

CREATE FUNCTION aegis.outbox_status()
  RETURNS TABLE (kind text, transport text, waiting bigint, due bigint, claimed bigint, dead bigint, oldest_due timestamptz,
                 delivered bigint, last_delivered timestamptz, last_error text)
  LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.name, k.transport,
         count(*) FILTER (WHERE o.state = 'waiting'),
         count(*) FILTER (WHERE o.state IN ('waiting', 'claimed') AND o.not_before <= now()),
         count(*) FILTER (WHERE o.state = 'claimed'),
         count(*) FILTER (WHERE o.state = 'dead'),
         min(o.not_before) FILTER (WHERE o.state IN ('waiting', 'claimed') AND o.not_before <= now()),
         count(*) FILTER (WHERE o.state = 'done'),
         max(o.finished_at) FILTER (WHERE o.state = 'done'),
         (array_agg(o.error ORDER BY o.id DESC) FILTER (WHERE o.error IS NOT NULL AND o.state IN ('waiting', 'claimed', 'dead')))[1]
    FROM aegis.outbox_kind k LEFT JOIN aegis.outbox o ON o.kind = k.name
   GROUP BY k.name, k.transport ORDER BY k.name
$$;
COMMENT ON FUNCTION aegis.outbox_status() IS 'how outbound work stands, by kind; what ended is counted for 30 days; for operators and auditors';

CREATE FUNCTION aegis.register_destination(name text, url text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  transport text;
BEGIN
  IF name IS NULL OR name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'name of a destination must be 1 to 63 of a-z, 0-9, "_", "." and "-"';
  END IF;
  -- No user, query or fragment, no folder above, nothing encoded: what is compared with the agent's list reads in one way only.
  -- Without TLS only to this very machine, and by its address: a name could lead elsewhere.
  transport := CASE WHEN url ~ '^(https://([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])|http://(127\.0\.0\.1|\[::1\]))(:[1-9][0-9]{0,4})?(/[A-Za-z0-9_.~-]+)*/?$'
                         AND url !~ '/\.\.?(/|$)' AND octet_length(url) <= 500 THEN 'http'
                    WHEN url ~ '^drop:[a-z0-9][a-z0-9_-]{0,62}$' THEN 'file' END;
  IF transport IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'address of a destination is not well formed',
      HINT = 'Write https://HOST[:PORT][/PATH] in lower case without query, or drop:NAME for a folder that the agent''s configuration names.';
  END IF;
  INSERT INTO aegis.destination (name, transport, url, registered_by)
    VALUES (register_destination.name, transport, register_destination.url, session_user) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('destination "%s" is registered already', name),
      HINT = 'Remove it first with aegis.remove_destination().';
  END IF;
  PERFORM aegis.record_tenant_event('destination.registered', NULL, 'destination', name, jsonb_build_object('url', url));
END $$;
COMMENT ON FUNCTION aegis.register_destination(text, text) IS
  'lets outbound jobs go to an https address, or into a drop folder of the agent; for operators; recorded';

CREATE FUNCTION aegis.remove_destination(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  address text;
BEGIN
  DELETE FROM aegis.destination d WHERE d.name = remove_destination.name RETURNING d.url INTO address;
  IF address IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('destination "%s" is not registered', coalesce(name, 'null'));
  END IF;
  PERFORM aegis.record_tenant_event('destination.removed', NULL, 'destination', name, jsonb_build_object('url', address));
END $$;
COMMENT ON FUNCTION aegis.remove_destination(text) IS 'lets nothing go there any more; jobs that wait for it end as dead; for operators; recorded';

