-- Anchors: where checkpoints are left outside of this machine, and what came back from there. docs/anchor.md.

CREATE TABLE aegis.anchor (
  name        text        NOT NULL PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  kind        text        NOT NULL CHECK (kind IN ('file', 'http_put', 'rfc3161')),
  destination text        NOT NULL,
  every       interval    NOT NULL,
  authorities text        CHECK ((kind = 'rfc3161') = (authorities IS NOT NULL)),
  added_at    timestamptz NOT NULL,
  job         bigint,
  asked       bigint,
  looking     boolean     NOT NULL DEFAULT false,
  request     bytea,
  failures    integer     NOT NULL DEFAULT 0,
  next_at     timestamptz NOT NULL,
  standing    text        NOT NULL DEFAULT 'waiting' CHECK (standing IN ('waiting', 'anchoring', 'hindered', 'refused')),
  fault       text
);
COMMENT ON TABLE aegis.anchor IS
  'where checkpoints are anchored: how often, which one is under way by which outbound job, when it is looked at next';
COMMENT ON COLUMN aegis.anchor.authorities IS 'certificates in PEM that a time stamp must lead to';
COMMENT ON COLUMN aegis.anchor.looking IS 'the place has something under this name, and is asked what';
COMMENT ON COLUMN aegis.anchor.request IS 'the request for a time stamp that is under way; its answer must be one to it';
SELECT pg_catalog.pg_extension_config_dump('aegis.anchor', '');
-- Beside the ledger: the functions below change it, and nobody else.
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.anchor
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.anchor
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.anchor ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

CREATE TABLE aegis.anchor_receipt (
  anchor      text        NOT NULL,
  checkpoint  bigint      NOT NULL,
  kind        text        NOT NULL,
  place       text        NOT NULL,
  digest      bytea       NOT NULL,
  anchored_at timestamptz NOT NULL,
  stamped_at  timestamptz,
  receipt     bytea,
  PRIMARY KEY (anchor, checkpoint)
);
COMMENT ON TABLE aegis.anchor_receipt IS
  'what was anchored: SHA-256 of the signed note of a checkpoint, where, when by our clock and by the authority''s, and its answer to a request for a time stamp (RFC 3161, DER)';
SELECT pg_catalog.pg_extension_config_dump('aegis.anchor_receipt', '');
CREATE TRIGGER refuse_change BEFORE INSERT OR UPDATE OR DELETE ON aegis.anchor_receipt
  FOR EACH ROW EXECUTE FUNCTION aegis.refuse_ledger_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON aegis.anchor_receipt
  FOR EACH STATEMENT EXECUTE FUNCTION aegis.refuse_ledger_change();
ALTER TABLE aegis.anchor_receipt ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;

-- Checkpoints from before it was registered are none of its business.
CREATE FUNCTION aegis.unanchored_since(a aegis.anchor) RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT k.signed_at FROM aegis.checkpoint k
   WHERE k.number > coalesce((SELECT max(r.checkpoint) FROM aegis.anchor_receipt r WHERE r.anchor = a.name),
                             (SELECT o.number - 1 FROM aegis.checkpoint o WHERE o.signed_at >= a.added_at ORDER BY o.number LIMIT 1),
                             (SELECT max(o.number) - 1 FROM aegis.checkpoint o))
   ORDER BY k.number LIMIT 1;
END;
COMMENT ON FUNCTION aegis.unanchored_since(aegis.anchor) IS 'when the oldest checkpoint was signed that is younger than what is anchored; NULL for none';

CREATE VIEW aegis.anchor_status AS
  SELECT a.name, a.kind, a.destination, a.every, a.standing, a.fault, r.checkpoint, k.size, r.place, r.anchored_at, r.stamped_at,
         aegis.unanchored_since(a) AS behind_since
    FROM aegis.anchor a
    LEFT JOIN LATERAL (SELECT o.* FROM aegis.anchor_receipt o WHERE o.anchor = a.name ORDER BY o.checkpoint DESC LIMIT 1) r ON true
    LEFT JOIN aegis.checkpoint k ON k.number = r.checkpoint;
COMMENT ON VIEW aegis.anchor_status IS 'every anchor: how it stands, the newest checkpoint that it has, and since when something is signed that it has not';

CREATE FUNCTION aegis.count_anchor_authorities(pem text) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_count_anchor_authorities' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.count_anchor_authorities(text) IS 'how many certificates a text in PEM holds; an error for any other text; for Aegis alone';

