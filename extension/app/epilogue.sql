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

GRANT USAGE ON SCHEMA aegis_app TO aegis_member, aegis_operator, aegis_owner;

-- Columns by name: tenant_id, created_by and team_ord come from the context, never from a client.
GRANT SELECT, INSERT (id, name, email, phone, address, notes),
      UPDATE (name, email, phone, address, notes, version, updated_at) ON aegis_app.customer TO aegis_member;
GRANT SELECT, INSERT (id, customer_id, currency, due_date, memo),
      UPDATE (customer_id, status, number, currency, total_minor, due_date, memo, content_hash, cancel_reason,
              version, sent_at, cancelled_at) ON aegis_app.invoice TO aegis_member;
GRANT SELECT, DELETE, INSERT (invoice_id, position, description, quantity, unit_minor) ON aegis_app.invoice_line TO aegis_member;
GRANT SELECT, INSERT (next), UPDATE (next) ON aegis_app.invoice_series TO aegis_member;

GRANT SELECT ON aegis_app.customer, aegis_app.invoice, aegis_app.invoice_line, aegis_app.invoice_series TO aegis_operator;
