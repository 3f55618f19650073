-- Anchors: what is sent to each kind, what comes of every answer, and what health and coverage say of it. With a signer, an agent,
-- a folder and an authority: tests/process/anchor.sh.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE FUNCTION regress_tamper(statement text) RETURNS bigint AS '$libdir/aegis', 'aegis_test_tamper' LANGUAGE C STRICT;
CREATE FUNCTION regress_entries(wanted text) RETURNS bigint LANGUAGE sql AS
  $$ SELECT count(*) FROM aegis.audit_log l WHERE l.event = wanted $$;
CREATE ROLE regress_anchor_operator LOGIN IN ROLE aegis_operator INHERIT;
CREATE ROLE regress_anchor_auditor LOGIN IN ROLE aegis_auditor INHERIT;
-- A published certificate and a published time stamp of it, for tests only: tests/vectors/anchor_v1.json.
SELECT $pem$-----BEGIN CERTIFICATE-----
MIIDPzCCAiegAwIBAgIUe//ov5XTjprvWUPjTFhGsIUxiXgwDQYJKoZIhvcNAQEL
BQAwJzElMCMGA1UEAwwcUHVibGlzaGVkIHRlc3QgYXV0aG9yaXR5IG9uZTAeFw0y
NjExMjgxNjQ5NTZaFw0yNjExMjkxNjQ5NTZaMCcxJTAjBgNVBAMMHFB1Ymxpc2hl
ZCB0ZXN0IGF1dGhvcml0eSBvbmUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK
AoIBAQCyxIqXohiFMGpP6ugiFl/tFRiQjNvlZZMcj+IjZY3K4NeWR5yWbDImOWix
9o5JLizrW3bjsagwbFhtlqtxw2uOQQ4kfzazw33nf9SDf0/WWebrjzpfQqJsGc+s
rTM2wEHYRkwDzD1EqzVoX0IoPOVvml2/Ds1VWGIElRE2mN2+S06NYGbTQxXu6xAp
asIaEw0NvCkVhVDpghwbqeBZr/PU/xF6QxnNYvKUWlaPFBEsfS3wvjrLewz+4bVV
NQQa8TFqgZFihvKa/ppDyPmRlH5Fy/5Ka60dwW23YyrkxrwQ28ikepVZhoQCTom5
kmXvz5BTKL+FL4eyUv4W4ldV/+6tAgMBAAGjYzBhMB0GA1UdDgQWBBQqSBQdBzN6
8iyDfl/9vLS14MSBpDAfBgNVHSMEGDAWgBQqSBQdBzN68iyDfl/9vLS14MSBpDAP
BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDANBgkqhkiG9w0BAQsFAAOC
AQEAob6RxlMFBJ94GjAnDqxlgNIdvZgHMGAhO53EAwqTAKvI0cUP9TipWihhyGMY
4fzTYhT6YjgDt6h0ATDvF1O1OxVcnMmVh5W/arwd6QYwUkAEvLRFAsGb0uEjXMD5
EjXB0PgWgoWmRxrHwINDIUdPyY4XYxP1Fq0E345h96Id2HD2uJOBRhzKdapeGem5
3RfkUZv88J72d54/UF4/ImG2oEqZGF27avtcTY6pjHwQCXDUP4ChYbWC9JvxuDgR
70DDdgbbwUAM2opU4hmPtwIWA+U9Bp9FVPNRN7i6kf+vgBQ2DewwwErLCz17VKFT
Tp8esOdGXyh1OPR1gXTn3st3yg==
-----END CERTIFICATE-----
$pem$ AS pem \gset
\set stamp '\\x3082060f30030201003082060606092a864886f70d010702a08205f7308205f3020103310f300d060960864801650304020105003078060b2a864886f70d0109100104a0690467306502010106092b06010401868d1f013031300d060960864801650304020105000420531b4e641f95af1ca99f6a37d8e857255de4e0b0b0d170abfb6782af64a77194020102180f32303236313132383136343935375a3003020101020900f5eb84b60d181424a082034c3082034830820230a003020102021449d122cfc64cd66f5511c518aff1e6eee9e5b712300d06092a864886f70d01010b050030273125302306035504030c1c5075626c6973686564207465737420617574686f72697479206f6e65301e170d3236313132383136343935365a170d3236313132393136343935365a30293127302506035504030c1e5075626c697368656420746573742074696d65207374616d7073206f6e6530820122300d06092a864886f70d01010105000382010f003082010a0282010100c7b4031723943ba87bc2d4181d56eac9aea62bbc177eea77be75db0656bf2a1242535068d95a06c5b3faa2f35c2ee416496a3a81f65cc664bb37d8b60173d6b23536bc85a3f1220aced37ed9c92d044cd53d6eb38784f84fba49f1a066d10e649ba7ff6f3a702acfa41d35ab6b0287e8933aebfb8cb1692427879d974207dec78001015cc83abaf6805d630b5eb29b58ace27944a6005437a08a036aaa55f7bfbb45690fa4642e11192ce8c8f2e614937b5bbe808cd969ff821a3c96873a335adfb9f4372ed5236082605f3570684e4bfe1c41f550ab74d7ef5722b3079bc9626426cbcc785d33172e4ee72695fa6943c3927853a3fd06e4d217a137b24f6e2f0203010001a36a3068300e0603551d0f0101ff04040302078030160603551d250101ff040c300a06082b06010505070308301d0603551d0e04160414094c94d4d2fa773d47937d8a44513bdd904020ee301f0603551d230418301680142a48141d07337af22c837e5ffdbcb4b5e0c481a4300d06092a864886f70d01010b050003820101001bf743cfc2f20698df6ad46cbb90d6820e5ff40f5b5e7eec7397726c1097c1eb3204130de94239668ad82d4d53bdbbd62a3f2177ceb01778e45c491b6726543d9669458786ffb9022dd8f6e5cfd56569a92e4851d1eecfc6262e34203ceb25bff48d662ab18de9a8f5f4b2548465f44f383a8ee42007da5885a111b695f7659955eb35fc02182b77ead67333a42e1a6a28d6076cba657841aa99f1e2d075cd4f508d15456403599b32cfae0937c613b91f0397620462fedcb70c208bd770c0467fd6edef6aa33e6576975d73fc7029ae36ab1696bb1f8e520c4dbb0aee738b5309cc3f68faf7868cd9b9394c580840585920d521d06b22cd48cdae54849ce5c8318202113082020d020101303f30273125302306035504030c1c5075626c6973686564207465737420617574686f72697479206f6e65021449d122cfc64cd66f5511c518aff1e6eee9e5b712300d06096086480165030402010500a081a4301a06092a864886f70d010903310d060b2a864886f70d0109100104301c06092a864886f70d010905310f170d3236313132383136343935375a302f06092a864886f70d010904312204203554fed26ffe2cca5bc71d4718bb211d85e6c7239f5ffb3f8a81dee7e4b0a1ac3037060b2a864886f70d010910022f3128302630243022042088f8a030c0f07b4843538488d9a69746590d17cf0cef2796ee0a9ec81d4619b6300d06092a864886f70d0101010500048201000e4296a4f130c640b2f00af2765f3da48fb718c14de421f19462fddbaa16bb785aaa5de9136d3dbf84587c317691a033edec16d5cd38d51a109b6d04cd6b860586ac5af9f0a63b9a7eb72c7a27223846c6722239746e4362c2377ee583c7e65602925ebd2aca152d63181ff9e7b3a5eac3141573d28cb4b1914c9fe3ec25aaa4324b80923c865a560684584ff1cd131cedcf370ffe7930a822c435d394958d76e4d9b27fe9f7a9b0202236d27edb5bc89e428d08856da8f2b106f4e2e4b2df938badbf142817fe3eb2d0442e7a672a8d096b56a40d847f203386a35cdebcffdc5440fcbef1a301f94d8293e8c06c7c1ca7492c1cc180ed521ed09ebe8c751dab'

