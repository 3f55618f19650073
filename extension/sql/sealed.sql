-- Sealed types: ciphertext in and out, plaintext in only. docs/sealed.md.

CREATE TYPE aegis.sealed_text;
CREATE TYPE aegis.sealed_email;

CREATE FUNCTION aegis.sealed_text_in(cstring) RETURNS aegis.sealed_text
  AS 'MODULE_PATHNAME', 'aegis_sealed_text_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_text_in(cstring) IS 'armor is an envelope, other text an unsealed value';

CREATE FUNCTION aegis.sealed_text_out(aegis.sealed_text) RETURNS cstring
  AS 'MODULE_PATHNAME', 'aegis_sealed_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_text_out(aegis.sealed_text) IS 'armor, or <unsealed>';

CREATE FUNCTION aegis.sealed_text_recv(internal) RETURNS aegis.sealed_text
  AS 'MODULE_PATHNAME', 'aegis_sealed_text_recv' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_text_recv(internal) IS 'an envelope, or text';

CREATE FUNCTION aegis.sealed_text_send(aegis.sealed_text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_sealed_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_text_send(aegis.sealed_text) IS 'the envelope, or <unsealed>';

CREATE FUNCTION aegis.sealed_email_in(cstring) RETURNS aegis.sealed_email
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_in(cstring) IS 'armor is an envelope, other text an unsealed value';

CREATE FUNCTION aegis.sealed_email_out(aegis.sealed_email) RETURNS cstring
  AS 'MODULE_PATHNAME', 'aegis_sealed_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_out(aegis.sealed_email) IS 'armor, or <unsealed>';

CREATE FUNCTION aegis.sealed_email_recv(internal) RETURNS aegis.sealed_email
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_recv' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_recv(internal) IS 'an envelope, or text';

CREATE FUNCTION aegis.sealed_email_send(aegis.sealed_email) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_sealed_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_send(aegis.sealed_email) IS 'the envelope, or <unsealed>';

CREATE FUNCTION aegis.sealed_typanalyze(internal) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_typanalyze' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_typanalyze(internal) IS 'statistics without values';

CREATE TYPE aegis.sealed_text (
  INPUT = aegis.sealed_text_in, OUTPUT = aegis.sealed_text_out,
  RECEIVE = aegis.sealed_text_recv, SEND = aegis.sealed_text_send,
  ANALYZE = aegis.sealed_typanalyze,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external, CATEGORY = 'U'
);
COMMENT ON TYPE aegis.sealed_text IS 'text that is sealed; no operators, read with aegis.reveal()';

CREATE TYPE aegis.sealed_email (
  INPUT = aegis.sealed_email_in, OUTPUT = aegis.sealed_email_out,
  RECEIVE = aegis.sealed_email_recv, SEND = aegis.sealed_email_send,
  ANALYZE = aegis.sealed_typanalyze,
  INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external, CATEGORY = 'U'
);
COMMENT ON TYPE aegis.sealed_email IS 'e-mail address that is sealed and can be found by equality';

CREATE FUNCTION aegis.to_sealed_text(text) RETURNS aegis.sealed_text
  AS 'MODULE_PATHNAME', 'aegis_sealed_text_from_text' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.to_sealed_text(text) IS 'an unsealed value, or the envelope that armor holds';

CREATE FUNCTION aegis.to_sealed_text(character) RETURNS aegis.sealed_text
  AS 'MODULE_PATHNAME', 'aegis_sealed_text_from_bpchar' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.to_sealed_text(character) IS 'an unsealed value without the padding';

CREATE FUNCTION aegis.armor(aegis.sealed_text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_sealed_to_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.armor(aegis.sealed_text) IS 'the armor of a sealed value';

CREATE FUNCTION aegis.is_sealed(aegis.sealed_text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_sealed' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed(aegis.sealed_text) IS 'true for an envelope, false for an unsealed value';

CREATE FUNCTION aegis.is_sealed_for(aegis.sealed_text, bigint, uuid) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_text_is_sealed_for' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed_for(aegis.sealed_text, bigint, uuid) IS 'true for NULL and for an envelope of this field and tenant';

CREATE CAST (text AS aegis.sealed_text) WITH FUNCTION aegis.to_sealed_text(text) AS ASSIGNMENT;
CREATE CAST (varchar AS aegis.sealed_text) WITH FUNCTION aegis.to_sealed_text(text) AS ASSIGNMENT;
CREATE CAST (character AS aegis.sealed_text) WITH FUNCTION aegis.to_sealed_text(character) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_text AS text) WITH FUNCTION aegis.armor(aegis.sealed_text) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_text AS varchar) WITH FUNCTION aegis.armor(aegis.sealed_text) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_text AS character) WITH FUNCTION aegis.armor(aegis.sealed_text) AS ASSIGNMENT;

