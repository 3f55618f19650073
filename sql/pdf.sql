-- A document of rows is the same PDF each time, with its fonts inside, and asks nothing of the network.
\set VERBOSITY terse
CREATE TEMP TABLE regress_pdf (name text PRIMARY KEY, document jsonb, made bytea);
INSERT INTO regress_pdf (name, document) VALUES
  ('small', '{"title": "INV-1", "footer": "f", "rows": [{"cells": [{"text": "Größe, naïve, Ελλάδα, Кириллица", "bold": true}]}]}'),
  ('empty', '{"rows": []}'),
  ('wrapped', jsonb_build_object('rows', jsonb_build_array(jsonb_build_object('cells', jsonb_build_array(
     jsonb_build_object('text', repeat('word ', 100), 'width', 30), jsonb_build_object('text', repeat('x', 400), 'width', 40, 'right', true), jsonb_build_object('text', E'one\n\nthree', 'width', 20)))))),
  ('long', jsonb_build_object('title', 'long', 'rows', (SELECT jsonb_agg(jsonb_build_object('gap', 3, 'rule', true, 'cells', jsonb_build_array(jsonb_build_object('text', 'row ' || n)))) FROM generate_series(1, 200) n)));
UPDATE regress_pdf SET made = aegis.pdf(document);
-- allows: pages as many as are needed, every character of the font, the same bytes again
SELECT name, substr(made, 1, 7) = '%PDF-1.' AS is_pdf, made = aegis.pdf(document) AS same,
       (SELECT count(*) FROM regexp_matches(encode(made, 'escape'), '/Type /Page[^s]', 'g')) AS pages FROM regress_pdf ORDER BY name;
-- refuses: to leave a font out, and to say when or for whom it was made, or where else to look
SELECT name, position('/FontFile2'::bytea IN made) > 0 AS embedded, position('CreationDate'::bytea IN made) AS dated, position('/URI'::bytea IN made) AS links,
       position('/JavaScript'::bytea IN made) AS scripts FROM regress_pdf WHERE name IN ('small', 'long') ORDER BY name;
-- refuses: what is no document
SELECT aegis.pdf('[]');
SELECT aegis.pdf('{}');
SELECT aegis.pdf('{"rows": [5]}');
SELECT aegis.pdf('{"rows": [{"cells": 5}]}');
SELECT aegis.pdf('{"rows": [{"cells": [{"text": 5}]}]}');
SELECT aegis.pdf('{"rows": [{"cells": [{"width": 100}, {"width": 71}]}]}');
SELECT aegis.pdf('{"rows": [{"cells": [{"size": 400}]}]}');
SELECT aegis.pdf(jsonb_build_object('rows', jsonb_build_array(jsonb_build_object('cells', jsonb_build_array(jsonb_build_object('text', repeat('x', 20000)))))));
SELECT aegis.pdf(jsonb_build_object('rows', jsonb_build_array(jsonb_build_object('cells', jsonb_build_array(jsonb_build_object('text', repeat('long ', 1000), 'width', 10))))));
-- survives: many in one session, good and bad, without a file left open
SELECT count(*) AS files FROM pg_ls_dir('/proc/self/fd') \gset
SELECT count(aegis.pdf(jsonb_build_object('title', n::text, 'rows', '[]'::jsonb))) AS made FROM generate_series(1, 20) n;
SELECT aegis.pdf('{"rows": [{"cells": [{"size": 400}]}]}');
SELECT count(*) = :files AS none_open FROM pg_ls_dir('/proc/self/fd');
-- survives: control characters, directions, and what the font has not
SELECT substr(aegis.pdf(jsonb_build_object('title', E'a\tb', 'rows', jsonb_build_array(jsonb_build_object('cells', jsonb_build_array(jsonb_build_object('text', U&'a\0001\007F\202E\4E2D\+01F600b')))))), 1, 5) = '%PDF-' AS made;
SELECT aegis.pdf(NULL) IS NULL AS of_nothing;
