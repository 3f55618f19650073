-- Whatever PostgreSQL does with a table of sealed columns, every type stays sealed and keeps its value: statements that write,
-- COPY, statistics, materialized views, foreign keys, and the way back to a plain column.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_tenant(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('5a000000-0000-4000-8000-00000000000' || $1)::uuid $$;
CREATE FUNCTION probe_as(tenant int) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context(public.probe_tenant($1), '5a000000-0000-4000-8000-0000000000ff', 4, 1, 100)::text $$;
SELECT count(probe_create_keys(probe_tenant(i))) FROM generate_series(1, 2) i;
SELECT aegis.create_sealed_type('statement_' || coalesce(n, 'none'), n) IS NULL AS failed FROM unnest(ARRAY['caseless', 'alnum', NULL]) n;
CREATE ROLE regress_statement;
GRANT USAGE ON SCHEMA aegis TO regress_statement;

-- Every type with two values and the first one once more, spelled differently where the type allows it.
CREATE TABLE statement_type (name name, type regtype, plain regtype, searchable bool, one text, again text, two text);
INSERT INTO statement_type SELECT p.typname, t.type, t.plain, t.normaliser IS NOT NULL, v.one, v.again, v.two
  FROM (VALUES ('aegis.sealed_text', 'one', 'one', 'two'), ('aegis.sealed_bytea', '\x00a1', '\x00A1', '\x'), ('aegis.sealed_jsonb', '{"a": 1, "b": 2}', '{"b":2,"a":1}', '[]'),
               ('aegis.sealed_numeric', '1.50', '1.50', '-7'), ('aegis.sealed_date', '1984-05-23', '23 May 1984', '2000-01-01'),
               ('aegis.sealed_timestamptz', '1984-05-23 10:00:00+00', '1984-05-23 12:00:00+02', 'epoch'), ('aegis.sealed_keyword', U&'\00c5', U&'A\030a', 'two'),
               ('aegis.sealed_email', 'one@example.com', 'One@Example.COM', 'two@example.com'), ('aegis.sealed_phone', '+49171234567', '0049 171 23 45 67', '+49171234568'),
               ('statement_caseless', 'strasse', U&'STRA\00dfE', 'two'), ('statement_alnum', 'DE89370400', 'de89 3704-00', 'AT1'), ('statement_none', 'one', 'one', 'two')) v (type, one, again, two)
  JOIN aegis.sealed_type t ON t.type = v.type::regtype JOIN pg_type p ON p.oid = t.type;
-- For each type, a statement in which %1$s is the name, %2$s and %3$s the types, %4$L to %6$L the values.
CREATE FUNCTION statement_each(statement text, searchable bool DEFAULT NULL) RETURNS TABLE (said text, types bigint, names text) LANGUAGE plpgsql AS $$
DECLARE t public.statement_type; rows bigint; said text; all_said text[] := '{}'; all_names text[] := '{}';
BEGIN
  FOR t IN SELECT * FROM public.statement_type s WHERE statement_each.searchable IS NULL OR s.searchable = statement_each.searchable ORDER BY s.name LOOP
    BEGIN
      said := NULL;
      IF statement ~ '^SELECT' THEN EXECUTE format(statement, t.name, t.type, t.plain, t.one, t.again, t.two) INTO said;
      ELSE
        EXECUTE format(statement, t.name, t.type, t.plain, t.one, t.again, t.two);
        GET DIAGNOSTICS rows = ROW_COUNT;
        said := CASE WHEN rows > 0 THEN rows || ' rows' ELSE 'done' END;
      END IF;
    EXCEPTION WHEN OTHERS THEN said := SQLSTATE || ' ' || regexp_replace(SQLERRM, '(aegis\.)?' || t.name, '<type>', 'g');
    END;
    all_said := all_said || said;
    all_names := all_names || t.name::text;
  END LOOP;
  RETURN QUERY SELECT x.said, count(*), CASE WHEN count(*) < cardinality(all_said) THEN string_agg(x.name, ' ') END FROM unnest(all_said, all_names) x (said, name) GROUP BY 1 ORDER BY 2 DESC, 1;
END $$;
SELECT * FROM statement_each($$CREATE TABLE t_%1$s (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id int, v %2$s, PRIMARY KEY (tenant_id, id))$$);
SELECT * FROM statement_each($$SELECT aegis.encrypt_column('t_%1$s', 'v', 'statement_test.%1$s', '%2$s') IS NULL$$);
SELECT * FROM statement_each($$SELECT aegis.set_reveal_policy('statement_test.%1$s', 4::smallint, 'full') IS NULL$$);
SELECT * FROM statement_each($$CREATE TABLE plain_%1$s (tenant_id uuid, id int, v %3$s)$$);
SELECT * FROM statement_each($$INSERT INTO plain_%1$s VALUES (probe_tenant(1), 50, %4$L), (probe_tenant(1), 51, %6$L), (probe_tenant(1), 52, NULL)$$);
SELECT * FROM statement_each($$CREATE UNIQUE INDEX ON t_%1$s (tenant_id, v)$$, true);
SELECT * FROM statement_each($$CREATE VIEW view_%1$s AS SELECT * FROM t_%1$s$$);
CREATE FUNCTION statement_instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('INSERT INTO public.t_%s SELECT ($1).*', substr(TG_TABLE_NAME, 9)) USING NEW; RETURN NEW; END $$;
SELECT * FROM statement_each($$CREATE VIEW instead_%1$s AS SELECT tenant_id, id, v FROM t_%1$s WHERE id > 0; CREATE TRIGGER i INSTEAD OF INSERT ON instead_%1$s FOR EACH ROW EXECUTE FUNCTION statement_instead()$$);
SELECT * FROM statement_each($$CREATE VIEW ruled_%1$s AS SELECT * FROM t_%1$s; CREATE RULE r AS ON INSERT TO ruled_%1$s DO INSTEAD INSERT INTO t_%1$s VALUES (NEW.tenant_id, NEW.id, NEW.v)$$);
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aegis, public TO regress_statement;
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_statement;
SET SESSION AUTHORIZATION regress_statement;

-- allows: every statement that writes, with literals, values of the plain type and of none
BEGIN;
SELECT probe_as(1);
SELECT * FROM statement_each($$INSERT INTO t_%1$s (id, v) VALUES (1, %6$L), (2, %6$L::%3$s), (3, NULL)$$, false);
SELECT * FROM statement_each($$INSERT INTO t_%1$s (id, v) VALUES (1, %6$L), (3, NULL)$$, true);
SELECT * FROM statement_each($$UPDATE t_%1$s SET v = CASE WHEN id = 1 THEN %4$L ELSE v END, id = id + 0$$);
SELECT * FROM statement_each($$UPDATE t_%1$s t SET v = p.v FROM plain_%1$s p WHERE t.id = 3 AND p.id = 51$$);
SELECT * FROM statement_each($$MERGE INTO t_%1$s t USING (SELECT 3 AS id, NULL::%3$s AS v UNION ALL SELECT 4, %6$L) s ON t.id = s.id
                                WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)$$);
