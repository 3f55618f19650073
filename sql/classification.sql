-- A column's class is a security label; a column without one, or personal data in clear, is found.
\set VERBOSITY default
SET client_min_messages = warning;
SELECT current_user AS superuser \gset
CREATE ROLE regress_class_owner LOGIN;
CREATE ROLE regress_class_auditor LOGIN;
GRANT aegis_auditor TO regress_class_auditor;
GRANT USAGE ON SCHEMA aegis TO regress_class_owner;
CREATE SCHEMA cls AUTHORIZATION regress_class_owner;
CREATE SCHEMA cls_free AUTHORIZATION regress_class_owner;
GRANT USAGE ON SCHEMA cls TO regress_class_auditor;
\c - regress_class_owner
CREATE TABLE cls.buyer (tenant_id uuid, id int, name aegis.sealed_text, mail text, code text, PRIMARY KEY (tenant_id, id));
CREATE TABLE cls.visit (id int, day date, note text) PARTITION BY RANGE (day);
CREATE TABLE cls.visit_all PARTITION OF cls.visit DEFAULT;
CREATE TABLE cls_free.thing (id int PRIMARY KEY, note text);
SELECT aegis.protect_table('cls.buyer');

-- allows
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.id IS 'internal';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.name IS 'pii; retention=kyc';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.mail IS 'pii_special; retention=kyc_5; export=no';
SECURITY LABEL FOR aegis ON COLUMN cls.visit.id IS 'public; export=yes';
SECURITY LABEL FOR aegis ON COLUMN cls.visit.day IS 'internal';
\c - regress_class_auditor
SELECT relation, column_name, class, retention, exported, sealed, searchable, field, of_subject FROM aegis.classification
 WHERE schema::text ~ '^cls' ORDER BY relation::text, column_name;
-- and of a schema where nothing has a class nothing is asked
SELECT severity, object_kind, object, finding, problem, fix FROM aegis.coverage() WHERE object ~ '^cls' AND finding ~ 'class' ORDER BY finding, object;

-- and what it says mends it
\c - regress_class_owner
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'confidential';
SECURITY LABEL FOR aegis ON COLUMN cls.visit.note IS 'confidential';
\c - :superuser
SELECT aegis.encrypt_column('cls.buyer', 'mail', 'buyer.mail', 'aegis.sealed_email', 'email');
SELECT count(*) FROM aegis.coverage() WHERE object ~ '^cls' AND finding ~ 'class';
SELECT column_name, class, sealed, searchable, field FROM aegis.classification WHERE relation = 'cls.buyer'::regclass AND sealed ORDER BY 1;

-- refuses: card data, classes and options that do not exist, other objects, whoever does not own the table
\c - regress_class_owner
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'prohibited_pci';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'private';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS '';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'mask=last4';
\set VERBOSITY terse
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'pii; export=perhaps';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'pii; export=yes; retention=kyc';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'pii; retention=';
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'pii;';
SECURITY LABEL FOR aegis ON TABLE cls.buyer IS 'pii';
SECURITY LABEL FOR aegis ON SCHEMA cls IS 'pii';
CREATE VIEW cls.codes AS SELECT code FROM cls.buyer;
SECURITY LABEL FOR aegis ON COLUMN cls.codes.code IS 'public';
DROP VIEW cls.codes;
SELECT * FROM aegis.classification;
\c - regress_class_auditor
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.code IS 'public';

-- refuses: in a guarded schema, a class that asks for encryption that is not there
\c - :superuser
SET client_min_messages = warning;
CREATE SCHEMA cls_guarded;
CREATE TABLE cls_guarded.buyer (tenant_id uuid, id int, phone text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('cls_guarded.buyer');
SELECT aegis.guard_schema('cls_guarded');
SECURITY LABEL FOR aegis ON COLUMN cls_guarded.buyer.id IS 'internal';
SECURITY LABEL FOR aegis ON COLUMN cls_guarded.buyer.phone IS 'confidential';
\set VERBOSITY default
\set SHOW_CONTEXT never
SECURITY LABEL FOR aegis ON COLUMN cls_guarded.buyer.phone IS 'pii';
\set VERBOSITY terse

-- survives: other names, and the column's end; a change is recorded
\c - regress_class_owner
ALTER TABLE cls.buyer RENAME COLUMN code TO tag;
\c - :superuser
SELECT column_name, class FROM aegis.classification WHERE relation = 'cls.buyer'::regclass AND column_name IN ('code', 'tag');
SECURITY LABEL FOR aegis ON COLUMN cls.buyer.tag IS NULL;
SELECT l.target_id, l.detail FROM aegis.audit_log l WHERE l.event = 'ddl.changed' ORDER BY l.seq DESC LIMIT 1;
SELECT finding, fix FROM aegis.coverage() WHERE object ~ '^cls' AND finding ~ 'class';
ALTER TABLE cls.buyer DROP COLUMN tag;
SELECT count(*) FROM aegis.coverage() WHERE object ~ '^cls' AND finding ~ 'class';

SET client_min_messages = warning;
SELECT aegis.guard_schema('cls_guarded', 'off');
DROP SCHEMA cls, cls_free, cls_guarded CASCADE;
DELETE FROM aegis.field WHERE name = 'buyer.mail';
DROP OWNED BY regress_class_owner, regress_class_auditor;
DROP ROLE regress_class_owner, regress_class_auditor;
