-- Where payment providers deliver, and what admins see of it.

DO $$
DECLARE
  id       CONSTANT jsonb := '{"type": "string", "format": "uuid"}';
  words    CONSTANT jsonb := '{"type": "string"}';
  maybe    CONSTANT jsonb := '{"type": ["string", "null"]}';
  flag     CONSTANT jsonb := '{"type": "boolean"}';
  count    CONSTANT jsonb := '{"type": "integer", "minimum": 0}';
  instant  CONSTANT jsonb := '{"type": "string", "format": "date-time"}';
  later    CONSTANT jsonb := '{"type": ["string", "null"], "format": "date-time"}';
  state    CONSTANT jsonb := '{"enum": ["received", "applied", "duplicate", "ignored", "unmatched", "unapplied", "conflict", "quarantined"]}';
  recent   CONSTANT interval := '1 day';  -- aegis.step_up_time is less, and decides
  by_id    CONSTANT jsonb := aegis.object_schema(jsonb_build_object('id', id));
  event    CONSTANT jsonb := jsonb_build_object('id', id, 'endpoint_id', id, 'provider', words, 'account', words, 'event_id', maybe, 'event_type', maybe,
             'kind', maybe, 'state', state, 'reason', maybe, 'live', flag, 'key_id', words, 'body_bytes', count, 'received_at', instant, 'processed_at', later);
  secret   CONSTANT jsonb := words || '{"maxLength": 256, "description": "as the provider shows it"}';
BEGIN
  PERFORM aegis.register_route('POST', '/api/webhooks/{provider}/{endpoint}', 'aegis_app.receive_webhook(aegis.request)', public => true,
    body_limit => 262144, credentials => '{webhook}', tag => 'Webhooks', summary => 'Where a payment provider delivers; its signature is the credential',
    parameter_schema => aegis.object_schema(jsonb_build_object('provider', words, 'endpoint', id)),
    request_schema => '{"type": "object", "properties": {}, "description": "as the provider writes it"}',
    response_schema => aegis.object_schema('{"received": {"const": true}}'),
    problems => '{"signature-invalid": 401, "not-found": 404, "conflict": 409, "quota-exceeded": 429}');
  PERFORM aegis.register_route('GET', '/api/webhook-events', 'aegis_app.list_webhook_events(aegis.request)', 4::smallint, tag => 'Webhooks',
    summary => 'Messages of payment providers, newest first',
    parameter_schema => jsonb_build_object('properties', jsonb_build_object('state', state,
      'limit', '{"type": "integer", "minimum": 1, "maximum": 100, "default": 50}'::jsonb, 'after', id || '{"description": "the last id of the page before"}')),
    response_schema => aegis.object_schema(jsonb_build_object('events', jsonb_build_object('type', 'array', 'items', aegis.object_schema(event)))));
  PERFORM aegis.register_route('GET', '/api/webhook-events/{id}', 'aegis_app.get_webhook_event(aegis.request)', 4::smallint, tag => 'Webhooks',
    summary => 'One message, with what is kept of it', parameter_schema => by_id,
    response_schema => aegis.object_schema(event || jsonb_build_object('document', '{"type": ["object", "null"]}'::jsonb)));
  PERFORM aegis.register_route('POST', '/api/webhook-events/{id}/reprocess', 'aegis_app.reprocess_webhook_event(aegis.request)', 4::smallint, tag => 'Webhooks',
    summary => 'Process a message again', parameter_schema => by_id, problems => '{"conflict": 409}', response_schema => aegis.object_schema(event));
  PERFORM aegis.register_route('GET', '/api/webhook-endpoints', 'aegis_app.list_webhook_endpoints(aegis.request)', 4::smallint, tag => 'Webhooks',
    summary => 'Endpoints with the ids of their secrets',
    response_schema => aegis.object_schema(jsonb_build_object('endpoints', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
      'id', id, 'provider', words, 'account', words, 'live', flag, 'currency', maybe, 'manual_capture', flag, 'created_at', instant, 'disabled_at', later,
      'path', words, 'keys', jsonb_build_object('type', 'array', 'items', aegis.object_schema(jsonb_build_object(
        'key_id', words, 'created_at', instant, 'not_after', later)))))))));
  PERFORM aegis.register_route('POST', '/api/webhook-endpoints', 'aegis_app.create_webhook_endpoint(aegis.request)', 4::smallint, tag => 'Webhooks', step_up => recent,
    summary => 'Let a provider deliver what happens at an account', success_status => 201::smallint, problems => '{"conflict": 409}',
    request_schema => aegis.object_schema(jsonb_build_object('provider', words, 'account', words || '{"maxLength": 128}', 'secret', secret,
      'live', flag || '{"default": true}', 'currency', maybe, 'manual_capture', flag || '{"default": false}'), '{live,currency,manual_capture}'),
    response_schema => aegis.object_schema(jsonb_build_object('id', id, 'path', words)));
  PERFORM aegis.register_route('POST', '/api/webhook-endpoints/{id}/secrets', 'aegis_app.add_webhook_secret(aegis.request)', 4::smallint, tag => 'Webhooks', step_up => recent,
    summary => 'The next secret of an endpoint; the one before counts for a while', parameter_schema => by_id, success_status => 201::smallint,
    request_schema => aegis.object_schema(jsonb_build_object('secret', secret,
      'overlap_seconds', '{"type": "integer", "minimum": 0, "maximum": 2592000, "default": 86400}'::jsonb), '{overlap_seconds}'),
    response_schema => aegis.object_schema(jsonb_build_object('key_id', words)));
  PERFORM aegis.register_route('DELETE', '/api/webhook-endpoints/{id}', 'aegis_app.disable_webhook_endpoint(aegis.request)', 4::smallint, tag => 'Webhooks', step_up => recent,
    summary => 'Take an endpoint out of use, for good', parameter_schema => by_id, success_status => 204::smallint);
END $$;
