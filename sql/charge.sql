-- A charge is freed when its transaction has written its own entry and committed; in every other
-- case the worker writes the entry, and no slot is lost.
\set VERBOSITY terse

CREATE FUNCTION probe_open(kind int, event text, tenant uuid, usr uuid, target text) RETURNS int
  AS 'aegis', 'aegis_test_charge_open' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
CREATE FUNCTION probe_settle(slot int) RETURNS void
  AS 'aegis', 'aegis_test_charge_settle' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION probe_reveal(tenant uuid, field bigint, amount bigint) RETURNS bigint
  AS 'aegis', 'aegis_test_charge_reveal' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
CREATE FUNCTION probe_pending(usr uuid, besides int) RETURNS int
  AS 'aegis', 'aegis_test_charge_pending' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION probe_origin(ip text, user_agent text, request_id text) RETURNS void
  AS 'aegis', 'aegis_test_charge_origin' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

-- Waits until nothing is left to write; false after 20 seconds.
CREATE FUNCTION regress_wait_collected() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
-- Entries whose canonical bytes hold all the given texts.
CREATE FUNCTION regress_entries(VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
\set tenant '''11111111-1111-4111-8111-111111111111'''
\set user '''22222222-2222-4222-8222-222222222222'''
\set nobody '''00000000-0000-0000-0000-000000000000'''
SELECT regress_wait_collected();

-- allows: a settled charge is free after commit
BEGIN;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'settled') AS slot \gset
SELECT charges_open FROM aegis.worker_status();
SELECT probe_settle(:slot);
COMMIT;
SELECT charges_open, charges_waiting FROM aegis.worker_status();

-- allows: attempts that are not decided yet are seen by the next one
BEGIN;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'first') AS first \gset
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'second') AS second \gset
SELECT probe_pending(:user, -1) AS every, probe_pending(:user, :second) AS others, probe_pending(:tenant, -1) AS foreign_ones;
ROLLBACK;
SELECT regress_wait_collected();
SELECT probe_pending(:user, -1) AS every;

-- survives: rollback, with the origin of the request
BEGIN;
SELECT probe_origin('192.0.2.7', 'probe/1', 'request-1');
SELECT probe_open(3, 'auth.denied', :nobody, :user, 'rolled back') IS NOT NULL AS opened;
ROLLBACK;
-- survives: rollback to a savepoint takes back the entry, so it takes back the settlement
BEGIN;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'savepoint') AS slot \gset
SAVEPOINT a;
SELECT probe_settle(:slot);
ROLLBACK TO a;
COMMIT;
-- survives: a charge that was opened in the savepoint too
BEGIN;
SAVEPOINT a;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'inside') IS NOT NULL AS opened;
ROLLBACK TO a;
SELECT charges_open FROM aegis.worker_status();
COMMIT;
-- survives: an error
BEGIN;
SELECT probe_open(4, 'operator.assumed_tenant', :nobody, :user, 'error') / 0;
COMMIT;
-- survives: a released savepoint keeps its settlement
BEGIN;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'released') AS slot \gset
SAVEPOINT a;
SAVEPOINT b;
SELECT probe_settle(:slot);
RELEASE b;
RELEASE a;
COMMIT;
SELECT charges_open FROM aegis.worker_status();
SELECT regress_wait_collected();
SELECT regress_entries('auth.denied', 'rolled back', 'request-1', 'transaction rolled back') AS denied,
       regress_entries('auth.sign_in_abandoned', 'savepoint', 'transaction left it to the worker') AS savepoint,
       regress_entries('auth.sign_in_abandoned', 'inside', 'transaction left it to the worker') AS inside,
       regress_entries('operator.assumed_tenant', 'error', 'transaction rolled back') AS error,
       regress_entries('released') AS released, regress_entries('settled') AS settled,
       regress_entries('auth.sign_in_abandoned', 'first') + regress_entries('auth.sign_in_abandoned', 'second') AS attempts;

-- survives: a charge that cannot be written, as its event type is gone: those behind it are
BEGIN;
SELECT probe_open(3, 'regress.unknown', :nobody, :user, 'never') AS bad \gset
SELECT probe_open(3, 'auth.denied', :nobody, :user, 'behind it') AS good \gset
SELECT :bad < :good AS behind;
ROLLBACK;
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF regress_entries('auth.denied', 'behind it') > 0 THEN RETURN; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT regress_entries('auth.denied', 'behind it') AS behind, regress_entries('regress.unknown') AS unknown, charges_waiting FROM aegis.worker_status();
SELECT aegis.declare_event('regress.unknown', 'it came back');
SELECT regress_wait_collected();
SELECT regress_entries('regress.unknown', 'never') AS came_back;

