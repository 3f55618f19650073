-- The state machine of invoices, once, as data: handlers, the trigger that guards the table, the API's errors and
-- docs/invoice.md come from it.

-- The first row of a status and a command whose guard holds says where the command leads. NULL as rank: an effect of
-- a payment, which is not any user's to ask for; NULL as status: the row is removed.
CREATE FUNCTION aegis_app.invoice_transitions()
  RETURNS TABLE (from_status text, command text, guard text, to_status text, least_rank smallint)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT column1, column2, column3, column4, column5::smallint FROM (VALUES
      ('draft'::text, 'edit'::text, NULL::text, 'draft'::text, 1),
      ('draft', 'delete', NULL, NULL, 1),
      ('draft', 'send', 'there is something to pay', 'sent', 1),
      ('draft', 'send', 'there is nothing to pay', 'paid', 1),
      ('draft', 'cancel', NULL, 'cancelled', 1),
      ('sent', 'pay', 'something stays due', 'partially_paid', NULL),
      ('sent', 'pay', 'nothing stays due', 'paid', NULL),
      ('sent', 'cancel', 'nothing was paid or credited', 'cancelled', 1),
      ('sent', 'void', 'nothing is kept or credited', 'void', 3),
      ('sent', 'mark_uncollectible', NULL, 'uncollectible', 3),
      ('sent', 'credit', 'something stays due', 'sent', 3),
      ('sent', 'credit', 'nothing stays due', 'paid', 3),
      ('sent', 'void_credit', NULL, 'sent', 3),
      ('partially_paid', 'pay', 'something stays due', 'partially_paid', NULL),
      ('partially_paid', 'pay', 'nothing stays due', 'paid', NULL),
      ('partially_paid', 'refund', NULL, 'partially_paid', NULL),
      ('partially_paid', 'reverse', NULL, 'partially_paid', NULL),
      ('partially_paid', 'open_dispute', NULL, 'partially_paid', NULL),
      ('partially_paid', 'close_dispute', 'a dispute is open', 'partially_paid', NULL),
      ('partially_paid', 'void', 'nothing is kept or credited', 'void', 3),
      ('partially_paid', 'mark_uncollectible', NULL, 'uncollectible', 3),
      ('partially_paid', 'credit', 'something stays due', 'partially_paid', 3),
      ('partially_paid', 'credit', 'nothing stays due', 'paid', 3),
      ('partially_paid', 'void_credit', NULL, 'partially_paid', 3),
      ('paid', 'pay', 'nothing stays due', 'paid', NULL),
      ('paid', 'refund', NULL, 'paid', NULL),
      ('paid', 'reverse', 'something stays due', 'partially_paid', NULL),
      ('paid', 'reverse', 'nothing stays due', 'paid', NULL),
      ('paid', 'open_dispute', NULL, 'paid', NULL),
      ('paid', 'close_dispute', 'a dispute is open', 'paid', NULL),
      ('paid', 'credit', 'nothing stays due', 'paid', 3),
      ('paid', 'void_credit', 'nothing stays due', 'paid', 3),
      ('paid', 'void_credit', 'something was paid', 'partially_paid', 3),
      ('paid', 'void_credit', 'nothing was paid', 'sent', 3),
      ('uncollectible', 'pay', 'something stays due', 'partially_paid', NULL),
      ('uncollectible', 'pay', 'nothing stays due', 'paid', NULL),
      ('uncollectible', 'refund', NULL, 'uncollectible', NULL),
      ('uncollectible', 'reverse', NULL, 'uncollectible', NULL),
      ('uncollectible', 'open_dispute', NULL, 'uncollectible', NULL),
      ('uncollectible', 'close_dispute', 'a dispute is open', 'uncollectible', NULL),
      ('uncollectible', 'credit', 'something stays due', 'uncollectible', 3),
      ('uncollectible', 'credit', 'nothing stays due', 'paid', 3),
      ('uncollectible', 'void_credit', NULL, 'uncollectible', 3)) AS transition;
  END;
COMMENT ON FUNCTION aegis_app.invoice_transitions() IS 'every legal step of an invoice: from, command, guard, to, and the least rank that may ask for it';