CREATE FUNCTION aegis.register_anchor(name text, kind text, destination text, every interval DEFAULT '1 hour', authorities text DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  carried CONSTANT text := CASE WHEN kind = 'file' THEN 'file' WHEN kind IN ('http_put', 'rfc3161') THEN 'http' END;
BEGIN
  IF name IS NULL OR name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'name of an anchor must be 1 to 63 of a-z, 0-9, "_", "." and "-"';
  END IF;
  IF carried IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('kind "%s" of anchor does not exist', coalesce(kind, 'null')),
      HINT = 'There are: file, http_put, rfc3161.';
  END IF;
  IF every IS NULL OR every NOT BETWEEN interval '1 second' AND interval '30 days' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'an anchor is used every 1 second to 30 days';
  END IF;
  IF (kind = 'rfc3161') <> (authorities IS NOT NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'authorities belong to an anchor of kind "rfc3161", and to no other',
      HINT = 'Give the certificates of the time stamp authority in PEM.';
  END IF;
  PERFORM aegis.count_anchor_authorities(authorities);
  IF destination IS NULL OR NOT EXISTS (SELECT FROM aegis.destination d WHERE d.name = destination AND d.transport = carried) THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object',
      MESSAGE = format('destination "%s" is not registered for anchors of kind "%s"', coalesce(destination, 'null'), kind),
      HINT = CASE carried WHEN 'file' THEN 'SELECT aegis.register_destination(NAME, ''drop:FOLDER'') first.'
                          ELSE 'SELECT aegis.register_destination(NAME, ''https://HOST/PATH'') first.' END;
  END IF;
  LOCK TABLE aegis.anchor IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM aegis.anchor a WHERE a.name = register_anchor.name)
     OR EXISTS (SELECT FROM aegis.anchor_receipt r WHERE r.anchor = register_anchor.name) THEN
    RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = format('anchor "%s" exists already, or did', name),
      DETAIL = 'Its receipts stay under this name.', HINT = 'Give another name.';
  END IF;
  INSERT INTO aegis.anchor (name, kind, destination, every, authorities, added_at, next_at)
    VALUES (register_anchor.name, register_anchor.kind, register_anchor.destination, register_anchor.every, register_anchor.authorities,
            clock_timestamp(), clock_timestamp());
  PERFORM aegis.record_tenant_event('ledger.anchor_registered', NULL, 'anchor', name, jsonb_strip_nulls(jsonb_build_object('kind', kind,
    'destination', destination, 'every', every::text, 'authorities', encode(sha256(convert_to(authorities, 'UTF8')), 'hex'))));
END $$;
COMMENT ON FUNCTION aegis.register_anchor(text, text, text, interval, text) IS
  'has the newest checkpoint left at a destination every so often: as a file, by HTTP PUT, or for a time stamp (RFC 3161) that leads to authorities in PEM; for operators; recorded';

CREATE FUNCTION aegis.drop_anchor(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone aegis.anchor;
BEGIN
  DELETE FROM aegis.anchor a WHERE a.name = drop_anchor.name RETURNING * INTO gone;
  IF gone IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('anchor "%s" is not registered', name),
      HINT = 'aegis.anchor_status lists those that are.';
  END IF;
  PERFORM aegis.record_tenant_event('ledger.anchor_dropped', NULL, 'anchor', name, jsonb_build_object('kind', gone.kind, 'destination', gone.destination));
END $$;
COMMENT ON FUNCTION aegis.drop_anchor(text) IS 'leaves no more checkpoints there; receipts stay; recorded';

CREATE FUNCTION aegis.newest_anchored() RETURNS bigint
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN bool_and(a.checkpoint IS NOT NULL) THEN min(a.checkpoint) END FROM aegis.anchor_status a;
END;
COMMENT ON FUNCTION aegis.newest_anchored() IS 'number of the newest checkpoint that every anchor has, or has one that extends it';

CREATE FUNCTION aegis.wait_anchored(timeout interval DEFAULT '30 s') RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_wait_anchored' LANGUAGE C VOLATILE STRICT SECURITY DEFINER PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION aegis.wait_anchored(interval) IS
  'waits until every anchor has a checkpoint that covers everything that had committed at the call; size of that checkpoint';

-- What goes out and comes back, by the outbox.

CREATE FUNCTION aegis.anchor_name(note text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_anchor_name' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.anchor_name(text) IS 'under which name a signed checkpoint is kept elsewhere: its log and its size; for Aegis alone';

CREATE FUNCTION aegis.anchor_request(note text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_anchor_request' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.anchor_request(text) IS 'a request for a time stamp over a signed checkpoint, with a new nonce; for Aegis alone';

CREATE FUNCTION aegis.take_anchor(anchor text, number bigint, kind text, place text, answer bytea, request bytea, authorities text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_take_anchor' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.take_anchor(text, bigint, text, text, bytea, bytea, text) IS
  'keeps the receipt of an anchored checkpoint, a time stamp only when it answers the request and leads to the authorities; what is wrong with it, or NULL; for Aegis alone';

CREATE FUNCTION aegis.is_other_history(note text, found bytea) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_other_history' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_other_history(text, bytea) IS
  'whether bytes are a checkpoint of the same log and size with another root, which the log''s key signed too; for Aegis alone';

CREATE FUNCTION aegis.send_anchor(a aegis.anchor, number bigint, looking boolean) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  note    CONSTANT text := (SELECT k.note FROM aegis.checkpoint k WHERE k.number = send_anchor.number);
  asking  CONSTANT bytea := CASE a.kind WHEN 'rfc3161' THEN aegis.anchor_request(note) END;
  body    CONSTANT text := replace(encode(coalesce(asking, convert_to(note, 'UTF8')), 'base64'), E'\n', '');
  statuses CONSTANT jsonb := '[200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 415, 422]';
  payload jsonb;
  made    bigint;
BEGIN
  payload := CASE
    WHEN a.kind = 'file' THEN jsonb_build_object('name', aegis.anchor_name(note), 'body', body, 'accept', '[412]'::jsonb)
    WHEN a.kind = 'rfc3161' THEN jsonb_build_object('method', 'POST', 'headers', '{"Content-Type": "application/timestamp-query"}'::jsonb,
      'body', body, 'accept', statuses)
    WHEN looking THEN jsonb_build_object('method', 'GET', 'path', '/' || aegis.anchor_name(note), 'accept', statuses)
    -- Where it is understood, nothing is ever written over.
    ELSE jsonb_build_object('method', 'PUT', 'path', '/' || aegis.anchor_name(note), 'body', body, 'accept', statuses,
      'headers', '{"Content-Type": "text/plain; charset=utf-8", "If-None-Match": "*"}'::jsonb) END;
  made := aegis.queue_outbound(CASE a.kind WHEN 'file' THEN 'anchor_file' ELSE 'anchor' END, convert_to(payload::text, 'UTF8'),
            destination => a.destination, target => 'checkpoint ' || number);
  UPDATE aegis.anchor t SET job = made, asked = number, request = asking, looking = send_anchor.looking WHERE t.name = a.name;
END $$;
COMMENT ON FUNCTION aegis.send_anchor(aegis.anchor, bigint, boolean) IS 'queues a checkpoint for an anchor, or the question what it has in its place; for Aegis alone';

CREATE FUNCTION aegis.anchor_hindered(a aegis.anchor, reason text) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE aegis.anchor t SET job = NULL, request = NULL, looking = false, failures = t.failures + 1, fault = reason,
         standing = CASE t.standing WHEN 'refused' THEN 'refused' ELSE 'hindered' END,
         next_at = clock_timestamp() + least(interval '5 s' * power(2, least(t.failures, 10)), interval '10 min') WHERE t.name = a.name;
  RETURN 'hindered';
END $$;
COMMENT ON FUNCTION aegis.anchor_hindered(aegis.anchor, text) IS 'notes why a checkpoint was not anchored, and when it is tried again; for Aegis alone';

CREATE FUNCTION aegis.anchor_refused(a aegis.anchor) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  size CONSTANT bigint := (SELECT k.size FROM aegis.checkpoint k WHERE k.number = a.asked);
BEGIN
  PERFORM aegis.anchor_hindered(a, 'other history');
  UPDATE aegis.anchor t SET standing = 'refused' WHERE t.name = a.name;
  IF a.standing <> 'refused' THEN
    PERFORM aegis.record_tenant_event('ledger.anchor_refused', NULL, 'anchor', a.name, jsonb_build_object('size', size, 'reason', 'other history'));
    RAISE WARNING USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('anchor "%s" holds another checkpoint of size %s than this ledger has', a.name, size),
      DETAIL = 'The ledger has another history than the one that was anchored: it was restored from an older state, or rewritten.',
      HINT = 'See docs/anchor.md, "Procedures".';
  END IF;
  RETURN 'refused';
END $$;
COMMENT ON FUNCTION aegis.anchor_refused(aegis.anchor) IS 'notes that an anchor holds another history; recorded once for each episode; for Aegis alone';

CREATE FUNCTION aegis.take_anchor_answer(job aegis.outbox, answer bytea, detail jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  status CONSTANT integer := CASE WHEN detail ->> 'status' ~ '^[1-5][0-9]{2}$' THEN (detail ->> 'status')::integer ELSE 0 END;
  a      aegis.anchor;
  signed text;
  url    text;
  wrong  text;
BEGIN
  SELECT t.* INTO a FROM aegis.anchor t WHERE t.job = take_anchor_answer.job.id FOR UPDATE;
  IF a.name IS NULL THEN
    RETURN 'not asked any more';
  END IF;
  SELECT k.note INTO signed FROM aegis.checkpoint k WHERE k.number = a.asked;
  SELECT d.url INTO url FROM aegis.destination d WHERE d.name = a.destination;
  IF a.kind = 'http_put' AND NOT a.looking AND status = 412 THEN  -- an answer was lost, or it is another history
    PERFORM aegis.send_anchor(a, a.asked, true);
    RETURN 'looking';
  ELSIF (a.looking AND status = 200 OR a.kind = 'file' AND status = 412) AND answer IS DISTINCT FROM convert_to(signed, 'UTF8') THEN
    -- Half a file, or one that somebody else put there, is not what the log's key signed.
    IF aegis.is_other_history(signed, coalesce(answer, '')) THEN
      RETURN aegis.anchor_refused(a);
    END IF;
    RETURN aegis.anchor_hindered(a, 'something else lies under its name');
  ELSIF a.kind <> 'file' AND NOT (status = 200 OR status IN (201, 204) AND a.kind = 'http_put' AND NOT a.looking) THEN
    RETURN aegis.anchor_hindered(a, format('it answered %s', status));
  END IF;
  wrong := aegis.take_anchor(a.name, a.asked, a.kind,
    rtrim(coalesce(url, ''), '/') || CASE WHEN a.kind = 'rfc3161' THEN '' ELSE '/' || aegis.anchor_name(signed) END, answer, a.request, a.authorities);
  IF wrong IS NOT NULL THEN
    RETURN aegis.anchor_hindered(a, wrong);
  END IF;
  UPDATE aegis.anchor t SET job = NULL, request = NULL, looking = false, failures = 0, fault = NULL,
         standing = CASE t.standing WHEN 'refused' THEN 'refused' ELSE 'anchoring' END,  -- two histories do not become one
         next_at = clock_timestamp() + t.every WHERE t.name = a.name;
  RETURN 'anchored';
END $$;
COMMENT ON FUNCTION aegis.take_anchor_answer(aegis.outbox, bytea, jsonb) IS 'takes what became of a checkpoint that was sent to an anchor: anchored, looking, hindered, refused; for the outbox';

-- Tried for hours on end: what is sent is an older checkpoint by then, which is as good to begin with.
INSERT INTO aegis.outbox_kind VALUES
  ('anchor', 'a checkpoint for an anchor', 'http', 'aegis.take_anchor_answer', false, 100, '1 s', '5 min', '1 day', true, true),
  ('anchor_file', 'a checkpoint for a folder', 'file', 'aegis.take_anchor_answer', false, 100, '1 s', '5 min', '1 day', true, false);

CREATE FUNCTION aegis.tend_anchors() RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  newest CONSTANT bigint := (SELECT max(k.number) FROM aegis.checkpoint k);
  a      aegis.anchor;
  ended  record;
BEGIN
  FOR a IN SELECT t.* FROM aegis.anchor t WHERE aegis.is_due(t.next_at, t.every)
              AND NOT aegis.is_under_way(t.job)
              AND (t.job IS NOT NULL OR NOT EXISTS (SELECT FROM aegis.anchor_receipt r WHERE r.anchor = t.name AND r.checkpoint >= newest))
            ORDER BY t.name FOR UPDATE SKIP LOCKED LOOP
    IF a.job IS NOT NULL THEN  -- it ended, and nobody took an answer
      SELECT o.state, o.error INTO ended FROM aegis.outbox o WHERE o.id = a.job;
      PERFORM aegis.anchor_hindered(a, coalesce(ended.error, ended.state, 'the outbound job is gone'));
    ELSIF newest IS NOT NULL THEN
      IF EXISTS (SELECT FROM aegis.destination d WHERE d.name = a.destination
                  AND d.transport = CASE a.kind WHEN 'file' THEN 'file' ELSE 'http' END) THEN
        PERFORM aegis.send_anchor(a, newest, false);
      ELSE
        PERFORM aegis.anchor_hindered(a, 'its destination is not registered');
      END IF;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION aegis.tend_anchors() IS 'sends every anchor that is due the newest checkpoint, unless it has one of its own under way; for the worker';

-- For health. An anchor may be behind for as long as its interval.
CREATE FUNCTION aegis.anchor_standing(OUT standing text, OUT since timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN count(*) = 0 THEN 'off' WHEN bool_or(a.standing = 'refused') THEN 'refused'
              WHEN NOT EXISTS (SELECT FROM aegis.checkpoint) THEN 'waiting'
              WHEN bool_or(a.behind_since < clock_timestamp() - 2 * a.every - interval '10 min') THEN 'stale'
              WHEN bool_or(a.behind_since < clock_timestamp() - a.every - interval '1 min') THEN 'late'
              ELSE 'anchored' END,
         min(a.behind_since)
    FROM aegis.anchor_status a;
END;
COMMENT ON FUNCTION aegis.anchor_standing() IS 'how anchoring stands, and since when something is signed that an anchor has not';
