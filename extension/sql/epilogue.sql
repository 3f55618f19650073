-- Privileges, in one place: everything is revoked from PUBLIC, owned by aegis_owner, and granted by name.

DO $$
DECLARE
  member record;
BEGIN
  FOR member IN
    SELECT d.classid, d.objid, p.oid::regprocedure::text AS routine, t.oid::regtype::text AS type,
           c.oid::regclass::text AS relation, c.relkind
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'aegis'
      LEFT JOIN pg_catalog.pg_proc p  ON d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid
      LEFT JOIN pg_catalog.pg_type t  ON d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid
                                     AND t.typtype IN ('b', 'c', 'd', 'e') AND t.typelem = 0
                                     AND (t.typrelid = 0 OR t.typtype = 'c')
      LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid
     WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
     ORDER BY c.relkind = 'S' NULLS FIRST, d.objid
  LOOP
    -- The owner first: with rights of an owner before, pg_dump would take all of them for changes, and write down every
    -- function of this version.
    IF member.routine IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO aegis_owner', member.routine);
      EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', member.routine);
    ELSIF member.relation IS NOT NULL AND member.relkind IN ('r', 'p', 'v', 'm', 'S') THEN
      -- Sequences of identity columns follow their table.
      IF member.relkind <> 'S' OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend o WHERE o.objid = member.objid
            AND o.classid = 'pg_catalog.pg_class'::regclass AND o.deptype IN ('a', 'i')) THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO aegis_owner', member.relation);
      END IF;
      EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', member.relation);
    ELSIF member.type IS NOT NULL THEN
      EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO aegis_owner', member.type);
    END IF;
  END LOOP;
END $$;

-- The context's getters are read by policies and defaults of every role.
GRANT EXECUTE ON FUNCTION aegis.tenant_id(), aegis.user_id(), aegis.session_id(), aegis.user_lo(), aegis.user_hi(),
  aegis.team_ord(), aegis.team_lo(), aegis.team_hi(), aegis.rank(), aegis.auth_method(), aegis.request_id(), aegis.require_tenant(),
  aegis.client_ip(), aegis.service_id(), aegis.link_id(), aegis.link_target() TO PUBLIC;

-- Card data: pure functions, and CHECK constraints run them as whoever writes.
GRANT EXECUTE ON FUNCTION aegis.is_free_of_card_data(text), aegis.is_free_of_card_data(bytea), aegis.is_free_of_card_data(jsonb),
  aegis.scrub(text, text), aegis.scrub(jsonb, text), aegis.scrub_findings(text), aegis.scrub_findings(jsonb), aegis.refuse_card_data() TO PUBLIC;

GRANT EXECUTE ON FUNCTION aegis.scan_for_pan(regnamespace) TO aegis_operator;

-- worker
GRANT EXECUTE ON FUNCTION aegis.worker_status() TO aegis_auditor, aegis_gateway, aegis_operator;

-- key
GRANT EXECUTE ON FUNCTION aegis.key_status() TO aegis_operator, aegis_auditor;
GRANT EXECUTE ON FUNCTION aegis.rotate_master_key(text) TO aegis_operator;

