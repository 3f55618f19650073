-- Privileges, in one place: owned by aegis_owner, nothing for PUBLIC, handlers and tables for aegis_member.

DO $$
DECLARE
  member record;
BEGIN
  FOR member IN
    SELECT p.oid::regprocedure::text AS routine, c.oid::regclass::text AS relation
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'aegis_app'
      LEFT JOIN pg_catalog.pg_proc p  ON d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
      LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'r'
     WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
     ORDER BY d.objid
  LOOP
    IF member.routine IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO aegis_owner', member.routine);
      EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', member.routine);
      EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO aegis_member', member.routine);
    ELSIF member.relation IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO aegis_owner', member.relation);
      EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', member.relation);
    END IF;
  END LOOP;
END $$;

-- Whoever has a link sees what a policy of that name lets them, and nothing of tables without one. What a tenant decided about its
-- invoices is on each of them.
DO $$
DECLARE
  closed regclass;
BEGIN
  FOR closed IN
    SELECT p.relation FROM aegis.protected_table p JOIN pg_catalog.pg_class c ON c.oid = p.relation
     WHERE c.relnamespace = 'aegis_app'::regnamespace AND c.relname NOT IN ('credit_series', 'invoice_series', 'invoice_setting')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy q WHERE q.polrelid = c.oid AND q.polname = 'link_alone')
     ORDER BY c.relname
  LOOP
    EXECUTE pg_catalog.format('CREATE POLICY link_alone ON %s AS RESTRICTIVE USING (aegis.auth_method() IS DISTINCT FROM ''link'')', closed);
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA aegis_app TO aegis_member, aegis_operator, aegis_owner;

-- Columns by name: tenant_id, created_by and team_ord come from the context, never from a client.
GRANT SELECT, INSERT (id, name, email, phone, address, notes),
      UPDATE (name, email, phone, address, notes, version, updated_at) ON aegis_app.customer TO aegis_member;
-- Of money and what providers sent members read their rows; what is written goes through functions that know why.
GRANT SELECT ON aegis_app.credit_note, aegis_app.credit_note_line, aegis_app.credit_series, aegis_app.invoice, aegis_app.invoice_line,
  aegis_app.invoice_series, aegis_app.invoice_setting, aegis_app.webhook_event TO aegis_member;
GRANT SELECT ON aegis_app.checkout, aegis_app.held_event, aegis_app.invoice_money, aegis_app.payment, aegis_app.payment_effect, aegis_app.payment_match,
  aegis_app.provider_account, aegis_app.reconciliation, aegis_app.reconciliation_difference, aegis_app.refund TO aegis_member, aegis_operator;

-- A policy calls it as whoever reads the table.
GRANT EXECUTE ON FUNCTION aegis_app.link_customer() TO PUBLIC;

-- Parts of functions that run as aegis_owner.
REVOKE EXECUTE ON FUNCTION aegis_app.annul_credit_note(aegis.request), aegis_app.credit_invoice(aegis_app.invoice, text, bigint),
  aegis_app.issue_credit_note(aegis.request), aegis_app.begin_command(aegis.request, text), aegis_app.change_draft(aegis.request), aegis_app.close_invoice(aegis.request, text),
  aegis_app.dispute_invoice(uuid, boolean), aegis_app.draft_invoice(aegis.request), aegis_app.issue_invoice(aegis.request),
  aegis_app.process_webhook(aegis_app.webhook_event, text, boolean), aegis_app.quarantine_webhook(aegis.webhook, text, text),
  aegis_app.make_invoice_link(aegis_app.invoice, integer), aegis_app.refuse_transition(aegis_app.invoice, text, text), aegis_app.remove_draft(aegis.request), aegis_app.repeated_webhook(aegis.webhook, text, jsonb),
  aegis_app.replace_lines(uuid, jsonb), aegis_app.settle_invoice(uuid, bigint, text, text) FROM aegis_member;
REVOKE EXECUTE ON FUNCTION aegis_app.age_checkout(aegis_app.checkout), aegis_app.begin_checkout(aegis_app.invoice, aegis_app.provider_account, text, boolean),
  aegis_app.begin_reconciliation(aegis_app.provider_account, timestamptz, timestamptz), aegis_app.complete_event(aegis_app.provider_event, text, interval),
  aegis_app.derive_money(aegis_app.invoice), aegis_app.derive_payment(uuid), aegis_app.describe_payment(uuid, aegis_app.provider_event),
  aegis_app.give_up_call(aegis.outbox, text), aegis_app.give_up_checkout(uuid, text), aegis_app.give_up_refund(uuid, text), aegis_app.settle_refunds(uuid, text),
  aegis_app.event_of_answer(aegis_app.provider_account, jsonb, jsonb, text), aegis_app.find_differences(aegis_app.provider_account, aegis_app.reconciliation),
  aegis_app.hold_event(aegis_app.provider_event, text), aegis_app.lock_transaction(aegis_app.provider_event, text), aegis_app.post_event(aegis_app.provider_event, uuid),
  aegis_app.prepare_call(aegis.outbox, bytea), aegis_app.queue_call(aegis_app.provider_account, text, text, text, jsonb, timestamptz, timestamptz),
  aegis_app.queue_details(aegis_app.provider_account, text, text, interval),
  aegis_app.queue_list(aegis_app.provider_account, aegis_app.reconciliation, text, text, timestamptz),
  aegis_app.queue_poll(aegis_app.provider_account, aegis_app.checkout), aegis_app.read_fields(jsonb, jsonb), aegis_app.record_effect(aegis_app.payment, aegis_app.provider_event),
  aegis_app.record_unapplied(aegis_app.invoice, aegis_app.payment, bigint, bigint), aegis_app.take_answer(aegis.outbox, bytea, jsonb),
  aegis_app.take_create(aegis_app.provider_account, jsonb, uuid, jsonb), aegis_app.take_details(aegis_app.provider_account, jsonb, text, jsonb),
  aegis_app.take_event(aegis_app.provider_event, uuid), aegis_app.take_fetched_event(aegis_app.provider_account, jsonb),
  aegis_app.take_list(aegis_app.provider_account, jsonb, uuid, jsonb), aegis_app.take_poll(aegis_app.provider_account, jsonb, uuid, jsonb),
  aegis_app.take_refund(aegis_app.provider_account, jsonb, uuid, jsonb), aegis_app.tell_invoice(aegis_app.invoice_money) FROM aegis_member;

