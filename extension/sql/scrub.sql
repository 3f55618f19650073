-- Card data: removed from what programs send, refused in what people write, and judged before it is stored. docs/scrub.md.

CREATE FUNCTION aegis.scrub(value text, profile text DEFAULT 'payload') RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_scrub_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aegis.scrub(text, text) IS
  'payload: the text with card data replaced by constants; user_field: the text itself, ERROR AG020 when it holds card data';

CREATE FUNCTION aegis.scrub(value jsonb, profile text DEFAULT 'payload') RETURNS jsonb
  AS 'MODULE_PATHNAME', 'aegis_scrub_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aegis.scrub(jsonb, text) IS 'the same for JSON: names of fields count, other values keep every digit';

CREATE FUNCTION aegis.scrub_findings(value text, OUT kind text, OUT pointer text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_scrub_findings_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION aegis.scrub_findings(text) IS 'what aegis.scrub would replace: its kind and RFC 6901 pointer, never the value';

CREATE FUNCTION aegis.scrub_findings(value jsonb, OUT kind text, OUT pointer text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'aegis_scrub_findings_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION aegis.scrub_findings(jsonb) IS 'what aegis.scrub would replace: its kind and RFC 6901 pointer, never the value';

CREATE FUNCTION aegis.is_free_of_card_data(value text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_free_of_card_data' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aegis.is_free_of_card_data(text) IS 'the independent verifier, for CHECK constraints: nothing is left that the scrubber should have removed';

CREATE FUNCTION aegis.is_free_of_card_data(value bytea) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_free_of_card_data' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aegis.is_free_of_card_data(bytea) IS 'the same for bytes of any meaning';

CREATE FUNCTION aegis.is_free_of_card_data(value jsonb) RETURNS boolean
  AS 'MODULE_PATHNAME', 'aegis_is_free_of_card_data_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION aegis.is_free_of_card_data(jsonb) IS 'the same for JSON';

CREATE FUNCTION aegis.refuse_card_data() RETURNS trigger
  AS 'MODULE_PATHNAME', 'aegis_refuse_card_data' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION aegis.refuse_card_data() IS
  'BEFORE INSERT OR UPDATE trigger for each row: ERROR AG020 when a column that its arguments name holds card data, sealed ones before they are sealed';
