-- Rows that a foreign key takes along are changed as the owner of their table and past row security, for the key carries the
-- tenant. What their triggers do is held to the tenant and the user all the same.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_refer_owner LOGIN;
CREATE ROLE regress_refer_member LOGIN;
GRANT aegis_member TO regress_refer_member;
GRANT USAGE ON SCHEMA aegis TO regress_refer_owner;
CREATE SCHEMA refer AUTHORIZATION regress_refer_owner;
CREATE FUNCTION probe_context(tenant uuid, usr uuid, rank int, team_ord bigint, last_ord bigint) RETURNS void
  AS '$libdir/aegis', 'aegis_probe_context' LANGUAGE C;
SELECT aegis.create_tenant('refer-one', 'One') AS one \gset
SELECT aegis.create_tenant('refer-two', 'Two') AS two \gset
\set ann '''00000000-0000-4000-8000-00000000000a'''
\set bob '''00000000-0000-4000-8000-00000000000b'''
\c - regress_refer_owner
SET client_min_messages = warning;
CREATE TABLE refer.item (tenant_id uuid, id int, stock int, PRIMARY KEY (tenant_id, id));
CREATE TABLE refer.ordered (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE refer.line (tenant_id uuid, id int, ordered int, item int, amount int, seen text, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, ordered) REFERENCES refer.ordered ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE refer.remark (tenant_id uuid, id int, ordered int, body text, PRIMARY KEY (tenant_id, id), CHECK (ordered IS NOT NULL OR body = ''),
  FOREIGN KEY (tenant_id, ordered) REFERENCES refer.ordered ON DELETE SET NULL (ordered));
CREATE TABLE refer.log (what text);
SELECT aegis.protect_table('refer.item', created_by => false, team => false), aegis.protect_table('refer.ordered'),
       aegis.protect_table('refer.line', parent => 'refer.ordered'), aegis.protect_table('refer.remark');
-- numbers of items are those of each tenant, so row security says whose item it is
CREATE FUNCTION refer.put_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.seen := (SELECT string_agg(i.stock::text, ' ' ORDER BY i.stock) FROM refer.item i);
    RETURN NEW;
  END IF;
  UPDATE refer.item SET stock = stock + OLD.amount WHERE id = OLD.item;
  RETURN OLD;
END $$;
CREATE TRIGGER put_back BEFORE DELETE OR UPDATE ON refer.line FOR EACH ROW EXECUTE FUNCTION refer.put_back();
-- the owner's own, which has the same function run with the same rights
CREATE FUNCTION refer.drop_line(which int) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
  'DELETE FROM refer.line WHERE id = which';
GRANT USAGE ON SCHEMA refer TO regress_refer_member;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA refer TO regress_refer_member;

\c - regress_refer_member
BEGIN;
SELECT probe_context(:'two', :bob, 4, 1, 4611686018427387904);
INSERT INTO refer.item (id, stock) VALUES (1, 1000);
INSERT INTO refer.ordered (id) VALUES (1);
INSERT INTO refer.line (id, ordered, item, amount) VALUES (1, 1, 1, 1);
COMMIT;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
INSERT INTO refer.item (id, stock) VALUES (1, 10);
INSERT INTO refer.ordered (id) SELECT generate_series(1, 3);
INSERT INTO refer.line (id, ordered, item, amount) SELECT n, n, 1, 5 FROM generate_series(1, 3) n;
-- a line that goes with its order puts back into the stock of its tenant, and one that follows sees that alone
UPDATE refer.ordered SET id = 7 WHERE id = 3;
SELECT id, ordered, seen FROM refer.line ORDER BY id;
DELETE FROM refer.ordered WHERE id = 1;
SELECT id, stock FROM refer.item;
-- what was planned then is not kept for the owner
SELECT refer.drop_line(2);
SELECT id, stock FROM refer.item;
COMMIT;
BEGIN;
SELECT probe_context(:'two', :bob, 4, 1, 4611686018427387904);
SELECT id, stock FROM refer.item;
ROLLBACK;

-- refuses: what the trigger could not do if the row were named itself
\c - regress_refer_owner
CREATE OR REPLACE FUNCTION refer.put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO refer.log VALUES (OLD.seen); RETURN OLD; END $$;
\c - regress_refer_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
SAVEPOINT s;
DELETE FROM refer.line;
ROLLBACK TO s;
DELETE FROM refer.ordered WHERE id = 7;
ROLLBACK;

-- survives: an error over a colleague's row that a foreign key changes tells nothing of the row
BEGIN;
SELECT probe_context(:'one', :bob, 1, 1, 1);
INSERT INTO refer.ordered (id) VALUES (20);
COMMIT;
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
INSERT INTO refer.remark (id, ordered, body) VALUES (1, 20, 'of Ann alone');
COMMIT;
\set VERBOSITY default
BEGIN;
SELECT probe_context(:'one', :bob, 1, 1, 1);
SELECT count(*) FROM refer.remark;
DELETE FROM refer.ordered WHERE id = 20;
ROLLBACK;
\set VERBOSITY terse

-- refuses: the same where the tables belong to a superuser
\c - regress_refer_owner
CREATE OR REPLACE FUNCTION refer.put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE refer.item SET stock = 0; RETURN OLD; END $$;
\c - :superuser
SET client_min_messages = warning;
ALTER TABLE refer.line OWNER TO :superuser;
ALTER TABLE refer.ordered OWNER TO :superuser;
\c - regress_refer_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
DELETE FROM refer.ordered WHERE id = 7;
ROLLBACK;
-- allows: what Aegis looks up for rows that follow a parent
\c - :superuser
SET client_min_messages = warning;
DROP TRIGGER put_back ON refer.line;
\c - regress_refer_member
BEGIN;
SELECT probe_context(:'one', :ann, 4, 1, 4611686018427387904);
UPDATE refer.ordered SET id = 8 WHERE id = 7;
SELECT id, ordered FROM refer.line;
DELETE FROM refer.ordered WHERE id = 8;
SELECT id, ordered FROM refer.line;
COMMIT;
\c - :superuser
SET client_min_messages = warning;
UPDATE refer.ordered SET id = 9 WHERE tenant_id = :'two';
SELECT id, ordered FROM refer.line;

DROP SCHEMA refer CASCADE;
DROP FUNCTION probe_context;
DROP OWNED BY regress_refer_owner, regress_refer_member;
DROP ROLE regress_refer_owner, regress_refer_member;
