-- Every database with the extension has a worker soon after CREATE EXTENSION, gets it back when it
-- ends, and loses it without a fight when the database is to be dropped or copied.
\set VERBOSITY terse
\set main :DBNAME

CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;

-- allows: the worker runs, beats and is seen in pg_stat_activity
SELECT regress_wait_worker();
SELECT w.alive, w.pid = a.pid AS same, w.heartbeat_age BETWEEN 0 AND 10 AS beats, a.backend_type
  FROM aegis.worker_status() w JOIN pg_stat_activity a ON a.backend_type = 'aegis worker' AND a.datname = current_database();
SELECT count(*) AS launchers FROM pg_stat_activity WHERE backend_type = 'aegis launcher' AND datname IS NULL;

-- survives: the end of the worker; the launcher starts another
SELECT pid AS old_pid FROM aegis.worker_status() \gset
SELECT pg_terminate_backend(:old_pid, 5000);
SELECT regress_wait_worker();
SELECT pid <> :old_pid AS another FROM aegis.worker_status();

-- survives: a database that is copied, and dropped, while its worker runs
CREATE DATABASE regress_worker_a TEMPLATE template0 ENCODING 'UTF8';
\c regress_worker_a
CREATE EXTENSION aegis;
CREATE FUNCTION regress_wait_worker() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
SELECT regress_wait_worker();
\c :main
CREATE DATABASE regress_worker_b TEMPLATE regress_worker_a;
\c regress_worker_b
SELECT regress_wait_worker();
\c :main
DROP DATABASE regress_worker_b;
DROP DATABASE regress_worker_a;

-- survives: the extension's end, while the ledger holds only its installation and the server's start
CREATE DATABASE regress_worker_a TEMPLATE template0 ENCODING 'UTF8';
\c regress_worker_a
CREATE EXTENSION aegis;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN EXISTS (SELECT FROM aegis.audit_log WHERE event = 'system.started');
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
DROP EXTENSION aegis;
CREATE EXTENSION aegis;

-- refuses: the extension's end, once anything else is in the ledger
SELECT aegis.declare_event('worker_test.done', 'for the test of the worker');
DROP EXTENSION aegis;
\c :main
DROP DATABASE regress_worker_a;

-- refuses: members see nothing of it
CREATE ROLE regress_worker_user;
SET ROLE regress_worker_user;
SELECT aegis.start_worker();
SELECT alive FROM aegis.worker_status();
RESET ROLE;
DROP ROLE regress_worker_user;
DROP FUNCTION regress_wait_worker();