-- Ledger: whoever can connect may record what the catalogue lets SQL write.
GRANT EXECUTE ON FUNCTION aegis.record(text, text, text, text, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.declare_event(text, text, jsonb, boolean) TO aegis_operator;
GRANT SELECT ON aegis.event_type TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.begin_epoch(text) TO aegis_operator;
-- Who owns a table may audit it; the functions check.
GRANT EXECUTE ON FUNCTION aegis.audit_row(), aegis.audit_table(regclass, name[]), aegis.audit_truncate(),
  aegis.unaudit_table(regclass) TO PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.withhold_table(regclass) TO aegis_operator;
GRANT SELECT ON aegis.withheld_table TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.decode_entry(bytea), aegis.reveal_origin(bigint) TO aegis_auditor;
GRANT EXECUTE ON FUNCTION aegis.tenant_audit_log() TO aegis_gateway, aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.export_ledger(uuid), aegis.running_verifications(), aegis.verify_ledger(uuid, text, text) TO aegis_auditor;
GRANT SELECT ON aegis.verify_progress TO aegis_auditor;
GRANT EXECUTE ON FUNCTION aegis.begin_verification(), aegis.verification(bigint), aegis.verification_progress(bigint)
  TO aegis_member, aegis_operator;
GRANT SELECT ON aegis.audit_log TO aegis_auditor;
GRANT SELECT ON aegis.audited_table TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.wait_sealed(interval) TO PUBLIC;
GRANT SELECT ON aegis.ledger_epoch, aegis.seal, aegis.seal_leaves, aegis.tenant_log, aegis.tree_node TO aegis_auditor;
-- Admins prove what is in the log of their tenant; the functions check.
GRANT EXECUTE ON FUNCTION aegis.consistency_proof(uuid, bigint, bigint), aegis.inclusion_proof(uuid, bigint, bigint),
  aegis.log_root(uuid, bigint), aegis.receipt(uuid, bigint) TO aegis_auditor, aegis_member;
GRANT EXECUTE ON FUNCTION aegis.log_receipt(uuid), aegis.log_tile(uuid, text), aegis.root_tile(text) TO aegis_auditor, aegis_member;
GRANT EXECUTE ON FUNCTION aegis.root_consistency_proof(bigint, bigint), aegis.root_inclusion_proof(bigint, bigint)
  TO aegis_auditor;

-- Retention
GRANT EXECUTE ON FUNCTION aegis.cut_ledger(bigint, text), aegis.hold_ledger(uuid, text), aegis.release_ledger(bigint, text),
  aegis.set_ledger_retention(uuid, interval, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.cuttable(uuid) TO aegis_auditor, aegis_operator;
GRANT SELECT ON aegis.ledger_holds, aegis.ledger_retention TO aegis_auditor, aegis_operator;
GRANT SELECT ON aegis.ledger_cut, aegis.ledger_cuts, aegis.ledger_export TO aegis_auditor;

-- Checkpoints say nothing but how long the root log is.
GRANT SELECT ON aegis.checkpoint, aegis.checkpoints, aegis.cosignature, aegis.witnesses, aegis.anchor_receipt, aegis.anchor_status TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.cosigned_note(bigint), aegis.unanchored_since(aegis.anchor) TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.latest_checkpoint(), aegis.wait_checkpoint(interval), aegis.wait_witnessed(interval), aegis.wait_anchored(interval),
  aegis.witnessed_checkpoint() TO aegis_auditor, aegis_gateway, aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.drop_anchor(text), aegis.register_anchor(text, text, text, interval, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.drop_witness(text), aegis.register_witness(text, text, boolean) TO aegis_operator;

-- tenant, team
GRANT EXECUTE ON FUNCTION aegis.create_team(text, uuid), aegis.delete_team(uuid), aegis.move_team(uuid, uuid),
  aegis.rename_team(uuid, text)
  TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.create_tenant(text, text, text), aegis.reactivate_tenant(uuid, text),
  aegis.suspend_tenant(uuid, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.adopt_tenant_key(bigint, text), aegis.approve_tenant_action(bigint, text), aegis.erase_tenant(bigint, text), aegis.export_field_key(bigint, text), aegis.export_tenant(bigint, text), aegis.import_key(), aegis.import_tenant(regclass, text),
  aegis.move_tenant(bigint, text, text), aegis.open_receipt(text, text),
  aegis.request_tenant_action(text, uuid, text, text, text), aegis.withdraw_tenant_action(bigint, text) TO aegis_operator;
GRANT SELECT ON aegis.tenant_requests TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.erasure_certificate(uuid) TO aegis_auditor;
GRANT EXECUTE ON FUNCTION aegis.reapply_shreds() TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.shred_status() TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.admit_subject(uuid, anyelement, text), aegis.shred_subject(uuid, anyelement, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.subject_name(uuid, anyelement) TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.erasure_certificate(uuid, anyelement) TO aegis_auditor;
GRANT EXECUTE ON FUNCTION aegis.current_tenant() TO aegis_auditor, aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.teams() TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.tenants() TO aegis_auditor, aegis_operator;

SELECT aegis.grant_sealed_type(t.type) FROM aegis.sealed_type t;
-- What takes a sealed value is for everybody; these open it.
REVOKE EXECUTE ON FUNCTION aegis.mail_address(aegis.sealed_email, uuid), aegis.open_credential(aegis.sealed_text, uuid) FROM PUBLIC;
GRANT SELECT ON aegis.sealed_kind, aegis.sealed_type TO aegis_auditor, aegis_operator;
-- Those that take any type.
GRANT EXECUTE ON FUNCTION aegis.is_sealed_for("any", bigint, uuid, "any"), aegis.is_sealed_for("any", bigint, uuid, record),
  aegis.is_sealed_for("any", bigint, uuid, "any", record) TO PUBLIC;

-- field: seal_row is for whoever creates or restores a table with sealed columns.
GRANT EXECUTE ON FUNCTION aegis.encrypt_column(regclass, name, text, regtype, text, text, name, boolean, boolean),
  aegis.low_entropy(regclass, name, regtype) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.legible(anyelement, record), aegis.masked(anyelement, record), aegis.reveal(anyelement, record)
  TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.seal_bound(anyelement, bigint, uuid, "any", record),
  aegis.set_reveal_policy(text, regrole, text), aegis.set_reveal_policy(text, smallint, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.is_twin("any", "any"), aegis.keep_twin(), aegis.seal_row() TO PUBLIC;
GRANT EXECUTE ON PROCEDURE aegis.encrypt_column_online(regclass, name, text, regtype, text, text, name, boolean, boolean, integer, bigint, interval),
  aegis.decrypt_column_online(regclass, name, text, integer, bigint, interval) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.conversion_findings(regclass, name, regtype, boolean, name, boolean), aegis.decrypt_column(regclass, name, text),
  aegis.undo_conversion(regclass, name), aegis.unsealable_rows(regclass, name, regtype, name) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.conversion_progress() TO PUBLIC;
GRANT SELECT ON aegis.conversion, aegis.field, aegis.reveal_bound, aegis.reveal_policy TO aegis_auditor, aegis_operator;
-- operator
GRANT EXECUTE ON FUNCTION aegis.assume_tenant(uuid, text, text, boolean, interval) TO aegis_operator;

-- limit
GRANT EXECUTE ON FUNCTION aegis.set_tenant_limits(uuid, interval, interval, interval, integer, integer) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.tenant_limits() TO aegis_auditor, aegis_operator;

-- outbox
GRANT EXECUTE ON FUNCTION aegis.claim_outbound(text[], integer, interval, text[]), aegis.finish_outbound(bigint, uuid, text, bytea, jsonb)
  TO aegis_agent;
GRANT EXECUTE ON FUNCTION aegis.cancel_outbound(bigint, text), aegis.register_destination(text, text), aegis.remove_destination(text),
  aegis.retry_outbound(bigint, text) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.outbox_status() TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.set_mail_template(text, text, text, text) TO aegis_operator;
GRANT SELECT ON aegis.mail_template TO aegis_auditor, aegis_operator;
GRANT SELECT ON aegis.destination, aegis.outbound, aegis.outbox_kind TO aegis_auditor, aegis_operator;

-- job
GRANT EXECUTE ON FUNCTION aegis.create_job(text, uuid, jsonb), aegis.pause_job(bigint), aegis.resume_job(bigint)
  TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.wait_job(bigint, interval) TO aegis_auditor, aegis_operator;
GRANT SELECT ON aegis.jobs TO aegis_auditor, aegis_operator;
-- reseal: the job calls aegis.reseal() as the owner of a table; it refuses everybody else.
GRANT EXECUTE ON FUNCTION aegis.reseal(anyelement, record), aegis.retoken(anyelement, record), aegis.has_dead_token(anyelement, record),
  aegis.without_dead_token(anyelement, record) TO PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.verify_fields(regclass), aegis.verify_keys() TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.rotate_index_key(uuid, text), aegis.rotate_tenant_key(uuid, text, boolean) TO aegis_operator;
GRANT SELECT ON aegis.rotation_progress TO aegis_auditor, aegis_operator;
-- protect: who owns a table may protect it; the functions check.
GRANT EXECUTE ON FUNCTION aegis.convert_keys(regclass, boolean), aegis.counter_findings(regclass), aegis.follow_parent(),
  aegis.foreign_key_terms(oid), aegis.foreign_keys_to_convert(oid[]), aegis.key_conversion(regclass), aegis.key_findings(regclass),
  aegis.key_in_the_making(name), aegis.keys_across_tenants(oid[]), aegis.keys_to_convert(oid[]), aegis.leads_with_tenant(oid),
  aegis.protect_table(regclass, boolean, boolean, regclass, text, text, text),
  aegis.protection_findings(regclass, boolean, boolean, regclass, text, text, text), aegis.refuse_truncate(),
  aegis.row_findings(regclass, boolean, boolean, text, text, text), aegis.shared_counters(oid[]), aegis.stamp_row(), aegis.table_tree(regclass),
  aegis.unprotect_table(regclass, boolean) TO PUBLIC;
GRANT EXECUTE ON PROCEDURE aegis.backfill_table(regclass, text, text, text, integer, bigint, bigint) TO PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.backfill_progress() TO PUBLIC;
GRANT SELECT ON aegis.protected_part, aegis.protected_table TO aegis_auditor, aegis_operator;

-- Users, sign-in, sessions. The registry of fields is written as aegis_owner, so only now.
SELECT aegis.encrypt_column('aegis.user', 'email', 'user.email', 'aegis.sealed_email', 'email', 'masked');
SELECT aegis.set_reveal_policy('user.email', 4::smallint, 'full');
SELECT aegis.encrypt_column('aegis.user', 'name', 'user.name', 'aegis.sealed_text', 'full');
-- A credential: nobody may see it, and no policy can say otherwise.
SELECT aegis.encrypt_column('aegis.second_factor', 'secret', 'user.totp_secret', 'aegis.sealed_bytea', 'full', 'none');
SELECT aegis.encrypt_column('aegis.session', 'device', 'session.device', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis.session', 'network', 'session.network', 'aegis.sealed_text', 'full');
GRANT EXECUTE ON FUNCTION aegis.create_user(text, text, smallint, uuid, text), aegis.deactivate_user(uuid),
  aegis.move_user(uuid, uuid), aegis.set_rank(uuid, smallint), aegis.unlock_user(uuid), aegis.users()
  TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.authenticate(text, text, text, text), aegis.sign_out() TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.end_session(uuid), aegis.sessions() TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.answer_challenge(text, text, text, text, text, text), aegis.begin_enrolment(text) TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.sign_in(text, text, text, text, text, text) TO aegis_gateway, aegis_member;
GRANT EXECUTE ON FUNCTION aegis.begin_second_factor(), aegis.confirm_second_factor(text), aegis.new_recovery_codes(),
  aegis.remove_second_factor(), aegis.require_step_up(interval), aegis.second_factor(), aegis.step_up(text, text) TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.change_password(text, text) TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.order_password_change(uuid) TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.tune_password_hash(integer) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.require_second_factor(smallint), aegis.reset_second_factor(uuid) TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.expire_sessions(integer) TO aegis_operator;
-- What is shown is the proof: these need no context.
GRANT EXECUTE ON FUNCTION aegis.accept_invitation(text, text), aegis.request_password_reset(text, text), aegis.reset_password(text, text, text)
  TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.invite_user(text, text, smallint, uuid), aegis.resend_invitation(uuid), aegis.revoke_invitation(uuid),
  aegis.invitations() TO aegis_member, aegis_operator;

GRANT EXECUTE ON FUNCTION aegis.finish_sign_up(text, text, text, boolean), aegis.request_sign_up(text, text, text, text), aegis.sign_up_open()
  TO aegis_member;

-- What everybody may know, and who says it.
GRANT EXECUTE ON FUNCTION aegis.status() TO aegis_auditor, aegis_gateway, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.set_incident(text, text, text, timestamptz, timestamptz, bigint), aegis.set_slo(text, text, text),
  aegis.set_subprocessor(text, text, text, date) TO aegis_operator;

-- Demo mode: the rows are there in demo mode only.
GRANT EXECUTE ON FUNCTION aegis.demo_logins() TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.is_demo(), aegis.set_demo_logins(jsonb) TO aegis_operator;

-- Services
GRANT EXECUTE ON FUNCTION aegis.create_service(text, uuid, text[], smallint), aegis.retire_service(text, text),
  aegis.retire_service_secret(text), aegis.rotate_service_secret(text), aegis.set_service(text, text[], smallint),
  aegis.sign_request(text, text, text, bytea)
  TO aegis_operator;
GRANT SELECT ON aegis.services TO aegis_auditor, aegis_operator;

GRANT EXECUTE ON FUNCTION aegis.pdf(jsonb) TO aegis_member, aegis_operator;

-- Webhooks: what admins decide about their tenant's is checked by the functions; what a handler is told is the transaction's own.
GRANT EXECUTE ON FUNCTION aegis.add_webhook_secret(uuid, text, interval), aegis.create_webhook_endpoint(text, text, text, boolean, text, boolean),
  aegis.disable_webhook_endpoint(uuid), aegis.retire_webhook_secret(uuid, text), aegis.webhook_endpoints()
  TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.verified_webhook() TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.fits_grammar(text, jsonb), aegis.payload_fields(text, text), aegis.project_node(aegis.payload_field[], integer, jsonb),
  aegis.project_payload(text, text, jsonb), aegis.restore_references(aegis.payload_field[], integer, jsonb, jsonb),
  aegis.scrub_payload(text, text, jsonb), aegis.verify_webhook(text, text, text[], bytea, timestamptz, integer)
  TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.drop_payload_field(text, text, text[]), aegis.set_payload_field(text, text, text[], text, boolean),
  aegis.set_webhook_provider(text, text) TO aegis_operator;
GRANT SELECT ON aegis.payload_field, aegis.webhook_provider TO aegis_auditor, aegis_operator;

-- Issuers of tokens
GRANT EXECUTE ON FUNCTION aegis.drop_issuer_key(text, text), aegis.map_issuer_role(text, text, smallint), aegis.map_issuer_tenant(text, text, uuid),
  aegis.pin_issuer_key(text, text), aegis.refresh_issuer(text),
  aegis.register_issuer(text, text, text, text[], text[], text, text, text[], text[], text[], interval, interval, interval),
  aegis.retire_issuer(text, text), aegis.set_issuer_client(text, text, text, text, text, text, text),
  aegis.set_issuer(text, text[], text[], text, text, text[], text[], text[]) TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.link_issuer_user(text, text, uuid), aegis.unlink_issuer_user(text, text) TO aegis_member, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.client_jwks(), aegis.get_client_jwks(aegis.request), aegis.get_issuers(aegis.request), aegis.issuer_buttons()
  TO aegis_member, aegis_operator;
GRANT SELECT ON aegis.issuer_keys, aegis.issuer_mappings, aegis.issuers TO aegis_auditor, aegis_operator;

-- The log of a tenant, for its admins; the functions check.
GRANT EXECUTE ON FUNCTION aegis.find_tenant_entries(bigint, integer, text, text), aegis.tenant_bundle(integer),
  aegis.tenant_entries(bigint[]), aegis.tenant_ledger(), aegis.tenant_seals(bigint, integer) TO aegis_member;

-- Why a user sees a row, for admins; the functions check.
GRANT EXECUTE ON FUNCTION aegis.access_facts(regclass, uuid), aegis.explain_access(regclass, jsonb, uuid),
  aegis.row_facts(regclass, jsonb, boolean, boolean) TO aegis_member, aegis_operator;

-- Coverage says where holes are, so it is for those who mend and those who check.
GRANT EXECUTE ON FUNCTION aegis.audit_coverage(), aegis.coverage() TO aegis_auditor, aegis_operator;
GRANT SELECT ON aegis.classification TO aegis_auditor, aegis_operator;
-- control
GRANT EXECUTE ON FUNCTION aegis.controls(date) TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.review_control(text, text, text, date) TO aegis_operator;
GRANT SELECT ON aegis.control, aegis.control_review TO aegis_auditor, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.guard_schema(regnamespace, text) TO aegis_operator;
GRANT SELECT ON aegis.guarded_schema TO aegis_auditor, aegis_operator;

-- Routes
GRANT EXECUTE ON FUNCTION aegis.handle(text, text, text[], bytea, text, text) TO aegis_gateway;
GRANT EXECUTE ON FUNCTION aegis.health() TO aegis_auditor, aegis_gateway, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.drop_route(text, text),
  aegis.register_route(text, text, regprocedure, smallint, boolean, integer, text, boolean, boolean, text, jsonb, jsonb,
                       text, jsonb, smallint, jsonb, text[], text, interval, boolean)
  TO aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.respond(integer, jsonb, jsonb, bytea) TO PUBLIC;
GRANT EXECUTE ON FUNCTION aegis.replica_state(), aegis.routes(), aegis.tenant_home(bytea) TO aegis_gateway, aegis_operator;
GRANT EXECUTE ON FUNCTION aegis.get_openapi(aegis.request), aegis.object_schema(jsonb, text[]), aegis.openapi() TO aegis_member, aegis_operator;

SELECT aegis.register_route('GET', '/api/openapi.json', 'aegis.get_openapi(aegis.request)', public => true, replica_ok => true, tag => 'Service',
  summary => 'This document', response_schema => '{"type": "object", "properties": {"openapi": {"const": "3.1.0"}}, "required": ["openapi", "paths"]}');

GRANT EXECUTE ON FUNCTION aegis.forwarded(aegis.request) TO aegis_member;
GRANT EXECUTE ON FUNCTION aegis.drop_upstream(text), aegis.forward_route(text, text, text, text), aegis.register_upstream(text, text, text),
  aegis.register_upstream_route(text, text, text, text, smallint, integer, text, text[], text, interval, text, text, jsonb, jsonb, jsonb) TO aegis_operator;
GRANT SELECT ON aegis.upstreams TO aegis_auditor, aegis_operator;

SELECT aegis.register_route('GET', '/api/issuers', 'aegis.get_issuers(aegis.request)', public => true, replica_ok => true, tag => 'Session',
  summary => 'Where people may sign in besides here', response_schema => aegis.object_schema(jsonb_build_object('issuers', jsonb_build_object('type', 'array',
    'items', aegis.object_schema('{"name": {"type": "string"}, "title": {"type": "string"}}')))));
SELECT aegis.register_route('GET', '/api/issuers/jwks', 'aegis.get_client_jwks(aegis.request)', public => true, replica_ok => true, tag => 'Session',
  summary => 'The public keys with which Aegis proves who it is to issuers',
  response_schema => aegis.object_schema('{"keys": {"type": "array", "items": {"type": "object"}}}'));

-- What stands here now is what aegis.coverage() compares with.
INSERT INTO aegis.own_function SELECT o.name, o.definition, o.grantees FROM aegis.own_functions() o;

-- Last, for they would be asked about every statement of this script. session_replication_role must not silence them.
CREATE EVENT TRIGGER aegis_ddl_end ON ddl_command_end EXECUTE FUNCTION aegis.note_ddl();
CREATE EVENT TRIGGER aegis_ddl_drop ON sql_drop EXECUTE FUNCTION aegis.note_ddl();
ALTER EVENT TRIGGER aegis_ddl_end ENABLE ALWAYS;
ALTER EVENT TRIGGER aegis_ddl_drop ENABLE ALWAYS;
