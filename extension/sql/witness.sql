-- Witnesses: who is asked to cosign checkpoints, and what became of it. docs/witness.md.

CREATE TABLE aegis.witness (
  name        text        NOT NULL PRIMARY KEY,
  vkey        text        NOT NULL,
  destination text        NOT NULL,
  required    boolean     NOT NULL,
  added_at    timestamptz NOT NULL,
  origin      text        NOT NULL DEFAULT '',
  size        bigint      NOT NULL DEFAULT 0,
  job         bigint,
  asked       bigint,
  sent        bigint,
  failures    integer     NOT NULL DEFAULT 0,
  next_at     timestamptz NOT NULL,
  standing    text        NOT NULL DEFAULT 'waiting' CHECK (standing IN ('waiting', 'cosigning', 'hindered', 'refused')),
  fault       text
);
COMMENT ON TABLE aegis.witness IS
  'who is asked to cosign checkpoints: what it cosigned last as it says, what it is asked now and by which outbound job, when it is asked next';
SELECT pg_catalog.pg_extension_config_dump('aegis.witness', '');
-- Beside the ledger: the functions below change it, and nobody else.
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.witness
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.witness
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.witness ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

CREATE VIEW aegis.witnesses AS
  SELECT w.name, w.vkey, w.destination, w.required, w.standing, w.fault, w.size, c.checkpoint, c.cosigned_at
    FROM aegis.witness w
    LEFT JOIN LATERAL (SELECT o.checkpoint, o.cosigned_at FROM aegis.cosignature o WHERE o.vkey = w.vkey
                        ORDER BY o.checkpoint DESC LIMIT 1) c ON true;
COMMENT ON VIEW aegis.witnesses IS 'every witness: how it stands, and the newest checkpoint that it cosigned';

