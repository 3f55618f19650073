-- Proofs from stored nodes, checked by the algorithms of RFC 9162 against roots that were made without them.
\set VERBOSITY terse
CREATE FUNCTION verify_inclusion(index bigint, size bigint, leaf bytea, proof bytea[], root bytea) RETURNS boolean
  AS '$libdir/aegis', 'aegis_test_verify_inclusion' LANGUAGE C STRICT;
CREATE FUNCTION verify_consistency(first bigint, second bigint, proof bytea[], first_root bytea, second_root bytea) RETURNS boolean
  AS '$libdir/aegis', 'aegis_test_verify_consistency' LANGUAGE C STRICT;
-- RFC 6962 section 2.1, word for word.
CREATE FUNCTION plain_root(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  k integer := 1;
BEGIN
  IF cardinality(leaves) = 0 THEN RETURN sha256(''); END IF;
  IF cardinality(leaves) = 1 THEN RETURN leaves[1]; END IF;
  WHILE k * 2 < cardinality(leaves) LOOP k := k * 2; END LOOP;
  RETURN sha256('\x01' || plain_root(leaves[1:k]) || plain_root(leaves[k + 1:]));
END $$;
SELECT aegis.create_tenant('regress-tree', 'Tree', NULL) AS tenant \gset
SELECT aegis.create_tenant('regress-tree-other', 'Other', NULL) AS other \gset
SELECT aegis.declare_event('tree_test.done', 'for the test of trees', '{"n": "clear"}');
CREATE ROLE regress_tree_auditor IN ROLE aegis_auditor;
CREATE ROLE regress_tree_member LOGIN IN ROLE aegis_member;
CREATE ROLE regress_tree_nobody;
GRANT USAGE ON SCHEMA aegis TO regress_tree_nobody;

-- The log of the tenant grows in passes of several sizes.
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
CREATE PROCEDURE fill(tenant uuid, VARIADIC sizes integer[]) LANGUAGE plpgsql AS $$
DECLARE
  n integer;
BEGIN
  FOREACH n IN ARRAY sizes LOOP
    PERFORM aegis.assume_tenant(tenant, 'test', 'T-1', false);
    PERFORM aegis.record('tree_test.done', detail => jsonb_build_object('n', i)) FROM generate_series(1, n) i;
    COMMIT;
    PERFORM aegis.wait_sealed('60 s');
    COMMIT;
  END LOOP;
END $$;
CALL fill(:'tenant', 1, 2, 1, 30, 3);
SELECT log, size FROM aegis.tenant_log WHERE tenant_id = :'tenant' \gset
SELECT :size > 40 AS enough;
-- Hashes of the bodies, in the order that seal_leaves tells.
CREATE VIEW leaf AS
  SELECT l.log, l.first_leaf + u.place - 1 AS leaf, sha256('\x00' || e.body) AS hash, substr(l.leaves, 32 * u.place::int - 31, 32) AS stored
    FROM aegis.seal_leaves l, unnest(l.seqs) WITH ORDINALITY AS u(seq, place), aegis.entry e WHERE e.seq = u.seq;

-- allows: every leaf of every size, and every pair of sizes, of a log that grew in several seals
SELECT bool_and(hash = stored) AS hashes, count(*) = :size AS each_leaf FROM leaf WHERE log = :log;
CREATE TABLE small AS SELECT n AS size, plain_root(ARRAY(SELECT hash FROM leaf WHERE log = :log AND leaf < n ORDER BY leaf)) AS root FROM generate_series(0, 41) n;
SELECT bool_and(aegis.log_root(:'tenant', size) = root) AS roots FROM small;
SELECT count(*) AS proofs, bool_and(verify_inclusion(leaf, size, hash, aegis.inclusion_proof(:'tenant', leaf, size), root)) AS included,
       bool_or(verify_inclusion(leaf, size, sha256(hash), aegis.inclusion_proof(:'tenant', leaf, size), root)) AS another_leaf
  FROM small JOIN leaf ON leaf < size AND log = :log;
SELECT count(*) AS proofs, bool_and(verify_consistency(a.size, b.size, aegis.consistency_proof(:'tenant', a.size, b.size), a.root, b.root)) AS consistent,
       bool_or(a.size < b.size AND verify_consistency(a.size, b.size, aegis.consistency_proof(:'tenant', a.size, b.size), b.root, b.root)) AS another_root
  FROM small a JOIN small b ON a.size <= b.size AND a.size > 0;

-- allows: beyond one tile of leaves, and beyond one tile of nodes
CALL fill(:'tenant', 255, 1, 1, 66000);
SELECT size FROM aegis.tenant_log WHERE log = :log \gset
CREATE TABLE sealed AS
  SELECT first_leaf + octet_length(leaves) / 32 AS size, root FROM aegis.seal_leaves WHERE log = :log AND root IS NOT NULL;
SELECT level, count(*) = :size >> level AS complete, min(index), max(index) = (:size >> level) - 1 AS gapless FROM aegis.tree_node WHERE log = :log GROUP BY level ORDER BY level;
CREATE TABLE large AS
  SELECT n AS size, aegis.log_root(:'tenant', n) AS root
    FROM (SELECT unnest(ARRAY[255, 256, 257, 511, 512, 513, 4096, 33333, 65535, 65536, 65537]) UNION SELECT :size) s(n);
SELECT count(*) > 8 AS seals, bool_and(aegis.log_root(:'tenant', size) = root) AS roots_of_seals FROM sealed;
SELECT bool_and(aegis.log_root(:'tenant', n) = plain_root(ARRAY(SELECT hash FROM leaf WHERE log = :log AND leaf < n ORDER BY leaf))) AS roots_of_bodies
  FROM unnest(ARRAY[256, 300, 513]) n;
SELECT count(*) AS proofs, bool_and(verify_inclusion(leaf, size, hash, aegis.inclusion_proof(:'tenant', leaf, size), root)) AS included,
       max(cardinality(aegis.inclusion_proof(:'tenant', leaf, size))) AS hashes
  FROM large JOIN leaf ON log = :log AND leaf < size AND (leaf IN (0, 1, 199, 200, 254, 255, 256, 257, 511, 512, 65535, 65536) OR leaf % 3001 = 0 OR leaf = size - 1);
SELECT count(*) AS proofs, bool_and(verify_consistency(a.size, b.size, aegis.consistency_proof(:'tenant', a.size, b.size), a.root, b.root)) AS consistent
  FROM (TABLE large UNION SELECT * FROM small WHERE size > 0) a JOIN large b ON a.size <= b.size;

-- allows: heads in the root log, beyond one tile of them, against the roots that the seals carry
CREATE PROCEDURE seal_often(n integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    PERFORM aegis.record('tree_test.done');
    COMMIT;
    PERFORM aegis.wait_sealed('60 s');
    COMMIT;
  END LOOP;
END $$;
CALL seal_often(260);
CREATE TABLE head AS
  SELECT row_number() OVER (ORDER BY l.seal, l.log) - 1 AS index,
         sha256('\x00' || convert_to('aegis/head/1', 'UTF8') || t.log_id || int8send(l.first_leaf + octet_length(l.leaves) / 32) || l.root) AS hash
    FROM aegis.seal_leaves l JOIN aegis.tenant_log t USING (log) WHERE l.root IS NOT NULL;
SELECT count(*) = (SELECT max(root_size) FROM aegis.seal) AS each_head FROM head;
SELECT count(*) > 0 AS nodes FROM aegis.tree_node WHERE log = 0;
SELECT count(*) > 500 AS many, bool_and(verify_inclusion(h.index, s.root_size, h.hash, aegis.root_inclusion_proof(h.index, s.root_size), s.root)) AS included
  FROM aegis.seal s JOIN head h ON h.index < s.root_size AND (s.number < 16 OR (s.number + h.index) % 40 = 0);
SELECT count(*) > 300 AS many, bool_and(verify_consistency(a.root_size, b.root_size, aegis.root_consistency_proof(a.root_size, b.root_size), a.root, b.root)) AS consistent
  FROM aegis.seal a JOIN aegis.seal b ON a.number <= b.number AND (b.number < 16 OR (b.number + a.number) % 40 = 0);

-- allows: the system's log, under no tenant
SELECT verify_inclusion(3, size, hash, aegis.inclusion_proof(NULL, 3, size), root) AS included FROM aegis.tenant_log JOIN leaf USING (log) WHERE tenant_id IS NULL AND leaf = 3;
SELECT aegis.inclusion_proof(:'tenant', NULL, 5) IS NULL AS of_nothing, aegis.log_root(:'tenant', 0) = sha256('') AS empty, aegis.inclusion_proof(:'tenant', 0, 1) AS one;

-- refuses: what is not there
SELECT aegis.inclusion_proof(:'tenant', 5, 5);
SELECT aegis.inclusion_proof(:'tenant', -1, 5);
SELECT aegis.inclusion_proof(:'tenant', 0, 1000000);
SELECT aegis.consistency_proof(:'tenant', 0, 5);
SELECT aegis.consistency_proof(:'tenant', 6, 5);
SELECT aegis.consistency_proof(:'tenant', 6, 9223372036854775807);
SELECT aegis.log_root(:'tenant', -5);
SELECT aegis.log_root(:'tenant', 1000000);
SELECT aegis.root_inclusion_proof(0, 1000000000);
SELECT aegis.root_consistency_proof(0, 1);
SELECT aegis.log_root('00000000-0000-0000-0000-0000000000aa', 1);

-- allows: auditors; refuses: everybody else without a context
SET ROLE regress_tree_auditor;
SELECT cardinality(aegis.inclusion_proof(:'tenant', 5, 40)) AS hashes, cardinality(aegis.root_inclusion_proof(0, 2)) AS in_root_log, count(*) > 0 AS nodes FROM aegis.tree_node;
SET ROLE regress_tree_member;
SELECT aegis.inclusion_proof(:'tenant', 5, 40);
SELECT aegis.log_root(NULL, 1);
SELECT aegis.root_inclusion_proof(0, 1);
SET ROLE regress_tree_nobody;
SELECT aegis.inclusion_proof(:'tenant', 5, 40);
SELECT aegis.consistency_proof(:'tenant', 5, 40);
SELECT aegis.root_consistency_proof(1, 2);
RESET ROLE;

-- allows: an admin, for the own tenant's log only; refuses: other ranks, other logs, the system's
SET SESSION AUTHORIZATION regress_tree_member;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 4, 1, 100);
SELECT cardinality(aegis.inclusion_proof(:'tenant', 5, 40)) AS inclusion, cardinality(aegis.consistency_proof(:'tenant', 5, 40)) AS consistency,
       octet_length(aegis.log_root(:'tenant', 40)) AS root;
SAVEPOINT s;
SELECT aegis.inclusion_proof(:'other', 0, 1);
ROLLBACK TO s;
SELECT aegis.log_root(NULL, 1);
ROLLBACK TO s;
SELECT aegis.root_consistency_proof(1, 2);
ROLLBACK;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, 1, 100);
SELECT aegis.inclusion_proof(:'tenant', 5, 40);
ROLLBACK;
RESET SESSION AUTHORIZATION;

