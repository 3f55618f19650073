-- The beginning of a tenant's log is cut only when a rule, a proof outside, a checked export and two operators say so; a hold
-- forbids it; what stays proves what was there, and who cut it.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_retention_olga LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_retention_otto LOGIN IN ROLE aegis_operator;
CREATE ROLE regress_retention_auditor LOGIN IN ROLE aegis_auditor;
CREATE ROLE regress_retention_member LOGIN IN ROLE aegis_member;
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
-- A checkpoint of the newest seal, as the worker would store one.
CREATE FUNCTION regress_checkpoint() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  s aegis.seal;
BEGIN
  SELECT * INTO s FROM aegis.seal ORDER BY number DESC LIMIT 1;
  RETURN regress_tamper(format('INSERT INTO aegis.checkpoint SELECT coalesce(max(number), 0) + 1, %s, %s, %L, now(), %L FROM aegis.checkpoint', s.number, s.root_size, s.root,
    format(E'regress/log\n%s\n%s\n\n\u2014 regress/log %s\n', s.root_size, encode(s.root, 'base64'),
           replace(encode('\x01020304'::bytea || decode(repeat('ab', 64), 'hex'), 'base64'), E'\n', ''))));
END $$;
-- A receipt of the newest checkpoint, as an agent would bring one.
CREATE FUNCTION regress_anchor() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
  SELECT regress_tamper('INSERT INTO aegis.anchor_receipt (anchor, checkpoint, kind, place, digest, anchored_at)'
    ' SELECT ''regress'', number, ''file'', ''regress'', sha256(convert_to(note, ''UTF8'')), now() FROM aegis.checkpoint ORDER BY number DESC LIMIT 1') $$;
-- What aegis-verify prints of a bundle: from the chain in its last line, and the hash of the seal that it ends with.
CREATE FUNCTION regress_statement(tenant uuid) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
  SELECT encode(sha256(convert_to('aegis/checked/1', 'UTF8') || substr(last, octet_length(last) - 31) || (SELECT hash FROM aegis.seal ORDER BY number DESC LIMIT 1)), 'hex')
    FROM (SELECT decode((array_agg(line ORDER BY n DESC))[1], 'base64') AS last FROM aegis.export_ledger(tenant) WITH ORDINALITY e(line, n)) b $$;
