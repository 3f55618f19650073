-- Customers: personal data sealed, e-mail searchable, rows visible by rank.

CREATE TABLE aegis_app.customer (
  tenant_id  uuid NOT NULL DEFAULT aegis.tenant_id(),
  id         uuid NOT NULL DEFAULT gen_random_uuid(),
  name       aegis.sealed_text NOT NULL,
  email      aegis.sealed_email,
  phone      aegis.sealed_text,
  address    aegis.sealed_text,
  notes      aegis.sealed_text,
  version    integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, email)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.customer', '');
COMMENT ON TABLE aegis_app.customer IS 'whom a tenant invoices; personal data is sealed';

SELECT aegis.protect_table('aegis_app.customer');
SELECT aegis.encrypt_column('aegis_app.customer', 'name', 'customer.name', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.customer', 'email', 'customer.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('aegis_app.customer', 'phone', 'customer.phone', 'aegis.sealed_text', 'last4');
SELECT aegis.encrypt_column('aegis_app.customer', 'address', 'customer.address', 'aegis.sealed_text', 'full');
SELECT aegis.encrypt_column('aegis_app.customer', 'notes', 'customer.notes', 'aegis.sealed_text', 'full');

-- People paste card numbers where they do not belong. Before the trigger that seals.
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.customer FOR EACH ROW
  EXECUTE FUNCTION aegis.refuse_card_data('name', 'email', 'phone', 'address', 'notes');

-- Newest first, by tenant: the order of every list.
CREATE INDEX customer_newest ON aegis_app.customer (tenant_id, created_at DESC, id DESC);

SELECT aegis.declare_event('customer.created', 'a customer was entered', '{}');
SELECT aegis.declare_event('customer.updated', 'a customer was changed', '{"fields": "clear required"}');

CREATE FUNCTION aegis_app.customer_json(c aegis_app.customer) RETURNS jsonb
  LANGUAGE sql STABLE
  RETURN jsonb_build_object('id', c.id, 'name', aegis.reveal(c.name), 'email', aegis.reveal(c.email),
                            'phone', aegis.reveal(c.phone), 'address', aegis.reveal(c.address),
                            'notes', aegis.reveal(c.notes), 'version', c.version,
                            'created_at', c.created_at, 'updated_at', c.updated_at);
COMMENT ON FUNCTION aegis_app.customer_json(aegis_app.customer) IS 'a customer with its personal data revealed: recorded';

CREATE FUNCTION aegis_app.check_email(value text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF value IS NOT NULL AND value !~ '^[^@[:space:]]+@[^@[:space:]]+$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "email" is not an e-mail address';
  END IF;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.check_email(text) IS 'the value itself; raises when it has not the shape of an e-mail address';

CREATE FUNCTION aegis_app.list_customers(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
<<list_customers>>
DECLARE
  most   integer := aegis_app.integer_field(request.query, 'limit', 1, 100, 50);
  after  uuid := aegis_app.uuid_field(request.query, 'after');
  email  text := request.query ->> 'email';
  tenant uuid := aegis.tenant_id();
  answer jsonb;
BEGIN
  -- A list shows masks; one customer's page reveals. Plaintext leaves only where somebody asked for it.
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'name', aegis.reveal(c.name), 'email', aegis.masked(c.email),
                                               'created_at', c.created_at) ORDER BY c.created_at DESC, c.id DESC), '[]')
    INTO answer
    FROM (SELECT * FROM aegis_app.customer r
           WHERE r.tenant_id = tenant
             AND (list_customers.email IS NULL OR r.email = list_customers.email::aegis.sealed_email)
             AND (list_customers.after IS NULL OR (r.created_at, r.id) <
                  (SELECT p.created_at, p.id FROM aegis_app.customer p WHERE p.tenant_id = tenant AND p.id = list_customers.after))
           ORDER BY r.created_at DESC, r.id DESC LIMIT most) c;
  RETURN aegis_app.ok(jsonb_build_object('customers', answer));
END $$;
COMMENT ON FUNCTION aegis_app.list_customers(aegis.request) IS 'GET /api/customers?email=&limit=&after=';

