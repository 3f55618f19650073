-- Every declared type of event is written by something that a test does, and nothing else is written: this test is the last, looks at
-- what all others left in the ledger, and means nothing alone. tests/lint/events.sh checks what no database can tell.
\set VERBOSITY terse
-- The worker writes on.
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMP TABLE written AS
SELECT d.event, count(*) AS entries FROM aegis.entry e, aegis.decode_entry(e.body) d
 -- sql/charge.sql opens charges of any name for this user, who never was: no path of the product.
 WHERE d.user_id IS DISTINCT FROM '22222222-2222-4222-8222-222222222222'
 GROUP BY 1;
CREATE TEMP TABLE detailed AS
SELECT d.event, k.key, count(*) AS entries FROM aegis.entry e, aegis.decode_entry(e.body) d, jsonb_object_keys(d.detail) k(key)
 WHERE d.user_id IS DISTINCT FROM '22222222-2222-4222-8222-222222222222'
 GROUP BY 1, 2;
COMMIT;

-- allows: what is declared; of these types a test of another suite has the entry looked for, as tests/events.txt says
SELECT t.name AS elsewhere FROM aegis.event_type t
 WHERE t.by_extension AND NOT EXISTS (SELECT FROM written w WHERE w.event = t.name) ORDER BY t.name COLLATE "C";

-- refuses: everything else
SELECT w.event AS undeclared FROM written w WHERE NOT EXISTS (SELECT FROM aegis.event_type t WHERE t.name = w.event) ORDER BY 1;

-- refuses: a detail that its type does not declare, an entry without one that its type requires; a route writes the status with any type, or where it forwarded to, and the worker why it wrote the entry
SELECT d.event, d.key AS undeclared FROM detailed d JOIN aegis.event_type t ON t.name = d.event
 WHERE NOT t.fields ? d.key AND NOT (t.writer = 'sql' AND d.key IN ('status', 'upstream', 'note', 'times')) ORDER BY 1, 2;
SELECT w.event, f.key AS missing FROM written w JOIN aegis.event_type t ON t.name = w.event CROSS JOIN jsonb_each_text(t.fields) f
  LEFT JOIN detailed d ON d.event = w.event AND d.key = f.key
 WHERE f.value ~ 'required' AND d.entries IS DISTINCT FROM w.entries AND t.by_extension ORDER BY 1, 2;

-- survives: there is something to look at
SELECT count(*) > 200 AS types, sum(entries) > 10000 AS entries FROM written;
