-- Invoices: drafted, edited, sent with a gapless number. Money is bigint minor units and an ISO 4217 code; in JSON
-- amounts are strings. Which step leads where is invoice_state.sql's.

CREATE TABLE aegis_app.invoice (
  tenant_id     uuid NOT NULL DEFAULT aegis.tenant_id(),
  id            uuid NOT NULL DEFAULT gen_random_uuid(),
  customer_id   uuid NOT NULL,
  status        text NOT NULL DEFAULT 'draft'
                CHECK (status IN ('draft', 'sent', 'partially_paid', 'paid', 'cancelled', 'void', 'uncollectible')),
  number        text,
  number_seq    bigint,
  currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  subtotal_minor bigint NOT NULL DEFAULT 0 CHECK (subtotal_minor >= 0),
  tax_minor     bigint NOT NULL DEFAULT 0 CHECK (tax_minor >= 0),
  total_minor   bigint NOT NULL DEFAULT 0 CHECK (total_minor = subtotal_minor + tax_minor),
  applied_minor bigint NOT NULL DEFAULT 0,
  refunded_minor bigint NOT NULL DEFAULT 0,
  credited_minor bigint NOT NULL DEFAULT 0,
  open_disputes integer NOT NULL DEFAULT 0 CHECK (open_disputes >= 0),
  due_date      date,
  memo          aegis.sealed_text,
  content_hash  bytea,
  cancel_reason aegis.sealed_text,
  version       integer NOT NULL DEFAULT 1,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at       timestamptz,
  viewed_at     timestamptz,
  paid_at       timestamptz,
  cancelled_at  timestamptz,
  voided_at     timestamptz,
  uncollectible_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, number),
  UNIQUE (tenant_id, number_seq),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES aegis_app.customer (tenant_id, id),
  -- A number exists from sending on, and with it the hash of what was sent.
  CHECK ((number IS NULL) = (sent_at IS NULL) AND (number IS NULL) = (number_seq IS NULL) AND (number IS NULL) = (content_hash IS NULL)),
  CHECK (status IN ('draft', 'cancelled') OR number IS NOT NULL),
  CHECK (status <> 'draft' OR number IS NULL),
  CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
  CHECK ((status = 'void') = (voided_at IS NOT NULL)),
  -- The balance, whoever writes it: never more paid or credited than the total, never more given back than was paid.
  CHECK (applied_minor BETWEEN 0 AND total_minor AND refunded_minor BETWEEN 0 AND applied_minor),
  CHECK (credited_minor >= 0 AND credited_minor <= total_minor AND (credited_minor = 0 OR status IN ('sent', 'partially_paid', 'paid', 'uncollectible'))),
  CHECK (CASE status WHEN 'paid' THEN applied_minor + credited_minor >= total_minor WHEN 'void' THEN applied_minor = refunded_minor
                     WHEN 'partially_paid' THEN applied_minor + credited_minor < total_minor
                     WHEN 'uncollectible' THEN applied_minor + credited_minor < total_minor
                     ELSE applied_minor = 0 END)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice', '');
COMMENT ON TABLE aegis_app.invoice IS 'what a tenant asks a customer to pay';

CREATE TABLE aegis_app.invoice_line (
  tenant_id    uuid NOT NULL DEFAULT aegis.tenant_id(),
  invoice_id   uuid NOT NULL,
  position     integer NOT NULL CHECK (position BETWEEN 1 AND 500),
  description  aegis.sealed_text NOT NULL,
  quantity     numeric(13,6) NOT NULL CHECK (quantity > 0 AND quantity <= 1000000),
  unit_minor   bigint NOT NULL CHECK (unit_minor >= 0),
  tax_rate     numeric(7,4) NOT NULL DEFAULT 0 CHECK (tax_rate BETWEEN 0 AND 100),
  -- Rounded as the tenant decided; at most half a unit off, whoever writes it.
  amount_minor bigint NOT NULL CHECK (abs(amount_minor - quantity * unit_minor) <= 0.5),
  tax_minor    bigint CHECK (abs(tax_minor - amount_minor * tax_rate / 100) <= 0.5),
  PRIMARY KEY (tenant_id, invoice_id, position),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id) ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.invoice_line', '');
COMMENT ON TABLE aegis_app.invoice_line IS 'one position of an invoice; visible to whoever sees the invoice';

