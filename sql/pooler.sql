-- Where a pooler stands before a login, no prepared statement outlives its transaction; elsewhere they last as the driver expects.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_pooler_member LOGIN;
GRANT aegis_member TO regress_pooler_member;

-- allows: without a pooler, what PostgreSQL allows
PREPARE kept AS SELECT 'kept' AS said;
EXECUTE kept;
BEGIN;
ROLLBACK;
EXECUTE kept;

-- allows: behind one, a statement within its transaction
SET aegis.pooler = 'transaction';
BEGIN;
PREPARE short AS SELECT 'short' AS said;
SAVEPOINT s;
EXECUTE short;
ROLLBACK TO s;
EXECUTE short;
COMMIT;
-- refuses: afterwards, however the transaction ended
EXECUTE short;
EXECUTE kept;
PREPARE short AS SELECT 'again' AS said;
EXECUTE short;
BEGIN;
PREPARE short AS SELECT 'again' AS said;
ROLLBACK;
EXECUTE short;
SELECT count(*) FROM pg_prepared_statements;
-- survives: a procedure that ends the transaction while its own plans run
CREATE PROCEDURE regress_pooler_ends(INOUT n int) LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  FOR r IN SELECT g FROM generate_series(1, 3) g LOOP
    n := n + r.g;
    COMMIT;
  END LOOP;
END $$;
CALL regress_pooler_ends(0);
CALL regress_pooler_ends(0);
DROP PROCEDURE regress_pooler_ends(int);
-- allows: where the pooler keeps named statements apart, they last
SET aegis.pooler = 'tracking';
PREPARE kept AS SELECT 'tracked' AS said;
EXECUTE kept;
DEALLOCATE kept;
RESET aegis.pooler;

-- refuses: a member who says otherwise
ALTER ROLE regress_pooler_member SET aegis.pooler = 'transaction';
\c - regress_pooler_member
SHOW aegis.pooler;
SET aegis.pooler = 'none';
BEGIN;
SET LOCAL aegis.pooler = 'none';
ROLLBACK;
SELECT set_config('aegis.pooler', 'none', false);
ALTER ROLE regress_pooler_member RESET aegis.pooler;
ALTER ROLE regress_pooler_member RESET ALL;
RESET aegis.pooler;
RESET ALL;
SHOW aegis.pooler;
-- refuses: DEALLOCATE, for the statement may be another client's
DEALLOCATE ALL;
\c - :superuser
ALTER ROLE regress_pooler_member RESET aegis.pooler;
\c - regress_pooler_member
SHOW aegis.pooler;
DEALLOCATE ALL;
\c - :superuser
SET aegis.pooler = 'session';
DROP ROLE regress_pooler_member;