SELECT * FROM statement_each($$INSERT INTO t_%1$s AS t (id, v) VALUES (3, %4$L) ON CONFLICT (tenant_id, id) DO UPDATE SET v = excluded.v, id = 5 WHERE t.id = 3$$, false);
SELECT * FROM statement_each($$INSERT INTO t_%1$s AS t (id, v) VALUES (6, %5$L) ON CONFLICT (tenant_id, v) DO UPDATE SET v = excluded.v, id = excluded.id WHERE t.v = %4$L AND excluded.v = %5$L$$, true);
SELECT * FROM statement_each($$INSERT INTO t_%1$s (id, v) SELECT 7, v FROM t_%1$s WHERE id = 5$$, false);
SELECT * FROM statement_each($$INSERT INTO t_%1$s SELECT (jsonb_populate_record(NULL::t_%1$s, jsonb_build_object('tenant_id', aegis.tenant_id(), 'id', 8, 'v', %4$L::text))).*$$, false);
SELECT * FROM statement_each($$DO 'DECLARE r public.t_%1$s; BEGIN r.tenant_id := aegis.tenant_id(); r.id := 9; SELECT v INTO r.v FROM public.t_%1$s WHERE id = 4; DELETE FROM public.t_%1$s WHERE id = 4; INSERT INTO public.t_%1$s SELECT r.*; END'$$);
SELECT * FROM statement_each($$INSERT INTO view_%1$s (id, v) VALUES (10, %4$L)$$, false);
SELECT * FROM statement_each($$INSERT INTO instead_%1$s VALUES (aegis.tenant_id(), 11, %4$L)$$, false);
SELECT * FROM statement_each($$INSERT INTO ruled_%1$s VALUES (aegis.tenant_id(), 12, %4$L)$$, false);
SELECT * FROM statement_each($$SELECT string_agg(id || ':' || CASE aegis.reveal(v)::text WHEN %4$L::%3$s::text THEN 'one' WHEN %5$L::%3$s::text THEN 'one again' WHEN %6$L::%3$s::text THEN 'two' ELSE coalesce(aegis.reveal(v)::text, 'none') END, ' ' ORDER BY id) FROM t_%1$s$$);