SELECT aegis.protect_table('aegis_app.invoice');
SELECT aegis.protect_table('aegis_app.invoice_line', parent => 'aegis_app.invoice');
SELECT aegis.encrypt_column('aegis_app.invoice', 'memo', 'invoice.memo', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.invoice', 'cancel_reason', 'invoice.cancel_reason', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.invoice_line', 'description', 'invoice_line.description', 'aegis.sealed_text', 'full');

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.invoice FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('memo', 'cancel_reason');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.invoice_line FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('description');

CREATE INDEX invoice_newest ON aegis_app.invoice (tenant_id, created_at DESC, id DESC);
CREATE INDEX invoice_customer ON aegis_app.invoice (tenant_id, customer_id);

SELECT aegis.declare_event('invoice.created', 'an invoice was drafted', '{"currency": "clear required", "total_minor": "clear required"}');
SELECT aegis.declare_event('invoice.edited', 'a draft was changed', '{"currency": "clear required", "total_minor": "clear required"}');
SELECT aegis.declare_event('invoice.sent', 'an invoice got its number and was sent',
                           '{"number": "clear required", "currency": "clear required", "total_minor": "clear required", "content_hash": "clear required"}');
-- As much of the name as the policy lets the caller see; NULL when the customer is another's to see.
CREATE FUNCTION aegis_app.customer_name(i aegis_app.invoice) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT aegis.legible(c.name) FROM aegis_app.customer c WHERE c.tenant_id = i.tenant_id AND c.id = i.customer_id;
  END;
COMMENT ON FUNCTION aegis_app.customer_name(aegis_app.invoice) IS 'whom an invoice is for: in clear, masked or NULL';

-- What is true of an invoice beside its status: looked up when read, never stored.
CREATE FUNCTION aegis_app.is_overdue(i aegis_app.invoice) RETURNS boolean
  LANGUAGE sql STABLE
  RETURN i.status IN ('sent', 'partially_paid') AND i.due_date IS NOT NULL AND i.due_date < aegis_app.today();
COMMENT ON FUNCTION aegis_app.is_overdue(aegis_app.invoice) IS 'whether an invoice is to be paid and its due date has passed, in the tenant''s time zone';

CREATE FUNCTION aegis_app.due_minor(i aegis_app.invoice) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN i.status IN ('sent', 'partially_paid') THEN i.total_minor - i.applied_minor - i.credited_minor ELSE 0 END;
COMMENT ON FUNCTION aegis_app.due_minor(aegis_app.invoice) IS 'what is to be paid of an invoice';

CREATE FUNCTION aegis_app.owed_back_minor(i aegis_app.invoice) RETURNS bigint
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN greatest(0, (i.applied_minor - i.refunded_minor) - (i.total_minor - i.credited_minor));
COMMENT ON FUNCTION aegis_app.owed_back_minor(aegis_app.invoice) IS 'what is kept of an invoice beyond what it asks for after its credit notes';

CREATE FUNCTION aegis_app.derived_states(i aegis_app.invoice) RETURNS text[]
  LANGUAGE sql STABLE
  RETURN array_remove(ARRAY[CASE WHEN i.viewed_at IS NOT NULL THEN 'viewed' END,
                            CASE WHEN aegis_app.is_overdue(i) THEN 'overdue' END,
                            CASE WHEN i.refunded_minor > 0 AND i.refunded_minor = i.applied_minor THEN 'refunded'
                                 WHEN i.refunded_minor > 0 THEN 'partially_refunded' END,
                            CASE WHEN i.credited_minor > 0 AND i.credited_minor = i.total_minor THEN 'credited'
                                 WHEN i.credited_minor > 0 THEN 'partially_credited' END,
                            CASE WHEN i.open_disputes > 0 THEN 'disputed' END], NULL);
COMMENT ON FUNCTION aegis_app.derived_states(aegis_app.invoice) IS 'viewed, overdue, refunded or partially_refunded, credited or partially_credited, disputed: what holds beside the status';

