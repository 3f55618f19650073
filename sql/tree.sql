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
CREATE FUNCTION seal_pass() RETURNS integer AS '$libdir/aegis', 'aegis_test_seal_pass' LANGUAGE C;
CREATE PROCEDURE seal_often(n integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    PERFORM aegis.record('tree_test.done');
    COMMIT;
    PERFORM seal_pass();  -- or the worker's, whoever is first
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
SELECT count(*) > 100 AS many, bool_and(verify_inclusion(h.index, s.root_size, h.hash, aegis.root_inclusion_proof(h.index, s.root_size), s.root)) AS included
  FROM aegis.seal s JOIN head h ON h.index < s.root_size AND (s.number < 16 OR (s.number + h.index) % 397 = 0 AND s.number > (SELECT max(number) - 100 FROM aegis.seal));
SELECT count(*) > 100 AS many, bool_and(verify_consistency(a.root_size, b.root_size, aegis.root_consistency_proof(a.root_size, b.root_size), a.root, b.root)) AS consistent
  FROM aegis.seal a JOIN aegis.seal b ON a.number <= b.number AND (b.number < 16 OR (b.number + a.number) % 397 = 0 AND b.number > (SELECT max(number) - 100 FROM aegis.seal));

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
-- the seal that holds leaf 1, which the proof of leaf 0 needs
SELECT min(number) AS seal FROM aegis.seal WHERE root_size > 1 \gset
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.seal WHERE number = ' || :seal) AS rows;
SELECT aegis.root_inclusion_proof(0, 40);
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.seal_leaves SET root = NULL WHERE seal = ' || :seal) > 0 AS changed;
SELECT aegis.root_inclusion_proof(0, 200);
ROLLBACK;

-- refuses: a receipt while no checkpoint covers the entry
SELECT aegis.receipt(:'tenant', 5);
\set VERBOSITY terse
-- A signer is tested elsewhere; here its signature is empty, and the function gives out what a reader then checks.
CREATE FUNCTION sign(n integer, size bigint, root bytea) RETURNS bigint LANGUAGE sql AS $$
  SELECT regress_tamper(format('INSERT INTO aegis.checkpoint (number, seal, size, root, signed_at, note) VALUES (%s, 1, %s, %L, now(), %L)', n, size, root,
    format(E'regress/tree\n%s\n%s\n\n\u2014 regress/tree %s\n', size, encode(root, 'base64'), replace(encode(decode(repeat('00', 68), 'hex'), 'base64'), E'\n', ''))))
$$;
SELECT sign(1000001, root_size, root) AS signed FROM aegis.seal WHERE number = 3;
SELECT aegis.receipt(:'tenant', 60000);
SELECT sign(1000002, root_size, root) AS signed FROM aegis.seal ORDER BY number DESC LIMIT 1;

-- allows: a proof file over the root log; the extra holds the entry, its place and the log's id
CREATE FUNCTION parts(receipt text, OUT kind text, OUT extra bytea, OUT index bigint, OUT proof bytea[], OUT note text) LANGUAGE sql AS $$
  SELECT l[1], decode(substr(l[2], 7), 'base64'), substr(l[3], 7)::bigint, ARRAY(SELECT decode(x, 'base64') FROM unnest(l[4:]) x), substr(receipt, strpos(receipt, E'\n\n') + 2)
    FROM (SELECT string_to_array(split_part(receipt, E'\n\n', 1), E'\n')) s(l)
$$;
SELECT p.kind, left(encode(extra, 'escape'), 17) AS type, p.note = aegis.latest_checkpoint() AS newest_note,
       position(e.body IN extra) > 0 AS entry, position(t.log_id IN extra) = octet_length(extra) - 31 AS log_id,
       verify_inclusion(p.index, s.root_size, h.hash, p.proof, s.root) AS head_is_covered
  FROM parts(aegis.receipt(:'tenant', 5)) p, aegis.tenant_log t, aegis.seal_leaves l, aegis.entry e, aegis.seal s, head h
 WHERE t.log = :log AND l.log = :log AND l.first_leaf <= 5 AND l.first_leaf + cardinality(l.seqs) > 5 AND e.seq = l.seqs[5 - l.first_leaf + 1]
   AND s.number = (SELECT max(number) FROM aegis.seal) AND h.index = p.index;
-- every receipt is checked before it is given out, so these would fail
SELECT count(r) AS receipts FROM generate_series(0, :size - 1, 9973) n, aegis.receipt(:'tenant', n) r;
SELECT count(*) > 10 AS of_many_seals FROM aegis.seal_leaves l JOIN aegis.tenant_log t USING (log), aegis.receipt(t.tenant_id, l.first_leaf) r
 WHERE l.root IS NOT NULL AND tenant_id IS NULL AND l.seal % 20 = 0 AND r LIKE 'c2sp.org/tlog-proof@v1%';
SELECT aegis.receipt(:'tenant', NULL) IS NULL AS of_nothing;
SET ROLE regress_tree_auditor;
SELECT aegis.receipt(:'tenant', 7) LIKE 'c2sp.org/tlog-proof@v1%' AS auditor;
RESET ROLE;
SET SESSION AUTHORIZATION regress_tree_member;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 4, 1, 100);
SELECT aegis.receipt(:'tenant', 7) LIKE 'c2sp.org/tlog-proof@v1%' AS admin;
SAVEPOINT s;
SELECT aegis.receipt(:'other', 0);
ROLLBACK TO s;
SELECT aegis.receipt(NULL, 0);
ROLLBACK;
BEGIN;
SELECT probe_context(:'tenant', gen_random_uuid(), 3, 1, 100);
SELECT aegis.receipt(:'tenant', 7);
ROLLBACK;

