-- Every column of the application has a class, and what is personal is encrypted; a column that came later and has none is found.
\set VERBOSITY terse
SET client_min_messages = warning;

-- allows: nothing is unlabelled, nothing personal is in clear
SELECT relation, column_name FROM aegis.classification WHERE schema = 'aegis_app'::regnamespace AND class IS NULL ORDER BY 1, 2;
SELECT relation, column_name FROM aegis.classification WHERE schema = 'aegis_app'::regnamespace AND class IN ('pii', 'pii_special', 'secret') AND NOT sealed ORDER BY 1, 2;
SELECT object, finding FROM aegis.coverage() WHERE finding IN ('class-missing', 'classified-in-clear');
-- and every table is looked at
SELECT c.oid::regclass AS unseen FROM pg_class c
 WHERE c.relnamespace = 'aegis_app'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND NOT EXISTS (SELECT FROM aegis.classification s WHERE s.relation = c.oid AND s.class IS NOT NULL);

-- refuses: a column or a table without a class, personal data in clear
BEGIN;
ALTER TABLE aegis_app.customer ADD COLUMN nickname text;
CREATE TABLE aegis_app.contact (tenant_id uuid NOT NULL, id uuid, fax text, PRIMARY KEY (tenant_id, id));
SELECT aegis.protect_table('aegis_app.contact');
SECURITY LABEL FOR aegis ON COLUMN aegis_app.contact.fax IS 'pii';
SELECT object, finding, fix FROM aegis.coverage() WHERE finding IN ('class-missing', 'classified-in-clear') ORDER BY 1, 2;
ROLLBACK;