CREATE FUNCTION aegis.witness_name(vkey text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_witness_name' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.witness_name(text) IS 'the name in the vkey of a witness; an error for any other text, and for the key that signs the ledger';

CREATE FUNCTION aegis.same_note_key(vkey text, other text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_same_note_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.same_note_key(text, text) IS 'whether two vkeys hold one public key, whatever their names';

CREATE FUNCTION aegis.register_witness(vkey text, destination text, required boolean DEFAULT true) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own   CONSTANT text := aegis.witness_name(vkey);
  known text;
BEGIN
  IF NOT EXISTS (SELECT FROM aegis.destination d WHERE d.name = destination AND d.transport = 'http') THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('destination "%s" is not registered', destination),
      HINT = 'SELECT aegis.register_destination(NAME, ''https://HOST/PREFIX'') first.';
  END IF;
  LOCK TABLE aegis.witness IN SHARE ROW EXCLUSIVE MODE;
  SELECT w.name INTO known FROM aegis.witness w WHERE w.name = own OR aegis.same_note_key(w.vkey, register_witness.vkey) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = format('witness "%s" is registered already', known),
      DETAIL = 'One key under two names would count twice.',
      HINT = 'Drop it first with aegis.drop_witness().';
  END IF;
  INSERT INTO aegis.witness (name, vkey, destination, required, added_at, next_at)
    VALUES (own, register_witness.vkey, register_witness.destination, register_witness.required, clock_timestamp(), clock_timestamp());
  PERFORM aegis.record_tenant_event('ledger.witness_registered', NULL, 'witness', own,
    jsonb_build_object('vkey', vkey, 'destination', destination, 'required', required::text));
  RETURN own;
END $$;
COMMENT ON FUNCTION aegis.register_witness(text, text, boolean) IS
  'has checkpoints cosigned by the holder of the key, at add-checkpoint (C2SP tlog-witness) below a destination; required: nothing counts as witnessed without it; its name; recorded';

CREATE FUNCTION aegis.drop_witness(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone aegis.witness;
BEGIN
  DELETE FROM aegis.witness w WHERE w.name = drop_witness.name RETURNING * INTO gone;
  IF gone IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('witness "%s" is not registered', name),
      HINT = 'aegis.witnesses lists those that are.';
  END IF;
  PERFORM aegis.record_tenant_event('ledger.witness_dropped', NULL, 'witness', name, jsonb_build_object('vkey', gone.vkey));
END $$;
COMMENT ON FUNCTION aegis.drop_witness(text) IS 'asks a witness no more; what it cosigned stays; recorded';

CREATE FUNCTION aegis.is_witnessed(number bigint) RETURNS boolean
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT bool_and(t.cosigned) FILTER (WHERE t.required) IS NOT FALSE AND bool_or(t.cosigned) IS TRUE
    FROM (SELECT w.required, EXISTS (SELECT FROM aegis.cosignature c WHERE c.checkpoint = is_witnessed.number
                                       AND c.vkey = w.vkey) AS cosigned FROM aegis.witness w) t;
END;
COMMENT ON FUNCTION aegis.is_witnessed(bigint) IS
  'whether every required witness cosigned a checkpoint; without a required one, whether any did';

-- Nothing newer than what the slowest required witness cosigned can be witnessed.
CREATE FUNCTION aegis.newest_witnessed() RETURNS bigint
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT c.checkpoint FROM aegis.cosignature c
   WHERE c.checkpoint <= (SELECT CASE WHEN bool_or(w.required) THEN min(coalesce(w.checkpoint, 0)) FILTER (WHERE w.required)
                                      ELSE max(w.checkpoint) END FROM aegis.witnesses w)
     AND aegis.is_witnessed(c.checkpoint)
   ORDER BY c.checkpoint DESC LIMIT 1;
END;
COMMENT ON FUNCTION aegis.newest_witnessed() IS 'number of the newest checkpoint that is witnessed';

CREATE FUNCTION aegis.witnessed_checkpoint() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT aegis.cosigned_note(aegis.newest_witnessed());
END;
COMMENT ON FUNCTION aegis.witnessed_checkpoint() IS
  'the newest checkpoint that every required witness cosigned, as a C2SP note; NULL while there is none';

CREATE FUNCTION aegis.wait_witnessed(timeout interval DEFAULT '30 s') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_wait_witnessed' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_witnessed(interval) IS
  'waits until a witnessed checkpoint covers everything that had committed at the call; size of that checkpoint';

-- What goes out and comes back, by the outbox.

CREATE FUNCTION aegis.witness_request(old bigint, number bigint) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_witness_request' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.witness_request(bigint, bigint) IS 'what a witness that cosigned a size is sent about a checkpoint; for Aegis alone';

CREATE FUNCTION aegis.take_cosignature(number bigint, vkey text, answer bytea) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_take_cosignature' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.take_cosignature(bigint, text, bytea) IS
  'keeps the cosignature in the answer of a witness; what is wrong with it, or NULL; for Aegis alone';

CREATE FUNCTION aegis.ask_witness(w aegis.witness, number bigint, size bigint, origin text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A log that began anew is unknown to the witness; one that has more than we have says so again.
  old  CONSTANT bigint := CASE WHEN w.origin = ask_witness.origin AND w.size <= ask_witness.size THEN w.size ELSE 0 END;
  body CONSTANT bytea := aegis.witness_request(old, number);
  made bigint;
BEGIN
  made := aegis.queue_outbound('witness', convert_to(jsonb_build_object('method', 'POST', 'path', '/add-checkpoint',
            'headers', '{"Content-Type": "text/plain; charset=utf-8"}'::jsonb, 'body', replace(encode(body, 'base64'), E'\n', ''),
            'accept', '[200, 400, 403, 404, 409, 422]'::jsonb, 'answer_bytes', 4096)::text, 'UTF8'),
            destination => w.destination, target => 'checkpoint ' || number);
  UPDATE aegis.witness t SET job = made, asked = number, sent = old, origin = ask_witness.origin WHERE t.name = w.name;
END $$;
COMMENT ON FUNCTION aegis.ask_witness(aegis.witness, bigint, bigint, text) IS 'queues the question whether a witness cosigns a checkpoint; for Aegis alone';

-- A clock that once ran ahead must not put off for years what is done every few minutes.
CREATE FUNCTION aegis.is_due(next_at timestamptz, longest interval) RETURNS boolean
  LANGUAGE sql VOLATILE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT next_at <= clock_timestamp() OR next_at > clock_timestamp() + greatest(longest, interval '10 min')
$$;
COMMENT ON FUNCTION aegis.is_due(timestamptz, interval) IS
  'whether a time has come, or is further away than it was ever set, by a clock that has been put back since; for Aegis alone';

-- Likewise a question that waits longer than any answer may ask for.
CREATE FUNCTION aegis.is_under_way(job bigint) RETURNS boolean
  LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM aegis.outbox o WHERE o.id = job AND o.state IN ('waiting', 'claimed') AND o.not_before <= clock_timestamp() + interval '2 days')
$$;
COMMENT ON FUNCTION aegis.is_under_way(bigint) IS 'whether an outbound job of a witness or an anchor still brings an answer; for Aegis alone';

CREATE FUNCTION aegis.tend_witnesses() RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  newest record;
  due    aegis.witness;
BEGIN
  SELECT k.number, k.size, split_part(k.note, E'\n', 1) AS origin INTO newest FROM aegis.checkpoint k ORDER BY k.number DESC LIMIT 1;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR due IN SELECT w.* FROM aegis.witness w
              WHERE aegis.is_due(w.next_at, '10 min')
                AND NOT EXISTS (SELECT FROM aegis.cosignature c WHERE c.checkpoint = newest.number AND c.vkey = w.vkey)
                AND NOT aegis.is_under_way(w.job)
              ORDER BY w.name FOR UPDATE SKIP LOCKED LOOP
    IF EXISTS (SELECT FROM aegis.destination d WHERE d.name = due.destination AND d.transport = 'http') THEN
      PERFORM aegis.ask_witness(due, newest.number, newest.size, newest.origin);
    ELSE
      UPDATE aegis.witness t SET standing = 'hindered', fault = 'its destination is not registered', job = NULL,
             next_at = clock_timestamp() + interval '10 s' WHERE t.name = due.name;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.tend_witnesses() IS
  'asks every witness about the newest checkpoint that has none of its own questions under way; for the worker';

-- SIZE and a line end, of a number that a bigint holds.
CREATE FUNCTION aegis.told_size(body bytea) RETURNS bigint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN encode(body, 'hex') ~ '^(30|3[1-9](3[0-9]){0,17})0a$' THEN convert_from(substr(body, 1, octet_length(body) - 1), 'SQL_ASCII')::bigint END
$$;
COMMENT ON FUNCTION aegis.told_size(bytea) IS 'the size in the body of a 409; NULL when it is none';

CREATE FUNCTION aegis.witness_refused(w aegis.witness, size bigint, cosigned_size bigint, reason text) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE aegis.witness t SET job = NULL, failures = t.failures + 1, standing = 'refused', fault = reason,
         size = CASE reason WHEN 'shorter' THEN cosigned_size ELSE t.size END,
         next_at = clock_timestamp() + least(interval '5 s' * power(2, least(t.failures, 10)), interval '10 min') WHERE t.name = w.name;
  IF w.standing <> 'refused' THEN
    PERFORM aegis.record_tenant_event('ledger.witness_refused', NULL, 'witness', w.name,
      jsonb_build_object('reason', reason, 'cosigned_size', cosigned_size, 'size', size));
    RAISE WARNING USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('witness "%s" refused the head of the ledger: it cosigned %s heads, %s are here', w.name, cosigned_size, size),
      DETAIL = CASE reason WHEN 'shorter' THEN 'The ledger is shorter than what was cosigned: it was restored from an older state or cut.'
                 ELSE 'The ledger has another history than the one that was cosigned: it was restored from an older state, or rewritten.' END,
      HINT = 'See docs/witness.md, "Procedures".';
  END IF;
  RETURN 'refused';
END $$;
COMMENT ON FUNCTION aegis.witness_refused(aegis.witness, bigint, bigint, text) IS 'notes that a witness knows more of the ledger, or something else; recorded once for each episode';

CREATE FUNCTION aegis.take_witness_answer(job aegis.outbox, answer bytea, detail jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  status CONSTANT integer := CASE WHEN detail ->> 'status' ~ '^[1-5][0-9]{2}$' THEN (detail ->> 'status')::integer ELSE 0 END;
  w      aegis.witness;
  head   bigint;
  told   bigint;
  wrong  text;
BEGIN
  SELECT t.* INTO w FROM aegis.witness t WHERE t.job = take_witness_answer.job.id FOR UPDATE;
  IF w.name IS NULL THEN
    RETURN 'not asked any more';
  END IF;
  SELECT k.size INTO head FROM aegis.checkpoint k WHERE k.number = w.asked;
  IF status = 200 THEN
    wrong := aegis.take_cosignature(w.asked, w.vkey, coalesce(answer, ''));
    IF wrong IS NULL THEN
      UPDATE aegis.witness t SET size = head, job = NULL, failures = 0, next_at = clock_timestamp(),
             standing = 'cosigning', fault = NULL WHERE t.name = w.name;
      RETURN 'cosigned';
    END IF;
  ELSIF status = 409 THEN
    told := aegis.told_size(answer);
    IF told > head THEN
      RETURN aegis.witness_refused(w, head, told, 'shorter');
    ELSIF told = w.sent AND told = head THEN  -- as older texts of C2SP have it: another head of this very size
      RETURN aegis.witness_refused(w, head, told, 'other history');
    ELSIF told <> w.sent AND w.failures < 3 THEN  -- an answer was lost, or the witness went back
      UPDATE aegis.witness t SET size = told, job = NULL, failures = t.failures + 1, next_at = clock_timestamp() WHERE t.name = w.name;
      RETURN 'again';
    END IF;
    wrong := 'it says another size each time, or none';
  ELSIF status = 422 THEN
    RETURN aegis.witness_refused(w, head, w.sent, 'other history');
  ELSE
    wrong := format('it answered %s', status);
  END IF;
  UPDATE aegis.witness t SET job = NULL, failures = t.failures + 1, standing = 'hindered', fault = wrong,
         next_at = clock_timestamp() + least(interval '5 s' * power(2, least(t.failures, 10)), interval '10 min') WHERE t.name = w.name;
  RETURN 'hindered';
END $$;
COMMENT ON FUNCTION aegis.take_witness_answer(aegis.outbox, bytea, jsonb) IS
  'takes what a witness answered: cosigned, again from another size, hindered, refused; for the outbox';

-- Tried for hours on end: what is asked is about an older checkpoint by then, which is as good to begin with.
INSERT INTO aegis.outbox_kind VALUES
  ('witness', 'a checkpoint for a witness to cosign', 'http', 'aegis.take_witness_answer',
   false, 100, '1 s', '5 min', '1 day', true, true);

-- For health and coverage. Checkpoints from before it was registered are none of its business.
CREATE FUNCTION aegis.uncosigned_since(w aegis.witness) RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT k.signed_at FROM aegis.checkpoint k
   WHERE k.number > coalesce((SELECT max(c.checkpoint) FROM aegis.cosignature c WHERE c.vkey = w.vkey),
                             (SELECT o.number - 1 FROM aegis.checkpoint o WHERE o.signed_at >= w.added_at ORDER BY o.number LIMIT 1),
                             (SELECT max(o.number) - 1 FROM aegis.checkpoint o))
   ORDER BY k.number LIMIT 1;
END;
COMMENT ON FUNCTION aegis.uncosigned_since(aegis.witness) IS 'when the oldest checkpoint was signed that a witness was to cosign and has not; NULL for none';

CREATE FUNCTION aegis.witness_standing(OUT standing text, OUT since timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN count(*) = 0 THEN 'off' WHEN bool_or(e.standing = 'refused') THEN 'refused'
              WHEN NOT EXISTS (SELECT FROM aegis.checkpoint) THEN 'waiting' ELSE 'asked' END,
         CASE WHEN bool_or(e.required) THEN min(e.since) FILTER (WHERE e.required)
              WHEN bool_and(e.since IS NOT NULL) THEN max(e.since) END
    FROM (SELECT w.required, w.standing, aegis.uncosigned_since(w) AS since FROM aegis.witness w) e;
END;
COMMENT ON FUNCTION aegis.witness_standing() IS
  'how cosigning stands, and since when a required witness, or every one when none is required, has not cosigned what is signed';