-- survives: a caller who puts operators of their own before ours
CREATE SCHEMA regress_trap;
CREATE FUNCTION regress_trap.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_trap.equal(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION regress_trap.equal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR regress_trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_trap.equal);
CREATE OPERATOR regress_trap.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = regress_trap.equal);
CREATE OPERATOR regress_trap.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = regress_trap.equal);
CREATE OPERATOR regress_trap.< (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_trap.equal);
\c
SET search_path = regress_trap, pg_catalog, public;
SELECT cardinality(aegis.inclusion_proof(:'tenant', 5, 66000)) AS hashes, cardinality(aegis.root_inclusion_proof(5, 260)) AS in_root_log, octet_length(aegis.log_root(NULL, 3)) AS root;
RESET search_path;
DROP SCHEMA regress_trap CASCADE;

-- survives: what was damaged gives no proof
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
\set VERBOSITY sqlstate
BEGIN;
SELECT regress_tamper(format('DELETE FROM aegis.seal_leaves WHERE log = %s AND first_leaf = 0', :log)) AS rows;
SELECT aegis.inclusion_proof(:'tenant', 5, 40);
ROLLBACK;
BEGIN;
SELECT regress_tamper(format('DELETE FROM aegis.tree_node WHERE log = %s AND level = 8 AND index = 3', :log)) AS rows;
SELECT aegis.log_root(:'tenant', 1024);
ROLLBACK;
BEGIN;
SELECT regress_tamper(format('UPDATE aegis.tree_node SET hash = ''x'' WHERE log = %s AND level = 8 AND index = 3', :log)) AS rows;
SELECT aegis.log_root(:'tenant', 1024);
ROLLBACK;
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.seal WHERE number = 2') AS rows;
SELECT aegis.root_inclusion_proof(0, 200);
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.seal_leaves SET root = NULL WHERE seal = 2') > 0 AS changed;
SELECT aegis.root_inclusion_proof(0, 200);
ROLLBACK;

-- refuses: changes of the nodes
\set VERBOSITY terse
DELETE FROM aegis.tree_node;
INSERT INTO aegis.tree_node VALUES (1, 8, 0, sha256(''));
TRUNCATE aegis.tree_node;

DROP VIEW leaf;
DROP TABLE small, sealed, large, head;
DROP PROCEDURE fill(uuid, integer[]), seal_often(integer);
DROP FUNCTION probe_context(uuid, uuid, int, bigint, bigint), regress_tamper(text), plain_root(bytea[]),
  verify_inclusion(bigint, bigint, bytea, bytea[], bytea), verify_consistency(bigint, bigint, bytea[], bytea, bytea);
REVOKE USAGE ON SCHEMA aegis FROM regress_tree_nobody;
DROP ROLE regress_tree_auditor, regress_tree_member, regress_tree_nobody;
