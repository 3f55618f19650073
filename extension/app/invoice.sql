-- Invoices: drafted, edited, sent with a gapless number, cancelled. Money is bigint minor units and an
-- ISO 4217 code; in JSON amounts are strings.

-- The state machine, once, as data: the commands below and the API's errors come from it.
CREATE FUNCTION aegis_app.invoice_transitions() RETURNS TABLE (from_status text, command text, to_status text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT column1, column2, column3 FROM (VALUES
      ('draft'::text, 'edit'::text, 'draft'::text),
      ('draft', 'send', 'sent'),
      ('draft', 'cancel', 'cancelled'),
      ('sent', 'cancel', 'cancelled')) AS transition;
  END;
COMMENT ON FUNCTION aegis_app.invoice_transitions() IS 'every legal step of an invoice: from, command, to';

CREATE TABLE aegis_app.invoice (
  tenant_id     uuid NOT NULL DEFAULT aegis.tenant_id(),
  id            uuid NOT NULL DEFAULT gen_random_uuid(),
  customer_id   uuid NOT NULL,
  status        text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'sent', 'cancelled')),
  number        text,
  currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  total_minor   bigint NOT NULL DEFAULT 0 CHECK (total_minor >= 0),
  due_date      date,
  memo          aegis.sealed_text,
  content_hash  bytea,
  cancel_reason aegis.sealed_text,
  version       integer NOT NULL DEFAULT 1,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at       timestamptz,
  cancelled_at  timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, number),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES aegis_app.customer (tenant_id, id),
  -- A number exists from sending on, and with it the hash of what was sent.
  CHECK ((number IS NULL) = (sent_at IS NULL) AND (number IS NULL) = (content_hash IS NULL)),
  CHECK (status <> 'sent' OR number IS NOT NULL),
  CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice', '');
COMMENT ON TABLE aegis_app.invoice IS 'what a tenant asks a customer to pay';

CREATE TABLE aegis_app.invoice_line (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  invoice_id   uuid NOT NULL,
  position     integer NOT NULL CHECK (position BETWEEN 1 AND 500),
  description  aegis.sealed_text NOT NULL,
  quantity     integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
  unit_minor   bigint NOT NULL CHECK (unit_minor >= 0),
  amount_minor bigint NOT NULL GENERATED ALWAYS AS (quantity * unit_minor) STORED,
  PRIMARY KEY (tenant_id, invoice_id, position),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id) ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_line', '');
COMMENT ON TABLE aegis_app.invoice_line IS 'one position of an invoice; visible to whoever sees the invoice';