CREATE FUNCTION aegis.to_sealed_email(text) RETURNS aegis.sealed_email
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_from_text' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.to_sealed_email(text) IS 'an unsealed value, or the envelope that armor holds';

CREATE FUNCTION aegis.to_sealed_email(character) RETURNS aegis.sealed_email
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_from_bpchar' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.to_sealed_email(character) IS 'an unsealed value without the padding';

CREATE FUNCTION aegis.armor(aegis.sealed_email) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_sealed_to_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.armor(aegis.sealed_email) IS 'the armor of a sealed value';

CREATE FUNCTION aegis.is_sealed(aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_sealed' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed(aegis.sealed_email) IS 'true for an envelope, false for an unsealed value';

CREATE FUNCTION aegis.is_sealed_for(aegis.sealed_email, bigint, uuid) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_is_sealed_for' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.is_sealed_for(aegis.sealed_email, bigint, uuid) IS 'true for NULL and for an envelope of this field and tenant, with its search token';

CREATE CAST (text AS aegis.sealed_email) WITH FUNCTION aegis.to_sealed_email(text) AS ASSIGNMENT;
CREATE CAST (varchar AS aegis.sealed_email) WITH FUNCTION aegis.to_sealed_email(text) AS ASSIGNMENT;
CREATE CAST (character AS aegis.sealed_email) WITH FUNCTION aegis.to_sealed_email(character) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_email AS text) WITH FUNCTION aegis.armor(aegis.sealed_email) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_email AS varchar) WITH FUNCTION aegis.armor(aegis.sealed_email) AS ASSIGNMENT;
CREATE CAST (aegis.sealed_email AS character) WITH FUNCTION aegis.armor(aegis.sealed_email) AS ASSIGNMENT;

