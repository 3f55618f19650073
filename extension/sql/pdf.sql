-- Documents as PDF. docs/pdf.md.

CREATE FUNCTION aegis.pdf(document jsonb) RETURNS bytea
  AS 'MODULE_PATHNAME', 'aegis_pdf' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION aegis.pdf(jsonb) IS 'a document of rows of cells as PDF, A4, with its fonts embedded; the same document gives the same bytes';