-- One counter row per tenant, updated in the transaction that sends: a rollback returns the number, so
-- numbers have no gaps. A sequence would leave some.
CREATE TABLE aegis_app.invoice_series (
  tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(),
  prefix    text NOT NULL DEFAULT 'INV-',
  next      bigint NOT NULL DEFAULT 1 CHECK (next > 0),
  PRIMARY KEY (tenant_id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_series', '');
COMMENT ON TABLE aegis_app.invoice_series IS 'the next invoice number of a tenant';

SELECT aegis.protect_table('aegis_app.invoice');
SELECT aegis.protect_table('aegis_app.invoice_line', parent => 'aegis_app.invoice');
SELECT aegis.protect_table('aegis_app.invoice_series', created_by => false, team => false);
SELECT aegis.encrypt_column('aegis_app.invoice', 'memo', 'invoice.memo', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.invoice', 'cancel_reason', 'invoice.cancel_reason', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.invoice_line', 'description', 'invoice_line.description', 'aegis.sealed_text', 'full');

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.invoice FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('memo', 'cancel_reason');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.invoice_line FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('description');

CREATE INDEX invoice_newest ON aegis_app.invoice (tenant_id, created_at DESC, id DESC);
CREATE INDEX invoice_customer ON aegis_app.invoice (tenant_id, customer_id);

SELECT aegis.declare_event('invoice.created', 'an invoice was drafted', '{"currency": "clear", "total_minor": "clear"}');
SELECT aegis.declare_event('invoice.edited', 'a draft was changed', '{"currency": "clear", "total_minor": "clear"}');
SELECT aegis.declare_event('invoice.sent', 'an invoice got its number and was sent',
                           '{"number": "clear", "currency": "clear", "total_minor": "clear", "content_hash": "clear"}');
SELECT aegis.declare_event('invoice.cancelled', 'an invoice was cancelled', '{"from": "clear", "reason": "personal"}');
SELECT aegis.declare_event('invoice.transition_rejected', 'a step the state machine does not allow was asked for',
                           '{"from": "clear", "command": "clear"}');

-- As much of the name as the policy lets the caller see; NULL when the customer is another's to see.
CREATE FUNCTION aegis_app.customer_name(i aegis_app.invoice) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT aegis.legible(c.name) FROM aegis_app.customer c WHERE c.tenant_id = i.tenant_id AND c.id = i.customer_id;
  END;
COMMENT ON FUNCTION aegis_app.customer_name(aegis_app.invoice) IS 'whom an invoice is for: in clear, masked or NULL';

CREATE FUNCTION aegis_app.invoice_row(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object(
    'id', i.id, 'customer_id', i.customer_id, 'customer_name', aegis_app.customer_name(i), 'status', i.status,
    'number', i.number, 'overdue', i.status = 'sent' AND i.due_date IS NOT NULL AND i.due_date < current_date,
    'currency', i.currency, 'total_minor', i.total_minor::text, 'due_date', i.due_date, 'created_at', i.created_at);
COMMENT ON FUNCTION aegis_app.invoice_row(aegis_app.invoice) IS 'an invoice as lists show it';

CREATE FUNCTION aegis_app.invoice_json(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN jsonb_build_object(
    'id', i.id, 'customer_id', i.customer_id, 'customer_name', aegis_app.customer_name(i), 'status', i.status,
    'number', i.number, 'overdue', i.status = 'sent' AND i.due_date IS NOT NULL AND i.due_date < current_date,
    'currency', i.currency, 'total_minor', i.total_minor::text, 'due_date', i.due_date,
    'memo', aegis.reveal(i.memo), 'version', i.version,
    'content_sha256', encode(i.content_hash, 'hex'),
    'created_at', i.created_at, 'sent_at', i.sent_at, 'cancelled_at', i.cancelled_at,
    'cancel_reason', aegis.reveal(i.cancel_reason),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('position', l.position, 'description', aegis.reveal(l.description),
                                                           'quantity', l.quantity, 'unit_minor', l.unit_minor::text,
                                                           'amount_minor', l.amount_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id));
COMMENT ON FUNCTION aegis_app.invoice_json(aegis_app.invoice) IS 'an invoice with its lines; amounts as strings of minor units';

-- What a sent invoice commits to. Plaintext goes in, so that re-sealing under a new key changes nothing.
CREATE FUNCTION aegis_app.invoice_content(i aegis_app.invoice) RETURNS bytea
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN sha256(convert_to(jsonb_build_object(
    'customer_id', i.customer_id, 'currency', i.currency, 'total_minor', i.total_minor::text,
    'due_date', to_char(i.due_date, 'YYYY-MM-DD'), 'memo', aegis.reveal(i.memo),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_array(l.position, aegis.reveal(l.description), l.quantity, l.unit_minor::text)
                                        ORDER BY l.position), '[]')
                FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id))::text, 'UTF8'));
COMMENT ON FUNCTION aegis_app.invoice_content(aegis_app.invoice) IS 'SHA-256 over what the customer is asked to pay for';

CREATE FUNCTION aegis_app.replace_lines(invoice uuid, lines jsonb) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line     jsonb;
  at_line  integer := 0;
  total    bigint;
BEGIN
  IF jsonb_typeof(lines) IS DISTINCT FROM 'array' OR jsonb_array_length(lines) > 500 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "lines" must be an array of at most 500 lines';
  END IF;
  DELETE FROM aegis_app.invoice_line l WHERE l.tenant_id = aegis.tenant_id() AND l.invoice_id = invoice;
  FOR line IN SELECT * FROM jsonb_array_elements(lines) LOOP
    at_line := at_line + 1;
    IF jsonb_typeof(line) <> 'object' THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('line %s must be an object', at_line);
    END IF;
    INSERT INTO aegis_app.invoice_line (invoice_id, position, description, quantity, unit_minor)
    VALUES (invoice, at_line, aegis_app.text_field(line, 'description', 500),
            aegis_app.integer_field(line, 'quantity', 1, 1000000, 1),
            aegis_app.integer_field(line, 'unit_minor', 0, 999999999999));
  END LOOP;
  SELECT coalesce(sum(l.amount_minor), 0) INTO total FROM aegis_app.invoice_line l
   WHERE l.tenant_id = aegis.tenant_id() AND l.invoice_id = invoice;
  RETURN total;
END $$;
COMMENT ON FUNCTION aegis_app.replace_lines(uuid, jsonb) IS 'replaces the lines of a draft and returns their total in minor units';

-- The invoice under its row lock, if the caller sees it, and where the command leads; refuses the rest.
CREATE FUNCTION aegis_app.begin_command(id uuid, command text, OUT invoice aegis_app.invoice, OUT next_status text,
                                        OUT refusal aegis.response)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT * INTO invoice FROM aegis_app.invoice i
   WHERE i.tenant_id = aegis.tenant_id() AND i.id = begin_command.id FOR UPDATE;
  IF NOT FOUND THEN
    refusal := aegis_app.problem(404, 'not-found', 'No such invoice');
    RETURN;
  END IF;
  SELECT t.to_status INTO next_status FROM aegis_app.invoice_transitions() t
   WHERE t.from_status = invoice.status AND t.command = begin_command.command;
  IF NOT FOUND THEN
    PERFORM aegis.record('invoice.transition_rejected', 'invoice', invoice.id::text, 'failure',
                         jsonb_build_object('from', invoice.status, 'command', begin_command.command));
    refusal := aegis_app.problem(409, 'illegal-transition', 'The invoice does not allow this step',
                                 format('The command "%s" is not possible for an invoice that is %s.', begin_command.command, invoice.status));
  END IF;
END $$;
COMMENT ON FUNCTION aegis_app.begin_command(uuid, text) IS 'locks an invoice for a command of the state machine or says why not';

CREATE FUNCTION aegis_app.list_invoices(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
<<list_invoices>>
DECLARE
  most     integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 50);
  after    uuid := aegis_app.uuid_field(request.query, 'after');
  status   text := request.query ->> 'status';
  customer uuid := aegis_app.uuid_field(request.query, 'customer_id');
  tenant   uuid := aegis.tenant_id();
  answer   jsonb;
BEGIN
  IF status NOT IN ('draft', 'sent', 'cancelled') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "status" must be draft, sent or cancelled';
  END IF;
  SELECT coalesce(jsonb_agg(aegis_app.invoice_row(i) ORDER BY i.created_at DESC, i.id DESC), '[]')
    INTO answer
    FROM (SELECT * FROM aegis_app.invoice r
           WHERE r.tenant_id = tenant
             AND (list_invoices.status IS NULL OR r.status = list_invoices.status)
             AND (customer IS NULL OR r.customer_id = customer)
             AND (list_invoices.after IS NULL OR (r.created_at, r.id) <
                  (SELECT p.created_at, p.id FROM aegis_app.invoice p WHERE p.tenant_id = tenant AND p.id = list_invoices.after))
           ORDER BY r.created_at DESC, r.id DESC LIMIT most) i;
  RETURN aegis_app.ok(jsonb_build_object('invoices', answer));
END $$;
COMMENT ON FUNCTION aegis_app.list_invoices(aegis.request) IS 'GET /api/invoices?status=&customer_id=&limit=&after=';

CREATE FUNCTION aegis_app.get_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_row aegis_app.invoice;
BEGIN
  SELECT * INTO found_row FROM aegis_app.invoice i
   WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  RETURN aegis_app.ok(aegis_app.invoice_json(found_row));
END $$;
COMMENT ON FUNCTION aegis_app.get_invoice(aegis.request) IS 'GET /api/invoices/{id}';

CREATE FUNCTION aegis_app.create_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b       jsonb := request.body;
  buyer   uuid := aegis_app.uuid_field(b, 'customer_id');
  new_row aegis_app.invoice;
BEGIN
  PERFORM aegis_app.text_field(b, 'customer_id', 36);  -- required
  -- Looked up under row security: a foreign key would also accept a customer that the caller cannot see.
  IF NOT EXISTS (SELECT FROM aegis_app.customer c WHERE c.tenant_id = aegis.tenant_id() AND c.id = buyer) THEN
    RETURN aegis_app.problem(422, 'unknown-customer', 'No such customer');
  END IF;
  INSERT INTO aegis_app.invoice (customer_id, currency, due_date, memo)
  VALUES (buyer, aegis_app.currency_field(b), aegis_app.date_field(b, 'due_date'), aegis_app.text_field(b, 'memo', 2000, false))
  RETURNING * INTO new_row;
  UPDATE aegis_app.invoice i SET total_minor = aegis_app.replace_lines(new_row.id, coalesce(b -> 'lines', '[]'))
   WHERE i.tenant_id = new_row.tenant_id AND i.id = new_row.id RETURNING * INTO new_row;
  PERFORM aegis.record('invoice.created', 'invoice', new_row.id::text,
                       detail => jsonb_build_object('currency', new_row.currency, 'total_minor', new_row.total_minor));
  RETURN aegis_app.ok(aegis_app.invoice_json(new_row), 201, jsonb_build_object('location', '/api/invoices/' || new_row.id));
END $$;
COMMENT ON FUNCTION aegis_app.create_invoice(aegis.request) IS
  'POST /api/invoices {customer_id, currency, due_date?, memo?, lines: [{description, quantity?, unit_minor}]}';

CREATE FUNCTION aegis_app.edit_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b    jsonb := request.body;
  step record;
  row_now aegis_app.invoice;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(aegis_app.uuid_of(request.params ->> 'id'), 'edit');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  row_now := step.invoice;
  IF aegis_app.integer_field(b, 'version', 1, 2147483647, row_now.version) <> row_now.version THEN
    RETURN aegis_app.problem(409, 'changed-meanwhile', 'The invoice was changed meanwhile', 'Read it again and repeat the change.');
  END IF;
  IF jsonb_typeof(b) IS DISTINCT FROM 'object' OR NOT b ?| '{currency,due_date,memo,lines}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'nothing to change',
      HINT = 'Send at least one of currency, due_date, memo, lines.';
  END IF;
  UPDATE aegis_app.invoice i
     SET currency    = CASE WHEN b ? 'currency' THEN aegis_app.currency_field(b) ELSE i.currency END,
         due_date    = CASE WHEN b ? 'due_date' THEN aegis_app.date_field(b, 'due_date') ELSE i.due_date END,
         memo        = CASE WHEN b ? 'memo' THEN aegis_app.text_field(b, 'memo', 2000, false)::aegis.sealed_text ELSE i.memo END,
         total_minor = CASE WHEN b ? 'lines' THEN aegis_app.replace_lines(i.id, b -> 'lines') ELSE i.total_minor END,
         version     = i.version + 1
   WHERE i.tenant_id = row_now.tenant_id AND i.id = row_now.id RETURNING * INTO row_now;
  PERFORM aegis.record('invoice.edited', 'invoice', row_now.id::text,
                       detail => jsonb_build_object('currency', row_now.currency, 'total_minor', row_now.total_minor));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.edit_invoice(aegis.request) IS 'PATCH /api/invoices/{id}: drafts only; any of currency, due_date, memo, lines; version guards against lost updates';

CREATE FUNCTION aegis_app.send_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step    record;
  row_now aegis_app.invoice;
  counter aegis_app.invoice_series;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(aegis_app.uuid_of(request.params ->> 'id'), 'send');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  row_now := step.invoice;
  IF NOT EXISTS (SELECT FROM aegis_app.invoice_line l WHERE l.tenant_id = row_now.tenant_id AND l.invoice_id = row_now.id) THEN
    RETURN aegis_app.problem(422, 'no-lines', 'The invoice has no lines', 'Add at least one line before sending.');
  END IF;
  -- Lock order everywhere: the invoice, then the counter.
  INSERT INTO aegis_app.invoice_series AS s (next) VALUES (2)
    ON CONFLICT (tenant_id) DO UPDATE SET next = s.next + 1 RETURNING * INTO counter;
  UPDATE aegis_app.invoice i
     SET status = step.next_status, number = counter.prefix || lpad((counter.next - 1)::text, 6, '0'),
         sent_at = clock_timestamp(), content_hash = aegis_app.invoice_content(row_now), version = i.version + 1
   WHERE i.tenant_id = row_now.tenant_id AND i.id = row_now.id RETURNING * INTO row_now;
  PERFORM aegis.record('invoice.sent', 'invoice', row_now.id::text,
                       detail => jsonb_build_object('number', row_now.number, 'currency', row_now.currency,
                                                    'total_minor', row_now.total_minor,
                                                    'content_hash', encode(row_now.content_hash, 'hex')));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.send_invoice(aegis.request) IS 'POST /api/invoices/{id}/send: assigns the number and freezes the content';

CREATE FUNCTION aegis_app.cancel_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reason  text := aegis_app.text_field(request.body, 'reason', 500);
  step    record;
  row_now aegis_app.invoice;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(aegis_app.uuid_of(request.params ->> 'id'), 'cancel');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  UPDATE aegis_app.invoice i
     SET status = step.next_status, cancelled_at = clock_timestamp(), cancel_reason = reason, version = i.version + 1
   WHERE i.tenant_id = (step.invoice).tenant_id AND i.id = (step.invoice).id RETURNING * INTO row_now;
  PERFORM aegis.record('invoice.cancelled', 'invoice', row_now.id::text,
                       detail => jsonb_build_object('from', (step.invoice).status, 'reason', reason));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.cancel_invoice(aegis.request) IS 'POST /api/invoices/{id}/cancel {reason}: the number stays';

-- Fields that only invoices have.
CREATE FUNCTION aegis_app.currency_field(body jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := aegis_app.text_field(body, 'currency', 3);
BEGIN
  IF value !~ '^[A-Z]{3}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "currency" must be an ISO 4217 code such as "GBP"';
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.currency_field(jsonb) IS 'ISO 4217 code of the field "currency"';

CREATE FUNCTION aegis_app.date_field(body jsonb, field text) RETURNS date
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := aegis_app.text_field(body, field, 10, false);
BEGIN
  IF value IS NULL THEN
    RETURN NULL;
  END IF;
  IF value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a date such as "2030-12-31"', field);
  END IF;
  RETURN make_date(left(value, 4)::integer, substr(value, 6, 2)::integer, right(value, 2)::integer);
END $$;
COMMENT ON FUNCTION aegis_app.date_field(jsonb, text) IS 'ISO 8601 date of a JSON field, NULL when missing';
