-- Who the subject of a check is: what identifies a person, and what identifies a company.

CREATE TABLE aegis_app.kyc_person (
  tenant_id        uuid NOT NULL DEFAULT aegis.tenant_id(),
  subject_id       uuid NOT NULL,
  former_names     aegis.sealed_text,
  date_of_birth    aegis.sealed_date,
  place_of_birth   aegis.sealed_text,
  nationality      aegis.sealed_text,
  residence        aegis.sealed_text,
  address          aegis.sealed_text,
  former_addresses aegis.sealed_text,
  email            aegis.sealed_email,
  phone            aegis.sealed_text,
  national_id      aegis.sealed_keyword,
  tax_id           aegis.sealed_keyword,
  occupation       aegis.sealed_text,
  employer         aegis.sealed_text,
  source_of_funds  aegis.sealed_text,
  source_of_wealth aegis.sealed_text,
  expected_activity aegis.sealed_text,
  updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted       boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, subject_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_person', '');
COMMENT ON TABLE aegis_app.kyc_person IS 'what identifies a person; residence and nationality are ISO 3166 codes, numbers are kept without blanks';

CREATE TABLE aegis_app.kyc_company (
  tenant_id           uuid NOT NULL DEFAULT aegis.tenant_id(),
  subject_id          uuid NOT NULL,
  trading_names       aegis.sealed_text,
  registration_number aegis.sealed_keyword,
  jurisdiction        aegis.sealed_text,
  lei                 aegis.sealed_keyword,
  incorporated_on     aegis.sealed_date,
  address             aegis.sealed_text,
  business            aegis.sealed_text,
  regulator           aegis.sealed_text,
  updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  restricted          boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, subject_id),
  FOREIGN KEY (tenant_id, subject_id) REFERENCES aegis_app.kyc_subject (tenant_id, id)
);
SELECT pg_catalog.pg_extension_config_dump('aegis_app.kyc_company', '');
COMMENT ON TABLE aegis_app.kyc_company IS 'what identifies a company, trust or partnership; jurisdiction is an ISO 3166 code, lei an ISO 17442 one';

SELECT aegis.protect_table('aegis_app.kyc_person', parent => 'aegis_app.kyc_subject');
SELECT aegis.protect_table('aegis_app.kyc_company', parent => 'aegis_app.kyc_subject');

-- Which fields there are, once, as data. Special ones are shown in full from rank 3 on.
CREATE FUNCTION aegis_app.kyc_identity_fields() RETURNS TABLE (relation text, name text, type text, mask text, longest integer, form text, special boolean)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  BEGIN ATOMIC
    SELECT f.relation, f.name, f.type, f.mask, f.longest, f.form, f.special
      FROM (VALUES
        ('kyc_person',  'former_names',        'sealed_text',    'initials', 400,  NULL, false),
        ('kyc_person',  'date_of_birth',       'sealed_date',    'year',     10,   'a date', false),
        ('kyc_person',  'place_of_birth',      'sealed_text',    'full',     200,  NULL, false),
        ('kyc_person',  'nationality',         'sealed_text',    'full',     20,   'country codes', false),
        ('kyc_person',  'residence',           'sealed_text',    'full',     2,    'country codes', false),
        ('kyc_person',  'address',             'sealed_text',    'full',     500,  NULL, false),
        ('kyc_person',  'former_addresses',    'sealed_text',    'full',     2000, NULL, false),
        ('kyc_person',  'email',               'sealed_email',   'email',    254,  'an address', false),
        ('kyc_person',  'phone',               'sealed_text',    'last4',    40,   NULL, false),
        ('kyc_person',  'national_id',         'sealed_keyword', 'last4',    40,   'a number', true),
        ('kyc_person',  'tax_id',              'sealed_keyword', 'last4',    40,   'a number', true),
        ('kyc_person',  'occupation',          'sealed_text',    'full',     200,  NULL, false),
        ('kyc_person',  'employer',            'sealed_text',    'full',     200,  NULL, false),
        ('kyc_person',  'source_of_funds',     'sealed_text',    'full',     2000, NULL, true),
        ('kyc_person',  'source_of_wealth',    'sealed_text',    'full',     2000, NULL, true),
        ('kyc_person',  'expected_activity',   'sealed_text',    'full',     2000, NULL, false),
        ('kyc_company', 'trading_names',       'sealed_text',    'initials', 400,  NULL, false),
        ('kyc_company', 'registration_number', 'sealed_keyword', 'last4',    40,   'a number', false),
        ('kyc_company', 'jurisdiction',        'sealed_text',    'full',     2,    'country codes', false),
        ('kyc_company', 'lei',                 'sealed_keyword', 'last4',    20,   'a number', false),
        ('kyc_company', 'incorporated_on',     'sealed_date',    'year',     10,   'a date', false),
        ('kyc_company', 'address',             'sealed_text',    'full',     500,  NULL, false),
        ('kyc_company', 'business',            'sealed_text',    'full',     2000, NULL, false),
        ('kyc_company', 'regulator',           'sealed_text',    'full',     200,  NULL, false)) AS f(relation, name, type, mask, longest, form, special);
  END;