-- allows: an operator registers anchors of every kind; recorded
\c - regress_anchor_operator
SELECT aegis.register_destination('regress-worm', 'drop:regress'), aegis.register_destination('regress-put', 'https://put.example.com/a/'),
  aegis.register_destination('regress-tsa', 'http://127.0.0.1:3161/tsa');
SELECT aegis.register_anchor('regress-file', 'file', 'regress-worm', '10 min'), aegis.register_anchor('regress-put', 'http_put', 'regress-put'),
  aegis.register_anchor('regress-tsa', 'rfc3161', 'regress-tsa', '1 day', :'pem');
SELECT name, kind, destination, every, standing, fault, checkpoint, size, place, behind_since FROM aegis.anchor_status ORDER BY name;
SELECT aegis.health() ->> 'anchor' AS health;
-- refuses: names, kinds, intervals, authorities and destinations that are none, and a name twice
SELECT aegis.register_anchor('No Name', 'file', 'regress-worm');
SELECT aegis.register_anchor('regress', 'fax', 'regress-worm');
SELECT aegis.register_anchor('regress', 'file', 'regress-worm', '0 s');
SELECT aegis.register_anchor('regress', 'file', 'regress-worm', '31 days');
SELECT aegis.register_anchor('regress', 'file', 'regress-worm', '1 h', :'pem');
SELECT aegis.register_anchor('regress', 'rfc3161', 'regress-tsa');
SELECT aegis.register_anchor('regress', 'rfc3161', 'regress-tsa', '1 h', 'trust me');
SELECT aegis.register_anchor('regress', 'file', 'regress-put');
SELECT aegis.register_anchor('regress', 'http_put', 'regress-worm');
SELECT aegis.register_anchor('regress', 'file', NULL);
SELECT aegis.register_anchor('regress-file', 'file', 'regress-worm');
SELECT aegis.drop_anchor('regress');
-- refuses: what the outbox alone may do, and the tables
SELECT aegis.take_anchor_answer(NULL, NULL, NULL);
SELECT aegis.take_anchor('a', 1, 'file', 'b', NULL, NULL, NULL);
SELECT count(*) FROM aegis.anchor;
INSERT INTO aegis.anchor_receipt VALUES ('a', 1, 'file', 'b', '', now());
\c - regress_anchor_auditor
SELECT aegis.register_anchor('regress', 'file', 'regress-worm');
SELECT count(*) AS anchors FROM aegis.anchor_status;
SELECT count(*) AS receipts FROM aegis.anchor_receipt;
\c - :superuser
SELECT regress_entries('ledger.anchor_registered') AS registered;
SELECT aegis.take_anchor('a', 1, 'file', 'b', NULL, NULL, NULL);