-- refuses: no context, leaves that are not there, unknown tenants
SELECT aegis.receipt(:'tenant', 7);
RESET SESSION AUTHORIZATION;
SELECT aegis.receipt(:'tenant', -1);
SELECT aegis.receipt(:'tenant', 1000000);
SELECT aegis.receipt('00000000-0000-0000-0000-0000000000aa', 0);

-- survives: of a changed or deleted entry, and under a checkpoint of another tree, there is no receipt
BEGIN;
SELECT regress_tamper(format('UPDATE aegis.entry SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE seq = (SELECT seqs[1] FROM aegis.seal_leaves WHERE log = %s AND first_leaf = 0)', :log)) AS rows;
SELECT aegis.receipt(:'tenant', 0);
ROLLBACK;
BEGIN;
SELECT regress_tamper(format('DELETE FROM aegis.entry WHERE seq = (SELECT seqs[1] FROM aegis.seal_leaves WHERE log = %s AND first_leaf = 0)', :log)) AS rows;
SELECT aegis.receipt(:'tenant', 0);
ROLLBACK;
BEGIN;
SELECT sign(1000003, max(root_size), sha256('')) AS signed FROM aegis.seal;
SELECT aegis.receipt(:'tenant', 0);
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.tenant_log SET log_id = sha256(''x'') WHERE log = ' || :log) AS rows;
SELECT aegis.receipt(:'tenant', 0);
ROLLBACK;
SELECT regress_tamper('DELETE FROM aegis.checkpoint WHERE number > 1000000') AS forgotten;

-- refuses: changes of the nodes
DELETE FROM aegis.tree_node;
INSERT INTO aegis.tree_node VALUES (1, 8, 0, sha256(''));
TRUNCATE aegis.tree_node;

DROP VIEW leaf;
DROP TABLE small, sealed, large, head;
DROP PROCEDURE fill(uuid, integer[]), seal_often(integer);
DROP FUNCTION seal_pass(), parts(text), sign(integer, bigint, bytea), probe_context(uuid, uuid, int, bigint, bigint), regress_tamper(text), plain_root(bytea[]),
  verify_inclusion(bigint, bigint, bytea, bytea[], bytea), verify_consistency(bigint, bigint, bytea[], bytea, bytea);
REVOKE USAGE ON SCHEMA aegis FROM regress_tree_nobody;
DROP ROLE regress_tree_auditor, regress_tree_member, regress_tree_nobody;
