-- No C++ exception leaves the library and no PostgreSQL error skips a destructor: a hundred thousand
-- of both, raised and caught across the boundary, leak nothing, and the session goes on.
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE FUNCTION probe_throw(kind int) RETURNS void LANGUAGE c STRICT AS '$libdir/aegis', 'aegis_probe_throw';
CREATE FUNCTION probe_storm(iterations int) RETURNS int LANGUAGE c STRICT AS '$libdir/aegis', 'aegis_probe_storm';
CREATE FUNCTION probe_memory() RETURNS bigint LANGUAGE c STRICT AS '$libdir/aegis', 'aegis_probe_memory';
CREATE FUNCTION probe_caught(kind int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM probe_throw(kind);
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || left(sqlerrm, 60) || CASE WHEN length(sqlerrm) > 60 THEN '... ' || length(sqlerrm) ELSE '' END;
END $$;

-- refuses: each kind of exception becomes one error with its own SQLSTATE
SELECT kind, probe_caught(kind) AS became FROM generate_series(0, 8) kind;

-- refuses: uncaught, the statement fails and the session lives
\set VERBOSITY sqlstate
SELECT probe_throw(0);
SELECT probe_throw(1);
SELECT probe_throw(2);
SELECT probe_throw(3);
SELECT probe_throw(4);
SELECT probe_throw(7);
\set VERBOSITY terse
BEGIN;
SELECT probe_throw(2);
SELECT 1 AS never;
ROLLBACK;

-- survives: a warm-up, then a hundred thousand crossings
SELECT probe_storm(9000) AS live_objects;
SELECT probe_memory() AS before \gset
SELECT probe_storm(100000) AS live_objects;
SELECT probe_memory() - :before < 65536 AS no_growth;
SELECT count(*) AS caught FROM generate_series(1, 5000) i WHERE probe_caught(i % 8) <> 'nothing';
SELECT probe_storm(0) AS live_objects;
SELECT sum(i) AS still_works FROM generate_series(1, 1000) i;
DROP FUNCTION probe_throw, probe_storm, probe_memory, probe_caught;
