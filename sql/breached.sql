-- A password that is known from a breach is not taken, by whichever way, and whoever signs in with one has to choose another.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser, current_setting('data_directory') || '/regress_breached' AS list \gset
CREATE FUNCTION public.regress_wait() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
CREATE FUNCTION public.regress_events(tenant uuid, VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE e.tenant_id = tenant AND (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;
-- The format, once more: docs/format/breached-v1.md. The hashes are of 'plum quartz lantern 99 river' and of 'correct horse
-- battery staple'.
CREATE FUNCTION public.regress_list(VARIADIC hashes bytea[]) RETURNS bytea LANGUAGE sql AS $$
  SELECT 'AEGISBP1'::bytea || int8send(cardinality(hashes))
         || (SELECT string_agg(int8send((SELECT count(*) FROM unnest(hashes) h WHERE get_byte(h, 0) * 256 + get_byte(h, 1) < b)), '' ORDER BY b)
               FROM generate_series(0, 65536) b)
         || (SELECT string_agg(substr(h, 3, 6), '' ORDER BY h) FROM unnest(hashes) h)
$$;
SELECT lo_from_bytea(0, public.regress_list('\x152f10da05768cca64d123e2cb83fa07018ad387', '\xabf7aad6438836dbe526aa231abde2d0eef74d42')) AS object \gset
SELECT lo_export(:object, :'list');
SELECT public.regress_wait();
SELECT aegis.create_tenant('regress-breached', 'Regress') AS tenant \gset
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'set up', 'T-1', read_only => false);
-- allows: whatever is strong enough, as long as there is no list
SELECT aegis.create_user('ada@example.test', 'Ada', 4::smallint, NULL, 'plum quartz lantern 99 river') AS ada,
       aegis.create_user('bob@example.test', 'Bob', 4::smallint, NULL, 'plum quartz lantern 98 river') AS bob \gset
COMMIT;
-- refuses: a list that is no absolute path
ALTER SYSTEM SET aegis.breached_passwords = 'list';
ALTER SYSTEM SET aegis.breached_passwords = :'list';
SELECT pg_reload_conf();
-- A new session has what the server was told before.
\c
SET client_min_messages = warning;
SELECT current_setting('aegis.breached_passwords') <> '' AS listed;

-- refuses: a known password for a new user; allows its neighbour
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'more people', 'T-2', read_only => false);
SAVEPOINT here;
SELECT aegis.create_user('cid@example.test', 'Cid', 1::smallint, NULL, 'plum quartz lantern 99 river');
ROLLBACK TO here;
SELECT aegis.create_user('cid@example.test', 'Cid', 1::smallint, NULL, 'correct horse battery staple');
ROLLBACK TO here;
SELECT aegis.create_user('cid@example.test', 'Cid', 1::smallint, NULL, 'correct horse battery staples') IS NOT NULL AS made;
COMMIT;

-- refuses: signing in with one, until another is chosen; a wrong password says nothing of it
SELECT outcome, due FROM aegis.sign_in('regress-breached', 'ada@example.test', 'correct horse battery staple', NULL, NULL, NULL);
SELECT password_due FROM aegis.user WHERE id = :'ada';
SELECT outcome, due, token FROM aegis.sign_in('regress-breached', 'ada@example.test', 'plum quartz lantern 99 river', NULL, NULL, NULL) \gset
SELECT :'outcome' AS outcome, :'due' AS due;
SELECT password_due FROM aegis.user WHERE id = :'ada';
SELECT public.regress_events(:'tenant', 'auth.rotation_forced', 'breached') AS recorded;
SELECT outcome FROM aegis.answer_challenge(:'token', NULL, 'correct horse battery staple', NULL, NULL, NULL);
SELECT outcome FROM aegis.answer_challenge(:'token', NULL, 'plum quartz lantern 97 river', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-breached', 'ada@example.test', 'plum quartz lantern 97 river', NULL, NULL, NULL);
SELECT outcome FROM aegis.sign_in('regress-breached', 'bob@example.test', 'plum quartz lantern 98 river', NULL, NULL, NULL);

-- survives: a list that cannot be read, by taking no new password; who has one signs in
SELECT lo_from_bytea(0, 'no list at all, but longer than sixteen bytes') AS object \gset
SELECT lo_export(:object, :'list');
SELECT outcome FROM aegis.sign_in('regress-breached', 'bob@example.test', 'plum quartz lantern 98 river', NULL, NULL, NULL);
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'more people', 'T-3', read_only => false);
SELECT aegis.create_user('dan@example.test', 'Dan', 1::smallint, NULL, 'plum quartz lantern 96 river');
ROLLBACK;
SELECT lo_from_bytea(0, substr(public.regress_list('\x152f10da05768cca64d123e2cb83fa07018ad387'), 1, 20000)) AS object \gset
SELECT lo_export(:object, :'list');
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'more people', 'T-3', read_only => false);
SELECT aegis.create_user('dan@example.test', 'Dan', 1::smallint, NULL, 'plum quartz lantern 99 river');
ROLLBACK;

ALTER SYSTEM RESET aegis.breached_passwords;
SELECT pg_reload_conf();
-- A new session has what the server was told before.
\c
SET client_min_messages = warning;
SELECT public.regress_wait();
SELECT count(lo_unlink(oid)) > 0 AS cleaned FROM pg_largeobject_metadata;
DROP FUNCTION public.regress_wait, public.regress_events, public.regress_list;
