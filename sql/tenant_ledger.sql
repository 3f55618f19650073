-- An admin reads the log of the own tenant, page by page, without anybody decoding the rest; nobody else does, and
-- nobody another tenant's.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS administrator \gset
CREATE ROLE regress_tl_operator LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_tl_member LOGIN IN ROLE aegis_member;
\c - regress_tl_operator
SELECT aegis.declare_event('regress.page', 'an entry of a test', '{"at": "clear"}');
SELECT aegis.create_tenant('regress-tl-one', 'One Ltd') AS one, aegis.create_tenant('regress-tl-two', 'Two Ltd') AS two \gset
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'set up the test', 'TEST-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@tl.example', 'Ada Admin', 4::smallint, NULL, 'violet-harbour-paints-11') AS ada_id \gset
SELECT aegis.create_user('mia@tl.example', 'Mia Manager', 3::smallint, NULL, 'violet-harbour-paints-12') \g /dev/null
SELECT aegis.create_user('uma@tl.example', 'Uma User', 1::smallint, NULL, 'violet-harbour-paints-14') \g /dev/null
COMMIT;
BEGIN;
SELECT aegis.assume_tenant(:'two'::uuid, 'set up the test', 'TEST-1', read_only => false) \g /dev/null
SELECT aegis.create_user('ada@tl.example', 'Ada Other', 4::smallint, NULL, 'violet-harbour-paints-21') \g /dev/null
COMMIT;
\c - regress_tl_member
SELECT token AS ada FROM aegis.sign_in('regress-tl-one', 'ada@tl.example', 'violet-harbour-paints-11', '192.0.2.1', 'test', 't') \gset
SELECT token AS mia FROM aegis.sign_in('regress-tl-one', 'mia@tl.example', 'violet-harbour-paints-12', '192.0.2.1', 'test', 't') \gset
SELECT token AS uma FROM aegis.sign_in('regress-tl-one', 'uma@tl.example', 'violet-harbour-paints-14', '192.0.2.1', 'test', 't') \gset
SELECT token AS other FROM aegis.sign_in('regress-tl-two', 'ada@tl.example', 'violet-harbour-paints-21', '192.0.2.1', 'test', 't') \gset
-- Entries of both tenants, in more than one seal, and more in one transaction than a row of leaves holds.
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.record('regress.page', 'page', 'a' || n, CASE WHEN n % 3 = 0 THEN 'failure' ELSE 'success' END, jsonb_build_object('at', n))
  FROM generate_series(1, 30) n \g /dev/null
COMMIT;
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT aegis.record('regress.page', 'page', 'other' || n) FROM generate_series(1, 30) n \g /dev/null
COMMIT;
SELECT aegis.wait_sealed('30 s') > 0 AS sealed;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT aegis.record('regress.page', 'page', 'b' || n, detail => jsonb_build_object('at', n)) FROM generate_series(1, 450) n \g /dev/null
COMMIT;
SELECT aegis.wait_sealed('30 s') > 0 AS sealed;

-- allows: the newest page, the next ones until the first entry; each agrees with the whole log, decoded
BEGIN READ ONLY;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT l.entries > 480 AS entries, l.seal > 0 AS seal, l.sealed_at IS NOT NULL AS sealed_at FROM aegis.tenant_ledger() l;
SELECT cardinality(f.leaves), f.leaves[1] = l.entries - 1 AS newest, f.next = f.leaves[50] AS next
  FROM aegis.find_tenant_entries() f, aegis.tenant_ledger() l;
