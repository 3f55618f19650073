-- Sealed types: ciphertext in and out, plaintext in only. docs/sealed.md.

CREATE FUNCTION aegis.sealed_typanalyze(internal) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_typanalyze' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_typanalyze(internal) IS 'statistics without values';

CREATE FUNCTION aegis.sealed_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'aegis_sealed_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_support(internal) IS 'lets equality with a plain text use an index';

CREATE FUNCTION aegis.sealed_order_sel(internal, oid, internal, integer) RETURNS double precision
  AS 'MODULE_PATHNAME', 'aegis_sealed_order_selectivity' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_order_sel(internal, oid, internal, integer) IS 'refuses when a statement is planned';

CREATE FUNCTION aegis.sealed_order_joinsel(internal, oid, internal, smallint, internal) RETURNS double precision
  AS 'MODULE_PATHNAME', 'aegis_sealed_order_selectivity' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_order_joinsel(internal, oid, internal, smallint, internal) IS 'refuses when a statement is planned';

-- All searchable types share two operator families, so that a dropped type leaves none behind. No operator has two of them.
CREATE OPERATOR FAMILY aegis.sealed_ops USING btree;
CREATE OPERATOR FAMILY aegis.sealed_ops USING hash;

-- Every kind of sealed type and the input function that makes a type one of its kind (extension/src/sealed_type.cpp).
CREATE VIEW aegis.sealed_kind AS
  SELECT k.* FROM (VALUES ('aegis_sealed_in_text',        'text'::regtype, NULL),
                          ('aegis_sealed_in_bytea',       'bytea',         NULL),
                          ('aegis_sealed_in_jsonb',       'jsonb',         NULL),
                          ('aegis_sealed_in_numeric',     'numeric',       NULL),
                          ('aegis_sealed_in_date',        'date',          NULL),
                          ('aegis_sealed_in_timestamptz', 'timestamptz',   NULL),
                          ('aegis_sealed_in_exact',       'text',          'exact'),
                          ('aegis_sealed_in_keyword',     'text',          'keyword'),
                          ('aegis_sealed_in_caseless',    'text',          'caseless'),
                          ('aegis_sealed_in_email',       'text',          'email'),
                          ('aegis_sealed_in_phone',       'text',          'phone'),
                          ('aegis_sealed_in_alnum',       'text',          'alnum')) k (symbol, plain, normaliser);
COMMENT ON VIEW aegis.sealed_kind IS 'kinds of sealed types: the plain type that goes in and out, and what counts as the same value; none: not searchable';

-- No table: a type is what its input function says, so a dump brings it back whole.
CREATE VIEW aegis.sealed_type AS
  SELECT t.oid::regtype AS type, k.plain, k.normaliser, coalesce(substr(l.label, 6), 'full') AS mask
    FROM aegis.sealed_kind k
    JOIN pg_catalog.pg_proc p ON p.prosrc = k.symbol AND p.probin = 'MODULE_PATHNAME'
    JOIN pg_catalog.pg_type t ON t.typinput = p.oid
    LEFT JOIN pg_catalog.pg_seclabel l ON l.provider = 'aegis' AND l.objoid = t.oid AND l.classoid = 'pg_catalog.pg_type'::regclass;
COMMENT ON VIEW aegis.sealed_type IS 'sealed types of this database, own ones included, and the mask that a field of each has unless told otherwise';

-- Makes a type of a kind, and everything that belongs to it, in a schema; the functions by which others use a sealed value
-- lie in aegis. Names are simple, or create_sealed_type() has refused them.
CREATE FUNCTION aegis.define_sealed_type(schema name, name name, symbol text, description text) RETURNS regtype
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $function$
DECLARE
  own    text := format('%I.%s', schema, name);
  kind   aegis.sealed_kind := (SELECT k FROM aegis.sealed_kind k WHERE k.symbol = define_sealed_type.symbol);
  plain  text := kind.plain;
  -- Operators, IN and USING are looked up through search_path, and code that pins it to pg_catalog must find ours too. They
  -- accept nothing but our own types. A dump leaves out pg_catalog, so those of own types lie beside them.
  equals text := CASE WHEN schema = 'aegis' THEN 'pg_catalog' ELSE quote_ident(schema) END;
  source text;