-- LEAKPROOF, or row security would keep every index on a sealed column from being used. What is stored
-- has a token (the CHECK insists), so a stored value never makes this raise: only the value that is asked
-- for can, and its asker knows that one. The forms with text stay as they are: a text may be a row's.
CREATE FUNCTION aegis.sealed_email_eq(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_eq' LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_eq(aegis.sealed_email, aegis.sealed_email) IS 'equality by search token';

CREATE FUNCTION aegis.sealed_email_ne(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_ne' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_ne(aegis.sealed_email, aegis.sealed_email) IS 'inequality by search token';

CREATE FUNCTION aegis.sealed_email_text_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_text_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_text_support(internal) IS 'lets equality with a plain text use an index';

CREATE FUNCTION aegis.sealed_email_eq(aegis.sealed_email, text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_eq_text' LANGUAGE C STABLE STRICT PARALLEL SAFE
  SUPPORT aegis.sealed_email_text_support;
COMMENT ON FUNCTION aegis.sealed_email_eq(aegis.sealed_email, text) IS 'equality with a plain text';

CREATE FUNCTION aegis.sealed_email_ne(aegis.sealed_email, text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_ne_text' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_ne(aegis.sealed_email, text) IS 'inequality with a plain text';

CREATE FUNCTION aegis.sealed_email_eq(text, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_text_eq_sealed_email' LANGUAGE C STABLE STRICT PARALLEL SAFE
  SUPPORT aegis.sealed_email_text_support;
COMMENT ON FUNCTION aegis.sealed_email_eq(text, aegis.sealed_email) IS 'equality with a plain text';

CREATE FUNCTION aegis.sealed_email_ne(text, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_text_ne_sealed_email' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_ne(text, aegis.sealed_email) IS 'inequality with a plain text';

CREATE FUNCTION aegis.sealed_email_cmp(aegis.sealed_email, aegis.sealed_email) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_cmp' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_cmp(aegis.sealed_email, aegis.sealed_email) IS 'order of search tokens, for index and sort';

CREATE FUNCTION aegis.sealed_email_hash(aegis.sealed_email) RETURNS integer
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_hash' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_hash(aegis.sealed_email) IS 'hash of the search token';

CREATE FUNCTION aegis.sealed_email_hash_extended(aegis.sealed_email, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_hash_extended' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_hash_extended(aegis.sealed_email, bigint) IS 'seeded hash of the search token';

CREATE FUNCTION aegis.sealed_email_lt(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_order' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_lt(aegis.sealed_email, aegis.sealed_email) IS 'refuses: sealed values have no order';

CREATE FUNCTION aegis.sealed_email_le(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_order' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_le(aegis.sealed_email, aegis.sealed_email) IS 'refuses: sealed values have no order';

CREATE FUNCTION aegis.sealed_email_ge(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_order' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_ge(aegis.sealed_email, aegis.sealed_email) IS 'refuses: sealed values have no order';

CREATE FUNCTION aegis.sealed_email_gt(aegis.sealed_email, aegis.sealed_email) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_sealed_email_order' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_email_gt(aegis.sealed_email, aegis.sealed_email) IS 'refuses: sealed values have no order';

CREATE FUNCTION aegis.sealed_order_sel(internal, oid, internal, integer) RETURNS double precision
  AS 'MODULE_PATHNAME', 'aegis_sealed_order_selectivity' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_order_sel(internal, oid, internal, integer) IS 'refuses when a statement is planned';

CREATE FUNCTION aegis.sealed_order_joinsel(internal, oid, internal, smallint, internal) RETURNS double precision
  AS 'MODULE_PATHNAME', 'aegis_sealed_order_selectivity' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.sealed_order_joinsel(internal, oid, internal, smallint, internal) IS 'refuses when a statement is planned';

-- Equality lies in pg_catalog: names of operators, IN and USING are looked up through search_path,
-- and code that pins it to pg_catalog must find these too. They accept nothing but our own types.

CREATE OPERATOR pg_catalog.= (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_eq,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (aegis.sealed_email, aegis.sealed_email) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_ne,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (aegis.sealed_email, aegis.sealed_email) IS 'not equal';

CREATE OPERATOR pg_catalog.= (
  LEFTARG = aegis.sealed_email, RIGHTARG = text, FUNCTION = aegis.sealed_email_eq,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel
);
COMMENT ON OPERATOR pg_catalog.= (aegis.sealed_email, text) IS 'equal to a plain text';

CREATE OPERATOR pg_catalog.= (
  LEFTARG = text, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_eq,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel
);
COMMENT ON OPERATOR pg_catalog.= (text, aegis.sealed_email) IS 'equal to a plain text';

CREATE OPERATOR pg_catalog.<> (
  LEFTARG = aegis.sealed_email, RIGHTARG = text, FUNCTION = aegis.sealed_email_ne,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (aegis.sealed_email, text) IS 'not equal to a plain text';

CREATE OPERATOR pg_catalog.<> (
  LEFTARG = text, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_ne,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (text, aegis.sealed_email) IS 'not equal to a plain text';

-- Order lies in aegis, out of reach of plain names: sorts and merge joins need it, statements must not.

CREATE OPERATOR aegis.< (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_lt,
  COMMUTATOR = OPERATOR(aegis.>), NEGATOR = OPERATOR(aegis.>=), RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
);
COMMENT ON OPERATOR aegis.< (aegis.sealed_email, aegis.sealed_email) IS 'refused: sealed values have no order';

CREATE OPERATOR aegis.<= (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_le,
  COMMUTATOR = OPERATOR(aegis.>=), NEGATOR = OPERATOR(aegis.>), RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
);
COMMENT ON OPERATOR aegis.<= (aegis.sealed_email, aegis.sealed_email) IS 'refused: sealed values have no order';

CREATE OPERATOR aegis.>= (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_ge,
  COMMUTATOR = OPERATOR(aegis.<=), NEGATOR = OPERATOR(aegis.<), RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
);
COMMENT ON OPERATOR aegis.>= (aegis.sealed_email, aegis.sealed_email) IS 'refused: sealed values have no order';

CREATE OPERATOR aegis.> (
  LEFTARG = aegis.sealed_email, RIGHTARG = aegis.sealed_email, FUNCTION = aegis.sealed_email_gt,
  COMMUTATOR = OPERATOR(aegis.<), NEGATOR = OPERATOR(aegis.<=), RESTRICT = aegis.sealed_order_sel, JOIN = aegis.sealed_order_joinsel
);
COMMENT ON OPERATOR aegis.> (aegis.sealed_email, aegis.sealed_email) IS 'refused: sealed values have no order';

CREATE OPERATOR CLASS aegis.sealed_email_hash_ops DEFAULT FOR TYPE aegis.sealed_email USING hash AS
  OPERATOR 1 pg_catalog.= (aegis.sealed_email, aegis.sealed_email),
  FUNCTION 1 aegis.sealed_email_hash(aegis.sealed_email),
  FUNCTION 2 aegis.sealed_email_hash_extended(aegis.sealed_email, bigint);

CREATE OPERATOR CLASS aegis.sealed_email_ops DEFAULT FOR TYPE aegis.sealed_email USING btree AS
  OPERATOR 1 aegis.< (aegis.sealed_email, aegis.sealed_email),
  OPERATOR 2 aegis.<= (aegis.sealed_email, aegis.sealed_email),
  OPERATOR 3 pg_catalog.= (aegis.sealed_email, aegis.sealed_email),
  OPERATOR 4 aegis.>= (aegis.sealed_email, aegis.sealed_email),
  OPERATOR 5 aegis.> (aegis.sealed_email, aegis.sealed_email),
  FUNCTION 1 aegis.sealed_email_cmp(aegis.sealed_email, aegis.sealed_email);
