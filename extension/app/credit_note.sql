-- Credit notes: what is taken back of an invoice that was sent. They have gapless numbers of their own, name their invoice, and
-- together never come to more than it. docs/credit_note.md.

CREATE TABLE aegis_app.credit_series (
  tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(),
  prefix    text NOT NULL DEFAULT 'CN-' CHECK (prefix ~ '^([A-Za-z0-9._/-]{0,19}[A-Za-z._/-])?$'),
  next      bigint NOT NULL DEFAULT 1 CHECK (next > 0),
  PRIMARY KEY (tenant_id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.credit_series', '');
COMMENT ON TABLE aegis_app.credit_series IS 'the next credit note number of a tenant';
SELECT aegis.protect_table('aegis_app.credit_series', created_by => false, team => false);

CREATE TABLE aegis_app.credit_note (
  tenant_id      uuid NOT NULL DEFAULT aegis.tenant_id(),
  id             uuid NOT NULL DEFAULT gen_random_uuid(),
  invoice_id     uuid NOT NULL,
  status         text NOT NULL DEFAULT 'issued' CHECK (status IN ('issued', 'void')),
  number         text NOT NULL,
  number_seq     bigint NOT NULL,
  currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  subtotal_minor bigint NOT NULL CHECK (subtotal_minor >= 0),
  tax_minor      bigint NOT NULL CHECK (tax_minor >= 0),
  total_minor    bigint NOT NULL CHECK (total_minor = subtotal_minor + tax_minor AND total_minor > 0),
  reason         aegis.sealed_text NOT NULL,
  void_reason    aegis.sealed_text,
  content_hash   bytea,
  issued_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  voided_at      timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, number),
  UNIQUE (tenant_id, number_seq),
  FOREIGN KEY (tenant_id, invoice_id) REFERENCES aegis_app.invoice (tenant_id, id),
  CHECK ((status = 'void') = (voided_at IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.credit_note', '');
COMMENT ON TABLE aegis_app.credit_note IS 'what a tenant takes back of an invoice; visible to whoever sees the invoice';
COMMENT ON COLUMN aegis_app.credit_note.content_hash IS 'SHA-256 of aegis_app.credit_note_content(); NULL only until the lines are written, in the same command';

CREATE TABLE aegis_app.credit_note_line (
  tenant_id      uuid NOT NULL DEFAULT aegis.tenant_id(),
  credit_note_id uuid NOT NULL,
  position       integer NOT NULL CHECK (position >= 1 AND position <= 500),
  description    aegis.sealed_text NOT NULL,
  quantity       numeric(13,6) NOT NULL CHECK (quantity > 0 AND quantity <= 1000000),
  unit_minor     bigint NOT NULL CHECK (unit_minor >= 0),
  tax_rate       numeric(7,4) NOT NULL DEFAULT 0 CHECK (tax_rate >= 0 AND tax_rate <= 100),
  amount_minor   bigint NOT NULL CHECK (abs(amount_minor - quantity * unit_minor) <= 0.5),
  tax_minor      bigint CHECK (abs(tax_minor - amount_minor * tax_rate / 100) <= 0.5),
  PRIMARY KEY (tenant_id, credit_note_id, position),
  FOREIGN KEY (tenant_id, credit_note_id) REFERENCES aegis_app.credit_note (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.credit_note_line', '');
COMMENT ON TABLE aegis_app.credit_note_line IS 'one position of a credit note';

SELECT aegis.protect_table('aegis_app.credit_note', parent => 'aegis_app.invoice');
SELECT aegis.protect_table('aegis_app.credit_note_line', parent => 'aegis_app.credit_note');
SELECT aegis.encrypt_column('aegis_app.credit_note', 'reason', 'credit_note.reason', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.credit_note', 'void_reason', 'credit_note.void_reason', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.credit_note_line', 'description', 'credit_note_line.description', 'aegis.sealed_text', 'full');

CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.credit_note FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('reason', 'void_reason');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.credit_note_line FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('description');

CREATE INDEX credit_note_invoice ON aegis_app.credit_note (tenant_id, invoice_id);

SELECT aegis.declare_event('credit_note.issued', 'a credit note took back something of an invoice',
                           '{"invoice_id": "clear required", "number": "clear required", "currency": "clear required", "total_minor": "clear required", "content_hash": "clear required", "status": "clear required"}');
SELECT aegis.declare_event('credit_note.voided', 'a credit note was voided; its number stays, and its invoice asks for it again',
                           '{"invoice_id": "clear required", "total_minor": "clear required", "status": "clear required", "reason": "personal required"}');

-- Whoever writes the table: content stays, and what is void stays void. What has no context, or a job's, restores or erases.
CREATE FUNCTION aegis_app.guard_credit_note() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN coalesce(NEW, OLD);
  END IF;
  IF TG_TABLE_NAME = 'credit_note' AND TG_OP = 'UPDATE' THEN
    IF OLD.status = 'issued'
       AND (NEW.id, NEW.invoice_id, NEW.number, NEW.number_seq, NEW.currency, NEW.subtotal_minor, NEW.tax_minor, NEW.total_minor, NEW.issued_at)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.invoice_id, OLD.number, OLD.number_seq, OLD.currency, OLD.subtotal_minor, OLD.tax_minor, OLD.total_minor, OLD.issued_at)
       AND coalesce(OLD.content_hash, NEW.content_hash) IS NOT DISTINCT FROM NEW.content_hash THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'a credit note is frozen', HINT = 'Void it.';
END $$;
COMMENT ON FUNCTION aegis_app.guard_credit_note() IS 'keeps credit notes and their lines as they were issued, but for being voided';
-- Columns by name: a row that moves to another team with its invoice stays what it is.
CREATE TRIGGER guard BEFORE DELETE OR UPDATE OF id, invoice_id, status, number, number_seq, currency, subtotal_minor, tax_minor, total_minor, reason,
  void_reason, content_hash, issued_at, voided_at ON aegis_app.credit_note FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_credit_note();
CREATE TRIGGER guard BEFORE DELETE OR UPDATE OF credit_note_id, position, description, quantity, unit_minor, tax_rate, amount_minor, tax_minor
  ON aegis_app.credit_note_line FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_credit_note();

CREATE FUNCTION aegis_app.credit_note_row(c aegis_app.credit_note) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', c.id, 'invoice_id', c.invoice_id, 'number', c.number, 'status', c.status, 'currency', c.currency,
                            'total_minor', c.total_minor::text, 'issued_at', c.issued_at, 'voided_at', c.voided_at);
COMMENT ON FUNCTION aegis_app.credit_note_row(aegis_app.credit_note) IS 'a credit note as lists show it';

CREATE FUNCTION aegis_app.credit_note_json(c aegis_app.credit_note) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN aegis_app.credit_note_row(c) || jsonb_build_object(
    'invoice_number', (SELECT i.number FROM aegis_app.invoice i WHERE i.tenant_id = c.tenant_id AND i.id = c.invoice_id),
    'subtotal_minor', c.subtotal_minor::text, 'tax_minor', c.tax_minor::text, 'reason', aegis.reveal(c.reason),
    'void_reason', aegis.reveal(c.void_reason), 'content_sha256', encode(c.content_hash, 'hex'),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('position', l.position, 'description', aegis.reveal(l.description),
                                                           'quantity', trim_scale(l.quantity), 'unit_minor', l.unit_minor::text,
                                                           'tax_rate', trim_scale(l.tax_rate), 'amount_minor', l.amount_minor::text,
                                                           'tax_minor', l.tax_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.credit_note_line l WHERE l.tenant_id = c.tenant_id AND l.credit_note_id = c.id));
COMMENT ON FUNCTION aegis_app.credit_note_json(aegis_app.credit_note) IS 'a credit note with its lines; amounts as strings of minor units';

CREATE FUNCTION aegis_app.credit_note_content(c aegis_app.credit_note) RETURNS bytea
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  RETURN convert_to(jsonb_build_object(
    'version', 1, 'id', c.id, 'number', c.number, 'invoice_id', c.invoice_id,
    'invoice_content_sha256', (SELECT encode(i.content_hash, 'hex') FROM aegis_app.invoice i WHERE i.tenant_id = c.tenant_id AND i.id = c.invoice_id),
    'currency', c.currency, 'subtotal_minor', c.subtotal_minor::text, 'tax_minor', c.tax_minor::text, 'total_minor', c.total_minor::text,
    'reason', aegis.reveal(c.reason),
    'lines', (SELECT coalesce(jsonb_agg(jsonb_build_array(l.position, aegis.reveal(l.description), trim_scale(l.quantity)::text, l.unit_minor::text,
                                                          trim_scale(l.tax_rate)::text, l.amount_minor::text) ORDER BY l.position), '[]')
                FROM aegis_app.credit_note_line l WHERE l.tenant_id = c.tenant_id AND l.credit_note_id = c.id))::text, 'UTF8');
COMMENT ON FUNCTION aegis_app.credit_note_content(aegis_app.credit_note) IS 'what a credit note commits to, as the bytes whose SHA-256 is kept';

-- Where a change of what is credited leads the invoice, which is locked; the first row of the table of steps that fits decides.
CREATE FUNCTION aegis_app.credit_invoice(INOUT i aegis_app.invoice, command text, by_minor bigint)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reached text;
BEGIN
  i.credited_minor := i.credited_minor + by_minor;
  SELECT t.to_status INTO STRICT reached FROM aegis_app.invoice_transitions() t
   WHERE t.from_status = i.status AND t.command = credit_invoice.command AND aegis_app.guard_holds(t.guard, i) LIMIT 1;
  UPDATE aegis_app.invoice r
     SET status = reached, credited_minor = i.credited_minor, version = r.version + 1,
         paid_at = CASE WHEN reached = 'paid' THEN coalesce(r.paid_at, clock_timestamp()) END
   WHERE r.tenant_id = i.tenant_id AND r.id = i.id RETURNING * INTO i;
END $$;
COMMENT ON FUNCTION aegis_app.credit_invoice(aegis_app.invoice, text, bigint) IS 'credits a locked invoice, or takes that back, and moves its status; for write_credit_note alone';

CREATE FUNCTION aegis_app.issue_credit_note(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reason  text := aegis_app.text_field(request.body, 'reason', 500);
  step    record;
  i       aegis_app.invoice;
  left_of record;
  priced  aegis_app.priced_line[];
  sums    record;
  counter aegis_app.credit_series;
  made    aegis_app.credit_note;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(request, 'credit');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  i := step.invoice;
  SELECT i.subtotal_minor - coalesce(sum(c.subtotal_minor), 0) AS subtotal_minor, i.tax_minor - coalesce(sum(c.tax_minor), 0) AS tax_minor, count(*) AS notes
    INTO left_of FROM aegis_app.credit_note c WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id AND c.status = 'issued';
  IF request.body ? 'lines' THEN
    priced := aegis_app.priced_lines(request.body -> 'lines');
    SELECT * INTO sums FROM aegis_app.sum_lines(priced);
  ELSIF left_of.notes > 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "lines" is required',
      HINT = 'Only the first credit note of an invoice can take back all of it by leaving the lines out.';
  ELSE
    -- All of it, as it was sent.
    SELECT array_agg(ROW(l.position, aegis.reveal(l.description), l.quantity, l.unit_minor, l.tax_rate, l.amount_minor, l.tax_minor)::aegis_app.priced_line
                     ORDER BY l.position) INTO priced
      FROM aegis_app.invoice_line l WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.id;
    SELECT i.subtotal_minor AS subtotal_minor, i.tax_minor AS tax_minor INTO sums;
  END IF;
  IF sums.subtotal_minor + sums.tax_minor = 0 THEN
    RETURN aegis_app.problem(422, 'nothing-credited', 'The credit note takes back nothing', 'Add at least one line with an amount.');
  ELSIF sums.subtotal_minor > left_of.subtotal_minor OR sums.tax_minor > left_of.tax_minor THEN
    RETURN aegis_app.problem(422, 'more-than-invoiced', 'More would be credited than was invoiced',
      format('Of %s are left: %s without tax, and %s of tax, in minor units of %s.', i.number, left_of.subtotal_minor, left_of.tax_minor, i.currency));
  END IF;
  -- Lock order everywhere: the invoice, then the counter.
  INSERT INTO aegis_app.credit_series AS s (next) VALUES (2)
    ON CONFLICT (tenant_id) DO UPDATE SET next = s.next + 1 RETURNING * INTO counter;
  INSERT INTO aegis_app.credit_note (invoice_id, number, number_seq, currency, subtotal_minor, tax_minor, total_minor, reason)
  VALUES (i.id, aegis_app.number_text(counter.prefix, counter.next - 1), counter.next - 1, i.currency, sums.subtotal_minor, sums.tax_minor,
          sums.subtotal_minor + sums.tax_minor, reason)
  RETURNING * INTO made;
  INSERT INTO aegis_app.credit_note_line (credit_note_id, position, description, quantity, unit_minor, tax_rate, amount_minor, tax_minor)
  SELECT made.id, p.position, p.description, p.quantity, p.unit_minor, p.tax_rate, p.amount_minor, p.tax_minor FROM unnest(priced) p;
  UPDATE aegis_app.credit_note c SET content_hash = sha256(aegis_app.credit_note_content(made))
   WHERE c.tenant_id = made.tenant_id AND c.id = made.id RETURNING * INTO made;
  i := aegis_app.credit_invoice(i, 'credit', made.total_minor);
  PERFORM aegis.record('credit_note.issued', 'credit_note', made.id::text,
                       detail => jsonb_build_object('invoice_id', i.id, 'number', made.number, 'currency', made.currency,
                                                    'total_minor', made.total_minor, 'content_hash', encode(made.content_hash, 'hex'), 'status', i.status));
  RETURN aegis_app.ok(aegis_app.credit_note_json(made), 201, jsonb_build_object('location', '/api/credit-notes/' || made.id));
END $$;
COMMENT ON FUNCTION aegis_app.issue_credit_note(aegis.request) IS 'issues a credit note; for write_credit_note alone';

CREATE FUNCTION aegis_app.annul_credit_note(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  why  text := aegis_app.text_field(request.body, 'reason', 500);
  note aegis_app.credit_note;
  step record;
  i    aegis_app.invoice;
BEGIN
  SELECT * INTO note FROM aegis_app.credit_note c
   WHERE c.tenant_id = aegis.tenant_id() AND c.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such credit note');
  END IF;
  request.params := jsonb_build_object('id', note.invoice_id);
  SELECT * INTO step FROM aegis_app.begin_command(request, 'void_credit');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  -- Under the lock of the invoice: of two at once the second finds it void.
  UPDATE aegis_app.credit_note c SET status = 'void', voided_at = clock_timestamp(), void_reason = why
   WHERE c.tenant_id = note.tenant_id AND c.id = note.id AND c.status = 'issued' RETURNING * INTO note;
  IF NOT FOUND THEN
    RETURN aegis_app.problem(409, 'illegal-transition', 'The credit note does not allow this step', 'It is void.');
  END IF;
  i := aegis_app.credit_invoice(step.invoice, 'void_credit', -note.total_minor);
  PERFORM aegis.record('credit_note.voided', 'credit_note', note.id::text,
                       detail => jsonb_build_object('invoice_id', i.id, 'total_minor', note.total_minor, 'status', i.status, 'reason', why));
  RETURN aegis_app.ok(aegis_app.credit_note_json(note));
END $$;
COMMENT ON FUNCTION aegis_app.annul_credit_note(aegis.request) IS 'voids a credit note; for write_credit_note alone';

CREATE FUNCTION aegis_app.write_credit_note(request aegis.request, command text) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE command
    WHEN 'issue' THEN RETURN aegis_app.issue_credit_note(request);
    WHEN 'void' THEN RETURN aegis_app.annul_credit_note(request);
    ELSE
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a credit note is issued or voided';
  END CASE;
END $$;
COMMENT ON FUNCTION aegis_app.write_credit_note(aegis.request, text) IS
  'issues or voids a credit note as the caller''s rank and rows allow: what the routes of credit notes do';

CREATE FUNCTION aegis_app.create_credit_note(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_credit_note(request, 'issue');
END $$;
COMMENT ON FUNCTION aegis_app.create_credit_note(aegis.request) IS
  'POST /api/invoices/{id}/credit-notes {reason, lines?: [{description, quantity?, unit_minor, tax_rate?}], version?}: without lines, all of it';

CREATE FUNCTION aegis_app.void_credit_note(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_credit_note(request, 'void');
END $$;
COMMENT ON FUNCTION aegis_app.void_credit_note(aegis.request) IS 'POST /api/credit-notes/{id}/void {reason}: the number stays';

CREATE FUNCTION aegis_app.list_credit_notes(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  invoice uuid := (SELECT i.id FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis_app.uuid_of(request.params ->> 'id'));
BEGIN
  IF invoice IS NULL THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such invoice');
  END IF;
  RETURN aegis_app.ok(jsonb_build_object('credit_notes', (
    SELECT coalesce(jsonb_agg(aegis_app.credit_note_row(c) ORDER BY c.number_seq), '[]')
      FROM aegis_app.credit_note c WHERE c.tenant_id = aegis.tenant_id() AND c.invoice_id = invoice)));
END $$;
COMMENT ON FUNCTION aegis_app.list_credit_notes(aegis.request) IS 'GET /api/invoices/{id}/credit-notes';

CREATE FUNCTION aegis_app.get_credit_note(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_row aegis_app.credit_note;
BEGIN
  SELECT * INTO found_row FROM aegis_app.credit_note c
   WHERE c.tenant_id = aegis.tenant_id() AND c.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such credit note');
  END IF;
  RETURN aegis_app.ok(aegis_app.credit_note_json(found_row));
END $$;
COMMENT ON FUNCTION aegis_app.get_credit_note(aegis.request) IS 'GET /api/credit-notes/{id}';

-- As aegis_app.check_gapless() of invoices, and for admins for the same reason.
CREATE FUNCTION aegis_app.check_credit_gapless(OUT numbered bigint, OUT next_number bigint, OUT missing bigint[], OUT gapless boolean)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF aegis.rank() IS DISTINCT FROM 4 THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only an admin checks the numbers of a tenant';
  END IF;
  SELECT count(*) INTO numbered FROM aegis_app.credit_note c WHERE c.tenant_id = aegis.tenant_id();
  next_number := coalesce((SELECT n.next FROM aegis_app.credit_series n WHERE n.tenant_id = aegis.tenant_id()), 1);
  missing := ARRAY(SELECT g FROM generate_series(1, next_number - 1) g
                    WHERE NOT EXISTS (SELECT FROM aegis_app.credit_note c WHERE c.tenant_id = aegis.tenant_id() AND c.number_seq = g) ORDER BY g LIMIT 100);
  gapless := missing = '{}' AND numbered = next_number - 1;
END $$;
COMMENT ON FUNCTION aegis_app.check_credit_gapless() IS 'whether the numbers 1 to the last are each one credit note''s; up to 100 that are missing';
