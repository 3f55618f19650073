-- The tenant's ledger over HTTP, for its admins. Rules live in aegis; these handlers only shape requests and answers.
-- Hashes are hexadecimal here, proofs base64 as in the notes that they belong to.

CREATE FUNCTION aegis_app.base64(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN translate(encode(bytes, 'base64'), E'\n', '');
COMMENT ON FUNCTION aegis_app.base64(bytea) IS 'base64 in one line';

CREATE FUNCTION aegis_app.number_of(value text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN value ~ '^[0-9]{1,18}$' THEN value::bigint END;
COMMENT ON FUNCTION aegis_app.number_of(text) IS 'the number in a path, NULL when it is none: it finds nothing';

CREATE FUNCTION aegis_app.number_in(query jsonb, field text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN query ? field THEN aegis_app.integer_field(query, field, 0, 999999999999999999) END;
COMMENT ON FUNCTION aegis_app.number_in(jsonb, text) IS 'whole number of a query, NULL when it is left out';

CREATE FUNCTION aegis_app.checkpoint_json(size bigint, signed_at timestamptz) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  RETURN CASE WHEN size IS NOT NULL THEN jsonb_build_object('size', size, 'signed_at', signed_at) END;
COMMENT ON FUNCTION aegis_app.checkpoint_json(bigint, timestamptz) IS 'a checkpoint as lists show it, NULL when there is none';

CREATE FUNCTION aegis_app.ledger_state() RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT jsonb_build_object('entries', l.entries,
             'seal', CASE WHEN l.seal IS NOT NULL THEN jsonb_build_object('number', l.seal, 'sealed_at', l.sealed_at) END,
             'checkpoint', aegis_app.checkpoint_json(l.checkpoint_size, l.signed_at))
      FROM aegis.tenant_ledger() l;
  END;
COMMENT ON FUNCTION aegis_app.ledger_state() IS 'how long the tenant''s log is, and the newest seal';

CREATE FUNCTION aegis_app.list_entries(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  q     jsonb := request.query;
  most  integer := aegis_app.integer_field(q, 'limit', 1, 100, 50);
  found_leaves record;
BEGIN
  IF char_length(q ->> 'event') > 63 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "event" is longer than 63 characters';
  ELSIF (q ->> 'outcome') NOT IN ('success', 'failure', 'denied') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "outcome" must be success, failure or denied';
  END IF;
  SELECT * INTO found_leaves FROM aegis.find_tenant_entries(aegis_app.number_in(q, 'before'), most, nullif(q ->> 'event', ''), q ->> 'outcome');
  RETURN aegis_app.ok(jsonb_build_object(
    'size', (SELECT l.entries FROM aegis.tenant_ledger() l), 'next', found_leaves.next,
    'entries', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                  'leaf', e.leaf, 'seq', e.seq, 'seal', e.seal, 'time', e."time", 'event', e.event, 'outcome', e.outcome,
                  'user_id', e.user_id, 'user_name', e.user_name, 'target_kind', e.target_kind, 'target_id', e.target_id,
                  'detail', e.detail) ORDER BY e.leaf DESC), '[]')
                  FROM aegis.tenant_entries(found_leaves.leaves) e)));
END $$;
COMMENT ON FUNCTION aegis_app.list_entries(aegis.request) IS 'GET /api/ledger/entries?limit=&before=&event=&outcome=';

