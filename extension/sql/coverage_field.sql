-- Coverage of columns: personal data in clear, and sealed columns that something is missing of.

CREATE FUNCTION aegis.coverage_personal()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH plain AS (
    SELECT r.name, r.namespace, c.relname, a.attname, r.oid, a.attnum,
           CASE WHEN a.attname ~* 'e_?mail' THEN 'aegis.sealed_email' ELSE 'aegis.sealed_text' END AS type,
           a.attname ~* '(e_?mail|phone|mobile|iban|passport|birth|address|street|surname|first_?name|last_?name|tax_?(id|number)|(^|_)(ssn|card|pan|dob)(_|$))' AS by_name
      FROM aegis.coverage_relation r
      JOIN pg_class c ON c.oid = r.oid
      JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                         AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
     WHERE r.protected AND r.kind = 'r'
  ),
  -- A column whose name already says it need not be read.
  sampled AS (
    SELECT p.*, s.*, greatest(s.email, s.phone, s.iban, s.card) AS most
      FROM plain p CROSS JOIN LATERAL aegis.coverage_sample(p.oid::regclass, p.attnum, 500) s WHERE NOT p.by_name
  )
  SELECT p.namespace, 'medium', 'column', format('%s.%I', p.name, p.attname), 'personal-data-by-name',
         'its name says personal data, and it is not encrypted',
         format('SELECT aegis.encrypt_column(%L, %L, %L, %L)', p.name, p.attname,
                regexp_replace(lower(p.relname || '.' || p.attname), '[^a-z0-9_.]', '_', 'g'), p.type)
    FROM plain p WHERE p.by_name
  UNION ALL
  SELECT s.namespace, 'medium', 'column', format('%s.%I', s.name, s.attname), 'personal-data-by-content',
         format('%s of %s values looked at have the shape of personal data, and it is not encrypted', s.most, s.sampled),
         format('SELECT aegis.encrypt_column(%L, %L, %L, %L)', s.name, s.attname,
                regexp_replace(lower(s.relname || '.' || s.attname), '[^a-z0-9_.]', '_', 'g'),
                CASE WHEN s.email = s.most AND s.most = s.sampled THEN 'aegis.sealed_email' ELSE 'aegis.sealed_text' END)
    FROM sampled s WHERE s.most >= 2 AND s.most * 5 >= s.sampled
$$;
COMMENT ON FUNCTION aegis.coverage_personal() IS 'coverage: personal data in clear, by name and content';

CREATE FUNCTION aegis.coverage_entropy("table" regclass, "column" name) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_coverage_entropy' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION aegis.coverage_entropy(regclass, name) IS
  'why a sealed column has too few different values for search, in numbers, judged by its stored tokens; NULL otherwise; nobody may call it';