-- refuses: receipts by anybody but the database itself, to the superuser and to the owner of the table as well
INSERT INTO aegis.anchor_receipt VALUES ('a', 1, 'file', 'b', '', now());
SET ROLE aegis_owner;
INSERT INTO aegis.anchor_receipt VALUES ('a', 1, 'file', 'b', '', now());
RESET ROLE;
UPDATE aegis.anchor_receipt SET place = 'b';
DELETE FROM aegis.anchor_receipt;
TRUNCATE aegis.anchor_receipt;
ALTER TABLE aegis.anchor_receipt DISABLE TRIGGER ALL;
-- refuses: waiting where nothing is signed
SELECT aegis.wait_anchored('1 s');

-- allows: one checkpoint for each anchor, as its kind wants it
SELECT aegis.wait_sealed('20 s') > 0 AS sealed;
SELECT regress_tamper(format('INSERT INTO aegis.checkpoint VALUES (2000001, %s, %s, %L, now(), %L)', s.number, s.root_size, s.root,
  format(E'regress/log\n%s\n%s\n\n\u2014 regress/log %s\n', s.root_size, encode(s.root, 'base64'), replace(encode(decode(repeat('00', 68), 'hex'), 'base64'), E'\n', ''))))
  FROM aegis.seal s ORDER BY s.number DESC LIMIT 1;