CREATE FUNCTION aegis_app.get_entry(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own_leaf CONSTANT bigint := aegis_app.number_of(request.params ->> 'leaf');
  answer jsonb;
BEGIN
  SELECT jsonb_build_object(
           'leaf', e.leaf, 'seq', e.seq, 'seal', e.seal, 'time', e."time", 'event', e.event, 'outcome', e.outcome,
           'user_id', e.user_id, 'user_name', e.user_name, 'rank', e.rank, 'way', e.way, 'request_id', e.request_id,
           'target_kind', e.target_kind, 'target_id', e.target_id, 'detail', e.detail, 'image', e.image,
           'leaf_hash', encode(e.leaf_hash, 'hex'), 'body_base64', aegis_app.base64(e.body))
    INTO answer FROM aegis.tenant_entries(ARRAY[own_leaf]) e;
  IF NOT FOUND THEN
    -- Of one that was cut this is an error that says when and by whom.
    IF own_leaf < (SELECT l.entries FROM aegis.tenant_ledger() l) THEN
      PERFORM aegis.receipt(aegis.tenant_id(), own_leaf);
    END IF;
    RETURN aegis_app.problem(404, 'not-found', 'No such entry');
  END IF;
  RETURN aegis_app.ok(answer);
END $$;
COMMENT ON FUNCTION aegis_app.get_entry(aegis.request) IS 'GET /api/ledger/entries/{leaf}';

CREATE FUNCTION aegis_app.get_receipt(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leaf bigint := aegis_app.number_of(request.params ->> 'leaf');
BEGIN
  IF leaf IS NULL OR leaf >= (SELECT l.entries FROM aegis.tenant_ledger() l) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such entry');
  END IF;
  RETURN aegis_app.text_file((SELECT format('%s-%s.tlog-proof', t.slug, leaf) FROM aegis.current_tenant() t),
                             convert_to(aegis.receipt(aegis.tenant_id(), leaf), 'UTF8'));
END $$;
COMMENT ON FUNCTION aegis_app.get_receipt(aegis.request) IS 'GET /api/ledger/entries/{leaf}/receipt';

CREATE FUNCTION aegis_app.list_seals(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  most integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 50);
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('seals', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
             'number', s.number, 'sealed_at', s.sealed_at, 'hash', encode(s.hash, 'hex'), 'previous', encode(s.previous, 'hex'),
             'root', encode(s.root, 'hex'), 'root_size', s.root_size, 'first_leaf', s.first_leaf, 'entries', s.entries,
             'checkpoint', aegis_app.checkpoint_json(s.checkpoint_size, s.signed_at))
             ORDER BY s.number DESC), '[]')
      FROM aegis.tenant_seals(aegis_app.number_in(request.query, 'before'), most) s)));
END $$;
COMMENT ON FUNCTION aegis_app.list_seals(aegis.request) IS 'GET /api/ledger/seals?limit=&before=';

CREATE FUNCTION aegis_app.text_file(name text, content bytea) RETURNS aegis.response
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  RETURN ROW(200, jsonb_build_object('content-type', 'text/plain; charset=utf-8',
                                     'content-disposition', format('attachment; filename="%s"', name)), NULL, content)::aegis.response;
COMMENT ON FUNCTION aegis_app.text_file(text, bytea) IS 'answer of a handler that sends a text to be saved';

