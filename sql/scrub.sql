-- Card data never rests here: it is removed from what programs send, refused in what people write, and a second opinion
-- stands before the table. Card numbers are those that networks publish for tests.
\set VERBOSITY terse

-- allows: everything else stays as it is, to the digit
SELECT aegis.scrub('paid with 4111 1111 1111 1111, expires 12/29');
SELECT aegis.scrub('{"id": "evt_1", "amount": 9223372036854775807, "card": {"number": "4242424242424242", "last4": "4242", "cvc": 123}}'::jsonb);
SELECT aegis.scrub('{"cvvResultCode": "P", "company": "Panel Ltd", "pspReference": "8815658961765250"}'::jsonb);
SELECT aegis.scrub('{"4242424242424242": {"a": "NDExMTExMTExMTExMTExMQ=="}}'::jsonb);
SELECT aegis.scrub('order 4111111111111112'), aegis.scrub(NULL::text) IS NULL AS null_stays;
SELECT aegis.scrub('call me', 'user_field'), aegis.scrub('{"pin": 4421}'::jsonb, 'user_field');

-- allows: to ask what it is and where, never which
SELECT kind, pointer FROM aegis.scrub_findings('{"a/b": [0, "4242 4242 4242 4242"], "track2": "x1", "cvv": "999"}'::jsonb) ORDER BY pointer;
SELECT kind, pointer FROM aegis.scrub_findings(';4242424242424242=29122010000012300000?') ORDER BY kind;
SELECT count(*) FROM aegis.scrub_findings('nothing');

-- refuses: what people write is not rewritten
SELECT aegis.scrub('my card 5555-5555-5555-4444', 'user_field');
SELECT aegis.scrub('{"memo": "5555-5555-5555-4444"}'::jsonb, 'user_field');
SELECT aegis.scrub('x', 'other');
\set VERBOSITY sqlstate
SELECT aegis.scrub('my card 5555-5555-5555-4444', 'user_field');
\set VERBOSITY terse

-- refuses: the verifier, as a constraint, whatever the scrubber did
CREATE TABLE payload (body jsonb CHECK (aegis.is_free_of_card_data(body)), raw text CHECK (aegis.is_free_of_card_data(raw)),
                      bytes bytea CHECK (aegis.is_free_of_card_data(bytes)));
INSERT INTO payload (body) VALUES ('{"n": 4242424242424242}');
INSERT INTO payload (raw) VALUES ('card 4242 4242 4242 4242');
INSERT INTO payload (bytes) VALUES ('card 4242424242424242');
INSERT INTO payload (body) VALUES ('{"cvv": "123"}');
INSERT INTO payload (body, raw, bytes) SELECT aegis.scrub('{"n": 4242424242424242, "cvv": "123"}'::jsonb), aegis.scrub('card 4242 4242 4242 4242'), '\x00ff4242';
SELECT body, raw FROM payload;

-- refuses: rows in which somebody wrote one; the sealed column before it is sealed
CREATE TABLE note (tenant_id uuid NOT NULL DEFAULT aegis.tenant_id(), id integer, memo aegis.sealed_text, plain text, more jsonb);
SELECT aegis.encrypt_column('note', 'memo', 'note.memo', 'aegis.sealed_text', 'full');
CREATE TRIGGER refuse_card_data BEFORE INSERT OR UPDATE ON note FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('memo', 'plain', 'more');
SELECT aegis.create_tenant('scrub-test', 'Scrub Ltd') AS tenant \gset
INSERT INTO note VALUES (:'tenant', 1, 'paid 4242 4242 4242 4242');
INSERT INTO note VALUES (:'tenant', 1, NULL, 'paid 4242 4242 4242 4242');
INSERT INTO note VALUES (:'tenant', 1, NULL, NULL, '{"a": "4242424242424242"}');
INSERT INTO note VALUES (:'tenant', 1, 'paid in cash', 'thanks', '{"a": "4242424242424241"}');
UPDATE note SET memo = 'no: 4242424242424242';
UPDATE note SET plain = 'no: 4242424242424242';
SELECT plain, more FROM note;
CREATE TABLE wrong (id integer);
CREATE TRIGGER refuse_card_data BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('id');
INSERT INTO wrong VALUES (1);
DROP TRIGGER refuse_card_data ON wrong;
CREATE TRIGGER refuse_card_data BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data();
INSERT INTO wrong VALUES (1);
DROP TRIGGER refuse_card_data ON wrong;
CREATE TRIGGER refuse_card_data AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION aegis.refuse_card_data('id');
INSERT INTO wrong VALUES (1);

-- refuses: names of tenants, teams and people
SELECT aegis.create_tenant('cards', 'Pay 4242 4242 4242 4242');
BEGIN;
SELECT aegis.assume_tenant(:'tenant', 'test', 'T-1', read_only => false);
SAVEPOINT s;
SELECT aegis.create_team('Pay 4242 4242 4242 4242');
ROLLBACK TO s;
SELECT aegis.create_user('a@example.test', '4242-4242-4242-4242', 1::smallint, NULL, 'plum quartz lantern 47 river');
ROLLBACK;

-- survives: no column of Aegis is named after card data; one that is shows here
CREATE TABLE pays (id integer, card_number text, "expiryYear" text, card_cvc2 text, last4 text);
SELECT c.oid::regclass AS relation, a.attname AS never_stored
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace IN ('aegis'::regnamespace, 'public'::regnamespace)
   AND a.attnum > 0 AND EXISTS (SELECT FROM aegis.scrub_findings(jsonb_build_object(a.attname, 'x'))) ORDER BY c.oid, a.attnum;
DROP TABLE pays;

-- survives: much of it, in parallel and in other roles
SET ROLE aegis_member;
SELECT aegis.is_free_of_card_data('4242424242424242'::text), length(aegis.scrub(repeat('4242424242424242 ', 10000)));
RESET ROLE;
DROP TABLE payload, note, wrong;
