-- Equality on sealed values answers like equality on plain ones, in every plan, for one tenant at a
-- time, and shows nothing to those who have no tenant.
\set VERBOSITY terse
SET client_min_messages = warning;
SET jit = off;  -- what is switched off costs so much that every plan would be compiled
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ('5c000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(int) RETURNS void LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '5c000000-0000-4000-8000-0000000000ff', 4, 1, 100) $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 3) i;

-- 3 tenants with 200 addresses each, 100 of them the same; a twin keeps them in plain text.
CREATE TABLE search_t (tenant_id uuid NOT NULL, id int, email aegis.sealed_email, other aegis.sealed_email);
CREATE TABLE search_plain (tenant_id uuid NOT NULL, id int, email text, other text);
INSERT INTO search_plain SELECT probe_tenant(t), i, CASE WHEN i <= 100 THEN 'u' || i ELSE 'v' || t || '-' || i END || '@example.com',
         'u' || (i % 50) || '@example.com' FROM generate_series(1, 3) t, generate_series(1, 200) i;
SELECT aegis.encrypt_column('search_t', 'email', 'search_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('search_t', 'other', 'search_test.other', 'aegis.sealed_email', 'email');
INSERT INTO search_t SELECT * FROM search_plain;
CREATE UNIQUE INDEX search_unique ON search_t (tenant_id, email);
CREATE INDEX search_btree ON search_t (email);
CREATE INDEX search_hash ON search_t USING hash (email);
ANALYZE search_t;
CREATE ROLE regress_search;
GRANT USAGE ON SCHEMA aegis TO regress_search;
GRANT ALL ON search_t, search_plain TO regress_search;
GRANT EXECUTE ON FUNCTION probe_context(uuid, uuid, int, bigint, bigint) TO regress_search;
SET SESSION AUTHORIZATION regress_search;

-- allows: every spelling of equality finds the tenant's rows and no other's; letter case does not matter
BEGIN;
SELECT probe_as(1);
SELECT count(*) FROM search_t WHERE email = 'U7@Example.com';
SELECT count(*) FROM search_t WHERE email = ' u7@example.com'::text;
SELECT count(*) FROM search_t WHERE 'u7@example.com'::varchar = email;
SELECT count(*) FROM search_t WHERE email = 'no address at all';
SELECT count(*) FROM search_t WHERE email = 'v2-150@example.com';
SELECT count(*) FROM search_t WHERE email IS NOT DISTINCT FROM 'u7@example.com';
SELECT count(*) FROM search_t WHERE email <> 'u7@example.com' AND tenant_id = probe_tenant(1);
SELECT count(*) FROM search_t WHERE email <> 'u7@example.com'::text AND tenant_id = probe_tenant(1);
SELECT count(*) FROM search_t WHERE NULLIF(email, 'u7@example.com') IS NULL;
SELECT count(*) FROM search_t WHERE (email, id) = ('u7@example.com', 7);
SELECT count(*) FROM search_t WHERE CASE email WHEN 'u7@example.com' THEN true ELSE false END;
COMMIT;

-- allows: IN and ANY of any length, joins, subqueries, grouping: the same counts as on plain text,
-- whichever plan is forced
CREATE FUNCTION pg_temp.differences() RETURNS TABLE (setting text, query int, plain bigint, sealed bigint) LANGUAGE plpgsql AS $$
DECLARE
  t text := (SELECT string_agg(quote_literal('u' || (i * 3) || '@example.com'), ', ') FROM generate_series(1, 60) i);
  queries text[] := ARRAY[
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email IN ('u1@example.com')$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email IN ('u1@example.com', 'u2@example.com')$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email IN ('u1@example.com','u2@example.com','u3@example.com','u4@example.com','u5@example.com','u6@example.com','u7@example.com','x@example.com')$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email IN (%4$s)$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email NOT IN (%4$s)$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email = ANY (ARRAY[%4$s]::%3$s[])$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email = ANY (ARRAY[%4$s]::text[])$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email = ANY (ARRAY['u1@example.com', NULL]::varchar[])$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email = ANY ('{}'::%3$s[])$q$,
    $q$SELECT count(*) FROM %1$s WHERE %2$s AND email <> ALL (ARRAY[%4$s]::%3$s[])$q$,
    $q$SELECT count(*) FROM %1$s c JOIN unnest(ARRAY[%4$s]::%3$s[]) x ON c.email = x WHERE %2$s$q$,
    $q$SELECT count(*) FROM %1$s c JOIN (VALUES ('u1@example.com'::%3$s), ('u2@example.com')) x(e) ON c.email = x.e WHERE %2$s$q$,
    $q$SELECT count(*) FROM %1$s a JOIN %1$s b ON a.email = b.other AND a.tenant_id = b.tenant_id WHERE a.%2$s$q$,
    $q$SELECT count(*) FROM %1$s a JOIN %1$s b ON a.email = b.other AND a.tenant_id = b.tenant_id WHERE a.%2$s AND a.email = 'u3@example.com'$q$,
    $q$SELECT count(*) FROM %1$s a JOIN %1$s b USING (tenant_id, email) WHERE %2$s$q$,
    $q$SELECT count(*) FROM %1$s a LEFT JOIN %1$s b ON a.email = b.other AND b.id < 5 WHERE a.%2$s AND b.id IS NULL AND a.tenant_id = public.probe_tenant(1)$q$,
    $q$SELECT count(*) FROM %1$s a WHERE %2$s AND EXISTS (SELECT FROM %1$s b WHERE b.other = a.email AND b.tenant_id = a.tenant_id)$q$,
    $q$SELECT count(*) FROM %1$s a WHERE %2$s AND a.email IN (SELECT other FROM %1$s b WHERE b.%2$s)$q$,
    $q$SELECT count(*) FROM (SELECT DISTINCT other FROM %1$s WHERE %2$s) x$q$,
    $q$SELECT count(DISTINCT other) FROM %1$s WHERE %2$s$q$,
    $q$SELECT count(*) FROM (SELECT other, count(*) FROM %1$s WHERE %2$s GROUP BY other HAVING count(*) = 4) x$q$,
    $q$SELECT count(*) FROM (SELECT email FROM %1$s WHERE %2$s UNION SELECT other FROM %1$s WHERE %2$s) x$q$,
    $q$SELECT count(*) FROM (SELECT email FROM %1$s WHERE %2$s INTERSECT SELECT other FROM %1$s WHERE %2$s) x$q$,
    $q$SELECT count(*) FROM (SELECT email FROM %1$s WHERE %2$s EXCEPT SELECT other FROM %1$s WHERE %2$s) x$q$,
    $q$WITH x AS MATERIALIZED (SELECT email e, tenant_id FROM %1$s) SELECT count(*) FROM x WHERE %2$s AND e = 'u9@example.com'$q$,
    $q$SELECT count(*) FROM %1$s a, LATERAL (SELECT 1 FROM %1$s b WHERE b.email = a.other AND b.tenant_id = a.tenant_id LIMIT 1) l WHERE a.%2$s$q$
  ];
  plan text;
  off text;
BEGIN
  FOREACH plan IN ARRAY ARRAY['', 'enable_seqscan', 'enable_indexscan,enable_bitmapscan,enable_indexonlyscan', 'enable_hashjoin,enable_mergejoin,enable_hashagg',
                              'enable_nestloop,enable_mergejoin', 'enable_nestloop,enable_hashjoin', 'parallel'] LOOP
    FOREACH off IN ARRAY string_to_array('enable_seqscan,enable_indexscan,enable_bitmapscan,enable_indexonlyscan,enable_hashjoin,enable_mergejoin,enable_nestloop,enable_hashagg', ',') LOOP
      PERFORM set_config(off, CASE WHEN off = ANY (string_to_array(plan, ',')) THEN 'off' ELSE 'on' END, true);
    END LOOP;
    PERFORM set_config('force_parallel_mode', CASE WHEN plan = 'parallel' THEN 'on' ELSE 'off' END, true);
    setting := plan;
    FOR query IN 1 .. cardinality(queries) LOOP
      EXECUTE format(queries[query], 'public.search_plain', 'tenant_id = public.probe_tenant(1)', 'text', t) INTO plain;
      EXECUTE format(queries[query], 'public.search_t', 'tenant_id = public.probe_tenant(1)', 'aegis.sealed_email', t) INTO sealed;
      IF plain IS DISTINCT FROM sealed OR plain IS NULL THEN RETURN NEXT; END IF;
    END LOOP;
  END LOOP;
END $$;
BEGIN;
SELECT probe_as(1);
SELECT * FROM pg_temp.differences();
COMMIT;

-- allows: generic plans follow the tenant of each execution
PREPARE find(aegis.sealed_email) AS SELECT count(*) FROM search_t WHERE email = $1;
PREPARE find_text(text) AS SELECT count(*) FROM search_t WHERE email = $1;
SET plan_cache_mode = force_generic_plan;
BEGIN; SELECT probe_as(1); EXECUTE find('v1-150@example.com'); EXECUTE find_text('v1-150@example.com'); COMMIT;
BEGIN; SELECT probe_as(2); EXECUTE find('v1-150@example.com'); EXECUTE find_text('v1-150@example.com'); COMMIT;
BEGIN; SELECT probe_as(2); EXECUTE find('v2-150@example.com'); EXECUTE find_text('v2-150@example.com'); COMMIT;
RESET plan_cache_mode;

-- refuses: comparing with a plain value without a tenant
SELECT count(*) FROM search_t WHERE email = 'u7@example.com';
SELECT count(*) FROM search_t WHERE email = 'u7@example.com'::text;

-- refuses: the same address twice, without telling which
BEGIN;
SELECT probe_as(1);
\set VERBOSITY sqlstate
INSERT INTO search_t VALUES (probe_tenant(1), 999, 'U7@example.com', NULL);
ROLLBACK;
\set VERBOSITY terse
CREATE FUNCTION pg_temp.detail() RETURNS TABLE (names_plaintext bool, shows_armor bool) LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
  INSERT INTO public.search_t VALUES (public.probe_tenant(1), 999, 'u7@example.com', NULL);
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RETURN QUERY SELECT d LIKE '%u7@%', d LIKE '%A1.%';
END $$;
BEGIN;
SELECT probe_as(1);
SELECT * FROM pg_temp.detail();
COMMIT;

-- allows: ON CONFLICT infers the unique index and finds the row
BEGIN;
SELECT probe_as(1);
INSERT INTO search_t VALUES (probe_tenant(1), 999, 'U7@example.com', NULL) ON CONFLICT (tenant_id, email) DO NOTHING;
INSERT INTO search_t VALUES (probe_tenant(1), 999, 'U7@example.com', NULL) ON CONFLICT (tenant_id, email)
  DO UPDATE SET id = excluded.id WHERE search_t.email = 'u7@example.com';
SELECT count(*) FROM search_t WHERE email = 'u7@example.com' AND id = 999;
ROLLBACK;

RESET SESSION AUTHORIZATION;
-- allows: an index serves equality; EXPLAIN needs no tenant and prints no plaintext
BEGIN;
DROP INDEX search_hash, search_unique;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM search_t WHERE email = 'u7@example.com';
PREPARE by_text(text, varchar) AS SELECT id FROM search_t WHERE email = $1 UNION ALL SELECT id FROM search_t WHERE $2 = email;
SET LOCAL plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_text('u7@example.com', 'u7@example.com');
EXPLAIN (COSTS OFF) SELECT id FROM search_t WHERE email <> 'u7@example.com'::text;
SET LOCAL SESSION AUTHORIZATION regress_search;
SELECT probe_as(1);
EXECUTE by_text('U7@Example.com', ' u7@example.com');
EXECUTE by_text('nobody@example.com', NULL);
DEALLOCATE by_text;
ROLLBACK;

-- survives: one index over three tenants answers every probe for the right one
CREATE FUNCTION pg_temp.probe_all(t int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE wrong bigint := 0; r record;
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true);
  FOR r IN SELECT p.email, p.id FROM public.search_plain p WHERE p.tenant_id = public.probe_tenant(t) LOOP
    IF (SELECT count(*) FROM public.search_t s WHERE s.email = r.email::aegis.sealed_email AND s.id = r.id) <> 1 THEN
      wrong := wrong + 1;
    END IF;
  END LOOP;
  RETURN wrong;
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.probe_all(int) TO regress_search;
SET SESSION AUTHORIZATION regress_search;
BEGIN; SELECT probe_as(1); SELECT pg_temp.probe_all(1); COMMIT;
BEGIN; SELECT probe_as(2); SELECT pg_temp.probe_all(2); COMMIT;
BEGIN; SELECT probe_as(3); SELECT pg_temp.probe_all(3); COMMIT;
RESET SESSION AUTHORIZATION;

DROP TABLE search_t, search_plain;
DELETE FROM aegis.field WHERE name LIKE 'search_test.%';
REVOKE USAGE ON SCHEMA aegis FROM regress_search;
DROP FUNCTION pg_temp.differences(), pg_temp.detail(), pg_temp.probe_all(int);
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 3) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
DROP ROLE regress_search;