CREATE FUNCTION regress_write(tenant uuid, first integer, last integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.assume_tenant(tenant, 'test of retention', 'T-1', read_only => false);
  PERFORM aegis.record('retention.done', detail => jsonb_build_object('n', n)) FROM generate_series(first, last) n;
  RETURN true;
END $$;
CREATE FUNCTION regress_size(tenant uuid) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT size FROM aegis.tenant_log WHERE tenant_id = tenant';
CREATE FUNCTION regress_left(tenant uuid) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM aegis.entry WHERE tenant_id = tenant';
CREATE FUNCTION regress_findings(tenant uuid DEFAULT NULL, OUT checked text, OUT subject text, OUT detail text) RETURNS SETOF record LANGUAGE sql SECURITY DEFINER AS $$
  SELECT checked, regexp_replace(subject, '[0-9a-f]{8}-[0-9a-f-]+|[0-9]+', 'N'), regexp_replace(regexp_replace(detail, '[0-9a-f]{8}-[0-9a-f-]+', 'N', 'g'), '[0-9]+', 'N', 'g') FROM aegis.verify_ledger(tenant)
   WHERE outcome = 'finding' AND detail !~ '^[0-9]+ findings$' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$;
\c - regress_retention_olga
SET client_min_messages = warning;
SELECT aegis.declare_event('retention.done', 'for the test of retention', '{"n": "clear"}');
SELECT aegis.create_tenant('retention-one', 'One') AS one \gset
SELECT aegis.create_tenant('retention-two', 'Two') AS two \gset
SELECT regress_write(:'one', 1, 500);
SELECT regress_write(:'two', 1, 5);
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT regress_size(:'one') AS middle \gset
SELECT regress_write(:'one', 501, 700);
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT regress_size(:'one') AS later \gset

-- refuses: whoever is no operator; rules and holds of nobody or without a reason; the tables and the functions behind
\c - regress_retention_member
SELECT aegis.set_ledger_retention(:'one', '7 years', 'policy');
SELECT aegis.hold_ledger(:'one', 'case 1');
SELECT aegis.cut_ledger(1, 'retention-one');
SELECT * FROM aegis.cuttable(:'one');
\c - regress_retention_olga
SELECT aegis.set_ledger_retention('00000000-0000-4000-8000-00000000000f', '7 years', 'policy');
SELECT aegis.set_ledger_retention(:'one', '-1 day', 'policy');
SELECT aegis.set_ledger_retention(:'one', '7 years', ' ');
SELECT aegis.hold_ledger(:'one', NULL);
SELECT aegis.hold_ledger(NULL, 'case 1');
SELECT aegis.release_ledger(-1, 'over');
SELECT aegis.begin_cut(1);
SELECT aegis.create_job('cut_ledger', :'one');
SELECT aegis.delete_cut_entries(1, :'one', 0, 1, 1);
INSERT INTO aegis.ledger_hold (tenant_id, reason, held_by) VALUES (:'one', 'x', 'x');
\c - :superuser
SELECT aegis.begin_cut(1);
SET ROLE aegis_owner;
SELECT aegis.begin_cut(-1);
RESET ROLE;
SELECT aegis.delete_cut_entries(log, :'one', 0, size, 10) FROM aegis.tenant_log WHERE tenant_id = :'one';
INSERT INTO aegis.ledger_cut (log, size, seal, seq, frontier, body) VALUES (1, 1, 1, 1, '', '');
TRUNCATE aegis.ledger_cut;

-- refuses: a cut without a rule, of what is too young, not signed, not proven outside, not exported, of another size, on hold
\c - regress_retention_olga
SELECT repeat('0', 64) AS nothing \gset
SELECT entries = :later AS all_sealed, cut, old_enough, signed, anchored, exported, holds, until FROM aegis.cuttable(:'one');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', '0:' || :'nothing');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':ab');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'nothing');
SELECT aegis.set_ledger_retention(:'one', '1 day', 'policy 7');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'nothing');
SELECT aegis.set_ledger_retention(:'one', '0', 'test');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'nothing');
\c - :superuser
SELECT regress_checkpoint();
-- A signature alone is not enough, and with a witness that cosigned nothing a receipt is not either.
SELECT signed >= :later AS signed, anchored, until FROM aegis.cuttable(:'one');
\c - regress_retention_olga
\set VERBOSITY default
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'nothing');
\set VERBOSITY terse
\c - :superuser
SELECT regress_anchor();
BEGIN;
SELECT regress_tamper($$INSERT INTO aegis.witness (name, vkey, destination, required, added_at, next_at) VALUES ('w', 'w', 'w', true, now(), now())$$);
SELECT signed >= :later AS signed, anchored FROM aegis.cuttable(:'one');
ROLLBACK;
-- Nor does any receipt count while an anchor holds another history, until it is dropped.
BEGIN;
SELECT regress_tamper($$INSERT INTO aegis.anchor (name, kind, destination, every, added_at, next_at, standing) VALUES ('a', 'file', 'a', '1 hour', now(), now(), 'refused')$$);
SELECT signed >= :later AS signed, anchored FROM aegis.cuttable(:'one');
SELECT regress_tamper('DELETE FROM aegis.anchor');
SELECT anchored >= :later AS anchored FROM aegis.cuttable(:'one');
ROLLBACK;
-- What a witness cosigned counts as well, also once it is gone.
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.anchor_receipt');
SELECT anchored FROM aegis.cuttable(:'one');
SELECT regress_tamper($$INSERT INTO aegis.cosignature (checkpoint, witness, vkey, cosigned_at, received_at, line) SELECT max(number), 'w', 'w', now(), now(), '' FROM aegis.checkpoint$$);
SELECT anchored >= :later AS anchored FROM aegis.cuttable(:'one');
ROLLBACK;
SELECT signed >= :later AS signed, anchored >= :later AS anchored FROM aegis.cuttable(:'one');
\c - regress_retention_olga
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'nothing');
\c - regress_retention_auditor
SELECT regress_statement(:'two') AS of_another \gset
SELECT regress_statement(:'one') AS statement \gset
SELECT count(*) AS exports, count(*) FILTER (WHERE statement = decode(:'statement', 'hex')) AS tell FROM aegis.ledger_export WHERE tenant_id IN (:'one', :'two');
\c - regress_retention_olga
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'of_another');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', (:middle - 1) || ':' || :'statement');
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', 999999 || ':' || :'statement');
SELECT aegis.hold_ledger(:'one', 'case 1') AS hold \gset
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy', :middle || ':' || :'statement');
SELECT until, holds FROM aegis.cuttable(:'one');
SELECT aegis.release_ledger(:hold, 'case 1 is over');
\set VERBOSITY sqlstate
SELECT aegis.release_ledger(:hold, 'case 1 is over');
\set VERBOSITY terse
SELECT reason, held_by, released_by, release_reason FROM aegis.ledger_holds WHERE tenant_id = :'one';