-- allows: an unchanged value and an equal one keep their bytes
SELECT * FROM statement_each($$CREATE TEMP TABLE before_%1$s ON COMMIT DROP AS SELECT id, v::text AS bytes FROM t_%1$s; GRANT ALL ON before_%1$s TO PUBLIC$$);
SELECT * FROM statement_each($$UPDATE t_%1$s SET v = v$$);
SELECT * FROM statement_each($$UPDATE t_%1$s SET v = %6$L WHERE id IN (9)$$);
SELECT * FROM statement_each($$SELECT bool_and(v::text IS NOT DISTINCT FROM bytes) FROM t_%1$s JOIN before_%1$s USING (id)$$);
COMMIT;
RESET SESSION AUTHORIZATION;

-- allows: COPY of plain values and of envelopes, in text and in binary; plain bytes in binary are refused
SELECT current_setting('data_directory') || '/sealed_statement.' AS file \gset
SELECT * FROM statement_each(replace($$COPY plain_%1$s TO '@text.%1$s'; COPY t_%1$s FROM '@text.%1$s'$$, '@', :'file'));
SELECT * FROM statement_each($$UPDATE plain_%1$s SET tenant_id = probe_tenant(2)$$);
SELECT * FROM statement_each(replace($$COPY plain_%1$s TO '@binary.%1$s' (FORMAT binary); COPY t_%1$s FROM '@binary.%1$s' (FORMAT binary)$$, '@', :'file'));
SELECT * FROM statement_each($$INSERT INTO t_%1$s SELECT * FROM plain_%1$s ON CONFLICT DO NOTHING$$);
SELECT * FROM statement_each($$CREATE TABLE copy_%1$s (LIKE t_%1$s)$$);
SELECT * FROM statement_each(replace($$COPY t_%1$s TO '@text.%1$s'; COPY copy_%1$s FROM '@text.%1$s'$$, '@', :'file'));
SELECT * FROM statement_each($$SELECT bool_and(c.v::text IS NOT DISTINCT FROM t.v::text) AND count(*) = (SELECT count(*) FROM t_%1$s) FROM t_%1$s t JOIN copy_%1$s c USING (tenant_id, id)$$);
SELECT * FROM statement_each(replace($$TRUNCATE copy_%1$s; COPY t_%1$s TO '@binary.%1$s' (FORMAT binary); COPY copy_%1$s FROM '@binary.%1$s' (FORMAT binary)$$, '@', :'file'));
SELECT * FROM statement_each($$SELECT bool_and(c.v::text IS NOT DISTINCT FROM t.v::text) AND count(*) = (SELECT count(*) FROM t_%1$s) FROM t_%1$s t JOIN copy_%1$s c USING (tenant_id, id)$$);
SELECT * FROM statement_each($$SELECT count(*) || ' of ' || count(v) || ' sealed for their tenant: ' || bool_and(aegis.is_sealed_for(v, f.reference, tenant_id)) FROM t_%1$s, aegis.field f WHERE f.name = 'statement_test.%1$s' AND id >= 50$$);

