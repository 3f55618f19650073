-- Users are made and changed from above only, inside the teams that a context reaches, and every
-- change is recorded; nobody reads the table itself.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
-- Nobody signs in before the worker runs.
DO $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    EXIT WHEN (SELECT alive FROM aegis.worker_status());
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE ROLE regress_user_member LOGIN;
GRANT aegis_member TO regress_user_member;
CREATE FUNCTION public.regress_events(tenant uuid, event text) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e WHERE e.tenant_id = tenant AND position(convert_to(event, 'UTF8') IN e.body) > 0
$$;

-- allows: an operator makes teams and the first users
SELECT aegis.create_tenant('regress-user', 'Regress User') AS tenant, aegis.create_tenant('regress-user-2', 'Other') AS other \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_team('North') AS north, aegis.create_team('South') AS south \gset
SELECT aegis.create_team('North East', :'north') AS north_east \gset
SELECT aegis.create_user(' Ada@Example.test ', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS ada,
       aegis.create_user('max@example.test', 'Max', 3::smallint, :'north', 'plum quartz lantern 47 river') AS max,
       aegis.create_user('lea@example.test', 'Lea', 2::smallint, :'north_east', 'plum quartz lantern 47 river') AS lea,
       aegis.create_user('uli@example.test', 'Uli', 1::smallint, :'north_east', 'plum quartz lantern 47 river') AS uli,
       aegis.create_user('sue@example.test', 'Sue', 1::smallint, :'south', 'plum quartz lantern 47 river') AS sue \gset
SELECT name, email, rank, status, locked FROM aegis.users();
COMMIT;
SELECT public.regress_events(:'tenant', 'user.created') AS created;
-- the table holds ciphertext, a keyed look-up value and an Argon2id hash with the floor's parameters
SELECT aegis.is_sealed(email) AND aegis.is_sealed(name) AS sealed, octet_length(login) AS login,
       left(password_hash, 31) AS hash
  FROM aegis.user WHERE id = :'ada';
SELECT count(DISTINCT password_hash) = count(*) AS every_salt_differs FROM aegis.user WHERE tenant_id = :'tenant';

-- refuses: the same address again, in whatever case; another tenant may have it
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ADA@example.test', 'Ada', 1::smallint, NULL, 'plum quartz lantern 47 river');
ROLLBACK;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'set up', 'T-1', read_only => false);
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 47 river') AS other_ada \gset
COMMIT;
SELECT count(DISTINCT login) AS look_up_values FROM aegis.user WHERE id IN (:'ada', :'other_ada');

-- refuses: passwords that are short or easy, malformed addresses, wrong ranks, teams of others, NULLs
CREATE FUNCTION public.regress_create(tenant uuid, email text, name text, rank int, team uuid, password text) RETURNS void
  LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.assume_tenant(tenant, 'set up', 'T-1', read_only => false);
  PERFORM aegis.create_user(email, name, rank::smallint, team, password);
END $$;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT public.regress_create(:'tenant', 'p@example.test', 'P', 1, NULL, 'short');
SELECT public.regress_create(:'tenant', 'p@example.test', 'P', 1, NULL, repeat('x', 257));
SELECT public.regress_create(:'tenant', 'p@example.test', 'P', 1, NULL, 'password1234');
SELECT public.regress_create(:'tenant', 'priscilla@example.test', 'Priscilla', 1, NULL, 'priscilla@example.test');
SELECT public.regress_create(:'tenant', 'no address', 'P', 1, NULL, 'plum quartz lantern 47 river');
SELECT public.regress_create(:'tenant', 'p@example.test', '  ', 1, NULL, 'plum quartz lantern 47 river');
SELECT public.regress_create(:'tenant', 'p@example.test', 'P', 5, NULL, 'plum quartz lantern 47 river');
SELECT public.regress_create(:'tenant', 'p@example.test', 'P', 1, :'other', 'plum quartz lantern 47 river');
SELECT public.regress_create(:'tenant', NULL, 'P', 1, NULL, 'plum quartz lantern 47 river');
\set VERBOSITY terse
DROP FUNCTION public.regress_create;

-- refuses: no context, a read-only context
SELECT aegis.users();
SELECT aegis.set_rank(:'uli', 2::smallint);
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'look', 'T-1');
SELECT aegis.deactivate_user(:'uli');
ROLLBACK;

-- what each rank sees and may do; every session is a real one
SELECT token AS ada_token FROM aegis.sign_in('regress-user', 'ada@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS max_token FROM aegis.sign_in('regress-user', 'max@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS lea_token FROM aegis.sign_in('regress-user', 'lea@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
SELECT token AS uli_token FROM aegis.sign_in('regress-user', 'uli@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL) \gset
\c - regress_user_member
SET client_min_messages = warning;
BEGIN;
SELECT aegis.authenticate(:'uli_token');
SELECT name FROM aegis.users();
SELECT aegis.create_user('x@example.test', 'X', 1::smallint, NULL, 'plum quartz lantern 47 river');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'lea_token');
SELECT name FROM aegis.users();
SAVEPOINT s;
SELECT aegis.set_rank(:'uli', 2::smallint);
ROLLBACK TO s;
SELECT aegis.set_rank(:'lea', 1::smallint);
ROLLBACK TO s;
SELECT aegis.move_user(:'uli', :'south');
ROLLBACK TO s;
SELECT aegis.deactivate_user(:'sue');
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'max_token');
SELECT name, email FROM aegis.users();
SELECT aegis.set_rank(:'uli', 2::smallint);
SELECT aegis.move_user(:'uli', :'north');
SAVEPOINT s;
SELECT aegis.set_rank(:'uli', 3::smallint);
ROLLBACK TO s;
SELECT aegis.deactivate_user(:'ada');
ROLLBACK TO s;
SELECT aegis.deactivate_user(:'other_ada');
ROLLBACK TO s;
SELECT name, rank FROM aegis.users() WHERE id = :'uli';
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'ada_token');
SELECT name, email FROM aegis.users() ORDER BY name;
SELECT aegis.set_rank(:'sue', 4::smallint);
SELECT aegis.deactivate_user(:'uli');
COMMIT;

-- the changed user is out at once, and cannot come back
BEGIN;
SELECT aegis.authenticate(:'uli_token');
ROLLBACK;
SELECT outcome FROM aegis.sign_in('regress-user', 'uli@example.test', 'plum quartz lantern 47 river', NULL, NULL, NULL);

-- refuses: the tables, to every tenant session
SELECT * FROM aegis.user;
SELECT * FROM aegis.session;

-- refuses: to take the last admin away
\c - :superuser
SET client_min_messages = warning;
BEGIN;
SELECT aegis.assume_tenant(:'other', 'set up', 'T-1', read_only => false);
SAVEPOINT s;
SELECT aegis.deactivate_user(:'other_ada');
ROLLBACK TO s;
SELECT aegis.set_rank(:'other_ada', 1::smallint);
ROLLBACK;

-- survives: exactly what was committed is in the ledger
SELECT e.event, public.regress_events(:'tenant', e.event) AS entries
  FROM (VALUES ('user.rank_changed'), ('user.moved'), ('user.deactivated')) AS e(event);

DROP FUNCTION public.regress_events;
DROP ROLE regress_user_member;