SELECT f.leaves, f.next FROM aegis.find_tenant_entries(3) f;
SELECT f.leaves, f.next FROM aegis.find_tenant_entries(0) f;
SELECT cardinality(f.leaves), f.next = l.entries - 7 AS next FROM aegis.find_tenant_entries(9223372036854775807, 7) f, aegis.tenant_ledger() l;
SELECT count(*), bool_and(e.leaf IS NOT DISTINCT FROM a.leaf AND e.seal = a.seal AND e."time" = a."time" AND e.event = a.event AND e.outcome = a.outcome
                          AND e.detail IS NOT DISTINCT FROM a.detail AND e.image IS NOT DISTINCT FROM a.image AND e.target_id IS NOT DISTINCT FROM a.target_id) AS same
  FROM (SELECT e.* FROM generate_series(100, 400, 100) page, LATERAL aegis.find_tenant_entries(page, 100) f, LATERAL aegis.tenant_entries(f.leaves) e) e
  FULL JOIN aegis.tenant_audit_log() a USING (seq) WHERE a.leaf < 400 OR e.leaf < 400;
SELECT e.leaf - min(e.leaf) OVER () AS leaf, e.event, e.outcome, e.user_id = :'ada_id' AS ada, e.user_name, e.rank, e.way, e.target_kind, e.target_id, e.detail,
       octet_length(e.leaf_hash) AS hash, sha256('\x00' || e.body) = e.leaf_hash AS hashed
  FROM aegis.find_tenant_entries(most => 3, event => 'regress.page') f, LATERAL aegis.tenant_entries(f.leaves) e;
-- allows: searching by the beginning of the event and by outcome, over pages
SELECT count(*), min(e.target_id), max(e.target_id), count(DISTINCT e.outcome) FROM aegis.find_tenant_entries(most => 1000, event => 'regress.', outcome => 'failure') f,
       LATERAL aegis.tenant_entries(f.leaves) e;
SELECT cardinality(p.leaves) AS first_page, cardinality(n.leaves) AS second_page, n.next IS NULL AS at_end, p.next = p.leaves[7] AS next
  FROM aegis.find_tenant_entries(NULL, 7, 'regress', 'failure') p, LATERAL aegis.find_tenant_entries(p.next, 7, 'regress', 'failure') n;
SELECT cardinality(leaves), next FROM aegis.find_tenant_entries(event => 'regress.pager');
SELECT cardinality(leaves), next FROM aegis.find_tenant_entries(event => 'user.created');
-- allows: the seals, with the own entries in each
SELECT sum(s.entries) = max(l.entries) AS all_entries, bool_and((s.entries > 0) = (s.first_leaf IS NOT NULL)) AS placed, bool_and(s.hash IS NOT NULL AND octet_length(s.root) = 32) AS hashes
  FROM aegis.tenant_ledger() l, aegis.tenant_seals(most => 1000) s;
SELECT bool_and(s.previous = p.hash) AS chained FROM aegis.tenant_seals(most => 3) s JOIN aegis.tenant_seals(most => 4) p ON p.number = s.number - 1;
SELECT count(*) FROM aegis.tenant_seals(2, 10);
-- nothing: leaves that do not exist
SELECT count(*) FROM aegis.tenant_entries(ARRAY[-1, 9223372036854775807, NULL]);
SELECT count(*) FROM aegis.tenant_entries('{}');
SELECT count(*) FROM aegis.tenant_entries(NULL);
COMMIT;
-- allows: the bundle; taking it is recorded
BEGIN READ ONLY;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT length(b) > 480 * 160 AS long, (SELECT count(*) > 480 FROM regexp_split_to_table(convert_from(b, 'UTF8'), E'\n')) AS lines FROM aegis.tenant_bundle() b;
COMMIT;
SELECT aegis.wait_sealed('30 s') > 0 AS sealed;
BEGIN;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT e.event, e.target_kind, e.target_id = :'one' AS own, e.user_id = :'ada_id' AS ada
  FROM aegis.find_tenant_entries(most => 1, event => 'ledger.exported') f, LATERAL aegis.tenant_entries(f.leaves) e;
