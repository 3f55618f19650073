-- Witnesses: what is asked of them, and what comes of every answer that is no cosignature. With a signer, a witness and an
-- agent: tests/process/witness.sh.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
CREATE FUNCTION regress_entries(wanted text) RETURNS bigint LANGUAGE sql AS
  $$ SELECT count(*) FROM aegis.audit_log l WHERE l.event = wanted $$;
CREATE ROLE regress_witness_operator LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_witness_agent LOGIN IN ROLE aegis_agent INHERIT;
-- Published keys, for tests only: tests/vectors/cosignature_v1.json.
\set one 'witness.example/one+2152e6a7+BM0Us3+VbpUxlP9/tzs9gdzFYdYadTgJS3w+GmQ+5fOq'
\set two 'witness.example/two+ca4876b6+BE/QmczUfXiT3+nsJEFOyw2bVCAjKq0w2RxGW+M8vmXE'
\set log 'aegis.example/ledger+97ed5265+ASVDuS/xCVURR2rcg2nbbdyTNmWhGXjdoUBO4QZsqVWd'

-- allows: an operator registers who is asked; recorded
\c - regress_witness_operator
SELECT aegis.register_destination('regress-one', 'https://one.example.com/w'), aegis.register_destination('regress-drop', 'drop:regress');
SELECT aegis.register_witness(:'one', 'regress-one');
SELECT name, vkey = :'one' AS vkey, destination, required, standing, fault, size, checkpoint FROM aegis.witnesses;
-- refuses: a key that is none, that of a log, the same twice, a destination that is none
SELECT aegis.register_witness('nonsense', 'regress-one');
SELECT aegis.register_witness(:'log', 'regress-one');
SELECT aegis.register_witness(:'one', 'regress-one', false);
SELECT aegis.register_witness(:'two', 'regress-none');
SELECT aegis.register_witness(:'two', 'regress-drop');
SELECT aegis.drop_witness('witness.example/none');
-- refuses: what the outbox alone may do, and the tables
SELECT aegis.take_witness_answer(NULL, NULL, NULL);
SELECT aegis.take_cosignature(1, :'one', '');
SELECT count(*) FROM aegis.witness;
INSERT INTO aegis.cosignature VALUES (1, 'a', 'a', now(), now(), 'forged');
\c - :superuser
SELECT regress_entries('ledger.witness_registered') AS registered;
SELECT aegis.take_cosignature(1, :'one', '');
SELECT aegis.witness_request(0, 1);

-- refuses: cosignatures by anybody but the database itself, to the superuser and to the owner of the table as well
INSERT INTO aegis.cosignature VALUES (1, 'a', 'a', now(), now(), 'forged');
SET ROLE aegis_owner;
INSERT INTO aegis.cosignature VALUES (1, 'a', 'a', now(), now(), 'forged');
RESET ROLE;
UPDATE aegis.cosignature SET line = 'forged';
DELETE FROM aegis.cosignature;
TRUNCATE aegis.cosignature;
ALTER TABLE aegis.cosignature DISABLE TRIGGER ALL;

-- refuses: waiting where nothing is signed
SELECT aegis.wait_witnessed('1 s');
SELECT aegis.witnessed_checkpoint() IS NULL AS none;
SELECT aegis.health() ->> 'witness' AS health;

-- allows: a checkpoint is asked about once; a witness is sent the note, and a proof from what it cosigned last
SELECT aegis.wait_sealed('20 s') > 0 AS sealed;
SELECT regress_tamper(format('INSERT INTO aegis.checkpoint VALUES (2000001, %s, %s, %L, now(), %L)', s.number, s.root_size, s.root,
  format(E'regress/log\n%s\n%s\n\n\u2014 regress/log %s\n', s.root_size, encode(s.root, 'base64'), replace(encode(decode(repeat('00', 68), 'hex'), 'base64'), E'\n', ''))))
  FROM aegis.seal s ORDER BY s.number DESC LIMIT 1;
SELECT size AS size FROM aegis.checkpoint WHERE number = 2000001 \gset
CREATE FUNCTION regress_ask() RETURNS TABLE (id bigint, lease uuid, url text, method text, path text, accept jsonb, body text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 100 LOOP
    SET LOCAL ROLE aegis_owner;
    PERFORM aegis.tend_witnesses();  -- the worker does, too
    RESET ROLE;
    RETURN QUERY SELECT c.id, c.lease, c.url, p.j ->> 'method', p.j ->> 'path', p.j -> 'accept', convert_from(decode(p.j ->> 'body', 'base64'), 'UTF8')
      FROM aegis.claim_outbound(ARRAY['witness']) c CROSS JOIN LATERAL (SELECT convert_from(c.payload, 'UTF8')::jsonb AS j) p;
    IF FOUND THEN RETURN; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
SELECT id, lease, url, method, path, accept, body FROM regress_ask() \gset
SELECT :'url' AS url, :'method' AS method, :'path' AS path, :'accept' AS accept;
SELECT :'body' = E'old 0\n\n' || note AS whole FROM aegis.checkpoint WHERE number = 2000001;
SET ROLE aegis_owner;
SELECT aegis.tend_witnesses();
RESET ROLE;
SELECT count(*) AS asked_twice FROM aegis.claim_outbound(ARRAY['witness']);
SELECT aegis.health() ->> 'witness' AS health;

SET client_min_messages = error;
-- answer STATUS BODY: handed in by the agent, and the question asked anew at once.
CREATE FUNCTION regress_answer(question bigint, lease uuid, status integer, body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.finish_outbound(question, lease, 'delivered', convert_to(body, 'UTF8'), jsonb_build_object('status', status));
  PERFORM regress_tamper('UPDATE aegis.witness SET next_at = now()');
  RETURN (SELECT format('%s, %s: %s', o.result_ref, w.standing, w.fault) FROM aegis.outbox o, aegis.witness w WHERE o.id = question);
END $$;
-- refuses: answers that are none, and cosignatures of something else
SELECT regress_answer(:id, :'lease', 404, 'not here');
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 200, 'welcome');
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 200, E'\u2014 witness.example/one IVLmpwAAAABpJIEAzkfM94dC55rb34biZMRyWdiq/Xb26GKPHvPk2VqEbKkCmuYELON33Kp8FPg5V0fa1NF4mWg1MFQZTfTIkmtlDA==\n');
SELECT count(*) AS kept FROM aegis.cosignature;
SELECT regress_tamper($$UPDATE aegis.witness SET failures = 0$$);
-- allows: the size that a witness says to be asked from, when it can be
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 409, E'1\n');
SELECT id, lease, body FROM regress_ask() \gset
SELECT split_part(:'body', E'\n', 1) AS old, :'body' = E'old 1\n' || (SELECT string_agg(encode(h, 'base64') || E'\n', '' ORDER BY n)
  FROM unnest(aegis.root_consistency_proof(1, :size)) WITH ORDINALITY p(h, n)) || E'\n' || note AS whole FROM aegis.checkpoint WHERE number = 2000001;