CREATE FUNCTION aegis_app.guard_holds(guard text, i aegis_app.invoice) RETURNS boolean
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN guard IS NULL OR CASE guard WHEN 'there is something to pay' THEN i.total_minor > 0
                                     WHEN 'there is nothing to pay' THEN i.total_minor = 0
                                     WHEN 'something stays due' THEN i.applied_minor + i.credited_minor < i.total_minor
                                     WHEN 'nothing stays due' THEN i.applied_minor + i.credited_minor >= i.total_minor
                                     WHEN 'something was paid' THEN i.applied_minor > 0
                                     WHEN 'nothing was paid' THEN i.applied_minor = 0
                                     WHEN 'nothing was paid or credited' THEN i.applied_minor = 0 AND i.credited_minor = 0
                                     WHEN 'nothing is kept or credited' THEN i.applied_minor = i.refunded_minor AND i.credited_minor = 0
                                     WHEN 'a dispute is open' THEN i.open_disputes > 0
                                     ELSE false END;
COMMENT ON FUNCTION aegis_app.guard_holds(text, aegis_app.invoice) IS 'whether a guard of the state machine lets the invoice pass, as it would be after the step';

SELECT aegis.declare_event('invoice.deleted', 'a draft was removed', '{}');
SELECT aegis.declare_event('invoice.cancelled', 'an invoice was cancelled', '{"from": "clear required", "reason": "personal required"}');
SELECT aegis.declare_event('invoice.voided', 'an invoice was voided; its number stays', '{"from": "clear required", "reason": "personal required"}');
SELECT aegis.declare_event('invoice.marked_uncollectible', 'an invoice was given up', '{"from": "clear required", "reason": "personal required"}');
SELECT aegis.declare_event('invoice.transition_rejected', 'a step the state machine does not allow was asked for',
                           '{"from": "clear required", "command": "clear required"}');
SELECT aegis.declare_event('invoice.payment_applied', 'money was applied to an invoice',
                           '{"amount_minor": "clear required", "balance_minor": "clear required", "currency": "clear required", "status": "clear required"}');
SELECT aegis.declare_event('invoice.refund_applied', 'money of an invoice was given back; nothing becomes due again',
                           '{"amount_minor": "clear required", "refunded_minor": "clear required", "currency": "clear required", "status": "clear required"}');
SELECT aegis.declare_event('invoice.payment_reversed', 'money of an invoice was taken back; it is due again',
                           '{"amount_minor": "clear required", "balance_minor": "clear required", "currency": "clear required", "status": "clear required"}');
SELECT aegis.declare_event('invoice.disputed', 'a dispute about the money of an invoice was opened or closed',
                           '{"opened": "clear required", "open_disputes": "clear required"}');

-- Beside the handlers, for whoever writes the table by other ways.
CREATE FUNCTION aegis_app.guard_invoice() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    -- Whoever restores or erases a whole tenant has no context, or a job's.
    IF OLD.number IS NOT NULL AND coalesce(aegis.auth_method(), 'job') <> 'job' THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'an invoice with a number cannot be removed',
        HINT = 'Cancel or void it.';
    END IF;
    RETURN OLD;
  END IF;
  IF NEW.status <> OLD.status THEN
    IF NOT EXISTS (SELECT FROM aegis_app.invoice_transitions() t WHERE t.from_status = OLD.status AND t.to_status = NEW.status
                      AND aegis_app.guard_holds(t.guard, NEW)) THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('no step leads an invoice from "%s" to "%s"', OLD.status, NEW.status),
        HINT = 'aegis_app.invoice_transitions() lists the steps.';
    END IF;
  END IF;
  IF OLD.number IS NOT NULL
     AND (NEW.number, NEW.number_seq, NEW.customer_id, NEW.currency, NEW.subtotal_minor, NEW.tax_minor, NEW.total_minor, NEW.due_date, NEW.content_hash, NEW.sent_at) IS DISTINCT FROM
         (OLD.number, OLD.number_seq, OLD.customer_id, OLD.currency, OLD.subtotal_minor, OLD.tax_minor, OLD.total_minor, OLD.due_date, OLD.content_hash, OLD.sent_at) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the content of a sent invoice is frozen';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION aegis_app.guard_invoice() IS 'keeps invoices to the state machine, and what was sent as it was';

CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON aegis_app.invoice FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_invoice();