-- refuses: envelopes in binary that were cut, or begin like one and are none
CREATE FUNCTION statement_cut(name text, bytes bytea) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('COPY (SELECT %L::uuid, 1, %L::bytea) TO %L (FORMAT binary)', probe_tenant(1), bytes, current_setting('data_directory') || '/sealed_statement.cut');
  EXECUTE format('COPY copy_%s FROM %L (FORMAT binary)', name, current_setting('data_directory') || '/sealed_statement.cut');
  RETURN 'taken';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
SELECT * FROM statement_each($$SELECT string_agg(DISTINCT statement_cut('%1$s', substr(v, 1, n)), ', ') FROM (SELECT %2$s_send(v) AS v FROM t_%1$s WHERE v IS NOT NULL LIMIT 1) x, unnest(ARRAY[1, 2, 19, 20, 35, 36, 43, 44, 59]) n$$);
SELECT * FROM statement_each($$SELECT statement_cut('%1$s', '\xa1' || repeat('x', 100)::bytea)$$);
SELECT * FROM statement_each($$SELECT statement_cut('%1$s', set_byte(%2$s_send(v), 2, 9)) FROM t_%1$s WHERE v IS NOT NULL LIMIT 1$$);
-- survives: statistics, which hold no value and no frequency
SELECT * FROM statement_each($$ANALYZE t_%1$s$$);
SELECT * FROM statement_each($$SELECT num_nonnulls(most_common_vals, histogram_bounds, correlation) FROM pg_stats WHERE tablename = 't_%1$s' AND attname = 'v'$$);
SELECT * FROM statement_each($$CREATE STATISTICS s_%1$s (ndistinct, dependencies) ON id, v FROM t_%1$s$$);
SELECT * FROM statement_each($$ANALYZE t_%1$s$$);
-- refuses: most common values, which extended statistics would take by the operators
SELECT * FROM statement_each($$CREATE STATISTICS x_%1$s ON id, v FROM t_%1$s$$, true);
SELECT * FROM statement_each($$CREATE STATISTICS x_%1$s (mcv) ON id, (nullif(v, v)) FROM t_%1$s$$, true);
SELECT * FROM statement_each($$CREATE STATISTICS x_%1$s (mcv) ON id, (aegis.is_sealed(v)) FROM t_%1$s$$, true);
\set VERBOSITY default
CREATE STATISTICS x ON id, v FROM t_sealed_email;
CREATE STATISTICS x ON id, v FROM plain_sealed_email;
SELECT aegis.encrypt_column('plain_sealed_email', 'v', 'statement_test.late', 'aegis.sealed_email');
DROP STATISTICS x;
\set VERBOSITY terse
-- allows: materialized views, also refreshed beside readers
SELECT * FROM statement_each($$CREATE MATERIALIZED VIEW m_%1$s AS SELECT * FROM t_%1$s WHERE id > 3 WITH NO DATA$$);
SELECT * FROM statement_each($$CREATE UNIQUE INDEX ON m_%1$s (tenant_id, id); REFRESH MATERIALIZED VIEW m_%1$s; DELETE FROM t_%1$s WHERE id = 9$$);
SELECT * FROM statement_each($$REFRESH MATERIALIZED VIEW CONCURRENTLY m_%1$s$$);
SELECT * FROM statement_each($$SELECT bool_and(m.v::text IS NOT DISTINCT FROM t.v::text) AND count(*) > 0 AND count(*) = (SELECT count(*) FROM t_%1$s WHERE id > 3) FROM t_%1$s t JOIN m_%1$s m USING (tenant_id, id)$$);
SELECT * FROM statement_each($$DROP MATERIALIZED VIEW m_%1$s; DROP VIEW view_%1$s, instead_%1$s, ruled_%1$s; DROP STATISTICS IF EXISTS s_%1$s, x_%1$s$$);