-- allows: asking, agreeing, cutting; a hold in between stops it
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy 7', :middle || ':' || :'statement') AS request \gset
SELECT aegis.cut_ledger(:request, 'retention-one');
SELECT aegis.approve_tenant_action(:request, 'retention-one');
-- refuses: a cut that nobody agreed to, to the owner as well
\c - :superuser
SET ROLE aegis_owner;
SELECT aegis.begin_cut(:request);
RESET ROLE;
\c - regress_retention_otto
SELECT aegis.approve_tenant_action(:request, 'retention-one');
SELECT aegis.hold_ledger(:'one', 'case 2') AS hold \gset
SELECT aegis.cut_ledger(:request, 'retention-one');
SELECT aegis.release_ledger(:hold, 'case 2 is over');
SELECT regress_left(:'one') AS before \gset
SELECT aegis.cut_ledger(:request, 'retention-one') AS job \gset
SELECT aegis.cut_ledger(:request, 'retention-one');
-- refuses: the same once more
\c - :superuser
SET ROLE aegis_owner;
SELECT aegis.begin_cut(:request);
RESET ROLE;
\c - regress_retention_otto
-- survives: nothing goes before the entry that records it is signed; then a hold stops even that
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT regress_left(:'one') >= :before AS all_there;
SELECT aegis.hold_ledger(:'one', 'case 3') AS hold \gset
\c - :superuser
SELECT regress_checkpoint();
\c - regress_retention_otto
SELECT aegis.wait_job(:job, '60 s');
SELECT error FROM aegis.jobs WHERE id = :job;
SELECT regress_left(:'one') >= :before AS all_there;
SELECT aegis.release_ledger(:hold, 'case 3 is over');
SELECT aegis.resume_job(:job);
SELECT aegis.wait_job(:job, '60 s');
SELECT j.result = jsonb_build_object('size', :middle) AS told, j.done = :middle AS counted FROM aegis.jobs j WHERE id = :job;
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT regress_left(:'one') = regress_size(:'one') - :middle AS only_these_went;
SELECT cut = :middle AS cut FROM aegis.cuttable(:'one');

-- survives: the ledger verifies, and says what was cut, when, by whom
\c - regress_retention_auditor
SELECT * FROM regress_findings();
SELECT * FROM regress_findings(:'one');
SELECT outcome, items = :middle AS all_of_them, regexp_replace(regexp_replace(detail, ' at 2.*, asked', ' at TIME, asked'), '[0-9]+', 'N', 'g') AS detail
  FROM aegis.verify_ledger(:'one') WHERE checked = 'cuts' AND subject ~ 'log of';
SELECT checked, outcome FROM aegis.verify_ledger(:'one') WHERE checked IN ('entries', 'cuts', 'trees') AND subject = 'one tenant';
SELECT size = :middle AS size, requested_by, approved_by, reason, statement = :'statement' AS statement FROM aegis.ledger_cuts WHERE tenant_id = :'one';
SELECT event, outcome, detail - 'n' - 'size' - 'root' - 'statement' AS detail FROM aegis.audit_log
  WHERE tenant_id = :'one' AND event ~ '^ledger' AND event <> 'ledger.exported' ORDER BY seq;
-- survives: hashes and proofs of what was cut; a receipt says that it was
SELECT cardinality(aegis.inclusion_proof(:'one', 0, :middle)) > 5 AS proven, aegis.log_root(:'one', :middle) IS NOT NULL AS root;
\set VERBOSITY default
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM aegis.receipt((SELECT tenant_id FROM aegis.ledger_cuts), 3);
EXCEPTION WHEN SQLSTATE 'AG022' THEN DECLARE d text; BEGIN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RAISE NOTICE '%: %', sqlerrm, regexp_replace(regexp_replace(d, 'cut at .*;', 'cut at TIME;'), '[0-9]+', 'N'); END; END $$;
\set VERBOSITY terse
SELECT aegis.receipt(:'one', :middle) ~ '^c2sp.org/tlog-proof' AS receipt_of_the_next;