SAVEPOINT s;
-- refuses: a bundle that is too large, before and after looking
SELECT aegis.tenant_bundle(1000);
ROLLBACK TO s;
\set VERBOSITY sqlstate
SELECT aegis.tenant_bundle((l.entries * 160 + s.number * 160 + s.root_size * 40)::integer) IS NULL FROM aegis.tenant_ledger() l, aegis.tenant_seals(most => 1) s;
\set VERBOSITY terse
ROLLBACK TO s;
-- refuses: arguments out of range
SELECT aegis.find_tenant_entries(most => 0);
ROLLBACK TO s;
SELECT aegis.find_tenant_entries(most => 1001);
ROLLBACK TO s;
SELECT aegis.find_tenant_entries(outcome => 'perhaps');
ROLLBACK TO s;
SELECT aegis.tenant_seals(most => NULL);
ROLLBACK TO s;
SELECT aegis.tenant_entries((SELECT array_agg(n) FROM generate_series(1, 1001) n));
ROLLBACK TO s;
-- refuses: the functions below, and the tables
SELECT aegis.sealed_entries(:'two', 1, '{1}');
ROLLBACK TO s;
SELECT aegis.tenant_leaves(1, 0, 10);
ROLLBACK TO s;
SELECT aegis.entry_matches('\x', NULL, NULL);
ROLLBACK TO s;
SELECT count(*) FROM aegis.seal_leaves;
ROLLBACK;

-- the other tenant's admin sees the own entries only
BEGIN;
SELECT aegis.authenticate(:'other') \g /dev/null
SELECT count(*), min(e.target_id), max(e.target_id), min(e.user_name), max(e.user_name)
  FROM aegis.find_tenant_entries(most => 1000, event => 'regress.page') f, LATERAL aegis.tenant_entries(f.leaves) e;
SELECT position(convert_to('regress.page', 'UTF8') IN b) AS plain, count(*) > 30 AS lines
  FROM aegis.tenant_bundle() b, regexp_split_to_table(convert_from(b, 'UTF8'), E'\n') GROUP BY 1;
COMMIT;

-- refuses: lower ranks, and everybody without a context
BEGIN;
SELECT aegis.authenticate(:'mia') \g /dev/null
SAVEPOINT s;
SELECT aegis.tenant_ledger();
ROLLBACK TO s;
SELECT aegis.tenant_entries('{0}');
ROLLBACK TO s;
SELECT aegis.tenant_bundle();
ROLLBACK;
BEGIN;
SELECT aegis.authenticate(:'uma') \g /dev/null
SAVEPOINT s;
SELECT aegis.find_tenant_entries();
ROLLBACK TO s;
SELECT aegis.tenant_seals();
ROLLBACK;
SELECT aegis.tenant_ledger();
SELECT aegis.find_tenant_entries();
SELECT aegis.tenant_entries('{0}');
SELECT aegis.tenant_seals();
SELECT aegis.tenant_bundle();
-- refuses: operators, whatever tenant they assume
\c - regress_tl_operator
BEGIN;
SELECT aegis.assume_tenant(:'one'::uuid, 'curious', 'TEST-2') \g /dev/null
SELECT aegis.tenant_entries('{0}');
ROLLBACK;
-- refuses: an entry of another tenant, also when the leaves were changed so that they name it
\c - :administrator
SET client_min_messages = warning;
CREATE FUNCTION public.regress_tl_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
BEGIN;
SELECT public.regress_tl_tamper(format(
  'UPDATE aegis.seal_leaves s SET seqs[1] = (SELECT o.seqs[1] FROM aegis.seal_leaves o WHERE o.log = %s AND o.first_leaf = 0) WHERE s.log = %s AND s.first_leaf = 0',
  (SELECT log FROM aegis.tenant_log WHERE tenant_id = :'two'), (SELECT log FROM aegis.tenant_log WHERE tenant_id = :'one'))) AS changed;
SET SESSION AUTHORIZATION regress_tl_member;
SELECT aegis.authenticate(:'ada') \g /dev/null
SELECT count(*) AS shown FROM aegis.tenant_entries('{0}');
SELECT count(*) AS shown FROM aegis.tenant_entries('{1}');
ROLLBACK;
RESET SESSION AUTHORIZATION;
DROP FUNCTION public.regress_tl_tamper(text);
