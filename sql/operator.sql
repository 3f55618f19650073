-- An operator works in one tenant for one transaction, with a reason that is recorded even when the
-- transaction is rolled back; read-only unless asked otherwise.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_operator LOGIN;
GRANT aegis_operator TO regress_operator;
CREATE ROLE regress_operator_member LOGIN;
GRANT aegis_member TO regress_operator_member;
CREATE ROLE regress_operator_nobody LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_operator_nobody;
GRANT EXECUTE ON FUNCTION aegis.assume_tenant TO regress_operator_nobody, regress_operator_member;
SELECT aegis.create_tenant('op-one', 'One') AS one \gset
SELECT aegis.create_tenant('op-two', 'Two') AS two \gset
SELECT aegis.create_tenant('op-asleep', 'Asleep') AS asleep \gset
UPDATE aegis.tenant SET status = 'suspended' WHERE id = :'asleep';
SELECT aegis.create_tenant('op-abroad', 'Abroad') AS abroad \gset
UPDATE aegis.tenant SET region = 'SG' WHERE id = :'abroad';
CREATE TABLE operator_note (tenant_id uuid NOT NULL, note text);
ALTER TABLE operator_note ENABLE ROW LEVEL SECURITY;
ALTER TABLE operator_note FORCE ROW LEVEL SECURITY;
CREATE POLICY everything ON operator_note USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_note TO regress_operator;
INSERT INTO operator_note VALUES (:'one', 'of one'), (:'two', 'of two');

-- allows: one tenant, as its admin without a user, read-only
\c - regress_operator
BEGIN;
SELECT aegis.assume_tenant(:'one', 'customer reported a wrong total', 'OPS-1');
SELECT aegis.tenant_id() = :'one' AS tenant, aegis.user_id() IS NULL AS nobody, aegis.rank(), aegis.auth_method();
SHOW transaction_read_only;
SELECT note FROM operator_note;
SELECT name FROM aegis.teams();
COMMIT;
-- allows: writing when asked for
BEGIN;
SELECT aegis.assume_tenant(:'one', 'correct the total', 'OPS-2', read_only => false);
UPDATE operator_note SET note = note || ', corrected' RETURNING note;
COMMIT;

-- refuses: writing in a read-only context, and taking the read-only state back
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-3');
UPDATE operator_note SET note = 'x';
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-3');
SET TRANSACTION READ WRITE;
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-3');
SELECT aegis.create_team('x');
ROLLBACK;
-- refuses: a subtransaction, which would end the read-only state but not the context
BEGIN;
SAVEPOINT s;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-3');
ROLLBACK;
-- refuses: a second tenant in the same transaction
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-3');
SELECT aegis.assume_tenant(:'two', 'look', 'OPS-3');
ROLLBACK;
-- refuses: missing reasons, unknown, suspended and foreign tenants
\set VERBOSITY sqlstate
SELECT aegis.assume_tenant(:'one', '', 'OPS-3');
SELECT aegis.assume_tenant(:'one', 'look', E' \n');
SELECT aegis.assume_tenant(:'one', NULL, 'OPS-3');
SELECT aegis.assume_tenant(NULL, 'look', 'OPS-3');
SELECT aegis.assume_tenant(:'one', repeat('x', 161), 'OPS-3');
\set VERBOSITY terse
SELECT aegis.assume_tenant(gen_random_uuid(), 'look', 'OPS-3');
SELECT aegis.assume_tenant(:'asleep', 'change', 'OPS-3', read_only => false);
SELECT aegis.assume_tenant(:'abroad', 'look', 'OPS-3');
-- allows: another time box; refuses: none, one beyond the setting, one without a length
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '1 hour');
ROLLBACK;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '0');
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '-1 second');
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '61 minutes');
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '1 month');
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '178000000 years');
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-6', time_box => '2147483647 days');
-- refuses: work beyond the time box: the statement is cut off, whatever the client says
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-7', time_box => '1 second');
SET LOCAL statement_timeout = 0;
SELECT pg_sleep(60);
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-7', time_box => '1 second');
DO $$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.1); RAISE NOTICE 'caught'; END $$;
SELECT note FROM operator_note;
ROLLBACK;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-7', time_box => '1 second'), pg_sleep(60);
-- refuses: what begins later, and rows of a cursor from before
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-7', time_box => '1 second');
DECLARE early CURSOR FOR SELECT note FROM operator_note, generate_series(1, 3);
FETCH early;
SAVEPOINT s;
SELECT pg_sleep(1.2);
ROLLBACK TO s;
FETCH early;
ROLLBACK TO s;
SELECT note FROM operator_note;
ROLLBACK TO s;
COPY operator_note TO STDOUT;
ROLLBACK TO s;
SHOW transaction_read_only;
ROLLBACK TO s;
DO $$ BEGIN END $$;
ROLLBACK TO s;
-- another context cannot be had either
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-7');
ROLLBACK;
-- refuses: two-phase, which would keep the context's locks; survives in the ledger all the same
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-8 two-phase', read_only => false);
PREPARE TRANSACTION 'regress_operator';
-- survives: a cancel and a lost connection
SET statement_timeout = '200ms';
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-9 cancelled'), pg_sleep(60);
RESET statement_timeout;
BEGIN;
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-10 disconnected');
\c - regress_operator
-- refuses: nothing without a context, afterwards as before
SELECT note FROM operator_note;
-- refuses: everybody who is no operator, whatever was granted
\c - regress_operator_member
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-4');
\c - regress_operator_nobody
SELECT aegis.assume_tenant(:'one', 'look', 'OPS-4');

-- survives: a look that is rolled back is in the ledger all the same
\c - regress_operator
BEGIN;
SELECT aegis.assume_tenant(:'two', 'look and leave no trace', 'OPS-5');
SELECT note FROM operator_note;
ROLLBACK;
\c - :superuser
DO $$  -- the worker writes it
BEGIN
  FOR i IN 1..300 LOOP
    EXIT WHEN EXISTS (SELECT FROM aegis.entry WHERE position('look and leave no trace'::bytea IN body) > 0);
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
SELECT count(*) AS rolled_back FROM aegis.entry WHERE position('look and leave no trace'::bytea IN body) > 0;
SELECT count(*) AS committed FROM aegis.entry
 WHERE position('operator.assumed_tenant'::bytea IN body) > 0 AND position('customer reported a wrong total'::bytea IN body) > 0;

DO $$
BEGIN
  FOR i IN 1..300 LOOP
    EXIT WHEN (SELECT count(*) = 3 FROM aegis.entry WHERE encode(body, 'escape') ~ 'OPS-(8 two-phase|9 cancelled|10 disconnected)');
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
SELECT substring(encode(body, 'escape') FROM 'OPS-(?:8|9|10) [a-z-]+') AS survived, encode(body, 'escape') ~ 'operator.assumed_tenant' AS said
  FROM aegis.entry WHERE encode(body, 'escape') ~ 'OPS-(8 two-phase|9 cancelled|10 disconnected)' ORDER BY 1;
-- the entry says for how long
SELECT DISTINCT position('seconds'::bytea IN body) > 0 AS time_box FROM aegis.entry
 WHERE position('operator.assumed_tenant'::bytea IN body) > 0 AND position('customer reported a wrong total'::bytea IN body) > 0;

DROP TABLE operator_note;
DROP OWNED BY regress_operator, regress_operator_member, regress_operator_nobody;
DROP ROLE regress_operator, regress_operator_member, regress_operator_nobody;