SELECT size AS size, note AS note, encode(sha256('regress/log'), 'hex') || '.' || lpad(size::text, 20, '0') || '.checkpoint' AS name
  FROM aegis.checkpoint WHERE number = 2000001 \gset
CREATE FUNCTION regress_sent(wanted text) RETURNS TABLE (id bigint, lease uuid, url text, payload jsonb) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 100 LOOP
    SET LOCAL ROLE aegis_owner;
    PERFORM aegis.tend_anchors();  -- the worker does, too
    RESET ROLE;
    PERFORM aegis.claim_outbound(ARRAY['anchor', 'anchor_file'], 10);
    RETURN QUERY SELECT o.id, o.lease, d.url, convert_from(aegis_open.payload, 'UTF8')::jsonb
      FROM aegis.outbox o JOIN aegis.anchor a ON a.job = o.id JOIN aegis.destination d ON d.name = o.destination
      CROSS JOIN LATERAL regress_open(o) aegis_open(payload) WHERE a.name = wanted AND o.state = 'claimed';
    IF FOUND THEN RETURN; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE FUNCTION regress_given_up(wanted text) RETURNS TABLE (standing text, fault text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 100 LOOP
    SET LOCAL ROLE aegis_owner;
    PERFORM aegis.tend_anchors();
    RESET ROLE;
    RETURN QUERY SELECT a.standing, a.fault FROM aegis.anchor a WHERE a.name = wanted AND a.job IS NULL;
    IF FOUND THEN RETURN; END IF;
    PERFORM pg_catalog.pg_sleep(0.05);
  END LOOP;
END $$;
CREATE FUNCTION regress_open(job aegis.outbox) RETURNS bytea LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN RETURN aegis.open_outbound(job.tenant_id, job.kind, job.idempotency_key, job.payload); END $$;
GRANT CREATE ON SCHEMA public TO aegis_owner;
ALTER FUNCTION regress_open(aegis.outbox) OWNER TO aegis_owner;
REVOKE CREATE ON SCHEMA public FROM aegis_owner;
SELECT id AS file, lease AS file_lease, url, payload ->> 'name' = :'name' AS named, convert_from(decode(payload ->> 'body', 'base64'), 'UTF8') = :'note' AS whole
  FROM regress_sent('regress-file') \gset file_
SELECT :'file_url' AS url, :'file_named' AS named, :'file_whole' AS whole;
SELECT id, lease, url, payload ->> 'method' AS method, payload ->> 'path' = '/' || :'name' AS path, payload -> 'headers' ->> 'If-None-Match' AS unless,
  convert_from(decode(payload ->> 'body', 'base64'), 'UTF8') = :'note' AS whole FROM regress_sent('regress-put') \gset put_
SELECT :'put_url' AS url, :'put_method' AS method, :'put_path' AS path, :'put_unless' AS unless, :'put_whole' AS whole;
SELECT id, lease, url, payload ->> 'method' AS method, payload -> 'headers' ->> 'Content-Type' AS type,
  position(sha256(convert_to(:'note', 'UTF8')) IN decode(payload ->> 'body', 'base64')) > 0 AS imprint FROM regress_sent('regress-tsa') \gset tsa_
SELECT :'tsa_url' AS url, :'tsa_method' AS method, :'tsa_type' AS type, :'tsa_imprint' AS imprint;
SET client_min_messages = error;
-- answer ANCHOR JOB LEASE STATUS BODY: handed in by the agent; what became of it, and it is due again at once.
CREATE FUNCTION regress_answer(wanted text, question bigint, lease uuid, status integer, body bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aegis.finish_outbound(question, lease, 'delivered', body, CASE WHEN status > 0 THEN jsonb_build_object('status', status) ELSE '{}' END);
  PERFORM regress_tamper(format('UPDATE aegis.anchor SET next_at = now() WHERE name = %L AND standing <> ''anchoring''', wanted));
  RETURN (SELECT format('%s, %s: %s', o.result_ref, a.standing, a.fault) FROM aegis.outbox o, aegis.anchor a WHERE o.id = question AND a.name = wanted);
END $$;
-- allows: what was taken to be kept, and not to be sent again before its interval is over
SELECT regress_answer('regress-file', :file_file, :'file_file_lease', 0, NULL);
SELECT regress_answer('regress-put', :put_id, :'put_lease', 201, '');
SELECT anchor, checkpoint, kind, replace(place, :'name', 'NAME') AS place, digest = sha256(convert_to(:'note', 'UTF8')) AS digest, stamped_at, receipt
  FROM aegis.anchor_receipt ORDER BY anchor;
SELECT name, checkpoint, behind_since IS NULL AS has_all, a.next_at > now() + a.every - interval '1 min' AS rests
  FROM aegis.anchor_status JOIN aegis.anchor a USING (name) WHERE name <> 'regress-tsa' ORDER BY name;
-- refuses: answers that are no time stamp of this checkpoint
SELECT regress_answer('regress-tsa', :tsa_id, :'tsa_lease', 200, :'stamp');
SELECT id, lease FROM regress_sent('regress-tsa') \gset
SELECT regress_answer('regress-tsa', :id, :'lease', 200, 'nonsense');
SELECT id, lease FROM regress_sent('regress-tsa') \gset
SELECT regress_answer('regress-tsa', :id, :'lease', 404, '');
SELECT id, lease FROM regress_sent('regress-tsa') \gset
SELECT regress_answer('regress-tsa', :id, :'lease', 200, NULL);
SELECT count(*) AS stamps FROM aegis.anchor_receipt WHERE kind = 'rfc3161';
-- survives: a request that nobody answered
SELECT id, lease FROM regress_sent('regress-tsa') \gset
SELECT aegis.finish_outbound(:id, :'lease', 'refused', NULL, '{"error": "answer_too_long"}');
SELECT * FROM regress_given_up('regress-tsa');

-- allows: whoever looks to see that an anchor is behind, and for how long
SELECT regress_tamper($$UPDATE aegis.anchor SET next_at = now() + interval '50 min', every = '1 h', added_at = now() - interval '1 year'$$);
SELECT aegis.health() ->> 'anchor' AS health, aegis.health() ->> 'status' AS status;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET signed_at = now() - interval '62 min' WHERE number = 2000001$$) AS older;
SELECT aegis.health() ->> 'anchor' AS health, aegis.health() ->> 'status' AS status, (aegis.health() ->> 'anchor_lag_ms')::bigint / 60000 >= 62 AS behind;
SELECT regress_tamper($$UPDATE aegis.checkpoint SET signed_at = now() - interval '131 min' WHERE number = 2000001$$) AS older;
SELECT aegis.health() ->> 'anchor' AS health, aegis.health() ->> 'status' AS status;
SELECT severity, object, finding FROM aegis.coverage() WHERE object_kind = 'anchor';
SELECT aegis.drop_anchor('regress-tsa');
SELECT aegis.health() ->> 'anchor' AS health;

-- refuses, without an alarm: a place that holds anything else under this name, which is no history
SELECT regress_tamper('DELETE FROM aegis.anchor_receipt') AS forgotten;
SELECT regress_tamper($$UPDATE aegis.anchor SET next_at = now()$$);
SELECT replace(:'note', encode(root, 'base64'), encode(sha256('forked'), 'base64')) AS forked, replace(:'note', 'regress/log', 'regress/other') AS of_another
  FROM aegis.checkpoint WHERE number = 2000001 \gset
SELECT aegis.is_other_history(:'note', convert_to(found, 'UTF8')) AS other
  FROM unnest(ARRAY['', 'junk', left(:'note', 40), :'note', :'of_another', :'note' || E'\n', replace(:'note', E'\n' || :size || E'\n', E'\n' || :size + 1 || E'\n'), :'forked']) found;
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 412, '');
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 200, '<html>sign in</html>');
SELECT id, lease FROM regress_sent('regress-file') \gset
SELECT regress_answer('regress-file', :id, :'lease', 412, convert_to(left(:'note', 40), 'UTF8'));
SELECT aegis.health() ->> 'anchor' AS health, regress_entries('ledger.anchor_refused') AS recorded;
-- refuses, loudly and once: a place that holds another checkpoint of this size
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 412, '');
SELECT id, lease, payload ->> 'method' AS method, payload ->> 'path' = '/' || :'name' AS path, payload ? 'body' AS body FROM regress_sent('regress-put') \gset
SELECT :'method' AS method, :'path' AS path, :'body' AS body;
SELECT regress_answer('regress-put', :id, :'lease', 200, convert_to(:'forked', 'UTF8'));
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 412, '');
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 200, convert_to(:'forked', 'UTF8'));
SELECT aegis.health() ->> 'anchor' AS health, aegis.health() ->> 'status' AS status, regress_entries('ledger.anchor_refused') AS recorded;
-- survives: an answer that was lost, told by what is there; that it was refused once stays
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 412, '');
SELECT id, lease FROM regress_sent('regress-put') \gset
SELECT regress_answer('regress-put', :id, :'lease', 200, convert_to(:'note', 'UTF8'));
SELECT id, lease FROM regress_sent('regress-file') \gset
SELECT regress_answer('regress-file', :id, :'lease', 412, convert_to(:'forked', 'UTF8'));
SELECT severity, object, finding FROM aegis.coverage() WHERE object_kind = 'anchor' ORDER BY object;
SELECT target_id, outcome, detail ->> 'reason' AS reason, (detail ->> 'size')::bigint = :size AS size FROM aegis.audit_log WHERE event = 'ledger.anchor_refused' ORDER BY seq;
-- survives: a destination that was taken back, an anchor that was dropped meanwhile
SELECT regress_tamper($$UPDATE aegis.anchor SET next_at = now() WHERE name = 'regress-file'$$);
SELECT id, lease FROM regress_sent('regress-file') \gset
SELECT aegis.drop_anchor('regress-put'), aegis.drop_anchor('regress-file');
SELECT aegis.finish_outbound(:id, :'lease', 'delivered');
SELECT result_ref FROM aegis.outbox WHERE id = :id;
-- refuses: the name of an anchor that has receipts
SELECT aegis.register_anchor('regress-put', 'http_put', 'regress-put');
SELECT aegis.health() ->> 'anchor' AS health, regress_entries('ledger.anchor_dropped') AS dropped;
SELECT severity, object, finding FROM aegis.coverage() WHERE finding = 'ledger-unanchored';
SET client_min_messages = warning;

