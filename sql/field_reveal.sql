-- In a tenant session a user reveals what row security shows and the policy allows; what was revealed
-- is recorded once per field and transaction, with the count, also when the transaction is rolled back.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('reveal-one', 'One') AS one \gset
SELECT aegis.create_tenant('reveal-two', 'Two') AS two \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
CREATE ROLE regress_reveal LOGIN IN ROLE aegis_member;
CREATE ROLE regress_reveal_operator LOGIN IN ROLE aegis_operator;
CREATE SCHEMA reveal;
GRANT USAGE ON SCHEMA reveal TO regress_reveal, regress_reveal_operator;
GRANT USAGE ON SCHEMA aegis TO regress_reveal, regress_reveal_operator;
CREATE TABLE reveal.customer (tenant_id uuid, id int, email aegis.sealed_email, notes text, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
SELECT aegis.protect_table('reveal.customer');
SELECT aegis.encrypt_column('reveal.customer', 'email', 'reveal_test.email', 'aegis.sealed_email', 'email');
SELECT aegis.encrypt_column('reveal.customer', 'notes', 'reveal_test.notes');
GRANT SELECT, INSERT, UPDATE ON reveal.customer TO regress_reveal, regress_reveal_operator;
CREATE FUNCTION regress_wait_collected() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 400 LOOP
    IF (SELECT alive AND charges_open = 0 AND charges_waiting = 0 FROM aegis.worker_status()) THEN RETURN true; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
  RETURN false;
END $$;
CREATE FUNCTION regress_entries(VARIADIC wanted text[]) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM aegis.entry e
   WHERE (SELECT bool_and(position(convert_to(w, 'UTF8') IN e.body) > 0) FROM unnest(wanted) w)
$$;

-- allows: members write; the tenant is the context's, whatever the statement says
\c - regress_reveal
BEGIN;
SELECT public.probe_context(:'one', :ann, 1, 1, 1);
INSERT INTO reveal.customer (tenant_id, id, email, notes) VALUES (:'two', 1, 'Ann@one.com', 'of ann'), (DEFAULT, 2, 'second@one.com', NULL);
SELECT tenant_id = :'one' AS own, aegis.reveal(email), aegis.masked(notes) FROM reveal.customer ORDER BY id;
COMMIT;
BEGIN;
SELECT public.probe_context(:'two', :bob, 1, 1, 1);
INSERT INTO reveal.customer (id, email, notes) VALUES (1, 'ann@one.com', 'of bob');
SELECT aegis.reveal(email), aegis.reveal(notes) FROM reveal.customer WHERE email = 'ann@one.com';
COMMIT;

-- refuses: a colleague sees no row, so nothing to reveal; an administrator does
BEGIN;
SELECT public.probe_context(:'one', :bob, 1, 1, 1);
SELECT count(*) FROM reveal.customer WHERE email = 'ann@one.com';
COMMIT;
BEGIN;
SELECT public.probe_context(:'one', :bob, 4, 1, 1);
SELECT aegis.reveal(email) FROM reveal.customer WHERE email = 'ann@one.com';
ROLLBACK;

-- refuses: the table without a context; sealing by oneself; the registry
SELECT count(*) FROM reveal.customer;
SELECT aegis.seal_text('x', 1, :'one');
SELECT count(*) FROM aegis.field;
SELECT aegis.set_reveal_policy('reveal_test.notes', 1::smallint, 'full');

-- refuses: another tenant's envelope, brought along as text
\c - :superuser
SELECT email AS stolen FROM reveal.customer WHERE tenant_id = :'two' \gset
\c - regress_reveal
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
SELECT aegis.reveal(:'stolen'::aegis.sealed_email);
ROLLBACK;
BEGIN;
SELECT public.probe_context(:'one', :ann, 4, 1, 1);
INSERT INTO reveal.customer (id, email) VALUES (9, :'stolen');
ROLLBACK;

-- survives: three transactions revealed addresses, of which one was rolled back, and one revealed notes
\c - :superuser
SELECT regress_wait_collected();
SELECT regress_entries('pii.revealed', 'reveal_test.email') AS email, regress_entries('pii.revealed', 'reveal_test.notes') AS notes;

-- allows: operators with an assumed context see masks, and more once the policy says so
\c - regress_reveal_operator
BEGIN;
SELECT aegis.assume_tenant(:'one', 'a customer asked', 'T-1');
SELECT aegis.masked(email), aegis.masked(notes) FROM reveal.customer ORDER BY id;
SELECT aegis.reveal(email) FROM reveal.customer;
ROLLBACK;
SELECT aegis.set_reveal_policy('reveal_test.email', 0::smallint, 'full');
BEGIN;
SELECT aegis.assume_tenant(:'one', 'a customer asked', 'T-1');
SELECT aegis.reveal(email) FROM reveal.customer ORDER BY id;
SELECT aegis.reveal(notes) FROM reveal.customer WHERE id = 1;
ROLLBACK;

\c - :superuser
SET client_min_messages = warning;
SELECT regress_wait_collected();
SELECT regress_entries('field.registered', 'reveal_test.email') AS registered, regress_entries('field.policy_changed', 'reveal_test.email') AS changed;
DROP SCHEMA reveal CASCADE;
DELETE FROM aegis.field WHERE name LIKE 'reveal_test.%';
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint), regress_wait_collected(), regress_entries(text[]);
DROP OWNED BY regress_reveal, regress_reveal_operator;
DROP ROLE regress_reveal, regress_reveal_operator;