CREATE FUNCTION aegis.coverage_sealed()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  WITH sealed AS (
    SELECT c.oid, c.oid::regclass::text AS name, c.relnamespace AS namespace, c.relname, a.attname, t.type, f.reference,
           t.normaliser, f.name AS field, f.mask, f.low_entropy_confirmed, f.subject_column, f.row_key, p.columns AS key_columns, p.types AS key_types,
           CASE WHEN f.row_key IS NULL THEN '' ELSE format(', ROW(%s)', p.columns) END AS row_bond
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      JOIN aegis.sealed_type t ON t.type = a.atttypid
      LEFT JOIN aegis.field f ON f.relation = c.oid AND f.column_name = a.attname
      LEFT JOIN LATERAL (
        SELECT string_agg(quote_ident(k.attname), ', ' ORDER BY i.place) AS columns, array_agg(k.atttypid::regtype ORDER BY i.place) AS types
          FROM pg_constraint n CROSS JOIN LATERAL unnest(n.conkey) WITH ORDINALITY i(number, place)
          JOIN pg_attribute k ON k.attrelid = n.conrelid AND k.attnum = i.number
         WHERE n.conrelid = c.oid AND n.contype = 'p' AND NOT n.condeferrable) p ON true
     WHERE a.attnum > 0 AND NOT a.attisdropped
  )
  SELECT s.namespace, 'high', 'column', format('%s.%I', s.name, s.attname), 'sealed-unregistered',
         'the column has a sealed type and is no registered field, so nothing seals it',
         format('SELECT aegis.encrypt_column(%L, %L, %L, %L)', s.name, s.attname,
                regexp_replace(lower(s.relname || '.' || s.attname), '[^a-z0-9_.]', '_', 'g'), s.type)
    FROM sealed s
   WHERE s.reference IS NULL
     AND NOT EXISTS (SELECT FROM aegis.conversion x CROSS JOIN LATERAL aegis.twin_pair(s.oid, x.field) p WHERE x.relation = s.oid AND p.twin = s.attname)
  UNION ALL
  SELECT c.relnamespace, 'medium', 'column', format('%s.%I', x.relation, coalesce(p.source, x.column_name)), 'conversion-unfinished',
         format('a conversion to %s it began at %s and has not ended; meanwhile the plain text is there', x.direction, x.started_at::timestamp(0)),
         CASE x.direction WHEN 'encrypt' THEN format('CALL aegis.encrypt_column_online(%L, %L, %L, %L, %L%s%s)', x.relation, coalesce(p.source, x.column_name), f.name, f.type, f.mask,
                                                               ', subject => ' || quote_literal(f.subject_column), CASE WHEN f.row_key IS NOT NULL THEN ', row_bound => true' END)
                          ELSE format('CALL aegis.decrypt_column_online(%L, %L, %L)', x.relation, coalesce(p.source, x.column_name), x.reason) END
    FROM aegis.conversion x JOIN aegis.field f ON f.reference = x.field JOIN pg_class c ON c.oid = x.relation
    LEFT JOIN LATERAL aegis.twin_pair(x.relation, x.field) p ON true
  UNION ALL
  SELECT NULL::oid, 'low', 'field', f.name, 'field-without-column',
         'its table, its column or its type was dropped; entries of the ledger may still hold values of it',
         'encrypt the column that takes its place under the same name; or leave the field, so that the ledger stays legible'
    FROM aegis.field f
   WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.relation AND a.attname = f.column_name AND NOT a.attisdropped)
      OR NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = f.type)
  UNION ALL
  SELECT DISTINCT s.namespace, 'high', 'table', s.name, 'sealed-without-trigger',
         'trigger zzz_aegis_seal is missing or disabled, so writes of encrypted columns fail',
         format(CASE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = s.oid AND t.tgname = 'zzz_aegis_seal')
                     THEN 'ALTER TABLE %s ENABLE TRIGGER zzz_aegis_seal'
                     ELSE 'CREATE TRIGGER zzz_aegis_seal BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION aegis.seal_row()' END, s.name)
    FROM sealed s
   WHERE s.reference IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = s.oid AND t.tgname = 'zzz_aegis_seal' AND t.tgenabled IN ('A', 'O'))
  UNION ALL
  SELECT DISTINCT s.namespace, 'medium', 'table', s.name, 'sealed-before-trigger',
         format('trigger %I runs after zzz_aegis_seal, and what it changes of a person or a key makes the values that are bound to it open for nobody', t.tgname),
         format('ALTER TRIGGER %I ON %s RENAME TO ...; -- a name before zzz_aegis_seal', t.tgname, s.name)
    FROM sealed s JOIN pg_trigger t ON t.tgrelid = s.oid AND t.tgname > 'zzz_aegis_seal' AND t.tgname <> 'zzz_aegis_twin' AND NOT t.tgisinternal
   WHERE (s.subject_column IS NOT NULL OR s.row_key IS NOT NULL) AND (t.tgtype & 3) = 3 AND (t.tgtype & 20) <> 0  -- BEFORE, FOR EACH ROW, INSERT or UPDATE
  UNION ALL
  SELECT s.namespace, 'high', 'column', format('%s.%I', s.name, s.attname), 'sealed-without-check',
         'no constraint refuses values that were not sealed for the row''s tenant',
         format('ALTER TABLE %s ADD CHECK (aegis.is_sealed_for(%I, ''%s''::bigint, tenant_id%s%s))', s.name, s.attname, s.reference,
                ', ' || quote_ident(s.subject_column), s.row_bond)
    FROM sealed s
   WHERE s.reference IS NOT NULL AND NOT EXISTS (
           SELECT FROM pg_constraint c WHERE c.conrelid = s.oid AND c.contype = 'c' AND c.convalidated
              AND CASE WHEN s.subject_column IS NULL
                       THEN pg_get_constraintdef(c.oid) = format('CHECK (aegis.is_sealed_for(%I, ''%s''::bigint, tenant_id%s))', s.attname, s.reference, s.row_bond)
                       -- The column that names the subject may have another name by now.
                       ELSE starts_with(pg_get_constraintdef(c.oid), format('CHECK (aegis.is_sealed_for(%I, ''%s''::bigint, tenant_id, ', s.attname, s.reference))
                        AND right(pg_get_constraintdef(c.oid), length(s.row_bond) + 2) = s.row_bond || '))' END)
  UNION ALL
  SELECT s.namespace, 'high', 'column', format('%s.%I', s.name, s.attname), 'sealed-key-changed',
         'its values are bound to a primary key that the table does not have any more, so they do not open',
         format('Give table %s a primary key of types %s in the order that the values were sealed for', s.name, array_to_string(s.row_key, ', '))
    FROM sealed s WHERE s.row_key IS NOT NULL AND s.row_key IS DISTINCT FROM s.key_types
  UNION ALL
  SELECT s.namespace, 'medium', 'column', format('%s.%I', s.name, s.attname), 'field-low-entropy',
         'its values can be searched and are few, so how often each occurs tells which is which. ' || e.why,
         format('SELECT aegis.encrypt_column(%L, %L, %L, %L, %L%s%s, confirm_low_entropy => true)', s.name, s.attname, s.field, s.type, s.mask,
                ', subject => ' || quote_literal(s.subject_column), CASE WHEN s.row_key IS NOT NULL THEN ', row_bound => true' END)
    FROM sealed s CROSS JOIN LATERAL (SELECT aegis.coverage_entropy(s.oid, s.attname) AS why) e
   WHERE s.normaliser IS NOT NULL AND NOT s.low_entropy_confirmed AND e.why IS NOT NULL
$$;
COMMENT ON FUNCTION aegis.coverage_sealed() IS 'coverage: sealed columns that nothing seals or checks';

CREATE FUNCTION aegis.coverage_reveal()
  RETURNS TABLE (namespace oid, severity text, object_kind text, object text, finding text, problem text, fix text)
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT NULL::oid, 'low', 'field', f.name, 'reveal-bound-of-nobody',
         'the role that the field is bounded for was dropped; one that is made again under its name has no bound',
         format('SELECT aegis.set_reveal_policy(%L, %s::regrole, ''full'')', f.name, b.role::oid)
    FROM aegis.reveal_bound b JOIN aegis.field f ON f.reference = b.field
   WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = b.role)
$$;
COMMENT ON FUNCTION aegis.coverage_reveal() IS 'coverage: bounds of roles that are gone';