-- refuses: one that says the same again, nothing, or no number
SELECT regress_answer(:id, :'lease', 409, E'1\n');
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 409, E'01\n');
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 409, '99999999999999999999');
SELECT id, lease FROM regress_ask() \gset
-- refuses, loudly and once: one that knows more, or another history
SELECT regress_answer(:id, :'lease', 409, (:size + 1) || E'\n');
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 409, (:size + 1) || E'\n');
SELECT aegis.health() ->> 'witness' AS health, aegis.health() ->> 'status' AS status;
SELECT severity, object, finding FROM aegis.coverage() WHERE object_kind = 'witness';
SELECT regress_tamper($$UPDATE aegis.witness SET standing = 'hindered', size = 1$$);
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 422, 'no');
-- refuses likewise: one that was asked from the size that it has, and says no, as older texts of C2SP have it
SELECT regress_tamper(format($$UPDATE aegis.witness SET standing = 'hindered', size = %s, failures = 0$$, :size));
SELECT id, lease FROM regress_ask() \gset
SELECT regress_answer(:id, :'lease', 409, :size || E'\n');
SELECT detail ->> 'reason' AS reason, (detail ->> 'size')::bigint = :size AS size, target_id FROM aegis.audit_log WHERE event = 'ledger.witness_refused' ORDER BY seq;
-- allows: whoever looks to see that a witness has not cosigned for long, and that there is none
SELECT regress_tamper($$UPDATE aegis.witness SET standing = 'hindered'$$);
SELECT regress_tamper($$UPDATE aegis.checkpoint SET signed_at = now() - interval '5 min' WHERE number = 2000001$$) AS older;
SELECT aegis.health() ->> 'witness' AS health, aegis.health() ->> 'status' AS status, (aegis.health() ->> 'witness_lag_ms')::bigint >= 300000 AS lag;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET signed_at = now() - interval '20 min' WHERE number = 2000001$$) AS older;
SELECT aegis.health() ->> 'witness' AS health, aegis.health() ->> 'status' AS status;
SELECT severity, object, finding FROM aegis.coverage() WHERE object_kind = 'witness';
-- survives: a destination that was taken back, a witness that was dropped in the meantime, an agent that nobody sent
SELECT id, lease FROM regress_ask() \gset
\c - regress_witness_operator
SELECT aegis.remove_destination('regress-one');
SELECT aegis.drop_witness('witness.example/one');
SELECT aegis.drop_witness('witness.example/one');
\c - regress_witness_agent
SELECT aegis.finish_outbound(:id, :'lease', 'delivered', '', '{"status": 200}');
\c - :superuser
SELECT result_ref FROM aegis.outbox WHERE id = :id;
SELECT aegis.health() ->> 'witness' AS health, regress_entries('ledger.witness_dropped') AS dropped;
SELECT severity, object, finding FROM aegis.coverage() WHERE finding = 'witness-missing';
SET client_min_messages = warning;

-- refuses: a cosignature that is none, in the verification
SELECT regress_tamper(format('INSERT INTO aegis.cosignature VALUES (2000001, %L, %L, now(), now(), %L)', 'witness.example/one', :'one',
  E'\u2014 witness.example/one IVLmpwAAAABpJIEAzkfM94dC55rb34biZMRyWdiq/Xb26GKPHvPk2VqEbKkCmuYELON33Kp8FPg5V0fa1NF4mWg1MFQZTfTIkmtlDA==\n'));
SELECT count(*) AS found FROM aegis.verify_ledger() v WHERE to_jsonb(v)::text LIKE '%witness.example/one%did not cosign it%';
SELECT aegis.latest_checkpoint() LIKE E'regress/log\n%witness.example/one %' AS carried, witnesses FROM aegis.checkpoints WHERE number = 2000001;

SELECT regress_tamper('DELETE FROM aegis.cosignature') AS forgotten, regress_tamper('DELETE FROM aegis.checkpoint WHERE number = 2000001') AS too;
DELETE FROM aegis.outbox WHERE kind = 'witness';
DELETE FROM aegis.destination WHERE name LIKE 'regress%';
DROP FUNCTION regress_answer(bigint, uuid, integer, text), regress_ask(), regress_entries(text), regress_tamper(text);
DROP ROLE regress_witness_agent, regress_witness_operator;
