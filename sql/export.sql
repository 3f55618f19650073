-- An export is a bundle of all that is sealed, or of one tenant's part of it, for auditors only, and recorded.
\set VERBOSITY terse
SELECT aegis.create_tenant('regress-export', 'Export', NULL) AS tenant \gset
SELECT aegis.declare_event('export_test.done', 'for the test of the export', '{"n": "clear"}');
SELECT count(aegis.record('export_test.done', detail => jsonb_build_object('n', n))) FROM generate_series(1, 600) n;
SELECT aegis.wait_sealed('60 s') > 0 AS sealed;
CREATE ROLE regress_export_auditor IN ROLE aegis_auditor INHERIT;
CREATE ROLE regress_export_nobody;
GRANT USAGE ON SCHEMA aegis TO regress_export_nobody;
GRANT SELECT ON aegis.entry TO regress_export_auditor;

-- allows: an auditor; the lines hold every sealed body in the order of leaves, and every seal
SET ROLE regress_export_auditor;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMPORARY TABLE line AS SELECT decode(l, 'base64') AS record, l, n FROM aegis.export_ledger() WITH ORDINALITY AS e(l, n);
SELECT substr(record, 1, 16) = '\x856e' || convert_to('aegis/bundle/1', 'UTF8') AS header FROM line WHERE n = 1;
SELECT count(*) = (SELECT count(*) FROM aegis.seal) AS all_seals FROM line WHERE substr(record, 1, 2) = '\x8201';
SELECT count(*) = (SELECT sum(cardinality(seqs)) FROM aegis.seal_leaves) AS all_entries FROM line WHERE substr(record, 1, 2) = '\x8403';
SELECT count(*) = (SELECT count(DISTINCT (seal, log)) FROM aegis.seal_leaves) AS all_heads FROM line WHERE substr(record, 1, 2) = '\x8602';
SELECT bool_and(position(leaf IN record) > 0 AND position(body IN record) > 0) AS bodies, count(*) = (SELECT count(*) FROM line WHERE substr(record, 1, 2) = '\x8403') AS each
  FROM (SELECT record, row_number() OVER (ORDER BY n) AS at FROM line WHERE substr(record, 1, 2) = '\x8403') l
  JOIN (SELECT e.leaf, e.body, row_number() OVER (ORDER BY seal, log, first_leaf, place) AS at
          FROM aegis.seal_leaves, unnest(seqs) WITH ORDINALITY AS u(seq, place) JOIN aegis.entry e USING (seq)) s USING (at);
SELECT substr(record, 1, 2) = '\x8505' AS ends FROM line ORDER BY n DESC LIMIT 1;
SELECT bool_and(l ~ '^[A-Za-z0-9+/]+=*$') AS base64 FROM line;

-- allows: one tenant; nobody else's entries, heads as hashes only
DROP TABLE line;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMPORARY TABLE line AS SELECT decode(l, 'base64') AS record, n FROM aegis.export_ledger(:'tenant') WITH ORDINALITY AS e(l, n);
SELECT count(*) = (SELECT sum(cardinality(seqs)) FROM aegis.seal_leaves JOIN aegis.tenant_log USING (log) WHERE tenant_id = :'tenant') AS own_entries,
       bool_and(position(uuid_send(:'tenant') IN record) > 0) AS own_only FROM line WHERE substr(record, 1, 2) = '\x8403';
SELECT count(*) = (SELECT count(*) FROM (SELECT seal, log FROM aegis.seal_leaves GROUP BY 1, 2) h JOIN aegis.tenant_log USING (log)
                    WHERE tenant_id IS DISTINCT FROM :'tenant') AS others_hidden,
       bool_and(octet_length(record) = 36) AS hashes FROM line WHERE substr(record, 1, 2) = '\x8204';
DROP TABLE line;
COMMIT;

-- allows: a file, as the page says
COPY (SELECT substr(l, 1, 16) FROM aegis.export_ledger() l LIMIT 1) TO STDOUT;
RESET ROLE;

-- survives: each export is an entry of its own, by the auditor, of the tenant when it was a tenant's
SELECT e.tenant_id = :'tenant' AS of_tenant, l.target_kind, l.target_id = :'tenant' AS target, l.detail ? 'seal' AS seal, l.detail ? 'entries' AS entries
  FROM aegis.audit_log l JOIN aegis.entry e USING (seq) WHERE l.event = 'ledger.exported' ORDER BY l.seq;
SELECT writer FROM aegis.event_type WHERE name = 'ledger.exported';

-- refuses: anybody else, a tenant without a log, the event from SQL
SET ROLE regress_export_nobody;
SELECT count(*) FROM aegis.export_ledger();
SET ROLE regress_export_auditor;
SELECT count(*) FROM aegis.export_ledger('00000000-0000-0000-0000-0000000000aa');
RESET ROLE;
SELECT aegis.record('ledger.exported');

-- survives: a ledger that was damaged is exported as it stands, so that the bundle shows it
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
SELECT count(*) AS n FROM aegis.export_ledger() \gset before_
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.entry WHERE seq = (SELECT max(seqs[1]) FROM aegis.seal_leaves)$$);
SELECT count(*) FILTER (WHERE right(encode(decode(l, 'base64'), 'hex'), 4) = 'f6f6') AS missing, count(*) >= :before_n AS all_lines FROM aegis.export_ledger() l;
ROLLBACK;
BEGIN;
SELECT regress_tamper($$INSERT INTO aegis.entry SELECT * FROM aegis.entry WHERE seq = (SELECT max(seqs[1]) FROM aegis.seal_leaves)$$);
SELECT count(*) >= :before_n AS all_lines FROM aegis.export_ledger() l;
ROLLBACK;
BEGIN;
SELECT regress_tamper($$DELETE FROM aegis.seal WHERE number = 2$$);
SELECT regress_tamper($$UPDATE aegis.tenant_log SET log_id = sha256('x') WHERE tenant_id IS NULL$$);
SELECT regress_tamper($$UPDATE aegis.seal_leaves SET root = NULL WHERE seal = 1$$);
SELECT count(*) > 0 AS exported FROM aegis.export_ledger() l;
ROLLBACK;
DROP FUNCTION regress_tamper(text);
REVOKE USAGE ON SCHEMA aegis FROM regress_export_nobody;
REVOKE SELECT ON aegis.entry FROM regress_export_auditor;
DROP ROLE regress_export_auditor, regress_export_nobody;