COMMENT ON FUNCTION aegis_app.kyc_identity_fields() IS 'fields of identity: table, sealed type, mask, longest text, what is asked of the text, and whether rank 3 is needed to see it';

DO $$
DECLARE
  f record;
BEGIN
  FOR f IN SELECT * FROM aegis_app.kyc_identity_fields() LOOP
    PERFORM aegis.encrypt_column(('aegis_app.' || f.relation)::pg_catalog.regclass, f.name::pg_catalog.name, f.relation || '.' || f.name,
                                 ('aegis.' || f.type)::pg_catalog.regtype, f.mask, CASE WHEN f.special THEN 'masked' ELSE 'full' END, subject => 'subject_id');
    IF f.special THEN
      PERFORM aegis.set_reveal_policy(f.relation || '.' || f.name, r::smallint, 'full') FROM pg_catalog.generate_series(3, 4) r;
    END IF;
  END LOOP;
END $$;

-- Numbers, dates and codes have forms of their own; the rest is what people write.
DO $$
DECLARE
  f record;
BEGIN
  FOR f IN SELECT i.relation, pg_catalog.string_agg(pg_catalog.quote_literal(i.name), ', ' ORDER BY i.name) AS fields
             FROM aegis_app.kyc_identity_fields() i WHERE i.type IN ('sealed_text', 'sealed_email') GROUP BY i.relation LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON aegis_app.%I FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data(%s)',
                              f.relation, f.fields);
  END LOOP;
END $$;

CREATE FUNCTION aegis_app.kyc_identity_table(kind text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE kind WHEN 'person' THEN 'kyc_person' ELSE 'kyc_company' END;
COMMENT ON FUNCTION aegis_app.kyc_identity_table(text) IS 'where the identity of a subject of this kind stands';

-- The same number is the same however it is written: letters and digits count.
CREATE FUNCTION aegis_app.kyc_number(value text) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN upper(regexp_replace(value, '[^[:alnum:]]', '', 'g'));
COMMENT ON FUNCTION aegis_app.kyc_number(text) IS 'a number of a document or register as it is kept and found: letters and digits, upper case';

CREATE FUNCTION aegis_app.kyc_identity_value(identity jsonb, name text, longest integer, form text) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  value text := aegis_app.text_field(identity, name, longest, false);
BEGIN
  CASE form
    WHEN 'a date' THEN
      IF value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' OR value::date NOT BETWEEN DATE '1800-01-01' AND aegis_app.today() THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a date that has been, such as 1984-05-23', name);
      END IF;
    WHEN 'country codes' THEN
      IF value !~ '^[A-Z]{2}( [A-Z]{2})*$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "%s" must be a code of ISO 3166 such as "GB"', name);
      END IF;
    WHEN 'a number' THEN
      value := nullif(aegis_app.kyc_number(value), '');
    WHEN 'an address' THEN
      PERFORM aegis_app.check_email(value);
    ELSE
      NULL;
  END CASE;
  RETURN value;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_identity_value(jsonb, text, integer, text) IS 'one field of identity as it is kept; raises invalid_parameter_value for what it cannot be';