-- allows: keys of searchable types that are referenced, follow a change, and are checked late
SELECT * FROM statement_each($$CREATE TABLE child_%1$s (tenant_id uuid NOT NULL, id int, v %2$s)$$, true);
SELECT * FROM statement_each($$SELECT aegis.encrypt_column('child_%1$s', 'v', 'statement_test.child_%1$s', '%2$s') IS NULL$$, true);
SELECT * FROM statement_each($$ALTER TABLE child_%1$s ADD FOREIGN KEY (tenant_id, v) REFERENCES t_%1$s (tenant_id, v) ON UPDATE CASCADE, ADD UNIQUE (tenant_id, v) DEFERRABLE$$, true);
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_statement;
SET SESSION AUTHORIZATION regress_statement;
BEGIN;
SELECT probe_as(2);
SELECT * FROM statement_each($$INSERT INTO child_%1$s VALUES (aegis.tenant_id(), 1, %5$L), (aegis.tenant_id(), 2, %6$L)$$, true);
SELECT * FROM statement_each($$UPDATE child_%1$s SET v = CASE id WHEN 1 THEN %6$L ELSE %4$L END$$, true);
SELECT * FROM statement_each($$SELECT count(*) FROM child_%1$s c JOIN t_%1$s t USING (tenant_id, v) WHERE c.id + t.id = 52$$, true);
-- refuses: a value without its parent; to take away a parent; to hand a new envelope down into another field
SELECT * FROM statement_each($$UPDATE child_%1$s SET v = replace(%6$L, '2', '3') || '8' WHERE id = 1$$, true);
SELECT * FROM statement_each($$DELETE FROM t_%1$s WHERE v = %4$L AND tenant_id = aegis.tenant_id()$$, true);
SELECT * FROM statement_each($$UPDATE t_%1$s SET v = replace(%4$L, '1', '5') || '9' WHERE v = %4$L AND tenant_id = aegis.tenant_id()$$, true);
COMMIT;
RESET SESSION AUTHORIZATION;
-- refuses: to turn a sealed column into armor by hand, or into another sealed type
SELECT * FROM statement_each($$ALTER TABLE t_%1$s ALTER v TYPE text$$);
SELECT * FROM statement_each($$ALTER TABLE t_%1$s ALTER v TYPE text USING aegis.armor(v)$$);
SELECT * FROM statement_each($$ALTER TABLE copy_%1$s ALTER v TYPE aegis.sealed_text$$);
-- allows: the way back, and in again
SELECT * FROM statement_each($$SELECT aegis.set_reveal_policy('statement_test.%1$s', 0::smallint, 'full') IS NULL$$);
SELECT * FROM statement_each($$DROP TABLE child_%1$s$$, true);
SELECT * FROM statement_each($$SELECT aegis.decrypt_column('t_%1$s', 'v', 'a test') IS NULL$$);
SELECT * FROM statement_each($$SELECT count(*) FILTER (WHERE pg_typeof(t.v)::text = '%3$s' AND t.v IS NOT DISTINCT FROM p.v) || ' of ' || count(*) FROM t_%1$s t JOIN plain_%1$s p USING (tenant_id, id)$$);
SELECT * FROM statement_each($$SELECT aegis.encrypt_column('t_%1$s', 'v', 'statement_test.%1$s', '%2$s') IS NULL$$);
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_statement;
SELECT probe_as(2);
SELECT * FROM statement_each($$SELECT count(*) FILTER (WHERE aegis.reveal(t.v) IS NOT DISTINCT FROM p.v) || ' of ' || count(*) FROM t_%1$s t JOIN plain_%1$s p USING (tenant_id, id) WHERE tenant_id = aegis.tenant_id()$$);
COMMIT;

SELECT * FROM statement_each($$DROP TABLE t_%1$s, plain_%1$s, copy_%1$s$$);
DELETE FROM aegis.field WHERE name LIKE 'statement_test.%';
DROP FUNCTION statement_each(text, bool), statement_instead(), statement_cut(text, bytea);
DROP TABLE statement_type;
DROP TYPE statement_caseless, statement_alnum, statement_none CASCADE;
DELETE FROM aegis.tenant_key WHERE tenant_id IN (SELECT probe_tenant(i) FROM generate_series(1, 2) i);
DROP FUNCTION probe_create_keys(uuid), probe_as(int), probe_tenant(int), probe_context(uuid, uuid, int, bigint, bigint);
DROP OWNED BY regress_statement;
DROP ROLE regress_statement;
