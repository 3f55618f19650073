-- How operators get into a tenant: for one transaction, with a reason, always recorded. docs/operator.md.

CREATE FUNCTION aegis.assume_tenant(tenant uuid, reason text, ticket text, read_only boolean DEFAULT true,
                                    time_box interval DEFAULT NULL) RETURNS void
  AS 'MODULE_PATHNAME', 'aegis_assume_tenant' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION aegis.assume_tenant(uuid, text, text, boolean, interval) IS
  'takes the context of a tenant for the rest of the transaction, read-only unless asked; recorded even when rolled back';