GRANT SELECT, INSERT (kind, name, customer_id), UPDATE (name, status, decision_id, restriction, version, updated_at) ON aegis_app.kyc_subject TO aegis_member;
GRANT SELECT, INSERT (subject_id), UPDATE (former_names, date_of_birth, place_of_birth, nationality, residence, address, former_addresses, email, phone, national_id, tax_id,
      occupation, employer, source_of_funds, source_of_wealth, expected_activity, updated_at) ON aegis_app.kyc_person TO aegis_member;
GRANT SELECT, INSERT (subject_id), UPDATE (trading_names, registration_number, jurisdiction, lei, incorporated_on, address, business, regulator, updated_at)
      ON aegis_app.kyc_company TO aegis_member;
GRANT SELECT, INSERT (subject_id, type, country, number, issued_on, expires_on, file_name, media_type, size_bytes), UPDATE (state, method, remark) ON aegis_app.kyc_document TO aegis_member;
GRANT SELECT, INSERT (document_id, subject_id, content) ON aegis_app.kyc_document_content TO aegis_member;
GRANT SELECT, DELETE, INSERT (company_id, owner_id, control, share_bps), UPDATE (share_bps) ON aegis_app.kyc_owner TO aegis_member;
GRANT SELECT, INSERT (subject_id, kind, provider, list_version, matches) ON aegis_app.kyc_screening TO aegis_member;
GRANT SELECT, INSERT (screening_id, subject_id, name, entry, score), UPDATE (disposition, rationale, confirmed_at) ON aegis_app.kyc_match TO aegis_member;
GRANT SELECT, INSERT (subject_id, customer, geography, product, channel, transactions, rating, level, rationale) ON aegis_app.kyc_risk TO aegis_member;
GRANT SELECT, INSERT (subject_id, cause), UPDATE (outcome, findings) ON aegis_app.kyc_review TO aegis_member;
-- What happened is written by aegis_app.record_kyc(), and changed by nobody.
GRANT SELECT ON aegis_app.kyc_event TO aegis_member, aegis_operator;
GRANT SELECT, INSERT (subject_id, command, rationale), UPDATE (state, remark) ON aegis_app.kyc_decision TO aegis_member;
GRANT SELECT, INSERT (subject_id, reason), UPDATE (released_at) ON aegis_app.kyc_hold TO aegis_member;
GRANT SELECT, INSERT (subject_id, origin), UPDATE (state) ON aegis_app.kyc_erasure TO aegis_member;
GRANT SELECT, INSERT (user_id), UPDATE (dismissed_at) ON aegis_app.reporting_officer TO aegis_member;
-- On aegis_app.suspicion_report nobody has a right: whoever can count its rows knows.
-- An operator does what two people of the tenant decided.
REVOKE EXECUTE ON FUNCTION aegis_app.carry_out_erasure(uuid), aegis_app.suspicion_report_json(aegis_app.suspicion_report) FROM aegis_member;
GRANT EXECUTE ON FUNCTION aegis_app.carry_out_erasure(uuid), aegis_app.guard_kyc_erasure(), aegis_app.guard_kyc_subject(), aegis_app.kyc_erasure_hindrance(aegis_app.kyc_subject),
  aegis_app.kyc_retained_until(aegis_app.kyc_subject), aegis_app.kyc_retention(), aegis_app.kyc_retention_rules(), aegis_app.require_rank(integer, text), aegis_app.kyc_person_acts(),
  aegis_app.record_kyc(text, text, uuid, uuid, jsonb), aegis_app.require_new_snapshots(), aegis_app.date_of(timestamptz), aegis_app.today() TO aegis_operator;
GRANT SELECT, UPDATE (state, job) ON aegis_app.kyc_erasure TO aegis_operator;
GRANT SELECT (tenant_id, document_id, subject_id), DELETE ON aegis_app.kyc_document_content TO aegis_operator;
GRANT UPDATE (erased_at) ON aegis_app.kyc_subject TO aegis_operator;
GRANT SELECT ON aegis_app.kyc_hold TO aegis_operator;

GRANT SELECT ON aegis_app.webhook_event TO aegis_operator;
GRANT SELECT ON aegis_app.credit_note, aegis_app.credit_note_line, aegis_app.credit_series, aegis_app.customer, aegis_app.invoice,
  aegis_app.invoice_line, aegis_app.invoice_series, aegis_app.invoice_setting TO aegis_operator;
GRANT SELECT ON aegis_app.kyc_subject, aegis_app.kyc_person, aegis_app.kyc_company, aegis_app.kyc_document, aegis_app.kyc_owner, aegis_app.kyc_screening, aegis_app.kyc_match,
      aegis_app.kyc_risk, aegis_app.kyc_review, aegis_app.kyc_decision TO aegis_operator;
