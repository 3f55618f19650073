-- Equality of every kind of searchable type, shipped and one's own, answers as equality of what its normaliser makes of the
-- plain text, in every plan: one list of queries, a twin table for each type; what cannot be answered is an error.
\set VERBOSITY terse
SET client_min_messages = warning;
SET jit = off;  -- what is switched off costs so much that every plan would be compiled
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ('5f000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(int) RETURNS void LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '5f000000-0000-4000-8000-0000000000ff', 4, 1, 100) $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
SELECT count(aegis.create_sealed_type('match_' || n, n)) FROM unnest(ARRAY['exact', 'caseless', 'alnum']) n;
CREATE ROLE regress_match;
GRANT USAGE ON SCHEMA aegis TO regress_match;

-- How a type spells number i (its s-th spelling), and what the normaliser makes of it.
CREATE TABLE match_type (type text, spelled text, plain text);
INSERT INTO match_type VALUES
  ('aegis.sealed_email',    $$(ARRAY['u%1$s@example.com', ' U%1$s@Example.COM '])[%2$s]$$,                                  $$'u%1$s@example.com'$$),
  ('aegis.sealed_keyword',  $$(ARRAY[U&'\00c5 %1$s', U&'A\030a %1$s'])[%2$s]$$,                                             $$U&'\00c5 %1$s'$$),
  ('aegis.sealed_phone',    $$(ARRAY['+4917100000%1$s', '00 49 (171) 000-00.%1$s'])[%2$s]$$,                                $$'+4917100000%1$s'$$),
  ('public.match_exact',    $$(ARRAY['v %1$s', 'v %1$s'])[%2$s]$$,                                                          $$'v %1$s'$$),
  ('public.match_caseless', $$(ARRAY[U&'stra\00dfe%1$s', ' STRASSE%1$s'])[%2$s]$$,                                          $$'strasse%1$s'$$),
  ('public.match_alnum',    $$(ARRAY['de89 %1$s', 'DE-89.%1$s'])[%2$s]$$,                                                   $$'DE89%1$s'$$);
GRANT SELECT ON match_type TO regress_match;
CREATE FUNCTION match_text(template text, i int, s int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE t text; BEGIN EXECUTE 'SELECT ' || format(template, to_char(i, 'FM000'), s) INTO t; RETURN t; END $$;

-- 120 rows of each of two tenants, every other one in the second spelling; w has 30 values and NULLs.
CREATE FUNCTION match_make(m match_type) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := split_part(m.type, '.', 2);
BEGIN
  EXECUTE format('CREATE TABLE %I (tenant_id uuid NOT NULL, id int, v %s, w %s)', 'match_of_' || name, m.type, m.type);
  EXECUTE format('CREATE TABLE %I (tenant_id uuid NOT NULL, id int, v text, w text)', 'plain_of_' || name);
  PERFORM aegis.encrypt_column(('match_of_' || name)::regclass, c, 'match_test.' || name || '_' || c, m.type::regtype) FROM unnest(ARRAY['v', 'w']::name[]) c;
  EXECUTE format('INSERT INTO %I SELECT probe_tenant(t), i, match_text($1, i, 1), CASE WHEN i %% 7 > 0 THEN match_text($1, i %% 30, 1) END
                    FROM generate_series(1, 2) t, generate_series(1, 120) i', 'plain_of_' || name) USING m.plain;
  EXECUTE format('INSERT INTO %I SELECT probe_tenant(t), i, match_text($1, i, 1 + i %% 2), CASE WHEN i %% 7 > 0 THEN match_text($1, i %% 30, 1 + i %% 3 %% 2) END
                    FROM generate_series(1, 2) t, generate_series(1, 120) i', 'match_of_' || name) USING m.spelled;
  EXECUTE format('CREATE UNIQUE INDEX ON %I (tenant_id, v)', 'match_of_' || name);
  EXECUTE format('CREATE INDEX ON %I (w)', 'match_of_' || name);
  EXECUTE format('CREATE INDEX ON %I USING hash (v)', 'match_of_' || name);
  EXECUTE format('ANALYZE %I', 'match_of_' || name);
  EXECUTE format('GRANT ALL ON %I, %I TO regress_match', 'match_of_' || name, 'plain_of_' || name);
END $$;
SELECT count(match_make(m)) FROM match_type m;
VACUUM ANALYZE match_of_sealed_email, match_of_sealed_keyword, match_of_sealed_phone, match_of_match_exact, match_of_match_caseless, match_of_match_alnum;
GRANT EXECUTE ON FUNCTION probe_context(uuid, uuid, int, bigint, bigint) TO regress_match;
SET SESSION AUTHORIZATION regress_match;

-- allows: the same counts as on plain text, whichever plan is forced
CREATE FUNCTION pg_temp.list(template text, s int, count int) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(quote_literal(public.match_text(template, i * 2, s)), ', ') FROM generate_series(1, count) i $$;
CREATE FUNCTION pg_temp.differences(m public.match_type) RETURNS TABLE (type text, setting text, query text, plain bigint, sealed bigint) LANGUAGE plpgsql AS $$
DECLARE
  name text := split_part(m.type, '.', 2);
  queries text[] := ARRAY[
    'SELECT count(*) FROM %1$s WHERE %2$s AND v = %5$s',
    'SELECT count(*) FROM %1$s WHERE %2$s AND %5$s::text = v',
    'SELECT count(*) FROM %1$s WHERE %2$s AND v = %5$s::varchar',
    'SELECT count(*) FROM %1$s WHERE %2$s AND v <> %5$s',
    'SELECT count(*) FROM %1$s WHERE %2$s AND w IS DISTINCT FROM %5$s',
    'SELECT count(*) FROM %1$s WHERE %2$s AND v IN (%6$s)', 'SELECT count(*) FROM %1$s WHERE %2$s AND v IN (%7$s)', 'SELECT count(*) FROM %1$s WHERE %2$s AND v IN (%8$s)',
    'SELECT count(*) FROM %1$s WHERE %2$s AND v IN (%9$s)', 'SELECT count(*) FROM %1$s WHERE %2$s AND w IN (%4$s)', 'SELECT count(*) FROM %1$s WHERE %2$s AND w NOT IN (%4$s)',
    'SELECT count(*) FROM %1$s WHERE %2$s AND w = ANY (ARRAY[%4$s, NULL]::%3$s[])', 'SELECT count(*) FROM %1$s WHERE %2$s AND w = ANY (ARRAY[%9$s, NULL]::text[])',
    'SELECT count(*) FROM %1$s WHERE %2$s AND w = ANY (''{}''::%3$s[])', 'SELECT count(*) FROM %1$s WHERE %2$s AND w <> ALL (ARRAY[%9$s]::%3$s[])',
    'SELECT count(*) FROM %1$s WHERE %2$s AND w <> ALL (ARRAY[%9$s, NULL]::%3$s[])',
    'SELECT count(*) FROM %1$s a JOIN unnest(ARRAY[%4$s]::%3$s[]) x ON a.w = x WHERE %2$s', 'SELECT count(*) FROM %1$s a JOIN %1$s b ON a.v = b.w AND a.tenant_id = b.tenant_id WHERE a.%2$s',
    'SELECT count(*) FROM %1$s a JOIN %1$s b USING (tenant_id, w) WHERE %2$s', 'SELECT count(*) FROM %1$s a FULL JOIN %1$s b ON a.v = b.w AND a.tenant_id = b.tenant_id WHERE coalesce(a.tenant_id, b.tenant_id) = public.probe_tenant(1)',
    'SELECT count(*) FROM %1$s a WHERE %2$s AND EXISTS (SELECT FROM %1$s b WHERE b.w = a.v AND b.tenant_id = a.tenant_id)',
    'SELECT count(*) FROM %1$s a WHERE %2$s AND NOT EXISTS (SELECT FROM %1$s b WHERE b.w = a.v AND b.tenant_id = a.tenant_id)',
    'SELECT count(*) FROM %1$s a WHERE %2$s AND v IN (SELECT w FROM %1$s b WHERE b.%2$s)',
    'SELECT count(*) FROM (SELECT DISTINCT w FROM %1$s WHERE %2$s) x', 'SELECT count(DISTINCT w) FROM %1$s WHERE %2$s',
    'SELECT count(*) FROM (SELECT w, count(*) FROM %1$s WHERE %2$s GROUP BY w HAVING count(*) > 3) x',
    'SELECT sum(n) FROM (SELECT count(*) OVER (PARTITION BY w) AS n FROM %1$s WHERE %2$s) x',
    'SELECT count(*) FROM (SELECT v FROM %1$s WHERE %2$s EXCEPT SELECT w FROM %1$s WHERE %2$s) x', 'SELECT count(*) FROM (SELECT v FROM %1$s WHERE %2$s INTERSECT SELECT w FROM %1$s WHERE %2$s) x',
    'SELECT count(*) FROM (SELECT w IS DISTINCT FROM lag(w) OVER () AS other FROM (SELECT w FROM %1$s WHERE %2$s AND w IN (%9$s) ORDER BY w) x) y WHERE other',
    'SELECT count(*) FROM (SELECT DISTINCT ON (w) w, v FROM %1$s WHERE %2$s ORDER BY w, id) x', 'SELECT count(*) FROM %1$s WHERE %2$s AND (v, w) = (%5$s, %5$s)',
    'WITH x AS MATERIALIZED (SELECT * FROM %1$s) SELECT count(*) FROM x WHERE %2$s AND w IN (%9$s)', 'SELECT count(nullif(w, %5$s)) FROM %1$s WHERE %2$s',
    'SELECT count(*) FROM %1$s a, LATERAL (SELECT FROM %1$s b WHERE b.v = a.w AND b.tenant_id = a.tenant_id LIMIT 1) l WHERE a.%2$s',
    'SELECT count(*) FROM %1$s WHERE %2$s AND v NOT IN (SELECT w FROM %1$s b WHERE b.%2$s AND w IS NOT NULL)', 'SELECT count(*) FROM %1$s WHERE %2$s AND v NOT IN (SELECT w FROM %1$s b WHERE b.%2$s)',
    'SELECT count(*) FROM %1$s WHERE %2$s AND ARRAY[w] = ARRAY[%5$s]::%3$s[]', 'SELECT count(*) FROM (SELECT DISTINCT ROW(w, 1) FROM %1$s WHERE %2$s) x',
    'SELECT count(*) FROM %1$s WHERE %2$s AND CASE w WHEN %5$s THEN true ELSE false END', 'SELECT cardinality(array_agg(DISTINCT w)) FROM %1$s WHERE %2$s',
    'WITH RECURSIVE x(w) AS (SELECT w FROM %1$s WHERE %2$s AND w = %5$s UNION SELECT a.w FROM %1$s a JOIN x USING (w) WHERE a.%2$s) SELECT count(*) FROM x',
    'SELECT count(*) FROM (SELECT w, mod(id, 2), count(*) FROM %1$s WHERE %2$s GROUP BY GROUPING SETS ((w), (w, mod(id, 2)), ())) x',
    'SELECT count(*) FROM (SELECT v FROM %1$s WHERE %2$s AND v = %5$s UNION ALL SELECT w FROM %1$s WHERE %2$s AND w = %5$s) x'];
  -- What is switched off, and what then is somewhere in the plans.
  plans text[] := ARRAY['=Hash Join', 'enable_seqscan,enable_bitmapscan,enable_indexonlyscan=Index Scan', 'enable_seqscan,enable_bitmapscan=Index Only Scan',
    'enable_seqscan,enable_indexscan,enable_indexonlyscan=Bitmap Index Scan', 'enable_indexscan,enable_bitmapscan,enable_indexonlyscan=Seq Scan',
    'enable_hashjoin,enable_mergejoin,enable_hashagg=Nested Loop', 'enable_nestloop,enable_mergejoin,enable_sort=HashAggregate', 'enable_nestloop,enable_hashjoin=Merge Join',
    'parallel=Parallel Seq Scan', 'parallel,alone=Parallel Seq Scan'];
  step text;
  line text;
  found bool;
  answers bigint[];
  off text;
  -- What the places 4 to 9 of a query stand for.
  p text[] := ARRAY[pg_temp.list(m.plain, 1, 100), quote_literal(public.match_text(m.plain, 12, 1)), pg_temp.list(m.plain, 1, 1), pg_temp.list(m.plain, 1, 2), pg_temp.list(m.plain, 1, 8),
                    pg_temp.list(m.plain, 1, 9)];
  s text[] := ARRAY[pg_temp.list(m.spelled, 2, 100), quote_literal(public.match_text(m.spelled, 12, 2)), pg_temp.list(m.spelled, 2, 1), pg_temp.list(m.spelled, 2, 2),
                    pg_temp.list(m.spelled, 2, 8), pg_temp.list(m.spelled, 2, 9)];
BEGIN
  type := name;
  FOR number IN 1 .. cardinality(queries) LOOP
    EXECUTE format(queries[number], 'public.plain_of_' || name, 'tenant_id = public.probe_tenant(1)', 'text', p[1], p[2], p[3], p[4], p[5], p[6]) INTO plain;
    answers[number] := plain;
  END LOOP;
  FOREACH step IN ARRAY plans LOOP
    CONTINUE WHEN step LIKE 'parallel%' AND name NOT IN ('sealed_email', 'match_caseless');  -- starting workers takes long
    setting := split_part(step, '=', 1);
    found := false;
    FOREACH off IN ARRAY string_to_array('enable_seqscan,enable_indexscan,enable_bitmapscan,enable_indexonlyscan,enable_hashjoin,enable_mergejoin,enable_nestloop,enable_hashagg,enable_sort', ',') LOOP
      PERFORM set_config(off, CASE WHEN off = ANY (string_to_array(setting, ',')) THEN 'off' ELSE 'on' END, true);
    END LOOP;
    PERFORM set_config(cost, CASE WHEN setting LIKE 'parallel%' THEN '0' ELSE '1000' END, true) FROM unnest(ARRAY['parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size']) cost;
    PERFORM set_config('parallel_leader_participation', CASE WHEN setting LIKE '%alone' THEN 'off' ELSE 'on' END, true),
            set_config('max_parallel_workers_per_gather', CASE WHEN setting LIKE '%alone' THEN '2' ELSE '1' END, true);
    FOR number IN 1 .. cardinality(queries) LOOP
      plain := answers[number];
      query := format(queries[number], 'public.match_of_' || name, 'tenant_id = public.probe_tenant(1)', m.type, s[1], s[2], s[3], s[4], s[5], s[6]);
      EXECUTE query INTO sealed;
      IF plain IS DISTINCT FROM sealed OR plain IS NULL THEN RETURN NEXT; END IF;
      FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP found := found OR position(split_part(step, '=', 2) IN line) > 0; END LOOP;
    END LOOP;
    IF NOT found THEN
      query := 'not in any plan: ' || split_part(step, '=', 2);
      RETURN NEXT;
    END IF;
  END LOOP;
END $$;
BEGIN;
SELECT probe_as(1);
SELECT d.* FROM match_type m, pg_temp.differences(m) d;
COMMIT;

-- allows: custom and generic plans follow the tenant of each execution; ON CONFLICT finds the row in any spelling
CREATE FUNCTION pg_temp.prepared(m public.match_type) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE name text := split_part(m.type, '.', 2); found bigint[]; one bigint;
BEGIN
  EXECUTE format('PREPARE match_%1$s(%2$s, text, %2$s[]) AS SELECT count(*) FROM public.match_of_%1$s WHERE v = $1 OR w = $2 OR v = ANY ($3)', name, m.type);
  EXECUTE format('EXECUTE match_%s(%L, %L, ARRAY[%L, NULL]::%s[])', name, public.match_text(m.spelled, 12, 2), public.match_text(m.spelled, 3, 2), public.match_text(m.spelled, 13, 1), m.type) INTO one;
  found := array_append(found, one);
  EXECUTE 'DEALLOCATE match_' || name;
  EXECUTE format('INSERT INTO public.match_of_%s (tenant_id, id, v) VALUES (aegis.tenant_id(), 999, %L) ON CONFLICT (tenant_id, v) DO UPDATE SET id = excluded.id WHERE match_of_%1$s.v = %L', name,
                 public.match_text(m.spelled, 12, 2), public.match_text(m.spelled, 12, 1));
  GET DIAGNOSTICS one = ROW_COUNT;
  found := array_append(found, one);
  BEGIN
    EXECUTE format('INSERT INTO public.match_of_%s (tenant_id, id, v) VALUES (aegis.tenant_id(), 998, %L)', name, public.match_text(m.spelled, 13, 2));
  EXCEPTION WHEN unique_violation THEN found := array_append(found, -1);
  END;
  RETURN found;
END $$;
SET plan_cache_mode = force_generic_plan;
BEGIN; SELECT probe_as(1); SELECT m.type, pg_temp.prepared(m) FROM match_type m; ROLLBACK;
SET plan_cache_mode = force_custom_plan;
BEGIN; SELECT probe_as(2); SELECT m.type, pg_temp.prepared(m) FROM match_type m; ROLLBACK;
RESET plan_cache_mode;
PREPARE switched(aegis.sealed_phone) AS SELECT count(*) FROM match_of_sealed_phone WHERE v = $1 AND tenant_id = probe_tenant(2);
PREPARE constant AS SELECT count(*) FROM match_of_sealed_phone WHERE v = '0049 171 00000012' AND tenant_id = probe_tenant(2);
SET plan_cache_mode = force_generic_plan;
BEGIN; SELECT probe_as(1); EXECUTE switched('+4917100000012'); EXECUTE constant; COMMIT;
BEGIN; SELECT probe_as(2); EXECUTE switched('+4917100000012'); EXECUTE constant; COMMIT;
BEGIN; SELECT probe_as(1); EXECUTE switched('+4917100000012'); EXECUTE constant; COMMIT;
RESET plan_cache_mode;

-- refuses: order, and the equality of two types
SELECT count(*) FROM match_of_sealed_phone WHERE v < '+4917100000012';
SELECT count(*) FROM match_of_match_alnum a JOIN match_of_match_exact b ON a.v = b.v;
SELECT count(*) FROM match_of_match_alnum WHERE v = ANY ('{x}'::match_exact[]);
-- refuses: a plain value without a tenant, also in hashed lists and joins
SELECT count(*) FROM match_of_sealed_phone WHERE v = '+4917100000012';
SELECT count(*) FROM match_of_sealed_keyword WHERE v IN ('1', '2', '3', '4', '5', '6', '7', '8', '9', '10');
SELECT count(*) FROM match_of_match_alnum a JOIN unnest('{x}'::match_alnum[]) x ON a.v = x;
-- refuses: to seal what is no phone number with its country, with a hint
BEGIN;
SELECT probe_as(1);
\set VERBOSITY default
INSERT INTO match_of_sealed_phone (tenant_id, id, v) VALUES (probe_tenant(1), 1000, '0171 2345678');
ROLLBACK;
\set VERBOSITY terse
RESET SESSION AUTHORIZATION;

SELECT format('DROP TABLE match_of_%1$s, plain_of_%1$s', split_part(type, '.', 2)) FROM match_type \gexec
DELETE FROM aegis.field WHERE name LIKE 'match_test.%';
DROP FUNCTION pg_temp.differences(match_type), pg_temp.prepared(match_type), pg_temp.list(text, int, int), match_make(match_type), match_text(text, int, int);
DROP TABLE match_type;
DROP TYPE match_exact, match_caseless, match_alnum CASCADE;
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
DROP OWNED BY regress_match;
DROP ROLE regress_match;