BEGIN
  EXECUTE format($sql$
    CREATE TYPE %1$s;

    CREATE FUNCTION %1$s_in(cstring) RETURNS %1$s
      AS 'MODULE_PATHNAME', %3$L LANGUAGE C STABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION %1$s_in(cstring) IS 'armor is an envelope, other text an unsealed value';

    CREATE FUNCTION %1$s_out(%1$s) RETURNS cstring
      AS 'MODULE_PATHNAME', 'aegis_sealed_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION %1$s_out(%1$s) IS 'armor, or <unsealed>';

    CREATE FUNCTION %1$s_recv(internal) RETURNS %1$s
      AS 'MODULE_PATHNAME', 'aegis_sealed_recv' LANGUAGE C STABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION %1$s_recv(internal) IS 'an envelope, or a plain value';

    CREATE FUNCTION %1$s_send(%1$s) RETURNS bytea
      AS 'MODULE_PATHNAME', 'aegis_sealed_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION %1$s_send(%1$s) IS 'the envelope, or <unsealed>';

    CREATE TYPE %1$s (
      INPUT = %1$s_in, OUTPUT = %1$s_out, RECEIVE = %1$s_recv, SEND = %1$s_send, ANALYZE = aegis.sealed_typanalyze,
      INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external, CATEGORY = 'U'
    );
    COMMENT ON TYPE %1$s IS %4$L;

    CREATE FUNCTION %2$s(%5$s) RETURNS %1$s
      AS 'MODULE_PATHNAME', 'aegis_sealed_from_plain' LANGUAGE C STABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION %2$s(%5$s) IS 'an unsealed value; of armor, the envelope that it holds';

    CREATE FUNCTION aegis.armor(%1$s) RETURNS text
      AS 'MODULE_PATHNAME', 'aegis_sealed_to_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION aegis.armor(%1$s) IS 'the armor of a sealed value';

    CREATE FUNCTION aegis.is_sealed(%1$s) RETURNS boolean
      AS 'MODULE_PATHNAME', 'aegis_is_sealed' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION aegis.is_sealed(%1$s) IS 'true for an envelope, false for an unsealed value';

    CREATE FUNCTION aegis.is_sealed_for(%1$s, bigint, uuid) RETURNS boolean
      AS 'MODULE_PATHNAME', 'aegis_is_sealed_for' LANGUAGE C IMMUTABLE PARALLEL SAFE;
    COMMENT ON FUNCTION aegis.is_sealed_for(%1$s, bigint, uuid) IS
      'true for NULL and for an envelope of this field and tenant, with its search token if the type has one';

    CREATE FUNCTION aegis.seal(value %1$s, field bigint, tenant uuid) RETURNS %1$s
      AS 'MODULE_PATHNAME', 'aegis_seal' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20;
    COMMENT ON FUNCTION aegis.seal(%1$s, bigint, uuid) IS 'seals an unsealed value for a registered field and a tenant';

    CREATE FUNCTION aegis.reveal(%1$s) RETURNS %5$s
      AS 'MODULE_PATHNAME', 'aegis_reveal' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
    COMMENT ON FUNCTION aegis.reveal(%1$s) IS 'the plain value, where the policy allows; charged and recorded';

    CREATE FUNCTION aegis.masked(%1$s) RETURNS text
      AS 'MODULE_PATHNAME', 'aegis_masked' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
    COMMENT ON FUNCTION aegis.masked(%1$s) IS 'the mask of the value, where the policy allows';

    CREATE FUNCTION aegis.legible(%1$s) RETURNS text
      AS 'MODULE_PATHNAME', 'aegis_legible' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20;
    COMMENT ON FUNCTION aegis.legible(%1$s) IS
      'the plain value as text, its mask or NULL, as the policy allows; plaintext is charged and recorded';

    CREATE FUNCTION aegis.key_epoch(%1$s) RETURNS integer
      AS 'MODULE_PATHNAME', 'aegis_key_epoch' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
    COMMENT ON FUNCTION aegis.key_epoch(%1$s) IS 'the epoch of its tenant''s key that a value was sealed under';

    CREATE FUNCTION aegis.reseal(%1$s) RETURNS %1$s
      AS 'MODULE_PATHNAME', 'aegis_reseal' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
    COMMENT ON FUNCTION aegis.reseal(%1$s) IS
      'the same plaintext and search token under the current epoch; refused outside the job of this name';

    CREATE CAST (%5$s AS %1$s) WITH FUNCTION %2$s(%5$s) AS ASSIGNMENT;
    CREATE CAST (%1$s AS text) WITH FUNCTION aegis.armor(%1$s) AS ASSIGNMENT;
    CREATE CAST (%1$s AS varchar) WITH FUNCTION aegis.armor(%1$s) AS ASSIGNMENT;
    CREATE CAST (%1$s AS character) WITH FUNCTION aegis.armor(%1$s) AS ASSIGNMENT;
  $sql$, own, format('%I.to_%s', schema, name), symbol, description, plain);

  -- What PostgreSQL assigns to the plain type goes in through its text.
  FOREACH source IN ARRAY CASE plain WHEN 'numeric' THEN ARRAY['smallint', 'integer', 'bigint'] WHEN 'jsonb' THEN ARRAY['json']
                               ELSE '{}'::text[] END LOOP
    EXECUTE format('CREATE CAST (%s AS %s) WITH INOUT AS ASSIGNMENT', source, own);
  END LOOP;

  IF plain = 'text' THEN
    EXECUTE format($sql$
      CREATE FUNCTION %2$s(character) RETURNS %1$s
        AS 'MODULE_PATHNAME', 'aegis_sealed_from_padded' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %2$s(character) IS 'an unsealed value without the padding';

      CREATE CAST (varchar AS %1$s) WITH FUNCTION %2$s(text) AS ASSIGNMENT;
      CREATE CAST (character AS %1$s) WITH FUNCTION %2$s(character) AS ASSIGNMENT;
    $sql$, own, format('%I.to_%s', schema, name));
  END IF;

  IF kind.normaliser IS NOT NULL THEN
    -- Leakproof, so that row security, under which every tenant reads, may use an index for it. The row's side is always an
    -- envelope (its CHECK says so; a bare literal that a domain's text makes is never indexed), so a stored value never makes
    -- this raise: only the value that is asked for can, and its asker knows that one. The forms with text stay as they are: a
    -- text may be a row's.
    EXECUTE format($sql$
      CREATE FUNCTION %1$s_eq(%1$s, %1$s) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_sealed_eq' LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_eq(%1$s, %1$s) IS 'equality by search token';

      CREATE FUNCTION %1$s_ne(%1$s, %1$s) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_sealed_ne' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_ne(%1$s, %1$s) IS 'inequality by search token';

      CREATE FUNCTION %1$s_eq(%1$s, text) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_sealed_eq_text' LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT aegis.sealed_support;
      COMMENT ON FUNCTION %1$s_eq(%1$s, text) IS 'equality with a plain text';

      CREATE FUNCTION %1$s_ne(%1$s, text) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_sealed_ne_text' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_ne(%1$s, text) IS 'inequality with a plain text';

      CREATE FUNCTION %1$s_eq(text, %1$s) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_text_eq_sealed' LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT aegis.sealed_support;
      COMMENT ON FUNCTION %1$s_eq(text, %1$s) IS 'equality with a plain text';

      CREATE FUNCTION %1$s_ne(text, %1$s) RETURNS boolean
        AS 'MODULE_PATHNAME', 'aegis_text_ne_sealed' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_ne(text, %1$s) IS 'inequality with a plain text';

      CREATE FUNCTION %1$s_cmp(%1$s, %1$s) RETURNS integer
        AS 'MODULE_PATHNAME', 'aegis_sealed_cmp' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_cmp(%1$s, %1$s) IS 'order of search tokens, for index and sort';

      CREATE FUNCTION %1$s_hash(%1$s) RETURNS integer
        AS 'MODULE_PATHNAME', 'aegis_sealed_hash' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_hash(%1$s) IS 'hash of the search token';

      CREATE FUNCTION %1$s_hash_extended(%1$s, bigint) RETURNS bigint
        AS 'MODULE_PATHNAME', 'aegis_sealed_hash_extended' LANGUAGE C STABLE STRICT PARALLEL SAFE;
      COMMENT ON FUNCTION %1$s_hash_extended(%1$s, bigint) IS 'seeded hash of the search token';

      CREATE FUNCTION aegis.retoken(%1$s) RETURNS %1$s
        AS 'MODULE_PATHNAME', 'aegis_retoken' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 20;
      COMMENT ON FUNCTION aegis.retoken(%1$s) IS
        'the same value with the token of the current search key; refused outside the job that rotates it';
    $sql$, own);

    FOREACH source IN ARRAY ARRAY['lt', 'le', 'ge', 'gt'] LOOP
      EXECUTE format($sql$
        CREATE FUNCTION %1$s_%2$s(%1$s, %1$s) RETURNS boolean
          AS 'MODULE_PATHNAME', 'aegis_sealed_order' LANGUAGE C STABLE STRICT PARALLEL SAFE;
        COMMENT ON FUNCTION %1$s_%2$s(%1$s, %1$s) IS 'refuses: sealed values have no order';
      $sql$, own, source);
    END LOOP;

    EXECUTE format($sql$
      CREATE OPERATOR %2$s.= (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_eq, COMMUTATOR = OPERATOR(%2$s.=), NEGATOR = OPERATOR(%2$s.<>),
        RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
      );
      COMMENT ON OPERATOR %2$s.= (%1$s, %1$s) IS 'equal';

      CREATE OPERATOR %2$s.<> (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_ne, COMMUTATOR = OPERATOR(%2$s.<>), NEGATOR = OPERATOR(%2$s.=),
        RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
      );
      COMMENT ON OPERATOR %2$s.<> (%1$s, %1$s) IS 'not equal';

      CREATE OPERATOR %2$s.= (
        LEFTARG = %1$s, RIGHTARG = text, FUNCTION = %1$s_eq, COMMUTATOR = OPERATOR(%2$s.=), NEGATOR = OPERATOR(%2$s.<>),
        RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel
      );
      COMMENT ON OPERATOR %2$s.= (%1$s, text) IS 'equal to a plain text';

      CREATE OPERATOR %2$s.= (
        LEFTARG = text, RIGHTARG = %1$s, FUNCTION = %1$s_eq, COMMUTATOR = OPERATOR(%2$s.=), NEGATOR = OPERATOR(%2$s.<>),
        RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel
      );
      COMMENT ON OPERATOR %2$s.= (text, %1$s) IS 'equal to a plain text';

      CREATE OPERATOR %2$s.<> (
        LEFTARG = %1$s, RIGHTARG = text, FUNCTION = %1$s_ne, COMMUTATOR = OPERATOR(%2$s.<>), NEGATOR = OPERATOR(%2$s.=),
        RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
      );
      COMMENT ON OPERATOR %2$s.<> (%1$s, text) IS 'not equal to a plain text';

      CREATE OPERATOR %2$s.<> (
        LEFTARG = text, RIGHTARG = %1$s, FUNCTION = %1$s_ne, COMMUTATOR = OPERATOR(%2$s.<>), NEGATOR = OPERATOR(%2$s.=),
        RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
      );
      COMMENT ON OPERATOR %2$s.<> (text, %1$s) IS 'not equal to a plain text';
    $sql$, own, equals);

    -- Order lies in aegis, out of reach of plain names: sorts and merge joins need it, statements must not.
    EXECUTE format($sql$
      CREATE OPERATOR aegis.< (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_lt, COMMUTATOR = OPERATOR(aegis.>), NEGATOR = OPERATOR(aegis.>=),
        RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
      );
      COMMENT ON OPERATOR aegis.< (%1$s, %1$s) IS 'refused: sealed values have no order';

      CREATE OPERATOR aegis.<= (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_le, COMMUTATOR = OPERATOR(aegis.>=), NEGATOR = OPERATOR(aegis.>),
        RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
      );
      COMMENT ON OPERATOR aegis.<= (%1$s, %1$s) IS 'refused: sealed values have no order';

      CREATE OPERATOR aegis.>= (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_ge, COMMUTATOR = OPERATOR(aegis.<=), NEGATOR = OPERATOR(aegis.<),
        RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
      );
      COMMENT ON OPERATOR aegis.>= (%1$s, %1$s) IS 'refused: sealed values have no order';

      CREATE OPERATOR aegis.> (
        LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = %1$s_gt, COMMUTATOR = OPERATOR(aegis.<), NEGATOR = OPERATOR(aegis.<=),
        RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
      );
      COMMENT ON OPERATOR aegis.> (%1$s, %1$s) IS 'refused: sealed values have no order';

      CREATE OPERATOR CLASS %1$s_hash_ops DEFAULT FOR TYPE %1$s USING hash FAMILY aegis.sealed_ops AS
        OPERATOR 1 %2$s.= (%1$s, %1$s),
        FUNCTION 1 %1$s_hash(%1$s),
        FUNCTION 2 %1$s_hash_extended(%1$s, bigint);

      CREATE OPERATOR CLASS %1$s_ops DEFAULT FOR TYPE %1$s USING btree FAMILY aegis.sealed_ops AS
        OPERATOR 1 aegis.< (%1$s, %1$s),
        OPERATOR 2 aegis.<= (%1$s, %1$s),
        OPERATOR 3 %2$s.= (%1$s, %1$s),
        OPERATOR 4 aegis.>= (%1$s, %1$s),
        OPERATOR 5 aegis.> (%1$s, %1$s),
        FUNCTION 1 %1$s_cmp(%1$s, %1$s);
    $sql$, own, equals);
  END IF;
  RETURN own::regtype;
END $function$;
COMMENT ON FUNCTION aegis.define_sealed_type(name, name, text, text) IS 'makes a sealed type and all that belongs to it; create_sealed_type() checks first';

-- Whoever may use a table may use what its columns need, which opens nothing. Order and statistics are the planner's.
CREATE FUNCTION aegis.grant_sealed_type(type regtype) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
  part record;
BEGIN
  FOR part IN SELECT p.oid::regprocedure::text AS routine,
                     CASE WHEN p.prosrc IN ('aegis_reveal', 'aegis_masked', 'aegis_legible') THEN 'aegis_member, aegis_operator'
                          WHEN p.prosrc IN ('aegis_seal', 'aegis_seal_plaintext') THEN 'aegis_operator'
                          WHEN p.prosrc NOT IN ('aegis_sealed_order', 'aegis_login_again', 'aegis_legible_withheld') THEN 'PUBLIC' END AS roles
                FROM pg_proc p
               WHERE p.probin = 'MODULE_PATHNAME' AND grant_sealed_type.type::oid = ANY (p.proargtypes::oid[] || p.prorettype) LOOP
    EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', part.routine);
    CONTINUE WHEN part.roles IS NULL;
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', part.routine, part.roles);
  END LOOP;
END $function$;
COMMENT ON FUNCTION aegis.grant_sealed_type(regtype) IS 'grants the functions of a sealed type to those who need them, by name';

CREATE FUNCTION aegis.create_sealed_type(name text, normaliser text DEFAULT NULL, mask text DEFAULT NULL) RETURNS regtype
  AS 'MODULE_PATHNAME', 'aegis_create_sealed_type' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.create_sealed_type(text, text, text) IS
  'makes a sealed type of text with a search key of its own; without a normaliser it cannot be searched; superusers only';

SELECT aegis.define_sealed_type('aegis', name, 'aegis_sealed_in_' || kind, description)
  FROM (VALUES ('sealed_text', 'text', 'text that is sealed; no operators, read with aegis.reveal()'),
               ('sealed_bytea', 'bytea', 'bytes that are sealed; no operators, read with aegis.reveal()'),
               ('sealed_jsonb', 'jsonb', 'JSON that is sealed; no operators, read with aegis.reveal()'),
               ('sealed_numeric', 'numeric', 'number that is sealed; no operators, read with aegis.reveal()'),
               ('sealed_date', 'date', 'date that is sealed; no operators, read with aegis.reveal()'),
               ('sealed_timestamptz', 'timestamptz', 'moment that is sealed; no operators, read with aegis.reveal()'),
               ('sealed_email', 'email', 'e-mail address that is sealed and can be found by equality'),
               ('sealed_keyword', 'keyword', 'text that is sealed and can be found by equality'),
               ('sealed_phone', 'phone', 'phone number with country prefix that is sealed and can be found by equality'))
       t (name, kind, description);
