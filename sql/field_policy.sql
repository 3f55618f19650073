-- What a database role may see of a field at most: it bounds what the rank allows, follows the session user through
-- every membership, and nothing that a session can say lifts it.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION probe_create_keys(uuid) RETURNS void AS '$libdir/aegis', 'aegis_probe_create_keys' LANGUAGE C STRICT;
CREATE FUNCTION probe_context(uuid, uuid, int, bigint, bigint) RETURNS void AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C STRICT;
CREATE FUNCTION probe_as(rank int) RETURNS text LANGUAGE sql AS
  $$ SELECT public.probe_context('5f000000-0000-4000-8000-000000000001', '5f000000-0000-4000-8000-0000000000ff', $1, 1, 100)::text $$;
SELECT probe_create_keys('5f000000-0000-4000-8000-000000000001');
CREATE ROLE regress_reporting;
CREATE ROLE regress_analysts IN ROLE regress_reporting;
CREATE ROLE regress_ann LOGIN IN ROLE regress_analysts;
CREATE ROLE regress_bob LOGIN;
GRANT USAGE ON SCHEMA aegis TO regress_ann, regress_bob;
GRANT EXECUTE ON FUNCTION aegis.reveal(aegis.sealed_text), aegis.masked(aegis.sealed_text), aegis.legible(aegis.sealed_text),
  probe_context(uuid, uuid, int, bigint, bigint) TO regress_ann, regress_bob;
CREATE TABLE policy_t (tenant_id uuid NOT NULL, id int PRIMARY KEY, phone text);
INSERT INTO policy_t VALUES ('5f000000-0000-4000-8000-000000000001', 1, '0123456789');
SELECT aegis.encrypt_column('policy_t', 'phone', 'policy_test.phone', mask => 'last4');
SELECT aegis.set_reveal_policy('policy_test.phone', 2::smallint, 'masked');
SELECT aegis.set_reveal_policy('policy_test.phone', 1::smallint, 'none');
GRANT SELECT ON policy_t TO regress_ann, regress_bob;
CREATE FUNCTION seen() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := 'none';
BEGIN
  BEGIN SELECT aegis.masked(phone) INTO result FROM public.policy_t; EXCEPTION WHEN SQLSTATE 'AG013' THEN RETURN 'none'; END;
  BEGIN SELECT aegis.reveal(phone) INTO result FROM public.policy_t; EXCEPTION WHEN SQLSTATE 'AG013' THEN END;
  RETURN result;
END $$;
-- A function with the rights of somebody who has no bound.
CREATE FUNCTION seen_by_definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT public.seen() $$;

-- allows: without a bound the rank decides
\c - regress_ann
BEGIN; SELECT probe_as(4); SELECT seen(); COMMIT;

-- refuses: more than the bound of a role that the session user is a member of through another
\c - postgres
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_reporting'::regrole, 'masked');
SELECT role, level FROM aegis.reveal_bound;
\c - regress_ann
BEGIN; SELECT probe_as(4); SELECT seen(); COMMIT;
BEGIN; SELECT probe_as(4); SELECT aegis.reveal(phone) FROM policy_t; ROLLBACK;
BEGIN; SELECT probe_as(4); SELECT aegis.legible(phone) FROM policy_t; COMMIT;

-- refuses: more than the rank allows; a bound gives nothing
BEGIN; SELECT probe_as(2); SELECT seen(); COMMIT;
BEGIN; SELECT probe_as(1); SELECT seen(); COMMIT;

-- refuses: to lift it by another current role, a function with another's rights, or a role that is not inherited
BEGIN; SET LOCAL ROLE regress_analysts; RESET ROLE; SELECT probe_as(4); SELECT seen_by_definer(); COMMIT;
\c - postgres
ALTER ROLE regress_ann NOINHERIT;
GRANT regress_bob TO regress_ann;
\c - regress_ann
BEGIN; SET LOCAL ROLE regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;

-- allows: whoever is no member of it, also when their session becomes another's with a changed cache
\c - regress_bob
BEGIN; SELECT probe_as(4); SELECT seen(); COMMIT;
\c - postgres
BEGIN; SET SESSION AUTHORIZATION regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;
BEGIN; SET SESSION AUTHORIZATION regress_ann; SELECT probe_as(4); SELECT seen(); COMMIT;
RESET SESSION AUTHORIZATION;

-- refuses: the lowest of several bounds holds; at once in open sessions, by membership too
BEGIN; SET SESSION AUTHORIZATION regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;
RESET SESSION AUTHORIZATION;
GRANT regress_reporting TO regress_bob;
BEGIN; SET SESSION AUTHORIZATION regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;
RESET SESSION AUTHORIZATION;
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_bob'::regrole, 'none');
BEGIN; SET SESSION AUTHORIZATION regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;
BEGIN; SELECT probe_as(4); SELECT aegis.legible(phone) FROM policy_t; COMMIT;
RESET SESSION AUTHORIZATION;

-- refuses: a role that does not exist, a rank without its type, a word that is no level, everybody else
SELECT aegis.set_reveal_policy('policy_test.phone', 1, 'masked');
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_bob'::regrole, 'some');
SELECT aegis.set_reveal_policy('policy_test.none', 'regress_bob'::regrole, 'none');
SET SESSION AUTHORIZATION regress_bob;
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_bob'::regrole, 'full');
DELETE FROM aegis.reveal_bound;
RESET SESSION AUTHORIZATION;

-- allows: "full" lifts it
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_bob'::regrole, 'full');
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_reporting'::regrole, 'full');
SELECT count(*) FROM aegis.reveal_bound;
BEGIN; SET SESSION AUTHORIZATION regress_bob; SELECT probe_as(4); SELECT seen(); COMMIT;
RESET SESSION AUTHORIZATION;

-- survives: a role that is dropped; coverage names what it left, and the bound can still be lifted
SELECT aegis.set_reveal_policy('policy_test.phone', 'regress_analysts'::regrole, 'none');
DROP OWNED BY regress_bob, regress_ann;
DROP ROLE regress_analysts, regress_bob, regress_ann, regress_reporting;
SELECT severity, finding, problem, fix LIKE 'SELECT aegis.set_reveal_policy(''policy_test.phone'', %::regrole, ''full'')' AS fix FROM aegis.coverage() WHERE object_kind = 'field';
SELECT fix AS lift FROM aegis.coverage() WHERE object_kind = 'field' \gset
:lift;
SELECT count(*) FROM aegis.reveal_bound;

DROP TABLE policy_t;
DELETE FROM aegis.field WHERE name = 'policy_test.phone';
DELETE FROM aegis.tenant_key WHERE tenant_id = '5f000000-0000-4000-8000-000000000001';
DROP FUNCTION seen_by_definer(), seen(), probe_create_keys(uuid), probe_as(int), probe_context(uuid, uuid, int, bigint, bigint);