-- allows: reveals are counted per tenant and field, in parallel workers too
CREATE TABLE regress_numbers AS SELECT n FROM generate_series(1, 1000) n;
BEGIN;
SELECT sum(probe_reveal(:tenant, 7, 2)) FROM regress_numbers;
SELECT charges_open FROM aegis.worker_status();
SET LOCAL force_parallel_mode = on;
SELECT sum(probe_reveal(:tenant, 7, 1)), sum(probe_reveal(:tenant, 8, 1)) FROM regress_numbers;
SELECT charges_open > 1 AS more FROM aegis.worker_status();
COMMIT;
SELECT charges_open, charges_waiting FROM aegis.worker_status();
BEGIN;
SELECT sum(probe_reveal(:tenant, 9, 3)) FROM regress_numbers;
ROLLBACK;
SELECT regress_wait_collected();
-- One entry for 2000 + 1000 values (CBOR 0x190bb8), one for 1000 (0x1903e8), and the rolled back 3000.
SELECT regress_entries('pii.revealed', '00000007') AS field_7, regress_entries('pii.revealed', '00000008') AS field_8,
       regress_entries('pii.revealed', '00000009', 'transaction rolled back') AS field_9;
SELECT count(*) AS with_sum FROM aegis.entry
 WHERE position('00000007' IN body) > 0 AND position(convert_to('values', 'UTF8') || '\x190bb8' IN body) > 0;
-- allows: in a read-only transaction
BEGIN READ ONLY;
SELECT probe_reveal(:tenant, 10, 1);
COMMIT;

-- refuses: a transaction that would leave its charges behind
BEGIN;
SELECT probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'prepared') IS NOT NULL AS opened;
PREPARE TRANSACTION 'regress_charge';
-- refuses: one transaction that would fill the table
\set VERBOSITY sqlstate
SELECT count(probe_open(1, 'auth.sign_in_abandoned', :nobody, :user, 'many')) FROM generate_series(1, 33);
\set VERBOSITY terse
SELECT regress_wait_collected();
-- refuses: anything while no worker is there to write it (which the launcher changes within a second)
DO $$
BEGIN
  FOR i IN 1 .. 10 LOOP
    BEGIN
      PERFORM regress_wait_collected();
      PERFORM pg_catalog.pg_terminate_backend((SELECT pid FROM aegis.worker_status()), 5000);
      PERFORM probe_open(1, 'auth.sign_in_abandoned', '00000000-0000-0000-0000-000000000000',
                         '22222222-2222-4222-8222-222222222222', 'no worker');
    EXCEPTION WHEN SQLSTATE 'AG007' THEN
      RAISE NOTICE '%', SQLERRM;
      EXIT;
    END;
  END LOOP;
END $$;
SELECT regress_wait_collected();

-- survives: more charges than there are slots, however they end
CREATE PROCEDURE regress_many(amount int, settled boolean) LANGUAGE plpgsql AS $$
DECLARE slot int;
BEGIN
  FOR i IN 1 .. amount LOOP
    slot := probe_open(1, 'auth.sign_in_abandoned', '00000000-0000-0000-0000-000000000000',
                       '22222222-2222-4222-8222-222222222222', 'volume');
    IF settled THEN
      PERFORM probe_settle(slot);
      COMMIT;
    ELSE
      ROLLBACK;
    END IF;
  END LOOP;
END $$;
CALL regress_many(5000, true);
CALL regress_many(3000, false);
SELECT regress_wait_collected();
CALL regress_many(3000, false);
SELECT regress_wait_collected();
SELECT charges_open, charges_waiting, charges_refused FROM aegis.worker_status();
SELECT regress_entries('auth.sign_in_abandoned', 'volume') AS written;

-- survives: refusals by walls and guards, however often they are asked for: each kind of one login is one entry, with a count
CREATE ROLE regress_charge_member LOGIN IN ROLE aegis_member;
-- Somebody who asks again and again, and catches the errors.
CREATE FUNCTION regress_refused(times int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  caught int := 0;
BEGIN
  FOR i IN 1 .. times LOOP
    BEGIN
      PERFORM FROM pg_catalog.pg_class;
      PERFORM pg_catalog.pg_stat_get_backend_activity(1);
    EXCEPTION WHEN OTHERS THEN
      caught := caught + 1;
    END;
  END LOOP;
  RETURN caught;
END $$;
SELECT max(seq) AS start FROM aegis.entry \gset
\c - regress_charge_member
SELECT regress_refused(500);
SELECT count(*) FROM pg_catalog.pg_stat_activity;
LOCK TABLE pg_catalog.pg_class;
BEGIN;
SELECT count(*) FROM pg_catalog.pg_stat_activity;
ROLLBACK;
\c - postgres
DELETE FROM aegis.entry;
ALTER ROLE aegis_owner LOGIN;
SELECT regress_wait_collected();
SELECT outcome, "session_user", target_kind, target_id, detail ->> 'detail' AS refused, sum(coalesce((detail ->> 'times')::int, 1)) AS times,
       count(*) < 10 AS few_entries, min(detail ->> 'note') AS note
  FROM aegis.audit_log WHERE seq > :start AND event = 'access.refused' GROUP BY 1, 2, 3, 4, 5 ORDER BY "session_user", target_id;
DROP ROLE regress_charge_member;
DROP FUNCTION regress_refused(int);

DROP PROCEDURE regress_many(int, boolean);
DROP TABLE regress_numbers;
DROP FUNCTION regress_wait_collected(), regress_entries(text[]), probe_open(int, text, uuid, uuid, text), probe_settle(int),
  probe_reveal(uuid, bigint, bigint), probe_pending(uuid, int), probe_origin(text, text, text);