-- refuses: moving the edge, taking more, taking the record of it, below the guard: each is named
\c - :superuser
BEGIN;
SELECT regress_tamper('UPDATE aegis.ledger_cut SET size = size + 200');
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.ledger_cut SET frontier = set_byte(frontier, 40, get_byte(frontier, 40) # 1), seal = seal + 1');
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.ledger_cut SET body = overlay(body placing ''\x61'' from octet_length(body) - 3)');
SELECT DISTINCT checked, subject, detail FROM regress_findings() WHERE checked = 'cuts';
ROLLBACK;
BEGIN;
SELECT regress_tamper(format('DELETE FROM aegis.entry WHERE seq = (SELECT min(seq) FROM aegis.entry WHERE tenant_id = %L AND seq > (SELECT max(x) FROM aegis.seal_leaves, unnest(seqs) x WHERE first_leaf < %s AND log = (SELECT log FROM aegis.ledger_cut)))', :'one', :middle)) AS gone;
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.entry e USING aegis.ledger_cut c WHERE e.seq = c.seq') AS gone;
SELECT * FROM regress_findings();
ROLLBACK;
BEGIN;
SELECT regress_tamper('DELETE FROM aegis.ledger_cut') AS gone;
SELECT count(*) FROM regress_findings() WHERE detail ~ 'it was deleted';
ROLLBACK;
BEGIN;
SELECT regress_tamper('UPDATE aegis.seal_leaves SET leaves = set_byte(leaves, 40, get_byte(leaves, 40) # 1) WHERE log = (SELECT log FROM aegis.ledger_cut) AND first_leaf = (SELECT max(first_leaf) FROM aegis.seal_leaves l, aegis.ledger_cut c WHERE l.log = c.log AND l.first_leaf + cardinality(l.seqs) <= c.size AND cardinality(l.seqs) > 2)') AS changed;
SELECT * FROM regress_findings();
ROLLBACK;

-- allows: the next cut, which takes the entry that records the first one along
SELECT regress_checkpoint();
SELECT regress_anchor();
\c - regress_retention_auditor
SELECT regress_statement(NULL) AS statement \gset
\c - regress_retention_olga
SELECT until AS next FROM aegis.cuttable(:'one') \gset
SELECT aegis.request_tenant_action('cut_ledger', :'one', 'retention-one', 'policy 7', :next || ':' || :'statement') AS request \gset
\c - regress_retention_otto
SELECT aegis.approve_tenant_action(:request, 'retention-one');
-- Until its entry is sealed the first cut is the one that counts.
BEGIN;
SELECT aegis.cut_ledger(:request, 'retention-one') AS job \gset
SELECT * FROM regress_findings();
COMMIT;
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
\c - :superuser
SELECT regress_checkpoint();
SELECT aegis.wait_job(:job, '60 s');
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
SELECT regress_left(:'one') = regress_size(:'one') - :next AS only_these_went, :next > :middle AS more;
SELECT * FROM regress_findings();
SELECT checked, items FROM aegis.verify_ledger() WHERE checked = 'cuts' AND subject = 'all tenants';
-- From any checkpoint, before and after the cuts: what was cut is still gone by right.
SELECT count(DISTINCT k.number) > 1 AS some, count(*) FILTER (WHERE v.outcome = 'finding') AS findings,
       count(*) FILTER (WHERE v.checked = 'cuts' AND v.subject ~ 'log of') = count(DISTINCT k.number) AS told
  FROM (SELECT number, note FROM aegis.checkpoint ORDER BY number DESC LIMIT 10) k, aegis.verify_ledger(from_checkpoint => k.note) v;
SELECT count(*) FROM aegis.entry e JOIN aegis.ledger_cut c ON e.seq = c.seq;

-- without a rule everything is kept
\c - regress_retention_olga
SELECT aegis.set_ledger_retention(:'one', NULL, 'test');
SELECT old_enough, until = cut AS nothing FROM aegis.cuttable(:'one');
\c - :superuser
SET client_min_messages = error;
SELECT regress_tamper('DELETE FROM aegis.anchor_receipt') > 0 AS forgotten;
SELECT regress_tamper('DELETE FROM aegis.checkpoint') > 0 AS forgotten;
DROP FUNCTION regress_checkpoint(), regress_anchor(), regress_statement(uuid), regress_write(uuid, integer, integer), regress_size(uuid), regress_left(uuid),
  regress_findings(uuid), regress_tamper(text);
DROP ROLE regress_retention_olga, regress_retention_otto, regress_retention_auditor, regress_retention_member;