-- Sealed content: sealed anew under a new key, restored or imported it is another value and the same content, so what has no
-- context, or a job's, passes; aegis_app.content_holds() compares with the hash.
CREATE FUNCTION aegis_app.guard_content() RETURNS trigger
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  whose uuid;
BEGIN
  IF coalesce(aegis.auth_method(), 'job') = 'job' THEN
    RETURN coalesce(NEW, OLD);
  END IF;
  IF TG_TABLE_NAME = 'invoice' THEN
    whose := OLD.id;
  ELSIF TG_OP = 'INSERT' THEN
    whose := NEW.invoice_id;
  ELSE
    whose := OLD.invoice_id;
  END IF;
  IF EXISTS (SELECT FROM aegis_app.invoice i WHERE i.tenant_id = aegis.tenant_id() AND i.id = whose AND i.number IS NOT NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the content of a sent invoice is frozen';
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
COMMENT ON FUNCTION aegis_app.guard_content() IS 'keeps memo and lines of a sent invoice as they were';

CREATE TRIGGER guard_content BEFORE UPDATE OF memo ON aegis_app.invoice FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_content();
-- Columns by name: a line that moves to another team with its invoice stays what it is.
CREATE TRIGGER guard_content BEFORE INSERT OR DELETE OR UPDATE OF invoice_id, position, description, quantity, unit_minor, tax_rate, amount_minor, tax_minor
  ON aegis_app.invoice_line FOR EACH ROW EXECUTE FUNCTION aegis_app.guard_content();

CREATE FUNCTION aegis_app.refuse_transition(i aegis_app.invoice, command text, guard text) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  answer aegis.response;
BEGIN
  PERFORM aegis.record('invoice.transition_rejected', 'invoice', i.id::text, 'failure',
                       jsonb_build_object('from', i.status, 'command', command));
  answer := aegis_app.problem(409, 'illegal-transition', 'The invoice does not allow this step',
    CASE WHEN guard IS NULL THEN format('The command "%s" is not possible for an invoice that is %s.', command, i.status)
         ELSE format('The command "%s" is possible for an invoice that is %s only when %s.', command, i.status, guard) END);
  answer.body := answer.body || jsonb_build_object('from', i.status, 'command', command);
  RETURN answer;
END $$;
COMMENT ON FUNCTION aegis_app.refuse_transition(aegis_app.invoice, text, text) IS 'records a step that is not allowed, and answers 409 with from and command';

-- The invoice under its row lock, if the caller sees it, and where the command leads; refuses the rest.
CREATE FUNCTION aegis_app.begin_command(request aegis.request, command text, OUT invoice aegis_app.invoice, OUT next_status text,
                                        OUT refusal aegis.response)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  SELECT * INTO invoice FROM aegis_app.invoice i
   WHERE i.tenant_id = aegis.tenant_id() AND i.id = aegis_app.uuid_of(request.params ->> 'id') FOR UPDATE;
  IF NOT FOUND THEN
    refusal := aegis_app.problem(404, 'not-found', 'No such invoice');
    RETURN;
  END IF;
  -- A client that names the version that it saw is told when somebody was faster.
  IF aegis_app.integer_field(request.body, 'version', 1, 2147483647, invoice.version) <> invoice.version THEN
    refusal := aegis_app.problem(409, 'changed-meanwhile', 'The invoice was changed meanwhile', 'Read it again and repeat the change.');
    RETURN;
  END IF;
  SELECT t.*, aegis_app.guard_holds(t.guard, invoice) AS holds INTO step FROM aegis_app.invoice_transitions() t
   WHERE t.from_status = invoice.status AND t.command = begin_command.command ORDER BY holds DESC LIMIT 1;
  IF NOT FOUND OR NOT step.holds THEN
    refusal := aegis_app.refuse_transition(invoice, command, step.guard);
  ELSIF step.least_rank IS NULL OR aegis.rank() < step.least_rank THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
      MESSAGE = format(CASE WHEN step.least_rank IS NULL THEN 'the command "%s" is of payments alone' ELSE 'the command "%s" needs rank %s' END,
                       command, step.least_rank);
  END IF;
  next_status := step.to_status;
END $$;
COMMENT ON FUNCTION aegis_app.begin_command(aegis.request, text) IS 'locks an invoice for a command of the state machine or says why not';

-- Money that a payment brings or takes, for functions of aegis_owner that know of payments: amount above zero applies, below zero gives back
-- (command refund: nothing becomes due again) or takes back (command reverse: it is due again). The checks of the
-- table are the last word on the balance.
CREATE FUNCTION aegis_app.settle_invoice(invoice_id uuid, amount_minor bigint, currency text, command text DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step     text := coalesce(command, CASE WHEN amount_minor > 0 THEN 'pay' ELSE 'refund' END);
  i        aegis_app.invoice;
  was      text;
  reached  text;
BEGIN
  IF amount_minor IS NULL OR amount_minor = 0 OR step NOT IN ('pay', 'refund', 'reverse') OR (step = 'pay') <> (amount_minor > 0) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'amount and command of a settlement do not fit',
      HINT = 'Pay with an amount above zero, refund or reverse with one below.';
  END IF;
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = invoice_id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'invoice does not exist';
  END IF;
  IF NOT EXISTS (SELECT FROM aegis_app.invoice_transitions() t WHERE t.from_status = i.status AND t.command = step) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('the command "%s" is not possible for an invoice that is %s', step, i.status);
  END IF;
  IF i.currency IS DISTINCT FROM settle_invoice.currency THEN
    RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the invoice is in %s', i.currency);
  END IF;
  IF step = 'pay' AND amount_minor > i.total_minor - i.applied_minor THEN
    RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range', MESSAGE = 'the amount is more than is due';
  ELSIF amount_minor < i.refunded_minor - i.applied_minor THEN
    RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range', MESSAGE = 'the amount is more than is kept';
  END IF;
  was := i.status;
  IF step = 'refund' THEN
    i.refunded_minor := i.refunded_minor - amount_minor;
  ELSE
    i.applied_minor := i.applied_minor + amount_minor;
  END IF;
  SELECT t.to_status INTO STRICT reached FROM aegis_app.invoice_transitions() t
   WHERE t.from_status = was AND t.command = step AND aegis_app.guard_holds(t.guard, i) LIMIT 1;
  UPDATE aegis_app.invoice r
     SET status = reached, applied_minor = i.applied_minor, refunded_minor = i.refunded_minor, version = r.version + 1,
         paid_at = CASE WHEN reached <> 'paid' THEN NULL ELSE coalesce(r.paid_at, clock_timestamp()) END
   WHERE r.tenant_id = i.tenant_id AND r.id = i.id;
  PERFORM aegis.record(CASE step WHEN 'pay' THEN 'invoice.payment_applied' WHEN 'refund' THEN 'invoice.refund_applied'
                                 ELSE 'invoice.payment_reversed' END, 'invoice', i.id::text,
    detail => jsonb_build_object('amount_minor', abs(amount_minor), 'currency', i.currency, 'status', reached)
              || CASE step WHEN 'refund' THEN jsonb_build_object('refunded_minor', i.refunded_minor)
                           ELSE jsonb_build_object('balance_minor', i.total_minor - i.applied_minor) END);
  RETURN reached;
END $$;
COMMENT ON FUNCTION aegis_app.settle_invoice(uuid, bigint, text, text) IS
  'applies, refunds or reverses money of an invoice under its row lock; returns the status that this leads to; for effects of payments alone';

CREATE FUNCTION aegis_app.dispute_invoice(invoice_id uuid, opened boolean) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step text := CASE WHEN opened THEN 'open_dispute' ELSE 'close_dispute' END;
  i    aegis_app.invoice;
BEGIN
  SELECT * INTO i FROM aegis_app.invoice r WHERE r.tenant_id = aegis.tenant_id() AND r.id = invoice_id FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = 'invoice does not exist';
  END IF;
  IF NOT EXISTS (SELECT FROM aegis_app.invoice_transitions() t
                  WHERE t.from_status = i.status AND t.command = step AND aegis_app.guard_holds(t.guard, i)) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('the command "%s" is not possible for an invoice that is %s', step, i.status);
  END IF;
  UPDATE aegis_app.invoice r SET open_disputes = r.open_disputes + CASE WHEN opened THEN 1 ELSE -1 END, version = r.version + 1
   WHERE r.tenant_id = i.tenant_id AND r.id = i.id RETURNING * INTO i;
  PERFORM aegis.record('invoice.disputed', 'invoice', i.id::text,
                       detail => jsonb_build_object('opened', opened, 'open_disputes', i.open_disputes));
  RETURN i.status;
END $$;
COMMENT ON FUNCTION aegis_app.dispute_invoice(uuid, boolean) IS
  'a dispute about the money of an invoice was opened, or closed; the money itself is settle_invoice''s; for effects of payments alone';

-- Commands that end an invoice, each with its reason.
CREATE FUNCTION aegis_app.close_invoice(request aegis.request, command text) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reason  text := aegis_app.text_field(request.body, 'reason', 500);
  step    record;
  row_now aegis_app.invoice;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(request, command);
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  UPDATE aegis_app.invoice i
     SET status = step.next_status, cancel_reason = reason, version = i.version + 1,
         cancelled_at = CASE step.next_status WHEN 'cancelled' THEN clock_timestamp() END,
         voided_at = CASE step.next_status WHEN 'void' THEN clock_timestamp() END,
         uncollectible_at = CASE step.next_status WHEN 'uncollectible' THEN clock_timestamp() ELSE i.uncollectible_at END
   WHERE i.tenant_id = (step.invoice).tenant_id AND i.id = (step.invoice).id RETURNING * INTO row_now;
  PERFORM aegis.record(CASE step.next_status WHEN 'cancelled' THEN 'invoice.cancelled' WHEN 'void' THEN 'invoice.voided'
                                             ELSE 'invoice.marked_uncollectible' END, 'invoice', row_now.id::text,
                       detail => jsonb_build_object('from', (step.invoice).status, 'reason', reason));
  RETURN aegis_app.ok(aegis_app.invoice_json(row_now));
END $$;
COMMENT ON FUNCTION aegis_app.close_invoice(aegis.request, text) IS 'cancels, voids or gives up an invoice, with a reason; for write_invoice alone';

CREATE FUNCTION aegis_app.remove_draft(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  step record;
BEGIN
  SELECT * INTO step FROM aegis_app.begin_command(request, 'delete');
  IF (step.refusal).status IS NOT NULL THEN
    RETURN step.refusal;
  END IF;
  DELETE FROM aegis_app.invoice i WHERE i.tenant_id = (step.invoice).tenant_id AND i.id = (step.invoice).id;
  PERFORM aegis.record('invoice.deleted', 'invoice', (step.invoice).id::text);
  RETURN aegis_app.ok(NULL, 204);
END $$;
COMMENT ON FUNCTION aegis_app.remove_draft(aegis.request) IS 'removes a draft; for write_invoice alone';

-- The one door to the tables of invoices: members may read them, and nobody who has SQL of their own can write what the state
-- machine, the counter and the sums would not. Row security binds aegis_owner by the same context.
CREATE FUNCTION aegis_app.write_invoice(request aegis.request, command text) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE command
    WHEN 'create' THEN RETURN aegis_app.draft_invoice(request);
    WHEN 'edit' THEN RETURN aegis_app.change_draft(request);
    WHEN 'delete' THEN RETURN aegis_app.remove_draft(request);
    WHEN 'send' THEN RETURN aegis_app.issue_invoice(request);
    WHEN 'cancel', 'void', 'mark_uncollectible' THEN RETURN aegis_app.close_invoice(request, command);
    ELSE
      RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('an invoice has no command "%s" for users', left(command, 40)),
        HINT = 'aegis_app.invoice_transitions() lists the commands with the rank that may ask for each.';
  END CASE;
END $$;
COMMENT ON FUNCTION aegis_app.write_invoice(aegis.request, text) IS
  'a command of the state machine, or create, as the caller''s rank and rows allow: what the routes of invoices do';

CREATE FUNCTION aegis_app.create_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'create');
END $$;
COMMENT ON FUNCTION aegis_app.create_invoice(aegis.request) IS 'POST /api/invoices {customer_id, currency, due_date?, memo?, lines: [{description, quantity?, unit_minor, tax_rate?}]}';

CREATE FUNCTION aegis_app.edit_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'edit');
END $$;
COMMENT ON FUNCTION aegis_app.edit_invoice(aegis.request) IS 'PATCH /api/invoices/{id}: drafts only; any of currency, due_date, memo, lines; version guards against lost updates';

CREATE FUNCTION aegis_app.delete_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'delete');
END $$;
COMMENT ON FUNCTION aegis_app.delete_invoice(aegis.request) IS 'DELETE /api/invoices/{id}: drafts only';

CREATE FUNCTION aegis_app.send_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'send');
END $$;
COMMENT ON FUNCTION aegis_app.send_invoice(aegis.request) IS 'POST /api/invoices/{id}/send: assigns the number and freezes the content';

CREATE FUNCTION aegis_app.cancel_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'cancel');
END $$;
COMMENT ON FUNCTION aegis_app.cancel_invoice(aegis.request) IS 'POST /api/invoices/{id}/cancel {reason, version?}: the number stays';

CREATE FUNCTION aegis_app.void_invoice(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'void');
END $$;
COMMENT ON FUNCTION aegis_app.void_invoice(aegis.request) IS 'POST /api/invoices/{id}/void {reason, version?}: the number stays';

CREATE FUNCTION aegis_app.mark_invoice_uncollectible(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.write_invoice(request, 'mark_uncollectible');
END $$;
COMMENT ON FUNCTION aegis_app.mark_invoice_uncollectible(aegis.request) IS 'POST /api/invoices/{id}/mark-uncollectible {reason, version?}';