CREATE FUNCTION aegis_app.get_customer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_row aegis_app.customer;
BEGIN
  SELECT * INTO found_row FROM aegis_app.customer c
   WHERE c.tenant_id = aegis.tenant_id() AND c.id = aegis_app.uuid_of(request.params ->> 'id');
  IF NOT FOUND THEN
    RETURN aegis_app.problem(404, 'not-found', 'No such customer');
  END IF;
  RETURN aegis_app.ok(aegis_app.customer_json(found_row));
END $$;
COMMENT ON FUNCTION aegis_app.get_customer(aegis.request) IS 'GET /api/customers/{id}';

CREATE FUNCTION aegis_app.create_customer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  new_row aegis_app.customer;
BEGIN
  INSERT INTO aegis_app.customer (name, email, phone, address, notes)
  VALUES (aegis_app.text_field(request.body, 'name', 200),
          aegis_app.check_email(aegis_app.text_field(request.body, 'email', 254, false)),
          aegis_app.text_field(request.body, 'phone', 40, false),
          aegis_app.text_field(request.body, 'address', 500, false),
          aegis_app.text_field(request.body, 'notes', 4000, false))
  RETURNING * INTO new_row;
  PERFORM aegis.record('customer.created', 'customer', new_row.id::text);
  RETURN aegis_app.ok(aegis_app.customer_json(new_row), 201, jsonb_build_object('location', '/api/customers/' || new_row.id));
EXCEPTION WHEN unique_violation THEN
  RETURN aegis_app.problem(409, 'email-taken', 'A customer with this e-mail address exists');
END $$;
COMMENT ON FUNCTION aegis_app.create_customer(aegis.request) IS 'POST /api/customers {name, email?, phone?, address?, notes?}';

CREATE FUNCTION aegis_app.change_customer(request aegis.request) RETURNS aegis.response
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b       jsonb := request.body;
  fields  text[] := ARRAY(SELECT k FROM jsonb_object_keys(CASE WHEN jsonb_typeof(b) = 'object' THEN b END) k WHERE k IN ('name', 'email', 'phone', 'address', 'notes') ORDER BY 1);
  new_row aegis_app.customer;
BEGIN
  IF fields = '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'nothing to change',
      HINT = 'Send at least one of name, email, phone, address, notes.';
  END IF;
  UPDATE aegis_app.customer c
     SET name    = CASE WHEN b ? 'name'    THEN aegis_app.text_field(b, 'name', 200)::aegis.sealed_text ELSE c.name END,
         email   = CASE WHEN b ? 'email'   THEN aegis_app.check_email(aegis_app.text_field(b, 'email', 254, false))::aegis.sealed_email ELSE c.email END,
         phone   = CASE WHEN b ? 'phone'   THEN aegis_app.text_field(b, 'phone', 40, false)::aegis.sealed_text ELSE c.phone END,
         address = CASE WHEN b ? 'address' THEN aegis_app.text_field(b, 'address', 500, false)::aegis.sealed_text ELSE c.address END,
         notes   = CASE WHEN b ? 'notes'   THEN aegis_app.text_field(b, 'notes', 4000, false)::aegis.sealed_text ELSE c.notes END,
         version = c.version + 1, updated_at = clock_timestamp()
   WHERE c.tenant_id = aegis.tenant_id() AND c.id = aegis_app.uuid_of(request.params ->> 'id')
     AND c.version = aegis_app.integer_field(b, 'version', 1, 2147483647, c.version)
  RETURNING * INTO new_row;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM aegis_app.customer c WHERE c.tenant_id = aegis.tenant_id()
                  AND c.id = aegis_app.uuid_of(request.params ->> 'id')) THEN
      RETURN aegis_app.problem(409, 'changed-meanwhile', 'The customer was changed meanwhile', 'Read it again and repeat the change.');
    END IF;
    RETURN aegis_app.problem(404, 'not-found', 'No such customer');
  END IF;
  PERFORM aegis.record('customer.updated', 'customer', new_row.id::text,
                       detail => jsonb_build_object('fields', array_to_string(fields, ',')));
  RETURN aegis_app.ok(aegis_app.customer_json(new_row));
EXCEPTION WHEN unique_violation THEN
  RETURN aegis_app.problem(409, 'email-taken', 'A customer with this e-mail address exists');
END $$;
COMMENT ON FUNCTION aegis_app.change_customer(aegis.request) IS 'PATCH /api/customers/{id}: any of name, email, phone, address, notes; version guards against lost updates';
