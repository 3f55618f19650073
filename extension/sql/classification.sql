-- What kind of data each column holds: PostgreSQL's security labels of the provider "aegis". docs/classification.md.

-- The columns that protect_table added are known without a label. Retention and export are NULL where there is no class.
CREATE VIEW aegis.classification AS
  WITH labelled AS (
    SELECT r.oid, r.namespace, a.attname, a.atttypid,
           coalesce(split_part(l.label, ';', 1),
                    CASE WHEN r.protected AND a.attname IN ('tenant_id', 'team_ord', 'created_by') THEN 'internal' END) AS class,
           substring(l.label FROM '; retention=([a-z0-9_]+)') AS retention, substring(l.label FROM '; export=(yes|no)') AS export
      FROM aegis.coverage_relation r
      JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_catalog.pg_seclabel l ON l.provider = 'aegis' AND l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = r.oid AND l.objsubid = a.attnum
     WHERE r.kind IN ('r', 'p') AND NOT r.is_partition AND r.root = r.oid
  )
  SELECT c.namespace::regnamespace AS schema, c.oid::regclass AS relation, c.attname AS column_name, c.class, c.retention,
         CASE WHEN c.class IS NOT NULL THEN coalesce(c.export, CASE WHEN c.class IN ('pii', 'pii_special') THEN 'yes' ELSE 'no' END) = 'yes' END AS exported,
         t.type IS NOT NULL AS sealed, t.normaliser IS NOT NULL AS searchable, f.name AS field, f.subject_column IS NOT NULL AS of_subject
    FROM labelled c
    LEFT JOIN aegis.sealed_type t ON t.type = c.atttypid
    LEFT JOIN aegis.field f ON f.relation = c.oid AND f.column_name = c.attname;
COMMENT ON VIEW aegis.classification IS 'columns with the class of what they hold: how long it is kept, whether a person''s export has it, and how it is sealed';
