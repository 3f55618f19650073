-- The application's routes of the tenant's ledger, all for admins.

DO $$
DECLARE
  words   CONSTANT jsonb := '{"type": "string"}';
  maybe   CONSTANT jsonb := '{"type": ["string", "null"]}';
  instant CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  count   CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  hash    CONSTANT jsonb := '{"type": "string", "pattern": "^[0-9a-f]{64}$"}';
  base64  CONSTANT jsonb := '{"type": "string", "contentEncoding": "base64"}';
  anything CONSTANT jsonb := '{"type": ["object", "null"]}';
  outcome CONSTANT jsonb := '{"enum": ["success", "failure", "denied"]}';
  pages   CONSTANT jsonb := '{"limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
                              "before": {"type": "integer", "minimum": 0, "description": "only what comes before this number"}}';
  listed  CONSTANT jsonb := jsonb_build_object('leaf', count, 'seq', count, 'seal', count, 'time', instant, 'event', words, 'outcome', outcome,
            'user_id', '{"type": ["string", "null"], "format": "uuid"}'::jsonb, 'user_name', maybe, 'target_kind', maybe, 'target_id', maybe, 'detail', anything);
  proof   CONSTANT jsonb := aegis.object_schema(jsonb_build_object('proof', jsonb_build_object('type', 'array', 'items', base64), 'size', count, 'root', base64));
  octets  CONSTANT jsonb := '{"type": "string", "contentMediaType": "application/octet-stream"}';
  level   CONSTANT jsonb := '{"properties": {"level": {"type": "string", "description": "a number from 0 on, or entries"}}}';
  places  text;
  note    CONSTANT jsonb := '{"type": "string", "contentMediaType": "text/plain; charset=utf-8"}';
BEGIN
  PERFORM aegis.register_route('GET', '/api/ledger/entries', 'aegis_app.list_entries(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'The tenant''s ledger, newest first',
    parameter_schema => jsonb_build_object('properties', pages || jsonb_build_object('outcome', outcome,
      'event', words || '{"maxLength": 63, "description": "how the event begins, such as \"invoice.\""}')),
    response_schema => aegis.object_schema(jsonb_build_object('size', count,
      'next', '{"type": ["integer", "null"], "description": "before of the next page"}'::jsonb,
      'entries', jsonb_build_object('type', 'array', 'items', aegis.object_schema(listed)))));
  PERFORM aegis.register_route('GET', '/api/ledger/entries/{leaf}', 'aegis_app.get_entry(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'One entry, with its canonical bytes', parameter_schema => jsonb_build_object('properties', jsonb_build_object('leaf', count)), problems => '{"gone": 410}',
    response_schema => aegis.object_schema(listed || jsonb_build_object('rank', '{"type": ["integer", "null"]}'::jsonb, 'way', maybe, 'request_id', maybe,
      'image', anything, 'leaf_hash', hash, 'body_base64', base64)));
  PERFORM aegis.register_route('GET', '/api/ledger/entries/{leaf}/receipt', 'aegis_app.get_receipt(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'One entry with the path from it to a signed checkpoint, for aegis-verify and other readers of C2SP proofs',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('leaf', count)), problems => '{"conflict": 409, "gone": 410}', response_schema => note);
  PERFORM aegis.register_route('GET', '/api/ledger/seals', 'aegis_app.list_seals(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'The chain of seals, newest first', parameter_schema => jsonb_build_object('properties', pages),
    response_schema => aegis.object_schema(jsonb_build_object('seals', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
      'number', count, 'sealed_at', instant, 'hash', hash, 'previous', hash, 'root', hash, 'root_size', count, 'entries', count,
      'first_leaf', '{"type": ["integer", "null"]}'::jsonb,
      'checkpoint', aegis.object_schema(jsonb_build_object('size', count, 'signed_at', instant)) || '{"type": ["object", "null"]}'))))));
  PERFORM aegis.register_route('GET', '/api/ledger/checkpoint', 'aegis_app.get_checkpoint(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'The newest signed checkpoint, a C2SP note', problems => '{"no-checkpoint": 404}', response_schema => note);
  PERFORM aegis.register_route('GET', '/api/ledger/inclusion', 'aegis_app.get_inclusion(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'Proof that an entry is in the tenant''s log', response_schema => proof,
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('leaf', count,
      'size', count || '{"description": "of the log; as it is now, unless given"}'), 'required', '["leaf"]'::jsonb));
  PERFORM aegis.register_route('GET', '/api/ledger/consistency', 'aegis_app.get_consistency(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'Proof that the tenant''s log only grew', response_schema => proof,
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('first', count || '{"minimum": 1}',
      'second', count || '{"description": "size of the log; as it is now, unless given"}'), 'required', '["first"]'::jsonb));
  PERFORM aegis.register_route('GET', '/api/ledger/bundle', 'aegis_app.get_bundle(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'The tenant''s ledger as a file for aegis-verify: recorded', problems => '{"bundle-too-large": 413}', response_schema => note);
  PERFORM aegis.register_route('POST', '/api/ledger/verifications', 'aegis_app.begin_verification(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'Begin to verify the tenant''s log', success_status => 201::smallint, problems => '{"conflict": 409}',
    response_schema => aegis.object_schema(jsonb_build_object('id', count)));
  PERFORM aegis.register_route('GET', '/api/ledger/verifications/{id}', 'aegis_app.get_verification(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'Progress and result of a verification', parameter_schema => jsonb_build_object('properties', jsonb_build_object('id', count)),
    response_schema => aegis.object_schema(jsonb_build_object('state', words, 'done', '{"type": ["integer", "null"]}'::jsonb,
      'total', '{"type": ["integer", "null"]}'::jsonb, 'findings', '{"type": ["integer", "null"]}'::jsonb, 'rows', '{"type": ["array", "null"]}'::jsonb)));
  -- Both logs as C2SP tlog-tiles. The tiles of the root log hold hashes over random names and are for everybody.
  PERFORM aegis.register_route('GET', '/api/ledger/root/checkpoint', 'aegis_app.get_checkpoint(aegis.request)', public => true, replica_ok => true, tag => 'Ledger',
    summary => 'The newest checkpoint of the root log, witnessed if there is one, a C2SP note', problems => '{"no-checkpoint": 404}', response_schema => note);
  PERFORM aegis.register_route('GET', '/api/ledger/log/receipt', 'aegis_app.get_log_receipt(aegis.request)', 4::smallint, tag => 'Ledger',
    summary => 'What proves size and root of the tenant''s log: the receipt of its newest entry', problems => '{"no-checkpoint": 404}', response_schema => note);
  FOREACH places IN ARRAY ARRAY['{a}', '{a}/{b}', '{a}/{b}/{c}', '{a}/{b}/{c}/{d}'] LOOP
    PERFORM aegis.register_route('GET', '/api/ledger/root/tile/{level}/' || places, 'aegis_app.get_root_tile(aegis.request)', public => true, replica_ok => true, tag => 'Ledger',
      summary => 'A tile of the root log (C2SP tlog-tiles)', parameter_schema => level, response_schema => octets);
    PERFORM aegis.register_route('GET', '/api/ledger/log/tile/{level}/' || places, 'aegis_app.get_log_tile(aegis.request)', 4::smallint, tag => 'Ledger',
      summary => 'A tile of the tenant''s log, or a bundle of its entries (C2SP tlog-tiles)', parameter_schema => level, response_schema => octets);
  END LOOP;
END $$;