CREATE FUNCTION aegis_app.invoice_row(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object(
    'id', i.id, 'customer_id', i.customer_id, 'customer_name', aegis_app.customer_name(i), 'status', i.status,
    'derived', aegis_app.derived_states(i), 'number', i.number, 'overdue', aegis_app.is_overdue(i),
    'currency', i.currency, 'total_minor', i.total_minor::text, 'due_minor', aegis_app.due_minor(i)::text,
    'due_date', i.due_date, 'created_at', i.created_at);
COMMENT ON FUNCTION aegis_app.invoice_row(aegis_app.invoice) IS 'an invoice as lists show it';

CREATE FUNCTION aegis_app.invoice_json(i aegis_app.invoice) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN aegis_app.invoice_row(i) || jsonb_build_object(
    'subtotal_minor', i.subtotal_minor::text, 'tax_minor', i.tax_minor::text, 'applied_minor', i.applied_minor::text, 'refunded_minor', i.refunded_minor::text,
    'credited_minor', i.credited_minor::text, 'owed_back_minor', aegis_app.owed_back_minor(i)::text,
    'memo', aegis.reveal(i.memo), 'version', i.version,
    'content_sha256', encode(i.content_hash, 'hex'), 'sent_at', i.sent_at, 'viewed_at', i.viewed_at,
    'paid_at', i.paid_at, 'cancelled_at', i.cancelled_at, 'voided_at', i.voided_at, 'uncollectible_at', i.uncollectible_at,
    'cancel_reason', aegis.reveal(i.cancel_reason),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('position', l.position, 'description', aegis.reveal(l.description),
                                                           'quantity', trim_scale(l.quantity), 'unit_minor', l.unit_minor::text,
                                                           'tax_rate', trim_scale(l.tax_rate), 'amount_minor', l.amount_minor::text,
                                                           'tax_minor', l.tax_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id));
COMMENT ON FUNCTION aegis_app.invoice_json(aegis_app.invoice) IS 'an invoice with its lines; amounts as strings of minor units';

-- What a sent invoice commits to, as the bytes that are hashed. Plaintext goes in, so that re-sealing under a new key
-- changes nothing.
CREATE FUNCTION aegis_app.invoice_content(i aegis_app.invoice) RETURNS bytea
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN convert_to(jsonb_build_object(
    'version', 1, 'id', i.id, 'customer_id', i.customer_id, 'currency', i.currency, 'subtotal_minor', i.subtotal_minor::text,
    'tax_minor', i.tax_minor::text, 'total_minor', i.total_minor::text,
    'due_date', to_char(i.due_date, 'YYYY-MM-DD'), 'memo', aegis.reveal(i.memo),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_array(l.position, aegis.reveal(l.description), trim_scale(l.quantity)::text, l.unit_minor::text,
                                                          trim_scale(l.tax_rate)::text, l.amount_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id))::text, 'UTF8');
COMMENT ON FUNCTION aegis_app.invoice_content(aegis_app.invoice) IS 'what the customer is asked to pay for, as the bytes whose SHA-256 is kept';

CREATE FUNCTION aegis_app.content_holds(i aegis_app.invoice) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN i.content_hash = sha256(aegis_app.invoice_content(i));
COMMENT ON FUNCTION aegis_app.content_holds(aegis_app.invoice) IS 'whether an invoice still is what was sent; NULL for what was not';

CREATE FUNCTION aegis_app.get_invoice_content(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_row aegis_app.invoice;
BEGIN
  SELECT * INTO found_row FROM aegis_app.invoice i
   WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis_app.uuid_of(request.params ->> 'id') AND i.number IS NOT NULL;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice, or not sent');
  END IF;
  RETURN aegis.respond(200, headers => jsonb_build_object('content-type', 'application/octet-stream',
                       'content-disposition', format('attachment; filename="%s.json"', found_row.id)), file => aegis_app.invoice_content(found_row));
END $$;
COMMENT ON FUNCTION aegis_app.get_invoice_content(aegis.request) IS 'GET /api/invoices/{id}/content: the bytes whose SHA-256 was recorded';

-- Lines as they are asked for, with what each comes to: of invoices and of credit notes.
CREATE TYPE aegis_app.priced_line AS (
  position     integer,
  description  text,
  quantity     numeric,
  unit_minor   bigint,
  tax_rate     numeric,
  amount_minor bigint,
  tax_minor    bigint
);
COMMENT ON TYPE aegis_app.priced_line IS 'one position with its amount and, where tax is by line, its tax in minor units';

CREATE FUNCTION aegis_app.priced_lines(lines jsonb) RETURNS aegis_app.priced_line[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  settings record := aegis_app.invoice_settings();
  line     jsonb;
  priced   aegis_app.priced_line;
  result   aegis_app.priced_line[] := '{}';
BEGIN
  IF jsonb_typeof(lines) IS DISTINCT FROM 'array' OR jsonb_array_length(lines) > 500 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "lines" must be an array of at most 500 lines';
  END IF;
  FOR line IN SELECT * FROM jsonb_array_elements(lines) LOOP
    priced.position := cardinality(result) + 1;
    IF jsonb_typeof(line) <> 'object' THEN
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('line %s must be an object', priced.position);
    END IF;
    priced.quantity := aegis_app.decimal_field(line, 'quantity', 6, 0.000001, 1000000, 1);
    priced.tax_rate := aegis_app.decimal_field(line, 'tax_rate', 4, 0, 100, 0);
    priced.unit_minor := aegis_app.integer_field(line, 'unit_minor', 0, 999999999999);
    priced.amount_minor := aegis_app.round_minor(priced.quantity * priced.unit_minor, settings.rounding);
    priced.description := aegis_app.text_field(line, 'description', 500);
    priced.tax_minor := CASE settings.tax_by WHEN 'line' THEN aegis_app.round_minor(priced.amount_minor * priced.tax_rate / 100, settings.rounding) END;
    result := result || priced;
  END LOOP;
  RETURN result;
END $$;
COMMENT ON FUNCTION aegis_app.priced_lines(jsonb) IS 'lines of a request with their amounts, as the tenant rounds; raises for what is no line';

CREATE FUNCTION aegis_app.sum_lines(lines aegis_app.priced_line[], OUT subtotal_minor bigint, OUT tax_minor bigint)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  settings record := aegis_app.invoice_settings();
BEGIN
  -- By invoice, tax is taken once of the sum of each rate.
  SELECT coalesce(sum(r.amount), 0), coalesce(sum(coalesce(r.tax, aegis_app.round_minor(r.amount * r.tax_rate / 100, settings.rounding))), 0)
    INTO subtotal_minor, tax_minor
    FROM (SELECT l.tax_rate, sum(l.amount_minor) AS amount, sum(l.tax_minor) AS tax FROM unnest(lines) l GROUP BY l.tax_rate) r;
END $$;
COMMENT ON FUNCTION aegis_app.sum_lines(aegis_app.priced_line[]) IS 'what lines come to without tax, and their tax, in minor units';

CREATE FUNCTION aegis_app.replace_lines(invoice uuid, lines jsonb, OUT subtotal_minor bigint, OUT tax_minor bigint)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  priced aegis_app.priced_line[] := aegis_app.priced_lines(lines);
BEGIN
  DELETE FROM aegis_app.invoice_line l WHERE l.tenant_id = aegis.tenant_id() AND l.invoice_id = invoice;
  INSERT INTO aegis_app.invoice_line (invoice_id, position, description, quantity, unit_minor, tax_rate, amount_minor, tax_minor)
  SELECT invoice, p.position, p.description, p.quantity, p.unit_minor, p.tax_rate, p.amount_minor, p.tax_minor FROM unnest(priced) p;
  SELECT s.subtotal_minor, s.tax_minor INTO subtotal_minor, tax_minor FROM aegis_app.sum_lines(priced) s;
END $$;
COMMENT ON FUNCTION aegis_app.replace_lines(uuid, jsonb) IS 'replaces the lines of a draft and returns their sums in minor units; for write_invoice alone';

-- For admins, who see every invoice of their tenant: of those without all rows, gaps would be others' work.
CREATE FUNCTION aegis_app.check_gapless(OUT numbered bigint, OUT next_number bigint, OUT missing bigint[], OUT gapless boolean)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only an admin checks the numbers of a tenant';
  END IF;
  SELECT count(*) INTO numbered FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.number_seq IS NOT NULL;
  next_number := coalesce((SELECT n.next FROM aegis_app.invoice_series n WHERE n.tenant_id = aegis.tenant_id()), 1);
  missing := ARRAY(SELECT g FROM generate_series(1, next_number - 1) g
                    WHERE NOT EXISTS (SELECT FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.number_seq = g) ORDER BY g LIMIT 100);
  gapless := missing = '{}' AND numbered = next_number - 1;
END $$;
COMMENT ON FUNCTION aegis_app.check_gapless() IS 'whether the numbers 1 to the last are each one invoice''s; up to 100 that are missing';

CREATE FUNCTION aegis_app.get_numbering(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.ok((SELECT to_jsonb(g) || jsonb_build_object('credit_notes', to_jsonb(c))
                         FROM aegis_app.check_gapless() g, aegis_app.check_credit_gapless() c));
END $$;
COMMENT ON FUNCTION aegis_app.get_numbering(aegis.request) IS 'GET /api/invoice-numbers';

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
  IF status NOT IN ('draft', 'sent', 'partially_paid', 'paid', 'cancelled', 'void', 'uncollectible') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "status" is not a status of invoices',
      HINT = 'It is draft, sent, partially_paid, paid, cancelled, void or uncollectible.';
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

CREATE FUNCTION aegis_app.draft_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b       jsonb := request.body;
  buyer   uuid := aegis_app.uuid_field(b, 'customer_id');
  new_row aegis_app.invoice;
  sums    record;
BEGIN
  PERFORM aegis_app.text_field(b, 'customer_id', 36);  -- required
  -- Looked up under row security: a foreign key would also accept a customer that the caller cannot see.
  IF NOT EXISTS (SELECT FROM aegis_app.customer c WHERE c.tenant_id = aegis.tenant_id() AND c.id = buyer) THEN
    RETURN aegis_app.problem(422, 'unknown-customer', 'No such customer');
  END IF;
  INSERT INTO aegis_app.invoice (customer_id, currency, due_date, memo)
  VALUES (buyer, aegis_app.currency_field(b), aegis_app.date_field(b, 'due_date'), aegis_app.text_field(b, 'memo', 2000, false))
  RETURNING * INTO new_row;
  SELECT * INTO sums FROM aegis_app.replace_lines(new_row.id, coalesce(b -> 'lines', '[]'));
  UPDATE aegis_app.invoice i SET subtotal_minor = sums.subtotal_minor, tax_minor = sums.tax_minor, total_minor = sums.subtotal_minor + sums.tax_minor
   WHERE i.tenant_id = new_row.tenant_id AND i.id = new_row.id RETURNING * INTO new_row;
  PERFORM aegis.record('invoice.created', 'invoice', new_row.id::text,
                       detail => jsonb_build_object('currency', new_row.currency, 'total_minor', new_row.total_minor));
  RETURN aegis_app.ok(aegis_app.invoice_json(new_row), 201, jsonb_build_object('location', '/api/invoices/' || new_row.id));
END $$;
COMMENT ON FUNCTION aegis_app.draft_invoice(aegis.request) IS 'drafts an invoice; for write_invoice alone';

CREATE FUNCTION aegis_app.change_draft(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b    jsonb := request.body;
  step record;
  sums record;
  row_now aegis_app.invoice;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(request, 'edit');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  row_now := step.invoice;
  IF jsonb_typeof(b) IS DISTINCT FROM 'object' OR NOT b ?| '{currency,due_date,memo,lines}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'nothing to change',
      HINT = 'Send at least one of currency, due_date, memo, lines.';
  END IF;
  SELECT row_now.subtotal_minor AS subtotal_minor, row_now.tax_minor AS tax_minor INTO sums;
  IF b ? 'lines' THEN
    SELECT * INTO sums FROM aegis_app.replace_lines(row_now.id, b -> 'lines');
  END IF;
  UPDATE aegis_app.invoice i
     SET currency    = CASE WHEN b ? 'currency' THEN aegis_app.currency_field(b) ELSE i.currency END,
         due_date    = CASE WHEN b ? 'due_date' THEN aegis_app.date_field(b, 'due_date') ELSE i.due_date END,
         memo        = CASE WHEN b ? 'memo' THEN aegis_app.text_field(b, 'memo', 2000, false)::aegis.sealed_text ELSE i.memo END,
         subtotal_minor = sums.subtotal_minor, tax_minor = sums.tax_minor, total_minor = sums.subtotal_minor + sums.tax_minor,
         version     = i.version + 1
   WHERE i.tenant_id = row_now.tenant_id AND i.id = row_now.id RETURNING * INTO row_now;
  PERFORM aegis.record('invoice.edited', 'invoice', row_now.id::text,
                       detail => jsonb_build_object('currency', row_now.currency, 'total_minor', row_now.total_minor));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.change_draft(aegis.request) IS 'changes a draft; for write_invoice alone';

CREATE FUNCTION aegis_app.issue_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step    record;
  row_now aegis_app.invoice;
  counter aegis_app.invoice_series;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(request, 'send');
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
     SET status = step.next_status, paid_at = CASE step.next_status WHEN 'paid' THEN clock_timestamp() END,
         number_seq = counter.next - 1,
         number = aegis_app.number_text(counter.prefix, counter.next - 1),
         sent_at = clock_timestamp(), content_hash = sha256(aegis_app.invoice_content(row_now)), version = i.version + 1
   WHERE i.tenant_id = row_now.tenant_id AND i.id = row_now.id RETURNING * INTO row_now;
  PERFORM aegis.record('invoice.sent', 'invoice', row_now.id::text,
                       detail => jsonb_build_object('number', row_now.number, 'currency', row_now.currency,
                                                    'total_minor', row_now.total_minor,
                                                    'content_hash', encode(row_now.content_hash, 'hex')));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.issue_invoice(aegis.request) IS 'assigns the number and freezes the content; for write_invoice alone';

-- Fields that only invoices have.
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