-- What is named is set, what is left out stays; null takes away. Returns the names of what was set.
CREATE FUNCTION aegis_app.put_kyc_identity(s aegis_app.kyc_subject, identity jsonb) RETURNS text[]
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  place   text := aegis_app.kyc_identity_table(s.kind);
  given   text[];
  changes text;
  texts   text[];
BEGIN
  IF identity IS NULL OR jsonb_typeof(identity) = 'null' THEN
    RETURN '{}';
  ELSIF jsonb_typeof(identity) <> 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'field "identity" must be an object';
  END IF;
  IF EXISTS (SELECT FROM jsonb_object_keys(identity) k WHERE k NOT IN (SELECT f.name FROM aegis_app.kyc_identity_fields() f WHERE f.relation = place)) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('field "identity" has what a %s has not', s.kind),
      HINT = format('It has: %s.', (SELECT string_agg(f.name, ', ') FROM aegis_app.kyc_identity_fields() f WHERE f.relation = place));
  END IF;
  SELECT coalesce(array_agg(f.name ORDER BY f.name), '{}'), array_agg(aegis_app.kyc_identity_value(identity, f.name, f.longest, f.form) ORDER BY f.name),
         string_agg(format('%I = ($1[%s])::aegis.%I', f.name, f.place, f.type), ', ')
    INTO given, texts, changes
    FROM (SELECT n.*, row_number() OVER (ORDER BY n.name) AS place FROM aegis_app.kyc_identity_fields() n WHERE n.relation = place AND identity ? n.name) f;
  IF given = '{}' THEN
    RETURN given;
  END IF;
  EXECUTE format('INSERT INTO aegis_app.%I (subject_id) VALUES ($1) ON CONFLICT (tenant_id, subject_id) DO NOTHING', place) USING s.id;
  EXECUTE format('UPDATE aegis_app.%I SET %s, updated_at = clock_timestamp() WHERE tenant_id = $2 AND subject_id = $3', place, changes) USING texts, s.tenant_id, s.id;
  RETURN given;
END $$;
COMMENT ON FUNCTION aegis_app.put_kyc_identity(aegis_app.kyc_subject, jsonb) IS 'writes the fields of identity that a JSON object names';

-- A page that shows a file begins with masks, which are not charged; what is read in clear is recorded.
CREATE FUNCTION aegis_app.kyc_wants_masks(request aegis.request) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN aegis_app.choice_field(coalesce(request.query, '{}'), 'identity', '{clear,masked}', 'clear') = 'masked';
END $$;
COMMENT ON FUNCTION aegis_app.kyc_wants_masks(aegis.request) IS 'whether the query asks for identity=masked; raises for anything but clear and masked';

-- As much of each field as the policy lets the caller see, or its mask. Dates are shown as text, and the same whatever the session wants.
CREATE FUNCTION aegis_app.kyc_identity(s aegis_app.kyc_subject, masked boolean) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = ISO AS $$
DECLARE
  shown text;
  found jsonb;
BEGIN
  IF s.erased_at IS NOT NULL THEN
    RETURN NULL;
  END IF;
  SELECT string_agg(format('%L, aegis.%I(r.%I, r)', f.name, CASE WHEN masked THEN 'masked' ELSE 'legible' END, f.name), ', ') INTO shown
    FROM aegis_app.kyc_identity_fields() f WHERE f.relation = aegis_app.kyc_identity_table(s.kind);
  EXECUTE format('SELECT jsonb_build_object(%s) FROM aegis_app.%I r WHERE r.tenant_id = $1 AND r.subject_id = $2', shown, aegis_app.kyc_identity_table(s.kind))
    INTO found USING s.tenant_id, s.id;
  RETURN found;
END $$;
COMMENT ON FUNCTION aegis_app.kyc_identity(aegis_app.kyc_subject, boolean) IS
  'what identifies a subject, as much as the policy lets the caller see, which is recorded, or masked, which is not; NULL when nothing is known or it was erased';
