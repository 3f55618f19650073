-- Reconciliation: the last barrier. What a provider lists is compared with what is recorded; differences are rows for
-- people, and what is missing is fetched. docs/payment.md.

CREATE TABLE aegis_app.reconciliation (
  tenant_id   uuid NOT NULL DEFAULT aegis.tenant_id(),
  id          uuid NOT NULL DEFAULT gen_random_uuid(),
  account_id  uuid NOT NULL,
  from_time   timestamptz NOT NULL,
  to_time     timestamptz NOT NULL,
  open_calls  integer NOT NULL DEFAULT 1 CHECK (open_calls >= 0),
  listed      integer NOT NULL DEFAULT 0,
  differences integer NOT NULL DEFAULT 0,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at    timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES aegis_app.provider_account (tenant_id, id),
  CHECK (from_time < to_time),
  CHECK ((open_calls = 0) = (ended_at IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.reconciliation', '');
COMMENT ON TABLE aegis_app.reconciliation IS 'comparisons of a stretch of time with what a provider lists';
COMMENT ON COLUMN aegis_app.reconciliation.open_calls IS 'pages that were asked for and have not come';

CREATE TABLE aegis_app.reconciliation_item (
  tenant_id         uuid NOT NULL DEFAULT aegis.tenant_id(),
  reconciliation_id uuid NOT NULL,
  transaction_id    text NOT NULL CHECK (transaction_id ~ '^[A-Za-z0-9_.:-]{1,200}$' AND aegis.is_free_of_card_data(transaction_id)),
  reference         text CHECK (reference ~ '^ag[a-p]{18}$'),
  amount_minor      bigint NOT NULL,
  currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  occurred_at       timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, reconciliation_id, transaction_id),
  FOREIGN KEY (tenant_id, reconciliation_id) REFERENCES aegis_app.reconciliation (tenant_id, id) ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.reconciliation_item', '');
COMMENT ON TABLE aegis_app.reconciliation_item IS 'what a provider listed, until it is compared';

CREATE TABLE aegis_app.reconciliation_difference (
  tenant_id         uuid NOT NULL DEFAULT aegis.tenant_id(),
  id                uuid NOT NULL DEFAULT gen_random_uuid(),
  reconciliation_id uuid NOT NULL,
  kind              text NOT NULL CHECK (kind IN ('missing', 'extra', 'amount', 'currency')),
  transaction_id    text NOT NULL,
  payment_id        uuid,
  recorded_minor    bigint,
  listed_minor      bigint,
  currency          text,
  found_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at        timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, reconciliation_id, transaction_id, kind),
  FOREIGN KEY (tenant_id, reconciliation_id) REFERENCES aegis_app.reconciliation (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.reconciliation_difference', '');
COMMENT ON TABLE aegis_app.reconciliation_difference IS 'where a provider and the records differ: missing here, extra here, another amount or currency';

-- An account is the organisation's, and so is what is found out about it: for its managers.
SELECT aegis.protect_table('aegis_app.reconciliation', created_by => false, team => false);
SELECT aegis.protect_table('aegis_app.reconciliation_item', created_by => false, team => false);
SELECT aegis.protect_table('aegis_app.reconciliation_difference', created_by => false, team => false);
CREATE POLICY managers_alone ON aegis_app.reconciliation AS RESTRICTIVE FOR SELECT USING (aegis.rank() >= '3'::smallint OR aegis.auth_method() IN ('webhook', 'job'));
CREATE POLICY managers_alone ON aegis_app.reconciliation_item AS RESTRICTIVE FOR SELECT USING (aegis.rank() >= '3'::smallint OR aegis.auth_method() IN ('webhook', 'job'));
CREATE POLICY managers_alone ON aegis_app.reconciliation_difference AS RESTRICTIVE FOR SELECT
  USING (aegis.rank() >= '3'::smallint OR aegis.auth_method() IN ('webhook', 'job'));

SELECT aegis.declare_event('payment.reconciliation.started', 'the records are being compared with what a provider lists',
                           '{"provider": "clear required", "account": "clear required"}');
SELECT aegis.declare_event('payment.reconciliation.completed', 'the records were compared with what a provider lists',
                           '{"listed": "clear required", "differences": "clear required"}');
SELECT aegis.declare_event('payment.reconciliation.difference_found', 'a provider lists something else than is recorded',
                           '{"kind": "clear required", "transaction_id": "clear required", "recorded_minor": "clear", "listed_minor": "clear", "currency": "clear"}');
SELECT aegis.declare_event('payment.reconciliation.difference_settled', 'a manager settled a difference',
                           '{"kind": "clear required", "transaction_id": "clear required"}');

CREATE FUNCTION aegis_app.queue_list(a aegis_app.provider_account, r aegis_app.reconciliation, call text, cursor text, not_before timestamptz DEFAULT NULL)
  RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Transactions are listed by when they began: some days more than those whose captures are compared.
  PERFORM aegis_app.queue_call(a, call, r.id::text, format('%s/%s/%s', call, r.id, coalesce(cursor, '')), jsonb_strip_nulls(jsonb_build_object(
    'cursor', cursor, 'from_unix', extract(epoch FROM r.from_time - interval '3 days')::bigint::text, 'to_unix', ceil(extract(epoch FROM r.to_time))::bigint::text,
    'from_time', to_char((r.from_time - interval '3 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'to_time', to_char(r.to_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))), not_before => not_before,
    expires_at => coalesce(not_before, clock_timestamp()) + interval '2 days');
END $$;
COMMENT ON FUNCTION aegis_app.queue_list(aegis_app.provider_account, aegis_app.reconciliation, text, text, timestamptz) IS 'asks for one page of what a provider lists';

CREATE FUNCTION aegis_app.begin_reconciliation(a aegis_app.provider_account, from_time timestamptz, to_time timestamptz) RETURNS uuid
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r aegis_app.reconciliation;
BEGIN
  INSERT INTO aegis_app.reconciliation (account_id, from_time, to_time)
  VALUES (a.id, begin_reconciliation.from_time, begin_reconciliation.to_time) RETURNING * INTO r;
  -- Not before the stretch is over, and an hour for what is still on its way.
  PERFORM aegis_app.queue_list(a, r, 'list', NULL, CASE WHEN r.to_time > clock_timestamp() THEN r.to_time + interval '1 hour' END);
  PERFORM aegis.record('payment.reconciliation.started', 'reconciliation', r.id::text,
                       detail => jsonb_build_object('provider', a.provider, 'account', a.account));
  RETURN r.id;
END $$;
COMMENT ON FUNCTION aegis_app.begin_reconciliation(aegis_app.provider_account, timestamptz, timestamptz) IS 'compares a stretch of time, as soon as it is over';

CREATE FUNCTION aegis_app.start_reconciliation(account uuid, from_time timestamptz, to_time timestamptz, daily boolean) RETURNS uuid
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  a aegis_app.provider_account;
BEGIN
  PERFORM aegis_app.require_manager();
  IF from_time >= to_time OR to_time - from_time > interval '31 days' OR to_time > clock_timestamp() THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'fields "from" and "to" must be at most 31 days of the past';
  END IF;
  SELECT * INTO a FROM aegis_app.provider_account p
   WHERE p.tenant_id = aegis.tenant_id() AND p.id = start_reconciliation.account AND p.disabled_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  -- One that follows the other ends with a provider that could not be asked for two days: then it is begun anew.
  ELSIF daily AND NOT (a.reconciled_daily AND EXISTS (SELECT FROM aegis_app.reconciliation k
          WHERE k.tenant_id = a.tenant_id AND k.account_id = a.id AND k.ended_at IS NULL AND k.to_time > clock_timestamp() - interval '3 days')) THEN
    UPDATE aegis_app.provider_account p SET reconciled_daily = true WHERE p.tenant_id = a.tenant_id AND p.id = a.id RETURNING * INTO a;
    PERFORM aegis_app.begin_reconciliation(a, start_reconciliation.to_time, date_trunc('day', start_reconciliation.to_time, 'UTC') + interval '1 day');
  END IF;
  RETURN aegis_app.begin_reconciliation(a, start_reconciliation.from_time, start_reconciliation.to_time);
END $$;
COMMENT ON FUNCTION aegis_app.start_reconciliation(uuid, timestamptz, timestamptz, boolean) IS
  'compares a stretch of the past with what a provider lists; daily: from then on every day; for managers';

CREATE FUNCTION aegis_app.find_differences(a aegis_app.provider_account, r aegis_app.reconciliation) RETURNS integer
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  d     aegis_app.reconciliation_difference;
  number integer := 0;
BEGIN
  FOR d IN
    INSERT INTO aegis_app.reconciliation_difference (reconciliation_id, kind, transaction_id, payment_id, recorded_minor, listed_minor, currency)
    SELECT r.id, s.kind, s.transaction_id, s.payment_id, s.recorded_minor, s.listed_minor, s.currency
      FROM (SELECT CASE WHEN p.id IS NULL THEN 'missing' WHEN i.transaction_id IS NULL THEN 'extra' WHEN p.currency <> i.currency THEN 'currency' ELSE 'amount' END AS kind,
                   coalesce(i.transaction_id, p.transaction_id) AS transaction_id, p.id AS payment_id, p.amount_minor AS recorded_minor,
                   i.amount_minor AS listed_minor, coalesce(i.currency, p.currency) AS currency
              FROM (SELECT * FROM aegis_app.reconciliation_item l WHERE l.tenant_id = r.tenant_id AND l.reconciliation_id = r.id) i
              FULL JOIN (SELECT * FROM aegis_app.payment q WHERE q.tenant_id = r.tenant_id AND q.provider = a.provider AND q.account = a.account
                            AND q.amount_minor > 0) p ON p.transaction_id = i.transaction_id
             WHERE -- what others do with the account is not ours to compare
                   CASE WHEN p.id IS NULL THEN i.reference IS NOT NULL AND i.occurred_at < r.to_time
                        WHEN i.transaction_id IS NULL THEN p.occurred_at >= r.from_time AND p.occurred_at < r.to_time
                        ELSE p.currency <> i.currency OR p.amount_minor <> i.amount_minor END) s
     WHERE s.kind <> 'missing' OR NOT EXISTS (SELECT FROM aegis_app.held_event h WHERE h.tenant_id = r.tenant_id AND h.provider = a.provider
                                                 AND h.account = a.account AND h.transaction_id = s.transaction_id AND h.effect = 'capture')
    RETURNING *
  LOOP
    number := number + 1;
    PERFORM aegis.record('payment.reconciliation.difference_found', 'reconciliation', r.id::text, 'failure', jsonb_strip_nulls(jsonb_build_object(
      'kind', d.kind, 'transaction_id', d.transaction_id, 'recorded_minor', d.recorded_minor, 'listed_minor', d.listed_minor, 'currency', d.currency)));
    IF d.kind = 'missing' THEN
      PERFORM aegis_app.queue_details(a, d.transaction_id, r.id::text || d.transaction_id);
    END IF;
  END LOOP;
  DELETE FROM aegis_app.reconciliation_item l WHERE l.tenant_id = r.tenant_id AND l.reconciliation_id = r.id;
  RETURN number;
END $$;
COMMENT ON FUNCTION aegis_app.find_differences(aegis_app.provider_account, aegis_app.reconciliation) IS 'writes down where a provider''s list and the records differ, and has fetched what is missing';

CREATE FUNCTION aegis_app.take_list(a aegis_app.provider_account, call jsonb, reconciliation uuid, said jsonb) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r     aegis_app.reconciliation;
  more  record;
  item  jsonb;
  event aegis_app.provider_event;
  pages integer := 0;
  seen  integer := 0;
  differ integer;
BEGIN
  SELECT * INTO STRICT r FROM aegis_app.reconciliation k WHERE k.tenant_id = a.tenant_id AND k.id = take_list.reconciliation FOR UPDATE;
  FOR item IN SELECT * FROM jsonb_path_query(said, coalesce(call ->> 'items', '$.nothing')::jsonpath) LOOP
    event := aegis_app.event_of_answer(a, call, item, NULL);
    INSERT INTO aegis_app.reconciliation_item (reconciliation_id, transaction_id, reference, amount_minor, currency, occurred_at)
    VALUES (r.id, event.transaction_id, substring(event.reference FROM '^ag[a-p]{18}$'), event.amount_minor, event.currency, event.occurred_at)
        ON CONFLICT ON CONSTRAINT reconciliation_item_pkey DO NOTHING;
    seen := seen + 1;
  END LOOP;
  FOR more IN SELECT n.key AS call, v #>> '{}' AS cursor FROM jsonb_each_text(coalesce(call -> 'next', '{}')) n, jsonb_path_query(said, n.value::jsonpath) v LOOP
    PERFORM aegis_app.queue_list(a, r, more.call, more.cursor);
    pages := pages + 1;
  END LOOP;
  IF r.open_calls + pages > 1 THEN
    UPDATE aegis_app.reconciliation k SET listed = k.listed + seen, open_calls = k.open_calls + pages - 1 WHERE k.tenant_id = r.tenant_id AND k.id = r.id;
    RETURN 'page';
  END IF;
  differ := aegis_app.find_differences(a, r);
  UPDATE aegis_app.reconciliation k
     SET listed = k.listed + seen, open_calls = 0, ended_at = clock_timestamp(), differences = differ
   WHERE k.tenant_id = r.tenant_id AND k.id = r.id RETURNING * INTO r;
  PERFORM aegis.record('payment.reconciliation.completed', 'reconciliation', r.id::text,
                       detail => jsonb_build_object('listed', r.listed, 'differences', r.differences));
  IF a.reconciled_daily AND a.disabled_at IS NULL
     AND NOT EXISTS (SELECT FROM aegis_app.reconciliation k WHERE k.tenant_id = r.tenant_id AND k.account_id = a.id AND k.from_time >= r.to_time) THEN
    PERFORM aegis_app.begin_reconciliation(a, r.to_time, r.to_time + interval '1 day');
  END IF;
  RETURN 'done';
END $$;
COMMENT ON FUNCTION aegis_app.take_list(aegis_app.provider_account, jsonb, uuid, jsonb) IS 'one page of what a provider lists; with the last one the comparison';

CREATE FUNCTION aegis_app.settle_difference(difference uuid) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  d aegis_app.reconciliation_difference;
BEGIN
  PERFORM aegis_app.require_manager();
  UPDATE aegis_app.reconciliation_difference k SET settled_at = clock_timestamp()
   WHERE k.tenant_id = aegis.tenant_id() AND k.id = difference AND k.settled_at IS NULL RETURNING * INTO d;
  IF FOUND THEN
    PERFORM aegis.record('payment.reconciliation.difference_settled', 'reconciliation', d.reconciliation_id::text,
                         detail => jsonb_build_object('kind', d.kind, 'transaction_id', d.transaction_id));
  END IF;
  RETURN d.id IS NOT NULL;
END $$;
COMMENT ON FUNCTION aegis_app.settle_difference(uuid) IS 'notes that somebody has dealt with a difference; for managers';

-- Over HTTP ---------------------------------------------------------------------------------------

CREATE FUNCTION aegis_app.list_reconciliations(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  most   integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 20);
  tenant uuid := aegis.tenant_id();
BEGIN
  PERFORM aegis_app.require_manager();
  RETURN aegis_app.ok(jsonb_build_object('reconciliations', (
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'account_id', r.account_id, 'from', r.from_time, 'to', r.to_time, 'listed', r.listed,
                                                 'differences', r.differences, 'started_at', r.started_at, 'ended_at', r.ended_at) ORDER BY r.started_at DESC, r.id), '[]')
      FROM (SELECT * FROM aegis_app.reconciliation k WHERE k.tenant_id = tenant ORDER BY k.started_at DESC, k.id LIMIT most) r),
    'open', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'reconciliation_id', d.reconciliation_id, 'kind', d.kind, 'transaction_id', d.transaction_id,
                                                          'payment_id', d.payment_id, 'recorded_minor', d.recorded_minor::text, 'listed_minor', d.listed_minor::text,
                                                          'currency', d.currency, 'found_at', d.found_at) ORDER BY d.found_at DESC, d.id), '[]')
               FROM (SELECT * FROM aegis_app.reconciliation_difference k WHERE k.tenant_id = tenant AND k.settled_at IS NULL
                      ORDER BY k.found_at DESC, k.id LIMIT 100) d)));
END $$;
COMMENT ON FUNCTION aegis_app.list_reconciliations(aegis.request) IS 'GET /api/reconciliations?limit=: comparisons and the differences that nobody has dealt with';

CREATE FUNCTION aegis_app.post_reconciliation(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_id uuid;
BEGIN
  PERFORM aegis_app.require_manager();
  PERFORM aegis_app.text_field(request.body, 'account_id', 36), aegis_app.text_field(request.body, 'from', 10), aegis_app.text_field(request.body, 'to', 10);  -- required
  new_id := aegis_app.start_reconciliation(aegis_app.uuid_field(request.body, 'account_id'),
    aegis_app.date_field(request.body, 'from')::timestamp AT TIME ZONE 'UTC',
    least(clock_timestamp(), (aegis_app.date_field(request.body, 'to') + 1)::timestamp AT TIME ZONE 'UTC'),
    coalesce((request.body -> 'daily')::text = 'true', false));
  IF new_id IS NULL THEN
    RETURN aegis_app.problem(422, 'unknown-account', 'No such account at a provider');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('id', new_id), 202);
END $$;
COMMENT ON FUNCTION aegis_app.post_reconciliation(aegis.request) IS 'POST /api/reconciliations {account_id, from, to, daily?}: dates, both included, at UTC';

CREATE FUNCTION aegis_app.post_difference_settled(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT aegis_app.settle_difference(aegis_app.uuid_of(request.params ->> 'id')) THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such difference');
  END IF;
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.post_difference_settled(aegis.request) IS 'POST /api/reconciliation-differences/{id}/settle';