CREATE FUNCTION aegis_app.get_bundle(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.text_file((SELECT t.slug FROM aegis.current_tenant() t) || '.bundle', aegis.tenant_bundle());
EXCEPTION WHEN program_limit_exceeded THEN
  RETURN aegis_app.problem(413, 'bundle-too-large', 'The ledger is too large for one answer',
    format('It has more than 16 MB (%s entries). An auditor exports it with psql: SELECT aegis.export_ledger(''%s'').',
           (SELECT l.entries FROM aegis.tenant_ledger() l), aegis.tenant_id()));
END $$;
COMMENT ON FUNCTION aegis_app.get_bundle(aegis.request) IS 'GET /api/ledger/bundle: recorded';

CREATE FUNCTION aegis_app.get_checkpoint(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  note text := coalesce(aegis.witnessed_checkpoint(), aegis.latest_checkpoint());
BEGIN
  IF note IS NULL THEN
    RETURN aegis_app.problem(404, 'no-checkpoint', 'There is no checkpoint yet', 'The ledger''s signer has not signed a head of it.');
  END IF;
  RETURN ROW(200, '{"content-type": "text/plain; charset=utf-8"}'::jsonb, NULL::jsonb, convert_to(note, 'UTF8'));
END $$;
COMMENT ON FUNCTION aegis_app.get_checkpoint(aegis.request) IS 'GET /api/ledger/checkpoint: the newest witnessed checkpoint, or the newest signed one, a C2SP note';

-- What stands behind the address of the log in the request's path.
CREATE FUNCTION aegis_app.tile_answer(tile bytea, caching text) RETURNS aegis.response
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF tile IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'The log has no such tile yet');
  END IF;
  RETURN ROW(200, jsonb_build_object('content-type', 'application/octet-stream', 'cache-control', caching || ', max-age=31536000, immutable'),
             NULL::jsonb, tile);
END $$;
COMMENT ON FUNCTION aegis_app.tile_answer(bytea, text) IS 'a tile, which never changes under its path, or that there is none';

CREATE FUNCTION aegis_app.get_root_tile(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.tile_answer(aegis.root_tile(substr(request.path, length('/api/ledger/root/') + 1)), 'public');
END $$;
COMMENT ON FUNCTION aegis_app.get_root_tile(aegis.request) IS 'GET /api/ledger/root/tile/LEVEL/INDEX: a tile of the root log';

CREATE FUNCTION aegis_app.get_log_tile(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.tile_answer(aegis.log_tile(aegis.tenant_id(), substr(request.path, length('/api/ledger/log/') + 1)), 'private');
END $$;
COMMENT ON FUNCTION aegis_app.get_log_tile(aegis.request) IS 'GET /api/ledger/log/tile/LEVEL/INDEX and tile/entries/INDEX: of the tenant''s log';

CREATE FUNCTION aegis_app.get_log_receipt(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  receipt text := aegis.log_receipt(aegis.tenant_id());
BEGIN
  IF receipt IS NULL THEN
    RETURN aegis_app.problem(404, 'no-checkpoint', 'There is no checkpoint yet', 'No checkpoint covers an entry of the tenant.');
  END IF;
  RETURN ROW(200, '{"content-type": "text/plain; charset=utf-8"}'::jsonb, NULL::jsonb, convert_to(receipt, 'UTF8'));
END $$;
COMMENT ON FUNCTION aegis_app.get_log_receipt(aegis.request) IS 'GET /api/ledger/log/receipt: what proves size and root of the tenant''s log';

CREATE FUNCTION aegis_app.proof_answer(proof bytea[], size bigint) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok(jsonb_build_object(
    'proof', (SELECT coalesce(jsonb_agg(aegis_app.base64(h) ORDER BY place), '[]') FROM unnest(proof) WITH ORDINALITY p(h, place)),
    'size', size, 'root', aegis_app.base64(aegis.log_root(aegis.tenant_id(), size))));
END $$;
COMMENT ON FUNCTION aegis_app.proof_answer(bytea[], bigint) IS 'a proof in the log of the tenant, with the root that it leads to';

CREATE FUNCTION aegis_app.get_inclusion(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  size bigint := coalesce(aegis_app.number_in(request.query, 'size'), (SELECT l.entries FROM aegis.tenant_ledger() l));
  leaf bigint := aegis_app.integer_field(request.query, 'leaf', 0, 999999999999999999);
BEGIN
  RETURN aegis_app.proof_answer(aegis.inclusion_proof(aegis.tenant_id(), leaf, size), size);
END $$;
COMMENT ON FUNCTION aegis_app.get_inclusion(aegis.request) IS 'GET /api/ledger/inclusion?leaf=&size=';

CREATE FUNCTION aegis_app.get_consistency(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  second bigint := coalesce(aegis_app.number_in(request.query, 'second'), (SELECT l.entries FROM aegis.tenant_ledger() l));
  first  bigint := aegis_app.integer_field(request.query, 'first', 1, 999999999999999999);
BEGIN
  RETURN aegis_app.proof_answer(aegis.consistency_proof(aegis.tenant_id(), first, second), second);
END $$;
COMMENT ON FUNCTION aegis_app.get_consistency(aegis.request) IS 'GET /api/ledger/consistency?first=&second=';

CREATE FUNCTION aegis_app.begin_verification(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  id bigint := aegis.begin_verification();
BEGIN
  RETURN aegis_app.ok(jsonb_build_object('id', id), 201, jsonb_build_object('location', '/api/ledger/verifications/' || id));
END $$;
COMMENT ON FUNCTION aegis_app.begin_verification(aegis.request) IS 'POST /api/ledger/verifications: as a job';

CREATE FUNCTION aegis_app.get_verification(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok((SELECT jsonb_build_object('state', v.state, 'done', v.done, 'total', v.total, 'findings', v.findings, 'rows', v."rows")
                         FROM aegis.verification(aegis_app.number_of(request.params ->> 'id')) v));
END $$;
COMMENT ON FUNCTION aegis_app.get_verification(aegis.request) IS 'GET /api/ledger/verifications/{id}';