-- refuses: receipts of something else, in the verification
SELECT regress_tamper($$UPDATE aegis.anchor_receipt SET digest = sha256('other') WHERE anchor = 'regress-put'$$) AS changed;
SELECT regress_tamper(format($$INSERT INTO aegis.anchor_receipt SELECT 'regress-forged', 2000001, 'rfc3161', 'p', sha256(convert_to(note, 'UTF8')), now(), now(), %L
  FROM aegis.checkpoint WHERE number = 2000001$$, :'stamp')) AS forged;
-- and one of no time at all, which ends nothing
SELECT regress_tamper($$INSERT INTO aegis.anchor_receipt SELECT 'regress-never', 2000001, 'rfc3161', 'p', digest, now(), 'infinity', receipt
  FROM aegis.anchor_receipt WHERE anchor = 'regress-forged'$$) AS never;
SELECT detail FROM aegis.verify_ledger() WHERE detail LIKE '%receipt of anchor%' ORDER BY detail COLLATE "C";

SELECT regress_tamper('DELETE FROM aegis.anchor_receipt') AS forgotten, regress_tamper('DELETE FROM aegis.checkpoint WHERE number = 2000001') AS too;
DELETE FROM aegis.outbox WHERE kind LIKE 'anchor%';
DELETE FROM aegis.destination WHERE name LIKE 'regress%';
DROP FUNCTION regress_answer(text, bigint, uuid, integer, bytea), regress_sent(text), regress_given_up(text), regress_open(aegis.outbox), regress_entries(text), regress_tamper(text);
DROP ROLE regress_anchor_operator, regress_anchor_auditor;
