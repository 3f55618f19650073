-- What all parts of the report of coverage look at. docs/coverage.md.

CREATE FUNCTION aegis.coverage_setting(name text) RETURNS text
  AS 'MODULE_PATHNAME', 'aegis_coverage_setting' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.coverage_setting(text) IS
  'value of a setting of the server, also of those that only superusers see; NULL when it does not exist';

CREATE FUNCTION aegis.coverage_sample(relation regclass, number smallint, rows integer,
                                      OUT sampled integer, OUT email integer, OUT phone integer, OUT iban integer, OUT card integer)
  AS 'MODULE_PATHNAME', 'aegis_coverage_sample' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION aegis.coverage_sample(regclass, smallint, integer) IS
  'how many of the first values of a text column have the shape of personal data; never a value';

-- Roles whose sessions are tenants', with 0 for PUBLIC, which they are part of.
CREATE FUNCTION aegis.coverage_tenant_roles() RETURNS SETOF oid
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 0::oid
  UNION ALL
  SELECT r.oid FROM pg_roles r
   WHERE NOT r.rolsuper AND (pg_has_role(r.oid, 'aegis_gateway', 'MEMBER') OR pg_has_role(r.oid, 'aegis_member', 'MEMBER'))
$$;
COMMENT ON FUNCTION aegis.coverage_tenant_roles() IS 'roles that tenant sessions have the rights of; 0 is PUBLIC';

-- Names for GRANT and REVOKE.
CREATE FUNCTION aegis.coverage_grantees(roles oid[]) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY r) FROM (SELECT DISTINCT unnest(roles)) AS t(r)
$$;
COMMENT ON FUNCTION aegis.coverage_grantees(oid[]) IS 'names of roles as GRANT and REVOKE take them';

-- Relations that belong to users of the server, and what the registry says of them.
CREATE VIEW aegis.coverage_relation AS
  SELECT c.oid, c.oid::regclass::text AS name, c.relnamespace AS namespace, c.relkind AS kind, c.relowner AS owner,
         c.relispartition AS is_partition, c.relrowsecurity AS row_security, c.relforcerowsecurity AS forced, c.reloptions AS options,
         p.relation IS NOT NULL AS protected, part.root IS NOT NULL AS is_part, coalesce(part.root::oid, c.oid) AS root,
         p.created_by, p.team, p.parent::oid AS parent,
         EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant,
         -- What protect_table was called with: calling it again repairs.
         pg_catalog.format('SELECT aegis.protect_table(%L%s%s%s)', coalesce(part.root::oid, c.oid)::regclass::text,
                           CASE WHEN NOT p.created_by THEN ', created_by => false' ELSE '' END,
                           CASE WHEN NOT p.team THEN ', team => false' ELSE '' END,
                           -- One that was dropped is no parent any more.
                           (SELECT ', parent => ' || pg_catalog.quote_literal(o.oid::regclass::text) FROM pg_catalog.pg_class o WHERE o.oid = p.parent)) AS protect
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN aegis.protected_part part ON part.relation = c.oid
    LEFT JOIN aegis.protected_table p ON p.relation = coalesce(part.root::oid, c.oid)
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('aegis', 'information_schema') AND n.nspname !~ '^pg_';
COMMENT ON VIEW aegis.coverage_relation IS 'relations of users, with what protects them';
